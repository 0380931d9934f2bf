"""Explorers and figures in a real browser: keys change the controls and never the notebook; all are named."""

import nbformat
import pytest
from lab_server import CHROMIUM, jupyterlab, opened, run_all
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_utils.authoring.lesson import METADATA
from course_utils.teach.widgets import REOPENED_TEXT

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

FIGURE = """
import matplotlib.pyplot as plt
from tqdm.auto import tqdm
from course_utils.teach import plots, widgets

plots.use_style()
for _ in tqdm(range(3), desc="three steps"):
    pass
plt.plot([1, 2])
plots.show('A "rising" line & more.')
"""
EXPLORER = """
def draw(**values):
    print("seen:", *values.values())

widgets.explore(
    draw,
    method=widgets.choice("method", ["CAM", "Grad-CAM", "LIME"]),
    scene=widgets.slider("a scene with a rather long name", 0, 370, 5),
    heads=widgets.several("heads", [1, 2, 3], [2]),
    sentence=widgets.text("sentence", "It rains."),
)
"""
CELLS = (
    "() => window.jupyterapp.shell.currentWidget.content.widgets.map(c => c.model.sharedModel.getSource())"
)
SEEN = """() => [...document.querySelectorAll('pre')]
  .map(text => text.textContent.trim()).find(text => text.startsWith('seen:'))"""
PICTURES = "() => [...document.querySelectorAll('.jp-OutputArea img')].map(i => [i.alt, i.naturalWidth > 99])"
CLOSE = """async () => {  // save, and end the kernel: what a learner finds the next day
  await window.jupyterapp.commands.execute('docmanager:save');
  await window.jupyterapp.shell.currentWidget.sessionContext.shutdown();
}"""


@pytest.fixture
def page(browser, tmp_path):
    """The demonstration notebook, opened and run."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cells = [new_code_cell(FIGURE), new_code_cell(EXPLORER), new_markdown_cell("The end.")]
    nbformat.write(new_notebook(cells=cells, metadata=METADATA), folder / "demo.ipynb")
    with jupyterlab(folder, tmp_path) as lab:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        opened(page, lab, "demo.ipynb")
        run_all(page, 120)
        page.wait_for_selector(".widget-dropdown select[data-lm-suppress-shortcuts]", timeout=30_000)
        yield page
        page.close()


def wait_for(page, text: str) -> None:
    try:
        page.wait_for_function(f"({SEEN})() === {text!r}", timeout=15_000)
    except Exception:
        assert page.evaluate(SEEN) == text


def test_controls_obey_the_keyboard_and_figures_have_names(page):
    cells = page.evaluate(CELLS)
    wait_for(page, "seen: CAM 5 (2,) It rains.")

    page.locator(".widget-dropdown select").focus()
    page.keyboard.press("ArrowDown")
    wait_for(page, "seen: Grad-CAM 5 (2,) It rains.")
    for key in "xbdda":  # JupyterLab's commands: cut a cell, insert below, delete, insert above
        page.keyboard.press(key)
    page.wait_for_timeout(1500)  # letters typed together are one search
    page.keyboard.press("l")
    wait_for(page, "seen: LIME 5 (2,) It rains.")

    knob = page.get_by_role("slider", name="a scene with a rather long name")
    knob.focus()
    page.keyboard.press("ArrowRight")
    wait_for(page, "seen: LIME 6 (2,) It rains.")
    assert page.locator(".widget-slider .slider-container").bounding_box()["width"] > 180

    page.get_by_role("checkbox", name="3").focus()
    page.keyboard.press("Space")
    wait_for(page, "seen: LIME 6 (2, 3) It rains.")

    page.get_by_role("textbox", name="sentence").fill("Sun.")
    page.keyboard.press("Enter")
    wait_for(page, "seen: LIME 6 (2, 3) Sun.")
    assert page.evaluate(CELLS) == cells

    alone = [['A "rising" line & more.', True]]
    assert page.evaluate(PICTURES) == alone
    page.evaluate(CLOSE)
    page.reload()
    page.wait_for_selector(".jp-OutputArea img", timeout=60_000)
    page.wait_for_function(f"document.body.textContent.includes({REOPENED_TEXT!r})", timeout=30_000)
    assert page.evaluate(PICTURES) == alone
    text = page.evaluate("() => document.querySelector('.jp-Notebook').textContent")
    assert text.count(REOPENED_TEXT) == 2
    assert "Error" not in text
    assert "VBox(" not in text
    assert "0%|" not in text
