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
# # 05 · CAM in practice: three libraries at work
#
# **The question.** You have a trained network and an afternoon. Which library, which method, which layer, and how far may you trust the picture that comes out?
#
# **After this lesson you can**
# - use torch-cam, captum and pytorch-grad-cam for one object, two objects, a batch, and a sequence of frames, and save the figure;
# - say for each what it returns: shape, sign, range;
# - choose a method and a layer by what it costs and how well it points, from your own measurement;
# - use CAM on a transformer, which has no feature maps;
# - run all of it on a folder of your own pictures.
#
# **Time**: about 75 minutes. **Before**: lesson 04.

# %%
import copy
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from scipy.stats import binomtest
from torch import nn

from course_utils import judge
from course_utils.labs import LabUnavailable, load_lab
from course_utils.labs.scenes import render_motion
from course_utils.methods.cam import (
    cam,
    grad_cam,
    grad_cam_plus_plus,
    layer_cam,
    min_max,
    score_cam,
    upsample,
)
from course_utils.methods.gradients import saliency
from course_utils.methods.occlusion import occlusion
from course_utils.teach import plots, widgets
from course_utils.exercises import l05_cam_in_practice as exercises

# %% [markdown]
# ## 1 · A puzzle: the same method, three pictures
#
# Three colleagues explain the same decision of the same network with Grad-CAM. This is the picture; it holds two objects, and the question is about one of them.

# %%
lab = load_lab("scenes", n_objects=2)
model, layer = lab.model, lab.layer
image, inputs, first = lab.images[0], lab.inputs[:1], int(lab.targets[0, 0])

plots.show_images([image], [f"why {lab.class_names[first]}?"], columns=4, width=8)
plt.show()

# %% [markdown]
# Each colleague takes a favourite library and its default settings. Here is what they bring to the meeting.

# %%
from captum.attr import LayerAttribution, LayerGradCam
from pytorch_grad_cam import GradCAM as GradCAMOfGradCam
from pytorch_grad_cam.utils.image import show_cam_on_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchcam.methods import GradCAM as GradCAMOfTorchCam
from torchcam.methods import LayerCAM as LayerCAMOfTorchCam
from torchcam.utils import overlay_mask

with GradCAMOfTorchCam(model, target_layer=layer) as extractor:
    from_torchcam = extractor(first, model(inputs))[0][0].detach()
from_captum = LayerAttribution.interpolate(
    LayerGradCam(model, layer).attribute(inputs, target=first), (128, 128)
)[0, 0].detach()
with GradCAMOfGradCam(model=model, target_layers=[layer]) as extractor:
    from_gradcam = extractor(input_tensor=inputs, targets=[ClassifierOutputTarget(first)])[0]

brought = {
    "torch-cam": from_torchcam,
    "captum": from_captum,
    "pytorch-grad-cam": torch.from_numpy(from_gradcam),
}
figure, axes = plots.grid(1, 3, width=9, ratio=0.9)
for ax, (name, heat) in zip(axes[0], brought.items(), strict=True):
    title = f"{name}: {tuple(heat.shape)}"
    plots.show_heat(ax, heat, signed=bool(heat.min() < 0), title=title, colorbar=True)
plt.show()
for name, heat in brought.items():
    print(f"{name:>16}: from {heat.min():+.3f} to {heat.max():+.3f}")

# %% [markdown]
# torch-cam: 8 × 8 places, from 0 to 1. captum: signed values (white is zero), enlarged as hard squares. pytorch-grad-cam: smoothly enlarged, from 0 to 1. The weighted sum inside is the same (lesson 04 proved it). What differs is the dressing: ReLU, scaling, enlarging. **Know your
# library's defaults before you compare two pictures.**

# %% [markdown]
# ## 2 · What each library returns
#
# A table that you make yourself is better than one that you believe. We call each library once and read off what comes back.


# %%
def describe(name, result):
    """One line: type, shape, range and sign of what a library returned."""
    kind = type(result).__name__
    values = plots.to_array(result)
    sign = "signed" if values.min() < 0 else ">= 0"
    span = f"from {values.min():.2f} to {values.max():.2f}"
    print(f"{name:<30} {kind:<8} {values.shape!s:<18} {sign:<7} {span}")


batch, questions = lab.inputs[:4], lab.targets[:4, 0]
asked_ids = questions.tolist()
with GradCAMOfTorchCam(model, target_layer=layer) as extractor:
    describe("torch-cam GradCAM", extractor(asked_ids, model(batch))[0])
with GradCAMOfTorchCam(model, target_layer=layer) as extractor:
    unscaled = extractor(asked_ids, model(batch), normalized=False)
    describe("torch-cam, normalized=False", unscaled[0])
by_captum = LayerGradCam(model, layer)
describe("captum LayerGradCam", by_captum.attribute(batch, target=questions))
cut = by_captum.attribute(batch, target=questions, relu_attributions=True)
describe("captum, relu_attributions=True", cut)
wanted = [ClassifierOutputTarget(c) for c in asked_ids]
with GradCAMOfGradCam(model=model, target_layers=[layer]) as extractor:
    describe("pytorch-grad-cam GradCAM", extractor(input_tensor=batch, targets=wanted))
describe("course_utils grad_cam", grad_cam(model, batch, questions, layer))

# %% [markdown]
# All three hang hooks into your model (functions that a layer calls at every forward pass). torch-cam and pytorch-grad-cam take them off when the `with` block ends. Without `with`, call `extractor.remove_hooks()` in torch-cam (card 2 of section 8 shows what happens otherwise) and `extractor.activations_and_grads.release()` in pytorch-grad-cam. captum's hooks live only as long as the call. pytorch-grad-cam leaves something else behind: gradients in your model's parameters, even after `with`. Clear them before you train on.


# %%
def hooks_on_model():
    """How many forward hooks the model carries just now."""
    return sum(len(part._forward_hooks) for part in model.modules())


by_captum.attribute(inputs, target=first)
print("captum, after a call:", hooks_on_model(), "hooks")
extractor = GradCAMOfGradCam(model=model, target_layers=[layer])
print("pytorch-grad-cam without with:", hooks_on_model(), "hooks")
extractor.activations_and_grads.release()
print("after release():", hooks_on_model(), "hooks")
print("gradients left in the parameters:", model.fc.weight.grad is not None)
model.zero_grad()
print("after zero_grad():", model.fc.weight.grad is not None)

# %% [markdown]
# ### torch-cam: overlay and save
#
# `overlay_mask` takes two PIL pictures, a colour map and an `alpha`: the opacity of the *picture*, so a larger alpha shows less of the map.

# %%
photo = Image.fromarray(image)
heat = Image.fromarray(from_torchcam.numpy(), mode=None)
overlays = {
    f"{colours}, alpha {alpha}": overlay_mask(photo, heat, colormap=colours, alpha=alpha)
    for colours, alpha in (("jet", 0.5), ("jet", 0.8), ("viridis", 0.6), ("inferno", 0.6))
}
plots.show_images([np.asarray(o) for o in overlays.values()], list(overlays))
plt.show()

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "explanation.png"
    overlays["inferno, alpha 0.6"].save(path)
    print(f"saved {path.name}: {path.stat().st_size / 1000:.0f} kB, {Image.open(path).size} pixels")

# %% [markdown]
# `jet` is everywhere and is a poor choice: its bright bands of yellow and cyan look like borders that the numbers do not have, and colour-blind readers cannot order red and green. Take a map whose brightness grows steadily.
#
# ### captum: attribute, interpolate, visualise
#
# captum separates the three steps. `interpolate` defaults to *nearest*; ask for *bilinear* if that is what you mean. `visualization.visualize_image_attr` wants arrays with the channels last. The printed lines say what each step returns: `interpolate` changes the size and neither sign nor (much) the range; `Occlusion` answers for every pixel and colour, in units of the score.

# %%
from captum.attr import Occlusion
from captum.attr import visualization as captum_pictures

attribution = LayerGradCam(model, layer).attribute(inputs, target=first)
smooth = LayerAttribution.interpolate(attribution, (128, 128), interpolate_mode="bilinear")
windows = Occlusion(model).attribute(
    inputs,
    target=first,
    sliding_window_shapes=(3, 20, 20),
    strides=(3, 10, 10),
    perturbations_per_eval=64,
)
describe("LayerGradCam", attribution)
describe("interpolate, bilinear", smooth)
describe("Occlusion, window 20 x 20", windows)

figure, axes = plots.grid(1, 3, width=9)
for ax, (name, values, sign) in zip(
    axes[0],
    (
        ("LayerGradCam, positive", smooth, "positive"),
        ("LayerGradCam, all signs", smooth, "all"),
        ("Occlusion, all signs", windows, "all"),
    ),
    strict=True,
):
    captum_pictures.visualize_image_attr(
        values[0].permute(1, 2, 0).detach().numpy(),
        image,
        method="blended_heat_map",
        sign=sign,
        plt_fig_axis=(figure, ax),
        use_pyplot=False,
        title=name,
    )
plt.show()

# %% [markdown]
# captum's `all` draws positive values green and negative ones red, and scales after cutting off the strongest two per cent (`outlier_perc=2`): two pictures with the same colours need not have the same numbers.
#
# ### pytorch-grad-cam: many methods, many layers
#
# `target_layers` takes a list, and the maps are averaged after each was scaled. `show_cam_on_image` wants the picture as floats between 0 and 1.


# %%
def average_of(names):
    """pytorch-grad-cam's map (H, W) of the first picture, averaged over the layers named."""
    places = [lab.layers[name] for name in names]
    with GradCAMOfGradCam(model=model, target_layers=places) as extractor:
        return extractor(input_tensor=inputs, targets=[ClassifierOutputTarget(first)])[0]


two_layers = average_of(["layer3", "layer4"])
as_floats = image / np.float32(255)
panels = [
    show_cam_on_image(as_floats, from_gradcam, use_rgb=True),
    show_cam_on_image(as_floats, two_layers, use_rgb=True),
    show_cam_on_image(as_floats, two_layers, use_rgb=True, image_weight=0.8),
]
plots.show_images(panels, ["layer4", "layer3 and layer4", "the same, image_weight=0.8"], width=7)
plt.show()

# %% [markdown]
# ### The proof: the dressing, undone
#
# If we know the conventions, we can rebuild what each library showed from one raw map, the course's `grad_cam` without ReLU.

# %%
# NBVAL_CHECK_OUTPUT
raw = grad_cam(model, inputs, first, layer, relu=False)
two_scaled = [
    upsample(min_max(grad_cam(model, inputs, first, lab.layers[name])), (128, 128))
    for name in ("layer3", "layer4")
]
judge.agreement_table(
    [
        ("torch-cam", min_max(raw.relu())[0], from_torchcam, "ReLU, min-max"),
        (
            "captum, nearest",
            raw[0].repeat_interleave(16, 0).repeat_interleave(16, 1),
            from_captum,
            "raw, each place 16 × 16 pixels",
        ),
        (
            "captum, bilinear",
            upsample(raw, 128)[0],
            smooth[0, 0].detach(),
            "raw, align_corners=False",
        ),
        (
            "pytorch-grad-cam",
            min_max(upsample(min_max(raw.relu()), 128))[0],
            from_gradcam,
            "ReLU, min-max, enlarge, min-max",
        ),
        (
            "pytorch-grad-cam, two layers",
            min_max(sum(two_scaled) / 2)[0],
            two_layers,
            "mean of scaled maps, scaled again",
        ),
    ]
)

# %% [markdown]
# ## 3 · Two objects: a grid pointing game
#
# The classical picture of this field shows a dog and a cat, and a map for each. One picture proves little. Here is the question as a measurement: put scenes with *one* object each into the four corners of a grid, ask for the class of each
# corner, and count how much of the map's mass falls into the right corner. This is the **grid pointing game** (Böhle and others, 2021). Chance is one quarter. An edge filter gets *exactly* one quarter on average: its map does not know the question, and its shares in the four corners add up to one. (`single` below loads the same network as `lab`; only its pictures differ.)

# %%
single = load_lab("scenes")
# scenes that the network is sure of: a grid of doubtful ones would test the network, not the map
p_true = single.predict(single.images)[np.arange(len(single.images)), single.targets]
certain = np.flatnonzero(p_true > 0.9)


def make_grids(n_grids, seed=0):
    """Grids (n, 256, 256, 3) of four scenes of different classes.

    Also their targets (n, 4), and the corners' masks (4, 256, 256).
    """
    generator = np.random.default_rng(seed)
    grids, targets = [], []
    while len(grids) < n_grids:
        four = generator.choice(certain, 4, replace=False)
        if len(set(single.targets[four].tolist())) == 4:
            a, b, c, d = single.images[four]
            grids.append(np.vstack([np.hstack([a, b]), np.hstack([c, d])]))
            targets.append(single.targets[four])
    corners = torch.zeros(4, 256, 256, dtype=torch.bool)
    for i in range(4):
        row, column = divmod(i, 2)
        top, left = 128 * row, 128 * column
        corners[i, top : top + 128, left : left + 128] = True
    return np.stack(grids), torch.stack(targets), corners


grids, grid_targets, corners = make_grids(15)
grid_inputs = single.preprocess(grids).repeat_interleave(4, dim=0)
grid_questions = grid_targets.flatten()
grid_truth = corners.repeat(len(grids), 1, 1)
grid_methods = {
    "Grad-CAM": lambda x, c: grad_cam(model, x, c, layer),
    "Grad-CAM++": lambda x, c: grad_cam_plus_plus(model, x, c, layer),
    "Layer-CAM": lambda x, c: layer_cam(model, x, c, layer),
    "saliency": lambda x, c: saliency(model, x, c).amax(dim=1),
}
grid_maps = {
    name: upsample(method(grid_inputs, grid_questions), 256) for name, method in grid_methods.items()
}
grid_maps["edges (Sobel)"] = judge.baselines.sobel(grid_inputs)
shown = {name: grid_maps[name][:4] for name in ("Grad-CAM", "Layer-CAM")}
# single bright pixels would leave the rest of this map black: the picture (not the score) cuts them off
grainy = grid_maps["saliency"][:4]
shown["saliency, cut"] = grainy.clamp(max=float(grainy.quantile(0.98)))
plots.show_maps(
    [grids[0]] * 4,
    shown,
    labels=[single.class_names[int(c)] for c in grid_targets[0]],
    width=7,
    title="One grid, four questions",
)
plt.show()
plots.score_plot(
    {name: judge.energy_in_mask(heat, grid_truth) for name, heat in grid_maps.items()},
    baselines=["edges (Sobel)"],
    xlabel=f"share of the map in the right corner ({len(grid_truth)} questions; chance is 0.25)",
)
plt.show()

# %% [markdown]
# The network pools over all places, so it may be run on a picture four times as large, and the identity of lesson 03 still holds there: the score is the mean of the class activation map plus the bias.

# %%
# NBVAL_CHECK_OUTPUT
with torch.no_grad():
    grid_score = model(grid_inputs[:1])[0, grid_questions[0]]
grid_cam = cam(model, grid_inputs[:1], grid_questions[:1], layer, model.fc)
judge.agreement_table(
    [
        (
            "the score of a grid",
            grid_cam.mean() + model.fc.bias.detach()[grid_questions[0]],
            grid_score,
            "mean of the CAM + bias = logit",
        )
    ]
)

# %% [markdown]
# Grad-CAM stands out. A possible reason: it lets negative gradients count, so a channel that speaks against the class takes away, while Grad-CAM++ and Layer-CAM keep only positive gradients. A reason can be tested. Take CAM, which on this network is Grad-CAM up to a factor and the ReLU, and set its negative weights to zero.
#
# **Predict first**: will its share stay near Grad-CAM's, or fall to Layer-CAM's?

# %%
positive = copy.deepcopy(model)
positive.fc.weight.data.clamp_(min=0)
corner_maps = {
    "CAM": cam(model, grid_inputs, grid_questions, "layer4", "fc"),
    "CAM, negative weights set to 0": cam(positive, grid_inputs, grid_questions, "layer4", "fc"),
    "Layer-CAM": grid_maps["Layer-CAM"],
}
for name, heat in corner_maps.items():
    share = judge.energy_in_mask(upsample(heat, 256), grid_truth).mean()
    print(f"{name:<31} {share:.3f} of the map in the corner asked for")

# %% [markdown]
# It falls to exactly Layer-CAM's share, and it must: behind average pooling a channel's gradient is its weight divided by the number of places, so the positive gradients *are* the positive weights. The negative weights made the difference. Without them, a channel that serves several classes lights up in several corners.

# %% [markdown]
# ## 4 · What it costs, and how well it points
#
# A decision needs two numbers: time and quality. Both on the same stored scenes, with one question for each of the two objects.
#
# ### Exercise: predict, then run
#
# Before you run the comparison: how many times as long as CAM will Score-CAM take, 1, 10, 100 or 1000? CAM needs one forward pass. Score-CAM (lesson 04) needs one for the channels and one more for each of them. This layer's channels are printed here. Set `answer` to one of the four numbers; the check comes after the run.

# %%
print(f"channels of the layer: {model.fc.in_features}")

# %% exercise="score_cam_cost"
answer = None
# BEGIN SOLUTION
answer = 100  # 128 + 1 passes instead of one
# END SOLUTION

# %%
pictures = lab.inputs[:12].repeat_interleave(2, dim=0)  # each one twice: a question for each object
asked = lab.targets[:12].flatten()
truth = lab.masks[:12].flatten(0, 1)
contenders = {
    "CAM": lambda x, c: cam(model, x, c, layer, model.fc),
    "Grad-CAM": lambda x, c: grad_cam(model, x, c, layer),
    "Grad-CAM++": lambda x, c: grad_cam_plus_plus(model, x, c, layer),
    "Layer-CAM": lambda x, c: layer_cam(model, x, c, layer),
    "Score-CAM": lambda x, c: score_cam(model, x, c, layer),
    "occlusion": lambda x, c: occlusion(model, x, c, window=24, stride=12).relu(),
}
seconds, found = {}, {}
contenders["CAM"](pictures, asked)  # a warm-up: the first call would pay for the others
for name, method in contenders.items():
    spent = []
    for _ in range(1 if name in ("Score-CAM", "occlusion") else 3):
        start = time.perf_counter()
        heat = method(pictures, asked)
        spent.append(time.perf_counter() - start)
    seconds[name] = min(spent)  # a short run is easily disturbed
    found[name] = upsample(heat, 128)

# %%
exercises.score_cam_cost.check(answer, seconds)


# %%
def coarse(spent):
    """Seconds as a range: the exact number changes from run to run."""
    return "under 0.03 s" if spent < 0.03 else "0.03 to 3 s" if spent < 3 else "over 3 s"


def beside_cam(name):
    """How many times as long as CAM, to the nearest power of ten."""
    decade = round(np.log10(seconds[name] / seconds["CAM"]))
    return f"about {10**decade}x" if decade > 0 else "same order"


channels = model.fc.in_features
needs = {
    "CAM": ("1 forward", "pooling + linear head"),
    "Grad-CAM": ("1 forward, 1 backward", "any head"),
    "Grad-CAM++": ("1 forward, 1 backward", "any head"),
    "Layer-CAM": ("1 forward, 1 backward", "any head, any layer"),
    "Score-CAM": (f"{channels} + 1 forward", "no gradient"),
    "occlusion": ("about 100 forward", "black box"),
}
print(f"{'method':<12} {'passes':<23} {'per question':<13} {'beside CAM':<12} needs")
for name, (passes, condition) in needs.items():
    spent = coarse(seconds[name] / len(asked))
    print(f"{name:<12} {passes:<23} {spent:<13} {beside_cam(name):<12} {condition}")

# %% [markdown]
# "Pooling + linear head" means global average pooling and one linear layer, the head that CAM asks for (lesson 03). Seconds are given as a range, and times relative to CAM as the nearest power of ten, since both change with the machine and the run; print `seconds` for your own (of all the questions together). The two groups stay far apart: one pass, or about a hundred.
#
# Now the quality, in two scores. The **pointing game** asks whether the map's maximum lies on the object asked for (5 pixels of tolerance; when several places share the maximum, most of them must). The two questions about one picture are not independent, so the interval counts *pictures*, with both questions right or not; it is the exact one of lesson 01, which says something even when all are right. The **share of the map on the object** is the second score. Edges (Sobel) know nothing of the question.

# %%
found["edges (Sobel)"] = judge.baselines.sobel(pictures)
n_pictures = len(asked) // 2
titles = f"{'maximum on the object':<22} {'questions':<10} {'both of a picture':<19}"
print(titles, "exact 95 % interval")
on_object = {}
for name, heat in found.items():
    hit = judge.pointing_game(heat, truth, tolerance=5) > 0.5
    both = int(hit.reshape(-1, 2).all(dim=1).sum())
    interval = binomtest(both, n_pictures).proportion_ci()
    counts = f"{f'{int(hit.sum())} of {len(hit)}':<10} {f'{both} of {n_pictures}':<19}"
    print(f"{name:<22} {counts} {interval.low:.2f} to {interval.high:.2f}")
    on_object[name] = judge.energy_in_mask(heat, truth).reshape(-1, 2).mean(dim=1)
plots.score_plot(
    on_object,
    baselines=["edges (Sobel)"],
    xlim=(0, 0.6),
    xlabel=f"share of the map on the object ({n_pictures} pictures, two questions each)",
)
plt.show()
gain = on_object["occlusion"] - on_object["Grad-CAM"]
low, high = judge.bootstrap_interval(gain)
interval = f"({low:+.2f} to {high:+.2f})"
print(f"occlusion minus Grad-CAM, picture by picture: {gain.mean():+.2f} {interval}")

# %% [markdown]
# The maximum is at its ceiling: CAM, Grad-CAM and occlusion are right in all 12 pictures, and even so the interval reaches down to 0.74. Grad-CAM++ and Layer-CAM, with 10 of 12, cannot be told apart from them. This test is too easy to rank the methods. It rules out the edges, which hit one of the two objects in every picture and can never hit both.
#
# The share separates more. CAM and Grad-CAM (0.34) lie above Score-CAM, Layer-CAM and Grad-CAM++ (0.22 to 0.24), and the last two are hardly better than the edges. Occlusion is ahead of Grad-CAM by the paired difference, for about a hundred times the price; Score-CAM costs as much and gains nothing here. Start with Grad-CAM, and take another for a reason.
#
# ### Which layer?
#
# So far every map came from the last stage. **Predict first**: from which of the five layers does Grad-CAM put the largest share on the object, and from which Layer-CAM?

# %%
layer_pictures = lab.inputs[:30].repeat_interleave(2, dim=0)
layer_asked, layer_truth = lab.targets[:30].flatten(), lab.masks[:30].flatten(0, 1)
by_layer = {}
print(f"{'method, layer':<19} {'places':<10} maximum on the object")
for method_name, method in (("Grad-CAM", grad_cam), ("Layer-CAM", layer_cam)):
    for layer_name, place in lab.layers.items():
        small = method(model, layer_pictures, layer_asked, place)
        heat = upsample(small, 128)
        key = f"{method_name}, {layer_name}"
        by_layer[key] = judge.energy_in_mask(heat, layer_truth).reshape(-1, 2).mean(dim=1)
        hit = judge.pointing_game(heat, layer_truth, tolerance=5).mean()
        print(f"{key:<19} {'{} x {}'.format(*small.shape[1:]):<10} {hit:.2f}")
edges = judge.baselines.sobel(layer_pictures)
by_layer["edges (Sobel)"] = judge.energy_in_mask(edges, layer_truth).reshape(-1, 2).mean(dim=1)
plots.score_plot(
    by_layer,
    baselines=["edges (Sobel)"],
    sort=False,
    xlim=(0, 0.6),
    xlabel="share of the map on the object (30 pictures, two questions each)",
)
plt.show()
print(f"the object's own share of the picture: {layer_truth.float().mean():.2f}")

# %% [markdown]
# Grad-CAM is best not at the last stage but one before: `layer3` has a share of 0.45 against 0.31, on the same grid of 8 × 8 places and with the same score of its maximum (0.95). In the two earliest layers it does no better than the edges: one weight for a whole channel is too coarse there. Layer-CAM goes the other way. It is best in the early layers (0.30 and 0.31), where the grid is finest, and weakest in `layer4`; only its maximum hits less often in `stem`. So "the last convolution" is a good habit, not a law: score a few layers on pictures whose truth you know.
#
# The table sums up. Not all of it was measured here: what it says of deep heads, and its row on Grad-CAM++, follow the papers.
#
# | your situation | take | watch out for |
# |---|---|---|
# | global average pooling and one linear layer | CAM or Grad-CAM (they are equal) | the coarse grid |
# | any other convolutional network | Grad-CAM, last stage and the one before | an averaged gradient can mislead when the head is deep; in early layers it points badly |
# | small objects, fine detail | Layer-CAM at an earlier layer | it reacts to other classes too, as the grid showed |
# | several objects of one class | Grad-CAM++ | it reacts to other classes too; see also the bug in lesson 04 |
# | gradients not available or not trusted | Score-CAM, occlusion | the time, and grey patches the network never saw |
# | a transformer | section 6 | the class token has no place |

# %% [markdown]
# ## 5 · A sequence of frames
#
# A video is a batch. One thing must not be forgotten: scale all frames *together*. If every frame gets its own 0…1, a weak map looks as bright as a strong one, and you cannot compare frames. Compare the two lower rows. (No map fades away in this film: the peaks printed below say by how much they differ. And brightness is no probability: in the lowest row, the first frame is the brightest although its probability is low.)

# %%
film = render_motion(24, seed=4)
moving = int(film.targets[0, 0])
frames = single.preprocess(film.images)
film_maps = grad_cam(model, frames, moving, layer)
film_scores = single.predict(film.images)[:, moving]
chosen = np.linspace(0, 23, 6).astype(int)
figure, axes = plots.grid(3, 6, ratio=1.04)
for column, i in enumerate(chosen):
    axes[0, column].imshow(film.images[i])
    axes[0, column].set_title(f"frame {i}: {film_scores[i]:.2f}", fontsize=10)
    axes[1, column].imshow(plots.overlay(film.images[i], film_maps[i]))
    common = film_maps[i] / film_maps.max()
    axes[2, column].imshow(plots.overlay(film.images[i], common, own_scale=False))
axes[1, 0].set_ylabel("own scale", fontsize=10)
axes[2, 0].set_ylabel("one scale", fontsize=10)
figure.suptitle(f"Why “{single.class_names[moving]}”? The number is its probability")
plt.show()

# %%
resting = int(film.targets[0, 1])
moving_masks = torch.from_numpy(film.masks[:, 0])
big_maps = upsample(film_maps, 128)
inside = judge.energy_in_mask(big_maps, moving_masks)
on_it = judge.pointing_game(big_maps, moving_masks, tolerance=5)
peak = film_maps.amax(dim=(1, 2)) / film_maps.max()
uncut = grad_cam(model, frames, moving, layer, relu=False).sum(dim=(1, 2))
with torch.no_grad():
    film_logits = model(frames)
logit, other = film_logits[:, moving], film_logits[:, resting]
areas = film.masks.sum(axis=(2, 3))
visible = areas / areas.max(axis=0)  # of each object, beside its own best frame

names = [single.class_names[moving], single.class_names[resting]]
figure, axes = plt.subplots(1, 3, figsize=(11, 2.6))
axes[0].plot(film_scores, label=f"probability of {names[0]}")
axes[0].plot(inside, label="share of the map on it")
axes[1].plot(logit, label=f"logit of {names[0]} (moving)")
axes[1].plot(other, label=f"logit of {names[1]} (resting)")
axes[2].plot(visible[:, 0], label=f"visible area of {names[0]}")
axes[2].plot(visible[:, 1], label=f"visible area of {names[1]}")
for ax in axes:
    ax.set_xlabel("frame")
    ax.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
axes[0].set_ylim(0, 1.05)
axes[2].set_ylim(0, 1.05)
plt.show()

print(f"maximum on the moving object (5 pixels of tolerance): {on_it.mean():.0%} of the frames")
area = moving_masks.float().mean()
print(f"share of the map on it: {inside.min():.2f} to {inside.max():.2f} (its area: {area:.2f})")
print(f"peak of the map, as a share of the film's highest: {peak.min():.2f} to {peak.max():.2f}")
print("frame  peak  probability  logits: moving, resting  visible area of the resting one")
for i in (0, 6, 9, 11, 13, 14):
    logits = f"{logit[i]:+.1f}, {other[i]:+.1f}"
    print(f"{i:>5}  {peak[i]:.2f}  {film_scores[i]:<11.2f}  {logits:<23}  {visible[i, 1]:.2f}")
print("correlation over the frames:")
for name, values in (
    ("peak and probability", (peak, film_scores)),
    ("peak and logit", (peak, logit)),
    ("sum of the map before the ReLU and logit", (uncut, logit)),
    ("logit minus the other logit, and probability", (logit - other, film_scores)),
    ("logit and visible area of the resting object", (other, visible[:, 1])),
):
    print(f"{np.corrcoef(*values)[0, 1]:+.2f}  {name}")

# %% [markdown]
# The maximum of the map follows the moving object all the way. How *strong* the map is does not follow the probability: frame 0 has the film's highest peak, and the network rather says the other object there; frame 9, in which the network says the moving one, has a weak map. **Do not read a probability off the brightness.** Two reasons. The peak is one place, while the logit is made of all places, also of the negative ones that the ReLU cuts away: before the ReLU, the map's sum goes exactly with the logit. And the probability depends on the other logit too. That of the resting object is low in the middle of the film, and its visible area is smaller there; but area alone does not explain it: frames 6 and 14 show nearly the same share of the object and have very different logits. The film cannot say whether it matters *which* part is covered, or what covers it.
# When a probability and its map disagree, look at the logits.

# %% [markdown]
# ## 6 · A transformer has no feature maps
#
# A vision transformer cuts the picture into patches, turns each into a *token* (a vector), adds one more token for the class, and lets the tokens exchange information. Its layers put out `(N, 1 + patches, dimension)`. To get a CAM, take the class token away and
# put the others back into rows and columns ($N$ pictures, $T = 1 + h w$ tokens, $D$ numbers in each): $(N, T, D) \rightarrow (N, D, h, w)$.
#
# The network below is torchvision's ViT, tiny and **untrained**: we only look at shapes here, so do not read meaning into its map.

# %%
from torchvision.models import VisionTransformer

torch.manual_seed(0)
vit = VisionTransformer(
    image_size=128,
    patch_size=16,
    num_layers=3,
    num_heads=4,
    hidden_dim=64,
    mlp_dim=128,
    num_classes=10,
).eval()
nn.init.normal_(
    vit.heads.head.weight, std=0.1
)  # torchvision starts the head at zero, and zero explains nothing


def as_feature_maps(tokens):
    """Tokens (N, 1 + h*w, D) without the class token, as maps (N, D, h, w)."""
    side = round((tokens.shape[1] - 1) ** 0.5)
    return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, side, side)


def tokens_and_gradient(block):
    """The tokens that a block puts out, and the score's gradient at them: both (1, T, D)."""
    kept = []
    handle = block.register_forward_hook(lambda module, arguments, output: kept.append(output))
    score = vit(inputs)[0, first]
    handle.remove()
    (gradient,) = torch.autograd.grad(score, kept[0])
    return kept[0].detach(), gradient


block = vit.encoder.layers[-1].ln_1
with GradCAMOfGradCam(model=vit, target_layers=[block], reshape_transform=as_feature_maps) as extractor:
    vit_library = extractor(input_tensor=inputs, targets=[ClassifierOutputTarget(first)])[0]

tokens, gradient = tokens_and_gradient(block)
A, dA = as_feature_maps(tokens), as_feature_maps(gradient)
vit_map = torch.relu((dA.mean(dim=(2, 3), keepdim=True) * A).sum(dim=1))
print("tokens", tuple(tokens.shape), "-> maps", tuple(A.shape), "-> CAM", tuple(vit_map.shape[1:]))

# %%
# NBVAL_CHECK_OUTPUT
judge.agreement_table(
    [
        (
            "pytorch-grad-cam with reshape",
            min_max(upsample(min_max(vit_map), 128))[0],
            vit_library,
            "the class token taken away",
        )
    ]
)

# %% [markdown]
# Which layer? The *last* block's output is a trap: only the class token goes on to the head, so the gradient of all patch tokens there is exactly zero. That is why the cell above took the output of `ln_1`, which goes into the last attention, where patches can still speak to the class token. The numbers, and the length of the gradient at each patch:

# %%
places = {"ln_1 of the last block": block, "after the last block": vit.encoder.layers[-1]}
figure, axes = plots.grid(1, 3, width=9, ratio=0.9)
axes[0, 0].imshow(plots.overlay(image, vit_map[0]))
axes[0, 0].set_title("CAM at ln_1 (untrained: no meaning)", fontsize=10)
for ax, (name, place) in zip(axes[0, 1:], places.items(), strict=True):
    _, gradient = tokens_and_gradient(place)
    of_class, of_patches = gradient[:, 0].abs().max(), gradient[:, 1:].abs().max()
    print(f"{name:<22}: largest gradient, class token {of_class:.4f}, patches {of_patches:.4f}")
    lengths = as_feature_maps(gradient)[0].norm(dim=0)
    plots.show_heat(ax, lengths, title=f"gradient, {name}", colorbar=True)
plt.show()

# %% [markdown]
# Left and middle: every patch has a gradient, and a map can be made. Right: nothing at any patch, and every CAM would be empty.

# %% [markdown]
# ## 7 · The real thing: photographs, and your own folder
#
# Real photographs, two halves joined to one picture, with an ImageNet network. There are only **four photos**, in all ordered pairs: 12 pictures and 24 questions that are far from independent. Does each class's map land on its own half?

# %%
try:
    photos = load_lab("photos", pairs=True)
except LabUnavailable as error:
    photos = None
    print(error)

if photos is not None:
    photo_inputs = photos.inputs.repeat_interleave(2, dim=0)
    photo_questions = photos.targets.flatten()
    halves = photos.masks.flatten(0, 1)
    photo_maps = {
        "Grad-CAM": grad_cam(photos.model, photo_inputs, photo_questions, photos.layer),
        "Layer-CAM": layer_cam(photos.model, photo_inputs, photo_questions, photos.layer),
    }
    n_shown = min(3, len(photos.images))
    plots.show_maps(
        list(photos.images[:n_shown]),
        {
            f"{name}: {side}": heat[i : 2 * n_shown : 2]
            for name, heat in photo_maps.items()
            for i, side in enumerate(("left", "right"))
        },
        labels=[" / ".join(photos.class_names[int(t)] for t in pair) for pair in photos.targets[:n_shown]],
        title="MobileNetV2 (ImageNet) on photographs that come with scikit-image and scikit-learn",
    )
    shares = {
        name: judge.energy_in_mask(upsample(heat, halves.shape[-2:]), halves)
        for name, heat in photo_maps.items()
    }
    edges = judge.baselines.sobel(photo_inputs)
    plots.score_plot(
        shares | {"edges (Sobel)": judge.energy_in_mask(edges, halves)},
        baselines=["edges (Sobel)"],
        xlabel=f"share of the map on its half ({len(halves)} questions on four photos; chance is 0.5)",
    )
    plt.show()
    with torch.no_grad():
        photo_p = photos.model(photos.inputs).softmax(dim=1).gather(1, photos.targets).flatten()
    for c in photo_questions.unique().tolist():
        these = photo_questions == c
        p = ", ".join(f"{value:.3f}" for value in photo_p[these])
        means = ", ".join(f"{name} {share[these].mean():.2f}" for name, share in shares.items())
        print(f"{photos.class_names[c]:<13} {means}; its probabilities: {p}")

# %% [markdown]
# On average yes, for Grad-CAM: 0.87 of the map lies on the half asked for, and each of the four photos is above 0.8. Layer-CAM reaches 0.62, little more than chance, as on the grid of section 3. Read the intervals as too narrow: every photo is asked for six times. And look at the probabilities: some classes that we ask for get 0.000. The map of such a class shows where the little evidence for it lies, not why the network answered as it did.

# %% [markdown]
# For your own pictures, sort them into folders named after what they show. With an ImageNet network, `load_lab("folder", path="…")` is all you need; with a network of your own, say how it wants its inputs and what its classes are. Here we make such a folder from the lab's scenes, with one broken file in it, so that you see what happens.

# %%
import warnings

with tempfile.TemporaryDirectory() as folder:
    for i in range(6):
        place = Path(folder) / single.class_names[int(single.targets[i])]
        place.mkdir(exist_ok=True)
        Image.fromarray(single.images[i]).save(place / f"{i}.png")
    (place / "broken.jpg").write_bytes(b"this is not a picture")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        own = load_lab(
            "folder",
            path=folder,
            model=single.model,
            preprocess=single.preprocess,
            class_names=single.class_names,
            size=128,
        )
    for warning in caught:
        print("warning:", str(warning.message).replace(str(folder), "your_folder"))
print(len(own.images), "pictures in", len(set(own.targets.tolist())), "folders")
predicted = own.model(own.inputs).argmax(dim=1)
own_maps = grad_cam(own.model, own.inputs, predicted, own.layer)
plots.show_images(
    [plots.overlay(image, heat) for image, heat in zip(own.images, own_maps, strict=True)],
    [f"says {own.class_names[int(c)]}" for c in predicted],
    title="Grad-CAM of the predicted class, for each picture of the folder",
)
plt.show()

# %% [markdown]
# ## 8 · Where it breaks
#
# ### Card 1: an average of scaled maps
#
# pytorch-grad-cam scales each layer's map to 0…1 before averaging, so the average does not know how strong each map was. How strong is a map? Do not look at its maximum: Grad-CAM's weight is a *mean* over places, so it shrinks as the grid gets finer (`stem` has 16 times as many places as `layer4`). The sum over all places does not suffer from that.

# %%
for name, place in lab.layers.items():
    heat = grad_cam(model, inputs, first, place)[0]
    print(f"{name:<7} {tuple(heat.shape)!s:<9} largest {heat.max():.3f}, sum {heat.sum():.2f}")
cards = {
    name: average_of(names)
    for name, names in (
        ("layer1", ["layer1"]),
        ("layer4", ["layer4"]),
        ("layer1 and layer4, averaged", ["layer1", "layer4"]),
    )
}
plots.show_images([plots.overlay(image, heat) for heat in cards.values()], list(cards), width=7)
plt.show()
for name, heat in cards.items():
    both_shares = judge.energy_in_mask(torch.from_numpy(heat).repeat(2, 1, 1), lab.masks[0])
    print(f"{name:<28} share on the object {both_shares[0]:.2f}, on the other {both_shares[1]:.2f}")

# %% [markdown]
# By its sum, layer1's map is several times weaker than layer4's, and it lies mostly on the *other* object. In the average both maps have the same say: the share on the object falls, and the other object appears.
#
# ### Card 2: the extractor that stays
#
# A torch-cam extractor without `with` leaves its hooks. They fire at every forward pass, also when nobody asks for a map, and keep the layer's activations. An extractor that uses gradients also keeps the layer's output together with its *graph*, the record that a backward pass needs (and its memory, until a backward pass has used it). (Names with an underscore are the library's private ones; we only look.)

# %%
forgotten = LayerCAMOfTorchCam(model, target_layer=layer)
model(inputs)[0, first].backward()  # your own passes, no map asked for
model.zero_grad()


def report(moment):
    """What the extractor has hung into the model, and what it holds."""
    output = forgotten._hook_outputs[0]
    print(
        f"{moment:<22} {len(layer._forward_hooks)} hooks, "
        f"activations kept: {forgotten.hook_a[0] is not None}, "
        f"gradients: {forgotten.hook_g[0]}, "
        f"graph: {output is not None and output.grad_fn is not None}"
    )


report("after your own passes")
forgotten.remove_hooks()
report("after remove_hooks()")
forgotten.reset_hooks()
report("after reset_hooks()")

# %% [markdown]
# `remove_hooks()` takes the hooks off and still holds what was kept; `reset_hooks()` lets it go. `with` does both.
#
# ### Card 3: the picture that was scaled twice
#
# A wrong map can come from a right method: from a picture that was not preprocessed, or preprocessed twice. Nothing raises an error. This lab's preprocessing takes pixels of 0…255 to −1…1 by `pixels / 127.5 - 1`. So `(x + 1) * 127.5` undoes it, and `x / 127.5 - 1` does it a second time, after which every value is close to −1, which the network takes for black.

# %%
variants = {
    "right": single.inputs,
    "0…255, not scaled": (single.inputs + 1) * 127.5,
    "scaled twice": single.inputs / 127.5 - 1,
}
answers = {}
with torch.no_grad():
    for name, variant in variants.items():
        answers[name] = model(variant).softmax(dim=1).max(dim=1)
        accuracy = (answers[name].indices == single.targets).float().mean()
        sure = answers[name].values.mean()
        different = len(answers[name].indices.unique())
        print(
            f"{name:<18} accuracy {accuracy:.2f}, mean probability of its answer {sure:.2f}, "
            f"{different} different answers"
        )

# the picture that the network knew, and of which it is surest when it errs
unscaled = answers["0…255, not scaled"]
errs = (unscaled.indices != single.targets) & (answers["right"].indices == single.targets)
case = int((unscaled.values * errs).argmax())
panels, titles = [single.images[case]], [f"a {single.class_names[int(single.targets[case])]}"]
for name, variant in variants.items():
    p, said = (float(answers[name].values[case]), int(answers[name].indices[case]))
    heat = grad_cam(model, variant[case : case + 1], said, layer)[0]
    panels.append(plots.overlay(single.images[case], heat))
    titles.append(f"{name}:\n{single.class_names[said]}, {p:.2f}")
plots.show_images(panels, titles, columns=4, width=9, title="Grad-CAM of what the network says")
plt.show()

# %% [markdown]
# Not scaled: the network is seldom right and *surer* than before, so a high probability is no proof of a right preprocessing. For this picture it says something else with full confidence, and the map spreads beyond the object. Scaled twice: all pictures look black to the network, it gives the same answer to each, and the map shows the borders of an empty picture. Both maps come from a correct Grad-CAM. Before your first map, check the accuracy on a few pictures that you know.

# %% [markdown]
# ## 9 · Exercises
#
# Replace the dots with your code and run the cell with the check. `exercises.tokens_to_maps.hint()` gives one hint at a time; the solution is folded below each check.

# %% [markdown]
# ### Exercise: tokens to maps
#
# Section 6 assumed a square grid of patches, one extra token, and pictures first. Other transformers give `(T, N, D)`, tokens first (PyTorch's attention layers without `batch_first=True`), and put more than one token in front, a distillation token or registers. Write the version for these. $T$ is `n_extra + height * width`.


# %% exercise="tokens_to_maps"
def tokens_to_maps(tokens, height, width, n_extra):
    """Maps (N, D, height, width) from tokens (T, N, D) whose first `n_extra` have no place."""
    # BEGIN SOLUTION
    patches = tokens[n_extra:]
    n, d = patches.shape[1:]
    return patches.permute(1, 2, 0).reshape(n, d, height, width)
    # END SOLUTION


# %%
exercises.tokens_to_maps.check(tokens_to_maps)

# %% [markdown]
# ### Exercise: dress captum as pytorch-grad-cam
#
# captum's `LayerGradCam` returns one raw, signed map a picture, `(N, 1, h, w)`. Write the function that turns a *list* of such results, one a layer, into what pytorch-grad-cam returns for these layers in `target_layers`. Section 2 has all the conventions; the layers may have grids of different sizes.


# %% exercise="gradcam_picture"
def gradcam_picture(attributions, size):
    """pytorch-grad-cam's maps (N, H, W) from a list of captum's (N, 1, h, w); `size` is (H, W)."""
    # BEGIN SOLUTION
    scaled = [upsample(min_max(maps[:, 0].relu()), size) for maps in attributions]
    return min_max(sum(scaled) / len(scaled))
    # END SOLUTION


# %%
exercises.gradcam_picture.check(gradcam_picture)

# %% [markdown]
# And against the library itself, on four pictures and two layers of different size:

# %%
two_places = [lab.layers["layer2"], layer]
raw_maps = [LayerGradCam(model, place).attribute(batch, target=questions) for place in two_places]
with GradCAMOfGradCam(model=model, target_layers=two_places) as extractor:
    library = extractor(input_tensor=batch, targets=wanted)
dressed = gradcam_picture([maps.detach() for maps in raw_maps], (128, 128))
if dressed is None:
    print("Nothing to compare yet: write the function above.")
else:
    print("within 1e-5 of pytorch-grad-cam:", np.allclose(dressed, library, atol=1e-5))

# %% [markdown]
# ### Exercise: the grid pointing game
#
# Section 3 scored the maps with masks. Write the score without them: how much of a map's positive mass lies in the corner that was asked for? 1 would be all of it.


# %% exercise="share_in_corner"
def share_in_corner(maps, corner):
    """Share (N,) of each map's positive mass in one corner.

    Corners: 0 top left, 1 top right, 2 bottom left, 3 bottom right.
    Maps (N, H, W) with even H and W, each with at least one positive value.
    """
    # BEGIN SOLUTION
    positive = maps.clamp(min=0)
    height, width = maps.shape[1] // 2, maps.shape[2] // 2
    row, column = divmod(corner, 2)
    part = positive[:, row * height : (row + 1) * height, column * width : (column + 1) * width]
    return part.sum(dim=(1, 2)) / positive.sum(dim=(1, 2))
    # END SOLUTION


# %%
exercises.share_in_corner.check(share_in_corner)

# %% [markdown]
# ### Exercise: find the bug
#
# A colleague wrote this function. It should give, for each picture of a batch, what this course's `grad_cam` gives for the *predicted* class, divided by its own maximum. She reports two symptoms:
#
# 1. the maps of the pictures that the network is surest of are nearly black, unless such a picture is alone in the batch;
# 2. when she brightens every map by hand, the maps look right, but are still not those of `grad_cam`.
#
# Run the cell and the one below, which prints the symptoms on six scenes. Then find the two causes and mend the function.


# %% exercise="explain_predicted"
def explain_predicted(model, inputs, layer):
    """Grad-CAM maps (N, h, w) for the class that the model predicts, each with the maximum 1."""
    # BEGIN STUB
    # kept = []
    # handle = layer.register_forward_hook(lambda module, args, output: kept.append(output))
    # scores = model(inputs).softmax(dim=1)
    # handle.remove()
    # (gradients,) = torch.autograd.grad(scores.max(dim=1).values.sum(), kept[0])
    # maps = torch.relu((gradients.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1))
    # return (maps / maps.max().clamp(min=1e-12)).detach()
    # END STUB
    # BEGIN SOLUTION
    kept = []
    handle = layer.register_forward_hook(lambda module, args, output: kept.append(output))
    scores = model(inputs)  # logits
    handle.remove()
    (gradients,) = torch.autograd.grad(scores.max(dim=1).values.sum(), kept[0])
    maps = torch.relu((gradients.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1))
    top = maps.amax(dim=(1, 2), keepdim=True)  # each map by its own maximum
    return (maps / top.clamp(min=1e-12)).detach()
    # END SOLUTION


# %%
six = single.inputs[[0, 2, 4, 5, 9, 11]]
with torch.no_grad():
    six_p, six_said = model(six).softmax(dim=1).max(dim=1)
hers, ours = explain_predicted(model, six, layer), grad_cam(model, six, six_said, layer)
ours = ours / ours.amax(dim=(1, 2), keepdim=True)
for p, map_, right in zip(six_p, hers, ours, strict=True):
    off = (map_ / map_.max() - right).abs().max()
    print(f"probability {p:.2f}: peak {map_.max():.2f}, brightened by hand off by {off:.3f}")

# %%
exercises.explain_predicted.check(explain_predicted)

# %% [markdown]
# ## 10 · Play
#
# Choose a frame of the film, the class to ask for, the method, and whether all frames share one scale. Tab moves between the controls, the arrow keys change a value.

# %%
play_methods = {
    "Grad-CAM": lambda c: grad_cam(model, frames, c, layer),
    "Grad-CAM++": lambda c: grad_cam_plus_plus(model, frames, c, layer),
    "Layer-CAM": lambda c: layer_cam(model, frames, c, layer),
    "Layer-CAM, layer3": lambda c: layer_cam(model, frames, c, lab.layers["layer3"]),
}


def draw(frame, class_name, method, one_scale):
    heat = play_methods[method](single.class_names.index(class_name))
    top = heat.max() if one_scale else heat[frame].max()
    figure, axes = plots.grid(1, 2, width=6)
    axes[0, 0].imshow(film.images[frame])
    scaled = heat[frame] / top.clamp(min=1e-12)
    axes[0, 1].imshow(plots.overlay(film.images[frame], scaled, own_scale=False))
    axes[0, 1].set_title(f"why {class_name}?", fontsize=10)
    plt.show()


widgets.explore(
    draw,
    frame=widgets.slider("frame", 0, len(film.images) - 1, 12),
    class_name=widgets.choice("class", list(single.class_names), single.class_names[moving]),
    method=widgets.choice("method", list(play_methods)),
    one_scale=widgets.checkbox("one scale for all frames", True),
)

# %% [markdown]
# The same as a still picture: the four methods on four frames, one scale in each row.

# %%
some = [2, 8, 14, 20]
figure, axes = plots.grid(len(play_methods) + 1, len(some), width=6.5)
for column, i in enumerate(some):
    axes[0, column].imshow(film.images[i])
    axes[0, column].set_title(f"frame {i}", fontsize=10)
for row, (name, method) in enumerate(play_methods.items(), start=1):
    heat = method(moving)
    axes[row, 0].set_ylabel(name, fontsize=10)
    scaled = heat / heat.max()
    for column, i in enumerate(some):
        axes[row, column].imshow(plots.overlay(film.images[i], scaled[i], own_scale=False))
plt.show()

# %% [markdown]
# ## 11 · The paper in ten questions
#
# M. Böhle, M. Fritz, B. Schiele: *Convolutional Dynamic Alignment Networks for Interpretable Classifications* (CVPR 2021), for the grid pointing game of section 3.
#
# 1. **Which problem?** Networks whose decisions come with a faithful explanation; and, on the way, a fair test of explanations.
# 2. **Is it new?** The pointing game on natural pictures rewards a map that only finds objects. The grid puts several sure pictures side by side, so that only the question tells them apart.
# 3. **Which hypothesis?** A good explanation of a class puts its mass where the evidence for *that* class is.
# 4. **Related work, and who?** The pointing game (Zhang and others, 2016), attribution methods from the gradient to RISE. The authors are at the Max Planck Institute for Informatics and CISPA.
# 5. **The key idea (of the test)?** Build the ground truth by composing pictures, instead of asking people to draw it.
# 6. **Which experiments?** Networks trained on CIFAR-10 and TinyImageNet, among others; grids of their pictures; many attribution methods. The paper's grids are 3 × 3, so chance is one ninth there; section 3 uses 2 × 2.
# 7. **Data and code?** The code is public, and so are the data sets.
# 8. **Do the results support it?** For the ranking of the methods on such grids, yes. A grid is no natural picture, and a network with a global view may behave differently on it.
# 9. **What did it contribute?** A kind of network that explains itself, and a test that needs no annotation.
# 10. **What next?** Networks that are built to be explained; and judging by more than one measure (lesson 12).

# %% [markdown]
# ## 12 · Recap
#
# - The libraries agree on the sum and differ in its dressing: ReLU, scaling, interpolation.
# - Count passes before you choose a method; measure before you believe that the expensive one is better.
# - Which layer? For Grad-CAM a late one; early layers want Layer-CAM. Measure on yours.
# - Two objects, grids and truth turn a pretty picture into a number.
# - One scale for all frames of a sequence; one preprocessing for one network.
# - A transformer's tokens become maps when the class token goes; the last block's patches get no gradient.
# - Next: **06 · LIME**, which needs no access to the network at all.
#
# **References**
# - [torch-cam](https://frgfm.github.io/torch-cam/), [captum](https://captum.ai/), [pytorch-grad-cam](https://jacobgil.github.io/pytorch-gradcam-book/)
# - [Böhle and others, 2021: CoDA-Nets, with the grid pointing game](https://arxiv.org/abs/2104.00032)
# - [Dosovitskiy and others, 2021: vision transformers](https://arxiv.org/abs/2010.11929)
# - [Jiang and others, 2021: LayerCAM](https://doi.org/10.1109/TIP.2021.3089943)
