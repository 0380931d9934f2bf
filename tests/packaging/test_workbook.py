"""The learner's copies: laid out without outputs, kept up to date, and never overwritten."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
import workbook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_utils.authoring.lesson import NOTEBOOKS

NAME = "04_maps.ipynb"


def lesson(code: str = "answer = None"):
    shown = new_output("execute_result", {"text/plain": "the answer"}, execution_count=3)
    made = new_notebook(
        cells=[
            new_markdown_cell("# 04 · Maps ☀"),
            new_code_cell(code, outputs=[shown], execution_count=3),
            new_markdown_cell("[Contents](00_contents.ipynb) · [Glossary](glossary.md)"),
        ]
    )
    for number, cell in enumerate(made.cells):
        cell.id = str(number)
    return made


@pytest.fixture(params=["plain", "Mein Kurs äöü 课 [1]"])
def folders(tmp_path, request):
    originals = tmp_path / request.param / "notebooks"
    (originals / "source").mkdir(parents=True)
    (originals / "source" / "04_maps.py").write_text("# the solution")
    (originals / "glossary.md").write_text("# Glossary ☀\n", encoding="utf-8")
    nbformat.write(lesson(), originals / NAME)
    return originals, originals.parent / "workbook"


def update(folders) -> list[str]:
    return workbook.update(*map(str, folders))


def change(folder, name: str, code: str, **more) -> None:
    """Save a notebook as JupyterLab does: other metadata, perhaps outputs."""
    notebook = nbformat.read(folder / name, as_version=4)
    notebook.cells[1].update(source=code, **more)
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    nbformat.write(notebook, folder / name)


def code_in(folder, name: str) -> str:
    return nbformat.read(folder / name, as_version=4).cells[1].source


def shown(folder) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_the_first_start_copies_lessons_and_glossary_without_outputs(folders):
    assert update(folders) == []
    assert shown(folders[1]) == {NAME, "glossary.md"}
    copy = nbformat.read(folders[1] / NAME, as_version=4)
    nbformat.validate(copy)
    assert copy.cells[1].outputs == []
    assert copy.cells[1].execution_count is None
    original = nbformat.read(folders[0] / NAME, as_version=4)
    assert [(cell.id, cell.source) for cell in copy.cells] == [(c.id, c.source) for c in original.cells]
    assert (folders[1] / workbook.RECORD).exists()


def test_the_second_start_changes_nothing(folders):
    update(folders)
    change(folders[1], NAME, "answer = 42")
    before = {path: path.read_bytes() for path in folders[1].iterdir()}
    assert update(folders) == []
    assert {path: path.read_bytes() for path in folders[1].iterdir()} == before


def test_a_new_version_replaces_a_copy_that_was_only_opened(folders):
    update(folders)
    change(folders[1], NAME, "answer = None")
    change(folders[0], NAME, "answer = None  # new")
    assert update(folders) == []
    assert code_in(folders[1], NAME) == "answer = None  # new"
    assert shown(folders[1]) == {NAME, "glossary.md"}


@pytest.mark.parametrize(
    "work",
    [{"code": "answer = 42"}, {"code": "answer = None", "outputs": [new_output("stream", text="mine")]}],
    ids=["written", "run"],
)
def test_a_new_version_is_laid_beside_the_learners_work(folders, work):
    update(folders)
    change(folders[1], NAME, **work)
    mine = (folders[1] / NAME).read_bytes()
    change(folders[0], NAME, "answer = None  # new")
    (line,) = update(folders)
    assert "04_maps (new).ipynb" in line
    change(folders[0], NAME, "answer = None  # newer")
    (line,) = update(folders)
    assert "04_maps (new 2).ipynb" in line
    assert update(folders) == []
    assert (folders[1] / NAME).read_bytes() == mine
    assert code_in(folders[1], "04_maps (new).ipynb") == "answer = None  # new"
    assert code_in(folders[1], "04_maps (new 2).ipynb") == "answer = None  # newer"


def test_new_outputs_of_the_original_are_no_new_version(folders):
    update(folders)
    change(folders[1], NAME, "answer = 42")
    change(folders[0], NAME, "answer = None", outputs=[new_output("stream", text="other")])
    assert update(folders) == []


def test_a_deleted_copy_comes_back_fresh(folders):
    update(folders)
    change(folders[1], NAME, "answer = 42")
    (folders[1] / NAME).unlink()
    assert update(folders) == []
    assert code_in(folders[1], NAME) == "answer = None"


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"04_maps.ipynb": null}', "7"])
def test_without_its_record_no_work_is_lost(folders, damage):
    update(folders)
    change(folders[1], NAME, "answer = 42")
    (folders[1] / workbook.RECORD).write_text(damage)
    change(folders[0], NAME, "answer = None  # new")
    assert len(update(folders)) == 1
    assert code_in(folders[1], NAME) == "answer = 42"


def test_a_copy_that_is_no_notebook_is_left_alone(folders):
    update(folders)
    (folders[1] / NAME).write_text("half a file")
    (folders[1] / workbook.RECORD).unlink()
    assert len(update(folders)) == 1
    assert (folders[1] / NAME).read_text() == "half a file"


def test_two_starts_at_once(folders):
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: update(folders), range(16))) == [[]] * 16
    assert shown(folders[1]) == {NAME, "glossary.md"}
    assert not [path for path in folders[1].iterdir() if path.name.startswith(".half")]
    assert set(json.loads((folders[1] / workbook.RECORD).read_text())) == {NAME, "glossary.md"}


def test_the_course_in_a_workbook(tmp_path):
    """Every link between notebooks holds there, nothing is answered, and no source is in sight."""
    workbook.update(str(NOTEBOOKS), str(tmp_path))
    assert shown(tmp_path) == {path.name for kind in ("*.ipynb", "*.md") for path in NOTEBOOKS.glob(kind)}
    for path in tmp_path.glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs")
            for target in re.findall(r"\]\(([^)\s]+)\)", cell.source) if cell.cell_type == "markdown" else ():
                target = target.split("#")[0]
                if target and (NOTEBOOKS / target).is_file():
                    assert (tmp_path / target).is_file(), (path.name, target)
