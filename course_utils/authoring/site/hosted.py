"""The course on somebody else's machine: links to Binder and Colab, and the one cell that Colab needs."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

CELL = """\
# Needed where the course is not installed, on Colab for instance: fetch it (80 MB) and what it needs.
import subprocess, sys, tarfile, urllib.request
from pathlib import Path

course = Path("xai-course")
if not course.exists():
    archive, _ = urllib.request.urlretrieve("{archive}")
    with tarfile.open(archive) as files:
        files.extractall("xai-course.part", filter="data")
    next(Path("xai-course.part").iterdir()).rename(course)
subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-e", str(course)], check=True)
sys.path.insert(0, str(course.resolve()))"""


@dataclass(frozen=True)
class Published:
    """Where the course is published: a repository on GitHub ("owner/name"), and the release's tag there."""

    repository: str
    tag: str

    @property
    def archive(self) -> str:
        """The address of the release's archive, which holds package, notebooks and data."""
        return f"https://github.com/{self.repository}/archive/refs/tags/{self.tag}.tar.gz"

    def links(self, name: str) -> str:
        """One line of Markdown: this notebook on Binder, and its copy with the extra cell on Colab."""
        binder = (
            f"https://mybinder.org/v2/gh/{self.repository}/{self.tag}?urlpath=lab/tree/notebooks/{name}.ipynb"
        )
        colab = f"https://colab.research.google.com/github/{self.repository}/blob/gh-pages/colab/{name}.ipynb"
        return f"Run it without an installation: [Binder]({binder}) · [Colab]({colab})"


def hosted_cell(archive: str) -> str:
    """The code that fetches and installs the course from an archive's address."""
    return CELL.format(archive=archive)


def hosted_notebook(notebook: NotebookNode, archive: str) -> NotebookNode:
    """A copy of a notebook that begins with `hosted_cell`."""
    made = copy.deepcopy(notebook)
    made.cells.insert(0, nbformat.v4.new_code_cell(hosted_cell(archive), id="hosted"))
    return made
