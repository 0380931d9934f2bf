"""What lesson 01 and its companion share: shares with exact intervals, covering, and drawings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from scipy.special import betaincinv
from torch import Tensor
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.judge.perturbation import blur
from course_utils.labs import Lab, load_lab
from course_utils.teach import plots

Predict = Callable[[np.ndarray], np.ndarray]


def two_offers() -> dict[str, Lab]:
    """The models A and B with their pictures. A coin says which is which: the lesson does not tell yet."""
    coin = np.random.default_rng(2026).permutation(["clean", "shortcut"])
    return {name: load_lab("wolves", model=str(kind)) for name, kind in zip("AB", coin, strict=True)}


def share_and_interval(right: np.ndarray) -> tuple[float, float, float]:
    """The share of True, and all shares with which it is not surprising (95 %, Clopper-Pearson)."""
    hits, n = int(np.sum(right)), len(right)
    low = float(betaincinv(hits, n - hits + 1, 0.025)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, n - hits, 0.975)) if hits < n else 1.0
    return hits / n, low, high


# --- covering ---------------------------------------------------------------------------------------------


def cover_and_watch(
    predict: Predict,
    images: np.ndarray,
    targets: np.ndarray,
    window: int = 32,
    stride: int = 24,
    grey: int = 128,
) -> np.ndarray:
    """How far the probability of the target falls for each position of a square, by hand in section 2.

    Args:
        predict: pictures `(N, H, W, 3)` uint8 to probabilities `(N, classes)`.
        images: `(N, H, W, 3)` uint8, square.
        targets: `(N,)` class numbers.
        window, stride: side of the square, and step, in pixels. grey: its colour.

    Returns:
        `(N, rows, columns)`, negative where covering helps the class.
    """
    everyone = np.arange(len(images))
    before = predict(images)[everyone, targets]
    starts = range(0, images.shape[1] - window + 1, stride)
    falls = np.zeros((len(images), len(starts), len(starts)))
    for i, top in enumerate(tqdm(starts, desc="covering", leave=False)):
        for j, left in enumerate(starts):
            covered = images.copy()
            covered[:, top : top + window, left : left + window] = grey
            falls[:, i, j] = before - predict(covered)[everyone, targets]
    return falls


def spread(falls: np.ndarray, size: int, window: int = 32, stride: int = 24) -> Tensor:
    """Give each pixel the mean fall of all squares that covered it: maps `(N, size, size)`."""
    total, count = np.zeros((len(falls), size, size)), np.zeros((size, size))
    for i, j in np.ndindex(falls.shape[1:]):
        place = (
            ...,
            slice(i * stride, i * stride + window),
            slice(j * stride, j * stride + window),
        )
        total[place] += falls[:, i, j, None, None]
        count[place] += 1
    return torch.from_numpy(total / np.maximum(count, 1)).float()


def cover_strongest(images: np.ndarray, maps: Tensor, share: float = 0.1, grey: int = 128) -> np.ndarray:
    """The pictures with the strongest `share` of each map's pixels covered."""
    n_covered = int(share * maps[0].numel())
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)[:, :n_covered]
    mask = torch.zeros(len(maps), maps[0].numel(), dtype=torch.bool).scatter(1, order, True)
    covered = images.copy()
    covered[mask.reshape(maps.shape).numpy()] = grey
    return covered


def blurred_edges(inputs: Tensor, sigma: float = 4.0) -> Tensor:
    """The edges of the pictures (Sobel), blurred until they form closed patches: no model is asked."""
    return blur(judge.baselines.sobel(inputs.cpu())[:, None], sigma)[:, 0]


# --- drawings ---------------------------------------------------------------------------------------------


def show_answers(
    images: np.ndarray,
    targets: np.ndarray,
    class_names: Sequence[str],
    probabilities: Mapping[str, np.ndarray],
    title: str,
) -> Figure:
    """Pictures in rows of four: above each, what it is, and what each model says and how surely."""
    titles = []
    for i, target in enumerate(targets):
        said = [f"a {class_names[target]}"]
        for name, p in probabilities.items():
            mark = "✓" if p[i].argmax() == target else "✗"
            said.append(f"{mark} {name}: {class_names[p[i].argmax()]} {p[i].max():.2f}")
        titles.append("\n".join(said))
    figure = plots.show_images(images, titles, columns=4, width=9, title=title)
    figure.set_figheight(figure.get_figheight() + 0.45 * -(-len(images) // 4))  # room for three lines
    figure.get_layout_engine().set(h_pad=0.1)
    for ax in figure.axes:
        ax.title.set_fontsize(12)
    return figure


def colour_bar(axes: Sequence[plt.Axes], largest: float, label: str, **place) -> None:
    """A colour bar beside maps that were laid over grey pictures."""
    ramp = plots.overlay(np.full((1, 256, 3), 128), np.linspace(0, 1, 256)[None], own_scale=False)[0] / 255
    scale = ScalarMappable(Normalize(0, largest), ListedColormap(ramp))
    bar = axes[0].figure.colorbar(scale, ax=axes, label=label, **place)
    bar.outline.set_visible(False)


def show_two_scales(images: np.ndarray, maps: Mapping[str, Tensor]) -> Figure:
    """Each map twice: all on one common scale, and each stretched to its own maximum."""
    top = max(float(heat.max()) for heat in maps.values())
    n = len(maps)
    figure, axes = plots.grid(len(images), 1 + 2 * n, ratio=1.1)
    for row, image in enumerate(images):
        axes[row, 0].imshow(image)
        for column, (name, heat) in enumerate(maps.items(), 1):
            axes[row, column].imshow(plots.overlay(image, heat[row] / top, own_scale=False))
            axes[row, n + column].imshow(plots.overlay(image, heat[row]))
            axes[row, n + column].set_xlabel(f"brightest: {float(heat[row].max()):.3f}", fontsize=10)
            if row == 0:
                axes[row, column].set_title(f"{name}, common scale", fontsize=10)
                axes[row, n + column].set_title(f"{name}, own scale", fontsize=10)
    axes[0, 0].set_title("picture", fontsize=10)
    below = {"location": "bottom", "aspect": 30, "pad": 0.01}
    colour_bar(list(axes[:, 1 : 1 + n].flat), top, "fall of the probability", **below)
    colour_bar(list(axes[:, 1 + n :].flat), 1, "share of the map's own maximum", **below)
    return figure


def show_shares(
    rows: Mapping[str, np.ndarray], *, colours: Mapping[str, str], xlabel: str, title: str
) -> Figure:
    """A dot and its interval for each row of True and False; the first row stands on top."""
    figure, ax = plt.subplots(figsize=(8, 0.42 * len(rows) + 1.0))
    for y, (label, right) in enumerate(reversed(rows.items())):
        share, low, high = share_and_interval(right)
        ax.plot([low, high], [y, y], color=colours[label], linewidth=3, alpha=0.5, solid_capstyle="round")
        ax.plot(share, y, "o", color=colours[label], markersize=8)
        ax.text(1.06, y, f"{share:.2f}", va="center")
    ax.set_yticks(range(len(rows)), list(rows)[::-1])
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.6, len(rows) - 0.4), xlabel=xlabel)
    ax.set_title(title, loc="left")
    return figure
