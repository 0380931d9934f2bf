"""The agreement page: all rows, known defects and published errors, measured when the page is made.

Every number is measured on small random networks in double precision. Three tables: how close our methods
come to a library once its convention is followed, which known defects show in the installed version, and how
far errors that courses copy from one another are from the definition.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from course_utils.judge import methods_table
from course_utils.judge.agreement import (
    rows_attacks,
    rows_black_box,
    rows_cam,
    rows_capsules,
    rows_circuits,
    rows_concepts,
    rows_counterfactual,
    rows_dependence,
    rows_examples,
    rows_games,
    rows_gradients,
    rows_information,
    rows_measures,
    rows_pieces,
    rows_sparse,
    rows_text,
)
from course_utils.judge.agreement.defects import DEFECTS
from course_utils.judge.agreement.errors import ERRORS
from course_utils.judge.agreement.libraries import versions
from course_utils.judge.agreement.row import Measured, MeasuredDefect, MeasuredError, Row
from course_utils.judge.agreement.table import bound
from course_utils.judge.tables import Table

ROWS: tuple[Row, ...] = (
    *rows_cam.ROWS,
    *rows_gradients.ROWS,
    *rows_black_box.ROWS,
    *rows_games.ROWS,
    *rows_attacks.ROWS,
    *rows_dependence.ROWS,
    *rows_examples.ROWS,
    *rows_concepts.ROWS,
    *rows_information.ROWS,
    *rows_capsules.ROWS,
    *rows_text.ROWS,
    *rows_circuits.ROWS,
    *rows_sparse.ROWS,
    *rows_counterfactual.ROWS,
    *rows_measures.ROWS,
    *rows_pieces.ROWS,
)


@dataclass(frozen=True, repr=False)
class Rows:
    """Measured rows; print as text, and as HTML in Jupyter."""

    rows: tuple[Measured, ...]

    @property
    def largest(self) -> float:
        return max(row.difference for row in self.rows)

    def _tables(self) -> list[Table]:
        cells = tuple((row.method, row.library, bound(row.difference), row.convention) for row in self.rows)
        return [Table(("method", "library", "largest difference", "convention"), cells)]

    def to_markdown(self) -> str:
        """The tables and the versions as Markdown text."""
        tables = [table.markdown() for table in self._tables()]
        return "\n\n".join([f"Measured with {versions()}.", *tables]) + "\n"

    def __str__(self) -> str:
        return "\n\n".join(table.text() for table in self._tables())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "\n".join(table.html() for table in self._tables())


@dataclass(frozen=True, repr=False)
class Page(Rows):
    """All rows, the known defects and the published errors; `no_row` names methods that no row proves."""

    defects: tuple[MeasuredDefect, ...]
    errors: tuple[MeasuredError, ...]
    no_row: tuple[str, ...] = ()

    def _tables(self) -> list[Table]:
        (agreement,) = super()._tables()
        missing = tuple((name, "none", "–", "not compared with a library yet") for name in self.no_row)
        defects = tuple(
            (d.library, d.what, f"{d.right:.2f}", f"{d.found:.2f}", "yes" if d.shows else "no longer")
            for d in self.defects
        )
        errors = tuple((e.published, e.defined, f"{e.difference:.2f}") for e in self.errors)
        return [
            Table(agreement.head, agreement.rows + missing),
            Table(("library", "known defect", "right", "found", "shows here"), defects),
            Table(("as published elsewhere", "as defined", "largest difference"), errors),
        ]


def find_rows(method: str | None = None, library: str | None = None) -> tuple[Row, ...]:
    """The rows of one method (by its name on the page or in the table of methods), one library, or both.

    Args:
        method: such as "Grad-CAM" or "LIME"; None is all.
        library: such as "captum", or "shap Exact" where it has several programs; None is all.

    Raises:
        ValueError: there is no such row.
    """
    found = tuple(
        row
        for row in ROWS
        if method in (None, row.method, row.entry) and library in (None, row.library, row.library.split()[0])
    )
    if not found:
        if method is not None and not any(method in (row.method, row.entry) for row in ROWS):
            known = ", ".join(dict.fromkeys(row.method for row in ROWS))
            raise ValueError(f"no row is about {method!r}; there are {known}")
        libraries = ", ".join(
            dict.fromkeys(row.library for row in ROWS if method in (None, row.method, row.entry))
        )
        raise ValueError(f"no row compares with {library!r} here; there are {libraries}")
    return found


def measure_rows(method: str | None = None, library: str | None = None) -> Rows:
    """Run the rows that `find_rows` finds."""
    return Rows(tuple(row.run() for row in find_rows(method, library)))


def without_row() -> tuple[str, ...]:
    """The methods of the course's table that no row proves, the baselines aside."""
    proven = {name for row in ROWS for name in (row.method, row.entry)}
    table = methods_table.METHODS
    return tuple(m.name for m in table if not m.is_baseline and m.name not in proven)


def measure_page(progress: bool = False) -> Page:
    """Run everything; takes some seconds, most of them for importing the libraries.

    Args:
        progress: show a progress bar.

    Raises:
        ImportError: one of the libraries is not installed.
    """
    bar = tqdm(ROWS, leave=False, disable=not progress)
    return Page(
        rows=tuple(row.run() for row in bar),
        defects=tuple(defect.run() for defect in DEFECTS),
        errors=tuple(error.run() for error in ERRORS),
        no_row=without_row(),
    )


def main(arguments: list[str] | None = None) -> int:
    """The command `python -m course_utils.judge.agreement`."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.judge.agreement", description=__doc__.split("\n")[0]
    )
    parser.add_argument("file", nargs="?", type=Path, help="write the page there; the screen when left out")
    chosen = parser.parse_args(arguments)
    text = measure_page().to_markdown()
    if chosen.file is None:
        print(text, end="")
    else:
        chosen.file.write_text(text, encoding="utf-8")
    return 0
