"""nbgrader's course folder: what students get, submissions to try the grading with, and what they scored.

Needs the group `teach` of pyproject.toml.
"""

from __future__ import annotations

import copy
import logging
import os
import re
import shutil
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from course_utils.authoring.homework.assignment import Assignment, read_assignment, seed_of, sources

CONFIG = '''"""nbgrader's settings for the course's homework."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "xai"
c.ClearSolutions.code_stub = {"python": "..."}
c.ClearSolutions.text_stub = "*Your text here.*"
c.Autograde.autograde_preprocessors = [
    "course_utils.authoring.homework.preprocessor.RunApart",  # in the place of "Execute"
    "nbgrader.preprocessors.IgnorePattern",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "course_utils.authoring.homework.preprocessor.HideTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
'''


class HomeworkError(Exception):
    """nbgrader could not do its work, or a submission did not score what it deserves."""


@dataclass(frozen=True)
class Submission:
    """A student's notebook, and what it deserves: points and diagnosis by question."""

    student: str
    notebook: NotebookNode
    points: dict[str, float]
    diagnoses: dict[str, str]


def make_course(folder: Path, seed: int | None = None, names: list[str] | None = None) -> list[Assignment]:
    """Write the teacher's notebooks to `folder/source` and the students' to `folder/release`.

    Without a seed the folder keeps the one that it has.

    Raises:
        AssignmentError: a source breaks a rule.
        HomeworkError: nbgrader could not make a release, or somebody has handed in for another seed.
    """
    wanted = [path for path in sources() if not names or path.stem in names]
    assignments = [read_assignment(path, _seed(folder, path.stem, seed)) for path in wanted]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nbgrader_config.py").write_text(CONFIG, "utf-8")
    for assignment in assignments:
        for part in ("source", "release"):
            shutil.rmtree(folder / part / assignment.name, ignore_errors=True)
        _write(assignment.notebook, folder / "source" / assignment.name / f"{assignment.name}.ipynb")
        with nbgrader(folder) as api:
            _done(api.generate_assignment(assignment.name, force=True))
    return assignments


def _seed(folder: Path, assignment: str, seed: int | None) -> int | None:
    """The seed to make it with; None for the source's own."""
    made = folder / "source" / assignment / f"{assignment}.ipynb"
    if not made.exists():
        return seed
    before = seed_of(nbformat.read(made, as_version=4))
    if seed not in (None, before) and (handed_in := students(folder, assignment)):
        raise HomeworkError(
            f"{assignment} went out with seed {before}, and {len(handed_in)} students have handed in:"
            f" keep that seed, or for a new class move {folder} away first"
        )
    return before if seed is None else seed


def students(folder: Path, assignment: str) -> list[str]:
    """Who has handed in something, in order."""
    return sorted(path.parent.name for path in (folder / "submitted").glob(f"*/{assignment}"))


def submissions(assignment: Assignment) -> Iterator[Submission]:
    """An empty one, a right one, and as many wrong ones as a question has typical mistakes."""
    asked = {question.name: question.points for question in assignment.questions if not question.by_hand}
    right = copy.deepcopy(assignment.notebook)
    empty = copy.deepcopy(assignment.notebook)
    for notebook, keep in ((right, True), (empty, False)):
        for cell in notebook.cells:
            if cell.metadata.nbgrader.grade_id in asked:
                cell.source = _answer(cell.source, keep)
    yield Submission("empty", empty, dict.fromkeys(asked, 0.0), {})
    yield Submission("right", right, dict(asked), {})
    of = {name: [m for m in assignment.mistakes if m.question == name] for name in asked}
    for turn in range(max(map(len, of.values()), default=0)):
        notebook, points, diagnoses = copy.deepcopy(right), dict(asked), {}
        for cell in notebook.cells:
            name = cell.metadata.nbgrader.grade_id
            if turn < len(of.get(name, [])):
                mistake = of[name][turn]
                cell.source, points[name], diagnoses[name] = mistake.code, mistake.points, mistake.diagnosis
        yield Submission(f"mistaken{turn + 1}", notebook, points, diagnoses)


def _answer(source: str, keep: bool) -> str:
    """An answer cell with its solution, or with what students find."""
    if keep:
        return "\n".join(line for line in source.splitlines() if not re.match(r"\s*### (BEGIN|END)", line))
    return re.sub(r"( *)### BEGIN SOLUTION.*?### END SOLUTION", r"\1...", source, flags=re.DOTALL)


def grade(folder: Path, assignment: str, submission: Submission) -> dict[str, tuple[float, str]]:
    """Hand in and grade one submission: points and diagnosis ("" for none) by question.

    Raises:
        HomeworkError: nbgrader could not grade it.
    """
    student = submission.student
    _write(submission.notebook, folder / "submitted" / student / assignment / f"{assignment}.ipynb")
    with nbgrader(folder) as api:
        _done(api.autograde(assignment, student, force=True))
    return scores(folder, assignment, student)


def scores(folder: Path, assignment: str, student: str) -> dict[str, tuple[float, str]]:
    """What a graded submission got, by question: points, and the diagnosis that its test printed."""
    graded = nbformat.read(folder / "autograded" / student / assignment / f"{assignment}.ipynb", as_version=4)
    said = {}
    for cell in graded.cells:
        printed = "".join(output.get("text", "") for output in cell.get("outputs", []))
        found = re.search(r"^mistake: (.+)$", printed, re.MULTILINE)
        said[cell.metadata.nbgrader.grade_id] = found[1] if found else ""
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "xai") as gradebook:
        notebook = gradebook.find_submission(assignment, student).notebooks[0]
        return {
            grade.name.removeprefix("test_"): (float(grade.auto_score or 0), said.get(grade.name, ""))
            for grade in notebook.grades
            if grade.name.startswith("test_")
        }


def complaints(submission: Submission, got: dict[str, tuple[float, str]]) -> list[str]:
    """Where a submission did not get what it deserves."""
    result = []
    for name, points in submission.points.items():
        score, diagnosis = got.get(name, (float("nan"), ""))
        if abs(score - points) > 1e-6 or score != score:
            result.append(f"{submission.student}: {name}: {score:g} points, deserves {points:g}")
        if diagnosis != (wanted := submission.diagnoses.get(name, "")) and submission.student != "empty":
            result.append(f"{submission.student}: {name}: called {diagnosis!r}, is {wanted!r}")
    return result


@contextmanager
def nbgrader(folder: Path) -> Iterator[NbGraderAPI]:
    """nbgrader's commands on a course folder."""
    config = Config()
    exec(compile(CONFIG, "nbgrader_config.py", "exec"), {"get_config": lambda: config})
    config.CourseDirectory.root = str(folder)
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    path = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), path])  # nbgrader calls alembic
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SQLAlchemy's, of how nbgrader uses it
            yield NbGraderAPI(config=config)
    finally:
        os.environ["PATH"] = path


def _write(notebook: NotebookNode, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def _done(result: dict) -> None:
    if not result["success"]:
        raise HomeworkError("\n".join(result[part] for part in ("log", "error") if result.get(part)))
