"""What people have reported of measures and of heat maps' judges, tried on ours; one test a report."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from course_utils import judge
from course_utils.judge.methods_table import Method, image_methods
from course_utils.judge.scoreboard import Settings, scoreboard

QUICK = Settings(tolerance=1, fractions=(0.1, 0.5), n_squares=4, n_sensitivity=1)


def tiny(n_classes=3, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, n_classes),
        ).eval()


def some(n=2, side=32):
    generator = torch.Generator().manual_seed(0)
    masks = torch.zeros(n, side, side, dtype=torch.bool)
    masks[:, : side // 3, : side // 3] = True
    return torch.rand(n, 3, side, side, generator=generator), torch.arange(n) % 2, masks


def board(model, inputs, targets, masks, names):
    methods = {name: image_methods()[name] for name in names}
    return scoreboard(
        model, inputs, targets, masks, "1", methods=methods, settings=QUICK, cache=False, progress=False
    )


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("curve", [judge.deletion, judge.insertion])
def test_public_report_one_logit_in_the_curves(curve, target):
    """pytorch-grad-cam 325, 428; MONAI 5530: a softmax of one score is 1, and each map had an area of 1."""
    inputs, _, _ = some()
    with pytest.raises(ValueError, match=r"one score.*torch\.cat"):
        curve(tiny(1), inputs, target, inputs[:, 0], 8)

    class Both(nn.Module):  # what the message says
        def __init__(self):
            super().__init__()
            self.one = tiny(1)

        def forward(self, x):
            score = self.one(x)
            return torch.cat([torch.zeros_like(score), score], dim=1)

    chances = curve(Both().eval(), inputs, target, inputs[:, 0], 8).probabilities
    first = inputs if curve is judge.deletion else judge.blur(inputs)
    yes = torch.sigmoid(tiny(1)(first))[:, 0]
    assert torch.allclose(chances[:, 0], yes if target else 1 - yes, atol=1e-5)


@pytest.mark.parametrize("name", ["LIME", "KernelSHAP"])
def test_public_report_one_logit_in_the_black_boxes(name):
    """lime 156: maps of zeros for a network with one output."""
    inputs, _, masks = some()
    with pytest.raises(ValueError, match=r"one score.*torch\.cat"):
        image_methods()[name].explain(tiny(1), inputs, 0, "1")
    with pytest.raises(ValueError, match="one score"):
        board(tiny(1), inputs, torch.zeros(2).long(), masks, ["saliency"])


@pytest.mark.parametrize("name", ["LIME", "KernelSHAP"])
def test_public_report_low_precision_in_the_black_boxes(name):
    """pytorch-grad-cam 329: NumPy has no bfloat16."""
    inputs, targets, _ = some()
    maps = image_methods()[name].explain(tiny().bfloat16(), inputs, targets, "1")
    assert maps.shape == (2, 32, 32) and maps.isfinite().all()


def test_public_report_pictures_as_small_as_mnist():
    """A board of 28 × 28 pictures broke off at occlusion, whose window is 32 pixels."""
    found = board(tiny(), *some(side=28), ["saliency", "occlusion", "LIME", "KernelSHAP", "centre"])
    assert all(np.isfinite(found.mean(name, "energy")) for name in found.values)


def corner(k):
    def mine(model, x, t, layer):
        heat = torch.zeros_like(x[:, 0])
        heat[:, k : k + 10, k : k + 10] = 1
        return heat

    return mine


def test_public_report_a_cache_that_does_not_see_the_change(tmp_path, monkeypatch):
    """joblib 1287, 59: two functions of the same text with another number inside."""
    monkeypatch.setenv("XAI_COURSE_CACHE", str(tmp_path))
    inputs, targets, masks = some(side=40)
    energies = []
    for k in (0, 30):
        method = Method("mine", "gradients", corner(k))
        found = scoreboard(
            tiny(), inputs, targets, masks, "1", methods={"mine": method}, settings=QUICK, progress=False
        )
        energies.append(found.mean("mine", "energy"))
        assert found.from_cache == ()
    assert energies == [1.0, 0.0]


def test_public_report_maps_from_numpy():
    """Maps that another library returned: the message says how they become tensors."""
    maps = np.ones((1, 8, 8), np.float32)
    inputs, _, _ = some(1, 8)
    for call in (
        lambda: judge.pointing_game(maps, maps > 0),
        lambda: judge.energy_in_mask(maps, maps > 0),
        lambda: judge.rank_correlation(maps, maps),
        lambda: judge.ssim(maps, maps),
        lambda: judge.deletion(tiny(), inputs, 0, maps),
    ):
        with pytest.raises(
            TypeError, match=r"maps must be a float tensor, not a ndarray: use torch\.as_tensor"
        ):
            call()


def test_public_report_nan_among_the_scores():
    """The message spoke of the shape."""
    with pytest.raises(ValueError, match="number 1 is NaN"):
        judge.bootstrap_interval(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="number 0 is NaN"):
        judge.paired([np.nan, 1.0], [0.0, 1.0])


def test_public_report_ties_constants_and_negative_maps():
    """Maps without an order or without positive values get the value of a map that knows nothing."""
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[:, :4, :4] = True
    for maps in (torch.zeros(1, 8, 8), torch.ones(1, 8, 8)):
        assert judge.pointing_game(maps, masks).item() == pytest.approx(0.25)
        assert judge.energy_in_mask(maps, masks).item() == pytest.approx(0.25)
    assert judge.energy_in_mask(-torch.ones(1, 8, 8), masks).item() == pytest.approx(0.25)
    assert judge.rank_correlation(torch.ones(1, 8), torch.rand(1, 8)).item() == 0
    full = torch.ones(1, 8, 8, dtype=torch.bool)
    assert judge.pointing_game(torch.rand(1, 8, 8), full).item() == 1


def test_public_report_boxes_without_an_area():
    """The overlap of an empty or a reversed box was NaN."""
    good, empty = torch.tensor([[0, 0, 4, 4]]), torch.tensor([[2, 2, 2, 5]])
    for bad in (empty, good.flip(1)):
        with pytest.raises(ValueError, match="others: a box is empty or reversed"):
            judge.box_iou(good, bad)
    assert judge.box_iou(good, torch.tensor([[2, 0, 6, 4]])).item() == pytest.approx(1 / 3)


def test_public_report_parts_of_a_transformer_that_start_at_zero():
    """Zeros (class token, biases of the attention) became noise of deviation 1 in a randomised ViT."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vit = VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3).eval()
    *_, (_, last) = judge.randomize_cascade(vit)
    before, after = dict(vit.named_parameters()), dict(last.named_parameters())
    for name in (
        "class_token",
        *(name for name in after if name.endswith(("in_proj_bias", "out_proj.bias"))),
    ):
        assert not before[name].any() and not after[name].any(), name
    for name, weights in after.items():
        if name.endswith("weight") and "ln" not in name and "heads" not in name:
            assert not torch.equal(weights, before[name]), name


def test_public_report_one_picture_and_many_are_the_same():
    """captum 645: a batch of several targets against one picture at a time."""
    inputs, targets, _ = some(3)
    model = tiny()
    maps = inputs.mean(dim=1)
    together = judge.deletion(model, inputs, targets, maps, 8).area
    alone = [
        judge.deletion(model, inputs[i : i + 1], targets[i : i + 1], maps[i : i + 1], 8).area
        for i in range(3)
    ]
    assert torch.allclose(together, torch.cat(alone), atol=1e-6)


def test_public_report_nothing_is_left_behind():
    """captum 1037: hooks, modes and gradients after the measures, also in training mode."""
    model = tiny().train()
    inputs, targets, masks = some()
    weights = [p.clone() for p in model.parameters()]
    with torch.no_grad():
        judge.deletion(model, inputs, targets, inputs[:, 0], 4)
        judge.infidelity(model, inputs, targets, inputs, 3)
        board(model, inputs, targets, masks, ["Grad-CAM", "LIME", "KernelSHAP", "occlusion"])
    assert all(module.training and not module._forward_hooks for module in model.modules())
    assert all(p.grad is None and torch.equal(p, w) for p, w in zip(model.parameters(), weights, strict=True))
