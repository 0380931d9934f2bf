"""Lesson 11's common ground: reading many texts, scores of word senses, questions on passages."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from scipy.spatial.distance import cdist
from torch import Tensor
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.labs.text import best_span, read_texts
from course_utils.methods.arguments import check_count, check_finite, check_rows
from course_utils.methods.embeddings import project
from course_utils.teach import attention_pictures as pictures
from course_utils.teach import plots

# --- reading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """One text as a model reads it: states `(layers + 1, T, D)`, what the tokenizer recorded, two rows of
    logits if the model answers questions."""

    states: Tensor
    record: Any = field(repr=False)
    logits: tuple[Tensor, ...] = ()

    @property
    def tokens(self) -> list[str]:
        """The names of the tokens, without padding."""
        return self.record.tokens[: self.states.shape[1]]


def read(
    lab: Any,
    texts: Sequence[Any],
    *,
    model: Any = None,
    batch: int = 16,
    say: str | None = None,
    form: Callable[[Tensor], Tensor] = torch.clone,
) -> list[Reading]:
    """Read texts, or (question, context) pairs, in batches of like length.

    Args:
        model: another model with the same tokenizer; None takes the lab's.
        say: what a progress bar says; None shows no bar.
        form: what to keep of each text's states.

    Raises:
        TypeError: one string instead of a list of texts.
        ValueError: no text, an empty one, or one with more tokens than the model takes.
    """
    if isinstance(texts, str):
        raise TypeError(f"texts must be a list of texts, not one string: write [{texts[:20]!r}]")
    for n, text in enumerate(texts):
        parts = text if isinstance(text, (tuple, list)) else (text,)  # the tokenizer refuses what is no text
        if any(isinstance(part, str) and not part.strip() for part in parts):
            raise ValueError(f"text {n} is empty: write a sentence, or leave it out")
    model = model or lab.model
    sizes = lab.tokenize(list(texts))["attention_mask"].sum(dim=1)
    order = sizes.argsort(stable=True).tolist()  # little padding
    found: list[Any] = [None] * len(texts)
    for first in tqdm(range(0, len(order), batch), desc=say, leave=False, disable=say is None):
        rows = order[first : first + batch]
        tokens = lab.tokenize([texts[i] for i in rows])
        with torch.no_grad():
            outputs = model(**tokens, output_hidden_states=True)
        states = torch.stack(outputs.hidden_states, dim=1).cpu()
        for row, i in enumerate(rows):
            length = int(sizes[i])  # the rest is padding: cut it off
            logits = tuple(
                outputs[key][row, :length].cpu() for key in ("start_logits", "end_logits") if key in outputs
            )
            found[i] = Reading(form(states[row, :, :length]), tokens.encodings[row], logits)
    return found


def place_of(reading: Reading, start: int) -> int:
    """The number of the token that holds the character `start` of the text."""
    return reading.record.char_to_token(start)


def states_of_words(readings: Sequence[Reading], starts: Sequence[int]) -> Tensor:
    """The states `(N, layers + 1, D)` of one word in each text, which begins at the character `start`."""
    return torch.stack([r.states[:, place_of(r, start)] for r, start in zip(readings, starts, strict=True)])


def states_of_my_word(
    lab: Any, word: str, sentences: Mapping[str, Sequence[str]]
) -> tuple[Tensor, np.ndarray]:
    """The states `(N, layers + 1, D)` of a word in sentences of one's own, and the sense of each.

    Args:
        sentences: sense → sentences, each of which holds the word. A word that is cut into pieces gets the
            mean of its pieces.

    Raises:
        TypeError: the word is no text, or `sentences` gives no list of sentences for each sense.
        ValueError: an empty word, a sentence without the word, fewer than two senses, or fewer than two
            sentences of one.
    """
    if not isinstance(word, str) or not isinstance(sentences, Mapping):
        raise TypeError("give a word as text, and its sentences as {sense: [sentence, sentence, …], …}")
    if any(isinstance(group, str) for group in sentences.values()):
        raise TypeError("the sentences of a sense must be a list: {sense: [sentence, sentence, …], …}")
    if not word.strip():
        raise ValueError("the word is empty: write the word that your sentences share")
    if len(sentences) < 2 or min(len(group) for group in sentences.values()) < 2:
        raise ValueError("give two senses or more, and two sentences or more for each of them")
    texts = [text for group in sentences.values() for text in group]
    whole = rf"(?<!\w){re.escape(word.strip())}(?!\w)"
    found = [re.search(whole, text, re.IGNORECASE) for text in texts]
    for text, place in zip(texts, found, strict=True):
        if place is None:
            raise ValueError(f"the word {word!r} does not stand in the sentence {text!r}")
    states = []
    for reading, place in zip(read(lab, texts), found, strict=True):
        there = pictures.tokens_of_span(reading.record.offsets[: len(reading.tokens)], *place.span())
        states.append(reading.states[:, there].mean(dim=1))
    return torch.stack(states), np.repeat(list(sentences), [len(group) for group in sentences.values()])


def untrained_like(model: Any, *, seed: int) -> Any:
    """The same network with random weights."""
    from transformers import BertModel

    seed = check_count(seed, "seed", at_least=0)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BertModel(model.config, add_pooling_layer=False).eval().to(model.device)


def sentence_vectors(lab: Any, texts: Sequence[str], *, say: str | None = None) -> Tensor:
    """The mean over the tokens of each text, in all layers: `(N, layers + 1, D)`."""
    found = read(lab, texts, batch=32, say=say, form=lambda states: states.mean(dim=1))
    return torch.stack([reading.states for reading in found])


# --- scores of word senses --------------------------------------------------------------------------------


def similarities(x: Tensor, y: Tensor) -> Tensor:
    """The cosine similarity of each row of x with each row of y, as one product of matrices.

    A row of zeros has no direction: its similarities are 0.

    Raises:
        ValueError: rows of different lengths, or NaN or infinite values.
    """
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(f"the rows must be of one length, not {x.shape[-1]} and {y.shape[-1]} numbers")
    states = (check_finite(v, "states", ": leave those rows out") for v in (x, y))
    one, two = (F.normalize(v, dim=-1, eps=torch.finfo(v.dtype).tiny) for v in states)
    return one @ two.transpose(-1, -2)


def _all_pairs(x: Tensor) -> Tensor:
    """The similarity of each row with each row, in 64 bits.

    [CLS] states differ by a millionth only: in 32 bits, rounding would decide which one is nearest.
    """
    x = check_rows(x, "states", "(N, D)").double()
    return similarities(x, x)


def _check_senses(senses: Sequence, n: int) -> np.ndarray:
    """One sense a row, two senses or more; `n`: how many rows there are."""
    senses = np.asarray(senses)
    if senses.shape != (n,):
        raise ValueError(f"senses must have one entry for each of the {n} rows, not the shape {senses.shape}")
    if len(set(senses.tolist())) < 2:
        raise ValueError("all rows have one sense: give sentences of two senses, there is nothing to tell")
    return senses


def separation(x: Tensor, senses: np.ndarray) -> float:
    """How often is a same-sense pair more alike than a mixed-sense pair? 0.5 is guessing.

    Raises:
        ValueError: one sense only, no two rows of one sense, not one sense a row, or states with NaN.
    """
    alike, senses = _all_pairs(x), _check_senses(senses, len(x))
    upper = torch.triu(torch.ones_like(alike), 1).bool()
    same = torch.from_numpy(senses[:, None] == senses[None])
    inside, mixed = alike[upper & same], alike[upper & ~same]
    if not len(inside):
        raise ValueError("no two rows have one sense: give two sentences of a sense, or more")
    higher, tie = inside[:, None] > mixed[None], inside[:, None] == mixed[None]
    return (higher.float() + 0.5 * tie.float()).mean().item()


def neighbour_right(x: Tensor, senses: np.ndarray) -> np.ndarray:
    """For each row: has the most similar other row the same sense? Raises ValueError as `separation`, but
    each row may have a sense of its own."""
    alike, senses = _all_pairs(x).fill_diagonal_(-torch.inf), _check_senses(senses, len(x))
    return senses[alike.argmax(dim=1).numpy()] == senses


def share_of_own_sense(x: Tensor, senses: np.ndarray) -> np.ndarray:
    """For each row: how often a random other row has the same sense; what guessing gets. Raises ValueError
    for one sense only, or not one sense a row."""
    senses = _check_senses(senses, len(x))
    same = senses[:, None] == senses[None]
    return (same.sum(axis=1) - 1) / (len(senses) - 1)


def each_word(function: Callable, x: Tensor, words: np.ndarray, senses: np.ndarray) -> np.ndarray:
    """`function(states, senses)` on the sentences of each word, one word after the other.

    Raises:
        ValueError: not one word and one sense a row; or the function refuses a word, which is named.
    """
    words, senses = np.asarray(words), np.asarray(senses)
    if not words.shape == senses.shape == (len(x),):
        raise ValueError(
            f"words {words.shape} and senses {senses.shape} must have one entry for each of {len(x)} rows"
        )
    found = []
    for word in dict.fromkeys(words.tolist()):
        which = np.flatnonzero(words == word)
        try:
            found.append(np.atleast_1d(function(x[which], senses[which])))
        except ValueError as error:
            raise ValueError(f"the word {word!r}: {error}") from error
    return np.concatenate(found)


def layer_curves(ax: Axes, curves: Mapping[str, Any], *, band: bool = True) -> None:
    """One line a name over the layers, `(N, layers + 1)` values each, with a 95 % interval of the mean."""
    for (name, values), colour, marker in zip(curves.items(), plots.COLOURS, "osD^vP*X", strict=False):
        values = np.asarray(values, dtype=float)
        ax.plot(values.mean(axis=0), marker=marker, color=colour, label=name, markersize=5)
        if band:
            low, high = np.array([judge.bootstrap_interval(column) for column in values.T]).T
            ax.fill_between(range(values.shape[1]), low, high, color=colour, alpha=0.13, linewidth=0)
        ax.set_xticks(range(values.shape[1]))
    ax.set(xlabel="layer")
    ax.grid(axis="y", color="#d9dde0", linewidth=0.8)


def draw_two_rulers(x: Tensor, names: Sequence[str], split: float, title: str) -> None:
    """All distances and all similarities of some states `(N, D)`, side by side; lines after row `split`.

    Raises:
        ValueError: not one name a state, or states with NaN.
    """
    if len(names) != len(check_rows(x, "states", "(N, D)")):
        raise ValueError(f"give one name for each of the {len(x)} states, not {len(names)}")
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.33 * len(names) + 0.9))
    distances = (x[:, None] - x[None]).square().sum(dim=-1).sqrt()
    for ax, matrix, what in (
        (axes[0], distances, "Euclidean distance (blue: far apart)"),
        (axes[1], similarities(x, x), "cosine similarity (blue: alike)"),
    ):
        short = [f"{name[0]}{name.split()[-1]}" for name in names]
        plots.matrix_plot(matrix, names, short, title=what, decimals=1 if matrix.max() > 2 else 2, ax=ax)
        ax.axhline(split, color="white", linewidth=2.5)
        ax.axvline(split, color="white", linewidth=2.5)
    axes[1].set_yticks([])
    figure.suptitle(title)


def draw_matrices(x: Tensor, senses: np.ndarray) -> tuple[list[float], list[float]]:
    """Similarities of some states `(N, layers + 1, D)`, sorted by sense, in all layers, and their means.

    Returns:
        The mean similarity inside the senses, and between them, a number for each layer.

    Raises:
        ValueError: not two senses, or not sorted: the white lines would cut the wrong blocks.
    """
    senses = _check_senses(senses, len(x))
    if np.count_nonzero(senses[1:] != senses[:-1]) != 1:
        raise ValueError("sort the states by sense, two senses: first all of the one, then all of the other")
    mixed = senses[:, None] != senses[None]
    off_diagonal = ~np.eye(len(senses), dtype=bool)
    matrices = [similarities(x[:, n], x[:, n]).numpy() for n in range(x.shape[1])]
    inside = [float(m[~mixed & off_diagonal].mean()) for m in matrices]
    across = [float(m[mixed].mean()) for m in matrices]
    split = int((senses == senses[0]).sum()) - 0.5

    def draw(ax: Axes, panel: int) -> None:
        if panel == 0:
            ax.plot(inside, "o-", color=plots.COLOURS[2], label="inside a sense")
            ax.plot(across, "s-", color=plots.COLOURS[1], label="between senses")
            ax.set(xticks=range(len(matrices)), xlabel="layer", ylim=(min(across) - 0.03, 1.12), box_aspect=1)
            ax.set_yticks([tick for tick in ax.get_yticks() if ax.get_ylim()[0] <= tick <= 1])
            ax.legend(fontsize=9, loc="upper right")
            ax.set_title("mean similarity", fontsize=10)
            return
        n = panel - 1
        ax.imshow(matrices[n], cmap="Blues", vmin=0.5, vmax=1)
        plots.bare(ax)
        ax.axhline(split, color="white", linewidth=1.5)
        ax.axvline(split, color="white", linewidth=1.5)
        ax.set_title(f"layer {n}: {inside[n]:.2f}, {across[n]:.2f}", fontsize=10)

    pictures.layer_grid(len(matrices) + 1, draw, height=2.55)
    return inside, across


# --- questions on passages --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A question on a passage, as one model reads it.

    Attributes:
        part: numbers of tokens: "question", "passage", "answer" (the right one), "context" (the passage
            without it), "other" (answers to other questions on the passage), "given" (the model's answer).
        answer, given: the right answer, and the fine-tuned model's, as text.
        probability: of the given answer.
    """

    question: str
    context: str
    reading: Reading = field(repr=False)
    part: dict[str, np.ndarray] = field(repr=False)
    answer: str
    given: str
    probability: float

    @property
    def hit(self) -> bool:
        """Does the given answer overlap the right one?"""
        return np.intersect1d(self.part["given"], self.part["answer"]).size > 0

    @property
    def inner(self) -> np.ndarray:
        """The tokens without [CLS] and [SEP]."""
        return np.concatenate([self.part["question"], self.part["passage"]])


def passage(context: str, *questions: tuple[str, str]) -> dict:
    """A passage with questions and their answers, in the form of the course's collections.

    Where an answer stands more than once, its first place counts.

    Raises:
        ValueError: no question, one that is no pair of texts, an empty text, or an answer that does not stand
            in the passage.
    """
    pairs = [isinstance(each, (tuple, list)) and len(each) == 2 for each in questions]
    if not questions or not all(pairs):
        raise ValueError("after the passage, give a pair (question, answer), or several")
    if not all(text.strip() for text in (context, *(part for each in questions for part in each))):
        raise ValueError("the passage, a question or an answer is empty: write a text")
    for _, answer in questions:
        if answer not in context:
            raise ValueError(f"the answer {answer!r} does not stand in the passage: copy it from there")
    return {
        "context": context,
        "qas": [
            {"question": q, "answers": [{"text": a, "answer_start": context.index(a)}]} for q, a in questions
        ],
    }


def course_passages(n_trained: int = 24) -> tuple[list[dict], np.ndarray]:
    """The held-out passages and some that the model was trained on; and which of them are held out."""
    held_out, trained = read_texts("passages_heldout"), read_texts("passages")
    n_trained = check_count(n_trained, "n_trained", at_least=0, at_most=len(trained))
    found = [*held_out, *trained[:n_trained]]
    return found, np.arange(len(found)) < len(held_out)


def ask(
    qa: Any, passages: Sequence[dict], *, others: Sequence[Any] = (), shift: int = 0, say: str | None = None
) -> list[list[Case]]:
    """One question on each passage, read by the fine-tuned model and by other models.

    Args:
        qa: the lab with the model that answers.
        others: labs with models that read the same, such as the encoder before fine-tuning.
        shift: 0 asks question n of passage n, 1 question n + 1, and so on (in a circle).

    Returns:
        A list of cases for each model, the answering one first. `given` is that model's answer everywhere.

    Raises:
        TypeError: one passage instead of a list.
        ValueError: a passage without questions, or a model that does not answer any.
    """
    if isinstance(passages, Mapping):
        raise TypeError("passages must be a list: write [my_passage]")
    if not all(p["qas"] for p in passages):
        raise ValueError("each passage needs a question: make them with passage(context, (question, answer))")
    asked = [p["qas"][(n + shift) % len(p["qas"])] for n, p in enumerate(passages)]
    pairs = [(q["question"], p["context"]) for q, p in zip(asked, passages, strict=True)]
    readings = [
        read(lab, pairs, say=None if say is None else f"{say}: {lab.name}", batch=8) for lab in (qa, *others)
    ]
    cases: list[list[Case]] = [[] for _ in readings]
    for n, ((question, context), wanted, p) in enumerate(zip(pairs, asked, passages, strict=True)):
        reading = readings[0][n]
        if not reading.logits:
            raise ValueError("qa: this model answers no questions; take load_lab('text', model='qa')")
        length = reading.states.shape[1]
        sides = np.array([-1 if side is None else side for side in reading.record.sequence_ids[:length]])
        inside = np.flatnonzero(sides == 1)

        def tokens_of(some: Sequence[dict], reading=reading, inside=inside) -> np.ndarray:
            spans = [
                (a["answer_start"], a["answer_start"] + len(a["text"]))
                for q in some
                for a in q["answers"][:1]
            ]
            offsets = reading.record.offsets
            return np.array(
                [t for t in inside if any(offsets[t][0] < e and offsets[t][1] > s for s, e in spans)], int
            )

        answer = tokens_of([wanted])
        start, end, probability = best_span(*reading.logits, torch.from_numpy(sides == 1))
        part = {
            "question": np.flatnonzero(sides == 0),
            "passage": inside,
            "answer": answer,
            "context": np.setdiff1d(inside, answer),
            "other": np.setdiff1d(tokens_of([q for q in p["qas"] if q is not wanted]), answer),
            "given": np.arange(start, end + 1),
        }
        given = context[reading.record.offsets[start][0] : reading.record.offsets[end][1]]
        for of_model, its_readings in zip(cases, readings, strict=True):
            of_model.append(
                Case(
                    question, context, its_readings[n], part, wanted["answers"][0]["text"], given, probability
                )
            )
    return cases


def spread_distances(case: Case) -> Tensor:
    """All distances of the tokens `(layers + 1, T, T)`; 1 is the mean of two tokens of the passage."""
    distances = torch.cdist(case.reading.states, case.reading.states)
    inside = case.part["passage"]
    n = len(inside)
    usual = distances[:, inside][:, :, inside].sum(dim=(1, 2)) / (n * (n - 1))
    return distances / usual[:, None, None]


def between(distances: Tensor, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """The mean distance of two groups of tokens in each layer `(layers + 1,)`.

    Raises:
        ValueError: a group without tokens.
    """
    if not len(one) or not len(two):
        raise ValueError("one of the two groups has no tokens: there is no distance to measure")
    return distances[:, one][:, :, two].mean(dim=(1, 2)).numpy()


def leaves(case: Case, tokens: np.ndarray) -> float:
    """The distance of some tokens to the rest of the passage after the last layer, 1 as above."""
    rest = np.setdiff1d(case.part["passage"], tokens)
    return float(between(spread_distances(case), tokens, rest)[-1])


def in_the_plane(case: Case, layer: int) -> tuple[np.ndarray, float]:
    """The tokens (without [CLS] and [SEP]) along two principal directions `(T, 2)`, and the share of the
    variance that is left. Raises ValueError for a layer that is none."""
    layer = check_count(layer, "layer", at_least=0, at_most=len(case.reading.states) - 1)
    x = case.reading.states[layer, case.inner]
    points = project(x).numpy()
    return points, float(points.var(axis=0).sum() / x.var(dim=0, correction=0).sum())


def draw_case(
    ax: Axes, case: Case, layer: int, *, words: str = "all", title: str = "", mark_given: bool = True
) -> None:
    """One layer's tokens in the plane; crosses mark the model's answer, the right one is bold.

    Args:
        words: which tokens are named: "all", or "question and answer".
        mark_given: draw answers; without it, no group tells them from the rest.
    """
    points, left = in_the_plane(case, layer)
    inner, part = case.inner, case.part
    groups = np.where(np.isin(inner, part["question"]), "question", "passage").astype(object)
    if mark_given:
        groups[np.isin(inner, part["answer"])] = "right answer"
    order = np.argsort([["passage", "question", "right answer"].index(g) for g in groups], kind="stable")
    names = [
        case.reading.tokens[t] if words == "all" or g != "passage" else ""
        for t, g in zip(inner, groups, strict=True)
    ]
    bold = np.flatnonzero(groups[order] == "right answer")
    pictures.token_map(
        ax,
        points[order],
        [names[i] for i in order],
        groups=list(groups[order]),
        bold=bold.tolist(),
        fontsize=9.5,
    )
    if mark_given:
        given = np.isin(inner, part["given"])
        ax.plot(*points[given].T, "x", color=plots.INK, markersize=8, label="the model's answer", zorder=1)
    ax.set_title(f"{title}layer {layer} ({100 * left:.0f} % of the variance)", fontsize=10)


def draw_layers(
    cases: Mapping[str, Case], layers: Sequence[int], *, words: str = "all", height: float = 3.2
) -> None:
    """The planes of some layers, two panels a line; `cases`: a model's name for the title → its case."""
    panels = [(name, case, layer) for name, case in cases.items() for layer in layers]
    rows = -(-len(panels) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(10, height * rows + 0.5), squeeze=False)
    for ax, (name, case, layer) in zip(axes.flat, panels, strict=False):
        draw_case(ax, case, layer, words=words, title=name and f"{name}, ")
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    handles = dict(zip(*reversed(axes[0, 0].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, fontsize=9)


def neighbours_kept(x: np.ndarray, points: np.ndarray, k: int) -> float:
    """The share of the k nearest rows in x `(N, D)` that are among the k nearest in a picture `(N, 2)`.

    Raises:
        ValueError: not as many points as rows, NaN or infinite values, or a `k` that is not 1 … N − 1.
    """
    x, points = np.asarray(x, float), np.asarray(points, float)
    if x.ndim != 2 or points.ndim != 2 or len(x) != len(points):
        raise ValueError(f"x {x.shape} and points {points.shape} must be tables with one row each a token")
    if not (np.isfinite(x).all() and np.isfinite(points).all()):
        raise ValueError("x and points must be finite: leave out the rows with NaN")
    k = check_count(k, "k", at_most=len(x) - 1)
    near, near_drawn = (np.argsort(cdist(v, v), axis=1)[:, 1 : k + 1] for v in (x, points))
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(near, near_drawn, strict=True)]))


# --- context taken away -----------------------------------------------------------------------------------


def states_of_ids(
    lab: Any, rows: Sequence[Sequence[int]], places: Sequence[int], *, batch: int = 64
) -> Tensor:
    """The states `(N, layers + 1, D)` of one token in each list of token numbers."""
    order = sorted(range(len(rows)), key=lambda n: len(rows[n]))  # little padding
    found: list[Any] = [None] * len(rows)
    for first in range(0, len(order), batch):
        part = order[first : first + batch]
        ids = torch.zeros(len(part), len(rows[part[-1]]), dtype=torch.long, device=lab.device)
        mask = torch.zeros_like(ids)
        for n, i in enumerate(part):
            ids[n, : len(rows[i])] = torch.as_tensor(list(rows[i]), device=lab.device)
            mask[n, : len(rows[i])] = 1
        with torch.no_grad():
            out = lab.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        states = torch.stack(out.hidden_states, dim=1).cpu()
        for n, i in enumerate(part):
            found[i] = states[n, :, places[i]]
    return torch.stack(found)


def mask_context(
    ids: Sequence[int],
    place: int,
    n: int,
    mask_id: int,
    *,
    nearest_first: bool = True,
    spared: Collection[int] = (),
) -> list[int]:
    """The token numbers with `n` tokens other than the word at `place` masked (not [CLS] and [SEP]).

    Args:
        n: how many, or all if there are fewer.
        spared: token numbers that are never masked, such as the full stop's.

    Raises:
        ValueError: a negative `n`, or a place outside the text.
    """
    ids, n = list(ids), check_count(n, "n", at_least=0)
    if not 0 < place < len(ids) - 1:
        raise ValueError(f"place must be 1 … {len(ids) - 2}, between [CLS] and [SEP], not {place}")
    free = (t for t in range(1, len(ids) - 1) if t != place and ids[t] not in spared)
    others = sorted(free, key=lambda t: abs(t - place))
    for t in (others if nearest_first else others[::-1])[:n]:
        ids[t] = mask_id
    return ids


def sense_scores(
    h: Tensor, of: Sequence[int], target: Tensor, words: np.ndarray, senses: np.ndarray
) -> np.ndarray:
    """For each state `(N, D)`: its similarity with its own sense's mean, less that with the other sense's.

    Args:
        of: which sentence each state stands for. That sentence is left out of its means.
        target: the states `(sentences, D)` of the words with their whole context.

    Raises:
        ValueError: a sentence whose word has no other sentence of the same sense, or none of another.
    """
    found = []
    for state, sentence in zip(h, of, strict=True):
        rest = (words == words[sentence]) & (np.arange(len(words)) != sentence)
        same = senses == senses[sentence]
        if not (rest & same).any() or not (rest & ~same).any():
            raise ValueError(
                f"sentence {sentence} needs another one of its sense and one of another sense: "
                f"{words[sentence]!r} has too few"
            )
        own, other = target[rest & same].mean(dim=0), target[rest & ~same].mean(dim=0)
        found.append(float(torch.cosine_similarity(state, own, 0) - torch.cosine_similarity(state, other, 0)))
    return np.array(found)


# --- the stages of question answering ---------------------------------------------------------------------

STOP_WORDS = frozenset(
    "a an and are as at be by did do does for from had has have he her his how in is it its not of on or she "
    "that the their there they this to was were what when where which who whom whose why with you".split()
)


def whole_words(case: Case) -> tuple[list[int], list[str], list[bool]]:
    """The tokens of the passage that are whole words: their numbers, the words, and which of them are names.

    A name is a word with a capital that does not begin a sentence.
    """
    keep, found, is_name = [], [], []
    text = case.context
    for t in case.part["passage"]:
        start, end = case.reading.record.offsets[t]
        word, before = text[start:end], text[:start].rstrip()
        joined = text[max(start - 1, 0) : start].isalnum() or text[end : end + 1].isalnum()
        if word.isalpha() and not joined:
            keep.append(int(t))
            found.append(word.lower())
            is_name.append(word[0].isupper() and word != "I" and before != "" and before[-1] not in '.!?:"“(')
    return keep, found, is_name


def sentence_numbers(case: Case) -> np.ndarray:
    """The number of the sentence that each token of the passage stands in."""
    ends = [m.end() for m in re.finditer(r"[.!?][\"'”’)]*(?=\s)", case.context)]
    first = [case.reading.record.offsets[t][0] for t in case.part["passage"]]
    return np.searchsorted(ends, first, side="right")


def stage_meaning(cases: Sequence[Case]) -> tuple[np.ndarray, float]:
    """Stage 1, `(passages, layers + 1)`: the share of a passage's names whose most similar other word in
    another passage is a name, too; and the share of names among all words."""
    rows = [whole_words(case) for case in cases]
    passage_of = np.concatenate([[n] * len(row[0]) for n, row in enumerate(rows)])
    word = np.concatenate([row[1] for row in rows])
    is_name = np.concatenate([row[2] for row in rows]).astype(bool)
    x = torch.cat([case.reading.states[:, row[0]] for case, row in zip(cases, rows, strict=True)], dim=1)
    named = np.flatnonzero(is_name)
    barred = torch.from_numpy((word[named][:, None] == word) | (passage_of[named][:, None] == passage_of))
    right = [
        is_name[similarities(s[named], s).masked_fill(barred, -2).argmax(dim=1).numpy()] for s in x
    ]  # a row for each layer
    of = passage_of[named]
    return np.array([np.stack(right, axis=1)[of == n].mean(axis=0) for n in np.unique(of)]), is_name.mean()


def stage_relations(case: Case) -> np.ndarray | None:
    """Stage 2, `(layers + 1,)`: how much more alike are two tokens of one sentence than two of different
    sentences, at the same gap of 4 to 8 places? None for a passage of one sentence."""
    number = sentence_numbers(case)
    x = case.reading.states[:, case.part["passage"]]
    alike, gains = similarities(x, x), []
    for gap in range(4, min(9, len(number))):
        pairs = alike.diagonal(gap, dim1=1, dim2=2)
        same = number[gap:] == number[:-gap]
        if same.any() and not same.all():
            gains.append(pairs[:, same].mean(dim=1) - pairs[:, ~same].mean(dim=1))
    return torch.stack(gains).mean(dim=0).numpy() if gains else None


def stage_matching(case: Case) -> tuple[np.ndarray, float]:
    """Stage 3, `(layers + 1,)`: does the sentence with the answer hold the tokens most similar to the content
    words of the question? And what guessing gets. Tokens of the answer are left out."""
    number, offsets, x = sentence_numbers(case), case.reading.record.offsets, case.reading.states
    asked = {int(t): case.question[slice(*offsets[t])].lower() for t in case.part["question"]}
    content = [t for t, word in asked.items() if word.isalnum() and word not in STOP_WORDS]
    alike = similarities(x[:, content or list(asked)], x)  # layers, words of the question, tokens
    scores, kinds = [], np.unique(number)
    for n in kinds:
        there = case.part["passage"][number == n]
        rest = np.setdiff1d(there, case.part["answer"])
        scores.append(alike[:, :, rest if len(rest) else there].amax(dim=2).mean(dim=1))
    wanted = number[np.searchsorted(case.part["passage"], case.part["answer"][0])]
    best = kinds[torch.stack(scores).argmax(dim=0).numpy()]
    return (best == wanted).astype(float), 1 / len(kinds)


def stage_extraction(case: Case) -> np.ndarray:
    """Stage 4, `(layers + 1,)`: the answer's distance to the rest of the passage, less other answers'."""
    apart, part = spread_distances(case), case.part
    rest = np.setdiff1d(part["context"], part["other"])
    return between(apart, part["answer"], part["context"]) - between(apart, part["other"], rest)


# --- probing ----------------------------------------------------------------------------------------------


def tagged_sentences() -> list[dict]:
    """The tagged sentences that were written one by one, not built from templates."""
    return [record for record in read_texts("tagged_sentences") if not record.get("built")]


def tagged_words(
    lab: Any, records: Sequence[dict], *, model: Any = None
) -> tuple[Tensor, dict[str, np.ndarray]]:
    """The states of each word of tagged sentences `(words, layers + 1, D)`, and columns beside them.

    A word that is cut into pieces gets the mean of its pieces. The columns are "word" (lower case), "pos"
    (part of speech), "entity" (PER, LOC, ORG or O) and "sentence" (its number).
    """
    states = []
    readings = read(lab, [" ".join(r["tokens"]) for r in records], batch=32, model=model)
    for reading, record in zip(readings, records, strict=True):
        first = np.cumsum([0] + [len(token) + 1 for token in record["tokens"]])
        inner = range(1, len(reading.tokens) - 1)
        number = np.searchsorted(first, [reading.record.offsets[t][0] for t in inner], side="right") - 1
        for n in range(len(record["tokens"])):
            states.append(reading.states[:, 1:-1][:, number == n].mean(dim=1))
    columns = {
        "word": np.array([t.lower() for r in records for t in r["tokens"]]),
        "pos": np.array([t for r in records for t in r["pos"]]),
        "entity": np.array([t.split("-")[-1] for r in records for t in r["entities"]]),
        "sentence": np.repeat(np.arange(len(records)), [len(r["tokens"]) for r in records]),
    }
    return torch.stack(states), columns


def nearest_other(x: Tensor) -> np.ndarray:
    """For each row, the number of the most similar other row. Raises ValueError for one row, or for NaN."""
    if len(check_rows(x, "states", "(N, D)")) < 2:
        raise ValueError("one row has no other row: give two or more")
    return _all_pairs(x).fill_diagonal_(-torch.inf).argmax(dim=1).numpy()
