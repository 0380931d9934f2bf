"""A lesson in a real browser: opened in JupyterLab, run from top to bottom, its slider moves the figure."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

import pytest

from course_utils.authoring.lesson import NOTEBOOKS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LESSONS = ("04_grad_cam",)
SECONDS_TO_RUN = 240

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

RUN_ALL = """async (seconds) => {
  const app = window.jupyterapp;
  const panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await app.commands.execute('notebook:clear-all-cell-outputs');
  const late = new Promise((_, no) => setTimeout(() => no(new Error('too slow')), seconds * 1000));
  await Promise.race([app.commands.execute('notebook:run-all-cells'), late]);
}"""
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
    """JupyterLab on a copy of the notebooks' folder, at a free port; gives its address and token."""
    shutil.copytree(
        NOTEBOOKS, tmp_path / "notebooks", ignore=shutil.ignore_patterns("source", "homework", ".*")
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"LabApp.expose_app_in_browser": True, "ServerApp.open_browser": False, "ServerApp.port": port}
    settings |= {"ServerApp.port_retries": 0, "ServerApp.allow_root": True, "ServerApp.ip": "127.0.0.1"}
    settings |= {"IdentityProvider.token": "course", "LabApp.extension_manager": "readonly"}
    private = {name: str(tmp_path / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    private |= {
        name: str(tmp_path / name.lower())
        for name in ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    }
    private |= {"JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), "JUPYTER_PREFER_ENV_PATH": "1"}
    with open(tmp_path / "lab.log", "wb") as log:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyter",
                "lab",
                *(f"--{key}={value}" for key, value in settings.items()),
            ],
            cwd=tmp_path / "notebooks",
            env=os.environ | private,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_it_answers(
            f"http://127.0.0.1:{port}/api/status?token=course", server, tmp_path / "lab.log"
        )
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_until_it_answers(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(240):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.25)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-2000:]}")


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_runs_and_its_slider_moves_the_figure(lab, name):
    if not (NOTEBOOKS / f"{name}.ipynb").exists():
        pytest.skip(f"{name}.ipynb is not built yet")
    check_lesson(lab, name)


def check_lesson(lab: str, name: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        asked, broken = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.goto(f"{lab}/lab/tree/{name}.ipynb?token=course")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext !== undefined")

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
