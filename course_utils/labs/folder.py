"""A learner's own pictures with classes: a folder for each class, or files named label_index.jpg."""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.labs.imagenet import (
    DEFAULT,
    DEVIATION,
    MEAN,
    SIDE,
    Classifier,
    find_feature_layers,
    imagenet_classifier,
)
from course_utils.labs.lab import Lab, Scaling, best_device
from course_utils.labs.pictures import read_pictures, visible

FLAT_NAME = re.compile(r"(.+)_\d+")  # Food-11: 3_120.jpg is picture 120 of class 3


def folder_lab(
    path: str | Path,
    model: str | nn.Module = DEFAULT,
    preprocess: Callable[[np.ndarray], Tensor] | None = None,
    class_names: tuple[str, ...] | None = None,
    size: int | None = None,
    per_class: int | None = None,
) -> Lab:
    """Pictures from `path/class_name/*.jpg` or `path/label_index.jpg`, cut to a middle square and resized.

    A label (a folder's name, or what stands before the last "_" of a file's) that is one of the model's
    classes gives its pictures that target: "Egyptian cat", "egyptian_cat" or "egyptian-cat". With a network
    of your own whose classes have no names, as many labels as classes are the classes, in order; labels that
    are numbers are the classes' numbers. The pictures of all other labels get the class that the model
    answers, and one warning says so.

    Args:
        path: the folder. Hidden folders and files in it are left out.
        model: "efficientnet_lite0", the name of another classifier of torchvision or timm, or any network of
            pictures (it is put into eval mode, and onto the GPU if there is one).
        preprocess: images `(N, size, size, 3)` uint8 to the network's inputs. Default: what the named model
            was trained with; ImageNet's mean and deviation for a network of your own.
        class_names: names of the network's classes, for a network of your own.
        size: side of the pictures in pixels. Default: the named model's, 224 for a network of your own.
        per_class: at most so many pictures of each label, the first ones. Default: all.

    Raises:
        ValueError: no such folder or classifier, no labels or no readable pictures in it, a wrong number of
            class names, a size that is not possible, or a network that does not take the pictures or does
            not return scores `(N, n_classes)` of two classes or more.
        TypeError: `model` is neither a name nor a network.
        LabUnavailable: the weights of the named classifier are neither on this computer nor reachable.
    """
    for option, value in (("size", size), ("per_class", per_class)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{option} is a whole number of 1 or more, not {value!r}")
    path = Path(path)
    labelled = labelled_files(path)
    if isinstance(model, str):
        if class_names is not None:
            raise ValueError(f"class_names: {model} has its own; leave them out")
        classifier = imagenet_classifier(model)
        images, labels = read_labelled(path, labelled, size or classifier.side, per_class)
        if preprocess is not None:
            classifier = replace(classifier, preprocess=preprocess)
        targets = _targets(classifier.class_names, labels)
    elif isinstance(model, nn.Module):
        images, labels = read_labelled(path, labelled, size or SIDE, per_class)
        modes = {module: module.training for module in model.modules()}
        try:
            classifier = _own_classifier(model.to(best_device()).eval(), preprocess, images[:1], class_names)
        except Exception:
            for module, training in modes.items():
                module.training = training
            raise
        names, n_classes = classifier.class_names, len(classifier.class_names)
        numbers = [int(label) if label.isdecimal() else n_classes for label in labels]
        if class_names is None and len(labelled) == n_classes and not _are_numbers(labelled, n_classes):
            classifier = replace(classifier, class_names=tuple(labelled))
            names = classifier.class_names
        targets = _targets(names, labels)
        if (targets < 0).all() and max(numbers) < n_classes:
            targets = torch.tensor(numbers)
    else:
        raise TypeError(f"model is a classifier's name or a network, not a {type(model).__name__}")
    answers = classifier.lab("folder", images, targets=None)
    unknown = targets < 0
    if unknown.any():
        _tell_unknown(sorted({label for label, no in zip(labels, unknown, strict=True) if no}), answers)
    answers.targets.copy_(torch.where(unknown, answers.targets, targets))
    return answers


def read_labelled(
    path: Path, labelled: Mapping[str, list[Path]], size: int = SIDE, per_class: int | None = None
) -> tuple[np.ndarray, list[str]]:
    """Read the pictures that `labelled_files` found: `(N, size, size, 3)` uint8, and the label of each.

    Files that cannot be read as a picture are skipped and named in one warning.

    Raises:
        ValueError: none of them can be read.
    """
    files = [file for members in labelled.values() for file in members[:per_class]]
    label_of = {file: label for label, members in labelled.items() for file in members}
    images, read = read_pictures(files, size, path)
    if not read:
        raise ValueError(f"path: none of the files in {path} is readable as a picture (jpg, png, …)")
    return images, [label_of[file] for file in read]


def labelled_files(path: Path) -> dict[str, list[Path]]:
    """Files by label, the labels in order (numbers as numbers); a folder without files is a label too.

    Raises:
        ValueError: no such folder, or nothing with a label in it.
    """
    if not path.is_dir():
        raise ValueError(f"path: there is no folder {path} (looked for in {Path.cwd()})")
    folders = [inside for inside in visible(path) if inside.is_dir()]
    labelled = {folder.name: [file for file in visible(folder) if file.is_file()] for folder in folders}
    if not any(labelled.values()):
        labelled, nameless = {}, []
        for file in visible(path):
            flat = FLAT_NAME.fullmatch(file.stem)
            if file.is_file() and flat:
                labelled.setdefault(flat[1], []).append(file)
            elif file.is_file():
                nameless.append(file.name)
        if labelled and nameless:
            warnings.warn(f"skipped, not named label_index.jpg: {', '.join(nameless)}", stacklevel=3)
    if not labelled:
        raise ValueError(
            f"path: no pictures with labels in {path}: it needs a folder of jpg or png files for each class, "
            f'or files named label_index.jpg; load_lab("photos", path=…) takes pictures without labels'
        )
    in_order = sorted(labelled, key=lambda label: (int(label) if label.isdecimal() else -1, label))
    return {label: labelled[label] for label in in_order}


def _own_classifier(
    network: nn.Module,
    preprocess: Callable[[np.ndarray], Tensor] | None,
    images: np.ndarray,
    class_names: tuple[str, ...] | None,
) -> Classifier:
    """A learner's network with what belongs to it, after one trial."""
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    preprocess = preprocess or Scaling(MEAN, DEVIATION, device)
    first = preprocess(images).to(device)
    try:
        with torch.no_grad():
            scores = network(first)
    except RuntimeError as error:
        raise ValueError(
            f"model: the network does not take the inputs {tuple(first.shape)} of {first.dtype}: give the "
            f"size and the preprocess that it was trained with, and a network in float32 ({error})"
        ) from error
    if not isinstance(scores, Tensor) or scores.ndim != 2:
        found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(
            f"model: the network must return scores of the shape (N, n_classes), not {found}: wrap it in a "
            "module that does"
        )
    n_classes = scores.shape[1]
    if n_classes < 2:
        raise ValueError(
            "model: the network returns one score, and a softmax over one is always 1: wrap it in a module "
            "that returns torch.cat([torch.zeros_like(score), score], dim=1), the scores of both classes"
        )
    names = tuple(class_names or (f"class {index}" for index in range(n_classes)))
    if len(names) != n_classes:
        raise ValueError(
            f"class_names: the network has {n_classes} classes, but there are {len(names)} class names"
        )
    layers, layer = find_feature_layers(network, first)
    return Classifier(network, names, preprocess, images.shape[1], layers, layer)


def _are_numbers(labels: Iterable[str], n_classes: int) -> bool:
    return all(label.isdecimal() and int(label) < n_classes for label in labels)


def _targets(class_names: tuple[str, ...], labels: list[str]) -> Tensor:
    """The class of each label, −1 where there is none of that name."""
    indices: dict[str, int] = {}
    for index, name in enumerate(class_names):
        indices.setdefault(_plain(name), index)
    return torch.tensor([indices.get(_plain(label), -1) for label in labels])


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().lower()


def _tell_unknown(labels: list[str], lab: Lab) -> None:
    told = []
    for label in labels:
        near = get_close_matches(_plain(label), map(_plain, lab.class_names), n=1, cutoff=0.8)
        told.append(f"{label} (did you mean {near[0]}?)" if near else label)
    warnings.warn(
        f"no class of the model is called {', '.join(told)}: the targets of these pictures are the model's "
        "own answers, so its accuracy on them says nothing",
        stacklevel=4,
    )
