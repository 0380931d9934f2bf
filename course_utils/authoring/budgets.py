"""What a lesson may cost, and the measuring of it."""

import sys
import threading
from dataclasses import dataclass

import psutil

SECONDS = 60.0  # a lesson from top to bottom, two CPU cores
MORE_SECONDS = {
    "12b_scoreboard": 60.0,  # its scoreboard asks every method of the course
    "16b_superposition": 30.0,  # trains its networks in several worlds
    "18_latent_axes": 30.0,  # nine machines in each of three worlds
}
FIRST_FIGURE = 10.0  # seconds after the kernel starts
MEGABYTES = 2000.0  # peak memory of the kernel
FAIL_AT = 2.0  # times the budget; between one and two times it is only reported


@dataclass
class Cost:
    """What running one lesson took. `first_figure` is None when it shows none."""

    lesson: str
    seconds: float = 0.0
    first_figure: float | None = None
    megabytes: float = 0.0
    processor: float | None = None  # seconds that the kernel has computed; None if nobody asked

    @property
    def budget(self) -> float:
        """Seconds that the lesson may take."""
        return SECONDS + MORE_SECONDS.get(self.lesson, 0.0)

    def excess(self) -> float:
        """The largest ratio of a cost to its budget (the first figure is reported, but never fails).

        On a busy machine the clock runs on while the kernel waits: then its processor time counts.
        """
        seconds = self.seconds if self.processor is None else min(self.seconds, self.processor)
        return max(seconds / self.budget, self.megabytes / MEGABYTES)


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
        f"{cost.lesson:<{width}}{cell(cost.seconds, cost.budget, 's', 1)}  "
        f"{cell(cost.processor, cost.budget, 's', 1)}  "
        f"{cell(cost.first_figure, FIRST_FIGURE, 's', 1)} {cell(cost.megabytes, MEGABYTES, 'MB', 0)}"
        for cost in costs
    ]
    limits = f"budgets: {SECONDS:.0f} s, first figure {FIRST_FIGURE:.0f} s, {MEGABYTES:.0f} MB"
    limits += "".join(f"; {cost.lesson} {cost.budget:.0f} s" for cost in costs if cost.budget != SECONDS)
    return "\n".join([*lines, f"{limits} (`!` = above it; twice the time or memory fails)"])
