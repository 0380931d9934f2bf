"""Layer-wise relevance propagation (LRP): pay a class score back through the network, layer by layer.

Bach et al. 2015; the rules as in Montavon et al. 2019. A layer with the inputs a_j, the weights w_jk and the
outputs z_k = Σ_j a_j w_jk + b_k hands the relevance R_k of its outputs back to its inputs. A rule says in
which shares. All have one form: R_j = Σ_k (c_jk / d_k) R_k, with contributions c_jk and a denominator d_k.

It is computed by one backward pass of a changed network: each layer with weights puts out the same values,
but with another derivative, so that the relevance is *input times gradient*. Sums (residual connections),
poolings, ReLUs and batch norms need nothing extra.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from course_utils.methods.arguments import check_flag, check_inputs, check_number, check_target
from course_utils.methods.hooks import (
    check_hooks_run,
    evaluation,
    fast_chunk,
    find_layer,
    gradient_at,
    gradients_on,
    graph_nodes,
    layer_outputs,
    only,
    run,
    target_scores,
)

STABILISER = 1e-6
Linear = Callable[[Tensor, Tensor], Tensor]  # (inputs, weights) to outputs without the bias


class Parts(NamedTuple):
    """What a rule gets of one layer.

    Attributes:
        a: the layer's inputs.
        ones: like `a`; its gradient is what a rule pays that does not look at the inputs.
        apply: `(inputs, weights)` to outputs, without the bias.
        weight: as the layer has it.
        bias: shaped so that it can be added to outputs; None counts as zero.
        z: the outputs, detached.
    """

    a: Tensor
    ones: Tensor
    apply: Linear
    weight: Tensor
    bias: Tensor
    z: Tensor


@dataclass(frozen=True)
class Rule:
    """How one layer pays its relevance back: made by `epsilon`, `gamma`, `z_plus`, …

    Attributes:
        name: as the lesson calls it.
        shares: the layer's parts to an output whose derivative pays the relevance back (its value is not
            used).
        only_first: it does not look at the inputs' values as factors, so only the pixels can be paid with it.
    """

    name: str
    shares: Callable[[Parts], Tensor]
    only_first: bool = False

    def __repr__(self) -> str:
        return self.name


class Rules(NamedTuple):
    """A composite: one rule for each kind of layer.

    Attributes:
        linear: of fully connected layers.
        convolution: of convolutions.
        first: of the layer that takes the pixels; None: as its kind has it.
    """

    linear: Rule
    convolution: Rule
    first: Rule | None = None


def epsilon(value: float = STABILISER) -> Rule:
    """LRP-ε: c = a w and d = z + ε sign(z), with sign(0) = 1. With ε = 0 it is LRP-0 (0/0 pays nothing).

    Args:
        value: ε ≥ 0, in units of the layer's outputs.
    """
    value = check_number(value, "epsilon's value")
    return Rule(
        f"ε={value:g}", lambda p: _pay(p.apply(p.a, p.weight), lambda c: c + p.bias, p.z, stabiliser=value)
    )


def gamma(value: float = 0.25) -> Rule:
    """LRP-γ in its general form: what has the sign of z counts 1 + γ times.

    For inputs ≥ 0 and z > 0 it is c = a (w + γ w⁺), as Montavon et al. 2019 define it.

    Args:
        value: γ ≥ 0; with 0 it is LRP-0, and the larger, the nearer to z⁺.
    """
    value = check_number(value, "gamma's value")

    def shares(p: Parts) -> Tensor:
        more = {sign: p.weight + value * _part(p.weight, sign) for sign in (1, -1)}
        paid = 0
        for sign in (1, -1):
            c = _two_parts(p, more[sign], more[-sign])
            bias = p.bias + value * _part(p.bias, sign)
            paid = paid + _pay(c, lambda c, bias=bias: c + bias, p.z * (p.z.sign() == sign))
        return paid

    return Rule(f"γ={value:g}", shares)


def z_plus() -> Rule:
    """LRP-z⁺ (α1β0): only what adds to the output is paid: c = a⁺ w⁺ + a⁻ w⁻, d = Σ c + b⁺."""
    return Rule("z⁺", lambda p: _signed(p, 1))


def alpha_beta(alpha: float = 2.0, beta: float = 1.0) -> Rule:
    """LRP-αβ: what adds is paid α times, what takes away −β times; α − β = 1.

    Raises:
        ValueError: a negative number, or α − β is not 1.
    """
    alpha, beta = check_number(alpha, "alpha"), check_number(beta, "beta")
    if abs(alpha - beta - 1) > 1e-9:
        raise ValueError(f"alpha − beta must be 1, not {alpha - beta:g}: take (1, 0) or (2, 1)")
    return Rule(
        f"α{alpha:g}β{beta:g}", lambda p: alpha * _signed(p, 1) - (beta * _signed(p, -1) if beta else 0)
    )


def flat() -> Rule:
    """Each input of an output gets the same share, whatever it is: c = 1. For the first layer."""
    return Rule(
        "flat",
        lambda p: _pay(p.apply(p.ones, torch.ones_like(p.weight)), lambda c: c, p.z),
        only_first=True,
    )


def w_squared() -> Rule:
    """The weights alone decide: c = w², d = Σ c + b². For the first layer (Montavon et al. 2017)."""
    return Rule(
        "w²",
        lambda p: _pay(p.apply(p.ones, p.weight**2), lambda c: c + p.bias**2, p.z),
        only_first=True,
    )


def z_box(low: float = -1.0, high: float = 1.0) -> Rule:
    """zᴮ, for pixels in a box: c = a w − low w⁺ − high w⁻. For the first layer (Montavon et al. 2017).

    Args:
        low, high: the smallest and the largest value that an input can have.

    Raises:
        ValueError: no finite numbers, or `low` is not below `high`; when used: inputs outside the box.
    """
    low, high = (check_number(v, f"z_box's {n}", float("-inf")) for v, n in ((low, "low"), (high, "high")))
    if low == float("-inf"):
        raise ValueError("z_box's low must be finite: the smallest value that an input can have")
    if low >= high:
        raise ValueError(f"z_box's low must be below its high, not {low:g} and {high:g}")

    slack = 1e-4 * (high - low)  # of rounding

    def shares(p: Parts) -> Tensor:
        smallest, largest = (end.item() for end in p.a.detach().aminmax())
        if smallest < low - slack or largest > high + slack:
            raise ValueError(
                f"inputs from {smallest:.3g} to {largest:.3g} do not lie in z_box's {low:g} … {high:g}: give "
                "the smallest and the largest value that an input can have"
            )
        lowest = p.apply(low * p.ones, _part(p.weight, 1))
        highest = p.apply(high * p.ones, _part(p.weight, -1))
        return _pay(p.apply(p.a, p.weight) - lowest - highest, lambda c: c, p.z)

    return Rule(f"zᴮ[{low:g}, {high:g}]", shares, only_first=True)


EPSILON = Rules(epsilon(), epsilon())
EPSILON_PLUS = Rules(epsilon(), z_plus())  # ε in the fully connected layers, z⁺ in the convolutions


def relevance(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    rules: Rules | Rule = EPSILON_PLUS,
    *,
    layer: nn.Module | str | None = None,
    biases: bool = True,
) -> Tensor:
    """LRP: what each pixel (or each value of a layer) gets of the class score (Bach et al. 2015, section 3).

    Batch norms behind a convolution or a fully connected layer are first merged into it; activations pass
    their relevance on, max poolings to the winner, average poolings and sums in proportion to what came in.

    Args:
        model: classifier of convolutions (`nn.Conv1d` to `Conv3d`), `nn.Linear`, poolings, sums, batch norms
            and activations.
        inputs: pictures `(N, C, H, W)`, float, preprocessed; or vectors `(N, d)`.
        target: class index, or `(N,)` of them. A model with one score has target 0.
        rules: one rule for all layers, or a `Rules` with one for each kind.
        layer: where the relevance is asked for, a module of the model or its dotted name; None: the inputs.
        biases: whether a bias keeps its share. Without, the relevance that reaches a layer adds up to the
            score again wherever a rule can pay all of it.

    Returns:
        `(N, C, H, W)` or `(N, d)`, or shaped like the layer's output; signed, in units of the score.

    Raises:
        ValueError: wrong shape, NaN, target out of range; a layer or an operation that LRP has no rule for
            here (attention, gates, layer norms, convolutions as functions); a rule for the first layer in
            another place; a model that lets no gradient through.
        TypeError: `inputs` is not a float tensor, `target` not an integer, `rules` no rule.
    """
    inputs = check_inputs(model, inputs, vectors=True)
    targets = check_target(target, inputs)
    rules = _check_rules(rules, layer)
    check_flag(biases, "biases")
    check_hooks_run(model)
    name = None if layer is None else _name_of(model, find_layer(model, layer))
    found = []
    chunk_size = fast_chunk(inputs)
    with gradients_on():
        network = _copy(model)
        with evaluation(network):
            pairs = _check_network(network, inputs[:1])
            expected = [
                target_scores(network, pictures, chunk.clone()).detach()
                for pictures, chunk in zip(inputs.split(chunk_size), targets.split(chunk_size), strict=True)
            ]
            _merge(pairs)
            for pictures, chunk, scores in zip(
                inputs.split(chunk_size), targets.split(chunk_size), expected, strict=True
            ):
                found.append(_relevance(network, pictures, chunk.clone(), rules, name, biases, scores))
    return torch.cat(found)


def fold_batch_norms(model: nn.Module, inputs: Tensor) -> nn.Module:
    """Return a copy of the network in eval mode whose batch norms do nothing: the layers before have them.

    A convolution (or fully connected layer) whose output goes into a batch norm gets its scale and shift:
    w ← w s and b ← (b − μ) s + β with s = γ / √(σ² + e).

    Args:
        model: a network.
        inputs: a picture `(1, C, H, W)` or more, or vectors; shows which layer comes before which batch norm.

    Raises:
        ValueError, TypeError: as `relevance`.
    """
    inputs = check_inputs(model, inputs, vectors=True)
    check_hooks_run(model)
    with gradients_on():
        network = _copy(model).eval()
        _merge(_check_network(network, inputs[:1]))
    return network


def _merge(pairs: list[tuple[nn.Module, nn.Module]]) -> None:
    """Put each batch norm into the layer before it, in place: pairs of (layer, batch norm)."""
    with torch.no_grad():
        for layer, norm in pairs:
            scale = (norm.running_var + norm.eps).rsqrt()
            shift = -norm.running_mean * scale
            if norm.weight is not None:
                scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
                norm.weight = nn.Parameter(torch.ones_like(norm.weight))
                norm.bias = nn.Parameter(torch.zeros_like(norm.bias))
            bias = shift if layer.bias is None else layer.bias * scale + shift
            layer.weight = nn.Parameter(layer.weight * scale.view(-1, *[1] * (layer.weight.ndim - 1)))
            layer.bias = nn.Parameter(bias)
            # what is left of the norm: (x − 0) / √(1 − e + e)
            norm.running_mean = torch.zeros_like(norm.running_mean)
            norm.running_var = torch.full_like(norm.running_var, 1 - norm.eps)


# --- the shares -------------------------------------------------------------------------------------------


def _pay(
    c: Tensor, denominator: Callable[[Tensor], Tensor], z: Tensor, *, stabiliser: float = STABILISER
) -> Tensor:
    """An output whose derivative pays z · (share of each contribution); `c` is their sum at each output."""
    d = denominator(c).detach()
    d = d + stabiliser * torch.where(d < 0, -1.0, 1.0).to(d)
    return c * torch.where(d == 0, 0, z / d)


def _part(values: Tensor, sign: int) -> Tensor:
    """The positive part (sign 1) or the negative part (sign −1)."""
    return values.clamp(min=0) if sign > 0 else values.clamp(max=0)


def _two_parts(p: Parts, of_positive: Tensor, of_negative: Tensor) -> Tensor:
    """The contributions of the inputs' positive and negative parts, with weights for each."""
    c = p.apply(p.a.clamp(min=0), of_positive)
    if (p.a.detach() < 0).any():  # not behind a ReLU: half of the work
        c = c + p.apply(p.a.clamp(max=0), of_negative)
    return c


def _signed(p: Parts, sign: int) -> Tensor:
    """Pay only the contributions that have the sign."""
    c = _two_parts(p, _part(p.weight, sign), _part(p.weight, -sign))
    return _pay(c, lambda c: c + _part(p.bias, sign), p.z)


# --- the changed network ----------------------------------------------------------------------------------

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_WITH_WEIGHTS = (nn.Linear, *_CONVOLUTIONS)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
# a ReLU (leaky ones too) passes relevance on by its own gradient; these need a rule
_BENT = (
    nn.Hardtanh, nn.GELU, nn.SiLU, nn.ELU, nn.CELU, nn.SELU, nn.Softplus, nn.Sigmoid, nn.Tanh,
    nn.Mish, nn.Hardswish, nn.Hardsigmoid,
)  # fmt: skip
_BENT_NODES = (
    "Hardtanh", "Gelu", "Silu", "Elu", "Celu", "Softplus", "Sigmoid", "Tanh", "Mish", "Hardswish",
    "Hardsigmoid",
)  # fmt: skip
_WEIGHT_NODES = ("Convolution", "Addmm", "Mm")
_UNKNOWN_NODES = (
    "Softmax", "LogSoftmax", "NativeLayerNorm", "NativeGroupNorm", "Bmm", "Baddbmm", "Exp", "Log", "Pow",
    "Sqrt", "Rsqrt", "Abs", "LinalgVectorNorm", "ScaledDotProductFlashAttentionForCpu",
    "ScaledDotProductEfficientAttention",
)  # fmt: skip


def _relevance(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    rules: Rules,
    layer: str | None,
    biases: bool,
    expected: Tensor,
) -> Tensor:
    with ExitStack() as stack:
        ones = stack.enter_context(_paying(network, inputs, rules, biases, at_pixels=layer is None))
        outputs = None if layer is None else stack.enter_context(layer_outputs(network, layer))
        pixels = inputs.detach().requires_grad_()
        scores = target_scores(network, pixels, targets)
    if (scores.detach() - expected).abs().max() > 1e-3 * (1 + expected.abs().max()):
        raise ValueError(
            "the network computes something else once its batch norms are merged into the layers before: use "
            "the output of a convolution in one place only, its batch norm"
        )
    if layer is not None:
        values = only(outputs)
        return (values * gradient_at(values, scores)).detach()
    if not ones:
        return (pixels * gradient_at(pixels, scores)).detach()
    _no_other_way(pixels, scores)
    return gradient_at(ones[0], scores)


@contextmanager
def _paying(
    network: nn.Module, inputs: Tensor, rules: Rules, biases: bool, *, at_pixels: bool
) -> Iterator[list[Tensor]]:
    """Let every layer pay by its rule; yield a list that gets the first layer's ones, if it has a rule."""
    ones: list[Tensor] = []
    waiting = [at_pixels and rules.first is not None]

    def pay(module: nn.Module, arguments: tuple, output: Tensor) -> Tensor:
        rule = rules.linear if isinstance(module, nn.Linear) else rules.convolution
        a = arguments[0]
        one = torch.ones((), dtype=a.dtype, device=a.device)
        if waiting[0]:
            waiting[0] = False
            if a.shape != inputs.shape or not torch.equal(a.detach(), inputs):
                raise ValueError(
                    "rules.first needs a first layer that takes the inputs as they are: put the "
                    "preprocessing outside the model, or leave first=None"
                )
            one = torch.ones_like(inputs).requires_grad_()
            ones.append(one)
            a, rule = inputs * one, rules.first
        parts = Parts(
            a, one, apply_of(module), module.weight.detach(), bias_of(module, output), output.detach()
        )
        paid = rule.shares(parts)
        return paid + (output - paid).detach()

    def apply_of(module: nn.Module) -> Linear:
        bare = _WithoutHooks(module)  # it runs once more, unseen

        def apply(values: Tensor, weight: Tensor) -> Tensor:
            parameters = {"module.weight": weight}
            if module.bias is not None:
                parameters["module.bias"] = torch.zeros_like(module.bias)
            return functional_call(bare, parameters, (values,))

        return apply

    def bias_of(module: nn.Module, output: Tensor) -> Tensor:
        if module.bias is None or not biases:
            return torch.zeros((), dtype=output.dtype, device=output.device)
        behind = 0 if isinstance(module, nn.Linear) else module.weight.ndim - 2
        return module.bias.detach().view(-1, *[1] * behind)

    def pass_on(module: nn.Module, arguments: tuple, output: Tensor) -> Tensor:
        a, value = arguments[0], output.detach()
        slope = torch.where(a.detach() == 0, 0, value / a.detach())
        paid = a * slope
        return paid + (value - paid).detach()

    with ExitStack() as stack:
        for module in network.modules():
            if isinstance(module, _WITH_WEIGHTS):
                stack.callback(module.register_forward_hook(pay).remove)
            elif isinstance(module, _BENT):
                if hasattr(module, "inplace"):
                    module.inplace = False  # its input is needed
                stack.callback(module.register_forward_hook(pass_on).remove)
        yield ones


class _WithoutHooks(nn.Module):
    """Runs a module's own forward pass: neither its rule nor who records its outputs is called."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, values: Tensor) -> Tensor:
        return self.module.forward(values)


def _no_other_way(pixels: Tensor, scores: Tensor) -> None:
    """Raise if the pixels reach the scores otherwise than through the first layer."""
    if not scores.requires_grad:
        return
    (gradient,) = torch.autograd.grad(scores.sum(), pixels, allow_unused=True, retain_graph=True)
    if gradient is not None:
        raise ValueError(
            "rules.first needs inputs that go into one layer only, and these go around it too: leave "
            "first=None"
        )


# --- what can be explained --------------------------------------------------------------------------------


def _copy(model: nn.Module) -> nn.Module:
    """A copy whose parameters take no gradients and have none."""
    try:
        network = copy.deepcopy(model)
    except RuntimeError as error:
        raise ValueError(
            f"the model cannot be copied ({error}): keep no tensors with a graph in it, such as the outputs "
            "of a pass; detach() them"
        ) from error
    for parameter in network.parameters():
        parameter.grad = None
    return network.requires_grad_(False)


def _check_rules(rules: object, layer: object) -> Rules:
    if isinstance(rules, Rule):
        rules = Rules(rules, rules)
    kinds = {"linear": Rule, "convolution": Rule, "first": (Rule, type(None))}
    if not isinstance(rules, Rules) or any(not isinstance(getattr(rules, k), kinds[k]) for k in kinds):
        raise TypeError(
            "rules must be a rule such as epsilon() or z_plus(), or Rules(linear, convolution, first), not "
            f"{rules!r}"
        )
    for kind in ("linear", "convolution"):
        if getattr(rules, kind).only_first:
            raise ValueError(
                f"rules.{kind} is {getattr(rules, kind)}, which pays without a look at the inputs and is for "
                "the first layer: Rules(epsilon(), z_plus(), first=…)"
            )
    return rules


def _name_of(model: nn.Module, layer: nn.Module) -> str:
    return next(name for name, module in model.named_modules() if module is layer)


def _check_network(network: nn.Module, picture: Tensor) -> list[tuple[nn.Module, nn.Module]]:
    """Raise if LRP has no rule for a part of the network; return its pairs of (layer, batch norm behind it).

    One picture goes through. What the graph holds must be known, and all weights must lie in modules.
    """
    made_by: dict[int, nn.Module] = {}
    kept: list[Tensor] = []  # so that no number of an object is used twice
    pairs: list[tuple[nn.Module, nn.Module]] = []
    calls: list[nn.Module] = []

    def note(module: nn.Module, arguments: tuple, output: Tensor) -> None:
        calls.append(module)
        if isinstance(module, _WITH_WEIGHTS):
            made_by[id(output)] = module
            kept.append(output)
        elif isinstance(module, _NORMS) and id(arguments[0]) in made_by:
            pairs.append((made_by[id(arguments[0])], module))

    with ExitStack() as stack:
        for module in network.modules():
            if isinstance(module, _NORMS) and module.running_mean is None:
                raise ValueError(
                    "a batch norm without running statistics depends on the whole batch: LRP needs them"
                )
            if isinstance(module, (*_WITH_WEIGHTS, *_BENT, *_NORMS)):
                stack.callback(module.register_forward_hook(note).remove)
        pixels = picture.detach().requires_grad_()
        scores = run(network, pixels)
    if isinstance(scores, Tensor) and scores.requires_grad:  # otherwise others say what is wrong
        _check_graph(scores, calls)
    # a layer that runs twice, or goes into two norms, is left as it is: a norm by itself is a layer, too
    once = [p for p in pairs if all(calls.count(m) == 1 for m in p)]
    return [(layer, norm) for layer, norm in once if sum(layer is other for other, _ in pairs) == 1]


def _check_graph(scores: Tensor, calls: list[nn.Module]) -> None:
    nodes = list(graph_nodes(scores))
    names = [node.name().split("Backward")[0] for node in nodes]
    for node, name in zip(nodes, names, strict=True):
        several = sum(following is not None for following, _ in node.next_functions) > 1
        if name in _UNKNOWN_NODES or (name in ("Mul", "Div") and several):
            what = "multiplies (or divides) two values that both come from the inputs, as gates do"
            what = what if name in ("Mul", "Div") else f"uses {name}"
            raise ValueError(
                f"the model {what}, and LRP has no rule for it here: use integrated_gradients, or explain a "
                "part of convolutions, linear layers, sums, poolings and activations"
            )
    for kind, known, remedy in (
        (_WEIGHT_NODES, _WITH_WEIGHTS, "nn.Linear or nn.Conv2d, not F.linear, F.conv2d or a transposed one"),
        (_BENT_NODES, _BENT, "a module such as nn.SiLU(), not F.silu"),
    ):
        n_nodes, n_calls = sum(n in kind for n in names), sum(isinstance(m, known) for m in calls)
        if n_nodes > n_calls:
            found = ", ".join(sorted({n for n in names if n in kind}))
            raise ValueError(
                f"the model applies {n_nodes} operations ({found}) and only {n_calls} of them lie in modules "
                f"that a rule can reach: write each as {remedy}"
            )
