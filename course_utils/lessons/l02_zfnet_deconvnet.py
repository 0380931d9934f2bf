"""What lesson 02 and its companions share: running to a layer, signals back, strongest places, drawings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.methods.arguments import check_count, check_pictures, check_range, check_target
from course_utils.methods.deconvnet import deconvnet
from course_utils.teach import inside, plots

RELUS = ("relu1", "relu2", "relu3", "relu4", "relu5")


def run_to(model: nn.Sequential, x: Tensor, layer: str) -> Tensor:
    """The output of a layer, by its name."""
    check_layers(model, [layer])
    for name, module in model.named_children():
        x = module(x)
        if name == layer:
            break
    return x


def check_layers(model: nn.Sequential, layers: Sequence[str]) -> None:
    """Raise unless `layers` are names of the model's modules, at least one."""
    known = [name for name, _ in model.named_children()]
    if isinstance(layers, str) or len(layers) == 0:
        raise ValueError(f"layers must be a list of names, not {layers!r}")
    for name in layers:
        if name not in known:
            raise ValueError(f"the model has no layer {name!r}: choose among {', '.join(known)}")


def magnitude(maps: Tensor) -> Tensor:
    """Signed maps (N, 3, H, W) as one size a pixel: the largest absolute value of the three colours."""
    if maps.ndim != 4:
        raise ValueError(f"maps must be (N, 3, H, W), not {tuple(maps.shape)}")
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
    if rule not in _RULES:
        raise ValueError(f"rule must be one of {', '.join(_RULES)}, not {rule!r}")
    check_pictures(x)
    target = check_target(target, x)
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
        scores = model(x)
        check_range(target, scores.shape[1])
        seen["pixels"] = torch.autograd.grad(scores.gather(1, target[:, None]).sum(), x)[0]
    finally:
        for handle in handles:
            handle.remove()
    return seen


def channels_inside(x: Tensor) -> Tensor:
    """The same pictures, stored with the colours of a pixel side by side: faster convolutions on a CPU."""
    return x.contiguous(memory_format=torch.channels_last)


def maxima(model: nn.Sequential, inputs: Tensor, layers: Sequence[str]) -> dict[str, tuple[Tensor, Tensor]]:
    """The largest activation of each map: {layer: (values (N, K), places (N, K, 2) as row and column)}."""
    check_pictures(inputs)
    check_layers(model, layers)
    found: dict[str, list] = {name: [] for name in layers}
    with torch.no_grad():
        for maps in inputs.split(10):
            maps = channels_inside(maps)
            missing = set(layers)
            for name, module in model.named_children():
                maps = module(maps)
                if name in missing:
                    if maps.ndim != 4:
                        raise ValueError(f"layer {name!r} has no maps, only {maps.shape[1]} numbers")
                    values, numbers = maps.flatten(2).max(dim=2)
                    places = torch.stack([numbers // maps.shape[3], numbers % maps.shape[3]], dim=2)
                    found[name].append((values, places))
                missing.discard(name)
                if not missing:
                    break
    return {
        name: tuple(torch.cat(part) for part in zip(*parts, strict=True)) for name, parts in found.items()
    }


def favourite_class(values: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Of each channel of `values` (N, K): the class of most of its nine strongest pictures, and its share."""
    if values.ndim != 2 or targets.shape != values.shape[:1] or len(values) < 9:
        raise ValueError(
            f"values must be (N, K) and targets (N,) of nine pictures or more, not {tuple(values.shape)} and "
            f"{tuple(targets.shape)}"
        )
    nine = targets[values.topk(9, dim=0).indices]  # (9, K)
    classes = nine.mode(dim=0).values
    return classes, (nine == classes).float().mean(dim=0)


def purest(values: Tensor, targets: Tensor, n: int) -> list[int]:
    """The `n` channels whose nine strongest pictures agree best in their class, each of another class."""
    classes, share = favourite_class(values, targets)
    n = check_count(n, "n", at_most=len(classes.unique()))
    order = (share + 1e-3 * values.amax(dim=0) / values.max()).argsort(descending=True)
    chosen: list[int] = []
    for k in order.tolist():
        if classes[k] not in classes[chosen]:
            chosen.append(k)
    return chosen[:n]


def another_channel(
    model: nn.Sequential, inputs: Tensor, layer: str, channels: Tensor, places: Tensor, seed: int = 0
) -> Tensor:
    """For each picture another channel, drawn by chance, that is active at the same place `(N, 2)`: `(N,)`.

    Raises:
        ValueError: not one channel and one place a picture, or no other channel is active there.
    """
    if channels.shape != (len(inputs),) or places.shape != (len(inputs), 2):
        raise ValueError(
            f"channels must be ({len(inputs)},) and places ({len(inputs)}, 2), not {tuple(channels.shape)} "
            f"and {tuple(places.shape)}"
        )
    with torch.no_grad():
        maps = run_to(model, inputs, layer)
    check_range(channels, maps.shape[1], "channel")
    index = torch.arange(len(inputs))
    active = maps[index, :, places[:, 0], places[:, 1]] > 0  # (N, K)
    active[index, channels] = False
    if not active.any(dim=1).all():
        raise ValueError(f"in {layer!r} no other channel is active at one of the places")
    return active.float().multinomial(1, generator=torch.Generator().manual_seed(seed))[:, 0]


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
    n = check_count(n, "n", at_most=len(values))
    if len(channels) == 0:
        raise ValueError("channels are empty: name at least one")
    check_range(torch.as_tensor(channels), values.shape[1], "channel")
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
    if not (np.isfinite([shift, scale, angle]).all() and scale > 0):
        raise ValueError(f"shift, scale (> 0) and angle must be numbers, not {shift}, {scale}, {angle}")
    turn = np.deg2rad(angle)
    matrix = torch.tensor([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0]]) / scale
    matrix[1, 2] = -2 * shift / x.shape[-1]
    grid = F.affine_grid(matrix.float().expand(len(x), 2, 3).to(x), x.shape, align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def covered(x: Tensor, size: int, stride: int, fill: float = 0.0) -> tuple[Tensor, list[tuple[int, int]]]:
    """One picture (1, 3, H, W) with a square at each place: a batch, and the corner (top, left) of each."""
    size, stride = check_count(size, "size", at_most=x.shape[-1]), check_count(stride, "stride")
    if x.ndim != 4 or len(x) != 1:
        raise ValueError(f"x must be one picture (1, 3, H, W), not {tuple(x.shape)}: use x[i : i + 1]")
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
