"""The things in the pictures: each function draws one, in units of about [-1, 1], x right and y down.

All take the board and a random generator. The generator decides on the looks (proportions, colours,
markings), never on the place: the same generator state gives the same individual in another pose.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from course_utils.drawing.board import Board, Colour, circle_points, hsv

PART_NAMES = (
    "background", "body", "head", "eye", "ear", "mane", "leg", "tail", "wing", "fin", "beak", "antenna",
    "wheel", "window", "light", "sail", "mast", "shell", "cap", "stem", "cone", "scoop", "spot",
    "distractor", "foreground",
)  # fmt: skip

ODD_COLOURS = 0.5  # share of individuals painted in any colour at all rather than in one that fits
PALE_COLOURS = 0.25  # share of those whose colour is nearly grey

INK: Colour = (24, 20, 26)
WHITE: Colour = (247, 246, 240)
PINK: Colour = (236, 152, 162)
RED: Colour = (212, 44, 52)
GLASS: Colour = (158, 203, 228)
SIDES = (-1, 1)

Hues = tuple[tuple[float, float], ...]
FUR_HUES: Hues = ((0.04, 0.11), (0.55, 0.65))
PLUMAGE_HUES: Hues = ((0.0, 0.16), (0.5, 0.65))
WARM_HUES: Hues = ((-0.05, 0.13),)
ANY_HUE: Hues = ((0.0, 1.0),)


@dataclass(frozen=True)
class Palette:
    """Colours that go together."""

    main: Colour
    dark: Colour  # a shade of main
    light: Colour  # a tint of main
    accent: Colour  # another hue


def pick_palette(rng: np.random.Generator, hues: Hues = ANY_HUE) -> Palette:
    """Colours from one of the hue ranges, or from anywhere when an odd individual is due."""
    low, high = hues[rng.integers(len(hues))] if rng.random() >= ODD_COLOURS else (0.0, 1.0)
    hue, saturation, value = rng.uniform(low, high), rng.uniform(0.35, 0.9), rng.uniform(0.5, 1.0)
    if rng.random() < PALE_COLOURS:
        saturation *= 0.25
    other_hue = hue + rng.choice([0.5, 0.33, 0.16, 0.66]) + rng.uniform(-0.06, 0.06)
    return Palette(
        main=hsv(hue, saturation, value),
        dark=hsv(hue + 0.02, saturation * 1.1, value * 0.68),
        light=hsv(hue, saturation * 0.38, value * 1.25 + 0.08),
        accent=hsv(other_hue, rng.uniform(0.35, 0.85), rng.uniform(0.6, 1.0)),
    )


def mirrored(points: list[tuple[float, float]], side: int) -> list[tuple[float, float]]:
    """The points as drawn for the right side, flipped for side -1."""
    return [(side * x, y) for x, y in points]


def cartoon_eye(board: Board, x: float, y: float, radius: float, iris: Colour = WHITE) -> None:
    """A round eye with a pupil and a glint, looking to the right."""
    board.ellipse(x, y, radius, 1.1 * radius, iris, "eye")
    board.ellipse(x + 0.16 * radius, y, 0.52 * radius, 0.72 * radius, INK, "eye")
    board.dot(x + 0.32 * radius, y - 0.32 * radius, 0.22 * radius, WHITE, "eye")


# ---------------------------------------------------------------------------------------------- animals


def draw_cat(board: Board, rng: np.random.Generator) -> None:
    """Sitting, seen from the front, tail curled to the side."""
    coat = pick_palette(rng, FUR_HUES)
    pattern = rng.choice(["stripes", "patches", "plain"])
    ear_tip = -0.93 * rng.uniform(0.88, 1.06)
    cheek = rng.uniform(0.5, 0.58)
    tail_tip = rng.uniform(-0.15, 0.2)

    tail = [(0.3, 0.8), (0.72, 0.76), (0.88, 0.4 + 0.5 * tail_tip), (0.76, tail_tip), (0.58, tail_tip - 0.1)]
    board.curve(tail, 0.19, coat.dark, "tail", taper=0.3)
    haunches = [(-0.44, 0.9), (-0.52, 0.5), (-0.27, 0.0), (0.27, 0.0), (0.52, 0.5), (0.44, 0.9)]
    board.blob(haunches, coat.main, "body")
    board.ellipse(0, 0.52, 0.23, 0.34, coat.light, "body")
    if pattern == "stripes":
        for y in (0.32, 0.5, 0.68):
            for side in SIDES:
                board.line([(side * 0.49, y), (side * 0.28, y + 0.05)], 0.07, coat.dark, "body", taper=0.6)
    elif pattern == "patches":
        board.ellipse(-0.34, 0.48, 0.13, 0.2, coat.accent, "body")
        board.ellipse(0.36, 0.7, 0.11, 0.13, coat.accent, "body")
    for side in SIDES:
        board.ellipse(side * 0.24, 0.9, 0.2, 0.11, coat.light, "leg")
        for toe in (0.19, 0.29):
            board.line([(side * toe, 0.86), (side * toe, 0.96)], 0.02, coat.dark, "leg")

    for side in SIDES:
        board.polygon(mirrored([(0.5, -0.28), (0.53, ear_tip), (0.09, -0.62)], side), coat.main, "ear")
        inner = mirrored([(0.43, -0.42), (0.47, ear_tip + 0.16), (0.2, -0.6)], side)
        board.polygon(inner, PINK, "ear")
    board.ellipse(0, -0.3, cheek, 0.43, coat.main, "head")
    if pattern == "patches":
        board.ellipse(0.24, -0.42, 0.2, 0.22, coat.accent, "head", turn=0.4)
    if pattern == "stripes":
        for x in (-0.13, 0.0, 0.13):
            board.line([(x, -0.71), (0.8 * x, -0.53)], 0.055, coat.dark, "head", taper=0.6)
    board.ellipse(0, -0.12, 0.25, 0.18, coat.light, "head")

    iris = hsv(rng.uniform(0.1, 0.5), rng.uniform(0.4, 0.8), 0.95)
    slit = rng.uniform(0.035, 0.075)
    whisker = WHITE if sum(coat.main) < 420 else INK
    for side in SIDES:
        board.ellipse(side * 0.24, -0.36, 0.13, 0.14, iris, "eye")
        board.ellipse(side * 0.24, -0.36, slit, 0.12, INK, "eye")
        board.dot(side * 0.24 + 0.04, -0.42, 0.03, WHITE, "eye")
        for tilt in (-0.09, 0.0, 0.09):
            hair = mirrored([(0.17, -0.12 + 0.3 * tilt), (0.7, -0.14 + 1.6 * tilt)], side)
            board.line(hair, 0.024, whisker, "head")
    board.polygon([(-0.07, -0.2), (0.07, -0.2), (0, -0.11)], (222, 108, 124), "head")
    for side in SIDES:
        board.curve(mirrored([(0, -0.1), (0.06, -0.03), (0.14, -0.05)], side), 0.028, INK, "head")


def draw_horse(board: Board, rng: np.random.Generator) -> None:
    """Walking to the right."""
    coat = pick_palette(rng, WARM_HUES)
    hair = hsv(rng.uniform(0, 0.12), 0.5, rng.uniform(0.15, 0.35)) if rng.random() < 0.6 else coat.accent
    swing = rng.uniform(-0.12, 0.12, 4)
    nod = rng.uniform(-0.06, 0.08)
    pinto, saddled, socks = rng.random(3) < (0.25, 0.25, 0.4)

    def leg(hip: float, foot: float, colour: Colour) -> None:
        thigh = [(hip - 0.12, 0.15), (hip + 0.12, 0.15), (hip + 0.06 + 0.5 * foot, 0.5)]
        hoof = [
            (hip + foot - 0.08, 0.83), (hip + foot + 0.07, 0.83), (hip + foot + 0.1, 0.95),
            (hip + foot - 0.08, 0.95),
        ]  # fmt: skip
        shin = [(hip + foot + 0.065, 0.84), (hip + foot - 0.065, 0.84), (hip - 0.07 + 0.5 * foot, 0.5)]
        board.polygon(thigh + shin, colour, "leg")
        if socks:
            sock = [(hip + 0.75 * foot - 0.07, 0.68), (hip + 0.75 * foot + 0.07, 0.68)]
            board.polygon([*sock, (hip + foot + 0.065, 0.84), (hip + foot - 0.065, 0.84)], WHITE, "leg")
        board.polygon(hoof, INK, "leg")

    board.curve([(-0.64, -0.08), (-0.86, 0.0), (-0.93, 0.3), (-0.88, 0.62)], 0.24, hair, "tail", taper=0.75)
    leg(-0.4, swing[0], coat.dark)
    leg(0.4, swing[1], coat.dark)
    trunk = [
        (-0.72, 0.05), (-0.5, -0.2), (-0.1, -0.13), (0.3, -0.22), (0.54, 0.05), (0.42, 0.32), (-0.05, 0.38),
        (-0.52, 0.33),
    ]  # fmt: skip
    board.blob(trunk, coat.main, "body")
    board.ellipse(-0.05, 0.26, 0.38, 0.1, coat.light, "body")
    if pinto:
        board.ellipse(-0.4, -0.02, 0.2, 0.13, WHITE, "body", turn=0.3)
        board.ellipse(0.18, 0.06, 0.12, 0.15, WHITE, "body", turn=0.3)
    leg(-0.55, swing[2], coat.main)
    leg(0.26, swing[3], coat.main)
    if saddled:
        board.blob(
            [(-0.25, -0.16), (-0.02, -0.2), (0.1, -0.2), (0.1, 0.08), (-0.15, 0.1)], coat.accent, "body"
        )
    neck = [(0.12, 0.02), (0.48, 0.2), (0.62, -0.15), (0.74, -0.48 + nod), (0.5, -0.74 + nod), (0.32, -0.45)]
    board.blob(neck, coat.main, "body")
    mane = [
        (0.08, -0.1), (0.2, -0.5), (0.42, -0.86 + nod), (0.6, -0.8 + nod), (0.46, -0.5 + nod),
        (0.34, -0.12),
    ]  # fmt: skip
    board.blob(mane, hair, "mane")
    board.polygon([(0.5, -0.72 + nod), (0.58, -0.97 + nod), (0.66, -0.68 + nod)], coat.main, "ear")
    face = [
        (0.48, -0.7), (0.64, -0.78), (0.84, -0.56), (0.97, -0.36), (0.92, -0.22), (0.76, -0.25),
        (0.54, -0.44),
    ]  # fmt: skip
    board.blob([(x, y + nod) for x, y in face], coat.main, "head")
    board.ellipse(0.88, -0.31 + nod, 0.11, 0.09, coat.light, "head", turn=0.6)
    board.dot(0.92, -0.34 + nod, 0.027, INK, "head")
    board.line([(0.9, -0.23 + nod), (0.8, -0.27 + nod)], 0.025, INK, "head")
    board.ellipse(0.67, -0.6 + nod, 0.055, 0.06, INK, "eye")
    board.dot(0.69, -0.62 + nod, 0.02, WHITE, "eye")


def draw_fish(board: Board, rng: np.random.Generator) -> None:
    """Swimming to the right."""
    scales = pick_palette(rng, WARM_HUES)
    height = rng.uniform(0.36, 0.52)
    tail_spread = rng.uniform(0.42, 0.62)
    pattern = rng.choice(["bands", "scales", "plain"])

    tail = [
        (-0.52, 0), (-0.9, -tail_spread), (-1.0, -0.8 * tail_spread), (-0.82, 0), (-1.0, 0.8 * tail_spread),
        (-0.9, tail_spread),
    ]  # fmt: skip
    board.blob(tail, scales.accent, "tail")
    for side in SIDES:
        board.line([(-0.62, side * 0.03), (-0.88, side * 0.55 * tail_spread)], 0.03, scales.dark, "tail")
    crest = -height - rng.uniform(0.2, 0.4)
    board.blob([(-0.32, -0.3), (-0.1, crest), (0.25, 0.8 * crest), (0.45, -0.3)], scales.accent, "fin")
    for x in (-0.05, 0.12):
        board.line([(x, -0.3), (x - 0.04, 0.85 * crest)], 0.025, scales.dark, "fin")
    board.polygon([(-0.2, 0.25), (-0.16, height + 0.26), (0.18, 0.3)], scales.accent, "fin")

    body = [
        (-0.62, 0), (-0.2, -height), (0.35, -height), (0.78, -0.14), (0.86, 0.04), (0.4, height),
        (-0.2, height),
    ]  # fmt: skip
    board.blob(body, scales.main, "body")
    belly = [(-0.42, 0.14), (0.1, 0.2), (0.74, 0.14), (0.38, height - 0.03), (-0.15, height - 0.03)]
    board.blob(belly, scales.light, "body")
    if pattern == "bands":
        for x in (-0.32, -0.08, 0.16):
            inside = height * (0.93 - 0.9 * (x - 0.08) ** 2)
            board.curve([(x, -inside), (x + 0.06, 0), (x, inside)], 0.1, scales.accent, "spot")
    elif pattern == "scales":
        for row, y in enumerate((-0.2, -0.03, 0.13)):
            for column in range(4 - row):
                x = -0.33 + 0.08 * row + 0.16 * column
                arc = [(x, y - 0.07), (x + 0.07, y), (x, y + 0.07)]
                board.curve(arc, 0.035, scales.dark, "spot")
    board.curve([(0.4, -0.75 * height), (0.32, 0), (0.4, 0.7 * height)], 0.035, scales.dark, "head")
    board.blob([(0.14, 0.02), (-0.14, 0.02), (-0.24, 0.2), (0.02, 0.2)], scales.accent, "fin")
    cartoon_eye(board, 0.56, -0.13, 0.12)
    board.curve([(0.87, 0.07), (0.78, 0.12), (0.68, 0.11)], 0.035, INK, "head")


def draw_bird(board: Board, rng: np.random.Generator) -> None:
    """Standing, looking to the right, a wing raised or folded."""
    plumage = pick_palette(rng, PLUMAGE_HUES)
    horn = hsv(rng.uniform(0.02, 0.15), 0.85, 0.95)
    tail_lift = rng.uniform(-0.3, 0.2)
    wing_lift = rng.uniform(-0.55, 0.15)
    beak_length = rng.uniform(0.2, 0.34)
    crested, banded = rng.random(2) < (0.45, 0.3)

    for x in (-0.1, 0.14):
        board.line([(x, 0.4), (x + 0.02, 0.88)], 0.055, horn, "leg")
        board.line([(x - 0.1, 0.9), (x + 0.17, 0.9)], 0.06, horn, "leg")
    for spread in (-0.14, 0.0, 0.14):
        feather = [(-0.4, 0.1), (-0.7, 0.02 + tail_lift / 2 + spread), (-1.0, tail_lift + spread)]
        board.curve(feather, 0.17, plumage.dark, "tail", taper=0.35)
    body = [(-0.56, 0.14), (-0.3, -0.22), (0.12, -0.32), (0.46, -0.1), (0.5, 0.2), (0.2, 0.52), (-0.25, 0.45)]
    board.blob(body, plumage.main, "body")
    board.ellipse(0.24, 0.2, 0.22, 0.26, plumage.light, "body", turn=-0.3)
    beak_y = -0.4
    upper = [(0.76, beak_y - 0.12), (0.8 + beak_length, beak_y + 0.03), (0.76, beak_y + 0.04)]
    lower = [(0.76, beak_y + 0.03), (0.74 + beak_length, beak_y + 0.05), (0.74, beak_y + 0.13)]
    board.polygon(lower, tuple(int(0.8 * channel) for channel in horn), "beak")
    board.polygon(upper, horn, "beak")
    if crested:
        crest = [(0.34, -0.62), (0.2, -0.98), (0.44, -0.82), (0.5, -1.02), (0.62, -0.66)]
        board.polygon(crest, plumage.accent, "head")
    board.ellipse(0.5, -0.42, 0.34, 0.32, plumage.main, "head")
    if banded:
        board.curve([(0.25, -0.2), (0.45, -0.14), (0.66, -0.17)], 0.09, plumage.accent, "head")
    wing = [
        (0.22, -0.1), (-0.1, -0.22 + 0.4 * wing_lift), (-0.58, -0.05 + wing_lift),
        (-0.56, 0.16 + wing_lift), (-0.4, 0.28 + 0.4 * wing_lift), (-0.05, 0.28),
    ]  # fmt: skip
    board.blob(wing, plumage.accent, "wing")
    for y in (0.02, 0.12):
        quill = [(0.06, y), (-0.2, y + 0.06 + 0.3 * wing_lift), (-0.46, y + 0.05 + 0.85 * wing_lift)]
        board.curve(quill, 0.03, plumage.dark, "wing")
    cartoon_eye(board, 0.6, -0.46, 0.1)


def draw_butterfly(board: Board, rng: np.random.Generator) -> None:
    """From above, wings open; sometimes half closed, which makes it narrow."""
    wings = pick_palette(rng)
    width = rng.uniform(0.68, 1.0)
    tip = -0.85 * rng.uniform(0.85, 1.12)
    hind = rng.uniform(0.75, 1.05)
    eyespots, veined = rng.random(2) < (0.75, 0.5)
    fur = INK if rng.random() < 0.7 else hsv(0.08, 0.6, 0.35)

    for side in SIDES:
        reach = side * width
        lower = [(0.07, 0.08), (0.6, 0.08), (0.78, 0.45), (0.5 * hind, 0.88 * hind), (0.14, 0.48)]
        upper = [(0.07, -0.12), (0.4, 0.94 * tip), (0.9, tip), (0.97, -0.3), (0.62, 0.18), (0.08, 0.12)]
        inner = [(0.18, -0.1), (0.45, 0.68 * tip), (0.78, 0.74 * tip), (0.76, -0.24), (0.42, 0.06)]
        for points, colour in ((lower, wings.accent), (upper, wings.main), (inner, wings.light)):
            board.blob([(reach * x, y) for x, y in points], colour, "wing")
        if veined:
            for end in ((0.45, 0.62 * tip), (0.7, 0.4 * tip), (0.7, -0.05)):
                board.line([(reach * 0.16, -0.08), (reach * end[0], end[1])], 0.03, wings.dark, "wing")
        if eyespots:
            for x, y, radius in ((0.62, 0.5 * tip, 0.13), (0.46, 0.44, 0.12)):
                board.ellipse(reach * x, y, radius * width, radius, wings.dark, "spot")
                board.ellipse(reach * x, y, 0.45 * radius * width, 0.45 * radius, WHITE, "spot")
        feeler = mirrored([(0.03, -0.42), (0.12, -0.72), (0.3, -0.92)], side)
        board.curve(feeler, 0.035, fur, "antenna")
        board.dot(side * 0.3, -0.92, 0.05, fur, "antenna")
    board.ellipse(0, 0.12, 0.09, 0.5, fur, "body")
    for y in (0.02, 0.2, 0.38):
        board.line([(-0.07, y), (0.07, y)], 0.05, wings.light, "body")
    board.dot(0, -0.4, 0.12, fur, "head")
    for side in SIDES:
        board.dot(side * 0.05, -0.43, 0.035, WHITE, "eye")


def spiral(x: float, y: float, outer: float, turns: float, start: float) -> np.ndarray:
    """(44, 2) points winding from radius `outer` to the centre (x, y)."""
    angle = start + np.linspace(0, 2 * pi * turns, 44)
    radius = np.linspace(outer, 0.04, 44)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


def draw_snail(board: Board, rng: np.random.Generator) -> None:
    """Crawling to the right, eyes on stalks."""
    house = pick_palette(rng, WARM_HUES)
    skin = hsv(rng.uniform(0.04, 0.16), rng.uniform(0.2, 0.6), rng.uniform(0.55, 0.95))
    shade = tuple(int(0.75 * channel) for channel in skin)
    radius = rng.uniform(0.48, 0.62)
    stalk = rng.uniform(-0.6, -0.38)
    line = house.dark if rng.random() < 0.5 else house.accent

    for x, lean in ((0.58, -0.06), (0.76, 0.14)):
        board.curve([(x, 0.2), (x + 0.4 * lean, -0.2), (x + lean, stalk)], 0.075, skin, "antenna")
        cartoon_eye(board, x + lean, stalk - 0.03, 0.1)
    foot = [
        (-1.0, 0.8), (-0.7, 0.56), (0, 0.5), (0.4, 0.4), (0.5, 0.05), (0.76, -0.04), (0.93, 0.16),
        (0.84, 0.55), (0.62, 0.8),
    ]  # fmt: skip
    board.blob(foot, skin, "body")
    board.ellipse(0.72, 0.16, 0.2, 0.18, skin, "head")
    board.curve([(-0.82, 0.74), (-0.1, 0.7), (0.56, 0.7)], 0.05, shade, "body")
    board.dot(-0.15, 0.58 - radius, radius, house.main, "shell")
    coil = spiral(-0.15, 0.58 - radius, 0.9 * radius, rng.uniform(1.7, 2.4), rng.uniform(0, 2 * pi))
    board.line(coil, 0.1, line, "shell", taper=0.5)
    board.curve([(0.7, 0.26), (0.78, 0.3), (0.87, 0.25)], 0.03, INK, "head")


# ----------------------------------------------------------------------------------- vehicles and food


def draw_wheel(
    board: Board, x: float, y: float, radius: float, rim: Colour, n_spokes: int, part: str
) -> None:
    """A tyre with rim and spokes."""
    board.dot(x, y, radius, (42, 40, 46), part)
    board.dot(x, y, 0.6 * radius, rim, part)
    for angle in np.arange(n_spokes) * 2 * pi / n_spokes:
        end = (x + 0.55 * radius * cos(angle), y + 0.55 * radius * sin(angle))
        board.line([(x, y), end], 0.13 * radius, (110, 110, 118), part)
    board.dot(x, y, 0.16 * radius, (70, 68, 74), part)


def draw_car(board: Board, rng: np.random.Generator) -> None:
    """Driving to the right: a saloon, a hatchback or a van."""
    paint = pick_palette(rng)
    kind = rng.choice(["saloon", "hatchback", "van"])
    roof = -rng.uniform(0.46, 0.6)
    rear, front = {"saloon": (-0.5, 0.3), "hatchback": (-0.78, 0.25), "van": (-0.86, 0.5)}[kind]
    wheel = rng.uniform(0.19, 0.26)
    striped = rng.random() < 0.35
    n_spokes = int(rng.choice([0, 4, 5]))

    cabin = [(rear - 0.12, 0.02), (rear + 0.08, roof), (front, roof), (front + 0.3, 0.02)]
    board.polygon(cabin, paint.main, "body")
    middle = 0.5 * (rear + front) + 0.08
    rear_window = [
        (rear + 0.04, -0.03), (rear + 0.16, roof + 0.09), (middle - 0.03, roof + 0.09),
        (middle - 0.03, -0.03),
    ]  # fmt: skip
    front_window = [
        (middle + 0.04, -0.03), (middle + 0.04, roof + 0.09), (front - 0.03, roof + 0.09),
        (front + 0.17, -0.03),
    ]  # fmt: skip
    for window in (rear_window, front_window):
        board.polygon(window, GLASS, "window")
    x = middle + 0.1
    gleam = [(x, -0.08), (x + 0.1, roof + 0.13), (x + 0.17, roof + 0.13), (x + 0.07, -0.08)]
    board.polygon(gleam, (222, 240, 248), "window")
    nose = 0.02 if kind == "van" else 0.07
    chassis = [
        (-0.96, 0.4), (-0.97, 0.04), (-0.88, -0.05), (0.6, -0.05), (0.9, nose), (0.98, 0.18), (0.98, 0.4),
    ]  # fmt: skip
    board.polygon(chassis, paint.main, "body")
    if striped:
        board.polygon([(-0.97, 0.12), (-0.97, 0.03), (0.86, 0.03), (0.94, 0.12)], paint.accent, "body")
    board.polygon([(-0.98, 0.4), (-0.98, 0.27), (1.0, 0.27), (1.0, 0.4)], paint.dark, "body")
    board.line([(middle, -0.04), (middle, 0.27)], 0.025, paint.dark, "body")
    board.line([(middle - 0.2, 0.08), (middle - 0.07, 0.08)], 0.045, INK, "body")
    board.ellipse(0.9, 0.16, 0.075, 0.075, (255, 240, 160), "light")
    board.polygon([(-0.97, 0.09), (-0.88, 0.09), (-0.88, 0.21), (-0.97, 0.21)], RED, "light")
    for x in (-0.53, 0.54):
        draw_wheel(board, x, 0.4, wheel, (200, 200, 206), n_spokes, "wheel")


def draw_sailboat(board: Board, rng: np.random.Generator) -> None:
    """Sailing to the right: mainsail, jib, flag and hull."""
    hull = pick_palette(rng)
    cloth = WHITE if rng.random() < 0.4 else hull.light
    jib = hull.accent if rng.random() < 0.6 else cloth
    boom = rng.uniform(0.55, 0.78)
    bow = rng.uniform(0.86, 1.0)
    top = -rng.uniform(0.82, 0.98)
    striped, portholed = rng.random(2) < (0.6, 0.7)

    board.line([(0, 0.46), (0, top - 0.02)], 0.06, (122, 84, 50), "mast")
    board.polygon([(0.03, top), (0.27, top + 0.08), (0.03, top + 0.16)], RED, "sail")
    luff = top + 0.14
    mainsail = [(-0.05, luff), (-0.05, 0.32), (-boom, 0.28), (-0.6 * boom, -0.1), (-0.26 * boom, 0.55 * luff)]
    board.polygon(mainsail, cloth, "sail")
    if striped:
        for y, share in ((-0.16, 0.5), (0.07, 0.78)):
            board.line([(-0.07, y), (-share * boom + 0.05, y + 0.04)], 0.05, hull.accent, "sail")
    board.polygon([(0.06, luff + 0.1), (0.4, -0.05), (0.66, 0.32), (0.06, 0.3)], jib, "sail")
    planks = [(-0.85, 0.42), (bow, 0.42), (0.66, 0.86), (-0.56, 0.86)]
    board.polygon(planks, hull.main, "body")
    board.polygon([(-0.86, 0.42), (bow, 0.42), (bow - 0.08, 0.53), (-0.8, 0.53)], WHITE, "body")
    board.polygon([(-0.62, 0.76), (0.74, 0.76), (0.66, 0.86), (-0.56, 0.86)], hull.dark, "body")
    if portholed:
        for x in (-0.38, -0.02, 0.34):
            board.dot(x, 0.65, 0.07, WHITE, "window")
            board.dot(x, 0.65, 0.045, (60, 92, 132), "window")


def draw_mushroom(board: Board, rng: np.random.Generator) -> None:
    """A toadstool; flat or high, dotted or plain."""
    cap = pick_palette(rng, WARM_HUES)
    stem = hsv(0.11, rng.uniform(0.05, 0.3), rng.uniform(0.75, 0.95))
    shade = tuple(int(0.82 * channel) for channel in stem)
    gills = tuple(int(0.68 * channel) for channel in stem)
    width = rng.uniform(0.15, 0.27)
    dome = rng.uniform(0.6, 1.0)
    lean = rng.uniform(-0.12, 0.12)
    dotted, ringed = rng.random(2) < (0.7, 0.6)
    dots = [
        (-0.45, -0.4, 0.13), (0.05, -0.68, 0.15), (0.5, -0.42, 0.12), (0.1, -0.28, 0.1),
        (-0.2, -0.66, 0.07), (0.68, -0.16, 0.08), (-0.7, -0.15, 0.08),
    ]  # fmt: skip

    foot = lean + 1.35 * width
    trunk = [
        (-width, -0.05), (width, -0.05), (lean + 0.9 * width, 0.45), (foot, 0.86), (lean, 0.93),
        (foot - 2.7 * width, 0.86), (lean - 0.9 * width, 0.45),
    ]  # fmt: skip
    board.blob(trunk, stem, "stem")
    if ringed:
        skirt = [
            (-1.2 * width, 0.2), (1.2 * width, 0.2), (1.65 * width, 0.38), (0.04, 0.31),
            (-1.65 * width, 0.38),
        ]  # fmt: skip
        board.polygon(skirt, shade, "stem")
    board.ellipse(0, 0.02, 0.74, 0.14, shade, "cap")
    for x in np.linspace(-0.56, 0.56, 7):
        board.line([(0.5 * x, -0.04), (x, 0.11)], 0.024, gills, "cap")
    outline = [
        (-0.9, 0.02), (-0.8, -0.45 * dome), (-0.42, -0.87 * dome), (0, -0.97 * dome), (0.42, -0.87 * dome),
        (0.8, -0.45 * dome), (0.9, 0.02), (0.45, -0.05), (0, -0.07), (-0.45, -0.05),
    ]  # fmt: skip
    board.blob(outline, cap.main, "cap")
    if dotted:
        colour = WHITE if rng.random() < 0.8 else cap.accent
        for x, y, radius in dots:
            board.ellipse(x + rng.uniform(-0.05, 0.05), dome * y, radius, 0.85 * radius, colour, "spot")


def draw_ice_cream(board: Board, rng: np.random.Generator) -> None:
    """One to three scoops in a waffle cone, sometimes with a cherry."""
    waffle = hsv(rng.uniform(0.07, 0.11), rng.uniform(0.45, 0.65), rng.uniform(0.7, 0.92))
    crust = tuple(int(0.68 * channel) for channel in waffle)
    arrangements = (
        [(0, -0.18, 0.48)],
        [(0, -0.1, 0.43), (0, -0.57, 0.35)],
        [(-0.27, -0.1, 0.33), (0.27, -0.1, 0.33), (0, -0.52, 0.35)],
    )
    scoops = arrangements[rng.integers(len(arrangements))]

    board.polygon([(-0.4, 0.0), (0.4, 0.0), (0.04, 0.98), (-0.04, 0.98)], waffle, "cone")
    for side in SIDES:
        for start in (-0.28, 0.0, 0.28):
            # a lattice line runs down to the opposite edge of the cone, x = ±0.4 (1 - y)
            top, bottom = (-start, 0.02), (0.4 - 0.4 * (0.62 - start), 0.62 - start)
            board.line(mirrored([top, bottom], side), 0.035, crust, "cone")
    for x, y, radius in scoops:
        flavour = pick_palette(rng, WARM_HUES)
        frill = [(-1, 0), (-0.92, 0.7), (-0.5, 0.5), (-0.1, 0.85), (0.4, 0.5), (0.8, 0.78), (1, 0)]
        board.dot(x, y, radius, flavour.main, "scoop")
        board.blob([(x + radius * u, y + radius * v) for u, v in frill], flavour.main, "scoop")
        board.ellipse(x, y + 0.1 * radius, 0.9 * radius, 0.75 * radius, flavour.main, "scoop")
        board.ellipse(
            x - 0.38 * radius,
            y - 0.42 * radius,
            0.26 * radius,
            0.17 * radius,
            flavour.light,
            "scoop",
            turn=-0.6,
        )
        for _ in range(int(rng.integers(0, 6))):
            angle, distance = rng.uniform(0, 2 * pi), radius * rng.uniform(0.1, 0.65)
            u, v = x + distance * cos(angle), y + distance * sin(angle)
            board.line([(u, v), (u + 0.07 * sin(angle), v + 0.06)], 0.045, flavour.accent, "scoop")
    x, y, radius = scoops[-1]
    if rng.random() < 0.45:
        board.curve(
            [(x, y - radius - 0.08), (x + 0.05, y - radius - 0.2), (x + 0.15, y - radius - 0.28)],
            0.035,
            (66, 108, 46),
            "spot",
        )
        board.dot(x, y - radius - 0.02, 0.11, RED, "spot")
        board.dot(x - 0.04, y - radius - 0.06, 0.03, WHITE, "spot")


# -------------------------------------------------------------------------------------- husky and wolf


def _draw_sled_dog(board: Board, rng: np.random.Generator, husky: bool) -> None:
    """Head and chest. True differences: the husky's blue eyes, white brow spots and blaze, rounder ears;
    the wolf's amber eyes, dark ridge, grey cheeks."""
    grey = hsv(
        rng.choice([0.6, 0.08]) + rng.uniform(-0.04, 0.04), rng.uniform(0.05, 0.3), rng.uniform(0.28, 0.62)
    )
    dark = tuple(int(0.55 * channel) for channel in grey)
    middle = tuple(int(0.5 * channel + 90) for channel in grey)
    white = hsv(0.1, 0.05, rng.uniform(0.86, 1.0))
    ear_tip = -rng.uniform(0.84, 1.0)
    jowl = rng.uniform(0.72, 0.84)
    smiling = rng.random() < 0.4

    ruff = [(-0.62, 0.25), (-0.86, 0.62), (-0.5, 0.96), (0, 0.98), (0.5, 0.96), (0.86, 0.62), (0.62, 0.25)]
    board.blob(ruff, grey, "body")
    board.polygon(
        [(-0.34, 0.36), (0.34, 0.36), (0.44, 0.78), (0.2, 0.72), (0, 0.97), (-0.2, 0.72), (-0.44, 0.78)],
        white,
        "body",
    )
    ear_foot = 0.1 if husky else 0.14
    for side in SIDES:
        board.polygon(mirrored([(0.62, -0.2), (0.57, ear_tip), (ear_foot, -0.5)], side), grey, "ear")
        inner = mirrored([(0.53, -0.34), (0.51, ear_tip + 0.17), (0.24, -0.47)], side)
        board.polygon(inner, PINK if husky else dark, "ear")
    skull = [
        (-0.4, -0.54), (0, -0.56), (0.4, -0.54), (0.66, -0.12), (jowl, 0.24), (0.4, 0.44), (0, 0.62),
        (-0.4, 0.44), (-jowl, 0.24), (-0.66, -0.12),
    ]  # fmt: skip
    board.blob(skull, grey, "head")
    for side in SIDES:
        cheek = mirrored([(0.04, 0.02), (0.3, 0.06), (jowl - 0.12, 0.2), (0.38, 0.38), (0.04, 0.5)], side)
        board.blob(cheek, white if husky else middle, "head")
    board.blob([(0, -0.02), (0.2, 0.18), (0.19, 0.42), (0, 0.56), (-0.19, 0.42), (-0.2, 0.18)], white, "head")
    if husky:
        for side in SIDES:
            board.ellipse(side * 0.27, -0.25, 0.11, 0.065, white, "spot", turn=side * 0.5)
        board.polygon([(0, -0.5), (0.08, -0.1), (0.05, 0.12), (-0.05, 0.12), (-0.08, -0.1)], white, "spot")
    else:
        board.polygon([(-0.1, -0.5), (0.1, -0.5), (0.06, 0.12), (-0.06, 0.12)], dark, "spot")
        for side in SIDES:
            board.line(mirrored([(0.12, -0.14), (0.38, -0.25)], side), 0.05, dark, "spot", taper=0.6)
    iris = hsv(0.56, rng.uniform(0.35, 0.65), 0.97) if husky else hsv(0.12, 0.8, rng.uniform(0.75, 0.9))
    for side in SIDES:
        board.ellipse(side * 0.28, -0.08, 0.125, 0.1, INK, "eye", turn=side * -0.25)
        board.ellipse(side * 0.28, -0.08, 0.085, 0.085, iris, "eye")
        board.dot(side * 0.28, -0.08, 0.04, INK, "eye")
        board.dot(side * 0.28 + 0.03, -0.11, 0.02, WHITE, "eye")
    board.blob([(-0.13, 0.2), (0, 0.17), (0.13, 0.2), (0.07, 0.3), (-0.07, 0.3)], INK, "head")
    for side in SIDES:
        board.curve(mirrored([(0, 0.3), (0.06, 0.39), (0.2, 0.39)], side), 0.032, INK, "head")
    if smiling:
        board.blob(
            [(-0.07, 0.41), (0.07, 0.41), (0.06, 0.55), (0, 0.58), (-0.06, 0.55)], (226, 116, 128), "head"
        )


def draw_husky(board: Board, rng: np.random.Generator) -> None:
    """A husky's head and chest."""
    _draw_sled_dog(board, rng, husky=True)


def draw_wolf(board: Board, rng: np.random.Generator) -> None:
    """A wolf's head and chest."""
    _draw_sled_dog(board, rng, husky=False)


# ------------------------------------------------------------------------------------------- monsters


def _draw_monster(board: Board, rng: np.random.Generator, spiky: bool) -> None:
    """A lump with arms, feet and a grin. True differences: mellumps have antennae, round pupils and round
    feet; zacklings have horns, slit pupils and clawed feet."""
    skin = pick_palette(rng)
    width, height = rng.uniform(0.45, 0.66), rng.uniform(0.5, 0.7)
    arm_lift = rng.uniform(-0.4, 0.5, 2)
    one_eyed, toothy, freckled, belly = rng.random(4) < (0.3, 0.6, 0.4, 0.6)
    lumps = 1 + rng.uniform(-0.09, 0.09, 10)
    spread = rng.uniform(0.8, 1.2)

    for side, lift in zip(SIDES, arm_lift, strict=True):
        hand = (side * 0.93, 0.1 - lift)
        board.curve([(side * 0.6 * width, 0.2), (side * 0.8, 0.2 - 0.3 * lift), hand], 0.15, skin.dark, "leg")
        board.dot(*hand, 0.1, skin.dark, "leg")
        if spiky:
            board.polygon(
                mirrored([(0.12, 0.7), (0.32, 0.7), (0.56, 0.94), (0.08, 0.94)], side), skin.dark, "leg"
            )
            board.polygon(
                mirrored([(0.14, -0.3), (0.34 * spread, -0.98), (0.42, -0.22)], side), skin.accent, "antenna"
            )
        else:
            board.ellipse(side * 0.3, 0.84, 0.22, 0.12, skin.dark, "leg")
            feeler = mirrored([(0.18, -0.3), (0.22, -0.6), (0.34 * spread, -0.84)], side)
            board.curve(feeler, 0.07, skin.dark, "antenna")
            board.dot(side * 0.34 * spread, -0.86, 0.12, skin.accent, "antenna")
    outline = circle_points(10) * lumps[:, None] * (width, height) + (0, 0.15)
    board.blob(outline, skin.main, "body")
    if belly:
        board.ellipse(0, 0.45, 0.55 * width, 0.42 * height, skin.light, "body")
    if freckled:
        for x, y in ((-0.62, 0.3), (-0.5, 0.48), (0.6, 0.34), (0.48, 0.5), (0.66, 0.16)):
            board.dot(width * x, y, 0.05, skin.accent, "spot")
    eyes = [(0.0, 0.21)] if one_eyed else [(-0.2, 0.15), (0.2, 0.15)]
    for x, radius in eyes:
        board.ellipse(x, -0.07, radius, 1.1 * radius, WHITE, "eye")
        if spiky:
            slit = np.array([(0, -0.85), (0.32, 0), (0, 0.85), (-0.32, 0)]) * radius + (x, -0.06)
            board.polygon(slit, INK, "eye")
        else:
            board.ellipse(x, -0.05, 0.5 * radius, 0.6 * radius, INK, "eye")
            board.dot(x + 0.2 * radius, -0.05 - 0.3 * radius, 0.2 * radius, WHITE, "eye")
    board.blob([(-0.26, 0.24), (0, 0.3), (0.26, 0.24), (0.14, 0.42), (-0.14, 0.42)], (88, 26, 40), "head")
    if toothy:
        for x in (-0.1, 0.08):
            board.polygon([(x - 0.05, 0.28), (x + 0.05, 0.28), (x, 0.37)], WHITE, "head")


def draw_mellump(board: Board, rng: np.random.Generator) -> None:
    """A monster of the mild family."""
    _draw_monster(board, rng, spiky=False)


def draw_zackling(board: Board, rng: np.random.Generator) -> None:
    """A monster of the prickly family."""
    _draw_monster(board, rng, spiky=True)


DRAW: dict[str, Callable[[Board, np.random.Generator], None]] = {
    "cat": draw_cat,
    "horse": draw_horse,
    "fish": draw_fish,
    "bird": draw_bird,
    "butterfly": draw_butterfly,
    "snail": draw_snail,
    "car": draw_car,
    "sailboat": draw_sailboat,
    "mushroom": draw_mushroom,
    "ice cream": draw_ice_cream,
    "husky": draw_husky,
    "wolf": draw_wolf,
    "mellump": draw_mellump,
    "zackling": draw_zackling,
}


# ---------------------------------------------------------------- clutter: looks like parts of the above


def draw_ball(board: Board, rng: np.random.Generator) -> None:
    """A beach ball."""
    paint = pick_palette(rng)
    board.dot(0, 0, 0.85, paint.main, "distractor")
    for points in (
        [(-0.1, -0.84), (0.35, -0.3), (0.35, 0.3), (-0.1, 0.84), (0.05, 0)],
        [(-0.84, -0.1), (-0.4, -0.25), (-0.4, 0.35), (-0.8, 0.25)],
    ):
        board.blob(points, paint.accent, "distractor")
    board.ellipse(-0.3, -0.42, 0.18, 0.12, WHITE, "distractor", turn=-0.6)


def draw_hoop(board: Board, rng: np.random.Generator) -> None:
    """A lost wheel."""
    draw_wheel(board, 0, 0, 0.85, pick_palette(rng).light, int(rng.choice([0, 4, 5, 6])), "distractor")


def draw_traffic_cone(board: Board, rng: np.random.Generator) -> None:
    """A striped cone: a little like a sail, an ear or an ice cream's cone."""
    orange = hsv(rng.uniform(0.02, 0.1), 0.85, 0.95)
    board.polygon([(-0.75, 0.8), (0.75, 0.8), (0.75, 0.62), (-0.75, 0.62)], orange, "distractor")
    board.polygon([(-0.5, 0.62), (0.5, 0.62), (0.08, -0.9), (-0.08, -0.9)], orange, "distractor")
    board.polygon([(-0.37, 0.18), (0.37, 0.18), (0.24, -0.28), (-0.24, -0.28)], WHITE, "distractor")


def draw_lollipop(board: Board, rng: np.random.Generator) -> None:
    """A sugar spiral on a stick: a little like a snail's shell."""
    sugar = pick_palette(rng)
    board.line([(0, 0.3), (0, 1.2)], 0.12, WHITE, "distractor")
    board.dot(0, -0.1, 0.68, sugar.main, "distractor")
    board.line(spiral(0, -0.1, 0.62, 2, rng.uniform(0, 6)), 0.14, sugar.light, "distractor", taper=0.5)


def draw_leaf(board: Board, rng: np.random.Generator) -> None:
    """A leaf: a little like a wing or a fin."""
    hue = rng.uniform(0.22, 0.36) if rng.random() < 0.6 else rng.uniform(0.0, 0.14)
    green, vein = hsv(hue, 0.6, rng.uniform(0.45, 0.75)), hsv(hue, 0.6, 0.35)
    board.blob(
        [(0, -0.98), (0.4, -0.5), (0.5, 0.1), (0.1, 0.85), (-0.4, 0.3), (-0.42, -0.4)], green, "distractor"
    )
    board.curve([(0.02, -0.9), (-0.03, 0), (0.1, 1.05)], 0.07, vein, "distractor")
    for y in (-0.4, 0.0, 0.35):
        for side in SIDES:
            board.line([(0, y + 0.12), (side * 0.3, y - 0.12)], 0.04, vein, "distractor")


def draw_pennant(board: Board, rng: np.random.Generator) -> None:
    """A triangular flag on a pole: a little like a sail."""
    cloth = pick_palette(rng)
    board.line([(-0.5, -0.95), (-0.5, 1.0)], 0.11, (122, 84, 50), "distractor")
    board.polygon([(-0.45, -0.9), (0.85, -0.45), (-0.45, 0.05)], cloth.main, "distractor")
    board.polygon([(-0.45, -0.6), (0.05, -0.45), (-0.45, -0.28)], cloth.accent, "distractor")


def draw_star(board: Board, rng: np.random.Generator) -> None:
    """A five-pointed star."""
    paint = pick_palette(rng)
    points = circle_points(10) * np.where(np.arange(10) % 2, 0.42, 0.95)[:, None]
    board.polygon(points, paint.main, "distractor")
    board.polygon(0.5 * points, paint.light, "distractor")


def draw_parcel(board: Board, rng: np.random.Generator) -> None:
    """A parcel with a ribbon."""
    paint = pick_palette(rng)
    board.polygon([(-0.75, -0.6), (0.75, -0.6), (0.75, 0.7), (-0.75, 0.7)], paint.main, "distractor")
    board.line([(0, -0.6), (0, 0.7)], 0.2, paint.accent, "distractor")
    board.line([(-0.75, 0.05), (0.75, 0.05)], 0.2, paint.accent, "distractor")
    for side in SIDES:
        board.ellipse(side * 0.24, -0.72, 0.26, 0.13, paint.accent, "distractor", turn=side * -0.5)


def draw_toy_eyes(board: Board, rng: np.random.Generator) -> None:
    """A cushion with button eyes: a face that is nobody's."""
    cloth = pick_palette(rng)
    board.blob(
        [(-0.8, -0.55), (0, -0.45), (0.8, -0.55), (0.7, 0), (0.8, 0.6), (0, 0.5), (-0.8, 0.6), (-0.7, 0)],
        cloth.main,
        "distractor",
    )
    for side in SIDES:
        board.dot(side * 0.3, -0.02, 0.18, WHITE, "distractor")
        board.dot(side * 0.3, -0.02, 0.09, INK, "distractor")


DISTRACTORS = (
    draw_ball,
    draw_hoop,
    draw_traffic_cone,
    draw_lollipop,
    draw_leaf,
    draw_pennant,
    draw_star,
    draw_parcel,
    draw_toy_eyes,
)


# ------------------------------------------------------------------------- foreground: what hides things


def draw_bush(board: Board, rng: np.random.Generator) -> None:
    """Round tufts of leaves."""
    hue, value = rng.uniform(0.22, 0.36), rng.uniform(0.4, 0.65)
    tufts = [(-0.6, 0.25, 0.42), (0.6, 0.3, 0.4), (0, -0.1, 0.52), (-0.3, 0.4, 0.36), (0.32, 0.42, 0.36)]
    for x, y, radius in tufts:
        leaves = circle_points(18) * radius * np.where(np.arange(18) % 2, 0.86, 1.1)[:, None] + (x, y)
        board.polygon(
            leaves, hsv(hue + rng.uniform(-0.02, 0.02), 0.6, value * rng.uniform(0.85, 1.15)), "foreground"
        )


def draw_big_leaf(board: Board, rng: np.random.Generator) -> None:
    """One large leaf close to the camera."""
    hue = rng.uniform(0.2, 0.38)
    green, vein = hsv(hue, 0.55, rng.uniform(0.35, 0.7)), hsv(hue, 0.5, 0.3)
    board.blob([(0, -1), (0.32, -0.4), (0.3, 0.3), (0, 1), (-0.32, 0.4), (-0.3, -0.4)], green, "foreground")
    board.line([(0, -0.95), (0, 1.25)], 0.06, vein, "foreground")
    for y in (-0.5, -0.1, 0.3):
        for side in SIDES:
            board.line([(0, y + 0.18), (side * 0.24, y - 0.08)], 0.04, vein, "foreground")


def draw_grass_blades(board: Board, rng: np.random.Generator) -> None:
    """A tuft of tall grass."""
    hue = rng.uniform(0.18, 0.34)
    for foot in np.linspace(-0.6, 0.6, 7):
        tip = foot + rng.uniform(-0.5, 0.5)
        height = rng.uniform(0.4, 1.0)
        blade = [(foot, 1.0), (0.5 * (foot + tip) - 0.05, 0.3), (tip, 1 - 2 * height)]
        board.curve(blade, 0.2, hsv(hue, 0.6, rng.uniform(0.4, 0.75)), "foreground", taper=0.95)


def draw_fence_post(board: Board, rng: np.random.Generator) -> None:
    """A wooden post."""
    wood = hsv(rng.uniform(0.05, 0.1), rng.uniform(0.2, 0.5), rng.uniform(0.4, 0.75))
    board.polygon([(-0.2, 1.1), (-0.2, -0.8), (0, -1.0), (0.2, -0.8), (0.2, 1.1)], wood, "foreground")
    for x in (-0.08, 0.07):
        grain = tuple(int(0.75 * channel) for channel in wood)
        board.line([(x, -0.7), (x + 0.02, 1.0)], 0.035, grain, "foreground")


OCCLUDERS = (draw_bush, draw_big_leaf, draw_grass_blades, draw_fence_post)
