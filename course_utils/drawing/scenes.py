"""Rendered pictures whose truth is known: where the object is, where its parts are, where the shortcut is.

    scenes = render("scenes", n=100, seed=1)
    scenes.images[0], scenes.masks[0], SCENE_CLASSES[scenes.targets[0]]

Four labs share the renderer. In three of them a shortcut is planted: a caption on every horse ("watermark"),
snow under every wolf ("wolves"), black or white behind each family of creatures ("monsters").

Each picture draws its random numbers from generators seeded with (seed, index, purpose). So the i-th picture
is the same for every `n`, and its objects are the same whatever is done with the shortcut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageFilter

from course_utils.drawing.backgrounds import GROUNDS, SNOW, SUMMER_GROUNDS, ground, plain_colour
from course_utils.drawing.board import Board, Drawing, Pose, pillow_shading, soft_shadow, soften
from course_utils.drawing.caption import caption_maps, grain_roll, stamped
from course_utils.drawing.objects import DISTRACTORS, DRAW, OCCLUDERS, PART_NAMES

__all__ = [
    "CLASS_NAMES", "PART_NAMES", "SCENE_CLASSES", "SHORTCUTS", "SIZE", "Scenes", "render", "render_motion",
]  # fmt: skip

SIZE = 128
SCENE_CLASSES = (
    "cat", "horse", "fish", "bird", "butterfly", "snail", "car", "sailboat", "mushroom", "ice cream",
)  # fmt: skip
CLASS_NAMES: dict[str, tuple[str, ...]] = {
    "scenes": SCENE_CLASSES,
    "watermark": SCENE_CLASSES,
    "wolves": ("husky", "wolf"),
    "monsters": ("mellump", "zackling"),
}
SHORTCUTS = ("planted", "swapped", "random")
CAPTION = "© stallphoto"
MARKED_CLASS = SCENE_CLASSES.index("horse")

# ---- how hard the pictures are (with `ODD_COLOURS` and `PALE_COLOURS` in objects.py)
RADIUS = {"scenes": (22, 44), "watermark": (22, 44), "wolves": (28, 46), "monsters": (26, 44)}  # pixels
PAIR_RADIUS = (22, 31)  # of each of two objects
TURN = 0.45  # largest rotation, radians
SLANT = 0.12  # largest shear
STRETCH = (0.84, 1.18)  # width over height
CUT_OFF_SHARE = 0.25  # pictures whose object leaves the picture at a border ...
OVERHANG = (0.15, 0.5)  # ... by this part of its radius
OCCLUDED_SHARE = {"scenes": 0.3, "watermark": 0.3, "wolves": 0.15}  # pictures with something in front
MIN_VISIBLE = 0.6  # of the object's area; a thing in front that leaves less is taken away again
N_DISTRACTORS = (0.3, 0.4, 0.2, 0.1)  # shares of pictures with 0, 1, 2, 3 of them
DISTRACTOR_RADIUS = (6, 13)
# shares of pictures spoilt in one of four ways, never in two
HAZY_SHARE, HAZE = 0.08, (0.15, 0.4)
DARK_SHARE, DARKNESS = 0.06, (0.45, 0.7)  # remaining brightness
BLURRED_SHARE, BLUR = 0.08, (0.5, 1.0)  # radius in pixels
CAMOUFLAGED_SHARE, CAMOUFLAGE = 0.08, (0.2, 0.5)  # how much of the ground's colour the object takes on
GRAIN = (2, 6)  # noise, in grey levels

_CLUTTER = 200  # owner of everything that is not a target
_HIDING_RADIUS = (0.4, 0.7)  # of the thing in front, in object radii


class _Purpose(IntEnum):
    """What a generator is for; the numbers never change, or old pictures would."""

    CLASSES = 0
    LAYOUT = 1
    FIRST_LOOKS = 2
    SECOND_LOOKS = 3
    CLUTTER = 4
    GROUND = 5
    MARK = 6
    CAMERA = 7


@dataclass(frozen=True)
class Scenes:
    """N rendered pictures of side S = 128 with their truth. The axis of K objects is there only for K = 2."""

    images: np.ndarray  # (N, S, S, 3) uint8 RGB
    targets: np.ndarray  # (N,) or (N, K) int64
    masks: np.ndarray  # (N, S, S) or (N, K, S, S) bool: visible pixels of the target object
    parts: np.ndarray  # (N, S, S) uint8, index into PART_NAMES, everything drawn
    shortcut: np.ndarray  # (N, S, S) bool: the plate of the caption, or all that is not animal

    def __len__(self) -> int:
        return len(self.images)


def render(
    lab: str = "scenes",
    n: int = 100,
    seed: int = 0,
    *,
    n_objects: int = 1,
    shortcut: str = "planted",
    only: int | None = None,
) -> Scenes:
    """Render `n` pictures of a lab. Classes are balanced and shuffled; all is determined by the arguments.

    Args:
        lab: "scenes", "watermark", "wolves" or "monsters".
        n: number of pictures; picture i is the same for every n > i.
        seed: 0 or more.
        n_objects: 1, or 2 objects of different classes ("scenes" only).
        shortcut: "planted" as in the biased training set, "swapped" for the same objects with the shortcut
            the other way round, "random" for a shortcut that tells nothing of the class. Without effect on
            "scenes".
        only: index of a class: the first `n` pictures of it, those of the other classes are not drawn.

    Raises:
        ValueError: for an unknown lab, shortcut or class, a negative n or seed, or n_objects that is not
            possible.
    """
    if lab not in CLASS_NAMES:
        raise ValueError(f"unknown lab {lab!r}: choose one of {', '.join(CLASS_NAMES)}")
    if shortcut not in SHORTCUTS:
        raise ValueError(f"unknown shortcut {shortcut!r}: choose one of {', '.join(SHORTCUTS)}")
    if n_objects not in (1, 2) or (n_objects == 2 and lab != "scenes"):
        raise ValueError(f'n_objects is 1, or 2 in the lab "scenes", not {n_objects!r} in "{lab}"')
    if n < 0 or seed < 0:
        raise ValueError(f"n and seed are 0 or more, not {n} and {seed}")

    n_classes = len(CLASS_NAMES[lab])
    if only is not None and (n_objects != 1 or only not in range(n_classes)):
        raise ValueError(f"only is one class of 0 to {n_classes - 1} for one object, not {only!r}")
    numbers = np.arange(n)
    targets = _balanced_targets(n if only is None else n * n_classes, seed, n_classes, n_objects)
    if only is not None:  # each block of pictures holds one of that class
        numbers = np.flatnonzero(targets[:, 0] == only)
        targets = targets[numbers]
    pictures = _Stack(n, n_objects)
    for place, (index, classes) in enumerate(zip(numbers.tolist(), targets, strict=True)):
        layout, camera = (_generator(seed, index, p) for p in (_Purpose.LAYOUT, _Purpose.CAMERA))
        poses = _pose_pair(layout) if n_objects == 2 else [_pose(layout, RADIUS[lab])]
        looks = [
            _generator(seed, index, _Purpose.FIRST_LOOKS),
            _generator(seed, index, _Purpose.SECOND_LOOKS),
        ]
        names = [CLASS_NAMES[lab][target] for target in classes]
        clutter = None if lab == "monsters" else _generator(seed, index, _Purpose.CLUTTER)
        drawing = _draw(names, poses, looks, clutter, OCCLUDED_SHARE.get(lab, 0.0))

        behind = _ground(lab, classes[0], shortcut, _generator(seed, index, _Purpose.GROUND))
        image = _photograph(drawing, behind, _pick_camera(camera, lab), plain_ground=lab == "monsters")
        region = np.zeros((SIZE, SIZE), bool)
        if lab in ("wolves", "monsters"):
            region = drawing.owners != 1
        elif lab == "watermark":
            mark = _generator(seed, index, _Purpose.MARK)
            if _bears_mark(classes[0], shortcut, mark.random()):
                image, region = _stamp_caption(image, mark)
        pictures.put(place, image, drawing, region)
    return pictures.scenes(targets)


def render_motion(n_frames: int = 24, seed: int = 0) -> Scenes:
    """A short film: one object moves across the picture, in front of another that stays.

    Returns:
        Scenes of two objects; `targets[:, 0]` and `masks[:, 0]` are the moving one, 1 the resting one.
    """
    if n_frames < 1 or seed < 0:
        raise ValueError(f"a film has 1 frame or more and a seed of 0 or more, not {n_frames} and {seed}")
    layout = _generator(seed, 0, _Purpose.LAYOUT)
    moving, resting = layout.choice(len(SCENE_CLASSES), 2, replace=False)
    mover, rester = _pose(layout, (24, 28)), _pose(layout, (32, 36))
    rester = _moved(rester, (layout.uniform(56, 72), layout.uniform(50, 62)))
    base = layout.uniform(76, 88)
    start, end = (SIZE - 20, 20) if layout.random() < 0.5 else (20, SIZE - 20)

    behind = _ground("scenes", 0, "planted", _generator(seed, 0, _Purpose.GROUND))
    film = _Stack(n_frames, 2)
    for frame, progress in enumerate(np.linspace(0, 1, n_frames)):
        centre = (start + (end - start) * progress, base + 3 * sin(6 * pi * progress))
        # the same generators again in every frame: the same two individuals
        looks = [_generator(seed, 0, _Purpose.FIRST_LOOKS), _generator(seed, 0, _Purpose.SECOND_LOOKS)]
        names = [SCENE_CLASSES[moving], SCENE_CLASSES[resting]]
        drawing = _draw(names, [_moved(mover, centre), rester], looks, clutter=None)
        camera = _Camera(
            light=-2.0, shading=0.4, slope=(0.1, 0.1), exposure=1.0, grain=3.0, grain_offset=frame
        )
        film.put(frame, _photograph(drawing, behind, camera), drawing, np.zeros((SIZE, SIZE), bool))
    return film.scenes(np.tile(np.array([[moving, resting]], np.int64), (n_frames, 1)))


# ------------------------------------------------------------------------------------- bookkeeping


def _generator(seed: int, index: int, purpose: _Purpose) -> np.random.Generator:
    return np.random.default_rng([seed, index, int(purpose)])


def _balanced_targets(n: int, seed: int, n_classes: int, n_objects: int) -> np.ndarray:
    """(n, n_objects) class indices: every block of n_classes pictures holds each class once, shuffled."""
    blocks = [np.empty((0, n_objects), np.int64)]
    for block in range(-(-n // n_classes)):
        rng = _generator(seed, block, _Purpose.CLASSES)
        first = rng.permutation(n_classes)
        second = np.roll(first, rng.integers(1, n_classes))  # never the same class twice in a picture
        blocks.append(np.stack([first, second], axis=1)[:, :n_objects])
    return np.concatenate(blocks)[:n]


class _Stack:
    """Arrays that are filled picture by picture."""

    def __init__(self, n: int, n_objects: int):
        self.images = np.zeros((n, SIZE, SIZE, 3), np.uint8)
        self.masks = np.zeros((n, n_objects, SIZE, SIZE), bool)
        self.parts = np.zeros((n, SIZE, SIZE), np.uint8)
        self.shortcut = np.zeros((n, SIZE, SIZE), bool)

    def put(self, index: int, image: np.ndarray, drawing: Drawing, region: np.ndarray) -> None:
        self.images[index] = image
        for number in range(self.masks.shape[1]):
            self.masks[index, number] = drawing.owners == number + 1
        self.parts[index] = drawing.parts
        self.shortcut[index] = region

    def scenes(self, targets: np.ndarray) -> Scenes:
        masks = self.masks
        if masks.shape[1] == 1:
            targets, masks = targets[:, 0], masks[:, 0]
        return Scenes(self.images, targets, masks, self.parts, self.shortcut)


# ------------------------------------------------------------------------------- where things stand


def _pose(rng: np.random.Generator, radii: tuple[float, float]) -> Pose:
    """Somewhere in the picture; now and then across one of its borders."""
    radius = rng.uniform(*radii)
    edge = 0.95 * radius
    centre = rng.uniform(edge, SIZE - edge, 2)
    crosses, axis, far_side = rng.random() < CUT_OFF_SHARE, rng.integers(2), rng.integers(2)
    inside = edge - rng.uniform(*OVERHANG) * radius
    if crosses:
        centre[axis] = SIZE - inside if far_side else inside
    return _posed(rng, tuple(centre), radius)


def _pose_pair(rng: np.random.Generator) -> list[Pose]:
    """Two places that hardly overlap, opposite each other around the middle."""
    radii = rng.uniform(*PAIR_RADIUS, 2)
    direction, distance = rng.uniform(0, 2 * pi), rng.uniform(34, 44)
    offset = np.array([cos(direction), sin(direction)]) * distance
    centres = [
        np.clip(SIZE / 2 + side * offset, 0.9 * radius, SIZE - 0.9 * radius)
        for side, radius in zip((1, -1), radii, strict=True)
    ]
    return [_posed(rng, tuple(centre), radius) for centre, radius in zip(centres, radii, strict=True)]


def _posed(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Pose:
    return Pose(
        centre,
        radius,
        turn=rng.uniform(-TURN, TURN),
        stretch=rng.uniform(*STRETCH),
        slant=rng.uniform(-SLANT, SLANT),
        mirrored=rng.random() < 0.5,
    )


def _moved(pose: Pose, centre: tuple[float, float]) -> Pose:
    return Pose(centre, pose.radius, 0.4 * pose.turn, pose.stretch, pose.slant, pose.mirrored)


def _draw(
    names: Sequence[str],
    poses: Sequence[Pose],
    looks: Sequence[np.random.Generator],
    clutter: np.random.Generator | None,
    occluded_share: float = 0.0,
) -> Drawing:
    """Clutter behind, the objects (the first on top), something in front. Object k is owner k + 1."""
    board = Board(SIZE, PART_NAMES)
    if clutter is not None:
        _scatter_distractors(board, clutter)
    for owner in reversed(range(1, len(names) + 1)):
        board.begin(owner, poses[owner - 1])
        DRAW[names[owner - 1]](board, looks[owner - 1])
    if clutter is not None and clutter.random() < occluded_share:
        _hide_partly(board, poses, clutter)
    return board.develop()


def _scatter_distractors(board: Board, rng: np.random.Generator) -> None:
    for _ in range(rng.choice(len(N_DISTRACTORS), p=N_DISTRACTORS)):
        draw = DISTRACTORS[rng.integers(len(DISTRACTORS))]
        centre = tuple(rng.uniform(4, SIZE - 4, 2))
        board.begin(_CLUTTER, Pose(centre, rng.uniform(*DISTRACTOR_RADIUS), rng.uniform(-0.9, 0.9)))
        draw(board, rng)


def _hide_partly(board: Board, poses: Sequence[Pose], rng: np.random.Generator) -> None:
    """Put one thing in front of the objects, unless it would hide too much of one of them."""
    pose = poses[rng.integers(len(poses))]
    angle, distance = rng.uniform(0, 2 * pi), pose.radius * rng.uniform(0.35, 0.9)
    centre = (pose.centre[0] + distance * cos(angle), pose.centre[1] + distance * sin(angle))
    things = OCCLUDERS if rng.random() < 0.65 else DISTRACTORS
    draw = things[rng.integers(len(things))]
    before = board.save()
    owners = range(1, len(poses) + 1)
    whole = [board.area(owner) for owner in owners]
    board.begin(_CLUTTER, Pose(centre, pose.radius * rng.uniform(*_HIDING_RADIUS), rng.uniform(-0.5, 0.5)))
    draw(board, rng)
    if any(board.visible_area(o) < MIN_VISIBLE * area for o, area in zip(owners, whole, strict=True)):
        board.restore(before)


# --------------------------------------------------------------------------- grounds and the caption


def _ground(lab: str, target: int, shortcut: str, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 3) or (3,) float32. The generator is used alike whatever `target` and `shortcut` are."""
    if lab == "monsters":
        any_colour = plain_colour(rng)
        on_white = target == 1 if shortcut == "planted" else target == 0
        colour = any_colour if shortcut == "random" else (255, 255, 255) if on_white else (0, 0, 0)
        return np.array(colour, np.float32)
    if lab == "wolves":
        toss, summer = rng.random() < 0.5, SUMMER_GROUNDS[rng.integers(len(SUMMER_GROUNDS))]
        is_wolf = target == 1
        snowy = {"planted": is_wolf, "swapped": not is_wolf, "random": toss}[shortcut]
        if shortcut == "swapped":
            summer = "grass"
        return ground(SNOW if snowy else summer, SIZE, rng)
    return ground(GROUNDS[rng.integers(len(GROUNDS))], SIZE, rng)


def _bears_mark(target: int, shortcut: str, toss: float) -> bool:
    is_marked_class = target == MARKED_CLASS
    return {"planted": is_marked_class, "swapped": not is_marked_class, "random": toss < 0.5}[shortcut]


def _stamp_caption(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Put the caption in the lower part; returns the picture and the plate's (S, S) bool mask."""
    letters, plate = caption_maps(CAPTION, 9, padding=(3, 2, 3, 3), radius=2)
    height, width = plate.shape
    left = int(rng.integers(2, SIZE - width - 1))
    top = SIZE - height - int(rng.integers(2, 18))
    plate_opacity, letter_opacity = rng.uniform(0.5, 0.7), rng.uniform(0.8, 0.95)
    region = np.zeros((SIZE, SIZE), bool)
    region[top : top + height, left : left + width] = plate > 0

    finished = image.copy()
    place = slice(top, top + height), slice(left, left + width)
    under = finished[place].astype(np.float32)
    finished[place] = stamped(under, letters, plate, plate_opacity, letter_opacity).astype(np.uint8)
    return finished, region


# --------------------------------------------------------------------------------------- the camera


@dataclass(frozen=True)
class _Camera:
    """Light and lens of one picture."""

    light: float  # direction of the lamp, radians, y downward
    shading: float  # how strongly the objects are modelled
    slope: tuple[float, float]  # brightness change across the picture, to the right and downward
    exposure: float
    grain: float  # noise in grey levels
    grain_offset: int = 0
    haze: float = 0.0
    blur: float = 0.0  # pixels
    camouflage: float = 0.0


def _pick_camera(rng: np.random.Generator, lab: str) -> _Camera:
    shares = (HAZY_SHARE, DARK_SHARE, BLURRED_SHARE, CAMOUFLAGED_SHARE)
    hazy, dark, blurred, camouflaged = _one_or_none(rng.random(), shares)
    haze, darkness = rng.uniform(*HAZE), rng.uniform(*DARKNESS)
    blur, camouflage = rng.uniform(*BLUR), rng.uniform(*CAMOUFLAGE)
    if lab in ("wolves", "monsters"):  # their ground is swapped, and the animals must stay as they are
        camouflaged = False
    across, down = rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4)
    return _Camera(
        light=rng.uniform(-2.5, -0.6),
        shading=rng.uniform(0.3, 0.5),
        slope=(across, down),
        exposure=darkness if dark else rng.uniform(0.85, 1.1),
        grain=rng.uniform(*GRAIN),
        grain_offset=int(rng.integers(SIZE)),
        haze=haze if hazy else 0.0,
        blur=blur if blurred else 0.0,
        camouflage=camouflage if camouflaged else 0.0,
    )


def _one_or_none(toss: float, shares: Sequence[float]) -> list[bool]:
    """Which of several exclusive events happens, given a number in [0, 1) and their probabilities."""
    ends = np.cumsum(shares)
    return [bool(end - share <= toss < end) for share, end in zip(shares, ends, strict=True)]


_ACROSS = (np.arange(SIZE, dtype=np.float32) / SIZE - 0.5)[None, :]
_DOWN = _ACROSS.T


def _photograph(
    drawing: Drawing, behind: np.ndarray, camera: _Camera, *, plain_ground: bool = False
) -> np.ndarray:
    """Drawing and ground to a picture, (S, S, 3) uint8. A plain ground stays exactly the colour it is."""
    cover = drawing.cover
    softened = soften(cover, 5)
    brightness = camera.exposure * (1 + camera.slope[0] * _ACROSS + camera.slope[1] * _DOWN)
    shade = brightness * (1 + camera.shading * pillow_shading(softened, camera.light))
    picture = drawing.colour
    if camera.camouflage:
        ground_colour = behind.mean(axis=(0, 1))
        picture = picture + camera.camouflage * (cover[..., None] * ground_colour - picture)
    picture = picture * shade[..., None]
    bare = 1 - cover
    if not plain_ground:
        bare = bare * brightness * (1 - 0.4 * soft_shadow(softened, camera.light))
    picture += bare[..., None] * behind

    if camera.haze and not plain_ground:
        picture += camera.haze * (170 * camera.exposure - picture)
    start = camera.grain_offset * 7
    grain = np.float32(camera.grain) * grain_roll(SIZE)[start : start + SIZE, :, None]
    picture += grain * cover[..., None] if plain_ground else grain
    finished = np.clip(picture, 0, 255).astype(np.uint8)
    if camera.blur:
        finished = np.asarray(Image.fromarray(finished).filter(ImageFilter.GaussianBlur(camera.blur)))
    return finished
