"""Our methods beside the libraries': time and memory as ratios from one run, on the same inputs.

    python tests/benchmarks/bench.py            # one thread
    python tests/benchmarks/bench.py --threads 2

A ratio above 1 means that the library took that many times as much as we did. Time is CPU time on one thread
(so that a busy machine does not blur it), the best of several runs; with more threads it is wall time.
Memory is the peak above what the process held before the call (Linux only). Results must agree and
occlusion must keep its promised ratios, or it fails.

Batching saves the libraries' overhead and the slowness of small batches, and no more than that. The last
lines say how much it is on the labs' networks, whose forward passes are most of the time: how much slower one
picture at a time is than our batches, with no library in between.
"""

import argparse
import contextlib
import ctypes
import gc
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import torch
from captum import attr as captum
from pytorch_grad_cam import GradCAM, ScoreCAM
from pytorch_grad_cam import score_cam as score_cam_module
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam import methods as torchcam

from course_utils.labs.networks import resnet, zfnet
from course_utils.methods.cam import grad_cam, min_max, score_cam, upsample
from course_utils.methods.gradients import integrated_gradients, smooth_grad
from course_utils.methods.hooks import fast_chunk, fast_layout
from course_utils.methods.occlusion import occlusion

Call = Callable[[], Tensor]
Case = tuple[str, Call, dict[str, Call]]  # name, ours, the libraries'
PROMISED = {"captum": 1.5, "captum, 64 at once": 1.2}  # occlusion, every network; the aim is 5 and 2
STATUS = Path("/proc/self/status")


def small_network() -> nn.Sequential:
    """Three convolutions, the last feature maps are layer "7"."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    ).eval()  # fmt: skip


def pictures(n: int, size: int) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def occlusion_case(model: nn.Module, size: int, window: int, stride: int, name: str = "occlusion") -> Case:
    inputs = pictures(1, size)
    extractor = captum.Occlusion(model)

    def theirs(**options: int) -> Tensor:
        shape = (3, window, window), (3, stride, stride)
        return extractor.attribute(inputs, *shape, target=1, **options)[:, 0]

    n_windows = (-(-(size - window) // stride) + 1) ** 2
    return (
        f"{name}, {size}×{size}, {n_windows} windows",
        lambda: occlusion(model, inputs, 1, window, stride),
        {"captum": theirs, "captum, 64 at once": lambda: theirs(perturbations_per_eval=64)},
    )


def grad_cam_case(model: nn.Module) -> Case:
    inputs, layer = pictures(16, 64), model[7]
    return (
        "grad_cam, 16 pictures",
        lambda: as_shown(grad_cam(model, inputs, 1, layer), inputs),
        {
            "captum": lambda: as_shown(
                captum.LayerGradCam(model, layer).attribute(inputs, 1)[:, 0].detach().relu(), inputs
            ),
            "torchcam": lambda: as_shown(torchcam_maps(torchcam.GradCAM, model, inputs), inputs),
            "grad-cam": lambda: gradcam_maps(GradCAM, model, inputs),
        },
    )


def score_cam_case(model: nn.Module) -> Case:
    inputs = pictures(2, 64)
    return (
        "score_cam, 2 pictures, 64 channels",
        lambda: score_cam(model, inputs, 1, "7"),
        {"torchcam": lambda: torchcam_maps(torchcam.ScoreCAM, model, inputs)},
    )


def score_cam_upsampled_case(model: nn.Module) -> Case:
    inputs = pictures(2, 64)
    return (
        "score_cam, upsampled first",
        lambda: as_shown(score_cam(model, inputs, 1, "7", upsample_first=True, align_corners=True), inputs),
        {"grad-cam": lambda: gradcam_maps(ScoreCAM, model, inputs)},
    )


def integrated_gradients_case(model: nn.Module) -> Case:
    inputs = pictures(4, 64)
    return (
        "integrated_gradients, 4 pictures, 50 steps",
        lambda: integrated_gradients(model, inputs, 1),
        {"captum": lambda: captum.IntegratedGradients(model).attribute(inputs, target=1).detach()},
    )


def smooth_grad_case(model: nn.Module) -> Case:
    inputs = pictures(4, 64)
    sigma = 0.15 * (inputs.amax(dim=(1, 2, 3)) - inputs.amin(dim=(1, 2, 3))).view(-1, 1, 1, 1)

    def same_noise(*args: object) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        noise = torch.stack([torch.randn(inputs.shape, generator=generator) for _ in range(50)])
        return (sigma * noise).transpose(0, 1).flatten(0, 1)

    def theirs() -> Tensor:
        tunnel = captum.NoiseTunnel(captum.Saliency(model))
        with patch.object(torch, "normal", same_noise):
            return tunnel.attribute(inputs, nt_samples=50, stdevs=1.0, target=1, abs=False)

    return "smooth_grad, 4 pictures, 50 samples", lambda: smooth_grad(model, inputs, 1), {"captum": theirs}


def torchcam_maps(extractor: type, model: nn.Module, inputs: Tensor) -> Tensor:
    with extractor(model, "7") as extract:
        return extract([1] * len(inputs), model(inputs), normalized=False)[0]


def gradcam_maps(extractor: type, model: nn.Module, inputs: Tensor) -> Tensor:
    with extractor(model, [model[7]]) as extract:
        return torch.from_numpy(extract(inputs, [ClassifierOutputTarget(1)] * len(inputs)))


def as_shown(maps: Tensor, inputs: Tensor) -> Tensor:
    """Bring raw maps to the form that grad-cam returns: min-max, picture's size, min-max."""
    return min_max(upsample(min_max(maps), tuple(inputs.shape[2:])))


def memory(field: str) -> float:
    """Return VmRSS (now) or VmHWM (peak) of this process in MB; NaN where there is no /proc."""
    if not STATUS.exists():
        return float("nan")
    return (
        next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(field))
        / 1024
    )


def peak_memory(call: Call) -> float:
    """Return the peak in MB during the call, above what was held before."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = memory("VmRSS")
    call()
    return max(memory("VmHWM") - before, 0.1)


def best_times(calls: list[Call], clock: Callable[[], float], n_runs: int) -> list[float]:
    """Return the best time of each call; they take turns, so that a slow spell hits all of them."""
    times = [float("inf")] * len(calls)
    for _ in range(n_runs):
        for i, call in enumerate(calls):
            start = clock()
            call()
            times[i] = min(times[i], clock() - start)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    clock = time.process_time if arguments.threads == 1 else time.perf_counter
    warnings.filterwarnings("ignore")
    score_cam_module.tqdm.tqdm = lambda steps: steps  # no progress bar

    model, failed = small_network(), []
    lab_networks = {"ResNet": resnet().eval(), "ZF-Net": zfnet().eval()}
    cases = [
        occlusion_case(model, 32, 8, 2),
        occlusion_case(model, 64, 8, 4),
        occlusion_case(model, 128, 20, 8),
        *(
            occlusion_case(network, 128, 20, 8, f"occlusion, {name}")
            for name, network in lab_networks.items()
        ),
        score_cam_case(model),
        score_cam_upsampled_case(model),
        grad_cam_case(model),
        integrated_gradients_case(model),
        smooth_grad_case(model),
    ]
    print(f"{'method':<44}{'library':<20}{'time':>8}{'memory':>9}{'ours':>19}   largest difference")
    for name, ours, libraries in cases:
        expected = ours()
        times = best_times([ours, *libraries.values()], clock, arguments.runs)
        memories = [peak_memory(call) for call in (ours, *libraries.values())]
        for i, (library, theirs) in enumerate(libraries.items(), start=1):
            difference = (theirs() - expected).abs().max().item()
            if difference > 1e-4 * max(1.0, expected.abs().max().item()):
                failed.append(f"{name}, {library}: results differ by {difference:.0e}")
            if name.startswith("occlusion") and times[i] / times[0] < PROMISED[library]:
                failed.append(f"{name}, {library}: {times[i] / times[0]:.1f}×, promised {PROMISED[library]}×")
            print(
                f"{name:<44}{library:<20}{times[i] / times[0]:>7.1f}×{memories[i] / memories[0]:>8.1f}×"
                f"{1e3 * times[0]:>9.0f} ms {memories[0]:>4.0f} MB   {difference:.0e}",
                flush=True,
            )
    for name, network in lab_networks.items():
        one, batch = forward_passes(network, 1), forward_passes(network, fast_chunk(pictures(1, 128)))
        time_one, time_batch = best_times([one, batch], clock, arguments.runs)
        print(
            f"{name}: a forward pass alone takes {time_one / time_batch:.1f}× as long one picture at a time"
        )
    print("\n".join(failed), file=sys.stderr, end="\n" if failed else "")
    return int(bool(failed))


def forward_passes(model: nn.Module, batch_size: int) -> Call:
    """A call that sends 64 pictures through the model; batches run in the layout that our methods use."""
    inputs = pictures(64, 128)
    if batch_size > 1:
        inputs = inputs.contiguous(memory_format=fast_layout(model, inputs))
    batches = inputs.split(batch_size)

    def run() -> None:
        with torch.inference_mode():
            for batch in batches:
                model(batch)

    return run


if __name__ == "__main__":
    sys.exit(main())
