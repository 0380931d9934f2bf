"""The exercises of lesson 15: a step of PGD, the unit of epsilon, transfer, and a second opinion.

Of its companion: a rule that hides, the audits that find it, and how often it has to recognise a question.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_utils.teach.checks import Exercise, Mistake, Question
from course_utils.teach.quiz import quiz

# --- one step of PGD ---------------------------------------------------------------------------------------


def _step_cases() -> list[tuple[Tensor, Tensor, Tensor, float, float]]:
    """Pictures, where the attack is now, gradients, step and epsilon; some numbers near the ends."""
    generator = torch.Generator().manual_seed(0)
    cases = []
    for shape, step, epsilon in (
        ((2, 3, 4, 4), 0.06, 0.1),
        ((1, 1, 5, 6), 0.3, 0.2),
        ((3, 3, 2, 3), 0.02, 0.05),
    ):
        picture = (1.3 * torch.randn(shape, generator=generator)).clamp(-1, 1)
        away = epsilon * (2 * torch.rand(shape, generator=generator) - 1)
        now = (picture + away).clamp(-1, 1)
        cases.append((picture, now, torch.randn(shape, generator=generator), step, epsilon))
    return cases


def _step(
    picture: Tensor,
    now: Tensor,
    gradient: Tensor,
    step: float,
    epsilon: float,
    *,
    direction: int = 1,
    signs: bool = True,
    around: str = "picture",
    ends: tuple[float, float] | None = (-1.0, 1.0),
) -> Tensor:
    moved = now + direction * step * (gradient.sign() if signs else gradient)
    middle = {"picture": picture, "now": now, "nothing": None}[around]
    if middle is not None:
        moved = middle + (moved - middle).clamp(-epsilon, epsilon)
    return moved if ends is None else moved.clamp(*ends)


pgd_step = Exercise(
    name="pgd_step",
    difficulty=1,
    minutes=8,
    hints=(
        "Three things in this order: go, come back to the ball, come back to black and white.",
        "Go: `now + step * gradient.sign()`. The ball: how far is that from `picture`? `.clamp(-epsilon, epsilon)`.",
        "`picture + (moved - picture).clamp(-epsilon, epsilon)`, and then `.clamp(-1, 1)`.",
    ),
    reference=_step,
    cases=_step_cases,
    mistakes={
        "no projection": Mistake(
            lambda *case: _step(*case, around="nothing"),
            "nothing brings the picture back into the ball: after some steps it is further away than ε.",
        ),
        "around the last": Mistake(
            lambda *case: _step(*case, around="now"),
            "the ball lies around where the attack is *now*: it has to lie around the original picture, or it wanders off.",
        ),
        "no sign": Mistake(
            lambda *case: _step(*case, signs=False),
            "the sign is missing: for L∞ each number moves by the whole step, whatever the size of its gradient.",
        ),
        "length one": Mistake(
            lambda picture, now, gradient, step, epsilon: _step(
                picture,
                now,
                gradient / gradient.flatten(1).norm(dim=1)[:, None, None, None],
                step,
                epsilon,
                signs=False,
            ),
            "you divided the gradient by its length: that is the step of the norm L2. For L∞ take its sign.",
        ),
        "downwards": Mistake(
            lambda *case: _step(*case, direction=-1),
            "the step lowers the loss: that helps the network.",
        ),
        "zero to one": Mistake(
            lambda *case: _step(*case, ends=(0.0, 1.0)),
            "you cut off at 0 and 1: these inputs run from −1 (black) to 1 (white).",
        ),
        "no ends": Mistake(
            lambda *case: _step(*case, ends=None),
            "some numbers leave −1 … 1, so the result is no picture: the last thing to do is `.clamp(-1, 1)`.",
        ),
        "from the picture": Mistake(
            lambda picture, now, gradient, step, epsilon: _step(picture, picture, gradient, step, epsilon),
            "the step starts at the original picture: it has to start where the attack is now, or it never gets further than one step.",
        ),
        "epsilon as the step": Mistake(
            lambda picture, now, gradient, step, epsilon: _step(picture, now, gradient, epsilon, epsilon),
            "you went by ε: that is the radius of the ball. A step has the length `step`.",
        ),
        "the change alone": Mistake(
            lambda picture, *rest: _step(picture, *rest) - picture,
            "that is the change: return the changed picture.",
        ),
    },
)

# --- the unit of epsilon -----------------------------------------------------------------------------------


def _unit_cases() -> list[tuple[float, Tensor, Tensor]]:
    return [
        (2.0, torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])),
        (8.0, torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.5, 0.25, 0.5])),
        (1.0, torch.tensor([0.3]), torch.tensor([0.8])),
    ]


def _rows(epsilon: Tensor, black: Tensor, white: Tensor) -> Tensor:
    return torch.stack([epsilon.expand_as(black), black, white])


def _in_units_of_inputs(levels: float, mean: Tensor, deviation: Tensor) -> Tensor:
    return _rows(levels / 255 / deviation, (0 - mean) / deviation, (1 - mean) / deviation)


def _changed_unit(epsilon=None, black=None, white=None):
    """The right answer with one row computed otherwise: functions of (levels, mean, deviation)."""

    def wrong(levels: float, mean: Tensor, deviation: Tensor) -> Tensor:
        rows = list(_in_units_of_inputs(levels, mean, deviation))
        for i, other in enumerate((epsilon, black, white)):
            if other is not None:
                rows[i] = other(levels, mean, deviation) + torch.zeros_like(mean)
        return torch.stack(rows)

    return wrong


def _given_unit(levels: float, mean: Tensor, deviation: Tensor) -> Tensor:
    return _rows(torch.tensor(levels / 255), torch.zeros_like(mean), torch.ones_like(mean))


in_units_of_inputs = Exercise(
    name="in_units_of_inputs",
    difficulty=2,
    minutes=9,
    hints=(
        "The network does not see pixels p from 0 to 1 but (p − mean) / deviation. What does black (p = 0) become?",
        "Two pixels that differ by d differ by d / deviation after the normalisation. The mean cancels.",
        "ε is `levels / 255 / deviation`; black is `-mean / deviation`, white `(1 - mean) / deviation`.",
    ),
    reference=_in_units_of_inputs,
    given=_given_unit,
    cases=_unit_cases,
    mistakes={
        "epsilon of pixels": Mistake(
            _changed_unit(epsilon=lambda levels, mean, deviation: levels / 255),
            "black and white are right. ε is still in pixels from 0 to 1: the normalisation divides by the deviation, so ε has to be divided too.",
        ),
        "bounds of pixels": Mistake(
            _changed_unit(black=lambda *case: 0.0, white=lambda *case: 1.0),
            "ε is right. Black and white are still 0 and 1: the normalisation moves them as well.",
        ),
        "mean subtracted": Mistake(
            _changed_unit(epsilon=lambda levels, mean, deviation: (levels / 255 - mean) / deviation),
            "you subtracted the mean from ε: ε is a *difference* of two pixels, where the mean cancels.",
        ),
        "multiplied": Mistake(
            _changed_unit(epsilon=lambda levels, mean, deviation: levels / 255 * deviation),
            "you multiplied ε by the deviation: the normalisation divides by it.",
        ),
        "levels": Mistake(
            _changed_unit(epsilon=lambda levels, mean, deviation: levels / deviation),
            "your ε is 255 times too large: a grey level is 1/255 of the way from black to white.",
        ),
        "not shifted": Mistake(
            _changed_unit(black=lambda *case: 0.0, white=lambda levels, mean, deviation: 1 / deviation),
            "black and white have to be shifted by the mean, too: (p − mean) / deviation.",
        ),
        "white first": Mistake(
            lambda *case: _in_units_of_inputs(*case)[[0, 2, 1]],
            "black and white are exchanged: black (p = 0) is the second row.",
        ),
        "256": Mistake(
            _changed_unit(epsilon=lambda levels, mean, deviation: levels / 256 / deviation),
            "you divided by 256: from 0 to 255 there are 255 steps.",
        ),
    },
)

# --- predictions -------------------------------------------------------------------------------------------


def _is_share(answer: object) -> bool:
    return isinstance(answer, (int, float)) and not isinstance(answer, bool) and 0 <= answer <= 1


def _share(right: Tensor) -> float:
    return float(right.float().mean())


transfer = Question(
    name="transfer",
    difficulty=1,
    minutes=4,
    hints=(
        "The two networks learnt the same classes from the same pictures. Do they have the same weaknesses?",
        "Write a share between 0 and 1, such as 0.5.",
    ),
    expected=_share,
    tolerance=0.15,
    within=(0, 1),
    examples=lambda: [(torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0]),), (torch.tensor([1.0, 0.0]),)],
    mistakes={
        "too low": Mistake(
            lambda answer, right: _is_share(answer) and answer < _share(right) - 0.15,
            "the other network is fooled less than you expect: what fools one network need not fool another.",
            example=lambda right: max(_share(right) - 0.4, 0.0),
        ),
        "too high": Mistake(
            lambda answer, right: _is_share(answer) and answer > _share(right) + 0.15,
            "the other network is fooled more than you expect: some of the weakness is shared.",
            example=lambda right: min(_share(right) + 0.3, 1.0),
        ),
        "not a share": Mistake(
            lambda answer, right: not _is_share(answer),
            "answer with a number between 0 and 1.",
            example=lambda right: 40,
        ),
    },
)

who_notices = quiz(
    "The attack on the map is done, and nobody has told you. You have the picture and the network, but no mask. "
    "Which look is the most likely to give it away?",
    [
        "Whether the answer and its probability are as before",
        "Whether the map changes when the network's last layer is drawn anew",
        "Whether another method has its weight in the same place",
    ],
    correct=2,
    explanations=[
        "The attack was made to keep them: nothing is to be seen there.",
        "Before as after, the map stays much as it was: the test asks about the method, not about the picture.",
        "The attack was aimed at one formula. A second formula reads the same network in another way.",
    ],
)


# --- 15b: a rule that hides ----------------------------------------------------------------------------------

Rule = Callable[[np.ndarray], np.ndarray]


def _above(column: int, border: float) -> Rule:
    return lambda rows: (rows[:, column] > border).astype(float)


def _weighted(weights: tuple[float, ...]) -> Rule:
    return lambda rows: (rows @ np.array(weights) > 0.1).astype(float)


def _scaffold_cases() -> list[tuple[np.ndarray, Rule, Rule, Rule]]:
    """Rows, the detector, the innocent rule and the other one."""
    rng = np.random.default_rng(0)
    return [
        (rng.normal(0, 1, (n, 5)), _above(0, border), _above(1, 0.0), _above(2, 0.0))
        for n, border in ((12, 0.0), (9, 1.0), (14, -0.6), (8, -9.0), (7, 9.0))
    ]


def _scaffolded(rows: np.ndarray, looks_asked: Rule, innocent: Rule, biased: Rule) -> np.ndarray:
    return np.where(looks_asked(rows) == 1, innocent(rows), biased(rows))


def _one_for_all(decide: Callable[[np.ndarray], bool]) -> Callable:
    """Wrong: one decision for the whole table."""
    return lambda rows, looks_asked, innocent, biased: (
        innocent(rows) if decide(looks_asked(rows)) else biased(rows)
    )


scaffolded = Exercise(
    name="scaffolded",
    difficulty=1,
    minutes=5,
    hints=(
        "Each row is judged by itself: some rows of one table may look asked, others not.",
        "Ask both rules about all rows, then choose for each row: `np.where(condition, this, that)`.",
        "`np.where(looks_asked(rows) == 1, innocent(rows), biased(rows))`.",
    ),
    reference=_scaffolded,
    cases=_scaffold_cases,
    mistakes={
        "exchanged": Mistake(
            lambda rows, looks_asked, innocent, biased: _scaffolded(rows, looks_asked, biased, innocent),
            "the two rules are exchanged: yours discriminates in front of the explainer and is innocent in real life.",
        ),
        "any row": Mistake(
            _one_for_all(lambda asked: bool(asked.any())),
            "you answer the whole table by the innocent rule as soon as *one* row looks asked: choose row by row (`np.where`).",
        ),
        "all rows": Mistake(
            _one_for_all(lambda asked: bool(asked.all())),
            "you answer by the innocent rule only if *all* rows look asked: choose row by row (`np.where`).",
        ),
        "most rows": Mistake(
            _one_for_all(lambda asked: bool(asked.mean() > 0.5)),
            "you let the majority of the rows decide: choose row by row (`np.where`).",
        ),
        "first row": Mistake(
            _one_for_all(lambda asked: bool(asked[0] == 1)),
            "the first row decides for all: choose row by row (`np.where`).",
        ),
        "biased alone": Mistake(
            lambda rows, looks_asked, innocent, biased: biased(rows),
            "that is the discriminating rule alone: it does not hide.",
        ),
        "innocent alone": Mistake(
            lambda rows, looks_asked, innocent, biased: innocent(rows),
            "that is the innocent rule alone: nothing is left to hide.",
        ),
        "detector": Mistake(
            lambda rows, looks_asked, innocent, biased: looks_asked(rows),
            "you return what the detector says; it only chooses which of the two rules answers.",
        ),
        "half a sum": Mistake(
            lambda rows, looks_asked, innocent, biased: looks_asked(rows) * innocent(rows),
            "rows that look real get 0 from you: there the discriminating rule has to answer.",
        ),
        "sum": Mistake(
            lambda rows, looks_asked, innocent, biased: looks_asked(rows) * innocent(rows) + biased(rows),
            "the discriminating rule answers all rows, asked ones too: multiply it by (1 − looks_asked), or use `np.where`.",
        ),
        "mean": Mistake(
            lambda rows, looks_asked, innocent, biased: (innocent(rows) + biased(rows)) / 2,
            "you mix the two rules: one of them answers each row.",
        ),
    },
)

# --- 15b: the audit that finds it ------------------------------------------------------------------------


def _audit_cases() -> list[tuple[Rule, np.ndarray, int]]:
    """Rules of three numbers and two columns of zeros and ones, people, and the column to test."""
    rng = np.random.default_rng(1)
    cases = []
    for n, column, weights in (
        (40, 4, (0.5, -1.0, 0.4, 0.3, 0.9)),
        (25, 3, (1.0, 0.2, -0.6, -1.1, 0.0)),
        (30, 4, (0.0, 0.7, 0.0, 1.2, -0.6)),
    ):
        people = np.column_stack([rng.normal(0, 1, (n, 3)), rng.random((n, 2)) < (0.3, 0.6)]).astype(float)
        cases.append((_weighted(weights), people, column))
    return cases


def _with(people: np.ndarray, column: int, values: object) -> np.ndarray:
    changed = people.copy()
    changed[:, column] = values
    return changed


def _changed(rule: Rule, people: np.ndarray, column: int) -> np.ndarray:
    return rule(_with(people, column, 1 - people[:, column])) != rule(people)


def _share_changed(rule: Rule, people: np.ndarray, column: int) -> float:
    return float(_changed(rule, people, column).mean())


def _set_to(value: object) -> Callable:
    """Wrong: everybody gets the same value."""

    def wrong(rule: Rule, people: np.ndarray, column: int) -> float:
        the_value = people[:, column].mean() if value == "mean" else value
        return float((rule(_with(people, column, the_value)) != rule(people)).mean())

    return wrong


def _shuffled(rule: Rule, people: np.ndarray, column: int) -> float:
    values = np.random.default_rng(0).permutation(people[:, column])
    return float((rule(_with(people, column, values)) != rule(people)).mean())


share_changed = Exercise(
    name="share_changed",
    difficulty=2,
    minutes=7,
    hints=(
        "Ask about each person twice: as they are, and with only this column exchanged (0 becomes 1, 1 becomes 0).",
        "Work on a copy: `other = people.copy()`, then `other[:, column] = 1 - other[:, column]`.",
        "Compare the answers person by person: `(rule(other) != rule(people)).mean()`.",
    ),
    reference=_share_changed,
    cases=_audit_cases,
    mistakes={
        "shuffled": Mistake(
            _shuffled,
            "you shuffled the column: many people get their own value back, and nothing can change for them. Exchange 0 and 1 for each person.",
        ),
        "set to 0": Mistake(
            _set_to(0),
            "you set the column to 0 for all: for those who have 0 already nothing is tested.",
        ),
        "set to 1": Mistake(
            _set_to(1),
            "you set the column to 1 for all: for those who have 1 already nothing is tested.",
        ),
        "set to the mean": Mistake(
            _set_to("mean"),
            "you put the mean into the column: nobody has such a value, so the answer says nothing about people. Exchange 0 and 1.",
        ),
        "percent": Mistake(
            lambda *case: 100 * _share_changed(*case),
            "you return percents: a share lies between 0 and 1.",
        ),
        "one group": Mistake(
            lambda rule, people, column: float(_changed(rule, people, column)[people[:, column] == 1].mean()),
            "you asked only about those with 1 in the column: exchange it for everybody.",
        ),
        "count": Mistake(
            lambda *case: float(_changed(*case).sum()),
            "you counted the people: return the *share* of them.",
        ),
        "unchanged": Mistake(
            lambda *case: 1 - _share_changed(*case),
            "that is the share whose answer stays: you compared with `==`.",
        ),
        "signed": Mistake(
            lambda rule, people, column: float(
                (rule(_with(people, column, 1 - people[:, column])) - rule(people)).mean()
            ),
            "you averaged signed differences: a person who gains and one who loses cancel. Compare with `!=`.",
        ),
        "rates": Mistake(
            lambda rule, people, column: float(
                abs(rule(_with(people, column, 1 - people[:, column])).mean() - rule(people).mean())
            ),
            "you compared two averages: a person who gains and one who loses cancel. Compare person by person.",
        ),
        "all columns": Mistake(
            lambda rule, people, column: float((rule(1 - people) != rule(people)).mean()),
            "you exchanged *all* columns: such people do not exist. Change this column alone.",
        ),
        "against the column": Mistake(
            lambda rule, people, column: float(
                (rule(_with(people, column, 1 - people[:, column])) != people[:, column]).mean()
            ),
            "you compared the answers with the column: compare them with the answers about the unchanged people.",
        ),
        "one against zero": Mistake(
            lambda rule, people, column: float(
                abs(rule(people)[people[:, column] == 1].mean() - rule(people)[people[:, column] == 0].mean())
            ),
            "you compared two groups of *different* people: they may differ in other columns, too. Ask about the same people twice.",
        ),
    },
)

# --- 15b: the decisions alone --------------------------------------------------------------------------------


def _decision_cases() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Granted, promised and the group: zeros and ones."""
    rng = np.random.default_rng(2)
    cases = []
    for n, share in ((60, 0.2), (45, 0.5), (80, 0.7)):
        group, promised = rng.random(n) < share, rng.random(n) < 0.6
        granted = rng.random(n) < np.where(group, 0.35, 0.7)
        cases.append(tuple(v.astype(float) for v in (granted, promised, group)))
    return cases


def _shares(
    granted: np.ndarray, promised: np.ndarray, group: np.ndarray, of: Callable | None = None
) -> np.ndarray:
    """For each group the number of promised and granted, divided by `of(granted, promised, member)`."""
    of = of or (lambda granted, promised, member: (promised * member).sum())
    return np.array(
        [(granted * promised * member).sum() / of(granted, promised, member) for member in (1 - group, group)]
    )


def _of(divisor: Callable) -> Callable:
    return lambda granted, promised, group: _shares(granted, promised, group, divisor)


granted_shares = Exercise(
    name="granted_shares",
    difficulty=2,
    minutes=6,
    hints=(
        "Say the sentence aloud: of the people of group B *to whom the explanation promises a loan*, which share got one? What comes after “of” is the number to divide by.",
        "The numerator is right: granted, promised and in the group. By how many people may it be divided?",
        "Divide by `(promised * member).sum()`.",
    ),
    reference=_shares,
    given=_of(lambda granted, promised, member: (granted * promised).sum()),
    cases=_decision_cases,
    mistakes={
        "of the group": Mistake(
            _of(lambda granted, promised, member: member.sum()),
            "you divided by the whole group: those to whom nothing was promised do not belong into the count.",
        ),
        "of all": Mistake(
            _of(lambda granted, promised, member: len(granted)),
            "you divided by everybody: a small group then gets a small number even from a fair bank.",
        ),
        "of the promised": Mistake(
            _of(lambda granted, promised, member: promised.sum()),
            "you divided by the promised people of *both* groups: each group has its own number.",
        ),
        "of the granted": Mistake(
            _of(lambda granted, promised, member: (granted * member).sum()),
            "you divided by those of the group who got a loan: that says which share of the loans was promised.",
        ),
        "of all granted": Mistake(
            _of(lambda granted, promised, member: granted.sum()),
            "you divided by all loans: that says who has the loans, not how a group is treated.",
        ),
        "nothing promised": Mistake(
            lambda granted, promised, group: _shares(granted, np.ones_like(promised), group),
            "you left the promise out: two groups may differ in punctuality. Compare people to whom the same was promised.",
        ),
        "exchanged": Mistake(
            lambda *case: _shares(*case)[::-1],
            "group A comes first: you return the two shares in the other order.",
        ),
        "percent": Mistake(
            lambda *case: 100 * _shares(*case),
            "you return percents: a share lies between 0 and 1.",
        ),
        "refused": Mistake(
            lambda *case: 1 - _shares(*case),
            "these are the shares of the refused: the granted ones are asked for.",
        ),
    },
)

# --- 15b: how good a detector -----------------------------------------------------------------------------------


def _names_group(first: np.ndarray) -> float:
    return float(np.mean(first))


half_recognised = Question(
    name="half_recognised",
    difficulty=2,
    minutes=3,
    hints=(
        "LIME fits one straight line through all answers: the coefficient of a column is a weighted mean of what it is in both rules. Which of the two columns is then the larger one?",
        "It is not 0.4: the *coefficient* of the group is about 0.4, for everybody. Which column does LIME name first?",
    ),
    expected=_names_group,
    tolerance=0.15,
    within=(0, 1),
    examples=lambda: [(np.array([False] * 20),), (np.array([True] * 2 + [False] * 18),)],
    mistakes={
        "too high": Mistake(
            lambda answer, first: _is_share(answer) and answer > _names_group(first) + 0.15,
            "LIME names the group less often than you expect: it names the column with the larger coefficient, and more than half of its questions were answered by the innocent rule.",
            example=lambda first: 0.4,
        ),
        "not a share": Mistake(
            lambda answer, first: not _is_share(answer),
            "answer with a number between 0 and 1.",
            example=lambda first: 40,
        ),
    },
)
