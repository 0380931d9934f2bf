"""The builder, on a tiny lesson of its own: what it makes, and what it refuses."""

import base64

import nbformat
import pytest
from demo import write_demo
from nbconvert import HTMLExporter

from course_utils.authoring import budgets
from course_utils.authoring import lesson as lessons
from course_utils.authoring.budgets import Cost, slowness, table
from course_utils.authoring.build import WIDGET_TEXT, build, execute
from course_utils.authoring.contents import END, PLACE, lesson_table, update_readme
from course_utils.authoring.lesson import LessonError


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The demonstration lesson, built; the builder's printed table."""
    folder = tmp_path_factory.mktemp("built") / "notebooks"
    write_demo(folder)
    costs = build(folder=folder)
    return folder, costs


def line_of(source, text: str) -> int:
    lines = source.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


class TestLearnersEdition:
    def test_stub_check_and_folded_solution_follow_each_other(self, built):
        cells = nbformat.read(built[0] / "01_demo.ipynb", as_version=4).cells
        place = next(i for i, cell in enumerate(cells) if cell.metadata.get("exercise") == "channel_means")
        stub, check, folded = cells[place : place + 3]
        assert stub.source.endswith('"""(N, C, H, W) → (N, C)."""\n    ...  # your code here')
        assert check.source == "exercises.channel_means.check(channel_means)"
        assert check.outputs[0].data["text/plain"].startswith("○ Not attempted yet.")
        assert folded.source.startswith(
            "<details>\n<summary>Solution</summary>\n\n```python\ndef channel_means"
        )
        assert "maps.mean(dim=(2, 3))" in folded.source

    def test_a_questions_answer_is_none(self, built):
        cells = nbformat.read(built[0] / "01_demo.ipynb", as_version=4).cells
        cell = next(cell for cell in cells if cell.metadata.get("exercise") == "largest")
        assert cell.source == "largest = None\n# your answer here"

    def test_find_the_bug_starts_from_the_faulty_code(self, built):
        cells = nbformat.read(built[0] / "01_demo.ipynb", as_version=4).cells
        cell = next(cell for cell in cells if cell.metadata.get("exercise") == "repaired")
        assert cell.source == "def repaired(maps):\n    return maps * maps"

    def test_headings_get_stars_and_minutes(self, built):
        text = (built[0] / "01_demo.ipynb").read_text(encoding="utf-8")
        assert "### Exercise: average every channel · ★☆☆ · 5 minutes" in text
        assert "### Exercise: find the bug · ★★☆ · 1 minute" in text

    def test_nothing_that_differs_between_machines_or_runs(self, built):
        stored = nbformat.read(built[0] / "01_demo.ipynb", as_version=4)
        assert stored.metadata == lessons.METADATA
        assert len({cell.id for cell in stored.cells}) == len(stored.cells)
        explorer = [cell for cell in stored.cells if cell.cell_type == "code"][-1]
        assert explorer.outputs[-1].data == {"text/plain": WIDGET_TEXT}
        assert all(not cell.metadata.get("execution") for cell in stored.cells)

    def test_a_figure_is_stored_once_as_a_picture_with_its_alt_text(self, built):
        cells = nbformat.read(built[0] / "01_demo.ipynb", as_version=4).cells
        (figure,) = next(cell for cell in cells if "plots.show(" in cell.source).outputs
        alt = 'A "rising" line, from 1 to 3 & no further.'
        assert set(figure.data) == {"image/jpeg", "text/plain"}
        assert figure.data["text/plain"] == alt
        assert figure.metadata == {"image/jpeg": {"alt": alt}}
        assert base64.b64decode(figure.data["image/jpeg"], validate=True).startswith(b"\xff\xd8")

        page, _ = HTMLExporter(template_name="classic").from_filename(built[0] / "01_demo.ipynb")
        assert " alt=" in page and "rising" in page and "No description" not in page

    def test_costs_are_measured_and_stored(self, built):
        folder, (cost,) = built
        assert 0 < cost.first_figure <= cost.seconds
        assert cost.megabytes > 50
        assert '"01_demo"' in (folder.parent / "build" / "budgets.json").read_text(encoding="utf-8")


def test_a_rebuild_gives_the_same_bytes(built):
    folder, _ = built
    first = (folder / "01_demo.ipynb").read_bytes()
    build(["01_demo"], folder)
    assert (folder / "01_demo.ipynb").read_bytes() == first
    assert not list(folder.glob("*.part"))


def test_solved_edition_is_right_everywhere(built):
    folder, _ = built
    build(folder=folder, edition="solved")
    text = (folder.parent / "build" / "solutions" / "01_demo.ipynb").read_text(encoding="utf-8")
    assert text.count('"✓ Right."') == 3
    assert "SOLUTION" not in text
    assert "<summary>" not in text
    assert "maps * maps" not in text


def test_ids_follow_the_content_not_the_place(tmp_path):
    before = lessons.notebook(lessons.read_lesson(write_demo(tmp_path / "a" / "notebooks")))
    inserted = (
        "# %% [markdown]\n# ### Exercise: find",
        "# %%\n1 + 1\n\n# %% [markdown]\n# ### Exercise: find",
    )
    after = lessons.notebook(lessons.read_lesson(write_demo(tmp_path / "b" / "notebooks", inserted)))
    same = {cell.id for cell in before.cells} & {cell.id for cell in after.cells}
    assert len(same) >= len(before.cells) - 1  # the cell that imports the exercises differs here
    assert len(after.cells) == len(before.cells) + 1


MEANS = 'exercise="channel_means"'
SOLUTION = "    # BEGIN SOLUTION\n    return maps.mean(dim=(2, 3))\n    # END SOLUTION\n"
ONE_AXIS = (
    """        "one axis": Mistake(lambda maps: maps.mean(dim=2), "you averaged over the rows only."),\n"""
)


def refusal(source) -> list[str]:
    with pytest.raises(LessonError) as error:
        lessons.read_lesson(source)
    return error.value.problems


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        ("difficulty=1,\n    minutes=5", "minutes=5", MEANS, "has no difficulty"),
        ("minutes=5,", "", MEANS, "has no minutes"),
        ('hints=("Read the print-out.",)', "hints=()", 'exercise="largest"', "has no hints"),
        (ONE_AXIS, "", MEANS, "has 1 typical mistakes, at least two are needed"),
        (
            "            example=lambda values: int(values.argmin()),\n",
            "",
            'exercise="largest"',
            "without an example",
        ),
    ],
)
def test_incomplete_exercises_are_refused(tmp_path, old, new, at, message):
    source = write_demo(tmp_path / "notebooks", exercises=((old, new),))
    place = f"{source}:{line_of(source, at)}: "
    assert any(problem.startswith(place) and message in problem for problem in refusal(source))


@pytest.mark.parametrize(
    ("changes", "at", "message"),
    [
        ([(SOLUTION, "    return 1\n")], MEANS, "has no solution"),
        (
            [
                ("def channel_means(maps):\n", "# BEGIN SOLUTION\ndef channel_means(maps):\n"),
                (SOLUTION, "    return 1\n# END SOLUTION\n"),
            ],
            MEANS,
            "has no stub",
        ),
        ([("exercises.channel_means.check(channel_means)", "1")], MEANS, "has no check"),
        ([('exercise="repaired"', 'exercise="mended"')], 'exercise="mended"', "is not in the module"),
        ([('exercise="repaired"', MEANS)], MEANS, "appears twice"),
        ([(SOLUTION, SOLUTION.replace("    # END SOLUTION\n", ""))], MEANS, "without its END"),
        ([(SOLUTION, SOLUTION.replace("    # BEGIN SOLUTION\n", ""))], "# END SOLUTION", "without its BEGIN"),
        ([(SOLUTION, SOLUTION.replace("# BEGIN", "## BEGIN"))], "## BEGIN", "is not a marker"),
        ([(f"# %% {MEANS}", "# %%")], "    # BEGIN SOLUTION", "marker outside a cell"),
        ([("import torch\n", "import torch (\n")], "import torch (", "not Python"),
        ([("# %% [markdown]\n# # A demo", "# # A demo")], "# # A demo", "needs its own"),
    ],
)
def test_faulty_sources_are_refused_with_file_and_line(tmp_path, changes, at, message):
    source = write_demo(tmp_path / "notebooks", *changes)
    problems = refusal(source)
    place = f"{source}:{line_of(source, at)}: "
    assert any(problem.startswith(place) and message in problem for problem in problems), problems


def plain_lesson(folder, *cells: str):
    source = folder / "source" / "01_plain.py"
    source.parent.mkdir(parents=True)
    source.write_text("".join(f"# %%\n{cell}\n\n" for cell in cells), encoding="utf-8")
    return source


def test_outputs_that_may_not_be_stored(tmp_path):
    source = plain_lesson(
        tmp_path / "notebooks",
        "import sys, warnings\nwarnings.warn('beware')",
        "print('/home' + '/someone/file.py')",
        "object()",
        "print('a/tmp/b and https://arxiv.org/abs/1610.02391')",
    )
    with pytest.raises(LessonError) as error:
        execute(lessons.read_lesson(source))
    lines = [problem.split(": ")[0] for problem in error.value.problems]
    # the warning also names the kernel's own file
    assert lines == [f"{source}:1"] * (len(lines) - 2) + [f"{source}:5", f"{source}:8"]
    text = str(error.value)
    assert "writes to stderr" in text
    assert "beware" in text
    assert "/home/someone" in text
    assert "address in memory" in text


def test_a_failing_cell_is_named_and_the_old_notebook_stays(tmp_path):
    source = plain_lesson(tmp_path / "notebooks", "x = 1", "x / 0")
    target = tmp_path / "notebooks" / "01_plain.ipynb"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(LessonError, match="ZeroDivisionError: division by zero") as error:
        build(folder=tmp_path / "notebooks")
    assert error.value.problems[0].startswith(f"{source}:4: ")
    assert target.read_text(encoding="utf-8") == "old"


def test_an_error_that_is_meant_keeps_its_message_only(tmp_path):
    source = plain_lesson(tmp_path / "notebooks", "1")
    source.write_text('# %% tags=["raises-exception"]\nint("x")\n', encoding="utf-8")
    made, _ = execute(lessons.read_lesson(source))
    assert made.cells[0].outputs[0].traceback == ["ValueError: invalid literal for int() with base 10: 'x'"]


def test_a_wrong_solution_is_refused(tmp_path):
    source = write_demo(tmp_path / "notebooks", ("largest = 1", "largest = 2"))
    with pytest.raises(
        LessonError, match='solution of "largest" is not right: ✗ Wrong, because you counted'
    ) as error:
        execute(lessons.read_lesson(source))
    line = line_of(source, 'exercise="largest"')
    assert f":{line}: " in str(error.value)


def test_an_unknown_lesson_lists_the_known_ones(tmp_path):
    plain_lesson(tmp_path / "notebooks", "1")
    with pytest.raises(LessonError, match=r"no lesson 99_none; there are: 01_plain"):
        build(["99_none"], tmp_path / "notebooks")


def test_the_table_of_costs_marks_what_is_over():
    text = table([Cost("01_a", 12.3, 4.5, 700), Cost("02_long_name", 70, None, 2100)])
    assert "12.3 s " in text
    assert "70.0 s!" in text
    assert "2100 MB!" in text
    assert Cost("x", 130).excess() > 2


def test_a_slower_machine_gets_more_time_and_no_more_memory():
    assert Cost("x", 130, slowness=2.0).excess() == pytest.approx(130 / 120)
    assert Cost("x", 1, megabytes=4200, slowness=3.0).excess() > 2
    assert "2.0 times as long" in table([Cost("x", 130, slowness=3.0), Cost("y", 1)])
    assert 1 <= slowness() < 50


def test_fixed_work_that_takes_longer_counts_as_slow(monkeypatch):
    work = budgets._fixed_work
    monkeypatch.setattr(budgets, "FIXED_WORK", 1e-5)
    once = slowness()
    monkeypatch.setattr(budgets, "_fixed_work", lambda: (work(), work(), work()))
    assert slowness() > 1.5 * once > 1


def test_the_table_of_lessons_comes_from_the_title_cells(tmp_path):
    """A core has a row; its companions stand beside it, each with its measured minutes."""
    (tmp_path / "source").mkdir()
    core, companion = (tmp_path / "source" / f"{name}.py" for name in ("04_maps", "04b_more_maps"))
    words = "word " * 400
    core.write_text(
        "# %% [markdown]\n# # 04 · Maps: where?\n#\n# **The question.** Where did\n# it look?\n#\n"
        f"# {words}\n\n# %%\n1\n",
        encoding="utf-8",
    )
    companion.write_text(
        "# %% [markdown]\n# # 04b · More maps\n#\n# **The question.** And then?\n\n# %%\n1\n",
        encoding="utf-8",
    )
    row = (
        "| 04 | [Maps: where?](notebooks/04_maps.ipynb) | Where did it look? | 3 min "
        "| 04b [More maps](notebooks/04b_more_maps.ipynb) (0 min) |"
    )
    assert lesson_table([core, companion], "notebooks/").splitlines()[-1] == row
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{PLACE}\nold\n{END}\nbelow\n", encoding="utf-8")
    update_readme(readme, [core, companion])
    text = readme.read_text(encoding="utf-8")
    assert row in text
    assert "old" not in text
    assert text.startswith("above")
    assert text.endswith("below\n")
