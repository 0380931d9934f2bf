"""Deconvnet and guided backpropagation against captum, zennit, grad-cam and the paper's explicit form."""

import pytest
import torch
from captum import attr as captum
from pytorch_grad_cam import GuidedBackpropReLUModel
from small_networks import (
    FunctionalNetwork,
    ResidualNetwork,
    gap_network,
    largest,
    pictures,
    pooling_network,
    seeded,
)
from torch import nn
from torch.nn import functional as F
from zennit.attribution import Gradient
from zennit.composites import DeconvNet, GuidedBackprop

from course_utils.methods.deconvnet import deconvnet, deconvnet_explicit, guided_backprop
from course_utils.methods.gradients import saliency

CASES = [
    (lambda inplace: seeded(gap_network, inplace=inplace), (3, 3, 16, 16)),
    (lambda inplace: seeded(pooling_network, 3, 2, seed=2, inplace=inplace), (2, 3, 33, 29)),
    (lambda inplace: seeded(pooling_network, 2, 2, seed=3, inplace=inplace), (1, 3, 33, 29)),
]
pytestmark = pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU")


def targets_for(inputs):
    return torch.arange(len(inputs)) % 4


def zennit_maps(composite, model, inputs, start):
    with Gradient(model=model, composite=composite) as attributor:
        return attributor(inputs.clone(), start)[1].detach()


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(("build", "shape"), CASES)
def test_guided_backprop_equals_three_libraries(build, shape, inplace):
    model, plain, inputs = build(inplace), build(False), pictures(*shape)
    targets = targets_for(inputs)
    ours = guided_backprop(model, inputs, targets)
    assert largest(ours, captum.GuidedBackprop(plain).attribute(inputs.clone(), targets)) < 1e-14
    one_hot = F.one_hot(targets, plain(inputs).shape[1]).double()
    assert largest(ours, zennit_maps(GuidedBackprop(), plain, inputs, one_hot)) < 1e-14
    theirs = GuidedBackpropReLUModel(plain, "cpu")(inputs[:1].clone(), int(targets[0]))
    assert largest(ours[:1], torch.from_numpy(theirs).permute(2, 0, 1)[None]) < 1e-14
    assert largest(ours.abs(), saliency(plain, inputs, targets)) > 1e-4


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(("build", "shape"), CASES)
def test_deconvnet_from_a_score_equals_captum_and_zennit_times_the_score(build, shape, inplace):
    # the libraries start with 1 at the score, the paper with the activation itself
    model, plain, inputs = build(inplace), build(False), pictures(*shape)
    last = str(len(model) - 1)
    scores = plain(inputs).detach()
    for target in range(2):
        ours = deconvnet(model, inputs, last, target)
        size = scores[:, target].view(-1, 1, 1, 1)
        theirs = captum.Deconvolution(plain).attribute(inputs.clone(), target)
        # a negative start turns the signal round before its first ReLU: compare where the score is positive
        start = torch.zeros_like(scores)
        start[:, target] = scores[:, target]
        assert largest(ours, zennit_maps(DeconvNet(), plain, inputs, start)) < 1e-13
        positive = scores[:, target] > 0
        if positive.any():
            assert largest(ours[positive], (size * theirs)[positive]) < 1e-13


@pytest.mark.parametrize("layer", [3, 4, 6, 7])
def test_deconvnet_from_one_activation_equals_zennit(layer):
    model, inputs = seeded(pooling_network, 3, 2, seed=5), pictures(2, 3, 33, 29)
    part = model[: layer + 1]
    activations = part(inputs).detach()
    row, column = 1, 1
    start = torch.zeros_like(activations)
    start[:, 3, row, column] = activations[:, 3, row, column]
    theirs = zennit_maps(DeconvNet(), part, inputs, start)
    assert largest(deconvnet(model, inputs, str(layer), 3, (row, column)), theirs) < 1e-13


def test_deconvnet_starts_at_the_strongest_place_of_each_picture():
    model, inputs = seeded(pooling_network, 3, 2), pictures(3, 3, 33, 29)
    activations = model[:8](inputs).detach()[:, 2]
    places = torch.stack([(a == a.max()).nonzero()[0] for a in activations])
    assert len(places.unique(dim=0)) > 1
    ours = deconvnet(model, inputs, model[7], 2)
    assert torch.equal(ours, deconvnet(model, inputs, "7", 2, places))
    alone = [
        deconvnet(model, x[None], "7", 2, tuple(p.tolist())) for x, p in zip(inputs, places, strict=True)
    ]
    assert largest(ours, torch.cat(alone)) < 1e-13
    assert largest(deconvnet(model, inputs, "7", torch.tensor([2, 2, 2])), ours) == 0


def test_deconvnet_sees_nothing_outside_the_receptive_field():
    model, inputs = seeded(gap_network), pictures(1, 3, 16, 16)
    ours = deconvnet(model, inputs, "1", 0, (8, 8))
    outside = torch.ones(16, 16, dtype=torch.bool)
    outside[7:10, 7:10] = False
    assert ours[..., outside].abs().max() == 0
    assert ours.abs().max() > 0


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("layer", ["0", "1", "2", "4", "5", "7"])
def test_the_explicit_deconvnet_is_the_backward_pass_where_poolings_do_not_overlap(layer, inplace):
    model, inputs = seeded(pooling_network, 2, 2, inplace=inplace), pictures(2, 3, 33, 29)
    size = 0.0
    for channel in range(3):
        ours = deconvnet_explicit(model, inputs, layer, channel)
        assert largest(ours, deconvnet(model, inputs, layer, channel)) < 1e-13
        size = max(size, ours.abs().max())
    assert size > 0


def explicit_with_sums(model, inputs, layer, channel):
    """The explicit deconvnet, but signals that return to one pixel are added up."""
    original = F.max_unpool2d

    def unpool(signal, switches, *args, output_size, **options):
        picture = signal.new_zeros(*signal.shape[:2], *output_size)
        picture.flatten(2).scatter_add_(2, switches.flatten(2), signal.flatten(2))
        return picture

    F.max_unpool2d = unpool
    try:
        return deconvnet_explicit(model, inputs, layer, channel)
    finally:
        F.max_unpool2d = original


def test_with_overlapping_poolings_unpooling_drops_what_the_backward_pass_adds_up():
    model, inputs = seeded(pooling_network, 3, 2), pictures(4, 3, 33, 29)
    differences = []
    for channel in range(7):
        backward = deconvnet(model, inputs, "7", channel)
        differences.append(largest(deconvnet_explicit(model, inputs, "7", channel), backward))
        assert largest(explicit_with_sums(model, inputs, "7", channel), backward) < 1e-13
    assert max(differences) > 1e-3


def test_the_explicit_deconvnet_runs_through_nested_sequentials():
    model, inputs = seeded(pooling_network, 2, 2), pictures(1, 3, 33, 29)
    nested = nn.Sequential(nn.Sequential(*model[:3], nn.Dropout()), nn.Sequential(*model[3:6]), *model[6:])
    expected = deconvnet_explicit(model, inputs, "4", 1)
    assert torch.equal(deconvnet_explicit(nested, inputs, "1.1", 1), expected)
    pooled = deconvnet_explicit(model, inputs, "5", 1)
    assert torch.equal(deconvnet_explicit(nested, inputs, "1", 1), pooled)


def test_relu6_obeys_the_rules_too():
    # its module is no nn.ReLU, so captum and zennit leave the plain gradient there
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(), nn.Conv2d(4, 4, 3), nn.ReLU6(), nn.Flatten())
    model = model.double()
    with torch.no_grad():
        model[2].weight *= 10
    inputs = 20 * pictures(1, 3, 8, 8)
    with torch.no_grad():
        first = model[0](inputs)
        second = model[2](first.clamp(0, 6))
    assert (first > 6).any() and (second > 6).any()
    target = int(((second > 0) & (second < 6)).flatten().nonzero()[0])
    signal = torch.zeros_like(second)
    signal.view(-1)[target] = 1
    back = F.conv_transpose2d(signal, model[2].weight)
    guided = back.clamp(min=0) * ((first > 0) & (first < 6))
    expected = F.conv_transpose2d(guided, model[0].weight).detach()
    assert largest(guided_backprop(model, inputs, target), expected) < 1e-12
    deconvolved = F.conv_transpose2d(back.clamp(min=0), model[0].weight).detach()
    ours = deconvnet(model, inputs, "4", target)
    assert largest(ours, deconvolved * second.flatten()[target]) < 1e-10


def test_a_relu_module_that_is_used_twice_obeys_the_rule_both_times():
    model, inputs = seeded(ResidualNetwork), pictures(2, 3, 9, 12)

    def guided(x):
        x.register_hook(lambda gradient: gradient.clamp(min=0))
        return x

    inputs.requires_grad_()
    x = guided(model.norm(model.stem(inputs)).relu())
    x = guided((x + guided(model.body[1](model.body[0](x)).relu())).relu())
    scores = model.head(x.mean(dim=(2, 3)))[:, 1]
    expected = torch.autograd.grad(scores.sum(), inputs)[0]
    assert largest(guided_backprop(model, inputs.detach(), 1), expected) < 1e-14


@pytest.mark.parametrize("mixed", [False, True])
def test_relus_that_are_functions_are_refused_where_captum_gives_the_plain_gradient(mixed):
    model, inputs = seeded(FunctionalNetwork, mixed=mixed), pictures(1, 3, 10, 8)
    with pytest.raises(ValueError, match=r"nn\.ReLU"):
        guided_backprop(model, inputs, 0)
    with pytest.raises(ValueError, match=r"nn\.ReLU"):
        deconvnet(model, inputs, "head", 0)
    if not mixed:
        theirs = captum.GuidedBackprop(model).attribute(inputs.clone(), 0)
        assert largest(theirs.abs(), saliency(model, inputs, 0)) == 0
    else:  # from a layer below the function the rule reaches everything
        assert deconvnet(model, inputs, "relu", 0).abs().max() > 0


def test_what_deconvnet_cannot_do_is_said():
    model, inputs = seeded(pooling_network, 3, 2), pictures(2, 3, 33, 29)
    for method in (deconvnet, deconvnet_explicit):
        with pytest.raises(ValueError, match="channel 7 is out of range"):
            method(model, inputs, "7", 7)
        with pytest.raises(TypeError, match="channel must be an int"):
            method(model, inputs, "7", 1.0)
        with pytest.raises(ValueError, match="outside the feature map"):
            method(model, inputs, "7", 0, (0, 99))
        with pytest.raises(ValueError, match="outside the feature map"):
            method(model, inputs, "7", 0, (-1, 0))
        with pytest.raises(ValueError, match="position must be"):
            method(model, inputs, "7", 0, torch.zeros(3, 2, dtype=torch.long))
        with pytest.raises(ValueError, match="no layer"):
            method(model, inputs, "17", 0)
    with pytest.raises(ValueError, match="no places"):
        deconvnet(model, inputs, "10", 0, (0, 0))
    with pytest.raises(ValueError, match="AdaptiveMaxPool2d"):
        deconvnet_explicit(model, inputs, "8", 0)
    with pytest.raises(ValueError, match=r"nn\.Sequential"):
        deconvnet_explicit(seeded(ResidualNetwork), inputs, "stem", 0)
