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
# **The question.** You have a trained network and a few hours. Which library, which method, which layer, and how far may you trust the picture that comes out?
#
# **After this lesson you can**
# - use torch-cam, captum and pytorch-grad-cam, and say for each what it returns: shape, sign, range;
# - turn the result of one library into that of another;
# - choose a method and a layer by what it costs and how well it points, from your own measurement;
# - explain a sequence of frames, and use CAM on a transformer;
# - run all of it on your own pictures.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [04 · Grad-CAM](04_grad_cam.ipynb).
#
# The first cell loads two [labs](glossary.md#lab) with the same network: `lab` has scenes with two objects, `single` scenes with one. `lab.questions()` asks for each object of each scene: the pictures (each one twice), the classes that we ask for, and the pixels of the objects.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.exercises import l05_cam_in_practice as exercises
from course_utils.labs import load_lab
from course_utils.labs.photos import top_classes
from course_utils.methods.cam import cam, grad_cam, grad_cam_plus_plus, layer_cam, min_max, upsample
from course_utils.teach import plots, widgets

lab, single = load_lab("scenes", n_objects=2), load_lab("scenes")
model, layer = lab.model, lab.layer
pictures, questions, truth = lab.questions()
family = {"Grad-CAM": grad_cam, "Grad-CAM++": grad_cam_plus_plus, "Layer-CAM": layer_cam}

# %% [markdown]
# ## 1 · A puzzle: the same method, three pictures
#
# Three colleagues explain the same decision of the same network with Grad-CAM. Each takes another library, with its default settings. Here is what they show.

# %%
from captum.attr import LayerAttribution, LayerGradCam
from pytorch_grad_cam import GradCAM as GradCAMOfGradCam
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchcam.methods import GradCAM as GradCAMOfTorchCam

inputs, first = lab.inputs[:1], int(lab.targets[0, 0])
with GradCAMOfTorchCam(model, target_layer=layer) as extractor:
    from_torchcam = extractor(first, model(inputs))[0][0].detach()
attribution = LayerGradCam(model, layer).attribute(inputs, target=first).detach()
from_captum = LayerAttribution.interpolate(attribution, (128, 128))[0, 0]
with GradCAMOfGradCam(model=model, target_layers=[layer]) as extractor:
    from_gradcam = extractor(input_tensor=inputs, targets=[ClassifierOutputTarget(first)])[0]

# %% tags=["hide-input"]
brought = {
    "torch-cam": from_torchcam,
    "captum": from_captum,
    "pytorch-grad-cam": torch.from_numpy(from_gradcam),
}
figure, axes = plots.grid(1, 4, width=10, ratio=0.95)
axes[0, 0].imshow(lab.images[0])
axes[0, 0].set_title(f"why {lab.class_names[first]}?", fontsize=10)
for ax, (name, heat) in zip(axes[0, 1:], brought.items(), strict=True):
    plots.show_heat(
        ax, heat, signed=bool(heat.min() < 0), title=f"{name}\n{tuple(heat.shape)}", colorbar=True
    )
plots.show(
    "A scene and three maps of the same decision: torch-cam's has 8 × 8 places from 0 to 1; captum's is signed and made of hard "
    "squares; pytorch-grad-cam's is smooth, from 0 to 1."
)

# %% [markdown]
# The weighted sum inside is the same ([lesson 04](04_grad_cam.ipynb) proved it). What differs is what happens to it afterwards: ReLU, scaling, enlarging. (Blue in captum's map: this place speaks against the class.) **Know your
# library's defaults before you compare two pictures.**

# %% [markdown]
# ## 2 · What each library returns
#
# A table that you make yourself is better than one that you believe. We call each library on four pictures and read off what comes back.


# %%
def describe(name, result):
    """One line: type, shape and range of what a library returned."""
    values = plots.to_array(result)
    span = f"from {values.min():+.2f} to {values.max():+.2f}"
    print(f"{name:<30} {type(result).__name__:<8} {values.shape!s:<17} {span}")


batch, asked = lab.inputs[:4], lab.targets[:4, 0]
with GradCAMOfTorchCam(model, target_layer=layer) as extractor:
    describe("torch-cam", extractor(asked.tolist(), model(batch))[0])
describe("captum LayerGradCam", LayerGradCam(model, layer).attribute(batch, target=asked))
with GradCAMOfGradCam(model=model, target_layers=[layer]) as extractor:
    describe(
        "pytorch-grad-cam",
        extractor(input_tensor=batch, targets=[ClassifierOutputTarget(int(c)) for c in asked]),
    )
describe("course_utils grad_cam", grad_cam(model, batch, asked, layer))

# %% [markdown]
# All three hang *hooks* into your model: functions that a layer calls at each forward pass. torch-cam and pytorch-grad-cam take them off when the `with` block ends, so always use `with` ([05b](05b_cam_in_practice_more.ipynb) shows what stays otherwise). captum's hooks live only as long as the call.
#
# If we know the conventions, we can rebuild what each library returned from one raw map, the course's `grad_cam` without its ReLU. `min_max` scales a map to 0…1: it subtracts the smallest value and divides by the largest of what is left. `upsample` enlarges it. pytorch-grad-cam also takes several layers: it scales each layer's map, enlarges it, averages, and scales again.

# %%
with GradCAMOfGradCam(model=model, target_layers=[lab.layers["layer3"], layer]) as extractor:
    two_layers = extractor(input_tensor=inputs, targets=[ClassifierOutputTarget(first)])[0]
raw = grad_cam(model, inputs, first, layer, relu=False)
squares = raw[0].repeat_interleave(16, 0).repeat_interleave(16, 1)
smooth = min_max(upsample(min_max(raw.relu()), 128))[0]
each = [
    upsample(min_max(grad_cam(model, inputs, first, lab.layers[name])), 128) for name in ("layer3", "layer4")
]

# %% tags=["nbval-check-output"]
judge.agreement_table(
    [
        ("torch-cam", min_max(raw.relu())[0], from_torchcam, "ReLU, scaled to 0…1"),
        ("captum", squares, from_captum, "raw, each place 16 × 16 pixels"),
        ("pytorch-grad-cam", smooth, from_gradcam, "ReLU, scaled, enlarged, scaled"),
        ("the same, two layers", min_max(sum(each) / 2)[0], two_layers, "mean of scaled maps, scaled"),
    ]
)

# %% [markdown]
# And the last step, colours over the picture. `jet` is used everywhere and is a poor choice: its bright bands of yellow and cyan look like borders that the numbers do not have, and colour-blind readers often cannot tell red from green. Take a colour map whose brightness grows steadily.

# %% tags=["hide-input"]
from PIL import Image
from torchcam.utils import overlay_mask

photo, heat = Image.fromarray(lab.images[0]), Image.fromarray(from_torchcam.numpy())
coloured = [overlay_mask(photo, heat, colormap=name, alpha=0.5) for name in ("jet", "viridis", "inferno")]
plots.show_images([np.asarray(one) for one in coloured], ["jet", "viridis", "inferno"], width=7)
plots.show(
    "The same map in three colour maps. In jet, coloured rings look like borders; in the others brightness grows steadily."
)

# %% [markdown]
# ## 3 · From captum to pytorch-grad-cam
#
# ### Exercise: one library's picture from another's
#
# captum's `LayerGradCam` returns one raw, signed map a picture, `(N, 1, h, w)`. Write the function that turns a *list* of such results, one a layer, into what pytorch-grad-cam returns for these layers in `target_layers`. Section 2 has all the conventions; the layers may have maps of different sizes.


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
# ## 4 · Two objects: a grid pointing game
#
# Papers often show a dog and a cat, and a map for each. One picture proves little. Here is the question as a measurement: put scenes with *one* object each into the four corners of a grid, ask for the class of each
# corner, and count how much of the map's sum falls into the right corner. This is the **grid pointing game** (Böhle and others, 2021). An edge filter gets *exactly* one quarter on average: its map does not know the question, and its shares in the four corners add up to one.


# %%
from course_utils.lessons.l05_cam_in_practice import make_grids

grids, grid_targets, corners = make_grids(single, n_grids=15)  # of scenes that the network is sure of
grid_inputs = single.preprocess(grids).repeat_interleave(4, dim=0)
grid_questions, grid_truth = grid_targets.flatten(), corners.repeat(len(grids), 1, 1)
grid_maps = {
    "CAM": cam(model, grid_inputs, grid_questions, layer, model.fc),
    "Grad-CAM": grad_cam(model, grid_inputs, grid_questions, layer),
    "Grad-CAM++": grad_cam_plus_plus(model, grid_inputs, grid_questions, layer),
    "Layer-CAM": layer_cam(model, grid_inputs, grid_questions, layer),
    "edges (Sobel)": judge.baselines.sobel(grid_inputs),
}
in_corner = {name: judge.energy_in_mask(upsample(maps, 256), grid_truth) for name, maps in grid_maps.items()}
print("Grad-CAM minus Layer-CAM:", judge.paired(in_corner["Grad-CAM"], in_corner["Layer-CAM"]))

# %% tags=["hide-input"]
plots.show_maps(
    [grids[0]] * 4,
    {name: grid_maps[name][:4] for name in ("Grad-CAM", "Layer-CAM")},
    labels=[single.class_names[int(c)] for c in grid_targets[0]],
    width=5.6,
    title="One grid, four questions: Layer-CAM is also bright in the other corners",
)
plots.show(
    "A grid of four scenes, asked for each. Grad-CAM lights up one corner; Layer-CAM also lights up the others."
)

# %% tags=["hide-input"]
plots.score_plot(
    in_corner,
    baselines=["edges (Sobel)"],
    xlabel=f"share of the map in the right corner ({len(grid_truth)} questions; an edge filter gets 0.25)",
    title="CAM and Grad-CAM stay in the corner that was asked for",
)
plots.show(", ".join(f"{name} {share.mean():.2f}" for name, share in in_corner.items()))

# %% [markdown]
# CAM and Grad-CAM are far ahead. (CAM gets a little more: it is enlarged *before* its negative values are cut off, Grad-CAM after.) A possible reason: in both, a channel that speaks against the class takes away. Grad-CAM++ and Layer-CAM keep only positive gradients. A reason can be tested: take CAM and set its negative weights to zero.
#
# **Predict first**: will its share stay near Grad-CAM's, or fall to Layer-CAM's?

# %%
import copy

positive = copy.deepcopy(model)
positive.fc.weight.data.clamp_(min=0)
without_negative = cam(positive, grid_inputs, grid_questions, "layer4", "fc")
share = judge.energy_in_mask(upsample(without_negative, 256), grid_truth).mean()
print(f"CAM without its negative weights {share:.3f}; Layer-CAM {in_corner['Layer-CAM'].mean():.3f}")

# %% [markdown]
# It falls to exactly Layer-CAM's share, and it must: behind average pooling a channel's gradient is its weight divided by the number of places, so the positive gradients *are* the positive weights. A channel that serves several classes then lights up in several corners.

# %% [markdown]
# ## 5 · What it costs
#
# CAM needs one forward pass for a question, Grad-CAM one forward and one backward pass. Score-CAM ([lesson 04](04_grad_cam.ipynb)) needs one pass to get the channels, and one more for *each* of them. *Occlusion* covers one square after the other and watches the score: 10 × 10 squares here. It also needs the score of the whole picture. (The course's functions for both run the model once more at the start, to check their inputs.)
#
# ### Exercise: predict, then run
#
# Which of these is nearest to the number of forward passes that Score-CAM needs for one question on this network: 1, 10, 100 or 1000? The cell below prints the number of channels. Set `answer`, then run the next two cells.

# %%
print("channels of the last layer:", model.fc.in_features)

# %% exercise="score_cam_cost"
answer = None
# BEGIN SOLUTION
answer = 100  # 128 + 1 passes instead of one
# END SOLUTION

# %%
from course_utils.lessons.l05_cam_in_practice import forward_passes
from course_utils.methods.cam import score_cam
from course_utils.methods.occlusion import occlusion

methods = {
    "CAM": lambda x, c: cam(model, x, c, layer, model.fc),
    "Grad-CAM": lambda x, c: grad_cam(model, x, c, layer),
    "Layer-CAM": lambda x, c: layer_cam(model, x, c, layer),
    "Score-CAM": lambda x, c: score_cam(model, x, c, layer),
    "occlusion": lambda x, c: occlusion(model, x, c, window=24, stride=12).relu(),
}
passes = {
    name: forward_passes(model, lambda m=method: m(pictures[:1], questions[:1]))
    for name, method in methods.items()
}
print(passes)

# %%
exercises.score_cam_cost.check(answer, passes)

# %% [markdown]
# ## 6 · How well it points
#
# Now the quality, with three measures: the **pointing game** (does the maximum lie on the object that we asked for, with 5 pixels of tolerance?), **energy** (the share of the map's sum on the object) and **IoU** (keep as many of the strongest pixels as the object has, and divide the number of pixels in both by the number in at least one).

# %%
from tqdm.auto import tqdm

some = slice(0, 30)  # Score-CAM and occlusion are slow: fifteen scenes, two questions each
maps_of = {
    name: upsample(method(pictures[some], questions[some]), 128)
    for name, method in tqdm(methods.items(), desc="methods", leave=False)
}
maps_of["edges (Sobel)"] = judge.baselines.sobel(pictures[some])
measures = {
    "pointing": lambda maps, truth: judge.pointing_game(maps, truth, tolerance=5),
    "energy": judge.energy_in_mask,
    "IoU": judge.mask_iou,
}
scores = {
    name: {k: measure(maps, truth[some]) for k, maps in maps_of.items()} for name, measure in measures.items()
}

# %%
for name, values in scores.items():
    print(f"{name}: occlusion minus Grad-CAM {judge.paired(values['occlusion'], values['Grad-CAM'])}")
    print(f"{name}: Score-CAM minus Grad-CAM {judge.paired(values['Score-CAM'], values['Grad-CAM'])}")

# %% tags=["hide-input"]
plots.matrix_plot(
    [[scores[name][k].mean() for name in measures] for k in maps_of],
    [f"{k} (passes: {passes[k]})" if k in passes else k for k in maps_of],
    list(measures),
    title="Mean scores: a hundred passes buy no better pointing",
)
plots.show(
    "A table of five methods and an edge filter by three measures. "
    + "; ".join(
        f"{k}: pointing {scores['pointing'][k].mean():.2f}, energy {scores['energy'][k].mean():.2f}"
        for k in maps_of
    )
)

# %% [markdown]
# Score-CAM needs 130 forward passes. It gains nothing here and loses energy. Occlusion puts more of its sum on the object (energy), and its strongest pixels fit the object's shape less well (IoU). Start with Grad-CAM, and take another method for a reason.
#
# ### Which layer?
#
# So far each map came from the last stage. **Predict first**: at which of the five stages does Grad-CAM score best, by each of the three measures? And Layer-CAM?

# %%
by_layer = {}
for method in ("Grad-CAM", "Layer-CAM"):
    for name, place in lab.layers.items():
        maps = upsample(family[method](model, pictures[:60], questions[:60], place), 128)
        by_layer[method, name] = {k: measure(maps, truth[:60]) for k, measure in measures.items()}
for k in measures:
    layer3, layer4 = (by_layer["Grad-CAM", name][k] for name in ("layer3", "layer4"))
    print(f"{k}, Grad-CAM: layer3 minus layer4 {judge.paired(layer3, layer4)}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 2.6))
see = {"Grad-CAM": "energy peaks at layer3, IoU at layer4", "Layer-CAM": "energy peaks early, IoU late"}
for ax, method in zip(axes, see, strict=True):
    table = [[by_layer[method, name][k].mean() for k in measures] for name in lab.layers]
    plots.matrix_plot(table, list(lab.layers), list(measures), title=f"{method}: {see[method]}", ax=ax)
plots.show(
    "Two tables, five stages by three measures. For Grad-CAM, energy is highest at layer3 and IoU at layer4; pointing is equal in the last two."
)

# %% [markdown]
# There is no best layer without a measure. For Grad-CAM `layer3` is ahead by energy, and the last stage by IoU. Layer-CAM has its largest *energy* in early stages, where its grid is fine, and its best IoU in the last. So take the **last stage**, unless you have pictures with known truth and a measure that fits your purpose.
#
# | your situation | take | watch out for |
# |---|---|---|
# | global average pooling and one linear layer | CAM or Grad-CAM | the coarse grid |
# | any other convolutional network | Grad-CAM, last stage | the averaged gradient is only a local slope when several layers follow the maps |
# | fine detail | Layer-CAM at an earlier layer (its authors' advice) | here it gains nothing over Grad-CAM, even on small objects; it reacts to other classes too (section 4) |
# | several objects of one class | Grad-CAM++ (its authors' advice) | it reacts to other classes too |
# | gradients not available | Score-CAM, occlusion | the time, and covered pictures that the network never saw in training |
# | a transformer | section 8 | the class token has no place |

# %% [markdown]
# ## 7 · A sequence of frames
#
# A video is a batch. One thing must not be forgotten: scale all frames *together*, so that you can compare how strong the map is from frame to frame. Here a fish moves in front of a snail through 24 drawn frames; for a video or GIF of yours, `read_frames(path, size=128)` from `course_utils.labs.video` returns such an array `(frames, height, width, 3)`.

# %%
from course_utils.lessons.l05_cam_in_practice import film_of

film_images, moving = film_of(single)  # 24 frames (24, 128, 128, 3), and the class of the moving object
film_maps = grad_cam(model, single.preprocess(film_images), moving, layer)
one_scale = film_maps / film_maps.max()
explained = [
    plots.overlay(frame, heat, own_scale=False) for frame, heat in zip(film_images, one_scale, strict=True)
]

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:  # choose a path of your own to keep the file
    path = plots.save_gif(Path(folder) / "film.gif", explained, seconds=0.1)
    print(f"saved {path.name}: {len(explained)} frames, {path.stat().st_size / 1000:.0f} kB")

# %% tags=["hide-input", "thumbnail"]
shown = np.linspace(0, 23, 6).astype(int)
figure, axes = plots.grid(2, 6, ratio=1.04)
probability = single.predict(film_images)[:, moving]
for column, i in enumerate(shown):
    axes[0, column].imshow(film_images[i])
    axes[0, column].set_title(f"frame {i}: {probability[i]:.2f}", fontsize=10)
    axes[1, column].imshow(explained[i])
figure.suptitle(
    f"Why “{single.class_names[moving]}”? One scale for all frames; the number is its probability"
)
plots.show("Six frames of a moving object and their maps on one scale: the bright place follows the object.")

# %% [markdown]
# The bright place follows the object. How bright it is does *not* follow the probability here, even on one scale: compare the numbers. The probability also depends on the scores of the other classes, and a map shows one class. [05b](05b_cam_in_practice_more.ipynb) measures it: in some films the two go together, in others not. **Do not read a probability off the brightness.**

# %% [markdown]
# ## 8 · A transformer has no feature maps
#
# A vision transformer cuts the picture into patches, turns each into a *token* (a vector), adds one more token for the class, and lets the tokens exchange information. Its blocks put out `(N, 1 + patches, dimension)`. To get a CAM, take the class token away and
# put the others back into rows and columns ($N$ pictures, $T = 1 + h w$ tokens, $D$ numbers in each): $(N, T, D) \rightarrow (N, D, h, w)$.
#
# The network below is torchvision's vision transformer, tiny and **untrained**: we only look at shapes and gradients, so do not read meaning into its map.

# %%
from course_utils.lessons.l05_cam_in_practice import small_transformer

vit = small_transformer()


def as_feature_maps(tokens):
    """Tokens (N, 1 + h*w, D) without the class token, as maps (N, D, h, w)."""
    side = round((tokens.shape[1] - 1) ** 0.5)
    return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, side, side)


def tokens_and_gradient(block):
    """The tokens that a block puts out, and the score's gradient at them: both (1, T, D)."""
    kept = []
    handle = block.register_forward_hook(lambda module, arguments, output: kept.append(output))
    score = vit(lab.inputs[:1])[0, 0]
    handle.remove()
    return kept[0].detach(), torch.autograd.grad(score, kept[0])[0]


# %%
norm = vit.encoder.layers[-1].ln_1  # a step inside the last block, before its attention
with GradCAMOfGradCam(model=vit, target_layers=[norm], reshape_transform=as_feature_maps) as extractor:
    library = extractor(input_tensor=lab.inputs[:1], targets=[ClassifierOutputTarget(0)])[0]
tokens, gradient = tokens_and_gradient(norm)
A, dA = as_feature_maps(tokens), as_feature_maps(gradient)
vit_map = torch.relu((dA.mean(dim=(2, 3), keepdim=True) * A).sum(dim=1))
print("tokens", tuple(tokens.shape), "-> maps", tuple(A.shape), "-> CAM", tuple(vit_map.shape[1:]))
print(
    "equal to pytorch-grad-cam:", np.allclose(min_max(upsample(min_max(vit_map), 128))[0], library, atol=1e-5)
)

# %% [markdown]
# Which layer? The *last* block's output is a trap. Only the class token goes on to the head:

# %%
for name, place in (("before the last attention", norm), ("after the last block", vit.encoder.layers[-1])):
    _, gradient = tokens_and_gradient(place)
    at_class, at_patch = gradient[:, 0].abs().max(), gradient[:, 1:].abs().max()
    print(f"{name}: largest gradient at the class token {at_class:.3g}, at a patch {at_patch:.3g}")

# %% [markdown]
# After the last block the gradient of each patch is exactly zero, and each CAM that uses gradients would be empty. Before the last attention, patches can still send something to the class token.

# %% [markdown]
# ## 9 · The real thing
#
# EfficientNet-Lite0, trained on ImageNet, on real photographs, two side by side. Four photographs give 12 pairs, since left and right count, so 24 questions; they are far from independent. Does each class's map lie on its own half, and does the stage before the last do as well here?

# %%
photos = load_lab("photos", pairs=True)
photo_pictures, photo_questions, halves = photos.questions()
before_last = list(photos.layers.values())[-2]
photo_maps = {
    "Grad-CAM": grad_cam(photos.model, photo_pictures, photo_questions, photos.layer),
    "Layer-CAM": layer_cam(photos.model, photo_pictures, photo_questions, photos.layer),
    "Grad-CAM, a stage earlier": grad_cam(photos.model, photo_pictures, photo_questions, before_last),
}
in_half = {
    name: judge.energy_in_mask(upsample(maps, halves.shape[-2:]), halves) for name, maps in photo_maps.items()
}
in_half["edges (Sobel)"] = judge.energy_in_mask(judge.baselines.sobel(photo_pictures), halves)
print({name: round(share.mean().item(), 2) for name, share in in_half.items()})

# %% tags=["hide-input"]
plots.show_maps(
    list(photos.images[:2]),
    {
        f"{name},\nasked: {side}": maps[i:4:2]
        for name, maps in list(photo_maps.items())[:2]
        for i, side in enumerate(("left", "right"))
    },
    labels=[" / ".join(photos.class_names[int(t)] for t in pair) for pair in photos.targets[:2]],
    title="EfficientNet-Lite0 on two photographs side by side",
)
plots.show(
    "Two pictures of two photographs each. Grad-CAM stays in the half that was asked for; Layer-CAM spreads over both."
)

# %% [markdown]
# What the grid of drawings showed holds here: Grad-CAM stays in its half, Layer-CAM spreads over both, most clearly where the palace is asked for. By energy, the stage before the last was *better* on the drawings (section 6); here it is a little worse. So measure again for each network.
#
# ### Your turn
#
# Change the path (a picture of yours, a folder of pictures, a video) and, if you like, the model's name. `path=None` takes the course's photographs. ([05b](05b_cam_in_practice_more.ipynb) loads folders named after classes, and a network of your own.)

# %%
mine = load_lab("photos", path=None, model="efficientnet_lite0")
classes, chances = top_classes(mine, mine.images[:3], k=3)
my_maps = {
    name: method(mine.model, mine.inputs[:3], classes[:, 0], mine.layer) for name, method in family.items()
}

# %% tags=["hide-input"]
for best, chance in zip(classes, chances, strict=True):
    print(", ".join(f"{mine.class_names[c]} {p:.2f}" for c, p in zip(best, chance, strict=True)))
plots.show_maps(list(mine.images[:3]), my_maps, labels=[mine.class_names[c] for c in classes[:, 0]], width=7)
plots.show("Pictures down the side, the maps of three methods for the most probable class of each.")

# %% [markdown]
# ## 10 · Where it breaks: the picture that was scaled twice
#
# A wrong map can come from a right method: from a picture that was not preprocessed, or preprocessed twice. Nothing raises an error. This lab's preprocessing takes pixels of 0…255 to −1…1 by `pixels / 127.5 - 1`.

# %%
variants = {
    "right": single.inputs,
    "0…255, not scaled": (single.inputs + 1) * 127.5,
    "scaled twice": single.inputs / 127.5 - 1,
}
said = {}
for name, variant in variants.items():
    with torch.no_grad():
        said[name] = model(variant).softmax(dim=1).max(dim=1)
    right = (said[name].indices == single.targets).float().mean()
    sure, commonest = said[name].values.mean(), said[name].indices.bincount().max() / len(variant)
    print(f"{name:<18} right {right:.2f}, probability {sure:.2f}, commonest answer {commonest:.2f} of all")

# %% tags=["hide-input"]
unscaled = said["0…255, not scaled"]
errs = (unscaled.indices != single.targets) & (said["right"].indices == single.targets)
case = int((unscaled.values * errs).argmax())  # known before, and now most surely wrong
panels, titles = [single.images[case]], [f"a {single.class_names[int(single.targets[case])]}"]
for name, variant in variants.items():
    answer_index = int(said[name].indices[case])
    panels.append(
        plots.overlay(single.images[case], grad_cam(model, variant[case : case + 1], answer_index, layer)[0])
    )
    titles.append(f"{name}:\n{single.class_names[answer_index]}, {float(said[name].values[case]):.2f}")
plots.show_images(panels, titles, columns=4, width=9, title="Grad-CAM of what the network says")
plots.show(
    "One scene with the right, the missing and the doubled scaling: two of three answers are wrong, and each gets a map without any error."
)

# %% [markdown]
# Not scaled: the network is seldom right and *no less sure* than before. Scaled twice: all pictures look black to it, and nearly all get one answer. Both maps come from a correct Grad-CAM. **Before your first map, check the accuracy on a few pictures that you know.**

# %% [markdown]
# ## 11 · A function from a colleague
#
# ### Exercise: find the bug
#
# For each picture of a batch, this function should give the Grad-CAM map of the *predicted* class, divided by the map's own maximum. (`grad_cam` takes the gradient of the *logit*, the score before the softmax.) Its author reports two symptoms:
#
# 1. the maps of the pictures that the network is surest of are nearly black, unless such a picture is alone in the batch;
# 2. brightened by hand, the maps look right, but are still not those of `grad_cam`.
#
# The cell after it prints the symptoms on six scenes. Find the two causes and repair the function.


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
theirs, ours = explain_predicted(model, six, layer), grad_cam(model, six, six_said, layer)
for p, heat, right in zip(six_p, theirs, ours, strict=True):
    off = (heat / heat.max() - right / right.max()).abs().max()
    print(f"probability {p:.2f}: maximum {heat.max():.2f}; brightened by hand off by {off:.3f}")

# %%
exercises.explain_predicted.check(explain_predicted)

# %% [markdown]
# ## 12 · Play
#
# Choose a frame of the film, the class to ask for, the method, and whether all frames share one scale. Tab moves between the controls, the arrow keys change a value. (Section 7 has the still picture.)


# %% tags=["hide-input"]
def draw(frame, class_name, method, all_frames):
    heat = family[method](model, single.preprocess(film_images), single.class_names.index(class_name), layer)
    top_value = heat.max() if all_frames else heat[frame].max()
    figure, axes = plots.grid(1, 2, width=6)
    axes[0, 0].imshow(film_images[frame])
    axes[0, 1].imshow(
        plots.overlay(film_images[frame], heat[frame] / top_value.clamp(min=1e-12), own_scale=False)
    )
    axes[0, 1].set_title(f"why {class_name}?", fontsize=10)
    plots.show(f"Frame {frame} and its {method} map for {class_name}")


widgets.explore(
    draw,
    frame=widgets.slider("frame", 0, len(film_images) - 1, 12),
    class_name=widgets.choice("class", list(single.class_names), single.class_names[moving]),
    method=widgets.choice("method", list(family)),
    all_frames=widgets.checkbox("one scale for all frames", True),
)

# %% [markdown]
# One frame as a still picture:

# %% tags=["hide-input"]
draw(6, single.class_names[moving], "Layer-CAM", True)

# %% [markdown]
# ## 13 · Recap
#
# - The libraries agree on the sum and differ in ReLU, scaling and interpolation.
# - Count passes before you choose a method; measure before you believe that the expensive one is better.
# - Which layer? The last stage, unless a measurement on pictures with known truth says otherwise.
# - One scale for all frames of a sequence; one preprocessing for one network.
# - A transformer's tokens become maps when the class token is removed. If the head reads only that token, the patches get no gradient after the last block.
# - More in [05b](05b_cam_in_practice_more.ipynb): what extractors leave behind, captum's own pictures, averages over layers, brightness against probability, other transformers, a folder of your own, and the other members of the family.
#
# <details><summary>The paper in ten questions</summary>
#
# M. Böhle, M. Fritz, B. Schiele: *Convolutional Dynamic Alignment Networks for Interpretable Classifications* (CVPR 2021), for the grid pointing game of section 4.
#
# 1. **Which problem?** Networks whose decisions come with a faithful explanation; and a fair test of explanations.
# 2. **Is it new?** The pointing game on natural pictures rewards a map that only finds objects. The grid puts several sure pictures side by side, so that only the question tells them apart.
# 3. **Which hypothesis?** A good explanation of a class puts its sum where the evidence for *that* class is.
# 4. **Related work?** The pointing game (2016), attribution methods from the gradient to RISE.
# 5. **The key idea (of the test)?** Build the truth by composing pictures, instead of asking people to draw it.
# 6. **Which experiments?** Networks trained on CIFAR-10 and TinyImageNet, among others. Its grids are 3 × 3, so chance is one ninth there.
# 7. **Data and code?** Both are public.
# 8. **Do the results support it?** For the ranking of the methods on such grids, yes. A grid is no natural picture.
# 9. **What did it contribute?** A kind of network that explains itself, and a test that needs no annotation.
# 10. **What next?** Networks that are built to be explained; judging by more than one measure (lesson 12).
#
# </details>
#
# **References**
# - [torch-cam](https://frgfm.github.io/torch-cam/) · [captum](https://captum.ai/) · [pytorch-grad-cam](https://jacobgil.github.io/pytorch-gradcam-book/)
# - [Böhle and others, 2021: CoDA-Nets, with the grid pointing game](https://arxiv.org/abs/2104.00032) · [Dosovitskiy and others, 2021: vision transformers](https://arxiv.org/abs/2010.11929) · [Jiang and others, 2021: LayerCAM](https://doi.org/10.1109/TIP.2021.3089943)
