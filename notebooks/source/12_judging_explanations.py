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
# - compute the usual measures by hand, and say what each of them cannot see;
# - put all methods of the course on one scoreboard, with intervals and with maps that know nothing;
# - show how a ranking of methods can change with a setting of the measure, and whether the change is more than chance;
# - run sanity checks and unit tests on an explanation method, your own included;
# - find out, as a detective, which of six networks are broken, and what they look at.
#
# **Time**: about 120 minutes. **Before**: lessons 04 and 08; more of the others help. The scoreboard takes one to two minutes the first time, and a moment after that.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import judge
from course_utils.exercises import l12_judging_explanations as exercises
from course_utils.judge.registry import image_methods
from course_utils.labs import LabUnavailable, load_lab
from course_utils.methods.cam import grad_cam, min_max, upsample
from course_utils.methods.deconvnet import guided_backprop
from course_utils.methods.gradients import input_x_gradient, integrated_gradients, saliency
from course_utils.teach import plots, widgets

single = load_lab("scenes")
model, layer = single.model, single.layer

# %% [markdown]
# ## 1 · A puzzle: who has never learnt anything?
#
# Two networks, A and B. One was trained. In the other one, the last layers were filled with random numbers, so it guesses. Two methods explain the same class, the one that the picture really shows, in both. Columns 1 and 2 come from one method, columns 3 and 4 from the other; a lot decides the order in each pair. In each pair, one column
# explains the trained network and one the guessing network. **Which columns belong to the guessing one?** Decide before you read on.

# %%
guessing = {}
for name, network in judge.randomize_cascade(model):
    guessing[name] = network.eval()
    if name == "layer4.conv1":  # the last linear layer and the last block are random now
        break
random_network = guessing["layer4.conv1"]

few, few_targets = single.inputs[[4, 11, 22]], single.targets[[4, 11, 22]]


def strongest(values):
    """(N, 3, H, W) to (N, H, W): the strongest colour channel."""
    return values.abs().amax(dim=1)


lot = np.random.default_rng(7).permutation
networks = [model, random_network]
order = [*lot(2), *lot(2)]  # 0 is the trained network, 1 the guessing one
puzzle = {}
for column, which in zip("1234", order, strict=True):
    network = networks[which]
    if column in "12":
        puzzle[column] = strongest(guided_backprop(network, few, few_targets))
    else:
        puzzle[column] = grad_cam(network, few, few_targets, network.layer4)
figure, axes = plots.grid(3, 5, width=9)
for row in range(3):
    axes[row, 0].imshow(single.images[[4, 11, 22][row]])
    for ax, (name, heat) in zip(axes[row, 1:], puzzle.items(), strict=True):
        if name in "12":
            plots.show_pixels(ax, heat[row])
        else:
            ax.imshow(plots.overlay(single.images[[4, 11, 22][row]], heat[row]))
        if row == 0:
            ax.set_title(name)
plt.show()

# %% [markdown]
# Columns 1 and 2 (a fine-grained method, guided backpropagation, lesson 02) look almost the same, and both look *convincing*: sharp outlines, right on the things in the picture. Columns 3 and 4 (Grad-CAM, lesson 04) differ. Now the answer, with a number for how alike the two maps of each method are.

# %%
with torch.no_grad():
    right = {
        name: float((network(single.inputs).argmax(dim=1) == single.targets).float().mean())
        for name, network in (("trained", model), ("guessing", random_network))
    }
print("share of pictures named correctly:", {name: round(value, 2) for name, value in right.items()})
print("guessing network: columns", " and ".join(c for c, which in zip("1234", order, strict=True) if which))
alike = {
    "guided backprop": judge.rank_correlation(puzzle["1"], puzzle["2"]).mean(),
    "Grad-CAM": judge.rank_correlation(puzzle["3"], puzzle["4"]).mean(),
}
for name, value in alike.items():
    print(
        f"{name}: rank correlation of the two networks' maps {value:.2f}  (1 = the same order of pixels, 0 = unrelated)"
    )

# %% [markdown]
# A map that is nearly the same for a network that can no longer tell the classes apart tells you little about why it chose this class. (Little, not nothing: section 4 finds a trace.) And yet it points at the object beautifully. So "it looks right" is worth little, and even "it lies on the object" needs a second thought. That is what this lesson is about.

# %% [markdown]
# ## 2 · The idea: three questions, three kinds of test
#
# An explanation is a claim about a *model*. There are three ways to put it on trial.
#
# | question | test | what it cannot see |
# |---|---|---|
# | Does the map lie on the **object**? | compare it with a mask | the model may use something else than the object |
# | Does it lie on what the **model uses**? | change the picture there, watch the score | the changed picture may be unlike any real one |
# | Does it depend on the **model** at all? | randomise the model, watch the map | passing is necessary, not sufficient |
#
# We use this notation: a picture $x$ with pixels $i$, a model's probability $p_c(x)$ and score (logit) $y_c(x)$ for the class $c$, a map $\Phi$ with one value $\Phi_i$ a pixel, and a mask $M$, the set of pixels that belong to the object.
#
# ### Measures that need a mask
#
# The **pointing game** asks for the strongest pixel, the **energy** for the share of the mass. **IoU** (intersection over union) compares the mask with a set $K$ of as many pixels as the object has, the strongest of the map; $|K|$ is the number of pixels in $K$:
#
# $$\text{hit} = [\arg\max_i \Phi_i \in M], \qquad \text{energy} = \frac{\sum_{i \in M} \max(\Phi_i, 0)}{\sum_i \max(\Phi_i, 0)}, \qquad \text{IoU} = \frac{|K \cap M|}{|K \cup M|}, \quad |K| = |M| .$$
#
# The brackets are 1 if the statement in them holds, else 0. All three are best at 1.

# %%
pairs = load_lab("scenes", n_objects=2)
pictures, questions, truth = pairs.inputs[:50], pairs.targets[:50, 0], pairs.masks[:50, 0]
size = truth.shape[-2:]
heat = upsample(grad_cam(model, pictures, questions, layer), size)

top = heat[0].argmax()
row, column = int(top) // size[1], int(top) % size[1]
positive = heat[0].clamp(min=0)
print("hit:   ", bool(truth[0, row, column]), " judge:", float(judge.pointing_game(heat, truth)[0]))
print(
    f"energy: {positive[truth[0]].sum() / positive.sum():.3f}  judge: {judge.energy_in_mask(heat, truth)[0]:.3f}"
)
strong = torch.zeros_like(truth[0]).flatten()
strong[heat[0].flatten().topk(int(truth[0].sum())).indices] = True
strong = strong.view(size)
print(
    f"IoU:    {(strong & truth[0]).sum() / (strong | truth[0]).sum():.3f}  judge: {judge.mask_iou(heat, truth)[0]:.3f}"
)

# %% [markdown]
# ### Measures that ask the model
#
# **Deletion** (Petsiuk and others, 2018): sort the pixels by $\Phi$, take the strongest share $q$ of them away, and call the probability of what is left $p_c(q)$. A map that found what the model uses makes $p_c$ fall fast. The measure is the area under the curve, **low is good**. **Insertion** starts from nothing and brings the strongest pixels back; there, high is good.
#
# $$\text{deletion} = \int_0^1 p_c(q)\, dq .$$
#
# "Take away" needs a *substrate*: what stands there instead? Here it is the blurred picture. Remember that choice. It will come back.


# %%
def my_deletion(model, x, c, heat, substrate, n_steps=16):
    """Fractions, probabilities and area for one picture x (1, C, H, W) and its map (H, W)."""
    order = heat.flatten().argsort(descending=True)
    fractions = torch.linspace(0, 1, n_steps + 1)
    changed, stages = x.clone(), []
    for fraction in fractions:
        gone = order[: round(float(fraction) * len(order))]
        changed = x.clone()
        changed.flatten(2)[:, :, gone] = substrate.flatten(2)[:, :, gone]
        stages.append(changed)
    with torch.no_grad():
        probabilities = model(torch.cat(stages)).softmax(dim=1)[:, c]
    return fractions, probabilities, torch.trapezoid(probabilities, fractions), stages


one = 3
x, c = single.inputs[one : one + 1], int(single.targets[one])
good = upsample(grad_cam(model, x, c, layer), size)[0]
poor = judge.baselines.center(x)[0]
curves = {
    name: my_deletion(model, x, c, m, judge.blur(x)) for name, m in (("Grad-CAM", good), ("centre", poor))
}

figure, axes = plots.grid(2, 5, width=9)
for row, (name, (_, values, _, stages)) in enumerate(curves.items()):
    for ax, step in zip(axes[row], (0, 2, 4, 8, 16), strict=True):
        ax.imshow(single.to_images(stages[step])[0])
        ax.set_title(f"{step / 16:.0%} gone: p = {values[step]:.2f}", fontsize=9)
    axes[row, 0].set_ylabel(name)
plt.show()
figure, ax = plt.subplots(figsize=(6, 2.6))
for name, (fractions, values, area, _) in curves.items():
    ax.plot(fractions, values, "o-", markersize=4, label=f"{name}: area {area:.2f}")
ax.set(xlabel="share of the pixels deleted", ylabel=f"probability of {single.class_names[c]}", ylim=(0, 1.05))
ax.legend()
plt.show()

# %% [markdown]
# Above: the picture while the strongest pixels of a map are blurred away, for Grad-CAM and for a blob in the centre that knows nothing. Below: the two curves. The area is the score of the map on this one picture.
#
# Two more measures of the same kind. **Infidelity** (Yeh and others, 2019) covers random places: if the map says that a place is worth 3, the score should fall by 3 when it is covered. We cover squares $S$ and write $\Delta(S)$ for the fall of the score:
#
# $$\text{infidelity} = \frac{\text{mean}_S \big( a \sum_{i \in S}\Phi_i - \Delta(S) \big)^2}{\text{mean}_S\, \Delta(S)^2} .$$
#
# The factor $a \ge 0$ that fits best takes the map's unit out, and the denominator makes 1 mean "no better than claiming that nothing ever changes". 0 is perfect.
#
# **Sensitivity** asks whether the map stays when the picture changes invisibly: the relative change of the map under a tiny change of the pixels. Low is good, but see who is best at that.
#
# **Complexity** (Bhatt and others, 2020) is no judgement, only a description: the entropy of the shares $|\Phi_i| / \sum_j |\Phi_j|$, scaled so that 0 is a single pixel and 1 the same everywhere.

# %% [markdown]
# ## 3 · The proof: our measures beside independent ones
#
# Measures are programs too, and programs have bugs. captum has infidelity and sensitivity, SciPy has the rank correlation, scikit-learn the area under a curve. (Infidelity in the paper's own form here: random noise as perturbation, no factor, no denominator. The scoreboard's form, with squares, has no independent program, and neither have insertion, complexity and the energy: for these you rely on the course's own tests.)

# %%
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max as captum_sensitivity
from scipy.stats import spearmanr
from sklearn.metrics import auc

check, check_targets = single.inputs[:2], single.targets[:2]
values = input_x_gradient(model, check, check_targets)
changes = 0.1 * torch.randn(4, *check.shape, generator=torch.Generator().manual_seed(0))
repeated = changes.transpose(0, 1).flatten(0, 1)
ours_infidelity = judge.infidelity(model, check, check_targets, values, perturbations=changes)
theirs_infidelity = captum_infidelity(
    model, lambda v: (repeated, v - repeated), check, values, target=check_targets, n_perturb_samples=4
)


def explain(v):
    """captum gives a tuple and wants one back, then a tensor."""
    target = check_targets.repeat_interleave(len(v[0] if isinstance(v, tuple) else v) // 2)
    return (saliency(model, v[0], target),) if isinstance(v, tuple) else saliency(model, v, target)


ours_sensitivity = judge.sensitivity_max(
    lambda v: saliency(model, v, check_targets), check, perturbations=changes
)
theirs_sensitivity = captum_sensitivity(explain, check, lambda v: v + repeated, n_perturb_samples=4)
two_maps = [judge.baselines.sobel(check), strongest(values)]
no_ties = strongest(input_x_gradient(model, x, c))  # where pixels tie, each program may choose its own order
ours_curve = judge.deletion(model, x, c, no_ties, n_steps=16, substrate="blur")
by_hand = my_deletion(model, x, c, no_ties[0], judge.blur(x))

# %%
# NBVAL_CHECK_OUTPUT
judge.agreement_table(
    [
        ("your deletion curve", ours_curve.probabilities[0], by_hand[1], "the same substrate, no ties"),
        (
            "scikit-learn auc",
            ours_curve.area[0],
            auc(ours_curve.fractions.numpy(), ours_curve.probabilities[0].numpy()),
            "trapezoids",
        ),
        (
            "captum infidelity",
            ours_infidelity / ours_infidelity.max(),
            theirs_infidelity / ours_infidelity.max(),
            "the same perturbations",
        ),
        ("captum sensitivity_max", ours_sensitivity, theirs_sensitivity, "the same perturbations"),
        (
            "SciPy spearmanr",
            judge.rank_correlation(*two_maps),
            np.array([spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(*two_maps, strict=True)]),
            "ranks, ties share theirs",
        ),
    ]
)

# %% [markdown]
# ## 4 · The scoreboard
#
# All image methods of the course, on the same 50 scenes with two objects each, each asked for one of the two, by the same measures. Beside them play four maps that know nothing: the picture's edges, a blob in the centre, noise, and a constant.
#
# The list of the methods is a *registry*: a name, a function, its settings. Nobody is left out by hand. The settings are small (LIME gets 32 questions, SmoothGrad 5 noisy copies, Score-CAM the 32 most active channels), because all of it has to run while you wait. So this is a comparison of the methods *with these settings*. The measures are trimmed, too: the deletion and insertion curves have three points only (4, 15 and 40 % of the pixels), and the pointing game forgives 5 pixels.

# %%
from course_utils.judge.scoreboard import MEASURES, Settings, scoreboard

methods = image_methods()
for family in ("gradients", "cam", "perturbation", "baseline"):
    names = [
        name + "".join(f", {key}={value}" for key, value in method.settings.items())
        for name, method in methods.items()
        if method.family == family
    ]
    print(f"{family}: " + " | ".join(names))

# %%
board = scoreboard(model, pictures, questions, truth, layer, methods=methods, settings=Settings())
print(f"{len(board.values)} methods, {len(pictures)} pictures; every result has an interval")

# %% [markdown]
# The results are kept in your user cache, under a key made of everything that decides them: weights, pictures, code, settings. Change one of them, and the method is measured again; change nothing, and the next run takes a moment.
#
# The whole table: the number is the mean, the colour is the *rank* in its column (dark is better). Complexity has no better or worse, so it is not coloured. "Passes" counts the pictures that went through the network forward and backward to explain one picture.


# %%
def board_figure(board, measures):
    """A table of means, coloured by rank; methods in the order of their mean rank."""
    ranked = [m for m in measures if MEASURES[m][0] is not None]
    ranks = {m: board.rank(m) for m in ranked}
    names = sorted(board.values, key=lambda name: np.mean([ranks[m][name] for m in ranked]))
    shade = np.full((len(names), len(measures) + 1), np.nan)
    figure, ax = plt.subplots(figsize=(10, 0.31 * len(names) + 0.9))
    for j, m in enumerate(measures):
        for i, name in enumerate(names):
            if m in ranks:
                shade[i, j] = 1 - (ranks[m][name] - 1) / len(names)
            dark = m in ranks and shade[i, j] > 0.6
            ax.text(
                j,
                i,
                f"{board.mean(name, m):.2f}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if dark else plots.INK,
            )
    for i, name in enumerate(names):
        ax.text(len(measures), i, f"{board.costs[name]['passes']:.0f}", ha="center", va="center", fontsize=9)
    ax.imshow(shade, cmap="Blues", vmin=0, vmax=1.1, aspect="auto")
    arrows = {True: " ↑", False: " ↓", None: ""}
    ax.set_xticks(
        range(len(measures) + 1), [m + arrows[MEASURES[m][0]] for m in measures] + ["passes"], fontsize=9
    )
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(names)), names)
    for label, name in zip(ax.get_yticklabels(), names, strict=True):
        label.set_color(plots.BASELINE if name in board.baselines else plots.INK)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return figure


board_figure(board, list(MEASURES))
plt.show()

# %% [markdown]
# Now with intervals, for one measure that needs the mask and one that asks the model. A bar is the 95 % bootstrap interval over the pictures (draw the pictures again with repetition, take the mean, and give the range of the middle 95 % of such means): widely overlapping bars are a warning only: all methods saw the same pictures, so the fair test is the difference on each picture (section 5).

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 6.6))
plots.score_plot(
    board.measure("pointing"),
    baselines=list(board.baselines),
    xlabel="pointing game (↑)",
    ax=axes[0],
    xlim=(0, 1.1),
)
deletion_scores = board.measure("deletion")
plots.score_plot(
    deletion_scores,
    baselines=list(board.baselines),
    xlabel="deletion, blurred substrate (↓)",
    ax=axes[1],
    xlim=(0, 0.55),
)
plt.show()
best = {
    m: [name for name, rank in board.rank(m).items() if rank == 1]
    for m in MEASURES
    if MEASURES[m][0] is not None
}
for measure, winners in best.items():
    print(f"{measure:>12}: first is {', '.join(winners)}")
winner = max(board.values, key=lambda name: sum(name in w for w in best.values()))
wins = sum(winner in w for w in best.values())
print(f"most first places: {winner}, {wins} of {len(best)}")

# %% [markdown]
# Read it like a sceptic:
#
# - **Sensitivity** is won by maps that ignore the model. A constant never changes. A measure that a constant wins cannot stand alone.
# - **Energy** depends on how wide a map spreads. The coarse maps of the CAM family point as well as any, and are only in the middle field here, because they glow beyond the object's border. Guided Grad-CAM cuts the glow off.
# - **Deletion and insertion** favour maps that remove whole regions, as the CAM family, occlusion and LIME mark them (and guided Grad-CAM, whose coarse factor keeps the pixels together). Scattered pixels make holes like pepper, and the network sees through them.
# - **Guided Grad-CAM** does very well on this board. One of its two factors is guided backpropagation, which failed the puzzle of section 1. The board did not notice: none of its measures asks whether the map would be different for another model. The next cell asks the pointing game that question.

# %%
with torch.no_grad():
    other_question = pairs.targets[:50, 1]
for name, network in (("trained", model), ("guessing (section 1)", random_network)):
    hits = []
    for asked in (questions, other_question):
        heat = methods["guided backprop"].explain(network, pictures, asked, network.layer4)
        hits.append(judge.pointing_game(heat, truth, 5).mean().item())
    print(
        f"{name:>20}: maximum on the object asked for {hits[0]:.2f}, on the same object when asked for the other {hits[1]:.2f}"
    )

# %% [markdown]
# In the trained network the *maximum* of guided backpropagation follows the question; in the guessing one it lands on that object as often, whichever was asked for. So the method does carry a trace of the class, in its few strongest pixels, while the order of all pixels hardly notices that the network has forgotten the classes. Two tests of one map, two verdicts: say which test a method has passed.
#
# The table can be exported, for a report or for your own plots.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    file = board.save(Path(folder) / "scoreboard.csv")
    lines = file.read_text(encoding="utf-8").splitlines()
print(len(lines) - 1, "rows,", len(lines[0].split(",")), "columns:", ", ".join(lines[0].split(",")[:6]), "…")
print("\n".join(board.to_markdown().splitlines()[:4]))

# %% [markdown]
# ## 5 · Why no single number will do: three settings that can move a ranking
#
# A ranking sounds like a fact about methods. It is a fact about methods *and a measure with its settings*. Here are three settings that papers choose differently. For each, the same maps, the same model, the same pictures (scenes with one object).

# %%
quick = [
    "saliency",
    "gradient × input",
    "Integrated Gradients",
    "guided backprop",
    "Layer-CAM",
    "Grad-CAM",
    "edges (Sobel)",
]
one_object, its_class, its_mask = single.inputs[:40], single.targets[:40], single.masks[:40]
quick_maps = {name: methods[name].explain(model, one_object, its_class, layer) for name in quick}
substrates = {
    "grey": torch.zeros_like(one_object),
    "blur, σ = 2": judge.blur(one_object, 2),
    "blur, σ = 16": judge.blur(one_object, 16),
}
deletions = {
    setting: {
        name: judge.deletion(model, one_object, its_class, quick_maps[name], 5, substrate).area
        for name in ("saliency", "gradient × input", "Integrated Gradients", "Grad-CAM", "edges (Sobel)")
    }
    for setting, substrate in substrates.items()
}
tolerances = {
    f"{t} pixels": {name: judge.pointing_game(heat, its_mask, t) for name, heat in quick_maps.items()}
    for t in (0, 5, 15)
}


def rank_lines(ax, results, upward, title):
    """Each method's rank in each setting, as a line; rank 1 is on top."""
    settings = list(results)
    for k, name in enumerate(quick):
        if name not in results[settings[0]]:
            continue
        means = {
            s: {n: float(v.mean()) * (1 if upward else -1) for n, v in results[s].items()} for s in settings
        }
        ranks = [1 + sum(v > means[s][name] + 1e-9 for v in means[s].values()) for s in settings]
        style = "s--" if name == "edges (Sobel)" else "o-"
        ax.plot(
            range(len(settings)),
            ranks,
            style,
            color=plots.BASELINE if style == "s--" else plots.COLOURS[k],
            label=name,
        )
    ax.set_xticks(range(len(settings)), settings)
    ax.set(ylim=(len(quick) + 0.5, 0.5), yticks=range(1, len(quick) + 1), xlim=(-0.35, len(settings) - 0.65))
    ax.set_title(title, loc="left", fontsize=10)


kinds = {name: deletions[name] for name in ("grey", "blur, σ = 16")}
widths = {name: deletions[name] for name in ("blur, σ = 2", "blur, σ = 16")}
figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), sharey=True)
rank_lines(axes[0], kinds, False, "Deletion: the substrate")
rank_lines(axes[1], widths, False, "Deletion: the width of the blur")
rank_lines(axes[2], tolerances, True, "Pointing game: the tolerance")
axes[0].set_ylabel("rank (1 = best)")
handles, legend_names = axes[2].get_legend_handles_labels()
figure.legend(handles, legend_names, loc="outside lower center", ncols=4)
plt.show()

# %% [markdown]
# Each line is a method (the two left plots have five of them), each column a setting. Crossing lines are flips. (Tied methods share a rank.) But are they more than chance? For two methods and two settings, take the *difference* of the two methods on each picture; its bootstrap interval leaves out what makes a picture easy or hard for everybody. A flip is sure when the difference is clearly positive in one setting and clearly negative in the other.


# %%
def flips(results, upward):
    """(method, method, setting, setting, sure?) for each pair of methods whose order changes between two settings."""
    found = []
    settings = list(results)
    sign = 1 if upward else -1
    compared = list(results[settings[0]])
    for i, a in enumerate(compared):
        for b in compared[i + 1 :]:
            spans = {}
            for s in settings:
                difference = (sign * (results[s][a] - results[s][b])).float()
                spans[s] = (float(difference.mean()), *judge.bootstrap_interval(difference))
            up = max(settings, key=lambda s: spans[s][0])
            down = min(settings, key=lambda s: spans[s][0])
            if spans[up][0] > 1e-6 and spans[down][0] < -1e-6:
                found.append((a, b, up, down, spans[up][1] > 0 and spans[down][2] < 0))
    return found


for title, results, upward in (
    ("substrate", kinds, False),
    ("width of the blur", widths, False),
    ("tolerance", tolerances, True),
):
    found = flips(results, upward)
    sure = [f for f in found if f[4]]
    print(f"{title}: {len(found)} pairs of methods change their order, {len(sure)} of them for sure")
    for a, b, up, down, certain in sure[:3] or found[:2]:
        print(
            f"    {a} is ahead of {b} with “{up}”, behind with “{down}”"
            + ("" if certain else "  (could be chance)")
        )

# %% [markdown]
# Orders do change, but with forty pictures hardly any change is sure: an order of close methods is mostly chance to begin with. So when a paper says "our method has the best deletion score", ask: with which substrate, how wide a blur, how many steps, on which pictures, with which interval? A ranking that survives all of these is worth something.
#
# Why should the substrate matter? A grey patch and a blurred patch are *things*, too, about which the network may have an opinion (card 3 of section 13 asks for it), and pictures with holes are unlike all that it has ever seen. And deleting with a faint blur hardly deletes.

# %% [markdown]
# ## 6 · Truth in the data is not what the model uses
#
# The masks say where the object *is*. They do not say what the model *uses*. Two ways to make the difference visible.
#
# ### Wrong explanation, or wrong model?
#
# The two horse models of lesson 04: one was trained on horses that all bear a caption. Each gets a faithful map (Grad-CAM) and one that knows nothing (edges). Four cases, and two numbers each: the energy on the horse and the energy on the caption. The last column asks the model itself: how far does the probability of "horse" fall when the caption is taken out of the picture, and nothing else?

# %%
table = []
horse = 1
for kind in ("clean", "shortcut"):
    lab = load_lab("watermark", model=kind)
    horse = lab.class_names.index("horse")
    targets = torch.full((len(lab.inputs),), horse)
    fall = lab.predict(lab.images)[:, horse] - lab.predict(lab.counterfactuals)[:, horse]
    on_caption = lab.shortcut
    for name, heat in (
        ("Grad-CAM", upsample(grad_cam(lab.model, lab.inputs, targets, lab.layer), size)),
        ("edges (Sobel)", judge.baselines.sobel(lab.inputs)),
    ):
        on_horse = judge.energy_in_mask(heat, lab.masks)
        on_mark = judge.energy_in_mask(heat, on_caption)
        table.append((f"{kind} model, {name}", on_horse, on_mark, fall))
area = lab.shortcut.float().mean()

figure, axes = plt.subplots(1, 3, figsize=(11, 2.3))
shown = zip(
    axes, (1, 2, 3), ("energy on the horse", "energy on the caption", "loss of probability"), strict=True
)
for ax, column, label in shown:
    short = [row[0].replace(" model", "") if column == 1 else " " * k for k, row in enumerate(table)]
    plots.score_plot(
        {name: row[column] for name, row in zip(short, table, strict=True)},
        sort=False, xlabel=label, ax=ax, baselines=[short[1], short[3]], xlim=(-0.02, 1.15 if column == 3 else 0.5),
    )  # fmt: skip
axes[1].axvline(float(area), color=plots.BASELINE, linestyle=":")
plt.show()

# %% [markdown]
# Three plots of the same four rows; the dotted line is the caption's area. Look at "shortcut model, Grad-CAM". By the horse's mask it is a *worse* map than Grad-CAM of the clean model. But the last plot says that this model really needs the caption, so a map that lies on the caption is a **right explanation of a wrong model**. Edges score the same on both models: a **wrong explanation of either**, and the mask would never tell.
#
# A low score against a mask can mean two things. Only the model can say which.
#
# ### Which part does it use? Take it away
#
# Our scenes know their parts: head, wheel, sail. Take one part away (blur it), and measure how far the score falls: that is what the part is worth *to the model*. A map that tells what the model uses should put its mass in the same order. For each picture: the rank correlation over its parts between the mass of the map on the part and the fall of the score.

# %%
soft = judge.blur(single.inputs[:40], 8)
few_scenes = range(40)
jobs = []  # (picture, part mask)
for n in few_scenes:
    for part in single.parts[n][single.masks[n]].unique().tolist():
        region = (single.parts[n] == part) & single.masks[n]
        if part and region.sum() >= 30:
            jobs.append((n, region))
owner = torch.tensor([n for n, _ in jobs])
regions = torch.stack([region for _, region in jobs])
with torch.no_grad():
    whole = torch.cat([model(single.inputs[n : n + 1])[:, single.targets[n]] for n in few_scenes])
    without = torch.cat(
        [
            model(torch.where(r[:, None], soft[o], single.inputs[o])).gather(1, single.targets[o][:, None])[
                :, 0
            ]
            for o, r in zip(owner.split(16), regions.split(16), strict=True)
        ]
    )
falls = whole[owner] - without

part_names = [
    "saliency",
    "gradient × input",
    "Integrated Gradients",
    "guided backprop",
    "CAM",
    "Grad-CAM",
    "Layer-CAM",
    "edges (Sobel)",
    "random",
    "constant",
]
part_scores = {}
for name in part_names:
    heat = methods[name].explain(model, single.inputs[:40], single.targets[:40], layer)
    mass = (heat[owner].clamp(min=0) * regions).sum(dim=(1, 2))
    part_scores[name] = torch.tensor(
        [
            spearmanr(mass[owner == n], falls[owner == n]).statistic
            for n in few_scenes
            if (owner == n).sum() >= 3
        ]
    ).nan_to_num(0)
plots.score_plot(
    part_scores,
    baselines=["edges (Sobel)", "random", "constant"],
    xlabel="rank correlation: the map's mass on a part, and the fall of the score",
    title=f"{len(part_scores['CAM'])} pictures, {len(jobs)} parts taken away one at a time",
    xlim=(-0.1, 1.0),
)
plt.show()
print("difference from the constant map, picture by picture (95 % interval):")
for name in part_names[:-1]:
    difference = part_scores[name] - part_scores["constant"]
    low, high = judge.bootstrap_interval(difference)
    print(f"{name:>20}: {difference.mean():+.2f}  ({low:+.2f} to {high:+.2f})")

# %% [markdown]
# Two maps that know nothing are hard to beat here: the constant map, whose mass on a part is simply the part's *size* (taking away a large part hurts more), and the edges. The printed lines compare each map with the constant one on the same pictures: where the interval includes zero, the method has not shown that it knows more about parts than their size. Guided backpropagation, which stands highest, is the method that failed the puzzle of section 1. (A likely reason why the coarse maps of the CAM family do no better: their places are larger than most parts.) This is the most direct test of the lesson, and the
# one on which the methods look poorest. Be fair to them, too: blurring one part is a rough tool, since it also changes the outline of its neighbours.

# %% [markdown]
# ## 7 · Sanity checks: does the map depend on the model?
#
# ### Random weights, layer by layer
#
# Adebayo and others (2018): draw the weights of the last layer anew, then of more and more layers, and compare each map with the original. Two ways to compare: the **rank correlation** (order of the pixels), and **SSIM** (structural similarity: means, contrasts and patterns in small windows; 1 is equal).
#
# ### Exercise: predict, then run
#
# Which *method* (not the edges) will keep the order of its pixels most when only the last layer is random? The next cell lists the methods. Write a name now; the check stands below the figure and computes the right answer from your run.

# %% exercise="most_stubborn"
answer = None  # for example "CAM"
# BEGIN SOLUTION
answer = "Grad-CAM++"
# END SOLUTION

# %%
from tqdm.auto import tqdm

sample, sample_targets = single.inputs[:5], single.targets[:5]
checked = [
    "saliency", "SmoothGrad", "gradient × input", "Integrated Gradients", "deconvnet", "guided backprop",
    "guided Grad-CAM", "CAM", "Grad-CAM", "Grad-CAM++", "edges (Sobel)",
]  # fmt: skip
stages = {"fc": "fc", "layer4.conv1": "+ layer4", "layer3.conv1": "+ layer3", "stem.conv": "all"}
originals = {name: methods[name].explain(model, sample, sample_targets, layer) for name in checked}
rank_kept = {name: [] for name in checked}
ssim_kept = {name: [] for name in checked}
for stage, network in tqdm(judge.randomize_cascade(model), total=13, leave=False):
    if stage not in stages:
        continue
    network.eval()
    for name in checked:
        heat = methods[name].explain(network, sample, sample_targets, network.layer4)
        rank_kept[name].append(float(judge.rank_correlation(heat, originals[name]).mean()))
        ssim_kept[name].append(float(judge.ssim(heat, originals[name]).mean()))

figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
for ax, kept, title in ((axes[0], rank_kept, "Rank correlation"), (axes[1], ssim_kept, "SSIM")):
    plots.matrix_plot(
        [kept[n] for n in checked],
        checked,
        list(stages.values()),
        title=f"{title} with the trained network's map",
        signed=True,
        ax=ax,
    )
plt.show()

# %%
exercises.most_stubborn.check(answer, rank_kept, ["edges (Sobel)"])

# %% [markdown]
# Each row is a method; from left to right, more of the network is random (in the puzzle the last block and the linear layer were). Each number is the mean of five pictures and one draw of random weights: read large differences only. Red means "still the same map", white "unrelated".
#
# - The edges never change: they do not look at the network. A method whose row looks like theirs in the first columns explains the early layers, not the decision.
# - Grad-CAM++, the deconvnet and guided backpropagation hardly react to a random last layer. They fail the check at the point where it matters most, since the last layer decides which class is which.
# - CAM and Grad-CAM react most.
# - Why Grad-CAM++? A likely reason: it only uses positive weights, and about half of all random weights are positive.
# - Plain gradients lie in between: a good part of a gradient's *absolute* pattern is the picture.
#
# **Two measures, two verdicts**: look at guided Grad-CAM. Its rank correlation falls early, its SSIM stays high. Both maps are black nearly everywhere, and black resembles black. Failure card 1 comes back to it.
#
# ### Random labels
#
# A network can learn random labels by heart. It is accurate on its training pictures and knows nothing about animals. If a map is about what was *learnt*, it must differ from that of a network with true labels. But two honest networks also differ from each other, so we need a yardstick: networks with true labels and other seeds. One network proves little, so we train four of each kind; their seeds decide the first weights, the order of the pictures and, for the *memorisers*, the random labels. To be quick we take small pictures (32×32, huskies and wolves on all kinds of ground) and a tiny network.

# %%
from course_utils.drawing.scenes import render

animals = render("wolves", 360, seed=11, shortcut="random")
small = F.avg_pool2d(torch.from_numpy(animals.images).permute(0, 3, 1, 2).float() / 127.5 - 1, 4)
labels = torch.from_numpy(animals.targets)
small_masks = F.avg_pool2d(torch.from_numpy(animals.masks).float()[:, None], 4)[:, 0] > 0.5


def tiny_network(seed, n_classes=2):
    """Three convolutions without padding, global average pooling, one linear layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, n_classes),
        )  # fmt: skip


def train(x, y, epochs, seed=0):
    """Adam with a one-cycle schedule; returns the network in eval mode."""
    network = tiny_network(seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), 4e-3)
    n_batches = len(x) // 25
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=epochs * n_batches)
    for _ in range(epochs):
        for index in torch.randperm(len(x), generator=generator).split(25)[:n_batches]:
            optimizer.zero_grad()
            F.cross_entropy(network(x[index]), y[index]).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def accuracy(network, x, y):
    with torch.no_grad():
        return float((network(x).argmax(dim=1) == y).float().mean())


old, new = slice(0, 260), slice(260, 360)  # training and test pictures
first = train(small[old], labels[old], 32)
SEEDS = (1, 2, 3, 4)
honest = [train(small[old], labels[old], 32, seed) for seed in SEEDS]
by_heart = slice(0, 75)  # few enough to learn by heart in a moment
random_labels = [torch.randint(2, (75,), generator=torch.Generator().manual_seed(seed)) for seed in SEEDS]
memorisers = [train(small[by_heart], y, 75, seed) for y, seed in zip(random_labels, SEEDS, strict=True)]
equals = [train(small[by_heart], labels[by_heart], 75, seed) for seed in SEEDS]  # the same, true labels
for name, networks, own_labels in (
    ("true labels", [first], [labels[by_heart]]),
    ("true labels, other seeds", honest, [labels[by_heart]] * len(SEEDS)),
    ("true labels, 75 pictures", equals, [labels[by_heart]] * len(SEEDS)),
    ("random labels, 75 pict.", memorisers, random_labels),
):
    learnt = [accuracy(n, small[by_heart], y) for n, y in zip(networks, own_labels, strict=True)]
    known = [accuracy(n, small[new], labels[new]) for n in networks]
    print(
        f"{name:<25} its own labels, 75 training pictures: {np.mean(learnt):.2f}   true labels of new pictures:",
        " ".join(f"{value:.2f}" for value in known),
    )

# %%
asked_small, asked_targets = small[new][:50], labels[new][:50]
small_checked = [
    "saliency",
    "gradient × input",
    "Integrated Gradients",
    "guided backprop",
    "Grad-CAM",
    "edges (Sobel)",
]


def small_maps(network):
    return {
        name: methods[name].explain(network, asked_small, asked_targets, network[6]) for name in small_checked
    }


maps_first = small_maps(first)


def kept_by(networks):
    """Method → rank correlation (networks, pictures) of each network's maps with those of the first."""
    others = [small_maps(network) for network in networks]
    return {
        name: torch.stack([judge.rank_correlation(maps_first[name], maps[name]) for maps in others])
        for name in small_checked
    }


honest_kept, equal_kept, memoriser_kept = kept_by(honest), kept_by(equals), kept_by(memorisers)
figure, axes = plt.subplots(1, 3, figsize=(12, 2.9))
for ax, kept, label in (
    (axes[0], honest_kept, "four other honest networks"),
    (axes[1], equal_kept, "four honest ones, 75 pictures"),
    (axes[2], memoriser_kept, "four memorisers, 75 pictures"),
):
    plots.score_plot(
        {name if ax is axes[0] else " " * k: values.mean(dim=0) for k, (name, values) in enumerate(kept.items())},
        sort=False, baselines=["edges (Sobel)"], xlabel=label, ax=ax, xlim=(-0.5, 1.1),
    )  # fmt: skip
    for y, values in enumerate(reversed(kept.values())):
        ax.plot(values.mean(dim=1), [y - 0.3] * len(values), "|", color=plots.INK, markersize=6)
figure.suptitle("Rank correlation of the maps with those of the first honest network", fontsize=11)
plt.show()
print(
    "honest minus memoriser, both on 75 pictures, picture by picture (95 % interval); their lowest and highest:"
)
for name in small_checked[:-1]:
    low, high = judge.bootstrap_interval((equal_kept[name] - memoriser_kept[name]).mean(dim=0))
    honest_means, memoriser_means = equal_kept[name].mean(dim=1), memoriser_kept[name].mean(dim=1)
    print(
        f"{name:>20}: {low:+.2f} to {high:+.2f};  honest {honest_means.min():.2f} … {honest_means.max():.2f}, "
        f"memorisers {memoriser_means.min():.2f} … {memoriser_means.max():.2f}"
    )
edges = methods["edges (Sobel)"].explain(first, asked_small, asked_targets, first[6])
along = {name: judge.rank_correlation(maps_first[name], edges).mean().item() for name in small_checked[:-1]}
print("rank correlation with the edges:", {name: round(value, 2) for name, value in along.items()})

# %% [markdown]
# How alike are the maps of the first honest network and those of others? Left: honest networks with the same pictures and other seeds. Middle: honest networks that had only the 75 pictures of the memorisers, and as many rounds. Right: the memorisers, which learnt nonsense. Point and bar are the mean over the four networks and its interval over the pictures; each small tick below them is one network. The fair comparison is the middle with the right, since only the labels differ; it is printed below. A method passes when its interval is clear of zero *and* each memoriser lies below each honest network: a difference that depends on the seed could be luck. Only Grad-CAM passes here. The maps of single pixels differ, too, but by a few hundredths, and their seeds overlap. (The last line says how much of each method's map are mere edges.) The first network is the weakest of the honest ones by its accuracy, so "like the first" is not "like the best". The yardstick matters: without honest networks beside it, a value on the right would prove
# nothing, because maps differ between *any* two networks.
#
# ### Input invariance
#
# Kindermans and others (2019) shift all pictures by a constant, and undo the shift inside the network, in the bias of its first layer: $b' = b - W \cdot s$. For each picture, the shifted network on the shifted picture computes exactly what the original one does. An explanation of what the network computes must not change.

# %%
shift = torch.tensor([0.8, 0.4, -0.5]).view(1, 3, 1, 1)
shifted_network = tiny_network(0)
shifted_network.load_state_dict(first.state_dict())
shifted_network.eval()
with torch.no_grad():
    shifted_network[0].bias -= (first[0].weight * shift).sum(dim=(1, 2, 3))
    difference = (first(asked_small) - shifted_network(asked_small + shift)).abs().max()
print(f"largest difference of the scores: {difference:.0e}")


def with_baseline(baseline):
    """Integrated gradients from a baseline that is a colour (3 values)."""
    return lambda network, v, t: (
        integrated_gradients(network, v, t, baselines=baseline, n_steps=12).sum(dim=1).abs()
    )


zero, black = torch.zeros(1, 3, 1, 1), torch.full((1, 3, 1, 1), -1.0)
from course_utils.methods.occlusion import occlusion

invariance = {
    "saliency": [lambda n, v, t: strongest(saliency(n, v, t))] * 2,
    "guided backprop": [lambda n, v, t: strongest(guided_backprop(n, v, t))] * 2,
    "Grad-CAM": [lambda n, v, t: upsample(grad_cam(n, v, t, n[6]), 32)] * 2,
    "gradient × input": [lambda n, v, t: input_x_gradient(n, v, t).sum(dim=1).abs()] * 2,
    "IG from the number 0": [with_baseline(zero)] * 2,
    "IG from “black”": [with_baseline(black), with_baseline(black + shift)],
    "occlusion by the number 0": [lambda n, v, t: occlusion(n, v, t, 8, 4)] * 2,
    "occlusion by “black”": [
        lambda n, v, t: occlusion(n, v, t, 8, 4, black),
        lambda n, v, t: occlusion(n, v, t, 8, 4, black + shift),
    ],
}
unchanged = {}
for name, (plain, moved) in invariance.items():
    before = plain(first, asked_small[:20], asked_targets[:20])
    after = moved(shifted_network, asked_small[:20] + shift, asked_targets[:20])
    unchanged[name] = judge.rank_correlation(before, after)
plots.score_plot(
    unchanged, sort=False, xlabel="rank correlation before and after the shift (1 = invariant)", xlim=(0, 1.1)
)
plt.show()

# %% [markdown]
# Whatever contains the *number* zero or the picture's own numbers as a reference changes with the shift; whatever uses gradients or feature maps alone does not. The baselines that move with the data ("black" stays black) are invariant too. So this check does not condemn integrated gradients: it says that the baseline is part of the question, and that "zero" means nothing by itself.

# %% [markdown]
# ## 8 · ROAR: remove and retrain
#
# Deletion shows the network pictures it was never trained on. When the score falls, was it the missing evidence or the strange picture? **ROAR** (Hooker and others, 2019) answers by training *again*, on pictures without the pixels that a method calls important. If a new network cannot learn the task from what is left, the pixels mattered.
#
# ### On a table
#
# Breast tumours, 30 measurements, logistic regression. Columns are removed (replaced by their mean) in the order of a ranking: by the size of the coefficient; at random; and in the order of the table, which is what a constant importance gives. Dashed: the same without retraining. Twenty random splits into training and test rows.

# %%
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
removed_counts = (0, 5, 10, 20, 25, 28)
roar_table = {
    name: np.zeros((20, len(removed_counts)))
    for name in ("coefficients", "random", "constant", "coefficients, not retrained")
}
for split in range(20):
    parts = train_test_split(X, y, test_size=0.4, random_state=split, stratify=y)
    fitted = LogisticRegression(max_iter=200).fit(parts[0], parts[2])
    rankings = {
        "coefficients": np.abs(fitted.coef_[0]).argsort()[::-1],
        "random": np.random.default_rng(split).permutation(30),
        "constant": np.arange(30),
    }
    for k, count in enumerate(removed_counts):
        for name, order in rankings.items():
            known, asked_rows = (p.copy() for p in parts[:2])
            known[:, order[:count]] = asked_rows[:, order[:count]] = 0
            again = LogisticRegression(max_iter=200).fit(known, parts[2])
            roar_table[name][split, k] = again.score(asked_rows, parts[3])
            if name == "coefficients":
                roar_table["coefficients, not retrained"][split, k] = fitted.score(asked_rows, parts[3])
figure, ax = plt.subplots(figsize=(7.5, 3.2))
for k, (name, values) in enumerate(roar_table.items()):
    low, high = np.array([judge.bootstrap_interval(v) for v in values.T]).T
    style = "--" if "not" in name else "-"
    color = plots.COLOURS[0] if "coefficients" in name else plots.COLOURS[k]
    ax.plot(removed_counts, values.mean(axis=0), "o" + style, color=color, label=name)
    ax.fill_between(removed_counts, low, high, color=color, alpha=0.15)
ax.set(xlabel="columns removed (of 30)", ylabel="accuracy on new rows")
ax.legend()
plt.show()

# %% [markdown]
# Without retraining (dashed), accuracy falls early. With retraining it hardly falls until ten columns are gone, whatever the ranking: the measurements of a tumour repeat one another (radius, perimeter and area say nearly the same), so others take over. Two honest answers to two questions: "what does *this* model use?" and "what is *needed* to solve the task?". ROAR answers the second, and it has little to say where information is redundant. And compare with random and with constant before you praise a ranking: the differences are small until many columns are gone, and with only two columns left even "constant", which removes the columns in the order of the table, depends on which two these happen to be.
#
# ### On pictures
#
# The tiny network and its animals. For each picture the strongest 30 % of the pixels are replaced by the picture's mean colour, in training and test pictures alike; then a new network is trained. Beside the methods: edges, random pixels, and the *truth* (the animal itself goes first).


# %%
def removed(x, heat, share):
    """Pictures whose strongest `share` of pixels is replaced by the mean colour, and the mask of what went."""
    noise = judge.baselines.random(x) * 1e-6 * heat.amax(dim=(1, 2), keepdim=True).clamp(min=1e-6)
    ranks = (-(heat + noise)).flatten(1).argsort(dim=1).argsort(dim=1).view(heat.shape)
    gone = ranks < share * ranks[0].numel()
    return torch.where(gone[:, None], x.mean(dim=(2, 3), keepdim=True), x), gone


SHARE = 0.3
roar_maps = {
    name: methods[name].explain(first, small, labels, first[6])
    for name in ("saliency", "Grad-CAM", "edges (Sobel)", "random")
}
roar_maps["truth: the animal"] = small_masks.float()


def hits(network, x):
    """1 for each new picture that the network names correctly, else 0."""
    with torch.no_grad():
        return (network(x[new]).argmax(dim=1) == labels[new]).float()


roar, leak = {"nothing removed": hits(train(small[old], labels[old], 22), small)}, {}  # as long as the others
for name, heat in tqdm(roar_maps.items(), leave=False):
    remaining, gone = removed(small, heat, SHARE)
    roar[f"removed by {name}"] = hits(train(remaining[old], labels[old], 22), remaining)
    if name in ("Grad-CAM", "random"):
        only = gone[:, None].float().expand(-1, 3, -1, -1) * 2 - 1
        leak[f"holes of {name}"] = hits(train(only[old], labels[old], 22), only)

figure, axes = plt.subplots(1, 2, figsize=(11, 3.0), width_ratios=(1.3, 1))
plots.score_plot(
    roar,
    sort=False,
    xlabel="accuracy after retraining",
    ax=axes[0],
    baselines=["nothing removed", "removed by edges (Sobel)", "removed by random"],
)
plots.score_plot(
    leak,
    sort=False,
    xlabel="accuracy from the shape of the holes alone",
    ax=axes[1],
    baselines=["holes of random"],
)
for ax in axes:
    ax.axvline(0.5, color=plots.INK, linestyle=":")
plt.show()

# %% [markdown]
# Left: accuracy after 30 % of the pixels were removed and a new network was trained; lower means that the method found more of what is needed; the dotted line is guessing. Look at the intervals before you rank anything: they come from 100 test pictures, and they do not even contain the luck of the training itself, since each network was trained once. At this scale, ROAR tells "the animal is gone" from "nothing is gone". A method has shown something only where its interval stays clear of that of random pixels, and even then one lucky or unlucky training may have decided it.
# The paper trained large networks several times, and still found popular methods no better than random.
#
# Right: a trap of ROAR. This network sees *only which pixels were removed*. If its interval lies above the dotted line, the holes themselves tell the class: they have the animal's shape, or follow the label with which the map was computed. Then removing *adds* information, and accuracy stays high for the wrong reason (Rong and others, 2022). Here the holes of Grad-CAM alone do so, those of random pixels do not.

# %% [markdown]
# ## 9 · Unit tests for explanations
#
# Software has unit tests: tiny cases whose right answer is known. So can explanations. The lab `designed` has networks with weights set by hand: an AND, an OR, a sum that saturates, a detector for one pattern. For each of them the right attribution is known exactly (the Shapley values of the score against zero). For example, two inputs that both are 1, and the score is $\min(x_1 + x_2, 1)$: each deserves one half.

# %%
from course_utils.judge.unit_tests import BASELINES, explanation_tests, try_method
from course_utils.labs.designed import NETWORKS

saturating = load_lab("designed", network="saturating")
row = saturating.inputs[3:4].clone().requires_grad_()
(gradient,) = torch.autograd.grad(saturating.model(row).sum(), row)
print(
    "input",
    row[0].tolist(),
    "| gradient",
    gradient[0].tolist(),
    "| truth",
    saturating.attributions[3].tolist(),
)

results = explanation_tests()

# %% [markdown]
# The gradient is zero: both inputs alone would do, so a small change of one matters nothing. A test that the gradient *must* fail, and now you know why it fails.
#
# The eight networks. The inputs of the first six are numbers $x_1, x_2, \ldots$ with weights $w_i$ and an offset $b$; "on" means 1, "off" means 0. Those of the last two are black pictures with white pixels.
#
# | network | score | the right attribution |
# |---|---|---|
# | linear | $\sum_i w_i x_i + b$ | $w_i x_i$ each |
# | and | 1 if both inputs are on, else 0 | one half each if both are on, else nothing |
# | or | 1 if at least one of two inputs is on, else 0 | shared equally by those that are on |
# | xor | 1 if exactly one of two inputs is on, else 0 | 1 for the one that is on alone; nothing if both are |
# | saturating | $\min(x_1 + x_2, 1)$, inputs of any size from 0 | shared in proportion to the inputs |
# | symmetric | number of pairs among three inputs that are both on | shared equally by those that are on |
# | patch | 1 if a white cross stands in the picture, else 0 | shared equally by the cross's white pixels |
# | two class patch | two classes: how many crosses, how many frames | the same, for the pattern of the class asked for |
#
# The whole table:

# %%
look = {
    "exact": ("#009e73", "exact"),
    "place": ("#e6c84f", "place"),
    "fails": ("#d55e00", "fails"),
    "n/a": ("#eceff1", "–"),
}
names = list(results)
figure, ax = plt.subplots(figsize=(10, 6.2))
for i, name in enumerate(names):
    for j, network in enumerate(NETWORKS):
        color, text = look[results[name][network].state]
        ax.add_patch(plt.Rectangle((j - 0.48, i - 0.46), 0.96, 0.92, color=color, alpha=0.85))
        ax.text(j, i, text, ha="center", va="center", fontsize=9)
ax.set(xlim=(-0.5, len(NETWORKS) - 0.5), ylim=(len(names) - 0.5, -0.5))
ax.set_xticks(range(len(NETWORKS)), [n.replace("_", " ") for n in NETWORKS])
ax.xaxis.tick_top()
ax.set_yticks(range(len(names)), names)
for label, name in zip(ax.get_yticklabels(), names, strict=True):
    label.set_color(plots.BASELINE if name in BASELINES else plots.INK)
ax.tick_params(length=0)
ax.spines[:].set_visible(False)
plt.show()

# %% [markdown]
# **exact**: the numbers are right. **place**: other numbers, but the strongest is where it must be, and nothing where nothing must be. **fails**: neither. **–**: no answer (CAM without feature maps, Shapley values for 576 players).
#
# Failing is information:
# - *saliency* fails "linear": a gradient is a slope, not a contribution. It never multiplies with the input, and its absolute value loses the sign. That is another question, not a bug.
# - *occlusion* fails "or": when both inputs are on, removing either one changes nothing, so both get zero although together they are everything.
# - *gradient × input* fails "saturating", for the reason above. *Integrated gradients* pass: on the way from zero to the input, the slope was not yet zero.
# - *LIME* gets the linear network's order right and its numbers too small: its ridge penalty shrinks coefficients, and there are few questions to ask here.
# - Passing a test says little if the input itself passes it too: that is why maps that know nothing are in the table. And “place” forgives the size of the numbers: look at both.
#
# Exact methods passing "exact" is partly a tautology, since we *defined* the truth by Shapley values. Another definition (what falls when only this input is removed?) would make occlusion exact. A unit test fixes the question; say which.
#
# The same for a function of your own, in one line. Here a plausible invention: the gradient, times the input, but only where it is positive.


# %%
def my_method(model, inputs, targets):
    """Attributions like the inputs, (N, C, H, W)."""
    return input_x_gradient(model, inputs, targets).clamp(min=0)


for network in NETWORKS:
    verdict = try_method(my_method, network)
    print(f"{network:>16}: {verdict.state:<6} (largest error {verdict.error:.2f} of the largest true value)")

# %% [markdown]
# An error of 8 means: off by eight times the largest true value. Cutting off the negative part looked harmless, and it loses whatever speaks against the class.

# %% [markdown]
# ## 10 · The agreement page
#
# Each lesson compared its methods with libraries, or with a published formula where no library has the method. Here is all of it on one page, measured now, with the versions installed on this computer. From a terminal, `python -m course_utils.judge.agreement_page page.md` writes it to a file. Differences are shares of our largest value, shown as the next power of ten. Where the convention says "sampling error", both sides draw random numbers, and only more samples bring them closer.

# %%
from course_utils.judge.agreement_page import agreement_page

page = agreement_page()

# %%
# NBVAL_CHECK_OUTPUT
page

# %% [markdown]
# The second table lists known defects: what the library gives, and what is right, as found in the version installed here. Some are choices that surprise, others are errors. None of them shows in a picture.
#
# The third table has errors that published courses copy from one another: the formula as it is taught there, beside the definition, both computed on the page's small random network. The difference is again a share of the definition's largest value, so 1 is as large as that value itself. In it, $\sigma$ is the standard deviation of SmoothGrad's noise, and the range is that of the picture's values; $x'$ is the baseline of integrated gradients (IG), $\alpha$ the position on the way from $x'$ to $x$, and $y$ the score. How large a difference is depends on the network and the picture; none of these is rounding.

# %% [markdown]
# ## 11 · Play: make two libraries disagree, and agree again
#
# Five switches, and five pairs of programs that claim to compute the same thing. The libraries on one side are fixed; the switches change *our* side. Find the setting for which all five agree. (Tab moves between the controls, arrow keys change a value.)

# %%
from captum.attr import NoiseTunnel, Saliency
from lime.lime_image import LimeImageExplainer
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchcam.methods import GradCAM as TorchGradCAM

from course_utils.judge.agreement_page import _quiet, _same_noise
from course_utils.methods.hooks import activations_and_gradients
from course_utils.methods.lime import cosine_distances, fit_surrogate, hide_segments, sample_masks

tiny_picture, tiny_target = small[new][3:4], int(labels[new][3])
tiny = first
with TorchGradCAM(tiny, target_layer=tiny[6]) as extractor:
    by_torchcam = extractor([tiny_target], tiny(tiny_picture), normalized=False)[0].detach()
wanted = [ClassifierOutputTarget(tiny_target)]
with GradCAM(model=tiny, target_layers=[tiny[6]]) as extractor:
    by_gradcam = torch.from_numpy(extractor(input_tensor=tiny_picture, targets=wanted))
with GradCAMPlusPlus(model=tiny, target_layers=[tiny[6]]) as extractor:
    by_plus_plus = torch.from_numpy(extractor(input_tensor=tiny_picture, targets=wanted))
# captum's σ (`stdevs`) is an absolute number; a share of the range is for its user to compute. So it is handed
# our noise ready made, with σ = 0.15 × range, and told to multiply it by 1
with _same_noise(tiny_picture.double(), 10):
    by_captum = NoiseTunnel(Saliency(tiny.double())).attribute(
        tiny_picture.double(), nt_samples=10, stdevs=1.0, target=tiny_target, abs=False
    )
tiny.float()

tiny_image = np.ascontiguousarray(
    ((tiny_picture[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
)
squares = np.arange(32)[:, None] // 8 * 4 + np.arange(32) // 8


def tiny_predict(images):
    """uint8 (B, 32, 32, 3) to probabilities."""
    with torch.no_grad():
        v = torch.from_numpy(np.asarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
        return tiny(v).softmax(dim=1).double().numpy()


with _quiet():  # no progress bar
    package = LimeImageExplainer(random_state=0).explain_instance(
        tiny_image,
        tiny_predict,
        labels=(tiny_target,),
        top_labels=None,
        num_samples=100,
        segmentation_fn=lambda _: squares,
    )
by_lime = np.zeros(16)
for j, value in package.local_exp[tiny_target]:
    by_lime[j] = value
state = np.random.RandomState(0)
state.randint(0, 1000)
lime_masks = sample_masks(100, 16, state)
lime_outputs = tiny_predict(hide_segments(tiny_image, squares, lime_masks))[:, tiny_target]
A, dA = activations_and_gradients(tiny, tiny_picture, tiny_target, tiny[6])


def enlarge(maps, interpolation):
    """(1, h, w) to (1, 32, 32)."""
    options = {} if interpolation == "nearest" else {"align_corners": interpolation.endswith("aligned")}
    return F.interpolate(maps[:, None], 32, mode=interpolation.split(",")[0], **options)[:, 0]


def differences(relu, interpolation, eps, sigma, root):
    """Name → largest difference to the library, as a share of the library's largest value."""
    weighted = (dA.mean(dim=(2, 3), keepdim=True) * A).sum(dim=1)
    cam_map = weighted.relu() if relu else weighted
    dressed = min_max(enlarge(min_max(weighted.relu()), interpolation))
    alpha = dA**2 / (2 * dA**2 + A.sum(dim=(2, 3), keepdim=True) * dA**3 + eps)
    plus = ((torch.where(dA == 0, 0, alpha) * dA.relu()).sum(dim=(2, 3), keepdim=True) * A).sum(dim=1).relu()
    span = float(tiny_picture.max() - tiny_picture.min())
    level = 0.15 if sigma == "0.15 × range" else 0.15 / span
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(10, *tiny_picture.shape, generator=generator, dtype=torch.float64)
    noisy = (tiny_picture.double() + level * span * noise)[:, 0].requires_grad_()
    (gradient,) = torch.autograd.grad(tiny.double()(noisy)[:, tiny_target].sum(), noisy)
    tiny.float()
    kernel = np.exp(-(cosine_distances(lime_masks) ** 2) / 0.25**2)
    fitted = fit_surrogate(lime_masks, lime_outputs, np.sqrt(kernel) if root else kernel)
    pairs = {
        "Grad-CAM and torch-cam (ReLU)": (cam_map, by_torchcam),
        "Grad-CAM and grad-cam (interpolation)": (dressed, by_gradcam),
        "Grad-CAM++ and grad-cam (ε)": (min_max(enlarge(min_max(plus), "bilinear")), by_plus_plus),
        "SmoothGrad and captum (σ)": (gradient.mean(dim=0, keepdim=True), by_captum),
        "LIME and lime (root)": (torch.from_numpy(fitted.coefficients), torch.from_numpy(by_lime)),
    }
    return {name: float((a.detach() - b).abs().max() / b.abs().max()) for name, (a, b) in pairs.items()}


def draw(relu, interpolation, eps, sigma, root, ax=None):
    found = differences(relu, interpolation, float(eps), sigma, root)
    if ax is None:
        _, ax = plt.subplots(figsize=(8, 2.3))
    shown = {name: max(value, 1e-8) for name, value in found.items()}
    ax.barh(
        list(shown),
        list(shown.values()),
        left=1e-8,
        color=["#009e73" if v < 1e-3 else "#d55e00" for v in shown.values()],
    )
    ax.set(xscale="log", xlim=(1e-8, 30), xlabel="largest difference, as a share of the largest value")
    ax.invert_yaxis()
    ax.set_title(f"{sum(v < 1e-3 for v in found.values())} of 5 pairs agree (to one thousandth)", loc="left")


widgets.explore(
    draw,
    relu=widgets.checkbox("ReLU after the sum", False),
    interpolation=widgets.choice(
        "interpolation", ["nearest", "bilinear", "bilinear, corners aligned"], "nearest"
    ),
    eps=widgets.choice("ε in Grad-CAM++", ["0", "1e-6", "1e-2"], "1e-2"),
    sigma=widgets.choice("σ of the noise", ["0.15", "0.15 × range"], "0.15"),
    root=widgets.checkbox("root of LIME's kernel", False),
)

# %% [markdown]
# A still picture of both ends: above all switches in a plausible but other position, below the libraries' conventions. Green bars are below one thousandth.

# %%
figure, axes = plt.subplots(2, 1, figsize=(8, 4.4))
draw(False, "nearest", "1e-2", "0.15", False, ax=axes[0])
draw(True, "bilinear", "1e-6", "0.15 × range", True, ax=axes[1])
plt.show()

# %% [markdown]
# Most of these switches are conventions, and every setting could be a fair reading of a paper; the agreement page says which differences are errors. If you report a number, report the switches.

# %% [markdown]
# ## 12 · The real thing: photographs
#
# The puzzle of section 1 on real photographs and an ImageNet network: how much of each map stays when the *classifier*, the last linear layer, is filled with random numbers?

# %%
try:
    photos = load_lab("photos", pairs=True)
except LabUnavailable as error:
    photos = None
    print(error)

if photos is not None:
    photo, photo_target = photos.inputs[:3], photos.targets[:3, 0]
    _, last_random = next(judge.randomize_cascade(photos.model))
    last_random.eval()
    place = next(name for name, module in photos.model.named_modules() if module is photos.layer)
    photo_maps = {}
    for name in ("guided backprop", "saliency", "Grad-CAM"):
        for label, network in (("trained", photos.model), ("random last layer", last_random)):
            photo_maps[name, label] = methods[name].explain(network, photo, photo_target, place)
    height, width = photos.images.shape[1:3]
    figure, axes = plots.grid(1, 5, ratio=1.25 * height / width, width=11)
    axes[0, 0].imshow(photos.images[0])
    for ax, name in ((axes[0, 1], "guided backprop"), (axes[0, 3], "Grad-CAM")):
        for k, label in enumerate(("trained", "random last layer")):
            target_ax = axes[0, list(axes[0]).index(ax) + k]
            if name == "Grad-CAM":
                target_ax.imshow(plots.overlay(photos.images[0], photo_maps[name, label][0]))
            else:
                plots.show_pixels(target_ax, photo_maps[name, label][0])
            target_ax.set_title(f"{name},\n{label}", fontsize=9)
    plt.show()
    for name in ("guided backprop", "saliency", "Grad-CAM"):
        kept = judge.rank_correlation(photo_maps[name, "trained"], photo_maps[name, "random last layer"])
        half = judge.energy_in_mask(photo_maps[name, "trained"], photos.masks[:3, 0])
        print(
            f"{name:>16}: {kept.mean():.2f} of its order stays; {half.mean():.2f} of its mass is on the half that was asked for"
        )

# %% [markdown]
# As on the drawn scenes, the sharp map survives a classifier that knows no class any more. The other two change places here; but these three pictures are *one* photograph of a cat beside three others, so nothing about a ranking follows. Nobody drew object masks on these photographs; the truth used here is only which half of the pair holds the object.

# %% [markdown]
# ## 13 · Where it breaks
#
# ### Card 1: black resembles black
#
# SSIM compares windows. If two maps are zero almost everywhere, nearly all windows are equal. Make two maps of a few bright pixels each, at *unrelated* random places:

# %%
generator = torch.Generator().manual_seed(0)
for share in (0.5, 0.1, 0.02, 0.005):
    dots = [(torch.rand(4, 128, 128, generator=generator) < share).float() for _ in range(2)]
    print(
        f"{share:>6.1%} of the pixels bright: SSIM {judge.ssim(*dots).mean():.2f}, rank correlation {judge.rank_correlation(*dots).mean():+.2f}"
    )

# %% [markdown]
# The two maps have nothing in common in each row, and SSIM says so only for dense ones. Report it together with a rank correlation, and with the value for unrelated maps.
#
# ### Card 2: one object in the middle
#
# A benchmark on which *the centre* does well measures photographers, not explanations. The same methods on scenes with one object and with two. To make the trap visible, the pictures with one object are cropped so that it sits in the middle, as on most photographs.

# %%
boxes = judge.bounding_box(single.masks)
middles = torch.stack([boxes[:, [1, 3]].float().mean(dim=1), boxes[:, [0, 2]].float().mean(dim=1)], dim=1)
fits = ((middles > 48) & (middles < 80)).all(dim=1).nonzero()[:, 0][:25]
window = [(int(middles[n, 0]) - 48, int(middles[n, 1]) - 48) for n in fits]
centred = torch.stack(
    [single.inputs[n, :, t : t + 96, l : l + 96] for n, (t, l) in zip(fits, window, strict=True)]
)
centred_masks = torch.stack(
    [single.masks[n, t : t + 96, l : l + 96] for n, (t, l) in zip(fits, window, strict=True)]
)
trap = {}
for name in ("Grad-CAM", "saliency", "edges (Sobel)", "centre"):
    heat = methods[name].explain(model, centred, single.targets[fits], layer)
    trap[name] = judge.pointing_game(heat, centred_masks, 5)
anywhere = {
    name: judge.pointing_game(
        methods[name].explain(model, single.inputs[:25], single.targets[:25], layer), single.masks[:25], 5
    )
    for name in trap
}
figure, axes = plt.subplots(1, 3, figsize=(12, 2.2))
for ax, scores, label in (
    (axes[0], trap, f"one object in the middle ({len(fits)} pictures)"),
    (axes[1], anywhere, "one object anywhere (25 pictures)"),
):
    named = {name if ax is axes[0] else " " * k: score for k, (name, score) in enumerate(scores.items())}
    plots.score_plot(
        named, sort=False, baselines=["edges (Sobel)", "centre", "  ", "   "], xlabel=label, ax=ax
    )
plots.score_plot(
    {" " * k: board.measure("pointing")[name] for k, name in enumerate(trap)},
    sort=False,
    baselines=["  ", "   "],
    xlabel="two objects (50 pictures)",
    ax=axes[2],
)
plt.show()

# %% [markdown]
# On the left, a blob that has never seen the picture is among the best. (The crop also makes the object larger, which helps every map.) With the object anywhere, the blob is lost; the edges are still good, since there is nothing else to find. With two objects, of which one is asked for, they fail as well. If a paper's benchmark has one object in the middle, ask for the centre baseline.
#
# ### Card 3: deleted is not neutral
#
# What does the network say about a picture with nothing left in it? A deletion curve ends at the probability that the class has in such a picture. If the substrate looks a little like one class, that class's curves end higher than the others', with any map.

# %%
names_of_classes = np.array(single.class_names)
with torch.no_grad():
    for name, empty in (
        ("grey", torch.zeros_like),
        ("blur, σ = 8", lambda x: judge.blur(x, 8)),
        ("blur, σ = 24", lambda x: judge.blur(x, 24)),
    ):
        p = torch.cat([model(empty(part)) for part in single.inputs[:40].split(10)]).softmax(dim=1)
        favourite = int(p.mean(dim=0).argmax())
        its_own = p.gather(1, single.targets[:40, None])[
            :, 0
        ]  # where the deletion curve of each picture ends
        of_favourite = single.targets[:40] == favourite
        print(
            f"{name:>13}: the favourite answer is {str(names_of_classes[favourite])!r} with mean probability {p[:, favourite].mean():.2f}; "
            f"its curves end at {its_own[of_favourite].mean():.2f}, those of the others at {its_own[~of_favourite].mean():.2f}"
        )

# %% [markdown]
# "Nothing" is a picture too, and the network has an opinion about it.

# %% [markdown]
# ## 14 · The detective
#
# Six suspects, six networks. All of them name the same pictures almost perfectly. Some are **honest**: they look at the animal or the car. Some are **broken**: they look at one of five other things that go together with one class *in these pictures*.
#
# | kind | what goes together with a class |
# |---|---|
# | `watermark` | a mark stamped on the picture |
# | `background` | the ground it stands on |
# | `texture` | the pattern on the object's surface |
# | `position` | the quarter of the picture in which it lies |
# | `colour` | the object's colour |
#
# All five ties are there in the pictures, in every case. So neither the pictures nor the accuracy can tell who is guilty. Each broken suspect uses exactly one of the five. Between two and four are broken. **Who, and what do they look at?**

# %%
case = load_lab("detective", seed=0)  # another seed is another case
plots.show_images(
    list(case.images[:12]), [case.class_names[int(t)] for t in case.targets[:12]], columns=6, width=9
)
plt.show()
print("accuracy:", {name: round(float(value), 2) for name, value in case.accuracy.items()})

# %% [markdown]
# The tools on your desk:
#
# - `case.suspects["A"]` is a lab like all others: `.model`, `.layer`, `.inputs`, `.targets`, `.masks`, `.predict(images)`. Every method of the course works on it.
# - `case.regions[kind]` are masks: where a thing of this kind is to be seen.
# - `case.render(background="snow")` draws the same pictures with only the named things changed. `case.choices` lists what can be chosen.
# - `case.variants[kind]` are the same pictures, but each has got this one thing from a picture of another class, so this one tie is cut.
# - `case.verdict(answers)` scores your answers and says which are wrong, so that you can try again; `case.verdict(answers, reveal=True)` adds the truth about everybody.
#
# Look around first. Choose a suspect, a picture, a method, and a tie to cut.

# %%
desk = {
    name: methods[name]
    for name in ("Grad-CAM", "saliency", "Integrated Gradients", "occlusion", "guided backprop")
}


def interrogate(suspect, number, method, cut):
    lab = case.suspects[suspect]
    images = (case.images if cut == "nothing" else case.variants[cut])[number : number + 1]
    v, target = lab.preprocess(images), lab.targets[number : number + 1]
    heat = desk[method].explain(lab.model, v, target, lab.layer)
    plots.show_maps(list(images), {f"{method}, suspect {suspect}": heat}, width=5)
    plt.show()
    p = lab.predict(images)[0]
    print(
        f"it is a {lab.class_names[int(target)]}; the suspect says {lab.class_names[int(p.argmax())]} ({p.max():.2f})"
    )


widgets.explore(
    interrogate,
    suspect=widgets.choice("suspect", list(case.names)),
    number=widgets.slider("picture", 0, len(case.images) - 1, 3),
    method=widgets.choice("method", list(desk)),
    cut=widgets.choice("cut the tie of", ["nothing", *case.variants]),
)

# %% [markdown]
# A still picture: four pictures, and Grad-CAM of all six suspects for the right class.

# %%
rows = list(range(4))
all_six = {
    name: grad_cam(lab.model, lab.inputs[rows], lab.targets[rows], lab.layer)
    for name, lab in case.suspects.items()
}
plots.show_maps(
    [case.images[i] for i in rows],
    all_six,
    labels=[case.class_names[int(case.targets[i])] for i in rows],
    width=9,
)
plt.show()

# %% [markdown]
# Four pictures are an anecdote. Measure: the share of Grad-CAM's mass on the object, over all pictures, for each suspect and each class. A suspect that looks away from the object for one class gives itself away.

# %%
on_object = np.zeros((len(case.names), len(case.class_names)))
for i, lab in enumerate(case.suspects.values()):
    heat = upsample(grad_cam(lab.model, lab.inputs, lab.targets, lab.layer), lab.masks.shape[-2:])
    share = judge.energy_in_mask(heat, lab.masks)
    for c in range(len(case.class_names)):
        on_object[i, c] = share[lab.targets == c].mean()
plots.matrix_plot(
    on_object,
    [f"suspect {name}" for name in case.names],
    list(case.class_names),
    title="Share of Grad-CAM on the object",
)
plt.show()

# %% [markdown]
# Look for a cell that is much lower than the others *in its column*. Such a cell is a clue, no proof. And a clue of this kind has a limit: **a heat map says where, not what.** A network that reads the object's colour or texture looks at the object, exactly as an honest one does. To tell these apart you have to intervene: change one thing, and ask again. The exercise below is yours.

# %% [markdown]
# ### Exercise: the detective
#
# Write an answer for each suspect: `None` for an honest one, or one of the five kinds. The check tells you what kind of mistake you made. The verdict after it gives your score and says which answers are wrong: correct them, and run it again. It keeps the truth to itself until you write `case.verdict(answers, reveal=True)`. Another seed gives you a new case.

# %% exercise="detective"
answers = None  # for example {"A": None, "B": "background", "C": None, …}
# BEGIN SOLUTION
answers = {}
for name, suspect in case.suspects.items():
    ordinary = suspect.predict(case.images).argmax(axis=1)
    changed = {
        kind: float((suspect.predict(images).argmax(axis=1) != ordinary).mean())
        for kind, images in case.variants.items()
    }
    worst = max(changed, key=changed.get)  # the tie that this suspect needs most
    answers[name] = worst if changed[worst] > 0.2 else None
# END SOLUTION

# %%
exercises.detective.check(answers, case)

# %%
print(
    "No answers yet: the verdict comes when you have written some."
    if answers is None
    else case.verdict(answers)
)

# %% [markdown]
# To `case.verdict` (the check above wants the kinds alone) you can say more about a suspect: `{"kind": "background", "class": "car"}` names the class that it is tied to as well, and `"region"` takes masks of what it looks at. Then all that you say has to be right for the full score.

# %% [markdown]
# ## 15 · Exercises
#
# ### Exercise: the area under the curve
#
# A library of measures once added up the strips of a curve as if each were one wide; its areas grew with the number of steps. Write it so that the fractions count.


# %% exercise="curve_area"
def curve_area(probabilities, fractions):
    """The area (N,) under each curve: probabilities (N, S) at the ascending fractions (S,), by trapezoids."""
    # BEGIN SOLUTION
    middle = (probabilities[:, 1:] + probabilities[:, :-1]) / 2
    return (middle * fractions.diff()).sum(dim=1)
    # END SOLUTION


# %%
exercises.curve_area.check(curve_area)

# %% [markdown]
# ### Exercise: rank correlation
#
# The measure of the sanity checks, by hand. No two values of a map are equal here, so you need not care about ties.


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
# ### Exercise: find the bug
#
# This is how a well-known toolbox for judging explanations decides a round of the pointing game: it looks up all pixels that share the maximum, and calls it a hit if *any* of them is on the object. A constant map then wins every round. Change the function so that it is fair to ties: the value is the share of the maxima that hit.


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
# ## 16 · The paper in ten questions
#
# J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim: *Sanity Checks for Saliency Maps* (NeurIPS 2018).
#
# 1. **Which problem?** Explanations were compared by looking at them. How does one find out that a map says nothing about the model?
# 2. **Is it new?** Earlier work had noticed that some maps ignore the class. The two simple, general tests (random weights, random labels) are new.
# 3. **Which hypothesis?** A map that explains what a model has learnt must change when what it has learnt is destroyed.
# 4. **Related work, and who?** Saliency (Simonyan and others, 2014), guided backpropagation (Springenberg and others, 2015), a theory of why it restores the picture (Nie and others, 2018), input invariance (Kindermans and others, 2019). The authors were at Google Brain and Berkeley.
# 5. **The key idea?** Randomise the model, not the picture; compare the maps with a similarity measure.
# 6. **Which experiments?** Cascading and independent randomisation of Inception v3 on ImageNet and of smaller networks; networks trained on random labels; rank correlation, SSIM and HOG similarity.
# 7. **Data and code?** ImageNet, Fashion-MNIST, MNIST; the code is public.
# 8. **Do the results support it?** Guided backpropagation: yes, you have seen it, as long as the early layers are kept. Guided Grad-CAM: only by SSIM; by rank correlation it reacts like the plain gradients, and card 1 shows why SSIM misleads here. How insensitive depends on the similarity measure and on how signed maps are treated, as later work pointed out and your two columns show.
# 9. **What did it contribute?** A test that everybody can run, and the habit of asking for it.
# 10. **What next?** Tests with retraining (ROAR), with known ground truth (planted shortcuts, networks set by hand), and theory: when *can* a map be right?

# %% [markdown]
# ## 17 · Recap
#
# - Three questions: the object, what the model uses, the model at all. A method can pass one and fail another.
# - Put maps that know nothing on every scoreboard. A measure that a constant wins cannot stand alone.
# - Orders of methods can change with the substrate, the blur and the tolerance; of the changes that you saw, hardly any was more than chance. Report the settings and the intervals.
# - A map beside the object may be a right explanation of a wrong model. Ask the model, by changing the picture.
# - Passing a sanity check is necessary, not sufficient; so is a unit test. A method that fails is not always useless: it may answer another question. Say which.
# - Compare programs by numbers. Conventions differ more often than there are bugs, and there are bugs.
#
# **References**
# - [Adebayo and others, 2018: Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292)
# - [Petsiuk and others, 2018: RISE (deletion and insertion)](https://arxiv.org/abs/1806.07421)
# - [Zhang and others, 2016: the pointing game (excitation backprop)](https://arxiv.org/abs/1608.00507)
# - [Yeh and others, 2019: On the (in)fidelity and sensitivity of explanations](https://arxiv.org/abs/1901.09392)
# - [Bhatt and others, 2020: Evaluating and aggregating feature-based model explanations](https://arxiv.org/abs/2005.00631)
# - [Hooker and others, 2019: ROAR, a benchmark for interpretability methods](https://arxiv.org/abs/1806.10758)
# - [Rong and others, 2022: A consistent and efficient evaluation strategy (ROAD)](https://arxiv.org/abs/2202.00449)
# - [Kindermans and others, 2019: The (un)reliability of saliency methods](https://arxiv.org/abs/1711.00867)
# - [Nie and others, 2018: Why guided backpropagation restores the picture](https://arxiv.org/abs/1805.07039)
# - [Lapuschkin and others, 2019: Unmasking Clever Hans predictors](https://www.nature.com/articles/s41467-019-08987-4)
