"""Explorers for the lessons: a row of labelled controls and the figure that they change.

Every control can be reached with Tab. The arrow keys change sliders and drop-downs, and none of their keys
reaches the notebook. A stored or reopened notebook shows a sentence in the explorer's place, since live
widgets do not survive on a static page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
import matplotlib.pyplot as plt
import traitlets
from IPython.display import display

EXPLORER_TEXT = "An interactive view: run this cell in Jupyter to use it."
BAR_TEXT = "A progress bar: it moves while this cell runs."

REOPENED_TEXT = "A live view or a progress bar stood here. Run this cell to see it."

# A list's keys must not reach JupyterLab's commands, a slider's knob needs a name, a notebook that is opened
# again must not say "Error" where a widget was, and printed lines break between words; none of this can be
# said in Python. One observer a page, which also sees the controls that are drawn again while scrolling.
_ATTEND = """
if (!window.courseControls) {
  const style = document.createElement('style');
  style.textContent = '.jp-RenderedText pre { word-break: normal !important; overflow-wrap: anywhere; }';
  document.head.append(style);
  let planned = false;
  const attend = () => {
    planned = false;
    for (const list of document.querySelectorAll('.jupyter-widgets select')) {
      list.setAttribute('data-lm-suppress-shortcuts', 'true');
    }
    for (const knob of document.querySelectorAll('.widget-slider .noUi-handle:not([aria-label])')) {
      const label = knob.closest('.widget-slider').querySelector('.widget-label');
      knob.setAttribute('aria-label', label ? label.textContent : 'slider');
    }
    for (const gone of document.querySelectorAll('.jp-OutputArea-output.jupyter-widgets')) {
      if (gone.textContent.trim() === 'Error displaying widget: model not found') {
        gone.firstChild.nodeValue = 'REOPENED_TEXT';
        gone.classList.remove('jupyter-widgets');
      }
    }
  };
  const plan = () => { if (!planned) { planned = true; setTimeout(attend, 50); } };
  window.courseControls = new MutationObserver(plan);
  window.courseControls.observe(document.body, {childList: true, subtree: true});
  attend();
}
""".replace("REOPENED_TEXT", REOPENED_TEXT)


def choice(label: str, options: Mapping | list | tuple, value: object | None = None) -> widgets.Dropdown:
    """A drop-down list; ``options`` are names, or name → value."""
    extra = {} if value is None else {"value": value}
    names = [str(option[0] if isinstance(option, tuple) else option) for option in options]
    return widgets.Dropdown(options=options, description=label, **_look(label, 70 + _wide(names)), **extra)


class Several(widgets.HBox):
    """A box to tick for each option; ``value`` is the tuple of the ticked ones, in their order."""

    value = traitlets.Tuple()

    def __init__(self, label: str, options: Mapping | Sequence, value: Sequence = ()) -> None:
        pairs = list(options.items()) if isinstance(options, Mapping) else [(str(o), o) for o in options]
        self._boxes = [(checkbox(name, option in value), option) for name, option in pairs]
        super().__init__(
            [widgets.Label(label), *(box for box, _ in self._boxes)],
            layout=widgets.Layout(flex_flow="row wrap", margin="0 20px 0 0"),
        )
        self._gather()
        for box, _ in self._boxes:
            box.observe(self._gather, names="value")

    def _gather(self, _change: object = None) -> None:
        self.value = tuple(option for box, option in self._boxes if box.value)


def several(label: str, options: Mapping | Sequence, value: Sequence = ()) -> Several:
    """Some of the options, a box to tick for each; ``options`` are names, or name → value."""
    return Several(label, options, value)


def slider(label: str, low: float, high: float, value: float, step: float = 1) -> widgets.Widget:
    """A slider, of whole numbers when ``step`` is one; it acts when it is let go.

    Its track has a pixel for each value, and 200 pixels at least, so that a mouse can aim.
    """
    track = max(200, min(round((high - low) / step), 600))
    kind = widgets.IntSlider if isinstance(step, int) else widgets.FloatSlider
    return kind(
        value=value,
        min=low,
        max=high,
        step=step,
        description=label,
        continuous_update=False,
        **_look(label, track + 120),  # and the number beside it
    )


def checkbox(label: str, value: bool = False) -> widgets.Checkbox:
    """A box to tick."""
    layout = widgets.Layout(width="auto", margin="2px 20px 2px 0")
    return widgets.Checkbox(value=value, description=label, indent=False, layout=layout)


def text(label: str, value: str = "") -> widgets.Text:
    """A line to write in, as wide as the page; it acts at Enter or when it is left."""
    made = widgets.Text(value=value, description=label, continuous_update=False, **_look(label, 0))
    made.layout.width = "95%"
    return made


def explore(draw: Callable[..., None], **controls: widgets.Widget) -> None:
    """Show the controls and, under them, what ``draw(**values)`` draws or prints; drawn again at every
    change.

    A figure that ``draw`` leaves open is shown with the controls' values as its text, for those who cannot
    see it; end ``draw`` with ``plots.show("…")`` to say more.
    """
    from course_utils.teach import plots

    output = widgets.Output()

    def redraw(_change: object = None) -> None:
        with output:
            output.clear_output(wait=True)
            draw(**{name: control.value for name, control in controls.items()})
            if len(plt.get_fignums()) == 1:
                plots.show("; ".join(_said(name, control) for name, control in controls.items()))
            plt.show()

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    row = widgets.HBox(list(controls.values()), layout=widgets.Layout(flex_flow="row wrap"))
    view = widgets.VBox([row, output])._repr_mimebundle_()
    attend()
    display({**view, "text/plain": EXPLORER_TEXT}, raw=True)


def _said(name: str, control: widgets.Widget) -> str:
    """What a control is set to: "picture: 3"."""
    chosen = getattr(control, "label", control.value)  # a list's value may be anything
    return f"{getattr(control, 'description', '') or name}: {chosen}"


def attend() -> None:
    """Let the page that shows this notebook look after its controls; the builder stores nothing of it."""
    display({"application/javascript": _ATTEND, "text/plain": ""}, raw=True)


def name_bars() -> None:
    """Let a notebook that is opened again show a sentence in place of each progress bar, not "0%|"."""
    from tqdm import notebook

    if hasattr(notebook, "TqdmHBox"):  # it is not there without ipywidgets
        notebook.TqdmHBox.__repr__ = lambda self, pretty=False: BAR_TEXT


def _look(label: str, width: int) -> dict:
    """A label in full, and ``width`` pixels beside it."""
    return {
        "style": {"description_width": "initial"},
        "layout": widgets.Layout(
            width=f"{_wide([label]) + width}px", max_width="100%", margin="2px 20px 2px 0"
        ),
    }


def _wide(names: Sequence[str]) -> int:
    """How many pixels the longest of some texts takes, about."""
    return 8 * max((len(name) for name in names), default=0)
