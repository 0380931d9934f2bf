"""The exercises of lesson 07 and its companions: the gap in a theorem, an absent feature, the kernel; a default that
surprises, a walk there and back; exact values, a published bug."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb, factorial

import numpy as np

from course_utils.teach.checks import Exercise, Mistake, Question, Verdict

# ---------------------------------------------------------------- the gap in a theorem


def _counterexample(passed: dict[str, list[bool]]) -> str:
    return next(name for name, results in passed.items() if all(results) and name != "Shapley")


def _plain(answer: object) -> object:
    """The name of a rule without quotation marks, dots and hyphens."""
    return answer.strip(" .…'\"").replace("-", " ").casefold() if isinstance(answer, str) else answer


def _said(answer: object, name: str) -> bool:
    return _plain(answer) == name


@dataclass
class _RuleName(Question):
    """A question whose answer is a name, however it is written."""

    def _judge(self, answer: object, *context: object) -> Verdict:
        return super()._judge(_plain(answer), *context)


gap = _RuleName(
    name="gap",
    difficulty=2,
    minutes=5,
    hints=(
        "Two of the properties stand in the table under other names: local accuracy is efficiency, and "
        "missingness is dummy. Which rules have both?",
        "Efficiency and dummy leave three rules. Shapley's is not asked for. For the other two: can a player's "
        "share fall although she adds more to every coalition, because of what happens to *others*?",
        "The rescaled rule divides by the losses of all players, so the losses of others count. First come pays "
        "a player exactly what she adds to one fixed coalition.",
    ),
    expected=_counterexample,
    examples=lambda: [
        (
            {
                "Shapley": [True, True, True],
                "equal shares": [True, False, False],
                "first come": [True, True, True],
                "leave one out": [False, True, True],
                "… rescaled": [True, True, False],
            },
        )
    ],
    mistakes={
        "Shapley": Mistake(
            lambda answer, passed: isinstance(answer, str) and _plain(answer).startswith("shapley"),
            "Shapley's rule has all three, but the theorem says so, too. A counterexample is *another* rule.",
            example=lambda passed: "Shapley",
        ),
        "equal shares": Mistake(
            lambda answer, passed: _said(answer, "equal shares"),
            "equal shares pay a player who adds nothing, so missingness does not hold.",
            example=lambda passed: "Equal shares",
        ),
        "leave one out": Mistake(
            lambda answer, passed: _said(answer, "leave one out"),
            "leave one out is consistent, but its shares do not add up: local accuracy does not hold.",
            example=lambda passed: "leave one out",
        ),
        "rescaled": Mistake(
            lambda answer, passed: _said(answer, "rescaled") or _said(answer, "leave one out rescaled"),
            "the rescaled rule divides by the losses of all players. When the others' losses grow, a share can "
            "fall although its player adds more: it is not consistent.",
            example=lambda passed: "… rescaled",
        ),
        "a wish": Mistake(
            lambda answer, passed: _plain(answer) in ("efficiency", "symmetry", "dummy", "additivity"),
            "that is a wish. Asked for is the name of a *rule*: one of the rows of the table.",
            example=lambda passed: "symmetry",
        ),
        "none": Mistake(
            lambda answer, passed: _said(answer, "none"),
            "there is one. Look for the rules that have efficiency and dummy, then think about consistency.",
            example=lambda passed: "none",
        ),
    },
)

# ---------------------------------------------------------------- the worth of a coalition


def _worth(
    predict: Callable, x: np.ndarray, background: np.ndarray, teams: np.ndarray, masks: np.ndarray
) -> np.ndarray:
    features = np.asarray(masks)[:, teams]
    return np.array([predict(np.where(row == 1, x, background)).mean() for row in features])


def _curved(rows: np.ndarray) -> np.ndarray:
    return rows[:, 0] * rows[:, 1] + rows[:, 2] ** 2


def _wavy(rows: np.ndarray) -> np.ndarray:
    return np.sin(rows).sum(axis=1) * (1 + rows[:, 0] ** 2)


def _worth_cases() -> list[tuple]:
    rng = np.random.default_rng(0)
    cases = []
    for predict, n_rows, teams in (
        (_curved, 5, [0, 1, 0]),
        (_wavy, 8, [2, 0, 1, 1]),
        (_curved, 3, [1, 0, 2, 1, 0, 2]),
        (_curved, 4, [2, 0, 1]),
    ):
        d, n = len(teams), max(teams) + 1
        masks = rng.integers(0, 2, (4, n))
        masks[0], masks[1] = 0, np.arange(n) == 0
        cases.append((predict, rng.normal(1, 1, d), rng.normal(0, 1, (n_rows, d)), np.array(teams), masks))
    return cases


worth = Exercise(
    name="worth",
    difficulty=2,
    minutes=10,
    hints=(
        "First translate: a feature is present when its team is. `masks[:, teams]` gives every feature its team's 0 or 1, (B, d).",
        "For one coalition, make a row for each row of the background: present features from `x`, absent ones from that background row.",
        "`np.where(row == 1, x, background)` makes all of them at once. Ask the model about them, then take the mean of the *answers*.",
    ),
    reference=_worth,
    cases=_worth_cases,
    mistakes={
        "mean row": Mistake(
            lambda predict, x, background, teams, masks: predict(
                np.where(masks[:, teams] == 1, x, background.mean(axis=0))
            ),
            "you ask about one row, filled up with the mean of the background. The mean of the answers is "
            "something else than the answer to a mean, unless the model is linear.",
        ),
        "turned around": Mistake(
            lambda predict, x, background, teams, masks: _worth(predict, x, background, teams, 1 - masks),
            "you keep the absent features and replace the present ones: 1 means present.",
        ),
        "zeros": Mistake(
            lambda predict, x, background, teams, masks: predict(np.where(masks[:, teams] == 1, x, 0.0)),
            "you set absent features to zero. A zero is a value like any other: average over the background.",
        ),
        "from the average": Mistake(
            lambda predict, x, background, teams, masks: (
                _worth(predict, x, background, teams, masks) - predict(background).mean()
            ),
            "you subtracted the average of the background. v(S) is not measured from it: v(∅) *is* the average, not 0.",
        ),
        "teams ignored": Mistake(
            lambda predict, x, background, teams, masks: np.array(
                [predict(np.where(row == 1, x, background)).mean() for row in masks]
            ),
            "you use the masks as if every player were one feature. A mask has one entry for each *team*: "
            "`masks[:, teams]` has one for each feature.",
        ),
        "one background row": Mistake(
            lambda predict, x, background, teams, masks: predict(
                np.where(masks[:, teams] == 1, x, background[0])
            ),
            "you fill up with the first row of the background only. Average the answers over all of them.",
        ),
        "sum": Mistake(
            lambda predict, x, background, teams, masks: (
                _worth(predict, x, background, teams, masks) * len(background)
            ),
            "you add the answers up. The worth is their mean.",
        ),
        "first of the team": Mistake(
            lambda predict, x, background, teams, masks: _worth(
                predict,
                x,
                background,
                np.where(np.isin(np.arange(len(teams)), np.unique(teams, return_index=True)[1]), teams, -1),
                np.column_stack([masks, np.zeros(len(masks), int)]),
            ),
            "only one feature of each team comes along. If a team is in the coalition, *all* its features are known.",
        ),
    },
)

# ---------------------------------------------------------------- exact values


def _sizes(n: int) -> np.ndarray:
    return np.bitwise_count(np.arange(2**n)).astype(int)


def _exact(worths: np.ndarray, n: int, weight: Callable[[int], float] | None = None) -> np.ndarray:
    weight = weight or (lambda s: factorial(s) * factorial(n - s - 1) / factorial(n))
    codes, sizes, phi = np.arange(2**n), _sizes(n), np.zeros(n)
    for i in range(n):
        for c in codes[(codes >> i & 1) == 0]:
            phi[i] += weight(int(sizes[c])) * (worths[c | 1 << i] - worths[c])
    return phi


def _size_with_the_player(worths: np.ndarray, n: int) -> np.ndarray:
    return _exact(worths, n, lambda s: factorial(s + 1) * factorial(max(n - s - 2, 0)) / factorial(n))


def _last_only(worths: np.ndarray, n: int) -> np.ndarray:
    return np.array([worths[-1] - worths[2**n - 1 - (1 << i)] for i in range(n)])


def _dividends(worths: np.ndarray) -> np.ndarray:
    dividends = np.array(worths, float)
    for c in range(len(worths)):
        dividends[c] -= sum(dividends[r] for r in range(c) if r & c == r)
    return dividends


def _from_dividends(dividends: np.ndarray, n: int) -> np.ndarray:
    sizes = _sizes(n)
    return np.array([sum(dividends[c] / sizes[c] for c in range(2**n) if c >> i & 1) for i in range(n)])


def _all_smaller_numbers(worths: np.ndarray, n: int) -> np.ndarray:
    return _from_dividends(np.diff(worths, prepend=0.0), n)


def _empty_forgotten(worths: np.ndarray, n: int) -> np.ndarray:
    return _from_dividends(_dividends(np.append(0.0, worths[1:])), n)


def _game_cases() -> list[tuple[np.ndarray, int]]:
    rng = np.random.default_rng(1)
    return [(rng.normal(3, 5, 2**n), n) for n in (3, 4, 6)]


exact = Exercise(
    name="exact",
    difficulty=2,
    minutes=15,
    hints=(
        "The players of coalition `c` are the 1-bits of the number `c`: player `i` is in it if `c >> i & 1` is 1.",
        "Go through the coalitions in the order of their numbers: a smaller group has a smaller number. `r` is a part of `c` if `r & c == r`.",
        "The dividend of `c` is its worth minus the dividends of all its smaller groups, the empty one (number 0) among them.",
        "Each player of `c` gets `dividends[c] / c.bit_count()`. Add that up over all `c` that contain the player.",
    ),
    reference=_exact,
    cases=_game_cases,
    mistakes={
        "equal weights": Mistake(
            lambda worths, n: _exact(worths, n, lambda s: 1 / 2 ** (n - 1)),
            "every coalition counts the same. That is the Banzhaf value: fair in its way, but it does not add up. "
            "Orders of arrival reach small and large coalitions more often than middle ones.",
        ),
        "bits from the left": Mistake(
            lambda worths, n: _exact(worths, n)[::-1],
            "the players are in the wrong order: player 0 is the *last* bit of the number, so `c >> i & 1` is 1 if "
            "player i is in coalition c.",
        ),
        "last one": Mistake(
            _last_only,
            "these are the losses when a player leaves the full team. That happens if nobody else is asked, or if each "
            "player gets whole dividends: the players of a coalition share its dividend equally.",
        ),
        "size counts the player": Mistake(
            _size_with_the_player,
            "the size s in the weight is that of the coalition *without* the player i.",
        ),
        "not divided": Mistake(
            lambda worths, n: _exact(worths, n) * factorial(n),
            "you add up over all n! orders and do not divide by their number.",
        ),
        "empty forgotten": Mistake(
            _empty_forgotten,
            "you leave the empty coalition out. Here it earns something, too: its dividend is its worth, and it "
            "belongs to the smaller groups of every coalition.",
        ),
        "divided by all": Mistake(
            lambda worths, n: _from_dividends(_dividends(worths) * _sizes(n) / n, n),
            "you divide each dividend by n. Only the players of the coalition share it: divide by their number.",
        ),
        "all smaller numbers": Mistake(
            _all_smaller_numbers,
            "you subtract the dividends of all coalitions with a smaller number. Only those *inside* `c` count: `r & c == r`.",
        ),
        "worths subtracted": Mistake(
            lambda worths, n: _from_dividends(
                np.array([w - sum(worths[r] for r in range(c) if r & c == r) for c, w in enumerate(worths)]),
                n,
            ),
            "you subtract the *worths* of the smaller groups. Subtract their *dividends*: a worth already "
            "holds the dividends of all smaller groups, so these are counted several times.",
        ),
        "worths shared": Mistake(
            lambda worths, n: _from_dividends(np.asarray(worths), n),
            "you share the worths. Share the *dividends*: what a coalition earns on top of its smaller groups.",
        ),
    },
)

# ---------------------------------------------------------------- the kernel


def _kernel(n: int, sizes: np.ndarray, *, choose: bool = True, ends: bool = True) -> np.ndarray:
    binomial = np.array([comb(n, int(s)) for s in sizes], float)
    return (n - 1) / ((binomial if choose else 1.0) * (sizes * (n - sizes) if ends else 1.0))


kernel = Exercise(
    name="kernel",
    difficulty=1,
    minutes=5,
    hints=(
        "The formula is π(s) = (n − 1) / (C(n, s) · s · (n − s)).",
        "`math.comb(n, s)` is C(n, s). It takes plain whole numbers, so go through `sizes` one by one.",
    ),
    reference=_kernel,
    cases=lambda: [
        (4, np.array([1, 2, 3])),
        (9, np.array([1, 4, 5, 8, 2])),
        (12, np.arange(1, 12)),
    ],
    mistakes={
        "no binomial": Mistake(
            lambda n, sizes: _kernel(n, sizes, choose=False),
            "the C(n, s) is missing: you gave the weight of all coalitions of a size together, not of one of them.",
        ),
        "only the binomial": Mistake(
            lambda n, sizes: _kernel(n, sizes, ends=False),
            "the factor s (n − s) below is missing.",
        ),
        "weights of the formula": Mistake(
            lambda n, sizes: np.array(
                [factorial(s) * factorial(n - s - 1) / factorial(n) for s in map(int, sizes)]
            ),
            "these are the weights of the Shapley formula, s! (n − s − 1)! / n!. Asked for is the kernel of the regression.",
        ),
        "precedence": Mistake(
            lambda n, sizes: np.array([(n - 1) / comb(n, int(s)) * s * (n - s) for s in sizes]),
            "Python reads `a / b * c` as `(a / b) * c`: you multiply by s (n − s) instead of dividing. Put the "
            "whole denominator in brackets.",
        ),
        "n for n − 1": Mistake(
            lambda n, sizes: _kernel(n, sizes) * n / (n - 1),
            "the numerator is n − 1, not n.",
        ),
        "normalised": Mistake(
            lambda n, sizes: _kernel(n, sizes) / _kernel(n, sizes).sum(),
            "you divided the weights by their sum. The formula does not: leave them as they are.",
        ),
        "others only": Mistake(
            lambda n, sizes: np.array([(n - 1) / (comb(n - 1, int(s)) * s * (n - s)) for s in sizes]),
            "the binomial counts coalitions of all n players: C(n, s), not C(n − 1, s).",
        ),
        "constant": Mistake(
            lambda n, sizes: _kernel(n, sizes) / (n - 1),
            "the factor n − 1 is missing. (A constant does not change a regression, but it is in the formula.)",
        ),
    },
)

# ---------------------------------------------------------------- there and back


def _walk(value: Callable, order: np.ndarray) -> np.ndarray:
    n = len(order)
    arrival = np.argsort(order)
    worths = value((arrival[None, :] < np.arange(n + 1)[:, None]).astype(np.int64))
    phi = np.zeros(n)
    phi[order] = np.diff(worths)
    return phi


def _there_and_back(value: Callable, order: np.ndarray) -> np.ndarray:
    return (_walk(value, order) + _walk(value, order[::-1])) / 2


def _times(order: np.ndarray) -> np.ndarray:
    """When each player arrives."""
    return np.argsort(order)


def _back_not_turned(value: Callable, order: np.ndarray) -> np.ndarray:
    there = (_times(order)[None, :] < np.arange(len(order) + 1)[:, None]).astype(np.int64)
    phi = _walk(value, order) / 2
    phi[order[::-1]] += np.diff(value(1 - there)) / 2
    return phi


def _product(masks: np.ndarray) -> np.ndarray:
    masks = np.asarray(masks)
    return 2.0 * masks[:, 0] * masks[:, 2] + masks @ np.arange(1.0, masks.shape[1] + 1) + 0.5


def _root(masks: np.ndarray) -> np.ndarray:
    masks = np.asarray(masks)
    return np.sqrt(masks @ np.arange(1.0, masks.shape[1] + 1)) - masks[:, 1]


there_and_back = Exercise(
    name="there_and_back",
    difficulty=2,
    minutes=15,
    hints=(
        "On the way back the coalitions are the *complements* of those on the way there: 1 − masks, in which order?",
        "Put both ways into one batch of coalitions, ask once, and cut the answers in two halves of n + 1.",
        "There, the k-th difference belongs to player `order[k]`. Back, the players arrive in the order `order[::-1]`.",
    ),
    reference=_there_and_back,
    cases=lambda: [
        (_product, np.array([2, 0, 3, 1])),
        (_root, np.array([1, 3, 0, 4, 2])),
        (_product, np.array([1, 2, 0])),
    ],
    mistakes={
        "one way": Mistake(
            _walk,
            "you only walk there. Walk back too, with the last player first, and take the mean.",
        ),
        "by position": Mistake(
            lambda value, order: (_walk(value, order)[order] + _walk(value, order[::-1])[order[::-1]]) / 2,
            "your result is sorted by arrival. Entry i must belong to player i, or the mean of the two ways mixes players.",
        ),
        "by arrival": Mistake(
            lambda value, order: _there_and_back(value, order)[order],
            "the means are right, but sorted by arrival. Entry i must belong to player i: `phi[order] = …`.",
        ),
        "back only": Mistake(
            lambda value, order: _walk(value, order[::-1]),
            "this is the way back alone. Take the mean of both ways.",
        ),
        "from zero": Mistake(
            lambda value, order: (
                _there_and_back(value, order)
                + value(np.zeros((1, len(order)), dtype=np.int64))[0]
                * np.isin(np.arange(len(order)), [order[0], order[-1]])
                / 2
            ),
            "you start at 0. The empty coalition may earn something, too: ask for its worth, and begin there.",
        ),
        "sum": Mistake(
            lambda value, order: 2 * _there_and_back(value, order),
            "you add the two ways up: the values then share twice what there is. Take the mean.",
        ),
        "inverse": Mistake(
            lambda value, order: _there_and_back(value, np.argsort(order)),
            "you read `order[i]` as the time when player i arrives. It says who arrives as the i-th.",
        ),
        "back not turned": Mistake(
            _back_not_turned,
            "on the way back you take 1 − masks in the order of the way there: that is the team emptying. Turn the "
            "rows around as well, so that it fills from nobody to all.",
        ),
        "back credited forwards": Mistake(
            lambda value, order: (
                (_walk(value, order) + _walk(value, order[::-1])[order[::-1]][_times(order)]) / 2
            ),
            "on the way back you give the k-th difference to `order[k]`. There the k-th to arrive is `order[::-1][k]`.",
        ),
        "back in place": Mistake(
            lambda value, order: (_walk(value, order) + _walk(value, order[::-1])[::-1]) / 2,
            "the way back is turned around: entry i must belong to player i on both ways before you take the mean.",
        ),
    },
)

# ---------------------------------------------------------------- predict, then run


def _kept(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, float)
    return values[np.abs(values) > 1e-9]


def _is(answer: object, number: float) -> bool:
    return isinstance(answer, (int, float, np.number)) and abs(float(answer) - number) < 0.02


crowd = Question(
    name="crowd",
    difficulty=1,
    minutes=4,
    hints=(
        "By default the explainer first chooses ten features (a lasso path), and fits only those.",
        "The shares still add up to all that the players earn together. How many share it?",
    ),
    expected=lambda values: float(_kept(values).mean()),
    examples=lambda: [
        (np.append(np.zeros(15), np.full(10, 2.5)),),
        (np.append(np.zeros(15), np.linspace(2.4, 2.6, 10)),),
        (np.append(np.zeros(22), np.full(8, 3.75)),),
    ],
    tolerance=0.01,
    mistakes={
        "one": Mistake(
            lambda answer, values: _is(answer, 1),
            "that is what the theory says, and what the library gives with `l1_reg=0`. Its default does something else.",
            example=lambda values: 1,
        ),
        "all": Mistake(
            lambda answer, values: _is(answer, np.sum(values)),
            "that is what all of them get together. Divide it by the number of players that get anything.",
            example=lambda values: np.sum(values),
        ),
        "upside down": Mistake(
            lambda answer, values: _is(answer, 1 / _kept(values).mean()),
            "you divided the wrong way round: few players share the earnings of all, so each gets more than 1.",
            example=lambda values: 1 / _kept(values).mean(),
        ),
        "nothing": Mistake(
            lambda answer, values: _is(answer, 0),
            "that is what those get that are left out. Asked for is what each of the others gets.",
            example=lambda values: 0,
        ),
        "left out": Mistake(
            lambda answer, values: _is(answer, len(values) - len(_kept(values))),
            "that is how many players get nothing. Asked for is what each of the others gets.",
            example=lambda values: len(values) - len(_kept(values)),
        ),
        "kept": Mistake(
            lambda answer, values: _is(answer, len(_kept(values))),
            "that is how many players get anything. Asked for is what each of them gets.",
            example=lambda values: len(_kept(values)),
        ),
    },
)

# ---------------------------------------------------------------- find the bug


def _interaction(worths: np.ndarray, n: int, i: int, j: int, weight: Callable | None = None) -> float:
    weight = weight or (lambda s: factorial(s) * factorial(n - s - 2) / (2 * factorial(n - 1)))
    total = 0.0
    for c in range(2**n):
        if not (c >> i & 1 or c >> j & 1):
            delta = worths[c | 1 << i | 1 << j] - worths[c | 1 << i] - worths[c | 1 << j] + worths[c]
            total += weight(c.bit_count()) * delta
    return float(total)


def _taylor(worths: np.ndarray, n: int, i: int, j: int) -> float:
    return _interaction(worths, n, i, j, lambda s: factorial(s) * factorial(n - s - 1) / factorial(n))


interaction = Exercise(
    name="interaction",
    difficulty=3,
    minutes=12,
    hints=(
        "The given weight is s! (n − s − 1)! / n! in another form: the one for a *single* player. (If you write that, the check "
        "says that nothing has changed.) The sum goes over coalitions of the *other* n − 2 players. Add up the weights of all of them: what should the sum be?",
        "Φ_ij is half of an average, so the weights must add up to one half for every n. For n = 3 the given ones add up to 1/3 + 1/6.",
        "That is one half as well, so look at *which* sizes get how much. For n = 3, the coalitions ∅ and {k} must count the same.",
        "The weight is s! (n − s − 2)! / (2 (n − 1)!).",
    ),
    reference=_interaction,
    given=_taylor,
    cases=lambda: [
        (np.random.default_rng(n).normal(0, 4, 2**n), n, i, j)
        for n, i, j in ((3, 0, 2), (4, 1, 3), (5, 2, 0))
    ],
    mistakes={
        "not halved": Mistake(
            lambda worths, n, i, j: 2 * _interaction(worths, n, i, j),
            "this is the whole interaction index. Each of the two players gets one half of it.",
        ),
        "one too many": Mistake(
            lambda worths, n, i, j: _interaction(
                worths, n, i, j, lambda s: factorial(s) * factorial(n - s - 1) / (2 * factorial(n - 1))
            ),
            "you kept (n − s − 1)!. With i and j set aside, n − s − 2 players are left behind them.",
        ),
        "only halved": Mistake(
            lambda worths, n, i, j: _interaction(
                worths, n, i, j, lambda s: factorial(s) * factorial(n - s - 1) / (2 * factorial(n))
            ),
            "you only halved the given weight, which is the one for a single player. There are n − 2 others "
            "now, and every size of coalition must count the same.",
        ),
        "only the binomial": Mistake(
            lambda worths, n, i, j: _interaction(worths, n, i, j, lambda s: 1 / (n * comb(n - 2, s))),
            "the binomial is right now: n − 2 others. The factor before it is still n. There are n − 1 sizes, and "
            "each of the two players gets one half.",
        ),
        "only the factor": Mistake(
            lambda worths, n, i, j: _interaction(
                worths, n, i, j, lambda s: 1 / (2 * (n - 1) * comb(n - 1, s))
            ),
            "the factor is right now: 2 (n − 1). The binomial is still that of n − 1 others; i and j leave n − 2.",
        ),
        "n for n − 1": Mistake(
            lambda worths, n, i, j: _interaction(worths, n, i, j, lambda s: 1 / (2 * n * comb(n - 2, s))),
            "the sizes run from 0 to n − 2: that is n − 1 sizes, not n.",
        ),
        "whole Banzhaf": Mistake(
            lambda worths, n, i, j: _interaction(worths, n, i, j, lambda s: 1 / 2 ** (n - 2)),
            "all coalitions count the same (that is the Banzhaf interaction). Every *size* must count the same, "
            "and each of the two players gets one half.",
        ),
        "only the first": Mistake(
            lambda worths, n, i, j: _interaction(worths, n, i, j, lambda s: 0.5 * (s == 0)),
            "you only look at the pair alone, with nobody else present.",
        ),
        "equal weights": Mistake(
            lambda worths, n, i, j: _interaction(worths, n, i, j, lambda s: 0.5 / 2 ** (n - 2)),
            "all coalitions count the same. Every *size* must count the same, and its coalitions share that.",
        ),
    },
)
