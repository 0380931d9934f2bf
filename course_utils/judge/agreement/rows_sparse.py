"""Codes of a sparse autoencoder with directions at right angles beside scikit-learn's sparse coding."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from course_utils.judge.agreement.row import Row
from course_utils.methods import sparse_coding

K, PRICE = 2, 0.4


@cache
def _case() -> SimpleNamespace:
    generator = torch.Generator().manual_seed(16)
    directions = torch.linalg.qr(torch.randn(7, 7, generator=generator, dtype=torch.float64))[0]
    zero = torch.zeros(7, dtype=torch.float64)
    states = torch.rand(30, 7, generator=generator, dtype=torch.float64) @ directions
    autoencoder = sparse_coding.Autoencoder(directions, zero, directions, zero, K)
    return SimpleNamespace(autoencoder=autoencoder, states=states, zero=zero)


def _our_code() -> Tensor:
    return sparse_coding.encode(_case().autoencoder, _case().states)


def _our_priced_code() -> Tensor:
    priced = _case().autoencoder._replace(bias=_case().zero - PRICE / 2, k=None)
    return sparse_coding.encode(priced, _case().states)


def _sklearn(**options) -> np.ndarray:
    from sklearn.decomposition import sparse_encode

    return sparse_encode(_case().states.numpy(), _case().autoencoder.decoder.numpy(), **options)


ROWS = (
    Row(
        "TopK code",
        "scikit-learn",
        "orthogonal matching pursuit, directions at right angles, sizes ≥ 0",
        _our_code,
        lambda: _sklearn(algorithm="omp", n_nonzero_coefs=K),
    ),
    Row(
        "L1 code",
        "scikit-learn",
        "Lasso, positive, alpha = λ/2, directions at right angles",
        _our_priced_code,
        lambda: _sklearn(algorithm="lasso_cd", alpha=PRICE / 2, positive=True),
    ),
)
