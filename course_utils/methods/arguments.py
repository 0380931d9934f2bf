"""Checks of arguments, told once: each raises one error that says what was wrong and what to do."""

import operator
from itertools import chain
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

HALF_PRECISION = (torch.float16, torch.bfloat16)
Values = TypeVar("Values", Tensor, np.ndarray)


def check_inputs(model: nn.Module, inputs: Tensor, *, vectors: bool = False) -> Tensor:
    """Return a copy of the pictures `(N, C, H, W)` in the model's device and dtype.

    Args:
        model: where they will go.
        inputs: float.
        vectors: rows `(N, d)` will do, too.

    Raises:
        TypeError: `model` is not a module, `inputs` is not a floating-point tensor.
        ValueError: wrong number of dimensions, no picture, NaN or infinite values, also after rounding to the
            model's dtype; a model whose weights are not there yet.
    """
    check_model(model)
    check_pictures(inputs, vectors=vectors)
    with torch.inference_mode(False):
        device, dtype = place_of(model) or (inputs.device, inputs.dtype)
        copy = inputs.detach().to(device, dtype, copy=True)
    if dtype in HALF_PRECISION:
        check_finite(copy, "inputs", f" as {dtype}: run the model in float32, model.float()")
    return copy


def check_model(model: nn.Module) -> None:
    """Raise unless `model` is a module whose weights are there."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model must be a torch.nn.Module, not a {type(model).__name__}: wrap a function in a module"
        )
    # four times faster than isinstance(…, UninitializedParameter) for each of model.parameters()
    if any(is_lazy(weight) for module in model.modules() for weight in module._parameters.values()):
        raise ValueError("the model has lazy layers without weights: send one batch through it first")


def place_of(model: nn.Module) -> tuple[torch.device, torch.dtype] | None:
    """Return device and dtype of the model's first floating-point weight, or None if it has none."""
    for tensor in chain(model.parameters(), model.buffers()):  # nearly always the first: no lists of all
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return None


def exact_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype to add many numbers up in: float32 for half precision, which runs out of digits."""
    return torch.float32 if dtype in HALF_PRECISION else dtype


def check_pictures(inputs: Tensor, *, vectors: bool = False) -> None:
    """Raise unless `inputs` is a floating-point tensor `(N, C, H, W)` with a picture in it, all finite."""
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        kind = inputs.dtype if isinstance(inputs, Tensor) else type(inputs).__name__
        raise TypeError(f"inputs must be a float tensor, not {kind}: preprocess the pictures first")
    if inputs.layout != torch.strided:
        raise TypeError("inputs must be a dense tensor: use inputs.to_dense()")
    if inputs.ndim not in ((2, 4) if vectors else (4,)) or inputs.numel() == 0:
        form = "(N, C, H, W) or (N, d)" if vectors else "(N, C, H, W)"
        hint = ": at least one picture is needed"
        if inputs.numel():
            hint = ": add the batch dimension of a single picture with inputs[None]"
        raise ValueError(f"inputs must have the shape {form}, not {tuple(inputs.shape)}{hint}")
    check_finite(inputs, "inputs", ": check the preprocessing")


def check_target(target: int | Tensor, inputs: Tensor, name: str = "target") -> Tensor:
    """Return one class index a picture, `(N,)` long, from an int or a `(N,)` tensor of integers."""
    targets = check_whole(target, name).to(inputs.device)
    if targets.ndim == 0:
        targets = targets.expand(len(inputs))
    if targets.shape != (len(inputs),):
        hint = ": of one-hot rows take .argmax(dim=1)" if targets.ndim == 2 else ""
        raise ValueError(
            f"{name} must be one int or one a picture ({len(inputs)}), not the shape "
            f"{tuple(targets.shape)}{hint}"
        )
    return targets


def check_whole(values: object, name: str) -> Tensor:
    """Return whole numbers as a new long tensor, or raise if they are none (True and False are none)."""
    parts = values if isinstance(values, (list, tuple)) else [values]
    kind = type(values).__name__
    try:
        with torch.inference_mode(False):
            whole = torch.as_tensor(values).detach().clone()
        kind = "bool" if any(isinstance(part, bool) for part in parts) else str(whole.dtype)
        if kind != "bool" and not (
            whole.is_floating_point() or whole.is_complex() or whole.dtype == torch.bool
        ):
            return whole.long()
    except (TypeError, ValueError, RuntimeError):  # nothing that a tensor can be made of
        pass
    raise TypeError(f"{name} must be an int or a tensor of integers, not {kind}")


def check_range(indices: Tensor, count: int, name: str = "target") -> None:
    """Raise unless every index is one of 0 … count − 1."""
    wrong = indices[(indices < 0) | (indices >= count)]
    if len(wrong) and count == 1 and name == "target":
        raise ValueError(
            f"target {wrong[0].item()} is out of range: the model has one score, so target is 0, what a high "
            "score speaks for (its negative speaks for the other class)"
        )
    if len(wrong):
        raise ValueError(f"{name} {wrong[0].item()} is out of range: the model has 0 … {count - 1}")


def check_finite(values: Values, name: str, hint: str = "") -> Values:
    """Return the tensor or array, or raise if it holds NaN or infinite values."""
    if isinstance(values, np.ndarray):
        finite = np.isfinite(values).all()
    else:  # a NaN is the extreme of any tensor that holds one; ten times faster than a look at each value
        finite = not values.numel() or all(extreme.isfinite() for extreme in values.detach().aminmax())
    if not finite:
        verb = "contain" if name.endswith("s") else "contains"
        raise ValueError(f"{name} {verb} NaN or infinite values{hint}")
    return values


def check_rows(values: object, name: str, form: str = "(n, d)", width: int | None = None) -> Tensor:
    """Return a table of finite floats, one item in each row, or raise; `width`: the columns it must have."""
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
        raise TypeError(f"{name} must be a float tensor {form}, not {kind}: use torch.as_tensor(…).float()")
    if values.ndim != 2 or values.numel() == 0:
        raise ValueError(
            f"{name} must have the shape {form}, not {tuple(values.shape)}: put one item in each row"
        )
    if width is not None and values.shape[1] != width:
        raise ValueError(f"{name} must have rows of {width} numbers, not of {values.shape[1]}")
    return check_finite(values, name, ": leave out or mend the rows with NaN")


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
        raise TypeError(f"{name} must be a float tensor, not {maps.dtype}: use {name}.float()")
    if shape is not None and tuple(maps.shape) != tuple(shape):
        raise ValueError(
            f"{name} must have the shape {tuple(shape)}, not {tuple(maps.shape)}: upsample them first"
        )
    if maps.ndim not in dims or maps.numel() == 0:
        raise ValueError(f"{name} must have the shape {form}, not {tuple(maps.shape)}")
    try:
        return check_finite(maps, name).detach()
    except ValueError as error:
        bad = (~maps.isfinite()).flatten(1).any(dim=1).nonzero()[0].item() if maps.ndim > 1 else 0
        raise ValueError(f"map {bad} contains NaN or infinite values") from error


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


def check_pair(value: int | tuple[int, int], name: str) -> tuple[int, int]:
    """Return (height, width) from a side, or from two whole numbers ≥ 1."""
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name} must be a whole number ≥ 1, or two of them (height, width), not {value!r}")
    return check_count(pair[0], name), check_count(pair[1], name)


def check_number(value: float, name: str, at_least: float = 0.0, below: float = float("inf")) -> float:
    """Return a number, or raise if it is none, NaN, or out of range."""
    try:
        number = float("nan") if isinstance(value, (bool, str)) else float(value)
    except (TypeError, ValueError, RuntimeError):
        number = float("nan")
    if not at_least <= number < below:
        span = f"≥ {at_least:g}" if below == float("inf") else f"≥ {at_least:g} and below {below:g}"
        raise ValueError(f"{name} must be a number {span}, not {value!r}")
    return number


def check_positive(value: float, name: str, why: str, below: float = float("inf")) -> float:
    """Return a number above 0, or raise; `why` says what 0 would mean."""
    number = check_number(value, name, below=below)
    if number == 0:
        raise ValueError(f"{name} must be above 0: {why}")
    return number


def check_flag(value: bool, name: str) -> bool:
    """Return True or False, or raise: a word or a class in its place would count as True."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def check_generator(generator: torch.Generator | None, name: str = "generator") -> torch.Generator:
    """Return the source of random numbers; None is a fresh one with seed 0."""
    if generator is None:
        return torch.Generator().manual_seed(0)
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            f"{name} must be a torch.Generator, not a {type(generator).__name__}: "
            "use torch.Generator().manual_seed(…)"
        )
    return generator


def check_like(values: float | Tensor, inputs: Tensor, name: str) -> Tensor:
    """Return a number or a tensor spread to the shape, device and dtype of `inputs`."""
    if isinstance(values, float):  # not by way of float32, where the inputs are in double precision
        values = torch.tensor(values, dtype=torch.float64)
    try:
        values = torch.as_tensor(values).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} must be a number or a float tensor, not {type(values).__name__}") from error
    if values.is_complex() or values.dtype == torch.bool or (values.ndim and not values.is_floating_point()):
        kind = f"{values.dtype}: preprocess it first"
        raise TypeError(f"{name} must be a number or a float tensor, not {kind}")
    try:
        spread = values.to(inputs).expand_as(inputs)
    except RuntimeError as error:
        raise ValueError(
            f"{name} {tuple(values.shape)} must fit inputs {tuple(inputs.shape)}: give a number, "
            "or a tensor that broadcasts to them"
        ) from error
    return check_finite(spread, name, ": give a finite number or picture")


def to_floats(values: object, name: str) -> np.ndarray:
    """Return an array, nested lists or a table of pandas as an array of floats, or raise.

    Refused is what NumPy turns into other numbers without a word: a masked array loses its mask, complex
    numbers their imaginary part, and a date becomes a count of seconds.
    """
    remedy = "convert them first"
    try:
        if np.ma.is_masked(values):
            raise ValueError(f"{name} has masked values: fill them or leave them out")
        array = np.asarray(values)
        if array.dtype.kind in "biufO":
            return array.astype(float)
        remedy = {"c": "take .real or np.abs(…)", "M": "count days or years"}.get(array.dtype.kind, remedy)
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(values, Tensor):
            remedy = "of a tensor take .detach().cpu().numpy()"
        elif "masked" in str(error):
            raise
    raise ValueError(f"{name} must hold numbers: {remedy}")


def finite_floats(values: object, name: str, hint: str = "") -> np.ndarray:
    """Return `to_floats(values, name)`, or raise also if it holds NaN or infinite values."""
    return check_finite(to_floats(values, name), name, hint)
