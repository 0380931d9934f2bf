"""What a graded class scored: a table as CSV, and each student's feedback without the hidden tests.

Needs the group `teach` of pyproject.toml.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, MissingEntry

from course_utils.authoring.homework.course import HomeworkError, nbgrader, students

UNANSWERED = ("not answered yet", "returns nothing yet")  # how answers.py ends its sentence


@dataclass(frozen=True)
class Mark:
    """A question's points, of how many; the answer in short; what its test said of it, "" for nothing."""

    points: float
    of: float
    answer: str = ""
    said: str = ""
    to_grade: bool = False

    @property
    def answered(self) -> bool:
        return not self.said.endswith(UNANSWERED)


@dataclass(frozen=True)
class Marks:
    """A student's marks by question, in the assignment's order; none where nothing is graded."""

    student: str
    last_name: str
    first_name: str
    email: str
    penalty: float
    questions: dict[str, Mark]

    @property
    def points(self) -> float:
        return max(0.0, sum(mark.points for mark in self.questions.values()) - self.penalty)


def read_marks(folder: Path, assignment: str) -> list[Marks]:
    """The marks of all students in the gradebook or in the folder `submitted`, by their ids.

    Raises:
        HomeworkError: the course folder has no gradebook, or the gradebook no such assignment.
    """
    if not (folder / "gradebook.db").exists():
        raise HomeworkError(f"{folder} has no gradebook: make and grade the homework first")
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "xai") as gradebook:
        try:
            gradebook.find_assignment(assignment)
        except MissingEntry:
            raise HomeworkError(f"the gradebook has no assignment {assignment}: make it first") from None
        found = [_marks(folder, gradebook, assignment, student) for student in gradebook.students]
    known = {one.student for one in found}  # without those whose first submission could not be graded
    found += [Marks(s, "", "", "", 0.0, {}) for s in students(folder, assignment) if s not in known]
    return sorted(found, key=lambda marks: marks.student)


def _marks(folder: Path, gradebook: Gradebook, assignment: str, student) -> Marks:
    who = (student.id, student.last_name or "", student.first_name or "", student.email or "")
    path = folder / "autograded" / student.id / assignment / f"{assignment}.ipynb"
    try:
        submission = gradebook.find_submission(assignment, student.id)
        cells = nbformat.read(path, as_version=4).cells
    except (MissingEntry, OSError, nbformat.reader.NotJSONError):
        return Marks(*who, 0.0, {})
    grades = {grade.name: grade for notebook in submission.notebooks for grade in notebook.grades}
    comments = {comment.name: comment.auto_comment for n in submission.notebooks for comment in n.comments}
    questions, answers = {}, {}
    for cell in cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        answers[name] = str(cell.metadata.get("answer", ""))
        if name in grades:
            grade, question = grades[name], name.removeprefix("test_")
            questions[question] = Mark(
                float(grade.score or 0),
                float(grade.max_score),
                answers.get(question, ""),
                UNANSWERED[0] if comments.get(name) else _said(cell.get("outputs", [])),
                bool(grade.needs_manual_grade),
            )
    return Marks(*who, float(submission.late_submission_penalty or 0), questions)


def _said(outputs: list) -> str:
    """The named mistake, or the error in one line."""
    printed = "".join(output.get("text", "") for output in outputs)
    if found := re.search(r"^mistake: (.+)$", printed, re.MULTILINE):
        return found[1]
    errors = [output.evalue for output in outputs if output.output_type == "error"]
    return errors[0].strip().split("\n")[0][:100] if errors else ""


def write_csv(path: Path, marks: list[Marks]) -> None:
    """One line a student: points, texts that wait for a grader, and the points of each question."""
    names = list(dict.fromkeys(name for one in marks for name in one.questions))
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8-sig") as file:  # spreadsheets look for the signature
        table = csv.writer(file)
        heads = ["student", "last_name", "first_name", "email", "points", "of", "late_penalty", "to_grade"]
        table.writerow([*heads, *names])
        for one in marks:
            values = one.questions.values()
            total = [one.points, sum(mark.of for mark in values), one.penalty] if values else ["", "", ""]
            waiting = sum(mark.to_grade for mark in values) if values else ""
            points = [one.questions[name].points if values else "" for name in names]
            row = [one.student, one.last_name, one.first_name, one.email, *total, waiting, *points]
            table.writerow([_text(cell) for cell in row])


def _text(cell: object) -> object:
    """Whole numbers without a point; no text that a spreadsheet would take for a formula."""
    if isinstance(cell, float):
        return f"{cell:g}"
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell


def write_feedback(folder: Path, assignment: str) -> list[Path]:
    """Each graded student's notebook as a page: points, named mistakes, comments, and no hidden test.

    Raises:
        HomeworkError: nbgrader could not write it.
    """
    with nbgrader(folder) as api:
        result = api.generate_feedback(assignment, force=True)
    if not result["success"]:
        raise HomeworkError(result.get("log") or result["error"])
    return sorted((folder / "feedback").glob(f"*/{assignment}/{assignment}.html"))
