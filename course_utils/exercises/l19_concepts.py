"""The exercises of lesson 19: correct concepts, hidden beaks, derivatives along a concept, a test, prototypes."""

from __future__ import annotations

import numpy as np

from course_utils.teach.checks import Exercise, Mistake, Question
from course_utils.teach.quiz import quiz

why_beak = quiz(
    "No beak can be seen in these pictures. From what did the model conclude “beak”?",
    (
        "From a beak that is visible somewhere in each of these pictures.",
        "From other parts of the bird, which mostly went together with a beak in the training pictures.",
        "From nothing in the picture: it says “beak” at random, of any kind of object.",
    ),
    1,
    (
        "The renderer knows each pixel: no pixel of these pictures shows a beak.",
        "The rest tells that it is a bird, and most birds in the training pictures show a beak. The training rewards "
        "the right answer, wherever it comes from. Section 5 tests it: it covers beaks.",
        "Then it would say “beak” of fish and of cars as often as of these birds. Of other classes it says “beak” "
        "hardly ever.",
    ),
)

random_words = quiz(
    "Now the 22 words are replaced by words without meaning: each stands for some classes drawn at random. How well "
    "will the bottleneck name the classes?",
    (
        "No better than chance, which is one class in ten.",
        "Better than chance, but it names at least 5 % fewer of the pictures than with real words.",
        "About as well as with real words: it loses less than 5 % of the pictures.",
    ),
    2,
    (
        "The words mean nothing to you. For the second step it is enough that they tell the classes apart.",
        "It loses next to nothing: look at the output of the cell below.",
        "A random word is a code for classes, and codes can be learnt. So the accuracy of the class does not show that "
        "the words mean something.",
    ),
)


# --- intervention -----------------------------------------------------------------------------------------


def _correction_cases() -> list[tuple[np.ndarray, np.ndarray, int]]:
    cases = []
    for seed, (n, k, many) in enumerate(((4, 5, 2), (3, 7, 3), (6, 4, 1))):
        rng = np.random.default_rng(seed)
        cases.append((rng.random((n, k)), (rng.random((n, k)) < 0.5).astype(float), many))
    return cases


def _corrected(said, truth, n, *, order=None, value=None):
    order = np.argsort(np.abs(said - 0.5), axis=1) if order is None else order(said)
    result, rows = said.copy(), np.arange(len(said))[:, None]
    new = truth if value is None else value(said, truth)
    result[rows, order[:, :n]] = new[rows, order[:, :n]]
    return result


def _in_all_rows(said, truth, n):
    columns, result = np.argsort(np.abs(said - 0.5), axis=1)[:, :n], said.copy()
    result[:, columns] = truth[:, columns]
    return result


def _of_all_together(said, truth, n):
    result, least = said.copy(), np.argsort(np.abs(said - 0.5), axis=None)[:n]
    result.flat[least] = truth.flat[least]
    return result


def _in_each_column(said, truth, n):
    return _corrected(said.T, truth.T, n).T


corrected = Exercise(
    name="corrected",
    difficulty=2,
    minutes=7,
    hints=(
        "Least sure means nearest to 0.5: `np.argsort(np.abs(said - 0.5), axis=1)[:, :n]` gives n columns for each row.",
        "Work on a copy. `rows = np.arange(len(said))[:, None]`; then `copy[rows, columns]` is those n numbers of each row.",
        "`copy[rows, columns] = truth[rows, columns]`, and return the copy.",
    ),
    reference=_corrected,
    cases=_correction_cases,
    mistakes={
        "surest": Mistake(
            lambda said, truth, n: _corrected(
                said, truth, n, order=lambda s: np.argsort(-np.abs(s - 0.5), axis=1)
            ),
            "you corrected the concepts of which the model is *most* sure: those are right already. Sort from near 0.5 on.",
        ),
        "smallest": Mistake(
            lambda said, truth, n: _corrected(said, truth, n, order=lambda s: np.argsort(s, axis=1)),
            "you took the smallest probabilities. A probability near 0 is a sure “no”: least sure is nearest to 0.5.",
        ),
        "first columns": Mistake(
            lambda said, truth, n: _corrected(
                said, truth, n, order=lambda s: np.tile(np.arange(s.shape[1]), (len(s), 1))
            ),
            "you corrected the first n concepts: each picture has its own n least sure ones.",
        ),
        "the same for all": Mistake(
            lambda said, truth, n: _corrected(
                said,
                truth,
                n,
                order=lambda s: np.tile(np.argsort(np.abs(s - 0.5).mean(axis=0)), (len(s), 1)),
            ),
            "you corrected the same concepts in all pictures: sort along axis 1, for each picture by itself.",
        ),
        "all": Mistake(
            lambda said, truth, n: truth.copy(),
            "you corrected all concepts: only n of each picture are asked for.",
        ),
        "half": Mistake(
            lambda said, truth, n: _corrected(said, truth, n, value=lambda s, t: np.full_like(s, 0.5)),
            "you put 0.5 in, as if nobody knew: a person puts in the *truth*.",
        ),
        "all that are wrong": Mistake(
            lambda said, truth, n: np.where((said > 0.5) != truth, truth, said),
            "you corrected every wrong answer. Nobody knows them before the person has looked: choose n by `said` alone.",
        ),
        "rounded": Mistake(
            lambda said, truth, n: _corrected(said, truth, n, value=lambda s, t: s.round()),
            "you rounded the model's own answers: a person puts in the *truth*.",
        ),
        "others": Mistake(
            lambda said, truth, n: _corrected(said, truth, said.shape[1] - n, order=_from_sure),
            "you corrected all but the n least sure ones: it is the other way round.",
        ),
        "looked at the truth": Mistake(
            lambda said, truth, n: _corrected(
                said, truth, n, order=lambda s: np.argsort(-np.abs(s - truth), axis=1)
            ),
            "you chose the concepts that are most wrong. Nobody knows them before the person has looked: choose by "
            "`said` alone.",
        ),
        "of all together": Mistake(
            _of_all_together,
            "you corrected the n least sure numbers of all pictures together: n in *each* row, so sort with `axis=1`.",
        ),
        "in each column": Mistake(
            _in_each_column,
            "you chose n pictures for each concept: n concepts of each *picture* are asked for, so sort with `axis=1`.",
        ),
        "columns of all rows": Mistake(
            _in_all_rows,
            "you corrected in every picture the columns chosen for any of them: index rows and columns together, "
            "`copy[rows, columns]`.",
        ),
    },
)


def _from_sure(said: np.ndarray) -> np.ndarray:
    return np.argsort(-np.abs(said - 0.5), axis=1)


# --- hidden parts -----------------------------------------------------------------------------------------


def _claimed(said: np.ndarray, hidden: np.ndarray) -> float:
    return float((said[hidden] > 0.5).mean())


def _claim_examples() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    hidden = rng.random((200, 5)) < 0.3
    return [(np.clip(rng.normal(0.55, 0.2, (200, 5)), 0, 1), hidden)]


share_claimed = Question(
    name="share_claimed",
    difficulty=1,
    minutes=2,
    hints=(
        "If the detector looked at the part, it could not know of it: the share would be near 0. If it only knew the "
        "class, the share would be near 1.",
        "It is something between: about half.",
    ),
    expected=_claimed,
    examples=_claim_examples,
    tolerance=0.15,
    mistakes={
        "none": Mistake(
            lambda answer, said, hidden: isinstance(answer, int | float) and 0 <= answer <= 0.1,
            "none or hardly any would be right if each detector looked at its part. They learnt whatever goes "
            "together with it.",
            example=lambda said, hidden: 0.0,
        ),
        "all": Mistake(
            lambda answer, said, hidden: isinstance(answer, int | float) and 0.9 <= answer <= 1,
            "nearly all would be right if the detectors knew the class and nothing else. They do see something of "
            "the parts.",
            example=lambda said, hidden: 1.0,
        ),
        "too few": Mistake(
            lambda answer, said, hidden: (
                isinstance(answer, int | float) and 0.1 < answer < _claimed(said, hidden)
            ),
            "it claims more than that: the rest of the object is there, and it is often enough.",
            example=lambda said, hidden: _claimed(said, hidden) - 0.2,
        ),
        "too many": Mistake(
            lambda answer, said, hidden: (
                isinstance(answer, int | float) and _claimed(said, hidden) < answer < 0.9
            ),
            "it claims fewer than that: if it knew nothing but the class, it would claim all, and it knows a little more.",
            example=lambda said, hidden: _claimed(said, hidden) + 0.2,
        ),
        "per cent": Mistake(
            lambda answer, said, hidden: isinstance(answer, int | float) and 1 < answer <= 100,
            "you answered in per cent: write a share from 0 to 1.",
            example=lambda said, hidden: 100 * _claimed(said, hidden),
        ),
    },
)


# --- concept activation vectors ---------------------------------------------------------------------------


def _derivative_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    cases = []
    for seed, (n, d, h, w) in enumerate(((3, 4, 2, 2), (2, 5, 3, 1), (5, 3, 2, 4))):
        rng = np.random.default_rng(seed)
        cases.append((rng.normal(size=(n, d, h, w)), 2 * rng.normal(size=d)))
    return cases


def _along(gradients, direction, *, space=np.sum, unit=True):
    vector = direction / np.linalg.norm(direction) if unit else direction
    return space(gradients, axis=(2, 3)) @ vector


along = Exercise(
    name="along",
    difficulty=2,
    minutes=5,
    hints=(
        "Make the direction a unit vector first: divide it by `np.linalg.norm(direction)`.",
        "The layer is pushed at all places alike, so add the gradients up over space: `gradients.sum(axis=(2, 3))`, (N, d).",
        "`(N, d) @ (d,)` gives one number a picture.",
    ),
    reference=_along,
    cases=_derivative_cases,
    mistakes={
        "not a unit vector": Mistake(
            lambda g, v: _along(g, v, unit=False),
            "the direction keeps its length: then the number depends on how long the classifier's weights happen to "
            "be. Divide by the norm.",
        ),
        "mean over space": Mistake(
            lambda g, v: _along(g, v, space=np.mean),
            "you averaged over the places: the push is at every place, so their effects add up.",
        ),
        "sign": Mistake(
            lambda g, v: (_along(g, v) > 0).astype(float),
            "you returned the sign: the size is asked for here, one number a picture.",
        ),
        "count": Mistake(
            lambda g, v: float((_along(g, v) > 0).mean()),
            "you returned the share of positive derivatives, one number in all: one number a *picture* is asked for.",
        ),
        "mean over pictures": Mistake(
            lambda g, v: float(_along(g, v).mean()),
            "you averaged over the pictures: one number a picture is asked for.",
        ),
        "absolute": Mistake(
            lambda g, v: np.abs(_along(g, v)),
            "you took the absolute value: the sign says whether the concept speaks for the class or against it.",
        ),
        "cosine": Mistake(
            lambda g, v: _along(g, v) / np.linalg.norm(g.sum(axis=(2, 3)), axis=1),
            "you divided by the length of the gradient too: that is a cosine. The size of the effect is lost with it.",
        ),
        "turned round": Mistake(
            lambda g, v: -_along(g, v),
            "the sign is reversed: positive means that the score rises along the direction.",
        ),
        "mean, not a unit vector": Mistake(
            lambda g, v: _along(g, v, space=np.mean, unit=False),
            "two things: the effects of a push at every place add up (no mean), and the direction needs the length 1.",
        ),
        "squared norm": Mistake(
            lambda g, v: g.sum(axis=(2, 3)) @ v / (v @ v),
            "you divided by the squared norm: a unit vector is the direction divided by its norm.",
        ),
    },
)


def _special_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    cases = []
    for seed, (n, r, size, first) in enumerate(
        ((20, 30, 0.6, 0.9), (12, 50, -1.6, 0.3), (30, 16, 0.2, -1.0))
    ):
        rng = np.random.default_rng(seed)
        means = rng.normal(size=r)
        means[0] = first
        randoms = means + rng.normal(size=(n, r))  # single pictures differ in sign
        cases.append((size + 0.1 * rng.normal(size=n), randoms))
    return [*cases, (np.ones(6), np.tile([0.5, 1.0, -1.0, 2.0], (6, 1)))]  # two of four are exactly as large


def _sizes(derivatives, randoms):
    return float((np.abs(randoms.mean(axis=0)) >= abs(derivatives.mean())).mean())


how_special = Exercise(
    name="how_special",
    difficulty=2,
    minutes=5,
    hints=(
        "Two things are wrong: only one random concept is looked at, and of each only the count.",
        "Size of a concept: the absolute value of the mean over the pictures, `abs(derivatives.mean())`; of the random "
        "ones `np.abs(randoms.mean(axis=0))`, (R,).",
        "Return the share of random sizes that are at least as large.",
    ),
    reference=_sizes,
    given=lambda d, r: float((r[:, 0] > 0).mean() >= (d > 0).mean()),
    cases=_special_cases,
    mistakes={
        "counts of all": Mistake(
            lambda d, r: float(((r > 0).mean(axis=0) >= (d > 0).mean()).mean()),
            "all random concepts now, but still the counts. They are 0 or 1 for random concepts too: compare sizes.",
        ),
        "size of one": Mistake(
            lambda d, r: float(abs(r[:, 0].mean()) >= abs(d.mean())),
            "sizes now, but still of one random concept. One draw proves nothing: take all R.",
        ),
        "reversed": Mistake(
            lambda d, r: float((np.abs(r.mean(axis=0)) < abs(d.mean())).mean()),
            "that is the share of random concepts with a *smaller* size: the share that is at least as large is asked for.",
        ),
        "strictly larger": Mistake(
            lambda d, r: float((np.abs(r.mean(axis=0)) > abs(d.mean())).mean()),
            "you left out the random concepts that are exactly as large: *at least* as large is `>=`.",
        ),
        "a number": Mistake(
            lambda d, r: float((np.abs(r.mean(axis=0)) >= abs(d.mean())).sum()),
            "you counted the random concepts: a *share* is asked for, from 0 to 1.",
        ),
        "with sign": Mistake(
            lambda d, r: float((r.mean(axis=0) >= d.mean()).mean()),
            "you kept the sign: a random direction is as good with its sign reversed, so compare absolute values.",
        ),
        "mean of random": Mistake(
            lambda d, r: float(np.abs(r.mean()) >= abs(d.mean())),
            "you averaged the random concepts first: positive and negative ones cancel. Take the size of each.",
        ),
        "each picture": Mistake(
            lambda d, r: float((np.abs(r) >= np.abs(d)[:, None]).mean()),
            "you compared picture by picture: average each concept over the pictures first.",
        ),
        "absolute first": Mistake(
            lambda d, r: float((np.abs(r).mean(axis=0) >= np.abs(d).mean()).mean()),
            "you took absolute values before the mean: pictures of opposite signs must be able to cancel. Average first.",
        ),
    },
)


# --- prototypes -------------------------------------------------------------------------------------------


def _background(on_object: np.ndarray) -> int:
    return int((on_object == 0).sum())


def _background_examples() -> list[tuple[np.ndarray]]:
    return [(np.r_[np.zeros(26), np.full(14, 0.6)],)]


n_background = Question(
    name="n_background",
    difficulty=1,
    minutes=2,
    hints=(
        "Nothing in the loss knows what belongs to the object. A cell needs only to be like cells of its own class.",
        "A cell of the 8 × 8 map sees far more of the picture than its own 16 × 16 pixels. Half of them or more.",
    ),
    expected=_background,
    examples=_background_examples,
    tolerance=8,
    mistakes={
        "none": Mistake(
            lambda answer, on: isinstance(answer, int) and answer <= 3,
            "hardly any would be nice. But the loss only asks for similarity within a class, not for the object.",
            example=lambda on: 0,
        ),
        "nearly all": Mistake(
            lambda answer, on: isinstance(answer, int) and 37 <= answer <= 40,
            "about a quarter of the cells touch the object, and even a blind choice would hit some of them.",
            example=lambda on: 40,
        ),
        "too few": Mistake(
            lambda answer, on: isinstance(answer, int) and 3 < answer < _background(on),
            "more of them are: nothing in the loss asks for the object, and most cells of a picture are background.",
            example=lambda on: _background(on) - 10,
        ),
        "too many": Mistake(
            lambda answer, on: isinstance(answer, int) and _background(on) < answer < 37,
            "fewer of them are: even a blind choice of cells would hit the object with about 10 of the 40.",
            example=lambda on: _background(on) + 9,
        ),
        "a share": Mistake(
            lambda answer, on: isinstance(answer, float) and 0 < answer < 1,
            "that is a share: how many of the 40 is asked for.",
            example=lambda on: float((on == 0).mean()),
        ),
    },
)
