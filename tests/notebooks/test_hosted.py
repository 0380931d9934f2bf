"""The cell that fetches and installs the course, run in an environment that has only the other packages."""

import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import nbformat

from course_utils.authoring.lesson import ROOT
from course_utils.authoring.site.hosted import Published, hosted_cell, hosted_notebook

RELEASE = Published("owner/name", "v1.2.3")
CHECK = """
import course_utils
from course_utils.labs import load_lab

load_lab("designed")
print(course_utils.__file__)"""


def release(tmp_path):
    """What GitHub serves: one folder with the repository's files."""
    archive = tmp_path / "v1.2.3.tar.gz"
    with tarfile.open(archive, "w:gz") as files:
        for name in ("pyproject.toml", "README.md", "LICENSE", "course_utils", "data/manifest.json"):
            files.add(
                ROOT / name, f"name-1.2.3/{name}", filter=lambda f: None if "__pycache__" in f.name else f
            )
    return archive


def test_the_cell_installs_the_course_from_the_archive(tmp_path):
    venv.create(tmp_path / "env", system_site_packages=False, with_pip=True)
    python = tmp_path / "env" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    paths = [path for path in sys.path if path.endswith("-packages")]
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    where = Path(subprocess.run(ask, text=True, capture_output=True).stdout.strip())
    for old in where.glob("setuptools*"):  # Python 3.11 brings an old one
        shutil.rmtree(old)
    # with these the packages are there, and this course is not: its own .pth is not read from here
    (where / "packages.pth").write_text("\n".join(paths))
    content = tmp_path / "content"
    content.mkdir()
    cell = hosted_cell(release(tmp_path).as_uri())
    for _ in range(2):  # a second run finds the course there
        run = subprocess.run(
            [python, "-c", cell + CHECK], cwd=content, text=True, capture_output=True,
            env={"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PATH": ""},
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        assert run.stdout.strip() == str(content / "xai-course" / "course_utils" / "__init__.py")


def test_a_hosted_copy_begins_with_the_cell_and_the_original_stays():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A lesson")])
    made = hosted_notebook(notebook, RELEASE.archive)
    assert [cell.cell_type for cell in made.cells] == ["code", "markdown"]
    assert RELEASE.archive in made.cells[0].source
    assert len(notebook.cells) == 1
    nbformat.validate(made)


def test_the_links_name_repository_release_and_notebook():
    links = RELEASE.links("04_grad_cam")
    assert "mybinder.org/v2/gh/owner/name/v1.2.3?urlpath=lab/tree/notebooks/04_grad_cam.ipynb" in links
    assert "github/owner/name/blob/gh-pages/colab/04_grad_cam.ipynb" in links
