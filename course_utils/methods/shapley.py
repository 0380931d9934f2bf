"""Shapley values: divide what a team of players earns fairly among them.

Shapley 1953, A value for n-person games; Lundberg & Lee, A Unified Approach to Interpreting Model
Predictions, NeurIPS 2017, https://arxiv.org/abs/1705.07874.

A game is a function `value`: it takes coalitions as a `(B, n_players)` array of 0 and 1 (int64) and returns
what each is worth, `(B,)`. `masking_game`, `conditional_game`, `image_game` and `text_game` turn a model's
prediction into a game. From the exact sum to the estimates and the shortcuts for special models:
`shapley_values`, `kernel_shap`, `permutation_shap`, `linear_shap`, `tree_shap`, `gradient_shap`. All results
add up: the values of one explanation sum to value(all) − value(nobody) (`gradient_shap`: on average).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations
from math import comb, factorial

import numpy as np
import torch
from torch import Tensor, nn

from .arguments import check_count, check_inputs, check_target
from .hooks import evaluation, input_gradients
from .lime import Predict, hide_words, masked_images, split_words, target_outputs

Game = Callable[[np.ndarray], np.ndarray]
Random = int | np.random.Generator | None
MAX_PLAYERS = 25  # 2^25 coalitions are 268 MB of worths
ENUMERATED = 4096  # up to so many coalitions (12 players) KernelSHAP takes them all

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
    """
    n = n_players
    _positive(n_players=n, n_samples=1 if n_samples is None else n_samples)
    empty, full = _worths(value, np.repeat([[0], [1]], n, axis=1))
    if n == 1:
        return np.array([full - empty])
    if n_samples is None:
        n_samples = 2**n - 2 if 2**n <= ENUMERATED else 2 * n + 2048
    masks, weights = _kernel_coalitions(n, n_samples, np.random.default_rng(random_state))
    # φ = total/n + what differs between players; the second part sums to zero because its columns do
    share = (full - empty) / n
    sizes = masks.sum(axis=1)
    target = _batched(value, masks, batch_size) - empty - sizes * share
    root = np.sqrt(weights)
    design = (masks - sizes[:, None] / n) * root[:, None]
    return share + np.linalg.lstsq(design, target * root, rcond=None)[0]


def shapley_kernel(n_players: int, sizes: np.ndarray | int) -> np.ndarray:
    """π(s) = (n − 1) / (C(n,s) s (n − s)), the weight of a coalition of `sizes` players; inf for 0 and n."""
    weights = [
        (n_players - 1) / (comb(n_players, s) * s * (n_players - s)) if 0 < s < n_players else np.inf
        for s in range(n_players + 1)
    ]
    return np.array(weights)[sizes]


def _kernel_coalitions(n: int, budget: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Coalitions (B, n) and their weights (B,): whole sizes first, then random pairs."""
    open_sizes = list(range(1, n // 2 + 1))  # size s stands for s and n − s
    mass = {s: (n - 1) / (s * (n - s)) * (1 if 2 * s == n else 2) for s in open_sizes}
    all_masks, all_weights = [], []
    while open_sizes:
        s = open_sizes[0]
        both = 2 * s != n
        count = comb(n, s) * (1 + both)
        if budget * mass[s] < count * sum(mass[t] for t in open_sizes) * (1 - 1e-12):
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
        masks = (arrival[:, None, :] < np.arange(1, n)[:, None]).astype(np.int64)
        worths[:, 1:n] = _batched(value, masks.reshape(-1, n), batch_size).reshape(-1, n - 1)
    return np.take_along_axis(np.diff(worths, axis=1), arrival, axis=1).mean(axis=0)


def _batched(value: Game, masks: np.ndarray, batch_size: int) -> np.ndarray:
    _positive(batch_size=batch_size)
    return np.concatenate(
        [_worths(value, masks[i : i + batch_size]) for i in range(0, len(masks), batch_size)]
    )


def _worths(value: Game, masks: np.ndarray) -> np.ndarray:
    worths = np.asarray(value(masks), float)
    if worths.shape != (len(masks),):
        raise ValueError(
            f"value returned {worths.shape} for {len(masks)} coalitions, expected ({len(masks)},)"
        )
    if not np.isfinite(worths).all():
        raise ValueError("value returned NaN or infinite numbers")
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

    def value(masks: np.ndarray) -> np.ndarray:
        step = max(batch_size // len(background), 1)
        worths = []
        for first in range(0, len(masks), step):
            shown = np.asarray(masks[first : first + step]).astype(bool)[:, None, :]
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

    def value(masks: np.ndarray) -> np.ndarray:
        agree = (same | ~np.asarray(masks).astype(bool)[:, None, :]).all(axis=2)
        return agree @ outputs / agree.sum(axis=1)

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
    coef, x, background = (np.asarray(a, float) for a in (coef, x, background))
    if coef.ndim != 1 or x.shape[-1:] != coef.shape or background.shape[-1:] != coef.shape:
        raise ValueError(
            f"coef {coef.shape}, x {x.shape} and background {background.shape} differ in features"
        )
    return coef * (x - background.reshape(-1, len(coef)).mean(axis=0))


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
    them lead to it. Trees are sums of leaves, forests sums of trees, and Shapley values add up.

    Args:
        model: Fitted DecisionTree…, ExtraTree…, RandomForest…, ExtraTrees… or GradientBoosting…, classifier
            (probabilities; for boosting the score before the sigmoid or softmax) or regressor, one output.
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
    """
    rows = np.atleast_2d(np.asarray(x, np.float32)).astype(float)  # trees compare in float32
    if method not in ("interventional", "path_dependent"):
        raise ValueError(f'method must be "interventional" or "path_dependent", not {method!r}')
    trees = list(_trees(model))
    n_features = model.n_features_in_
    if rows.ndim != 2 or rows.shape[1] != n_features or not np.isfinite(rows).all():
        raise ValueError(f"x {np.shape(x)} must be (N, {n_features}) finite numbers")
    if method == "interventional":
        if background is None:
            raise ValueError('"interventional" needs background rows; "path_dependent" does without')
        others = np.atleast_2d(np.asarray(background, np.float32)).astype(float)
        if others.shape[1:] != (n_features,) or len(others) == 0 or not np.isfinite(others).all():
            raise ValueError(f"background {np.shape(background)} must be (K, {n_features}) finite numbers")

    phi = np.zeros((len(rows), n_features, trees[0][1].shape[1]))
    for tree, values in trees:
        for leaf, features, low, high, shares in _leaves(tree):
            if not features:
                continue
            a, which, _ = _patterns(rows[:, features], low, high)
            if method == "interventional":
                b, _, counts = _patterns(others[:, features], low, high)
                gains = _leaf_against_rows(a, b, counts / len(others))
            else:
                gains = _leaf_against_shares(a, shares)
            phi[:, features] += gains[which][:, :, None] * values[leaf]
    n_outputs = phi.shape[2]
    if target is not None:
        if not 0 <= target < n_outputs:
            raise ValueError(f"target {target} is out of range: the model has {n_outputs} outputs, from 0")
        phi = phi[:, :, target]
    elif n_outputs == 1:
        phi = phi[:, :, 0]
    return phi if np.ndim(x) == 2 else phi[0]


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


@cache
def _quadrature(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights on [0, 1], exact for polynomials of degree m − 1."""
    points, weights = np.polynomial.legendre.leggauss(m // 2 + 1)
    return (points + 1) / 2, weights / 2


def _leaf_against_shares(a: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Shapley values (P, m) of games v(S) = Π_{j in S} a_j · Π_{j not in S} shares_j.

    φ_j = (a_j − shares_j) ∫ Π_{k ≠ j} (t a_k + (1 − t) shares_k) dt over [0, 1] (Owen 1972): a polynomial, so
    that a few Gauss–Legendre points integrate it exactly.
    """
    t, weights = _quadrature(a.shape[1])
    factors = a[..., None] * t + shares[:, None] * (1 - t)  # positive: no branch of a fitted tree is empty
    products = factors.prod(axis=1, keepdims=True) / factors
    return (a - shares) * (products @ weights)


def _patterns(
    rows: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where low < value ≤ high: the distinct patterns (P, m) of 0/1, each row's pattern, how often each."""
    bits = np.left_shift(1, np.arange(len(low), dtype=np.int64))
    codes = ((rows > low) & (rows <= high)) @ bits
    distinct, which, counts = np.unique(codes, return_inverse=True, return_counts=True)
    return (distinct[:, None] & bits > 0).astype(float), which, counts


def _leaves(tree: object) -> Iterator[tuple[int, list[int], np.ndarray, np.ndarray, np.ndarray]]:
    """Each leaf: its number, the features on its path, for each the open interval and the training share.

    A share multiplies, over the splits on the feature, the part of the node's training rows that go this way.
    """
    rows_at = tree.weighted_n_node_samples
    stack: list[tuple[int, dict[int, tuple[float, float, float]]]] = [(0, {})]
    while stack:
        node, path = stack.pop()
        left, right = tree.children_left[node], tree.children_right[node]
        if left == -1:
            low, high, shares = np.array(list(path.values())).reshape(-1, 3).T
            yield node, list(path), low, high, shares
            continue
        feature, threshold = int(tree.feature[node]), tree.threshold[node]
        low, high, share = path.get(feature, (-np.inf, np.inf, 1.0))
        to_left, to_right = rows_at[left] / rows_at[node], rows_at[right] / rows_at[node]
        stack.append((right, path | {feature: (max(low, threshold), high, share * to_right)}))
        stack.append((left, path | {feature: (low, min(high, threshold), share * to_left)}))


def _trees(model: object) -> Iterator[tuple[object, np.ndarray]]:
    """Each tree of the model and what its nodes add to the outputs, (nodes, outputs)."""
    estimators = getattr(model, "estimators_", None)
    if isinstance(estimators, np.ndarray) and hasattr(model, "learning_rate"):  # gradient boosting
        n_outputs = estimators.shape[1]
        for stage in estimators:
            for output, estimator in enumerate(stage):
                values = np.zeros((estimator.tree_.node_count, n_outputs))
                values[:, output] = model.learning_rate * estimator.tree_.value[:, 0, 0]
                yield estimator.tree_, values
        return
    members = [model] if hasattr(model, "tree_") else list(estimators if estimators is not None else [])
    if not members or not all(hasattr(member, "tree_") for member in members):
        raise TypeError(
            f"{type(model).__name__} is not a fitted scikit-learn tree, forest or gradient boosting"
        )
    for member in members:
        values = member.tree_.value
        if values.shape[1] != 1:
            raise ValueError("the model has several outputs: fit one model for each")
        values = values[:, 0]
        if hasattr(member, "classes_"):
            values = values / values.sum(axis=1, keepdims=True)
        yield member.tree_, values / len(members)


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
    at_once = max(64 // len(inputs), 1)
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
    x, table = np.asarray(x), np.atleast_2d(np.asarray(table))
    if x.ndim != 1 or table.ndim != 2 or table.shape[1:] != x.shape or len(table) == 0:
        raise ValueError(f"x {x.shape} and the table {table.shape} must be (d,) and (K, d)")
    return x, table


def _positive(**values: int) -> None:
    for name, value in values.items():
        check_count(value, name)
