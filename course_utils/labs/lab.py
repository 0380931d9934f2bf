"""One interface to everything that a lesson explains.

    lab = load_lab("scenes")
    lab.model(lab.inputs), lab.targets, lab.class_names, lab.masks

The loaders are in the other modules, and imported only when a lab is asked for.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.batches import pictures_at_once

BATCH_SIZE = 128

# name: module of this package, function, arguments that are fixed
_LOADERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "scenes": ("rendered", "scenes_lab", {}),
    "watermark": ("rendered", "shortcut_lab", {"name": "watermark"}),
    "wolves": ("rendered", "shortcut_lab", {"name": "wolves"}),
    "monsters": ("rendered", "shortcut_lab", {"name": "monsters"}),
    "designed": ("designed", "designed_lab", {}),
    "detective": ("detective", "detective_lab", {}),
    "digits": ("digits", "digits_lab", {}),
    "tabular": ("tabular", "tabular_lab", {}),
    "text": ("text", "text_lab", {}),
    "masked_word": ("masked_word", "masked_word_lab", {}),
    "induction": ("induction", "induction_lab", {}),
    "photos": ("photos", "photos_lab", {}),
    "folder": ("folder", "folder_lab", {}),
}


class LabUnavailable(RuntimeError):
    """The lab needs something that is neither on this computer nor reachable; the message says what to do."""


@dataclass(frozen=True)
class Scaling:
    """RGB images to a network's inputs and back: (x / 255 − mean) / deviation, a value a channel."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    device: torch.device | str = "cpu"

    def __call__(self, images: np.ndarray) -> Tensor:
        """uint8 `(N, H, W, 3)` to float `(N, 3, H, W)` on the device."""
        check_images(images)
        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self.device)
        pixels = pixels.permute(0, 3, 1, 2).contiguous().float() / 255
        return (pixels - self._column(self.mean)) / self._column(self.deviation)

    def invert(self, inputs: Tensor) -> np.ndarray:
        """float `(N, 3, H, W)` to uint8 `(N, H, W, 3)`; values outside the range of images are clipped."""
        inputs = inputs.detach().float().to(self.device)
        pixels = inputs * self._column(self.deviation) + self._column(self.mean)
        levels = (pixels * 255).round().clamp(0, 255).to(torch.uint8)
        return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def _column(self, values: tuple[float, ...]) -> Tensor:
        return torch.tensor(values, device=self.device).view(1, -1, 1, 1)


def softmax(scores: Tensor) -> Tensor:
    """Scores `(N, n_classes)` of two classes or more to probabilities."""
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(
            f"the model returns scores {tuple(scores.shape)}, and a softmax needs (N, 2 or more): make two "
            "classes of one score, torch.cat([torch.zeros_like(score), score], dim=1)"
        )
    return scores.softmax(dim=1)


HALF = (0.5, 0.5, 0.5)  # Scaling(HALF, HALF) brings images to −1 … 1


@dataclass(frozen=True)
class Lab:
    """A model, pictures (or vectors) for it, and what is known about them. N pictures of H × W pixels.

    Attributes:
        name: as given to `load_lab`.
        model: classifier in eval mode, on CUDA if there is one: inputs to scores `(N, n_classes)`.
        images: `(N, H, W, 3)` uint8 RGB; in the labs of vectors `(N, d)` float32.
        targets: `(N,)` long, the class of each picture, or `(N, 2)` of its two objects; on the CPU.
        class_names: one a class.
        preprocess: images to inputs on the model's device, `(N, 3, H, W)` float.
        layers: layers worth looking at, shallow to deep, by a short name.
        layer: the last layer of feature maps, the one CAM uses; None if there is none.
        masks: `(N, H, W)` bool, where the object is, or `(N, 2, H, W)` for two objects; None if unknown.
        parts: `(N, H, W)` uint8, which part each pixel shows, an index into `part_names`; or None.
        part_names: names of the parts; 0 is the background.
        shortcut: `(N, H, W)` bool, where the planted shortcut is; or None.
        counterfactuals: the same pictures with the shortcut the other way round, like `images`; or None.
        attributions: the exact attributions, like `inputs`; None where nobody knows them.
        to_probabilities: what `predict` makes of scores.
    """

    name: str
    model: nn.Module
    images: np.ndarray
    targets: Tensor
    class_names: tuple[str, ...]
    preprocess: Callable[[np.ndarray], Tensor]
    layers: Mapping[str, nn.Module] = field(default_factory=dict)
    layer: nn.Module | None = None
    masks: Tensor | None = None
    parts: Tensor | None = None
    part_names: tuple[str, ...] = ()
    shortcut: Tensor | None = None
    counterfactuals: np.ndarray | None = None
    attributions: Tensor | None = None
    to_probabilities: Callable[[Tensor], Tensor] = softmax

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Lab({self.name!r}, {type(self.model).__name__}, images {self.images.shape})"

    @cached_property
    def inputs(self) -> Tensor:
        """The preprocessed images, on the model's device."""
        return self.preprocess(self.images).to(self.device)

    def questions(self, n: int | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """One question an object: each picture as often as it has objects, with a class and a mask for each.

        Args:
            n: only of the first n pictures; None: of all.

        Returns:
            inputs `(M, 3, H, W)`, classes `(M,)` long and masks `(M, H, W)` bool (None where the lab has
            none). M is the number of pictures times that of their objects; a picture's objects follow one
            another.

        Raises:
            ValueError: `n` is no whole number from 1 to the number of pictures.
        """
        if n is not None and (isinstance(n, bool) or n not in range(1, len(self) + 1)):
            raise ValueError(f"n is a whole number from 1 to {len(self)}, not {n!r}")
        inputs, targets = self.inputs[:n], self.targets[:n]
        masks = None if self.masks is None else self.masks[:n]
        if targets.ndim == 1:
            return inputs, targets, masks
        masks = None if masks is None else masks.flatten(0, 1)
        return inputs.repeat_interleave(targets.shape[1], dim=0), targets.flatten(), masks

    @property
    def device(self) -> torch.device:
        first = next(self.model.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    @torch.inference_mode()
    def predict(self, images: np.ndarray) -> np.ndarray:
        """Probabilities `(N, n_classes)` float32 of raw images like `self.images`, for black-box methods.

        Raises:
            ValueError: not a batch of images.
        """
        images = np.asarray(images)
        if images.ndim == 0:
            raise ValueError(f"images are a batch like lab.images, not {images.dtype} of no dimension")
        if len(images) == 0:
            return np.zeros((0, len(self.class_names)), np.float32)
        training = self.model.training
        self.model.eval()
        try:
            size = BATCH_SIZE
            if images.ndim == 4 and self.device.type == "cpu":
                size = pictures_at_once(max(images.shape[1] * images.shape[2], 1))
            batches = (images[start : start + size] for start in range(0, len(images), size))
            scores = [self._scores(self.preprocess(batch).to(self.device, self._dtype)) for batch in batches]
        finally:
            self.model.train(training)
        return self.to_probabilities(torch.cat(scores).float()).cpu().numpy()

    @property
    def _dtype(self) -> torch.dtype | None:
        """Of the model's first weights; None leaves the inputs as they are."""
        return next((p.dtype for p in self.model.parameters() if p.is_floating_point()), None)

    def _scores(self, inputs: Tensor) -> Tensor:
        """The model's scores; on a CPU convolutions are faster with the channels innermost."""
        if inputs.ndim == 4 and inputs.device.type == "cpu":
            try:
                return self.model(inputs.contiguous(memory_format=torch.channels_last))
            except RuntimeError:  # a model that flattens with `x.view(…)` cannot take that layout
                pass
        return self.model(inputs.contiguous())

    def to_images(self, inputs: Tensor) -> np.ndarray:
        """Inputs back to images, the inverse of `preprocess`.

        Raises:
            TypeError: the lab was made with a `preprocess` that cannot be inverted.
        """
        invert = getattr(self.preprocess, "invert", None)
        if invert is None:
            raise TypeError(
                "this preprocess has no method `invert`: inputs cannot be turned back into images"
            )
        return invert(inputs)


def lab_names() -> tuple[str, ...]:
    """Names that `load_lab` takes."""
    return tuple(_LOADERS)


def load_lab(name: str, **options: Any) -> Any:
    """Load a lab: a model with inputs and the truth about them.

    Args:
        name: one of `lab_names()`.
        options: depend on the lab. "scenes": model="resnet" | "zfnet" | "zfnet_robust", n_objects=1 | 2.
            "watermark", "wolves", "monsters": model="shortcut" | "clean". These four: seed=None, n=None (a
            seed draws n new pictures with their truth). "designed": network="linear" | ….
            "detective": seed=0. "induction": model="any_length" | "one_length". "photos": path=None,
            model="efficientnet_lite0" or another classifier, pairs=False, only=None. "folder": path, model.
            The module of each lab says more.

    Returns:
        A `Lab`; "text", "masked_word" and "tabular" return objects of their own with the same names in them,
        "induction" a tiny language model with its texts, "detective" a case with six labs in it.

    Raises:
        ValueError: unknown lab or option; the message names the valid ones.
        DataFileError: a file of the course is missing or altered.
        LabUnavailable: weights that the course does not ship are neither on this computer nor reachable.
    """
    if name not in _LOADERS:
        raise ValueError(f"there is no lab {name!r}: choose one of {', '.join(_LOADERS)}")
    module, function, fixed = _LOADERS[name]
    loader = getattr(import_module(f"course_utils.labs.{module}"), function)
    valid = [option for option in inspect.signature(loader).parameters if option not in fixed]
    for option in options:
        if option not in valid:
            raise ValueError(f"the lab {name!r} has no option {option!r}: it takes {', '.join(valid)}")
    return loader(**fixed, **options)


def choose(lab: str, option: str, value: object, valid: tuple) -> None:
    """Raise ValueError with the valid values unless `value` is one of them."""
    if value not in valid:
        choices = ", ".join(repr(choice) for choice in valid)
        raise ValueError(f"the lab {lab!r} has no {option}={value!r}: choose one of {choices}")


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def check_images(images: np.ndarray) -> None:
    """Raise ValueError unless `images` is a batch of RGB images `(N, H, W, 3)` uint8."""
    is_array = isinstance(images, np.ndarray)
    if not is_array or images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        found = f"{images.dtype} {images.shape}" if is_array else type(images).__name__
        raise ValueError(f"images are a NumPy array (N, H, W, 3) of uint8, RGB; this is {found}")
