"""A homework's source (py:percent) as the notebook that nbgrader calls its source: answers, tests, points.

    # %% question="brightest" points=2 minutes=4 trains="06 §3"
    # BEGIN SOLUTION
    brightest = int(maps.argmax())
    # END SOLUTION

    # %% test="brightest"
    answers.number(brightest, 0, 27)
    # BEGIN HIDDEN TESTS
    …
    # END HIDDEN TESTS

The answer is a variable or a function that is named as the question. Its test ends in the points, or in an
error for none, and prints `mistake: …` for a typical one. Free text that a person grades is a Markdown cell
`# %% [markdown] manual="essay" points=5 minutes=10`. A cell `# %% mistake="counted from one" of="brightest"
points=1` is a wrong answer of which the test must make so many points and this diagnosis; it is in no
notebook. All other cells are the teacher's: locked. One of them sets `SEED`; everything in the assignment
follows from it.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from course_utils.authoring.lesson import METADATA, NOTEBOOKS

SOURCES = NOTEBOOKS / "homework" / "source"
SEED = re.compile(r"^SEED = (\d+)", re.MULTILINE)
SCHEMA = 3  # of nbgrader's metadata
KINDS = ("question", "test", "manual", "mistake")


class AssignmentError(Exception):
    """A source that breaks a rule; every problem is a line "file:line: what is wrong"."""


@dataclass(frozen=True)
class Question:
    """What a teacher wants to know of a question. `points` is what its test, or a person, can give."""

    name: str
    points: float
    minutes: float
    trains: str
    by_hand: bool


@dataclass(frozen=True)
class Mistake:
    """A wrong answer to a question, what the test should call it, and the points that it deserves."""

    diagnosis: str
    question: str
    points: float
    code: str


@dataclass(frozen=True)
class Assignment:
    """The teacher's notebook, with answers and hidden tests; its questions; wrong answers to try."""

    name: str
    notebook: NotebookNode
    questions: list[Question]
    mistakes: list[Mistake]

    @property
    def seed(self) -> int:
        """The number from which everything in it follows."""
        return seed_of(self.notebook)


def sources(folder: Path = SOURCES) -> list[Path]:
    """The sources of all assignments."""
    return sorted(folder.glob("*.py"))


def read_assignment(path: Path, seed: int | None = None) -> Assignment:
    """Parse a source and hold it against the rules.

    Args:
        path: of the source.
        seed: another year's; None keeps the source's own.

    Raises:
        AssignmentError: no SEED, a question without points, minutes, test or solution, a test without a
            question, a name that stands there twice, an answer that is not named as its question, or a
            mistake of no question or with more points than it.
    """
    cells = jupytext.reads(path.read_text("utf-8"), fmt="py:percent").cells
    starts = [n for n, line in enumerate(path.read_text("utf-8").splitlines(), 1) if line.startswith("# %%")]
    problems, questions, mistakes, made = [], [], [], []
    tested = {cell.metadata["test"] for cell in cells if "test" in cell.metadata}
    points_of = {c.metadata["question"]: c.metadata.get("points") for c in cells if "question" in c.metadata}
    if not any(SEED.search(cell.source) for cell in cells if cell.cell_type == "code"):
        problems.append(f"{path}:1: no code cell sets `SEED = …`")
    for number, (cell, line) in enumerate(zip(cells, starts, strict=True)):
        marks = [kind for kind in KINDS if kind in cell.metadata]
        kind = marks[0] if marks else "locked"
        name = cell.metadata.get(kind, f"cell_{number:02d}")
        say = f"{path}:{line}: {kind} {name}: "
        if kind in ("question", "manual"):
            problems += [say + f"needs {key}=" for key in ("points", "minutes") if key not in cell.metadata]
            if any(question.name == name for question in questions):
                problems.append(say + "stands there twice")
            questions.append(
                Question(
                    name,
                    cell.metadata.get("points", 0),
                    cell.metadata.get("minutes", 0),
                    cell.metadata.get("trains", ""),
                    kind == "manual",
                )
            )
        if kind == "question":
            if name not in tested:
                problems.append(say + f'has no cell test="{name}"')
            if "# BEGIN SOLUTION" not in cell.source or name not in _defined(cell.source):
                problems.append(say + f"needs a solution between the markers that sets {name}")
        if kind == "test":
            if name not in points_of:
                problems.append(say + "no question has this name")
            if "# BEGIN HIDDEN TESTS" not in cell.source:
                problems.append(say + "has no hidden tests")
        if kind == "mistake":
            of, points = cell.metadata.get("of"), cell.metadata.get("points", 0)
            if of not in points_of or not 0 <= points < points_of[of]:
                problems.append(say + "needs of= a question, and points= below that question's")
            mistakes.append(Mistake(name, of, points, cell.source))
            continue
        made.append(_nbgrader_cell(cell, kind, name, points_of.get(name)))
    if problems:
        raise AssignmentError("\n".join(problems))
    if seed is not None:
        for cell in made:
            if cell.cell_type == "code":
                cell.source = SEED.sub(f"SEED = {seed}", cell.source)
    notebook = nbformat.v4.new_notebook(cells=made, metadata=METADATA, nbformat_minor=5)
    return Assignment(path.stem, notebook, questions, mistakes)


def seed_of(notebook: NotebookNode) -> int:
    """The seed that a teacher's notebook sets."""
    return next(int(found[1]) for cell in notebook.cells if (found := SEED.search(cell.source)))


def _nbgrader_cell(cell: NotebookNode, kind: str, name: str, points: float | None) -> NotebookNode:
    """The cell with nbgrader's metadata, and nothing else in its metadata."""
    grade_id = {"test": f"test_{name}"}.get(kind, name)
    nbgrader = {
        "grade": kind in ("test", "manual"),
        "solution": kind in ("question", "manual"),
        "locked": kind in ("test", "locked"),
        "task": False,
        "grade_id": grade_id,
        "schema_version": SCHEMA,
    }
    if nbgrader["grade"]:
        nbgrader["points"] = cell.metadata.get("points", points)
    source = cell.source
    if kind == "question":
        source = _with_stub(source, name)
    source = re.sub(r"# (BEGIN|END) (SOLUTION|HIDDEN TESTS)", r"### \1 \2", source)
    new = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
    return new(source, metadata={"nbgrader": nbgrader}, id=grade_id.replace("_", "-"))


def _with_stub(source: str, name: str) -> str:
    """The cell begins with what students find: a variable that is None; a function keeps its `def` line."""
    if re.search(rf"^def {name}\(", source, re.MULTILINE):
        return source
    return f"{name} = None  # your answer\n{source}"


def _defined(source: str) -> set[str]:
    """The names that a cell sets or defines at its top level."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        for part in ast.walk(node) if isinstance(node, (ast.Assign, ast.For, ast.With)) else ():
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                names.add(part.id)
    return names
