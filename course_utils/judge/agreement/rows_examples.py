"""Influence of training examples, prototypes and clusters, beside captum, mmd-critic and scikit-learn."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from course_utils.judge.agreement.row import Row
from course_utils.methods import influence, prototypes, spray

N, DAMPING, RATE = 24, 0.5, 0.1


@cache
def _case() -> SimpleNamespace:
    """A small random network in double precision, training and test examples."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64) / 2)
    rows = torch.randn(N + 6, 5, generator=generator, dtype=torch.float64)
    targets = torch.randint(3, (N + 6,), generator=generator)
    return SimpleNamespace(
        model=model, train=(rows[:N], targets[:N]), test=(rows[N:], targets[N:]), table=rows.numpy()
    )


def _captum(tracin: bool) -> Tensor:
    from captum.influence import NaiveInfluenceFunction, TracInCP

    case = _case()
    options = {
        "loss_fn": nn.CrossEntropyLoss(reduction="none"),
        "batch_size": N,
        "sample_wise_grads_per_batch": False,
    }
    training = TensorDataset(*case.train)
    if tracin:
        program = TracInCP(case.model, training, [""], lambda model, path: RATE, **options)
    else:
        exact = {"projection_dim": None, "hessian_reg": N * DAMPING, "hessian_inverse_tol": 0.0}
        program = NaiveInfluenceFunction(
            case.model, training, "", lambda model, path: 1.0, **exact, **options
        )
    return program.influence(case.test).detach()


def _similarities() -> np.ndarray:
    return prototypes.similarities(_case().table)


def _critic():
    from mmd_critic import MMDCritic
    from mmd_critic.kernels import RBFKernel

    table = _case().table
    squared = ((table[:, None] - table) ** 2).sum(axis=2)
    scale = np.median(squared[np.triu_indices(len(table), 1)])
    return MMDCritic(table, RBFKernel(sigma=np.sqrt(scale / 2)))


def _their_choice(criticisms: bool) -> np.ndarray:
    critic = _critic()
    chosen = critic.select_prototypes(5)[0]
    return critic.select_criticisms(4, chosen, regularization=None)[0] if criticisms else chosen


def _our_choice(criticisms: bool) -> np.ndarray:
    k = _similarities()
    chosen = prototypes.prototypes(k, 5)
    return _case().table[prototypes.criticisms(k, chosen, 4) if criticisms else chosen]


def _together(clusters: np.ndarray) -> np.ndarray:
    """Which two are in one cluster, `(n, n)`: whatever the clusters are called."""
    return (clusters[:, None] == clusters).astype(float)


def _by_scikit_learn() -> np.ndarray:
    from sklearn.cluster import SpectralClustering

    program = SpectralClustering(3, affinity="precomputed", random_state=0)
    return program.fit_predict(spray.neighbour_graph(_case().table, 5))


ROWS = (
    Row(
        "influence",
        "captum NaiveInfluenceFunction",
        "hessian_reg = n · damping: its Hessian is a sum",
        lambda: influence.influence(_case().model, *_case().train, *_case().test, DAMPING),
        lambda: _captum(tracin=False),
    ),
    Row(
        "TracIn",
        "captum TracInCP",
        "one stored state; no 1/n",
        lambda: influence.tracin([_case().model], RATE, *_case().train, *_case().test),
        lambda: _captum(tracin=True),
    ),
    Row(
        "prototypes",
        "mmd-critic",
        "sigma = √(q / 2) for exp(−d² / q)",
        lambda: _our_choice(criticisms=False),
        lambda: _their_choice(criticisms=False),
    ),
    Row(
        "criticisms",
        "mmd-critic",
        "regularization=None",
        lambda: _our_choice(criticisms=True),
        lambda: _their_choice(criticisms=True),
    ),
    Row(
        "spectral clustering",
        "scikit-learn SpectralClustering",
        "which two are together; the same graph",
        lambda: _together(spray.spectral_clusters(spray.neighbour_graph(_case().table, 5), 3)[0]),
        lambda: _together(_by_scikit_learn()),
    ),
)
