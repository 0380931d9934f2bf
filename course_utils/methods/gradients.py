"""Gradients as explanations: how the score of a class answers to each pixel.

All functions return `(N, C, H, W)`, one value a pixel and colour channel. Maps are signed unless the name or
the docstring says otherwise. Gradients are taken of the class score (logit), not of the softmax.

What is averaged over noise or steps is added up in float32 at least, and comes back so: a model in half
precision runs in half precision, but a sum of fifty of its gradients would lose its digits.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.methods.arguments import (
    check_count,
    check_generator,
    check_inputs,
    check_like,
    check_number,
    check_target,
    exact_dtype,
)
from course_utils.methods.hooks import counted, evaluation, fast_chunk, input_gradients, target_scores

_METHODS = ("gausslegendre", "riemann_middle", "riemann_left", "riemann_right", "riemann_trapezoid")


def saliency(model: nn.Module, inputs: Tensor, target: int | Tensor) -> Tensor:
    """Absolute gradient of the class score at each pixel (Simonyan et al. 2014, section 3).

    The paper shows one value a pixel, the largest over the colour channels: `saliency(…).amax(dim=1)`.

    Args:
        model: classifier with the scores `(N, n_classes)`.
        inputs: pictures `(N, C, H, W)`, float, preprocessed; or vectors `(N, d)`.
        target: class index, or `(N,)` of them. A model with one score has target 0.

    Returns:
        `(N, C, H, W)` or `(N, d)`, ≥ 0, in units of the score per unit of input.

    Raises:
        ValueError: wrong shape, NaN, target out of range, or a model that lets no gradient through.
        TypeError: `inputs` is not a float tensor or `target` not an integer.
    """
    inputs = check_inputs(model, inputs, vectors=True)
    with evaluation(model):
        return input_gradients(model, inputs, check_target(target, inputs)).abs()


def input_x_gradient(model: nn.Module, inputs: Tensor, target: int | Tensor) -> Tensor:
    """Gradient times input, signed (Shrikumar et al. 2016). Exact for a linear model without bias.

    Args, Raises: as `saliency`. Returns `(N, C, H, W)` or `(N, d)` in units of the score.
    """
    inputs = check_inputs(model, inputs, vectors=True)
    with evaluation(model):
        return inputs * input_gradients(model, inputs, check_target(target, inputs))


def smooth_grad(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    n_samples: int = 50,
    noise_level: float = 0.15,
    *,
    generator: torch.Generator | None = None,
    chunk_size: int | None = None,
    progress: bool = False,
) -> Tensor:
    """SmoothGrad: the mean of the signed gradients at noisy copies of the picture.

    Smilkov et al. 2017, section 3. The noise is Gaussian with σ = noise_level × (max − min) of each
    picture. captum's `stdevs` is σ itself.

    Args:
        model, inputs, target: as for `saliency`.
        n_samples: noisy copies of each picture.
        noise_level: σ as a share of the picture's range; 0.1 … 0.2 in the paper.
        generator: source of the noise; None is a fresh one with seed 0: the same call, the same result.
        chunk_size: pictures in one forward pass; None chooses. It changes memory and time, not the noise.
        progress: show a progress bar.

    Returns:
        `(N, C, H, W)`, signed. Raises as `saliency`.
    """
    mean = 0
    for n, gradients in enumerate(
        _noisy_gradients(model, inputs, target, n_samples, noise_level, generator, chunk_size, progress),
        start=1,
    ):
        mean = mean + (gradients - mean) / n
    return mean


def var_grad(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    n_samples: int = 50,
    noise_level: float = 0.15,
    *,
    generator: torch.Generator | None = None,
    chunk_size: int | None = None,
    progress: bool = False,
) -> Tensor:
    """VarGrad: the variance of the gradients at noisy copies of the picture (Adebayo et al. 2018, appendix).

    The variance divides by `n_samples`, as captum's `NoiseTunnel(nt_type="vargrad")` does.

    Args, Raises: as `smooth_grad`. Returns `(N, C, H, W)`, ≥ 0.
    """
    mean, squares = 0, 0
    for n, gradients in enumerate(
        _noisy_gradients(model, inputs, target, n_samples, noise_level, generator, chunk_size, progress),
        start=1,
    ):
        # Welford's update: "mean of squares − square of mean" would lose its digits
        difference = gradients - mean
        mean = mean + difference / n
        squares = squares + difference * (gradients - mean)
    return squares / n_samples


def integrated_gradients(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    baselines: float | Tensor | None = None,
    n_steps: int = 50,
    method: str = "gausslegendre",
    return_convergence_delta: bool = False,
    *,
    chunk_size: int | None = None,
    progress: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Integrated gradients along the straight line from a baseline (Sundararajan et al. 2017, eq. 1).

    (x − x′) times the mean gradient on the way from x′ to x. The values add up to f(x) − f(x′): completeness.

    Args:
        model, inputs, target: as for `saliency`.
        baselines: x′, the picture that stands for "nothing": None is 0, a number, or a tensor that can be
            broadcast to `inputs`.
        n_steps: points on the line.
        method: rule for the integral: "gausslegendre", "riemann_middle", "riemann_left", "riemann_right" or
            "riemann_trapezoid" (the weights of each add up to 1; captum's trapezoid adds up to (n − 1)/n).
        return_convergence_delta: also return what is missing to completeness.
        chunk_size: pictures in one forward pass; None chooses.
        progress: show a progress bar.

    Returns:
        `(N, C, H, W)` or `(N, d)`, signed, in units of the score; with `return_convergence_delta` also the
        sum of the map − (f(x) − f(x′)), `(N,)`.

    Raises:
        ValueError, TypeError: as `saliency`; unknown method, too few steps, a baseline that does not fit.
    """
    inputs = check_inputs(model, inputs, vectors=True)
    targets = check_target(target, inputs)
    baselines = check_like(0.0 if baselines is None else baselines, inputs, "baselines")
    points, weights = integration_rule(method, n_steps)
    exact = exact_dtype(inputs.dtype)
    points = torch.tensor(points, device=inputs.device, dtype=inputs.dtype)
    weights = torch.tensor(weights, device=inputs.device, dtype=exact)

    total = torch.zeros_like(inputs, dtype=exact)
    chunk_size = fast_chunk(inputs, chunk_size)
    steps_at_once = max(1, chunk_size // len(inputs))
    steps = list(zip(points.split(steps_at_once), weights.split(steps_at_once), strict=True))
    with evaluation(model):
        for alphas, shares in counted(steps, len(steps), "integrated gradients", progress):
            path = baselines + alphas.view(-1, *[1] * inputs.ndim) * (inputs - baselines)  # (steps, N, …)
            gradients = input_gradients(model, path.flatten(0, 1), targets.repeat(len(alphas)), chunk_size)
            total += torch.einsum("s,s...->...", shares, gradients.view_as(path).to(exact))
        attributions = (inputs - baselines) * total
        if not return_convergence_delta:
            return attributions
        with torch.no_grad():
            gain = [
                target_scores(model, there, chunk) - target_scores(model, here, chunk)
                for there, here, chunk in zip(
                    *(v.split(chunk_size) for v in (inputs, baselines, targets)), strict=True
                )
            ]
    return attributions, attributions.flatten(1).sum(dim=1) - torch.cat(gain)


def integration_rule(method: str, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the points in 0 … 1 and their weights, which add up to 1, of a rule with `n_steps` points."""
    if method not in _METHODS:
        raise ValueError(f"unknown method {method!r}: choose one of {', '.join(_METHODS)}")
    n_steps = check_count(n_steps, "n_steps", at_least=2 if method == "riemann_trapezoid" else 1)
    if method == "gausslegendre":
        points, weights = np.polynomial.legendre.leggauss(n_steps)  # for −1 … 1
        return (points + 1) / 2, weights / 2
    if method == "riemann_trapezoid":
        weights = np.full(n_steps, 1 / (n_steps - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, n_steps), weights
    shift = {"riemann_left": 0, "riemann_middle": 0.5, "riemann_right": 1}[method]
    return (np.arange(n_steps) + shift) / n_steps, np.full(n_steps, 1 / n_steps)


def _noisy_gradients(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    n_samples: int,
    noise_level: float,
    generator: torch.Generator | None,
    chunk_size: int | None,
    progress: bool,
) -> Iterator[Tensor]:
    """Go through the gradients `(N, C, H, W)` at one noisy copy of all pictures after the other."""
    inputs = check_inputs(model, inputs)
    targets = check_target(target, inputs)
    n_samples = check_count(n_samples, "n_samples")
    if check_number(noise_level, "noise_level") > 2:
        raise ValueError(f"noise_level is a share of the picture's range, 0.15 for 15 %, not {noise_level!r}")
    generator = check_generator(generator)
    exact = exact_dtype(inputs.dtype)
    sigma = noise_level * (
        inputs.amax(dim=(1, 2, 3), keepdim=True) - inputs.amin(dim=(1, 2, 3), keepdim=True)
    )
    chunk_size = fast_chunk(inputs, chunk_size)
    copies_at_once = max(1, chunk_size // len(inputs))

    def gradients() -> Iterator[Tensor]:
        for start in range(0, n_samples, copies_at_once):
            n_copies = min(copies_at_once, n_samples - start)
            # one draw a copy, so that the result does not depend on chunk_size
            noise = [
                torch.randn(inputs.shape, generator=generator, device=generator.device, dtype=exact)
                for _ in range(n_copies)
            ]
            noisy = inputs + sigma * torch.stack(noise).to(inputs)
            with evaluation(model):  # not across the yield: the caller must find its own mode in between
                found = input_gradients(model, noisy.flatten(0, 1), targets.repeat(n_copies), chunk_size)
            yield from found.view_as(noisy).to(exact)

    return counted(gradients(), n_samples, "noisy copies", progress)
