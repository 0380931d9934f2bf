"""What the benchmarks share: paired times, peak memory, and the share of the time that the model takes.

Times are processor seconds of one thread, so that other work on the machine changes them little. Ours and a
library's runs take turns; the ratio is the median over the pairs, so that one slow spell decides nothing.
"""

import contextlib
import ctypes
import gc
import io
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from torch import nn

Call = Callable[[], object]
SLOWEST = 0.95  # the promise on the labs' networks: never below this of the best peer's speed
BROKEN = 0.85  # so far below it is a fault, and no spell of a busy machine
STATUS = Path("/proc/self/status")
failures: list[str] = []
speed_counts = True


def start() -> int:
    """Set one thread, no warnings; return how many pairs of runs to take (first argument, else 5).

    One pair says nothing about speed: it only tries everything out, and no slow one fails.
    """
    global speed_counts
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.filterwarnings("ignore")
    print(f"{'method':<54}{'best peer':<22}{'its time':>9}{'memory':>8}{'ours':>15}{'in the model':>14}")
    n_pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    speed_counts = n_pairs > 1
    return n_pairs


def finish() -> None:
    """End, with an error if a promise was broken."""
    sys.exit("\n".join(failures) or None)


def quiet() -> contextlib.AbstractContextManager:
    """Keep the libraries' progress bars off the screen."""
    return contextlib.redirect_stderr(io.StringIO())


def seconds(call: Call) -> float:
    begin = time.process_time()
    with quiet():
        call()
    return time.process_time() - begin


def paired_ratios(ours: Call, peers: dict[str, Call], runs: int) -> tuple[dict[str, float], float]:
    """Return the median of each peer's time over ours, runs side by side, and our median time."""
    times = {name: [] for name in peers}
    own = []
    for _ in range(runs):
        own.append(seconds(ours))
        for name, call in peers.items():
            times[name].append(seconds(call))
    ratios = {
        name: statistics.median(theirs / mine for theirs, mine in zip(taken, own, strict=True))
        for name, taken in times.items()
    }
    return ratios, statistics.median(own)


def compare(
    name: str, ours: Call, peers: dict[str, Call], runs: int, *, model: nn.Module, promised: float = 0.0
) -> None:
    """Print one line: the best peer's time and memory over ours, and our share in the model."""
    ratios, own = paired_ratios(ours, peers, runs)
    best = min(ratios, key=ratios.get)
    if ratios[best] < promised:  # a second look, longer: noise is no broken promise
        ratios, own = paired_ratios(ours, {best: peers[best]}, 3 * runs)
    mine, theirs = peak_memory(ours), peak_memory(peers[best])
    print(
        f"{name:<54}{best:<22}{ratios[best]:>8.2f}×{theirs / mine:>7.1f}×{1e3 * own:>8.0f} ms"
        f"{mine:>4.0f} MB{model_share(ours, model):>10.0%}",
        flush=True,
    )
    judge(name, ratios[best], promised)


def judge(name: str, ratio: float, promised: float) -> None:
    """Say where a promise is missed; note it as a failure where it is missed by far."""
    if ratio < promised:
        print(f"    behind: {name}, {ratio:.2f} of the best peer's speed, promised {promised:g}", flush=True)
    if speed_counts and ratio < promised * BROKEN / SLOWEST:
        failures.append(f"{name}: {ratio:.2f} of the best peer's speed, promised {promised:g}")


def growth(name: str, call: Callable[..., object], runs: int, **sizes: tuple[int, int]) -> None:
    """Print how our time and memory grow when one size at a time does: call(**sizes)."""
    small = {size: low for size, (low, _) in sizes.items()}
    parts = []
    for size, (low, high) in sizes.items():
        few, many = (partial(call, **small | {size: n}) for n in (low, high))
        ratios, _ = paired_ratios(few, {"many": many}, runs)
        memory = peak_memory(many) / peak_memory(few)
        parts.append(f"{size} ×{high / low:g}: time ×{ratios['many']:.1f}, memory ×{memory:.1f}")
    print(f"    {name} grows: {'; '.join(parts)}", flush=True)


def model_share(call: Call, model: nn.Module) -> float:
    """Return the share of the call's time inside the model's own forward and backward passes."""
    inside, begins = [0.0], []
    backward = torch.autograd.grad

    def timed_backward(*args: object, **options: object) -> object:
        begin = time.process_time()
        result = backward(*args, **options)
        inside[0] += time.process_time() - begin
        return result

    def done(*_: object) -> None:
        inside[0] += time.process_time() - begins.pop()

    handles = [
        model.register_forward_pre_hook(lambda *_: begins.append(time.process_time())),
        model.register_forward_hook(done),
    ]
    with patch.object(torch.autograd, "grad", timed_backward):
        total = seconds(call)
    for handle in handles:
        handle.remove()
    return inside[0] / total


def peak_memory(call: Call) -> float:
    """Return the peak in MB during the call above what was held before (Linux; else NaN)."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _status("VmRSS")
    with quiet():
        call()
    return max(_status("VmHWM") - before, 1.0)


def _status(field: str) -> float:
    lines: Iterator[str] = iter(STATUS.read_text().splitlines()) if STATUS.exists() else iter(())
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field)), float("nan"))
