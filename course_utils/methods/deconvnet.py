"""Backward passes with another rule at each ReLU: the deconvnet and guided backpropagation.

Both are the gradient with one change. Where the plain gradient passes a ReLU if its *input* was positive, the
deconvnet passes it if the *signal coming back* is positive, and guided backpropagation asks for both.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.methods.arguments import check_inputs, check_range, check_target, check_whole
from course_utils.methods.hooks import (
    check_hooks_run,
    evaluation,
    fast_chunk,
    feature_maps,
    find_layer,
    gradient_at,
    gradients_on,
    graph_nodes,
    only,
    outputs_of,
    run,
    target_scores,
)

_RELUS = (nn.ReLU, nn.ReLU6)
_PASSIVE = (nn.Identity, nn.Dropout, nn.Dropout2d)  # do nothing in eval mode
# how PyTorch calls the backward passes of ReLU and its relatives
_RECTIFIERS = (
    *(
        "Relu",
        "Hardtanh",
        "LeakyRelu",
        "PreluKernel",
        "RreluWithNoise",
        "Elu",
        "Celu",
        "Hardswish",
        "Silu",
        "Gelu",
    ),
    *("Mish", "Softplus", "Threshold"),
)


def deconvnet(
    model: nn.Module,
    inputs: Tensor,
    layer: nn.Module | str,
    channel: int | Tensor,
    position: tuple[int, int] | Tensor | None = None,
) -> Tensor:
    """Project one activation back to the pixels (Zeiler and Fergus 2014, section 2.1).

    All other activations of the layer are set to zero; then the signal runs back through the network, clipped
    at zero at each ReLU. Where pooling windows overlap, the backward pass adds up the signals that return to
    the same pixel, the paper's unpooling keeps one of them: see `deconvnet_explicit`.

    Args:
        model: network whose ReLUs are modules (`nn.ReLU` or `nn.ReLU6`).
        inputs: pictures `(N, C, H, W)`, float, preprocessed.
        layer: where to start, as a module or dotted name, with the output `(N, K, h, w)` or `(N, K)`.
        channel: feature map to start from, or `(N,)` of them.
        position: (row, column) in the feature map, or `(N, 2)` of them. None: each picture's strongest place.

    Returns:
        `(N, C, H, W)`, signed, in units of the activation.

    Raises:
        ValueError: wrong shape, unknown layer, channel or position out of range, ReLUs that are not modules,
            relatives of ReLU (leaky, GELU, …), a compiled or traced model.
        TypeError: `inputs` is not a float tensor or `channel` not an integer.
    """
    inputs = check_inputs(model, inputs)
    channels, places = check_target(channel, inputs, "channel"), _places(position, inputs)
    signals = []
    # the rule before the layer's hook: the layer may be a ReLU
    with evaluation(model), _relu_rule(model, _deconv) as obedient:
        module = find_layer(model, layer)
        for chunk in torch.arange(len(inputs)).split(fast_chunk(inputs)):
            with gradients_on(), outputs_of(module) as outputs:
                pictures = inputs[chunk].clone().requires_grad_()
                run(model, pictures)
                activations = only(outputs)
                _check_relus(activations, obedient)
                start = _single_activation(activations.detach(), pictures, channels[chunk], places[chunk])
                signals.append(gradient_at(pictures, activations, start))
                obedient.clear()  # or the graphs of all chunks stay in memory
    return torch.cat(signals)


def guided_backprop(model: nn.Module, inputs: Tensor, target: int | Tensor) -> Tensor:
    """Guided backpropagation of the class score (Springenberg et al. 2015, section 3.4).

    Careful: the maps are sharp, but hardly depend on the class or the upper layers' weights.

    Args:
        model: classifier whose ReLUs are modules (`nn.ReLU` or `nn.ReLU6`).
        inputs: pictures `(N, C, H, W)`, float, preprocessed.
        target: class index, or `(N,)` of them.

    Returns:
        `(N, C, H, W)`, signed.

    Raises:
        ValueError: wrong shape, target out of range, or ReLUs that are not modules, and relatives of ReLU
            (leaky, GELU, …): they would silently give the plain gradient; a compiled or traced model.
        TypeError: `inputs` is not a float tensor or `target` not an integer.
    """
    inputs = check_inputs(model, inputs)
    targets = check_target(target, inputs)
    gradients = []
    chunk_size = fast_chunk(inputs)
    with evaluation(model), _relu_rule(model, _guided) as obedient:
        for pictures, chunk in zip(inputs.split(chunk_size), targets.split(chunk_size), strict=True):
            with gradients_on():
                pictures = pictures.detach().requires_grad_()
                scores = target_scores(model, pictures, chunk.clone())
                _check_relus(scores, obedient)
                gradients.append(gradient_at(pictures, scores))
                obedient.clear()  # or the graphs of all chunks stay in memory
    return torch.cat(gradients)


def deconvnet_explicit(
    model: nn.Sequential,
    inputs: Tensor,
    layer: nn.Module | str,
    channel: int | Tensor,
    position: tuple[int, int] | Tensor | None = None,
) -> Tensor:
    """Project one activation back as the paper draws it: unpool, rectify, filter with the transposed weights.

    The same as `deconvnet` where pooling windows do not overlap. Where they do (3×3 windows at every second
    pixel), one pixel can be the maximum of several windows: unpooling then keeps the last signal written,
    where the backward pass adds them up.

    Args:
        model: `nn.Sequential` (nested ones too) of convolutions, ReLUs and max-poolings up to `layer`.
        inputs, layer, channel, position: as for `deconvnet`; the layer puts out feature maps.

    Returns:
        `(N, C, H, W)`, signed, in units of the activation.

    Raises:
        ValueError, TypeError: as `deconvnet`; also for a module that this cannot run backwards.
    """
    signal = inputs = check_inputs(model, inputs)
    channels, places = check_target(channel, inputs, "channel"), _places(position, inputs)
    undo: list[Callable[[Tensor], Tensor]] = []
    with evaluation(model), torch.no_grad():
        for module in _chain(model, find_layer(model, layer)):
            signal, step_back = _forward_and_undo(module, signal)
            undo.append(step_back)
        signal = _single_activation(signal, inputs, channels, places)
        for step_back in reversed(undo):
            signal = step_back(signal)
    return signal


def _guided(x: Tensor, output: Tensor) -> Tensor:
    """Clip the signal coming back; the ReLU's own gradient then passes it where the input was positive."""
    if output.requires_grad:
        output.register_hook(lambda signal: signal if signal is None else signal.clamp(min=0))
    return output


def _deconv(x: Tensor, output: Tensor) -> Tensor:
    """Put a rule in the place of the ReLU's own gradient."""
    return _DeconvReLU.apply(x, output.detach())


class _DeconvReLU(torch.autograd.Function):
    """ReLU forward; backward the positive part of the signal, whatever the input was."""

    @staticmethod
    def forward(ctx, x: Tensor, output: Tensor) -> Tensor:
        ctx.set_materialize_grads(False)  # no signal is not a signal of zeros
        return output.clone()

    @staticmethod
    def backward(ctx, signal: Tensor | None) -> tuple[Tensor | None, None]:
        return None if signal is None else signal.clamp(min=0), None


@contextmanager
def _relu_rule(model: nn.Module, rule: Callable[[Tensor, Tensor], Tensor]) -> Iterator[set]:
    """Let every ReLU module run backwards by `rule`, in-place ones too; collect their nodes of the graph."""
    check_hooks_run(model)
    relus = [module for module in model.modules() if isinstance(module, _RELUS)]
    if not relus:
        raise ValueError(
            "the model has no nn.ReLU module, so the rule would change nothing and give the plain gradient: "
            "write its ReLUs as modules (self.relu = nn.ReLU()), not as torch.relu or F.relu"
        )
    in_place = [module.inplace for module in relus]
    obedient: set = set()

    def obey(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        output = rule(args[0], output)
        obedient.add(output.grad_fn)
        return output

    with ExitStack() as stack:
        try:
            for module in relus:
                module.inplace = False  # its input is needed
                stack.callback(module.register_forward_hook(obey).remove)
            yield obedient
        finally:
            for module, flag in zip(relus, in_place, strict=True):
                module.inplace = flag


def _check_relus(output: Tensor, obedient: set) -> None:
    """Raise if the graph behind `output` holds a ReLU that obeys no rule: a function, or a relative."""
    for node in graph_nodes(output):
        if node not in obedient and _is_rectifier(node):
            raise ValueError(
                f"the model also applies {node.name().split('Backward')[0]}, a ReLU as a function (F.relu, "
                "torch.relu, clamp) or a relative of it, where the rule cannot reach: write all of them as "
                "modules (nn.ReLU), or use saliency"
            )


def _is_rectifier(node: torch.autograd.graph.Node) -> bool:
    name = node.name().split("Backward")[0]
    if name in ("Clamp", "ClampMin"):
        return node._saved_min is not None and not torch.as_tensor(node._saved_min).any()
    if name == "Maximum":
        return any(not side.any() for side in (node._saved_self, node._saved_other))
    return name in _RECTIFIERS


def _single_activation(activations: Tensor, pictures: Tensor, channels: Tensor, places: Tensor) -> Tensor:
    """Return the layer's output with one activation a picture kept and all others set to zero.

    `places` is `(N, 2)`, row and column of each picture; −1 stands for the strongest place.
    """
    if activations.ndim != 2:
        feature_maps(activations, pictures)
    elif (places >= 0).any():
        raise ValueError("the layer has no places, only channels: leave position out")
    check_range(channels, activations.shape[1], "channel")
    height, width = (*activations.shape, 1, 1)[2:4]
    rows, columns = places.unbind(dim=1)
    outside = places[(rows >= height) | (columns >= width)]
    if len(outside):
        raise ValueError(f"position {outside[0].tolist()} is outside the feature map of {height}×{width}")
    index = torch.arange(len(activations), device=activations.device)
    maps = activations.reshape(*activations.shape[:2], -1)[index, channels]  # (N, h·w)
    cells = torch.where(rows < 0, maps.argmax(dim=1), rows * width + columns)
    kept = torch.zeros_like(activations, memory_format=torch.contiguous_format)
    kept.view(*activations.shape[:2], -1)[index, channels, cells] = maps[index, cells]
    return kept


def _places(position: tuple[int, int] | Tensor | None, inputs: Tensor) -> Tensor:
    """Return row and column for each picture, `(N, 2)`; −1 where none is asked for."""
    n = len(inputs)
    places = torch.tensor([-1, -1]) if position is None else check_whole(position, "position")
    if places.shape not in ((2,), (n, 2)):
        raise ValueError(f"position must be (row, column) or ({n}, 2) of them, not {tuple(places.shape)}")
    if position is not None and (places < 0).any():
        raise ValueError(f"position {places.tolist()} is outside the feature map: count from 0")
    return places.to(inputs.device).expand(n, 2)


def _chain(model: nn.Module, layer: nn.Module) -> list[nn.Module]:
    """Return the modules of a Sequential in order of running, up to and with `layer`."""
    if not isinstance(model, nn.Sequential):
        raise ValueError("deconvnet_explicit takes an nn.Sequential: use deconvnet for any other network")
    chain: list[nn.Module] = []

    def add(module: nn.Module) -> bool:
        if isinstance(module, nn.Sequential):
            return any(add(child) for child in module) or module is layer
        chain.append(module)
        return module is layer

    if not add(model):
        raise ValueError("the layer is inside a module that is not nn.Sequential: use deconvnet")
    return chain


def _forward_and_undo(module: nn.Module, x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Run one module; return its output and the function that brings a signal back through it."""
    if isinstance(module, _RELUS):
        return module(x.clone()), lambda signal: signal.clamp(min=0)
    if isinstance(module, _PASSIVE):
        return x, lambda signal: signal
    if isinstance(module, nn.MaxPool2d) and module.dilation in (1, (1, 1)):
        window, stride, padding = module.kernel_size, module.stride, module.padding
        output, switches = F.max_pool2d(x, window, stride, padding, 1, module.ceil_mode, return_indices=True)
        return output, lambda signal: _unpool(module, signal, switches, x.shape)
    if (
        isinstance(module, nn.Conv2d)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    ):
        return module(x), lambda signal: _transposed(module, signal, x.shape)
    raise ValueError(
        f"cannot run {module} backwards: deconvnet_explicit takes Conv2d, ReLU and MaxPool2d only (fold a "
        "batch norm into its convolution, or use deconvnet)"
    )


def _unpool(pool: nn.MaxPool2d, signal: Tensor, switches: Tensor, shape: torch.Size) -> Tensor:
    """Put each value where its window's maximum was. Where windows share it, one value stays, not the sum."""
    return F.max_unpool2d(
        signal, switches, pool.kernel_size, pool.stride, pool.padding, output_size=shape[2:]
    )


def _transposed(convolution: nn.Conv2d, signal: Tensor, shape: torch.Size) -> Tensor:
    """Filter with the transposed weights. `output_padding` restores rows that the stride did not reach."""
    kernel, stride, padding = convolution.kernel_size, convolution.stride, convolution.padding
    reached = [
        (signal.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + convolution.dilation[i] * (kernel[i] - 1) + 1
        for i in range(2)
    ]
    return F.conv_transpose2d(
        signal,
        convolution.weight,
        stride=stride,
        padding=padding,
        output_padding=[shape[2 + i] - reached[i] for i in range(2)],
        groups=convolution.groups,
        dilation=convolution.dilation,
    )
