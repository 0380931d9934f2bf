"""Frames of a video file as pictures: what a learner's computer can read, or which package to install."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from course_utils.labs.lab import LabUnavailable
from course_utils.labs.pictures import fit_image

FILMS = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ogv"}
MOVING = {".gif", ".webp", ".png", ".apng"}  # pictures that may move: Pillow reads them


def read_frames(
    path: str | Path, every: int | None = None, at_most: int = 24, size: int | None = None
) -> np.ndarray:
    """Frames of a video or of a moving picture (GIF), in order.

    Args:
        path: the file, of a kind that Pillow (GIF, WebP, PNG) or an installed video reader knows: OpenCV,
            which comes with the course, else imageio with PyAV or FFmpeg.
        every: 5 takes every fifth frame from the first on. None: spread `at_most` frames over the whole film.
        at_most: stop after so many frames.
        size: cut each to a middle square of so many pixels a side. None: as large as they are.

    Returns:
        `(N, H, W, 3)` uint8 in RGB, 1 ≤ N ≤ `at_most`.

    Raises:
        ValueError: no such file, nothing in it that can be read as frames, or a number that is not whole and
            ≥ 1.
        LabUnavailable: a video, and nothing on this computer that reads videos.
    """
    counts = {"every": every, "at_most": at_most, "size": size}
    for name, value in counts.items():
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 1
        if not whole and not (value is None and name != "at_most"):
            raise ValueError(f"{name} must be a whole number ≥ 1, not {value!r}")
    path = Path(path)
    if path.is_dir():
        raise ValueError(
            f'path: {path} is a folder, not a film; load_lab("photos", path=…) reads its pictures'
        )
    if not path.is_file():
        raise ValueError(f"path: there is no file {path} (looked for in {Path.cwd()})")
    kept: list[np.ndarray] = []
    step = every or 1
    try:
        for number, frame in enumerate(_frames(path)):
            if number % step:
                continue
            if len(kept) == at_most and every:
                break
            if len(kept) == 2 * at_most:  # so long a film: half of the frames will do
                kept, step = kept[::2], 2 * step
                if number % step:
                    continue
            kept.append(frame if size is None else fit_image(Image.fromarray(frame), size, size))
    except (OSError, RuntimeError, ValueError, SyntaxError) as error:
        if isinstance(error, LabUnavailable):
            raise
        raise ValueError(f"path: the frames of {path} cannot be read: {error}") from error
    if not kept:
        raise ValueError(f"path: there are no frames in {path} that can be read: is it a whole video?")
    if len(kept) > at_most:
        kept = [kept[i] for i in np.linspace(0, len(kept) - 1, at_most).round().astype(int)]
    return np.stack(kept)


def is_film(path: Path) -> bool:
    """Whether a file is a video by its ending, or a picture that moves."""
    if path.suffix.lower() in FILMS:
        return True
    if path.suffix.lower() not in MOVING:
        return False
    try:
        with Image.open(path) as image:
            return getattr(image, "n_frames", 1) > 1
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _frames(path: Path) -> Iterator[np.ndarray]:
    """All frames, `(H, W, 3)` uint8, one after the other."""
    if path.suffix.lower() in MOVING:
        with Image.open(path) as image:
            for frame in ImageSequence.Iterator(image):
                shown = frame.convert("RGBA")  # transparent parts stand on white
                yield np.asarray(Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown))[
                    ..., :3
                ]
    elif find_spec("cv2"):
        yield from _by_opencv(path)
    elif find_spec("av") or find_spec("imageio_ffmpeg"):
        import imageio.v3 as imageio

        for frame in imageio.imiter(path):
            yield np.asarray(frame)[..., :3]
    else:
        raise LabUnavailable(
            f"no package on this computer reads videos such as {path.name}: run  pip install "
            "opencv-python-headless  (or imageio[pyav]) and restart the kernel, or save the film as GIF"
        )


def _by_opencv(path: Path) -> Iterator[np.ndarray]:
    import cv2

    film = cv2.VideoCapture(str(path))
    try:
        while True:
            there, frame = film.read()
            if not there:
                return
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        film.release()
