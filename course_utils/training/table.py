"""Measured tables in `data/README.md`, each between two markers that bear its name."""

import re
from pathlib import Path

from course_utils.labs.files import DATA, write_bytes


def put_table(name: str, text: str, path: Path = DATA / "README.md") -> None:
    """Put the text between `<!-- name: begin -->` and `<!-- name: end -->`.

    Raises:
        ValueError: the file does not have both markers.
    """
    page = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if begin not in page or end not in page:
        raise ValueError(f"{path.name} has no lines {begin} and {end} to write the table between")
    inner = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    write_bytes(path, inner.sub(lambda _: f"{begin}\n{text}\n{end}", page).encode())
