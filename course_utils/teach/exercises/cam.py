"""The exercises of lesson 03: the class activation map, its identity, a prediction, a map that becomes NaN."""

from __future__ import annotations

import torch

from course_utils.teach.checks import Exercise, Mistake, Question


def _features_and_weights() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Feature maps ``(N, K, h, w)``, not negative, and the weights ``(K,)`` of one class."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(1, 4, 3, 5), (3, 6, 4, 4), (2, 3, 7, 2)]
    return [
        (torch.rand(shape, generator=generator), torch.randn(shape[1], generator=generator))
        for shape in shapes
    ]


def _class_activation_map(features: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return torch.einsum("k,nkhw->nhw", weights, features)


class_activation_map = Exercise(
    name="class_activation_map",
    difficulty=1,
    minutes=8,
    hints=(
        "Every channel has one weight, and the weight is the same at each place of the channel's map.",
        "Give the weights the shape (1, K, 1, 1): `weights[None, :, None, None]`.",
        "Multiply, then add up over the channels, which are dimension 1. Nothing else.",
    ),
    reference=_class_activation_map,
    cases=_features_and_weights,
    mistakes={
        "relu": Mistake(
            lambda features, weights: _class_activation_map(features, weights).relu(),
            "you applied a ReLU. CAM keeps negative values: they say where the picture speaks against the class.",
        ),
        "mean": Mistake(
            lambda features, weights: (weights[None, :, None, None] * features).mean(dim=1),
            "you averaged over the channels: the map is their weighted sum, not divided by K.",
        ),
        "absolute": Mistake(
            lambda features, weights: _class_activation_map(features, weights.abs()),
            "you took the weights without their sign: a channel with a negative weight speaks against the class.",
        ),
        "pooled": Mistake(
            lambda features, weights: (features.mean(dim=(2, 3)) * weights).sum(dim=1),
            "you pooled before weighing: that is the score, and it no longer knows where.",
        ),
    },
)


def _score_from_map(maps: torch.Tensor, bias: float) -> torch.Tensor:
    return maps.mean(dim=(1, 2)) + bias


def _maps_and_bias() -> list[tuple[torch.Tensor, float]]:
    generator = torch.Generator().manual_seed(1)
    shapes = [(1, 3, 5), (4, 4, 4), (2, 7, 2)]
    return [(torch.randn(shape, generator=generator), 0.5 + i) for i, shape in enumerate(shapes)]


score_from_map = Exercise(
    name="score_from_map",
    difficulty=1,
    minutes=5,
    hints=(
        "Global average pooling is a mean over the places. Where did that mean go when you swapped the sums?",
        "The score is the mean of the map plus one number that knows nothing about the picture.",
    ),
    reference=_score_from_map,
    cases=_maps_and_bias,
    mistakes={
        "sum": Mistake(
            lambda maps, bias: maps.sum(dim=(1, 2)) + bias,
            "you added the places up: the network *averages* over them, so 1/Z is missing.",
        ),
        "no bias": Mistake(
            lambda maps, bias: maps.mean(dim=(1, 2)),
            "the bias of the linear layer is missing from the score.",
        ),
        "max": Mistake(
            lambda maps, bias: maps.amax(dim=(1, 2)) + bias,
            "you took the strongest place. That would be a network with global *max* pooling.",
        ),
    },
)


def _harder(errors: dict[str, float]) -> str:
    return max(errors, key=errors.get)


harder_scenes = Question(
    name="harder_scenes",
    difficulty=1,
    minutes=3,
    hints=(
        "A threshold at 20 % of the maximum keeps everything that is a bit active. What else may be active with two objects?",
        'Answer with one of the names in `errors`: `"one object"` or `"two objects"`.',
    ),
    expected=_harder,
    examples=lambda: [({"one object": 0.4, "two objects": 0.7},), ({"one object": 0.6, "two objects": 0.5},)],
    mistakes={
        "other": Mistake(
            lambda answer, errors: answer in errors and answer != _harder(errors),
            "your own run measured a larger error for the other kind of scene: look at the two numbers again.",
            example=lambda errors: min(errors, key=errors.get),
        ),
        "not a kind": Mistake(
            lambda answer, errors: answer not in errors,
            'that is not one of the two kinds measured: answer "one object" or "two objects".',
            example=lambda errors: "three objects",
        ),
    },
)


def _positive_scaled(maps: torch.Tensor) -> torch.Tensor:
    positive = maps.relu()
    top = positive.amax(dim=(1, 2), keepdim=True)
    return positive / torch.where(top > 0, top, 1)


def _positive_scaled_nan(maps: torch.Tensor) -> torch.Tensor:
    positive = maps.relu()
    return positive / positive.amax(dim=(1, 2), keepdim=True)


def _scaling_cases() -> list[tuple[torch.Tensor]]:
    """Maps of different strength in one batch, one of them negative everywhere, one weak."""
    generator = torch.Generator().manual_seed(2)
    cases = []
    for height, width in ((4, 4), (3, 6)):
        maps = torch.randn(3, height, width, generator=generator)
        maps[0] = -maps[0].abs() - 0.1
        maps[1] *= 0.01
        maps[2, 0, 0] = -5.0  # the largest absolute value is negative
        cases.append((maps,))
    return cases


positive_scaled = Exercise(
    name="positive_scaled",
    difficulty=2,
    minutes=8,
    hints=(
        "Run the function on a map that is negative everywhere. What is 0 / 0?",
        "A map without a positive value should come out as zeros. Which number can you divide zeros by?",
        "`torch.where(top > 0, top, 1)` leaves good maxima alone and replaces zeros by one.",
    ),
    reference=_positive_scaled,
    given=_positive_scaled_nan,
    cases=_scaling_cases,
    mistakes={
        "largest absolute": Mistake(
            lambda maps: maps.relu() / maps.abs().amax(dim=(1, 2), keepdim=True),
            "you divided by the largest absolute value: only the positive values count here.",
        ),
        "whole batch": Mistake(
            lambda maps: maps.relu() / maps.relu().amax(),
            "you divided by the maximum of the whole batch: each map has its own, or a weak one disappears.",
        ),
        "clamp at one": Mistake(
            lambda maps: maps.relu() / maps.relu().amax(dim=(1, 2), keepdim=True).clamp(min=1),
            "clamping the maximum at 1 leaves every map with a smaller maximum unscaled.",
        ),
        "min-max": Mistake(
            lambda maps: (
                (maps - maps.amin(dim=(1, 2), keepdim=True))
                / (maps.amax(dim=(1, 2), keepdim=True) - maps.amin(dim=(1, 2), keepdim=True))
            ),
            "subtracting the minimum makes an all-negative map look like a confident one: cut at zero instead.",
        ),
    },
)
