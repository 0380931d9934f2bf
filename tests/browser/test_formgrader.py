"""A teacher reads a text in nbgrader's formgrader; points and comment reach marks and feedback."""

import re
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make homework` does it")
from lab_server import CHROMIUM, jupyterlab

from course_utils.authoring.homework import course, grading, marks

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
DEMO = Path(__file__).parents[1] / "homework" / "demo.py"


@pytest.fixture
def graded(tmp_path, monkeypatch):
    """A course folder: one student wrote a text, another one left it empty; all but the text is graded."""
    monkeypatch.setattr(course, "sources", lambda: [DEMO])
    made = course.make_course(tmp_path / "course", 2027)[0]
    right = next(one.notebook for one in course.submissions(made) if one.student == "right")
    course._write(right, tmp_path / "course" / "submitted" / "ben" / "demo" / "demo.ipynb")
    essay = next(c for c in right.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "essay")
    essay.source = "The map lies on the snow in both pictures."
    course._write(right, tmp_path / "course" / "submitted" / "anna" / "demo" / "demo.ipynb")
    assert not any(done.problem for done in grading.grade_all(tmp_path / "course", "demo"))
    return tmp_path / "course"


def test_a_text_is_graded_by_hand(graded, tmp_path, browser):
    assert {one.student: one.questions["essay"].to_grade for one in marks.read_marks(graded, "demo")} == {
        "anna": True,
        "ben": False,  # nothing is written there: no points, and nobody has to look
    }
    (tmp_path / "private").mkdir()
    with jupyterlab(graded, tmp_path / "private") as address:
        page = browser.new_page()
        page.goto(f"{address}/formgrader/gradebook?token=course")
        page.goto(f"{address}/formgrader/gradebook/demo/demo")
        waiting = page.locator("tbody tr").filter(has=page.locator(".needs-manual-grade .glyphicon-ok"))
        waiting.get_by_role("link", name=re.compile("Submission")).click()
        page.wait_for_load_state("networkidle")  # its fields obey when the grades are there
        assert "The map lies on the snow" in page.inner_text("body")
        assert "anna" not in page.inner_text("body")  # names are covered while texts are read
        for place, value in (("#essay", "4"), ("#essay-comment", "How *many* pictures?")):
            page.fill(place, value)
            with page.expect_response(lambda answer: answer.request.method == "PUT") as saved:
                page.press(place, "Tab")
            assert saved.value.ok
        page.close()
    anna, ben = marks.read_marks(graded, "demo")
    assert (anna.points, anna.questions["essay"].to_grade, ben.points) == (9, False, 5)
    feedback = {page.parts[-3]: page.read_text("utf-8") for page in marks.write_feedback(graded, "demo")}
    assert "How <em>many</em> pictures?" in feedback["anna"] and "9.0 / 10.0" in feedback["anna"]
    assert "pictures?" not in feedback["ben"]
