"""Spectral clustering of explanations (SpRAy): which pictures does a network explain in the same way?

Lapuschkin and others 2019, "Unmasking Clever Hans predictors and assessing what machines really learn"; the
clustering is that of von Luxburg 2007, "A tutorial on spectral clustering". What is clustered here is the
relevance of channels (Achtibat and others 2023, "concept relevance"), which does not change when the thing
moves in the picture.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans
from torch import Tensor, nn

from course_utils.methods.arguments import check_count, to_floats
from course_utils.methods.relevance import EPSILON_PLUS, Rule, Rules, relevance


def channel_relevance(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    layer: nn.Module | str,
    rules: Rule | Rules = EPSILON_PLUS,
) -> Tensor:
    """The relevance of each channel of a layer for the class score, summed over places: `(N, K)`.

    Args:
        model, inputs, target, rules: as for `relevance`.
        layer: puts out `(N, K, h, w)`, or vectors `(N, K)`, which are returned as they are.

    Raises:
        ValueError, TypeError: as `relevance`.
    """
    values = relevance(model, inputs, target, rules, layer=layer)
    return values.flatten(2).sum(dim=2) if values.ndim > 2 else values


def neighbour_graph(rows: np.ndarray, n_neighbours: int) -> np.ndarray:
    """A symmetric graph of nearest neighbours: `(n, n)`, no row is its own neighbour.

    Rows are brought to length 1 first. 1: each of the two is among the other's nearest; ½: one of them is.
    Of rows that are equally near the first ones count.

    Args:
        rows: `(n, d)`, none of them all zeros.
        n_neighbours: 1 … n − 1.

    Raises:
        ValueError: wrong shape, NaN, a row of zeros, or `n_neighbours` out of range.
    """
    rows = to_floats(rows, "rows")
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] == 0 or not np.isfinite(rows).all():
        raise ValueError(f"rows must have the shape (n, d), n ≥ 2, all finite; these have {rows.shape}")
    n_neighbours = check_count(n_neighbours, "n_neighbours", at_most=len(rows) - 1)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not largest.all():
        raise ValueError(
            f"row {int(largest.argmin())} of rows is all zeros: leave it out, it has no direction"
        )
    rows = rows / largest  # so that no square under- or overflows
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    likeness = rows @ rows.T
    np.fill_diagonal(likeness, -np.inf)
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :n_neighbours]
    graph = np.zeros_like(likeness)
    np.put_along_axis(graph, nearest, 1.0, axis=1)
    return (graph + graph.T) / 2


def normalised_laplacian(graph: np.ndarray) -> np.ndarray:
    """L = I − D^(−½) A D^(−½) of a graph A, where D holds the row sums: `(n, n)`, eigenvalues from 0 to 2.

    Args:
        graph: `(n, n)`, symmetric, numbers ≥ 0, a zero diagonal, and every row has a neighbour.

    Raises:
        ValueError: the graph is something else.
    """
    graph = _graph(graph)
    root = np.sqrt(graph.sum(axis=1))
    return np.eye(len(graph)) - graph / root[:, None] / root


def eigengap(eigenvalues: np.ndarray, at_most: int = 10) -> int:
    """The number k of clusters after which the ascending eigenvalues make their largest step, 1 … at_most.

    Args:
        eigenvalues: of a Laplacian, ascending, `(n,)`.
        at_most: only the first steps are looked at; fewer where there are fewer eigenvalues.

    Raises:
        ValueError: not ascending, NaN, fewer than two, or `at_most` is no whole number ≥ 1.
    """
    values = to_floats(eigenvalues, "eigenvalues")
    at_most = check_count(at_most, "at_most")
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all() or (np.diff(values) < 0).any():
        raise ValueError("eigenvalues must be two or more numbers in ascending order, as from np.linalg.eigh")
    return int(np.diff(values)[:at_most].argmax()) + 1


def spectral_clusters(graph: np.ndarray, n_clusters: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of a graph's points: k-means on the first eigenvectors of its normalised Laplacian.

    The eigenvectors' rows are divided by the root of the degree (Shi and Malik 2000), as scikit-learn does.

    Args:
        graph: as for `normalised_laplacian`.
        n_clusters: 2 … n.
        seed: of the starts of k-means, ≥ 0.

    Returns:
        The cluster of each point, `(n,)`, the largest cluster is 0; and all eigenvalues, ascending, `(n,)`.

    Raises:
        ValueError: as `normalised_laplacian`; `n_clusters` or `seed` out of range.
    """
    graph = _graph(graph)
    laplacian = normalised_laplacian(graph)
    n_clusters = check_count(n_clusters, "n_clusters", at_least=2, at_most=len(laplacian))
    seed = check_count(seed, "seed", at_least=0, at_most=2**32 - 1)
    eigenvalues, vectors = np.linalg.eigh(laplacian)
    places = vectors[:, :n_clusters] / np.sqrt(graph.sum(axis=1))[:, None]
    found = KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(places)
    by_size = np.argsort(-np.bincount(found, minlength=n_clusters), kind="stable")
    return np.argsort(by_size)[found], eigenvalues


def _graph(graph: np.ndarray) -> np.ndarray:
    graph = to_floats(graph, "graph")
    if graph.ndim != 2 or len(graph) < 2 or graph.shape[0] != graph.shape[1] or not np.isfinite(graph).all():
        raise ValueError(f"graph must have the shape (n, n), n ≥ 2, all finite; this one has {graph.shape}")
    if (graph < 0).any() or not np.array_equal(graph, graph.T) or np.diag(graph).any():
        raise ValueError(
            "graph must be symmetric, ≥ 0, with zeros on the diagonal: take (graph + graph.T) / 2 of nearest "
            "neighbours, none its own"
        )
    if not graph.sum(axis=1).all():
        raise ValueError(
            "a row of graph is all zeros: a point without neighbours cannot be placed, leave it out"
        )
    return graph
