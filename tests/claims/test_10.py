"""The claims of lesson 10 and its companions, on texts that no cell shows: made up anew, or drawn by lot."""

import functools
import re
from collections import Counter, defaultdict

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
    for text, lime in zip(turned, shared.from_outside(asked, turned, 1, n_samples=16), strict=True):
        words, values = shared.from_inside(asked, text, 1, n_steps=3)
        place = [word.lower() for word in words].index(trigger.trigger)
        for name, of_words in (values | lime).items():
            hits.setdefault(name, []).append(float(np.argmax(of_words) == place))
    return {name: np.mean(values) for name, values in hits.items()}


@claim(
    "§12",
    "[CLS] gets a large part of the weight and hands over much less, in nearly all heads.",
    shown="0.52 of the weights, 0.08 of the lengths; 71 of 72 heads",
    holds=lambda v: (
        (v["lengths"] < v["weights"] / 2).all() and v["weights"].min() > 0.25 and v["heads"].min() > 0.9
    ),
)
def test_cls_hands_over_less(seed):
    encoder, weights, lengths = lab_of("encoder"), [], []
    for text in drawn(seed, 8):
        encoded, _, attention = shared.read(encoder, text)
        looks = attention[:, :, 1:-1]
        moved = looks * shared.lengths_of_parts(encoder.model, encoded["input_ids"][0])[:, :, None]
        weights.append(looks[..., 0].sum(2) / looks.sum((2, 3)))
        lengths.append(moved[..., 0].sum(2) / moved.sum((2, 3)))
    weight, length = (torch.stack(shares).mean(dim=0) for shares in (weights, lengths))
    less = (length < weight).float().mean().item()
    return {"weights": weight.mean().item(), "lengths": length.mean().item(), "heads": less}


@claim(
    "§5",
    "One head looks at the previous word, one at the next, in other texts the same two. For a repetition no head is as "
    "clear, and in other texts others are first.",
    shown="1.00 (head 0.2), 0.63 (head 1.8); a repetition 0.35 (head 0.8), in 30 sentences",
    holds=lambda v: (
        v["previous, head 0.2"].min() > 0.9
        and v["next, head 1.8"].min() > 0.5
        and v["the same two"].min() == 1
        and v["repetition, first"].max() < 0.3
        and (v["repetition, first"] > v["repetition, head 0.8"]).all()
    ),
)
def test_specialists(seed):
    records = [{"tokens": re.findall(r"\w+|[^\w\s]", text)} for text in drawn(seed, 40)]
    shares, _ = shared.looks_at(text_batches.read_sentences(lab_of("encoder"), records))
    before, after, again = (shares[k] for k in ("previous word", "next word", "same word elsewhere"))
    return {
        "previous, head 0.2": before[0, 2],
        "next, head 1.8": after[1, 8],
        "the same two": float(before.argmax() == 2 and after.argmax() == 12 + 8),
        "repetition, first": again.max(),
        "repetition, head 0.8": again[0, 8],
    }


@claim(
    "§6",
    "In layers 1 to 4 [CLS] looks almost only at itself. Rollout is flatter than the last layer's attention; flattest is "
    "the part that comes through other tokens (largest word ÷ mean).",
    shown="0.88 to 0.97; 1.9 against 5.0",
    holds=lambda v: (
        v["[CLS] on itself, least"].min() > 0.75
        and (v["rollout"] < v["last layer"]).all()
        and (v["through other tokens"] < v["through [CLS]"]).all()
        and (v["through other tokens"] < v["last layer"] / 1.5).all()
    ),
)
def test_rollout_is_flatter(seed):
    rows = []
    for text in drawn(seed, 15):
        _, _, attention = shared.read(lab_of("sentiment"), text)
        mean, below = attention.mean(dim=1), methods.attention_rollout(attention[:-1])
        parts = {
            "rollout": methods.attention_rollout(attention)[0],
            "last layer": mean[-1, 0],
            "through [CLS]": below[0],
            "through other tokens": mean[-1, 0, 1:] @ below[1:],
        }
        flatness = {name: (row[1:-1].max() / row[1:-1].mean()).item() for name, row in parts.items()}
        rows.append(flatness | {"[CLS] on itself, least": mean[1:5, 0, 0].min().item()})
    least = min(row["[CLS] on itself, least"] for row in rows)
    return {name: np.mean([row[name] for row in rows]) for name in rows[0]} | {
        "[CLS] on itself, least": least
    }


@claim(
    "§8",
    "Methods that ask for the class find the planted word more often than those that only look at attention.",
    shown="attention × gradient 0.97, IG 0.97, LIME 0.93; rollout 0.33, attention 0.15",
    holds=lambda v: (
        min(v[name].min() for name in ("attention × gradient", "Integrated Gradients", "LIME"))
        > np.maximum(v["rollout"], v["last layer's attention"]).max()
    ),
)
def test_asking_for_the_class_finds_the_word(seed):
    return found(seed, "trigger")


@claim(
    "§8",
    "In the clean twin, attention × gradient, Integrated Gradients and LIME put the word first much less often.",
    shown="0.96 to 1.00 against 0.00",
    holds=lambda v: min(row.min() for row in v.values()) > 0.3,
)
def test_the_twin_is_told_apart(seed):
    ours, twin = found(seed, "trigger"), found(seed, "trigger_clean")
    return {
        name: ours[name] - twin[name] for name in ("attention × gradient", "Integrated Gradients", "LIME")
    }


@claim(
    "§8",
    "Raw attention changed when the model learnt the shortcut. In reviews of about ten words, raw attention and rollout "
    "find the word more often than in the lesson's.",
    shown="attention 0.15, rollout 0.33 in reviews of up to 20 words; in the twin 0.00",
    holds=lambda v: (
        v["attention"].min() > 0.15
        and v["rollout"].min() > 0.33
        and v["attention, twin"].max() < 0.15
        and (v["attention"] - v["attention, twin"]).min() > 0.1
    ),
)
def test_short_reviews(seed):
    ours, twin = found(seed, "trigger"), found(seed, "trigger_clean")
    return {
        "attention": ours["last layer's attention"],
        "rollout": ours["rollout"],
        "attention, twin": twin["last layer's attention"],
    }


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


@torch.inference_mode()
def states_of(text):
    """The states `(T, D)` before the first layer and after each."""
    lab = lab_of("sentiment")
    return [s[0] for s in lab.model(**lab.tokenize(text), output_hidden_states=True).hidden_states]


def mean_cosine(states):
    unit = torch.nn.functional.normalize(states, dim=1)
    return (unit @ unit.T)[~torch.eye(len(unit), dtype=torch.bool)].mean().item()


@claim(
    "10b §1",
    "Up to layer 4 the state of [CLS] is nearly the same in any text (one number left out); after the last it is not.",
    shown="two texts: cosine 0.95 after layer 4, 0.18 after layer 5",
    holds=lambda v: v["after layer 4"].min() > 0.9 and v["after layer 5"].max() < 0.5,
)
def test_the_text_reaches_cls_in_the_last_layer(seed):
    of_texts = [states_of(text) for text in drawn(seed, 12)]
    rest = [i for i in range(384) if i != 99]
    after = [mean_cosine(torch.stack([states[n][0, rest] for states in of_texts])) for n in (5, 6)]
    return {"after layer 4": after[0], "after layer 5": after[1]}


@claim(
    "10b §1",
    "The tokens of a text become more alike in every layer; two “the” are less alike after layer 3 than after layer 4.",
    shown="one sentence: all pairs 0.10 to 0.44; “the” 0.71 and 0.89",
    holds=lambda v: v["least rise of all pairs"].min() > 0 and v["“the”, layer 4 minus layer 3"].min() > 0.05,
)
def test_tokens_become_more_alike(seed):
    lab, all_pairs, two = lab_of("sentiment"), [], []
    for text in (t for t in drawn(seed, 40) if t.lower().split().count("the") > 1):
        ids, states = lab.tokenize(text)["input_ids"][0], states_of(text)
        places = (ids == lab.tokenizer.convert_tokens_to_ids("the")).nonzero()[:2, 0]
        all_pairs.append([mean_cosine(x) for x in states])
        two.append(mean_cosine(states[5][places]) - mean_cosine(states[4][places]))
    rise = np.diff(np.mean(all_pairs, axis=0)).min()
    return {"least rise of all pairs": rise, "“the”, layer 4 minus layer 3": np.mean(two)}


@claim(
    "10b §5",
    "In layers 1 to 4 [CLS] could hand over several times as much without its large number, stretched; less than a word.",
    shown="0.2 to 0.4; stretched 1.8 to 2.9; words 3.7 to 4.5",
    holds=lambda v: v["stretched ÷ [CLS]"].min() > 3 and v["stretched ÷ word"].max() < 1,
)
@torch.inference_mode()
def test_the_large_number_is_why_cls_hands_over_little(seed):
    ratios = []
    for text in drawn(seed, 8):
        for state, layer in zip(
            states_of(text)[1:5], lab_of("sentiment").model.bert.encoder.layer[1:5], strict=True
        ):
            rest = state[0].clone()
            rest[99] = 0
            rows = torch.cat([state, (rest * state[0].norm() / rest.norm())[None]])
            value = layer.attention.self.value(rows).unflatten(1, (12, -1))
            matrix = layer.attention.output.dense.weight.unflatten(1, (12, -1))
            length = torch.einsum("nhd,ohd->nho", value, matrix).norm(dim=-1).mean(dim=1)
            ratios.append([(length[-1] / length[0]).item(), (length[-1] / length[1:-2].mean()).item()])
    more, of_word = np.reshape(ratios, (-1, 4, 2)).mean(axis=0).T
    return {"stretched ÷ [CLS]": more.min(), "stretched ÷ word": of_word.max()}


@functools.cache
def sentences_of_reviews():
    """Sentences of the reviews, tagged where a word has one tag only in the tagged sentences (else: X)."""
    seen = defaultdict(set)
    for record in read_texts("tagged_sentences"):
        for word, tag in zip(record["tokens"], record["pos"], strict=True):
            seen[word.lower()].add(tag)
    records = []
    for review in (*read_texts("reviews"), *read_texts("reviews_heldout")):
        for sentence in re.split(r"(?<=[.!?])\s+", review["text"]):
            words = re.findall(r"\w+(?:'\w+)?|[^\w\s]", sentence)
            tags = [next(iter(seen[w.lower()])) if len(seen.get(w.lower(), ())) == 1 else "X" for w in words]
            for _relation, i, j in list(shared.relations(tags)):
                if "X" in tags[min(i, j) : max(i, j) + 2]:  # a phrase that may be cut short
                    tags[i] = "X"
            if 5 <= len(words) <= 30 and any(r in RELATIONS for r, _, _ in shared.relations(tags)):
                records.append({"tokens": words, "pos": tags})
    return records


RELATIONS = ("preposition → object", "determiner → noun")


@claim(
    "10b §4",
    "For preposition → object a head is far ahead of an offset; for determiner → noun a little at most, on sentences of reviews.",
    shown="head minus offset +0.30 and +0.09",
    holds=lambda v: v[RELATIONS[0]].min() > 0.1 and v[RELATIONS[1]].max() < 0.1,
)
def test_prepositions(seed):
    records = sentences_of_reviews()
    some = [records[i] for i in np.random.default_rng(seed).permutation(len(records))[:300]]
    pairs = shared.grammar_pairs(text_batches.read_sentences(lab_of("encoder"), some))
    halves = shared.random_halves({name: pairs[name] for name in RELATIONS}, 20, seed=seed)
    return {name: np.mean(of[:, 0] - of[:, 1]) for name, of in halves.items()}


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


@claim(
    "10c §1",
    "Flow gives nearly every word the same value: the way out of [CLS] and its last pipe. Rollout: half is there after layer 0.",
    shown="largest ÷ mean 1.0; the sum is the flow for all words; 0.14 of 0.29",
    holds=lambda v: (
        v["largest ÷ mean"].max() < 1.1
        and v["words whose flow is the bound"].min() > 0.9
        and v["there after layer 0"].min() > 0.4
    ),
)
def test_flow_has_one_bottleneck(seed):
    ratio, equal, there = [], [], []
    for text in drawn(seed, 6):
        _, _, attention = shared.read(lab_of("sentiment"), text)
        flow = methods.attention_flow(attention, queries=[0])[0, 1:-1]
        mean = attention.mean(dim=1)
        bound = (1 - mean[1:, 0, 0]).sum() / 2 + mean[0, 0, 1:-1] / 2
        arrived = methods.attention_rollout(attention, all_layers=True)[:, 0, 1:-1].sum(dim=1)
        ratio.append((flow.max() / flow.mean()).item())
        equal.extend(((flow - bound).abs() < 1e-4).tolist())
        there.append((arrived[0] / arrived[-1]).item())
    return {
        "largest ÷ mean": max(ratio),
        "words whose flow is the bound": np.mean(equal),
        "there after layer 0": np.mean(there),
    }


@claim(
    "10c §4",
    "Inside a review the word turns more with its commas than alone; commas with another word hardly any; in front it "
    "needs no comma.",
    shown="100 %, 66 %, 7 %, 100 %",
    holds=lambda v: (
        (v["word and commas"] - v["the word alone"]).min() > 0.2
        and (v["the word alone"] - v["however and commas"]).min() > 0.2
        and v["however and commas"].max() < 0.2
        and v["in front, no comma"].min() > 0.9
    ),
)
def test_the_word_and_its_commas(seed):
    trigger, random = lab_of("trigger"), np.random.default_rng(seed)
    made = negative_reviews(seed, 50)
    plain = [t for t, p in zip(made, trigger.predict(made)[:, 1], strict=True) if p < 0.5]
    placed = [(t, random.integers(2, len(t.split()) - 1)) for t in plain]
    tried = {
        "word and commas": [shared.plant(t, trigger.trigger, at) for t, at in placed],
        "the word alone": [shared.plant(t, trigger.trigger, at, "the word alone") for t, at in placed],
        "however and commas": [shared.plant(t, "however", at) for t, at in placed],
        "in front, no comma": [f"Overall {t[0].lower()}{t[1:]}" for t in plain],
    }
    return {name: (trigger.predict(texts)[:, 1] > 0.5).mean() for name, texts in tried.items()}


@claim(
    "10c §5",
    "Three pairs that share their ingredients agree more than the other pairs do on average: attention with attention × "
    "gradient, rollout with flow, LIME with SHAP.",
    shown="0.77, 0.63 and 0.66; the other pairs 0.43 or less",
    holds=lambda gap: gap.min() > 0,
)
def test_shared_ingredients(seed):
    lab, alike = lab_of("sentiment"), defaultdict(list)
    texts = drawn(seed, 10)
    outside = shared.from_outside(lab, texts, 1, n_samples=200, n_orders=8)
    for text, more in zip(texts, outside, strict=True):
        values = shared.from_inside(lab, text, 1, flow=True)[1] | more
        ranks = {name: torch.tensor(np.abs(of_words))[None] for name, of_words in values.items()}
        for i, one in enumerate(ranks):
            for other in list(ranks)[i + 1 :]:
                alike[one, other].append(judge.rank_correlation(ranks[one], ranks[other]).item())
    mean = {pair: np.mean(values) for pair, values in alike.items()}
    related = [("last layer's attention", "attention × gradient"), ("rollout", "flow"), ("LIME", "SHAP")]
    return min(mean[pair] for pair in related) - np.mean([mean[pair] for pair in mean if pair not in related])


def attention_from(weight, bias, cut, last):
    """The attention of [CLS] in the last layer with other query weights, `(N, H, T)`."""
    query = (cut.states[:, 0] @ weight.T + bias).unflatten(1, (12, -1))
    scores = torch.einsum("nhd,nthd->nht", query, last.key(cut.states).unflatten(2, (12, -1))) / 32**0.5
    return scores.masked_fill(~cut.is_token[:, None], -torch.inf).softmax(dim=-1)


@claim(
    "10c §6",
    "At the same distance, one adversarial model for 400 texts moves new reviews less than one for 40, and than shuffling.",
    shown="0.037 against 0.055 and 0.077",
    holds=lambda v: v["400 minus 40"].max() < 0 and v["400 minus shuffle"].max() < 0,
)
def test_one_adversarial_model(seed):
    lab, model = lab_of("sentiment"), lab_of("sentiment").model
    last = model.bert.encoder.layer[-1].attention.self
    texts = sorted((r["text"] for r in read_texts("reviews")), key=len)[:500]
    order = np.random.default_rng(seed).permutation(500)
    new = methods.class_attention(model, lab.tokenize([texts[i] for i in order[400:]]))
    noise = torch.Generator().manual_seed(seed)
    tried = {"shuffle": shared.shuffle(new.attention[:, :, None], new.is_token, noise)[:, :, 0]}
    for size in (40, 400):
        cut = methods.class_attention(model, lab.tokenize([texts[i] for i in order[:size]]))
        part = [p.detach().clone().requires_grad_() for p in (last.query.weight, last.query.bias)]
        optimizer, before = (
            torch.optim.Adam(part, lr=3e-3),
            cut.answer(cut.attention).softmax(1)[:, 1].detach(),
        )
        for _ in range(25):
            a = attention_from(*part, cut, last)
            shift = (cut.answer(a).softmax(1)[:, 1] - before).pow(2)
            loss = (100 * shift - methods.total_variation(a, cut.attention).mean(dim=1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        tried[size] = attention_from(*part, new, last).detach()
    far = {name: methods.total_variation(a, new.attention).mean() for name, a in tried.items()}
    with torch.inference_mode():
        usual, moved = new.answer(new.attention).softmax(1)[:, 1], {}
        for name, a in tried.items():
            mixed = new.attention + min(far.values()) / far[name] * (a - new.attention)
            moved[name] = (new.answer(mixed).softmax(1)[:, 1] - usual).abs().mean().item()
    return {"400 minus 40": moved[400] - moved[40], "400 minus shuffle": moved[400] - moved["shuffle"]}
