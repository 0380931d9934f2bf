"""Sparse autoencoders held against scikit-learn and SciPy, planted directions, and bad input."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.decomposition import sparse_encode
from sklearn.metrics import r2_score
from torch.nn import functional as F

from course_utils.methods import sparse_coding as methods


def rows(n: int, d: int, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def planted(n: int = 12, d: int = 8, p: float = 0.1, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    directions = F.normalize(torch.randn(n, d, generator=generator), dim=1)
    on = torch.rand(3000, n, generator=generator) < p
    return directions, (on * (torch.rand(3000, n, generator=generator) + 0.5)) @ directions


def orthogonal(d: int, seed: int = 0, k: int | None = None) -> methods.Autoencoder:
    """An autoencoder whose encoder is its decoder, d directions at right angles."""
    directions = torch.linalg.qr(rows(d, d, seed))[0]
    zero = torch.zeros(d, dtype=torch.float64)
    return methods.Autoencoder(directions, zero, directions, zero, k)


@pytest.mark.parametrize(("n", "m", "k"), [(7, 5, 2), (3, 9, 9), (1, 4, 1)])
def test_top_k_keeps_the_k_largest_of_each_row(n, m, k):
    values = rows(n, m, seed=n)
    kept = methods.top_k(values, k)
    expected = np.zeros((n, m))
    for row, order in enumerate(np.argsort(-values.numpy(), axis=1)[:, :k]):
        expected[row, order] = np.maximum(values.numpy()[row, order], 0)
    np.testing.assert_array_equal(kept.numpy(), expected)


@pytest.mark.parametrize(("d", "k"), [(4, 2), (7, 3)])
def test_top_k_of_orthogonal_directions_is_orthogonal_matching_pursuit(d, k):
    autoencoder = orthogonal(d, k=k)
    states = rows(20, d, seed=1).abs() @ autoencoder.decoder
    theirs = sparse_encode(states.numpy(), autoencoder.decoder.numpy(), algorithm="omp", n_nonzero_coefs=k)
    np.testing.assert_allclose(methods.encode(autoencoder, states).numpy(), theirs, atol=1e-9)


@pytest.mark.parametrize("price", [0.3, 1.1])
def test_a_price_takes_half_of_itself_off_each_size(price):
    """The code that is best for loss + price · Σ code is ReLU(size − price / 2) for orthogonal directions."""
    autoencoder = orthogonal(5)
    states = rows(20, 5, seed=2)
    best = methods.encode(autoencoder._replace(bias=torch.full((5,), -price / 2).double()), states)
    theirs = sparse_encode(
        states.numpy(), autoencoder.decoder.numpy(), algorithm="lasso_cd", alpha=price / 2, positive=True,
        max_iter=5000,
    )  # fmt: skip
    np.testing.assert_allclose(best.numpy(), theirs, atol=1e-6)


def test_decode_turns_encode_round_for_orthogonal_directions():
    autoencoder = orthogonal(6)._replace(center=torch.arange(6.0).double())
    states = rows(9, 6).abs() @ autoencoder.decoder + autoencoder.center
    torch.testing.assert_close(methods.decode(autoencoder, methods.encode(autoencoder, states)), states)


@pytest.mark.parametrize(("n", "d"), [(9, 3), (40, 7)])
def test_unexplained_variance_is_one_minus_r2(n, d):
    states = rows(n, d) * torch.arange(1, d + 1) + 5
    rebuilt = states + rows(n, d, seed=1)
    theirs = 1 - r2_score(states.numpy(), rebuilt.numpy(), multioutput="variance_weighted")
    assert methods.unexplained_variance(states, rebuilt) == pytest.approx(theirs, abs=1e-9)
    assert methods.unexplained_variance(states, states) == 0
    always_the_mean = states.mean(dim=0).expand_as(states)
    assert methods.unexplained_variance(states, always_the_mean) == pytest.approx(1)


def test_best_cosines_equal_scipy_and_do_not_see_length_or_sign():
    directions, found = rows(6, 4), rows(9, 4, seed=1)
    theirs = np.abs(1 - cdist(directions.numpy(), found.numpy(), "cosine")).max(axis=1)
    ours = methods.best_cosines(directions, found)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-9)
    torch.testing.assert_close(methods.best_cosines(directions * 3, -found * 0.1), ours)


@pytest.mark.parametrize("kind", [{"k": 2}, {"l1": 0.2}])
def test_training_finds_planted_directions_and_repeats_itself(kind):
    directions, states = planted()
    options = {"n_steps": 600, "batch_size": 128} | kind
    torch.manual_seed(1)
    before = torch.get_rng_state()
    trained = methods.train_autoencoder(states, 12, **options)
    assert torch.equal(before, torch.get_rng_state())
    again = methods.train_autoencoder(states, 12, **options)
    assert all(torch.equal(a, b) for a, b in zip(trained[:4], again[:4], strict=True))
    torch.testing.assert_close(trained.decoder.norm(dim=1), torch.ones(12))
    assert not any(weight.requires_grad for weight in trained[:4])
    random = methods.best_cosines(directions, rows(12, 8, seed=5, dtype=torch.float32)).mean()
    assert methods.best_cosines(directions, trained.decoder).mean() > random + 0.15
    codes = methods.encode(trained, states)
    assert (codes >= 0).all()
    if "k" in kind:
        assert (codes > 0).sum(dim=1).max() <= 2
    assert methods.unexplained_variance(states, methods.decode(trained, codes)) < 0.4


def test_the_start_is_not_drawn_with_the_callers_numbers():
    """Directions drawn with the same seed must not be the start: they would count as found, untrained."""
    directions, states = planted(n=32, d=16)
    start = methods.train_autoencoder(states, 32, k=2, n_steps=1, learning_rate=1e-9).decoder
    assert methods.best_cosines(directions, start).max() < 0.95


def test_training_works_without_gradients_and_in_double_precision():
    states = planted()[1].double()
    with torch.inference_mode():
        trained = methods.train_autoencoder(states, 6, k=1, n_steps=3)
    assert trained.decoder.dtype == torch.float64 and trained.k == 1


STATES = planted()[1][:50]
TRAINED = methods.train_autoencoder(STATES, 6, k=2, n_steps=2)
NAN = torch.full((2, 8), torch.nan)
BAD = [
    (methods.top_k, (STATES.numpy(), 2), TypeError, "values must be a float tensor"),
    (methods.top_k, (STATES, 0), ValueError, "k must be a whole number"),
    (methods.top_k, (STATES, 9), ValueError, "from 1 to 8"),
    (methods.top_k, (STATES[0], 2), ValueError, "values must have the shape"),
    (methods.encode, (None, STATES), TypeError, "use train_autoencoder"),
    (methods.encode, (TRAINED, STATES[:, :5]), ValueError, "states must have rows of 8 numbers"),
    (methods.encode, (TRAINED, NAN), ValueError, "states contain NaN"),
    (methods.encode, (TRAINED, STATES.long()), TypeError, "states must be a float tensor"),
    (methods.decode, (TRAINED, STATES), ValueError, "codes must have rows of 6 numbers"),
    (methods.unexplained_variance, (STATES, STATES[:9]), ValueError, "rebuilt"),
    (methods.unexplained_variance, (torch.ones(4, 3), torch.ones(4, 3)), ValueError, "all equal"),
    (methods.best_cosines, (STATES[:3] * 0, STATES), ValueError, "directions hold a row of length 0"),
    (methods.best_cosines, (STATES[:3], STATES[:, :4]), ValueError, "found must have rows of 8"),
]


@pytest.mark.parametrize(("method", "arguments", "error", "message"), BAD)
def test_bad_input_is_named(method, arguments, error, message):
    with pytest.raises(error, match=message):
        method(*arguments)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"states": STATES[0]}, ValueError, "states must have the shape"),
        ({"states": STATES.int()}, TypeError, "states must be a float tensor"),
        ({"states": NAN}, ValueError, "states contain NaN"),
        ({"states": torch.ones(9, 4)}, ValueError, "all equal"),
        ({"n_latents": 0}, ValueError, "n_latents"),
        ({"k": None}, ValueError, "either k .* or l1"),
        ({"l1": 0.1}, ValueError, "not both"),
        ({"k": 7}, ValueError, "k must be a whole number from 1 to 6"),
        ({"k": None, "l1": 0}, ValueError, "l1 must be above 0"),
        ({"k": None, "l1": -1}, ValueError, "l1 must be a number"),
        ({"n_steps": 0}, ValueError, "n_steps"),
        ({"batch_size": 1.5}, ValueError, "batch_size"),
        ({"seed": -1}, ValueError, "seed"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be above 0"),
    ],
)
def test_bad_arguments_of_the_training_are_named(changed, error, message):
    with pytest.raises(error, match=message):
        methods.train_autoencoder(**({"states": STATES, "n_latents": 6, "k": 2, "n_steps": 2} | changed))


@pytest.mark.parametrize("factor", [1e30, 1e-30])
def test_cosines_do_not_depend_on_the_rows_lengths(factor):
    some, others = torch.randn(9, 8, generator=torch.Generator().manual_seed(0)).split([3, 6])
    wanted = methods.best_cosines(some, others)
    for found in (
        methods.best_cosines(some * factor, others),
        methods.best_cosines(some, others * factor),
        methods.best_cosines(some, others.double()),
    ):
        assert torch.allclose(found, wanted, atol=1e-6)


def test_states_in_another_precision():
    codes = methods.encode(TRAINED, STATES)
    assert torch.equal(methods.encode(TRAINED, STATES.double()), codes)
    assert torch.equal(methods.decode(TRAINED, codes.double()), methods.decode(TRAINED, codes))
    far = STATES.half() * 100  # the sum of squares does not fit half precision
    assert methods.unexplained_variance(far, far * 0.5) < 1


def test_a_training_that_diverges_is_named():
    with pytest.raises(ValueError, match="smaller learning_rate"):
        methods.train_autoencoder(STATES * 1e30, 6, k=2, n_steps=5)
