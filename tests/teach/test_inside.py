"""The drawings of the inside of a network show what they say they show."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

from course_utils.labs.networks import zfnet
from course_utils.methods.deconvnet import deconvnet
from course_utils.teach import inside


@pytest.fixture
def network():
    torch.manual_seed(0)
    return zfnet().eval()


@pytest.mark.parametrize("layer", ["relu1", "pool1", "relu2", "relu3", "relu5"])
def test_the_receptive_field_is_where_the_gradient_reaches(network, layer):
    size, jump = inside.receptive_field(network, layer)
    side = 128 // jump
    place = (side // 2, side // 2 - 1)
    smooth = nn.Sequential()  # average pooling instead of max pooling: every pixel of the field then counts
    for name, module in network.named_children():
        pool = isinstance(module, nn.MaxPool2d)
        passing = (
            nn.AvgPool2d(3, 2, 1) if pool else (nn.Identity() if isinstance(module, nn.ReLU) else module)
        )
        smooth.add_module(name, passing)
    x = torch.randn(1, 3, 128, 128, requires_grad=True)
    maps = x
    for name, module in smooth.named_children():
        maps = module(maps)
        if name == layer:
            break
    (gradient,) = torch.autograd.grad(maps[0, 0, *place], x)
    reached = gradient[0].abs().sum(dim=0) > 0
    rows, columns = reached.any(dim=1).nonzero()[:, 0], reached.any(dim=0).nonzero()[:, 0]
    for reach, where in ((rows, place[0]), (columns, place[1])):
        assert reach.min() == where * jump - size // 2
        assert reach.max() == where * jump + size // 2


def test_a_reconstruction_stays_inside_the_patch(network):
    x = torch.randn(1, 3, 128, 128)
    size, jump = inside.receptive_field(network, "relu3")
    back = deconvnet(network, x, "relu3", 5, (8, 7))[0].permute(1, 2, 0).numpy()
    whole, cut = np.abs(back).sum(), np.abs(inside.patch(back, (8, 7), size, jump) - 0.0)
    assert np.isclose(whole, cut[cut != inside.GREY].sum())


def test_patch_at_the_border_is_filled_with_grey():
    picture = np.arange(6 * 6 * 3, dtype=np.uint8).reshape(6, 6, 3)
    cut = inside.patch(picture, (0, 0), 3, 2)
    assert cut.shape == (3, 3, 3)
    assert (cut[0] == 128).all() and (cut[:, 0] == 128).all()
    assert (cut[1:, 1:] == picture[:2, :2]).all()
    assert (inside.patch(picture, (1, 2), 3, 2) == picture[1:4, 3:6]).all()


def test_zero_is_grey_and_the_sign_is_kept():
    signal = torch.zeros(3, 4, 4)
    assert (inside.as_picture(signal) == inside.GREY).all()
    signal[0, 1, 1], signal[2, 0, 0] = 2.0, -2.0
    shown = inside.as_picture(signal, percentile=100)
    assert shown[1, 1, 0] == 1 and shown[0, 0, 2] == 0 and shown[3, 3, 1] == inside.GREY


def test_tiles_keep_each_picture():
    pictures = [np.full((2, 3, 3), v) for v in (0.1, 0.2, 0.3, 0.4)]
    sheet = inside.tiles(pictures, columns=3, gap=1)
    assert sheet.shape == (5, 11, 3)
    assert (sheet[:2, 4:7] == 0.2).all() and (sheet[3:, :3] == 0.4).all() and (sheet[2] == 1).all()


def test_an_unknown_layer_is_named(network):
    with pytest.raises(ValueError, match="conv1"):
        inside.receptive_field(network, "layer4")


def test_the_figures_can_be_drawn():
    figure, axes = plt.subplots(1, 2)
    inside.numbers(axes[0], torch.tensor([[1.0, -2.0]]), "two", marked=[(0, 1)])
    assert [text.get_text() for text in axes[0].texts] == ["1.0", "−2.0"]
    inside.frame(axes[1], (2, 3), 7, 2)
    inside.deconvnet_diagram().canvas.draw()
    figure.canvas.draw()
    plt.close("all")
