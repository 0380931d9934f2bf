"""The exercises of lessons 04 and 04b: channel weights, the class map, the best layer, a published bug."""

from __future__ import annotations

import torch

from course_utils.methods.cam import min_max
from course_utils.teach.checks import Exercise, Mistake, Question


def _random_parts() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Activations (not negative, as after a ReLU) and gradients of several shapes, both ``(N, K, h, w)``."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(1, 3, 4, 4), (2, 5, 3, 6), (3, 2, 7, 5)]
    return [
        (torch.rand(shape, generator=generator), torch.randn(shape, generator=generator)) for shape in shapes
    ]


def _channel_weights(gradients: torch.Tensor) -> torch.Tensor:
    return gradients.mean(dim=(2, 3))


channel_weights = Exercise(
    name="channel_weights",
    difficulty=1,
    minutes=5,
    hints=(
        "One number for each picture and each channel: which two of the four dimensions have to go?",
        "α is an average over the positions of the map: rows are dimension 2, columns are dimension 3.",
        "`tensor.mean(dim=(…, …))` takes both away at once.",
    ),
    reference=_channel_weights,
    cases=lambda: [(gradients,) for _, gradients in _random_parts()],
    mistakes={
        "sum": Mistake(
            lambda gradients: gradients.sum(dim=(2, 3)),
            "you added the gradients up: the factor 1/Z is missing, α is their average.",
        ),
        "always 64": Mistake(
            lambda gradients: gradients.sum(dim=(2, 3)) / 64,
            "you divided by 64: that fits maps of 8 × 8 places only. Take the mean.",
        ),
        "maximum": Mistake(
            lambda gradients: gradients.amax(dim=(2, 3)),
            "you took the largest gradient: α is the average over all places.",
        ),
        "copied": Mistake(
            lambda gradients: gradients.mean(dim=(1, 2)),
            "you averaged over dimensions 1 and 2, as for a single picture. Here dimension 0 is the picture, so every number moves by one.",
        ),
        "over the batch": Mistake(
            lambda gradients: gradients.mean(dim=(0, 2, 3)),
            "you averaged over the pictures of the batch too: every picture has weights of its own.",
        ),
        "over the channels": Mistake(
            lambda gradients: gradients.mean(dim=1),
            "you averaged over the channels: α has one number for each channel, so dimension 1 must stay.",
        ),
        "sign": Mistake(
            lambda gradients: -gradients.mean(dim=(2, 3)),
            "you changed the sign: a channel that speaks for the class has a positive weight.",
        ),
        "relu": Mistake(
            lambda gradients: gradients.mean(dim=(2, 3)).relu(),
            "you set negative weights to zero: a channel may speak against the class. The ReLU comes later, on the map.",
        ),
        "positive only": Mistake(
            lambda gradients: gradients.clamp(min=0).mean(dim=(2, 3)),
            "you dropped the negative gradients (that is a step of Grad-CAM++): here α may be negative.",
        ),
        "absolute": Mistake(
            lambda gradients: gradients.abs().mean(dim=(2, 3)),
            "you took absolute values: a channel that speaks against the class must keep its minus sign.",
        ),
    },
)


def _class_map(activations: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return torch.relu((weights[:, :, None, None] * activations).sum(dim=1))


def _map_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(activations, gradients.mean(dim=(2, 3))) for activations, gradients in _random_parts()]


class_map = Exercise(
    name="class_map",
    difficulty=1,
    minutes=5,
    hints=(
        "Give the weights two more dimensions, so that they can be multiplied with the maps: `weights[:, :, None, None]`.",
        "Add the weighted maps up over the channels (dimension 1), and only then apply the ReLU.",
    ),
    reference=_class_map,
    cases=_map_cases,
    mistakes={
        "no relu": Mistake(
            lambda activations, weights: (weights[:, :, None, None] * activations).sum(dim=1),
            "the ReLU is missing: places that speak against the class come out negative.",
        ),
        "relu first": Mistake(
            lambda activations, weights: torch.relu(weights[:, :, None, None] * activations).sum(dim=1),
            "you cut the negative part off before adding (of the products or of the weights): then nothing can speak against "
            "the class any more.",
        ),
        "scaled": Mistake(
            lambda activations, weights: (
                _class_map(activations, weights)
                / _class_map(activations, weights).amax(dim=(1, 2), keepdim=True)
            ),
            "you scaled the map: return the sum as it is, in its own units.",
        ),
        "scaled to 0…1": Mistake(
            lambda activations, weights: min_max(_class_map(activations, weights)),
            "you scaled the map to 0…1: return the sum as it is, in its own units.",
        ),
        "mean": Mistake(
            lambda activations, weights: torch.relu((weights[:, :, None, None] * activations).mean(dim=1)),
            "you averaged over the channels: the map is their weighted sum.",
        ),
        "first weights": Mistake(
            lambda activations, weights: torch.relu((weights[0, :, None, None] * activations).sum(dim=1)),
            "you used the first picture's weights for all: each picture has weights of its own.",
        ),
        "sign": Mistake(
            lambda activations, weights: _class_map(activations, -weights),
            "this keeps what speaks against the class: a positive weight speaks for it.",
        ),
        "divided by Z": Mistake(
            lambda activations, weights: _class_map(activations, weights) / activations[0, 0].numel(),
            "you divided by the number of places: the weights hold the factor 1/Z already.",
        ),
        "absolute": Mistake(
            lambda activations, weights: (weights[:, :, None, None] * activations).sum(dim=1).abs(),
            "you took the absolute value: what speaks against the class must become zero, not positive.",
        ),
        "absolute weights": Mistake(
            lambda activations, weights: _class_map(activations, weights.abs()),
            "you took absolute values of the weights: a channel may speak against the class.",
        ),
    },
)


def _best_layer(scores: dict[str, torch.Tensor]) -> str:
    return max(scores, key=lambda name: float(scores[name].mean()))


def _layer_examples() -> list[tuple[dict[str, torch.Tensor]]]:
    return [
        (
            {
                "layer1": torch.tensor([0.1, 0.2]),
                "layer3": torch.tensor([0.4, 0.6]),
                "layer4": torch.tensor([0.9, 1.0]),
            },
        ),
        (
            {
                "layer1": torch.tensor([0.3, 0.2]),
                "layer3": torch.tensor([0.8, 0.9]),
                "layer4": torch.tensor([0.7, 0.8]),
            },
        ),
    ]


best_layer = Question(
    name="best_layer",
    difficulty=1,
    minutes=4,
    hints=(
        "Early layers know edges and colours, late layers know things. Which of the two tells one object from another?",
        'Answer with one of the names in `layer_scores`, as a string: `"layer2"`, for example.',
    ),
    expected=_best_layer,
    examples=_layer_examples,
    mistakes={
        "not a layer": Mistake(
            lambda answer, scores: answer not in scores,
            "that is not one of the layers measured: take a name out of `layer_scores`, as a string.",
            example=lambda scores: "fc",
        ),
        "finest": Mistake(
            lambda answer, scores: answer == next(iter(scores)) and answer != _best_layer(scores),
            "the first layer has the finest map, but its channels react to edges of any object.",
            example=lambda scores: next(iter(scores)),
        ),
        "other": Mistake(
            lambda answer, scores: (
                answer in scores and answer not in (next(iter(scores)), _best_layer(scores))
            ),
            "another layer has the higher mean score. (If the two intervals overlap, this run cannot really separate them.)",
            example=lambda scores: next(n for n in list(scores)[1:] if n != _best_layer(scores)),
        ),
    },
)


def _alpha_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Like `_random_parts`, with gradients that are zero and one place whose denominator is zero (2 + g ΣA = 0)."""
    cases = []
    for activations, gradients in _random_parts():
        gradients[:, 0, 0, 0] = 0.0
        activations[:, 1] = 4.0 / activations[0, 1].numel()  # ΣA = 4
        gradients[:, 1, 0, 1] = -0.5
        total = activations[:, 1].sum(dim=(1, 2), keepdim=True)
        activations[:, 1] *= 4.0 / total
        cases.append((activations, gradients))
    return cases


def _plus_plus_alphas(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    numerator = gradients.pow(2)
    total = activations.sum(dim=(2, 3), keepdim=True)
    denominator = 2 * numerator + total * gradients.pow(3)
    alphas = numerator.clone()
    nonzero = denominator != 0
    alphas[nonzero] = alphas[nonzero] / denominator[nonzero]
    return alphas


def _without_division(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    alphas = gradients.pow(2)
    total = activations.sum(dim=(2, 3), keepdim=True)
    denominator = 2 * gradients.pow(2) + total * gradients.pow(3)
    nonzero = denominator != 0
    for n in range(len(alphas)):
        alphas[n][nonzero[n]].div_(denominator[n][nonzero[n]])  # divides a copy that nobody keeps
    return alphas


plus_plus_alphas = Exercise(
    name="plus_plus_alphas",
    difficulty=2,
    minutes=8,
    hints=(
        "Print `alphas` before and after the line with `div_`. What has changed?",
        "Indexing with a Boolean mask makes a copy. An in-place operation on a copy changes the copy.",
        "Assign the result back: `alphas[nonzero] = …`.",
    ),
    reference=_plus_plus_alphas,
    given=_without_division,
    cases=_alpha_cases,
    mistakes={
        "new copy": Mistake(
            lambda activations, gradients: gradients.pow(2) / 2,
            "you divide by 2 only: the denominator is 2 g² + g³ ΣA, and numerator and denominator both hold g.",
        ),
        "no total": Mistake(
            lambda activations, gradients: (
                gradients.pow(2) / (2 * gradients.pow(2) + activations * gradients.pow(3))
            ),
            "the denominator needs ΣA, the activations added up over the map, not the activation at one place.",
        ),
        "mean for sum": Mistake(
            lambda activations, gradients: _plus_plus_alphas(
                activations / activations[0, 0].numel(), gradients
            ),
            "you took the mean of the activations: the denominator needs their sum over the map.",
        ),
        "sum of products": Mistake(
            lambda activations, gradients: torch.where(
                (den := 2 * gradients**2 + (activations * gradients**3).sum(dim=(2, 3), keepdim=True)) != 0,
                gradients**2 / den,
                gradients**2,
            ),
            "you added up A·g³ over the map: only A is added up, and g³ is taken at each place.",
        ),
        "small number added": Mistake(
            lambda activations, gradients: (
                gradients**2
                / (2 * gradients**2 + activations.sum((2, 3), keepdim=True) * gradients**3 + 1e-8)
            ),
            "you added a small number to the denominator. Where the denominator is zero that gives huge values or 0: there the "
            "factor stays g².",
        ),
        **{
            f"{small} added": Mistake(
                lambda activations, gradients, small=small: (
                    gradients**2
                    / (2 * gradients**2 + activations.sum((2, 3), keepdim=True) * gradients**3 + small)
                ),
                f"you added {small} to the denominator. Where the denominator is zero that gives huge values or 0: there the "
                "factor stays g².",
            )
            for small in (1e-7, 1e-6, 1e-10, 1e-12)
        },
        "NaN to zero": Mistake(
            lambda activations, gradients: torch.nan_to_num(
                gradients**2 / (2 * gradients**2 + activations.sum((2, 3), keepdim=True) * gradients**3)
            ),
            "you put a number where the division failed: where the denominator is zero the factor stays g².",
        ),
        "shortened": Mistake(
            lambda activations, gradients: 1 / (2 + activations.sum((2, 3), keepdim=True) * gradients),
            "you shortened the fraction by g². Where g is zero that gives 1/2, and where 2 + g ΣA is zero it is infinite: where the "
            "denominator is zero the factor stays g².",
        ),
        "zero instead": Mistake(
            lambda activations, gradients: torch.where(
                (den := 2 * gradients**2 + activations.sum((2, 3), keepdim=True) * gradients**3) != 0,
                gradients**2 / den,
                0.0,
            ),
            "where the denominator is zero you give 0: there the factor stays g².",
        ),
        "sum over the channels": Mistake(
            lambda activations, gradients: torch.where(
                (den := 2 * gradients**2 + activations.sum((1, 2, 3), keepdim=True) * gradients**3) != 0,
                gradients**2 / den,
                gradients**2,
            ),
            "you added the activations of all channels up: each channel has its own ΣA, over its places only.",
        ),
        "absolute denominator": Mistake(
            lambda activations, gradients: torch.where(
                (den := 2 * gradients**2 + activations.sum((2, 3), keepdim=True) * gradients**3) != 0,
                gradients**2 / den.abs(),
                gradients**2,
            ),
            "you took the absolute value of the denominator: it may be negative, and then the factor is negative too.",
        ),
        "positive denominators only": Mistake(
            lambda activations, gradients: torch.where(
                (den := 2 * gradients**2 + activations.sum((2, 3), keepdim=True) * gradients**3) > 0,
                gradients**2 / den,
                gradients**2,
            ),
            "you divide only where the denominator is positive: it may be negative. Only a denominator of exactly zero is left out.",
        ),
        "no guard": Mistake(
            lambda activations, gradients: (
                gradients.pow(2)
                / (2 * gradients.pow(2) + activations.sum(dim=(2, 3), keepdim=True) * gradients.pow(3))
            ),
            "where the denominator is zero you divide all the same: there the factor stays g².",
        ),
        "absolute": Mistake(
            lambda activations, gradients: _plus_plus_alphas(activations, gradients.abs()),
            "the third power keeps its sign: do not take absolute values of the gradient.",
        ),
    },
)


def _weighted_cases() -> list[tuple[torch.Tensor]]:
    """Signed maps of several shapes; one of them has only positive places."""
    generator = torch.Generator().manual_seed(2)
    cases = [(torch.randn(shape, generator=generator),) for shape in ((1, 4, 4), (3, 5, 2), (2, 7, 7))]
    return [*cases, (torch.rand((2, 3, 3), generator=generator),)]


against_map = Exercise(
    name="against_map",
    difficulty=1,
    minutes=4,
    hints=(
        "What speaks against the class is negative in the weighted sum.",
        "Change the sign first, then keep what is positive.",
    ),
    reference=lambda weighted: torch.relu(-weighted),
    cases=_weighted_cases,
    mistakes={
        "for": Mistake(torch.relu, "this keeps what speaks for the class: change the sign first."),
        "sign after": Mistake(
            lambda weighted: -torch.relu(weighted),
            "you changed the sign after the ReLU: that is what speaks for the class, made negative.",
        ),
        "negative": Mistake(
            lambda weighted: weighted.clamp(max=0),
            "these are the right places with a minus sign: a map is not negative.",
        ),
        "absolute": Mistake(
            torch.abs, "absolute values mix both: what speaks for the class must become zero."
        ),
        "one minus": Mistake(
            lambda weighted: 1 - torch.relu(weighted),
            "this turns the map of what speaks for the class around: a place that says nothing becomes bright.",
        ),
        "maximum minus": Mistake(
            lambda weighted: weighted.amax(dim=(1, 2), keepdim=True) - weighted,
            "you measured how far each place is below the strongest one: places that speak for the class, or say nothing, must be zero.",
        ),
        "scaled": Mistake(
            lambda weighted: min_max(torch.relu(-weighted)),
            "you scaled each map from 0 to 1: return the values as they are, or a weak map looks like a strong one.",
        ),
        "divided by its maximum": Mistake(
            lambda weighted: torch.relu(-weighted) / torch.relu(-weighted).amax(dim=(1, 2), keepdim=True),
            "you divided each map by its maximum: return the values as they are, or a weak map looks like a strong one.",
        ),
        "no relu": Mistake(
            torch.neg,
            "only the sign is changed: what speaks for the class is negative now, and must become zero.",
        ),
    },
)


def _least_changed(same: dict[str, torch.Tensor]) -> str:
    return max(same, key=lambda name: float(same[name].mean()))


def _same_map_examples() -> list[tuple[dict[str, torch.Tensor]]]:
    return [
        ({name: torch.tensor([value, value]) for name, value in zip(_THREE, values, strict=True)},)
        for values in ((0.9, 0.1, 0.4), (0.3, 0.8, 0.5))
    ]


_THREE = ("guided backprop", "Grad-CAM", "product")

least_changed = Question(
    name="least_changed",
    difficulty=1,
    minutes=4,
    hints=(
        "One of the two factors keeps nearly the same order of its pixels for each class: lesson 02 shows it.",
        "The largest correlation belongs to the map that changes least.",
    ),
    expected=_least_changed,
    examples=_same_map_examples,
    mistakes={
        "not one of the three": Mistake(
            lambda answer, same: answer not in same,
            'choose one of `"guided backprop"`, `"Grad-CAM"` and `"product"`, as a string.',
            example=lambda same: "saliency",
        ),
        "most changed": Mistake(
            lambda answer, same: answer == min(same, key=lambda name: float(same[name].mean())),
            "this one changes most: a small correlation means two different maps.",
            example=lambda same: min(same, key=lambda name: float(same[name].mean())),
        ),
        "in between": Mistake(
            lambda answer, same: answer in same and answer != _least_changed(same),
            "another one has a higher correlation in your run, so it changes less.",
            example=lambda same: sorted(same, key=lambda name: float(same[name].mean()))[1],
        ),
    },
)
