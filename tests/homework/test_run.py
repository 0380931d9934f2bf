"""Submissions that mean harm, or are just wrong: nobody gets a point for it, and nothing outside changes."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from nbformat.v4 import new_output

from course_utils.authoring.homework import clock, plain, sandbox
from course_utils.authoring.homework.assignment import read_assignment
from course_utils.authoring.homework.run import Limits, _points, run_submission

DEMO = Path(__file__).parent / "demo.py"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets and limits of Unix")


LIMITS = Limits(cell_seconds=8, seconds=60, gigabytes=16, call_seconds=2)


def graded(**changed: str) -> dict[str, str]:
    """What each test cell of the demo said, with some answer cells changed."""
    return {name: text for name, text in said_by(**changed).items() if name.startswith("test_")}


def said_by(**changed: str) -> dict[str, str]:
    """What each code cell of the demo said, with some answer cells changed."""
    notebook = read_assignment(DEMO).notebook
    for cell in notebook.cells:
        cell.source = changed.get(cell.metadata.nbgrader.grade_id, cell.source)
    run_submission(notebook, LIMITS)
    return {
        cell.metadata.nbgrader.grade_id: " ".join(
            o.get("evalue") or o.get("text") or o.get("data", {}).get("text/plain", o.get("ename"))
            for o in cell.outputs
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


def test_right_answers_get_their_points():
    assert graded() == {"test_biggest": "2", "test_twice": "3"}


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", "2"), ("np.int64(3)", "3"), ("np.float64(1.5)", "1.5"), ("tensor(2.)", "2."), ("np.True_", None),
     ("True", "1"), ("'full marks'", None), ("[1]", None)],
)  # fmt: skip
def test_bad_input_points_are_a_number_or_none_at_all(text, number):
    made = _points(new_output("execute_result", data={"text/plain": text}))
    if number is None:
        assert made.output_type == "error" and "no number of points" in made.evalue
    else:
        assert made.data["text/plain"] == number


def test_the_grader_knows_who_handed_it_in_whatever_was_typed():
    notebook = read_assignment(DEMO).notebook
    for cell in notebook.cells:
        name = cell.metadata.nbgrader.grade_id
        if name == "biggest":
            cell.source = "import os\nos.environ['HOMEWORK_STUDENT'] = 'eve'\nbiggest = answers.whose('eve')"
        if name == "test_biggest":
            cell.source = "2 if (biggest, answers.whose('eve')) == ('eve', 'ada') else 0"
    run_submission(notebook, LIMITS, "Ada")
    said = {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells}
    assert said["test_biggest"].outputs[0].data["text/plain"] == "2"


def test_typical_mistakes_are_named():
    said = graded(biggest="biggest = values.min()", twice="def twice(x):\n    return x")
    assert said == {"test_biggest": "mistake: the smallest\n 0", "test_twice": "mistake: gave x back\n 1"}


@pytest.mark.parametrize(
    "code",
    [
        "print('x' * 50_000_000)",
        "huge = bytearray(30 * 2**30)",
        "__import__('os')._exit(0)",
    ],
    ids=["50 MB of output", "30 GB", "exit"],
)
def test_what_ends_a_process_costs_its_own_points_only(code):
    said = graded(biggest=code)
    assert said["test_twice"] == "3"
    assert "not answered yet" in said["test_biggest"]


STUBBORN = """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""
BUSY_CHILD = "__import__('os').fork() or exec('while True: pass')\n__import__('time').sleep(3600)"


@pytest.mark.parametrize(
    ("code", "patience", "why"),
    [
        (STUBBORN, 20, "no end after 8 seconds of processor time"),
        pytest.param(
            BUSY_CHILD,
            20,
            "no end after 8 seconds of processor time",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="a child's time is seen on Linux"),
        ),
        ("__import__('time').sleep(3600)", 2, "no end after 16 seconds"),
    ],
    ids=["busy", "a busy child", "asleep"],
)
def test_a_cell_ends_by_processor_time_or_where_it_sleeps_by_the_clock(monkeypatch, code, patience, why):
    monkeypatch.setattr(clock, "PATIENCE", patience)
    said = said_by(biggest=code)
    assert said["biggest"] == why
    assert "not answered yet" in said["test_biggest"] and said["test_twice"] == "3", "its own points only"


@pytest.mark.parametrize(
    "answer",
    [
        {"biggest": "__import__('time').sleep(12)\nbiggest = float(values.max())"},
        {"twice": "def twice(x):\n    __import__('time').sleep(3)\n    return 2 * x"},
    ],
    ids=["a cell", "a function"],
)
def test_on_a_busy_machine_a_right_answer_keeps_its_points(answer):
    """By the clock, to sleep and to wait for a processor are the same."""
    assert graded(**answer) == {"test_biggest": "2", "test_twice": "3"}


def test_a_function_that_never_ends_costs_its_own_points_only():
    said = graded(twice="def twice(x):\n    while True:\n        pass")
    assert said["test_biggest"] == "2"
    assert said["test_twice"] == "twice gave no answer: no end after 2 seconds of processor time"


def test_changing_the_judges_changes_nothing():
    patch = (
        "import course_utils.teach.answers as a\n"
        "np.allclose = np.isclose = lambda *a, **k: True\n"
        "a.number = a.function = lambda *x, **k: None\n"
        "values[:] = 5.0\nbiggest = 5.0"
    )
    said = graded(biggest=patch, twice="def twice(x):\n    return 3 * x")
    assert said == {"test_biggest": "0", "test_twice": "0"}


def test_an_object_that_equals_everything_is_no_answer():
    code = (
        "class Equal(float):\n    __eq__ = __le__ = __ge__ = lambda *a: True\n"
        "    __sub__ = __rsub__ = lambda *a: 0.0\nbiggest = Equal(3)"
    )
    assert "not answered yet" in graded(biggest=code)["test_biggest"]


@pytest.mark.skipif(bool(sandbox.missing()), reason="the system has no sandbox for ordinary users")
def test_nothing_outside_can_be_read_changed_or_killed(tmp_path):
    secret = tmp_path / "solution.txt"
    secret.write_text("42")
    code = f"""
import os, socket
tried = []
for what in (
    lambda: open({str(secret)!r}).read(),
    lambda: open({str(secret)!r}, "w"),
    lambda: os.remove({str(secret)!r}),
    lambda: open({str(DEMO)!r}).read(),
    lambda: os.kill(os.getppid() or 99999, 9),
    lambda: socket.create_connection(("127.0.0.1", 80), 2),
):
    try:
        what()
        tried.append(0)
    except OSError:
        tried.append(1)
biggest = float(values.max()) if tried == [1] * 6 else float(sum(tried))
"""
    assert graded(biggest=code) == {"test_biggest": "2", "test_twice": "3"}
    assert secret.read_text() == "42"


START_AND_WAIT = """
import os, subprocess, sys, time
os.environ["JPY_PARENT_PID"] = str(os.getpid())
subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
print("started", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl of Linux")
@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 2.0])
def test_no_kernel_is_left(tmp_path, seconds):
    """By a grader that is killed while its kernel starts, even before that could ask to end with it."""
    sockets = ["--IPKernelApp.transport=ipc", f"--IPKernelApp.ip={tmp_path / 'k'}"]
    kernel = [sys.executable, sandbox.__file__, str(tmp_path), "16", "60", *sockets]
    grader = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, *kernel],
        stdout=subprocess.PIPE,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    grader.stdout.readline()
    time.sleep(seconds)
    grader.kill()
    grader.communicate()
    until = time.monotonic() + 10
    while (left := running(tmp_path)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left


def running(folder: Path) -> list[psutil.Process]:
    """The processes whose command names the folder."""
    every = psutil.process_iter(["cmdline"])
    return [one for one in every if any(str(folder) in part for part in one.info["cmdline"] or [])]


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 0.5, "ab", [1, (2.0, "x")], {"a": [1]}, np.arange(6).reshape(2, 3), torch.ones(2)],
)
def test_plain_data_arrives_as_it_was_sent(value):
    got = plain.decode(plain.encode(value))
    assert type(got) is type(value)
    assert repr(got) == repr(value)


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, np.array([object()]), lambda x: x, type("F", (float,), {})(1.0), {1, 2}]
)
def test_bad_input_other_objects_are_no_plain_values(value):
    with pytest.raises(plain.NotPlain, match="is no plain value"):
        plain.encode(value)


@pytest.mark.parametrize("data", [b"", b"not an archive", plain.encode(3)[:-30]])
def test_bad_input_bytes_that_nobody_encoded(data):
    with pytest.raises(plain.NotPlain, match="not an answer"):
        plain.decode(data)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.123456, "0.123"),
        (3, "3"),
        (True, "True"),
        ("CA", "'AC'"),
        ("layer4", "'layer4'"),
        ("AA", "'AA'"),
        ([1, 2], "[1, 2]"),
        (np.zeros((2, 3)), "an array (2, 3)"),
        ("<b>\n" * 50, repr("<b>\n" * 50)[:60]),
    ],
)
def test_an_answer_in_short(value, told):
    assert plain.brief(value) == told


def test_bad_input_few_bytes_that_unpack_to_much(monkeypatch):
    monkeypatch.setattr(plain, "LIMIT", 10_000)
    packed = io.BytesIO()
    np.savez_compressed(packed, json=np.zeros(1_000_000, dtype=np.uint8))
    assert packed.tell() < 10_000
    with pytest.raises(plain.NotPlain, match="too much data"):
        plain.decode(packed.getvalue())


def test_answers_are_kept_in_short_for_the_statistics():
    notebook = read_assignment(DEMO).notebook
    for cell in notebook.cells:
        cell.metadata["answer"] = "what a student wrote there"
    run_submission(notebook, Limits(cell_seconds=60, seconds=200, gigabytes=16))
    kept = {cell.metadata.nbgrader.grade_id: cell.metadata["answer"] for cell in notebook.cells}
    assert float(kept["biggest"]) > 0 and kept["twice"] == ""
