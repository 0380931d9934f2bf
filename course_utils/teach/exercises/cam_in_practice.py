"""The exercises of lesson 05: tokens to maps, the grid pointing game, the slowest method, two bugs."""

from __future__ import annotations

import torch
from torch import nn

from course_utils.teach.checks import Exercise, Mistake, Question


def _tokens_to_maps(tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, height, width)


def _token_cases() -> list[tuple[torch.Tensor, int, int]]:
    generator = torch.Generator().manual_seed(0)
    sizes = [(1, 2, 3, 6), (2, 4, 3, 5), (3, 3, 3, 9)]
    return [(torch.randn(n, 1 + h * w, d, generator=generator), h, w) for n, h, w, d in sizes]


tokens_to_maps = Exercise(
    name="tokens_to_maps",
    difficulty=2,
    minutes=8,
    hints=(
        "Token 0 is the class token. Leave it out first: `tokens[:, 1:]`.",
        "You have (N, T, D) and need D before the places: `transpose(1, 2)` exchanges two dimensions.",
        "Only then cut the T places into rows and columns with `reshape`.",
    ),
    reference=_tokens_to_maps,
    cases=_token_cases,
    mistakes={
        "no transpose": Mistake(
            lambda tokens, height, width: tokens[:, 1:].reshape(len(tokens), -1, height, width),
            "`reshape` alone mixes places and dimensions: the tokens' dimension must come before the places first.",
        ),
        "last token": Mistake(
            lambda tokens, height, width: (
                tokens[:, :-1].transpose(1, 2).reshape(len(tokens), -1, height, width)
            ),
            "you left out the last token: the class token is the first one.",
        ),
        "rows and columns": Mistake(
            lambda tokens, height, width: (
                tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, width, height).transpose(2, 3)
            ),
            "rows and columns are exchanged: patches run along a row first, then to the next row.",
        ),
    },
)


def _share_in_corner(maps: torch.Tensor, corner: int) -> torch.Tensor:
    positive = maps.clamp(min=0)
    height, width = maps.shape[1] // 2, maps.shape[2] // 2
    row, column = divmod(corner, 2)
    part = positive[:, row * height : (row + 1) * height, column * width : (column + 1) * width]
    return part.sum(dim=(1, 2)) / positive.sum(dim=(1, 2))


def _columns_first(maps: torch.Tensor, corner: int) -> torch.Tensor:
    return _share_in_corner(maps, {0: 0, 1: 2, 2: 1, 3: 3}[corner])


def _with_negative(maps: torch.Tensor, corner: int) -> torch.Tensor:
    height, width = maps.shape[1] // 2, maps.shape[2] // 2
    row, column = divmod(corner, 2)
    part = maps[:, row * height : (row + 1) * height, column * width : (column + 1) * width]
    return part.sum(dim=(1, 2)) / maps.sum(dim=(1, 2))


def _corner_cases() -> list[tuple[torch.Tensor, int]]:
    generator = torch.Generator().manual_seed(1)
    shapes = [(2, 4, 6), (3, 6, 4), (1, 8, 8), (2, 2, 4)]
    return [(torch.randn(shape, generator=generator) + 0.3, corner) for corner, shape in enumerate(shapes)]


share_in_corner = Exercise(
    name="share_in_corner",
    difficulty=1,
    minutes=8,
    hints=(
        "Negative values are no evidence for the class: cut them off with `clamp(min=0)` before anything else.",
        "`divmod(corner, 2)` gives the row and the column of the corner.",
        "Slice that corner out, add it up, and divide by the sum of the whole map.",
    ),
    reference=_share_in_corner,
    cases=_corner_cases,
    mistakes={
        "negative values": Mistake(
            _with_negative, "negative values take away from both sums: cut them off before you add up."
        ),
        "columns first": Mistake(
            _columns_first,
            "corners 1 and 2 are exchanged: count along the upper row first, then the lower one.",
        ),
        "mean": Mistake(
            lambda maps, corner: _share_in_corner(maps, corner) * 4,
            "you divided by the mean of the map instead of its sum, so the shares add up to four.",
        ),
    },
)


def _slowest(seconds: dict[str, float]) -> str:
    return max(seconds, key=seconds.get)


slowest = Question(
    name="slowest",
    difficulty=1,
    minutes=3,
    hints=(
        "Count forward passes: which method needs one for each channel, and which one for each window?",
        'Answer with one of the six names, for example `"CAM"`.',
    ),
    expected=_slowest,
    examples=lambda: [
        ({"CAM": 0.1, "Grad-CAM": 0.2, "Score-CAM": 5.0, "occlusion": 4.0},),
        ({"CAM": 0.1, "Grad-CAM": 0.2, "Score-CAM": 3.0, "occlusion": 6.0},),
    ],
    mistakes={
        "not a method": Mistake(
            lambda answer, seconds: answer not in seconds,
            "that is not one of the methods measured: take a name from the table of section 4.",
            example=lambda seconds: "LIME",
        ),
        "one pass": Mistake(
            lambda answer, seconds: answer in ("CAM", "Grad-CAM", "Grad-CAM++", "Layer-CAM"),
            "this one needs a single forward pass, and at most one backward pass.",
            example=lambda seconds: "Grad-CAM",
        ),
        "the other slow one": Mistake(
            lambda answer, seconds: answer in ("Score-CAM", "occlusion"),
            "it is slow indeed, but your own run measured another method as slower.",
            example=lambda seconds: "occlusion" if _slowest(seconds) == "Score-CAM" else "Score-CAM",
        ),
    },
)


def _explain(
    model: nn.Module, inputs: torch.Tensor, layer: nn.Module, *, softmax: bool, per_batch: bool
) -> torch.Tensor:
    kept = []
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    scores = model(inputs)
    handle.remove()
    scores = scores.softmax(dim=1) if softmax else scores
    (gradients,) = torch.autograd.grad(scores.max(dim=1).values.sum(), kept[0])
    maps = torch.relu((gradients.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1))
    top = maps.max() if per_batch else maps.amax(dim=(1, 2), keepdim=True)
    return (maps / top.clamp(min=1e-12)).detach()


class _Lookup(nn.Module):
    """A small network whose case can be copied together with its layer."""

    def __init__(self, seed: int, channels: int, classes: int):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.features = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.ReLU())
            self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, classes))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(inputs))


def _network_cases() -> list[tuple[nn.Module, torch.Tensor, nn.Module]]:
    generator = torch.Generator().manual_seed(2)
    cases = []
    for seed, (channels, classes, n) in enumerate(((6, 4, 3), (5, 3, 2), (8, 6, 4))):
        model = _Lookup(seed, channels, classes).eval()
        strength = torch.linspace(0.5, 3, n)[:, None, None, None]
        cases.append((model, strength * torch.rand(n, 3, 8, 8, generator=generator), model.features))
    return cases


explain_predicted = Exercise(
    name="explain_predicted",
    difficulty=3,
    minutes=12,
    hints=(
        "What does `model(inputs)` return, and what has been done to it before the gradient is taken?",
        "`maps.max()` is one number for the whole batch. What happens to a weak map beside a strong one?",
        "`maps.amax(dim=(1, 2), keepdim=True)` gives each map its own maximum.",
    ),
    reference=lambda model, inputs, layer: _explain(model, inputs, layer, softmax=False, per_batch=False),
    given=lambda model, inputs, layer: _explain(model, inputs, layer, softmax=True, per_batch=True),
    cases=_network_cases,
    mistakes={
        "still softmax": Mistake(
            lambda model, inputs, layer: _explain(model, inputs, layer, softmax=True, per_batch=False),
            "the maps have their own scale now, but the gradient is still that of the softmax: take the logit.",
        ),
        "still one scale": Mistake(
            lambda model, inputs, layer: _explain(model, inputs, layer, softmax=False, per_batch=True),
            "the logit is right, but all maps are still divided by the maximum of the whole batch.",
        ),
    },
)
