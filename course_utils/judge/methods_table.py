"""The table of methods: one entry each, for all that compares them.

    for method in image_methods().values():
        maps = method.explain(model, inputs, target, layer)  # (N, H, W), larger = more important

The scoreboard, the unit tests of explanations, the agreement page and the map of the field read `METHODS`: a
new method is one more entry. The settings for pictures are small, so that all methods answer fifty of them in
a minute on a laptop: a scoreboard compares methods *with these settings*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.judge import baselines
from course_utils.judge.perturbation import blur, class_probabilities
from course_utils.methods import cam, deconvnet, gradients, occlusion, relevance
from course_utils.methods.arguments import check_inputs, check_target
from course_utils.methods.cam import upsample
from course_utils.methods.hooks import evaluation, layer_outputs

FAMILIES = ("gradients", "cam", "perturbation", "baseline")


def channel_sum(values: Tensor) -> Tensor:
    """`(N, C, H, W)` to `(N, H, W)`: the absolute value of the sum over the colour channels."""
    return values.sum(dim=1).abs()


def strongest_channel(values: Tensor) -> Tensor:
    """`(N, C, H, W)` to `(N, H, W)`: the largest absolute value over the colour channels."""
    return values.abs().amax(dim=1)


@dataclass(frozen=True)
class Method:
    """One method with its settings.

    Attributes:
        name: as the lessons call it.
        family: one of `FAMILIES`; a "baseline" knows nothing of the model.
        function: `(model, inputs, target, layer, **settings)` to signed values `(N, C, H, W)`, or to maps
            `(N, H, W)`. None: it explains no pictures (too many players).
        settings: arguments of `function` for pictures.
        reduce: how signed values `(N, C, H, W)` become a map: `channel_sum` where they are contributions in
            units of the score, `strongest_channel` for plain gradients. The sign goes, since a pixel that
            speaks against the class is important too.
        lesson: the one that teaches it.
        tiny: arguments of `function` for the designed networks, where exactness is affordable.
        game: `(value, n_players)` to `(n_players,)`, for a method that asks only which inputs are there;
            `value` takes 0/1 rows. The designed networks are then asked through it.
        needs: of "relu", "linear" and "layer" (feature maps): what a network must have for an answer.
        on_board: whether the scoreboard takes it.
    """

    name: str
    family: str
    function: Callable[..., Tensor] | None
    settings: dict[str, Any] = field(default_factory=dict)
    reduce: Callable[[Tensor], Tensor] = channel_sum
    lesson: int | None = None
    tiny: dict[str, Any] = field(default_factory=dict)
    game: Callable[[Callable, int], np.ndarray] | None = None
    needs: tuple[str, ...] = ()
    on_board: bool = True

    @property
    def is_baseline(self) -> bool:
        return self.family == "baseline"

    def attribute(
        self,
        model: nn.Module,
        inputs: Tensor,
        target: int | Tensor,
        layer: nn.Module | str | None,
        **settings,
    ) -> Tensor:
        """Signed values `(N, C, H, W)`, or maps `(N, H, W)`, of the pictures' size."""
        return self.function(model, inputs, target, layer, **settings).detach()

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
        values = self.attribute(model, inputs, target, layer, **self.settings)
        return self.reduce(values) if values.ndim == 4 else values


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
    """The methods that explain pictures, by name; the maps that know nothing come last."""
    chosen = [m for m in METHODS if m.on_board and m.function and (baselines_too or not m.is_baseline)]
    return {method.name: method for method in sorted(chosen, key=lambda method: method.is_baseline)}


# ------------------------------------------------------------------------------------- gradients


def _saliency(model, inputs, target, layer):
    return gradients.saliency(model, inputs, target)


def _smooth_grad(model, inputs, target, layer, n_samples, noise_level=0.15):
    return gradients.smooth_grad(model, inputs, target, n_samples, noise_level)


def _var_grad(model, inputs, target, layer, n_samples, noise_level=0.15):
    return gradients.var_grad(model, inputs, target, n_samples, noise_level)


def _input_x_gradient(model, inputs, target, layer):
    return gradients.input_x_gradient(model, inputs, target)


def _integrated_gradients(model, inputs, target, layer, n_steps, method="gausslegendre"):
    return gradients.integrated_gradients(model, inputs, target, n_steps=n_steps, method=method)


def _expected_gradients(model, inputs, target, layer, n_samples, start="others"):
    """The baselines are the pictures themselves, in reverse order and blurred: colours without objects.

    With `start="zero"`, the only baseline is zero.
    """
    from course_utils.methods.shapley import gradient_shap

    if start == "zero":
        others = torch.zeros_like(inputs[:1])
    else:
        others = blur(inputs.flip(0)[:16], min(inputs.shape[2:]) / 8)
    return gradient_shap(model, inputs, target, others, n_samples)


def _relevance(model, inputs, target, layer):
    """ε in the fully connected layers, z⁺ in the convolutions."""
    return relevance.relevance(model, inputs, target)


def _deconvnet(model, inputs, target, layer):
    """Started at the class score: the output of the last linear layer."""
    name, _ = _last_linear(model)
    chunks = zip(inputs.split(16), check_target(target, inputs).split(16), strict=True)
    return torch.cat([deconvnet.deconvnet(model, x, name, t) for x, t in chunks])


def _guided_backprop(model, inputs, target, layer):
    return deconvnet.guided_backprop(model, inputs, target)


def _guided_grad_cam(model, inputs, target, layer):
    """Guided backpropagation, multiplied with the enlarged Grad-CAM (Selvaraju et al. 2017, section 3.2)."""
    return _guided_backprop(model, inputs, target, layer) * _grad_cam(model, inputs, target, layer)[:, None]


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


def _score_cam(model, inputs, target, layer, n_channels=None):
    """The `n_channels` most active channels; None takes all."""
    if n_channels is not None:
        n_channels = _at_most(n_channels, model, inputs, layer)
    maps = cam.score_cam(model, inputs, target, layer, n_channels=n_channels)
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
    """On small pictures the window is no larger than half the shorter side."""
    half = max(1, min(inputs.shape[2:]) // 2)
    return occlusion.occlusion(model, inputs, target, min(window, half), min(stride, half))


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
    numpy_s = torch.float32 if inputs.dtype in (torch.float16, torch.bfloat16) else inputs.dtype

    @torch.inference_mode()
    def predict(pictures: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)  # channels innermost
        return class_probabilities(model(batch.to(inputs))).double().cpu().numpy()

    model.eval()
    try:
        pictures = inputs.permute(0, 2, 3, 1).cpu().to(numpy_s).numpy()
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


def _inputs(model, inputs, target, layer):
    return inputs


# ------------------------------------------------------------------------------------- games


def _exact_game(value, n_players):
    from course_utils.methods.shapley import shapley_values

    return shapley_values(value, n_players)


def _kernel_game(value, n_players):
    from course_utils.methods.shapley import kernel_shap

    return kernel_shap(value, n_players)


def _lime_game(value, n_players):
    """The surrogate of LIME on all on-off patterns, with its own kernel and ridge."""
    from course_utils.methods.lime import cosine_distances, exponential_kernel, fit_surrogate

    masks = np.array(list(product((1, 0), repeat=n_players)))
    weights = exponential_kernel(cosine_distances(masks), 0.25)
    return fit_surrogate(masks, value(masks), weights).coefficients


# ------------------------------------------------------------------------------------- the table

METHODS: list[Method] = [
    Method("saliency", "gradients", _saliency, reduce=strongest_channel, lesson=8),
    Method(
        "SmoothGrad", "gradients", _smooth_grad, {"n_samples": 5, "noise_level": 0.05},
        reduce=strongest_channel, lesson=8, tiny={"n_samples": 25},
    ),
    Method(
        "VarGrad", "gradients", _var_grad, {"n_samples": 5, "noise_level": 0.05},
        reduce=strongest_channel, lesson=8, tiny={"n_samples": 25},
    ),
    Method("gradient × input", "gradients", _input_x_gradient, lesson=8),
    Method(
        "Integrated Gradients", "gradients", _integrated_gradients, {"n_steps": 5},
        lesson=8, tiny={"n_steps": 150, "method": "riemann_middle"},
    ),
    Method(
        "expected gradients", "gradients", _expected_gradients, {"n_samples": 5},
        lesson=7, tiny={"n_samples": 300, "start": "zero"},
    ),
    Method("LRP (ε, z⁺)", "gradients", _relevance, lesson=14, on_board=False),
    Method(
        "deconvnet", "gradients", _deconvnet, reduce=strongest_channel, lesson=2, needs=("relu", "linear")
    ),
    Method(
        "guided backprop", "gradients", _guided_backprop, reduce=strongest_channel, lesson=2, needs=("relu",)
    ),
    Method(
        "guided Grad-CAM", "cam", _guided_grad_cam,
        reduce=strongest_channel, lesson=4, needs=("relu", "layer"),
    ),
    Method("CAM", "cam", _cam, lesson=3, needs=("layer", "linear")),
    Method("Grad-CAM", "cam", _grad_cam, lesson=4, needs=("layer",)),
    Method("Grad-CAM++", "cam", _grad_cam_plus_plus, lesson=4, needs=("layer",)),
    Method("Layer-CAM", "cam", _layer_cam, lesson=5, needs=("layer",)),
    Method("Score-CAM", "cam", _score_cam, {"n_channels": 32}, lesson=5, needs=("layer",)),
    Method(
        "occlusion", "perturbation", _occlusion, {"window": 32, "stride": 24},
        lesson=1, tiny={"window": 1, "stride": 1},
    ),
    Method(
        "LIME", "perturbation", _lime, {"n_segments": 36, "n_samples": 32}, lesson=6, game=_lime_game
    ),
    Method("Shapley values", "perturbation", None, lesson=7, game=_exact_game),
    Method(
        "KernelSHAP", "perturbation", _kernel_shap, {"rows": 4, "n_samples": 32}, lesson=7, game=_kernel_game
    ),
    Method("the input itself", "baseline", _inputs, on_board=False),
    Method("edges (Sobel)", "baseline", _sobel, needs=("layer",)),
    Method("centre", "baseline", _center, needs=("layer",)),
    Method("random", "baseline", _random),
    Method("constant", "baseline", _constant),
]  # fmt: skip
