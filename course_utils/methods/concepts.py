"""Concepts inside a network: directions with a name, and prototypes that a place resembles.

A *concept vector* is a unit direction in the space of a layer's channels. The *directional derivative* says
by how much a class score rises, per unit, when the layer's output is pushed along it, at all places alike.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.methods.arguments import check_finite, check_model, check_positive, check_rows
from course_utils.methods.hooks import activations_and_gradients


def concept_vector(examples: Tensor, others: Tensor, *, strength: float = 1.0) -> Tensor:
    """The direction that leads from other pictures to pictures of a concept, `(d,)`, of length 1.

    Kim and others 2018, "Interpretability beyond feature attribution: quantitative testing with concept
    activation vectors", section 3.2: the normal of a linear classifier, here a logistic regression.

    Args:
        examples: features of pictures of the concept, `(n, d)` float, such as channels averaged over space.
        others: features of pictures without it, `(m, d)`.
        strength: of the penalty, above 0: λ in (sum of losses) + λ/2 ‖w‖²; scikit-learn's C is 1 / λ.

    Raises:
        ValueError: shapes that do not fit, fewer than two pictures in a set, NaN, a strength that is not
            positive, or two sets with equal means.
        TypeError: not float tensors.
    """
    from sklearn.linear_model import LogisticRegression  # slow to import, and only this fit needs it

    for values, name in ((examples, "examples"), (others, "others")):
        check_rows(values, name)
        if len(values) < 2:
            raise ValueError(
                f"{name} holds {len(values)} picture: a direction needs at least two in each set"
            )
    if examples.shape[1] != others.shape[1]:
        raise ValueError(
            f"examples have {examples.shape[1]} features and others {others.shape[1]}: "
            "take both from one layer"
        )
    check_positive(strength, "strength", "without a penalty the fit need not settle")
    rows = torch.cat([examples, others]).detach().double().cpu().numpy()
    is_concept = [1] * len(examples) + [0] * len(others)
    fitted = LogisticRegression(C=1 / strength, solver="newton-cholesky", tol=1e-8).fit(rows, is_concept)
    weights = torch.from_numpy(fitted.coef_[0]).to(examples)
    if not weights.norm() > 1e-12:
        raise ValueError("examples and others do not differ: no direction leads from one to the other")
    return weights / weights.norm()


def directional_derivatives(
    model: nn.Module, inputs: Tensor, target: int | Tensor, layer: nn.Module | str, vectors: Tensor
) -> Tensor:
    """How much the class score rises along each concept vector, `(N, K)`, in score per unit of the layer.

    Kim and others 2018, equation 1, for a vector in channel space: the layer's gradient, added up over all
    places, times the vector. The *score* is the number before the softmax.

    Args:
        model: classifier with the scores `(N, n_classes)`.
        inputs: pictures `(N, C, H, W)`, float.
        target: class index, or `(N,)` of them.
        layer: module of the model or its name; it puts out `(N, d, h, w)` or `(N, d)`.
        vectors: `(K, d)`, one a row, or `(d,)`.

    Raises:
        ValueError: shapes that do not fit, NaN, a target out of range, a layer that the score does not use.
        TypeError: `inputs` or `vectors` is not a float tensor.
    """
    check_model(model)
    if isinstance(vectors, Tensor) and vectors.ndim == 1:
        vectors = vectors[None]
    check_rows(vectors, "vectors", "(K, d) or (d,)")
    _, gradients = activations_and_gradients(model, inputs, target, layer)
    if gradients.ndim == 4:
        gradients = gradients.sum(dim=(2, 3))
    if gradients.ndim != 2 or gradients.shape[1] != vectors.shape[1]:
        raise ValueError(
            f"vectors have {vectors.shape[1]} entries and the layer's gradient the shape "
            f"{tuple(gradients.shape)}: make the vectors from this layer, one entry a channel"
        )
    return gradients @ vectors.to(gradients).T


def positive_share(derivatives: Tensor) -> Tensor:
    """TCAV's count: the share of pictures with a positive derivative, `(K,)` from `(N, K)`.

    Kim and others 2018, equation 2. Behind a layer with pooling and one linear map all pictures have the same
    derivative, so the share is 0 or 1, for any vector: read the derivatives' size as well.

    Raises:
        ValueError: not `(N, K)`, or NaN.
        TypeError: not a float tensor.
    """
    check_rows(derivatives, "derivatives", "(N, K)")
    return (derivatives > 0).to(derivatives).mean(dim=0)


def prototype_similarities(maps: Tensor, prototypes: Tensor, *, floor: float = 1e-4) -> Tensor:
    """How much each place of each picture resembles each prototype, `(N, P, h, w)`.

    Chen and others 2019, "This looks like that", section 2.1: log((d² + 1) / (d² + floor)) of the squared
    distance d² between the features of a place and the prototype; 0 far away, at most log(1 / floor).

    Args:
        maps: features `(N, d, h, w)`, float.
        prototypes: `(P, d)`.
        floor: the paper's ε, above 0.

    Raises:
        ValueError: shapes that do not fit, NaN, a floor that is not between 0 and 1.
        TypeError: not float tensors.
    """
    if not isinstance(maps, Tensor) or not maps.is_floating_point():
        raise TypeError("maps must be a float tensor (N, d, h, w): take them from a layer")
    if maps.ndim != 4 or maps.numel() == 0:
        raise ValueError(f"maps must have the shape (N, d, h, w), not {tuple(maps.shape)}: one row a picture")
    check_finite(maps, "maps", ": check the layer")
    check_rows(prototypes, "prototypes", "(P, d)")
    if maps.shape[1] != prototypes.shape[1]:
        raise ValueError(
            f"maps have {maps.shape[1]} channels and prototypes {prototypes.shape[1]} entries: "
            "take both from one space"
        )
    floor = check_positive(floor, "floor", "at distance 0 the logarithm would be infinite", below=1)
    places, (height, width) = maps.flatten(2).transpose(1, 2), maps.shape[2:]  # (N, h · w, d)
    # not by a matrix product: ‖a‖² + ‖b‖² − 2ab loses its digits far from 0
    mode = "donot_use_mm_for_euclid_dist"
    squares = torch.cdist(places, prototypes.to(maps), compute_mode=mode).square()
    return torch.log1p((1 - floor) / (squares + floor)).transpose(1, 2).unflatten(2, (height, width))
