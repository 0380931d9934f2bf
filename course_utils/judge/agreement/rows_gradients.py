"""Gradients and what starts with them, beside captum, zennit and grad-cam."""

from __future__ import annotations

from torch import Tensor, nn

from course_utils.judge.agreement.libraries import same_noise
from course_utils.judge.agreement.row import Row
from course_utils.judge.agreement.subjects import asked
from course_utils.methods import deconvnet, filters, gradients, relevance


def _ours(function, /, *arguments, **options):
    def values() -> Tensor:
        model, inputs, targets = asked()
        return function(model, inputs, targets, *arguments, **options)

    return values


def _captum(name: str, /, *, baseline: bool = False, **options):
    def values() -> Tensor:
        from captum import attr

        model, inputs, targets = asked()
        start = {"baselines": 0 * inputs[:1]} if baseline else {}
        return getattr(attr, name)(model).attribute(inputs.clone(), target=targets, **start, **options)

    return values


def _noise_tunnel(kind: str):
    def values() -> Tensor:
        from captum.attr import NoiseTunnel, Saliency

        model, inputs, targets = asked()
        with same_noise(inputs, 7):
            return NoiseTunnel(Saliency(model)).attribute(
                inputs.clone(), nt_type=kind, nt_samples=7, stdevs=1.0, target=targets, abs=False
            )

    return values


def _expected() -> Tensor:
    from course_utils.methods.shapley import gradient_shap

    model, inputs, targets = asked()
    return gradient_shap(model, inputs, targets, 0 * inputs[:1], 2000)


def _zennit(name: str, times_score: bool = False):
    def values() -> Tensor:
        from zennit import composites
        from zennit.attribution import Gradient

        model, inputs, targets = asked()
        start = nn.functional.one_hot(targets, 4).double()
        if times_score:
            start = start * model(inputs).detach()
        with Gradient(model=model, composite=getattr(composites, name)()) as attributor:
            return attributor(inputs.clone(), start)[1]

    return values


def _lrp_of_zennit(*names: str):
    """zennit's LRP with rules for linear layers, convolutions and perhaps the first one."""

    def values() -> Tensor:
        from zennit import composites, rules
        from zennit.attribution import Gradient
        from zennit.types import Activation, AvgPool, Convolution

        model, inputs, targets = asked()
        linear, convolution, *first = (getattr(rules, name)() for name in names)
        layers = [(Activation, rules.Pass()), (AvgPool, rules.Norm(1e-15)), (Convolution, convolution)]
        layers.append((nn.Linear, linear))
        composite = composites.SpecialFirstLayerMapComposite(layers, [(Convolution, rule) for rule in first])
        start = nn.functional.one_hot(targets, 4) * model(inputs).detach()
        with Gradient(model=model, composite=composite) as attributor:
            return attributor(inputs.clone(), start)[1]

    return values


def _lrp_of_captum() -> Tensor:
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import EpsilonRule

    model, inputs, targets = asked()
    model.flatten.rule = EpsilonRule()
    return LRP(model).attribute(inputs.clone(), target=targets)


def _guided_of_grad_cam() -> Tensor:
    from pytorch_grad_cam import GuidedBackpropReLUModel

    model, inputs, _ = asked()
    return GuidedBackpropReLUModel(model, "cpu")(inputs[:1].clone(), 0)


def _our_deconvnet() -> Tensor:
    model, inputs, targets = asked()
    return deconvnet.deconvnet(model, inputs, "fc", targets)


def _positive_scores() -> tuple[Tensor, Tensor]:
    """The scores (N, 1, 1, 1), and which are positive: a negative start turns the signal round at once."""
    model, inputs, targets = asked()
    scores = model(inputs).detach().gather(1, targets[:, None])[:, 0]
    return scores.view(-1, 1, 1, 1), scores > 0


def _captum_deconvnet() -> Tensor:
    scores, keep = _positive_scores()
    return (scores * _captum("Deconvolution")())[keep]


def _filter_of_captum() -> Tensor:
    from captum.attr import LayerActivation

    model, inputs, _ = asked()
    return LayerActivation(model, model.conv2).attribute(inputs)[:, 3]


def _our_filter() -> Tensor:
    model, inputs, _ = asked()
    return filters.filter_activation(model, inputs, "conv2", 3)


def _integrated(rule: str) -> Row:
    return Row(
        "Integrated Gradients",
        "captum",
        f"same rule: {rule}",
        _ours(gradients.integrated_gradients, n_steps=20, method=rule),
        _captum("IntegratedGradients", n_steps=20, method=rule),
    )


_NOISE = "same noise; its stdevs is σ itself, ours a share of the range"

ROWS = (
    Row("saliency", "captum", "absolute value by default", _ours(gradients.saliency), _captum("Saliency")),
    Row("gradient × input", "captum", "signed", _ours(gradients.input_x_gradient), _captum("InputXGradient")),
    Row("SmoothGrad", "captum", _NOISE, _ours(gradients.smooth_grad, 7), _noise_tunnel("smoothgrad")),
    Row("VarGrad", "captum", _NOISE, _ours(gradients.var_grad, 7), _noise_tunnel("vargrad")),
    _integrated("gausslegendre"),
    _integrated("riemann_middle"),
    Row(
        "expected gradients",
        "captum IG",
        "one baseline, 2000 random points: sampling error",
        _expected,
        _captum("IntegratedGradients", baseline=True, n_steps=300),
    ),
    Row(
        "guided backprop",
        "captum",
        "module ReLUs only",
        _ours(deconvnet.guided_backprop),
        _captum("GuidedBackprop"),
    ),
    Row(
        "guided backprop",
        "zennit",
        "starts with a one-hot score",
        _ours(deconvnet.guided_backprop),
        _zennit("GuidedBackprop"),
    ),
    Row(
        "guided backprop",
        "grad-cam",
        "channels last",
        lambda: _ours(deconvnet.guided_backprop)()[0].permute(1, 2, 0),
        _guided_of_grad_cam,
    ),
    Row("deconvnet", "zennit", "starts with the activation", _our_deconvnet, _zennit("DeconvNet", True)),
    Row(
        "deconvnet",
        "captum",
        "starts with 1: times the score",
        lambda: _our_deconvnet()[_positive_scores()[1]],
        _captum_deconvnet,
    ),
    Row(
        "LRP, ε and z⁺",
        "zennit",
        "times the score; average pooling without its stabiliser",
        _ours(relevance.relevance),
        _lrp_of_zennit("Epsilon", "ZPlus"),
        of="LRP (ε, z⁺)",
    ),
    Row(
        "LRP, ε and γ, flat",
        "zennit",
        "the general γ; flat in the first layer",
        _ours(relevance.relevance, relevance.Rules(relevance.epsilon(), relevance.gamma(), relevance.flat())),
        _lrp_of_zennit("Epsilon", "Gamma", "Flat"),
        of="LRP (ε, z⁺)",
    ),
    Row(
        "LRP-ε",
        "captum",
        "its ε is 1e-9; nn.Flatten needs a rule",
        _ours(relevance.relevance, relevance.epsilon(1e-9)),
        _lrp_of_captum,
        of="LRP (ε, z⁺)",
    ),
    Row("filter activation", "captum", "the layer's output", _our_filter, _filter_of_captum),
)
