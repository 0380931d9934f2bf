"""Superposition and sparse autoencoders: more directions than dimensions, and how to find them again.

A *feature* is a direction; a state is the sum of a few directions, each times its size. A sparse autoencoder
reads the sizes (its *code*, one number a *latent*) and writes the state again from the rows of its decoder,
which are the directions that it has found. Which latents may be on is decided by `top_k`, or by a price on
the sum of the code (L1).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.methods.arguments import check_count, check_positive, check_rows

OWN_SEEDS = 16_000_000  # added to `seed`: states drawn with the same seed must not share the start's numbers


class Autoencoder(NamedTuple):
    """A trained sparse autoencoder: m latents for states of d numbers.

    Attributes:
        encoder: `(m, d)`, a row reads one latent.
        bias: `(m,)`, added before the ReLU.
        decoder: `(m, d)`, a row of length 1 is the direction that one latent writes.
        center: `(d,)`, taken off before reading and put back after writing.
        k: at most so many latents are on for one state; None: as many as are positive.
    """

    encoder: Tensor
    bias: Tensor
    decoder: Tensor
    center: Tensor
    k: int | None


def top_k(values: Tensor, k: int) -> Tensor:
    """Keep the k largest numbers of each row where they are positive, and set the others to 0.

    Gao and others 2024, "Scaling and evaluating sparse autoencoders", section 2.3, after a ReLU.

    Args:
        values: `(N, m)` float.
        k: whole, 1 to m.

    Raises:
        TypeError: `values` is not a float tensor.
        ValueError: wrong shape, NaN, or k out of range.
    """
    check_rows(values, "values", "(N, m)")
    return _top_k(values, check_count(k, "k", at_most=values.shape[1]))


def encode(autoencoder: Autoencoder, states: Tensor) -> Tensor:
    """The code of each state, `(N, m)`: ReLU(encoder (state − center) + bias), then `top_k`.

    Args:
        autoencoder: of `train_autoencoder`.
        states: `(N, d)` float.

    Raises:
        TypeError: not an `Autoencoder`, or `states` is not a float tensor.
        ValueError: wrong shape, or NaN.
    """
    _check_autoencoder(autoencoder)
    check_rows(states, "states", "(N, d)", autoencoder.center.shape[0])
    states = states.to(autoencoder.center)
    values = F.relu((states - autoencoder.center) @ autoencoder.encoder.T + autoencoder.bias)
    return values if autoencoder.k is None else _top_k(values, autoencoder.k)


def decode(autoencoder: Autoencoder, codes: Tensor) -> Tensor:
    """The states that codes `(N, m)` stand for, `(N, d)`: codes @ decoder + center.

    Raises:
        TypeError: not an `Autoencoder`, or `codes` is not a float tensor.
        ValueError: wrong shape, or NaN.
    """
    _check_autoencoder(autoencoder)
    check_rows(codes, "codes", "(N, m)", autoencoder.decoder.shape[0])
    return codes.to(autoencoder.decoder) @ autoencoder.decoder + autoencoder.center


def train_autoencoder(
    states: Tensor,
    n_latents: int,
    *,
    k: int | None = None,
    l1: float | None = None,
    n_steps: int = 1500,
    batch_size: int = 128,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> Autoencoder:
    """Train a sparse autoencoder with Adam; after each step the decoder's rows get length 1 again.

    The loss is the squared error, summed over d and averaged over the batch. With `k` it is a TopK
    autoencoder (Gao and others 2024); with `l1`, the sum of the code times `l1` is added (Bricken and others
    2023, "Towards monosemanticity"). Latents that are never on are left as they are: count them,
    and take more latents than you expect directions.

    Args:
        states: `(N, d)` float.
        n_latents: m.
        k: so many latents are on for a state; give this or `l1`.
        l1: price of the code, > 0, in the unit of the states.
        n_steps: of the training; in its second half the rate falls to 0.
        batch_size: states a step, drawn with repetition.
        learning_rate: of Adam.
        seed: of the start and the batches.

    Returns:
        Tensors without a graph, in the states' device and dtype.

    Raises:
        TypeError: `states` is not a float tensor.
        ValueError: wrong shape, NaN, states that are all equal, a number out of range; both of `k` and `l1`,
            or neither; a training that diverges.
    """
    check_rows(states, "states", "(N, d)")
    check_count(n_latents, "n_latents")
    if (k is None) == (l1 is None):
        raise ValueError("give either k (how many latents are on) or l1 (the price of a code), and not both")
    if k is not None:
        check_count(k, "k", at_most=n_latents)
    else:
        check_positive(l1, "l1", "without a price nothing makes the code sparse")
    check_count(n_steps, "n_steps")
    check_count(batch_size, "batch_size")
    check_positive(learning_rate, "learning_rate", "nothing would be learnt")
    seed = check_count(seed, "seed", at_least=0, at_most=2**63 - 1 - OWN_SEEDS)
    if (states == states[0]).all():
        raise ValueError("states are all equal: there is no direction to find")

    with torch.inference_mode(False), torch.enable_grad():
        generator = torch.Generator().manual_seed(OWN_SEEDS + seed)
        start = F.normalize(torch.randn(n_latents, states.shape[1], generator=generator), dim=1).to(states)
        encoder, decoder = start.clone(), start.clone()
        states = states.detach().clone()
        bias, center = states.new_zeros(n_latents), states.mean(dim=0)
        weights = [weight.requires_grad_() for weight in (encoder, bias, decoder, center)]
        optimizer = torch.optim.Adam(weights, lr=learning_rate, fused=True)
        for step in range(n_steps):
            optimizer.param_groups[0]["lr"] = learning_rate * min(1.0, 2 * (1 - step / n_steps))
            batch = states[torch.randint(len(states), (batch_size,), generator=generator)]
            code = F.relu((batch - center) @ encoder.T + bias)
            code = code if k is None else _top_k(code, k)
            error = batch - code @ decoder - center
            loss = error.pow(2).sum(dim=1).mean()
            loss = loss if l1 is None else loss + l1 * code.sum(dim=1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                decoder.copy_(F.normalize(decoder, dim=1))
    if not all(weight.isfinite().all() for weight in weights):
        raise ValueError(
            "the training left all bounds: give a smaller learning_rate or l1, or states of the size of 1"
        )
    return Autoencoder(*(weight.detach() for weight in weights), k)


def unexplained_variance(states: Tensor, rebuilt: Tensor) -> float:
    """The fraction of variance unexplained (FVU): squared error over squared distance from the mean state.

    0: rebuilt exactly; 1: no better than always saying the mean. Both sums run over all states and all
    dimensions before one is divided by the other.

    Args:
        states, rebuilt: `(N, d)` float.

    Raises:
        TypeError: not float tensors.
        ValueError: shapes that differ, NaN, or states that are all equal.
    """
    check_rows(states, "states", "(N, d)")
    check_rows(rebuilt, "rebuilt", "(N, d)", states.shape[1])
    if rebuilt.shape != states.shape:
        raise ValueError(
            f"rebuilt {tuple(rebuilt.shape)} must have the shape of states {tuple(states.shape)}"
        )
    states, rebuilt = states.double(), rebuilt.double()
    spread = (states - states.mean(dim=0)).pow(2).sum()
    if spread <= 1e-12 * states.pow(2).sum():
        raise ValueError("states are all equal: there is no variance to explain")
    return ((states - rebuilt).pow(2).sum() / spread).item()


def best_cosines(directions: Tensor, found: Tensor) -> Tensor:
    """For each direction the cosine, without its sign, of the found row that fits best, `(n,)`, 0 to 1.

    Sharkey and others 2022, "Taking features out of superposition with sparse autoencoders", where its mean
    is called mean max cosine similarity.

    Args:
        directions: `(n, d)`, the planted ones.
        found: `(m, d)`, those of a method.

    Raises:
        TypeError: not float tensors.
        ValueError: wrong shape, NaN, or a row of length 0.
    """
    check_rows(directions, "directions", "(n, d)")
    check_rows(found, "found", "(m, d)", directions.shape[1])
    for name, rows in (("directions", directions), ("found", found)):
        if (rows == 0).all(dim=1).any():
            raise ValueError(f"{name} hold a row of length 0: it has no direction, leave it out")
    cosines = _unit(directions) @ _unit(found.to(directions)).T
    return cosines.abs().amax(dim=1).clamp(max=1.0)


def _unit(rows: Tensor) -> Tensor:
    rows = rows / rows.abs().amax(dim=1, keepdim=True)  # so that no square under- or overflows
    return F.normalize(rows, dim=1)


def _top_k(values: Tensor, k: int) -> Tensor:
    best = values.topk(k, dim=1)
    return torch.zeros_like(values).scatter(1, best.indices, best.values.clamp(min=0))


def _check_autoencoder(autoencoder: object) -> None:
    if not isinstance(autoencoder, Autoencoder):
        raise TypeError(
            f"autoencoder must be an Autoencoder, not a {type(autoencoder).__name__}: use train_autoencoder"
        )
