"""Lesson 12's helpers refuse what they cannot draw or count."""

import pytest
import torch

from course_utils.lessons import l12_judging_explanations as lesson


def test_half_of_an_object():
    mask = torch.zeros(2, 8, 8, dtype=torch.bool)
    mask[:, 2:6, 1:5] = True
    for scattered in (False, True):
        half = lesson.half_of(mask, scattered=scattered)
        assert half.sum(dim=(1, 2)).tolist() == [8, 8] and not (half & ~mask).any()


@pytest.mark.parametrize("masks", [torch.ones(2, 8, 8), torch.ones(8, 8, dtype=torch.bool)])
def test_masks_are_bool_and_three_dimensional(masks):
    with pytest.raises(TypeError, match="masks must be bool"):
        lesson.half_of(masks, scattered=True)


def test_an_empty_mask_has_no_half():
    with pytest.raises(ValueError, match="a mask is empty"):
        lesson.half_of(torch.zeros(1, 8, 8, dtype=torch.bool), scattered=True)


def test_one_label_a_picture():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
    with pytest.raises(ValueError, match="2 pictures"):
        lesson.hits(network, torch.rand(2, 3, 2, 2), torch.tensor([1]))


def test_no_map_of_nan_for_the_eye():
    with pytest.raises(ValueError, match="NaN"):
        lesson.for_the_eye(torch.full((1, 8, 8), float("nan")))
