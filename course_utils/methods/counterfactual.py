"""What would have to be different? Counterfactuals of a model, and of a world whose causes are known.

A *model's* counterfactual is the cheapest change of its input that alters its answer. A *world's*
counterfactual says what follows when something is changed: everything that it causes moves along. The cost of
a change is Σ |Δ_j| / scale_j, with the scales of `deviations` (Wachter, Mittelstadt and Russell 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import ArrayLike

from course_utils.methods.arguments import check_count, check_number, to_floats

Equations = Mapping[str, Callable[[dict], ArrayLike]]
Values = dict[str, np.ndarray]
MOST_CANDIDATES = 2_000_000  # rows that `search_change` may try


# --- a world with known causes ------------------------------------------------------------------------------


def simulate(
    equations: Equations, noise: Mapping[str, ArrayLike], do: Mapping[str, ArrayLike] | None = None
) -> Values:
    """The values of all variables of a structural causal model, with interventions.

    Pearl 2009, "Causality", definitions 7.1.1 and 7.1.2, with noise that is added: v = f(its causes) + u. An
    intervention replaces the equation of its variable, noise included.

    Args:
        equations: name → f, causes before effects; f gets the values so far, returns v − u.
        noise: name → u, a number or `(n,)`, for each variable.
        do: name → value that is forced, a number or `(n,)`; None: nobody intervenes.

    Returns:
        name → `(n,)`, in the order of the equations.

    Raises:
        ValueError: a name in `do` or `noise` that the equations do not have, a variable without noise, NaN,
            values that are no number or `(n,)`, or of different lengths; an
            equation that uses a variable that stands below it.
    """
    do = {} if do is None else do
    _same_names(equations, noise, "noise", whole=True)
    _same_names(equations, do, "do")
    noise, do = _columns(noise), _columns(do)
    size = _common_size((*noise.values(), *do.values()))
    values: Values = {}
    for name in equations:
        found = do[name] if name in do else _without_noise(equations, name, values, size) + noise[name]
        values[name] = _finite(np.broadcast_to(found, size).copy(), name)
    return values


def abduct(equations: Equations, values: Mapping[str, ArrayLike]) -> Values:
    """The noise that explains what was seen, u = v − f(its causes): name → `(n,)`.

    Args:
        equations: as in `simulate`.
        values: name → what was seen, a number or `(n,)`, for each variable.

    Raises:
        ValueError: as `simulate`.
    """
    _same_names(equations, values, "values", whole=True)
    columns = _columns(values)
    size = _common_size(columns.values())
    seen = {name: _finite(np.broadcast_to(columns[name], size).copy(), name) for name in equations}
    return {name: seen[name] - _without_noise(equations, name, seen, size) for name in equations}


def what_if(equations: Equations, values: Mapping[str, ArrayLike], do: Mapping[str, ArrayLike]) -> Values:
    """A world's counterfactual: what these very cases would be, had `do` been so.

    Pearl 2009, "Causality", theorem 7.1.7: abduction (`abduct`), action, prediction (`simulate`).
    Args, Returns, Raises: as `simulate` and `abduct`.
    """
    return simulate(equations, abduct(equations, values), do)


def _without_noise(
    equations: Equations, name: str, values: Mapping[str, np.ndarray], size: tuple[int, ...]
) -> np.ndarray:
    try:
        found = to_floats(equations[name](dict(values)), name)
    except KeyError as missing:
        raise ValueError(
            f"the equation of {name!r} uses {missing}, which is no variable above it: "
            "put causes before effects"
        ) from None
    if found.shape not in ((), (1,), size):
        raise ValueError(f"the equation of {name!r} returned the shape {found.shape}, not a number or {size}")
    return found


def _same_names(equations: Equations, given: Mapping, argument: str, whole: bool = False) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"{argument} must be a dict, name → value, not {type(given).__name__}")
    unknown = [name for name in given if name not in equations]
    missing = [name for name in equations if name not in given] if whole else []
    if unknown:
        raise ValueError(f"{argument} has {unknown[0]!r}, which no equation has: use {', '.join(equations)}")
    if missing:
        raise ValueError(f"{argument} lacks {missing[0]!r}: give a value for each variable")


def _columns(given: Mapping[str, ArrayLike]) -> Values:
    columns = {name: to_floats(values, repr(name)) for name, values in given.items()}
    for name, values in columns.items():
        if values.ndim > 1:
            raise ValueError(f"{name!r} has the shape {values.shape}: give a number or (n,), one column")
    return columns


def _common_size(columns: Collection[np.ndarray]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(values.shape for values in columns), (1,))
    except ValueError as error:
        lengths = ", ".join(str(n) for n in sorted({len(values) for values in columns if values.ndim}))
        raise ValueError(f"columns of the lengths {lengths}: give all of one length, or numbers") from error


def _finite(values: np.ndarray, name: str) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ValueError(f"{name!r} holds NaN or infinite values: check its equation, noise and `do`")
    return values


# --- the cheapest change of a model's input -----------------------------------------------------------------


def deviations(table: ArrayLike) -> np.ndarray:
    """The median absolute deviation of each column, `(d,)`: the unit in which a change of it is counted.

    Args:
        table: `(n, d)`.

    Raises:
        ValueError: wrong shape, NaN, or a column of which more than half has one value: its deviation
            is 0, and no cost can be divided by it.
    """
    table = to_floats(table, "table")
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise ValueError(f"table must have the shape (n, d), all finite; this one has {table.shape}")
    found = np.median(np.abs(table - np.median(table, axis=0)), axis=0)
    if (found == 0).any():
        raise ValueError(
            f"table has the same value in more than half of the rows of column {int((found == 0).argmax())}: "
            "leave that column out of what may change, or give it a scale of your own"
        )
    return found


def cheapest_change(
    weights: ArrayLike,
    intercept: float,
    row: ArrayLike,
    scales: ArrayLike,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
) -> np.ndarray:
    """The change Δ, `(d,)`, with the smallest Σ |Δ_j| / scale_j after which weights · row + intercept is 0.

    The closed form: all of it goes into the column that gains most for its cost, |weight_j| · scale_j; when
    that one is at its limit, the rest goes into the next one (a linear program with one equation).

    Args:
        weights, row, scales: `(d,)`; scales > 0.
        low, high: `(d,)`, between which each column of the changed row must stay; equal to the row's value:
            it may not change. None: no limit.

    Raises:
        ValueError: wrong shape, NaN, a scale ≤ 0, a row outside its limits, or no change within them
            is enough.
    """
    weights, row = _vector(weights, "weights"), _vector(row, "row")
    scales = _positive(scales, row)
    low = np.full(len(row), -np.inf) if low is None else _vector(low, "low", limits=True)
    high = np.full(len(row), np.inf) if high is None else _vector(high, "high", limits=True)
    for name, values in (("weights", weights), ("low", low), ("high", high)):
        if len(values) != len(row):
            raise ValueError(f"{name} has {len(values)} numbers for a row of {len(row)}")
    if (low > row).any() or (high < row).any():
        j = int(((low > row) | (high < row)).argmax())
        raise ValueError(f"column {j} of the row, {row[j]:g}, lies outside low … high: widen the limits")
    needed = -(float(weights @ row) + check_number(intercept, "intercept", at_least=-np.inf))
    change = np.zeros(len(row))
    upwards = np.sign(needed) * weights > 0
    room = np.where(upwards, high - row, row - low)  # how far each column may go in the direction that helps
    for j in np.argsort(-np.abs(weights) * scales, kind="stable"):
        if needed == 0 or weights[j] == 0:
            break
        step = min(abs(needed / weights[j]), room[j])
        change[j] = step if upwards[j] else -step
        needed = 0.0 if step < room[j] else needed - weights[j] * change[j]
    if abs(needed) > 1e-9 * (1 + abs(intercept) + np.abs(weights * row).sum()):
        raise ValueError("no change between low and high reaches the border: widen the limits")
    return change


def search_change(
    accepts: Callable[[np.ndarray], np.ndarray],
    row: ArrayLike,
    candidates: Sequence[ArrayLike],
    scales: ArrayLike,
    max_columns: int = 2,
) -> np.ndarray:
    """The cheapest change, `(d,)`, that makes any model accept a row, found by trying all combinations.

    Args:
        accepts: rows `(N, d)` → `(N,)` bool.
        row: `(d,)`.
        candidates: for each column the values that it may take; empty: it may not change.
        scales: `(d,)` > 0.
        max_columns: how many columns may change at once, at least 1.

    Raises:
        ValueError: wrong shape, NaN, more than `MOST_CANDIDATES` combinations, or none is accepted.
    """
    row = _vector(row, "row")
    scales = _positive(scales, row)
    max_columns = check_count(max_columns, "max_columns", at_most=len(row))
    if len(candidates) != len(row):
        raise ValueError(f"candidates has {len(candidates)} lists for a row of {len(row)}: give one a column")
    options = [
        _vector(values, "candidates") if np.size(values) else np.empty(0, float) for values in candidates
    ]
    groups = [g for k in range(1, max_columns + 1) for g in combinations(range(len(row)), k)]
    count = sum(int(np.prod([len(options[j]) for j in group])) for group in groups)
    if count > MOST_CANDIDATES:
        raise ValueError(
            f"candidates give {count:,} combinations (limit {MOST_CANDIDATES:,}): give fewer values"
        )
    tried = [row[None]]
    for group in groups:
        rows = np.tile(row, (int(np.prod([len(options[j]) for j in group])), 1))
        if len(rows):
            rows[:, group] = list(product(*(options[j] for j in group)))
            tried.append(rows)
    changes = np.concatenate(tried) - row
    accepted = np.asarray(accepts(row + changes))
    if accepted.shape != (len(changes),) or accepted.dtype != bool:
        raise ValueError(f"accepts must return (N,) of True and False, not {accepted.dtype} {accepted.shape}")
    if not accepted.any():
        raise ValueError(
            "no combination of candidates is accepted: give more values, or a larger max_columns"
        )
    return changes[np.where(accepted, (np.abs(changes) / scales).sum(axis=1), np.inf).argmin()]


def nearest_accepted(row: ArrayLike, accepted_rows: ArrayLike, scales: ArrayLike) -> int:
    """Index of the row in `accepted_rows` `(n, d)` that costs least to become: a change that somebody is.

    Raises:
        ValueError: wrong shape, NaN, a scale ≤ 0, no row.
    """
    row, rows = _vector(row, "row"), to_floats(accepted_rows, "accepted_rows")
    scales = _positive(scales, row)
    if rows.ndim != 2 or not len(rows) or rows.shape[1] != len(row) or not np.isfinite(rows).all():
        raise ValueError(f"accepted_rows must have the shape (n, {len(row)}), all finite, not {rows.shape}")
    return int((np.abs(rows - row) / scales).sum(axis=1).argmin())


def _vector(values: ArrayLike, name: str, limits: bool = False) -> np.ndarray:
    values = to_floats(values, name)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name} must have the shape (d,), not {values.shape}")
    if np.isnan(values).any() or not (limits or np.isfinite(values).all()):
        raise ValueError(f"{name} holds NaN or infinite values")
    return values


def _positive(scales: ArrayLike, row: np.ndarray) -> np.ndarray:
    scales = _vector(scales, "scales")
    if len(scales) != len(row) or (scales <= 0).any():
        raise ValueError(f"scales must be {len(row)} numbers > 0, one a column: see `deviations`")
    return scales
