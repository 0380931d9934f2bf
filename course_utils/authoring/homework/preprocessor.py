"""nbgrader's step "Execute", replaced: see `run.py`. Needs the group `teach` of pyproject.toml."""

from __future__ import annotations

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Float, Integer

from course_utils.authoring.homework.run import Limits, run_submission


class RunApart(NbGraderPreprocessor):
    """Run the student's cells in a sandbox and the tests in a process of their own."""

    cell_seconds = Float(120, help="that one cell of a student may take").tag(config=True)
    seconds = Integer(600, help="of processor time for a whole submission").tag(config=True)
    gigabytes = Float(16, help="of address space for a student's process").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        limits = Limits(self.cell_seconds, self.seconds, self.gigabytes)
        return run_submission(nb, limits, resources["nbgrader"]["student"]), resources
