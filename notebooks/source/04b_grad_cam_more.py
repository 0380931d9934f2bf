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
# # 04b · Grad-CAM: against the class, finer maps, and three more traps
#
# **The question.** What else can be read from the last maps, and how do you notice that a map says little about the network?
#
# This companion of [04 · Grad-CAM](04_grad_cam.ipynb) adds what the core left out: the map of what speaks against a class, Guided Grad-CAM, the bug of a released library measured, the forgotten `eval()`, and the test with random weights.
#
# **After this lesson you can**
# - show what speaks *against* a class, and check it against the truth;
# - combine Grad-CAM with a map in full resolution, and say what the combination can and cannot tell;
# - find out by a number that two programs with the same name compute different things;
# - test whether a map depends on what the network has learnt.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [04 · Grad-CAM](04_grad_cam.ipynb).

# %%
import matplotlib.pyplot as plt
import torch

from course_utils import judge
from course_utils.exercises import l04_grad_cam as exercises
from course_utils.labs import load_lab
from course_utils.methods.cam import grad_cam, grad_cam_plus_plus, layer_cam, min_max, upsample
from course_utils.methods.deconvnet import guided_backprop
from course_utils.teach import plots

lab = load_lab("scenes", n_objects=2)
model, layer = lab.model, lab.layer
pictures, questions, truth = lab.questions()  # each scene twice: one question for each object
other_truth = lab.masks.flip(1).flatten(0, 1)  # the other object of each question
size = truth.shape[-2:]

# %% [markdown]
# ## 1 · What speaks against the class
#
# Turn the sign of the weights around before the ReLU, and the map shows what speaks *against* the class. The paper calls it a *counterfactual explanation*. (Lesson [01](01_why_explain.ipynb) uses that word for a changed picture; here nothing is changed.) In a scene with two objects the map should lie on the *other* object.
#
# ### Exercise: what speaks against it
#
# Write the function. You have the map before the ReLU: `weighted` is $\sum_k \alpha_k^c A^k$.


# %% exercise="against_map"
def against_map(weighted):
    """The maps (N, h, w) of what speaks against the class, not negative, from the weighted sums (N, h, w)."""
    # BEGIN SOLUTION
    return torch.relu(-weighted)
    # END SOLUTION


# %%
exercises.against_map.check(against_map)

# %% [markdown]
# Now the score: the share of the map's sum on the asked-for object and on the other one. Compare it with the share of the picture that the other object covers.

# %%
weighted = grad_cam(model, pictures, questions, layer, relu=False)
speaks_for = upsample(torch.relu(weighted), size)
against = upsample(torch.relu(-weighted), size)
some = against.amax(dim=(1, 2)) > 0  # a map may have nothing that speaks against the class
shares = {
    "for, on the asked-for object": judge.energy_in_mask(speaks_for, truth),
    "against, on the asked-for object": judge.energy_in_mask(against[some], truth[some]),
    "against, on the other object": judge.energy_in_mask(against[some], other_truth[some]),
    "area of the other object": other_truth[some].float().mean(dim=(1, 2)),
}
print(
    "other object: map minus area",
    judge.paired(shares["against, on the other object"], shares["area of the other object"]),
)
there = judge.pointing_game(against[some], other_truth[some], tolerance=5)
print(f"the maximum of this map lies on the other object in {there.mean():.2f} of the questions")

# %% tags=["hide-input"]
plots.score_plot(
    shares,
    baselines=["area of the other object"],
    sort=False,
    xlabel="share of the map's sum",
    title=f"What speaks against a class: a part of it lies on the other object ({len(questions)} questions)",
)
plots.show(
    f"For: {shares['for, on the asked-for object'].mean():.2f} on the asked-for object. Against: "
    f"{shares['against, on the other object'].mean():.2f} on the other object, whose area is "
    f"{shares['area of the other object'].mean():.2f}, and {shares['against, on the asked-for object'].mean():.2f} on the asked-for one."
)

# %% tags=["hide-input"]
plots.show_maps(
    [lab.images[0]] * 2,
    {"for": speaks_for[:2], "against": against[:2]},
    labels=[f"{lab.class_names[int(c)]}?" for c in questions[:2]],
    title="Above, the map of what speaks against the class lies on the other object; below, beside it",
    width=6,
)
plots.show(
    "An ice cream and a sailboat. Against the ice cream, the map is bright on the boat. Against the boat, it is bright "
    "beside and above the ice cream."
)

# %% [markdown]
# On average, the share of this map on the other object is several times that object's area, and nearly nothing lies on the asked-for object. Its maximum is mostly on the other object; yet most of its *sum* is not, and single maps lie elsewhere, as the second row shows. (Is it the ground or the ice cream that speaks there? The map cannot say: a place has seen both.)
#
# A red or blue place is a term of a sum. Does the other object really hold the score down? Paint it over with the mean colour of its scene, and ask again. As a control, paint a piece of ground of the same shape: the object's outline, mirrored, without the objects.

# %%
other_pixels, objects = other_truth[:, None], lab.masks.any(dim=1).repeat_interleave(2, dim=0)[:, None]
ground = pictures.mean(dim=(2, 3), keepdim=True)
covers = {"the other object": other_pixels, "a piece of ground": other_pixels.flip(2, 3) & ~objects}
with torch.no_grad():
    before = model(pictures).gather(1, questions[:, None])[:, 0]
    for name, cover in covers.items():
        after = model(torch.where(cover, ground, pictures)).gather(1, questions[:, None])[:, 0]
        higher = (after > before).float().mean()
        print(f"without {name}: logit {judge.paired(after, before)}, higher in {higher:.0%}")

# %% [markdown]
# Without the other object the score is higher in most scenes, and without a piece of ground it is not. So the ReLU hides a second piece of information; to use it is a choice.

# %% [markdown]
# ## 2 · Guided Grad-CAM: fine lines, coarse knowledge
#
# The title figure of the paper is a product: Grad-CAM, enlarged, times *guided backpropagation* ([lesson 02](02_zfnet_deconvnet.ipynb)), a map in full resolution:
#
# $$L_\text{Guided Grad-CAM} = L_\text{guided backprop} \odot \text{enlarge}\big(L^c_\text{Grad-CAM}\big)$$
#
# where $\odot$ multiplies pixel by pixel. Guided backpropagation draws sharp outlines. Lesson 02 shows for the ZF-Net that the order of its pixels is nearly the same for each class. So which factor of the product chooses the object?
#
# ### Exercise: predict, then run
#
# Below, both factors and their product are computed for two different classes on the same scene. For each of the three we print the [rank correlation](glossary.md#rank-correlation) between the two maps, averaged over the scenes: 1 means that the two classes give the same map. Which of the three changes *least* with the class? Write `"guided backprop"`, `"Grad-CAM"` or `"product"`, then run the next two cells.

# %% exercise="least_changed"
answer = None
# BEGIN SOLUTION
answer = "guided backprop"
# END SOLUTION

# %%
guided = guided_backprop(model, pictures, questions).abs().amax(dim=1)
coarse = upsample(grad_cam(model, pictures, questions, layer), size)
three = {"guided backprop": guided, "Grad-CAM": coarse, "product": guided * coarse}
same_map = {name: judge.rank_correlation(maps[0::2], maps[1::2]) for name, maps in three.items()}
print({name: round(value.mean().item(), 2) for name, value in same_map.items()})
on_object = {name: judge.energy_in_mask(maps, truth) for name, maps in three.items()}
print("energy, product minus guided:", judge.paired(on_object["product"], on_object["guided backprop"]))
print("energy, product minus Grad-CAM:", judge.paired(on_object["product"], on_object["Grad-CAM"]))

# %%
exercises.least_changed.check(answer, same_map)

# %% tags=["hide-input"]
plots.show_maps(
    [lab.images[0]] * 2,
    {name: maps[:2] for name, maps in three.items()},
    labels=[f"why {lab.class_names[int(c)]}?" for c in questions[:2]],
    alone=True,
    title="One scene, two questions: guided backprop draws both objects, the product one",
    width=8,
)
plots.show(
    "Guided backprop draws both objects for both questions, the one asked for more strongly; Grad-CAM one blob each; the "
    "product the lines of one object."
)

# %% [markdown]
# The product puts more of its sum on the object than either factor. Which factor is it that knows the class? Exchange the lines: take those that guided backpropagation draws when asked for the *other* object, and an edge filter, which knows nothing about the network.

# %%
swapped = guided.view(-1, 2, *size).flip(1).flatten(0, 1)
lines = {"guided": guided, "guided for the other": swapped, "edges (Sobel)": judge.baselines.sobel(pictures)}
print("lines                 asked-for object  other object  maximum on asked-for   times Grad-CAM")
for name, maps in lines.items():
    one, two = (judge.energy_in_mask(maps, masks).mean() for masks in (truth, other_truth))
    top = judge.pointing_game(maps, truth, tolerance=5).mean()
    product = judge.energy_in_mask(maps * coarse, truth).mean()
    print(f"{name:<21} {one:16.2f} {two:13.2f} {top:21.2f} {product:16.2f}")

# %% [markdown]
# Two measures of one map disagree. By rank correlation guided backpropagation hardly changes with the class, since most pixels are weak ones of the ground, and all count alike. But its *strong* pixels follow the question in this network: more of its sum lies on the asked-for object, and so does nearly every maximum. So do not say that guided backpropagation ignores the class; say by which measure, and in which network.
#
# In the product this hardly matters. With the lines of the other question it is nearly as good: Grad-CAM, a map of 8 × 8 places, chooses the object. With the edges it is less good, and still far above the edges alone. A line inside the bright region is not evidence that this line mattered.

# %% [markdown]
# ## 3 · The bug, measured
#
# In [the core](04_grad_cam.ipynb) you mended the factors $a$ of Grad-CAM++: the division changed a copy, so $a = g^2$ remained, where $g$ is the gradient. Here is what the error does to the released maps. All maps are divided by their own maximum, so 1 would be the largest difference possible.

# %%
from torchcam.methods import GradCAMpp as GradCAMppOfTorchCam


def by_maximum(maps):
    return maps / maps.amax(dim=(1, 2), keepdim=True)


def without_division(model, inputs, target, layer):
    """Grad-CAM++ as it comes out when the denominator of a is lost: a = g²."""
    kept = []
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    logits = model(inputs)
    handle.remove()
    (g,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), kept[0])
    weights = (g.pow(2) * g.clamp(min=0)).sum(dim=(2, 3), keepdim=True)
    return torch.relu((weights * kept[0]).sum(dim=1)).detach()


# %% tags=["nbval-check-output"]
batch, target = lab.inputs[:8], lab.targets[:8, 0]
with GradCAMppOfTorchCam(model, target_layer=layer) as extractor:
    theirs = by_maximum(extractor(target.tolist(), model(batch), normalized=False)[0].detach())
formula = by_maximum(grad_cam_plus_plus(model, batch, target, layer))
judge.agreement_table(
    [
        ("the paper's formula", formula, theirs, "torch-cam 0.5.0 differs"),
        (
            "without the division",
            by_maximum(without_division(model, batch, target, layer)),
            theirs,
            "what it computes",
        ),
    ]
)

# %% tags=["hide-input"]
worst = int((formula - theirs).abs().amax(dim=(1, 2)).argmax())
gap = float((formula - theirs)[worst].abs().max())
plots.show_maps(
    [lab.images[worst]],
    {"the paper's formula": formula[worst : worst + 1], "torch-cam 0.5.0": theirs[worst : worst + 1]},
    title=f"Grad-CAM++ for “{lab.class_names[int(target[worst])]}”: the maps differ by up to {gap:.2f}",
    width=6.5,
)
plots.show(f"Two maps of one scene that look alike and differ by up to {gap:.2f}.")

# %% [markdown]
# Neither picture looks wrong. Two programs that claim the same formula are worth comparing number by number.

# %% [markdown]
# ## 4 · The forgotten `eval()`
#
# In training mode, batch normalisation uses the mean and variance of the *batch*. The explanation of a picture then depends on the pictures beside it. Below, the first picture is explained in a batch of 2 and in a batch of 20, first in training mode, then in `eval` mode.


# %%
def first_map(n):
    """Grad-CAM of the first scene, scaled to 0…1, explained together with the next n − 1 in the present mode."""
    kept = []
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    logits = model(lab.inputs[:n])
    handle.remove()
    (g,) = torch.autograd.grad(logits[:, lab.targets[0, 0]].sum(), kept[0])
    maps = torch.relu((g.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1)).detach()
    return min_max(maps)[0]


state = {name: value.clone() for name, value in model.state_dict().items()}
for mode in (True, False):
    model.train(mode)
    difference = (first_map(2) - first_map(20)).abs().max()
    print(f"{'training' if mode else 'eval'} mode: the two maps differ by up to {difference:.2f}")
    model.load_state_dict(state)  # training mode also changed the running mean and variance: put them back

# %% [markdown]
# The course's `grad_cam` switches to `eval` mode by itself and back afterwards. Of the three libraries of the core, torch-cam's Grad-CAM and captum explain in the mode that they find, and pytorch-grad-cam switches to `eval` mode and leaves the model there: call `model.eval()` before you explain anything.

# %% [markdown]
# ## 5 · Does the map depend on what the network has learnt?
#
# A map of what the network has learnt must change when the network knows something else. Draw new random weights for the last layer, then for more and more layers from the top (Adebayo and others, 2018). Compare each map with the original one
# by rank correlation: 1 means the same order of places. What would no connection give? Not 0: most objects stand near the middle, so the maps of two *different* pictures are alike, too. We measure that as a yardstick. (`randomize_cascade` does the drawing; `place` is the layer's name, since each network has its own.)

# %%
single = load_lab("scenes")
sample, sample_target = single.inputs[:32], single.targets[:32]
place = next(name for name, module in single.model.named_modules() if module is single.layer)
methods = {"Grad-CAM": grad_cam, "Layer-CAM": layer_cam, "Grad-CAM++": grad_cam_plus_plus}
originals = {name: method(single.model, sample, sample_target, place) for name, method in methods.items()}
curves, steps = {name: [1.0] for name in methods}, ["trained"]
for last, network in judge.randomize_cascade(single.model):
    steps.append(last)
    for name, method in methods.items():
        again = method(network, sample, sample_target, place)
        curves[name].append(judge.rank_correlation(again, originals[name]).mean().item())
print("after the last layer alone:", {name: round(curve[1], 2) for name, curve in curves.items()})
yardstick = {name: judge.rank_correlation(maps.roll(1, 0), maps).mean() for name, maps in originals.items()}
print("the map of another picture:", {name: round(value.item(), 2) for name, value in yardstick.items()})

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(9, 3.0))
ax.plot(curves["Grad-CAM"], "o-", label="Grad-CAM")
ax.plot(curves["Grad-CAM++"], "o-", linewidth=5, alpha=0.4, markersize=9, label="Grad-CAM++")
ax.plot(curves["Layer-CAM"], "s--", markersize=4, label="Layer-CAM")
ax.axhline(yardstick["Grad-CAM"], color=plots.BASELINE, linestyle=":", label="Grad-CAM of another picture")
ax.set_xticks(range(len(steps)), steps, rotation=30, ha="right")
ax.set(ylabel="rank correlation with\nthe trained network's map", ylim=(-0.25, 1.05))
ax.set_title("Random weights from the top down: only Grad-CAM reacts at once", loc="left")
ax.legend(loc="upper right", ncols=4, fontsize=9)
plots.show(
    "Grad-CAM falls at the first step to the dotted line of another picture's map; Layer-CAM and Grad-CAM++, on one line, fall "
    "slowly over several layers."
)

# %% [markdown]
# Grad-CAM falls as soon as the last layer is random, to a likeness near that of another picture's map. The two others fall slowly. Why? They use positive weights only. Here are maps that know nothing of the class, from the same feature maps, beside Layer-CAM's own. If the sign of the weights is what counts, random *positive* weights must give nearly Layer-CAM's map, and random weights of both signs must not.

# %%
kept = []
handle = single.layer.register_forward_hook(lambda module, arguments, output: kept.append(output.detach()))
single.model(sample)
handle.remove()
features = kept[0]  # (N, K, h, w)
draw = torch.randn(*features.shape[:2], 1, 1, generator=torch.Generator().manual_seed(0))
edges = judge.baselines.sobel(sample)[:, None]
others = {
    "random weights of both signs": (draw * features).sum(dim=1),
    "random positive weights": (draw.abs() * features).sum(dim=1),
    "no weights: the mean of all channels": features.mean(dim=1),
    "Layer-CAM for the next class": layer_cam(single.model, sample, (sample_target + 1) % 10, place),
    "edges of the picture, in 8 × 8 places": torch.nn.functional.adaptive_avg_pool2d(edges, 8)[:, 0],
}
print("rank correlation with Layer-CAM's map")
for name, maps in others.items():
    print(f"{name:<38} {judge.rank_correlation(maps, originals['Layer-CAM']).mean():5.2f}")

# %% [markdown]
# So it is the sign. With positive weights only, the sum over many channels is nearly the mean of all channels, whichever positive weights they are: it shows where the trained features are active, for one class as for another. It is not a drawing of the picture either: the edges are much less like it, and when the layers below are random too, most of the likeness is lost. [12 · Judging explanations](12_judging_explanations.ipynb) does this test with all methods of the course.

# %% [markdown]
# ## 6 · Recap
#
# - The ReLU hides what speaks against a class. In scenes with two objects, its maximum is mostly on the other object.
# - Guided Grad-CAM takes its place from Grad-CAM and its lines from guided backpropagation, whose strong pixels may follow the class while the order of all pixels hardly does.
# - Two maps can look alike and be different methods: compare numbers.
# - Explain in `eval` mode.
# - A map that survives a random last layer does not show what that layer has learnt. Layer-CAM's is nearly the mean of the feature maps.
#
# **References**
# - [Selvaraju and others, 2017: Grad-CAM](https://arxiv.org/abs/1610.02391) · [Springenberg and others, 2015: guided backpropagation](https://arxiv.org/abs/1412.6806)
# - [Adebayo and others, 2018: Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292)
