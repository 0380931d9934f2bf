"""Counterfactuals beside scipy, scikit-learn, and the matrix of a world of sums."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np

from course_utils.judge.agreement.row import Row
from course_utils.methods import counterfactual

CHAIN = {"a": lambda v: 0.0, "b": lambda v: 2 * v["a"], "c": lambda v: v["a"] - 3 * v["b"]}
ARROWS = np.array([[0, 0, 0], [2, 0, 0], [1, -3, 0]])  # row: effect; column: cause


@cache
def _case() -> SimpleNamespace:
    """A linear model, a table, one of its rows, and limits for its changes."""
    rng = np.random.default_rng(0)
    table, weights = rng.normal(size=(30, 5)), rng.normal(size=5)
    row = table[0]
    return SimpleNamespace(
        table=table, weights=weights, row=row, scales=counterfactual.deviations(table),
        low=row - 0.4, high=row + 0.4, intercept=-float(weights @ row) - 0.6,
        noise={name: rng.normal(size=9) for name in CHAIN},
    )  # fmt: skip


def _cheapest() -> np.ndarray:
    case = _case()
    return counterfactual.cheapest_change(
        case.weights, case.intercept, case.row, case.scales, case.low, case.high
    )


def _program() -> np.ndarray:
    from scipy.optimize import linprog

    case = _case()
    bounds = [(0, room) for room in (*(case.high - case.row), *(case.row - case.low))]
    found = linprog(
        np.r_[1 / case.scales, 1 / case.scales], A_eq=np.r_[case.weights, -case.weights][None],
        b_eq=[-(case.weights @ case.row + case.intercept)], bounds=bounds,
    )  # fmt: skip
    return found.x[:5] - found.x[5:]


def _nearest() -> np.ndarray:
    case = _case()
    return case.table[10:][
        [counterfactual.nearest_accepted(row, case.table[10:], case.scales) for row in case.table[:10]]
    ]


def _neighbours() -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    case = _case()
    program = NearestNeighbors(n_neighbors=1, metric="manhattan").fit(case.table[10:] / case.scales)
    return case.table[10:][program.kneighbors(case.table[:10] / case.scales)[1][:, 0]]


def _deviations() -> np.ndarray:
    from scipy.stats import median_abs_deviation

    return median_abs_deviation(_case().table, axis=0)


ROWS = (
    Row("cheapest change", "scipy linprog", "Σ |Δ| / MAD, with limits", _cheapest, _program),
    Row("nearest accepted row", "scikit-learn", "Manhattan distance in MADs", _nearest, _neighbours),
    Row(
        "median absolute deviation",
        "scipy.stats",
        "not multiplied by 1.4826",
        lambda: counterfactual.deviations(_case().table),
        _deviations,
    ),
    Row(
        "causal model",
        "NumPy",
        "(1 − B)⁻¹ u in a world of sums",
        lambda: np.stack(list(counterfactual.simulate(CHAIN, _case().noise).values())),
        lambda: np.linalg.solve(np.eye(3) - ARROWS, np.stack(list(_case().noise.values()))),
    ),
)
