"""Drawings of the inside of a plain network: tiles of reconstructions, patches, the numbers of one place."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor, nn

from course_utils.teach import plots

GREY = 0.5  # what zero looks like in a reconstruction


def receptive_field(model: nn.Sequential, layer: str) -> tuple[int, int]:
    """What one place of a layer sees, where convolutions and poolings pad with half their size.

    Returns:
        (size, jump) in pixels: the place (i, j) sees a square of ``size`` around the pixel (i·jump, j·jump).

    Raises:
        ValueError: the model has no such child.
    """
    size, jump = 1, 1
    for name, module in model.named_children():
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d)):
            kernel, stride = (v if isinstance(v, int) else v[0] for v in (module.kernel_size, module.stride))
            size += (kernel - 1) * jump
            jump *= stride
        if name == layer:
            return size, jump
    names = ", ".join(name for name, _ in model.named_children())
    raise ValueError(f"the model has no layer {layer!r}: choose one of {names}")


def patch(picture: np.ndarray, place: Sequence[int], size: int, jump: int) -> np.ndarray:
    """The square ``(size, size, 3)`` of a picture ``(H, W, 3)`` that a place sees; grey outside it."""
    grey = 128 if picture.dtype == np.uint8 else GREY
    half = size // 2
    padded = np.pad(picture, ((half, half), (half, half), (0, 0)), constant_values=grey)
    top, left = (int(v) * jump for v in place)
    return padded[top : top + size, left : left + size]


def as_picture(signal: Tensor, percentile: float = 99.0) -> np.ndarray:
    """A signed map ``(3, H, W)`` as a picture ``(H, W, 3)`` in 0 … 1; zero is grey.

    The ``percentile`` of the absolute values that are not zero reaches 0 or 1; stronger ones are clipped.
    """
    values = plots.finite(signal, "the signal").transpose(1, 2, 0)
    strengths = np.abs(values[values != 0])
    limit = np.percentile(strengths, percentile) if strengths.size else 1.0
    return (GREY + 0.5 * values / limit).clip(0, 1)


def tiles(pictures: Sequence[np.ndarray], columns: int = 3, gap: int = 1) -> np.ndarray:
    """Pictures of one size ``(h, w, 3)`` side by side in one array, with white lines between them."""
    pictures = [p / 255 if p.dtype == np.uint8 else p for p in pictures]
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    sheet = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def numbers(
    ax: Axes,
    values: Tensor | np.ndarray,
    title: str = "",
    *,
    marked: Sequence[tuple[int, int]] = (),
    decimals: int = 1,
    signed: bool = True,
    fontsize: float = 8,
) -> None:
    """A small matrix ``(h, w)`` as coloured cells with its numbers; ``marked`` (row, column) get a frame."""
    values = plots.to_array(values).astype(float)
    limit = np.abs(values).max() or 1.0
    shade = plt.get_cmap(plots.DIVERGING if signed else "Blues")
    ax.imshow(values, cmap=shade, vmin=-1.6 * limit if signed else 0, vmax=1.6 * limit)
    for (row, column), value in np.ndenumerate(values):
        text = f"{value:.{decimals}f}".replace("-", "−")
        ax.text(column, row, text, ha="center", va="center", fontsize=fontsize, color=plots.INK)
    for row, column in marked:
        frame = plt.Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=2)
        ax.add_patch(frame)
    plots.bare(ax)
    ax.set_title(title, fontsize=10)


def frame(ax: Axes, place: Sequence[int], size: int, jump: int, *, color: str = "#e69f00") -> None:
    """The border of the square that a place sees, drawn over the picture on ``ax``."""
    row, column = (int(v) * jump for v in place)
    half = size // 2
    plots.draw_box(ax, (column - half, row - half, column + half + 1, row + half + 1), color=color)


def deconvnet_diagram() -> Figure:
    """One layer forward (above, to the right) and backward (below, to the left): the paper's figure 1."""
    figure, ax = plt.subplots(figsize=(10, 2.7))
    above = (
        "maps of the\nlayer below",
        "convolution\nfilters W",
        "ReLU",
        "max pooling",
        "maps of\nthis layer",
    )
    below = (
        "reconstruction\nin the layer below",
        "filters Wᵀ\n(transposed)",
        "ReLU\nof the signal",
        "unpooling",
        "one activation,\nall others 0",
    )
    for y, names, step in ((1.25, above, 1), (0.0, below, -1)):
        for x, name in enumerate(names):
            data = x in (0, len(names) - 1)
            face = "#e8eef3" if data else ("#cfe3f1" if step > 0 else "#f9dfca")
            ax.add_patch(
                FancyBboxPatch(
                    (2 * x - 0.7, y - 0.32), 1.4, 0.64, boxstyle="round,pad=0.05", fc=face, ec=plots.INK
                )
            )
            ax.text(2 * x, y, name, ha="center", va="center", fontsize=10)
        for x in range(len(names) - 1):
            start, end = (2 * x + 0.77, 2 * x + 1.23) if step > 0 else (2 * x + 1.23, 2 * x + 0.77)
            ax.annotate("", (end, y), (start, y), arrowprops={"arrowstyle": "-|>", "color": plots.INK})
    ax.annotate("", (6, 0.4), (6, 0.85), arrowprops={"arrowstyle": "-|>", "color": "#d55e00", "linewidth": 2})
    ax.text(6.12, 0.62, "switches: where\neach maximum was", fontsize=9, va="center", color="#b34700")
    ax.annotate("", (8, 0.4), (8, 0.85), arrowprops={"arrowstyle": "-|>", "color": plots.INK})
    ax.text(8.12, 0.62, "choose one", fontsize=9, va="center")
    ax.set(xlim=(-0.9, 9.2), ylim=(-0.5, 1.75))
    plots.bare(ax)
    return figure
