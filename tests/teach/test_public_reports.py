"""What others have reported of drawing libraries, installers and authoring tools, tried on ours."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib import font_manager

from course_utils.authoring.build import ABSOLUTE_PATH
from course_utils.authoring.lesson import _read_cells, solved
from course_utils.teach import plots

PICTURE = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture(autouse=True)
def own_style():
    yield
    plt.close("all")
    plt.rcdefaults()
    plots.use_style()


@pytest.mark.parametrize(
    "change",
    [
        lambda: plt.style.use("default"),
        plt.rcdefaults,
        lambda: plt.rcParams.update({"figure.autolayout": True}),
    ],
    ids=["style", "defaults", "autolayout"],
)
def test_public_report_another_style_was_chosen_before(change):
    change()
    plots.show_images([PICTURE], ["a"])
    plots.show_maps([PICTURE], {"map": torch.rand(1, 4, 4)}).canvas.draw()


@pytest.mark.parametrize("label", ["$5_", "$$", "a $ b $_", "10 $ and 20 $"])
def test_public_report_a_dollar_in_a_label_is_text(label):
    plots.show_images([PICTURE], [label]).canvas.draw()
    plots.score_plot({label: torch.rand(5)}, xlabel=label, title=label).canvas.draw()


def test_public_report_pictures_in_other_ranges_are_as_bright():
    none = torch.zeros(4, 4)
    white = plots.overlay(np.full((8, 8, 3), 255, np.uint8), none)
    assert np.array_equal(plots.overlay(np.ones((8, 8, 3)), none), white)
    assert np.array_equal(plots.overlay(np.full((8, 8), 255, np.uint8), none), white)
    clear = np.zeros((8, 8, 4), np.uint8)  # transparent, on white paper
    assert np.array_equal(plots.overlay(clear, none), white)
    black = plots.overlay(PICTURE, none)
    clear[..., 3] = 255
    assert np.array_equal(plots.overlay(clear, none), black)


def test_public_report_maps_in_low_precision():
    # pytorch-grad-cam 329: NumPy has no bfloat16
    heat = torch.tensor([[0.0, 0.5], [1.0, 0.25]])
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        low = heat.to(dtype).requires_grad_()
        assert np.array_equal(plots.overlay(PICTURE, low), plots.overlay(PICTURE, heat))
        plots.show_maps([PICTURE], {"m": low[None]}, alone=True)
        plots.matrix_plot(low, ["a", "b"], ["c", "d"])
        plt.close("all")


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.overlay(torch.zeros(3, 8, 8), torch.rand(4, 4)), r"image.permute\(1, 2, 0\)"),
        (lambda: plots.overlay(np.full((8, 8, 3), -1.0), torch.rand(4, 4)), "0 … 255"),
        (lambda: plots.overlay(np.full((8, 8, 3), 300.0), torch.rand(4, 4)), "0 … 255"),
        (lambda: plots.overlay(PICTURE, torch.rand(1, 4, 4)), "two dimensions"),
        (lambda: plots.show_images([]), "images is empty"),
        # one NaN made the maximum NaN, and the bare picture was shown
        *(
            (
                lambda draw=draw, bad=bad: draw(torch.tensor([[1.0, bad], [0, 1]])),
                "NaN or infinite.*1 of 4.*zeros",
            )
            for bad in (float("nan"), float("inf"))
            for draw in (
                lambda heat: plots.overlay(PICTURE, heat),
                lambda heat: plots.overlay(PICTURE, heat, signed=True),
                lambda heat: plots.overlay(PICTURE, heat, own_scale=False),
                lambda heat: plots.resize_map(heat, (8, 8)),
                lambda heat: plots.show_heat(plt.figure().add_subplot(), heat),
                lambda heat: plots.show_pixels(plt.figure().add_subplot(), heat),
                lambda heat: plots.show_maps([PICTURE], {"m": heat[None]}),
                lambda heat: plots.show_maps([PICTURE], {"m": heat[None]}, alone=True),
                lambda heat: plots.outline(plt.figure().add_subplot(), heat),
            )
        ),
        (lambda: plots.matrix_plot([[np.nan]], ["a"], ["b"]), "one number is needed"),
        (lambda: plots.matrix_plot([[np.inf, 1]], ["a"], ["b", "c"]), "finite numbers"),
        (
            lambda: plots.show_maps([PICTURE], {"IG": torch.randn(1, 4, 4)}, signed="LIME"),
            "signed names 'LIME': the maps are IG",
        ),
    ],
)
def test_bad_input_of_drawing_is_named(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_public_report_one_name_is_one_name():
    maps = {"IG": torch.tensor([[[-1.0, 1.0]]])}
    by_name, in_a_list = (
        plots.show_maps([PICTURE], maps, signed=signed).axes[1].images[0].get_array()
        for signed in ("IG", ["IG"])
    )
    assert np.array_equal(by_name, in_a_list)
    scores = {"constant": torch.rand(5), "const": torch.rand(5)}
    figure = plots.score_plot(scores, xlabel="x", baselines="constant", sort=False)
    colours = {t.get_text(): t.get_color() for t in figure.axes[0].get_yticklabels()}
    assert colours == {"constant": plots.BASELINE, "const": plots.INK}


def test_public_report_a_solution_keeps_its_own_lines():
    text = "best = None  # your answer\n# BEGIN SOLUTION\nrest = None\nbest = 3\n# END SOLUTION\nlast = None"
    assert solved(text) == "rest = None\nbest = 3\nlast = None"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"'Q:\nWhat?'", False),
        (r"C:\Users\me\file", True),
        ("/mnt/data/x", True),
        ("/private/var/x", True),
        ("and/or", False),
    ],
)
def test_public_report_paths_of_a_machine_are_found_and_nothing_else(text, found):
    assert bool(ABSOLUTE_PATH.search(text)) == found


def test_public_report_labels_in_other_scripts(capsys):
    # hands-on-modern-rl 82: boxes and a warning a letter; the first installed font of each script is taken
    installed = ["DejaVu Sans", "SimHei", "Noto Sans CJK JP", "Malgun Gothic"]
    assert plots.fonts_for_scripts(installed) == ["Noto Sans CJK JP"]
    assert plots.fonts_for_scripts(["SimHei", "Malgun Gothic"]) == ["SimHei", "Malgun Gothic"]
    assert plots.fonts_for_scripts(["DejaVu Sans"]) == []
    assert plt.rcParams["font.family"][0] == "sans-serif"  # letters of the Latin script look as before
    with warnings.catch_warnings(record=True) as caught:  # no font for them: told once, in plain words
        warnings.simplefilter("always")
        plots.use_style()
        plt.rcParams["font.family"] = ["DejaVu Sans"]
        plots.show_images([PICTURE, PICTURE], ["中文", "한국어"]).canvas.draw()
        warnings.warn("another one", stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["another one"]
    assert capsys.readouterr().out.count("no installed font has them") == 1


def test_public_report_an_installed_font_is_used(recwarn):
    fonts = plots.fonts_for_scripts(entry.name for entry in font_manager.fontManager.ttflist)
    if not fonts:
        pytest.skip("no font with Chinese, Japanese or Korean letters is installed")
    plots.use_style()
    plots.show_images([PICTURE], ["中文"]).canvas.draw()
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_public_report_a_source_with_a_byte_order_mark(tmp_path):
    # own: some editors begin a file with one, and the error denied that its first cell has a line of its own
    (tmp_path / "a.py").write_text("\ufeff# %% [markdown]\n# text\n\n# %%\n1\n", encoding="utf-8")
    assert len(_read_cells(tmp_path / "a.py")) == 2
