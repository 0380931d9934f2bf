"""The grids of lesson 05: made of single objects, of four classes, as many as asked for."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_utils.lessons.l05_cam_in_practice import make_grids


class Scenes(SimpleNamespace):
    """Eight pictures of one grey each, of `n_classes` classes, all of them sure."""

    def __init__(self, n_classes: int):
        images = np.arange(8, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 6, 3), np.uint8)
        super().__init__(images=images, targets=torch.arange(8) % n_classes)

    def __len__(self) -> int:
        return len(self.images)

    def predict(self, images):
        return np.eye(8)[self.targets.numpy()]


def test_a_grid_has_its_pictures_in_its_corners():
    lab = Scenes(4)
    grids, targets, corners = make_grids(lab, 3)
    assert grids.shape == (3, 8, 12, 3)
    assert (corners.sum(dim=0) == 1).all()
    for grid, classes in zip(grids, targets, strict=True):
        assert len(set(classes.tolist())) == 4
        assert [int(grid[mask.numpy()][0, 0]) % 4 for mask in corners] == classes.tolist()


@pytest.mark.parametrize(
    ("n_classes", "n_grids", "message"),
    [
        (3, 1, "needs scenes of four classes"),
        (4, 0, "n_grids must be"),
        (4, 1.5, "n_grids must be"),
        (4, True, "n_grids"),
    ],
)
def test_refused(n_classes, n_grids, message):
    with pytest.raises(ValueError, match=message):
        make_grids(Scenes(n_classes), n_grids)


def test_scenes_with_two_objects_are_refused():
    lab = Scenes(4)
    lab.targets = lab.targets[:, None].repeat(1, 2)
    with pytest.raises(ValueError, match="one object each"):
        make_grids(lab, 1)
