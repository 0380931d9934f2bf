"""Similarity of layers: against the definitions, scikit-learn, and cases with a known answer."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import KernelCenterer

from course_utils.methods import similarity as methods


def features(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_plain_value_is_that_of_centred_kernels():
    x, y = features(9, 4), features(9, 3, 1) + 2
    k, m = (KernelCenterer().fit_transform(z @ z.T) for z in (x, y))
    wanted = (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())
    assert methods.linear_cka(x, y, debiased=False) == pytest.approx(wanted, abs=1e-12)


def test_debiased_value_is_the_mean_over_all_fours_of_inputs():
    x, y = features(6, 3) + 1, features(6, 2, 1)

    def mean_over_fours(a, b):
        k, m = a @ a.T, b @ b.T
        fours = permutations(range(6), 4)
        return np.mean([k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in fours])

    wanted = mean_over_fours(x, y) / np.sqrt(mean_over_fours(x, x) * mean_over_fours(y, y))
    assert methods.linear_cka(x, y) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("debiased", [True, False])
def test_turning_scaling_and_shifting_change_nothing(debiased):
    x = features(30, 5)
    turned = 3 * x @ np.linalg.qr(features(5, 5, 1))[0] + 7
    assert methods.linear_cka(x, turned, debiased=debiased) == pytest.approx(1, abs=1e-12)


def test_noise_is_alike_by_the_plain_value_only():
    pairs = [(features(100, 96, 2 * s), features(100, 96, 2 * s + 1)) for s in range(20)]
    assert np.mean([methods.linear_cka(*p, debiased=False) for p in pairs]) == pytest.approx(0.5, abs=0.02)
    assert np.mean([methods.linear_cka(*p) for p in pairs]) == pytest.approx(0, abs=0.02)


def test_explained_share_equals_scikit_learn():
    x, y, x_test = features(40, 5), features(40, 3, 1), features(20, 5, 2)
    y, y_test = y + x @ features(5, 3, 3) + 1, x_test @ features(5, 3, 3) + 1
    alpha = 0.01 * ((x - x.mean(axis=0)) ** 2).sum() / 5
    told = Ridge(alpha=alpha).fit(x, y).predict(x_test)
    wanted = 1 - ((y_test - told) ** 2).sum() / ((y_test - y.mean(axis=0)) ** 2).sum()
    assert methods.explained_share(x, y, x_test, y_test, ridge=0.01) == pytest.approx(wanted, abs=1e-9)


X, Y = features(8, 3), features(8, 2, 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: methods.linear_cka(X, Y[:5]), ("x (8, 3)", "y (5, 2)", "same inputs")),
        (lambda: methods.linear_cka(X[:3], Y[:3]), ("n ≥ 4",)),
        (lambda: methods.linear_cka(X.reshape(2, 2, 6), Y), ("flatten",)),
        (lambda: methods.linear_cka(X * np.nan, Y), ("finite", "check the features")),
        (lambda: methods.linear_cka(np.ones((8, 3)), Y), ("x is the same", "vary")),
        (lambda: methods.explained_share(X, Y, X[:, :2], Y), ("x_test (8, 2)", "other inputs")),
        (lambda: methods.explained_share(X, Y, X, Y * np.inf), ("x_test and y_test", "finite")),
        (lambda: methods.explained_share(X, Y, X, Y, ridge=-1), ("ridge", "≥ 0")),
    ],
)
def test_bad_input_names_argument_and_remedy(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("factor", [1e150, 1e-150, -1.0])
@pytest.mark.parametrize("debiased", [True, False])
def test_cka_does_not_depend_on_the_features_size(factor, debiased):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 4))
    wanted = methods.linear_cka(x, y, debiased=debiased)
    assert methods.linear_cka(factor * x, y, debiased=debiased) == pytest.approx(wanted, rel=1e-9)


def test_bad_input_of_another_kind():
    x = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match="x must hold numbers"):
        methods.linear_cka(x + 1j, x)
    with pytest.raises(TypeError, match="debiased must be True or False"):
        methods.linear_cka(x, x, debiased="no")
    with pytest.raises(ValueError, match=r"x \(\) and y"):
        methods.explained_share(None, x, x, x)
