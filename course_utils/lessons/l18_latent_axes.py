"""What lesson 18 uses: a world of two planted factors, autoencoders trained side by side, drawings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.distributions import Normal
from tqdm.auto import tqdm

from course_utils.methods.arguments import check_count, check_number
from course_utils.methods.latent import kl_to_standard_normal, mutual_information_gap
from course_utils.teach import plots

SIDE = 16  # of a picture, in pixels; the field runs from −1 to 1
BLOB = 0.35  # standard deviation of the blob
PIXEL_VARIANCE = 0.02  # σ² of a pixel: by how much a reconstruction may be off
HIDDEN = 64
BATCH = 64  # new pictures a step
LABEL_WEIGHT = 20.0
WORLDS = ("square", "round", "diamond")

Draw = Callable[[int, torch.Generator], Tensor]


class Machine(NamedTuple):
    """An autoencoder: pictures (N, d) to (N, 2k), means and log-variances; codes (N, k) to pictures."""

    encoder: nn.Sequential
    decoder: nn.Sequential


# --- the world --------------------------------------------------------------------------------------------


def places(n: int, world: str, generator: torch.Generator) -> Tensor:
    """Where the blob is, x and y, (n, 2). Both factors are independent in "square" and in "round".

    "square": uniform from −0.6 to 0.6. "round": normal with σ = 0.3. "diamond": the square, turned by 45°.
    """
    if world == "round":
        return 0.3 * torch.randn(n, 2, generator=generator)
    square = 0.6 * (2 * torch.rand(n, 2, generator=generator) - 1)
    if world == "square":
        return square
    if world == "diamond":
        return square @ turn(45)
    raise ValueError(f"choose one of the worlds {', '.join(WORLDS)}, not {world!r}")


def blobs(where: Tensor) -> Tensor:
    """Pictures of a soft blob at the places (n, 2): (n, 256), pixels from 0 to 1; y grows downwards."""
    line = torch.linspace(-1, 1, SIDE)
    across, down = (torch.exp(-((line - where[:, [j]]) ** 2) / (2 * BLOB**2)) for j in (0, 1))
    return (down[:, :, None] * across[:, None, :]).flatten(1)


def draw_from(world: str) -> Draw:
    """A function that draws n new pictures of a world."""
    places(1, world, torch.Generator())  # an unknown world is refused here
    return lambda n, generator: blobs(places(n, world, generator))


def turn(degrees: float) -> Tensor:
    """The matrix that turns the plane, (2, 2)."""
    t = math.radians(degrees)
    return torch.tensor([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]])


def fixed(world: str, n: int = 8000, seed: int = 99) -> tuple[Tensor, Tensor]:
    """Pictures that all machines are judged on, (n, 256), and the places of their blobs, (n, 2)."""
    where = places(n, world, torch.Generator().manual_seed(seed))
    return blobs(where), where


def labelled(world: str, n: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    """n pictures, and the means that they shall get: their places in units of the standard deviation."""
    pictures, where = fixed(world, n, seed)
    return pictures, where / (0.3 if world == "round" else 0.6 / math.sqrt(3))


# --- many machines at once --------------------------------------------------------------------------------


def train(
    draw: Draw,
    seeds: Sequence[int],
    *,
    betas: float | Sequence[float] = 4.0,
    n_latents: int = 2,
    labels: tuple[Tensor, Tensor] | None = None,
    n_steps: int = 2000,
    data_seed: int = 0,
) -> list[Machine]:
    """Train autoencoders side by side: mean distortion + β · rate, 64 new pictures a step.

    All get the same pictures and the same noise, so each becomes what it would become alone.

    Args:
        draw: n and a generator to pictures (n, d).
        seeds: of the first weights, one a machine.
        betas: one for all, or one a machine; 0: a plain autoencoder, whose code has no noise and no price.
        n_latents: numbers k in a code.
        labels: pictures and the means that they shall get; adds 20 times the mean squared error.
        n_steps: steps of Adam with a rate that rises to 0.008 and falls again.
        data_seed: of pictures and noise.

    Raises:
        ValueError: no seed, a β below 0 or not one for each machine, no latent, fewer than two steps.
    """
    seeds, beta = [check_count(seed, "a seed", 0) for seed in seeds], np.ravel(betas).tolist()
    if not seeds or len(beta) not in (1, len(seeds)):
        raise ValueError(f"seeds must hold one or more, and betas one or {len(seeds)}, not {betas!r}")
    beta = torch.tensor([check_number(b, "β") for b in beta]).float().expand(len(seeds))
    check_count(n_latents, "n_latents")
    check_count(n_steps, "n_steps", at_least=2)
    generator = torch.Generator().manual_seed(data_seed)
    n_pixels = draw(1, torch.Generator()).shape[1]
    sizes = [n_pixels, HIDDEN, HIDDEN, 2 * n_latents], [n_latents, HIDDEN, HIDDEN, n_pixels]
    enc, dec = (_first_weights(seeds, size, part) for part, size in enumerate(sizes))
    noisy = (beta > 0).float()[:, None, None]
    optimiser = torch.optim.Adam([*enc, *dec], fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.008, total_steps=n_steps)
    for _ in tqdm(range(n_steps), desc=f"{len(seeds)} machines", leave=False):
        pictures = draw(BATCH, generator)
        mean, log_variance = _through(enc, pictures).chunk(2, dim=2)
        noise = torch.randn(mean.shape[1:], generator=generator)
        code = mean + noisy * noise * (0.5 * log_variance).exp()
        distortion = (_through(dec, code) - pictures).square().sum(2) / (2 * PIXEL_VARIANCE)
        rate = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(2)
        loss = (distortion.mean(1) + beta * rate.mean(1)).sum()
        if labels is not None:
            told = _through(enc, labels[0])[:, :, :n_latents]
            loss = loss + LABEL_WEIGHT * (told - labels[1]).square().mean((1, 2)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return [Machine(_network(enc, i), _network(dec, i)) for i in range(len(seeds))]


@cache
def nine(world: str) -> list[Machine]:
    """Nine machines of a world, seeds 0 to 8, β = 4; trained at the first call."""
    return train(draw_from(world), range(9))


def _first_weights(seeds: Sequence[int], sizes: Sequence[int], part: int) -> list[Tensor]:
    """Stacks of weights (machines, in, out) and biases (machines, 1, out), for each layer."""
    generators = [torch.Generator().manual_seed(2 * seed + part) for seed in seeds]
    stacks = []
    for n_in, n_out in pairwise(sizes):
        weights = [(2 * torch.rand(n_in, n_out, generator=g) - 1) / math.sqrt(n_in) for g in generators]
        stacks += [torch.stack(weights), torch.zeros(len(seeds), 1, n_out)]
    return [stack.requires_grad_() for stack in stacks]


def _through(stacks: list[Tensor], inputs: Tensor) -> Tensor:
    """The outputs of all machines, (machines, n, out), for inputs that they share or one set each."""
    a = inputs.expand(len(stacks[0]), *inputs.shape[-2:])
    for weight, bias in zip(stacks[:-2:2], stacks[1:-2:2], strict=True):
        a = torch.tanh(torch.baddbmm(bias, a, weight))
    return torch.baddbmm(stacks[-1], a, stacks[-2])


def _network(stacks: list[Tensor], i: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for weight, bias in zip(stacks[::2], stacks[1::2], strict=True):
        layer = nn.Linear(weight.shape[1], weight.shape[2])
        layer.load_state_dict({"weight": weight[i].detach().T, "bias": bias[i, 0].detach()})
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1]).requires_grad_(False).eval()


# --- measures ---------------------------------------------------------------------------------------------


def encode(machine: Machine, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Means and log-variances of the codes, (N, k) each."""
    return machine.encoder(pictures).chunk(2, dim=1)


def costs(machine: Machine, pictures: Tensor, *, n_draws: int = 4, noisy: bool = True) -> tuple[float, float]:
    """Mean rate and distortion, in nats, the second over several draws of the noise."""
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = encode(machine, pictures)
    distortion = 0.0
    for _ in range(n_draws):
        noise = torch.randn(mean.shape, generator=generator) * (0.5 * log_variance).exp()
        seen = machine.decoder(mean + noise * noisy)
        distortion += (seen - pictures).square().sum(1).mean().item() / (2 * PIXEL_VARIANCE) / n_draws
    return kl_to_standard_normal(mean, log_variance).sum(1).mean().item(), distortion


def gap(machine: Machine, pictures: Tensor, where: Tensor) -> float:
    """The mutual information gap of x and y, their mean."""
    return float(mutual_information_gap(encode(machine, pictures)[0].numpy(), where.numpy()).mean())


def angle(machine: Machine, pictures: Tensor, where: Tensor) -> float:
    """By how many degrees the two latents are turned against x and y, to the nearest axis: 0 to 45."""
    rows = torch.cat([where, torch.ones(len(where), 1)], dim=1)
    (a, b), (c, d) = torch.linalg.lstsq(rows, encode(machine, pictures)[0]).solution[:2].tolist()
    turned = math.atan2(b - c, a + d) if a * d > b * c else math.atan2(b + c, a - d)
    degrees = math.degrees(turned) % 90
    return min(degrees, 90 - degrees)


def best_turn(codes: Tensor, targets: Tensor) -> Tensor:
    """The turn or mirror image Q, (k, k), with codes @ Q nearest to the targets, (n, k) both."""
    u, _, vt = torch.linalg.svd(codes.T @ targets)
    return u @ vt


def same_information(machine: Machine, other: Machine, pictures: Tensor) -> tuple[float, float]:
    """How well the other machine's latents can be told from this one's: mean r² by the best one, and by all.

    Only latents that are in use count (rate above 0.1 nats).
    """
    mean = encode(machine, pictures)[0].double()
    target, log_variance = (part.double() for part in encode(other, pictures))
    target = target[:, kl_to_standard_normal(target, log_variance).mean(dim=0) > 0.1]
    one = torch.corrcoef(torch.cat([mean, target], dim=1).T)[: mean.shape[1], mean.shape[1] :]
    rows = torch.cat([mean, torch.ones(len(mean), 1, dtype=torch.float64)], dim=1)
    left = (target - rows @ torch.linalg.lstsq(rows, target).solution).var(dim=0)
    return one.square().amax(dim=0).mean().item(), (1 - left / target.var(dim=0)).mean().item()


def nearest(pictures: Tensor, others: Tensor) -> Tensor:
    """The distance of each picture to the nearest of the others, (n,)."""
    return torch.cdist(pictures, others).amin(dim=1)


# --- drawings ---------------------------------------------------------------------------------------------


def world_grid(world: str, n: int = 7, reach: float = 1.0) -> Tensor:
    """Places on a grid of n × n, row after row, up to `reach` of the world's edge: (n * n, 2)."""
    line = reach * torch.linspace(-0.6, 0.6, n)
    grid = torch.cartesian_prod(line, line)
    return grid @ turn(45) if world == "diamond" else grid


def draw_grid(ax: Axes, codes: Tensor, title: str, *, n: int = 7) -> None:
    """Where the codes of `world_grid` lie: lines along which only x changes, and only y."""
    grid = codes.reshape(n, n, 2)
    for k in range(n):
        ax.plot(
            *grid[:, k].T, color=plots.COLOURS[0], linewidth=1.3, label="only x changes" if k == 0 else None
        )
        ax.plot(*grid[k].T, color=plots.COLOURS[1], linewidth=1.3, linestyle="--",
                label="only y changes" if k == 0 else None)  # fmt: skip
    ax.set_aspect("equal", adjustable="box")
    ax.set_title(title, loc="left", fontsize=10)
    ax.locator_params(nbins=4)


def draw_clouds(ax: Axes, machine: Machine, pictures: Tensor, title: str) -> None:
    """The cloud of each picture's code: an ellipse of two standard deviations around its mean."""
    mean, log_variance = encode(machine, pictures)
    for centre, spread in zip(mean.tolist(), (4 * (0.5 * log_variance).exp()).tolist(), strict=True):
        ax.add_patch(Ellipse(centre, *spread, facecolor=plots.ACCENT, alpha=0.45, edgecolor=plots.INK))
    reach = mean.abs().max().item() + 0.7
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="latent 1", ylabel="latent 2")
    ax.set_title(title, loc="left", fontsize=10)


def show_pictures(
    pictures: Tensor, titles: Sequence[str] | None, *, columns: int, title: str, width: float = 9.5
):
    """Square pictures (N, d) in a grid, in grey."""
    side = math.isqrt(pictures.shape[1])
    return plots.show_images(
        list(pictures.reshape(-1, side, side).numpy()), titles, columns=columns, title=title, width=width
    )


def knobs(machine: Machine, n: int = 7, reach: float = 1.5) -> Tensor:
    """What the decoder draws as one latent runs from −reach to reach, the other at 0: (2 n, d)."""
    line = torch.linspace(-reach, reach, n)
    return machine.decoder(torch.cat([torch.stack([line, 0 * line], 1), torch.stack([0 * line, line], 1)]))


# --- real digits ------------------------------------------------------------------------------------------


def digits() -> tuple[Tensor, np.ndarray]:
    """1,797 handwritten digits of 8 × 8 pixels, (n, 64) from 0 to 1, and their labels."""
    pictures, labels = load_digits(return_X_y=True)
    return torch.from_numpy(pictures / 16).float(), labels


def draw_rows(pictures: Tensor) -> Draw:
    """A function that draws n of these pictures, with repetition."""
    return lambda n, generator: pictures[torch.randint(len(pictures), (n,), generator=generator)]


# --- 18b: pairs whose information is known ----------------------------------------------------------------


def normal_pair(n: int, rho: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """n pairs of normal numbers with correlation rho, (n,) each."""
    a, noise = np.random.default_rng(seed).normal(size=(2, n))
    return a, rho * a + math.sqrt(1 - rho**2) * noise


def normal_vectors(n: int, rho: float, d: int) -> tuple[Tensor, Tensor]:
    """n pairs of normal vectors, (n, d) each, from torch's own generator."""
    a, noise = torch.randn(2, n, d)
    return a, rho * a + math.sqrt(1 - rho**2) * noise


def best_scores(a: Tensor, b: Tensor, rho: float) -> Tensor:
    """ln p(a, b) / (p(a) p(b)) of each a with each b, (n, n): the critic that no other beats."""
    prior, likelihood = Normal(0.0, 1.0), Normal(rho * a[:, None], math.sqrt(1 - rho**2))
    return (likelihood.log_prob(b[None]) - prior.log_prob(b[None])).sum(dim=2)


def progress(items: Iterable) -> Iterable:
    """The items with a progress bar."""
    return tqdm(items, leave=False)
