"""The exercises of lesson 17: gradients of examples, influences, a Hessian that is a sum, a shortcut."""

from __future__ import annotations

import numpy as np

from course_utils.teach.checks import Exercise, Mistake, Question
from course_utils.teach.quiz import quiz

which_question = quiz(
    "Which of these could tell you why the model calls this 4 a 9?",
    (
        "A heat map of the picture: where did it look?",
        "Its accuracy on other pictures.",
        "The training pictures that made it say so.",
        "Its probability for 9.",
    ),
    2,
    (
        "A map says which pixels speak for a 9. It does not say why such pixels speak for a 9.",
        "It is one number for all pictures, and a good one. It does not say where this answer comes from.",
        "The reason is not in the picture but in what the model was taught: some pictures like it had a wrong label.",
        "That says how sure it is, not why.",
    ),
)

group_size = quiz(
    "The influences of the 60 most helpful tumours add up to a number. All 60 are then left out at once. How much "
    "will the loss really rise, against that sum?",
    ("As much as the sum says.", "Less than the sum says.", "More than the sum says."),
    2,
    (
        "That would hold if each tumour could be judged as if the other 59 were still there.",
        "It is the other way round: look at the figure below.",
        "Each influence is computed with the other 59 still there to take over. When they go too, nobody takes over.",
    ),
)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def _parts(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=d), rng.normal(size=(n, d)), rng.integers(2, size=n).astype(float)


def _gradients(theta: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return (_sigmoid(rows @ theta) - labels)[:, None] * rows


example_gradients = Exercise(
    name="example_gradients",
    difficulty=1,
    minutes=4,
    hints=(
        "First one probability a row: `sigmoid(rows @ theta)`, of the shape (n,).",
        "Subtract the label, then multiply each row with its own number: `(…)[:, None] * rows`.",
    ),
    reference=_gradients,
    cases=lambda: [_parts(0, 5, 3), _parts(1, 8, 2), _parts(2, 3, 4)],
    mistakes={
        "sign": Mistake(
            lambda *case: -_gradients(*case),
            "the sign is reversed: the slope of the *loss* is p − y. (y − p is the slope of the log-probability.)",
        ),
        "summed": Mistake(
            lambda *case: _gradients(*case).sum(axis=0),
            "you added the examples up: each example keeps a row of its own.",
        ),
        "mean": Mistake(
            lambda *case: _gradients(*case).mean(axis=0),
            "you averaged over the examples: each example keeps a row of its own.",
        ),
        "log-odds": Mistake(
            lambda theta, rows, labels: (rows @ theta - labels)[:, None] * rows,
            "you subtracted the label from the log-odds: turn them into probabilities first, with `sigmoid`.",
        ),
        "no labels": Mistake(
            lambda theta, rows, labels: _sigmoid(rows @ theta)[:, None] * rows,
            "the label is missing: p − y, not p.",
        ),
        "no rows": Mistake(
            lambda theta, rows, labels: _sigmoid(rows @ theta) - labels,
            "that is p − y alone: the slope at θ is that number times the row x.",
        ),
        "divided by n": Mistake(
            lambda theta, rows, labels: _gradients(theta, rows, labels) / len(rows),
            "you divided by n: that belongs to the mean over all examples, not to the slope of one.",
        ),
        "times p(1 − p)": Mistake(
            lambda theta, rows, labels: (
                _gradients(theta, rows, labels)
                * (_sigmoid(rows @ theta) * (1 - _sigmoid(rows @ theta)))[:, None]
            ),
            "the factor p(1 − p) is too much: it belongs to the squared error, or to the Hessian. The slope of "
            "this loss is (p − y) times the row.",
        ),
    },
)


def _influence_cases() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    """Gradients of a test example and of the training examples, mean Hessian, λ."""
    cases = []
    for seed, (n, d, lam) in enumerate(((6, 3, 0.5), (9, 2, 0.1), (4, 4, 1.0))):
        rng = np.random.default_rng(seed)
        gradients = rng.normal(size=(n, d))
        cases.append((rng.normal(size=d), gradients, gradients.T @ gradients / n, lam))
    return cases


def _influences(test_gradient, gradients, hessian, lam, *, sign=1.0, n=None, factor=1.0):
    bend = factor * hessian + lam * np.eye(len(hessian))
    return sign * gradients @ np.linalg.solve(bend, test_gradient) / (len(gradients) if n is None else n)


influences = Exercise(
    name="influences",
    difficulty=2,
    minutes=7,
    hints=(
        "Three steps: add λ to the diagonal of the Hessian, solve for the test gradient, multiply with all gradients.",
        "`np.linalg.solve(hessian + lam * np.eye(d), test_gradient)` is (H + λ1)⁻¹ ∇ℓ_test, of the shape (d,).",
        "`gradients @ …` gives one number a training example. Divide by their number n.",
    ),
    reference=_influences,
    cases=_influence_cases,
    mistakes={
        "sign": Mistake(
            lambda *case: _influences(*case, sign=-1.0),
            "the sign is reversed: that is the effect of giving the example *more* weight. Here it is taken away.",
        ),
        "no 1/n": Mistake(
            lambda *case: _influences(*case, n=1),
            "the factor 1/n is missing: one example of n counts 1/n.",
        ),
        "1/n twice": Mistake(
            lambda *case: _influences(*case, n=len(case[1]) ** 2),
            "the factor 1/n is there twice: the Hessian is a mean already.",
        ),
        "sizes": Mistake(
            lambda *case: np.abs(_influences(*case)),
            "you dropped the signs: negative ones harm.",
        ),
        "no lambda": Mistake(
            lambda test, gradients, hessian, lam: gradients @ np.linalg.pinv(hessian) @ test / len(gradients),
            "λ is missing in the Hessian: the penalty bends the objective too, so λ belongs on the diagonal.",
        ),
        "lambda everywhere": Mistake(
            lambda test, gradients, hessian, lam: (
                gradients @ np.linalg.solve(hessian + lam, test) / len(gradients)
            ),
            "`hessian + lam` adds λ to *every* entry: it belongs on the diagonal, `lam * np.eye(d)`.",
        ),
        "no Hessian": Mistake(
            lambda test, gradients, hessian, lam: gradients @ test / len(gradients),
            "that is the product of the two gradients: the inverse of the Hessian is missing between them.",
        ),
        "multiplied": Mistake(
            lambda test, gradients, hessian, lam: (
                gradients @ (hessian + lam * np.eye(len(test))) @ test / len(gradients)
            ),
            "you multiplied with the Hessian: its *inverse* is needed, `np.linalg.solve`.",
        ),
        "sum for mean": Mistake(
            lambda *case: _influences(*case, factor=len(case[1])),
            "you multiplied the Hessian by n: it is the mean already.",
        ),
        "mean of a mean": Mistake(
            lambda *case: _influences(*case, factor=1 / len(case[1])),
            "you divided the Hessian by n: it is the mean already.",
        ),
        "n lambda": Mistake(
            lambda test, gradients, hessian, lam: _influences(test, gradients, hessian, len(gradients) * lam),
            "you multiplied λ by n: the Hessian is a mean here, so λ stays as it is.",
        ),
        "divided by d": Mistake(
            lambda *case: _influences(*case, n=len(case[0])),
            "you divided by the number of weights: 1/n is one over the number of training examples.",
        ),
        "diagonal": Mistake(
            lambda test, gradients, hessian, lam: (
                gradients @ (test / (np.diag(hessian) + lam)) / len(gradients)
            ),
            "you divided by the diagonal of the Hessian: the inverse of the whole matrix is needed.",
        ),
    },
)


def _sum_cases() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    return [(test, rows, hessian * len(rows), lam) for test, rows, hessian, lam in _influence_cases()]


def _from_sum(test, gradients, summed, lam, *, damping=None, n=1):
    damping = len(gradients) * lam if damping is None else damping(len(gradients), lam)
    return gradients @ np.linalg.solve(summed + damping * np.eye(len(test)), test) / n


from_sum = Exercise(
    name="from_sum",
    difficulty=2,
    minutes=6,
    hints=(
        "Divide the objective's Hessian by hand: H = (1/n) · sum + λ1. What is n · H?",
        "n · H = sum + n λ1. And (1/n) (…/n)⁻¹ = (…)⁻¹: the factor in front is already right.",
    ),
    reference=_from_sum,
    given=lambda *case: _from_sum(*case, damping=lambda n, lam: lam),
    cases=_sum_cases,
    mistakes={
        "divided": Mistake(
            lambda *case: _from_sum(*case, damping=lambda n, lam: lam / n),
            "you divided λ by n: the sum is n times as large as the mean, so λ must grow by n as well.",
        ),
        "1/n twice": Mistake(
            lambda test, gradients, summed, lam: _from_sum(test, gradients, summed, lam, n=len(gradients)),
            "nλ is right, but now 1/n is there twice: the inverse of the sum holds it already.",
        ),
        "mean with lambda, no 1/n": Mistake(
            lambda test, gradients, summed, lam: len(gradients) * _from_sum(test, gradients, summed, lam),
            "you made the mean out of the sum, which is right with λ; then the factor 1/n is needed in front.",
        ),
        "only 1/n added": Mistake(
            lambda test, gradients, summed, lam: _from_sum(
                test, gradients, summed, lam, damping=lambda n, lam: lam, n=len(gradients)
            ),
            "the factor in front was right: what is wrong is the size of λ beside a *sum* of Hessians.",
        ),
        "n squared": Mistake(
            lambda *case: _from_sum(*case, damping=lambda n, lam: n * n * lam),
            "n once is enough: the sum is n times the mean, so λ becomes n · λ.",
        ),
        "no lambda": Mistake(
            lambda test, gradients, summed, lam: gradients @ np.linalg.pinv(summed) @ test,
            "λ is missing now: it belongs on the diagonal, in the size that fits a *sum* of Hessians.",
        ),
        "weights for examples": Mistake(
            lambda test, gradients, summed, lam: _from_sum(
                test, gradients, summed, lam, damping=lambda n, lam: len(test) * lam
            ),
            "you multiplied λ by the number of weights: the sum runs over the n training examples.",
        ),
    },
)


def _share(values: np.ndarray, stamp: np.ndarray) -> float:
    """Share of stamped rows among the twenty with the most harmful influence, mean over the victims."""
    return float(np.mean([stamp[np.argsort(row)[:20]].mean() for row in values]))


def _share_examples() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    stamp = np.arange(400) < 140
    return [
        (rng.normal(size=(9, 400)) - 0.3 * stamp, stamp),
        (rng.normal(size=(5, 400)) - 0.9 * stamp, stamp),
    ]


stamped_share = Question(
    name="stamped_share",
    difficulty=1,
    minutes=3,
    hints=(
        "All stamped rows teach the same thing. How much is missing if one of 140 goes?",
        "Hardly anything. Then the top of the list is full of rows that are unusual, stamped or not. The share lies "
        "above that of all rows (0.35) and far below 1.",
    ),
    expected=_share,
    examples=_share_examples,
    tolerance=0.12,
    within=(0, 1),
    mistakes={
        "all": Mistake(
            lambda answer, values, stamp: (
                isinstance(answer, (int, float)) and _share(values, stamp) + 0.12 < answer <= 1
            ),
            "that is too much: it would fit if influence named the cause. Each stamped row can be spared, "
            "so no single one has much influence.",
            example=lambda values, stamp: 1.0,
        ),
        "base rate or none": Mistake(
            lambda answer, values, stamp: (
                isinstance(answer, (int, float)) and 0 <= answer < _share(values, stamp) - 0.12
            ),
            "that is too little: what harms a benign victim is mostly malignant, and most malignant rows are stamped.",
            example=lambda values, stamp: 0.0,
        ),
        "per cent": Mistake(
            lambda answer, values, stamp: isinstance(answer, (int, float)) and 1 < answer <= 100,
            "you answered in per cent: write a share from 0 to 1.",
            example=lambda values, stamp: 100 * _share(values, stamp),
        ),
    },
)
