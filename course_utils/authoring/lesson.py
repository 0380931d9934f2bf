"""A lesson's source (py:percent) as a learner's or a solved notebook, not yet executed.

An exercise in a source is a code cell with `exercise="name"` in its `# %%` line and the solution between
`# BEGIN SOLUTION` and `# END SOLUTION`, followed by a cell that calls `exercises.name.check(…)`. The
learner's edition has a stub in place of the solution, and the solution folded below the check. A "find the
bug" exercise adds `# BEGIN STUB`, the faulty lines as comments, `# END STUB`: the learner starts from them.

A cell tagged "hide-input" is folded in JupyterLab and on the site: it draws or prints and teaches nothing.
"""

import ast
import hashlib
import importlib
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from course_utils.authoring.contents import PLACE, lesson_table, links_between, number_of
from course_utils.authoring.sitting import FOLDED, measure
from course_utils.teach.checks import Exercise, Question, exercises_in

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"

HEADING = re.compile(r"^(### Exercise: .*?)\s*$", re.MULTILINE)
MINUTES = "<!-- minutes -->"  # in a title cell, for the measured estimate
MARKER = re.compile(r"^\s*# (BEGIN|END) (SOLUTION|STUB)\s*$")
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class LessonError(Exception):
    """A lesson that cannot be built. Every problem is a line "file:line: what is wrong"."""

    def __init__(self, problems: list[str]):
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Cell:
    """One cell of a source: its kind ("code" or "markdown"), text, metadata and line number in the file."""

    kind: str
    text: str
    metadata: dict
    line: int

    @property
    def exercise(self) -> str | None:
        return self.metadata.get("exercise")


@dataclass(frozen=True)
class Lesson:
    """A parsed source and the exercises that its `import … as exercises` names."""

    path: Path
    cells: list[Cell]
    exercises: dict[str, Exercise | Question]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def number(self) -> str:
        """ "04" of a core, "04b" of a companion; empty for the table of lessons."""
        return number_of(self.path)

    @property
    def is_core(self) -> bool:
        return self.number.isdigit()

    @property
    def notebook_path(self) -> Path:
        return self.path.parent.parent / f"{self.name}.ipynb"


def sources(folder: Path = NOTEBOOKS) -> list[Path]:
    """The sources of all lessons, in order, each core (04_…) before its companions (04b_…, 04c_…)."""
    return sorted((folder / "source").glob("[0-9][0-9]*_*.py"))


def read_lesson(path: Path) -> Lesson:
    """Parse a source and hold its exercises against the rules.

    Raises:
        LessonError: a cell that is not Python, unbalanced markers, an exercise without difficulty, stub,
            solution, check, hints or two typical mistakes.
    """
    cells = _read_cells(path)
    problems = [f"{path}:{line}: {problem}" for line, problem in _marker_problems(cells)]
    if problems:
        raise LessonError(problems)
    exercises = _import_exercises(path, cells)
    problems = [f"{path}:{line}: {problem}" for line, problem in _exercise_problems(cells, exercises)]
    if problems:
        raise LessonError(problems)
    return Lesson(path, cells, exercises)


# --- reading ----------------------------------------------------------------------------------------------


def _read_cells(path: Path) -> list[Cell]:
    text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    notebook = jupytext.reads(text, fmt="py:percent")
    starts = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"# ?%%", line)]
    cells = [cell for cell in notebook.cells if cell.source.strip() or cell.cell_type == "code"]
    if len(starts) != len(notebook.cells):
        raise LessonError([f"{path}:1: every cell needs its own `# %%` line, also the first one"])
    line_of = {id(cell): start for cell, start in zip(notebook.cells, starts, strict=True)}
    return [Cell(c.cell_type, c.source.strip("\n"), dict(c.metadata), line_of[id(c)]) for c in cells]


def _marker_problems(cells: list[Cell]) -> list[tuple[int, str]]:
    """Markers that are not in pairs, or that stand outside an exercise cell."""
    problems = []
    for cell in cells:
        opened = None
        for number, text in enumerate(cell.text.splitlines(), cell.line + 1):
            marker = MARKER.match(text)
            if not marker:
                if re.match(r"\s*#+\s*(BEGIN|END)\s+(SOLUTION|STUB)", text):
                    problems.append(
                        (number, f"`{text.strip()}` is not a marker: write it as `# BEGIN SOLUTION`")
                    )
                continue
            begins, kind = marker[1] == "BEGIN", marker[2]
            if cell.exercise is None:
                problems.append((number, f'{kind} marker outside a cell with exercise="…"'))
            if begins and opened:
                problems.append((number, f"BEGIN {kind} before the END {opened} of the block above"))
            if not begins and opened != kind:
                problems.append((number, f"END {kind} without its BEGIN {kind}"))
            opened = kind if begins else None
        if opened:
            problems.append((cell.line, f"BEGIN {opened} without its END {opened}"))
    return problems


def _import_exercises(path: Path, cells: list[Cell]) -> dict[str, Exercise | Question]:
    """Import the module that the lesson imports `as exercises`; empty when it imports none."""
    for cell in cells:
        if cell.kind != "code" or "exercises" not in cell.text:
            continue
        for node in ast.walk(_parse(path, cell)):
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            for alias in node.names:
                if (alias.asname or alias.name) == "exercises":
                    package = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                    return _exercises_of(path, cell, package + alias.name)
    return {}


def _exercises_of(path: Path, cell: Cell, module_name: str) -> dict[str, Exercise | Question]:
    folder = str(path.parent.parent)  # a lesson's kernel runs in the notebooks' folder
    sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise LessonError([f"{path}:{cell.line}: cannot import {module_name}: {error!r}"]) from error
    finally:
        sys.path.remove(folder)
    return exercises_in(module)


def _parse(path: Path, cell: Cell) -> ast.Module:
    code = "\n".join("pass" if re.match(r"[%!]", line) else line for line in cell.text.splitlines())
    try:
        return ast.parse(code)
    except SyntaxError as error:
        line = cell.line + (error.lineno or 1)
        raise LessonError([f"{path}:{line}: not Python: {error.msg}"]) from error


def _exercise_problems(cells: list[Cell], exercises: dict) -> list[tuple[int, str]]:
    problems = []
    names = Counter(cell.exercise for cell in cells if cell.exercise)
    for position, cell in enumerate(cells):
        if not cell.exercise:
            continue
        name = cell.exercise
        say = f'exercise "{name}" '
        if names[name] > 1:
            problems.append((cell.line, say + "appears twice"))
        if "# BEGIN SOLUTION" not in cell.text:
            problems.append((cell.line, say + "has no solution (# BEGIN SOLUTION … # END SOLUTION)"))
        elif not _has_stub(cell, exercises.get(name)):
            problems.append(
                (cell.line, say + "has no stub: keep the `def` line outside the solution's markers")
            )
        if _check_position(cells, position) is None:
            problems.append((cell.line, say + f"has no check: a cell below with exercises.{name}.check(…)"))
        if name not in exercises:
            problems.append((cell.line, say + "is not in the module that the lesson imports as exercises"))
            continue
        if exercises[name].name != name:
            problems.append((cell.line, say + f"calls itself {exercises[name].name!r} in its module"))
        problems += [(cell.line, say + problem) for problem in exercises[name].problems()]
    for cell in cells:
        for name in re.findall(r"\bexercises\.(\w+)\.check\(", cell.text) if cell.kind == "code" else ():
            if name not in names:
                problems.append((cell.line, f'exercises.{name}.check(…), but no cell has exercise="{name}"'))
    return problems


def _has_stub(cell: Cell, task: Exercise | Question | None) -> bool:
    """A function's stub keeps its `def` line; a question's stub sets its name to None."""
    if isinstance(task, Question) or task is None:
        return True
    try:
        return any(isinstance(node, ast.FunctionDef) for node in ast.parse(stub(cell.text, "answer")).body)
    except SyntaxError:
        return False


def checks(lesson: Lesson) -> list[tuple[Cell, Cell]]:
    """The lesson's exercise cells, each with the cell that checks it."""
    cells = lesson.cells
    return [(cell, cells[_check_position(cells, i)]) for i, cell in enumerate(cells) if cell.exercise]


def _check_position(cells: list[Cell], position: int) -> int | None:
    """Where the check of the exercise at `position` stands: before the next exercise."""
    for place in range(position + 1, len(cells)):
        if cells[place].exercise:
            return None
        if (
            cells[place].kind == "code"
            and f"exercises.{cells[position].exercise}.check(" in cells[place].text
        ):
            return place
    return None


# --- editions ---------------------------------------------------------------------------------------------


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """An exercise cell's lines in runs of ("text" | "SOLUTION" | "STUB", lines), markers left out."""
    runs: list[tuple[str, list[str]]] = [("text", [])]
    for line in text.splitlines():
        marker = MARKER.match(line)
        if marker:
            runs.append((marker[2] if marker[1] == "BEGIN" else "text", []))
        else:
            runs[-1][1].append(line)
    return [(kind, lines) for kind, lines in runs if lines]


def solved(text: str) -> str:
    """An exercise cell with its solution, without markers."""
    runs = blocks(text)
    first = next((i for i, (kind, _) in enumerate(runs) if kind == "SOLUTION"), 0)
    answered = set(re.findall(r"^(\w+)\b[^=\n]*=(?!=)", "\n".join(runs[first][1]), re.M)) if runs else set()
    lines = []
    for i, (kind, run) in enumerate(runs):
        for line in run if kind != "STUB" else ():
            stub = re.match(r"(\w+) = None\s*(#.*)?$", line)  # above its answer it is only what learners find
            if not (stub and kind == "text" and i < first and stub[1] in answered):
                lines.append(line)
    return "\n".join(lines).strip("\n")


def stub(text: str, answer: str) -> str:
    """An exercise cell without its solution. `answer` is the name that the check looks at."""
    runs = blocks(text)
    has_given_code = any(kind == "STUB" for kind, _ in runs)
    result: list[str] = []
    for kind, lines in runs:
        if kind == "text":
            result += lines
        elif kind == "STUB":
            result += [re.sub(r"^(\s*)# ?", r"\1", line) for line in lines]
        elif not has_given_code:
            indent = re.match(r"\s*", next(line for line in lines if line.strip()))[0]
            if indent:
                result.append(f"{indent}...  # your code here")
            else:
                if not any(re.match(rf"{answer} = None\b", line) for line in result):
                    result.append(f"{answer} = None")
                result.append("# your answer here")
    return "\n".join(result).strip("\n")


def notebook(lesson: Lesson, edition: str = "learner") -> NotebookNode:
    """The lesson as a notebook without outputs; `edition` is "learner" or "solved"."""
    if edition not in ("learner", "solved"):
        raise ValueError(f"edition is 'learner' or 'solved', not {edition!r}")
    cells = lesson.cells
    headings = _headings(lesson)
    folded = {_check_position(cells, i): cell for i, cell in enumerate(cells) if cell.exercise}
    made = []
    for position, cell in enumerate(cells):
        text = headings.get(position, cell.text)
        if cell.kind == "markdown" and PLACE in text:
            text = text.replace(PLACE, lesson_table(sources(lesson.path.parent.parent)))
        if cell.kind == "markdown" and MINUTES in text:
            text = text.replace(MINUTES, str(measure(lesson).minutes))
        if cell.exercise:
            check = cells[_check_position(cells, position)].text
            text = solved(text) if edition == "solved" else stub(text, answer_name(check, cell.exercise))
        new = nbformat.v4.new_code_cell if cell.kind == "code" else nbformat.v4.new_markdown_cell
        made.append(new(text, metadata=_kept(cell.metadata)))
        if position in folded and edition == "learner":
            made.append(nbformat.v4.new_markdown_cell(_folded_solution(folded[position])))
    if edition == "learner" and lesson.number:
        made.append(nbformat.v4.new_markdown_cell(links(lesson)))
    _name_cells(made)
    return nbformat.v4.new_notebook(cells=made, metadata=METADATA, nbformat_minor=5)


def _headings(lesson: Lesson) -> dict[int, str]:
    """Texts of the markdown cells whose `### Exercise:` heading gets its stars and minutes."""
    result, last = {}, None
    for position, cell in enumerate(lesson.cells):
        if cell.kind == "markdown" and HEADING.search(cell.text):
            last = position
        if cell.exercise and last is not None:
            task = lesson.exercises[cell.exercise]
            unit = "minute" if task.minutes == 1 else "minutes"
            rating = rf"\1 · {task.stars} · {task.minutes} {unit}"
            result[last] = HEADING.sub(rating, lesson.cells[last].text, count=1)
            last = None
    return result


def answer_name(check: str, exercise: str) -> str:
    """The first argument of `exercises.<name>.check(…)`."""
    found = re.search(rf"exercises\.{exercise}\.check\(\s*(\w+)", check)
    return found[1] if found else exercise


def _folded_solution(cell: Cell) -> str:
    return f"<details>\n<summary>Solution</summary>\n\n```python\n{solved(cell.text)}\n```\n\n</details>"


def _kept(metadata: dict) -> dict:
    kept = {key: metadata[key] for key in sorted(metadata) if key in ("tags", "exercise", "slideshow")}
    if FOLDED in metadata.get("tags", ()):  # the tag is for MyST, Quarto and nbconvert, this for JupyterLab
        kept["jupyter"] = {"source_hidden": True}
    return kept


def _name_cells(cells: list[NotebookNode]) -> None:
    """Ids from a cell's content, so that a rebuild, or a change elsewhere, leaves them as they are."""
    seen: Counter[str] = Counter()
    for cell in cells:
        key = f"{cell.cell_type}\n{cell.source}"
        cell.id = hashlib.sha256(f"{seen[key]}\n{key}".encode()).hexdigest()[:12]
        seen[key] += 1


def links(lesson: Lesson) -> str:
    """The last line of a notebook: before, contents, glossary, next."""
    return links_between(lesson.path, sources(lesson.path.parent.parent))
