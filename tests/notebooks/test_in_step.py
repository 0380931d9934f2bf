"""The stored notebooks are what their sources say, and fit to be shown as they are."""

import json
import re

import nbformat
import pytest

from course_utils.authoring import lesson as lessons
from course_utils.authoring.build import output_problems

NOTEBOOKS = sorted(lessons.NOTEBOOKS.glob("*.ipynb"))
MEGABYTES = 2
FETCHED = re.compile(
    r"""<(?:img|script|iframe|video|audio|source|embed|link)\b[^>]*?\b(?:src|href)\s*=\s*["']?(?:https?:)?//"""
    r"""|!\[[^]]*\]\((?:https?:)?//|url\(\s*["']?https?:""",
    re.IGNORECASE,
)


def test_every_source_has_its_notebook_and_the_reverse():
    assert [path.stem for path in NOTEBOOKS] == [path.stem for path in lessons.sources()]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def test_cells_are_what_the_source_says(self, path):
        made = lessons.notebook(lessons.read_lesson(lessons.NOTEBOOKS / "source" / f"{path.stem}.py"))
        stored = nbformat.read(path, as_version=4)
        advice = f"build it: make lessons LESSON={path.stem}"
        for ours, theirs in zip(made.cells, stored.cells, strict=False):
            assert theirs.source == ours.source, advice
            assert (theirs.cell_type, theirs.id, theirs.metadata) == (
                ours.cell_type,
                ours.id,
                ours.metadata,
            ), advice
        assert len(stored.cells) == len(made.cells), advice
        assert stored.metadata == made.metadata

    def test_it_ran_once_from_top_to_bottom(self, path):
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))

    def test_no_error_and_nothing_of_the_authors_machine(self, path):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != "code":
                continue
            assert list(output_problems(cell)) == [], cell.source
            if "raises-exception" not in cell.metadata.get("tags", ()):
                assert all(output.output_type != "error" for output in cell.outputs), cell.source

    def test_nothing_is_fetched_from_outside(self, path):
        for cell in nbformat.read(path, as_version=4).cells:
            texts = [cell.source] if cell.cell_type == "markdown" else []
            for output in cell.get("outputs", ()):
                texts += [text for text in output.get("data", {}).values() if isinstance(text, str)]
            for text in texts:
                assert not FETCHED.search(text), FETCHED.search(text)[0]

    def test_links_inside_the_course_lead_somewhere(self, path):
        for cell in nbformat.read(path, as_version=4).cells:
            for target in re.findall(r"\]\(([^)\s]+)\)", cell.source) if cell.cell_type == "markdown" else ():
                if not re.match(r"https?://|#|attachment:|mailto:", target):
                    assert (path.parent / target.split("#")[0]).exists(), target

    def test_every_picture_has_alt_text(self, path):
        without = []
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", ()):
                kinds = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
                without += [cell.source for kind in kinds if not output.metadata.get(kind, {}).get("alt")]
                html = output.get("data", {}).get("text/html", "")
                without += [cell.source for tag in re.findall(r"<img\b[^>]*>", html) if " alt=" not in tag]
        assert not without, f"end with plots.show(…) instead of plt.show(): {without[0]}"

    def test_it_is_small(self, path):
        size = path.stat().st_size / 1e6
        assert size < MEGABYTES, f"{size:.1f} MB"

    def test_no_exercise_is_solved(self, path):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(BEGIN|END) (SOLUTION|STUB)", text)
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and re.search(r"\bexercises\.\w+\.check\(", cell.source):
                assert "Not attempted" in json.dumps(cell.outputs), cell.source
