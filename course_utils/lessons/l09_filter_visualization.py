"""What lessons 09 and 09b share: grain, the careful ascent, digits, random weights, the generator."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor

from course_utils.labs.lab import Lab
from course_utils.methods.arguments import check_pictures
from course_utils.methods.filters import class_maximization
from course_utils.teach import plots

# the careful ascent: waves instead of pixels, and a picture that is moved before each look
CAREFUL = {
    "parametrization": "fourier",
    "learning_rate": 0.2,
    "jitter": 6,
    "scale": 0.1,
    "rotate": 8.0,
    "n_steps": 24,
}
DIGIT_PICTURES = {"shape": (1, 28, 28), "value_range": (0.0, 1.0)}  # one channel, 0 is paper and 1 is ink


def fine_share(pictures: Tensor) -> Tensor:
    """Share (N,) of the variance of pictures (N, C, S, S) that lies in waves shorter than four pixels."""
    check_pictures(pictures)
    if pictures.shape[2] != pictures.shape[3]:
        raise ValueError(f"pictures must be squares (N, C, S, S), not {tuple(pictures.shape)}")
    plain = (pictures == pictures[:, :, :1, :1]).flatten(1).all(dim=1)
    if plain.any():
        raise ValueError(f"picture {int(plain.nonzero()[0])} has one even colour: no variance to share")
    frequencies = torch.fft.fftfreq(pictures.shape[-1])
    short = torch.hypot(frequencies[:, None], frequencies[None]) > 0.25
    waves = torch.fft.fft2(pictures - pictures.mean(dim=(2, 3), keepdim=True))
    power = waves.abs().square().sum(dim=1)
    return (power[:, short].sum(dim=1) / power.sum(dim=(1, 2))).cpu()


def slopes_at(network: nn.Module, inputs: Tensor, layer: str, channel: int) -> Tensor:
    """The gradient, at each of the pictures (N, C, H, W), of the mean of a filter's map."""
    leaf = inputs.clone().requires_grad_()
    maps = create_feature_extractor(network, [layer])(leaf)[layer]
    return torch.autograd.grad(maps[:, channel].mean(dim=(1, 2)).sum(), leaf)[0]


def show_digits(lab: Lab, rows: Mapping[str, Tensor], alt: str) -> None:
    """Rows of ten pictures of digits (10, 1, 28, 28), a name at each row, ink on white."""
    _, axes = plots.grid(len(rows), 10, ratio=1.0)
    for row, (name, pictures) in zip(axes, rows.items(), strict=True):
        for ax, picture in zip(row, 255 - lab.to_images(pictures), strict=True):
            ax.imshow(picture)
        row[0].set_ylabel(name, fontsize=10, rotation=0, ha="right", va="center")
    for c, ax in enumerate(axes[0]):
        ax.set_title(str(c), fontsize=10)
    plots.show(alt)


def random_reader(reader: nn.Module, seed: int = 0) -> nn.Module:
    """A reader of digits with random weights, and with opinions: its last layer is multiplied by 200."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = type(reader)().to(next(reader.parameters()).device).eval()
    with torch.no_grad():
        network[-1].weight *= 200
    return network


def picture_options(lab: Lab, side: int = 128) -> dict[str, object]:
    """Options of an ascent in a lab: its black and white, and pictures of the shape (3, side, side)."""
    black, white = (lab.preprocess(np.full((1, side, side, 3), v, np.uint8))[0, :, :1, :1] for v in (0, 255))
    return {"value_range": (black, white), "shape": (3, side, side)}


def with_random_weights(lab: Lab, seed: int = 1) -> nn.Module:
    """The lab's network with fresh random weights; its batch norms are measured on the lab's pictures."""
    network = copy.deepcopy(lab.model)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for module in network.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0  # one batch is the whole measurement
        if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
            network.train()(lab.inputs)
    return network.eval()


def dream(network: nn.Module, decode: nn.Module, starts: int = 6, n_steps: int = 60) -> tuple[Tensor, Tensor]:
    """X* = G(z*) for the ten digits, by ascent in the generator's code z (Nguyen and others, 2016).

    Returns:
        The best start of each class by the score (10, 1, 28, 28), and all of them (10 · starts, 1, 28, 28).
    """
    seen = {}
    found = class_maximization(
        network,
        list(range(10)),
        objective="log_probability",
        generator=decode,
        code_l2=0.05,
        n_pictures=starts,
        n_steps=n_steps,
        learning_rate=0.1,
        value_range=(0.0, 1.0),
        on_step=lambda step, pictures, scores: seen.update(last=scores),
    )
    best = seen["last"].view(10, starts).argmax(dim=1)
    return found.view(10, starts, 1, 28, 28)[torch.arange(10), best], found
