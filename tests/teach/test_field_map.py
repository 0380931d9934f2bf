"""The map of the field: every lesson is on it, nothing overlaps, and it points out what it is asked to."""

import matplotlib
import pytest
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch

from course_utils.authoring import lesson as lessons
from course_utils.judge import methods_table
from course_utils.teach.field_map import LESSONS, PLACES, describe, show_field_map

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def extents(figure):
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    (ax,) = figure.axes
    texts = {text: text.get_window_extent(renderer) for text in ax.texts}
    boxes = [p.get_window_extent(renderer) for p in ax.patches if isinstance(p, FancyBboxPatch)]
    return texts, boxes


def test_every_lesson_of_the_course_is_on_the_map():
    numbers = {int(path.stem[:2]) for path in lessons.sources()} - {0}
    assert numbers <= set(LESSONS)
    assert LESSONS == tuple(range(1, max(LESSONS) + 1))
    labels = [text.get_text() for text in show_field_map().axes[0].texts]
    for number in LESSONS:
        assert any(label.startswith(f"{number:02d} ") for label in labels)


def test_the_glass_boxes_stand_in_the_model():
    assert {place.lesson for place in PLACES if place.region == "in"} >= {13, 18}
    assert {place.region for place in PLACES if place.lesson == 13} == {"in", "black box"}


def test_the_map_in_words_names_every_place_and_every_method():
    text = describe()
    for place in PLACES:
        assert f"{place.lesson:02d} {' '.join(place.name.split())}".rstrip("?") in text
    for method in methods_table.METHODS:
        if method.lesson is not None:
            assert method.lesson in LESSONS, method.name
            assert method.name.lower() in describe(method.lesson).lower(), method.name
    assert "Grad-CAM++" in describe(4) and "LIME" not in describe(4)


@pytest.mark.parametrize("highlight", [None, 1, (6, 12)])
def test_texts_neither_overlap_nor_leave_the_figure_or_their_box(highlight):
    figure = show_field_map(highlight)
    texts, boxes = extents(figure)
    items = list(texts.items())
    for i, (text, extent) in enumerate(items):
        assert figure.bbox.x0 <= extent.x0 and extent.x1 <= figure.bbox.x1, text.get_text()
        for other, its_extent in items[:i]:
            assert not extent.overlaps(its_extent), (text.get_text(), other.get_text())
        for box in boxes:
            if box.contains((extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2):
                assert box.x0 < extent.x0 and extent.x1 < box.x1, text.get_text()
            else:
                assert not box.overlaps(extent), text.get_text()
    assert min(text.get_fontsize() for text in texts) >= 8


def test_the_lesson_asked_for_stands_out():
    def filled(figure):
        boxes = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
        return sum(p.get_facecolor()[:3] != (1, 1, 1) for p in boxes)

    assert filled(show_field_map()) == 0
    assert filled(show_field_map(4)) == 1
    assert filled(show_field_map([6, 7])) == 2


@pytest.mark.parametrize("highlight", [0, 99, [4, 99]])
def test_a_lesson_that_does_not_exist_is_an_error(highlight):
    with pytest.raises(ValueError, match=f"the map has the lessons 1 to {LESSONS[-1]}"):
        show_field_map(highlight)
