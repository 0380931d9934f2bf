"""The exercises of lesson 10 and its companions: a padded batch, a published rollout bug, two predictions;
how wide a head looks, what all heads of a layer hand over together, and words that are cut into pieces."""

from __future__ import annotations

import torch

from course_utils.teach.checks import Exercise, Mistake, Question
from course_utils.teach.quiz import quiz

# --- questions that open and close without a kernel -------------------------------------------------------

mask_joy = quiz(
    "“joy” is the friendliest word of the text. It is masked. What happens?",
    [
        "Where “made” looks changes, and the answer changes.",
        "Where “made” looks changes, and the answer stays.",
        "Neither changes: the other words are still there.",
    ],
    0,
    [
        "Both change. That they change together does not say that this look made the answer: every other head "
        "and every other layer has met the mask, too.",
        "The answer changes as well: only “joy” made the review a friendly one.",
        "In this model both change. Look at the grey and the blue bars of the figure below.",
    ],
)

mask_and_key = quiz(
    "In this head the mask looks at “key” more than in any other head. May you say that the guesses come from “key”?",
    [
        "Yes: the mask looks there.",
        "Not yet: exchange “key” for another word, and see whether the guesses change.",
        "No: a single head never matters.",
    ],
    1,
    [
        "A look says what a head could fetch. It does not say that the guesses need it.",
        "Only a change of the input shows what the guesses depend on. The next cell does it. And even then you do "
        "not know that this head brought it: every other head meets the new word, too.",
        "Some do (10b silences heads one by one). Of this one you know nothing yet.",
    ],
)

what_follows = quiz(
    "For nearly every review there is other attention with the same answer. What follows?",
    [
        "The model's own attention is wrong.",
        "The weights of this layer are not the only ones that lead to the answer.",
        "The model does not need attention.",
    ],
    1,
    [
        "That does not follow: of two explanations that fit, each may be true.",
        "Yes. So a picture of weights alone cannot prove that these words made the answer.",
        "Shuffling all layers moved many answers: it does.",
    ],
)

# --- heads of a padded batch -----------------------------------------------------------------------------


def _scores(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    return query @ key.transpose(1, 2) / query.shape[-1] ** 0.5


def _padded_head(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, is_token: torch.Tensor):
    weights = _scores(query, key).masked_fill(~is_token[:, None, :], -torch.inf).softmax(dim=-1)
    return weights, weights @ value


def _shares(weights: torch.Tensor) -> torch.Tensor:
    return weights / weights.sum(dim=-1, keepdim=True)


def _padded_with(make_weights):
    def head(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, is_token: torch.Tensor):
        weights = make_weights(_scores(query, key), is_token)
        return weights, weights @ value

    return head


def _divided_by(divisor):
    """The head with its scores divided by `divisor(T, d)`."""

    def head(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, is_token: torch.Tensor):
        scores = query @ key.transpose(1, 2) / divisor(*query.shape[1:])
        weights = scores.masked_fill(~is_token[:, None, :], -torch.inf).softmax(dim=-1)
        return weights, weights @ value

    return head


def _transposed(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, is_token: torch.Tensor):
    return _padded_head(key, query, value, is_token)


def _values_hidden(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, is_token: torch.Tensor):
    weights = _scores(query, key).softmax(dim=-1)
    return weights, weights @ (value * is_token[..., None])


def _padded_cases() -> list[tuple[torch.Tensor, ...]]:
    """Batches of varied lengths; in the last one all scores are so low that a mask of −100 is high."""
    generator = torch.Generator().manual_seed(0)
    cases = []
    for lengths, n_tokens, d in (((4, 2, 3), 4, 6), ((7, 5), 7, 3), ((3, 6, 4, 5), 6, 16), ((2, 4), 4, 16)):
        three = [torch.randn(len(lengths), n_tokens, d, generator=generator) for _ in range(3)]
        cases.append([*three, torch.arange(n_tokens)[None] < torch.tensor(lengths)[:, None]])
    # all scores lie near −121, those of the padding near +121; in sixteenths, so that float32 has them exactly
    # and no order of summation gives other weights
    query, key = (5.5 + (1.5 * part).round() / 16 for part in cases[-1][:2])
    cases[-1][:2] = query, torch.where(cases[-1][3][..., None], -1.0, 1.0) * key
    return [tuple(case) for case in cases]


padded_head = Exercise(
    name="padded_head",
    difficulty=1,
    minutes=8,
    hints=(
        "With a batch in front, `key.T` would turn all three dimensions around: `key.transpose(1, 2)`.",
        "A score of −∞ becomes a weight of exactly zero, and the other weights of the row still sum to one.",
        "Padding must not be *looked at*: it is the columns that are masked, `is_token[:, None, :]`.",
    ),
    reference=_padded_head,
    cases=_padded_cases,
    mistakes={
        "no mask": Mistake(
            _padded_with(lambda scores, is_token: scores.softmax(dim=-1)),
            "the padding is looked at as if it were text: use `is_token`.",
        ),
        "zero score": Mistake(
            _padded_with(lambda scores, is_token: (scores * is_token[:, None]).softmax(dim=-1)),
            "you set the scores of the padding to zero, and a score of zero still gets a weight: e⁰ is one.",
        ),
        "masked after": Mistake(
            _padded_with(lambda scores, is_token: scores.softmax(dim=-1) * is_token[:, None]),
            "you take the padding away after the softmax: the rows no longer sum to one.",
        ),
        "tokens masked": Mistake(
            _padded_with(lambda scores, t: scores.masked_fill(t[:, None], -torch.inf).softmax(dim=-1)),
            "you mask the tokens and leave the padding: `is_token` is True at tokens, `~is_token` at padding.",
        ),
        "masked after, divided": Mistake(
            _padded_with(
                lambda scores, t: torch.nn.functional.normalize(scores.softmax(-1) * t[:, None], p=1, dim=-1)
            ),
            "you take the padding away after the softmax and divide by what is left: where the padding had nearly "
            "all the weight, nothing is left. Mask the *scores*, before the softmax.",
        ),
        "masked after, 0/0": Mistake(
            _padded_with(lambda scores, t: _shares(scores.softmax(dim=-1) * t[:, None])),
            "you take the padding away after the softmax and divide by what is left: where the padding had nearly "
            "all the weight, that is 0/0. Mask the *scores*, before the softmax.",
        ),
        "softmax by hand": Mistake(
            _padded_with(lambda scores, t: _shares(scores.exp() * t[:, None])),
            "you compute the softmax by hand, and for scores far below 0 every `exp` is 0, which gives 0/0: set the "
            "scores of the padding to −∞ and let `softmax` do the rest (it subtracts the largest score first).",
        ),
        "rows masked": Mistake(
            _padded_with(
                lambda scores, is_token: scores.masked_fill(~is_token[:, :, None], -torch.inf).softmax(dim=-1)
            ),
            "you mask the tokens that look (rows): mask those that are looked at (columns).",
        ),
        "wrong axis": Mistake(
            _padded_with(
                lambda scores, is_token: scores.masked_fill(~is_token[:, None], -torch.inf).softmax(dim=1)
            ),
            "the softmax runs down the columns: each row (one token that looks) must sum to one.",
        ),
        "finite mask": Mistake(
            _padded_with(lambda scores, t: scores.masked_fill(~t[:, None], -100.0).softmax(dim=-1)),
            "a low score such as −100 is not −∞: where all other scores are lower still, the padding wins.",
        ),
        "mask of −10": Mistake(
            _padded_with(lambda scores, t: scores.masked_fill(~t[:, None], -10.0).softmax(dim=-1)),
            "a score of −10 still gets a small weight, and a large one where all other scores are lower: use −∞.",
        ),
        "subtracted": Mistake(
            _padded_with(lambda scores, t: (scores - 100.0 * ~t[:, None]).softmax(dim=-1)),
            "you subtract a finite number from the scores of the padding: a high score survives that. Use −∞.",
        ),
        "zero rows": Mistake(
            _padded_with(
                lambda scores, t: scores.masked_fill(~t[:, None], -torch.inf).softmax(dim=-1) * t[:, :, None]
            ),
            "you set the rows of the padding to zero: they must sum to one as well (nobody reads them).",
        ),
        "no weights on padding rows": Mistake(
            _padded_with(
                lambda scores, t: scores.masked_fill(~(t[:, None] & t[:, :, None]), -torch.inf).softmax(-1)
            ),
            "the rows of the padding are NaN: you mask them whole, and a softmax of nothing but −∞ is 0/0.",
        ),
        "values hidden": Mistake(
            _values_hidden,
            "you hide the *values* of the padding: its weights are still there, and the rest sum to less than one.",
        ),
        "not scaled": Mistake(
            _divided_by(lambda t, d: 1),
            "the scores are not divided by √d: with many dimensions the softmax becomes too sharp.",
        ),
        "divided by d": Mistake(
            _divided_by(lambda t, d: d), "you divide by d: the formula divides by its square root."
        ),
        "root of T": Mistake(
            _divided_by(lambda t, d: t**0.5),
            "you divide by √T: it is the number of *dimensions*, `query.shape[-1]`, that counts.",
        ),
        "transposed": Mistake(
            _transposed,
            "query and key have changed places: rows are the tokens that look, and they bring the query.",
        ),
    },
)

# --- how wide a head looks, in texts of different lengths --------------------------------------------------


def _row_entropy(attention: torch.Tensor) -> torch.Tensor:
    return -torch.xlogy(attention, attention).sum(dim=-1)


def _mean_of_rows(rows: torch.Tensor, is_token: torch.Tensor) -> torch.Tensor:
    """The mean of `(N, H, T)` over the rows of real tokens, `(N, H)`."""
    real = is_token[:, None].to(rows)
    return (rows * real).sum(dim=-1) / real.sum(dim=-1)


def _head_width(attention: torch.Tensor, is_token: torch.Tensor) -> torch.Tensor:
    widest = is_token.sum(dim=1).to(attention).log()[:, None]
    return _mean_of_rows(_row_entropy(attention), is_token) / widest


def _nan_width(attention: torch.Tensor, is_token: torch.Tensor) -> torch.Tensor:
    rows = -(attention * attention.log()).sum(dim=-1)
    return _mean_of_rows(rows, is_token) / is_token.sum(dim=1).to(attention).log()[:, None]


def _width_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Attention `(N, H, T, T)` of padded texts: zero weight on padding, and some other zeros."""
    generator = torch.Generator().manual_seed(1)
    cases = []
    for lengths, heads in (((4, 3, 2), 4), ((5, 7), 2), ((6, 4, 5), 3)):
        n_tokens = max(lengths)
        is_token = torch.arange(n_tokens)[None] < torch.tensor(lengths)[:, None]
        attention = torch.rand(len(lengths), heads, n_tokens, n_tokens, generator=generator) ** 2
        attention[:, 0, 1, 0] = 0.0
        attention = attention * is_token[:, None, None]
        cases.append((attention / attention.sum(dim=-1, keepdim=True), is_token))
    return cases


head_width = Exercise(
    name="head_width",
    difficulty=2,
    minutes=12,
    hints=(
        "Three steps: the entropy of each row, the mean over the rows of *real* tokens, a division.",
        "`torch.xlogy(a, a)` is a · ln(a), with 0 where a is 0. The rows of padding are no tokens: weigh the "
        "rows with `is_token[:, None]` before you add them up.",
        "An even spread over n tokens has the entropy ln n, and n differs from text to text: "
        "`is_token.sum(dim=1)`.",
    ),
    reference=_head_width,
    cases=_width_cases,
    mistakes={
        "nan": Mistake(
            _nan_width,
            "where the attention is exactly 0 you compute 0 · ln(0), which is NaN: it must count as 0.",
        ),
        "padding counted": Mistake(
            lambda a, t: _row_entropy(a).mean(dim=-1) / t.sum(dim=1).to(a).log()[:, None],
            "the rows of the padding are averaged too: only tokens of the text look.",
        ),
        "padding ignored": Mistake(
            lambda a, t: _row_entropy(a).mean(dim=-1) / torch.tensor(float(a.shape[-1])).log(),
            "you treat padding as text, in the mean and in the logarithm: use `is_token` for both.",
        ),
        "columns": Mistake(
            lambda a, t: (
                _mean_of_rows(_row_entropy(a.transpose(2, 3)), t) / t.sum(dim=1).to(a).log()[:, None]
            ),
            "that is the entropy of the columns: a token that looks is a row, so add up over the last dimension.",
        ),
        "divided by all rows": Mistake(
            lambda a, t: _head_width(a, t) * (t.sum(dim=1) / a.shape[-1]).to(a)[:, None],
            "you divide the sum over the real rows by the number of *all* rows: divide by the number of real tokens.",
        ),
        "base 2": Mistake(
            lambda a, t: _head_width(a, t) / torch.tensor(2.0).log(),
            "one logarithm has the base 2 and the other the base e: take the same for both.",
        ),
        "rows added": Mistake(
            lambda a, t: _head_width(a, t) * t.sum(dim=1).to(a)[:, None],
            "you add the rows' entropies up: the *mean* over the real tokens is asked for.",
        ),
        "padded length": Mistake(
            lambda a, t: _mean_of_rows(_row_entropy(a), t) / torch.tensor(float(a.shape[-1])).log(),
            "you divide by the logarithm of the padded length: a short text can then never reach 1.",
        ),
        "not divided": Mistake(
            lambda a, t: _mean_of_rows(_row_entropy(a), t),
            "that is the entropy in nats: divide by its largest possible value, so that texts compare.",
        ),
        "divided by n": Mistake(
            lambda a, t: _mean_of_rows(_row_entropy(a), t) / t.sum(dim=1).to(a)[:, None],
            "you divide by the number of tokens: the largest entropy is the *logarithm* of that number.",
        ),
        "divided by bits": Mistake(
            lambda a, t: _head_width(a, t) * torch.tensor(2.0).log(),
            "you divide nats by bits: entropy and largest entropy need the same logarithm.",
        ),
        "no minus": Mistake(
            lambda a, t: -_head_width(a, t), "the minus is missing: an entropy is never negative."
        ),
        "texts averaged": Mistake(
            lambda a, t: _head_width(a, t).mean(dim=0),
            "you averaged over the texts too: one number for each text and head is asked for.",
        ),
    },
)

# --- what all heads of a layer hand over together ------------------------------------------------------


def _by_head(matrix: torch.Tensor, heads: int) -> torch.Tensor:
    return matrix.unflatten(1, (heads, -1))  # (D, H, d)


def _handed_over(attention: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    parts = _by_head(matrix, len(value))
    return torch.einsum("hij,hjd,ohd->ijo", attention, value, parts).norm(dim=-1)


def _lengths_added(attention: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    each = torch.einsum("hjd,ohd->hjo", value, _by_head(matrix, len(value))).norm(dim=-1)
    return (attention * each[:, None]).sum(dim=0)


def _mean_weights(attention: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    whole = torch.einsum("hjd,ohd->jo", value, _by_head(matrix, len(value))).norm(dim=-1)
    return attention.mean(dim=0) * whole


def _no_matrix(attention: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    return torch.einsum("hij,hjd->ijhd", attention, value).flatten(2).norm(dim=-1)


def _no_weights(attention: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    return _handed_over(torch.ones_like(attention), value, matrix)


def _cut_wrongly(attention: torch.Tensor, value: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    parts = matrix.unflatten(1, (-1, len(value))).transpose(1, 2)
    return torch.einsum("hij,hjd,ohd->ijo", attention, value, parts).norm(dim=-1)


def _layer_cases() -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(2)
    cases = []
    for heads, n_tokens, d in ((2, 4, 3), (3, 5, 4), (4, 3, 6)):
        attention = (2 * torch.randn(heads, n_tokens, n_tokens, generator=generator)).softmax(dim=-1)
        value = torch.randn(heads, n_tokens, d, generator=generator)
        cases.append((attention, value, torch.randn(heads * d + 1, heads * d, generator=generator)))
    return cases


handed_over = Exercise(
    name="handed_over",
    difficulty=3,
    minutes=15,
    hints=(
        "Add the heads' vectors first and take the length last: heads can pull in opposite directions.",
        "Cut the matrix as the heads lie in its columns: `matrix.unflatten(1, (H, d))` has the shape (D, H, d).",
        'One `torch.einsum` does it: "hij,hjd,ohd->ijo". Then the norm over the last dimension.',
    ),
    reference=_handed_over,
    cases=_layer_cases,
    mistakes={
        "lengths added": Mistake(
            _lengths_added,
            "you add up the heads' lengths: add their *vectors*, then take the length, for they can cancel.",
        ),
        "mean weights": Mistake(
            _mean_weights,
            "you average the weights over the heads first: each head's weight belongs to its own value.",
        ),
        "no matrix": Mistake(
            _no_matrix,
            "the output matrix is missing: it can stretch one head's vector and shrink another's.",
        ),
        "no matrix, values added": Mistake(
            lambda a, v, m: torch.einsum("hij,hjd->ijd", a, v).norm(dim=-1),
            "the output matrix is missing: each head's values live in dimensions of their own, so only W_O makes "
            "them vectors that may be added.",
        ),
        "lengths averaged": Mistake(
            lambda a, v, m: _lengths_added(a, v, m) / len(a),
            "you average the heads' lengths: add their *vectors*, then take the length, for they can cancel.",
        ),
        "value of the one that looks": Mistake(
            lambda a, v, m: torch.einsum("hij,hid,ohd->ijo", a, v, _by_head(m, len(v))).norm(dim=-1),
            "you take the value of token i, which looks: token j hands over *its* value.",
        ),
        "no weights": Mistake(
            _no_weights,
            "the weights are missing: what token j hands over depends on who looks at it.",
        ),
        "transposed": Mistake(
            lambda attention, value, matrix: _handed_over(attention, value, matrix).T,
            "rows and columns are exchanged: row i is the token that looks, column j the one that hands over.",
        ),
        "squared": Mistake(
            lambda a, v, m: _handed_over(a, v, m) ** 2,
            "that is the squared length: take the square root of the sum of squares.",
        ),
        "cut along rows": Mistake(
            lambda a, v, m: torch.einsum(
                "hij,hjd,hdo->ijo", a, v, m[: v.shape[0] * v.shape[2]].unflatten(0, (len(v), -1))
            ).norm(dim=-1),
            "you cut the *rows* of the matrix into heads: a head's part is a block of its columns.",
        ),
        "absolute sum": Mistake(
            lambda a, v, m: torch.einsum("hij,hjd,ohd->ijo", a, v, _by_head(m, len(v))).abs().sum(dim=-1),
            "you add absolute values up: the length is the root of the sum of squares.",
        ),
        "cut wrongly": Mistake(
            _cut_wrongly,
            "the matrix is cut wrongly: the columns of head h are hd … (h+1)d − 1, beside one another.",
        ),
    },
)

# --- predict, then run ------------------------------------------------------------------------------------


def _strongest(moved: dict[str, torch.Tensor]) -> str:
    return max(moved, key=lambda name: float(torch.as_tensor(moved[name]).mean()))


strongest_change = Question(
    name="strongest_change",
    difficulty=1,
    minutes=3,
    hints=(
        "In how many layers does each change work? And what reaches the classifier besides the attention?",
        'Answer with one of the names in `moved`, as a string: `"shuffle, last layer"`, for example.',
    ),
    expected=_strongest,
    examples=lambda: [
        (
            {
                "shuffle, last layer": torch.tensor([0.1, 0.2]),
                "shuffle, all layers": torch.tensor([0.5, 0.3]),
                "even, last layer": torch.tensor([0.1, 0.1]),
                "even, all layers": torch.tensor([0.3, 0.2]),
            },
        ),
        (
            {
                "shuffle, last layer": torch.tensor([0.1, 0.1]),
                "shuffle, all layers": torch.tensor([0.3, 0.3]),
                "even, last layer": torch.tensor([0.2, 0.1]),
                "even, all layers": torch.tensor([0.3, 0.4]),
            },
        ),
    ],
    mistakes={
        "several": Mistake(
            lambda answer, moved: not isinstance(answer, str),
            'one name is asked for, as text in quotation marks: write `answer = "shuffle, last layer"`.',
            example=lambda moved: list(moved)[:2],
        ),
        "no such change": Mistake(
            lambda answer, moved: answer not in moved,
            "that is not one of the changes: take a name out of `moved`, as a string.",
            example=lambda moved: "softmax",
        ),
        "last layer": Mistake(
            lambda answer, moved: answer in moved and "last" in answer and answer != _strongest(moved),
            "the last layer alone moves less: the states that reach it already hold what five layers have mixed.",
            example=lambda moved: next(name for name in moved if "last" in name),
        ),
        "other": Mistake(
            lambda answer, moved: answer in moved and "last" not in answer and answer != _strongest(moved),
            "close: this one works in all layers too, but the other one moved the answers more in your run.",
            example=lambda moved: next(n for n in moved if "last" not in n and n != _strongest(moved)),
        ),
    },
)

# --- how many methods find the planted word? --------------------------------------------------------------


def _finders(hits: dict[str, list[float]]) -> int:
    return sum(float(torch.as_tensor(found).float().mean()) >= 0.5 for found in hits.values())


def _five(*shares: float) -> tuple[dict[str, torch.Tensor]]:
    names = ("last layer's attention", "rollout", "attention × gradient", "Integrated Gradients", "LIME")
    return ({name: torch.tensor([share]) for name, share in zip(names, shares, strict=True)},)


finders = Question(
    name="finders",
    difficulty=1,
    minutes=3,
    hints=(
        "Which of the five know that you ask about “positive”? The others give one answer for both classes.",
        "A method that does not know the class can find the word only if the model also *looks* at it a lot.",
    ),
    expected=_finders,
    examples=lambda: [_five(0.3, 0.3, 0.8, 0.9, 0.9), _five(0.6, 0.3, 0.8, 0.9, 0.9)],
    mistakes={
        "no number": Mistake(
            lambda answer, hits: not isinstance(answer, int) or isinstance(answer, bool),
            "one whole number is asked for, from 0 to 5.",
            example=lambda hits: "three",
        ),
        "out of range": Mistake(
            lambda answer, hits: not 0 <= answer <= len(hits),
            "there are five methods: the answer is a whole number from 0 to 5.",
            example=lambda hits: 50,
        ),
        "too many": Mistake(
            lambda answer, hits: answer > _finders(hits),
            "fewer do. Some methods only add up where the model looks, and never hear the question “why positive?”.",
            example=lambda hits: _finders(hits) + 1,
        ),
        "too few": Mistake(
            lambda answer, hits: answer < _finders(hits),
            "more do: to ask for the class, by gradient or by deletion, is enough to find a word that decides.",
            example=lambda hits: 0,
        ),
    },
)

# --- find the bug -----------------------------------------------------------------------------------------


def _mixed(fused: torch.Tensor) -> torch.Tensor:
    return (fused + torch.eye(fused.shape[-1])) / 2


def _rollout_step(fused: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    mixed = _mixed(fused)
    return mixed / mixed.sum(dim=-1, keepdim=True) @ below


def _published(fused: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    mixed = (fused + torch.eye(fused.shape[-1])) / 2
    mixed = mixed / mixed.sum(dim=-1)
    return torch.matmul(mixed, below)


def _rollout_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The largest of several heads, `(1, T, T)`: its rows sum to more than one."""
    generator = torch.Generator().manual_seed(3)
    cases = []
    for heads, n_tokens in ((3, 4), (6, 5), (12, 8)):
        attention = (2 * torch.randn(heads, n_tokens, n_tokens, generator=generator)).softmax(dim=-1)
        below = torch.rand(1, n_tokens, n_tokens, generator=generator)
        cases.append((attention.amax(dim=0)[None], below / below.sum(dim=-1, keepdim=True)))
    return cases


def _without_residual(fused: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    return fused / fused.sum(dim=-1, keepdim=True) @ below


def _not_normalised(fused: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    return (fused + torch.eye(fused.shape[-1])) / 2 @ below


def _columns_to_one(fused: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    mixed = (fused + torch.eye(fused.shape[-1])) / 2
    return mixed / mixed.sum(dim=-2, keepdim=True) @ below


def _wrong_order(fused: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    mixed = (fused + torch.eye(fused.shape[-1])) / 2
    return below @ (mixed / mixed.sum(dim=-1, keepdim=True))


def _normalised_before(fused: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    return (fused / fused.sum(dim=-1, keepdim=True) + torch.eye(fused.shape[-1])) / 2 @ below


rollout_step = Exercise(
    name="rollout_step",
    difficulty=2,
    minutes=8,
    hints=(
        "Take one layer: after the division, print `mixed.sum(dim=-1)`. What should every row sum to?",
        "`mixed` has the shape (1, T, T), its row sums (1, T). Broadcasting aligns them with the *columns*.",
        "`keepdim=True` keeps the sums as a column, (1, T, 1).",
    ),
    reference=_rollout_step,
    given=_published,
    cases=_rollout_cases,
    mistakes={
        "no residual": Mistake(
            _without_residual,
            "the residual connection is gone: half of each token's state comes straight from below.",
        ),
        "not normalised": Mistake(
            _not_normalised,
            "the rows are not normalised: the largest head's rows sum to more than one, and the product grows.",
        ),
        "columns": Mistake(
            _columns_to_one,
            "now the columns sum to one: it is the rows (the tokens that look) that must.",
        ),
        "order": Mistake(
            _wrong_order,
            "the order of the product is turned around: the upper layer stands on the left.",
        ),
        "whole matrix": Mistake(
            lambda fused, below: _mixed(fused) / _mixed(fused).sum() @ below,
            "you divide by the sum of the whole matrix: each row needs its own sum.",
        ),
        "by the largest": Mistake(
            lambda fused, below: _mixed(fused) / _mixed(fused).amax(dim=-1, keepdim=True) @ below,
            "you divide each row by its largest entry: shares need the row's *sum*.",
        ),
        "softmax": Mistake(
            lambda fused, below: _mixed(fused).softmax(dim=-1) @ below,
            "a softmax changes the ratios: the weights are shares already, divide them by their sum.",
        ),
        "element by element": Mistake(
            lambda fused, below: _mixed(fused) / _mixed(fused).sum(dim=-1, keepdim=True) * below,
            "you multiply entry by entry: layers are combined by the *matrix* product.",
        ),
        "repaired at the end": Mistake(
            lambda fused, below: torch.nn.functional.normalize(_published(fused, below), p=1, dim=-1),
            "the rows sum to one now, but only because you divide again at the end: the entries of `mixed` are "
            "still divided by the sums of other rows.",
        ),
        "too early": Mistake(
            _normalised_before,
            "you normalise the attention before the identity is added: the published recipe adds it first.",
        ),
    },
)

# --- values of words that are cut into pieces --------------------------------------------------------------


def _word_values(values: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
    sums = torch.zeros(int(owner.max()) + 1, dtype=values.dtype)
    return sums.index_add(0, owner[owner >= 0], values[owner >= 0])


def _by_word(combine):
    """For each word, `combine` of its tokens' values."""

    def words(values: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
        return torch.stack([combine(values[owner == word]) for word in range(int(owner.max()) + 1)])

    return words


def _overwritten(values: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
    sums = torch.zeros(int(owner.max()) + 1, dtype=values.dtype)
    sums[owner] += values
    return sums


def _word_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Values of tokens of both signs, words of one to four pieces, special tokens and punctuation (−1)."""
    generator = torch.Generator().manual_seed(4)
    owners = (
        (-1, 0, 1, 1, -1, 2, 2, 2, 3, -1, -1),
        (-1, 0, 0, 0, 0, 1, -1),
        (-1, 0, 1, 2, 2, -1, 3, 4, 4, -1, 5, -1),
    )
    return [(torch.randn(len(owner), generator=generator), torch.tensor(owner)) for owner in owners]


word_values = Exercise(
    name="word_values",
    difficulty=1,
    minutes=8,
    hints=(
        "Integrated Gradients promises a *sum*. What keeps it, if one word has three tokens?",
        "Tokens with owner −1 belong to no word: take `owner >= 0` first, of `values` and of `owner`.",
        "`torch.zeros(n).index_add(0, places, values)` adds each value at its place; a loop over the words works too.",
    ),
    reference=_word_values,
    cases=_word_cases,
    mistakes={
        "mean": Mistake(
            _by_word(lambda pieces: pieces.mean()),
            "you take the mean of a word's pieces: then the words no longer add up to the tokens' sum. Add them.",
        ),
        "largest": Mistake(
            _by_word(lambda pieces: pieces.max()),
            "you take the largest piece: what the other pieces speak for or against is lost. Add them.",
        ),
        "strongest": Mistake(
            _by_word(lambda pieces: pieces[pieces.abs().argmax()]),
            "you keep the strongest piece only: pieces can speak against one another. Add them.",
        ),
        "first piece": Mistake(
            _by_word(lambda pieces: pieces[0]),
            "you keep the first piece of each word only (an assignment overwrites, or you stop early). Add all.",
        ),
        "last piece": Mistake(
            _by_word(lambda pieces: pieces[-1]),
            "only the last piece of each word is left: `sums[owner] += values` adds just one value for each place. "
            "Use `index_add`.",
        ),
        "overwritten": Mistake(
            _overwritten,
            "`sums[owner] += values` adds just one value for each place, and an owner of −1 counts from the end: "
            "leave these tokens out, and use `index_add`.",
        ),
        "absolute": Mistake(
            _by_word(lambda pieces: pieces.abs().sum()),
            "you add absolute values up: the sign says whether a piece speaks for or against the class.",
        ),
        "specials in the last word": Mistake(
            lambda values, owner: torch.stack(
                [values[owner % (owner.max() + 1) == word].sum() for word in range(int(owner.max()) + 1)]
            ),
            "the tokens with owner −1 land in the last word: an index of −1 counts from the end. Leave them out.",
        ),
        "specials in the first word": Mistake(
            lambda values, owner: _word_values(values, owner.clamp(min=0)),
            "the tokens with owner −1 land in the first word: they belong to no word. Leave them out.",
        ),
        "specials in front": Mistake(
            lambda values, owner: _word_values(values, owner + 1),
            "you give the tokens without a word a place of their own, in front: there must be one value for each "
            "word.",
        ),
    },
)
