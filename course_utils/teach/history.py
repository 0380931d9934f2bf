"""Whether a check looks at what the learner wrote last, or at an older version that the kernel still has."""

import ast
import linecache
import re
from typing import Any


def is_old(exercise: str, answer: Any, inputs: list[str] | None = None) -> bool:
    """Whether the newest cell that defines the checked name failed, so that the answer is an older one.

    Args:
        exercise: the name in `exercises.<name>.check(…)`, which is what the last of the inputs calls.
        inputs: the cells that were run, oldest first; IPython's own when left out.
    """
    inputs = _inputs() if inputs is None else inputs
    call = re.search(rf"\bexercises\.{exercise}\.check\(\s*(\w+)", inputs[-1]) if inputs else None
    if not call:
        return False
    defines = re.compile(rf"^(?:def\s+{call[1]}\b|{call[1]}\s*=(?!=))", re.MULTILINE)
    newest = next((i for i in reversed(range(len(inputs))) if defines.search(inputs[i])), None)
    if newest is None:
        return False
    if not _is_python(inputs[newest]):
        return True
    code = getattr(answer, "__code__", None)
    text = "".join(linecache.getlines(code.co_filename)).strip() if code else ""
    origin = next((i for i in reversed(range(len(inputs))) if text and inputs[i].strip() == text), None)
    return origin is not None and origin < newest


def _inputs() -> list[str]:
    try:
        from IPython import get_ipython
    except ImportError:
        return []
    shell = get_ipython()
    return list(shell.user_ns.get("In", ())) if shell is not None else []


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True
