"""What all methods share: eval mode for the length of a call, one layer's output, scores and gradients.

A method must leave the model as it found it. So hooks and the eval mode live in context managers, which
tidy up after an exception too, and gradients come from `torch.autograd.grad`, which never writes to `.grad`.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_utils.batches import pictures_at_once
from course_utils.methods.arguments import check_count, check_finite, check_inputs, check_range, check_target

Reshape = Callable[[Tensor], Tensor]


@contextmanager
def evaluation(model: nn.Module) -> Iterator[None]:
    """Put every module in eval mode, and give each its own training flag back at the end."""
    flags = [(module, module.training) for module in model.modules()]
    try:
        for module, flag in flags:
            if flag:  # setting an attribute of a module is slow, and most models are in eval mode already
                module.training = False
        yield
    finally:
        for module, flag in flags:
            if module.training is not flag:
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
    with outputs_of(find_layer(model, layer), leaf=leaf) as outputs:
        yield outputs


@contextmanager
def outputs_of(layer: nn.Module, *, leaf: bool = False) -> Iterator[list[Tensor]]:
    """`layer_outputs` of a module that `find_layer` has found: in each of many chunks that look is time."""
    outputs: list[Tensor] = []

    def keep(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        check_layer_output(output)
        if leaf:
            torch.set_grad_enabled(True)
            output = output.detach().requires_grad_()
        outputs.append(output)
        return output.clone()

    handle = layer.register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()


def check_layer_output(output: object) -> None:
    """Raise unless a layer put out one floating-point tensor."""
    if not isinstance(output, Tensor) or not output.is_floating_point():
        kind = output.dtype if isinstance(output, Tensor) else type(output).__name__
        raise TypeError(f"the layer must put out one float tensor, not {kind}: choose a layer inside it")


def find_layer(model: nn.Module, layer: nn.Module | str) -> nn.Module:
    """Return the module of `model` that `layer` is, or that it names (`"features.3"`)."""
    modules = list(model.modules())
    if isinstance(layer, str):
        try:
            layer = nn.Module.get_submodule(model, layer)  # traced models have none of their own
        except AttributeError:
            _check_hooks_run(modules)  # a compiled model has other names
            names = ", ".join(repr(name) for name in list(dict(model.named_modules()))[1:9])
            raise ValueError(
                f"the model has no layer {layer!r}; dict(model.named_modules()) lists them: {names}, …"
            ) from None
    if not isinstance(layer, nn.Module):
        raise TypeError(
            f"layer must be a module of the model or its dotted name, not a {type(layer).__name__}"
        )
    _check_hooks_run(modules, layer)
    if not any(module is layer for module in modules):
        raise ValueError(
            f"this {type(layer).__name__} is not part of the model: take the layer from the same model"
        )
    return layer


def check_hooks_run(model: nn.Module) -> None:
    """Raise if any module is traced, scripted or compiled: hooks are ignored there."""
    _check_hooks_run(model.modules())


def _check_hooks_run(modules: Iterable[nn.Module], layer: nn.Module | None = None) -> None:
    """Raise if `layer` (None: any module) lies in a traced, scripted or compiled one of these."""
    for module in modules:
        if isinstance(module, torch.jit.ScriptModule):
            kind, remedy = "traced or scripted (torch.jit)", "take the module that it was made from"
        elif "_orig_mod" in module._modules:
            kind, remedy = "compiled (torch.compile)", "take the original module, compiled._orig_mod"
        elif module._compiled_call_impl is not None:
            kind, remedy = "compiled (module.compile())", "take a copy made before"
        else:
            continue
        if layer is None or any(part is layer for part in module.modules()):
            raise ValueError(f"the model is {kind}, where hooks at a layer do not run: {remedy}")


def only(outputs: list[Tensor]) -> Tensor:
    """Return the single output that a layer must have had in one forward pass."""
    if len(outputs) != 1:
        found = "did not run" if not outputs else f"ran {len(outputs)} times"
        raise ValueError(
            f"the layer {found} in one forward pass: choose a layer that the model uses exactly once"
        )
    return outputs[0]


def feature_maps(outputs: Tensor, pictures: Tensor, reshape: Reshape | None = None) -> Tensor:
    """Return a layer's output for `pictures` as feature maps `(N, K, h, w)`, or say why it is none.

    Args:
        outputs: what the layer put out.
        pictures: `(N, C, H, W)`, what went into the model.
        reshape: brings another order into `(N, K, h, w)`, by moving values only.
    """
    if reshape is not None:
        if not callable(reshape):
            raise TypeError(f"reshape must be a function of the layer's output, not {type(reshape).__name__}")
        outputs = reshape(outputs)
    found = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
    if reshape is not None and (not isinstance(outputs, Tensor) or outputs.ndim != 4):
        raise ValueError(f"reshape must return feature maps (N, K, h, w), not {found}")
    if outputs.ndim == 3:
        raise ValueError(
            f"the layer puts out {found}, tokens and no feature maps (N, K, h, w): choose a convolutional "
            "layer, or say how they lie where a method takes reshape=, for instance "
            "lambda t: t[:, 1:].transpose(1, 2).unflatten(2, (14, 14))"
        )
    if outputs.ndim != 4 or outputs.numel() == 0:
        raise ValueError(
            f"the layer puts out the shape {found}, but feature maps (N, K, h, w) are needed: choose a "
            "convolutional layer before the pooling and flattening"
        )
    if len(outputs) != len(pictures):
        raise ValueError(f"the layer gives {len(outputs)} maps for {len(pictures)} pictures: choose another")
    if reshape is None and _channels_last(outputs.shape, pictures.shape):
        raise ValueError(
            f"the layer puts out {found}, which looks like channels last (N, h, w, K): choose another, or "
            "where a method takes it pass reshape=lambda maps: maps.permute(0, 3, 1, 2), or "
            "reshape=lambda maps: maps if it is (N, K, h, w)"
        )
    return outputs


def _channels_last(output: torch.Size, pictures: torch.Size) -> bool:
    """Whether the two middle sides of `output`, and not the last two, have the picture's proportions."""
    height, width = pictures[2:]

    def like_the_picture(h: int, w: int) -> bool:
        return h <= height and w <= width and abs(h * width / height - w) <= 2

    return like_the_picture(*output[1:3]) and not like_the_picture(*output[2:])


def run(model: nn.Module, inputs: Tensor) -> object:
    """Run the model on a copy of the inputs: it may write into what it gets."""
    try:
        return model(inputs.clone())
    except RuntimeError as error:
        if "nference tensor" not in str(error):
            raise
        raise ValueError(
            "the model computes a part under torch.inference_mode(), or its weights were made there, so that "
            "no gradient can pass: use no_grad() or requires_grad_(False) instead"
        ) from error


def class_scores(model: nn.Module, inputs: Tensor) -> Tensor:
    """Run the model and return its scores (logits) `(N, n_classes)`."""
    scores = run(model, inputs)
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != len(inputs):
        found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(
            f"the model must return scores of the shape (N, n_classes), not {found}: wrap it in a module "
            "whose forward returns them alone, such as output.logits, output[0] or output[:, None]"
        )
    return check_finite(scores, "the model's scores", ": check its weights and the inputs' range")


def target_scores(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Run the model and return the score of each picture's target class, `(N,)`."""
    scores = class_scores(model, inputs)
    check_range(targets, scores.shape[1])
    return scores.gather(1, targets[:, None])[:, 0]


def fast_chunk(inputs: Tensor, chunk_size: int | None = None, *, light: bool = False) -> int:
    """Return how many pictures (or vectors) to run at a time: `chunk_size`, or with None what is fast.

    One picture's size decides, so that a large photograph goes alone and memory stays bounded. `light`: only
    forward, hardly anything is kept for a backward pass, so that twice as many are fast.
    """
    if chunk_size is not None:
        return check_count(chunk_size, "chunk_size")
    if inputs.ndim == 2:
        return 1024
    pixels = max(inputs.shape[2:].numel() // (2 if light else 1), 1)
    return pictures_at_once(pixels) if inputs.device.type == "cpu" else max(min(2**24 // pixels, 64), 1)


def fast_layout(model: nn.Module, inputs: Tensor) -> torch.memory_format:
    """Return the memory layout that many forward passes are fastest in; the model is in eval mode.

    On a CPU, convolutions and poolings of small networks run two to three times faster with the channels
    innermost. But a model that flattens with `x.view(…)` cannot take it, which one trial shows. Not for
    gradients: on an evenly grey picture all places of a max-pooling tie, and the last digits would decide.
    """
    if inputs.device.type == "cpu":
        try:
            with torch.no_grad():
                model(inputs[:1].clone(memory_format=torch.channels_last))
            return torch.channels_last
        except RuntimeError:  # if the model itself is broken, the next forward pass says so
            pass
    return torch.contiguous_format


def counted(steps: Iterable, total: int, name: str, progress: bool) -> Iterator:
    """Go through the steps, with a bar on the standard output that vanishes at the end if `progress`."""
    yield from tqdm(
        steps, name, total, unit="step", disable=not progress, leave=False, ncols=72, file=sys.stdout
    )


def activations_and_gradients(
    model: nn.Module, inputs: Tensor, target: int | Tensor, layer: nn.Module | str
) -> tuple[Tensor, Tensor]:
    """Return the layer's output and the gradient of the target's score at it, both `(N, K, h, w)`."""
    inputs = check_inputs(model, inputs)
    targets = check_target(target, inputs)
    layer = find_layer(model, layer)
    chunk_size = fast_chunk(inputs, light=True)
    with evaluation(model):
        chunks = [
            _activations_and_gradients(model, pictures, chunk, layer)
            for pictures, chunk in zip(inputs.split(chunk_size), targets.split(chunk_size), strict=True)
        ]
    activations, gradients = (torch.cat(parts) for parts in zip(*chunks, strict=True))
    return activations, gradients


def _activations_and_gradients(
    model: nn.Module, inputs: Tensor, targets: Tensor, layer: nn.Module
) -> tuple[Tensor, Tensor]:
    # Nothing before the layer needs to be recorded. But if the model leaves a no_grad() of its own behind the
    # layer, it turns recording off again: then a second pass records all.
    for record in (False, True):
        with gradients_on(), outputs_of(layer, leaf=True) as outputs:
            with torch.set_grad_enabled(record):
                scores = target_scores(model, inputs, targets.clone())
            activations = only(outputs)
            if scores.requires_grad:
                (gradients,) = torch.autograd.grad(scores.sum(), activations, allow_unused=True)
                if gradients is not None:
                    return activations.detach(), gradients
    raise ValueError(
        "the scores do not depend on this layer: choose a layer on the way to the scores, and a model that "
        "does not use no_grad() or detach() behind it"
    )


def input_gradients(
    model: nn.Module, inputs: Tensor, targets: Tensor, chunk_size: int | None = None
) -> Tensor:
    """Return the gradient of each picture's target score at its pixels, shaped like `inputs`.

    `inputs` and `targets` are checked already and the model is in eval mode. `chunk_size` pictures go through
    the model at a time, which bounds the memory.
    """
    gradients = []
    chunk_size = fast_chunk(inputs, chunk_size)
    for pictures, chunk in zip(inputs.split(chunk_size), targets.split(chunk_size), strict=True):
        with gradients_on():
            pictures = pictures.clone() if pictures.is_inference() else pictures.detach()
            pictures.requires_grad_()
            scores = target_scores(model, pictures, chunk.clone())  # a copy also works in inference mode
            gradients.append(gradient_at(pictures, scores))
    return gradients[0] if len(gradients) == 1 else torch.cat(gradients)


def gradient_at(inputs: Tensor, scores: Tensor, signal: Tensor | None = None) -> Tensor:
    """Return the gradient of the scores' sum (or of scores · signal) at the inputs, or raise if none is."""
    gradient = None
    if scores.requires_grad:
        signal = torch.ones_like(scores) if signal is None else signal
        (gradient,) = torch.autograd.grad(scores, inputs, signal, allow_unused=True)
    if gradient is None:
        raise ValueError(
            "no gradient reaches the inputs: the model computes a part under no_grad(), with detach(), or "
            "rounded or quantised; take that part out, or use a method without gradients (occlusion, LIME)"
        )
    return gradient


def graph_nodes(output: Tensor) -> Iterator[torch.autograd.graph.Node]:
    """Go through the graph behind a tensor, each node once."""
    stack, seen = [output.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        stack.extend(following for following, _ in node.next_functions)
