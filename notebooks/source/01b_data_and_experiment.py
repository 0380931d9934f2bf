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
# # 01b · Data first, then an experiment
#
# **The question.** You suspect that a model is right for the wrong reason. What in the data makes you suspicious, and which experiment decides?
#
# This companion of [01 · Why explain?](01_why_explain.ipynb) adds what comes before and after the heat map: examples that speak for a whole collection, experiments that exchange one thing at a time, and what two hints are worth together.
#
# **After this lesson you can**
# - choose prototypes and criticisms from a collection, and say what they leave out;
# - say how much a map's score depends on the size and the colour of the square;
# - find out which part of the ground turns a model's answers (brightness, colour or texture), with a control;
# - design an experiment that tells animal from ground, without anybody who draws new pictures for you;
# - combine two hints as MYCIN did, and say when that is wrong.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [01 · Why explain?](01_why_explain.ipynb).
#
# The first cell loads the two models of lesson 01. You know by now that model A reads the ground, and model B the animal.

# %%
import matplotlib.pyplot as plt
import numpy as np

from course_utils import judge
from course_utils.exercises import l01_why_explain as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l01_why_explain as lesson
from course_utils.teach import plots

offers = {"A": load_lab("wolves", model="shortcut"), "B": load_lab("wolves", model="clean")}
lab = offers["A"]  # both have the same pictures
images, targets, class_names = lab.images, lab.targets.numpy(), lab.class_names

# %% [markdown]
# ## 1 · Prototypes and criticisms
#
# You cannot look at all pictures of a large collection. Which few should you look at? *Prototypes* are examples that together resemble the whole. *Criticisms* are meant to be the examples that the prototypes describe badly (Kim and others, 2016).
#
# Take each class by itself. Let $t_i$ be picture $i$ reduced to 16 × 16 pixels with values from 0 to 1, and let $q$ be the median of the squared distances $\lVert t_i - t_j \rVert^2$ between two different pictures. The *similarity* of two pictures is
#
# $$k(i,j) = \exp\big(-\lVert t_i - t_j \rVert^2 / q\big),$$
#
# 1 for equal pictures, and close to 0 for very different ones.


# %%
def similarities(images):
    """The similarity of each two of n pictures (n, 128, 128, 3): (n, n)."""
    small = images.reshape(len(images), 16, 8, 16, 8, 3).mean(axis=(2, 4)).reshape(len(images), -1) / 255
    squared = ((small[:, None] - small[None]) ** 2).sum(axis=2)
    return np.exp(-squared / np.median(squared[np.triu_indices(len(squared), 1)]))


# %% [markdown]
# Choose prototypes $S$, one after the other, so that the following distance between all $n$ pictures of the class and the $m$ chosen ones gets small (the *maximum mean discrepancy*, MMD):
#
# $$\text{MMD}^2(S) = \frac{1}{n^2}\sum_{i,j} k(i,j) \;-\; \frac{2}{n\,m}\sum_{i}\sum_{s \in S} k(i,s) \;+\; \frac{1}{m^2}\sum_{s,t \in S} k(s,t).$$
#
# The first term does not depend on the choice. The second rewards prototypes that resemble many pictures; the third punishes prototypes that resemble each other. A criticism is a picture where the mean similarity to its class and the mean similarity to the prototypes differ most.


# %%
def mmd2(k, chosen):
    """MMD² between all pictures and the chosen ones, without the term that is always the same."""
    return k[np.ix_(chosen, chosen)].mean() - 2 * k[:, chosen].mean()


def prototypes(k, n_chosen):
    """Choose greedily: each time the picture with which MMD² falls most."""
    chosen = []
    for _ in range(n_chosen):
        left = [i for i in range(len(k)) if i not in chosen]
        chosen.append(min(left, key=lambda i: mmd2(k, [*chosen, i])))
    return chosen


def criticisms(k, chosen, n_chosen):
    """The pictures where the chosen ones and all of them differ most in their mean similarity."""
    difference = np.abs(k.mean(axis=1) - k[:, chosen].mean(axis=1))
    difference[chosen] = 0
    return list(np.argsort(-difference)[:n_chosen])


# %%
chosen = {}
for c, name in enumerate(class_names):
    members = np.flatnonzero(targets == c)
    k = similarities(images[members])
    typical = prototypes(k, 3)
    chosen[name] = members, k, typical, criticisms(k, typical, 3)
    rest = np.setdiff1d(range(len(k)), typical)
    closer = (k[rest][:, typical].mean(axis=1) > k[rest].mean(axis=1)).sum()
    print(f"{name}: {closer} of {len(rest)} others resemble the prototypes more than the class")

# %% [markdown]
# One row is a class: three prototypes, then three criticisms; below each, its mean similarity to its class and to the prototypes. Look at the *ground* in each row.

# %% tags=["hide-input"]
figure, axes = plots.grid(2, 6, width=9, ratio=1.25)
for row, (name, (members, k, typical, odd)) in enumerate(chosen.items()):
    for ax, i in zip(axes[row], [*typical, *odd], strict=True):
        ax.imshow(images[members[i]])
        ax.set_xlabel(f"its class {k[i].mean():.2f}\nprototypes {k[i, typical].mean():.2f}", fontsize=9)
    axes[row, 0].set_ylabel(name, fontsize=11)
for column in range(6):
    axes[0, column].set_title("prototype" if column < 3 else "criticism", fontsize=10)
figure.suptitle("All wolves stand on snow, no husky does")
plots.show(
    "Three prototypes and three criticisms of each class. The huskies stand on dark grounds of several kinds, "
    "each wolf stands on snow."
)

# %% [markdown]
# For the wolves it says little that the criticisms resemble the prototypes more than their class: nearly all others do so too (printed above); among the huskies about half do. Only the *size* of the difference makes a criticism, and five of these six are pictures that the prototypes describe too *well*. The husky on dark grass is the other kind: pictures like it have too small a part in the prototypes.
#
# Twelve pictures are enough to suspect the ground, if you ask what *else* the pictures of a class have in common. Here any twelve would do, since the ground has no exceptions. What if it had? Put two pictures of a class on the other farm, twenty times two others. How often do the three criticisms hold one of them? How often the three pictures that resemble their class *least*, and three drawn by chance?

# %%
rng = np.random.default_rng(0)
for c, name in enumerate(class_names):
    members = np.flatnonzero(targets == c)
    found = np.zeros(3, int)
    for _ in range(20):
        mixed, moved = images[members], set(rng.choice(len(members), 2, replace=False))
        mixed[[*moved]] = lab.counterfactuals[members[[*moved]]]
        k = similarities(mixed)
        ways = criticisms(k, prototypes(k, 3), 3), np.argsort(k.mean(axis=1))[:3], rng.permutation(len(k))[:3]
        found += [bool(moved & set(three)) for three in ways]
    print(f"{name}: criticisms {found[0]}, least similar {found[1]}, by chance {found[2]} of 20")

# %% [markdown]
# **A criticism need not be an exception.** A picture on strange ground resembles neither its class nor the prototypes, so the *difference* is small. Here the criticisms miss nearly all of the huskies' exceptions; on most other pictures of this kind they miss the wolves' as well. For exceptions, look at the pictures that resemble their class least. (The paper also asks the criticisms to differ from each other; we leave that out.) [Lesson 17](17_training_examples.ipynb) compares prototypes with an older choice, medoids, and with a package.

# %% [markdown]
# ## 2 · How firm is the map's score?
#
# In lesson 01 most of model B's map lay on the animal: its [energy](glossary.md#energy) was large. The square had 32 pixels and was grey. Both were our choice. Here are other squares, on twenty of the pictures.

# %%
some = np.r_[0:20]
masks = lab.masks[some]
energy = {}
squares = {  # side, step, colour
    "20 pixels, grey": (20, 18, 128),
    "32 pixels, grey": (32, 24, 128),
    "64 pixels, grey": (64, 32, 128),
    "32 pixels, black": (32, 24, 0),
    "32 pixels, white": (32, 24, 255),
}
for label, (side, step, grey) in squares.items():
    square = {"window": side, "stride": step}
    for name, offer in offers.items():
        falls = lesson.cover_and_watch(offer.predict, images[some], targets[some], grey=grey, **square)
        energy[label, name] = judge.energy_in_mask(lesson.spread(falls, 128, **square), masks)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 2.4))
area = masks.float().mean(dim=(1, 2))
for ax, name in zip(axes, offers, strict=True):
    plots.score_plot({label: energy[label, name] for label in squares}, xlabel="energy", sort=False, ax=ax)
    ax.axvspan(0, float(area.mean()), color=plots.BASELINE, alpha=0.2, linewidth=0)
    ax.set_title(
        {"A": "A: near a constant map (grey) or below", "B": "B: far above, less with 64 pixels"}[name],
        loc="left",
    )
axes[1].set_yticklabels([])
plots.show(
    "Energy on the animal for five squares. "
    + " ".join(
        f"Model {name}: "
        + ", ".join(f"{label} {float(energy[label, name].mean()):.2f}" for label in squares)
        + "."
        for name in offers
    )
)

# %% [markdown]
# A square of 64 pixels touches the animal from many places, so the map gets wide and model B's number falls by half. Black and white squares change it less. With each of the five squares model A stays far behind. So the *number* depends on our choices; which model is ahead did not, for these five.

# %% [markdown]
# ## 3 · One thing at a time: what does model A read in the ground?
#
# Lesson 01 exchanged snow and grass. With them went brightness, colour and texture. Which of the three turns the ground detector's answers? **Change one, and leave the other two as they are.** Write $s$ for the ground of a picture and $o$ for its ground on the other farm; both are arrays of pixels with three colours. A ground is the sum of its mean brightness, its mean colour (without the brightness), and the rest, which is its texture. (Values below 0 and above 255 are cut off, so a large step in brightness also takes some texture away.)
#
# Before you look at the result, write down which of the three you expect. The last line, *away*, is a control: the same step in brightness in the other direction, so that huskies get a darker ground and wolves a brighter one.


# %%
def split(ground, outside):
    """A ground (H, W, 3) as brightness (a number), colour (3,) and texture (H, W, 3); they add up to it."""
    mean = ground[outside].mean(axis=0)
    return mean.mean(), mean - mean.mean(), ground - mean


def exchange(images, others, masks, wanted):
    """The pictures with only the wanted parts of the ground taken from the other farm."""
    changed = images.copy()
    for i, outside in enumerate(~masks):
        own, other = split(images[i].astype(float), outside), split(others[i].astype(float), outside)
        parts = [o if name in wanted else s for name, s, o in zip(PARTS, own, other, strict=True)]
        changed[i][outside] = (parts[0] + parts[1] + parts[2]).clip(0, 255)[outside]
    return changed


PARTS = ("brightness", "colour", "texture")

# %%
masks = lab.masks.numpy()
versions = {part: exchange(images, lab.counterfactuals, masks, {part}) for part in PARTS}
versions["all three"] = exchange(images, lab.counterfactuals, masks, set(PARTS))
versions["away"] = images.copy()  # the same step in brightness, but away from the other farm
for i, outside in enumerate(~masks):
    step = lab.counterfactuals[i][outside].mean() - images[i][outside].mean()
    versions["away"][i][outside] = (images[i][outside] - step).clip(0, 255)
for name, changed in versions.items():
    row = []
    for n, offer in offers.items():
        right = offer.predict(changed).argmax(axis=1) == targets
        row += [f"{n} {kind} {right[targets == c].mean():.2f}" for c, kind in enumerate(class_names)]
    print(f"right, {name:<11}" + ", ".join(row))

# %% tags=["hide-input"]
example = int(np.flatnonzero(targets == class_names.index("husky"))[1])
wolf = class_names.index("wolf")
shown = {"as it is": images, **versions}
p = {name: offers["A"].predict(pictures[[example]])[0, wolf] for name, pictures in shown.items()}
plots.show_images(
    [pictures[example] for pictures in shown.values()],
    [f"{name}\np(wolf) = {p[name]:.2f}" for name in shown],
    columns=6,
    title="One husky, six grounds; p(wolf) of model A",
)
plots.show(
    "One husky on six grounds. " + ", ".join(f"{name}: p(wolf) {value:.2f}" for name, value in p.items())
)

# %% [markdown]
# Brightness alone turns most of model A's answers, colour a few, texture next to none. Does model A then read how bright the ground is, like the rule in lesson 01 (bright means wolf)? **The control says no.** By that rule a husky on a darker ground stays a husky, but about half of model A's huskies turn to wolves (the wolves on a brighter ground stay wolves). So a large step in *either* direction turns huskies: model A does not read brightness alone.
#
# Model B stays right, or nearly so: the animal can still be recognised. But model B was trained on both kinds of ground. That it copes with strange pictures does not show that model A does, so it cannot replace the control.
#
# Two limits. The split into three parts is ours: another one would ask another question. And parts can work together: brightness alone leaves some answers right, all three leave none.

# %% [markdown]
# ## 4 · Design an experiment
#
# In lesson 01 somebody had drawn the other farm for you. Usually nobody has: you make the pictures yourself.
#
# ### Exercise: animal or ground?
#
# Design an experiment that finds out whether a model of two classes reads the *animal* or the *ground*, and return that word. You get `predict` (pictures to probabilities, (N, 2)), `images` (N, H, W, 3), their classes `targets` (N,), and `masks` (N, H, W), True on the animal. In `images` each class has its own animals and its own ground, so every model is right as long as you change nothing.
#
# The check tries your experiment on nine little models of which it knows the truth. Some of them fail on pictures unlike those they know, for instance with a flat spot of one colour, with a ground that is noise, or with two animals. In some the animal decides in most pictures and the ground in a few, or the other way round: the majority counts. So think about what *else* your intervention changes, and look at enough pictures.


# %% exercise="what_decides"
def what_decides(predict, images, targets, masks):
    """Which of the two decides most answers of the model: "animal" or "ground"?"""
    # BEGIN SOLUTION
    changed = images.copy()
    rows, columns = np.indices(masks[0].shape)
    for i in range(len(images)):
        donors = np.roll(np.flatnonzero(targets != targets[i]), -i)  # another first donor each time
        first = (~masks[donors]).argmax(axis=0)  # for each pixel, the first donor without an animal
        other_ground = images[donors[first], rows, columns]
        changed[i][~masks[i]] = other_ground[~masks[i]]
    still_right = (predict(changed).argmax(axis=1) == targets).mean()
    return "animal" if still_right > 0.5 else "ground"
    # END SOLUTION


# %%
exercises.what_decides.check(what_decides)

# %% [markdown]
# Now on real networks: the two offers, and two networks that tell drawn *monsters* apart, one family saved on black and the other on white. The last column is the truth, from pictures that were drawn anew on the other ground.

# %%
suspects = {f"wolves, model {name}": offer for name, offer in offers.items()}
suspects |= {f"monsters, {kind}": load_lab("monsters", model=kind) for kind in ("shortcut", "clean")}
table = []
for name, suspect in suspects.items():
    evidence = suspect.predict, suspect.images, suspect.targets.numpy(), suspect.masks.numpy()
    anew = suspect.predict(suspect.counterfactuals).argmax(axis=1) == evidence[2]
    table.append((name, what_decides(*evidence), exercises.what_decides.reference(*evidence), anew.mean()))

# %% tags=["hide-input"]
print(f"{'network':<20}{'your experiment':<18}{'the solution':<15}right on the other ground")
for name, yours, solution, anew in table:
    print(f"{name:<20}{yours or 'not yet':<18}{solution:<15}{anew:.2f}")

# %% [markdown]
# ### What the experiment looks like
#
# The ground in the solution's pictures is cut from pictures of the *other* class, so it is ground that does occur. The cut itself is a change as well: the animal gets a hard border, and where a donor's own animal stood you see a patch from another donor. So a wrong answer could have two causes. The **control** makes the same cut with ground of the *same* class. It needs no model of which you know the answer.


# %%
def pasted(images, targets, masks, own_class):
    """The animals on ground cut from other pictures: of the other class, or of their own."""
    changed = images.copy()
    rows, columns = np.indices(masks[0].shape)
    for i in range(len(images)):
        donors = np.roll(np.flatnonzero((targets == targets[i]) == own_class), -i)
        donors = donors[donors != i]
        ground = images[donors[(~masks[donors]).argmax(axis=0)], rows, columns]
        changed[i][~masks[i]] = ground[~masks[i]]
    return changed


# %% tags=["hide-input"]
for name, suspect in suspects.items():
    classes, animal = suspect.targets.numpy(), suspect.masks.numpy()
    black = suspect.images * animal[..., None]
    grounds = {"other class": pasted(suspect.images, classes, animal, own_class=False)}
    grounds |= {"own class": pasted(suspect.images, classes, animal, own_class=True), "black": black}
    right = {kind: suspect.predict(new).argmax(axis=1) == classes for kind, new in grounds.items()}
    print(f"{name:<20}" + ", ".join(f"{kind}: right in {r.mean():.2f}" for kind, r in right.items()))

# %% tags=["hide-input"]
one = int(np.flatnonzero(targets == 0)[1])
on_snow = pasted(images, targets, lab.masks.numpy(), own_class=False)
three = np.stack([images[one], on_snow[one], lab.counterfactuals[one]])
says = {name: offer.predict(three) for name, offer in offers.items()}
plots.show_images(
    three,
    [
        f"{what}\n"
        + ", ".join(f"{n}: {class_names[q[i].argmax()]} {q[i].max():.2f}" for n, q in says.items())
        for i, what in enumerate(("as it is", "ground pasted", "drawn anew"))
    ],
    title="Ground pasted from other pictures does to the answers what ground drawn anew does",
    width=8,
)
plots.show(
    "A husky on its own ground, on snow cut from other pictures, and drawn anew on snow. "
    + "; ".join(
        f"{n}: " + ", ".join(f"{class_names[r.argmax()]} {r.max():.2f}" for r in q) for n, q in says.items()
    )
)

# %% [markdown]
# With ground of their own class all four networks stay right, or nearly so: the cut does not explain the wrong answers. Painted grounds mislead on real networks, too: on *black* ground model A is mostly right, so that experiment would answer “animal”. Where the ground is the same for both classes, model A can use the animal; when ground and animal disagree, it follows the ground.

# %% [markdown]
# ## 5 · What are two hints worth together?
#
# Suppose that you have two hints that model A reads the ground: covering the animal with grey squares changes little, and so does covering it with black ones. How sure do both make you? MYCIN, a program of 1975 that advised doctors, gave each conclusion a *certainty* between −1 (certainly not) and 1 (certainly). It combined two reasons $x$ and $y$ for the same conclusion like this (Shortliffe and Buchanan, 1975; for opposite signs we take the later formula of its successor EMYCIN; [13c](13c_telling.ipynb) runs such a program):
#
# $$x \oplus y = \begin{cases} x + y\,(1 - |x|) & \text{if both have the same sign} \\[2pt] \dfrac{x + y}{1 - \min(|x|, |y|)} & \text{otherwise.} \end{cases}$$


# %%
def combine(x, y):
    """Two certainties for one conclusion, as one (1 and −1 together are not defined)."""
    if x * y >= 0:
        return x + y * (1 - abs(x))
    return (x + y) / (1 - min(abs(x), abs(y)))


for x, y in ((0.5, 0.6), (0.6, 0.5), (0.5, -0.5), (0.8, -0.3), (0.5, 0.5)):
    print(f"{x:+.1f} and {y:+.1f} give {combine(x, y):+.2f}")

# %% [markdown]
# Two hints of 0.5 and 0.6 make 0.8, in either order. A hint and its opposite make 0. But the rule treats each reason as new: hear one hint of 0.5 twice, and it makes 0.75 of it. Our two hints are hardly two. Both come from covering one square, and if the rest of the animal were enough for the model, both would mislead you together. **Two hints are worth more than one only if they could have failed separately**, as a map and an experiment can: on the other farm, model A's map for the right class lay on the animal (lesson 01, section 9), and the experiment still said “ground”. And ask whether a hint is about the *model*: that a rule with the brightness does nearly as well (lesson 01, section 5) is as true of model B, which reads the animal.
#
# ### Exercise: the missing reason
#
# Now backwards: one reason $x$ is `known`. How certain must a second reason $y$ be, so that $x \oplus y$ is exactly `goal`? You may call `combine`. (There is a way without cases.)


# %% exercise="missing_reason"
def missing_reason(known, goal):
    """The certainty that combines with `known` to `goal`.

    Both are numbers between −1 and 1, ends excluded.
    """
    # BEGIN SOLUTION
    return combine(goal, -known)  # −known takes the known reason back: known ⊕ −known = 0
    # END SOLUTION


# %%
exercises.missing_reason.check(missing_reason)

# %% [markdown]
# ## 6 · Recap
#
# - Prototypes and criticisms make a large collection small enough to look at. They do not tell you what to look for, and they may miss exceptions.
# - A score depends on choices such as the size and the colour of the square. Say which you made, and whether the conclusion survives others.
# - An experiment changes one thing at a time and keeps a control: the same kind of change, without what you ask about.
# - Put into a picture only what occurs in pictures, and look at enough of them.
# - Two hints that can only fail together are one hint.
#
# **References**
# - [Kim and others, 2016: Examples are not enough, learn to criticize!](https://papers.nips.cc/paper/6300-examples-are-not-enough-learn-to-criticize-criticism-for-interpretability)
# - [Shortliffe and Buchanan, 1975: A model of inexact reasoning in medicine](https://doi.org/10.1016/0025-5564(75)90047-4)
# - [Lapuschkin and others, 2019: Unmasking Clever Hans predictors](https://doi.org/10.1038/s41467-019-08987-4)
