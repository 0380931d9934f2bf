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
# # 08c · Attacked with the gradient
#
# **The question.** The gradient says which pixels raise a score. What if somebody uses it to make the network wrong, and what does an explanation show then?
#
# This companion of [08 · Saliency, SmoothGrad, Integrated Gradients](08_saliency_smoothgrad_ig.ipynb) adds the simplest attack that uses the gradient, the control that such an experiment needs, a look at the maps after the attack, and the comparison of two explanations: with the score and with the loss.
#
# **After this lesson you can**
# - attack a network with one step along the sign of a gradient, and repair a faulty attack;
# - tell the effect of the attack from the effect of any change of that size;
# - say why a network can be right for the right reason and still be easy to fool;
# - name what a map can and cannot tell you about an attacked picture;
# - say what the gradient of the loss asks, and when its map differs from that of the score.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [08 · Saliency, SmoothGrad, Integrated Gradients](08_saliency_smoothgrad_ig.ipynb), sections 1 and 2.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l08_saliency_smoothgrad_ig as exercises
from course_utils.labs import load_lab
from course_utils.methods.attacks import fgsm, pgd
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import integrated_gradients, saliency
from course_utils.teach import plots

lab = load_lab("scenes")  # drawn scenes, from −1 (black) to 1 (white), and a ResNet of ten classes
LEVEL = 2 / 255  # one grey level of 255 in the network's numbers


def random_signs(inputs, seed=0):  # plus or minus one for each number, by chance
    return torch.randn(inputs.shape, generator=torch.Generator().manual_seed(seed)).sign()


@torch.no_grad()
def is_right(model, inputs, targets):  # one (right) or zero for each picture
    return (model(inputs).argmax(dim=1) == targets).float()


# %% [markdown]
# ## 1 · One step that raises the loss
#
# The core changed one number of a picture a little and watched the score. Now change *all* numbers, each by the same small amount $\varepsilon$, up or down, and choose the directions so that the network gets worse. The *fast gradient sign method* (FGSM; Goodfellow and others, 2015) does it in one step:
#
# $$x' = x + \varepsilon \cdot \operatorname{sign}\big(\nabla_x J(x, y)\big).$$
#
# Here $J$ is the *loss*: the cross-entropy, minus the logarithm of the probability of the right class $y$. Its gradient $\nabla_x J$ has one number for each number of the picture, and only the sign is used, so that each pixel moves by the full $\varepsilon$. At the end the numbers are cut off at black and white, because the result has to be a picture.
#
# For an *explanation* the core took the gradient of the score, not of the loss; section 5 compares the two. For an attack the loss is right: any other answer will do.
#
# ### Exercise: find the bug in an attack
#
# Somebody tested a network with this function and reported that the network cannot be fooled. Compare it with the formula and repair it. There is more than one thing to find.


# %% exercise="fgsm_step"
def fgsm_step(model, inputs, target, epsilon):
    """Attacked pictures (N, C, H, W), from −1 to 1; target (N,) holds the right classes."""
    # BEGIN STUB
    # inputs = inputs.clone().requires_grad_()
    # loss = F.cross_entropy(model(inputs), target)
    # (gradient,) = torch.autograd.grad(loss, inputs)
    # return (inputs - epsilon * gradient).detach()
    # END STUB
    # BEGIN SOLUTION
    inputs = inputs.clone().requires_grad_()
    loss = F.cross_entropy(model(inputs), target)
    (gradient,) = torch.autograd.grad(loss, inputs)
    return (inputs + epsilon * gradient.sign()).clamp(-1, 1).detach()
    # END SOLUTION


# %%
exercises.fgsm_step.check(fgsm_step)

# %% [markdown]
# ## 2 · How small is enough?
#
# The direction depends on the picture, its class and the network, but not on $\varepsilon$. So compute it once and then take steps of any size. First, two grey levels:


# %%
def upwards(model, inputs, targets):
    """The signs (N, C, H, W) of the loss's gradient: where one step raises the loss."""
    leaf = inputs.clone().requires_grad_()
    loss = F.cross_entropy(model(leaf), targets, reduction="sum")
    return torch.autograd.grad(loss, leaf)[0].sign()


x, t = lab.inputs[:60], lab.targets[:60]
two_levels = (x + 2 * LEVEL * upwards(lab.model, x, t)).clamp(-1, 1)
with torch.no_grad():
    before, after = lab.model(x).softmax(dim=1), lab.model(two_levels).softmax(dim=1)
fooled = (before.argmax(dim=1) == t) & (after.argmax(dim=1) != t)
victim = int((fooled * after.amax(dim=1)).argmax())

# %% tags=["hide-input"]
change = ((two_levels - x)[victim] / (2 * LEVEL)).permute(1, 2, 0).numpy() * 0.5 + 0.5
plots.show_images(
    [lab.images[victim], np.uint8(change * 255), lab.to_images(two_levels[victim : victim + 1])[0]],
    [
        f"{lab.class_names[before[victim].argmax()]}, {before[victim].max():.2f}",
        "the change, 64 times as strong",
        f"{lab.class_names[after[victim].argmax()]}, {after[victim].max():.2f}",
    ],
    width=8,
)
plots.show(
    f"The same scene twice, alike to the eye: {lab.class_names[before[victim].argmax()]} before the attack and "
    f"{lab.class_names[after[victim].argmax()]} after it. Between them the change, a coloured grain."
)

# %% [markdown]
# That is the scene on which the attack worked best. Now all sixty, for two networks and steps of different size. Beside the attack go two controls of exactly the same size, without which the experiment says little: *random* signs, which know nothing about the network, and the signs computed for *another* scene. The second has the grain of a real attack, but aims elsewhere.

# %%
levels = (0, 1, 2, 4, 8, 16, 32)
curves = {}
for name, model in (("ResNet", lab.model), ("ZF-Net", load_lab("scenes", model="zfnet").model)):
    aimed = upwards(model, x, t)
    directions = {"FGSM": aimed, "another's signs": aimed.roll(1, dims=0), "random signs": random_signs(x)}
    for kind, signs in tqdm(directions.items(), desc=name, leave=False):
        curves[name, kind] = [is_right(model, (x + e * LEVEL * signs).clamp(-1, 1), t) for e in levels]

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), sharey=True)
print(f"share right at ε =       {''.join(f'{e:>7}' for e in levels)}   grey levels of 255")
for (name, kind), right in curves.items():
    print(f"{name + ', ' + kind:<25}{''.join(f'{r.mean():>7.2f}' for r in right)}")
    axes["ResNet ZF-Net".split().index(name)].plot(
        range(len(levels)),
        [r.mean() for r in right],
        "o-" if kind == "FGSM" else "s--",
        label=kind,
        alpha=0.8,
    )
for ax, name in zip(axes, ("ResNet", "ZF-Net"), strict=True):
    ax.set_xticks(range(len(levels)), levels)
    ax.set(xlabel="ε in grey levels of 255", ylim=(0, 1.05), title=f"{name}, {len(x)} scenes")
axes[0].set_ylabel("share right")
axes[0].legend()
plots.show(
    "Two panels, ResNet and ZF-Net. The line of FGSM falls fast and is near zero from 8 or 16 levels on; the lines of random signs and of another "
    "scene's signs stay near one up to 8 levels."
)

# %% [markdown]
# You cannot see a change of two grey levels, and it is enough for a good part of the scenes. Random signs of the same size do no harm; they have to be many times larger. The signs that fool *another* scene do hardly any harm either. So at small sizes it is neither the *amount* of change nor its grain that fools the network, but a direction that fits this picture. (The grain counts at 16 levels: there another scene's signs do more harm than random ones.) Accuracy on a test set knows nothing about this curve: both networks have nearly the same.

# %% [markdown]
# ## 3 · Right for the right reason, and easy to fool?
#
# The lab `wolves` has two networks for husky or wolf. One reads the snow on the ground, a shortcut; the other one reads the animal (call it honest). [Lesson 01](01_why_explain.ipynb) told them apart.
#
# ### Exercise: predict, then run
#
# Unharmed, both are right on all forty pictures. Attack both with one step of $\varepsilon$ = 8 levels. Which one will be right *more often* then: `"shortcut"` or `"honest"`? (The cell also tries ten small steps that together move no number by more than 8 levels: `pgd`, of [lesson 15](15_fooled.ipynb); `fgsm` is your function with checks.)

# %% exercise="harder_to_fool"
prediction = None
# BEGIN SOLUTION
prediction = "shortcut"
# END SOLUTION


# %%
networks = {"shortcut": load_lab("wolves", model="shortcut"), "honest": load_lab("wolves", model="clean")}
right = {}
for name, wolves in tqdm(networks.items(), leave=False):
    model, some, classes = wolves.model, wolves.inputs[:40], wolves.targets[:40]
    changed = {
        "unharmed": some,
        "random signs": (some + 8 * LEVEL * random_signs(some)).clamp(-1, 1),
        "one step": fgsm(model, some, classes, 8 * LEVEL, bounds=(-1, 1)),
        "ten small steps": pgd(model, some, classes, 8 * LEVEL, bounds=(-1, 1)),
    }
    after = {kind: is_right(model, inputs, classes) for kind, inputs in changed.items()}
    print(f"{name:<9} right:", ", ".join(f"{kind} {r.mean():.2f}" for kind, r in after.items()))
    right[name] = after["one step"]
print("one step, honest minus shortcut:", judge.paired(right["honest"], right["shortcut"]))

# %%
exercises.harder_to_fool.check(prediction, right)

# %% [markdown]
# **Right for the right reason and hard to fool are two different virtues.** An explanation that looks right does not tell you how easily the network is fooled. Test both. (These are two networks: they show that the one does not bring the other, not that honest networks are easier to fool in general.)
#
# Look at the ten small steps, too. One step made the honest network look tougher than it is. A weak attack that fails is no proof of strength.

# %% [markdown]
# ## 4 · What the map shows after an attack
#
# Take the scenes that four levels of FGSM turn into a wrong answer. First question: how much does the map *of the same class* change, beside two controls of the same size: random signs, and the *opposite* step, down the loss, which helps the network? Second: what does the map of the *new, wrong* answer look like? You could hope that such a map shows the attack, for example because it points at nothing.


# %%
def three_maps(inputs, targets):
    """Saliency, Integrated Gradients and Grad-CAM, (N, H, W) each."""
    ig = integrated_gradients(lab.model, inputs, targets, n_steps=6).sum(dim=1).abs()
    return {
        "saliency": saliency(lab.model, inputs, targets).amax(dim=1),
        "Integrated Gradients": ig,
        "Grad-CAM": upsample(grad_cam(lab.model, inputs, targets, lab.layer), inputs.shape[-2:]),
    }


signs = upwards(lab.model, x, t)
attacked, helped = ((x + e * LEVEL * signs).clamp(-1, 1) for e in (4, -4))
with torch.no_grad():
    answers = lab.model(attacked).argmax(dim=1)
chosen = (answers != t).nonzero()[:24, 0]
clean, hurt, true, wrong = x[chosen], attacked[chosen], t[chosen], answers[chosen]
shaken = (clean + 4 * LEVEL * random_signs(clean)).clamp(-1, 1)
masks = lab.masks[chosen]

# %%
asked = {"clean": (clean, true), "attacked": (hurt, true), "opposite": (helped[chosen], true)}
asked |= {"random": (shaken, true), "wrong answer": (hurt, wrong)}
maps = {kind: three_maps(*question) for kind, question in tqdm(asked.items(), leave=False)}
same, shares = {}, {}
for name in maps["clean"]:
    same[name] = [
        judge.rank_correlation(maps[k][name], maps["clean"][name]) for k in ("attacked", "opposite", "random")
    ]
    shares[name] = [judge.energy_in_mask(maps[k][name], masks) for k in ("wrong answer", "clean")]

# %% tags=["hide-input"]
print("rank correlation with the map of the clean picture, for the true class:")
for name, (by_attack, by_help, by_chance) in same.items():
    print(
        f"   {name:<21} attacked {by_attack.mean():.2f}, opposite step {by_help.mean():.2f}, random signs {by_chance.mean():.2f}"
    )
print(f"right after the opposite step: {is_right(lab.model, helped[chosen], true).mean():.2f}")
print("share on the object, map of the wrong answer:")
for name, (after_it, before_it) in shares.items():
    print(f"   {name:<21} minus the area       {judge.paired(after_it, masks.float().mean(dim=(1, 2)))}")
    print(f"   {'':<21} minus the clean map  {judge.paired(after_it, before_it)}")
    print(
        f"   {'':<21} less than on a clean map: {(after_it[:, None] < before_it).float().mean():.0%} of all pairs"
    )

# %% tags=["hide-input"]
figure, axes = plots.grid(2, 6, ratio=1.05)
for row, axs in enumerate(axes):
    axs[0].imshow(lab.images[chosen[row]])
    axs[3].imshow(lab.to_images(hurt[row : row + 1])[0])
    axs[0].set_title(f"says {lab.class_names[true[row]]}", fontsize=9)
    axs[3].set_title(f"attacked: {lab.class_names[wrong[row]]}", fontsize=9)
    for column, kind in ((1, "clean"), (4, "wrong answer")):
        for shift, name in enumerate(("Integrated Gradients", "Grad-CAM")):
            plots.show_pixels(axs[column + shift], maps[kind][name][row])
            plots.outline(axs[column + shift], masks[row])
            axs[column + shift].set_title(name if shift else "IG", fontsize=9)
plots.show(
    "Two scenes with IG and Grad-CAM before the attack, and the same after it for the wrong answer. In the first scene the "
    "maps stay on the object; in the second they move to a place in the grass."
)

# %% [markdown]
# The maps of the true class change more under the attack than under random signs of the same size. But look at the opposite step: for saliency and Integrated Gradients it changes the map at least as much, and there all answers stay right. So these two maps move with *any* step along the gradient, whether the answer turns or not. Grad-CAM's map mostly stays under the opposite step: its change goes with the answer.
#
# On average the map of the wrong answer has less on the object than the clean map had, but still more than the object's share of the area. Single maps go either way, as in the figure: one stays on the object and looks like any other map, one moves off it. Take one map of a clean picture and one of a wrong answer: which has less on the object? Half of the pairs would be chance; the last lines show how often it is the wrong answer's. So a map shows where the evidence for a class was found, not whether the answer is right, and where one map lies is no sure test for an attack.

# %% [markdown]
# ## 5 · Explain with the score, or with the loss?
#
# The attack used the gradient of the loss. Much published code *explains* with it, too. Let $p_j$ be the softmax probability of class $j$ and $S_j$ its score. For the class $c$ the loss is $-\log p_c$, and its gradient is
#
# $$\nabla (-\log p_c) = -\Big(\nabla S_c - \sum_j p_j \nabla S_j\Big) :$$
#
# the gradient of the score, minus a mean of all classes' gradients, weighted with their probabilities. When the network is sure of $c$, then $p_c$ is nearly 1, and the two terms nearly cancel. How much is left, and does the map stay the same? We ask for the predicted class, and for the class in the second place.


# %%
def score_and_loss(network, inputs, classes):
    """Gradients (N, C, H, W) of the class's score and of the cross-entropy for the same class."""
    leaf = inputs.clone().requires_grad_()
    logits = network(leaf)
    (of_score,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), leaf, retain_graph=True)
    (of_loss,) = torch.autograd.grad(F.cross_entropy(logits, classes, reduction="sum"), leaf)
    return of_score, of_loss


with torch.no_grad():
    places = lab.model(x).topk(2, dim=1).indices.T
for name, classes in zip(("predicted class", "second class"), places, strict=True):
    of_score, of_loss = score_and_loss(lab.model, x, classes)
    size = (of_loss.flatten(1).norm(dim=1) / of_score.flatten(1).norm(dim=1)).median()
    same = judge.rank_correlation(of_score.abs().amax(dim=1), of_loss.abs().amax(dim=1)).median()
    print(f"{name:<16} length of the loss's gradient: {size:.2f} of the score's; rank correlation {same:.2f}")

# %% [markdown]
# For the predicted class the gradient of the loss has nearly gone, and what is left has nearly the same *map*. A picture that is divided by its own largest value hides the difference. For the second class the maps agree less, since the loss mixes in the class that the network prefers. The score answers "why this class?", the loss "why this class rather than the others?". Ask the score, unless you mean the other question. (Section 7 asks a network for photographs.)

# %% [markdown]
# ## 6 · An attack that pushes the wrong way
#
# The function of the exercise reported a network that "cannot be fooled". Libraries can do the same. The `FGSM` of captum has a default loss: minus the logarithm of the *output*. That is right for a network that ends in probabilities (*softmax*). Many networks return scores, called [logits](glossary.md#logit), as ours does, or logarithms of probabilities (*log-softmax*). With these the function gives no error and no warning. First the agreement, with a proper loss:

# %% tags=["nbval-check-output"]
from captum.robust import FGSM


def strong_loss(outputs, labels):
    """Cross-entropy, scaled: captum leaves pixels alone whose gradient is below one millionth."""
    return 2.0**40 * F.cross_entropy(outputs, labels, reduction="none")


some, its_class = lab.inputs[:20], lab.targets[:20]
by_hand = (some + 2 * LEVEL * upwards(lab.model, some, its_class)).clamp(-1, 1)
library = FGSM(lab.model, loss_func=strong_loss, lower_bound=-1.0, upper_bound=1.0)
by_captum = library.perturb(some.clone().requires_grad_(), 2 * LEVEL, target=its_class).detach()
judge.agreement_table([("captum FGSM", by_hand, by_captum, "cross-entropy, cut off at −1 and 1")])

# %%
endings = {
    "softmax": lambda inputs: lab.model(inputs).softmax(dim=1),
    "softmax of 4 × scores": lambda inputs: (4 * lab.model(inputs)).softmax(dim=1),
    "logits": lab.model,
    "logits − 30": lambda inputs: lab.model(inputs) - 30,
    "log-softmax": lambda inputs: lab.model(inputs).log_softmax(dim=1),
}
print(f"{'the network ends in':<22}{'right after it':>15}{'pixels moved the wrong way':>29}{'not moved':>12}")
for ending, network in endings.items():
    careless = FGSM(network, lower_bound=-1.0, upper_bound=1.0)
    moved = careless.perturb(some.clone().requires_grad_(), 2 * LEVEL, target=its_class).detach()
    way = (moved - some).sign() * (by_hand - some).sign()
    print(f"{ending:<22}{is_right(lab.model, moved, its_class).mean():>15.2f}", end="")
    print(f"{(way < 0).float().mean():>29.0%}{(way == 0).float().mean():>12.0%}")
print(f"{'with cross-entropy':<22}{is_right(lab.model, by_hand, its_class).mean():>15.2f}")

# %% [markdown]
# All five give the same answers, only sharper, lower or on another scale. With the softmax of our network the default does its job. With the scores times four the network is so sure that most gradients fall below captum's one millionth: these pixels stay where they are. With log-probabilities nearly every pixel moves the wrong way: that *helps* the network, which then looks perfectly safe. With logits it only lowers the score of the class and does not look at the rivals; and if that logit is negative, as after taking away 30, even this goes wrong: its logarithm does not exist, but the slope of the formula does, with the other sign.
#
# A network that seems to resist may only have been attacked badly. Whenever a result pleases you, ask whether the test was able to fail.

# %% [markdown]
# ## 7 · The real thing
#
# EfficientNet-Lite0 of ImageNet and the course's photographs. The attack is **one** grey level, and the result is saved as an ordinary picture of whole levels. The right class for the attack is what the network says before it. The control comes with three draws for each size.

# %%
photos = load_lab("photos")
black, white = (photos.preprocess(np.full_like(photos.images[:1], v)) for v in (0, 255))
one_level = (white - black) / 255
said = photos.predict(photos.images)
answers = torch.from_numpy(said.argmax(axis=1))


def saved(levels, direction):
    """The photographs after a step of so many levels, as ordinary pictures (7, H, W, 3)."""
    return photos.to_images(photos.inputs + levels * one_level * direction)


towards = torch.cat(
    [upwards(photos.model, *part) for part in zip(photos.inputs.split(2), answers.split(2), strict=True)]
)
said_then = photos.predict(saved(1, towards))
print(f"FGSM, 1 level: {(said_then.argmax(axis=1) != said.argmax(axis=1)).sum()} of 7 answers changed")

# %%
for size in (1, 4, 16):
    changed = [
        (photos.predict(saved(size, random_signs(photos.inputs, seed))).argmax(axis=1) != said.argmax(axis=1))
        for seed in range(3)
    ]
    print(f"random signs, ε = {size:>2}: {[int(c.sum()) for c in changed]} of 7 changed (three draws)")

# %% tags=["hide-input"]
print(f"{'before':>22}{'':>8}after one level of FGSM")
for a, b in zip(said, said_then, strict=True):
    print(
        f"{photos.class_names[a.argmax()]:>22} {a.max():.2f}  →  {photos.class_names[b.argmax()]} {b.max():.2f}"
    )
changed = said.argmax(axis=1) != said_then.argmax(axis=1)
surest = int(np.where(changed, said.max(axis=1), 0).argmax())
plots.show_images(
    [photos.images[surest], saved(1, towards)[surest]],
    [f"{photos.class_names[q[surest].argmax()]}, {q[surest].max():.2f}" for q in (said, said_then)],
    width=5.5,
)
plots.show(
    f"The photograph of whose answer the network was surest among those that changed: "
    f"{photos.class_names[said[surest].argmax()]} before, {photos.class_names[said_then[surest].argmax()]} after, "
    "with no difference that the eye can see."
)

# %% [markdown]
# One grey level, along the gradient, changes most of the seven answers. Random signs of that size change none. Look at the probabilities as well: where the network was unsure before, an answer that changes means little, and some new answers are neighbours of the old ones. Seven photographs are few; section 2 has sixty scenes. But it is the same effect, on a network trained on real photographs.
#
# And the maps of score and loss (section 5), for the class that the network predicts?

# %%
agree = []
for part in zip(photos.inputs.split(2), answers.split(2), strict=True):
    of_score, of_loss = (g.abs().amax(dim=1) for g in score_and_loss(photos.model, *part))
    agree += judge.rank_correlation(of_score, of_loss).tolist()
for probability, value in sorted(zip(said.max(axis=1), agree, strict=True)):
    print(f"probability {probability:.2f}: rank correlation of score and loss {value:.2f}")

# %% [markdown]
# Here the two maps agree less than on the drawn scenes. So do not trust that the loss gives the same map: take the score.

# %% [markdown]
# ## 8 · Recap
#
# - The same gradient that explains can attack: one step along its sign, too small to see, turns many answers.
# - The controls are changes of the same size: random signs, another picture's signs, the opposite step. Without them you do not know what mattered.
# - A network that reads the right thing can be easier to fool than one that reads a shortcut.
# - An attack moves the map too, but pixel maps move with any step along the gradient; and the map of a wrong answer can look like any other map.
# - The gradient of the loss fades when the network is sure, and it asks another question than that of the score.
# - A test that finds nothing may be a test that could not find anything: check the sign, the loss and the cut-off.
#
# [Lesson 15](15_fooled.ipynb) goes on: attacks of several small steps, towards a chosen answer, and on the explanation itself while the answer stays.
#
# **References**
# - [Goodfellow and others, 2015: Explaining and harnessing adversarial examples](https://arxiv.org/abs/1412.6572)
# - [Ghorbani and others, 2019: Interpretation of neural networks is fragile](https://arxiv.org/abs/1710.10547)
