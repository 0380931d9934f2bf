"""Pictures of a BERT model: its numbers step by step, who looks at whom, and where its tokens lie.

Tokens are chosen by their words (`find_tokens`, `tokens_of_span`), and `[CLS]` and `[SEP]` can be left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils.teach import plots

SPECIAL = ("[CLS]", "[SEP]", "[PAD]")

# --- choosing tokens ------------------------------------------------------------------------------------


def without_special(tokens: Sequence[str]) -> list[int]:
    """The numbers of the tokens that belong to the text: all but `[CLS]`, `[SEP]` and padding."""
    return [number for number, token in enumerate(tokens) if token not in SPECIAL]


def find_tokens(tokens: Sequence[str], word: str, occurrence: int = 0) -> list[int]:
    """The numbers of the tokens that spell a word, more than one if it was cut into pieces.

    Args:
        tokens: of one text, as the tokenizer names them (`##` before a later piece).
        word: in upper or lower case; also "[CLS]" or "[MASK]".
        occurrence: which of several, from 0.

    Raises:
        ValueError: the word is not among the tokens, or not so often; the message lists the words.
    """
    spelled: list[tuple[str, list[int]]] = []
    for number, token in enumerate(tokens):
        if token.startswith("##") and spelled:
            before, numbers = spelled[-1]
            spelled[-1] = (before + token[2:], [*numbers, number])
        else:
            spelled.append((token, [number]))
    found = [numbers for name, numbers in spelled if name.casefold() == word.strip().casefold()]
    if not 0 <= occurrence < len(found):
        words = ", ".join(dict.fromkeys(name for name, _ in spelled))
        there = f"stands there {len(found)} times" if found else "is not a word of this text"
        raise ValueError(f"{word!r} {there}; the words are: {textwrap.shorten(words, 300)}")
    return found[occurrence]


def tokens_of_span(offsets: Sequence[tuple[int, int]], start: int, end: int) -> list[int]:
    """The numbers of the tokens that overlap the characters `start` to `end` (exclusive) of a text.

    `offsets` is what a fast tokenizer gives as `offset_mapping`: (first, one after the last character).
    """
    return [
        number
        for number, (first, last) in enumerate(offsets)
        if last > first and first < end and last > start
    ]


# --- the model, step by step ----------------------------------------------------------------------------


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


def show_states(
    ax: Axes, states: np.ndarray, tokens: Sequence[str], *, limit: float | None = None, colorbar: bool = False
) -> None:
    """States `(T, d)`: a row for each token, red positive, blue negative.

    Full colour is at `limit`; without one the largest per cent of the values is cut off.
    """
    limit = limit or float(np.quantile(np.abs(states), 0.99)) or 1.0
    drawn = ax.imshow(
        states, cmap=plots.DIVERGING, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest"
    )
    if colorbar:
        bar = ax.figure.colorbar(drawn, ax=ax, fraction=0.046, pad=0.02, extend="both")
        bar.ax.tick_params(labelsize=9)
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


def draw_head(scores: Tensor, weights: Tensor, output: Tensor, tokens: Sequence[str]) -> Figure:
    """One head: scores and weights `(T, T)`, output `(T, d)`, with the rows of all three side by side."""
    size = len(tokens)
    figure, axes = plt.subplots(1, 3, figsize=(10, 0.2 * size + 1.6), width_ratios=(1, 1, 1.3), sharey=True)
    plots.show_heat(axes[0], scores, signed=True, title="scores S", colorbar=True)
    plots.show_heat(axes[1], weights, title="weights A: each row sums to 1", colorbar=True)
    plots.show_heat(axes[2], output, signed=True, title="output O", colorbar=True)
    for ax in axes:
        ax.set_aspect("auto")
    for ax in axes[:2]:
        ax.set_xticks(range(size), tokens, rotation=90, fontsize=9)
        ax.set_xlabel("is looked at")
    axes[0].set_yticks(range(size), tokens, fontsize=9)
    axes[0].set_ylabel("looks")
    axes[2].set_xlabel(f"the head's {output.shape[1]} numbers")
    return figure


# --- who looks at whom ----------------------------------------------------------------------------------


def draw_explorer(
    before: Tensor,
    after: Tensor,
    names: Sequence[str],
    layer: int,
    heads: Sequence[int],
    follow: int,
    *,
    special: bool = True,
    longest: int = 40,
) -> Figure:
    """Who looks at whom in some heads of a layer, and where one token looks, before and after a change.

    Args:
        before, after: attention `(L, H, T, T)`; the heads' weights are averaged.
        names: of the tokens.
        follow: the number of the token to follow.
        special: draw `[CLS]` and `[SEP]`, too. Without them the weights stay as they are, so that the rows
            drawn no longer sum to one.
        longest: how many tokens are drawn at most, from the first on.
    """
    n_heads = after.shape[1]
    kept = list(range(len(names))) if special else without_special(names)
    kept = kept[:longest]
    if follow not in kept:
        kept = sorted({*kept[: longest - 1], follow})
    labels, place = [names[i] for i in kept], kept.index(follow)
    step = 0.27 if len(kept) <= 20 else 0.2
    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(10, step * len(kept) + 1.3), width_ratios=(1.5, 1.5, 1)
    )
    was, now = (
        plots.to_array(a[layer, list(heads)].mean(dim=0))[np.ix_(kept, kept)] for a in (before, after)
    )
    chosen = "all heads" if len(heads) == n_heads else "head " + ", ".join(map(str, heads))
    draw_links(left, now, labels, follow=place, title=f"layer {layer}, {chosen}")
    of_heads = plots.to_array(after[layer, :, follow])[:, kept].T
    image = middle.imshow(of_heads, cmap=plots.SEQUENTIAL, vmin=0, aspect="auto")
    figure.colorbar(image, ax=middle, fraction=0.046, pad=0.02).ax.tick_params(labelsize=9)
    middle.set_xticks(range(n_heads))
    middle.set_yticks(range(len(kept)), labels, fontsize=9)
    middle.set(xlabel="head")
    middle.set_title(f"where “{names[follow]}” looks, each head", fontsize=10)
    y = np.arange(len(kept))
    right.barh(y - 0.2, was[place], 0.4, color=plots.BASELINE, label="whole text")
    right.barh(y + 0.2, now[place], 0.4, color=plots.ACCENT, label="masked")
    right.set(ylim=(len(kept) - 0.5, -0.5), xlim=(0, 1), yticks=[], xlabel="weight")
    right.legend(fontsize=9, loc="lower right")
    right.set_title(f"“{names[follow]}”, {chosen}", fontsize=10)
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


# --- words and points -----------------------------------------------------------------------------------


def draw_words(
    rows: Mapping[str, np.ndarray],
    words: Sequence[str],
    *,
    signed: Sequence[str] = (),
    title: str = "",
    per_line: int = 16,
) -> Figure:
    """A figure of coloured words, one row for each method; a long text is broken into lines.

    Args:
        rows: name → one value a word. Each row is divided by its own largest absolute value.
        words: of the text.
        signed: names of the rows drawn red for positive and blue for negative; the others are orange.
        per_line: how many words stand in a line at most; fewer where a word is long.
    """
    longest = max(len(word) for word in words)
    per_line = min(per_line, max(6, 82 // max(longest - 1, 1)))  # so that the longest is legible
    n_lines = -(-len(words) // per_line)
    per_line = -(-len(words) // n_lines)  # lines of like length
    figure, axes = plt.subplots(
        n_lines, 1, figsize=(10, n_lines * (0.31 * len(rows) + 0.15) + 0.5), squeeze=False
    )
    scales = {name: float(np.abs(plots.to_array(values)).max()) or 1.0 for name, values in rows.items()}
    for line, ax in enumerate(axes[:, 0]):
        part = slice(line * per_line, (line + 1) * per_line)
        some = {name: plots.to_array(values)[part] / scales[name] for name, values in rows.items()}
        _colour_words(ax, some, words[part], signed, width=per_line)
    axes[0, 0].set_title(title, loc="left")
    return figure


def show_words(
    ax: Axes, rows: Mapping[str, np.ndarray], words: Sequence[str], *, signed: Sequence[str] = ()
) -> None:
    """One row of coloured words for each method, each row divided by its own largest absolute value.

    Rows named in `signed` are drawn red for positive and blue for negative, the others orange. For more than
    some 20 words take `draw_words`, which breaks lines.
    """
    values = {name: plots.to_array(v).astype(float) for name, v in rows.items()}
    scaled = {name: v / (np.abs(v).max() or 1.0) for name, v in values.items()}
    _colour_words(ax, scaled, words, signed, width=len(words))


def _colour_words(
    ax: Axes, rows: Mapping[str, np.ndarray], words: Sequence[str], signed: Sequence[str], width: int
) -> None:
    for y, (name, values) in enumerate(rows.items()):
        for x, value in enumerate(values):
            if name in signed:
                colour = plt.get_cmap(plots.DIVERGING)(0.5 + 0.42 * value)
            else:
                colour = plt.get_cmap("Oranges")(0.85 * max(value, 0.0))
            ax.add_patch(plt.Rectangle((x, -y), 0.97, 0.88, facecolor=colour, edgecolor="none"))
            ink = plots.ink_on(colour)
            size = min(9.0, 140 / width / max(len(words[x]) - 1, 1) * 5)
            ax.text(x + 0.48, -y + 0.42, words[x], ha="center", va="center", fontsize=size, color=ink)
    ax.set(xlim=(0, width), ylim=(-len(rows) + 0.95, 1.0))
    ax.set_yticks([0.42 - y for y in range(len(rows))], list(rows))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def token_map(
    ax: Axes,
    points: np.ndarray,
    words: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    bold: Sequence[int] = (),
    fontsize: float = 9,
) -> None:
    """Tokens as points in the plane `(T, 2)`, with their words beside them where there is room.

    Args:
        words: one a point; an empty string draws the point alone.
        groups: the name of each point's group: one colour each, and an entry for `ax.legend()`. Where words
            would lie on one another, the later group keeps its word.
        bold: the numbers of the points whose word is bold, the answer to a question for example; their words
            come first.
    """
    points = plots.to_array(points)
    names = ["" for _ in words] if groups is None else list(groups)
    colours = {}
    for number, name in enumerate(dict.fromkeys(names)):
        colours[name] = plots.COLOURS[number % len(plots.COLOURS)]
        there = [i for i, group in enumerate(names) if group == name]
        ax.scatter(*points[there].T, s=14, color=colours[name], label=name or None)
    ax.set(xticks=[], yticks=[])
    ax.margins(0.12)
    ax.autoscale_view()
    rank = list(colours)
    taken: list[tuple[float, float, float, float]] = []
    for i in sorted(range(len(words)), key=lambda i: (i not in bold, -rank.index(names[i]))):
        x, y = ax.transData.transform(points[i]) * 72 / ax.figure.dpi  # in points, as the font
        width, height = 0.6 * fontsize * len(words[i]), fontsize
        for side, dy in ((1, 2), (-1, 2), (1, -height - 1), (-1, -height - 1)):
            left, low = (x + 3 if side > 0 else x - 3 - width), y + dy
            box = (left, low, left + width, low + height)
            if words[i] and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                ax.annotate(
                    words[i],
                    points[i],
                    xytext=(3 * side, dy),
                    textcoords="offset points",
                    ha="left" if side > 0 else "right",
                    fontsize=fontsize,
                    color=colours[names[i]],
                    weight="bold" if i in bold else "normal",
                )
                break


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def layer_grid(
    n_layers: int, draw: Callable[[Axes, int], None], *, columns: int = 4, height: float = 2.4
) -> Figure:
    """One panel for each layer: `draw(ax, layer)` fills it. Places that are left over stay empty."""
    rows = -(-n_layers // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(plots.WIDTH, height * rows + 0.3), squeeze=False)
    for layer, ax in enumerate(axes.flat):
        if layer >= n_layers:
            ax.axis("off")
            continue
        draw(ax, layer)
        if not ax.get_title():
            ax.set_title(f"layer {layer}", fontsize=10)
    return figure
