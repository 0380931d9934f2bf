"""Picture files to arrays: every mode that Pillow reads becomes RGB, or is refused by name."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

ENDINGS = {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
PAPER = (255, 255, 255)  # what stands behind transparent pixels
# what Pillow raises for files that it cannot read
_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def read_picture(path: Path) -> Image.Image:
    """Read a picture as RGB, the right way up.

    16-bit greys are brought to 8 bits, transparent pixels get a white ground, CMYK and palettes are
    converted; of an animation it is the first frame.

    Raises:
        OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError: not readable as a picture, or
            its pixels have no agreed range (32-bit numbers) or no conversion to RGB.
    """
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith(("I", "F")):
            return _from_numbers(np.asarray(image)).convert("RGB")
        if image.has_transparency_data:
            image = image.convert("RGBA")
            paper = Image.new("RGBA", image.size, (*PAPER, 255))
            return Image.alpha_composite(paper, image).convert("RGB")
        return image.convert("RGB")


def _from_numbers(values: np.ndarray) -> Image.Image:
    """A grey picture of 16 bits; wider numbers only if they keep to that range."""
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its pixels are {values.dtype}: save it with 8 or 16 bits a pixel")
    return Image.fromarray((values.astype(np.uint32) // 257).astype(np.uint8))


def read_pictures(files: Sequence[Path], size: int, above: Path) -> tuple[np.ndarray, list[Path]]:
    """Read pictures, cut to a middle square and resized.

    What is not readable as a picture is left out, and named in one warning.

    Args:
        files: the files.
        size: side of the pictures in pixels.
        above: folder that the names in the warning start from.

    Returns:
        `(N, size, size, 3)` uint8, and the N files that were read; N may be 0.
    """
    images, read, skipped = [], [], []
    for file in files:
        try:
            if file.suffix.lower() not in ENDINGS:
                raise ValueError("not a picture's ending")
            images.append(fit_image(read_picture(file), size, size))
            read.append(file)
        except _UNREADABLE:
            skipped.append(file.relative_to(above).as_posix())
    if skipped:
        warnings.warn(f"skipped, not readable as pictures: {', '.join(skipped)}", stacklevel=3)
    return np.stack(images) if images else np.zeros((0, size, size, 3), np.uint8), read


def visible(folder: Path) -> list[Path]:
    """What is in a folder, in order of names, without hidden files and folders (checkpoints, thumbnails)."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def fit_image(image: Image.Image, width: int, height: int) -> np.ndarray:
    """Cut the largest middle piece of the wanted shape out and resize it: `(height, width, 3)` uint8."""
    scale = min(image.width / width, image.height / height)
    cut_width, cut_height = scale * width, scale * height
    left, top = (image.width - cut_width) / 2, (image.height - cut_height) / 2
    box = (left, top, left + cut_width, top + cut_height)
    return np.array(image.resize((width, height), Image.Resampling.BICUBIC, box=box))
