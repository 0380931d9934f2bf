"""Does the map say what the model uses? Change the picture where the map points, and watch the model."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_utils.methods.arguments import (
    check_count,
    check_finite,
    check_inputs,
    check_like,
    check_maps,
    check_number,
    check_pictures,
    check_range,
    check_target,
)
from course_utils.methods.blurring import gaussian_blur
from course_utils.methods.hooks import class_scores, evaluation, fast_chunk, fast_layout, target_scores


class Curves(NamedTuple):
    """Result of `deletion` and `insertion`."""

    fractions: Tensor  # (n_steps + 1,), share of the pixels that are changed, 0 … 1
    probabilities: Tensor  # (N, n_steps + 1), of the target class
    area: Tensor  # (N,), area under each curve (trapezoids), 0 … 1


def deletion(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    maps: Tensor,
    n_steps: int = 32,
    substrate: str | Tensor = "zero",
    *,
    fractions: Sequence[float] | None = None,
    ends: Tensor | None = None,
    chunk_size: int | None = None,
) -> Curves:
    """Delete pixels, the most important first: with a good map the class soon vanishes.

    Petsiuk et al. 2018 (RISE), section 4.1. Pixels that tie in the map go in a fixed random order, so a
    constant map is a random deletion. Rankings of methods can depend on the substrate: try more than one.

    Args:
        model: classifier with logits `(N, n_classes)`; the curve is the softmax of the target.
        inputs: pictures `(N, C, H, W)`, float, preprocessed.
        target: class index, or `(N,)` of them.
        maps: `(N, H, W)` float.
        n_steps: steps from the whole picture to none of it.
        substrate: what deleted pixels become: "zero" (in preprocessed units, so usually mid-grey), "blur"
            (see `blur`), or a tensor that can be broadcast to `inputs`.
        fractions: of the pixels, ascending: take the curve there, besides 0 and 1, instead of at `n_steps`
            even steps.
        ends: `(N, 2)`, the probabilities at the start and at the end where they are known: they are the same
            for every map.
        chunk_size: pictures in one forward pass; None chooses.

    Returns:
        `Curves`: `fractions`, `probabilities` and `area` (lower is better).

    Raises:
        ValueError: wrong shape, NaN, target out of range, unknown substrate, a model with one score.
        TypeError: `inputs` or `maps` are not float tensors or `target` not an integer.
    """
    inputs = check_inputs(model, inputs)
    return _curves(
        model, inputs, _substrate(substrate, inputs), target, maps, n_steps, fractions, ends, chunk_size
    )


def insertion(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    maps: Tensor,
    n_steps: int = 32,
    substrate: str | Tensor = "blur",
    *,
    fractions: Sequence[float] | None = None,
    ends: Tensor | None = None,
    chunk_size: int | None = None,
) -> Curves:
    """Insert pixels into the substrate, the most important first (Petsiuk et al. 2018, section 4.1).

    Args, Raises: as `deletion`. Returns `Curves`; a larger `area` is better.
    """
    inputs = check_inputs(model, inputs)
    return _curves(
        model, _substrate(substrate, inputs), inputs, target, maps, n_steps, fractions, ends, chunk_size
    )


def blur(inputs: Tensor, sigma: float | None = None) -> Tensor:
    """Blur pictures `(N, C, H, W)` with a Gaussian of σ pixels; None is 1/16 of the shorter side."""
    check_pictures(inputs)
    sigma = min(inputs.shape[2:]) / 16 if sigma is None else check_number(sigma, "sigma")
    return gaussian_blur(inputs, sigma)


def infidelity(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    attributions: Tensor,
    n_samples: int = 50,
    noise_level: float = 0.15,
    *,
    perturbations: Tensor | None = None,
    normalize: bool = False,
    generator: torch.Generator | None = None,
    chunk_size: int | None = None,
) -> Tensor:
    """Mean square of what the map predicts minus what the score does (Yeh et al. 2019, definition 2.1).

    For a perturbation I the map Φ predicts that the score falls by I·Φ; it falls by f(x) − f(x − I).

    Args:
        model, inputs, target: as for `deletion`, but the class score itself is used, not the softmax.
        attributions: Φ, `(N, C, H, W)`, one value a pixel and colour channel.
        n_samples: perturbations of each picture.
        noise_level: Gaussian noise with σ = noise_level × (max − min) of each picture.
        perturbations: take these instead, `(n_samples, N, C, H, W)`.
        normalize: first scale Φ by the factor that fits best, so that its units do not matter.
        generator: source of the noise; None is a fresh one with seed 0.
        chunk_size: pictures in one forward pass; None chooses.

    Returns:
        `(N,)`, ≥ 0, in squared units of the score; 0 is best. Raises as `deletion`.
    """
    inputs = check_inputs(model, inputs)
    targets = check_target(target, inputs)
    check_number(noise_level, "noise_level")
    if perturbations is None:
        check_count(n_samples, "n_samples")
    attributions = check_like(attributions, inputs, "attributions")
    if perturbations is None:
        sigma = noise_level * (inputs.amax(dim=(1, 2, 3)) - inputs.amin(dim=(1, 2, 3))).view(-1, 1, 1, 1)
        perturbations = (sigma * noise for noise in _draws(torch.randn, inputs, n_samples, generator))
    predicted, observed = [], []
    with evaluation(model), torch.no_grad():
        inputs = inputs.contiguous(memory_format=fast_layout(model, inputs))
        full = _scores(model, inputs, targets, chunk_size)
        for perturbation in perturbations:
            perturbation = check_like(perturbation, inputs, "each perturbation")
            predicted.append((perturbation * attributions).sum(dim=(1, 2, 3)))
            observed.append(full - _scores(model, inputs - perturbation, targets, chunk_size))
    if not predicted:
        raise ValueError("n_samples must be a whole number ≥ 1: there was no perturbation")
    predicted, observed = torch.stack(predicted), torch.stack(observed)
    if normalize:
        power = (predicted**2).sum(dim=0)
        predicted = predicted * torch.where(power > 0, (predicted * observed).sum(dim=0) / power, 1)
    return ((predicted - observed) ** 2).mean(dim=0)


def sensitivity_max(
    explain: Callable[[Tensor], Tensor],
    inputs: Tensor,
    radius: float = 0.02,
    n_samples: int = 10,
    *,
    perturbations: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Largest change of the map when the picture changes a little (Yeh et al. 2019, definition 3.1).

    Norm of (map of the changed picture − map), divided by the norm of the map, largest over the samples.

    Args:
        explain: the method as a function of the pictures alone, e.g. `lambda x: saliency(model, x, target)`.
        inputs: pictures `(N, C, H, W)`, float, preprocessed.
        radius: each pixel changes by at most this much, in units of the input.
        n_samples: changed copies of each picture.
        perturbations: add these instead of random ones, `(n_samples, N, C, H, W)`.
        generator: source of the changes; None is a fresh one with seed 0.

    Returns:
        `(N,)`, ≥ 0; 0 is a map that does not move. A map of zeros is divided by 1.

    Raises:
        ValueError: wrong shape, NaN, no samples, or `explain` returns no map for each picture.
        TypeError: `inputs` are no float tensor.
    """
    check_pictures(inputs)
    inputs = inputs.detach()
    check_number(radius, "radius")
    if perturbations is None:
        check_count(n_samples, "n_samples")
        perturbations = (radius * (2 * draw - 1) for draw in _draws(torch.rand, inputs, n_samples, generator))
    reference = explain(inputs)
    if not isinstance(reference, Tensor) or len(reference) != len(inputs):
        found = tuple(reference.shape) if isinstance(reference, Tensor) else type(reference).__name__
        raise ValueError(
            f"explain must return a tensor with a map for each of {len(inputs)} pictures, not {found}"
        )
    reference = check_finite(reference.detach().flatten(1), "the maps that explain returned")
    norm = reference.norm(dim=1)
    norm = torch.where(norm > 0, norm, 1)
    changes = [
        (explain(inputs + check_like(p, inputs, "each perturbation")).detach().flatten(1) - reference).norm(
            dim=1
        )
        / norm
        for p in perturbations
    ]
    if not changes:
        raise ValueError("n_samples must be a whole number ≥ 1: there was no perturbation")
    return torch.stack(changes).amax(dim=0)


def _curves(
    model: nn.Module,
    start: Tensor,
    end: Tensor,
    target: int | Tensor,
    maps: Tensor,
    n_steps: int,
    fractions: Sequence[float] | None,
    ends: Tensor | None,
    chunk_size: int | None,
) -> Curves:
    """Go from `start` to `end`, the most important pixels first."""
    targets = check_target(target, start)
    if chunk_size is not None:
        check_count(chunk_size, "chunk_size")
    if ends is not None and tuple(ends.shape) != (len(start), 2):
        raise ValueError(f"ends must have the shape {(len(start), 2)}, not {tuple(ends.shape)}")
    n, n_pixels = len(start), start.shape[2] * start.shape[3]
    counts = _counts(n_steps, fractions, n_pixels).to(start.device)
    ranks = _ranks(maps, start)
    shares = counts / n_pixels
    if ends is not None:
        counts = counts[1:-1]
    probabilities = []
    chunk_size = fast_chunk(start, chunk_size)
    with evaluation(model), torch.no_grad():
        layout = fast_layout(model, start)
        start, end = (pictures.contiguous(memory_format=layout) for pictures in (start, end))
        for index in torch.arange(n * len(counts), device=start.device).split(chunk_size):
            picture, step = index // len(counts), index % len(counts)
            changed = (ranks[picture] < counts[step].view(-1, 1, 1))[:, None]
            scores = class_scores(model, torch.where(changed, end[picture], start[picture]))
            chances = class_probabilities(scores)
            check_range(targets, scores.shape[1])
            probabilities.append(chances.gather(1, targets[picture, None])[:, 0])
    probabilities = torch.cat(probabilities).view(n, len(counts))
    if ends is not None:
        probabilities = torch.cat([ends[:, :1], probabilities, ends[:, 1:]], dim=1)
    fractions = shares.to(probabilities)
    return Curves(fractions, probabilities, torch.trapezoid(probabilities, fractions))


def class_probabilities(scores: Tensor) -> Tensor:
    """The softmax of scores `(N, n_classes)`; one score is refused: its softmax is 1 for any picture."""
    if scores.shape[1] == 1:
        raise ValueError(
            "the model has one score, so the softmax is 1 for any picture: make two classes of it, "
            "torch.cat([torch.zeros_like(scores), scores], dim=1)"
        )
    return scores.softmax(dim=1)


def _counts(n_steps: int, fractions: Sequence[float] | None, n_pixels: int) -> Tensor:
    """How many pixels are changed at each point of the curve, from none to all."""
    if fractions is None:
        n_steps = check_count(n_steps, "n_steps", at_most=n_pixels)
        shares = torch.linspace(0, 1, n_steps + 1, dtype=torch.float64)
    else:
        shares = torch.tensor([0, *fractions, 1], dtype=torch.float64)
        if not (shares.diff() > 0).all():
            raise ValueError(f"fractions must ascend between 0 and 1, both left out, not {list(fractions)}")
    return (shares * n_pixels).round().long()


def _ranks(maps: Tensor, inputs: Tensor) -> Tensor:
    """Return each pixel's place in the order of importance, `(N, H, W)`, 0 for the most important."""
    shape = (len(inputs), *inputs.shape[2:])
    maps = check_maps(maps, shape=shape).to(inputs.device).flatten(1)
    shuffled = torch.randperm(maps.shape[1], generator=torch.Generator().manual_seed(0)).to(maps.device)
    order = shuffled[maps[:, shuffled].argsort(dim=1, descending=True, stable=True)]
    return order.argsort(dim=1).view(shape)


def _substrate(substrate: str | Tensor, inputs: Tensor) -> Tensor:
    if isinstance(substrate, Tensor):
        return check_like(substrate, inputs, "substrate")
    if substrate == "zero":
        return torch.zeros_like(inputs)
    if substrate == "blur":
        return blur(inputs)
    raise ValueError(f'substrate must be "zero", "blur" or a tensor, not {substrate!r}')


def _draws(
    draw: Callable[..., Tensor], inputs: Tensor, n_samples: int, generator: torch.Generator | None
) -> Iterator[Tensor]:
    """Yield random numbers in the shape of `inputs`, `n_samples` times."""
    generator = generator or torch.Generator().manual_seed(0)
    for _ in range(n_samples):
        yield draw(inputs.shape, generator=generator, device=generator.device, dtype=inputs.dtype).to(inputs)


def _scores(model: nn.Module, inputs: Tensor, targets: Tensor, chunk_size: int | None) -> Tensor:
    chunk_size = fast_chunk(inputs, chunk_size)
    chunks = zip(inputs.split(chunk_size), targets.split(chunk_size), strict=True)
    return torch.cat([target_scores(model, pictures, chunk) for pictures, chunk in chunks])
