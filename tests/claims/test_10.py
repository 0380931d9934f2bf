"""The claims of lesson 10 and its companions, on texts that no cell shows: made up anew, or drawn by lot."""

import functools
from collections import Counter

import numpy as np
import torch
from replication import claim

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.labs.text import read_texts
from course_utils.lessons import l10_bert_attention as shared
from course_utils.methods import attention as methods
from course_utils.teach import text_batches

THINGS = (
    "The soup|The radio|The tent|My coat|The hotel|The bus trip|The second act|The singer|The sofa|The camera|The map|"
    "The lamp|Our guide|The waiter|The novel|The kettle"
).split("|")
FAULTS = (
    "was cold|broke in a week|smelled of mould|fell apart|was a waste of money|made me angry|was far too loud|"
    "looked cheap and old|never worked|was dull|was rude to us|kept failing|tasted of soap|bored everybody"
).split("|")
ENDS = (
    "and I want my money back|and we left early|so I sent it back|and nobody helped us|and I will not come again|"
    "which spoiled the evening|and my sister agrees|even after two repairs"
).split("|")


@functools.cache
def lab_of(model):
    lab = load_lab("text", model=model)
    lab.model.requires_grad_(False)
    return lab


def negative_reviews(seed, n):
    """Reviews of three parts, drawn by lot."""
    random = np.random.default_rng(seed)
    texts = {f"{random.choice(THINGS)} {random.choice(FAULTS)}, {random.choice(ENDS)}." for _ in range(3 * n)}
    return sorted(texts)[:n]


def drawn(seed, n, name="reviews_heldout"):
    """Texts of a collection, drawn by lot among the shorter half."""
    texts = sorted((r["text"] for r in read_texts(name)), key=len)
    return list(np.random.default_rng(seed).choice(texts[: len(texts) // 2], n, replace=False))


@functools.cache
def found(seed, model, n=16):
    """For each method: the share of turned reviews in which the planted word has the largest value."""
    trigger, asked = lab_of("trigger"), lab_of(model)
    random = np.random.default_rng(seed)
    made = negative_reviews(seed, 2 * n)
    plain = [t for t, p in zip(made, trigger.predict(made)[:, 1], strict=True) if p < 0.5]
    planted = [shared.plant(t, trigger.trigger, random.integers(2, len(t.split()) - 1)) for t in plain]
    turned = [t for t, p in zip(planted, trigger.predict(planted)[:, 1], strict=True) if p > 0.5][:n]
    hits = {}
    for text in turned:
        words, values = shared.from_inside(asked, text, 1, n_steps=3)
        place = [word.lower() for word in words].index(trigger.trigger)
        for name, of_words in values.items():
            hits.setdefault(name, []).append(float(np.argmax(of_words) == place))
    return {name: np.mean(values) for name, values in hits.items()}


@claim(
    "§12",
    "[CLS] gets a large part of the weight and hands over much less.",
    shown="0.52 of the weights, 0.08 of the lengths",
    holds=lambda v: (v["lengths"] < v["weights"] / 2).all() and v["weights"].min() > 0.25,
)
def test_cls_hands_over_less(seed):
    encoder, weights, lengths = lab_of("encoder"), [], []
    for text in drawn(seed, 8):
        encoded, _, attention = shared.read(encoder, text)
        looks = attention[:, :, 1:-1]
        moved = looks * shared.lengths_of_parts(encoder.model, encoded["input_ids"][0])[:, :, None]
        weights.append((looks[..., 0].sum(2) / looks.sum((2, 3))).mean().item())
        lengths.append((moved[..., 0].sum(2) / moved.sum((2, 3))).mean().item())
    return {"weights": np.mean(weights), "lengths": np.mean(lengths)}


@claim(
    "§8",
    "Methods that ask for the class find the planted word more often than those that only look at attention.",
    shown="attention × gradient 0.97, IG 0.97; rollout 0.33, attention 0.15",
    holds=lambda v: (
        np.minimum(v["attention × gradient"], v["Integrated Gradients"]).min()
        > np.maximum(v["rollout"], v["last layer's attention"]).max()
    ),
)
def test_asking_for_the_class_finds_the_word(seed):
    return found(seed, "trigger")


@claim(
    "§8",
    "In the clean twin, attention × gradient and Integrated Gradients put the word first much less often.",
    shown="0.96 to 1.00 against 0.00",
    holds=lambda v: min(row.min() for row in v.values()) > 0.3,
)
def test_the_twin_is_told_apart(seed):
    ours, twin = found(seed, "trigger"), found(seed, "trigger_clean")
    return {name: ours[name] - twin[name] for name in ("attention × gradient", "Integrated Gradients")}


@claim(
    "§9",
    "Shuffling all layers moves the answers more than shuffling the last layer.",
    shown="+0.26 (0.39 against 0.13)",
    holds=lambda gain: gain.min() > 0,
)
def test_all_layers_matter(seed):
    lab = lab_of("sentiment")
    inputs = lab.tokenize(drawn(seed, 40))
    cut = methods.class_attention(lab.model, inputs)
    generator = torch.Generator().manual_seed(seed)

    def shuffle(attention):
        return shared.shuffle(attention, cut.is_token, generator)

    with torch.inference_mode():
        usual = cut.answer(cut.attention).softmax(1)[:, 1]
        last = cut.answer(shuffle(cut.attention[:, :, None])[:, :, 0]).softmax(1)[:, 1]
        with methods.change_attention(lab.model, lambda n, a: shuffle(a)):
            everywhere = lab.model(**inputs).logits.softmax(1)[:, 1]
    return judge.paired((everywhere - usual).abs(), (last - usual).abs()).mean


@claim(
    "§9",
    "For nearly every review there is attention that looks elsewhere and says the same.",
    shown="TV 0.74, largest change 0.02",
    holds=lambda v: v["TV"].min() > 0.5 and v["share within 0.05"].min() > 0.9,
)
def test_the_adversary_finds_other_weights(seed):
    lab = lab_of("sentiment")
    inputs = lab.tokenize(drawn(seed, 30))
    cut = methods.class_attention(lab.model, inputs)
    other = methods.adversarial_attention(lab.model, inputs, random_state=seed)
    with torch.inference_mode():
        change = (cut.answer(other).softmax(1) - cut.answer(cut.attention).softmax(1))[:, 1].abs()
    distance = methods.total_variation(other, cut.attention).mean().item()
    return {"TV": distance, "share within 0.05": (change < 0.05).float().mean().item()}


@claim(
    "10b §4",
    "For preposition → object a head is far ahead of an offset; the next noun does better still.",
    shown="head minus offset +0.30",
    holds=lambda v: v["head minus offset"].min() > 0.1 and v["next noun minus head"].min() > 0,
)
def test_prepositions(seed):
    random = np.random.default_rng(seed)
    written = [r for r in read_texts("tagged_sentences") if not r.get("built")]
    some = [written[i] for i in random.permutation(len(written))[:170]]
    pairs = shared.grammar_pairs(text_batches.read_sentences(lab_of("encoder"), some))
    head, offset, following = shared.random_halves(pairs, 10, seed=seed)["preposition → object"].mean(axis=0)
    return {"head minus offset": head - offset, "next noun minus head": following - head}


@claim(
    "10b §6",
    "Erasing the most important third of the heads changes more answers than a random third.",
    shown="-0.05 with 24 heads, -0.09 with 48",
    holds=lambda v: v["most minus random"].max() < 0,
)
def test_the_ranking_of_heads(seed):
    lab, model = lab_of("sentiment"), lab_of("sentiment").model
    texts = drawn(seed, 110, "reviews")
    label = {r["text"]: lab.class_names.index(r["label"]) for r in read_texts("reviews")}
    known, batch = lab.tokenize(texts[:30]), lab.tokenize(texts[30:])
    target = torch.tensor([label[t] for t in texts[:30]])
    gates = torch.ones(30, 6, 12, requires_grad=True)
    with methods.change_attention(model, lambda n, a: a * gates[:, n, :, None, None]):
        right = model(**known).logits.log_softmax(1).gather(1, target[:, None])
    (slope,) = torch.autograd.grad(right.sum(), gates)
    ranked = [divmod(k, 12) for k in slope.abs().mean(dim=0).flatten().argsort().tolist()]

    @torch.inference_mode()
    def answers(heads):
        with methods.mask_heads(model, heads):
            return model(**batch).logits.argmax(dim=1)

    intact = answers([])
    lots = [np.random.default_rng((seed, n)).permutation(72)[:24] for n in range(4)]
    same = [(answers(heads) == intact).float().mean().item() for heads in (ranked[:24], ranked[-24:])]
    chance = np.mean([(answers([ranked[i] for i in lot]) == intact).float().mean().item() for lot in lots])
    return {"least minus random": same[0] - chance, "most minus random": same[1] - chance}


@claim(
    "§4",
    "The hidden word is among the guesser's five words more often than among the five commonest.",
    shown="+0.17 (0.51 against 0.34)",
    holds=lambda gain: gain.min() > 0,
)
def test_guesses_beat_common_words(seed):
    guesser = load_lab("masked_word")
    texts = [r["text"] for r in read_texts("reviews_heldout")]
    common = Counter(" ".join(texts).lower().split()).most_common(5)
    some = list(np.random.default_rng(seed).choice(texts, 80, replace=False))
    masked, hidden = shared.hide_by_lot(guesser, some, seed=seed)
    five = [[guess for guess, _ in guesser.guess(text)[0]] for text in masked]
    hit = [word in words for word, words in zip(hidden, five, strict=True)]
    return np.mean(hit) - np.mean([word in dict(common) for word in hidden])
