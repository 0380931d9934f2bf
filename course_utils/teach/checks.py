"""Exercises that answer back: three verdicts, typical mistakes by name, hints one at a time.

An `Exercise` asks for a function and compares it with a reference on random inputs. A `Question` asks for
a value and computes the right one from the learner's own run. Neither compares with a stored constant.
"""

import copy
import html
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.teach import progress
from course_utils.teach.history import is_old

NOT_ATTEMPTED, WRONG, RIGHT = "not attempted", "wrong", "right"

_LOOK = {  # a symbol and a word carry the verdict, the colour only repeats it
    NOT_ATTEMPTED: ("○", "Not attempted yet.", "#767676"),
    WRONG: ("✗", "Wrong, because", "#d55e00"),
    RIGHT: ("✓", "Right.", "#009e73"),
}

_SIDE_EFFECTS = {
    "inputs": "it changes its inputs in place. Work on a copy (`x.clone()` of a tensor, `x.copy()` of "
    "an array), or use operations that return something new (`x + y` instead of `x += y`, "
    "`relu` instead of `relu_`).",
    "gradient": "it leaves a gradient in its inputs (`inputs.grad`), and a second call would add to it. Use "
    "`torch.autograd.grad`, or work on a copy (`inputs.clone().requires_grad_()`).",
    "hooks": "it leaves a hook on the model, which would fire again at every later call. Keep the handle and "
    "call `handle.remove()`, also when an error interrupts you (`try: … finally: …`).",
    "model": "it leaves the model changed (weights, `training` or `requires_grad`). Put it back as it was.",
}


@dataclass(frozen=True)
class Verdict:
    """What a check says. `state` is "not attempted", "wrong" or "right".

    `mistake` is the short name of the typical mistake that was recognised, if one was.
    """

    state: str
    message: str = ""
    mistake: str | None = None

    def __repr__(self) -> str:
        symbol, word, _ = _LOOK[self.state]
        return f"{symbol} {word} {self.message}".rstrip()

    def _repr_html_(self) -> str:
        symbol, word, colour = _LOOK[self.state]
        return _box(f"{symbol} {word}", self.message, colour)


@dataclass(frozen=True)
class Hint:
    """One hint, to be displayed."""

    title: str
    text: str

    def __repr__(self) -> str:
        return f"{self.title}: {self.text}"

    def _repr_html_(self) -> str:
        return _box(f"{self.title}:", self.text, "#0072b2")


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer and what to tell the learner who gives it.

    In an `Exercise`, `function` is the wrong function itself. In a `Question`, it says whether an answer
    shows the mistake, `function(answer, *context) -> bool`; `example(*context)` gives an answer that does.
    `diagnosis` continues the sentence "Wrong, because …".
    """

    function: Callable
    diagnosis: str
    example: Callable | None = None


def wrong_answer(example: Callable, diagnosis: str) -> Mistake:
    """A typical wrong answer to a `Question`, made from the expression that gives it: `example(*context)`."""
    return Mistake(
        lambda answer, *context: _difference(answer, example(*context)) is None, diagnosis, example=example
    )


@dataclass
class _Task:
    """What exercises and questions share: name, rating, hints, typical mistakes."""

    name: str
    difficulty: int = 0  # 1 to 3 stars
    minutes: int = 0
    hints: Sequence[str] = ()
    mistakes: Mapping[str, Mistake] = field(default_factory=dict)
    _hints_shown: int = field(default=0, init=False, repr=False)

    def check(self, answer: Any, *context: Any) -> Verdict:
        """Say whether the learner's answer is not attempted, wrong (and why), or right; note what is solved.

        A function is run beside the reference; a value is compared with what the learner's own run says,
        where `context` is what `expected` needs of that run.
        """
        verdict = self._judge(answer, *context)
        if is_old(self.name, answer):
            old = "(Your last cell with this name failed, so this is about the version before it.)"
            return replace(verdict, message=f"{verdict.message} {old}".strip())
        if verdict.state == RIGHT:
            progress.note(self)
        return verdict

    def _judge(self, answer: Any, *context: Any) -> Verdict:
        raise NotImplementedError

    @property
    def stars(self) -> str:
        """The difficulty as three stars, filled ones first."""
        return "★" * self.difficulty + "☆" * (3 - self.difficulty)

    def hint(self) -> Hint:
        """The next hint; after the last one, the last one again."""
        self._hints_shown = min(self._hints_shown + 1, len(self.hints))
        number = self._hints_shown
        more = "" if number < len(self.hints) else " (That was the last hint. The solution is folded below.)"
        return Hint(f"Hint {number} of {len(self.hints)}", self.hints[number - 1] + more)

    def problems(self) -> list[str]:
        """What an author has left out, one sentence each; empty when all is there."""
        missing = []
        if self.difficulty not in (1, 2, 3):
            missing.append("has no difficulty (1, 2 or 3)")
        if self.minutes < 1:
            missing.append("has no minutes")
        if not self.hints:
            missing.append("has no hints")
        if len(self.mistakes) < 2:
            missing.append(f"has {len(self.mistakes)} typical mistakes, at least two are needed")
        return missing

    def _not_attempted(self, reason: str = "") -> Verdict:
        which = f"the first of {len(self.hints)} hints" if len(self.hints) > 1 else "a hint"
        offer = f"Stuck? `exercises.{self.name}.hint()` gives {which}."
        return Verdict(NOT_ATTEMPTED, f"{reason} {offer}".strip())


@dataclass
class Exercise(_Task):
    """Ask for a function. It is run beside `reference` on the inputs that `cases()` makes.

    Args:
        name: the name under which the lesson's exercise module holds it.
        difficulty: 1, 2 or 3 stars. minutes: how long a learner may take. hints: shown one at a time.
        reference: the right function.
        cases: returns a list of argument tuples, seeded, of varied shapes and values. They are copied before
            every run, so that no run sees what another one did.
        mistakes: at least two wrong functions with their diagnoses.
        given: in a "find the bug" exercise, the faulty function that the learner starts from.
    """

    reference: Callable | None = None
    cases: Callable[[], list[tuple]] | None = None
    given: Callable | None = None

    def _judge(self, answer: Callable | None) -> Verdict:
        """Run the learner's function on every case and say what is wrong with it, if anything."""
        if answer is None or answer is ...:
            return self._not_attempted()
        if not callable(answer):
            reason = f"a function is expected, and you passed {_kind(answer)}. Pass it without parentheses."
            return Verdict(WRONG, reason)
        cases = self.cases()
        answers = [_run(answer, case) for case in cases]
        if any(isinstance(run.error, NotImplementedError) for run in answers):
            return self._not_attempted()
        if all(run.error is None and (run.value is None or run.value is ...) for run in answers):
            return self._not_attempted(
                "Your function returns `None` so far (if you wrote something, is a `return` missing?)."
            )

        expected = [_run(self.reference, case) for case in cases]
        for run in expected:
            if run.error is not None:
                raise RuntimeError(f"the reference of exercise {self.name!r} fails") from run.error
        if _same_runs(answers, expected):
            return Verdict(RIGHT)
        if self.given is not None and _same_runs(answers, [_run(self.given, case) for case in cases]):
            return self._not_attempted("This still behaves as the code that you were given.")
        for name, mistake in self.mistakes.items():
            if _same_runs(answers, [_run(mistake.function, case) for case in cases]):
                return Verdict(WRONG, mistake.diagnosis, name)
        for case, run, right in zip(cases, answers, expected, strict=True):
            reason = _what_is_wrong(case, run, right)
            if reason:
                return Verdict(WRONG, reason)
        raise AssertionError("unreachable: runs that are not the same differ somewhere")

    def problems(self) -> list[str]:
        """What an author has left out, one sentence each; empty when all is there."""
        missing = super().problems()
        if self.reference is None:
            missing.append("has no reference")
        if self.cases is None:
            missing.append("has no cases")
        return missing


@dataclass
class Question(_Task):
    """Ask for a value (predict, observe). The right one is computed from the learner's own run.

    Args:
        expected: `expected(*context)` is the right answer; `context` is what the lesson passes to `check`.
        examples: returns a list of contexts on which the tests try the question.
        tolerance: how far a number may be off.
        within: the smallest and the largest number that makes sense; one outside is wrong, however close.
        mistakes: at least two typical wrong answers, each with an `example`.
    """

    expected: Callable | None = None
    examples: Callable[[], list[tuple]] | None = None
    tolerance: float = 0.0
    within: tuple[float, float] | None = None

    def _judge(self, answer: Any, *context: Any) -> Verdict:
        """Compare the learner's answer with what the learner's own run says."""
        if answer is None or answer is ...:
            return self._not_attempted()
        try:
            expected = self.expected(*context)
        except Exception as error:
            what = f"{type(error).__name__}: {error}".rstrip(".: ")
            return self._not_attempted(
                f"This check cannot use what it takes from your run ({what}). "
                "Run the cells above it once more, in order."
            )
        number = isinstance(expected, (int, float, np.number)) and not isinstance(expected, bool)
        if number and isinstance(answer, (bool, np.bool_)):
            return Verdict(WRONG, f"a number is expected, and your answer is `{answer}`.")
        difference = _difference(answer, expected, self.tolerance)
        if difference is None and (self.within is None or _lies_within(answer, self.within)):
            return Verdict(RIGHT)
        for name, mistake in self.mistakes.items():
            if _shows(mistake, answer, context):
                return Verdict(WRONG, mistake.diagnosis, name)
        if isinstance(expected, str) != isinstance(answer, str):
            return Verdict(WRONG, f"{_kind(expected)} is expected, and your answer is {_kind(answer)}.")
        if number:
            given = _numbers(answer)
            if given is None or given.shape != ():
                return Verdict(WRONG, f"one number is expected, and your answer is {_kind(answer)}.")
            if np.isnan(given):
                return Verdict(WRONG, "your answer is NaN (not a number): write a number.")
        return Verdict(WRONG, "not this one. Think it through once more, or look at the output again.")

    def problems(self) -> list[str]:
        """What an author has left out, one sentence each; empty when all is there."""
        missing = super().problems()
        if self.expected is None:
            missing.append("has no expected answer")
        if self.examples is None:
            missing.append("has no examples")
        missing += [
            f"has a mistake {name!r} without an example" for name, m in self.mistakes.items() if not m.example
        ]
        return missing


def exercises_in(module: Any) -> dict[str, Exercise | Question]:
    """All exercises and questions of a module, by the name they have there."""
    return {name: value for name, value in vars(module).items() if isinstance(value, (Exercise, Question))}


# --- running an answer ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Run:
    """What one call did: a value or an error, and the side effects it left on its arguments."""

    value: Any = None
    error: Exception | None = None
    where: str = ""
    side_effects: frozenset[str] = frozenset()


def _run(function: Callable, case: tuple) -> _Run:
    """Call the function on a copy of the case; random numbers and torch's number format are put back."""
    arguments = copy.deepcopy(case)
    number_format, numpy_state = torch.get_default_dtype(), np.random.get_state()  # noqa: NPY002
    value, error, where = None, None, ""
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(271828)  # unusual: randn() must not pass for a generator of seed 0
        try:
            value = function(*arguments)
        except Exception as raised:
            error, where = raised, _where(raised, function)
        finally:
            torch.set_default_dtype(number_format)
            np.random.set_state(numpy_state)  # noqa: NPY002
    return _Run(value, error, where, frozenset(_side_effects(case, arguments)))


def _where(error: Exception, function: Callable) -> str:
    """The learner's line that raised, as " (line 3: `code`)"; empty when its text cannot be found."""
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" (line {frames[-1].lineno}: `{frames[-1].line}`)" if frames and frames[-1].line else ""


def _side_effects(before: Any, after: Any) -> set[str]:
    """Which of `_SIDE_EFFECTS` a call left behind, comparing its arguments with a copy made before."""
    if isinstance(before, nn.Module):
        return _module_side_effects(before, after)
    if isinstance(before, torch.Tensor):
        if after.is_leaf and after.grad is not None and before.grad is None:
            return {"gradient"}
        equal = before.shape == after.shape and torch.equal(
            torch.nan_to_num(before.detach()), torch.nan_to_num(after.detach())
        )
        return set() if equal else {"inputs"}
    if isinstance(before, np.ndarray):
        return set() if np.array_equal(before, after, equal_nan=before.dtype.kind in "fc") else {"inputs"}
    if isinstance(before, (list, tuple)):
        pairs = list(zip(before, after, strict=False))
        found = set().union(*(_side_effects(*pair) for pair in pairs))
        return found if len(before) == len(after) else found | {"inputs"}
    if isinstance(before, dict):
        if before.keys() != after.keys():
            return {"inputs"}
        return set().union(*(_side_effects(before[key], after[key]) for key in before))
    return set()


def _module_side_effects(before: nn.Module, after: nn.Module) -> set[str]:
    def hooks(module: nn.Module) -> list[int]:
        kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        return [len(getattr(part, kind)) for part in module.modules() for kind in kinds]

    def settings(module: nn.Module) -> tuple:
        flags = [part.training for part in module.modules()]
        return flags, [parameter.requires_grad for parameter in module.parameters()]

    found = set()
    if hooks(before) != hooks(after):
        found.add("hooks")
    if settings(before) != settings(after) or _side_effects(
        dict(before.state_dict()), dict(after.state_dict())
    ):
        found.add("model")
    return found


def _same_runs(runs: list[_Run], others: list[_Run]) -> bool:
    """Same values (or the same kind of error) and the same side effects on every case."""

    def same(run: _Run, other: _Run) -> bool:
        if run.side_effects != other.side_effects or type(run.error) is not type(other.error):
            return False
        return run.error is not None or _difference(run.value, other.value) is None

    return all(same(run, other) for run, other in zip(runs, others, strict=True))


def _what_is_wrong(case: tuple, run: _Run, right: _Run) -> str | None:
    """Why this run is not the right one, or None if it is."""
    if run.error is not None:
        return f"your code raised {type(run.error).__name__}: {run.error}{run.where}"
    for effect, reason in _SIDE_EFFECTS.items():
        if effect in run.side_effects - right.side_effects:
            return reason
    difference = _difference(run.value, right.value)
    if difference is None:
        return None
    shapes = [str(tuple(a.shape)) for a in case if isinstance(a, (torch.Tensor, np.ndarray))]
    return difference + (f" (Tried with inputs of shape {', '.join(shapes)}.)" if shapes else "")


# --- comparing --------------------------------------------------------------------------------------------


def _difference(answer: Any, expected: Any, tolerance: float = 0.0) -> str | None:
    """How an answer differs from the expected one, as a sentence; None if it is the same.

    Tensors, arrays and numbers may stand for each other, and dtypes are not compared. Values may differ by
    1e-4 of themselves plus 1e-5 of the largest expected one: float32 rounding in another order of summation.
    """
    if isinstance(expected, str):
        if not isinstance(answer, str):
            return f"it gives {_kind(answer)} instead of {_kind(expected)}."
        same = answer.strip().casefold() == expected.strip().casefold()
        return None if same else "it gives another text than expected."
    if isinstance(expected, dict):
        if not isinstance(answer, dict):
            return f"it gives {_kind(answer)} instead of {_kind(expected)}."
        if answer.keys() != expected.keys():
            return f"its keys are {list(answer)} instead of {list(expected)}."
        return _first(_difference(answer[key], expected[key], tolerance) for key in expected)
    if isinstance(expected, (tuple, list)):
        if isinstance(answer, str) or not hasattr(answer, "__len__") or getattr(answer, "ndim", 1) == 0:
            return f"it gives {_kind(answer)} instead of {len(expected)} values."
        if len(answer) != len(expected):
            return f"it gives {len(answer)} values instead of {len(expected)}."
        return _first(_difference(a, e, tolerance) for a, e in zip(answer, expected, strict=True))
    given, wanted = _numbers(answer), _numbers(expected)
    if wanted is None:
        return None if _equal(answer, expected) else "it gives another value than expected."
    if given is None:
        return f"it gives {_kind(answer)} instead of {_kind(expected)}."
    if given.shape != wanted.shape:
        return f"its shape is {given.shape} and should be {wanted.shape}."
    return _number_difference(given, wanted, tolerance)


def _number_difference(given: np.ndarray, wanted: np.ndarray, tolerance: float) -> str | None:
    if np.isnan(given).any() and not np.isnan(wanted).any():
        return "it gives NaN (not a number). Is something divided by zero?"
    if (np.isnan(wanted) & ~np.isnan(given)).any():
        return "it gives a number where the right value is NaN (not a number)."
    finite = np.abs(wanted[np.isfinite(wanted)])
    scale = finite.max() if finite.size else 0.0
    absolute = max(1e-5 * scale, 1e-8, tolerance)
    if np.allclose(given, wanted, rtol=1e-4, atol=absolute, equal_nan=True):
        return None
    with np.errstate(invalid="ignore"):
        largest = np.nanmax(np.abs(given - wanted))
    return f"its values are off by up to {largest:.2g}, where the right ones reach {scale:.2g}."


def _lies_within(answer: Any, limits: tuple[float, float]) -> bool:
    """Whether an answer is a number between the limits."""
    given = _numbers(answer)
    return given is not None and bool(((limits[0] <= given) & (given <= limits[1])).all())


def _numbers(value: Any) -> np.ndarray | None:
    """Tensor, array, number or nested list of them as a float array (None if it is none of these).

    Complex, masked, sparse and quantised values are none: a part of them would be lost.
    """
    if _special(value):
        return None
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        if value.dtype == torch.bfloat16:
            value = value.float()
    elif not isinstance(value, (np.ndarray, np.generic, bool, int, float, list, tuple)):
        return None
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _special(value: Any) -> str:
    """What is unusual in an array or tensor, such as "sparse"; empty for an ordinary one."""
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.is_quantized:
            return "quantised" if value.is_quantized else "sparse"
        return "complex" if value.is_complex() else ""
    if isinstance(value, np.ma.MaskedArray):
        return "masked"
    return "complex" if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind == "c" else ""


def _shows(mistake: Mistake, answer: Any, context: tuple) -> bool:
    """Whether an answer to a question shows this mistake; an answer of another type does not."""
    try:
        return bool(mistake.function(answer, *context))
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, RuntimeError):
        return False


def _equal(answer: Any, expected: Any) -> bool:
    try:
        return bool(answer == expected)
    except (TypeError, ValueError, RuntimeError):  # such as an array's truth value
        return False


def _kind(value: Any) -> str:
    """A value's type for a sentence: "a tensor", "a tuple", "an int", "text"."""
    names = {
        torch.Tensor: "a tensor",
        np.ndarray: "an array",
        str: "text",
        type(None): "`None`",
        int: "an int",
    }
    word = next((word for kind, word in names.items() if type(value) is kind), f"a {type(value).__name__}")
    if isinstance(value, (torch.Tensor, np.ndarray)) and (special := _special(value)):
        return f"a {special} {'tensor' if isinstance(value, torch.Tensor) else 'array'}"
    return word


def _first(reasons) -> str | None:
    return next((reason for reason in reasons if reason is not None), None)


# --- showing ----------------------------------------------------------------------------------------------


def _box(title: str, text: str, colour: str) -> str:
    """A line with a coloured edge; no background, so that it reads on a light and on a dark page."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
    return (
        f'<div role="status" style="border-left: 5px solid {colour}; padding: 0.3em 0.8em; margin: 0.3em 0">'
        f"<strong>{html.escape(title, quote=False)}</strong> {text}</div>"
    )
