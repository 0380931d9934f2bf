"""Explorers for the lessons: a row of labelled controls and the figure that they change.

Every control can be reached with Tab and changed with the arrow keys. A stored notebook shows one line of
text in the explorer's place, since live widgets do not survive on a static page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ipywidgets as widgets
import matplotlib.pyplot as plt
from IPython.display import display


def choice(label: str, options: Mapping | list | tuple, value: object | None = None) -> widgets.Dropdown:
    """A drop-down list; ``options`` are names, or name → value."""
    extra = {} if value is None else {"value": value}
    return widgets.Dropdown(options=options, description=label, **_look(), **extra)


def slider(label: str, low: float, high: float, value: float, step: float = 1) -> widgets.Widget:
    """A slider, of whole numbers when ``step`` is one; it acts when it is let go."""
    kind = widgets.IntSlider if isinstance(step, int) else widgets.FloatSlider
    return kind(
        value=value, min=low, max=high, step=step, description=label, continuous_update=False, **_look()
    )


def checkbox(label: str, value: bool = False) -> widgets.Checkbox:
    """A box to tick."""
    return widgets.Checkbox(value=value, description=label, indent=False, layout=widgets.Layout(width="auto"))


def explore(draw: Callable[..., None], **controls: widgets.Widget) -> None:
    """Show the controls and, under them, what ``draw(**values)`` draws or prints; drawn again at every
    change."""
    output = widgets.Output()

    def redraw(_change: object = None) -> None:
        with output:
            output.clear_output(wait=True)
            draw(**{name: control.value for name, control in controls.items()})
            plt.show()

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    row = widgets.HBox(list(controls.values()), layout=widgets.Layout(flex_flow="row wrap"))
    display(widgets.VBox([row, output]))


def _look() -> dict:
    return {
        "style": {"description_width": "initial"},
        "layout": widgets.Layout(width="auto", min_width="220px"),
    }
