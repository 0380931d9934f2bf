"""A drawing board that knows what it draws.

Every stroke gets an id of its own, and the board is one picture of ids. Three look-up tables then turn the
ids into colour, into the part map ("which pixels are wheel?") and into the object map ("which pixels are the
car?"), so picture and truth can never drift apart. The board is twice as fine as the finished picture:
colours are averaged down, which smooths the edges.

Things are drawn in their own units: x to the right, y downward, everything within about [-1, 1]. `Pose` says
where that square lands in the picture.
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import cos, sin

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FINENESS = 2  # board pixels per picture pixel
MARGIN = 32  # picture pixels around the visible square, so that what is cut off can be counted
MAX_SHAPES = 255  # ids are bytes, 0 is the empty board
INNER_INK = 0.42  # brightness left where two shapes of a drawing meet
OUTER_INK = np.array([22, 18, 26, 215])  # the contour around a drawing: red, green, blue, opacity

Colour = tuple[int, int, int]
Points = Sequence[tuple[float, float]] | np.ndarray


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """RGB bytes of a colour; `hue` wraps around 1, the other two are clipped to [0, 1]."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return int(255 * red), int(255 * green), int(255 * blue)


@cache
def _spline_weights(steps: int) -> np.ndarray:
    """Catmull-Rom weights, (steps, 4): how much each of four neighbours counts along one segment."""
    t = np.linspace(0, 1, steps, endpoint=False)
    before, start = -t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3
    end, after = t + 4 * t**2 - 3 * t**3, t**3 - t**2
    return 0.5 * np.stack([before, start, end, after], axis=1)


def smooth_outline(points: Points, steps: int = 4) -> np.ndarray:
    """A closed smooth curve through `points`: (P, 2) to (P * steps, 2)."""
    points = np.asarray(points, float)
    neighbours = (np.arange(len(points))[:, None] + (-1, 0, 1, 2)) % len(points)
    return (_spline_weights(steps) @ points[neighbours]).reshape(-1, 2)


def smooth_path(points: Points, steps: int = 4) -> np.ndarray:
    """An open smooth curve through `points`: (P, 2) to ((P - 1) * steps + 1, 2)."""
    points = np.asarray(points, float)
    padded = np.vstack([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    neighbours = np.arange(len(points) - 1)[:, None] + (0, 1, 2, 3)
    return np.vstack([(_spline_weights(steps) @ padded[neighbours]).reshape(-1, 2), points[-1:]])


def circle_points(n_points: int) -> np.ndarray:
    """(n_points, 2) on the unit circle."""
    angle = np.linspace(0, 2 * np.pi, n_points, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


_CIRCLE = circle_points(24)


@dataclass(frozen=True)
class Pose:
    """Where a drawing lands: `centre` and `radius` in picture pixels, `turn` in radians."""

    centre: tuple[float, float]
    radius: float
    turn: float = 0.0
    stretch: float = 1.0  # width over height
    slant: float = 0.0  # shear: how far the top leans sideways
    mirrored: bool = False

    def matrix(self) -> np.ndarray:
        """(2, 2): from the drawing's units to picture pixels."""
        flip = -1.0 if self.mirrored else 1.0
        shape = np.array([[flip * self.stretch, self.slant], [0.0, 1.0]])
        rotation = np.array([[cos(self.turn), -sin(self.turn)], [sin(self.turn), cos(self.turn)]])
        return self.radius * rotation @ shape


class Board:
    """A square of ids to draw on. `part_names[0]` is the empty background."""

    def __init__(self, size: int, part_names: Sequence[str]):
        self.size = size
        side = FINENESS * (size + 2 * MARGIN)
        self._image = Image.new("L", (side, side), 0)
        self._pen = ImageDraw.Draw(self._image)
        self._part_index = {name: index for index, name in enumerate(part_names)}
        self._colours = np.zeros((MAX_SHAPES + 1, 3), np.uint8)
        self._parts = np.zeros(MAX_SHAPES + 1, np.uint8)
        self._owners = np.zeros(MAX_SHAPES + 1, np.uint8)
        self._n_shapes = 0

    # ---- what an object uses to draw itself

    def begin(self, owner: int, pose: Pose) -> None:
        """All that follows belongs to `owner` (1 to 255) and is placed by `pose`."""
        self._owner = owner
        self._matrix = FINENESS * pose.matrix().T
        self._offset = FINENESS * (np.asarray(pose.centre, float) + MARGIN)

    def polygon(self, points: Points, colour: Colour, part: str) -> None:
        """A filled shape with straight edges."""
        if self._n_shapes == MAX_SHAPES:
            raise OverflowError(f"more than {MAX_SHAPES} shapes on one board")
        self._n_shapes += 1
        shape = self._n_shapes
        self._colours[shape] = colour
        self._parts[shape] = self._part_index[part]
        self._owners[shape] = self._owner
        corners = np.asarray(points, float) @ self._matrix + self._offset
        self._pen.polygon(corners.ravel().tolist(), fill=shape)

    def blob(self, points: Points, colour: Colour, part: str) -> None:
        """A filled shape with a smooth outline through `points`."""
        self.polygon(smooth_outline(points), colour, part)

    def ellipse(
        self, x: float, y: float, width: float, height: float, colour: Colour, part: str, turn: float = 0.0
    ) -> None:
        """An ellipse around (x, y); `width` and `height` are half axes, `turn` is in radians."""
        points = _CIRCLE * (width, height)
        if turn:
            points = points @ np.array([[cos(turn), sin(turn)], [-sin(turn), cos(turn)]])
        self.polygon(points + np.array([x, y]), colour, part)

    def dot(self, x: float, y: float, radius: float, colour: Colour, part: str) -> None:
        """A filled circle."""
        self.ellipse(x, y, radius, radius, colour, part)

    def line(self, points: Points, width: float, colour: Colour, part: str, taper: float = 0.0) -> None:
        """A line of straight pieces; with `taper` 1 it ends in a point."""
        points = np.asarray(points, float)
        steps = points[1:] - points[:-1]
        along = np.concatenate([steps[:1], steps[:-1] + steps[1:], steps[-1:]])
        half_width = 0.5 * width * (1 - taper * np.arange(len(points)) / (len(points) - 1))
        half_width /= np.hypot(along[:, 0], along[:, 1]) + 1e-9
        aside = along[:, ::-1] * (-1, 1) * half_width[:, None]
        self.polygon(np.concatenate([points + aside, (points - aside)[::-1]]), colour, part)

    def curve(self, points: Points, width: float, colour: Colour, part: str, taper: float = 0.0) -> None:
        """A smooth line through `points`."""
        self.line(smooth_path(points), width, colour, part, taper)

    # ---- what a scene asks of the board

    def save(self) -> tuple[Image.Image, int]:
        """The present state, for `restore`."""
        return self._image.copy(), self._n_shapes

    def restore(self, state: tuple[Image.Image, int]) -> None:
        """Back to a saved state, forgetting what was drawn since."""
        image, self._n_shapes = state
        self._image.paste(image)

    def area(self, owner: int) -> int:
        """Board pixels of `owner`, those beyond the picture's border included."""
        return self._count(self._image, owner)

    def visible_area(self, owner: int) -> int:
        """Board pixels of `owner` within the picture."""
        return self._count(self._image.crop(self._window()), owner)

    def _count(self, image: Image.Image, owner: int) -> int:
        return int(np.asarray(image.histogram())[self._owners == owner].sum())

    def _window(self) -> tuple[int, int, int, int]:
        border = FINENESS * MARGIN
        return border, border, border + FINENESS * self.size, border + FINENESS * self.size

    def _ids(self) -> np.ndarray:
        return np.asarray(self._image.crop(self._window()))

    def develop(self) -> "Drawing":
        """Look up colours, parts and owners of all ids, and draw the ink lines between them."""
        ids = self._ids()
        edges = np.zeros(ids.shape, bool)
        edges[1:] = ids[1:] != ids[:-1]
        edges[:, 1:] |= ids[:, 1:] != ids[:, :-1]

        table = np.zeros((2, MAX_SHAPES + 1, 4), np.uint8)  # (inked?, id, premultiplied RGB and opacity)
        table[0, 1:, :3] = self._colours[1:]
        table[1, 1:, :3] = INNER_INK * self._colours[1:]
        table[:, 1:, 3] = 255
        table[1, 0] = OUTER_INK
        table[1, 0, :3] = OUTER_INK[:3] * (OUTER_INK[3] / 255)
        packed = table.reshape(-1, 4).view(np.uint32)[:, 0]
        pixels = packed.take(ids + (edges.view(np.uint8).astype(np.uint16) << 8))
        side = FINENESS * self.size
        # "CMYK" is Pillow's plain four-channel picture: all four are averaged alike
        small = Image.frombuffer("CMYK", (side, side), pixels.tobytes(), "raw", "CMYK", 0, 1).reduce(FINENESS)
        averaged = np.asarray(small).astype(np.float32)
        samples = ids[::FINENESS, ::FINENESS]
        return Drawing(averaged[..., :3], averaged[..., 3] / 255, self._parts[samples], self._owners[samples])


@dataclass(frozen=True)
class Drawing:
    """A developed board of side S."""

    colour: np.ndarray  # (S, S, 3) float32, 0 to 255, already multiplied by `cover`
    cover: np.ndarray  # (S, S) float32, 0 where the background shows, 1 where the drawing hides it
    parts: np.ndarray  # (S, S) uint8, index of the part's name
    owners: np.ndarray  # (S, S) uint8, whose pixel it is; 0 is nobody's


def soften(cover: np.ndarray, radius: float) -> np.ndarray:
    """A blurred copy of a (S, S) map in [0, 1]."""
    picture = Image.fromarray((255 * cover).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.BoxBlur(radius))).astype(np.float32) / 255


def shift(values: np.ndarray, down: int, right: int) -> np.ndarray:
    """Move a map by whole pixels; what enters repeats the border."""
    rows = np.clip(np.arange(values.shape[0]) - down, 0, values.shape[0] - 1)
    columns = np.clip(np.arange(values.shape[1]) - right, 0, values.shape[1] - 1)
    return values.take(rows, axis=0).take(columns, axis=1)


def pillow_shading(softened: np.ndarray, light: float, reach: int = 4) -> np.ndarray:
    """Brightness, about -1 to 1, of a cushion with this softened outline, lit from direction `light`.

    `light` is the angle (radians, y downward) that points to the lamp.
    """
    down, right = round(reach * sin(light)), round(reach * cos(light))
    return shift(softened, down, right) - shift(softened, -down, -right)


def soft_shadow(softened: np.ndarray, light: float, reach: int = 5) -> np.ndarray:
    """How much light a drawing with this softened outline takes from the ground: 0 to 1."""
    return shift(softened, -round(reach * sin(light)) + 1, -round(reach * cos(light)))
