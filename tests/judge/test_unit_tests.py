"""Unit tests of explanations: the right methods pass, the wrong ones fail, and each for its known reason."""

from itertools import product

import numpy as np
import pytest
import torch

from course_utils.judge.methods_table import METHODS
from course_utils.judge.unit_tests import BASELINES, STATES, explanation_tests, judge_map, try_method
from course_utils.judge.unit_tests import _case as case_of
from course_utils.labs.designed import NETWORKS
from course_utils.methods.gradients import input_x_gradient, integrated_gradients
from course_utils.methods.lime import cosine_distances, exponential_kernel, fit_surrogate

VECTORS = ("linear", "and", "or", "xor", "saturating", "symmetric")


@pytest.fixture(scope="module")
def results():
    return explanation_tests()


def test_every_method_has_a_verdict_on_every_network(results):
    assert list(results) == [method.name for method in METHODS]
    for row in results.values():
        assert list(row) == list(NETWORKS)
        assert all(result.state in STATES for result in row.values())
        assert all((result.error is None) == (result.state == "n/a") for result in row.values())


@pytest.mark.parametrize("network", NETWORKS)
def test_integrated_gradients_are_exact_everywhere(results, network):
    assert results["Integrated Gradients"][network].state == "exact"


@pytest.mark.parametrize("network", VECTORS)
@pytest.mark.parametrize("method", ["Shapley values", "KernelSHAP"])
def test_shapley_values_are_exact_on_vectors(results, method, network):
    assert results[method][network].error < 1e-5


@pytest.mark.parametrize(
    ("method", "network"),
    [
        ("saliency", "linear"),  # a slope, not a contribution
        ("saliency", "saturating"),  # the slope is zero
        ("gradient × input", "saturating"),
        ("occlusion", "or"),  # removing one of two that both suffice
        ("occlusion", "saturating"),
        ("guided backprop", "xor"),
        ("LIME", "or"),
    ],
)
def test_the_ones_that_must_fail_fail(results, method, network):
    assert results[method][network].state == "fails"


@pytest.mark.parametrize(
    ("method", "network", "state"),
    [
        ("gradient × input", "linear", "exact"),
        ("occlusion", "linear", "exact"),
        ("occlusion", "patch", "place"),
        ("CAM", "two_class_patch", "place"),
        ("Grad-CAM", "two_class_patch", "place"),
        ("LIME", "linear", "place"),
        ("CAM", "linear", "n/a"),
        ("guided backprop", "linear", "n/a"),
        ("Shapley values", "patch", "n/a"),
    ],
)
def test_known_verdicts(results, method, network, state):
    assert results[method][network].state == state


def test_no_baseline_is_exact_and_a_constant_passes_nothing(results):
    assert all(result.state != "exact" for name in BASELINES for result in results[name].values())
    for name in ("constant", "random"):
        assert {result.state for result in results[name].values()} == {"fails"}


@pytest.mark.parametrize("network", NETWORKS)
def test_the_truth_is_exact_and_a_spoilt_truth_is_not(network):
    case = case_of(network)
    assert judge_map(case.truth, case).state == "exact"
    assert judge_map(3 * case.truth, case).state == "place"
    assert judge_map(case.truth + 1, case).state != "exact"
    assert judge_map(-case.truth, case).state == "place"  # by size: the lesson says so
    assert judge_map(torch.zeros_like(case.truth), case).state == "fails"
    assert judge_map(None, case).state == "n/a"


def test_a_function_of_ones_own():
    assert try_method(input_x_gradient, "linear").state == "exact"
    assert try_method(input_x_gradient, "saturating").state == "fails"
    fine = try_method(
        lambda m, x, t: integrated_gradients(m, x, t, n_steps=100, method="riemann_middle"), "or"
    )
    assert fine.state == "exact"
    with pytest.raises(ValueError, match="attributions must be"):
        try_method(lambda m, x, t: x[:1], "linear")
    with pytest.raises(TypeError, match="attributions must be a float tensor, not NoneType"):
        try_method(lambda m, x, t: None, "linear")
    with pytest.raises(TypeError, match=r"not torch\.int64"):
        try_method(lambda m, x, t: x.long(), "linear")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("network", NETWORKS)
def test_numbers_that_are_none_are_no_answer(network, bad):
    with pytest.raises(ValueError, match="the attributions contain NaN or infinite values"):
        try_method(lambda m, x, t: torch.full_like(x, bad), network)
    case = case_of(network)
    with pytest.raises(ValueError, match="the maps contain NaN"):
        judge_map(case.truth * bad, case)


def test_cutting_off_what_is_negative_costs_the_linear_network_only():
    """Lesson 12b: the cut spoils "linear" and mends "xor"; in integrated gradients only the first."""

    def states(explain):
        return {network: try_method(explain, network).state for network in NETWORKS}

    def integrated(model, x, t):
        return integrated_gradients(model, x, t, n_steps=150, method="riemann_middle")

    plain, cut = states(input_x_gradient), states(lambda m, x, t: input_x_gradient(m, x, t).clamp(min=0))
    changed = {n: (plain[n], cut[n]) for n in NETWORKS if plain[n] != cut[n]}
    assert changed == {"linear": ("exact", "fails"), "xor": ("fails", "exact")}
    cut = states(lambda m, x, t: integrated(m, x, t).clamp(min=0))
    assert cut == dict.fromkeys(NETWORKS, "exact") | {"linear": "fails"}


def test_saliency_fails_linear_as_a_slope_not_for_its_lost_sign():
    def slope(model, x, t):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(model(x).gather(1, t[:, None]).sum(), x)[0]

    assert try_method(slope, "linear").state == "fails"
    assert try_method(lambda m, x, t: input_x_gradient(m, x, t).abs(), "linear").state == "place"


def test_lime_is_exact_on_linear_without_its_ridge_and_nearly_so_with_more_questions():
    masks = np.array(list(product((1, 0), repeat=4)))
    weights = exponential_kernel(cosine_distances(masks), 0.25)
    case = case_of("linear")
    for row, true in enumerate(case.truth[:, 0].numpy()):
        values = np.array(masks * true).sum(axis=1)
        free = fit_surrogate(masks, values, weights, ridge=1e-9).coefficients
        many = [np.repeat(a, 100, axis=0) for a in (masks, values, weights)]
        assert np.abs(free - true).max() < 1e-6, row
        assert np.abs(fit_surrogate(*many).coefficients - true).max() < 0.03, row
        assert np.abs(fit_surrogate(masks, values, weights).coefficients - true).max() > 0.1, row


def test_unknown_methods_are_named():
    with pytest.raises(ValueError, match="tea leaves"):
        explanation_tests(["tea leaves"])
    assert list(explanation_tests(["saliency"], ["linear"])["saliency"]) == ["linear"]
