"""A graded class: a grader that is killed loses nothing; marks as CSV; feedback without tests; statistics."""

import copy
import csv
import html
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make homework` does it")
if sys.platform == "win32":
    pytest.skip("locks of Unix", allow_module_level=True)

from course_utils.authoring.homework import course, grading, marks, report
from course_utils.authoring.homework.assignment import Question, read_assignment

DEMO = Path(__file__).parent / "demo.py"
GRADE = "import sys, pathlib; from course_utils.authoring.homework.grading import grade_all\n"
GRADE += "for done in grade_all(pathlib.Path(sys.argv[1]), 'demo'): print(done, flush=True)"
# tells what it was called with: open values in the open check, hidden ones in the hidden test
TELLTALE = "def twice(x):\n    raise ValueError(f'Cell In[1], line 1 {x!r}')"


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A course folder with five submissions, whose grader was killed in the middle; and its processes."""
    folder = tmp_path_factory.mktemp("class")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "sources", lambda: [DEMO])
        made = course.make_course(folder, 2027)[0]
    notebooks = {one.student: one.notebook for one in course.submissions(made)}
    notebooks["telltale"] = copy.deepcopy(notebooks["right"])
    for cell in notebooks["telltale"].cells:
        if cell.metadata.nbgrader.grade_id == "twice":
            cell.source = TELLTALE
    for student, notebook in notebooks.items():
        hand_in(folder, student, notebook)
    broken = folder / "submitted" / "broken" / "demo" / "demo.ipynb"
    broken.parent.mkdir(parents=True)
    broken.write_text('{"cells": [')

    short = tmp_path_factory.mktemp("t")  # its name is in the command of each kernel
    grader = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", GRADE, folder], env={**os.environ, "TMPDIR": str(short)}
    )
    until = time.monotonic() + 600
    while not (len(grading.ungraded(folder, "demo")) == 4 and kernels(short)):
        assert grader.poll() is None and time.monotonic() < until, "it should be at the second submission"
        time.sleep(0.1)
    grader.kill()
    grader.wait()
    return folder, short


@pytest.fixture(scope="module")
def graded(killed):
    """The same folder after a second start, and what that one has tried."""
    return killed[0], {done.student: done.problem for done in grading.grade_all(killed[0], "demo")}


def hand_in(folder: Path, student: str, notebook) -> None:
    course._write(notebook, folder / "submitted" / student / "demo" / "demo.ipynb")


def kernels(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in part for part in process.info["cmdline"] or [])
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="prctl of Linux")
def test_a_killed_grader_leaves_no_kernel(killed):
    until = time.monotonic() + 15
    while kernels(killed[1]) and time.monotonic() < until:
        time.sleep(0.2)
    assert not kernels(killed[1])


def test_a_second_start_grades_the_others_only(graded):
    folder, tried = graded
    assert set(tried) == {"broken", "mistaken1", "right", "telltale"}
    assert tried.pop("broken").startswith("NotJSONError") and not any(tried.values())
    assert grading.ungraded(folder, "demo") == ["broken"]
    points = {
        student: sum(p for p, _ in course.scores(folder, "demo", student).values()) for student in tried
    }
    assert points == {"mistaken1": 1, "right": 5, "telltale": 2}


def test_two_graders_do_not_take_the_same_submission(graded):
    folder, _ = graded
    mark = folder / "grading" / "demo" / "right"
    digest = mark.read_text()
    mark.write_text("")
    with grading._claimed(folder, "demo", "right") as mine:
        assert mine is not None
        assert [done.student for done in grading.grade_all(folder, "demo")] == ["broken"]
    mark.write_text(digest)


def test_bad_input_an_assignment_that_is_not_there(tmp_path):
    with pytest.raises(course.HomeworkError, match="no assignment other in"):
        list(grading.grade_all(tmp_path, "other"))
    with pytest.raises(course.HomeworkError, match="no gradebook: make and grade"):
        marks.read_marks(tmp_path, "demo")


def test_the_table_of_marks(graded, tmp_path):
    found = marks.read_marks(graded[0], "demo")
    marks.write_csv(tmp_path / "demo.csv", found)
    rows = {row["student"]: row for row in csv.DictReader(open(tmp_path / "demo.csv", encoding="utf-8-sig"))}
    assert list(rows) == ["broken", "empty", "mistaken1", "right", "telltale"]
    assert rows["right"] | {"points": "5", "of": "10", "biggest": "2", "twice": "3"} == rows["right"]
    assert rows["mistaken1"]["twice"] == "1" and rows["empty"]["points"] == "0"
    assert rows["broken"]["points"] == rows["broken"]["biggest"] == "", "not graded is not zero"


def test_no_cell_of_the_table_is_a_formula(tmp_path):
    marks.write_csv(tmp_path / "t.csv", [marks.Marks("=cmd()", "-x", "", "", 0.0, {})])
    assert (tmp_path / "t.csv").read_text("utf-8-sig").splitlines()[1].startswith("'=cmd(),'-x,")


def test_feedback_has_points_and_mistakes_and_no_hidden_test(graded):
    pages = {path.parents[1].name: read(path) for path in marks.write_feedback(graded[0], "demo")}
    assert set(pages) == {"empty", "mistaken1", "right", "telltale"}
    for page in pages.values():
        for hidden in ("SEED + 1", "np.allclose", "np.isclose", "HIDDEN", "twice(fresh)"):
            assert hidden not in page
        assert "answers.number(biggest)" in page and "Score: " in page
    assert "mistake: the smallest" in pages["mistaken1"] and "mistake: gave x back" in pages["mistaken1"]
    assert "demo (Score: 1.0 / 10.0)" in pages["mistaken1"]
    assert "ValueError: not answered yet" in pages["empty"]


def test_feedback_does_not_tell_what_a_hidden_test_calls_a_function_with(graded):
    from course_utils.authoring.homework.preprocessor import _said
    from course_utils.authoring.homework.run import _error

    marks.write_feedback(graded[0], "demo")
    page = read(graded[0] / "feedback" / "telltale" / "demo" / "demo.html")
    assert "twice raised ValueError: Cell In[1], line 1 array([" in page, (
        "of the open check, with open values"
    )
    of_a_test = _error("RuntimeError", "twice raised ValueError: [0.1, 0.2]")
    of_a_test.traceback = [
        "-----",
        "Cell In[9], line 4",
        "RuntimeError: twice raised ValueError: Cell In[9], line 1",
    ]
    assert _said(of_a_test, 1) == "twice raised ValueError in a test"
    of_a_test.evalue = "twice raised Told_0_1: 0.1"
    assert _said(of_a_test, 1) == "no points: the tests could not use this answer"


def read(path: Path) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", path.read_text("utf-8")))


def test_the_statistics_show_frequent_wrong_answers_and_nobodys_name(graded):
    found = marks.read_marks(graded[0], "demo")
    page = report.statistics_page(read_assignment(DEMO), found)
    assert "4 graded submissions; students without one: 1" in page
    assert "the smallest" in page and "gave x back" in page and "<code>-" in page
    assert not any(word in page for word in ("telltale", "mistaken1", "src=", "href="))


def student(name: str, points: dict[str, float], **last) -> marks.Marks:
    of = {"a": 1.0, "b": 2.0, "c": 5.0}
    return marks.Marks(name, "", "", "", 0.0, {q: marks.Mark(p, of[q], **last) for q, p in points.items()})


def test_a_question_that_good_students_fail_is_marked():
    good = [student(f"g{i}", {"a": 0, "b": 2, "c": 5}) for i in range(6)]
    weak = [student(f"w{i}", {"a": 1, "b": 0, "c": 0}) for i in range(6)]
    assert report.with_the_rest("a", good + weak) == pytest.approx(-1)
    assert report.with_the_rest("b", good + weak) > 0.5
    assert report.with_the_rest("a", good) != report.with_the_rest("a", good), "says nothing: nan"


def test_the_statistics_show_what_students_wrote_as_text_only():
    told = student("s", {"a": 0}, answer="'<script>'", said="<b>")
    made = read_assignment(DEMO)
    question = Question("a", 1.0, 1.0, "<i>", False)
    page = report.statistics_page(type(made)("<u>", made.notebook, [question], []), [told])
    assert "<script>" not in page and "<b>-" not in page and "<i>" not in page and "<u>" not in page
    assert "&lt;script&gt;" in page


def test_statistics_of_nobody():
    page = report.statistics_page(read_assignment(DEMO), [])
    assert "0 graded submissions" in page
