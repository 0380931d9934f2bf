"""Which exercises a learner has solved: noted in the workbook by the checks, shown in 00_contents.

`progress.json` in the workbook holds {lesson: {exercise: true}}. Elsewhere nothing is noted.
"""

import html
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WORKBOOK = ".originals.json"  # the learner's folder holds this file
FILE = "progress.json"
LOCK = ".progress.lock"
PACKAGE = "course_utils.exercises.l"
PATIENCE = 2.0  # seconds, for another lesson's kernel to finish writing


def note(task: Any, folder: str | Path = ".") -> None:
    """Remember that an exercise is solved. Whatever goes wrong with the file, the check must go on."""
    lesson = lesson_of(task)
    folder = Path(folder)
    if lesson is None or not (folder / WORKBOOK).exists():
        return
    try:
        if task.name in solved(folder).get(lesson, {}):
            return
        _lock(folder / LOCK)
        try:
            record = solved(folder)
            record.setdefault(lesson, {})[task.name] = True
            _write(folder / FILE, json.dumps(record, indent=1, sort_keys=True))
        finally:
            (folder / LOCK).unlink(missing_ok=True)
    except OSError:
        pass


def lesson_of(task: Any) -> str | None:
    """ "04_grad_cam" for an exercise of the module course_utils.exercises.l04_grad_cam."""
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGE) and getattr(module, task.name, None) is task:
            return name.removeprefix(PACKAGE)
    return None


def solved(folder: str | Path = ".") -> dict[str, dict[str, bool]]:
    """What the file says; nothing when there is none, or when it is damaged."""
    try:
        record = json.loads((Path(folder) / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(record, dict):
        return {}
    return {lesson: names for lesson, names in record.items() if isinstance(names, dict)}


class Progress:
    """The lessons of a workbook, each with its number of solved exercises; end a cell with it."""

    def __init__(self, folder: str | Path = ".") -> None:
        self.rows = list(_rows(Path(folder))) if (Path(folder) / WORKBOOK).exists() else []

    def __repr__(self) -> str:
        if not self.rows:
            return "In your workbook (`make lab`) this cell counts your solved exercises."
        return "\n".join(f"{_count(done, total):>10}  {title}" for _, title, done, total in self.rows)

    def _repr_html_(self) -> str | None:
        if not self.rows:
            return None
        lines = [
            f'<tr><td style="text-align: left"><a href="{html.escape(name)}">{html.escape(title)}</a></td>'
            f"<td>{_count(done, total)}</td></tr>"
            for name, title, done, total in self.rows
        ]
        return "<table><tr><th>lesson</th><th>solved</th></tr>" + "".join(lines) + "</table>"


def _count(done: int, total: int) -> str:
    return f"{'✓ ' if done else ''}{done} of {total}"


def _rows(folder: Path):
    record = solved(folder)
    for path in sorted(folder.glob("[0-9][0-9]*_*.ipynb")):
        if not re.fullmatch(r"\d\d[a-z]?_\w+", path.stem):  # a newer version, laid beside the learner's
            continue
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            texts = ["".join(cell["source"]) for cell in cells]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        names = set(re.findall(r"\bexercises\.(\w+)\.check\(", "\n".join(texts)))
        heading = re.match(r"# (.+)", texts[0]) if texts else None
        if names:
            family = (done for lesson, done in record.items() if lesson[:2] == path.stem[:2])
            known = {name for done in family for name in done}
            yield path.name, heading[1].strip() if heading else path.stem, len(names & known), len(names)


def _lock(path: Path) -> None:
    """Wait until no other kernel writes; a lock that was left behind is taken away."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            return
        except FileExistsError:
            if time.monotonic() > end:
                path.unlink(missing_ok=True)
                end = time.monotonic() + PATIENCE
            time.sleep(0.02)


def _write(path: Path, text: str) -> None:
    handle, half = tempfile.mkstemp(dir=path.parent, prefix=".half-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.replace(half, path)
    except BaseException:
        Path(half).unlink(missing_ok=True)
        raise
