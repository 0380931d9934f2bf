"""What the appendix of lesson 12 claims about agreement, sampling error and published errors."""

import numpy as np
import torch
from replication import claim

from course_utils import judge
from course_utils.judge.agreement.libraries import quiet
from course_utils.labs import load_lab
from course_utils.methods.cam import grad_cam, min_max, upsample
from course_utils.methods.gradients import smooth_grad
from course_utils.methods.hooks import input_gradients


def scenes(seed: int, n: int):
    lab = load_lab("scenes", seed=seed, n=n, n_objects=2)
    return lab, lab.inputs, lab.targets[:, 0], lab.masks[:, 0]


def strongest(values):
    return values.abs().amax(dim=1)


def path(model, inputs, classes, stop, n=16):
    """The mean gradient on the way from zero to `stop` times the picture, at the middles of n steps."""
    points = [stop * (k + 0.5) / n for k in range(n)]
    return torch.stack([input_gradients(model, a * inputs, classes) for a in points]).mean(dim=0)


@claim(
    "§1",
    "captum, torch-cam and grad-cam compute one Grad-CAM: with their conventions followed the maps are equal.",
    shown="≤ 1e-06",
    holds=lambda gaps: gaps.max() < 1e-4,
)
def test_three_libraries_one_method(seed):
    from captum.attr import LayerGradCam
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    from torchcam.methods import GradCAM as TorchGradCAM

    lab, inputs, classes, _ = scenes(seed, 4)
    lab.model.eval()
    with quiet():
        captum = LayerGradCam(lab.model, lab.layer).attribute(inputs, classes)[:, 0].detach()
        with TorchGradCAM(lab.model, target_layer=lab.layer) as extractor:
            torchcam = extractor(classes.tolist(), lab.model(inputs))[0].detach()
        with GradCAM(model=lab.model, target_layers=[lab.layer]) as extractor:
            wanted = [ClassifierOutputTarget(int(t)) for t in classes]
            gradcam = torch.from_numpy(extractor(input_tensor=inputs, targets=wanted))
    ours = grad_cam(lab.model, inputs, classes, lab.layer, relu=False)
    scaled = min_max(ours.relu())
    pairs = (
        (ours / ours.abs().max(), captum / ours.abs().max()),
        (scaled, torchcam),
        (min_max(upsample(scaled, inputs.shape[-2:])), gradcam),
    )
    return max(float((a - b).abs().max()) for a, b in pairs)


@claim(
    "§3",
    "With sixteen times the coalitions, KernelSHAP's sampling error falls to about a quarter.",
    shown="0.153 to 0.037",
    holds=lambda ratios: abs(np.exp(np.log(ratios).mean()) - 0.25) < 0.08,
)
def test_sampling_error_falls_with_the_root(seed):
    from captum.attr import KernelShap

    from course_utils.judge.agreement.subjects import table_model
    from course_utils.methods.shapley import shapley_values

    case = table_model()
    exact = shapley_values(case.on_off, 5)
    errors = {50: [], 800: []}
    for count, found in errors.items():
        for draw in range(12):
            torch.manual_seed(1000 * seed + draw)
            values = KernelShap(case.network).attribute(
                case.row, case.zero, n_samples=count, perturbations_per_eval=800
            )
            found.append(np.abs(values[0].numpy() - exact).max())
    return np.mean(errors[800]) / np.mean(errors[50])


@claim(
    "§6",
    "SmoothGrad with its level divided by the range has more of the map on the object than SmoothGrad as defined.",
    shown="+0.08",
    holds=lambda gaps: gaps.min() > 0,
)
def test_a_wrong_formula_scores_better(seed):
    lab, inputs, classes, truth = scenes(seed, 20)
    right = smooth_grad(lab.model, inputs, classes, 12, 0.15)
    span = inputs.amax(dim=(1, 2, 3)) - inputs.amin(dim=(1, 2, 3))
    level = float((0.15 / span**2).mean())  # so that σ = level × range is 0.15 / range; the ranges are alike
    wrong = smooth_grad(lab.model, inputs, classes, 12, level)
    energies = [judge.energy_in_mask(strongest(values), truth) for values in (wrong, right)]
    return judge.paired(*energies).mean


@claim(
    "§6",
    "IG that stops at 0.9 gives nearly the same map, and hardly another energy; its sum misses the gain much more.",
    shown="alike 0.99, energy +0.01, 15 % against 2 %",
    holds=lambda v: (
        (v["alike"] > 0.95).all()
        and (abs(v["energy"]) < 0.03).all()
        and (v["missed, α to 0.9"] > 3 * v["missed, defined"]).all()
    ),
)
def test_a_map_that_looks_right_and_does_not_add_up(seed):
    lab, inputs, classes, truth = scenes(seed, 20)
    right, early = (inputs * path(lab.model, inputs, classes, stop) for stop in (1.0, 0.9))
    energies = [judge.energy_in_mask(strongest(values), truth) for values in (early, right)]
    with torch.no_grad():
        gain = (lab.model(inputs) - lab.model(0 * inputs)).gather(1, classes[:, None])[:, 0]
    missed = [
        ((values.sum(dim=(1, 2, 3)) - gain).abs() / gain.abs()).median().item() for values in (right, early)
    ]
    return {
        "alike": judge.rank_correlation(strongest(right), strongest(early)).mean().item(),
        "energy": judge.paired(*energies).mean,
        "missed, defined": missed[0],
        "missed, α to 0.9": missed[1],
    }


@claim(
    "§6",
    "IG without the factor (x − x′) gives a map much like the right one, but its sum is far from the gain.",
    shown="alike 0.91, misses 112 %",
    holds=lambda v: (v["alike"] > 0.8).all() and (v["missed"] > 0.5).all(),
)
def test_the_factor_is_not_seen_in_the_map(seed):
    lab, inputs, classes, _ = scenes(seed, 20)
    slopes = path(lab.model, inputs, classes, 1.0)
    with torch.no_grad():
        gain = (lab.model(inputs) - lab.model(0 * inputs)).gather(1, classes[:, None])[:, 0]
    missed = (slopes.sum(dim=(1, 2, 3)) - gain).abs() / gain.abs()
    return {
        "alike": judge.rank_correlation(strongest(inputs * slopes), strongest(slopes)).mean().item(),
        "missed": missed.median().item(),
    }
