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
# - choose a method by what it costs and how well it points, from your own measurement;
# - use CAM on a transformer, which has no feature maps;
# - run all of it on a folder of your own pictures.
#
# **Time**: about 60 minutes. **Before**: lesson 04.

# %%
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

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
from course_utils.teach.exercises import cam_in_practice as exercises

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

figure, axes = plots.grid(1, 3, width=8, ratio=1.05)
for ax, (name, heat) in zip(
    axes[0],
    {"torch-cam": from_torchcam, "captum": from_captum, "pytorch-grad-cam": from_gradcam}.items(),
    strict=True,
):
    ax.imshow(heat, cmap="viridis")
    ax.set_title(f"{name}: {tuple(heat.shape)}", fontsize=10)
plt.show()
for name, heat in {
    "torch-cam": from_torchcam,
    "captum": from_captum,
    "pytorch-grad-cam": torch.from_numpy(from_gradcam),
}.items():
    print(f"{name:>16}: from {heat.min():+.3f} to {heat.max():+.3f}")

# %% [markdown]
# torch-cam: 8 × 8 places, from 0 to 1. captum: signed values, enlarged as hard squares. pytorch-grad-cam: smoothly enlarged, from 0 to 1. The weighted sum inside is the same (lesson 04 proved it). What differs is the dressing: ReLU, scaling, enlarging. **Know your
# library's defaults before you compare two pictures.**

# %% [markdown]
# ## 2 · What each library returns
#
# A table that you make yourself is better than one that you believe. We call each library once and read off what comes back.


# %%
def describe(name, result):
    """One line: type, shape, range and sign of what a library returned."""
    kind = type(result).__name__
    values = result.detach().numpy() if isinstance(result, torch.Tensor) else np.asarray(result)
    sign = "signed" if values.min() < 0 else ">= 0"
    print(
        f"{name:<34} {kind:<8} {values.shape!s:<18} {sign:<7} from {values.min():.2f} to {values.max():.2f}"
    )


batch, questions = lab.inputs[:4], lab.targets[:4, 0]
with GradCAMOfTorchCam(model, target_layer=layer) as extractor:
    describe("torch-cam GradCAM", extractor(questions.tolist(), model(batch))[0])
with GradCAMOfTorchCam(model, target_layer=layer) as extractor:
    describe("torch-cam, normalized=False", extractor(questions.tolist(), model(batch), normalized=False)[0])
describe("captum LayerGradCam", LayerGradCam(model, layer).attribute(batch, target=questions))
describe(
    "captum, relu_attributions=True",
    LayerGradCam(model, layer).attribute(batch, target=questions, relu_attributions=True),
)
with GradCAMOfGradCam(model=model, target_layers=[layer]) as extractor:
    describe(
        "pytorch-grad-cam GradCAM",
        extractor(input_tensor=batch, targets=[ClassifierOutputTarget(int(c)) for c in questions]),
    )
describe("course_utils grad_cam", grad_cam(model, batch, questions, layer))

# %% [markdown]
# All three hang hooks into your model. torch-cam and pytorch-grad-cam take them off when the `with` block ends; without `with`, call `extractor.remove_hooks()` (torch-cam) or the hooks stay.
#
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
    inputs, target=first, sliding_window_shapes=(3, 20, 20), strides=(3, 10, 10), perturbations_per_eval=64
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
with GradCAMOfGradCam(model=model, target_layers=[lab.layers["layer3"], lab.layers["layer4"]]) as extractor:
    two_layers = extractor(input_tensor=inputs, targets=[ClassifierOutputTarget(first)])[0]
panels = [
    show_cam_on_image(image / np.float32(255), from_gradcam, use_rgb=True),
    show_cam_on_image(image / np.float32(255), two_layers, use_rgb=True),
    show_cam_on_image(image / np.float32(255), two_layers, use_rgb=True, image_weight=0.8),
]
plots.show_images(panels, ["layer4", "layer3 and layer4", "the same, image_weight=0.8"], width=8)
plt.show()

# %% [markdown]
# ### The proof: the dressing, undone
#
# If we know the conventions, we can rebuild what each library showed from one raw map, the course's `grad_cam` without ReLU. The last row is the identity of lesson 03: the score is the mean of the class activation map plus the bias,
# here on a picture twice as high and twice as wide as the training pictures.

# %%
# NBVAL_CHECK_OUTPUT
raw = grad_cam(model, inputs, first, layer, relu=False)
two_scaled = [
    upsample(min_max(grad_cam(model, inputs, first, lab.layers[name])), (128, 128))
    for name in ("layer3", "layer4")
]
large = F.interpolate(inputs, scale_factor=2, mode="bilinear", align_corners=False)
with torch.no_grad():
    large_score = model(large)[0, first]
large_map = cam(model, large, first, layer, model.fc)
judge.agreement_table(
    [
        ("torch-cam", min_max(raw.relu())[0], from_torchcam, "ReLU, min-max"),
        (
            "captum, nearest",
            raw[0].repeat_interleave(16, 0).repeat_interleave(16, 1),
            from_captum,
            "raw, each place 16 × 16 pixels",
        ),
        ("captum, bilinear", upsample(raw, 128)[0], smooth[0, 0].detach(), "raw, align_corners=False"),
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
        (
            "the score",
            large_map.mean() + model.fc.bias.detach()[first],
            large_score,
            "mean of the CAM + bias = logit",
        ),
    ]
)

# %% [markdown]
# ## 3 · Two objects: a grid pointing game
#
# The classical picture of this field shows a dog and a cat, and a map for each. One picture proves little. Here is the question as a measurement: put scenes with *one* object each into the four corners of a grid, ask for the class of each
# corner, and count how much of the map's mass falls into the right corner. This is the **grid pointing game** (Böhle and others, 2021). Chance is one quarter, and an edge filter cannot do better than chance. (`single` below loads the same network as `lab`; only its pictures differ.)

# %%
single = load_lab("scenes")
# scenes that the network is sure of: a grid of doubtful ones would test the network, not the map
certain = np.flatnonzero(single.predict(single.images)[np.arange(len(single.images)), single.targets] > 0.9)


def make_grids(n_grids, seed=0):
    """Grids (n, 256, 256, 3) of four scenes with different classes, their targets (n, 4), and the corners' masks (4, 256, 256)."""
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
        corners[i, 128 * row : 128 * row + 128, 128 * column : 128 * column + 128] = True
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
shown = {name: heat[:4] for name, heat in grid_maps.items() if name in ("Grad-CAM", "Layer-CAM", "saliency")}
plots.show_maps(
    [grids[0]] * 4,
    shown,
    labels=[single.class_names[int(c)] for c in grid_targets[0]],
    width=8,
    title="One grid, four questions",
)
plt.show()
plots.score_plot(
    {name: judge.energy_in_mask(heat, grid_truth) for name, heat in grid_maps.items()},
    baselines=["edges (Sobel)"],
    xlabel=f"share of the map in the corner asked for ({len(grid_truth)} questions; chance is 0.25)",
)
plt.show()

# %% [markdown]
# The network pools over all places, so it may be run on a picture four times as large. Grad-CAM stands out, and you can say why: it lets negative gradients count, so a channel that speaks against the class takes away. Grad-CAM++ and
# Layer-CAM keep only positive gradients, and a channel that serves several classes lights up in several corners.

# %% [markdown]
# ## 4 · What it costs, and how well it points
#
# A decision needs two numbers: time and quality. Both on the same stored scenes, with one question for each of the two objects. Passes and seconds are for one picture; this layer has 128 channels. "Pooling + linear head" means global average pooling and one linear layer, the head that CAM asks for (lesson 03). **Predict first**: which of the six methods will take longest? (The exercise "predict, then run" asks for your answer.)

# %%
pictures = lab.inputs[:12].repeat_interleave(2, dim=0)
asked = lab.targets[:12].flatten()
truth = lab.masks[:12].flatten(0, 1)
channels = int(model.fc.in_features)
contenders = {
    "CAM": (lambda x, c: cam(model, x, c, layer, model.fc), "1 forward", "pooling + linear head"),
    "Grad-CAM": (lambda x, c: grad_cam(model, x, c, layer), "1 forward, 1 backward", "any head"),
    "Grad-CAM++": (lambda x, c: grad_cam_plus_plus(model, x, c, layer), "1 forward, 1 backward", "any head"),
    "Layer-CAM": (lambda x, c: layer_cam(model, x, c, layer), "1 forward, 1 backward", "any head, any layer"),
    "Score-CAM": (lambda x, c: score_cam(model, x, c, layer), f"{channels} + 1 forward", "no gradient"),
    "occlusion": (
        lambda x, c: occlusion(model, x, c, window=24, stride=12).relu(),
        "about 100 forward",
        "black box",
    ),
}
seconds, quality = {}, {}
for name, (method, _, _) in contenders.items():
    start = time.perf_counter()
    heat = upsample(method(pictures, asked), truth.shape[-2:])
    seconds[name] = time.perf_counter() - start
    quality[name] = judge.pointing_game(heat, truth, tolerance=5)


def coarse(spent):
    """Seconds as a range: the exact number changes from run to run."""
    return "under 0.03 s" if spent < 0.03 else "0.03 to 3 s" if spent < 3 else "over 3 s"


print(f"{'method':<12} {'passes per picture':<24} {'per picture':<13} {'beside CAM':<12} needs")
for name, (_, passes, needs) in contenders.items():
    decade = round(np.log10(seconds[name] / seconds["CAM"]))
    ratio = f"about {10**decade}x" if decade > 0 else "1 to 3x"
    print(f"{name:<12} {passes:<24} {coarse(seconds[name] / len(pictures)):<13} {ratio:<12} {needs}")
plots.score_plot(
    quality, xlabel=f"pointing game, two objects ({len(truth)} questions, 5 pixels of tolerance)"
)
plt.show()

# %% [markdown]
# Seconds are given as a range, and times relative to CAM as the nearest power of ten, since both change with the machine and the run; print `seconds` for your own (of all the questions together). The two groups stay far apart: one pass, or about a hundred. The bars are 95 % intervals over the questions, so most of these methods cannot be told apart here: on this network, the cheap
# ones point as well as the expensive ones. Start with Grad-CAM, and take another for a reason. (The table's second to fourth rows follow the papers; this lesson has not measured them.)
#
# | your situation | take | watch out for |
# |---|---|---|
# | global average pooling and one linear layer | CAM or Grad-CAM (they are equal) | the coarse grid |
# | any other convolutional network | Grad-CAM at the last convolution | an averaged gradient can mislead when the head is deep |
# | small objects, fine detail | Layer-CAM at an earlier layer | it reacts to other classes too, as the grid showed |
# | several objects of one class | Grad-CAM++ | it reacts to other classes too; see also the bug in lesson 04 |
# | gradients not available or not trusted | Score-CAM, occlusion | the time, and grey patches the network never saw |
# | a transformer | section 6 | the class token has no place |

# %% [markdown]
# ## 5 · A sequence of frames
#
# A video is a batch. One thing must not be forgotten: scale all frames *together*. If every frame gets its own 0…1, a map that fades away still looks bright. Compare the two lower rows.

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
    axes[2, column].imshow(plots.overlay(film.images[i], film_maps[i] / film_maps.max(), own_scale=False))
axes[1, 0].set_ylabel("own scale", fontsize=10)
axes[2, 0].set_ylabel("one scale", fontsize=10)
figure.suptitle(f"Why “{single.class_names[moving]}”? The number is its probability")
plt.show()

# %%
inside = judge.energy_in_mask(upsample(film_maps, 128), torch.from_numpy(film.masks[:, 0]))
figure, ax = plt.subplots(figsize=(8, 2.6))
ax.plot(film_scores, "o-", label="probability of the moving object's class")
ax.plot(inside, "s-", label="share of the map on the moving object")
ax.set(xlabel="frame", ylim=(0, 1.05))
ax.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
plt.show()

resting = int(film.targets[0, 1])
moving_masks = torch.from_numpy(film.masks[:, 0])
with torch.no_grad():
    film_logits = model(frames)
peak = film_maps.amax(dim=(1, 2)) / film_maps.max()
uncut = grad_cam(model, frames, moving, layer, relu=False).sum(dim=(1, 2))
on_it = judge.pointing_game(upsample(film_maps, 128), moving_masks, tolerance=5)
print(f"maximum on the moving object (5 pixels of tolerance): {on_it.mean():.0%} of the frames")
print(
    f"share of the map on it: {inside.min():.2f} to {inside.max():.2f} (its area: {moving_masks.float().mean():.2f})"
)
print(f"peak of the map, as a share of the film's highest: {peak.min():.2f} to {peak.max():.2f}")
for i in (int(peak.argmax()), int(film_scores.argmax())):
    print(
        f"frame {i:>2}: peak {peak[i]:.2f}, probability {film_scores[i]:.2f}, "
        f"logit of the moving object {film_logits[i, moving]:+.1f}, of the resting one {film_logits[i, resting]:+.1f}"
    )
for name, values in (
    ("peak and probability", (peak, film_scores)),
    ("peak and logit", (peak, film_logits[:, moving])),
    ("sum of the map before the ReLU and logit", (uncut, film_logits[:, moving])),
    (
        "logit minus the other logit, and probability",
        (film_logits[:, moving] - film_logits[:, resting], film_scores),
    ),
):
    print(f"correlation over the frames, {name}: {np.corrcoef(*values)[0, 1]:+.2f}")

# %% [markdown]
# The maximum of the map follows the moving object all the way. How *strong* the map is does not follow the probability: the peak is highest in a frame where the network rather says the other object, and over the frames the two do not rise and fall together. Two reasons. The peak is one place, while the logit is made of all places, also of the negative ones that the ReLU cuts away: before the ReLU, the map's sum goes exactly with the logit. And the probability depends on the other logit too: that of the
# resting object falls in the middle of the film, where it is partly covered. When a probability and its map disagree, look at the logits.

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
    image_size=128, patch_size=16, num_layers=3, num_heads=4, hidden_dim=64, mlp_dim=128, num_classes=10
).eval()
nn.init.normal_(
    vit.heads.head.weight, std=0.1
)  # torchvision starts the head at zero, and zero explains nothing


def as_feature_maps(tokens):
    """Tokens (N, 1 + h*w, D) without the class token, as maps (N, D, h, w)."""
    side = round((tokens.shape[1] - 1) ** 0.5)
    return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, side, side)


block = vit.encoder.layers[-1].ln_1
with GradCAMOfGradCam(model=vit, target_layers=[block], reshape_transform=as_feature_maps) as extractor:
    vit_library = extractor(input_tensor=inputs, targets=[ClassifierOutputTarget(first)])[0]

kept = []
handle = block.register_forward_hook(lambda module, arguments, output: kept.append(output))
score = vit(inputs)[0, first]
handle.remove()
(gradient,) = torch.autograd.grad(score, kept[0])
A, dA = as_feature_maps(kept[0].detach()), as_feature_maps(gradient)
vit_map = torch.relu((dA.mean(dim=(2, 3), keepdim=True) * A).sum(dim=1))
print("tokens", tuple(kept[0].shape), "-> maps", tuple(A.shape), "-> CAM", tuple(vit_map.shape[1:]))

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
# Which layer? The *last* block's output is a trap: only the class token goes on to the head, so the gradient of all patch tokens there is exactly zero. That is why the cell above took the output of `ln_1`, which goes into the last attention, where patches can still speak to the class token. The numbers:

# %%
kept = []
handle = vit.encoder.layers[-1].register_forward_hook(lambda module, arguments, output: kept.append(output))
score = vit(inputs)[0, first]
handle.remove()
(gradient,) = torch.autograd.grad(score, kept[0])
print(
    f"after the last block: gradient of the class token {gradient[:, 0].abs().max():.4f}, of all patches {gradient[:, 1:].abs().max():.4f}"
)

# %% [markdown]
# ## 7 · The real thing: photographs, and your own folder
#
# Pairs of real photographs, two halves joined to one picture, with an ImageNet network. Does each class's map land on its own half?

# %%
try:
    photos = load_lab("photos", pairs=True)
except LabUnavailable as error:
    photos = None
    print(error)

if photos is not None:
    photo_inputs, photo_questions = photos.inputs.repeat_interleave(2, dim=0), photos.targets.flatten()
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
    plots.score_plot(
        {
            name: judge.energy_in_mask(upsample(heat, halves.shape[-2:]), halves)
            for name, heat in photo_maps.items()
        }
        | {"edges (Sobel)": judge.energy_in_mask(judge.baselines.sobel(photo_inputs), halves)},
        baselines=["edges (Sobel)"],
        xlabel=f"share of the map on the half asked for ({len(halves)} questions; chance is 0.5)",
    )
    plt.show()

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
# pytorch-grad-cam scales each layer's map to 0…1 before averaging. The layers' maps differ in strength, as their largest values show, and the average does not know it any more. For layer3 and layer4 that matters little; averaging layer1 and layer4 would give the same say to two maps of very different strength.

# %%
for name in lab.layers:
    heat = grad_cam(model, inputs, first, lab.layers[name])
    print(f"{name}: largest value {heat.max():.5f}")

# %% [markdown]
# ### Card 2: the extractor that stays
#
# A torch-cam extractor without `with` leaves its hooks. The next forward pass still works, and stores gradients for nobody:

# %%
forgotten = LayerCAMOfTorchCam(model, target_layer=layer)
print("hooks on the layer while the extractor lives:", len(layer._forward_hooks))
forgotten.remove_hooks()
print("after remove_hooks():", len(layer._forward_hooks))

# %% [markdown]
# ### Card 3: the picture that was scaled twice
#
# Most wrong maps are not wrong methods. They are pictures that were preprocessed twice, not at all, or with another network's numbers. Nothing raises an error, and the scores need not give it away: wrong inputs can be very sure. Here is a picture that the
# network knows well:

# %%
known = int(certain[0])
x, asked_class = single.inputs[known : known + 1], int(single.targets[known])
wrong_inputs = {"right": x, "0…255, not scaled": (x + 1) * 127.5, "scaled twice": x / 127.5 - 1}
for name, inputs_ in wrong_inputs.items():
    with torch.no_grad():
        p = model(inputs_).softmax(dim=1)[0]
    print(f"{name:<18} says {lab.class_names[int(p.argmax())]:<10} with {p.max():.2f}")
plots.show_maps(
    [single.images[known]],
    {name: grad_cam(model, inputs_, asked_class, layer) for name, inputs_ in wrong_inputs.items()},
    title=f"Grad-CAM for “{lab.class_names[asked_class]}”",
    width=8,
)
plt.show()

# %% [markdown]
# ## 9 · Exercises
#
# Replace the dots with your code and run the cell with the check. `exercises.tokens_to_maps.hint()` gives one hint at a time; the solution is folded below each check.

# %% [markdown]
# ### Exercise: tokens to maps
#
# Section 6 assumed a square grid of patches. Here it need not be one: use `height` and `width`.


# %% exercise="tokens_to_maps"
def tokens_to_maps(tokens, height, width):
    """Maps (N, D, height, width) from tokens (N, 1 + height * width, D) whose first token is the class token."""
    # BEGIN SOLUTION
    patches = tokens[:, 1:]  # the class token has no place
    return patches.transpose(1, 2).reshape(len(tokens), -1, height, width)
    # END SOLUTION


# %%
exercises.tokens_to_maps.check(tokens_to_maps)

# %% [markdown]
# ### Exercise: the grid pointing game


# %% exercise="share_in_corner"
def share_in_corner(maps, corner):
    """Share (N,) of each map's positive mass in one corner (0 top left, 1 top right, 2 bottom left, 3 bottom right).

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
# ### Exercise: predict, then run
#
# What did you predict in section 4: which of the six methods takes longest? Answer with its name; the check compares with your own run.

# %% exercise="slowest"
answer = None
# BEGIN SOLUTION
answer = max(seconds, key=seconds.get)
# END SOLUTION

# %%
exercises.slowest.check(answer, seconds)

# %% [markdown]
# ### Exercise: find the bug
#
# Two things are wrong with this function, which explains each picture of a batch for its *predicted* class. One has been published in a library's code for its evaluation measures: it explains the softmax instead of the logit. The other makes the maps of a batch depend on each other.


# %% exercise="explain_predicted"
def explain_predicted(model, inputs, layer):
    """Grad-CAM maps (N, h, w), each scaled to a maximum of 1, for the class that the model predicts (from the logit)."""
    # BEGIN STUB
    # kept = []
    # handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    # scores = model(inputs).softmax(dim=1)
    # handle.remove()
    # (gradients,) = torch.autograd.grad(scores.max(dim=1).values.sum(), kept[0])
    # maps = torch.relu((gradients.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1))
    # return (maps / maps.max().clamp(min=1e-12)).detach()
    # END STUB
    # BEGIN SOLUTION
    kept = []
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    scores = model(inputs)  # logits
    handle.remove()
    (gradients,) = torch.autograd.grad(scores.max(dim=1).values.sum(), kept[0])
    maps = torch.relu((gradients.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1))
    return (maps / maps.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)).detach()  # each by its own maximum
    # END SOLUTION


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
    axes[0, 1].imshow(plots.overlay(film.images[frame], heat[frame] / top.clamp(min=1e-12), own_scale=False))
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
figure, axes = plots.grid(len(play_methods) + 1, len(some), width=8)
for column, i in enumerate(some):
    axes[0, column].imshow(film.images[i])
    axes[0, column].set_title(f"frame {i}", fontsize=10)
for row, (name, method) in enumerate(play_methods.items(), start=1):
    heat = method(moving)
    axes[row, 0].set_ylabel(name, fontsize=10)
    for column, i in enumerate(some):
        axes[row, column].imshow(plots.overlay(film.images[i], heat[i] / heat.max(), own_scale=False))
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
# 6. **Which experiments?** Grids of pictures from CIFAR-10 and ImageNet, many attribution methods.
# 7. **Data and code?** Public.
# 8. **Do the results support it?** For the ranking of the methods on such grids, yes. A grid is no natural picture, and a network with a global view may behave differently on it.
# 9. **What did it contribute?** A test without annotation that is now widely used.
# 10. **What next?** Networks that are built to be explained; and judging by more than one measure (lesson 12).

# %% [markdown]
# ## 12 · Recap
#
# - The libraries agree on the sum and differ in its dressing: ReLU, scaling, interpolation.
# - Count passes before you choose a method; measure before you believe that the expensive one is better.
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
