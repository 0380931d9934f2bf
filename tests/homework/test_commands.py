"""The teacher's commands, for a class of seven with the troubles that a class has."""

import csv
import json
import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make homework` does it")
if sys.platform == "win32":
    pytest.skip("locks of Unix", allow_module_level=True)

from course_utils.authoring.homework import course, grading
from course_utils.authoring.homework.__main__ import main

DEMO = Path(__file__).parent / "demo.py"
HANDED_IN = {  # whose file, and which of the known submissions it is
    "anna/demo/demo.ipynb": "right",
    "ben/demo/demo.ipynb": "mistaken1",
    "Chloé Dubois/demo/demo.ipynb": "right",
    "dora/demo/demo (1).ipynb": "right",  # an attachment, as a browser names a second one
    "emil/demo.ipynb": "empty",  # not in a folder of the assignment
    "who.ipynb": "right",
}


@pytest.fixture(scope="module", autouse=True)
def only_the_demo():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "sources", lambda: [DEMO])
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A course folder in which seven students have handed in, each in another way."""
    folder = tmp_path_factory.mktemp("commands") / "class"
    main(["--folder", str(folder), "--seed", "2027"])
    known = {one.student: one.notebook for one in course.submissions(course.read_assignment(DEMO, 2027))}
    known["right"].cells[-1].source = "A text that somebody has to read."
    for place, which in HANDED_IN.items():
        course._write(known[which], folder / "submitted" / place)
    (folder / "submitted" / "fritz" / "demo").mkdir(parents=True)  # and nothing in it
    other = folder / "submitted" / "gero" / "demo" / "demo.ipynb"
    other.parent.mkdir(parents=True)
    other.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return folder


def run(folder: Path, capfd, *arguments: str) -> tuple[str, str]:
    """What a command printed, its helpers too, and how it ended."""
    capfd.readouterr()
    try:
        main([*arguments, "--folder", str(folder)])
        end = ""
    except SystemExit as stop:
        end = str(stop)
    return capfd.readouterr().out, end


@pytest.fixture(scope="module")
def first(folder):
    """The first call of `--grade` with two processes, and what it ended with."""
    with pytest.raises(SystemExit) as stop:
        main(["--grade", "--jobs", "2", "--folder", str(folder)])
    return str(stop.value)


def test_all_that_can_be_graded_is_graded_and_the_others_are_named_once(folder, first):
    assert first.splitlines() == [
        "demo: fritz: there is no demo.ipynb in the folder",
        "demo: gero: it has 0 of 3 questions; is it another assignment's notebook?",
    ]
    assert grading.students(folder, "demo") == ["Chloé Dubois", *"anna ben dora emil fritz gero".split()]
    assert grading.ungraded(folder, "demo") == ["fritz", "gero"]


def test_a_second_call_grades_what_came_since(folder, first, capfd):
    out, end = run(folder, capfd, "--grade")
    assert "demo: 7 handed in, 2 to grade" in out and "0 graded, 2 could not be graded" in out
    assert "submitted/who.ipynb: whose is it?" in out and len(end.splitlines()) == 2
    shutil.copytree(folder / "submitted" / "anna", folder / "submitted" / "fritz", dirs_exist_ok=True)
    out, end = run(folder, capfd, "--grade", "demo")
    assert "demo: fritz: " in out and "1 graded, 1 could not be graded" in out
    assert end == "demo: gero: it has 0 of 3 questions; is it another assignment's notebook?"


def test_marks_and_feedback_under_each_name(folder, first, capfd):
    without = len(grading.ungraded(folder, "demo"))  # one or two: the test above may run elsewhere
    for _ in range(2):  # a second call changes nothing
        out, end = run(folder, capfd, "--marks")
        assert "texts wait for you" in out and f"{without} without a mark" in out and not end
        rows = csv.DictReader((folder / "marks" / "demo.csv").open(encoding="utf-8-sig"))
        points = {row["student"]: row["points"] for row in rows}
        assert points | {"anna": "5", "Chloé Dubois": "5", "ben": "1", "dora": "5", "emil": "0"} == points
        assert points["gero"] == "", "not graded is not zero"
        assert (folder / "feedback" / "Chloé Dubois" / "demo" / "demo.html").is_file()


def test_made_again_it_stays_the_same_and_another_seed_is_refused(folder, first, capfd):
    before = (folder / "source" / "demo" / "demo.ipynb").read_bytes()
    ungraded = grading.ungraded(folder, "demo")
    out, end = run(folder, capfd)
    assert "demo: seed 2027, 3 questions, 10 points, 5 minutes" in out and not end
    assert (folder / "source" / "demo" / "demo.ipynb").read_bytes() == before
    assert grading.ungraded(folder, "demo") == ungraded, "nothing has to be graded again"
    _, end = run(folder, capfd, "--seed", "2028")
    assert end.startswith(
        "error: demo went out with seed 2027, and 7 students have handed in: keep that seed"
    )


def test_the_check_leaves_the_class_alone(folder, first, capfd):
    before = grading.students(folder, "demo")
    out, end = run(folder, capfd, "--check")
    assert "  right: 5 points" in out and "every submission got what it deserves" in out and not end
    assert grading.students(folder, "demo") == before


def test_bad_input_nothing_made_nothing_handed_in_and_nothing_graded(tmp_path, capfd):
    assert run(tmp_path, capfd, "--grade")[1].endswith("`make homework` first")
    assert run(tmp_path, capfd, "--marks", "demo")[1].endswith("`make homework` first")
    assert run(tmp_path, capfd, "other")[1] == "error: no assignment other; there are demo"
    assert run(tmp_path, capfd, "--jobs", "0")[1].startswith("error: --jobs is the number of processes")
    run(tmp_path, capfd, "demo")
    _, end = run(tmp_path, capfd, "--grade")
    assert end.startswith("error: nobody has handed in demo: put each notebook into")
    assert "demo: nothing is graded yet" in run(tmp_path, capfd, "--marks")[0]
