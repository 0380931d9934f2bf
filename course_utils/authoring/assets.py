"""Files that installed packages bring along for pages in a browser: reveal.js, MathJax."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

REVEAL = ("sphinx-revealjs", "sphinx_revealjs/_static/revealjs")
MATHJAX = ("sphinx-mathjax-offline", "sphinx-mathjax-offline/static/mathjax")


class AssetError(Exception):
    """A package of the group `site` is not installed."""


def copy_asset(asset: tuple[str, str], inside: str, target: Path) -> None:
    """Copy a file or a folder of a package: `copy_asset(MATHJAX, "tex-svg.js", folder / "tex-svg.js")`."""
    package, root = asset
    try:
        place = Path(metadata.distribution(package).locate_file(f"{root}/{inside}"))
    except metadata.PackageNotFoundError as error:
        raise AssetError(f"{package} is not installed: `make slides` and `make site` install it") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        shutil.copytree(place, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.map"))
    else:
        shutil.copyfile(place, target)
