"""The measures of an explanation beside captum and scipy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_utils.judge.agreement.row import Row
from course_utils.judge.agreement.subjects import asked
from course_utils.judge.perturbation import infidelity, sensitivity_max
from course_utils.judge.statistics import rank_correlation
from course_utils.methods.gradients import input_x_gradient, saliency


def _changes() -> Tensor:
    """(8, N, C, H, W)."""
    generator = torch.Generator().manual_seed(2)
    return 0.3 * torch.randn(8, *asked()[1].shape, generator=generator, dtype=torch.float64)


def _in_captums_order() -> Tensor:
    """(N · 8, C, H, W): all changes of the first picture, then those of the second."""
    return _changes().transpose(0, 1).flatten(0, 1)


def _our_infidelity() -> Tensor:
    return infidelity(*asked(), input_x_gradient(*asked()), perturbations=_changes())


def _captum_infidelity() -> Tensor:
    from captum.metrics import infidelity as by_captum

    model, inputs, targets = asked()
    noise, values = _in_captums_order(), input_x_gradient(model, inputs, targets)
    return by_captum(model, lambda x: (noise, x - noise), inputs, values, target=targets, n_perturb_samples=8)


def _our_sensitivity() -> Tensor:
    model, inputs, _ = asked()
    return sensitivity_max(lambda x: saliency(model, x, 2), inputs, perturbations=_changes())


def _captum_sensitivity() -> Tensor:
    from captum.metrics import sensitivity_max as by_captum

    model, inputs, _ = asked()
    noise = _in_captums_order()

    def explain(x):  # captum gives a tuple and wants one back, then a tensor
        return (saliency(model, x[0], 2),) if isinstance(x, tuple) else saliency(model, x, 2)

    return by_captum(explain, inputs, lambda x: x + noise, n_perturb_samples=8)


def _two_maps() -> tuple[Tensor, Tensor]:
    values = input_x_gradient(*asked())
    return values[:, 0], values[:, 1]


def _scipy_ranks() -> np.ndarray:
    from scipy.stats import spearmanr

    pairs = zip(*_two_maps(), strict=True)
    return np.array([spearmanr(a.flatten(), b.flatten()).statistic for a, b in pairs])


ROWS = (
    Row(
        "infidelity (measure)",
        "captum",
        "the same perturbations; no factor",
        _our_infidelity,
        _captum_infidelity,
    ),
    Row(
        "sensitivity (measure)",
        "captum",
        "the same perturbations",
        _our_sensitivity,
        _captum_sensitivity,
    ),
    Row(
        "rank correlation (measure)",
        "scipy",
        "Spearman",
        lambda: rank_correlation(*_two_maps()),
        _scipy_ranks,
    ),
)
