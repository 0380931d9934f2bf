"""The course as a static site, from the stored outputs: `python -m course_utils.authoring.site`.

Nothing is run. The pages need no other host: Sphinx's theme and MathJax lie beside them. Needs the group
`site` of pyproject.toml.
"""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_utils.authoring import lesson as lessons
from course_utils.authoring.assets import MATHJAX, copy_asset
from course_utils.authoring.contents import number_of
from course_utils.authoring.site.hosted import Published, hosted_notebook

HERE = Path(__file__).parent
API = {
    "labs": ("lab", "rendered", "photos", "folder", "tabular", "text", "designed", "digits"),
    "methods": (
        "cam", "gradients", "deconvnet", "occlusion", "lime", "shapley", "dependence", "filters", "attention",
        "embeddings",
    ),
    "judge": (
        "localisation", "perturbation", "sanity", "statistics", "baselines", "dissection", "unit_tests",
    ),
}  # fmt: skip


class SiteError(Exception):
    """The site cannot be built."""


def build_site(target: Path, folder: Path = lessons.NOTEBOOKS, published: Published | None = None) -> Path:
    """Write the site to `target/html` and return that folder; the pages' sources lie in `target/pages`.

    With `published`, each lesson links to itself on Binder and Colab; Colab's copies lie in `html/colab`.

    Raises:
        SiteError: Sphinx warns (a broken link, a figure without its file).
    """
    pages = target / "pages"
    shutil.rmtree(target, ignore_errors=True)
    (pages / "_static").mkdir(parents=True)
    (pages / "lessons").mkdir()
    shutil.copy(HERE / "conf.py", pages)
    shutil.copy(HERE / "course.css", pages / "_static")
    shutil.copytree(folder / "thumbnails", pages / "thumbnails")
    copy_asset(MATHJAX, "tex-svg.js", pages / "_static" / "tex-svg.js")

    sources = lessons.sources(folder)
    for source in sources:
        made = nbformat.read(folder / f"{source.stem}.ipynb", as_version=4)
        number = number_of(source)
        companions = [other.stem for other in sources if number.isdigit() and number_of(other)[:-1] == number]
        if published:
            (target / "colab").mkdir(exist_ok=True)
            hosted = hosted_notebook(made, published.archive)
            nbformat.write(hosted, target / "colab" / f"{source.stem}.ipynb")
            made.cells.insert(1, nbformat.v4.new_markdown_cell(published.links(source.stem), id="links"))
        nbformat.write(for_site(made, companions), pages / "lessons" / f"{source.stem}.ipynb")
    (pages / "lessons" / "glossary.md").write_text(
        with_back_links((folder / "glossary.md").read_text("utf-8"), sources), "utf-8"
    )
    shutil.copy(HERE / "teachers.md", pages)
    claims = folder.parent / "build" / "claims.md"
    if claims.exists():
        shutil.copy(claims, pages)
    for package, modules in API.items():
        (pages / f"api_{package}.md").write_text(api_page(package, modules), "utf-8")
    (pages / "index.md").write_text(index_page(sources, with_claims=claims.exists()), "utf-8")

    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    if subprocess.run([*sphinx, pages, target / "html"]).returncode:
        raise SiteError("Sphinx warned about these pages; see the lines above")
    if published:
        (target / "colab").rename(target / "html" / "colab")
        (target / "html" / ".nojekyll").touch()  # or GitHub's pages leave out folders such as _static
    return target / "html"


def for_site(notebook: NotebookNode, companions: Iterable[str] = ()) -> NotebookNode:
    """The notebook with each figure's description where myst-nb reads it, in the metadata of its cell.

    Its companions hang below it in the navigation, which replaces the cell of links at its end.
    """
    for cell in notebook.cells:
        if cell.cell_type != "code":  # a heading's anchor: JupyterLab keeps capitals, Sphinx does not
            cell.source = re.sub(r"\]\(#([\w-]+)\)", lambda link: link[0].lower(), cell.source)
            continue
        for output in cell.outputs:
            for described in output.get("metadata", {}).values():
                if isinstance(described, dict) and "alt" in described:
                    cell.metadata["mystnb"] = {"image": {"alt": described["alt"]}}
    notebook.cells = [cell for cell in notebook.cells if not _only_links(cell)]
    if companions:
        tree = "\n".join(["```{toctree}", ":hidden:", "", *companions, "```"])
        notebook.cells.append(nbformat.v4.new_markdown_cell(tree, id="companions"))
    return notebook


def _only_links(cell: NotebookNode) -> bool:
    """The cell of links at a notebook's end; the site has its own navigation."""
    return cell.cell_type == "markdown" and cell.source.startswith("---\n") and "00_contents" in cell.source


def with_back_links(glossary: str, sources: Iterable[Path]) -> str:
    """The glossary with, below each term, the lessons that link to it."""
    users: dict[str, list[str]] = {}
    for source in sources:
        text = source.read_text("utf-8")
        for anchor in sorted(set(re.findall(r"glossary\.md#([\w-]+)", text))):
            users.setdefault(anchor, []).append(f"[{number_of(source)}]({source.stem}.ipynb)")
    lines = []
    for block in glossary.split("\n### ")[1:]:
        name, rest = block.split("\n", 1)
        anchor = re.sub(r"\s+", "-", name.strip().lower())
        links = f"\nLinked from: {', '.join(users[anchor])}.\n" if anchor in users else ""
        lines.append(f"({anchor})=\n## {name}\n{rest.rstrip()}\n{links}")
    return "# Glossary\n\n" + "\n".join(lines)


def index_page(sources: list[Path], *, with_claims: bool) -> str:
    """The way in: the clickable map of the field, the table of lessons, and the whole contents."""
    from course_utils.authoring.contents import lesson_table

    names = [source.stem for source in sources if number_of(source).isdigit()]
    beside = ["lessons/glossary", "teachers", *(["claims"] if with_claims else [])]
    parts = {
        "map": field_map(sources),
        "table": lesson_table(sources, "lessons/", "thumbnails/"),
        "lessons": "\n".join(["lessons/00_contents", *(f"lessons/{name}" for name in names)]),
        "beside": "\n".join([*beside, *(f"api_{package}" for package in API)]),
    }
    page = (HERE / "index.md").read_text("utf-8")
    for name, text in parts.items():
        page = page.replace(f"{{{{{name}}}}}", text)
    return page


def field_map(sources: list[Path]) -> str:
    """The map of the field as SVG in which each lesson's box is a link."""
    import matplotlib.pyplot as plt

    from course_utils.teach.field_map import PLACES, describe, show_field_map

    names = {number_of(source): source.stem for source in sources}
    with plt.rc_context({"svg.hashsalt": "course", "svg.fonttype": "path"}):
        figure = show_field_map()
        chips = [patch for patch in figure.axes[0].patches if type(patch).__name__ == "FancyBboxPatch"]
        for place, chip in zip(PLACES, chips, strict=True):
            chip.set_url(f"lessons/{names[f'{place.lesson:02d}']}.html")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        plt.close(figure)
    drawing = buffer.getvalue()[buffer.getvalue().index("<svg") :]
    titles = iter(f"{place.lesson:02d} {' '.join(place.name.split())}" for place in PLACES)
    drawing = re.sub(
        r'<a xlink:href="([^"]+)"[^>]*>',
        lambda link: f'<a href="{link[1]}" aria-label="{html.escape(next(titles))}">',
        drawing,
    )
    return drawing.replace("<svg ", f'<svg role="group" aria-label="{html.escape(describe())}" ', 1)


def api_page(package: str, modules: Iterable[str]) -> str:
    """The public functions of a package's modules, from their docstrings."""
    blocks = [f"# course_utils.{package}", ""]
    for module in modules:
        name = f"course_utils.{package}.{module}"
        blocks += [f"## {module}", "", "```{eval-rst}", f".. automodule:: {name}", "   :members:", "```", ""]
    return "\n".join(blocks)
