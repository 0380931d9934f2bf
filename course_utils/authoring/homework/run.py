"""Run a submission: the student's cells in one process, the teacher's tests in another.

What passes between them is plain data (`plain.py`). So whatever a student's code does to NumPy, to this
package or to the tests, it changes nothing but the student's own answers.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty

from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpec
from nbformat import NotebookNode
from nbformat.v4 import new_output

from course_utils.authoring.homework.clock import Watch

TEST_SECONDS = 300  # of processor time for one cell of the teacher
START_SECONDS = 300  # on a machine that is very busy
OUTPUT_BYTES = 2**20  # that all cells together may print
HERE = Path(__file__).parent
NUMBER = re.compile(r"(?:\w+\.\w+\(|tensor\()?(True|False|-?\d+\.?\d*(?:e-?\d+)?)\)?")  # also np.int64(3)


@dataclass(frozen=True)
class Limits:
    """Of a student's process: processor time for one cell, for all of them, and for one call of a function
    that a test makes, in seconds; gigabytes of address space."""

    cell_seconds: float = 120
    seconds: int = 600
    gigabytes: float = 16
    call_seconds: float = 30


@dataclass
class Kernel:
    """A kernel that is asked one thing at a time, and what it has printed so far."""

    client: BlockingKernelClient
    manager: KernelManager
    all_cells: Watch | None = None
    printed: int = 0
    dead: str = ""

    @property
    def pid(self) -> int:
        """Of the process that was started; what computes may be a child of it."""
        return self.manager.provisioner.pid

    def run(self, code: str, seconds: float) -> list[NotebookNode]:
        """The outputs of one cell; an error where it takes too long, prints too much or ends the kernel."""
        if self.dead:
            return [_error("NotRun", self.dead)]
        outputs: list[NotebookNode] = []
        watches = [Watch(self.pid, seconds), *filter(None, [self.all_cells])]
        message = self.client.execute(code, allow_stdin=False, stop_on_error=False)
        while True:
            try:
                reply = self.client.get_iopub_msg(timeout=0.5)
            except Empty:
                reply = None
                if not self.manager.is_alive():
                    return [*outputs, self._end("the kernel ended: too much memory, or its time was over")]
            if why := next(filter(None, (watch.over() for watch in watches)), ""):
                return [*outputs, self._end(why)]
            if reply is None or reply["parent_header"].get("msg_id") != message:
                continue
            kind, content = reply["msg_type"], reply["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return outputs
            if kind in ("stream", "error", "execute_result", "display_data"):
                self.printed += len(str(content))
                if self.printed > OUTPUT_BYTES:
                    return [*outputs, self._end(f"more than {OUTPUT_BYTES // 2**20} MB of output")]
                outputs.append(_output(kind, content))

    def text(self, code: str, seconds: float) -> str:
        """What one cell printed."""
        return "".join(o.get("text", "") for o in self.run(code, seconds) if o.output_type == "stream")

    def _end(self, why: str) -> NotebookNode:
        self.dead = why
        self.manager.shutdown_kernel(now=True)
        return _error("Ended", why)


def run_submission(notebook: NotebookNode, limits: Limits = Limits(), student_id: str = "") -> NotebookNode:
    """Fill in the outputs of a submission whose locked cells are the teacher's own.

    A test cell is run in the teacher's process, every other cell in the student's. A cell that ends the
    student's process costs its own points only: the others are run again without it. Both processes know who
    has handed it in (`answers.whose`).
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    with scratch_folder() as scratch:
        skipped: set[int] = set()
        answers: dict[str, str] = {}
        for attempt in range(3):
            with student_kernel(scratch / str(attempt), limits, student_id) as student:
                ended = _student(cells, student, scratch, skipped, answers, limits)
                if ended is None:
                    _teacher(cells, student, scratch, answers, limits, student_id)
                    return notebook
                skipped.add(ended)
        with student_kernel(scratch / "last", limits, student_id) as student:  # plain answers are still there
            _teacher(cells, student, scratch, answers, limits, student_id)
    return notebook


def _student(cells, kernel, scratch, skipped, answers, limits) -> int | None:
    """Run the student's cells and keep each plain answer; the number of the cell that ended the process."""
    for number, cell in enumerate(cells):
        if is_cell(cell, "test") or number in skipped:
            continue
        cell.outputs = kernel.run(cell.source, limits.cell_seconds)
        if kernel.dead:
            return number
        if is_cell(cell, "question"):
            name = _name(cell)
            path = scratch / f"{name}.npz"
            code = (
                "from course_utils.authoring.homework import plain as _plain\n"
                f"print(_plain.save_answer(globals().get({name!r}), {str(path)!r}))"
            )
            answers[name] = kernel.text(code, limits.cell_seconds).strip() or "missing"
            if kernel.dead:
                return number
    return None


def _teacher(cells, student, scratch, answers, limits, student_id) -> None:
    """Run the teacher's cells and the tests, with the student's answers in the place of the answer cells."""
    socket = scratch / "answers.sock"
    functions = [name for name, kind in answers.items() if kind == "function"]
    if functions and not student.dead:
        student.client.execute(f"_plain.serve(globals(), {str(socket)!r})", stop_on_error=False)
        wait_for(socket, seconds=START_SECONDS, alive=student.manager.is_alive)
    connect = f"_student = _plain.Student({str(socket)!r}, globals(), {student.pid}, {limits.call_seconds})\n"
    with scratch_folder() as private, teacher_kernel(private / "teacher", student_id) as teacher:
        teacher.run(
            "import warnings\nwarnings.simplefilter('ignore')\n"
            "from course_utils.authoring.homework import plain as _plain\n"
            + (connect if socket.exists() else "")
            + "from pathlib import Path as _Path",
            limits.cell_seconds,
        )
        for cell in cells:
            if is_cell(cell, "question"):
                name = _name(cell)
                teacher.run(_injection(name, answers, scratch, socket), limits.cell_seconds)
                tell = f"print(_plain.brief({name}))" if answers.get(name) == "plain" else ""
                cell.metadata["answer"] = teacher.text(tell, TEST_SECONDS).strip()  # for the statistics
                continue
            outputs = teacher.run(cell.source, TEST_SECONDS)
            if is_cell(cell, "test"):
                cell.outputs = [_points(output) for output in outputs]


def _injection(name: str, answers: dict[str, str], scratch: Path, socket: Path) -> str:
    kind = answers.get(name, "missing")
    if kind == "plain" and (scratch / f"{name}.npz").exists():
        return f"{name} = _plain.decode(_Path({str(scratch / f'{name}.npz')!r}).read_bytes())"
    if kind == "function" and socket.exists():
        return f"{name} = _student.function({name!r})"
    return f"{name} = None"


# --- kernels ----------------------------------------------------------------------------------------------


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of its own, with a short name, since sockets lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="hw"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def student_kernel(folder: Path, limits: Limits, student_id: str = "") -> Iterator[Kernel]:
    """A kernel in the sandbox that may write below the parent of `folder` only."""
    start = [sys.executable, str(HERE / "sandbox.py"), str(folder.parent)]
    start += [str(limits.gigabytes), str(limits.seconds)]
    with _kernel(folder, start, student_id) as kernel:
        kernel.all_cells = Watch(kernel.pid, limits.seconds)
        yield kernel


@contextmanager
def teacher_kernel(folder: Path, student_id: str = "") -> Iterator[Kernel]:
    """A kernel without limits."""
    with _kernel(folder, [sys.executable, "-m", "ipykernel_launcher"], student_id) as kernel:
        yield kernel


@contextmanager
def _kernel(folder: Path, start: list[str], student_id: str) -> Iterator[Kernel]:
    folder.mkdir()
    manager = KernelManager(transport="ipc", ip=str(folder / "k"), connection_file=str(folder / "k.json"))
    manager._kernel_spec = KernelSpec(
        argv=[
            *start,
            "-f",
            "{connection_file}",
            "--IPKernelApp.log_level=50",
            "--HistoryManager.enabled=False",
        ],
        display_name="homework",
        language="python",
    )
    private = dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR", "IPYTHONDIR", "XDG_CACHE_HOME"), str(folder))
    # one thread, so that sums are the same everywhere
    settings = {
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "TQDM_DISABLE": "1",
        "JOBLIB_MULTIPROCESSING": "0",
        "HOMEWORK_STUDENT": student_id,  # read by answers.whose
    }
    settings |= private
    manager.start_kernel(cwd=str(folder), env={**_kept(os.environ), **settings})
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=START_SECONDS)
        yield Kernel(client, manager)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _kept(environment: os._Environ) -> dict[str, str]:
    """What a kernel needs of the environment; no password or token that may stand there."""
    return {
        k: v for k, v in environment.items() if re.fullmatch(r"PATH|LANG|LC_\w+|PYTHONPATH|VIRTUAL_ENV", k)
    }


def wait_for(path: Path, seconds: float, alive: Callable[[], bool]) -> bool:
    """Whether a file has appeared within so many seconds, while who writes it is alive."""
    until = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < until and alive():
        time.sleep(0.05)
    return path.exists()


# --- cells ------------------------------------------------------------------------------------------------


def is_cell(cell: NotebookNode, kind: str) -> bool:
    """Whether it is a "test", or a "question" (the student's cell)."""
    marks = cell.metadata.get("nbgrader", {})
    if kind == "test":
        return bool(marks.get("grade")) and not marks.get("solution")
    return bool(marks.get("solution"))


def _name(cell: NotebookNode) -> str:
    return cell.metadata.nbgrader.grade_id


def _output(kind: str, content: dict) -> NotebookNode:
    if kind == "stream":
        return new_output("stream", name=content["name"], text=content["text"])
    if kind == "error":
        return new_output("error", **{key: content[key] for key in ("ename", "evalue", "traceback")})
    output = new_output(kind, data=content["data"], metadata=content["metadata"])
    if kind == "execute_result":
        output["execution_count"] = content["execution_count"]
    return output


def _points(output: NotebookNode) -> NotebookNode:
    """A test's result as a plain number: what nbgrader cannot read, such as np.int64(3), gets full marks."""
    if output.output_type != "execute_result":
        return output
    found = NUMBER.fullmatch(text := output.data.get("text/plain", ""))
    if not found:
        return _error("NoPoints", f"the test ends in {text[:100]}, which is no number of points")
    output.data = {"text/plain": {"True": "1", "False": "0"}.get(found[1], found[1])}
    return output


def _error(name: str, text: str) -> NotebookNode:
    return new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"])
