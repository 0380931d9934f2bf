"""The agreement table of a lesson: our result beside the libraries', as largest absolute differences."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

_SMALLEST = -6  # as a power of ten: below it, processors differ in the last digits


@dataclass(frozen=True)
class Agreement:
    """A table that prints as text, and as HTML in Jupyter."""

    rows: tuple[tuple[str, float, str], ...]  # reference, largest absolute difference, convention

    @property
    def largest(self) -> float:
        """The largest absolute difference in the table."""
        return max(difference for _, difference, _ in self.rows)

    def __str__(self) -> str:
        cells = [_HEADER, *((name, bound(difference), why) for name, difference, why in self.rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(2)]
        return "\n".join(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in cells)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="text-align:left">{cell}</th>' for cell in _HEADER)
        body = "".join(
            "<tr>"
            + "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in (a, bound(b), c))
            + "</tr>"
            for a, b, c in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_HEADER = ("reference", "largest difference", "convention")


def agreement_table(rows: Sequence[tuple[str, Tensor, Tensor, str]]) -> Agreement:
    """Compare results with references.

    Args:
        rows: (name of the reference, our result, its result, the convention that makes them comparable);
            results are tensors, arrays or numbers of one shape.

    Returns:
        The table. Differences are shown as the next power of ten and none below 1e-06, so that the text is
        the same on each processor; `.largest` has the number.

    Raises:
        ValueError: no rows, shapes that differ, or NaN.
    """
    if not rows:
        raise ValueError("there is nothing to compare: give at least one row")
    return Agreement(tuple((name, _difference(name, ours, theirs), why) for name, ours, theirs, why in rows))


def bound(difference: float) -> str:
    """Return "≤ 1e-04" for 0.00007: the next power of ten, at least 1e-06."""
    power = math.ceil(math.log10(difference)) if difference > 10.0**_SMALLEST else _SMALLEST
    return f"≤ 1e{power:+03d}"


def _difference(name: str, ours: Tensor, theirs: Tensor) -> float:
    ours, theirs = _array(ours), _array(theirs)
    if ours.shape != theirs.shape:
        raise ValueError(
            f"{name}: our result is {ours.shape}, the reference {theirs.shape}: compare like with like"
        )
    difference = float(np.abs(ours - theirs).max()) if ours.size else math.nan
    if math.isnan(difference):
        raise ValueError(f"{name}: nothing to compare, or a result contains NaN")
    return difference


def _array(values: Tensor | np.ndarray | float) -> np.ndarray:
    if isinstance(values, Tensor):
        return values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)
