"""What lesson 20 and its companion use: moons, networks in NumPy, turned digits, drawings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from sklearn.datasets import load_digits, make_circles, make_moons
from sklearn.linear_model import LinearRegression
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils.labs import Lab
from course_utils.methods.arguments import check_count
from course_utils.methods.pieces import Box, Layers, Piece, piece_of, reach
from course_utils.teach import plots
from course_utils.teach.superpixels import all_masks

BOX: Box = (-2.5, 2.5, -2.5, 2.5)  # the part of the plane that is drawn and counted
RATE, STEPS = 0.3, 3000  # of gradient descent

# --- a perceptron in NumPy --------------------------------------------------------------------------------


def moons(seed: int = 0, n: int = 200, shape: str = "moons") -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2), standardised, and labels (n,) 0 or 1: two half moons, or two circles."""
    if shape == "moons":
        points, labels = make_moons(n, noise=0.15, random_state=seed)
    else:
        points, labels = make_circles(n, noise=0.1, factor=0.4, random_state=seed)
    return (points - points.mean(axis=0)) / points.std(axis=0), labels


def new_network(widths: Sequence[int], seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random layers (W, b) of these widths, uniform in ± 1/√inputs, as PyTorch begins."""
    rng = np.random.default_rng(seed)
    layers = []
    for inputs, units in pairwise(widths):
        size = 1 / np.sqrt(inputs)
        layers.append((rng.uniform(-size, size, (units, inputs)), rng.uniform(-size, size, units)))
    return layers


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Log-odds to probabilities."""
    return 1 / (1 + np.exp(-z))


def scores(layers: Layers, points: np.ndarray) -> np.ndarray:
    """The network's scores at points (n, d), (n, k)."""
    return _activations(layers, points)[-1]


def train(
    layers: Layers, points: np.ndarray, labels: np.ndarray, penalty: float = 0.0, steps: int = STEPS
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Gradient descent on the mean loss + penalty/2 · (sum of squared weights); one score, two classes."""
    for _ in range(steps):
        slopes = _gradients(layers, points, labels)
        layers = [
            (w - RATE * (slope_w + penalty * w), b - RATE * (slope_b + penalty * b))
            for (w, b), (slope_w, slope_b) in zip(layers, slopes, strict=True)
        ]
    return list(layers)


def right(layers: Layers, points: np.ndarray, labels: np.ndarray) -> float:
    """Share of points on the right side of the score 0."""
    return float(((scores(layers, points)[:, 0] > 0) == labels).mean())


def as_torch(layers: Layers) -> nn.Sequential:
    """The same network in PyTorch, in double precision."""
    parts: list[nn.Module] = []
    for weight, bias in layers:
        linear = nn.Linear(*weight.shape[::-1]).double()
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.copy_(torch.from_numpy(bias))
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def _activations(layers: Layers, points: np.ndarray) -> list[np.ndarray]:
    found = [points]
    for i, (weight, bias) in enumerate(layers):
        z = found[-1] @ weight.T + bias
        found.append(np.maximum(z, 0) if i < len(layers) - 1 else z)
    return found


def _gradients(layers: Layers, points: np.ndarray, labels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    inputs = _activations(layers, points)
    delta = (sigmoid(inputs[-1]) - labels[:, None]) / len(labels)
    slopes = []
    for i in reversed(range(len(layers))):
        slopes.append((delta.T @ inputs[i], delta.sum(axis=0)))
        delta = (delta @ layers[i][0]) * (inputs[i] > 0)
    return slopes[::-1]


# --- pieces -----------------------------------------------------------------------------------------------


def on_a_grid(layers: Layers, box: Box = BOX, side: int = 900) -> int:
    """How many different patterns of units that are on a grid of side × side points meets."""
    left, right_, bottom, top = box
    steps = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(left + (right_ - left) * steps, bottom + (top - bottom) * steps)
    found = _activations(layers, np.column_stack([x.ravel(), y.ravel()]))
    on = np.concatenate([a > 0 for a in found[1:-1]], axis=1)
    return len(np.unique(np.packbits(on, axis=1), axis=0))


def possible_patterns(weight: np.ndarray, bias: np.ndarray, box: Box = BOX) -> int:
    """How many of the 2ⁿ patterns of one hidden layer occur in the box: a linear program asks for each."""
    from scipy.optimize import linprog

    n, count = len(bias), 0
    sizes = np.linalg.norm(weight, axis=1)
    bounds = [box[:2], box[2:], (None, 1)]
    for code in range(2**n):
        sign = np.where(code >> np.arange(n) & 1, 1, -1)
        # the largest t with sign · (w · x + b) ≥ t ‖w‖: the radius of the largest disc in the region
        rows = np.column_stack([-sign[:, None] * weight, sizes])
        best = linprog([0, 0, -1], A_ub=rows, b_ub=sign * bias, bounds=bounds)
        count += best.status == 0 and best.x[2] > 1e-9
    return count


def most_regions(units: int) -> int:
    """The most regions that so many lines cut a plane into."""
    return 1 + units + units * (units - 1) // 2


def draw_pieces(ax: Axes, found: Sequence[Piece], title: str = "", *, edge: float = 0.8) -> None:
    """Pieces of the plane, each side of the border (score 0, black) coloured by the score in its middle."""
    parts, values, borders = [], [], []
    for piece in found:
        at = piece.corners @ piece.slope[0] + piece.offset[0]
        ends = []
        for i in range(len(at)):
            j = (i + 1) % len(at)
            if at[i] * at[j] < 0:
                ends.append(
                    piece.corners[i] + at[i] / (at[i] - at[j]) * (piece.corners[j] - piece.corners[i])
                )
        if len(ends) == 2:
            borders.append(ends)
        for inside in (at > 0, at <= 0):
            part = np.array([*piece.corners[inside], *ends])
            if len(part) > 2:
                middle = part.mean(axis=0)
                parts.append(part[np.argsort(np.arctan2(*(part - middle).T))])  # in order around it
                values.append((piece.slope @ middle + piece.offset)[0])
    limit = np.abs(values).max()
    ax.add_collection(
        PolyCollection(
            parts, array=values, cmap=plots.DIVERGING, clim=(-limit, limit), linewidth=0, alpha=0.75
        )
    )
    ax.add_collection(
        PolyCollection([p.corners for p in found], facecolor="none", edgecolor=plots.INK, linewidth=edge)
    )
    for ends in borders:
        ax.plot(*np.transpose(ends), color="white", linewidth=3)
        ax.plot(*np.transpose(ends), color="black", linewidth=1.4)
    corners = np.concatenate([piece.corners for piece in found])
    ax.set(xlim=(corners[:, 0].min(), corners[:, 0].max()), ylim=(corners[:, 1].min(), corners[:, 1].max()))
    ax.set_aspect("equal")
    plots.bare(ax)
    ax.set_title(title, loc="left", fontsize=10)


def draw_points(ax: Axes, points: np.ndarray, labels: np.ndarray, size: float = 12) -> None:
    """The two classes as marks: circles (0) and triangles (1)."""
    for kind, marker, colour in ((0, "o", "#1f4e79"), (1, "^", "#8a2b0d")):
        these = points[labels == kind]
        ax.scatter(*these.T, s=size, marker=marker, color=colour, edgecolor="white", linewidth=0.4, zorder=3)


def local_fit(
    layers: Layers, x: np.ndarray, width: float, rng: np.random.Generator, n: int = 200
) -> tuple[np.ndarray, float]:
    """A straight formula fitted to the scores at n random points within `width` of x: slope (d,), offset."""
    shifts = rng.normal(size=(n, len(x)))
    shifts *= width * rng.random((n, 1)) ** (1 / len(x)) / np.linalg.norm(shifts, axis=1, keepdims=True)
    rows = np.column_stack([shifts, np.ones(n)])
    slope = np.linalg.lstsq(rows, scores(layers, x + shifts)[:, 0], rcond=None)[0]
    return slope[:-1], float(slope[-1] - slope[:-1] @ x)


def errors_around(
    layers: Layers, points: np.ndarray, distances: Sequence[float], widths: Sequence[float], seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """How wrong straight formulas are about the score at some distance from the point they explain.

    Returns:
        Mean absolute errors (1 + widths, points, distances), first of the exact formula, then of fits
        of these widths; and the fits' errors of the slope (widths, points), as shares of the mean slope.
    """
    rng = np.random.default_rng(seed)
    directions = np.column_stack([f(np.arange(32) * np.pi / 16) for f in (np.cos, np.sin)])
    errors = np.empty((1 + len(widths), len(points), len(distances)))
    slopes, sizes = np.empty((len(widths), len(points))), []
    for i, x in enumerate(points):
        piece = piece_of(layers, x)
        formulas = [(piece.slope[0], piece.offset[0]), *(local_fit(layers, x, w, rng) for w in widths)]
        sizes.append(np.linalg.norm(piece.slope[0]))
        slopes[:, i] = [np.linalg.norm(slope - piece.slope[0]) for slope, _ in formulas[1:]]
        for j, distance in enumerate(distances):
            around = x + distance * directions
            true = scores(layers, around)[:, 0]
            errors[:, i, j] = [np.abs(around @ slope + offset - true).mean() for slope, offset in formulas]
    return errors, slopes / np.mean(sizes)


def pieces_between(layers: Layers, a: np.ndarray, b: np.ndarray) -> int:
    """How many pieces the straight way from a to b passes through, exactly."""
    count, at = 1, 0.0
    while True:
        # the next border: all hidden units are straight until one changes its sign
        point = a + (at + 1e-9) * (b - a)
        slope, offset, ahead = np.eye(len(a)), np.zeros(len(a)), np.inf
        for weight, bias in layers[:-1]:
            slope, offset = weight @ slope, weight @ offset + bias
            rise, level = slope @ (b - a), slope @ point + offset
            with np.errstate(divide="ignore", invalid="ignore"):
                crossing = -level / rise
            ahead = min(ahead, np.min(crossing[crossing > 0], initial=np.inf))
            on = level > 0
            slope, offset = slope * on[:, None], offset * on
        at += 1e-9 + ahead
        if at >= 1:
            return count
        count += 1


# --- digits -----------------------------------------------------------------------------------------------


def digits(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """600 handwritten digits (600, 1, 8, 8) from 0 to 1, labels, 400 others (Alpaydin and Kaynak, 1998)."""
    pictures, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))[:1000]
    x = torch.from_numpy(pictures[order] / 16).float().reshape(-1, 1, 8, 8)
    y = torch.from_numpy(labels[order])
    return x[:600], y[:600], x[600:], y[600:]


def digit_network(pictures: Tensor, labels: Tensor, seed: int = 0, steps: int = 300) -> nn.Sequential:
    """A perceptron of 64, 32, 16 and 10 units, trained on the digits; in double precision."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(pictures.flatten(1)), labels).backward()
        optimizer.step()
    return model.double().eval()


@torch.no_grad()
def hidden(model: nn.Sequential, pictures: Tensor) -> list[np.ndarray]:
    """What each hidden layer of a digit network makes of pictures, one table (N, units) a layer."""
    values, found = pictures.flatten(1).double(), []
    for part in model[:-1]:
        values = part(values)
        if isinstance(part, nn.ReLU):
            found.append(values.numpy())
    return found


def own_dividends(game: Callable[[np.ndarray], np.ndarray], n_players: int, most: int = 12) -> list[str]:
    """The dividends of a game that are not 0, in words, the largest first."""
    from course_utils.methods.interactions import dividends

    table = dividends(game, n_players)
    order = [c for c in np.argsort(-np.abs(table), kind="stable") if abs(table[c]) > 1e-9]
    lines = [
        f"{table[c]:+.3f}  " + (", ".join(str(i) for i in range(n_players) if c >> i & 1) or "nobody")
        for c in order[:most]
    ]
    return lines + ([f"… and {len(order) - most} smaller ones"] if len(order) > most else [])


def told_by_singles(worths: np.ndarray) -> float:
    """Which share of the variance of the worths (2^n,) the best sum of one number a player tells, R²."""
    masks = all_masks(len(worths).bit_length() - 1)
    return float(LinearRegression().fit(masks, worths).score(masks, worths))


# --- pictures as games ------------------------------------------------------------------------------------


def cells_of(lab: Lab, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture `number` as nine players: the cell of each pixel (H, W), 0 to 8, and the picture blurred."""
    from course_utils.methods.blurring import gaussian_blur

    picture = torch.from_numpy(lab.images[number])
    blurred = gaussian_blur(picture.permute(2, 0, 1)[None].float(), 8)[0].permute(1, 2, 0)
    rows, columns = (np.arange(side) * 3 // side for side in picture.shape[:2])
    return 3 * rows[:, None] + columns, blurred.round().byte().numpy()


def worths_of_cells(lab: Lab, number: int) -> np.ndarray:
    """The log-odds of picture `number`'s class for the 512 coalitions of cells; absent ones are blurred."""
    from course_utils.methods.shapley import all_worths, image_game

    cells, blurred = cells_of(lab, number)
    game = image_game(lab.predict, lab.images[number], int(lab.targets[number]), cells, blurred)
    chances = np.clip(all_worths(game, 9), 1e-7, 1 - 1e-7)
    return np.log(chances / (1 - chances))


def strength_of_orders(worths: np.ndarray) -> np.ndarray:
    """The mean of |I^(m)| over all pairs of nine players, (8,), from the worths (512,) of the coalitions."""
    from course_utils.methods.interactions import interaction_orders

    orders = interaction_orders(lambda masks: worths[masks @ (1 << np.arange(9))], 9)
    return np.abs(orders[:, ~np.eye(9, dtype=bool)]).mean(axis=1)


# --- symmetry ---------------------------------------------------------------------------------------------


def lift(pictures: Tensor, weight: Tensor, **options) -> Tensor:
    """Convolve with a filter turned four ways: (N, C, H, W), (K, C, k, k) → (N, K, 4, H, W)."""
    options = {"padding": weight.shape[-1] // 2} | options
    turned = [F.conv2d(pictures, torch.rot90(weight, r, (2, 3)), **options) for r in range(4)]
    return torch.stack(turned, dim=2)


def group_conv(maps: Tensor, weight: Tensor, roll: int = 1) -> Tensor:
    """A layer after `lift`: (N, C, 4, H, W), (K, C, 4, k, k) → (N, K, 4, H, W); `roll` −1: the wrong way."""
    out = []
    for r in range(4):
        turned = torch.rot90(weight, r, (3, 4)).roll(roll * r, dims=2)
        out.append(F.conv2d(maps.flatten(1, 2), turned.flatten(1, 2), padding=weight.shape[-1] // 2))
    return torch.stack(out, dim=2)


def turn(maps: Tensor, times: int = 1) -> Tensor:
    """What turning the picture must do to the maps (N, K, 4, H, W): turn each, and move on by one."""
    return torch.rot90(maps, times, (3, 4)).roll(times, dims=2)


class Symmetric(nn.Module):
    """A classifier of pictures (N, 1, H, W) that cannot tell a picture from the same one turned by 90°.

    With `apart` its last layer reads the four directions apart, and so can tell them.
    """

    def __init__(self, first: int = 8, second: int = 16, apart: bool = False) -> None:
        super().__init__()
        self.apart = apart
        self.first = nn.Parameter(torch.randn(first, 1, 3, 3) / 3)
        self.second = nn.Parameter(torch.randn(second, first, 4, 3, 3) / (18 * first) ** 0.5)
        self.shift_1 = nn.Parameter(torch.zeros(first, 1, 1, 1))
        self.shift_2 = nn.Parameter(torch.zeros(second, 1, 1, 1))
        self.out = nn.Linear(4 * second if apart else second, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        maps = F.relu(lift(pictures, self.first) + self.shift_1)
        maps = F.relu(group_conv(maps, self.second) + self.shift_2)
        largest = maps.amax(dim=(3, 4))  # (N, second, 4)
        return self.out(largest.flatten(1) if self.apart else largest.amax(dim=2))


class Ordinary(nn.Module):
    """The same with ordinary convolutions, and nearly as many weights."""

    def __init__(self, first: int = 16, second: int = 30) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, first, 3, padding=1), nn.ReLU(), nn.Conv2d(first, second, 3, padding=1), nn.ReLU()
        )
        self.out = nn.Linear(second, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.out(self.layers(pictures).amax(dim=(2, 3)))


def train_pictures(
    model: nn.Module, pictures: Tensor, labels: Tensor, seed: int = 0, turned: bool = False, steps: int = 300
) -> nn.Module:
    """Train on batches of 64; `turned`: each batch is first turned by a random multiple of 90°."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        batch = torch.randint(len(labels), (64,), generator=generator)
        times = int(torch.randint(4, (1,), generator=generator)) if turned else 0
        optimizer.zero_grad()
        F.cross_entropy(model(torch.rot90(pictures[batch], times, (2, 3))), labels[batch]).backward()
        optimizer.step()
    return model.eval()


def turned_networks(
    pictures: Tensor, labels: Tensor, seed: int = 0, progress: bool = False
) -> dict[str, nn.Module]:
    """Ordinary and symmetric networks of nearly one size, trained on upright or turned digits, by name."""
    kinds = {
        "ordinary": (Ordinary, False, 300),
        "ordinary, shown turned digits": (Ordinary, True, 300),
        "the same, 4 × as long": (Ordinary, True, 1200),
        "symmetric": (Symmetric, False, 300),
        "symmetric, directions kept": (partial(Symmetric, second=14, apart=True), False, 300),
    }
    found = {}
    for name, (kind, turned, steps) in tqdm(kinds.items(), leave=False, disable=not progress):
        torch.manual_seed(seed)
        found[name] = train_pictures(kind(), pictures, labels, seed, turned, steps)
    return found


@torch.no_grad()
def right_when_turned(model: nn.Module, pictures: Tensor, labels: Tensor) -> np.ndarray:
    """Whether the model is right about each picture, turned by 0, 90, 180 and 270 degrees, (4, N)."""
    return np.array([(model(torch.rot90(pictures, k, (2, 3))).argmax(1) == labels).numpy() for k in range(4)])


def show_digit(ax: Axes, picture: Tensor | np.ndarray, title: str = "") -> None:
    """One digit, dark on white."""
    ax.imshow(1 - np.asarray(picture).reshape(8, 8), cmap="gray", vmin=0, vmax=1)
    plots.bare(ax)
    plots.framed(ax)
    ax.set_title(title, fontsize=9)


# --- frequencies ------------------------------------------------------------------------------------------


def strengths(signal: np.ndarray) -> np.ndarray:
    """How strongly each frequency 0 … n/2 is in a cyclic signal (n,): its amplitude."""
    n = len(signal)
    found = np.abs(np.fft.rfft(signal)) / n
    found[1 : (n + 1) // 2] *= 2  # a wave is made of two of the transform's terms
    return found


def out_of(n: int, phases: int = 48) -> np.ndarray:
    """What a ReLU makes of one frequency: entry [k, j] the largest amplitude of j over shifts of wave k."""
    time, found = np.arange(n), np.zeros((n // 2 + 1, n // 2 + 1))
    for k in range(n // 2 + 1):
        for phase in 2 * np.pi * (np.arange(phases) + 0.5) / phases:
            wave = np.maximum(np.cos(2 * np.pi * k * time / n + phase), 0)
            found[k] = np.maximum(found[k], strengths(wave))
    return found


# --- your own table ---------------------------------------------------------------------------------------


def own_piece(table: str | Path, row: int, widths: Sequence[int] = (16, 16)) -> list[str]:
    """A small ReLU network of a table, and its exact formula at a row that it was not fitted to.

    Args:
        table: "breast_cancer", "iris" or "wine", or the path of a CSV file with a line of names, numbers, and
            the class in the last column.
        row: number of the unseen row, from 0; the first is the one about which the network is least sure.
        widths: of the hidden layers.

    Returns:
        Lines of text.

    Raises:
        ValueError: the file is missing or too small, its last column holds no classes, or no such row.
    """
    from course_utils.lessons.l13_glass_boxes import own_classes
    from course_utils.methods.pieces import layers_of

    row = check_count(row, "row", at_least=0)
    own, scaled, classes, labels, learnt, unseen = own_classes(table, row)
    rows = torch.from_numpy(scaled)
    torch.manual_seed(0)
    sizes = [rows.shape[1], *widths, len(classes)]
    parts = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())][:-1]
    model, target = nn.Sequential(*parts).double(), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3)
    for _ in range(300):
        optimizer.zero_grad()
        F.cross_entropy(model(rows[learnt]), target[learnt]).backward()
        optimizer.step()
    layers = layers_of(model)
    with torch.no_grad():
        two = model(rows[unseen]).topk(2).values
        right_ = (model(rows[unseen]).argmax(1) == target[unseen]).double().mean()
    at = unseen[int((two[:, 0] - two[:, 1]).argsort()[row])]
    x = rows[at].numpy()
    first, second = np.argsort(-scores(layers, x[None])[0])[:2]
    piece = piece_of(layers, x)
    slope, offset = piece.slope[first] - piece.slope[second], piece.offset[first] - piece.offset[second]
    shares = slope * x
    patterns = {piece_of(layers, r).on.tobytes() for r in rows.numpy()}
    lines = [
        f"right for {right_:.2f} of the unseen rows; {len(rows)} rows lie in {len(patterns)} pieces",
        f"row {at}: class {classes[first]} wins, class {classes[second]} is second; their scores differ by",
        f"  {slope @ x + offset:+.3f} = {offset:+.3f} (constant)",
    ]
    for j in np.argsort(-np.abs(shares))[:6]:
        lines.append(f"    {shares[j]:+.3f} = {slope[j]:+.3f} × {x[j]:+.2f}  {own.names[j]}")
    rest = shares.sum() - sum(sorted(shares, key=abs)[-6:])
    lines.append(f"    {rest:+.3f}   all other columns (standardised, as those above)")
    lines.append(f"the formula holds within {reach(layers, x):.3f} around the row")
    return lines


def before_and_after(
    widths: Sequence[int], seed: int, penalty: float = 0.0, shape: str = "moons"
) -> tuple[Layers, Layers, tuple[np.ndarray, np.ndarray]]:
    """A random network, the same after training, and the points and labels it learnt."""
    points, labels = moons(seed, shape=shape)
    start = new_network(widths, seed)
    return start, train(start, points, labels, penalty), (points, labels)


def new_figure(columns: int, height: float = 3.6) -> np.ndarray:
    """Axes side by side."""
    return plt.subplots(1, columns, figsize=(plots.WIDTH, height), squeeze=False)[1][0]
