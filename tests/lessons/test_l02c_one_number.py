"""Companion 02c's arithmetic against the network itself: receptive fields, shares, softmax."""

import pytest
import torch
from torch.nn import functional as F

from course_utils.exercises import l02_zfnet_deconvnet as exercises
from course_utils.labs.networks import zfnet
from course_utils.lessons import l02c_one_number as inner
from course_utils.teach import inside


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    model = zfnet().eval().requires_grad_(False)
    x = torch.rand(1, 3, 128, 128) * 2 - 1
    return model, x, inner.layer_outputs(model, x)


def test_layer_outputs_are_the_networks_own(network):
    model, x, maps = network
    torch.testing.assert_close(maps["fc7"], model(x)[0])
    torch.testing.assert_close(maps["conv2"], model[:4](x)[0])
    assert next(iter(maps)) == "pixels"


@pytest.mark.parametrize(
    ("layer", "place"), [("relu1", (0, 63)), ("pool2", (3, 15)), ("conv4", (8, 8)), ("relu5", (0, 7))]
)
def test_a_number_depends_on_its_field_and_on_nothing_else(network, layer, place):
    model, x, maps = network
    fields = inner.seen(model, maps, layer, place)
    left, top, right, bottom = fields["pixels"][0]
    outside = torch.ones_like(x)
    outside[..., top:bottom, left:right] = x[..., top:bottom, left:right]
    changed = inner.layer_outputs(model, outside)[layer]
    row, column = place
    torch.testing.assert_close(changed[:, row, column], maps[layer][:, row, column])
    for side in ((top, slice(left, right)), (bottom - 1, slice(left, right))):  # no row of it is superfluous
        edge = x.clone()
        edge[0, :, side[0], side[1]] += 50.0
        moved = inner.layer_outputs(model, edge)[layer]
        assert not torch.equal(moved[:, row, column], maps[layer][:, row, column])


def test_in_the_middle_the_field_has_the_size_of_the_lessons_formula(network):
    model, _, maps = network
    for layer in ("conv1", "pool1", "conv2", "conv4"):
        side = maps[layer].shape[1]
        left, top, right, bottom = inner.seen(model, maps, layer, (side // 2, side // 2))["pixels"][0]
        size, _ = inside.receptive_field(model, layer)
        assert (bottom - top, right - left) == (size, size)


def test_pooling_looks_at_its_own_channel_only(network):
    model, _, maps = network
    fields = inner.seen(model, maps, "pool5", (4, 4))
    assert not fields["relu5"][1] and not fields["conv5"][1] and fields["relu4"][1] and fields["pixels"][1]


@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv3", "conv5"])
def test_the_shares_and_the_bias_add_up_to_the_number(network, layer):
    model, _, maps = network
    channels, height, width = maps[layer].shape
    for channel, row, column in ((0, 0, 0), (channels - 1, height - 1, 3), (5, 7, width - 1)):
        window, weights, bias = inner.window_of(model, maps, layer, channel, (row, column))
        assert abs(float((window * weights).sum()) + bias - float(maps[layer][channel, row, column])) < 1e-5


def test_each_step_of_the_softmax():
    z = torch.tensor([300.0, 298.0, -5.0])
    steps = inner.softmax_steps(z)
    torch.testing.assert_close(steps["p"], z.double().softmax(dim=0))
    torch.testing.assert_close(steps["power of e"], (z - 300).double().exp())


def test_strongest_is_the_place_of_the_maximum():
    maps = torch.zeros(3, 4, 5)
    maps[2, 1, 3] = 1
    assert inner.strongest(maps) == (2, 1, 3)


def test_two_decimals_are_enough_and_rounded_mistakes_are_recognised():
    question, z = exercises.softmax_numbers, torch.tensor([2.0, 0.0, -1.0])
    assert question.check([0.84, 0.11, 0.04], z).state == "right"
    assert question.check([0.85, 0.11, 0.04], z).state == "wrong"
    for answer, mistake in (([7.39, 1, 0.37], "not divided"), ([84, 11, 4], "in per cent")):
        assert question.check(answer, z).mistake == mistake


def test_the_border_counts_in_one_activation():
    def repeated(picture, weights, bias, row, column):  # the border pixels again, instead of zeros
        padded = F.pad(picture[None], (3, 3, 3, 3), mode="replicate")[0]
        window = padded[:, 2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
        return ((window * weights).sum() + bias).clamp(min=0)

    assert exercises.one_activation.check(repeated).state == "wrong"


def test_bad_input_names_the_argument(network):
    model, x, maps = network
    with pytest.raises(ValueError, match="one picture"):
        inner.layer_outputs(model, x[0])
    with pytest.raises(ValueError, match="choose one of pixels, conv1"):
        inner.seen(model, maps, "fc6", (0, 0))
    with pytest.raises(ValueError, match="row is 8"):
        inner.seen(model, maps, "pool5", (8, 0))
    with pytest.raises(ValueError, match="no convolution"):
        inner.window_of(model, maps, "pool1", 0, (0, 0))
    with pytest.raises(ValueError, match="channel is 64"):
        inner.window_of(model, maps, "conv5", 64, (0, 0))
    with pytest.raises(ValueError, match="finite"):
        inner.softmax_steps(torch.tensor([1.0, float("nan")]))
    with pytest.raises(ValueError, match="finite"):
        inner.softmax_steps([])
    with pytest.raises(ValueError, match=r"row is 3\.7"):
        inner.seen(model, maps, "relu4", (3.7, 2))
    with pytest.raises(ValueError, match=r"\(row, column\)"):
        inner.seen(model, maps, "relu4", (0, 0, 1))
    with pytest.raises(ValueError, match="channel is True"):
        inner.window_of(model, maps, "conv4", True, (0, 0))
    with pytest.raises(ValueError, match="NaN"):
        inner.layer_outputs(model, x * float("nan"))
