"""What both kinds of pictures have on top: the planted caption on its dark plate, and the grain of a film."""

from functools import cache
from math import ceil
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

DARK, BRIGHT = 24, 250  # grey levels of plate and letters


@cache
def caption_maps(
    text: str, font_size: int, padding: tuple[int, int, int, int], radius: int = 0, finer: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """A caption's letters and its plate as two maps in 0 … 1, each (height, width) float32.

    Args:
        text: of the caption.
        font_size: of the letters, in pixels before they are made smaller.
        padding: of the plate around the letters, in the same pixels: left, top, right, bottom.
        radius: of the plate's corners.
        finer: how many times larger to draw than the maps are to be.
    """
    font_file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf")
    font = ImageFont.truetype(str(font_file), font_size)
    left, top, right, bottom = font.getbbox(text)
    sides = (int(right - left) + padding[0] + padding[2], int(bottom - top) + padding[1] + padding[3])
    width, height = (finer * ceil(side / finer) for side in sides)
    letters, plate = Image.new("L", (width, height), 0), Image.new("L", (width, height), 0)
    ImageDraw.Draw(letters).text((padding[0] - left, padding[1] - top), text, font=font, fill=255)
    ImageDraw.Draw(plate).rounded_rectangle((0, 0, width - 1, height - 1), radius=radius, fill=255)
    return tuple(np.asarray(picture.reduce(finer)).astype(np.float32) / 255 for picture in (letters, plate))


def stamped(
    under: np.ndarray,
    letters: np.ndarray,
    plate: np.ndarray,
    plate_opacity: float,
    letter_opacity: float,
) -> np.ndarray:
    """Lay a caption on a piece of a picture, (height, width, 3) float32 in grey levels."""
    dark = under + (plate_opacity * plate)[..., None] * (DARK - under)
    return dark + (letter_opacity * letters)[..., None] * (BRIGHT - dark)


@cache
def grain_roll(side: int) -> np.ndarray:
    """A long roll of grey noise (8 * side, side) to cut from; making noise for each picture is slow."""
    return np.random.default_rng(5).standard_normal((8 * side, side)).astype(np.float32)
