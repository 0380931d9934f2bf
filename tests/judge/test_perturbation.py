"""Deletion, insertion, infidelity and sensitivity by hand, against captum.metrics, and at their edges."""

import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max as captum_sensitivity
from torch import nn

from course_utils.judge import baselines, blur, deletion, infidelity, insertion, sensitivity_max
from course_utils.methods.gradients import input_x_gradient, saliency


def small_network(seed=0, dtype=torch.float64):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(3, 6, 3),
            nn.ReLU(),
            nn.Conv2d(6, 6, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(24, 4),
        )
    return model.to(dtype).eval()


class TwoClasses(nn.Module):
    """Score 0 is the weighted sum of the pixels, score 1 is 0."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, x):
        score = (x * self.weights).sum(dim=(1, 2, 3))
        return torch.stack([score, torch.zeros_like(score)], dim=1)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_curves_by_hand():
    model = TwoClasses(torch.ones(1, 1, 2, 2).double())
    inputs = torch.tensor([[[[4.0, 3.0], [2.0, 1.0]]]]).double()
    maps = torch.tensor([[[0.4, 0.3], [0.2, 0.1]]])
    curves = deletion(model, inputs, 0, maps, n_steps=4)
    expected = torch.tensor([10.0, 6.0, 3.0, 1.0, 0.0]).double().sigmoid()
    assert torch.allclose(curves.probabilities[0], expected)
    assert curves.fractions.tolist() == [0, 0.25, 0.5, 0.75, 1]
    area = (expected.sum() - expected[0] / 2 - expected[-1] / 2) / 4
    assert curves.area.item() == pytest.approx(area.item())
    curves = insertion(model, inputs, 0, maps, n_steps=4, substrate="zero")
    assert torch.allclose(curves.probabilities[0], torch.tensor([0.0, 4, 7, 9, 10]).double().sigmoid())
    curves = insertion(model, inputs, 0, -maps, n_steps=2, substrate=torch.full((1, 2, 2), -1.0))
    assert torch.allclose(curves.probabilities[0], torch.tensor([-4.0, 1.0, 10.0]).double().sigmoid())


@pytest.mark.parametrize("measure", [deletion, insertion])
@pytest.mark.parametrize("substrate", ["zero", "blur"])
def test_curves_step_by_step(measure, substrate):
    model, inputs, maps = small_network(), noise(3, 3, 9, 11), noise(3, 9, 11, seed=1)
    targets = torch.tensor([0, 3, 1])
    curves = measure(model, inputs, targets, maps, n_steps=7, substrate=substrate, chunk_size=5)
    assert torch.allclose(measure(model, inputs, targets, maps, 7, substrate).area, curves.area)
    cover = torch.zeros_like(inputs) if substrate == "zero" else blur(inputs)
    start, end = (inputs, cover) if measure is deletion else (cover, inputs)
    for i in range(3):
        order = maps[i].flatten().argsort(descending=True)
        for step in range(8):
            picture = start[i].clone().flatten(1)
            changed = order[: round(99 * step / 7)]
            picture[:, changed] = end[i].flatten(1)[:, changed]
            probability = model(picture.view(1, 3, 9, 11)).softmax(dim=1)[0, targets[i]]
            assert curves.probabilities[i, step].item() == pytest.approx(probability.item(), abs=1e-12)
    expected = torch.trapezoid(curves.probabilities, curves.fractions)
    assert torch.allclose(curves.area, expected)


def test_a_map_that_knows_the_model_beats_one_that_does_not():
    weights = noise(1, 3, 8, 8)
    model, inputs = TwoClasses(weights), noise(6, 3, 8, 8, seed=1)
    good = (weights * inputs).sum(dim=1)
    random = baselines.random(inputs)
    assert (deletion(model, inputs, 0, good).area < deletion(model, inputs, 0, random).area).all()
    better = insertion(model, inputs, 0, good, substrate="zero").area
    assert (better > insertion(model, inputs, 0, random, substrate="zero").area).all()


def test_ties_go_in_an_order_that_does_not_favour_a_corner():
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append((x == 0)[:, 0].clone())
            return torch.zeros(len(x), 2)

    curves = deletion(Spy(), torch.ones(1, 1, 20, 20), 0, torch.ones(1, 20, 20), n_steps=2)
    half = seen[1][1].float()  # the first pass is a trial of the layout
    assert half.sum() == 200
    assert abs(half[:10].mean() - 0.5) < 0.15 and abs(half[:, :10].mean() - 0.5) < 0.15
    assert torch.allclose(curves.area, torch.tensor(0.5))
    maps = torch.zeros(1, 20, 20)
    maps[0, 3, 4] = 1.0
    seen.clear()
    deletion(Spy(), torch.ones(1, 1, 20, 20), 0, maps, n_steps=400)
    assert torch.cat(seen[1:])[1].nonzero().tolist() == [[3, 4]]


def test_blur_keeps_a_constant_and_the_mean_and_can_be_stronger():
    flat = torch.full((2, 3, 12, 9), 0.3).double()
    assert torch.allclose(blur(flat), flat)
    point = torch.zeros(1, 1, 31, 31).double()
    point[..., 15, 15] = 1
    soft = blur(point, 2.0)
    assert soft.sum().item() == pytest.approx(1)
    expected = torch.exp(-0.5 * (torch.arange(-6, 7) / 2.0).double() ** 2)
    expected /= expected.sum()
    assert torch.allclose(soft[0, 0, 9:22, 9:22], torch.outer(expected, expected))
    assert blur(point, 4.0).max() < soft.max()
    with pytest.raises(ValueError, match="sigma"):
        blur(point, 0)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("chunk_size", [2, 64])
def test_infidelity_equals_captum_on_the_same_perturbations(normalize, chunk_size):
    model, inputs = small_network(), noise(3, 3, 9, 11)
    targets = torch.tensor([0, 3, 1])
    attributions = input_x_gradient(model, inputs, targets)
    perturbations = 0.3 * noise(8, 3, 3, 9, 11, seed=1)
    ours = infidelity(
        model,
        inputs,
        targets,
        attributions,
        perturbations=perturbations,
        normalize=normalize,
        chunk_size=chunk_size,
    )
    repeated = perturbations.transpose(0, 1).flatten(0, 1)
    theirs = captum_infidelity(
        model,
        lambda x: (repeated, x - repeated),
        inputs,
        attributions,
        target=targets,
        n_perturb_samples=8,
        normalize=normalize,
    )
    assert torch.allclose(ours, theirs, rtol=1e-9, atol=0)
    assert (ours > 0).all()


def test_infidelity_of_a_linear_models_gradient_is_zero_and_normalizing_forgives_the_units():
    weights = noise(1, 3, 6, 6)
    model, inputs = TwoClasses(weights), noise(2, 3, 6, 6, seed=1)
    gradient = weights.expand_as(inputs)
    assert infidelity(model, inputs, 0, gradient).max() < 1e-20
    assert infidelity(model, inputs, 0, 7 * gradient).min() > 1
    assert infidelity(model, inputs, 0, 7 * gradient, normalize=True).max() < 1e-20
    nothing = infidelity(model, inputs, 0, torch.zeros_like(inputs))
    assert torch.equal(infidelity(model, inputs, 0, torch.zeros_like(inputs), normalize=True), nothing)
    assert torch.equal(infidelity(model, inputs, 0, torch.zeros_like(inputs)), nothing), "seeded"
    sigma = 0.15 * (inputs.amax(dim=(1, 2, 3)) - inputs.amin(dim=(1, 2, 3)))
    many = infidelity(model, inputs, 0, torch.zeros_like(inputs), n_samples=2000)
    assert torch.allclose(many, sigma**2 * (weights**2).sum(), rtol=0.1)


def test_sensitivity_equals_captum_on_the_same_perturbations():
    model, inputs = small_network(), noise(3, 3, 9, 11)
    perturbations = 0.1 * noise(8, 3, 3, 9, 11, seed=1)
    ours = sensitivity_max(lambda x: saliency(model, x, 2), inputs, perturbations=perturbations)
    repeated = perturbations.transpose(0, 1).flatten(0, 1)

    def explain(x):  # captum gives a tuple and wants one back, then a tensor
        return (saliency(model, x[0], 2),) if isinstance(x, tuple) else saliency(model, x, 2)

    theirs = captum_sensitivity(explain, inputs, lambda x: x + repeated, n_perturb_samples=8)
    assert torch.allclose(ours, theirs, rtol=1e-9, atol=0)
    assert (ours > 0).all()


def test_sensitivity_by_hand():
    inputs = torch.ones(2, 1, 1, 2)
    perturbations = torch.tensor([0.1, -0.5, 0.2]).view(3, 1, 1, 1, 1).expand(3, 2, 1, 1, 2)
    assert sensitivity_max(lambda x: 3 * x, inputs, perturbations=perturbations).tolist() == [0.5, 0.5]
    assert sensitivity_max(torch.zeros_like, inputs).tolist() == [0, 0]
    changed = []
    sensitivity_max(lambda x: changed.append(x) or x, inputs, radius=0.3, n_samples=200)
    size = (torch.cat(changed) - 1).abs()
    assert len(changed) == 201 and 0.28 < size.max() <= 0.3
    first = sensitivity_max(lambda x: x**2, inputs)
    assert torch.equal(sensitivity_max(lambda x: x**2, inputs), first), "seeded"


@pytest.mark.parametrize("measure", [deletion, insertion])
def test_bad_arguments_of_the_curves_are_named(measure):
    model, inputs, maps = small_network(), noise(2, 3, 9, 11), noise(2, 9, 11)
    for wrong, error, message in [
        ({"maps": maps[:, :4]}, ValueError, "upsample"),
        ({"maps": maps[:1]}, ValueError, "shape"),
        ({"maps": maps * torch.nan}, ValueError, "NaN"),
        ({"maps": maps > 0}, TypeError, "float"),
        ({"n_steps": 0}, ValueError, "n_steps"),
        ({"n_steps": 100}, ValueError, "from 1 to 99"),
        ({"substrate": "mean"}, ValueError, '"blur"'),
        ({"substrate": torch.zeros(2, 9, 9)}, ValueError, "substrate"),
        ({"target": 4}, ValueError, "out of range"),
        ({"inputs": inputs[0]}, ValueError, r"inputs\[None\]"),
    ]:
        with pytest.raises(error, match=message):
            measure(**({"model": model, "inputs": inputs, "target": 0, "maps": maps} | wrong))


def test_bad_attributions_are_named():
    model, inputs = small_network(), noise(2, 3, 9, 11)
    with pytest.raises(ValueError, match="attributions"):
        infidelity(model, inputs, 0, torch.zeros(2, 9, 9))
    with pytest.raises(ValueError, match="perturbation"):
        infidelity(model, inputs, 0, inputs, perturbations=torch.zeros(3, 2, 3, 9, 9))
    with pytest.raises(ValueError, match="NaN"):
        infidelity(model, inputs, 0, inputs * torch.nan)
    with pytest.raises(ValueError, match="n_samples"):
        infidelity(model, inputs, 0, inputs, n_samples=0)
    with pytest.raises(ValueError, match="n_samples"):
        sensitivity_max(lambda x: x, inputs, n_samples=0)


def test_the_model_and_the_inputs_stay_as_they_were():
    model, inputs = small_network().train(), noise(2, 3, 9, 11)
    copy, maps = inputs.clone(), noise(2, 9, 11, seed=1)
    deletion(model, inputs, 0, maps)
    insertion(model, inputs, 0, maps)
    infidelity(model, inputs, 0, inputs)
    sensitivity_max(lambda x: saliency(model, x, 0), inputs)
    assert all(module.training for module in model.modules())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert torch.equal(inputs, copy)


def test_the_curve_is_taken_at_the_fractions_asked_for():
    model, inputs = small_network(), noise(2, 3, 16, 16)
    maps = noise(2, 16, 16, seed=1)
    for measure in (deletion, insertion):
        whole = measure(model, inputs, 1, maps, n_steps=4, substrate="blur")
        some = measure(model, inputs, 1, maps, substrate="blur", fractions=(0.25, 0.5, 0.75))
        assert torch.equal(some.fractions, whole.fractions) and torch.allclose(some.area, whole.area)
        one = measure(model, inputs, 1, maps, substrate="blur", fractions=[0.25])
        assert one.fractions.tolist() == [0, 0.25, 1]
        assert torch.allclose(one.probabilities, whole.probabilities[:, [0, 1, 4]])
        known = whole.probabilities[:, [0, -1]]
        again = measure(model, inputs, 1, maps, substrate="blur", fractions=[0.25], ends=known)
        assert torch.allclose(again.probabilities, one.probabilities)
        for wrong in ([0, 0.5], [0.5, 0.25], [1.0], [float("nan")]):
            with pytest.raises(ValueError, match="fractions must ascend"):
                measure(model, inputs, 1, maps, fractions=wrong)


def test_a_model_with_one_score_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 1)).double()
    with pytest.raises(ValueError, match="one score, so the softmax is 1"):
        deletion(model, noise(2, 3, 4, 4), 0, noise(2, 4, 4), n_steps=2)
