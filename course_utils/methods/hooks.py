"""What all methods share: eval mode for the length of a call, one layer's output, scores and gradients.

A method must leave the model as it found it. So hooks and the eval mode live in context managers, which
tidy up after an exception too, and gradients come from `torch.autograd.grad`, which never writes to `.grad`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from course_utils.methods.arguments import check_inputs, check_range, check_target


@contextmanager
def evaluation(model: nn.Module) -> Iterator[None]:
    """Put every module in eval mode, and give each its own training flag back at the end."""
    flags = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in flags:
            module.training = False
        yield
    finally:
        for module, flag in flags:
            module.training = flag


@contextmanager
def gradients_on() -> Iterator[None]:
    """Record gradients, even if the caller works under `torch.no_grad()` or `torch.inference_mode()`."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def layer_outputs(model: nn.Module, layer: nn.Module | str, *, leaf: bool = False) -> Iterator[list[Tensor]]:
    """Collect what `layer` puts out in each forward pass.

    The rest of the network gets a copy, so that an in-place ReLU behind the layer cannot overwrite what is
    kept. With `leaf=True` the output is cut from everything before it and becomes a leaf that a gradient can
    be taken at. Run the forward pass under `torch.no_grad()` then: recording starts only at the leaf.
    """
    outputs: list[Tensor] = []

    def keep(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        if not isinstance(output, Tensor):
            raise TypeError(
                f"the layer must put out one tensor, not a {type(output).__name__}: choose another"
            )
        if leaf:
            torch.set_grad_enabled(True)
            output = output.detach().requires_grad_()
        outputs.append(output)
        return output.clone()

    handle = find_layer(model, layer).register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()


def find_layer(model: nn.Module, layer: nn.Module | str) -> nn.Module:
    """Return the module of `model` that `layer` is, or that it names (`"features.3"`)."""
    modules = dict(model.named_modules())
    if isinstance(layer, str):
        if layer not in modules:
            names = ", ".join(repr(name) for name in list(modules)[1:9])
            raise ValueError(
                f"the model has no layer {layer!r}; dict(model.named_modules()) lists them: {names}, …"
            )
        return modules[layer]
    if not isinstance(layer, nn.Module):
        raise TypeError(
            f"layer must be a module of the model or its dotted name, not a {type(layer).__name__}"
        )
    if not any(module is layer for module in modules.values()):
        raise ValueError(
            f"this {type(layer).__name__} is not part of the model: take the layer from the same model"
        )
    return layer


def only(outputs: list[Tensor]) -> Tensor:
    """Return the single output that a layer must have had in one forward pass."""
    if len(outputs) != 1:
        found = "did not run" if not outputs else f"ran {len(outputs)} times"
        raise ValueError(
            f"the layer {found} in one forward pass: choose a layer that the model uses exactly once"
        )
    return outputs[0]


def class_scores(model: nn.Module, inputs: Tensor) -> Tensor:
    """Run the model and return its scores (logits) `(N, n_classes)`."""
    scores = model(inputs)
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != len(inputs):
        found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"the model must return scores of the shape (N, n_classes), not {found}")
    if not scores.isfinite().all():
        raise ValueError("the model returned NaN or infinite scores: check its weights and the inputs' range")
    return scores


def target_scores(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Run the model and return the score of each picture's target class, `(N,)`."""
    scores = class_scores(model, inputs)
    check_range(targets, scores.shape[1])
    return scores.gather(1, targets[:, None])[:, 0]


def fast_chunk(inputs: Tensor) -> int:
    """Return how many pictures to run at a time.

    A CPU is fastest while the feature maps of all of them stay small: near 100 000 pixels. A GPU wants more.
    """
    if inputs.device.type != "cpu":
        return 64
    return min(max(2**17 // inputs.shape[2:].numel(), 8), 32)


def fast_layout(model: nn.Module, inputs: Tensor) -> torch.memory_format:
    """Return the memory layout that many forward passes are fastest in; the model is in eval mode.

    On a CPU, convolutions and poolings of small networks run two to three times faster with the channels
    innermost. But a model that flattens with `x.view(…)` cannot take it, which one trial shows. Not for
    gradients: on an evenly grey picture all places of a max-pooling tie, and the last digits would decide.
    """
    if inputs.device.type == "cpu":
        try:
            with torch.no_grad():
                model(inputs[:1].contiguous(memory_format=torch.channels_last))
            return torch.channels_last
        except RuntimeError:  # if the model itself is broken, the next forward pass says so
            pass
    return torch.contiguous_format


def activations_and_gradients(
    model: nn.Module, inputs: Tensor, target: int | Tensor, layer: nn.Module | str
) -> tuple[Tensor, Tensor]:
    """Return the layer's output and the gradient of the target's score at it, both `(N, K, h, w)`."""
    inputs = check_inputs(model, inputs)
    targets = check_target(target, inputs)
    with evaluation(model), gradients_on(), layer_outputs(model, layer, leaf=True) as outputs:
        with torch.no_grad():  # nothing before the layer needs to be recorded
            scores = target_scores(model, inputs, targets)
        activations = only(outputs)
        gradients = None
        if scores.requires_grad:
            (gradients,) = torch.autograd.grad(scores.sum(), activations, allow_unused=True)
        if gradients is None:
            raise ValueError(
                "the scores do not depend on this layer: choose a layer on the way to the scores"
            )
    return activations.detach(), gradients


def input_gradients(
    model: nn.Module, inputs: Tensor, targets: Tensor, chunk_size: int | None = None
) -> Tensor:
    """Return the gradient of each picture's target score at its pixels, `(N, C, H, W)`.

    `inputs` and `targets` are checked already and the model is in eval mode. `chunk_size` pictures go through
    the model at a time, which bounds the memory.
    """
    gradients = []
    chunk_size = chunk_size or fast_chunk(inputs)
    for pictures, chunk in zip(inputs.split(chunk_size), targets.split(chunk_size), strict=True):
        with gradients_on():
            pictures = pictures.detach().clone().requires_grad_()
            scores = target_scores(model, pictures, chunk.clone())  # a copy also works in inference mode
            if not scores.requires_grad:
                raise ValueError(
                    "the scores do not depend on the inputs through anything that has a gradient"
                )
            gradients.append(torch.autograd.grad(scores.sum(), pictures)[0])
    return torch.cat(gradients)
