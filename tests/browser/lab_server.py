"""A JupyterLab of its own for one browser test: on one folder, at a free port, with nobody's settings."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

RUN_ALL = """async (seconds) => {
  const app = window.jupyterapp;
  const panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await app.commands.execute('notebook:clear-all-cell-outputs');
  const late = new Promise((_, no) => setTimeout(() => no(new Error('too slow')), seconds * 1000));
  await Promise.race([app.commands.execute('notebook:run-all-cells'), late]);
}"""


@contextmanager
def jupyterlab(folder: Path, private: Path) -> Iterator[str]:
    """Start it on `folder`; its settings and its log go to `private`. Gives its address (token "course")."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"LabApp.expose_app_in_browser": True, "ServerApp.open_browser": False, "ServerApp.port": port}
    settings |= {"ServerApp.port_retries": 0, "ServerApp.allow_root": True, "ServerApp.ip": "127.0.0.1"}
    settings |= {"IdentityProvider.token": "course", "LabApp.extension_manager": "readonly"}
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    variables = {f"JUPYTER_{name}": str(private / name.lower()) for name in names}
    variables |= {"JUPYTER_PREFER_ENV_PATH": "1"}
    command = [
        sys.executable,
        "-m",
        "jupyter",
        "lab",
        *(f"--{key}={value}" for key, value in settings.items()),
    ]
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
    """Open a notebook and wait until it is there."""
    page.goto(f"{lab}/lab/tree/{name}?token=course")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext !== undefined")


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
