"""The exercises of lesson 06 and its companions: the lime package's colours, how answers settle, stability, a
published bug; a kernel, fidelity on new questions; SP-LIME.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from course_utils.teach.checks import WRONG, Exercise, Mistake, Question, Verdict


def _random_masks(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """0/1 masks (n, d); the first row is all ones, no row is empty."""
    masks = rng.integers(0, 2, (n, d))
    masks[:, 0] |= masks.sum(axis=1) == 0
    masks[0] = 1
    return masks


def _pixel_cosine(pictures: np.ndarray) -> np.ndarray:
    flat = np.asarray(pictures, float).reshape(len(pictures), -1)
    return flat @ flat[0] / (np.linalg.norm(flat, axis=1) * np.linalg.norm(flat[0]))


def _closeness(pictures: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-((1 - _pixel_cosine(pictures)) ** 2) / (2 * width**2))


def _euclidean_closeness(pictures: np.ndarray, width: float) -> np.ndarray:
    pictures = np.asarray(pictures, float)
    distance = np.sqrt(((pictures - pictures[0]) ** 2).sum(axis=(1, 2, 3)))
    return np.exp(-(distance**2) / (2 * width**2))


def _centred_closeness(pictures: np.ndarray, width: float) -> np.ndarray:
    return _closeness(pictures - pictures.mean(axis=(1, 2, 3), keepdims=True), width)


def _overflowing_closeness(pictures: np.ndarray, width: float) -> np.ndarray:
    flat = pictures.reshape(len(pictures), -1)
    lengths = np.linalg.norm(flat, axis=1)
    return np.exp(-((1 - flat @ flat[0] / (lengths * lengths[0])) ** 2) / (2 * width**2))


def _one_length(pictures: np.ndarray, width: float) -> np.ndarray:
    flat = np.asarray(pictures, float).reshape(len(pictures), -1)
    return np.exp(-((1 - flat @ flat[0] / (flat[0] @ flat[0])) ** 2) / (2 * width**2))


def _pixel_by_pixel(pictures: np.ndarray, width: float) -> np.ndarray:
    pictures = np.asarray(pictures, float)
    lengths = np.linalg.norm(pictures, axis=3)
    cosine = (pictures * pictures[0]).sum(axis=3) / (lengths * lengths[0])
    return np.exp(-((1 - cosine.mean(axis=(1, 2))) ** 2) / (2 * width**2))


def _closeness_cases() -> list[tuple[np.ndarray, float]]:
    """A picture and copies in which some rows were painted grey; the last pictures are bytes, as in the lesson."""
    rng = np.random.default_rng(0)
    cases = []
    for n, size, width, kind in (
        (6, 5, 0.25, float),
        (9, 8, 0.1, float),
        (4, 6, 1.0, float),
        (7, 6, 0.25, np.uint8),
    ):
        pictures = np.repeat(rng.random((1, size, size + 1, 3)), n, axis=0)
        pictures[1:][rng.random((n - 1, size)) < 0.5] = 0.5
        cases.append((pictures if kind is float else (1 + 254 * pictures).astype(np.uint8), width))
    return cases


closeness = Exercise(
    name="closeness",
    difficulty=1,
    minutes=8,
    hints=(
        "Make one long row of each picture: `pictures.reshape(len(pictures), -1).astype(float)`. Pictures are often of the type "
        "uint8, whose numbers end at 255.",
        "The cosine of two rows a and b is `(a @ b) / (norm(a) * norm(b))`, with `np.linalg.norm`. The first row is the picture itself.",
        "The distance is 1 minus that cosine. Then `np.exp(-distance**2 / (2 * width**2))`.",
    ),
    reference=_closeness,
    cases=_closeness_cases,
    mistakes={
        "similarity": Mistake(
            lambda pictures, width: np.exp(-(_pixel_cosine(pictures) ** 2) / (2 * width**2)),
            "you put the cosine itself where the distance belongs: now the picture itself counts least.",
        ),
        "no square": Mistake(
            lambda pictures, width: np.exp(-(1 - _pixel_cosine(pictures)) / (2 * width**2)),
            "the distance is not squared.",
        ),
        "euclidean": Mistake(
            _euclidean_closeness,
            "this is the Euclidean distance, which grows with the number of pixels. The cosine looks at the angle only.",
        ),
        "overflow": Mistake(
            _overflowing_closeness,
            "your products overflow when the pictures are of the type uint8, whose numbers end at 255. Turn them into "
            "floats first: `pictures.astype(float)`.",
        ),
        "one length": Mistake(
            _one_length,
            "you divide by the length of the original twice: each picture has a length of its own.",
        ),
        "pixel by pixel": Mistake(
            _pixel_by_pixel,
            "you took the cosine of each pixel's colours and averaged. Asked for is one angle between two long rows.",
        ),
        "centred": Mistake(
            _centred_closeness,
            "you subtract the mean first: that is a correlation. The cosine takes the pixels as they are.",
        ),
        "width not squared": Mistake(
            lambda pictures, width: np.exp(-((1 - _pixel_cosine(pictures)) ** 2) / (2 * width)),
            "σ is not squared below the line: 2σ² is `2 * width**2`.",
        ),
        "distances": Mistake(
            lambda pictures, width: 1 - _pixel_cosine(pictures),
            "these are the distances D: the kernel exp(−D²/2σ²) is still to come.",
        ),
        "angle": Mistake(
            lambda pictures, width: np.exp(
                -(np.arccos(np.clip(_pixel_cosine(pictures), -1, 1)) ** 2) / (2 * width**2)
            ),
            "you took the angle itself: D is 1 minus its cosine.",
        ),
        "as in the paper": Mistake(
            lambda pictures, width: np.exp(-((1 - _pixel_cosine(pictures)) ** 2) / width**2),
            "this is the paper's kernel, exp(−D²/σ²). Asked for is the one of the libraries, with 2σ² below.",
        ),
    },
)

Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, float]]


def _fit(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and intercept of the weighted linear fit with ridge 1."""
    x_mean, y_mean = np.average(masks, axis=0, weights=weights), np.average(outputs, weights=weights)
    x, y = masks - x_mean, outputs - y_mean
    coefficients = np.linalg.solve((x.T * weights) @ x + np.eye(x.shape[1]), (x.T * weights) @ y)
    return coefficients, float(y_mean - x_mean @ coefficients)


def _r2(outputs: np.ndarray, guesses: np.ndarray, weights: np.ndarray, mean: float | None = None) -> float:
    """Weighted R² of the guesses."""
    mean = np.average(outputs, weights=weights) if mean is None else mean
    return float(1 - (weights * (outputs - guesses) ** 2).sum() / (weights * (outputs - mean) ** 2).sum())


def _fresh(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], weights[:half])
    return _r2(outputs[half:], intercept + masks[half:] @ coefficients, weights[half:])


def _same_half(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], weights[:half])
    return _r2(outputs[:half], intercept + masks[:half] @ coefficients, weights[:half])


def _fitted_on_all(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks, outputs, weights)
    return _r2(outputs[half:], intercept + masks[half:] @ coefficients, weights[half:])


def _no_intercept(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, _ = fit(masks[:half], outputs[:half], weights[:half])
    return _r2(outputs[half:], masks[half:] @ coefficients, weights[half:])


def _unweighted(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], weights[:half])
    return _r2(outputs[half:], intercept + masks[half:] @ coefficients, np.ones(len(masks) - half))


def _unweighted_fit(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], np.ones(half))
    return _r2(outputs[half:], intercept + masks[half:] @ coefficients, weights[half:])


def _half_weighted(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], weights[:half])
    f, g, w = outputs[half:], intercept + masks[half:] @ coefficients, weights[half:]
    return float(1 - (w * (f - g) ** 2).sum() / ((f - np.average(f, weights=w)) ** 2).sum())


def _no_mean(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], weights[:half])
    return _r2(outputs[half:], intercept + masks[half:] @ coefficients, weights[half:], mean=0.0)


def _plain_mean(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], weights[:half])
    guesses = intercept + masks[half:] @ coefficients
    return _r2(outputs[half:], guesses, weights[half:], mean=outputs[half:].mean())


def _old_mean(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], weights[:half])
    mean = np.average(outputs[:half], weights=weights[:half])
    return _r2(outputs[half:], intercept + masks[half:] @ coefficients, weights[half:], mean)


def _squared_correlation(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], weights[:half])
    return float(np.corrcoef(outputs[half:], intercept + masks[half:] @ coefficients)[0, 1] ** 2)


def _mean_of_all(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], weights[:half])
    mean = np.average(outputs, weights=weights)
    return _r2(outputs[half:], intercept + masks[half:] @ coefficients, weights[half:], mean)


def _halves_swapped(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, fit: Fit) -> float:
    half = len(masks) // 2
    coefficients, intercept = fit(masks[half:], outputs[half:], weights[half:])
    return _r2(outputs[:half], intercept + masks[:half] @ coefficients, weights[:half])


def _fresh_cases() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, Fit]]:
    rng = np.random.default_rng(1)
    cases = []
    for n, d in ((40, 4), (61, 9), (30, 6)):
        masks = _random_masks(rng, n, d).astype(float)
        outputs = 0.7 + masks @ rng.normal(size=d) + rng.normal(size=n)
        distance = 1 - np.sqrt(masks.mean(axis=1))
        cases.append((masks, outputs, np.exp(-(distance**2) / (2 * 0.25**2)), _fit))
    return cases


fresh = Exercise(
    name="fresh",
    difficulty=2,
    minutes=15,
    hints=(
        "Cut everything at `half = len(masks) // 2`: masks, outputs and weights.",
        "g's guesses for the second half are `intercept + masks[half:] @ coefficients`.",
        "With f the outputs, g the guesses and m the weighted mean of f, all of the second half: 1 − Σπ(f − g)² / Σπ(f − m)².",
    ),
    reference=_fresh,
    cases=_fresh_cases,
    mistakes={
        "in-sample": Mistake(
            _same_half,
            "you count R² on the half that g was fitted on: g has seen these answers.",
        ),
        "fitted on all": Mistake(
            _fitted_on_all,
            "g was fitted on all questions, so the second half is not new to it: fit on the first half only.",
        ),
        "no intercept": Mistake(
            _no_intercept,
            "the intercept is missing in g's guesses.",
        ),
        "unweighted": Mistake(
            _unweighted,
            "near and far questions count the same in your R²: weigh the squared errors, above and below the line.",
        ),
        "unweighted fit": Mistake(
            _unweighted_fit,
            "g was fitted without the weights: give `fit` the weights of the first half.",
        ),
        "weighted above only": Mistake(
            _half_weighted,
            "you weigh the squared errors above the line only: weigh those below it as well.",
        ),
        "no mean": Mistake(
            _no_mean,
            "below the line the outputs are compared with 0: compare them with their weighted mean m.",
        ),
        "old mean": Mistake(
            _old_mean,
            "g is compared with the mean of the first half: asked for is the mean of the half that you test on.",
        ),
        "squared correlation": Mistake(
            _squared_correlation,
            "the squared correlation forgives a wrong scale and a wrong intercept; R² counts the errors themselves.",
        ),
        "mean of all": Mistake(
            _mean_of_all,
            "g is compared with the mean of all questions: asked for is the mean of the half that you test on.",
        ),
        "halves swapped": Mistake(
            _halves_swapped,
            "you fit on the second half and test on the first: it is the other way round.",
        ),
        "one minus": Mistake(
            lambda *inputs: 1 - _fresh(*inputs),
            "this is the part that g leaves open: R² is 1 minus it.",
        ),
        "plain mean": Mistake(
            _plain_mean,
            "g is compared with the plain mean of the outputs: take the weighted mean, `np.average(…, weights=…)`.",
        ),
    },
)


def _green_red(coefficients: np.ndarray, num_features: int, min_weight: float) -> np.ndarray:
    strongest = np.argsort(-np.abs(coefficients), kind="stable")[:num_features]
    colours = np.zeros(len(coefficients), int)
    colours[strongest] = np.sign(coefficients[strongest])
    colours[np.abs(coefficients) < min_weight] = 0
    return colours


def _largest_signed(coefficients: np.ndarray, num_features: int, min_weight: float) -> np.ndarray:
    chosen = np.zeros(len(coefficients), bool)
    chosen[np.argsort(-coefficients, kind="stable")[:num_features]] = True
    return np.where(chosen & (np.abs(coefficients) >= min_weight), np.sign(coefficients), 0).astype(int)


def _green_red_cases() -> list[tuple[np.ndarray, int, float]]:
    """One coefficient is exactly `min_weight` and is kept; in the last case nothing is strong enough."""
    rng = np.random.default_rng(5)
    cases = []
    for d, num_features, min_weight in ((8, 5, 0.05), (30, 11, 0.1), (12, 4, 0.25), (6, 6, 0.0)):
        coefficients = rng.normal(0, 0.15, d)
        coefficients[rng.integers(d)] = 2 * coefficients.min()  # the strongest speaks against
        if min_weight:
            coefficients[np.argsort(-np.abs(coefficients))[num_features - 2]] = min_weight
        cases.append((coefficients, num_features, min_weight))
    return [*cases, (rng.normal(0, 0.001, 9), 5, 0.05)]


green_red = Exercise(
    name="green_red",
    difficulty=2,
    minutes=8,
    hints=(
        "The strongest superpixels are those with the largest *absolute* coefficients: `np.argsort(-np.abs(coefficients))`.",
        "Start with zeros. Give the first `num_features` of that order the sign of their coefficient (`np.sign`).",
        "Set back to 0 where `np.abs(coefficients) < min_weight`.",
    ),
    reference=_green_red,
    cases=_green_red_cases,
    mistakes={
        "colours of the course": Mistake(
            lambda c, n, m: -_green_red(c, n, m),
            "the colours are exchanged: the package's green (+1) speaks for the class, its red (−1) against it.",
        ),
        "signed order": Mistake(
            _largest_signed,
            "you sort by the signed coefficient, so what speaks against the class is never among the strongest.",
        ),
        "no minimum": Mistake(
            lambda c, n, m: _green_red(c, n, 0.0),
            "superpixels whose coefficient is smaller than `min_weight` get a colour all the same.",
        ),
        "all above": Mistake(
            lambda c, n, m: _green_red(c, len(c), m),
            "you colour everything above `min_weight`: at most `num_features` superpixels get a colour.",
        ),
        "signed minimum": Mistake(
            lambda c, n, m: np.maximum(_green_red(c, n, m), 0),
            "you compare the signed coefficient with `min_weight`, so nothing is ever red: take its absolute value.",
        ),
        "strictly above": Mistake(
            lambda c, n, m: np.where(np.abs(c) > m, _green_red(c, n, m), 0),
            "a coefficient of exactly `min_weight` is kept: only what is smaller goes.",
        ),
        "weakest": Mistake(
            lambda c, n, m: np.where(
                np.argsort(np.argsort(np.abs(c), kind="stable")) < n, _green_red(c, len(c), m), 0
            ),
            "you colour the weakest superpixels: `np.argsort` puts the smallest first.",
        ),
        "in order of strength": Mistake(
            lambda c, n, m: _green_red(c, n, m)[np.argsort(-np.abs(c), kind="stable")],
            "the colours are right, but stand in the order of strength: entry j belongs to superpixel j.",
        ),
        "weights, not signs": Mistake(
            lambda c, n, m: np.abs(_green_red(c, n, m)) * c,
            "the superpixels are the right ones, but you give back their coefficients: +1, −1 and 0 are asked for.",
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
            'it is not one of the words "unchanged", "half" and "quarter".',
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


def _gaps_forgotten(image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float) -> np.ndarray:
    hidden = image.copy()
    for z in np.where(mask == 0)[0]:
        hidden[segments == z + segments.min()] = grey
    return hidden


def _in_place(image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float) -> np.ndarray:
    image[:] = _hide(image, segments, mask, grey)
    return image


def _reversed(image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float) -> np.ndarray:
    return _hide(image, segments, 1 - mask, grey)


def _grey_instead(image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float) -> np.ndarray:
    return np.where((_hide(image, segments, mask, -1.0) == -1.0).any(axis=2), grey, image.mean(axis=2))


def _by_appearance(image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float) -> np.ndarray:
    hidden = image.copy()
    for value, on in zip(dict.fromkeys(segments.ravel().tolist()), mask, strict=True):
        if on == 0:
            hidden[segments == value] = grey
    return hidden


def _by_area(image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float) -> np.ndarray:
    hidden = image.copy()
    values, counts = np.unique(segments, return_counts=True)
    for value, on in zip(values[np.argsort(-counts, kind="stable")], mask, strict=True):
        if on == 0:
            hidden[segments == value] = grey
    return hidden


def _switches_as_numbers(
    image: np.ndarray, segments: np.ndarray, mask: np.ndarray, grey: float
) -> np.ndarray:
    hidden = image.copy()
    for value in np.unique(segments)[mask]:
        hidden[segments == value] = grey
    return hidden


def _hide_cases() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    """Labels that start at 0, at 1, and labels with gaps; the stripes stand in any order."""
    rng = np.random.default_rng(2)
    cases = []
    for size, labels in ((6, [0, 1, 2, 3]), (8, [1, 2, 3, 4, 5]), (10, [2, 5, 6, 9]), (9, [-3, 0, 4, 12])):
        stripes = rng.permutation(np.append(labels, rng.choice(labels, size - len(labels))))
        segments = np.tile(stripes[:, None], (1, size + 1))
        mask = np.arange(len(labels)) % 2  # the first is hidden …
        mask[-1] = 0  # … and the last
        cases.append((rng.random((*segments.shape, 3)), segments, mask, 0.5))
    return cases


hide = Exercise(
    name="hide",
    difficulty=2,
    minutes=8,
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
        "gaps": Mistake(
            _gaps_forgotten,
            "labels may have gaps: counting up from the smallest label misses those behind a gap.",
        ),
        "order of appearance": Mistake(
            _by_appearance,
            "your labels are in the order in which they appear in the picture: the j-th switch belongs to the j-th smallest label.",
        ),
        "order of area": Mistake(
            _by_area,
            "your labels are sorted by how many pixels they have: the j-th switch belongs to the j-th smallest label.",
        ),
        "in place": Mistake(
            _in_place,
            "the labels are right, but your function paints over the picture that it was given: work on `image.copy()`.",
        ),
        "switches as numbers": Mistake(
            _switches_as_numbers,
            "you use the mask of 0 and 1 as row numbers: compare it first, `labels[mask == 0]`.",
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
    minutes=8,
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
        "divided by d": Mistake(
            lambda chosen: _stability(chosen) * chosen.sum(axis=1).max() / chosen.shape[1],
            "you divide by the number of all features: divide by K, the number that one explanation chooses.",
        ),
        "neighbours": Mistake(
            lambda chosen: float((chosen[1:] & chosen[:-1]).sum(axis=1).mean() / chosen.sum(axis=1).max()),
            "you compare each explanation only with the next one: take all pairs.",
        ),
        "only with the first": Mistake(
            lambda chosen: float((chosen[1:] & chosen[0]).sum(axis=1).mean() / chosen.sum(axis=1).max()),
            "you compare the others only with the first explanation: take all pairs.",
        ),
        "not divided": Mistake(
            lambda chosen: _stability(chosen) * chosen.sum(axis=1).max(),
            "this is the number of features in common: divide it by K.",
        ),
        "pairs counted twice": Mistake(
            lambda chosen: _stability(chosen) / 2,
            "there are n(n − 1)/2 pairs, not n(n − 1): your average is half of the right one.",
        ),
        "in per cent": Mistake(
            lambda chosen: 100 * _stability(chosen),
            "this is VSI in per cent, as in its paper; here it lies between 0 and 1.",
        ),
        "the same sets": Mistake(
            lambda chosen: float(np.mean([(a == b).all() for a, b in combinations(chosen, 2)])),
            "you count pairs that name exactly the same features: VSI counts the features that two have in common.",
        ),
        "named by all": Mistake(
            lambda chosen: float(chosen.all(axis=0).sum() / chosen.sum(axis=1).max()),
            "you count the features that all runs name: VSI looks at two runs at a time, and averages.",
        ),
        "all features": Mistake(
            _share_of_all,
            "you also count the features that neither chose: with many features nearly everything would look stable.",
        ),
    },
)


def _greedy(
    uses: np.ndarray,
    importance: np.ndarray,
    budget: int,
    *,
    cover: bool = True,
    again: bool = False,
    stop: bool = False,
) -> list[int]:
    covered, picked = np.zeros(uses.shape[1], bool), []
    for _ in range(budget):
        gains = (uses & ~(covered & cover)) @ importance
        if not again:
            gains[picked] = -np.inf
        best = int(np.argmax(gains))
        if stop and gains[best] <= 0:
            break
        picked.append(best)
        covered |= uses[best]
    return picked


def _importance(coefficients: np.ndarray) -> np.ndarray:
    return np.sqrt(np.abs(coefficients).sum(axis=0))


def _pick(coefficients: np.ndarray, budget: int, **how: bool) -> list[int]:
    return _greedy(coefficients != 0, _importance(coefficients), budget, **how)


def _root_of_each(coefficients: np.ndarray, budget: int) -> list[int]:
    return _greedy(coefficients != 0, np.sqrt(np.abs(coefficients)).sum(axis=0), budget)


def _last_of_equals(coefficients: np.ndarray, budget: int) -> list[int]:
    last = len(coefficients) - 1
    return [last - i for i in _pick(coefficients[::-1], budget)]


def _own_coefficients(coefficients: np.ndarray, budget: int) -> list[int]:
    covered, picked = np.zeros(coefficients.shape[1], bool), []
    for _ in range(budget):
        gains = (np.abs(coefficients) * ~covered).sum(axis=1)
        gains[picked] = -1
        picked.append(int(gains.argmax()))
        covered |= coefficients[picked[-1]] != 0
    return picked


def _pick_cases() -> list[tuple[np.ndarray, int]]:
    """Many explanations that use the same strong features, some that use others; in the last two cases
    fewer rows cover everything than are to be picked."""
    rng = np.random.default_rng(4)
    cases = []
    for n, d, budget in ((10, 9, 4), (14, 12, 5), (12, 15, 4), (10, 6, 7), (8, 8, 8)):
        coefficients = np.zeros((n, d))
        for i, row in enumerate(coefficients):
            first = 0 if i < n // 2 else d // 2
            row[first + rng.choice(d // 2, 3, replace=False)] = rng.normal(size=3) * (
                4 if i < n // 2 else 0.8
            )
        cases.append((coefficients, budget))
    return cases


@dataclass
class _Picking(Exercise):
    """An exercise whose answers are row numbers, which mean nothing as numbers "off by 5"."""

    def check(self, answer: Callable | None) -> Verdict:
        verdict = super().check(answer)
        if verdict.state != WRONG or verdict.mistake or not callable(answer):
            return verdict
        for coefficients, budget in self.cases():
            expected = self.reference(coefficients, budget)
            try:
                rows = [int(i) for i in answer(coefficients.copy(), budget)]
            except Exception:  # the verdict above says what it is
                return verdict
            if rows != expected:
                return Verdict(
                    WRONG,
                    f"you pick the rows {rows}, and {expected} were expected. Look at the importance (square root, "
                    "absolute values), at what counts as covered, and at ties (the lower row number first).",
                )
        return verdict


pick = _Picking(
    name="pick",
    difficulty=3,
    minutes=15,
    hints=(
        "The importance of feature j is the square root of the sum of |coefficients| in its column.",
        "Keep a set of covered features. The gain of a row is the importance of the features it uses and nobody picked before.",
        "Take the row with the largest gain (`np.argmax`), mark its features as covered, repeat. Never take a row twice, also when no gain is left.",
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
        "a row twice": Mistake(
            lambda coefficients, budget: _pick(coefficients, budget, again=True),
            "once everything is covered, you take a row that you have already: always pick `budget` different rows.",
        ),
        "stops early": Mistake(
            lambda coefficients, budget: _pick(coefficients, budget, stop=True),
            "you stop when nothing is left to cover: always pick `budget` different rows.",
        ),
        "no root": Mistake(
            lambda coefficients, budget: _greedy(coefficients != 0, _importance(coefficients) ** 2, budget),
            "the importance of a feature is the square root of its sum: without it one strong feature drowns the others.",
        ),
        "signed sums": Mistake(
            lambda coefficients, budget: _greedy(
                coefficients != 0, np.sqrt(np.abs(coefficients.sum(axis=0))), budget
            ),
            "you sum signed coefficients, so a feature that speaks for one row and against another looks unimportant: absolute values first.",
        ),
        "positive only": Mistake(
            lambda coefficients, budget: _greedy(coefficients > 0, _importance(coefficients), budget),
            "a negative coefficient uses its feature as well: covered means ≠ 0, not > 0.",
        ),
        "own coefficients": Mistake(
            _own_coefficients,
            "you add up the row's own |coefficients|: a column's importance comes from all rows, √Σ|W|.",
        ),
        "sorted": Mistake(
            lambda coefficients, budget: sorted(_pick(coefficients, budget)),
            "these are the right rows, sorted: give them in the order in which they were picked.",
        ),
        "root of each": Mistake(
            _root_of_each,
            "you take the root of each |coefficient| and add: the root comes after the sum, √Σ|W|.",
        ),
        "last of equals": Mistake(
            _last_of_equals,
            "of rows that gain the same you take the last: take the one with the lower number (`np.argmax` does).",
        ),
        "counting": Mistake(
            lambda coefficients, budget: _greedy(coefficients != 0, np.ones(coefficients.shape[1]), budget),
            "you count features, as if all were equally important: each weighs its importance √Σ|W|.",
        ),
    },
)
