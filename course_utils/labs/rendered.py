"""The labs of rendered pictures: scenes, and three with a planted shortcut. The course brings all of it."""

from pathlib import PurePosixPath

import numpy as np
import torch
from torch import nn

from course_utils.labs.files import listed_files, read_arrays, read_weights
from course_utils.labs.lab import HALF, Lab, Scaling, best_device, choose
from course_utils.labs.networks import resnet, zfnet

SCENE_MODELS = ("resnet", "zfnet", "zfnet_robust")
SHORTCUT_MODELS = ("shortcut", "clean")
CHECKPOINTS = "weights/zfnet-steps"


def scenes_lab(model: str = "resnet", n_objects: int = 1) -> Lab:
    """Ten kinds of drawn objects on textured grounds; 100 pictures of one object, or 60 of two.

    Args:
        model: "resnet", "zfnet", or "zfnet_robust", which was trained on adversarial examples as well.
        n_objects: 1, or 2; then `targets` is `(N, 2)` and `masks` is `(N, 2, H, W)`.

    Raises:
        ValueError: unknown model or number of objects.
        DataFileError: a file is missing or altered.
    """
    choose("scenes", "model", model, SCENE_MODELS)
    choose("scenes", "n_objects", n_objects, (1, 2))
    bank = read_arrays(f"samples/{'scenes' if n_objects == 1 else 'pairs'}.npz")
    network = resnet(len(bank["class_names"])) if model == "resnet" else zfnet(len(bank["class_names"]))
    return _lab("scenes", model, network, bank)


def shortcut_lab(name: str, model: str = "shortcut") -> Lab:
    """A lab with a planted shortcut: "watermark", "wolves" or "monsters".

    "watermark": 60 horses, all with the caption that no other class bears; the counterfactuals lack it.
    "wolves": 30 huskies on other grounds, 30 wolves on snow; the other way round in the counterfactuals.
    "monsters": 30 mellumps on black, 30 zacklings on white; the other way round in the counterfactuals.

    Args:
        name: one of the three.
        model: "shortcut" was trained on pictures like these, "clean" where the shortcut tells nothing.

    Raises:
        ValueError: unknown model.
        DataFileError: a file is missing or altered.
    """
    choose(name, "model", model, SHORTCUT_MODELS)
    bank = read_arrays(f"samples/{name}.npz")
    return _lab(name, model, resnet(len(bank["class_names"])), bank)


def zfnet_checkpoints() -> dict[int, nn.Module]:
    """The network of `load_lab("scenes", model="zfnet")` at several moments of its training.

    Returns:
        Networks in eval mode by the number of training steps (of 64 pictures each), ascending; the last one
        is the trained network.

    Raises:
        DataFileError: a file is missing or altered.
    """
    networks = {}
    for name in listed_files(CHECKPOINTS):
        network = zfnet()
        network.load_state_dict(read_weights(name))
        networks[int(PurePosixPath(name).stem)] = network.to(best_device()).eval()
    return dict(sorted(networks.items()))


def _lab(name: str, model: str, network: nn.Module, bank: dict[str, np.ndarray]) -> Lab:
    network.load_state_dict(read_weights(f"weights/{name}-{model}.safetensors"))
    device = best_device()
    network.to(device).eval()
    shortcut = bank.get("shortcut")
    difference = bank.get("difference")
    return Lab(
        name=name,
        model=network,
        images=bank["images"],
        targets=torch.from_numpy(bank["targets"]),
        class_names=tuple(map(str, bank["class_names"])),
        preprocess=Scaling(HALF, HALF, device),
        layers=_layers(network),
        layer=network.relu5 if isinstance(network, nn.Sequential) else network.layer4,
        masks=torch.from_numpy(bank["masks"]),
        parts=torch.from_numpy(bank["parts"]),
        part_names=tuple(map(str, bank["part_names"])),
        shortcut=None if shortcut is None else torch.from_numpy(shortcut),
        counterfactuals=None if difference is None else bank["images"] ^ difference,
    )


def _layers(network: nn.Module) -> dict[str, nn.Module]:
    names = ("stem", "layer1", "layer2", "layer3", "layer4")
    if isinstance(network, nn.Sequential):
        names = ("conv1", "conv2", "conv3", "conv4", "conv5")
    return {name: getattr(network, name) for name in names}
