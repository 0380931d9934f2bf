"""Localisation measures on cases worked by hand, and at their edges."""

import pytest
import torch

from course_utils.judge import (
    above,
    baselines,
    bounding_box,
    box_iou,
    energy_in_mask,
    largest_component,
    mask_iou,
    pointing_game,
)

MEASURES = [pointing_game, energy_in_mask, mask_iou, lambda maps, masks: mask_iou(maps, masks, 0.2)]


def square(rows, columns, size=8):
    mask = torch.zeros(1, size, size, dtype=torch.bool)
    mask[:, slice(*rows), slice(*columns)] = True
    return mask


def random_case(seed=0):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(5, 9, 7, generator=generator)
    masks = torch.rand(5, 9, 7, generator=generator) < torch.tensor([0.05, 0.2, 0.5, 0.9, 0.99]).view(
        -1, 1, 1
    )
    masks[:, 4, 3] = True
    return maps, masks


def test_pointing_game_asks_for_the_maximum():
    maps, masks = random_case()
    places = maps.flatten(1).argmax(dim=1)
    expected = masks.flatten(1)[torch.arange(5), places].float()
    assert torch.equal(pointing_game(maps, masks), expected)
    assert 0 < expected.sum() < 5


def test_pointing_game_averages_over_ties():
    maps = torch.zeros(1, 8, 8)
    maps[0, 2:4, 0:5] = 3.0  # ten pixels tie
    assert pointing_game(maps, square((2, 3), (4, 8))).item() == pytest.approx(0.1)
    assert pointing_game(maps, square((2, 4), (0, 8))).item() == 1
    assert pointing_game(maps, square((5, 8), (0, 8))).item() == 0
    constant = torch.full((1, 8, 8), -2.0)
    assert pointing_game(constant, square((0, 2), (0, 4))).item() == 8 / 64


@pytest.mark.parametrize(
    ("tolerance", "hit"), [(0, 0), (2.9, 0), (3, 1), (4, 1)], ids=["none", "too small", "just", "large"]
)
def test_pointing_game_tolerance_is_a_straight_distance(tolerance, hit):
    maps, masks = torch.zeros(1, 8, 8), square((0, 2), (0, 2))
    maps[0, 1, 4] = 1.0  # three columns from the mask's border
    assert pointing_game(maps, masks, tolerance).item() == hit
    corner = torch.zeros(1, 8, 8)
    corner[0, 4, 5] = 1.0  # (3, 4) away from the mask's corner: five pixels
    assert pointing_game(corner, masks, 4.9).item() == 0
    assert pointing_game(corner, masks, 5).item() == 1


def test_energy_counts_the_positive_part():
    maps = torch.tensor([[[1.0, -5.0], [2.0, 1.0]]])
    masks = torch.tensor([[[True, True], [False, False]]])
    assert energy_in_mask(maps, masks).item() == pytest.approx(1 / 4)
    assert torch.allclose(energy_in_mask(1e30 * maps, masks), energy_in_mask(1e-30 * maps, masks))


def test_a_map_that_says_nothing_gets_the_masks_share_of_the_energy():
    masks = square((0, 2), (0, 4))
    for value in (0.0, -3.0, 5.0):
        assert energy_in_mask(torch.full((1, 8, 8), value), masks).item() == 8 / 64
    maps = -torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert energy_in_mask(maps, masks).item() == 8 / 64


def test_mask_iou_keeps_as_many_pixels_as_the_mask_has():
    maps, masks = random_case()
    for i in range(5):
        size = int(masks[i].sum())
        kept = torch.zeros(63, dtype=torch.bool)
        kept[maps[i].flatten().topk(size).indices] = True
        kept = kept.view(9, 7)
        expected = (kept & masks[i]).sum() / (kept | masks[i]).sum()
        assert mask_iou(maps[i : i + 1], masks[i : i + 1]).item() == pytest.approx(expected.item())
    assert mask_iou(masks.float(), masks).tolist() == [1.0] * 5


def test_mask_iou_shares_ties_evenly():
    masks = square((0, 4), (0, 8))  # half of the picture
    assert mask_iou(torch.ones(1, 8, 8), masks).item() == pytest.approx(16 / 48)  # half of what is kept hits
    maps = torch.zeros(1, 8, 8)
    maps[0, 0:2] = 2.0  # 16 sure pixels, all right; 16 more from 48 that tie, 16 of which are right
    common = 16 + 16 * 16 / 48
    assert mask_iou(maps, masks).item() == pytest.approx(common / (64 - common))


def test_mask_iou_with_a_threshold():
    maps = torch.tensor([[[1.0, 0.5], [0.21, 0.19]]])
    masks = torch.tensor([[[True, False], [False, False]]])
    assert mask_iou(maps, masks, 0.2).item() == pytest.approx(1 / 3)
    assert mask_iou(maps, masks, 0.5).item() == 1.0
    assert mask_iou(maps, masks, 0.0).item() == 0.25
    assert mask_iou(-maps, masks, 0.2).item() == 0
    assert not above(torch.zeros(1, 2, 2), 0.0).any()
    with pytest.raises(ValueError, match="share of the maximum"):
        mask_iou(maps, masks, 1.5)


def test_the_largest_component_and_its_box():
    regions = torch.zeros(2, 8, 8, dtype=torch.bool)
    regions[0, 0:2, 0:2] = True  # four pixels
    regions[0, 4:6, 3:7] = True  # eight pixels …
    regions[0, 6, 7] = True  # … and one that touches at a corner
    kept = largest_component(regions)
    assert kept[0].sum() == 9 and not kept[0, 0, 0] and kept[0, 6, 7]
    assert not kept[1].any()
    assert bounding_box(kept[:1]).tolist() == [[3, 4, 8, 7]]
    assert bounding_box(regions[:1]).tolist() == [[0, 0, 8, 7]]
    with pytest.raises(ValueError, match="region 1 is empty"):
        bounding_box(regions)
    with pytest.raises(TypeError, match="bool"):
        bounding_box(regions.float())


def test_box_iou_equals_the_iou_of_the_filled_boxes():
    generator = torch.Generator().manual_seed(0)
    corners = torch.randint(0, 10, (50, 2, 4), generator=generator)
    corners[..., 2:] += corners[..., :2] + 1
    filled = torch.zeros(50, 2, 30, 30, dtype=torch.bool)
    for i in range(50):
        for j in range(2):
            left, top, right, bottom = corners[i, j]
            filled[i, j, top:bottom, left:right] = True
    expected = (filled[:, 0] & filled[:, 1]).sum(dim=(1, 2)) / (filled[:, 0] | filled[:, 1]).sum(dim=(1, 2))
    assert torch.equal(bounding_box(filled[:, 0]), corners[:, 0])
    assert torch.allclose(box_iou(corners[:, 0], corners[:, 1]), expected)
    assert (expected == 0).any() and (expected > 0).any()
    with pytest.raises(ValueError, match=r"\(N, 4\)"):
        box_iou(corners[:, 0], corners[:1, 1])


@pytest.mark.parametrize("measure", MEASURES)
def test_values_lie_between_zero_and_one_and_leave_the_maps_alone(measure):
    maps, masks = random_case(3)
    copies = maps.clone(), masks.clone()
    values = measure(maps, masks)
    assert values.shape == (5,) and values.is_floating_point()
    assert ((values >= 0) & (values <= 1)).all()
    assert torch.equal(maps, copies[0]) and torch.equal(masks, copies[1])
    assert torch.allclose(
        values, torch.cat([measure(m[None], k[None]) for m, k in zip(maps, masks, strict=True)])
    )


@pytest.mark.parametrize("measure", MEASURES)
def test_bad_maps_and_masks_are_named(measure):
    maps, masks = random_case()
    sick = maps.clone()
    sick[3, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="map 3 contains NaN"):
        measure(sick, masks)
    empty = masks.clone()
    empty[2] = False
    with pytest.raises(ValueError, match="mask 2 is empty"):
        measure(maps, empty)
    with pytest.raises(ValueError, match="upsample"):
        measure(maps[:, :4], masks)
    with pytest.raises(ValueError, match="colour channels"):
        measure(maps[:, None], masks)
    with pytest.raises(TypeError, match="masks must be a bool"):
        measure(maps, masks.float())
    with pytest.raises(TypeError, match="maps must be a float"):
        measure(masks, masks)


def test_baselines():
    inputs = torch.rand(2, 3, 10, 15, generator=torch.Generator().manual_seed(0))
    for baseline in (baselines.center, baselines.sobel, baselines.random, baselines.constant):
        maps = baseline(inputs)
        assert maps.shape == (2, 10, 15) and maps.dtype == inputs.dtype
        assert ((maps >= 0) & (maps <= 1)).all()
        assert torch.equal(baseline(inputs), maps), "the same each time"
        assert baseline(inputs.double()).dtype == torch.float64
        with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
            baseline(inputs[0])
    blob = baselines.center(inputs)[0]
    assert (blob == blob.max()).nonzero().tolist() == [[4, 7], [5, 7]]
    assert torch.allclose(blob, blob.flip(0)) and torch.allclose(blob, blob.flip(1))
    assert not torch.equal(*baselines.random(inputs))
    other = baselines.random(inputs, generator=torch.Generator().manual_seed(1))
    assert not torch.equal(other, baselines.random(inputs))


def test_sobel_finds_the_edge_and_nothing_on_a_flat_picture():
    inputs = torch.zeros(2, 3, 6, 6)
    inputs[0, :, :, 3:] = 1.0
    inputs[1] = 0.7
    maps = baselines.sobel(inputs)
    assert maps[0].tolist() == [[0.0, 0.0, 1.0, 1.0, 0.0, 0.0]] * 6
    assert maps[1].abs().max() == 0
    ramp = torch.arange(6.0).expand(1, 1, 6, 6).transpose(2, 3)
    assert torch.allclose(baselines.sobel(ramp)[0, 1:-1], torch.ones(4, 6))
