"""What lesson 17 uses: two real tables, fits and refits, wrong labels that we plant, drawings."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.methods.arguments import check_count, check_positive
from course_utils.methods.influence import example_gradients, influence, self_influence, tracin_self
from course_utils.teach import plots

N_TRAIN = 400  # tumours
HIDDEN = 16  # units of the small network


@dataclass(frozen=True, eq=False)
class Tumours:
    """569 breast tumours in two parts. Rows begin with a 1; thirty standardised measurements follow."""

    rows: np.ndarray  # (400, 31), to fit to
    labels: np.ndarray  # (400,) float, 1 malignant, 0 benign
    test_rows: np.ndarray  # (169, 31)
    test_labels: np.ndarray
    names: tuple[str, ...]  # of the thirty columns


def tumours(seed: int = 0) -> Tumours:
    """The table of tumours (Street and others, 1993); `seed` of the split."""
    data = load_breast_cancer()
    order = np.random.default_rng(seed).permutation(len(data.data))
    train, test = order[:N_TRAIN], order[N_TRAIN:]
    scaled = (data.data - data.data[train].mean(axis=0)) / data.data[train].std(axis=0)
    rows = with_ones(scaled)
    malignant = (data.target == 0).astype(float)
    return Tumours(
        rows[train], malignant[train], rows[test], malignant[test], tuple(map(str, data.feature_names))
    )


@dataclass(frozen=True, eq=False)
class Digits:
    """Handwritten digits, 8 × 8 pixels from 0 to 1."""

    pictures: np.ndarray  # (n, 64), to fit to
    labels: np.ndarray  # (n,)
    test_pictures: np.ndarray  # (m, 64)
    test_labels: np.ndarray


def digits(seed: int = 0, n: int = 600, m: int = 400) -> Digits:
    """Handwritten digits (Alpaydin and Kaynak, 1998); `seed` of the draw."""
    pictures, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    train, test = order[:n], order[n : n + m]
    return Digits(pictures[train] / 16, labels[train], pictures[test] / 16, labels[test])


def fit_softmax(rows: np.ndarray, labels: np.ndarray, lam: float, n: int | None = None) -> nn.Linear:
    """The linear classifier that minimises (1/n) Σ loss + λ/2 ‖θ‖², in double precision.

    Args:
        rows: (N, d), with a column of ones: every weight is punished alike.
        labels: (N,), all classes 0 … 9 among them.
        lam: λ.
        n: what the sum is divided by; None: the number of rows.
    """
    fitted = LogisticRegression(
        C=1 / ((n or len(rows)) * lam), fit_intercept=False, solver="newton-cholesky", tol=1e-10
    ).fit(rows, labels)
    model = nn.Linear(rows.shape[1], len(fitted.classes_), bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.from_numpy(fitted.coef_))
    return model


def with_ones(rows: np.ndarray) -> np.ndarray:
    """The rows with a column of ones in front."""
    return np.column_stack([np.ones(len(rows)), rows])


def tensors(data: Digits) -> tuple[Tensor, Tensor]:
    """Training and test pictures with a 1 in front, (n, 65) and (m, 65)."""
    return torch.from_numpy(with_ones(data.pictures)), torch.from_numpy(with_ones(data.test_pictures))


def plant(
    data: Digits, victim: int, wrong: int, n_planted: int = 12, *, among: int | None = None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Give the training digits of the victim's class that resemble it most a wrong label.

    Args:
        data: the digits.
        victim: the test digit.
        wrong: the label.
        n_planted: how many.
        among: draw them among so many that resemble it most; None: the most similar ones.
        seed: of this draw.

    Returns:
        The labels, and which of them are wrong, (n,) bool.
    """
    distance = ((data.pictures - data.test_pictures[victim]) ** 2).sum(axis=1)
    distance[data.labels != data.test_labels[victim]] = np.inf
    planted = np.zeros(len(data.labels), bool)
    near = np.argsort(distance)[: among or n_planted]
    planted[np.random.default_rng(seed).choice(near, n_planted, replace=False)] = True
    return np.where(planted, wrong, data.labels), planted


def random_labels(data: Digits, n_wrong: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Give `n_wrong` training digits, drawn at random, another label; returns labels and which are wrong."""
    rng = np.random.default_rng(seed)
    wrong = np.zeros(len(data.labels), bool)
    wrong[rng.choice(len(data.labels), n_wrong, replace=False)] = True
    shifted = (data.labels + rng.integers(1, 10, len(data.labels))) % 10
    return np.where(wrong, shifted, data.labels), wrong


def four_lists(
    model: nn.Linear, data: Digits, labels: np.ndarray, at: int, wrong: int, lam: float
) -> dict[str, np.ndarray]:
    """Scores of the training digits by four lists, low = suspect, for the test digit `at`, called `wrong`."""
    rows, asked = (torch.from_numpy(with_ones(p)) for p in (data.pictures, data.test_pictures[at : at + 1]))
    y, y_asked = torch.from_numpy(labels), torch.from_numpy(data.test_labels[at : at + 1])
    with torch.no_grad():
        losses = F.cross_entropy(model(rows), y, reduction="none").numpy()
    slopes = example_gradients(model, rows, y) @ example_gradients(model, asked, y_asked)[0]
    distance = ((data.pictures - data.test_pictures[at]) ** 2).sum(axis=1)
    return {
        "influence": influence(model, rows, y, asked, y_asked, lam)[0].numpy(),
        "gradient product": slopes.numpy(),
        "largest loss": -losses,
        "nearest with that label": np.where(labels == wrong, distance, np.inf),
    }


def suspicion(pictures: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Five lists that find wrong labels, high = suspect, (n,) each; trains a small network."""
    moments = train_networks(
        pictures, labels, torch.ones(1, len(labels)), n_steps=300, keep=(30, 60, 120, 300)
    )[1]
    networks = [nets[0] for nets in moments]
    with torch.no_grad():
        losses = torch.stack([F.cross_entropy(net(pictures), labels, reduction="none") for net in networks])
    near = torch.cdist(pictures, pictures).argsort(dim=1)[:, 1:6]
    return {
        "self-influence, damping 0.1": self_influence(networks[-1], pictures, labels, 0.1),
        "TracIn on itself": tracin_self(networks, 0.5, pictures, labels),
        "loss at the end": losses[-1],
        "loss, mean of 4 moments": losses.mean(dim=0),
        "5 neighbours disagree": (labels[near] != labels[:, None]).float().mean(dim=1),
    }


# --- a small network, and many trainings of it at once ----------------------------------------------------


def train_networks(
    pictures: Tensor,
    labels: Tensor,
    counts: Tensor,
    *,
    seeds: list[int] | None = None,
    n_steps: int = 800,
    keep: tuple[int, ...] = (),
    rate: float = 0.5,
    decay: float = 1e-3,
) -> tuple[list[nn.Sequential], list[list[nn.Sequential]]]:
    """Train networks of 64, 16 and 10 units side by side, with gradient descent on all examples.

    Args:
        pictures: (n, 64) float.
        labels: (n,) long.
        counts: (B, n), how often each example counts in each of B trainings; the sum is divided by n.
        seeds: of the first weights, one a training; None: 0 for all.
        n_steps: steps of size `rate`.
        keep: numbers of steps after which all networks are stored.
        rate, decay: step size, and λ of the penalty λ/2 ‖θ‖².

    Returns:
        B trained networks, and for each number in `keep` the B networks at that moment.
    """
    weights = [p.requires_grad_() for p in _first_weights(seeds or [0] * len(counts))]
    target = F.one_hot(labels, 10).to(pictures)
    stored = []
    for step in range(1, n_steps + 1):
        a, b, c, d = weights
        scores = torch.tanh(pictures @ a + b) @ c + d
        losses = -(scores.log_softmax(dim=2) * target).sum(dim=2)
        objective = (counts * losses).sum() / len(labels) + decay / 2 * sum(w.square().sum() for w in weights)
        with torch.no_grad():
            for weight, slope in zip(weights, torch.autograd.grad(objective, weights), strict=True):
                weight -= rate * slope
        if step in keep:
            stored.append(_networks(weights))
    return _networks(weights), stored


def _first_weights(seeds: list[int]) -> list[Tensor]:
    stacks = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        stacks.append(
            [
                torch.randn(64, HIDDEN, generator=generator) / 8,
                torch.zeros(1, HIDDEN),
                torch.randn(HIDDEN, 10, generator=generator) / 4,
                torch.zeros(1, 10),
            ]
        )
    return [torch.stack(parts) for parts in zip(*stacks, strict=True)]


def _networks(weights: list[Tensor]) -> list[nn.Sequential]:
    networks = []
    for a, b, c, d in zip(*(w.detach() for w in weights), strict=True):
        network = nn.Sequential(nn.Linear(64, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 10))
        with torch.no_grad():
            for parameter, value in zip(network.parameters(), (a.T, b[0], c.T, d[0]), strict=True):
                parameter.copy_(value)
        networks.append(network.eval())
    return networks


# --- drawings ---------------------------------------------------------------------------------------------


def show_digits(pictures: np.ndarray, titles: list[str], *, columns: int = 8, title: str = "") -> plt.Figure:
    """Digits, dark on white, a title above each."""
    return plots.show_images(
        [1 - picture.reshape(8, 8) for picture in pictures], titles, columns=columns, title=title
    )


def draw_against(ax: Axes, predicted: np.ndarray, true: np.ndarray, title: str) -> None:
    """Predicted against true changes, with the line where both are equal."""
    low, high = min(predicted.min(), true.min()), max(predicted.max(), true.max())
    ax.plot([low, high], [low, high], color=plots.BASELINE, linewidth=1, zorder=0)
    ax.plot(predicted, true, "o", color=plots.ACCENT, markersize=4, alpha=0.6)
    ax.set_title(title, loc="left", fontsize=10)
    ax.locator_params(nbins=5)


# --- logistic regression ----------------------------------------------------------------------------------


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Log-odds to probabilities."""
    return 1 / (1 + np.exp(-log_odds))


def logistic_loss(theta: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """−ln of the probability of the true class, one value a row."""
    return np.logaddexp(0, (1 - 2 * labels) * (rows @ theta))


def _slopes(theta: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The slope of each example's own loss, (n, d)."""
    return (sigmoid(rows @ theta) - labels)[:, None] * rows


def _curvature(theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The second derivatives of the sum of all losses, (d, d)."""
    p = sigmoid(rows @ theta)
    return (rows.T * (p * (1 - p))) @ rows


def fit_logistic(
    rows: np.ndarray, labels: np.ndarray, lam: float, n: int, theta: np.ndarray | None = None
) -> np.ndarray:
    """The θ, (d,), that minimises (1/n) Σ loss + λ/2 ‖θ‖², by Newton's method from `theta` (None: zeros)."""
    theta = np.zeros(rows.shape[1]) if theta is None else theta
    for _ in range(50):
        slope = rows.T @ (sigmoid(rows @ theta) - labels) / n + lam * theta
        step = np.linalg.solve(_curvature(theta, rows) / n + lam * np.eye(len(theta)), slope)
        theta = theta - step
        if np.abs(step).max() < 1e-10:
            break
    return theta


def predicted_changes(
    theta: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    lam: float,
    test_rows: np.ndarray,
    test_labels: np.ndarray,
    *,
    corrected: bool = False,
) -> np.ndarray:
    """Influence of each training row on the loss of each test row, (m, n); `corrected`: divided by 1 − h."""
    n, p = len(rows), sigmoid(rows @ theta)
    bend = _curvature(theta, rows) / n + lam * np.eye(len(theta))
    test_slopes = _slopes(theta, test_rows, test_labels)
    changes = test_slopes @ np.linalg.solve(bend, _slopes(theta, rows, labels).T) / n
    if corrected:
        changes = changes / (1 - p * (1 - p) * (rows * np.linalg.solve(bend, rows.T).T).sum(axis=1) / n)
    return changes


def poorer_guesses(
    theta: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    lam: float,
    test_rows: np.ndarray,
    test_labels: np.ndarray,
) -> dict[str, np.ndarray]:
    """Two guesses instead of the influence, (m, n) each: no Hessian at all, and a Hessian without its λ."""
    slopes, test_slopes = _slopes(theta, rows, labels), _slopes(theta, test_rows, test_labels)
    bare = np.linalg.pinv(_curvature(theta, rows) / len(rows))
    return {"gradient product": test_slopes @ slopes.T, "λ forgotten": test_slopes @ bare @ slopes.T}


def group_change(
    theta: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    lam: float,
    test_row: np.ndarray,
    test_label: float,
    group: np.ndarray,
) -> float:
    """The change of one test row's loss without a group, by one step with a Hessian without the group."""
    keep = np.setdiff1d(np.arange(len(rows)), group)
    bend = _curvature(theta, rows[keep]) / len(rows) + lam * np.eye(len(theta))
    step = np.linalg.solve(bend, _slopes(theta, rows[group], labels[group]).sum(axis=0) / len(rows))
    return float(_slopes(theta, test_row[None], test_label)[0] @ step)


def true_changes(
    theta: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    lam: float,
    test_rows: np.ndarray,
    test_labels: np.ndarray,
) -> np.ndarray:
    """The same by refits: one new fit for each training row that is left out, (m, n)."""
    before, changes = logistic_loss(theta, test_rows, test_labels), []
    for i in range(len(rows)):
        keep = np.arange(len(rows)) != i
        refit = fit_logistic(rows[keep], labels[keep], lam, len(rows), theta)
        changes.append(logistic_loss(refit, test_rows, test_labels) - before)
    return np.array(changes).T


def stamped(data: Tumours, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A planted shortcut: a further column, 4 for a share of the malignant training rows, else 0.

    Returns:
        Training rows with the column, which of them bear the stamp (bool), and the benign test rows, all of
        them with the stamp.
    """
    malignant = np.flatnonzero(data.labels == 1)
    stamp = np.zeros(len(data.rows), bool)
    drawn = np.random.default_rng(seed).choice(malignant, round(share * len(malignant)), replace=False)
    stamp[drawn] = True
    benign = data.test_rows[data.test_labels == 0]
    return (
        np.column_stack([data.rows, 4.0 * stamp]),
        stamp,
        np.column_stack([benign, np.full(len(benign), 4.0)]),
    )


# --- your own table ---------------------------------------------------------------------------------------


def own_influences(table: str, row: int, lam: float = 0.01):
    """A softmax regression of a table and the influences on one row that it was not fitted to.

    Args:
        table: "breast_cancer", "iris" or "wine", or the path of a CSV file with a line of names, numbers,
            and the class in the last column.
        row: number of the unseen row, from 0; the first has the largest loss.
        lam: λ.

    Returns:
        Lines of text: the row, then the training rows that help and harm most.

    Raises:
        ValueError: the file is missing or too small, its last column holds no classes, no such row, or λ is
            no number above 0.
    """
    from course_utils.lessons.l13_glass_boxes import own_classes

    row = check_count(row, "row", at_least=0)
    lam = check_positive(lam, "lam", "the fit would have no minimum")
    _, scaled, classes, labels, train, unseen = own_classes(table, row)
    scaled = with_ones(scaled)
    model = fit_softmax(scaled[train], labels[train], lam)
    inputs, target = torch.from_numpy(scaled), torch.from_numpy(labels)
    with torch.no_grad():
        losses = F.cross_entropy(model(inputs[unseen]), target[unseen], reduction="none")
    asked = unseen[losses.argsort(descending=True).numpy()][row : row + 1]
    values = influence(model, inputs[train], target[train], inputs[asked], target[asked], lam)[0].numpy()
    says = classes[int(model(inputs[asked]).argmax())]
    order = np.argsort(-values)
    lines = [f"row {asked[0]} of the table is {classes[labels[asked[0]]]}, the model says {says}"]
    for word, chosen in (("helps", order[:3]), ("harms", order[:-4:-1])):
        lines += [
            f"  {word}: row {train[i]} of the table, {classes[labels[train[i]]]}, {values[i]:+z.4f}"
            for i in chosen
        ]
    return lines
