"""Every exercise of the course: its stub, its solution and each typical mistake get the right verdict."""

import ast
import importlib
import itertools
import pkgutil

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import exercises as package
from course_utils.authoring import lesson as lessons
from course_utils.teach.checks import NOT_ATTEMPTED, RIGHT, WRONG, Exercise, Question, exercises_in

SOURCES = {path.stem: lessons.read_lesson(path) for path in lessons.sources()}
MODULES = {
    name: importlib.import_module(f"{package.__name__}.{name}")
    for _, name, _ in pkgutil.iter_modules(package.__path__)
}
IN_MODULES = [
    pytest.param(task, id=f"{name}-{key}")
    for name, module in MODULES.items()
    for key, task in exercises_in(module).items()
]
IN_LESSONS = [
    pytest.param(lesson, cell, check, id=f"{name}-{cell.exercise}")
    for name, lesson in SOURCES.items()
    for cell, check in lessons.checks(lesson)
]


def contexts(task: Question) -> list[tuple]:
    return [case if isinstance(case, tuple) else (case,) for case in task.examples()]


def first_imports(lesson: lessons.Lesson) -> list[str]:
    """The import statements above the first section: they serve every exercise."""
    above = itertools.takewhile(lambda cell: not cell.text.startswith("## "), lesson.cells)
    code = [node for cell in above if cell.kind == "code" for node in ast.parse(cell.text).body]
    return [ast.unparse(node) for node in code if isinstance(node, ast.Import | ast.ImportFrom)]


def run_cell(lesson: lessons.Lesson, text: str, name: str):
    """What an exercise cell calls `name`, run beside its module's names and the lesson's first imports."""
    used = next((m for m in MODULES.values() if lesson.exercises.items() <= exercises_in(m).items()), None)
    namespace = {**(vars(used) if used else {}), "torch": torch, "nn": nn, "F": F, "np": np}
    exec("\n".join(first_imports(lesson)), namespace)
    namespace.pop(name, None)
    exec(compile(text, "answer", "exec"), namespace)
    return namespace[name]


@pytest.mark.parametrize("task", IN_MODULES)
def test_nothing_is_left_out(task):
    assert task.problems() == []
    names = [name for module in MODULES.values() for name, t in exercises_in(module).items() if t is task]
    assert task.name in names


def test_every_exercise_stands_in_a_lesson():
    used = {id(task) for lesson in SOURCES.values() for task in lesson.exercises.values()}
    asked = {cell.exercise for lesson in SOURCES.values() for cell in lesson.cells if cell.exercise}
    for name, module in MODULES.items():
        for key, task in exercises_in(module).items():
            assert id(task) in used and key in asked, f"no lesson asks exercise {name}.{key}"


@pytest.mark.parametrize(("lesson", "cell", "check"), IN_LESSONS)
def test_stub_is_not_attempted(lesson, cell, check):
    name = lessons.answer_name(check.text, cell.exercise)
    task = lesson.exercises[cell.exercise]
    answer = run_cell(lesson, lessons.stub(cell.text, name), name)
    for context in contexts(task) if isinstance(task, Question) else [()]:
        assert task.check(answer, *context).state == NOT_ATTEMPTED


@pytest.mark.parametrize(("lesson", "cell", "check"), IN_LESSONS)
def test_solution_is_right(lesson, cell, check):
    """A question's own solution belongs to one run of its notebook: it is tried there, at the end."""
    task = lesson.exercises[cell.exercise]
    if isinstance(task, Exercise):
        name = lessons.answer_name(check.text, cell.exercise)
        verdict = task.check(run_cell(lesson, lessons.solved(cell.text), name))
        assert verdict.state == RIGHT, verdict
    else:
        for context in contexts(task):
            assert task.check(task.expected(*context), *context).state == RIGHT


@pytest.mark.parametrize("task", IN_MODULES)
def test_each_mistake_has_its_own_diagnosis(task):
    assert len({mistake.diagnosis for mistake in task.mistakes.values()}) == len(task.mistakes)
    for name, mistake in task.mistakes.items():
        if isinstance(task, Exercise):
            verdicts = [task.check(mistake.function)]
        else:
            answers = [(mistake.example(*context), context) for context in contexts(task)]
            verdicts = [task.check(answer, *context) for answer, context in answers]
            # in some runs a typical mistake happens to lead to the right answer
            verdicts = [verdict for verdict in verdicts if verdict.state != RIGHT]
        assert verdicts, f"the example of {name!r} is right in every context"
        for verdict in verdicts:
            assert (verdict.state, verdict.mistake, verdict.message) == (WRONG, name, mistake.diagnosis)


@pytest.mark.parametrize("task", [p for p in IN_MODULES if getattr(p.values[0], "given", None)])
def test_code_that_was_given_is_not_attempted(task):
    assert task.check(task.given).state == NOT_ATTEMPTED
