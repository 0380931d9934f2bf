"""What the tests of decks and of the site share."""

import importlib.util

import pytest
from lab_server import CHROMIUM

NEEDED = ("sphinx", "myst_nb", "sphinx_revealjs", "axe_playwright_python")
needs_site = pytest.mark.skipif(
    CHROMIUM is None or not all(importlib.util.find_spec(name) for name in NEEDED),
    reason="chromium, or what `make site` installs, is missing",
)
NO_IMAGE_TEXT = "() => [...document.images].filter(image => !image.alt).map(image => image.src.slice(0, 80))"
