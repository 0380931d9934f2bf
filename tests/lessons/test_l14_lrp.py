"""What lesson 14 shares: one function twice, the correlation of maps, zennit with and without its sums."""

import numpy as np
import pytest
import torch

from course_utils.labs.networks import ResNet
from course_utils.lessons import l14_lrp as lesson
from course_utils.methods.relevance import EPSILON_PLUS, fold_batch_norms, relevance


def test_both_networks_compute_the_minimum():
    points = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    for network in lesson.minimum_twice().values():
        assert torch.allclose(network(points)[:, 0], points.sum(dim=1).clamp(max=1), atol=1e-6)


def test_the_correlation_is_numpys():
    maps = torch.randn(6, 5, 4, generator=torch.Generator().manual_seed(0))
    theirs = [np.corrcoef(maps[i].flatten(), maps[i + 1].flatten())[0, 1] for i in (0, 2, 4)]
    assert np.allclose(lesson.map_correlation(maps), theirs, atol=1e-6)
    assert lesson.map_correlation(torch.zeros(2, 3, 3)).item() == 0
    for wrong, message in ((maps[:3], "in pairs"), (maps[0], "shape"), (maps / 0, "NaN or infinite")):
        with pytest.raises(ValueError, match=message):
            lesson.map_correlation(wrong)


def test_zennit_needs_the_sums_of_a_random_residual_network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ResNet(4, (4, 5, 6), (1, 2)).double().eval()
        inputs = torch.randn(2, 3, 40, 32, dtype=torch.float64)
    target = torch.tensor([1, 3])
    folded = fold_batch_norms(network, inputs)
    ours = relevance(network, inputs, target, EPSILON_PLUS)
    theirs = lesson.of_zennit(folded, inputs, target, *lesson.IN_ZENNIT["ε and z⁺"])
    assert torch.allclose(ours, theirs, atol=1e-9)
    without = lesson.of_zennit(folded, inputs, target, *lesson.IN_ZENNIT["ε and z⁺"], sums=False)
    assert not torch.allclose(ours, without, atol=1e-3 * float(ours.abs().max()))
    assert not any(hasattr(module, "together") for module in folded.modules())


def test_horses_differ_only_where_the_caption_is():
    horses = lesson.horses(2, 3, seed=4)
    assert horses.marked.sum() == 2
    differs = torch.from_numpy((horses.images != horses.others).any(axis=-1))
    assert differs.flatten(1).any(dim=1).all()
    assert not (differs & ~horses.marks).any()
    again = lesson.horses(2, 3, seed=4)
    assert (again.images == horses.images).all()


def test_channels_are_zero_inside_and_come_back():
    layer, values = torch.nn.Conv2d(2, 3, 1), torch.ones(1, 2, 4, 4)
    before = layer(values)
    with lesson.without_channels(layer, [0, 2]):
        inside = layer(values)
    assert (inside[:, [0, 2]] == 0).all()
    assert torch.equal(inside[:, 1], before[:, 1])
    assert torch.equal(layer(values), before)


def test_channels_and_counts_that_mean_nothing_are_refused():
    layer = torch.nn.Identity()
    for channels in ([True, False], [1.7], [-1], [[0, 1]]):
        with pytest.raises(ValueError, match="whole numbers"), lesson.without_channels(layer, channels):
            pass
    with lesson.without_channels(layer, []):
        assert layer(torch.ones(1, 2, 1, 1)).sum() == 2
    with pytest.raises(ValueError, match="counts"):
        lesson.horses(-1, 5, seed=4)
