"""Lesson 10's common ground: reading a sentence, explaining it by words, planting a word, guessing a hidden
one, the explorers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import PowerNorm
from torch import Tensor, nn

from course_utils.methods.arguments import check_count
from course_utils.methods.attention import (
    attention_flow,
    attention_maps,
    attention_relevance,
    attention_rollout,
)
from course_utils.methods.lime import lime_text, split_words
from course_utils.methods.shapley import permutation_shap, text_game
from course_utils.teach import attention_pictures as pictures
from course_utils.teach import plots, text_batches, widgets

SIGNED = ("Integrated Gradients", "LIME", "SHAP")  # their values can speak against the class
FORMS = {"word and commas": ", {},", "the word alone": " {}", "the commas alone": ", ,"}


def read(lab: Any, text: str) -> tuple[Mapping[str, Tensor], list[str], Tensor]:
    """What the model gets, the tokens' names, and the attention of all heads `(L, H, T, T)` for one text.

    Raises:
        TypeError: no text, or several.
        ValueError: an empty text, or one with more tokens than the model takes.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be one text, a string, not a {type(text).__name__}")
    if not text.strip():
        raise ValueError("the text is empty: write a sentence")
    encoded = lab.tokenize(text)
    tokens = lab.tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])
    return encoded, tokens, attention_maps(lab.model, encoded)


def shortest(lab: Any, n_each: int) -> np.ndarray:
    """The numbers of the lab's shortest texts, `n_each` of each class, in order.

    Raises:
        ValueError: `n_each` is no whole number from 1 on, or a class has fewer texts.
    """
    fewest = int(np.bincount(lab.targets.numpy(), minlength=len(lab.class_names)).min())
    n_each = check_count(n_each, "n_each", at_most=fewest)
    sizes = np.array([len(ids) for ids in lab.tokenizer(list(lab.texts))["input_ids"]])
    by_size = np.argsort(sizes, kind="stable")
    of_class = lab.targets.numpy()[by_size]
    return np.sort(np.concatenate([by_size[of_class == c][:n_each] for c in range(len(lab.class_names))]))


# --- one value a word -------------------------------------------------------------------------------------


def masked_ids(lab: Any, encoded: Mapping[str, Tensor]) -> Tensor:
    """The same text with every token but `[CLS]` and `[SEP]` masked."""
    ids = encoded["input_ids"].clone()
    ids[0, 1:-1] = lab.tokenizer.mask_token_id
    return ids


def integrated_gradients(
    model: nn.Module, encoded: Mapping[str, Tensor], baseline_ids: Tensor, target: int, n_steps: int
) -> Tensor:
    """Integrated Gradients of each token `(T,)`, on the word embeddings, with the Gauss–Legendre rule."""
    places, weights = np.polynomial.legendre.leggauss(n_steps)
    places = torch.tensor((places + 1) / 2, dtype=torch.float32)[:, None, None]
    weights = torch.tensor(weights / 2, dtype=torch.float32)[:, None, None]
    table = model.get_input_embeddings()
    x, x0 = table(encoded["input_ids"]).detach(), table(baseline_ids).detach()
    path = (x0 + places * (x - x0)).requires_grad_()
    mask = encoded["attention_mask"].expand(n_steps, -1)
    score = model(inputs_embeds=path, attention_mask=mask).logits[:, target].sum()
    (gradient,) = torch.autograd.grad(score, path)
    return ((weights * gradient).sum(dim=0) * (x - x0)[0]).sum(dim=-1)


def word_of_tokens(tokenizer: Any, text: str) -> tuple[list[str], np.ndarray]:
    """The words of a text and, for each of its tokens, the number of its word (−1: none)."""
    words, pieces, owners = split_words(text, bag_of_words=False)
    at_character = np.repeat(owners, [len(piece) for piece in pieces])
    spans = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    return words, np.array([at_character[a] if b > a else -1 for a, b in spans])


def to_words(values: Tensor | np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Add the values of tokens `(T,)` up to values of words `(W,)`."""
    return np.bincount(owner[owner >= 0], plots.to_array(values)[owner >= 0], minlength=owner.max() + 1)


def from_inside(
    lab: Any, text: str, target: int, *, n_steps: int = 6, flow: bool = False
) -> tuple[list[str], dict[str, np.ndarray]]:
    """The words of a text and what the methods that see inside the model give each of them.

    Args:
        target: the class that Integrated Gradients and attention × gradient ask for.
        n_steps: of Integrated Gradients.
        flow: also attention flow, which takes longer.

    Raises:
        TypeError, ValueError: as `read`; a text without words, a class that is none, or `n_steps` below 1.
    """
    n_steps = check_count(n_steps, "n_steps")
    encoded, _, attention = read(lab, text)
    words, owner = word_of_tokens(lab.tokenizer, text)
    if not len(words):
        raise ValueError("the text holds no word: nothing to explain")
    of_tokens = {
        "last layer's attention": attention[-1, :, 0].mean(dim=0),
        "rollout": attention_rollout(attention)[0],
    }
    if flow:
        of_tokens["flow"] = attention_flow(attention, queries=[0])[0]
    of_tokens["attention × gradient"] = attention_relevance(lab.model, encoded, target)[0]
    of_tokens["Integrated Gradients"] = integrated_gradients(
        lab.model, encoded, masked_ids(lab, encoded), target, n_steps
    )
    return words, {name: to_words(values, owner) for name, values in of_tokens.items()}


def from_outside(
    lab: Any, texts: Sequence[str], target: int, *, n_samples: int = 16, n_orders: int = 0
) -> list[dict[str, np.ndarray]]:
    """LIME's values for the words of each text, and SHAP's if `n_orders` of the words are asked for.

    Raises:
        TypeError: one string instead of a list of texts.
        ValueError: no text, or one without words.
    """
    if isinstance(texts, str):
        raise TypeError(f"texts must be a list of texts, not one string: write [{texts[:20]!r}]")
    if not len(texts):
        raise ValueError("there is no text to explain: give at least one")

    def ask(predict: Callable, text: str) -> dict[str, np.ndarray]:
        lime = lime_text(predict, text, target, n_samples, k=None, bag_of_words=False, hidden="")
        values = {"LIME": lime.coefficients}
        if n_orders:
            game, words = text_game(predict, text, target)
            values["SHAP"] = permutation_shap(game, len(words), n_orders * (len(words) - 1), antithetic=False)
        return values

    return text_batches.ask_in_batches(lab, ask, texts)


def plant(text: str, word: str, place: int, form: str = "word and commas") -> str:
    """The text with the word before its word number `place` (not the first), in one of `FORMS`.

    Raises:
        ValueError: the word is empty, the place is not inside the text, or the form is none of `FORMS`.
    """
    if not isinstance(word, str) or not word.strip():
        raise ValueError(f"word must be a word to plant, not {word!r}")
    parts = text.split()
    check_count(place, "place", at_most=len(parts))
    if form not in FORMS:
        raise ValueError(f"form must be one of {', '.join(FORMS)}, not {form!r}")
    before = parts[place - 1].rstrip(",;:") + FORMS[form].format(word)
    return " ".join([*parts[: place - 1], before, *parts[place:]])


# --- the model's parts ------------------------------------------------------------------------------------


def torch_attention(block: nn.Module) -> nn.MultiheadAttention:
    """PyTorch's own attention module with the weights of one of BERT's."""
    heads, width = block.num_attention_heads, block.query.in_features
    module = nn.MultiheadAttention(width, heads, batch_first=True).eval().requires_grad_(False)
    parts = (block.query, block.key, block.value)
    module.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
    module.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    return module


def kinds_of_target(tokens: Sequence[str]) -> dict[str, Tensor]:
    """For each kind of target a table `(T, T)`: True where the column is that target of the row."""
    size = len(tokens)
    inner = torch.zeros(size, size, dtype=torch.bool)
    inner[1:-1, 1:-1] = True
    eye = torch.eye(size, dtype=torch.bool)
    alike = torch.tensor([[a == b for b in tokens] for a in tokens])
    kinds = {
        "next word": torch.roll(eye, 1, dims=1) & inner,
        "previous word": torch.roll(eye, -1, dims=1) & inner,
        "itself": eye & inner,
        "[CLS]": torch.zeros_like(eye),
        "[SEP]": torch.zeros_like(eye),
        "same word elsewhere": alike & ~eye & inner,
    }
    kinds["[CLS]"][1:-1, 0] = True
    kinds["[SEP]"][1:-1, -1] = True
    return kinds


def looks_at(sentences: Sequence[text_batches.ReadSentence]) -> tuple[dict, dict]:
    """For each kind of target: the mean share of each head's attention `(L, H)`, and of an even spread.

    Raises:
        ValueError: no sentence.
    """
    if not len(sentences):
        raise ValueError("there is no sentence to look at: give at least one")
    shares: dict[str, list[Tensor]] = {}
    even: dict[str, list[float]] = {}
    for sentence in sentences:
        for kind, there in kinds_of_target(sentence.tokens).items():
            looking = there.any(dim=1)
            if looking.any():
                share = (sentence.attention * there).sum(dim=-1)[..., looking].mean(dim=-1)
                shares.setdefault(kind, []).append(share)
                of_even = there.sum(dim=1)[looking] / len(sentence.tokens)
                even.setdefault(kind, []).append(of_even.mean().item())
    return (
        {kind: torch.stack(values).mean(dim=0) for kind, values in shares.items()},
        {kind: float(np.mean(values)) for kind, values in even.items()},
    )


@torch.inference_mode()
def lengths_of_parts(model: nn.Module, ids: Tensor) -> Tensor:
    """The length of what each token hands over if it gets the whole weight, `(L, H, T)`: the norms of W_O v.

    Args:
        model: BERT encoder of transformers (the classifier's is `lab.model.bert`).
        ids: token numbers `(T,)` of one text.

    Raises:
        ValueError: several texts, or a model that is no encoder.
    """
    if not hasattr(model, "encoder"):
        raise ValueError("model must be the encoder itself: of a classifier take lab.model.bert")
    if ids.ndim != 1:
        raise ValueError(f"ids must be the token numbers of one text, (T,), not {tuple(ids.shape)}: take [0]")
    states = model(input_ids=ids[None], output_hidden_states=True).hidden_states
    lengths = []
    for state, layer in zip(states, model.encoder.layer, strict=False):
        block = layer.attention
        heads = block.self.num_attention_heads
        values = block.self.value(state[0]).unflatten(1, (heads, -1))
        matrix = block.output.dense.weight.unflatten(1, (heads, -1))
        lengths.append(torch.einsum("thd,ohd->hto", values, matrix).norm(dim=-1))
    return torch.stack(lengths)


def shuffle(attention: Tensor, is_token: Tensor, generator: torch.Generator) -> Tensor:
    """Each row of weights `(N, H, R, T)` in random order; padding (weight zero) stays where it is."""
    noise = torch.rand(attention.shape, generator=generator)
    order = noise.masked_fill(~is_token[:, None, None], 2.0).argsort(dim=-1)
    return attention.gather(-1, order)


def even(attention: Tensor, is_token: Tensor) -> Tensor:
    """The same weight for each token of the text, in the shape of the attention `(N, H, R, T)`. Raises
    ValueError for a text without tokens."""
    if not is_token.any(dim=1).all():
        raise ValueError("a text has no tokens: is_token is False everywhere in its row")
    share = is_token / is_token.sum(dim=1, keepdim=True)
    return share[:, None, None].expand_as(attention)


# --- drawings ---------------------------------------------------------------------------------------------


def draw_kinds(shares: Mapping[str, Tensor], even: Mapping[str, float]) -> None:
    """A table of layers and heads for each kind of target; a blue square marks the strongest head."""
    figure, axes = plt.subplots(2, 3, figsize=(10, 4.6), sharex=True, sharey=True)
    for ax, (kind, share) in zip(axes.flat, shares.items(), strict=True):
        image = ax.imshow(share, cmap=plots.SEQUENTIAL, norm=PowerNorm(0.5, 0, 1), aspect="auto")
        layer, head = divmod(int(share.argmax()), share.shape[1])
        ax.plot(head, layer, "s", markersize=13, markerfacecolor="none", markeredgecolor="#56b4e9", mew=2)
        ax.set_title(f"{kind}: most {share.max():.2f}, even {even[kind]:.2f}", fontsize=10)
        ax.set(xticks=range(0, share.shape[1], 2), yticks=range(share.shape[0]))
    figure.supxlabel("head", fontsize=11)
    figure.supylabel("layer", fontsize=11)
    bar = figure.colorbar(image, ax=axes, fraction=0.025, label="share of the attention")
    bar.set_ticks([0, 0.05, 0.2, 0.5, 1])


def draw_arrived(levels: Tensor, tokens: Sequence[str]) -> None:
    """What has arrived at `[CLS]` from each word up to each layer, `(L, T)`; special tokens left out."""
    kept = pictures.without_special(tokens)
    figure, ax = plt.subplots(figsize=(10, 2.6))
    image = ax.imshow(plots.to_array(levels)[:, kept], cmap=plots.SEQUENTIAL, vmin=0, aspect="auto")
    ax.set_xticks(range(len(kept)), [tokens[i] for i in kept])
    ax.set(ylabel="up to layer", yticks=range(len(levels)))
    ax.set_title("What has arrived at [CLS] from each word, by rollout", loc="left")
    figure.colorbar(image, ax=ax, fraction=0.02, label="share")


# --- explorers --------------------------------------------------------------------------------------------


def text_box(label: str, text: str) -> ipywidgets.Text:
    """A line for a sentence, as wide as the page; it acts when Enter is pressed."""
    return ipywidgets.Text(
        value=text,
        description=label,
        continuous_update=False,
        style={"description_width": "initial"},
        layout=ipywidgets.Layout(width="95%"),
    )


def word_box(label: str, word: str) -> ipywidgets.Text:
    """A short line for one word; it acts when Enter is pressed."""
    box = text_box(label, word)
    box.layout = ipywidgets.Layout(width="240px")
    return box


def model_explorer(lab: Any, text: str) -> None:
    """The stack of the model's steps; a slider chooses the step whose numbers are shown."""
    encoded, tokens, _ = read(lab, text)
    steps = pictures.model_steps(lab.model, encoded, lab.class_names)

    def draw(step: int) -> None:
        pictures.draw_step(steps, step, tokens, lab.class_names)
        plots.show(f"The model as a stack of {len(steps)} steps; the numbers of “{steps[step].name}”.")

    widgets.explore(draw, step=widgets.slider("step", 0, len(steps) - 1, 3))


def masked_text(lab: Any, text: str, word: str) -> tuple[Mapping[str, Tensor], list[str]]:
    """What the model gets, and the tokens' names, with one word of the text masked ("" masks nothing)."""
    encoded, tokens, _ = read(lab, text)
    ids = encoded["input_ids"].clone()
    if word.strip():
        ids[0, pictures.find_tokens(tokens, word)] = lab.tokenizer.mask_token_id
    return {**encoded, "input_ids": ids}, lab.tokenizer.convert_ids_to_tokens(ids[0])


def _check_place(lab: Any, layer: int, head: int | None) -> None:
    config = lab.model.config
    check_count(layer, "layer", at_least=0, at_most=config.num_hidden_layers - 1)
    if head is not None:
        check_count(head, "head", at_least=0, at_most=config.num_attention_heads - 1)


@torch.no_grad()
def draw_masking(
    lab: Any, text: str, layer: int, head: int | None, follow: str, mask: str, special: bool = True
) -> str:
    """Where a word looks before and after another one is masked: the figure, and a sentence on the answer.

    Args:
        head: None averages all heads of the layer.
        follow, mask: words of the text; an empty `mask` masks nothing.
        special: draw `[CLS]` and `[SEP]`, too.

    Raises:
        ValueError: a layer, head or word that is not there.
    """
    _check_place(lab, layer, head)
    target = len(lab.class_names) - 1
    _, before_tokens, before = read(lab, text)
    number = pictures.find_tokens(before_tokens, follow)[0]
    inputs, tokens = masked_text(lab, text, mask)
    after = attention_maps(lab.model, inputs)
    heads = range(after.shape[1]) if head is None else [head]
    pictures.draw_explorer(before, after, tokens, layer, heads, number, special=special)
    now = lab.model(**inputs).logits.softmax(1)[0, target]
    was = lab.predict([text])[0, target]
    return f"probability of “{lab.class_names[target]}”: {was:.2f} with the whole text, {now:.2f} masked"


def attention_explorer(lab: Any, text: str, *, layer: int, head: int, follow: str, mask: str) -> None:
    """Choose layer and head, a word to follow and a word to mask; words are typed, not counted."""
    n_layers, n_heads = lab.model.config.num_hidden_layers, lab.model.config.num_attention_heads

    def draw(**chosen: Any) -> None:
        try:
            print(draw_masking(lab, **chosen))
        except ValueError as error:
            plt.close("all")
            print(error)
            return
        plots.show(f"Where “{chosen['follow']}” looks in layer {chosen['layer']}, before and after masking.")

    heads = {"all, averaged": None} | {f"{n}": n for n in range(n_heads)}
    widgets.explore(
        draw,
        text=text_box("text", text),
        layer=widgets.slider("layer", 0, n_layers - 1, layer),
        head=widgets.choice("head", heads, head),
        follow=word_box("follow the word", follow),
        mask=word_box("mask the word", mask),
        special=widgets.checkbox("show [CLS] and [SEP]", True),
    )


# --- hidden words -----------------------------------------------------------------------------------------


def words_to_hide(lab: Any, text: str) -> dict[str, tuple[str, int] | None]:
    """What can be hidden in a text: name → (word, which of its occurrences); None for a mask that is typed.

    A word that occurs more than once has its number behind it: "the (2)".
    """
    if lab.mask in text:
        return {lab.mask: None}
    found: dict[str, tuple[str, int] | None] = {}
    seen: dict[str, int] = {}
    words = re.findall(r"\w+", text)
    several = {word.casefold() for word in words if [w.casefold() for w in words].count(word.casefold()) > 1}
    for word in words:
        which = seen.get(word.casefold(), 0)
        seen[word.casefold()] = which + 1
        found[f"{word} ({which + 1})" if word.casefold() in several else word] = (word, which)
    return found


def hide_by_lot(lab: Any, texts: Sequence[str], *, seed: int) -> tuple[list[str], list[str]]:
    """Each text with one word hidden, drawn by lot, and the hidden words in lower case.

    Raises:
        ValueError: a text without words, or with a mask already.
    """
    for text in texts:
        if lab.mask in text or not words_to_hide(lab, text):
            raise ValueError(f"give texts with words and without {lab.mask}, not {text!r}")
    random = np.random.default_rng(seed)
    drawn = [random.choice(np.array(list(words_to_hide(lab, text)), dtype=object)) for text in texts]
    places = [words_to_hide(lab, text)[name] for text, name in zip(texts, drawn, strict=True)]
    hidden = [lab.hide(text, *place) for text, place in zip(texts, places, strict=True)]
    return hidden, [word.casefold() for word, _ in places]


def draw_guesses(
    lab: Any, text: str, hidden: tuple[str, int] | None, layer: int, head: int | None, special: bool = True
) -> str:
    """Where the mask looks, and the five likeliest words for it: the figure; returns a sentence on it.

    Args:
        lab: the lab of masked words.
        hidden: a word of the text and which of its occurrences; None if a mask stands in the text already.
        head: None averages all heads of the layer.
        special: draw `[CLS]` and `[SEP]`, too.

    Raises:
        ValueError: a layer, head or word that is not there, or a text without a mask.
    """
    _check_place(lab, layer, head)
    masked = lab.hide(text, *hidden) if hidden else text
    _, tokens, attention = read(lab, masked)
    place = pictures.find_tokens(tokens, lab.mask)[0]
    shown = [i for i in range(len(tokens)) if special or i in pictures.without_special(tokens)]
    near = sorted(sorted(shown, key=lambda i: abs(i - place))[:24])  # a long text: what stands round the mask
    names = [tokens[i] for i in near]
    heads = range(attention.shape[1]) if head is None else [head]
    looks = plots.to_array(attention[layer, list(heads)].mean(dim=0))[np.ix_(near, near)]
    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(10, 0.27 * len(near) + 1.5), width_ratios=(1.5, 1.5, 1.1)
    )
    chosen = "all heads" if head is None else f"head {head}"
    pictures.draw_links(
        left, looks, names, follow=near.index(place), title=f"who looks at whom, layer {layer}, {chosen}"
    )
    of_heads = plots.to_array(attention[layer, :, place])[:, near].T
    image = middle.imshow(of_heads, cmap=plots.SEQUENTIAL, vmin=0, aspect="auto")
    figure.colorbar(image, ax=middle, fraction=0.046, pad=0.02).ax.tick_params(labelsize=9)
    middle.set_xticks(range(attention.shape[1]))
    middle.set_yticks(range(len(near)), names, fontsize=9)
    middle.set(xlabel="head")
    middle.set_title(f"where the mask looks, layer {layer}", fontsize=10)
    guesses = lab.guess(masked)[0]
    values = [p for _, p in guesses]
    right.barh(range(5), values, color=plots.ACCENT)
    for y, p in enumerate(values):
        right.text(p, y, f" {p:.2f}", va="center", fontsize=10)
    right.set_yticks(range(5), [name for name, _ in guesses])
    right.set(ylim=(4.6, -0.6), xlim=(0, max(0.2, 1.3 * values[0])), xlabel="probability")
    right.set_title("the five likeliest words", fontsize=10)
    return masked if hidden is None else f"{masked}\n{rank_of(lab, masked, hidden[0])}"


def rank_of(lab: Any, masked: str, word: str) -> str:
    """A sentence on the hidden word's probability and its place among all tokens."""
    pieces = lab.tokenizer.tokenize(word)
    if len(pieces) != 1:
        return f"hidden: “{word}”, which is cut into {len(pieces)} tokens: one mask cannot become it"
    chances = lab.probabilities(masked)[0]
    own = chances[lab.tokenizer.convert_tokens_to_ids(pieces[0])]
    return f"hidden: “{word}”, probability {own:.2f}, place {int((chances > own).sum()) + 1}"


def guess_explorer(lab: Any, text: str, word: str, *, layer: int, head: int | None) -> None:
    """Hide a word: the five likeliest words for the mask, beside where the mask looks in the chosen head."""
    n_layers, n_heads = lab.model.config.num_hidden_layers, lab.model.config.num_attention_heads
    line = text_box("text", text)
    options = words_to_hide(lab, text)
    hidden = widgets.choice("hide the word", options, options[word])
    hidden.layout.width = "260px"

    def offer(_change: object) -> None:  # another text has other words
        hidden.options = words_to_hide(lab, line.value)
        hidden.index = 0 if hidden.options else None

    line.observe(offer, names="value")

    def draw(**chosen: Any) -> None:
        try:
            print(draw_guesses(lab, **chosen))
        except (ValueError, TypeError) as error:
            plt.close("all")
            print(error if re.search(r"\w", chosen["text"]) else "the text is empty: write a sentence")
            return
        plots.show(f"Five guesses for the mask, and where it looks in layer {chosen['layer']}.")

    widgets.explore(
        draw,
        text=line,
        hidden=hidden,
        layer=widgets.slider("layer", 0, n_layers - 1, layer),
        head=widgets.choice("head", {"all, averaged": None} | {f"{n}": n for n in range(n_heads)}, head),
        special=widgets.checkbox("show [CLS] and [SEP]", True),
    )


# --- pairs of words that usually belong together ----------------------------------------------------------

NOUN = ("NOUN", "PROPN")
OFFSETS = tuple(k for k in range(-4, 5) if k)


@dataclass(frozen=True)
class Pairs:
    """The pairs of one relation: `found` `(pairs, heads + offsets + 1)` says who found each of them.

    The last column is the rule "the next noun", or "the next verb". `sentence` is each pair's sentence.
    """

    found: Tensor
    sentence: Tensor


def end_of_phrase(pos: Sequence[str], start: int) -> int | None:
    """The last noun of the run of adjectives, numbers and nouns that begins at `start`, or None."""
    last = None
    while start < len(pos) and pos[start] in (*NOUN, "ADJ", "NUM"):
        last = start if pos[start] in NOUN else last
        start += 1
        if last is not None and start < len(pos) and pos[start] not in NOUN:
            break
    return last


def first_verb(pos: Sequence[str], start: int, between: Sequence[str]) -> int | None:
    """The first verb from `start` on, if only the tags in `between` come before it."""
    while start < len(pos) and pos[start] in between:
        start += 1
    return start if start < len(pos) and pos[start] == "VERB" else None


def relations(pos: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Pairs (relation, from word, to word), by rules on part-of-speech tags."""
    for i, tag in enumerate(pos):
        after_determiner = i + 2 if i + 1 < len(pos) and pos[i + 1] == "DET" else i + 1
        found = {
            "DET": ("determiner → noun", end_of_phrase(pos, i + 1)),
            "ADJ": ("adjective → noun", end_of_phrase(pos, i + 1)),
            "AUX": ("auxiliary → verb", first_verb(pos, i + 1, ("ADV", "PART", "PRON"))),
            "ADP": ("preposition → object", end_of_phrase(pos, after_determiner)),
            "VERB": ("verb → object", end_of_phrase(pos, after_determiner)),
            "PRON": ("pronoun → verb", first_verb(pos, i + 1, ("AUX", "ADV", "PART"))),
        }.get(tag)
        if found and found[1] is not None:
            yield found[0], i, found[1]


def word_attention(attention: Tensor, owner: Sequence[int]) -> Tensor:
    """Attention between words `(L, H, W, W)`: summed over pieces looked at, mean over those that look."""
    member = (torch.tensor(owner)[None] == torch.arange(max(owner) + 1)[:, None]).float()
    return member / member.sum(dim=1, keepdim=True) @ attention @ member.T


def word_looked_at(sentence: text_batches.ReadSentence) -> Tensor:
    """For each word and head the number of the *other* word that it looks at most, `(L, H, W)`."""
    words = word_attention(sentence.attention, sentence.word_of_token)
    words.diagonal(dim1=-2, dim2=-1).fill_(-1)
    return words.argmax(dim=-1)


def grammar_pairs(sentences: Sequence[text_batches.ReadSentence]) -> dict[str, Pairs]:
    """For each relation: which heads, offsets and the next noun or verb find its pairs."""
    found: dict[str, list[Tensor]] = {}
    numbers: dict[str, list[int]] = {}
    for number, sentence in enumerate(sentences):
        choice, pos = word_looked_at(sentence), sentence.record["pos"]
        for name, i, j in relations(pos):
            wanted = ("VERB",) if name.endswith("verb") else NOUN
            following = next((n for n in range(i + 1, len(pos)) if pos[n] in wanted), -1)
            rules = torch.tensor([*(i + k == j for k in OFFSETS), following == j])
            found.setdefault(name, []).append(torch.cat([(choice[:, :, i] == j).flatten(), rules]))
            numbers.setdefault(name, []).append(number)
    return {name: Pairs(torch.stack(found[name]), torch.tensor(numbers[name])) for name in sorted(found)}


def random_halves(pairs: Mapping[str, Pairs], n: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """For each relation `(n, 3)`: the scores of the best head, the best offset, the next noun or verb.

    Head and offset are chosen on a random half of the sentences and scored on the other half.
    """
    random = np.random.default_rng(seed)
    n_sentences = 1 + max(int(of.sentence.max()) for of in pairs.values())
    scores: dict[str, list[list[float]]] = {name: [] for name in pairs}
    for _ in range(n):
        chosen = torch.zeros(n_sentences, dtype=torch.bool)
        chosen[random.permutation(n_sentences)[: n_sentences // 2]] = True
        for name, of in pairs.items():
            seen, n_heads = chosen[of.sentence], of.found.shape[1] - len(OFFSETS) - 1
            known, unseen = of.found[seen].float().mean(dim=0), of.found[~seen].float().mean(dim=0)
            head, offset = int(known[:n_heads].argmax()), n_heads + int(known[n_heads:-1].argmax())
            scores[name].append([float(unseen[head]), float(unseen[offset]), float(unseen[-1])])
    return {name: np.array(values) for name, values in scores.items()}


def draw_halves(halves: Mapping[str, np.ndarray]) -> None:
    """Mean and 95 % range over random halves for the best head, the best offset, the next noun or verb."""
    _, ax = plt.subplots(figsize=(9, 0.62 * len(halves) + 1.1))
    looks = (
        ("the best head", plots.ACCENT, "o"),
        ("the best offset", plots.BASELINE, "s"),
        ("the next noun or verb", plots.COLOURS[1], "D"),
    )
    for column, (label, colour, marker) in enumerate(looks):
        y = -np.arange(len(halves)) + 0.22 * (1 - column)
        values = np.stack([of[:, column] for of in halves.values()])
        centre = values.mean(axis=1)
        low, high = np.quantile(values, [0.025, 0.975], axis=1)
        ax.errorbar(centre, y, xerr=[centre - low, high - centre], fmt=marker, color=colour, label=label)
    ax.set_yticks(-np.arange(len(halves)), list(halves))
    ax.set(xlabel="share of pairs found, on the half that nothing was chosen on", xlim=(0, 1.02))
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
