"""Checks of arguments, told once: each raises one error that says what was wrong and what to do."""

import operator

import torch
from torch import Tensor, nn


def check_inputs(model: nn.Module, inputs: Tensor) -> Tensor:
    """Return a copy of the pictures `(N, C, H, W)` in the model's device and dtype.

    Raises:
        TypeError: `inputs` is not a floating-point tensor.
        ValueError: wrong number of dimensions, no picture, or NaN or infinite values.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not a {type(model).__name__}")
    check_pictures(inputs)
    with torch.inference_mode(False):
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                return inputs.detach().to(tensor.device, tensor.dtype, copy=True)
        return inputs.detach().clone()


def check_pictures(inputs: Tensor) -> None:
    """Raise unless `inputs` is a floating-point tensor `(N, C, H, W)` with a picture in it, all finite."""
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        kind = inputs.dtype if isinstance(inputs, Tensor) else type(inputs).__name__
        raise TypeError(f"inputs must be a float tensor, not {kind}: preprocess the pictures first")
    if inputs.ndim != 4 or inputs.numel() == 0:
        hint = ": add the batch dimension with inputs[None]" if inputs.ndim == 3 else ""
        raise ValueError(f"inputs must have the shape (N, C, H, W), not {tuple(inputs.shape)}{hint}")
    if not inputs.isfinite().all():
        raise ValueError("inputs contain NaN or infinite values: check the preprocessing")


def check_target(target: int | Tensor, inputs: Tensor, name: str = "target") -> Tensor:
    """Return one class index a picture, `(N,)` long, from an int or a `(N,)` tensor of integers."""
    with torch.inference_mode(False):
        targets = torch.as_tensor(target, device=inputs.device).clone()
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        raise TypeError(f"{name} must be an int or a tensor of integers, not {targets.dtype}")
    if targets.ndim == 0:
        targets = targets.expand(len(inputs))
    if targets.shape != (len(inputs),):
        raise ValueError(
            f"{name} must be one int or one a picture ({len(inputs)}), not the shape {tuple(targets.shape)}"
        )
    return targets.long()


def check_range(targets: Tensor, n_classes: int, name: str = "target") -> None:
    """Raise unless every index is one of 0 … n_classes − 1."""
    wrong = targets[(targets < 0) | (targets >= n_classes)]
    if len(wrong):
        raise ValueError(f"{name} {wrong[0].item()} is out of range: the model has 0 … {n_classes - 1}")


def check_finite(values: Tensor, name: str, hint: str = "") -> Tensor:
    """Return the tensor, or raise if it holds NaN or infinite values."""
    if not values.isfinite().all():
        raise ValueError(f"{name} contain NaN or infinite values{hint}")
    return values


def check_maps(
    maps: Tensor,
    *,
    shape: tuple[int, ...] | None = None,
    dims: tuple[int, ...] = (3,),
    form: str = "(N, H, W)",
    name: str = "maps",
) -> Tensor:
    """Return float maps without their graph.

    Args:
        maps: what is checked.
        shape: the only shape that will do; None: any with a value in it.
        dims: how many dimensions will do.
        form: of these, for the error.
        name: of the argument, for the error.

    Raises:
        TypeError: not a float tensor.
        ValueError: another shape, NaN or infinite values (the first such map is named).
    """
    if not isinstance(maps, Tensor):
        raise TypeError(f"{name} must be a float tensor, not a {type(maps).__name__}: use torch.as_tensor")
    if not maps.is_floating_point():
        raise TypeError(f"{name} must be a float tensor, not {maps.dtype}")
    if shape is not None and tuple(maps.shape) != tuple(shape):
        raise ValueError(
            f"{name} must have the shape {tuple(shape)}, not {tuple(maps.shape)}: upsample them first"
        )
    if maps.ndim not in dims or maps.numel() == 0:
        raise ValueError(f"{name} must have the shape {form}, not {tuple(maps.shape)}")
    if not maps.isfinite().all():
        bad = (~maps.isfinite()).flatten(1).any(dim=1).nonzero()[0].item()
        raise ValueError(f"map {bad} contains NaN or infinite values")
    return maps.detach()


def check_count(value: int, name: str, at_least: int = 1, at_most: int | None = None) -> int:
    """Return a whole number (NumPy's are whole numbers, too), or raise if it is none or out of range."""
    try:
        count = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = None
    if count is None or count < at_least or (at_most is not None and count > at_most):
        span = f"≥ {at_least}" if at_most is None else f"from {at_least} to {at_most}"
        raise ValueError(f"{name} must be a whole number {span}, not {value!r}")
    return count


def check_like(values: Tensor, inputs: Tensor, name: str) -> Tensor:
    """Return `values` spread to the shape, device and dtype of `inputs`."""
    try:
        values = values.detach().to(inputs).expand_as(inputs)
    except RuntimeError as error:
        raise ValueError(f"{name} {tuple(values.shape)} must fit inputs {tuple(inputs.shape)}") from error
    if not values.isfinite().all():
        raise ValueError(f"{name} must not contain NaN or infinite values")
    return values
