"""The template of a lesson is a lesson: it builds, keeps the limits, and its claims can be read."""

import ast

import pytest

from course_utils.authoring import lesson as lessons
from course_utils.authoring.build import build
from course_utils.authoring.sitting import over_limits
from course_utils.authoring.template.__main__ import targets, write


def test_a_new_lesson_builds(tmp_path, capsys):
    paths = write("98_new_method", tmp_path)
    source, exercises, claims = paths
    exercises.rename(tmp_path / "notebooks" / exercises.name)  # the kernel imports it from its own folder
    text = source.read_text(encoding="utf-8")
    assert "# # 98 · " in text and "99" not in text
    source.write_text(text.replace("from course_utils.exercises import", "import"), encoding="utf-8")
    build(["98_new_method"], tmp_path / "notebooks")
    assert over_limits(lessons.read_lesson(source)) == []
    assert (tmp_path / "notebooks" / "98_new_method.ipynb").exists()
    ast.parse(claims.read_text(encoding="utf-8"))
    with pytest.raises(FileExistsError, match="is there already"):
        write("98_new_method", tmp_path)


@pytest.mark.parametrize("name", ["", "new", "1_new", "14_New", "../14_new", "14_new.py"])
def test_other_names_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="14_new_method"):
        write(name, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert targets("14_new", tmp_path)
