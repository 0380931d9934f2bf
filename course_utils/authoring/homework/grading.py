"""Grade all that was handed in: in several processes, and again from where an ended one stopped.

Each submission has a file `grading/ASSIGNMENT/STUDENT` in the course folder. A process locks it while it
grades, and writes into it, when all is saved, what it has graded: a digest of submission and tests. So
several processes share the work, a killed one loses nothing but the submission it was at, and a submission or
a test that has changed is graded again. Unix only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import nbformat

from course_utils.authoring.homework.course import HomeworkError, nbgrader, students

PROBLEM = "could not be graded: "
TRIES = 5  # for a gradebook that another process is writing


@dataclass(frozen=True)
class Graded:
    """A submission that was tried: its seconds, and what is wrong with it ("" where it has its points)."""

    student: str
    seconds: float
    problem: str


def tidy(folder: Path, assignments: list[str]) -> list[str]:
    """Put notebooks that came by e-mail where nbgrader looks for them; what was done, what lies astray."""
    submitted, told = folder / "submitted", []
    for name in assignments:
        for path in submitted.glob(f"*/{name}*.ipynb"):  # beside the folder
            (path.parent / name).mkdir(exist_ok=True)
            if not (path.parent / name / path.name).exists():
                path.rename(path.parent / name / path.name)
        for student in students(folder, name):
            wanted = submitted / student / name / f"{name}.ipynb"
            others = sorted(path.name for path in wanted.parent.glob("*.ipynb") if path != wanted)
            if len(others) == 1 and not wanted.exists():
                (wanted.parent / others[0]).rename(wanted)
                told.append(f"{name}: {student}: {others[0]!r} is graded as {wanted.name}")
            elif others:
                told.append(f"{name}: {student}: only {wanted.name} is graded, not {', '.join(others)}")
    astray = sorted(path.name for path in submitted.glob("*.ipynb"))
    return told + [f"submitted/{name}: whose is it? Put it into a folder for each student" for name in astray]


def ungraded(folder: Path, assignment: str) -> list[str]:
    """Whose submission, as it is now, has no points yet."""
    return [name for name in students(folder, assignment) if not _is_graded(folder, assignment, name)]


def grade_all(folder: Path, assignment: str) -> Iterator[Graded]:
    """Grade each submission that has no points yet and that no other process is at.

    Raises:
        HomeworkError: there is no such assignment in the course folder.
    """
    if not (folder / "source" / assignment / f"{assignment}.ipynb").exists():
        raise HomeworkError(f"no assignment {assignment} in {folder}: make it first")
    for student in students(folder, assignment):
        with _claimed(folder, assignment, student) as file:
            if file is None or file.read() == (digest := _digest(folder, assignment, student)):
                continue
            start = time.monotonic()
            problem = _grade(folder, assignment, student)
            file.seek(0)
            file.truncate()
            file.write(PROBLEM + problem if problem else digest)
            file.flush()  # others count what is left
            yield Graded(student, time.monotonic() - start, problem)


def reason(folder: Path, assignment: str, student: str) -> str:
    """Why a submission has no points yet, after all graders have ended."""
    mark = folder / "grading" / assignment / student
    said = mark.read_text("utf-8") if mark.is_file() else ""
    return said.removeprefix(PROBLEM) if said.startswith(PROBLEM) else "its grader was ended; start again"


def _grade(folder: Path, assignment: str, student: str) -> str:
    """What kept nbgrader from grading a submission; "" where nothing did."""
    path = folder / "submitted" / student / assignment / f"{assignment}.ipynb"
    if not path.is_file():
        return f"there is no {assignment}.ipynb in the folder"
    with contextlib.suppress(ValueError, AttributeError):  # nbgrader says better what is wrong with the file
        cells = nbformat.read(folder / "source" / assignment / path.name, as_version=4).cells
        asked = {cell.metadata.nbgrader.grade_id for cell in cells if cell.metadata.nbgrader.solution}
        found = nbformat.read(path, as_version=4).cells
        there = asked & {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in found}
        if 4 * len(there) < len(asked):  # assignments may have a name of a question in common
            return f"it has {len(there)} of {len(asked)} questions; is it another assignment's notebook?"
    for number in range(TRIES):
        with nbgrader(folder) as api:
            result = api.autograde(assignment, student, force=True)
        if result["success"]:
            return ""
        if "KeyboardInterrupt" in result.get("error", ""):  # nbgrader takes it for one more failure
            raise KeyboardInterrupt
        said = result.get("log") or result.get("error") or "nbgrader gives no reason"
        if "database is locked" not in said:
            break
        time.sleep(1 + number)
    errors = re.findall(r"^\s*(?:\w+\.)*(\w*(?:Error|Exception)\b.*)$", said, re.MULTILINE)
    return (errors[-1] if errors else said.strip().splitlines()[-1])[:300]


def _is_graded(folder: Path, assignment: str, student: str) -> bool:
    mark = folder / "grading" / assignment / student
    return mark.is_file() and mark.read_text("utf-8") == _digest(folder, assignment, student)


def _digest(folder: Path, assignment: str, student: str) -> str:
    parts = [folder / "source" / assignment, folder / "submitted" / student / assignment]
    texts = [(part / f"{assignment}.ipynb") for part in parts]
    return hashlib.sha256(b"".join(t.read_bytes() if t.is_file() else b"-" for t in texts)).hexdigest()


@contextmanager
def _claimed(folder: Path, assignment: str, student: str) -> Iterator[TextIO | None]:
    """The submission's file, locked; None where another process holds it. A lock ends with its process."""
    path = folder / "grading" / assignment / student
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        file.seek(0)
        yield file
