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
# # 08b · Gradients: contrasts, baselines, and what changes a map by accident
#
# **The question.** Which choices stand behind a gradient map, and which of them change it although nobody meant to?
#
# This companion of [08 · Saliency, SmoothGrad, Integrated Gradients](08_saliency_smoothgrad_ig.ipynb) adds contrasts, the relatives of SmoothGrad, six baselines and the average over many, gradient × input, three ways to change a map by accident, captum's conventions, and the test with random weights layer by layer.
#
# **After this lesson you can**
# - ask a gradient "why this rather than that?";
# - choose a baseline, average over many of them, and say how sure such a sum is;
# - say when gradient × input adds up to the score;
# - find out why two programs give two maps for one network: training mode, a shifted input, another rule.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [08 · Saliency, SmoothGrad, Integrated Gradients](08_saliency_smoothgrad_ig.ipynb).

# %%
import copy
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from course_utils import judge
from course_utils.exercises import l08_saliency_smoothgrad_ig as exercises
from course_utils.labs import load_lab
from course_utils.methods.deconvnet import guided_backprop
from course_utils.methods.gradients import input_x_gradient, integrated_gradients, saliency, smooth_grad
from course_utils.teach import plots

lab = load_lab("scenes")  # drawn scenes with one object, from −1 (black) to 1 (white), and a ResNet
model = lab.model


def one_value_a_pixel(attributions):
    """Signed attributions (N, 3, H, W): the colours added up, then the absolute value, (N, H, W)."""
    return attributions.sum(dim=1).abs()


# %% [markdown]
# ## 1 · Why this rather than that?
#
# In the core each question was about one class. Often the real question has a rival: why a cat *rather than* a dog? Let $S_c$ be the score of class $c$ (its [logit](glossary.md#logit)) and $S_d$ that of the rival. Explain the difference $S_c - S_d$. A gradient of a difference is the difference of the gradients, so one backward pass is enough. This is not the gradient of the loss: the loss has all classes as rivals at once ([08c](08c_attacked.ipynb)).
#
# ### Exercise: a contrast
#
# Write the gradient of the contrast. Use the scores, not the probabilities, and keep the sign.


# %% exercise="contrast_gradient"
def contrast_gradient(model, inputs, target, other):
    """Signed gradients (N, C, H, W) of S_target − S_other (logits) at the inputs.

    target and other are (N,), one class a picture.
    """
    # BEGIN SOLUTION
    inputs = inputs.clone().requires_grad_()
    logits = model(inputs)
    contrast = logits.gather(1, target[:, None]) - logits.gather(1, other[:, None])
    (gradients,) = torch.autograd.grad(contrast.sum(), inputs)
    return gradients
    # END SOLUTION


# %%
exercises.contrast_gradient.check(contrast_gradient)

# %% [markdown]
# Integrated Gradients (IG) are built from gradients, so for them the same holds: the IG of a contrast is the difference of two IGs. Take scenes with two objects and ask: why the first object rather than the second? The attributions on the first object should add up to something positive, those on the second to something negative. Beside it stands the question about the first class alone.

# %%
pairs = load_lab("scenes", n_objects=2)
two, first, second = pairs.inputs[:16], *pairs.targets[:16].T
ig_first, ig_second = (integrated_gradients(model, two, c, n_steps=6).sum(dim=1) for c in (first, second))
sums = {}
for name, heat in (("first class alone", ig_first), ("first rather than second", ig_first - ig_second)):
    on_first, on_second = (heat[:, None] * pairs.masks[:16]).sum(dim=(2, 3)).T
    sums[name] = on_second
    print(f"{name}:")
    print(f"   first object  {on_first.mean():+.1f}, positive in {(on_first > 0).float().mean():.0%}")
    print(f"   second object {on_second.mean():+.1f}, negative in {(on_second < 0).float().mean():.0%}")
print("second object, contrast minus alone:", judge.paired(*list(sums.values())[::-1]))
inside = heat[:, None] * pairs.masks[:16]  # the contrast on each object, (16, 2, H, W)
red = inside.clamp(min=0).sum(dim=(0, 2, 3)) / inside.abs().sum(dim=(0, 2, 3))
print(f"positive part of all that lies there: first object {red[0]:.0%}, second {red[1]:.0%}")

# %% tags=["hide-input"]
plots.show_maps(
    list(pairs.images[:2]),
    {
        "first class alone": ig_first,
        "second class alone": ig_second,
        "first rather than second": ig_first - ig_second,
    },
    labels=[f"{pairs.class_names[int(a)]}, {pairs.class_names[int(b)]}" for a, b in pairs.targets[:2]],
    masks=pairs.masks[:2].any(dim=1),
    signed=True,
    alone=True,
    width=9,
)
plots.show(
    "Two scenes with two objects each and three signed maps: of the first class, of the second, and of their difference. "
    "In the difference both objects have red and blue dots; red has the larger sum on the first, blue on the second."
)

# %% [markdown]
# In most scenes the second object speaks a little against the first class already. The contrast makes it about as strong as what speaks for it. But both signs are on both objects, side by side, as printed: only the sum over a region takes a side, not the single dot.
#
# A word on signs. They come from *attributions* here, which are gradients times a way $(x - x')$. The sign of a bare gradient says only whether a pixel should become brighter or darker, so colours of a raw contrast gradient do not mean "for" and "against".

# %% [markdown]
# ## 2 · Squares and variances
#
# SmoothGrad takes the mean of the gradients $g_1 \dots g_n$ of noisy copies. Two relatives use the same $g_k$: **SmoothGrad²** takes the mean of $g_k^2$ (squares first, then the mean), and **VarGrad** takes their variance. Both lose the sign. For any numbers
#
# $$\frac1n\sum_k g_k^2 = \bar g^{\,2} + \frac1n\sum_k (g_k - \bar g)^2 ,$$
#
# with the mean $\bar g$. So SmoothGrad² is SmoothGrad, squared, plus VarGrad. Which of the two parts is larger depends on the noise:

# %%
some, some_targets, some_masks = lab.inputs[:16], lab.targets[:16], lab.masks[:16]
value_range = some.amax(dim=(1, 2, 3), keepdim=True) - some.amin(dim=(1, 2, 3), keepdim=True)


def noisy_gradients(noise_level, n_samples=8, seed=0):
    """Gradients of noisy copies, (n_samples, 16, 3, H, W)."""
    generator, found = torch.Generator().manual_seed(seed), []
    for _ in range(n_samples):
        noise = torch.randn(some.shape, generator=generator)
        leaf = (some + noise_level * value_range * noise).requires_grad_()
        scores = model(leaf).gather(1, some_targets[:, None])
        found.append(torch.autograd.grad(scores.sum(), leaf)[0])
    return torch.stack(found)


for noise_level in (0.1, 0.02):
    g = noisy_gradients(noise_level)
    mean, squares, variance = g.mean(dim=0), g.square().mean(dim=0), g.var(dim=0, correction=0)
    print(
        f"noise level {noise_level}: share of the variance {variance.sum() / squares.sum():.0%}, "
        f"error of the formula {(squares - mean.square() - variance).abs().max():.0e}"
    )

# %% [markdown]
# With a little noise, the squared mean is the larger part; with more noise the variance is, and SmoothGrad² is then mostly VarGrad. Now the overlap with the object (intersection over union, IoU) at the small level:

# %%
relatives = {
    "saliency": saliency(model, some, some_targets).amax(dim=1),
    "SmoothGrad": mean.abs().amax(dim=1),
    "SmoothGrad²": squares.amax(dim=1),
    "VarGrad": variance.amax(dim=1),
}
iou = {name: judge.mask_iou(heat, some_masks) for name, heat in relatives.items()}
for name in ("SmoothGrad", "SmoothGrad²", "VarGrad"):
    print(f"IoU, {name} minus saliency: {judge.paired(iou[name], iou['saliency'])}")

# %% tags=["hide-input"]
plots.show_maps(
    list(lab.images[:2]),
    {name: heat[:2] for name, heat in relatives.items()},
    labels=[lab.class_names[int(t)] for t in some_targets[:2]],
    masks=some_masks[:2],
    width=9,
    alone=True,
)
plots.show(
    "Two scenes with four maps each. SmoothGrad² has fewer bright dots than SmoothGrad; VarGrad lies least on the object."
)

# %% [markdown]
# SmoothGrad² looks cleaner because squares make small values smaller; its overlap is about that of saliency. VarGrad alone says where the gradient *changes* from copy to copy. That need not be where the object is: its overlap is the smallest of the four. Another test, another order: with training again after pixels are removed ([12d](12d_retraining.ipynb)), Hooker and others (2019) found that VarGrad and SmoothGrad² beat a random choice and most others did not.

# %% [markdown]
# ## 3 · The baseline is part of the question
#
# "Compared with what?" Black, white, grey, a blurred copy, noise: each is another question. A black pixel gets nothing from a black baseline, however important it is, because $x_i - x'_i = 0$. A sixth choice: take other scenes as baselines, one after the other, and average the attributions. It asks "compared with an ordinary picture?", at the price of several times the passes.

# %%
ten, ten_targets, ten_masks = lab.inputs[:10], lab.targets[:10], lab.masks[:10]
uniform = torch.rand(ten.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
baselines = {
    "black": 0 * ten - 1,
    "white": 0 * ten + 1,
    "grey": 0 * ten,
    "blurred": judge.blur(ten),
    "noise": uniform,
}
by_baseline = {
    name: integrated_gradients(model, ten, ten_targets, baselines=start, n_steps=6)
    for name, start in baselines.items()
}
by_baseline["average of 4"] = sum(
    integrated_gradients(model, ten, ten_targets, baselines=other, n_steps=6) / 4
    for other in lab.inputs[50:54]
)
by_baseline = {name: one_value_a_pixel(values) for name, values in by_baseline.items()}

# %% tags=["hide-input"]
names = list(by_baseline)
agree = {name: [] for name in names}
for a, b in combinations(names, 2):
    value = judge.rank_correlation(by_baseline[a], by_baseline[b]).mean().item()
    agree[a].append(value)
    agree[b].append(value)
print(f"{'baseline':<14}{'IoU with the object':>20}{'rank correlation with the others':>36}")
for name, row in agree.items():
    overlap = judge.mask_iou(by_baseline[name], ten_masks).mean()
    print(f"{name:<14}{overlap:>20.2f}{f'{min(row):.2f} to {max(row):.2f}':>36}")

# %% tags=["hide-input"]
plots.show_maps(
    list(lab.images[:3]),
    {name: heat[:3] for name, heat in by_baseline.items()},
    labels=[lab.class_names[int(t)] for t in ten_targets[:3]],
    masks=ten_masks[:3],
    title="Integrated Gradients with six choices of baseline",
    width=10,
    alone=True,
)
plots.show("Three scenes with six maps each; the map with the noise baseline is grain all over the picture.")

# %% [markdown]
# Six questions, six maps. The one with a single picture of noise hardly agrees with any other: each pixel's factor $(x_i - x'_i)$ holds the noise. No axiom says which baseline is right. So write yours down beside the map.
#
# ### Exercise: hide what you like
#
# Somebody wants a complete explanation in which the region `mask` gets *exactly nothing*, whatever the network does there. Outside the mask, the baseline is to be grey (0). Which baseline would that be?


# %% exercise="hiding_baseline"
def hiding_baseline(inputs, mask):
    """A baseline (N, C, H, W) with which Integrated Gradients is zero inside `mask` (N, H, W), bool."""
    # BEGIN SOLUTION
    return inputs * mask[:, None]  # x − x' is zero inside the mask
    # END SOLUTION


# %%
exercises.hiding_baseline.check(hiding_baseline)

# %% [markdown]
# Does it work where it does harm? Hide the *object* and look at completeness:

# %%
hide = ten[:6] * ten_masks[:6, None]  # the object stays in the baseline, the rest is grey
hidden, delta = integrated_gradients(
    model, ten[:6], ten_targets[:6], baselines=hide, n_steps=24, return_convergence_delta=True
)
on_object = (hidden * ten_masks[:6, None]).abs().sum()
change = hidden.sum(dim=(1, 2, 3)) - delta  # S(x) − S(x')
with torch.no_grad():
    from_grey = (model(ten[:6]) - model(0 * ten[:6])).gather(1, ten_targets[:6, None])
print(f"sum of the attributions on the objects, without signs: {on_object:.4f}")
print(f"S(x) − S(x'), median size: {change.abs().median():.2f}, from grey {from_grey.abs().median():.2f}")
print(f"gap in completeness, median size: {delta.abs().median():.3f}")

# %% [markdown]
# The objects get nothing, and with enough steps the sum still comes out. Completeness cannot warn you: such a map explains another difference, and a small one, since the object is in both pictures. The next reader should ask you for your baseline.

# %% [markdown]
# ## 4 · Expected gradients
#
# Why stop at four baselines? Let each step draw its own: a baseline $x'$ at random from many pictures, and a place $\alpha$ on the way at random between 0 and 1. **Expected gradients** (Erion and others, 2021) are the mean over such draws,
#
# $$\text{EG}_i(x) = \mathbb E_{x',\,\alpha}\Big[(x_i - x'_i)\,\frac{\partial S}{\partial x_i}\big(x' + \alpha(x - x')\big)\Big] .$$
#
# They add up to $S(x)$ minus the *mean* score of the baselines, up to the error of the draws.
#
# ### Exercise: expected gradients
#
# Write it for one picture: draw number $k$ has its own baseline `baselines[k]` and its own place `alphas[k]`.


# %% exercise="expected_gradients"
def expected_gradients(model, picture, target, baselines, alphas):
    """Attributions (C, H, W) of the logit `target` (int): the mean over K draws.

    picture (C, H, W), baselines (K, C, H, W), alphas (K,).
    """
    # BEGIN SOLUTION
    away = picture - baselines  # (K, C, H, W)
    points = (baselines + alphas[:, None, None, None] * away).requires_grad_()
    (gradients,) = torch.autograd.grad(model(points)[:, target].sum(), points)
    return (away * gradients).mean(dim=0)
    # END SOLUTION


# %%
exercises.expected_gradients.check(expected_gradients)

# %% [markdown]
# How sure is the sum? Keep the draws apart. The *standard error* of a mean is the standard deviation of the draws, divided by the root of their number. (The next cell has its own code, so it also runs before you have solved the exercise.)


# %%
def draws_of(picture, target, baselines, n_draws, seed=0):
    """One draw of expected gradients in each row, (n_draws, C, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    start = baselines[torch.randint(len(baselines), (n_draws,), generator=generator)]
    points = (start + torch.rand(n_draws, 1, 1, 1, generator=generator) * (picture - start)).requires_grad_()
    (gradients,) = torch.autograd.grad(model(points)[:, target].sum(), points)
    return ((picture - start) * gradients).detach()


others, picture, c = lab.inputs[50:], lab.inputs[0], int(lab.targets[0])
draws = torch.cat([draws_of(picture, c, others, 20, seed) for seed in range(10)])
with torch.no_grad():
    to_explain = (model(picture[None])[0, c] - model(others)[:, c].mean()).item()
print(f"to explain: {to_explain:.1f}; spread of single draws: ± {draws.sum(dim=(1, 2, 3)).std():.1f}")
for n_draws in (8, 40, 200):
    sums = draws[:n_draws].sum(dim=(1, 2, 3))
    print(f"{n_draws:>4} draws: sum {sums.mean():.1f} ± {sums.std() / n_draws**0.5:.1f} (standard error)")

# %% tags=["hide-input"]
plots.show_maps(
    [lab.images[0]],
    {f"{n} draws": one_value_a_pixel(draws[:n].mean(dim=0)[None]) for n in (8, 40, 200)},
    labels=[lab.class_names[c]],
    masks=lab.masks[:1],
    title=f"Expected gradients with {len(others)} scenes as baselines",
    width=8,
    alone=True,
)
plots.show("Three maps of one scene: with more draws there is less grain beside the object.")

# %% [markdown]
# More draws, less grain. But single draws are far off, as printed, and the error falls only with the *root* of the number of draws. So do not judge by one small gap: it may be luck. Report the sum together with its standard error.

# %% [markdown]
# ## 5 · Gradient × input
#
# The cheap relative: one gradient, times the picture. For a network of ReLUs *without biases*, twice the picture gives twice the score (it is *homogeneous*), and then
#
# $$S(x) = \sum_i x_i\,\frac{\partial S}{\partial x_i}(x) ,$$
#
# so gradient × input is complete, with a zero baseline, for the price of one step. With biases there is a gap. The ZF-Net of [lesson 02](02_zfnet_deconvnet.ipynb) has biases. Take a copy and set them to zero:

# %%
zf = load_lab("scenes", model="zfnet").model
no_bias = copy.deepcopy(zf)
for name, values in no_bias.named_parameters():
    if name.endswith("bias"):
        values.data.zero_()
x, t = lab.inputs[:30], lab.targets[:30]
shown = {}
for name, network in (("ZF-Net", zf), ("ZF-Net, no biases", no_bias), ("ResNet", model)):
    sums = input_x_gradient(network, x, t).sum(dim=(1, 2, 3))
    with torch.no_grad():
        gain = (network(x) - network(0 * x[:1])).gather(1, t[:, None])[:, 0]
        right = (network(x).argmax(dim=1) == t).float().mean()
    shown[name] = gain, sums
    gap = (sums - gain).abs().median() / gain.abs().median()
    print(f"{name:<18} right in {right:>4.0%}; gap of gradient × input, share of the change: {gap:.3f}")
ig_sums = integrated_gradients(model, x[:10], t[:10], n_steps=16).sum(dim=(1, 2, 3))

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.2))
for ax, name in zip(axes, ("ZF-Net, no biases", "ResNet"), strict=True):
    gain, sums = shown[name]
    ax.plot(gain, sums, "o", alpha=0.6, label="gradient × input")
    if name == "ResNet":
        ax.plot(gain[:10], ig_sums, "s", alpha=0.7, label="Integrated Gradients")
    low, high = min(gain.min(), sums.min()).item(), max(gain.max(), sums.max()).item()
    ax.plot([low, high], [low, high], color=plots.BASELINE, linewidth=1)
    ax.set(title=name, xlabel="score minus the grey picture's score", ylabel="sum of the attributions")
    ax.legend(fontsize=9)
plots.show(
    "Left, without biases, all points lie on the diagonal. Right, the ResNet: nearly all sums of gradient × input lie far from "
    "the diagonal, many below zero, those of Integrated Gradients close to it."
)

# %% [markdown]
# Without biases every point lies on the line. (That copy is right much less often, as printed: complete and useful are two things.) With biases, and with batch normalisation, which adds constants too, the sum says little about the score: many sums are negative, where every change is positive.

# %% [markdown]
# ## 6 · Two networks, one function
#
# *Implementation invariance*: two networks that compute the same function deserve the same attributions. The core said why gradients have it. Here is a method that has not. A length $x \ge 0$ that no longer matters beyond 1 can be written in two ways, $1 - \mathrm{relu}(1 - x)$ and $x - \mathrm{relu}(x - 1)$:


# %%
class OneWay(nn.Module):
    """1 − relu(1 − x)."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x):
        return 1 - self.relu(1 - x.flatten(1))


class OtherWay(OneWay):
    """x − relu(x − 1), the same function of x ≥ 0."""

    def forward(self, x):
        return x.flatten(1) - self.relu(x.flatten(1) - 1)


# %%
lengths = torch.tensor([0.5, 2.0]).reshape(2, 1, 1, 1)
methods = {
    "output": lambda network: network(lengths),
    "gradient": lambda network: input_x_gradient(network, lengths, 0) / lengths,
    "Integrated Gradients": lambda network: integrated_gradients(network, lengths, 0, n_steps=100),
    "guided backprop": lambda network: guided_backprop(network, lengths, 0),
}
print(f"{'at the lengths 0.5 and 2':<26}{'one way':>14}{'other way':>14}")
for name, method in methods.items():
    values = [
        " ".join(f"{v + 0.0:.2f}" for v in method(network()).flatten()) for network in (OneWay, OtherWay)
    ]
    print(f"{name:<26}{values[0]:>14}{values[1]:>14}")

# %% [markdown]
# Gradient and Integrated Gradients agree. *Guided backpropagation* ([lesson 02](02_zfnet_deconvnet.ipynb)) changes the backward pass at each ReLU, so its answer depends on how the function is written: nothing at all, or everything.

# %% [markdown]
# ## 7 · In training mode
#
# Now a change by accident. After training, somebody forgets `model.eval()`. In training mode, batch normalisation uses the mean and the spread of the *batch*, so the picture's neighbours have a say in its map. Explain eight pictures beside two sets of neighbours:

# %%
in_training = copy.deepcopy(model).train()  # a copy: training mode also changes the stored means
eight, eight_targets = lab.inputs[:8], lab.targets[:8]


def map_beside(network, neighbours):
    """Saliency (8, H, W) of the eight pictures, computed in one batch with others."""
    leaf = torch.cat([eight, lab.inputs[neighbours]]).requires_grad_()
    scores = network(leaf)[:8].gather(1, eight_targets[:, None])
    return torch.autograd.grad(scores.sum(), leaf)[0][:8].abs().amax(dim=1)


for name, network in (("eval mode", model), ("training mode", in_training)):
    here, there = map_beside(network, slice(20, 28)), map_beside(network, slice(30, 38))
    print(f"{name:<14} same pictures, other neighbours: {judge.rank_correlation(here, there).mean():.2f}")
print(f"{'':<14} training mode against eval mode:  ", end="")
print(f"{judge.rank_correlation(here, map_beside(model, slice(20, 28))).mean():.2f}")

# %% [markdown]
# In eval mode the neighbours change nothing (the [rank correlation](glossary.md#rank-correlation) is 1). In training mode you explain a function that depends on which other pictures happen to be in the batch, and dropout would add a random part. **Explain in eval mode.** The course's functions switch to it and back. With your own code you have to do it yourself.

# %% [markdown]
# ## 8 · A constant in front of the network
#
# Shift every picture by a constant, and take the constant off again at the entrance of the network, so that it computes the same. Saliency does not move. Integrated Gradients with "zero" as baseline does, because zero now means another picture (Kindermans and others, 2019):


# %%
class Shifted(nn.Module):
    """The same network for pictures that were shifted by a constant."""

    def __init__(self, model, shift):
        super().__init__()
        self.model, self.shift = model, shift

    def forward(self, inputs):
        return self.model(inputs - self.shift)


shifted = Shifted(model, 1.0).eval()
x, t = lab.inputs[:6], lab.targets[:6]
plain = one_value_a_pixel(integrated_gradients(model, x, t, n_steps=8))
after = {"zero again": 0.0, "grey again (one)": 1.0}
same = judge.rank_correlation(saliency(model, x, t).amax(dim=1), saliency(shifted, x + 1, t).amax(dim=1))
print(f"saliency, before and after the shift: rank correlation {same.mean():.2f}")
for name, start in after.items():
    heat = one_value_a_pixel(integrated_gradients(shifted, x + 1, t, baselines=start, n_steps=8))
    print(f"IG, baseline {name}: rank correlation {judge.rank_correlation(plain, heat).mean():.2f}")

# %% [markdown]
# For the shifted pictures, zero is what black (−1) was before: without a warning, grey has become black. Shift the baseline with the pictures, and the map is back. So say which *picture* your baseline is, not which number.
#
# ### On a photograph: which number is black?
#
# Each ImageNet network has its own scaling of pictures, so zero can be grey, a mean colour or black. Do not look the numbers up: pass the picture that you mean through the lab's preprocessing.

# %%
photos = load_lab("photos")
x, t = photos.inputs[:2], photos.targets[:2]
as_pictures = {"black": np.zeros_like(photos.images[:2]), "white": np.full_like(photos.images[:2], 255)}
real = {}
for name, start in as_pictures.items():
    start = photos.preprocess(start)
    print(f"{name} is {start.flatten()[0]:+.2f} for this network")
    attributions = integrated_gradients(photos.model, x, t, baselines=start, n_steps=8, chunk_size=2)
    real[f"IG, {name}"] = one_value_a_pixel(attributions)
same = judge.rank_correlation(*real.values())
print(f"rank correlation of the two maps: cat {same[0]:.2f}, cup {same[1]:.2f}")

# %% tags=["hide-input"]
plots.show_maps(
    list(photos.images[:2]),
    real,
    labels=[photos.class_names[int(i)] for i in t],
    title="EfficientNet-Lite0: two baselines, two maps",
    width=7,
    alone=True,
)
plots.show(
    "A cat and a cup of coffee, with Integrated Gradients from black and from white. From black the pupils are empty, from white the rim of the cup."
)

# %% [markdown]
# Look at the pupils of the cat and at the white rim of the cup: black explains next to nothing of what is nearly black, white of what is nearly white.

# %% [markdown]
# ## 9 · captum's conventions
#
# Two conventions of captum (a library of explanations for PyTorch) are easily overlooked. First, `NoiseTunnel`, its SmoothGrad. It takes an *absolute* standard deviation, `stdevs`, where the paper and the course have a share of the picture's range; and over `Saliency` it averages *absolute* gradients unless you say `abs=False`.

# %%
from captum.attr import IntegratedGradients, NoiseTunnel, Saliency

one, its_class = lab.inputs[:1], lab.targets[:1]
sigma = 0.02 * (one.max() - one.min()).item()
ours = smooth_grad(model, one, its_class, n_samples=40, noise_level=0.02).abs().amax(dim=1)
theirs = {}
for name, absolute in (("signed, abs=False", False), ("absolute, the default", True)):
    torch.manual_seed(1)
    noisy = NoiseTunnel(Saliency(model)).attribute(
        one.clone(), nt_samples=40, stdevs=sigma, target=its_class, abs=absolute
    )
    theirs[name] = noisy.detach().abs().amax(dim=1)
    same = judge.rank_correlation(ours, theirs[name]).item()
    print(f"NoiseTunnel, {name:<22} rank correlation with SmoothGrad {same:.2f}")

# %% [markdown]
# With the same noise, ours and the signed one are equal (the course's tests check it). Here each draws its own, and with forty samples that alone makes a difference: so say how many samples you took. The mean of absolute values is another method. Opposite signs no longer cancel: a pixel whose gradient only jumps up and down keeps a large value.
#
# Second, the trapezoid rule. On $f(x) = x$ from 0 to 1, Integrated Gradients must give 1:

# %%
line = nn.Linear(1, 1, bias=False)
nn.init.ones_(line.weight)
start, end = torch.zeros(1, 1), torch.ones(1, 1)
for steps in (5, 10, 50):
    value = IntegratedGradients(line).attribute(
        end, start, target=0, n_steps=steps, method="riemann_trapezoid"
    )
    print(f"captum's trapezoid rule, {steps:>2} steps: {value.item():.3f} (should be 1)")

# %% [markdown]
# Its weights add up to $(n-1)/n$ for $n$ steps: one step is missing. With few steps the gap in completeness is large, and that is how one can find out. The default rule of captum (Gauss–Legendre) has no such fault.

# %% [markdown]
# ## 10 · Random weights, layer by layer
#
# The core drew the last layer anew, then all. Now one layer after the other, from the last to the first (the *cascade* of Adebayo and others, 2018), for sixteen pictures. The dotted lines are the control: at the end, the random network's map against the trained map of *another* picture. What is above it comes from the picture and the architecture together; the control itself only from the architecture (strides, the border).

# %%
x, t = lab.inputs[40:56], lab.targets[40:56]


def three_maps(network):
    """Saliency, gradient × input and IG, each (N, H, W)."""
    return {
        "saliency": saliency(network, x, t).amax(dim=1),
        "gradient × input": one_value_a_pixel(input_x_gradient(network, x, t)),
        "Integrated Gradients": one_value_a_pixel(integrated_gradients(network, x, t, n_steps=4)),
    }


# %%
trained = three_maps(model)
curves = {name: [1.0] for name in trained}
steps = ["trained"]
for number, (layer, network) in enumerate(judge.randomize_cascade(model)):
    if number not in (0, 1, 2, 4, 7, 10, 12):  # seven of the thirteen stages
        continue
    steps.append(layer)
    maps = three_maps(network)
    for name in curves:
        curves[name].append(judge.rank_correlation(maps[name], trained[name]).mean().item())
another = {
    name: judge.rank_correlation(maps[name], trained[name].roll(1, dims=0)).mean().item() for name in maps
}

# %% tags=["hide-input"]
for name, values in curves.items():
    print(
        f"{name:<21} last layer {values[1]:.2f}, all layers {values[-1]:.2f}; another picture {another[name]:.2f}"
    )

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(9, 3.2))
for name, values in curves.items():
    (drawn,) = ax.plot(values, "o-", label=name)
    ax.axhline(another[name], linestyle=":", color=drawn.get_color())
ax.set_xticks(range(len(steps)), steps, rotation=20, ha="right")
ax.set(ylabel="rank correlation with\nthe trained network's map", ylim=(-0.1, 1.05))
ax.set_title("Drawn anew from the last layer down to the one named", loc="left")
ax.legend()
plots.show(
    "Three falling curves. The largest fall comes with the last layer, saliency stays highest, and at the end all three are "
    "low but above zero."
)

# %% [markdown]
# The largest single fall comes with the last layer. Saliency keeps more than the two maps that multiply by the picture. (The paper warns of the opposite: in multiplied maps of its networks one still saw the picture.) What is left at the end was not learnt. About half of it, and of saliency's most, is there against another picture as well: it is the architecture's.

# %% [markdown]
# ## 11 · Recap
#
# - A contrast $S_c - S_d$ is one backward pass, and answers the question that people ask.
# - SmoothGrad² is SmoothGrad squared plus VarGrad. The more noise, the larger the part of the variance, and the variance lies less on the object.
# - Six baselines give six maps; a baseline can hide any region, and the axioms do not notice.
# - Expected gradients average over baselines. Give the standard error with the sum.
# - Gradient × input adds up for networks of ReLUs without biases. With biases or batch normalisation it does not.
# - Eval mode, the meaning of zero, the rule of the integral, absolute or signed: write them down.
#
# **References**
# - [Smilkov and others, 2017: SmoothGrad](https://arxiv.org/abs/1706.03825) · [Sundararajan and others, 2017: Axiomatic attribution](https://arxiv.org/abs/1703.01365) · [Adebayo and others, 2018: Sanity checks](https://arxiv.org/abs/1810.03292)
# - [Kindermans and others, 2019: The (un)reliability of saliency methods](https://arxiv.org/abs/1711.00867) · [Sturmfels and others, 2020: baselines](https://distill.pub/2020/attribution-baselines/) · [Erion and others, 2021: Expected gradients](https://arxiv.org/abs/1906.10670) · [Hooker and others, 2019: ROAR](https://arxiv.org/abs/1806.10758)
