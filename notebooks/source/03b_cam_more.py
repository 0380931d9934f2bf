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
# # 03b · CAM: what a place has seen, every depth, and what the scores leave open
#
# **The question.** Why is a class activation map as large and as blurred as it is, and how much of it is decided by the network's answers?
#
# This companion of [03 · CAM](03_cam.ipynb) adds measurements of the map's blur, a CAM for each stage of the network, CAM beside Grad-CAM, the freedom that the scores leave to the map, and a box that you write without help.
#
# **After this lesson you can**
# - measure from a gradient what one place of a layer has seen;
# - say why a fine map need not be a good map;
# - show that the same scores allow different maps, and what survives one change of the network and not another;
# - write the whole way from a coarse map to a box.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [03 · CAM](03_cam.ipynb).

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.feature_extraction import create_feature_extractor

from course_utils import judge
from course_utils.exercises import l03_cam as exercises
from course_utils.labs import load_lab
from course_utils.lessons.l03_cam import pooled_features, train_head
from course_utils.methods.cam import cam, grad_cam, upsample
from course_utils.teach import plots

lab, pairs = load_lab("scenes"), load_lab("scenes", n_objects=2)
model, head = lab.model, lab.model.fc
every_layer = create_feature_extractor(model, list(lab.layers))  # the outputs of all stages in one pass
pictures, questions, truth = pairs.questions()  # each scene twice, a class and a mask for each object
size = truth.shape[-2:]

# %% [markdown]
# ## 1 · What has one place of the map seen?
#
# Our ResNet has five stages: `stem`, then `layer1` to `layer4`, whose maps CAM uses. A place of the last map is drawn on 16 × 16 pixels, and it depends on many more: on its *receptive field*. You can read it off the gradient. Take the value in the middle of a stage, and ask which pixels of a noise picture have a gradient that is not zero.

# %%
noise = torch.randn(4, 3, 256, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
strength = {}  # for each stage, how strongly each pixel (H, W) moves the value in the middle
for name, maps in every_layer(noise).items():  # larger than our pictures: the square ends inside
    middle = maps.shape[-1] // 2
    (gradient,) = torch.autograd.grad(maps[:, :, middle, middle].sum(), noise, retain_graph=True)
    strength[name] = gradient.abs().sum(dim=(0, 1))


# %% [markdown]
# Not all of these pixels count alike. So we look for two squares: the one of all pixels with a gradient, and the inner one that holds half of the gradient's sum.


# %%
def receptive_field(strength):
    """Two boxes (left, top, right, bottom): all pixels with a gradient, and half of the gradient's sum."""
    rows = strength.sum(dim=1).nonzero()
    first, last = int(rows.min()), int(rows.max()) + 1
    centre = (first + last) // 2
    for r in range(1, centre):
        inner = slice(centre - r, centre + r)
        if strength[inner, inner].sum() > strength.sum() / 2:
            return (first, first, last, last), (inner.start, inner.start, inner.stop, inner.stop)


fields = {name: receptive_field(of_stage) for name, of_stage in strength.items()}

# %% tags=["hide-input"]
figure, axes = plots.grid(1, 5, ratio=1.3)
start, stop = 40, 216  # the middle of the noise picture
for ax, (name, boxes) in zip(axes[0], fields.items(), strict=True):
    plots.show_heat(ax, strength[name].sqrt()[start:stop, start:stop])
    for box, colour in zip(boxes, ("white", "#56b4e9"), strict=True):
        plots.draw_box(ax, [side - start for side in box], color=colour)
    whole, half = (box[2] - box[0] for box in boxes)
    ax.set_title(f"{name}\nall {whole} × {whole}, half {half} × {half}", fontsize=10)
figure.suptitle("White: all pixels that one place has seen. Blue: half of the gradient")
plots.show(
    "Five gradients on noise, one for each stage. The white square grows from a few pixels to more than the "
    "whole picture of 128 pixels; the blue square inside it grows more slowly."
)

# %% [markdown]
# (Brightness is the square root of the gradient, so that you see the weak pixels too.) A place of `layer4` has seen more than a whole picture of 128 × 128 pixels. But half of the gradient comes from the blue square, about three places wide. So a place reports what lies around it, not only below it, and the nearest most.
#
# Does that blur the map? Then places *beside* the object, without one pixel of it below them, must speak for its class too. Count how much of CAM's positive sum they hold:

# %%
cam_maps = cam(model, pictures, questions, lab.layer, head)
own = F.adaptive_max_pool2d(truth[:, None].float(), (8, 8))  # 1 for the places with a pixel of the object
nearby = F.max_pool2d(own, 3, stride=1, padding=1)  # and their direct neighbours
for name, places in (("with a pixel of the object", own), ("these and their neighbours", nearby)):
    print(f"places {name}: {judge.energy_in_mask(cam_maps, places[:, 0] > 0).mean():.2f} of the positive sum")

# %% [markdown]
# The rest lies on places without a pixel of the object, most of it on direct neighbours. (In scenes drawn once more without the object, these places say hardly anything for its class.)
#
# The other reason is that there are only 8 × 8 places. How much does that alone cost? We draw the *true mask* with 8 × 8 places and enlarge it as we enlarge a map. Then we measure the energy of both, the share of their sum on the object:

# %%
coarse_truth = F.adaptive_avg_pool2d(truth[:, None].float(), (8, 8))[:, 0]
for name, maps in (("the true mask, coarse", coarse_truth), ("CAM", cam_maps)):
    print(f"energy of {name}: {judge.energy_in_mask(upsample(maps, size), truth).mean():.2f}")

# %% [markdown]
# Even the true mask keeps little more than half. So coarse places explain a part of CAM's low energy, and not all of it: CAM stays below.

# %% [markdown]
# ## 2 · The same trick at every depth
#
# In the core you put a new head on the ZF-Net. We can put such a head on each stage of the ResNet too. Then we see what a network could say about the class from there, and how sharp its map would be.
#
# **Predict**, before you run the cell: which stage gives the map with most of its sum on the object: the finest (`stem`), the last, or another?


# %%
@torch.no_grad()
def pooled_by_stage(inputs):
    """For each stage, the means (N, K) of its feature maps."""
    parts = [
        {name: maps.mean(dim=(2, 3)) for name, maps in every_layer(part).items()}
        for part in inputs.split(100)
    ]
    return {name: torch.cat([part[name] for part in parts]) for name in lab.layers}


train, test = load_lab("scenes", seed=100, n=400), load_lab("scenes", seed=101, n=200)
train_pooled, test_pooled = pooled_by_stage(train.inputs), pooled_by_stage(test.inputs)

# %%
with torch.no_grad():
    stage_maps = every_layer(pairs.inputs)
maps_of, accuracy = {}, {}
for name in lab.layers:
    new_head = train_head(train_pooled[name], train.targets).requires_grad_(False)
    answers = new_head(test_pooled[name]).argmax(dim=1)
    accuracy[name] = (answers == test.targets).float().mean().item()
    twice = stage_maps[name].repeat_interleave(2, dim=0)  # one for each question
    maps_of[name] = torch.einsum("nk,nkhw->nhw", new_head.weight[questions], twice)


# %%
def pointing_and_energy(maps):
    enlarged = upsample(maps, size)
    return judge.pointing_game(enlarged, truth, tolerance=5), judge.energy_in_mask(enlarged, truth)


pointing, on_object = {}, {}
print("                         as it is          averaged to 8×8")
print("stage   map    accuracy  pointing  energy  pointing  energy")
for name, maps in maps_of.items():
    pointing[name], on_object[name] = pointing_and_energy(maps)
    scores = pointing[name], on_object[name], *pointing_and_energy(F.adaptive_avg_pool2d(maps, 8))
    side = "×".join(str(n) for n in maps.shape[1:])
    print(f"{name:<7} {side:<7} {accuracy[name]:6.2f}", "".join(f"{score.mean():9.2f}" for score in scores))
print("energy, layer3 minus layer4:", judge.paired(on_object["layer3"], on_object["layer4"]))
print("pointing, layer3 minus layer4:", judge.paired(pointing["layer3"], pointing["layer4"]))

# %% tags=["hide-input"]
plots.show_maps(
    [pairs.images[0]],
    {f"{name}: {accuracy[name]:.2f}": maps[:1].relu() for name, maps in maps_of.items()},
    title=f"CAM for “{pairs.class_names[int(questions[0])]}” with a new head on each stage, and the head's accuracy",
)
plots.show(
    "Five maps of one scene, from fine to coarse. The fine ones are scattered over the picture, the last two lie on the object."
)

# %% [markdown]
# The maps of the two first stages are fine, and they find the object less often. Are the many places the reason? At most in part: averaged to 8 × 8 they still find it less often than the late stages. These stages know less of the class: a head on them is often wrong. (A map may be fine and good: the ZF-Net's, in the next section, has 16 × 16 places.)
#
# The two last stages have maps of the same size. By energy `layer3` is ahead, and in the pointing game it is not: which stage is best depends on the measure.

# %% [markdown]
# ## 3 · A new head, or Grad-CAM?
#
# The ZF-Net has no head that allows CAM. There are two ways to a map: train a new head, as in the core, or take Grad-CAM ([lesson 04](04_grad_cam.ipynb)) of the *original* network, which needs no change. Which of them points better?

# %%
zf = load_lab("scenes", model="zfnet")
names = [name for name, _ in zf.model.named_children()]
trunk = nn.Sequential(*list(zf.model.children())[: names.index("relu5") + 1])  # conv1 … relu5
zf_head = train_head(pooled_features(trunk, train.inputs), train.targets)
gap_model = nn.Sequential(trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), zf_head).eval()

# %%
zf_maps = {
    "CAM, new head": cam(gap_model, pictures, questions, trunk, zf_head),
    "Grad-CAM, original": grad_cam(zf.model, pictures, questions, zf.model.relu5),
}
hits = {name: judge.pointing_game(upsample(maps, size), truth, tolerance=5) for name, maps in zf_maps.items()}
shares = {name: judge.energy_in_mask(upsample(maps, size), truth) for name, maps in zf_maps.items()}
for measure, values in (("pointing", hits), ("energy", shares)):
    print(f"{measure}: { ({name: round(value.mean().item(), 2) for name, value in values.items()}) }")
    print("   CAM of the new head minus Grad-CAM:", judge.paired(*values.values()))

# %% tags=["hide-input"]
plots.show_maps(
    list(pairs.images[:2]),
    {name: maps[:4:2].relu() for name, maps in zf_maps.items()},
    labels=[pairs.class_names[int(t)] for t in pairs.targets[:2, 0]],
    masks=pairs.masks[:2, 0],
    width=6.5,
    title="Two maps of the ZF-Net; the object asked for is outlined",
)
plots.show("Two scenes, two maps each: the new head's CAM and Grad-CAM lie on the outlined object.")

# %% [markdown]
# Both point well; the interval of the pointing game includes zero, so these 120 questions do not decide between them. (On scenes of five other seeds the new head was a little ahead on average.) By energy they are far apart: the new head's map has much more of its sum on the object. Grad-CAM has another advantage: it explains the network that you asked about.

# %% [markdown]
# ## 4 · Why are the boxes wrong?
#
# In the core, CAM's box at 20 % was wrong more often where there are two objects. Two suspects: the box takes in the neighbour, or the blur makes boxes of small objects too large.


# %%
def boxes(maps, masks, threshold=0.2):
    """The boxes (N, 4) from maps (N, H, W), and the true ones."""
    found = judge.largest_component(judge.above(maps, threshold))
    return judge.bounding_box(found), judge.bounding_box(masks)


def area(box):
    return (box[:, 2:] - box[:, :2]).clamp(min=0).prod(dim=1) / 128**2


two = boxes(upsample(cam(model, pictures, questions, lab.layer, head), size), truth)
one = boxes(upsample(cam(model, lab.inputs, lab.targets, lab.layer, head), size), lab.masks)

# %%
neighbour = two[1].view(-1, 2, 4).flip(1).reshape(-1, 4)  # the true box of the other object
common = torch.cat([torch.maximum(two[0], neighbour)[:, :2], torch.minimum(two[0], neighbour)[:, 2:]], dim=1)
inside = (area(common) > 0.5 * area(neighbour)).float()
print(f"more than half of the neighbour is in the box: {inside.mean():.1%} of the questions")

# %%
for kind, (found, true) in (("one object", one), ("two objects", two)):
    usual = area(found) < 0.8  # a few boxes hold nearly the whole picture, and would decide the correlation
    agree = judge.rank_correlation(area(found)[usual][None], area(true)[usual][None]).item()
    print(
        f"{kind:<11}: CAM's box has {(area(found) / area(true)).median():.1f} times the true area (median); "
        f"rank correlation of the areas {agree:.2f}"
    )

# %% [markdown]
# Does size explain why there are more wrong boxes where there are two objects? Then single objects of the same size must have as many.

# %%
smallest, largest = area(two[1]).quantile(torch.tensor([0.05, 0.95]))
for kind, (found, true) in (("one object", one), ("two objects", two)):
    wrong = (judge.box_iou(found, true) < 0.5).float()
    alike = (area(true) > smallest) & (area(true) < largest)  # the sizes that objects have in pairs
    print(
        f"{kind:<11}: wrong {wrong.mean():.2f}; of these sizes {wrong[alike].mean():.2f} ({alike.sum()} boxes)"
    )

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6, 3.4))
for kind, marker, (found, true) in (("one object", "o", one), ("two objects", "s", two)):
    ax.scatter(area(true), area(found), s=16, marker=marker, alpha=0.6, label=kind)
ax.axline((0, 0), slope=1, color=plots.BASELINE, linestyle="--", label="equal areas")
ax.set(xlabel="area of the true box, as a share of the picture", ylabel="area of CAM's box", ylim=(0, 1.03))
ax.set_title("Nearly all of CAM's boxes are larger than the true ones (threshold 20 %)", fontsize=10)
ax.legend(fontsize=9)
plots.show(
    "A scatter of CAM's box against the true box: nearly all points lie above the line of equal areas. Those of "
    "two objects form a narrow column at the left."
)

# %% [markdown]
# The neighbour is hardly ever in the box. (Drawn once more without it, the same objects have wrong boxes even a little more often.) CAM's box is too large, and more so where the objects are smaller. That is what makes two objects harder: single objects of the same sizes have wrong boxes about as often. The box does follow the size in part, where sizes differ enough: among single objects, larger ones get larger boxes. In scenes with two objects the sizes differ less, and the box hardly follows them.

# %% [markdown]
# ### Exercise: the box, without help
#
# The core drew boxes with functions of the course. Write the whole way yourself, from one coarse map to one box in pixels: enlarge with `upsample`, keep the pixels above `threshold` times the maximum of the *enlarged* map, take the largest connected region (the one with most pixels; pixels that touch at a corner are connected), and return its box. `scipy.ndimage.label` numbers the regions of a mask. Each map has a positive value.


# %% exercise="box_from_map"
def box_from_map(heat, size, threshold):
    """The box (4,) = (left, top, right, bottom) in pixels, from one map (h, w) and the picture's size (H, W).

    Right and bottom are the first column and row outside, so that right − left is the width.
    """
    # BEGIN SOLUTION
    from scipy import ndimage

    heat = upsample(heat[None], size)[0]
    kept = heat > threshold * heat.max()
    regions, _ = ndimage.label(kept.numpy(), structure=np.ones((3, 3)))  # the 3×3 of ones: corners connect
    areas = np.bincount(regions.flatten())[1:]  # without 0, the background
    rows, columns = np.nonzero(regions == 1 + areas.argmax())
    return torch.tensor([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    # END SOLUTION


# %%
exercises.box_from_map.check(box_from_map)

# %% [markdown]
# ## 5 · The scores are only known up to a constant
#
# Add the same vector, a *push*, to the weights of *every* class. All scores of a picture move by the same amount, so the softmax and every decision stay as they were. The maps do not. Two pushes: the first takes the class's own weights away from every class; the second is computed so that the map of this picture comes out mirrored.

# %%
with torch.no_grad():
    features = every_layer(lab.inputs[:1])["layer4"][0]  # (K, h, w)
c = int(lab.targets[0])
weights, bias = head.weight.detach(), head.bias.detach()
class_map = torch.einsum("k,khw->hw", weights[c], features)
mirrored = (class_map.flip(1) - class_map).flatten().double()
solution = torch.linalg.lstsq(features.flatten(1).T.double(), mirrored[:, None], driver="gelsd").solution
pushes = {"own weights taken away": -weights[c], "mirrored": solution[:, 0].float()}
pooled = features.mean(dim=(1, 2))
before = F.linear(pooled, weights, bias).softmax(0)
for name, push in pushes.items():
    change = (F.linear(pooled, weights + push, bias).softmax(0) - before).abs().max()
    print(f"{name}: largest change of a probability {change:.4f}; length of the push {push.norm():.1f}")

# %% tags=["hide-input"]
limit = class_map.abs().max()
figure, axes = plots.grid(1, 4, ratio=1.35)
axes[0, 0].imshow(lab.images[0])
plots.show_heat(axes[0, 1], class_map, signed=True, title="the map")
for ax, (name, push) in zip(axes[0, 2:], pushes.items(), strict=True):
    ax.imshow(
        torch.einsum("k,khw->hw", weights[c] + push, features), cmap=plots.DIVERGING, vmin=-limit, vmax=limit
    )
    ax.set_title(name.replace("away", "away:\nzero everywhere"), fontsize=9)
figure.suptitle(f"One picture, the same probabilities, three maps (one scale, ±{limit:.1f})")
plots.show(
    "The map of the class, an empty map, and the mirrored map: all three belong to the same probabilities."
)

# %% [markdown]
# Does training choose one of these maps? The gradient of the loss for the weights of class $c$ is $(p_c - y_c)\,\bar f$, with the pooled features $\bar f$, the probability $p_c$, and $y_c = 1$ for the true class, else 0. Over all classes the factors $p_c - y_c$ add up to zero. So plain gradient descent without weight decay never moves along a push; other optimisers may. Either way, no *decision* rules these weights out.
#
# What survives a push is the *difference* of two classes' maps, since the same vector is added to both: "why this rather than that". Is the difference decided, then? Two other changes: add to the weights of class $c$ alone a vector that is orthogonal to $\bar f$; and put the places of the feature maps into another order, as in the puzzle of the core.

# %%
with torch.no_grad():
    all_maps = every_layer(lab.inputs)["layer4"]  # (N, K, h, w); the first is `features`
rival = int(before.argsort(descending=True)[1])
extra = torch.randn(len(pooled), generator=torch.Generator().manual_seed(0))
extra -= (extra @ pooled) / (pooled @ pooled) * pooled  # orthogonal to the pooled features
same, order = torch.arange(64), torch.randperm(64, generator=torch.Generator().manual_seed(0))
changes = {name: (push, push, same) for name, push in pushes.items()}  # to class c, to the rival, places
changes |= {"c alone, orthogonal": (extra, 0 * extra, same), "another order": (0 * extra, 0 * extra, order)}
difference = torch.einsum("k,nkhw->nhw", weights[c] - weights[rival], all_maps)
print("largest change of         S_c − S_rival here   on other pictures   the difference of the maps")
for name, (to_c, to_rival, places) in changes.items():
    moved = all_maps.flatten(2)[:, :, places].view_as(all_maps)
    weight = weights[c] + to_c - weights[rival] - to_rival
    change = torch.einsum("k,nkhw->nhw", weight, moved) - difference
    score = change.mean(dim=(1, 2)).abs()
    print(f"{name:<24} {score[0]:19.3f} {score[1:].max():19.3f} {change[0].abs().max():28.1f}")

# %% [markdown]
# The difference survives each push, and neither of the other changes. The orthogonal vector leaves the scores of *this* picture alone, and changes those of others, so the scores of enough pictures would rule it out. The other order leaves the scores of *every* picture alone: where a map lies comes from the layer, not from the scores.
#
# ### Exercise: why this rather than that
#
# Write the difference so that the identity holds for it too: the **mean of your map is exactly $S_a - S_b$**, where $a$ is the class `target` of a picture and $b$ its class `other`. The biases have no place of their own, so spread their difference evenly.


# %% exercise="rather_than"
def rather_than(features, weight, bias, target, other):
    """Maps (N, h, w) with the mean S_target − S_other.

    features (N, K, h, w); weight (C, K) and bias (C,) of the linear layer for C classes; target, other (N,).
    """
    # BEGIN SOLUTION
    maps = torch.einsum("nk,nkhw->nhw", weight[target] - weight[other], features)
    return maps + (bias[target] - bias[other])[:, None, None]  # the mean of a constant is the constant
    # END SOLUTION


# %%
exercises.rather_than.check(rather_than)

# %% [markdown]
# ## 6 · Recap
#
# - A place of the last map reports what lies around it, and there are only 8 × 8 places: two reasons for the blur.
# - A head on an early stage is often wrong, and its map misses the object more often, made coarse too. Which of the late stages is best depends on the measure.
# - The ZF-Net's new head and Grad-CAM of the original both point well, and differ by energy; only Grad-CAM explains the original network.
# - CAM's box at 20 % is too large, most of all for small objects, one or two in a scene; the neighbour is hardly ever in it.
# - A push leaves all probabilities and changes each map; the *difference* of two classes' maps survives it. Where a map lies comes from the layer, not from the scores.
#
# **References**
# - [Zhou and others, 2016: Learning deep features for discriminative localization](https://arxiv.org/abs/1512.04150)
# - [Luo and others, 2016: Understanding the effective receptive field](https://arxiv.org/abs/1701.04128)
