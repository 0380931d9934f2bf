"""Tables that training writes into a page stand between their own markers."""

import pytest

from course_utils.labs.files import DATA
from course_utils.training.table import put_table


def test_only_the_named_table_changes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n<!-- y: begin -->\n<!-- y: end -->\n")
    put_table("x", r"new \1", page)
    assert page.read_text() == (
        "a\n<!-- x: begin -->\nnew \\1\n<!-- x: end -->\nb\n<!-- y: begin -->\n<!-- y: end -->\n"
    )


def test_bad_input_a_page_without_the_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="has no lines <!-- x: begin -->"):
        put_table("x", "new", page)
    assert page.read_text() == "nothing"


@pytest.mark.parametrize("name", ["report", "text", "masked-word"])
def test_the_data_page_has_the_tables(name):
    page = (DATA / "README.md").read_text("utf-8")
    assert page.index(f"<!-- {name}: begin -->") < page.index(f"<!-- {name}: end -->")
