"""The CAM family beside torch-cam, captum and grad-cam."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.judge.agreement.row import Row
from course_utils.judge.agreement.subjects import asked
from course_utils.methods import cam
from course_utils.methods.deconvnet import guided_backprop

_TWICE = "ReLU, min-max, enlarge, min-max"


def _ours(function, /, *, dressed: bool = False, scale: float = 30.0, **options):
    """Our maps at the last convolution; `dressed` as grad-cam returns them."""

    def maps() -> Tensor:
        model, inputs, targets = asked(scale)
        raw = function(model, inputs, targets, model.relu2, **options)
        return cam.min_max(cam.upsample(cam.min_max(raw), (16, 16))) if dressed else raw

    return maps


def _torchcam(name: str, **options):
    def maps() -> Tensor:
        from torchcam import methods

        model, inputs, targets = asked()
        with getattr(methods, name)(model, model.relu2, **options) as extract:
            scores = model(inputs.clone().requires_grad_())
            return extract(targets.tolist(), scores, normalized=False)[0]

    return maps


def _grad_cam(name: str, scale: float = 30.0):
    """The library computes in single precision."""

    def maps() -> Tensor:
        import pytorch_grad_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        model, inputs, targets = asked(scale)
        single = model.float()
        with getattr(pytorch_grad_cam, name)(single, [single.relu2]) as extract:
            return torch.from_numpy(
                extract(inputs.float(), [ClassifierOutputTarget(int(t)) for t in targets])
            )

    return maps


def _captum_grad_cam() -> Tensor:
    from captum.attr import LayerGradCam

    model, inputs, targets = asked()
    return LayerGradCam(model, model.relu2).attribute(inputs, targets)[:, 0]


def _our_cam() -> Tensor:
    model, inputs, targets = asked()
    return cam.cam(model, inputs, targets, model.relu2, model.fc)


def _our_guided() -> Tensor:
    model, inputs, targets = asked()
    coarse = cam.upsample(cam.grad_cam(model, inputs, targets, model.relu2), (16, 16))
    return guided_backprop(model, inputs, targets) * coarse[:, None]


def _captum_guided() -> Tensor:
    from captum.attr import GuidedGradCam

    model, inputs, targets = asked()
    return GuidedGradCam(model, model.relu2).attribute(inputs.clone(), targets, interpolate_mode="bilinear")


ROWS = (
    Row("CAM", "torchcam", "no ReLU; its docstring has one", _our_cam, _torchcam("CAM", fc_layer="fc")),
    Row("Grad-CAM", "captum", "no ReLU, the layer's size", _ours(cam.grad_cam, relu=False), _captum_grad_cam),
    Row("Grad-CAM", "torchcam", "ReLU, the layer's size", _ours(cam.grad_cam), _torchcam("GradCAM")),
    Row("Grad-CAM", "grad-cam", _TWICE, _ours(cam.grad_cam, dressed=True), _grad_cam("GradCAM")),
    Row(
        "Grad-CAM++",
        "grad-cam",
        f"{_TWICE}; its ε must be small beside g²",
        _ours(
            cam.grad_cam_plus_plus, dressed=True, scale=1000
        ),  # large gradients: ε is added to their square
        _grad_cam("GradCAMPlusPlus", scale=1000),
    ),
    Row(
        "Score-CAM",
        "torchcam",
        "scale a channel, then enlarge it",
        _ours(cam.score_cam),
        _torchcam("ScoreCAM"),
    ),
    Row(
        "Score-CAM",
        "grad-cam",
        "enlarge a channel (corners aligned), then scale it",
        _ours(cam.score_cam, dressed=True, upsample_first=True, align_corners=True),
        _grad_cam("ScoreCAM"),
    ),
    Row(
        "Layer-CAM",
        "torchcam",
        "one layer; tanh only when it fuses several",
        _ours(cam.layer_cam),
        _torchcam("LayerCAM"),
    ),
    Row("Layer-CAM", "grad-cam", _TWICE, _ours(cam.layer_cam, dressed=True), _grad_cam("LayerCAM")),
    Row(
        "guided Grad-CAM",
        "captum",
        'interpolate_mode="bilinear"; its default is nearest',
        _our_guided,
        _captum_guided,
    ),
)
