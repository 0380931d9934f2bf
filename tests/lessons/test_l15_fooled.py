"""The made people of companion 15b, the questions about them, and rules that hide."""

import numpy as np
import pytest
import torch

from course_utils.lessons import l15_fooled as lesson


def test_the_corner_that_the_object_covers_least():
    masks = torch.zeros(1, 10, 10, dtype=torch.bool)
    masks[:, :5] = masks[:, :, :5] = True
    (aim,) = lesson.emptiest_corners(masks, side=4)
    assert aim.sum() == 16 and aim[6:, 6:].all()
    for wrong, side, message in ((masks[0], 4, "one a picture"), (masks, 11, "side"), (masks, 0, "side")):
        with pytest.raises(ValueError, match=message):
            lesson.emptiest_corners(wrong, side)


def test_right_answers_are_one_a_picture():
    pictures = torch.eye(3)
    assert lesson.is_right(torch.nn.Identity(), pictures, torch.tensor([0, 1, 1])).tolist() == [1, 1, 0]
    with pytest.raises(ValueError, match="one a picture"):
        lesson.is_right(torch.nn.Identity(), pictures, torch.tensor([[0], [1], [1]]))


def test_people_are_possible_and_repeat_with_their_seed():
    rows = lesson.people(500, seed=3)
    age, job, income, rent, savings, debts, punctual, group = rows.T
    assert rows.shape == (500, len(lesson.COLUMNS))
    assert (job <= age - 18).all() and (job >= 0).all()
    assert min(income.min(), rent.min(), savings.min(), debts.min()) > 0
    assert set(np.unique(punctual)) == set(np.unique(group)) == {0, 1}
    assert abs(group.mean() - 0.5) < 0.1
    np.testing.assert_array_equal(rows, lesson.people(500, seed=3))
    with pytest.raises(ValueError, match="tie must be a finite number"):
        lesson.people(5, tie=float("nan"))
    with pytest.raises(ValueError, match="n must be at least 1"):
        lesson.people(0)


def test_a_tie_shows_in_the_rent_only():
    free, tied = lesson.people(2000, seed=1), lesson.people(2000, seed=1, tie=8.0)
    np.testing.assert_array_equal(free[:, : lesson.GROUP], tied[:, : lesson.GROUP])
    dear = free[:, 3] > 0.3 * free[:, 2]
    assert abs(np.mean(dear == free[:, lesson.GROUP]) - 0.5) < 0.06
    assert np.mean(dear == tied[:, lesson.GROUP]) > 0.85


@pytest.mark.parametrize("kind", lesson.KINDS)
def test_there_is_one_question_a_person(kind):
    known = lesson.people(200)
    asked = lesson.questions(kind, known[:60], known)
    assert asked.shape == (60, 8) and np.isfinite(asked).all()
    assert set(np.unique(asked[:, lesson.PUNCTUAL :])) <= {0, 1}


def test_unknown_questions_are_refused():
    known = lesson.people(60)
    for kinds in ("LIME", []):
        with pytest.raises(ValueError, match="kinds is a list"):
            lesson.detector(lesson.people(20), kinds)
    with pytest.raises(ValueError, match="choose one of LIME"):
        lesson.questions("by post", known, known)


def test_questions_of_shap_take_each_value_from_the_person_or_the_background():
    known = lesson.people(100)
    asked = lesson.shap_questions(known, known[:1])
    from_person = asked == known
    assert (from_person | (asked == known[0])).all()
    assert not from_person.all(axis=1)[1:].all()


def test_exchanged_people_differ_in_the_group_alone():
    known = lesson.people(50)
    other = lesson.swapped(known)
    np.testing.assert_array_equal(known[:, : lesson.GROUP], other[:, : lesson.GROUP])
    np.testing.assert_array_equal(known[:, lesson.GROUP] + other[:, lesson.GROUP], 1)


def test_a_scaffold_answers_row_by_row():
    known = lesson.people(80)
    rule = lesson.scaffold(lambda rows: rows[:, 0] > 40)
    old = known[:, 0] > 40
    np.testing.assert_array_equal(rule(known)[old], lesson.by_punctuality(known)[old])
    np.testing.assert_array_equal(rule(known)[~old], lesson.by_group(known)[~old])
