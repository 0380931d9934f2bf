"""Capsules beside a plain loop: no maintained library computes them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_utils.judge.agreement.row import Row
from course_utils.methods import capsules


def _votes() -> Tensor:
    return torch.randn(2, 6, 4, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _squashed(s: np.ndarray) -> np.ndarray:
    n = np.sqrt(s @ s)
    return n**2 / (1 + n**2) * s / n


def _routed(votes: np.ndarray) -> np.ndarray:
    logits = np.zeros(votes.shape[:2])
    for _ in range(3):
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        upper = np.stack([_squashed(shares[:, j] @ votes[:, j]) for j in range(votes.shape[1])])
        logits += (votes * upper).sum(axis=2)
    return upper


ROWS = (
    Row(
        "squash",
        "NumPy",
        "the length of each vector, not of each number",
        lambda: capsules.squash(_votes()),
        lambda: np.apply_along_axis(_squashed, 3, _votes().numpy()),
    ),
    Row(
        "routing by agreement",
        "NumPy",
        "softmax over the upper capsules; logits grow after each iteration but the last",
        lambda: capsules.route(_votes(), 3)[0],
        lambda: np.stack([_routed(votes) for votes in _votes().numpy()]),
    ),
)
