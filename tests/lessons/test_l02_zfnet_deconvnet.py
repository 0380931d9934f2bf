"""What lesson 02 and its companions share: it refuses what it would draw or count wrongly."""

import pytest
import torch
from torch import nn

from course_utils.lessons import l02_zfnet_deconvnet as shared


@pytest.fixture(scope="module")
def model():
    network = nn.Sequential()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network.add_module("conv1", nn.Conv2d(3, 4, 3))
        network.add_module("relu1", nn.ReLU())
        network.add_module("conv2", nn.Conv2d(4, 5, 3))
        network.add_module("relu2", nn.ReLU())
        network.add_module("flat", nn.Flatten())
        network.add_module("fc", nn.Linear(5 * 4 * 4, 3))
        network.conv1.bias.data += 1  # more than one channel is active at each place
    return network.eval()


X = torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(1))
VALUES, TARGETS = torch.rand(20, 4, generator=torch.Generator().manual_seed(2)), torch.arange(20) % 3


def test_maxima_of_layers_in_any_order(model):
    one, other = (shared.maxima(model, X, layers) for layers in (("relu1", "relu2"), ("relu2", "relu1")))
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0)
        assert one[name][0].shape[0] == len(X)


def test_another_channel_is_another_and_active(model):
    values, places = shared.maxima(model, X, ["relu1"])["relu1"]
    own = values.argmax(dim=1)
    at = places[torch.arange(len(X)), own]
    other = shared.another_channel(model, X, "relu1", own, at)
    maps = shared.run_to(model, X, "relu1")
    assert (other != own).all()
    assert (maps[torch.arange(len(X)), other, at[:, 0], at[:, 1]] > 0).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: shared.run_to(m, X, "relu9"), ValueError, "no layer 'relu9': choose among conv1"),
        (lambda m: shared.magnitude(X[0]), ValueError, r"maps must be \(N, 3, H, W\)"),
        (lambda m: shared.maxima(m, X, "relu1"), ValueError, "must be a list of names"),
        (lambda m: shared.maxima(m, X, ["relu1", "relu9"]), ValueError, "no layer 'relu9'"),
        (lambda m: shared.maxima(m, X, ["fc"]), ValueError, "has no maps"),
        (lambda m: shared.maxima(m, X[:0], ["relu1"]), ValueError, "at least one picture"),
        (lambda m: shared.signals_back(m, X, TARGETS[:12], "guidde"), ValueError, "rule must be one of"),
        (lambda m: shared.signals_back(m, X, TARGETS[:2], "guided"), ValueError, "one a picture"),
        (lambda m: shared.signals_back(m, X, TARGETS[:12] + 5, "guided"), ValueError, "out of range"),
        (lambda m: shared.favourite_class(VALUES[:5], TARGETS[:5]), ValueError, "nine pictures or more"),
        (lambda m: shared.favourite_class(VALUES, TARGETS[:9]), ValueError, "nine pictures or more"),
        (lambda m: shared.purest(VALUES, TARGETS, 20), ValueError, "n must be a whole number from 1"),
        (lambda m: shared.covered(X[:1], 200, 4), ValueError, "size must be a whole number"),
        (lambda m: shared.covered(X, 4, 4), ValueError, "one picture"),
        (lambda m: shared.transformed(X, scale=0), ValueError, "must be numbers"),
        (
            lambda m: shared.draw_features(m, X.numpy(), X, "relu1", [9], (VALUES, torch.zeros(20, 4, 2))),
            ValueError,
            "channel 9 is out of range",
        ),
        (
            lambda m: shared.another_channel(m, X, "relu1", torch.tensor([1]), torch.tensor([[0, 0]])),
            ValueError,
            "channels must be",
        ),
    ],
)
def test_refused(model, call, error, message):
    with pytest.raises(error, match=message):
        call(model)
