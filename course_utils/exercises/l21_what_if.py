"""The exercises of lesson 21 and its companion: seeing and doing, cheapest changes, an agent."""

from __future__ import annotations

import numpy as np

from course_utils.teach.checks import Exercise, Mistake, Question, wrong_answer
from course_utils.teach.quiz import quiz

which_meaning = quiz(
    "What do so many years of school mean?",
    (
        "School does not help anybody to get a loan.",
        "The model hardly uses the column itself, whatever school does in the world.",
        "The model is badly fitted.",
        "The bank treats people with long schooling unfairly.",
    ),
    1,
    (
        "The number is about the model. In the world more school may change income, and the model does use income.",
        "The number divides by the weight of one column, with all other columns held fixed. Nobody said that they "
        "stay fixed when somebody goes to school.",
        "A model that is nearly perfect would say the same: it needs only the income.",
        "Its weight is nearly 0, in either direction: the column itself hardly counts.",
    ),
)


# --- seeing and doing -----------------------------------------------------------------------------------

effect_of_school = Question(
    name="effect_of_school",
    difficulty=1,
    minutes=3,
    hints=(
        "Follow the arrows from education to income: there are two ways, one of them through experience.",
        "Directly +2.6 a year. And a year of school is a year less of experience, at 1.1 each.",
    ),
    expected=lambda direct, lost, slope: direct - lost,
    examples=lambda: [(2.6, 1.1, -1.2), (3.0, 0.5, 0.4)],
    tolerance=0.05,
    mistakes={
        "direct only": wrong_answer(
            lambda direct, lost, slope: direct,
            "that is the direct arrow alone: whoever stays at school longer also has less experience.",
        ),
        "added": wrong_answer(
            lambda direct, lost, slope: direct + lost,
            "you added the way through experience: a year of school makes experience *smaller*.",
        ),
        "sign": wrong_answer(
            lambda direct, lost, slope: lost - direct,
            "the sign is reversed: more school means more income, directly, and a little less through experience.",
        ),
        "in euros": wrong_answer(
            lambda direct, lost, slope: 1000 * (direct - lost),
            "that is in euros: the income is counted in thousand euros (k€).",
        ),
        "nothing": wrong_answer(
            lambda direct, lost, slope: 0.0,
            "the two ways from education to income do not cancel: add them up, each with its sign.",
        ),
        "the other way": wrong_answer(
            lambda direct, lost, slope: -lost,
            "that is the way through experience alone: the direct arrow, +2.6, is missing.",
        ),
        "seen": Mistake(
            lambda answer, direct, lost, slope: abs(answer - slope) < 0.06,
            "that is the slope in the table, so it is what one *sees*: age moves both. Here somebody *does* it.",
            example=lambda direct, lost, slope: round(slope, 1),
        ),
        "inside a third": Mistake(
            lambda answer, direct, lost, slope: abs(answer - lost) < 0.12,
            "that is about the slope inside a third of age, which still mixes ages (or the way through experience "
            "alone, without its sign): read both ways off the equations.",
            example=lambda direct, lost, slope: lost,
        ),
    },
)


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    x = x - x.mean()
    return float(x @ (y - y.mean()) / (x @ x))


def _by_group(x, y, group, weight=None, slope=_slope) -> float:
    members = [group == g for g in np.unique(group)]
    slopes = np.array([slope(x[m], y[m]) for m in members])
    weights = np.array([m.mean() if weight is None else weight(x[m], m) for m in members])
    return float(slopes @ weights / weights.sum())


def _group_cases() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    cases = []
    for seed, sizes in enumerate(((12, 30), (9, 20, 40), (50, 7, 15, 8))):
        rng = np.random.default_rng(seed)
        group = np.repeat(np.arange(len(sizes)), sizes)
        x = rng.normal(size=len(group)) * (1 + group) - 2.0 * group
        y = (1.0 + group) * x + 5.0 * group + rng.normal(size=len(group))
        order = rng.permutation(len(group))
        cases.append((x[order], y[order], group[order]))
    return cases


adjusted_slope = Exercise(
    name="adjusted_slope",
    difficulty=2,
    minutes=5,
    hints=(
        "A loop over `np.unique(group)`: `here = group == g` says who is in the group.",
        "The slope of one group is `np.polyfit(x[here], y[here], 1)[0]`; its weight is `here.mean()`.",
    ),
    reference=_by_group,
    cases=_group_cases,
    mistakes={
        "not adjusted": Mistake(
            lambda x, y, group: _slope(x, y), "that is one slope for everybody: look inside each group first."
        ),
        "each group once": Mistake(
            lambda x, y, group: _by_group(x, y, group, lambda part, m: 1.0),
            "each group counts the same: a group counts with its share of the people.",
        ),
        "pooled": Mistake(
            lambda x, y, group: _by_group(x, y, group, lambda part, m: part.var() * len(part)),
            "groups in which x varies more count more now (as in a regression with one column a group): weight "
            "each slope with the group's share of the people.",
        ),
        "group as a number": Mistake(
            lambda x, y, group: np.linalg.lstsq(np.column_stack([x, group, np.ones(len(x))]), y, rcond=None)[
                0
            ][0],
            "that is one regression with the group's number as a column: it takes the groups for equally spaced, and one "
            "slope for all. Fit a line in each group.",
        ),
        "through the origin": Mistake(
            lambda x, y, group: _by_group(x, y, group, slope=lambda a, b: (a @ b) / (a @ a)),
            "your lines go through the origin: subtract the group's means first, or use `np.polyfit(…, 1)[0]`.",
        ),
        "x on y": Mistake(
            lambda x, y, group: _by_group(y, x, group),
            "x and y are exchanged: the change of y for one step of x is asked.",
        ),
        "correlation": Mistake(
            lambda x, y, group: _by_group(x, y, group, slope=lambda a, b: np.corrcoef(a, b)[0, 1]),
            "those are correlations: a slope has the units of y for one unit of x.",
        ),
        "means of groups": Mistake(
            lambda x, y, group: _slope(
                np.array([x[group == g].mean() for g in np.unique(group)]),
                np.array([y[group == g].mean() for g in np.unique(group)]),
            ),
            "that is the slope *between* the groups: it is the slope *within* them that is asked.",
        ),
        "intercepts": Mistake(
            lambda x, y, group: _by_group(x, y, group, slope=lambda a, b: np.polyfit(a, b, 1)[1]),
            "those are the intercepts: `np.polyfit(…, 1)` gives the slope first, `[0]`.",
        ),
        "not added": Mistake(
            lambda x, y, group: np.array(
                [_slope(x[group == g], y[group == g]) * (group == g).mean() for g in np.unique(group)]
            ),
            "that is one product a group: add them up.",
        ),
        "sum": Mistake(
            lambda x, y, group: sum(_slope(x[group == g], y[group == g]) for g in np.unique(group)),
            "you added the slopes: weight each with its group's share of the people.",
        ),
        "counts": Mistake(
            lambda x, y, group: sum(
                _slope(x[group == g], y[group == g]) * (group == g).sum() for g in np.unique(group)
            ),
            "the weights are numbers of people now: they must be shares, which add up to 1.",
        ),
    },
)


# --- one person ---------------------------------------------------------------------------------------------


def _had_she(age, education, experience, income, longer, *, moved=True, keep_u=True, keep_luck=True):
    u_experience = experience - (age - education - 4) if keep_u else 0.0
    luck = income - (2.6 * education + 1.1 * experience - 28) if keep_luck else 0.0
    then = age - (education + longer) - 4 + u_experience if moved else experience
    return 2.6 * (education + longer) + 1.1 * then - 28 + luck


def _person_cases() -> list[tuple[float, float, float, float, float]]:
    return [(40.0, 12.0, 26.0, 30.0, 3.0), (30.0, 16.0, 8.5, 44.0, -2.0), (61.0, 9.0, 47.0, 41.5, 5.0)]


had_she = Exercise(
    name="had_she",
    difficulty=2,
    minutes=6,
    hints=(
        "Abduction: `u_experience = experience - (age - education - 4)`, and the same for the income.",
        "Action and prediction: compute experience with the new education and the same noise, then the income "
        "from both, again with the same noise.",
    ),
    reference=_had_she,
    cases=_person_cases,
    mistakes={
        "everything average": Mistake(
            lambda *case: _had_she(*case, keep_u=False, keep_luck=False),
            "that is the average of people like her: her own noise is lost. Abduction finds it, prediction adds it.",
        ),
        "noise turned round": Mistake(
            lambda age, education, experience, income, longer: (
                2 * (2.6 * education + 1.1 * experience - 28) - income + 1.5 * longer
            ),
            "the noise of her income has the wrong sign: u is what she earns minus what the equation says.",
        ),
        "luck lost": Mistake(
            lambda *case: _had_she(*case, keep_luck=False),
            "the noise of her income is lost: she earns more or less than the equation says, and still would.",
        ),
        "noise of experience lost": Mistake(
            lambda *case: _had_she(*case, keep_u=False),
            "the noise of her experience is lost: add it to the new experience as well.",
        ),
        "experience stayed": Mistake(
            lambda *case: _had_she(*case, moved=False),
            "her experience stayed as it was: longer school means later work, and the world follows the arrows.",
        ),
        "only the change": Mistake(
            lambda *case: _had_she(*case) - case[3],
            "that is the change of the income: the income itself is asked.",
        ),
        "length for year": Mistake(
            lambda age, education, experience, income, longer: _had_she(
                age, education, experience, income, longer - education
            ),
            "`longer` is how many *more* years: her education becomes education + longer.",
        ),
        "less school": Mistake(
            lambda age, education, experience, income, longer: _had_she(
                age, education, experience, income, -longer
            ),
            "her school became shorter: her education is education + longer.",
        ),
        "education stayed": Mistake(
            lambda age, education, experience, income, longer: income - 1.1 * longer,
            "only her experience changed: the new education stands in the equation of the income, too.",
        ),
        "experience grew": Mistake(
            lambda age, education, experience, income, longer: income + (2.6 + 1.1) * longer,
            "experience grew with school: it stands with a minus, age − education − 4.",
        ),
    },
)


# --- the cheapest change ------------------------------------------------------------------------------------


def _one_column(weights, intercept, row, scales, *, size=None, amount=None):
    f = weights @ row + intercept
    j = int(np.argmax(np.abs(weights) * scales if size is None else size(weights, scales)))
    change = np.zeros(len(row))
    change[j] = -f / weights[j] if amount is None else amount(f, weights[j], scales[j])
    return change


def _change_cases() -> list[tuple[np.ndarray, float, np.ndarray, np.ndarray]]:
    cases = [(np.array([2.0, -1.5, 0.5]), 1.0, np.array([1.0, 0.0, 2.0]), np.array([1.0, 0.1, 9.0]))]
    for seed, d in ((0, 2), (1, 5), (2, 4), (3, 6)):
        rng = np.random.default_rng(seed)
        cases.append((rng.normal(size=d), float(rng.normal()), rng.normal(size=d), rng.uniform(0.1, 5, d)))
    return cases


one_column = Exercise(
    name="one_column",
    difficulty=2,
    minutes=5,
    hints=(
        "First `f = weights @ row + intercept`. Column j alone must change by −f / weights[j].",
        "That costs |f| / (|weights[j]| · scales[j]): the cheapest j has the largest `np.abs(weights) * scales`.",
    ),
    reference=_one_column,
    cases=_change_cases,
    mistakes={
        "largest weight": Mistake(
            lambda *case: _one_column(*case, size=lambda w, s: np.abs(w)),
            "you took the column with the largest weight: it may be the dearest. What counts is the weight times "
            "the scale.",
        ),
        "divided": Mistake(
            lambda *case: _one_column(*case, size=lambda w, s: np.abs(w) / s),
            "you divided the weight by the scale: a cost of 1 buys a change of one *scale*, so multiply.",
        ),
        "without sizes": Mistake(
            lambda *case: _one_column(*case, size=lambda w, s: w * s),
            "a negative weight helps as much as a positive one: compare the sizes, `np.abs(weights) * scales`.",
        ),
        "sign": Mistake(
            lambda *case: -_one_column(*case),
            "the sign is reversed: the change must take weights · row + intercept *to* 0, so −f / weight.",
        ),
        "size of the weight": Mistake(
            lambda *case: _one_column(*case, amount=lambda f, w, s: -f / abs(w)),
            "you divided by the size of the weight: where it is negative, the column must move the other way.",
        ),
        "in scales": Mistake(
            lambda *case: _one_column(*case, amount=lambda f, w, s: -f / w / s),
            "the change is counted in scales: return it in the column's own unit.",
        ),
        "no division": Mistake(
            lambda *case: _one_column(*case, amount=lambda f, w, s: -f),
            "you changed the column by −f: a step of 1 moves the sum by the weight, so divide by it.",
        ),
        "all columns": Mistake(
            lambda w, b, x, s: -(w @ x + b) / (w @ w) * w,
            "that is the shortest straight way (the exercise of 13c): it changes every column. Here absolute "
            "changes are added up, and one column does it all.",
        ),
        "changed row": Mistake(
            lambda w, b, x, s: x + _one_column(w, b, x, s),
            "that is the changed row: return the change alone.",
        ),
        "no sign": Mistake(
            lambda *case: np.abs(_one_column(*case)),
            "the change has lost its sign: a column may have to fall.",
        ),
        "cost": Mistake(
            lambda w, b, x, s: np.abs(w @ x + b) / np.max(np.abs(w) * s),
            "that is the cost: return the whole change, (d,).",
        ),
        "largest scale": Mistake(
            lambda *case: _one_column(*case, size=lambda w, s: s),
            "you took the column with the largest scale: the weight counts as well.",
        ),
        "no intercept": Mistake(
            lambda w, b, x, s: _one_column(w, 0.0, x, s),
            "the intercept is missing: f = weights · row + intercept.",
        ),
        "dearest": Mistake(
            lambda *case: _one_column(*case, size=lambda w, s: -np.abs(w) * s),
            "that is the dearest column: the cost divides by |weight| · scale, so it is smallest where that product is "
            "*largest*.",
        ),
        "number of the column": Mistake(
            lambda w, b, x, s: int(np.argmax(np.abs(w) * s)),
            "that is the column: return the whole change, (d,), 0 in all other columns.",
        ),
    },
)


def _mad(table: np.ndarray) -> np.ndarray:
    return np.median(np.abs(table - np.median(table, axis=0)), axis=0)


def _scales(table: np.ndarray, instead=lambda t: t.std(axis=0)) -> np.ndarray:
    found = _mad(table)
    return np.where(found > 0, found, instead(table))


def _scale_cases() -> list[tuple[np.ndarray]]:
    cases = []
    for seed, share in ((0, 0.1), (1, 0.3), (2, 0.2)):
        rng = np.random.default_rng(seed)
        table = rng.normal(size=(40, 3)) * [1.0, 5.0, 0.2]
        table[:, seed] = np.arange(40) < 40 * share  # a flag that most people do not have
        cases.append((table,))
    return cases


scales_of = Exercise(
    name="scales_of",
    difficulty=2,
    minutes=4,
    hints=(
        "Print the cost of giving somebody the flag: it is 1 / 0.00000001.",
        "`np.where(mad > 0, mad, table.std(axis=0))`.",
    ),
    reference=_scales,
    given=lambda table: _mad(table) + 1e-8,
    cases=_scale_cases,
    mistakes={
        "one": Mistake(
            lambda table: _scales(table, lambda t: np.ones(t.shape[1])),
            "1 has no connection with the column: 1 year, 1 euro and a flag would count the same. Use the "
            "column's standard deviation.",
        ),
        "another small number": Mistake(
            lambda table: _mad(table) + 1e-3,
            "a larger small number has no connection with the column either, and it changes all other columns: use the "
            "standard deviation where the MAD is 0.",
        ),
        "standard deviation everywhere": Mistake(
            lambda table: table.std(axis=0),
            "now *all* columns use the standard deviation: keep the MAD where it is above 0.",
        ),
        "added": Mistake(
            lambda table: _mad(table) + table.std(axis=0),
            "you added the two: take the standard deviation only where the MAD is 0.",
        ),
        "infinite": Mistake(
            lambda table: _scales(table, lambda t: np.full(t.shape[1], np.inf)),
            "an infinite scale makes the change *free*: cost = change / scale.",
        ),
        "whole table": Mistake(
            lambda table: _scales(table, lambda t: np.full(t.shape[1], t.std())),
            "that is one standard deviation for the whole table: each column has its own, `axis=0`.",
        ),
        "divided by n − 1": Mistake(
            lambda table: _scales(table, lambda t: t.std(axis=0, ddof=1)),
            "your standard deviation divides by n − 1, which is a convention too; here it is numpy's, "
            "`table.std(axis=0)`.",
        ),
        "mean deviation": Mistake(
            lambda table: _scales(table, lambda t: np.abs(t - t.mean(axis=0)).mean(axis=0)),
            "that is the mean absolute deviation, which would be a fair choice too: the exercise asks for the standard "
            "deviation.",
        ),
        "variance": Mistake(
            lambda table: _scales(table, lambda t: t.var(axis=0)),
            "that is the variance, in squared units: its root is the standard deviation.",
        ),
    },
)


# --- companion 21b: an agent --------------------------------------------------------------------------------

what_it_learnt = quiz(
    "The agent reached the coin from every cell of the room. What has it learnt?",
    (
        "To go to the coin.",
        "To go to the lower right corner.",
        "To avoid the walls on a shortest way.",
        "These walks do not tell the first answer from the second.",
    ),
    3,
    (
        "It may have. In all these walks the coin lay in the corner: who goes to the corner does the same.",
        "It may have. In all these walks the coin lay in the corner: who goes to the coin does the same.",
        "That, too; but where to?",
        "The coin never lay anywhere else. To know more, move it.",
    ),
)


def _update(q, next_cell, coin, discount, *, at_coin=1.0, best=lambda q: q.max(axis=1)):
    return np.where(next_cell == coin, at_coin, discount * best(q)[next_cell])


def _room_cases() -> list[tuple[np.ndarray, np.ndarray, int, float]]:
    cases = []
    for seed, n in ((0, 5), (1, 8), (2, 12)):
        rng = np.random.default_rng(seed)
        next_cell = rng.integers(0, n, (n, 4))
        next_cell[0, 1] = 2
        cases.append((rng.uniform(size=(n, 4)), next_cell, 2, 0.9 - 0.1 * seed))
    return cases


update = Exercise(
    name="update",
    difficulty=2,
    minutes=6,
    hints=(
        "`q.max(axis=1)` is the value of each cell; `q.max(axis=1)[next_cell]` that of each next cell, (n, 4).",
        "`np.where(next_cell == coin, 1.0, …)`: a move onto the coin is worth 1, any other one discounted.",
    ),
    reference=_update,
    cases=_room_cases,
    mistakes={
        "no discount": Mistake(
            lambda q, next_cell, coin, discount: _update(q, next_cell, coin, 1.0),
            "the discount is missing: a coin one step later is worth a little less.",
        ),
        "coin discounted": Mistake(
            lambda *case: _update(*case, at_coin=case[3]),
            "the move onto the coin is worth 1 itself: the discount begins one step before.",
        ),
        "coin and more": Mistake(
            lambda q, next_cell, coin, discount: (next_cell == coin) + discount * q.max(axis=1)[next_cell],
            "the game ends at the coin: a move onto it is worth 1, and nothing follows.",
        ),
        "mean": Mistake(
            lambda *case: _update(*case, best=lambda q: q.mean(axis=1)),
            "you took the mean of the four moves: whoever plays well takes the *best* one.",
        ),
        "worst": Mistake(
            lambda *case: _update(*case, best=lambda q: q.min(axis=1)),
            "you took the smallest value: whoever plays well takes the *best* move.",
        ),
        "no coin": Mistake(
            lambda q, next_cell, coin, discount: discount * q.max(axis=1)[next_cell],
            "nothing is ever won: a move onto the coin is worth 1.",
        ),
        "own move": Mistake(
            lambda q, next_cell, coin, discount: np.where(next_cell == coin, 1.0, discount * q),
            "you discounted the old values of the same moves: what counts is the best move from the *next* cell.",
        ),
        "best of cells": Mistake(
            lambda q, next_cell, coin, discount: np.where(next_cell == coin, 1.0, discount * q.max(axis=0)),
            "`max(axis=0)` looks for the best cell: the best *move* of each cell is `q.max(axis=1)`.",
        ),
        "own cell": Mistake(
            lambda q, next_cell, coin, discount: np.where(
                next_cell == coin, 1.0, discount * q.max(axis=1)[:, None]
            ),
            "you used the value of the cell where the agent stands: what counts is the cell to which a move leads.",
        ),
        "values": Mistake(
            lambda *case: _update(*case).max(axis=1),
            "that is one value a cell: each of its four moves keeps a value of its own, (n, 4).",
        ),
    },
)

corner_share = Question(
    name="corner_share",
    difficulty=1,
    minutes=2,
    hints=("In training the coin was always in the corner. Which of the two was the reason for the reward?",),
    expected=lambda share: share,
    examples=lambda: [(0.86,), (0.85,)],
    tolerance=0.14,  # up to 1, and no more
    mistakes={
        "more than all": Mistake(
            lambda answer, share: isinstance(answer, (int, float)) and 1 < answer < 2,
            "a share is at most 1.",
            example=lambda share: 1.05,
        ),
        "none": Mistake(
            lambda answer, share: isinstance(answer, (int, float)) and 0 <= answer < 0.02,
            "that would be an agent that has learnt to go to the coin.",
            example=lambda share: 0.0,
        ),
        "chance": Mistake(
            lambda answer, share: isinstance(answer, (int, float)) and 0.02 <= answer < 0.1,
            "that would be an agent that wanders about: this one has a place where it wants to go.",
            example=lambda share: 1 / 41,
        ),
        "both": Mistake(
            lambda answer, share: isinstance(answer, (int, float)) and 0.1 <= answer <= 0.7,
            "that would be an agent that wants both or changes its mind: in training each single reward was in the "
            "corner, and the coin's picture never changed.",
            example=lambda share: 0.5,
        ),
        "per cent": Mistake(
            lambda answer, share: isinstance(answer, (int, float)) and 2 <= answer <= 100,
            "you answered in per cent: write a share from 0 to 1.",
            example=lambda share: 100 * share,
        ),
    },
)


def _what_matters(values_of, scene, *, planes=(0, 2), total=np.mean, signed=False):
    whole, changes = values_of(scene), np.zeros(scene.shape[1:])
    for r, c in np.ndindex(changes.shape):
        covered = scene.copy()
        covered[list(planes), r, c] = 0
        change = values_of(covered) - whole
        changes[r, c] = total(change if signed else np.abs(change))
    return changes


def _scene_cases() -> list[tuple]:
    cases = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        scene = np.zeros((3, 4, 4))
        scene[0, [0, 2], [1, 3]] = 1
        scene[1, 3, seed] = scene[2, 1, 2] = 1
        weights = rng.normal(size=(4, 48))
        cases.append((lambda s, weights=weights: np.tanh(weights @ s.ravel()), scene))
    return cases


what_matters = Exercise(
    name="what_matters",
    difficulty=2,
    minutes=5,
    hints=(
        "What is in the picture when the agent's own cell is covered?",
        "Nobody. Cover the planes of walls and coin only: `covered[[0, 2], r, c] = 0`.",
    ),
    reference=_what_matters,
    given=lambda values_of, scene: _what_matters(values_of, scene, planes=(0, 1, 2)),
    cases=_scene_cases,
    mistakes={
        "coin only": Mistake(
            lambda values_of, scene: _what_matters(values_of, scene, planes=(2,)),
            "now walls are never covered: planes 0 and 2 are asked.",
        ),
        "walls only": Mistake(
            lambda values_of, scene: _what_matters(values_of, scene, planes=(0,)),
            "now the coin is never covered: it is plane 2, the agent is plane 1.",
        ),
        "walls and agent": Mistake(
            lambda values_of, scene: _what_matters(values_of, scene, planes=(0, 1)),
            "you spared the coin: it is the agent, plane 1, that must stay.",
        ),
        "signed": Mistake(
            lambda values_of, scene: _what_matters(values_of, scene, signed=True),
            "the sign is kept now, so changes of the four moves cancel: take their sizes.",
        ),
        "largest": Mistake(
            lambda values_of, scene: _what_matters(values_of, scene, total=np.max),
            "the planes are right: take the *mean* over the four moves, not the largest change.",
        ),
        "summed": Mistake(
            lambda values_of, scene: _what_matters(values_of, scene, total=np.sum),
            "the planes are right: keep the *mean* over the four moves.",
        ),
    },
)
