"""Two steps of nbgrader that are the course's own. Needs the group `teach` of pyproject.toml."""

from __future__ import annotations

import builtins
import re

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Float, Integer, List

from course_utils.authoring.homework.run import Limits, is_cell, run_submission

HIDDEN = re.compile(r"\n?### BEGIN HIDDEN TESTS.*", re.DOTALL)
MISTAKE = re.compile(r"^mistake: .+$", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[\d;]*m")
PLACE = re.compile(r"^Cell In\[\d+\], line (\d+)", re.MULTILINE)
BY_STUDENT = re.compile(r"(\w+) raised (\w+): ", re.ASCII)  # what a student's function did, see plain.py
OWN = ("Ended", "NotRun")  # of run.py; they say nothing of a test


class RunApart(NbGraderPreprocessor):
    """For nbgrader's "Execute": the student's cells in a sandbox, the tests in a process of their own."""

    cell_seconds = Float(120, help="of processor time for one cell of a student").tag(config=True)
    seconds = Integer(600, help="of processor time for a whole submission").tag(config=True)
    gigabytes = Float(16, help="of address space for a student's process").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        limits = Limits(self.cell_seconds, self.seconds, self.gigabytes)
        return run_submission(nb, limits, resources["nbgrader"]["student"]), resources


class HideTests(NbGraderPreprocessor):
    """For feedback: no hidden test, and nothing in its output that would give it away.

    What stays: the form's check that students had seen, what it said, named mistakes, points and comments.
    """

    display_data_priority = List([]).tag(config=True)  # nbgrader sets it for each step, and warns without it

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        for cell in nb.cells:
            if is_cell(cell, "test"):
                seen = HIDDEN.sub("", cell.source)
                cell.outputs = _harmless(cell.get("outputs", []), len(seen.splitlines()))
                cell.source = seen + "\n# … and the tests that give the points"
        return nb, resources


def _harmless(outputs: list[NotebookNode], n_seen: int) -> list[NotebookNode]:
    """Of a test's outputs what a student may read; its first `n_seen` lines were open."""
    lines = []
    for output in outputs:
        if output.output_type == "stream":
            lines += MISTAKE.findall(output.text)
        if output.output_type == "error":
            lines.append(_said(output, n_seen))
    return [new_output("stream", text="\n".join(lines) + "\n")] if lines else []


def _said(error: NotebookNode, n_seen: int) -> str:
    """An error in one line: in full where it comes from the open lines, else only what kind it is."""
    place = PLACE.search(COLOUR.sub("", "\n".join(error.traceback)))
    if error.ename in OWN or (place and int(place[1]) <= n_seen):
        return f"{error.ename}: {error.evalue}"
    found = BY_STUDENT.match(error.evalue)
    kind = getattr(builtins, found[2], None) if found else None
    if isinstance(kind, type) and issubclass(kind, Exception):
        return f"{found[1]} raised {kind.__name__} in a test"
    return "no points: the tests could not use this answer"
