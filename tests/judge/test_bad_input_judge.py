"""Bad input of the measures: the error names the argument and the remedy, and everything is as before."""

import numpy as np
import pytest
import torch
from torch import nn
from unchanged import refuses

from course_utils import judge
from course_utils.judge import baselines
from course_utils.judge.scoreboard import Settings, complexity, scoreboard
from course_utils.judge.unit_tests import explanation_tests, try_method

torch.manual_seed(0)
NET = nn.Sequential(
    nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
).train()
ONE = nn.Sequential(nn.Flatten(), nn.Linear(192, 1))
PICTURES = torch.rand(2, 3, 8, 8)
MAPS = torch.rand(2, 8, 8)
MASKS = torch.zeros(2, 8, 8, dtype=torch.bool)
MASKS[:, 2:5, 2:5] = True
HOLED = MAPS.clone()
HOLED[1, 3, 3] = torch.nan
BOXES = torch.tensor([[0, 0, 4, 4], [1, 1, 3, 3]])


def cascade(model):
    return list(judge.randomize_cascade(model))


USUAL = {
    judge.pointing_game: {"maps": MAPS, "masks": MASKS},
    judge.energy_in_mask: {"maps": MAPS, "masks": MASKS},
    judge.mask_iou: {"maps": MAPS, "masks": MASKS},
    judge.above: {"maps": MAPS, "threshold": 0.2},
    judge.largest_component: {"regions": MASKS},
    judge.bounding_box: {"regions": MASKS},
    judge.box_iou: {"boxes": BOXES, "others": BOXES},
    judge.deletion: {"model": NET, "inputs": PICTURES, "target": 1, "maps": MAPS, "n_steps": 4},
    judge.insertion: {"model": NET, "inputs": PICTURES, "target": 1, "maps": MAPS, "n_steps": 4},
    judge.blur: {"inputs": PICTURES},
    judge.infidelity: {
        "model": NET, "inputs": PICTURES, "target": 1, "attributions": PICTURES, "n_samples": 3,
    },
    judge.sensitivity_max: {"explain": lambda x: x, "inputs": PICTURES, "n_samples": 2},
    judge.bootstrap_interval: {"values": [1.0, 2.0, 3.0]},
    judge.paired: {"values": [1.0, 2.0, 3.0], "others": [0.0, 2.0, 1.0]},
    judge.rank_correlation: {"maps": MAPS, "others": MAPS},
    judge.ssim: {"maps": MAPS, "others": MAPS},
    judge.part_iou: {"maps": PICTURES, "parts": MASKS.long(), "n_parts": 2},
    baselines.center: {"inputs": PICTURES},
    baselines.sobel: {"inputs": PICTURES},
    baselines.random: {"inputs": PICTURES},
    baselines.constant: {"inputs": PICTURES},
    complexity: {"maps": MAPS},
    cascade: {"model": NET},
    scoreboard: {
        "model": NET, "inputs": PICTURES, "targets": torch.tensor([0, 1]), "masks": MASKS, "layer": "1",
        "methods": {}, "settings": Settings(), "cache": False, "progress": False,
    },
    explanation_tests: {"methods": ["saliency"], "networks": ["linear"]},
    try_method: {"explain": lambda m, x, t: x, "network": "linear"},
}  # fmt: skip

V, T = ValueError, TypeError
ROWS = [
    *(
        (measure, change, error, message)
        for measure in (judge.pointing_game, judge.energy_in_mask, judge.mask_iou)
        for change, error, message in (
            ({"maps": MAPS.numpy()}, T, r"maps must be a float tensor, not a ndarray: use torch.as_tensor"),
            ({"maps": MASKS}, T, r"maps must be a float tensor, not torch.bool"),
            ({"maps": MAPS[:, None]}, V, r"maps must be \(N, H, W\), not .*upsample"),
            ({"maps": HOLED}, V, r"map 1 contains NaN"),
            ({"masks": MAPS}, T, r"masks must be a bool tensor, not torch.float32"),
            ({"masks": MASKS.numpy()}, T, r"masks must be a bool tensor, not bool"),
            ({"masks": MASKS[:, :4]}, V, r"maps .* and masks .* must both be \(N, H, W\): upsample"),
            ({"masks": MASKS & False}, V, r"mask 0 is empty: leave that picture out"),
        )
    ),
    (judge.pointing_game, {"tolerance": -1}, V, r"tolerance must be a number ≥ 0, not -1"),
    (judge.pointing_game, {"tolerance": "far"}, V, r"tolerance must be a number ≥ 0"),
    (judge.mask_iou, {"threshold": 2}, V, r"threshold is a share of the maximum, 0 … 1, not 2"),
    (judge.above, {"maps": HOLED}, V, r"map 1 contains NaN"),
    (judge.above, {"threshold": -0.1}, V, r"threshold is a share"),
    (judge.above, {"threshold": None}, V, r"threshold is a share of the maximum, 0 … 1, not None"),
    (judge.above, {"threshold": True}, V, r"threshold is a share of the maximum, 0 … 1, not True"),
    (judge.largest_component, {"regions": MAPS}, T, r"regions must be a bool tensor \(N, H, W\)"),
    (judge.bounding_box, {"regions": MASKS & False}, V, r"region 0 is empty"),
    (judge.box_iou, {"boxes": BOXES[:, :3]}, V, r"boxes must both be \(N, 4\)"),
    (judge.box_iou, {"boxes": BOXES.flip(1)}, V, r"boxes: a box is empty or reversed"),
    (judge.box_iou, {"others": 0 * BOXES}, V, r"others: a box is empty or reversed"),
    (judge.box_iou, {"others": BOXES.numpy()}, T, r"others must be a tensor \(N, 4\), not a ndarray"),
    *(
        (curve, change, error, message)
        for curve in (judge.deletion, judge.insertion)
        for change, error, message in (
            ({"model": ONE}, V, r"the model has one score.*torch.cat"),
            ({"model": "net"}, T, r"model must be a torch.nn.Module, not a str"),
            ({"inputs": PICTURES[0]}, V, r"inputs .*inputs\[None\]"),
            ({"inputs": (255 * PICTURES).byte()}, T, r"inputs must be a float tensor"),
            ({"target": 3}, V, r"target 3 is out of range: the model has 0 … 2"),
            ({"target": 1.0}, T, r"target must be an int"),
            ({"target": torch.tensor([0, 1, 2])}, V, r"target must be one int or one a picture \(2\)"),
            ({"maps": MAPS[:1]}, V, r"maps must have the shape \(2, 8, 8\).*upsample"),
            ({"maps": HOLED}, V, r"map 1 contains NaN"),
            ({"n_steps": 0}, V, r"n_steps must be a whole number from 1 to 64"),
            ({"n_steps": 65}, V, r"n_steps must be a whole number from 1 to 64"),
            ({"substrate": "black"}, V, r'substrate must be "zero", "blur" or a tensor'),
            ({"substrate": torch.zeros(2, 5)}, V, r"substrate .* must fit inputs"),
            ({"fractions": (0.5, 0.2)}, V, r"fractions must ascend between 0 and 1"),
            ({"chunk_size": 0}, V, r"chunk_size must be a whole number ≥ 1"),
            ({"ends": torch.zeros(2)}, V, r"ends must have the shape \(2, 2\)"),
        )
    ),
    (judge.blur, {"inputs": PICTURES[0]}, V, r"inputs .*inputs\[None\]"),
    (judge.blur, {"sigma": -1}, V, r"sigma must be a number ≥ 0"),
    (judge.infidelity, {"attributions": MAPS}, V, r"attributions .*inputs"),
    (judge.infidelity, {"n_samples": 0}, V, r"n_samples must be a whole number ≥ 1"),
    (judge.infidelity, {"noise_level": -1}, V, r"noise_level must be a number ≥ 0"),
    (judge.infidelity, {"target": -1}, V, r"target -1 is out of range"),
    (judge.sensitivity_max, {"inputs": PICTURES.numpy()}, T, r"inputs must be a .*tensor"),
    (judge.sensitivity_max, {"n_samples": 1.5}, V, r"n_samples must be a whole number ≥ 1"),
    (judge.sensitivity_max, {"radius": None}, V, r"radius must be a number ≥ 0"),
    (judge.sensitivity_max, {"explain": lambda x: x.numpy()}, V, r"explain must return .*ndarray"),
    (judge.sensitivity_max, {"explain": lambda x: x[:1]}, V, r"explain must return a tensor with a map"),
    (judge.sensitivity_max, {"explain": lambda x: x / 0 * 0}, V, r"explain returned contain"),
    (judge.bootstrap_interval, {"values": []}, V, r"values must be a row \(N,\) of at least one finite"),
    (judge.bootstrap_interval, {"values": [1.0, np.nan]}, V, r"must be finite: number 1 is NaN .*leave"),
    (judge.bootstrap_interval, {"level": 95}, V, r"level must lie between 0 and 1"),
    (judge.bootstrap_interval, {"n_resamples": 0}, V, r"n_resamples must be a whole number ≥ 1"),
    (judge.paired, {"others": [1.0]}, V, r"paired scores are two rows of one length"),
    (judge.rank_correlation, {"maps": MAPS.numpy()}, T, r"maps must be a float tensor, not a ndarray"),
    (judge.rank_correlation, {"others": MAPS[:, :4]}, V, r"maps must have one shape"),
    (judge.ssim, {"maps": MAPS[:, :4, :4], "others": MAPS[:, :4, :4]}, V, r"at least 7 pixels a side"),
    (judge.part_iou, {"parts": MAPS}, T, r"parts must be a tensor of integers"),
    (judge.part_iou, {"n_parts": 1}, V, r"parts must be 0 … 0"),
    (judge.part_iou, {"share": 1}, V, r"share must lie between 0 and 1"),
    (baselines.center, {"inputs": PICTURES[0]}, V, r"inputs .*inputs\[None\]"),
    (baselines.sobel, {"inputs": PICTURES / 0}, V, r"inputs contain NaN or infinite values: check"),
    (baselines.random, {"inputs": PICTURES.numpy()}, T, r"inputs must be a .*tensor"),
    (baselines.constant, {"inputs": PICTURES[:0]}, V, r"inputs must have the shape"),
    (complexity, {"maps": HOLED}, V, r"map 1 contains NaN"),
    (cascade, {"model": nn.ReLU()}, V, r"the model has no weights to draw anew"),
    (cascade, {"model": None}, T, r"model must be a torch.nn.Module, not a NoneType"),
    (scoreboard, {"masks": MASKS.long()}, T, r"masks must be a bool tensor, not torch.int64"),
    (scoreboard, {"masks": MASKS[:1]}, V, r"masks must be \(2, 8, 8\)"),
    (scoreboard, {"targets": torch.tensor([0])}, V, r"target must be one int or one a picture \(2\)"),
    (explanation_tests, {"methods": ["LRP"]}, V, r"there is no method 'LRP' here: choose of saliency"),
    (explanation_tests, {"networks": ["deep"]}, V, r"network='deep': choose one of"),
    (try_method, {"explain": lambda m, x, t: x[0]}, V, r"attributions must be"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "change", "error", "message"), ROWS)
def test_bad_input(function, change, error, message):
    refuses(function, USUAL[function] | change, error, message)


@pytest.mark.parametrize("function", USUAL)
def test_the_usual_input_is_fine(function):
    assert function(**USUAL[function]) is not None
