"""The exercises of lesson 01: a first one, which model to ship, information gain, standard errors, odds, rules."""

from __future__ import annotations

from functools import partial

import numpy as np

from course_utils.teach.checks import Exercise, Mistake, Question


def _answer_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    """Answers and truths of several lengths, right in 40 to 90 of 100 cases."""
    rng = np.random.default_rng(0)
    cases = []
    for n_pictures, n_classes, share in ((7, 2, 0.6), (30, 3, 0.8), (101, 10, 0.9)):
        targets = rng.integers(n_classes, size=n_pictures)
        other = (targets + rng.integers(1, n_classes, size=n_pictures)) % n_classes
        cases.append((np.where(rng.random(n_pictures) < share, targets, other), targets))
    return cases


share_right = Exercise(
    name="share_right",
    difficulty=1,
    minutes=2,
    hints=(
        "`answers == targets` compares the two arrays place by place and gives True or False for each picture.",
        "Python counts True as 1 and False as 0. What is the mean of zeros and ones?",
        "`return (answers == targets).mean()`",
    ),
    reference=lambda answers, targets: float((answers == targets).mean()),
    cases=_answer_cases,
    mistakes={
        "number": Mistake(
            lambda answers, targets: (answers == targets).sum(),
            "you counted the right answers: divide by how many there are, so that the result lies between 0 and 1.",
        ),
        "share wrong": Mistake(
            lambda answers, targets: (answers != targets).mean(),
            "that is the share of wrong answers. Turn the comparison around.",
        ),
        "one picture each": Mistake(
            lambda answers, targets: answers == targets,
            "you returned one True or False for each picture: take their mean.",
        ),
        "per cent": Mistake(
            lambda answers, targets: 100 * (answers == targets).mean(),
            "you returned per cent: a share lies between 0 and 1.",
        ),
        "all": Mistake(
            lambda answers, targets: float((answers == targets).all()),
            "you asked whether *all* answers are right: `mean`, not `all`.",
        ),
    },
)


def _better(in_the_world: dict[str, np.ndarray]) -> str:
    return max(in_the_world, key=lambda name: float(np.mean(in_the_world[name])))


def _world_examples() -> list[tuple[dict[str, np.ndarray]]]:
    good, bad = np.repeat([True, False], [57, 3]), np.repeat([True, False], [2, 58])
    return [({"A": good, "B": bad},), ({"A": bad, "B": good},)]


_NEITHER = {"both", "neither", "either", "none", "a or b", "the same", "cannot tell"}

ship = Question(
    name="ship",
    difficulty=1,
    minutes=2,
    hints=(
        "The accuracies cannot decide it: they are the same. What did covering a part of the picture change, for each of the two?",
        'Answer `"A"` or `"B"`, with the quotation marks.',
    ),
    expected=_better,
    examples=_world_examples,
    mistakes={
        "undecided": Mistake(
            lambda answer, world: str(answer).strip().casefold() in _NEITHER,
            "the farm needs a decision. The test pictures could not make it, which is the point of the story; the pictures from the other farm can.",
            example=lambda world: "either",
        ),
        "not an offer": Mistake(
            lambda answer, world: str(answer).strip().upper() not in world,
            'there are two offers: answer with one of their names, `"A"` or `"B"`.',
            example=lambda world: "C",
        ),
        "the other": Mistake(
            lambda answer, world: str(answer).strip().upper() in world,
            "that model is the one that fails on the pictures from the other farm. You were in good company: on the test pictures nobody could have known.",
            example=lambda world: next(name for name in world if name != _better(world)),
        ),
    },
)


def _entropy(labels: np.ndarray, logarithm=np.log2) -> float:
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * logarithm(shares)).sum())


def _gain(labels: np.ndarray, says_yes: np.ndarray, logarithm=np.log2) -> float:
    after = sum(
        side.mean() * _entropy(labels[side], logarithm) for side in (says_yes, ~says_yes) if side.any()
    )
    return _entropy(labels, logarithm) - after


def _gain_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    """Labels and answers: mixed sides, one pure side (0 · log 0), and a question that everybody answers alike."""
    rng = np.random.default_rng(1)
    cases = []
    for n, n_classes in ((10, 2), (25, 3), (60, 4)):
        labels = rng.integers(n_classes, size=n)
        cases.append((labels, rng.random(n) < 0.3))
        cases.append((labels, labels == 0))  # the side "yes" is pure
        cases.append((labels, np.ones(n, bool)))  # nobody on the side "no"
    return cases


def _with_log_of_zero(labels: np.ndarray, says_yes: np.ndarray) -> float:
    n_classes = labels.max() + 1

    def entropy(part: np.ndarray) -> float:
        shares = np.bincount(part, minlength=n_classes) / len(part)
        with np.errstate(all="ignore"):
            return float(-(shares * np.log2(shares)).sum())

    sides = [side for side in (says_yes, ~says_yes) if side.any()]
    return entropy(labels) - sum(side.mean() * entropy(labels[side]) for side in sides)


def _for_two_classes(labels: np.ndarray, says_yes: np.ndarray, *, share: str, guard: str) -> float:
    """The gain by −p log p − (1 − p) log (1 − p), which only knows two classes."""

    def entropy(part: np.ndarray) -> float:
        p = np.float64(part.mean() if share == "mean" else (part == 1).mean())
        if (guard == "ends" and p in (0.0, 1.0)) or (guard == "range" and not 0 < p < 1):
            return 0.0
        with np.errstate(all="ignore"):
            terms = np.array([-p * np.log2(p), -(1 - p) * np.log2(1 - p)])
        return float(np.nansum(terms) if guard == "nansum" else terms.sum())

    sides = [side for side in (says_yes, ~says_yes) if side.any()]
    return entropy(labels) - sum(side.mean() * entropy(labels[side]) for side in sides)


_ONLY_TWO = (
    "you used a formula for two classes, −p log p − (1 − p) log (1 − p). There may be more: "
    "add up −q log q over all classes that occur."
)
_ONLY_TWO_AND = {  # (the share taken, how the learner guards the logarithm) → what else to say
    ("class 1", "none"): " And 0 · log 0 gives NaN.",
    ("class 1", "ends"): "",
    (
        "mean",
        "none",
    ): " The mean of class numbers is a share only if they are 0 and 1; and 0 · log 0 gives NaN.",
    ("mean", "ends"): " The mean of class numbers is a share only if they are 0 and 1.",
    ("mean", "range"): " The mean of class numbers may exceed 1: it is a share only if they are 0 and 1.",
    (
        "mean",
        "nansum",
    ): " You dropped the NaN: the mean of class numbers is a share only if they are 0 and 1.",
}

information_gain = Exercise(
    name="information_gain",
    difficulty=2,
    minutes=10,
    hints=(
        "Write a helper for the entropy of one group: `shares = np.unique(group, return_counts=True)[1] / len(group)`.",
        "`np.unique` only returns classes that occur, so no share is zero and `np.log2` is safe.",
        "Subtract the entropy of both sides, each times the share of the examples on that side. A side may be empty.",
    ),
    reference=_gain,
    cases=_gain_cases,
    mistakes={
        "nats": Mistake(
            lambda labels, says_yes: _gain(labels, says_yes, np.log),
            "you took the natural logarithm: bits need the logarithm to the base 2.",
        ),
        "not weighted": Mistake(
            lambda labels, says_yes: (
                _entropy(labels) - sum(_entropy(labels[side]) for side in (says_yes, ~says_yes) if side.any())
            ),
            "you added the entropies of the two sides as they are: each counts by the share of the examples on its side.",
        ),
        "half and half": Mistake(
            lambda labels, says_yes: (
                _entropy(labels) - sum(_entropy(labels[s]) for s in (says_yes, ~says_yes) if s.any()) / 2
            ),
            "you gave both sides the weight one half: each counts by the share of the examples on its side.",
        ),
        "after only": Mistake(
            lambda labels, says_yes: _entropy(labels) - _gain(labels, says_yes),
            "that is the entropy that is left after the question: the gain is the entropy before, minus this.",
        ),
        "log of zero": Mistake(
            _with_log_of_zero,
            "a class that does not occur on a side gives 0 · log 0, which NumPy computes as NaN. Its share of the sum is 0: leave such classes out.",
        ),
        "sign": Mistake(
            lambda labels, says_yes: -_gain(labels, says_yes),
            "the sign is turned around: a gain is never negative.",
        ),
        **{
            f"two classes, {share}, {guard}": Mistake(
                partial(_for_two_classes, share=share, guard=guard), _ONLY_TWO + more
            )
            for (share, guard), more in _ONLY_TWO_AND.items()
        },
    },
)


def _regression_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    """Tables (n, d) and outcomes (n,), few rows, so that n and n − p differ."""
    rng = np.random.default_rng(2)
    cases = []
    for n, d in ((8, 2), (15, 1), (40, 5)):
        table = rng.normal(size=(n, d)) * rng.uniform(0.5, 20, size=d) + rng.normal(size=d)
        cases.append((table, 3 + table @ rng.normal(size=d) + rng.normal(size=n)))
    return cases


def _standard_errors(table: np.ndarray, outcome: np.ndarray, *, fault: str = "") -> np.ndarray:
    design = table if fault == "no intercept" else np.column_stack([np.ones(len(table)), table])
    coefficients = np.linalg.lstsq(design, outcome, rcond=None)[0]
    residuals = outcome - design @ coefficients
    n, p = design.shape
    degrees = {"n": n, "n - 1": n - 1, "d": n - p + 1}.get(fault, n - p)
    variances = residuals @ residuals / degrees * np.diag(np.linalg.inv(design.T @ design))
    return variances if fault == "variance" else np.sqrt(variances)


standard_errors = Exercise(
    name="standard_errors",
    difficulty=2,
    minutes=10,
    hints=(
        "Put a column of ones in front of the table (`np.column_stack`): this is the design matrix X, with p columns.",
        "`np.linalg.lstsq(X, outcome, rcond=None)[0]` gives the coefficients; the residuals are what is left.",
        "s² is the sum of the squared residuals divided by n − p. Then `np.sqrt(np.diag(s2 * np.linalg.inv(X.T @ X)))`.",
    ),
    reference=_standard_errors,
    cases=_regression_cases,
    mistakes={
        "n": Mistake(
            lambda table, outcome: _standard_errors(table, outcome, fault="n"),
            "you divided by n: the line was fitted to these very points, so the residuals are too small. Divide by n − p.",
        ),
        "n - 1": Mistake(
            lambda table, outcome: _standard_errors(table, outcome, fault="n - 1"),
            "you divided by n − 1, which is right for a mean. Here p coefficients were fitted: divide by n − p.",
        ),
        "d": Mistake(
            lambda table, outcome: _standard_errors(table, outcome, fault="d"),
            "you forgot to count the intercept: p is the number of columns of the design matrix, the column of ones included.",
        ),
        "variance": Mistake(
            lambda table, outcome: _standard_errors(table, outcome, fault="variance"),
            "these are variances: take the square root.",
        ),
        "no intercept": Mistake(
            lambda table, outcome: _standard_errors(table, outcome, fault="no intercept"),
            "the intercept is missing: put a column of ones in front of the table, and return its standard error too.",
        ),
        "without the intercept's": Mistake(
            lambda table, outcome: _standard_errors(table, outcome)[1:],
            "the standard error of the intercept is missing: it comes first.",
        ),
    },
)


def _odds_cases() -> list[tuple[float, float]]:
    return [(0.906, 0.6), (0.5, 3.0), (0.02, 4.0), (0.8, 0.25), (0.3, 1.7)]


def _times_as_likely(probability: float, odds_ratio: float) -> float:
    odds = probability / (1 - probability) * odds_ratio
    return odds / (1 + odds) / probability


times_as_likely = Exercise(
    name="times_as_likely",
    difficulty=2,
    minutes=8,
    hints=(
        "Go from the first probability to odds: p / (1 − p). Multiply them with the odds ratio.",
        "Come back from odds to a probability: odds / (1 + odds).",
        "Divide the second probability by the first.",
    ),
    reference=_times_as_likely,
    given=lambda probability, odds_ratio: odds_ratio,
    cases=_odds_cases,
    mistakes={
        "times the probability": Mistake(
            lambda probability, odds_ratio: probability * odds_ratio,
            "you multiplied the probability with the odds ratio: the ratio belongs to the odds.",
        ),
        "odds as probability": Mistake(
            lambda probability, odds_ratio: odds_ratio * probability / (1 - probability) / probability,
            "you stopped at the odds: come back to a probability with odds / (1 + odds) before you compare.",
        ),
        "the second probability": Mistake(
            lambda probability, odds_ratio: probability * _times_as_likely(probability, odds_ratio),
            "that is the second probability itself: divide it by the first one.",
        ),
        "upside down": Mistake(
            lambda probability, odds_ratio: 1 / _times_as_likely(probability, odds_ratio),
            "you divided the first probability by the second: the second group is compared with the first.",
        ),
        "less likely by": Mistake(
            lambda probability, odds_ratio: 1 - _times_as_likely(probability, odds_ratio),
            "that is by how much it is *less* likely. Return the ratio itself, without `1 −`.",
        ),
    },
)


def _combine(first: float, second: float) -> float:
    if first >= 0 and second >= 0:
        return first + second * (1 - first)
    if first < 0 and second < 0:
        return first + second * (1 + first)
    return (first + second) / (1 - min(abs(first), abs(second)))


def _certainty_cases() -> list[tuple[float, float]]:
    rng = np.random.default_rng(3)
    drawn = [tuple(float(v) for v in pair) for pair in rng.uniform(-0.95, 0.95, size=(12, 2)).round(3)]
    return [(0.6, 0.3), (-0.4, -0.7), (0.8, -0.5), (-0.2, 0.9), (0.5, 0.0), *drawn]


combine = Exercise(
    name="combine",
    difficulty=1,
    minutes=8,
    hints=(
        "Three cases: both certainties positive (or zero), both negative, one of each.",
        "With both negative the result must be negative, and never below −1: turn the signs of the first case around.",
        "With opposite signs: their sum, divided by 1 minus the smaller of the two absolute values.",
    ),
    reference=_combine,
    cases=_certainty_cases,
    mistakes={
        "sum": Mistake(
            lambda first, second: first + second,
            "you added them up: two good reasons would then make more than 1, more than certain.",
        ),
        "one formula": Mistake(
            lambda first, second: first + second * (1 - first),
            "you used the first formula for all signs: two reasons against would leave the range −1 … 1.",
        ),
        "two cases": Mistake(
            lambda first, second: first + second * (1 - abs(first)),
            "the third case is missing: your formula holds where both have the same sign. With opposite signs it is the sum, divided by 1 minus the smaller absolute value.",
        ),
        "wrong sign below zero": Mistake(
            lambda first, second: (
                first + second * (1 - first) if first < 0 and second < 0 else _combine(first, second)
            ),
            "with both negative it is x + y(1 + x): as you have it, two reasons against would leave the range −1 … 1.",
        ),
        "no denominator": Mistake(
            lambda first, second: _combine(first, second) if first * second >= 0 else first + second,
            "with opposite signs the denominator is missing: divide by 1 minus the smaller absolute value.",
        ),
        "larger": Mistake(
            lambda first, second: (
                _combine(first, second)
                if first * second >= 0
                else (first + second) / (1 - max(abs(first), abs(second)))
            ),
            "with opposite signs you took the larger absolute value in the denominator: it is the smaller one.",
        ),
        "without abs": Mistake(
            lambda first, second: (
                _combine(first, second)
                if first * second >= 0
                else (first + second) / (1 - min(first, second))
            ),
            "with opposite signs the smaller of the *absolute* values counts: without `abs` the negative one is always smaller.",
        ),
        "mean": Mistake(
            lambda first, second: (first + second) / 2,
            "you averaged them: a second reason for the same thing would then weaken the first one.",
        ),
    },
)
