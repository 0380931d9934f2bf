"""The exercises of lesson 10: one head, entropy, words from pieces, a prediction, a published rollout bug."""

from __future__ import annotations

import torch

from course_utils.teach.checks import Exercise, Mistake, Question

# --- one head ---------------------------------------------------------------------------------------------


def _one_head(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor):
    weights = (query @ key.T / query.shape[1] ** 0.5).softmax(dim=1)
    return weights, weights @ value


def _head_with(scale, dim=1):
    def head(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor):
        weights = (query @ key.T / scale(query)).softmax(dim=dim)
        return weights, weights @ value

    return head


def _keys_ask(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor):
    weights = (key @ query.T / query.shape[1] ** 0.5).softmax(dim=1)
    return weights, weights @ value


def _divided_after(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor):
    weights = (query @ key.T).softmax(dim=1) / query.shape[1] ** 0.5
    return weights, weights @ value


def _head_cases() -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        tuple(torch.randn(n_tokens, d, generator=generator) for _ in range(3))
        for n_tokens, d in ((4, 6), (7, 3), (5, 16))
    ]


one_head = Exercise(
    name="one_head",
    difficulty=1,
    minutes=8,
    hints=(
        "`query @ key.T` has one row for each token that looks, one column for each token looked at.",
        "Divide by the square root of d, the number of columns of `query`.",
        "Each *row* must sum to one: `.softmax(dim=1)`. Then mix the values: `weights @ value`.",
    ),
    reference=_one_head,
    cases=_head_cases,
    mistakes={
        "not scaled": Mistake(
            _head_with(lambda query: 1.0),
            "the scores are not divided by √d: with many dimensions the softmax becomes too sharp.",
        ),
        "divided by d": Mistake(
            _head_with(lambda query: query.shape[1]),
            "you divide by d: it is the square root of d.",
        ),
        "root of the tokens": Mistake(
            _head_with(lambda query: query.shape[0] ** 0.5),
            "you take the root of the number of tokens: d is the number of columns, the length of one query.",
        ),
        "wrong axis": Mistake(
            _head_with(lambda query: query.shape[1] ** 0.5, dim=0),
            "the softmax runs down the columns: each row (one token that looks) must sum to one.",
        ),
        "keys ask": Mistake(
            _keys_ask,
            "queries and keys are exchanged: rows must be the tokens that look, so begin with `query @ key.T`.",
        ),
        "divided after": Mistake(
            _divided_after,
            "you divide after the softmax: scale the scores, then take the softmax, or the rows do not sum to one.",
        ),
    },
)

# --- entropy ----------------------------------------------------------------------------------------------


def _entropy(attention: torch.Tensor) -> torch.Tensor:
    return -torch.xlogy(attention, attention).sum(dim=-1).mean(dim=-1)


def _attention_cases() -> list[tuple[torch.Tensor]]:
    """Attention `(heads, T, T)` with rows that sum to one, some entries exactly zero."""
    generator = torch.Generator().manual_seed(1)
    cases = []
    for heads, n_tokens in ((4, 4), (5, 7), (3, 3)):
        attention = torch.rand(heads, n_tokens, n_tokens, generator=generator) ** 2
        attention[0, 1, 2] = 0.0
        attention[-1, 0, :-1] = 0.0
        cases.append((attention / attention.sum(dim=-1, keepdim=True),))
    return cases


head_entropy = Exercise(
    name="head_entropy",
    difficulty=2,
    minutes=8,
    hints=(
        "For one row: −Σ a · log(a), with the natural logarithm. Then the mean over the rows of a head.",
        "0 · log(0) counts as 0, but the computer says NaN. `torch.xlogy(a, a)` is a · log(a) with 0 where a is 0.",
        "`-torch.xlogy(a, a).sum(dim=-1)` is the entropy of each row.",
    ),
    reference=_entropy,
    cases=_attention_cases,
    mistakes={
        "nan": Mistake(
            lambda a: -(a * a.log()).sum(dim=-1).mean(dim=-1),
            "where the attention is exactly 0 you compute 0 · log(0), which is NaN: it must count as 0.",
        ),
        "bits": Mistake(
            lambda a: _entropy(a) / torch.log(torch.tensor(2.0)),
            "your unit is bits (logarithm to the base 2): here the natural logarithm is asked for.",
        ),
        "no minus": Mistake(lambda a: -_entropy(a), "the minus is missing: an entropy is never negative."),
        "columns": Mistake(
            lambda a: -torch.xlogy(a, a).sum(dim=-2).sum(dim=-1),
            "you add up all entries of a head: average over the rows, or longer texts get larger values.",
        ),
        "one number": Mistake(
            lambda a: _entropy(a).mean(),
            "you averaged over the heads too: there must be one number for each head.",
        ),
        "each row": Mistake(
            lambda a: -torch.xlogy(a, a).sum(dim=-1),
            "you give one number for each row: average over the rows of each head.",
        ),
    },
)

# --- words from pieces ------------------------------------------------------------------------------------


def _to_words(attention: torch.Tensor, word_of_token: list[int]) -> torch.Tensor:
    owner = torch.tensor(word_of_token)
    member = (owner[None] == torch.arange(owner.max() + 1)[:, None]).to(attention)  # (W, T)
    return member / member.sum(dim=1, keepdim=True) @ attention @ member.T


def _with_members(rows: str, columns: str):
    def to_words(attention: torch.Tensor, word_of_token: list[int]) -> torch.Tensor:
        owner = torch.tensor(word_of_token)
        member = (owner[None] == torch.arange(owner.max() + 1)[:, None]).to(attention)
        mean = member / member.sum(dim=1, keepdim=True)
        first = torch.zeros_like(member)
        first[torch.arange(len(member)), member.argmax(dim=1)] = 1.0
        kinds = {"sum": member, "mean": mean, "first": first}
        return kinds[rows] @ attention @ kinds[columns].T

    return to_words


def _word_cases() -> list[tuple[torch.Tensor, list[int]]]:
    generator = torch.Generator().manual_seed(2)
    owners = ([0, 1, 1, 2], [0, 0, 0, 1, 2, 2], [-1, 0, 1, 1, 2, 3, -1])  # the last with special tokens
    return [(torch.rand(len(o), len(o), generator=generator).softmax(dim=1), o) for o in owners]


to_words = Exercise(
    name="to_words",
    difficulty=2,
    minutes=12,
    hints=(
        "How much goes *to* a word: add up its pieces' columns. How a word looks: average its pieces' rows.",
        "Build a table `member` (words, tokens) with a 1 where the token belongs to the word.",
        "`member / member.sum(dim=1, keepdim=True) @ attention @ member.T`",
    ),
    reference=_to_words,
    cases=_word_cases,
    mistakes={
        "sum both": Mistake(
            _with_members("sum", "sum"),
            "you add up the rows too: a word of three pieces would look three times as much. Average the rows.",
        ),
        "mean both": Mistake(
            _with_members("mean", "mean"),
            "you average the columns: what the pieces of a word receive has to be added up.",
        ),
        "exchanged": Mistake(
            _with_members("sum", "mean"),
            "rows and columns are exchanged: average over the pieces that look, add up over the pieces looked at.",
        ),
        "first piece": Mistake(
            _with_members("first", "first"),
            "you keep the first piece of each word only: the other pieces look, and are looked at, as well.",
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

# --- find the bug -----------------------------------------------------------------------------------------


def _rollout_step(fused: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    mixed = (fused + torch.eye(fused.shape[-1])) / 2
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
    difficulty=3,
    minutes=12,
    hints=(
        "After the division, print `mixed.sum(dim=-1)`. What should every row sum to?",
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
        "too early": Mistake(
            _normalised_before,
            "you normalise the attention before the identity is added: the published recipe adds it first.",
        ),
    },
)
