"""What lessons 03 and 03b share: a new linear head on pooled features."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils.methods.arguments import (
    check_count,
    check_finite,
    check_pictures,
    check_range,
    check_target,
)
from course_utils.methods.hooks import evaluation


@torch.no_grad()
def pooled_features(trunk: nn.Module, inputs: Tensor, batch_size: int = 100) -> Tensor:
    """The means (N, K) of the feature maps that `trunk` makes of pictures (N, C, H, W).

    Raises:
        ValueError: pictures that are not (N, C, H, W) or not finite; a trunk that gives no feature maps.
        TypeError: `inputs` is not a float tensor.
    """
    check_pictures(inputs)
    check_count(batch_size, "batch_size")
    means = []
    with evaluation(trunk) if isinstance(trunk, nn.Module) else nullcontext():
        for part in inputs.split(batch_size):
            maps = trunk(part)
            if not isinstance(maps, Tensor) or maps.ndim != 4:
                form = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
                raise ValueError(
                    f"the trunk must end with feature maps (N, K, h, w), not {form}: cut before the pooling"
                )
            means.append(maps.mean(dim=(2, 3)))
    return torch.cat(means)


def train_head(features: Tensor, targets: Tensor, n_classes: int = 10, steps: int = 400) -> nn.Linear:
    """A linear layer trained on pooled features (N, K) for targets (N,).

    The features are standardised for the training, and the layer that is returned does the same on raw ones.
    A feature that is the same for all pictures teaches nothing: its weights are zero.

    Raises:
        ValueError: features that are not (N, K) or not finite, fewer than two rows, a target out of range.
        TypeError: features are not a float tensor, targets not whole numbers.
    """
    if not isinstance(features, Tensor) or features.ndim != 2 or len(features) < 2:
        raise ValueError("features must be pooled feature maps (N, K) of at least two pictures")
    if not features.is_floating_point():
        raise TypeError(f"features must be a float tensor, not {features.dtype}: use features.float()")
    features = check_finite(features, "features").detach()
    targets = check_target(targets, features, "targets")
    check_range(targets, check_count(n_classes, "n_classes"), "targets")
    check_count(steps, "steps")
    mean, std = features.mean(dim=0), features.std(dim=0) + 1e-6
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers are left alone
        torch.manual_seed(0)
        head = nn.Linear(features.shape[1], n_classes).to(features)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05, weight_decay=1e-4)
    for _ in tqdm(range(steps), desc="training the head", leave=False):
        optimizer.zero_grad()
        F.cross_entropy(head((features - mean) / std), targets).backward()
        optimizer.step()
    with torch.no_grad():
        head.weight[:, (features == features[0]).all(dim=0)] = 0
        head.bias -= head.weight @ (mean / std)
        head.weight /= std
    return head
