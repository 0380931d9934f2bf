"""With nbgrader itself: what students get holds no answer, and what they hand in gets what it deserves."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make homework` does it")

from course_utils.authoring.homework import course

DEMO = Path(__file__).parent / "demo.py"


@pytest.fixture
def demo(tmp_path, monkeypatch):
    shutil.copy(DEMO, tmp_path / "demo.py")
    monkeypatch.setattr(course, "sources", lambda: [tmp_path / "demo.py"])
    return tmp_path / "course", course.make_course(tmp_path / "course", 2027)[0]


def test_students_get_no_solution_and_no_hidden_test(demo):
    folder, _ = demo
    release = (folder / "release" / "demo" / "demo.ipynb").read_text("utf-8")
    for hidden in ("values.max()", "return 2", "default_rng(SEED + 1)", "mistake", "smallest"):
        assert hidden not in release
    assert "SEED = 2027" in release and "answers.number(biggest)" in release


@pytest.mark.filterwarnings("ignore")
def test_each_submission_gets_what_it_deserves(demo):
    folder, assignment = demo
    made = list(course.submissions(assignment))
    assert [submission.student for submission in made] == ["empty", "right", "mistaken1"]
    for submission in made:
        got = course.grade(folder, "demo", submission)
        assert course.complaints(submission, got) == []
