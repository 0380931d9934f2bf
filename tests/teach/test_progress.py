"""Solved exercises are noted in a workbook only, whatever happens to the file; old answers are called old."""

import json
import sys
import types
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace

import nbformat
import pytest

from course_utils.teach import history, progress
from course_utils.teach.checks import RIGHT, WRONG, Question


def task(name: str = "pool") -> Question:
    return Question(name, 1, 1, ("look",), {}, expected=lambda: 7, examples=lambda: [()])


@pytest.fixture
def lesson(monkeypatch):
    module = types.ModuleType("course_utils.exercises.l04_maps")
    module.pool, module.upsample = task(), task("upsample")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / progress.WORKBOOK).write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_right_answer_is_noted_and_a_wrong_one_is_not(lesson, folder):
    assert lesson.pool.check(3).state == WRONG
    assert not (folder / progress.FILE).exists()
    assert lesson.pool.check(7).state == RIGHT
    assert json.loads((folder / progress.FILE).read_text()) == {"04_maps": {"pool": True}}
    lesson.upsample.check(7)
    assert progress.solved(folder) == {"04_maps": {"pool": True, "upsample": True}}
    assert {path.name for path in folder.iterdir()} == {progress.WORKBOOK, progress.FILE}


def test_outside_a_workbook_nothing_is_noted(lesson, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lesson.pool.check(7).state == RIGHT
    assert list(tmp_path.iterdir()) == []
    assert progress.Progress()._repr_html_() is None


@pytest.mark.parametrize("damage", ["", "[1]", '{"04_maps": 3}', "{"])
def test_a_damaged_file_does_not_disturb_the_check(lesson, folder, damage):
    (folder / progress.FILE).write_text(damage)
    assert lesson.pool.check(7).state == RIGHT
    assert progress.solved(folder) == {"04_maps": {"pool": True}}


def test_a_file_that_cannot_be_written_does_not_disturb_the_check(lesson, folder):
    (folder / progress.FILE).mkdir()
    assert lesson.pool.check(7).state == RIGHT
    assert not (folder / progress.LOCK).exists()


def test_a_lock_that_was_left_behind_is_taken_away(lesson, folder, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.1)
    (folder / progress.LOCK).touch()
    lesson.pool.check(7)
    assert progress.solved(folder) == {"04_maps": {"pool": True}}


def _note(folder: str, number: int) -> None:
    module = types.ModuleType(f"course_utils.exercises.l{number:02d}_maps")
    sys.modules[module.__name__] = module
    for i in range(5):
        made = SimpleNamespace(name=f"task{i}")
        setattr(module, made.name, made)
        progress.note(made, folder)


def test_many_kernels_at_once_lose_nothing(folder):
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_note, [str(folder)] * 8, range(8)))
    assert {lesson: len(names) for lesson, names in progress.solved(folder).items()} == {
        f"{number:02d}_maps": 5 for number in range(8)
    }


def test_the_table_counts_core_and_companion(lesson, folder):
    def write(name: str, title: str, *exercises: str) -> None:
        checks = [nbformat.v4.new_code_cell(f"exercises.{e}.check({e})") for e in exercises]
        nbformat.write(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# {title}"), *checks]),
            folder / name,
        )

    write("00_contents.ipynb", "Contents")
    write("04_maps.ipynb", "04 · Maps <all>", "pool", "upsample")
    write("04_maps (new).ipynb", "04 · Maps", "pool")
    write("04b_more.ipynb", "04b · More", "other")
    lesson.pool.check(7)
    table = progress.Progress()
    assert repr(table).split("\n") == ["  ✓ 1 of 2  04 · Maps <all>", "    0 of 1  04b · More"]
    assert '<a href="04_maps.ipynb">04 · Maps &lt;all&gt;</a>' in table._repr_html_()
    assert table._repr_html_().count("<tr>") == 3


CHECK = "exercises.pool.check(pool)"


@pytest.mark.parametrize(
    ("inputs", "old"),
    [
        (["pool = 7", CHECK], False),
        (["pool = 7", "pool = 8 +", CHECK], True),
        (["pool = 7", "pool = 8 +", "pool = 9", CHECK], False),
        (["pool = 7", "other = 8 +", CHECK], False),
        (["pool = 7", "pool == 8 +", CHECK], False),
        (["pool = 7", "def pool(x:\n    return x", CHECK], True),
        (["pool = 7", "pool = 8 +", "print(exercises)"], False),
        ([], False),
    ],
)
def test_an_answer_from_before_a_syntax_error_is_old(inputs, old):
    assert history.is_old("pool", 7, inputs) is old


def test_ipython_itself(lesson, capsys):
    """The function is the old one after a SyntaxError, and after an error above its `def` line."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        shell.user_ns["exercises"] = lesson
        lesson.pool = Question("pool", 1, 1, ("look",), {}, expected=lambda: 7)

        def run(text: str):
            return shell.run_cell(text, store_history=True).result

        run("def pool(x):\n    return x")
        assert "before it" not in str(run(CHECK))
        run("def pool(x)\n    return 2 * x")
        assert "this is about the version before it" in str(run(CHECK))
        run("def pool(x):\n    return 3 * x")
        assert "before it" not in str(run(CHECK))
        run("unknown\ndef pool(x):\n    return 4 * x")
        assert "this is about the version before it" in str(run(CHECK))
    finally:
        InteractiveShell.clear_instance()
        capsys.readouterr()
