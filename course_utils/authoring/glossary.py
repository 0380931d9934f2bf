"""The glossary page `notebooks/glossary.md`, from one file of terms.

A line of `notebooks/source/glossary.txt` reads `term | one sentence | 04`, with the number of the lesson
that defines the term. Lessons link to a term as `[logit](glossary.md#logit)`, with hyphens for spaces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from course_utils.authoring.contents import number_of


@dataclass(frozen=True)
class Term:
    """A term, what it means in one sentence, and the number of the lesson that defines it."""

    name: str
    meaning: str
    lesson: str

    @property
    def anchor(self) -> str:
        """How a link names the term."""
        return re.sub(r"\s+", "-", self.name.lower())


def read_glossary(path: Path) -> list[Term]:
    """The terms of a file, in the order of the alphabet.

    Raises:
        ValueError: a line without three parts, or a term that stands there twice.
    """
    terms: dict[str, Term] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split(" | ")]
        if len(parts) != 3 or not all(parts):
            raise ValueError(f"{path.name}:{number}: a line reads `term | one sentence | lesson`")
        term = Term(*parts)
        if term.anchor in terms:
            raise ValueError(f"{path.name}:{number}: {term.name} stands there twice")
        terms[term.anchor] = term
    return sorted(terms.values(), key=lambda term: term.name.lower())


def glossary_page(terms: list[Term], sources: list[Path]) -> str:
    """The page in Markdown; a heading a term, so that links can lead to it.

    Raises:
        ValueError: a term names a lesson that does not exist.
    """
    by_number = {number_of(path): path for path in sources}
    lines = ["# Glossary", "", "[Contents](00_contents.ipynb)", ""]
    for term in terms:
        if term.lesson not in by_number:
            raise ValueError(f"the glossary's {term.name!r} names lesson {term.lesson}, which does not exist")
        path = by_number[term.lesson]
        lines += [f"### {term.name.lower()}", ""]  # JupyterLab's anchors keep capitals
        lines += [f"{term.meaning} ([{term.lesson}]({path.stem}.ipynb))", ""]
    return "\n".join(lines)


def write_glossary(folder: Path, sources: list[Path]) -> None:
    """Write the page, where a folder of notebooks has a file of terms."""
    path = folder / "source" / "glossary.txt"
    if path.exists():
        page = glossary_page(read_glossary(path), sources)
        (folder / "glossary.md").write_text(page, encoding="utf-8", newline="\n")
