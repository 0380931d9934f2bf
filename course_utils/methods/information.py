"""Mutual information: how much two quantities tell about each other, in nats (1 nat = 1.44 bits).

Four ways from samples, each with its own weakness: a histogram (too large with many cells), InfoNCE (never
above the logarithm of the batch), Donsker-Varadhan (a large variance) and a readout (no more than it can
read); and the closed form for normal pairs, to compare with. Nearest neighbours are in scikit-learn,
`mutual_info_regression`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from course_utils.methods.arguments import check_count, check_finite, check_number, to_floats


def quantile_bins(values: np.ndarray, n_bins: int) -> np.ndarray:
    """The number of each value's bin, 0 to n_bins − 1, `(n,)`; the bins hold equally many values.

    Equal values share a bin, so a constant has one bin, and some bins may stay empty.

    Args:
        values: `(n,)`, at least one, finite.
        n_bins: at least 2.

    Raises:
        ValueError: wrong shape, NaN, or too few bins.
    """
    values = _numbers(values, "values")
    check_count(n_bins, "n_bins", 2)
    edges = np.quantile(values, np.arange(1, n_bins) / n_bins)
    return np.searchsorted(edges, values)


def entropy(bins: np.ndarray) -> float:
    """The entropy −Σ p ln p of whole numbers, in nats; p are their shares.

    Args:
        bins: `(n,)`, such as `quantile_bins` gives.

    Raises:
        ValueError: wrong shape, no number, or numbers that are not whole, such as shares.
    """
    bins = _numbers(bins, "bins")
    if (bins != np.round(bins)).any():
        raise ValueError(
            "bins must be whole numbers, one for each example: count values in quantile_bins first"
        )
    counts = np.unique(bins, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def histogram_information(a: np.ndarray, b: np.ndarray, bins: int | tuple[int, int]) -> float:
    """Mutual information of two samples by counting cells: Σ p(i, j) ln [p(i, j) / (p(i) p(j))], in nats.

    The bins hold equally many values, so the result does not change when a or b is stretched (by any
    increasing function). Too large: for independent samples by about (bins of a − 1)(bins of b − 1) / 2n
    (Miller 1955), by less where they share much. Keep the number of cells far below n.

    Args:
        a, b: `(n,)` each, values that belong together.
        bins: their number for both, or (of a, of b).

    Raises:
        ValueError: shapes that do not fit, NaN, or fewer than 2 bins.
    """
    a, b = _numbers(a, "a"), _numbers(b, "b")
    if len(a) != len(b):
        raise ValueError(f"a has {len(a)} values and b has {len(b)}: give values that belong together")
    if isinstance(bins, tuple) and len(bins) != 2:
        raise ValueError(f"bins must be a whole number ≥ 2, or two of them (of a, of b), not {bins!r}")
    of_a, of_b = bins if isinstance(bins, tuple) else (bins, bins)
    in_a, in_b = quantile_bins(a, of_a), quantile_bins(b, of_b)
    return max(0.0, entropy(in_a) + entropy(in_b) - entropy(in_a * of_b + in_b))


def gaussian_information(rho: float, dimensions: int = 1) -> float:
    """The true mutual information of two normal vectors, −d/2 · ln(1 − ρ²), in nats.

    Args:
        rho: correlation of each pair of components, above −1 and below 1.
        dimensions: number d of pairs, independent of each other.

    Raises:
        ValueError: a correlation of ±1 or beyond (the information is infinite), no dimension.
    """
    if abs(check_number(rho, "rho", at_least=-1.0, below=1.0)) == 1:
        raise ValueError("rho must be above −1 and below 1: at ±1 the information is infinite")
    return -check_count(dimensions, "dimensions") / 2 * math.log1p(-(float(rho) ** 2))


def infonce_bound(scores: Tensor) -> Tensor:
    """A lower bound of the mutual information from a batch, never above ln B: `()`, in nats.

    Van den Oord and others 2018, "Representation learning with contrastive predictive coding", section 2.3:
    the mean log-probability, under a softmax over each row, that the true partner gets, plus ln B. A bound
    on average over batches, not in each.

    Args:
        scores: `(B, B)` float, B ≥ 2; row i, column j: how well a_i and b_j fit. True pairs on the diagonal.

    Raises:
        TypeError: not a float tensor.
        ValueError: not square, a single pair, or NaN.
    """
    scores = _square(scores)
    return scores.log_softmax(dim=1).diagonal().mean() + math.log(len(scores))


def donsker_varadhan_bound(scores: Tensor) -> Tensor:
    """The bound that MINE maximises, from a batch: mean score of pairs − ln mean e^score of strangers, `()`.

    Belghazi and others 2018, "Mutual information neural estimation", theorem 1. A lower bound with the true
    expectations; from a batch the logarithm of a mean is too small on average, and a few large scores decide
    it, so it may lie far above the truth.

    Args, Raises: as `infonce_bound`; the strangers are the scores off the diagonal.
    """
    scores = _square(scores)
    n = len(scores)
    strangers = scores.masked_fill(torch.eye(n, dtype=torch.bool, device=scores.device), -math.inf)
    return scores.diagonal().mean() - (strangers.flatten().logsumexp(dim=0) - math.log(n * (n - 1)))


def readout_bound(log_probabilities: np.ndarray, values: np.ndarray) -> float:
    """A lower bound of the mutual information that a readout proves: H(values) − its cross-entropy, in nats.

    Barber and Agakov 2003, "The IM algorithm". On examples that the readout did not learn from; a bound on
    average over such samples. Below 0 where the readout is worse than the shares of the values.

    Args:
        log_probabilities: `(n, k)`, ln q of each value, ≤ 0; each row's probabilities add up to 1.
        values: `(n,)`, the true ones, whole numbers from 0 to k − 1.

    Raises:
        ValueError: shapes that do not fit, NaN, rows that are no probabilities, a value that has no column.
    """
    logs, values = to_floats(log_probabilities, "log_probabilities"), _numbers(values, "values")
    if logs.ndim != 2 or len(logs) != len(values):
        raise ValueError(
            f"log_probabilities {logs.shape} must have the shape ({len(values)}, k): one row for each value"
        )
    if np.isnan(logs).any() or (np.abs(np.exp(logs).sum(axis=1) - 1) > 1e-3).any():
        raise ValueError(
            "log_probabilities must be logarithms of probabilities that add up to 1: take predict_log_proba"
        )
    columns = values.astype(int)
    if (columns != values).any() or (columns < 0).any() or (columns >= logs.shape[1]).any():
        raise ValueError(f"values must be whole numbers from 0 to {logs.shape[1] - 1}, the columns")
    return entropy(columns) + float(logs[np.arange(len(columns)), columns].mean())


def _numbers(values: np.ndarray, name: str) -> np.ndarray:
    values = to_floats(values, name)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name} must have the shape (n,), not {values.shape}: take one column at a time")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} contains NaN or infinite values: leave these examples out")
    return values


def _square(scores: Tensor) -> Tensor:
    if not isinstance(scores, Tensor) or not scores.is_floating_point():
        raise TypeError("scores must be a float tensor: use torch.as_tensor(…, dtype=torch.float32)")
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or len(scores) < 2:
        raise ValueError(
            f"scores must have the shape (B, B) with B ≥ 2, not {tuple(scores.shape)}: "
            "score each a with each b of the batch"
        )
    return check_finite(scores, "scores")
