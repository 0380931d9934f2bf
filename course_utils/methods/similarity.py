"""How alike two layers are: what two networks make of the same inputs, compared as a whole."""

from __future__ import annotations

import numpy as np

from course_utils.methods.arguments import check_flag, check_number, to_floats


def linear_cka(x: np.ndarray, y: np.ndarray, *, debiased: bool = True) -> float:
    """Linear centred kernel alignment of two sets of features of the same n inputs; 1: the same, turned.

    Kornblith and others 2019, "Similarity of neural network representations revisited", equation 4: with the
    columns centred, ‖xᵀy‖² / (‖xᵀx‖ ‖yᵀy‖) (Frobenius norms). This is far above 0 even for independent noise
    unless n is much larger than the number of features. `debiased` replaces each of the three by its unbiased
    estimate (Song and others 2012, "Feature selection via dependence maximization", equation 5), whose mean
    for independent features is 0; it may be slightly negative.

    Args:
        x: (n, p), n ≥ 4.
        y: (n, q).
        debiased: False is the usual value, from 0 to 1.

    Raises:
        ValueError: shapes that do not fit, NaN, fewer than four inputs, features that do not vary.
    """
    x, y = (_scaled(part) for part in _pair(x, y, at_least=4))
    if not check_flag(debiased, "debiased"):
        return float(_square(x, y) / np.sqrt(_square(x, x) * _square(y, y)))
    own = _unbiased(x, x), _unbiased(y, y)
    if min(own) <= 0:
        raise ValueError("x or y is too noisy for a debiased value: give more inputs")
    return float(_unbiased(x, y) / np.sqrt(own[0] * own[1]))


def explained_share(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, *, ridge: float = 1e-3
) -> float:
    """Which share of the features y a linear map from x foretells on other inputs, R² ≤ 1.

    The linear case of the knowledge consistency of Liang and others 2020, "Knowledge consistency between
    neural networks and beyond". Not symmetric. 0: no better than the mean of y; it can be negative.

    Args:
        x, y: (n, p) and (n, q), to fit to.
        x_test, y_test: (m, p) and (m, q), to judge by.
        ridge: strength of the penalty, as a share of the mean variance of x.

    Raises:
        ValueError: shapes that do not fit, NaN, features that do not vary, a negative ridge.
    """
    ridge = check_number(ridge, "ridge")
    given = to_floats(x, "x"), to_floats(y, "y")
    x, y = _pair(*given, at_least=2)
    means = [part.mean(axis=0) for part in given]
    x_test, y_test = to_floats(x_test, "x_test"), to_floats(y_test, "y_test")
    if x_test.shape[1:] != x.shape[1:] or y_test.shape != (len(x_test), y.shape[1]) or not len(x_test):
        raise ValueError(
            f"x_test {x_test.shape} and y_test {y_test.shape} must be (m, {x.shape[1]}) and "
            f"(m, {y.shape[1]}): the same features of other inputs"
        )
    if not (np.isfinite(x_test).all() and np.isfinite(y_test).all()):
        raise ValueError("x_test and y_test must be finite numbers: check the features")
    inner = x.T @ x
    inner += ridge * np.trace(inner) / len(inner) * np.eye(len(inner))
    told = (x_test - means[0]) @ np.linalg.lstsq(inner, x.T @ y, rcond=None)[0]
    apart = y_test - means[1]
    return float(1 - ((apart - told) ** 2).sum() / (apart**2).sum())


def _pair(x: np.ndarray, y: np.ndarray, at_least: int) -> tuple[np.ndarray, np.ndarray]:
    """Both, with centred columns."""
    x, y = to_floats(x, "x"), to_floats(y, "y")
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) < at_least:
        raise ValueError(
            f"x {x.shape} and y {y.shape} must be (n, p) and (n, q), n ≥ {at_least}, of the same inputs: "
            "flatten feature maps first"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x and y must be finite numbers: check the features")
    for name, values in (("x", x), ("y", y)):
        if not np.ptp(values, axis=0).any():
            raise ValueError(f"{name} is the same for all inputs: its features must vary")
    return x - x.mean(axis=0), y - y.mean(axis=0)


def _scaled(x: np.ndarray) -> np.ndarray:
    """Divided by a power of two, so that no fourth power under- or overflows and no digit is lost."""
    return x / 2.0 ** np.frexp(np.abs(x).max())[1]


def _square(x: np.ndarray, y: np.ndarray) -> float:
    return float(((x.T @ y) ** 2).sum())


def _unbiased(x: np.ndarray, y: np.ndarray) -> float:
    """n (n − 3) times the unbiased HSIC of two linear kernels."""
    n = len(x)
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    rows_k, rows_m = k.sum(axis=0), m.sum(axis=0)
    together = rows_k.sum() * rows_m.sum() / ((n - 1) * (n - 2))
    return float((k * m).sum() + together - 2 * rows_k @ rows_m / (n - 2))
