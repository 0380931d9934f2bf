"""The exercises of lesson 01 and its companion: a first one, which model to ship, maps, falls, an experiment."""

from __future__ import annotations

from functools import partial

import numpy as np

from course_utils import judge
from course_utils.teach.checks import Exercise, Mistake, Question
from course_utils.teach.quiz import quiz


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
        "of sixty": Mistake(
            lambda answers, targets: (answers == targets).sum() / 60,
            "you divided by 60: other arrays have other lengths. `len(answers)`, or simply `mean`.",
        ),
        "one too few": Mistake(
            lambda answers, targets: (answers == targets).sum() / (len(answers) - 1),
            "you divided by one less than there are: that is for a variance. Divide by `len(answers)`.",
        ),
        "rounded": Mistake(
            lambda answers, targets: round(float((answers == targets).mean()), 1),
            "you rounded the share: return it as it is, and round when you print.",
        ),
        "rounded to two": Mistake(
            lambda answers, targets: round(float((answers == targets).mean()), 2),
            "you rounded the share to two places: return it as it is, and round when you print.",
        ),
        "always 1": Mistake(
            lambda answers, targets: 1.0,
            "you return 1 whatever comes in: compute the share from `answers` and `targets`.",
        ),
        "answers only": Mistake(
            lambda answers, targets: answers.mean(),
            "you took the mean of the class numbers: compare them with `targets` first.",
        ),
        "class by class": Mistake(
            lambda answers, targets: np.mean(
                [(answers == targets)[targets == c].mean() for c in np.unique(targets)]
            ),
            "you took the share in each class, and then the mean of the classes: every picture counts the same here.",
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
            "that model is the one that fails on the pictures from the other farm. The hint stood in section 2: hardly any square on the *animal* changes its answer. (Your first choice, before the maps, could only be a guess, and is not judged.)",
            example=lambda world: next(name for name in world if name != _better(world)),
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
        "clipped difference": Mistake(
            lambda known, goal: max(goal - known, 0.0),
            "you subtracted and cut off at 0: a missing reason may well speak *against* the conclusion.",
        ),
        "first two cases": Mistake(
            lambda known, goal: (goal - known) / (1 - abs(known)),
            "you solved the case in which both reasons have the same sign. If the goal is weaker than the known reason, the missing one must speak against it, and the third case holds.",
        ),
        "other signs": Mistake(
            lambda known, goal: (goal - known) / (1 - min(abs(goal), abs(known))),
            "you used the formula for different signs to combine goal and −known: if their signs are equal, the first case holds.",
        ),
        "sizes only": Mistake(
            lambda known, goal: combine(abs(goal), -abs(known)),
            "you took away the signs of `known` and `goal`: a reason *against* the conclusion has a negative certainty.",
        ),
        "same sign": Mistake(
            lambda known, goal: goal + -known * (1 - abs(goal)),
            "you used the formula for equal signs to combine goal and −known: often their signs differ, and then the third case holds.",
        ),
    },
)


def _map_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    """Maps (N, H, W), partly negative, and masks of several sizes."""
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
    return cases


def _times_chance(maps: np.ndarray, masks: np.ndarray, *, fault: str = "") -> np.ndarray:
    mass = np.abs(maps) if fault == "abs" else maps if fault == "signed" else maps.clip(min=0)
    inside, total, area = (mass * masks).sum(axis=(1, 2)), mass.sum(axis=(1, 2)), masks.mean(axis=(1, 2))
    energy = np.divide(inside, total, out=area.copy(), where=total != 0)  # an empty map counts as an even one
    match fault:
        case "energy":
            return energy
        case "difference":
            return energy - area
        case "pixels":
            return energy / masks.sum(axis=(1, 2))
        case "together":
            return np.full(len(maps), inside.sum() / total.sum() / masks.mean())
        case "one number":
            return inside.sum() / total.sum() / masks.mean()
        case "mean":
            return (energy / area).mean()
        case "one area":
            return energy / masks.mean()
        case "turned around":
            return area / energy
        case "outside area":
            return energy / (1 - area)
        case "density":
            return inside / masks.sum(axis=(1, 2)) / ((total - inside) / (~masks).sum(axis=(1, 2)))
        case "odds":
            return inside / (total - inside)
        case _:
            return energy / area


_FAULTS = {
    "energy": "that is the energy. A large animal gets a large one for nothing: divide by the share of the picture that the mask takes.",
    "difference": "you subtracted the mask's share of the picture: divide by it (how many *times* as much).",
    "pixels": "you divided by the number of pixels in the mask: divide by its share of the picture.",
    "mean": "you took the mean over the pictures: return one value for each, so that an interval can be put around them.",
    "one area": "you divided by the mean share of all masks: each picture has a mask of its own.",
    "outside area": "you divided by the share of the picture *around* the animal: an even map has as much inside as the mask's own share.",
    "signed": "negative values take something away, so that shares below 0 and above 1 come out. Cut them off at zero first.",
    "abs": "you took absolute values: where the map is negative, covering *helped* the model. Only positive values count.",
    "together": "you put all pictures into one sum: each map has its own total, and the result has one value for each picture.",
    "one number": "you put all pictures into one sum: `sum(axis=(1, 2))` gives each picture its own, and the result has one value for each.",
    "density": "you compared the inside with the *outside*: compare it with a map that is even over the whole picture.",
    "odds": "you compared the inside with the *outside*: the energy is the inside's share of *all* positive values.",
    "turned around": "you divided the mask's share by the energy: it is the other way round, so that a better map gets more.",
}

times_chance = Exercise(
    name="times_chance",
    difficulty=2,
    minutes=7,
    hints=(
        "First the energy: of the positive values of each map, which share lies inside its mask? `maps.clip(min=0)`, and sums over `axis=(1, 2)`.",
        "An even map has the same value everywhere: its energy is the share of the picture that the mask takes, `masks.mean(axis=(1, 2))`.",
        "With `positive = maps.clip(min=0)` the energy is `(positive * masks).sum(axis=(1, 2)) / positive.sum(axis=(1, 2))`. Divide it by the energy of an even map.",
    ),
    reference=_times_chance,
    cases=_map_cases,
    mistakes={name: Mistake(partial(_times_chance, fault=name), text) for name, text in _FAULTS.items()},
)


# --- what does covering take away? ---------------------------------------------------------------------------


def _fall_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    """Probabilities before (N,) and after covering (N, rows, columns); models that are sure, and that are not."""
    rng = np.random.default_rng(6)
    cases = []
    for n, rows, columns, sure in ((3, 4, 5, 0.9), (5, 5, 5, 0.2), (2, 3, 6, 0.5)):
        before = rng.uniform(sure - 0.1, sure + 0.1, size=n)
        cases.append((before, (before[:, None, None] + rng.normal(0, 0.08, (n, rows, columns))).clip(0, 1)))
    return cases


def _bare_heat(before, after):
    return 1 - after


falls_of = Exercise(
    name="falls_of",
    difficulty=2,
    minutes=5,
    hints=(
        "Look at section 2: what is the importance of a region, in symbols? What stands in the place of p(x) here?",
        "`before` has one value for each picture, `after` a grid for each: `before[:, None, None]` fits to it.",
        "`return before[:, None, None] - after`",
    ),
    reference=lambda before, after: before[:, None, None] - after,
    cases=_fall_cases,
    given=_bare_heat,
    mistakes={
        "turned around": Mistake(
            lambda before, after: after - before[:, None, None],
            "the sign is turned around: a region matters if the probability *falls* when it is covered.",
        ),
        "relative": Mistake(
            lambda before, after: 1 - after / before[:, None, None],
            "you divided by the probability before: the importance of section 2 is a difference, not a share.",
        ),
        "size": Mistake(
            lambda before, after: np.abs(before[:, None, None] - after),
            "you took away the sign: where covering *helps* the class, the fall is negative, and that must stay visible.",
        ),
        "cut off": Mistake(
            lambda before, after: (before[:, None, None] - after).clip(0),
            "you cut off the negative falls: where covering *helps* the class, that must stay visible.",
        ),
        "largest": Mistake(
            lambda before, after: after.max(axis=(1, 2), keepdims=True) - after,
            "you subtracted from the largest probability *under a cover*: compare with the picture as it is.",
        ),
        "mean": Mistake(
            lambda before, after: after.mean(axis=(1, 2), keepdims=True) - after,
            "you subtracted from the mean *under all covers*: compare with the picture as it is.",
        ),
        "first picture": Mistake(
            lambda before, after: before[0] - after,
            "you used the first picture's probability for all of them: each has its own, `before[:, None, None]`.",
        ),
        "all pictures": Mistake(
            lambda before, after: before.mean() - after,
            "you used one probability for all pictures: each has its own, `before[:, None, None]`.",
        ),
        "surest": Mistake(
            lambda before, after: before.max() - after,
            "you used the surest picture for all of them: each has its own probability, `before[:, None, None]`.",
        ),
        "stretched": Mistake(
            lambda before, after: (
                (after.max(axis=(1, 2), keepdims=True) - after) / np.ptp(after, axis=(1, 2), keepdims=True)
            ),
            "you stretched each map from 0 to 1: then nobody can see any more what a fall of nothing is.",
        ),
    },
)


# --- which of the two maps takes more away? ------------------------------------------------------------------

NO_DIFFERENCE = "no clear difference"


def _which_falls_more(own_minus_edges) -> str:
    if not own_minus_edges.sure:
        return NO_DIFFERENCE
    return "own map" if own_minus_edges.mean > 0 else "blurred edges"


def _fall_examples() -> list[tuple]:
    """Two maps that tie, the model's own map ahead, the edges ahead."""
    rng = np.random.default_rng(8)
    return [
        (judge.paired(centre + rng.normal(0, 0.2, size=60), np.zeros(60)),) for centre in (0.0, 0.3, -0.3)
    ]


takes_more = Question(
    name="takes_more",
    difficulty=2,
    minutes=3,
    hints=(
        "The edges of these pictures are mostly those of the animal. Does a test that covers the animal need to know the model?",
        'Answer `"own map"`, `"blurred edges"` or `"no clear difference"`.',
    ),
    expected=_which_falls_more,
    examples=_fall_examples,
    mistakes={
        "own map": Mistake(
            lambda answer, gap: str(answer).strip().casefold() == "own map",
            "both maps cover the animal, so both take much away, though the edges know nothing of the model. Look at the paired difference below: its interval does not lie above zero.",
            example=lambda gap: "own map",
        ),
        "blurred edges": Mistake(
            lambda answer, gap: str(answer).strip().casefold() == "blurred edges",
            "both maps cover the animal. Look at the paired difference below: its interval does not lie below zero.",
            example=lambda gap: "blurred edges",
        ),
        "no difference": Mistake(
            lambda answer, gap: str(answer).strip().casefold() == NO_DIFFERENCE,
            "in your run the interval of the paired difference (below) lies on one side of zero.",
            example=lambda gap: NO_DIFFERENCE,
        ),
        "none of the three": Mistake(
            lambda answer, gap: True,
            'answer with one of the three texts: `"own map"`, `"blurred edges"` or `"no clear difference"`.',
            example=lambda gap: "the edges",
        ),
    },
)

where_cover = quiz(
    "“Cover it, and watch” was one of these. Where does it stand?",
    ["ante hoc, global", "post hoc, local, black box", "post hoc, global, white box"],
    correct=1,
    explanations=[
        "The model was trained already, and we asked about one picture at a time.",
        "We explained a trained model, one picture at a time, and only needed its answers.",
        "We never looked at a weight, and each map speaks about one picture only.",
    ],
)

which_word = quiz(
    "A firm publishes everything: the program, its hundred million weights, the training pictures, the tests. "
    "Nobody can say why it gave one certain answer. Which word fits?",
    ["interpretable", "transparent", "explainable"],
    correct=1,
    explanations=[
        "For that, a person would have to be able to follow the way from the picture to the answer.",
        "All can be looked at. That helps whoever wants to test the model, but it is no reason for an answer.",
        "Perhaps with a method such as covering. The text does not say that anybody has tried.",
    ],
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


def _by_both(images, border):
    """The animal against the ground: a large animal wins, a small one loses."""
    red, blue = _colours(images)
    bright = np.where(np.nanmean(_border(images), axis=1) > 105, 1, -1)
    return _probabilities(200 * (blue - red + border * bright))


_WITNESSES = (  # the little models; the first three read the ground, the next four the animal
    _by_brightness,
    _by_grain,
    partial(_upset_by_flat, _by_brightness),
    _by_animal,
    partial(_upset_by_flat, _by_animal),
    _by_smaller_animal,
    partial(_upset_by_ground, _by_animal),
)
# two more, in which the one decides in most pictures, but the other in some, among them the first two
_MOSTLY = ((partial(_by_both, border=0.18), 102), (partial(_by_both, border=0.21), 109))


def _experiment_cases() -> list[tuple]:
    witnesses = [*((predict, seed) for seed, predict in enumerate(_WITNESSES)), *_MOSTLY]
    return [(predict, *_little_pictures(seed)) for predict, seed in witnesses]


def _other_ground(images: np.ndarray, donors: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """A ground (H, W, 3) without animal: each pixel from the first donor that has no animal there."""
    first = (~masks[donors]).argmax(axis=0)
    rows, columns = np.indices(first.shape)
    return images[donors][first, rows, columns]


def _changed_ground(images, masks, i: int, donors: np.ndarray, fault: str) -> np.ndarray:
    """What to put around the animal of picture i: the other class's ground, or what a fault takes instead."""
    match fault:
        case "as they are":
            return images[i]
        case "grey ground" | "black ground":
            return np.full_like(images[i], 128 if fault == "grey ground" else 0)
        case "noise ground":
            return np.random.default_rng(i).integers(256, size=images[i].shape).astype(np.uint8)
        case "grey noise":
            noise = np.random.default_rng(i).integers(256, size=(*masks[i].shape, 1))
            return np.broadcast_to(noise, images[i].shape).astype(np.uint8)
        case "mean colour":
            mean = np.mean([images[d][~masks[d]].mean(axis=0) for d in donors], axis=0)
            return np.broadcast_to(mean, images[i].shape).astype(np.uint8)
        case "blurred":
            padded = np.pad(images[i].astype(float), ((4, 4), (4, 4), (0, 0)), mode="edge")
            size = images[i].shape[0]
            shifted = [padded[y : y + size, x : x + size] for y in range(9) for x in range(9)]
            return np.mean(shifted, axis=0).astype(np.uint8)
        case "two animals":
            return images[donors[0]]
        case _:
            return _other_ground(images, donors, masks)


def _what_decides(predict, images, targets, masks, *, fault: str = "", first: int = 0, border=0.5) -> str:
    if fault in ("always ground", "both"):
        return fault.removeprefix("always ")
    changed = images.copy()
    for i, c in enumerate(targets):
        donors = np.roll(
            np.flatnonzero(np.arange(len(targets)) != i if fault == "any class" else targets != c), -i
        )
        if fault == "grey animal":
            changed[i][masks[i]] = 128
        else:
            changed[i][~masks[i]] = _changed_ground(images, masks, i, donors, fault)[~masks[i]]
    still_right = predict(changed).argmax(axis=1) == targets
    share = still_right[: first or None].mean()
    if fault == "grey animal":
        return "animal" if share < 0.75 else "ground"
    return "animal" if (share > border) != (fault == "turned around") else "ground"


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
            "for you the animal decides everywhere. Did you ask about pictures in which animal and ground still agree (as they are, on the ground of another picture of the same class, or with the pixels of their own ground shuffled)? All the models are right there: an experiment has to separate the two.",
        ),
        "grey ground": Mistake(
            partial(_what_decides, fault="grey ground"),
            "you painted the ground in one colour. A model that reads the animal may fail as well on such a picture, since it has never seen one: put ground there that does occur.",
        ),
        "black ground": Mistake(
            partial(_what_decides, fault="black ground"),
            "you painted the ground black or white, it seems. To a model that reads the ground this is one of its grounds, and a model that reads the animal may fail on a flat colour: put ground of the *other* class there.",
        ),
        "noise ground": Mistake(
            partial(_what_decides, fault="noise ground"),
            "you filled the ground with coloured noise, it seems. A model that reads the animal may fail as well on such a picture, since no ground looks like that: put ground there that does occur.",
        ),
        "grey noise": Mistake(
            partial(_what_decides, fault="grey noise"),
            "your ground misleads a model which reads the animal and is confused by a ground unlike all that it knows (noise, or pixels of dark and bright grounds mixed): put ground there that does occur.",
        ),
        "grey animal": Mistake(
            partial(_what_decides, fault="grey animal"),
            "you covered the animal and watched whether the answer falls. It may fall because the model has never seen a grey spot, and not because the animal is gone: exchange instead of covering.",
        ),
        "mean colour": Mistake(
            partial(_what_decides, fault="mean colour"),
            "you painted the ground in one colour, the mean of the other class's grounds. The brightness is right, but the ground is flat, and that alone confuses one of the models that read the animal. Put real ground pixels there.",
        ),
        "unchanged ground": Mistake(
            partial(_what_decides, fault="blurred"),
            "you blurred the ground, it seems: that leaves its brightness as it is, so a model that reads the brightness is not reached. Put ground of the *other* class there.",
        ),
        "one picture": Mistake(
            partial(_what_decides, first=1),
            "you looked at one picture only, it seems. In some of the models the animal decides in most pictures and the ground in a few, or the other way round: look at all of them.",
        ),
        "all or none": Mistake(
            partial(_what_decides, border=0.95),
            "you call it the animal only if (nearly) all answers stay right, or you looked at a few pictures only. In some models one of the two decides in most pictures, but not in all: look at all of them, and let the majority count.",
        ),
        "any": Mistake(
            partial(_what_decides, border=0.1),
            "you call it the animal as soon as a few answers stay right. In some models one of the two decides in most pictures, but not in all: the majority counts.",
        ),
        "any class": Mistake(
            partial(_what_decides, fault="any class"),
            "your grounds seem to come from pictures of *any* class. Where it is the animal's own, animal and ground still agree, and every model stays right: take ground of the *other* class only.",
        ),
        "both": Mistake(
            partial(_what_decides, fault="both"),
            'you answer "both": return the one of the two words "animal" and "ground" with which most answers go.',
        ),
        "always ground": Mistake(
            partial(_what_decides, fault="always ground"),
            'you answer "ground" for every model: the word has to come from the experiment.',
        ),
        "two animals": Mistake(
            partial(_what_decides, fault="two animals"),
            "on some of your pictures there are two animals: the ground came with (a part of, or in a mean of pictures the ghost of) other animals on it, and a model that reads animals is confused. Take the ground where no animal is.",
        ),
        "turned around": Mistake(
            partial(_what_decides, fault="turned around"),
            "your word is the wrong one for each of the models. Perhaps the two words are exchanged: if the answer stays with the animal on another ground, the *animal* decides. Or your change does not reach what it should (shuffled pixels keep their colour and brightness): print for how many pictures the answer changes.",
        ),
    },
)
