"""Counterfactuals held against linear programs, scikit-learn, and worlds whose answers are known."""

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.neighbors import NearestNeighbors

from course_utils.methods import counterfactual as methods

CHAIN = {"a": lambda v: 0.0, "b": lambda v: 2 * v["a"], "c": lambda v: v["a"] - 3 * v["b"] + 1}


def case(seed: int, d: int):
    rng = np.random.default_rng(seed)
    row, scales = rng.normal(size=d), rng.uniform(0.5, 2, d)
    return (
        rng.normal(size=d),
        rng.normal(),
        row,
        scales,
        row - rng.uniform(0, 1, d),
        row + rng.uniform(0, 1, d),
    )


@pytest.mark.parametrize("d", [1, 2, 5, 9])
@pytest.mark.parametrize("limited", [False, True])
def test_cheapest_change_equals_a_linear_program(d, limited):
    solved = 0
    for seed in range(30):
        weights, intercept, row, scales, low, high = case(seed, d)
        limits = (low, high) if limited else (None, None)
        bounds = [(0, b) for b in ([*(high - row), *(row - low)] if limited else [None] * (2 * d))]
        program = linprog(
            np.r_[1 / scales, 1 / scales],
            A_eq=np.r_[weights, -weights][None],
            b_eq=[-(weights @ row + intercept)],
            bounds=bounds,
        )
        if program.status == 2:  # nothing within the limits is enough
            with pytest.raises(ValueError, match="widen"):
                methods.cheapest_change(weights, intercept, row, scales, *limits)
            continue
        change = methods.cheapest_change(weights, intercept, row, scales, *limits)
        assert weights @ (row + change) + intercept == pytest.approx(0, abs=1e-9)
        assert (np.abs(change) / scales).sum() == pytest.approx(program.fun, abs=1e-7)
        if limited:
            assert (change >= low - row - 1e-12).all() and (change <= high - row + 1e-12).all()
        solved += 1
    assert solved > 5


def test_what_may_not_change_does_not():
    weights, row = np.array([3.0, 1.0]), np.array([1.0, 0.0])
    change = methods.cheapest_change(weights, 0, row, np.ones(2), low=[1, -np.inf], high=[1, np.inf])
    np.testing.assert_allclose(change, [0, -3])
    np.testing.assert_allclose(methods.cheapest_change(weights, -3, row, np.ones(2)), 0)


def test_search_approaches_the_closed_form():
    weights, intercept, row, scales, *_ = case(3, 3)
    exact = methods.cheapest_change(weights, intercept, row, scales)
    sign = -np.sign(weights @ row + intercept)
    steps = [np.linspace(-8, 8, 801) + value for value in row]
    found = methods.search_change(
        lambda rows: sign * (rows @ weights + intercept) >= 0, row, steps, scales, max_columns=1
    )
    assert (np.abs(found) > 0).sum() == 1
    assert 0 <= (np.abs(found) / scales).sum() - (np.abs(exact) / scales).sum() < 0.05


def test_search_needs_two_columns_for_an_and():
    change = methods.search_change(
        lambda rows: (rows > 0.5).all(axis=1), np.zeros(3)[:2], [[0, 1, 2], [0, 0.6, 3]], [1, 1]
    )
    np.testing.assert_allclose(change, [1, 0.6])
    already = methods.search_change(lambda rows: rows[:, 0] < 5, [1.0, 2.0], [[], [3]], [1, 1])
    np.testing.assert_allclose(already, 0)


def test_nearest_accepted_equals_scikit_learn():
    rng = np.random.default_rng(0)
    rows, scales = rng.normal(size=(50, 4)), rng.uniform(0.5, 2, 4)
    theirs = NearestNeighbors(n_neighbors=1, metric="manhattan").fit(rows / scales)
    for row in rng.normal(size=(9, 4)):
        assert methods.nearest_accepted(row, rows, scales) == theirs.kneighbors([row / scales])[1][0, 0]


def test_deviations_equal_scipy():
    from scipy.stats import median_abs_deviation

    table = np.random.default_rng(0).normal(size=(31, 4)) * [1, 2, 5, 0.1]
    np.testing.assert_allclose(methods.deviations(table), median_abs_deviation(table, axis=0))


def test_world_of_sums_equals_its_matrix():
    rng = np.random.default_rng(0)
    noise = {name: rng.normal(size=7) for name in CHAIN}
    B = np.array([[0, 0, 0], [2, 0, 0], [1, -3, 0]])  # row: effect; column: cause
    u = np.stack([noise["a"], noise["b"], noise["c"] + 1])
    seen = methods.simulate(CHAIN, noise)
    np.testing.assert_allclose(np.stack(list(seen.values())), np.linalg.solve(np.eye(3) - B, u))
    back = methods.abduct(CHAIN, seen)
    for name in CHAIN:
        np.testing.assert_allclose(back[name], noise[name])
    forced = methods.what_if(CHAIN, seen, {"b": seen["b"] + 1})
    np.testing.assert_allclose(forced["a"], seen["a"])
    np.testing.assert_allclose(forced["c"], seen["c"] - 3)


def test_nothing_changed_is_what_was_seen_and_inputs_stay():
    seen = {"a": 1.0, "b": 5.0, "c": np.array([2.0, 3.0])}
    same = methods.what_if(CHAIN, seen, {})
    assert seen["b"] == 5.0
    for name in CHAIN:
        np.testing.assert_allclose(same[name], np.broadcast_to(seen[name], 2))
    assert methods.simulate(CHAIN, {"a": 0, "b": 0, "c": 0}, {"b": 4.0})["c"].tolist() == [-11.0]


SEEN = {"a": 1.0, "b": 2.0, "c": 3.0}
TWO = np.ones(2)
BAD = {
    "do of a stranger": (lambda: methods.simulate(CHAIN, SEEN, {"d": 1}), "do has 'd'"),
    "do is a list": (lambda: methods.what_if(CHAIN, SEEN, [1]), "dict"),
    "noise lacks": (lambda: methods.simulate(CHAIN, {"a": 1, "b": 2}), "noise lacks 'c'"),
    "values lack": (lambda: methods.abduct(CHAIN, {"a": 1}), "values lacks 'b'"),
    "NaN": (lambda: methods.abduct(CHAIN, SEEN | {"b": np.nan}), "'b' holds NaN"),
    "order": (
        lambda: methods.simulate({"x": lambda v: v["y"], "y": lambda v: 0}, {"x": 0, "y": 0}),
        "causes before effects",
    ),
    "a table in place of a column": (
        lambda: methods.simulate(CHAIN, SEEN | {"a": np.ones((3, 1))}),
        "one column",
    ),
    "an equation that returns a table": (
        lambda: methods.simulate({"a": lambda v: np.ones((3, 3))}, {"a": np.ones(3)}),
        "equation of 'a' returned the shape \\(3, 3\\)",
    ),
    "two lengths": (
        lambda: methods.abduct(CHAIN, SEEN | {"a": np.ones(3), "b": np.ones(2)}),
        "lengths 2, 3: give all of one length",
    ),
    "masked column": (
        lambda: methods.abduct(CHAIN, SEEN | {"a": np.ma.array([1.0, 2.0], mask=[True, False])}),
        "'a' has masked values",
    ),
    "complex table": (lambda: methods.deviations(np.eye(4) * 1j), "table must hold numbers"),
    "flat table": (lambda: methods.deviations(np.ones(3)), "table must"),
    "constant column": (lambda: methods.deviations(np.eye(4)), "column 0"),
    "weights too long": (lambda: methods.cheapest_change(np.ones(3), 0, TWO, TWO), "weights has 3"),
    "weights NaN": (lambda: methods.cheapest_change([1, np.nan], 0, TWO, TWO), "weights"),
    "intercept": (lambda: methods.cheapest_change(TWO, "0", TWO, TWO), "intercept"),
    "scale 0": (lambda: methods.cheapest_change(TWO, 0, TWO, [1, 0]), "scales"),
    "outside": (lambda: methods.cheapest_change(TWO, 0, TWO, TWO, low=[2, 0]), "column 0"),
    "not enough": (lambda: methods.cheapest_change(TWO, 0, TWO, TWO, low=[0.5, 0.5]), "widen"),
    "no weight": (lambda: methods.cheapest_change([0, 0], 1, TWO, TWO), "widen"),
    "one list too few": (lambda: methods.search_change(len, TWO, [[1]], TWO), "candidates has 1"),
    "no bool": (lambda: methods.search_change(lambda r: r[:, 0], TWO, [[1], [2]], TWO), "True and False"),
    "never": (lambda: methods.search_change(lambda r: r[:, 0] > 9, TWO, [[1], [2]], TWO), "max_columns"),
    "too many": (
        lambda: methods.search_change(len, TWO, [range(2000)] * 2, TWO),
        "combinations",
    ),
    "max_columns": (lambda: methods.search_change(len, TWO, [[1], [2]], TWO, 0), "max_columns"),
    "no rows": (lambda: methods.nearest_accepted(TWO, np.empty((0, 2)), TWO), "accepted_rows"),
}


@pytest.mark.parametrize(("call", "named"), BAD.values(), ids=BAD)
def test_bad_input_counterfactual(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_abduction_gives_each_variable_as_many_values():
    found = methods.abduct(CHAIN, {"a": 1.0, "b": np.ones(3), "c": 2.0})
    assert {values.shape for values in found.values()} == {(3,)}
