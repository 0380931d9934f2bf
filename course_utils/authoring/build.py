"""Execute lessons and store them, the same bytes at every build on one machine."""

import base64
import html
import io
import json
import math
import os
import queue
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from jupyter_client.channels import AsyncZMQSocketChannel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image, ImageOps
from tqdm import tqdm

from course_utils.authoring import lesson as lessons
from course_utils.authoring.budgets import FAIL_AT, Cost, MemoryWatch, processor_seconds, slowness, table
from course_utils.authoring.contents import LINKS, update_readme
from course_utils.authoring.glossary import write_glossary
from course_utils.authoring.lesson import Lesson, LessonError
from course_utils.authoring.sitting import over_limits, sitting_table
from course_utils.teach.widgets import BAR_TEXT, EXPLORER_TEXT

CELL_TIMEOUT = 300  # seconds
LOOK_EVERY = 1.0  # seconds
THUMBNAIL = (300, 190)  # pixels
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_TEXT = EXPLORER_TEXT
ABSOLUTE_PATH = re.compile(
    r"(?<![\w.~/-])/(?:home|root|work|tmp|Users|opt|usr|var|mnt|content|private|Volumes|scratch)/[\w.-]+"
    r"|\b[A-Z]:(?:\\\\?[\w. -]+){2,}"
)
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
DATA_URI = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]+")
FIGURE = re.compile(r'<img alt="([^"]+)" src="data:(image/\w+);base64,([A-Za-z0-9+/=]+)">')  # of plots.show
PROGRESS_BAR = re.compile(r"\d+/\d+ \[\d\d:\d\d|\d+it \[\d\d:\d\d")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def build(
    names: list[str] | None = None, folder: Path = lessons.NOTEBOOKS, edition: str = "learner"
) -> list[Cost]:
    """Build some or all lessons of a folder and print what they cost.

    The learner's edition goes to `folder`, the solved one to `build/solutions` beside it.

    Raises:
        LessonError: a source breaks a rule, a cell fails or writes to stderr, an output holds a path or an
            address of this machine, or a lesson costs twice its budget. Its notebook is then left as it was.
    """
    build_folder = folder.parent / "build"
    build_folder.mkdir(exist_ok=True)
    read = [lessons.read_lesson(path) for path in chosen(names, folder)]
    total = sum(len(lesson.cells) for lesson in read)
    costs = []
    with tqdm(total=total, unit="cell", disable=None) as progress:
        for lesson in read:
            progress.set_description(lesson.name)
            target = lesson.notebook_path
            if edition == "solved":
                target = build_folder / "solutions" / target.name
            made, cost = execute(lesson, edition, on_cell=progress.update)
            target.parent.mkdir(exist_ok=True)
            write(made, target)
            if edition == "learner":
                write_pictures(made, lesson.name, folder)
            costs.append(cost)
    if not names:
        update_readme(folder.parent / "README.md", lessons.sources(folder))
        write_glossary(folder, lessons.sources(folder))
    print(table(costs))
    print(sitting_table(read))
    for lesson in read:
        for text in over_limits(lesson):
            print(f"over the limit: {lesson.name}: {text}")
    if edition == "learner":
        _store(costs, build_folder / "budgets.json")
    over = [cost.lesson for cost in costs if cost.excess() > FAIL_AT]
    if over:
        raise LessonError([f"{name}: costs more than {FAIL_AT:g} times its budget" for name in over])
    return costs


def build_text(names: list[str] | None = None, folder: Path = lessons.NOTEBOOKS) -> None:
    """Give stored notebooks their new Markdown and keep their outputs, without running anything.

    Raises:
        LessonError: the code of a lesson has changed, so that its outputs may be wrong; nothing is written.
    """
    ready = []
    for path in chosen(names, folder):
        lesson = lessons.read_lesson(path)
        made, stored = lessons.notebook(lesson), nbformat.read(lesson.notebook_path, as_version=4)
        new, old = ([cell for cell in nb.cells if cell.cell_type == "code"] for nb in (made, stored))
        if [cell.source for cell in new] != [cell.source for cell in old]:
            raise LessonError([f"{path}: its code has changed: make lessons LESSON={path.stem}"])
        for cell, before in zip(new, old, strict=True):
            cell.outputs, cell.execution_count = before.outputs, before.execution_count
        made.metadata = stored.metadata
        ready.append((made, lesson.notebook_path))
    for made, path in ready:
        write(made, path)
        write_pictures(made, path.stem, folder)
    if not names:
        update_readme(folder.parent / "README.md", lessons.sources(folder))
        write_glossary(folder, lessons.sources(folder))


def execute(
    lesson: Lesson, edition: str = "learner", on_cell: Callable[[], object] = lambda: None
) -> tuple[NotebookNode, Cost]:
    """Run one lesson in a fresh kernel, in the notebooks' folder, and clean its outputs.

    In the learner's edition every exercise is then answered with the source's solution, in the same kernel:
    the check must say "right" there.

    Raises:
        LessonError: see `build`.
    """
    made = lessons.notebook(lesson, edition)
    places = _source_lines(lesson, made)
    cost = Cost(lesson.name)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}  # the same sums at every build

    def executed(cell: NotebookNode, **_) -> None:
        if cost.first_figure is None and any(_has_picture(output) for output in cell.outputs):
            cost.first_figure = time.perf_counter() - start
        on_cell()

    client = NotebookClient(
        made,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(lesson.notebook_path.parent)}},
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=40"],  # no advice about encryption on every start
        coalesce_streams=True,
        on_cell_executed=executed,
    )
    start, position = 0.0, -1
    try:
        with client.setup_kernel(env=environment):
            for channel in (client.kc.shell_channel, client.kc.iopub_channel):
                _look_often(channel)
            start = time.perf_counter()
            watch = MemoryWatch(client.km.provisioner.pid)
            watch.start()
            try:
                for position, cell in enumerate(made.cells):
                    if cell.cell_type == "code":
                        client.execute_cell(cell, position)
            finally:
                cost.seconds = time.perf_counter() - start
                cost.megabytes = watch.stop()
                cost.processor = processor_seconds(client.km.provisioner.pid)
                cost.slowness = slowness()
            if edition == "learner":
                _prove_solutions(client, lesson)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        reason = _short_error(error)
        raise LessonError([f"{places[position]}: {reason}\n{made.cells[position].source}"]) from None

    problems = []
    for place, cell in zip(places, made.cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs = [_clean(output) for output in cell.outputs if not is_live(output)]
            problems += [f"{place}: {problem}" for problem in output_problems(cell)]
    if edition == "solved":
        problems += _wrong_solutions(lesson, made, places)
    if problems:
        raise LessonError(problems)
    made.metadata = nbformat.from_dict(lessons.METADATA)
    return made, cost


def _look_often(channel: AsyncZMQSocketChannel) -> None:
    """Let a channel look for a message each second, not only when it is woken.

    Under load a socket's wake-up is lost now and then; the message was then found at the cell's time limit.
    """
    wait = channel.get_msg

    async def get_msg(timeout: float | None = None) -> dict:
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                return await wait(timeout=max(0.0, min(LOOK_EVERY, left)))
            except queue.Empty:
                if left <= LOOK_EVERY:
                    raise

    channel.get_msg = get_msg


def write(made: NotebookNode, path: Path) -> None:
    """Write a notebook whole or not at all."""
    nbformat.validate(made)
    text = nbformat.writes(made, version=4).rstrip("\n") + "\n"
    half = path.with_suffix(".ipynb.part")
    half.write_text(text, encoding="utf-8", newline="\n")
    half.replace(path)


def write_pictures(made: NotebookNode, name: str, folder: Path) -> None:
    """The README's pictures: the figure of the cell tagged "cover", and of a "thumbnail", cut and made small.

    They lie in `folder` as cover.jpg and thumbnails/`name`.jpg.
    """
    for cell in made.cells:
        tags = cell.metadata.get("tags", [])
        for output in cell.get("outputs", []):
            if "image/jpeg" not in output.get("data", {}):
                continue
            figure = base64.b64decode(output.data["image/jpeg"])
            if "cover" in tags:
                (folder / "cover.jpg").write_bytes(figure)
            if "thumbnail" in tags:
                (folder / "thumbnails").mkdir(exist_ok=True)
                with Image.open(io.BytesIO(figure)) as image:
                    small = ImageOps.fit(image.convert("RGB"), THUMBNAIL, centering=(0, 0))
                small.save(folder / "thumbnails" / f"{name}.jpg", quality=80)


def output_problems(cell: NotebookNode) -> Iterator[str]:
    """Why a code cell's outputs may not be stored, one sentence each."""
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stderr":
            yield f"writes to stderr: {output.text.strip()}"
        for text in _texts(output):
            path, address = ABSOLUTE_PATH.search(text), ADDRESS.search(text)
            if path:
                yield f"its output holds a path of this machine: {path[0]}"
            if address:
                yield f"its output holds an address in memory ({address[0]}): end the cell with plt.show()"


def _texts(output: NotebookNode) -> Iterator[str]:
    if output.output_type == "stream":
        yield output.text
    elif output.output_type == "error":
        yield "\n".join(output.traceback)
    else:
        for kind, value in output.data.items():
            if kind.startswith("text/") and isinstance(value, str):
                yield DATA_URI.sub("", value)


def _clean(output: NotebookNode) -> NotebookNode:
    """An output without what differs between runs: widget ids, paths in tracebacks."""
    if output.output_type == "error":  # only in cells tagged raises-exception
        output.traceback = [f"{output.ename}: {output.evalue}"]
    if WIDGET in output.get("data", {}):
        output.data = nbformat.from_dict({"text/plain": WIDGET_TEXT})
    figure = FIGURE.fullmatch(output.get("data", {}).get("text/html", ""))
    if figure:  # a picture proper, which every viewer shows
        alt, kind, picture = html.unescape(figure[1]), figure[2], figure[3]
        output.data = nbformat.from_dict({kind: picture, "text/plain": alt})
        output.metadata = nbformat.from_dict({kind: {"alt": alt}})
    return output


def _has_picture(output: NotebookNode) -> bool:
    data = output.get("data", {})
    return any(key.startswith("image/") for key in data) or bool(FIGURE.match(data.get("text/html", "")))


def is_live(output: NotebookNode) -> bool:
    """A finished tqdm bar, or what makes an explorer obey: nothing to read, and a bar's times differ."""
    data = output.get("data", {})
    text = data.get("text/plain", "")
    is_bar = WIDGET in data and (text == BAR_TEXT or bool(PROGRESS_BAR.search(text)))
    return is_bar or "application/javascript" in data


def _source_lines(lesson: Lesson, made: NotebookNode) -> list[str]:
    """For every cell of the notebook "file:line" of the source cell it was made from."""
    origin = iter(lesson.cells)
    places, last = [], lesson.cells[0]
    for cell in made.cells:
        if not cell.source.startswith(("<details>\n<summary>Solution</summary>", LINKS)):
            last = next(origin)
        places.append(f"{lesson.path}:{last.line}")
    return places


def _prove_solutions(client: NotebookClient, lesson: Lesson) -> None:
    """Answer every exercise with its solution, after the lesson has run; each check must say "right"."""
    wrong = []
    cells = client.nb.cells
    for cell, check in lessons.checks(lesson):
        cells.append(nbformat.v4.new_code_cell(f"{lessons.solved(cell.text)}\n{check.text}"))
        try:
            client.execute_cell(cells[-1], len(cells) - 1)
            verdict = _verdict(cells[-1])
        except CellExecutionError as error:
            verdict = _short_error(error)
        cells.pop()
        if not verdict.startswith("✓"):
            wrong.append(
                f'{lesson.path}:{cell.line}: the solution of "{cell.exercise}" is not right: {verdict}'
            )
    if wrong:
        raise LessonError(wrong)


def _wrong_solutions(lesson: Lesson, made: NotebookNode, places: list[str]) -> list[str]:
    problems = []
    for place, cell in zip(places, made.cells, strict=True):
        if re.search(r"\bexercises\.\w+\.check\(", cell.source) and not _verdict(cell).startswith("✓"):
            problems.append(f"{place}: the solution is not right: {_verdict(cell)}")
    return problems


def _verdict(cell: NotebookNode) -> str:
    results = [out.data.get("text/plain", "") for out in cell.outputs if "data" in out]
    return results[-1] if results else "the check shows nothing: make it the cell's last line"


def _short_error(error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        return ANSI.sub("", f"{error.ename}: {error.evalue}")
    if isinstance(error, CellTimeoutError):
        return f"takes more than {CELL_TIMEOUT} seconds"
    return "the kernel died (out of memory?)"


def chosen(names: list[str] | None, folder: Path) -> list[Path]:
    """The sources of the named lessons, or of all.

    Raises:
        LessonError: there is no lesson of that name.
    """
    paths = {path.stem: path for path in lessons.sources(folder)}
    unknown = [name for name in names or () if name not in paths]
    if unknown or not paths:
        raise LessonError([f"no lesson {', '.join(unknown)}; there are: {', '.join(paths) or 'none'}"])
    return [path for name, path in paths.items() if not names or name in names]


def _store(costs: list[Cost], path: Path) -> None:
    """Add to the file of costs, which other lessons' builds also write to."""
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for cost in costs:
        stored[cost.lesson] = {
            "seconds": round(cost.seconds, 1),
            "first_figure": cost.first_figure and round(cost.first_figure, 1),
            "megabytes": round(cost.megabytes),
        }
    path.write_text(json.dumps(dict(sorted(stored.items())), indent=1) + "\n", encoding="utf-8")
