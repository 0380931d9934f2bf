"""Attention and embeddings beside transformers, scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_utils.judge.agreement.row import Row
from course_utils.judge.agreement.subjects import encoder_outputs, small_encoder
from course_utils.methods import attention, embeddings


def _attentions() -> Tensor:
    """(layers, heads, T, T)."""
    return torch.stack(encoder_outputs().attentions)[:, 0]


def _states() -> Tensor:
    """(T, d)."""
    return encoder_outputs().last_hidden_state[0]


def _our_heads() -> Tensor:
    shape = _attentions().shape
    model, tokens = small_encoder()
    heads = [
        attention.one_head(model, tokens, layer, head).attention
        for layer in range(shape[0])
        for head in range(shape[1])
    ]
    return torch.stack(heads).view(shape)


def _rollout_by_hand() -> np.ndarray:
    layers = _attentions().numpy()
    reached = np.eye(layers.shape[-1])
    for layer in layers:
        mixed = 0.5 * layer.mean(axis=0) + 0.5 * np.eye(len(reached))
        reached = mixed / mixed.sum(axis=1, keepdims=True) @ reached
    return reached


def _scipy(metric: str) -> np.ndarray:
    from scipy.spatial.distance import cdist

    states = _states()
    return cdist(states, states, metric)


def _pca() -> np.ndarray:
    from sklearn.decomposition import PCA

    return PCA(3, svd_solver="full").fit_transform(_states().numpy())


def _pairs(measure):
    def values() -> Tensor:
        states = _states()
        return measure(states[:, None], states[None])

    return values


ROWS = (
    Row(
        "one attention head",
        "transformers",
        "softmax(qkᵀ/√d), every layer and head",
        _our_heads,
        _attentions,
    ),
    Row(
        "attention maps",
        "transformers",
        'attn_implementation="eager"',
        lambda: attention.attention_maps(*small_encoder()),
        _attentions,
    ),
    Row(
        "attention rollout",
        "formula (numpy)",
        "heads averaged first, 0.5 A + 0.5 I, rows normalised",
        lambda: attention.attention_rollout(attention.attention_maps(*small_encoder())),
        _rollout_by_hand,
    ),
    Row(
        "Euclidean distance",
        "scipy",
        "every pair of tokens",
        _pairs(embeddings.euclidean_distance),
        lambda: _scipy("euclidean"),
    ),
    Row(
        "cosine similarity",
        "scipy",
        "1 − its distance",
        _pairs(embeddings.cosine_similarity),
        lambda: 1 - _scipy("cosine"),
    ),
    Row(
        "projection (PCA)",
        "scikit-learn",
        "centred; a direction's largest entry is positive",
        lambda: embeddings.project(_states(), 3),
        _pca,
    ),
)
