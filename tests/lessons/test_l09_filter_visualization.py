"""The helpers of lesson 09: grain, and a network with random weights."""

import pytest
import torch
from torch import nn

from course_utils.labs import load_lab
from course_utils.lessons.l09_filter_visualization import fine_share, picture_options, with_random_weights


def test_the_share_of_waves_shorter_than_four_pixels():
    columns = torch.arange(32.0)
    for length, share in ((2, 1.0), (8, 0.0)):
        wave = torch.cos(2 * torch.pi * columns / length).expand(1, 3, 32, 32)
        assert fine_share(wave).item() == pytest.approx(share, abs=1e-5)
    both = torch.cos(torch.pi * columns) + 2**0.5 * torch.cos(2 * torch.pi * columns / 8)
    assert fine_share(both.expand(2, 1, 32, 32)).tolist() == pytest.approx([0.5, 0.5], abs=1e-5)


@pytest.mark.parametrize(
    ("pictures", "error", "message"),
    [
        (torch.randn(3, 8, 8), ValueError, r"inputs\[None\]"),
        (torch.randn(1, 3, 8, 6), ValueError, "squares"),
        (torch.full((1, 3, 8, 8), float("nan")), ValueError, "NaN"),
        (torch.zeros(2, 3, 8, 8), ValueError, "one even colour"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int), TypeError, "float"),
    ],
)
def test_what_has_no_share_of_grain_is_refused(pictures, error, message):
    with pytest.raises(error, match=message):
        fine_share(pictures)


def test_random_weights_leave_the_trained_network_alone():
    lab = load_lab("scenes", model="zfnet", n=2, seed=7)
    before = [weight.clone() for weight in lab.model.parameters()]
    network = with_random_weights(lab)
    assert not network.training
    assert all(map(torch.equal, before, lab.model.parameters()))
    assert not torch.equal(network.conv1.weight, lab.model.conv1.weight)
    again = with_random_weights(lab)
    assert all(map(torch.equal, network.parameters(), again.parameters()))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_options_know_black_and_white():
    options = picture_options(load_lab("scenes", n=2, seed=7), side=32)
    assert options["shape"] == (3, 32, 32)
    assert [float(value.mean()) for value in options["value_range"]] == pytest.approx([-1, 1])
