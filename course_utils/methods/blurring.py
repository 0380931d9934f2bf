"""Gaussian blur of pictures."""

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.methods.arguments import check_maps, check_number


def gaussian_blur(pictures: Tensor, sigma: float, *, padding: str = "replicate") -> Tensor:
    """Blur pictures `(N, C, H, W)` with a Gaussian of σ pixels, cut off at 3 σ.

    Args:
        pictures: float; gradients flow through.
        sigma: > 0, in pixels.
        padding: what lies beyond the border: "replicate" repeats the last pixel, "reflect" mirrors (and cuts
            the Gaussian off where the picture ends).

    Raises:
        ValueError: sigma not above 0, another padding, wrong shape, NaN.
        TypeError: pictures are not a float tensor.
    """
    if not 0 < check_number(sigma, "sigma"):
        raise ValueError("sigma must be a number > 0, not 0: leave the blur out")
    if padding not in ("replicate", "reflect"):
        raise ValueError(f'padding must be "replicate" or "reflect", not {padding!r}')
    check_maps(pictures, dims=(4,), form="(N, C, H, W)", name="pictures")
    radius = max(1, round(3 * sigma))
    if padding == "reflect":
        radius = min(radius, *(side - 1 for side in pictures.shape[2:]))
    steps = torch.arange(-radius, radius + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(pictures.shape[1], 1, -1)
    padded = F.pad(pictures, (radius,) * 4, mode=padding)
    down = F.conv2d(padded, kernel[..., None], groups=pictures.shape[1])
    return F.conv2d(down, kernel[:, :, None], groups=pictures.shape[1])
