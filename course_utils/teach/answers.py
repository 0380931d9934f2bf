"""Is an answer of a homework well formed? Says what is wrong with its form, and nothing about the answer."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Callable, Collection

import numpy as np
import torch

HANDED_IN_BY = "HOMEWORK_STUDENT"  # in the grader's environment: whose submission it is
LOGIN = "JUPYTERHUB_USER"  # in a hub's environment


def letters(answer: object, options: str) -> None:
    """A multiple choice: a string of letters out of `options`, such as "AC", in any order.

    Raises:
        ValueError: not answered, not a string, or letters that are not options.
    """
    _given(answer)
    wanted = f"write the letters of your choice as a string, such as {options[:2]!r}"
    if not isinstance(answer, str) or not answer:
        raise ValueError(f"{wanted}, not {answer!r}")
    unknown = sorted(set(answer.upper()) - set(options))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not an option: {wanted}; there are {', '.join(options)}")
    if len(set(answer.upper())) < len(answer):
        raise ValueError(f"a letter stands there twice in {answer!r}")


def choice(answer: object, options: Collection[str]) -> None:
    """One of some names.

    Raises:
        ValueError: not answered, or not one of them.
    """
    _given(answer)
    if answer not in options:
        raise ValueError(f"write one of {', '.join(map(repr, options))}, not {answer!r}")


def number(answer: object, low: float = -math.inf, high: float = math.inf) -> None:
    """A finite number from `low` to `high`.

    Raises:
        ValueError: not answered, not a number, or outside.
    """
    _given(answer)
    if isinstance(answer, bool) or not isinstance(answer, (int, float, np.integer, np.floating)):
        raise ValueError(f"write a number, not {answer!r}")
    if not math.isfinite(answer) or not low <= answer <= high:
        raise ValueError(f"a number from {low:g} to {high:g} is wanted, not {answer!r}")


def numbers(answer: object, n: int) -> None:
    """So many finite numbers in a list, a tuple or an array.

    Raises:
        ValueError: not answered, something else, or more or fewer.
    """
    _given(answer)
    parts = answer.tolist() if isinstance(answer, (np.ndarray, torch.Tensor)) else answer
    if not isinstance(parts, (list, tuple)) or len(parts) != n:
        raise ValueError(f"write {n} numbers in brackets, with commas, not {answer!r}")
    for part in parts:
        number(part)


def array(answer: object, shape: tuple[int, ...]) -> None:
    """An array or tensor of finite numbers of this shape.

    Raises:
        ValueError: not answered, another type or shape, or values that are not finite.
    """
    _given(answer)
    if not isinstance(answer, (np.ndarray, torch.Tensor)):
        raise ValueError(f"an array or a tensor is wanted, not a {type(answer).__name__}")
    if tuple(answer.shape) != shape:
        raise ValueError(f"the shape {shape} is wanted, not {tuple(answer.shape)}")
    if not bool(np.isfinite(np.asarray(torch.as_tensor(answer).detach().cpu())).all()):
        raise ValueError("some values are infinite or not a number")


def function(answer: object, *arguments: object, shape: tuple[int, ...]) -> None:
    """A function that gives, for these arguments, an array of this shape; a number has the shape ().

    Raises:
        ValueError: not written yet, not a function, or `array` says what is wrong with its result.
    """
    if not isinstance(answer, Callable):
        raise ValueError(f"a function is wanted, not {answer!r}")
    result = answer(*arguments)
    if result is None or result is ...:
        raise ValueError(f"{answer.__name__} returns nothing yet")
    array(np.asarray(result) if isinstance(result, (int, float)) else result, shape)


def text(answer: object, n_words: tuple[int, int]) -> None:
    """Free text of so many words.

    Raises:
        ValueError: not answered, not a string, too short or too long.
    """
    _given(answer)
    if not isinstance(answer, str):
        raise ValueError(f"write text between quotes, not {answer!r}")
    n = len(answer.split())
    if not n_words[0] <= n <= n_words[1]:
        raise ValueError(f"{n_words[0]} to {n_words[1]} words are wanted, there are {n}")


def whose(typed: object) -> str:
    """Who does an assignment in which every student gets something else: an id in small letters.

    Where the computer knows it, what was typed does not count: when it is graded, that is the name under
    which it was handed in, and on a JupyterHub the login.

    Raises:
        ValueError: nobody knows; the message says what to type.
    """
    known = os.environ.get(HANDED_IN_BY) or os.environ.get(LOGIN)
    if known is None and (not isinstance(typed, str) or not typed.strip()):
        raise ValueError(
            'type your id above, the one under which you hand in, such as "s1234567", and run again'
        )
    return unicodedata.normalize("NFC", known or typed).strip().lower()  # a Mac's folders are in NFD


def _given(answer: object) -> None:
    if answer is None or answer is ...:
        raise ValueError("not answered yet")
