"""Form checks of homework answers: the form is judged at once, the answer never."""

import numpy as np
import pytest

from course_utils.teach import answers


@pytest.mark.parametrize(
    "check",
    [
        lambda: answers.letters("CA", "ABCD"),
        lambda: answers.letters("a", "ABCD"),
        lambda: answers.choice("layer3", ["layer3", "layer4"]),
        lambda: answers.number(np.float32(0.5), 0, 1),
        lambda: answers.numbers([1, np.float64(0.5)], 2),
        lambda: answers.numbers(np.array([3, 4]), 2),
        lambda: answers.array(np.zeros((2, 3)), (2, 3)),
        lambda: answers.function(np.square, np.zeros(3), shape=(3,)),
        lambda: answers.text("two words", (2, 5)),
    ],
)
def test_a_well_formed_answer_passes(check):
    check()


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: answers.letters(None, "ABCD"), "not answered yet"),
        (lambda: answers.letters(["A"], "ABCD"), "as a string, such as 'AB'"),
        (lambda: answers.letters("AE", "ABCD"), "'E' is not an option"),
        (lambda: answers.letters("AA", "ABCD"), "stands there twice"),
        (lambda: answers.choice("layer9", ["layer3", "layer4"]), "one of 'layer3', 'layer4'"),
        (lambda: answers.number("3"), "write a number"),
        (lambda: answers.number(True), "write a number"),
        (lambda: answers.number(float("nan")), "a number from"),
        (lambda: answers.number(2, 0, 1), "from 0 to 1"),
        (lambda: answers.numbers(None, 2), "not answered yet"),
        (lambda: answers.numbers(3, 2), "write 2 numbers in brackets"),
        (lambda: answers.numbers((1, 2, 3), 2), "write 2 numbers in brackets"),
        (lambda: answers.numbers([1, "2"], 2), "write a number"),
        (lambda: answers.numbers(np.zeros((2, 2)), 2), "write a number"),
        (lambda: answers.array([1, 2], (2,)), "not a list"),
        (lambda: answers.array(np.zeros(3), (2,)), r"\(2,\) is wanted, not \(3,\)"),
        (lambda: answers.array(np.array([np.nan]), (1,)), "infinite or not a number"),
        (lambda: answers.function(3, shape=()), "a function is wanted"),
        (lambda: answers.function(lambda x: None, 1, shape=()), "returns nothing yet"),
        (lambda: answers.text("one", (2, 5)), "2 to 5 words"),
    ],
)
def test_bad_input_says_what_is_wrong_with_the_form(check, message):
    with pytest.raises(ValueError, match=message):
        check()


def test_whose_it_is_comes_from_the_grader_then_the_hub_then_from_what_was_typed(monkeypatch):
    for name in (answers.HANDED_IN_BY, answers.LOGIN):
        monkeypatch.delenv(name, raising=False)
    assert answers.whose(" S123 ") == "s123"
    monkeypatch.setenv(answers.LOGIN, "Ada")
    assert answers.whose("s123") == answers.whose(None) == "ada"
    monkeypatch.setenv(answers.HANDED_IN_BY, "grace")
    assert answers.whose("s123") == "grace"
    monkeypatch.setenv(answers.HANDED_IN_BY, "Chloe\u0301 Dubois")  # as a Mac names a folder
    assert answers.whose(None) == "chlo\u00e9 dubois"


@pytest.mark.parametrize("typed", [None, "", "  ", 3])
def test_bad_input_nobody_knows_whose_it_is(monkeypatch, typed):
    for name in (answers.HANDED_IN_BY, answers.LOGIN):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="type your id above"):
        answers.whose(typed)
