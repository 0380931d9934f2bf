"""One look for every figure of the course: pictures, heat maps, overlays, grids and score plots.

Pictures are ``(H, W, 3)`` uint8 arrays, maps ``(H, W)`` floats (arrays or tensors, any device). A map of
magnitudes is drawn from zero to its own maximum on a sequential colour map; a signed map is centred at zero
on a diverging one. Both colour maps stay readable for colour-blind eyes.
"""

from __future__ import annotations

import html
import io
import logging
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, to_rgb
from matplotlib.figure import Figure

from course_utils.judge import bootstrap_interval

SEQUENTIAL = "inferno"
DIVERGING = "RdBu_r"
INK, ACCENT, BASELINE = "#22303c", "#0072b2", "#8a8f94"
COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#7f6a00",
    "#5d5d5d",
)  # Okabe-Ito
WIDTH = 10.0  # inches: the full width of a notebook's page
PLAIN = {"parse_math": False}  # names are text: a $ in them begins no formula
_jpeg = {"quality": 80}  # of stored figures; `use_style` sets it


SCRIPTS = {  # a letter of each, and fonts that have it on Linux, macOS and Windows
    "中": (
        *(
            "Noto Sans CJK SC",
            "Noto Sans CJK JP",
            "Noto Sans SC",
            "Source Han Sans SC",
            "WenQuanYi Micro Hei",
        ),
        *(
            "WenQuanYi Zen Hei",
            "PingFang SC",
            "Hiragino Sans GB",
            "Heiti SC",
            "Microsoft YaHei",
            "SimHei",
            "Droid Sans Fallback",
        ),
    ),
    "あ": (
        *("Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "IPAexGothic", "TakaoPGothic"),
        *("Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic", "Droid Sans Fallback"),
    ),
    "한": (
        *("Noto Sans CJK KR", "Noto Sans CJK JP", "Noto Sans KR", "Source Han Sans KR", "NanumGothic"),
        *("Apple SD Gothic Neo", "AppleGothic", "Malgun Gothic", "Droid Sans Fallback"),
    ),
}
_MISSING = re.compile(r"Glyph \d+ .*missing from (?:current )?font")
_NOT_BOLD = "findfont: Failed to find font weight"  # a script's font may have one weight only


def fonts_for_scripts(installed: Iterable[str]) -> list[str]:
    """Of the fonts for Chinese, Japanese and Korean the first installed one of each, without repetition."""
    installed = set(installed)
    found = (next((font for font in fonts if font in installed), None) for fonts in SCRIPTS.values())
    return list(dict.fromkeys(font for font in found if font))


def _tell_missing_letters() -> None:
    """Instead of one warning a letter, say once in plain words what to do about letters without a font."""
    before, told = warnings.showwarning, []

    def show_warning(message, category, filename, lineno, file=None, line=None):
        if not _MISSING.search(str(message)):
            before(message, category, filename, lineno, file, line)
        elif not told:
            told.append(True)
            print(
                "Some letters of this figure are drawn as boxes: no installed font has them. Install one, "
                "such as Noto Sans CJK (Linux: the package fonts-noto-cjk), and restart the kernel."
            )

    show_warning.tells_missing_letters = True
    if not getattr(before, "tells_missing_letters", False):
        warnings.showwarning = show_warning


def _not_only_bold(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_NOT_BOLD)


def use_style(*, dpi: int = 90, quality: int = 80) -> None:
    """Set the course's look; in Jupyter also store figures as JPEG, a fifth of the size of a PNG.

    A lesson with very many pictures may lower ``dpi`` (dots an inch) and the JPEG's ``quality``.
    """
    fonts = fonts_for_scripts(entry.name for entry in font_manager.fontManager.ttflist)
    _tell_missing_letters()
    logging.getLogger(font_manager.__name__).addFilter(_not_only_bold)
    plt.rcParams.update(
        {
            "font.family": ["sans-serif", *fonts],  # matplotlib looks for each letter in these, in order
            "figure.dpi": dpi,
            "savefig.dpi": 110,
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.labelsize": 11,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": False,
            "legend.frameon": False,
            "image.interpolation": "nearest",
            "axes.prop_cycle": plt.cycler(color=COLOURS),
        }
    )
    _jpeg.update(quality=quality)
    if _in_jupyter():
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        from course_utils.teach.widgets import attend, name_bars

        set_matplotlib_formats("jpeg", pil_kwargs=_jpeg)
        name_bars()
        attend()


def show(alt: str) -> None:
    """Show the figure that has just been drawn, with a text that says what it shows, and close it.

    ``alt`` is one or two sentences for readers who cannot see the figure: what is drawn, and what to see.
    JupyterLab reads alt text in HTML only, so the figure is shown as an ``<img alt>``. The builder stores it
    as a picture with ``alt`` in its metadata: GitHub shows no data: pictures of HTML, and there is no copy.

    Raises:
        ValueError: no text, or not exactly one figure is open.
    """
    if not alt.strip():
        raise ValueError(
            'say in words what the figure shows: plots.show("Ten maps; the horse\'s is brightest")'
        )
    numbers = plt.get_fignums()
    if len(numbers) != 1:
        raise ValueError(f"{len(numbers)} figures are open: draw one, show it, then draw the next")
    figure = plt.figure(numbers[0])
    if _in_jupyter():
        from IPython.core.pylabtools import print_figure
        from IPython.display import display

        picture = print_figure(figure, fmt="jpeg", base64=True, pil_kwargs=_jpeg)
        alt = " ".join(alt.split())
        image = f'<img alt="{html.escape(alt)}" src="data:image/jpeg;base64,{picture.strip()}">'
        display({"text/html": image, "text/plain": alt}, raw=True)
    else:
        plt.show()
    plt.close(figure)


def _in_jupyter() -> bool:
    """Whether figures go into a notebook's page."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None and hasattr(get_ipython(), "kernel")


def to_array(values: Any) -> np.ndarray:
    """A tensor on any device, a list or an array as a NumPy array."""
    if not hasattr(values, "detach"):
        return np.asarray(values)
    values = values.detach().cpu()
    half = str(values.dtype) == "torch.bfloat16"  # NumPy has none
    return (values.float() if half else values).numpy()


def finite(values: Any, name: str = "the map") -> np.ndarray:
    """What is to be drawn as a NumPy array.

    One NaN makes a map's maximum NaN, and then all of it would be drawn as if it were zero.

    Raises:
        ValueError: NaN or infinite values in it.
    """
    values = to_array(values)
    if values.dtype.kind in "fc" and not np.isfinite(values).all():
        wrong = int((~np.isfinite(values)).sum())
        raise ValueError(
            f"{name} holds NaN or infinite values ({wrong} of {values.size}): look where they come from, "
            "such as a division by the maximum of a map of zeros; to draw them as zeros use "
            "numpy.nan_to_num(…, posinf=0, neginf=0)"
        )
    return values


def resize_map(heat: Any, size: tuple[int, int]) -> np.ndarray:
    """A map ``(h, w)`` bilinearly enlarged to ``size`` = (H, W); unchanged when it already fits.

    Raises:
        ValueError: not two dimensions, NaN or infinite values.
    """
    heat = finite(heat).astype(np.float32)
    if heat.ndim != 2:
        raise ValueError(f"a map has two dimensions (H, W), this one has shape {heat.shape}")
    if heat.shape == tuple(size):
        return heat
    from PIL import Image

    return np.asarray(Image.fromarray(heat).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def overlay(
    image: np.ndarray, heat: Any, *, signed: bool = False, own_scale: bool = True, strength: float = 0.85
) -> np.ndarray:
    """The picture in grey with the map laid over it: the stronger the map, the less of the picture shows
    through.

    Returns ``(H, W, 3)`` uint8. A map of magnitudes is clipped at zero and divided by its maximum; a signed
    one is divided by its largest absolute value. With ``own_scale=False`` the map is taken as scaled already
    (1 is full colour), so that several maps can share one scale.

    ``image``: ``(H, W, 3)``, also ``(H, W)`` grey or ``(H, W, 4)`` on white; 0 … 255, or 0 … 1 as float.

    Raises:
        ValueError: the picture has another shape or range; the map has not two dimensions, or NaN or infinite
            values.
    """
    image = _rgb(image)
    heat = resize_map(heat, image.shape[:2])
    scale = (np.abs(heat).max() if signed else heat.max()) if own_scale else 1.0
    heat = heat / scale if scale > 0 else np.zeros_like(heat)
    amount = np.abs(heat) if signed else heat.clip(0)
    colours = plt.get_cmap(DIVERGING)((heat + 1) / 2) if signed else plt.get_cmap(SEQUENTIAL)(heat.clip(0))
    grey = np.repeat(image.mean(axis=2, keepdims=True) / 255, 3, axis=2) * 0.75 + 0.15
    opacity = strength * (amount * (2 - amount))[..., None]  # no step where the map begins
    return np.uint8(255 * ((1 - opacity) * grey + opacity * colours[..., :3]).clip(0, 1))


def _rgb(image: Any) -> np.ndarray:
    """A picture ``(H, W, 3)`` with values 0 … 255, from grey, transparent or float ones."""
    image = to_array(image)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] not in (3, 4):
        raise ValueError(
            f"a picture has the shape (H, W, 3), this one {image.shape}; of a tensor (3, H, W) take "
            "image.permute(1, 2, 0)"
        )
    if image.dtype.kind == "f" and image.max() <= 1:
        image = 255 * image
    if not (image.min() >= 0 and image.max() <= 255):
        raise ValueError(
            "a picture has values 0 … 255 (or 0 … 1 as float): use lab.to_images on a model's input"
        )
    if image.shape[2] == 4:
        alpha = image[..., 3:] / 255
        image = image[..., :3] * alpha + 255 * (1 - alpha)
    return image


def grid(rows: int, columns: int, *, width: float = WIDTH, ratio: float = 1.0) -> tuple[Figure, np.ndarray]:
    """A figure of ``rows`` × ``columns`` bare axes for pictures (``ratio`` = height / width of one); axes
    ``(rows, columns)``."""
    height = width / columns * ratio * rows + 0.35
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height), squeeze=False, layout="constrained"
    )  # also where another style has been chosen
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.015, hspace=0.015)
    for ax in axes.flat:
        bare(ax)
    return figure, axes


def bare(ax: Axes) -> None:
    """Take ticks and frame away, keep titles and labels."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def framed(ax: Axes) -> None:
    """A thin frame, so that a picture on white does not run into the page."""
    ax.spines[:].set(visible=True, color="#c9cfd4", linewidth=0.6)


def show_images(
    images: Sequence[np.ndarray],
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    title: str | None = None,
    width: float = WIDTH,
) -> Figure:
    """Pictures in a grid, a title above each; those of two dimensions are drawn in grey.

    Raises:
        ValueError: there are no pictures.
    """
    if len(images) == 0:
        raise ValueError("images is empty: there is nothing to show")
    columns = columns or min(len(images), 6)
    rows = -(-len(images) // columns)
    height, breadth = images[0].shape[:2]
    figure, axes = grid(rows, columns, width=width, ratio=height / breadth * (1.12 if titles else 1.0))
    for i, ax in enumerate(axes.flat):
        if i >= len(images):
            ax.remove()
            continue
        ax.imshow(images[i], cmap="gray")  # a map of colours counts for pictures without colours only
        framed(ax)
        if titles:
            ax.set_title(titles[i], fontsize=10, **PLAIN)
    if title:
        _headline(figure, title)
    return figure


def show_heat(ax: Axes, heat: Any, *, signed: bool = False, title: str = "", colorbar: bool = False) -> None:
    """One raw map on ``ax``, in its own resolution, its values on a colour bar if asked for.

    Raises:
        ValueError: NaN or infinite values in the map.
    """
    heat = finite(heat)
    limit = float(np.abs(heat).max()) or 1.0
    low, high = (-limit, limit) if signed else (min(0.0, float(heat.min())), limit)
    drawn = ax.imshow(heat, cmap=DIVERGING if signed else SEQUENTIAL, vmin=low, vmax=high)
    bare(ax)
    ax.set_title(title, fontsize=10)
    if colorbar:
        bar = ax.figure.colorbar(drawn, ax=ax, fraction=0.046, pad=0.02)
        bar.ax.tick_params(labelsize=9)
        bar.outline.set_visible(False)


def show_pixels(ax: Axes, heat: Any, *, signed: bool = False) -> None:
    """A grainy map of single pixels: the strongest half per cent is cut off, or it would be black to the
    eye. NaN or infinite values raise a ValueError."""
    heat = finite(heat)
    limit = float(np.quantile(np.abs(heat), 0.995)) or float(np.abs(heat).max()) or 1.0
    ax.imshow(heat, cmap=DIVERGING if signed else SEQUENTIAL, vmin=-limit if signed else 0.0, vmax=limit)


def outline(ax: Axes, mask: Any, *, color: str = "white") -> None:
    """The border of a ``(H, W)`` boolean mask, drawn over what ``ax`` shows."""
    mask = finite(mask, "the mask").astype(float)
    if mask.any():
        ax.contour(mask, levels=[0.5], colors=["black"], linewidths=2.2)
        ax.contour(mask, levels=[0.5], colors=[color], linewidths=1.1)


def draw_box(ax: Axes, box: Sequence[float], *, color: str = "white", label: str | None = None) -> None:
    """A box (left, top, right, bottom) in pixels, right and bottom exclusive."""
    left, top, right, bottom = (float(v) for v in box)
    for line, ink in ((3.4, "black"), (1.8, color)):
        ax.add_patch(
            plt.Rectangle(
                (left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor=ink, linewidth=line
            )
        )
    if label:
        ax.text(left + 2, top + 3, label, color=color, fontsize=9, va="top", weight="bold")


def show_maps(
    images: Sequence[np.ndarray],
    maps: Mapping[str, Any],
    *,
    labels: Sequence[str] | None = None,
    masks: Any | None = None,
    signed: bool | str | Sequence[str] = False,
    alone: bool = False,
    title: str | None = None,
    width: float = WIDTH,
) -> Figure:
    """Pictures down the side, methods along the top, each map laid over its picture.

    ``maps``: name → ``(N, h, w)``. ``masks`` ``(N, H, W)`` draws the truth as an outline. ``signed``: True,
    or the names of the maps whose sign matters. ``alone``: draw the maps without the picture, the strongest
    half per cent cut off; that is how grainy maps of single pixels become visible.

    Raises:
        ValueError: `signed` names a map that is not there, or a picture is none (see `overlay`).
    """
    signed = (signed,) if isinstance(signed, str) else signed
    signed = set(maps) if signed is True else set(signed or ())
    if unknown := signed - set(maps):
        raise ValueError(
            f"signed names {', '.join(map(repr, sorted(unknown)))}: the maps are {', '.join(maps)}"
        )
    height, breadth = images[0].shape[:2]
    figure, axes = grid(len(images), len(maps) + 1, width=width, ratio=height / breadth)
    for i, image in enumerate(images):
        axes[i, 0].imshow(image)
        framed(axes[i, 0])
        if labels:
            axes[i, 0].set_ylabel(labels[i], fontsize=10, **PLAIN)
        for ax, (name, heat) in zip(axes[i, 1:], maps.items(), strict=True):
            if alone:
                show_pixels(ax, heat[i], signed=name in signed)
            else:
                ax.imshow(overlay(image, heat[i], signed=name in signed))
            if masks is not None:
                outline(ax, masks[i])
            if i == 0:
                ax.set_title(name, fontsize=10, **PLAIN)
    axes[0, 0].set_title("picture", fontsize=10)
    if title:
        _headline(figure, title)
    return figure


def _headline(figure: Figure, title: str) -> None:
    """A title over all axes, with room of its own: it must not run into the titles of the axes."""
    figure.set_figheight(figure.get_figheight() + 0.3)
    figure.suptitle(title, fontsize=11)


def score_plot(
    scores: Mapping[str, Any],
    *,
    xlabel: str,
    title: str | None = None,
    baselines: str | Sequence[str] = (),
    sort: bool = True,
    xlim: tuple[float, float] | None = (0.0, 1.02),
    ax: Axes | None = None,
    width: float = 8.0,
) -> Figure:
    """One dot a method: its mean over the pictures with a 95 % bootstrap interval; baselines in grey.

    ``scores``: name → ``(N,)`` values, one a picture.
    """
    baselines = (baselines,) if isinstance(baselines, str) else baselines
    values = {name: to_array(score).astype(float) for name, score in scores.items()}
    names = sorted(values, key=lambda name: values[name].mean()) if sort else list(values)[::-1]
    if ax is None:
        _, ax = plt.subplots(figsize=(width, 0.36 * len(names) + 1.1))
    for y, name in enumerate(names):
        mean = values[name].mean()
        low, high = bootstrap_interval(values[name])
        color = BASELINE if name in baselines else ACCENT
        ax.plot([low, high], [y, y], color=color, linewidth=2.5, solid_capstyle="round", alpha=0.55)
        ax.plot(mean, y, "s" if name in baselines else "o", color=color, markersize=7)
        ax.annotate(
            f"{mean:.2f}", (high, y), xytext=(7, 0), textcoords="offset points", va="center", fontsize=9
        )
    ax.set_yticks(range(len(names)), names)
    for label, name in zip(ax.get_yticklabels(), names, strict=True):
        label.set(color=BASELINE if name in baselines else INK, **PLAIN)
    ax.set_xlabel(xlabel, **PLAIN)
    ax.set_ylim(-0.6, len(names) - 0.4)
    if xlim:
        ax.set_xlim(*xlim)
    ax.grid(axis="x", color="#d9dde0", linewidth=0.8)
    ax.set_axisbelow(True)
    if title:
        ax.set_title(title, loc="left", **PLAIN)
    return ax.figure


def ink_on(colour: Any) -> str:
    """The colour, "white" or "black", in which a text on a ground of this colour is read best.

    One of the two has a contrast of at least 4.58 to 1 (WCAG 2.1, relative luminance).
    """
    channels = np.asarray(to_rgb(colour))
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "white" if linear @ (0.2126, 0.7152, 0.0722) < 0.179 else "black"


def matrix_plot(
    values: Any,
    row_names: Sequence[str],
    column_names: Sequence[str],
    *,
    title: str | None = None,
    signed: bool = False,
    log: bool = False,
    decimals: int = 2,
    cmap: str = "Blues",
    ax: Axes | None = None,
) -> Figure:
    """A table of numbers as coloured cells with the numbers written in; NaN is a cell without a colour.

    Raises:
        ValueError: infinite values, or nothing but NaN.
    """
    values = to_array(values).astype(float)
    if np.isinf(values).any() or np.isnan(values).all():
        raise ValueError("values must be finite numbers; NaN marks an empty cell, but one number is needed")
    if ax is None:
        size = (1.6 + 0.95 * len(column_names), 0.9 + 0.42 * len(row_names))
        _, ax = plt.subplots(figsize=(min(size[0], WIDTH), size[1]))
    limit = np.nanmax(np.abs(values)) or 1.0
    norm = LogNorm() if log else Normalize(-limit if signed else min(0.0, np.nanmin(values)), limit)
    colours = plt.get_cmap(DIVERGING if signed else cmap)
    ax.imshow(values, cmap=colours, norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        number = f"{value:.{decimals}f}"
        ink = ink_on(colours(norm(value)))
        ax.text(column, row, number, ha="center", va="center", fontsize=10, color=ink)
    ax.set_xticks(range(len(column_names)), column_names)
    ax.set_yticks(range(len(row_names)), row_names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if title:
        ax.set_title(title, loc="left", **PLAIN)
    return ax.figure


def save_gif(path: str | Path, frames: Iterable[Figure | np.ndarray], *, seconds: float = 0.2) -> Path:
    """Save frames one after the other as an animated GIF that repeats for ever, and return its path.

    ``frames``: figures, ``(H, W, 3)`` uint8 pictures, or ``(H, W)`` uint8 greys, all of one size in pixels.
    ``seconds``: how long each is shown, 0.02 … 600. GIFs have 256 colours a frame, so that soft shades get a
    little coarser. The file appears when it is whole.

    Raises:
        TypeError: a frame that is neither a figure nor a uint8 array.
        ValueError: no frame, another shape or size, another ending than .gif, no such folder, ``seconds`` out
            of range.
    """
    path = Path(path)
    if path.suffix.lower() != ".gif" or not path.parent.is_dir():
        raise ValueError(f"path must end in .gif and lie in a folder that exists, not {str(path)!r}")
    if not isinstance(seconds, (int, float)) or not 0.02 <= seconds <= 600:
        raise ValueError(f"seconds must be a number from 0.02 to 600, not {seconds!r}")
    if isinstance(frames, (str, bytes, Figure, Mapping)) or not isinstance(frames, Iterable):
        raise TypeError(f"frames must be a list of figures or pictures, not a {type(frames).__name__}")
    pictures = [_frame(frame, i) for i, frame in enumerate(frames)]
    if not pictures:
        raise ValueError("frames are empty: give at least one figure or picture")
    for i, picture in enumerate(pictures):
        if picture.size != pictures[0].size:
            raise ValueError(
                f"frames must have one size in pixels: frame {i} is {picture.size}, not {pictures[0].size}"
            )
    whole = io.BytesIO()
    pictures[0].save(
        whole, "GIF", save_all=True, append_images=pictures[1:], duration=round(1000 * seconds), loop=0
    )
    path.write_bytes(whole.getvalue())
    return path


def _frame(frame: Figure | np.ndarray, i: int) -> Any:
    """One frame as a PIL image in RGB."""
    from PIL import Image

    if isinstance(frame, Figure):
        buffer = io.BytesIO()
        frame.savefig(buffer, format="png", dpi=frame.dpi)
        return Image.open(buffer).convert("RGB")
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = frame.dtype if isinstance(frame, np.ndarray) else type(frame).__name__
        raise TypeError(
            f"frame {i} must be a figure or a uint8 array, not {kind}: scale a float picture to 0 … 255, or "
            "colour a map with overlay"
        )
    if frame.size == 0 or not (frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)):
        raise ValueError(f"frame {i} must have the shape (H, W, 3) or (H, W), not {frame.shape}")
    return Image.fromarray(frame).convert("RGB")


use_style()
