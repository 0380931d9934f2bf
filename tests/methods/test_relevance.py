"""LRP against zennit, captum and its own definition, on random networks; conservation; bad input."""

import re

import pytest
import torch
from small_networks import (
    FunctionalNetwork,
    ResidualNetwork,
    gap_network,
    largest,
    pictures,
    pooling_network,
    seeded,
)
from test_hygiene import state, unusual_network
from torch import nn
from zennit import rules as zennit
from zennit.attribution import Gradient
from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite
from zennit.types import Activation, AvgPool, Convolution

from course_utils.methods import gradients
from course_utils.methods.relevance import (
    EPSILON,
    EPSILON_PLUS,
    Rules,
    alpha_beta,
    epsilon,
    flat,
    fold_batch_norms,
    gamma,
    relevance,
    w_squared,
    z_box,
    z_plus,
)

TARGETS = torch.tensor([2, 0, 3])
COMPOSITES = {
    "ε": (EPSILON, (zennit.Epsilon(), zennit.Epsilon())),
    "ε .25": (epsilon(0.25), (zennit.Epsilon(0.25), zennit.Epsilon(0.25))),
    "ε, z⁺": (EPSILON_PLUS, (zennit.Epsilon(), zennit.ZPlus())),
    "γ": (gamma(0.3), (zennit.Gamma(0.3), zennit.Gamma(0.3))),
    "αβ, flat": (
        Rules(epsilon(), alpha_beta(), flat()),
        (zennit.Epsilon(), zennit.AlphaBeta(), zennit.Flat()),
    ),
    "z⁺, w²": (Rules(z_plus(), z_plus(), w_squared()), (zennit.ZPlus(), zennit.ZPlus(), zennit.WSquare())),
    "γ, zᴮ": (
        Rules(epsilon(), gamma(), z_box(-6, 5)),
        (zennit.Epsilon(), zennit.Gamma(), zennit.ZBox(-6.0, 5.0)),
    ),
}


def of_zennit(model, inputs, targets, linear, convolution, first=None):
    layers = [
        (Activation, zennit.Pass()),
        (AvgPool, zennit.Norm(1e-15)),
        (Convolution, convolution),
        (nn.Linear, linear),
    ]
    composite = LayerMapComposite(layers)
    if first is not None:
        composite = SpecialFirstLayerMapComposite(layers, [(Convolution, first)])
    with torch.no_grad():
        scores = model(inputs.clone())
    start = nn.functional.one_hot(targets, scores.shape[1]) * scores
    with Gradient(model=model, composite=composite) as attributor:
        return attributor(inputs.clone(), start)[1].detach()


@pytest.mark.parametrize("rules, theirs", COMPOSITES.values(), ids=COMPOSITES)
@pytest.mark.parametrize(
    "build, shape",
    [
        (lambda: seeded(gap_network, seed=3), (3, 3, 17, 14)),
        (lambda: seeded(pooling_network, 3, 2), (3, 3, 33, 29)),
    ],
    ids=["gap", "pooling"],
)
def test_equals_zennit(build, shape, rules, theirs):
    model, inputs = build(), pictures(*shape, seed=5)
    assert (
        largest(relevance(model, inputs, TARGETS, rules), of_zennit(model, inputs, TARGETS, *theirs)) < 1e-9
    )


def test_epsilon_equals_captum():
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import EpsilonRule

    model, inputs = seeded(gap_network, seed=4), pictures(3, 3, 12, 15, seed=2)
    ours = relevance(model, inputs, TARGETS, epsilon(1e-9))
    model[6].rule = EpsilonRule()  # nn.Flatten has none
    assert largest(ours, LRP(model).attribute(inputs.clone(), target=TARGETS).detach()) < 1e-7


def test_lrp_0_is_gradient_times_input():
    model, inputs = seeded(pooling_network, 2, 2), pictures(3, 3, 33, 29)
    ours = relevance(model, inputs, TARGETS, epsilon(0))
    assert largest(ours, gradients.input_x_gradient(model, inputs, TARGETS)) < 1e-12


@pytest.mark.parametrize("rules", [epsilon(0), gamma(0.5), Rules(epsilon(0), gamma(1.0), flat())], ids=str)
def test_without_biases_the_score_is_conserved_in_every_layer(rules):
    model, inputs = seeded(gap_network, seed=6), pictures(3, 3, 12, 12, seed=1)
    scores = model(inputs).gather(1, TARGETS[:, None])[:, 0].detach()
    for layer in (None, "2", "4"):
        found = relevance(model, inputs, TARGETS, rules, layer=layer, biases=False)
        # the last layer's bias gives up its share too
        assert largest(found.flatten(1).sum(dim=1), scores) < 1e-4 * scores.abs().max()


@pytest.mark.parametrize("rules", [epsilon(0), z_plus(), Rules(epsilon(0), gamma(1.0), flat())], ids=str)
def test_a_layer_with_weights_can_be_asked_as_its_relu_can(rules):
    model, inputs = seeded(gap_network, seed=6), pictures(3, 3, 12, 12, seed=1)
    before_relu = [
        k
        for k in range(1, len(model))
        if isinstance(model[k - 1], nn.Conv2d) and isinstance(model[k], nn.ReLU)
    ]
    assert before_relu
    for k in before_relu:
        asked, relu = (relevance(model, inputs, TARGETS, rules, layer=model[i]) for i in (k - 1, k))
        assert torch.equal(asked, relu)
    last = relevance(model, inputs, TARGETS, rules, layer=model[-1]).sum(dim=1)
    assert largest(last, model(inputs).gather(1, TARGETS[:, None])[:, 0].detach()) < 1e-12


def test_residual_sums_and_batch_norms():
    model, inputs = seeded(ResidualNetwork), pictures(3, 3, 10, 10)
    folded = fold_batch_norms(model, inputs)
    assert largest(folded(inputs), model(inputs)) < 1e-12
    assert largest(relevance(model, inputs, TARGETS), relevance(folded, inputs, TARGETS)) < 1e-12
    scores = model(inputs).gather(1, TARGETS[:, None])[:, 0].detach()
    total = relevance(model, inputs, TARGETS, epsilon(0), biases=False).sum(dim=(1, 2, 3))
    assert largest(total, scores) < 1e-6


def test_bent_activations_pass_their_relevance_on():
    model = seeded(
        lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU6(), nn.Linear(6, 5), nn.SiLU(), nn.Linear(5, 2))
    )
    inputs = 9 * pictures(7, 4)
    found = relevance(model, inputs, 1, epsilon(0), biases=False)
    assert largest(found.sum(dim=1), model(inputs)[:, 1].detach()) < 1e-9


def test_one_neuron_by_hand():
    neuron = nn.Linear(3, 1).double()
    with torch.no_grad():
        neuron.weight.copy_(torch.tensor([[1.0, -1.0, 0.5]]))
        neuron.bias.fill_(0.5)
    a = torch.tensor([[2.0, 1.0, 3.0]], dtype=torch.float64)
    expected = {
        epsilon(0): [2.0, -1.0, 1.5],
        z_plus(): [3 * 2 / 4, 0.0, 3 * 1.5 / 4],  # the bias 0.5 is a helper, too
        gamma(1.0): [3 * 4 / 7, -3 * 1 / 7, 3 * 3 / 7],
    }
    for rule, shares in expected.items():
        assert largest(relevance(neuron, a, 0, rule)[0], torch.tensor(shares)) < 1e-5


def test_a_batch_is_its_pictures():
    model, inputs = seeded(ResidualNetwork), pictures(5, 3, 10, 10)
    whole = relevance(model, inputs, 1)
    alone = torch.cat([relevance(model, inputs[i : i + 1], 1) for i in range(5)])
    assert largest(whole, alone) < 1e-12


def test_the_model_stays_as_it_was_also_after_an_error():
    model, inputs = unusual_network(), pictures(3, 3, 16, 16)
    before, copy = state(model), inputs.clone()
    result = relevance(model, inputs, TARGETS, EPSILON_PLUS)
    with torch.no_grad():
        assert torch.equal(relevance(model, inputs, TARGETS), result)
    assert state(model) == before and torch.equal(inputs, copy) and not result.requires_grad
    model[3].register_forward_hook(lambda *args: (_ for _ in ()).throw(RuntimeError("broken")))
    before = state(model)
    with pytest.raises(RuntimeError, match="broken"):
        relevance(model, inputs, TARGETS)
    assert state(model) == before


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x):
        return self.a(x) * self.b(x)


class Around(nn.Module):
    """The inputs also go around the first layer."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return self.a(x) + x


class Bare(nn.Module):
    """A linear layer as a function."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 4))

    def forward(self, x):
        return nn.functional.linear(x, self.weight)


ROWS = pictures(2, 4)
BAD = {
    "inputs are integers": (
        lambda m, x: relevance(m, x.long(), 0),
        TypeError,
        "inputs must be a float tensor",
    ),
    "one picture": (lambda m, x: relevance(m, x[0], 0), ValueError, r"inputs\[None\]"),
    "NaN": (lambda m, x: relevance(m, x * float("nan"), 0), ValueError, "inputs contain NaN"),
    "target too large": (lambda m, x: relevance(m, x, 5), ValueError, "target 5 is out of range"),
    "target is a name": (lambda m, x: relevance(m, x, "cat"), TypeError, "target must be an int"),
    "a function": (lambda m, x: relevance(lambda x: x, x, 0), TypeError, "model must be a torch.nn.Module"),
    "rules are a name": (
        lambda m, x: relevance(m, x, 0, "z+"),
        TypeError,
        r"rules must be a rule such as epsilon\(\)",
    ),
    "a rule is no rule": (
        lambda m, x: relevance(m, x, 0, Rules(epsilon(), 1)),
        TypeError,
        "rules must be a rule",
    ),
    "flat everywhere": (lambda m, x: relevance(m, x, 0, flat()), ValueError, "is for the first layer"),
    "unknown layer": (lambda m, x: relevance(m, x, 0, layer="layer9"), ValueError, "no layer 'layer9'"),
    "biases": (lambda m, x: relevance(m, x, 0, biases=0), TypeError, "biases must be True or False"),
    "negative ε": (lambda m, x: epsilon(-1), ValueError, "epsilon's value must be a number ≥ 0"),
    "γ is text": (lambda m, x: gamma("much"), ValueError, "gamma's value must be a number"),
    "α − β": (lambda m, x: alpha_beta(2, 2), ValueError, "alpha − beta must be 1"),
    "inputs outside the box": (
        lambda m, x: relevance(m, x, 0, Rules(epsilon(), z_plus(), z_box(0, 1))),
        ValueError,
        "z_box's 0 … 1: give the smallest",
    ),
    "endless box": (lambda m, x: z_box(float("-inf"), 1), ValueError, "low must be finite"),
    "empty box": (lambda m, x: z_box(1, 1), ValueError, "low must be below its high"),
    "attention": (
        lambda m, x: relevance(nn.TransformerEncoderLayer(4, 1, batch_first=True).double(), ROWS, 0),
        ValueError,
        "LRP has no rule for it",
    ),
    "a gate": (
        lambda m, x: relevance(Gate().double(), ROWS, 0),
        ValueError,
        "multiplies .* integrated_gradients",
    ),
    "around the first": (
        lambda m, x: relevance(Around().double(), ROWS, 0, Rules(epsilon(), epsilon(), flat())),
        ValueError,
        "first=None",
    ),
    "a layer as a function": (
        lambda m, x: relevance(Bare().double(), ROWS, 0),
        ValueError,
        "write each as nn.Linear",
    ),
    "SiLU as a function": (
        lambda m, x: relevance(nn.Sequential(nn.Linear(4, 2).double(), Swish()), ROWS, 0),
        ValueError,
        "write each as a module such as nn.SiLU",
    ),
}


class Swish(nn.Module):
    def forward(self, x):
        return nn.functional.silu(x)


@pytest.mark.parametrize("call, error, message", BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name(call, error, message):
    model, inputs = unusual_network(), pictures(2, 3, 12, 12)
    before, copy = state(model), inputs.clone()
    with pytest.raises(error) as caught:
        call(model, inputs)
    assert type(caught.value) is error and re.search(message, str(caught.value)), str(caught.value)
    assert state(model) == before and torch.equal(inputs, copy)


def test_functional_relus_are_understood():
    model, inputs = seeded(FunctionalNetwork), pictures(2, 3, 12, 12)
    total = relevance(model, inputs, 1, epsilon(0), biases=False).sum(dim=(1, 2, 3))
    assert largest(total, model(inputs)[:, 1].detach()) < 1e-8
