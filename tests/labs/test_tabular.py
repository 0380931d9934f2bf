"""The tables: the town's exact values by hand, and models that learned something."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from course_utils.labs.tabular import APARTMENT_TABLES, BUILT_IN_TABLES, MODELS, apartments, tabular_lab

FLAT = np.array([1.0, 50.0, 2.0, 1.0])  # a park, 50 m², second floor, no cats


@pytest.mark.parametrize("table", BUILT_IN_TABLES)
@pytest.mark.parametrize("model", MODELS)
def test_models_learned_something(table, model):
    lab = tabular_lab(table, model)
    n, d = lab.table.shape
    assert lab.targets.shape == (n,) and len(lab.feature_names) == d and lab.name == table
    assert 0.2 < lab.unseen.mean() < 0.4 and lab.exact is None
    outputs = lab.predict(lab.table)
    if lab.class_names:
        assert outputs.shape == (n, len(lab.class_names))
        assert outputs.sum(axis=1) == pytest.approx(1)
        assert (outputs.argmax(axis=1) == lab.targets)[lab.unseen].mean() > 0.85
    else:
        assert outputs.shape == (n,)
        assert r2_score(lab.targets[lab.unseen], outputs[lab.unseen]) > 0.1


@pytest.mark.parametrize("table", APARTMENT_TABLES)
@pytest.mark.parametrize("model", [*MODELS, "formula", "formula_without_park"])
def test_exact_values_add_up_whatever_the_model(table, model):
    lab = tabular_lab(table, model)
    rows = lab.table[:4]
    for conditional in (False, True):
        values = lab.exact(rows, conditional=conditional)
        assert values.sum(axis=1) == pytest.approx(
            lab.predict(rows) - lab.predict(lab.table).mean(), abs=1e-9
        )


def test_the_town():
    for correlated in (False, True):
        town = apartments(correlated)
        assert town.mean(axis=0) == pytest.approx([0.5, 65, 2, 1 / 3])
        correlation = np.corrcoef(town.T)
        assert (abs(correlation[0, 1]) > 0.5) == correlated
        correlation[0, 1] = correlation[1, 0] = 0
        assert correlation == pytest.approx(np.eye(4), abs=1e-12)
        assert not np.array_equal(town, apartments(correlated, seed=1))
        assert np.array_equal(town, apartments(correlated, seed=0))
    park, area = apartments(True)[:, :2].T
    assert area[park == 1].mean() == pytest.approx(80) and area[park == 0].mean() == pytest.approx(50)
    assert park[area == 60].mean() == pytest.approx(3 / 7)


def test_independent_values_by_hand():
    lab = tabular_lab()
    assert lab.predict(FLAT[None]) == pytest.approx([215]) and lab.targets.mean() == pytest.approx(271.25)
    expected = [14.375, -45 - 5.625, 0, -20]
    assert lab.exact(FLAT)[0] == pytest.approx(expected, abs=1e-10)
    assert lab.exact(FLAT, conditional=True)[0] == pytest.approx(expected, abs=1e-10)


def test_marginal_and_conditional_differ_in_the_correlated_town():
    lab = tabular_lab("apartments_correlated")
    # the mean of area · park is 40 = P(park) · 80, instead of 65 / 2
    none, park, area, both = 0.5 * 40, 0.5 * 65, 0.5 * 50 / 2, 0.5 * 50
    first = ((park - none) + (both - area)) / 2
    second = ((area - none) + (both - park)) / 2
    assert lab.exact(FLAT)[0] == pytest.approx([first, second - 45, 0, -20], abs=1e-10)
    # with 50 m² a park is nearby in 2 of 7 cases; next to a park the mean area is 80
    none, park, area, both = 195 + 20, 3.5 * 80, 150 + 0.5 * 50 * 2 / 7, 175
    first = ((park - none) + (both - area)) / 2
    second = ((area - none) + (both - park)) / 2
    assert lab.exact(FLAT, conditional=True)[0] == pytest.approx([first, second, 0, -20], abs=1e-10)


def test_a_feature_that_the_formula_ignores():
    lab = tabular_lab("apartments_correlated", "formula_without_park")
    assert lab.exact(FLAT)[0] == pytest.approx([0, -45, 0, -20], abs=1e-10)
    park = 3 * (80 - 65) / 2
    assert lab.exact(FLAT, conditional=True)[0] == pytest.approx([park, -45 - park, 0, -20], abs=1e-10)


def test_wrong_names_and_rows():
    with pytest.raises(ValueError, match="breast_cancer"):
        tabular_lab("houses")
    with pytest.raises(ValueError, match="forest"):
        tabular_lab("wine", "formula")
    with pytest.raises(ValueError, match="rows of the table"):
        tabular_lab().exact([[1, 55, 2, 0]], conditional=True)
    with pytest.raises(ValueError, match="4 columns"):
        tabular_lab().exact([[1, 55, 2]])
