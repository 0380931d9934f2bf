"""Gradient methods against captum with the same noise and rules, and against their axioms."""

import numpy as np
import pytest
import torch
from captum import attr as captum
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

from course_utils.methods.gradients import (
    input_x_gradient,
    integrated_gradients,
    integration_rule,
    saliency,
    smooth_grad,
    var_grad,
)

CASES = [
    (lambda: seeded(gap_network), (3, 3, 16, 16)),
    (lambda: seeded(gap_network, 1, 7, seed=1, inplace=True), (2, 1, 14, 22)),
    (lambda: seeded(pooling_network, 3, 2, seed=2), (2, 3, 33, 29)),
    (lambda: seeded(ResidualNetwork, seed=3), (2, 3, 9, 12)),
    (lambda: seeded(FunctionalNetwork, seed=4), (1, 3, 10, 8)),
]
METHODS = ["gausslegendre", "riemann_middle", "riemann_left", "riemann_right"]


def targets_for(inputs):
    return torch.arange(len(inputs)) % 4


def linear_model(*shape, classes=4):
    model = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), classes)))
    return model, model[1].weight.detach().view(classes, *shape)


@pytest.mark.parametrize(("build", "shape"), CASES)
def test_saliency_and_input_x_gradient_equal_captum(build, shape):
    model, inputs = build(), pictures(*shape)
    targets = targets_for(inputs)
    signed = captum.Saliency(model).attribute(inputs.clone(), targets, abs=False)
    assert largest(saliency(model, inputs, targets), signed.abs()) < 1e-14
    assert (signed < 0).any()
    theirs = captum.InputXGradient(model).attribute(inputs.clone(), targets)
    assert largest(input_x_gradient(model, inputs, targets), theirs.detach()) < 1e-14


def sigma_of(inputs, level):
    return level * (inputs.amax(dim=(1, 2, 3), keepdim=True) - inputs.amin(dim=(1, 2, 3), keepdim=True))


def noisy_gradients(model, inputs, targets, n_samples, level):
    """Signed gradients at the copies that our default generator makes, (n_samples, N, C, H, W)."""
    generator = torch.Generator().manual_seed(0)
    return torch.stack(
        [
            captum.Saliency(model).attribute(
                inputs + sigma_of(inputs, level) * torch.randn(inputs.shape, generator=generator).double(),
                targets,
                abs=False,
            )
            for _ in range(n_samples)
        ]
    )


@pytest.mark.parametrize(("kind", "ours"), [("smoothgrad", smooth_grad), ("vargrad", var_grad)])
@pytest.mark.parametrize(("build", "shape"), CASES[:4])
def test_smooth_grad_and_var_grad_equal_captum_with_the_same_noise(build, shape, kind, ours, monkeypatch):
    model, inputs = build(), pictures(*shape)
    targets = targets_for(inputs)
    generator = torch.Generator().manual_seed(0)
    draws = [torch.randn(inputs.shape, generator=generator, dtype=inputs.dtype) for _ in range(7)]
    noise = sigma_of(inputs, 0.15) * torch.stack(draws)
    # captum repeats each picture seven times in a row and asks torch.normal for all the noise at once
    monkeypatch.setattr(torch, "normal", lambda *args: noise.transpose(0, 1).flatten(0, 1))
    tunnel = captum.NoiseTunnel(captum.Saliency(model))
    theirs = tunnel.attribute(
        inputs.clone(), nt_type=kind, nt_samples=7, stdevs=1.0, target=targets, abs=False
    )
    assert largest(ours(model, inputs, targets, n_samples=7), theirs) < 1e-12
    assert theirs.abs().max() > 1e-6


def test_captum_averages_absolute_gradients_unless_told_otherwise(monkeypatch):
    model, inputs = seeded(pooling_network, 3, 2), pictures(1, 3, 33, 29)
    noise = torch.randn(5, 3, 33, 29, generator=torch.Generator().manual_seed(1)).double()
    monkeypatch.setattr(torch, "normal", lambda *args: noise)
    theirs = captum.NoiseTunnel(captum.Saliency(model)).attribute(inputs.clone(), nt_samples=5, target=0)
    assert (theirs >= 0).all()
    assert (smooth_grad(model, inputs, 0, n_samples=5) < 0).any()


def test_the_noise_is_a_share_of_each_pictures_own_range():
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append(x.detach())
            return x.mean(dim=(2, 3))

    inputs = torch.stack([pictures(3, 40, 40), 100 * pictures(3, 40, 40, seed=1)])
    smooth_grad(Spy(), inputs, 0, n_samples=20, noise_level=0.3)
    noise = torch.cat(seen).view(-1, *inputs.shape) - inputs
    assert noise.shape[0] == 20
    spread = noise.transpose(0, 1).flatten(1).std(dim=1)
    assert torch.allclose(spread, sigma_of(inputs, 0.3).flatten(), rtol=0.02)


@pytest.mark.parametrize("method", [smooth_grad, var_grad])
def test_random_methods_repeat_and_do_not_depend_on_the_chunks(method):
    model, inputs = seeded(gap_network), pictures(3, 3, 16, 16)
    first = method(model, inputs, 1, n_samples=9)
    torch.manual_seed(99)
    assert torch.equal(method(model, inputs, 1, n_samples=9), first)
    assert largest(method(model, inputs, 1, n_samples=9, chunk_size=2), first) < 1e-12
    other = method(model, inputs, 1, n_samples=9, generator=torch.Generator().manual_seed(5))
    assert largest(other, first) > 0.01 * first.abs().max()
    state = torch.get_rng_state()
    method(model, inputs, 1, n_samples=2)
    assert torch.equal(torch.get_rng_state(), state), "the caller's random numbers are left alone"


def test_without_noise_smooth_grad_is_the_gradient_and_var_grad_zero():
    model, inputs = seeded(gap_network), pictures(2, 3, 16, 16)
    gradient = captum.Saliency(model).attribute(inputs.clone(), 2, abs=False)
    assert largest(smooth_grad(model, inputs, 2, n_samples=3, noise_level=0), gradient) < 1e-14
    assert var_grad(model, inputs, 2, n_samples=3, noise_level=0).abs().max() < 1e-20
    flat = torch.full((1, 3, 16, 16), 0.5).double()  # no range, so no noise
    assert var_grad(model, flat, 2, n_samples=3).abs().max() < 1e-20


def test_var_grad_is_the_variance_and_keeps_its_digits():
    model, inputs = seeded(gap_network), pictures(2, 3, 16, 16)
    draws = noisy_gradients(model.double(), inputs, 1, 6, 0.0)
    assert draws.var(dim=0, correction=0).max() < 1e-20

    class Steep(nn.Module):  # gradient 1000 + x: large mean, small variance
        def forward(self, x):
            return (1000 * x + x**2 / 2).sum(dim=(2, 3))

    noise_generator = torch.Generator().manual_seed(0)
    inputs = torch.tensor([[[[0.0, 0.01]]]])
    copies = [inputs + 0.01 * torch.randn(inputs.shape, generator=noise_generator) for _ in range(50)]
    expected = torch.stack(copies).double().var(dim=0, correction=0)
    ours = var_grad(Steep().double(), inputs.double(), 0, noise_level=1.0)
    assert ours.shape == expected.shape
    ours = var_grad(Steep(), inputs, 0, noise_level=1.0).double()
    assert torch.allclose(ours, expected, rtol=0.05)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("build", "shape"), CASES)
def test_integrated_gradients_equal_captum(build, shape, method):
    model, inputs = build(), pictures(*shape)
    targets = targets_for(inputs)
    for baselines in (None, 0.3, pictures(*shape, seed=9)):
        theirs, delta = captum.IntegratedGradients(model).attribute(
            inputs.clone(), baselines, targets, n_steps=11, method=method, return_convergence_delta=True
        )
        ours, our_delta = integrated_gradients(
            model, inputs, targets, baselines, 11, method, return_convergence_delta=True
        )
        # captum rounds its points and weights to single precision
        assert largest(ours, theirs.detach()) < 1e-8
        assert largest(our_delta, delta) < 1e-7


@pytest.mark.parametrize("chunk_size", [1, 4, 1000])
def test_integrated_gradients_do_not_depend_on_the_chunks(chunk_size):
    model, inputs = seeded(gap_network), pictures(3, 3, 12, 12)
    full = integrated_gradients(model, inputs, targets_for(inputs), 0.1, n_steps=7)
    parts = integrated_gradients(model, inputs, targets_for(inputs), 0.1, n_steps=7, chunk_size=chunk_size)
    assert largest(full, parts) < 1e-12


def test_every_rule_has_weights_that_add_up_to_one():
    for method in (*METHODS, "riemann_trapezoid"):
        for n_steps in (2, 3, 10, 51):
            points, weights = integration_rule(method, n_steps)
            assert abs(weights.sum() - 1) < 1e-12
            assert len(points) == n_steps and (points >= 0).all() and (points <= 1).all()
        exact = method not in ("riemann_left", "riemann_right")
        assert (abs((points * weights).sum() - 0.5) < 1e-12) == exact, "the integral of a straight line"


def test_the_trapezoid_is_exact_on_a_linear_model_where_captum_loses_a_tenth():
    model, weights = linear_model(3, 4, 5)
    inputs = pictures(2, 3, 4, 5)
    exact = weights[1] * inputs
    ours = integrated_gradients(model, inputs, 1, n_steps=10, method="riemann_trapezoid")
    theirs = captum.IntegratedGradients(model).attribute(
        inputs.clone(), target=1, n_steps=10, method="riemann_trapezoid"
    )
    assert largest(ours, exact) < 1e-12
    assert largest(theirs, 0.9 * exact) < 1e-7


def test_integrated_gradients_are_complete_on_relu_networks():
    model, inputs = seeded(gap_network), pictures(2, 3, 8, 8)
    baseline = pictures(2, 3, 8, 8, seed=5)
    with torch.no_grad():
        gain = (model(inputs) - model(baseline))[:, 3]
    maps, delta = integrated_gradients(
        model, inputs, 3, baseline, 1000, "riemann_middle", return_convergence_delta=True
    )
    assert largest(maps.sum(dim=(1, 2, 3)), gain) < 0.01 * gain.abs().max()
    assert largest(delta, maps.sum(dim=(1, 2, 3)) - gain) < 1e-12
    coarse = integrated_gradients(
        model, inputs, 3, baseline, 5, "riemann_left", return_convergence_delta=True
    )[1]
    assert coarse.abs().max() > 10 * delta.abs().max()


def test_integrated_gradients_are_exact_on_a_polynomial():
    class Cubic(nn.Module):
        def forward(self, x):
            return (x**3).sum(dim=(2, 3))

    inputs = pictures(2, 3, 4, 4)
    maps = integrated_gradients(Cubic(), inputs, torch.tensor([0, 2]), n_steps=2)  # exact up to degree 3
    expected = torch.zeros_like(inputs)
    expected[0, 0], expected[1, 2] = inputs[0, 0] ** 3, inputs[1, 2] ** 3
    assert largest(maps, expected) < 1e-12


def test_two_networks_that_compute_the_same_get_the_same_maps():
    # implementation invariance: hidden units doubled, their outgoing weights halved
    inputs = pictures(2, 3, 5, 5)
    model = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(75, 6), nn.ReLU(), nn.Linear(6, 4)))
    twin = nn.Sequential(nn.Flatten(), nn.Linear(75, 12), nn.ReLU(), nn.Linear(12, 4)).double()
    with torch.no_grad():
        twin[1].weight.copy_(model[1].weight.repeat(2, 1))
        twin[1].bias.copy_(model[1].bias.repeat(2))
        twin[3].weight.copy_(model[3].weight.repeat(1, 2) / 2)
        twin[3].bias.copy_(model[3].bias)
    for method in (saliency, input_x_gradient, smooth_grad, integrated_gradients):
        assert largest(method(model, inputs, 1), method(twin, inputs, 1)) < 1e-12


def test_input_x_gradient_and_integrated_gradients_are_exact_on_a_linear_model():
    model, weights = linear_model(3, 4, 5)
    inputs, targets = pictures(3, 3, 4, 5), torch.tensor([3, 0, 2])
    assert largest(saliency(model, inputs, targets), weights[targets].abs()) < 1e-15
    assert largest(input_x_gradient(model, inputs, targets), weights[targets] * inputs) < 1e-14
    moved = integrated_gradients(model, inputs, targets, baselines=2.0, n_steps=1)
    assert largest(moved, weights[targets] * (inputs - 2)) < 1e-12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "simpson"}, "unknown method 'simpson'"),
        ({"n_steps": 0}, "n_steps"),
        ({"n_steps": 1, "method": "riemann_trapezoid"}, "n_steps must be a whole number ≥ 2"),
        ({"n_steps": 2.5}, "n_steps"),
        ({"baselines": torch.zeros(2, 3, 5, 5)}, "must fit inputs"),
        ({"baselines": float("nan")}, "baselines contain NaN"),
    ],
)
def test_integrated_gradients_refuse_what_makes_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        integrated_gradients(seeded(gap_network), pictures(2, 3, 16, 16), 0, **options)


@pytest.mark.parametrize("options", [{"n_samples": 0}, {"noise_level": -1.0}, {"noise_level": float("nan")}])
@pytest.mark.parametrize("method", [smooth_grad, var_grad])
def test_noise_options_are_checked(method, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        method(seeded(gap_network), pictures(2, 3, 16, 16), 0, **options)
