"""A JupyterLab for browser tests: on one folder, as `make lab` starts it, with nobody's settings."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import environment
import pytest

from course_utils.authoring.browser import find_browser

CHROMIUM = find_browser()

RUN_ALL = """async () => {
  const app = window.jupyterapp;
  const panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await app.commands.execute('notebook:clear-all-cell-outputs');
  const ended = end => { window.run_all_ended = end; };
  ended(null);
  app.commands.execute('notebook:run-all-cells').then(() => ended('well'), error => ended(`${error}`));
}"""


@contextmanager
def jupyterlab(folder: Path, private: Path, settings: Mapping[str, object] = {}) -> Iterator[str]:
    """Start it on `folder`; its settings and its log go to `private`. Gives its address (token "course").

    A file private/ipythondir/profile_default/startup/*.py is run in each kernel. `settings` replace
    those of `make lab`.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = {"LabApp.expose_app_in_browser": True, "ServerApp.open_browser": False, "ServerApp.port": port}
    ours |= {"ServerApp.port_retries": 0, "ServerApp.ip": "127.0.0.1", "IdentityProvider.token": "course"}
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    variables = {name: str(private / name.lower()) for name in names}
    variables |= {"JUPYTER_PREFER_ENV_PATH": "1", "OMP_NUM_THREADS": "1"}
    ours |= settings
    command = [word for word in environment.lab_command(sys.executable) if _key(word) not in ours]
    command += [f"--{key}={value}" for key, value in ours.items()]
    with open(private / "lab.log", "wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=os.environ | variables, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_it_answers(
            f"http://127.0.0.1:{port}/api/status?token=course", server, private / "lab.log"
        )
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def opened(page, lab: str, name: str) -> None:
    """Open a notebook alone, in a workspace of its own, and wait until it is there."""
    page.goto(f"{lab}/lab/workspaces/{Path(name).stem}/tree/{name}?token=course")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext !== undefined")


def run_all(page, seconds: float) -> None:
    """Run all cells of the open notebook; fail if that takes longer."""
    page.evaluate(RUN_ALL)
    until = time.monotonic() + seconds
    # asks again and again: Chromium may drop a promise of minutes that only we wait for
    while (end := page.evaluate("window.run_all_ended")) is None:
        assert time.monotonic() < until, f"the cells run for more than {seconds} s"
        page.wait_for_timeout(100)
    assert end == "well", end


def _key(word: str) -> str:
    return word.removeprefix("--").split("=")[0]


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
