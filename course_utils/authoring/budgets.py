"""What a lesson may cost, and the measuring of it."""

import sys
import threading
import time
from dataclasses import dataclass

import numpy as np
import psutil

SECONDS = 60.0  # a lesson from top to bottom, two CPU cores
FIRST_FIGURE = 10.0  # seconds after the kernel starts
MEGABYTES = 2000.0  # peak memory of the kernel
FAIL_AT = 2.0  # times the budget; between one and two times it is only reported
FIXED_WORK = 0.0108  # seconds of `slowness`'s work on the computer that the budgets were measured on


@dataclass
class Cost:
    """What running one lesson took. `first_figure` is None when it shows none."""

    lesson: str
    seconds: float = 0.0
    first_figure: float | None = None
    megabytes: float = 0.0
    processor: float | None = None  # seconds that the kernel has computed; None if nobody asked
    slowness: float = 1.0  # of this computer at that time

    def excess(self) -> float:
        """The largest ratio of a cost to its budget (the first figure is reported, but never fails).

        On a busy machine the clock runs on while the kernel waits: then its processor time counts. A slower
        machine gets more time.
        """
        seconds = self.seconds if self.processor is None else min(self.seconds, self.processor)
        return max(seconds / (SECONDS * self.slowness), self.megabytes / MEGABYTES)


def slowness() -> float:
    """How many times longer work takes here and now than where the budgets were measured, at least 1.

    Fixed work, some of it arithmetic with arrays and some plain Python, is measured by its processor time: a
    slower processor counts, and one that shares its core or memory with others, but not the waiting.
    """
    _fixed_work()  # the first time is for the caches
    start = time.thread_time()
    _fixed_work()
    return max((time.thread_time() - start) / FIXED_WORK, 1.0)


def _fixed_work() -> None:
    rows = np.random.default_rng(0).normal(size=(192, 192)).astype(np.float32)
    for _ in range(60):  # no matrix product: that would start threads
        rows = np.tanh(rows - 0.5 * rows[::-1] * rows.T)
    counts: dict[str, int] = {}
    for i in range(60_000):
        counts[str(i % 997)] = counts.get(str(i % 997), 0) + i


def processor_seconds(pid: int) -> float | None:
    """What a process has computed so far; None when it has gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return times.user + times.system


def peak_megabytes(pid: int) -> float:
    """Peak resident memory of a process and now of its children, in MB; 0 when it has gone."""
    try:
        process = psutil.Process(pid)
        peak = _peak_bytes(process)
        return (peak + sum(child.memory_info().rss for child in process.children(recursive=True))) / 1e6
    except psutil.Error:
        return 0.0


def _peak_bytes(process: psutil.Process) -> int:
    info = process.memory_info()
    if sys.platform == "linux":
        with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    return getattr(info, "peak_wset", info.rss)


class MemoryWatch(threading.Thread):
    """Keeps the highest memory of a process, looked at ten times a second, until `stop()`."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.pid = pid
        self.megabytes = 0.0
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.1):
            self.look()

    def look(self) -> None:
        self.megabytes = max(self.megabytes, peak_megabytes(self.pid))

    def stop(self) -> float:
        """End the watch and return the highest value in MB."""
        self.look()
        self._done.set()
        self.join()
        return self.megabytes


def table(costs: list[Cost]) -> str:
    """The costs as lines of text; a `!` marks what is over its budget."""

    def cell(value: float | None, budget: float, unit: str, digits: int) -> str:
        if value is None:
            return "–".rjust(9)
        return f"{value:.{digits}f} {unit}{'!' if value > budget else ' '}".rjust(9)

    width = max([len("lesson"), *(len(cost.lesson) for cost in costs)])
    lines = [f"{'lesson':<{width}}     time  processor   figure 1    memory"]
    lines += [
        f"{cost.lesson:<{width}}{cell(cost.seconds, SECONDS, 's', 1)}  "
        f"{cell(cost.processor, SECONDS, 's', 1)}  "
        f"{cell(cost.first_figure, FIRST_FIGURE, 's', 1)} {cell(cost.megabytes, MEGABYTES, 'MB', 0)}"
        for cost in costs
    ]
    limits = f"budgets: {SECONDS:.0f} s, first figure {FIRST_FIGURE:.0f} s, {MEGABYTES:.0f} MB"
    here = np.mean([cost.slowness for cost in costs])
    limits += f"\n`!`: above it. Here and now the same work takes {here:.1f} times as long, "
    limits += f"so that {FAIL_AT * here:.1f} times the time fails, or {FAIL_AT:g} times the memory"
    return "\n".join([*lines, limits])
