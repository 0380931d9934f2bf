"""Mutual information against scikit-learn, the closed form of normal pairs, and bounds that are known."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy as scipy_entropy
from sklearn.metrics import mutual_info_score

from course_utils.methods import information as methods


def pairs(n: int, rho: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    a, noise = np.random.default_rng(seed).normal(size=(2, n))
    return a, rho * a + math.sqrt(1 - rho**2) * noise


@pytest.mark.parametrize("bins", [2, 7, (20, 10)])
def test_histogram_equals_scikit_learn(bins):
    a, b = pairs(500, 0.6)
    of_a, of_b = bins if isinstance(bins, tuple) else (bins, bins)
    theirs = mutual_info_score(methods.quantile_bins(a, of_a), methods.quantile_bins(b, of_b))
    assert methods.histogram_information(a, b, bins) == pytest.approx(theirs, abs=1e-12)


def test_bins_hold_equally_many_and_equal_values_stay_together():
    bins = methods.quantile_bins(np.random.default_rng(0).permutation(100.0 * np.arange(100)), 5)
    assert np.bincount(bins).tolist() == [20] * 5
    assert len(set(methods.quantile_bins(np.ones(9), 4))) == 1
    assert len(set(methods.quantile_bins(np.array([0, 1, 0, 1, 1.0]), 10))) == 2


def test_entropy_equals_scipy():
    bins = np.random.default_rng(1).integers(0, 7, 300)
    assert methods.entropy(bins) == pytest.approx(scipy_entropy(np.bincount(bins)))
    assert methods.entropy(np.zeros(4)) == 0


def test_histogram_finds_the_truth_with_many_samples_and_is_biased_as_said_with_few():
    a, b = pairs(200_000, 0.5)
    assert methods.histogram_information(a, b, 20) == pytest.approx(
        methods.gaussian_information(0.5), abs=0.01
    )
    noise = [methods.histogram_information(*pairs(2000, 0.0, seed), 10) for seed in range(20)]
    assert np.mean(noise) == pytest.approx(81 / 4000, rel=0.1)
    assert methods.histogram_information(a[:50], a[:50], 5) == pytest.approx(math.log(5))


@pytest.mark.parametrize(("rho", "d"), [(0.0, 1), (0.5, 1), (-0.9, 4)])
def test_gaussian_information_is_that_of_the_determinants(rho, d):
    covariance = np.array([[1, rho], [rho, 1]])
    truth = -d / 2 * np.log(np.linalg.det(covariance))
    assert methods.gaussian_information(rho, d) == pytest.approx(truth, abs=1e-12)


def test_infonce_is_the_cross_entropy_and_never_above_its_ceiling():
    scores = torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    loss = torch.nn.functional.cross_entropy(scores, torch.arange(6))
    torch.testing.assert_close(methods.infonce_bound(scores), math.log(6) - loss)
    best = methods.infonce_bound(1e4 * torch.eye(6))
    assert best.item() == pytest.approx(math.log(6))
    assert methods.infonce_bound(torch.zeros(4, 4)).item() == pytest.approx(0, abs=1e-6)


def test_donsker_varadhan_by_hand_and_with_the_best_score():
    scores = torch.tensor([[1.0, 0.0], [2.0, 3.0]])
    by_hand = 2.0 - math.log((1 + math.e**2) / 2)
    assert methods.donsker_varadhan_bound(scores).item() == pytest.approx(by_hand, rel=1e-6)
    shifted = methods.donsker_varadhan_bound(scores + 7)  # a constant does not matter
    assert shifted.item() == pytest.approx(by_hand, rel=1e-5)
    a, b = (torch.from_numpy(v) for v in pairs(2000, 0.5))
    variance = 1 - 0.5**2
    log_ratio = b**2 / 2 - (b - 0.5 * a[:, None]) ** 2 / (2 * variance) - 0.5 * math.log(variance)
    found = methods.donsker_varadhan_bound(log_ratio).item()
    assert found == pytest.approx(methods.gaussian_information(0.5), abs=0.03)


def test_bounds_have_gradients():
    scores = torch.zeros(3, 3, requires_grad=True)
    (methods.infonce_bound(scores) + methods.donsker_varadhan_bound(scores)).backward()
    assert torch.isfinite(scores.grad).all()


def test_readout_bound_is_entropy_minus_scikit_learns_log_loss():
    from sklearn.metrics import log_loss

    rng = np.random.default_rng(0)
    for n, k in ((30, 2), (200, 5)):
        values = rng.integers(0, k, n)
        q = rng.dirichlet(np.ones(k), n)
        wanted = methods.entropy(values) - log_loss(values, q, labels=range(k))
        assert methods.readout_bound(np.log(q), values) == pytest.approx(wanted, rel=1e-9)


def test_readout_bound_at_its_ends():
    values = np.array([0, 1, 2, 2])
    with np.errstate(divide="ignore"):
        sure = np.log(np.eye(3)[values])
    assert methods.readout_bound(sure, values) == pytest.approx(methods.entropy(values))
    shares = np.log(np.tile([0.25, 0.25, 0.5], (4, 1)))
    assert methods.readout_bound(shares, values) == pytest.approx(0, abs=1e-12)
    assert methods.readout_bound(np.log(np.tile([0.8, 0.1, 0.1], (4, 1))), values) < 0


A, B = pairs(100, 0.5)
USUAL = {
    methods.quantile_bins: {"values": A, "n_bins": 4},
    methods.entropy: {"bins": np.arange(4)},
    methods.histogram_information: {"a": A, "b": B, "bins": 4},
    methods.gaussian_information: {"rho": 0.5},
    methods.infonce_bound: {"scores": torch.zeros(3, 3)},
    methods.donsker_varadhan_bound: {"scores": torch.zeros(3, 3)},
    methods.readout_bound: {"log_probabilities": np.log(np.full((4, 2), 0.5)), "values": [0, 1, 1, 0]},
}
BAD = [
    (methods.quantile_bins, {"values": A[None]}, ValueError, "one column at a time"),
    (methods.quantile_bins, {"values": A * np.nan}, ValueError, "values contains NaN"),
    (methods.quantile_bins, {"values": ["a"]}, ValueError, "values must hold numbers"),
    (methods.quantile_bins, {"values": np.ma.masked_less(A, 0)}, ValueError, "values has masked values"),
    (methods.entropy, {"bins": np.array([1j, 2])}, ValueError, "bins must hold numbers"),
    (methods.quantile_bins, {"n_bins": 1}, ValueError, "n_bins must be a whole number ≥ 2"),
    (methods.entropy, {"bins": []}, ValueError, "bins must have the shape"),
    (methods.entropy, {"bins": [0.2, 0.8]}, ValueError, "bins must be whole numbers"),
    (methods.histogram_information, {"b": B[1:]}, ValueError, "values that belong together"),
    (methods.histogram_information, {"bins": (3, 4, 5)}, ValueError, "bins must be a whole number"),
    (methods.histogram_information, {"bins": 2.5}, ValueError, "whole number ≥ 2"),
    (methods.gaussian_information, {"rho": 1.0}, ValueError, "rho must be a number"),
    (methods.gaussian_information, {"rho": -1.0}, ValueError, "the information is infinite"),
    (methods.gaussian_information, {"dimensions": 0}, ValueError, "dimensions must be a whole number"),
    (methods.infonce_bound, {"scores": np.zeros((3, 3))}, TypeError, "torch.as_tensor"),
    (methods.infonce_bound, {"scores": torch.zeros(3, 4)}, ValueError, "score each a with each b"),
    (methods.donsker_varadhan_bound, {"scores": torch.zeros(1, 1)}, ValueError, "B ≥ 2"),
    (methods.donsker_varadhan_bound, {"scores": torch.full((2, 2), torch.inf)}, ValueError, "scores contain"),
    (methods.readout_bound, {"values": [0, 1]}, ValueError, "one row for each value"),
    (methods.readout_bound, {"values": [0, 1, 2, 0]}, ValueError, "from 0 to 1"),
    (methods.readout_bound, {"values": [0, 1, 0.5, 0]}, ValueError, "whole numbers"),
    (methods.readout_bound, {"log_probabilities": np.full((4, 2), 0.5)}, ValueError, "predict_log_proba"),
    (methods.readout_bound, {"log_probabilities": np.full((4, 2), np.nan)}, ValueError, "log_probabilities"),
]


@pytest.mark.parametrize(("function", "change", "error", "words"), BAD)
def test_bad_input_is_named(function, change, error, words):
    with pytest.raises(error, match=words):
        function(**USUAL[function] | change)
