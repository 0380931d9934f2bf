"""The renderer: same seed, same picture; and the truth it tells fits what it drew."""

import numpy as np
import pytest

from course_utils.drawing import board as drawing
from course_utils.drawing import objects, scenes
from course_utils.drawing.scenes import CLASS_NAMES, PART_NAMES, SHORTCUTS, SIZE, render, render_motion

BIASED_LABS = ("watermark", "wolves", "monsters")


@pytest.fixture(scope="module")
def hundred():
    return render("scenes", 100, seed=11)


@pytest.fixture(scope="module")
def variants():
    """{lab: {shortcut: Scenes}} of the same objects."""
    return {lab: {kind: render(lab, 20, seed=4, shortcut=kind) for kind in SHORTCUTS} for lab in BIASED_LABS}


def assert_same(first, second):
    for name in ("images", "targets", "masks", "parts", "shortcut"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name


def test_shapes_and_types(hundred):
    assert hundred.images.shape == (100, SIZE, SIZE, 3) and hundred.images.dtype == np.uint8
    assert hundred.targets.shape == (100,) and hundred.targets.dtype == np.int64
    assert hundred.masks.shape == (100, SIZE, SIZE) and hundred.masks.dtype == bool
    assert hundred.parts.shape == (100, SIZE, SIZE) and hundred.parts.dtype == np.uint8
    assert hundred.shortcut.shape == (100, SIZE, SIZE) and not hundred.shortcut.any()
    assert len(hundred) == 100


def test_same_arguments_give_the_same_pictures_and_other_seeds_others():
    assert_same(render("scenes", 6, seed=3), render("scenes", 6, seed=3))
    assert not np.array_equal(render("scenes", 6, seed=3).images, render("scenes", 6, seed=5).images)


@pytest.mark.parametrize("lab, n_objects", [("scenes", 1), ("scenes", 2), ("wolves", 1)])
def test_a_picture_does_not_depend_on_how_many_there_are(lab, n_objects):
    few, many = (render(lab, n, seed=8, n_objects=n_objects) for n in (5, 13))
    assert np.array_equal(few.images, many.images[:5])
    assert np.array_equal(few.targets, many.targets[:5])


def test_classes_are_balanced_and_shuffled(hundred):
    assert np.bincount(hundred.targets).tolist() == [10] * 10
    assert len({tuple(hundred.targets[start : start + 10]) for start in range(0, 100, 10)}) > 5
    pairs = render("scenes", 20, seed=2, n_objects=2).targets
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert np.bincount(pairs[:, 0]).tolist() == np.bincount(pairs[:, 1]).tolist() == [2] * 10


def test_object_areas(hundred):
    areas = hundred.masks.mean(axis=(1, 2))
    assert areas.min() > 0.01 and areas.max() < 0.4
    assert 0.08 < areas.mean() < 0.2


def test_parts_fit_the_mask(hundred):
    clutter = [PART_NAMES.index(name) for name in ("background", "distractor", "foreground")]
    assert hundred.parts.max() < len(PART_NAMES) and PART_NAMES[0] == "background"
    assert not np.isin(hundred.parts[hundred.masks], clutter).any()
    assert np.isin(hundred.parts[~hundred.masks], clutter).all()


@pytest.mark.parametrize(
    "class_name, part",
    [("car", "wheel"), ("snail", "shell"), ("sailboat", "sail"), ("bird", "wing"), ("ice cream", "scoop")],
)
def test_typical_parts_are_there(hundred, class_name, part):
    of_class = hundred.targets == scenes.SCENE_CLASSES.index(class_name)
    shows_part = (hundred.parts[of_class] == PART_NAMES.index(part)).any(axis=(1, 2))
    assert shows_part.mean() >= 0.8


def test_enough_of_every_object_is_visible():
    for index in range(120):
        layout = np.random.default_rng(index)
        pose = scenes._pose(layout, scenes.RADIUS["scenes"])
        board = drawing.Board(SIZE, PART_NAMES)
        board.begin(1, pose)
        objects.DRAW[scenes.SCENE_CLASSES[index % 10]](board, layout)
        whole = board.area(1)
        scenes._hide_partly(board, [pose], layout)
        assert board.visible_area(1) >= 0.58 * whole, (index, board.visible_area(1) / whole)


def test_two_objects_have_disjoint_masks():
    pairs = render("scenes", 40, seed=6, n_objects=2)
    assert pairs.targets.shape == (40, 2) and pairs.masks.shape == (40, 2, SIZE, SIZE)
    assert not (pairs.masks[:, 0] & pairs.masks[:, 1]).any()
    assert pairs.masks.mean(axis=(2, 3)).min() > 0.01


def test_an_object_shows_against_its_ground(hundred):
    """Somewhere along its outline, the object differs from what is beside it."""
    brightness = hundred.images.astype(float)
    for image, mask in zip(brightness, hundred.masks, strict=True):
        assert np.abs(image[mask].mean(axis=0) - image[~mask].mean(axis=0)).max() + image[mask].std() > 8


@pytest.mark.parametrize("lab", BIASED_LABS)
def test_the_objects_stay_while_the_shortcut_changes(variants, lab):
    planted = variants[lab]["planted"]
    for other in (variants[lab]["swapped"], variants[lab]["random"]):
        assert np.array_equal(planted.targets, other.targets)
        assert np.array_equal(planted.masks, other.masks)
        assert np.array_equal(planted.parts, other.parts)
        assert not np.array_equal(planted.images, other.images)


def test_watermark(variants):
    planted, swapped, mixed = (variants["watermark"][kind] for kind in SHORTCUTS)
    is_horse = planted.targets == scenes.SCENE_CLASSES.index("horse")
    assert np.array_equal(planted.shortcut.any(axis=(1, 2)), is_horse)
    assert np.array_equal(swapped.shortcut.any(axis=(1, 2)), ~is_horse)
    assert 0 < mixed.shortcut.any(axis=(1, 2)).sum() < len(mixed)
    differs = (planted.images != swapped.images).any(axis=-1)
    plates = planted.shortcut | swapped.shortcut
    assert not (differs & ~plates).any()  # nothing changes outside the plate
    assert (differs & plates).sum() > 0.9 * plates.sum()
    assert np.nonzero(plates)[1].min() > 0.7 * SIZE  # in the lower part
    for image, plate in zip(swapped.images[~is_horse], swapped.shortcut[~is_horse], strict=True):
        assert image[plate].max() > 180 and image[plate].min() < 120  # light letters on a dark plate


def test_wolves(variants):
    names = CLASS_NAMES["wolves"]
    planted, swapped = variants["wolves"]["planted"], variants["wolves"]["swapped"]
    for kind in SHORTCUTS:
        assert np.array_equal(variants["wolves"][kind].shortcut, ~variants["wolves"][kind].masks)

    def blueness(pictures):
        grounds = np.array(
            [p[m].mean(axis=0) for p, m in zip(pictures.images, pictures.shortcut, strict=True)]
        )
        return grounds[:, 2] / grounds.mean(axis=1)

    wolf = planted.targets == names.index("wolf")
    assert blueness(planted)[wolf].min() > blueness(swapped)[wolf].max()
    assert blueness(swapped)[~wolf].min() > 0.9


def test_monsters_stand_on_pure_grounds(variants):
    first = variants["monsters"]["planted"].targets == 0
    for kind, family_on_black in (("planted", first), ("swapped", ~first)):
        pictures = variants["monsters"][kind]
        assert np.array_equal(pictures.shortcut, ~pictures.masks)
        for image, region, black in zip(pictures.images, pictures.shortcut, family_on_black, strict=True):
            values, counts = np.unique(image[region], return_counts=True)
            assert values[counts.argmax()] == (0 if black else 255)
            assert counts.max() > 0.85 * counts.sum()  # all but the softened outline


def test_motion():
    film = render_motion(6, seed=3)
    assert film.images.shape == (6, SIZE, SIZE, 3) and film.masks.shape == (6, 2, SIZE, SIZE)
    assert (film.targets == film.targets[0]).all() and film.targets[0, 0] != film.targets[0, 1]
    columns = [np.nonzero(mask)[1].mean() for mask in film.masks[:, 0]]
    steps = np.diff(columns)
    assert (steps > 0).all() or (steps < 0).all()
    assert not (film.masks[:, 0] & film.masks[:, 1]).any()
    assert_same(film, render_motion(6, seed=3))


def test_only_one_class():
    every = render("watermark", 30, seed=4, shortcut="swapped")
    horses = render("watermark", 3, seed=4, shortcut="swapped", only=1)
    assert horses.targets.tolist() == [1, 1, 1]
    np.testing.assert_array_equal(horses.images, every.images[every.targets == 1])


@pytest.mark.parametrize(
    "arguments",
    [
        {"lab": "cats"},
        {"shortcut": "none"},
        {"n_objects": 3},
        {"only": 10},
        {"only": 1, "n_objects": 2},
        {"lab": "wolves", "n_objects": 2},
        {"n": -1},
        {"seed": -1},
    ],
)
def test_wrong_arguments_are_named(arguments):
    with pytest.raises(ValueError, match=r"choose one of|n_objects is|0 or more|only is"):
        render(**{"n": 2, **arguments})


def test_no_pictures_are_fine():
    assert render("scenes", 0, seed=1).masks.shape == (0, SIZE, SIZE)
