"""Occlusion against captum, against a linear model's exact answer, and at its edges."""

import pytest
import torch
from captum import attr as captum
from small_networks import ResidualNetwork, gap_network, largest, pictures, pooling_network, seeded
from torch import nn

from course_utils.methods.occlusion import occlusion

CASES = [
    (lambda: seeded(gap_network), (3, 3, 16, 16), 4, 4),
    (lambda: seeded(gap_network), (2, 3, 17, 23), (5, 3), (3, 2)),  # overlaps, the last windows stick out
    (lambda: seeded(gap_network, 1, 7, seed=1, inplace=True), (2, 1, 14, 22), 14, 5),
    (lambda: seeded(pooling_network, 3, 2, seed=2), (2, 3, 33, 29), (9, 8), (7, 8)),
    (lambda: seeded(ResidualNetwork, seed=3), (1, 3, 9, 12), 1, 1),
    (
        lambda: seeded(ResidualNetwork, seed=3),
        (2, 3, 9, 12),
        (9, 12),
        50,
    ),  # one window, as large as the picture
]


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


@pytest.mark.parametrize("chunk_size", [1, 7, 1000])
@pytest.mark.parametrize(("build", "shape", "window", "stride"), CASES)
def test_equals_captum_which_averages_overlaps(build, shape, window, stride, chunk_size):
    model, inputs = build(), pictures(*shape)
    targets = torch.arange(len(inputs)) % 4
    for baseline in (0.0, 0.7, pictures(*shape, seed=4)):
        theirs = captum.Occlusion(model).attribute(
            inputs,
            (shape[1], *pair(window)),
            (shape[1], *pair(stride)),
            baselines=baseline,
            target=targets,
            perturbations_per_eval=16,
        )
        ours = occlusion(model, inputs, targets, window, stride, baseline, chunk_size=chunk_size)
        assert theirs.dtype == torch.float32, "captum adds up in single precision, whatever the model has"
        assert largest(ours, theirs[:, 0]) < 1e-7
        assert torch.equal(theirs[:, 0], theirs[:, -1]), "captum repeats one map for each colour channel"


def test_single_precision_equals_captum():
    model, inputs = seeded(gap_network).float(), pictures(2, 3, 18, 18, dtype=torch.float32)
    theirs = captum.Occlusion(model).attribute(inputs, (3, 5, 5), (3, 2, 2), target=1)
    assert largest(occlusion(model, inputs, 1, 5, 2), theirs[:, 0]) < 1e-6


def test_is_exact_on_a_linear_model():
    model = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 8, 4)))
    weights = model[1].weight.detach().view(4, 3, 6, 8)
    inputs = pictures(2, 3, 6, 8)
    assert largest(occlusion(model, inputs, 2, 1, 1), (weights[2] * inputs).sum(dim=1)) < 1e-12
    baseline = pictures(3, 1, 1, seed=1)
    patches = (weights[2] * (inputs - baseline)).sum(dim=1).view(2, 3, 2, 4, 2).sum(dim=(2, 4))
    expected = patches.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    assert largest(occlusion(model, inputs, 2, 2, 2, baseline), expected) < 1e-12


@pytest.mark.parametrize(
    ("window", "stride", "message"),
    [
        (17, 1, "does not fit"),
        ((4, 17), 1, "does not fit"),
        (3, 4, "leaves gaps"),
        (0, 1, "window must be"),
        (3, 0, "stride must be"),
        (2.5, 1, "window must be"),
        ((3, 3, 3), 1, "window must be"),
    ],
)
def test_windows_that_make_no_sense_are_refused(window, stride, message):
    with pytest.raises(ValueError, match=message):
        occlusion(seeded(gap_network), pictures(1, 3, 16, 16), 0, window, stride)


def test_a_baseline_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="must fit inputs"):
        occlusion(seeded(gap_network), pictures(1, 3, 16, 16), 0, 4, 4, torch.zeros(3, 4, 4))
    with pytest.raises(ValueError, match="NaN"):
        occlusion(seeded(gap_network), pictures(1, 3, 16, 16), 0, 4, 4, float("nan"))
