"""What lesson 14 uses beside the method: zennit and captum on the course's networks, two small networks."""

from __future__ import annotations

from contextlib import contextmanager

import torch
from torch import Tensor, nn
from zennit.rules import AlphaBeta, Epsilon, Flat, Gamma, Norm, Pass, ZBox, ZPlus

from course_utils.labs.networks import ResidualBlock

TINY = 1e-12  # a stabiliser that changes nothing in single precision
IN_ZENNIT = {  # zennit's rules for fully connected layers, convolutions and the first layer
    "ε and z⁺": (Epsilon(1e-6), ZPlus()),
    "ε, γ, zᴮ": (Epsilon(1e-6), Gamma(0.25), ZBox(-1.0, 1.0)),
    "ε, α2β1, flat": (Epsilon(1e-6), AlphaBeta(2.0, 1.0), Flat()),
}


def of_zennit(
    model: nn.Module,
    inputs: Tensor,
    target: Tensor,
    linear: object,
    convolution: object,
    first: object | None = None,
    *,
    sums: bool = True,
) -> Tensor:
    """zennit's LRP of the class score, shaped like `inputs`.

    Args:
        model: a network of the course, its batch norms merged into the layers before.
        inputs, target: as for `relevance`.
        linear, convolution, first: zennit's rules for fully connected layers, convolutions and the first one.
        sums: whether each residual sum becomes a layer that shares its relevance out (zennit's Sum).
    """
    from zennit.attribution import Gradient
    from zennit.canonizers import AttributeCanonizer
    from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite
    from zennit.layer import Sum
    from zennit.types import Activation, AvgPool, Convolution

    def with_sum(name: str, module: nn.Module) -> dict | None:
        if not isinstance(module, ResidualBlock):
            return None

        def forward(x: Tensor) -> Tensor:
            residual = module.bn2(module.conv2(module.relu1(module.bn1(module.conv1(x)))))
            return module.relu2(module.together(torch.stack([module.shortcut(x), residual], dim=-1)))

        return {"together": Sum(), "forward": forward}

    layers = [
        (Activation, Pass()), (AvgPool, Norm(TINY)), (Sum, Norm(TINY)),
        (Convolution, convolution), (nn.Linear, linear),
    ]  # fmt: skip
    canonizers = [AttributeCanonizer(with_sum)] if sums else []
    if first is None:
        composite = LayerMapComposite(layers, canonizers=canonizers)
    else:
        composite = SpecialFirstLayerMapComposite(layers, [(Convolution, first)], canonizers=canonizers)
    with torch.no_grad():
        scores = model(inputs)
    start = nn.functional.one_hot(target, scores.shape[1]) * scores
    with Gradient(model=model, composite=composite) as attributor:
        return attributor(inputs.clone(), start)[1].detach()


def of_captum(model: nn.Sequential, inputs: Tensor, target: Tensor) -> Tensor:
    """captum's LRP with its ε-rule (1e-9) in all layers."""
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import EpsilonRule

    with _rules(model, dict.fromkeys((nn.Conv2d, nn.Linear, nn.Flatten), EpsilonRule)):
        return LRP(model).attribute(inputs.clone().requires_grad_(), target=target).detach()


@contextmanager
def _rules(model: nn.Module, rules: dict):
    """captum looks for a module's rule in its attribute `rule`, and has none for nn.Flatten."""
    for module in model.modules():
        for kind, rule in rules.items():
            if isinstance(module, kind):
                module.rule = rule()
    try:
        yield
    finally:
        for module in model.modules():
            if hasattr(module, "rule"):
                del module.rule


def minimum_twice() -> dict[str, nn.Sequential]:
    """Two networks for min(x₁ + x₂, 1) on numbers ≥ 0: 1 − relu(1 − s) and relu(s) − relu(s − 1)."""

    def network(first: list, bias: list, second: list, last: float) -> nn.Sequential:
        built = nn.Sequential(nn.Linear(2, len(first)), nn.ReLU(), nn.Linear(len(first), 1))
        with torch.no_grad():
            built[0].weight.copy_(torch.tensor(first))
            built[0].bias.copy_(torch.tensor(bias))
            built[2].weight.copy_(torch.tensor([second]))
            built[2].bias.fill_(last)
        return built.eval()

    return {
        "1 − relu(1 − s)": network([[-1.0, -1.0]], [1.0], [-1.0], 1.0),
        "relu(s) − relu(s − 1)": network([[1.0, 1.0], [1.0, 1.0]], [0.0, -1.0], [1.0, -1.0], 0.0),
    }


def map_correlation(maps: Tensor) -> Tensor:
    """Pearson's correlation of the maps 0 and 1, 2 and 3, …: `(2 M, H, W)` to `(M,)`."""
    rows = maps.flatten(1)
    rows = rows - rows.mean(dim=1, keepdim=True)
    rows = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return (rows[0::2] * rows[1::2]).sum(dim=1)
