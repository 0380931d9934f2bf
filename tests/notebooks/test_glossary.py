"""The glossary page is what its file says, and every link to a term leads to one."""

import re

import pytest

from course_utils.authoring import lesson as lessons
from course_utils.authoring.glossary import glossary_page, read_glossary

TERMS = read_glossary(lessons.NOTEBOOKS / "source" / "glossary.txt")


def test_the_page_is_in_step():
    page = (lessons.NOTEBOOKS / "glossary.md").read_text(encoding="utf-8")
    assert page == glossary_page(TERMS, lessons.sources()), "make text, or make lessons"


@pytest.mark.parametrize("path", lessons.sources(), ids=lambda path: path.stem)
def test_links_lead_to_a_term(path):
    linked = set(re.findall(r"glossary\.md#([^)\s]+)\)", path.read_text(encoding="utf-8")))
    assert linked <= {term.anchor for term in TERMS}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("logit | a score", "a line reads"),
        ("a | b. | 04\nA | c. | 05", "twice"),
        (" | b | 04", "a line reads"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, problem):
    (tmp_path / "glossary.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=problem):
        read_glossary(tmp_path / "glossary.txt")
