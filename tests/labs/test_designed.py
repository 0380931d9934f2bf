"""The hand-set networks against brute force."""

import itertools
import math

import pytest
import torch

from course_utils.labs import load_lab
from course_utils.labs.designed import NETWORKS

VECTORS = NETWORKS[:6]
PICTURES = NETWORKS[6:]
INTENDED = {
    "linear": lambda x: 2 * x[0] - x[1] + 0.5 * x[2] + 0.25,
    "and": lambda x: float(x[0] == 1 and x[1] == 1),
    "or": lambda x: float(x[0] == 1 or x[1] == 1),
    "xor": lambda x: float(x[0] != x[1]),
    "saturating": lambda x: min(x[0] + x[1], 1.0),
    "symmetric": lambda x: math.comb(int(sum(x)), 2),
}


def score(lab, inputs, target):
    with torch.no_grad():
        return lab.model(inputs)[:, target].double()


def shapley(lab, row, target=0):
    """Shapley values of one input by all coalitions, absent meaning 0."""
    d = len(row)
    present = torch.tensor(list(itertools.product((0.0, 1.0), repeat=d)))
    value = dict(zip(map(tuple, present.int().tolist()), score(lab, present * row, target), strict=True))
    values = torch.zeros(d, dtype=torch.double)
    for coalition in value:
        size = sum(coalition)
        for i in (i for i in range(d) if not coalition[i]):
            joined = (*coalition[:i], 1, *coalition[i + 1 :])
            weight = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
            values[i] += weight * (value[joined] - value[coalition])
    return values


def integrated_gradients(lab, inputs, targets, n_steps=400):
    total = torch.zeros_like(inputs)
    for step in range(n_steps):
        x = (inputs * (step + 0.5) / n_steps).requires_grad_()
        scores = lab.model(x).gather(1, targets[:, None].to(x.device)).sum()
        total += torch.autograd.grad(scores, x)[0]
    return inputs * total / n_steps


@pytest.mark.parametrize("network", VECTORS)
def test_scores_are_the_intended_ones(network):
    lab = load_lab("designed", network=network)
    expected = torch.tensor([INTENDED[network](row.tolist()) for row in lab.inputs], dtype=torch.double)
    torch.testing.assert_close(score(lab, lab.inputs, 0).cpu(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("network", VECTORS)
def test_vectors_have_their_shapley_values(network):
    lab = load_lab("designed", network=network)
    for row, attribution in zip(lab.inputs.cpu(), lab.attributions, strict=True):
        row = row.to(lab.device)
        expected = shapley(lab, row)
        torch.testing.assert_close(attribution.double(), expected.cpu(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("network", VECTORS)
def test_integrated_gradients_agree(network):
    lab = load_lab("designed", network=network)
    found = integrated_gradients(lab, lab.inputs, lab.targets)
    torch.testing.assert_close(found.cpu(), lab.attributions, atol=5e-3, rtol=0)


def test_the_gradient_is_zero_where_the_network_saturates():
    lab = load_lab("designed", network="saturating")
    x = lab.inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(lab.model(x).sum(), x)
    saturated = lab.inputs.sum(dim=1) > 1
    assert saturated.any() and (gradient[saturated] == 0).all()
    assert (lab.attributions[saturated.cpu()].sum(dim=1) == 1).all()


@pytest.mark.parametrize("network", PICTURES)
def test_pictures_hold_the_pattern_once(network):
    lab = load_lab("designed", network=network)
    assert lab.inputs.shape[1:] == (3, 24, 24) and lab.attributions.shape == lab.inputs.shape
    assert (lab.masks.flatten(1).sum(1) == 25).all()
    maps = lab.model.relu(lab.model.conv(lab.inputs))
    assert (maps.flatten(2).amax(2) - 1).abs().max() < 1e-4 and ((maps > 1e-4).flatten(2).sum(2) == 1).all()
    for index, target in enumerate(lab.targets.tolist()):
        centre = maps[index, target].argmax().item()
        assert lab.masks[index].flatten()[centre]
        # with white pixels taken away, the pattern cannot appear anywhere else: none has all its white ones
        white = (lab.model.conv.weight[target : target + 1] > 0).float() / 3
        counts = torch.nn.functional.conv2d(lab.inputs[index : index + 1], white, padding=2).flatten()
        counts[centre] = 0
        assert counts.max() < white.sum() - 0.5


@pytest.mark.parametrize("network", PICTURES)
def test_pictures_have_their_shapley_values(network):
    """Present white pixels: the score is 1 if all of the pattern's are there, else 0. Equal shares follow."""
    lab = load_lab("designed", network=network)
    generator = torch.Generator().manual_seed(0)
    for index in range(4):
        target = lab.targets[index].item()
        needed = lab.attributions[index].sum(dim=0) > 0
        assert (needed & ~lab.masks[index]).sum() == 0
        keep = (torch.rand(50, 24, 24, generator=generator) < 0.5) | needed
        kept = lab.inputs[index] * keep[:, None].to(lab.device)
        torch.testing.assert_close(score(lab, kept, target).cpu(), torch.ones(50).double(), atol=1e-4, rtol=0)
        for y, x in needed.nonzero().tolist():
            without = lab.inputs[index : index + 1].clone()
            without[:, :, y, x] = 0
            assert score(lab, without, target).abs().item() < 1e-4
    assert lab.attributions.sum(dim=(1, 2, 3)).sub(1).abs().max() < 1e-5


@pytest.mark.parametrize("network", PICTURES)
def test_integrated_gradients_agree_on_pictures(network):
    lab = load_lab("designed", network=network)
    inputs, targets = lab.inputs[:2], lab.targets[:2]
    # the ReLU opens at 8/9 or 15/16 of the way: with 144 steps between two of them
    found = integrated_gradients(lab, inputs, targets, n_steps=144)
    torch.testing.assert_close(found.cpu(), lab.attributions[:2], atol=1e-3, rtol=0)


def test_cam_is_exact_on_two_class_patch():
    lab = load_lab("designed", network="two_class_patch")
    maps = lab.model.relu(lab.model.conv(lab.inputs))
    weights = lab.model.fc.weight[lab.targets.to(lab.device)]
    cam = (weights[:, :, None, None] * maps).sum(1)
    assert ((cam > 1e-2).cpu() <= lab.masks).all()


def test_predict_returns_the_scores():
    lab = load_lab("designed", network="and")
    assert lab.predict(lab.images).tolist() == [[0.0], [0.0], [0.0], [1.0]]
    assert (lab.to_images(lab.inputs) == lab.images).all()


def test_unknown_network():
    with pytest.raises(ValueError, match="two_class_patch"):
        load_lab("designed", network="nand")
