"""What lesson 01 and its companion claim about covering, its tests and its data, on pictures they never show."""

import numpy as np
import torch
from replication import claim

from course_utils import judge
from course_utils.exercises import l01_why_explain as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l01_why_explain as lesson
from course_utils.methods import prototypes as few

MODELS = {"A": "shortcut", "B": "clean"}
KINDS = ("husky", "wolf")


def offers(seed: int, n: int = 30):
    """Both models on fresh pictures: labs by name, and the class numbers."""
    labs = {name: load_lab("wolves", model=kind, seed=seed, n=n) for name, kind in MODELS.items()}
    return labs, labs["A"].targets.numpy()


def energy(lab, images, targets, **options) -> tuple[torch.Tensor, np.ndarray]:
    """Energy on the animal of the covering map, and the falls."""
    falls = lesson.cover_and_watch(lab.predict, images, targets, **options)
    return judge.energy_in_mask(lesson.spread(falls, 128), lab.masks), falls


@claim(
    "§1, §3",
    "Both models are right on pictures like those of training; with the ground exchanged only B is.",
    shown="A 1.00 and 0.00, B 1.00 and 1.00",
    holds=lambda v: (
        min(v["A"].min(), v["B"].min(), v["B elsewhere"].min()) > 0.9 and v["A elsewhere"].max() < 0.1
    ),
)
def test_equal_at_home_and_not_elsewhere(seed):
    labs, targets = offers(seed)
    right = {}
    for name, lab in labs.items():
        right[name] = (lab.predict(lab.images).argmax(axis=1) == targets).mean()
        right[f"{name} elsewhere"] = (lab.predict(lab.counterfactuals).argmax(axis=1) == targets).mean()
    return right


@claim(
    "§2",
    "B's map lies on the animal far more than a constant map would; for A hardly any square matters.",
    shown="energy minus area: B +0.67; largest fall: A 0.009, B 0.283",
    holds=lambda v: (
        v["B minus area"].min() > 0.4
        and v["A minus area"].max() < 0.1
        and v["largest fall A"].max() < 0.05
        and v["largest fall B"].min() > 0.15
    ),
)
def test_the_animal_matters_to_one_of_them(seed):
    labs, targets = offers(seed)
    found = {}
    for name, lab in labs.items():
        on_animal, falls = energy(lab, lab.images, targets)
        area = lab.masks.float().mean(dim=(1, 2))
        found[f"{name} minus area"] = judge.paired(on_animal, area).mean
        found[f"largest fall {name}"] = falls.max(axis=(1, 2)).mean()
    return found


@claim(
    "§2, exercise",
    "The edges of the pictures, which never asked a model, lie on the animal more than chance.",
    shown="2.32 times chance",
    holds=lambda times: times.min() > 1.5,
)
def test_edges_are_above_chance(seed):
    lab = load_lab("wolves", seed=seed, n=60)
    edges = judge.baselines.sobel(lab.inputs).numpy()
    return exercises.times_chance.reference(edges, lab.masks.numpy()).mean()


@claim(
    "§4",
    "Most of what the own map and the blurred edges cover (a tenth) is the animal.",
    shown="own map 0.88, blurred edges 0.86, random 0.19",
    holds=lambda v: v["own"].min() > 0.75 and v["edges"].min() > 0.75 and v["random"].max() < 0.3,
)
def test_both_cover_the_animal(seed):
    labs, targets = offers(seed)
    lab = labs["B"]
    falls = lesson.cover_and_watch(lab.predict, lab.images, targets)
    maps = {
        "own": lesson.spread(falls, 128),
        "edges": lesson.blurred_edges(lab.inputs),
        "random": judge.baselines.random(lab.inputs),
    }
    found = {}
    for name, heat in maps.items():
        changed = (lesson.cover_strongest(lab.images, heat) != lab.images).any(axis=3)
        found[name] = lab.masks.numpy()[changed].mean()
    return found


@claim(
    "§4",
    "Blurred edges, which know nothing of the model, take about as much away as its own map, in three colours.",
    shown="own minus blurred: grey +0.02, black −0.04, white −0.02",
    holds=lambda v: all(abs(row.mean()) < 0.1 for row in v.values()),
)
def test_blurred_edges_tie_with_the_own_map(seed):
    labs, targets = offers(seed)
    lab, everyone = labs["B"], np.arange(len(targets))
    falls = lesson.cover_and_watch(lab.predict, lab.images, targets)
    maps = {"own": lesson.spread(falls, 128), "edges": lesson.blurred_edges(lab.inputs)}
    gaps = {}
    for colour, grey in (("grey", 128), ("black", 0), ("white", 255)):
        after = {
            name: lab.predict(lesson.cover_strongest(lab.images, heat, grey=grey))[everyone, targets]
            for name, heat in maps.items()
        }
        gaps[colour] = (after["edges"] - after["own"]).mean()
    return gaps


@claim(
    "§4",
    "Scattered pixels (random noise) do little in grey and much in white.",
    shown="random: grey 0.01, white 0.46",
    holds=lambda v: v["white"].min() - v["grey"].max() > 0.2,
)
def test_the_colour_decides_for_scattered_pixels(seed):
    labs, targets = offers(seed)
    lab, everyone = labs["B"], np.arange(len(targets))
    before = lab.predict(lab.images)[everyone, targets]
    noise = judge.baselines.random(lab.inputs)
    return {
        colour: (
            before - lab.predict(lesson.cover_strongest(lab.images, noise, grey=grey))[everyone, targets]
        ).mean()
        for colour, grey in (("grey", 128), ("white", 255))
    }


@claim(
    "§5",
    "A rule with the mean brightness does nearly as well as the networks, and fails on the other farm.",
    shown="0.93 and 0.02",
    holds=lambda v: v["fresh"].min() > 0.85 and v["other farm"].max() < 0.15,
)
def test_one_number(seed):
    from sklearn.tree import DecisionTreeClassifier

    stored, fresh = load_lab("wolves"), load_lab("wolves", seed=seed, n=60)
    rule = DecisionTreeClassifier(max_depth=1)
    rule.fit(stored.images.mean(axis=(1, 2, 3))[:, None], stored.targets.numpy())
    return {
        name: (rule.predict(images.mean(axis=(1, 2, 3))[:, None]) == fresh.targets.numpy()).mean()
        for name, images in (("fresh", fresh.images), ("other farm", fresh.counterfactuals))
    }


@claim(
    "§9, card 1",
    "On the other farm, A's map for the right class lies mostly on the animal; for its own answer it does not.",
    shown="0.59 and 0.07",
    holds=lambda v: v["right class"].min() > 0.4 and v["own answer"].max() < 0.2,
)
def test_the_question_about_the_wrong_answer(seed):
    labs, targets = offers(seed)
    lab = labs["A"]
    abroad = lab.counterfactuals
    own = lab.predict(abroad).argmax(axis=1)
    return {
        name: energy(lab, abroad, classes)[0].mean()
        for name, classes in (("right class", targets), ("own answer", own))
    }


@claim(
    "§9, card 2",
    "With the ground all grey, A's wolves lose hardly anything and its huskies nearly everything; with half of it, little.",
    shown="wolves 0.97 to 0.93; huskies 0.98, half 0.90, all 0.12",
    holds=lambda v: (
        v["wolf, all"].min() > 0.85 and v["husky, all"].max() < 0.25 and v["husky, half"].min() > 0.7
    ),
)
def test_a_fall_of_nothing_proves_nothing(seed):
    labs, targets = offers(seed, n=60)
    lab = labs["A"]
    blocks = np.random.default_rng(seed).permutation(64).reshape(8, 8).repeat(16, axis=0).repeat(16, axis=1)
    found = {}
    for label, share in (("half", 0.5), ("all", 1)):
        hidden = lab.images.copy()
        hidden[~lab.masks.numpy() & (blocks / 64 < share)] = 128
        p = lab.predict(hidden)[np.arange(60), targets]
        for number, kind in enumerate(lab.class_names):
            found[f"{kind}, {label}"] = p[targets == number].mean()
    return found


def similarities(images: np.ndarray) -> np.ndarray:
    """The lesson's similarity of each two pictures, reduced to 16 × 16 pixels."""
    small = images.reshape(len(images), 16, 8, 16, 8, 3).mean(axis=(2, 4)).reshape(len(images), -1) / 255
    return few.similarities(small)


@claim(
    "01b §1",
    "A criticism need not be an exception: with two pictures on the other farm the criticisms nearly always miss the "
    "huskies', and the wolves' on most pictures; the three least similar to their class hold one of the two.",
    shown="of 20: criticisms husky 1, wolf 17; least similar 20 and 20",
    holds=lambda v: (
        min(v["least similar, husky"].min(), v["least similar, wolf"].min()) > 0.8
        and v["criticisms, husky"].max() < 0.3
        and np.median(v["criticisms, wolf"]) < 0.5
    ),
)
def test_criticisms_miss_exceptions(seed):
    lab = load_lab("wolves", seed=seed, n=60)
    rng, found = np.random.default_rng(seed), {}
    for c, name in enumerate(lab.class_names):
        members, hits = np.flatnonzero(lab.targets.numpy() == c), []
        for _ in range(20):
            mixed, moved = lab.images[members], rng.choice(len(members), 2, replace=False)
            mixed[moved] = lab.counterfactuals[members[moved]]
            k = similarities(mixed)
            threes = few.criticisms(k, few.prototypes(k, 3), 3), np.argsort(k.mean(axis=1))[:3]
            hits.append([bool(np.isin(three, moved).any()) for three in threes])
        found[f"criticisms, {name}"], found[f"least similar, {name}"] = np.mean(hits, axis=0)
    return found


@claim(
    "01b §2",
    "A's map is near a constant one or below it, with grey squares of 32 and of 64 pixels.",
    shown="energy minus area −0.09, −0.10",
    holds=lambda v: all(row.max() < 0.1 and row.min() > -0.2 for row in v.values()),
)
def test_the_ground_detectors_map_is_not_above_a_constant_one(seed):
    labs, targets = offers(seed, n=20)
    lab, found = labs["A"], {}
    for side, step in ((32, 24), (64, 32)):
        square = {"window": side, "stride": step}
        falls = lesson.cover_and_watch(lab.predict, lab.images, targets, **square)
        on_animal = judge.energy_in_mask(lesson.spread(falls, 128, **square), lab.masks)
        found[str(side)] = judge.paired(on_animal, lab.masks.float().mean(dim=(1, 2))).mean
    return found


@claim(
    "01b §2",
    "A square of 64 pixels halves B's energy; with each of the five squares A stays far behind B.",
    shown="B 0.88, 64 pixels 0.45; gaps 0.74, 0.78, 0.35, black 0.62, white 0.57",
    holds=lambda v: (v["B, 64"] < 0.7 * v["B, 32"]).all() and min(v[k].min() for k in v if "gap" in k) > 0.2,
)
def test_the_square_is_a_choice(seed):
    labs, targets = offers(seed, n=20)
    squares = {"20": (20, 18, 128), "32": (32, 24, 128), "64": (64, 32, 128)}
    squares |= {"black": (32, 24, 0), "white": (32, 24, 255)}
    found = {}
    for label, (side, step, grey) in squares.items():
        square = {"window": side, "stride": step}
        both = {}
        for name, lab in labs.items():
            falls = lesson.cover_and_watch(lab.predict, lab.images, targets, grey=grey, **square)
            both[name] = judge.energy_in_mask(lesson.spread(falls, 128, **square), lab.masks).mean()
        found[f"gap, {label}"] = both["B"] - both["A"]
        found[f"B, {label}"] = both["B"]
    return found


@claim(
    "01b §3",
    "Brightness alone turns most of A's answers, colour a few, texture next to none; B stays right.",
    shown="A right in 0.33, 0.92, 1.00; B in 1.00",
    holds=lambda v: (
        v["A, brightness"].max() < 0.5
        and v["A, colour"].min() > 0.75
        and v["A, texture"].min() > 0.9
        and v["B, worst"].min() > 0.9
    ),
)
def test_model_a_reads_brightness(seed):
    labs, targets = offers(seed, n=60)
    lab = labs["A"]
    found, worst = {}, []
    for part in ("brightness", "colour", "texture"):
        changed = lab.images.copy()
        for i, outside in enumerate(~lab.masks.numpy()):
            own, other = (g[i].astype(float) for g in (lab.images, lab.counterfactuals))
            means = [ground[outside].mean(axis=0) for ground in (own, other)]
            light, tint = [m.mean() for m in means], [m - m.mean() for m in means]
            grain = [own - means[0], other - means[1]]
            new = light[part == "brightness"] + tint[part == "colour"] + grain[part == "texture"]
            changed[i][outside] = new.clip(0, 255)[outside]
        right = {name: (o.predict(changed).argmax(axis=1) == targets).mean() for name, o in labs.items()}
        found[f"A, {part}"] = right["A"]
        worst.append(right["B"])
    return found | {"B, worst": min(worst)}


@claim(
    "01b §3",
    "A is no brightness reader: on a darker ground about half of its huskies turn to wolves; its wolves stay on a brighter.",
    shown="A right, husky 0.40, wolf 1.00; B 0.97 and 1.00",
    holds=lambda v: (
        v["A, husky"].max() < 0.75
        and v["A, wolf"].min() > 0.9
        and min(v[f"B, {k}"].min() for k in KINDS) > 0.85
    ),
)
def test_model_a_reads_not_brightness_alone(seed):
    labs, targets = offers(seed, n=60)
    lab = labs["A"]
    away = lab.images.copy()
    for i, outside in enumerate(~lab.masks.numpy()):
        step = lab.counterfactuals[i][outside].mean() - lab.images[i][outside].mean()
        away[i][outside] = (lab.images[i][outside] - step).clip(0, 255)
    right = {name: o.predict(away).argmax(axis=1) == targets for name, o in labs.items()}
    return {
        f"{name}, {kind}": right[name][targets == c].mean() for name in labs for c, kind in enumerate(KINDS)
    }


@claim(
    "01b §4",
    "On ground cut from their own class all four networks stay right; A follows the other class's ground, and is mostly "
    "right on black.",
    shown="own class 1.00, 1.00, 1.00, 0.97; A on the other class's 0.00, on black 0.75",
    holds=lambda v: (
        v["own class"].min() > 0.9 and v["A, other class"].max() < 0.1 and v["A, black"].min() > 0.6
    ),
)
def test_the_cut_does_not_turn_answers(seed):
    own = []
    for name, kind in (
        ("monsters", "shortcut"),
        ("monsters", "clean"),
        ("wolves", "clean"),
        ("wolves", "shortcut"),
    ):
        lab = load_lab(name, model=kind, seed=seed, n=40)
        targets, masks = lab.targets.numpy(), lab.masks.numpy()
        right = {}
        for same in (True, False):
            changed, (rows, columns) = lab.images.copy(), np.indices(masks[0].shape)
            for i, outside in enumerate(~masks):
                donors = np.roll(np.flatnonzero((targets == targets[i]) == same), -i)
                donors = donors[donors != i]
                ground = lab.images[donors[(~masks[donors]).argmax(axis=0)], rows, columns]
                changed[i][outside] = ground[outside]
            right[same] = (lab.predict(changed).argmax(axis=1) == targets).mean()
        own.append(right[True])
    black = lab.predict(lab.images * masks[..., None]).argmax(axis=1) == targets  # of A, the last one
    return {"own class": min(own), "A, other class": right[False], "A, black": black.mean()}


@claim(
    "01b §4",
    "The solution's experiment, with pasted ground, tells animal from ground for four networks.",
    shown="ground, animal, ground, animal",
    holds=lambda right: right.min() == 4,
)
def test_the_experiment_decides(seed):
    right = 0
    for name in ("wolves", "monsters"):
        for kind, truth in (("shortcut", "ground"), ("clean", "animal")):
            lab = load_lab(name, model=kind, seed=seed, n=40)
            found = exercises.what_decides.reference(
                lab.predict, lab.images, lab.targets.numpy(), lab.masks.numpy()
            )
            right += found == truth
    return right
