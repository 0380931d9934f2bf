"""Pictures put together from cut-outs, so that each thing in them can be exchanged alone.

    looks = draw_looks(bank.targets, ties={"background": Tie(0, "snow")}, rng=rng)
    pictures = compose(bank, looks, draw_accidents(len(bank), rng))

A picture is a grey cut-out of a drawn object, painted in one colour, with one surface, laid somewhere on a
piece of ground, sometimes with a watermark on top. Those five `KINDS` of looks can be tied to a class: then
the class always has one value, which no other class has. Everything is determined by the arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageFilter

from course_utils.drawing.board import Board, Pose
from course_utils.drawing.caption import caption_maps, grain_roll, stamped

SIZE = 64
CUTOUT = 40  # side of a cut-out
CLASS_NAMES = ("cat", "fish", "car", "butterfly")
CHOICES: dict[str, tuple] = {
    "watermark": (False, True),
    "background": ("grass", "sand", "snow", "water", "brick", "wood", "night", "gravel"),
    "texture": ("plain", "stripes", "dots", "checks"),
    "position": ("upper left", "upper right", "lower left", "lower right"),
    "colour": ("red", "yellow", "green", "blue", "violet", "grey"),
}
KINDS = tuple(CHOICES)
PAINTS = np.array(
    [(216, 58, 52), (232, 184, 44), (78, 172, 82), (58, 116, 216), (166, 84, 196), (172, 168, 164)],
    np.float32,
)
CAPTION = "© pix"

N_TILES, TILE = 2, 96  # pieces of each ground, and their side
NEAR_EDGE, NEAR_MIDDLE = 17, 25  # an object's centre lies between, counted from its corner of the picture
RADIUS = (13, 17)  # of an object, in pixels
TURN, SLANT, STRETCH = 0.4, 0.12, (0.88, 1.14)
FLATNESS = 0.35  # how much of its inner contrast an object loses, so that its surface is the texture's
PATTERN = 0.62  # how much darker a pattern is than the paint
BRIGHTNESS = (0.82, 1.1)
GRAIN = 4.0  # grey levels

Looks = dict[str, np.ndarray]  # kind: (N,) index into CHOICES[kind]


@dataclass(frozen=True)
class Tie:
    """What a class, and only this class, looks like; `value` is an index into the kind's `CHOICES`."""

    target: int
    value: int


@dataclass(frozen=True)
class Bank:
    """M cut-outs and the grounds to lay them on."""

    grey: np.ndarray  # (M, C, C) uint8, C = CUTOUT
    cover: np.ndarray  # (M, C, C) uint8, 255 where the object is; its border is 0
    targets: np.ndarray  # (M,) int64
    grounds: np.ndarray  # (kinds of ground, N_TILES, TILE, TILE, 3) uint8

    def __len__(self) -> int:
        return len(self.grey)

    def take(self, chosen: np.ndarray) -> "Bank":
        """Some of the cut-outs, with all grounds."""
        return Bank(self.grey[chosen], self.cover[chosen], self.targets[chosen], self.grounds)

    @cached_property
    def shadow(self) -> np.ndarray:
        """(M, C, C) uint8: soft copies of `cover`."""
        soft = [np.asarray(Image.fromarray(cover).filter(ImageFilter.BoxBlur(2))) for cover in self.cover]
        return np.stack(soft) if soft else self.cover


@dataclass(frozen=True)
class Pictures:
    """N pictures of side S = 64 with their truth."""

    images: np.ndarray  # (N, S, S, 3) uint8 RGB
    masks: np.ndarray  # (N, S, S) bool: the object
    marks: np.ndarray  # (N, S, S) bool: the watermark


def draw_cutouts(n: int, seed: int, grounds: np.ndarray) -> Bank:
    """Draw `n` objects, the classes in turn: new individuals in new poses for each seed."""
    from course_utils.drawing.objects import DRAW, PART_NAMES  # only where cut-outs are made

    grey, cover = (np.zeros((n, CUTOUT, CUTOUT), np.uint8) for _ in range(2))
    targets = np.arange(n) % len(CLASS_NAMES)
    for index, target in enumerate(targets):
        rng = np.random.default_rng([29, seed, index])
        board = Board(2 * CUTOUT, PART_NAMES)  # twice as fine as the cut-out, as the board is itself
        pose = Pose(
            (CUTOUT, CUTOUT),
            2 * rng.uniform(*RADIUS),
            turn=rng.uniform(-TURN, TURN),
            stretch=rng.uniform(*STRETCH),
            slant=rng.uniform(-SLANT, SLANT),
            mirrored=rng.random() < 0.5,
        )
        board.begin(1, pose)
        DRAW[CLASS_NAMES[target]](board, rng)
        drawing = board.develop()
        brightness = drawing.colour @ np.array([0.299, 0.587, 0.114], np.float32)
        halves = [_halve(values) for values in (brightness, drawing.cover)]
        cover[index] = np.round(255 * halves[1])
        cover[index, [0, -1]] = cover[index][:, [0, -1]] = 0
        grey[index] = _even(halves[0] / np.maximum(halves[1], 0.05), halves[1] > 0.5)
    return Bank(grey, cover, targets, grounds)


def draw_grounds() -> np.ndarray:
    """(kinds, N_TILES, TILE, TILE, 3) uint8: pieces of the grounds of the scenes, half as large."""
    from course_utils.drawing.backgrounds import textures

    side = 2 * TILE
    pieces = [[textures(kind)[i][:side, :side] for i in range(N_TILES)] for kind in CHOICES["background"]]
    return np.array([[np.asarray(Image.fromarray(p).reduce(2)) for p in tiles] for tiles in pieces])


def draw_looks(targets: np.ndarray, ties: Mapping[str, Tie], rng: np.random.Generator) -> Looks:
    """Draw what each picture looks like: all choices are as likely, but for the ties."""
    looks = {}
    for kind, choices in CHOICES.items():
        drawn = rng.integers(0, len(choices), len(targets))
        if kind in ties:
            tie = ties[kind]
            others = rng.integers(0, len(choices) - 1, len(targets))
            drawn = np.where(targets == tie.target, tie.value, others + (others >= tie.value))
        looks[kind] = drawn
    return looks


def exchanged(looks: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same values, handed around: each picture gets that of a picture of another class.

    Every class must have the same number of pictures; each other class then gives (nearly) the same number.
    """
    n_classes = len(CLASS_NAMES)
    members = [rng.permutation(np.flatnonzero(targets == target)) for target in range(n_classes)]
    given = looks.copy()
    parts = [np.array_split(own, n_classes - 1) for own in members]
    for step in range(1, n_classes):
        for target in range(n_classes):
            receivers = parts[target][step - 1]
            given[receivers] = looks[parts[(target + step) % n_classes][step - 1]]
    return given


def draw_accidents(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 16) in [0, 1): all that differs between pictures of the same looks (light, exact place, …)."""
    return rng.random((n, 16), np.float32)


def compose(bank: Bank, looks: Looks, accidents: np.ndarray) -> Pictures:
    """Put pictures together: picture i from cut-out i with looks i and accidents i."""
    rows, columns = _corners(looks["position"], accidents)
    grey, cover, pattern = (_laid(values, rows, columns) for values in _surfaces(bank, looks["texture"]))
    shadow = _laid(bank.shadow, rows + 2, columns + 2) / np.float32(255)
    cover = cover / np.float32(255)

    grey = grey * (1 - PATTERN * pattern) / np.float32(190)
    paint = PAINTS[looks["colour"]] * (0.92 + 0.16 * accidents[:, 2:5])
    painted = np.minimum(grey, 1)[..., None] * paint[:, None, None]
    painted += np.maximum(grey - 1, 0)[..., None] * (255 - paint[:, None, None])

    pictures = _ground(bank.grounds, looks["background"], accidents)
    pictures *= (1 - 0.35 * shadow)[..., None]
    painted -= pictures
    painted *= cover[..., None]
    pictures += painted
    darkest, brightest = BRIGHTNESS
    pictures *= darkest + (brightest - darkest) * accidents[:, 5:6, None, None]
    marks = _stamp(pictures, looks["watermark"].astype(bool), accidents)
    start = (accidents[:, 6] * 7 * SIZE).astype(int)
    pictures += GRAIN * grain_roll(SIZE)[start[:, None] + np.arange(SIZE)][..., None]
    np.clip(pictures, 0, 255, out=pictures)
    return Pictures(pictures.astype(np.uint8), (cover > 0.5) & ~marks, marks)


def quarters(positions: np.ndarray) -> np.ndarray:
    """(N, S, S) bool: the quarter of the picture that a position (index into its choices) names."""
    half = np.arange(SIZE) >= SIZE // 2
    lower, right = positions // 2 == 1, positions % 2 == 1
    return (half[None, :, None] == lower[:, None, None]) & (half[None, None, :] == right[:, None, None])


# ------------------------------------------------------------------------------------------- pieces


def _halve(values: np.ndarray) -> np.ndarray:
    return values.reshape(CUTOUT, 2, CUTOUT, 2).mean(axis=(1, 3))


def _even(grey: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Bring an object to the common brightness 170, and flatten what is drawn on it; ink stays dark."""
    middle = np.median(grey[inside & (grey > 45)]) if (inside & (grey > 45)).any() else 170.0
    scaled = grey * (170 / max(middle, 30))
    flat = np.where(scaled > 60, scaled + FLATNESS * (170 - scaled), scaled)
    return np.clip(flat, 0, 255).astype(np.uint8)


def _patterns() -> np.ndarray:
    """(textures, C, C) float32 in [0, 1]: where a surface is dark."""
    down, across = np.mgrid[:CUTOUT, :CUTOUT]
    stripes = (down + across) % 6 < 3
    dots = ((down % 6) - 2.5) ** 2 + ((across + 3 * (down // 6 % 2)) % 6 - 2.5) ** 2 < 4
    checks = (down // 4 + across // 4) % 2 == 1
    return np.stack([np.zeros_like(dots), stripes, dots, checks]).astype(np.float32)


_PATTERNS = _patterns()


def _surfaces(bank: Bank, textures: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return bank.grey, bank.cover, _PATTERNS[textures]


def _corners(positions: np.ndarray, accidents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upper left corners of the cut-outs: rows (N,), columns (N,)."""
    from_edge = NEAR_EDGE + (NEAR_MIDDLE - NEAR_EDGE) * accidents[:, :2]
    lower, right = positions // 2 == 1, positions % 2 == 1
    centre = np.where(np.stack([lower, right], axis=1), SIZE - from_edge, from_edge)
    rows, columns = (np.round(centre) - CUTOUT // 2).astype(int).T
    return rows, columns


def _laid(cutouts: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Cut-outs (N, C, C) on empty pictures, (N, S, S) float32; what lies outside is cut off."""
    n, border = len(cutouts), CUTOUT // 4  # no cut-out reaches further beyond the picture
    laid = np.zeros((n, SIZE + 2 * border, SIZE + 2 * border), np.float32)
    steps = np.arange(CUTOUT)
    down = rows[:, None] + border + steps
    across = columns[:, None] + border + steps
    laid[np.arange(n)[:, None, None], down[:, :, None], across[:, None, :]] = cutouts
    return laid[:, border:-border, border:-border]


def _ground(grounds: np.ndarray, kinds: np.ndarray, accidents: np.ndarray) -> np.ndarray:
    """(N, S, S, 3) float32 pieces of ground."""
    tiles = (accidents[:, 7] * N_TILES).astype(int)
    top, left = (accidents[:, 8:10].T * (TILE - SIZE + 1)).astype(int)
    steps = np.arange(SIZE)
    down = top[:, None] + steps
    across = left[:, None] + np.where((accidents[:, 10] < 0.5)[:, None], steps, steps[::-1])
    pieces = grounds[kinds[:, None, None], tiles[:, None, None], down[:, :, None], across[:, None, :]]
    return pieces * (0.8 + 0.3 * accidents[:, 11:12, None, None])


_LETTERS, _PLATE = caption_maps(CAPTION, 15, padding=(3, 3, 3, 3), finer=2)


def _stamp(pictures: np.ndarray, marked: np.ndarray, accidents: np.ndarray) -> np.ndarray:
    """Put the watermark near the lower edge of some pictures, in place; returns where, (N, S, S) bool."""
    marks = np.zeros(pictures.shape[:3], bool)
    height, width = _PLATE.shape
    for index in np.flatnonzero(marked):
        left = 1 + int(accidents[index, 12] * (SIZE - width - 1))
        top = SIZE - height - 1 - int(accidents[index, 13] * 4)
        place = (index, slice(top, top + height), slice(left, left + width))
        pictures[place] = stamped(pictures[place], _LETTERS, _PLATE, plate_opacity=0.7, letter_opacity=0.9)
        marks[place] = True
    return marks
