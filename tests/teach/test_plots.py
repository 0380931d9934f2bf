"""The course's pictures: what an overlay shows, and that flat maps and empty masks can be drawn too."""

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from course_utils.teach import plots

matplotlib.use("agg")

IMAGE = np.full((16, 16, 3), 120, np.uint8)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_overlay_colours_only_where_the_map_is_positive():
    heat = np.zeros((16, 16))
    heat[:8] = 2.0
    heat[12:] = -5.0
    result = plots.overlay(IMAGE, heat)
    bare = plots.overlay(IMAGE, np.zeros((16, 16)))
    assert result.shape == IMAGE.shape and result.dtype == np.uint8
    assert np.array_equal(result[8:], bare[8:])
    assert (result[:8] != bare[:8]).any(axis=2).all()


def test_overlay_does_not_depend_on_the_strength_unless_asked():
    heat = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(plots.overlay(IMAGE, heat), plots.overlay(IMAGE, 7 * heat))
    weak, strong = (plots.overlay(IMAGE, k * heat, own_scale=False).astype(int) for k in (0.1, 1.0))
    assert not np.array_equal(weak, strong)


def test_signed_overlay_tells_for_from_against():
    heat = np.zeros((16, 16))
    heat[:8], heat[8:] = 1.0, -1.0
    result = plots.overlay(IMAGE, heat, signed=True).astype(int)
    assert (result[:8, :, 0] > result[:8, :, 2]).all()  # red speaks for
    assert (result[8:, :, 0] < result[8:, :, 2]).all()  # blue speaks against


def test_a_map_has_two_dimensions():
    with pytest.raises(ValueError, match="two dimensions"):
        plots.overlay(IMAGE, np.zeros((1, 16, 16)))


@pytest.mark.parametrize("alone", [True, False])
def test_show_maps_draws_flat_maps_and_masks(alone):
    maps = {"flat": torch.zeros(2, 4, 4), "signed": torch.randn(2, 16, 16)}
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[0, 4:8, 4:8] = True  # the second mask is empty
    figure = plots.show_maps(
        [IMAGE, IMAGE], maps, masks=masks, signed=["signed"], alone=alone, labels=["a", "b"]
    )
    figure.canvas.draw()
    assert len(figure.axes) == 6


def test_score_plot_writes_the_means_in_order():
    scores = {"good": torch.tensor([1.0, 0.8]), "edges": torch.tensor([0.1, 0.3])}
    figure = plots.score_plot(scores, xlabel="score", baselines=["edges"])
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["edges", "good"]
    assert {text.get_text() for text in ax.texts} == {"0.90", "0.20"}


def test_matrix_plot_writes_every_number():
    figure = plots.matrix_plot([[0.5, -1.0]], ["row"], ["a", "b"], signed=True)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.50", "-1.00"]
