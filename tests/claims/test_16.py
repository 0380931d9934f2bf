"""Claims of lesson 16, on models that are trained anew for each seed and on texts that no lesson shows."""

from functools import cache

import numpy as np
import torch
from replication import claim

from course_utils.labs.induction import CURVES, InductionLab, accuracy
from course_utils.lessons import l16_transformer as lesson
from course_utils.methods import circuits
from course_utils.training.induction import train

L, P = 16, 24
STEPS = 2000  # half of the shipped models' training


@cache
def _lab(variant: str, seed: int) -> InductionLab:
    model, curves = train(variant, seed, STEPS)
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
    "The circuit's rule predicts on texts with repeated letters how often the model is right.",
    shown="right 0.85, 0.71, 0.58, 0.53; predicted 0.85, 0.73, 0.58, 0.52",
    holds=lambda v: max(values.max() for values in v.values()) < 0.08,
)
def test_the_rule_predicts_the_failures(seed):
    lab, rng, off = _lab("any_length", seed), np.random.default_rng(seed), {}
    for n_letters in (26, 12, 6, 4):
        pattern = rng.integers(1, n_letters + 1, size=(500, 8))
        new = torch.from_numpy(np.concatenate([np.zeros((500, 1), int), pattern, pattern], axis=1))
        rule = lesson.by_the_circuit(new, first=8).mean().item()
        off[f"{n_letters} letters, off by"] = abs(accuracy(lab.model, new, 8) - rule)
    return off
