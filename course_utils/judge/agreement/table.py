"""The agreement table of a lesson: our result beside the libraries', as largest absolute differences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from course_utils.judge.tables import Table

HEAD = ("reference", "largest difference", "convention")
_SMALLEST = -6  # as a power of ten: below it, processors differ in the last digits
_AS_NUMBER = 0.01  # from here on a difference is told as a number


@dataclass(frozen=True)
class Agreement:
    """A table that prints as text, and as HTML in Jupyter."""

    rows: tuple[tuple[str, float, str], ...]  # reference, largest absolute difference, convention

    @property
    def largest(self) -> float:
        """The largest absolute difference in the table."""
        return max(difference for _, difference, _ in self.rows)

    @property
    def table(self) -> Table:
        return Table(HEAD, tuple((name, bound(difference), why) for name, difference, why in self.rows))

    def __str__(self) -> str:
        return self.table.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table.html()


def agreement_table(rows: Sequence[tuple[str, Tensor, Tensor, str]]) -> Agreement:
    """Compare results with references.

    Args:
        rows: (name of the reference, our result, its result, the convention that makes them comparable);
            results are tensors, arrays or numbers of one shape.

    Returns:
        The table. Small differences are shown as the next power of ten, none below 1e-06, so that the text is
        the same on each processor; those above 0.01 as numbers (see `bound`). `.largest` has the number.

    Raises:
        ValueError: no rows, shapes that differ, or NaN.
    """
    if not rows:
        raise ValueError("there is nothing to compare: give at least one row")
    return Agreement(tuple((name, _difference(name, ours, theirs), why) for name, ours, theirs, why in rows))


def bound(difference: float) -> str:
    """Return "≤ 1e-04" for 0.00007, the next power of ten, at least 1e-06; and "0.25" for 0.2512.

    Above 0.01 a power of ten would hide too much (1 could stand for 0.11): two digits are shown.
    """
    if not math.isfinite(difference):
        return "infinite" if math.isinf(difference) else "not a number"
    if difference > _AS_NUMBER:
        return f"{difference:.2f}" if difference < 99.5 else f"{difference:.1e}"
    power = math.ceil(math.log10(difference)) if difference > 10.0**_SMALLEST else _SMALLEST
    return f"≤ 1e{power:+03d}"


def largest_share(ours: Tensor, theirs: Tensor) -> float:
    """Largest absolute difference as a share of our largest value."""
    ours, theirs = as_array(ours), as_array(theirs)
    return float(abs(ours - theirs).max() / abs(ours).max())


def as_array(values: Tensor | np.ndarray | float) -> np.ndarray:
    """Double precision, on the CPU."""
    if isinstance(values, Tensor):
        return values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)


def _difference(name: str, ours: Tensor, theirs: Tensor) -> float:
    ours, theirs = as_array(ours), as_array(theirs)
    if ours.shape != theirs.shape:
        raise ValueError(
            f"{name}: our result is {ours.shape}, the reference {theirs.shape}: compare like with like"
        )
    difference = float(np.abs(ours - theirs).max()) if ours.size else math.nan
    if math.isnan(difference):
        raise ValueError(f"{name}: nothing to compare, or a result contains NaN")
    return difference
