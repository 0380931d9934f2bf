"""The head of lessons 03 and 03b: it learns, it is repeatable, and it refuses what is no pooled feature."""

import pytest
import torch

from course_utils.lessons.l03_cam import pooled_features, train_head

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
        ({"features": (FEATURES * 9).long()}, TypeError, "must be a float tensor"),
        ({"targets": TARGETS[:3]}, ValueError, "targets? must be one int or one a picture"),
        ({"targets": TARGETS + 10}, ValueError, "is out of range"),
        ({"targets": TARGETS.float()}, TypeError, "targets? must be"),
        ({"steps": -1}, ValueError, "steps must be a whole number"),
    ],
)
def test_the_head_refuses_what_is_no_pooled_feature(change, error, message):
    with pytest.raises(error, match=message):
        train_head(**({"features": FEATURES, "targets": TARGETS, "steps": 1} | change))


def test_a_feature_that_never_changes_gets_no_weight():
    constant = torch.full((60, 1), 5.0)
    head = train_head(
        torch.cat([FEATURES, constant], dim=1).requires_grad_(), TARGETS, n_classes=5, steps=200
    )
    assert head.weight[:, -1].eq(0).all() and head.weight[:, :-1].abs().min() > 0


def test_pooling_leaves_the_trunk_as_it_was():
    trunk = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.5)).train()
    before, pictures = trunk[0].running_mean.clone(), torch.rand(5, 3, 4, 6)
    pooled = pooled_features(trunk, pictures, batch_size=2)
    torch.testing.assert_close(pooled, pictures.mean(dim=(2, 3)), rtol=0, atol=1e-4)
    assert trunk.training and trunk[0].training and torch.equal(trunk[0].running_mean, before)


@pytest.mark.parametrize(
    ("trunk", "change", "error", "message"),
    [
        (
            torch.nn.Identity(),
            {"inputs": torch.rand(3, 4, 6)},
            ValueError,
            r"must have the shape \(N, C, H, W\)",
        ),
        (torch.nn.Identity(), {"inputs": torch.rand(0, 3, 4, 6)}, ValueError, "at least one picture"),
        (torch.nn.Identity(), {"inputs": torch.full((1, 3, 4, 6), float("nan"))}, ValueError, "NaN"),
        (
            torch.nn.Identity(),
            {"inputs": torch.ones(1, 3, 4, 6, dtype=torch.long)},
            TypeError,
            "float tensor",
        ),
        (torch.nn.Identity(), {"batch_size": 0}, ValueError, "batch_size must be a whole number"),
        (torch.nn.Flatten(), {}, ValueError, "must end with feature maps"),
    ],
)
def test_pooling_refuses_what_has_no_feature_maps(trunk, change, error, message):
    with pytest.raises(error, match=message):
        pooled_features(trunk, **({"inputs": torch.rand(2, 3, 4, 6)} | change))
