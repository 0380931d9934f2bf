"""Every image method of the course under one signature, so that one loop can judge them all.

    for method in image_methods():
        maps = method.explain(model, inputs, target, layer)  # (N, H, W), larger = more important

The settings are small, so that all of them answer fifty pictures in a minute on a laptop: a scoreboard
compares methods *with these settings*. `Method.settings` names them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.judge import baselines
from course_utils.methods import cam, deconvnet, gradients, occlusion
from course_utils.methods.cam import upsample
from course_utils.methods.hooks import check_inputs, check_target, evaluation, layer_outputs

Explain = Callable[[nn.Module, Tensor, Tensor, nn.Module | str], Tensor]


@dataclass(frozen=True)
class Method:
    """One method with its settings.

    Attributes:
        name: as the lessons call it.
        family: "gradients", "cam", "perturbation" or "baseline" (a map that knows nothing of the model).
        function: `(model, inputs, target, layer, **settings)` to maps `(N, H, W)`.
        settings: arguments of `function`; they take part in the scoreboard's key.
        sources: modules whose code decides what the maps are, for the scoreboard's key.
    """

    name: str
    family: str
    function: Callable[..., Tensor]
    settings: dict[str, Any] = field(default_factory=dict)
    sources: tuple[Any, ...] = ()

    @property
    def is_baseline(self) -> bool:
        return self.family == "baseline"

    def explain(
        self, model: nn.Module, inputs: Tensor, target: int | Tensor, layer: nn.Module | str
    ) -> Tensor:
        """Maps `(N, H, W)` of the pictures' size; the larger, the more important for `target`.

        Args:
            model: classifier with the scores `(N, n_classes)`.
            inputs: pictures `(N, C, H, W)`, float, preprocessed.
            target: class index, or `(N,)` of them.
            layer: the last convolutional layer, for the methods of the CAM family.
        """
        return self.function(model, inputs, target, layer, **self.settings).detach()


@dataclass
class Passes:
    """Pictures that went through a model, forward and backward."""

    forward: int = 0
    backward: int = 0


@contextmanager
def count_passes(model: nn.Module) -> Iterator[Passes]:
    """Count the pictures that go through the model, and the ones whose gradient comes back.

    A backward pass that stops early (at the layer, as in Grad-CAM) counts like a whole one.
    """
    counted = Passes()

    def watch(module: nn.Module, arguments: tuple, output: Tensor) -> None:
        counted.forward += len(output)
        waiting = [len(output)]  # its gradient may come back at the scores, at the pixels, or at both

        def returning(gradient: Tensor) -> None:
            counted.backward += waiting.pop() if waiting else 0

        for tensor in (arguments[0], output):
            if tensor.requires_grad:
                tensor.register_hook(returning)

    handle = model.register_forward_hook(watch)
    try:
        yield counted
    finally:
        handle.remove()


def image_methods(*, baselines_too: bool = True) -> dict[str, Method]:
    """All methods for pictures, by name; the maps that know nothing come last.

    How signed values of single pixels become a map: the colour channels are added where they are
    contributions in units of the score (gradient × input, integrated gradients), and the absolute value is
    taken, since a pixel that speaks against the class is important too; of plain gradients the strongest
    channel counts.
    """
    from course_utils.methods import lime, shapley  # slow to import

    methods = [
        Method("saliency", "gradients", _saliency, {}, (gradients,)),
        Method("SmoothGrad", "gradients", _smooth_grad, {"n_samples": 5, "noise_level": 0.05}, (gradients,)),
        Method("VarGrad", "gradients", _var_grad, {"n_samples": 5, "noise_level": 0.05}, (gradients,)),
        Method("gradient × input", "gradients", _input_x_gradient, {}, (gradients,)),
        Method("Integrated Gradients", "gradients", _integrated_gradients, {"n_steps": 5}, (gradients,)),
        Method(
            "expected gradients", "gradients", _expected_gradients, {"n_samples": 5}, (shapley, gradients)
        ),
        Method("deconvnet", "gradients", _deconvnet, {}, (deconvnet,)),
        Method("guided backprop", "gradients", _guided_backprop, {}, (deconvnet,)),
        Method("guided Grad-CAM", "cam", _guided_grad_cam, {}, (deconvnet, cam)),
        Method("CAM", "cam", _cam, {}, (cam,)),
        Method("Grad-CAM", "cam", _grad_cam, {}, (cam,)),
        Method("Grad-CAM++", "cam", _grad_cam_plus_plus, {}, (cam,)),
        Method("Layer-CAM", "cam", _layer_cam, {}, (cam,)),
        Method("Score-CAM", "cam", _score_cam, {"n_channels": 32}, (cam,)),
        Method("occlusion", "perturbation", _occlusion, {"window": 32, "stride": 24}, (occlusion,)),
        Method("LIME", "perturbation", _lime, {"n_segments": 36, "n_samples": 32}, (lime,)),
        Method("KernelSHAP", "perturbation", _kernel_shap, {"rows": 4, "n_samples": 32}, (shapley, lime)),
    ]
    if baselines_too:
        methods += [
            Method("edges (Sobel)", "baseline", _sobel, {}, (baselines,)),
            Method("centre", "baseline", _center, {}, (baselines,)),
            Method("random", "baseline", _random, {}, (baselines,)),
            Method("constant", "baseline", _constant, {}, (baselines,)),
        ]
    return {method.name: method for method in methods}


# ------------------------------------------------------------------------------------- gradients


def strongest_channel(values: Tensor) -> Tensor:
    """`(N, C, H, W)` to `(N, H, W)`: the largest absolute value over the colour channels."""
    return values.abs().amax(dim=1)


def channel_sum(values: Tensor) -> Tensor:
    """`(N, C, H, W)` to `(N, H, W)`: the absolute value of the sum over the colour channels."""
    return values.sum(dim=1).abs()


def _saliency(model, inputs, target, layer):
    return strongest_channel(gradients.saliency(model, inputs, target))


def _smooth_grad(model, inputs, target, layer, n_samples, noise_level):
    return strongest_channel(gradients.smooth_grad(model, inputs, target, n_samples, noise_level))


def _var_grad(model, inputs, target, layer, n_samples, noise_level):
    return strongest_channel(gradients.var_grad(model, inputs, target, n_samples, noise_level))


def _input_x_gradient(model, inputs, target, layer):
    return channel_sum(gradients.input_x_gradient(model, inputs, target))


def _integrated_gradients(model, inputs, target, layer, n_steps):
    return channel_sum(gradients.integrated_gradients(model, inputs, target, n_steps=n_steps))


def _expected_gradients(model, inputs, target, layer, n_samples):
    """The baselines are the pictures themselves, in reverse order and blurred: colours without objects."""
    from course_utils.judge.perturbation import blur
    from course_utils.methods.shapley import gradient_shap

    others = blur(inputs.flip(0)[:16], min(inputs.shape[2:]) / 8)
    return channel_sum(gradient_shap(model, inputs, target, others, n_samples))


def _deconvnet(model, inputs, target, layer):
    """Started at the class score: the output of the last linear layer."""
    name, _ = _last_linear(model)
    chunks = zip(inputs.split(16), check_target(target, inputs).split(16), strict=True)
    return torch.cat([strongest_channel(deconvnet.deconvnet(model, x, name, t)) for x, t in chunks])


def _guided_backprop(model, inputs, target, layer):
    return strongest_channel(deconvnet.guided_backprop(model, inputs, target))


def _guided_grad_cam(model, inputs, target, layer):
    """Guided backpropagation, multiplied with the enlarged Grad-CAM (Selvaraju et al. 2017, section 3.2)."""
    return _guided_backprop(model, inputs, target, layer) * _grad_cam(model, inputs, target, layer)


# ------------------------------------------------------------------------------------- the CAM family


def _cam(model, inputs, target, layer):
    _, classifier = _last_linear(model)
    return upsample(cam.cam(model, inputs, target, layer, classifier), inputs.shape[2:])


def _grad_cam(model, inputs, target, layer):
    return upsample(cam.grad_cam(model, inputs, target, layer), inputs.shape[2:])


def _grad_cam_plus_plus(model, inputs, target, layer):
    return upsample(cam.grad_cam_plus_plus(model, inputs, target, layer), inputs.shape[2:])


def _layer_cam(model, inputs, target, layer):
    return upsample(cam.layer_cam(model, inputs, target, layer), inputs.shape[2:])


def _score_cam(model, inputs, target, layer, n_channels):
    maps = cam.score_cam(model, inputs, target, layer, n_channels=_at_most(n_channels, model, inputs, layer))
    return upsample(maps, inputs.shape[2:])


def _at_most(n: int, model: nn.Module, inputs: Tensor, layer: nn.Module | str) -> int:
    """`n`, or all channels of a layer that has fewer."""
    with evaluation(model), torch.no_grad(), layer_outputs(model, layer) as outputs:
        model(inputs[:1])
    return min(n, outputs[0].shape[1])


def _last_linear(model: nn.Module) -> tuple[str, nn.Linear]:
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not found:
        raise ValueError("the model has no linear layer to read the class weights from")
    return found[-1]


# ------------------------------------------------------------------------------------- black boxes


def _occlusion(model, inputs, target, layer, window, stride):
    return occlusion.occlusion(model, inputs, target, window, stride)


def _lime(model, inputs, target, layer, n_segments, n_samples):
    """Superpixels by SLIC; the surrogate fits the probability of the class."""
    from skimage.segmentation import slic

    from course_utils.methods.lime import lime_image, paint

    def one(picture, target, predict):
        low, high = picture.min(), picture.max()
        segments = slic((picture - low) / (high - low + 1e-12), n_segments, start_label=0)
        explanation = lime_image(predict, picture, target, segments, n_samples)
        return paint(explanation.coefficients, segments)

    return _picture_by_picture(one, model, inputs, target)


def _kernel_shap(model, inputs, target, layer, rows, n_samples):
    """The players are the rows × rows squares of a grid; an absent one is drawn in its mean colour."""
    from course_utils.methods.lime import paint
    from course_utils.methods.shapley import image_game, kernel_shap

    height, width = inputs.shape[2:]
    squares = np.add.outer(np.arange(height) * rows // height * rows, np.arange(width) * rows // width)

    def one(picture, target, predict):
        return paint(kernel_shap(image_game(predict, picture, target, squares), rows**2, n_samples), squares)

    return _picture_by_picture(one, model, inputs, target)


def _picture_by_picture(one: Callable, model: nn.Module, inputs: Tensor, target: int | Tensor) -> Tensor:
    """Run a black-box method on one picture `(H, W, C)` after the other."""
    inputs = check_inputs(model, inputs)
    targets = check_target(target, inputs)
    training = model.training

    @torch.inference_mode()
    def predict(pictures: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)  # channels innermost
        return model(batch.to(inputs)).softmax(dim=1).double().cpu().numpy()

    model.eval()
    try:
        pictures = inputs.permute(0, 2, 3, 1).cpu().numpy()
        maps = [one(p, int(t), predict) for p, t in zip(pictures, targets, strict=True)]
    finally:
        model.train(training)
    return torch.from_numpy(np.stack(maps)).to(inputs)


# ------------------------------------------------------------------------------------- knowing nothing


def _sobel(model, inputs, target, layer):
    return baselines.sobel(inputs)


def _center(model, inputs, target, layer):
    return baselines.center(inputs)


def _random(model, inputs, target, layer):
    return baselines.random(inputs)


def _constant(model, inputs, target, layer):
    return baselines.constant(inputs)
