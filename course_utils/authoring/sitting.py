"""How long a sitting a lesson is: minutes, words and open lines, measured by its source, and the limits.

The estimate: 150 words a minute, 0.7 minutes a figure, 1 minute a displayed formula, 8 shown lines of code a
minute, and the exercises' own minutes. Folded cells and folded texts are not counted. With these numbers it
lies within 7 minutes of what readers of the thirteen cores needed, 3 on average.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from course_utils.authoring.lesson import Lesson

FOLDED = "hide-input"  # the tag of a cell that only draws or prints
BY_HAND = "by-hand"  # of a cell that builds the lesson's method


@dataclass(frozen=True)
class Sitting:
    """What a learner has to get through in one notebook; folded cells and folded texts are not counted."""

    words: int  # of prose
    formulas: int  # displayed ones
    figures: int
    open_cells: int  # code cells whose source is shown
    open_lines: int  # in them, without blank lines and comments
    longest: int  # lines of the longest open cell
    longest_by_hand: int  # of the longest cell tagged "by-hand": a method that the lesson builds
    exercise_minutes: int

    @property
    def minutes(self) -> int:
        """The estimate of this module's first lines."""
        reading = self.words / 150 + 0.7 * self.figures + self.formulas + self.open_lines / 8
        return round(reading + self.exercise_minutes)


def measure(lesson: Lesson) -> Sitting:
    """Measure a lesson by its source, as the learner's edition shows it."""
    from course_utils.authoring.lesson import stub

    prose = " ".join(cell.text for cell in lesson.cells if cell.kind == "markdown")
    prose = re.sub(r"<details>.*?</details>", " ", prose, flags=re.DOTALL)
    prose = re.sub(r"```.*?```", " ", prose, flags=re.DOTALL)
    formulas = re.findall(r"\$\$.*?\$\$", prose, flags=re.DOTALL)
    prose = re.sub(r"\$\$.*?\$\$", " ", prose, flags=re.DOTALL)
    prose = re.sub(r"\]\([^)]*\)", "]", prose)
    words = [word for word in prose.split() if re.search(r"[^\W_]", word)]
    code = [cell for cell in lesson.cells if cell.kind == "code"]
    shown = [cell for cell in code if FOLDED not in cell.metadata.get("tags", ())]
    lines = [_code_lines(stub(cell.text, "answer") if cell.exercise else cell.text) for cell in shown]
    by_hand = [BY_HAND in cell.metadata.get("tags", ()) for cell in shown]
    return Sitting(
        words=len(words),
        formulas=len(formulas),
        figures=sum(len(re.findall(r"\bpl(?:ots|t)\.show\(", cell.text)) for cell in code),
        open_cells=len(shown),
        open_lines=sum(lines),
        longest=max([n for n, hand in zip(lines, by_hand, strict=True) if not hand], default=0),
        longest_by_hand=max([n for n, hand in zip(lines, by_hand, strict=True) if hand], default=0),
        exercise_minutes=sum(lesson.exercises[cell.exercise].minutes for cell in code if cell.exercise),
    )


def _code_lines(text: str) -> int:
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in text.splitlines())


@dataclass(frozen=True)
class Limits:
    """The most that a notebook may hold; tests fail a quarter above it."""

    minutes: int
    words: int
    open_lines: int | None
    open_cells: int | None
    longest: int
    longest_by_hand: int
    figures: int | None


CORE = Limits(75, 3000, 250, 30, 15, 20, 16)
COMPANION = Limits(75, 3500, None, None, 20, 20, None)
SLACK = 1.25


def over_limits(lesson: Lesson, slack: float = 1.0) -> list[str]:
    """What of a lesson is more than `slack` times its limit, one text each."""
    limits = CORE if lesson.is_core else COMPANION
    sitting = measure(lesson)
    found = []
    for name, limit in vars(limits).items():
        value = getattr(sitting, name)
        if limit is not None and value > slack * limit:
            found.append(f"{name.replace('_', ' ')} {value}, the limit is {limit}")
    return found


def sitting_table(read: list[Lesson]) -> str:
    """The measures of lessons as lines of text."""
    width = max([len("lesson"), *(len(lesson.name) for lesson in read)])
    names = (
        "minutes",
        "words",
        "formulas",
        "figures",
        "open_cells",
        "open_lines",
        "longest",
        "longest_by_hand",
    )
    head = ("minutes", "words", "formulas", "figures", "cells", "lines", "longest", "by hand", "exercises")
    lines = [f"{'lesson':<{width}}  " + "  ".join(head)]
    for lesson in read:
        sitting = measure(lesson)
        values = [f"{getattr(sitting, name):{len(title)}d}" for name, title in zip(names, head, strict=False)]
        lines.append(f"{lesson.name:<{width}}  " + "  ".join([*values, f"{sitting.exercise_minutes:5d} min"]))
    return "\n".join(lines)
