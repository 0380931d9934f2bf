"""The exercises of lesson 11: two rulers, the layer that adds most, a neighbour's sense, padding, the common part."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch

from course_utils.teach.checks import Exercise, Mistake, Question

# --- Euclidean distances ----------------------------------------------------------------------------------


def _pairs_of_sets() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Two sets of vectors, ``(N, D)`` and ``(M, D)``; once with N = M, so that a mixed-up axis goes unnoticed."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, 5, 7), (4, 4, 6), (1, 6, 5), (5, 2, 4)]
    return [
        (
            2 * torch.randn(n, d, generator=generator) + 1,
            3 * torch.randn(m, d, generator=generator),
        )
        for n, m, d in shapes
    ]


def _euclidean_distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a[:, None] - b[None]).square().sum(dim=-1).sqrt()


euclidean_distances = Exercise(
    name="euclidean_distances",
    difficulty=1,
    minutes=8,
    hints=(
        "`a[:, None]` has the shape (N, 1, D), `b[None]` has (1, M, D). What shape has their difference?",
        "Square the differences, add them up over the last dimension, and only then take the root.",
    ),
    reference=_euclidean_distances,
    cases=_pairs_of_sets,
    mistakes={
        "no root": Mistake(
            lambda a, b: (a[:, None] - b[None]).square().sum(dim=-1),
            "the root is missing: these are squared distances.",
        ),
        "mean": Mistake(
            lambda a, b: (a[:, None] - b[None]).square().mean(dim=-1).sqrt(),
            "you averaged the squares: the distance adds them up.",
        ),
        "absolute": Mistake(
            lambda a, b: (a[:, None] - b[None]).abs().sum(dim=-1),
            "you added up absolute differences: that is the Manhattan distance.",
        ),
        "other way round": Mistake(
            lambda a, b: (b[:, None] - a[None]).square().sum(dim=-1).sqrt(),
            "rows and columns are exchanged: row i belongs to a[i], column j to b[j].",
        ),
        "root first": Mistake(
            lambda a, b: (a[:, None] - b[None]).sum(dim=-1).square().sqrt(),
            "you added the differences up before squaring them: then they cancel out.",
        ),
    },
)

# --- find the bug: the cosine -----------------------------------------------------------------------------


def _cosine_similarities(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a @ b.T) / (a.norm(dim=1)[:, None] * b.norm(dim=1)[None])


def _one_minus(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return 1 - _cosine_similarities(a, b)


cosine_similarities = Exercise(
    name="cosine_similarities",
    difficulty=2,
    minutes=8,
    hints=(
        "Give it the same vectors twice. What should stand on the diagonal, and what does?",
        "`scipy.spatial.distance.cosine` is a *distance*, 0 for the same direction. What is asked for here?",
        "One operation too many stands in the last line.",
    ),
    reference=_cosine_similarities,
    given=_one_minus,
    cases=_pairs_of_sets,
    mistakes={
        "dot product": Mistake(
            lambda a, b: a @ b.T,
            "this is the dot product: without the two lengths, long vectors look alike.",
        ),
        "one length": Mistake(
            lambda a, b: (a @ b.T) / a.norm(dim=1)[:, None],
            "you divided by the length of a only: b has a length too.",
        ),
        "one length for all": Mistake(
            lambda a, b: (a @ b.T) / (a.norm() * b.norm()),
            "you took one length of the whole matrix: each row has its own, `norm(dim=1)`.",
        ),
        "squared lengths": Mistake(
            lambda a, b: (a @ b.T) / (a.square().sum(dim=1)[:, None] * b.square().sum(dim=1)[None]),
            "you divided by squared lengths: the root is missing.",
        ),
        "absolute": Mistake(
            lambda a, b: _cosine_similarities(a, b).abs(),
            "you dropped the sign: opposite directions have −1, not 1.",
        ),
        "minus one": Mistake(
            lambda a, b: _cosine_similarities(a, b) - 1,
            "you turned the sign around, but the 1 is still there: the diagonal of equal vectors must be 1.",
        ),
        "halved": Mistake(
            lambda a, b: (1 + _cosine_similarities(a, b)) / 2,
            "you squeezed it into 0 … 1: the similarity itself runs from −1 to 1.",
        ),
    },
)

# --- predict: the layer that adds most --------------------------------------------------------------------


def _layer_that_adds_most(scores: Mapping[int, np.ndarray]) -> int:
    layers = sorted(scores)
    gains = {b: float(np.mean(scores[b])) - float(np.mean(scores[a])) for a, b in pairwise(layers)}
    return max(gains, key=gains.get)


def _best_layer(scores: Mapping[int, np.ndarray]) -> int:
    return max(scores, key=lambda layer: float(np.mean(scores[layer])))


def _score_examples() -> list[tuple[dict[int, np.ndarray]]]:
    runs = [
        [0.5, 0.72, 0.75, 0.8, 0.83, 0.82, 0.8],
        [0.5, 0.51, 0.6, 0.85, 0.86, 0.9, 0.88],
        [0.48, 0.55, 0.56, 0.6, 0.93, 0.9, 0.91],
    ]
    return [({layer: np.array([m - 0.01, m + 0.01]) for layer, m in enumerate(run)},) for run in runs]


layer_that_adds_most = Question(
    name="layer_that_adds_most",
    difficulty=1,
    minutes=4,
    hints=(
        "Compare each layer with the one before it, not with zero.",
        "`{layer: values.mean() for layer, values in separations.items()}` lists the means. Between which two neighbours is the "
        "step largest? Answer with the upper one.",
    ),
    expected=_layer_that_adds_most,
    examples=_score_examples,
    mistakes={
        "not a layer": Mistake(
            lambda answer, scores: answer not in scores or answer == 0,
            "that is not one of the layers that can add something: answer with a whole number from 1 on. (Number 0 is the input.)",
            example=lambda scores: 0,
        ),
        "best": Mistake(
            lambda answer, scores: answer == _best_layer(scores) and answer != _layer_that_adds_most(scores),
            "this layer has the highest score, but most of it was there before: asked for is the largest step.",
            example=_best_layer,
        ),
        "other": Mistake(
            lambda answer, scores: (
                answer in scores and answer not in (0, _best_layer(scores), _layer_that_adds_most(scores))
            ),
            "another layer adds more. Look at the steps between neighbours.",
            example=lambda scores: next(
                layer
                for layer in sorted(scores)[1:]
                if layer not in (_best_layer(scores), _layer_that_adds_most(scores))
            ),
        ),
    },
)

# --- the sense of the nearest neighbour -------------------------------------------------------------------


def _neighbour_accuracy(similarities: torch.Tensor, labels: torch.Tensor) -> float:
    others = similarities.clone().fill_diagonal_(-torch.inf)
    return float((labels[others.argmax(dim=1)] == labels).float().mean())


def _similarity_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Similarity matrices and labels; in the second all similarities between different items are negative."""
    generator = torch.Generator().manual_seed(3)
    cases = []
    for n, classes, offset in ((12, 2, 0.3), (9, 3, -1.2), (20, 2, 0.0), (15, 4, 0.1)):
        labels = torch.randint(classes, (n,), generator=generator)
        noise = torch.randn(n, n, generator=generator)
        same = (labels[:, None] == labels[None]).float()
        similarities = (0.15 * (noise + noise.T) + 0.25 * same + offset).clamp(-0.99, 0.99)
        if offset < -1:
            similarities = similarities.clamp(max=-0.05) + 0.02 * torch.rand(n, n, generator=generator).triu()
            similarities = (similarities + similarities.T) / 2
        cases.append((similarities.fill_diagonal_(1.0), labels))
    return cases


def _zero_diagonal(similarities: torch.Tensor, labels: torch.Tensor) -> float:
    others = similarities.clone().fill_diagonal_(0)
    return float((labels[others.argmax(dim=1)] == labels).float().mean())


def _without_own(similarities: torch.Tensor, labels: torch.Tensor) -> float:
    others = similarities.clone().fill_diagonal_(torch.inf)
    return float((labels[others.argmin(dim=1)] == labels).float().mean())


neighbour_accuracy = Exercise(
    name="neighbour_accuracy",
    difficulty=2,
    minutes=10,
    hints=(
        "Each row's largest entry is its own 1. It must be out of the way before you look for the largest.",
        "Work on a copy: `others = similarities.clone()`, then `others.fill_diagonal_(…)`. Which value can never win?",
        "`others.argmax(dim=1)` is the neighbour of each item. Compare its label with the item's own.",
    ),
    reference=_neighbour_accuracy,
    cases=_similarity_cases,
    mistakes={
        "itself": Mistake(
            lambda similarities, labels: float((labels[similarities.argmax(dim=1)] == labels).float().mean()),
            "every item finds itself: its similarity with itself is 1. Take the diagonal away first.",
        ),
        "zero diagonal": Mistake(
            _zero_diagonal,
            "you put 0 on the diagonal: where all other similarities are negative, the item still finds itself.",
        ),
        "farthest": Mistake(
            _without_own,
            "you took the smallest similarity: that is the item farthest away. A similarity is not a distance.",
        ),
        "pairs": Mistake(
            lambda similarities, labels: float((labels[:, None] == labels[None]).float().mean()),
            "you compared all pairs of labels: only each item and its one nearest neighbour count.",
        ),
    },
)

# --- the mean of the tokens that are there ----------------------------------------------------------------


def _padded_batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """States ``(N, T, D)`` and masks ``(N, T)``; texts of different lengths, padding filled with numbers."""
    generator = torch.Generator().manual_seed(5)
    cases = []
    for n, length, d in ((3, 6, 4), (2, 5, 5), (4, 8, 3)):
        states = torch.randn(n, length, d, generator=generator) + 1
        lengths = torch.randint(2, length, (n,), generator=generator)
        lengths[0] = length
        cases.append((states, (torch.arange(length)[None] < lengths[:, None]).long()))
    return cases


def _mean_of_tokens(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask[..., None].to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


mean_of_tokens = Exercise(
    name="mean_of_tokens",
    difficulty=2,
    minutes=8,
    hints=(
        "Give the mask a third dimension, so that it can be multiplied with the states: `mask[..., None]`.",
        "Multiply, add up over the tokens, and divide by the number of ones in each row of the mask.",
    ),
    reference=_mean_of_tokens,
    cases=_padded_batches,
    mistakes={
        "padding": Mistake(
            lambda states, mask: states.mean(dim=1),
            "the padding is in your mean: a text's vector then depends on the longest text of its batch.",
        ),
        "divided by T": Mistake(
            lambda states, mask: (states * mask[..., None]).mean(dim=1),
            "you set the padding to zero but still divide by T: divide by the number of tokens that are there.",
        ),
        "sum": Mistake(
            lambda states, mask: (states * mask[..., None]).sum(dim=1),
            "this is the sum: divide by the number of tokens that are there.",
        ),
        "first token": Mistake(
            lambda states, mask: states[:, 0],
            "you took the state of [CLS] alone: asked for is the mean of all tokens.",
        ),
        "over the batch": Mistake(
            lambda states, mask: (states * mask[..., None]).sum(dim=1) / mask.sum(),
            "you divided by all tokens of the batch: each text has its own number.",
        ),
    },
)

# --- without what all share -------------------------------------------------------------------------------


def _clouds() -> list[tuple[torch.Tensor]]:
    """Clouds of vectors ``(N, D)`` with a large mean and one direction that is stronger than the rest."""
    generator = torch.Generator().manual_seed(7)
    cases = []
    for n, d in ((30, 6), (12, 8), (20, 4)):
        strong = torch.nn.functional.normalize(torch.randn(d, generator=generator), dim=0)
        amounts = 5 * torch.randn(n, 1, generator=generator)
        mean = 6 * torch.randn(d, generator=generator)
        cases.append((torch.randn(n, d, generator=generator) + amounts * strong + mean,))
    return cases


def _direction(rows: torch.Tensor) -> torch.Tensor:
    return torch.linalg.svd(rows, full_matrices=False).Vh[0]


def _without_common_part(states: torch.Tensor) -> torch.Tensor:
    centred = states - states.mean(dim=0)
    v = _direction(centred)
    return centred - (centred @ v)[:, None] * v


def _uncentred_direction(states: torch.Tensor) -> torch.Tensor:
    v = _direction(states)
    centred = states - states.mean(dim=0)
    return centred - (centred @ v)[:, None] * v


def _never_centred(states: torch.Tensor) -> torch.Tensor:
    v = _direction(states)
    return states - (states @ v)[:, None] * v


def _kept_direction(states: torch.Tensor) -> torch.Tensor:
    centred = states - states.mean(dim=0)
    v = _direction(centred)
    return (centred @ v)[:, None] * v


def _mean_put_back(states: torch.Tensor) -> torch.Tensor:
    return _without_common_part(states) + states.mean(dim=0)


without_common_part = Exercise(
    name="without_common_part",
    difficulty=3,
    minutes=12,
    hints=(
        "First subtract the mean of the rows, and go on with what is left.",
        "`torch.linalg.svd(centred, full_matrices=False).Vh[0]` is the strongest direction v, of length one.",
        "The part of a row x along v is (x · v) v. Subtract it from each row.",
    ),
    reference=_without_common_part,
    cases=_clouds,
    mistakes={
        "mean only": Mistake(
            lambda states: states - states.mean(dim=0),
            "you subtracted the mean only: the strongest direction is still in.",
        ),
        "direction of the uncentred": Mistake(
            _uncentred_direction,
            "you took the direction from the states before subtracting the mean: then it mostly points at the mean.",
        ),
        "never centred": Mistake(
            _never_centred,
            "the mean was not subtracted: do that first, then look for the strongest direction.",
        ),
        "kept": Mistake(
            _kept_direction,
            "you kept the strongest direction and threw the rest away: it has to be subtracted.",
        ),
        "mean put back": Mistake(
            _mean_put_back,
            "you added the mean again at the end: it is part of what all states share, and stays away.",
        ),
    },
)
