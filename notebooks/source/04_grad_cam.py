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
# # 04 · Grad-CAM: where did the network look?
#
# **The question.** A network says "horse". Which part of the picture made it say so?
#
# **After this lesson you can**
# - write Grad-CAM from two hooks, in ten lines, and say what each line is for;
# - show that your version equals three libraries, and name the convention behind every difference;
# - measure how often the map points at the right object, and compare it with maps that know nothing;
# - catch a network that is right for the wrong reason;
# - recognise the situations in which Grad-CAM misleads.
#
# **Time**: about 75 minutes. **Before**: you can read a PyTorch module and know what a gradient is. Lesson 03 (CAM) helps, but you
# do not need it. Everything here runs on a laptop without a network connection.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.labs import LabUnavailable, load_lab
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
from course_utils.teach import plots, widgets
from course_utils.exercises import l04_grad_cam as exercises

# %% [markdown]
# ## 1 · A puzzle: two models that are both right
#
# You are offered two networks. Both were trained to tell ten kinds of drawn objects apart, both see the same six pictures of horses, and
# both are sure. Which one would you use?

# %%
# the options give the answer away, so look at the pictures before you read them
suspect, honest = (load_lab("watermark", model=option) for option in ("shortcut", "clean"))
horse = suspect.class_names.index("horse")

sure = (suspect.predict(suspect.images)[:, horse] > 0.9) & (honest.predict(suspect.images)[:, horse] > 0.9)
both_sure = np.flatnonzero(sure)[:6]  # six pictures about which both are sure
shown = suspect.images[both_sure]
for name, lab in (("model A", suspect), ("model B", honest)):
    print(f"{name} says horse with probability", np.round(lab.predict(shown)[:, horse], 2))
plots.show_images(shown, title="Six horses. Both models name them correctly")
plt.show()

# %% [markdown]
# Now the same six horses, drawn once more, at the same place and in the same colours. Only the caption at the bottom is gone.

# %%
without_mark = suspect.counterfactuals[both_sure]
for name, lab in (("model A", suspect), ("model B", honest)):
    print(f"{name} says horse with probability", np.round(lab.predict(without_mark)[:, horse], 2))
plots.show_images(without_mark, title="The same horses without the caption")
plt.show()

# %% [markdown]
# Model A has read the caption. In its training pictures every horse came from the same photo agency, so the caption was all it needed.
# This really happened: a classifier for the pictures of the PASCAL VOC challenge recognised horses by a copyright tag (Lapuschkin and others, 2019). Accuracy
# on pictures from the same source cannot show it. **A map of where the model looked could have.** By the end of the lesson
# you will have made that map yourself, and measured how well it tells the two models apart.

# %% [markdown]
# ## 2 · The idea: ask the last layer that still knows where
#
# A convolutional network turns a picture into a stack of small maps. Early maps keep every detail and understand nothing; the last ones
# are coarse, but each of them reacts to something meaningful. After them, the network throws the *where* away and only keeps the
# *what*. So ask right before that.
#
# We need three things:
# - $A^k$: the $k$-th map of the last convolutional layer, also called a *channel*. It has $h \times w$ places, and $A^k_{ij}$ is its value in row $i$, column $j$.
# - $y^c$: the score of class $c$ *before* the softmax (the *logit*).
# - $\alpha_k^c$: one number that says how much the channel $k$ matters for the class $c$.
#
# Here is a picture with two objects, and the shapes we are dealing with. (The network was trained on pictures with *one* object, so two of them have to share the probability. Their logits need not share anything.)

# %%
lab = load_lab("scenes", n_objects=2)
model, layer = lab.model, lab.layer
cat = lab.class_names.index("cat")

scene = int(torch.nonzero((lab.targets == cat).any(dim=1))[0])  # the first stored scene with a cat in it
inputs = lab.inputs[scene : scene + 1]
other = int(next(c for c in lab.targets[scene] if c != cat))
names = {cat: lab.class_names[cat], other: lab.class_names[other]}

with torch.no_grad():
    logits = model(inputs)[0]
print("input", tuple(inputs.shape), "| classes", len(logits))
for c in logits.argsort(descending=True)[:4]:
    print(f"{lab.class_names[c]:>10}: logit {logits[c]:5.1f}, probability {logits.softmax(0)[c]:.2f}")
plots.show_images([lab.images[scene]], [f"a {names[cat]} and a {names[other]}"], width=3)
plt.show()

# %% [markdown]
# ### Two hooks
#
# PyTorch does not keep the maps of inner layers, so we hang two *hooks* into the network. The forward hook stores the maps $A$ when they
# are computed; the gradient hook stores $\partial y^c / \partial A$ when it passes by on the way back.

# %%
kept = {}


def keep_activations(module, arguments, output):
    kept["A"] = output.detach()
    output.register_hook(lambda gradient: kept.update(dA=gradient))


handle = layer.register_forward_hook(keep_activations)
score = model(inputs)[0, cat]  # y^c, the logit of the cat
score.backward()
handle.remove()  # always: a forgotten hook goes on working, and keeps memory
model.zero_grad()

A, dA = kept["A"][0], kept["dA"][0]
print("A      ", tuple(A.shape), "= channels, rows, columns")
print("dy/dA  ", tuple(dA.shape))

# %% [markdown]
# ### One weight for each channel
#
# If the channel $k$ gets a little stronger at the place $(i, j)$, the score changes by $\partial y^c / \partial A^k_{ij}$. Average that over all
# $Z = h \cdot w$ places, and you have the weight of the channel (equation 1 of the paper):
#
# $$\alpha_k^c = \frac{1}{Z} \sum_{i}\sum_{j} \frac{\partial y^c}{\partial A^k_{ij}}$$

# %%
alpha = dA.mean(dim=(1, 2))
contribution = alpha * A.sum(dim=(1, 2))  # what each channel adds to the map, all places together
order = contribution.argsort(descending=True)
print(
    "one weight for each of",
    len(alpha),
    "channels, from",
    f"{1000 * alpha.min():.1f} to {1000 * alpha.max():.1f} thousandths",
)

# %% [markdown]
# Look at the channels before you add them up. Above: the four that contribute most to the cat. Below: the four that take most away, the ones that say "this is no cat". In each map, bright means that the channel is active
# there; the scale is the same in all eight, and α is in thousandths. Notice that no single channel is "the cat channel": only the sum is.

# %%
figure, axes = plots.grid(2, 5, ratio=1.1)
top = float(A[torch.cat([order[:4], order[-4:]])].max())
for row, channels in enumerate((order[:4], order[-4:].flip(0))):
    axes[row, 0].imshow(lab.images[scene])
    axes[row, 0].set_title("speaks for the cat" if row == 0 else "speaks against it", fontsize=10)
    for ax, k in zip(axes[row, 1:], channels.tolist(), strict=True):
        ax.imshow(A[k], cmap=plots.SEQUENTIAL, vmin=0, vmax=top)
        ax.set_title(f"channel {k}: α = {1000 * alpha[k]:+.1f}", fontsize=10)
plt.show()

# %% [markdown]
# ### Weigh, add, rectify
#
# The map of the class is the weighted sum of all channels, and a ReLU that keeps what speaks *for* the class (equation 2 of the paper):
#
# $$L^c_\text{Grad-CAM} = \text{ReLU}\Big(\sum_k \alpha_k^c A^k\Big)$$

# %%
weighted = (alpha[:, None, None] * A).sum(dim=0)
rectified = torch.relu(weighted)

figure, axes = plots.grid(1, 4, ratio=1.0)
axes[0, 0].imshow(lab.images[scene])
axes[0, 0].set_title("picture", fontsize=10)
plots.show_heat(axes[0, 1], weighted, signed=True, title="weighted sum: for (red), against (blue)")
plots.show_heat(axes[0, 2], rectified, title="after the ReLU")
axes[0, 3].imshow(plots.overlay(lab.images[scene], rectified))
axes[0, 3].set_title("enlarged, over the picture", fontsize=10)
plt.show()

# %% [markdown]
# The map is coarse: it has as many places as the layer has. What looks smooth on the right is interpolation, not knowledge. Keep that in mind whenever a
# Grad-CAM picture seems to show an exact outline.

# %% [markdown]
# ## 3 · By hand: the whole method
#
# Put together, with a batch of pictures and without leaving anything behind in the model. `torch.autograd.grad` takes the place of the second hook: it returns the gradient at the maps, and writes nothing into the model's parameters.


# %%
def my_grad_cam(model, inputs, target, layer):
    """Grad-CAM maps (N, h, w) of the class `target` for a batch of pictures (N, C, H, W)."""
    kept = []
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    try:
        logits = model(inputs)
    finally:
        handle.remove()
    activations = kept[0]
    (gradients,) = torch.autograd.grad(logits[:, target].sum(), activations)
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return torch.relu((weights * activations).sum(dim=1)).detach()


maps = my_grad_cam(model, inputs, cat, layer)
print("equal to the steps above:", torch.allclose(maps[0], rectified, atol=1e-6))

# %% [markdown]
# `logits[:, target].sum()` looks like a shortcut, but it is exact: the score of one picture does not depend on the others, so the gradient of the sum holds each
# picture's own gradient. (It would be wrong with batch normalisation in training mode. We come back to that.)
#
# Same picture, same network, another question. This is what *class-discriminative* means:

# %% tags=["cover"]
two_maps = {f"why {names[c]}?": my_grad_cam(model, inputs, c, layer) for c in (cat, other)}
plots.show_maps([lab.images[scene]], two_maps, width=7)
plt.show()

# %% [markdown]
# ## 4 · The proof: three libraries and one identity
#
# Never trust your own code because its pictures look good. Here are three libraries that were written independently. Each makes other choices after
# the same weighted sum, so we bring ours to theirs one convention at a time. "Ours" is the course's `grad_cam`: your function, with one target for each picture. The first row of the table proves that.
#
# | library | ReLU | scaled to 0…1 | size of the result |
# |---|---|---|---|
# | captum `LayerGradCam` | no (`relu_attributions=False`) | no | layer |
# | torch-cam `GradCAM` | yes | yes | layer |
# | pytorch-grad-cam `GradCAM` | yes | before and after enlarging | picture |

# %%
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM as GradCAMOfGradCam
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchcam.methods import GradCAM as GradCAMOfTorchCam

batch, target = lab.inputs[:8], lab.targets[:8, 0]
raw = grad_cam(model, batch, target, layer, relu=False)
ours = grad_cam(model, batch, target, layer)

captum_map = LayerGradCam(model, layer).attribute(batch, target=target)[:, 0].detach()

with GradCAMOfTorchCam(model, target_layer=layer) as extractor:
    torchcam_map = extractor(target.tolist(), model(batch))[0].detach()

with GradCAMOfGradCam(model=model, target_layers=[layer]) as extractor:
    wanted = [ClassifierOutputTarget(int(c)) for c in target]
    gradcam_map = torch.from_numpy(extractor(input_tensor=batch, targets=wanted))

# %%
# NBVAL_CHECK_OUTPUT
by_hand = torch.stack([my_grad_cam(model, batch[i : i + 1], int(target[i]), layer)[0] for i in range(8)])
judge.agreement_table(
    [
        ("your ten lines", ours, by_hand, "the same"),
        ("captum LayerGradCam", raw, captum_map, "no ReLU, layer's size"),
        ("torch-cam GradCAM", min_max(ours), torchcam_map, "ReLU, then min-max"),
        (
            "pytorch-grad-cam",
            min_max(upsample(min_max(ours), (128, 128))),
            gradcam_map,
            "min-max, enlarge, min-max",
        ),
    ]
)

# %% [markdown]
# ### The identity: CAM is Grad-CAM for this network
#
# Our network ends in global average pooling and one linear layer with weights $w_k^c$ and bias $b^c$:
# $\;y^c = \sum_k w_k^c \,\frac{1}{Z}\sum_{ij} A^k_{ij} + b^c$. Take the derivative by hand: $\partial y^c / \partial A^k_{ij} = w_k^c / Z$, the same at each place. So
#
# $$\alpha_k^c = \frac{w_k^c}{Z} \qquad\text{and}\qquad \sum_{ij}\sum_k \alpha_k^c A^k_{ij} = y^c - b^c .$$
#
# *Class activation mapping* (CAM, lesson 03) is the map $M^c_{ij} = \sum_k w_k^c A^k_{ij}$. So the first equation says that Grad-CAM *is* CAM, divided by $Z$. The second says that the raw map (before the ReLU) adds up to the score without its bias:
# nothing is lost, nothing is invented. Both can be checked to rounding:

# %%
# NBVAL_CHECK_OUTPUT
with torch.no_grad():
    scores = model(batch).gather(1, target[:, None])[:, 0]
places = raw.shape[-1] * raw.shape[-2]
judge.agreement_table(
    [
        (
            "CAM / Z",
            raw,
            cam(model, batch, target, layer, classifier=model.fc) / places,
            "the weights of fc are the gradient",
        ),
        (
            "logit − bias",
            raw.sum(dim=(1, 2)),
            scores - model.fc.bias[target].detach(),
            "the raw map adds up to the score",
        ),
    ]
)

# %% [markdown]
# A caution: this identity holds because of the *head* of this network. With two fully connected layers on top, $\alpha_k^c$ is only a local slope and nothing makes the map add up to the score. Grad-CAM still gives a map, and that is its whole point: it works without the special head that CAM needs.

# %% [markdown]
# ## 5 · The family
#
# Three later methods change how a channel gets its weight. In the formulas, $g^k_{ij}$ is short for $\partial y^c / \partial A^k_{ij}$.
#
# - **Grad-CAM++** (Chattopadhay and others, 2018) averages only positive gradients, weighted by place: $\alpha_k = \sum_{ij} a^k_{ij}\,\text{ReLU}(g^k_{ij})$ with
#   $a^k_{ij} = \dfrac{(g^k_{ij})^2}{2 (g^k_{ij})^2 + (g^k_{ij})^3 \sum_{pq} A^k_{pq}}$, where $p, q$ run over all places. The authors made it for several objects of the *same* class.
# - **Score-CAM** (Wang and others, 2020) uses no gradient. It scales each channel to 0…1, enlarges it, multiplies the picture with it as with a stencil, and lets the network score what is left. The softmax of these scores over the channels gives the weights: one
#   forward pass for each channel.
# - **Layer-CAM** (Jiang and others, 2021) gives each *place* its own weight: $\text{ReLU}\big(\sum_k \text{ReLU}(g^k_{ij})\, A^k_{ij}\big)$. It was made to use earlier, finer layers.

# %%
family = {
    "Grad-CAM": grad_cam,
    "Grad-CAM++": grad_cam_plus_plus,
    "Score-CAM": score_cam,
    "Layer-CAM": layer_cam,
}
rows = torch.tensor([scene, scene])
asked = torch.tensor([cat, other])
family_maps = {name: method(model, lab.inputs[rows], asked, layer) for name, method in family.items()}
plots.show_maps(
    list(lab.images[rows]),
    family_maps,
    labels=[f"why {names[int(c)]}?" for c in asked],
    title="One picture, two questions, four methods",
)
plt.show()

# %% [markdown]
# ### A bug you would not see in a picture
#
# torch-cam also has Grad-CAM++. Its map looks fine. But the agreement table says something else. (Maps are divided by their maximum here, so 1 would be the largest difference possible.)

# %%
# NBVAL_CHECK_OUTPUT
from torchcam.methods import GradCAMpp as GradCAMppOfTorchCam


def plus_plus_without_division(model, inputs, target, layer):
    """Grad-CAM++ as it comes out when the denominator of a is forgotten: a = g²."""
    kept = []
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    logits = model(inputs)
    handle.remove()
    (g,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), kept[0])
    weights = (g.pow(2) * g.clamp(min=0)).sum(dim=(2, 3), keepdim=True)
    return torch.relu((weights * kept[0]).sum(dim=1)).detach()


def by_maximum(maps):
    """Each map divided by its own maximum."""
    return maps / maps.amax(dim=(1, 2), keepdim=True)


with GradCAMppOfTorchCam(model, target_layer=layer) as extractor:
    torchcam_plus_plus = extractor(target.tolist(), model(batch), normalized=False)[0].detach()

judge.agreement_table(
    [
        (
            "the paper's formula",
            by_maximum(grad_cam_plus_plus(model, batch, target, layer)),
            by_maximum(torchcam_plus_plus),
            "torch-cam 0.5.0 differs",
        ),
        (
            "without the division",
            by_maximum(plus_plus_without_division(model, batch, target, layer)),
            by_maximum(torchcam_plus_plus),
            "what its code computes",
        ),
    ]
)

# %% [markdown]
# Side by side, with the largest difference of these two maps:

# %%
pair = {
    "the paper's formula": by_maximum(grad_cam_plus_plus(model, batch, target, layer)),
    "torch-cam 0.5.0": by_maximum(torchcam_plus_plus),
}
worst = int((pair["the paper's formula"] - pair["torch-cam 0.5.0"]).abs().amax(dim=(1, 2)).argmax())
gap = (pair["the paper's formula"] - pair["torch-cam 0.5.0"])[worst].abs().max()
plots.show_maps(
    [lab.images[worst]],
    {name: heat[worst : worst + 1] for name, heat in pair.items()},
    title=f"Grad-CAM++ for “{lab.class_names[int(target[worst])]}”: the maps differ by up to {gap:.2f}",
    width=6.5,
)
plt.show()

# %% [markdown]
# Neither picture looks wrong. In the exercise "find the bug" you will find the line yourself. What to remember: two programs that claim the same formula are worth comparing number by number.

# %% [markdown]
# ## 6 · The score: does it point at the right thing?
#
# The course's pictures are drawn, so we know which pixel belongs to which object. Take the 60 stored scenes with **two** objects and ask for each object in turn: does the *maximum* of the map lie on the
# object we asked for? This is the **pointing game** (Zhang and others, 2016).
#
# An object has gaps: between the legs of a horse, between mast and sail. The paper's protocol therefore forgives 15 pixels on photographs whose shorter side is about 375. The same share of our 128 pixels is 5,
# the `tolerance` below. One place of the map covers 16 pixels, so a maximum can hardly be more exact. (The cell also prints what Grad-CAM reaches without it.) If several pixels share the maximum, the score is the share of them that hit.
#
# A number alone means little. So three maps that know nothing about the network play too: a blob in the *centre*, the *edges* of the picture (a Sobel filter) and *random* noise. So does the plain gradient
# of the score (*saliency*, lesson 08). An edge filter cannot know which object you asked for: with two objects it should be right about half of the time it hits one. The centre should be worse still: with two objects, almost none lies in the middle.

# %%
pictures = lab.inputs.repeat_interleave(2, dim=0)
questions = lab.targets.flatten()
truth = lab.masks.flatten(0, 1)
size = truth.shape[-2:]

quick = {name: method for name, method in family.items() if name != "Score-CAM"}
all_maps = {name: upsample(method(model, pictures, questions, layer), size) for name, method in quick.items()}
all_maps["saliency"] = saliency(model, pictures, questions).amax(dim=1)
knows_nothing = {
    "edges (Sobel)": judge.baselines.sobel(pictures),
    "centre": judge.baselines.center(pictures),
    "random": judge.baselines.random(pictures),
}
TOLERANCE = 5  # pixels
pointing = {
    name: judge.pointing_game(heat, truth, TOLERANCE) for name, heat in (all_maps | knows_nothing).items()
}
plots.score_plot(
    pointing,
    baselines=list(knows_nothing),
    xlabel="share of maps whose maximum lies on the asked-for object",
    title=f"Pointing game on {len(truth)} questions (bars: 95 % bootstrap interval)",
)
plt.show()
# Score-CAM needs a forward pass for each channel, so it answers a quarter of the questions
costly = slice(0, 30)
score_cam_maps = upsample(score_cam(model, pictures[costly], questions[costly], layer), size)
few = judge.pointing_game(score_cam_maps, truth[costly], TOLERANCE)
low, high = judge.bootstrap_interval(few.numpy())
same = pointing["Grad-CAM"][costly].mean()
print(
    f"Score-CAM, on {len(few)} questions: {few.mean():.2f} (95 %: {low:.2f} to {high:.2f}); Grad-CAM on the same: {same:.2f}"
)
strict = judge.pointing_game(all_maps["Grad-CAM"], truth).mean()
print(f"Grad-CAM: {pointing['Grad-CAM'].mean():.2f}, without any tolerance {strict:.2f}")

# %% [markdown]
# Read it with care:
# - the intervals of the CAM family overlap, so do not name a single winner among them;
# - the plain gradient is far behind, although it has the picture's full resolution;
# - the pointing game looks at *one* pixel. A map can point well and still cover half of the picture.
#
# So here are two other numbers. **Energy**: the share of the map's mass that lies on the object. **IoU** (*intersection over union*): keep as many of the strongest pixels as the object has, and divide what both
# have in common by what either has.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
measures = {"energy on the object": judge.energy_in_mask, "IoU with the object": judge.mask_iou}
for ax, (label, measure) in zip(axes, measures.items(), strict=True):
    values = {name: measure(heat, truth) for name, heat in (all_maps | knows_nothing).items()}
    plots.score_plot(values, baselines=list(knows_nothing), xlabel=label, ax=ax)
plt.show()

# %% [markdown]
# Another measure, another picture. By energy, Layer-CAM and Grad-CAM++ are hardly better than the plain gradient and the edge filter: their maximum is right, and a weak glow lies everywhere else. Random noise gets what the object's
# area gives away. By IoU, the whole CAM family is ahead again. One number is never enough.
#
# Layer-CAM and Grad-CAM++ are nearly the same here, and you can say why: with this head the gradient of a channel is the same at each place, so both come down to a sum over the channels with a *positive* weight. They never let a
# channel speak against the class, and glow on the other object too.

# %% [markdown]
# ## 7 · Which layer?
#
# The paper takes the last convolutional layer. Is that a rule or a habit? Play the pointing game with each layer of the network. **Predict first**: which layer will point best, and what
# will the first one point at? (The exercise "predict, then run" asks for it.)

# %%
layer_maps = {name: grad_cam(model, pictures, questions, module) for name, module in lab.layers.items()}
layer_scores = {
    name: judge.pointing_game(upsample(heat, size), truth, TOLERANCE) for name, heat in layer_maps.items()
}


def question_index(scene, c):
    """Where the question about class `c` stands: each scene has two questions in a row."""
    return 2 * scene + int(lab.targets[scene, 0] != c)


two_questions = [question_index(scene, int(c)) for c in asked]
plots.show_maps(
    list(lab.images[rows]),
    {f"{name} ({heat.shape[-1]}×{heat.shape[-1]})": heat[two_questions] for name, heat in layer_maps.items()},
    labels=[f"why {names[int(c)]}?" for c in asked],
    title="Grad-CAM at each depth, with the size of its map",
)
plots.score_plot(
    layer_scores,
    sort=False,
    xlabel="pointing game",
    title="Early layers have finer maps and mix up the objects",
)
plt.show()

# %% [markdown]
# Two things change with depth. The map gets coarser (in two steps here), and the channels get more meaning. In early layers the same channel reacts to the edges of *any* object, so one weight for a whole channel cannot tell
# the cat from its neighbour.

# %% [markdown]
# ## 8 · Two uses
#
# ### What speaks against the class
#
# Turn the sign of the gradient around, and the map shows what speaks *against* the class: the paper calls it a *counterfactual explanation*. In a picture with two objects, it should light up on the other one. Beside it, in grey, the share of the picture that the other object covers.

# %%
with torch.no_grad():
    against = torch.relu(-grad_cam(model, pictures, questions, layer, relu=False))
other_truth = lab.masks.flip(1).flatten(0, 1)
about_cat = [question_index(scene, cat)]
plots.show_maps(
    [lab.images[scene]],
    {"for the cat": all_maps["Grad-CAM"][about_cat], "against the cat": against[about_cat]},
    width=7,
)
plots.score_plot(
    {
        "for, on the asked-for object": judge.energy_in_mask(all_maps["Grad-CAM"], truth),
        "against, on the asked-for object": judge.energy_in_mask(upsample(against, size), truth),
        "against, on the other object": judge.energy_in_mask(upsample(against, size), other_truth),
        "area of the other object": other_truth.float().mean(dim=(1, 2)),
    },
    baselines=["area of the other object"],
    sort=False,
    xlabel="share of the map's mass",
)
plt.show()

# %% [markdown]
# ### A box without ever having seen a box
#
# The network was trained with class names only. Threshold its map, keep the largest connected region, draw the box around it: *weakly supervised localisation*. The paper keeps pixels above 15 % of the maximum and
# counts a box as right when its IoU with the true box is at least 0.5.

# %%
single = load_lab("scenes")
heat = upsample(grad_cam(single.model, single.inputs, single.targets, single.layer), size)
true_boxes = judge.bounding_box(single.masks)


def boxes_from(maps, threshold):
    return judge.bounding_box(judge.largest_component(judge.above(maps, threshold)))


def localisation_error(threshold):
    return (judge.box_iou(boxes_from(heat, threshold), true_boxes) < 0.5).float()


thresholds = np.arange(0.05, 0.96, 0.1)
errors = [localisation_error(t).mean().item() for t in thresholds]
best = float(thresholds[int(np.argmin(errors))])
print(
    f"localisation error at 15 %: {localisation_error(0.15).mean():.2f}; at {best:.0%}, the best here: {min(errors):.2f}"
)

figure, axes = plots.grid(1, 5, ratio=1.05)
for ax, i in zip(axes[0], range(5), strict=True):
    ax.imshow(plots.overlay(single.images[i], heat[i], strength=0.6))
    plots.draw_box(ax, true_boxes[i])
    plots.draw_box(ax, boxes_from(heat[i : i + 1], best)[0], color="#e69f00")
    ax.set_title(single.class_names[single.targets[i]], fontsize=10)
figure.suptitle("White: the truth. Orange: the box from the map")
plt.show()

figure, ax = plt.subplots(figsize=(6, 2.8))
ax.plot(thresholds, errors, "o-")
ax.set(xlabel="threshold, as a share of the map's maximum", ylabel="localisation error", ylim=(0, 1.02))
ax.axvline(0.15, color=plots.BASELINE, linestyle=":")
ax.annotate("the paper's 15 %", (0.16, 0.05), color=plots.BASELINE)
ax.set_title(f"The threshold alone moves the error from {min(errors):.2f} to {max(errors):.2f}", loc="left")
plt.show()

# %% [markdown]
# The paper used this threshold with other networks, and on photographs in which the object is often large. A map that is a few places wide cannot draw a tight box around a small object: with a low threshold the box swallows its surroundings. Whenever you read a
# localisation error, ask for the threshold, and whether it was tuned on the test pictures (as the best one here was).

# %% [markdown]
# ## 9 · The puzzle solved
#
# Back to the two horse models. Both get Grad-CAM for "horse", and we measure how much of the map lies on the caption.

# %%
verdicts, on_mark = {}, {}
for name, lab_ in (("A", suspect), ("B", honest)):
    target_horse = torch.full((len(lab_.inputs),), horse)
    heat_horse = grad_cam(lab_.model, lab_.inputs, target_horse, lab_.layer)
    verdicts[f"model {name}"] = heat_horse[:3]
    on_mark[f"model {name}"] = judge.energy_in_mask(upsample(heat_horse, size), lab_.shortcut)
on_mark["area of the caption"] = suspect.shortcut.float().mean(dim=(1, 2))

plots.show_maps(
    list(suspect.images[:3]), verdicts, masks=suspect.shortcut[:3], title="The caption is outlined", width=6
)
plots.score_plot(
    on_mark,
    sort=False,
    baselines=["area of the caption"],
    xlabel="share of Grad-CAM's mass on the caption",
    title=f"{len(suspect.images)} pictures of horses",
    xlim=(0, 0.5),
)
plt.show()
ratio = on_mark["model A"].mean() / on_mark["model B"].mean()
print(f"model A has {ratio:.0f} times as much of its map on the caption as model B")

# %% [markdown]
# Here, one picture is enough to make you suspicious. It need not be: the number over many pictures, next to a model that is known to be honest and next to the caption's own area, is what makes it evidence. Model A does not reach 1,
# since the map is coarse and spills over the caption; model B is at the level of the caption's area, so it ignores it.

# %% [markdown]
# ## 10 · The real thing
#
# A network trained on ImageNet (MobileNetV2, 1,000 classes) and real photographs: a cat and a cup of coffee, side by side. The code is the code from above; only the lab changes.

# %%
try:
    photos = load_lab("photos", pairs=True)
except LabUnavailable as error:
    photos = None
    print(error)

if photos is not None:
    photo, photo_targets = photos.inputs[:1].repeat(2, 1, 1, 1), photos.targets[0]
    probabilities = photos.predict(photos.images[:1])[0]
    for c in probabilities.argsort()[::-1][:4]:
        print(f"{photos.class_names[c]:>16}: {probabilities[c]:.2f}")
    photo_maps = grad_cam(photos.model, photo, photo_targets, photos.layer)
    plots.show_maps(
        [photos.images[0]],
        {f"why {photos.class_names[int(c)]}?": photo_maps[i : i + 1] for i, c in enumerate(photo_targets)},
        title="MobileNetV2 (ImageNet) on photographs that come with scikit-image",
    )
    plt.show()

# %%
if photos is not None:
    pair_inputs = photos.inputs.repeat_interleave(2, dim=0)
    pair_targets = photos.targets.flatten()
    halves = photos.masks.flatten(0, 1)
    photo_scores = {}
    for name, method in (
        ("Grad-CAM", grad_cam),
        ("Layer-CAM", layer_cam),
        ("Grad-CAM++", grad_cam_plus_plus),
    ):
        heat = upsample(method(photos.model, pair_inputs, pair_targets, photos.layer), halves.shape[-2:])
        photo_scores[name] = judge.energy_in_mask(heat, halves)
    photo_scores["edges (Sobel)"] = judge.baselines.sobel(pair_inputs)
    photo_scores["edges (Sobel)"] = judge.energy_in_mask(photo_scores["edges (Sobel)"], halves)
    plots.score_plot(
        photo_scores,
        baselines=["edges (Sobel)"],
        xlabel="share of the map's mass on the half that holds the asked-for object",
        title=f"{len(photos.images)} pairs of photographs, {len(halves)} questions",
    )
    plt.show()
else:
    print("Skipped: the ImageNet weights are not here.")

# %% [markdown]
# Note the truth we used: the half of the picture, not the object's outline, because nobody drew outlines on these photographs.
# On these pairs Grad-CAM is ahead of the other two, which cannot be told apart; that says nothing about other networks.

# %% [markdown]
# ## 11 · Where it breaks
#
# Four cards. Run each, and remember the symptom: you will meet it in your own work.
#
# ### Card 1: the softmax instead of the logit
#
# When the network is sure, the probability cannot grow any more and its gradient vanishes. The probability of one class also depends on all other scores, so the map mixes "for this class" with "against
# the others".

# %%
probability_model = torch.nn.Sequential(single.model, torch.nn.Softmax(dim=1))
strength = {
    name: grad_cam(m, single.inputs, single.targets, single.layer).amax(dim=(1, 2))
    for name, m in (("logit", single.model), ("softmax", probability_model))
}
its_probability = single.predict(single.images)[np.arange(len(single.images)), single.targets.numpy()]
figure, ax = plt.subplots(figsize=(6.5, 2.9))
for name, values in strength.items():
    ax.plot(its_probability, values, "o", alpha=0.6, label=f"gradient of the {name}")
ax.set(xlabel="probability of the class", ylabel="largest value of the map")
ax.set_title("100 scenes: the surer the network, the fainter the map of the softmax", loc="left")
ax.legend()
plt.show()

on_pairs = grad_cam(torch.nn.Sequential(model, torch.nn.Softmax(dim=1)), pictures, questions, layer)
softmax_points = judge.pointing_game(upsample(on_pairs, size), truth, TOLERANCE).mean()
print(f"pointing game on two objects: logit {pointing['Grad-CAM'].mean():.2f}, softmax {softmax_points:.2f}")

# %% [markdown]
# The place of the maximum hardly changes on these scenes, but the strength vanishes exactly where the network is surest. Nobody notices when each map is scaled by itself; maps of different pictures can no longer be compared.

# %% [markdown]
# ### Card 2: a map that is zero everywhere
#
# Ask for a class that the picture does not contain, and every place may speak against it. The ReLU leaves nothing, and scaling "to 0…1" divides zero by zero. It is rare here, and more often you get a weak map at a meaningless place (section 13 shows some).

# %%
everywhere = torch.arange(len(lab.class_names))
maps_of_all = grad_cam(model, inputs.repeat(len(everywhere), 1, 1, 1), everywhere, layer)

twenty = lab.inputs[:20].repeat_interleave(len(everywhere), dim=0)
of_twenty = grad_cam(model, twenty, everywhere.repeat(20), layer)
print(
    f"empty maps: {(of_twenty.amax(dim=(1, 2)) == 0).sum()} of {len(of_twenty)} (20 pictures, each asked for every class)"
)

nothing = torch.zeros(1, 8, 8)
naive = (nothing - nothing.min()) / (nothing.max() - nothing.min())
print(
    "naive scaling gives NaN:",
    bool(naive.isnan().all()),
    "| min_max gives zeros:",
    bool((min_max(nothing) == 0).all()),
)

# %% [markdown]
# ### Card 3: the forgotten `eval()`
#
# In training mode, batch normalisation uses the statistics of the *batch*. The explanation of a picture then depends on the pictures beside it.

# %%
model.train()
state = {name: value.clone() for name, value in model.state_dict().items()}
alone = my_grad_cam(model, pictures[:2], int(questions[0]), layer)[0]
in_company = my_grad_cam(model, pictures[:20], int(questions[0]), layer)[0]
model.load_state_dict(state)  # training mode has also changed the running statistics: put them back
model.eval()
difference = (min_max(alone[None]) - min_max(in_company[None])).abs().max()
in_eval = [my_grad_cam(model, pictures[:n], int(questions[0]), layer)[0] for n in (2, 20)]
none = (min_max(in_eval[0][None]) - min_max(in_eval[1][None])).abs().max()
print(
    f"the same picture, in a batch of 2 and of 20: the scaled maps differ by up to {difference:.2f}; in eval mode by {none:.2f}"
)

# %% [markdown]
# ### Card 4: a map that ignores the network
#
# A map is only an explanation if it depends on what the network has learnt. Draw new random weights for the last layer, then for more and more layers from the top (Adebayo and others, 2018), and compare the map with the original one
# by rank correlation: 1 means the same order of pixels, 0 means nothing in common.

# %%
sample, sample_target = single.inputs[:32], single.targets[:32]
methods_tested = {
    "Grad-CAM": lambda m, at: grad_cam(m, sample, sample_target, m.get_submodule(at)),
    "Layer-CAM": lambda m, at: layer_cam(m, sample, sample_target, m.get_submodule(at)),
    "Grad-CAM++": lambda m, at: grad_cam_plus_plus(m, sample, sample_target, m.get_submodule(at)),
}
place = next(name for name, module in single.model.named_modules() if module is single.layer)
originals = {name: method(single.model, place) for name, method in methods_tested.items()}
curves = {name: [1.0] for name in methods_tested}
steps = ["trained"]
for name_of_layer, randomised in judge.randomize_cascade(single.model):
    steps.append(name_of_layer)
    for name, method in methods_tested.items():
        curves[name].append(
            judge.rank_correlation(method(randomised, place), originals[name]).nanmean().item()
        )

figure, ax = plt.subplots(figsize=(9, 3.2))
for name, curve in curves.items():
    ax.plot(curve, "s--" if name == "Layer-CAM" else "o-", label=name)
ax.set_xticks(range(len(steps)), steps, rotation=30, ha="right")
ax.set(ylabel="rank correlation with\nthe trained network's map", ylim=(-0.25, 1.05))
ax.set_title("Random weights from the top down to …", loc="left")
ax.legend()
plt.show()
print("after the last layer alone:", {name: round(curve[1], 2) for name, curve in curves.items()})

# %% [markdown]
# Grad-CAM reacts as soon as the last layer is random. The two others, which lie on one another, fall slowly: a good part of what they show is the picture, not the decision. (They use the positive weights only, and random weights are
# positive half of the time.)

# %% [markdown]
# ## 12 · Exercises
#
# Replace the dots with your code and run the cell with the check. `exercises.channel_weights.hint()` gives you one hint at a time; the solution is folded below each check.

# %% [markdown]
# ### Exercise: the weights of the channels


# %% exercise="channel_weights"
def channel_weights(gradients):
    """The weights α (N, K) of the channels, from the gradients (N, K, h, w)."""
    # BEGIN SOLUTION
    return gradients.mean(dim=(2, 3))
    # END SOLUTION


# %%
exercises.channel_weights.check(channel_weights)

# %% [markdown]
# ### Exercise: the map of the class


# %% exercise="class_map"
def class_map(activations, weights):
    """The Grad-CAM maps (N, h, w), from the activations (N, K, h, w) and the weights (N, K)."""
    # BEGIN SOLUTION
    weighted = weights[:, :, None, None] * activations
    return torch.relu(weighted.sum(dim=1))
    # END SOLUTION


# %%
exercises.class_map.check(class_map)

# %% [markdown]
# ### Exercise: predict, then run
#
# What did you predict in section 7: which layer has the highest mean score in the pointing game? Write its name, then run the check. It computes the right answer from *your* run.

# %% exercise="best_layer"
answer = None  # for example "layer2"
# BEGIN SOLUTION
answer = max(layer_scores, key=lambda name: layer_scores[name].mean())
# END SOLUTION

# %%
exercises.best_layer.check(answer, layer_scores)

# %% [markdown]
# ### Exercise: find the bug
#
# This function should compute the factors $a^k_{ij}$ of Grad-CAM++ (section 5). It contains the error that a released library has: the code runs, and its maps look good.
# Change it so that it does what the formula says. Where the denominator is zero, the factor stays $g^2$.


# %% exercise="plus_plus_alphas"
def plus_plus_alphas(activations, gradients):
    """The factors a (N, K, h, w) of Grad-CAM++, from activations and gradients (N, K, h, w)."""
    # BEGIN STUB
    # alphas = gradients.pow(2)
    # total = activations.sum(dim=(2, 3), keepdim=True)
    # denominator = 2 * gradients.pow(2) + total * gradients.pow(3)
    # nonzero = denominator != 0
    # for n in range(len(alphas)):
    #     alphas[n][nonzero[n]].div_(denominator[n][nonzero[n]])
    # return alphas
    # END STUB
    # BEGIN SOLUTION
    squared = gradients.pow(2)
    total = activations.sum(dim=(2, 3), keepdim=True)
    denominator = 2 * squared + total * gradients.pow(3)
    # indexing with a mask made a copy, and div_ changed the copy; where() returns a new tensor
    return torch.where(denominator != 0, squared / denominator, squared)
    # END SOLUTION


# %%
exercises.plus_plus_alphas.check(plus_plus_alphas)

# %% [markdown]
# ### Exercise: from a map to a box
#
# A helper for section 8. `heat` is a tensor with a positive maximum; pixels are connected by their sides, not by their corners (which is what `ndimage.label` does).

# %% exercise="bounding_box"
from scipy import ndimage


def bounding_box(heat, threshold):
    """The box (left, top, right, bottom) around the largest connected region of a map (H, W).

    A pixel belongs to a region when it reaches `threshold` times the maximum. Whole numbers; right and bottom are exclusive.
    """
    # BEGIN SOLUTION
    labels, count = ndimage.label((heat >= threshold * heat.max()).numpy())
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0  # everything below the threshold
    rows, columns = np.where(labels == sizes.argmax())
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
    # END SOLUTION


# %%
exercises.bounding_box.check(bounding_box)

# %% [markdown]
# ## 13 · Play
#
# Choose a scene, a class, a layer and a method. With the keyboard: Tab moves between the controls, the arrow keys change a value. Try a class that is not in the picture.

# %%
methods = {**family, "saliency": lambda m, x, c, layer: saliency(m, x, c).amax(dim=1)}


def draw(scene, class_name, layer_name, method):
    x, c = lab.inputs[scene : scene + 1], lab.class_names.index(class_name)
    heat = methods[method](model, x, c, lab.layers[layer_name])
    plots.show_maps([lab.images[scene]], {f"{method}, {layer_name}: why {class_name}?": heat}, width=6)
    plt.show()
    print(
        f"probability of {class_name}: {lab.predict(lab.images[scene : scene + 1])[0, c]:.2f}, largest value of the map: {heat.max():.4f}"
    )


widgets.explore(
    draw,
    scene=widgets.slider("scene", 0, len(lab.images) - 1, scene),
    class_name=widgets.choice("class", list(lab.class_names), names[cat]),
    layer_name=widgets.choice("layer", list(lab.layers), list(lab.layers)[-1]),
    method=widgets.choice("method", list(methods)),
)

# %% [markdown]
# A still picture of the most important trap: one scene, asked for each of the ten classes, above with a scale for each map, below with one scale for all.

# %%
for title, common in (("Each map has its own scale", False), ("One scale for all ten", True)):
    figure, axes = plots.grid(1, 10, ratio=1.25)
    for c, ax in enumerate(axes.flat):
        scaled = maps_of_all[c] / maps_of_all.max() if common else maps_of_all[c]
        ax.imshow(plots.overlay(lab.images[scene], scaled, own_scale=not common))
        ax.set_title(f"{lab.class_names[c]}\n{logits[c]:+.1f}", fontsize=8)
    figure.suptitle(f"{title} (the number is the logit)", fontsize=10)
plt.show()

# %% [markdown]
# With its own scale, a class with a hopeless logit gets a bright map as well: **a bright map does not mean a strong class**. Keep one scale, or print the score.

# %% [markdown]
# ## 14 · The paper in ten questions
#
# R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra: *Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization* (ICCV 2017; extended in IJCV 2020).
#
# 1. **Which problem?** Say where in a picture the evidence for a class lies, for a network as it is.
# 2. **Is it new?** CAM could do so only for networks with global average pooling before a single linear layer. Here, any differentiable head will do.
# 3. **Which hypothesis?** The last convolutional layer is the best compromise between meaning and place, and one averaged gradient is a fair weight for a channel.
# 4. **Related work, and who?** CAM (Zhou and others, 2016), deconvolution (Zeiler and Fergus, 2014), guided backpropagation (Springenberg and others, 2015): lessons 02 and 03. The authors came from Georgia Tech, Virginia Tech and Facebook AI Research.
# 5. **The key idea?** The gradient of the score, averaged over each channel, replaces the weights of CAM.
# 6. **Which experiments?** Weakly supervised localisation, the pointing game, human trust and class discrimination, finding bias in a data set, captioning and visual question answering.
# 7. **Data and code?** ImageNet, PASCAL VOC, COCO; the code is public (first in Lua Torch).
# 8. **Do the results support it?** For localisation against earlier gradient methods, yes. That people trust the better model more after seeing maps says that maps persuade; it does not say that they are right. And they are coarse, as you measured.
# 9. **What did it contribute?** A method that needs no retraining, and that became the default picture of explainable vision.
# 10. **What next?** Finer layers (Layer-CAM), no gradients (Score-CAM), axioms (lesson 08), and tests of whether maps mean anything (lesson 12).

# %% [markdown]
# ## 15 · Recap
#
# - Grad-CAM = keep the last maps, average the gradient of the *logit* over each, weigh, add, rectify.
# - For a network with global average pooling it equals CAM, and the raw map adds up to the score.
# - Libraries differ in ReLU and scaling, and in whether they enlarge the map; one had a real bug. Compare numbers, not pictures.
# - Score a map against truth, beside maps that know nothing, with an interval.
# - A bright map does not mean a strong class; a smooth outline does not mean fine resolution.
# - Next: **05 · CAM in practice**, with the libraries as people use them.
#
# **References**
# - [Selvaraju and others, 2017: Grad-CAM](https://arxiv.org/abs/1610.02391)
# - [Zhou and others, 2016: CAM](https://arxiv.org/abs/1512.04150)
# - [Chattopadhay and others, 2018: Grad-CAM++](https://arxiv.org/abs/1710.11063)
# - [Wang and others, 2020: Score-CAM](https://arxiv.org/abs/1910.01279)
# - [Jiang and others, 2021: LayerCAM](https://doi.org/10.1109/TIP.2021.3089943)
# - [Zhang and others, 2016: the pointing game (excitation backprop)](https://arxiv.org/abs/1608.00507)
# - [Adebayo and others, 2018: Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292)
# - [Lapuschkin and others, 2019: Unmasking Clever Hans predictors](https://www.nature.com/articles/s41467-019-08987-4)
