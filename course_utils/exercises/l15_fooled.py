"""The exercises of lesson 15: a step of PGD, the unit of epsilon, transfer, and a second opinion."""

from __future__ import annotations

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
        "Whether another method draws the same map",
    ],
    correct=2,
    explanations=[
        "The attack was made to keep them: nothing is to be seen there.",
        "That test asks whether the method depends on the network. It still does.",
        "The attack was aimed at one formula. A second formula reads the same network in another way.",
    ],
)
