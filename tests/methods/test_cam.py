"""Class activation maps against three libraries, each with its own conventions, and against the formulas."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, LayerCAM, ScoreCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from small_networks import ResidualNetwork, gap_network, largest, pictures, pooling_network, seeded
from torch import nn
from torchcam import methods as torchcam

from course_utils.methods.cam import (
    cam,
    grad_cam,
    grad_cam_plus_plus,
    layer_cam,
    min_max,
    score_cam,
    upsample,
)
from course_utils.methods.hooks import activations_and_gradients

CASES = [
    (lambda: seeded(gap_network), "4", (3, 3, 16, 16)),
    (lambda: seeded(gap_network, 1, 7, seed=1, inplace=True), "4", (2, 1, 14, 22)),
    (lambda: seeded(pooling_network, 3, 2, seed=2), "7", (2, 3, 33, 29)),
    (lambda: seeded(ResidualNetwork, seed=3), "body.0", (2, 3, 9, 12)),
]


def targets_for(inputs):
    return torch.arange(len(inputs)) % 4


def torchcam_maps(extractor, model, inputs, targets, layer, normalized=False, **options):
    with extractor(model, layer, **options) as extract:
        scores = model(inputs.clone().requires_grad_())
        return extract(targets.tolist(), scores, normalized=normalized)[0]


def gradcam_maps(extractor, model, inputs, targets, layer):
    """grad-cam's maps: ReLU, min-max, bilinear to the picture's size, min-max again; in single precision."""
    with extractor(model, [model.get_submodule(layer)]) as extract:
        return torch.from_numpy(extract(inputs, [ClassifierOutputTarget(t) for t in targets.tolist()]))


def as_gradcam(maps, size):
    return min_max(upsample(min_max(maps), size))


@pytest.mark.parametrize(("build", "layer", "shape"), CASES)
def test_grad_cam_equals_captum_which_has_no_relu(build, layer, shape):
    model, inputs = build(), pictures(*shape)
    targets = targets_for(inputs)
    theirs = LayerGradCam(model, model.get_submodule(layer)).attribute(inputs, targets)[:, 0]
    assert largest(grad_cam(model, inputs, targets, layer, relu=False), theirs) < 1e-12
    assert (theirs < 0).any()
    assert largest(grad_cam(model, inputs, targets, layer), theirs.relu()) < 1e-12


@pytest.mark.parametrize(("build", "layer", "shape"), CASES)
def test_grad_cam_equals_torchcam_which_has_relu_and_min_max(build, layer, shape):
    model, inputs = build(), pictures(*shape)
    targets = targets_for(inputs)
    ours = grad_cam(model, inputs, targets, layer)
    assert largest(ours, torchcam_maps(torchcam.GradCAM, model, inputs, targets, layer)) < 1e-12
    scaled = torchcam_maps(torchcam.GradCAM, model, inputs, targets, layer, normalized=True)
    strong = ours.amax(dim=(1, 2)) > 1e-3  # torchcam adds 1e-8 to the maximum that it divides by
    assert strong.any()
    assert largest(min_max(ours)[strong], scaled[strong]) < 1e-4


@pytest.mark.parametrize(("build", "layer", "shape"), CASES)
@pytest.mark.parametrize(("ours", "theirs"), [(grad_cam, GradCAM), (layer_cam, LayerCAM)])
def test_equals_grad_cam_library_which_upsamples_between_two_min_max(build, layer, shape, ours, theirs):
    model, inputs = build().float(), pictures(*shape, dtype=torch.float32)
    targets = targets_for(inputs)
    maps = as_gradcam(ours(model, inputs, targets, layer), shape[2:])
    strong = ours(model, inputs, targets, layer).amax(dim=(1, 2)) > 1e-3  # it adds 1e-7 to the maximum
    assert strong.any()
    assert largest(maps[strong], gradcam_maps(theirs, model, inputs, targets, layer)[strong]) < 2e-4


@pytest.mark.parametrize(("build", "layer", "shape"), CASES)
def test_layer_cam_equals_torchcam(build, layer, shape):
    model, inputs = build(), pictures(*shape)
    targets = targets_for(inputs)
    theirs = torchcam_maps(torchcam.LayerCAM, model, inputs, targets, layer)
    assert largest(layer_cam(model, inputs, targets, layer), theirs) < 1e-12


def test_an_in_place_relu_changes_the_libraries_maps_but_not_ours():
    # torchcam and grad-cam keep the layer's own tensor, which the next module then overwrites
    plain, inplace = seeded(gap_network), seeded(gap_network, inplace=True)
    inputs = pictures(2, 3, 16, 16)
    targets = targets_for(inputs)
    ours = grad_cam(plain, inputs, targets, "3")
    assert torch.equal(grad_cam(inplace, inputs, targets, "3"), ours)
    assert largest(torchcam_maps(torchcam.GradCAM, plain, inputs, targets, "3"), ours) < 1e-12
    assert largest(torchcam_maps(torchcam.GradCAM, inplace, inputs, targets, "3"), ours) > 1e-4
    scaled = as_gradcam(ours, (16, 16)).float()
    inputs, plain, inplace = inputs.float(), plain.float(), inplace.float()
    assert largest(gradcam_maps(GradCAM, plain, inputs, targets, "3"), scaled) < 1e-4
    assert largest(gradcam_maps(GradCAM, inplace, inputs, targets, "3"), scaled) > 1e-2


def test_torchcam_squashes_layer_cam_only_when_it_fuses_layers():
    map_ = layer_cam(seeded(gap_network), pictures(1, 3, 16, 16), 0, "4") + 0.1
    fused = torchcam.LayerCAM.fuse_cams([map_, map_])
    assert largest(fused, torch.tanh(2 * map_)) < 1e-12
    assert torch.equal(torchcam.LayerCAM.fuse_cams([map_]), map_)


def test_cam_equals_torchcam_which_has_no_relu_whatever_its_docstring_says():
    model, inputs = seeded(gap_network), pictures(4, 3, 16, 18)
    targets = targets_for(inputs)
    theirs = torchcam_maps(torchcam.CAM, model, inputs, targets, "4", fc_layer="7")
    assert largest(cam(model, inputs, targets, "4", "7"), theirs) < 1e-12
    assert (theirs < 0).any()


@pytest.mark.parametrize("shape", [(3, 3, 16, 16), (2, 3, 13, 20)])
def test_mean_of_cam_plus_bias_is_the_score(shape):
    model, inputs = seeded(gap_network), pictures(*shape)
    for target in range(5):
        maps = cam(model, inputs, target, model[4], model[7])
        scores = maps.mean(dim=(1, 2)) + model[7].bias[target]
        assert largest(scores.detach(), model(inputs)[:, target].detach()) < 1e-12


@pytest.mark.parametrize("shape", [(3, 3, 16, 16), (2, 3, 14, 20)])
def test_grad_cam_is_cam_over_the_number_of_places_on_gap_networks(shape):
    model, inputs = seeded(gap_network), pictures(*shape)
    targets = targets_for(inputs)
    maps = cam(model, inputs, targets, "4", "7")
    n_places = maps[0].numel()
    assert largest(grad_cam(model, inputs, targets, "4", relu=False) * n_places, maps) < 1e-12


def test_cam_takes_a_convolution_of_one_pixel_as_classifier():
    model = seeded(gap_network)
    convolution = nn.Conv2d(6, 5, 1).double()
    with torch.no_grad():
        convolution.weight.copy_(model[7].weight[:, :, None, None])
    twin = nn.Sequential(*model[:6], convolution, nn.Flatten())
    inputs = pictures(2, 3, 12, 12)
    assert torch.equal(cam(twin, inputs, 1, "4", "6"), cam(model, inputs, 1, "4", "7"))


def plus_plus_by_the_paper(activations, gradients, eps=0.0, divide=True):
    """Equation 19 as printed: g² / (2 g² + ΣA g³)."""
    square, cube = gradients**2, gradients**3
    alpha = square
    if divide:
        alpha = square / (2 * square + activations.sum(dim=(2, 3), keepdim=True) * cube + eps)
        alpha = torch.where(gradients == 0, 0, alpha)
    weights = (alpha * gradients.relu()).sum(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1).relu()


@pytest.mark.parametrize(("build", "layer", "shape"), CASES)
def test_grad_cam_plus_plus_equals_the_formula_as_printed(build, layer, shape):
    model, inputs = build(), pictures(*shape)
    targets = targets_for(inputs)
    expected = plus_plus_by_the_paper(*activations_and_gradients(model, inputs, targets, layer))
    assert largest(grad_cam_plus_plus(model, inputs, targets, layer), expected) < 1e-9
    assert expected.amax() > 1e-6


def test_grad_cam_plus_plus_equals_grad_cam_library_where_its_eps_is_small():
    model, inputs = seeded(gap_network).float(), pictures(3, 3, 16, 16, dtype=torch.float32)
    targets = targets_for(inputs)
    gradients = activations_and_gradients(model, inputs, targets, "4")[1]
    assert (gradients**2).max() < 1e-3, "the library's 1e-6 is not small beside these"
    theirs = gradcam_maps(GradCAMPlusPlus, model, inputs, targets, "4")
    ours = as_gradcam(grad_cam_plus_plus(model, inputs, targets, "4"), (16, 16))
    assert largest(ours, theirs) > 1e-4
    parts = activations_and_gradients(model, inputs, targets, "4")
    assert largest(as_gradcam(plus_plus_by_the_paper(*parts, eps=1e-6), (16, 16)), theirs) < 1e-5
    with torch.no_grad():  # larger scores, larger gradients: the 1e-6 no longer counts
        model[7].weight *= 1000
    ours = as_gradcam(grad_cam_plus_plus(model, inputs, targets, "4"), (16, 16))
    assert largest(ours, gradcam_maps(GradCAMPlusPlus, model, inputs, targets, "4")) < 1e-5


def test_torchcam_forgets_the_division_in_grad_cam_plus_plus():
    # its in-place division works on a copy (alpha[idx][mask].div_(…)), so the weights stay undivided
    model, inputs = seeded(gap_network), pictures(3, 3, 16, 16)
    targets = targets_for(inputs)
    theirs = torchcam_maps(torchcam.GradCAMpp, model, inputs, targets, "4")
    parts = activations_and_gradients(model, inputs, targets, "4")
    assert largest(theirs, plus_plus_by_the_paper(*parts, divide=False)) < 1e-12
    assert largest(min_max(theirs), min_max(grad_cam_plus_plus(model, inputs, targets, "4"))) > 1e-2


def test_grad_cam_plus_plus_survives_gradients_whose_square_vanishes():
    model, inputs = seeded(gap_network).float(), pictures(2, 3, 16, 16, dtype=torch.float32)
    usual = min_max(grad_cam_plus_plus(model, inputs, 0, "4"))
    with torch.no_grad():
        model[7].weight *= 1e-25
    tiny = grad_cam_plus_plus(model, inputs, 0, "4")
    assert tiny.isfinite().all() and tiny.amax() > 0
    assert usual.amax() == 1


@pytest.mark.parametrize(("build", "layer", "shape"), CASES)
@pytest.mark.parametrize("chunk_size", [5, 1000])
def test_score_cam_equals_torchcam_which_scales_then_upsamples(build, layer, shape, chunk_size):
    model, inputs = build(), pictures(*shape)
    targets = targets_for(inputs)
    theirs = torchcam_maps(torchcam.ScoreCAM, model, inputs, targets, layer)
    assert largest(score_cam(model, inputs, targets, layer, chunk_size=chunk_size), theirs) < 1e-6


@pytest.mark.parametrize(("build", "layer", "shape"), CASES)
def test_score_cam_equals_grad_cam_library_which_upsamples_then_scales(build, layer, shape):
    model, inputs = build().float(), pictures(*shape, dtype=torch.float32)
    targets = targets_for(inputs)
    ours = score_cam(model, inputs, targets, layer, upsample_first=True, align_corners=True)
    theirs = gradcam_maps(ScoreCAM, model, inputs, targets, layer)
    strong = ours.amax(dim=(1, 2)) > 1e-3
    assert largest(as_gradcam(ours, shape[2:])[strong], theirs[strong]) < 2e-4
    if ours.shape[1:] != inputs.shape[2:]:  # where there is nothing to upsample, the order cannot matter
        assert largest(ours, score_cam(model, inputs, targets, layer)) > 1e-7


def test_upsample_has_square_pixels_and_keeps_a_constant():
    maps = torch.tensor([[[0.0, 1.0]]])
    assert upsample(maps, (1, 4)).tolist() == [[[0.0, 0.25, 0.75, 1.0]]]
    assert largest(upsample(torch.full((2, 3, 4), 0.5), 9), torch.full((2, 9, 9), 0.5)) < 1e-6


def test_min_max_scales_each_map_alone_and_gives_zeros_for_equal_values():
    maps = torch.tensor([[[1.0, 3.0], [2.0, 1.0]], [[7.0, 7.0], [7.0, 7.0]], [[-4.0, -2.0], [-3.0, -4.0]]])
    scaled = [[0.0, 1.0], [0.5, 0.0]]
    assert min_max(maps).tolist() == [scaled, [[0.0, 0.0], [0.0, 0.0]], scaled]


@pytest.mark.parametrize("function", [min_max, lambda maps: upsample(maps, 4)])
def test_maps_that_cannot_be_scaled_are_refused(function):
    with pytest.raises(ValueError, match="NaN"):
        function(torch.tensor([[[float("nan"), 1.0]]]))
    with pytest.raises(TypeError, match="float"):
        function(torch.ones(1, 2, 2, dtype=torch.long))
    with pytest.raises(TypeError, match="float"):
        function(np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match=r"\(N, h, w\)"):
        function(torch.ones(0, 2, 2))


def test_layers_that_have_no_map_are_refused():
    model, inputs = seeded(gap_network), pictures(2, 3, 12, 12)
    for method in (grad_cam, grad_cam_plus_plus, layer_cam, score_cam):
        with pytest.raises(ValueError, match="convolutional layer"):
            method(model, inputs, 0, "6")
        with pytest.raises(ValueError, match="no layer 'nowhere'"):
            method(model, inputs, 0, "nowhere")
        with pytest.raises(ValueError, match="not part of the model"):
            method(model, inputs, 0, nn.Conv2d(3, 3, 1))
        with pytest.raises(TypeError, match="dotted name"):
            method(model, inputs, 0, 4)
    with pytest.raises(ValueError, match="6 channels"):
        cam(model, inputs, 0, "4", "0")
    with pytest.raises(ValueError, match="no weights"):
        cam(model, inputs, 0, "4", "5")
    with pytest.raises(ValueError, match="ran 2 times"):
        grad_cam(seeded(ResidualNetwork), inputs, 0, "relu")
    with pytest.raises(ValueError, match="out of range"):
        cam(model, inputs, 5, "4", "7")


def test_a_layer_that_the_scores_do_not_depend_on_is_refused():
    class SideBranch(nn.Module):
        def __init__(self):
            super().__init__()
            self.main, self.side = gap_network(), nn.Conv2d(3, 2, 1)

        def forward(self, x):
            self.side(x)
            return self.main(x)

    with pytest.raises(ValueError, match="do not depend on this layer"):
        grad_cam(seeded(SideBranch), pictures(1, 3, 12, 12), 0, "side")
