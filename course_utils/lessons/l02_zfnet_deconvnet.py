"""What lesson 02 and its companions share: running to a layer, signals back, strongest places, drawings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.methods.deconvnet import deconvnet
from course_utils.teach import inside, plots

RELUS = ("relu1", "relu2", "relu3", "relu4", "relu5")


def run_to(model: nn.Sequential, x: Tensor, layer: str) -> Tensor:
    """The output of a layer, by its name."""
    for name, module in model.named_children():
        x = module(x)
        if name == layer:
            return x
    raise ValueError(f"the model has no layer {layer!r}")


def magnitude(maps: Tensor) -> Tensor:
    """Signed maps (N, 3, H, W) as one size a pixel: the largest absolute value of the three colours."""
    return maps.abs().amax(dim=1)


def scatter_unpool(signal: Tensor, switches: Tensor, size: tuple[int, int]) -> Tensor:
    """Unpooling that adds: the solution of the core's exercise, in maps of `size` = (H, W)."""
    flat = signal.new_zeros(*signal.shape[:2], size[0] * size[1])
    return flat.scatter_add(2, switches.flatten(2), signal.flatten(2)).view(*signal.shape[:2], *size)


_RULES = {  # what passes a ReLU, from the signal by the ordinary rule and the signal that came back
    "gradient": lambda old, signal: old,
    "deconvnet": lambda old, signal: signal.clamp(min=0),
    "guided": lambda old, signal: old.clamp(min=0),
}


def signals_back(model: nn.Sequential, x: Tensor, target: Tensor, rule: str) -> dict[str, Tensor]:
    """The signal that arrives at each ReLU and at the pixels, from the class scores back: {name: (N, …)}."""
    seen: dict[str, Tensor] = {}
    x = x.clone().requires_grad_()

    def note(name, module, old, signal):
        seen[name] = signal[0]
        return (_RULES[rule](old[0], signal[0]),)

    handles = [
        module.register_full_backward_hook(partial(note, name))
        for name, module in model.named_children()
        if isinstance(module, nn.ReLU)
    ]
    try:
        seen["pixels"] = torch.autograd.grad(model(x).gather(1, target[:, None]).sum(), x)[0]
    finally:
        for handle in handles:
            handle.remove()
    return seen


def channels_inside(x: Tensor) -> Tensor:
    """The same pictures, stored with the colours of a pixel side by side: faster convolutions on a CPU."""
    return x.contiguous(memory_format=torch.channels_last)


def maxima(model: nn.Sequential, inputs: Tensor, layers: Sequence[str]) -> dict[str, tuple[Tensor, Tensor]]:
    """The largest activation of each map: {layer: (values (N, K), places (N, K, 2) as row and column)}."""
    found: dict[str, list] = {name: [] for name in layers}
    with torch.no_grad():
        for maps in inputs.split(10):
            maps = channels_inside(maps)
            for name, module in model.named_children():
                maps = module(maps)
                if name in found:
                    values, numbers = maps.flatten(2).max(dim=2)
                    places = torch.stack([numbers // maps.shape[3], numbers % maps.shape[3]], dim=2)
                    found[name].append((values, places))
                if name == layers[-1]:
                    break
    return {
        name: tuple(torch.cat(part) for part in zip(*parts, strict=True)) for name, parts in found.items()
    }


def favourite_class(values: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Of each channel of `values` (N, K): the class of most of its nine strongest pictures, and its share."""
    nine = targets[values.topk(9, dim=0).indices]  # (9, K)
    classes = nine.mode(dim=0).values
    return classes, (nine == classes).float().mean(dim=0)


def purest(values: Tensor, targets: Tensor, n: int) -> list[int]:
    """The `n` channels whose nine strongest pictures agree best in their class, each of another class."""
    classes, share = favourite_class(values, targets)
    order = (share + 1e-3 * values.amax(dim=0) / values.max()).argsort(descending=True)
    chosen: list[int] = []
    for k in order.tolist():
        if classes[k] not in classes[chosen]:
            chosen.append(k)
    return chosen[:n]


def draw_features(
    model: nn.Sequential,
    images: np.ndarray,
    inputs: Tensor,
    layer: str,
    channels: Sequence[int],
    found: tuple[Tensor, Tensor],
    n: int = 3,
) -> None:
    """One channel a row: the patches of its `n` strongest pictures, and the reconstruction of each."""
    values, places = found
    size, jump = inside.receptive_field(model, layer)
    figure, axes = plots.grid(len(channels), 2 * n, ratio=1.03)
    for row, k in zip(axes, channels, strict=True):
        best = values[:, k].topk(n).indices
        back = deconvnet(model, inputs[best], layer, k, places[best, k])
        for column, (i, place) in enumerate(zip(best.tolist(), places[best, k].tolist(), strict=True)):
            row[column].imshow(inside.patch(images[i], place, size, jump))
            row[n + column].imshow(inside.patch(inside.as_picture(back[column]), place, size, jump))
        row[0].set_ylabel(f"channel {k}", fontsize=11)
    axes[0, n // 2].set_title(f"the {n} strongest patches", fontsize=11)
    axes[0, n + n // 2].set_title("what the deconvnet draws for each", fontsize=11)
    figure.suptitle(f"{layer}: one channel a row, {size}×{size} pixels")


def transformed(x: Tensor, shift: float = 0.0, scale: float = 1.0, angle: float = 0.0) -> Tensor:
    """Pictures (N, 3, H, W) shifted down by pixels, enlarged, turned by degrees; the border is mirrored."""
    turn = np.deg2rad(angle)
    matrix = torch.tensor([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0]]) / scale
    matrix[1, 2] = -2 * shift / x.shape[-1]
    grid = F.affine_grid(matrix.float().expand(len(x), 2, 3).to(x), x.shape, align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def covered(x: Tensor, size: int, stride: int, fill: float = 0.0) -> tuple[Tensor, list[tuple[int, int]]]:
    """One picture (1, 3, H, W) with a square at each place: a batch, and the corner (top, left) of each."""
    starts = range(0, x.shape[-1] - size + 1, stride)
    corners = [(top, left) for top in starts for left in starts]
    pictures = x.repeat(len(corners), 1, 1, 1)
    for picture, (top, left) in zip(pictures, corners, strict=True):
        picture[:, top : top + size, left : left + size] = fill
    return pictures, corners


def share_in_square(back: Tensor, corner: tuple[int, int], size: int) -> Tensor:
    """Share of a reconstruction (N, 3, H, W) that lies in a square, `(N,)`."""
    strength, (top, left) = back.abs().sum(dim=1), corner
    inner = strength[:, top : top + size, left : left + size].sum(dim=(1, 2))
    return inner / strength.sum(dim=(1, 2))


def most_harmful(
    model: nn.Sequential, x: Tensor, layer: str, channel: int, size: int, stride: int
) -> tuple[int, int]:
    """The corner of the grey square over one picture that makes a channel's map (added up) fall most."""
    pictures, corners = covered(x, size, stride)
    with torch.no_grad():
        maps = torch.cat([run_to(model, channels_inside(some), layer) for some in pictures.split(28)])
    return corners[int(maps[:, channel].sum(dim=(1, 2)).argmin())]
