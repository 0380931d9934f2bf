"""Spectral clustering of explanations, held against SciPy, scikit-learn and identities."""

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import laplacian
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score
from small_networks import gap_network, pictures, seeded

from course_utils.methods import spray
from course_utils.methods.relevance import EPSILON, relevance


def blobs(n: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows around two directions, and which; a quarter of them around the second."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 4 == 0
    return np.where(group[:, None], np.eye(d)[0], np.eye(d)[1]) + 0.2 * rng.normal(size=(n, d)), group


def test_channels_add_up_to_the_layer():
    model, inputs = seeded(gap_network), pictures(3, 3, 16, 16)
    name = next(name for name, layer in model.named_modules() if isinstance(layer, torch.nn.ReLU))
    channels = spray.channel_relevance(model, inputs, 1, name, EPSILON)
    places = relevance(model, inputs, 1, EPSILON, layer=name)
    assert channels.shape == places.shape[:2]
    torch.testing.assert_close(channels.sum(dim=1), places.sum(dim=(1, 2, 3)))


@pytest.mark.parametrize(("n", "d", "k"), [(12, 3, 2), (30, 6, 5), (9, 4, 8)])
def test_graph_of_neighbours(n, d, k):
    graph = spray.neighbour_graph(blobs(n, d, 0)[0], k)
    assert np.array_equal(graph, graph.T)
    assert not np.diag(graph).any()
    assert graph.sum() == n * k  # each row chose k others
    assert np.array_equal(graph, spray.neighbour_graph(7 * blobs(n, d, 0)[0], k))


@pytest.mark.parametrize(("n", "d", "k"), [(12, 3, 2), (30, 6, 5)])
def test_laplacian_equals_scipy_and_its_eigenvalues_lie_in_0_to_2(n, d, k):
    graph = spray.neighbour_graph(blobs(n, d, 1)[0], k)
    ours = spray.normalised_laplacian(graph)
    np.testing.assert_allclose(ours, laplacian(graph, normed=True), atol=1e-12)
    values = np.linalg.eigvalsh(ours)
    assert abs(values[0]) < 1e-12
    assert values[-1] < 2 + 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_clusters_equal_scikit_learn_and_the_truth(seed):
    rows, truth = blobs(48, 5, seed)
    graph = spray.neighbour_graph(rows, 6)
    found, values = spray.spectral_clusters(graph, 2)
    theirs = SpectralClustering(2, affinity="precomputed", random_state=0).fit_predict(graph)
    assert adjusted_rand_score(found, theirs) == 1
    assert adjusted_rand_score(found, truth) == 1
    assert (found == 0).sum() > (found == 1).sum()
    assert (np.diff(values) >= 0).all()


def test_zeros_count_the_parts_and_the_gap_comes_behind_them():
    parts = np.kron(np.eye(3), 1 - np.eye(4))
    found, values = spray.spectral_clusters(parts, 3)
    assert (abs(values) < 1e-12).sum() == 3 == spray.eigengap(values)
    assert len({tuple(found[i : i + 4]) for i in (0, 4, 8)}) == 3


def test_only_the_first_steps_are_looked_at():
    values = np.array([0, 0.1, 0.4, 0.5, 2.0])
    assert spray.eigengap(values) == 4
    assert spray.eigengap(values, at_most=3) == 2


GRAPH = 1 - np.eye(4)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: spray.neighbour_graph(np.zeros(3), 1), "rows must have the shape"),
        (lambda: spray.neighbour_graph(np.full((3, 2), np.nan), 1), "rows must have the shape"),
        (lambda: spray.neighbour_graph(np.array([[1.0, 0], [0, 0]]), 1), "row 1 of rows is all zeros"),
        (lambda: spray.neighbour_graph(np.eye(3), 3), "n_neighbours must be"),
        (lambda: spray.normalised_laplacian(np.ones((2, 3))), "graph must have the shape"),
        (lambda: spray.normalised_laplacian(np.triu(GRAPH)), "graph must be symmetric"),
        (lambda: spray.normalised_laplacian(np.ones((3, 3))), "zeros on the diagonal"),
        (lambda: spray.normalised_laplacian(np.zeros((3, 3))), "without neighbours"),
        (lambda: spray.spectral_clusters(GRAPH, 1), "n_clusters must be"),
        (lambda: spray.spectral_clusters(GRAPH, 5), "n_clusters must be"),
        (lambda: spray.eigengap(np.array([1.0, 0.0])), "ascending"),
        (lambda: spray.eigengap(np.array([0.0, 1.0]), at_most=0), "at_most must be"),
    ],
)
def test_bad_input_spray(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_bad_input_channel_relevance():
    with pytest.raises(ValueError, match="layer"):
        spray.channel_relevance(seeded(gap_network), pictures(2, 3, 16, 16), 0, "no such layer")


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_neighbours_do_not_depend_on_the_rows_lengths(factor):
    rows = np.random.default_rng(3).normal(size=(12, 4))
    assert np.array_equal(spray.neighbour_graph(rows * factor, 3), spray.neighbour_graph(rows, 3))


def test_bad_input_spray_seeds_and_masks():
    rows = np.random.default_rng(3).normal(size=(12, 4))
    graph = spray.neighbour_graph(rows, 3)
    for seed in (-1, 0.5, True, None):
        with pytest.raises(ValueError, match="seed must be a whole number"):
            spray.spectral_clusters(graph, 2, seed)
    with pytest.raises(ValueError, match="masked"):
        spray.neighbour_graph(np.ma.masked_less(rows, -1), 3)
    with pytest.raises(ValueError, match="ascending"):
        spray.eigengap([0, 1, np.inf])
