"""Claims of lesson 16, on models that are trained anew for each seed and on texts that no lesson shows."""

from functools import cache

import numpy as np
import torch
from replication import claim

from course_utils.labs import load_lab
from course_utils.labs.induction import CURVES, InductionLab, accuracy
from course_utils.lessons import l16_transformer as lesson
from course_utils.methods import circuits
from course_utils.training.induction import train

L, P = 16, 24
STEPS = 2000  # half of the shipped models' training


@cache
def _lab(variant: str, seed: int, skip: int = 0) -> InductionLab:
    model, curves = train(variant, seed, STEPS, skip=skip)
    return InductionLab(model.requires_grad_(False), variant, curves[None].numpy())


def _texts(lab, seed):
    texts = lab.sample(200, L, seed=seed)
    return texts, texts[:, : P + 1], texts[:, P + 1]


def _right(lab, read, answers):
    return (lab.model(read)[:, -1].argmax(dim=1) == answers).float().mean().item()


def _score(lab, texts):
    """The induction score of the head that has the larger one."""
    scores = [
        circuits.attention_at_distance(step["weights"], L - 1, first=L + 1).mean().item()
        for step in lab.model.steps(texts)
    ]
    return max(scores)


@claim(
    "§1",
    "Both models are right on patterns of 16, and one head of each looks at the letter that followed: answers and "
    "induction score do not tell the models apart.",
    shown="right 1.000 and 1.000; induction score 0.98 and 0.92",
    holds=lambda v: (
        min(v["A right"].min(), v["B right"].min()) > 0.98
        and min(v["A score"].min(), v["B score"].min()) > 0.4
    ),
)
def test_two_models_look_the_same(seed):
    values = {}
    for name, variant in (("A", "any_length"), ("B", "one_length")):
        lab = _lab(variant, seed)
        texts = _texts(lab, seed)[0]
        values |= {f"{name} right": accuracy(lab.model, texts, L), f"{name} score": _score(lab, texts)}
    return values


@claim(
    "§4, §5",
    "Head 1 writes the answer and head 0 adds next to nothing; yet without head 0 hardly more than guessing is left.",
    shown="head 0 adds +0.3 of 22.7; without it 0.05 right",
    holds=lambda v: v["head 0's share"].max() < 0.05 and v["right without head 0"].max() < 0.15,
)
def test_what_writes_and_what_is_needed(seed):
    lab = _lab("any_length", seed)
    texts, short, answers = _texts(lab, seed)
    written = {name: part[:, P] for name, part in lab.model.parts(short).items()}
    shares = circuits.logit_attribution(written, lab.model.unembed.weight, answers)
    with circuits.change_output(lab.model.heads[0], torch.zeros_like):
        without = accuracy(lab.model, texts, L)
    total = sum(value.mean() for value in shares.values())
    return {
        "head 0's share": abs((shares["head 0"].mean() / total).item()),
        "right without head 0": without,
    }


@claim(
    "§6",
    "One place of each head recovers everything: head 0 at the place after the changed letter, head 1 where the "
    "answer is given; the other places nothing.",
    shown="1.00 and 1.00, elsewhere 0.00",
    holds=lambda v: min(v["head 0"].min(), v["head 1"].min()) > 0.9 and v["elsewhere"].max() < 0.1,
)
def test_two_vectors_do_everything(seed):
    lab = _lab("any_length", seed)
    _, short, answers = _texts(lab, seed)
    broken = lesson.change_letter(lab, short, P - L, seed)
    clean = lesson.rightness(lab.model(short)[:, P], answers)
    corrupted = lesson.rightness(lab.model(broken)[:, P], answers)
    found, others = {}, []
    for number, place in ((0, P - L + 1), (1, P)):
        head = lab.model.heads[number]
        output = circuits.output_of(lab.model, short, head)
        for q in range(P + 1):
            patched = lesson.rightness(circuits.patch(lab.model, broken, head, output, q)[:, P], answers)
            share = circuits.recovered(patched, clean, corrupted).item()
            if q == place:
                found[f"head {number}"] = share
            else:
                others.append(abs(share))
    return found | {"elsewhere": max(others)}


@claim(
    "§4",
    "In the first copy model A mostly says the first letter, and is nearly sure. A model whose training does not "
    "count the place where the first copy ends says it much less often.",
    shown="0.98 of the places, probability 1.00",
    holds=lambda v: v["A"].min() > 0.75 and v["probability"].min() > 0.8 and v["not counted"].max() < 0.4,
)
def test_why_the_first_letter_is_said(seed):
    values = {}
    for name, skip in (("A", 0), ("not counted", 1)):
        lab = _lab("any_length", seed, skip)
        texts = _texts(lab, seed)[0]
        chances = lab.model(texts).softmax(dim=2)[:, 2:L]  # the places 2 to 15, all in the first copy
        values[name] = (chances.argmax(dim=2) == texts[:, 1:2]).float().mean().item()
        if not skip:
            values["probability"] = chances.max(dim=2).values.mean().item()
    return values


@claim(
    "§6",
    "What head 0 writes at that one place is needed and enough: silence it there alone, and most answers are lost; "
    "silence it everywhere else, and they stay.",
    shown="0.07 and 1.00 right",
    holds=lambda v: v["silenced there"].max() < 0.4 and v["silenced elsewhere"].min() > 0.9,
)
def test_the_note_is_needed_and_enough(seed):
    lab, place = _lab("any_length", seed), P - L + 1
    _, short, answers = _texts(lab, seed)

    def only_there(output):
        kept = torch.zeros_like(output)
        kept[:, place] = output[:, place]
        return kept

    values = {}
    for name, change in (
        ("silenced there", lambda output: output - only_there(output)),
        ("silenced elsewhere", only_there),
    ):
        with circuits.change_output(lab.model.heads[0], change):
            values[name] = _right(lab, short, answers)
    return values


@claim(
    "§7",
    "Head 1 copies, for every letter; through head 0 its query fits to the same letter for (nearly) every letter, and "
    "directly it does not.",
    shown="26 and 26 of 26 letters; direct diagonal negative",
    holds=lambda v: (
        v["copies"].min() >= 25 and v["through head 0"].min() >= 24 and (v["direct"] < 0.2 * v["mean"]).all()
    ),
)
def test_the_wire_is_in_the_weights(seed):
    model = _lab("any_length", seed).model
    E, U, (first, second) = model.embed.weight, model.unembed.weight, model.heads
    queries = E @ second.W_Q / second.W_Q.shape[1] ** 0.5
    writes = (E @ second.W_V @ second.W_O @ U.T)[1:, 1:]
    through = (queries @ (E @ first.W_V @ first.W_O @ second.W_K).T)[1:, 1:]
    direct = (queries @ (E @ second.W_K).T)[1:, 1:]
    same = torch.arange(26)
    return {
        "copies": (writes.argmax(dim=1) == same).sum().item(),
        "through head 0": (through.argmax(dim=1) == same).sum().item(),
        "mean": through.diagonal().mean().item(),
        "direct": direct.diagonal().mean().item(),
    }


@claim(
    "§8",
    "With the antecedent changed, A is lost and B answers as before; with the letter after it changed, both answer the "
    "new letter. Away from 16 letters B fails.",
    shown="A 0.05, B 1.00; both 1.00; at 13 letters A 1.00, B 0.00",
    holds=lambda v: (
        v["A, antecedent"].max() < 0.2
        and v["B, antecedent"].min() > 0.9
        and min(v["A, after"].min(), v["B, after"].min()) > 0.95
        and v["A, 13"].min() > 0.95
        and v["B, 13"].max() < 0.2
    ),
)
def test_one_letter_tells_them_apart(seed):
    values = {}
    for name, variant in (("A", "any_length"), ("B", "one_length")):
        lab = _lab(variant, seed)
        _, short, answers = _texts(lab, seed)
        broken = lesson.change_letter(lab, short, P - L, seed)
        after = lesson.change_letter(lab, short, P - L + 1, seed)
        values |= {
            f"{name}, antecedent": _right(lab, broken, answers),
            f"{name}, after": _right(lab, after, after[:, P - L + 1]),
            f"{name}, 13": accuracy(lab.model, lab.sample(100, 13, seed=seed), 13),
        }
    return values


@claim(
    "§9",
    "A learns late and suddenly: after 100 steps it still guesses, and more than half of the way from guessing to "
    "right is gone within 300 steps; head 0's weight and head 1's score rise in the same steps.",
    shown="0.05 after 100 steps; 0.59 more within 300 steps",
    holds=lambda v: (
        v["right after 100 steps"].max() < 0.1
        and v["gained in 300 steps"].min() > 0.5
        and min(v["share of the rise, head 0"].min(), v["share of the rise, head 1"].min()) > 0.25
    ),
)
def test_the_circuit_is_born_suddenly(seed):
    curve = _lab("any_length", seed).birth[0]
    right = dict(zip(curve[:, 0], curve[:, CURVES.index("accuracy")], strict=True))
    at = {step: row for step, row in zip(curve[:, 0], curve, strict=True)}
    gains = {s: right[s + 300] - value for s, value in right.items() if s + 300 in right and s < 700}
    jump = max(gains, key=gains.get)
    before, after, end = at[jump], at[jump + 300], curve[-1]
    rises = {
        name: (after[i] - before[i]) / (end[i] - at[0][i])
        for name, i in (("head 0", CURVES.index("previous")), ("head 1", CURVES.index("induction")))
    }
    return {"right after 100 steps": right[100], "gained in 300 steps": gains[jump]} | {
        f"share of the rise, {name}": value for name, value in rises.items()
    }


@claim(
    "§9",
    "B is right earlier than A, and its head 0 never comes to look at the previous letter. One head does its copying: "
    "with that one silenced hardly more than guessing is left, without the other one B is mostly right as before.",
    shown="0.9 right after 250 to 300 steps, A after 625 to 825; 0.04 and 0.99 where head 0 copies",
    holds=lambda v: (
        (v["B, steps"] < v["A, steps"]).all()
        and v["B, previous letter"].max() < 0.2
        and v["B, copying head silenced"].max() < 0.15
        and np.median(v["B, other head silenced"]) > 0.9
    ),
)
def test_b_is_right_earlier_and_one_head_copies(seed):
    values = {}
    for name, variant in (("A", "any_length"), ("B", "one_length")):
        curve = _lab(variant, seed).birth[0]
        values[f"{name}, steps"] = curve[curve[:, CURVES.index("accuracy")] > 0.9][0, 0]
    values["B, previous letter"] = curve[curve[:, 0] > 200, CURVES.index("previous")].max()
    lab = _lab("one_length", seed)
    texts = _texts(lab, seed)[0]
    scores = [
        circuits.attention_at_distance(step["weights"], L - 1, first=L + 1).mean().item()
        for step in lab.model.steps(texts)
    ]
    for name, number in (("copying", int(np.argmax(scores))), ("other", int(np.argmin(scores)))):
        with circuits.change_output(lab.model.heads[number], torch.zeros_like):
            values[f"B, {name} head silenced"] = accuracy(lab.model, texts, L)
    return values | {"B, number of the copying head": int(np.argmax(scores))}


@claim(
    "§11",
    "Changing letters finds the three decisive ones, and here so does rollout; head 1's attention and the exact share "
    "of the logit find one of three, gradient × input more than these.",
    shown="1.00, 1.00, 0.35, 0.35, 0.79",
    holds=lambda v: (
        min(v["change one letter"].min(), v["attention rollout"].min()) > 0.9
        and max(v["head 1's attention"].max(), v["written by each place"].max()) < 0.5
        and (v["gradient × input"] > v["head 1's attention"]).all()
    ),
)
def test_which_letters_made_the_answer(seed):
    lab = _lab("any_length", seed)
    short = _texts(lab, seed)[1][:60]
    credits = lesson.credit(lab, short)
    return {name: lesson.share_found(value, [P - L, P - L + 1, P]).mean() for name, value in credits.items()}


@claim(
    "§7",
    "Head 0 looks at the previous letter where a note can be of use, after the first copy's letters, and much less later.",
    shown="0.84 at the places 2 to 17, 0.14 later",
    holds=lambda v: (v["places 2 to 17"] > v["later"] + 0.2).all(),
)
def test_the_note_is_written_where_it_is_of_use(seed):
    lab = _lab("any_length", seed)
    weights = lab.model.steps(_texts(lab, seed)[0])[0]["weights"]
    previous = circuits.attention_at_distance(weights, 1, first=2).mean(dim=0)
    return {"places 2 to 17": previous[:L].mean().item(), "later": previous[L:].mean().item()}


@claim(
    "§14",
    "The circuit's rule predicts on texts with repeated letters how often the model is right, and where: nearly always "
    "where the rule says 1, nearly never where it says 0. A rule that takes the latest place predicts too little.",
    shown="right 0.85, 0.71, 0.58, 0.53; predicted 0.85, 0.73, 0.58, 0.52; 1.00 and 0.00",
    holds=lambda v: all(
        v[f"{n}: off by"].max() < 0.08
        and v[f"{n}: where 1"].min() > 0.97
        and v[f"{n}: where 0"].max() < 0.2
        and v[f"{n}: latest, too little by"].min() > 0.05
        for n in (26, 12, 6, 4)
    ),
)
def test_the_rule_predicts_the_failures(seed):
    lab, rng, values = _lab("any_length", seed), np.random.default_rng(seed), {}
    for n in (26, 12, 6, 4):
        pattern = rng.integers(1, n + 1, size=(500, 8))
        new = torch.from_numpy(np.concatenate([np.zeros((500, 1), int), pattern, pattern], axis=1))
        right = (lab.model(new)[:, :-1].argmax(dim=2) == new[:, 1:])[:, 8:].float()
        rule = lesson.by_the_circuit(new, first=8)
        values |= {
            f"{n}: off by": (right.mean() - rule.mean()).abs().item(),
            f"{n}: where 1": right[rule == 1].mean().item(),
            f"{n}: where 0": right[rule == 0].mean().item(),
            f"{n}: latest, too little by": (right.mean() - _by_the_latest(new, 8)).item(),
        }
    return values


def _by_the_latest(tokens, first):
    """How often this other rule is right: say what followed the latest place with the current letter."""
    hits = []
    for row in tokens.tolist():
        for q in range(first, len(row) - 1):
            places = [j for j in range(q) if row[j] == row[q]] or [0]
            hits.append(row[places[-1] + 1] == row[q + 1])
    return np.mean(hits)


SENTENCES = (  # two words, each makes the model prefer one of the two guesses
    ("He {} a [MASK] in the evening.", "drank", "read", "beer", "book"),
    ("She put the [MASK] in the {}.", "oven", "garage", "bread", "car"),
    ("The [MASK] {} over the town.", "flew", "drove", "plane", "car"),
    ("The {} opened his [MASK].", "teacher", "bird", "book", "mouth"),
    ("They {} the [MASK] with a knife.", "cut", "painted", "bread", "wall"),
    ("The [MASK] was {} in the stable.", "ridden", "written", "horse", "letter"),
    ("A {} lives in the [MASK].", "fish", "bear", "water", "forest"),
    ("The doctor {} to the [MASK].", "sailed", "drove", "island", "hospital"),
)


@claim(
    "§12",
    "On eight other sentences, too, all sits at the changed word after the first layer and at the mask after the last; "
    "but much of it, 0.4 or more, is still at the changed word after the fifth layer.",
    shown="0.34 after the fifth layer in the lesson's sentence",
    holds=lambda v: (
        v["word, layer 1"].min() > 0.8
        and v["mask, layer 1"].max() < 0.1
        and v["word, layer 5"].min() > 0.4
        and v["mask, layer 6"].min() > 0.99
    ),
    seeds=tuple(range(8)),
)
def test_from_the_word_to_the_mask(seed):
    bert, (text, word, other, guess, against) = load_lab("masked_word"), SENTENCES[seed]
    clean, changed = (bert.tokenize(text.format(w))["input_ids"] for w in (word, other))
    mask = clean[0].tolist().index(bert.tokenizer.mask_token_id)
    place = (clean != changed)[0].nonzero().item()  # one token differs
    yes, no = bert.tokenizer.convert_tokens_to_ids([guess, against])

    def preference(logits):
        return (logits[:, mask, yes] - logits[:, mask, no]).detach()

    ends = [preference(bert.model(ids).logits) for ids in (clean, changed)]
    values = {}
    for number, layer in enumerate(bert.model.bert.encoder.layer, start=1):
        states = circuits.output_of(bert.model, clean, layer)
        for name, where in (("word", place), ("mask", mask)):
            patched = preference(circuits.patch(bert.model, changed, layer, states, where))
            values[f"{name}, layer {number}"] = circuits.recovered(patched, *ends).item()
    return values
