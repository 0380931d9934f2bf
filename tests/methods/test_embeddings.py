"""Embeddings: against transformers, SciPy, torch and scikit-learn, and on data whose answer is known."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from transformers import BertConfig, BertModel

from course_utils.methods.embeddings import (
    control_labels,
    cosine_similarity,
    euclidean_distance,
    hidden_states,
    linear_probe,
    mlp_probe,
    project,
    remove_common_component,
)


@pytest.fixture
def states():
    generator = torch.Generator().manual_seed(0)
    scales = torch.linspace(3, 0.5, 12, dtype=torch.float64)
    return torch.randn(40, 12, generator=generator, dtype=torch.float64) * scales + 5


def test_hidden_states_are_the_models_own():
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=8,
    )  # fmt: skip
    torch.manual_seed(0)
    model = BertModel(config)  # in training mode: dropout must not show
    ids = torch.tensor([[3, 4, 5, 6]])
    found = hidden_states(model, ids)
    assert found.shape == (3, 4, 16) and model.training
    with torch.no_grad():
        outputs = model.eval()(input_ids=ids)
        torch.testing.assert_close(found[0], model.embeddings(input_ids=ids)[0])
    torch.testing.assert_close(found[-1], outputs.last_hidden_state[0])
    with pytest.raises(ValueError, match="at most 8"):
        hidden_states(model, torch.ones(1, 9, dtype=torch.long))


def test_distances_equal_scipy(states):
    a, b = states[:10], states[10:25]
    np.testing.assert_allclose(euclidean_distance(a[:, None], b[None]), cdist(a, b), rtol=1e-12)
    np.testing.assert_allclose(cosine_similarity(a[:, None], b[None]), 1 - cdist(a, b, "cosine"), atol=1e-12)


def test_similarity_is_not_a_distance():
    x = torch.tensor([1.0, 2, 3])
    assert cosine_similarity(x, 7 * x) == pytest.approx(1)
    assert cosine_similarity(x, -x) == pytest.approx(-1)
    assert cosine_similarity(torch.tensor([1.0, 0]), torch.tensor([0.0, 1])) == 0
    assert euclidean_distance(x, x) == 0
    assert euclidean_distance(torch.tensor([0, 0]), torch.tensor([3, 4])) == 5


def test_similarity_of_extreme_vectors():
    zero, tiny = torch.zeros(4), torch.full((4,), 1e-30)
    assert cosine_similarity(zero, torch.ones(4)) == 0
    assert cosine_similarity(tiny, torch.ones(4)) == pytest.approx(1)
    assert cosine_similarity(torch.full((4,), 0.1), torch.full((4,), 0.1)) <= 1


def test_distances_refuse():
    with pytest.raises(ValueError, match="same length"):
        euclidean_distance(torch.ones(3), torch.ones(4))
    with pytest.raises(ValueError, match="a\\[:, None\\]"):
        cosine_similarity(torch.ones(3, 4), torch.ones(5, 4))


@pytest.mark.parametrize("n_components", [1, 2, 12])
def test_projection_equals_scikit_learn_sign_included(states, n_components):
    expected = PCA(n_components, svd_solver="full").fit_transform(states.numpy())
    np.testing.assert_allclose(project(states, n_components), expected, atol=1e-9)


def test_projection_of_a_batch_is_a_projection_each(states):
    layers = torch.stack([states, states.flip(1) ** 2])
    torch.testing.assert_close(project(layers), torch.stack([project(layer) for layer in layers]))


def test_projection_ignores_the_position_and_refuses(states):
    torch.testing.assert_close(project(states), project(states + 100))
    with pytest.raises(ValueError, match="n_components"):
        project(states, 13)
    with pytest.raises(ValueError, match="shape"):
        project(states[0])
    with pytest.raises(ValueError, match="NaN"):
        project(states * torch.nan)


def test_common_component_is_removed_and_nothing_else(states):
    cleaned = remove_common_component(states, 2)
    torch.testing.assert_close(cleaned.mean(0), torch.zeros(12, dtype=torch.float64), atol=1e-9, rtol=0)
    pca = PCA(12).fit(states.numpy())
    np.testing.assert_allclose(cleaned.numpy() @ pca.components_[:2].T, 0, atol=1e-9)
    np.testing.assert_allclose(
        cleaned.numpy() @ pca.components_[2:].T, pca.transform(states.numpy())[:, 2:], atol=1e-9
    )
    torch.testing.assert_close(remove_common_component(states, 0), states - states.mean(0))
    with pytest.raises(ValueError, match="n_components"):
        remove_common_component(states, 12)


def test_correction_makes_unlike_things_unlike():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(100, 20, generator=generator) + 10  # a narrow cone
    pairs = torch.triu_indices(100, 100, 1)
    before = cosine_similarity(x[pairs[0]], x[pairs[1]]).mean()
    y = remove_common_component(x)
    after = cosine_similarity(y[pairs[0]], y[pairs[1]]).mean()
    assert before > 0.9 and abs(after) < 0.05


def corpus(n_words=150, n=1200, n_labels=3, seed=0):
    """Tokens whose state is their word's vector plus their label's; a word can have any label."""
    generator = np.random.default_rng(seed)
    words = generator.integers(n_words, size=n)
    labels = generator.integers(n_labels, size=n)
    vectors = generator.normal(size=(n_words, 30))
    directions = 3 * generator.normal(size=(n_labels, 30))
    states = vectors[words] + directions[labels] + 0.1 * generator.normal(size=(n, 30))
    return torch.tensor(states), [f"label {k}" for k in labels], [f"word {k}" for k in words]


def test_probe_finds_what_is_there_and_is_selective():
    states, labels, words = corpus()
    probe = linear_probe(states, labels, words)
    assert probe.accuracy > 0.97 and probe.control < 0.85
    assert probe.selectivity == pytest.approx(probe.accuracy - probe.control)
    assert probe.majority == pytest.approx(1 / 3, abs=0.07)
    assert linear_probe(states, labels, words) == probe
    assert len(probe.hits) == len(probe.control_hits) == 360  # 30 % of 1,200 rows
    assert probe.hits.mean() == probe.accuracy and probe.control_hits.mean() == probe.control


def test_probe_finds_nothing_in_noise():
    _, labels, words = corpus()
    noise = torch.randn(1200, 30, generator=torch.Generator().manual_seed(0))
    probe = linear_probe(noise, labels, words)
    assert abs(probe.accuracy - 1 / 3) < 0.08 and abs(probe.selectivity) < 0.1


def test_probe_that_knows_words_by_heart_is_not_selective():
    """Labels random per word: the probe is good, and the control task just as good."""
    _, labels, words = corpus()
    labels = control_labels(words, labels, seed=5)
    one_hot = torch.nn.functional.one_hot(torch.tensor(np.unique(words, return_inverse=True)[1])).double()
    probe = linear_probe(one_hot, labels, words, penalty=0.01)
    assert probe.accuracy > 0.98 and probe.control > 0.98


def test_stronger_probe_learns_the_control_task_better():
    states, labels, words = corpus()
    weak, strong = linear_probe(states, labels, words), mlp_probe(states, labels, words, hidden=128)
    assert strong.control > weak.control + 0.1
    assert strong.selectivity < weak.selectivity


def test_groups_stay_together():
    # each group has its own label and its own vector: nothing carries over to a new group
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), 10)
    labels = generator.integers(2, size=100)[groups]
    states = torch.tensor(generator.normal(size=(100, 60))[groups])
    assert linear_probe(states, labels).accuracy > 0.8
    assert linear_probe(states, labels, groups=groups).accuracy < 0.7


def test_control_labels_belong_to_words():
    words = list("abcabcabd")
    labels = control_labels(words, np.arange(9), seed=1)
    assert len({(w, k) for w, k in zip(words, labels, strict=True)}) == 4
    assert (labels == control_labels(words, np.arange(9), seed=1)).all()


def test_probe_refuses():
    states, labels, words = corpus(n=50)
    with pytest.raises(ValueError, match="labels must have one entry"):
        linear_probe(states, labels[:-1])
    with pytest.raises(ValueError, match="words must have one entry"):
        linear_probe(states, labels, words[:-1])
    with pytest.raises(ValueError, match="only one label"):
        linear_probe(states, ["same"] * 50)
    with pytest.raises(ValueError, match="test_share"):
        linear_probe(states, labels, test_share=1.0)
    with pytest.raises(ValueError, match="empty"):
        linear_probe(states, labels, groups=[0] * 50)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: cosine_similarity(torch.ones(3) * 1j, torch.ones(3)), TypeError, "complex64: take .real"),
        (lambda: euclidean_distance(None, torch.ones(3)), TypeError, "not a NoneType"),
        (lambda: project(torch.eye(3), True), ValueError, "n_components must be 1 … 3"),
        (lambda: project(torch.eye(3), 2.0), ValueError, "n_components must be 1 … 3"),
        (lambda: remove_common_component(torch.eye(3) * 1j), TypeError, "states must be a float tensor"),
        (lambda: linear_probe(torch.eye(8), [0, 1] * 4, seed=-1), ValueError, "seed must be"),
        (lambda: linear_probe(torch.eye(8), [0, 1] * 4, penalty=0), ValueError, "penalty must be above 0"),
        (lambda: mlp_probe(torch.eye(8), [0, 1] * 4, hidden=True), ValueError, "hidden must be"),
        (lambda: mlp_probe(torch.eye(8), [0, 1] * 4, hidden=[8, 8]), ValueError, "hidden must be"),
        (lambda: control_labels(["a", "b"], [0, 1, 1]), ValueError, "one each a token"),
    ],
)
def test_bad_input_of_another_kind(call, error, message):
    with pytest.raises(error, match=message):
        call()
