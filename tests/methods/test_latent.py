"""The price of a code against torch.distributions, and the information gap on codes whose answer is known."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from course_utils.methods.information import gaussian_information
from course_utils.methods.latent import information_table, kl_to_standard_normal, mutual_information_gap


@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (2, 3, 4)])
def test_kl_equals_torch(shape):
    generator = torch.Generator().manual_seed(len(shape))
    mean, log_variance = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    theirs = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), theirs)


def test_kl_is_zero_at_the_prior_and_keeps_small_values_and_gradients():
    zero = torch.zeros(3)
    assert (kl_to_standard_normal(zero, zero) == 0).all()
    tiny = kl_to_standard_normal(torch.zeros(1), torch.full((1,), 1e-3))  # about log_variance² / 4
    torch.testing.assert_close(tiny, torch.tensor([2.5e-7]), rtol=0.2, atol=0)
    mean = torch.ones(2, 3, requires_grad=True)
    kl_to_standard_normal(mean, torch.zeros(2, 3)).sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(2, 3))


def factors(n: int = 4000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (n, 2))


def turned(values: np.ndarray, degrees: float) -> np.ndarray:
    t = np.deg2rad(degrees)
    return values @ np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])


def test_the_factors_themselves_have_a_gap_near_one():
    gaps = mutual_information_gap(factors(), factors())
    assert gaps.shape == (2,)
    assert (gaps > 0.97).all()


def test_a_turn_closes_the_gap_and_a_stretch_does_not_matter():
    at = [mutual_information_gap(turned(factors(), degrees), factors()).mean() for degrees in (0, 15, 30, 45)]
    assert at == sorted(at, reverse=True)
    assert at[-1] < 0.05
    # powers: increasing, so the bins keep their members
    stretched = mutual_information_gap(np.exp(3 * factors()), factors() ** 3)
    np.testing.assert_allclose(stretched, mutual_information_gap(factors(), factors()))


def test_order_and_sign_of_the_latents_do_not_matter():
    code = turned(factors(), 10)
    swapped = mutual_information_gap(-code[:, ::-1], factors())
    np.testing.assert_allclose(swapped, mutual_information_gap(code, factors()), atol=0.02)


def test_one_latent_for_two_factors_has_a_gap_and_a_split_factor_has_none():
    both = np.column_stack([factors()[:, 0], np.random.default_rng(1).normal(size=4000)])
    twice = factors()[:, :1] + 0.1 * factors(seed=2)  # both latents tell of the first factor
    assert mutual_information_gap(both, factors()[:, [0, 0]]).min() > 0.9
    assert mutual_information_gap(twice, factors()[:, :1])[0] < 0.05


def test_table_of_normal_pairs_and_of_noise():
    rng = np.random.default_rng(3)
    a, noise = rng.normal(size=(2, 200_000))
    b = 0.8 * a + 0.6 * noise
    table = information_table(b[:, None], a[:, None]) * np.log(10)
    assert table[0, 0] == pytest.approx(gaussian_information(0.8), abs=0.05)
    silent = information_table(np.zeros((1000, 1)), rng.normal(size=(1000, 1)))
    assert silent[0, 0] == 0  # a latent that is switched off
    independent = information_table(rng.normal(size=(4000, 1)), rng.normal(size=(4000, 1)))
    assert independent[0, 0] == pytest.approx(171 / 8000 / np.log(10), rel=0.3)


USUAL = {
    kl_to_standard_normal: {"mean": torch.zeros(2, 3), "log_variance": torch.zeros(2, 3)},
    information_table: {"latents": factors(), "factors": factors()},
    mutual_information_gap: {"latents": factors(), "factors": factors()},
}
BAD = [
    (kl_to_standard_normal, {"mean": np.zeros((2, 3))}, TypeError, "mean must be a float tensor"),
    (kl_to_standard_normal, {"log_variance": torch.zeros(2, 3).long()}, TypeError, "log_variance must be a"),
    (kl_to_standard_normal, {"mean": torch.zeros(2)}, ValueError, "one variance for each latent"),
    (kl_to_standard_normal, {"mean": torch.full((2, 3), torch.nan)}, ValueError, "mean contains NaN"),
    (information_table, {"latents": factors()[:, 0]}, ValueError, r"latents\[:, None\]"),
    (information_table, {"latents": factors()[:3000]}, ValueError, "give pairs"),
    (information_table, {"latents": factors() * np.nan}, ValueError, "latents contain NaN"),
    (information_table, {"factors": "x"}, ValueError, "factors must hold numbers"),
    (
        information_table,
        {"factors": factors() * [1, 0]},
        ValueError,
        "factor 1 never changes: leave its column",
    ),
    (
        information_table,
        {"latents": factors(99), "factors": factors(99)},
        ValueError,
        "latents of at least 1,000",
    ),
    (mutual_information_gap, {"latents": factors()[:, :1]}, ValueError, "k ≥ 2"),
]


@pytest.mark.parametrize(("function", "change", "error", "words"), BAD)
def test_bad_input_is_named(function, change, error, words):
    with pytest.raises(error, match=words):
        function(**USUAL[function] | change)
