"""Pictures of a BERT model: its numbers step by step, and who looks at whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils.teach import plots


@dataclass(frozen=True)
class Step:
    """One stop on the way from text to answer: `kind` is "words", "states", "attention" or "scores"."""

    name: str
    shape: str
    kind: str
    values: np.ndarray
    note: str


def model_steps(model: nn.Module, tokens: dict[str, Tensor], names: Sequence[str]) -> list[Step]:
    """Run a BERT classifier on one text and keep every intermediate result, in order.

    Args:
        model: `BertForSequenceClassification` with eager attention, in eval mode.
        tokens: one text, `(1, T)`, without padding.
        names: of the classes.
    """
    bert, kept = model.bert, {}
    handles = [
        block.attention.register_forward_hook(
            lambda m, a, out, n=n: kept.update({n: (out[0] if isinstance(out, tuple) else out)[0]})
        )
        for n, block in enumerate(bert.encoder.layer)
    ]
    try:
        with torch.no_grad():
            out = model(**tokens, output_attentions=True, output_hidden_states=True)
            words = bert.embeddings.word_embeddings(tokens["input_ids"])[0]
            pooled = bert.pooler(out.hidden_states[-1])
    finally:
        for handle in handles:
            handle.remove()
    n_tokens, width = words.shape
    wide = bert.config.intermediate_size
    ids = tokens["input_ids"][0].cpu().numpy()
    state = f"{n_tokens} × {width}"
    steps = [
        Step("token numbers", f"{n_tokens}", "words", ids, "each token is a row of the vocabulary"),
        Step(
            "word embeddings",
            state,
            "states",
            plots.to_array(words),
            "the row of a table, the same in any text",
        ),
        Step(
            "+ position, normalise",
            state,
            "states",
            plots.to_array(out.hidden_states[0][0]),
            "a vector for the place is added; each row gets mean 0 and spread 1, then a learnt scale",
        ),
    ]
    for n, attention in enumerate(out.attentions):
        heads = plots.to_array(attention[0])
        steps += [
            Step(
                f"layer {n}: attention",
                f"{len(heads)} × {n_tokens} × {n_tokens}",
                "attention",
                heads,
                "each head: who looks (rows) at whom (columns)",
            ),
            Step(
                f"layer {n}: mix, add",
                state,
                "states",
                plots.to_array(kept[n]),
                "the heads' outputs, mixed, are added to what was there, and normalised",
            ),
            Step(
                f"layer {n}: think, add",
                state,
                "states",
                plots.to_array(out.hidden_states[n + 1][0]),
                f"each token alone: {width} → {wide} → {width} numbers, added and normalised",
            ),
        ]
    return [
        *steps,
        Step(
            "pooler",
            f"1 × {width}",
            "states",
            plots.to_array(pooled),
            "[CLS] alone: one more matrix, squashed to −1 … 1",
        ),
        Step(
            "scores",
            f"{out.logits.shape[1]}",
            "scores",
            np.stack([plots.to_array(out.logits[0]), plots.to_array(out.logits[0].softmax(0))]),
            " and ".join(names),
        ),
    ]


def draw_step(steps: Sequence[Step], number: int, tokens: Sequence[str], names: Sequence[str]) -> Figure:
    """The whole model as a stack of boxes, from text (below) to answer (above), and one step's numbers."""
    figure = plt.figure(figsize=(10, 7.6))
    left, right = figure.subfigures(1, 2, width_ratios=(1, 2.3))
    ax = left.subplots()
    for y, step in enumerate(steps):
        on = y == number
        ax.add_patch(
            plt.Rectangle(
                (0, y), 1, 0.86, facecolor=plots.ACCENT if on else "#eef1f4", edgecolor="#c4ccd2", lw=0.6
            )
        )
        ink = "white" if on else plots.INK
        ax.text(0.03, y + 0.4, step.name, va="center", fontsize=10, color=ink)
        ax.text(0.97, y + 0.4, step.shape, va="center", ha="right", fontsize=9.5, color=ink)
    ax.set(xlim=(0, 1), ylim=(-0.1, len(steps)))
    plots.bare(ax)
    _draw_numbers(right, steps[number], tokens, names)
    right.suptitle(f"{steps[number].name}: {steps[number].note}", fontsize=10)
    return figure


def _draw_numbers(figure: Figure, step: Step, tokens: Sequence[str], names: Sequence[str]) -> None:
    if step.kind == "attention":
        axes = figure.subplots(3, -(-len(step.values) // 3), squeeze=False)
        for head, ax in enumerate(axes.flat):
            ax.imshow(step.values[head], cmap=plots.SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
            plots.bare(ax)
            ax.set_title(f"head {head}", fontsize=10)
            if ax is axes[0, 0] or ax.get_subplotspec().is_first_col():
                ax.set_yticks(range(len(tokens)), tokens, fontsize=9)
                ax.tick_params(length=0)
        return
    ax = figure.subplots()
    if step.kind == "words":
        for y, (token, number) in enumerate(zip(tokens, step.values, strict=True)):
            ax.text(0.3, -y, token, ha="right", fontsize=11)
            ax.text(0.4, -y, f"{number}", fontsize=11, color=plots.ACCENT)
        ax.set(xlim=(0, 1), ylim=(-len(tokens), 1))
        plots.bare(ax)
    elif step.kind == "scores":
        logits, probabilities = step.values
        ax.barh(range(len(names)), probabilities, color=plots.COLOURS[: len(names)])
        labels = [
            f"{name}\nlogit {z:+.2f}, probability {p:.2f}"
            for name, z, p in zip(names, logits, probabilities, strict=True)
        ]
        ax.set_yticks(range(len(names)), labels)
        ax.set(xlim=(0, 1), xlabel="probability")
    else:
        show_states(ax, step.values, tokens if len(step.values) > 1 else ["[CLS]"])
        row = min(1, len(step.values) - 1)
        token = tokens[row] if len(step.values) > 1 else "[CLS]"
        first = "  ".join(f"{v:+.2f}" for v in step.values[row][:8])
        ax.set_xlabel(f"“{token}”: {first}  …", fontsize=9)


def show_states(ax: Axes, states: np.ndarray, tokens: Sequence[str]) -> None:
    """States `(T, d)`: a row for each token, red positive, blue negative, the largest per cent cut off."""
    limit = float(np.quantile(np.abs(states), 0.99)) or 1.0
    ax.imshow(states, cmap=plots.DIVERGING, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    ax.set_yticks(range(len(tokens)), tokens, fontsize=9)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def show_all_heads(ax: Axes, attention: np.ndarray) -> None:
    """All maps `(L, H, T, T)` as one picture: a row for each layer, a column for each head."""
    attention, gap = plots.to_array(attention), 2  # empty pixels between two maps
    framed = np.pad(attention, ((0, 0), (0, 0), (0, gap), (0, gap)), constant_values=np.nan)
    n_layers, n_heads, side, _ = framed.shape
    tiled = framed.transpose(0, 2, 1, 3).reshape(n_layers * side, n_heads * side)
    ax.imshow(tiled, cmap=plots.SEQUENTIAL, vmin=0, vmax=1)
    ax.set_xticks((np.arange(n_heads) + 0.45) * side, [f"head {h}" for h in range(n_heads)], fontsize=9)
    ax.set_yticks((np.arange(n_layers) + 0.45) * side, [f"layer {n}" for n in range(n_layers)], fontsize=9)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def draw_explorer(
    before: Tensor, after: Tensor, names: Sequence[str], layer: int, heads: Sequence[int], follow: int
) -> Figure:
    """Who looks at whom in some heads of a layer, and where one token looks, before and after a change.

    `before` and `after` are attention `(L, H, T, T)`; the heads' weights are averaged.
    """
    n_heads = after.shape[1]
    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(10, 0.27 * len(names) + 1.2), width_ratios=(1.5, 1.5, 1)
    )
    was, now = (a[layer, list(heads)].mean(dim=0) for a in (before, after))
    chosen = str(list(heads)) if len(heads) < n_heads else "all"
    draw_links(left, now, names, follow=follow, title=f"layer {layer}, heads {chosen}")
    middle.imshow(after[layer, :, follow].T, cmap=plots.SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    middle.set_xticks(range(n_heads))
    middle.set_yticks(range(len(names)), names, fontsize=9)
    middle.set(xlabel="head")
    middle.set_title(f"where “{names[follow]}” looks", fontsize=10)
    y = np.arange(len(names))
    right.barh(y - 0.2, was[follow], 0.4, color=plots.BASELINE, label="whole text")
    right.barh(y + 0.2, now[follow], 0.4, color=plots.ACCENT, label="now")
    right.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, 1), yticks=[])
    right.legend(fontsize=8, loc="lower right")
    right.set_title(f"“{names[follow]}”, chosen heads", fontsize=10)
    return figure


def draw_links(
    ax: Axes, attention: np.ndarray, tokens: Sequence[str], *, follow: int | None = None, title: str = ""
) -> None:
    """Lines from each token that looks (left) to those it looks at (right); thick is strong.

    `attention` is `(T, T)`, rows sum to one. With `follow`, the other tokens' lines fade.
    """
    attention = plots.to_array(attention)
    for i, row in enumerate(attention):
        faded = follow is not None and i != follow
        for j, weight in enumerate(row):
            if weight > 0.02:
                ax.plot(
                    [0, 1],
                    [-i, -j],
                    color=plots.BASELINE if faded else plots.ACCENT,
                    alpha=float(weight) ** 0.5 * (0.25 if faded else 1.0),
                    linewidth=0.6 + 3.4 * float(weight),
                    solid_capstyle="round",
                )
    for i, token in enumerate(tokens):
        weight = "bold" if i == follow else "normal"
        ax.text(-0.04, -i, token, ha="right", va="center", fontsize=10, weight=weight)
        ax.text(1.04, -i, token, ha="left", va="center", fontsize=10)
    ax.set(xlim=(-0.5, 1.5), ylim=(-len(tokens) + 0.4, 0.6))
    plots.bare(ax)
    ax.set_title(title, fontsize=10)


def show_words(
    ax: Axes, rows: dict[str, np.ndarray], words: Sequence[str], *, signed: Sequence[str] = ()
) -> None:
    """One row of coloured words for each method, each row divided by its own largest absolute value.

    Rows named in `signed` are drawn red for positive and blue for negative, the others in grey tones.
    """
    for y, (name, values) in enumerate(rows.items()):
        values = plots.to_array(values).astype(float)
        scaled = values / (np.abs(values).max() or 1.0)
        for x, value in enumerate(scaled):
            if name in signed:
                colour = plt.get_cmap(plots.DIVERGING)(0.5 + 0.42 * value)
            else:
                colour = plt.get_cmap("Oranges")(0.85 * max(value, 0.0))
            ax.add_patch(plt.Rectangle((x, -y), 0.97, 0.88, facecolor=colour, edgecolor="none"))
            ink = "white" if np.mean(colour[:3]) < 0.5 else plots.INK
            size = 9 if len(words[x]) < 9 else 7.5
            ax.text(x + 0.48, -y + 0.42, words[x], ha="center", va="center", fontsize=size, color=ink)
    ax.set(xlim=(0, len(words)), ylim=(-len(rows) + 0.95, 1.0))
    ax.set_yticks([0.42 - y for y in range(len(rows))], list(rows))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
