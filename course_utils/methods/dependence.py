"""What a model of tables does with a column: its partial dependence, and how much worse it gets without it.

Both only ask the model (`predict`), so they work for any. Both put values into rows where they may never
occur: when columns move together, read the results as statements about the model, not about the world.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from course_utils.methods.arguments import check_count, check_finite, finite_floats, to_floats

Predict = Callable[[np.ndarray], np.ndarray]


def ice_curves(predict: Predict, table: np.ndarray, column: int, grid: np.ndarray) -> np.ndarray:
    """Individual conditional expectation: the answer for every row as one column runs through a grid.

    Goldstein and others 2015, "Peeking inside the black box".

    Args:
        predict: rows `(B, d)` to one number a row, `(B,)`.
        table: `(n, d)`.
        column: index of the column that is varied; the others stay as they are in each row.
        grid: `(m,)`, the values that the column gets.

    Returns:
        `(n, m)`.

    Raises:
        ValueError: wrong shape, no rows, NaN or infinite values, a column that does not exist, or more than
            one answer a row.
    """
    table = _rows(table)
    grid = finite_floats(grid, "the grid", ": take values that the column may have")
    if grid.ndim != 1 or len(grid) == 0:
        raise ValueError(f"the grid is a row of at least one value, not of the shape {grid.shape}")
    _check_column(column, table)
    curves = np.empty((len(table), len(grid)))
    for k, value in enumerate(grid):
        changed = table.copy()
        changed[:, column] = value
        answers = np.asarray(predict(changed), float)
        if answers.shape != (len(table),):
            raise ValueError(
                f"predict must give one number a row, ({len(table)},), and gives {answers.shape}: "
                "choose one class, such as `lambda rows: model.predict_proba(rows)[:, 1]`"
            )
        curves[:, k] = answers
    return curves


def partial_dependence(predict: Predict, table: np.ndarray, column: int, grid: np.ndarray) -> np.ndarray:
    """The mean answer over all rows as one column runs through a grid, `(m,)`.

    Friedman 2001, "Greedy function approximation", equation 53: the mean of `ice_curves`. The other columns
    keep their own distribution, also where they never meet the grid's value.

    Args, Raises: as `ice_curves`.
    """
    return ice_curves(predict, table, column, grid).mean(axis=0)


def permutation_importance(
    predict: Predict,
    table: np.ndarray,
    targets: np.ndarray,
    score: Callable[[np.ndarray, np.ndarray], float],
    n_repeats: int = 5,
    seed: int = 0,
    *,
    groups: Sequence[Sequence[int]] | None = None,
    orders: np.ndarray | None = None,
) -> np.ndarray:
    """How far the score falls when one column is shuffled: `score` before minus after, one value a repeat.

    Breiman 2001, "Random forests", section 10; Fisher, Rudin and Dominici 2019 ("model reliance"). Use rows
    that the model was not fitted to: on its training rows a model that has learnt noise by heart seems to
    need the noise. Columns that say the same stand in for each other: shuffle them together with `groups`.

    Args:
        predict: rows `(B, d)` to answers, in the form that `score` takes.
        table: `(n, d)`.
        targets: `(n,)`, the truth; it is never shuffled.
        score: `score(targets, answers)`, larger is better, such as scikit-learn's `accuracy_score`.
        n_repeats: shuffles of each column.
        seed: of the shuffles. All columns of one repeat are put into the same order.
        groups: sets of columns that are shuffled together; None: each column alone.
        orders: `(n_repeats, n)`, the orders themselves, instead of `n_repeats` and `seed`.

    Returns:
        `(d, n_repeats)`, or one row a group. Zero or slightly below where the model does not use the column.

    Raises:
        ValueError: shapes that do not fit, NaN or infinite values, an unknown column, an empty group, no
            repeats, or an order that is none.
        TypeError: a group that is no list of columns.
    """
    table, targets = _rows(table), np.asarray(targets)
    n, d = table.shape
    if targets.ndim != 1:  # (n, 1) against (n,) would compare each row with all others
        raise ValueError(f"targets must be one number or word a row, ({n},), not {targets.shape}")
    if len(targets) != n:
        raise ValueError(f"{n} rows have {len(targets)} targets: give one for each row")
    if targets.dtype.kind == "f":
        check_finite(targets, "targets", ": leave out the rows without a truth")
    groups = [[column] for column in range(d)] if groups is None else _groups(groups)
    for column in (column for group in groups for column in group):
        _check_column(column, table)
    if orders is None:
        check_count(n_repeats, "n_repeats")
        rng = np.random.default_rng(seed)
        orders = np.array([rng.permutation(n) for _ in range(n_repeats)])
    orders = np.asarray(orders)
    whole = orders.ndim == 2 and orders.size > 0 and orders.dtype.kind in "iu"
    if not whole or orders.shape[1] != n or not (np.sort(orders, axis=1) == np.arange(n)).all():
        raise ValueError(f"orders must hold the numbers 0 to {n - 1} once in each row")

    before = score(targets, _answers(predict, table))
    falls = np.empty((len(groups), len(orders)))
    for g, group in enumerate(groups):
        for r, order in enumerate(orders):
            shuffled = table.copy()
            shuffled[:, group] = table[order][:, group]
            falls[g, r] = before - score(targets, _answers(predict, shuffled))
    return falls


def _answers(predict: Predict, rows: np.ndarray) -> np.ndarray:
    answers = np.asarray(predict(rows))
    if answers.shape[:1] != (len(rows),) or answers.shape[1:] == (1,):
        raise ValueError(f"predict must give one answer a row, ({len(rows)},), and gives {answers.shape}")
    return answers


def _groups(groups: Sequence[Sequence[int]]) -> list[list[int]]:
    try:
        lists = [list(group) for group in groups]
    except TypeError as error:
        raise TypeError(f"groups must be lists of columns, such as [[0, 1], [2]], not {groups!r}") from error
    if not lists or not all(lists):
        raise ValueError(f"each group needs at least one column, and there must be a group: {groups!r}")
    return lists


def _rows(table: np.ndarray) -> np.ndarray:
    try:
        table = to_floats(table, "the table")
    except ValueError as error:
        raise ValueError(f"{error}; encode the categories of a column of words") from error
    if table.ndim != 2 or len(table) == 0:
        raise ValueError(f"a table has the shape (n, d) with at least one row, this one has {table.shape}")
    return check_finite(table, "the table", ": leave out or mend these rows")


def _check_column(column: int, table: np.ndarray) -> None:
    if isinstance(column, bool) or not hasattr(column, "__index__"):
        raise TypeError(f"column must be an index, not {column!r}: take names.index(name)")
    if not 0 <= column < table.shape[1]:
        raise ValueError(f"there is no column {column}: the table has the columns 0 to {table.shape[1] - 1}")
