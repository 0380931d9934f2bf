"""Concept vectors against Newton's method, derivatives against captum and small steps, prototypes by hand."""

import re

import numpy as np
import pytest
import torch
from small_networks import gap_network, pictures, seeded
from test_hygiene import state, unusual_network
from torch import nn
from torch.nn import functional as F

from course_utils.judge.agreement.rows_concepts import captum_scores
from course_utils.methods import concepts


def two_sets(n=14, m=11, d=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator) + 0.5, torch.randn(m, d, generator=generator)


def logistic_slope(weights, bias, rows, labels, strength):
    """The slope of the sum of losses + strength/2 ‖w‖², at weights and bias."""
    errors = torch.sigmoid(rows @ weights + bias) - labels
    return torch.cat([rows.T @ errors + strength * weights, errors.sum()[None]])


@pytest.mark.parametrize(("d", "strength"), [(3, 1.0), (6, 0.2), (9, 5.0)])
def test_concept_vector_is_where_the_slope_is_zero(d, strength):
    examples, others = (rows.double() for rows in two_sets(d=d, seed=d))
    ours = concepts.concept_vector(examples, others, strength=strength)
    rows = torch.cat([examples, others])
    labels = torch.cat([torch.ones(len(examples)), torch.zeros(len(others))]).double()
    theta = torch.zeros(d + 1, dtype=torch.float64)
    for _ in range(60):  # Newton's method, without any library
        p = torch.sigmoid(rows @ theta[:-1] + theta[-1])
        wide = torch.cat([rows, torch.ones(len(rows), 1)], dim=1)
        bend = (wide.T * (p * (1 - p))) @ wide
        bend[range(d), range(d)] += strength
        theta = theta - torch.linalg.solve(
            bend, logistic_slope(theta[:-1], theta[-1], rows, labels, strength)
        )
    torch.testing.assert_close(ours, theta[:-1] / theta[:-1].norm(), atol=1e-6, rtol=1e-5)


def test_concept_vector_has_length_one_and_turns_round_with_the_sets():
    examples, others = two_sets()
    there, back = concepts.concept_vector(examples, others), concepts.concept_vector(others, examples)
    torch.testing.assert_close(there.norm(), torch.tensor(1.0))
    torch.testing.assert_close(there, -back, atol=1e-5, rtol=0)


@pytest.mark.parametrize("layer", ["1", "4", "6"])
def test_derivatives_are_the_limit_of_small_steps(layer):
    model, inputs = seeded(gap_network), pictures(4, 3, 10, 10)
    width = {"1": 8, "4": 6, "6": 6}[layer]
    vectors = torch.randn(3, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([0, 1, 2, 1])
    ours = concepts.directional_derivatives(model, inputs, targets, layer, vectors)
    for k, vector in enumerate(vectors):
        scores = []
        for step in (1e-6, -1e-6):
            push = vector[:, None, None] if layer != "6" else vector
            handle = model[int(layer)].register_forward_hook(lambda m, a, out, p=push, s=step: out + s * p)
            with torch.no_grad():
                scores.append(model(inputs)[torch.arange(4), targets])
            handle.remove()
        torch.testing.assert_close(ours[:, k], (scores[0] - scores[1]) / 2e-6, atol=1e-6, rtol=1e-5)


def test_counts_and_sizes_equal_captum():
    model = seeded(gap_network, dtype=torch.float32)
    inputs, bank, other = (pictures(n, 3, 10, 10, seed=n, dtype=torch.float32) for n in (7, 12, 11))
    sets = [bank + 0.4, other]
    with torch.no_grad():
        features = [model[:7](pictures) for pictures in sets]
    vector = concepts.concept_vector(*features)
    theirs = captum_scores(model, "6", inputs, 2, sets, vector)
    ours = concepts.directional_derivatives(model, inputs, 2, "6", vector)
    torch.testing.assert_close(concepts.positive_share(ours)[0], theirs["sign_count"])
    torch.testing.assert_close(ours.mean(), theirs["magnitude"])


def test_behind_pooling_and_a_linear_layer_all_pictures_agree():
    model = seeded(gap_network)
    derivatives = concepts.directional_derivatives(model, pictures(6, 3, 10, 10), 1, "4", pictures(5, 6))
    assert derivatives.std(dim=0).max() < 1e-6
    assert set(concepts.positive_share(derivatives).tolist()) <= {0.0, 1.0}


def test_likeness_depends_on_differences_only_and_is_0_far_away():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 5, 3, 4, generator=generator).double()
    prototypes = torch.randn(3, 5, generator=generator).double()
    near = concepts.prototype_similarities(maps, prototypes)
    torch.testing.assert_close(concepts.prototype_similarities(maps + 1e5, prototypes + 1e5), near)
    single = concepts.prototype_similarities((maps + 100).float(), (prototypes + 100).float())
    torch.testing.assert_close(single.double(), near, rtol=1e-3, atol=1e-4)
    mixed = concepts.prototype_similarities(maps, prototypes.float(), floor=np.float32(1e-4))
    torch.testing.assert_close(mixed, near, rtol=1e-5, atol=1e-5)
    assert (concepts.prototype_similarities(maps * 1e200, prototypes) == 0).all()


def test_concept_vector_of_features_with_a_graph():
    examples, others = (FINE[0] * 1).requires_grad_(), FINE[1]
    assert torch.equal(concepts.concept_vector(examples, others), concepts.concept_vector(*FINE))


def test_prototype_similarities_by_hand():
    maps, prototypes = torch.randn(2, 4, 3, 5), torch.randn(6, 4)
    ours = concepts.prototype_similarities(maps, prototypes)
    assert ours.shape == (2, 6, 3, 5)
    distance = ((maps[1, :, 2, 4] - prototypes[3]) ** 2).sum()
    torch.testing.assert_close(ours[1, 3, 2, 4], torch.log((distance + 1) / (distance + 1e-4)))
    whole = (maps[:, None] - prototypes[None, :, :, None, None]).square().sum(dim=2)
    torch.testing.assert_close(ours, torch.log((whole + 1) / (whole + 1e-4)), atol=1e-4, rtol=1e-4)


def test_a_place_that_is_the_prototype_has_the_largest_similarity():
    maps = torch.randn(1, 4, 3, 3)
    heat = concepts.prototype_similarities(maps, maps[0, :, 1, 2][None])[0, 0]
    assert divmod(int(heat.argmax()), 3) == (1, 2)
    assert heat.max() > np.log(1 / 1e-4) - 0.5


def test_the_model_is_left_as_it_was():
    model, inputs = unusual_network(), pictures(2, 3, 10, 10)
    before = state(model)
    with torch.no_grad():
        result = concepts.directional_derivatives(model, inputs, 0, "4", pictures(2, 6))
    assert result.shape == (2, 2) and not result.requires_grad
    assert state(model) == before


FINE = two_sets()
MAPS, VECTORS = torch.randn(2, 4, 3, 3), torch.randn(3, 4)
BAD = [
    (lambda: concepts.concept_vector(FINE[0].numpy(), FINE[1]), TypeError, "examples must be a float tensor"),
    (lambda: concepts.concept_vector(FINE[0], FINE[1].long()), TypeError, "others must be a float tensor"),
    (lambda: concepts.concept_vector(FINE[0][0], FINE[1]), ValueError, "put one item in each row"),
    (lambda: concepts.concept_vector(FINE[0][:1], FINE[1]), ValueError, "at least two in each set"),
    (lambda: concepts.concept_vector(FINE[0][:, :5], FINE[1]), ValueError, "take both from one layer"),
    (lambda: concepts.concept_vector(FINE[0] * float("nan"), FINE[1]), ValueError, "examples contain NaN"),
    (lambda: concepts.concept_vector(*FINE, strength=0), ValueError, "strength must be above 0"),
    (lambda: concepts.concept_vector(*FINE, strength="1"), ValueError, "strength must be a number"),
    (lambda: concepts.concept_vector(FINE[0], FINE[0]), ValueError, "do not differ"),
    (lambda: concepts.positive_share(torch.zeros(3)), ValueError, "(N, K)"),
    (lambda: concepts.positive_share([0.1]), TypeError, "derivatives must be a float tensor"),
    (lambda: concepts.prototype_similarities(MAPS[0], VECTORS), ValueError, "maps must have the shape"),
    (lambda: concepts.prototype_similarities(MAPS.int(), VECTORS), TypeError, "maps must be a float tensor"),
    (lambda: concepts.prototype_similarities(MAPS, VECTORS[:, :2]), ValueError, "take both from one space"),
    (lambda: concepts.prototype_similarities(MAPS, VECTORS, floor=0), ValueError, "floor must be above 0"),
    (lambda: concepts.prototype_similarities(MAPS, VECTORS, floor=1), ValueError, "floor must be a number"),
    (lambda: concepts.prototype_similarities(MAPS / 0, VECTORS), ValueError, "maps contain NaN"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input_names_the_argument_and_the_remedy(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": F.relu}, TypeError, "model must be a torch.nn.Module"),
        ({"inputs": pictures(3, 10, 10)}, ValueError, "inputs must have the shape"),
        ({"target": 9}, ValueError, "target 9 is out of range"),
        ({"layer": "none"}, ValueError, "the model has no layer"),
        ({"layer": nn.ReLU()}, ValueError, "not part of the model"),
        ({"vectors": torch.randn(2, 5)}, ValueError, "make the vectors from this layer"),
        ({"vectors": [1.0]}, TypeError, "vectors must be a float tensor"),
    ],
)
def test_bad_input_of_derivatives(change, error, message):
    fine = {
        "model": seeded(gap_network),
        "inputs": pictures(2, 3, 10, 10),
        "target": 0,
        "layer": "4",
        "vectors": torch.randn(2, 6),
    }
    with pytest.raises(error, match=re.escape(message)):
        concepts.directional_derivatives(**(fine | change))
