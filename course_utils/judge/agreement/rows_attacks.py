"""FGSM and PGD beside torchattacks and captum, on pictures from 0 to 1 and without a random start."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.judge.agreement.row import Row
from course_utils.judge.agreement.subjects import asked
from course_utils.methods import attacks

BOX = {"bounds": (0.0, 1.0)}


def _case() -> tuple[nn.Module, Tensor, Tensor]:
    model, inputs, targets = asked(scale=3.0)
    return model, inputs.sigmoid(), targets


def _of_torchattacks(kind: str, **options) -> Tensor:
    import torchattacks

    model, pixels, targets = _case()
    return getattr(torchattacks, kind)(model, **options)(pixels, targets)


def _of_captum() -> Tensor:
    from captum.robust import PGD

    def strong(scores: Tensor, labels: Tensor) -> Tensor:
        return 2.0**40 * F.cross_entropy(scores, labels, reduction="none")

    model, pixels, targets = _case()
    attack = PGD(model, strong, 0.0, 1.0)
    return attack.perturb(pixels.requires_grad_(), 0.04, 0.01, 5, target=targets).detach()


def _ours(norm: str, epsilon: float, step: float) -> Tensor:
    return attacks.pgd(*_case(), epsilon, norm, **BOX, n_steps=5, step_size=step)


def _moved_by(result: Tensor) -> Tensor:
    """The change, not the picture: a small error in it must not hide behind the picture's size."""
    return torch.as_tensor(result) - _case()[1]


ROWS = (
    Row(
        "FGSM",
        "torchattacks",
        "pixels from 0 to 1",
        lambda: _moved_by(attacks.fgsm(*_case(), 0.03, **BOX)),
        lambda: _moved_by(_of_torchattacks("FGSM", eps=0.03)),
    ),
    Row(
        "PGD, L∞",
        "torchattacks",
        "no random start",
        lambda: _moved_by(_ours("linf", 0.04, 0.01)),
        lambda: _moved_by(_of_torchattacks("PGD", eps=0.04, alpha=0.01, steps=5, random_start=False)),
    ),
    Row(
        "PGD, L2",
        "torchattacks",
        "no random start, no ε in the division",
        lambda: _moved_by(_ours("l2", 1.0, 0.3)),
        lambda: _moved_by(
            _of_torchattacks("PGDL2", eps=1.0, alpha=0.3, steps=5, random_start=False, eps_for_division=0.0)
        ),
    ),
    Row(
        "PGD, L∞",
        "captum",
        "cross-entropy as the loss, scaled",
        lambda: _moved_by(_ours("linf", 0.04, 0.01)),
        lambda: _moved_by(_of_captum()),
    ),
)
