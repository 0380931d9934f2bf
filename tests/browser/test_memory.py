"""What `make lab` does with kernels: one whose page is closed ends after a while, and no other."""

import json
import time
import urllib.request

import nbformat
import pytest
from lab_server import CHROMIUM, jupyterlab, opened
from nbformat.v4 import new_code_cell, new_notebook

from course_utils.authoring.lesson import METADATA

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

QUICKLY = {"MappingKernelManager.cull_idle_timeout": 4, "MappingKernelManager.cull_interval": 1}
CELLS = {
    "open": "print('begun')",
    "closed": "print('begun')",
    "computing": "import ipywidgets; print('begun', flush=True); import time; time.sleep(90)",
}
START = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  window.jupyterapp.commands.execute('notebook:run-all-cells');
  return panel.sessionContext.session.kernel.id;
}"""


def test_only_a_forgotten_kernel_is_ended(browser, tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name, text in CELLS.items():
        nbformat.write(new_notebook(cells=[new_code_cell(text)], metadata=METADATA), folder / f"{name}.ipynb")

    with jupyterlab(folder, tmp_path, QUICKLY) as lab:

        def running() -> set[str]:
            with urllib.request.urlopen(f"{lab}/api/kernels?token=course", timeout=10) as answer:
                return {kernel["id"] for kernel in json.load(answer)}

        pages = {}
        kernels = {}
        for name in CELLS:
            page = pages[name] = browser.new_page()
            opened(page, lab, f"{name}.ipynb")
            kernels[name] = page.evaluate(START)
            page.wait_for_selector(".jp-OutputArea pre:text('begun')", timeout=60_000)
            if name != "open":
                page.close()
        end = time.monotonic() + 45
        while kernels["closed"] in running() and time.monotonic() < end:
            time.sleep(0.5)
        time.sleep(6)  # longer than the other two may be idle
        assert running() == {kernels["open"], kernels["computing"]}
        for page in pages.values():
            page.close()
