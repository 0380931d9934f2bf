"""The exercises of lesson 13: odds, a question that costs something, importance, errors of a prediction."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from course_utils.teach.checks import Exercise, Mistake, Question
from course_utils.teach.quiz import quiz

# --- odds -------------------------------------------------------------------------------------------------


def _odds_cases() -> list[tuple[float, float]]:
    return [(0.906, 0.6), (0.5, 1.6), (0.02, 4.0), (0.8, 0.25), (0.3, 1.7)]


def _odds(probability: float) -> float:
    return probability / (1 - probability)


def _odds_ratio_of(probability: float, times: float) -> float:
    return _odds(times * probability) / _odds(probability)


def _times_as_likely(probability: float, odds_ratio: float) -> float:
    odds = _odds(probability) * odds_ratio
    return odds / (1 + odds) / probability


odds_ratio_of = Exercise(
    name="odds_ratio_of",
    difficulty=2,
    minutes=5,
    hints=(
        "An odds ratio divides two *odds*. Which two numbers does the code divide?",
        "`second` is the probability in group B, and `second / (1 - second)` its odds. `probability` is that of group A.",
        "Turn `probability` into odds as well, p / (1 − p), and put them in parentheses: you divide by the whole of it.",
    ),
    reference=_odds_ratio_of,
    given=lambda probability, times: _odds(times * probability) / probability,
    cases=_odds_cases,
    mistakes={
        "newspapers": Mistake(
            lambda p, times: times * p / p,
            "you divided the two *probabilities*, which gives `times` again: the error of the newspapers. Turn both into odds first.",
        ),
        "no parentheses": Mistake(
            lambda p, times: _odds(times * p) / p / (1 - p),
            "a / b / c divides by both: put the odds of A in parentheses, (p / (1 − p)).",
        ),
        "complement of times": Mistake(
            lambda p, times: times * p / (1 - times) / _odds(p),
            "what is left in group B is 1 minus its *probability*, `times * probability`, not 1 − `times`.",
        ),
        "half right, the other half": Mistake(
            lambda p, times: times * p / _odds(p),
            "now A has odds and B only a probability: both need odds.",
        ),
        "only what is left": Mistake(
            lambda p, times: (1 - times * p) / (1 - p),
            "you divided the probabilities of *no* referral: odds are p / (1 − p), so p is needed as well.",
        ),
        "odds of times": Mistake(
            lambda p, times: times / (1 - times),
            "you turned `times` into odds: it is no probability. `times * probability` is one, that of group B.",
        ),
        "no referral, upside down": Mistake(
            lambda p, times: (1 - p) / (1 - times * p),
            "you divided what is *left* in A by what is left in B: that is half of it, since odds are p / (1 − p). Multiply by the ratio of the two p.",
        ),
        "one minus the ratio": Mistake(
            lambda p, times: 1 - _odds_ratio_of(p, times),
            "that is by which share the odds are lower: return the odds ratio itself, without 1 −.",
        ),
        "rounded": Mistake(
            lambda p, times: round(_odds_ratio_of(p, times), 2),
            "the formula is right, but you rounded the result: return all digits, and round only when you print.",
        ),
        "from odds ratio to times": Mistake(
            _times_as_likely,
            "you went the other way: your function takes `times` for an odds ratio and says how many times as likely that is.",
        ),
        "times the odds": Mistake(
            lambda p, times: times * _odds(p),
            "you multiplied the *odds* of A by `times`: it belongs to the probability. Take the odds afterwards.",
        ),
        "odds of B": Mistake(
            lambda p, times: _odds(times * p),
            "these are the odds of group B: divide them by those of group A.",
        ),
        "upside down": Mistake(
            lambda p, times: 1 / _odds_ratio_of(p, times),
            "you divided the odds of A by those of B (or took (1 − p) / p for the odds): B is compared with A.",
        ),
        "probability of B": Mistake(
            lambda p, times: times * p,
            "that is the probability in group B itself: turn both probabilities into odds, and divide.",
        ),
        "logarithm": Mistake(
            lambda p, times: np.log(_odds_ratio_of(p, times)),
            "that is the logarithm of the odds ratio, the coefficient. Return the ratio itself.",
        ),
        "denominators exchanged": Mistake(
            lambda p, times: times * p / (1 - p) / (p / (1 - times * p)),
            "each probability has to be divided by its *own* 1 − p: you exchanged the two.",
        ),
        "one plus": Mistake(
            lambda p, times: times * p / (1 + times * p) / (p / (1 + p)),
            "odds are p / (1 − p), with a minus: p / (1 + p) goes from odds back to a probability.",
        ),
        "per cent less": Mistake(
            lambda p, times: 1 - times,
            "1 − `times` only says by which share the probability is lower. Turn both probabilities into odds first.",
        ),
        "difference": Mistake(
            lambda p, times: _odds(times * p) - _odds(p),
            "you subtracted the odds: a ratio is asked for.",
        ),
    },
)


# --- a question that costs something ----------------------------------------------------------------------


def entropy(labels: np.ndarray) -> float:
    """Entropy of the classes in bits. Public: a solution in the lesson calls it."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log2(shares)).sum())


def _left_over(labels: np.ndarray, answers: np.ndarray) -> float:
    """The entropy of the classes that is left once the answer is known."""
    return sum((answers == a).mean() * entropy(labels[answers == a]) for a in np.unique(answers))


def _gain(labels: np.ndarray, answers: np.ndarray) -> float:
    return entropy(labels) - _left_over(labels, answers)


def _over(value: float, below: float) -> float:
    return value / below if below > 0 else 0.0


def _branches(labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return np.array([entropy(labels[answers == a]) for a in np.unique(answers)])


def _gain_ratio(labels: np.ndarray, answers: np.ndarray) -> float:
    return _over(_gain(labels, answers), entropy(answers))


def _gain_ratio_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    """Labels and answers: two to five answers with gaps in their numbers, everybody alike, everybody another."""
    rng = np.random.default_rng(1)
    cases = []
    for n, n_classes, answers in ((12, 2, (0, 1)), (25, 3, (2, 5, 6)), (60, 4, (0, 1, 3, 7, 8))):
        labels = rng.integers(n_classes, size=n)
        cases.append((labels, rng.choice(answers, size=n)))
        cases.append((labels, np.where(rng.random(n) < 0.7, labels, answers[-1])))
        cases.append((labels, rng.permutation(n)))  # a number of one's own for everybody
    return [*cases, (labels, np.full(n, answers[0]))]  # everybody answers alike


def _unguarded_ratio(labels: np.ndarray, answers: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        return float(np.float64(_gain(labels, answers)) / np.float64(entropy(answers)))


gain_ratio = Exercise(
    name="gain_ratio",
    difficulty=2,
    minutes=12,
    hints=(
        "The gain first. There may be more than two answers, so sum over all of them: the share of the examples that "
        "gave the answer, times the entropy of their classes.",
        "What the answer itself tells, in bits, is the entropy of `answers`, as if they were class labels.",
        "If everybody answers alike, that entropy is zero: return 0 before you divide.",
    ),
    reference=_gain_ratio,
    cases=_gain_ratio_cases,
    mistakes={
        "gain": Mistake(
            _gain,
            "that is the gain alone: the question that gives everybody a number of their own would win. Divide by the entropy of the answers.",
        ),
        "entropy of the classes": Mistake(
            lambda labels, answers: _over(_gain(labels, answers), entropy(labels)),
            "you divided by the entropy of the *classes*, which is the same for every question: divide by the entropy of the *answers*.",
        ),
        "number of answers": Mistake(
            lambda labels, answers: _over(_gain(labels, answers), len(np.unique(answers))),
            "you divided by the number of answers: divide by their entropy, which also sees how often each occurs.",
        ),
        "log of the number": Mistake(
            lambda labels, answers: _over(_gain(labels, answers), np.log2(len(np.unique(answers)))),
            "you divided by log2 of the number of answers. That is their entropy only if all are equally frequent: use `entropy(answers)`.",
        ),
        "alike": Mistake(
            _unguarded_ratio,
            "a question that everybody answers alike has entropy 0, and 0/0 gives NaN: the ratio counts as 0 there.",
        ),
        "not weighted": Mistake(
            lambda labels, answers: _over(
                entropy(labels) - _branches(labels, answers).sum(), entropy(answers)
            ),
            "you added the entropies behind the answers as they are: each counts by the share of the examples that gave the answer.",
        ),
        "mean of the branches": Mistake(
            lambda labels, answers: _over(
                entropy(labels) - _branches(labels, answers).mean(), entropy(answers)
            ),
            "you took the plain mean of the entropies behind the answers: an answer that many gave counts more. Weight each by its share.",
        ),
        "yes or no": Mistake(
            lambda labels, answers: _gain_ratio(labels, answers == answers.min()),
            "you only looked at one answer against all others: there may be more than two, and each has a group of its own.",
        ),
        "two answers": Mistake(
            lambda labels, answers: _over(
                entropy(labels)
                - sum((answers == a).mean() * entropy(labels[answers == a]) for a in np.unique(answers)[:2]),
                entropy(answers),
            ),
            "you only summed over two of the answers: there may be more, and what is behind them is uncertain too.",
        ),
        "subtracted": Mistake(
            lambda labels, answers: _gain(labels, answers) - entropy(answers),
            "you subtracted the entropy of the answers: a ratio is asked for, so divide by it.",
        ),
        "upside down": Mistake(
            lambda labels, answers: _over(entropy(answers), _gain(labels, answers)),
            "the ratio is upside down: the gain is divided by the entropy of the answers.",
        ),
        "numbers for shares": Mistake(
            lambda labels, answers: _over(
                entropy(labels) - len(labels) * _left_over(labels, answers), entropy(answers)
            ),
            "each group counts by its *share* of the examples, not by how many there are: `.mean()`, not `.sum()`.",
        ),
        "parentheses": Mistake(
            lambda labels, answers: (
                entropy(labels) - _over(_left_over(labels, answers), entropy(answers))
                if entropy(answers) > 0
                else 0.0
            ),
            "only what is left was divided: put the whole gain in parentheses, (before − left) / entropy of the answers.",
        ),
        "one for the entropy": Mistake(
            lambda labels, answers: _over(1 - _left_over(labels, answers), entropy(answers)),
            "you began with 1 bit: the uncertainty before the question is `entropy(labels)`, which is 1 only for two classes of the same size.",
        ),
        "one where alike": Mistake(
            lambda labels, answers: _gain_ratio(labels, answers) if entropy(answers) > 0 else 1.0,
            "a question that everybody answers alike tells nothing: its ratio counts as 0.",
        ),
        "numbers without gaps": Mistake(
            lambda labels, answers: _over(
                entropy(labels)
                - sum(
                    (answers == a).mean() * entropy(labels[answers == a])
                    for a in range(len(np.unique(answers)))
                ),
                entropy(answers),
            ),
            "you counted the answers from 0: their numbers may have gaps. Go through `np.unique(answers)`.",
        ),
        "nothing left": Mistake(
            lambda labels, answers: _over(entropy(labels), entropy(answers)),
            "you divided the entropy before the question: subtract first what is left once the answer is known.",
        ),
        "left over": Mistake(
            lambda labels, answers: _over(_left_over(labels, answers), entropy(answers)),
            "you divided what is *left* of the uncertainty: the gain is what the question takes away, the entropy before minus that.",
        ),
    },
)


# --- partial dependence and importance --------------------------------------------------------------------


def _dependence_cases() -> list[tuple[Callable, np.ndarray, int, np.ndarray]]:
    """A model that is not a sum, a table with columns that move together, a column, a grid."""
    rng = np.random.default_rng(7)
    cases = []
    for n, d, column, m in ((6, 2, 0, 3), (15, 3, 2, 5), (30, 4, 1, 4)):
        table = rng.normal(size=(n, d)) + rng.normal(size=(n, 1)) + 1
        cases.append((partial(_wavy, weights=rng.normal(size=d)), table, column, rng.normal(size=m)))
    return cases


def _wavy(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.exp(rows @ weights / 3) + rows[:, 0] * rows[:, -1] ** 2


def _curves(predict: Callable, table: np.ndarray, column: int, grid: np.ndarray, change=None) -> np.ndarray:
    """The answers, (m, n), with the column set to each value (or changed otherwise)."""
    change = change or (lambda old, value: np.full_like(old, value))
    rows = np.repeat(table[None], len(grid), axis=0)
    for changed, value in zip(rows, grid, strict=True):
        changed[:, column] = change(changed[:, column], value)
    return np.array([predict(changed) for changed in rows])


def _in_place(predict: Callable, table: np.ndarray, column: int, grid: np.ndarray) -> np.ndarray:
    answers = []
    for value in grid:
        table[:, column] = value
        answers.append(predict(table).mean())
    return np.array(answers)


dependence = Exercise(
    name="dependence",
    difficulty=1,
    minutes=6,
    hints=(
        "One value of the grid at a time. Take a copy of the table, and set the whole column to that value.",
        "Ask the model about all rows of the copy, and take the mean of its answers.",
        "`changed = table.copy()`, `changed[:, column] = value`, `predict(changed).mean()`, for each value; return them as an array.",
    ),
    reference=lambda *case: _curves(*case).mean(axis=1),
    cases=_dependence_cases,
    mistakes={
        "in place": Mistake(
            _in_place,
            "you write into `table` itself, which is changed for everybody afterwards: take `table.copy()` first.",
        ),
        "return in the loop": Mistake(
            lambda predict, table, column, grid: _curves(predict, table, column, grid[:1]).mean(axis=1),
            "you return after the first value of the grid: `return` stands inside the loop. Move it to the left.",
        ),
        "one curve a row": Mistake(
            lambda *case: _curves(*case),
            "these are the answers of all rows, one curve each (ICE). Take their mean for each value of the grid.",
        ),
        "one curve a row, turned": Mistake(
            lambda *case: _curves(*case).T,
            "these are the curves of the single rows (ICE), one row each. Take their mean for each value of the grid.",
        ),
        "mean row": Mistake(
            lambda predict, table, column, grid: _curves(
                predict, table.mean(axis=0, keepdims=True), column, grid
            )[:, 0],
            "you asked about *one* row, the mean of all. The answer for the mean is not the mean of the answers: ask about each row, then take the mean.",
        ),
        "added": Mistake(
            lambda *case: _curves(*case, change=lambda old, value: old + value).mean(axis=1),
            "you *added* the value to the column: set the column to it.",
        ),
        "never changed": Mistake(
            lambda predict, table, column, grid: np.full(len(grid), predict(table).mean()),
            "your curve is flat: you asked about `table` itself each time. Ask about the copy whose column you set.",
        ),
        "first row only": Mistake(
            lambda *case: _curves(*case)[:, 0],
            "that is the curve of the first row alone: ask about all rows, and take the mean.",
        ),
        "row instead of column": Mistake(
            lambda predict, table, column, grid: np.array(
                [
                    predict(np.where(np.arange(len(table))[:, None] == column, value, table)).mean()
                    for value in grid
                ]
            ),
            "you set a row to the value, not a column: `changed[:, column] = value`.",
        ),
        "sum": Mistake(
            lambda *case: _curves(*case).sum(axis=1),
            "you added the answers of all rows: take their mean.",
        ),
        "median": Mistake(
            lambda *case: np.median(_curves(*case), axis=1),
            "you took the median of the answers: partial dependence is their mean.",
        ),
        "all but the column": Mistake(
            lambda predict, table, column, grid: np.array(
                [
                    predict(np.where(np.arange(table.shape[1]) == column, table, value)).mean()
                    for value in grid
                ]
            ),
            "you set all *other* columns to the value and kept this one: it is the other way round.",
        ),
        "first column": Mistake(
            lambda predict, table, column, grid: _curves(predict, table, 0, grid).mean(axis=1),
            "you always set the first column: set the one that `column` names.",
        ),
        "minus the answer as it is": Mistake(
            lambda *case: _curves(*case).mean(axis=1) - case[0](case[1]).mean(),
            "you subtracted the mean answer for the table as it is: the formula has no such term.",
        ),
        "centred": Mistake(
            lambda *case: _curves(*case).mean(axis=1) - _curves(*case).mean(),
            "you subtracted the mean of the curve. That is good for a drawing, but the formula has no such term.",
        ),
    },
)


def _falls_examples() -> list[tuple[np.ndarray]]:
    rng = np.random.default_rng(4)
    return [
        (np.abs(rng.normal(size=(d, 5))) * scale + low,) for d, scale, low in ((30, 0.01, 0), (8, 0.03, 0.01))
    ]


def _largest_fall(falls: np.ndarray) -> float:
    return float(np.asarray(falls).mean(axis=1).max())


fall_alone = Question(
    name="fall_alone",
    difficulty=1,
    minutes=3,
    hints=(
        "Look at the names of the columns: radius, perimeter and area, each as mean, error and worst. If one of them is spoilt, what do the others still say?",
        "The forest has hundreds of questions. Those about the other columns are still answered correctly.",
    ),
    expected=_largest_fall,
    tolerance=0.025,
    examples=_falls_examples,
    mistakes={
        "per cent": Mistake(
            lambda answer, falls: isinstance(answer, (int, float)) and answer > 1,
            "give the fall as a share between 0 and 1: from 0.95 to 0.90 it is 0.05.",
            example=lambda falls: 100 * _largest_fall(falls) + 2,
        ),
        "negative": Mistake(
            lambda answer, falls: isinstance(answer, (int, float)) and answer < -0.02,
            "a fall is counted as a positive number: the accuracy before minus the one after.",
            example=lambda falls: -_largest_fall(falls) - 0.1,
        ),
        "too much": Mistake(
            lambda answer, falls: isinstance(answer, (int, float)) and answer > _largest_fall(falls),
            "the forest loses less than you think. For each column there are others that say nearly the same, and it asks them too.",
            example=lambda falls: 0.3,
        ),
    },
)


def _importance_cases() -> list[tuple[Callable, np.ndarray, np.ndarray, np.ndarray]]:
    """A classifier, a table, targets and orders; the classifier is not always right."""
    rng = np.random.default_rng(5)
    cases = []
    for n, d, n_repeats in ((40, 3, 2), (25, 5, 4), (60, 2, 1)):
        table = rng.normal(size=(n, d))
        weights = rng.normal(size=d) * np.linspace(2, 0.5, d)
        targets = (table @ weights + 0.7 * rng.normal(size=n) > 0).astype(int)
        orders = np.array([rng.permutation(n) for _ in range(n_repeats)])
        cases.append((partial(_linear_answers, weights=weights), table, targets, orders))
    return cases


def _linear_answers(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (rows @ weights > 0).astype(int)


def _importances(predict: Callable, table: np.ndarray, targets: np.ndarray, orders: np.ndarray) -> np.ndarray:
    before = (predict(table) == targets).mean()
    falls = np.zeros(table.shape[1])
    for column in range(table.shape[1]):
        for order in orders:
            shuffled = table.copy()
            shuffled[:, column] = table[order, column]
            falls[column] += before - (predict(shuffled) == targets).mean()
    return falls / len(orders)


def _never_put_back(
    predict: Callable, table: np.ndarray, targets: np.ndarray, orders: np.ndarray
) -> np.ndarray:
    before, shuffled = (predict(table) == targets).mean(), table.copy()
    falls = np.zeros(table.shape[1])
    for column in range(table.shape[1]):
        for order in orders:
            shuffled[:, column] = table[order, column]
            falls[column] += before - (predict(shuffled) == targets).mean()
    return falls / len(orders)


def _put_back_before_the_score(predict, table, targets, orders):
    return np.zeros(table.shape[1])


def _only_this_column(predict, table, targets, orders):
    """All other columns are shuffled, or what is left if only this one is in order."""
    before = (predict(table) == targets).mean()
    falls = np.zeros(table.shape[1])
    for column in range(table.shape[1]):
        for order in orders:
            shuffled = table[order]
            shuffled[:, column] = table[:, column]
            falls[column] += before - (predict(shuffled) == targets).mean()
    return falls / len(orders)


def _one_copy_a_repeat(predict, table, targets, orders):
    """The loops exchanged: within a repeat, the columns before this one stay shuffled."""
    before, falls = (predict(table) == targets).mean(), np.zeros(table.shape[1])
    for order in orders:
        shuffled = table.copy()
        for column in range(table.shape[1]):
            shuffled[:, column] = table[order, column]
            falls[column] += before - (predict(shuffled) == targets).mean()
    return falls / len(orders)


def _shuffled_again(predict, table, targets, orders):
    """A fresh copy for each column, but each repeat shuffles what the last one left."""
    before, falls = (predict(table) == targets).mean(), np.zeros(table.shape[1])
    for column in range(table.shape[1]):
        shuffled = table.copy()
        for order in orders:
            shuffled[:, column] = shuffled[order, column]
            falls[column] += before - (predict(shuffled) == targets).mean()
    return falls / len(orders)


def _before_each_column(predict, table, targets, orders):
    """Nothing is put back, but the score before is taken anew for each column."""
    shuffled, falls = table.copy(), np.zeros(table.shape[1])
    for column in range(table.shape[1]):
        before = (predict(shuffled) == targets).mean()
        for order in orders:
            shuffled[:, column] = table[order, column]
            falls[column] += before - (predict(shuffled) == targets).mean()
    return falls / len(orders)


importances = Exercise(
    name="importances",
    difficulty=2,
    minutes=6,
    hints=(
        "What does `shuffled` look like when the second column has its turn?",
        "The first column is still in disorder then. Each column should be shuffled alone.",
        "Take a fresh copy *inside* the loop over the columns (before both loops, or after them, changes nothing), or put the column back once it has been scored: `shuffled[:, column] = table[:, column]`.",
    ),
    reference=_importances,
    given=_never_put_back,
    cases=_importance_cases,
    mistakes={
        "put back too early": Mistake(
            _put_back_before_the_score,
            "now every fall is 0: the column is back in order *before* the model is asked. Put it back after the score.",
        ),
        "one copy a repeat": Mistake(
            _one_copy_a_repeat,
            "one copy for each repeat is not enough: within the repeat the columns before this one stay shuffled. Take a copy for each *column*.",
        ),
        "before each column": Mistake(
            _before_each_column,
            "you take the score before anew for each column, but the columns before it are still in disorder: each is to be shuffled alone.",
        ),
        "shuffled again": Mistake(
            _shuffled_again,
            "you shuffle a column that is shuffled already: read from `table[order, column]`, not from `shuffled`.",
        ),
        "first column only": Mistake(
            lambda *case: np.where(np.arange(case[1].shape[1]) == 0, _importances(*case), 0.0),
            "only the first column has a number: `return` stands inside the loop over the columns. Move it to the left.",
        ),
        "first order only": Mistake(
            lambda predict, table, targets, orders: np.where(
                np.arange(table.shape[1]) == 0,
                _importances(predict, table, targets, orders[:1]) / len(orders),
                0.0,
            ),
            "only one order of the first column was counted: `return` stands inside both loops. Move it to the left.",
        ),
        "whole rows": Mistake(
            lambda predict, table, targets, orders: np.full(
                table.shape[1],
                np.mean(
                    [
                        (predict(table) == targets).mean() - (predict(table[o]) == targets).mean()
                        for o in orders
                    ]
                ),
            ),
            "you shuffled whole rows, so each column gets the same number: put one column into the new order and leave the others.",
        ),
        "the others": Mistake(
            _only_this_column,
            "you shuffled all columns *but* this one. That asks how much the column can do alone, which is another question.",
        ),
        "targets go along": Mistake(
            lambda predict, table, targets, orders: np.array(
                [
                    np.mean(
                        [
                            (predict(table) == targets).mean()
                            - (predict(_with_column(table, c, o)) == targets[o]).mean()
                            for o in orders
                        ]
                    )
                    for c in range(table.shape[1])
                ]
            ),
            "you put the targets into the new order too: they stay with their rows, or all columns but this one are wrong.",
        ),
        "after minus before": Mistake(
            lambda *case: -_importances(*case),
            "the sign is the other way round: a *fall* is the score before minus the one after.",
        ),
        "sum": Mistake(
            lambda predict, table, targets, orders: (
                _importances(predict, table, targets, orders) * len(orders)
            ),
            "you added the falls of all repeats: divide by how many there are.",
        ),
        "own answers": Mistake(
            lambda predict, table, targets, orders: _importances(predict, table, predict(table), orders),
            "you compare with the model's own answers, so that it is always right before: compare with `targets`.",
        ),
        "one repeat": Mistake(
            lambda predict, table, targets, orders: _importances(predict, table, targets, orders[-1:]),
            "only one of the orders counts in your result: take the mean over all of them.",
        ),
        "not a fall": Mistake(
            lambda predict, table, targets, orders: (
                (predict(table) == targets).mean() - _importances(predict, table, targets, orders)
            ),
            "that is the score that is left. The importance is how far it *falls*: before minus after.",
        ),
    },
)


def _with_column(table: np.ndarray, column: int, order: np.ndarray) -> np.ndarray:
    shuffled = table.copy()
    shuffled[:, column] = table[order, column]
    return shuffled


# --- how far off may a prediction be? (13d) ---------------------------------------------------------------


def _prediction_cases() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Tables (n, d), outcomes (n,) and new rows (m, d); few rows, so that n and n − d − 1 differ."""
    rng = np.random.default_rng(2)
    cases = []
    for n, d, m in ((8, 2, 3), (15, 1, 5), (40, 5, 2)):
        spread, middle = rng.uniform(0.5, 20, size=d), rng.normal(size=d)
        table = rng.normal(size=(n, d)) * spread + middle
        outcome = 3 + table @ rng.normal(size=d) + rng.normal(size=n)
        cases.append((table, outcome, 2 * rng.normal(size=(m, d)) * spread + middle))
    return cases


def _with_ones(rows: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(rows)), rows])


def _variance_of_line(X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """zᵀ(XᵀX)⁻¹z of each row of Z."""
    return ((Z @ np.linalg.inv(X.T @ X)) * Z).sum(axis=1)


def _variance(X: np.ndarray, outcome: np.ndarray, lost: int) -> float:
    """The residuals' variance, divided by n minus what the fit has used up."""
    residuals = outcome - X @ np.linalg.lstsq(X, outcome, rcond=None)[0]
    return residuals @ residuals / (len(X) - lost)


def _outcome_errors(table: np.ndarray, outcome: np.ndarray, new: np.ndarray) -> np.ndarray:
    X, Z = _with_ones(table), _with_ones(new)
    return np.sqrt(_variance(X, outcome, X.shape[1]) * (1 + _variance_of_line(X, Z)))


def _wrong_errors(X, Z, outcome, combine, lost=None):
    """`combine(s², zᵀ(XᵀX)⁻¹z)` with one thing done otherwise, for the typical mistakes."""
    lost = X.shape[1] if lost is None else lost
    return combine(_variance(X, outcome, lost), _variance_of_line(X, Z))


def _both(s2, of_line):
    return np.sqrt(s2 * (1 + of_line))


outcome_errors = Exercise(
    name="outcome_errors",
    difficulty=2,
    minutes=15,
    hints=(
        "Two things are uncertain: where the line runs above z, and how far this person lies from the line. "
        "The second has the variance s², the same for everybody.",
        "Independent variances add up: s² zᵀ(XᵀX)⁻¹z + s². Then take the square root.",
        "For all rows at once: with `Z` the new rows behind a column of ones, `((Z @ inverse) * Z).sum(axis=1)` gives "
        "zᵀ(XᵀX)⁻¹z of each row.",
    ),
    reference=_outcome_errors,
    cases=_prediction_cases,
    mistakes={
        "line only": Mistake(
            lambda t, y, new: _wrong_errors(_with_ones(t), _with_ones(new), y, lambda s2, v: np.sqrt(s2 * v)),
            "that is the uncertainty of the line above the new rows. A person also lies off the line: add the variance s².",
        ),
        "person only": Mistake(
            lambda t, y, new: np.full(len(new), np.sqrt(_variance(_with_ones(t), y, t.shape[1] + 1))),
            "that is the scatter around the line. The line itself is uncertain too, the more so the further a row is from the middle: add its variance.",
        ),
        "errors added": Mistake(
            lambda t, y, new: _wrong_errors(
                _with_ones(t), _with_ones(new), y, lambda s2, v: np.sqrt(s2) * (1 + np.sqrt(v))
            ),
            "you added two standard errors: of independent things the *variances* add up. Take the root at the end.",
        ),
        "n": Mistake(
            lambda t, y, new: _wrong_errors(_with_ones(t), _with_ones(new), y, _both, lost=0),
            "you divided by n: the line was fitted to these very points, so the residuals are too small. Divide by n − d − 1.",
        ),
        "n minus d": Mistake(
            lambda t, y, new: _wrong_errors(_with_ones(t), _with_ones(new), y, _both, lost=t.shape[1]),
            "you divided by n − d: the intercept is a fitted number too, so divide by n − d − 1.",
        ),
        "n minus one": Mistake(
            lambda t, y, new: np.sqrt(
                _variance(_with_ones(t), y, 1) * (1 + _variance_of_line(_with_ones(t), _with_ones(new)))
            ),
            "you divided by n − 1, as for a plain mean: here d + 1 numbers were fitted. Divide by n − d − 1.",
        ),
        "two errors": Mistake(
            lambda t, y, new: 2 * _outcome_errors(t, y, new),
            "that is half the width of the interval: return one standard error, without the 2.",
        ),
        "1.96 errors": Mistake(
            lambda t, y, new: 1.96 * _outcome_errors(t, y, new),
            "that is half the width of a 95 % interval: return one standard error, without the 1.96.",
        ),
        "outcome's variance": Mistake(
            lambda t, y, new: np.sqrt(
                y.var(ddof=1) * (1 + _variance_of_line(_with_ones(t), _with_ones(new)))
            ),
            "you took the variance of the outcomes themselves: s² is that of the *residuals*, the distances from the line.",
        ),
        "s for its square": Mistake(
            lambda t, y, new: _wrong_errors(
                _with_ones(t), _with_ones(new), y, lambda s2, v: np.sqrt(s2 * v + np.sqrt(s2))
            ),
            "you added s to a variance: the variance of the person's own distance is s², its square.",
        ),
        "one added": Mistake(
            lambda t, y, new: _wrong_errors(
                _with_ones(t), _with_ones(new), y, lambda s2, v: np.sqrt(s2 * v + 1)
            ),
            "you added 1 outside: s² zᵀ(XᵀX)⁻¹z + s², so the 1 stands inside the parentheses, s² (zᵀ(XᵀX)⁻¹z + 1).",
        ),
        "variance": Mistake(
            lambda t, y, new: _outcome_errors(t, y, new) ** 2,
            "these are variances: take the square root.",
        ),
        "no intercept": Mistake(
            lambda t, y, new: _wrong_errors(t, new, y, _both),
            "the intercept is missing: put a column of ones in front of the table, and of the new rows too.",
        ),
        "zero for one": Mistake(
            lambda t, y, new: _wrong_errors(
                _with_ones(t), np.column_stack([np.zeros(len(new)), new]), y, _both
            ),
            "the new rows lack the 1 in front (you have a 0 there, or left it out): z begins with a 1, like the rows of X.",
        ),
        "diagonal": Mistake(
            lambda t, y, new: np.sqrt(
                _variance(_with_ones(t), y, t.shape[1] + 1)
                * (1 + _with_ones(new) ** 2 @ np.diag(np.linalg.inv(_with_ones(t).T @ _with_ones(t))))
            ),
            "you only used the diagonal of the inverse. The coefficients' errors hang together: all of (XᵀX)⁻¹ stands between zᵀ and z.",
        ),
        "matrix": Mistake(
            lambda t, y, new: np.sqrt(
                np.abs(
                    _variance(_with_ones(t), y, t.shape[1] + 1)
                    * (
                        1
                        + _with_ones(new) @ np.linalg.inv(_with_ones(t).T @ _with_ones(t)) @ _with_ones(new).T
                    )
                )
            ),
            "you returned one number for each *pair* of new rows: only the diagonal is asked for, one number a row.",
        ),
    },
)


# --- the smallest change that alters the answer (13c) -----------------------------------------------------


def _change_cases() -> list[tuple[np.ndarray, float, np.ndarray]]:
    rng = np.random.default_rng(6)
    return [(rng.normal(size=d) + 0.2, float(rng.normal()), rng.normal(size=d)) for d in (1, 2, 3, 6, 6)]


def _smallest_change(weights: np.ndarray, intercept: float, row: np.ndarray) -> np.ndarray:
    return -(weights @ row + intercept) / (weights @ weights) * weights


smallest_change = Exercise(
    name="smallest_change",
    difficulty=2,
    minutes=10,
    hints=(
        "The log-odds are `weights @ row + intercept`. On the border they are 0. In which direction do they change fastest?",
        "The shortest way leads along `weights`: the change is some number times `weights`. Put `row + a * weights` into the log-odds, set them to 0 and solve for a.",
        "`a = -(weights @ row + intercept) / (weights @ weights)`, and the change is `a * weights`.",
    ),
    reference=_smallest_change,
    cases=_change_cases,
    mistakes={
        "wrong direction": Mistake(
            lambda w, b, x: -_smallest_change(w, b, x),
            "the change goes away from the border: the sign is the other way round.",
        ),
        "no intercept": Mistake(
            lambda w, b, x: -(w @ x) / (w @ w) * w,
            "the intercept is missing: the border is where `weights @ row + intercept` is 0.",
        ),
        "length": Mistake(
            lambda w, b, x: -(w @ x + b) / np.sqrt(w @ w) * w,
            "you divided by the length of `weights`: divide by its square, `weights @ weights`.",
        ),
        "not divided": Mistake(
            lambda w, b, x: -(w @ x + b) * w,
            "the direction is right and the step is not: divide by `weights @ weights`.",
        ),
        "the number alone": Mistake(
            lambda w, b, x: -(w @ x + b) / (w @ w),
            "that is how many times `weights` you have to go: multiply it by `weights`, one number a column.",
        ),
        "the length": Mistake(
            lambda w, b, x: abs(w @ x + b) / np.sqrt(w @ w),
            "that is the *length* of the shortest change: return the change itself, one number a column.",
        ),
        "always one way": Mistake(
            lambda w, b, x: -abs(w @ x + b) / (w @ w) * w,
            "you took the absolute value: a row on the other side of the border has to move the other way. Keep the sign.",
        ),
        "sum of weights": Mistake(
            lambda w, b, x: -(w @ x + b) / w.sum() * w,
            "you divided by the sum of the weights: along `weights` the log-odds change by the sum of their *squares*, `weights @ weights`.",
        ),
        "length of the row": Mistake(
            lambda w, b, x: -(w @ x + b) / (x @ x) * w,
            "you divided by `row @ row`: how fast the log-odds change along `weights` is `weights @ weights`.",
        ),
        "the new row": Mistake(
            lambda w, b, x: x + _smallest_change(w, b, x),
            "that is the changed row: return only the change.",
        ),
        "along the row": Mistake(
            lambda w, b, x: -(w @ x + b) / (w @ x) * x,
            "you move along the row itself. That may reach the border, but the shortest way leads along `weights`.",
        ),
        "row for weights": Mistake(
            lambda w, b, x: -(w @ x + b) / (w @ w) * x,
            "the step is right and the direction is not: multiply it by `weights`, not by `row`.",
        ),
        "largest weight only": Mistake(
            lambda w, b, x: np.where(
                np.arange(len(w)) == np.abs(w).argmax(), -(w @ x + b) / w[np.abs(w).argmax()], 0.0
            ),
            "you changed the column with the largest weight alone. It reaches the border, but changing all columns a little is shorter.",
        ),
        "each column alone": Mistake(
            lambda w, b, x: -(w @ x + b) / w,
            "each of your numbers reaches the border alone: all together they go far beyond it.",
        ),
        "shared equally": Mistake(
            lambda w, b, x: -(w @ x + b) / w / len(w),
            "you share the way out equally, so a column with a small weight has to move most: move each in proportion to its weight.",
        ),
    },
)


# --- multiple choice --------------------------------------------------------------------------------------

which_story = quiz(
    "Which of the two models is right about HDL?",
    [
        "The first one: it uses all columns, so nothing is forgotten",
        "The second one: its coefficient agrees with what doctors say",
        "The table alone does not tell",
    ],
    correct=2,
    explanations=[
        "More columns make a coefficient answer another question, not a better one. Section 2 shows how uncertain it gets.",
        "That it agrees with what we expected makes it plausible. Section 2 looks at what the table says.",
        "Both models predict equally well. Section 2 shows that the sign of the coefficient changes when other people are drawn.",
    ],
)

deeper_trees = quiz(
    "Trees of depth 1 to 8, tried on tumours that they were not fitted to: what do the deeper ones gain?",
    [
        "More and more: every further question helps",
        "Something for the first few questions, then hardly anything",
        "Nothing: one question is as good as eight",
    ],
    correct=1,
    explanations=[
        "So it is on the tumours that the tree was fitted to. On others the later questions do not help.",
        "The first few questions carry over to other tumours. The later ones memorise the training tumours.",
        "One question is easy to read, but trees of three questions in a row are right more often.",
    ],
)

why_or_how = quiz(
    "MYCIN asks: “Does the patient have a fever?” The doctor types WHY. What does MYCIN answer?",
    [
        "The rule that it is trying at this moment, and what the rule would conclude",
        "All rules that have led to the result so far",
        "How certain it is of the result",
    ],
    correct=0,
    explanations=[
        "WHY means: why do you ask me this? The answer is the rule that it is trying now, and, asked again, the rule above it.",
        "That answers HOW: how did you come to this conclusion?",
        "That is the result itself. WHY asks about the question that stands on the screen.",
    ],
)

trade_off = quiz(
    "Tumours, thirty columns: what does a logistic regression (a sum of thirty terms) lose against a forest of a hundred trees?",
    [
        "Some right answers in a hundred: the forest knows more than one sum",
        "Nothing: it is right at least as often",
        "It cannot be said: one split of the table says this, another that",
    ],
    correct=1,
    explanations=[
        "On this table the forest does not make use of what it could know more. On the digits, in the other panel, it is ahead.",
        "In all five splits it is even a little ahead. Nothing has to be paid for reading here.",
        "The size of the difference varies with the split, but the forest is ahead in none.",
    ],
)
