"""Attacks beside torchattacks and captum on random networks, their axioms, hygiene and refusals."""

import numpy as np
import pytest
import torch
import torchattacks
from captum.robust import PGD as CaptumPGD
from small_networks import (
    FunctionalNetwork,
    ResidualNetwork,
    gap_network,
    largest,
    pictures,
    pooling_network,
    seeded,
)
from test_hygiene import state, unusual_network
from torch import nn
from torch.nn import functional as F

from course_utils.methods.attacks import fgsm, move_map, pgd, picture_bounds, softened
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import saliency

UNIT = (0.0, 1.0)
CASES = [
    (lambda: seeded(gap_network), (4, 3, 16, 16)),
    (lambda: seeded(gap_network, 1, 7, seed=1, inplace=True), (2, 1, 14, 22)),
    (lambda: seeded(pooling_network, 3, 2, seed=2), (2, 3, 33, 29)),
    (lambda: seeded(ResidualNetwork, seed=3), (2, 3, 9, 12)),
    (lambda: seeded(FunctionalNetwork, seed=4), (1, 3, 10, 8)),
]
everywhere = pytest.mark.parametrize(("build", "shape"), CASES)


def unit_pictures(*shape, seed=0):
    """In 0 … 1, some numbers at the very ends."""
    return (0.5 + 0.35 * pictures(*shape, seed=seed)).clamp(0, 1)


def targets_for(inputs):
    return torch.arange(len(inputs)) % 4


def loss(model, inputs, targets):
    with torch.no_grad():
        return F.cross_entropy(model(inputs), targets, reduction="none")


@everywhere
def test_fgsm_and_pgd_equal_torchattacks(build, shape):
    model, x = build(), unit_pictures(*shape)
    t = targets_for(x)
    theirs = torchattacks.FGSM(model, eps=0.03)(x, t)
    assert largest(fgsm(model, x, t, 0.03, bounds=UNIT), theirs) < 1e-12
    for steps, size in ((1, 0.05), (6, 0.01), (7, 0.03)):
        theirs = torchattacks.PGD(model, eps=0.04, alpha=size, steps=steps, random_start=False)(x, t)
        ours = pgd(model, x, t, 0.04, bounds=UNIT, n_steps=steps, step_size=size)
        assert largest(ours, theirs) < 1e-12
        assert largest(ours, x) > 0
        attack = torchattacks.PGDL2(
            model, eps=0.6, alpha=20 * size, steps=steps, random_start=False, eps_for_division=0
        )
        ours = pgd(model, x, t, 0.6, "l2", bounds=UNIT, n_steps=steps, step_size=20 * size)
        assert largest(ours, attack(x, t)) < 1e-9


@everywhere
def test_towards_a_class_equals_torchattacks(build, shape):
    model, x = build(), unit_pictures(*shape, seed=5)
    t = targets_for(x)
    attack = torchattacks.PGD(model, eps=0.05, alpha=0.02, steps=5, random_start=False)
    attack.set_mode_targeted_by_function(lambda pictures, labels: labels)
    ours = pgd(model, x, t, 0.05, bounds=UNIT, towards=True, n_steps=5, step_size=0.02)
    assert largest(ours, attack(x, t)) < 1e-12
    assert (loss(model, ours, t) <= loss(model, x, t)).all()


@everywhere
@pytest.mark.parametrize(("norm", "radius"), [("linf", 0.2), ("l2", 1.5)])
def test_pgd_equals_captum_with_cross_entropy(build, shape, norm, radius):
    model, x = build(), 2 * unit_pictures(*shape, seed=1) - 1
    t = targets_for(x)

    def strong(scores, labels):  # captum leaves pixels alone whose gradient is below one millionth
        return 2.0**40 * F.cross_entropy(scores, labels, reduction="none")

    theirs = CaptumPGD(model, strong, -1.0, 1.0).perturb(
        x.clone().requires_grad_(), radius, 0.06, 5, target=t, norm={"linf": "Linf", "l2": "L2"}[norm]
    )
    if norm == "linf":
        ours = pgd(model, x, t, radius, bounds=(-1, 1), n_steps=5, step_size=0.06)
        assert largest(ours, theirs.detach()) < 1e-12
    else:  # its steps are those of the signs, whatever the norm of the ball
        signs = x
        for _ in range(5):
            leaf = signs.clone().requires_grad_()
            (g,) = torch.autograd.grad(F.cross_entropy(model(leaf), t, reduction="sum"), leaf)
            change = signs + 0.06 * g.sign() - x
            length = change.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            signs = (x + change * (radius / length).clamp(max=1)).clamp(-1, 1)
        assert largest(signs, theirs.detach()) < 1e-6


@pytest.mark.parametrize("d", [3, 20, 301])
def test_on_a_linear_model_the_gain_is_epsilon_times_the_dual_norm(d):
    model = seeded(nn.Linear, d, 2, seed=d)
    x = 0.1 * pictures(4, d)
    w = (model.weight[1] - model.weight[0]).detach()

    def margin(inputs):
        with torch.no_grad():
            return model(inputs)[:, 1] - model(inputs)[:, 0]

    for norm, length in (("linf", w.abs().sum()), ("l2", w.norm())):
        moved = pgd(model, x, 0, 0.01, norm, bounds=(-9, 9), n_steps=3)
        assert largest(margin(moved) - margin(x), (0.01 * length).expand(4)) < 1e-9
        back = pgd(model, x, 0, 0.01, norm, bounds=(-9, 9), n_steps=3, towards=True)
        assert largest(margin(back) - margin(x), (-0.01 * length).expand(4)) < 1e-9


@everywhere
def test_the_result_stays_in_the_ball_and_the_bounds(build, shape):
    model, x = build(), unit_pictures(*shape, seed=3)
    for norm, epsilon in (("linf", 0.07), ("l2", 0.5)):
        moved = pgd(model, x, 0, epsilon, norm, bounds=UNIT, n_steps=8, step_size=epsilon)
        change = moved - x
        size = change.abs().amax() if norm == "linf" else change.flatten(1).norm(dim=1).max()
        assert 0 < size <= epsilon + 1e-12
        assert moved.min() >= 0 and moved.max() <= 1
        assert (pgd(model, x, 0, 0, norm, bounds=UNIT) == x).all()


def test_epsilon_and_bounds_can_differ_by_channel():
    model, x = seeded(gap_network), unit_pictures(2, 3, 16, 16)
    scale, shift = torch.tensor([0.2, 0.3, 0.4]).double(), torch.tensor([0.5, 0.4, 0.3]).double()
    scale, shift = scale.view(1, 3, 1, 1), shift.view(1, 3, 1, 1)

    class OfPixels(nn.Module):
        def forward(self, pixels):
            return model((pixels - shift) / scale)

    moved = pgd(OfPixels(), x, 1, 0.03, bounds=UNIT, n_steps=4)
    bounds = (0 - shift) / scale, (1 - shift) / scale
    same = pgd(model, (x - shift) / scale, 1, 0.03 / scale, bounds=bounds, n_steps=4)
    assert largest(same * scale + shift, moved) < 1e-12


def test_picture_bounds_asks_the_preprocessing():
    def preprocess(images):
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255
        return (pixels - 0.4) / torch.tensor([0.2, 0.25, 0.5]).view(1, 3, 1, 1)

    black, white = picture_bounds(preprocess)
    assert torch.allclose(black.flatten(), torch.tensor([-2.0, -1.6, -0.8]).double())
    assert torch.allclose(white.flatten(), torch.tensor([3.0, 2.4, 1.2]).double())


def corner(n, side, height, width):
    aim = torch.zeros(n, height, width)
    aim[:, :side, :side] = 1
    return aim


def share_of_corner(maps, side):
    return maps[:, :side, :side].sum(dim=(1, 2)) / maps.sum(dim=(1, 2))


@pytest.mark.parametrize("layer", [None, "3"])
def test_a_map_moves_and_the_scores_stay(layer):
    model, x = seeded(gap_network), unit_pictures(3, 3, 24, 20)
    with torch.no_grad():
        model[7].weight.mul_(30)  # scores of a usual size

    def maps(inputs):
        if layer is None:
            return saliency(model, inputs, 1).amax(dim=1)
        return upsample(grad_cam(model, inputs, 1, layer), inputs.shape[2:])

    moved = move_map(model, x, 1, corner(3, 9, 24, 20), 0.1, layer, bounds=UNIT, n_steps=40, keep=1.0)
    assert (share_of_corner(maps(moved), 9) > 1.3 * share_of_corner(maps(x), 9)).all()
    assert (moved - x).abs().max() <= 0.1 + 1e-12 and moved.min() >= 0 and moved.max() <= 1
    with torch.no_grad():
        assert largest(model(moved), model(x)) < 0.25 * model(x).std().item() + 0.2


def test_without_the_softplus_a_relu_network_gives_nothing_to_follow():
    model, x = seeded(gap_network), unit_pictures(1, 3, 16, 16).requires_grad_()

    def second(softly):
        scores = model(x)
        (g,) = torch.autograd.grad(scores[:, 0].sum(), x, create_graph=True)
        if not g.requires_grad:
            return torch.zeros_like(x)
        (h,) = torch.autograd.grad((g**2).sum(), x, allow_unused=True)
        return torch.zeros_like(x) if h is None else h

    assert second(False).abs().max() == 0
    with softened(20.0):
        assert second(True).abs().max() > 1e-8


@pytest.mark.parametrize("mixed", [False, True])
def test_softened_reaches_functions_and_modules_and_nothing_else(mixed):
    model, x = seeded(FunctionalNetwork, mixed=mixed), unit_pictures(2, 3, 10, 8)
    plain = model(x)
    with softened(3.0):
        soft = model(x)
        six = F.relu6(torch.tensor([-9.0, 3.0, 9.0]))
        also = nn.ReLU6()(torch.tensor([-9.0, 3.0, 9.0]))
    first = F.softplus(model.first(x), 3.0)
    by_hand = model.head(F.softplus(model.second(first), 3.0).mean(dim=(2, 3)))
    assert largest(soft.detach(), by_hand.detach()) < 1e-12 and largest(soft.detach(), plain.detach()) > 1e-4
    assert torch.equal(model(x), plain)
    assert torch.allclose(six, torch.tensor([0.0, 3.0, 6.0]), atol=1e-3) and torch.equal(six, also)


METHODS = {
    "fgsm": lambda m, x, t, **o: fgsm(m, x, t, **{"epsilon": 0.1, "bounds": (-9, 9), **o}),
    "pgd": lambda m, x, t, **o: pgd(m, x, t, **{"epsilon": 0.1, "bounds": (-9, 9), "n_steps": 2, **o}),
    "pgd l2": lambda m, x, t, **o: pgd(
        m, x, t, **{"epsilon": 1.0, "norm": "l2", "bounds": (-9, 9), "n_steps": 2, **o}
    ),
    "move_map": lambda m, x, t, **o: move_map(
        m, x, t, **{"aim": corner(len(x), 3, 12, 12), "epsilon": 0.1, "bounds": (-9, 9), "n_steps": 2, **o}
    ),
    "move_map at a layer": lambda m, x, t, **o: move_map(
        m,
        x,
        t,
        **{
            "aim": corner(len(x), 3, 12, 12),
            "epsilon": 0.1,
            "bounds": (-9, 9),
            "n_steps": 2,
            "layer": "4",
            **o,
        },
    ),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@every_method
def test_model_and_inputs_stay_as_they_were_also_after_an_error(method):
    model, x = unusual_network(), pictures(2, 3, 12, 12)
    before, weights, copy = state(model), [p.clone() for p in model.parameters()], x.clone()
    random = torch.get_rng_state()
    result = method(model, x, torch.tensor([2, 0]))
    assert result.shape == x.shape and not result.requires_grad and largest(result, x) > 0
    with torch.no_grad():
        assert largest(method(model, x, torch.tensor([2, 0])), result) == 0
    broken = unusual_network()
    broken[3].register_forward_hook(lambda *args: (_ for _ in ()).throw(RuntimeError("broken")))
    broken_before = state(broken)
    with pytest.raises(RuntimeError, match="broken"):
        method(broken, x, 0)
    assert state(broken) == broken_before and state(model) == before
    assert all(torch.equal(p, w) for p, w in zip(model.parameters(), weights, strict=True))
    assert torch.equal(x, copy) and x.grad is None and torch.equal(torch.get_rng_state(), random)
    assert F.relu(torch.tensor(-1.0)) == 0  # nothing stays softened


@every_method
def test_each_picture_is_attacked_by_itself(method):
    model, x = seeded(gap_network), pictures(3, 3, 12, 12)
    together = method(model, x, torch.tensor([2, 0, 3]))
    alone = [method(model, x[i : i + 1], t) for i, t in enumerate((2, 0, 3))]
    assert largest(together, torch.cat(alone)) < 1e-9


NAN = float("nan")
BAD = [
    ({"epsilon": -0.1}, ValueError, "epsilon must be from 0 to the whole range.*one grey level"),
    ({"epsilon": 2000.0}, ValueError, "epsilon must be from 0 to the whole range.*units of the inputs"),
    ({"epsilon": NAN}, ValueError, "epsilon contains NaN"),
    ({"epsilon": "8/255"}, TypeError, "epsilon must be a number or a float tensor"),
    ({"bounds": (-0.1, 0.1)}, ValueError, "inputs lie outside the bounds.*picture_bounds"),
    ({"bounds": (9, -9)}, ValueError, r"bounds\[1\] is not above bounds\[0\]"),
    ({"bounds": 9}, ValueError, "bounds must be two values, black and white"),
    ({"bounds": (-9, 9, 0)}, ValueError, "bounds must be two values"),
    ({"bounds": (NAN, 9)}, ValueError, r"bounds\[0\] contains? NaN"),
    ({"bounds": ("black", 9)}, TypeError, r"bounds\[0\] must be a number"),
]
ONLY_PGD = [
    ({"norm": "l1"}, ValueError, "norm must be one of 'linf', 'l2'"),
    ({"norm": None}, ValueError, "norm must be one of"),
    ({"n_steps": 0}, ValueError, "n_steps must be a whole number ≥ 1"),
    ({"n_steps": 2.5}, ValueError, "n_steps must be a whole number"),
    ({"step_size": -0.1}, ValueError, "step_size must be ≥ 0.*towards"),
    ({"step_size": torch.ones(7)}, ValueError, "step_size .*must fit inputs"),
    ({"norm": "l2", "epsilon": torch.full((3, 1, 1), 0.1)}, ValueError, "epsilon must be one number.*l2"),
]
ONLY_MOVE = [
    ({"aim": corner(2, 3, 9, 9)}, ValueError, "aim must have the shape"),
    ({"aim": torch.zeros(2, 12, 12)}, ValueError, "aim must be ≥ 0 with a positive value"),
    ({"aim": -corner(2, 3, 12, 12)}, ValueError, "aim must be ≥ 0"),
    ({"aim": corner(2, 3, 12, 12).bool()}, TypeError, "aim must be a float tensor"),
    ({"beta": 0}, ValueError, "beta must be a number ≥"),
    ({"keep": -1}, ValueError, "keep must be a number ≥ 0"),
    ({"n_steps": 0}, ValueError, "n_steps must be a whole number"),
    ({"layer": "conv9"}, ValueError, "no layer 'conv9'"),
    ({"layer": "7"}, ValueError, "feature maps"),
]
ROWS = [(name, *row) for name in METHODS for row in BAD]
ROWS += [("pgd", *row) for row in ONLY_PGD] + [("move_map", *row) for row in ONLY_MOVE]


@pytest.mark.parametrize(("name", "options", "error", "message"), ROWS)
def test_bad_input_attacks(name, options, error, message):
    model, x = unusual_network(), pictures(2, 3, 12, 12)
    before, copy = state(model), x.clone()
    with pytest.raises(error, match=message) as caught:
        METHODS[name](model, x, 0, **options)
    assert type(caught.value) is error
    assert state(model) == before and torch.equal(x, copy)


@every_method
@pytest.mark.parametrize(
    ("inputs", "target", "error", "message"),
    [
        (pictures(3, 12, 12), 0, ValueError, "inputs must have the shape"),
        (torch.zeros(1, 3, 12, 12, dtype=torch.uint8), 0, TypeError, "preprocess"),
        (np.zeros((1, 3, 12, 12)), 0, TypeError, "inputs must be a float tensor, not ndarray"),
        (torch.full((1, 3, 12, 12), NAN), 0, ValueError, "NaN"),
        (pictures(2, 3, 12, 12), 9, ValueError, "9 is out of range"),
        (pictures(2, 3, 12, 12), 1.0, TypeError, "must be an int"),
        (pictures(2, 3, 12, 12), torch.tensor([0, 1, 2]), ValueError, "one a picture"),
    ],
)
def test_bad_input_attacked_pictures(method, inputs, target, error, message):
    with pytest.raises(error, match=message):
        method(unusual_network(), inputs, target)


@pytest.mark.parametrize(
    ("preprocess", "error", "message"),
    [
        (0.5, TypeError, "preprocess must be a function"),
        (lambda images: torch.zeros(1, 3, 224, 224), ValueError, "one pixel.*resizing"),
        (lambda images: images, ValueError, "one pixel"),
        (lambda images: -torch.from_numpy(images).permute(0, 3, 1, 2).float(), ValueError, "no larger"),
    ],
)
def test_bad_input_picture_bounds(preprocess, error, message):
    with pytest.raises(error, match=message):
        picture_bounds(preprocess)


def test_bad_input_a_class_in_place_of_a_direction():
    for towards in (3, "no", None):
        with pytest.raises(TypeError, match="towards must be True or False"):
            fgsm(seeded(gap_network), pictures(1, 3, 12, 12), 0, 0.1, bounds=(-9, 9), towards=towards)


def test_bad_input_true_is_no_size():
    with pytest.raises(TypeError, match="epsilon must be a number"):
        fgsm(seeded(gap_network), pictures(1, 3, 12, 12), 0, True, bounds=(-9, 9))


def test_move_map_works_in_inference_mode():
    model, x = seeded(gap_network), pictures(1, 3, 12, 12)
    aim = torch.zeros(1, 12, 12, dtype=torch.float64)
    aim[:, :5, :5] = 1
    wanted = move_map(model, x, 0, aim, 0.1, bounds=(-9, 9), n_steps=2)
    with torch.inference_mode():
        assert torch.equal(move_map(model, x, 0, aim, 0.1, bounds=(-9, 9), n_steps=2), wanted)
