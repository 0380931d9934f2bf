"""Occlusion: cover a part of the picture and see how far the score falls."""

import torch
from torch import Tensor, nn

from course_utils.methods.arguments import check_inputs, check_like, check_pair, check_target, exact_dtype
from course_utils.methods.hooks import counted, evaluation, fast_chunk, fast_layout, target_scores


def occlusion(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    window: int | tuple[int, int],
    stride: int | tuple[int, int],
    baseline: float | Tensor = 0.0,
    *,
    chunk_size: int | None = None,
    progress: bool = False,
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
        progress: show a progress bar.

    Returns:
        `(N, H, W)`, signed: score of the picture − score of the covered one. Negative where covering helps.

    Raises:
        ValueError: wrong shape, NaN, target out of range, window larger than the picture, stride larger than
            the window.
        TypeError: `inputs` is not a float tensor or `target` not an integer.
    """
    inputs = check_inputs(model, inputs)
    targets = check_target(target, inputs)
    windows, strides = check_pair(window, "window"), check_pair(stride, "stride")
    rows, columns = (
        _intervals(length, size, step)
        for length, size, step in zip(inputs.shape[2:], windows, strides, strict=True)
    )
    rows, columns = rows.to(inputs.device), columns.to(inputs.device)  # (n_rows, H) and (n_columns, W), bool
    cover = check_like(baseline, inputs, "baseline")
    n, n_rows, n_columns = len(inputs), len(rows), len(columns)
    chunk_size = fast_chunk(inputs, chunk_size)

    scores = []
    with evaluation(model), torch.inference_mode():
        layout = fast_layout(model, inputs)
        inputs, cover = inputs.contiguous(memory_format=layout), cover.contiguous(memory_format=layout)
        full = [
            target_scores(model, pictures, chunk)
            for pictures, chunk in zip(inputs.split(chunk_size), targets.split(chunk_size), strict=True)
        ]
        chunks = torch.arange(n * n_rows * n_columns, device=inputs.device).split(chunk_size)
        for index in counted(chunks, len(chunks), "occlusion", progress):
            picture, place = index // (n_rows * n_columns), index % (n_rows * n_columns)
            row, column = rows[place // n_columns], columns[place % n_columns]
            covered = row[:, None, :, None] & column[:, None, None, :]
            pictures = torch.where(covered, cover[picture], inputs[picture])
            scores.append(target_scores(model, pictures, targets[picture]))
    exact = exact_dtype(inputs.dtype)
    falls = torch.cat(full).to(exact)[:, None, None] - torch.cat(scores).to(exact).view(n, n_rows, n_columns)
    rows, columns = rows.to(exact), columns.to(exact)
    total = torch.einsum("nyx,yh,xw->nhw", falls, rows, columns)
    return total / torch.outer(rows.sum(dim=0), columns.sum(dim=0))


def _intervals(length: int, size: int, step: int) -> Tensor:
    """Return which of `length` pixels each window position covers, `(n_positions, length)`."""
    if size > length:
        raise ValueError(
            f"a window of {size} pixels does not fit into a picture of {length}: take a smaller one"
        )
    if step > size and size < length:
        raise ValueError(
            f"a stride of {step} leaves gaps between windows of {size} pixels: use at most {size}"
        )
    starts = torch.arange(-((size - length) // step) + 1)[:, None] * step  # rounded up
    pixels = torch.arange(length)
    return (pixels >= starts) & (pixels < starts + size)
