"""An installed browser, for what is printed and for the tests that look at pages."""

from __future__ import annotations

import shutil

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "msedge")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def find_browser() -> str | None:
    """The path of Chromium, Chrome or Edge; None where none is installed, or none is on the PATH."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)
