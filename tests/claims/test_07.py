"""Claims of lesson 07 and its companions."""

from functools import cache

import numpy as np
from replication import claim

from course_utils.labs import load_lab
from course_utils.lessons.l07_shap import worst
from course_utils.methods import dependence, shapley
from course_utils.teach.superpixels import all_masks, look_up, network_answers, superpixels

# ---------------------------------------------------------------- 07, the core


def _always(rule, n: int, rng: np.random.Generator, n_games: int = 60) -> tuple[float, float, float]:
    """How far a rule is from local accuracy, missingness and consistency in random games of n players."""
    codes, last = np.arange(2**n), 1 << (n - 1)
    worst_sum, worst_idle, worst_fall = 0.0, 0.0, 0.0
    for _ in range(n_games):
        v = np.append(0, rng.normal(0, 10, 2**n - 1))
        worst_sum = max(worst_sum, abs(rule(v).sum() - v[-1]))
        player = rng.integers(n)
        worst_idle = max(worst_idle, abs(rule(v[codes & ~(1 << player)])[player]))
        gains = v - v[codes & ~last] + (codes >= last) * rng.exponential(5, 2**n)
        richer = np.append(0, rng.normal(0, 10, 2**n - 1))[codes & ~last] + gains
        worst_fall = max(worst_fall, rule(v)[-1] - rule(richer)[-1])
    return worst_sum, worst_idle, worst_fall


@claim(
    "§3",
    "First come has local accuracy, missingness and consistency, and is not Shapley's rule.",
    shown="three times yes in 100 games of 4 players",
    holds=lambda v: v["broken"].max() < 1e-9 and v["distance from Shapley"].min() > 1,
)
def test_first_come_is_a_counterexample(seed):
    rng, n = np.random.default_rng(seed), 3 + seed % 4

    def first_come(w):
        return np.diff(w[2 ** np.arange(n + 1) - 1])

    game = np.append(0, rng.normal(0, 10, 2**n - 1))
    exact = shapley.shapley_values(look_up(game), n)
    return {
        "broken": max(0.0, *_always(first_come, n, rng)),
        "distance from Shapley": np.abs(first_come(game) - exact).max(),
    }


@cache
def _picture_games(seed: int) -> list[tuple]:
    """Games of freshly drawn scenes of 7 to 9 superpixels, with their exact values."""
    lab = load_lab("scenes", seed=seed, n=40, n_objects=2)
    games = []
    for image, targets in zip(lab.images, lab.targets.tolist(), strict=True):
        cut = superpixels(image)
        n = int(cut.max()) + 1
        if n <= 9:
            answers = network_answers(lab, image, cut, all_masks(n))
            for c in targets:
                game = look_up(answers[:, c])
                games.append((game, n, shapley.shapley_values(game, n)))
        if len(games) == 8:
            break
    return games


def _errors(seed: int, per_player: int) -> dict[str, np.ndarray]:
    estimators = {
        "KernelSHAP": shapley.kernel_shap,
        "antithetic": shapley.permutation_shap,
        "plain": lambda *game, **o: shapley.permutation_shap(*game, antithetic=False, **o),
    }
    return {
        name: np.array(
            [
                np.mean([worst(f(g, n, per_player * n, random_state=seed + s), e) for s in range(6)])
                for g, n, e in _picture_games(seed)
            ]
        )
        for name, f in estimators.items()
    }


@claim(
    "§7",
    "With two questions a player the antithetic walks have the smallest median error, with eight KernelSHAP.",
    shown="0.03 against 0.10 at two; 0.011 against 0.020 at eight",
    holds=lambda v: (v["KernelSHAP / walks at 2"] > 1).all() and (v["KernelSHAP / walks at 8"] < 1).all(),
)
def test_which_estimate_wins_depends_on_the_budget(seed):
    few, many = _errors(seed, 2), _errors(seed, 8)
    return {
        f"KernelSHAP / walks at {n}": np.median(e["KernelSHAP"]) / np.median(e["antithetic"])
        for n, e in ((2, few), (8, many))
    }


@claim(
    "§7",
    "Plain walks have a larger median error than antithetic ones.",
    shown="0.12 against 0.03 at two questions a player; 0.06 against 0.01 at sixteen",
    holds=lambda v: min(row.min() for row in v.values()) > 1,
)
def test_plain_walks_need_more(seed):
    return {
        f"plain / antithetic at {n}": np.median(e["plain"]) / np.median(e["antithetic"])
        for n, e in ((n, _errors(seed, n)) for n in (2, 4, 8, 16))
    }


@claim(
    "§7",
    "With the same method and budget one game's error is several times another's.",
    shown="factor 10 or more",
    holds=lambda ratios: ratios.min() > 4,
)
def test_errors_differ_from_game_to_game(seed):
    errors = _errors(seed, 4)["KernelSHAP"]
    return errors.max() / errors.min()


@claim(
    "§8",
    "By default shap's KernelExplainer keeps ten of many equal players, and they share what all earn.",
    shown="10 of 25",
    holds=lambda kept: (kept == 10).all(),
)
def test_ten_are_kept(seed):
    import logging

    import shap

    logging.getLogger("shap").setLevel("ERROR")
    n = 12 + seed % 10 * 3
    explainer = shap.KernelExplainer(lambda m: np.asarray(m, float).sum(axis=1), np.zeros((1, n)), seed=seed)
    values = explainer.shap_values(np.ones((1, n)), nsamples=1000, silent=True)[0]
    assert abs(values.sum() - n) < 1e-6
    return (np.abs(values) > 1e-9).sum()


@claim(
    "§9",
    "In a sum of curves the SHAP values are the partial dependence curve minus its mean; in a forest not.",
    shown="0.0 against 14",
    holds=lambda v: v["sum of curves"].max() < 1e-6 and v["forest"].min() > 1e-2,
)
def test_shap_of_a_sum_is_partial_dependence(seed):
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer

    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 3))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + rng.normal(0, 0.1, 200)
    models = {
        "sum of curves": make_pipeline(SplineTransformer(5), LinearRegression()),
        "forest": RandomForestRegressor(20, min_samples_leaf=10, random_state=seed),
    }
    people, found = x[:25], {}
    for name, model in models.items():
        model.fit(x, y)
        games = [shapley.masking_game(model.predict, person, people) for person in people]
        phi = np.array([shapley.shapley_values(game, 3)[1] for game in games])
        curve = dependence.partial_dependence(model.predict, people, 1, people[:, 1])
        found[name] = np.abs(phi - (curve - curve.mean())).max()
    return found


@claim(
    "§11 card 2",
    "The shares of 'bugs reported' rise with the bugs, although bugs do harm.",
    shown="from -0.32 to +0.24",
    holds=lambda v: (v["share at 6 minus at 0"] > 0.2).all() and (v["true effect of 6 for 0"] < -0.2).all(),
)
def test_shares_of_bugs_rise(seed):
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(seed)
    usage, discount = rng.normal(0, 1, 1500), rng.uniform(0, 1, 1500)
    bugs = np.round(np.clip(3 + 1.5 * usage + rng.normal(0, 0.7, 1500), 0, None))

    def renewals(bugs):
        return 1 / (1 + np.exp(-(2 * usage - 0.4 * (bugs - 3) + 1.5 * (discount - 0.5))))

    renewed = (rng.random(1500) < renewals(bugs)).astype(float)
    customers = np.column_stack([bugs, discount])
    forest = RandomForestRegressor(40, min_samples_leaf=30, random_state=seed).fit(customers, renewed)
    phi = shapley.tree_shap(forest, customers[:400], customers[:60])[:, 0]
    share = [phi[customers[:400, 0] == count].mean() for count in (0, 6)]
    return {
        "share at 6 minus at 0": share[1] - share[0],
        "true effect of 6 for 0": renewals(6).mean() - renewals(0).mean(),
    }
