"""Companion 02c: what a number of a network sees, the parts that add up to it, the steps of the softmax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.teach import inside, plots

SHOWN = ("relu1", "pool1", "relu2", "pool2", "relu3", "relu4", "relu5", "pool5")  # columns of the overview
POSITIVE, NEGATIVE, FRAME = "#b2182b", "#2166ac", "#e69f00"
GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # a number stays readable on a line


def layer_outputs(model: nn.Sequential, x: Tensor) -> dict[str, Tensor]:
    """What each layer gives for one picture (1, 3, H, W): {"pixels": (3, H, W), name: (C, h, w) or (n,), …}.

    Raises:
        ValueError: x is not one picture, or holds NaN.
    """
    if x.ndim != 4 or len(x) != 1:
        raise ValueError(f"x must be one picture (1, 3, H, W), not {tuple(x.shape)}: use x[i : i + 1]")
    if not np.isfinite(plots.to_array(x)).all():
        raise ValueError("x holds NaN or infinite numbers: give a picture")
    maps = {"pixels": x[0]}
    with torch.no_grad():
        for name, module in model.named_children():
            x = module(x)
            maps[name] = x[0]
    return maps


def seen(
    model: nn.Sequential, maps: Mapping[str, Tensor], layer: str, place: Sequence[int]
) -> dict[str, tuple[tuple[int, int, int, int], bool]]:
    """Which part of each earlier layer one number depends on, cut off at the border of the maps.

    Args:
        maps: what `layer_outputs` returns. layer: a convolution, a ReLU or a pooling of the network.
        place: (row, column) of the number.

    Returns:
        {layer: ((left, top, right, bottom), all channels)} from `layer` back to "pixels"; right and bottom
        are exclusive. The flag is False where only the number's own channel counts: a ReLU and a pooling do
        not look at other channels.

    Raises:
        ValueError: no such layer of maps, or the place lies outside of them.
    """
    names = list(maps)
    _, height, width = _maps_of(maps, layer).shape
    row, column = _pair(place)
    _inside(row, height, "row")
    _inside(column, width, "column")
    left, top, right, bottom, everywhere = column, row, column + 1, row + 1, False
    found = {layer: ((left, top, right, bottom), False)}
    for number in range(names.index(layer), 0, -1):
        name, before = names[number], names[number - 1]
        module = model.get_submodule(name)
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d)):
            size, stride, pad = (
                v if isinstance(v, int) else v[0] for v in (module.kernel_size, module.stride, module.padding)
            )
            _, height, width = maps[before].shape
            left, top = (max(v * stride - pad, 0) for v in (left, top))
            right = min((right - 1) * stride - pad + size, width)
            bottom = min((bottom - 1) * stride - pad + size, height)
        everywhere = everywhere or isinstance(module, nn.Conv2d)
        found[before] = (left, top, right, bottom), everywhere
    return found


def window_of(
    model: nn.Sequential, maps: Mapping[str, Tensor], layer: str, channel: int, place: Sequence[int]
) -> tuple[Tensor, Tensor, float]:
    """What a convolution multiplies for one number: its window, the filter's weights, the bias.

    Window and weights are (C, k, k) in double precision; (window · weights).sum() + bias is the number.

    Raises:
        ValueError: `layer` is no convolution, or it has no such channel or place.
    """
    convolutions = [name for name, module in model.named_children() if isinstance(module, nn.Conv2d)]
    if layer not in convolutions:
        raise ValueError(f"layer {layer!r} is no convolution: choose one of {', '.join(convolutions)}")
    module, names = model.get_submodule(layer), list(maps)
    _inside(channel, module.out_channels, "channel")
    row, column = _pair(place)
    size, stride, pad = (v[0] for v in (module.kernel_size, module.stride, module.padding))
    _inside(row, maps[layer].shape[1], "row")
    _inside(column, maps[layer].shape[2], "column")
    padded = F.pad(maps[names[names.index(layer) - 1]], (pad,) * 4).double()
    window = padded[:, stride * row : stride * row + size, stride * column : stride * column + size]
    return window, module.weight[channel].detach().double(), module.bias[channel].item()


def softmax_steps(logits: Tensor) -> dict[str, Tensor]:
    """The steps from class scores `(n,)` to probabilities `(n,)`, by name, in double precision.

    Raises:
        ValueError: not a row of finite numbers.
    """
    logits = torch.as_tensor(logits)
    if logits.ndim != 1 or len(logits) == 0 or not torch.isfinite(logits).all():
        raise ValueError("logits must be finite numbers of the shape (n,), one a class: use model(x)[0]")
    z = logits.detach().double()
    shifted = z - z.max()
    power = shifted.exp()
    return {"z": z, "z − largest": shifted, "power of e": power, "p": power / power.sum()}


def strongest(maps: Tensor) -> tuple[int, int, int]:
    """Channel, row and column of the largest number of maps (C, h, w)."""
    channel, rest = divmod(int(maps.argmax()), maps[0].numel())
    return channel, *divmod(rest, maps.shape[2])


def draw_overview(
    model: nn.Sequential,
    picture: np.ndarray,
    maps: Mapping[str, Tensor],
    layer: str,
    place: Sequence[int],
    class_names: Sequence[str],
) -> None:
    """The whole network from left to right: the picture, the three strongest channels of each layer, the end.

    The chosen number is the one at `place` of the strongest channel of `layer`; frames show what it sees.
    """
    fields = seen(model, maps, layer, place)
    figure = plt.figure(figsize=(10, 3.7), layout="none")  # the constrained layout of so many axes is slow
    cells = figure.add_gridspec(
        3,
        11,
        width_ratios=[2.1, *[0.78] * 8, 0.45, 0.62],
        **{"left": 0.003, "right": 0.915, "top": 0.83, "bottom": 0.065, "wspace": 0.08, "hspace": 0.3},
    )
    axis = figure.add_subplot(cells[:, 0])
    axis.imshow(picture)
    _frame(axis, fields["pixels"][0])
    axis.set_title(f"picture\n{_sizes(maps['pixels'])}", fontsize=9)
    plots.bare(axis)
    for column, name in enumerate(SHOWN, start=1):
        channels = maps[name].amax(dim=(1, 2)).topk(3).indices.tolist()
        for rank, channel in enumerate(channels):
            axis = figure.add_subplot(cells[rank, column])
            axis.imshow(maps[name][channel], cmap="gray")
            axis.set_xlabel(f"no. {channel}", fontsize=9, labelpad=2)
            plots.bare(axis)
            if rank == 0:
                axis.set_title(f"{name}\n{_sizes(maps[name])}", fontsize=9)
            box, everywhere = fields.get(name, (None, False))
            if box and (everywhere or rank == 0):
                _frame(axis, box)
    for column, (name, values) in enumerate((("relu6", maps["relu6"]), ("fc7", maps["fc7"])), start=9):
        axis = figure.add_subplot(cells[:, column])
        axis.barh(range(len(values)), values, height=0.9, color=plots.ACCENT)
        axis.invert_yaxis()
        axis.set_title(f"{name}\n{len(values)}", fontsize=9)
        plots.bare(axis)
    axis.yaxis.tick_right()
    axis.set_yticks(range(len(class_names)), class_names, fontsize=9)
    axis.tick_params(length=0)
    channel, value = _chosen(maps, layer, place)
    left, top, right, bottom = fields["pixels"][0]
    figure.suptitle(
        f"{layer}, channel {channel}, place {tuple(place)}: {value:.2f}. "
        f"It sees {bottom - top}×{right - left} pixels.",
        fontsize=11,
    )


def draw_shares(
    ax: Axes, names: Sequence[str], shares: Tensor, bias: float, *, others: str, total: str, n: int = 8
) -> None:
    """A sum as steps: the bias, the `n` parts of the largest size, all others together, and where it ends."""
    largest = shares.abs().topk(min(n, len(shares))).indices.tolist()
    largest = sorted((i for i in largest if shares[i] != 0), key=lambda i: -float(shares[i]))
    rest = float(shares.sum() - shares[largest].sum())
    steps = [("bias", bias), *((names[i], float(shares[i])) for i in largest)]
    steps.append((f"the other {len(shares) - len(largest)} {others}", rest))
    end = bias + float(shares.sum())
    left, reached = 0.0, [0.0]
    for y, (_, value) in enumerate(steps):
        ax.barh(y, value, left=left, color=POSITIVE if value > 0 else NEGATIVE, height=0.7)
        left += value
        reached.append(left)
        ax.plot([left, left], [y - 0.35, y + 1.35], color=plots.INK, linewidth=0.8)
    ax.barh(len(steps), end, color=plots.BASELINE, height=0.7)
    span = max(reached) - min(reached)
    for y, value in enumerate([value for _, value in steps] + [end]):
        right = max(reached[y], reached[y + 1]) if y < len(steps) else max(end, 0.0)
        number = f"{value:+.2f}".replace("-", "−")
        ax.text(right + 0.02 * span, y, number, va="center", fontsize=9.5, bbox=GROUND)
    ax.axvline(0, color=plots.INK, linewidth=0.8)
    ax.set_xlim(min(reached) - 0.04 * span, max(reached) + 0.2 * span)
    ax.set_yticks(range(len(steps) + 1), [name for name, _ in steps] + [total], fontsize=9.5)
    ax.tick_params(axis="x", labelsize=9)
    ax.invert_yaxis()


def draw_value(
    model: nn.Sequential, maps: Mapping[str, Tensor], layer: str, channel: int, place: Sequence[int]
) -> tuple[Tensor, float]:
    """One number of a deeper convolution as steps, and the window of the channels with the largest shares.

    Returns:
        The shares (C,) of the channels that come in, and the bias.
    """
    window, weights, bias = window_of(model, maps, layer, channel, place)
    products = window * weights
    shares = products.sum(dim=(1, 2))
    figure = plt.figure(figsize=(10, 4.1))
    cells = figure.add_gridspec(2, 4, width_ratios=[2.7, 1, 1, 1])
    names = [f"channel {i}" for i in range(len(shares))]
    axis = figure.add_subplot(cells[:, 0])
    draw_shares(axis, names, shares, bias, others="channels", total="sum: z", n=9)
    axis.set_title("share of each channel that comes in", fontsize=10)
    for row, number in enumerate((int(shares.argmax()), int(shares.argmin()))):
        sum_of_it = f"{float(shares[number]):+.2f}".replace("-", "−")
        titles = f"a of channel {number}", "× weights", f"= products, {sum_of_it}"
        tables = window[number], weights[number], products[number]
        for column, (table, title) in enumerate(zip(tables, titles, strict=True), start=1):
            axis = figure.add_subplot(cells[row, column])
            inside.numbers(axis, table.round(decimals=2) + 0.0, title, decimals=2, fontsize=10.5)  # no −0.00
    own = float(maps[layer][channel, place[0], place[1]])
    figure.suptitle(
        f"{layer}, channel {channel}, place {tuple(place)}: the sum is {float(shares.sum()) + bias:.4f}, "
        f"the network says {own:.4f}".replace("-", "−"),
        fontsize=11,
    )
    return shares, bias


def draw_places(picture: np.ndarray, shares: Tensor, bias: float, unit: int) -> None:
    """The picture, and the shares (h, w) of the places of pool5 in one unit of fc6."""
    _, axes = plt.subplots(1, 2, figsize=(10, 4.4), width_ratios=[1, 1.25])
    axes[0].imshow(picture)
    step = picture.shape[0] / shares.shape[0]
    for line in np.arange(1, shares.shape[0]) * step - 0.5:
        axes[0].axhline(line, color="white", linewidth=0.5)
        axes[0].axvline(line, color="white", linewidth=0.5)
    plots.bare(axes[0])
    axes[0].set_title("the picture, in 8×8 parts", fontsize=10)
    total = float(shares.sum())
    title = f"fc6, unit {unit}: places {total:+.2f}, bias {bias:+.2f}, together {total + bias:+.2f}"
    shares = shares.round(decimals=2) + 0.0  # no −0.00
    inside.numbers(axes[1], shares, title.replace("-", "−"), decimals=2, fontsize=9.5)


def draw_end(
    model: nn.Sequential, maps: Mapping[str, Tensor], target: int, class_names: Sequence[str]
) -> tuple[Tensor, float]:
    """The shares of the units of fc6 in one class score, and all class scores with the steps of the softmax.

    Returns:
        The shares (units,) and the bias.
    """
    shares = (model.fc7.weight[target].detach() * maps["relu6"]).double()
    bias = model.fc7.bias[target].item()
    _, axes = plt.subplots(1, 2, figsize=(10, 3.9), width_ratios=[1, 1.15])
    names = [f"unit {i}" for i in range(len(shares))]
    draw_shares(axes[0], names, shares, bias, others="units", total="sum: z")
    axes[0].set_title(f"shares in the score of “{class_names[target]}”", fontsize=10)
    _draw_steps(axes[1], softmax_steps(maps["fc7"]), class_names, target)
    return shares, bias


def _draw_steps(ax: Axes, steps: Mapping[str, Tensor], class_names: Sequence[str], target: int) -> None:
    """The steps of the softmax as a table, one class a row, the chosen one shaded, and the sums below."""
    n, right = len(class_names), (0.38, 0.6, 0.82, 1.0)
    ax.axhspan(target - 0.5, target + 0.5, color="#e8eef3")
    for x, (title, values) in zip(right, steps.items(), strict=True):
        ax.text(x, -1, title, ha="right", va="center", fontsize=9.5, weight="bold")
        decimals = 2 if title.startswith("z") else 4
        for y, value in enumerate(values.tolist()):
            number = f"{value:.{decimals}f}".replace("-", "−")
            ax.text(x, y, number, ha="right", va="center", fontsize=10)
        if decimals == 4:
            ax.text(x, n, f"{float(values.sum()):.4f}", ha="right", va="center", fontsize=10, weight="bold")
    for y, name in enumerate(class_names):
        ax.text(0, y, name, va="center", fontsize=10, **plots.PLAIN)
    ax.text(0, n, "sum", va="center", fontsize=10, weight="bold")
    ax.axhline(n - 0.5, color=plots.INK, linewidth=0.8)
    ax.set(xlim=(-0.02, 1.02), ylim=(n + 0.6, -1.6))
    plots.bare(ax)


def _chosen(maps: Mapping[str, Tensor], layer: str, place: Sequence[int]) -> tuple[int, float]:
    """The strongest channel of a layer, and its number at a place."""
    channel = int(maps[layer].amax(dim=(1, 2)).argmax())
    return channel, float(maps[layer][channel, place[0], place[1]])


def _frame(ax: Axes, box: Sequence[int]) -> None:
    left, top, right, bottom = box
    corner, width, height = (left - 0.5, top - 0.5), right - left, bottom - top
    ax.add_patch(plt.Rectangle(corner, width, height, fill=False, edgecolor=FRAME, linewidth=1.8))


def _sizes(maps: Tensor) -> str:
    return "×".join(str(n) for n in maps.shape)


def _maps_of(maps: Mapping[str, Tensor], layer: str) -> Tensor:
    known = [name for name, values in maps.items() if values.ndim == 3]
    if layer not in known:
        raise ValueError(f"layer {layer!r} has no maps: choose one of {', '.join(known)}")
    return maps[layer]


def _pair(place: Sequence[int]) -> tuple[int, int]:
    if len(place) != 2:
        raise ValueError(f"place must be (row, column), not {tuple(place)}")
    return place[0], place[1]


def _inside(number: int, n: int, name: str) -> None:
    if isinstance(number, bool) or number != int(number) or not 0 <= number < n:
        raise ValueError(f"{name} is {number}: choose 0 … {n - 1}")
