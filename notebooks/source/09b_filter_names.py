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
# # 09b · Filters: names, other objectives, and digits counted
#
# **The question.** You have seen what a filter likes. What is it *for*, and how would you know?
#
# This companion of [09 · Filter visualization](09_filter_visualization.ipynb) adds names for filters and a score for a name, other things to maximise, a closer look at the generator's digits, and three traps.
#
# **After this lesson you can**
# - give a filter a name, with a score that shows how much the name is worth;
# - say what changes when you maximise a neuron, a channel, a class, or several pictures at once;
# - measure whether a picture is a digit, and say which measures are fooled;
# - recognise an adversarial ascent, a saturated one, and a remedy that hides what a filter does.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [09 · Filter visualization](09_filter_visualization.ipynb).

# %%
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import judge
from course_utils.exercises import l09_filter_visualization as exercises
from course_utils.labs import load_lab
from course_utils.lessons.l09_filter_visualization import CAREFUL, DIGIT_PICTURES, show_digits
from course_utils.methods.filters import activation_maximization, class_maximization, filter_activation
from course_utils.teach import plots

lab = load_lab("scenes", model="zfnet")
model, deep = lab.model, "conv5"

# %% [markdown]
# ## 1 · Give the filter a name
#
# Here is what four filters of `conv5` like best, by the plain ascent of the core. What is each of them for? Write down a word for each.

# %%
puzzle = (60, 17, 49, 0)
liked = activation_maximization(model, deep, puzzle, n_steps=24)

# %% tags=["hide-input"]
plots.show_images(list(lab.to_images(liked)), [f"filter {k}" for k in puzzle], columns=4)
plots.show(
    "Four grainy pictures: rows of small humps or stripes, one for each filter. No object is to be seen."
)

# %% [markdown]
# Everybody sees something else in such a picture. *Network dissection* (Bau and others, 2017) gives a filter a name that can be checked. Our scenes come with *part masks*: each pixel knows
# whether it shows a wheel, a wing, a cap. So:
#
# 1. run the filter on many scenes, and enlarge its maps to the size of the scenes;
# 2. keep the strongest one percent of all places, with *one* threshold for all scenes together;
# 3. measure the overlap with each part by *intersection over union* (IoU), the places that are in both divided by the places that are in one or both, again over all scenes:
#
# $$\text{IoU} = \frac{|\text{kept} \cap \text{part}|}{|\text{kept} \cup \text{part}|}$$
#
# The part with the largest IoU is the filter's name, and the IoU says how well the name fits. You also need to know what *chance* gives: the same filters with the masks of *other* scenes.

# %%
from torchvision.models.feature_extraction import create_feature_extractor

survey = load_lab("scenes", model="zfnet", seed=77, n=160)  # for naming; the stored scenes stay for the test
names, no_part = lab.part_names, ("background", "distractor", "foreground")
countable = [i for i, name in enumerate(names) if name not in no_part]
parts = survey.parts[:, ::2, ::2]  # every second pixel is enough
at_layer = create_feature_extractor(model, [deep])
with torch.no_grad():
    maps = torch.cat([at_layer(chunk)[deep] for chunk in survey.inputs.split(40)])
overlap = judge.part_iou(maps, parts, len(names))[:, countable]
by_chance = judge.part_iou(maps, parts.roll(37, dims=0), len(names))[:, countable]  # other scenes' masks
best = overlap.amax(dim=1)
print(f"IoU of the best name: median of {len(best)} filters {best.median():.3f}, largest {best.max():.3f}")
print(f"with other scenes' masks: at most {by_chance.max():.3f}")

# %%
part_of = {k: countable[int(overlap[k].argmax())] for k in best.argsort(descending=True).tolist()}
four = [(part_of[k], k) for k in puzzle]

# %% tags=["hide-input"]
_, axes = plots.grid(4, 5, ratio=1.0)
for row, (part, k) in zip(axes, four, strict=True):
    of_filter = maps[:, k].clamp(min=0)
    row[0].set_ylabel(f"filter {k}", fontsize=10)
    for ax, i in zip(row, of_filter.amax(dim=(1, 2)).argsort(descending=True)[:5].tolist(), strict=True):
        ax.imshow(plots.overlay(survey.images[i], of_filter[i], strength=0.6))
        plots.outline(ax, survey.parts[i] == part)
    row[0].set_title(f"“{names[part]}”, IoU {best[k]:.2f}", fontsize=10, loc="left")
plots.show(
    "For each of the four filters the five scenes to which it reacts most, with the part that it is named after outlined in white."
)

# %% [markdown]
# Did you find the names? And does each row deserve its name? Look at all five scenes of each before you read on. The next cell counts, for the strongest percent of a filter's places: the share on the part, how large that share can be at most (many parts fill less than one percent of all places), the same for the strongest tenth of these places, and the three classes of scenes with the largest shares.

# %% tags=["hide-input"]
for part, k in four:
    heat, on_part = F.interpolate(maps[:, [k]], parts.shape[1:], mode="bilinear")[:, 0], parts == part
    kept, tenth = (heat >= heat.flatten().topk(round(s * heat.numel())).values[-1] for s in (0.01, 0.001))
    most = min(1.0, on_part.sum().item() / kept.sum().item())
    share = torch.stack([kept[survey.targets == c].sum() for c in range(10)]) / kept.sum()
    where = ", ".join(
        f"{lab.class_names[c]} {share[c]:.2f}" for c in share.argsort(descending=True)[:3].tolist()
    )
    print(
        f"filter {k}, “{names[part]}”: {kept[on_part].sum() / kept.sum():.2f} on the part (at most {most:.2f}), "
        f"of the strongest tenth {tenth[on_part].sum() / tenth.sum():.2f}\n    shares by scene: {where}"
    )

# %% [markdown]
# **A name says which part the strongest places overlap best, and no more.** For these four, less than half of the strongest percent lies on the part. But compare with what is possible: the sail is so small that no filter could have half of its percent on it. Of the strongest tenth, more than half lies on the part. Filter 60 also has places in scenes of snails, which have no scoop.
#
# ### Exercise: how well does a name fit?
#
# Keep the `n_kept` strongest places of a filter, over all pictures together; if several share the value of the last one, keep them all. Return the intersection over union with the part.


# %% exercise="name_score"
def name_score(heat, mask, n_kept):
    """The IoU of a filter's strongest places with a part, from maps and the part's masks, both (N, H, W)."""
    # BEGIN SOLUTION
    threshold = heat.flatten().topk(n_kept).values[-1]
    kept = heat >= threshold
    return (kept & mask).sum() / (kept | mask).sum()
    # END SOLUTION


# %%
exercises.name_score.check(name_score)

# %% [markdown]
# ## 2 · Does the name hold on other scenes?
#
# We picked the best of many names for the best of many filters. Such a choice looks good on the scenes that it was made on. So test it on the stored scenes: in each scene that shows a part (40 pixels or more),
# how much of the map of *the filter named after the part* lies on it? Beside it: the filter that is named after *another part* of the scene; the filter with the *largest value* in the scene, whatever its name; any filter of the layer, chosen at random; and two maps that know nothing of the network.

# %%
named = {}  # for each part the filter that it names best: the best come first in part_of
for k, part in part_of.items():
    named.setdefault(part, k)
with torch.no_grad():
    stored = torch.cat([at_layer(chunk)[deep] for chunk in lab.inputs.split(50)]).clamp(min=0)
pairs = [(i, part) for i in range(len(lab)) for part in named if (lab.parts[i] == part).sum() >= 40]
scenes = torch.tensor([i for i, _ in pairs])
truth = torch.stack([lab.parts[i] == part for i, part in pairs])
another_part = [next((q for j, q in pairs if j == i and q != part), part) for i, part in pairs]
largest = stored.amax(dim=(2, 3)).argmax(dim=1)[scenes]
any_filter = torch.randint(0, stored.shape[1], (len(pairs),), generator=torch.Generator().manual_seed(0))


# %%
def energy(channels):
    """For each pair of a scene and a part: the share of the filter's map that lies on the part."""
    chosen = stored[scenes, channels][:, None]
    return judge.energy_in_mask(F.interpolate(chosen, truth.shape[1:], mode="bilinear")[:, 0], truth)


scores = {
    "the filter named after the part": energy(torch.tensor([named[part] for _, part in pairs])),
    "named after another part": energy(torch.tensor([named[part] for part in another_part])),
    "the largest in the scene": energy(largest),
    "any filter of the layer": energy(any_filter),
    "edges (Sobel)": judge.energy_in_mask(judge.baselines.sobel(lab.inputs[scenes]), truth),
    "centre": judge.energy_in_mask(judge.baselines.center(lab.inputs[scenes]), truth),
}
print(f"{len(named)} of {len(countable)} parts have a filter that is named after them")
print(f"such a part covers {truth.float().mean():.3f} of its scene on average")
for name in list(scores)[1:]:
    print(f"named minus {name}: {judge.paired(scores['the filter named after the part'], scores[name])}")

# %% tags=["hide-input"]
plots.score_plot(
    scores, baselines=list(scores)[1:], xlabel="share of the map that lies on the part", xlim=(0, 0.22)
)
plots.show("; ".join(f"{name} {score.mean():.2f}" for name, score in scores.items()))

# %% [markdown]
# The first difference is what the choice of the name is worth: a filter lies a little more on its own part than on another part of the scene. But see the second: the filter with the largest value in the scene, whatever its name, has *more* of its map on the part. **A name that holds does not find the best filter for a part.** Even that one has most of its map beside the part. (Several parts of one scene are not independent, so the intervals are a little too short.)

# %% [markdown]
# ## 3 · What to maximise
#
# So far the score was the mean over the filter's map (*channel*). You can also ask one place of the map (*neuron*), or the score of a *class*. A neuron sees only a patch of the picture, its *receptive field*. Does its picture change outside that patch?

# %%
middle = {"position": (8, 8)}
target = lab.class_names.index("car")
objectives = {
    "channel": activation_maximization(model, deep, 60, **CAREFUL),
    "neuron, waves": activation_maximization(model, deep, 60, **middle, **CAREFUL),
    "neuron, pixels from grey": activation_maximization(
        model, deep, 60, **middle, n_steps=16, start=torch.zeros(1, 3, 128, 128)
    ),
    "class “car”": class_maximization(model, target, **CAREFUL),
}
moved = objectives["neuron, pixels from grey"][0].abs().amax(dim=0) > 0
rows, columns = (moved.any(dim=d).nonzero().flatten() for d in (1, 0))
inside = torch.zeros_like(moved)
inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
print(f"the patch has {len(columns)} × {len(rows)} of 128 × 128 pixels")
for name in ("neuron, waves", "neuron, pixels from grey"):
    away = objectives[name][0].abs().mean(dim=0)
    print(
        f"{name}: mean distance from grey inside {away[inside].mean():.2f}, outside {away[~inside].mean():.2f}"
    )

# %% tags=["hide-input"]
figure = plots.show_images(
    [lab.to_images(x)[0] for x in objectives.values()], list(objectives), columns=4, width=10
)
for ax in figure.axes[1:3]:
    plots.draw_box(ax, [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
plots.show(
    "Four pictures; in those of a neuron a box marks the patch that it sees. From grey, nothing outside the box has changed."
)

# %% [markdown]
# From grey, pixel by pixel, nothing outside the box has changed. The picture made of waves is not grey outside, since each wave runs through the whole picture. What you see outside the box comes from the method.
#
# A filter may like several different things. Then ask for two pictures at once and charge for their likeness (*diversity*, Olah and others, 2017):


# %%
def likes(pictures):
    return filter_activation(model, pictures, deep, 60).mean(dim=(1, 2))


two = {
    charge: activation_maximization(model, deep, 60, n_pictures=2, diversity=charge, **CAREFUL)
    for charge in (0.0, 2.0, 8.0)
}
for charge, pictures in two.items():
    print(f"charge {charge}: the filter's score {likes(pictures)[0]:.1f} and {likes(pictures)[1]:.1f}")
print(f"an even grey picture: {likes(torch.zeros(1, 3, 128, 128))[0]:.1f}")

# %% tags=["hide-input"]
plots.show_images(
    list(lab.to_images(torch.cat(list(two.values())))),
    [f"charge {charge:.0f}" for charge in two for _ in range(2)],
    columns=6,
)
plots.show("Three pairs of pictures for one filter, with no, some and a strong charge for being alike.")

# %% [markdown]
# For this filter, diversity costs score. At the strongest charge, one picture of the pair scores less than even grey: it differs, but it is no longer what the filter likes. Only a difference that comes back with other starts says something about the filter.

# %% [markdown]
# ## 4 · Is it a digit? Four measures, and who fools them
#
# The core showed digits of a generator. Let us measure, beside the tangles of the core's puzzle. For each kind of picture: is the reader certain of the asked-for digit? Is a *second* reader, trained on other drawings? How far (in pixel values) is the nearest of 1,000 drawings that the reader was trained on? And how unlike a digit does the autoencoder find it (its loss; low is like a
# digit)? The last row is a blank sheet.

# %%
from course_utils.labs.digits import training_digits
from course_utils.lessons.l09_filter_visualization import dream, random_reader

digits = load_lab("digits")
reader = digits.model
vae, second = load_lab("digits", model="vae").model, load_lab("digits", model="second").model
best_of_reader, all_of_reader = dream(reader, vae.decode)
best_of_random, all_of_random = dream(random_reader(reader), vae.decode)
drawings = training_digits(1000)[0]
ten = torch.arange(10)
kinds = {
    "real drawings": (digits.inputs[digits.targets.argsort(stable=True)[::4]], torch.arange(50) // 5),
    "plain ascent": (class_maximization(reader, list(range(10)), n_steps=60, **DIGIT_PICTURES), ten),
    "G(z*), reader": (best_of_reader, ten),
    "G(z*), random weights": (best_of_random, ten),
    "empty page": (torch.zeros(10, 1, 28, 28), ten),
}

# %% tags=["hide-input"]
print(f"{'':23}  reader  second  nearest  loss")
with torch.no_grad():
    for name, (x, c) in kinds.items():
        p, q = (network(x).softmax(dim=1)[range(len(x)), c].mean() for network in (reader, second))
        nearest = torch.cdist(x.flatten(1), drawings.flatten(1)).amin(dim=1).mean()
        print(f"{name:<23}  {p:6.2f}  {q:6.2f}  {nearest:7.1f}  {vae.loss(x).mean():4.0f}")
    nearest = drawings[torch.cdist(best_of_reader.flatten(1), drawings.flatten(1)).argmin(dim=1)]

# %% tags=["hide-input"]
show_digits(
    digits,
    {"G(z*)": best_of_reader, "nearest\ndrawing": nearest},
    "Above the generator's ten digits, below the training drawing that is nearest to each: similar, but no copies.",
)

# %% [markdown]
# - *reader* and *second* are certain of plain tangles too. Certainty does not tell digits from noise, and a second network, a wider one of the same kind, shares the error.
# - *nearest* prefers little ink: the empty page is the nearest of all.
# - The autoencoder's *loss* tells the plain ascents from digits. But the empty page has the lowest loss (it is easy to copy), and the loss comes from the network that drew $G(z^*)$, so it is no independent judge of those.
#
# Each measure is fooled by something. And one picture proves nothing: here are all starts of the generator.

# %%
asked = ten.repeat_interleave(6)
with torch.no_grad():
    for name, x in (("reader", all_of_reader), ("random weights", all_of_random)):
        hits = (second(x).argmax(dim=1) == asked).float().view(10, 6).mean(dim=1)
        low, high = judge.bootstrap_interval(hits)
        print(
            f"ascent on {name:<14}: the asked-for digit in {hits.mean():.2f} of the starts ({low:.2f} to {high:.2f} over digits)"
        )

# %% [markdown]
# The reader's ascent nearly always ends at the asked-for digit; that of random weights seldom, about as often as a guess would.

# %% [markdown]
# ## 5 · Where it breaks
#
# ### Card 1: certainty is not recognition
#
# Start the ascent from a real picture of a 1, with small steps, and stop as soon as the network says 3. That is an *adversarial example*: an input changed so that the network errs.

# %%
victim, path = digits.inputs[digits.targets == 1][:1], []
class_maximization(
    reader,
    3,
    objective="log_probability",
    start=victim,
    learning_rate=0.02,
    n_steps=40,
    on_step=lambda step, x, s: path.append((x, int(reader(x).argmax()))),
    **DIGIT_PICTURES,
)
steps = next(i for i, (_, says) in enumerate(path) if says == 3)
change = (path[steps][0] - victim).abs()
print(
    f"after {steps} steps: says 3; mean change of a pixel {change.mean():.2f}, largest {change.max():.2f} (ink is 1)"
)

# %% tags=["hide-input"]
shown = [255 - digits.to_images(x)[0] for x in (victim, path[steps][0], change)]
plots.show_images(shown, ["a 1", "says 3", "what was changed"], columns=3, width=5)
plots.show("A drawn 1, the same with grey smudges, which the network calls a 3, and the smudges alone.")

# %% [markdown]
# You see the grey smudges, but you would not read a 3. An explanation of this "3" may be faithful to the network, and useless to you.
#
# ### Card 2: maximise the probability, and the ascent slows down
#
# Near probability 1 the gradient of the probability $p$ is almost zero, whatever the picture looks like. Does the *log* of the probability help?


# %%
def logits_of(network, objective="logit"):
    """The logit of the class before each step of an ascent, and at its end."""
    logits = []
    keep = lambda step, x, s: logits.append(model(x)[0, target].item())  # noqa: E731
    class_maximization(network, target, objective=objective, n_steps=24, on_step=keep)
    return logits


climbs = {
    "logit": logits_of(model),
    "probability": logits_of(nn.Sequential(model, nn.Softmax(dim=1))),
    "log probability": logits_of(model, objective="log_probability"),
}
for name, logits in climbs.items():
    after = ", ".join(f"{logits[i]:.1f}" for i in (0, 5, 10, 24))
    print(f"ascent on the {name}: logit after 0, 5, 10, 24 steps: {after}")

# %% [markdown]
# Only the ascent on the logit climbs on. The other two slow down as soon as the network is certain: the gradient of $\log p$ has the factor $1 - p$, and that is almost zero, too.
#
# ### Card 3: a remedy that hides
#
# Filters of `conv1` can like a fine pattern: the core's plain ascent found a checked one. How much do two other filters like the pictures of the careful ascent, and which half of it costs more, the waves or the moves? Each way has 24 steps. The control: filter 60 of the deep layer.

# %%
halves = {
    "plain": {"n_steps": 24},
    "waves only": {"n_steps": 24, "parametrization": "fourier", "learning_rate": 0.2},
    "moves only": {"n_steps": 24, "jitter": 6, "scale": 0.1, "rotate": 8.0},
    "careful": CAREFUL,
}
for name, how in halves.items():
    made = activation_maximization(model, "conv1", (10, 19), **how)
    both = [filter_activation(model, made, "conv1", k)[i].mean() for i, k in enumerate((10, 19))]
    print(f"conv1, {name:>10}: filter 10 {both[0]:.2f}, filter 19 {both[1]:.2f}")
for name, x in {"plain": liked[:1], "careful": objectives["channel"]}.items():
    print(f"{deep}, {name:>10}: filter 60 {likes(x)[0]:.2f}")

# %% [markdown]
# The careful ascent loses nearly all of the score of these two filters, and about a third of that of the deep one. Waves alone and moves alone already lose more than half in `conv1`; which of them costs more depends on the filter. **A remedy that makes deep filters readable can hide what a shallow one does.**

# %% [markdown]
# ## 6 · Write a remedy
#
# ### Exercise: one step with jitter
#
# You climb $s(x) - \lambda \sum x^2$, where $\lambda$ is `decay`. The filter looks at a *moved* picture: `x.roll(shift, dims=(2, 3))`. `gradient_of` gives the slope of $s$ at the picture that the filter sees. Move that slope back to where its pixels are, divide it by its root mean square for each picture, and only then add the slope of the penalty. After the step, pixels must lie between −1 and 1.


# %% exercise="jittered_step"
def jittered_step(x, gradient_of, shift, rate, decay):
    """The next picture (N, C, H, W).

    gradient_of(pictures) is the slope of s there; shift is (rows, columns); rate is the step size.
    """
    # BEGIN SOLUTION
    slope = gradient_of(x.roll(shift, dims=(2, 3))).roll((-shift[0], -shift[1]), dims=(2, 3))
    slope = slope / slope.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return (x + rate * (slope - 2 * decay * x)).clamp(-1, 1)
    # END SOLUTION


# %%
exercises.jittered_step.check(jittered_step)

# %% [markdown]
# ## 7 · Recap
#
# - A name for a filter needs a score, a chance level, and scenes that it was not chosen on. It says which part fits best, not that it fits well, nor that no other filter fits the part better.
# - What you maximise and how you climb both show in the picture.
# - Certainty, distance and an autoencoder's loss are each fooled by something.
# - A remedy can hide what a filter does.
#
# **References**
# - [Bau and others, 2017: Network dissection](https://arxiv.org/abs/1704.05796) · [Nguyen and others, 2016](https://arxiv.org/abs/1605.09304) · [Olah and others, 2017: Feature visualization](https://doi.org/10.23915/distill.00007)
