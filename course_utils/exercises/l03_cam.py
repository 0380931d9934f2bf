"""The exercises of lesson 03: the class activation map, its identity, a prediction, a map that becomes NaN, the
difference of two classes, the box."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from course_utils.methods.cam import upsample
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
    minutes=6,
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
        "divided by Z": Mistake(
            lambda features, weights: _class_activation_map(features, weights) / features[0, 0].numel(),
            "you divided by the number of places. That is Grad-CAM's convention; here the *mean* of the map gives the score.",
        ),
        "not weighted": Mistake(
            lambda features, weights: features.sum(dim=1),
            "the weights are missing: each channel is multiplied by its weight before you add up.",
        ),
        "scaled": Mistake(
            lambda features, weights: (
                _class_activation_map(features, weights)
                / _class_activation_map(features, weights).amax(dim=(1, 2), keepdim=True)
            ),
            "you scaled the map: return the sum as it is, or it no longer gives the score.",
        ),
        "scaled as a batch": Mistake(
            lambda features, weights: (
                _class_activation_map(features, weights) / _class_activation_map(features, weights).amax()
            ),
            "you divided by the largest value of all maps: return the sum as it is, or it no longer gives the score.",
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
    minutes=3,
    hints=(
        "Global average pooling is a mean over the places. Where did that mean go when you swapped the sums?",
        "The score is the mean of the map plus one number that knows nothing about the picture.",
        "`maps.mean(dim=(1, 2))` averages over rows and columns, and keeps the pictures apart.",
    ),
    reference=_score_from_map,
    cases=_maps_and_bias,
    mistakes={
        "sum": Mistake(
            lambda maps, bias: maps.sum(dim=(1, 2)) + bias,
            "you added the places up: the network *averages* over them, so 1/Z is missing.",
        ),
        "always 64": Mistake(
            lambda maps, bias: maps.sum(dim=(1, 2)) / 64 + bias,
            "you divided by 64: these maps have another number of places. Take the mean.",
        ),
        "bias divided too": Mistake(
            lambda maps, bias: (maps.sum(dim=(1, 2)) + bias) / maps[0].numel(),
            "the bias is added once, after the mean: you divided it by the number of places too.",
        ),
        "ReLU first": Mistake(
            lambda maps, bias: maps.relu().mean(dim=(1, 2)) + bias,
            "you cut the map at zero first: negative places lower the score, so they must stay.",
        ),
        "bias at each place": Mistake(
            lambda maps, bias: (maps + bias).sum(dim=(1, 2)),
            "you added the bias at each place and then added the places up: it counts once.",
        ),
        "no bias": Mistake(
            lambda maps, bias: maps.mean(dim=(1, 2)),
            "the bias of the linear layer is missing from the score.",
        ),
        "one for all": Mistake(
            lambda maps, bias: maps.mean() + bias,
            "you averaged over the pictures too: each picture has its own score.",
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
        "At 20 % of the maximum the box reaches as far as the map's blur does. Does the blur know how large the object is?",
        "Two objects share the picture. What does that do to the size of each, and to a box that hardly shrinks with it?",
        'Answer with one of the names in `errors`: `"one object"` or `"two objects"`.',
    ),
    expected=_harder,
    examples=lambda: [({"one object": 0.4, "two objects": 0.7},), ({"one object": 0.6, "two objects": 0.5},)],
    mistakes={
        "other": Mistake(
            lambda answer, errors: answer in errors and answer != _harder(errors),
            "your own run measured a larger error for the other kind of scene at this threshold: compare the sizes of the objects.",
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
    """Maps of different strength in one batch, one of them negative everywhere, one very weak."""
    generator = torch.Generator().manual_seed(2)
    cases = []
    for height, width in ((4, 4), (3, 6)):
        maps = torch.randn(3, height, width, generator=generator)
        maps[0] = -maps[0].abs() - 0.1
        maps[1] *= 0.01
        maps[2, 0, 0] = -5.0  # the largest absolute value is negative
        cases.append((maps,))
    faint = torch.rand(2, 3, 3, generator=generator)
    faint[1] *= 4e-7  # very weak, and still a map
    return [*cases, (faint,)]


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
        "absolute values": Mistake(
            lambda maps: maps.abs() / maps.abs().amax(dim=(1, 2), keepdim=True),
            "you took absolute values: what speaks against the class looks like what speaks for it. Cut it off.",
        ),
        "whole batch": Mistake(
            lambda maps: maps.relu() / maps.relu().amax(),
            "you divided by the maximum of the whole batch: each map has its own, or a weak one disappears.",
        ),
        "clamp at one": Mistake(
            lambda maps: maps.relu() / maps.relu().amax(dim=(1, 2), keepdim=True).clamp(min=1),
            "clamping the maximum at 1 leaves every map with a smaller maximum unscaled.",
        ),
        "small number": Mistake(
            lambda maps: maps.relu() / maps.relu().amax(dim=(1, 2), keepdim=True).clamp(min=1e-2),
            "a limit of 0.01 leaves weak maps unscaled: softmax maps, for example, are often weaker than that.",
        ),
        "smaller number": Mistake(
            lambda maps: maps.relu() / maps.relu().amax(dim=(1, 2), keepdim=True).clamp(min=1e-4),
            "a limit of 0.0001 leaves the weakest maps unscaled: replace only a maximum of exactly 0.",
        ),
        "tiny number added": Mistake(
            lambda maps: maps.relu() / (maps.relu().amax(dim=(1, 2), keepdim=True) + 1e-8),
            "the 1e-8 that you add to the maximum still makes very weak maps too small: replace only a maximum of exactly 0.",
        ),
        "limit of a millionth": Mistake(
            lambda maps: maps.relu() / maps.relu().amax(dim=(1, 2), keepdim=True).clamp(min=1e-6),
            "a limit of 0.000001 leaves maps that are weaker still unscaled: replace only a maximum of exactly 0.",
        ),
        "millionth added": Mistake(
            lambda maps: maps.relu() / (maps.relu().amax(dim=(1, 2), keepdim=True) + 1e-6),
            "the 1e-6 that you add to the maximum makes weak maps too small: replace only a maximum of exactly 0.",
        ),
        "small number added": Mistake(
            lambda maps: maps.relu() / (maps.relu().amax(dim=(1, 2), keepdim=True) + 1e-5),
            "the number that you add to the maximum makes weak maps too small: replace only a maximum of exactly 0.",
        ),
        "one empty map": Mistake(
            lambda maps: _positive_scaled(maps) * float((maps.amax(dim=(1, 2)) > 0).all()),
            "one map without a positive value makes the whole batch zero: each map stands for itself.",
        ),
        "relu last": Mistake(
            lambda maps: torch.nan_to_num(maps / maps.amax(dim=(1, 2), keepdim=True)).relu(),
            "you cut at zero after dividing: a map that is negative everywhere is divided by a negative number and comes out positive.",
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


def _rather_than(
    features: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    target: torch.Tensor,
    other: torch.Tensor,
) -> torch.Tensor:
    maps = torch.einsum("nk,nkhw->nhw", weight[target] - weight[other], features)
    return maps + (bias[target] - bias[other])[:, None, None]


def _two_questions() -> list[tuple[torch.Tensor, ...]]:
    """Feature maps, a linear layer for five classes, and two different classes for each picture."""
    generator = torch.Generator().manual_seed(3)
    cases = []
    for n, k, height, width in ((3, 4, 3, 5), (2, 6, 4, 4), (4, 3, 7, 2)):
        features = torch.rand(n, k, height, width, generator=generator)
        weight, bias = torch.randn(5, k, generator=generator), torch.randn(5, generator=generator)
        target = torch.randint(5, (n,), generator=generator)
        step = torch.randint(1, 5, (n,), generator=generator)
        cases.append((features, weight, bias, target, (target + step) % 5))
    return cases


rather_than = Exercise(
    name="rather_than",
    difficulty=2,
    minutes=10,
    hints=(
        "A class's map is linear in its weights. So the difference of two maps is the map of which weights?",
        "`weight[target]` gives each picture its own row of weights, (N, K). `torch.einsum` of section 3 does the rest.",
        "A number added to every place of a map adds just that number to the map's mean. Give it the shape (N, 1, 1).",
    ),
    reference=_rather_than,
    cases=_two_questions,
    mistakes={
        "no bias": Mistake(
            lambda features, weight, bias, target, other: torch.einsum(
                "nk,nkhw->nhw", weight[target] - weight[other], features
            ),
            "the biases are missing: the mean of your map is S_target − S_other only where both are equal.",
        ),
        "bias shared out": Mistake(
            lambda features, weight, bias, target, other: (
                torch.einsum("nk,nkhw->nhw", weight[target] - weight[other], features)
                + (bias[target] - bias[other])[:, None, None] / features[0, 0].numel()
            ),
            "you divided the biases by the number of places: the score is the *mean* of the map, so that is done twice.",
        ),
        "relu": Mistake(
            lambda features, weight, bias, target, other: _rather_than(
                features, weight, bias, target, other
            ).relu(),
            "you cut the difference at zero: places that speak for `other` must stay negative, or the mean is not S_target − S_other.",
        ),
        "divided by Z": Mistake(
            lambda features, weight, bias, target, other: (
                _rather_than(features, weight, bias, target, other) / features[0, 0].numel()
            ),
            "you divided by the number of places: the *mean* of the map is the difference of the scores, not its sum.",
        ),
        "biases added": Mistake(
            lambda features, weight, bias, target, other: (
                torch.einsum("nk,nkhw->nhw", weight[target] - weight[other], features)
                + (bias[target] + bias[other])[:, None, None]
            ),
            "you added the two biases: the difference of the scores has the difference of the biases.",
        ),
        "one class": Mistake(
            lambda features, weight, bias, target, other: (
                torch.einsum("nk,nkhw->nhw", weight[target], features) + bias[target][:, None, None]
            ),
            "this is the map of `target` alone: take the map of `other` away.",
        ),
        "reversed": Mistake(
            lambda features, weight, bias, target, other: _rather_than(features, weight, bias, other, target),
            "the sign is reversed: positive places should speak for `target`, negative ones for `other`.",
        ),
        "first picture": Mistake(
            lambda features, weight, bias, target, other: _rather_than(
                features, weight, bias, target[:1].expand_as(target), other[:1].expand_as(other)
            ),
            "you took the two classes of the first picture for all: each picture has its own target and other.",
        ),
        "relu first": Mistake(
            lambda features, weight, bias, target, other: (
                torch.einsum("nk,nkhw->nhw", weight[target], features).relu()
                - torch.einsum("nk,nkhw->nhw", weight[other], features).relu()
                + (bias[target] - bias[other])[:, None, None]
            ),
            "you cut each map at zero before the difference: what speaks against `other` speaks for `target`.",
        ),
    },
)


def _box(
    heat: torch.Tensor,
    size: tuple[int, int],
    threshold: float,
    *,
    enlarge_first: bool = True,
    of_maximum: bool = True,
    of_coarse: bool = False,
    corners: bool = True,
    at_threshold: bool = False,
    by: str = "area",
    outside: int = 1,
) -> torch.Tensor:
    coarse_maximum = heat.max()
    if enlarge_first:
        heat = upsample(heat[None], size)[0]
    maximum = coarse_maximum if of_coarse else heat.max()
    limit = threshold * maximum if of_maximum else threshold
    kept = (heat >= limit if at_threshold else heat > limit).numpy()
    regions, n_regions = ndimage.label(kept, structure=np.ones((3, 3)) if corners else None)
    found = range(1, n_regions + 1)
    spans = [np.ptp(rows) * np.ptp(columns) for rows, columns in (np.nonzero(regions == i) for i in found)]
    sizes = {
        "area": np.bincount(regions.flatten(), minlength=n_regions + 1)[1:],
        "mass": ndimage.sum_labels(heat.numpy(), regions, found),
        "box": np.array(spans),
        "number": -np.arange(n_regions),
        "peak": ndimage.maximum(heat.numpy(), regions, found),
    }
    rows, columns = np.nonzero(kept if by == "all" else regions == 1 + sizes[by].argmax())
    box = [columns.min(), rows.min(), columns.max() + outside, rows.max() + outside]
    if not enlarge_first:
        y, x = size[0] // heat.shape[0], size[1] // heat.shape[1]
        box = [box[0] * x, box[1] * y, box[2] * x, box[3] * y]
    return torch.tensor([int(value) for value in box])


def _maps_with_boxes() -> list[tuple[torch.Tensor, tuple[int, int], float]]:
    """A large region beside a small strong one; one that hangs together at a corner; the largest one last; one
    among strongly negative places; values that are exactly the threshold."""
    generator = torch.Generator().manual_seed(4)
    cases = []
    for height, width, scale, threshold in ((6, 9, 8, 0.4), (8, 6, 5, 0.3)):
        heat = 0.4 * torch.rand(height, width, generator=generator) - 0.3
        heat[1:4, 1:3] = 2.0 + torch.rand(3, 2, generator=generator)
        heat[height - 2, width - 2] = 4.0  # the maximum is in the smaller region
        cases.append((heat, (scale * height, scale * width), threshold))
    heat = torch.zeros(7, 10)
    heat[1:3, 1:3] = heat[3:5, 3:5] = 3.0
    heat[1:6, 8] = 4.0
    cases.append((heat, (7, 10), 0.5))
    heat = torch.zeros(12, 12)  # a small region above, a bright one, a long thin one; the largest comes last
    heat[0, 10] = 3.0
    heat[2:4, 8:11] = 12.0
    heat[1:11, 0] = heat[11, 0:6] = 2.9  # sixteen places, with the largest box
    heat[6:10, 6:11] = 2.8  # twenty places
    cases.append((heat, (12, 12), 0.2))
    heat = torch.full((5, 7), -3.0)
    heat[1:4, 2:5] = 3.0
    cases.append((heat, (50, 70), 0.2))
    heat = torch.zeros(6, 8)
    heat[1:4, 1:4], heat[1:4, 4] = 4.0, 2.0  # the column of 2.0 is at the threshold, not above it
    cases.append((heat, (6, 8), 0.5))
    return cases


box_from_map = Exercise(
    name="box_from_map",
    difficulty=3,
    minutes=15,
    hints=(
        "`upsample` wants maps (N, h, w): give it `heat[None]` and take the first of what comes back.",
        "`ndimage.label(mask, structure=np.ones((3, 3)))` returns an array with 0 outside and 1, 2, … in the regions, and their number.",
        "`np.bincount(regions.flatten())` counts the pixels of each number. Number 0 is the background: leave it out.",
        "`np.nonzero(regions == the_largest)` gives rows and columns: their smallest values, and their largest plus one.",
    ),
    reference=_box,
    cases=_maps_with_boxes,
    mistakes={
        "all regions": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold, by="all"),
            "your box goes around everything above the threshold: only the largest connected region counts.",
        ),
        "number one": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold, by="number"),
            "you took region number 1: the numbers go from top to bottom, so count the pixels of each and take the largest.",
        ),
        "largest mass": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold, by="mass"),
            "you took the region with the largest sum of values: the largest is the one with most pixels.",
        ),
        "largest box": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold, by="box"),
            "you took the region with the largest box: a long thin region has a large box and few pixels. Count the pixels.",
        ),
        "brightest": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold, by="peak"),
            "you took the region that holds the maximum: a small region can be the brightest. Count the pixels.",
        ),
        "coarse maximum": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold, of_coarse=True),
            "you took the share of the coarse map's maximum: the enlarged map has a smaller one. Enlarge first.",
        ),
        "scaled first": Mistake(
            lambda heat, size, threshold: _box(heat - heat.min(), size, threshold),
            "you scaled the map from 0 to 1 first: its negative values then move the threshold. Use the map as it is.",
        ),
        "cut at zero first": Mistake(
            lambda heat, size, threshold: _box(heat.relu(), size, threshold),
            "you cut the map at zero before you enlarged it: its negative places then no longer pull the border in.",
        ),
        "at the threshold": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold, at_threshold=True),
            "you kept the pixels that are exactly at the threshold: keep those above it.",
        ),
        "not enlarged": Mistake(
            lambda heat, size, threshold: _box(heat, heat.shape, threshold),
            "your box is in places of the coarse map: enlarge the map to the picture's size first.",
        ),
        "width and height": Mistake(
            lambda heat, size, threshold: (
                _box(heat, size, threshold)
                - torch.cat([torch.zeros(2), _box(heat, size, threshold)[:2]]).long()
            ),
            "you returned width and height: the last two numbers are the first column and row outside the box.",
        ),
        "coarse": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold, enlarge_first=False),
            "your box jumps in whole places of the coarse map: enlarge with `upsample`, which draws straight lines between the "
            "places, and then look for the region.",
        ),
        "no share": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold, of_maximum=False),
            "the threshold is a share of the map's maximum, and you compared with the number itself.",
        ),
        "last inside": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold, outside=0),
            "right and bottom are the first column and row *outside*: yours are the last inside.",
        ),
        "rows first": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold)[[1, 0, 3, 2]],
            "rows and columns are exchanged: left and right come from the columns, top and bottom from the rows.",
        ),
        "no corners": Mistake(
            lambda heat, size, threshold: _box(heat, size, threshold, corners=False),
            "pixels that touch at a corner are connected too: `ndimage.label` needs `structure=np.ones((3, 3))` for that.",
        ),
        "with background": Mistake(
            lambda heat, size, threshold: torch.tensor([0, 0, size[1], size[0]]),
            "your box is the whole picture: was the background, number 0, the largest of your regions?",
        ),
    },
)
