"""The agreement page: every method agrees, every known defect is measured, and the command writes it."""

import numpy as np
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
    assert set(pages.LIBRARIES) <= libraries
    methods = {row.method for row in page.rows}
    assert {
        "CAM",
        "Grad-CAM",
        "Score-CAM",
        "SmoothGrad",
        "guided backprop",
        "occlusion",
        "TreeSHAP",
        "one attention head",
        "attention rollout",
        "cosine similarity",
        "projection (PCA)",
    } <= methods
    assert ("Shapley values", "shap Exact") in {(row.method, row.library) for row in page.rows}
    assert page.largest == max(row.difference for row in page.rows)


def test_the_known_defects_are_measured(page):
    found = {defect.what.split(":")[0]: defect for defect in page.defects}
    assert len(found) == 5
    trapezoid = next(d for d in page.defects if "trapezoid" in d.what)
    assert trapezoid.shows and trapezoid.found == pytest.approx(0.9, abs=0.01)
    right = pages.Defect("a library", "nothing", 1.0, 1.0)
    assert not right.shows


def test_the_errors_of_courses_show(page):
    assert len(page.errors) == 8
    assert all(error.difference > 0.1 for error in page.errors)
    cosine = next(error for error in page.errors if error.published.startswith("cosine"))
    inputs = pages._pictures().flatten(1).numpy()
    unit = inputs / np.linalg.norm(inputs, axis=1, keepdims=True)
    assert cosine.difference == pytest.approx(np.abs(2 * unit @ unit.T - 1).max())  # the largest cosine is 1


def test_the_page_is_text_markdown_and_html(page):
    text, markdown, web = str(page), page.to_markdown(), page._repr_html_()
    for row in page.rows:
        assert row.method in text and row.method in markdown
    assert markdown.startswith("Measured with captum ")
    for error in page.errors:
        assert error.published in text and error.published in markdown and error.published in web
    n_lines = len(page.rows) + len(page.defects) + len(page.errors)
    assert web.count("<table>") == 3 and web.count("<tr>") == n_lines + 3
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
