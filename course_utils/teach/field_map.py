"""The map of the field: where each lesson of the course stands, as one drawn figure.

From left to right: before modelling (look at the data), in the model (glass boxes, *ante hoc*), after it
(explain what was trained, *post hoc*). The right part has a row for what a method may see of the model, and a
column each for explanations of one answer (*local*) and of the whole model (*global*).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle

from course_utils.judge import methods_table
from course_utils.teach import plots

_SIZE = (100.0, 64.0)  # units of the drawing: 10 inches wide, 6.4 high
_COLOURS = {
    "before": "#e69f00",
    "in": "#009e73",
    "white box": "#0072b2",
    "gradients": "#56b4e9",
    "black box": "#22303c",
    "judge": "#cc79a7",
}

_TITLES = {
    "before": "Before modelling",
    "in": "In the model",
    "white box": "After training, with weights and activations",
    "gradients": "After training, with gradients",
    "black box": "After training, with answers only",
    "judge": "Above all",
}


@dataclass(frozen=True)
class Place:
    """Where a lesson stands: number, name, kinds of input, region; box (left, bottom, width, height).

    The name is that of an idea; the single methods stand in the table of methods with their lesson.
    """

    lesson: int
    name: str
    inputs: str
    region: str
    box: tuple[float, float, float, float]


PLACES = (
    Place(1, "Mean pictures", "pictures", "before", (1.2, 43.3, 15.1, 7)),
    Place(1, "Prototypes", "pictures", "before", (1.2, 35.3, 15.1, 7)),
    Place(1, "One number", "pictures, tables", "before", (1.2, 27.3, 15.1, 7)),
    Place(13, "Linear, logistic", "tables", "in", (18.9, 45.5, 15.7, 4.8)),
    Place(13, "Decision tree", "tables", "in", (18.9, 39.9, 15.7, 4.8)),
    Place(13, "Naive Bayes", "tables", "in", (18.9, 34.3, 15.7, 4.8)),
    Place(13, "Additive model", "tables", "in", (18.9, 28.7, 15.7, 4.8)),
    Place(13, "Rules", "facts", "in", (18.9, 23.1, 15.7, 4.8)),
    Place(18, "Latent axes", "pictures", "in", (18.9, 17.5, 15.7, 4.8)),
    Place(19, "Concepts", "pictures", "in", (18.9, 11.9, 15.7, 4.8)),
    Place(2, "Deconvnet", "pictures", "white box", (47.5, 43.3, 12.3, 7)),
    Place(3, "CAM", "pictures", "white box", (60.2, 43.3, 10, 7)),
    Place(10, "Attention", "text", "white box", (70.6, 43.3, 12.4, 7)),
    Place(4, "Grad-CAM", "pictures", "white box", (47.5, 35.3, 12.3, 7)),
    Place(5, "CAM in practice", "pictures", "white box", (60.1, 35.3, 15.3, 7)),
    Place(14, "LRP", "pictures", "white box", (75.8, 35.3, 8, 7)),
    Place(16, "Transformer", "text", "white box", (85, 45.5, 13.8, 5.5)),
    Place(11, "Embeddings", "text", "white box", (85, 39.8, 13.8, 5.5)),
    Place(20, "Exact pieces", "pictures, tables", "white box", (85, 34.1, 13.8, 5.5)),
    Place(8, "Saliency, SmoothGrad, IG", "pictures", "gradients", (47.5, 24.3, 24, 7)),
    Place(17, "Influence", "training data", "gradients", (71.9, 24.3, 11.9, 7)),
    Place(9, "Filters", "pictures", "gradients", (85, 24.3, 13.8, 7)),
    Place(1, "Cover it", "pictures", "black box", (46.2, 17.1, 10.2, 4.7)),
    Place(21, "What if?", "tables", "black box", (46.2, 11.7, 10.2, 4.7)),
    Place(6, "LIME", "all", "black box", (56.6, 13.3, 14.6, 7)),
    Place(7, "SHAP", "all", "black box", (71.4, 13.3, 15.2, 7)),
    Place(13, "Partial\ndependence,\npermutation", "tables", "black box", (86.9, 12.1, 12, 9.4)),
    Place(12, "Judging explanations: is it true, is it stable, does it tell a good model from a bad one?",
          "", "judge", (1.2, 2, 69.6, 6)),
    Place(15, "Fooled: what an attack does", "", "judge", (71.2, 2, 27.6, 6)),
)  # fmt: skip
LESSONS = tuple(sorted({place.lesson for place in PLACES}))


def show_field_map(highlight: int | Collection[int] | None = None, *, width: float = plots.WIDTH) -> Figure:
    """Draw the map of the field with every lesson in its place.

    Args:
        highlight: number of the lesson to point out, or several; the others become pale. None: no one.
        width: of the figure, in inches; it is legible from 9 on.

    Raises:
        ValueError: a lesson that the map does not have.
    """
    wanted = {highlight} if isinstance(highlight, int) else set(highlight or ())
    unknown = sorted(wanted - set(LESSONS))
    if unknown:
        raise ValueError(f"the map has the lessons {LESSONS[0]} to {LESSONS[-1]}, not {unknown[0]}")
    figure, ax = plt.subplots(figsize=(width, width * _SIZE[1] / _SIZE[0]))
    ax.set(xlim=(0, _SIZE[0]), ylim=(0, _SIZE[1]))
    plots.bare(ax)
    _columns(ax)
    _post_hoc(ax)
    for place in PLACES:
        _chip(ax, place, highlighted=place.lesson in wanted, pale=bool(wanted))
    return figure


def describe(lesson: int | None = None) -> str:
    """The map as text, for readers who do not see it: each region, its lessons, and the methods they teach.

    Args:
        lesson: only what the map has of this one; None: everything.
    """
    parts = []
    for region, title in _TITLES.items():
        here = [place for place in PLACES if place.region == region and lesson in (None, place.lesson)]
        if here:
            parts.append(f"{title}: {'; '.join(_in_words(place) for place in here).rstrip('?')}.")
    return " ".join(parts)


def methods_of(place: Place) -> list[str]:
    """The methods for pictures that a lesson teaches in this region, from the table of methods."""
    regions = {"gradients": "gradients", "cam": "white box", "perturbation": "black box"}
    mine = {p.region for p in PLACES if p.lesson == place.lesson}
    return [
        method.name
        for method in methods_table.METHODS
        if method.lesson == place.lesson
        and (regions.get(method.family) == place.region or regions.get(method.family) not in mine)
    ]


def _in_words(place: Place) -> str:
    name = " ".join(place.name.split())
    methods = [m for m in methods_of(place) if m.lower() != name.lower()]
    return f"{place.lesson:02d} {name}" + (f" ({', '.join(methods)})" if methods else "")


def _columns(ax: Axes) -> None:
    """Three arrows along the top: before, in, after the model; and what the first two hold."""
    headers = (
        (0.5, 17.5, "before modelling", "what is in the data?", "before"),
        (18.2, 17.8, "in the model", "ante hoc: a glass box", "in"),
        (36.2, 63.3, "after training", "post hoc: explain the model as it is", "white box"),
    )
    for left, width, title, question, region in headers:
        tip = 2.0
        corners = [
            (left, 56.5),
            (left + width - tip, 56.5),
            (left + width, 60),
            (left + width - tip, 63.5),
            (left, 63.5),
        ]
        ax.add_patch(Polygon(corners, facecolor=_COLOURS[region], alpha=0.22, edgecolor="none"))
        ax.text(left + 1, 61.2, title, fontsize=11, weight="bold", va="center")
        ax.text(left + 1, 58.2, question, fontsize=8.5, va="center")
    for left, width, note in ((0.5, 16.5, "no model yet"), (18.2, 17.1, "local and global at once")):
        ax.add_patch(Rectangle((left, 11.5), width, 43.5, facecolor="#f4f5f6", edgecolor="none"))
        ax.text(left + width / 2, 53.4, note, fontsize=9, style="italic", ha="center", va="center")


def _post_hoc(ax: Axes) -> None:
    """The rows (what a method may see of the model) and the columns (one answer, the whole model)."""
    rows = (
        (33.5, 18, "white box", "white box", "weights and\nactivations"),
        (22.5, 10.5, "gradients", "gradients", "answers and\ntheir slopes"),
        (11.5, 10.5, "black box", "black box", "answers only"),
    )
    for bottom, height, region, title, sees in rows:
        ax.add_patch(
            Rectangle((36.2, bottom), 63.3, height, facecolor=_COLOURS[region], alpha=0.08, edgecolor="none")
        )
        ax.add_patch(Rectangle((36.2, bottom), 0.7, height, facecolor=_COLOURS[region], edgecolor="none"))
        middle = bottom + height / 2
        ax.text(37.5, middle + 2.3, title, fontsize=8.5, weight="bold", va="center")
        ax.text(37.5, middle - 1.3, sees, fontsize=8.5, va="center", linespacing=1.2)
    ax.plot([84, 84], [11.5, 54.5], color=plots.BASELINE, linewidth=0.8, linestyle=(0, (4, 4)), zorder=1)
    ax.text(65.7, 53.4, "local: why this answer?", fontsize=9, ha="center", va="center", style="italic")
    ax.text(91.9, 53.4, "global: the model", fontsize=9, ha="center", va="center", style="italic")


def _chip(ax: Axes, place: Place, *, highlighted: bool, pale: bool) -> None:
    """One lesson: number, name, and what it explains."""
    left, bottom, width, height = place.box
    colour = _COLOURS[place.region]
    face, ink, edge = ("white", plots.INK, colour)
    if highlighted:
        face, ink = colour, "white" if place.region in ("black box", "white box", "in") else "black"
    elif pale:
        ink, edge = "#6b747b", "#c3c8cc"
    ax.add_patch(
        FancyBboxPatch(
            (left + 0.4, bottom + 0.4),
            width - 0.8,
            height - 0.8,
            boxstyle="round,pad=0.3,rounding_size=1.0",
            facecolor=face,
            edgecolor=edge,
            linewidth=2.4 if highlighted else 1.3,
            zorder=2,
        )
    )
    label = f"{place.lesson:02d} {place.name}"
    high = bottom + height * (0.66 if place.inputs else 0.5) - 0.2 * label.count("\n")
    ax.text(
        left + width / 2, high, label,
        fontsize=9, weight="bold", color=ink, ha="center", va="center", zorder=3, linespacing=1.05,
    )  # fmt: skip
    if place.inputs:
        kinds = "pictures, text, tables" if place.inputs == "all" else place.inputs
        ax.text(
            left + width / 2, bottom + min(1.9, 0.27 * height), kinds,
            fontsize=8.5, color=ink, ha="center", va="center", zorder=3,
        )  # fmt: skip
