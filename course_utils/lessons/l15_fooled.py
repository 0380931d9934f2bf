"""What lesson 15 and its claims share: who is right, where a map shall go, pixels from 0 to 1."""

import torch
from torch import Tensor, nn


def is_right(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """One (right) or zero for each picture, `(N,)` float."""
    with torch.no_grad():
        return (model(inputs).argmax(dim=1) == targets).float()


def emptiest_corners(masks: Tensor, side: int = 40) -> Tensor:
    """Where a map shall go: 1 in the square of a corner that the object covers least, else 0.

    Args:
        masks: `(N, H, W)` bool, where the objects are.
        side: of the square, in pixels.

    Returns:
        `(N, H, W)` float.
    """
    _, height, width = masks.shape
    aims = torch.zeros(4, height, width)
    for k, (i, j) in enumerate(
        ((0, 0), (0, width - side), (height - side, 0), (height - side, width - side))
    ):
        aims[k, i : i + side, j : j + side] = 1
    return aims[(masks[:, None].cpu() * aims).sum(dim=(2, 3)).argmin(dim=1)]


class FromPixels(nn.Module):
    """A network for inputs from −1 to 1, for pixels from 0 to 1."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model(2 * pixels - 1)
