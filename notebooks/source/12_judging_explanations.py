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
# # 12 · Judging explanations: which map deserves your trust?
#
# **The question.** You have met some fifteen ways to explain a decision. They disagree. How do you find out which of them tells the truth, and the truth about what?
#
# **After this lesson you can**
# - tell apart three questions that are often confused: does the map show the *object*, does it show what the *model uses*, does it depend on the model *at all*;
# - compute the usual measures beside maps that know nothing, and say what each measure cannot see;
# - run a sanity check on a method, and say what passing it does not prove;
# - find out, as a detective with few questions, which of six networks are broken, and what they look at.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [04 · Grad-CAM](04_grad_cam.ipynb) and [08 · Saliency](08_saliency_smoothgrad_ig.ipynb).
#
# The first cell loads two [*labs*](glossary.md#lab) (a trained model with pictures and the truth about them): scenes with one drawn object, `single`, and with two, `pairs`. Of the latter it takes 30 and asks for one object in each: `pictures` are the inputs, `questions` the
# class we ask for, `truth` the pixels of that object. `methods` is the course's table of methods: `methods["Grad-CAM"].explain(model, inputs, target, layer)` gives maps as large as the pictures.

# %%
import functools

import matplotlib.pyplot as plt
import numpy as np
import torch
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l12_judging_explanations as exercises
from course_utils.judge.methods_table import image_methods
from course_utils.labs import load_lab
from course_utils.lessons import l12_judging_explanations as lesson
from course_utils.teach import plots, widgets

# %%
methods = image_methods()
single, pairs = load_lab("scenes"), load_lab("scenes", n_objects=2)
model, layer = single.model, single.layer
pictures, questions, truth = pairs.inputs[:30], pairs.targets[:30, 0], pairs.masks[:30, 0]

chosen = ["saliency", "guided backprop", "Grad-CAM", "Grad-CAM++", "occlusion"]
knows_nothing = ["edges (Sobel)", "centre", "random"]


@functools.cache
def board_maps():
    """Method → maps (30, 128, 128) for the questions; computed once."""
    names = tqdm(chosen + knows_nothing, leave=False)
    return {n: methods[n].explain(model, pictures, questions, layer) for n in names}


# %% [markdown]
# ## 1 · A puzzle: which network has never learnt anything?
#
# We ask two networks for the class that each picture shows. One network was trained. In the other, the last layers were filled with random numbers, so it guesses. Columns 1 and 2 come from one method, columns 3 and 4 from another one. In each pair one column explains the trained network and one
# the guessing network, in an order drawn at random. **Which columns belong to the guessing one?** Decide before you read on.

# %%
# the last linear layer and the last block are random
random_network = next(net for name, net in judge.randomize_cascade(model) if name == "layer4.conv1")
three = [4, 11, 22]
x, c = single.inputs[three], single.targets[three]
order = [*np.random.default_rng(7).permutation(2), *np.random.default_rng(8).permutation(2)]
puzzle = {}
for column, which in enumerate(order):
    network = [model, random_network][which]
    method = methods["guided backprop" if column < 2 else "Grad-CAM"]
    puzzle[str(column + 1)] = method.explain(network, x, c, network.layer4)

# %% tags=["hide-input", "thumbnail"]
figure, axes = plots.grid(3, 5, width=9)
for row in range(3):
    axes[row, 0].imshow(single.images[three[row]])
    for ax, (name, heat) in zip(axes[row, 1:], puzzle.items(), strict=True):
        if name in "12":
            plots.show_pixels(ax, heat[row])
        else:
            ax.imshow(plots.overlay(single.images[three[row]], heat[row]))
        if row == 0:
            ax.set_title(name)
plots.show(
    "Three scenes and four columns of maps. Columns 1 and 2 show nearly the same sharp outlines; columns 3 and 4 are coarse and "
    "differ from each other."
)

# %% [markdown]
# Columns 1 and 2 (guided backpropagation, [lesson 02](02_zfnet_deconvnet.ipynb)) look almost the same, and both look convincing. Columns 3 and 4 (Grad-CAM) differ. Now the answer. The *rank correlation* says how alike two maps are: 1 if they put the pixels in the same order,
# 0 if their orders are unrelated, −1 if they are opposite.

# %% tags=["hide-input"]
print("guessing network: columns", " and ".join(str(k + 1) for k, which in enumerate(order) if which))
for name, network in (("trained", model), ("guessing", random_network)):
    right = lesson.hits(network, single.inputs[:50], single.targets[:50]).mean()
    print(f"{name:>9} network: names {right:.0%} of the pictures correctly")
for name, (a, b) in (("guided backprop", "12"), ("Grad-CAM", "34")):
    alike = judge.rank_correlation(puzzle[a], puzzle[b]).mean()
    print(f"{name:>16}: rank correlation of its two columns {alike:.2f}")

# %% [markdown]
# Columns that are nearly the same for a network that no longer knows the classes cannot tell you why a class was chosen. Yet they lie on the object beautifully. An explanation that people like is called **plausible**. One that says what the model really does is called **faithful** (Jacovi and Goldberg, 2020). The two
# are different things, and the eye judges only the first.

# %% [markdown]
# ## 2 · The idea: three questions, three kinds of test
#
# | question | test | what it cannot see |
# |---|---|---|
# | Does the map lie on the **object**? (plausible) | compare it with a mask | the model may use something else than the object |
# | Does it lie on what the **model uses**? (faithful) | change the picture there, watch the score | the changed picture may be unlike any real one |
# | Does it depend on the **model** at all? | randomise the model, watch the map | a wrong map can change, too |
#
# A picture is $x$, its pixels are numbered by $i$. The model gives the class $c$ the probability $p_c(x)$. A map $\Phi$ has one value $\Phi_i$ a pixel; the larger, the more important. A mask $M$ is the set of pixels that belong to the object.

# %%
exercises.which_question

# %% [markdown]
# ## 3 · Does the map lie on the object?
#
# You know two measures from [lesson 04](04_grad_cam.ipynb). The **pointing game** asks whether the strongest pixel lies on the object, the **energy** for the share of the map's sum on it:
#
# $$\text{hit} = [\arg\max_i \Phi_i \in M], \qquad \text{energy} = \frac{\sum_{i \in M} \max(\Phi_i, 0)}{\sum_i \max(\Phi_i, 0)} .$$
#
# The brackets are 1 if the statement in them holds, else 0. Both are best at 1. (`tolerance=5`: a strongest pixel that misses the object by at most 5 pixels counts as a hit.)
#
# Here is a small board: five methods, and three maps that know nothing (edges, a blob in the centre, noise). The scenes have *two* objects and we ask for one, so a map of "whatever is in the picture" cannot win.

# %%
maps = board_maps()
pointing = {n: judge.pointing_game(heat, truth, tolerance=5) for n, heat in maps.items()}
energy = {n: judge.energy_in_mask(heat, truth) for n, heat in maps.items()}
for n in ("guided backprop", "edges (Sobel)"):
    print(f"pointing game, Grad-CAM minus {n}: {judge.paired(pointing['Grad-CAM'], pointing[n])}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.3))
for ax, (label, scores) in zip(axes, (("pointing game", pointing), ("energy", energy)), strict=True):
    plots.score_plot(scores, baselines=knows_nothing, xlabel=label, ax=ax, xlim=(0, 1.1))
plots.show(
    f"Pointing game and energy of five methods and three baselines. Grad-CAM {pointing['Grad-CAM'].mean():.2f} and "
    f"{energy['Grad-CAM'].mean():.2f}; edges {pointing['edges (Sobel)'].mean():.2f} and {energy['edges (Sobel)'].mean():.2f}."
)

# %% [markdown]
# A bar is the 95 % [*bootstrap interval*](glossary.md#bootstrap-interval) of the mean over the pictures. All methods saw the same pictures, so compare two of them picture by picture: that is the *paired difference* in the printed lines. The whole board, with all methods and eight measures, is in
# [12b](12b_scoreboard.ipynb).
#
# Guided backprop is among the best here, and in section 1 it hardly noticed that a network guesses. Does this board notice? Grad-CAM++ is asked, too.

# %% tags=["hide-input"]
for label, x, c, mask in (
    ("two objects", pictures, questions, truth),
    ("one object", single.inputs[:30], single.targets[:30], single.masks[:30]),
):
    for n in ("guided backprop", "Grad-CAM++"):
        heat = [methods[n].explain(network, x, c, network.layer4) for network in (model, random_network)]
        hit = [judge.pointing_game(h, mask, tolerance=5).mean() for h in heat]
        alike = judge.rank_correlation(*heat).mean()
        print(
            f"{label}, {n}: hits {hit[0]:.2f} (trained), {hit[1]:.2f} (guessing); rank correlation {alike:.2f}"
        )

# %% [markdown]
# It does. With two objects, the strongest pixel of the guessing network's map hits like that of the edges: it lies on either object. The *order of all pixels* hardly changed, the *strongest pixel* did. With one object, guided backprop hits nearly as often when the network guesses.
#
# ### The trap: one object in the middle
#
# On most photographs the object is large and in the middle. What does the pointing game measure then? We crop the scenes with one object so that it sits in the middle.

# %%
middle, middle_masks, fits = lesson.centred(single)
shown = ["Grad-CAM", "saliency", "edges (Sobel)", "centre"]
in_the_middle = {}
for n in shown:
    heat = methods[n].explain(model, middle, single.targets[fits], layer)
    in_the_middle[n] = judge.pointing_game(heat, middle_masks, 5)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 2.2))
for ax, scores, label in (
    (axes[0], in_the_middle, f"one object in the middle: pointing game, {len(fits)} pictures"),
    (
        axes[1],
        {n: pointing[n] for n in shown},
        f"two objects, one asked for: pointing game, {len(truth)} pictures",
    ),
):
    plots.score_plot(scores, sort=False, baselines=knows_nothing, xlabel=label, ax=ax, xlim=(0, 1.1))
plots.show(
    f"With one object in the middle the blob in the centre scores {in_the_middle['centre'].mean():.2f}; with two objects "
    f"{pointing['centre'].mean():.2f}."
)

# %% [markdown]
# With one object in the middle, a blob that has never seen the picture scores as high as a real method. **If a paper's benchmark has one object in the middle, ask for the score of the centre.**

# %% [markdown]
# ## 4 · Does it lie on what the model uses?
#
# **Deletion** (Petsiuk and others, 2018): take the share $q$ of the pixels with the largest $\Phi_i$ away, and write $x_q$ for what is left. If the map found what the model uses, $p_c(x_q)$ falls fast. The measure is the area under this curve; **low is good**. *Insertion* brings the strongest pixels back instead; there, high is good.
#
# $$\text{deletion} = \int_0^1 p_c(x_q)\, dq$$
#
# "Take away" needs a *substrate*: what stands there instead? Here it is the blurred picture.
#
# ### Exercise: the strongest pixels go


# %% exercise="without_strongest"
def without_strongest(x, heat, share, substrate):
    """Picture x (C, H, W) whose strongest `share` of pixels, by heat (H, W), is taken from the substrate."""
    # BEGIN SOLUTION
    gone = heat.flatten().argsort(descending=True)[: round(share * heat.numel())]
    changed = x.clone()
    changed.flatten(1)[:, gone] = substrate.flatten(1)[:, gone]
    return changed
    # END SOLUTION


# %%
exercises.without_strongest.check(without_strongest)

# %% [markdown]
# ### Play: take pixels away
#
# Choose whose strongest pixels go, how many, and what stands there instead. **With whose map is the network unsure after the fewest pixels?** (With the keyboard: Tab moves between the controls, the arrow keys change a value.)

# %%
orders = {
    n: methods[n].explain(model, single.inputs[:20], single.targets[:20], layer)
    for n in chosen[:4] + knows_nothing
}
fillings = {"blurred picture": judge.blur(single.inputs[:20]), "grey": torch.zeros_like(single.inputs[:20])}


# %% tags=["hide-input"]
def draw(number, name, gone, filling):
    _, ax = plt.subplots(figsize=(3.2, 3.4))
    plots.bare(ax)
    empty = fillings[filling][number : number + 1]
    lesson.draw_deleted(ax, single, number, orders[name][number], gone / 100, empty)
    plots.show(f"Scene {number} without the strongest {gone} % of the pixels of {name}.")


widgets.explore(
    draw,
    number=widgets.slider("scene", 0, 19, 3),
    name=widgets.choice("map", list(orders), "Grad-CAM"),
    gone=widgets.slider("% of the pixels gone", 0, 100, 4, 2),
    filling=widgets.choice("instead", list(fillings)),
)

# %% tags=["hide-input"]
figure, axes = plots.grid(3, 5, width=9)
for row, name in enumerate(("Grad-CAM", "saliency", "centre")):
    for ax, share in zip(axes[row], (0, 0.02, 0.06, 0.15, 0.4), strict=True):
        lesson.draw_deleted(ax, single, 3, orders[name][3], share, fillings["blurred picture"][3:4])
    axes[row, 0].set_ylabel(name)
plots.show(
    f"A {single.class_names[int(single.targets[3])]} disappears: in the order of Grad-CAM, of saliency, and of a blob in the centre."
)

# %% [markdown]
# ### Exercise: find the bug
#
# The probabilities at several shares $q$ make a curve. A library of measures once added up the strips under such a curve as if each were 1 wide. Its areas grew with the number of steps, so they could not be compared with anybody else's. Repair it: the fractions have to count.


# %% exercise="curve_area"
def curve_area(probabilities, fractions):
    """The area (N,) under each curve: probabilities (N, S) at the ascending fractions (S,), by trapezoids."""
    # BEGIN STUB
    # middle = (probabilities[:, 1:] + probabilities[:, :-1]) / 2
    # return middle.sum(dim=1)
    # END STUB
    # BEGIN SOLUTION
    middle = (probabilities[:, 1:] + probabilities[:, :-1]) / 2
    return (middle * fractions.diff()).sum(dim=1)
    # END SOLUTION


# %%
exercises.curve_area.check(curve_area)

# %% [markdown]
# Now deletion for the board of section 3, by the course's `judge.deletion`. (For speed, the curve is taken at 4, 15 and 40 % of the pixels and at both ends.)

# %%
fractions = (0.04, 0.15, 0.4)
deletion = {
    n: judge.deletion(model, pictures, questions, heat, substrate="blur", fractions=fractions).area
    for n, heat in tqdm(board_maps().items(), leave=False)
}
for n in ("saliency", "random"):
    print(f"deletion (low is good), Grad-CAM minus {n}: {judge.paired(deletion['Grad-CAM'], deletion[n])}")

# %% tags=["hide-input"]
high_first = dict(sorted(deletion.items(), key=lambda item: float(item[1].mean())))
plots.score_plot(
    high_first, sort=False, baselines=knows_nothing, xlabel="area under the deletion curve: low is good, best on top", xlim=(0, 0.6)
)  # fmt: skip
plots.show("Deletion: " + ", ".join(f"{n} {v.mean():.2f}" for n, v in high_first.items()))

# %% [markdown]
# Does it matter how the pixels lie? A control without any map: take half of the object's pixels away, once as one connected piece, once scattered over the object.

# %% tags=["hide-input"]
x, c, objects = single.inputs[:60], single.targets[:60], single.masks[:60]
empties = {"light blur": judge.blur(x), "grey": torch.zeros_like(x), "mean colour": x.mean((2, 3), True)}
for name, empty in empties.items():
    left = []
    for scattered in (False, True):
        half = lesson.half_of(objects, scattered=scattered)[:, None]
        with torch.no_grad():
            p = model(torch.where(half, empty, x)).softmax(dim=1)
        left.append(p.gather(1, c[:, None])[:, 0])
    print(f"{name}: one piece gone {left[0].mean():.2f}, half of the pixels scattered {left[1].mean():.2f}")
    print("   one piece minus scattered:", judge.paired(*left))

# %% [markdown]
# Scattered holes cost less, above all with the light blur, which fills them with the colours around them; with the mean colour much less of the gap is left. Does that help coarse maps? By deletion hardly: shuffle the pixels of Grad-CAM inside blocks of 16 × 16, and the area grows by 0.01 to 0.03. But insertion into grey then falls by 0.1 or more. The substrate decides how much a connected map gains.
#
# ### The trap: nothing is also a picture
#
# A deletion curve ends at the probability that the class has in a picture with nothing left. What does the network say about such a picture?

# %% tags=["hide-input"]
for name, empty in (
    ("grey", torch.zeros_like(single.inputs[:40])),
    ("blurred", judge.blur(single.inputs[:40], 24)),
):
    with torch.no_grad():
        p = model(empty).softmax(dim=1)
    favourite = int(p.mean(dim=0).argmax())
    ends = p.gather(1, single.targets[:40, None])[:, 0]  # where the deletion curve of each picture ends
    own = single.targets[:40] == favourite
    print(
        f"{name:>8}: mostly {single.class_names[favourite]!r} (mean probability {p[:, favourite].mean():.2f}); "
        f"its own curves end at {ends[own].mean():.2f}, those of the other classes at {ends[~own].mean():.2f}"
    )

# %% [markdown]
# The network has an opinion about an empty picture, too. That changes the areas of some classes, whatever the map. So when a paper reports deletion, ask: with which substrate? [12b](12b_scoreboard.ipynb) changes it and looks at what happens to the order of the methods.
#
# ### A right explanation of a wrong model
#
# Masks and model can disagree. Here are the two horse models of lesson 04 (one was trained on horses that all bear a caption), each with a map that asks the model (Grad-CAM) and one that does not (edges). We measure the energy on the horse and on the caption. And we
# ask the model itself: how far does the probability of "horse" fall when only the caption is taken out?

# %%
on_horse, on_caption = {}, {}
for kind in ("clean", "shortcut"):
    lab = load_lab("watermark", model=kind)
    horse = lab.class_names.index("horse")
    fall = lab.predict(lab.images)[:, horse] - lab.predict(lab.counterfactuals)[:, horse]
    print(f"{kind:>8} model: without the caption the probability of 'horse' falls by {fall.mean():.2f}")
    for n in ("Grad-CAM", "edges (Sobel)"):
        heat = methods[n].explain(lab.model, lab.inputs, torch.full((len(lab),), horse), lab.layer)
        on_horse[f"{kind} model, {n}"] = judge.energy_in_mask(heat, lab.masks)
        on_caption[f"{kind} model, {n}"] = judge.energy_in_mask(heat, lab.shortcut)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 2.2))
for ax, values, label in ((axes[0], on_horse, "the horse"), (axes[1], on_caption, "the caption")):
    edges = [n for n in values if "edges" in n]
    plots.score_plot(values, sort=False, xlabel=f"energy on {label}", ax=ax, baselines=edges, xlim=(0, 0.5))
plots.show(
    "; ".join(f"{n}: horse {on_horse[n].mean():.2f}, caption {on_caption[n].mean():.2f}" for n in on_horse)
)

# %% [markdown]
# By the horse's mask, Grad-CAM of the shortcut model is a *worse* map than Grad-CAM of the clean model. But the printed lines say that this model needs the caption. A map on the caption is a **right explanation of a wrong model**. The edges score the same on both models: they are a **wrong explanation of either**, and the mask cannot tell the
# two cases apart. Only the model can.

# %% [markdown]
# ## 5 · Does it depend on the model at all?
#
# Adebayo and others (2018): draw the weights of the last layer anew, then of more and more layers, and compare each map with the original one by rank correlation.
#
# ### Exercise: predict, then run
#
# The methods are saliency, gradient × input, guided backprop, CAM, Grad-CAM and Grad-CAM++. Which of them keeps the order of its pixels most when only the last layer is random? Write a name. (If two are too close to be told apart, the check accepts both.)

# %% exercise="most_stubborn"
answer = None  # for example "CAM"
# BEGIN SOLUTION
answer = "Grad-CAM++"
# END SOLUTION

# %%
checked = "saliency, gradient × input, guided backprop, CAM, Grad-CAM, Grad-CAM++, edges (Sobel)".split(", ")
sample, sample_targets = single.inputs[:10], single.targets[:10]
stages = {"fc": "last layer", "layer4.conv1": "+ layer4", "stem.conv": "all"}
originals = {n: methods[n].explain(model, sample, sample_targets, layer) for n in checked}
kept = {stage: {n: [] for n in checked} for stage in stages}
for seed in range(2):  # two draws of the random weights
    for stage, network in tqdm(judge.randomize_cascade(model, seed=seed), total=13, leave=False):
        for n in checked if stage in stages else ():
            heat = methods[n].explain(network.eval(), sample, sample_targets, network.layer4)
            kept[stage][n].append(judge.rank_correlation(heat, originals[n]))

# %%
last_layer = {n: torch.cat(values) for n, values in kept["fc"].items()}
exercises.most_stubborn.check(answer, last_layer, ["edges (Sobel)"])

# %% tags=["hide-input"]
table = [[float(torch.cat(kept[stage][n]).mean()) for stage in stages] for n in checked]
generator = torch.Generator().manual_seed(1)
first, *others = (judge.baselines.random(sample, generator=generator) for _ in range(4))
table.append([float(judge.rank_correlation(first, noise).mean()) for noise in others])
rows = [*checked, "fresh noise"]
plots.matrix_plot(
    table,
    rows,
    list(stages.values()),
    signed=True,
    title="Rank correlation with the trained network's map",
)
plots.show(
    "Rows are methods, columns say how much is random. "
    + "; ".join(f"{n} {row[0]:.2f}" for n, row in zip(rows, table, strict=True))
)

# %% [markdown]
# Ten pictures and two draws: read large differences only. The edges never change, since they do not look at the network. CAM and Grad-CAM change a lot, saliency less, guided backprop and Grad-CAM++ hardly, though the *last* layer decides which class is which. For Grad-CAM++ there is a reason: its weights of the channels are never negative, so its map resembles the sum of all channels. (Set Grad-CAM's negative weights to 0, and it keeps about 0.93, too.)
#
# Two warnings. Fresh noise changes completely: by this table it is as good as CAM. And the table is about the order of *all* pixels. The strongest pixels of guided backprop and of Grad-CAM++ followed the question in section 3, and they notice a random last layer at once: with it they lie on the other object as often as on the one that we ask for.
# [12b](12b_scoreboard.ipynb) shows that another measure of likeness (SSIM) can give another verdict, for example on guided Grad-CAM.
#
# A second check makes the *labels* random: a network that has learnt them by heart (a *memoriser*) should get other maps than an honest one. [12d](12d_retraining.ipynb) trains such networks and shows why the check needs several of each kind. **A map that passes may be wrong; one that fails by its order may still tell something by its strongest pixels. Say which measure failed.**

# %% [markdown]
# ## 6 · One table: which test asks what?
#
# | test | asks about | won by a map that knows nothing? | ask the author |
# |---|---|---|---|
# | pointing game, energy | the object | yes, if there is one object in the middle | where does the centre stand? |
# | deletion, insertion | what the model uses | sometimes: the centre, if the object is there (section 7) | which substrate? where does a random order stand? |
# | taking one thing out (the caption) | what the model uses | no: it asks no map at all | is only this one thing changed? |
# | random weights | the model's weights | yes: fresh noise passes (edges fail) | all pixels or the strongest? are two runs on one model alike? |
# | random labels ([12d](12d_retraining.ipynb)) | what was learnt | no: edges fail, and noise | how many seeds? how alike are two honest networks? |
# | sensitivity ([12b](12b_scoreboard.ipynb)) | how far the map moves when the pixels change a little | yes: a constant never moves | which maps are best at it? |
#
# **A measure that a constant map wins cannot stand alone.** No method has to win all of them: say which question you ask, and take the test of that question. Two more kinds of test need the training data or the weights: train again without the pixels ([12d](12d_retraining.ipynb)), and networks set by hand whose right answer is known ([12b](12b_scoreboard.ipynb)).

# %% [markdown]
# ## 7 · The real thing
#
# EfficientNet-Lite0, a network trained on ImageNet, and real photographs. First two photographs side by side, each pair asked for both of its objects; the truth is the *half* of the picture. Then single photographs: nobody drew masks for them, so we can ask for deletion only.

# %%
photos, alone = load_lab("photos", pairs=True), load_lab("photos")
both = photos.inputs[:5].repeat_interleave(2, dim=0)
both_targets, halves = photos.targets[:5].flatten(), photos.masks[:5].flatten(0, 1)
rivals = ["Grad-CAM", "saliency", "centre", "random"]
in_half, areas, beside = {}, {}, {}
how = {"substrate": "blur", "fractions": fractions}
for n in tqdm(rivals, leave=False):
    heat = methods[n].explain(photos.model, both, both_targets, photos.layer)
    in_half[n] = judge.energy_in_mask(heat, halves)
    beside[n] = judge.deletion(photos.model, both, both_targets, heat, **how).area
    heat = methods[n].explain(alone.model, alone.inputs, alone.targets, alone.layer)
    areas[n] = judge.deletion(alone.model, alone.inputs, alone.targets, heat, **how).area
for label, found in (("single photographs", areas), ("pairs", beside)):
    print(f"deletion, {label}, Grad-CAM minus centre:", judge.paired(found["Grad-CAM"], found["centre"]))

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.6))
plots.score_plot(in_half, sort=False, baselines=knows_nothing, xlabel=f"pairs: energy on the asked-for half ({len(halves)} questions)", ax=axes[0], xlim=(0, 1.1))  # fmt: skip
plots.score_plot(areas, sort=False, baselines=knows_nothing, xlabel=f"single photographs: deletion, low is good ({len(alone)})", ax=axes[1], xlim=(0, 0.6))  # fmt: skip
plots.show(
    f"Pairs: Grad-CAM {in_half['Grad-CAM'].mean():.2f} on the right half, the centre {in_half['centre'].mean():.2f}. Single "
    f"photographs, deletion: Grad-CAM {areas['Grad-CAM'].mean():.2f}, centre {areas['centre'].mean():.2f}, random {areas['random'].mean():.2f}."
)

# %% [markdown]
# On single photographs the blob is as good as Grad-CAM by deletion, and saliency is no better than noise. Is the reason the trap of section 3, an object in the middle? The pairs are the control, with no object in the middle: there Grad-CAM is ahead, by energy and (second printed line) by deletion. Few photographs, though: read large differences only.
#
# ### Your turn
#
# Change the path (a picture, or a folder of pictures) and, if you like, the model's name; nothing else. The maps stand beside the centre, with the deletion area of each. (Saliency is drawn in small blocks, its strongest hundredth cut off, or you would see nothing.)

# %%
mine = load_lab("photos", path=None, model="efficientnet_lite0")
v = mine.inputs[:3]
with torch.no_grad():
    top = mine.model(v).argmax(dim=1)
my_maps = {n: methods[n].explain(mine.model, v, top, mine.layer) for n in ("Grad-CAM", "saliency", "centre")}
names = [mine.class_names[int(t)] for t in top]
print("deletion (low is good) for", ", ".join(names))
for n, heat in my_maps.items():
    area = judge.deletion(mine.model, v, top, heat, substrate="blur", fractions=fractions).area
    print(f"{n:>9}:", "  ".join(f"{value:.2f}" for value in area))

# %% tags=["hide-input"]
seen = {n: lesson.for_the_eye(heat) if n == "saliency" else heat for n, heat in my_maps.items()}
plots.show_maps(list(mine.images[:3]), seen, labels=names, width=7.5)
plots.show("Pictures down the side; Grad-CAM, saliency and the centre for the most probable class of each.")

# %% [markdown]
# ## 8 · The detective
#
# Six suspects, six networks. All of them name the same pictures almost perfectly. Some are **honest**: they look at the animal or the car. Between two and four are **broken**: each of these looks at one of five other things that go with one class *in these pictures*:
#
# - `watermark`: a mark stamped on the picture;
# - `background`: the ground it stands on;
# - `position`: the quarter of the picture in which the object lies;
# - `texture`: the pattern on the object's surface;
# - `colour`: the object's colour.
#
# All five ties are there in the pictures, so neither the pictures nor the accuracy tells who is broken. **Who, and what do they look at?**
#
# The rules: maps of the case's own pictures are free. But each suspect answers only **three changed pictures**, and there are five things to change. So the maps have to tell you what to ask. There is **one verdict**.

# %%
case = load_lab("detective", seed=0, questions=3, verdicts=1)  # another seed is another case
print("accuracy:", ", ".join(f"{name} {value:.2f}" for name, value in case.accuracy.items()))
for kind, (class_name, value) in lesson.visible_ties(case).items():
    print(f"{kind:>10}: each {class_name} has {value!r}, and no other picture has")

# %% tags=["hide-input"]
suspects_maps = lesson.suspect_maps(case)
rows = [0, 1, 2, 3]
plots.show_maps(
    [case.images[i] for i in rows],
    {name: heat[rows] for name, heat in suspects_maps.items()},
    labels=[case.class_names[int(case.targets[i])] for i in rows],
    title="Grad-CAM of the six suspects for the right class",
    width=9,
)
plots.show(
    "Four pictures and the Grad-CAM maps of six suspects. Some maps lie on the object, some beside it."
)

# %% [markdown]
# Four pictures are few. Measure it on all 120 of the case: the share of each suspect's map on the object, and on the mark, for each class. Compare a cell with the others *in its column*.

# %% tags=["hide-input"]
on_object = lesson.share_on(case, suspects_maps, case.masks)
on_mark = lesson.share_on(case, suspects_maps, case.regions["watermark"])
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.4))
for ax, values, title in ((axes[0], on_object, "on the object"), (axes[1], on_mark, "on the mark")):
    names = [f"suspect {name}" for name in case.names]
    plots.matrix_plot(values, names, list(case.class_names), title=f"Share of Grad-CAM {title}", ax=ax)
plots.show("Two tables, suspects by classes: the share of Grad-CAM on the object, and on the stamped mark.")

# %% [markdown]
# ### Exercise: the detective
#
# First write what the maps say: `None` for a suspect that looks honest, or one of the five kinds. A map of places has a limit: **it says where, not what**. A network that reads the object's texture or colour looks at the object, as an honest one does.
#
# Then spend your questions where the maps cannot tell. `case.render(colour="red")` draws all pictures with the named thing changed; `case["A"].predict(images[numbers])` asks suspect A about some of them; `case.choices` lists what can be chosen, and `case.questions_left` what is left.

# %% exercise="detective"
from_maps = None  # for example {"A": None, "B": "background", "C": None, …}
answers = None  # the same after your questions
# BEGIN SOLUTION
from_maps = lesson.guess_from_maps(case, suspects_maps)  # a rule that reads the two tables
answers = {}
for name, kinds in lesson.still_possible(case, suspects_maps).items():  # one or two kinds are left
    answers[name] = kinds[0] if len(kinds) == 1 else lesson.ask_about(case, name, kinds)
# END SOLUTION

# %%
print("No answers yet." if answers is None else case.verdict(answers, before=from_maps))

# %%
exercises.detective.check(answers, case)

# %% [markdown]
# When the case is closed, `case.reveal()` tells the truth. Now three ways side by side, by fixed rules on new cases, with an answer that knows nothing (*nobody is broken*): *maps alone*; *three questions alone*, about the five things in a random order; and *maps, then questions*: the maps leave at most two of the five things open for each suspect, and the same three questions go there. (A changed answer is tried on a
# second picture before it counts.)

# %%
points = {}
for seed in tqdm(range(1, 4), leave=False):
    new = load_lab("detective", seed=seed)
    ways = {"nobody is broken": dict.fromkeys(new)} | lesson.three_ways(new)
    for rule, said in ways.items():
        points.setdefault(rule, []).extend(new.verdict(said).points.values())
for rule, of_suspects in points.items():
    print(f"{rule:>20}: {np.mean(of_suspects) / 2:.0%} of the points ({len(of_suspects)} suspects)")

# %% [markdown]
# Maps tell who looks away from the object, and for which class. They never see texture and colour, and they hardly tell the background from the position. A question can find everything, but it asks about one thing, and there are only three. **Maps say what to ask; changing the picture says whether it is true.**

# %% [markdown]
# ## 9 · Recap
#
# - *Plausible* is what people like, *faithful* is what the model does. A mask tests the first, changing the picture or the model the second.
# - Put maps that know nothing beside each measure: the centre, the edges, a random order, a constant.
# - Deletion needs a substrate, and an empty picture is a picture, too.
# - A map beside the object may be a right explanation of a wrong model. Ask the model.
# - A sanity check randomises the model and compares maps. Noise passes it, and a verdict on the order of all pixels says nothing of the strongest ones.
# - More: [12b](12b_scoreboard.ipynb) has all methods on one scoreboard, settings that change an order, and unit tests for explanations; [12c](12c_agreement.ipynb) compares our programs with the libraries; [12d](12d_retraining.ipynb) trains networks again: without the pixels that a map calls important, and on random labels.
#
# <details><summary>The paper in ten questions</summary>
#
# J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim: *Sanity Checks for Saliency Maps* (NeurIPS 2018).
#
# 1. **Which problem?** Explanations were compared by looking at them. How does one find out that a map says nothing about the model?
# 2. **Is it new?** Earlier work had noticed that some maps ignore the class. The two simple, general tests (random weights, random labels) are new.
# 3. **Which hypothesis?** A map that explains what a model has learnt must change when what it has learnt is destroyed.
# 4. **Related work?** Saliency (2014), guided backpropagation (2015), a theory of why it restores the picture (Nie and others, 2018), input invariance (Kindermans and others, 2019).
# 5. **The key idea?** Randomise the model, not the picture; compare the maps with a measure of likeness.
# 6. **Which experiments?** Cascading and independent randomisation of Inception v3 and of smaller networks; networks trained on random labels.
# 7. **Data and code?** ImageNet, Fashion-MNIST, MNIST; the code is public.
# 8. **Do the results support it?** For guided backpropagation yes, as you have seen. For some methods the verdict depends on the measure of likeness and on the treatment of signs.
# 9. **What did it contribute?** A test that everybody can run, and the habit of asking for it.
# 10. **What next?** Tests with retraining (ROAR), with known truth (planted shortcuts, networks set by hand), and theory: when *can* a map be right?
#
# </details>
#
# **References**
# - [Adebayo and others, 2018: Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292) · [Jacovi and Goldberg, 2020: Towards faithfully interpretable NLP systems](https://arxiv.org/abs/2004.03685)
# - [Petsiuk and others, 2018: RISE (deletion and insertion)](https://arxiv.org/abs/1806.07421) · [Zhang and others, 2016: the pointing game](https://arxiv.org/abs/1608.00507)
# - [Yeh and others, 2019: On the (in)fidelity and sensitivity of explanations](https://arxiv.org/abs/1901.09392) · [Lapuschkin and others, 2019: Unmasking Clever Hans predictors](https://www.nature.com/articles/s41467-019-08987-4)
