"""The course's pictures: what an overlay shows, and that flat maps and empty masks can be drawn too."""

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from PIL import Image, ImageSequence

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


@pytest.mark.parametrize("name", ["Blues", "RdBu_r", "Oranges", "Greens", "viridis", "inferno"])
def test_a_number_can_be_read_on_every_colour(name):
    def light(colour):
        channels = np.asarray(to_rgb(colour))
        linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722) + 0.05

    for share in np.linspace(0, 1, 101):
        ground = plt.get_cmap(name)(share)
        ratio = light(ground) / light(plots.ink_on(ground))
        assert max(ratio, 1 / ratio) >= 4.5, share


def frames_of(path):
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        return [(np.asarray(f.convert("RGB")), f.info["duration"]) for f in ImageSequence.Iterator(gif)]


def test_a_gif_shows_its_pictures_one_after_the_other(tmp_path):
    pictures = [np.full((12, 20, 3), level, np.uint8) for level in (0, 100, 250)]
    pictures[1][:, :10] = (200, 30, 60)
    path = plots.save_gif(tmp_path / "film.gif", pictures, seconds=0.5)
    shown = frames_of(path)
    assert len(shown) == 3 and all(duration == 500 for _, duration in shown)
    for (found, _), expected in zip(shown, pictures, strict=True):
        assert np.abs(found.astype(int) - expected).max() <= 2
    assert np.array_equal(pictures[0], np.zeros((12, 20, 3), np.uint8))
    grey = plots.save_gif(str(tmp_path / "grey.GIF"), (p[..., 0] for p in pictures))
    assert np.abs(frames_of(grey)[2][0].astype(int) - 250).max() <= 2


def test_a_gif_of_figures(tmp_path):
    figures = []
    for width in (1, 2, 3):
        figure, ax = plt.subplots(figsize=(2, 1), dpi=50)
        ax.plot([0, width], [0, 1])
        figures.append(figure)
    shown = frames_of(plots.save_gif(tmp_path / "film.gif", figures))
    assert len(shown) == 3 and shown[0][0].shape == (50, 100, 3)
    assert not np.array_equal(shown[0][0], shown[1][0])
    assert len(plt.get_fignums()) == 3, "the figures are the caller's"


@pytest.mark.parametrize(
    ("name", "frames", "options", "error", "message"),
    [
        ("film.png", [IMAGE], {}, ValueError, "path must end in .gif"),
        ("nowhere/film.gif", [IMAGE], {}, ValueError, "a folder that exists"),
        ("film.gif", [], {}, ValueError, "frames are empty: give at least one"),
        ("film.gif", None, {}, TypeError, "frames must be a list of figures or pictures"),
        ("film.gif", "abc", {}, TypeError, "frames must be a list"),
        ("film.gif", {"a": IMAGE}, {}, TypeError, "frames must be a list"),
        ("film.gif", [IMAGE / 255], {}, TypeError, "frame 0 must be .*float64: scale"),
        ("film.gif", [IMAGE, torch.zeros(3, 16, 16)], {}, TypeError, "frame 1 must be .*not Tensor"),
        ("film.gif", [IMAGE, None], {}, TypeError, "frame 1 must be .*not NoneType"),
        ("film.gif", [IMAGE.transpose(2, 0, 1)], {}, ValueError, r"frame 0 must have the shape \(H, W, 3\)"),
        ("film.gif", [np.zeros((8, 8, 4), np.uint8)], {}, ValueError, "frame 0 must have the shape"),
        ("film.gif", [np.zeros((0, 8, 3), np.uint8)], {}, ValueError, "frame 0 must have the shape"),
        ("film.gif", [IMAGE, IMAGE[:8]], {}, ValueError, r"one size in pixels: frame 1 is \(16, 8\)"),
        ("film.gif", [IMAGE], {"seconds": 0}, ValueError, "seconds must be a number from 0.02 to 600"),
        ("film.gif", [IMAGE], {"seconds": float("nan")}, ValueError, "seconds must be"),
        ("film.gif", [IMAGE], {"seconds": "fast"}, ValueError, "seconds must be"),
    ],
)
def test_bad_input_of_save_gif_leaves_no_file(tmp_path, name, frames, options, error, message):
    with pytest.raises(error, match=message):
        plots.save_gif(tmp_path / name, frames, **options)
    assert not list(tmp_path.iterdir())


def test_a_script_whose_font_is_never_bold_is_no_warning(caplog):
    from matplotlib import font_manager

    plots.use_style()
    log = font_manager.logging.getLogger("matplotlib.font_manager")
    log.warning("findfont: Failed to find font weight %s for %s, now using %s.", "bold", "Some Font", 400)
    log.warning("findfont: Font family %r not found.", "Another")
    assert [record.getMessage() for record in caplog.records] == [
        "findfont: Font family 'Another' not found."
    ]
