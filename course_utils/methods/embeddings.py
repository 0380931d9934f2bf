"""Embeddings: what a transformer's hidden states know, measured by distances, projections and probes.

States are `(…, D)` float tensors, one vector of D numbers a token. Nothing here knows where they come from.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.methods.arguments import check_count, check_finite, check_positive
from course_utils.methods.attention import HALVES, check_tokens
from course_utils.methods.hooks import evaluation


@dataclass(frozen=True)
class Probe:
    """What a probe reached on tokens that it was not trained on; all shares are 0 … 1.

    Attributes:
        accuracy: share of right labels.
        majority: the same for always answering the most frequent label of the training part.
        control: the same for the control task, whose labels are random but fixed for each word.
        selectivity: accuracy − control. Near zero: the probe may just have learnt words by heart.
        train_accuracy: accuracy on the training part.
        hits: for each row of the test part, was the label right? `accuracy` is their mean.
        control_hits: the same for the control task, in the same order.
    """

    accuracy: float
    majority: float
    control: float
    train_accuracy: float
    hits: np.ndarray = field(repr=False, compare=False)
    control_hits: np.ndarray = field(repr=False, compare=False)

    @property
    def selectivity(self) -> float:
        return self.accuracy - self.control


def hidden_states(model: nn.Module, tokens: Mapping[str, Tensor] | Tensor) -> Tensor:
    """Return the states after the embeddings and after each layer, `(layers + 1, T, D)`, for one text.

    Args:
        model: transformers model.
        tokens: what the tokenizer returns for one text, or its ids, `(T,)` or `(1, T)`.

    Raises:
        ValueError: more than one text, an empty one, or more tokens than the model takes.
        TypeError: `tokens` is neither a mapping of tensors nor a tensor of ids.
    """
    with evaluation(model), torch.no_grad():
        outputs = model(**check_tokens(model, tokens), output_hidden_states=True)
    states = getattr(outputs, "hidden_states", None)
    if states is None:
        halves = getattr(outputs, "encoder_last_hidden_state", None) is not None
        raise ValueError(
            HALVES if halves else "model: it returns no hidden states: load it with transformers"
        )
    return torch.stack([state[0] for state in states])


def euclidean_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return √Σ(aᵢ − bᵢ)² over the last axis; the other axes broadcast, ≥ 0.

    `euclidean_distance(x[:, None], x[None])` is the matrix of all distances between the rows of x.

    Raises:
        ValueError: the vectors differ in length, or the other axes do not broadcast.
    """
    a, b = _vectors(a, b)
    return (a - b).square().sum(dim=-1).sqrt()


def cosine_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Return a·b / (‖a‖ ‖b‖) over the last axis, −1 … 1; the other axes broadcast.

    This is the similarity: 1 for the same direction. One minus it is the cosine *distance*. With a zero
    vector, which has no direction, it is 0. Raises as `euclidean_distance`.
    """
    a, b = _vectors(a, b)
    return (_unit(a) * _unit(b)).sum(dim=-1).clamp(-1, 1)


def project(states: Tensor, n_components: int = 2) -> Tensor:
    """Principal component analysis: the states seen along the directions in which they differ most.

    Args:
        states: `(N, D)`, or `(…, N, D)` for a projection each.
        n_components: directions to keep, at most min(N, D).

    Returns:
        `(…, N, n_components)`, centred at zero. The sign of a direction means nothing; it is fixed so that
        its entry of largest size is positive, as scikit-learn does it.

    Raises:
        ValueError: wrong shape, too many components, or values that are not finite.
    """
    states = _states(states)
    _check_components(n_components, 1, min(states.shape[-2:]))
    centred = states.double() - states.double().mean(dim=-2, keepdim=True)
    directions = _directions(centred, n_components)
    return (centred @ directions.transpose(-1, -2)).to(states.dtype)


def remove_common_component(states: Tensor, n_components: int = 1) -> Tensor:
    """Subtract the mean and the strongest directions that all states share.

    Mu & Viswanath (2018), algorithm 1. Contextual states fill a narrow cone, so that any two words look
    alike (anisotropy). Without the common part, similarities say more. Use many and varied texts: what these
    states share is what goes.

    Args:
        states: `(N, D)`.
        n_components: directions to remove; 0 only subtracts the mean.

    Returns:
        `(N, D)`. Raises as `project`.
    """
    states = _states(states)
    if states.ndim != 2:
        raise ValueError(f"states must have the shape (N, D), not {tuple(states.shape)}")
    _check_components(n_components, 0, min(states.shape) - 1)
    centred = states.double() - states.double().mean(dim=0)
    directions = _directions(centred, n_components)
    return (centred - centred @ directions.T @ directions).to(states.dtype)


def linear_probe(
    states: Tensor,
    labels: Sequence,
    words: Sequence | None = None,
    *,
    groups: Sequence | None = None,
    test_share: float = 0.3,
    penalty: float = 1.0,
    seed: int = 0,
) -> Probe:
    """Can a linear classifier read the labels from the states? With a control task.

    Hewitt & Liang (2019), section 2. Multinomial logistic regression on standardised states. In the control
    task each word gets one random label, drawn
    with the frequencies of the true ones: whoever does well there has learnt words, not grammar.

    Args:
        states: `(N, D)`, one row a token.
        labels: N labels, of any kind that can be compared.
        words: N word types for the control task, the strings themselves for instance. None makes every row
            its own word, so that the control task cannot be learnt.
        groups: N group numbers, the sentences for instance: a group goes whole into the training or the test
            part. None makes every row its own group.
        test_share: share of the groups to test on.
        penalty: strength of the L2 penalty.
        seed: for the split and the control labels.

    Raises:
        ValueError: lengths that differ, fewer than two labels in the training part, an impossible test share,
            a penalty that is not above 0, or a negative seed.
    """

    from sklearn.linear_model import LogisticRegression  # slow to import, and only probes need it

    check_positive(penalty, "penalty", "without one the probe need not settle")

    def classifier() -> LogisticRegression:
        return LogisticRegression(C=1 / penalty, max_iter=300, tol=1e-3)

    return _probe(classifier, states, labels, words, groups, test_share, seed)


def mlp_probe(
    states: Tensor,
    labels: Sequence,
    words: Sequence | None = None,
    *,
    groups: Sequence | None = None,
    test_share: float = 0.3,
    hidden: int = 256,
    seed: int = 0,
) -> Probe:
    """The same with one hidden layer, which learns more by heart: the more reason to look at the selectivity.

    Args:
        hidden: hidden units, a whole number above 0. The others, and Raises: as `linear_probe`.
    """

    from sklearn.neural_network import MLPClassifier

    hidden = check_count(hidden, "hidden")

    def classifier() -> MLPClassifier:
        return MLPClassifier((hidden,), max_iter=60, early_stopping=False, tol=1e-3, random_state=seed)

    return _probe(classifier, states, labels, words, groups, test_share, seed)


def control_labels(words: Sequence, labels: Sequence, seed: int = 0) -> np.ndarray:
    """Return one random label for each word type, `(N,)`, drawn with the frequencies of `labels`.

    Raises:
        ValueError: words and labels that differ in number, or a negative seed.
    """
    words, labels = np.asarray(words), np.asarray(labels)
    if words.ndim != 1 or words.shape != labels.shape or not len(words):
        raise ValueError(f"words {words.shape} and labels {labels.shape} must be (N,) both, one each a token")
    types, index = np.unique(words, return_inverse=True)
    seed = check_count(seed, "seed", at_least=0)
    drawn = np.random.default_rng(seed).choice(labels, size=len(types))
    return drawn[index]


def _probe(classifier, states, labels, words, groups, test_share, seed) -> Probe:
    from sklearn.exceptions import ConvergenceWarning

    states = _states(states)
    if states.ndim != 2:
        raise ValueError(f"states must have the shape (N, D), not {tuple(states.shape)}")
    n = len(states)
    columns = {
        "labels": np.asarray(labels),
        "words": np.arange(n) if words is None else np.asarray(words),
        "groups": np.arange(n) if groups is None else np.asarray(groups),
    }
    for name, column in columns.items():
        if column.shape != (n,):
            raise ValueError(
                f"{name} must have one entry for each of the {n} states, not the shape {column.shape}"
            )
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must lie between 0 and 1, not {test_share}")
    generator = np.random.default_rng(check_count(seed, "seed", at_least=0))
    names = generator.permutation(np.unique(columns["groups"]))
    n_test = round(test_share * len(names))
    test = np.isin(columns["groups"], names[:n_test])
    if not test.any() or test.all():
        raise ValueError(
            f"a test share of {test_share} of {len(names)} groups leaves one part empty: change it"
        )

    rows = states.detach().double().cpu().numpy()
    mean, spread = rows[~test].mean(axis=0), rows[~test].std(axis=0)
    rows = (rows - mean) / np.where(spread > 0, spread, 1)

    def learnt(answers: np.ndarray) -> tuple[float, np.ndarray]:
        if len(np.unique(answers[~test])) < 2:
            raise ValueError("the training part has only one label: there is nothing to learn")
        with warnings.catch_warnings():  # a probe that has nearly settled is good enough
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = classifier().fit(rows[~test], answers[~test])
        on_training = float((fitted.predict(rows[~test]) == answers[~test]).mean())
        return on_training, fitted.predict(rows[test]) == answers[test]

    truth = columns["labels"]
    found, counts = np.unique(truth[~test], return_counts=True)
    train_accuracy, hits = learnt(truth)
    _, control_hits = learnt(control_labels(columns["words"], truth, seed))
    majority = float((truth[test] == found[counts.argmax()]).mean())
    return Probe(
        accuracy=float(hits.mean()),
        majority=majority,
        control=float(control_hits.mean()),
        train_accuracy=train_accuracy,
        hits=hits,
        control_hits=control_hits,
    )


def _check_components(n_components: int, at_least: int, at_most: int) -> None:
    whole = hasattr(n_components, "__index__") and not isinstance(n_components, bool)
    if not whole or not at_least <= n_components <= at_most:
        raise ValueError(
            f"n_components must be {at_least} … {at_most} for these states, not {n_components!r}"
        )


def _floats(values: object, name: str) -> Tensor:
    try:
        values = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} must be a float tensor, not a {type(values).__name__}") from error
    if values.is_complex():
        raise TypeError(f"{name} must be a float tensor, not {values.dtype}: take .real or .abs()")
    return values if values.is_floating_point() else values.float()


def _vectors(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    a, b = _floats(a, "the vectors"), _floats(b, "the vectors")
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"the vectors must have the same length, not the shapes {tuple(a.shape)} and {tuple(b.shape)}"
        )
    try:
        torch.broadcast_shapes(a.shape, b.shape)
    except RuntimeError as error:
        raise ValueError(
            f"the shapes {tuple(a.shape)} and {tuple(b.shape)} do not broadcast: for all pairs of rows write "
            "a[:, None] and b[None]"
        ) from error
    return a, b


def _unit(vectors: Tensor) -> Tensor:
    largest = vectors.abs().amax(dim=-1, keepdim=True)
    vectors = vectors / torch.where(largest > 0, largest, 1)  # so that no square under- or overflows
    lengths = vectors.norm(dim=-1, keepdim=True)
    return vectors / torch.where(lengths > 0, lengths, 1)


def _states(states: Tensor) -> Tensor:
    states = _floats(states, "states")
    if states.ndim < 2 or states.numel() == 0:
        raise ValueError(f"states must have the shape (N, D), not {tuple(states.shape)}")
    return check_finite(states, "states", ": leave those tokens out")


def _directions(centred: Tensor, n_components: int) -> Tensor:
    """The first principal directions `(…, n_components, D)`, each with its largest entry positive."""
    directions = torch.linalg.svd(centred, full_matrices=False).Vh[..., :n_components, :]
    largest = directions.gather(-1, directions.abs().argmax(dim=-1, keepdim=True))
    return directions * largest.sign()
