"""The exercises of lesson 06: kernel, weighted fit, how answers settle, a published bug, stability, SP-LIME."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from course_utils.teach.checks import Exercise, Mistake, Question


def _random_masks(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """0/1 masks (n, d); the first row is all ones, no row is empty."""
    masks = rng.integers(0, 2, (n, d))
    masks[:, 0] |= masks.sum(axis=1) == 0
    masks[0] = 1
    return masks


def _distance(masks: np.ndarray) -> np.ndarray:
    return 1 - np.sqrt(masks.mean(axis=1))


def _closeness(masks: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-(_distance(masks) ** 2) / (2 * width**2))


def _kernel_cases() -> list[tuple[np.ndarray, float]]:
    rng = np.random.default_rng(0)
    return [(_random_masks(rng, n, d), width) for n, d, width in ((6, 5, 0.25), (9, 12, 0.6), (4, 3, 1.5))]


closeness = Exercise(
    name="closeness",
    difficulty=1,
    minutes=8,
    hints=(
        "Start with the cosine of the angle between a mask and the row of ones: their product, divided by both lengths.",
        "For a 0/1 mask this is simply the square root of the share of ones: `np.sqrt(masks.mean(axis=1))`.",
        "The distance is 1 minus that cosine. Then `np.exp(-distance**2 / (2 * width**2))`.",
    ),
    reference=_closeness,
    cases=_kernel_cases,
    mistakes={
        "similarity": Mistake(
            lambda masks, width: np.exp(-((1 - _distance(masks)) ** 2) / (2 * width**2)),
            "you put the cosine itself where the distance belongs: now the sample that hides nothing counts least.",
        ),
        "no square": Mistake(
            lambda masks, width: np.exp(-_distance(masks) / (2 * width**2)),
            "the distance is not squared.",
        ),
        "share of zeros": Mistake(
            lambda masks, width: np.exp(-((1 - masks.mean(axis=1)) ** 2) / (2 * width**2)),
            "your distance is the share of hidden segments. The cosine has a square root in it: 1 − √(share of ones).",
        ),
        "as in the paper": Mistake(
            lambda masks, width: np.exp(-(_distance(masks) ** 2) / width**2),
            "this is the paper's kernel, exp(−D²/σ²). Asked for is the one of the libraries, with 2σ² below.",
        ),
    },
)


def _fit(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, ridge: float) -> np.ndarray:
    x = masks - np.average(masks, axis=0, weights=weights)
    y = outputs - np.average(outputs, weights=weights)
    xw = x * weights[:, None]
    return np.linalg.solve(xw.T @ x + ridge * np.eye(x.shape[1]), xw.T @ y)


def _without_intercept(
    masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, ridge: float
) -> np.ndarray:
    xw = masks * weights[:, None]
    return np.linalg.solve(xw.T @ masks + ridge * np.eye(masks.shape[1]), xw.T @ outputs)


def _penalised_intercept(
    masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, ridge: float
) -> np.ndarray:
    return _without_intercept(np.column_stack([masks, np.ones(len(masks))]), outputs, weights, ridge)[:-1]


def _fit_cases() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    rng = np.random.default_rng(1)
    cases = []
    for n, d, ridge in ((40, 4, 1.0), (60, 9, 0.5), (30, 6, 2.0)):
        masks = _random_masks(rng, n, d).astype(float)
        outputs = 0.7 + masks @ rng.normal(size=d) + 0.3 * masks[:, 0] * masks[:, 1]
        cases.append((masks, outputs, _closeness(masks, 0.25), ridge))
    return cases


weighted_fit = Exercise(
    name="weighted_fit",
    difficulty=2,
    minutes=15,
    hints=(
        "Get rid of the intercept first: subtract the *weighted* mean from every column of the masks, and from the outputs (`np.average(…, weights=…)`).",
        "With centred X and y, and W = the weights on a diagonal, the solution is (XᵀWX + r·1)⁻¹ XᵀWy, with the ridge r.",
        "`np.linalg.solve(A, b)` solves A·w = b; XᵀW is `(X * weights[:, None]).T`.",
    ),
    reference=_fit,
    cases=_fit_cases,
    mistakes={
        "unweighted": Mistake(
            lambda masks, outputs, weights, ridge: _fit(masks, outputs, np.ones(len(masks)), ridge),
            "the weights have no effect: far samples count as much as near ones, the fit is not local.",
        ),
        "no intercept": Mistake(
            _without_intercept,
            "there is no intercept: your plane is forced through zero where everything is hidden.",
        ),
        "penalised intercept": Mistake(
            _penalised_intercept,
            "the ridge also pulls the intercept towards zero: centre the columns instead of adding a column of ones.",
        ),
        "weights twice": Mistake(
            lambda masks, outputs, weights, ridge: _fit(masks, outputs, weights**2, ridge),
            "the weights come in twice: if you scale the rows of X and of y, scale them by the square root.",
        ),
        "no ridge": Mistake(
            lambda masks, outputs, weights, ridge: _fit(masks, outputs, weights, 0.0),
            "the ridge is missing: add r to the diagonal of XᵀWX.",
        ),
    },
)

_SHRINKS = {"unchanged": 1.0, "half": 0.5, "quarter": 0.25}


def _how_it_settles(spread: dict[int, float]) -> str:
    """Which word describes how the spread changes when there are four times as many samples."""
    ratios = [spread[4 * n] / spread[n] for n in spread if 4 * n in spread]
    mean = float(np.exp(np.mean(np.log(ratios))))
    return min(_SHRINKS, key=lambda word: abs(np.log(mean / _SHRINKS[word])))


settles = Question(
    name="settles",
    difficulty=1,
    minutes=4,
    hints=(
        "Each coefficient behaves like a mean over random samples. How does the error of a mean fall with their number?",
        "The error of a mean falls with the square root of the number of samples.",
    ),
    expected=_how_it_settles,
    examples=lambda: [
        ({50: 0.08, 200: 0.039, 800: 0.021},),
        ({100: 0.05, 400: 0.012},),
        ({100: 0.05, 400: 0.049},),
    ],
    mistakes={
        "not a word": Mistake(
            lambda answer, spread: answer not in _SHRINKS,
            'answer with one of the words "unchanged", "half" or "quarter".',
            example=lambda spread: "double",
        ),
        "quarter": Mistake(
            lambda answer, spread: answer == "quarter",
            "four times the samples do not make a random error four times as small: errors of a mean fall with a square root.",
            example=lambda spread: "quarter",
        ),
        "unchanged": Mistake(
            lambda answer, spread: answer == "unchanged",
            "more samples do help, as your own run shows: look at the spread from left to right.",
            example=lambda spread: "unchanged",
        ),
    },
)


def _hide(image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float) -> np.ndarray:
    hidden = image.copy()
    for value, on in zip(np.unique(segments), mask, strict=True):
        if on == 0:
            hidden[segments == value] = grey
    return hidden


def _positions_as_labels(
    image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float
) -> np.ndarray:
    hidden = image.copy()
    for z in np.where(mask == 0)[0]:
        hidden[segments == z] = grey
    return hidden


def _plus_one(image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float) -> np.ndarray:
    hidden = image.copy()
    for z in np.where(mask == 0)[0]:
        hidden[segments == z + 1] = grey
    return hidden


def _reversed(image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float) -> np.ndarray:
    return _hide(image, segments, 1 - mask, grey)


def _grey_instead(image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float) -> np.ndarray:
    return np.where((_hide(image, segments, mask, -1.0) == -1.0).any(axis=2), grey, image.mean(axis=2))


def _hide_cases() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    """Labels that start at 0, at 1, and labels with gaps."""
    rng = np.random.default_rng(2)
    cases = []
    for size, labels in ((6, [0, 1, 2, 3]), (8, [1, 2, 3, 4, 5]), (10, [2, 5, 6, 9])):
        stripes = np.sort(np.append(labels, rng.choice(labels, size - len(labels))))
        segments = np.tile(stripes[:, None], (1, size + 1))
        mask = np.arange(len(labels)) % 2  # the first is hidden …
        mask[-1] = 0  # … and the last
        cases.append((rng.random((*segments.shape, 3)), segments, mask, 0.5))
    return cases


hide = Exercise(
    name="hide",
    difficulty=2,
    minutes=10,
    hints=(
        "Try it with `segments` that hold the labels 1, 2, 3 and with the mask [1, 1, 0]. Which pixels change?",
        "The *position* in the mask is 0, 1, 2; the *labels* in the picture are 1, 2, 3. Nothing in the code connects the two.",
        "`np.unique(segments)` gives the labels in ascending order: the j-th of them belongs to mask[j].",
    ),
    reference=_hide,
    given=_positions_as_labels,
    cases=_hide_cases,
    mistakes={
        "plus one": Mistake(
            _plus_one,
            "you assume that labels start at 1: a segmentation that starts at 0, or leaves a number out, is cut wrongly.",
        ),
        "reversed": Mistake(_reversed, "you hide what the mask keeps: 0 means hidden, 1 means shown."),
        "no colour": Mistake(
            _grey_instead, "the picture lost its colours: keep the three channels of what stays visible."
        ),
    },
)


def _stability(chosen: np.ndarray) -> float:
    size = chosen.sum(axis=1).max()
    return float(np.mean([(a & b).sum() / size for a, b in combinations(chosen, 2)]))


def _with_itself(chosen: np.ndarray) -> float:
    both = chosen.astype(float) @ chosen.T.astype(float)
    return float(both.mean() / chosen.sum(axis=1).max())


def _jaccard(chosen: np.ndarray) -> float:
    return float(np.mean([(a & b).sum() / (a | b).sum() for a, b in combinations(chosen, 2)]))


def _share_of_all(chosen: np.ndarray) -> float:
    return float(np.mean([(a == b).mean() for a, b in combinations(chosen, 2)]))


def _stability_cases() -> list[tuple[np.ndarray]]:
    rng = np.random.default_rng(3)
    cases = []
    for repeats, d, k in ((4, 8, 3), (6, 12, 5), (3, 20, 4)):
        chosen = np.zeros((repeats, d), bool)
        for row in chosen:
            row[rng.choice(d // 2 + 2, k, replace=False)] = True
        cases.append((chosen,))
    return cases


stability = Exercise(
    name="stability",
    difficulty=2,
    minutes=10,
    hints=(
        "`itertools.combinations(chosen, 2)` gives every pair of rows once.",
        "What two rows have in common is `(a & b).sum()`. Divide by K, the number of features a row chooses.",
        "Average over the pairs.",
    ),
    reference=_stability,
    cases=_stability_cases,
    mistakes={
        "with itself": Mistake(
            _with_itself,
            "you also compare every explanation with itself, which always agrees: take each pair of different rows once.",
        ),
        "jaccard": Mistake(
            _jaccard, "you divide by the features that either of the two chose: VSI divides by K."
        ),
        "all features": Mistake(
            _share_of_all,
            "you also count the features that neither chose: with many features nearly everything would look stable.",
        ),
    },
)


def _pick(coefficients: np.ndarray, budget: int, *, root: bool = True, cover: bool = True) -> list[int]:
    used = np.abs(coefficients)
    importance = used.sum(axis=0) ** (0.5 if root else 1.0)
    covered, picked = np.zeros(used.shape[1], bool), []
    for _ in range(budget):
        gains = ((used > 0) & ~(covered & cover)) @ importance
        gains[picked] = -1
        picked.append(int(np.argmax(gains)))
        covered |= used[picked[-1]] > 0
    return picked


def _pick_cases() -> list[tuple[np.ndarray, int]]:
    """Many explanations that use the same strong features, some that use others."""
    rng = np.random.default_rng(4)
    cases = []
    for n, d, budget in ((10, 9, 4), (14, 12, 5), (12, 15, 4)):
        coefficients = np.zeros((n, d))
        for i, row in enumerate(coefficients):
            first = 0 if i < n // 2 else d // 2
            row[first + rng.choice(d // 2, 3, replace=False)] = rng.normal(size=3) * (
                4 if i < n // 2 else 0.8
            )
        cases.append((coefficients, budget))
    return cases


pick = Exercise(
    name="pick",
    difficulty=3,
    minutes=15,
    hints=(
        "The importance of feature j is the square root of the sum of |coefficients| in its column.",
        "Keep a set of covered features. The gain of a row is the importance of the features it uses and nobody picked before.",
        "Take the row with the largest gain (`np.argmax`), mark its features as covered, repeat. Never take a row twice.",
    ),
    reference=lambda coefficients, budget: _pick(coefficients, budget),
    cases=_pick_cases,
    mistakes={
        "no coverage": Mistake(
            lambda coefficients, budget: _pick(coefficients, budget, cover=False),
            "you pick the rows with the most important features again and again: a feature counts only until it is covered.",
        ),
        "first rows": Mistake(
            lambda coefficients, budget: [
                int(i) for i in np.argsort(-np.abs(coefficients).sum(axis=1))[:budget]
            ],
            "you took the rows with the largest coefficients. They may all tell the same story: look at what is covered.",
        ),
    },
)
