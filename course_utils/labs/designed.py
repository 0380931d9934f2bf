"""Networks whose weights are set by hand, so that the right explanation is known exactly.

`lab.attributions` holds it, like `lab.inputs`: the Shapley values of the score, where a player is an input value
(a pixel's channel) and "absent" means 0. On the inputs of these labs integrated gradients from the baseline 0 give
the same numbers. They add up to score(inputs) − score(0).

| network | score | attribution of input i, and why |
|---|---|---|
| linear | w · x + b | wᵢ xᵢ: a linear game has no interactions |
| and | relu(x₁ + x₂ − 1) | half of the score each at (1, 1): alike inputs get the same; 0 elsewhere |
| or | 1 − relu(1 − x₁ − x₂) | the score, shared equally by the inputs that are 1 |
| xor | relu(x₁ + x₂) − 2 relu(x₁ + x₂ − 1) | as for "or"; at (1, 1) the score is 0, and so are both shares |
| saturating | 1 − relu(1 − x₁ − x₂), so min(x₁ + x₂, 1) | shares in proportion xᵢ / (x₁ + x₂); the inputs are equal, or one is 0, or the sum is below 1 (linear). Beyond 1 the gradient is 0 |
| symmetric | relu(s − 1) + relu(s − 2), s = x₁ + x₂ + x₃ (pairs present) | the score, shared equally by the inputs that are 1: they can be exchanged, and absent ones add nothing |
| patch | 1 where one 5×5 pattern stands, else 0 | all the pattern's white pixels are needed, and they can be exchanged: equal shares of 1, 0 elsewhere |
| two_class_patch | number of places with the class's pattern | the same for the pattern of the target class |
"""  # noqa: E501

from itertools import product

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.labs.lab import Lab, Scaling, best_device, choose

NETWORKS = ("linear", "and", "or", "xor", "saturating", "symmetric", "patch", "two_class_patch")

SIDE = 24  # of the pictures
PATTERN_SIDE = 5
# white pixels of the two patterns
CROSS = ("..#..", "..#..", "#####", "..#..", "..#..")
FRAME = ("#####", "#...#", "#...#", "#...#", "#####")
_N_PICTURES = 16
_N_DECOYS = 3


class Threshold(nn.Module):
    """Sum of ReLUs of the inputs' sum: constant + Σₖ scaleₖ · relu(slopeₖ · (x₁ + … + x_d) + offsetₖ)."""

    def __init__(self, n_inputs: int, units: list[tuple[float, float, float]], constant: float = 0.0):
        super().__init__()
        self.hidden = nn.Linear(n_inputs, len(units))
        self.relu = nn.ReLU()
        self.output = nn.Linear(len(units), 1)
        slopes, offsets, scales = torch.tensor(units).T
        with torch.no_grad():
            self.hidden.weight.copy_(slopes[:, None].expand(-1, n_inputs))
            self.hidden.bias.copy_(offsets)
            self.output.weight.copy_(scales[None])
            self.output.bias.fill_(constant)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.relu(self.hidden(x)))


def designed_lab(network: str = "linear") -> Lab:
    """A hand-set network with exact attributions; see the table at the top of this module.

    For the networks of vectors `images` and `inputs` are `(N, d)`; for "patch" and "two_class_patch" `inputs`
    is `(N, 3, 24, 24)` in 0 … 1, and `masks` says where the pattern of the target class stands. `predict`
    returns the scores as they are.

    Raises:
        ValueError: unknown network.
    """
    choose("designed", "network", network, NETWORKS)
    if network == "patch":
        return _picture_lab(network, _single_patch_network(), [CROSS])
    if network == "two_class_patch":
        return _picture_lab(network, _two_class_network(), [CROSS, FRAME])
    return _vector_lab(network)


# ------------------------------------------------------------------------------------------ vectors


def _vector_lab(network: str) -> Lab:
    pairs = list(product((0.0, 1.0), repeat=2))
    if network == "linear":
        model = nn.Sequential()
        model.add_module("output", nn.Linear(4, 1))
        weights = torch.tensor([2.0, -1.0, 0.5, 0.0])
        with torch.no_grad():
            model.output.weight.copy_(weights[None])
            model.output.bias.fill_(0.25)
        rows = [(1, 1, 1, 1), (2, 0.5, -1, 3), (0, 1, 2, -1), (-1.5, -1, 0, 1), (0.5, 4, -2, 0)]
        vectors = torch.tensor(rows, dtype=torch.float32)
        return _with_vectors(network, model, vectors, weights * vectors)
    models = {
        "and": (Threshold(2, [(1, -1, 1)]), pairs),
        "or": (Threshold(2, [(-1, 1, -1)], constant=1), pairs),
        "xor": (Threshold(2, [(1, 0, 1), (1, -1, -2)]), pairs),
        "saturating": (
            Threshold(2, [(-1, 1, -1)], constant=1),
            [(0.2, 0.5), (0.5, 0.25), (0.75, 0.75), (1, 1), (2, 2), (0, 1.5), (3, 0), (0, 0)],
        ),
        "symmetric": (Threshold(3, [(1, -1, 1), (1, -2, 1)]), list(product((0.0, 1.0), repeat=3))),
    }
    model, rows = models[network]
    vectors = torch.tensor(rows, dtype=torch.float32)
    with torch.no_grad():
        scores = model(vectors) - model(torch.zeros_like(vectors))
    shares = vectors / vectors.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return _with_vectors(network, model, vectors, shares * scores)


def _with_vectors(network: str, model: nn.Module, vectors: Tensor, attributions: Tensor) -> Lab:
    device = best_device()
    return Lab(
        name="designed",
        model=model.to(device).eval(),
        images=vectors.numpy(),
        targets=torch.zeros(len(vectors), dtype=torch.long),
        class_names=(network,),
        preprocess=_Vectors(device),
        layers=dict(model.named_children()),
        attributions=attributions,
        to_probabilities=nn.Identity(),
    )


class _Vectors:
    """Rows `(N, d)` to a float tensor and back."""

    def __init__(self, device: torch.device):
        self.device = device

    def __call__(self, rows: np.ndarray) -> Tensor:
        return torch.as_tensor(np.asarray(rows, np.float32), device=self.device)

    def invert(self, inputs: Tensor) -> np.ndarray:
        return inputs.detach().float().cpu().numpy()


# ----------------------------------------------------------------------------------------- pictures


def _pattern(rows: tuple[str, ...]) -> Tensor:
    return torch.tensor([[pixel == "#" for pixel in row] for row in rows]).float()


def _detector(patterns: list[tuple[str, ...]]) -> nn.Conv2d:
    """A convolution that is 1 where a pattern stands exactly, else 0 or less, in black-white pictures.

    White pixels of the pattern count +1, black ones −1, shared by the three equal colour channels; the bias
    takes all but one of the white pixels away.
    """
    layer = nn.Conv2d(3, len(patterns), PATTERN_SIDE, padding=PATTERN_SIDE // 2)
    with torch.no_grad():
        for channel, rows in enumerate(patterns):
            pattern = _pattern(rows)
            layer.weight[channel] = (2 * pattern - 1) / 3
            layer.bias[channel] = 1 - pattern.sum()
    return layer


def _single_patch_network() -> nn.Sequential:
    model = nn.Sequential()
    model.add_module("conv", _detector([CROSS]))
    model.add_module("relu", nn.ReLU())
    model.add_module("pool", nn.AdaptiveMaxPool2d(1))
    model.add_module("flatten", nn.Flatten())
    return model


def _two_class_network() -> nn.Sequential:
    """Detector, mean over all places, a linear layer that turns the mean back into a count: CAM is exact."""
    model = nn.Sequential()
    model.add_module("conv", _detector([CROSS, FRAME]))
    model.add_module("relu", nn.ReLU())
    model.add_module("pool", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(2, 2))
    with torch.no_grad():
        model.fc.weight.copy_(SIDE * SIDE * torch.eye(2))
        model.fc.bias.zero_()
    return model


def _picture_lab(network: str, model: nn.Module, patterns: list[tuple[str, ...]]) -> Lab:
    """Pictures with each of the patterns once, and decoys: the patterns with one white pixel missing."""
    rng = np.random.default_rng(0)
    corners = list(product(range(1, SIDE - PATTERN_SIDE, 8), repeat=2))  # far enough apart not to touch
    pictures = torch.zeros(_N_PICTURES, SIDE, SIDE)
    masks = torch.zeros(_N_PICTURES, SIDE, SIDE, dtype=torch.bool)
    targets = torch.arange(_N_PICTURES) % len(patterns)
    for index, target in enumerate(targets.tolist()):
        places = [corners[i] for i in rng.permutation(len(corners))[: len(patterns) + _N_DECOYS]]
        jitter = rng.integers(-1, 3, size=(len(places), 2))
        for number, (corner, shift) in enumerate(zip(places, jitter, strict=True)):
            top, left = (int(v) for v in np.add(corner, shift))
            window = (slice(top, top + PATTERN_SIDE), slice(left, left + PATTERN_SIDE))
            patch = _pattern(patterns[number % len(patterns)])
            if number >= len(patterns):
                white = patch.nonzero()
                patch[tuple(white[rng.integers(len(white))])] = 0
            pictures[index][window] = patch
            if number == target:
                masks[index][window] = True
    shares = torch.stack([_pattern(rows).sum() for rows in patterns])[targets]
    attributions = (pictures * masks / shares[:, None, None])[:, None].expand(-1, 3, -1, -1) / 3
    device = best_device()
    return Lab(
        name="designed",
        model=model.to(device).eval(),
        images=(pictures[..., None].expand(-1, -1, -1, 3) * 255).to(torch.uint8).numpy(),
        targets=targets,
        class_names=("cross", "frame")[: len(patterns)],
        preprocess=Scaling((0.0,) * 3, (1.0,) * 3, device),
        layers=dict(list(model.named_children())[:2]),
        layer=model.relu,
        masks=masks,
        attributions=attributions.contiguous(),
        to_probabilities=nn.Identity(),
    )
