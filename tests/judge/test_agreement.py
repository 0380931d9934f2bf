"""The agreement page: every row agrees and runs alone, every known defect is measured."""

import numpy as np
import pytest
import torch

from course_utils.judge import agreement, methods_table
from course_utils.judge.agreement import libraries, pages
from course_utils.judge.agreement.defects import DEFECTS
from course_utils.judge.agreement.errors import ERRORS
from course_utils.judge.agreement.row import Measured, MeasuredDefect, Row
from course_utils.judge.agreement.subjects import asked, pictures
from course_utils.judge.tables import Table


def names(items):
    return [f"{item.method} | {item.library} | {item.convention}" for item in items]


@pytest.mark.parametrize("row", pages.ROWS, ids=names(pages.ROWS))
def test_every_row_agrees(row):
    measured = row.run()
    assert measured.difference <= row.limit
    assert (measured.method, measured.library, measured.convention) == (
        row.method,
        row.library,
        row.convention,
    )


def test_the_rows_cover_the_libraries_and_the_table_of_methods():
    assert set(libraries.LIBRARIES) <= {row.library.split()[0] for row in pages.ROWS}
    assert pages.without_row() == ()
    methods = {row.method for row in pages.ROWS}
    assert {
        "one attention head",
        "attention rollout",
        "cosine similarity",
        "projection (PCA)",
        "TreeSHAP",
        "partial dependence",
        "ICE curves",
        "permutation importance",
    } <= methods
    assert len(set(names(pages.ROWS))) == len(pages.ROWS)


def test_rows_can_be_asked_for():
    assert names(agreement.rows("Grad-CAM", "captum")) == ["Grad-CAM | captum | no ReLU, the layer's size"]
    assert {row.library for row in agreement.rows("Grad-CAM")} == {"captum", "torchcam", "grad-cam"}
    assert {row.method for row in agreement.rows("LIME")} == {"LIME, pictures", "LIME, texts", "LIME, tables"}
    assert agreement.rows(library="shap") and len(agreement.rows(library="shap Exact")) == 2
    assert agreement.rows() == pages.ROWS
    with pytest.raises(ValueError, match=r"no row is about 'tea leaves'; there are CAM, Grad-CAM"):
        agreement.rows("tea leaves")
    with pytest.raises(ValueError, match=r"no row compares with 'zennit' here; there are captum, torchcam"):
        agreement.rows("Grad-CAM", "zennit")
    result = agreement.run("Grad-CAM", "captum")
    assert result.rows[0].difference < 1e-9 and "no ReLU, the layer's size" in str(result)


def test_a_row_says_when_shapes_differ_and_leaves_the_libraries_as_they_were():
    from lime import lime_image

    bar = lime_image.tqdm
    with pytest.raises(ValueError, match=r"mine, theirs: \(2,\) beside \(3,\)"):
        Row("mine", "theirs", "", lambda: np.zeros(2), lambda: np.zeros(3)).run()
    assert lime_image.tqdm is bar
    inputs = asked()[1]
    with libraries.same_noise(inputs, 2):
        assert torch.normal(0, 1).shape == (6, *inputs.shape[1:])
    assert torch.normal(torch.zeros(3), 1.0).shape == (3,)


@pytest.mark.parametrize("defect", DEFECTS, ids=[defect.what for defect in DEFECTS])
def test_the_known_defects_are_measured(defect):
    found = defect.run()
    assert np.isfinite(found.found)
    if "trapezoid" in defect.what:
        assert found.shows and found.found == pytest.approx(0.9, abs=0.01)
    assert not MeasuredDefect("a library", "nothing", 1.0, 1.0).shows


@pytest.mark.filterwarnings("ignore")
def test_guided_backprop_with_torch_relu_is_the_plain_gradient():
    from captum.attr import GuidedBackprop

    from course_utils.judge.agreement.defects import _Functional
    from course_utils.methods.gradients import input_x_gradient

    model, inputs, targets = asked()
    theirs = GuidedBackprop(_Functional(model)).attribute(inputs.clone(), targets)
    assert torch.allclose(theirs * inputs, input_x_gradient(model, inputs, targets))


@pytest.mark.parametrize("error", ERRORS, ids=[error.published for error in ERRORS])
def test_the_errors_of_courses_show(error):
    difference = error.run().difference
    assert difference > 0.1
    if error.published.startswith("cosine"):
        flat = pictures().flatten(1).numpy()
        unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
        assert difference == pytest.approx(np.abs(2 * unit @ unit.T - 1).max())  # the largest cosine is 1


@pytest.fixture
def page():
    """A small page with invented numbers: how it prints does not depend on the libraries."""
    rows = (Measured("CAM", "torchcam", 3e-9, "no ReLU"), Measured("a|b", "captum", 0.25, "<none>"))
    defects = (MeasuredDefect("captum", "trapezoid", 1.0, 0.9), MeasuredDefect("shap", "players", 16, 16))
    errors = (pages.MeasuredError("1 − cosine", "cosine", 0.5),)
    return pages.Page(rows, defects, errors)


def test_the_page_is_text_markdown_and_html(page):
    text, markdown, web = str(page), page.to_markdown(), page._repr_html_()
    assert text == repr(page) and text.splitlines()[:3] == [
        "method  library   largest difference  convention",
        "CAM     torchcam  ≤ 1e-06             no ReLU",
        "a|b     captum    0.25                <none>",
    ]
    assert markdown.startswith("Measured with captum ") and "| a\\|b | captum | 0.25 | <none> |" in markdown
    assert "&lt;none&gt;" in web and web.count("<table>") == 3 and web.count("<tr>") == 3 + 5
    for cell in ("1 − cosine", "no longer", "16.00", "yes"):
        assert cell in text and cell in markdown and cell in web
    assert page.largest == 0.25
    assert "no_row" not in text and "not compared" not in text


def test_one_renderer_for_all_tables():
    table = Table(("a", "b"), (("1", "x|y"), ("long", "<z>")))
    assert table.text().splitlines() == ["a     b", "1     x|y", "long  <z>"]
    assert table.markdown().splitlines() == ["| a | b |", "|---|---|", "| 1 | x\\|y |", "| long | <z> |"]
    assert "&lt;z&gt;" in table.html()


def test_the_command_writes_a_file(page, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pages, "measure_page", lambda: page)
    file = tmp_path / "page.md"
    assert pages.main([str(file)]) == 0
    assert file.read_text(encoding="utf-8") == page.to_markdown()
    assert pages.main([]) == 0
    assert capsys.readouterr().out == page.to_markdown()


def _fake(model, inputs, target, layer):
    return inputs * 0 + 1


def test_a_new_method_is_one_entry(monkeypatch):
    """Scoreboard, unit tests, agreement page and map of the field see an entry of the table."""
    from course_utils.judge.unit_tests import explanation_tests
    from course_utils.teach.field_map import describe

    fake = methods_table.Method("tea leaves", "gradients", _fake, lesson=8)
    monkeypatch.setattr(methods_table, "METHODS", [*methods_table.METHODS, fake])
    assert methods_table.image_methods()["tea leaves"] is fake
    assert explanation_tests(["tea leaves"], ["linear"])["tea leaves"]["linear"].state == "fails"
    assert "tea leaves" in explanation_tests(networks=["linear"])
    assert pages.without_row() == ("tea leaves",)
    assert "tea leaves  none" in str(pages.Page((Measured("x", "y", 0.0, ""),), (), (), pages.without_row()))
    assert "tea leaves" in describe(8)
