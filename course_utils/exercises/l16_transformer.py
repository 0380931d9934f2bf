"""The exercises of lesson 16 and its companion: who wrote the answer, one patched place, sparse codes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.labs.induction import AttentionOnly
from course_utils.teach.checks import Exercise, Mistake, Question, wrong_answer
from course_utils.teach.quiz import quiz

same_or_not = quiz(
    "Two models give the same right answers on 400 texts, and their second heads look at the same places. Do they do "
    "the same thing?",
    (
        "Yes: same answers, same attention.",
        "No: two trainings never find the same program.",
        "It cannot be said: on these texts, two different programs could give just this.",
    ),
    2,
    (
        "All texts here have a pattern of 16. Whatever else the models do would not show.",
        "Often two trainings do find the same. What you have seen so far does not say whether they did here.",
        "“Copy the letter 15 places back” and “copy what followed this letter last time” give the same answers here. "
        "Section 8 finds a text on which they differ.",
    ),
)


# --- who wrote the answer ---------------------------------------------------------------------------------


def _attribution(parts: list[Tensor], U: Tensor, answers: Tensor) -> Tensor:
    rows = U[answers] - U.mean(dim=0)
    return torch.stack([(part * rows).sum(dim=1) for part in parts])


def _attribution_cases() -> list[tuple[list[Tensor], Tensor, Tensor]]:
    generator, cases = torch.Generator().manual_seed(16), []
    for n_parts, n, vocabulary, d in ((3, 5, 11, 7), (2, 4, 6, 9), (4, 1, 27, 24)):
        parts = [torch.randn(n, d, generator=generator) for _ in range(n_parts)]
        U = torch.randn(vocabulary, d, generator=generator) + 0.5
        cases.append((parts, U, torch.randint(vocabulary, (n,), generator=generator)))
    return cases


def _all_logits(parts: list[Tensor], U: Tensor) -> Tensor:
    return torch.stack(parts) @ U.T  # (parts, N, vocabulary)


def _pick(logits: Tensor, answers: Tensor) -> Tensor:
    return logits[:, torch.arange(len(answers)), answers]


attribution = Exercise(
    name="attribution",
    difficulty=2,
    minutes=8,
    hints=(
        "`U[answers]` is `(N, d)`: for each text the row of its right letter.",
        "The row to multiply with is `U[answers] - U.mean(dim=0)`: the mean over the 27 letters.",
        "For each part: multiply with these rows, element by element, and sum over the d numbers (dim=1). "
        "`torch.stack` puts the parts under one another.",
    ),
    reference=_attribution,
    cases=_attribution_cases,
    mistakes={
        "no mean": Mistake(
            lambda parts, U, answers: _pick(_all_logits(parts, U), answers),
            "these are shares of the logit itself: the mean over all letters is not subtracted yet. A part that raises "
            "*all* letters alike would look important.",
        ),
        "mean of the texts": Mistake(
            lambda parts, U, answers: torch.stack(
                [(part * (U[answers] - U[answers].mean(dim=0))).sum(dim=1) for part in parts]
            ),
            "you subtracted the mean of the *right letters'* rows: it is the mean over the whole vocabulary, `U.mean(dim=0)`.",
        ),
        "mean of everything": Mistake(
            lambda parts, U, answers: torch.stack(
                [(part * (U[answers] - U.mean())).sum(dim=1) for part in parts]
            ),
            "`U.mean()` is one number, the mean of the whole table: the mean *row* is `U.mean(dim=0)`.",
        ),
        "mean of the others": Mistake(
            lambda parts, U, answers: torch.stack(
                [
                    (part * (U[answers] - (U.sum(dim=0) - U[answers]) / (len(U) - 1))).sum(dim=1)
                    for part in parts
                ]
            ),
            "you subtracted the mean of all *other* letters: the right letter belongs to the mean, `U.mean(dim=0)`.",
        ),
        "mean of the products": Mistake(
            lambda parts, U, answers: _attribution(parts, U, answers) / U.shape[1],
            "you took the mean over the d numbers: a dot product is their *sum*.",
        ),
        "other sign": Mistake(
            lambda parts, U, answers: -_attribution(parts, U, answers),
            "the sign is turned: the right letter's row minus the mean row, not the other way round.",
        ),
        "sizes": Mistake(
            lambda parts, U, answers: _attribution(parts, U, answers).abs(),
            "you dropped the signs: a part may lower the right letter's logit.",
        ),
        "mean of each row": Mistake(
            lambda parts, U, answers: torch.stack(
                [(part * (U[answers] - U.mean(dim=1)[answers][:, None])).sum(dim=1) for part in parts]
            ),
            "you took the mean over the d numbers of each row (dim=1): it is the mean over the letters, dim=0.",
        ),
        "added up": Mistake(
            lambda parts, U, answers: _attribution(parts, U, answers).sum(dim=0),
            "you added the parts up: that is the whole logit. Return one row for each part.",
        ),
        "all letters": Mistake(
            lambda parts, U, answers: _all_logits(parts, U) - _all_logits(parts, U).mean(dim=2, keepdim=True),
            "that is every letter's share: choose the right letter of each text, `U[answers]`.",
        ),
        "turned": Mistake(
            lambda parts, U, answers: _attribution(parts, U, answers).T,
            "rows and columns are exchanged: one row for each part, one column for each text.",
        ),
        "log_softmax": Mistake(
            lambda parts, U, answers: _pick(_all_logits(parts, U).log_softmax(dim=2), answers),
            "you took a log_softmax of each part: it subtracts another number than the mean, and the parts do not add up.",
        ),
        "softmax": Mistake(
            lambda parts, U, answers: _pick(_all_logits(parts, U).softmax(dim=2), answers),
            "you took a softmax of each part: probabilities do not add up over the parts, logits do.",
        ),
        "mean over texts": Mistake(
            lambda parts, U, answers: _attribution(parts, U, answers).mean(dim=1),
            "you took the mean over the texts: return a value for each text.",
        ),
        "growing sums": Mistake(
            lambda parts, U, answers: _attribution(parts, U, answers).cumsum(dim=0),
            "your rows are sums up to each part, as in the logit lens: here each part stands alone.",
        ),
        "first letters": Mistake(
            lambda parts, U, answers: _attribution(parts, U, torch.arange(len(answers)) % len(U)),
            "you did not use `answers`: each text has a right letter of its own, whose row is `U[answers]`.",
        ),
    },
)


# --- who is needed ----------------------------------------------------------------------------------------


def _without_examples() -> list[tuple[dict[str, float]]]:
    return [({"head 0": 0.05, "head 1": 0.04},), ({"head 0": 0.08, "head 1": 0.03},)]


def _is_number(answer: object) -> bool:
    return isinstance(answer, (int, float)) and not isinstance(answer, bool)


without_head_0 = Question(
    name="without_head_0",
    difficulty=1,
    minutes=3,
    hints=(
        "Direct attribution says what head 0 writes into the *logits*. Who else reads what it writes?",
        "Head 1 reads the stream after head 0 has written. What would it look for without that?",
    ),
    expected=lambda without: without["head 0"],
    tolerance=0.1,
    within=(0, 1),
    examples=_without_examples,
    mistakes={
        "per cent": Mistake(
            lambda answer, without: _is_number(answer) and answer > 1,
            "give a share between 0 and 1, not per cent.",
            example=lambda without: 95.0,
        ),
        "below zero": Mistake(
            lambda answer, without: _is_number(answer) and answer < 0,
            "a share of right letters cannot be below 0.",
            example=lambda without: -0.5,
        ),
        "hardly anything": Mistake(
            lambda answer, without: _is_number(answer) and answer > 0.8,
            "you went by its direct attribution, which is nearly zero. But head 1 *reads* what head 0 writes, and without "
            "it looks at the wrong places.",
            example=lambda without: 0.99,
        ),
        "half": Mistake(
            lambda answer, without: _is_number(answer) and answer > without["head 0"] + 0.1,
            "it is worse: what is left is about guessing. Head 1 needs what head 0 writes for every letter.",
            example=lambda without: 0.5,
        ),
    },
)


# --- one patched place ------------------------------------------------------------------------------------


def _patch_cases() -> list[tuple[nn.Module, nn.Module, Tensor, Tensor, int]]:
    """Random models of other shapes; the head is a part of the model, the clean output from another text."""
    cases = []
    for seed, (vocabulary, longest, d, d_head, which, place) in enumerate(
        ((9, 8, 6, 4, 0, 3), (12, 6, 10, 5, 1, 5), (7, 9, 8, 8, 0, 1))
    ):
        torch.manual_seed(seed)
        model = AttentionOnly(vocabulary, longest, d, d_head).eval()
        clean, corrupted = torch.randint(vocabulary, (2, 3, longest))
        with torch.no_grad():
            output = model.steps(clean)[which]["written"].clone()
        cases.append((model, model.heads[which], corrupted, output, place))
    return cases


def _hooked(model: nn.Module, head: nn.Module, tokens: Tensor, change) -> Tensor:
    handle = head.register_forward_hook(lambda _module, _inputs, output: change(output))
    try:
        return model(tokens)
    finally:
        handle.remove()


def _put(output: Tensor, new: Tensor, place) -> Tensor:
    output = output.clone()
    output[:, place] = new[:, place]
    return output


def _patched(model, head, corrupted, clean_output, place):
    return _hooked(model, head, corrupted, lambda output: _put(output, clean_output, place))


def _leaves_the_hook(model, head, corrupted, clean_output, place):
    head.register_forward_hook(lambda _module, _inputs, output: _put(output, clean_output, place))
    return model(corrupted)


def _later_place(model, head, corrupted, clean_output, place):
    shifted = clean_output.roll(1, dims=1)
    return _hooked(model, head, corrupted, lambda output: _put(output, shifted, place))


def _all_but(model, head, corrupted, clean_output, place):
    return _hooked(model, head, corrupted, lambda output: _put(clean_output, output, place))


def _first_text(model, head, corrupted, clean_output, place):
    def change(output):
        output = output.clone()
        output[place % len(output)] = clean_output[place % len(output)]
        return output

    return _hooked(model, head, corrupted, change)


def _both_heads(model, head, corrupted, clean_output, place):
    change = lambda _module, _inputs, output: _put(output, clean_output, place)  # noqa: E731
    handles = [each.register_forward_hook(change) for each in model.heads]
    try:
        return model(corrupted)
    finally:
        for handle in handles:
            handle.remove()


patched_logits = Exercise(
    name="patched_logits",
    difficulty=2,
    minutes=10,
    hints=(
        "A hook is a function `hook(module, inputs, output)`; what it returns goes on in place of the output. Register it "
        "with `handle = head.register_forward_hook(hook)`.",
        "In the hook: `output = output.clone()`, then `output[:, place] = clean_output[:, place]`, then return it.",
        "Run `model(corrupted_tokens)` between `try:` and `finally: handle.remove()`.",
    ),
    reference=_patched,
    cases=_patch_cases,
    mistakes={
        "hook stays": Mistake(
            _leaves_the_hook,
            "the hook is still there afterwards, and every later run is patched, too: `handle.remove()` in a `finally:`.",
        ),
        "nothing returned": Mistake(
            lambda model, head, corrupted, clean_output, place: model(corrupted),
            "nothing is patched: these are the logits of the corrupted run. Does your hook *return* the changed output?",
        ),
        "everywhere": Mistake(
            lambda model, head, corrupted, clean_output, place: _hooked(
                model, head, corrupted, lambda output: clean_output
            ),
            "you put in the clean output at *all* places: only `place` is to be restored, `output[:, place]`.",
        ),
        "up to the place": Mistake(
            lambda model, head, corrupted, clean_output, place: _hooked(
                model, head, corrupted, lambda output: _put(output, clean_output, slice(0, place + 1))
            ),
            "you restored all places up to `place`: only that one.",
        ),
        "from the place on": Mistake(
            lambda model, head, corrupted, clean_output, place: _hooked(
                model, head, corrupted, lambda output: _put(output, clean_output, slice(place, None))
            ),
            "you restored `place` and all later ones: only that one, `output[:, place]`.",
        ),
        "last place": Mistake(
            lambda model, head, corrupted, clean_output, place: _hooked(
                model, head, corrupted, lambda output: _put(output, clean_output, -1)
            ),
            "you restored the last place, −1: it is `place`.",
        ),
        "both heads": Mistake(
            _both_heads,
            "you hooked every head: only `head` is to be patched.",
        ),
        "half": Mistake(
            lambda model, head, corrupted, clean_output, place: _hooked(
                model, head, corrupted, lambda output: _put(output, (output + clean_output) / 2, place)
            ),
            "you mixed the clean vector with the corrupted one: it takes its place.",
        ),
        "one text for all": Mistake(
            lambda model, head, corrupted, clean_output, place: _hooked(
                model,
                head,
                corrupted,
                lambda output: _put(output, clean_output[:1].expand_as(clean_output), place),
            ),
            "every text got the first text's vector: row n of `clean_output` belongs to text n.",
        ),
        "one place of the logits": Mistake(
            lambda model, head, corrupted, clean_output, place: _patched(
                model, head, corrupted, clean_output, place
            )[:, place],
            "you returned the logits at one place: return those of all places, `model(corrupted_tokens)`.",
        ),
        "wrong place by one": Mistake(
            _later_place,
            "the clean vector comes from the place before: both sides need the same `place`.",
        ),
        "place by one": Mistake(
            lambda model, head, corrupted, clean_output, place: _patched(
                model, head, corrupted, clean_output, place - 1
            ),
            "you patched the place before `place`: places are counted from 0, as Python does.",
        ),
        "place after": Mistake(
            lambda model, head, corrupted, clean_output, place: _patched(
                model, head, corrupted, clean_output, place + 1
            ),
            "you patched the place after `place`: places are counted from 0, as Python does.",
        ),
        "all but": Mistake(
            _all_but,
            "you restored every place *but* `place`: start from this run's `output`, not from `clean_output`.",
        ),
        "a text for a place": Mistake(
            _first_text,
            "you patched one *text* at all places: the first dimension counts the texts, the second one the places.",
        ),
        "added": Mistake(
            lambda model, head, corrupted, clean_output, place: _hooked(
                model,
                head,
                corrupted,
                lambda output: _put(output, output + clean_output, place),
            ),
            "you *added* the clean vector to the corrupted one: it takes its place.",
        ),
        "other head": Mistake(
            lambda model, head, corrupted, clean_output, place: _patched(
                model,
                model.heads[1] if head is model.heads[0] else model.heads[0],
                corrupted,
                clean_output,
                place,
            ),
            "you hooked another head than `head`.",
        ),
        "silenced": Mistake(
            lambda model, head, corrupted, clean_output, place: _patched(
                model, head, corrupted, torch.zeros_like(clean_output), place
            ),
            "you put zeros at the place: that is ablation. Patching puts the *clean* run's vector there.",
        ),
    },
)


# --- the induction score ----------------------------------------------------------------------------------


def _score_cases() -> list[tuple[Tensor, int]]:
    generator, cases = torch.Generator().manual_seed(3), []
    for n, length, copies in ((3, 4, 2), (2, 6, 2), (1, 9, 2)):
        scores = torch.randn(n, copies * length + 1, copies * length + 1, generator=generator) * 2
        later = torch.ones(scores.shape[1:]).triu(1).bool()
        cases.append((scores.masked_fill(later, -torch.inf).softmax(dim=2), length))
    return cases


def _score(weights: Tensor, length: int, back: int = -1, start: int = 1) -> Tensor:
    """Mean weight `length + back` places before, from the place `length + start` on."""
    places = range(length + start, weights.shape[1])
    return torch.stack([weights[:, p, p - length - back].mean() for p in places]).mean()


induction_score = Exercise(
    name="induction_score",
    difficulty=2,
    minutes=4,
    hints=(
        "In ·ABCABC the second A stands at place 4, the first one at place 1. Where stands what followed it?",
        "`p - length` is the first copy of the letter itself. The answer stands one place *after* it.",
    ),
    reference=lambda weights, length: _score(weights, length),
    given=lambda weights, length: _score(weights, length, back=0),
    cases=_score_cases,
    mistakes={
        "one to the left": Mistake(
            lambda weights, length: _score(weights, length, back=1),
            "now you read the letter *before* the first copy: after it is `p - length + 1`.",
        ),
        "rows and columns": Mistake(
            lambda weights, length: torch.stack(
                [weights[:, p - length + 1, p].mean() for p in range(length + 1, weights.shape[1])]
            ).mean(),
            "row and column are exchanged: row p looks, column p − length + 1 is looked at. (Above the diagonal all is 0.)",
        ),
        "two to the right": Mistake(
            lambda weights, length: _score(weights, length, back=-2),
            "`p - length + 2` is two letters after the first copy: one is enough.",
        ),
        "previous": Mistake(
            lambda weights, length: torch.stack(
                [weights[:, p, p - 1].mean() for p in range(length + 1, weights.shape[1])]
            ).mean(),
            "that is the weight on the previous letter: go back to the first copy, `p - length`, then one ahead.",
        ),
        "sum": Mistake(
            lambda weights, length: _score(weights, length) * (weights.shape[1] - length - 1),
            "that is a sum over the places: divide by how many there are.",
        ),
        "divided by all": Mistake(
            lambda weights, length: (
                _score(weights, length) * (weights.shape[1] - length - 1) / weights.shape[1]
            ),
            "you divided by the number of all places: only those of the second copy are added up.",
        ),
        "first text": Mistake(
            lambda weights, length: _score(weights[:1], length),
            "that is the first text alone: take the mean over all texts.",
        ),
        "late start": Mistake(
            lambda weights, length: _score(weights, length, start=2),
            "`p` begins one place too late: the second copy begins at place `length + 1`.",
        ),
        "one place too early": Mistake(
            lambda weights, length: _score(weights, length, start=0),
            "`p` begins one place too early: place `length` is the last letter of the *first* copy.",
        ),
        "last place missing": Mistake(
            lambda weights, length: torch.stack(
                [weights[:, p, p - length + 1].mean() for p in range(length + 1, weights.shape[1] - 1)]
            ).mean(),
            "the last place is missing: it looks, too.",
        ),
        "largest": Mistake(
            lambda weights, length: torch.stack(
                [weights[:, p].max(dim=1).values.mean() for p in range(length + 1, weights.shape[1])]
            ).mean(),
            "that is the largest weight of each row, wherever it is: read the one place `p - length + 1`.",
        ),
    },
)


# --- 16b: how many features fit into two numbers ----------------------------------------------------------


def _kept_examples() -> list[tuple[np.ndarray]]:
    return [(np.array([1.15, 1.14, 1.14, 1.13, 1.12]),), (np.array([1.1, 1.2, 1.1, 1.0, 0.02]),)]


def _whole(answer: object) -> bool:
    return isinstance(answer, int) and not isinstance(answer, bool)


kept_features = Question(
    name="kept_features",
    difficulty=1,
    minutes=3,
    hints=(
        "With every feature on, an error in one of them is paid in every row. When they are rare, two of them are "
        "hardly ever on together.",
        "If only one feature is on, two numbers can say which one it is: an arrow in the plane has a direction.",
    ),
    expected=lambda lengths: int((lengths > 0.5).sum()),
    examples=_kept_examples,
    mistakes={
        "one a number": wrong_answer(
            lambda lengths: 2,
            "that is the answer when all features are on all the time: one for each number. Rare ones can share.",
        ),
        "no more than four": wrong_answer(
            lambda lengths: 4 if (lengths > 0.5).sum() != 4 else 3,
            "nearly: four is what you get when each axis holds two features of opposite direction. Even rarer "
            "features are packed more closely: look at the third panel.",
        ),
        "none": wrong_answer(
            lambda lengths: 0, "with no feature kept the error would be as large as the features themselves."
        ),
        "a list": Mistake(
            lambda answer, lengths: isinstance(answer, (list, tuple)),
            "give one whole number: how many of the five.",
            example=lambda lengths: [2, 4, 5],
        ),
        "more than there are": Mistake(
            lambda answer, lengths: _whole(answer) and answer > len(lengths),
            "there are only five features.",
            example=lambda lengths: 10,
        ),
    },
)


# --- 16b: the code of a TopK autoencoder ------------------------------------------------------------------


def _code_cases() -> list[tuple[Tensor, Tensor, Tensor, Tensor, int]]:
    generator, cases = torch.Generator().manual_seed(8), []
    for n, d, m, k in ((7, 4, 6, 2), (5, 3, 8, 3), (6, 5, 5, 4)):
        states, encoder = (torch.randn(rows, d, generator=generator) for rows in (n, m))
        bias = torch.randn(m, generator=generator) * 0.3
        center = torch.randn(d, generator=generator) + 1
        cases.append((states, encoder, bias, center, k))
    return cases


def _values(states, encoder, bias, center):
    return (states - center) @ encoder.T + bias


def _keep(values: Tensor, k: int, dim: int = 1) -> Tensor:
    best = values.topk(min(k, values.shape[dim]), dim=dim)
    return torch.zeros_like(values).scatter(dim, best.indices, best.values)


def _code(states, encoder, bias, center, k):
    return _keep(_values(states, encoder, bias, center).relu(), k)


def _by_size(states, encoder, bias, center, k):
    values = _values(states, encoder, bias, center)
    chosen = _keep(values.abs(), k) > 0
    return torch.where(chosen, values, 0.0)


def _over_all(states, encoder, bias, center, k):
    values = _values(states, encoder, bias, center).relu()
    return _keep(values.reshape(1, -1), k * len(values)).reshape(values.shape)


topk_code = Exercise(
    name="topk_code",
    difficulty=2,
    minutes=8,
    hints=(
        "Three steps: `(states - center) @ encoder.T + bias`, then `.relu()`, then the k largest of each *row*.",
        "`best = values.topk(k, dim=1)` has `best.values` and `best.indices`, both (N, k).",
        "`torch.zeros_like(values).scatter(1, best.indices, best.values)` puts them back at their places.",
    ),
    reference=_code,
    cases=_code_cases,
    mistakes={
        "wrong axis": Mistake(
            lambda states, encoder, bias, center, k: _keep(
                _values(states, encoder, bias, center).relu(), k, dim=0
            ),
            "you kept the k largest of each *column*: the k states on which a latent is largest. Sparse is a row: "
            "the k latents of each state, dim=1.",
        ),
        "over all": Mistake(
            _over_all,
            "you chose among all states together: some get more than k latents, others fewer. (BatchTopK does that; "
            "here each row has its own k.)",
        ),
        "no center": Mistake(
            lambda states, encoder, bias, center, k: _code(
                states, encoder, bias, torch.zeros_like(center), k
            ),
            "`center` is not subtracted from the states.",
        ),
        "center added": Mistake(
            lambda states, encoder, bias, center, k: _code(states, encoder, bias, -center, k),
            "you added `center`: it is added when the state is written again, and subtracted when it is read.",
        ),
        "no bias": Mistake(
            lambda states, encoder, bias, center, k: _code(
                states, encoder, torch.zeros_like(bias), center, k
            ),
            "`bias` is missing.",
        ),
        "no relu": Mistake(
            lambda states, encoder, bias, center, k: _keep(_values(states, encoder, bias, center), k),
            "negative numbers are left: where fewer than k values are positive, the others must be 0.",
        ),
        "by size": Mistake(
            _by_size,
            "you chose by absolute value: a latent is on or off, never negative. ReLU first, then the largest.",
        ),
        "no topk": Mistake(
            lambda states, encoder, bias, center, k: _values(states, encoder, bias, center).relu(),
            "all positive values are kept: only the k largest of each row may stay.",
        ),
        "only the values": Mistake(
            lambda states, encoder, bias, center, k: (
                _values(states, encoder, bias, center).relu().topk(k, dim=1).values
            ),
            "you return the k largest values alone, (N, k): which latents were they? Put them back at their places.",
        ),
        "ones": Mistake(
            lambda states, encoder, bias, center, k: (_code(states, encoder, bias, center, k) > 0).float(),
            "you return which latents are on: return how large they are.",
        ),
        "one more": Mistake(
            lambda states, encoder, bias, center, k: _code(
                states, encoder, bias, center, min(k + 1, len(bias))
            ),
            "you keep k + 1 of them. (Is it “larger than” the k-th, or “at least as large”?)",
        ),
        "one fewer": Mistake(
            lambda states, encoder, bias, center, k: _code(states, encoder, bias, center, k - 1),
            "you keep k − 1 of them. (Is it “larger than” the k-th, or “at least as large”?)",
        ),
        "smallest": Mistake(
            lambda states, encoder, bias, center, k: (
                -_keep(-_values(states, encoder, bias, center).relu() - 1e-9, k)
            ),
            "you keep the k *smallest*.",
        ),
        "transposed": Mistake(
            lambda states, encoder, bias, center, k: _code(states, encoder, bias, center, k).T,
            "rows and columns are exchanged: one row for each state, (N, m).",
        ),
    },
)


# --- 16b: the unexplained variance ------------------------------------------------------------------------


def _unexplained_cases() -> list[tuple[Tensor, Tensor]]:
    generator, cases = torch.Generator().manual_seed(21), []
    for n, d, mean in ((30, 4, 3.0), (11, 3, -1.0), (8, 6, 0.5)):
        sizes = torch.rand(n, 1, generator=generator) * 2 + 0.1
        states = torch.randn(n, d, generator=generator) * sizes + mean * torch.arange(1, d + 1)
        cases.append((states, states + 0.4 * torch.randn(n, d, generator=generator)))
    return cases


def _unexplained(states: Tensor, rebuilt: Tensor) -> Tensor:
    error = (states - rebuilt).pow(2).sum()
    return error / (states - states.mean(dim=0)).pow(2).sum()


def _ratio_a_row(states: Tensor, rebuilt: Tensor, center: Tensor | float) -> Tensor:
    error = (states - rebuilt).pow(2).sum(dim=1)
    return (error / (states - center).pow(2).sum(dim=1)).mean()


unexplained = Exercise(
    name="unexplained",
    difficulty=2,
    minutes=5,
    hints=(
        "What does it give for a “rebuilt” that is always the mean state, the poorest answer that one can give?",
        "The variance is measured from the *mean*: `states.mean(dim=0)`, one number a dimension.",
    ),
    reference=_unexplained,
    given=lambda states, rebuilt: (states - rebuilt).pow(2).sum() / states.pow(2).sum(),
    cases=_unexplained_cases,
    mistakes={
        "one mean": Mistake(
            lambda states, rebuilt: (states - rebuilt).pow(2).sum() / (states - states.mean()).pow(2).sum(),
            "`states.mean()` is one number for all dimensions: each dimension has its own mean, dim=0.",
        ),
        "mean of each row": Mistake(
            lambda states, rebuilt: (
                (states - rebuilt).pow(2).sum() / (states - states.mean(dim=1, keepdim=True)).pow(2).sum()
            ),
            "you took the mean of each *state*, dim=1: it is the mean state, dim=0.",
        ),
        "ratio of each row": Mistake(
            lambda states, rebuilt: _ratio_a_row(states, rebuilt, states.mean(dim=0)),
            "you divided row by row and took the mean of the ratios: states near the mean then count most. Sum both, "
            "then divide. (SAELens did this until 2025.)",
        ),
        "ratio of each row, from zero": Mistake(
            lambda states, rebuilt: _ratio_a_row(states, rebuilt, 0.0),
            "you divide row by row, and still measure from zero: subtract the mean state, sum both, then divide.",
        ),
        "mean of the rebuilt": Mistake(
            lambda states, rebuilt: (
                (states - rebuilt).pow(2).sum() / (states - rebuilt.mean(dim=0)).pow(2).sum()
            ),
            "the mean is that of the *states*, not of what was rebuilt.",
        ),
        "ratio of each column": Mistake(
            lambda states, rebuilt: (
                (states - rebuilt).pow(2).sum(dim=0) / (states - states.mean(dim=0)).pow(2).sum(dim=0)
            ).mean(),
            "you divided dimension by dimension and took the mean: small dimensions then count as much as large ones. "
            "Sum over all, then divide.",
        ),
        "explained": Mistake(
            lambda states, rebuilt: 1 - _unexplained(states, rebuilt),
            "that is the *explained* share: the unexplained one is 1 minus it.",
        ),
        "root": Mistake(
            lambda states, rebuilt: _unexplained(states, rebuilt).sqrt(),
            "you took the root: a share of a variance stays squared.",
        ),
        "n minus one": Mistake(
            lambda states, rebuilt: (states - rebuilt).pow(2).mean() / states.var(dim=0).mean(),
            "nearly: `var` divides by N − 1, your error by N. Use `var(dim=0, correction=0)`, or two sums.",
        ),
        "sum over mean": Mistake(
            lambda states, rebuilt: (states - rebuilt).pow(2).sum() / states.var(dim=0).sum(),
            "your error is a *sum* over the states, `var` is a *mean* over them: take two sums.",
        ),
        "one variance": Mistake(
            lambda states, rebuilt: (states - rebuilt).pow(2).mean() / states.var(),
            "`states.var()` measures from one mean for all dimensions: each dimension has its own, dim=0.",
        ),
        "in per cent": Mistake(
            lambda states, rebuilt: 100 * _unexplained(states, rebuilt),
            "that is in per cent: give a fraction, where 1 is as poor as the mean.",
        ),
        "not squared": Mistake(
            lambda states, rebuilt: (
                (states - rebuilt).abs().sum() / (states - states.mean(dim=0)).abs().sum()
            ),
            "you added up absolute values: a variance is made of squares.",
        ),
        "lengths": Mistake(
            lambda states, rebuilt: (
                (states - rebuilt).norm(dim=1).sum() / (states - states.mean(dim=0)).norm(dim=1).sum()
            ),
            "you added up lengths: a variance is made of *squared* lengths.",
        ),
        "variance of the rebuilt": Mistake(
            lambda states, rebuilt: (
                (states - rebuilt).pow(2).sum() / (rebuilt - rebuilt.mean(dim=0)).pow(2).sum()
            ),
            "you divided by the spread of what was rebuilt: it is the spread of the *states* that is to be explained.",
        ),
        "upside down": Mistake(
            lambda states, rebuilt: 1 / _unexplained(states, rebuilt),
            "the fraction is upside down.",
        ),
        "spread of the error": Mistake(
            lambda states, rebuilt: (
                ((states - rebuilt) - (states - rebuilt).mean(dim=0)).pow(2).sum()
                / (states - states.mean(dim=0)).pow(2).sum()
            ),
            "you subtracted the mean from the *error*, too: an error that is always the same is an error.",
        ),
    },
)

better_features = quiz(
    "A has 6 % of the variance unexplained, B 12 %. Both were trained on the same states. Which one has found more of "
    "the planted directions?",
    (
        "A: it rebuilds the states better, so its directions must be nearer to the true ones.",
        "B: a larger error is always the sign of a sparser code.",
        "The error does not say it: A may use many latents at once where B uses few.",
    ),
    2,
    (
        "With sixteen of 64 latents on, any state can be rebuilt exactly, whatever the directions are: some sixteen of them fit.",
        "Not always: an autoencoder that learnt nothing has a large error, too.",
        "The error rewards everything that helps to rebuild. With enough latents on, wrong directions do that as well.",
    ),
)
