"""What lesson 12 and its companions share: small animals and tiny networks, and the detective's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.drawing.scenes import render
from course_utils.judge import bounding_box, energy_in_mask
from course_utils.judge.scoreboard import MEASURES, Scoreboard
from course_utils.labs.detective import Case
from course_utils.labs.lab import Lab
from course_utils.methods.arguments import check_maps
from course_utils.methods.cam import grad_cam, upsample
from course_utils.teach import plots


@dataclass(frozen=True)
class Animals:
    """Small pictures of huskies and wolves on all kinds of ground, the first ones for training."""

    pictures: Tensor  # (N, 3, 32, 32), −1 … 1
    labels: Tensor  # (N,), 0 or 1
    masks: Tensor  # (N, 32, 32) bool, the animal


def small_animals(n: int, seed: int = 11) -> Animals:
    """Render `n` scenes of huskies and wolves, four times smaller; the ground says nothing of the class."""
    drawn = render("wolves", n, seed=seed, shortcut="random")
    pictures = torch.from_numpy(drawn.images).permute(0, 3, 1, 2).float() / 127.5 - 1
    masks = F.avg_pool2d(torch.from_numpy(drawn.masks).float()[:, None], 4)[:, 0] > 0.5
    return Animals(F.avg_pool2d(pictures, 4), torch.from_numpy(drawn.targets), masks)


def tiny_network(seed: int, n_classes: int = 2) -> nn.Sequential:
    """Three convolutions without padding, global average pooling, one linear layer; module 6 has the maps."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, n_classes),
        )  # fmt: skip


def train(pictures: Tensor, labels: Tensor, epochs: int, seed: int = 0) -> nn.Sequential:
    """Train a tiny network (Adam, one-cycle schedule); `seed` decides its first weights and the order."""
    network = tiny_network(seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), 4e-3)
    n_batches = len(pictures) // 25
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=epochs * n_batches)
    for _ in range(epochs):
        for index in torch.randperm(len(pictures), generator=generator).split(25)[:n_batches]:
            optimizer.zero_grad()
            F.cross_entropy(network(pictures[index]), labels[index]).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


@torch.no_grad()
def hits(network: nn.Module, pictures: Tensor, labels: Tensor) -> Tensor:
    """1 for each picture `(N,)` that the network names correctly, else 0."""
    if labels.shape != (len(pictures),):
        raise ValueError(f"{len(pictures)} pictures need as many labels, not {tuple(labels.shape)}")
    return (network(pictures).argmax(dim=1) == labels).float()


def centred(lab: Lab, n: int = 25, side: int = 96) -> tuple[Tensor, Tensor, Tensor]:
    """The first `n` pictures that can be cropped around their object: inputs, masks, and their numbers."""
    boxes = bounding_box(lab.masks).float()  # left, top, right, bottom
    middles = torch.stack([boxes[:, [1, 3]].mean(dim=1), boxes[:, [0, 2]].mean(dim=1)], dim=1)
    half, size = side // 2, lab.masks.shape[-1]
    numbers = ((middles > half) & (middles < size - half)).all(dim=1).nonzero()[:, 0][:n]
    corners = (middles[numbers] - half).int().tolist()
    windows = [(slice(top, top + side), slice(left, left + side)) for top, left in corners]
    inputs = [lab.inputs[k][(slice(None), *w)] for k, w in zip(numbers, windows, strict=True)]
    masks = [lab.masks[k][w] for k, w in zip(numbers, windows, strict=True)]
    return torch.stack(inputs), torch.stack(masks), numbers


def half_of(masks: Tensor, *, scattered: bool, seed: int = 0) -> Tensor:
    """Half of each object's pixels `(N, H, W)`: one connected piece around a random pixel, or scattered."""
    if masks.dtype != torch.bool or masks.ndim != 3:
        raise TypeError(f"masks must be bool, (N, H, W), not {masks.dtype}, {tuple(masks.shape)}")
    if not masks.flatten(1).any(dim=1).all():
        raise ValueError("a mask is empty: leave that picture out")
    generator, halves = torch.Generator().manual_seed(seed), torch.zeros_like(masks)
    for mask, half in zip(masks, halves, strict=True):
        places = mask.nonzero()  # (n, 2), row and column
        first = places[torch.randint(len(places), (1,), generator=generator)]
        keys = torch.rand(len(places), generator=generator) if scattered else (places - first).square().sum(1)
        row, column = places[keys.argsort()[: len(places) // 2]].T
        half[row, column] = True
    return halves


def draw_deleted(ax, lab: Lab, number: int, heat: Tensor, share: float, substrate: Tensor) -> None:
    """One scene without its strongest `share` of pixels, by heat `(H, W)`, and what the network says."""
    if not 0 <= share <= 1:
        raise ValueError(f"share must be a share of the pixels, from 0 to 1, not {share!r}")
    check_maps(heat, shape=lab.inputs.shape[2:], dims=(2,), name="heat")
    x, c = lab.inputs[number : number + 1].clone(), int(lab.targets[number])
    gone = heat.flatten().argsort(descending=True)[: round(share * heat.numel())]
    x.flatten(2)[:, :, gone] = substrate.flatten(2)[:, :, gone]
    with torch.no_grad():
        p = float(lab.model(x).softmax(dim=1)[0, c])
    ax.imshow(lab.to_images(x)[0])
    ax.set_title(f"{share:.0%} gone: p = {p:.2f}", fontsize=9)


def for_the_eye(maps: Tensor, block: int = 4) -> Tensor:
    """Grainy maps `(N, H, W)` made visible: means of small blocks, the strongest hundredth cut off."""
    maps = check_maps(maps)
    coarse = F.avg_pool2d(maps[:, None], block, ceil_mode=True)[:, 0]
    limit = coarse.flatten(1).quantile(0.99, dim=1).clamp(min=1e-12)[:, None, None]
    return (coarse / limit).clamp(max=1)


# ------------------------------------------------------------------------------------- the detective


def suspect_maps(case: Case) -> dict[str, Tensor]:
    """Grad-CAM of the right class for all pictures, `(N, S, S)`, by suspect."""
    return {
        name: upsample(grad_cam(lab.model, lab.inputs, lab.targets, lab.layer), case.masks.shape[-2:])
        for name, lab in case.suspects.items()
    }


def share_on(case: Case, maps: Mapping[str, Tensor], region: Tensor) -> np.ndarray:
    """Mean share of the maps on a region `(N, S, S)`: one row a suspect, one column a class."""
    shares = np.zeros((len(case.names), len(case.class_names)))
    there = region.flatten(1).any(dim=1)
    for row, heat in enumerate(maps.values()):
        values = torch.zeros(len(region))
        values[there] = energy_in_mask(heat[there], region[there]).float()
        shares[row] = [values[case.targets == c].mean() for c in range(len(case.class_names))]
    return shares


def visible_ties(case: Case) -> dict[str, tuple[str, object]]:
    """By kind: the class that always has one value in these pictures, when no other class ever has it."""
    targets, found = case.targets.numpy(), {}
    for kind, values in case.looks.items():
        for value in case.choices[kind]:
            owners = set(targets[values == value].tolist())
            owner = next(iter(owners), None)
            if len(owners) == 1 and np.all(values[targets == owner] == value):
                if kind != "watermark" or value:
                    found[kind] = (case.class_names[owner], value)
    return found


def still_possible(case: Case, maps: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """What the maps of each suspect leave open: one or two of the five kinds."""
    on_object = share_on(case, maps, case.masks)
    on_mark = share_on(case, maps, case.regions["watermark"])
    low = on_object / np.median(on_object, axis=0)
    extra = on_mark - np.median(on_mark, axis=0)
    found = {}
    for row, name in enumerate(case.names):
        if extra[row].max() > 0.15:
            found[name] = ["watermark"]
        elif low[row].min() < 0.7:  # it looks beside the object
            found[name] = ["background", "position"]
        else:  # it looks at the object, like an honest one
            found[name] = ["texture", "colour"]
    return found


def guess_from_maps(case: Case, maps: Mapping[str, Tensor]) -> dict[str, str | None]:
    """An answer from the maps alone: the first kind that is possible, and honest where the maps look it."""
    return {
        name: None if "texture" in kinds else kinds[0] for name, kinds in still_possible(case, maps).items()
    }


def ask_about(case: Case, name: str, kinds: list[str], n_questions: int = 3) -> str | None:
    """Ask a suspect about pictures in which one thing is exchanged, one after the other.

    The pictures are of the class that this kind is tied to. An answer that changes is tried on a second
    picture, if a question is left for it; None where nothing was found.
    """
    suspect, owners = case.suspects[name], visible_ties(case)

    def answer_changes(kind: str, which: int) -> bool:
        owner = case.class_names.index(owners[kind][0])
        number = np.flatnonzero(case.targets.numpy() == owner)[which : which + 1]
        before = suspect.predict(case.images[number]).argmax()
        return bool(suspect.predict(case.variants[kind][number]).argmax() != before)

    for kind in kinds:
        if n_questions == 0:
            break
        n_questions -= 1
        if answer_changes(kind, 0):
            if n_questions == 0:
                return kind
            n_questions -= 1
            if answer_changes(kind, 1):
                return kind
    return None


def maps_then_questions(case: Case, maps: Mapping[str, Tensor]) -> dict[str, str | None]:
    """The answers when the maps say what the three questions of each suspect are about."""
    return {
        name: kinds[0] if len(kinds) == 1 else ask_about(case, name, kinds)
        for name, kinds in still_possible(case, maps).items()
    }


def three_ways(case: Case) -> dict[str, dict[str, str | None]]:
    """The answers of three fixed rules: three questions in a random order, the maps, the maps first.

    The case must allow more than three questions, since two of the rules ask some.
    """
    maps = suspect_maps(case)
    rng = np.random.default_rng(case.seed)
    return {
        "questions alone": {n: ask_about(case, n, list(rng.permutation(list(case.choices)))) for n in case},
        "maps alone": guess_from_maps(case, maps),
        "maps, then questions": maps_then_questions(case, maps),
    }


# ------------------------------------------------------------------------------------- the scoreboard


def draw_board(board: Scoreboard, measures: list[str]) -> None:
    """A table of means, coloured by rank; methods in the order of their mean rank."""
    ranked = [m for m in measures if MEASURES[m][0] is not None]
    ranks = {m: board.rank(m) for m in ranked}
    names = sorted(board.values, key=lambda name: np.mean([ranks[m][name] for m in ranked]))
    shade = np.full((len(names), len(measures) + 1), np.nan)
    _, ax = plt.subplots(figsize=(10, 0.31 * len(names) + 0.9))
    for i, name in enumerate(names):
        for j, m in enumerate(measures):
            if m in ranks:
                shade[i, j] = 1 - (ranks[m][name] - 1) / len(names)
            ink = plots.ink_on(plt.get_cmap("Blues")(shade[i, j] / 1.3)) if m in ranks else plots.INK
            ax.text(j, i, f"{board.mean(name, m):.2f}", ha="center", va="center", fontsize=10, color=ink)
        passes = f"{board.costs[name]['passes']:.0f}"
        ax.text(len(measures), i, passes, ha="center", va="center", fontsize=10)
    ax.imshow(shade, cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
    arrows = {True: " ↑", False: " ↓", None: ""}
    titles = [m + arrows[MEASURES[m][0]] for m in measures] + ["passes"]
    ax.set_xticks(range(len(titles)), titles, fontsize=9)
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(names)), names)
    for label, name in zip(ax.get_yticklabels(), names, strict=True):
        label.set_color(plots.BASELINE if name in board.baselines else plots.INK)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def rank_lines(ax, results: Mapping[str, Mapping[str, Tensor]], upward: bool, title: str) -> None:
    """Each method's rank in each setting, as a line; rank 1 is on top, tied lines stand side by side."""
    settings = list(results)
    names = list(results[settings[0]])
    order = (
        "saliency",
        "gradient × input",
        "Integrated Gradients",
        "guided backprop",
        "Layer-CAM",
        "Grad-CAM",
    )
    colours = dict(zip(order, plots.COLOURS, strict=False))  # the same in each of the plots
    taken: dict[tuple, int] = {}
    for name in names:
        ranks = []
        for s in settings:
            means = {n: float(v.mean()) * (1 if upward else -1) for n, v in results[s].items()}
            ranks.append(1 + sum(v > means[name] + 1e-9 for v in means.values()))
        shift = 0.12 * taken.get(tuple(ranks), 0)  # lines that coincide are drawn beside one another
        taken[tuple(ranks)] = taken.get(tuple(ranks), 0) + 1
        style = "s--" if name == "edges (Sobel)" else "o-"
        color = plots.BASELINE if style == "s--" else colours[name]
        ax.plot(range(len(settings)), [r + shift for r in ranks], style, color=color, label=name)
    ax.set_xticks(range(len(settings)), settings)
    ax.set(ylim=(7.5, 0.5), yticks=range(1, 8), xlim=(-0.35, len(settings) - 0.65))
    ax.set_title(title, loc="left", fontsize=10)


def draw_unit_tests(results: Mapping, networks: list[str], baselines: tuple[str, ...]) -> None:
    """The table of the unit tests: exact, place, fails, or no answer."""
    look = {
        "exact": ("#009e73", "exact"),
        "place": ("#e6c84f", "place"),
        "fails": ("#d55e00", "fails"),
        "n/a": ("#eceff1", "–"),
    }
    names = list(results)
    _, ax = plt.subplots(figsize=(10, 6.2))
    for i, name in enumerate(names):
        for j, network in enumerate(networks):
            color, text = look[results[name][network].state]
            ax.add_patch(plt.Rectangle((j - 0.48, i - 0.46), 0.96, 0.92, color=color, alpha=0.85))
            ax.text(j, i, text, ha="center", va="center", fontsize=9)
    ax.set(xlim=(-0.5, len(networks) - 0.5), ylim=(len(names) - 0.5, -0.5))
    ax.set_xticks(range(len(networks)), [n.replace("_", " ") for n in networks])
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(names)), names)
    for label, name in zip(ax.get_yticklabels(), names, strict=True):
        label.set_color(plots.BASELINE if name in baselines else plots.INK)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
