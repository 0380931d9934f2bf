"""The site's pages before Sphinx sees them; tests/browser/test_site_pages.py opens what it makes."""

import nbformat

from course_utils.authoring import lesson as lessons
from course_utils.authoring.site import api_page, field_map, for_site, index_page, with_back_links
from course_utils.teach.field_map import PLACES


def test_a_figure_keeps_its_description_and_the_links_cell_goes():
    picture = nbformat.v4.new_output(
        "display_data", {"image/jpeg": "AAAA"}, metadata={"image/jpeg": {"alt": "A cat."}}
    )
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("plots.show('A cat.')", outputs=[picture]),
            nbformat.v4.new_markdown_cell("---\n[Contents](00_contents.ipynb)"),
        ]
    )
    made = for_site(notebook, ["04b_more"])
    assert made.cells[0].metadata["mystnb"]["image"]["alt"] == "A cat."
    assert [cell.cell_type for cell in made.cells] == ["code", "markdown"]
    assert "{toctree}" in made.cells[1].source and "04b_more" in made.cells[1].source


def test_the_glossary_names_the_lessons_that_link_to_a_term(tmp_path):
    source = tmp_path / "04_grad_cam.py"
    source.write_text("# [logit](glossary.md#logit)\n")
    page = with_back_links("# Glossary\n\n### logit\n\nA score.\n\n### lab\n\nA model.\n", [source])
    logit, lab = page.split("## lab")
    assert "Linked from: [04](04_grad_cam.ipynb)" in logit
    assert "Linked from" not in lab


def test_each_box_of_the_map_leads_to_its_lesson():
    drawing = field_map(lessons.sources())
    assert drawing.count("<a href=") == len(PLACES)
    assert 'href="lessons/04_grad_cam.html" aria-label="04 Grad-CAM"' in drawing


def test_the_index_has_every_core_lesson():
    page = index_page(lessons.sources(), with_claims=False)
    for source in lessons.sources():
        assert f"lessons/{source.stem}" in page
    assert "claims" not in page


def test_an_api_page_names_its_modules():
    assert ".. automodule:: course_utils.methods.cam" in api_page("methods", ["cam"])
