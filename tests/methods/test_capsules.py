"""Capsules held against plain loops, exact values, and identities on random shapes."""

import math

import numpy as np
import pytest
import torch

from course_utils.methods import capsules as methods

SHAPES = [(1, 1, 1, 1), (1, 6, 4, 8), (3, 5, 2, 3), (2, 32, 10, 8), (2, 3, 7, 1)]


def normal(*shape: int, seed: int = 0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def route_in_loops(votes: np.ndarray, n_iterations: int):
    """Procedure 1 of the paper for one picture, votes (lower, upper, d): upper capsules and coupling."""
    n_lower, n_upper, _ = votes.shape
    logits = [[0.0] * n_upper for _ in range(n_lower)]
    for _ in range(n_iterations):
        coupling = [[math.exp(b) / sum(math.exp(x) for x in row) for b in row] for row in logits]
        upper = []
        for j in range(n_upper):
            s = sum(coupling[i][j] * votes[i, j] for i in range(n_lower))
            n = math.sqrt(s @ s)
            upper.append(n**2 / (1 + n**2) * s / n)
        logits = [[logits[i][j] + votes[i, j] @ upper[j] for j in range(n_upper)] for i in range(n_lower)]
    return np.array(upper), np.array(coupling)


def test_squash_by_hand():
    s = torch.tensor([[3.0, 4.0], [0.6, -0.8], [0.0, 0.0]])  # lengths 5, 1, 0
    wanted = torch.tensor([[3 / 5, 4 / 5], [0.6, -0.8], [0, 0]]) * torch.tensor([[25 / 26], [1 / 2], [0]])
    torch.testing.assert_close(methods.squash(s), wanted)


@pytest.mark.parametrize("shape", [(4,), (7, 1), (3, 5), (2, 3, 4, 8)])
@pytest.mark.parametrize("size", [1e-12, 1e-3, 1.0, 1e6])
def test_squash_keeps_directions_and_maps_lengths(shape, size):
    s = size * normal(*shape)
    n = s.norm(dim=-1, keepdim=True)
    squashed = methods.squash(s)
    assert squashed.shape == s.shape and (squashed.norm(dim=-1) <= 1).all()
    torch.testing.assert_close(squashed, s / n * (n**2 / (1 + n**2)), rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_squash_of_zero_has_the_gradient_zero_and_keeps_the_dtype(dtype):
    zero = torch.zeros(2, 8, dtype=dtype, requires_grad=True)
    squashed = methods.squash(zero)
    squashed.sum().backward()
    assert squashed.dtype == dtype and not squashed.any() and not zero.grad.any()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_iterations", [1, 2, 3, 6])
def test_routing_equals_plain_loops(shape, n_iterations):
    votes = normal(*shape, seed=n_iterations)
    upper, coupling = methods.route(votes, n_iterations)
    for picture, ours, weights in zip(votes.numpy(), upper.numpy(), coupling.numpy(), strict=True):
        for found, wanted in zip((ours, weights), route_in_loops(picture, n_iterations), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_routing_keeps_its_sums_its_pictures_and_its_input(shape):
    votes = normal(*shape)
    before = votes.clone()
    upper, coupling = methods.route(votes, 3)
    assert upper.shape == (shape[0], *shape[2:]) and coupling.shape == shape[:3]
    assert (coupling >= 0).all() and (upper.norm(dim=2) < 1).all() and votes.equal(before)
    torch.testing.assert_close(coupling.sum(dim=2), torch.ones(shape[:2], dtype=torch.float64))
    alone = methods.route(votes[-1:], 3)  # no picture changes another's routing
    torch.testing.assert_close(alone[0], upper[-1:])
    torch.testing.assert_close(alone[1], coupling[-1:])


def test_one_iteration_is_the_squashed_mean():
    votes = normal(2, 6, 4, 8)
    upper, coupling = methods.route(votes, 1)
    torch.testing.assert_close(upper, methods.squash(votes.mean(dim=1) * 6 / 4))
    torch.testing.assert_close(coupling, torch.full((2, 6, 4), 0.25, dtype=torch.float64))


def test_routing_follows_a_turn_of_the_axes_and_the_order_of_the_capsules():
    votes = normal(2, 6, 4, 5)
    upper, coupling = methods.route(votes, 3)
    turn = torch.linalg.qr(normal(5, 5, seed=1))[0]
    turned = methods.route(votes @ turn, 3)
    torch.testing.assert_close(turned[0], upper @ turn)
    torch.testing.assert_close(turned[1], coupling)
    lower_order, upper_order = torch.tensor([3, 0, 5, 1, 4, 2]), torch.tensor([2, 0, 3, 1])
    mixed = methods.route(votes[:, lower_order][:, :, upper_order], 3)
    torch.testing.assert_close(mixed[0], upper[:, upper_order])
    torch.testing.assert_close(mixed[1], coupling[:, lower_order][:, :, upper_order])


def test_votes_that_agree_get_more_weight():
    votes = 0.1 * normal(1, 6, 3, 4)
    votes[:, :, 1] += torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)
    shares = [methods.route(votes, n)[1][0, :, 1].mean().item() for n in (1, 2, 3, 10)]
    assert shares == sorted(shares) and shares[0] == pytest.approx(1 / 3) and shares[-1] > 0.9


@pytest.mark.parametrize("n_iterations", [1, 3])
def test_gradients_are_those_of_finite_differences(n_iterations):
    votes = normal(2, 3, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: methods.route(v, n_iterations), votes)
    assert torch.autograd.gradcheck(methods.squash, votes)
    lengths = 0.05 + 0.9 * torch.rand(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 2, 1])
    assert torch.autograd.gradcheck(lambda x: methods.margin_loss(x, target), lengths.requires_grad_())


def test_detached_routing_has_the_same_values_and_the_gradient_of_a_fixed_coupling():
    votes = normal(2, 3, 4, 3).requires_grad_()
    upper, coupling = methods.route(votes, 3, detach=True)
    kept = methods.route(votes, 3)
    torch.testing.assert_close((upper, coupling), tuple(kept))
    assert not coupling.requires_grad and kept[1].requires_grad
    fixed = methods.squash((coupling[..., None] * votes).sum(dim=1))
    weights = normal(*upper.shape, seed=1)
    ours, wanted, whole = (
        torch.autograd.grad((x * weights).sum(), votes)[0] for x in (upper, fixed, kept[0])
    )
    torch.testing.assert_close(ours, wanted)
    assert (ours - whole).abs().max() > 1e-3


def test_entropy_of_the_coupling():
    _, uniform = methods.route(normal(2, 6, 4, 8), 1)
    torch.testing.assert_close(methods.coupling_entropy(uniform), torch.full((2, 6), math.log(4)).double())
    sure = torch.eye(3)[None]
    assert not methods.coupling_entropy(sure).any()
    halves = torch.tensor([[[0.5, 0.5, 0]]])
    assert methods.coupling_entropy(halves).item() == pytest.approx(math.log(2))
    for dtype in (torch.float16, torch.bfloat16):
        assert methods.coupling_entropy(methods.route(normal(2, 6, 10, 8).to(dtype))[1]).dtype == dtype


def test_margin_loss_by_hand():
    lengths = torch.tensor([[0.95, 0.05, 0.3], [0.5, 0.6, 0.1]])
    costs = [0.5 * 0.2**2, 0.4**2 + 0.5 * 0.5**2]
    assert methods.margin_loss(lengths, torch.tensor([0, 0])).item() == pytest.approx(sum(costs) / 2)
    assert methods.margin_loss(lengths[:1], 0, weight=0).item() == 0
    assert methods.margin_loss(lengths[:1], 2, present=0.5, absent=0.2, weight=1).item() == pytest.approx(
        0.2**2 + 0.75**2
    )


VOTES, LENGTHS = normal(2, 3, 4, 5), torch.full((2, 3), 0.5)
BAD = {
    "list": (lambda: methods.squash([1.0, 2.0]), TypeError, "vectors must be a float tensor, not list"),
    "integers": (lambda: methods.squash(torch.ones(3).long()), TypeError, "int64"),
    "nothing": (lambda: methods.squash(torch.zeros(0, 3)), ValueError, "at least one"),
    "a number": (lambda: methods.squash(torch.tensor(1.0)), ValueError, "at least one"),
    "NaN": (lambda: methods.squash(torch.tensor([1, math.nan])), ValueError, "vectors contain NaN"),
    "too long": (lambda: methods.squash(torch.tensor([1e25])), ValueError, "squared length of vectors"),
    "too long for half": (lambda: methods.squash(torch.tensor([999.0]).half()), ValueError, "larger dtype"),
    "one picture": (lambda: methods.route(VOTES[0]), ValueError, r"votes\[None\]"),
    "no upper capsule": (lambda: methods.route(VOTES[:, :, :0]), ValueError, "at least one"),
    "votes NaN": (lambda: methods.route(VOTES * math.inf), ValueError, "votes contain NaN"),
    "no iteration": (lambda: methods.route(VOTES, 0), ValueError, "n_iterations"),
    "half an iteration": (lambda: methods.route(VOTES, 1.5), ValueError, "n_iterations"),
    "a layer for a number": (lambda: methods.route(VOTES, VOTES), ValueError, "n_iterations"),
    "coupling flat": (lambda: methods.coupling_entropy(torch.ones(3, 1)), ValueError, "coupling must have"),
    "logits": (lambda: methods.coupling_entropy(VOTES[..., 0]), ValueError, "add up to 1"),
    "wrong axis": (
        lambda: methods.coupling_entropy(VOTES[..., 0].softmax(dim=1)),
        ValueError,
        "add up to 1",
    ),
    "vectors for lengths": (lambda: methods.margin_loss(VOTES, 0), ValueError, "lengths must have"),
    "scores": (lambda: methods.margin_loss(4 * LENGTHS, 0), ValueError, "from 0 to 1"),
    "negative": (lambda: methods.margin_loss(-LENGTHS, 0), ValueError, "from 0 to 1"),
    "one-hot": (lambda: methods.margin_loss(LENGTHS, torch.eye(3)[:2].long()), ValueError, "argmax"),
    "float target": (lambda: methods.margin_loss(LENGTHS, torch.ones(2)), TypeError, "target"),
    "no such class": (lambda: methods.margin_loss(LENGTHS, 3), ValueError, "target 3"),
    "present": (lambda: methods.margin_loss(LENGTHS, 0, present=2), ValueError, "present"),
    "absent": (lambda: methods.margin_loss(LENGTHS, 0, absent=-0.1), ValueError, "absent"),
    "weight": (lambda: methods.margin_loss(LENGTHS, 0, weight="0.5"), ValueError, "weight"),
}


@pytest.mark.parametrize(("call", "error", "named"), BAD.values(), ids=BAD)
def test_bad_input_capsules(call, error, named):
    with pytest.raises(error, match=named):
        call()
