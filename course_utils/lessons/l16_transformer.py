"""What lesson 16 needs: the walk through every number, changed letters, drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from course_utils.labs import load_lab
from course_utils.labs.induction import AttentionOnly, InductionLab
from course_utils.methods import circuits
from course_utils.methods.arguments import check_count
from course_utils.methods.attention import attention_rollout
from course_utils.teach import plots

PARTS = ("token", "head 0", "head 1")


def two_models() -> tuple[InductionLab, InductionLab]:
    """The two models of the puzzle, A and B."""
    labs = load_lab("induction"), load_lab("induction", model="one_length")
    for lab in labs:
        lab.model.requires_grad_(False)
    return labs


def change_letter(lab: InductionLab, tokens: Tensor, place: int, seed: int = 0) -> Tensor:
    """Texts `(N, T)` with the letter at one place replaced by one that the text does not hold.

    Raises:
        ValueError: `place` is out of range, or a text holds all letters.
    """
    place = check_count(place, "place", -tokens.shape[1], tokens.shape[1] - 1)
    rng, changed = np.random.default_rng([seed, place % tokens.shape[1]]), tokens.clone()
    for row in changed:
        unused = sorted(set(range(1, len(lab.alphabet))) - set(row.tolist()))
        if not unused:
            raise ValueError("a text holds all 26 letters, so none is left to put in: take a shorter pattern")
        row[place] = int(rng.choice(unused))
    return changed


def by_the_circuit(tokens: Tensor, first: int) -> Tensor:
    """How often the induction rule is right, with no model: a probability for each place from `first` on.

    The rule: choose one of the earlier places with the current letter at random, and say what followed it
    there; where there is none, say the text's first letter, on which head 1 rests.

    Args:
        tokens: `(N, T)`.
        first: the first place at which the next letter is asked for.

    Returns:
        `(N, T − 1 − first)`.
    """
    place = torch.arange(tokens.shape[1] - 1)
    same = (tokens[:, first:-1, None] == tokens[:, None, :-1]) & (place < place[first:, None])
    right = tokens[:, None, 1:] == tokens[:, first + 1 :, None]  # would the copied letter be the right one?
    chosen = (same & right).sum(dim=2) / same.sum(dim=2).clamp(min=1)
    return torch.where(same.any(dim=2), chosen, right[:, :, 0].float())


def rightness(logits: Tensor, answers: Tensor) -> Tensor:
    """The answer's logit minus the mean of all logits, `(N,)`, from logits `(N, vocabulary)`."""
    return logits.gather(1, answers[:, None])[:, 0] - logits.mean(dim=1)


# --- every number of one forward pass ---------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One table of the walk and what each of its numbers is made of.

    `kind` is "product" (a row of `left` times a column of `right`, the sum over `divisor`), "softmax" (of
    a row of `left`), "sum" (of the two cells) or "lookup" (nothing is computed).
    """

    name: str
    formula: str
    values: np.ndarray
    columns: Sequence[str]
    kind: str
    left: np.ndarray | None = None
    right: np.ndarray | None = None
    divisor: float = 1.0


def walk(lab: InductionLab, text: str) -> tuple[list[str], dict[str, Step]]:
    """The tokens of a text, and every table of one forward pass in order, by name."""
    tokens = lab.tokens(text)
    names = list(lab.text(tokens[0]))
    model, numbers = lab.model, [str(i) for i in range(lab.model.embed.weight.shape[1])]
    positions = plots.to_array(model.positions[: len(names)])
    steps = [
        Step(
            "x⁰",
            "the token's row of the table E",
            plots.to_array(model.embed(tokens)[0]),
            numbers,
            "lookup",
        )
    ]
    found = [
        {key: plots.to_array(value[0]) for key, value in step.items()}
        for step in model.steps(tokens.to(model.positions.device))
    ]
    for h, (head, step) in enumerate(zip(model.heads, found, strict=True)):
        x, placed = step["stream"], step["stream"] + positions
        inner = [str(i) for i in range(step["Q"].shape[1])]
        tag, x_name = f"head {h}: ", f"x{'⁰¹'[h]}"
        for letter, source, source_name in (
            ("Q", placed, f"({x_name} + P)"),
            ("K", placed, f"({x_name} + P)"),
            ("V", x, x_name),
        ):
            weight = plots.to_array(getattr(head, f"W_{letter}"))
            steps.append(
                Step(
                    f"{tag}{letter}",
                    f"{source_name} W_{letter}",
                    step[letter],
                    inner,
                    "product",
                    source,
                    weight,
                )
            )
        scores = np.where(np.isfinite(step["scores"]), step["scores"], np.nan)
        root = step["Q"].shape[1] ** 0.5
        steps += [
            Step(
                f"{tag}S",
                f"Q Kᵀ / √{len(inner)}",
                scores,
                names,
                "product",
                step["Q"],
                step["K"].T,
                root,
            ),
            Step(f"{tag}A", "softmax of each row of S", step["weights"], names, "softmax", scores),
            Step(f"{tag}A V", "A V", step["mixed"], inner, "product", step["weights"], step["V"]),
            Step(
                f"{tag}w",
                "(A V) W_O: what the head writes",
                step["written"],
                numbers,
                "product",
                step["mixed"],
                plots.to_array(head.W_O),
            ),
        ]
        after = x + step["written"]
        steps.append(Step(f"x{'¹²'[h]}", f"{x_name} + w", after, numbers, "sum", x, step["written"]))
    unembed = plots.to_array(model.unembed.weight).T
    steps.append(Step("logits", "x² Uᵀ", after @ unembed, list(lab.alphabet), "product", after, unembed))
    return names, {step.name: step for step in steps}


def how_it_came(step: Step, row: int, column: int) -> tuple[list[str], np.ndarray, str]:
    """What one number is made of: names of the lines, the lines `(2 or 3, n)`, and the sum in words."""
    value = step.values[row, column]
    if step.kind == "lookup":
        return ["row of E"], step.values[row : row + 1], f"column {step.columns[column]}: {value:+.3f}"
    if step.kind == "sum":
        a, b = step.left[row, column], step.right[row, column]
        return ["before", "written"], np.array([[a], [b]]), f"{a:+.3f} {b:+.3f} = {value:+.3f}"
    if step.kind == "softmax":
        row_scores = step.left[row, : row + 1]
        powers = np.exp(row_scores)
        text = f"{powers[column]:.2f} / {powers.sum():.2f} = {value:.3f}" if column <= row else "later: 0"
        return ["score s", "e to the s"], np.stack([row_scores, powers]), text
    if not np.isfinite(value):
        return (
            ["row", "column"],
            np.stack([step.left[row], step.right[:, column]]),
            "a later token: never seen",
        )
    a, b = step.left[row], step.right[:, column]
    total = float(a @ b)
    text = f"sum of the products = {total:+.3f}"
    if step.divisor != 1:
        text += f", divided by √{round(step.divisor**2)}: {value:+.3f}"
    return ["row", "column", "product"], np.stack([a, b, a * b]), text


def draw_walk(lab: InductionLab, text: str, name: str, row: int, column: int) -> Figure:
    """One table of the forward pass with a cell framed, and below the numbers that this cell was made of."""
    names, steps = walk(lab, text)
    step = steps[name]
    row, column = min(row, len(names) - 1), min(column, step.values.shape[1] - 1)
    lines, numbers, total = how_it_came(step, row, column)
    figure, (top, below) = plt.subplots(
        2, 1, figsize=(plots.WIDTH, 0.27 * len(names) + 2.5), height_ratios=(len(names), 3.4)
    )
    signed = step.kind != "softmax"
    _table(
        top, step.values, names, step.columns, signed=signed, frame=(row, column), decimals=1 if signed else 2
    )
    top.set_title(f"{name} = {step.formula}", loc="left")
    _table(below, numbers, lines, [""] * numbers.shape[1], signed=signed, each_row=True, decimals=2)
    sign = f"row {names[row]!r} (place {row}), column {step.columns[column]!r}: {total}"
    below.set_title(sign.replace("-", "−"), loc="left")
    return figure


def _table(
    ax: Axes,
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    signed: bool,
    decimals: int,
    frame: tuple[int, int] | None = None,
    each_row: bool = False,
) -> None:
    """Numbers in coloured cells; `each_row` colours every row by its own largest value."""
    limits = np.nanmax(np.abs(values), axis=1, keepdims=True) if each_row else np.nanmax(np.abs(values))
    shade = values / np.where(limits == 0, 1, limits)
    cmap = plots.DIVERGING if signed else "Blues"
    ax.imshow(shade, cmap=cmap, vmin=-1.6 if signed else 0, vmax=1.6, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{value:.{decimals}f}".replace("-", "−")
            ax.text(j, i, text, ha="center", va="center", fontsize=9, color=plots.INK)
    ax.set_yticks(range(len(rows)), rows, fontsize=9)
    ax.set_xticks(range(len(columns)), columns, fontsize=9)
    ax.xaxis.tick_top()
    ax.tick_params(length=0, pad=1)
    ax.spines[:].set_visible(False)
    if frame is not None:
        ax.axhspan(frame[0] - 0.5, frame[0] + 0.5, fill=False, edgecolor=plots.BASELINE, linewidth=1)
        ax.add_patch(
            plt.Rectangle(
                (frame[1] - 0.5, frame[0] - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=2.5
            )
        )


# --- drawings ---------------------------------------------------------------------------------------------


def draw_model() -> Figure:
    """The whole model: a stream that runs from the token to the logits, and two heads that add to it."""
    figure, ax = plt.subplots(figsize=(plots.WIDTH, 2.9))
    ax.annotate("", (9.05, 1), (1.55, 1), arrowprops={"arrowstyle": "-|>", "lw": 5, "color": plots.ACCENT})

    def box(x: float, y: float, text: str, colour: str = "#eef1f4", width: float = 1.5) -> None:
        ax.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - 0.28), width, 0.56, boxstyle="round,pad=0.04", facecolor=colour,
                edgecolor=plots.INK, linewidth=0.8,
            )
        )  # fmt: skip
        ax.text(x, y, text, ha="center", va="center", fontsize=10)

    box(0.75, 1, "token\nrow of E")
    box(9.85, 1, "logits\nx² Uᵀ")
    for x, name, before, after in ((3.4, "head 0", "x⁰", "x¹"), (6.6, "head 1", "x¹", "x²")):
        box(x, 2.3, name, "#fdeecb")
        ax.annotate("", (x - 0.5, 2.0), (x - 0.9, 1.05), arrowprops={"arrowstyle": "->", "color": plots.INK})
        ax.annotate("", (x + 0.9, 1.08), (x + 0.5, 2.0), arrowprops={"arrowstyle": "->", "color": plots.INK})
        ax.text(x - 0.85, 1.5, "reads", ha="right", fontsize=9)
        ax.text(x + 0.85, 1.5, "adds", fontsize=9)
        ax.text(x - 1.1, 0.62, before, ha="center", color=plots.ACCENT)
        ax.text(x + 1.1, 0.62, after, ha="center", color=plots.ACCENT)
    ax.text(5.0, 0.1, "the stream: one row of 24 numbers for each token", ha="center", color=plots.ACCENT)
    ax.set(xlim=(-0.1, 10.8), ylim=(-0.1, 2.8))
    plots.bare(ax)
    return figure


def draw_attention(ax: Axes, weights: Tensor, names: Sequence[str], title: str, *, every: int = 1) -> None:
    """One map of weights: rows look, columns are looked at."""
    ax.imshow(plots.to_array(weights), cmap="Blues", vmin=0, vmax=1)
    places = range(0, len(names), every)
    ax.set_xticks(places, [names[p] for p in places], fontsize=9)
    ax.set_yticks(places, [names[p] for p in places], fontsize=9)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set_xlabel("is looked at")
    ax.set_ylabel("looks")
    ax.set_title(title)


def draw_parts(values: Mapping[str, Tensor], title: str) -> Figure:
    """One bar for each part of the stream: the mean of `(N,)` attributions, and their sum."""
    means = {name: float(value.mean()) for name, value in values.items()}
    means["sum = the logit"] = sum(means.values())
    figure, ax = plt.subplots(figsize=(7.5, 2.2))
    colours = [plots.BASELINE if "sum" in name else plots.ACCENT for name in means]
    bars = ax.barh(list(means), list(means.values()), color=colours)
    ax.bar_label(bars, [f"{value:+.2f}" for value in means.values()], padding=3)
    ax.invert_yaxis()
    ax.axvline(0, color=plots.INK, linewidth=0.8)
    ax.set(xlabel="added to the right letter's logit (minus the mean of all)")
    ax.margins(x=0.1)
    ax.set_title(title, loc="left")
    return figure


def draw_lens(lab: InductionLab, text: str) -> Figure:
    """The logit lens: the likeliest next letter and its probability, for each place and depth."""
    tokens = lab.tokens(text)
    depth, rows = 0, []
    for part in lab.model.parts(tokens).values():
        depth = depth + part[0]
        rows.append(circuits.logit_lens(depth, lab.model.unembed.weight).softmax(dim=1))
    figure, ax = plt.subplots(figsize=(plots.WIDTH, 2.2))
    best = torch.stack([row.max(dim=1).values for row in rows])
    ax.imshow(plots.to_array(best), cmap="Blues", vmin=0, vmax=2.2, aspect="auto")
    for y, row in enumerate(rows):
        for x, shares in enumerate(row):
            letter = lab.alphabet[int(shares.argmax())]
            ax.text(x, y, f"{letter}\n{shares.max():.2f}", ha="center", va="center", fontsize=9)
    ax.set_yticks(range(len(rows)), ["token alone", "+ head 0", "+ head 1"])
    ax.set_xticks(range(tokens.shape[1]), list(lab.text(tokens[0])))
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    return figure


def draw_patches(shares: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """Recovered shares `(heads, places)` as a table: 0 nothing, 1 all."""
    figure, ax = plt.subplots(figsize=(plots.WIDTH, 1.7))
    _table(ax, shares, [f"head {h}" for h in range(len(shares))], names, signed=True, decimals=2)
    ax.set_title(title, loc="left")
    return figure


def draw_layers(shares: np.ndarray, names: Sequence[str]) -> Figure:
    """Recovered shares `(layers, tokens)` as a table: 0 nothing, 1 all; the first layer below."""
    figure, ax = plt.subplots(figsize=(8, 2.8))
    rows = [f"after layer {n}" for n in reversed(range(len(shares)))]
    _table(ax, shares[::-1], rows, names, signed=True, decimals=2)
    ax.set_title("Recovered by one token's state: from the verb to the mask", loc="left")
    return figure


def draw_letters(ax: Axes, matrix: Tensor, lab: InductionLab, title: str, ylabel: str, xlabel: str) -> None:
    """A matrix of letters × letters (the start left out); full colour at its largest size."""
    values = plots.to_array(matrix)[1:, 1:]
    limit = np.abs(values).max()
    ax.imshow(values, cmap=plots.DIVERGING, vmin=-limit, vmax=limit)
    letters = lab.alphabet[1:]
    ax.set_xticks(range(0, 26, 5), letters[::5], fontsize=10)
    ax.set_yticks(range(0, 26, 5), letters[::5], fontsize=10)
    ax.tick_params(length=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title)


# --- which letters made the answer? -----------------------------------------------------------------------


def credit(lab: InductionLab, tokens: Tensor) -> dict[str, Tensor]:
    """How much each of several methods credits each place for the likeliest answer at the end, `(N, T)`."""
    model = lab.model
    last = tokens.shape[1] - 1
    with torch.no_grad():
        steps = model.steps(tokens)
        clean = model(tokens)[:, -1]
    answers = clean.argmax(dim=1)
    direction = model.unembed.weight[answers] - model.unembed.weight.mean(dim=0)  # (N, d)
    weights, values = steps[1]["weights"][:, last], steps[1]["V"] @ model.heads[1].W_O
    maps = torch.stack([step["weights"] for step in steps], dim=1)[:, :, None]  # (N, layers, 1, T, T)
    change = torch.zeros(tokens.shape)
    with torch.no_grad():
        for place in range(1, tokens.shape[1]):
            for seed in range(3):
                changed = model(change_letter(lab, tokens, place, seed))[:, -1]
                change[:, place] += (rightness(clean, answers) - rightness(changed, answers)) / 3
    return {
        "head 1's attention": weights,
        "attention rollout": torch.stack([attention_rollout(one)[last] for one in maps]),
        "written by each place": weights * (values * direction[:, None]).sum(dim=2),
        "gradient × input": _gradient_times_input(model, tokens, direction),
        "change one letter": change,
    }


def _gradient_times_input(model: AttentionOnly, tokens: Tensor, direction: Tensor) -> Tensor:
    stream = model.embed(tokens).detach().requires_grad_()
    positions, after = model.positions[: tokens.shape[1]], stream
    for head in model.heads:
        after = after + head(after, positions)
    score = (after[:, -1] * direction).sum()
    (gradient,) = torch.autograd.grad(score, stream)
    return (gradient * stream).sum(dim=2).detach()


def share_found(credits: Tensor, truth: Sequence[int]) -> np.ndarray:
    """The share of the true places that are among the best `len(truth)`, `(N,)`."""
    best = credits.topk(len(truth), dim=1).indices
    return torch.stack([(best == place).any(dim=1) for place in truth]).float().mean(dim=0).numpy()
