"""Lesson 07's common ground: one flat, one band, and how shares are drawn."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np

from course_utils.judge.agreement.libraries import do_not_compile
from course_utils.teach import plots

do_not_compile()
logging.getLogger("shap").setLevel("ERROR")  # no advice about run times on the page

FACTS = ["park nearby", "area", "floor", "cats banned"]
FLAT = np.array([1.0, 50.0, 2.0, 1.0])  # a park nearby, 50 m², second floor, no cats

PLAYERS = ["Ann", "Ben", "Cem"]
EARNED = np.array([0.0, 10.0, 20.0, 60.0, 0.0, 40.0, 20.0, 90.0])  # worth of the coalitions 0 … 7

FOR, AGAINST = "#b2182b", "#2166ac"


def show_shares(
    values: np.ndarray,
    row_names: Sequence[str],
    column_names: Sequence[str],
    title: str,
    *,
    height: float = 2.4,
    decimals: int = 2,
) -> None:
    """A table of shares as coloured cells: red adds, blue takes away."""
    _, ax = plt.subplots(figsize=(8.5, height))
    plots.matrix_plot(values, row_names, column_names, signed=True, decimals=decimals, ax=ax)
    ax.set_title(title, loc="left")


def shap_figure(draw: Callable, explained: object, width: float, height: float, **options: object) -> None:
    """Draw one of shap's own plots at the size of this page."""
    plt.rcParams["figure.constrained_layout.use"] = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            draw(explained, show=False, **options)
            plt.gcf().set_size_inches(width, height)
            plt.gcf().tight_layout()
    finally:
        plt.rcParams["figure.constrained_layout.use"] = True


def force_bar(base: float, phi: np.ndarray, names: Sequence[str], unit: str) -> None:
    """What pushes the prediction up (red, from the left) and down (blue, from the right) in one bar."""
    answer = base + phi.sum()
    _, ax = plt.subplots(figsize=(10, 1.9))
    ends = [base, answer]
    for sign, colour in ((1, FOR), (-1, AGAINST)):
        edge = answer
        for i in sorted(np.flatnonzero(sign * phi > 0), key=lambda i: -abs(phi[i])):
            start, edge = edge, edge - phi[i]
            ends.append(edge)
            ax.barh(0, edge - start, left=start, color=colour, edgecolor="white", linewidth=2)
            ax.text(
                (start + edge) / 2,
                0,
                f"{names[i]}\n{phi[i]:+.1f}",
                color="white",
                ha="center",
                va="center",
                fontsize=9,
            )
    for x, label in ((answer, f"prediction {answer:.1f}"), (base, f"average {base:.1f}")):
        ax.plot([x, x], [0.42, 0.58], color=plots.INK, linewidth=1.5)
        ax.text(x, 0.6, label, ha="center", va="bottom", fontsize=10)
    room = 0.08 * (max(ends) - min(ends))
    ax.set(yticks=[], ylim=(-0.6, 1.0), xlim=(min(ends) - room, max(ends) + room), xlabel=unit)
    ax.spines["left"].set_visible(False)


def orders_plot(worths: np.ndarray, ax: plt.Axes) -> np.ndarray:
    """What each of three friends adds in each order (dots) and on average (diamond); returns the averages."""
    steps = np.array([_added(worths, order) for order in _ORDERS])
    shares = steps.mean(axis=0)
    for p, colour in enumerate(plots.COLOURS[:3]):
        ax.plot(steps[:, p], np.full(len(steps), p), "o", color=colour, alpha=0.35, markersize=8)
        ax.plot(shares[p], p, "D", color=colour, markersize=10, markeredgecolor="black")
        ax.annotate(
            f"{shares[p]:.1f}", (shares[p], p), xytext=(0, 11), textcoords="offset points", ha="center"
        )
    ax.axvline(0, color=plots.BASELINE, linewidth=0.8)
    ax.set_yticks(range(3), PLAYERS)
    ax.set_ylim(2.5, -0.7)
    return shares


_ORDERS: tuple[tuple[int, ...], ...] = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def _added(worths: np.ndarray, order: Sequence[int]) -> np.ndarray:
    gains, code = np.zeros(3), 0
    for player in order:
        gains[player] = worths[code | 1 << player] - worths[code]
        code |= 1 << player
    return gains


def worst(values: np.ndarray, exact: np.ndarray) -> float:
    """The largest error, as a share of the largest exact value."""
    return float(np.abs(np.asarray(values) - exact).max() / np.abs(exact).max())
