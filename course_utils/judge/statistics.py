"""How sure is a mean, and how alike are two maps?"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from course_utils.methods.arguments import check_count, check_maps


def bootstrap_interval(
    values: Tensor | np.ndarray, level: float = 0.95, n_resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return the bootstrap interval of the mean of `values`, one value a picture (percentile method).

    Args:
        values: `(N,)`.
        level: share of the resampled means inside the interval.
        n_resamples: draws of N pictures with replacement.
        seed: of the draws.

    Returns:
        (low, high).

    Raises:
        ValueError: no values, more than one dimension, NaN, or a level outside 0 … 1.
    """
    values = np.asarray(torch.as_tensor(values).detach().cpu(), dtype=np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(
            f"values must be a row (N,) of at least one finite number, not of the shape {values.shape}"
        )
    if not np.isfinite(values).all():
        bad = np.flatnonzero(~np.isfinite(values))[0]
        raise ValueError(f"values must be finite: number {bad} is NaN or infinite, leave that item out")
    check_count(n_resamples, "n_resamples")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    draws = np.random.default_rng(seed).integers(len(values), size=(n_resamples, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Paired:
    """The mean difference of two methods on the same items, with its bootstrap interval. Prints as text."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def sure(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.mean:+.2f} (95 % interval {self.low:+.2f} to {self.high:+.2f}, {self.n} pairs)"

    __repr__ = __str__


def paired(values: Tensor | np.ndarray, others: Tensor | np.ndarray) -> Paired:
    """Compare two methods that saw the same items: the mean of `values − others` with a 95 % interval.

    The interval resamples items. Where a method also draws random numbers, vary its seed as well.

    Args:
        values, others: `(N,)`, one score an item, in the same order.

    Raises:
        ValueError: shapes that differ, fewer than two items, NaN.
    """
    values, others = (
        np.asarray(torch.as_tensor(v).detach().cpu(), dtype=np.float64) for v in (values, others)
    )
    if values.shape != others.shape or values.ndim != 1 or len(values) < 2:
        raise ValueError(
            f"paired scores are two rows of one length, at least two, not {values.shape} and {others.shape}"
        )
    difference = values - others
    low, high = bootstrap_interval(difference)
    return Paired(float(difference.mean()), low, high, len(difference))


def rank_correlation(maps: Tensor, others: Tensor) -> Tensor:
    """Spearman's rank correlation of each map with the other of the same picture.

    Args:
        maps, others: float tensors of one shape, `(N, …)`.

    Returns:
        `(N,)` in −1 … 1. A map of equal values has no order: the correlation is 0.
    """
    from scipy.stats import rankdata  # slow to import, and few callers need it

    maps, others = (_rows(m) for m in _pair(maps, others))
    a, b = (rankdata(m, axis=1) - (m.shape[1] + 1) / 2 for m in (maps, others))
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return torch.from_numpy((a * b).sum(axis=1) / np.where(norm > 0, norm, 1)).float()


def ssim(maps: Tensor, others: Tensor) -> Tensor:
    """Structural similarity of each map with the other of the same picture (Wang et al. 2004).

    Computed by scikit-image. Both maps are first scaled to 0 … 1 each, so that only their patterns count.

    Args:
        maps, others: float tensors `(N, H, W)`, at least 7 pixels a side (the size of the window).

    Returns:
        `(N,)`, 1 for equal patterns.
    """
    from skimage.metrics import structural_similarity  # slow to import, and few callers need it

    maps, others = _pair(maps, others)
    if maps.ndim != 3 or min(maps.shape[1:]) < 7:
        raise ValueError(
            f"maps must have the shape (N, H, W) with at least 7 pixels a side, not {tuple(maps.shape)}"
        )
    pairs = zip(_scaled(maps), _scaled(others), strict=True)
    return torch.tensor([structural_similarity(a, b, data_range=1.0) for a, b in pairs])


def _pair(maps: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    for values in (maps, others):
        check_maps(values, dims=range(2, 9), form="(N, …)")
    if maps.shape != others.shape:
        raise ValueError(
            f"maps must have one shape (N, …), not {tuple(maps.shape)} and {tuple(others.shape)}"
        )
    return maps, others


def _rows(maps: Tensor) -> np.ndarray:
    return maps.detach().cpu().double().flatten(1).numpy()


def _scaled(maps: Tensor) -> np.ndarray:
    rows = _rows(maps)
    low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
    return ((rows - low) / np.where(high > low, high - low, 1)).reshape(maps.shape)
