"""The price of a code and mutual information beside torch and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from course_utils.judge.agreement.row import Row
from course_utils.methods import information, latent


def _cloud() -> tuple[Tensor, Tensor]:
    mean, log_variance = torch.randn(
        2, 40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    return mean, log_variance


def _torch_kl() -> Tensor:
    from torch.distributions import Normal, kl_divergence

    mean, log_variance = _cloud()
    return kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))


def _pair() -> tuple[np.ndarray, np.ndarray]:
    a, noise = np.random.default_rng(0).normal(size=(2, 1000))
    return a, 0.5 * a + noise


def _sklearn_information() -> np.ndarray:
    from sklearn.metrics import mutual_info_score

    return np.array([mutual_info_score(*(information.quantile_bins(v, 12) for v in _pair()))])


def _scores() -> Tensor:
    return torch.randn(16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


ROWS = (
    Row(
        "KL to N(0, 1)",
        "torch kl_divergence",
        "log_variance is ln σ²",
        lambda: latent.kl_to_standard_normal(*_cloud()),
        _torch_kl,
    ),
    Row(
        "mutual information, histogram",
        "scikit-learn mutual_info_score",
        "the same bins, with equally many values",
        lambda: np.array([information.histogram_information(*_pair(), 12)]),
        _sklearn_information,
    ),
    Row(
        "InfoNCE",
        "torch cross_entropy",
        "ln B minus the loss",
        lambda: information.infonce_bound(_scores())[None],
        lambda: (math.log(16) - torch.nn.functional.cross_entropy(_scores(), torch.arange(16)))[None],
    ),
)
