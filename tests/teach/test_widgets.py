"""Explorers: what they show for readers who cannot see a figure."""

import matplotlib.pyplot as plt
import pytest

from course_utils.teach import plots, widgets


@pytest.fixture
def told(monkeypatch):
    """The texts with which figures are shown."""
    texts = []
    monkeypatch.setattr(plots, "show", lambda alt: texts.append(alt) or plt.close("all"))
    return texts


def draw(**_values):
    plt.subplots()


def test_a_figure_without_a_text_gets_the_controls_values(told):
    layer = widgets.choice("layer", {"first": object(), "last": object()})
    controls = {"layer": layer, "row": widgets.slider("row", 0, 9, 4)}
    widgets.explore(draw, **controls)
    controls["row"].value = 5
    assert told == ["layer: first; row: 4", "layer: first; row: 5"]


def test_a_figure_with_a_text_keeps_it(told):
    widgets.explore(lambda on: (draw(), plots.show(f"on is {on}")), on=widgets.checkbox("on", True))
    assert told == ["on is True"]


def test_a_control_without_a_label_is_named_by_its_argument(told):
    widgets.explore(draw, heads=widgets.several("heads", [0, 1, 2], (0, 2)))
    assert told == ["heads: (0, 2)"]
