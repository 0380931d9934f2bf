"""Known defects of the installed libraries, each with what is right."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.judge.agreement.libraries import import_shap
from course_utils.judge.agreement.row import Defect
from course_utils.judge.agreement.subjects import asked
from course_utils.methods.cam import grad_cam_plus_plus


def _lost_division() -> float:
    from torchcam.methods import GradCAMpp

    model, inputs, targets = asked()
    with GradCAMpp(model, model.relu2) as extract:
        scores = model(inputs.clone().requires_grad_())
        theirs = extract(targets.tolist(), scores, normalized=False)[0]
    ours = grad_cam_plus_plus(model, inputs, targets, model.relu2)
    a, b = (maps / maps.amax(dim=(1, 2), keepdim=True) for maps in (ours, theirs))
    return float((a - b).abs().max())


def _trapezoid() -> float:
    from captum.attr import IntegratedGradients

    line = nn.Linear(1, 1, bias=False).double()
    nn.init.ones_(line.weight)
    one = torch.ones(1, 1, dtype=torch.float64)
    rule = {"n_steps": 10, "method": "riemann_trapezoid"}
    return IntegratedGradients(line).attribute(one, 0 * one, target=0, **rule).item()


def _sixteen_players() -> float:
    shap = import_shap()

    explainer = shap.KernelExplainer(lambda rows: rows.sum(axis=1), np.zeros((1, 16)))
    values = explainer.shap_values(np.ones((1, 16)), silent=True)
    return float((np.abs(values) > 1e-6).sum())


def _attack() -> float:
    from captum.robust import FGSM

    model, inputs, targets = asked()
    steps = (FGSM(model)(inputs, 0.1, targets) - inputs).detach()
    pixels = inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(model(pixels), targets), pixels)
    moved = (steps != 0) & (gradient != 0)
    return float((steps.sign() == gradient.sign())[moved].double().mean())


class _Functional(nn.Module):
    """The small network with `torch.relu` instead of modules."""

    def __init__(self, model: nn.Sequential):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.model.conv1(x))
        x = torch.relu(self.model.conv2(self.model.pool1(x)))
        return self.model.fc(x.mean(dim=(2, 3)))


def _functional_relu() -> float:
    from captum.attr import GuidedBackprop

    model, inputs, targets = asked()
    theirs = GuidedBackprop(_Functional(model)).attribute(inputs.clone(), targets)
    right = GuidedBackprop(model).attribute(inputs.clone(), targets)
    return float((theirs - right).abs().max() / right.abs().max())


def _signless_z_plus() -> float:
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule

    neuron = nn.Sequential(nn.Linear(2, 1, bias=False)).double()
    with torch.no_grad():
        neuron[0].weight.copy_(torch.tensor([[2.0, 1.0]]))
    neuron[0].rule = Alpha1_Beta0_Rule()
    inputs = torch.tensor([[1.0, -1.0]], dtype=torch.float64)  # contributions 2 and −1
    return LRP(neuron).attribute(inputs, target=0)[0, 1].item()


DEFECTS = (
    Defect(
        "torchcam",
        "Grad-CAM++ divides a copy: largest difference of the scaled maps",
        0.0,
        _lost_division,
    ),
    Defect("captum", "IG of f(x) = x by the trapezoid rule, 10 points", 1.0, _trapezoid),
    Defect(
        "shap",
        "KernelExplainer, 16 equal players: how many get a value (default l1_reg)",
        16.0,
        _sixteen_players,
    ),
    Defect(
        "captum",
        "FGSM's default loss on logits: share of pixels moved the right way",
        1.0,
        _attack,
    ),
    Defect(
        "captum",
        "guided backprop with torch.relu: difference to the right map (it is the plain gradient)",
        0.0,
        _functional_relu,
    ),
    Defect(
        "captum",
        "LRP-α1β0 (z⁺): what an input gets that takes away (a = −1, w = 1)",
        0.0,
        _signless_z_plus,
    ),
)
