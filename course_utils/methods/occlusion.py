"""Occlusion: cover a part of the picture and see how far the score falls."""

import torch
from torch import Tensor, nn

from course_utils.methods.arguments import check_count, check_finite, check_inputs, check_target
from course_utils.methods.hooks import evaluation, fast_chunk, fast_layout, target_scores


def occlusion(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    window: int | tuple[int, int],
    stride: int | tuple[int, int],
    baseline: float | Tensor = 0.0,
    *,
    chunk_size: int | None = None,
) -> Tensor:
    """Mean fall of the class score over all windows that cover a pixel (Zeiler and Fergus 2014, section 4.2).

    Windows start at 0, stride, 2·stride, … until one reaches the border; the last may stick out. Where
    windows overlap, the falls are averaged, as in captum's `Occlusion`.

    Args:
        model: classifier with the scores `(N, n_classes)`.
        inputs: pictures `(N, C, H, W)`, float, preprocessed.
        target: class index, or `(N,)` of them.
        window: side, or height and width, of the window in pixels.
        stride: steps of the window, at most the window's side.
        baseline: what the window shows: a number, or a tensor that can be broadcast to `inputs`.
        chunk_size: covered pictures in one forward pass; None chooses.

    Returns:
        `(N, H, W)`, signed: score of the picture − score of the covered one. Negative where covering helps.

    Raises:
        ValueError: wrong shape, NaN, target out of range, window larger than the picture, stride larger than
            the window.
        TypeError: `inputs` is not a float tensor or `target` not an integer.
    """
    inputs = check_inputs(model, inputs)
    targets = check_target(target, inputs)
    windows, strides = _pair(window, "window"), _pair(stride, "stride")
    rows, columns = (
        _intervals(length, size, step)
        for length, size, step in zip(inputs.shape[2:], windows, strides, strict=True)
    )
    rows, columns = rows.to(inputs.device), columns.to(inputs.device)  # (n_rows, H) and (n_columns, W), bool
    cover = _cover(baseline, inputs)
    n, n_rows, n_columns = len(inputs), len(rows), len(columns)
    chunk_size = chunk_size or fast_chunk(inputs)

    scores = []
    with evaluation(model), torch.inference_mode():
        inputs = inputs.contiguous(memory_format=fast_layout(model, inputs))
        full = target_scores(model, inputs, targets)
        for index in torch.arange(n * n_rows * n_columns, device=inputs.device).split(chunk_size):
            picture, place = index // (n_rows * n_columns), index % (n_rows * n_columns)
            row, column = rows[place // n_columns], columns[place % n_columns]
            covered = row[:, None, :, None] & column[:, None, None, :]
            shown = cover[picture] if len(cover) > 1 else cover
            pictures = torch.where(covered, shown, inputs[picture])
            scores.append(target_scores(model, pictures, targets[picture]))
    falls = full.clone()[:, None, None] - torch.cat(scores).view(n, n_rows, n_columns)
    rows, columns = rows.to(falls.dtype), columns.to(falls.dtype)
    total = torch.einsum("nyx,yh,xw->nhw", falls, rows, columns)
    return total / torch.outer(rows.sum(dim=0), columns.sum(dim=0))


def _intervals(length: int, size: int, step: int) -> Tensor:
    """Return which of `length` pixels each window position covers, `(n_positions, length)`."""
    if size > length:
        raise ValueError(f"a window of {size} pixels does not fit into a picture of {length}")
    if step > size and size < length:
        raise ValueError(
            f"a stride of {step} leaves gaps between windows of {size} pixels: use at most {size}"
        )
    starts = torch.arange(-((size - length) // step) + 1)[:, None] * step  # rounded up
    pixels = torch.arange(length)
    return (pixels >= starts) & (pixels < starts + size)


def _pair(value: int | tuple[int, int], name: str) -> tuple[int, int]:
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name} must be a whole number ≥ 1, or two of them (height, width), not {value!r}")
    return tuple(check_count(v, name) for v in pair)


def _cover(baseline: float | Tensor, inputs: Tensor) -> Tensor:
    """Return what windows show, with four dimensions, each as long as that of `inputs` or 1."""
    baseline = torch.as_tensor(baseline, dtype=inputs.dtype, device=inputs.device).detach()
    check_finite(baseline, "baseline", ": give a number, or a picture")
    try:
        baseline.expand_as(inputs)
    except RuntimeError as error:
        raise ValueError(
            f"baseline {tuple(baseline.shape)} does not fit inputs {tuple(inputs.shape)}"
        ) from error
    return baseline.reshape([1] * (4 - baseline.ndim) + list(baseline.shape))
