"""Each lesson fits one sitting, and an exercise can be done without running the sections before it."""

import ast
import builtins

import pytest

from course_utils.authoring import lesson as lessons
from course_utils.authoring.sitting import SLACK, over_limits

SOURCES = [path for path in lessons.sources() if lessons.number_of(path)]


def names_in(text: str) -> tuple[set[str], set[str]]:
    """The names that a cell binds at its top level, and those that it uses without binding them before."""
    tree = ast.parse("\n".join("pass" if line.startswith(("%", "!")) else line for line in text.splitlines()))
    bound, used = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return bound, used - bound


def sections(lesson: lessons.Lesson) -> list[list[lessons.Cell]]:
    """The cells between the headings of the second level."""
    parts: list[list[lessons.Cell]] = [[]]
    for cell in lesson.cells:
        if cell.kind == "markdown" and cell.text.startswith("## "):
            parts.append([])
        parts[-1].append(cell)
    return parts


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_it_fits_one_sitting(path):
    assert over_limits(lessons.read_lesson(path), slack=SLACK) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_section_with_an_exercise_needs_only_the_opening_cells(path):
    lesson = lessons.read_lesson(path)
    opening, *rest = sections(lesson)  # the code above the first section: imports, labs
    known = set(dir(builtins)) | {"display", "get_ipython"}
    for cell in opening:
        known |= names_in(cell.text)[0] if cell.kind == "code" else set()
    for cells in rest:
        if not any(cell.exercise for cell in cells):
            continue
        defined = set(known)
        for cell in cells:
            if cell.kind == "code":
                bound, used = names_in(lessons.solved(cell.text) if cell.exercise else cell.text)
                assert used <= defined, f"{path.name}:{cell.line} uses {sorted(used - defined)}"
                defined |= bound
