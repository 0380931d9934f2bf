"""A homework's source: what it says becomes nbgrader's metadata, and what it forgets is named."""

from pathlib import Path

import pytest

from course_utils.authoring.homework.assignment import AssignmentError, read_assignment, sources

DEMO = Path(__file__).parent / "demo.py"


def test_questions_points_and_mistakes_are_read():
    assignment = read_assignment(DEMO)
    assert [(q.name, q.points, q.by_hand) for q in assignment.questions] == [
        ("biggest", 2, False),
        ("twice", 3, False),
        ("essay", 5, True),
    ]
    assert [(m.diagnosis, m.question, m.points) for m in assignment.mistakes] == [
        ("the smallest", "biggest", 0),
        ("gave x back", "twice", 1),
    ]
    marks = {c.metadata.nbgrader.grade_id: c.metadata.nbgrader for c in assignment.notebook.cells}
    assert marks["test_twice"]["points"] == 3 and marks["test_twice"]["locked"]
    assert marks["essay"]["grade"] and marks["essay"]["solution"]
    assert not any("smallest" in c.source.split("HIDDEN")[0] for c in assignment.notebook.cells)


def test_another_seed_changes_the_seed_only():
    first, second = read_assignment(DEMO), read_assignment(DEMO, seed=2031)
    changed = [b.source for a, b in zip(first.notebook.cells, second.notebook.cells, strict=True) if a != b]
    assert len(changed) == 1 and changed[0].startswith("SEED = 2031\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("SEED = 2026\n", "", "no code cell sets `SEED"),
        ('points=2 minutes=1 trains="01 §2"', "points=2", "question biggest: needs minutes="),
        ('test="twice"', 'test="thrice"', 'question twice: has no cell test="twice"'),
        ('question="twice"', 'question="biggest"', "question biggest: stands there twice"),
        (
            "biggest = float(values.max())",
            "other = 1",
            "needs a solution between the markers that sets biggest",
        ),
        ('of="twice" points=1', 'of="twice" points=3', "needs of= a question, and points= below"),
        ("# BEGIN HIDDEN TESTS\nif np.isclose", "if np.isclose", "test biggest: has no hidden tests"),
    ],
)
def test_bad_input_what_a_source_forgets_is_named(tmp_path, old, new, message):
    text = DEMO.read_text("utf-8")
    assert old in text
    path = tmp_path / "demo.py"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(AssignmentError, match=message.replace("(", r"\(")):
        read_assignment(path)


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_each_assignment_follows_the_rules(path):
    assignment = read_assignment(path)
    graded = [question for question in assignment.questions if not question.by_hand]
    assert len(graded) >= 8
    assert all(question.trains for question in graded), "which section does it train?"
    tried = {mistake.question for mistake in assignment.mistakes}
    assert len(tried) >= len(graded) / 2, "typical wrong answers for half of the questions"
