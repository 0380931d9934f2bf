"""What lesson 13 and its companions share: two real tables, a table of one's own, and drawings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, plot_tree

from course_utils.labs import load_lab
from course_utils.teach import plots

PATIENT_COLUMNS = (
    "age",
    "sex",
    "body mass index",
    "blood pressure",
    "total cholesterol",
    "LDL cholesterol",
    "HDL cholesterol",
    "total / HDL",
    "log triglycerides",
    "glucose",
)
THREE = {"size": "worst radius", "notches": "worst concave points", "texture": "worst texture"}


@dataclass(frozen=True, eq=False)
class Patients:
    """442 people with diabetes: ten measurements each, and how far the disease had got after one year."""

    table: np.ndarray  # (442, 10), in the columns' own units
    standardised: np.ndarray  # the same, mean 0 and standard deviation 1
    outcome: np.ndarray  # (442,), 25 to 346
    names: tuple[str, ...]


def patients() -> Patients:
    """The diabetes table (Efron and others, 2004)."""
    data = load_diabetes(scaled=False)
    scaled = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
    return Patients(data.data, scaled, data.target, PATIENT_COLUMNS)


@dataclass(frozen=True, eq=False)
class Tumours:
    """569 breast tumours: thirty measurements of cell nuclei each, and whether the tumour was malignant."""

    table: np.ndarray  # (569, 30)
    malignant: np.ndarray  # (569,), 0 or 1
    names: tuple[str, ...]
    train: np.ndarray  # indices of the rows to fit to
    test: np.ndarray  # indices of the others
    three: np.ndarray  # (569, 3): the columns of THREE, standardised with the training rows


def tumours(seed: int = 0) -> Tumours:
    """The table of tumours (Street and others, 1993), three tenths of it held back; `seed` of the split."""
    lab = load_lab("tabular", table="breast_cancer", model="tree")
    malignant = (lab.targets == lab.class_names.index("malignant")).astype(int)
    train, test = train_test_split(
        np.arange(len(malignant)), test_size=0.3, random_state=seed, stratify=malignant
    )
    three = lab.table[:, [lab.feature_names.index(name) for name in THREE.values()]]
    three = (three - three[train].mean(axis=0)) / three[train].std(axis=0)
    return Tumours(lab.table, malignant, lab.feature_names, train, test, three)


def fit_logistic(rows: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and standard errors, (B, columns) each: one fit (Newton's) for each row of `counts`.

    Args:
        rows: (N, columns), a column of ones among them.
        labels: (N,), 0 or 1.
        counts: (B, N), how often each row counts in each fit.
    """
    columns = rows.shape[1]
    b = np.zeros((len(counts), columns))
    squares = (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), columns**2)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-np.clip(b @ rows.T, -30, 30)))
        bend = ((counts * chance * (1 - chance)) @ squares).reshape(-1, columns, columns)
        bend += 1e-9 * np.eye(columns)
        b = b + np.linalg.solve(bend, ((counts * (labels - chance)) @ rows)[..., None])[..., 0]
    return b, np.sqrt(np.diagonal(np.linalg.inv(bend), axis1=1, axis2=2))


def scikit_learn_orders(n_rows: int, n_repeats: int, random_state: int) -> np.ndarray:
    """The orders in which scikit-learn's `permutation_importance` puts each column, `(n_repeats, n_rows)`."""
    draw = np.random.RandomState(np.random.RandomState(random_state).randint(2**31))
    index, order, orders = np.arange(n_rows), np.arange(n_rows), []
    for _ in range(n_repeats):  # both are shuffled again and again, never put back
        draw.shuffle(index)
        order = order[index]
        orders.append(order)
    return np.array(orders)


@dataclass(frozen=True, eq=False)
class OwnTable:
    """A table with a fitted model: what the lesson's methods need."""

    table: np.ndarray
    targets: np.ndarray
    names: tuple[str, ...]
    model: object
    unseen: np.ndarray  # (N,) bool: rows that the model was not fitted to
    is_classifier: bool


def own_table(table: str | Path, model: str = "forest", *, seed: int = 0) -> OwnTable:
    """A table of the course, or a CSV file, with a model fitted to seven tenths of its rows.

    Args:
        table: "breast_cancer", "diabetes", "iris" or "wine", or the path of a CSV file with a line of names:
            its last column is the target; columns that are not numbers and rows with gaps are left out.
        model: "linear", "tree", "forest" or "network".
        seed: of the split and of the fit.

    Raises:
        ValueError: the file is missing, or holds too little to fit a model to; or an unknown model.
    """
    if str(table).lower().endswith(".csv"):
        rows, targets, names = _read_csv(Path(table))
    elif str(table) == "diabetes":  # in the columns' own units and with names in words
        people = patients()
        rows, targets, names = people.table, people.outcome, people.names
    else:
        lab = load_lab("tabular", table=str(table), model="tree")
        rows, targets, names = lab.table, lab.targets, lab.feature_names
    is_classifier = _are_classes(targets)
    if model not in _MODELS:
        raise ValueError(f"there is no model {model!r}: choose one of {', '.join(_MODELS)}")
    train, _ = train_test_split(np.arange(len(rows)), test_size=0.3, random_state=seed)
    fitted = _MODELS[model][not is_classifier](seed).fit(rows[train], targets[train])
    unseen = np.ones(len(rows), bool)
    unseen[train] = False
    return OwnTable(rows, targets, names, fitted, unseen, is_classifier)


def _are_classes(targets: np.ndarray) -> bool:
    """Words are classes, and so are up to twenty different whole numbers."""
    if targets.dtype.kind not in "iuf":
        return True
    return len(np.unique(targets)) <= 20 and bool((targets == np.round(targets)).all())


_MODELS = {  # for classes, for numbers
    "linear": (
        lambda seed: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        lambda seed: make_pipeline(StandardScaler(), LinearRegression()),
    ),
    "tree": (
        lambda seed: DecisionTreeClassifier(max_depth=4, random_state=seed),
        lambda seed: DecisionTreeRegressor(max_depth=4, random_state=seed),
    ),
    "forest": (
        lambda seed: RandomForestClassifier(100, random_state=seed),
        lambda seed: RandomForestRegressor(100, random_state=seed),
    ),
    "network": (
        lambda seed: make_pipeline(
            StandardScaler(),
            MLPClassifier(hidden_layer_sizes=(16,), alpha=1.0, max_iter=2000, random_state=seed),
        ),
        lambda seed: make_pipeline(
            StandardScaler(),
            MLPRegressor(hidden_layer_sizes=(16,), alpha=1.0, max_iter=5000, random_state=seed),
        ),
    ),
}


def _read_csv(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    import pandas as pd  # slow to import

    if not path.is_file():
        raise ValueError(f"there is no file {path}: give the path of a CSV file with a line of names")
    data = pd.read_csv(path).dropna()
    targets = data.iloc[:, -1]
    columns = data.iloc[:, :-1].select_dtypes("number")
    if len(data) < 20 or columns.shape[1] == 0 or targets.nunique() < 2:
        raise ValueError(
            f"{path} has {len(data)} rows without gaps and {columns.shape[1]} columns of numbers before the "
            "last one: at least 20 rows, one such column and two different targets are needed"
        )
    return columns.to_numpy(float), targets.to_numpy(), tuple(str(name) for name in columns)


# --- drawings ---------------------------------------------------------------------------------------------


def draw_tree(tree: DecisionTreeClassifier, names: tuple[str, ...], *, height: float = 5.6) -> Figure:
    """A tree with two classes, benign and malignant: blue and orange boxes, the paler the less sure."""
    figure, ax = plt.subplots(figsize=(plots.WIDTH, height))
    drawn = plot_tree(
        tree, ax=ax, feature_names=list(names), class_names=["benign", "malignant"], label="none",
        filled=True, rounded=True, impurity=False, precision=4, fontsize=12,
    )  # fmt: skip
    shares = iter(tree.tree_.value[:, 0, 1] / tree.tree_.value[:, 0].sum(axis=1))  # malignant, box by box
    for text in ax.texts:  # the two branches below the first question
        if text.get_text().strip() in ("True", "False"):
            text.set_text(text.get_text().replace("True", "yes").replace("False", "no"))
    for box in drawn:  # two lines for a question, the counts in words, some air, and our colours
        box.set_text(_in_words(box.get_text()))
        if box.get_bbox_patch() is not None:
            share = next(shares)
            sure = 0.7 * abs(2 * share - 1)
            colour = 1 - sure + sure * np.array(to_rgb(plots.COLOURS[int(share > 0.5)]))  # mixed with white
            box.set_bbox({"boxstyle": "round,pad=0.5", "facecolor": colour, "edgecolor": plots.INK})
    return figure


def _in_words(text: str) -> str:
    """The text of a box: the question, how many tumours of each kind, and at an end the answer."""
    found = re.search(r"(\d+)\n\[(\d+)(?:\.0)?, (\d+)(?:\.0)?\]\n(\w+)", text)
    if not found:
        return text
    _, benign, malignant, answer = found.groups()
    question = text[: found.start()].replace(" <= ", "\n≤ ")
    return f"{question}{benign} benign,\n{malignant} malignant" + ("" if question else f":\n{answer}")


def draw_intervals(
    ax: plt.Axes,
    rows: dict[str, tuple[float, float, float]],
    *,
    grey: tuple[str, ...] = (),
    decimals: int = 2,
    colours: dict[str, str] | None = None,
) -> None:
    """One dot and one line a name: `rows` is name → (value, low, high); the first name stands on top."""
    names = list(rows)[::-1]
    for y, name in enumerate(names):
        value, low, high = rows[name]
        colour = plots.BASELINE if name in grey else (colours or {}).get(name, plots.ACCENT)
        ax.plot([low, high], [y, y], color=colour, linewidth=2.5, alpha=0.55, solid_capstyle="round")
        ax.plot(value, y, "s" if name in grey else "o", color=colour, markersize=6)
        ax.annotate(
            f"{round(value, decimals) + 0.0:.{decimals}f}",  # + 0.0: no "-0.00"
            (value, y),
            xytext=(0, 4),
            ha="center",
            va="bottom",
            textcoords="offset points",
            fontsize=9,
        )
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(-0.6, len(names) - 0.2)
    ax.grid(axis="x", color="#d9dde0", linewidth=0.8)
    ax.set_axisbelow(True)


def draw_parts(ax: plt.Axes, parts: dict[str, float]) -> None:
    """Parts of a log-odds as bars: orange speaks for malignant, blue for benign."""
    values = list(parts.values())[::-1]
    colours = [plots.COLOURS[1] if part > 0 else plots.COLOURS[0] for part in values]
    ax.barh(list(parts)[::-1], values, color=colours)
    ax.axvline(0, color=plots.INK, linewidth=0.8)


def table_with_classes(table: str | Path) -> OwnTable:
    """`own_table` with a linear model.

    Raises:
        ValueError: the file is missing or too small, or its last column holds no classes.
    """
    own = own_table(table, "linear")
    if not own.is_classifier:
        raise ValueError(
            f"the last column of {table} holds numbers, not classes: choose a table with classes"
        )
    return own


def own_classes(
    table: str | Path, row: int
) -> tuple[OwnTable, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A table with classes, and whether `row` is one of its unseen rows.

    Returns:
        The table, its rows in units of the learnt rows' standard deviations (n, d), the classes' names, each
        row's class as a number (n,), and the numbers of the learnt and of the unseen rows.

    Raises:
        ValueError: the file is missing or too small, its last column holds no classes, or no such row.
    """
    own = table_with_classes(table)
    classes, labels = np.unique(own.targets, return_inverse=True)
    learnt, unseen = np.flatnonzero(~own.unseen), np.flatnonzero(own.unseen)
    if not 0 <= row < len(unseen):
        raise ValueError(f"row {row} is not there: the table has the unseen rows 0 to {len(unseen) - 1}")
    spread = own.table[learnt].std(axis=0)
    scaled = (own.table - own.table[learnt].mean(axis=0)) / np.where(spread > 0, spread, 1)
    return own, scaled, classes, labels, learnt, unseen
