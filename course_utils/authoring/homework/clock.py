"""How long a process may take: processor time, so that a busy machine costs nobody points."""

from __future__ import annotations

import time

import psutil

PATIENCE = 4  # so many times the limit may pass by the clock on the wall, for a process that waits or sleeps


def processor_seconds(pid: int) -> float:
    """Processor time of a process and of all that it has started; of ended ones where the system knows it."""
    total = 0.0
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            try:
                times = one.cpu_times()
            except psutil.Error:  # it has just ended
                continue
            total += times.user + times.system
            total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    except psutil.Error:
        pass
    return total


class Watch:
    """A limit for what a process does from now on.

    Args:
        pid: of the process.
        seconds: of processor time; by the clock on the wall it is `PATIENCE` times as many.
    """

    def __init__(self, pid: int, seconds: float):
        self.pid, self.seconds = pid, seconds
        self.start, self.looked, self.used = time.monotonic(), 0.0, processor_seconds(pid)

    def over(self) -> str:
        """Why the time is over; "" while it is not."""
        now = time.monotonic()
        if now - self.start > PATIENCE * self.seconds:
            return f"no end after {PATIENCE * self.seconds:g} seconds"
        if now - self.looked > 0.2:  # to look takes a millisecond
            self.looked = now
            if processor_seconds(self.pid) - self.used > self.seconds:
                return f"no end after {self.seconds:g} seconds of processor time"
        return ""
