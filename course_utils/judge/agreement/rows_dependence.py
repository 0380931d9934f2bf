"""Partial dependence and permutation importance beside scikit-learn."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np

from course_utils.judge.agreement.row import Row
from course_utils.judge.agreement.subjects import table_model
from course_utils.methods import dependence

REPEATS = 4


@cache
def _forest() -> SimpleNamespace:
    from sklearn.ensemble import RandomForestRegressor

    case = table_model()
    model = RandomForestRegressor(5, max_depth=4, random_state=0).fit(case.table, case.answers)
    return SimpleNamespace(model=model, table=case.table, answers=case.answers)


def _curves(kind: str) -> Row:
    """Of the first column, at the grid that scikit-learn chooses."""

    def theirs():
        from sklearn.inspection import partial_dependence

        case = _forest()
        return partial_dependence(case.model, case.table, [0], kind=kind, method="brute", grid_resolution=9)

    def ours() -> np.ndarray:
        case, grid = _forest(), theirs()["grid_values"][0]
        method = dependence.partial_dependence if kind == "average" else dependence.ice_curves
        return method(case.model.predict, case.table, 0, grid)

    name, convention = ("partial dependence", 'method="brute"; its grid ends at the 5 and 95 % quantiles')
    if kind == "individual":
        name, convention = "ICE curves", 'kind="individual", the same grid'
    return Row(name, "scikit-learn", convention, ours, lambda: theirs()[kind][0])


def _their_orders(n: int, seed: int) -> np.ndarray:
    """The orders in which scikit-learn shuffles a column: each shuffles the one before."""
    state = np.random.RandomState(np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1))
    rows, shuffle, orders = np.arange(n), np.arange(n), []
    for _ in range(REPEATS):
        state.shuffle(shuffle)
        rows = rows[shuffle]
        orders.append(rows)
    return np.array(orders)


def _our_importance() -> np.ndarray:
    from sklearn.metrics import r2_score

    case = _forest()
    orders = _their_orders(len(case.table), seed=0)
    return dependence.permutation_importance(
        case.model.predict, case.table, case.answers, r2_score, orders=orders
    )


def _their_importance() -> np.ndarray:
    from sklearn.inspection import permutation_importance

    case = _forest()
    return permutation_importance(
        case.model, case.table, case.answers, n_repeats=REPEATS, random_state=0
    ).importances


ROWS = (
    _curves("average"),
    _curves("individual"),
    Row(
        "permutation importance",
        "scikit-learn",
        "the same orders; each of its shuffles starts from the one before",
        _our_importance,
        _their_importance,
    ),
)
