"""The agreement page: every method agrees, every known defect is measured, and the command writes it."""

import pytest
import torch

from course_utils.judge import agreement_page as pages


@pytest.fixture(scope="module")
def page():
    return pages.agreement_page()


def test_every_row_agrees(page):
    for row in page.rows:
        random = "sampling error" in row.convention
        limit = 0.15 if random else 2e-4
        assert row.difference <= limit, row
    libraries = {row.library.split()[0] for row in page.rows}
    assert {"captum", "torchcam", "grad-cam", "zennit", "lime", "shap"} <= libraries
    methods = {row.method for row in page.rows}
    assert {
        "CAM",
        "Grad-CAM",
        "Score-CAM",
        "SmoothGrad",
        "guided backprop",
        "occlusion",
        "TreeSHAP",
    } <= methods
    assert page.largest == max(row.difference for row in page.rows)


def test_the_known_defects_are_measured(page):
    found = {defect.what.split(":")[0]: defect for defect in page.defects}
    assert len(found) == 5
    trapezoid = next(d for d in page.defects if "trapezoid" in d.what)
    assert trapezoid.shows and trapezoid.found == pytest.approx(0.9, abs=0.01)
    right = pages.Defect("a library", "nothing", 1.0, 1.0)
    assert not right.shows


def test_the_page_is_text_markdown_and_html(page):
    text, markdown, web = str(page), page.to_markdown(), page._repr_html_()
    for row in page.rows:
        assert row.method in text and row.method in markdown
    assert markdown.startswith("Measured with captum ")
    assert web.count("<table>") == 2 and web.count("<tr>") == len(page.rows) + len(page.defects) + 2
    assert "0x" not in text


def test_the_command_writes_a_file(page, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pages, "agreement_page", lambda: page)
    file = tmp_path / "page.md"
    assert pages.main([str(file)]) == 0
    assert file.read_text(encoding="utf-8") == page.to_markdown()
    assert pages.main([]) == 0
    assert capsys.readouterr().out == page.to_markdown()


def test_torch_is_left_as_it_was(page):
    assert torch.normal(torch.zeros(3), 1.0).shape == (3,)
