"""What does a filter react to? Its strongest places, compared with the parts of the drawn objects."""

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.methods.arguments import check_maps


def part_iou(maps: Tensor, parts: Tensor, n_parts: int, share: float = 0.01) -> Tensor:
    """Overlap of each filter's strongest places with each part (Bau et al. 2017, equation 1).

    A filter's map is enlarged bilinearly to the pictures' size. One threshold a filter, taken over all
    pictures together, keeps the given share of the pixels. They are compared with the pixels of a part, again
    over all pictures together: intersection divided by union. Positions that do not exceed zero are never
    kept, so a filter that is silent has an overlap of 0 with everything.

    Args:
        maps: `(N, K, h, w)` float, what K filters put out for N pictures.
        parts: `(N, H, W)`, integers 0 … n_parts − 1: the part that each pixel shows.
        n_parts: how many parts there are.
        share: of the pixels that a filter keeps; the paper takes 0.005.

    Returns:
        `(K, n_parts)` in 0 … 1.

    Raises:
        ValueError: shapes that do not fit, NaN, a part out of range, or a share outside 0 … 1.
        TypeError: maps are not float or parts are not integers.
    """
    maps = check_maps(maps, dims=(4,), form="(N, K, h, w)")
    if not isinstance(parts, Tensor) or parts.is_floating_point() or parts.dtype == torch.bool:
        raise TypeError("parts must be a tensor of integers (N, H, W)")
    if parts.ndim != 3 or len(maps) != len(parts):
        raise ValueError(
            f"maps must be (N, K, h, w) and parts (N, H, W), not {tuple(maps.shape)} and {tuple(parts.shape)}"
        )
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, not {share}")
    labels = parts.to(maps.device).long().flatten()
    if labels.min() < 0 or labels.max() >= n_parts:
        raise ValueError(f"parts must be 0 … {n_parts - 1}: {labels.min()} … {labels.max()} were found")
    sizes = labels.bincount(minlength=n_parts)
    n_kept = max(1, round(share * len(labels)))
    overlaps = []
    for k in range(maps.shape[1]):
        heat = F.interpolate(
            maps[:, k : k + 1].detach(), parts.shape[1:], mode="bilinear", align_corners=False
        )
        heat = heat.flatten()
        threshold = heat.topk(n_kept).values[-1]
        kept = (heat >= threshold) & (heat > 0)
        common = labels[kept].bincount(minlength=n_parts)
        overlaps.append(common / (kept.sum() + sizes - common).clamp(min=1))
    return torch.stack(overlaps).to(maps.dtype)
