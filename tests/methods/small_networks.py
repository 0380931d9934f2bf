"""Small random networks for the tests of the methods."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def gap_network(channels: int = 3, classes: int = 5, *, inplace: bool = False) -> nn.Sequential:
    """Convolutions, global average pooling, one linear layer: the last feature maps are layer "4"."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1),
        nn.ReLU(inplace),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 6, 3, padding=1),
        nn.ReLU(inplace),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, classes),
    )


def pooling_network(window: int, stride: int, *, inplace: bool = False) -> nn.Sequential:
    """Two max-poolings, for pictures of 3×33×29; the last feature maps are layer "7"."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2, padding=1),
        nn.ReLU(inplace),
        nn.MaxPool2d(window, stride),
        nn.Conv2d(6, 8, 3, padding=1, groups=2),
        nn.ReLU(inplace),
        nn.MaxPool2d(window, stride),
        nn.Conv2d(8, 7, 3, padding=1),
        nn.ReLU(inplace),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(28, 4),
    )


class ResidualNetwork(nn.Module):
    """Batch norm, dropout, a skip connection, in-place ReLUs, one of them used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.body = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(6, 4)
        with torch.no_grad():
            for norm in (self.norm, self.body[1]):
                norm.running_mean.uniform_(-0.2, 0.2)
                norm.running_var.uniform_(0.5, 1.5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.stem(x)))
        x = self.relu(x + self.body(x))
        return self.head(self.drop(x.mean(dim=(2, 3))))


class FunctionalNetwork(nn.Module):
    """The same two-layer network with its ReLUs as functions, or only the second one."""

    def __init__(self, *, mixed: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3)
        self.relu = nn.ReLU() if mixed else F.relu
        self.second = nn.Conv2d(6, 5, 3)
        self.head = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.second(self.relu(self.first(x))))
        return self.head(x.mean(dim=(2, 3)))


def seeded(build, *args, seed: int = 0, dtype: torch.dtype = torch.float64, **options) -> nn.Module:
    """Build a network with random weights that depend on the seed alone, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(*args, **options).to(dtype).eval()


def pictures(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def largest(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest absolute difference of two results of one shape."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    difference = (ours.double() - theirs.double()).abs().max().item()
    assert difference == difference, "NaN"
    return difference


class ViewNetwork(nn.Module):
    """Flattens with `view`, which only works in the usual memory layout."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.head = (
            nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU()),
            nn.Linear(6 * 36, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.adaptive_avg_pool2d(self.features(x), 6).view(len(x), -1))
