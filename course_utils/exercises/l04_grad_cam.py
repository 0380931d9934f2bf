"""The exercises of lesson 04: channel weights, the class map, the best layer, a published bug, a box."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from course_utils.teach.checks import Exercise, Mistake, Question


def _random_parts() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Activations (not negative, as after a ReLU) and gradients of several shapes, both ``(N, K, h, w)``."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(1, 3, 4, 4), (2, 5, 3, 6), (3, 2, 7, 5)]
    return [
        (torch.rand(shape, generator=generator), torch.randn(shape, generator=generator)) for shape in shapes
    ]


def _channel_weights(gradients: torch.Tensor) -> torch.Tensor:
    return gradients.mean(dim=(2, 3))


channel_weights = Exercise(
    name="channel_weights",
    difficulty=1,
    minutes=5,
    hints=(
        "One number for each picture and each channel: which two of the four dimensions have to go?",
        "α is an average over the positions of the map: rows are dimension 2, columns are dimension 3.",
        "`tensor.mean(dim=(…, …))` takes both away at once.",
    ),
    reference=_channel_weights,
    cases=lambda: [(gradients,) for _, gradients in _random_parts()],
    mistakes={
        "sum": Mistake(
            lambda gradients: gradients.sum(dim=(2, 3)),
            "you added the gradients up: the factor 1/Z is missing, α is their average.",
        ),
        "over the batch": Mistake(
            lambda gradients: gradients.mean(dim=(0, 2, 3)),
            "you averaged over the pictures of the batch too: every picture has weights of its own.",
        ),
        "over the channels": Mistake(
            lambda gradients: gradients.mean(dim=1),
            "you averaged over the channels: α has one number for each channel, so dimension 1 must stay.",
        ),
        "positive only": Mistake(
            lambda gradients: gradients.clamp(min=0).mean(dim=(2, 3)),
            "you dropped the negative gradients (that is a step of Grad-CAM++): here α may be negative.",
        ),
        "absolute": Mistake(
            lambda gradients: gradients.abs().mean(dim=(2, 3)),
            "you took absolute values: a channel that speaks against the class must keep its minus sign.",
        ),
    },
)


def _class_map(activations: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return torch.relu((weights[:, :, None, None] * activations).sum(dim=1))


def _map_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(activations, gradients.mean(dim=(2, 3))) for activations, gradients in _random_parts()]


class_map = Exercise(
    name="class_map",
    difficulty=1,
    minutes=8,
    hints=(
        "Give the weights two more dimensions, so that they can be multiplied with the maps: `weights[:, :, None, None]`.",
        "Add the weighted maps up over the channels (dimension 1), and only then apply the ReLU.",
    ),
    reference=_class_map,
    cases=_map_cases,
    mistakes={
        "no relu": Mistake(
            lambda activations, weights: (weights[:, :, None, None] * activations).sum(dim=1),
            "the ReLU is missing: places that speak against the class come out negative.",
        ),
        "relu first": Mistake(
            lambda activations, weights: torch.relu(weights[:, :, None, None] * activations).sum(dim=1),
            "you cut the negative part off before adding (of the products or of the weights): then nothing can speak against "
            "the class any more.",
        ),
        "scaled": Mistake(
            lambda activations, weights: (
                _class_map(activations, weights)
                / _class_map(activations, weights).amax(dim=(1, 2), keepdim=True)
            ),
            "you scaled the map: return the sum as it is, in its own units.",
        ),
        "mean": Mistake(
            lambda activations, weights: torch.relu((weights[:, :, None, None] * activations).mean(dim=1)),
            "you averaged over the channels: the map is their weighted sum.",
        ),
    },
)


def _best_layer(scores: dict[str, torch.Tensor]) -> str:
    return max(scores, key=lambda name: float(scores[name].mean()))


def _layer_examples() -> list[tuple[dict[str, torch.Tensor]]]:
    return [
        (
            {
                "layer1": torch.tensor([0.1, 0.2]),
                "layer3": torch.tensor([0.4, 0.6]),
                "layer4": torch.tensor([0.9, 1.0]),
            },
        ),
        (
            {
                "layer1": torch.tensor([0.3, 0.2]),
                "layer3": torch.tensor([0.8, 0.9]),
                "layer4": torch.tensor([0.7, 0.8]),
            },
        ),
    ]


best_layer = Question(
    name="best_layer",
    difficulty=1,
    minutes=4,
    hints=(
        "Early layers know edges and colours, late layers know things. Which of the two tells one object from another?",
        'Answer with one of the names in `layer_scores`, as a string: `"layer2"`, for example.',
    ),
    expected=_best_layer,
    examples=_layer_examples,
    mistakes={
        "not a layer": Mistake(
            lambda answer, scores: answer not in scores,
            "that is not one of the layers measured: take a name out of `layer_scores`, as a string.",
            example=lambda scores: "fc",
        ),
        "finest": Mistake(
            lambda answer, scores: answer == next(iter(scores)) and answer != _best_layer(scores),
            "the first layer has the finest map, but its channels react to edges of any object.",
            example=lambda scores: next(iter(scores)),
        ),
        "other": Mistake(
            lambda answer, scores: (
                answer in scores and answer not in (next(iter(scores)), _best_layer(scores))
            ),
            "another layer has the higher mean score. (If the two intervals overlap, this run cannot really separate them.)",
            example=lambda scores: next(n for n in list(scores)[1:] if n != _best_layer(scores)),
        ),
    },
)


def _alpha_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Like `_random_parts`, with gradients that are zero and one place whose denominator is zero (2 + g ΣA = 0)."""
    cases = []
    for activations, gradients in _random_parts():
        gradients[:, 0, 0, 0] = 0.0
        activations[:, 1] = 4.0 / activations[0, 1].numel()  # ΣA = 4
        gradients[:, 1, 0, 1] = -0.5
        total = activations[:, 1].sum(dim=(1, 2), keepdim=True)
        activations[:, 1] *= 4.0 / total
        cases.append((activations, gradients))
    return cases


def _plus_plus_alphas(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    numerator = gradients.pow(2)
    total = activations.sum(dim=(2, 3), keepdim=True)
    denominator = 2 * numerator + total * gradients.pow(3)
    alphas = numerator.clone()
    nonzero = denominator != 0
    alphas[nonzero] = alphas[nonzero] / denominator[nonzero]
    return alphas


def _without_division(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    alphas = gradients.pow(2)
    total = activations.sum(dim=(2, 3), keepdim=True)
    denominator = 2 * gradients.pow(2) + total * gradients.pow(3)
    nonzero = denominator != 0
    for n in range(len(alphas)):
        alphas[n][nonzero[n]].div_(denominator[n][nonzero[n]])  # divides a copy that nobody keeps
    return alphas


plus_plus_alphas = Exercise(
    name="plus_plus_alphas",
    difficulty=3,
    minutes=12,
    hints=(
        "Print `alphas` before and after the line with `div_`. What has changed?",
        "Indexing with a Boolean mask makes a copy. An in-place operation on a copy changes the copy.",
        "Assign the result back: `alphas[nonzero] = …`.",
    ),
    reference=_plus_plus_alphas,
    given=_without_division,
    cases=_alpha_cases,
    mistakes={
        "new copy": Mistake(
            lambda activations, gradients: gradients.pow(2) / 2,
            "you divide by 2 only: the denominator is 2 g² + g³ ΣA, and numerator and denominator both hold g.",
        ),
        "no total": Mistake(
            lambda activations, gradients: (
                gradients.pow(2) / (2 * gradients.pow(2) + activations * gradients.pow(3))
            ),
            "the denominator needs ΣA, the activations added up over the map, not the activation at one place.",
        ),
        "sum of products": Mistake(
            lambda activations, gradients: torch.where(
                (den := 2 * gradients**2 + (activations * gradients**3).sum(dim=(2, 3), keepdim=True)) != 0,
                gradients**2 / den,
                gradients**2,
            ),
            "you added up A·g³ over the map: only A is added up, and g³ is taken at each place.",
        ),
        "no guard": Mistake(
            lambda activations, gradients: (
                gradients.pow(2)
                / (2 * gradients.pow(2) + activations.sum(dim=(2, 3), keepdim=True) * gradients.pow(3))
            ),
            "where the denominator is zero you divide all the same: there the factor stays g².",
        ),
        "absolute": Mistake(
            lambda activations, gradients: _plus_plus_alphas(activations, gradients.abs()),
            "the third power keeps its sign: do not take absolute values of the gradient.",
        ),
    },
)


def _bounding_box(heat: torch.Tensor, threshold: float) -> tuple[int, int, int, int]:
    labels, count = ndimage.label((heat >= threshold * heat.max()).numpy())
    sizes = ndimage.sum_labels(np.ones_like(labels), labels, index=range(1, count + 1))
    rows, columns = np.where(labels == 1 + int(np.argmax(sizes)))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def _all_above(heat: torch.Tensor, threshold: float) -> tuple[int, int, int, int]:
    rows, columns = torch.where(heat >= threshold * heat.max())
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def _rows_first(heat: torch.Tensor, threshold: float) -> tuple[int, int, int, int]:
    left, top, right, bottom = _bounding_box(heat, threshold)
    return top, left, bottom, right


def _inclusive(heat: torch.Tensor, threshold: float) -> tuple[int, int, int, int]:
    left, top, right, bottom = _bounding_box(heat, threshold)
    return left, top, right - 1, bottom - 1


def _absolute_threshold(heat: torch.Tensor, threshold: float) -> tuple[int, int, int, int]:
    return _bounding_box(torch.where(heat >= threshold, heat, torch.zeros_like(heat)), 1e-9)


def _first_region(heat: torch.Tensor, threshold: float) -> tuple[int, int, int, int]:
    labels, _ = ndimage.label((heat >= threshold * heat.max()).numpy())
    rows, columns = np.where(labels == 1)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def _box_cases() -> list[tuple[torch.Tensor, float]]:
    """A small hot region above, a large one below it, maxima other than 1, one pixel exactly at the threshold."""
    generator = torch.Generator().manual_seed(1)
    cases = []
    for height, width, top in ((20, 30, 8.0), (26, 18, 0.5), (24, 24, 4.0)):
        heat = 0.05 * torch.rand(height, width, generator=generator)
        heat[8:14, 4:14] = 0.6 + 0.1 * torch.rand(6, 10, generator=generator)
        heat[14, 6] = 0.25  # at the threshold, and part of the large region
        heat[2, width - 2] = 1.0
        cases.append((heat * top, 0.25))
    return cases


bounding_box = Exercise(
    name="bounding_box",
    difficulty=2,
    minutes=12,
    hints=(
        "`ndimage.label(mask)` numbers the connected regions 1, 2, …; `np.bincount(labels.ravel())` counts their pixels.",
        "Region 0 is everything below the threshold: leave it out when you look for the largest.",
        "`np.where(labels == largest)` gives rows and columns; left and right come from the columns.",
    ),
    reference=_bounding_box,
    cases=_box_cases,
    mistakes={
        "absolute threshold": Mistake(
            _absolute_threshold, "you compared with the threshold itself: it is a share of the map's maximum."
        ),
        "first region": Mistake(
            _first_region, "you took the first region, not the largest: count their pixels."
        ),
        "all regions": Mistake(
            _all_above, "you boxed every pixel above the threshold: keep the largest region only."
        ),
        "rows first": Mistake(
            _rows_first, "rows and columns are exchanged: left and right come from the columns."
        ),
        "inclusive": Mistake(
            _inclusive, "right and bottom are one short: they are exclusive, so that width = right − left."
        ),
    },
)
