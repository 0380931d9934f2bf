"""Shapley values: divide what a team of players earns fairly among them.

Shapley 1953, A value for n-person games; Lundberg & Lee, A Unified Approach to Interpreting Model
Predictions, NeurIPS 2017, https://arxiv.org/abs/1705.07874.

A game is a function `value`: it takes coalitions as a `(B, n_players)` array of 0 and 1 (int64) and returns
what each is worth, `(B,)`. `masking_game`, `conditional_game`, `image_game` and `text_game` turn a model's
prediction into a game. From the exact sum to the estimates and the shortcuts for special models:
`shapley_values`, `kernel_shap`, `permutation_shap`, `linear_shap`, `tree_shap`, `gradient_shap`. All results
add up: the values of one explanation sum to value(all) − value(nobody) (`gradient_shap`: on average).
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations
from math import comb, factorial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .arguments import (
    check_count,
    check_flag,
    check_inputs,
    check_target,
    check_whole,
    finite_floats,
)
from .hooks import evaluation, input_gradients
from .lime import Predict, check_class, checked_masks, hide_words, masked_images, split_words, target_outputs

Game = Callable[[np.ndarray], np.ndarray]
Random = int | np.random.Generator | None
MAX_PLAYERS = 25  # 2^25 coalitions are 268 MB of worths
ENUMERATED = 4096  # up to so many coalitions (12 players) KernelSHAP takes them all
CACHED = 2**18  # numbers in an array that is still quick to go through
HELD_AT_ONCE = 2**24  # entries of the coalitions, or values of the pictures, that are held at once
FEW_PAIRS = 256  # of explained and background rows: up to here each pair is a game of its own

# ---------------------------------------------------------------- all coalitions


def shapley_values(value: Game, n_players: int, *, batch_size: int = 16384) -> np.ndarray:
    """Exact Shapley values (n_players,), from all 2^n coalitions.

    φ_i = Σ_S |S|! (n − |S| − 1)! / n! · (value(S ∪ i) − value(S)), over all S without i.

    Args:
        value: The game; called with up to `batch_size` coalitions at once.
        n_players: 1 to 25. Time and memory double with each player.
    """
    worths = all_worths(value, n_players, batch_size=batch_size).reshape((2,) * n_players)
    n = n_players
    weights = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)])
    weights = weights[_sizes(n - 1)]
    phi = np.empty(n)
    for i in range(n):
        without, with_i = np.moveaxis(worths, n - 1 - i, 0)  # player i is bit i, the last axis is bit 0
        phi[i] = np.sum((with_i - without).ravel() * weights)
    return phi


def shapley_interactions(value: Game, n_players: int, *, batch_size: int = 16384) -> np.ndarray:
    """Exact Shapley interaction values (n_players, n_players), symmetric.

    Off the diagonal half of each pair's interaction index, Φ_ij = Σ_S |S|! (n − |S| − 2)! / (2 (n − 1)!) ·
    (v(S ∪ ij) − v(S ∪ i) − v(S ∪ j) + v(S)) over all S without i and j; on it the main effect φ_i − Σ_j Φ_ij.
    So row i sums to the Shapley value φ_i, and all to value(all) − value(nobody) (Lundberg et al. 2020, From
    local explanations to global understanding, https://arxiv.org/abs/1905.04610).
    """
    n = n_players
    worths = all_worths(value, n, batch_size=batch_size)
    phi = np.zeros((n, n))
    if n > 1:
        weights = [factorial(s) * factorial(n - s - 2) / (2 * factorial(n - 1)) for s in range(n - 1)]
        weights = np.array(weights)[_sizes(n - 2)]
        cube = worths.reshape((2,) * n)
        for i, j in combinations(range(n), 2):
            (neither, only_j), (only_i, both) = np.moveaxis(cube, (n - 1 - i, n - 1 - j), (0, 1))
            phi[i, j] = phi[j, i] = np.sum((both - only_i - only_j + neither).ravel() * weights)
    phi[np.diag_indices(n)] = shapley_values(lambda masks: worths[masks @ (1 << np.arange(n))], n) - phi.sum(
        1
    )
    return phi


def all_worths(value: Game, n_players: int, *, batch_size: int = 16384) -> np.ndarray:
    """The worth of every coalition, (2^n,): entry c is the coalition of the players whose bit is set in c."""
    check_count(n_players, "n_players", at_least=0)
    _positive(batch_size=batch_size)
    if not 1 <= n_players <= MAX_PLAYERS:
        raise ValueError(
            f"{n_players} players: exact values take 1 to {MAX_PLAYERS}; use kernel_shap for more"
        )
    worths = np.empty(2**n_players)
    for first in range(0, len(worths), batch_size):
        codes = np.arange(first, min(first + batch_size, len(worths)))
        worths[codes] = _worths(value, codes[:, None] >> np.arange(n_players) & 1)
    return worths


def _sizes(n_players: int) -> np.ndarray:
    """How many players each of the 2^n coalitions has."""
    return np.bitwise_count(np.arange(2**n_players))


# ---------------------------------------------------------------- some coalitions


def kernel_shap(
    value: Game,
    n_players: int,
    n_samples: int | None = None,
    *,
    random_state: Random = 0,
    batch_size: int = 16384,
) -> np.ndarray:
    """Shapley values (n_players,) as a weighted linear regression on coalitions (theorem 2 of the paper).

    The weights are the Shapley kernel (n − 1) / (C(n,s) s (n − s)); the empty and the full coalition have
    infinite weight, that is, the values sum to value(all) − value(nobody) exactly. No feature selection.

    Args:
        n_samples: Coalitions to evaluate at most, besides the empty and the full one. With 2^n − 2 all are
            taken and the result is exact. With fewer, the sizes with the largest weights are taken completely
            while the budget lasts, the rest is drawn in pairs (a coalition and its complement). None: all up
            to 12 players, else 2n + 2048.

    Raises:
        ValueError: Too few coalitions to tell the players apart, or a game that returns no finite numbers.
    """
    n = n_players
    _positive(n_players=n, n_samples=1 if n_samples is None else n_samples)
    empty, full = _worths(value, np.repeat([[0], [1]], n, axis=1))
    if n == 1:
        return np.array([full - empty])
    if n_samples is None:
        n_samples = 2**n - 2 if 2**n <= ENUMERATED else 2 * n + 2048
    masks, weights = _kernel_coalitions(n, n_samples, np.random.default_rng(random_state))
    if _undecided(masks):
        if n_samples < 2 * n:
            raise ValueError(
                f"n_samples={n_samples} questions cannot tell {n} players apart: ask {2 * n} or more"
            )
        masks, weights = _kernel_coalitions(n, n_samples, np.random.default_rng(random_state), singles=True)
    # φ = total/n + what differs between players; the second part sums to zero because its columns do
    share = (full - empty) / n
    sizes = masks.sum(axis=1)
    target = _batched(value, masks, batch_size) - empty - sizes * share
    root = np.sqrt(weights)
    design = (masks - sizes[:, None] / n) * root[:, None]
    return share + np.linalg.lstsq(design, target * root, rcond=None)[0]


def _undecided(masks: np.ndarray) -> bool:
    """Whether several values would answer all these coalitions, with the same sum."""
    n = masks.shape[1]
    if len(masks) > 16 * n:  # so many that it never happens
        return False
    return np.linalg.matrix_rank(masks - masks.mean(axis=1, keepdims=True)) < n - 1


def shapley_kernel(n_players: int, sizes: np.ndarray | int) -> np.ndarray:
    """π(s) = (n − 1) / (C(n,s) s (n − s)), the weight of a coalition of `sizes` players; inf for 0 and n."""
    check_count(n_players, "n_players")
    sizes = check_whole(sizes, "sizes").numpy()
    if ((sizes < 0) | (sizes > n_players)).any():
        raise ValueError(f"sizes must lie between 0 and n_players = {n_players}")
    weights = [
        (n_players - 1) / (comb(n_players, s) * s * (n_players - s)) if 0 < s < n_players else np.inf
        for s in range(n_players + 1)
    ]
    return np.array(weights)[sizes]


def _kernel_coalitions(
    n: int, budget: int, random: np.random.Generator, singles: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Coalitions (B, n) and their weights (B,): whole sizes first, then random pairs.

    With `singles` each player is asked about alone, and all without it, even if that is more than their due.
    """
    open_sizes = list(range(1, n // 2 + 1))  # size s stands for s and n − s
    mass = {s: (n - 1) / (s * (n - s)) * (1 if 2 * s == n else 2) for s in open_sizes}
    all_masks, all_weights = [], []
    while open_sizes:
        s = open_sizes[0]
        both = 2 * s != n
        count = comb(n, s) * (1 + both)
        due = s == 1 and singles
        if not due and budget * mass[s] < count * sum(mass[t] for t in open_sizes) * (1 - 1e-12):
            break
        masks = np.zeros((comb(n, s), n), np.int64)
        np.put_along_axis(masks, np.array(list(combinations(range(n), s))), 1, axis=1)
        all_masks.append(np.concatenate([masks, 1 - masks]) if both else masks)
        all_weights.append(np.full(count, mass[s] / count))
        budget -= count
        open_sizes.pop(0)
    if open_sizes and budget >= 1:
        rest = np.array([mass[s] for s in open_sizes])
        n_pairs = max(budget // 2, 1)
        drawn = random.choice(open_sizes, size=3 * n_pairs, p=rest / rest.sum())
        masks = (random.random((len(drawn), n)).argsort(axis=1).argsort(axis=1) < drawn[:, None]).astype(
            np.int64
        )
        masks = np.where(masks[:, :1] == 1, masks, 1 - masks)  # one name for a pair: the half with player 0
        _, first, pair = np.unique(masks, axis=0, return_index=True, return_inverse=True)
        first = np.sort(first)
        used = first[n_pairs] if len(first) > n_pairs else len(masks)  # stop when the budget is spent
        names, counts = np.unique(pair[:used], return_counts=True)
        masks = np.stack([masks[np.flatnonzero(pair == name)[0]] for name in names])
        all_masks.append(np.concatenate([masks, 1 - masks]))
        all_weights.append(np.tile(counts * rest.sum() / (2 * counts.sum()), 2))
    return np.concatenate(all_masks), np.concatenate(all_weights)


def permutation_shap(
    value: Game,
    n_players: int,
    n_samples: int | None = None,
    *,
    antithetic: bool = True,
    random_state: Random = 0,
    batch_size: int = 16384,
) -> np.ndarray:
    """Shapley values (n_players,) as the average of what each player adds in random orders of arrival.

    With `antithetic` each order is also walked backwards, which is exact for games whose interactions are
    between two players only (Mitchell et al. 2022, Sampling Permutations for Shapley Value Estimation,
    https://arxiv.org/abs/2104.12199). The values sum to value(all) − value(nobody) with any number of orders.

    Args:
        n_samples: Coalitions to evaluate at most, besides the empty and the full one; one order takes n − 1.
            At least one order (or pair) is walked. None: 10 pairs.
    """
    n = n_players
    _positive(n_players=n, n_samples=1 if n_samples is None else n_samples)
    check_flag(antithetic, "antithetic")
    per_walk = max(n - 1, 1) * (2 if antithetic else 1)
    n_walks = 10 if n_samples is None else max(n_samples // per_walk, 1)
    random = np.random.default_rng(random_state)
    orders = random.permuted(np.tile(np.arange(n), (n_walks, 1)), axis=1)
    if antithetic:
        orders = np.concatenate([orders, orders[:, ::-1]])
    arrival = orders.argsort(axis=1)
    worths = np.empty((len(orders), n + 1))
    worths[:, [0, n]] = _worths(value, np.repeat([[0], [1]], n, axis=1))
    if n > 1:
        walks, steps = np.divmod(np.arange(len(orders) * (n - 1)), n - 1)
        step = max(min(check_count(batch_size, "batch_size"), HELD_AT_ONCE // n), 1)
        for i in range(0, len(walks), step):
            walk, arrived = walks[i : i + step], steps[i : i + step] + 1
            masks = (arrival[walk] < arrived[:, None]).astype(np.int64)
            worths[walk, arrived] = _worths(value, masks)
    return np.take_along_axis(np.diff(worths, axis=1), arrival, axis=1).mean(axis=0)


def _batched(value: Game, masks: np.ndarray, batch_size: int) -> np.ndarray:
    _positive(batch_size=batch_size)
    return np.concatenate(
        [_worths(value, masks[i : i + batch_size]) for i in range(0, len(masks), batch_size)]
    )


def _worths(value: Game, masks: np.ndarray) -> np.ndarray:
    worths = finite_floats(value(masks), "the worths that value returned")
    if worths.shape != (len(masks),):
        raise ValueError(
            f"value returned {worths.shape} for {len(masks)} coalitions, expected ({len(masks)},)"
        )
    return worths


# ---------------------------------------------------------------- games


def masking_game(
    predict: Predict,
    x: np.ndarray,
    background: np.ndarray,
    target: int | None = None,
    *,
    batch_size: int = 65536,
) -> Game:
    """A table row as a game: who is absent takes the values of the background rows (marginal expectation).

    v(S) = mean over background rows z of f(x on S, z elsewhere): features are replaced independently of each
    other, which Janzing et al. 2020 (https://arxiv.org/abs/1910.13413) call interventional.

    Args:
        predict: (B, d) rows to (B, classes), or to (B,) for regression.
        x: (d,) the row to explain; its columns are the players.
        background: (K, d) or one row (d,).
        target: Index of the class; None for regression.
        batch_size: Rows that go through the model at once.
    """
    x, background = _row_and_table(x, background)
    _positive(batch_size=batch_size)

    def value(masks: np.ndarray) -> np.ndarray:
        step = max(min(batch_size, HELD_AT_ONCE // max(len(x), 1)) // len(background), 1)
        masks, worths = checked_masks(masks, len(x)), []
        for first in range(0, len(masks), step):
            shown = masks[first : first + step].astype(bool)[:, None, :]
            rows = np.where(shown, x, background).reshape(-1, len(x))
            outputs = target_outputs(predict, rows, target)
            worths.append(outputs.reshape(-1, len(background)).mean(axis=1))
        return np.concatenate(worths)

    return value


def conditional_game(predict: Predict, x: np.ndarray, table: np.ndarray, target: int | None = None) -> Game:
    """A table row as a game: v(S) = mean of f over the rows of `table` that equal x on S (conditional).

    For tables of few distinct values; the table is taken as the whole population. Arguments as in
    `masking_game`.

    Raises:
        ValueError: no row of the table agrees with `x`, so that its expectation is not defined.
    """
    x, table = _row_and_table(x, table)
    same = table == x
    if not same.all(axis=1).any():
        raise ValueError("x must be a row of the table: nothing is known about rows that never occur")
    outputs = target_outputs(predict, table, target)
    differs = (~same).T.astype(np.float32)

    def value(masks: np.ndarray) -> np.ndarray:
        masks, worths = checked_masks(masks, len(x)), []
        step = max(CACHED * 4 // len(table), 1)
        for first in range(0, len(masks), step):
            shown = masks[first : first + step].astype(np.float32)
            agree = shown @ differs == 0  # (coalitions, rows): no shown column differs
            worths.append(agree @ outputs / agree.sum(axis=1))
        return np.concatenate(worths)

    return value


def image_game(
    predict: Predict,
    image: np.ndarray,
    target: int,
    segments: np.ndarray,
    hidden: np.ndarray | Sequence[float] | float | None = None,
    *,
    batch_size: int = 32,
) -> Game:
    """A picture as a game: its segments are the players, v(S) is the output when only S is shown.

    Args and hidden segments as in `course_utils.methods.lime.lime_image`.
    """

    def value(masks: np.ndarray) -> np.ndarray:
        batches = masked_images(image, segments, masks, hidden, batch_size=batch_size)
        return np.concatenate([target_outputs(predict, batch, target) for batch in batches])

    return value


def text_game(
    predict: Predict,
    text: str,
    target: int,
    hidden: str = "",
    *,
    bag_of_words: bool = False,
    batch_size: int = 64,
) -> tuple[Game, tuple[str, ...]]:
    """A text as a game: its words are the players. Returns the game and the words.

    Args:
        hidden: What stands for an absent word; nothing, or a model's own "[MASK]".
        bag_of_words: One player a distinct word; else one a position.
    """
    _positive(batch_size=batch_size)
    if not isinstance(text, str):
        raise TypeError(f"text must be one string, not a {type(text).__name__}")
    words, _, _ = split_words(text, bag_of_words)
    if not words:
        raise ValueError("the text holds no word: nobody to play")

    def value(masks: np.ndarray) -> np.ndarray:
        texts = hide_words(text, masks, bag_of_words=bag_of_words, hidden=hidden)
        batches = (texts[i : i + batch_size] for i in range(0, len(texts), batch_size))
        return np.concatenate([target_outputs(predict, batch, target) for batch in batches])

    return value, words


# ---------------------------------------------------------------- shortcuts for special models


def linear_shap(coef: np.ndarray, x: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Shapley values of f(x) = coef · x + b: φ_j = coef_j (x_j − mean of background_j) (corollary 1).

    Exact for the marginal expectation; for the conditional one only if the features are independent.

    Args:
        coef: (d,).
        x: (d,) or (N, d).
        background: (K, d), or its mean (d,).

    Returns:
        The shape of `x`.
    """
    parts = {"coef": coef, "x": x, "background": background}
    coef, x, background = (finite_floats(part, name) for name, part in parts.items())
    if coef.ndim == 2 and len(coef) == 1:
        raise ValueError(
            f"coef must be (d,), not {coef.shape}: scikit-learn keeps classes apart, take coef_[0]"
        )
    if coef.ndim != 1 or x.shape[-1:] != coef.shape or background.shape[-1:] != coef.shape:
        raise ValueError(
            f"coef {coef.shape}, x {x.shape} and background {background.shape} differ in features"
        )
    if x.ndim > 2 or background.ndim > 2 or background.size == 0:
        raise ValueError(f"x {x.shape} and background {background.shape} must be (N, d) and (K, d), or (d,)")
    return coef * (x - np.atleast_2d(background).mean(axis=0))


def tree_shap(
    model: object,
    x: np.ndarray,
    background: np.ndarray | None = None,
    *,
    method: str = "interventional",
    target: int | None = None,
) -> np.ndarray:
    """Exact Shapley values of a scikit-learn tree, forest or gradient boosting.

    A leaf is a small game of its own: only the features on its path play, and it pays its value if all of
    them lead to it. Trees are sums of leaves, forests sums of trees, and Shapley values add up. That they do
    is checked at each call: what the values add up to is held against the model's own outputs.

    "path_dependent" takes up to twice as long as the C++ of the package shap for 100 rows or more, and some
    milliseconds longer for a single one; for hundred thousands of rows take `shap.TreeExplainer`.

    Args:
        model: Fitted DecisionTree…, ExtraTree…, RandomForest…, ExtraTrees…, Bagging… of trees, or
            GradientBoosting…, classifier (probabilities; for boosting the score before the sigmoid or
            softmax) or regressor, one output.
        x: (N, d), or one row (d,).
        background: (K, d), for "interventional": absent features take the values of these rows, as in
            `masking_game`.
        method: "interventional", or "path_dependent": an absent feature follows both branches of a split, in
            the shares of the training rows. It needs no background, and is neither the marginal nor the
            conditional expectation.
        target: Index of the class; None gives all.

    Returns:
        (N, d) for regression or with a `target`, else (N, d, classes); without N for one row.
        (Lundberg et al. 2020, https://arxiv.org/abs/1905.04610.)

    Raises:
        TypeError: A model of another kind, or one that is not the plain sum of its trees (AdaBoost, isolation
            forests, …): `kernel_shap` of a `masking_game` takes any model.
        ValueError: Wrong shapes, missing values, several outputs, a class that the model has not.
    """
    if method not in ("interventional", "path_dependent"):
        raise ValueError(f'method must be "interventional" or "path_dependent", not {method!r}')
    trees = list(_trees(model))
    rows = _table_for_trees(x, model.n_features_in_, "x", "(N, d)")
    n_outputs = trees[0][1].shape[1]
    if target is not None:
        target = check_class(target, n_outputs, "outputs")
        trees = [(tree, values[:, [target]], columns) for tree, values, columns in trees]
    if method == "path_dependent":
        if background is not None:
            raise ValueError(
                '"path_dependent" takes no background rows: leave them out, or take "interventional"'
            )
        forest = _forest(trees, rows.shape[1])
        phi = _path_dependent(forest, rows)
        base = forest.expected + _start(model, target)
    else:
        if background is None:
            raise ValueError('"interventional" needs background rows; "path_dependent" does without')
        others = _table_for_trees(background, rows.shape[1], "background", "(K, d)")
        if len(rows) * len(others) <= FEW_PAIRS:
            phi = _against_each_row(_forest(trees, rows.shape[1]), rows, others)
        else:
            phi = _against_patterns(trees, rows, others)
        base = _outputs(model, others, target).mean(axis=0)
    _check_sum(model, base, phi.sum(axis=1), _outputs(model, rows, target))
    if phi.shape[2] == 1:
        phi = phi[:, :, 0]
    return phi if np.ndim(x) == 2 else phi[0]


class _Forest(NamedTuple):
    """The branches of all trees, level by level below the roots; each is the edge above one node.

    A branch knows the whole condition on its feature down to there: with a second split on the same feature
    it replaces the branch of the first one, `earlier`.
    """

    levels: list[slice]  # the branches of each level; the left ones first, then the right ones
    splits: list[np.ndarray]  # for each level: which branches (roots at first) of the level above split
    feature: np.ndarray  # (E,)
    low: np.ndarray  # (E,), the condition is low < value ≤ high
    high: np.ndarray
    share: np.ndarray  # (E,), of the training rows that go this way at the splits on the feature
    earlier: np.ndarray  # (E,), the branch that this one replaces, −1 for none
    values: np.ndarray  # (E, outputs), what a leaf pays; 0 where the tree goes on
    most: int  # of different features on one path
    n_features: int
    expected: np.ndarray  # (outputs,), the mean over the leaves, each in its share of the training rows
    add_up: bool  # the outputs of each leaf have the same sum, as probabilities have


def _forest(trees: list, n_features: int) -> _Forest:
    """Put the trees side by side and walk down all of them at once, one level after the other."""
    firsts = np.cumsum([0, *(tree.node_count for tree, _, _ in trees)])[:-1]
    left, right, feature, threshold, weight = (
        np.concatenate([part(tree, n, own) for (tree, _, own), n in zip(trees, firsts, strict=True)])
        for part in (
            lambda tree, n, _: np.where(tree.children_left < 0, -1, tree.children_left + n),
            lambda tree, n, _: np.where(tree.children_right < 0, -1, tree.children_right + n),
            lambda tree, _, own: tree.feature if own is None else own[tree.feature],
            lambda tree, *_: tree.threshold,
            lambda tree, *_: tree.weighted_n_node_samples,
        )
    )  # fmt: skip
    pays = np.concatenate([values for _, values, _ in trees]) * (left < 0)[:, None]
    sums = pays[left < 0].sum(axis=1)
    add_up = pays.shape[1] > 1 and np.allclose(sums, sums[0], rtol=1e-12)
    level, reach = firsts, np.ones(len(trees))  # the nodes of a level; shares of the rows that come there
    latest = np.full((len(level), n_features), -1)  # for each node: its last branch on each feature
    expected = reach @ pays[level]
    most, n, levels, splits = 0, 0, [], []
    found = [(np.empty(0, int), np.empty(0, int), pays[:0])]  # feature, earlier branch, payments of a level
    low = high = share = np.empty(0)
    while True:
        inner = np.flatnonzero(left[level] >= 0)
        if not len(inner):
            break
        parents = np.tile(level[inner], 2)
        level = np.concatenate([left[level[inner]], right[level[inner]]])
        own, which, is_left = n + np.arange(len(level)), feature[parents], np.arange(len(level)) < len(inner)
        latest = latest[np.tile(inner, 2)]  # a child begins with what its parent knows
        earlier = latest[np.arange(len(level)), which]
        latest[np.arange(len(level)), which] = own
        before = [  # of the branch that is replaced; a first one starts from "all values, all rows"
            np.append(old, start)[earlier] for old, start in ((low, -np.inf), (high, np.inf), (share, 1.0))
        ]
        cut, part = threshold[parents], weight[level] / weight[parents]
        low = np.append(low, np.where(is_left, before[0], np.maximum(before[0], cut)))
        high = np.append(high, np.where(is_left, np.minimum(before[1], cut), before[1]))
        share = np.append(share, before[2] * part)
        reach = np.tile(reach[inner], 2) * part
        expected = expected + reach @ pays[level]
        most = max(most, (latest >= 0).sum(axis=1).max())
        levels.append(slice(n, n + len(level)))
        splits.append(inner)
        found.append((which, earlier, pays[level]))
        n += len(level)
    which, earlier, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return _Forest(
        levels, splits, which, low, high, share, earlier, values, most, n_features, expected, add_up
    )


def _sweep(forest: _Forest, states: np.ndarray, steps: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Shapley values (n, d, outputs) of n games in which each leaf pays Π_{j in S} a_j · Π_{j not in S} b_j.

    φ_j = (a_j − b_j) ∫ Π_{k ≠ j} (t a_k + (1 − t) b_k) dt over [0, 1] (Owen 1972): a polynomial, so that a
    few Gauss–Legendre points t integrate it exactly. The products are carried down the trees, multiplied by
    the leaves' values, summed on the way up, and divided by the factor of j on the branch of j (Yu et al.
    2022, Linear TreeShap, https://arxiv.org/abs/2209.08192).

    Args:
        states: (E, n), which row of `steps` and of `gains` holds for each branch and game.
        steps: (states, points), the factor of a branch, divided by that of the branch it replaces.
        gains: (states, points), (a − b) / factor of a branch, minus that of the branch it replaces, times the
            point's weight.
    """
    n = states.shape[1]
    phi = np.zeros((forest.n_features, n, forest.values.shape[1]))
    products = [np.ones((len(forest.splits[0]), n, steps.shape[1]))]
    for level, inner in zip(forest.levels, forest.splits, strict=True):
        above = products[-1] if level.start == 0 else products[-1][inner]
        below = steps.take(states[level], axis=0)
        below[: len(inner)] *= above
        below[len(inner) :] *= above
        products.append(below)
    gained = [gains.take(states[level], axis=0) for level in forest.levels]
    order = np.argsort(forest.feature, kind="stable")
    features, starts = np.unique(forest.feature[order], return_index=True)
    n_outputs = phi.shape[2]
    for k in range(n_outputs):
        if k == n_outputs - 1 and forest.add_up:
            phi[:, :, k] = -phi[:, :, :k].sum(axis=2)
            break
        paid, inner = None, None  # what the leaves below pay, for each branch of the level
        changes = np.empty(states.shape)
        for number in reversed(range(len(forest.levels))):
            level = forest.levels[number]
            below, paid = paid, products[number + 1] * forest.values[level, k, None, None]
            if below is not None:
                paid[inner] = below[: len(inner)] + below[len(inner) :]
            inner = forest.splits[number]
            changes[level] = np.einsum("enq,enq->en", paid, gained[number])
        phi[features, :, k] = np.add.reduceat(changes[order], starts, axis=0)
    return phi.transpose(1, 0, 2)


def _factors(share: np.ndarray, earlier: np.ndarray, n_points: int) -> tuple[np.ndarray, np.ndarray]:
    """The tables `steps` and `gains` of `_sweep`: (…, 3, points).

    The 3 are what a row says to a branch and to the one that it replaces: no to both, no and yes, twice yes.
    `share` and `earlier` (…,) are what the background says to the two.
    """
    points, weights = np.polynomial.legendre.leggauss(n_points)
    t = (points + 1) / 2
    a, a_earlier = np.array([0.0, 0.0, 1.0])[:, None], np.array([0.0, 1.0, 1.0])[:, None]
    b, b_earlier = share[..., None, None], earlier[..., None, None]

    def ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:  # a factor of 0 stays 0 all the way down
        return np.divide(
            over, under, out=np.zeros(np.broadcast_shapes(over.shape, under.shape)), where=under > 0
        )

    factor, factor_earlier = t * a + (1 - t) * b, t * a_earlier + (1 - t) * b_earlier
    gains = ratio(a - b, factor) - ratio(a_earlier - b_earlier, factor_earlier)
    return ratio(factor, factor_earlier), gains * weights / 2


def _agreement(forest: _Forest, rows: np.ndarray) -> np.ndarray:
    """(E, n): does a row go down a branch (2), only down the one that it replaces (1), or neither (0)?"""
    values = rows[:, forest.feature].T
    yes = (values > forest.low[:, None]) & (values <= forest.high[:, None])
    first = (forest.earlier < 0)[:, None]
    return yes.astype(np.int64) + (first | yes[forest.earlier])


def _path_dependent(forest: _Forest, rows: np.ndarray) -> np.ndarray:
    """Absent features follow both branches of a split, in the shares of the training rows."""
    phi = np.zeros((len(rows), forest.n_features, forest.values.shape[1]))
    if not forest.levels:
        return phi
    n_points = forest.most // 2 + 1
    earlier = np.where(forest.earlier < 0, 1.0, forest.share[forest.earlier])
    steps, gains = (table.reshape(-1, n_points) for table in _factors(forest.share, earlier, n_points))
    first = 3 * np.arange(len(forest.feature))[:, None]
    at_once = max(CACHED // (len(forest.feature) * n_points), 1)
    for i in range(0, len(rows), at_once):
        phi[i : i + at_once] = _sweep(forest, first + _agreement(forest, rows[i : i + at_once]), steps, gains)
    return phi


def _against_each_row(forest: _Forest, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Absent features take the values of the background rows: a game for each pair of rows."""
    phi = np.zeros((len(rows), forest.n_features, forest.values.shape[1]))
    if not forest.levels:
        return phi
    tables = _factors(np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]), forest.most // 2 + 1)
    steps, gains = (table.reshape(9, -1) for table in tables)
    at_once = max(CACHED // (len(forest.feature) * steps.shape[1]), 1)
    for i in range(0, len(others), at_once):
        theirs = 3 * _agreement(forest, others[i : i + at_once])
        for j, row in enumerate(rows):
            phi[j] += _sweep(forest, theirs + _agreement(forest, row[None]), steps, gains).sum(axis=0)
    return phi / len(others)


def _against_patterns(trees: list, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The same for many rows, leaf by leaf: rows that look the same to a leaf are one."""
    phi = np.zeros((*rows.shape, trees[0][1].shape[1]))
    for tree, values, columns in trees:
        for leaf, features, low, high in _leaves(tree):
            if features:
                where = features if columns is None else columns[features]
                a, which, _ = _patterns(rows[:, where], low, high)
                b, _, counts = _patterns(others[:, where], low, high)
                gains = _leaf_against_rows(a, b, counts / len(others))
                phi[:, where] += gains[which][:, :, None] * values[leaf]
    return phi


def _leaf_against_rows(a: np.ndarray, b: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Shapley values (P, m) of games that pay 1 if all m features lead to the leaf.

    `a` (P, m): does the feature of the explained row lead there; `b` (Q, m): that of a background row;
    `shares` (Q,): how often. With p features that only the row brings and q that only the background brings,
    the leaf is reached exactly if all p are in and all q out; what both bring plays no part.
    """
    p, q = (a @ (1 - b).T).astype(int), ((1 - a) @ b.T).astype(int)
    reachable = (1 - a) @ (1 - b).T == 0
    joining, leaving = _leaf_weights(a.shape[1])
    scale = reachable * shares
    return a * ((joining[p, q] * scale) @ (1 - b)) - (1 - a) * ((leaving[p, q] * scale) @ b)


@cache
def _leaf_weights(m: int) -> tuple[np.ndarray, np.ndarray]:
    """(p − 1)! q! / (p + q)! and p! (q − 1)! / (p + q)!, for p + q ≤ m: the share of orders in which a player
    that must be in comes last of all that must be in and before all that must be out, or the other way."""
    joining, leaving = np.zeros((2, m + 1, m + 1))
    for p in range(m + 1):
        for q in range(m + 1 - p):
            joining[p, q] = factorial(p - 1) * factorial(q) / factorial(p + q) if p else 0
            leaving[p, q] = factorial(p) * factorial(q - 1) / factorial(p + q) if q else 0
    return joining, leaving


def _patterns(
    rows: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where low < value ≤ high: the distinct patterns (P, m) of 0/1, each row's pattern, how often each."""
    inside = (rows > low) & (rows <= high)
    if len(low) > 62:  # more than the bits of a whole number
        distinct, which, counts = np.unique(inside, axis=0, return_inverse=True, return_counts=True)
        return distinct.astype(float), which.ravel(), counts
    bits = np.left_shift(1, np.arange(len(low), dtype=np.int64))
    distinct, which, counts = np.unique(inside @ bits, return_inverse=True, return_counts=True)
    return (distinct[:, None] & bits > 0).astype(float), which, counts


def _leaves(tree: object) -> Iterator[tuple[int, list[int], np.ndarray, np.ndarray]]:
    """Each leaf: its number, the features on its path, and for each the interval low < value ≤ high."""
    stack: list[tuple[int, dict[int, tuple[float, float]]]] = [(0, {})]
    while stack:
        node, path = stack.pop()
        left, right = tree.children_left[node], tree.children_right[node]
        if left == -1:
            low, high = np.array(list(path.values())).reshape(-1, 2).T
            yield node, list(path), low, high
            continue
        feature, threshold = int(tree.feature[node]), tree.threshold[node]
        low, high = path.get(feature, (-np.inf, np.inf))
        stack.append((right, path | {feature: (max(low, threshold), high)}))
        stack.append((left, path | {feature: (low, min(high, threshold))}))


def _trees(model: object) -> Iterator[tuple[object, np.ndarray, np.ndarray | None]]:
    """Each tree of the model, what its nodes add to the outputs (nodes, outputs), and the columns of
    the table that it sees (None: all, in order)."""
    name, estimators = type(model).__name__, getattr(model, "estimators_", None)
    if isinstance(estimators, np.ndarray) and hasattr(model, "init_"):  # gradient boosting
        _start(model)
        n_outputs = estimators.shape[1]
        for stage in estimators:
            for output, estimator in enumerate(stage):
                values = np.zeros((estimator.tree_.node_count, n_outputs))
                values[:, output] = model.learning_rate * estimator.tree_.value[:, 0, 0]
                yield estimator.tree_, values, None
        return
    members = [model] if hasattr(model, "tree_") else list(estimators if estimators is not None else [])
    if not members or not all(hasattr(member, "tree_") for member in members):
        raise TypeError(
            f"model: {name} is not a fitted tree, forest or GradientBoosting… of scikit-learn: fit it, or "
            "take kernel_shap of a masking_game, which asks any model; histogram boosting, XGBoost, LightGBM "
            "and their like keep their trees in other forms, which the package shap knows"
        )
    columns = getattr(model, "estimators_features_", [None] * len(members))
    for member, own in zip(members, columns, strict=True):
        values = member.tree_.value
        if values.shape[1] != 1:
            raise ValueError(f"model: {name} has several outputs: fit one model for each")
        values = values[:, 0]
        if hasattr(member, "classes_"):
            values = values / values.sum(axis=1, keepdims=True)
        yield member.tree_, values / len(members), own


def _start(model: object, target: int | None = None) -> np.ndarray | float:
    """What a model answers before its first tree; 0 but for gradient boosting."""
    start = getattr(model, "init_", "zero")
    if isinstance(start, str):
        return 0.0
    if not type(start).__name__.startswith("Dummy"):
        raise TypeError(
            f"model: {type(model).__name__} starts from a {type(start).__name__}, which is no tree: fit it "
            "without init, or take kernel_shap of a masking_game"
        )
    raw = model._raw_predict_init(np.zeros((1, model.n_features_in_)))[0]
    return raw if target is None else raw[[target]]


def _outputs(model: object, rows: np.ndarray, target: int | None) -> np.ndarray:
    """The model's own answers (N, outputs), in the unit of the attributions."""
    if hasattr(model, "init_") and hasattr(model, "decision_function"):
        ask = model.decision_function
    else:
        ask = getattr(model, "predict_proba", None) or model.predict
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        answers = np.asarray(ask(rows), float).reshape(len(rows), -1)
    return answers if target is None or answers.shape[1] == 1 else answers[:, [target]]


def _check_sum(model: object, base: np.ndarray | float, sums: np.ndarray, answers: np.ndarray) -> None:
    """Raise unless base value and attributions add up to the model's own answers, (N, outputs) each."""
    scale = 1e-6 * (1 + np.abs(answers).max())
    if sums.shape != answers.shape or not np.allclose(base + sums, answers, rtol=1e-6, atol=scale):
        raise TypeError(
            f"model: {type(model).__name__} is not the sum or the mean of its trees: base value and "
            "attributions do not add up to its own answers. Take kernel_shap of a masking_game, which asks "
            "any model"
        )


def _table_for_trees(table: np.ndarray, n_features: int, name: str, form: str) -> np.ndarray:
    """Rows as the trees see them: they compare in single precision."""
    try:
        rows = np.atleast_2d(np.asarray(table, np.float32)).astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers: encode categories, and fill missing values") from error
    if rows.ndim != 2 or rows.shape[1] != n_features or len(rows) == 0:
        raise ValueError(
            f"{name} {np.shape(table)} must be {form} with d = {n_features} columns, finite numbers"
        )
    if not np.isfinite(rows).all():
        raise ValueError(
            f"{name} holds missing or infinite values; they must be finite numbers: fill the gaps"
        )
    return rows


def gradient_shap(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    baselines: Tensor,
    n_samples: int = 50,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Expected gradients (N, C, H, W): integrated gradients averaged over random baselines.

    φ = mean of (x − x′) · ∂f(x′ + α (x − x′)), x′ drawn from `baselines`, α uniform in [0, 1] (Erion et al.
    2021, https://arxiv.org/abs/1906.10670). Sums to f(x) − mean f(x′) up to sampling error; for a nonlinear
    model it approximates Shapley values, it does not equal them.

    Args:
        model: Classifier; its score (logit) for the target is explained.
        inputs: (N, C, H, W).
        target: Class index, or (N,) of them.
        baselines: (K, C, H, W) pictures to draw from.
        n_samples: Draws for each picture.
        generator: On the CPU; None uses a fixed seed.
    """
    _positive(n_samples=n_samples)
    inputs, baselines = check_inputs(model, inputs), check_inputs(model, baselines)
    targets = check_target(target, inputs)
    if baselines.shape[1:] != inputs.shape[1:]:
        raise ValueError(f"baselines {tuple(baselines.shape)} do not fit the inputs {tuple(inputs.shape)}")
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    total = torch.zeros_like(inputs)
    at_once = max(min(64, HELD_AT_ONCE // inputs[0].numel()) // len(inputs), 1)
    with evaluation(model):
        for first in range(0, n_samples, at_once):
            n = min(at_once, n_samples - first)
            picked = torch.randint(len(baselines), (n * len(inputs),), generator=generator)
            alpha = torch.rand(n * len(inputs), 1, 1, 1, generator=generator).to(inputs)
            start = baselines[picked.to(baselines.device)]
            step = inputs.repeat(n, 1, 1, 1) - start
            gradients = input_gradients(model, start + alpha * step, targets.repeat(n))
            total += (gradients * step).reshape(n, *inputs.shape).sum(dim=0)
    return total / n_samples


# ---------------------------------------------------------------- checks


def _row_and_table(x: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if np.ma.is_masked(x) or np.ma.is_masked(table):
        raise ValueError("x and the table must not have masked values: fill them or leave them out")
    x, table = np.asarray(x), np.atleast_2d(np.asarray(table))
    if x.ndim != 1 or table.ndim != 2 or table.shape[1:] != x.shape or len(table) == 0:
        raise ValueError(f"x {x.shape} and the table {table.shape} must be (d,) and (K, d)")
    return x, table


def _positive(**values: int) -> None:
    for name, value in values.items():
        check_count(value, name)
