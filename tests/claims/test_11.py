"""The claims of lesson 11 and its companions, on words, sentences, passages and splits that no cell shows."""

import functools

import numpy as np
import torch
from replication import claim

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.labs.text import read_texts
from course_utils.lessons import l11_bert_embeddings as shared
from course_utils.methods.embeddings import (
    cosine_similarity,
    linear_probe,
    mlp_probe,
    remove_common_component,
)

# five other words with two senses each; a sentence is one beginning and one end
SENSES = {
    ("bass", "fish"): (
        "My uncle caught a bass|We grilled a bass|A large bass swam|The cook cleaned the bass|She released the bass",
        "near the old pier|with lemon and salt|at the edge of the lake|before the boat came back",
    ),
    ("bass", "music"): (
        "He played the bass|She tuned her bass|The bass was too loud|A bass and drums began|I bought a bass",
        "in a jazz band|for the second song|on the small stage|through the new speaker",
    ),
    ("plant", "green"): (
        "She watered the plant|A plant grew|The plant needs light|He put the plant|This plant has flowers",
        "on the window sill|in dry soil|next to the roses|after the summer rain",
    ),
    ("plant", "factory"): (
        "The plant makes steel|Workers left the plant|They closed the plant|The plant hired engineers|A new plant opened",
        "after the strike|because orders fell|in the industrial zone|and production moved abroad",
    ),
    ("letter", "mail"): (
        "He posted a letter|A letter arrived|She answered the letter|I tore up the letter|The letter had no stamp",
        "from my aunt|in a yellow envelope|two weeks late|and the postman waited",
    ),
    ("letter", "alphabet"): (
        "The first letter is missing|Write each letter|She drew the letter|One letter was wrong|Read the letter aloud",
        "in the middle of the word|in capitals on the blackboard|and spell the name again|from A to Z",
    ),
    ("star", "sky"): (
        "A star shone|The star is bright|She named a star|We saw a star|The star exploded",
        "over the dark hills|through the telescope|millions of years ago|beside the moon",
    ),
    ("star", "person"): (
        "The star signed photos|A film star arrived|Fans met the star|The star left the hotel|She became a star",
        "after the premiere|in a black car|with three singers and an actor|and refused an interview",
    ),
    ("club", "stick"): (
        "He swung the club|The golfer chose a club|She broke her club|A club lay there|He cleaned the club",
        "and hit the ball|on the green|after a bad shot|next to the golf bag",
    ),
    ("club", "group"): (
        "She joined the club|The club meets|Our club has members|They left the club|The club elected him",
        "every Monday evening|and paid the fee|to talk about chess|because of the new chairman",
    ),
}


@functools.cache
def lab_of(model):
    return load_lab("text", model=model)


@functools.cache
def untrained(seed):
    return shared.untrained_like(lab_of("encoder").model, seed=seed)


def sentences(seed, n=8):
    """n sentences of each sense, drawn by lot: texts, where the word begins, the words, the senses."""
    random = np.random.default_rng(seed)
    texts, words, senses = [], [], []
    for (word, sense), (beginnings, ends) in SENSES.items():
        pairs = [(b, e) for b in beginnings.split("|") for e in ends.split("|")]
        for k in random.choice(len(pairs), n, replace=False):
            texts.append(f"{pairs[k][0]} {pairs[k][1]}.")
            words.append(word)
            senses.append(sense)
    starts = [text.lower().index(word) for text, word in zip(texts, words, strict=True)]
    return texts, starts, np.array(words), np.array(senses)


def states(seed, model=None, n=8):
    texts, starts, words, senses = sentences(seed, n)
    readings = shared.read(lab_of("encoder"), texts, model=model, batch=32)
    return readings, shared.states_of_words(readings, starts), words, senses


def mean_separation(target, words, senses):
    layers = range(target.shape[1])
    return [shared.each_word(shared.separation, target[:, n], words, senses).mean() for n in layers]


@claim(
    "§4",
    "The first layer adds most to the separation of the senses; the input and random weights stay close to guessing.",
    shown="0.52 at the input, 0.71 after layer 1; untrained 0.51 by neighbour",
    holds=lambda v: (
        (v["first step"] > v["largest other step"]).all()
        and np.abs(v["input"] - 0.5).max() < 0.15
        and np.abs(v["untrained"] - 0.5).max() < 0.15
    ),
)
def test_the_first_layer_adds_most(seed):
    _, target, words, senses = states(seed)
    found = mean_separation(target, words, senses)
    steps = np.diff(found)
    _, nothing, *_ = states(seed, untrained(seed))
    return {
        "first step": steps[0],
        "largest other step": steps[1:].max(),
        "input": found[0],
        "untrained": mean_separation(nothing, words, senses)[-1],
    }


@claim(
    "§4",
    "Later layers find the sense by the nearest neighbour more often than the first layer does.",
    shown="layer 5 less layer 1: +0.14",
    holds=lambda gain: gain.min() > 0,
)
def test_later_layers_know_more(seed):
    _, target, words, senses = states(seed)
    right = {n: shared.each_word(shared.neighbour_right, target[:, n], words, senses) for n in (1, 5)}
    return judge.paired(right[5], right[1]).mean


def other_passages(seed, n=20):
    """Passages that the lesson does not ask about, or other questions on those that it does."""
    random = np.random.default_rng(seed)
    held_out, trained = read_texts("passages_heldout"), read_texts("passages")[24:]
    some = [held_out[i] for i in random.permutation(len(held_out))[:n]]
    some += [trained[i] for i in random.permutation(len(trained))[: n // 2]]
    return some


@functools.lru_cache(maxsize=1)
def asked(seed):
    return shared.ask(lab_of("qa"), other_passages(seed), others=[lab_of("encoder")], shift=1 + seed % 3)


@claim(
    "§6",
    "The answer leaves the passage in the last layer, other answers do not; in the plain model much less.",
    shown="+0.91 against +0.11",
    holds=lambda v: v["fine-tuned"].min() > 0.3 and (v["fine-tuned"] > 3 * v["plain"]).all(),
)
def test_the_answer_leaves(seed):
    tuned, plain = (np.mean([shared.stage_extraction(c)[-1] for c in cases]) for cases in asked(seed))
    return {"fine-tuned": tuned, "plain": plain}


@claim(
    "§6",
    "When the model is wrong, what it answers lies farther out than the right answer, which lies farther than others.",
    shown="+0.41 and +0.34",
    holds=lambda v: v["given less right"].min() > 0 and v["right less others"].min() > 0,
)
def test_the_given_answer_leaves(seed):
    wrong = [case for case in asked(seed)[0] if not case.hit]
    far = {
        part: np.array([shared.leaves(case, case.part[part]) for case in wrong])
        for part in ("given", "answer", "other")
    }
    return {
        "given less right": (far["given"] - far["answer"]).mean(),
        "right less others": (far["answer"] - far["other"]).mean(),
    }


@claim(
    "11c §2",
    "Names find names far above chance, at the input and in all layers.",
    shown="0.54 to 0.78, chance 0.06",
    holds=lambda v: v["lowest layer"].min() > 3 * v["chance"].max(),
)
def test_names_gather(seed):
    found, chance = shared.stage_meaning(asked(seed)[0])
    return {"lowest layer": found.mean(axis=0).min(), "chance": chance}


@claim(
    "11c §2",
    "Tokens of one sentence are more alike in the middle layers than at the input.",
    shown="0.04 at layer 4, 0.00 at layer 0",
    holds=lambda gain: gain.min() > 0,
)
def test_relations_show(seed):
    found = [shared.stage_relations(case) for case in asked(seed)[0]]
    curve = np.mean([row for row in found if row is not None], axis=0)
    return curve[3:5].mean() - curve[0]


@claim(
    "11c §2",
    "The rise of matching to layer 3 is no clearer in the fine-tuned model than in the plain one.",
    shown="-0.09 (-0.22 to +0.03) on held-out passages, +0.04 (-0.08 to +0.17) on trained ones",
    holds=lambda gain: gain.max() < 0.1,
)
def test_no_matching_is_made(seed):
    rise = [np.array([shared.stage_matching(case)[0] for case in cases])[:, [0, 3]] for cases in asked(seed)]
    return (rise[0][:, 1] - rise[0][:, 0] - rise[1][:, 1] + rise[1][:, 0]).mean()


@claim(
    "11b §3",
    "Taking the common part away brings arbitrary words near 0, and the senses separate hardly better.",
    shown="0.24 to 0.00 at layer 4; separation +0.00",
    holds=lambda v: (
        v["before"].min() > 0.1 and np.abs(v["after"]).max() < 0.05 and np.abs(v["gain"]).max() < 0.03
    ),
)
def test_the_correction_adds_no_knowledge(seed):
    readings, _, words, senses = states(seed)
    x = torch.cat([reading.states[4, 1:-1] for reading in readings])
    starts = sentences(seed)[1]
    first = np.cumsum([0, *(len(r.tokens) - 2 for r in readings[:-1])])
    where = first + [shared.place_of(r, s) - 1 for r, s in zip(readings, starts, strict=True)]
    corrected = remove_common_component(x)
    i, j = torch.randint(len(x), (2, 2000), generator=torch.Generator().manual_seed(seed))
    separate = [shared.each_word(shared.separation, y[where], words, senses).mean() for y in (x, corrected)]
    alike = [cosine_similarity(y[i], y[j]).mean().item() for y in (x, corrected)]
    return {"before": alike[0], "after": alike[1], "gain": separate[1] - separate[0]}


@claim(
    "11b §4",
    "Masking the nearest words takes more of the sense away than masking the farthest.",
    shown="+0.02 with two or four words masked",
    holds=lambda v: min(row.min() for row in v.values()) > 0,
)
def test_near_words_matter_more(seed):
    lab = lab_of("encoder")
    records = lab.records
    words, senses = (np.array([r[key] for r in records]) for key in ("word", "sense"))
    some = np.random.default_rng(seed).permutation(
        np.setdiff1d(np.arange(len(words)), np.arange(0, len(words), 4))
    )[:60]
    readings = shared.read(lab, lab.texts, batch=64)
    starts = [r["start"] for r in records]
    target = shared.states_of_words(readings, starts)[:, 4]
    places = [shared.place_of(r, s) for r, s in zip(readings, starts, strict=True)]
    gains = {}
    for n in (2, 4):
        near, far = (
            shared.sense_scores(
                shared.states_of_ids(
                    lab,
                    [
                        shared.mask_context(
                            readings[i].record.ids[: len(readings[i].tokens)],
                            places[i],
                            n,
                            lab.tokenizer.mask_token_id,
                            nearest_first=nearest,
                        )
                        for i in some
                    ],
                    [places[i] for i in some],
                )[:, 4],
                some,
                target,
                words,
                senses,
            )
            for nearest in (True, False)
        )
        gains[f"{n} masked"] = judge.paired(far, near).mean
    return gains


@functools.cache
def tagged():
    return shared.tagged_words(lab_of("encoder"), shared.tagged_sentences())


@claim(
    "11d §3",
    "The selectivity for part of speech rises from layer 0 to the middle layers.",
    shown="+0.14 to +0.44",
    holds=lambda v: (v["layer 3"] - v["layer 0"]).min() > 0.15,
)
def test_selectivity_rises(seed):
    x, column = tagged()
    rows = column["pos"] != "PUNCT"
    words, labels, groups = (column[key][rows] for key in ("word", "pos", "sentence"))
    return {
        f"layer {n}": linear_probe(x[rows, n], labels, words, groups=groups, seed=seed).selectivity
        for n in (0, 3)
    }


@claim(
    "11d §3",
    "A stronger probe is better at nonsense, and no better at the task.",
    shown="+0.07 and -0.02 at layer 5",
    holds=lambda v: v["nonsense"].mean() > 0.02 and v["task"].max() < 0.02,
)
def test_a_stronger_probe_learns_nonsense(seed):
    x, column = tagged()
    rows = column["pos"] != "PUNCT"
    data = x[rows, 5], column["pos"][rows], column["word"][rows]
    weak = linear_probe(*data, groups=column["sentence"][rows], seed=seed)
    strong = mlp_probe(*data, groups=column["sentence"][rows], seed=seed, hidden=64)
    return {"nonsense": strong.control - weak.control, "task": strong.accuracy - weak.accuracy}


@claim(
    "11d §4",
    "A review's nearest neighbour is far above guessing in its topic, and much less so in its opinion.",
    shown="+0.38 and -0.00",
    holds=lambda v: (v["topic"] > 2 * v["opinion"]).all() and v["topic"].min() > 0.2,
)
def test_topic_not_opinion(seed):
    reviews = read_texts("reviews")[500:]
    some = [reviews[i] for i in np.random.default_rng(seed).permutation(len(reviews))[:250]]
    vectors = shared.sentence_vectors(lab_of("encoder"), [r["text"] for r in some])[:, -1]
    near, found = shared.nearest_other(vectors), {}
    for name, key in (("topic", "domain"), ("opinion", "label")):
        own = np.array([r[key] for r in some])
        found[name] = (own[near] == own).mean() - shared.share_of_own_sense(vectors, own).mean()
    return found
