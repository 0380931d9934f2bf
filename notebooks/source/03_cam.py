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
# # 03 · CAM: the map that was there all along
#
# **The question.** A network was trained with class names only, never with a position. Can it tell where the object is?
#
# **After this lesson you can**
# - derive class activation mapping (CAM) by swapping two sums, and write it in one line;
# - prove that the map adds up to the score exactly;
# - give a network without global average pooling a head that allows CAM, and say what that costs;
# - draw boxes that nobody taught the network, and measure how often they are right;
# - say when a map's blur, threshold or scale fools you.
#
# **Time**: about 90 minutes. **Before**: you can read a PyTorch module and know what a convolution and a linear layer do.

# %%
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.labs import LabUnavailable, load_lab
from course_utils.labs.scenes import render
from course_utils.methods.cam import cam, grad_cam, min_max, upsample
from course_utils.methods.gradients import saliency
from course_utils.teach import plots, widgets
from course_utils.exercises import l03_cam as exercises

# %% [markdown]
# ## 1 · A puzzle: a head that does not care where
#
# Our network ends like most modern ones. A stack of convolutions turns the picture into feature maps; then *global average pooling* replaces each map by its mean, and one linear layer turns the
# means into class scores. Let us cut the network in front of the pooling, throw the places of the feature maps into a random order, and go on.

# %%
lab = load_lab("scenes")
model, layer, head = lab.model, lab.layer, lab.model.fc

picture = lab.inputs[:1]
kept = {}
handle = layer.register_forward_hook(lambda module, arguments, output: kept.update(f=output.detach()))
with torch.no_grad():
    logits = model(picture)[0]
handle.remove()
features = kept["f"][0]  # (K, h, w)

generator = torch.Generator().manual_seed(0)
places = features.shape[1] * features.shape[2]
shuffled = features.flatten(1)[:, torch.randperm(places, generator=generator)].view_as(features)
with torch.no_grad():
    logits_shuffled = head(shuffled.mean(dim=(1, 2)))

print("feature maps", tuple(features.shape), "= channels, rows, columns")
print("largest change of any score after the shuffle:", f"{(logits - logits_shuffled).abs().max():.6f}")

strongest = features.amax(dim=(1, 2)).argmax()
figure, axes = plots.grid(1, 3, width=8)
axes[0, 0].imshow(lab.images[0])
axes[0, 0].set_title("picture", fontsize=10)
plots.show_heat(
    axes[0, 1],
    features[strongest],
    title=f"channel {strongest}, black 0, yellow {features[strongest].max():.1f}",
)
plots.show_heat(axes[0, 2], shuffled[strongest], title="the same channel, shuffled")
plt.show()

# %% [markdown]
# The scores are the same. The head does not care *where* the features are, only how much of each there is. (The convolutions before it do care: shuffled *pixels* would change everything.) So how could we ever learn from it where the object is?
#
# The answer of Zhou and others (2016): the head does not care, but the feature maps still know. We only have to ask the head which maps it counts.

# %% [markdown]
# ## 2 · The idea: swap two sums
#
# Some names first.
# - $f_k(x, y)$: the value of the feature map number $k$ (a *channel*) at the place $(x, y)$. There are $Z$ places.
# - $w_k^c$ and $b^c$: the weight of the channel $k$ for the class $c$, and the bias of the class, in the last linear layer.
# - $S_c$: the score (*logit*) of the class.
#
# What the network computes is: average each map, then weigh the averages,
#
# $$S_c = \sum_k w_k^c \underbrace{\frac{1}{Z}\sum_{x,y} f_k(x,y)}_{\text{global average pooling}} + b^c .$$
#
# Both sums are finite, so we may swap them:
#
# $$S_c = \frac{1}{Z}\sum_{x,y} \underbrace{\sum_k w_k^c f_k(x,y)}_{M_c(x,y)} + b^c .$$
#
# $M_c$ is the **class activation map**. It is not an approximation and not a gradient: the score *is* its mean, plus the bias. We call *mean of the map + bias = logit* **the identity**. Compute both sides:

# %%
c = int(lab.targets[0])
weights, bias = head.weight.detach()[c], head.bias.detach()[c]

pool_first = (weights * features.mean(dim=(1, 2))).sum() + bias
weigh_first = (weights[:, None, None] * features).sum(dim=0)  # M_c, one value a place
print(f"class: {lab.class_names[c]}")
print(f"score of the network:      {logits[c]:.5f}")
print(f"pool, then weigh:          {pool_first:.5f}")
print(f"mean of the map plus bias: {weigh_first.mean() + bias:.5f}")

# %% [markdown]
# Here is the swap as a picture. Each channel has its weight; the weighted maps are added up. Red places speak for the class, blue ones against it. We show the three channels that give the score most, and the one that takes most away from it.

# %%
contribution = weights * features.mean(dim=(1, 2))
order = [*contribution.argsort(descending=True)[:3].tolist(), int(contribution.argmin())]
weighted = weights[:, None, None] * features
channel_limit, sum_limit = weighted[order].abs().max(), weigh_first.abs().max()
figure, axes = plots.grid(1, 6, ratio=1.45)
axes[0, 0].imshow(lab.images[0])
axes[0, 0].set_title("picture", fontsize=10)
for ax, k in zip(axes[0, 1:5], order, strict=True):
    ax.imshow(weighted[k], cmap=plots.DIVERGING, vmin=-channel_limit, vmax=channel_limit)
    ax.set_title(f"w = {weights[k]:+.2f}\nmean {contribution[k]:+.2f}", fontsize=10)
plots.show_heat(
    axes[0, 5], weigh_first, signed=True, title=f"sum of all {len(weights)}\nmean {weigh_first.mean():+.2f}"
)
figure.suptitle(
    f"Four channels on one scale (full colour at ±{channel_limit:.1f}), and the sum, the CAM (at ±{sum_limit:.1f})"
)
plt.show()

# %% [markdown]
# ## 3 · By hand
#
# For a batch of pictures, each with its own question:


# %%
def my_cam(model, inputs, target, layer, classifier):
    """Class activation maps (N, h, w) of the classes `target` (N,) for pictures (N, C, H, W)."""
    kept = []
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    try:
        with torch.no_grad():
            model(inputs)
    finally:
        handle.remove()
    weights = classifier.weight.detach()[target]  # (N, K)
    return torch.einsum("nk,nkhw->nhw", weights, kept[0])


maps = my_cam(model, lab.inputs[:1], lab.targets[:1], layer, head)
print("equal to the sum above:", torch.allclose(maps[0], weigh_first, atol=1e-5))

# %% [markdown]
# No gradient, one forward pass. And because the weights of all classes are in the same matrix, the maps of all classes cost one multiplication:

# %%
all_classes = torch.einsum("ck,khw->chw", head.weight.detach(), features)
figure, axes = plots.grid(2, 6, ratio=1.16)
limit = all_classes.abs().max()
axes[0, 0].imshow(lab.images[0])
axes[0, 0].set_title("picture", fontsize=10)
axes[1, 0].remove()
for i, ax in enumerate(axes[:, 1:].flat):
    ax.imshow(all_classes[i], cmap=plots.DIVERGING, vmin=-limit, vmax=limit)
    ax.set_title(f"{lab.class_names[i]}: {logits[i]:+.1f}", fontsize=10)
figure.suptitle(
    f"All ten maps on one scale (full colour at ±{limit:.1f}). The score is the mean of the map, plus the bias"
)
plt.show()

# %% [markdown]
# On one scale, one map is dark red, and few others have much red. Under min-max scaling, where each map's smallest value becomes 0 and its largest 1, all ten would reach the same top colour, even a map that is negative everywhere (there is one among the ten: card 1 in section 10). **Keep the scale, or print the score.**
#
# ### How fine is the map?
#
# It has as many places as the last feature layer. To lay it over the picture we enlarge it, and *how* we do that changes what people see:

# %%
from PIL import Image

positive = weigh_first.relu()
figure, axes = plots.grid(1, 4, ratio=1.0)
axes[0, 0].imshow(lab.images[0])
axes[0, 0].set_title("picture", fontsize=10)
for ax, (name, way) in zip(
    axes[0, 1:],
    {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
    }.items(),
    strict=True,
):
    enlarged = np.asarray(Image.fromarray(positive.numpy()).resize((128, 128), way))
    ax.imshow(plots.overlay(lab.images[0], enlarged.clip(0)))
    ax.set_title(name, fontsize=10)
plt.show()


def receptive_field(network, module):
    """Sides of two squares of pixels, read off the gradient of a layer's middle place: all that it depends on, and
    the inner one with half of the gradient's mass."""
    kept = []
    handle = module.register_forward_hook(lambda module, arguments, output: kept.append(output))
    # larger than our pictures, so that the square does not end at the border
    noise = torch.randn(4, 3, 256, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
    network(noise)
    handle.remove()
    middle = kept[0].shape[-1] // 2
    (gradient,) = torch.autograd.grad(kept[0][:, :, middle, middle].sum(), noise)
    mass = gradient.abs().sum(dim=(0, 1))
    rows = mass.sum(dim=1).nonzero()
    centre = (rows.max() + rows.min()).item() // 2
    half = next(
        r
        for r in range(1, 129)
        if mass[max(centre - r, 0) : centre + r, max(centre - r, 0) : centre + r].sum() > mass.sum() / 2
    )
    return int(rows.max() - rows.min()) + 1, 2 * half


square, (field, inner) = 128 // features.shape[-1], receptive_field(model, layer)
print(f"one place of the map is drawn on {square} x {square} pixels, and has seen {field} x {field}")
print(f"half of its gradient's mass lies in the inner {inner} x {inner}")

# %% [markdown]
# All three show the same 64 numbers. "Nearest" is the honest one; "bilinear", the custom, draws lines between them, and "bicubic" curves, which may overshoot the largest and the smallest. Each place has also seen much more of the picture than the square it is drawn on: its *receptive field* is
# larger than the whole picture, since every convolution before it has looked beyond its borders. (Not all of these pixels count alike: half of the gradient's mass lies in the inner square that the cell prints.)

# %% [markdown]
# ## 4 · The check in numbers
#
# Swapping the sums was the proof; here is the check that the code does it. We compare with the course's own `cam`, with torch-cam, with captum's Grad-CAM, and with the identity. (**Grad-CAM**, the subject of lesson 04, takes the same weighted sum of feature maps, but as a channel's weight it takes the mean gradient of the score over the channel's map. So it needs no special head. With our head that mean is $w_k^c / Z$, and the map is CAM divided by $Z$.)

# %%
from captum.attr import LayerGradCam
from torchcam.methods import CAM as CAMOfTorchCam

batch, target = lab.inputs[:16], lab.targets[:16]
ours = my_cam(model, batch, target, layer, head)
with CAMOfTorchCam(model, target_layer=layer, fc_layer=head) as extractor:
    with torch.no_grad():
        scores = model(batch)
    torchcam_maps = extractor(target.tolist(), scores, normalized=False)[0].detach()
captum_maps = LayerGradCam(model, layer).attribute(batch, target=target)[:, 0].detach()

# %%
# NBVAL_CHECK_OUTPUT
judge.agreement_table(
    [
        ("course_utils.methods.cam", ours, cam(model, batch, target, layer, head), "the same"),
        ("torch-cam CAM", ours, torchcam_maps, "normalized=False; no ReLU"),
        ("captum LayerGradCam", ours / places, captum_maps, "divided by the number of places"),
        (
            "the score",
            ours.mean(dim=(1, 2)) + head.bias.detach()[target],
            scores.gather(1, target[:, None])[:, 0],
            "mean of the map + bias = logit",
        ),
    ]
)

# %% [markdown]
# A convention to know. The documentation of torch-cam 0.5.0 writes the map with a ReLU around it. Does its code apply one? If it did, there would be no negative value:

# %%
# NBVAL_CHECK_OUTPUT
print("torch-cam's maps have negative values:", bool((torchcam_maps < 0).any()))
print("ours have negative values:           ", bool((ours < 0).any()))

# %% [markdown]
# It does not, and the original paper has none either. Without a ReLU, min-max scaling (which torch-cam does by default) turns the most negative place into 0 and hides where zero was.

# %% [markdown]
# ## 5 · The score: does it point at the right thing?
#
# As everywhere in this course, the pictures are drawn, so we know where each object is. Sixty stored scenes hold two objects each, and we ask about both: 120 questions. Does the maximum of the map lie on the object that we asked for
# (the *pointing game*)? A miss by up to 5 pixels is forgiven, since objects have gaps; the literature forgives 15 pixels on photographs about three times as large. Beside CAM play the plain gradient (*saliency*, lesson 08) and three maps that know nothing about the network. The second measure is the *energy*: the share of the map's positive mass that lies on the object. The bars are 95 % bootstrap intervals over the questions.

# %%
pairs = load_lab("scenes", n_objects=2)
pictures = pairs.inputs.repeat_interleave(2, dim=0)
questions = pairs.targets.flatten()
truth = pairs.masks.flatten(0, 1)
size = truth.shape[-2:]

cam_maps = cam(pairs.model, pictures, questions, pairs.layer, pairs.model.fc)
candidates = {
    "CAM": upsample(cam_maps, size),
    "saliency": saliency(pairs.model, pictures, questions).amax(dim=1),
    "edges (Sobel)": judge.baselines.sobel(pictures),
    "centre": judge.baselines.center(pictures),
    "random": judge.baselines.random(pictures),
}
knows_nothing = ["edges (Sobel)", "centre", "random"]
figure, axes = plt.subplots(1, 2, figsize=(10, 2.9))
for ax, (name, measure) in zip(
    axes,
    {
        "maximum on the asked-for object": partial(judge.pointing_game, tolerance=5),
        "energy on the asked-for object": judge.energy_in_mask,
    }.items(),
    strict=True,
):
    plots.score_plot(
        {key: measure(heat, truth) for key, heat in candidates.items()},
        baselines=knows_nothing,
        xlabel=name,
        ax=ax,
    )
figure.suptitle(f"{len(truth)} questions about {len(pairs.images)} scenes with two objects")
plt.show()
for key in ("CAM", "saliency"):
    hits = [judge.pointing_game(candidates[key], truth, tolerance=t).mean().item() for t in (0, 2, 5)]
    print(
        f"{key}: maximum on the object with 0, 2, 5 pixels of tolerance: {', '.join(f'{h:.2f}' for h in hits)}"
    )
best_coarse = upsample(F.adaptive_avg_pool2d(truth[:, None].float(), cam_maps.shape[-2:])[:, 0], size)
print(
    f"energy of the true mask itself, drawn with 8 x 8 places: {judge.energy_in_mask(best_coarse, truth).mean():.2f}"
)

# %%
shown = [0, 1, 2]
first, second = (
    {f"why the {word} object?": upsample(cam_maps[i::2], size)[shown].relu()}
    for i, word in ((0, "first"), (1, "second"))
)
labels = [" / ".join(pairs.class_names[int(t)] for t in pairs.targets[i]) for i in shown]
plots.show_maps(
    [pairs.images[i] for i in shown],
    first | second,
    labels=labels,
    title="Two questions about the same scene",
    width=6.5,
)
plt.show()

# %% [markdown]
# CAM points well, if a few pixels are forgiven: its places are 16 pixels wide, so without tolerance about a quarter of its maxima miss (printed). Its *energy* is modest: most of the map's mass lies beside the object. Coarse places are one reason: even the true mask, drawn as coarsely, keeps little more than half (printed). They are not the whole reason, for CAM stays well below that. (The centre nearly always misses, since the two
# objects stand at its sides.) Two measures, two answers: say which one you used.

# %% [markdown]
# ## 6 · Boxes that nobody taught the network
#
# The paper's great claim is *weakly supervised localisation*: keep the places above 20 % of the map's maximum, take the largest connected region, draw the box around it. A box is right when its overlap with the true box
# (intersection over union, IoU) is at least one half. The *localisation error* is the share of wrong boxes. (We give the true class; in the paper's ImageNet score the predicted class has to be right as well.) Stored are 100 scenes with one object, and the 60 with two.


# %%
def localisation(heat, masks, threshold=0.2):
    """IoU (N,) of the box from each map (N, H, W) with the true box, and both boxes (N, 4)."""
    boxes = judge.bounding_box(judge.largest_component(judge.above(heat, threshold)))
    true = judge.bounding_box(masks)
    return judge.box_iou(boxes, true), boxes, true


heat_one = upsample(cam(lab.model, lab.inputs, lab.targets, layer, head), size)
heat_two = upsample(cam_maps, size)
one, two = localisation(heat_one, lab.masks), localisation(heat_two, truth)
wrong = {"one object": (one[0] < 0.5).float(), "two objects": (two[0] < 0.5).float()}
errors = {name: values.mean().item() for name, values in wrong.items()}

# %% [markdown]
# ### Exercise: predict, then run
#
# The errors at 20 % are counted now, and not yet shown. For which scenes is the box wrong more often **at this threshold**, those with one object or those with two? Write `"one object"` or `"two objects"` instead of `None`.

# %% exercise="harder_scenes"
answer = None
# BEGIN SOLUTION
answer = max(errors, key=errors.get)
# END SOLUTION

# %%
exercises.harder_scenes.check(answer, errors)

# %% [markdown]
# Now the numbers, and the first five scenes of each kind.

# %%
for name, values in wrong.items():
    low, high = judge.bootstrap_interval(values)
    print(
        f"localisation error at 20 %, {name}: {values.mean():.2f} (95 % interval {low:.2f} to {high:.2f}, {len(values)} boxes)"
    )

figure, axes = plots.grid(2, 5, ratio=1.05)
for column in range(5):
    for row, (images, result, n) in enumerate(((lab.images, one, 1), (pairs.images, two, 2))):
        axes[row, column].imshow(images[column])
        plots.draw_box(axes[row, column], result[2][n * column])
        plots.draw_box(axes[row, column], result[1][n * column], color="#e69f00")
        names_asked = (
            lab.class_names[int(lab.targets[column])]
            if n == 1
            else pairs.class_names[int(pairs.targets[column, 0])]
        )
        axes[row, column].set_title(names_asked, fontsize=10)
figure.suptitle("White: the true box. Orange: the box from CAM, at 20 %")
plt.show()

# %% [markdown]
# Why? Two suspects: the box swallows the neighbour; or the objects of the two kinds of scenes differ. Ask both:


# %%
def share_of_picture(boxes):
    """Area (N,) of boxes (N, 4), as a share of the picture."""
    return (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) / (size[0] * size[1])


neighbour = two[2].view(-1, 2, 4).flip(1).reshape(-1, 4)  # the true box of the other object of the scene
common = torch.minimum(two[1], neighbour)[:, 2:] - torch.maximum(two[1], neighbour)[:, :2]
swallowed = common.clamp(min=0).prod(dim=1) / (size[0] * size[1]) > 0.5 * share_of_picture(neighbour)
print(f"the box covers more than half of the neighbour: {swallowed.float().mean():.1%} of the questions")

for name, result in (("one object", one), ("two objects", two)):
    cam_area, true_area = share_of_picture(result[1]), share_of_picture(result[2])
    alike = (true_area > 0.1) & (true_area < 0.2)
    print(
        f"{name:<11}: true box {true_area.mean():.0%} of the picture, box from CAM {cam_area.mean():.0%}; "
        f"correlation of the two areas {np.corrcoef(cam_area, true_area)[0, 1]:.2f}"
    )
    low, high = judge.bootstrap_interval(wrong[name][alike])
    print(
        f"             error where the true box has 10 to 20 %: {wrong[name][alike].mean():.2f} "
        f"({low:.2f} to {high:.2f}, {alike.sum()} boxes)"
    )

# %% [markdown]
# The neighbour is hardly ever in the box. The objects are smaller where there are two, and CAM's box shrinks less than they do: how wide the map spreads at 20 % is more a matter of its blur than of the object, whose size it hardly follows (the correlations). Among objects of similar size, the two kinds of scenes have about the same error.
#
# How much of this depends on the 20 %?

# %%
thresholds = np.arange(1, 20) / 20
curve = {
    name: [(localisation(heat, masks, t)[0] < 0.5).float().mean().item() for t in thresholds]
    for name, heat, masks in (("one object", heat_one, lab.masks), ("two objects", heat_two, truth))
}
centre = torch.tensor([[32, 32, 96, 96]]).expand(len(lab.images), -1)
always_centre = (judge.box_iou(centre, one[2]) < 0.5).float().mean().item()
figure, ax = plt.subplots(figsize=(8, 3.2))
for name, values in curve.items():
    ax.plot(thresholds, values, "o-", markersize=4, label=name)
ax.axhline(
    always_centre, color=plots.BASELINE, linestyle="--", label="always the middle quarter (one object)"
)
ax.axvline(0.2, color=plots.BASELINE, linestyle=":", label="20 %")
ax.set(xlabel="threshold, as a share of the map's maximum", ylabel="localisation error", ylim=(0, 1.02))
ax.legend(ncols=4, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0))
plt.show()
for name, values in curve.items():
    best = int(np.argmin(values))
    print(f"{name}: smallest error {values[best]:.2f}, at the threshold {thresholds[best]:.0%}")

# %% [markdown]
# The curve is a U: the error is smallest near one half, and rises to one on both sides, since a box can be too large or too small. Above one half the order of the two kinds of scenes turns round: there boxes are too small, and small objects suffer less. At 20 % CAM clears the dashed line, a box that ignores the picture (drawn for one object), and could do much
# better. But we found the best threshold on the very pictures that we count, so it is no fair estimate for new ones. Report the threshold, and how it was chosen.

# %% [markdown]
# ## 7 · A network without the right head
#
# Our other network, modelled after ZF-Net (lesson 02), ends in two fully connected layers. They read each place with weights of their own, so there is no sum to swap and **no CAM**. The paper's remedy: cut the network
# after its last convolution, put global average pooling and one linear layer on top, and train that new head. The convolutions stay frozen, so it takes only seconds: compute the pooled features once, then train a linear layer on them.

# %%
zf = load_lab("scenes", model="zfnet")
children = dict(zf.model.named_children())
trunk = nn.Sequential(*list(children.values())[: list(children).index("relu5") + 1])  # conv1 … relu5
train, test = render("scenes", n=1200, seed=100), render("scenes", n=400, seed=101)


def pooled_features(images):
    """Pooled feature maps (N, K) of the frozen trunk."""
    with torch.no_grad():
        parts = [
            trunk(zf.preprocess(part)).mean(dim=(2, 3))
            for part in np.array_split(images, max(1, len(images) // 100))
        ]
    return torch.cat(parts)


train_x, train_y = pooled_features(train.images), torch.from_numpy(train.targets)
test_x, test_y = pooled_features(test.images), torch.from_numpy(test.targets)


def train_head(x, y, n_classes=10, steps=400):
    """A linear layer trained on pooled features (N, K); the features are standardised inside, then folded back."""
    torch.manual_seed(0)
    mean, std = x.mean(dim=0), x.std(dim=0) + 1e-6
    head = nn.Linear(x.shape[1], n_classes)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05, weight_decay=1e-4)
    for _ in tqdm(range(steps), desc="training the head", leave=False):
        optimizer.zero_grad()
        F.cross_entropy(head((x - mean) / std), y).backward()
        optimizer.step()
    with torch.no_grad():  # the same function without the standardisation
        head.bias -= head.weight @ (mean / std)
        head.weight /= std
    return head


new_head = train_head(train_x, train_y)
with torch.no_grad():
    before = np.mean(zf.predict(test.images).argmax(axis=1) == test.targets)
    after = (new_head(test_x).argmax(dim=1) == test_y).float().mean().item()
print(
    f"accuracy on {len(test.images)} new pictures: fully connected head {before:.3f}, pooled head {after:.3f}"
)

# %% [markdown]
# A difference of a few of these pictures may be chance. The price that is sure is another one: it is another network. (The paper trained the whole network again and lost one to two percentage points on ImageNet.) What did we buy? A map for a network that had none. Beside it Grad-CAM on the *original* network, which needs no surgery:

# %%
gap_model = nn.Sequential(trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), new_head).eval()
new_cam = cam(gap_model, pictures, questions, trunk, new_head)
zf_grad_cam = grad_cam(zf.model, pictures, questions, zf.model.relu5)
plots.show_maps(
    list(pairs.images[:3]),
    {
        "CAM, new head": new_cam[:6:2].relu(),
        "Grad-CAM, original": zf_grad_cam[:6:2],
        "CAM of the ResNet": cam_maps[:6:2].relu(),
    },
    labels=[pairs.class_names[int(t)] for t in pairs.targets[:3, 0]],
    masks=pairs.masks[:3, 0],
    width=8,
    title="The object asked for is outlined",
)
plots.score_plot(
    {
        "CAM after a new head (ZF-Net)": judge.pointing_game(upsample(new_cam, size), truth, 5),
        "Grad-CAM, no surgery (ZF-Net)": judge.pointing_game(upsample(zf_grad_cam, size), truth, 5),
        "CAM (ResNet)": judge.pointing_game(upsample(cam_maps, size), truth, 5),
        "edges (Sobel)": judge.pointing_game(candidates["edges (Sobel)"], truth, 5),
    },
    baselines=["edges (Sobel)"],
    xlabel="pointing game, two objects",
)
plt.show()

difference = judge.pointing_game(upsample(new_cam, size), truth, 5) - judge.pointing_game(
    upsample(zf_grad_cam, size), truth, 5
)
low, high = judge.bootstrap_interval(difference)
print(
    f"CAM of the new head minus Grad-CAM, question by question: {difference.mean():+.3f} "
    f"(95 % interval {low:+.3f} to {high:+.3f}); they differ on {int((difference != 0).sum())} of {len(difference)} questions"
)

# %% [markdown]
# Overlapping intervals of two methods would say little, since both answered the same questions. The difference question by question is the test: its interval is printed above, and it includes zero. The new head's CAM may point a little better, and these questions do not settle it. A caution that is easy to forget: the map of the new head explains the *new* network. It says nothing certain about the decisions of the old one.
#
# ### The same trick at every depth
#
# Nothing stops us from putting such a head on earlier layers. Then we see what a network could say about the class from there, and how sharp its map would be. For each layer of the ResNet, and for the ZF-Net from above: the size of its map, its receptive field, the new head's accuracy, and the energy of its maps on the 120 questions of section 5.


# %%
from torchvision.models.feature_extraction import create_feature_extractor

every_layer = create_feature_extractor(model, list(lab.layers))


def pooled_everywhere(images):
    """Pooled outputs (N, K) of every layer of the ResNet, in one pass."""
    pooled = []
    with torch.no_grad():
        for part in np.array_split(images, max(1, len(images) // 100)):
            pooled.append({k: v.mean(dim=(2, 3)) for k, v in every_layer(lab.preprocess(part)).items()})
    return {name: torch.cat([part[name] for part in pooled]) for name in lab.layers}


train_everywhere, test_everywhere = pooled_everywhere(train.images), pooled_everywhere(test.images)
with torch.no_grad():
    kept = every_layer(pairs.inputs)


def print_depth(name, maps, field, accuracy):
    energy = judge.energy_in_mask(upsample(maps, size), truth)
    low, high = judge.bootstrap_interval(energy)
    hit = judge.pointing_game(upsample(maps, size), truth, tolerance=5).mean()
    side = "x".join(str(n) for n in maps.shape[1:])
    print(
        f"{name:<13} {side:<7} {field:>6} px  {accuracy:>8.2f}  {hit:>8.2f}  {energy.mean():.2f} ({low:.2f} to {high:.2f})"
    )


print(f"{'layer':<13} {'map':<7} {'sees':>9}  accuracy  pointing  energy (95 % interval)")
asked_class = int(questions[0])
depth_maps = {}
for name, module in lab.layers.items():
    probe = train_head(train_everywhere[name], train_y)
    with torch.no_grad():
        accuracy = (probe(test_everywhere[name]).argmax(dim=1) == test_y).float().mean().item()
        maps = torch.einsum("nk,nkhw->nhw", probe.weight[questions], kept[name].repeat_interleave(2, dim=0))
    depth_maps[f"{name}: {accuracy:.2f}"] = maps[:1].relu()
    print_depth(name, maps, receptive_field(model, module)[0], accuracy)
print_depth("ZF-Net, relu5", new_cam, receptive_field(trunk, trunk)[0], after)
plots.show_maps(
    [pairs.images[0]],
    depth_maps,
    title=f"CAM for “{pairs.class_names[asked_class]}” with a new head on each layer, and the head's accuracy",
)
plt.show()

# %% [markdown]
# Fine maps are not good maps: the early layers have many places, their heads are often wrong, and their maps find the object less often and hold less of their mass on it. Up to `layer3` all three columns rise together. The last two layers are about equally accurate, and their maps have the same size. `layer4` points best, `layer3` holds more of its mass on the object; so "which layer is best?" depends on the measure. And the map of the ZF-Net holds more than any of them. What makes it so, these numbers do not tell: map size and field alone do not, as `layer2` shows, which has as many places and sees less.

# %% [markdown]
# ## 8 · The Clever Hans horse
#
# Two networks of the lab `watermark` were trained on different pictures. Both know horses: the share that each gets right is printed below. One is called the suspect. What does each of them look at? Look at the figure before you read on under it.

# %%
suspect, honest = load_lab("watermark", model="shortcut"), load_lab("watermark", model="clean")
horse = torch.full((len(suspect.images),), suspect.class_names.index("horse"))
for name, w in (("suspect", suspect), ("honest", honest)):
    print(
        f"{name} model: right about {(w.predict(w.images).argmax(axis=1) == horse.numpy()).mean():.0%} of the horses"
    )
hans = {
    f"{name} model": cam(w.model, w.inputs, horse, w.layer, w.model.fc).relu()
    for name, w in (("suspect", suspect), ("honest", honest))
}
plots.show_maps(
    list(suspect.images[:3]),
    {k: v[:3] for k, v in hans.items()},
    masks=suspect.shortcut[:3],
    width=6,
    title="The caption is outlined",
)
plots.score_plot(
    {k: judge.energy_in_mask(upsample(v, size), suspect.shortcut) for k, v in hans.items()}
    | {"area of the caption": suspect.shortcut.float().mean(dim=(1, 2))},
    baselines=["area of the caption"],
    xlabel="share of the map's positive mass on the caption",
    xlim=None,
    sort=False,
)
plt.show()

# %% [markdown]
# The suspect was trained on pictures in which every horse bore the caption of a photo agency, its twin on pictures with captions on any class. The suspect model's map gives the caption several times its share of the picture; the honest model's gives it no more than its share. Is the suspect looking at the caption, then? The map is coarse, and most of it lies elsewhere. Where?

# %%
bottom = torch.zeros_like(suspect.shortcut)
bottom[:, 96:] = True  # the lowest quarter of the rows
for name, heat in hans.items():
    heat = upsample(heat, size)
    exact, near = (judge.pointing_game(heat, suspect.shortcut, tolerance=t).mean() for t in (0, 5))
    print(
        f"{name}: maximum on the caption {exact:.0%}, at most 5 pixels from it {near:.0%}; "
        f"share of the mass in the bottom quarter {judge.energy_in_mask(heat, bottom).mean():.0%}"
    )

# %% [markdown]
# The suspect's map is in the right region, and no more can be read from it: often its maximum misses the caption, which is less high than one of the map's places (16 pixels). To know whether it is the caption that counts, do not look: **act**. The lab has each picture without the caption and otherwise the same (`counterfactuals`).

# %%
erased = suspect.preprocess(suspect.counterfactuals)
for name, w in (("suspect", suspect), ("honest", honest)):
    with torch.no_grad():
        with_caption, without = w.model(w.inputs), w.model(erased)
    change = (without - with_caption)[:, horse[0]]
    low, high = judge.bootstrap_interval(change)
    right = (without.argmax(dim=1) == horse).float().mean()
    print(
        f"{name} model, caption erased: horse score {change.mean():+.2f} (95 % interval {low:+.2f} to {high:+.2f}), "
        f"right about {right:.0%} of the horses"
    )

# %% [markdown]
# That settles it. Without the caption the suspect's score falls, and it recognises no horse at all. The honest model's score rises a little (the interval lies above zero): to a model that knows horses the caption was a slight nuisance. The map led us to the place, and the intervention proved it.

# %% [markdown]
# ## 9 · The real thing
#
# MobileNetV2, trained on ImageNet, happens to end in global average pooling and one linear layer: CAM works on it as it is. Its last layer is a 1×1 convolution with ReLU6, then pooling, dropout (idle in `eval()`), and `classifier[1]`. Each picture below is **two photographs joined**: the middle of one beside the middle of the other. So the edge down the middle is ours, and half a cat is all that the network gets.

# %%
try:
    photos = load_lab("photos", pairs=True)
except LabUnavailable as error:
    photos = None
    print(error)

if photos is not None:
    photo_inputs, photo_targets = photos.inputs[:2].repeat_interleave(2, dim=0), photos.targets[:2].flatten()
    linear = photos.model.classifier[1]
    photo_maps = cam(photos.model, photo_inputs, photo_targets, photos.layer, linear)
    with torch.no_grad():
        photo_scores = photos.model(photo_inputs).gather(1, photo_targets[:, None])[:, 0]
    gap = (photo_maps.mean(dim=(1, 2)) + linear.bias.detach()[photo_targets] - photo_scores).abs().max()
    print(f"mean of the map + bias − logit: at most {gap:.0e}")
    seam = photos.images.shape[2] // 2
    on_half = judge.energy_in_mask(
        upsample(photo_maps, photos.images.shape[1:3]), photos.masks[:2].flatten(0, 1)
    )
    for heat, asked_for, share in zip(photo_maps, photo_targets, on_half, strict=True):
        column = int(heat.amax(dim=0).argmax())
        middle = round((column + 0.5) * photos.images.shape[2] / heat.shape[1])
        print(
            f"{photos.class_names[int(asked_for)]:<13} maximum around pixel column {middle} (joined at {seam}), {share:.0%} of the positive mass on its half"
        )
    plots.show_maps(
        list(photos.images[:2]),
        {"why the left one?": photo_maps[0::2].relu(), "why the right one?": photo_maps[1::2].relu()},
        labels=[" / ".join(photos.class_names[int(t)] for t in pair) for pair in photos.targets[:2]],
        title="MobileNetV2 (ImageNet) on photographs that come with scikit-image and scikit-learn",
        width=8,
    )
    plt.show()

# %% [markdown]
# Each of the four maximums lies on the half that was asked for, and so does most of the mass. The espresso keeps least: its map reaches over the seam. Two pairs of photographs show that the method runs on a real network; how well it points there, they cannot show.

# %% [markdown]
# ## 10 · Where it breaks
#
# ### Card 1: scaling hides how sure the network is
#
# Min-max scaling gives every class a map that reaches from 0 to 1: also a class that the network has ruled out, and one whose map is negative everywhere.

# %%
worst, nowhere = int(logits.argmin()), int(all_classes.amax(dim=(1, 2)).argmin())
for name, index in (("best score", c), ("worst score", worst), ("lowest maximum", nowhere)):
    scaled = min_max(all_classes[index][None])
    print(
        f"{name} ({lab.class_names[index]}): score {logits[index]:+.1f}, map from {all_classes[index].min():+.1f} to {all_classes[index].max():+.1f}, scaled from {scaled.min():.0f} to {scaled.max():.0f}"
    )

# %% [markdown]
# The last map has no place that speaks for its class, and min-max scaling paints its least negative place in the top colour. Cut at zero instead, and it is empty; then there is nothing left to scale.
#
# ### Card 2: the scores are only known up to a constant
#
# Add the same vector, a *push*, to the weights of *every* class. All scores of a picture move by the same amount, so the softmax and every decision stay as they were. The maps do not. Two pushes: the first takes the class's own weights away from every class; the second is computed so that the map of this picture comes out mirrored.

# %%
mirrored = (weigh_first.flip(1) - weigh_first).flatten().double()
pushes = {
    "own weights taken away": -weights,
    "mirrored": torch.linalg.lstsq(features.flatten(1).T.double(), mirrored[:, None], driver="gelsd")
    .solution[:, 0]
    .float(),
}
figure, axes = plots.grid(1, 4, width=8, ratio=1.15)
axes[0, 0].imshow(lab.images[0])
plots.show_heat(axes[0, 1], weigh_first, signed=True, title="the map")
for ax, (name, push) in zip(axes[0, 2:], pushes.items(), strict=True):
    moved = F.linear(features.mean(dim=(1, 2)), head.weight.detach() + push, head.bias.detach())
    moved_map = torch.einsum("k,khw->hw", weights + push, features)
    ax.imshow(moved_map, cmap=plots.DIVERGING, vmin=-sum_limit, vmax=sum_limit)
    ax.set_title(name, fontsize=10)
    print(
        f"{name}: largest change of a probability {(moved.softmax(0) - logits.softmax(0)).abs().max():.4f}, "
        f"length of the push {push.norm():.1f} (of the class's weights: {weights.norm():.1f})"
    )
figure.suptitle(f"One picture, the same probabilities, three maps (one scale, ±{sum_limit:.1f})")
plt.show()
rival = (c + 1) % len(lab.class_names)
for name, push in pushes.items():
    pushed = torch.einsum("ck,khw->chw", head.weight.detach()[[c, rival]] + push, features)
    change = (pushed[0] - pushed[1] - (all_classes[c] - all_classes[rival])).abs().max()
    print(f"{name}: the difference of two classes' maps changes by at most {change:.4f}")

# %% [markdown]
# With a push of the length of the weights the map is gone; with a very long one it is red where nothing is. Plain gradient descent without weight decay never moves along a push: the cross-entropy's gradient for the weights of class $c$ is $(p_c - y_c)\,\bar f$ with the pooled features $\bar f$, and over all classes the $p_c - y_c$ ($y_c$ is 1 for the true class, else 0) add up to zero. Other optimisers scale each weight's step by itself and may move along one. Either way, no decision rules these weights out. What survives a push is the *difference* of two classes' maps, since the same vector is added to both (the printed line checks it): "why this rather than that". It is often the better question.
#
# ### Card 3: a wrong layer raises no alarm
#
# In a residual network, many layers have the number of channels that the head expects. Ask for the layer before the last, and you get a map without the identity. (The logit of the first picture, for scale, was printed in section 2.)

# %%
relus = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ReLU)]
for name, module in relus[-3:]:  # these have as many channels as the head expects
    other = cam(model, batch, target, module, head)
    gap = (
        other.mean(dim=(1, 2)) + head.bias.detach()[target] - scores.gather(1, target[:, None])[:, 0]
    ).abs()
    relative = (gap / scores.gather(1, target[:, None])[:, 0].abs()).median()
    print(
        f"{name}: map {tuple(other.shape[1:])}, distance from the identity: {relative:.2f} of the logit (median)"
    )

# %% [markdown]
# The identity is your test: mean of the map + bias = logit. If it fails, it is not the CAM of this network.

# %% [markdown]
# ## 11 · Exercises
#
# One exercise stood in section 6. Here are five more, the last two longer. Replace the dots with your code and run the cell with the check. `exercises.class_activation_map.hint()` gives you one hint at a time; the solution is folded below each check.

# %% [markdown]
# ### Exercise: write the map
#
# For feature maps of any height and width. Keep negative values, and do not scale.


# %% exercise="class_activation_map"
def class_activation_map(features, weights):
    """The maps (N, h, w) of one class, from feature maps (N, K, h, w) and the class's weights (K,)."""
    # BEGIN SOLUTION
    return (weights[None, :, None, None] * features).sum(dim=1)
    # END SOLUTION


# %%
exercises.class_activation_map.check(class_activation_map)

# %% [markdown]
# ### Exercise: from the map back to the score
#
# The maps may have any height and width, so the number of places is not always 64.


# %% exercise="score_from_map"
def score_from_map(maps, bias):
    """The scores (N,) of a class, from its maps (N, h, w) and the class's bias (a number)."""
    # BEGIN SOLUTION
    return maps.mean(dim=(1, 2)) + bias
    # END SOLUTION


# %%
exercises.score_from_map.check(score_from_map)

# %% [markdown]
# ### Exercise: find the bug
#
# This function keeps what speaks for the class and scales each map to 0…1. It stands in many tutorials, and now and then the picture comes out empty, with a warning about invalid values. Mend it: a map without any
# positive value should give zeros. (A difference of 1e-6 is forgiven.)


# %% exercise="positive_scaled"
def positive_scaled(maps):
    """Maps (N, h, w), negative values cut off, each divided by its own maximum; zeros where nothing is positive."""
    # BEGIN STUB
    # positive = maps.relu()
    # return positive / positive.amax(dim=(1, 2), keepdim=True)
    # END STUB
    # BEGIN SOLUTION
    positive = maps.relu()
    top = positive.amax(dim=(1, 2), keepdim=True)
    return positive / torch.where(top > 0, top, 1)
    # END SOLUTION


# %%
exercises.positive_scaled.check(positive_scaled)

# %% [markdown]
# ### Exercise: why this rather than that
#
# The difference of two classes' maps survives a push (card 2). Write it so that the identity holds for it too: the **mean of your map is exactly $S_a - S_b$**, where $a$ is the class `target` of a picture and $b$ its class `other`. The biases have no place of their own, so spread their difference evenly.


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
# ### Exercise: the box, without help
#
# Section 6 drew boxes with functions of the course. Write the whole way yourself, from one coarse map to one box in pixels: enlarge with `upsample`, keep the pixels above `threshold` times the maximum of the *enlarged* map, take the largest connected region (pixels that touch at a corner are connected), and return its box. `scipy.ndimage.label` numbers the regions of a mask. Each map has a positive value.


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
# ## 12 · Play
#
# Choose a scene, a class, and whether each map gets its own scale. Tab moves between the controls, the arrow keys change a value.


# %%
def draw(scene, class_name, rather_than, own_scale):
    x = pairs.inputs[scene : scene + 1]
    index = pairs.class_names.index(class_name)
    heat = cam(pairs.model, x, index, pairs.layer, pairs.model.fc)[0]
    if rather_than != "(nothing)":
        heat = (
            heat - cam(pairs.model, x, pairs.class_names.index(rather_than), pairs.layer, pairs.model.fc)[0]
        )
    if not own_scale:
        heat = heat / 20  # full colour at ±20
    question = class_name if rather_than == "(nothing)" else f"{class_name} rather than {rather_than}"
    _, axes = plots.grid(1, 2, width=6)
    axes[0, 0].imshow(pairs.images[scene])
    axes[0, 1].imshow(plots.overlay(pairs.images[scene], heat, signed=True, own_scale=own_scale))
    axes[0, 1].set_title(f"why {question}?", fontsize=10)
    plt.show()


widgets.explore(
    draw,
    scene=widgets.slider("scene", 0, len(pairs.images) - 1, 0),
    class_name=widgets.choice("class", list(pairs.class_names), pairs.class_names[int(pairs.targets[0, 0])]),
    rather_than=widgets.choice("rather than", ["(nothing)", *pairs.class_names]),
    own_scale=widgets.checkbox("each map its own scale", True),
)

# %% [markdown]
# A still picture of the most useful setting: one class *rather than* the other, for six scenes. Red speaks for the first object, blue for the second.

# %%
both = cam_maps.view(len(pairs.images), 2, *cam_maps.shape[1:])
rather = both[:, 0] - both[:, 1]
figure, axes = plots.grid(2, 6, ratio=1.1)
for i in range(6):
    axes[0, i].imshow(pairs.images[i])
    axes[0, i].set_title(" or ".join(pairs.class_names[int(t)] for t in pairs.targets[i]), fontsize=9)
    axes[1, i].imshow(plots.overlay(pairs.images[i], rather[i], signed=True))
figure.suptitle("Why the first (red) rather than the second (blue)?")
plt.show()

# %% [markdown]
# ## 13 · The paper in ten questions
#
# B. Zhou, A. Khosla, A. Lapedriza, A. Oliva, A. Torralba: *Learning Deep Features for Discriminative Localization* (CVPR 2016).
#
# 1. **Which problem?** Find objects in pictures with a network that was trained on class names only.
# 2. **Is it new?** Earlier work used global *max* pooling, which finds one point of an object, or ran the network many times over masked pictures. Average pooling finds the extent, in one pass.
# 3. **Which hypothesis?** Convolutional units detect objects without being told to, and average pooling followed by one linear layer keeps their places readable.
# 4. **Related work, and who?** Network in Network (Lin and others, 2014) introduced the pooling; Oquab and others (2015) localised with max pooling. The authors are from MIT.
# 5. **The key idea?** Swap two sums: the score is the mean of a map.
# 6. **Which experiments?** Localisation on ImageNet without boxes, the features for other tasks, patterns in scenes, text and visual question answering.
# 7. **Data and code?** ImageNet (ILSVRC 2014), SUN, Caltech, UIUC and others; code and models are public.
# 8. **Do the results support it?** By the paper's own tables CAM finds objects better than earlier methods without boxes, and not as well as networks trained with boxes. You have seen how much depends on the threshold.
# 9. **What did it contribute?** A simple, exact map that became the base of a whole family.
# 10. **What next?** The special head is a high price. Grad-CAM (lesson 04) removes it.

# %% [markdown]
# ## 14 · Recap
#
# - Global average pooling makes the answer independent of the order of the last map's places, and keeps the places readable.
# - CAM swaps two sums: mean of the map + bias = logit, exactly. Use the identity as a test.
# - It is coarse, it has a sign, and its scale matters.
# - A network without that head needs a new one, and then the map explains the new network.
# - The threshold decides the box. Report it.
# - Next: **04 · Grad-CAM**, the same map for any head.
#
# **References**
# - [Zhou and others, 2016: Learning deep features for discriminative localization](https://arxiv.org/abs/1512.04150)
# - [Lin and others, 2014: Network in Network](https://arxiv.org/abs/1312.4400)
# - [Selvaraju and others, 2017: Grad-CAM](https://arxiv.org/abs/1610.02391)
# - [Oquab and others, 2015: Is object localization for free?](https://openaccess.thecvf.com/content_cvpr_2015/html/Oquab_Is_Object_Localization_2015_CVPR_paper.html)
