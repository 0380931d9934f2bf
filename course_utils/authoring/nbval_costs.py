"""A pytest plugin for nbval's run of the notebooks: reports what each lesson costs, and proves its solutions.

Use: `pytest -p course_utils.authoring.nbval_costs --nbval-lax notebooks`. After a notebook's last cell, every
exercise is answered with its source's solution in the same kernel, and the check there must say "right".
"""

import ast
import functools
import statistics
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell

from course_utils.authoring.budgets import FAIL_AT, Cost, peak_megabytes, processor_seconds, slowness, table

_costs: dict[str, Cost] = {}
_slownesses: dict[str, list[float]] = {}


def pytest_collection_modifyitems(items):
    """Compare texts, not HTML: a figure runs as HTML and is stored as a picture, both with its alt text."""
    cells = [item for item in items if isinstance(item, IPyNbCell)]
    for notebook in {cell.parent for cell in cells}:
        notebook.skip_compare = (*notebook.skip_compare, "text/html", "image/jpeg", "image/png")
    for cell in cells:
        cell.compare_outputs = functools.partial(_compare, cell.compare_outputs)


def _compare(compare, test, ref, *rest):
    """As nbval does, without what the builder does not store: bars, and what makes explorers obey."""
    from course_utils.authoring.build import is_live  # imports torch: only where it is needed

    return compare([output for output in test if not is_live(output)], ref, *rest)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """While the kernel still runs: note its memory; after the last cell, try the solutions."""
    kernel = getattr(item.parent, "kernel", None)
    wrong: list[str] = []
    if isinstance(item, IPyNbCell) and kernel is not None and kernel.is_alive():
        has_figure = any("image/" in key for out in item.cell.outputs for key in out.get("data", ()))
        used = processor_seconds(kernel.km.provisioner.pid)
        slow = slowness() if has_figure else None  # some times in each lesson
        item.user_properties.append(
            ("lesson", (Path(item.path).stem, has_figure, _memory(kernel), used, slow))
        )
        is_last = nextitem is None or nextitem.parent is not item.parent
        if is_last and not item.parent.timed_out:
            wrong = wrong_solutions(Path(item.path), kernel.kc)
    result = yield
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)
    return result


def pytest_runtest_logreport(report):
    """Add one cell to its lesson's cost (where several processes test, this runs in the first one)."""
    lesson = dict(report.user_properties).get("lesson")
    if report.when == "call":
        name = Path(report.location[0]).stem
        _costs.setdefault(name, Cost(name)).seconds += report.duration
    elif report.when == "teardown" and lesson:
        name, has_figure, megabytes, used, slow = lesson
        cost = _costs.setdefault(name, Cost(name))
        cost.megabytes = max(cost.megabytes, megabytes)
        cost.processor = used if used is not None else cost.processor
        if slow is not None:
            slownesses = _slownesses.setdefault(name, [])
            slownesses.append(slow)
            cost.slowness = statistics.median(slownesses)
        if has_figure and cost.first_figure is None:
            cost.first_figure = cost.seconds


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    if any(cost.excess() > FAIL_AT for cost in _costs.values()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    if not _costs:
        return
    terminalreporter.section("what the lessons cost")
    terminalreporter.write_line(table(sorted(_costs.values(), key=lambda cost: cost.lesson)))
    for cost in _costs.values():
        if cost.excess() > FAIL_AT:
            terminalreporter.write_line(
                f"FAILED {cost.lesson}: {cost.excess():.1f} times its budget", red=True
            )


def wrong_solutions(notebook: Path, client) -> list[str]:
    """Answer the exercises of a notebook that has just run; says which checks do not call that right."""
    from course_utils.authoring import lesson as lessons  # imports torch: only where it is needed

    source = notebook.parent / "source" / f"{notebook.stem}.py"
    if not source.exists():
        return []
    wrong = []
    lesson = lessons.read_lesson(source)
    for cell, check in lessons.checks(lesson):
        *statements, last = ast.parse(check.text).body
        code = (
            lessons.solved(cell.text) + "\n" + "\n".join(ast.unparse(statement) for statement in statements)
        )
        reply = client.execute_interactive(
            code,
            store_history=False,
            user_expressions={"verdict": f"str({ast.unparse(last)})"},
            output_hook=lambda message: None,
            timeout=120,
        )["content"]
        verdict = reply.get("user_expressions", {}).get("verdict", {})
        text = verdict.get("data", {}).get("text/plain") or verdict.get("evalue") or reply.get("evalue", "")
        if "✓" not in text[:2]:
            wrong.append(f'{source}:{cell.line}: the solution of "{cell.exercise}" is not right: {text}')
    return wrong


def _memory(kernel) -> float:
    return peak_megabytes(kernel.km.provisioner.pid)
