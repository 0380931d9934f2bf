"""Exact formulas of ReLU networks, interactions, and similarity beside captum, shap and scikit-learn."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from course_utils.judge.agreement.libraries import import_shap
from course_utils.judge.agreement.row import Row
from course_utils.methods import interactions, pieces, similarity

PLAYERS = 5


def _network() -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64) / 2)
    return model


def _table(seed: int, columns: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(20, columns))


def _saliency() -> torch.Tensor:
    from captum.attr import Saliency

    x = torch.from_numpy(_table(0, 4)).requires_grad_()
    return Saliency(_network()).attribute(x, target=1, abs=False).detach()


def _game(masks: np.ndarray) -> np.ndarray:
    worths = np.random.default_rng(1).normal(size=2**PLAYERS)
    return worths[np.asarray(masks, int) @ (1 << np.arange(PLAYERS))]


def _shap_pairs() -> np.ndarray:
    shap = import_shap()
    absent = shap.maskers.Independent(np.zeros((1, PLAYERS)))
    values = shap.explainers.Exact(_game, absent)(np.ones((1, PLAYERS)), interactions=2).values[0]
    return 2 * values * (1 - np.eye(PLAYERS))


def _centred_kernels() -> float:
    from sklearn.preprocessing import KernelCenterer

    k, m = (KernelCenterer().fit_transform(x @ x.T) for x in (_table(0, 4), _table(1, 3)))
    return (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())


ROWS = (
    Row(
        "exact formula of a piece",
        "captum Saliency",
        "abs=False; the formula's constant is not given",
        lambda: np.array([pieces.piece_of(pieces.layers_of(_network()), x).slope[1] for x in _table(0, 4)]),
        _saliency,
    ),
    Row(
        "Shapley-Taylor interactions",
        "shap Exact",
        "interactions=2 is this index, and stores half of each pair",
        lambda: interactions.pair_interactions(_game, PLAYERS, "taylor"),
        _shap_pairs,
    ),
    Row(
        "CKA",
        "scikit-learn KernelCenterer",
        "debiased=False; kernels centred, then compared",
        lambda: similarity.linear_cka(_table(0, 4), _table(1, 3), debiased=False),
        _centred_kernels,
    ),
)
