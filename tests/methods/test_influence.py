"""Influence functions and TracIn held against captum, against refits, and against identities."""

import copy

import numpy as np
import pytest
import torch
from captum.influence import NaiveInfluenceFunction, TracInCP
from small_networks import ResidualNetwork, gap_network, pictures, seeded
from test_hygiene import state, unusual_network
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from course_utils.methods import influence as methods

OPTIONS = {"loss_fn": nn.CrossEntropyLoss(reduction="none"), "sample_wise_grads_per_batch": False}


def network(d: int, hidden: int, classes: int) -> nn.Sequential:
    torch.manual_seed(d)
    return nn.Sequential(nn.Linear(d, hidden), nn.Tanh(), nn.Linear(hidden, classes)).double()


def examples(n: int, d: int, classes: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return rows, torch.randint(classes, (n,), generator=generator)


@pytest.mark.parametrize(("n", "d", "hidden", "classes", "lam"), [(11, 3, 4, 2, 1.0), (17, 5, 2, 4, 2.5)])
def test_influence_and_self_influence_equal_captum(n, d, hidden, classes, lam):
    model, train, test = network(d, hidden, classes), examples(n, d, classes), examples(3, d, classes, 1)
    theirs = NaiveInfluenceFunction(
        model, TensorDataset(*train), "", lambda model, path: 1.0, batch_size=n, projection_dim=None,
        hessian_reg=n * lam, hessian_inverse_tol=0.0, **OPTIONS,
    )  # fmt: skip
    ours = methods.influence(model, *train, *test, lam)
    torch.testing.assert_close(ours, theirs.influence(test).detach(), atol=1e-9, rtol=1e-6)
    own = methods.self_influence(model, *train, lam)
    torch.testing.assert_close(own, methods.influence(model, *train, *train, lam).diagonal())


@pytest.mark.parametrize("rates", [0.3, [0.5, 0.1]])
def test_tracin_equals_captum(rates):
    models, train, test = (network(4, 3, 3), network(4, 3, 3)), examples(9, 4, 3), examples(2, 4, 3, 1)
    with torch.no_grad():
        models[1][0].weight.add_(0.1)
    both = [0.3, 0.3] if isinstance(rates, float) else rates

    def load(model, number):
        model.load_state_dict(models[number].state_dict())
        return both[number]

    theirs = TracInCP(copy.deepcopy(models[0]), TensorDataset(*train), [0, 1], load, batch_size=9, **OPTIONS)
    ours = methods.tracin(models, rates, *train, *test)
    torch.testing.assert_close(ours, theirs.influence(test).detach())
    own = methods.tracin_self(models, rates, *train)
    torch.testing.assert_close(own, methods.tracin(models, rates, *train, *train).diagonal())


def test_example_gradients_are_those_of_each_example_alone():
    model, (rows, targets) = network(5, 3, 4), examples(6, 5, 4)
    for row, target, ours in zip(rows, targets, methods.example_gradients(model, rows, targets), strict=True):
        alone = torch.autograd.grad(F.cross_entropy(model(row[None]), target[None]), list(model.parameters()))
        torch.testing.assert_close(ours, torch.cat([part.flatten() for part in alone]))


def test_hessian_is_the_derivative_of_the_mean_gradient():
    model, (rows, targets) = network(3, 2, 3), examples(7, 3, 3)
    hessian = methods.loss_hessian(model, rows, targets)
    weight, gradients = model[0].weight, []
    for step in (1e-5, -1e-5):
        moved = copy.deepcopy(model)
        with torch.no_grad():
            moved[0].weight[1, 2] += step
        gradients.append(methods.example_gradients(moved, rows, targets).mean(dim=0))
    column = 1 * weight.shape[1] + 2
    torch.testing.assert_close(hessian[column], (gradients[0] - gradients[1]) / 2e-5, atol=1e-8, rtol=1e-6)


def test_influence_is_the_derivative_of_the_refit_and_adds_up():
    from sklearn.linear_model import LogisticRegression

    (rows, targets), (test, test_targets), lam = examples(40, 3, 2), examples(4, 3, 2, 1), 0.1
    losses = []
    for weight in (None, 0.999, 1.001):
        counts = np.ones(40)
        counts[5] = weight or 1
        fitted = LogisticRegression(
            C=1 / (40 * lam), fit_intercept=False, tol=1e-12, solver="newton-cholesky"
        )
        fitted.fit(rows.numpy(), targets.numpy(), sample_weight=counts)
        model = nn.Linear(3, 1, bias=False).double()
        model.weight.data = torch.from_numpy(fitted.coef_)
        signs = 1 - 2 * test_targets.double()
        losses.append(F.softplus(signs * model(test)[:, 0]).detach())
        if weight is None:
            ours = methods.influence(model, rows, targets, test, test_targets, lam)
            hessian = methods.loss_hessian(model, rows, targets) + lam * torch.eye(3)
            slopes = methods.example_gradients(model, test, test_targets)
            together = -lam * slopes @ torch.linalg.solve(hessian, model.weight[0].detach())
    torch.testing.assert_close(ours[:, 5], (losses[1] - losses[2]) / 0.002, atol=1e-7, rtol=1e-4)
    torch.testing.assert_close(ours.sum(dim=1), together, atol=1e-8, rtol=1e-5)


def test_frozen_parameters_do_not_count():
    model = seeded(gap_network)
    model[:7].requires_grad_(False)
    gradients = methods.example_gradients(model, pictures(3, 3, 16, 16), torch.tensor([0, 1, 2]))
    assert gradients.shape == (3, 6 * 5 + 5)


CALLS = {
    "influence": lambda m, x, t: methods.influence(m, x, t, x[:2], t[:2], 0.1),
    "self_influence": lambda m, x, t: methods.self_influence(m, x, t, 0.1),
    "tracin": lambda m, x, t: methods.tracin([m, m], 0.1, x, t, x[:2], t[:2]),
    "tracin_self": lambda m, x, t: methods.tracin_self([m], 0.1, x, t),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_model_and_the_inputs_stay_as_they_were(call):
    model, inputs, targets = unusual_network(), pictures(3, 3, 16, 16), torch.tensor([2, 0, 3])
    before, copies = state(model), [t.clone() for t in (*model.parameters(), inputs, targets)]
    with torch.no_grad():
        result = call(model, inputs, targets)
    assert result.isfinite().all() and not result.requires_grad
    with pytest.raises(ValueError, match="targets"):
        call(model, inputs, torch.tensor([2, 0, 99]))
    assert state(model) == before
    now = (*model.parameters(), inputs, targets)
    assert all(torch.equal(a, b) for a, b in zip(copies, now, strict=True))


def test_batch_norm_and_dropout_are_frozen():
    model, inputs, targets = ResidualNetwork().train(), pictures(4, 3, 12, 12), torch.tensor([0, 1, 2, 3])
    whole = methods.example_gradients(model, inputs, targets)
    torch.testing.assert_close(whole[1:2], methods.example_gradients(model, inputs[1:2], targets[1:2]))
    assert model.training


ROWS, TARGETS = examples(6, 4, 3)
FROZEN = network(4, 2, 3).requires_grad_(False)
BAD = {
    "no module": (lambda m: methods.influence(len, ROWS, TARGETS, ROWS, TARGETS, 0.1), TypeError, "model"),
    "list of rows": (lambda m: methods.example_gradients(m, [[1.0]], TARGETS), TypeError, "inputs"),
    "integers": (lambda m: methods.example_gradients(m, ROWS.long(), TARGETS), TypeError, "preprocess"),
    "one row flat": (lambda m: methods.example_gradients(m, ROWS[0], 0), ValueError, "shape"),
    "NaN": (lambda m: methods.example_gradients(m, ROWS * float("nan"), TARGETS), ValueError, "NaN"),
    "float targets": (lambda m: methods.example_gradients(m, ROWS, TARGETS.double()), TypeError, "targets"),
    "too few targets": (lambda m: methods.example_gradients(m, ROWS, TARGETS[:2]), ValueError, "targets"),
    "target 3": (lambda m: methods.example_gradients(m, ROWS, 3), ValueError, "targets 3"),
    "target −1": (lambda m: methods.loss_hessian(m, ROWS, -1), ValueError, "targets -1"),
    "frozen": (lambda m: methods.example_gradients(FROZEN, ROWS, TARGETS), ValueError, "requires_grad_"),
    "damping −1": (lambda m: methods.influence(m, ROWS, TARGETS, ROWS, TARGETS, -1), ValueError, "damping"),
    "damping NaN": (lambda m: methods.self_influence(m, ROWS, TARGETS, float("nan")), ValueError, "damping"),
    "singular": (
        lambda m: methods.self_influence(nn.Linear(4, 3).double(), ROWS[:1] * 0, 0, 0.0),
        ValueError,
        "larger damping",
    ),
    "wide": (lambda m: methods.loss_hessian(network(4, 4000, 3), ROWS, TARGETS), ValueError, "freeze"),
    "no list": (lambda m: methods.tracin(m, 0.1, ROWS, TARGETS, ROWS, TARGETS), ValueError, "list"),
    "no checkpoints": (lambda m: methods.tracin_self([], 0.1, ROWS, TARGETS), ValueError, "checkpoints"),
    "rates": (lambda m: methods.tracin_self([m], [0.1, 0.2], ROWS, TARGETS), ValueError, "learning_rates"),
    "rate in words": (lambda m: methods.tracin_self([m], "0.1", ROWS, TARGETS), ValueError, "learning_rates"),
    "vector scores": (lambda m: methods.example_gradients(nn.Flatten(0), ROWS, 0), ValueError, "requires"),
}


@pytest.mark.parametrize(("call", "error", "named"), BAD.values(), ids=BAD)
def test_bad_input_influence(call, error, named):
    with pytest.raises(error, match=named):
        call(network(4, 2, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bad_input_influence_that_only_rounding_decides(dtype):
    """Fewer examples than parameters: without damping a test example points where H says nothing."""
    torch.manual_seed(0)
    model, rows, others = (
        nn.Linear(10, 2).to(dtype),
        torch.randn(8, 10).to(dtype),
        torch.randn(5, 10).to(dtype),
    )
    targets, of_others = torch.arange(8) % 2, torch.arange(5) % 2
    with pytest.raises(ValueError, match="rounding decides"):
        methods.influence(model, rows, targets, others, of_others, 0.0)
    found = methods.influence(model, rows, targets, others, of_others, 1e-3).double()
    gradients, of_tests, hessian = (
        methods.example_gradients(model.double(), rows.double(), targets),
        methods.example_gradients(model, others.double(), of_others),
        methods.loss_hessian(model, rows.double(), targets),
    )
    damped = hessian + 1e-3 * torch.eye(len(hessian), dtype=torch.float64)
    wanted = of_tests @ torch.linalg.inv(damped) @ gradients.T / 8
    assert (found - wanted).abs().max() < 1e-3 * wanted.abs().max()


def test_learning_rates_as_an_array():
    model = network(4, 2, 3)
    rates = torch.tensor([0.5, 0.25])
    wanted = methods.tracin_self([model, model], [0.5, 0.25], ROWS, TARGETS)
    for given in (rates, rates.numpy()):
        assert torch.equal(methods.tracin_self([model, model], given, ROWS, TARGETS), wanted)
    assert torch.equal(
        methods.tracin_self([model], torch.tensor(0.5), ROWS, TARGETS),
        methods.tracin_self([model], 0.5, ROWS, TARGETS),
    )
