"""How long a class takes to grade, in how much memory, and whether a grader that is killed loses anything.

    python tests/benchmarks/grade_hundred.py [SOURCE] [COPIES] [PROCESSES]

The copies of SOURCE (else hw9_images) are its empty, right and mistaken submissions in turn, so that it is
known what each deserves. After a third of them all graders are killed at once (SIGKILL) and started again:
none may be lost, none graded twice.
Needs the group `teach` of pyproject.toml, and Linux or a Mac.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import psutil

from course_utils.authoring.homework import course, grading
from course_utils.authoring.homework.assignment import SOURCES

GRADER = "import sys, pathlib; from course_utils.authoring.homework.grading import grade_all\n"
GRADER += "for done in grade_all(pathlib.Path(sys.argv[1]), sys.argv[2]): print(done.student, flush=True)"


def main(source: str = str(SOURCES / "hw9_images.py"), copies: str = "100", processes: str = "2") -> None:
    course.sources = lambda: [Path(source)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = course.make_course(folder, 2027)[0]
        print(f"{made.name}: {copies} copies, {processes} processes")
        of = {}
        for number, submission in enumerate(islice(cycle(course.submissions(made)), int(copies))):
            student = f"s{number:03d}"
            of[student] = replace(submission, student=student)
            course._write(
                submission.notebook, folder / "submitted" / student / made.name / f"{made.name}.ipynb"
            )
        peak = Peak()
        start = time.monotonic()
        before = run(folder, made.name, int(processes), stop_at=2 * len(of) // 3)
        left = grading.ungraded(folder, made.name)
        print(f"killed with {len(left)} of {len(of)} to do")
        print(f"started again: {run(folder, made.name, int(processes))} more graded, {before} before")
        minutes = (time.monotonic() - start) / 60
        faults = [f"{student}: not graded" for student in grading.ungraded(folder, made.name)]
        times = Counter((folder / "log").read_text().split())
        faults += [f"{student}: graded {n} times" for student, n in times.items() if n > 1]
        for submission in of.values():
            got = course.scores(folder, made.name, submission.student)
            # complaints() excuses the empty one by its name: it has no diagnosis to expect
            wanted = submission if submission.points != dict.fromkeys(submission.points, 0.0) else None
            faults += course.complaints(wanted, got) if wanted else empty(submission, got)
        print(f"{minutes:.1f} minutes: {len(of) / minutes:.2f} a minute; peak {peak.end() / 2**30:.1f} GB")
        sys.exit("\n".join(faults) or None)


def empty(submission: course.Submission, got: dict) -> list[str]:
    scored = [name for name, (points, _) in got.items() if points]
    return [f"{submission.student}: {name}: points for nothing" for name in scored]


def run(folder: Path, assignment: str, processes: int, stop_at: int = -1) -> int:
    """Start graders, kill them when `stop_at` submissions are left; how many submissions were graded."""
    before = len(grading.ungraded(folder, assignment))
    command = [sys.executable, "-W", "ignore", "-c", GRADER, str(folder), assignment]
    with open(folder / "log", "a") as log:
        graders = [subprocess.Popen(command, stdout=log) for _ in range(processes)]
    while any(grader.poll() is None for grader in graders):
        if len(grading.ungraded(folder, assignment)) <= stop_at:
            for grader in graders:
                os.kill(grader.pid, signal.SIGKILL)
        time.sleep(1)
    for grader in graders:
        grader.wait()
    return before - len(grading.ungraded(folder, assignment))


class Peak:
    """The most memory that this process and all that it has started have held, looked at each second."""

    def __init__(self):
        self.bytes, self.over = 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self) -> None:
        while not self.over.wait(1.0):
            total = 0
            for process in psutil.Process().children(recursive=True):
                try:
                    total += process.memory_full_info().pss  # shared pages count once
                except (psutil.Error, AttributeError):
                    continue
            self.bytes = max(self.bytes, total)

    def end(self) -> int:
        self.over.set()
        self.thread.join()
        return self.bytes


if __name__ == "__main__":
    main(*sys.argv[1:])
