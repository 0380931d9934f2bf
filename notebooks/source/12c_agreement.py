# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 12c · The agreement page: do two programs compute the same thing?
#
# **The question.** Two libraries offer a method under the same name. Do they return the same numbers? If not, who is wrong, or is nobody?
#
# This companion of [12 · Judging explanations](12_judging_explanations.ipynb) adds the course's agreement page: every method beside the libraries, the conventions in which they differ, the defects that are known, and the errors that courses copy from one another.
#
# **After this lesson you can**
# - find the convention that makes two programs with one name agree, and tell a convention from an error;
# - say how much of a difference is sampling error, and how many samples would halve it;
# - show that a wrong formula can score as well as the right one, and find it by its definition instead;
# - compare a method of your own with a library, in four lines.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [12 · Judging explanations](12_judging_explanations.ipynb), and lessons 04, 06 and 08 for the methods.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F

from course_utils import judge
from course_utils.exercises import l12_judging_explanations as exercises
from course_utils.judge import agreement
from course_utils.judge.agreement.libraries import quiet
from course_utils.labs import load_lab
from course_utils.methods.cam import grad_cam, min_max, upsample
from course_utils.methods.gradients import saliency, smooth_grad
from course_utils.methods.hooks import activations_and_gradients, input_gradients
from course_utils.methods.lime import cosine_distances, fit_surrogate, hide_segments, sample_masks
from course_utils.teach import plots, widgets

lab = load_lab("scenes", n_objects=2)
model, layer = lab.model, lab.layer
picture, target = lab.inputs[1:2], int(lab.targets[1, 0])

# %% [markdown]
# ## 1 · A puzzle: three Grad-CAMs of one picture
#
# captum, torch-cam and pytorch-grad-cam (short: grad-cam) all have Grad-CAM. Here they explain the same picture, the same class and the same layer. **How many different methods do you see?** Look at the sharpness, the colours and the scales.

# %%
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchcam.methods import GradCAM as TorchGradCAM

wanted = [ClassifierOutputTarget(target)]
with quiet():
    by_captum = LayerGradCam(model, layer).attribute(picture, target)[0].detach()
    with TorchGradCAM(model, target_layer=layer) as extractor:
        by_torchcam = extractor([target], model(picture))[0].detach()
    with GradCAM(model=model, target_layers=[layer]) as extractor:
        by_gradcam = torch.from_numpy(extractor(input_tensor=picture, targets=wanted))
three = {"captum": by_captum, "torch-cam": by_torchcam, "grad-cam": by_gradcam}
for name, heat in three.items():
    print(
        f"{name:>9}: {heat.shape[1]:>3} × {heat.shape[2]:<3} values from {heat.min():+.3f} to {heat.max():+.3f}"
    )

# %% tags=["hide-input"]
figure, axes = plots.grid(1, 4, width=10)
axes[0, 0].imshow(lab.images[1])
axes[0, 0].set_title(f"why {lab.class_names[target]}?", fontsize=10)
for ax, (name, heat) in zip(axes[0, 1:], three.items(), strict=True):
    signed = float(heat.min()) < 0
    limit = float(heat.abs().max())
    ax.imshow(heat[0], cmap="RdBu_r" if signed else "viridis", vmin=-limit if signed else 0, vmax=limit)
    ax.set_title(f"{name}: {heat.shape[1]} × {heat.shape[2]}" + (", signed" if signed else ""), fontsize=10)
plots.show(
    "One scene and three maps under the name Grad-CAM: captum's has few squares and both signs, torch-cam's the same "
    "squares from 0 to 1, grad-cam's is smooth and as large as the picture."
)

# %% [markdown]
# It is one method. The three libraries do different things *after* the formula:
#
# - captum returns the weighted sum as it is: no ReLU, the layer's size;
# - torch-cam applies the ReLU and scales to 0 … 1, in the layer's size;
# - grad-cam applies the ReLU, scales, enlarges, and scales again.
#
# Each choice is allowed, none is written on the picture. We call such a choice a **convention**. Follow the convention, and the difference goes away:

# %% tags=["nbval-check-output"]
ours = grad_cam(model, picture, target, layer, relu=False)
dressed = min_max(upsample(min_max(ours.relu()), picture.shape[-2:]))
scale = ours.abs().max()  # so that 1 is the largest value of our map
judge.agreement_table(
    [
        ("captum", ours / scale, by_captum / scale, "no ReLU"),
        ("torch-cam", min_max(ours.relu()), by_torchcam, "ReLU, min-max"),
        ("grad-cam", dressed, by_gradcam, "ReLU, min-max, enlarge, min-max"),
    ]
)

# %% [markdown]
# Small differences are shown as the next power of ten, since their last digits depend on the processor. Differences above 0.01 are shown as numbers.

# %% [markdown]
# ## 2 · The page
#
# The lessons compared their methods with libraries, or with a published formula where no library has the method. The *agreement page* does all of it again, now, with the versions that are installed on your computer. A **row** of the page names a method, a library and the convention, and holds two functions, *ours* and *theirs*. Each row can be run alone:

# %%
print(agreement.run("LIME", "lime"))

# %% [markdown]
# What the convention of a row says, you have to do yourself when you compare two published numbers. The difference is the largest absolute one, as a share of our largest value. Each row works on something small: a random network, a table, a few tokens. Our side is in double precision, so that rounding does not hide an error. Here is the whole page; it takes some seconds, most of them for loading the libraries.

# %%
page = agreement.page(progress=True)

# %% tags=["nbval-check-output"]
page

# %% [markdown]
# The picture below shows the same rows by size. Look for two groups.

# %% tags=["hide-input"]
random_rows = [row for row in page.rows if "sampling error" in row.convention]
exact_rows = [row for row in page.rows if row not in random_rows]
figure, ax = plt.subplots(figsize=(8, 2.2))
for height, (rows, color, marker) in enumerate(((exact_rows, "#0072b2", "o"), (random_rows, "#d55e00", "D"))):
    ax.plot(
        [max(row.difference, 1e-17) for row in rows], [height] * len(rows), marker, color=color, alpha=0.6
    )
ax.set(
    xscale="log",
    ylim=(-0.6, 1.6),
    xlabel="largest difference, as a share of the largest value (0 drawn at 1e-17)",
)
ax.set_yticks(
    [0, 1],
    [
        f"no random numbers,\nor the same ({len(exact_rows)} rows)",
        f"other random\nnumbers ({len(random_rows)})",
    ],
)
ax.set_title("Differences of rounding and of sampling lie far apart", loc="left")
smallest, largest = min(r.difference for r in random_rows), max(r.difference for r in exact_rows)
plots.show(
    f"{len(exact_rows)} rows differ by at most {largest:.0e}; the {len(random_rows)} rows that draw other random numbers differ "
    f"by {smallest:.0e} or more."
)

# %% [markdown]
# Rows of the first group differ by less than one part in a million, mostly by rounding (grad-cam computes in single precision, so its rows are the largest of them); a few differ because a library's ε or the place where its solver stops is not ours. Rows of the second group draw their own random numbers. That is the next section.
#
# The page's second and third table come in sections 4 and 6. From a terminal, `python -m course_utils.judge.agreement page.md` writes the page into a file.

# %% [markdown]
# ### Exercise: rank correlation
#
# The page compares measures, too. Here is the measure that sanity checks use, by hand. No two values of a map are equal here, so you need not care about ties.


# %% exercise="rank_correlation"
def rank_correlation(maps, others):
    """Spearman's rank correlation (N,) of each map (N, H, W) with the other of the same picture."""
    # BEGIN SOLUTION
    a, b = (m.flatten(1).argsort(dim=1).argsort(dim=1).double() for m in (maps, others))
    a, b = (ranks - ranks.mean(dim=1, keepdim=True) for ranks in (a, b))
    return (a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1))
    # END SOLUTION


# %%
exercises.rank_correlation.check(rank_correlation)

# %% [markdown]
# ## 3 · Sampling error is not a bug
#
# Three rows say "sampling error". KernelSHAP in captum draws random coalitions; ours looks at all of them, which is possible for five players. So captum's values move with the random numbers. How fast do they come closer when it may draw more? **Predict**: four times the samples, and the error is … half? a quarter? Then look.

# %%
from captum.attr import KernelShap
from tqdm.auto import tqdm

from course_utils.judge.agreement.subjects import table_model
from course_utils.methods.shapley import shapley_values

case = table_model()  # a model with five inputs, as a function and as a network
exact = shapley_values(case.on_off, 5)
COUNTS, SEEDS = (50, 200, 800), range(8)
errors = np.zeros((len(SEEDS), len(COUNTS)))
for i, seed in enumerate(tqdm(SEEDS, leave=False)):
    for j, count in enumerate(COUNTS):
        torch.manual_seed(seed)
        values = KernelShap(case.network).attribute(
            case.row, case.zero, n_samples=count, perturbations_per_eval=800
        )
        errors[i, j] = np.abs(values[0].numpy() - exact).max() / np.abs(exact).max()
for count, error in zip(COUNTS, errors.mean(axis=0), strict=True):
    print(f"{count:>5} samples: mean largest error {error:.3f}")

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.5, 2.8))
ax.plot(COUNTS, errors.T, "o", color="#56b4e9", alpha=0.6, markersize=4)
ax.plot(COUNTS, errors.mean(axis=0), "o-", color="#0072b2", label="mean of 8 seeds")
line = errors.mean(axis=0)[0] * np.sqrt(COUNTS[0] / np.array(COUNTS))
ax.plot(COUNTS, line, "--", color=plots.BASELINE, label="four times the samples: half the error")
ax.set(xscale="log", yscale="log", xlabel="coalitions drawn", ylabel="largest error")
ax.minorticks_off()
ax.set_xticks(COUNTS, COUNTS)
ax.set_yticks([0.02, 0.05, 0.1, 0.2], ["0.02", "0.05", "0.10", "0.20"])
ax.set_title("More samples bring KernelSHAP to the exact values", loc="left")
ax.legend()
plots.show(
    f"The error falls along the line of one over the root: from {errors.mean(axis=0)[0]:.2f} at {COUNTS[0]} coalitions to "
    f"{errors.mean(axis=0)[-1]:.3f} at {COUNTS[-1]}."
)

# %% [markdown]
# The error falls with the root of the number of samples: four times the work for half the error. This holds because captum draws each coalition anew. shap's KernelSHAP begins with the coalitions of the largest weight, and spends no sample on one that it has already. How fast does *its* error fall?

# %%
from course_utils.judge.agreement.libraries import import_shap

explainer = import_shap().KernelExplainer(case.model, np.zeros((1, 5)))
for count in (10, 20, 40):
    missed = []
    for seed in SEEDS:
        np.random.seed(seed)  # noqa: NPY002 (shap draws from it)
        with quiet():
            values = explainer.shap_values(case.table[:1], nsamples=count, l1_reg=0, silent=True)[0]
        missed.append(np.abs(values - exact).max() / np.abs(exact).max())
    print(f"shap, {count:>2} samples: mean largest error {np.mean(missed):.3f}")

# %% [markdown]
# With five players there are 30 coalitions beside the empty and the full one: with 40 samples shap has seen them all, and nothing is left to chance. So ask how a program draws before you use the rule. And a difference of 0.05 between two programs that draw random numbers proves nothing by itself. Draw more, or hand both the same random numbers. The rows of SmoothGrad and LIME do the latter.

# %% [markdown]
# ## 4 · Play: five switches
#
# Five pairs of programs that claim to compute the same thing, and five switches. The libraries stay as they are; the switches change *our* side. Find the setting for which all five pairs agree.
#
# First what the libraries say. captum's SmoothGrad draws from PyTorch's own random numbers: with the seed 0 they are the same as ours, and its `stdevs` is 0.15. LIME gets our own superpixels (16 squares).

# %%
from captum.attr import NoiseTunnel, Saliency
from lime.lime_image import LimeImageExplainer

torch.manual_seed(0)
with quiet():
    smooth_captum = NoiseTunnel(Saliency(model)).attribute(
        picture, nt_samples=10, stdevs=0.15, target=target, abs=False
    )
with quiet(), GradCAMPlusPlus(model=model, target_layers=[layer]) as extractor:
    plus_gradcam = torch.from_numpy(extractor(input_tensor=picture, targets=wanted))
squares = np.arange(128)[:, None] // 32 * 4 + np.arange(128) // 32
with quiet():
    found = LimeImageExplainer(random_state=0).explain_instance(
        lab.images[1],
        lab.predict,
        labels=(target,),
        top_labels=None,
        num_samples=100,
        segmentation_fn=lambda _: squares,
    )
lime_package = torch.tensor([dict(found.local_exp[target])[j] for j in range(16)])

# %% [markdown]
# Our side, with a switch in each. `A` are the layer's activations, `dA` the gradients of the class score at them.

# %%
A, dA = activations_and_gradients(model, picture, target, layer)
state = np.random.RandomState(0)
state.randint(0, 1000)  # lime draws one number before it draws the masks
masks = sample_masks(100, 16, state)
answers = lab.predict(hide_segments(lab.images[1], squares, masks))[:, target]


def enlarged(maps, interpolation):
    """(1, h, w) to (1, 128, 128)."""
    options = {} if interpolation == "nearest" else {"align_corners": interpolation.endswith("aligned")}
    return F.interpolate(maps[:, None], 128, mode=interpolation.split(",")[0], **options)[:, 0]


def our_plus_plus(eps):
    alpha = dA**2 / (2 * dA**2 + A.sum(dim=(2, 3), keepdim=True) * dA**3 + eps)
    weights = (torch.where(dA == 0, 0, alpha) * dA.relu()).sum(dim=(2, 3), keepdim=True)
    return min_max(enlarged(min_max((weights * A).sum(dim=1).relu()), "bilinear"))


def our_lime(root):
    kernel = np.exp(-(cosine_distances(masks) ** 2) / 0.25**2)
    return torch.from_numpy(fit_surrogate(masks, answers, np.sqrt(kernel) if root else kernel).coefficients)


# %%
def differences(relu, interpolation, eps, sigma, root):
    """Name → largest difference to the library, as a share of the library's largest value."""
    weighted = (dA.mean(dim=(2, 3), keepdim=True) * A).sum(dim=1)
    cam_map = min_max(weighted.relu() if relu else weighted)
    span = float(picture.max() - picture.min())
    level = 0.15 if sigma == "0.15 × range" else 0.15 / span
    pairs = {
        "Grad-CAM and torch-cam (ReLU)": (cam_map, by_torchcam),
        "Grad-CAM and grad-cam (interpolation)": (
            min_max(enlarged(min_max(weighted.relu()), interpolation)),
            by_gradcam,
        ),
        "Grad-CAM++ and grad-cam (ε)": (our_plus_plus(eps), plus_gradcam),
        "SmoothGrad and captum (σ)": (smooth_grad(model, picture, target, 10, level), smooth_captum),
        "LIME and lime (root)": (our_lime(root), lime_package),
    }
    return {name: float((a.detach() - b).abs().max() / b.abs().max()) for name, (a, b) in pairs.items()}


# %% tags=["hide-input"]
def draw(relu, interpolation, eps, sigma, root, ax=None):
    found = differences(relu, interpolation, float(eps), sigma, root)
    alone = ax is None
    if alone:
        _, ax = plt.subplots(figsize=(8, 2.3))
    shown = {name: max(value, 1e-8) for name, value in found.items()}
    ax.barh(
        list(shown),
        [np.log10(value) + 8.05 for value in shown.values()],
        color=["#009e73" if value < 1e-3 else "#d55e00" for value in shown.values()],
    )
    for row, value in enumerate(shown.values()):
        ax.text(np.log10(value) + 8.1, row, "agree" if value < 1e-3 else "differ", va="center", fontsize=9)
    ax.set_xticks(range(0, 11, 2), [f"1e{power:+03d}" for power in range(-8, 3, 2)])
    ax.set(xlim=(0, 10), xlabel="largest difference, as a share of the largest value")
    ax.invert_yaxis()
    agreeing = [name for name, value in found.items() if value < 1e-3]
    ax.set_title(f"{len(agreeing)} of 5 pairs agree (to one thousandth)", loc="left")
    if alone:
        plots.show(f"A bar a pair; agreeing: {', '.join(agreeing) or 'none'}.")


widgets.explore(
    draw,
    relu=widgets.checkbox("ReLU after the sum", False),
    interpolation=widgets.choice(
        "interpolation", ["nearest", "bilinear", "bilinear, corners aligned"], "nearest"
    ),
    eps=widgets.choice("ε in Grad-CAM++", ["0", "1e-6", "1e-2"], "1e-2"),
    sigma=widgets.choice("σ of the noise", ["0.15", "0.15 × range"], "0.15 × range"),
    root=widgets.checkbox("root of LIME's kernel", False),
)

# %% [markdown]
# A still picture of both ends: above, all switches in a plausible but other position; below, in the libraries' position.

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 1, figsize=(8, 4.6), layout="constrained")
draw(False, "nearest", "1e-2", "0.15 × range", False, ax=axes[0])
draw(True, "bilinear", "1e-6", "0.15", True, ax=axes[1])
plots.show(
    "Two bar charts: with the other settings no pair agrees; with the libraries' settings all five do."
)

# %% [markdown]
# Four of the switches are conventions: behind each setting stands a paper or a library. Grad-CAM's paper has the ReLU, captum leaves it out; SmoothGrad's paper gives the noise as a share of the range, captum as σ itself; LIME's paper has the kernel without the root, its package takes the root; and to enlarge a map, captum's guided Grad-CAM repeats pixels by default, grad-cam interpolates. So the libraries' setting is not always the paper's. The ε is another matter. It should only prevent a division by zero, but here the squared gradients are hardly larger than grad-cam's ε, 0.000001. So this ε changes the map: set ours to 0 above, and the pair no longer agrees. If you report a number, report the switches.
#
# A convention is a choice that its author would defend. The second table of the page has differences that nobody defends, the **known defects**: what the library gives, and what is right. Run the table again when you update a library: the last column says whether the defect is still there. A picture alone need not show them: a map that lacks a tenth of every value has the same colours, and the one without the division of Grad-CAM++ (lesson [04b](04b_grad_cam_more.ipynb) draws it) is a plausible map.

# %% [markdown]
# ## 5 · An error in a measure
#
# Measures are programs, too. The page has rows for three of them; this one is not among them, for a reason.
#
# ### Exercise: find the bug
#
# This is how a toolbox for judging explanations decides a round of the pointing game: it looks up all pixels that share the maximum, and calls it a hit if *any* of them is on the object. A constant map then wins every round. Change the function so that it is fair to ties: the value is the share of the maxima that hit.


# %% exercise="pointing"
def pointing(maps, masks):
    """One value (N,) a picture, from maps (N, H, W) and bool masks (N, H, W)."""
    # BEGIN STUB
    # hits = []
    # for heat, mask in zip(maps, masks, strict=True):
    #     tops = heat == heat.max()
    #     hits.append(mask[tops].any().float())
    # return torch.stack(hits)
    # END STUB
    # BEGIN SOLUTION
    tops = maps == maps.amax(dim=(1, 2), keepdim=True)
    return (tops & masks).sum(dim=(1, 2)) / tops.sum(dim=(1, 2))
    # END SOLUTION


# %%
exercises.pointing.check(pointing)

# %% [markdown]
# ## 6 · Published errors, one at a time
#
# The third table of the page has formulas as published courses teach them, beside the definition. In it, $\sigma$ is the standard deviation of SmoothGrad's noise; the *range* is that of the picture's values; $x'$ is the baseline of Integrated Gradients (IG), $\alpha$ the position on the way from $x'$ to $x$, and $y$ the score.
#
# On the page's random network they differ a lot. Would you notice them on a trained network? Here are five of them on scenes. (Two of the five are options of captum: `NoiseTunnel` around `Saliency` averages absolute values by default, and `IntegratedGradients` leaves out the factor with `multiply_by_inputs=False`. Named, they are conventions; under the bare name of the paper, errors.)

# %%
from tqdm.auto import tqdm

x, classes, truth = lab.inputs[:24], lab.targets[:24, 0], lab.masks[:24, 0]
LEVEL = 0.15
span = (x.amax(dim=(1, 2, 3)) - x.amin(dim=(1, 2, 3))).view(-1, 1, 1, 1)


def smooth(sigma, absolute=False):
    """SmoothGrad from 12 copies with noise of the standard deviation `sigma`, one for each picture."""
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros_like(x)
    for _ in tqdm(range(12), desc="noise", leave=False):
        noise = torch.randn(x.shape, generator=generator)
        gradient = input_gradients(model, x + sigma * noise, classes)
        total += gradient.abs() if absolute else gradient
    return total / 12


def path(stop):
    """IG from zero (16 points) with α from 0 to `stop`, times (x − x′)."""
    points = [stop * (k + 0.5) / 16 for k in range(16)]
    gradients = [
        input_gradients(model, alpha * x, classes) for alpha in tqdm(points, desc="path", leave=False)
    ]
    return x * torch.stack(gradients).mean(dim=0)


# %%
def of_the_loss():
    """The gradient of the cross-entropy instead of the class score."""
    pixels = x.clone().requires_grad_()
    loss = F.cross_entropy(model(pixels), classes, reduction="sum")
    return torch.autograd.grad(loss, pixels)[0]


def strongest(values):
    """(N, 3, H, W) to (N, H, W): the largest absolute value of the three colours."""
    return values.abs().amax(dim=1)


integrated = path(1.0)
slopes = integrated / torch.where(x.abs() > 1e-6, x, 1)  # the mean gradient, without (x − x′)
right_smooth = smooth(LEVEL * span)
pairs = {  # error: (as defined, as published)
    "SmoothGrad, σ = level / range": (right_smooth, smooth(LEVEL / span)),
    "SmoothGrad of absolute values": (right_smooth, smooth(LEVEL * span, absolute=True)),
    "IG without (x − x′)": (integrated, slopes),
    "IG with α up to 0.9": (integrated, path(0.9)),
    "saliency of the loss": (saliency(model, x, classes), of_the_loss()),
}

# %% [markdown]
# **Predict**: does a wrong formula give a worse map? Will the *energy* (the share of the map on the object) fall with all five errors? Decide before you run the next cell. Beside the energy it prints the rank correlation of the right map and the wrong one: 1 means the same order of all pixels.

# %%
print(f"{'error':<31} {'alike':>6}   energy, published minus defined")
gaps, alike = {}, {}
for name, versions in pairs.items():
    defined, published = (strongest(values) for values in versions)
    alike[name] = judge.rank_correlation(defined, published).mean().item()
    gaps[name] = judge.paired(judge.energy_in_mask(published, truth), judge.energy_in_mask(defined, truth))
    print(f"{name:<31} {alike[name]:>6.2f}   {gaps[name]}")

# %% tags=["hide-input"]
chosen = ("SmoothGrad, σ = level / range", "IG without (x − x′)", "IG with α up to 0.9")
figure, axes = plots.grid(2, 4, width=10)
for row, label in enumerate(("as defined", "as published")):
    axes[row, 0].imshow(lab.images[1])
    axes[row, 0].set_title(f"{label}:", fontsize=10)
    for ax, name in zip(axes[row, 1:], chosen, strict=True):
        plots.show_pixels(ax, strongest(pairs[name][row])[1])
        ax.set_title(name if row else name.split(",")[0].split(" with")[0], fontsize=9)
plots.show(
    "One scene, three errors: the maps of the definitions above, the published ones below. The two SmoothGrad maps differ, and the wrong "
    "one is darker away from the object; the wrong IG maps look as plausible as the right one."
)

# %% [markdown]
# The energy falls with two of the five errors, hardly moves with two, and *rises* with one: SmoothGrad's level was divided by the range, which means less noise, and on these scenes less noise puts more of the map on the object. That is a reason to choose a smaller level. It is no reason to call the division right: with pictures in 0 … 255 it would leave almost no noise at all. And would a fall tell you that there is an error? Here are two changes that nobody calls one, a smaller level, and of IG only the values that speak for the class:

# %%
fair = {
    "SmoothGrad, level 0.05": (right_smooth, smooth(0.05 * span)),
    "IG, only its positive part": (integrated, integrated.sum(dim=1, keepdim=True).clamp(min=0)),
}
for name, versions in fair.items():
    before, after = (judge.energy_in_mask(strongest(values), truth) for values in versions)
    print(f"{name:<26} energy, changed minus before: {judge.paired(after, before)}")

# %% [markdown]
# Fair choices move the energy as much as errors do. **A score does not tell an error from a choice. A definition does**, where it promises something that can be checked. IG promises *completeness*: its values add up to $y(x) - y(x')$. That is one line. It says nothing of SmoothGrad: there, only a second program does.

# %%
with torch.no_grad():
    gain = (model(x) - model(torch.zeros_like(x))).gather(1, classes[:, None])[:, 0]
sums = {
    "as defined": integrated.sum(dim=(1, 2, 3)),
    "with α up to 0.9": pairs["IG with α up to 0.9"][1].sum(dim=(1, 2, 3)),
    "without (x − x′)": slopes.sum(dim=(1, 2, 3)),
}
for name, values in sums.items():
    missed = ((values - gain).abs() / gain.abs()).median()
    print(f"IG {name:<17}: the sum misses the gain by {missed:.0%} (median of {len(x)} pictures)")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), sharex=True, sharey=True, layout="constrained")
for ax, (name, values) in zip(axes, sums.items(), strict=True):
    ax.axline((0, 0), slope=1, color=plots.BASELINE, linewidth=1)
    ax.plot(gain, values, "o", markersize=4, color="#0072b2")
    ax.set(xlabel="y(x) − y(x′)", title=name)
axes[0].set_ylabel("sum of the IG values")
plots.show(
    "Sum of the values against the gain of the score, one point a picture. As defined the points lie on the diagonal; with α up to 0.9 "
    "beside it; without the factor they have nothing to do with it."
)

# %% [markdown]
# ## 7 · Your turn: a row of your own
#
# A row is a method, a library, a convention and two functions. Here is the forgotten ReLU as a row. Replace `mine` by a function of your own, or `theirs` by another library; `run()` says how far they are apart.

# %%
from course_utils.judge.agreement.row import Row


def mine():
    return min_max(grad_cam(model, picture, target, layer, relu=False))


def theirs():
    with TorchGradCAM(model, target_layer=layer) as extractor:
        return extractor([target], model(picture))[0]


print(Row("my Grad-CAM", "torch-cam", "min-max", mine, theirs).run())

# %% [markdown]
# ## 8 · Where it breaks
#
# **Agreement is not truth.** Two programs can share an error: one copied from the other, or both follow a paper that is wrong. So the course asks for an axiom beside the libraries, such as completeness, or for a network whose right answer is known ([12](12_judging_explanations.ipynb), unit tests).
#
# **A small random network is a mild test.** It has no skip connection, no batch normalisation and no in-place ReLU. Two programs that agree on it can differ on yours. Run the row on your own network before you trust it.

# %% [markdown]
# ## 9 · Recap
#
# - One name, several conventions: ReLU, size, interpolation, scaling, ε, σ, kernel. Say which ones you used.
# - Differences of rounding and of sampling are far apart; four times the samples halve a sampling error, if they are drawn independently.
# - A wrong formula can look right and score better, and a fair choice can move a score as much as an error. Check the definition: completeness, a known answer, a second program.
#
# **References**
# - [Selvaraju and others, 2017: Grad-CAM](https://arxiv.org/abs/1610.02391) · [Chattopadhay and others, 2018: Grad-CAM++](https://arxiv.org/abs/1710.11063)
# - [Smilkov and others, 2017: SmoothGrad](https://arxiv.org/abs/1706.03825) · [Sundararajan and others, 2017: Integrated Gradients](https://arxiv.org/abs/1703.01365)
# - [Kokhlikyan and others, 2020: captum](https://arxiv.org/abs/2009.07896) · [Ribeiro and others, 2016: LIME](https://arxiv.org/abs/1602.04938) · [Lundberg and Lee, 2017: SHAP](https://arxiv.org/abs/1705.07874)
