"""A learner's own pictures: a folder with a folder of pictures for each class."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor, nn

from course_utils.labs.lab import Lab, best_device
from course_utils.labs.photos import (
    DEVIATION,
    MEAN,
    SIDE,
    Scaling,
    find_feature_layers,
    fit_image,
    imagenet_model,
)

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def folder_lab(
    path: str | Path,
    model: str | nn.Module = "mobilenet_v2",
    preprocess: Callable[[np.ndarray], Tensor] | None = None,
    class_names: tuple[str, ...] | None = None,
    size: int = SIDE,
) -> Lab:
    """Pictures from `path/class_name/*.jpg` (or png, …), cut to a middle square and resized.

    A folder whose name is one of the model's classes gives its pictures that target ("Egyptian cat" or
    "egyptian_cat"). If there are as many folders as classes and the classes have no names, the folders in
    alphabetical order are the classes. The pictures of other folders get the class that the model answers.

    Args:
        path: the folder.
        model: name of a torchvision classifier trained on ImageNet, or any network of pictures.
        preprocess: images `(N, size, size, 3)` uint8 to the network's inputs. Default: ImageNet's scaling.
        class_names: names of the network's classes, for a network of your own.
        size: side of the pictures in pixels.

    Raises:
        ValueError: no such folder, no folders or no readable pictures in it, a wrong number of class names.
        TypeError: `model` is neither a name nor a network.
        LabUnavailable: the weights of the named classifier are neither cached nor reachable.
    """
    images, folders = read_folder(Path(path), size)
    if isinstance(model, str):
        network, class_names = imagenet_model(model)
    elif isinstance(model, nn.Module):
        network = model.to(best_device()).eval()
    else:
        raise TypeError(
            f"model is a torchvision classifier's name or a network, not a {type(model).__name__}"
        )
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    preprocess = preprocess or Scaling(MEAN, DEVIATION, device)
    first = preprocess(images[:1]).to(device)
    layers, layer = find_feature_layers(network, first)
    with torch.no_grad():
        n_classes = network(first).shape[1]
    distinct = sorted(set(folders))
    if class_names is None:
        fits = len(distinct) == n_classes
        class_names = tuple(distinct) if fits else tuple(f"class {i}" for i in range(n_classes))
    if len(class_names) != n_classes:
        raise ValueError(f"the network has {n_classes} classes, but there are {len(class_names)} class names")
    lab = Lab(
        name="folder",
        model=network,
        images=images,
        targets=torch.zeros(len(images), dtype=torch.long),
        class_names=tuple(class_names),
        preprocess=preprocess,
        layers=layers,
        layer=layer,
    )
    lab.targets.copy_(_targets(lab, folders))
    return lab


def read_folder(path: Path, size: int = SIDE) -> tuple[np.ndarray, list[str]]:
    """Read all pictures: `(N, size, size, 3)` uint8, and the name of the folder each is in.

    Files that cannot be read as a picture are skipped and named in one warning.

    Raises:
        ValueError: no such folder, or no readable picture in its folders.
    """
    if not path.is_dir():
        raise ValueError(f"there is no folder {path}")
    images, folders, unreadable = [], [], []
    for file in sorted(path.glob("*/*")):
        if not file.is_file() or file.name.startswith("."):
            continue
        try:
            if file.suffix.lower() not in ENDINGS:
                raise UnidentifiedImageError
            with Image.open(file) as image:
                images.append(fit_image(ImageOps.exif_transpose(image).convert("RGB"), size, size))
            folders.append(file.parent.name)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            unreadable.append(file.relative_to(path).as_posix())
    if unreadable:
        warnings.warn(f"skipped, not readable as pictures: {', '.join(unreadable)}", stacklevel=2)
    if not images:
        raise ValueError(f"no pictures in {path}: it needs a folder of jpg or png files for each class")
    return np.stack(images), folders


def _targets(lab: Lab, folders: list[str]) -> Tensor:
    indices: dict[str, int] = {}
    for index, name in enumerate(lab.class_names):
        indices.setdefault(_plain(name), index)
    targets = torch.tensor([indices.get(_plain(folder), -1) for folder in folders])
    if (targets < 0).any():
        targets = torch.where(targets < 0, torch.from_numpy(lab.predict(lab.images)).argmax(dim=1), targets)
    return targets


def _plain(name: str) -> str:
    return name.lower().replace("_", " ").strip()
