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
# # 05b · CAM in practice: what stays behind, what averages hide, and the wider family
#
# **The question.** Your maps look fine. What can still be wrong with the code around them, and which of the many other CAMs do you need?
#
# This companion of [05 · CAM in practice](05_cam_in_practice.ipynb) adds what hooks leave behind, captum's own pictures, averages over layers, brightness against probability over several films, a folder of your own, transformers with other shapes, and a table of the family.
#
# **After this lesson you can**
# - say what an extractor leaves in your model, and clean up;
# - read captum's pictures and an average over layers with care;
# - run the course's code on folders of your own pictures;
# - write the reshaping for any transformer, and score a grid without masks;
# - name the one line in which a CAM that you meet differs from Grad-CAM.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [05 · CAM in practice](05_cam_in_practice.ipynb).

# %%
import numpy as np
import torch

from course_utils import judge
from course_utils.exercises import l05_cam_in_practice as exercises
from course_utils.labs import load_lab
from course_utils.methods.cam import grad_cam, min_max, upsample
from course_utils.teach import plots

lab, single = load_lab("scenes", n_objects=2), load_lab("scenes")
model, layer = lab.model, lab.layer
inputs, first = lab.inputs[:1], int(lab.targets[0, 0])

# %% [markdown]
# ## 1 · What an extractor leaves behind
#
# A torch-cam extractor without `with` leaves its hooks. They fire at each forward pass, also when nobody asks for a map, and keep the layer's activations. An extractor that uses gradients also keeps the layer's output together with its *graph*, the record that a backward pass needs. (Names with an underscore are the library's private ones; we only look.)

# %%
from torchcam.methods import LayerCAM as LayerCAMOfTorchCam

forgotten = LayerCAMOfTorchCam(model, target_layer=layer)
model(inputs)[0, first].backward()  # your own passes, no map asked for
model.zero_grad()


def report(moment):
    output = forgotten._hook_outputs[0]
    graph = output is not None and output.grad_fn is not None
    print(
        f"{moment:<22} {len(layer._forward_hooks)} hooks, activations kept: {forgotten.hook_a[0] is not None}, graph: {graph}"
    )


report("after your own passes")
forgotten.remove_hooks()
report("after remove_hooks()")
forgotten.reset_hooks()
report("after reset_hooks()")

# %% [markdown]
# `remove_hooks()` takes the hooks off and still holds what was kept; `reset_hooks()` lets it go; `with` does both. pytorch-grad-cam leaves something else: gradients in your model's parameters, even after `with`. Clear them before you train on.

# %%
from pytorch_grad_cam import GradCAM as GradCAMOfGradCam
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget


def average_of(names):
    """pytorch-grad-cam's map (H, W) of the first picture, averaged over the layers named."""
    places = [lab.layers[name] for name in names]
    with GradCAMOfGradCam(model=model, target_layers=places) as extractor:
        return extractor(input_tensor=inputs, targets=[ClassifierOutputTarget(first)])[0]


average_of(["layer4"])
print("gradients left in the parameters:", model.fc.weight.grad is not None)
model.zero_grad()
print("after zero_grad():", model.fc.weight.grad is not None)

# %% [markdown]
# ## 2 · captum's own pictures
#
# captum separates three steps: attribute, `interpolate`, visualise. `interpolate` defaults to *nearest*: ask for *bilinear* if that is what you mean. `Occlusion` covers one window after the other and answers for each pixel and colour, in units of the score.

# %%
from captum.attr import LayerAttribution, LayerGradCam, Occlusion
from captum.attr import visualization as captum_pictures

attribution = LayerGradCam(model, layer).attribute(inputs, target=first)
smooth = LayerAttribution.interpolate(attribution, (128, 128), interpolate_mode="bilinear")
windows = Occlusion(model).attribute(
    inputs, target=first, sliding_window_shapes=(3, 20, 20), strides=(3, 10, 10), perturbations_per_eval=64
)
for name, values in (("LayerGradCam", attribution), ("interpolated", smooth), ("Occlusion", windows)):
    print(f"{name:<13} {tuple(values.shape)!s:<18} from {values.min():+.2f} to {values.max():+.2f}")

# %% tags=["hide-input"]
figure, axes = plots.grid(1, 3, width=9)
shown = (
    ("LayerGradCam, positive", smooth, "positive"),
    ("LayerGradCam, all signs", smooth, "all"),
    ("Occlusion, all signs", windows, "all"),
)
for ax, (name, values, sign) in zip(axes[0], shown, strict=True):
    captum_pictures.visualize_image_attr(
        values[0].permute(1, 2, 0).detach().numpy(),
        lab.images[0],
        method="blended_heat_map",
        sign=sign,
        plt_fig_axis=(figure, ax),
        use_pyplot=False,
        title=name,
    )
plots.show("captum's pictures of one scene: positive values in green, negative ones in red.")

# %% [markdown]
# captum's `all` draws positive values green and negative ones red, and scales after cutting off the strongest two per cent (`outlier_perc=2`). So two pictures with the same colours need not have the same numbers.

# %% [markdown]
# ## 3 · An average of scaled maps
#
# pytorch-grad-cam scales each layer's map to 0…1 before it averages, so the average does not know how strong each map was. How strong is a map? Do not look at its maximum: Grad-CAM's weight is a *mean* over places, so it shrinks as the grid gets finer. The sum over all places does not suffer from that.

# %%
sums = {name: grad_cam(model, inputs, first, place).sum().item() for name, place in lab.layers.items()}
print("sum of the map:", {name: round(value, 2) for name, value in sums.items()})
cards = {" and ".join(names): average_of(names) for names in (["layer1"], ["layer4"], ["layer1", "layer4"])}
for name, heat in cards.items():
    on = judge.energy_in_mask(torch.from_numpy(heat).repeat(2, 1, 1), lab.masks[0])
    print(f"{name:<18} share on the object {on[0]:.2f}, on the other {on[1]:.2f}")
pair = [upsample(grad_cam(model, inputs, first, lab.layers[name]), 128) for name in ("layer1", "layer4")]
for name, (one, four) in (("as they are", pair), ("scaled", [min_max(heat) for heat in pair])):
    print(f"maps {name}: layer1 has {one.sum() / (one.sum() + four.sum()):.0%} of what both add up to")

# %% tags=["hide-input"]
plots.show_images([plots.overlay(lab.images[0], heat) for heat in cards.values()], list(cards), width=7)
plots.show(
    "Three maps of one scene: layer1 on the other object, layer4 on the asked-for one, and their average on both."
)

# %% [markdown]
# By its sum, layer1's map is several times weaker than layer4's, and on this scene it lies mostly on the *other* object. In the average both have the same *peak*, however weak they were: the share on the object falls, and the other object appears. (The average of the enlarged maps as they are would hardly show layer1.) Over fresh scenes layer1's map has as much on the other object as on the one that was asked for, so averaging it in takes from the object and adds to the other one, as here.

# %% [markdown]
# ## 4 · Brightness is not probability
#
# In the core you saw a film in which the map's brightness did not follow the probability. Is that so in other films too? For six films we correlate four things with the probability, over the frames: the map's maximum, its sum, the class's own logit, and the *difference of the two objects' logits*.

# %%
from scipy.stats import spearmanr

from course_utils.drawing.scenes import render_motion

print("film   maximum   sum of the map   own logit   difference of the logits")
for seed in range(1, 7):
    film = render_motion(24, seed=seed)
    moving, resting = (int(c) for c in film.targets[0])
    frames = single.preprocess(film.images)
    heat = grad_cam(model, frames, moving, layer)
    with torch.no_grad():
        logits = model(frames)
    own, probability = logits[:, moving], logits.softmax(dim=1)[:, moving]
    measures = (heat.amax(dim=(1, 2)), heat.sum(dim=(1, 2)), own, own - logits[:, resting])
    row = [spearmanr(values, probability).statistic for values in measures]
    print(f"{seed:>4}{row[0]:>+10.2f}{row[1]:>+17.2f}{row[2]:>+12.2f}{row[3]:>+27.2f}")

# %% [markdown]
# The maximum of the map has no steady connection with the probability: in these films it is weak and mostly negative, in others clearly positive (try the seeds 105, 107 and 110). From left to right the connection gets closer. The maximum is one place, while the sum counts all places. The logit also counts the negative places, which the ReLU cuts away: it is their mean (at this layer) plus a constant. And the probability depends on the other object's logit too; the difference of the two follows it closely in each film. When a probability and its map disagree, look at the logits.

# %% [markdown]
# ## 5 · Other transformers
#
# ### Exercise: tokens to maps
#
# The core assumed a square grid of patches, one extra token, and pictures first. Other transformers give `(T, N, D)`, tokens first, and put more than one token in front (a second class token, or so-called registers). Write the version for these. $T$ is `n_extra + height * width`.


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
# A *Swin* transformer has no class token; its stages put out `(N, height, width, D)`, channels last. There `tokens.permute(0, 3, 1, 2)` is all that you need.

# %% [markdown]
# ## 6 · The grid pointing game, without masks
#
# ### Exercise: the share in a corner
#
# The core scored the grids with masks. Write the score without them: how much of a map's positive sum lies in the corner that was asked for? 1 would be all of it.


# %% exercise="share_in_corner"
def share_in_corner(maps, corner):
    """Share (N,) of each map's positive sum in one corner.

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
# ## 7 · A folder of your own
#
# Sort your pictures into folders named after what they show. With an ImageNet network, `load_lab("folder", path="…")` is all you need; with a network of your own, say how it wants its inputs and what its classes are. Here we make such a folder from the lab's scenes, with one broken file in it, so that you see what happens.

# %%
import tempfile
import warnings
from pathlib import Path

from PIL import Image

with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for i in range(6):
        place = Path(folder) / single.class_names[int(single.targets[i])]
        place.mkdir(exist_ok=True)
        Image.fromarray(single.images[i]).save(place / f"{i}.png")
    (place / "broken.jpg").write_bytes(b"this is not a picture")
    network = {"model": single.model, "preprocess": single.preprocess, "class_names": single.class_names}
    own = load_lab("folder", path=folder, size=128, **network)
    said = [str(warning.message).replace(folder, "your_folder") for warning in caught]
print(len(own), "pictures in", len(set(own.targets.tolist())), "folders;", *said)
predicted = own.model(own.inputs).argmax(dim=1)
own_maps = grad_cam(own.model, own.inputs, predicted, own.layer)

# %% tags=["hide-input"]
plots.show_images(
    [plots.overlay(image, heat) for image, heat in zip(own.images, own_maps, strict=True)],
    [f"says {own.class_names[int(c)]}" for c in predicted],
    title="Grad-CAM of the predicted class, for each picture of the folder",
)
plots.show("Six scenes of the folder with the map of the class that the network says.")

# %% [markdown]
# ## 8 · The wider family
#
# You will meet a dozen more names. Each differs from Grad-CAM in one line. Write $A^k_{ij}$ for the map of channel $k$ at row $i$ and column $j$, $g^k_{ij}$ for the gradient of the score there, $\bar g^k$ for its mean over the places, and $\odot$ for a product place by place.
#
# | name | the line that differs | what for |
# |---|---|---|
# | Grad-CAM | $\text{ReLU}(\sum_k \bar g^k A^k)$ | |
# | HiResCAM (2020) | $\text{ReLU}(\sum_k g^k \odot A^k)$ | no averaging: faithful to a linear head on the maps |
# | Layer-CAM (2021) | $\text{ReLU}(\sum_k \text{ReLU}(g^k) \odot A^k)$ | early layers |
# | XGrad-CAM (2020) | weight $\sum_{ij} g^k_{ij} A^k_{ij} / \sum_{ij} A^k_{ij}$ | the gradient counts where the channel is active |
# | Ablation-CAM (2020) | weight: how much the score falls when channel $k$ is set to zero | no gradient; one pass for each channel |
# | Score-CAM (2020) | weight: the score of the picture masked by channel $k$ | no gradient; one pass for each channel |
# | Eigen-CAM (2020) | the first principal component of the maps | does not ask for a class at all |
#
# Two of them are worth a test. On our network the gradient is the same at each place, so HiResCAM must equal Grad-CAM at the last layer, and need not earlier. And Eigen-CAM must give the same map for every class.

# %%
from pytorch_grad_cam import EigenCAM, HiResCAM


def theirs(method, name, target):
    with method(model=model, target_layers=[lab.layers[name]]) as extractor:
        return extractor(input_tensor=inputs, targets=[ClassifierOutputTarget(target)])[0]


other = int(lab.targets[0, 1])
for name in ("layer4", "layer3"):
    gap = np.abs(theirs(HiResCAM, name, first) - theirs(GradCAMOfGradCam, name, first)).max()
    print(
        f"{name}: HiResCAM and Grad-CAM differ by {'less than 0.0001' if gap < 1e-4 else f'up to {gap:.2f}'}"
    )
same = np.allclose(theirs(EigenCAM, "layer4", first), theirs(EigenCAM, "layer4", other), atol=1e-5)
print("Eigen-CAM gives the same map for two classes:", same)
model.zero_grad()

# %% [markdown]
# A map that is the same for each class cannot say why the network chose *this* one. The library's documentation says so ("no class discrimination"), but the call does not: it takes a target and ignores it without a word.

# %% [markdown]
# ## 9 · Recap
#
# - Use extractors with `with`, and clear gradients before you train on.
# - Read a library's pictures with its scaling in mind; in an average of scaled maps a weak map's peak counts as much as a strong one's.
# - Brightness is no probability: look at the logits.
# - A transformer's tokens: leave out those without a place, then bring the rest into rows and columns.
# - Ask of each new CAM: which line differs, and does it ask for the class?
#
# **References**
# - [Draelos and Carin, 2020: HiResCAM](https://arxiv.org/abs/2011.08891) · [Fu and others, 2020: XGrad-CAM](https://arxiv.org/abs/2008.02312) · [Muhammad and Yeasin, 2020: Eigen-CAM](https://arxiv.org/abs/2008.00299)
# - [Desai and Ramaswamy, 2020: Ablation-CAM](https://openaccess.thecvf.com/content_WACV_2020/html/Desai_Ablation-CAM_Visual_Explanations_for_Deep_Convolutional_Network_via_Gradient-free_Localization_WACV_2020_paper.html)
