"""What lessons 05 and 05b share: grids of scenes, a film, counted forward passes, a small transformer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.drawing.scenes import render_motion
from course_utils.labs.lab import Lab
from course_utils.methods.arguments import check_count


def make_grids(lab: Lab, n_grids: int, seed: int = 0) -> tuple[np.ndarray, Tensor, Tensor]:
    """Grids of two by two scenes of different classes, each of which the network is sure of (p > 0.9).

    Returns:
        Pictures (n, 2 H, 2 W, 3) uint8; targets (n, 4), row by row; the corners' masks (4, 2 H, 2 W).

    Raises:
        ValueError: scenes with several objects, fewer than four classes that are sure, or no whole number.
    """
    n_grids = check_count(n_grids, "n_grids")
    if lab.targets.ndim != 1:
        raise ValueError('a grid is made of scenes with one object each: take load_lab("scenes")')
    height, width = lab.images.shape[1:3]
    sure = lab.predict(lab.images)[np.arange(len(lab)), lab.targets.numpy()] > 0.9
    classes = len(set(lab.targets[sure].tolist()))
    if classes < 4:
        raise ValueError(
            f"a grid needs scenes of four classes with p > 0.9, and there are {classes}: take more"
        )
    generator = np.random.default_rng(seed)
    grids, targets = [], []
    while len(grids) < n_grids:
        four = generator.choice(np.flatnonzero(sure), 4, replace=False)
        if len(set(lab.targets[four].tolist())) == 4:
            a, b, c, d = lab.images[four]
            grids.append(np.vstack([np.hstack([a, b]), np.hstack([c, d])]))
            targets.append(lab.targets[four])
    corners = torch.zeros(4, 2 * height, 2 * width, dtype=torch.bool)
    for i in range(4):
        top, left = height * (i // 2), width * (i % 2)
        corners[i, top : top + height, left : left + width] = True
    return np.stack(grids), torch.stack(targets), corners


def forward_passes(model: nn.Module, run: Callable[[], object]) -> int:
    """How many pictures go through the model while `run()` runs."""
    counts = []
    handle = model.register_forward_pre_hook(lambda module, arguments: counts.append(len(arguments[0])))
    try:
        run()
    finally:
        handle.remove()
    return sum(counts)


def film_of(lab: Lab, seed: int = 4) -> tuple[np.ndarray, int]:
    """A drawn film of 24 frames (24, H, W, 3) and the class of the object that moves in it."""
    film = render_motion(24, seed=seed)
    return film.images, int(film.targets[0, 0])


def small_transformer() -> nn.Module:
    """torchvision's vision transformer, tiny, with random weights that do not depend on what ran before."""
    from torchvision.models import VisionTransformer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = {"num_layers": 3, "num_heads": 4, "hidden_dim": 64, "mlp_dim": 128, "num_classes": 10}
        vit = VisionTransformer(image_size=128, patch_size=16, **sizes).eval()
        nn.init.normal_(vit.heads.head.weight, std=0.1)  # torchvision starts it at zero: nothing to explain
    return vit
