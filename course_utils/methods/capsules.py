"""Capsules: vectors whose length says whether a thing is there, and the routing that weighs their votes.

Sabour, Frosst and Hinton 2017, "Dynamic routing between capsules". A layer of *lower* capsules votes on what
each *upper* capsule should be; an upper capsule is the squashed, weighted sum of its votes, and the weights,
the *coupling coefficients*, are computed anew for each picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.methods.arguments import (
    check_count,
    check_finite,
    check_number,
    check_range,
    check_target,
    exact_dtype,
)

TOLERANCE = 1e-3  # how far from 1 the coupling of a lower capsule may add up


def squash(vectors: Tensor) -> Tensor:
    """Vectors of the same directions with lengths n² / (1 + n²), where n was the length; the same shape.

    Equation 1. A vector of zeros stays one, and its gradient is 0.

    Args:
        vectors: float, `(…, d)`: the numbers of one stand in the last dimension.

    Returns:
        `(…, d)`, lengths from 0 to 1.

    Raises:
        TypeError: not a float tensor.
        ValueError: no vector in it, NaN, or a length whose square is infinite in this dtype.
    """
    _check_vectors(vectors, "vectors")
    return _squash(vectors)


def route(votes: Tensor, n_iterations: int = 3, *, detach: bool = False) -> tuple[Tensor, Tensor]:
    """Routing by agreement: weigh the votes by how well they agree with the result, and repeat.

    Equations 2 and 3 and procedure 1. The logits begin at 0; after each iteration but the last, a logit grows
    by the inner product of its vote with the upper capsule.

    Args:
        votes: float, `(N, lower, upper, d)`: what each lower capsule says about each upper one.
        n_iterations: at least 1; with 1 the coupling is uniform, 1 / upper.
        detach: let no gradient flow through the agreement, only through the weighted sum. The values are the
            same. The authors' code keeps the gradient, some later ones do not.

    Returns:
        The upper capsules `(N, upper, d)`, with lengths from 0 to 1, and the coupling coefficients
        `(N, lower, upper)`; those of a lower capsule add up to 1.

    Raises:
        TypeError: not a float tensor.
        ValueError: wrong shape, NaN, votes whose squares are infinite in this dtype, no iteration.
    """
    _check_vectors(votes, "votes")
    if votes.ndim != 4:
        raise ValueError(
            f"votes must have the shape (N, lower, upper, d), not {tuple(votes.shape)}: "
            "one vote of each lower capsule for each upper one; of one picture take votes[None]"
        )
    check_count(n_iterations, "n_iterations")
    agreeing = votes.detach() if detach else votes
    logits = torch.zeros_like(agreeing[..., 0])
    for _ in range(n_iterations - 1):
        upper = _squash(_weighted_sum(logits.softmax(dim=2), agreeing))
        logits = logits + torch.einsum("nlud,nud->nlu", agreeing, upper)
    coupling = logits.softmax(dim=2)
    return _squash(_weighted_sum(coupling, votes)), coupling


def coupling_entropy(coupling: Tensor) -> Tensor:
    """The entropy −Σ c ln c of each lower capsule's coupling coefficients, in nats: `(N, lower)`.

    From 0, where all goes to one upper capsule, to ln(upper), where all get the same: nothing is routed.

    Args:
        coupling: float, `(N, lower, upper)`, such as `route` gives.

    Raises:
        TypeError: not a float tensor.
        ValueError: wrong shape, a negative coefficient, or a lower capsule whose sum is not 1.
    """
    _check_vectors(coupling, "coupling")
    if coupling.ndim != 3:
        raise ValueError(f"coupling must have the shape (N, lower, upper), not {tuple(coupling.shape)}")
    sums = coupling.detach().to(exact_dtype(coupling.dtype)).sum(dim=2)
    if (coupling < 0).any() or ((sums - 1).abs() > max(TOLERANCE, torch.finfo(coupling.dtype).eps)).any():
        raise ValueError(
            "coupling must be ≥ 0 and add up to 1 over the upper capsules, its last dimension: "
            "take the second result of route"
        )
    return -torch.xlogy(coupling, coupling).sum(dim=2)


def margin_loss(
    lengths: Tensor, target: int | Tensor, *, present: float = 0.9, absent: float = 0.1, weight: float = 0.5
) -> Tensor:
    """The loss that asks for a long capsule of the right class and short ones of the others, `()`, ≥ 0.

    Equation 4, the mean over pictures: Σ_k T_k max(0, present − length_k)² + weight · (1 − T_k) max(0,
    length_k − absent)², with T_k = 1 for the right class and 0 for the others.

    Args:
        lengths: float, `(N, classes)`, from 0 to 1: of the upper capsules.
        target: the right class, an int or `(N,)` long.
        present: a right capsule this long costs nothing; from 0 to 1.
        absent: another capsule this short costs nothing; from 0 to 1.
        weight: of the other classes, ≥ 0.

    Raises:
        TypeError: lengths are no float tensor, target holds no whole numbers.
        ValueError: wrong shape, NaN, a length outside 0 to 1, a target or number out of range.
    """
    _check_vectors(lengths, "lengths")
    if lengths.ndim != 2:
        raise ValueError(f"lengths must have the shape (N, classes), not {tuple(lengths.shape)}")
    low, high = lengths.detach().aminmax()
    if low < 0 or high > 1 + 2 * torch.finfo(lengths.dtype).eps:
        raise ValueError("lengths must be from 0 to 1: take the lengths of squashed capsules")
    target = check_target(target, lengths)
    check_range(target, lengths.shape[1])
    for name, value, below in (("present", present, 1 + 1e-9), ("absent", absent, 1 + 1e-9)):
        check_number(value, name, below=below)
    check_number(weight, "weight")
    right = torch.nn.functional.one_hot(target, lengths.shape[1]).to(lengths)
    cost = right * (present - lengths).relu().square()
    return (cost + weight * (1 - right) * (lengths - absent).relu().square()).sum(dim=1).mean()


def _squash(vectors: Tensor) -> Tensor:
    n = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)  # unlike a root, its gradient at 0 is no NaN
    return vectors * (n / (1 + n.square()))


def _weighted_sum(coupling: Tensor, votes: Tensor) -> Tensor:
    return torch.einsum("nlu,nlud->nud", coupling, votes)


def _check_vectors(values: Tensor, name: str) -> None:
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
        raise TypeError(
            f"{name} must be a float tensor, not {kind}: use torch.as_tensor(…, dtype=torch.float32)"
        )
    if values.ndim == 0 or values.numel() == 0:
        raise ValueError(f"{name} must hold at least one vector, not the shape {tuple(values.shape)}")
    check_finite(values, name, ": check the layer before")
    squares = torch.linalg.vector_norm(values.detach(), dim=-1).square()
    check_finite(squares, f"the squared length of {name}", ": divide the numbers, or use a larger dtype")
