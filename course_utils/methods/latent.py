"""The hidden numbers (*latents*) of an autoencoder: the price of a code, and whether an axis is a factor."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_utils.methods.arguments import check_finite
from course_utils.methods.information import entropy, histogram_information, quantile_bins, to_floats

LATENT_BINS, FACTOR_BINS = 20, 10


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, e^log_variance) from N(0, 1) for each latent, in nats; the same shape.

    Kingma and Welling 2014, "Auto-encoding variational Bayes", appendix B: ½ (μ² + σ² − 1 − ln σ²). Sum over
    the latents for the price of one picture's code; average over pictures only.

    Args:
        mean: float, any shape, such as `(N, k)`.
        log_variance: ln σ², the same shape.

    Raises:
        TypeError: not float tensors.
        ValueError: shapes that differ, or NaN.
    """
    for values, name in ((mean, "mean"), (log_variance, "log_variance")):
        if not isinstance(values, Tensor) or not values.is_floating_point():
            raise TypeError(f"{name} must be a float tensor: use torch.as_tensor(…, dtype=torch.float32)")
        check_finite(values, name)
    if mean.shape != log_variance.shape:
        raise ValueError(
            f"mean {tuple(mean.shape)} and log_variance {tuple(log_variance.shape)} must have the same "
            "shape: one variance for each latent"
        )
    # expm1: e^x − 1 without losing digits where the variance is near 1
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance)


def information_table(latents: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Mutual information of each latent with each factor, `(k, f)`, as shares of the factor's entropy.

    By counting: 20 bins for a latent, 10 for a factor, with equally many values each. 0: tells nothing;
    1: the factor's bin is known. Needs some thousand examples: the table of pure noise holds about
    171 / (2 n · 2.3) in each place.

    Args:
        latents: `(n, k)`, for instance the encoder's means.
        factors: `(n, f)`, what the examples were made from.

    Raises:
        ValueError: shapes that do not fit, NaN, fewer than 1,000 examples, or a factor that never changes.
    """
    latents, factors = _table(latents, "latents"), _table(factors, "factors")
    if len(latents) != len(factors):
        raise ValueError(f"{len(latents)} rows of latents and {len(factors)} of factors: give pairs")
    if len(latents) < 1000:
        raise ValueError(f"{len(latents)} examples are too few for 200 cells: give latents of at least 1,000")
    uncertainty = np.array([entropy(quantile_bins(factor, FACTOR_BINS)) for factor in factors.T])
    if (uncertainty == 0).any():
        raise ValueError(f"factor {int(uncertainty.argmin())} never changes: leave its column of factors out")
    bins = (LATENT_BINS, FACTOR_BINS)
    counted = [[histogram_information(latent, factor, bins) for factor in factors.T] for latent in latents.T]
    return np.array(counted) / uncertainty


def mutual_information_gap(latents: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """MIG of each factor, `(f,)`: what the best latent tells about it, minus what the second best tells.

    Chen and others 2018, "Isolating sources of disentanglement in variational autoencoders", section 4.1,
    before the mean over factors. From 0 (two latents tell as much) to nearly 1 (one tells all, the others
    nothing). It does not ask whether one latent serves two factors.

    Args, Raises: as `information_table`; at least two latents.
    """
    table = np.sort(information_table(latents, factors), axis=0)
    if len(table) < 2:
        raise ValueError("a gap needs two latents at least: latents must have the shape (n, k) with k ≥ 2")
    return table[-1] - table[-2]


def _table(values: np.ndarray, name: str) -> np.ndarray:
    values = to_floats(values, name)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"{name} must have the shape (n, columns), not {values.shape}: use {name}[:, None]")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} contain NaN or infinite values: leave these examples out")
    return values
