"""Lessons in a real browser, as a learner meets them: run, played with, exercised, closed, reopened.

`make test` tries three, `make browser` every one. The exercises' answers come from the sources (the solution)
and from the exercises' modules (a typical mistake), so that a new lesson is tried without a line here.

A busy machine makes everything slower. What must happen within some seconds is therefore measured twice, by
the clock and by the processor time of the kernel, and the shorter counts. A slow machine gets more time, as
much as fixed work takes longer there, measured while the lesson runs.
"""

import ast
import itertools
import json
import re
import statistics
import threading
import time
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import psutil
import pytest
import workbook
from lab_server import CHROMIUM, jupyterlab, opened, run_all

from course_utils.authoring.budgets import processor_seconds, slowness
from course_utils.authoring.lesson import NOTEBOOKS, answer_name, checks, read_lesson, solved
from course_utils.teach.checks import Exercise
from course_utils.teach.widgets import BAR_TEXT, EXPLORER_TEXT, REOPENED_TEXT

FEW = ("02c_one_number_at_a_time", "04b_grad_cam_more", "07c_shap_trees")  # quick to run
SECONDS_TO_RUN = 300
SECONDS_TO_MOVE = 2.0  # a control: from the key to the new picture
PAGE_SECONDS = 0.5  # of them for the browser, where the kernel's processor time is counted
SILENT_SECONDS = 5.0  # how long a cell may compute without a progress bar
SLACK = 2.0  # the same work never takes the same time twice
TEXT_POINTS = 7.5  # the smallest text of a figure, as shown in a window 1280 pixels wide: 8, rounded

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

HERE = Path(__file__).parent
CELLS = "() => course.cells().map(cell => cell.model.toJSON())"
THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"
SHUT_DOWN = "() => course.panel().sessionContext.shutdown()"

# runs in each kernel before the lesson: notes the smallest text of each figure that plots.show draws.
# It waits until the lesson has imported our package, since that import gives the page its style
NOTE_FIGURES = """
import sys


def _note(*_):
    if "course_utils.teach.plots" not in sys.modules:
        return
    get_ipython().events.unregister("pre_run_cell", _note)
    import json, os
    import matplotlib.pyplot as plt
    from matplotlib.text import Text
    from course_utils.teach import plots

    drawn, draw, show = [], Text.draw, plots.show

    def noting_draw(self, *args, **kwargs):
        if self.get_visible() and self.get_text().strip() and "course" not in self.get_text():
            drawn.append((self.get_fontsize(), self.get_text().strip()))
        return draw(self, *args, **kwargs)

    def noting_show(alt):
        drawn.clear()
        dpi = plt.gcf().dpi
        show(alt)
        size, text = min(drawn, default=(99, ""))
        with open(os.path.join(FOLDER, f"figures-{os.getpid()}"), "a") as file:
            print(json.dumps([" ".join(alt.split()), size * dpi / 96, text]), file=file)

    Text.draw, plots.show = noting_draw, noting_show


get_ipython().events.register("pre_run_cell", _note)
"""


@pytest.fixture(scope="session")
def private(tmp_path_factory):
    """A folder for Jupyter's settings and for what the kernels note."""
    folder = tmp_path_factory.mktemp("private")
    startup = folder / "ipythondir" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-note.py").write_text(NOTE_FIGURES.replace("FOLDER", repr(str(folder))), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def lab(tmp_path_factory, private):
    """JupyterLab on a workbook with all lessons; gives its address."""
    folder = tmp_path_factory.mktemp("learner") / "workbook"
    workbook.update(str(NOTEBOOKS), str(folder))
    with jupyterlab(folder, private) as address:
        yield address


@pytest.fixture
def page(browser, lab):
    """A window that collects what no lesson may do: errors, and requests to another host."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.faults = []
    page.add_init_script(path=HERE / "course.js")
    page.on("request", lambda asked: page.faults.extend(_elsewhere(asked.url, lab)))
    page.on("response", lambda got: got.status >= 400 and page.faults.append(f"{got.status} {got.url}"))
    page.on("console", lambda said: said.type == "error" and page.faults.append(said.text))
    page.on("pageerror", lambda error: page.faults.append(f"{error} {error.stack}"))
    yield page
    page.close()


def test_a_lesson_in_the_browser(page, lab, private, lesson_name):
    if not (NOTEBOOKS / f"{lesson_name}.ipynb").exists():
        pytest.skip(f"{lesson_name}.ipynb is not built yet")
    lesson = read_lesson(NOTEBOOKS / "source" / f"{lesson_name}.py")
    opened(page, lab, f"{lesson_name}.ipynb")
    kernel = Kernel(page.evaluate("text => course.watch(text)", BAR_TEXT))
    wrong = []
    with kernel.watched():
        run_all(page, SECONDS_TO_RUN)
    wrong += [problem for cell in page.evaluate(CELLS) for problem in _problems(cell)]
    wrong += kernel.silent_cells(page.evaluate("course.asked"))
    wrong += play(page, kernel)
    wrong += small_texts(page, private / f"figures-{kernel.pid}")
    if lesson.number:
        last = page.evaluate(CELLS)[-1]["source"]
        wrong += [] if "[Contents](00_contents.ipynb)" in last else ["no links at its end"]
    if tasks := checks(lesson):
        wrong += answer(page, lesson, *tasks[0])
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate(THEME, theme)
        page.wait_for_function(f"document.body.dataset.jpThemeName === {theme!r}")
        # JupyterLab takes its curtain away twice if the theme changes again before it is gone
        page.wait_for_selector("#jupyterlab-splash", state="detached")
        wrong += [f"{theme}, contrast {found}" for found in page.evaluate("course.pale()")]
    wrong += page.evaluate("course.misfits()")
    wrong += reopen(page)
    page.evaluate(SHUT_DOWN)
    wrong += page.faults
    assert not wrong, "\n".join(wrong)


class Kernel:
    """The process behind a notebook, and what it has computed until when."""

    def __init__(self, kernel_id: str):
        for process in psutil.process_iter(["pid", "cmdline"]):
            if any(f"kernel-{kernel_id}.json" in word for word in process.info["cmdline"] or ()):
                self.pid = process.info["pid"]
                return
        raise AssertionError("the kernel's process is not found")

    def computed(self) -> float:
        return processor_seconds(self.pid) or 0.0

    def watched(self):
        """Note its processor time and the machine's slowness for as long as the `with` block lasts."""
        return _Watch(self)

    def silent_cells(self, asked: list[dict]) -> list[str]:
        """The cells that computed too long without a bar."""
        found = []
        for cell in asked:
            begun, ended = np.interp([cell["begun"], cell["ended"]], *zip(*self.log, strict=True))
            if ended - begun > SLACK * SILENT_SECONDS * self.slowness and not cell.get("bar"):
                found.append(
                    f"{_first_line(cell['text'])}: computes {ended - begun:.1f} s without a progress bar "
                    f"(the machine is {self.slowness:.1f} times slower than ours)"
                )
        return found


class _Watch(threading.Thread):
    def __init__(self, kernel: Kernel):
        super().__init__(daemon=True)
        self.kernel, self.done = kernel, threading.Event()

    def __enter__(self):
        self.kernel.log = [(time.time(), self.kernel.computed())]
        self.slow = [slowness()]
        self.start()

    def run(self):
        while not self.done.wait(0.25):
            self.kernel.log.append((time.time(), self.kernel.computed()))
            if len(self.kernel.log) % 10 == 0:
                self.slow.append(slowness())

    def __exit__(self, *_):
        self.done.set()
        self.join()
        self.kernel.log.append((time.time(), self.kernel.computed()))
        self.kernel.slowness = statistics.median(self.slow)


def play(page, kernel: Kernel) -> list[str]:
    """Move each control of each explorer by one key, and see what the explorer shows change in time.

    Some controls act only beside certain others (a kernel's width only with the method that has one): what
    changes nothing is tried again after all the others were moved.
    """
    wrong = (
        [] if page.evaluate(f"course.explorers_saying({REOPENED_TEXT!r})") == 0 else ["an explorer is dead"]
    )
    for slider in page.evaluate("course.sliders()"):
        values = slider["high"] - slider["low"]  # noUiSlider counts in the slider's own steps
        if slider["pixels"] < max(200, values):
            wrong.append(f"slider {slider['label']}: {slider['pixels']:.0f} pixels for {values:.0f} values")
        if not slider["number"]:
            wrong.append(f"slider {slider['label']}: no number beside it")
    for role in ("slider", "combobox", "checkbox", "textbox"):
        here = page.locator(".jp-OutputArea-output.jupyter-widgets").get_by_role(role)
        named = page.locator(".jp-OutputArea-output.jupyter-widgets").get_by_role(
            role, name=re.compile(r"\S")
        )
        if here.count() != named.count():
            wrong.append(f"{here.count() - named.count()} {role} without a name")

    texts = page.evaluate("course.cells().map(cell => cell.model.sharedModel.getSource())")
    waiting = list(range(page.evaluate("course.controls().length")))
    for _ in range(3):
        without_effect = []
        for number in waiting:
            control = page.evaluate("number => course.focus(number)", number)
            name = f"{_first_line(texts[control['cell']])}, control {number} ({control['kind']})"
            if not control["focused"]:
                wrong.append(f"{name}: takes no focus")
                continue
            if control["kind"] == "text":
                page.keyboard.press("End")
                page.keyboard.insert_text(" not")
            computed, start = kernel.computed(), time.time()
            page.keyboard.press(control["key"])
            end = page.evaluate("number => course.changed(number, 30)", number)
            if end is None:
                without_effect.append(number)
            seconds = min((end or start) - start, kernel.computed() - computed + PAGE_SECONDS)
            if seconds > SECONDS_TO_MOVE * kernel.slowness:
                wrong.append(f"{name}: {seconds:.1f} s until the picture changes")
        waiting = without_effect
    wrong += [f"control {number} changes nothing" for number in waiting]
    if page.evaluate("course.cells().map(cell => cell.model.sharedModel.getSource())") != texts:
        wrong.append("keys in the explorers changed the notebook")
    wrong += page.evaluate("""() => course.controls().filter(one => course.seen(one).includes('Traceback'))
      .map(one => 'an explorer shows an error')""")[:1]
    return wrong


def small_texts(page, noted: Path) -> list[str]:
    """The figures with a text smaller than eight points, as they are shown."""
    shares, wrong = page.evaluate("course.figures()"), {}
    for line in noted.read_text(encoding="utf-8").splitlines() if noted.exists() else ():
        alt, points, text = json.loads(line)
        shown = points * shares.get(alt, 1.0)
        if shown < TEXT_POINTS - 0.01:
            wrong[alt] = f"{alt[:50]}…: {text[:20]!r} is {shown:.1f} points high"
    return list(wrong.values())


def answer(page, lesson, cell, check) -> list[str]:
    """Answer an exercise with a typical mistake, ask for a hint, answer it right."""
    task, name = lesson.exercises[cell.exercise], answer_name(check.text, cell.exercise)
    place = page.evaluate(
        "name => course.cells().findIndex(one => one.model.getMetadata('exercise') === name)", cell.exercise
    )
    judge = page.evaluate("text => course.find(text)", f"exercises.{cell.exercise}.check(")
    call = next(
        node
        for node in ast.walk(ast.parse(check.text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"exercises.{cell.exercise}.check"
    )
    context = ", ".join(ast.unparse(argument) for argument in call.args[1:])

    def verdict(text: str) -> str:
        run(page, place, text)
        run(page, judge)
        return page.evaluate("number => course.cells()[number].outputArea.node.textContent", judge)

    said = []
    for mistake in task.mistakes:
        part = "function" if isinstance(task, Exercise) else f"example({context})"
        said.append(verdict(f"{name} = exercises.{cell.exercise}.mistakes[{mistake!r}].{part}"))
        if "✗ Wrong, because" in said[-1]:
            break
    else:
        return [f"exercise {cell.exercise}: no mistake is wrong: {said}"]
    page.evaluate("number => course.edit(number)", judge)
    for key in ("Escape", "b", "Enter"):
        page.keyboard.press(key)
    run(page, judge + 1, f"exercises.{cell.exercise}.hint()")
    hint = page.evaluate("number => course.cells()[number].outputArea.node.textContent", judge + 1)
    right = verdict(solved(cell.text))
    wrong = [] if re.search(r"Hint \d of", hint) else [f"exercise {cell.exercise}: hint: {hint}"]
    return wrong + ([] if "✓ Right" in right else [f"exercise {cell.exercise}: solution: {right}"])


def run(page, number: int, text: str | None = None) -> None:
    """Write a text into a cell by the keyboard, or leave it as it is, and run it with Shift + Enter."""
    before = page.evaluate("number => course.cells()[number].model.executionCount", number)
    page.evaluate("number => course.edit(number)", number)
    if text is not None:
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(text)
        written = page.evaluate("number => course.cells()[number].model.sharedModel.getSource()", number)
        assert written == text
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(
        """([number, before]) => {
          const cell = course.cells()[number];
          return cell.model.executionCount !== before && cell.model.executionState === 'idle';
        }""",
        arg=[number, before],
        timeout=1000 * SECONDS_TO_RUN,
    )


def reopen(page) -> list[str]:
    """Save, end the kernel, open again: a sentence and a figure stand where an explorer was."""
    live = page.evaluate(CELLS)
    bars = sum(_plain_texts(cell).count(BAR_TEXT) for cell in live)
    explorers = [number for number, cell in enumerate(live) if EXPLORER_TEXT in _plain_texts(cell)]
    if not bars and not explorers:
        return []
    page.evaluate(SAVE)
    page.evaluate(SHUT_DOWN)
    faults = list(page.faults)
    page.reload()
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    wanted = bars + len(explorers)
    try:
        page.wait_for_function(
            "([text, n]) => document.querySelector('.jp-Notebook').textContent.split(text).length > n",
            arg=[REOPENED_TEXT, wanted],
            timeout=30_000,
        )
    except Exception:
        return [f"opened again: fewer than {wanted} sentences in place of explorers and bars"]
    gone = [fault for fault in page.faults if fault.startswith("Error: widget model not found")]
    page.faults[:] = faults + [fault for fault in page.faults[len(faults) :] if fault not in gone]
    text = page.evaluate("document.querySelector('.jp-Notebook').textContent")
    raw = [word for word in ("VBox(", "HBox(", "0%|", "Error displaying widget") if word in text]
    wrong = [f"opened again: {word}" for word in raw]
    for number in explorers:
        rest = itertools.takewhile(lambda cell: not cell["source"].startswith("## "), live[number + 1 :])
        if not any("<img alt" in json.dumps(cell.get("outputs", [])) for cell in rest):
            wrong.append(f"{_first_line(live[number]['source'])}: no still figure follows the explorer")
    return wrong


def _plain_texts(cell: dict) -> list[str]:
    texts = [output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", ())]
    return ["".join(text) for text in texts]


def _first_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0][:60] if lines else ""


def _elsewhere(url: str, lab: str) -> list[str]:
    outside = (
        urlparse(url).scheme in ("http", "https", "ws", "wss")
        and urlparse(url).netloc != urlparse(lab).netloc
    )
    return [f"asks for {url}"] if outside else []


def _problems(cell: dict) -> list[str]:
    """What a learner would see as a failure: an error, anything on stderr, a cell that did not run."""
    if cell["cell_type"] != "code" or "raises-exception" in cell["metadata"].get("tags", ()):
        return []
    first_line = _first_line(cell["source"])
    found = [] if cell["execution_count"] else [f"{first_line}: did not run"]
    for output in cell["outputs"]:
        if output["output_type"] == "error":
            found.append(f"{first_line}: {output['ename']}: {output['evalue']}")
        if output["output_type"] == "stream" and output["name"] == "stderr":
            found.append(f"{first_line}: stderr: {output['text']}")
    return found
