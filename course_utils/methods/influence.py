"""Which training examples made a classifier answer as it does: influence functions and TracIn.

All values have one sign: positive, the training example *helps* (without it the loss of the test example
would be higher); negative, it *harms*. The loss is the cross-entropy; a model with one score is a logistic
regression, with targets 0 and 1. The parameters are those that require gradients: freeze the others with
`requires_grad_(False)`, for instance all but the last layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, vmap
from torch.nn import functional as F

from course_utils.methods.arguments import (
    check_finite,
    check_inputs,
    check_model,
    check_number,
    check_range,
    check_target,
)
from course_utils.methods.hooks import evaluation, gradients_on

ROWS_AT_ONCE = 64  # rows of a Hessian: its work space is so many copies of the activations
MOST_PARAMETERS = 20_000  # a Hessian in double precision then takes 3.2 GB


def example_gradients(model: nn.Module, inputs: Tensor, targets: int | Tensor) -> Tensor:
    """The gradient of each example's loss at the parameters, `(N, P)`, P parameters in the model's order.

    Args:
        model: classifier with the scores `(N, n_classes)`, or `(N, 1)` for two classes.
        inputs: pictures `(N, C, H, W)` or vectors `(N, d)`, float.
        targets: class index, or `(N,)` of them.

    Raises:
        ValueError: wrong shape, NaN, a target out of range, no parameter that requires gradients.
        TypeError: `inputs` is not a float tensor or `targets` not integers.
    """
    inputs, targets, free, rest = _prepared(model, inputs, targets)

    def loss(weights: dict[str, Tensor], row: Tensor, target: Tensor) -> Tensor:
        return _losses(functional_call(model, weights | rest, (row[None],)), target[None])[0]

    with evaluation(model), gradients_on():
        gradients = vmap(grad(loss), in_dims=(None, 0, 0))(free, inputs, targets)
    return torch.cat([gradients[name].flatten(1) for name in free], dim=1).detach()


def loss_hessian(model: nn.Module, inputs: Tensor, targets: int | Tensor) -> Tensor:
    """The second derivatives of the *mean* loss at the parameters, `(P, P)`; exact, so P must be small.

    Args: as `example_gradients`.

    Raises:
        ValueError: as `example_gradients`; more parameters than `MOST_PARAMETERS`.
        TypeError: as `example_gradients`.
    """
    inputs, targets, free, rest = _prepared(model, inputs, targets)
    sizes = [weight.numel() for weight in free.values()]
    if sum(sizes) > MOST_PARAMETERS:
        raise ValueError(
            f"the Hessian of {sum(sizes):,} parameters is too large (limit {MOST_PARAMETERS:,}): freeze all "
            "but the last layer with requires_grad_(False), or use `tracin`"
        )

    def mean_loss(flat: Tensor) -> Tensor:
        parts = zip(free.items(), flat.split(sizes), strict=True)
        weights = {name: part.view_as(weight) for (name, weight), part in parts}
        return _losses(functional_call(model, weights | rest, (inputs,)), targets).mean()

    flat = torch.cat([weight.flatten() for weight in free.values()])
    with evaluation(model), gradients_on():
        hessian = jacrev(grad(mean_loss), chunk_size=ROWS_AT_ONCE)(flat).detach()
    return (hessian + hessian.T) / 2  # rounding leaves it not quite symmetric


def influence(
    model: nn.Module,
    inputs: Tensor,
    targets: int | Tensor,
    test_inputs: Tensor,
    test_targets: int | Tensor,
    damping: float,
) -> Tensor:
    """By how much the loss of each test example would rise without each training example, about.

    Koh and Liang 2017, "Understanding black-box predictions via influence functions", equations 2 and 5 with
    the step ε = −1/n: (1/n) ∇ℓ_testᵀ (H + damping · 1)⁻¹ ∇ℓ_i, with H the Hessian of the mean training loss.

    Args:
        model: at a minimum of (1/n) Σ ℓ_i + λ/2 ‖θ‖², or near it.
        inputs, targets: all n training examples, as in `example_gradients`.
        test_inputs, test_targets: m others.
        damping: λ. For a network that was trained without it, a number > 0 that makes H invertible.

    Returns:
        `(m, n)`, in units of the loss (nats).

    Raises:
        ValueError: as `loss_hessian`; H + damping · 1 cannot be inverted, or so nearly that rounding decides.
        TypeError: as `example_gradients`.
    """
    damping = check_number(damping, "damping")
    gradients = example_gradients(model, inputs, targets)
    of_tests = example_gradients(model, test_inputs, test_targets)
    solved, moved = _solved(loss_hessian(model, inputs, targets), damping, of_tests)
    found = solved @ gradients.double().T
    _check_rounding(found, moved @ gradients.double().T, damping)
    return found.to(gradients) / len(gradients)


def self_influence(model: nn.Module, inputs: Tensor, targets: int | Tensor, damping: float) -> Tensor:
    """By how much the loss of each training example would rise without that example itself, `(n,)`.

    Large for examples that the model had to learn by heart, such as those with a wrong label.
    Args, Raises: as `influence`.
    """
    damping = check_number(damping, "damping")
    gradients = example_gradients(model, inputs, targets)
    solved, moved = _solved(loss_hessian(model, inputs, targets), damping, gradients)
    found = (gradients * solved).sum(dim=1)
    _check_rounding(found, (gradients * moved).sum(dim=1), damping)
    return found.to(gradients) / len(gradients)


def tracin(
    checkpoints: Sequence[nn.Module],
    learning_rates: float | Sequence[float],
    inputs: Tensor,
    targets: int | Tensor,
    test_inputs: Tensor,
    test_targets: int | Tensor,
) -> Tensor:
    """TracIn: which training examples lowered the loss of each test example during training, `(m, n)`.

    Pruthi and others 2020, "Estimating training data influence by tracing gradient descent", section 3.2
    (TracInCP): Σ_t η_t ∇ℓ_test(θ_t)ᵀ ∇ℓ_i(θ_t) over the stored states θ_t of the training.

    Args:
        checkpoints: the model at several moments of its training.
        learning_rates: η, one for all, or one a checkpoint.
        inputs, targets, test_inputs, test_targets: as in `influence`.

    Raises:
        ValueError: as `example_gradients`; no checkpoint, or another number of learning rates.
        TypeError: as `example_gradients`.
    """
    rates = _rates(checkpoints, learning_rates)
    return sum(
        rate * example_gradients(m, test_inputs, test_targets) @ example_gradients(m, inputs, targets).T
        for m, rate in zip(checkpoints, rates, strict=True)
    )


def tracin_self(
    checkpoints: Sequence[nn.Module],
    learning_rates: float | Sequence[float],
    inputs: Tensor,
    targets: int | Tensor,
) -> Tensor:
    """TracIn of each training example on itself, `(n,)`: Σ_t η_t ‖∇ℓ_i(θ_t)‖². Args, Raises: as `tracin`."""
    rates = _rates(checkpoints, learning_rates)
    return sum(
        rate * example_gradients(m, inputs, targets).square().sum(dim=1)
        for m, rate in zip(checkpoints, rates, strict=True)
    )


def _solved(hessian: Tensor, damping: float, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """(H + damping · 1)⁻¹ v for each of the vectors `(m, P)`, in double precision, and how sure that is.

    Returns:
        The solutions `(m, P)`, and by how much (to first order) each would move if the damping were larger by
        what rounding leaves open in H. The matrix is factorised once.
    """
    damped = hessian.double()
    damped.diagonal().add_(damping)
    rounding = 10 * torch.finfo(vectors.dtype).eps * damped.abs().max()
    factors, pivots, singular = torch.linalg.lu_factor_ex(damped)
    solved = torch.linalg.lu_solve(factors, pivots, vectors.T.double())
    if singular or not solved.isfinite().all():
        raise ValueError(f"the Hessian cannot be inverted with damping={damping:g}: give a larger damping")
    return solved.T, rounding * torch.linalg.lu_solve(factors, pivots, solved).T


def _check_rounding(found: Tensor, moved: Tensor, damping: float) -> None:
    """Raise if a damping that is larger by no more than rounding moves the answer."""
    if not moved.isfinite().all() or moved.abs().max() > 0.1 * found.abs().max():
        raise ValueError(
            f"the Hessian can hardly be inverted with damping={damping:g}, rounding decides what comes out: "
            "give a larger damping, or the model and the inputs in double precision"
        )


def _prepared(
    model: nn.Module, inputs: Tensor, targets: int | Tensor
) -> tuple[Tensor, Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Checked inputs and targets; the parameters that require gradients; the others and the buffers."""
    inputs = check_inputs(model, inputs, vectors=True)
    targets = check_target(targets, inputs, "targets")
    named = dict(model.named_parameters())
    free = {name: weight.detach() for name, weight in named.items() if weight.requires_grad}
    if not free:
        raise ValueError("no parameter of the model requires gradients: use requires_grad_(True) on a layer")
    rest = {name: weight.detach() for name, weight in named.items() if name not in free}
    with evaluation(model), torch.no_grad():
        scores = model(inputs[:1])
    if not isinstance(scores, Tensor) or scores.ndim != 2:
        found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"the model must give scores (N, n_classes), not {found}: wrap it in a module")
    check_finite(scores, "scores", ": check the model's weights")
    check_range(targets, max(scores.shape[1], 2), "targets")
    return inputs, targets, free, rest | dict(model.named_buffers())


def _losses(scores: Tensor, targets: Tensor) -> Tensor:
    """The loss of each example, `(N,)`; one score is the log-odds of class 1."""
    if scores.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(scores[:, 0], targets.to(scores), reduction="none")
    return F.cross_entropy(scores, targets, reduction="none")


def _rates(checkpoints: Sequence[nn.Module], learning_rates: float | Sequence[float]) -> list[float]:
    if isinstance(checkpoints, nn.Module) or not isinstance(checkpoints, Sequence) or not checkpoints:
        raise ValueError("checkpoints must be a list of at least one model: put a single model into a list")
    for checkpoint in checkpoints:
        check_model(checkpoint)
    if isinstance(learning_rates, (Tensor, np.ndarray)):
        learning_rates = learning_rates.tolist()
    single = not isinstance(learning_rates, Sequence) or isinstance(learning_rates, str)
    rates = [learning_rates] * len(checkpoints) if single else list(learning_rates)
    if len(rates) != len(checkpoints):
        raise ValueError(
            f"learning_rates has {len(rates)} numbers for {len(checkpoints)} checkpoints: give one number, "
            "or one a checkpoint"
        )
    return [check_number(rate, "learning_rates") for rate in rates]
