"""Shapley values held against the definition, the axioms, `shap` and captum."""

from itertools import combinations, permutations
from math import factorial

import numpy as np
import pytest
import shap
import torch
from captum.attr import GradientShap, KernelShap
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import nn

from course_utils.labs.tabular import tabular_lab
from course_utils.methods import shapley


def random_game(n_players, seed=0):
    """A game with interactions of every order: each of the 2^n coalitions has a random worth."""
    worths = np.random.default_rng(seed).standard_normal(2**n_players)
    return lambda masks: worths[masks @ (1 << np.arange(n_players))]


def by_definition(value, n):
    """The average over all orders of arrival, one coalition at a time."""
    phi = np.zeros(n)
    for order in permutations(range(n)):
        mask = np.zeros((1, n), np.int64)
        for player in order:
            before = value(mask)[0]
            mask[0, player] = 1
            phi[player] += value(mask)[0] - before
    return phi / factorial(n)


# ---------------------------------------------------------------- exact values and axioms


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_exact_values_equal_the_definition(n):
    value = random_game(n, n)
    assert shapley.shapley_values(value, n) == pytest.approx(by_definition(value, n), abs=1e-13)
    assert shapley.shapley_values(value, n, batch_size=3) == pytest.approx(by_definition(value, n), abs=1e-13)


def test_glove_game_by_hand():
    """Player 0 has a left glove, 1 and 2 right ones; a pair is worth 1."""

    def value(masks):
        return masks[:, 0] * np.maximum(masks[:, 1], masks[:, 2])

    assert shapley.shapley_values(value, 3) == pytest.approx([4 / 6, 1 / 6, 1 / 6])


@pytest.mark.parametrize("rule", [shapley.shapley_values, shapley.kernel_shap])
def test_axioms(rule):
    n = 6
    one, two = random_game(n, 1), random_game(n, 2)
    ones = np.ones((1, n), np.int64)
    assert rule(one, n).sum() == pytest.approx(one(ones)[0] - one(0 * ones)[0])  # efficiency
    both = rule(lambda masks: 2 * one(masks) - two(masks), n)
    assert both == pytest.approx(2 * rule(one, n) - rule(two, n))  # additivity

    def without_player_3(masks):
        masks = masks.copy()
        masks[:, 3] = 0
        return one(masks)

    assert rule(without_player_3, n)[3] == pytest.approx(0, abs=1e-12)  # dummy

    def symmetric(masks):
        masks = masks.copy()
        masks[:, [0, 5]] = np.sort(masks[:, [0, 5]], axis=1)
        return one(masks)

    phi = rule(symmetric, n)
    assert phi[0] == pytest.approx(phi[5])  # symmetry


def test_consistency():
    """A player who adds more to every coalition does not get less."""
    rng = np.random.default_rng(0)
    value, bonus = random_game(5, 3), rng.random(32)

    def richer(masks):
        return value(masks) + masks[:, 2] * bonus[masks @ (1 << np.arange(5))]

    assert shapley.shapley_values(richer, 5)[2] >= shapley.shapley_values(value, 5)[2]


def test_twenty_players():
    weights = np.random.default_rng(0).random(20)
    phi = shapley.shapley_values(lambda masks: (masks @ weights) ** 2, 20)
    assert phi == pytest.approx(weights * weights.sum(), abs=1e-10)


def test_exact_values_equal_shap():
    value = random_game(7)
    explainer = shap.KernelExplainer(lambda x: value(x.astype(np.int64)), np.zeros((1, 7)))
    theirs = explainer.shap_values(np.ones((1, 7)), l1_reg=0, silent=True)  # takes all coalitions
    assert shapley.shapley_values(value, 7) == pytest.approx(theirs[0], abs=1e-12)


def test_interactions():
    n = 6
    value = random_game(n, 4)
    ours = shapley.shapley_interactions(value, n)
    assert np.array_equal(ours, ours.T)
    assert ours.sum(axis=1) == pytest.approx(shapley.shapley_values(value, n))
    ones = np.ones((1, n), np.int64)
    assert ours.sum() == pytest.approx((value(ones) - value(0 * ones))[0])
    for i, j in ((0, 1), (2, 5)):
        others = [k for k in range(n) if k not in (i, j)]
        index = 0
        for size in range(n - 1):
            for team in combinations(others, size):
                masks = np.zeros((4, n), np.int64)
                masks[:, list(team)] = 1
                masks[[0, 1], i] = masks[[0, 2], j] = 1
                weight = factorial(size) * factorial(n - size - 2) / factorial(n - 1)
                index += weight * (value(masks) @ [1, -1, -1, 1])
        assert ours[i, j] == pytest.approx(index / 2)
    product = shapley.shapley_interactions(lambda masks: 3 * masks[:, 0] * masks[:, 2] + masks[:, 1], 3)
    assert product == pytest.approx(np.array([[0, 0, 1.5], [0, 1, 0], [1.5, 0, 0]]), abs=1e-14)
    assert shapley.shapley_interactions(lambda masks: 2.0 * masks[:, 0], 1) == pytest.approx(
        np.array([[2.0]])
    )


def test_tree_interactions_equal_shap():
    table = np.random.default_rng(0).integers(0, 20, (200, 5)).astype(float)
    targets = table[:, 0] * table[:, 1] + table[:, 2]
    tree = DecisionTreeRegressor(max_depth=5, random_state=0).fit(table, targets)
    theirs = shap.TreeExplainer(tree).shap_interaction_values(table[:2])
    t = tree.tree_

    def expectation(row, mask, node=0):  # path-dependent: both branches where the feature is absent
        if t.children_left[node] < 0:
            return t.value[node, 0, 0]
        both = [t.children_left[node], t.children_right[node]]
        if mask[t.feature[node]]:
            return expectation(row, mask, both[int(row[t.feature[node]] > t.threshold[node])])
        return sum(
            t.n_node_samples[child] / t.n_node_samples[node] * expectation(row, mask, child) for child in both
        )

    for row, expected in zip(table[:2], theirs, strict=True):

        def value(masks, row=row):
            return np.array([expectation(row, mask) for mask in masks])

        assert shapley.shapley_interactions(value, 5) == pytest.approx(expected, abs=1e-9)


# ---------------------------------------------------------------- KernelSHAP, permutations


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 11])
def test_kernel_shap_with_all_coalitions_is_exact(n):
    value = random_game(n, n)
    exact = shapley.shapley_values(value, n)
    assert shapley.kernel_shap(value, n) == pytest.approx(exact, abs=1e-12)
    assert shapley.kernel_shap(value, n, 2**n) == pytest.approx(exact, abs=1e-12)


def test_the_kernel():
    assert shapley.shapley_kernel(4, np.arange(5)) == pytest.approx([np.inf, 0.25, 0.125, 0.25, np.inf])
    for budget in (10, 60, 400):
        masks, weights = shapley._kernel_coalitions(11, budget, np.random.default_rng(0))
        sizes = masks.sum(axis=1)
        by_size = np.bincount(sizes, weights, 12)[1:-1]
        s = np.arange(1, 11)
        assert by_size == pytest.approx(by_size[::-1])
        assert weights.sum() == pytest.approx((10 / (s * (11 - s))).sum())
        assert len(masks) <= budget and len(np.unique(masks, axis=0)) == len(masks)


@pytest.mark.parametrize(
    ("rule", "budget"),
    [
        *((shapley.kernel_shap, budget) for budget in (30, 200, 1000)),
        *((shapley.permutation_shap, budget) for budget in (1, 5, 30, 200, 1000)),
    ],
)
def test_estimates_add_up_and_keep_to_the_budget(rule, budget):
    n, calls = 13, []
    value = random_game(n, 5)

    def counting(masks):
        calls.append(len(masks))
        return value(masks)

    phi = rule(counting, n, budget)
    ones = np.ones((1, n), np.int64)
    assert phi.sum() == pytest.approx((value(ones) - value(0 * ones))[0], abs=1e-11)
    least = 24 if rule is shapley.permutation_shap else 2
    assert sum(calls) <= max(budget, least) + 2
    assert np.array_equal(phi, rule(value, n, budget))
    assert rule is shapley.kernel_shap or not np.array_equal(phi, rule(value, n, budget, random_state=1))


@pytest.mark.parametrize("rule", [shapley.kernel_shap, shapley.permutation_shap])
def test_estimates_come_closer_with_more_coalitions(rule):
    n = 12
    weights = np.random.default_rng(2).standard_normal(n)

    def value(masks):
        return np.sin(masks @ weights) + masks[:, 0] * masks[:, 1] * masks[:, 2]

    exact = shapley.shapley_values(value, n)
    errors = [
        np.mean([np.abs(rule(value, n, budget, random_state=s) - exact).max() for s in range(8)])
        for budget in (30, 200, 1500)
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_additive_and_pairwise_games():
    n = 15
    rng = np.random.default_rng(0)
    weights, pairs = rng.standard_normal(n), rng.standard_normal((n, n))
    assert shapley.kernel_shap(lambda masks: masks @ weights, n, 40) == pytest.approx(weights)
    assert shapley.permutation_shap(lambda masks: masks @ weights, n, 28) == pytest.approx(weights)

    def value(masks):
        return np.einsum("bi,ij,bj->b", masks, pairs, masks)

    exact = (pairs + pairs.T).sum(axis=1) / 2
    assert shapley.permutation_shap(value, n, 28) == pytest.approx(exact)
    one_way = shapley.permutation_shap(value, n, 28, antithetic=False)
    assert np.abs(one_way - exact).max() > 0.1
    assert shapley.kernel_shap(value, n, 400) == pytest.approx(exact, abs=1e-10)  # thanks to the pairs


def test_error_is_no_larger_than_that_of_shap():
    n = 16
    weights = np.random.default_rng(1).standard_normal(n)

    def value(masks):
        return np.sin(np.asarray(masks) @ weights)

    exact = shapley.shapley_values(value, n)
    ours, theirs = [], []
    for seed in range(6):
        ours.append(np.abs(shapley.kernel_shap(value, n, 600, random_state=seed) - exact).mean())
        explainer = shap.KernelExplainer(value, np.zeros((1, n)), seed=seed)
        found = explainer.shap_values(np.ones((1, n)), nsamples=600, l1_reg=0, silent=True)
        theirs.append(np.abs(found[0] - exact).mean())
    assert np.mean(ours) < 1.3 * np.mean(theirs)


def test_shap_leaves_players_out_by_default():
    """`l1_reg="num_features(10)"`: of 16 equal players six get nothing."""

    def value(masks):
        return np.asarray(masks).sum(axis=1)

    explainer = shap.KernelExplainer(value, np.zeros((1, 16)))
    default = explainer.shap_values(np.ones((1, 16)), nsamples=1000, silent=True)[0]
    plain = explainer.shap_values(np.ones((1, 16)), nsamples=1000, l1_reg=0, silent=True)[0]
    assert (np.abs(default) < 1e-9).sum() == 6
    assert plain == pytest.approx(np.ones(16))
    assert shapley.kernel_shap(value, 16, 1000) == pytest.approx(np.ones(16))


def test_captum_kernel_shap_converges_to_the_same_values():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    inputs, baselines = torch.randn(1, 6).double(), torch.zeros(1, 6).double()

    def value(masks):
        with torch.inference_mode():
            return model(torch.from_numpy(masks) * inputs)[:, 1].numpy()

    exact = shapley.shapley_values(value, 6)
    captum = KernelShap(model).attribute(
        inputs, baselines=baselines, target=1, n_samples=3000, perturbations_per_eval=100
    )
    assert shapley.kernel_shap(value, 6) == pytest.approx(exact, abs=1e-12)
    assert captum[0].numpy() == pytest.approx(exact, abs=0.02)


# ---------------------------------------------------------------- games


def test_tables_with_absent_features_averaged():
    lab = tabular_lab()
    for row in lab.table[:3]:
        game = shapley.masking_game(lab.predict, row, lab.table)
        assert shapley.shapley_values(game, 4) == pytest.approx(lab.exact(row)[0], abs=1e-10)
    small = shapley.masking_game(lab.predict, lab.table[0], lab.table, batch_size=500)
    assert shapley.kernel_shap(small, 4) == pytest.approx(lab.exact(lab.table[0])[0], abs=1e-10)


@pytest.mark.parametrize("make", [shapley.masking_game, shapley.conditional_game])
@pytest.mark.parametrize("masks", [[[2, 0, 0]], [[-1, 0, 0]], [[1]], [1, 0, 0], [[1, 0]], [[np.nan, 0, 1]]])
def test_a_game_of_a_table_refuses_what_is_no_coalition(make, masks):
    table = np.arange(12.0).reshape(4, 3)
    game = make(lambda rows: rows.sum(axis=1), table[0], table)
    assert game(np.array([[True, False, True]])).shape == (1,)
    with pytest.raises(ValueError, match="masks must"):
        game(np.array(masks))


@pytest.mark.parametrize("model", ["formula", "formula_without_park", "forest"])
def test_marginal_and_conditional_games(model):
    lab = tabular_lab("apartments_correlated", model)
    row = lab.table[0]
    marginal = shapley.shapley_values(shapley.masking_game(lab.predict, row, lab.table), 4)
    conditional = shapley.shapley_values(shapley.conditional_game(lab.predict, row, lab.table), 4)
    assert marginal == pytest.approx(lab.exact(row)[0], abs=1e-9)
    assert conditional == pytest.approx(lab.exact(row, conditional=True)[0], abs=1e-9)
    assert np.abs(marginal - conditional).max() > 1
    with pytest.raises(ValueError, match="row of the table"):
        shapley.conditional_game(lab.predict, row + 1, lab.table)


def test_classes_of_a_table_equal_shap():
    table, targets = load_iris(return_X_y=True)
    model = RandomForestClassifier(5, random_state=0).fit(table, targets)
    background = table[::15]
    ours = shapley.shapley_values(shapley.masking_game(model.predict_proba, table[70], background, 1), 4)
    explainer = shap.KernelExplainer(model.predict_proba, background)
    theirs = explainer.shap_values(table[70:71], l1_reg=0, silent=True)
    assert ours == pytest.approx(theirs[0, :, 1], abs=1e-12)
    with pytest.raises(ValueError, match="out of range"):
        shapley.masking_game(model.predict_proba, table[0], background, 3)(np.ones((1, 4)))
    with pytest.raises(ValueError, match="target"):
        shapley.masking_game(model.predict_proba, table[0], background)(np.ones((1, 4)))


def test_pictures():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)
    rows, columns = np.indices((12, 12))
    segments = rows // 6 * 2 + columns // 4

    def predict(images):
        means = images[:, :, :, 0].reshape(len(images), -1).mean(axis=1) / 255
        return np.stack([1 - means, means], axis=1)

    n = segments.max() + 1
    phi = shapley.shapley_values(shapley.image_game(predict, image, 1, segments, 0, batch_size=7), n)
    parts = [np.where(segments == j, image[..., 0], 0).mean() / 255 for j in range(n)]
    assert phi == pytest.approx(parts)
    masks = rng.integers(0, 2, (5, n))
    game = shapley.image_game(predict, image, 0, segments)
    shown = masks[:, segments][..., None] == 1
    assert game(masks) == pytest.approx(predict(np.where(shown, image, _mean_colours(image, segments)))[:, 0])


def _mean_colours(image, segments):
    means = image.copy()
    for j in np.unique(segments):
        means[segments == j] = image[segments == j].mean(axis=0)
    return means


def test_texts():
    def predict(texts):
        return np.array([[0, text.split().count("good") - 2.0 * ("not good" in text)] for text in texts])

    game, words = shapley.text_game(predict, "not good, good", 1)
    assert words == ("not", "good", "good")
    assert shapley.shapley_values(game, 3) == pytest.approx(by_definition(game, 3))
    game, words = shapley.text_game(predict, "not good, good", 1, bag_of_words=True)
    assert words == ("not", "good")
    with pytest.raises(ValueError, match="no word"):
        shapley.text_game(predict, "...", 1)


# ---------------------------------------------------------------- shortcuts


def test_linear_models():
    rng = np.random.default_rng(0)
    table, x = rng.standard_normal((30, 5)), rng.standard_normal((4, 5))
    model = LinearRegression().fit(table, rng.standard_normal(30))
    ours = shapley.linear_shap(model.coef_, x, table)
    assert ours == pytest.approx(shap.LinearExplainer(model, table).shap_values(x), abs=1e-12)
    assert shapley.linear_shap(model.coef_, x[0], table.mean(axis=0)) == pytest.approx(ours[0])
    exact = shapley.shapley_values(shapley.masking_game(model.predict, x[0], table), 5)
    assert ours[0] == pytest.approx(exact, abs=1e-12)
    with pytest.raises(ValueError, match="differ"):
        shapley.linear_shap(model.coef_, x[:, :3], table)


TREES = {
    "tree": DecisionTreeRegressor(max_depth=6, random_state=0),
    "forest": RandomForestRegressor(5, max_depth=7, random_state=0),
    "extra": ExtraTreesRegressor(4, max_depth=8, random_state=0),
    "boosting": GradientBoostingRegressor(n_estimators=12, random_state=0),
    "tree classes": DecisionTreeClassifier(max_depth=6, random_state=0),
    "forest classes": RandomForestClassifier(5, max_depth=5, random_state=0),
    "boosting classes": GradientBoostingClassifier(n_estimators=10, random_state=0),
}


@pytest.fixture(scope="module", params=TREES)
def trees(request):
    # whole numbers, so that no value is within single precision of a threshold (see below)
    table = np.random.default_rng(0).integers(0, 30, (300, 7)).astype(float)
    score = table[:, 0] * table[:, 1] / 30 + 10 * np.sin(table[:, 2]) + table[:, 3]
    return TREES[request.param].fit(
        table, score > score.mean() if "classes" in request.param else score
    ), table


def test_trees_equal_shap(trees):
    model, table = trees
    rows, background = table[:6], table[50:70]
    ours = shapley.tree_shap(model, rows, method="path_dependent")
    theirs = shap.TreeExplainer(model).shap_values(rows, check_additivity=False)
    assert ours == pytest.approx(theirs, abs=1e-11)
    ours = shapley.tree_shap(model, rows, background)
    explainer = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    assert ours == pytest.approx(explainer.shap_values(rows, check_additivity=False), abs=1e-4)
    assert shapley.tree_shap(model, rows[0], background) == pytest.approx(ours[0], abs=1e-12)


def test_trees_equal_enumeration(trees):
    model, table = trees
    background = table[50:70]
    if isinstance(model, GradientBoostingClassifier):
        predict, target = model.decision_function, None
    elif hasattr(model, "classes_"):
        predict, target = model.predict_proba, 1
    else:
        predict, target = model.predict, None
    ours = shapley.tree_shap(model, table[:3], background, target=target)
    for row, phi in zip(table, ours, strict=False):
        exact = shapley.shapley_values(shapley.masking_game(predict, row, background, target), 7)
        assert phi == pytest.approx(exact, abs=1e-12)
    outputs = predict(np.concatenate([table[:3], background]))
    outputs = outputs if target is None else outputs[:, target]
    assert ours.sum(axis=1) == pytest.approx(outputs[:3] - outputs[3:].mean(), abs=1e-12)


def test_values_next_to_a_threshold_go_the_right_way():
    """Neighbours in single precision: the rows must take the branches that the model takes."""
    left = np.float32(0.1)
    right = np.nextafter(left, np.float32(1))
    right = np.nextafter(right, np.float32(1))
    rng = np.random.default_rng(0)
    table = np.stack([rng.choice([left, right], 40), rng.random(40).astype(np.float32)], axis=1).astype(float)
    tree = DecisionTreeRegressor(max_depth=2).fit(table, rng.random(40))
    for row in table[:5]:
        exact = shapley.shapley_values(shapley.masking_game(tree.predict, row, table), 2)
        assert shapley.tree_shap(tree, row, table) == pytest.approx(exact, abs=1e-12)


def test_real_tables_equal_enumeration_in_both_ways():
    table, targets = load_breast_cancer(return_X_y=True)
    model = RandomForestClassifier(10, random_state=0).fit(table[:, :8], targets)
    rows, background = table[:2, :8], table[100:140, :8]
    ours = shapley.tree_shap(model, rows, background)
    assert ours.shape == (2, 8, 2) and ours.sum(axis=2) == pytest.approx(0, abs=1e-12)
    for row, phi in zip(rows, ours[:, :, 1], strict=True):
        exact = shapley.shapley_values(shapley.masking_game(model.predict_proba, row, background, 1), 8)
        assert phi == pytest.approx(exact, abs=1e-12)
    theirs = shap.TreeExplainer(model).shap_values(rows)
    assert shapley.tree_shap(model, rows, method="path_dependent") == pytest.approx(theirs, abs=1e-11)


def test_three_classes_of_boosting_equal_shap_enumeration():
    table, targets = load_iris(return_X_y=True)
    model = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(table, targets)
    ours = shapley.tree_shap(model, table[60], table[::10])
    for k in range(3):
        game = shapley.masking_game(model.decision_function, table[60], table[::10], k)
        assert ours[:, k] == pytest.approx(shapley.shapley_values(game, 4), abs=1e-12)


def test_a_tree_that_is_one_leaf():
    tree = DecisionTreeRegressor().fit(np.zeros((5, 2)), np.ones(5))
    assert np.array_equal(
        shapley.tree_shap(tree, np.zeros((3, 2)), method="path_dependent"), np.zeros((3, 2))
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": LinearRegression()}, TypeError, "LinearRegression"),
        ({"model": DecisionTreeRegressor()}, TypeError, "fitted"),
        ({"method": "exact"}, ValueError, "path_dependent"),
        ({"background": None}, ValueError, "background"),
        ({"background": np.zeros((3, 9))}, ValueError, "background"),
        ({"x": np.zeros((1, 3))}, ValueError, "finite"),
        ({"x": np.full((1, 2), np.nan)}, ValueError, "finite"),
        ({"target": 1}, ValueError, "out of range"),
    ],
)
def test_trees_refuse_bad_input(arguments, error, message):
    table = np.random.default_rng(0).random((20, 2))
    usual = {"model": DecisionTreeRegressor().fit(table, table[:, 0]), "x": table, "background": table}
    with pytest.raises(error, match=message):
        shapley.tree_shap(**(usual | arguments))


# ---------------------------------------------------------------- expected gradients


def test_gradient_shap_of_a_linear_model_is_exact():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).double()
    inputs, baseline = torch.randn(2, 3, 2, 2).double(), torch.randn(1, 3, 2, 2).double()
    target = torch.tensor([2, 0])
    ours = shapley.gradient_shap(model, inputs, target, baseline, 5)
    expected = (inputs - baseline) * model[1].weight[target].reshape(2, 3, 2, 2)
    assert torch.allclose(ours, expected, atol=1e-12)


def test_gradient_shap_agrees_with_captum():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Softplus(), nn.Flatten(), nn.Linear(16, 2)).double().train()
    inputs, baselines = torch.randn(3, 1, 4, 4).double(), torch.randn(5, 1, 4, 4).double()
    ours = shapley.gradient_shap(model, inputs, 1, baselines, 2000)
    theirs = GradientShap(model).attribute(inputs, baselines, n_samples=2000, stdevs=0.0, target=1)
    assert (ours - theirs).abs().max() < 0.15 * theirs.abs().max()
    total = model(inputs)[:, 1] - model(baselines)[:, 1].mean()
    assert (ours.sum(dim=(1, 2, 3)) - total).abs().max() < 0.05
    assert model.training and all(p.grad is None for p in model.parameters())
    again = shapley.gradient_shap(model, inputs, 1, baselines, 2000)
    assert torch.equal(ours, again)
    with pytest.raises(ValueError, match="baselines"):
        shapley.gradient_shap(model, inputs, 1, baselines[:, :, :2])


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shapley.shapley_values(random_game(3), 0), "1 to 25"),
        (lambda: shapley.shapley_values(random_game(3), 40), "kernel_shap"),
        (lambda: shapley.shapley_values(lambda masks: masks, 3), "expected"),
        (lambda: shapley.kernel_shap(lambda masks: masks[:, 0] * np.nan, 3), "NaN"),
        (lambda: shapley.kernel_shap(random_game(3), 3, 0), "n_samples"),
        (lambda: shapley.permutation_shap(random_game(3), 3, 0), "n_samples"),
        (lambda: shapley.masking_game(np.sum, np.zeros(3), np.zeros((4, 2))), r"\(K, d\)"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
