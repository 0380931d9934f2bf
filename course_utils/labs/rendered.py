"""The labs of rendered pictures: scenes, and three with a planted shortcut. The course brings all of it.

Each lab has a stored bank of pictures, and draws as many new ones as asked for: `load_lab("scenes", seed=7)`.
The renderer's own seeds of new pictures begin at a thousand millions, far above those of the banks (2, 3), of
the training pictures (multiples of 1,000) and of the pictures for measuring (500, 600): so no new picture is
ever one of the bank, or one that a model was trained on.
"""

from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from course_utils.labs.files import listed_files, read_arrays, read_weights
from course_utils.labs.lab import HALF, Lab, Scaling, best_device, choose
from course_utils.labs.networks import resnet, zfnet

SCENE_MODELS = ("resnet", "zfnet", "zfnet_robust")
SHORTCUT_MODELS = ("shortcut", "clean")
CHECKPOINTS = "weights/zfnet-steps"


class Bank(NamedTuple):
    """Stored pictures of a lab: the file in `data/samples` and how many."""

    file: str
    n: int


BANKS = {  # by lab and number of objects
    ("scenes", 1): Bank("scenes", 100),
    ("scenes", 2): Bank("pairs", 60),
    ("watermark", 1): Bank("watermark", 60),
    ("wolves", 1): Bank("wolves", 60),
    ("monsters", 1): Bank("monsters", 60),
}
# where the renderer's seeds for new pictures of one and of two objects begin
FRESH_SEEDS = {1: 1_000_000_000, 2: 2_000_000_000}
N_SEEDS = 1_000_000_000


def scenes_lab(
    model: str = "resnet", n_objects: int = 1, seed: int | None = None, n: int | None = None
) -> Lab:
    """Ten kinds of drawn objects on textured grounds; 100 pictures of one object, or 60 of two.

    Args:
        model: "resnet", "zfnet", or "zfnet_robust", which was trained on adversarial examples as well.
        n_objects: 1, or 2; then `targets` is `(N, 2)` and `masks` is `(N, 2, H, W)`.
        seed: None takes the stored pictures. A number draws new ones, of the same kind, with the same truth;
            no seed gives a stored picture, or one that the models were trained on. Pictures of one object and
            of two have nothing in common.
        n: how many new pictures (about 200 a second); as many as are stored if left out.

    Raises:
        ValueError: unknown model or number of objects; a seed that is no whole number of 0 or more; n without
            a seed, or no whole number of 1 or more.
        DataFileError: a file is missing or altered.
    """
    choose("scenes", "model", model, SCENE_MODELS)
    choose("scenes", "n_objects", n_objects, (1, 2))
    bank = _bank("scenes", n_objects, seed, n)
    network = resnet(len(bank["class_names"])) if model == "resnet" else zfnet(len(bank["class_names"]))
    return _lab("scenes", model, network, bank)


def shortcut_lab(name: str, model: str = "shortcut", seed: int | None = None, n: int | None = None) -> Lab:
    """A lab with a planted shortcut: "watermark", "wolves" or "monsters".

    "watermark": 60 horses, all with the caption that no other class bears; the counterfactuals lack it.
    "wolves": 30 huskies on other grounds, 30 wolves on snow; the other way round in the counterfactuals.
    "monsters": 30 mellumps on black, 30 zacklings on white; the other way round in the counterfactuals.

    Args:
        name: one of the three.
        model: "shortcut" was trained on pictures like these, "clean" where the shortcut tells nothing.
        seed, n: new pictures instead of the stored ones, as in `scenes_lab`, counterfactuals included.

    Raises:
        ValueError: unknown model; `seed` or `n` as in `scenes_lab`.
        DataFileError: a file is missing or altered.
    """
    choose(name, "model", model, SHORTCUT_MODELS)
    bank = _bank(name, 1, seed, n)
    return _lab(name, model, resnet(len(bank["class_names"])), bank)


def render_bank(lab: str, n: int, seed: int, n_objects: int = 1) -> dict[str, np.ndarray]:
    """Render pictures with their truth, as the arrays of a bank; `seed` is the renderer's own."""
    from course_utils.drawing.scenes import CLASS_NAMES, MARKED_CLASS, PART_NAMES, render

    only = MARKED_CLASS if lab == "watermark" else None
    scenes = render(lab, n, seed, n_objects=n_objects, only=only)
    arrays = {
        "images": scenes.images,
        "targets": scenes.targets,
        "masks": scenes.masks,
        "parts": scenes.parts,
        "class_names": np.array(CLASS_NAMES[lab]),
        "part_names": np.array(PART_NAMES),
    }
    if lab != "scenes":
        swapped = render(lab, n, seed, shortcut="swapped", only=only)
        arrays["shortcut"] = scenes.shortcut
        # stored as the difference: nothing to store where both are alike
        arrays["difference"] = scenes.images ^ swapped.images
    return arrays


def _bank(lab: str, n_objects: int, seed: int | None, n: int | None) -> dict[str, np.ndarray]:
    """The stored pictures without a seed, new ones with it."""
    bank = BANKS[lab, n_objects]
    if seed is None:
        if n is not None:
            raise ValueError(f"n={n!r} needs a seed: load_lab({lab!r}, seed=7, n={n!r}) draws new pictures")
        return read_arrays(f"samples/{bank.file}.npz")
    n = bank.n if n is None else n
    for option, value, lowest in (("seed", seed, 0), ("n", n, 1)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not lowest <= value < N_SEEDS:
            raise ValueError(
                f"{option} is a whole number of {lowest} or more (below {N_SEEDS:,}), not {value!r}"
            )
    return render_bank(lab, int(n), FRESH_SEEDS[n_objects] + int(seed), n_objects)


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
