"""The exercises of lesson 12: an area, a rank correlation, a published bug, a stubborn map, the detective."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from course_utils.drawing.collage import KINDS
from course_utils.teach.checks import Exercise, Mistake, Question

# --- the area under a curve -------------------------------------------------------------------------------


def _curve_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Probabilities ``(N, S)`` and the fractions ``(S,)`` they were measured at, not equally far apart."""
    generator = torch.Generator().manual_seed(0)
    cases = []
    for n, steps in ((1, 4), (3, 7), (5, 12)):
        gaps = 0.1 + torch.rand(steps - 1, generator=generator)
        fractions = torch.cat([torch.zeros(1), gaps.cumsum(0) / gaps.sum()])
        cases.append((torch.rand(n, steps, generator=generator), fractions))
    return cases


def _curve_area(probabilities: torch.Tensor, fractions: torch.Tensor) -> torch.Tensor:
    middle = (probabilities[:, 1:] + probabilities[:, :-1]) / 2
    return (middle * fractions.diff()).sum(dim=1)


curve_area = Exercise(
    name="curve_area",
    difficulty=2,
    minutes=8,
    hints=(
        "Between two neighbouring fractions the curve is taken as a straight line: what is the area of that strip?",
        "A strip is as wide as the step from one fraction to the next (`fractions.diff()`), and as high as the mean of its two ends.",
        "The two ends of all strips at once: `probabilities[:, :-1]` and `probabilities[:, 1:]`.",
    ),
    reference=_curve_area,
    cases=_curve_cases,
    mistakes={
        "steps of one": Mistake(
            lambda probabilities, fractions: torch.trapezoid(probabilities, dim=1),
            "you took each strip as 1 wide: then the area grows with the number of steps. A strip is as wide as the step in `fractions`.",
        ),
        "equal steps": Mistake(
            lambda probabilities, fractions: torch.trapezoid(probabilities, dim=1) / (len(fractions) - 1),
            "you took all steps as equally wide: here the fractions are not equally far apart.",
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
        cases.append((maps, masks))
    return cases


def _pointing(maps: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    tops = maps == maps.amax(dim=(1, 2), keepdim=True)
    return (tops & masks).sum(dim=(1, 2)) / tops.sum(dim=(1, 2))


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
        "count": Mistake(
            lambda maps, masks: (
                (maps == maps.amax(dim=(1, 2), keepdim=True)).logical_and(masks).sum(dim=(1, 2))
            ),
            "you counted the maxima that hit: divide by the number of maxima.",
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


# --- the most stubborn map --------------------------------------------------------------------------------


def _most_stubborn(kept: dict[str, list[float]], baselines: list[str]) -> str:
    real = {name: values for name, values in kept.items() if name not in baselines}
    return max(real, key=lambda name: real[name][0])


def _kept_examples() -> list[tuple]:
    return [
        (
            {
                "Grad-CAM": [0.1, 0.1],
                "guided backprop": [0.9, 0.2],
                "saliency": [0.6, 0.3],
                "edges (Sobel)": [1.0, 1.0],
            },
            ["edges (Sobel)"],
        ),
        (
            {
                "saliency": [0.8, 0.1],
                "guided backprop": [0.7, 0.5],
                "Grad-CAM": [0.0, -0.1],
                "edges (Sobel)": [1.0, 1.0],
            },
            ["edges (Sobel)"],
        ),
    ]


most_stubborn = Question(
    name="most_stubborn",
    difficulty=1,
    minutes=3,
    hints=(
        "New weights in the last layer change which class a unit speaks for. Which maps lose the sign of these weights?",
        "`rank_kept[name][0]` is what a method keeps when only the last layer is random: answer with the name that has the largest one, as a string.",
    ),
    expected=_most_stubborn,
    examples=_kept_examples,
    mistakes={
        "a baseline": Mistake(
            lambda answer, kept, baselines: answer in baselines,
            "that map never looks at the network at all, so of course it stays: the question is about the methods.",
            example=lambda kept, baselines: baselines[0],
        ),
        "not measured": Mistake(
            lambda answer, kept, baselines: answer not in kept,
            "that is not one of the methods in `rank_kept`: take a name from there, as a string.",
            example=lambda kept, baselines: "tea leaves",
        ),
        "the least": Mistake(
            lambda answer, kept, baselines: (
                answer == min((n for n in kept if n not in baselines), key=lambda n: kept[n][0])
            ),
            "that one changes most of all: it passes the check. The question is which one stays.",
            example=lambda kept, baselines: min(
                (n for n in kept if n not in baselines), key=lambda n: kept[n][0]
            ),
        ),
        "another": Mistake(
            lambda answer, kept, baselines: answer in kept and answer != _most_stubborn(kept, baselines),
            "another map stays closer to the original when only the last layer is random.",
            example=lambda kept, baselines: sorted(
                (n for n in kept if n not in baselines), key=lambda n: kept[n][0]
            )[1],
        ),
    },
)


# --- the detective ----------------------------------------------------------------------------------------


def _kinds(case) -> dict[str, str | None]:
    return {name: truth.kind for name, truth in case.reveal().items()}


def _answer_kinds(answers) -> dict:
    return {name: a.get("kind") if isinstance(a, dict) else a for name, a in answers.items()}


def _invented_case(kinds: dict[str, str | None]):
    truth = {name: SimpleNamespace(kind=kind) for name, kind in kinds.items()}
    return SimpleNamespace(reveal=lambda: truth, names=tuple(kinds))


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


detective = Question(
    name="detective",
    difficulty=3,
    minutes=30,
    hints=(
        "Accuracy says nothing here. Ask each suspect about pictures in which *one* thing is changed: `case.variants[kind]` has them.",
        "`suspect.predict(case.variants[kind]).argmax(axis=1)` are its answers. How often are they still the targets?",
        "An honest network hardly cares about any of the five changes. A broken one loses many pictures for one of them: that is its kind.",
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
            "at least one broken suspect goes free. Try all five changes on each of them.",
            example=_one_missed,
        ),
        "one framed": Mistake(
            lambda answers, case: any(
                _answer_kinds(answers)[name] and not kind for name, kind in _kinds(case).items()
            ),
            "at least one honest suspect is accused. A small loss is no proof: compare it with what the same change costs the others.",
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
