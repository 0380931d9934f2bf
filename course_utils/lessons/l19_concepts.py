"""What lesson 19 uses: scenes with the truth about parts, wolves and grounds, a network of prototypes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils.drawing.backgrounds import GROUNDS, SUMMER_GROUNDS, ground
from course_utils.labs import load_lab
from course_utils.labs.lab import Lab
from course_utils.labs.pictures import read_pictures, visible
from course_utils.methods.concepts import concept_vector, directional_derivatives, prototype_similarities
from course_utils.methods.hooks import layer_outputs
from course_utils.teach import plots

N_LEARN = 800
MIN_PIXELS = 12  # so many visible pixels make a concept present
WORDS = slice(1, 23)  # the parts that are concepts: no background, no clutter
GROUNDS_PER_SET = 50


@dataclass(frozen=True, eq=False)
class Scenes:
    """1,200 rendered scenes, and what a frozen network makes of them; the first 800 are to learn from."""

    images: np.ndarray  # (1200, 128, 128, 3)
    classes: np.ndarray  # (1200,)
    class_names: tuple[str, ...]
    masks: np.ndarray  # (1200, 128, 128) bool, the object
    parts: np.ndarray  # (1200, 128, 128), 0 … 24
    words: tuple[str, ...]  # of the 22 concepts; concept k is part k + 1
    pixels: np.ndarray  # (1200, 22), how many pixels show each part
    concepts: np.ndarray  # (1200, 22) float, 1 if at least MIN_PIXELS show it
    maps: np.ndarray  # (1200, 128, 8, 8), layer4, standardised: their mean over space has mean 0, deviation 1
    earlier: Tensor  # (1200, 128, 8, 8), layer3
    standard: tuple[Tensor, Tensor]  # (128,) each: mean and deviation before the maps were standardised

    @property
    def features(self) -> np.ndarray:
        """The maps averaged over space, (1200, 128)."""
        return self.maps.mean(axis=(2, 3))

    def named(self, class_name: str) -> np.ndarray:
        """Which pictures show this class, (1200,) bool."""
        return self.classes == self.class_names.index(class_name)


def scenes(seed: int = 19, n: int = 1200) -> Scenes:
    """Render the scenes and send them once through the frozen ResNet of the scenes."""
    with tqdm(total=1, desc=f"drawing {n} scenes", leave=False):
        lab = load_lab("scenes", seed=seed, n=n)
    earlier, last = layer_maps(lab, lab.images, ("layer3", "layer4"))
    means = last.mean(dim=(2, 3))[:N_LEARN]
    centre, scale = means.mean(dim=0), means.std(dim=0) + 1e-6
    maps = (last - centre[:, None, None]) / scale[:, None, None]
    parts = lab.parts.numpy()
    n_parts = len(lab.part_names)
    pixels = np.stack([np.bincount(part.ravel(), minlength=n_parts) for part in parts])[:, WORDS]
    return Scenes(
        lab.images,
        lab.targets.numpy(),
        lab.class_names,
        lab.masks.numpy(),
        parts,
        lab.part_names[WORDS],
        pixels,
        (pixels >= MIN_PIXELS).astype(float),
        maps.numpy(),
        earlier,
        (centre, scale),
    )


def features_of(world: Scenes, images: np.ndarray) -> np.ndarray:
    """Other pictures (N, 128, 128, 3) through the same network: features as `world.features`, (N, 128)."""
    (last,) = layer_maps(load_lab("scenes", seed=0, n=1), images, ("layer4",))
    centre, scale = world.standard
    return ((last.mean(dim=(2, 3)) - centre) / scale).numpy()


def layer_maps(lab: Lab, images: np.ndarray, layers: tuple[str, ...]) -> list[Tensor]:
    """What some layers of the lab's network put out for the pictures, (N, K, h, w) each."""
    with torch.no_grad(), ExitStack() as stack:
        outputs = [stack.enter_context(layer_outputs(lab.model, name)) for name in layers]
        groups = np.array_split(images, max(1, len(images) // 16))
        for some in tqdm(groups, desc="looking at the scenes", leave=False):
            # small sets of pictures, the colours of a pixel side by side: a quarter less time on one core
            lab.model(lab.preprocess(some).contiguous(memory_format=torch.channels_last))
    return [torch.cat(parts).contiguous() for parts in outputs]


def fit_words(features: np.ndarray, concepts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A logistic regression for each concept: weights (k, d) and biases (k,)."""
    fitted = [LogisticRegression(max_iter=300).fit(features, column) for column in concepts.T]
    return np.stack([f.coef_[0] for f in fitted]), np.array([f.intercept_[0] for f in fitted])


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Log-odds to probabilities."""
    return 1 / (1 + np.exp(-log_odds))


def second_step(concepts: np.ndarray, classes: np.ndarray) -> LogisticRegression:
    """The class from concepts: a softmax regression."""
    return LogisticRegression(C=10, max_iter=500).fit(concepts, classes)


def bottleneck(world: Scenes) -> tuple[np.ndarray, np.ndarray, LogisticRegression, np.ndarray]:
    """Step 1, weights (22, 128) and biases (22,); step 2; what step 1 says of all scenes, (N, 22)."""
    weights, biases = fit_words(world.features[:N_LEARN], world.concepts[:N_LEARN])
    head = second_step(world.concepts[:N_LEARN], world.classes[:N_LEARN])
    return weights, biases, head, sigmoid(world.features @ weights.T + biases)


def corrected(said: np.ndarray, truth: np.ndarray, order: np.ndarray, n: int) -> np.ndarray:
    """A copy of `said` (N, K) with the truth in the n columns of each row whose `order` is smallest."""
    columns, rows, result = np.argsort(order, axis=1)[:, :n], np.arange(len(said))[:, None], said.copy()
    result[rows, columns] = truth[rows, columns]
    return result


def poor_bottleneck(world: Scenes, n_learn: int = 150) -> tuple[np.ndarray, LogisticRegression]:
    """A bottleneck that makes mistakes: layer3 instead of layer4, step 1 learnt from a few scenes only.

    Returns:
        What it says of all scenes, (N, 22), and its step 2, which reads true concepts.
    """
    features = world.earlier.mean(dim=(2, 3)).numpy()
    features = (features - features[:n_learn].mean(axis=0)) / (features[:n_learn].std(axis=0) + 1e-6)
    weights, biases = fit_words(features[:n_learn], world.concepts[:n_learn])
    return sigmoid(features @ weights.T + biases), second_step(
        world.concepts[:N_LEARN], world.classes[:N_LEARN]
    )


def flexible_score(given: np.ndarray, classes: np.ndarray, seed: int = 0) -> np.ndarray:
    """Which test scenes a small network of 64 units gets right from these columns, (N − 800,) of 0 and 1."""
    network = MLPClassifier((64,), learning_rate_init=0.01, max_iter=600, random_state=seed)
    network.fit(given[:N_LEARN], classes[:N_LEARN])
    return (network.predict(given[N_LEARN:]) == classes[N_LEARN:]).astype(float)


def class_table(concepts: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """For each class, what most of its pictures have, (n_classes, k): a reader who knows only the class."""
    return np.stack(
        [(concepts[classes == c].mean(axis=0) > 0.5).astype(float) for c in range(classes.max() + 1)]
    )


def cells_touched(masks: np.ndarray) -> np.ndarray:
    """Which of the 8 × 8 cells hold at least one pixel of each mask (n, 128, 128): (n, 64) bool."""
    return masks.reshape(len(masks), 8, 16, 8, 16).any(axis=(2, 4)).reshape(len(masks), 64)


def pointing(
    world: Scenes, weights: np.ndarray, said: np.ndarray, word: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the detector of a word points, in test scenes where the part is there and it says so.

    Args:
        world: scenes.
        weights: of the detector, (128,); its map is their sum with the channels.
        said: (N, 22), what the bottleneck says.
        word: number of the concept.

    Returns:
        Three (n,) arrays: whether the map's strongest cell touches the part; whether it touches the object;
        of the cells that touch the object, the share that touches the part (a blind choice on the object).
    """
    here = (world.concepts[:, word] > 0) & (said[:, word] > 0.5) & (np.arange(len(said)) >= N_LEARN)
    here = np.flatnonzero(here)
    heat = np.einsum("nchw,c->nhw", world.maps[here], weights).reshape(len(here), 64)
    at, rows = heat.argmax(axis=1), np.arange(len(here))
    part, thing = cells_touched(world.parts[here] == word + 1), cells_touched(world.masks[here])
    blind = (part & thing).sum(axis=1) / thing.sum(axis=1)
    return part[rows, at].astype(float), thing[rows, at].astype(float), blind


def to_cover(world: Scenes, picture: int, word: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three sets of pixels of one scene, (128, 128) bool, to be covered in turn.

    Returns:
        The part; as many other pixels of the object, around a place drawn at random; all of the object but
        the part.
    """
    part = world.parts[picture] == word + WORDS.start
    rest = world.masks[picture] & ~part
    pixels = np.argwhere(rest)
    middle = pixels[np.random.default_rng([picture, word]).integers(len(pixels))]
    near = pixels[np.argsort(((pixels - middle) ** 2).sum(axis=1), kind="stable")[: part.sum()]]
    patch = np.zeros_like(part)
    patch[tuple(near.T)] = True
    return part, patch, rest


def covered(world: Scenes, picture: int, pixels: np.ndarray) -> np.ndarray:
    """The scene with these pixels painted over, each in the colour of the nearest ground.

    The soft edge, three pixels wide, is painted, too, and no colour is taken from it.
    """
    thing, image = world.masks[picture], world.images[picture]
    edge = binary_dilation(thing, iterations=3)
    _, (row, column) = distance_transform_edt(edge, return_indices=True)
    painted = binary_dilation(pixels, iterations=3) & ~(thing & ~pixels)
    return np.where(painted[:, :, None], image[row, column], image)


def claims_when_covered(
    world: Scenes, weights: np.ndarray, bias: float, said: np.ndarray, word: int, n: int = 25
) -> np.ndarray:
    """How often the word is still said of scenes that show the part and of which it was said.

    Args:
        world: scenes.
        weights, bias: of the detector.
        said: (N, 22), what the bottleneck says.
        word: number of the concept.
        n: so many test scenes at most.

    Returns:
        Shares of the scenes, (3,): with the part covered, with as many other pixels of the object covered,
        with all of the object covered but the part.
    """
    here = np.flatnonzero((world.concepts[:, word] > 0) & (said[:, word] > 0.5))
    here = here[here >= N_LEARN][:n]
    images = [covered(world, i, pixels) for i in here for pixels in to_cover(world, i, word)]
    log_odds = features_of(world, np.stack(images)) @ weights + bias
    return (log_odds.reshape(len(here), 3) > 0).mean(axis=0)


def taught_places(world: Scenes, word: int, strength: float = 100.0) -> np.ndarray:
    """What the same maps allow: a ridge regression from each cell's features to the part's share of it.

    Returns:
        Weights (128,), to be used like those of a detector.
    """
    part = torch.from_numpy(world.parts[:N_LEARN] == word + 1).float()[:, None]
    share = F.avg_pool2d(part, 16)[:, 0].flatten().numpy()
    cells = world.maps[:N_LEARN].transpose(0, 2, 3, 1).reshape(-1, world.maps.shape[1])
    centred = cells - cells.mean(axis=0)
    bend = centred.T @ centred + strength * np.eye(centred.shape[1])
    return np.linalg.solve(bend, centred.T @ (share - share.mean()))


def random_codes(seed: int, n_words: int = 22, n_classes: int = 10) -> np.ndarray:
    """Words without meaning: each stands for two to five classes drawn at random, (n_classes, n_words)."""
    rng = np.random.default_rng([19, seed])
    codes = np.zeros((n_classes, n_words))
    for column in codes.T:
        column[rng.choice(n_classes, rng.integers(2, 6), replace=False)] = 1
    return codes


# --- wolves and grounds -----------------------------------------------------------------------------------


def ground_pictures(kind: str, n: int, seed: int = 0) -> np.ndarray:
    """Pictures of ground without an animal, (n, 128, 128, 3) uint8; `kind`: one of GROUNDS, or "others"."""
    rng = np.random.default_rng([seed, len(kind)])
    kinds = [SUMMER_GROUNDS[i] for i in rng.integers(len(SUMMER_GROUNDS), size=n)]
    kinds = kinds if kind == "others" else [kind] * n
    return np.clip(np.stack([ground(k, 128, rng) for k in kinds]), 0, 255).astype(np.uint8)


@cache
def wolves(model: str, seed: int | None = None) -> Lab:
    """The lab of huskies and wolves, with the model "shortcut" or "clean"; `seed` draws other pictures."""
    return load_lab("wolves", model=model, seed=seed)


@cache
def wolf_world() -> tuple[dict[str, Lab], np.ndarray, np.ndarray]:
    """The two networks by name, 100 pictures of snow and 200 of other grounds."""
    twins = {name: wolves(name) for name in ("shortcut", "clean")}
    return twins, ground_pictures("snow", 100), ground_pictures("others", 200)


@dataclass(frozen=True, eq=False)
class Runs:
    """Some directions that lead from one set of pictures to another, and the wolf score along them."""

    derivatives: Tensor  # (N, R): score of N wolves, per unit, along R directions
    reach: Tensor  # (R,): how far apart the means of the two sets lie along the direction, in units

    @property
    def effects(self) -> Tensor:
        """Mean derivative × reach, (R,), in units of the score."""
        return self.derivatives.mean(dim=0) * self.reach


def concept_runs(
    lab: Lab, layer: str, concept: np.ndarray, others: np.ndarray, n_runs: int = 20, seed: int = 0
) -> tuple[Runs, Runs]:
    """The directions of a concept and of random concepts, `n_runs` of each.

    Each run draws 50 pictures of the concept and 50 others. A *random concept* is 50 of the others against 50
    further ones: a direction without meaning.

    Args:
        lab: wolves and huskies.
        layer: its name.
        concept, others: pictures, at least 20 and at least 100.
        n_runs: draws.
        seed: of the draws.
    """
    features, rest = (layer_maps(lab, p, (layer,))[0].mean(dim=(2, 3)) for p in (concept, others))
    generator = torch.Generator().manual_seed(seed)
    pairs = {"meant": [], "random": []}
    for _ in range(n_runs):
        some = features[torch.randperm(len(features), generator=generator)[:GROUNDS_PER_SET]]
        mixed = rest[torch.randperm(len(rest), generator=generator)]
        half, other_half = mixed[:GROUNDS_PER_SET], mixed[GROUNDS_PER_SET : 2 * GROUNDS_PER_SET]
        pairs["meant"].append((some, half))
        pairs["random"].append((half, other_half))
    wolves_only = lab.inputs[lab.targets == 1]
    runs = []
    for sets in pairs.values():
        vectors = torch.stack([concept_vector(*pair) for pair in sets])
        reach = torch.stack(
            [v @ (a.mean(dim=0) - b.mean(dim=0)) for v, (a, b) in zip(vectors, sets, strict=True)]
        )
        runs.append(Runs(directional_derivatives(lab.model, wolves_only, 1, layer, vectors), reach))
    return runs[0], runs[1]


def ground_matters(lab: Lab) -> float:
    """By how much the wolf score falls, on average, if the wolves stand on other ground than snow."""
    is_wolf = lab.targets == 1
    with torch.no_grad():
        before, after = (
            lab.model(lab.preprocess(p[is_wolf.numpy()]))[:, 1] for p in (lab.images, lab.counterfactuals)
        )
    return float((before - after).mean())


def own_concept(concept: str, n: int = 60) -> np.ndarray:
    """Pictures of a concept: the name of a ground, or the path of a folder with at least 20 pictures.

    Raises:
        ValueError: neither a ground nor a folder with enough pictures.
    """
    if not isinstance(concept, str) or not concept:
        raise ValueError(f"concept must be the name of a ground or the path of a folder, not {concept!r}")
    if concept in GROUNDS:
        return ground_pictures(concept, n)
    folder = Path(concept).expanduser()
    if not folder.is_dir():
        raise ValueError(
            f"{concept!r} is neither a folder nor a ground: the grounds are {', '.join(GROUNDS)}"
        )
    pictures, _ = read_pictures([f for f in visible(folder) if f.is_file()], 128, folder)
    if len(pictures) < 20:
        raise ValueError(f"{concept!r} holds {len(pictures)} readable pictures: a concept needs at least 20")
    return pictures


# --- prototypes -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Prototypes:
    """A trained network of prototypes: P = 4 for each of ten classes, 32 numbers each."""

    places: Tensor  # (N, 32, 8, 8), what each place of each picture has become
    vectors: Tensor  # (P, 32), each equal to one place of a training picture
    owner: np.ndarray  # (P,), its class
    source: np.ndarray  # (P, 3): training picture, row and column of its place
    votes: Tensor  # (n_classes, P)

    def similarities(self) -> Tensor:
        """Of each place to each prototype, (N, P, 8, 8)."""
        return prototype_similarities(self.places, self.vectors)


def train_prototypes(
    maps: Tensor, classes: np.ndarray, seed: int = 0, *, per_class: int = 4, n_steps: int = 300
) -> Prototypes:
    """Learn prototypes from frozen maps (N, d, 8, 8), the first 800 pictures to learn from.

    Chen and others 2019: cross-entropy + 0.8 · distance to the nearest own prototype − 0.08 · distance to the
    nearest foreign one; then each prototype moves onto the nearest place of a training picture of its class.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reduce = nn.Sequential(nn.Conv2d(maps.shape[1], 64, 1), nn.ReLU(), nn.Conv2d(64, 32, 1), nn.Sigmoid())
        vectors = torch.rand(10 * per_class, 32).requires_grad_()
    learn, y = maps[:N_LEARN], torch.from_numpy(classes)
    mean, scale = learn.mean(dim=(0, 2, 3), keepdim=True), learn.std(dim=(0, 2, 3), keepdim=True) + 1e-6
    owner = torch.arange(10).repeat_interleave(per_class)
    votes = torch.where(owner == torch.arange(10)[:, None], 1.0, -0.5)
    optimiser = torch.optim.Adam([*reduce.parameters(), vectors], lr=3e-3)
    generator = torch.Generator().manual_seed(seed)
    learn = (learn - mean) / scale
    for _ in tqdm(range(n_steps), desc="training prototypes", leave=False):
        batch = torch.randint(N_LEARN, (64,), generator=generator)
        likeness = prototype_similarities(reduce(learn[batch]), vectors).flatten(2).amax(dim=2)
        distance = (1 - 1e-4 * likeness.exp()) / (likeness.exp() - 1)  # the same formula, solved for d²
        mine = owner == y[batch][:, None]
        own = distance.masked_fill(~mine, torch.inf).amin(dim=1).mean()
        foreign = distance.masked_fill(mine, torch.inf).amin(dim=1).mean()
        loss = F.cross_entropy(likeness @ votes.T, y[batch]) + 0.8 * own - 0.08 * foreign
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        places = torch.cat([reduce((some - mean) / scale) for some in maps.split(200)])
        likeness = prototype_similarities(places[:N_LEARN], vectors.detach())
        foreign = y[:N_LEARN, None] != owner
        likeness[foreign] = -1
        best = likeness.transpose(0, 1).flatten(1).argmax(dim=1).numpy()
    source = np.stack(np.unravel_index(best, (N_LEARN, 8, 8)), axis=1)
    pushed = places[source[:, 0], :, source[:, 1], source[:, 2]]
    return Prototypes(places, pushed, owner.numpy(), source, votes)


def prototype_score(network: Prototypes, classes: np.ndarray) -> float:
    """Share of the test scenes whose class a linear map reads from the similarities to the prototypes."""
    given = network.similarities().flatten(2).amax(dim=2).numpy()
    reader = LogisticRegression(max_iter=1000).fit(given[:N_LEARN], classes[:N_LEARN])
    return float(reader.score(given[N_LEARN:], classes[N_LEARN:]))


def on_object(world: Scenes) -> np.ndarray:
    """The share of each of the 8 × 8 cells that the object covers, (N, 8, 8)."""
    return F.avg_pool2d(torch.from_numpy(world.masks).float()[:, None], 16)[:, 0].numpy()


def main_part(world: Scenes, picture: int, row: int, column: int) -> int:
    """The part of the object that covers most of a cell; 0 where there is no object."""
    cell = np.s_[picture, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
    parts = world.parts[cell][world.masks[cell]]
    return int(np.bincount(parts).argmax()) if len(parts) else 0


def found_places(world: Scenes, network: Prototypes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each test picture the most similar prototype of its class, (n,); row and column of the place."""
    likeness = network.similarities()[N_LEARN:]
    foreign = torch.from_numpy(world.classes[N_LEARN:, None] != network.owner)
    best = likeness.flatten(2).amax(dim=2).masked_fill(foreign, -1).argmax(dim=1)
    flat = likeness.flatten(2)[torch.arange(len(best)), best].argmax(dim=1).numpy()
    return best.numpy(), flat // 8, flat % 8


# --- drawings ---------------------------------------------------------------------------------------------


def draw_parts(world: Scenes, n: int = 5) -> None:
    """The first n scenes, their parts in colours, and how many pixels show each part, the largest first."""
    _, axes = plots.grid(3, n, width=9.5, ratio=0.9)
    grey = np.full(3, 225, np.uint8)
    for column, (top, middle, below) in enumerate(axes.T):
        top.imshow(world.images[column])
        name = world.class_names[world.classes[column]]
        top.set_title(name, fontsize=10)
        coloured = np.broadcast_to(grey, world.images[column].shape).copy()
        there = [k for k in np.argsort(-world.pixels[column]) if world.pixels[column, k]]
        for row, k in enumerate(there):
            colour = plots.COLOURS[row % len(plots.COLOURS)]
            coloured[world.parts[column] == k + WORDS.start] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            few = "" if world.concepts[column, k] else ": too few"
            below.text(0.08, 0.93 - 0.145 * row, "■", color=colour, fontsize=11, va="center")
            below.text(
                0.2, 0.93 - 0.145 * row, f"{world.words[k]} {world.pixels[column, k]}{few}", fontsize=9.5,
                va="center",
            )  # fmt: skip
        middle.imshow(coloured)


def draw_bars(ax, words: tuple[str, ...], said: np.ndarray, true: np.ndarray) -> None:
    """The concepts of one picture: what the model says (bars), and the truth (marks)."""
    order = np.argsort(-said)[:8][::-1]
    ax.barh(range(len(order)), said[order], color=plots.COLOURS[0], alpha=0.6)
    for row, k in enumerate(order):
        ax.text(1.04, row, "yes" if true[k] else "no", va="center", fontsize=9)
    ax.set_yticks(range(len(order)), [words[k] for k in order])
    ax.set(xlim=(0, 1), xticks=(0, 0.5, 1))
    ax.axvline(0.5, color=plots.BASELINE, linewidth=1)


def crop_box(row: int, column: int) -> tuple[int, int, int, int]:
    """The pixels of a cell of the 8 × 8 map: left, top, right, bottom."""
    return 16 * column, 16 * row, 16 * column + 16, 16 * row + 16
