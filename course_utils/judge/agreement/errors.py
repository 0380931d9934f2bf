"""Errors that published courses copy from one another, each beside the definition."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.judge.agreement.row import PublishedError
from course_utils.judge.agreement.subjects import asked
from course_utils.methods.embeddings import cosine_similarity
from course_utils.methods.gradients import integrated_gradients, saliency, smooth_grad
from course_utils.methods.hooks import input_gradients

_LEVEL = 0.4  # of the noise, a share of the range
_COMPLETE = "adds up to y(x) − y(x′): completeness"


def _one() -> tuple[torch.nn.Module, Tensor, Tensor, float]:
    """The network, one picture, its class, and the picture's range."""
    model, inputs, targets = asked()
    return model, inputs[:1], targets[:1], float(inputs[0].max() - inputs[0].min())


def _smooth(sigma) -> Tensor:
    """SmoothGrad with σ computed from (level, range)."""
    model, picture, label, span = _one()
    return smooth_grad(model, picture, label, 20, sigma(_LEVEL, span) / span)


def _noisy_gradients() -> Tensor:
    """The gradients that `_smooth` averages, one a noisy copy."""
    model, picture, label, span = _one()
    generator = torch.Generator().manual_seed(0)
    noise = torch.stack(
        [torch.randn(picture.shape, generator=generator, dtype=picture.dtype) for _ in range(20)]
    )
    return input_gradients(model, picture + _LEVEL * span * noise[:, 0], label.expand(20))


def _right_smooth() -> Tensor:
    return _smooth(lambda level, span: level * span)


def _baseline() -> Tensor:
    return torch.full_like(asked()[1], -0.5)


def _gain() -> Tensor:
    model, inputs, targets = asked()
    with torch.no_grad():
        return (model(inputs) - model(_baseline())).gather(1, targets[:, None])[:, 0]


def _without_the_factor() -> Tensor:
    model, inputs, targets = asked()
    values = integrated_gradients(model, inputs, targets, _baseline(), n_steps=200)
    return (values / (inputs - _baseline())).sum(dim=(1, 2, 3))


def _stopped_early() -> Tensor:
    model, inputs, targets = asked()
    path = [_baseline() + 0.01 * step * (inputs - _baseline()) for step in range(91)]
    slopes = torch.stack([input_gradients(model, x, targets) for x in path]).mean(dim=0)
    return (slopes * (inputs - _baseline())).sum(dim=(1, 2, 3))


def _of_score_and_loss() -> list[Tensor]:
    """Each divided by its largest value: their units differ."""
    model, inputs, targets = asked()
    pixels = inputs.clone().requires_grad_()
    loss = F.cross_entropy(model(pixels), targets, reduction="sum")
    maps = [saliency(model, inputs, targets), torch.autograd.grad(loss, pixels)[0].abs()]
    return [values / values.amax(dim=(1, 2, 3), keepdim=True) for values in maps]


def _cosines() -> Tensor:
    flat = asked()[1].flatten(1)
    return cosine_similarity(flat[:, None], flat[None])


ERRORS = (
    PublishedError(
        "SmoothGrad, σ = level / range",
        f"σ = level × range (level {_LEVEL})",
        lambda: (_right_smooth(), _smooth(lambda level, span: level / span)),
    ),
    PublishedError(
        "SmoothGrad, σ² as the standard deviation",
        "σ",
        lambda: (_right_smooth(), _smooth(lambda level, span: (level * span) ** 2)),
    ),
    PublishedError(
        "SmoothGrad, absolute gradients averaged",
        "mean of the signed gradients",
        lambda: (_right_smooth(), _noisy_gradients().abs().mean(dim=0, keepdim=True)),
    ),
    PublishedError(
        "SmoothGrad-squared: averages, then squares",
        "averages the squares",
        lambda: ((_noisy_gradients() ** 2).mean(dim=0), _noisy_gradients().mean(dim=0) ** 2),
    ),
    PublishedError(
        "IG without the factor (x − x′), its sum", _COMPLETE, lambda: (_gain(), _without_the_factor())
    ),
    PublishedError("IG with α from 0 to 0.9 only, its sum", _COMPLETE, lambda: (_gain(), _stopped_early())),
    PublishedError("saliency of the loss (largest value 1)", "of the class score", _of_score_and_loss),
    PublishedError("cosine similarity = 1 − cosine", "the cosine", lambda: (_cosines(), 1 - _cosines())),
)
