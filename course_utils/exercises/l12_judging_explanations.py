"""The exercises of lesson 12: the strongest pixels, an area, a stubborn map, the detective; and of 12b to 12d."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch

from course_utils.drawing.collage import KINDS
from course_utils.judge.statistics import paired
from course_utils.labs.detective import truth_of
from course_utils.teach.checks import RIGHT, WRONG, Exercise, Mistake, Question, Verdict
from course_utils.teach.quiz import quiz

which_question = quiz(
    "A map lies on the watermark, not on the horse. What do you know?",
    [
        "The method is bad: it misses the object.",
        "The network is bad: it reads the watermark.",
        "Nothing yet: take the watermark out and ask the network again.",
    ],
    2,
    [
        "Perhaps, but a faithful map of a network that reads the watermark has to lie there.",
        "Perhaps, but a method that points at the strongest edges would lie there too.",
        "The mask cannot tell a wrong explanation from a right explanation of a wrong network. The change of the score can.",
    ],
)

# --- the strongest pixels go ------------------------------------------------------------------------------


def _strongest_cases() -> list[tuple]:
    """A picture, a map without ties that has negative values, a share, and what takes the place of pixels."""
    generator = torch.Generator().manual_seed(3)
    cases = []
    for shape, share in (
        ((3, 6, 5), 0.2),
        ((3, 4, 8), 0.5),
        ((1, 7, 7), 0.1),
        ((3, 5, 5), 1.0),
        ((2, 4, 4), 0.0),
    ):
        x = torch.randn(shape, generator=generator)
        heat = torch.randn(shape[1:], generator=generator)
        heat[0, 0] = -4.0  # large, and against the class
        cases.append((x, heat, share, torch.randn(shape, generator=generator)))
    return cases


def _without_strongest(x, heat, share, substrate, *, ascending=False, key=None, count=None):
    values = heat if key is None else key(heat)
    order = values.flatten().argsort(descending=not ascending)
    gone = order[: round(share * heat.numel()) if count is None else count(share, heat)]
    changed = x.clone()
    changed.flatten(1)[:, gone] = substrate.flatten(1)[:, gone]
    return changed


def _at_the_maximum(x, heat, share, substrate):
    """Threshold at a share of the maximum."""
    return torch.where(heat > (1 - share) * heat.max(), substrate, x)


def _at_the_maximum_too(x, heat, share, substrate):
    return torch.where(heat >= (1 - share) * heat.max(), substrate, x)


def _above_the_quantile(x, heat, share, substrate):
    return torch.where(heat > heat.flatten().quantile(1 - share), substrate, x)


def _from_the_quantile(x, heat, share, substrate):
    return torch.where(heat >= heat.flatten().quantile(1 - share), substrate, x)


def _one_channel(x, heat, share, substrate):
    changed = x.clone()
    changed[0] = _without_strongest(x, heat, share, substrate)[0]
    return changed


without_strongest = Exercise(
    name="without_strongest",
    difficulty=2,
    minutes=8,
    hints=(
        "How many pixels are that? `share` of all pixels of the map, rounded.",
        "`heat.flatten().argsort(descending=True)` gives the numbers of the pixels, the strongest first.",
        "Copy first (`x.clone()`), then `changed.flatten(1)[:, gone] = substrate.flatten(1)[:, gone]`: all channels of these pixels.",
    ),
    reference=_without_strongest,
    cases=_strongest_cases,
    mistakes={
        "weakest": Mistake(
            lambda x, heat, share, substrate: _without_strongest(x, heat, share, substrate, ascending=True),
            "you took the *weakest* pixels away: sort in descending order.",
        ),
        "absolute": Mistake(
            lambda x, heat, share, substrate: _without_strongest(x, heat, share, substrate, key=torch.abs),
            "you sorted by the absolute value: a pixel that speaks against the class must go last.",
        ),
        "threshold": Mistake(
            _at_the_maximum,
            "you cut at a share of the *maximum*: then each map loses another number of pixels, and their curves cannot be compared.",
        ),
        "threshold, maximum too": Mistake(
            _at_the_maximum_too,
            "you cut at a share of the *maximum*, which is taken itself: maps then lose different numbers of pixels. Count them.",
        ),
        "quantile": Mistake(
            _above_the_quantile,
            "you cut at a quantile: it may stop one pixel short (at the share 1 one pixel stays). Sort, and count the pixels.",
        ),
        "quantile, itself too": Mistake(
            _from_the_quantile,
            "you cut at a quantile: it may take one pixel too many (at the share 0 one pixel goes). Sort, and count the pixels.",
        ),
        "zero": Mistake(
            lambda x, heat, share, substrate: _without_strongest(x, heat, share, torch.zeros_like(x)),
            "you put zeros where the pixels were: put the substrate there.",
        ),
        "kept": Mistake(
            lambda x, heat, share, substrate: _without_strongest(substrate, heat, share, x),
            "you kept the strongest pixels and took the others away: that is insertion.",
        ),
        "one channel": Mistake(
            _one_channel,
            "you changed the first colour channel only: a pixel is gone when all its channels are.",
        ),
        "too many": Mistake(
            lambda x, heat, share, substrate: _without_strongest(
                x, heat, share, substrate, count=lambda q, h: round(q * h.numel()) + 1
            ),
            "you took one pixel too many: at the share 0 nothing may change.",
        ),
        "too few": Mistake(
            lambda x, heat, share, substrate: _without_strongest(
                x, heat, share, substrate, count=lambda q, h: int(q * h.numel())
            ),
            "you rounded the number of pixels down: `round`, not `int`, gives the nearest whole number.",
        ),
        "percent": Mistake(
            lambda x, heat, share, substrate: _without_strongest(x, heat, share / 100, substrate),
            "you took the share for a percentage: 0.2 is a fifth of the pixels.",
        ),
        "of the positive ones": Mistake(
            lambda x, heat, share, substrate: _without_strongest(
                x, heat, share, substrate, count=lambda q, h: round(q * int((h > 0).sum()))
            ),
            "you took the share of the *positive* pixels: it is a share of all pixels, or each map loses another number.",
        ),
        "all": Mistake(lambda x, heat, share, substrate: substrate, "you replaced the whole picture."),
    },
)

# --- the area under a curve -------------------------------------------------------------------------------


def _curve_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Probabilities ``(N, S)`` and the fractions ``(S,)`` they were measured at, not equally far apart."""
    generator = torch.Generator().manual_seed(0)
    cases = []
    for n, steps in ((1, 4), (3, 7), (5, 12)):
        gaps = 0.1 + torch.rand(steps - 1, generator=generator)
        fractions = torch.cat([torch.zeros(1), gaps.cumsum(0) / gaps.sum()])
        cases.append((torch.rand(n, steps, generator=generator), fractions))
    for low, high in ((0.04, 0.4), (0.2, 1.0)):  # a part of the curve only: its area is smaller, too
        n, fractions = 3, low + (high - low) * cases[2][1]
        cases.append((torch.rand(n, len(fractions), generator=generator), fractions))
    return cases


def _curve_area(probabilities: torch.Tensor, fractions: torch.Tensor) -> torch.Tensor:
    middle = (probabilities[:, 1:] + probabilities[:, :-1]) / 2
    return (middle * fractions.diff()).sum(dim=1)


curve_area = Exercise(
    name="curve_area",
    difficulty=1,
    minutes=5,
    given=lambda probabilities, fractions: ((probabilities[:, 1:] + probabilities[:, :-1]) / 2).sum(dim=1),
    hints=(
        "Between two neighbouring fractions the curve is taken as a straight line: what is the area of that strip?",
        "A strip is as wide as the step from one fraction to the next (`fractions.diff()`), and as high as the mean of its two ends.",
        "The two ends of all strips at once: `probabilities[:, :-1]` and `probabilities[:, 1:]`.",
    ),
    reference=_curve_area,
    cases=_curve_cases,
    mistakes={
        "range": Mistake(
            lambda probabilities, fractions: (
                _curve_area(probabilities, fractions) / (fractions[-1] - fractions[0])
            ),
            "you divided by the range of the fractions: that is the mean height of the curve. Half a curve has a smaller area.",
        ),
        "sum": Mistake(
            lambda probabilities, fractions: probabilities.sum(dim=1),
            "you added up the heights: each of them has to be multiplied with the width of its strip.",
        ),
        "above": Mistake(
            lambda probabilities, fractions: _curve_area(1 - probabilities, fractions),
            "you took the area *above* the curve.",
        ),
        "equal steps": Mistake(
            lambda probabilities, fractions: torch.trapezoid(probabilities, dim=1) / (len(fractions) - 1),
            "you took all steps as equally wide: here the fractions are not equally far apart.",
        ),
        "number of points": Mistake(
            lambda probabilities, fractions: torch.trapezoid(probabilities, dim=1) / len(fractions),
            "you divided by the number of points: the steps are one fewer, and here they are not equally wide. Use the width of each step.",
        ),
        "fractions themselves": Mistake(
            lambda probabilities, fractions: (
                (probabilities[:, 1:] + probabilities[:, :-1]) / 2 * fractions[1:]
            ).sum(dim=1),
            "you multiplied with the fractions: a strip is as wide as the *difference* of two neighbouring fractions.",
        ),
        "mean of the strips": Mistake(
            lambda probabilities, fractions: _curve_area(probabilities, fractions) / (len(fractions) - 1),
            "you averaged the strips' areas: add them up.",
        ),
        "mean": Mistake(
            lambda probabilities, fractions: probabilities.mean(dim=1),
            "you averaged the probabilities: the two ends count too much, and the widths of the steps not at all.",
        ),
        "left end": Mistake(
            lambda probabilities, fractions: (probabilities[:, :-1] * fractions.diff()).sum(dim=1),
            "you took the left end of each strip as its height: a falling curve then gets too large an area. Take the mean of both ends.",
        ),
        "right end": Mistake(
            lambda probabilities, fractions: (probabilities[:, 1:] * fractions.diff()).sum(dim=1),
            "you took the right end of each strip as its height: a falling curve then gets too small an area. Take the mean of both ends.",
        ),
        "twice": Mistake(
            lambda probabilities, fractions: 2 * _curve_area(probabilities, fractions),
            "your areas are twice as large: a strip is as high as the *mean* of its two ends, not their sum.",
        ),
        "sign": Mistake(
            lambda probabilities, fractions: -_curve_area(probabilities, fractions),
            "your areas are negative: the width of a strip is the later fraction minus the earlier one.",
        ),
        "one number": Mistake(
            lambda probabilities, fractions: _curve_area(probabilities, fractions).mean(),
            "you averaged over the pictures: return one area for each, or there is nothing to make an interval from.",
        ),
    },
)


# --- rank correlation -------------------------------------------------------------------------------------


def _map_pairs() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Pairs of maps ``(N, H, W)`` without ties, with long tails and with both signs."""
    generator = torch.Generator().manual_seed(1)
    cases = []
    for shape in ((1, 4, 5), (3, 6, 6), (4, 3, 8)):
        first = torch.randn(shape, generator=generator)
        second = 0.6 * first + torch.randn(shape, generator=generator)
        cases.append((first.exp() - 1.5, second**3))
    against = torch.randn(4, 5, 5, generator=generator)  # two maps that rather contradict each other
    cases.append((against, 0.5 * torch.randn(against.shape, generator=generator) - against))
    return cases


def _ranks(maps: torch.Tensor) -> torch.Tensor:
    return maps.flatten(1).argsort(dim=1).argsort(dim=1).double()


def _correlation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    a, b = (v.double() - v.double().mean(dim=1, keepdim=True) for v in (a, b))
    return (a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1))


def _rank_correlation(maps: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    return _correlation(_ranks(maps), _ranks(others))


def _all_together(maps: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    value = _rank_correlation(maps.reshape(1, -1, 1), others.reshape(1, -1, 1))
    return value.expand(len(maps))


rank_correlation = Exercise(
    name="rank_correlation",
    difficulty=2,
    minutes=12,
    hints=(
        "Turn each map into ranks first: the smallest value gets 0, the next 1, and so on.",
        "`values.argsort(dim=1)` says which pixel stands at each place. `argsort` of that says at which place each pixel stands: its rank.",
        "Then the ordinary correlation of the ranks: take the mean away, multiply, add up, and divide by the product of the two norms.",
    ),
    reference=_rank_correlation,
    cases=_map_pairs,
    mistakes={
        "values": Mistake(
            lambda maps, others: _correlation(maps.flatten(1), others.flatten(1)),
            "you correlated the values, not their ranks: one bright pixel then decides the result.",
        ),
        "one argsort": Mistake(
            lambda maps, others: _correlation(
                maps.flatten(1).argsort(dim=1).double(), others.flatten(1).argsort(dim=1).double()
            ),
            "`argsort` once gives the order of the pixels, not their ranks: apply it twice.",
        ),
        "absolute": Mistake(
            lambda maps, others: _rank_correlation(maps.abs(), others.abs()),
            "you took absolute values first: a pixel that speaks against the class then ranks like one that speaks for it.",
        ),
        "mean kept": Mistake(
            lambda maps, others: (
                (_ranks(maps) * _ranks(others)).sum(dim=1)
                / (_ranks(maps).norm(dim=1) * _ranks(others).norm(dim=1))
            ),
            "you did not take the mean away: that is the cosine of the ranks, and it is large even for unrelated maps.",
        ),
        "size only": Mistake(
            lambda maps, others: _rank_correlation(maps, others).abs(),
            "you lost the sign: two maps in opposite order have −1, not 1.",
        ),
        "no less than 0": Mistake(
            lambda maps, others: _rank_correlation(maps, others).clamp(min=0),
            "you cut off at 0: two maps in opposite order have −1.",
        ),
        "squared": Mistake(
            lambda maps, others: _rank_correlation(maps, others) ** 2,
            "you returned the square: the sign is lost, and weak relations look weaker than they are.",
        ),
        "descending": Mistake(
            lambda maps, others: -_rank_correlation(maps, others),
            "one of your rankings runs from large to small, the other from small to large.",
        ),
        "ranks of each column": Mistake(
            lambda maps, others: _correlation(
                *(values.argsort(dim=1).argsort(dim=1).flatten(1) for values in (maps, others))
            ),
            "you ranked each column of a map by itself: flatten the map first, so that all its pixels share one ranking.",
        ),
        "ranks of each row": Mistake(
            lambda maps, others: _correlation(
                *(values.argsort(dim=2).argsort(dim=2).flatten(1) for values in (maps, others))
            ),
            "you ranked each row of a map by itself: flatten the map first, so that all its pixels share one ranking.",
        ),
        "one map ranked": Mistake(
            lambda maps, others: _correlation(_ranks(maps), others.flatten(1)),
            "you ranked the first map only: the other one needs ranks, too.",
        ),
        "two kinds of spread": Mistake(
            lambda maps, others: (
                _rank_correlation(maps, others) * (1 - 1 / torch.tensor(maps[0].numel(), dtype=torch.float64))
            ),
            "your spread divides by n − 1 (as `.std()` does), your mean by n: then a map and itself do not get 1.",
        ),
        "distance": Mistake(
            lambda maps, others: 1 - _rank_correlation(maps, others),
            "you returned one minus the correlation: two maps of the same order have 1.",
        ),
        "all together": Mistake(
            _all_together,
            "you ranked all pictures together: give each picture its own ranks and its own correlation.",
        ),
    },
)


# --- the pointing game ------------------------------------------------------------------------------------


def _pointing_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Maps with one maximum, with ties, and constant ones, with masks of different sizes."""
    generator = torch.Generator().manual_seed(2)
    cases = []
    for n, height, width in ((4, 6, 7), (6, 8, 5)):
        maps = torch.rand(n, height, width, generator=generator)
        masks = torch.rand(n, height, width, generator=generator) < 0.4
        masks[:, 0, 0] = True
        masks[0, 1, 1] = masks[1, 2, 2] = True
        masks[1, 0, 0] = False
        maps[0, 0, 0] = maps[0, 1, 1] = 2.0  # two tied maxima, both on the object
        maps[1] = 0.5  # constant
        maps[2, 0, :3] = 2.0  # three tied maxima
        maps[3] = -maps[3] - 1  # all negative
        masks[2, 0, :3] = torch.tensor([False, True, True])  # the majority hits, the first one does not
        if n > 4:  # one of two tied maxima hits, the first one
            maps[4, 0, 0] = maps[4, 5, 3] = 2.0
            masks[4, 5, 3] = False
            maps[5, 0, :3] = 2.0  # the majority hits, the last one does not
            masks[5, 0, :3] = torch.tensor([True, True, False])
        cases.append((maps, masks))
    return cases


def _pointing(maps: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    tops = maps == maps.amax(dim=(1, 2), keepdim=True)
    return (tops & masks).sum(dim=(1, 2)) / tops.sum(dim=(1, 2))


def _constant_maps_only(maps: torch.Tensor, masks: torch.Tensor, constant: torch.Tensor) -> torch.Tensor:
    """Any maximum that hits is a hit; a constant map gets the number `constant` (N,)."""
    return torch.where(maps.amax(dim=(1, 2)) > maps.amin(dim=(1, 2)), _any_hit(maps, masks), constant)


def _any_hit(maps: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    hits = []
    for heat, mask in zip(maps, masks, strict=True):
        tops = heat == heat.max()
        hits.append(mask[tops].any().float())
    return torch.stack(hits)


pointing = Exercise(
    name="pointing",
    difficulty=2,
    minutes=10,
    hints=(
        "Give the function a map that is the same everywhere. What does it answer, and what should it?",
        "A constant map has as many maxima as pixels. `any` needs only one of them on the object.",
        "Return the *share* of the maxima that lie on the object.",
    ),
    reference=_pointing,
    given=_any_hit,
    cases=_pointing_cases,
    mistakes={
        "first maximum": Mistake(
            lambda maps, masks: (
                masks.flatten(1).gather(1, maps.flatten(1).argmax(dim=1, keepdim=True))[:, 0].float()
            ),
            "you took the first of the tied maxima: then the answer depends on which corner the counting starts in.",
        ),
        "last maximum": Mistake(
            lambda maps, masks: (
                masks.flatten(1)
                .flip(1)
                .gather(1, maps.flatten(1).flip(1).argmax(dim=1, keepdim=True))[:, 0]
                .float()
            ),
            "you took the last of the tied maxima: then the answer depends on which corner the counting starts in.",
        ),
        "constant maps only, area": Mistake(
            lambda maps, masks: _constant_maps_only(maps, masks, masks.float().mean(dim=(1, 2))),
            "you mended constant maps only: a map with two or three tied maxima still wins with one of them.",
        ),
        "constant maps only, miss": Mistake(
            lambda maps, masks: _constant_maps_only(maps, masks, torch.zeros(len(maps))),
            "you only count a constant map as a miss: its honest score is the object's share, and two or three tied maxima are a tie, too.",
        ),
        "all": Mistake(
            lambda maps, masks: torch.stack(
                [mask[heat == heat.max()].all().float() for heat, mask in zip(maps, masks, strict=True)]
            ),
            "you ask for *all* maxima: then two good peaks of which one misses by a pixel count as nothing. Give the share.",
        ),
        "miss": Mistake(
            lambda maps, masks: torch.where(
                (maps == maps.amax(dim=(1, 2), keepdim=True)).sum(dim=(1, 2)) > 1, 0.0, _any_hit(maps, masks)
            ),
            "you count every tie as a miss: a constant map knows nothing, but its honest score is the object's share of the picture.",
        ),
        "one maximum for all": Mistake(
            lambda maps, masks: (
                ((maps == maps.max()) & masks).sum(dim=(1, 2)) / (maps == maps.max()).sum(dim=(1, 2))
            ),
            "you took one maximum for all pictures: each map has its own, `maps.amax(dim=(1, 2), keepdim=True)`.",
        ),
        "count": Mistake(
            lambda maps, masks: (
                (maps == maps.amax(dim=(1, 2), keepdim=True)).logical_and(masks).sum(dim=(1, 2))
            ),
            "you counted the maxima that hit: divide by the number of maxima.",
        ),
        "majority": Mistake(
            lambda maps, masks: (_pointing(maps, masks) > 0.5).float(),
            "you let the majority of the maxima decide: return the share itself, so that one maximum more or less does not turn a hit into a miss.",
        ),
        "share of the object": Mistake(
            lambda maps, masks: (
                (maps == maps.amax(dim=(1, 2), keepdim=True)).logical_and(masks).sum(dim=(1, 2))
                / masks.sum(dim=(1, 2))
            ),
            "you divided by the size of the object: divide by the number of maxima.",
        ),
    },
)


# --- intersection over union ------------------------------------------------------------------------------


def _iou_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Maps `(H, W)` without ties and with both signs, and objects of different sizes."""
    generator = torch.Generator().manual_seed(5)
    cases = []
    for shape, share in (((6, 7), 0.3), ((8, 5), 0.15), ((9, 9), 0.6)):
        mask = torch.rand(shape, generator=generator) < share
        mask[0, 0], mask[1, 1] = True, False
        heat = torch.randn(shape, generator=generator) + mask  # rather on the object
        heat[2, 2] = -6.0  # large, and against the class
        cases.append((heat, mask))
    return cases


def _strongest(heat: torch.Tensor, count: int) -> torch.Tensor:
    kept = torch.zeros(heat.numel(), dtype=torch.bool)
    kept[heat.flatten().argsort(descending=True)[:count]] = True
    return kept.view(heat.shape)


def _over_union(kept: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (kept & mask).sum() / (kept | mask).sum()


def _object_iou(heat: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _over_union(_strongest(heat, int(mask.sum())), mask)


object_iou = Exercise(
    name="object_iou",
    difficulty=2,
    minutes=8,
    hints=(
        "How many pixels does the object have? `mask.sum()`. Take as many pixels of the map, the strongest.",
        "`heat.flatten().topk(count).indices` are their numbers; make a mask `(H, W)` of bools from them, for example with `torch.zeros(…, dtype=torch.bool)`.",
        "Of two masks of bools, `a & b` is the intersection and `a | b` the union; `.sum()` counts the pixels.",
    ),
    reference=_object_iou,
    cases=_iou_cases,
    mistakes={
        "share of the object": Mistake(
            lambda heat, mask: (_strongest(heat, int(mask.sum())) & mask).sum() / mask.sum(),
            "you divided by the size of the object: divide by the union, the pixels that are in at least one of the two sets.",
        ),
        "overlap twice": Mistake(
            lambda heat, mask: (_strongest(heat, int(mask.sum())) & mask).sum() / (2 * mask.sum()),
            "you divided by the sum of the two sizes: it counts the common pixels twice.",
        ),
        "half the maximum": Mistake(
            lambda heat, mask: _over_union(heat > heat.max() / 2, mask),
            "you cut the map at half of its maximum: take as many pixels as the object has.",
        ),
        "at 0.5": Mistake(
            lambda heat, mask: _over_union(heat > 0.5, mask),
            "you cut the map at a fixed value: maps have different units. Take as many pixels as the object has.",
        ),
        "share of the picture": Mistake(
            lambda heat, mask: (_strongest(heat, int(mask.sum())) & mask).float().mean(),
            "you divided by all pixels of the picture: divide by the size of the union.",
        ),
        "positive": Mistake(
            lambda heat, mask: _over_union(heat > 0, mask),
            "you took all positive pixels: take as many pixels as the object has.",
        ),
        "absolute": Mistake(
            lambda heat, mask: _object_iou(heat.abs(), mask),
            "you took the absolute values: a pixel that speaks against the class is not a strong one.",
        ),
        "weakest": Mistake(
            lambda heat, mask: _object_iou(-heat, mask),
            "you took the *weakest* pixels: sort in descending order.",
        ),
        "equal pixels": Mistake(
            lambda heat, mask: (_strongest(heat, int(mask.sum())) == mask).float().mean(),
            "you counted the pixels where both sets say the same. Most of them are outside of both: leave those out.",
        ),
        "intersection": Mistake(
            lambda heat, mask: (_strongest(heat, int(mask.sum())) & mask).sum().float(),
            "you returned the number of common pixels: divide it by the size of the union.",
        ),
    },
)


# --- the yardstick of the random labels -------------------------------------------------------------------


def _likeness_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Likeness `(K, K)` of all networks' maps, 1 on the diagonal, and which networks are honest, `(K,)`."""
    generator = torch.Generator().manual_seed(9)
    cases = []
    for kinds in ("hhhmm", "mhhmhm", "hmmhmhh"):
        honest = torch.tensor([kind == "h" for kind in kinds])
        alike = torch.rand(len(kinds), len(kinds), generator=generator)
        alike = (alike + alike.T) / 2 + 0.3 * (honest[:, None] & honest)
        alike.fill_diagonal_(1.0)
        cases.append((alike, honest))
    return cases


def _different(honest: torch.Tensor) -> torch.Tensor:
    return ~torch.eye(len(honest), dtype=torch.bool)


def _yardstick(alike: torch.Tensor, honest: torch.Tensor) -> torch.Tensor:
    among = alike[honest[:, None] & honest & _different(honest)].mean()
    return among - alike[honest][:, ~honest].mean()


def _first_reference(alike: torch.Tensor, honest: torch.Tensor) -> torch.Tensor:
    reference = int(honest.nonzero()[0])
    others = honest.clone()
    others[reference] = False
    return alike[reference, others].mean() - alike[reference, ~honest].mean()


def _first_ones(alike: torch.Tensor, honest: torch.Tensor) -> torch.Tensor:
    return _yardstick(alike, torch.arange(len(honest)) < honest.sum())


yardstick = Exercise(
    name="yardstick",
    difficulty=2,
    minutes=8,
    hints=(
        "Two means are wanted: over the pairs of two *different* honest networks, and over the pairs of an honest one and a memoriser.",
        "`alike[honest][:, ~honest]` are all pairs of the second kind.",
        "`alike[honest][:, honest]` has the first kind, and on its diagonal each network with itself: leave the diagonal out, for example with `~torch.eye(n, dtype=torch.bool)`.",
    ),
    reference=_yardstick,
    cases=_likeness_cases,
    mistakes={
        "with itself": Mistake(
            lambda alike, honest: alike[honest][:, honest].mean() - alike[honest][:, ~honest].mean(),
            "you compared networks with themselves: the diagonal is 1 for every method, and makes the yardstick too long.",
        ),
        "one reference": Mistake(
            _first_reference,
            "you compared with the first honest network only: another reference gives another verdict. Take all pairs.",
        ),
        "memorisers among themselves": Mistake(
            lambda alike, honest: (
                alike[honest[:, None] & honest & _different(honest)].mean()
                - alike[~(honest[:, None] & honest) & _different(honest)].mean()
            ),
            "your second mean has pairs of two memorisers in it: they are not the question.",
        ),
        "everybody and memorisers": Mistake(
            lambda alike, honest: (
                alike[honest[:, None] & honest & _different(honest)].mean() - alike[:, ~honest].mean()
            ),
            "your second mean is over all rows: the memorisers themselves are among them, each also with itself. Take the honest rows.",
        ),
        "diagonal in the sum": Mistake(
            lambda alike, honest: (
                alike[honest][:, honest].sum() / (honest.sum() * (honest.sum() - 1))
                - alike[honest][:, ~honest].mean()
            ),
            "you divided by the right number of pairs, but the 1s of the diagonal are still in the sum.",
        ),
        "the first ones": Mistake(
            _first_ones,
            "you took the first networks for the honest ones: `honest` says which they are.",
        ),
        "the first three": Mistake(
            lambda alike, honest: (alike[:3, :3].sum() - 3) / 6 - alike[:3, 3:].mean(),
            "you took the first three networks for the honest ones: their number and places differ, `honest` says which they are.",
        ),
        "triangle with its diagonal": Mistake(
            lambda alike, honest: (
                alike[honest][:, honest][
                    torch.triu(torch.ones(int(honest.sum()), int(honest.sum()))) > 0
                ].mean()
                - alike[honest][:, ~honest].mean()
            ),
            "your triangle still has the diagonal: `torch.triu(…, 1)` begins above it.",
        ),
        "reference with itself": Mistake(
            lambda alike, honest: alike[0, honest].mean() - alike[0, ~honest].mean(),
            "you read one row only, and it may be a memoriser's: take all pairs.",
        ),
        "two memorisers": Mistake(
            lambda alike, honest: (
                alike[honest[:, None] & honest & _different(honest)].mean()
                - alike[~honest[:, None] & ~honest & _different(honest)].mean()
            ),
            "you compared memorisers with each other: the second mean is over an honest network and a memoriser.",
        ),
        "sign": Mistake(
            lambda alike, honest: -_yardstick(alike, honest),
            "the sign is turned: honest–honest minus honest–memoriser.",
        ),
        "ratio": Mistake(
            lambda alike, honest: _yardstick(alike, honest) / alike[honest][:, ~honest].mean() + 1,
            "you divided one mean by the other: take the difference (a rank correlation can be 0 or negative).",
        ),
        "honest only": Mistake(
            lambda alike, honest: alike[honest[:, None] & honest & _different(honest)].mean(),
            "you returned the likeness of the honest networks alone: subtract that of honest networks and memorisers.",
        ),
    },
)


# --- the most stubborn map --------------------------------------------------------------------------------


@dataclass
class OneOfSeveral(Question):
    """A question with several right answers: `accepted(*context)` gives all of them, `expected` one."""

    accepted: Any = None

    def check(self, answer: Any, *context: Any) -> Verdict:
        """Accept each of the right answers; all else as in a `Question`."""
        if isinstance(answer, str) and context:
            if answer.strip().lower() in {name.lower() for name in self.accepted(*context)}:
                return Verdict(RIGHT)
        return super().check(answer, *context)


NOISE = 0.05  # a difference of rank correlations that another draw of the weights can turn round


def _real(kept: dict[str, torch.Tensor], baselines: list[str]) -> dict[str, torch.Tensor]:
    return {name: torch.as_tensor(values) for name, values in kept.items() if name not in baselines}


def _most_stubborn(kept: dict[str, torch.Tensor], baselines: list[str]) -> str:
    real = _real(kept, baselines)
    return max(real, key=lambda name: real[name].mean())


def _as_stubborn(kept: dict[str, torch.Tensor], baselines: list[str]) -> set[str]:
    """All methods that are not behind the first by more than the noise."""
    real, first = _real(kept, baselines), _most_stubborn(kept, baselines)
    return {
        name
        for name, values in real.items()
        if values.mean() > real[first].mean() - NOISE or not paired(real[first], values).sure
    }


def _least_stubborn(kept: dict[str, torch.Tensor], baselines: list[str]) -> str:
    real = _real(kept, baselines)
    return min(real, key=lambda name: real[name].mean())


def _kept_examples() -> list[tuple]:
    def rows(**means: float) -> dict[str, torch.Tensor]:
        noise = torch.linspace(-0.04, 0.04, 10)
        return {name.replace("_", " "): mean + noise for name, mean in means.items()}

    return [
        (rows(Grad_CAM=0.1, guided_backprop=0.9, saliency=0.6, edges=1.0), ["edges"]),
        (rows(saliency=0.83, guided_backprop=0.8, Grad_CAM=0.0, CAM=0.4, edges=1.0), ["edges"]),
    ]


most_stubborn = OneOfSeveral(
    name="most_stubborn",
    difficulty=1,
    minutes=3,
    hints=(
        "The new weights of the last layer change which class a unit speaks for. Which maps hardly use them?",
        "`kept[name]` is what a method keeps when only the last layer is random, one value a picture and draw: answer with the name that has the largest mean, as a string. Names within 0.05 of it count, too.",
    ),
    expected=_most_stubborn,
    accepted=_as_stubborn,
    examples=_kept_examples,
    mistakes={
        "a baseline": Mistake(
            lambda answer, kept, baselines: answer in baselines,
            "that map never looks at the network at all, so of course it stays: the question is about the methods.",
            example=lambda kept, baselines: baselines[0],
        ),
        "not measured": Mistake(
            lambda answer, kept, baselines: not isinstance(answer, str) or answer not in kept,
            "one name is wanted, a string, and one of the methods that the cell below measures.",
            example=lambda kept, baselines: ["saliency", "tea leaves"],
        ),
        "the least": Mistake(
            lambda answer, kept, baselines: answer == _least_stubborn(kept, baselines),
            "that one changes most of all: it passes the check. The question is which one stays.",
            example=_least_stubborn,
        ),
        "another": Mistake(
            lambda answer, kept, baselines: answer in _real(kept, baselines),
            "another map stays clearly closer to the original when only the last layer is random.",
            example=lambda kept, baselines: sorted(
                _real(kept, baselines), key=lambda name: float(kept[name].mean())
            )[1],
        ),
    },
)


# --- the detective ----------------------------------------------------------------------------------------


def _kinds(case) -> dict[str, str | None]:
    return {name: truth.kind for name, truth in truth_of(case).items()}


def _answer_kinds(answers) -> dict:
    return {name: a.get("kind") if isinstance(a, dict) else a for name, a in answers.items()}


def _invented_case(kinds: dict[str, str | None]):
    truth = {name: SimpleNamespace(kind=kind) for name, kind in kinds.items()}
    return SimpleNamespace(_truth=truth, names=tuple(kinds), closed=True)


def _case_examples() -> list[tuple]:
    return [
        (
            _invented_case(
                {"A": None, "B": "background", "C": None, "D": "colour", "E": None, "F": "position"}
            ),
        ),
        (_invented_case({"A": "texture", "B": None, "C": "watermark", "D": None, "E": None, "F": None}),),
    ]


def _swapped_kind(case) -> dict:
    kinds = _kinds(case)
    first = next(name for name, kind in kinds.items() if kind)
    return kinds | {first: "texture" if kinds[first] != "texture" else "colour"}


def _one_missed(case) -> dict:
    kinds = _kinds(case)
    return kinds | {next(name for name, kind in kinds.items() if kind): None}


def _one_framed(case) -> dict:
    kinds = _kinds(case)
    return kinds | {next(name for name, kind in kinds.items() if not kind): "background"}


class AfterTheVerdict(Question):
    """A question about a case of the detective, answered once the case is closed."""

    def check(self, answer: Any, *context: Any) -> Verdict:
        """As a `Question`, but what is wrong is told after the verdict: a check has no limit of tries."""
        verdict = super().check(answer, *context)
        if verdict.state == WRONG and not context[0].closed:
            return self._not_attempted("The case is still open: ask for the verdict first, there is one.")
        return verdict


detective = AfterTheVerdict(
    name="detective",
    difficulty=3,
    minutes=15,
    hints=(
        "Read the two tables of maps first: a suspect whose share on the object is far below that of the others, for one class, looks at something else. The second table says whether that is the mark; else two things are possible, and a question decides.",
        "A suspect whose maps look honest may read the object's texture or colour: no map of places can tell. Spend its three questions there, on pictures of the class that the table of ties names.",
        '`case.variants[kind]` are the pictures with this one thing exchanged. `suspect.predict(case.variants["colour"][i])` with the numbers `i` of two pictures costs two questions.',
    ),
    expected=_kinds,
    examples=_case_examples,
    mistakes={
        "not all": Mistake(
            lambda answers, case: not isinstance(answers, dict) or set(answers) != set(case.names),
            "an answer for every suspect is needed, and nobody else: a dictionary from all of `case.names` to a kind or `None`.",
            example=lambda case: {case.names[0]: None},
        ),
        "all honest": Mistake(
            lambda answers, case: not any(_answer_kinds(answers).values()),
            "you called all of them honest. Some are not: look for a change of the pictures that costs one suspect its accuracy.",
            example=lambda case: dict.fromkeys(case.names),
        ),
        "no such kind": Mistake(
            lambda answers, case: not set(_answer_kinds(answers).values()) <= {None, *KINDS},
            f"one of your kinds does not exist: choose `None` or one of {', '.join(KINDS)}.",
            example=lambda case: dict.fromkeys(case.names, "fur"),
        ),
        "one missed": Mistake(
            lambda answers, case: any(
                kind and not _answer_kinds(answers)[name] for name, kind in _kinds(case).items()
            ),
            "at least one broken suspect goes free. Were its maps like the others', and did you ask it about texture and colour?",
            example=_one_missed,
        ),
        "one framed": Mistake(
            lambda answers, case: any(
                _answer_kinds(answers)[name] and not kind for name, kind in _kinds(case).items()
            ),
            "at least one honest suspect is accused. One changed answer is no proof: compare it with what the same change does to the others.",
            example=_one_framed,
        ),
        "wrong kind": Mistake(
            lambda answers, case: any(
                _answer_kinds(answers)[name] != kind for name, kind in _kinds(case).items()
            ),
            "you found who is broken, but at least one looks at something else than you say.",
            example=_swapped_kind,
        ),
    },
)
