"""Maps that know nothing of the model: what any explanation has to beat.

Each takes pictures `(N, C, H, W)` and returns maps `(N, H, W)` in 0 … 1.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.methods.arguments import check_pictures


def center(inputs: Tensor) -> Tensor:
    """A round blob in the middle: a Gaussian with σ = a quarter of the shorter side."""
    check_pictures(inputs)
    n, _, height, width = inputs.shape
    rows = torch.arange(height, dtype=inputs.dtype, device=inputs.device) - (height - 1) / 2
    columns = torch.arange(width, dtype=inputs.dtype, device=inputs.device) - (width - 1) / 2
    squares = rows[:, None] ** 2 + columns**2
    return torch.exp(-0.5 * squares / (min(height, width) / 4) ** 2).repeat(n, 1, 1)


def sobel(inputs: Tensor) -> Tensor:
    """Strength of the edges in the mean of the colour channels (Sobel filter), scaled to a maximum of 1."""
    check_pictures(inputs)
    grey = F.pad(inputs.detach().mean(dim=1), (1, 1, 1, 1), mode="replicate")
    # differences first, so that a flat place is exactly 0
    across = grey[:, :, 2:] - grey[:, :, :-2]
    across = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    down = grey[:, 2:] - grey[:, :-2]
    down = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    edges = torch.hypot(across, down)
    top = edges.amax(dim=(1, 2), keepdim=True)
    return edges / torch.where(top > 0, top, 1)


def random(inputs: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Uniform noise, one value a pixel; None as generator is a fresh one with seed 0."""
    check_pictures(inputs)
    generator = generator or torch.Generator().manual_seed(0)
    n, _, height, width = inputs.shape
    noise = torch.rand(n, height, width, generator=generator, device=generator.device, dtype=inputs.dtype)
    return noise.to(inputs.device)


def constant(inputs: Tensor) -> Tensor:
    """The same value everywhere: scores what the mask's share of the picture gives away for free."""
    check_pictures(inputs)
    return torch.ones_like(inputs[:, 0])
