"""A few examples that stand for many: prototypes and criticisms (MMD-critic), and medoids.

All functions take a square matrix of similarities or distances, so they work for pictures, rows and texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist

from course_utils.methods.arguments import check_count, check_number, to_floats


def similarities(rows: np.ndarray, scale: float | None = None) -> np.ndarray:
    """The similarity exp(−‖a − b‖² / scale) of each two rows, `(n, n)` from 0 to 1, 1 for equal rows.

    Args:
        rows: `(n, d)`.
        scale: > 0, in squared units of the rows; None: the median of ‖a − b‖² over all pairs of two rows.

    Raises:
        ValueError: wrong shape, NaN, a scale that is no number > 0, or rows that are nearly all equal (then
            give a scale).
    """
    rows = to_floats(rows, "rows")
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] == 0 or not np.isfinite(rows).all():
        raise ValueError(f"rows must have the shape (n, d), n ≥ 2, all finite; these have {rows.shape}")
    squared = cdist(rows, rows, "sqeuclidean")  # ‖a‖² + ‖b‖² − 2 a·b loses its digits far away from 0
    if not np.isfinite(squared).all():
        raise ValueError("rows are so far apart that their squared distances are infinite: divide them first")
    if scale is None:
        scale = float(np.median(squared[np.triu_indices(len(rows), 1)]))
    if check_number(scale, "scale") == 0:
        raise ValueError("scale must be a number > 0, not 0: give one where most rows are equal")
    return np.exp(-squared / scale)


def mmd2(k: np.ndarray, chosen: Sequence[int]) -> float:
    """The squared maximum mean discrepancy between all n examples and the chosen ones, ≥ 0.

    Kim and others 2016, "Examples are not enough, learn to criticize!", equation 3.

    Args:
        k: similarities `(n, n)`.
        chosen: indices of examples, at least one.

    Raises:
        ValueError: `k` is not square, symmetric and finite, or holds distances; no index, one twice, or one
            that is not there.
    """
    k = _similar(k)
    chosen = _indices(chosen, len(k))
    return float(k.mean() - 2 * k[:, chosen].mean() + k[np.ix_(chosen, chosen)].mean())


def prototypes(k: np.ndarray, n_chosen: int) -> list[int]:
    """Choose prototypes greedily: each time the example with which `mmd2` becomes smallest.

    Args:
        k: similarities `(n, n)`.
        n_chosen: 1 … n.

    Returns:
        Indices, in the order of the choice.

    Raises:
        ValueError: as `mmd2`; `n_chosen` out of range.
    """
    k = _similar(k)
    n_chosen = check_count(n_chosen, "n_chosen", at_most=len(k))
    to_all, chosen, within = k.mean(axis=0), [], 0.0
    to_chosen = np.zeros(len(k))
    for m in range(1, n_chosen + 1):
        # MMD² with each candidate, from sums that are kept: without its first term, which is always the same
        inside = (within + 2 * to_chosen + np.diag(k)) / m**2
        cost = inside - 2 * (to_all[chosen].sum() + to_all) / m
        cost[chosen] = np.inf
        best = int(cost.argmin())
        within += 2 * to_chosen[best] + k[best, best]
        to_chosen += k[best]
        chosen.append(best)
    return chosen


def criticisms(k: np.ndarray, chosen: Sequence[int], n_criticisms: int) -> list[int]:
    """The examples whose mean similarity to all and to the chosen ones differ most, the largest first.

    This difference is the *witness function* of the MMD. It may have either sign: a criticism may be an
    example that the prototypes leave out, or one near them that they count too much.
    Kim and others 2016, section 3.2, without the term that asks criticisms to differ from each other.

    Args:
        k: similarities `(n, n)`.
        chosen: indices of the prototypes.
        n_criticisms: 1 … n minus the number of prototypes.

    Raises:
        ValueError: as `mmd2`; `n_criticisms` out of range.
    """
    k = _similar(k)
    chosen = _indices(chosen, len(k))
    n_criticisms = check_count(n_criticisms, "n_criticisms", at_most=len(k) - len(chosen))
    difference = np.abs(k.mean(axis=1) - k[:, chosen].mean(axis=1))
    difference[chosen] = -1
    return [int(i) for i in np.argsort(-difference, kind="stable")[:n_criticisms]]


def medoids(distances: np.ndarray, n_chosen: int, *, seed: int = 0, n_starts: int = 20) -> list[int]:
    """k-medoids: examples to which the mean distance of all others, each to its nearest one, is small.

    Alternates between "each example to its nearest medoid" and "the most central example of each group", from
    several random starts (Park and Jun 2009, "A simple and fast algorithm for K-medoids clustering").

    Args:
        distances: `(n, n)`, ≥ 0, 0 on the diagonal.
        n_chosen: 1 … n.
        seed, n_starts: of the random starts; the best end is returned.

    Raises:
        ValueError: `distances` is not square, symmetric, finite and ≥ 0; `n_chosen`, `n_starts` or `seed` out
            of range.
    """
    distances = _square(distances, "distances")
    if (distances < 0).any() or np.diag(distances).any():
        raise ValueError("distances must be ≥ 0, and 0 on the diagonal: similarities are no distances")
    n_chosen = check_count(n_chosen, "n_chosen", at_most=len(distances))
    n_starts, seed = check_count(n_starts, "n_starts"), check_count(seed, "seed", at_least=0)
    rng, best, lowest = np.random.default_rng(seed), [], np.inf
    for _ in range(n_starts):
        centres = np.sort(rng.choice(len(distances), n_chosen, replace=False))
        while True:
            group = distances[:, centres].argmin(axis=1)
            group[centres] = np.arange(n_chosen)  # of two equal examples each keeps its own group
            members = [np.flatnonzero(group == g) for g in range(n_chosen)]
            moved = np.sort([own[distances[np.ix_(own, own)].sum(axis=0).argmin()] for own in members])
            if (moved == centres).all():
                break
            if distances[:, moved].min(axis=1).sum() >= distances[:, centres].min(axis=1).sum():
                break
            centres = moved
        cost = distances[:, centres].min(axis=1).mean()
        if cost < lowest:
            best, lowest = [int(c) for c in centres], cost
    return best


def _similar(k: np.ndarray) -> np.ndarray:
    """`k` as a square matrix of similarities, or raise: distances have zeros on the diagonal."""
    k = _square(k, "k")
    if not np.diag(k).any():
        raise ValueError(
            "k has zeros on the diagonal, as distances have: give similarities, `similarities(rows)`"
        )
    return k


def _square(matrix: np.ndarray, name: str) -> np.ndarray:
    matrix = to_floats(matrix, name)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) == 0:
        raise ValueError(f"{name} must be a square matrix (n, n), not {matrix.shape}: use `similarities`")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} contains NaN or infinite values: check the rows that it comes from")
    if (np.abs(matrix - matrix.T) > 1e-5 * np.abs(matrix).max()).any():  # more than rounding in float32
        raise ValueError(f"{name} must be symmetric: take ({name} + {name}.T) / 2")
    return matrix


def _indices(chosen: Sequence[int], n: int) -> list[int]:
    if not np.iterable(chosen):
        raise ValueError(f"chosen must be a list of indices, not {chosen!r}")
    chosen = [check_count(i, "an index of chosen", 0, n - 1) for i in chosen]
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"chosen must hold at least one index, each once, not {chosen}")
    return chosen
