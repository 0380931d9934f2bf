"""The exercises of lesson 05: what Score-CAM costs, tokens to maps, captum's maps in another dress, the grid
pointing game, two bugs."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.methods.cam import min_max, upsample
from course_utils.teach.checks import Exercise, Mistake, Question, wrong_answer


def _tokens_to_maps(tokens: torch.Tensor, height: int, width: int, n_extra: int) -> torch.Tensor:
    n, d = tokens.shape[1:]
    return tokens[n_extra:].permute(1, 2, 0).reshape(n, d, height, width)


def _token_cases() -> list[tuple[torch.Tensor, int, int, int]]:
    generator = torch.Generator().manual_seed(0)
    sizes = [(1, 2, 3, 6, 1), (2, 4, 3, 5, 2), (3, 3, 3, 9, 5)]
    return [(torch.randn(e + h * w, n, d, generator=generator), h, w, e) for n, h, w, d, e in sizes]


tokens_to_maps = Exercise(
    name="tokens_to_maps",
    difficulty=2,
    minutes=8,
    hints=(
        "The first `n_extra` tokens have no place. Leave them out first: `tokens[n_extra:]`.",
        "You have (T, N, D) and need N, then D, then the places: `permute(1, 2, 0)`.",
        "Only then cut the T places into rows and columns with `reshape`.",
    ),
    reference=_tokens_to_maps,
    cases=_token_cases,
    mistakes={
        "no permute": Mistake(
            lambda tokens, height, width, n_extra: tokens[n_extra:].reshape(
                tokens.shape[1], -1, height, width
            ),
            "`reshape` alone mixes places, pictures and dimensions: bring them into the order N, D, places first.",
        ),
        "last tokens": Mistake(
            lambda tokens, height, width, n_extra: _tokens_to_maps(
                torch.cat([tokens[:n_extra], tokens[: len(tokens) - n_extra]]), height, width, n_extra
            ),
            "you left out the last tokens: those without a place are the first ones.",
        ),
        "one extra token": Mistake(
            lambda tokens, height, width, n_extra: _tokens_to_maps(
                torch.cat([tokens[1 : 1 + height * width]]), height, width, 0
            ),
            "you took one token away: all of the first `n_extra` have no place.",
        ),
        "pictures first only": Mistake(
            lambda tokens, height, width, n_extra: (
                tokens[n_extra:].transpose(0, 1).reshape(*tokens.shape[1:], height, width)
            ),
            "the pictures are first, but the places come before the D numbers: bring D in front of the places before you reshape.",
        ),
        "rows and columns": Mistake(
            lambda tokens, height, width, n_extra: _tokens_to_maps(tokens, width, height, n_extra).transpose(
                2, 3
            ),
            "rows and columns are exchanged: patches run along a row first, then to the next row.",
        ),
        "all axes turned round": Mistake(
            lambda tokens, height, width, n_extra: (
                tokens[n_extra:].permute(2, 1, 0).reshape(*tokens.shape[1:], height, width)
            ),
            "you have D first and the pictures second, and `reshape` then mixes them: the order is N, D, places.",
        ),
    },
)


def _picture(attributions, size, *, relu=True, first=min_max, enlarge=upsample, again=None, last=min_max):
    maps = [attribution[:, 0].relu() if relu else attribution[:, 0] for attribution in attributions]
    maps = [enlarge(first(one) if first else one, size) for one in maps]
    maps = [again(one) if again else one for one in maps]
    mean = sum(maps) / len(maps)
    return last(mean) if last else mean


def _attribution_cases() -> list[tuple[list[torch.Tensor], tuple[int, int]]]:
    generator = torch.Generator().manual_seed(3)

    def maps(n, h, w, strength):
        return strength * torch.randn(n, 1, h, w, generator=generator)

    return [
        ([maps(2, 4, 4, 0.1), maps(2, 3, 3, 2.0)], (16, 12)),
        ([maps(3, 5, 4, 3.0), maps(3, 3, 2, 0.5), maps(3, 2, 3, 1.0)], (20, 24)),
        ([maps(2, 3, 4, 1.0)], (12, 12)),
        ([maps(2, 4, 3, 1.0), maps(2, 2, 4, 1.0).abs() + 0.5], (8, 12)),  # one layer positive everywhere
    ]


gradcam_picture = Exercise(
    name="gradcam_picture",
    difficulty=1,
    minutes=8,
    hints=(
        "The table of section 2 names the steps for one layer: ReLU, min-max, enlarge, min-max.",
        "captum has a channel axis, `maps[:, 0]` takes it away. Treat each layer alone until it has `size`.",
        "`min_max` and `upsample` do the steps. Scale each layer, then average, then scale the average.",
    ),
    reference=_picture,
    cases=_attribution_cases,
    mistakes={
        "no ReLU": Mistake(
            lambda attributions, size: _picture(attributions, size, relu=False),
            "captum's negative values are still there: pytorch-grad-cam cuts them off before it scales.",
        ),
        "not scaled before averaging": Mistake(
            lambda attributions, size: _picture(attributions, size, first=None),
            "the layers are averaged as strong as they are: pytorch-grad-cam scales each to 0 … 1 first.",
        ),
        "nearest": Mistake(
            lambda attributions, size: _picture(
                attributions, size, enlarge=lambda maps, to: F.interpolate(maps[:, None], to)[:, 0]
            ),
            "the maps are enlarged as hard squares, captum's default: take bilinear interpolation.",
        ),
        "scaled after enlarging": Mistake(
            lambda attributions, size: _picture(attributions, size, first=None, again=min_max),
            "each layer is scaled after it was enlarged: pytorch-grad-cam scales the small map and then enlarges.",
        ),
        "ReLU after enlarging": Mistake(
            lambda attributions, size: min_max(
                sum(min_max(upsample(a[:, 0], size).relu()) for a in attributions) / len(attributions)
            ),
            "you cut off negative values after enlarging: the library cuts them off in the small map, scales, and then enlarges.",
        ),
        "one scale for the batch": Mistake(
            lambda attributions, size: _picture(
                attributions,
                size,
                first=lambda maps: (maps - maps.min()) / (maps.max() - maps.min()),
            ),
            "you scaled all pictures of the batch together: each map has its own 0…1.",
        ),
        "divided by the maximum": Mistake(
            lambda attributions, size: _picture(
                attributions, size, first=lambda maps: maps / maps.amax(dim=(1, 2), keepdim=True)
            ),
            "you divided each small map by its maximum: where a map is positive everywhere, `min_max` also takes its smallest value away.",
        ),
        "first layer only": Mistake(
            lambda attributions, size: _picture(attributions[:1], size),
            "you used the first layer only: the list holds one result a layer, and all are averaged.",
        ),
        "maximum of the layers": Mistake(
            lambda attributions, size: min_max(
                torch.stack([_picture([one], size, last=None) for one in attributions]).amax(dim=0)
            ),
            "you took the largest value over the layers: pytorch-grad-cam takes their average.",
        ),
        "absolute": Mistake(
            lambda attributions, size: _picture([one.abs() for one in attributions], size),
            "you took absolute values: what speaks against the class must become zero (ReLU).",
        ),
        "last layer only": Mistake(
            lambda attributions, size: _picture(attributions[-1:], size),
            "you used the last layer only: the list holds one result a layer, and all are averaged.",
        ),
        "product of the layers": Mistake(
            lambda attributions, size: min_max(
                torch.stack([_picture([one], size, last=None) for one in attributions]).prod(dim=0)
            ),
            "you multiplied the layers: pytorch-grad-cam takes their average.",
        ),
        "corners on corners": Mistake(
            lambda attributions, size: _picture(
                attributions,
                size,
                enlarge=lambda maps, to: F.interpolate(
                    maps[:, None], to, mode="bilinear", align_corners=True
                )[:, 0],
            ),
            "you enlarged with `align_corners=True`: `upsample` and the library take pixels as small squares.",
        ),
        "in per cent": Mistake(
            lambda attributions, size: 100 * _picture(attributions, size),
            "these are per cent: the library's maps go from 0 to 1.",
        ),
        "average not scaled": Mistake(
            lambda attributions, size: _picture(attributions, size, last=None),
            "the average is not scaled: its maximum is below 1 where the layers peak at different places.",
        ),
    },
)


def _share_in_corner(maps: torch.Tensor, corner: int) -> torch.Tensor:
    positive = maps.clamp(min=0)
    height, width = maps.shape[1] // 2, maps.shape[2] // 2
    row, column = divmod(corner, 2)
    part = positive[:, row * height : (row + 1) * height, column * width : (column + 1) * width]
    return part.sum(dim=(1, 2)) / positive.sum(dim=(1, 2))


def _corner(maps: torch.Tensor, corner: int) -> torch.Tensor:
    height, width = maps.shape[1] // 2, maps.shape[2] // 2
    row, column = divmod(corner, 2)
    return maps[:, row * height : (row + 1) * height, column * width : (column + 1) * width]


def _columns_first(maps: torch.Tensor, corner: int) -> torch.Tensor:
    return _share_in_corner(maps, {0: 0, 1: 2, 2: 1, 3: 3}[corner])


def _with_negative(maps: torch.Tensor, corner: int) -> torch.Tensor:
    return _corner(maps, corner).sum(dim=(1, 2)) / maps.sum(dim=(1, 2))


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
        "absolute": Mistake(
            lambda maps, corner: _share_in_corner(maps.abs(), corner),
            "you took absolute values: what speaks against the class is no evidence for it. Cut it off at zero.",
        ),
        "clockwise": Mistake(
            lambda maps, corner: _share_in_corner(maps, {0: 0, 1: 1, 2: 3, 3: 2}[corner]),
            "you counted clockwise: corner 2 is bottom left and corner 3 bottom right.",
        ),
        "bottom first": Mistake(
            lambda maps, corner: _share_in_corner(maps, {0: 2, 1: 3, 2: 0, 3: 1}[corner]),
            "the two rows are exchanged: corners 0 and 1 are the upper ones, and row 0 of a map is its top.",
        ),
        "smallest value taken away": Mistake(
            lambda maps, corner: _share_in_corner(maps - maps.amin(dim=(1, 2), keepdim=True), corner),
            "you took the smallest value away, so that nothing is negative: cut negative values off instead.",
        ),
        "number of places": Mistake(
            lambda maps, corner: _share_in_corner((maps > 0).float(), corner),
            "you counted the positive places: add up their values.",
        ),
        "all values below": Mistake(
            lambda maps, corner: _corner(maps.clamp(min=0), corner).sum(dim=(1, 2)) / maps.sum(dim=(1, 2)),
            "the denominator still has the negative values: divide by the sum of the positive ones.",
        ),
        "absolute below": Mistake(
            lambda maps, corner: (
                _corner(maps.clamp(min=0), corner).sum(dim=(1, 2)) / maps.abs().sum(dim=(1, 2))
            ),
            "the denominator has absolute values: divide by the sum of the positive values.",
        ),
        "mean": Mistake(
            lambda maps, corner: _share_in_corner(maps, corner) * 4,
            "you divided by the mean of the map instead of its sum, so the shares add up to four.",
        ),
        "not divided": Mistake(
            lambda maps, corner: _corner(maps.clamp(min=0), corner).sum(dim=(1, 2)),
            "that is the sum in the corner: divide it by the sum of the whole map to get a share.",
        ),
        "by the maximum": Mistake(
            lambda maps, corner: (
                _corner(maps.clamp(min=0), corner).sum(dim=(1, 2)) / maps.clamp(min=0).amax(dim=(1, 2))
            ),
            "you divided by the map's maximum: a share needs the sum of the whole map.",
        ),
        "over the batch": Mistake(
            lambda maps, corner: _corner(maps.clamp(min=0), corner).sum(dim=(1, 2)) / maps.clamp(min=0).sum(),
            "you divided by the sum over all pictures: each map has its own.",
        ),
    },
)


def _decade(passes: dict[str, int]) -> int:
    return 10 ** round(math.log10(passes["Score-CAM"] / passes["CAM"]))


score_cam_cost = Question(
    name="score_cam_cost",
    difficulty=1,
    minutes=3,
    hints=(
        "Count forward passes: one for CAM, and one for each channel (and one more) for Score-CAM.",
        "Take the number of the four that is nearest to the number of passes.",
    ),
    expected=_decade,
    examples=lambda: [({"CAM": 1, "Score-CAM": 129},), ({"CAM": 1, "Score-CAM": 65},)],
    mistakes={
        "exact count": Mistake(
            lambda answer, passes: answer not in (1, 10, 100, 1000) and abs(answer - passes["Score-CAM"]) < 3,
            "that is the exact count. Of the four numbers, take the nearest one.",
            example=lambda passes: passes["Score-CAM"],
        ),
        "one pass": wrong_answer(
            lambda passes: 1,
            "that would be so if all channels shared one pass: Score-CAM runs the network once for each of them.",
        ),
        "few passes": wrong_answer(
            lambda passes: 10,
            "ten would do for about ten channels: look at the number of channels printed above the exercise.",
        ),
        "a pass for each place": wrong_answer(
            lambda passes: 1000,
            "that is more than one pass for each channel; the places of a channel go through the network together.",
        ),
    },
)


def _explain(
    model: nn.Module,
    inputs: torch.Tensor,
    layer: nn.Module,
    *,
    softmax: bool = False,
    per_batch: bool = False,
    first_class: bool = False,
    classes: str = "predicted",
    relu: bool = True,
    scaled: bool = True,
) -> torch.Tensor:
    kept = []
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    scores = model(inputs)
    handle.remove()
    scores = scores.softmax(dim=1) if softmax else scores
    asked = scores[:, scores[0].argmax()] if first_class else scores.max(dim=1).values
    asked = {"predicted": asked, "all": scores, "largest": scores.max()}[classes]
    (gradients,) = torch.autograd.grad(asked.sum(), kept[0])
    maps = (gradients.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1)
    maps = torch.relu(maps) if relu else maps
    if not scaled:
        return maps.detach()
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
        if seed == 2:  # no weight speaks against a class: maps that are positive everywhere
            model.head[-1].weight.data.abs_()
            model.features[0].bias.data += 1.0
        strength = torch.linspace(0.5, 3, n)[:, None, None, None]
        cases.append((model, strength * torch.rand(n, 3, 8, 8, generator=generator), model.features))
    return cases


explain_predicted = Exercise(
    name="explain_predicted",
    difficulty=3,
    minutes=10,
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
        "first picture's class": Mistake(
            lambda model, inputs, layer: _explain(model, inputs, layer, first_class=True),
            "all pictures are explained for the class that the network predicts for the first one: each has its own.",
        ),
        "all classes": Mistake(
            lambda model, inputs, layer: _explain(model, inputs, layer, classes="all"),
            "you took the gradient of all logits together: only the predicted class of each picture is asked for.",
        ),
        "one score": Mistake(
            lambda model, inputs, layer: _explain(model, inputs, layer, classes="largest"),
            "`scores.max()` is one score of one picture: the other maps stay empty. Take the maximum over the classes.",
        ),
        "no ReLU": Mistake(
            lambda model, inputs, layer: _explain(model, inputs, layer, relu=False),
            "the ReLU is gone: what speaks against the class must stay zero.",
        ),
        "not scaled": Mistake(
            lambda model, inputs, layer: _explain(model, inputs, layer, scaled=False),
            "the logit is right, but the maps are not divided: each should have the maximum 1.",
        ),
        "smallest value taken away": Mistake(
            lambda model, inputs, layer: min_max(_explain(model, inputs, layer)),
            "you scaled with `min_max`: it also takes the smallest value away. Divide by the maximum only.",
        ),
    },
)
