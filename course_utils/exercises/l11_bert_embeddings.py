"""The exercises of lesson 11: two rulers, the layer that adds most, a paired interval, padding, a control task, the
common part, neighbours in a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import torch

from course_utils.teach.checks import Exercise, Mistake, Question, wrong_answer
from course_utils.teach.quiz import quiz

# --- questions that open and close without a kernel -------------------------------------------------------

when_it_leaves = quiz(
    "In which layer will the answer “bread” first lie apart from all other words?",
    [
        "Already in layer 0: it is the only food in the passage.",
        "In layer 2, when words of like meaning gather.",
        "In layer 4, when the question finds its sentence.",
        "In layer 6, just before the answer is given.",
    ],
    3,
    [
        "In layer 0 a state knows its word and its position, and nothing of the question.",
        "In layer 2 it lies with other things, such as bees.",
        "In layer 4 it still lies with the other things.",
        "The last states are what the answer is read from, so there the chosen tokens have to differ.",
    ],
)

which_span_leaves = quiz(
    "The model answers a question wrongly. Which tokens lie farthest from the rest in the last layer?",
    [
        "Those of the right answer: the states know more than the model says.",
        "Those of the answer that the model gives.",
        "Neither: a model that is wrong has found nothing.",
    ],
    1,
    [
        "The right answer moves a little only. See the figure below.",
        "The states show the decision of the model, not the truth.",
        "Something leaves in most passages: the model has to answer. See the figure below.",
    ],
)

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


def _cosine_similarity(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.cosine_similarity(a[:, None], b[None], dim=-1)


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
        "largest": Mistake(
            lambda a, b: (a[:, None] - b[None]).abs().amax(dim=-1),
            "you took the largest difference: the distance adds up the squares of all of them.",
        ),
        "lengths": Mistake(
            lambda a, b: (a.norm(dim=1)[:, None] - b.norm(dim=1)[None]).abs(),
            "you subtracted the lengths: two vectors of one length can be far apart.",
        ),
        "without products": Mistake(
            lambda a, b: (a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)[None]).sqrt(),
            "the product is missing: (a − b)² is a² + b² − 2ab.",
        ),
        "similarity": Mistake(_cosine_similarity, "this is the cosine similarity, the other ruler."),
        "over the rows": Mistake(
            lambda a, b: (a[:, None] - b[None]).square().sum(dim=1).sqrt(),
            "you added up over the rows of b: add up over the last dimension, the numbers of a vector.",
        ),
        "half": Mistake(
            lambda a, b: (a[:, None] - b[None]).square().mean(dim=-1),
            "you averaged the squares and took no root: add them up, then take the root.",
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
        "other length": Mistake(
            lambda a, b: (a @ b.T) / b.norm(dim=1)[None],
            "you divided by the length of b only: a has a length too.",
        ),
        "sign": Mistake(
            lambda a, b: -_cosine_similarities(a, b),
            "the sign is reversed: a vector with itself must get 1, not −1.",
        ),
        "no negative": Mistake(
            lambda a, b: _cosine_similarities(a, b).clamp(min=0),
            "you cut off what is below 0: opposite directions have −1.",
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
        "exchanged": Mistake(
            lambda a, b: _cosine_similarities(b, a),
            "rows and columns are exchanged: row i belongs to a[i], column j to b[j].",
        ),
        "angle": Mistake(
            lambda a, b: torch.acos(_cosine_similarities(a, b).clamp(-1, 1)),
            "this is the angle: asked for is its cosine.",
        ),
        "distance": Mistake(torch.cdist, "this is the Euclidean distance, the other ruler."),
        "centred": Mistake(
            lambda a, b: _cosine_similarities(*(x - x.mean(dim=1, keepdim=True) for x in (a, b))),
            "you subtracted each vector's mean first: that is the correlation.",
        ),
        "columns": Mistake(
            lambda a, b: (a / a.norm(dim=0)) @ (b / b.norm(dim=0)).T,
            "you divided by the lengths of the columns: each *row* is a vector, so `norm(dim=1)`.",
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


def _is_layer(answer: object, scores: Mapping[int, np.ndarray]) -> bool:
    try:
        return answer in scores
    except TypeError:  # a list, for one
        return False


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
            lambda answer, scores: not _is_layer(answer, scores) or answer == 0,
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

# --- look: which model was fine-tuned ---------------------------------------------------------------------


def _letter_of(kind: str) -> Callable[[Mapping[str, str]], str]:
    return lambda shown: next(letter for letter, of in shown.items() if of == kind)


which_is_fine_tuned = Question(
    name="which_is_fine_tuned",
    difficulty=1,
    minutes=4,
    hints=(
        "The fine-tuned model was asked for one number in the passage, and has to point at it.",
        "With random weights nothing has been learnt: what you see is word, position, and question or passage.",
    ),
    expected=_letter_of("fine-tuned"),
    examples=lambda: [
        (dict(zip("ABC", kinds, strict=True)),)
        for kinds in (("fine-tuned", "plain", "random weights"), ("random weights", "fine-tuned", "plain"))
    ],
    mistakes={
        "plain": wrong_answer(
            _letter_of("plain"),
            "this is the plain encoder: no word of the passage lies far from all others there.",
        ),
        "random": wrong_answer(
            _letter_of("random weights"),
            "this model has random weights: nothing sets the answer apart from the other words of the passage.",
        ),
    },
)

# --- which neighbours a picture keeps ---------------------------------------------------------------------


def _drawn_clouds() -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Rows ``(N, D)``, a picture of them ``(N, 2)`` that keeps some neighbours, and a number of neighbours."""
    rng = np.random.default_rng(11)
    cases = []
    for n, d, k in ((20, 6, 5), (30, 8, 4), (12, 5, 3)):
        x = rng.normal(size=(n, d)) * np.linspace(2, 0.5, d)
        cases.append((x, x[:, :2] + 0.2 * rng.normal(size=(n, 2)), k))
    return cases


def _distances(x: np.ndarray) -> np.ndarray:
    return np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=-1))


def _nearest(x: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(_distances(x), axis=1)[:, 1 : k + 1]


def _shared_rows(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """How many numbers each row of one shares with the same row of two."""
    return np.array([len(np.intersect1d(a, b)) for a, b in zip(one, two, strict=True)])


def _neighbours_kept(x: np.ndarray, points: np.ndarray, k: int) -> float:
    return float(_shared_rows(_nearest(x, k), _nearest(points, k)).mean() / k)


def _with_itself(x: np.ndarray, points: np.ndarray, k: int) -> float:
    near = [np.argsort(_distances(v), axis=1)[:, :k] for v in (x, points)]
    return float(_shared_rows(*near).mean() / k)


def _farthest(x: np.ndarray, points: np.ndarray, k: int) -> float:
    near = [np.argsort(-_distances(v), axis=1)[:, :k] for v in (x, points)]
    return float(_shared_rows(*near).mean() / k)


def _one_less(x: np.ndarray, points: np.ndarray, k: int) -> float:
    near = [np.argsort(_distances(v), axis=1)[:, 1:k] for v in (x, points)]
    return float(_shared_rows(*near).mean() / k)


def _of_the_union(x: np.ndarray, points: np.ndarray, k: int) -> float:
    both = _shared_rows(_nearest(x, k), _nearest(points, k))
    return float((both / (2 * k - both)).mean())


def _one_more(x: np.ndarray, points: np.ndarray, k: int) -> float:
    near = [np.argsort(_distances(v), axis=1)[:, : k + 1] for v in (x, points)]
    return float(_shared_rows(*near).mean() / (k + 1))


neighbours_kept = Exercise(
    name="neighbours_kept",
    difficulty=2,
    minutes=8,
    hints=(
        "`np.argsort(cdist(x, x), axis=1)` lists for each row all rows, the nearest first. Who is the very first?",
        "The columns 1 to k are the k nearest *other* rows. Do it for x and for the points.",
        "`len(np.intersect1d(a, b)) / k` is the share for one token. Take the mean over all tokens.",
    ),
    reference=_neighbours_kept,
    cases=_drawn_clouds,
    mistakes={
        "with itself": Mistake(
            _with_itself,
            "each token is its own nearest neighbour here, in both lists: leave the first column out.",
        ),
        "with itself, one more": Mistake(
            _one_more, "you took k + 1 rows, and the token itself is one of them: leave it out, divide by k."
        ),
        "one less": Mistake(
            _one_less, "you took k − 1 neighbours: the slice 1:k ends before k. Take the columns 1 to k."
        ),
        "one less, its own share": Mistake(
            lambda x, points, k: _neighbours_kept(x, points, k - 1),
            "this is the share for k − 1 neighbours: the slice 1:k ends before k. Take the columns 1 to k.",
        ),
        "percent": Mistake(
            lambda x, points, k: 100 * _neighbours_kept(x, points, k),
            "these are percent: a share runs from 0 to 1.",
        ),
        "each token": Mistake(
            lambda x, points, k: _shared_rows(_nearest(x, k), _nearest(points, k)) / k,
            "this is one share for each token: take their mean.",
        ),
        "both lists": Mistake(
            lambda x, points, k: _neighbours_kept(x, points, k) / 2,
            "you divided by the length of both lists together: divide by k.",
        ),
        "itself counted": Mistake(
            lambda x, points, k: _one_more(x, points, k) * (k + 1) / k,
            "the token itself is counted as a neighbour that is kept: begin with the column 1.",
        ),
        "farthest": Mistake(_farthest, "you took the farthest rows: the smallest distances are asked for."),
        "same place": Mistake(
            lambda x, points, k: float((_nearest(x, k) == _nearest(points, k)).mean()),
            "you compared the lists place by place: a neighbour is kept wherever it stands in the list.",
        ),
        "union": Mistake(_of_the_union, "you divided by the union of both lists: divide by k."),
        "number": Mistake(
            lambda x, points, k: _neighbours_kept(x, points, k) * k,
            "this is the number of neighbours that are kept: divide by k.",
        ),
        "sum": Mistake(
            lambda x, points, k: _neighbours_kept(x, points, k) * len(x),
            "you added the shares up: take their mean over the tokens.",
        ),
        "lost": Mistake(
            lambda x, points, k: 1 - _neighbours_kept(x, points, k),
            "this is the share of the neighbours that are lost.",
        ),
        "all kept": Mistake(
            lambda x, points, k: 1.0,
            "you compared one list with itself: one list is from x, the other from the points.",
        ),
    },
)

# --- is one layer better than another? --------------------------------------------------------------------


def _paired_interval(first: np.ndarray, second: np.ndarray, draws: np.ndarray) -> np.ndarray:
    difference = second - first
    low, high = np.quantile(difference[draws].mean(axis=1), [0.025, 0.975])
    return np.array([difference.mean(), low, high])


def _two_layers() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Hits of two layers on the same items, and which items each of the draws holds."""
    rng = np.random.default_rng(5)
    cases = []
    for n, n_draws in ((40, 200), (25, 300), (60, 150)):
        hard = rng.random(n)
        first, second = (rng.random((2, n)) > 0.6 * hard + np.array([[0.2], [0.1]])).astype(float)
        cases.append((first, second, rng.integers(n, size=(n_draws, n))))
    return cases


def _unpaired(first: np.ndarray, second: np.ndarray, draws: np.ndarray) -> np.ndarray:
    means = second[draws].mean(axis=1) - first[draws[::-1]].mean(axis=1)
    return np.array([(second - first).mean(), *np.quantile(means, [0.025, 0.975])])


def _bounds_apart(first: np.ndarray, second: np.ndarray, draws: np.ndarray) -> np.ndarray:
    bounds = [np.quantile(hits[draws].mean(axis=1), [0.025, 0.975]) for hits in (first, second)]
    return np.array([(second - first).mean(), bounds[1][0] - bounds[0][0], bounds[1][1] - bounds[0][1]])


def _spread_of_items(first: np.ndarray, second: np.ndarray, draws: np.ndarray) -> np.ndarray:
    difference = second - first
    return np.array([difference.mean(), *np.quantile(difference, [0.025, 0.975])])


def _ninety(first: np.ndarray, second: np.ndarray, draws: np.ndarray) -> np.ndarray:
    difference = second - first
    return np.array([difference.mean(), *np.quantile(difference[draws].mean(axis=1), [0.05, 0.95])])


def _ends_crossed(first: np.ndarray, second: np.ndarray, draws: np.ndarray) -> np.ndarray:
    a, b = (np.quantile(hits[draws].mean(axis=1), [0.025, 0.975]) for hits in (first, second))
    return np.array([(second - first).mean(), b[0] - a[1], b[1] - a[0]])


def _extremes(first: np.ndarray, second: np.ndarray, draws: np.ndarray) -> np.ndarray:
    means = (second - first)[draws].mean(axis=1)
    return np.array([(second - first).mean(), means.min(), means.max()])


def _one_deviation(first: np.ndarray, second: np.ndarray, draws: np.ndarray) -> np.ndarray:
    half = (second - first)[draws].mean(axis=1).std()
    return (second - first).mean() + np.array([0, -half, half])


def _normal(first: np.ndarray, second: np.ndarray, draws: np.ndarray, ddof: int = 0) -> np.ndarray:
    difference = second - first
    half = 1.96 * difference.std(ddof=ddof) / len(difference) ** 0.5
    return difference.mean() + np.array([0, -half, half])


paired_interval = Exercise(
    name="paired_interval",
    difficulty=2,
    minutes=10,
    hints=(
        "Take the difference item by item *first*: one number for each item.",
        "`difference[draws]` has one row for each draw. Which axis holds the items of one draw?",
        "`np.quantile(means, [0.025, 0.975])` cuts off 2.5 % at either end.",
    ),
    reference=_paired_interval,
    cases=_two_layers,
    mistakes={
        "unpaired": Mistake(
            _unpaired,
            "you drew the items of the two layers separately. Both saw the same items, so one draw must serve both.",
        ),
        "bounds apart": Mistake(
            _bounds_apart,
            "you took two intervals and subtracted their ends. The interval of a difference is another thing.",
        ),
        "spread of items": Mistake(
            _spread_of_items,
            "this is the spread of single items. The interval is that of their *mean*, over the draws.",
        ),
        "normal": Mistake(
            _normal,
            "these ends come from a formula with the standard error. Take quantiles of the means of the draws.",
        ),
        "normal of a sample": Mistake(
            lambda first, second, draws: _normal(first, second, draws, ddof=1),
            "these ends come from the standard error of a sample, by a formula. Take quantiles of the means of the draws.",
        ),
        "centre of the draws": Mistake(
            lambda first, second, draws: np.array(
                [(second - first)[draws].mean(), *_paired_interval(first, second, draws)[1:]]
            ),
            "your first number is the mean over the draws. It is the mean of the items as they are.",
        ),
        "wrong axis": Mistake(
            lambda first, second, draws: np.array(
                [
                    (second - first).mean(),
                    *np.quantile((second - first)[draws].mean(axis=0), [0.025, 0.975]),
                ]
            ),
            "you averaged over the draws. A row of `draws` is one draw: average over its items, axis 1.",
        ),
        "ends crossed": Mistake(
            _ends_crossed,
            "you subtracted the ends of two separate intervals. Take the difference item by item first.",
        ),
        "extremes": Mistake(
            _extremes,
            "these are the smallest and the largest mean of all draws: take the quantiles 0.025 and 0.975.",
        ),
        "standard deviation": Mistake(
            _one_deviation,
            "this is the mean with one standard deviation of the draws on either side: take quantiles.",
        ),
        "distances to the ends": Mistake(
            lambda first, second, draws: (
                _paired_interval(first, second, draws) - np.array([0, 1, 1]) * (second - first).mean()
            ),
            "you gave the distances from the mean to the ends: give the ends themselves.",
        ),
        "mean in the middle": Mistake(
            lambda first, second, draws: _paired_interval(first, second, draws)[[1, 0, 2]],
            "the order is another one: first the mean, then the lower and the upper end.",
        ),
        "ends exchanged": Mistake(
            lambda first, second, draws: _paired_interval(first, second, draws)[[0, 2, 1]],
            "the two ends are exchanged: the lower one comes first.",
        ),
        "percentile": Mistake(
            lambda first, second, draws: np.array(
                [
                    (second - first).mean(),
                    *np.percentile((second - first)[draws].mean(axis=1), [0.025, 0.975]),
                ]
            ),
            "`np.percentile` counts in percent, so your ends are 0.025 % and 0.975 %: take `np.quantile`.",
        ),
        "sums": Mistake(
            lambda first, second, draws: np.array(
                [(second - first).mean(), *np.quantile((second - first)[draws].sum(axis=1), [0.025, 0.975])]
            ),
            "your ends are those of the *sum* of a draw: take the mean of its items.",
        ),
        "ninety": Mistake(_ninety, "you cut off 5 % at either end: that is a 90 % interval."),
        "reversed": Mistake(
            lambda first, second, draws: _paired_interval(second, first, draws),
            "the sign is reversed: the task asks for second minus first.",
        ),
    },
)

# --- a task that only memory can solve --------------------------------------------------------------------


def _control_task(words: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    types, index = np.unique(words, return_inverse=True)
    return np.random.default_rng(seed).choice(labels, size=len(types))[index]


def _tagged() -> list[tuple[np.ndarray, np.ndarray, int]]:
    rng = np.random.default_rng(6)
    cases = []
    for n, n_words, seed in ((30, 6, 0), (50, 9, 3), (24, 5, 7)):
        words = rng.choice(np.arange(100, 200), size=n_words, replace=False)[rng.integers(n_words, size=n)]
        labels = rng.choice(3, p=[0.6, 0.3, 0.1], size=n)
        cases.append((words, labels, seed))
    return cases


def _of_set(words: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    types, index = np.unique(words, return_inverse=True)
    return np.random.default_rng(seed).choice(np.unique(labels), size=len(types))[index]


def _first_seen(words: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    types = list(dict.fromkeys(words))
    drawn = np.random.default_rng(seed).choice(labels, size=len(types))
    return np.array([drawn[types.index(word)] for word in words])


def _with_probabilities(words: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    types, index = np.unique(words, return_inverse=True)
    classes, counts = np.unique(labels, return_counts=True)
    rng = np.random.default_rng(seed)
    return rng.choice(classes, size=len(types), p=counts / counts.sum())[index]


def _by_number(words: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(labels, size=words.max() + 1)[words]


def _first_of_a_shuffle(words: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    types, index = np.unique(words, return_inverse=True)
    return np.random.default_rng(seed).permutation(labels)[: len(types)][index]


def _true_label_of_word(words: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    types, index = np.unique(words, return_inverse=True)
    return np.array([np.bincount(labels[words == word]).argmax() for word in types])[index]


control_task = Exercise(
    name="control_task",
    difficulty=2,
    minutes=10,
    hints=(
        "`np.unique(words, return_inverse=True)` gives the different words in ascending order, and for each token the place of its word among them.",
        "Draw one label for each *word*, not for each token: `rng.choice(labels, size=…)`.",
        "`drawn[index]` hands each token the label of its word.",
    ),
    reference=_control_task,
    cases=_tagged,
    mistakes={
        "each token": Mistake(
            lambda words, labels, seed: np.random.default_rng(seed).choice(labels, size=len(words)),
            "you drew a label for each token. Then even a probe that learns words by heart must fail: the same word has to keep its label.",
        ),
        "shuffled": Mistake(
            lambda words, labels, seed: np.random.default_rng(seed).permutation(labels),
            "you shuffled the labels of the tokens: the same word has to keep its label.",
        ),
        "set of labels": Mistake(
            _of_set,
            "you drew from the *set* of labels. Draw from `labels` itself, so that frequent labels stay frequent; else the control is a task of another difficulty.",
        ),
        "probabilities": Mistake(
            _with_probabilities,
            "your task is a good control task, but not the one asked for: `choice(classes, p=…)` draws other numbers "
            "from the same seed. Draw from the array `labels` itself.",
        ),
        "by number": Mistake(
            _by_number,
            "you drew a label for each number up to the largest word: draw as many as there are different words.",
        ),
        "real labels": Mistake(
            lambda words, labels, seed: labels,
            "these are the real labels: the control task needs random ones.",
        ),
        "first of a shuffle": Mistake(
            _first_of_a_shuffle,
            "you shuffled the labels and took the first ones. Each word's label is drawn anew: use `choice`.",
        ),
        "not random": Mistake(
            _true_label_of_word,
            "each word got its most frequent true label. A control task must be random: nothing but memory may help.",
        ),
        "one label": Mistake(
            lambda words, labels, seed: np.full(len(words), np.random.default_rng(seed).choice(labels)),
            "all words got one label: draw one for each different word, `size=` their number.",
        ),
        "no repetition": Mistake(
            lambda words, labels, seed: (
                lambda types, index: np.random.default_rng(seed).choice(
                    labels, size=len(types), replace=False
                )[index]
            )(*np.unique(words, return_inverse=True)),
            "you drew without replacement. Each word's label is drawn anew from all labels.",
        ),
        "seed not used": Mistake(
            lambda words, labels, seed: _control_task(words, labels, 0),
            "your task is right for the seed 0, and the same for every other seed: hand `seed` to `default_rng`.",
        ),
        "older generator": Mistake(
            lambda words, labels, seed: (
                lambda types, index: np.random.RandomState(seed).choice(labels, size=len(types))[index]
            )(*np.unique(words, return_inverse=True)),
            "your task is a good control task, but NumPy's older generator draws other numbers from the same seed: "
            "use `np.random.default_rng(seed)`.",
        ),
        "order": Mistake(
            _first_seen,
            "each word keeps its label, but the words were taken as they come: take them in ascending order, as the task says.",
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
        lengths = torch.randint(2, length - 1, (n,), generator=generator)
        lengths[0] = length - 1  # even the longest text has some padding
        cases.append((states, (torch.arange(length)[None] < lengths[:, None]).long()))
        if n > 2:  # some tokenizers put the padding in front
            cases.append((states, (torch.arange(length)[None] >= length - lengths[:, None]).long()))
    return cases


def _first_n(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return torch.stack([x[: int(n)].mean(dim=0) for x, n in zip(states, mask.sum(dim=1), strict=True)])


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
        "last tokens": Mistake(
            lambda states, mask: _first_n(states.flip(1), mask),
            "you took the last tokens, as many as the mask counts: the padding can stand at the end. Use the mask "
            "itself.",
        ),
        "first tokens": Mistake(
            _first_n,
            "you took the first tokens, as many as the mask counts: the padding can stand in front. Use the mask itself.",
        ),
        "longest": Mistake(
            lambda states, mask: (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1).max(),
            "you divided by the number of tokens of the longest text: each text has its own number.",
        ),
        "padding instead": Mistake(
            lambda states, mask: (states * (1 - mask)[..., None]).sum(dim=1) / (1 - mask).sum(dim=1)[:, None],
            "this is the mean of the padding: the mask is 1 where a token is.",
        ),
        "padding in the sum": Mistake(
            lambda states, mask: states.sum(dim=1) / mask.sum(dim=1)[:, None],
            "you divide by the right number, but the padding is still in the sum: multiply with the mask first.",
        ),
        "cut to the longest": Mistake(
            lambda states, mask: states[:, : int(mask.sum(dim=1).max())].mean(dim=1),
            "you cut all texts to the length of the longest: shorter ones still hold padding. Use the mask itself.",
        ),
        "over dimensions": Mistake(
            lambda states, mask: (states * mask[..., None]).mean(dim=2),
            "you averaged over the numbers of a state: average over the tokens, dim=1.",
        ),
        "without special": Mistake(
            lambda states, mask: _mean_of_tokens(states[:, 1:], mask[:, 1:]),
            "you left out the first token: asked for is the mean of all that the mask counts.",
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


def _without_part(x: torch.Tensor, measured: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return x - (measured @ v)[:, None] * v


def _kept_direction(states: torch.Tensor) -> torch.Tensor:
    centred = states - states.mean(dim=0)
    v = _direction(centred)
    return (centred @ v)[:, None] * v


def _mean_put_back(states: torch.Tensor) -> torch.Tensor:
    return _without_common_part(states) + states.mean(dim=0)


def _without_direction(states: torch.Tensor, choose: Callable) -> torch.Tensor:
    centred = states - states.mean(dim=0)
    v = choose(torch.linalg.svd(centred, full_matrices=False))
    return centred - (centred @ v)[:, None] * v


def _row_means(states: torch.Tensor) -> torch.Tensor:
    centred = states - states.mean(dim=1, keepdim=True)
    v = _direction(centred)
    return centred - (centred @ v)[:, None] * v


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
        "direction itself": Mistake(
            lambda states: (lambda x: x - _direction(x))(states - states.mean(dim=0)),
            "you subtracted v itself from each row: subtract the row's part along v, (x · v) v.",
        ),
        "mean still in": Mistake(
            lambda states: _without_part(states, states, _direction(states - states.mean(dim=0))),
            "your direction is right, but you took it away from states that still hold their mean.",
        ),
        "amount of the uncentred": Mistake(
            lambda states: _without_part(
                states - states.mean(dim=0), states, _direction(states - states.mean(dim=0))
            ),
            "you measured the part along v on the states with their mean: measure it on the centred ones.",
        ),
        "standardised": Mistake(
            lambda states: _without_common_part(states / states.std(dim=0)),
            "you divided by the standard deviation, too: only the mean and one direction go.",
        ),
        "kept": Mistake(
            _kept_direction,
            "you kept the strongest direction and threw the rest away: it has to be subtracted.",
        ),
        "column": Mistake(
            lambda states: _without_direction(states, lambda svd: svd.Vh[:, 0]),
            "you took a column of Vh: the directions are its *rows*, `Vh[0]`.",
        ),
        "weakest": Mistake(
            lambda states: _without_direction(states, lambda svd: svd.Vh[-1]),
            "you removed the last direction, the weakest: the first row of Vh is the strongest.",
        ),
        "added": Mistake(
            lambda states: 2 * (states - states.mean(dim=0)) - _without_common_part(states),
            "you added the part along v: subtract it.",
        ),
        "twice": Mistake(
            lambda states: _without_common_part(_without_common_part(states)),
            "you removed two directions: only the strongest one goes.",
        ),
        "scaled": Mistake(
            lambda states: _without_direction(states, lambda svd: svd.S[0] * svd.Vh[0]),
            "your direction has not the length 1: then (x · v) v is not the part along v.",
        ),
        "mean of each row": Mistake(
            lambda states: _row_means(states),
            "you subtracted each state's own mean: the mean of all states is a vector, `states.mean(dim=0)`.",
        ),
        "one number as mean": Mistake(
            lambda states: (lambda x: _without_part(x, x, _direction(x)))(states - states.mean()),
            "you subtracted one number, the mean of the whole table: the mean is a vector, `states.mean(dim=0)`.",
        ),
        "untouched": Mistake(
            lambda states: states, "nothing is taken away yet: these are the states as they are."
        ),
        "mean put back": Mistake(
            _mean_put_back,
            "you added the mean again at the end: it is part of what all states share, and stays away.",
        ),
    },
)
