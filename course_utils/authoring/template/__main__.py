"""`python -m course_utils.authoring.template 14_new_method`: write a lesson that runs, to change into your own."""

import re
import sys
from pathlib import Path

from course_utils.authoring.lesson import ROOT

HERE = Path(__file__).parent
NUMBER, NAME = "99", "template"


def targets(name: str, root: Path = ROOT) -> dict[Path, Path]:
    """The template's files, each with the file that it becomes."""
    number = name.split("_", 1)[0]
    return {
        HERE / "lesson.py": root / "notebooks" / "source" / f"{name}.py",
        HERE / "exercises.py": root / "course_utils" / "exercises" / f"l{name}.py",
        HERE / "claims.py": root / "tests" / "claims" / f"test_{number}.py",
    }


def write(name: str, root: Path = ROOT) -> list[Path]:
    """Write a new lesson's source, exercises and claims; returns their paths.

    Raises:
        ValueError: the name is not like 14_new_method.
        FileExistsError: one of the files is there already; nothing is written.
    """
    if not re.fullmatch(r"\d\d_[a-z][a-z0-9_]*", name):
        raise ValueError(f"name a lesson like 14_new_method, not {name!r}")
    there = [str(path) for path in targets(name, root).values() if path.exists()]
    if there:
        raise FileExistsError(f"is there already: {', '.join(there)}")
    number = name.split("_", 1)[0]
    for source, path in targets(name, root).items():
        text = source.read_text(encoding="utf-8").replace(f"l{NUMBER}_{NAME}", f"l{name}")
        text = text.replace(f"# # {NUMBER} ", f"# # {number} ").replace(
            f"lesson {NUMBER}", f"lesson {number}"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return list(targets(name, root).values())


if __name__ == "__main__":
    try:
        print("\n".join(str(path) for path in write(*sys.argv[1:2])))
    except (ValueError, FileExistsError, TypeError) as error:
        sys.exit(f"error: {error}")
