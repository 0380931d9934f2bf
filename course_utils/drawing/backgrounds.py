"""Grounds for the scenes: photographs that come with scikit-image, tinted, and textures made of noise.

The textures are made once per process, a few of each kind, and pictures are cut out of them.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image
from skimage import data

from course_utils.drawing.board import hsv

TEXTURE_SIDE = 256
VARIANTS = 4  # textures of each kind
BRIGHTNESS = (0.7, 1.15)  # range of a ground's exposure
SNOW_BRIGHTNESS = (0.85, 1.1)  # darker snow would be grey paper
TINT = (0.92, 1.08)  # range of each colour channel on top of it

Endpoints = tuple[tuple[int, int, int], tuple[int, int, int]]


def _cloud_noise(rng: np.random.Generator, roughness: float) -> np.ndarray:
    """(side, side) smooth noise, mean 0, deviation 1, with a 1/f^roughness spectrum; it tiles."""
    side = TEXTURE_SIDE
    spectrum = np.fft.rfft2(rng.standard_normal((side, side)))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1
    spectrum /= frequency**roughness
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (side, side))
    return noise / noise.std()


def _grain(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((TEXTURE_SIDE, TEXTURE_SIDE))


def _blend(amount: np.ndarray, endpoints: Endpoints) -> np.ndarray:
    """Colours between two endpoints: (side, side) in [0, 1] to (side, side, 3)."""
    low, high = np.asarray(endpoints, float)
    return low + np.clip(amount, 0, 1)[..., None] * (high - low)


@cache
def _photo(name: str) -> np.ndarray:
    return getattr(data, name)()


def _photo_crop(name: str, rng: np.random.Generator) -> np.ndarray:
    """A square piece of a grey photograph as (side, side) in [0, 1]."""
    photo = _photo(name)
    piece = int(TEXTURE_SIDE * rng.uniform(1.0, 1.9))
    top, left = (int(rng.integers(0, length - piece + 1)) for length in photo.shape)
    crop = Image.fromarray(photo[top : top + piece, left : left + piece])
    return np.asarray(crop.resize((TEXTURE_SIDE, TEXTURE_SIDE), Image.Resampling.BILINEAR)) / 255


def _ripples(rng: np.random.Generator, wavelength: float, wobble: float) -> np.ndarray:
    """Wavy horizontal lines in [-1, 1]; `wavelength` in pixels over 2π."""
    rows = np.arange(TEXTURE_SIDE)[:, None]
    return np.sin(rows / wavelength + wobble * _cloud_noise(rng, 2.1))


def _grass(rng: np.random.Generator) -> np.ndarray:
    blades = 1.1 * _photo_crop("grass", rng) + 0.1 * _cloud_noise(rng, 1.8)
    return _blend(blades, ((20, 52, 16), (152, 192, 84)))


def _autumn_meadow(rng: np.random.Generator) -> np.ndarray:
    blades = 1.1 * _photo_crop("grass", rng) + 0.1 * _cloud_noise(rng, 1.8)
    return _blend(blades, ((62, 34, 14), (224, 172, 84)))


def _gravel(rng: np.random.Generator) -> np.ndarray:
    return _blend(_photo_crop("gravel", rng), ((46, 42, 40), (190, 182, 172)))


def _brick(rng: np.random.Generator) -> np.ndarray:
    return _blend(1.3 * _photo_crop("brick", rng) - 0.2, ((96, 40, 30), (206, 132, 102)))


def _fur(rng: np.random.Generator) -> np.ndarray:
    cat = _photo("chelsea")
    top, left, piece = rng.integers(160, 190), rng.integers(50, 90), rng.integers(100, 120)
    crop = Image.fromarray(cat[top : top + piece, left : left + piece])
    return np.asarray(crop.resize((TEXTURE_SIDE, TEXTURE_SIDE), Image.Resampling.BICUBIC)).astype(float)


def _sky(rng: np.random.Generator) -> np.ndarray:
    height = np.linspace(-0.2, 0.2, TEXTURE_SIDE)[:, None]
    return _blend(0.45 + 0.42 * _cloud_noise(rng, 2.0) + height, ((72, 132, 206), (238, 243, 250)))


def _sand(rng: np.random.Generator) -> np.ndarray:
    dunes = 0.12 * _cloud_noise(rng, 1.6) + 0.1 * _ripples(rng, 5, 2) + 0.06 * _grain(rng)
    return _blend(0.5 + dunes, ((150, 116, 70), (240, 216, 166)))


def _snow(rng: np.random.Generator) -> np.ndarray:
    drifts = 0.13 * _cloud_noise(rng, 2.0) + 0.05 * _grain(rng)
    snow = _blend(0.8 + drifts, ((138, 164, 198), (255, 255, 255)))
    sparkle = rng.random((TEXTURE_SIDE, TEXTURE_SIDE)) > 0.996
    snow[sparkle] = 255
    return snow


def _water(rng: np.random.Generator) -> np.ndarray:
    waves = 0.22 * _ripples(rng, rng.uniform(2.5, 5), 2.5) + 0.12 * _cloud_noise(rng, 1.6)
    return _blend(0.5 + waves, ((16, 72, 112), (122, 196, 216)))


def _wood(rng: np.random.Generator) -> np.ndarray:
    rings = _ripples(rng, rng.uniform(5, 9), 1.5).T
    streaks = np.repeat(rng.standard_normal((1, TEXTURE_SIDE)), TEXTURE_SIDE, axis=0)
    return _blend(0.5 + 0.25 * rings + 0.06 * streaks, ((86, 52, 26), (190, 136, 86)))


def _night(rng: np.random.Generator) -> np.ndarray:
    night = _blend(0.3 + 0.2 * _cloud_noise(rng, 2.0), ((8, 10, 30), (70, 52, 100)))
    stars = rng.random((TEXTURE_SIDE, TEXTURE_SIDE)) > 0.997
    night[stars] = 250
    return night


def _paper(rng: np.random.Generator) -> np.ndarray:
    """A plain colour that runs softly into its neighbour."""
    hue, saturation, value = rng.random(), rng.uniform(0.05, 0.5), rng.uniform(0.55, 1.0)
    ends = (hsv(hue, saturation, 0.8 * value), hsv(hue + rng.uniform(-0.1, 0.1), saturation, value))
    slope = np.linspace(0, 1, TEXTURE_SIDE)
    return _blend(0.7 * slope[:, None] + 0.3 * slope + 0.02 * _cloud_noise(rng, 1.0), ends)


_MAKERS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "grass": _grass,
    "autumn meadow": _autumn_meadow,
    "gravel": _gravel,
    "brick": _brick,
    "fur": _fur,
    "sky": _sky,
    "sand": _sand,
    "snow": _snow,
    "water": _water,
    "wood": _wood,
    "night": _night,
    "paper": _paper,
}

GROUNDS = tuple(_MAKERS)
SNOW = "snow"
SUMMER_GROUNDS = ("grass", "grass", "grass", "autumn meadow", "gravel", "brick", "sand")


@cache
def textures(kind: str) -> tuple[np.ndarray, ...]:
    """The textures of one kind: `VARIANTS` arrays (256, 256, 3) uint8."""
    rng = np.random.default_rng([17, GROUNDS.index(kind)])
    return tuple(np.clip(_MAKERS[kind](rng), 0, 255).astype(np.uint8) for _ in range(VARIANTS))


def ground(kind: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """A (size, size, 3) float32 piece of ground, 0 to 255 and a little beyond where it is bright."""
    texture = textures(kind)[rng.integers(VARIANTS)]
    top, left = rng.integers(0, TEXTURE_SIDE - size + 1, 2)
    piece = texture[top : top + size, left : left + size]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    brightness = BRIGHTNESS if kind != SNOW else SNOW_BRIGHTNESS
    exposure = rng.uniform(*brightness) * rng.uniform(*TINT, 3)
    return piece * exposure.astype(np.float32)


def plain_colour(rng: np.random.Generator) -> tuple[int, int, int]:
    """Black, white, a grey or any other colour."""
    kind = rng.choice(["black", "white", "grey", "hue"], p=[0.2, 0.2, 0.2, 0.4])
    if kind == "black":
        return 0, 0, 0
    if kind == "white":
        return 255, 255, 255
    return hsv(rng.random(), 0.0 if kind == "grey" else rng.uniform(0.2, 0.9), rng.uniform(0.15, 0.95))
