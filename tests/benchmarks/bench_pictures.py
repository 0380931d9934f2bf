"""Our methods on pictures beside the libraries': time, memory, and how much of it is the model's own.

    python tests/benchmarks/bench_pictures.py [pairs of runs]

One line a method and network, against the fastest library at its fastest setting. "its time" above 1 means
that the library takes that many times as long as we do, "memory" the same of the peak. The promise: never
below 0.95 on the labs' networks, where nearly all the time is the model's own forward and backward passes
(last column) and nobody can gain much. On a tiny network the overhead shows. Results must agree.
"""

import torch
from captum import attr as captum
from measure import SLOWEST, Call, compare, failures, finish, growth, start
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, LayerCAM, ScoreCAM
from pytorch_grad_cam import score_cam as score_cam_module
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam import methods as torchcam

from course_utils.labs.networks import resnet, zfnet
from course_utils.methods import cam, gradients
from course_utils.methods.deconvnet import guided_backprop
from course_utils.methods.occlusion import occlusion

Case = tuple[str, Call, dict[str, Call]]  # method, ours, the libraries'


def tiny_network() -> nn.Sequential:
    """Three convolutions; the last feature maps are layer "7"."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def pictures(n: int, size: int) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def main() -> None:
    runs = start()
    score_cam_module.tqdm.tqdm = lambda steps: steps  # no progress bar
    networks = {
        "tiny": (tiny_network().eval(), "7", 32, 0.0),
        "ResNet": (resnet().eval(), "layer4", 128, SLOWEST),
        "ZF-Net": (zfnet().eval(), "relu5", 128, SLOWEST),
    }
    for network, (model, layer, size, promised) in networks.items():
        for method, ours, peers in cases(model, layer, size):
            check_equal(f"{method}, {network}", ours, peers)
            compare(f"{method}, {network}", ours, peers, runs, model=model, promised=promised)
    grow(networks["tiny"][0], runs)
    finish()


def cases(model: nn.Module, layer: str, size: int) -> list[Case]:
    many, few, one = pictures(16, size), pictures(2, size), pictures(1, size)
    module = model.get_submodule(layer)
    window, stride = size // 4, size // 16
    shapes = (3, window, window), (3, stride, stride)
    steps = 20

    def covered(at_once: int) -> Call:
        extractor = captum.Occlusion(model)
        return lambda: extractor.attribute(one, *shapes, target=1, perturbations_per_eval=at_once)[:, 0]

    def integrated(at_once: int | None) -> Call:
        extractor = captum.IntegratedGradients(model)
        options = {"target": 1, "n_steps": steps, "internal_batch_size": at_once}
        return lambda: extractor.attribute(few, **options).detach()

    def tunnel(at_once: int | None) -> Call:
        extractor = captum.NoiseTunnel(captum.Saliency(model))
        options = {"nt_samples": steps, "nt_samples_batch_size": at_once, "stdevs": 0.0}
        return lambda: extractor.attribute(few, target=1, abs=False, **options)

    def by_torchcam(extractor: type, inputs: Tensor) -> Call:
        def maps() -> Tensor:
            with extractor(model, layer) as extract:
                return extract([1] * len(inputs), model(inputs.clone().requires_grad_()), normalized=False)[0]

        return maps

    def by_grad_cam(extractor: type, inputs: Tensor) -> Call:
        def maps() -> Tensor:
            with extractor(model, [module]) as extract:
                return torch.from_numpy(extract(inputs, [ClassifierOutputTarget(1)] * len(inputs)))

        return maps

    def raw(method: str, inputs: Tensor, **options: object) -> Call:
        return lambda: getattr(cam, method)(model, inputs, 1, layer, **options)

    plain = lambda: captum.LayerGradCam(model, module).attribute(many, 1)[:, 0].detach().relu()  # noqa: E731
    return [
        ("saliency, 16 pictures", lambda: gradients.saliency(model, many, 1),
         {"captum": lambda: captum.Saliency(model).attribute(many, 1)}),
        ("input_x_gradient, 16 pictures", lambda: gradients.input_x_gradient(model, many, 1),
         {"captum": lambda: captum.InputXGradient(model).attribute(many, 1).detach()}),
        (f"integrated_gradients, 2 pictures, {steps} steps",
         lambda: gradients.integrated_gradients(model, few, 1, n_steps=steps),
         {"captum": integrated(None), "captum, 8 at once": integrated(8)}),
        # without noise, so that the results can be compared; the work is the same
        (f"smooth_grad, 2 pictures, {steps} samples",
         lambda: gradients.smooth_grad(model, few, 1, steps, 0.0),
         {"captum": tunnel(None), "captum, 4 at once": tunnel(4)}),
        ("guided_backprop, 16 pictures", lambda: guided_backprop(model, many, 1),
         {"captum": lambda: captum.GuidedBackprop(model).attribute(many, 1)}),
        ("grad_cam, 16 pictures", raw("grad_cam", many),
         {"captum": plain, "torchcam": by_torchcam(torchcam.GradCAM, many),
          "grad-cam": by_grad_cam(GradCAM, many)}),
        ("grad_cam_plus_plus, 16 pictures", raw("grad_cam_plus_plus", many),
         {"grad-cam": by_grad_cam(GradCAMPlusPlus, many)}),
        ("layer_cam, 16 pictures", raw("layer_cam", many),
         {"torchcam": by_torchcam(torchcam.LayerCAM, many), "grad-cam": by_grad_cam(LayerCAM, many)}),
        ("score_cam, 1 picture, all channels", raw("score_cam", one),
         {"torchcam": by_torchcam(torchcam.ScoreCAM, one), "grad-cam": by_grad_cam(ScoreCAM, one)}),
        ("occlusion, 169 windows", lambda: occlusion(model, one, 1, window, stride),
         {f"captum, {n} at once": covered(n) for n in (1, 8, 64)}),
    ]  # fmt: skip


def check_equal(name: str, ours: Call, peers: dict[str, Call]) -> None:
    """Note a difference beyond rounding. (grad-cam scales its maps: the tests compare those.)"""
    expected = ours()
    for library, theirs in peers.items():
        if library == "grad-cam":
            continue
        difference = (theirs() - expected).abs().max().item() / expected.abs().max().clamp(min=1e-30).item()
        if not difference < 1e-3:
            failures.append(f"{name}, {library}: results differ by {difference:.0e}")


def grow(model: nn.Module, runs: int) -> None:
    """Pictures, samples or steps, and size, one after the other."""

    def integrated(pictures_: int, steps: int, side: int) -> Tensor:
        return gradients.integrated_gradients(model, pictures(pictures_, side), 1, n_steps=steps)

    def smooth(pictures_: int, samples: int, side: int) -> Tensor:
        return gradients.smooth_grad(model, pictures(pictures_, side), 1, samples)

    def covered(pictures_: int, side: int) -> Tensor:
        return occlusion(model, pictures(pictures_, side), 1, side // 4, side // 8)

    def maps(pictures_: int, side: int) -> Tensor:
        return cam.grad_cam(model, pictures(pictures_, side), 1, "7")

    growth("integrated_gradients", integrated, runs, pictures_=(2, 8), steps=(20, 80), side=(64, 128))
    growth("smooth_grad", smooth, runs, pictures_=(2, 8), samples=(20, 80), side=(64, 128))
    growth("occlusion", covered, runs, pictures_=(2, 8), side=(64, 128))
    growth("grad_cam", maps, runs, pictures_=(8, 32), side=(64, 128))


if __name__ == "__main__":
    main()
