"""The head of lessons 03 and 03b: it learns, it is repeatable, and it refuses what is no pooled feature."""

import pytest
import torch

from course_utils.lessons.l03_cam import train_head

FEATURES = torch.rand(60, 5, generator=torch.Generator().manual_seed(0))
TARGETS = FEATURES.argmax(dim=1)


def test_the_head_learns_and_is_repeatable():
    state = torch.get_rng_state()
    one, other = (train_head(FEATURES, TARGETS, n_classes=5, steps=200) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state), "the caller's random numbers are left alone"
    torch.testing.assert_close(one.weight, other.weight, rtol=0, atol=0)
    assert (one(FEATURES).argmax(dim=1) == TARGETS).float().mean() > 0.9


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"features": None}, ValueError, r"pooled feature maps \(N, K\)"),
        ({"features": FEATURES[None]}, ValueError, r"pooled feature maps \(N, K\)"),
        ({"features": FEATURES[:1], "targets": TARGETS[:1]}, ValueError, "at least two pictures"),
        ({"features": FEATURES * float("nan")}, ValueError, "features contain NaN"),
        ({"targets": TARGETS[:3]}, ValueError, "targets? must be one int or one a picture"),
        ({"targets": TARGETS + 10}, ValueError, "is out of range"),
        ({"targets": TARGETS.float()}, TypeError, "targets? must be"),
        ({"steps": -1}, ValueError, "steps must be a whole number"),
    ],
)
def test_the_head_refuses_what_is_no_pooled_feature(change, error, message):
    with pytest.raises(error, match=message):
        train_head(**({"features": FEATURES, "targets": TARGETS, "steps": 1} | change))
