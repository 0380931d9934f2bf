"""Which part does a filter react to? Against scikit-learn's Jaccard score, and at the edges."""

import pytest
import torch
from sklearn.metrics import jaccard_score

from course_utils.judge import part_iou


def test_equals_the_jaccard_score():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(4, 3, 8, 8, generator=generator)
    parts = torch.randint(0, 5, (4, 8, 8), generator=generator)
    found = part_iou(maps, parts, 5, share=0.25)
    for k in range(3):
        threshold = maps[:, k].flatten().topk(64).values[-1]
        kept = (maps[:, k] >= threshold).flatten()
        expected = [jaccard_score((parts == p).flatten(), kept) for p in range(5)]
        assert torch.allclose(found[k], torch.tensor(expected, dtype=torch.float32), atol=1e-6)


def test_a_filter_that_marks_a_part_and_one_that_is_silent():
    parts = torch.zeros(2, 16, 16, dtype=torch.uint8)
    parts[0, 4:8, 4:12] = 2
    maps = torch.stack([(parts == 2).float(), torch.zeros(2, 16, 16), -torch.ones(2, 16, 16)], dim=1)
    found = part_iou(maps, parts, 4, share=32 / 512)
    assert found[0].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert not found[1:].any()


def test_coarse_maps_are_enlarged():
    parts = torch.zeros(1, 32, 32, dtype=torch.uint8)
    parts[:, :16, :16] = 1
    maps = torch.zeros(1, 1, 4, 4)
    maps[:, :, :2, :2] = 1
    assert part_iou(maps, parts, 2, share=0.25)[0, 1] > 0.8


@pytest.mark.parametrize(
    ("maps", "parts", "share", "error", "message"),
    [
        (torch.zeros(2, 1, 4, 4), torch.zeros(3, 8, 8, dtype=torch.uint8), 0.1, ValueError, "must be"),
        (
            torch.zeros(2, 4, 4),
            torch.zeros(2, 8, 8, dtype=torch.uint8),
            0.1,
            ValueError,
            "must have the shape",
        ),
        (torch.zeros(2, 1, 4, 4), torch.full((2, 8, 8), 3), 0.1, ValueError, "parts must be 0 … 2"),
        (torch.zeros(2, 1, 4, 4), torch.zeros(2, 8, 8), 0.1, TypeError, "integers"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.int), torch.zeros(2, 8, 8).int(), 0.1, TypeError, "float"),
        (torch.full((2, 1, 4, 4), torch.nan), torch.zeros(2, 8, 8).int(), 0.1, ValueError, "NaN"),
        (torch.zeros(2, 1, 4, 4), torch.zeros(2, 8, 8).int(), 1.5, ValueError, "share"),
    ],
)
def test_bad_arguments_are_named(maps, parts, share, error, message):
    with pytest.raises(error, match=message):
        part_iou(maps, parts, 3, share)
