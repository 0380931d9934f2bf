"""Decks: what a slide may name, how it is read, and that each lecture fits its 90 minutes."""

import nbformat
import pytest

from course_utils.authoring import lesson as lessons
from course_utils.authoring.slides import DECKS, LECTURE, DeckError, deck_page, plan, read_deck

NOTEBOOK = nbformat.v4.new_notebook(
    cells=[
        nbformat.v4.new_code_cell(
            "def twice(x):\n    return 2 * x\n\n\nprint(twice(2))",
            outputs=[nbformat.v4.new_output("stream", name="stdout", text="4\n")],
        ),
        nbformat.v4.new_code_cell(
            "plots.show('A cat.')",
            outputs=[
                nbformat.v4.new_output(
                    "display_data", {"image/jpeg": "AAAA"}, metadata={"image/jpeg": {"alt": 'A "cat".'}}
                )
            ],
        ),
    ]
)


def one(text: str) -> str:
    return deck_page(read_deck(f"## Title\n\n{text}\nminutes: 2"), NOTEBOOK)


def test_a_slide_shows_code_output_and_figure_of_its_lesson():
    page = one("code: twice\noutput: print(twice\nfigure: A ")
    assert "def" in page and "print" not in page.split("<pre>4</pre>")[0].split('class="code"')[1]
    assert "<pre>4</pre>" in page
    assert 'alt="A &quot;cat&quot;." src="data:image/jpeg;base64,AAAA"' in page


def test_a_part_of_a_function_and_of_what_was_printed():
    assert "return" in (page := one("code: twice from return to x")) and "twice" not in page.split("code")[-1]
    assert "<pre>4</pre>" in one("output: print(twice from 4 to 4")


def test_what_follows_a_pause_appears_later():
    page = one("now\npause\nlater")
    assert '<div class="text"><h2>' in page
    assert '<div class="fragment text"><p>later' in page


def test_two_columns_stand_below_the_title():
    page = one("pause\nleft\n|||\nright")
    assert page.index("</h2>") < page.index('class="columns"') < page.index("left") < page.index("right")


def test_notes_are_for_the_presenter_and_maths_for_mathjax():
    page = one("$a < b$\nnote: say <it>")
    assert r"\(a &lt; b\)" in page
    assert '<aside class="notes"><p>say &lt;it&gt;</p></aside>' in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("figure: A dog", "0 figures whose description begins with 'A dog'"),
        ("code: thrice", "0 cells with 'thrice'"),
        ("code: A", "1"),
        ("output: plots.show", "prints nothing"),
        ("output: print(twice from 5 to 6", "no lines from '5' to '6'"),
    ],
)
def test_bad_input_what_the_lesson_does_not_have_is_named(text, message):
    if message == "1":
        assert "plots" in one(text)  # the one cell with this text
        return
    with pytest.raises(DeckError, match=message):
        one(text)


@pytest.mark.parametrize("text", ["no title\nminutes: 2", "## Title"])
def test_bad_input_a_slide_needs_a_title_and_minutes(text):
    with pytest.raises(DeckError, match=r"slide 1: needs a title and a line `minutes"):
        read_deck(text)


def test_the_plan_counts_the_minutes():
    slides = read_deck("# Deck\nminutes: 2\n---\n## Next\nminutes: 3\nclass: vote")
    assert "2 slides, 5 minutes" in plan(slides)
    assert "| 2 | 2 | Next | vote |" in plan(slides)


@pytest.mark.parametrize("path", sorted(DECKS.glob("*.md")), ids=lambda path: path.stem)
def test_each_deck_fits_its_lecture_and_its_lesson(path):
    slides = read_deck(path.read_text("utf-8"))
    assert 25 <= len(slides) <= 40
    assert LECTURE - 5 <= sum(slide.minutes for slide in slides) <= LECTURE
    assert sum(bool(slide.activity) for slide in slides) >= 8, "the class does nothing"
    deck_page(slides, nbformat.read(lessons.NOTEBOOKS / f"{path.stem}.ipynb", as_version=4))
