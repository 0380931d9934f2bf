"""Real photographs, and any torchvision classifier trained on ImageNet.

The photographs come with scikit-image and scikit-learn. The weights are torchvision's: found in its cache
(`TORCH_HOME`, else `~/.cache/torch`), or downloaded there once.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from itertools import permutations
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from course_utils.labs.lab import Lab, LabUnavailable, Scaling, best_device

SIDE = 224
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's training pictures
TIMEOUT = 10  # seconds without an answer, then the network counts as unreachable
WEIGHTS = {"mobilenet_v2": "IMAGENET1K_V1"}  # of the course's figures; for other models torchvision's default


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
IN_PAIRS = ("chelsea", "coffee", "china", "cameraman")  # recognised in half a picture as well


def photos_lab(model: str = "mobilenet_v2", pairs: bool = False) -> Lab:
    """Photographs of 224×224 pixels and an ImageNet classifier.

    Args:
        model: name of a torchvision classification model.
        pairs: pictures of two photographs side by side instead: every ordered pair of four of them, N = 12.
            `targets` is `(N, 2)` for left and right, `masks` is `(N, 2, 224, 224)`, the halves.

    Raises:
        ValueError: torchvision has no such classifier.
        LabUnavailable: the weights are neither in the cache nor reachable.
    """
    network, class_names = imagenet_model(model)
    if pairs:
        chosen = [photo for photo in PHOTOGRAPHS if photo.name in IN_PAIRS]
        couples = list(permutations(chosen, 2))
        halves = {photo: fit_image(open_photograph(photo), SIDE // 2, SIDE) for photo in chosen}
        images = np.stack([np.concatenate([halves[left], halves[right]], axis=1) for left, right in couples])
        targets = torch.tensor([[left.target, right.target] for left, right in couples])
        masks = torch.zeros(len(couples), 2, SIDE, SIDE, dtype=torch.bool)
        masks[:, 0, :, : SIDE // 2] = True
        masks[:, 1, :, SIDE // 2 :] = True
    else:
        images = np.stack([fit_image(open_photograph(photograph), SIDE, SIDE) for photograph in PHOTOGRAPHS])
        targets = torch.tensor([photograph.target for photograph in PHOTOGRAPHS])
        masks = None
    return imagenet_lab("photos", network, class_names, images, targets, masks)


def imagenet_lab(
    name: str,
    network: nn.Module,
    class_names: tuple[str, ...],
    images: np.ndarray,
    targets: Tensor,
    masks: Tensor | None = None,
) -> Lab:
    """Put an ImageNet classifier and images together."""
    preprocess = Scaling(MEAN, DEVIATION, next(network.parameters()).device)
    layers, layer = find_feature_layers(network, preprocess(images[:1]))
    return Lab(
        name=name,
        model=network,
        images=images,
        targets=targets,
        class_names=class_names,
        preprocess=preprocess,
        layers=layers,
        layer=layer,
        masks=masks,
    )


def imagenet_model(name: str) -> tuple[nn.Module, tuple[str, ...]]:
    """Load a torchvision classifier in eval mode, on CUDA if there is one, and the names of its classes.

    Raises:
        ValueError: torchvision has no such classifier.
        LabUnavailable: the weights are neither in the cache nor reachable, or the cached file is unreadable.
    """
    from torchvision import models

    classifiers = models.list_models(module=models)
    if name not in classifiers:
        raise ValueError(f"torchvision has no classifier {name!r}; it has {', '.join(classifiers)}")
    available = models.get_model_weights(name)
    weights = available[WEIGHTS[name]] if name in WEIGHTS else available.DEFAULT
    cached = Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(weights.url).path).name)
    was_there = cached.exists()
    try:
        with _short_timeout(), redirect_stderr(StringIO()):  # torch announces the download there
            # fills the cache, and refuses a file that holds anything but weights; then the ordinary way
            weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
            network = models.get_model(name, weights=weights, progress=False)
    except Exception as error:  # what a broken file or network raises is not documented
        if was_there:
            what = (
                f"{cached} is there but cannot be read: delete it, then try again with an internet connection"
            )
        else:
            what = (
                f"the weights of {name} are not on this computer and could not be downloaded. Connect to the "
                f"internet once and try again, or put the file {cached.name} into the folder {cached.parent} "
                "(torchvision's cache; the environment variable TORCH_HOME moves it)"
            )
        raise LabUnavailable(what) from error
    network.to(best_device()).eval()
    return network, tuple(weights.meta["categories"])


def find_feature_layers(network: nn.Module, inputs: Tensor) -> tuple[dict[str, nn.Module], nn.Module | None]:
    """Find a network's layers of feature maps by running it once.

    Args:
        network: any classifier of pictures.
        inputs: one picture, `(1, C, H, W)`.

    Returns:
        The stages by dotted name, shallow to deep, and the layer for CAM: the outermost module around the
        last convolution with maps of its size. `({}, None)` if the network has no such maps.
    """
    sizes: dict[nn.Module, torch.Size] = {}

    def note(module: nn.Module, _: tuple, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
            sizes.pop(module, None)
            sizes[module] = output.shape[2:]

    handles = [module.register_forward_hook(note) for module in network.modules() if module is not network]
    try:
        with torch.no_grad():
            network(inputs)
    finally:
        for handle in handles:
            handle.remove()

    names = {module: name for name, module in network.named_modules() if module in sizes}
    convolutions = [module for module in sizes if isinstance(module, nn.Conv2d)]
    if not convolutions:
        return {}, None
    last = convolutions[-1]
    inside = f"{names[last]}."
    around = [m for m in names if inside.startswith(f"{names[m]}.") and sizes[m] == sizes[last]]
    layer = min(around, key=lambda module: len(names[module]))
    # the stages: the network's children with convolutions, or the links of one long chain like MobileNet's
    top = [(name, m) for name, m in network.named_children() if m in sizes and _convolves(m)]
    if len(top) == 1 and isinstance(top[0][1], nn.Sequential):
        chain, links = top[0]
        top = [(f"{chain}.{name}", m) for name, m in links.named_children() if m in sizes and _convolves(m)]
    return dict(top), layer


def _convolves(module: nn.Module) -> bool:
    return any(isinstance(part, nn.Conv2d) for part in module.modules())


def open_photograph(photograph: Photograph) -> Image.Image:
    """Open a photograph as RGB.

    Raises:
        LabUnavailable: the package came without it.
    """
    from importlib.util import find_spec

    spec = find_spec(photograph.package)
    path = Path(spec.origin).parent / photograph.file if spec and spec.origin else Path(photograph.file)
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except OSError as error:
        problem = f"{photograph.package} came without {photograph.file}: install it again"
        raise LabUnavailable(problem) from error


def fit_image(image: Image.Image, width: int, height: int) -> np.ndarray:
    """Cut the largest middle piece of the wanted shape out and resize it: `(height, width, 3)` uint8."""
    scale = min(image.width / width, image.height / height)
    cut_width, cut_height = scale * width, scale * height
    left, top = (image.width - cut_width) / 2, (image.height - cut_height) / 2
    box = (left, top, left + cut_width, top + cut_height)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, box=box))


@contextmanager
def _short_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
