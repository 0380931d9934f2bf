"""What lesson 21 uses: a world of borrowers with known causes, a bank, cells of pictures, drawings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.judge import blur
from course_utils.labs.files import read_arrays
from course_utils.methods.arguments import check_count
from course_utils.methods.cam import upsample
from course_utils.methods.counterfactual import abduct, cheapest_change, simulate
from course_utils.teach import plots

# --- the world: years, and thousand euros (income: a year) ------------------------------------------------

EQUATIONS: dict[str, Callable[[dict], float]] = {
    "town": lambda v: 0,  # 0 North, 1 South
    "age": lambda v: 0,
    "education": lambda v: 21 - 0.15 * v["age"] - 2 * v["town"],
    "experience": lambda v: v["age"] - v["education"] - 4,
    "income": lambda v: 2.6 * v["education"] + 1.1 * v["experience"] - 28,
    "savings": lambda v: 0.8 * v["income"] - 10,
    "debt": lambda v: 40 - 0.45 * v["income"],
}
SPREAD = {"education": 1.8, "experience": 1.5, "income": 5.0, "savings": 8.0, "debt": 5.0}
COLUMNS = ("age", "education", "experience", "income", "savings", "debt")  # what the bank sees
UNITS = dict(zip(COLUMNS, ("years", "years", "years", "k€", "k€", "k€"), strict=True))
ARROWS = (
    ("town", "education"), ("age", "education"), ("age", "experience"), ("education", "experience"),
    ("education", "income"), ("experience", "income"), ("income", "savings"), ("income", "debt"),
)  # fmt: skip

Values = dict[str, np.ndarray]


def noise(n: int, seed: int = 0) -> Values:
    """Everything about n people that the equations leave open: name → (n,)."""
    rng = np.random.default_rng(seed)
    drawn = {name: rng.normal(0, spread, n) for name, spread in SPREAD.items()}
    return {"town": rng.integers(0, 2, n).astype(float), "age": rng.uniform(28, 64, n), **drawn}


def people(n: int, seed: int = 0) -> Values:
    """n people of the world: name → (n,)."""
    return simulate(EQUATIONS, noise(n, seed))


def table_of(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """The six columns that the bank sees, (n, 6)."""
    return np.column_stack([values[name] for name in COLUMNS])


def only(values: Mapping[str, np.ndarray], chosen) -> Values:
    """The same variables for the chosen people."""
    return {name: np.atleast_1d(value[chosen]) for name, value in values.items()}


def repaid(values: Mapping[str, np.ndarray], seed: int = 0) -> np.ndarray:
    """Whether each person paid a loan back: income and savings help, debt harms, nothing else counts."""
    log_odds = 0.09 * (values["income"] - 36) + 0.06 * (values["savings"] - 19) - 0.09 * (values["debt"] - 24)
    return np.random.default_rng(seed + 1000).random(len(log_odds)) < 1 / (1 + np.exp(-log_odds))


@dataclass(frozen=True, eq=False)
class Bank:
    """A logistic regression on six columns. A loan is given where the log-odds are above 0."""

    weights: np.ndarray  # (6,), for the columns' own units
    intercept: float

    def log_odds(self, table: np.ndarray) -> np.ndarray:
        """(n, 6) → (n,)."""
        return table @ self.weights + self.intercept


def bank(seed: int = 0, n: int = 50_000) -> Bank:
    """The bank's model, fitted to n earlier borrowers of the world."""
    values = people(n, seed)
    return fit_bank(table_of(values), repaid(values, seed))


def fit_bank(table: np.ndarray, labels: np.ndarray) -> Bank:
    """A logistic regression (hardly any penalty), in the columns' own units."""
    scaler = StandardScaler().fit(table)
    fitted = LogisticRegression(C=1e4, max_iter=1000).fit(scaler.transform(table), labels)
    weights = fitted.coef_[0] / scaler.scale_
    return Bank(weights, float(fitted.intercept_[0] - weights @ scaler.mean_))


def strangeness(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """The largest noise that each person needs, in standard deviations, (n,): above 4 hardly anybody."""
    needed = abduct(EQUATIONS, values)
    return np.max([np.abs(needed[name]) / spread for name, spread in SPREAD.items()], axis=0)


def follow(values: Mapping[str, np.ndarray], changes: Mapping[str, np.ndarray]) -> Values:
    """What becomes of people who change some variables by so much: everything caused by them follows."""
    forced = {name: values[name] + change for name, change in changes.items()}
    return simulate(EQUATIONS, abduct(EQUATIONS, values), forced)


# --- what a library proposes --------------------------------------------------------------------------------

DICE_FILE = "references/dice.npz"
DICE_WAYS = {  # our name → DiCE's method, and the columns that it may change
    "DiCE, random": ("random", COLUMNS),
    "DiCE, genetic": ("genetic", COLUMNS),
    "DiCE, money only": ("genetic", COLUMNS[3:]),
}


def dice(seed: int = 1) -> dict[str, np.ndarray]:
    """Stored answers of DiCE 0.12: name of `DICE_WAYS` → (20, 4, 6), rows for the first refused people.

    NaN where it found fewer than four.

    Args:
        seed: of the bank, 1 (the lesson's) or 101 to 105.

    Raises:
        ValueError: another seed.
    """
    stored = read_arrays(DICE_FILE)
    seeds = stored["seeds"].tolist()
    if seed not in seeds:
        raise ValueError(f"no answers are stored for seed {seed}: use one of {', '.join(map(str, seeds))}")
    return {name: stored[name][seeds.index(seed)] for name in DICE_WAYS}


# --- cells of a picture -------------------------------------------------------------------------------------


def in_cells(maps: Tensor, n_cells: int = 8) -> Tensor:
    """(N, h, w) maps as means over n_cells × n_cells cells, (N, n_cells, n_cells)."""
    return F.adaptive_avg_pool2d(upsample(maps, 16 * n_cells)[:, None], n_cells)[:, 0]


@torch.no_grad()
def cells_until_flip(
    model: nn.Module, inputs: Tensor, first: Tensor, second: Tensor, cells: Tensor, at_most: int = 24
) -> tuple[np.ndarray, Tensor]:
    """Blur one cell after the other, the largest first, until the second class has the higher score.

    Returns:
        How many cells that took, (N,); `at_most` + 1 where so many were not enough. And the pictures then.
    """
    blurred, n, side = blur(inputs), len(inputs), cells.shape[-1]
    order = cells.flatten(1).argsort(dim=1, descending=True)
    needed, changed = torch.full((n,), at_most + 1), inputs.clone()
    open_ = torch.arange(n)
    for k in range(1, at_most + 1):
        mask = torch.zeros(len(open_), side * side).scatter_(1, order[open_, :k], 1.0)
        mask = F.interpolate(mask.view(-1, 1, side, side), size=inputs.shape[-2:], mode="nearest")
        now = inputs[open_] * (1 - mask) + blurred[open_] * mask
        changed[open_] = now
        scores, rows = model(now), torch.arange(len(open_))
        flipped = scores[rows, second[open_]] > scores[rows, first[open_]]
        needed[open_[flipped]] = k
        open_ = open_[~flipped]
        if not len(open_):
            break
    return needed.numpy().astype(float), changed


# --- your own table -----------------------------------------------------------------------------------------


def own_change(table: str, row: int, fixed: tuple[str, ...] | str = ()) -> list[str]:
    """The cheapest change that turns one row of a table over, for a logistic regression of two classes.

    Args:
        table: "breast_cancer", "iris" or "wine", or the path of a CSV file with a line of names, columns of
            numbers and the class in the last column. Of several classes, the last is held against the rest.
        row: number of the row, from 0.
        fixed: names of columns (or one name) that may not change.

    Returns:
        Lines of text.

    Raises:
        ValueError: the file is missing or too small, its last column holds no classes, no such row or column,
            or no change of the other columns within the table's own range is enough.
    """
    from course_utils.lessons.l13_glass_boxes import table_with_classes

    own = table_with_classes(table)
    row = check_count(row, "row", at_least=0)
    fixed = (fixed,) if isinstance(fixed, str) else fixed  # a comma forgotten: ("alcohol")
    if not 0 <= row < len(own.table):
        raise ValueError(f"row {row} is not there: the table has the rows 0 to {len(own.table) - 1}")
    names = [str(name) for name in own.names]
    unknown = [name for name in fixed if name not in names]
    if unknown:
        raise ValueError(f"there is no column {unknown[0]!r}: the table has {', '.join(names)}")
    last = np.unique(own.targets)[-1]
    model = fit_bank(own.table[~own.unseen], own.targets[~own.unseen] == last)
    here = own.table[row]
    low, high = own.table.min(axis=0), own.table.max(axis=0)
    still = np.isin(names, fixed)
    low, high = np.where(still, here, low), np.where(still, here, high)
    scales = np.maximum(own.table.std(axis=0), 1e-12)
    try:
        change = cheapest_change(model.weights, model.intercept, here, scales, low, high)
    except ValueError:
        raise ValueError(
            "no change of the other columns within the table's range is enough: name fewer columns in fixed"
        ) from None
    says = "" if model.log_odds(here[None])[0] > 0 else "not "
    return [f"row {row}: the model says {says}class {last}; the cheapest change to the border:"] + [
        f"  {names[j]}: {here[j]:.4g} → {here[j] + change[j]:.4g} ({change[j] / scales[j]:+.2f} deviations)"
        for j in np.argsort(-np.abs(change) / scales)
        if change[j]
    ]


# --- drawings -----------------------------------------------------------------------------------------------

_PLACES = {
    "town": (0, 2), "age": (0, 0), "education": (1.3, 2), "experience": (1.3, 0), "income": (2.6, 1),
    "savings": (3.9, 1.8), "debt": (3.9, 0.2), "loan": (5.2, 1),
}  # fmt: skip


def draw_causes() -> plt.Figure:
    """The world as a graph: an arrow from each cause to its effect."""
    figure, ax = plt.subplots(figsize=(8.5, 2.7))
    ax.set(xlim=(-0.6, 5.8), ylim=(-0.5, 2.5))
    plots.bare(ax)
    into_loan = (("income", "loan"), ("savings", "loan"), ("debt", "loan"))
    boxes = {}
    for name, (x, y) in _PLACES.items():
        style = {"facecolor": "#d9dde0" if name == "loan" else "white", "edgecolor": plots.INK}
        label = ax.text(
            x, y, name, ha="center", va="center", fontsize=11, bbox={"boxstyle": "round,pad=0.45", **style}
        )
        boxes[name] = label.get_bbox_patch()
    for cause, effect in ARROWS + into_loan:
        arrow = {"arrowstyle": "-|>", "color": plots.INK, "linewidth": 1.4, "shrinkA": 2, "shrinkB": 2}
        ends = {"patchA": boxes[cause], "patchB": boxes[effect]}
        ax.annotate("", _PLACES[effect], _PLACES[cause], arrowprops=arrow | ends)
    return figure


def draw_changes(ax: Axes, change: np.ndarray, scales: np.ndarray, title: str) -> None:
    """A change of the six columns, in deviations, with the amounts in their own units."""
    steps = change / scales
    ax.barh(range(len(change)), steps, color=[plots.ACCENT if s > 0 else plots.COLOURS[1] for s in steps])
    for j, (step, amount) in enumerate(zip(steps, change, strict=True)):
        if abs(step) > 1e-9:
            ax.text(
                step, j, f" {amount:+.1f} {UNITS[COLUMNS[j]]} ", va="center", fontsize=9,
                ha="left" if step > 0 else "right",
            )  # fmt: skip
    ax.axvline(0, color=plots.INK, linewidth=0.8)
    ax.set_yticks(range(len(change)), COLUMNS)
    ax.set_ylim(len(change) - 0.4, -0.6)  # the first column on top
    ax.set_title(title, loc="left", fontsize=10)
