"""Partial dependence and permutation importance held against scikit-learn and plain reasoning."""

import numpy as np
import pytest
from sklearn import inspection
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import accuracy_score, r2_score

from course_utils.methods.dependence import ice_curves, partial_dependence, permutation_importance


@pytest.fixture(scope="module")
def patients():
    table, outcome = load_diabetes(return_X_y=True)
    return RandomForestRegressor(20, random_state=0).fit(table[:300], outcome[:300]), table, outcome


@pytest.fixture(scope="module")
def tumours():
    table, malignant = load_breast_cancer(return_X_y=True)
    return RandomForestClassifier(20, random_state=0).fit(table[:400], malignant[:400]), table, malignant


def library_orders(n_rows, n_repeats, random_state):
    """The orders in which scikit-learn's permutation_importance(random_state=…) puts each column."""
    draw = np.random.RandomState(np.random.RandomState(random_state).randint(2**31))
    index, order, orders = np.arange(n_rows), np.arange(n_rows), []
    for _ in range(n_repeats):  # both are shuffled again and again, never put back
        draw.shuffle(index)
        order = order[index]
        orders.append(order)
    return np.array(orders)


@pytest.mark.parametrize("column", [0, 2, 8])
def test_curves_equal_scikit_learn(patients, column):
    model, table, _ = patients
    theirs = inspection.partial_dependence(
        model, table, [column], grid_resolution=7, method="brute", kind="both"
    )
    grid = theirs["grid_values"][0]
    np.testing.assert_allclose(ice_curves(model.predict, table, column, grid), theirs["individual"][0])
    np.testing.assert_allclose(partial_dependence(model.predict, table, column, grid), theirs["average"][0])


def test_curve_of_a_probability_equals_scikit_learn(tumours):
    model, table, _ = tumours
    theirs = inspection.partial_dependence(model, table, [20], grid_resolution=5, method="brute")
    ours = partial_dependence(
        lambda rows: model.predict_proba(rows)[:, 1], table, 20, theirs["grid_values"][0]
    )
    np.testing.assert_allclose(ours, theirs["average"][0])


@pytest.mark.parametrize("random_state", [0, 7])
def test_importance_equals_scikit_learn_for_the_same_shuffles(tumours, random_state):
    model, table, malignant = tumours
    rows, truth = table[400:], malignant[400:]
    theirs = inspection.permutation_importance(model, rows, truth, n_repeats=4, random_state=random_state)
    orders = library_orders(len(rows), 4, random_state)
    ours = permutation_importance(model.predict, rows, truth, accuracy_score, orders=orders)
    np.testing.assert_allclose(ours, theirs.importances, atol=1e-12)


def test_importance_agrees_with_scikit_learn_on_the_average(patients):
    model, table, outcome = patients
    rows, truth = table[300:], outcome[300:]
    theirs = inspection.permutation_importance(model, rows, truth, n_repeats=60, random_state=0)
    ours = permutation_importance(model.predict, rows, truth, r2_score, n_repeats=60, seed=1)
    spread = np.hypot(theirs.importances_std, ours.std(axis=1)) / np.sqrt(60)
    assert (np.abs(ours.mean(axis=1) - theirs.importances_mean) < 4 * spread + 1e-9).all()


def test_partial_dependence_of_a_sum_is_its_own_curve():
    table = np.random.default_rng(0).normal(size=(50, 3)) @ np.array([[1, 0.9, 0], [0, 1, 0], [0, 0, 1]])
    grid = np.linspace(-2, 2, 9)
    curve = partial_dependence(lambda rows: np.sin(rows[:, 0]) + 3 * rows[:, 1] ** 2, table, 0, grid)
    np.testing.assert_allclose(curve - curve[4], np.sin(grid), atol=1e-12)


def test_a_column_that_the_model_does_not_read_gets_zero():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(40, 3))
    table[:, 2] = table[:, 0]  # a copy, but the model only reads the original
    falls = permutation_importance(lambda rows: rows[:, 0], table, table[:, 0], r2_score, 6, 3)
    assert falls.shape == (3, 6) and (falls[1:] == 0).all() and falls[0].mean() > 1.5


def test_columns_can_be_shuffled_together():
    table = np.repeat(np.random.default_rng(0).normal(size=(200, 1)), 2, axis=1)

    def either(rows):  # right as long as one of two copies is in order
        return np.where(np.isin(rows[:, 0], table[:5, 0]), rows[:, 1], rows[:, 0])

    truth = either(table)
    alone = permutation_importance(either, table, truth, r2_score, 3)
    together = permutation_importance(either, table, truth, r2_score, 3, groups=[[0, 1], [1]])
    assert together.shape == (2, 3)
    np.testing.assert_array_equal(together[1], alone[1])
    assert (together[0] > alone[1]).all()


def test_seed_decides_and_nothing_is_changed(patients):
    model, table, outcome = patients
    before = table.copy()
    first, again, other = (
        permutation_importance(model.predict, table, outcome, r2_score, 2, seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    partial_dependence(model.predict, table, 0, np.array([0.0]))
    assert np.array_equal(table, before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, p: partial_dependence(p, t, 3, np.zeros(2)), "no column 3"),
        (lambda t, p: partial_dependence(p, t, -1, np.zeros(2)), "no column -1"),
        (lambda t, p: partial_dependence(p, t, 0, np.zeros((2, 2))), "grid"),
        (lambda t, p: partial_dependence(p, t[0], 0, np.zeros(2)), "shape"),
        (lambda t, p: partial_dependence(lambda rows: rows, t, 0, np.zeros(2)), "one number a row"),
        (lambda t, p: permutation_importance(p, t, np.zeros(3), r2_score), "targets"),
        (lambda t, p: permutation_importance(p, t, np.zeros(4), r2_score, 0), "n_repeats"),
        (lambda t, p: permutation_importance(p, t, np.zeros(4), r2_score, groups=[[5]]), "no column 5"),
        (lambda t, p: permutation_importance(p, t, np.zeros(4), r2_score, orders=np.zeros((1, 4))), "once"),
        (
            lambda t, p: permutation_importance(p, t, np.zeros(4), r2_score, orders=np.arange(4.0)[None]),
            "once",
        ),
        (
            lambda t, p: permutation_importance(p, t, np.zeros(4), r2_score, orders=np.zeros((0, 4), int)),
            "once",
        ),
        (
            lambda t, p: permutation_importance(p, t, np.zeros(4), r2_score, orders=np.zeros((1, 3), int)),
            "once",
        ),
        (lambda t, p: permutation_importance(p, t, np.zeros(4), r2_score, groups=[[0], []]), "at least one"),
        (lambda t, p: permutation_importance(p, t, np.zeros(4), r2_score, groups=[]), "must be a group"),
        (lambda t, p: permutation_importance(p, t, np.zeros((4, 1)), r2_score), "a row"),
        (lambda t, p: permutation_importance(p, t, None, r2_score), "a row"),
        (lambda t, p: permutation_importance(p, t, np.full(4, np.nan), r2_score), "truth"),
        (
            lambda t, p: permutation_importance(lambda rows: rows[:, :1], t, np.zeros(4), r2_score),
            "one answer",
        ),
        (
            lambda t, p: permutation_importance(lambda rows: rows[:1, 0], t, np.zeros(4), r2_score),
            "one answer",
        ),
        (lambda t, p: permutation_importance(p, t * np.nan, np.zeros(4), r2_score), "table contains NaN"),
        (lambda t, p: partial_dependence(p, t * np.inf, 0, np.zeros(2)), "table contains NaN"),
        (lambda t, p: partial_dependence(p, t * 1j, 0, np.zeros(2)), "hold numbers"),
        (lambda t, p: partial_dependence(p, t, 0, [0.0, None]), "grid contains NaN"),
        (lambda t, p: partial_dependence(p, t, 0, ["a"]), "grid must hold numbers"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((4, 3)), lambda rows: rows[:, 0])


def test_groups_are_lists_of_columns():
    with pytest.raises(TypeError, match="lists of columns"):
        permutation_importance(lambda rows: rows[:, 0], np.ones((4, 3)), np.zeros(4), r2_score, groups=[0, 1])
