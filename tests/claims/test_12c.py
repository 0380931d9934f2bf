"""What the appendix of lesson 12 claims about agreement, sampling error and published errors."""

import numpy as np
import torch
from replication import claim

from course_utils import judge
from course_utils.judge.agreement.libraries import quiet
from course_utils.judge.agreement.table import largest_share
from course_utils.labs import load_lab
from course_utils.methods.cam import grad_cam, min_max, upsample
from course_utils.methods.gradients import smooth_grad
from course_utils.methods.hooks import activations_and_gradients, input_gradients


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
    "§3",
    "shap's KernelSHAP spends no sample on a coalition that it has: of 5 players 40 samples are all, and the error is 0; captum's is not.",
    shown="0.000 and 0.153 (50 samples)",
    holds=lambda v: v["shap, 40"].max() < 1e-6 and v["captum, 50"].min() > 1e-3,
)
def test_shap_takes_no_coalition_twice(seed):
    from captum.attr import KernelShap

    from course_utils.judge.agreement.libraries import import_shap
    from course_utils.methods.shapley import shapley_values

    rng = np.random.default_rng(seed)
    weights, row = rng.normal(size=(5, 5)), rng.normal(size=5)

    def model(rows):
        return np.tanh(rows @ weights).sum(axis=1) + rows[:, 0] * rows[:, 1]

    exact = shapley_values(lambda masks: model(masks * row), 5)
    np.random.seed(seed)  # noqa: NPY002 (shap draws from it)
    explainer = import_shap().KernelExplainer(model, np.zeros((1, 5)))
    by_shap = explainer.shap_values(row[None], nsamples=40, l1_reg=0, silent=True)[0]
    errors = []
    for draw in range(8):
        torch.manual_seed(1000 * seed + draw)
        values = KernelShap(lambda x: torch.from_numpy(model(x.numpy()))).attribute(
            torch.tensor(row[None]), torch.zeros(1, 5, dtype=torch.float64), n_samples=50
        )
        errors.append(largest_share(exact, values[0]))
    return {"shap, 40": largest_share(exact, by_shap), "captum, 50": np.mean(errors)}


@claim(
    "§4",
    "captum's stdevs is σ itself: with the same random numbers its SmoothGrad equals ours at σ = 0.15, not at 0.15 × range.",
    shown="agree, differ",
    holds=lambda v: v["σ"].max() < 1e-3 and v["0.15 × range"].min() > 0.1,
)
def test_captum_takes_sigma_itself(seed):
    from captum.attr import NoiseTunnel, Saliency

    lab, inputs, classes, _ = scenes(seed, 1)
    span = float(inputs.max() - inputs.min())
    torch.manual_seed(0)
    theirs = NoiseTunnel(Saliency(lab.model)).attribute(
        inputs, nt_samples=10, stdevs=0.15, target=classes, abs=False
    )
    return {
        name: largest_share(theirs, smooth_grad(lab.model, inputs, classes, 10, level))
        for name, level in (("σ", 0.15 / span), ("0.15 × range", 0.15))
    }


@claim(
    "§4",
    "grad-cam's ε of 1e-6 is as large as the squared gradients: without it Grad-CAM++ is another map on these scenes.",
    shown="differ; agree with 1e-6",
    holds=lambda v: v["without"].min() > 1e-3 and v["with"].max() < 1e-3,
)
def test_the_epsilon_changes_the_map(seed):
    from pytorch_grad_cam import GradCAMPlusPlus
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    lab, inputs, classes, _ = scenes(seed, 6)
    wanted = [ClassifierOutputTarget(int(t)) for t in classes]
    with quiet(), GradCAMPlusPlus(model=lab.model, target_layers=[lab.layer]) as extractor:
        theirs = torch.from_numpy(extractor(input_tensor=inputs, targets=wanted))
    activations, slopes = activations_and_gradients(lab.model, inputs, classes, lab.layer)
    found = {}
    for name, eps in (("without", 0.0), ("with", 1e-6)):
        third = activations.sum(dim=(2, 3), keepdim=True) * slopes**3
        alpha = torch.where(slopes == 0, 0, slopes**2 / (2 * slopes**2 + third + eps))
        weights = (alpha * slopes.relu()).sum(dim=(2, 3), keepdim=True)
        maps = min_max(upsample(min_max((weights * activations).sum(dim=1).relu()), inputs.shape[-2:]))
        found[name] = float((maps - theirs).abs().amax(dim=(1, 2)).median())
    return found


@claim(
    "§6",
    "The energy rises with one error (the level divided by the range), falls with two (absolute values; the loss). "
    "Fair choices move it as much: a level of 0.05; IG's positive part.",
    shown="+0.08; -0.03, -0.03; +0.06, +0.05",
    holds=lambda v: (
        v["level / range"].min() > 0
        and v["absolute values"].max() < 0
        and v["loss"].max() < 0
        and v["level 0.05"].min() > 0.02
        and v["positive part"].min() > 0.02
        and v["no noise"].min() > 0
    ),
)
def test_the_energy_does_not_tell_errors_from_choices(seed):
    lab, inputs, classes, truth = scenes(seed, 10)
    span = (inputs.amax(dim=(1, 2, 3)) - inputs.amin(dim=(1, 2, 3))).view(-1, 1, 1, 1)

    def smooth(sigma, absolute=False):
        generator = torch.Generator().manual_seed(seed)
        noise = [torch.randn(inputs.shape, generator=generator) for _ in range(12)]
        slopes = [input_gradients(lab.model, inputs + sigma * n, classes) for n in noise]
        return torch.stack([s.abs() if absolute else s for s in slopes]).mean(dim=0)

    def energy(values):
        return judge.energy_in_mask(strongest(values), truth).mean().item()

    pixels = inputs.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(lab.model(pixels), classes, reduction="sum")
    plain = energy(input_gradients(lab.model, inputs, classes))
    smoothed = energy(smooth(0.15 * span))
    integrated = inputs * path(lab.model, inputs, classes, 1.0)
    return {
        "level / range": energy(smooth(0.15 / span)) - smoothed,
        "absolute values": energy(smooth(0.15 * span, absolute=True)) - smoothed,
        "level 0.05": energy(smooth(0.05 * span)) - smoothed,
        "no noise": plain - smoothed,
        "loss": energy(torch.autograd.grad(loss, pixels)[0]) - plain,
        "positive part": energy(integrated.sum(dim=1, keepdim=True).clamp(min=0)) - energy(integrated),
    }


@claim(
    "§6",
    "Two of the errors are options of captum: absolute values are averaged by default, multiply_by_inputs=False leaves "
    "out the factor.",
    shown="a sentence",
    holds=lambda gaps: gaps.max() < 1e-3,
)
def test_two_errors_are_options(seed):
    from captum.attr import IntegratedGradients, NoiseTunnel, Saliency

    lab, inputs, classes, _ = scenes(seed, 1)
    torch.manual_seed(0)
    averaged = NoiseTunnel(Saliency(lab.model)).attribute(inputs, nt_samples=4, stdevs=0.15, target=classes)
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(inputs.shape, generator=generator) for _ in range(4)]
    slopes = [input_gradients(lab.model, inputs + 0.15 * n, classes).abs() for n in noise]
    bare = IntegratedGradients(lab.model, multiply_by_inputs=False).attribute(
        inputs, target=classes, n_steps=16, method="riemann_middle"
    )
    return max(
        largest_share(torch.stack(slopes).mean(dim=0), averaged),
        largest_share(path(lab.model, inputs, classes, 1.0), bare),
    )


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
