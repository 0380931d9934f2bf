"""Does a map point at the object? All functions compare maps `(N, H, W)` with masks `(N, H, W)`.

Each returns one value a picture, `(N,)`, so that a mean can come with an interval. Read the values beside
those of `baselines.center`: objects tend to be in the middle.
"""

import torch
from scipy import ndimage
from torch import Tensor

from course_utils.methods import arguments


def pointing_game(maps: Tensor, masks: Tensor, tolerance: float = 0) -> Tensor:
    """Is the map's maximum on the object? (Zhang et al. 2018, section 4.2)

    If several pixels tie for the maximum, the value is the share of them that hit. So a map of large equal
    patches gets an honest value, and a constant map gets the mask's share of the picture.

    Args:
        maps: `(N, H, W)` float.
        masks: `(N, H, W)` bool, none empty.
        tolerance: a maximum this many pixels (straight line) from the mask still hits; the paper took 15 on
            photographs of a few hundred pixels.

    Returns:
        `(N,)` in 0 … 1.

    Raises:
        ValueError: shapes differ, an empty mask, NaN or infinite values.
        TypeError: maps are not float or masks not bool.
    """
    maps, masks = check_maps(maps, masks)
    if arguments.check_number(tolerance, "tolerance") > 0:
        masks = torch.stack([_grow(mask, tolerance) for mask in masks])
    tops = maps == maps.amax(dim=(1, 2), keepdim=True)
    return (tops & masks).sum(dim=(1, 2)) / tops.sum(dim=(1, 2))


def energy_in_mask(maps: Tensor, masks: Tensor) -> Tensor:
    """Share of the map's positive mass that lies on the object (Wang et al. 2020, section 4.3).

    A map without positive values says nothing: it gets the mask's share of the picture, like a constant map.

    Args, Raises: as `pointing_game`. Returns `(N,)` in 0 … 1.
    """
    maps, masks = check_maps(maps, masks)
    mass = maps.double().clamp(min=0)
    mass = torch.where(mass.amax(dim=(1, 2), keepdim=True) > 0, mass, 1)
    mass = mass / mass.amax(dim=(1, 2), keepdim=True)  # keeps the sums in range
    return ((mass * masks).sum(dim=(1, 2)) / mass.sum(dim=(1, 2))).to(maps.dtype)


def mask_iou(maps: Tensor, masks: Tensor, threshold: float | None = None) -> Tensor:
    """Overlap (intersection over union) of the thresholded map and the object.

    Args:
        maps, masks: as for `pointing_game`.
        threshold: None keeps as many pixels as the mask has, the strongest; pixels that tie for the last
            places share them evenly. A number in 0 … 1 keeps the pixels above that share of the maximum; then
            a map without positive values keeps none and gets 0.

    Returns:
        `(N,)` in 0 … 1. Raises as `pointing_game`.
    """
    maps, masks = check_maps(maps, masks)
    if threshold is not None:
        kept = above(maps, threshold)
        return (kept & masks).sum(dim=(1, 2)) / (kept | masks).sum(dim=(1, 2))
    maps, masks = maps.flatten(1), masks.flatten(1)
    size = masks.sum(dim=1)
    last = maps.sort(dim=1, descending=True).values.gather(1, size[:, None] - 1)
    sure, tied = maps > last, maps == last
    share = (size - sure.sum(dim=1)) / tied.sum(dim=1)  # of the tied pixels, this share is kept
    common = (sure & masks).sum(dim=1) + share * (tied & masks).sum(dim=1)
    return (common / (2 * size - common)).to(maps.dtype)


def above(maps: Tensor, threshold: float) -> Tensor:
    """Return the pixels above a share of each map's maximum, `(N, H, W)` bool; none if no value is positive.

    The CAM paper takes 0.2 (Zhou et al. 2016), the Grad-CAM paper 0.15 (Selvaraju et al. 2017).
    """
    maps = arguments.check_maps(maps)
    if isinstance(threshold, (bool, str)) or threshold is None or not 0 <= threshold <= 1:
        raise ValueError(f"threshold is a share of the maximum, 0 … 1, not {threshold!r}")
    return (maps > threshold * maps.amax(dim=(1, 2), keepdim=True)) & (maps > 0)


def largest_component(regions: Tensor) -> Tensor:
    """Keep the largest connected part of each region, `(N, H, W)` bool to bool.

    Pixels that touch at a corner are connected. Of equally large parts the first from the top left is kept.
    """
    return torch.stack([_largest(region) for region in _regions(regions)]).to(regions.device)


def bounding_box(regions: Tensor) -> Tensor:
    """Return the smallest box around each region `(N, H, W)` bool: `(N, 4)` long, (left, top, right, bottom).

    Right and bottom are the first column and row outside, so that right − left is the width in pixels.

    Raises:
        ValueError: a region is empty.
    """
    boxes = []
    for i, region in enumerate(_regions(regions)):
        rows, columns = region.any(dim=1).nonzero()[:, 0], region.any(dim=0).nonzero()[:, 0]
        if len(rows) == 0:
            raise ValueError(f"region {i} is empty: it has no bounding box")
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return torch.tensor(boxes, device=regions.device)


def box_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Overlap (intersection over union) of each box `(N, 4)` with the other of the same picture, `(N,)`.

    Raises:
        ValueError: not `(N, 4)`, or a box that is empty or reversed.
        TypeError: no tensors.
    """
    for name, four in (("boxes", boxes), ("others", others)):
        if not isinstance(four, Tensor):
            raise TypeError(f"{name} must be a tensor (N, 4), not a {type(four).__name__}")
    if boxes.shape != others.shape or boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes must both be (N, 4), not {tuple(boxes.shape)} and {tuple(others.shape)}")
    for name, four in (("boxes", boxes), ("others", others)):
        if not (four[:, 2:] > four[:, :2]).all():
            raise ValueError(f"{name}: a box is empty or reversed; (left, top, right, bottom) must ascend")
    corner = torch.maximum(boxes[:, :2], others[:, :2])
    opposite = torch.minimum(boxes[:, 2:], others[:, 2:])
    common = (opposite - corner).clamp(min=0).prod(dim=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) + (others[:, 2:] - others[:, :2]).prod(dim=1)
    return common / (areas - common)


def check_maps(maps: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return maps and masks on one device, or say what is wrong with them."""
    if isinstance(maps, Tensor) and maps.ndim != 3:
        raise ValueError(
            f"maps must be (N, H, W), not {tuple(maps.shape)}: upsample them, or sum over the colour channels"
        )
    maps = arguments.check_maps(maps)
    if not isinstance(masks, Tensor) or masks.dtype != torch.bool:
        raise TypeError(f"masks must be a bool tensor, not {getattr(masks, 'dtype', type(masks).__name__)}")
    if maps.shape != masks.shape:
        raise ValueError(
            f"maps {tuple(maps.shape)} and masks {tuple(masks.shape)} must both be (N, H, W): upsample the "
            "maps, or sum a map over its colour channels"
        )
    empty = (~masks.flatten(1).any(dim=1)).nonzero()
    if len(empty):
        raise ValueError(f"mask {empty[0].item()} is empty: leave that picture out")
    return maps, masks.to(maps.device)


def _regions(regions: Tensor) -> Tensor:
    if not isinstance(regions, Tensor) or regions.dtype != torch.bool or regions.ndim != 3:
        found = getattr(regions, "dtype", type(regions).__name__), tuple(getattr(regions, "shape", ()))
        raise TypeError(f"regions must be a bool tensor (N, H, W), not {found[0]} {found[1]}")
    return regions


def _grow(mask: Tensor, distance: float) -> Tensor:
    away = ndimage.distance_transform_edt(~mask.cpu().numpy())
    return torch.from_numpy(away <= distance).to(mask.device)


def _largest(region: Tensor) -> Tensor:
    parts, n_parts = ndimage.label(region.cpu().numpy(), structure=torch.ones(3, 3).numpy())
    sizes = torch.from_numpy(parts).flatten().bincount(minlength=n_parts + 1)[1:]
    return torch.from_numpy(parts == 1 + int(sizes.argmax())) if n_parts else torch.zeros_like(region).cpu()
