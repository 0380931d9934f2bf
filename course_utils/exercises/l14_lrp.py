"""The exercises of lesson 14: pay a layer back, the biases' account, a rule that is blind, the missing sum.

Those of its companion 14b: Laplacian, eigengap, a graph of neighbours with two bugs, a prediction.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_utils.teach.checks import Exercise, Mistake, Question, wrong_answer

EPSILON = 0.25  # large enough that a forgotten stabiliser shows


def _layers() -> list[tuple]:
    """(a, weight, bias, R): inputs (N, J), weights (K, J), biases (K,), relevance of the outputs (N, K)."""
    generator = torch.Generator().manual_seed(0)
    cases = []
    for n, j, k in ((1, 3, 3), (2, 4, 4), (3, 5, 2)):
        a, weight = torch.randn(n, j, generator=generator), torch.randn(k, j, generator=generator)
        bias, paid = torch.randn(k, generator=generator), torch.randn(n, k, generator=generator)
        cases.append((a, weight, bias, paid))
    zero = (torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0, -1.0], [2.0, 1.0]]), torch.tensor([0.0, 0.5]))
    return [*cases, (*zero, torch.tensor([[1.0, 3.0]]))]  # the first output is exactly 0


def _sign(z: Tensor) -> Tensor:
    return torch.where(z < 0, -1.0, 1.0)


def _pay(a: Tensor, weight: Tensor, bias: Tensor, paid: Tensor) -> Tensor:
    z = a @ weight.T + bias
    return a * ((paid / (z + EPSILON * _sign(z))) @ weight)


def _with(denominator) -> callable:
    return lambda a, w, b, R: a * ((R / denominator(a @ w.T, b)) @ w)


pay_linear = Exercise(
    name="pay_linear",
    difficulty=2,
    minutes=7,
    hints=(
        "First the outputs: `z = a @ weight.T + bias`. Each of them is divided into R: `R / (z + …)`.",
        "The sign of ε is that of z, and + where z is 0: `torch.where(z < 0, -1.0, 1.0)`.",
        "The sum over the outputs k is a matrix product with `weight` (K, J). At the end multiply by a.",
    ),
    reference=_pay,
    cases=_layers,
    mistakes={
        "no bias": Mistake(
            _with(lambda z, b: z + EPSILON * _sign(z)),
            "the bias is missing in the denominator: z is the whole output, so the bias keeps its share.",
        ),
        "sign of zero": Mistake(
            _with(lambda z, b: z + b + EPSILON * torch.sign(z + b)),
            "an output of exactly 0 is divided by 0: `torch.sign(0)` is 0. Here the sign of 0 counts as +1.",
        ),
        "always plus": Mistake(
            _with(lambda z, b: z + b + EPSILON),
            "ε is added to negative outputs too, which brings them nearer to 0: it must have the sign of z.",
        ),
        "no stabiliser": Mistake(
            _with(lambda z, b: z + b), "the stabiliser ε sign(z) is missing in the denominator."
        ),
        "no inputs": Mistake(
            lambda a, w, b, R: (R / ((z := a @ w.T + b) + EPSILON * _sign(z))) @ w,
            "you divided by z and went back through the weights, but did not multiply by the input a.",
        ),
        "not divided": Mistake(
            lambda a, w, b, R: a * (R @ w),
            "R is not divided by the output: each share is a w / z, so that the shares add up to 1.",
        ),
        "multiplied": Mistake(
            lambda a, w, b, R: a * ((R * ((z := a @ w.T + b) + EPSILON * _sign(z))) @ w),
            "you multiplied R by the output: a share is a w *divided* by z.",
        ),
        "no relevance": Mistake(
            lambda a, w, b, R: a * ((1 / ((z := a @ w.T + b) + EPSILON * _sign(z))) @ w),
            "these are the shares alone: each output divides its relevance R, so R / (z + ε sign(z)).",
        ),
        "size of the output": Mistake(
            _with(lambda z, b: (z + b).abs() + EPSILON),
            "the denominator keeps the sign of z: with |z| + ε a negative output pays with the wrong sign.",
        ),
        "only helpers": Mistake(
            lambda a, w, b, R: a * ((R / ((z := a @ w.T + b) + EPSILON * _sign(z))) @ w.clamp(min=0)),
            "negative weights are left out: in LRP-ε all contributions count, those against too.",
        ),
    },
)


def _kept(a: Tensor, weight: Tensor, bias: Tensor, paid: Tensor) -> Tensor:
    z = a @ weight.T + bias
    return (bias / (z + EPSILON * _sign(z)) * paid).sum(dim=1)


kept_by_biases = Exercise(
    name="kept_by_biases",
    difficulty=2,
    minutes=4,
    hints=(
        "The bias of output k is one of the things that z is made of. Its share is b / (z + ε sign(z)).",
        "Multiply each share by the output's own R, then add up over the outputs (dimension 1).",
    ),
    reference=_kept,
    cases=_layers,
    mistakes={
        "plain biases": Mistake(
            lambda a, w, b, R: (b + 0 * R).sum(dim=1),
            "you added up the biases themselves: each keeps a *share* of R, b / (z + ε sign(z)) · R.",
        ),
        "shares only": Mistake(
            lambda a, w, b, R: (b / ((z := a @ w.T + b) + EPSILON * _sign(z))).sum(dim=1),
            "these are the shares: multiply each by the relevance R of its output.",
        ),
        "all that is lost": Mistake(
            lambda a, w, b, R: R.sum(dim=1) - _pay(a, w, b, R).sum(dim=1),
            "this is all that does not arrive: the stabiliser keeps ε sign(z) / (z + ε sign(z)) of it, and that is not the biases'.",
        ),
        "what is paid on": Mistake(
            lambda a, w, b, R: _pay(a, w, b, R).sum(dim=1),
            "this is what the inputs get. Asked for is what the biases keep.",
        ),
        "one number an output": Mistake(
            lambda a, w, b, R: b / ((z := a @ w.T + b) + EPSILON * _sign(z)) * R,
            "that is one number an output: add them up over dimension 1, so that each picture has one number.",
        ),
        "no stabiliser": Mistake(
            lambda a, w, b, R: (b / (a @ w.T + b) * R).sum(dim=1),
            "the denominator lacks the stabiliser ε sign(z).",
        ),
        "no bias in the output": Mistake(
            lambda a, w, b, R: (b / ((z := a @ w.T) + EPSILON * _sign(z)) * R).sum(dim=1),
            "the bias is missing in the denominator: z is the whole output, a w and b together.",
        ),
        "always plus": Mistake(
            lambda a, w, b, R: (b / (a @ w.T + b + EPSILON) * R).sum(dim=1),
            "ε is added to negative outputs too: it must have the sign of z.",
        ),
        "absolute values": Mistake(
            lambda a, w, b, R: (b / ((z := a @ w.T + b) + EPSILON * _sign(z)) * R).abs().sum(dim=1),
            "you took absolute values: a share may be negative, and then it takes something off the sum.",
        ),
    },
)


def _blind(correlations: dict[str, float]) -> str:
    return max(correlations, key=lambda name: float(correlations[name]))


_COMPOSITES = ("ε everywhere", "ε and z⁺", "z⁺ everywhere")

blind_rules = Question(
    name="blind_rules",
    difficulty=2,
    minutes=4,
    hints=(
        "Two classes differ in what the linear layers add up and take away. Which rule drops all that is taken away?",
        'Answer with one of the names, as a string: `"ε everywhere"`, for example.',
    ),
    expected=_blind,
    examples=lambda: [
        (dict(zip(_COMPOSITES, values, strict=True)),) for values in ((-0.3, -0.4, 0.9), (0.1, 0.8, 0.5))
    ],
    mistakes={
        "not one of them": Mistake(
            lambda answer, correlations: answer not in correlations,
            "that is not one of the three: choose one of the three names, as a string.",
            example=lambda correlations: "z-plus",
        ),
        "least alike": Mistake(
            lambda answer, correlations: (
                answer == min(correlations, key=lambda name: float(correlations[name]))
            ),
            "these two maps are the least alike: the rules that hardly ask for the class have the *highest* correlation.",
            example=lambda correlations: min(correlations, key=lambda name: float(correlations[name])),
        ),
        "in between": Mistake(
            lambda answer, correlations: answer in correlations and answer != _blind(correlations),
            "another one has more similar maps for the two questions.",
            example=lambda correlations: sorted(correlations, key=lambda name: float(correlations[name]))[1],
        ),
    },
)


def _sums() -> list[tuple]:
    """(x, r, R): the two terms of a sum, both signs, and the relevance of the sum; no sum is near 0."""
    generator = torch.Generator().manual_seed(1)
    cases = []
    for shape in ((2, 3), (1, 4, 2, 2), (5,)):
        x, r = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
        r = torch.where((x + r).abs() < 0.3, r + 1.0, r)
        r = torch.where((x + r).abs() < 0.3, r + 1.0, r)
        cases.append((x, r, torch.randn(shape, generator=generator)))
    return cases


share_of_sum = Exercise(
    name="share_of_sum",
    difficulty=1,
    minutes=4,
    hints=(
        "Add up what the two arms get: how much is that of R?",
        "The sum z = x + r is a neuron with two weights 1. What is the share of x?",
    ),
    reference=lambda x, r, R: (x / (x + r) * R, r / (x + r) * R),
    given=lambda x, r, R: (R, R),
    cases=_sums,
    mistakes={
        "halves": Mistake(
            lambda x, r, R: (R / 2, R / 2),
            "each arm gets half, whatever it put in. That adds up, but the share of x is x / (x + r).",
        ),
        "sizes": Mistake(
            lambda x, r, R: (x.abs() / (x.abs() + r.abs()) * R, r.abs() / (x.abs() + r.abs()) * R),
            "you took absolute values: an arm that took something away gets a share with the other sign.",
        ),
        "crossed": Mistake(
            lambda x, r, R: (r / (x + r) * R, x / (x + r) * R),
            "the two arms are exchanged: the first result belongs to x.",
        ),
        "not divided": Mistake(
            lambda x, r, R: (x * R, r * R), "the terms are not divided by their sum, so these are no shares."
        ),
        "the first gets all": Mistake(
            lambda x, r, R: (R, torch.zeros_like(R)),
            "now it adds up, but the second arm gets nothing although it put something in.",
        ),
        "no relevance": Mistake(
            lambda x, r, R: (x / (x + r), r / (x + r)),
            "these are the shares alone: multiply each by the relevance R of the sum.",
        ),
    },
)


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-3)


same_function = Question(
    name="same_function",
    difficulty=1,
    minutes=3,
    hints=(
        "Each method gets the same numbers in both networks, or it does not.",
        "Count the methods in the printed lines whose two rows agree.",
    ),
    expected=lambda results: sorted(name for name, pair in results.items() if _same(*pair)),
    examples=lambda: [
        ({"one": (torch.zeros(2), torch.ones(2)), "two": (torch.ones(2), torch.ones(2))},),
        ({"one": (torch.zeros(2), torch.zeros(2)), "two": (torch.ones(2), torch.zeros(2)),
          "three": (torch.ones(2), torch.ones(2))},),
    ],
    mistakes={
        "all": wrong_answer(
            lambda results: sorted(results), "at least one of them gives different numbers for the two networks."
        ),
        "no such method": Mistake(
            lambda answer, results: not isinstance(answer, str) and any(name not in results for name in answer),
            "one of your names is not in the printed lines: copy the names from there.",
            example=lambda results: ["Grad-CAM"],
        ),
        "one that differs": Mistake(
            lambda answer, results: any(not _same(*pair) for n, pair in results.items() if n in answer),
            "you name a method whose numbers differ between the two networks.",
            example=lambda results: sorted(n for n, pair in results.items() if not _same(*pair)),
        ),
        "none": Mistake(
            lambda answer, results: not len(answer),
            "one of the printed lines has the same numbers twice.",
            example=lambda results: [],
        ),
    },
)  # fmt: skip


# --- 14b ----------------------------------------------------------------------------------------------------


def _graphs() -> list[tuple]:
    """Symmetric graphs: no point is its own neighbour, each has one, and the degrees differ."""
    rng = np.random.default_rng(0)
    cases = []
    for n in (4, 6, 9):
        half = np.triu(rng.integers(0, 3, (n, n)) / 2, 1)
        half[np.arange(n - 1), np.arange(1, n)] = 1  # so that each has a neighbour
        cases.append((half + half.T,))
    return cases


def _laplacian(graph: np.ndarray) -> np.ndarray:
    root = np.sqrt(graph.sum(axis=1))
    return np.eye(len(graph)) - graph / root[:, None] / root


laplacian = Exercise(
    name="laplacian",
    difficulty=2,
    minutes=6,
    hints=(
        "The degrees: `d = graph.sum(axis=1)`. D^(−½) has 1/√d on its diagonal.",
        "A diagonal matrix on the left scales rows, one on the right scales columns: "
        "`graph / np.sqrt(d)[:, None] / np.sqrt(d)`.",
        "The identity is `np.eye(len(graph))`.",
    ),
    reference=_laplacian,
    cases=_graphs,
    mistakes={
        "not normalised": Mistake(
            lambda A: np.diag(A.sum(axis=1)) - A,
            "this is D − A, the Laplacian that is not normalised: divide by the roots of both degrees.",
        ),
        "rows only": Mistake(
            lambda A: np.eye(len(A)) - A / A.sum(axis=1, keepdims=True),
            "you divided each row by its degree, so the result is not symmetric: each entry is divided by the root "
            "of its row's degree and by the root of its column's degree.",
        ),
        "columns only": Mistake(
            lambda A: np.eye(len(A)) - A / A.sum(axis=1),
            "you divided each column by its degree, so the result is not symmetric: divide by √d of the row and of "
            "the column.",
        ),
        "no roots": Mistake(
            lambda A: np.eye(len(A)) - A / A.sum(axis=1, keepdims=True) / A.sum(axis=1),
            "you divided by the degrees themselves: D^(−½) holds one over their *roots*.",
        ),
        "one root": Mistake(
            lambda A: np.eye(len(A)) - A / np.sqrt(A.sum(axis=1, keepdims=True)),
            "the root of the row's degree is there, that of the column's degree is missing.",
        ),
        "multiplied": Mistake(
            lambda A: np.eye(len(A)) - A * np.sqrt(np.outer(A.sum(axis=1), A.sum(axis=1))),
            "you multiplied by the roots of the degrees: the exponent is −½, so divide.",
        ),
        "no identity": Mistake(
            lambda A: A / np.sqrt(np.outer(A.sum(axis=1), A.sum(axis=1))),
            "this is the normalised graph; the Laplacian is the identity minus it.",
        ),
        "entry by entry": Mistake(
            lambda A: np.eye(len(A)) - np.diag(np.diag(A) / A.sum(axis=1)),
            "nothing is left of the graph: `*` multiplies entry by entry, so a diagonal matrix keeps only the "
            "diagonal of A, which is 0. A matrix product is `@`.",
        ),
        "minus only": Mistake(
            lambda A: -A / np.sqrt(np.outer(A.sum(axis=1), A.sum(axis=1))),
            "the identity is missing: the diagonal must be 1.",
        ),
        "plus": Mistake(
            lambda A: np.eye(len(A)) + A / np.sqrt(np.outer(A.sum(axis=1), A.sum(axis=1))),
            "the graph is subtracted from the identity, not added to it.",
        ),
        "counted neighbours": Mistake(
            lambda A: np.eye(len(A)) - A / np.sqrt(np.outer((A > 0).sum(axis=1), (A > 0).sum(axis=1))),
            "the degree is the sum of the row, not the number of its neighbours: edges of ½ count half.",
        ),
    },
)


def _eigenvalues() -> list[tuple]:
    return [
        (np.array(values),)
        for values in (
            [0.0, 0.01, 0.24, 0.30, 0.37],
            [0.0, 0.02, 0.03, 0.08, 0.41, 0.44],
            [0.0, 0.31, 0.35, 0.40],
            [0.0, 0.0, 0.05, 0.30, 0.36, 0.50],
            [0.0, 0.21, 0.25, 0.27, 0.65, 0.70, 0.73],  # no fixed limit fits this one and the others
            [0.0, 0.30, 0.36, 0.44, 0.52, 0.60],  # nor does the mean
        )
    ]


n_clusters = Exercise(
    name="n_clusters",
    difficulty=1,
    minutes=4,
    hints=(
        "`np.diff(eigenvalues)` holds the steps from each eigenvalue to the next one.",
        "Step number 0 leads from the first to the second eigenvalue. If it is the largest, how many eigenvalues "
        "are before it?",
    ),
    reference=lambda values: int(np.diff(values).argmax()) + 1,
    cases=_eigenvalues,
    mistakes={
        "one too few": Mistake(
            lambda values: int(np.diff(values).argmax()),
            "one too few: Python counts from 0, and before step number 0 there is one eigenvalue.",
        ),
        "one too many": Mistake(
            lambda values: int(np.diff(values).argmax()) + 2,
            "one too many: count the eigenvalues *before* the step, not the one behind it.",
        ),
        "zeros": Mistake(
            lambda values: int((np.asarray(values) < 1e-9).sum()),
            "you counted the zeros (the largest ratio does the same). They count the parts without any edge "
            "between them; a cluster may have a few edges to the others.",
        ),
        "a fixed limit": Mistake(
            lambda values: int((np.asarray(values) < 0.1).sum()),
            "you counted what lies below a fixed limit. Where the step is differs from case to case: look at "
            "differences.",
        ),
        "below the mean": Mistake(
            lambda values: int((np.asarray(values) < np.mean(values)).sum()),
            "you counted what lies below the mean. That need not be where the largest step is.",
        ),
        "the value": Mistake(
            lambda values: float(np.diff(values).max()),
            "this is the size of the step, not the number of clusters.",
        ),
        "first skipped": Mistake(
            lambda values: int(np.diff(values)[1:].argmax()) + 2,
            "you left the first step out. If it is the largest, there is one cluster.",
        ),
        "always two": Mistake(lambda values: 2, "it is always 2: find the largest step."),
        "smallest step": Mistake(
            lambda values: int(np.diff(values).argmin()) + 1, "this is the smallest step: take the largest."
        ),
    },
)


def _likenesses() -> list[tuple]:
    """(likeness, k): how alike each two of n rows are, 1 on the diagonal."""
    rng = np.random.default_rng(1)
    cases = []
    for n, d, k in ((5, 3, 1), (7, 3, 2), (9, 4, 4)):
        rows = rng.normal(size=(n, d))
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cases.append((rows @ rows.T, k))
    return cases


def _joined(likeness: np.ndarray, first: int, last: int) -> np.ndarray:
    nearest = np.argsort(-likeness, axis=1)[:, first:last]
    graph = np.zeros_like(likeness)
    np.put_along_axis(graph, nearest, 1.0, axis=1)
    return graph


def _graph(likeness: np.ndarray, k: int) -> np.ndarray:
    graph = _joined(likeness, 1, k + 1)
    return (graph + graph.T) / 2


def _both(combine) -> callable:
    return lambda likeness, k: combine(g := _joined(likeness, 1, k + 1), g.T)


graph_of = Exercise(
    name="graph_of",
    difficulty=2,
    minutes=6,
    hints=(
        "Print the result for a small case. Who is the nearest neighbour of each row?",
        "Compare `graph` with `graph.T`. A may have B among its nearest, and B not A.",
    ),
    reference=_graph,
    given=lambda likeness, k: _joined(likeness, 0, k),
    cases=_likenesses,
    mistakes={
        "still its own": Mistake(
            lambda likeness, k: ((g := _joined(likeness, 0, k)) + g.T) / 2,
            "it is symmetric now, but each row is still its own nearest neighbour, so it has one too few others.",
        ),
        "diagonal set to zero": Mistake(
            lambda likeness, k: ((g := _joined(likeness, 0, k) * (1 - np.eye(len(likeness)))) + g.T) / 2,
            "the diagonal is 0 now, but the row itself has taken one of the k places: look for k *others*.",
        ),
        "not symmetric": Mistake(
            lambda likeness, k: _joined(likeness, 1, k + 1),
            "no row is its own neighbour any more, but the graph is not symmetric, and `eigh` reads only one half of "
            "it without a word.",
        ),
        "one too many": Mistake(
            lambda likeness, k: ((g := _joined(likeness, 0, k + 1)) + g.T) / 2,
            "each row has k others now, and itself, too: the diagonal must be 0.",
        ),
        "not halved": Mistake(
            _both(lambda a, b: a + b), "two rows that choose each other get 2: take half of the sum."
        ),
        "either": Mistake(
            _both(np.maximum),
            "you count an edge fully if one of the two chose the other; here that counts ½, and 1 if both did.",
        ),
        "mutual only": Mistake(
            _both(np.minimum),
            "only pairs that choose each other are left, and some rows may have no neighbour at all: one choice "
            "counts ½.",
        ),
        "least alike": Mistake(
            lambda likeness, k: ((g := _joined(-likeness, 0, k)) + g.T) / 2,
            "these are the k rows that are *least* alike.",
        ),
    },
)

honest_twin = Question(
    name="honest_twin",
    difficulty=2,
    minutes=3,
    hints=(
        "You ask for two clusters. Can the program say that there are none?",
        "The honest network saw the caption as often with each class. Does a caption raise its score of the horse?",
    ),
    expected=lambda agreement: "the caption" if agreement > 0.5 else "something else",
    examples=lambda: [(0.02,), (0.95,)],
    mistakes={
        "no clusters": Mistake(
            lambda answer, agreement: answer in ("nothing", "no clusters"),
            "a program that is asked for two clusters always returns two, whatever the points look like.",
            example=lambda agreement: "no clusters",
        ),
        "the caption": Mistake(
            lambda answer, agreement: answer == "the caption" and agreement <= 0.5,
            "the agreement with the captions is near 0: these two clusters divide the horses in another way.",
            example=lambda agreement: "the caption",
        ),
        "not one of them": Mistake(
            lambda answer, agreement: (
                answer not in ("the caption", "something else", "no clusters", "nothing")
            ),
            'choose one of "the caption", "something else", "no clusters".',
            example=lambda agreement: "the background",
        ),
    },
)
