"""What companion 18c uses: turned digits, a network of capsules, an ordinary one, readouts of layers."""

from __future__ import annotations

from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils.lessons.l18_latent_axes import digits
from course_utils.methods import capsules
from course_utils.methods.information import readout_bound

N_TRAINING = 1200  # of the 1,797 handwritten digits; the others are for tests
SIDE = 12  # 8 × 8 pixels with an empty margin of 2
REACH = 40.0  # degrees, the largest turn
N_TYPES, N_DIMENSIONS = 2, 8  # primary capsules: 2 at each of 4 × 4 places; numbers in each capsule


class Turned(NamedTuple):
    """Pictures (n, 1, 12, 12) from 0 to 1, their classes (n,), how far each is turned in degrees (n,)."""

    pictures: Tensor
    labels: Tensor
    degrees: Tensor


class Split(NamedTuple):
    """Upright pictures (n, 1, 12, 12) and classes (n,) for training, and the same for tests."""

    pictures: Tensor
    labels: Tensor
    test_pictures: Tensor
    test_labels: Tensor


# --- pictures ---------------------------------------------------------------------------------------------


@cache
def split(seed: int = 0) -> Split:
    """The handwritten digits of lesson 18 with a margin, split at random."""
    pictures, labels = digits()
    order = np.random.default_rng(seed).permutation(len(labels))
    rows, classes = F.pad(pictures.reshape(-1, 1, 8, 8), (2, 2, 2, 2))[order], torch.as_tensor(labels)[order]
    n = N_TRAINING
    return Split(rows[:n], classes[:n], rows[n:], classes[n:])


def turn(pictures: Tensor, degrees: Tensor) -> Tensor:
    """Turn each picture (n, 1, h, w) counter-clockwise by its number of degrees (n,), around the middle."""
    t = torch.deg2rad(degrees)
    zero = torch.zeros_like(t)
    matrix = torch.stack([t.cos(), -t.sin(), zero, t.sin(), t.cos(), zero], dim=1).reshape(-1, 2, 3)
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, align_corners=False)


def turned(pictures: Tensor, labels: Tensor, seed: int, copies: int = 1) -> Turned:
    """Each picture turned by a random angle from −40 to 40 degrees, `copies` times."""
    pictures, labels = pictures.repeat(copies, 1, 1, 1), labels.repeat(copies)
    generator = torch.Generator().manual_seed(seed)
    degrees = REACH * (2 * torch.rand(len(labels), generator=generator) - 1)
    return Turned(turn(pictures, degrees), labels, degrees)


# --- capsules ---------------------------------------------------------------------------------------------


class Capsules(nn.Module):
    """32 primary capsules of 8 numbers, ten digit capsules of 8 numbers, and a decoder from the right one.

    `detach`: no gradient flows through the agreement. The authors' code lets it flow.
    """

    def __init__(self, n_iterations: int = 3, detach: bool = True):
        super().__init__()
        self.n_iterations, self.detach = n_iterations, detach
        self.conv = nn.Conv2d(1, 32, 3)
        self.primary = nn.Conv2d(32, N_TYPES * N_DIMENSIONS, 3, stride=2)
        self.w = nn.Parameter(0.1 * torch.randn(16 * N_TYPES, 10, N_DIMENSIONS, N_DIMENSIONS))
        self.decoder = _decoder()

    def layers(self, pictures: Tensor, n_iterations: int | None = None) -> dict[str, Tensor]:
        """The numbers of each layer, (N, …), and the coupling (N, 32, 10)."""
        conv = F.relu(self.conv(pictures))
        primary = self.primary(conv).unflatten(1, (N_TYPES, N_DIMENSIONS)).movedim(2, -1).flatten(1, 3)
        primary = capsules.squash(primary)
        votes = torch.einsum("luio,nli->nluo", self.w, primary)
        n_iterations = self.n_iterations if n_iterations is None else n_iterations
        upper, coupling = capsules.route(votes, n_iterations, detach=self.detach)
        return {
            "pixels": pictures, "convolutions": primary, "80 numbers": upper,
            "ten scores": upper.norm(dim=2), "coupling": coupling,
        }  # fmt: skip

    def forward(self, pictures: Tensor) -> Tensor:
        """The lengths of the ten digit capsules, (N, 10)."""
        return self.layers(pictures)["ten scores"]

    def loss(self, pictures: Tensor, labels: Tensor, drawing: float) -> Tensor:
        """Margin loss + drawing · squared error of the picture drawn from the right capsule."""
        layers = self.layers(pictures)
        drawn = draw(self, layers["80 numbers"], labels)
        error = (drawn - pictures.flatten(1)).square().sum(1).mean()
        return capsules.margin_loss(layers["ten scores"], labels) + drawing * error


class Ordinary(nn.Module):
    """The same convolutions, then 80 ordinary features (ten groups of 8) and ten scores; the same decoder."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 32, 3)
        self.second = nn.Conv2d(32, N_TYPES * N_DIMENSIONS, 3, stride=2)
        self.features = nn.Linear(16 * N_TYPES * N_DIMENSIONS, 10 * N_DIMENSIONS)
        self.scores = nn.Linear(10 * N_DIMENSIONS, 10)
        self.decoder = _decoder()

    def layers(self, pictures: Tensor) -> dict[str, Tensor]:
        """The numbers of each layer, (N, …)."""
        conv = F.relu(self.conv(pictures))
        second = F.relu(self.second(conv))
        features = torch.tanh(self.features(second.flatten(1)))
        return {
            "pixels": pictures, "convolutions": second, "80 numbers": features.unflatten(1, (10, -1)),
            "ten scores": self.scores(features),
        }  # fmt: skip

    def forward(self, pictures: Tensor) -> Tensor:
        """Ten scores, (N, 10)."""
        return self.layers(pictures)["ten scores"]

    def loss(self, pictures: Tensor, labels: Tensor, drawing: float) -> Tensor:
        """Cross-entropy + drawing · squared error of the picture drawn from the right group of features."""
        layers = self.layers(pictures)
        drawn = draw(self, layers["80 numbers"], labels)
        error = (drawn - pictures.flatten(1)).square().sum(1).mean()
        return F.cross_entropy(layers["ten scores"], labels) + drawing * error


def draw(model: Capsules | Ordinary, numbers: Tensor, labels: Tensor) -> Tensor:
    """What the decoder draws from the group (8 of the numbers (N, 10, 8)) of each label: (N, 144)."""
    return model.decoder((numbers * F.one_hot(labels, 10)[:, :, None]).flatten(1))


def _decoder() -> nn.Sequential:
    return nn.Sequential(nn.Linear(10 * N_DIMENSIONS, 64), nn.ReLU(), nn.Linear(64, SIDE**2))


def train(kind, seed: int = 0, *, n_steps: int = 350, drawing: float = 0.02, adam: bool = True):
    """Train `Capsules`, `Ordinary` or another maker of a network on turned digits, 64 a step.

    The pictures and their turns depend on the seed alone, so that two kinds see the same. Without Adam: by
    gradient descent with momentum, which needs more steps and has no axes that it prefers.
    """
    torch.manual_seed(seed)
    model, data = kind(), split(seed)
    generator = torch.Generator().manual_seed(seed)
    make = torch.optim.Adam if adam else partial(torch.optim.SGD, momentum=0.9)
    optimiser = make(model.parameters(), lr=0.003)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 0.006 if adam else 0.3, total_steps=n_steps, cycle_momentum=adam
    )
    for _ in tqdm(range(n_steps), leave=False):
        chosen = torch.randint(len(data.labels), (64,), generator=generator)
        degrees = REACH * (2 * torch.rand(64, generator=generator) - 1)
        loss = model.loss(turn(data.pictures[chosen], degrees), data.labels[chosen], drawing)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval().requires_grad_(False)


@cache
def trained(kind: str, seed: int = 0, n_steps: int = 350) -> Capsules | Ordinary:
    """One of `KINDS`, trained at the first call."""
    maker, drawing = KINDS[kind]
    return train(maker, seed, n_steps=n_steps, drawing=drawing)


KINDS = {
    "capsules": (Capsules, 0.02),
    "capsules, uniform": (partial(Capsules, 1), 0.02),
    "capsules, gradient": (partial(Capsules, detach=False), 0.02),
    "capsules, nothing drawn": (Capsules, 0.0),
    "ordinary": (Ordinary, 0.0),
    "ordinary, drawing": (Ordinary, 0.02),
}  # the maker of a network, and the weight of the drawing in its loss


def untrained(kind: str, seed: int = 0) -> Capsules | Ordinary:
    """The same network with its first weights."""
    torch.manual_seed(seed)
    return KINDS[kind][0]().eval().requires_grad_(False)


# --- measures ---------------------------------------------------------------------------------------------

ANGLES = torch.linspace(-REACH, REACH, 9)


def pixels_by_lot(pictures: Tensor, n: int = 8) -> Tensor:
    """n pixels, the same for all pictures, at nine angles: (N, 9, n)."""
    lot = torch.randperm(SIDE**2, generator=torch.Generator().manual_seed(0))[:n]
    return series(pictures).flatten(1).unflatten(0, (-1, len(ANGLES)))[:, :, lot]


def series(pictures: Tensor) -> Tensor:
    """Each picture at nine angles: (n · 9, 1, 12, 12), those of one picture side by side."""
    return turn(pictures.repeat_interleave(len(ANGLES), 0), ANGLES.repeat(len(pictures)))


def winning_numbers(model: Capsules | Ordinary, pictures: Tensor, labels: Tensor) -> Tensor:
    """The 8 numbers of the right class's capsule (or group) at nine angles: (n, 9, 8)."""
    numbers = model.layers(series(pictures))["80 numbers"]
    return numbers.unflatten(0, (-1, len(ANGLES)))[torch.arange(len(labels)), :, labels]


def turn_axes(numbers: Tensor, seed: int) -> Tensor:
    """The same vectors (…, d) with axes turned by lot: lengths and distances stay."""
    d = numbers.shape[-1]
    return numbers @ torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(seed)))[0]


def largest_part(numbers: Tensor, labels: Tensor) -> float:
    """How much of the mean capsule's length stands in its largest number, mean of the ten classes.

    From 1 / √d, all numbers of one size, to 1; about 0.65 for eight axes by lot.
    """
    means = [F.normalize(numbers[labels == k].mean(dim=(0, 1)), dim=0) for k in range(10)]
    return torch.stack(means).abs().amax(dim=1).mean().item()


def follow(numbers: Tensor) -> Tensor:
    """The correlation of each number with the angle, for each picture: (n, k) from (n, 9, k)."""
    moved, angles = numbers - numbers.mean(dim=1, keepdim=True), (ANGLES - ANGLES.mean())[:, None]
    return (moved * angles).sum(1) / (moved.norm(dim=1) * angles.norm() + 1e-9)


def one_number(numbers: Tensor, labels: Tensor) -> float:
    """How well one number tells the angle of pictures it was not chosen on: mean r of the ten classes.

    For each class the number and its sign are chosen on the first half of the pictures, over all of them and
    all angles; r is taken over the second half. `numbers` (n, 9, k), `labels` (n,).
    """
    found = []
    for k in range(10):
        first, second = (
            half.flatten(0, 1).numpy().astype(float) for half in numbers[labels == k].tensor_split(2)
        )
        r = _correlations(first)
        best = np.abs(r).argmax()
        found.append(_correlations(second)[best] * np.sign(r[best]))
    return float(np.mean(found))


def _correlations(rows: np.ndarray) -> np.ndarray:
    """Of each column with the nine angles, repeated; 0 for a constant column."""
    angles = np.tile(ANGLES.numpy(), len(rows) // len(ANGLES))
    moved = rows - rows.mean(axis=0)
    return (moved * angles[:, None]).sum(axis=0) / (
        np.linalg.norm(moved, axis=0) * np.linalg.norm(angles) + 1e-9
    )


def lean(drawn: Tensor, reference: Tensor) -> float:
    """The turn, −60 to 60 degrees, that makes the picture `reference` (12, 12) most like `drawn`."""
    angles = torch.arange(-60.0, 61.0, 2.5)
    turns = turn(reference.expand(len(angles), 1, *reference.shape), angles).flatten(1)
    resemblance = torch.corrcoef(torch.cat([drawn.reshape(1, -1), turns]))[0, 1:]
    return angles[resemblance.argmax()].item()


def right_length(model: Capsules, data: Turned, n_iterations: int) -> float:
    """Mean length of the right class's capsule."""
    lengths = model.layers(data.pictures, n_iterations)["ten scores"]
    return lengths.gather(1, data.labels[:, None]).mean().item()


def coupling_by_lot(model: Capsules, data: Turned, seed: int = 0) -> tuple[float, float]:
    """Accuracy and mean length of the right capsule when each lower capsule's coefficients are dealt anew."""
    layers = model.layers(data.pictures)
    lower = layers["convolutions"]
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(layers["coupling"].shape, generator=generator).argsort(dim=2)
    votes = torch.einsum("luio,nli->nluo", model.w, lower)
    dealt = layers["coupling"].gather(2, order)
    lengths = capsules.squash(torch.einsum("nlu,nlud->nud", dealt, votes)).norm(dim=2)
    right = (lengths.argmax(1) == data.labels).float().mean().item()
    return right, lengths.gather(1, data.labels[:, None]).mean().item()


def accuracy(model: nn.Module, data: Turned, n_iterations: int | None = None) -> np.ndarray:
    """Whether each picture is classified rightly, (n,) of 0 and 1."""
    with_this = {} if n_iterations is None else {"n_iterations": n_iterations}
    scores = model.layers(data.pictures, **with_this)["ten scores"]
    return (scores.argmax(1) == data.labels).float().numpy()


def quarter(degrees: Tensor) -> np.ndarray:
    """In which of four equal parts of the range an angle lies, 0 to 3."""
    return ((degrees + REACH) / (REACH / 2)).long().clamp(0, 3).numpy()


def read_out(rows: Tensor, factor: np.ndarray, new_rows: Tensor, new_factor: np.ndarray) -> float:
    """How many nats of a factor a linear readout finds in a layer, on new pictures; below 0: nothing.

    See `readout_bound`. The readout is a logistic regression; the factor's values are 0, 1, 2, …
    """
    known, new = rows.flatten(1).numpy(), new_rows.flatten(1).numpy()
    # one scale for the whole layer: a unit that is nearly always 0 would become huge on its own scale
    centre, spread = known.mean(axis=0), known.std(axis=0).mean()
    fit = LogisticRegression(C=0.1, max_iter=150, tol=1e-3).fit((known - centre) / spread, factor)
    return readout_bound(fit.predict_log_proba((new - centre) / spread), new_factor)
