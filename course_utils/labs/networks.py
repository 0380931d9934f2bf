"""The two networks of the rendered labs: a plain one in the manner of ZF-Net, and a narrow ResNet.

Both take pictures `(N, 3, 128, 128)` in −1 … 1 and return class scores (logits), `(N, n_classes)`. Each ReLU
is a module of its own, runs once, and works on a copy, so that hooks and the exchange of modules work.
"""

from torch import Tensor, nn

ZFNET_WIDTHS = (32, 64, 96, 96, 64)  # channels of conv1 … conv5
ZFNET_HIDDEN = 96  # units of fc6
RESNET_WIDTHS = (24, 32, 64, 128, 128)  # channels of the stem and of layer1 … layer4
RESNET_STRIDES = (1, 2, 2, 1)


def zfnet(n_classes: int = 10) -> nn.Sequential:
    """A plain convolutional network, layer by layer as in Zeiler and Fergus (2014, figure 3), but narrow.

    Five convolutions, the first 7×7 with stride 2; overlapping 3×3 max pooling after the first, the second
    and the fifth; then fully connected layers, two instead of three. The side of the maps is 64 after conv1,
    32 after pool1, 16 after pool2 (so at conv3 to conv5), 8 after pool5. About 0.6 million parameters.
    """
    one, two, three, four, five = ZFNET_WIDTHS
    network = nn.Sequential()

    def convolution(number: int, in_channels: int, out_channels: int, size: int, stride: int = 1) -> None:
        layer = nn.Conv2d(in_channels, out_channels, size, stride, padding=size // 2)
        network.add_module(f"conv{number}", layer)
        network.add_module(f"relu{number}", nn.ReLU())

    def pooling(number: int) -> None:
        network.add_module(f"pool{number}", nn.MaxPool2d(3, stride=2, padding=1))

    convolution(1, 3, one, 7, stride=2)
    pooling(1)
    convolution(2, one, two, 5)
    pooling(2)
    convolution(3, two, three, 3)
    convolution(4, three, four, 3)
    convolution(5, four, five, 3)
    pooling(5)
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc6", nn.Linear(five * 8 * 8, ZFNET_HIDDEN))
    network.add_module("relu6", nn.ReLU())
    network.add_module("fc7", nn.Linear(ZFNET_HIDDEN, n_classes))
    return network


class ResidualBlock(nn.Module):
    """relu(x + conv(relu(conv(x)))), each convolution with batch norm (He et al. 2016, figure 2).

    Where the number of channels or the resolution changes, a 1×1 convolution brings x into the new shape.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(self.shortcut(x) + residual)


class ResNet(nn.Module):
    """Stem, residual blocks, global average pooling, one linear layer `fc`: what CAM asks for.

    Args:
        n_classes: number of scores.
        widths: channels of the stem and of `layer1`, `layer2`, …
        strides: of `layer1`, `layer2`, …; the stem divides the side by 4.
    """

    def __init__(
        self,
        n_classes: int,
        widths: tuple[int, ...] = RESNET_WIDTHS,
        strides: tuple[int, ...] = RESNET_STRIDES,
    ):
        super().__init__()
        self.stem = nn.Sequential()
        self.stem.add_module("conv", nn.Conv2d(3, widths[0], 5, stride=2, padding=2, bias=False))
        self.stem.add_module("bn", nn.BatchNorm2d(widths[0]))
        self.stem.add_module("relu", nn.ReLU())
        self.stem.add_module("pool", nn.MaxPool2d(3, stride=2, padding=1))
        self.block_names = tuple(f"layer{number}" for number in range(1, len(widths)))
        for name, before, after, stride in zip(
            self.block_names, widths[:-1], widths[1:], strides, strict=True
        ):
            self.add_module(name, ResidualBlock(before, after, stride))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(widths[-1], n_classes)

    def forward(self, x: Tensor) -> Tensor:
        features = self.stem(x)
        for name in self.block_names:
            features = getattr(self, name)(features)
        return self.fc(self.flatten(self.pool(features)))


def resnet(n_classes: int = 10) -> ResNet:
    """A narrow ResNet (He et al. 2016) of about 0.6 million parameters; its last maps have a side of 8."""
    return ResNet(n_classes)
