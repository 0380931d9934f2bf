"""Real photographs, and a real ImageNet classifier.

The photographs come with scikit-image, scikit-learn and matplotlib, the network and its weights with packages
too (`labs/imagenet.py`): nothing is downloaded. A learner's own pictures take their place by `path`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from course_utils.labs.imagenet import DEFAULT, imagenet_classifier
from course_utils.labs.lab import Lab, LabUnavailable
from course_utils.labs.pictures import fit_image, read_picture, read_pictures, visible
from course_utils.labs.video import is_film, read_frames


@dataclass(frozen=True)
class Photograph:
    """A photograph that an installed package brings along, and the ImageNet class that fits it best."""

    name: str
    package: str
    file: str
    target: int


# ImageNet has no space rocket but a "missile", no dahlia but a "daisy", no cameraman but his "tripod", no
# motorcycle but a "moped", no pavilion but a "palace". A model may well answer otherwise: see `lab.predict`.
PHOTOGRAPHS = (
    Photograph("chelsea", "skimage", "data/chelsea.png", 285),  # Egyptian cat
    Photograph("coffee", "skimage", "data/coffee.png", 967),  # espresso
    Photograph("china", "sklearn", "datasets/images/china.jpg", 698),  # palace
    Photograph("cameraman", "skimage", "data/camera.png", 872),  # tripod
    Photograph("motorcycle", "skimage", "data/motorcycle_left.png", 665),  # moped
    Photograph("rocket", "skimage", "data/rocket.jpg", 657),  # missile
    Photograph("flower", "sklearn", "datasets/images/flower.jpg", 985),  # daisy
)
# only when asked for by name; 652 is "military uniform", the nearest that there is to the first
MORE_PHOTOGRAPHS = (
    Photograph("astronaut", "skimage", "data/astronaut.png", 652),  # answered: bobsled
    Photograph("horse", "skimage", "data/horse.png", 339),  # sorrel; it is a black silhouette
    Photograph(
        "grace_hopper", "matplotlib", "mpl-data/sample_data/grace_hopper.jpg", 652
    ),  # military uniform
)
IN_PAIRS = ("chelsea", "coffee", "china", "cameraman")  # recognised in half a picture as well


def photos_lab(
    path: str | Path | None = None,
    model: str = DEFAULT,
    pairs: bool = False,
    only: str | Sequence[str] | None = None,
) -> Lab:
    """Photographs and an ImageNet classifier; pictures of 224×224 pixels with the default model.

    Args:
        path: a picture, a folder of pictures (without folders of classes: those are the lab "folder"), or a
            video or moving GIF, of which 24 frames are taken; the targets are then the model's own answers.
            None: the course's seven photographs.
        model: "efficientnet_lite0", or the name of another classifier, of torchvision or timm. Only the first
            is on every computer.
        pairs: pictures of two photographs side by side instead: every ordered pair of four of them, N = 12.
            `targets` is `(N, 2)` for left and right, `masks` is `(N, 2, 224, 224)`, the halves.
        only: the name of one of the course's photographs, or several. Beside the seven (chelsea, coffee,
            china, cameraman, motorcycle, rocket, flower) it takes "astronaut", "horse" and "grace_hopper".

    Raises:
        ValueError: no such classifier, file, folder or photograph, no readable picture, or `path`, `pairs`
            and `only` together.
        LabUnavailable: the weights are neither on this computer nor reachable, or nothing here reads videos.
    """
    if (path is not None) + bool(pairs) + (only is not None) > 1:
        raise ValueError("path, pairs and only exclude each other: give one of them")
    chosen = _chosen(only)
    if path is not None:
        check_place(Path(path))  # before the network is loaded
    classifier = imagenet_classifier(model)
    side = classifier.side
    if path is not None:
        return classifier.lab("photos", read_place(Path(path), side), targets=None)
    if not pairs:
        images = np.stack([fit_image(open_photograph(photograph), side, side) for photograph in chosen])
        return classifier.lab("photos", images, torch.tensor([photograph.target for photograph in chosen]))
    chosen = [photograph for photograph in chosen if photograph.name in IN_PAIRS]
    couples = list(permutations(chosen, 2))
    halves = {photograph: fit_image(open_photograph(photograph), side // 2, side) for photograph in chosen}
    images = np.stack([np.concatenate([halves[left], halves[right]], axis=1) for left, right in couples])
    targets = torch.tensor([[left.target, right.target] for left, right in couples])
    masks = torch.zeros(len(couples), 2, side, side, dtype=torch.bool)
    masks[:, 0, :, : side // 2] = True
    masks[:, 1, :, side // 2 :] = True
    return classifier.lab("photos", images, targets, masks)


def top_answers(lab: Lab, images: np.ndarray, k: int = 5) -> list[list[tuple[str, float]]]:
    """A model's most probable classes for each image, most probable first.

    Args:
        lab: a lab of pictures.
        images: `(N, H, W, 3)` uint8, like `lab.images`.
        k: how many classes.

    Returns:
        A list for each image of k pairs (class name, probability).

    Raises:
        ValueError: not a batch of images, or `k` is not from 1 to the number of classes.
    """
    best, probabilities = top_classes(lab, images, k)
    return [
        [(lab.class_names[index], value) for index, value in zip(indices, values, strict=True)]
        for indices, values in zip(best.tolist(), probabilities.tolist(), strict=True)
    ]


def top_classes(lab: Lab, images: np.ndarray, k: int = 5) -> tuple[Tensor, Tensor]:
    """The indices of a model's most probable classes, most probable first, and their probabilities.

    Take these for `target`: an index is one class, a name may stand twice (some lists of ImageNet's classes
    have two cranes, the bird and the machine).

    Args, Raises: as `top_answers`.

    Returns:
        `(N, k)` long and `(N, k)` float, on the CPU.
    """
    if isinstance(k, bool) or k not in range(1, len(lab.class_names) + 1):
        raise ValueError(f"k is a whole number from 1 to {len(lab.class_names)}, not {k!r}")
    probabilities = lab.predict(images)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return torch.from_numpy(best), torch.from_numpy(np.take_along_axis(probabilities, best, axis=1))


def open_photograph(photograph: Photograph) -> Image.Image:
    """Open a photograph as RGB.

    Raises:
        LabUnavailable: the package came without it.
    """
    spec = find_spec(photograph.package)
    path = Path(spec.origin).parent / photograph.file if spec and spec.origin else Path(photograph.file)
    try:
        return read_picture(path)
    except OSError as error:
        problem = f"{photograph.package} came without {photograph.file}: install it again"
        raise LabUnavailable(problem) from error


def check_place(path: Path) -> None:
    """Raise ValueError unless `path` is a file or a folder with files in it."""
    if not path.exists():
        raise ValueError(
            f"path: there is no file or folder {path} (looked for in {Path.cwd()}); give a picture, a folder "
            "of pictures, or path=None for the course's photographs"
        )
    if path.is_dir() and not any(file.is_file() for file in visible(path)):
        nested = any(inside.is_dir() for inside in visible(path))
        remedy = (
            f'with a folder for each class take load_lab("folder", path="{path.as_posix()}")'
            if nested
            else "put jpg or png files into it"
        )
        raise ValueError(f"path: there are no pictures in the folder {path}: {remedy}")


def read_place(path: Path, side: int) -> np.ndarray:
    """Read one picture, the frames of a film, or all pictures right in a folder: `(N, side, side, 3)` uint8.

    Files in a folder that are no pictures are skipped and named in one warning; hidden ones silently.

    Raises:
        ValueError: nothing there that can be read as a picture.
    """
    if path.is_dir():
        files = [file for file in visible(path) if file.is_file()]
        images, _ = read_pictures(files, side, path)
        if not len(images):
            raise ValueError(f"path: none of the files in {path} is readable as a picture (jpg, png, …)")
        return images
    if is_film(path):
        return read_frames(path, size=side)
    try:
        return fit_image(read_picture(path), side, side)[None]
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"path: {path} is not readable as a picture: {error}") from error


def _chosen(only: str | Sequence[str] | None) -> list[Photograph]:
    known = {photograph.name: photograph for photograph in (*PHOTOGRAPHS, *MORE_PHOTOGRAPHS)}
    if only is None:
        return list(PHOTOGRAPHS)
    names = [only] if isinstance(only, str) else list(only)
    wrong = [name for name in names if name not in known]
    if wrong or not names:
        raise ValueError(
            f"only: there is no photograph {wrong[0]!r}: choose from {', '.join(known)}"
            if wrong
            else f"only is empty: choose from {', '.join(known)}"
        )
    return [known[name] for name in names]
