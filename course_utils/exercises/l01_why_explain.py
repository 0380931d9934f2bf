"""The exercises of lesson 01: a first one, which model to ship, odds, rules, maps, questions, errors, an experiment."""

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
            "that model is the one that fails on the pictures from the other farm. The hint stood in section 2: less of its map lies on the animal than of a constant map. (Your first choice, before the maps, could only be a guess, and is not judged.)",
            example=lambda world: next(name for name in world if name != _better(world)),
        ),
    },
)


def entropy(labels: np.ndarray) -> float:
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log2(shares)).sum())


def _left_over(labels: np.ndarray, answers: np.ndarray) -> float:
    """The entropy of the classes that is left once the answer is known."""
    return sum((answers == a).mean() * entropy(labels[answers == a]) for a in np.unique(answers))


def _gain_ratio(labels: np.ndarray, answers: np.ndarray) -> float:
    cost = entropy(answers)
    return (entropy(labels) - _left_over(labels, answers)) / cost if cost > 0 else 0.0


def _plain_gain(labels: np.ndarray, answers: np.ndarray) -> float:
    return entropy(labels) - _left_over(labels, answers)


def _over(labels: np.ndarray, answers: np.ndarray, below: float) -> float:
    return _plain_gain(labels, answers) / below if below > 0 else 0.0


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
        return float(np.float64(_plain_gain(labels, answers)) / np.float64(entropy(answers)))


def _first_two_answers(labels: np.ndarray, answers: np.ndarray) -> float:
    """The gain ratio of "is it the first answer?"."""
    return _gain_ratio(labels, (answers == np.unique(answers)[0]).astype(int))


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
            _plain_gain,
            "that is the gain alone: the question that gives everybody a number of their own would win. Divide by the entropy of the answers.",
        ),
        "entropy of the classes": Mistake(
            lambda labels, answers: _over(labels, answers, entropy(labels)),
            "you divided by the entropy of the *classes*, which is the same for every question: divide by the entropy of the *answers*.",
        ),
        "number of answers": Mistake(
            lambda labels, answers: _over(labels, answers, len(np.unique(answers))),
            "you divided by the number of answers: divide by their entropy, which also sees how often each occurs.",
        ),
        "alike": Mistake(
            _unguarded_ratio,
            "a question that everybody answers alike has entropy 0, and 0/0 gives NaN: the ratio counts as 0 there.",
        ),
        "not weighted": Mistake(
            lambda labels, answers: (
                (entropy(labels) - sum(entropy(labels[answers == a]) for a in np.unique(answers)))
                / entropy(answers)
                if entropy(answers) > 0
                else 0.0
            ),
            "you added the entropies behind the answers as they are: each counts by the share of the examples that gave the answer.",
        ),
        "yes or no": Mistake(
            _first_two_answers,
            "you only looked at one answer against all others: there may be more than two, and each has a group of its own.",
        ),
    },
)


def _prediction_cases() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Tables (n, d), outcomes (n,) and new rows (m, d); few rows, so that n and n − p differ."""
    rng = np.random.default_rng(2)
    cases = []
    for n, d, m in ((8, 2, 3), (15, 1, 5), (40, 5, 2)):
        spread, middle = rng.uniform(0.5, 20, size=d), rng.normal(size=d)
        table = rng.normal(size=(n, d)) * spread + middle
        outcome = 3 + table @ rng.normal(size=d) + rng.normal(size=n)
        cases.append((table, outcome, 2 * rng.normal(size=(m, d)) * spread + middle))
    return cases


def _outcome_errors(
    table: np.ndarray, outcome: np.ndarray, new: np.ndarray, *, fault: str = ""
) -> np.ndarray:
    X, Z = (
        (table, new)
        if fault == "no intercept"
        else (np.column_stack([np.ones(len(t)), t]) for t in (table, new))
    )
    residuals = outcome - X @ np.linalg.lstsq(X, outcome, rcond=None)[0]
    n, p = X.shape
    s2 = residuals @ residuals / (n if fault == "n" else n - p)
    of_line = ((Z @ np.linalg.inv(X.T @ X)) * Z).sum(axis=1)
    match fault:
        case "line only":
            return np.sqrt(s2 * of_line)
        case "person only":
            return np.full(len(Z), np.sqrt(s2))
        case "errors added":
            return np.sqrt(s2) * (1 + np.sqrt(of_line))
        case "variance":
            return s2 * (1 + of_line)
        case "matrix":
            return np.sqrt(np.abs(s2 * (1 + Z @ np.linalg.inv(X.T @ X) @ Z.T)))
        case _:
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
            partial(_outcome_errors, fault="line only"),
            "that is the uncertainty of the line above the new rows. A person also lies off the line: add the variance s².",
        ),
        "person only": Mistake(
            partial(_outcome_errors, fault="person only"),
            "that is the scatter around the line. The line itself is uncertain too, the more so the further a row is from the middle: add its variance.",
        ),
        "errors added": Mistake(
            partial(_outcome_errors, fault="errors added"),
            "you added two standard errors: of independent things the *variances* add up. Take the root at the end.",
        ),
        "n": Mistake(
            partial(_outcome_errors, fault="n"),
            "you divided by n: the line was fitted to these very points, so the residuals are too small. Divide by n − p.",
        ),
        "variance": Mistake(
            partial(_outcome_errors, fault="variance"),
            "these are variances: take the square root.",
        ),
        "no intercept": Mistake(
            partial(_outcome_errors, fault="no intercept"),
            "the intercept is missing: put a column of ones in front of the table, and of the new rows too.",
        ),
        "matrix": Mistake(
            partial(_outcome_errors, fault="matrix"),
            "you returned one number for each *pair* of new rows: only the diagonal is asked for, one number a row.",
        ),
    },
)


def _odds_cases() -> list[tuple[float, float]]:
    return [(0.906, 0.6), (0.5, 1.6), (0.02, 4.0), (0.8, 0.25), (0.3, 1.7)]


def _odds_ratio_of(probability: float, times: float) -> float:
    second = times * probability
    return second / (1 - second) / (probability / (1 - probability))


def _times_as_likely(probability: float, odds_ratio: float) -> float:
    odds = probability / (1 - probability) * odds_ratio
    return odds / (1 + odds) / probability


odds_ratio_of = Exercise(
    name="odds_ratio_of",
    difficulty=2,
    minutes=8,
    hints=(
        "What is the second probability? The first one, taken `times`.",
        "Turn each of the two probabilities into odds: p / (1 − p).",
        "Divide the second odds by the first.",
    ),
    reference=_odds_ratio_of,
    given=lambda probability, times: times,
    cases=_odds_cases,
    mistakes={
        "from odds ratio to times": Mistake(
            _times_as_likely,
            "you went the other way: your function takes `times` for an odds ratio and says how many times as likely that is.",
        ),
        "times the odds": Mistake(
            lambda probability, times: times * probability / (1 - probability),
            "you multiplied the first *odds* by `times`: it belongs to the probability. Take the odds afterwards.",
        ),
        "the second odds": Mistake(
            lambda probability, times: times * probability / (1 - times * probability),
            "these are the odds of the second group: divide them by those of the first.",
        ),
        "upside down": Mistake(
            lambda probability, times: 1 / _odds_ratio_of(probability, times),
            "you divided the first odds by the second: the second group is compared with the first.",
        ),
        "the second probability": Mistake(
            lambda probability, times: times * probability,
            "that is the second probability itself: turn both probabilities into odds, and divide.",
        ),
        "logarithm": Mistake(
            lambda probability, times: np.log(_odds_ratio_of(probability, times)),
            "that is the logarithm of the odds ratio, the coefficient. Return the ratio itself.",
        ),
    },
)


def combine(first: float, second: float) -> float:
    if first >= 0 and second >= 0:
        return first + second * (1 - first)
    if first < 0 and second < 0:
        return first + second * (1 + first)
    return (first + second) / (1 - min(abs(first), abs(second)))


def _certainty_cases() -> list[tuple[float, float]]:
    rng = np.random.default_rng(3)
    drawn = [tuple(float(v) for v in pair) for pair in rng.uniform(-0.95, 0.95, size=(12, 2)).round(3)]
    return [(0.5, 0.8), (0.8, 0.5), (-0.4, -0.7), (-0.7, 0.2), (0.3, -0.6), (0.6, 0.6), *drawn]


def _missing_reason(known: float, goal: float) -> float:
    return combine(goal, -known)


missing_reason = Exercise(
    name="missing_reason",
    difficulty=2,
    minutes=12,
    hints=(
        "What is x ⊕ (−x)? Put it into the third case.",
        "It is 0, and x ⊕ 0 = x: so −x takes the reason x back. The order in which reasons are combined does not matter.",
        "known ⊕ missing = goal. Combine both sides with −known: what is left on the left?",
    ),
    reference=_missing_reason,
    cases=_certainty_cases,
    mistakes={
        "difference": Mistake(
            lambda known, goal: goal - known,
            "you subtracted: certainty factors are not added up, so the difference does not bring you to the goal.",
        ),
        "forwards": Mistake(
            lambda known, goal: combine(known, goal),
            "you combined the known reason with the goal: the goal is the *result* of the combination.",
        ),
        "backwards": Mistake(
            lambda known, goal: combine(known, -goal),
            "the sign is turned around: you took the goal back instead of the known reason.",
        ),
        "first case": Mistake(
            lambda known, goal: (goal - known) / (1 - known),
            "you solved the first case only, which holds where both reasons speak for the conclusion.",
        ),
        "first two cases": Mistake(
            lambda known, goal: (goal - known) / (1 - abs(known)),
            "you solved the case in which both reasons have the same sign. If the goal is weaker than the known reason, the missing one must speak against it, and the third case holds.",
        ),
        "same sign": Mistake(
            lambda known, goal: goal + -known * (1 - abs(goal)),
            "you used the formula for equal signs to combine goal and −known: often their signs differ, and then the third case holds.",
        ),
    },
)


def _map_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    """Maps (N, H, W), partly negative, and masks of several sizes; in one case a map without positive values."""
    rng = np.random.default_rng(4)
    cases = []
    for n, height, width in ((3, 6, 8), (5, 10, 7), (2, 12, 12)):
        masks = np.zeros((n, height, width), bool)
        for mask in masks:
            top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
            mask[top : top + rng.integers(2, height // 2 + 1), left : left + rng.integers(2, width // 2)] = (
                True
            )
        cases.append((rng.normal(size=masks.shape) + 2 * masks, masks))
    nothing = cases[0][0].copy()
    nothing[1] = -np.abs(nothing[1])
    return [*cases, (nothing, cases[0][1])]


def _times_chance(maps: np.ndarray, masks: np.ndarray, *, fault: str = "") -> np.ndarray:
    mass = np.abs(maps) if fault == "abs" else maps if fault == "signed" else maps.clip(min=0)
    inside, total, area = (mass * masks).sum(axis=(1, 2)), mass.sum(axis=(1, 2)), masks.mean(axis=(1, 2))
    with np.errstate(all="ignore"):
        energy = inside / total
    if fault != "nan":
        energy = np.where(total > 0, energy, 0.0 if fault == "zero" else area)
    match fault:
        case "energy":
            return energy
        case "difference":
            return energy - area
        case "pixels":
            return energy / masks.sum(axis=(1, 2))
        case "together":
            return np.full(len(maps), inside.sum() / total.sum() / masks.mean())
        case "mean":
            return (energy / area).mean()
        case "density":
            outside = (total - inside) / (~masks).sum(axis=(1, 2))
            return inside / masks.sum(axis=(1, 2)) / np.where(outside > 0, outside, 1)
        case _:
            return energy / area


times_chance = Exercise(
    name="times_chance",
    difficulty=2,
    minutes=12,
    hints=(
        "First the energy: of the positive values of each map, which share lies inside its mask? `maps.clip(min=0)`, and sums over `axis=(1, 2)`.",
        "A map that knows nothing spreads its mass evenly: its energy is the share of the picture that the mask takes, `masks.mean(axis=(1, 2))`. Divide by it.",
        "A map without positive values says nothing: count it as even, that is 1. `np.where(total > 0, …, 1.0)`, and see that nothing is divided by zero.",
    ),
    reference=_times_chance,
    cases=_map_cases,
    mistakes={
        "energy": Mistake(
            partial(_times_chance, fault="energy"),
            "that is the energy. A large animal gets a large one for nothing: divide by the share of the picture that the mask takes.",
        ),
        "difference": Mistake(
            partial(_times_chance, fault="difference"),
            "you subtracted the mask's share of the picture: divide by it (how many *times* as much).",
        ),
        "pixels": Mistake(
            partial(_times_chance, fault="pixels"),
            "you divided by the number of pixels in the mask: divide by its share of the picture.",
        ),
        "signed": Mistake(
            partial(_times_chance, fault="signed"),
            "negative values take mass away, so that shares below 0 and above 1 come out. Cut them off at zero first.",
        ),
        "abs": Mistake(
            partial(_times_chance, fault="abs"),
            "you took absolute values: where the map is negative, covering *helped* the model. Only positive values count.",
        ),
        "together": Mistake(
            partial(_times_chance, fault="together"),
            "you put all pictures into one sum: each map has its own total, and the result has one value for each picture.",
        ),
        "mean": Mistake(
            partial(_times_chance, fault="mean"),
            "you took the mean over the pictures: return one value for each, so that an interval can be put around them.",
        ),
        "density": Mistake(
            partial(_times_chance, fault="density"),
            "you compared the inside with the *outside*: compare it with a map that is even over the whole picture.",
        ),
        "zero": Mistake(
            partial(_times_chance, fault="zero"),
            "a map without positive values says nothing about the place: it counts as an even one, that is 1, not 0.",
        ),
        "nan": Mistake(
            partial(_times_chance, fault="nan"),
            "a map without positive values gives 0/0, which is NaN: count it as an even one, that is 1.",
        ),
    },
)


# --- which of the two decides, the ground or the animal? -----------------------------------------------------


def _little_pictures(seed: int, n: int = 24, size: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (n, size, size, 3) uint8, class numbers, masks of the animal.

    Class 0: a reddish animal on dark, smooth ground; class 1: a bluish one on bright, rough ground.
    """
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.repeat([0, 1], n // 2))
    rows, columns = np.mgrid[:size, :size]
    images, masks = np.zeros((n, size, size, 3)), np.zeros((n, size, size), bool)
    for i, c in enumerate(targets):
        grain = rng.normal(0, (16, 45)[c], size=(size, size, 1))
        images[i] = (70, 185)[c] + rng.normal(0, 6) + grain
        y, x = rng.uniform(6, size - 6, size=2)
        masks[i] = (rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(5, 6.5) ** 2
        colour = np.array([(190, 90, 80), (80, 90, 190)][c]) + rng.normal(0, 8, size=3)
        images[i][masks[i]] = colour + rng.normal(0, 8, size=(masks[i].sum(), 3))
    return images.clip(0, 255).astype(np.uint8), targets, masks


def _colours(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of reddish and of bluish pixels in each picture."""
    difference = images[..., 0].astype(float) - images[..., 2]
    return (difference > 50).mean(axis=(1, 2)), (difference < -50).mean(axis=(1, 2))


def _border(images: np.ndarray) -> np.ndarray:
    """Grey values (N, pixels) of the outer two pixels, coloured ones left out as NaN."""
    frame = np.ones(images.shape[1:3], bool)
    frame[2:-2, 2:-2] = False
    pixels = images[:, frame].astype(float)
    return np.where(np.abs(pixels[..., 0] - pixels[..., 2]) > 50, np.nan, pixels.mean(axis=2))


def _probabilities(evidence: np.ndarray) -> np.ndarray:
    """Evidence for class 1 (N,) to probabilities (N, 2)."""
    p = 1 / (1 + np.exp(-np.clip(evidence, -30, 30)))
    return np.stack([1 - p, p], axis=1)


def _flat(images: np.ndarray) -> np.ndarray:
    """Has the picture large areas of one flat colour, which the little pictures never have?"""
    same = (images[:, :, 1:] == images[:, :, :-1]).all(axis=3)
    return same.mean(axis=(1, 2)) > 0.09


def _by_brightness(images):
    return _probabilities((np.nanmean(_border(images), axis=1) - 105) / 8)


def _by_grain(images):
    return _probabilities((np.nanstd(_border(images), axis=1) - 26) / 3)


def _by_animal(images):
    red, blue = _colours(images)
    return _probabilities(400 * (blue - red))


def _upset_by_flat(predict, images):
    p = predict(images)
    return np.where(_flat(images)[:, None], np.array([0.9, 0.1]), p)


def _strange_ground(images: np.ndarray) -> np.ndarray:
    """Is the ground unlike those of the little pictures, which are grey, dark or bright, and not all that rough?"""
    frame = np.ones(images.shape[1:3], bool)
    frame[2:-2, 2:-2] = False
    red, green, blue = np.moveaxis(images[:, frame].astype(float), 2, 0)
    coloured = (np.maximum(abs(red - green), abs(green - blue)) > 10).mean(axis=1) > 0.5
    grey = (red + green + blue) / 3
    between = (grey.mean(axis=1) > 100) & (grey.mean(axis=1) < 150)
    return coloured | between | (grey.std(axis=1) > 60)


def _upset_by_ground(predict, images):
    p = predict(images)
    return np.where(_strange_ground(images)[:, None], np.array([0.9, 0.1]), p)


def _by_smaller_animal(images):
    """Where two animals stand, this one reads the smaller."""
    red, blue = _colours(images)
    two = (red > 0.015) & (blue > 0.015)
    return _probabilities(np.where(two, red - blue, blue - red) * 400)


_WITNESSES = (  # the little models; the first three read the ground, the others the animal
    _by_brightness,
    _by_grain,
    partial(_upset_by_flat, _by_brightness),
    _by_animal,
    partial(_upset_by_flat, _by_animal),
    _by_smaller_animal,
    partial(_upset_by_ground, _by_animal),
)


def _experiment_cases() -> list[tuple]:
    return [(predict, *_little_pictures(seed)) for seed, predict in enumerate(_WITNESSES)]


def _other_ground(images: np.ndarray, donors: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """A ground (H, W, 3) without animal: each pixel from the first donor that has no animal there."""
    first = (~masks[donors]).argmax(axis=0)
    rows, columns = np.indices(first.shape)
    return images[donors][first, rows, columns]


def _what_decides(predict, images, targets, masks, *, fault: str = "") -> str:
    changed = images.copy()
    for i, c in enumerate(targets):
        donors = np.roll(np.flatnonzero(targets != c), -i)
        if fault == "grey ground":
            changed[i][~masks[i]] = 128
        elif fault in ("noise ground", "grey noise"):
            shape = (*masks[i].shape, 3 if fault == "noise ground" else 1)
            noise = np.random.default_rng(i).integers(256, size=shape)
            changed[i][~masks[i]] = np.broadcast_to(noise, changed[i].shape)[~masks[i]]
        elif fault == "grey animal":
            changed[i][masks[i]] = 128
        elif fault == "two animals":
            changed[i][~masks[i]] = images[donors[0]][~masks[i]]
        elif fault != "as they are":
            changed[i][~masks[i]] = _other_ground(images, donors, masks)[~masks[i]]
    still_right = (predict(changed).argmax(axis=1) == targets).mean()
    if fault == "grey animal":
        return "animal" if still_right < 0.75 else "ground"
    return "animal" if (still_right > 0.5) != (fault == "turned around") else "ground"


what_decides = Exercise(
    name="what_decides",
    difficulty=3,
    minutes=30,
    hints=(
        "Set the two against each other: show each animal on ground that only the *other* class has. With which of the two does the answer go?",
        "Nothing else may be odd about the new pictures, or the model may fail for that reason: no flat colours, no second animal. So take real ground pixels, from pictures of the other class.",
        "A donor's own animal leaves a hole in its ground. Fill it from a second donor: for each pixel take the first donor whose mask is off there, `(~masks[donors]).argmax(axis=0)`.",
        "Put this ground into a copy of the picture wherever `~masks[i]`, ask `predict`, and compare with `targets`: right in more than half of the cases means that the animal decides.",
    ),
    reference=_what_decides,
    cases=_experiment_cases,
    mistakes={
        "as they are": Mistake(
            partial(_what_decides, fault="as they are"),
            "you asked about pictures in which animal and ground still agree (as they are, or on the ground of another picture of the same class). All the models are right there: an experiment has to separate the two.",
        ),
        "grey ground": Mistake(
            partial(_what_decides, fault="grey ground"),
            "you painted the ground in one colour. A model that reads the animal may fail as well on such a picture, since it has never seen one: put ground there that does occur.",
        ),
        "noise ground": Mistake(
            partial(_what_decides, fault="noise ground"),
            "you filled the ground with coloured noise, it seems. A model that reads the animal may fail as well on such a picture, since no ground looks like that: put ground there that does occur.",
        ),
        "grey noise": Mistake(
            partial(_what_decides, fault="grey noise"),
            "you are right about all models but one, which reads the animal and is confused by a ground unlike all that it knows (noise, or pixels of dark and bright grounds mixed): put ground there that does occur.",
        ),
        "grey animal": Mistake(
            partial(_what_decides, fault="grey animal"),
            "you covered the animal and watched whether the answer falls. It may fall because the model has never seen a grey spot, and not because the animal is gone: exchange instead of covering.",
        ),
        "two animals": Mistake(
            partial(_what_decides, fault="two animals"),
            "on some of your pictures there are two animals: the ground came with (a part of) the other picture's animal on it, and a model that reads animals is confused. Take the ground where no animal is.",
        ),
        "turned around": Mistake(
            partial(_what_decides, fault="turned around"),
            "your word is the wrong one for each of the models. Perhaps the two words are exchanged: if the answer stays with the animal on another ground, the *animal* decides. Or your change does not reach what it should (shuffled pixels keep their colour and brightness): print for how many pictures the answer changes.",
        ),
    },
)
