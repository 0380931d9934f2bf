"""A lesson in a real browser: opened in JupyterLab, run from top to bottom, its slider moves the figure."""

import json
from urllib.parse import urlparse

import pytest
import workbook
from lab_server import CHROMIUM, FLAGS, RUN_ALL, jupyterlab, opened

from course_utils.authoring.lesson import NOTEBOOKS

LESSONS = ("04_grad_cam",)
SECONDS_TO_RUN = 240

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.toJSON())"""
SHOW_SLIDER = """async () => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  for (let i = notebook.widgets.length - 1; i >= 0; i--) {
    await notebook.scrollToItem(i, 'center');
    await new Promise(done => setTimeout(done, 100));
    if (document.querySelector('.widget-slider .noUi-handle')) return true;
  }
  return false;
}"""
SEEN = """() => {  // what the explorer shows: its pictures and texts, without the slider's own number
  const box = document.querySelector('.widget-slider').closest('.jp-OutputArea-output');
  const pictures = [...box.querySelectorAll('img')].map(image => image.src);
  const texts = [...box.querySelectorAll('.jp-OutputArea-output pre')].map(text => text.textContent);
  return JSON.stringify([pictures, texts]);
}"""


@pytest.fixture
def lab(tmp_path):
    """JupyterLab on a workbook with all lessons; gives its address."""
    folder = tmp_path / "workbook"
    workbook.update(str(NOTEBOOKS), str(folder))
    with jupyterlab(folder, tmp_path) as address:
        yield address


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_runs_and_its_slider_moves_the_figure(lab, name):
    if not (NOTEBOOKS / f"{name}.ipynb").exists():
        pytest.skip(f"{name}.ipynb is not built yet")
    check_lesson(lab, name)


def check_lesson(lab: str, name: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        asked, broken = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: broken.append(str(error)))
        opened(page, lab, f"{name}.ipynb")
        page.evaluate(RUN_ALL, SECONDS_TO_RUN)
        problems = [problem for cell in page.evaluate(CELLS) for problem in _problems(cell)]
        assert problems == []

        assert page.evaluate(SHOW_SLIDER), "the lesson shows no slider"
        before = page.evaluate(SEEN)
        handle = page.locator(".widget-slider .noUi-handle").first
        handle.focus()
        handle.press("ArrowRight")
        if page.evaluate(SEEN) == before:  # it may have stood at its right end
            try:
                page.wait_for_function(f"({SEEN})() !== {json.dumps(before)}", timeout=10_000)
            except Exception:
                handle.press("ArrowLeft")
        page.wait_for_function(f"({SEEN})() !== {json.dumps(before)}", timeout=30_000)

        assert broken == []
        outside = {
            url
            for url in asked
            if urlparse(url).scheme in ("http", "https", "ws", "wss") and not url.startswith(lab)
        }
        assert not outside, f"the page asks for {outside}"
        browser.close()


def _problems(cell: dict) -> list[str]:
    """What a learner would see as a failure: an error, anything on stderr, a cell that did not run."""
    if cell["cell_type"] != "code" or "raises-exception" in cell["metadata"].get("tags", ()):
        return []
    first_line = cell["source"].splitlines()[:1] if isinstance(cell["source"], str) else cell["source"][:1]
    found = [] if cell["execution_count"] else [f"{first_line}: did not run"]
    for output in cell["outputs"]:
        if output["output_type"] == "error":
            found.append(f"{first_line}: {output['ename']}: {output['evalue']}")
        if output["output_type"] == "stream" and output["name"] == "stderr":
            found.append(f"{first_line}: stderr: {output['text']}")
    return found
