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
# # 02 · Deconvnet: what is a feature map looking for?
#
# **The question.** Inside a network there are only numbers. Which pattern in the picture made one of them large?
#
# **After this lesson you can**
# - bring one activation of any layer back to the pixels, once with unpooling and transposed filters and once as a backward pass;
# - say why the two differ on overlapping pooling, and mend the difference to the last digit;
# - repeat the experiments of the ZF-Net paper: strongest patches, training, invariance, occlusion, correspondence, ablation;
# - tell the plain gradient, the deconvnet and guided backpropagation apart by one line of code;
# - show with two tests that a crisp map may say little about a network's decision.
#
# **Time**: about 90 minutes. **Before**: you can read a PyTorch module and know what a convolution, a ReLU and max pooling do.

# %%
import contextlib
import io
import warnings
from functools import partial
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import judge
from course_utils.labs import LabUnavailable, load_lab
from course_utils.labs.rendered import zfnet_checkpoints
from course_utils.labs.scenes import render
from course_utils.methods.deconvnet import deconvnet, deconvnet_explicit, guided_backprop
from course_utils.methods.gradients import saliency
from course_utils.methods.occlusion import occlusion
from course_utils.teach import inside, plots, widgets
from course_utils.exercises import l02_zfnet_deconvnet as exercises

plots.use_style(dpi=80, quality=74)  # many pictures: keep the file small

# %% [markdown]
# ## 1 · A puzzle: three crisp explanations
#
# A network was trained on drawn objects. Below is one picture, and three maps of a method that you will build in this lesson (guided backpropagation). Each map is meant to show
# which pixels speak for a class. Grey is zero.
#
# One map was made for the right class by the trained network. One was made for *another* class. And for one, the two last layers of the network were first filled with *random numbers*. Which is which?

# %%
lab = load_lab("scenes", model="zfnet")
model = lab.model
probabilities = torch.from_numpy(lab.predict(lab.images))
right = probabilities.argmax(dim=1) == lab.targets

cat = lab.class_names.index("cat")
scene = int(torch.nonzero(right & (lab.targets == cat))[0])
x = lab.inputs[scene : scene + 1]
other = int(probabilities[scene].argsort()[-2])  # the second most probable class
(_, _), (_, half_random) = islice(
    judge.randomize_cascade(model), 2
)  # the last layer, then the two last layers

puzzle = {
    "A": guided_backprop(model, x, other),
    "B": guided_backprop(half_random, x, cat),
    "C": guided_backprop(model, x, cat),
}
plots.show_images(
    [lab.images[scene] / 255, *(inside.as_picture(m[0]) for m in puzzle.values())],
    ["picture", *puzzle],
    title="Which of the maps explains why the network says “cat”?",
)
plt.show()

# %% [markdown]
# If you hesitate, you have understood the problem. A map can be sharp, can show the right object, and can still say next to nothing about the decision. You find the answer in section 15, with a measurement. First
# build the method, and learn what it *is* good for: to see what a single feature inside the network reacts to.

# %% [markdown]
# ## 2 · The idea: run the activation backwards
#
# The network is modelled after ZF-Net (Zeiler and Fergus, 2014), only smaller. It is a plain chain. A *layer* here is a convolution, a ReLU and sometimes a max pooling:

# %%
print(f"{'module':>8}  {'maps':>4}  {'side':>4}  one place sees (pixels)")
maps = x
with torch.no_grad():
    for name, module in model.named_children():
        maps = module(maps)
        if maps.ndim == 4:
            print(
                f"{name:>8}  {maps.shape[1]:4d}  {maps.shape[2]:4d}  {inside.receptive_field(model, name)[0]:4d}"
            )
        else:
            print(f"{name:>8}  {maps.shape[1]:4d}")
print("parameters:", f"{sum(p.numel() for p in model.parameters()):,}")

# %% [markdown]
# Suppose one number in the maps of `relu5` is large. Which pattern in the picture caused it? The idea of the paper is to keep that one *activation*, set all others of its layer to zero, and send it back through the same layers, each turned around:

# %%
inside.deconvnet_diagram()
plt.show()

# %% [markdown]
# Three steps, again and again, until the signal arrives at the pixels. Take them one by one, with small numbers.
#
# ### Unpooling, with switches
#
# Max pooling takes the largest value of each window $R_i$. It forgets where that value was, so on the way forward we also write down the place, the *switch* $s_i$:
#
# $$p_i = \max_{j \in R_i} a_j, \qquad s_i = \arg\max_{j \in R_i} a_j .$$
#
# On the way back, each value of the signal $\hat p_i$ goes to the place of the switch, and all other places get zero: $\hat a_j = \hat p_i$ if $j = s_i$, else $0$. (A hat marks what comes back.)

# %%
a = torch.tensor([[1.0, 3, 0, 2], [4, 2, 1, 0], [0, 1, 2, 2], [2, 0, 5, 1]])
p, switches = F.max_pool2d(a[None], 2, return_indices=True)
p_hat = torch.tensor([[[7.0, 8], [9, 6]]])  # some signal that comes back
a_hat = F.max_unpool2d(p_hat, switches, 2)[0]

places = [divmod(int(s), 4) for s in switches.flatten()]  # a switch counts pixels row by row
figure, axes = plots.grid(1, 4, ratio=0.95)
inside.numbers(
    axes[0, 0], a, "a: the maxima are framed", marked=places, decimals=0, signed=False, fontsize=11
)
inside.numbers(axes[0, 1], p[0], "p: after 2×2 pooling", decimals=0, signed=False, fontsize=11)
inside.numbers(axes[0, 2], p_hat[0], "a signal comes back", decimals=0, signed=False, fontsize=11)
inside.numbers(
    axes[0, 3], a_hat, "unpooled with the switches", marked=places, decimals=0, signed=False, fontsize=11
)
plt.show()

# %% [markdown]
# ### Rectifying
#
# Forward, a ReLU keeps the maps positive. The paper does the same with the signal: $\;\hat z = \max(0, \hat a)$. Note what it looks at: the sign of the *signal*, not of what went forward. Keep this in mind for section 4.

# %%
signal = torch.tensor([-2.0, 0.5, 3.0, -0.25])
print("signal    ", signal.tolist())
print("rectified ", torch.relu(signal).tolist())

# %% [markdown]
# ### Filtering with the transposed weights
#
# Without its bias, a convolution is linear: there is a large matrix $W$ with $z = W x$. On the way back the paper uses the *transposed* matrix, $\hat x = W^\top \hat z$. It does not undo the convolution. It hands each value of the
# signal to the pixels it came from, with the same weights. The transposed matrix is the one for which $\langle W x, \hat z\rangle = \langle x, W^\top \hat z\rangle$ for all $x$ and $\hat z$ (the brackets multiply element by element and add up). Check it on the second convolution:

# %%
generator = torch.Generator().manual_seed(0)
weight = model.conv2.weight.detach()
v = torch.randn(1, weight.shape[1], 32, 32, generator=generator)
z_hat = torch.randn(1, weight.shape[0], 32, 32, generator=generator)
left = (F.conv2d(v, weight, padding=2) * z_hat).sum()
right_side = (v * F.conv_transpose2d(z_hat, weight, padding=2)).sum()
print(f"<W x, z> = {left:.3f}    <x, Wᵀ z> = {right_side:.3f}")

# %% [markdown]
# ## 3 · By hand, twice
#
# ### First: the way the paper draws it
#
# Run forward, and note for each module how to undo it. Then keep one activation and apply the notes in reverse order. The bias has no part in the way back.


# %%
def overwriting_unpool(signal, switches, size):
    """Each value of the signal (1, K, h, w) at the place of its switch, in maps of `size`."""
    return F.max_unpool2d(signal, switches, 3, 2, 1, output_size=size)


def only_strongest(maps, channel):
    """The maps (1, K, h, w) with all set to zero but the largest value of one channel."""
    kept = torch.zeros_like(maps)
    place = maps[0, channel].argmax()
    kept[0, channel].view(-1)[place] = maps[0, channel].view(-1)[place]
    return kept


def by_unpooling(model, x, layer, channel, unpool=overwriting_unpool):
    """The signal after each step on the way back from one activation; the last one has the shape of the picture."""
    undo = []
    for name, module in model.named_children():
        if isinstance(module, nn.MaxPool2d):
            size = x.shape[-2:]
            x, switches = F.max_pool2d(x, 3, 2, 1, return_indices=True)
            undo.append(partial(unpool, switches=switches, size=size))
        elif isinstance(module, nn.Conv2d):
            x, stride = module(x), module.stride[0]
            undo.append(
                partial(
                    F.conv_transpose2d,
                    weight=module.weight,
                    stride=stride,
                    padding=module.padding,
                    output_padding=stride - 1,
                )
            )
        else:
            x = module(x)
            undo.append(torch.relu)
        if name == layer:
            break
    signals = [only_strongest(x, channel)]
    for step in reversed(undo):
        signals.append(step(signals[-1]))
    return signals


def run_to(model, x, layer):
    """The output of a layer, by its name."""
    for name, module in model.named_children():
        x = module(x)
        if name == layer:
            return x


with torch.no_grad():
    channel = int(run_to(model, x, "relu5")[0].amax(dim=(1, 2)).argmax())
    signals = by_unpooling(model, x, "relu5", channel)
print(
    f"the strongest channel of relu5 for this picture is number {channel}, its largest value {signals[0].max():.2f}"
)

# %% [markdown]
# Follow the signal down. Each panel adds up the absolute values over all channels; the last one is the picture-sized result, in colour.

# %%
stations = {
    "kept in relu5": 0,
    "after conv5ᵀ": 2,
    "after conv4ᵀ": 4,
    "after conv3ᵀ": 6,
    "after unpool2": 7,
    "after conv2ᵀ": 9,
    "after unpool1": 10,
}
figure, axes = plots.grid(2, 4, ratio=1.08)
for ax, (name, index) in zip(axes.flat, stations.items(), strict=False):
    strength = signals[index][0].abs().sum(dim=0)
    plots.show_heat(ax, strength, title=f"{name}: {strength.shape[0]}×{strength.shape[1]}")
axes[1, 3].imshow(inside.as_picture(signals[-1][0]))
axes[1, 3].set_title("after conv1ᵀ: 128×128", fontsize=10)
figure.suptitle("One activation on its way back to the pixels")
plt.show()

# %% [markdown]
# One place in a coarse map became a pattern of edges. The unpooling steps make it sharp: they put each value at an exact pixel. Remember that the switches come from the *picture*; card 3 in section 15 asks how much of the result is theirs.
#
# ### Second: a backward pass with another ReLU
#
# Look again at the three steps. The backward pass of a convolution *is* the filtering with transposed weights. The backward pass of max pooling *is* unpooling with switches. Only the ReLU differs. So let PyTorch do all the work, and
# change the rule of the ReLUs with a hook:


# %%
def by_backward(model, x, layer, channel):
    """The same from a backward pass in which each ReLU keeps the positive part of the signal."""
    x = x.clone().requires_grad_()
    relus = [module for module in model if isinstance(module, nn.ReLU)]
    handles = [
        relu.register_full_backward_hook(lambda module, old, signal: (signal[0].clamp(min=0),))
        for relu in relus
    ]
    try:
        maps = run_to(model, x, layer)
        return torch.autograd.grad(maps, x, only_strongest(maps.detach(), channel))[0]
    finally:
        for handle in handles:
            handle.remove()


with torch.no_grad():
    explicit = signals[-1]
backward = by_backward(model, x, "relu5", channel)
print(
    f"largest difference: {(explicit - backward).abs().max():.4f}, where the values reach {backward.abs().max():.4f}"
)

# %% [markdown]
# They are *not* the same, and not by rounding. Look at each layer:

# %%
relus = ["relu1", "relu2", "relu3", "relu4", "relu5"]
results = {}
print("layer   largest difference, as a share of the largest value")
for name in relus:
    with torch.no_grad():
        best = int(run_to(model, x, name)[0].amax(dim=(1, 2)).argmax())
        drawn = by_unpooling(model, x, name, best)[-1]
    results[name] = (drawn, by_backward(model, x, name, best))
    one, two = results[name]
    print(f"{name}   {(one - two).abs().max() / two.abs().max():.6f}")

one, two = (result[0] for result in results["relu5"])
field = inside.receptive_field(model, "relu5")
with torch.no_grad():
    place = divmod(int(run_to(model, x, "relu5")[0, channel].argmax()), 16)
figure, axes = plots.grid(1, 4, ratio=1.08)
for ax, picture, title in zip(
    axes[0],
    (lab.images[scene], inside.as_picture(one), inside.as_picture(two), inside.as_picture(two - one)),
    ("what the place sees", "unpooling", "backward pass", "backward − unpooling"),
    strict=True,
):
    ax.imshow(inside.patch(picture, place, *field))
    ax.set_title(title, fontsize=10)
figure.suptitle("relu5: alike to the eye, not equal (each panel has its own scale)")
plt.show()

# %% [markdown]
# `relu1` agrees: there is no pooling below it. So the pooling must be the culprit. ZF-Net pools with windows of 3×3 at every *second* pixel. The windows overlap, and one pixel can be the maximum of up to four of them. What then comes back to it?

# %%
toy = torch.tensor([[1.0, 2, 0, 1, 2], [0, 1, 3, 2, 1], [2, 1, 9, 0, 1], [1, 3, 2, 1, 0], [0, 2, 1, 2, 1]])
toy_pooled, toy_switches = F.max_pool2d(toy[None, None], 3, 2, return_indices=True)
toy_signal = torch.tensor([[[[1.0, 2], [3, 4]]]])
toy_overwritten = F.max_unpool2d(toy_signal, toy_switches, 3, 2, output_size=(5, 5))
leaf = toy[None, None].clone().requires_grad_()
(toy_summed,) = torch.autograd.grad(F.max_pool2d(leaf, 3, 2), leaf, toy_signal)

figure, axes = plots.grid(1, 4, ratio=0.95)
for ax, values, title in zip(
    axes[0],
    (toy, toy_signal[0, 0], toy_overwritten[0, 0], toy_summed[0, 0]),
    (
        "four windows, one maximum",
        "a signal comes back",
        "unpooling keeps the last",
        "the backward pass adds",
    ),
    strict=True,
):
    inside.numbers(
        ax,
        values,
        title,
        decimals=0,
        signed=False,
        fontsize=11,
        marked=[(2, 2)] if values.shape[0] == 5 else (),
    )
plt.show()

# %% [markdown]
# That is all. Unpooling writes 1, 2, 3 and 4 to the same pixel, and the last one stays. The backward pass adds them up. To the digit: 4 against $1 + 2 + 3 + 4 = 10$. PyTorch's documentation warns that with shared switches `max_unpool2d` may even
# depend on the order of writing. How often does it happen in our network?

# %%
with torch.no_grad():
    for pool, below in (("pool1", "relu1"), ("pool2", "relu2"), ("pool5", "relu5")):
        values, switches = F.max_pool2d(run_to(model, lab.inputs[:20], below), 3, 2, 1, return_indices=True)
        shared = []
        for value, switch in zip(values.flatten(0, 1), switches.flatten(0, 1), strict=True):
            used = switch[value > 0]  # a window of zeros has no maximum to speak of
            shared.append((used.bincount(minlength=1)[used] > 1).float())
        print(
            f"{pool}: {torch.cat(shared).mean():.0%} of the positive maxima are the maximum of another window too"
        )

# %% [markdown]
# Now we know how to mend it: unpool, but *add*. Then the drawn version and the backward pass must agree to rounding. (You will write `adding_unpool` yourself in exercise 2.)


# %%
# NBVAL_CHECK_OUTPUT
def adding_unpool(signal, switches, size):
    """As overwriting_unpool, but values that return to the same pixel are added up."""
    flat = signal.new_zeros(*signal.shape[:2], size[0] * size[1])
    return flat.scatter_add(2, switches.flatten(2), signal.flatten(2)).view(*signal.shape[:2], *size)


def unit(values):
    """Divided by the largest absolute value, so that differences are shares."""
    return values / values.abs().max()


with torch.no_grad():
    added = by_unpooling(model, x, "relu5", channel, unpool=adding_unpool)[-1]
torch.manual_seed(0)
no_overlap = nn.Sequential(
    nn.Conv2d(3, 8, 5),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 8, 3),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 8, 3),
    nn.ReLU(),
)
with torch.no_grad():
    alive = int(no_overlap(x)[0].amax(dim=(1, 2)).argmax())
rows = [
    ("relu1, no pooling below", unit(results["relu1"][0]), unit(results["relu1"][1]), "nothing to share"),
    ("relu5, unpooling that adds", unit(added), unit(backward), "values at one pixel are added"),
    (
        "2×2 pooling at every second pixel",
        unit(deconvnet_explicit(no_overlap, x, "7", alive)),
        unit(deconvnet(no_overlap, x, "7", alive)),
        "windows do not overlap",
    ),
    (
        "course_utils: deconvnet",
        unit(backward),
        unit(deconvnet(model, x, "relu5", channel)),
        "the backward pass",
    ),
    (
        "course_utils: deconvnet_explicit",
        unit(explicit),
        unit(deconvnet_explicit(model, x, "relu5", channel)),
        "the last value stays",
    ),
]
judge.agreement_table(rows)

# %% [markdown]
# Which of the two is right? The paper does not say what happens at a shared pixel. But the backward pass has a reason on its side: it is the transposed of the pooling, as the transposed filters are of the convolution. From here on we use it, and call it
# `deconvnet`.

# %% [markdown]
# ## 4 · Three rules for one ReLU
#
# If only the ReLU differs, put the rules side by side. Let $x$ be what went *into* the ReLU and $g$ the signal that comes back to it. Brackets are 1 if the statement in them holds, else 0.
#
# | method | what passes | asks |
# |---|---|---|
# | plain gradient (Simonyan and others, 2014) | $g \cdot [x > 0]$ | was it active? |
# | deconvnet (Zeiler and Fergus, 2014) | $g \cdot [g > 0]$ | does it speak *for* the start? |
# | guided backpropagation (Springenberg and others, 2015) | $g \cdot [g > 0] \cdot [x > 0]$ | both |
#
# The start can be one activation, as above, or the score of a class: then the map is meant to say which pixels speak for the class.


# %%
def by_rule(model, x, target, rule):
    """The signal at the pixels (N, 3, H, W), from the class scores back, with one of the three rules."""
    x = x.clone().requires_grad_()
    rules = {
        "gradient": lambda module, old, signal: old,
        "deconvnet": lambda module, old, signal: (signal[0].clamp(min=0),),
        "guided": lambda module, old, signal: (old[0].clamp(min=0),),  # `old` has passed [x > 0] already
    }
    handles = [
        module.register_full_backward_hook(rules[rule]) for module in model if isinstance(module, nn.ReLU)
    ]
    try:
        scores = model(x)
        return torch.autograd.grad(scores[torch.arange(len(x)), target].sum(), x)[0]
    finally:
        for handle in handles:
            handle.remove()


first_of = [
    int(torch.nonzero(right & (lab.targets == c))[0])
    for c in lab.targets.unique()[:8]
    if (right & (lab.targets == c)).any()
]
shown = [scene, *[i for i in first_of if i != scene]][:3]
three = {
    rule: by_rule(model, lab.inputs[shown], lab.targets[shown], rule)
    for rule in ("gradient", "deconvnet", "guided")
}
figure, axes = plots.grid(3, 4, ratio=1.02, width=8.5)
for row, i in enumerate(shown):
    axes[row, 0].imshow(lab.images[i])
    for ax, (rule, result) in zip(axes[row, 1:], three.items(), strict=True):
        ax.imshow(inside.as_picture(result[row]))
        if row == 0:
            ax.set_title(rule, fontsize=10)
axes[0, 0].set_title("picture", fontsize=10)
figure.suptitle("The same network, the same pictures, the class score: only the rule of the ReLU differs")
plt.show()

# %% [markdown]
# Guided backpropagation is the cleanest by far. That is why it was so popular. Clean is not the same as faithful, though. Hold your judgement until sections 13 and 15.

# %% [markdown]
# ## 5 · The proof
#
# Two libraries were written independently of us: captum and zennit. Conventions to know:
# - captum and zennit send back a *one*, our `deconvnet` sends back the activation itself, as the paper does. Both rules are proportional to a positive start, so divide ours by the score.
# - captum's `Occlusion` returns one value for each colour channel; all three are equal if the window covers all channels.

# %%
from captum.attr import Deconvolution, GuidedBackprop, NeuronDeconvolution, Occlusion
from zennit.composites import DeconvNet as DeconvNetOfZennit
from zennit.composites import GuidedBackprop as GuidedBackpropOfZennit

batch, target = lab.inputs[right][:6], lab.targets[right][:6]
with torch.no_grad():
    scores = model(batch).gather(1, target[:, None])[:, 0]
    start = run_to(model, batch, "relu5")[:, channel].flatten(1).argmax(dim=1)
position = torch.stack([start // 16, start % 16], dim=1)


def by_zennit(composite):
    """zennit's composite changes the rules of the modules for the length of the `with`."""
    leaf = batch.clone().requires_grad_()
    with composite.context(model) as changed:
        return torch.autograd.grad(changed(leaf).gather(1, target[:, None]).sum(), leaf)[0]


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # captum announces that it sets hooks
    captum_deconvnet = Deconvolution(model).attribute(batch, target)
    captum_guided = GuidedBackprop(model).attribute(batch, target)
    neuron = (channel, int(position[0, 0]), int(position[0, 1]))
    captum_neuron = NeuronDeconvolution(model, model.relu5).attribute(batch[:1], neuron)
captum_occlusion = Occlusion(model).attribute(
    batch[:2], (3, 40, 40), (3, 22, 22), target=target[:2], perturbations_per_eval=8
)
activation = run_to(model, batch[:1], "relu5")[0][neuron].detach()

# %%
# NBVAL_CHECK_OUTPUT
from_one = deconvnet(model, batch, "fc7", target) / scores.view(-1, 1, 1, 1)
guided = guided_backprop(model, batch, target)
covered_by_us = occlusion(model, batch[:2], target[:2], 40, 22)
one_feature = deconvnet(model, batch[:1], "relu5", channel, neuron[1:]) / activation


def compare(name, ours, theirs, convention):
    """One row, both divided by our largest value: the differences are shares of it."""
    return name, unit(ours), theirs.detach() / ours.abs().max(), convention


judge.agreement_table(
    [
        compare(
            "your hook, deconvnet",
            from_one,
            by_rule(model, batch, target, "deconvnet"),
            "starts with 1: ours divided by the score",
        ),
        compare(
            "captum Deconvolution", from_one, captum_deconvnet, "starts with 1: ours divided by the score"
        ),
        compare(
            "zennit DeconvNet",
            from_one,
            by_zennit(DeconvNetOfZennit()),
            "starts with 1: ours divided by the score",
        ),
        compare(
            "captum NeuronDeconvolution",
            one_feature,
            captum_neuron,
            "starts with 1: ours divided by the activation",
        ),
        compare("your hook, guided", guided, by_rule(model, batch, target, "guided"), "the same"),
        compare("captum GuidedBackprop", guided, captum_guided, "the same"),
        compare("zennit GuidedBackprop", guided, by_zennit(GuidedBackpropOfZennit()), "the same"),
        compare(
            "captum Occlusion", covered_by_us, captum_occlusion[:, 0], "overlapping windows are averaged"
        ),
    ]
)

# %% [markdown]
# ## 6 · What do the features look for?
#
# Now the experiment that made the paper famous. For a feature (one channel of a layer), go through many pictures and take the nine in which it is strongest. Bring each of the nine activations back to the pixels, and put the patch of the picture that the place sees beside it.
#
# We draw 600 new pictures for this, which the network has never seen.


# %%
def channels_inside(x):
    """The same pictures, stored with the colours of a pixel side by side: faster convolutions on a CPU."""
    return x.contiguous(memory_format=torch.channels_last)


bank = render("scenes", n=600, seed=300)
bank_targets = torch.from_numpy(bank.targets)

strongest = {name: [] for name in relus}  # value and place of the maximum in each map
pooled = {name: [] for name in ["relu1", "relu2", "relu3", "relu4", "relu5", "relu6"]}  # for section 11
bank_scores = []
with torch.no_grad():
    for images in np.array_split(bank.images, 60):
        maps = channels_inside(lab.preprocess(images))
        for name, module in model.named_children():
            maps = module(maps)
            if name in strongest:
                strongest[name].append(maps.flatten(2).max(dim=2))
            if name in pooled:
                pooled[name].append(F.adaptive_avg_pool2d(maps, 4).flatten(1) if maps.ndim == 4 else maps)
        bank_scores.append(maps)  # the class scores, for section 11, too
values = {
    name: torch.cat([part.values for part in parts]) for name, parts in strongest.items()
}  # (pictures, channels)
spots = {name: torch.cat([part.indices for part in parts]) for name, parts in strongest.items()}


def top_nine(layer, channel):
    """The nine pictures in which a feature is strongest, its place in each, and the reconstructions."""
    nine = values[layer][:, channel].argsort(descending=True)[:9]
    side = 128 // inside.receptive_field(model, layer)[1]
    place = torch.stack([spots[layer][nine, channel] // side, spots[layer][nine, channel] % side], dim=1)
    return nine, place, deconvnet(model, lab.preprocess(bank.images[nine]), layer, channel, place)


def purity(layer):
    """For each channel, the share of the most frequent class among its nine strongest pictures."""
    nine = values[layer].argsort(dim=0, descending=True)[:9]  # (9, channels)
    return torch.stack([bank_targets[column].bincount().max() / 9 for column in nine.T])


chosen = {}
for name in relus:
    order = values[name].sort(dim=0, descending=True).values[:9].mean(dim=0).argsort(descending=True)
    if name == "relu1":  # strong features whose filters are not like that of a stronger one
        unit_filters = F.normalize(model.conv1.weight.detach().flatten(1))
        order = [
            k for n, k in enumerate(order) if (unit_filters[order[:n]] @ unit_filters[k]).abs().lt(0.4).all()
        ]
    else:  # the purest features, each of another class
        order = (purity(name) + 1e-4 * values[name].amax(dim=0) / values[name].max()).argsort(descending=True)
        classes = [
            int(bank_targets[values[name][:, k].argsort(descending=True)[:9]].mode().values) for k in order
        ]
        order = [k for n, k in enumerate(order) if classes[n] not in classes[:n]]
    chosen[name] = [int(k) for k in order[:3]]


def show_features(layers):
    """For three features of each layer: nine reconstructions, and the nine patches that caused them."""
    figure, axes = plots.grid(len(layers), 6, ratio=1.1)
    for row, name in enumerate(layers):
        size, jump = inside.receptive_field(model, name)
        for column, k in enumerate(chosen[name]):
            nine, place, back = top_nine(name, k)
            left = [
                inside.patch(inside.as_picture(b), at, size, jump) for b, at in zip(back, place, strict=True)
            ]
            right_tiles = [
                inside.patch(bank.images[i], at, size, jump)
                for i, at in zip(nine.tolist(), place, strict=True)
            ]
            for ax, sheet in zip(axes[row, 2 * column : 2 * column + 2], (left, right_tiles), strict=True):
                ax.imshow(inside.tiles(sheet, gap=max(1, size // 20)))
            axes[row, 2 * column].set_title(f"feature {k}", fontsize=10)
        axes[row, 0].set_ylabel(f"{name}: {size}×{size} pixels", fontsize=10)
    figure.suptitle("In each pair, left: nine reconstructions. Right: the patches that caused them")
    plt.show()


show_features(["relu1", "relu2"])

# %% [markdown]
# The first layer reacts to edges and colours (its nine reconstructions are all the same: no pooling lies below, so each is the filter itself), the second already to pieces of objects: corners, stripes, eyes. Now the later layers, whose places see much more of the picture.

# %%
show_features(["relu3", "relu4", "relu5"])
drawn = torch.randint(10, (2000, 9), generator=torch.Generator().manual_seed(0))
chance = torch.stack([row.bincount().max() / 9 for row in drawn]).mean()
print("share of the most frequent class among the nine strongest pictures, mean over the features:")
print(
    "  "
    + ", ".join(f"{name} {purity(name).mean():.2f}" for name in relus)
    + f"; nine random pictures {chance:.2f}"
)

# %% [markdown]
# Two cautions. We *chose* the features, from the second layer on the purest ones; the printed averages are lower. And nine pictures show what excites a feature most, not all it reacts to; a feature with nine cats may also
# answer weakly to horses.
#
# Compare left and right in a pair. The patches vary, in background and colour; the reconstructions show what they have in common, as far as this feature is concerned.

# %% [markdown]
# ## 7 · How features grow during training
#
# The course ships the network at several moments of its training. For one feature of each layer, find its strongest picture at that moment among 60, and reconstruct. The paper's figure 4 does just this.

# %%
checkpoints = zfnet_checkpoints()
crowd = lab.preprocess(bank.images[:60])
history = {}  # moment → layer → (value, place) of the strongest activation of each channel in each picture
accuracies = {}
with torch.no_grad():
    for step, network in checkpoints.items():
        maps, history[step] = channels_inside(crowd), {}
        for name, module in network.named_children():
            maps = module(maps)
            if name in relus:
                history[step][name] = maps.flatten(2).max(dim=2)
        accuracies[step] = (maps.argmax(dim=1) == bank_targets[:60]).float().mean().item()

figure, axes = plots.grid(5, len(checkpoints), ratio=1.06, width=min(10, 1.7 * len(checkpoints)))
for row, name in enumerate(relus):
    size, jump = inside.receptive_field(model, name)
    k = chosen[name][0]
    for ax, (step, network) in zip(axes[row], checkpoints.items(), strict=True):
        peak, spot = (v[:, k] for v in history[step][name])
        i = int(peak.argmax())
        place = divmod(int(spot[i]), 128 // jump)
        back = deconvnet(network, crowd[i : i + 1], name, k, place)
        ax.imshow(inside.patch(inside.as_picture(back[0]), place, size, jump))
        if row == 0:
            ax.set_title(f"{step} steps\naccuracy {accuracies[step]:.2f}", fontsize=10)
    axes[row, 0].set_ylabel(f"{name}, feature {k}", fontsize=10)
figure.suptitle("Strongest activation of one feature of each layer, while the network learns")
plt.show()

# %% [markdown]
# A sudden jump in a row means that another picture has become the strongest. How fast does each layer settle? For each feature, correlate its maxima in these 60 pictures with those of the trained network: 1 means that the same pictures excite it, and in the same order of strength.


# %%
def likeness(now, final):
    """Mean over the features of the correlation between two sets of maxima (pictures, channels)."""
    now, final = now - now.mean(dim=0), final - final.mean(dim=0)
    norm = now.norm(dim=0) * final.norm(dim=0)
    alive = norm > 1e-6 * norm.max()
    return float(((now * final).sum(dim=0)[alive] / norm[alive]).mean())


last = max(checkpoints)
figure, ax = plt.subplots(figsize=(8, 3.2))
for name in relus:
    ax.plot(
        list(checkpoints),
        [likeness(history[s][name].values, history[last][name].values) for s in checkpoints],
        "o-",
        label=name,
    )
ax.plot(list(checkpoints), list(accuracies.values()), "k--", label="accuracy")
ax.set(
    xlabel="training steps of 64 pictures",
    ylabel="likeness with the\ntrained network",
    xscale="log",
    ylim=(0, 1.03),
)
ax.legend(ncols=3)
ax.set_title("How soon do the features of each layer react as they will in the end?", loc="left")
plt.show()

# %% [markdown]
# The paper reports that lower layers converge within a few epochs and upper layers only after many. Compare the order of your curves. Part of it is built in: a feature of `relu1` reacts to some edge or colour even with random weights, so it starts with some likeness already.

# %% [markdown]
# ## 8 · What changes when the picture moves?
#
# The paper's figure 5: shift, enlarge and turn five pictures, and measure how far the features of the first and of a top layer move, as a share of their length: $\lVert f(Tx) - f(x) \rVert / \lVert f(x) \rVert$. Beside it, the probability of the right class.


# %%
def transformed(x, shift=0.0, scale=1.0, angle=0.0):
    """Pictures (N, 3, H, W), shifted downwards by pixels, enlarged, turned by degrees; the border is mirrored."""
    turn = np.deg2rad(angle)
    matrix = torch.tensor([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0]]) / scale
    matrix[1, 2] = -2 * shift / x.shape[-1]
    grid = F.affine_grid(matrix.float().expand(len(x), 2, 3).to(x), x.shape, align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


five = first_of[:5]
x5, t5 = lab.inputs[five], lab.targets[five]
trials = {
    "shift": np.arange(-40, 41, 5),
    "scale": np.linspace(0.7, 1.8, 12),
    "angle": np.arange(-180, 181, 20),
}
units = {"shift": "vertical shift (pixels)", "scale": "scale", "angle": "rotation (degrees)"}


def features(x):
    """Features of layer 1 and of the top hidden layer, and the class scores."""
    with torch.no_grad():
        low = run_to(model, channels_inside(x), "relu1")
        maps = low
        for name, module in list(model.named_children())[2:]:
            maps = module(maps)
            if name == "relu6":
                top = maps
    return low.flatten(1), top, maps.softmax(dim=1)


low, top, _ = features(x5)
figure, axes = plt.subplots(3, 3, figsize=(10, 7.2), sharex="row")
for row, (kind, amounts) in enumerate(trials.items()):
    curves = []
    for amount in amounts:
        low_t, top_t, chances = features(transformed(x5, **{kind: float(amount)}))
        curves.append(
            [
                (low_t - low).norm(dim=1) / low.norm(dim=1),
                (top_t - top).norm(dim=1) / top.norm(dim=1),
                chances[range(5), t5],
            ]
        )
    for column in range(3):
        for n in range(5):
            axes[row, column].plot(amounts, [c[column][n] for c in curves], label=lab.class_names[t5[n]])
        axes[row, column].set_xlabel(units[kind])
        axes[row, column].set_ylim(0, None if column < 2 else 1.03)
for ax, title in zip(
    axes[0],
    ("change of layer 1 (relu1)", "change of the top layer (relu6)", "probability of the right class"),
    strict=True,
):
    ax.set_title(title, fontsize=11)
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
plt.show()

# %%
twenty = lab.inputs[right][:20]
changes = {}
before, after = (channels_inside(v) for v in (twenty, transformed(twenty, shift=8)))
with torch.no_grad():
    for name, module in model.named_children():
        before, after = module(before), module(after)
        if name in [*relus, "relu6"]:
            first, second = before.flatten(1), after.flatten(1)
            changes[name] = float(((second - first).norm(dim=1) / first.norm(dim=1)).mean())
print("change after a shift of 8 pixels, mean over 20 pictures:")
for name, value in changes.items():
    print(f"  {name}: {value:.2f}")

# %% [markdown]
# The first layer leaps at the smallest change: another pixel, another number. The top layer moves more gently with shift and scale. Rotation is another matter: nothing in a convolution knows about it, and the training pictures were turned only a little.
# So the probability breaks down for most large angles (some pictures are exceptions at some), and a large shift can destroy it, too. The mirrored border is part of the measurement, too: what moves in from outside was invented by us.

# %% [markdown]
# ## 9 · Occlusion: cover a part, and watch
#
# A deconvnet shows what *could* have caused an activation. Occlusion tests it: slide a grey square over the picture, and see what changes. As in the paper's figure 7, we watch three things at once: the strongest feature of `relu5` (its map, added up), the probability of the
# right class, and the most probable class.


# %%
def covered(x, size, stride, fill=0.0):
    """One picture (1, 3, H, W) with a square at each place: a batch of rows × columns pictures, and that shape."""
    starts = range(0, x.shape[-1] - size + 1, stride)
    pictures = x.repeat(len(starts) ** 2, 1, 1, 1)
    for n, (top, left) in enumerate((top, left) for top in starts for left in starts):
        pictures[n, :, top : top + size, left : left + size] = fill
    return pictures, (len(starts), len(starts))


head = model[list(dict(model.named_children())).index("relu5") + 1 :]  # what follows relu5
size, stride = 24, 8
figure, axes = plots.grid(3, 5, ratio=1.06)
hits = []
for row, i in enumerate(shown):
    x1, c = lab.inputs[i : i + 1], int(lab.targets[i])
    pictures, shape = covered(x1, size, stride)
    with torch.no_grad():
        k = int(run_to(model, x1, "relu5")[0].amax(dim=(1, 2)).argmax())
        maps = torch.cat([run_to(model, channels_inside(some), "relu5") for some in pictures.split(28)])
        chances = head(maps).softmax(dim=1)
    total = maps[:, k].sum(dim=(1, 2)).view(shape)
    back = deconvnet(model, x1, "relu5", k)[0]
    extent = (
        size / 2 - stride / 2,
        128 - size / 2 + stride / 2,
        128 - size / 2 + stride / 2,
        size / 2 - stride / 2,
    )
    lowest = int(total.argmin())
    axes[row, 0].imshow(lab.to_images(pictures[lowest : lowest + 1])[0])
    axes[row, 1].imshow(total, cmap=plots.SEQUENTIAL, extent=extent)
    axes[row, 2].imshow(inside.as_picture(back))
    axes[row, 3].imshow(chances[:, c].view(shape), cmap=plots.SEQUENTIAL, extent=extent, vmin=0, vmax=1)
    winners = chances.argmax(dim=1).view(shape)
    present = winners.unique().tolist()
    colours = [plots.COLOURS[(w - c) % len(plots.COLOURS)] if w != c else "#e8eef3" for w in present]
    index = torch.tensor([[present.index(int(w)) for w in line] for line in winners])
    axes[row, 4].imshow(
        np.array([[plt.matplotlib.colors.to_rgb(colours[v]) for v in line] for line in index]), extent=extent
    )
    axes[row, 4].text(4, 12, lab.class_names[c], fontsize=9)
    rivals = winners[winners != c]
    if len(rivals):
        rival = int(rivals.mode().values)
        cells = (winners == rival).float()
        around = F.avg_pool2d(cells[None], 3, 1, 1)[0]
        most = int((around * cells).argmax())  # of the rival's cells, the one amid most others
        at = [v * stride + size / 2 for v in divmod(most, shape[1])]
        axes[row, 4].annotate(
            lab.class_names[rival],
            (at[1], at[0]),
            (64, 122),
            ha="center",
            fontsize=9,
            arrowprops={"arrowstyle": "-", "shrinkB": 0},
        )
    for ax in axes[row, 1:]:
        ax.set(xlim=(0, 128), ylim=(128, 0))
    top_left = [v * stride for v in divmod(lowest, shape[1])]
    strength = back.abs().sum(dim=0)
    inside_square = (
        strength[top_left[0] : top_left[0] + size, top_left[1] : top_left[1] + size].sum() / strength.sum()
    )
    hits.append(float(inside_square))
for ax, title in zip(
    axes[0],
    (
        "square that hurts the\nfeature most",
        "strongest feature of relu5,\nadded up",
        "what it looks for\n(deconvnet)",
        "probability of\nthe right class",
        "most probable\nclass",
    ),
    strict=True,
):
    ax.set_title(title, fontsize=10)
figure.suptitle("Each place of a map: the value when the grey square is centred there (dark: low)")
plt.show()
print(
    f"share of the reconstruction under that square: {', '.join(f'{h:.2f}' for h in hits)}; its share of the picture: {size**2 / 128**2:.2f}"
)

# %% [markdown]
# Read the second and third column together. Where the square makes the feature fall, the deconvnet had drawn its pattern: two different methods point to the same place. That is the best evidence for a visualisation that this lesson has to offer.
# Then compare with the fourth column: for some pictures the decision falls at about the same place as the feature, for others also at places that this feature does not need.
#
# To use occlusion as a map of the picture, give each pixel the mean fall of the score over all squares that cover it. That is `occlusion` in the course's package, which you compared with captum in section 5.

# %%
falls = occlusion(model, lab.inputs[shown], lab.targets[shown], 24, 12)
figure, axes = plots.grid(1, 3, ratio=1.08, width=7.5)
for ax, i, fall in zip(axes[0], shown, falls, strict=True):
    ax.imshow(plots.overlay(lab.images[i], fall, signed=True))
    plots.outline(ax, lab.masks[i])
    ax.set_title(f"{lab.class_names[lab.targets[i]]}: up to {fall.max():.1f}", fontsize=10)
figure.suptitle("Covering lowers the score (red) or raises it (blue); the object is outlined")
plt.show()

# %% [markdown]
# ## 10 · Does the network know that two cats have the same ears?
#
# Nobody told the network about parts. Still, the paper asks: if we cover the *same part* in different pictures, do the features change in the same *way*? With $f(x_i)$ the features of picture $i$ and $\tilde x_i$ the picture with the part covered, take the signs of the change, and compare two pictures by the share
# of features whose signs differ (the Hamming distance $\mathcal{H}$):
#
# $$\varepsilon_i = f(x_i) - f(\tilde x_i), \qquad \Delta = \text{mean over pairs } (i, j) \text{ of } \mathcal{H}\big(\operatorname{sign} \varepsilon_i, \operatorname{sign} \varepsilon_j\big).$$
#
# Low means consistent. The paper used five photographs of dogs and covered eyes and noses by hand. Our pictures know their parts, so we can cover a part exactly. Two controls: the same shape at a *random place*, and, stricter, *another part* of the same kind of object.
# And two covers: grey, as in the paper, and the picture itself, blurred so much that the part is gone but no new outline appears.

# %%
PARTS = {
    "cat": ("ear", "tail"),
    "horse": ("mane", "leg"),
    "bird": ("wing", "tail"),
    "fish": ("fin", "tail"),
    "car": ("wheel", "window"),
    "snail": ("shell", "antenna"),
    "mushroom": ("cap", "stem"),
    "ice cream": ("cone", "scoop"),
}
parts_of_bank = torch.from_numpy(bank.parts)
rng = np.random.default_rng(0)


def features_of(inputs):
    """relu5 (mean of each map) and fc6."""
    with torch.no_grad():
        maps = run_to(model, channels_inside(inputs), "relu5")
        return maps.mean(dim=(2, 3)), model.fc6(model.flatten(model.pool5(maps)))


def change_signs(whole, inputs, cover, fill):
    """Signs of the change of the features (`whole`: before) when `cover` (N, H, W) is filled."""
    hidden = features_of(torch.where(cover[:, None], fill, inputs))
    return [(a - b).sign() for a, b in zip(whole, hidden, strict=True)]


def hamming(first, second):
    """Mean over the pairs of two different pictures of the share of signs that differ."""
    distance = (first[:, None] != second[None]).float().mean(dim=2)
    return float(distance[~torch.eye(len(first), dtype=torch.bool)].mean())


groups = {
    f"{way}: {what}": ([], [])
    for way in ("grey", "blurred")
    for what in ("same part", "another part", "random place")
}
for class_name, names in PARTS.items():
    numbers = [lab.part_names.index(n) for n in names]
    visible = torch.stack([(parts_of_bank == n).flatten(1).sum(dim=1) > 60 for n in numbers]).all(dim=0)
    ids = torch.nonzero(visible & (bank_targets == lab.class_names.index(class_name)))[:8, 0]
    if len(ids) < 5:
        print(f"too few pictures of a {class_name} that show both parts: left out")
        continue
    inputs = lab.preprocess(bank.images[ids.numpy()])
    whole_features = features_of(inputs)
    covers = [parts_of_bank[ids] == n for n in numbers]
    moved = [
        torch.stack([torch.roll(m, tuple(rng.integers(30, 98, 2)), (0, 1)) for m in cover])
        for cover in covers
    ]
    for way, fill in (("grey", torch.zeros(())), ("blurred", judge.blur(inputs, 8))):
        signs, strange = (
            [change_signs(whole_features, inputs, cover, fill) for cover in several]
            for several in (covers, moved)
        )
        for level in range(2):
            for n in range(2):
                groups[f"{way}: same part"][level].append(hamming(signs[n][level], signs[n][level]))
                groups[f"{way}: random place"][level].append(hamming(strange[n][level], strange[n][level]))
            groups[f"{way}: another part"][level].append(hamming(signs[0][level], signs[1][level]))

figure, axes = plt.subplots(1, 2, figsize=(10, 3.3))
for level, (ax, title) in enumerate(
    zip(axes, ("layer 5 (mean of each map)", "top layer (fc6)"), strict=True)
):
    plots.score_plot(
        {name: np.array(v[level]) for name, v in groups.items()},
        baselines=[name for name in groups if name.endswith("random place")],
        xlabel="Hamming distance of the signs (low: alike)",
        title=title,
        sort=False,
        xlim=None,
        ax=ax,
    )
plt.show()

# %% [markdown]
# Start with the blurred cover (the lower three rows). Hiding the same part changes the features more alike than hiding a random place: the network reacts to a part in a consistent way. But compare with "another part" as well. Most of the agreement is there for *any* part of
# that kind of object: a hidden part takes evidence for the class away, whatever part it is. The paper had no such control.
#
# Now the grey cover, which the paper used. The gap between "same part" and "random place" shrinks: a grey shape adds the same new outline wherever it lies, and the features react to that in the same way, too. How you take something away is a part of the experiment.

# %% [markdown]
# ## 11 · Which layers does it need?
#
# The paper removes layers and looks at the error. It trains each smaller network anew, which takes too long here, so we ask two cheaper questions.
#
# **Cut the top off.** Keep the first layers frozen, throw away the rest, and train a new small head (one hidden layer) on what is left, for a few seconds, with 450 of the new pictures. The other 150 measure the error.


# %%
def head_error(x, y, x_test, y_test, hidden=96, steps=60):
    """Error of a small head trained on frozen features (N, D)."""
    torch.manual_seed(0)
    mean, spread = x.mean(dim=0), x.std(dim=0) + 1e-3 * x.std()
    head = nn.Sequential(nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Dropout(0.3), nn.Linear(hidden, 10))
    optimizer = torch.optim.Adam(head.parameters(), lr=4e-3, weight_decay=1e-3)
    x, x_test = (x - mean) / spread, (x_test - mean) / spread
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(head(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        return (head.eval()(x_test).argmax(dim=1) != y_test).float()


train, test = slice(0, 450), slice(450, 600)
cut_errors = {}
for n, parts in enumerate(pooled.values(), start=1):
    inputs = torch.cat(parts)
    label = f"layers 1 to {n}, new head" if n > 1 else "layer 1, new head"
    cut_errors[label] = head_error(inputs[train], bank_targets[train], inputs[test], bank_targets[test])
whole = torch.cat(bank_scores)[test].argmax(dim=1) != bank_targets[test]
plots.score_plot(
    cut_errors | {"the whole network as trained": whole.float()},
    sort=False,
    baselines=["the whole network as trained"],
    xlabel="error on 150 new pictures",
    title="Depth pays, layer by layer",
)
plt.show()

# %% [markdown]
# **Take something out and do not mend it.** Remove one layer (`conv4` keeps the shape of its maps, so we can jump over it), or set a random share of a layer's channels to zero.

# %%
modules = dict(model.named_children())
without_four = nn.Sequential(*[m for name, m in modules.items() if name not in ("conv4", "relu4")])


def share_wrong(scores, wanted):
    """The error: the share of pictures whose largest score is not that of the right class."""
    return float((scores.argmax(dim=1) != wanted).float().mean())


with torch.no_grad():
    broken = torch.cat([without_four(channels_inside(part)) for part in lab.inputs.split(20)])
print(
    f"error on the 100 stored scenes: whole network {share_wrong(probabilities, lab.targets):.2f}, without conv4 {share_wrong(broken, lab.targets):.2f}, guessing 0.90"
)

shares = [0.25, 0.5, 0.75]
some, some_targets = lab.inputs[:60], lab.targets[:60]
generator = torch.Generator().manual_seed(0)
figure, ax = plt.subplots(figsize=(7.5, 3.1))
with torch.no_grad():
    maps = channels_inside(some)
    for n, (name, module) in enumerate(modules.items(), start=1):
        maps = module(maps)
        if name not in [*relus, "relu6"]:
            continue
        rest = model[n:]
        curve = [share_wrong(probabilities[:60], some_targets)]  # nothing is switched off yet
        for share in shares:
            keep = torch.rand(maps.shape[1], generator=generator).argsort() >= share * maps.shape[1]
            keep = keep.view(1, -1, *[1] * (maps.ndim - 2))
            curve.append(share_wrong(rest(maps * keep), some_targets))
        ax.plot([0, *shares], curve, "o-", label=name)
ax.set(xlabel="share of the channels set to zero", ylabel="error", ylim=(0, 1))
ax.legend(ncols=2)
ax.set_title("Switching channels off, without training anew", loc="left")
plt.show()

# %% [markdown]
# Two different questions, two different answers. A network that lost a layer *without* training is broken: the next layer gets numbers it has never seen. That says little about whether the layer was needed. Whoever says "layer 4 is important, because the error
# rises without it" should say whether they trained again.

# %% [markdown]
# ## 12 · A look that led to a better network
#
# The authors looked at the first layer of AlexNet and saw two defects: *dead filters*, and *aliasing* from the large stride of 4. They replaced its 11×11 filters at stride 4 by 7×7 filters at stride 2. First look at the filters of our network, which has the improved first layer.

# %%
filters = model.conv1.weight.detach()
strengths = filters.flatten(1).norm(dim=1)
by_strength = strengths.argsort(descending=True)
active = (values["relu1"] > 0).float().mean(dim=0)  # share of the pictures in which a filter answers at all
figure, ax = plt.subplots(figsize=(10, 1.75))
ax.imshow(inside.tiles([inside.as_picture(filters[k], percentile=100) for k in by_strength], columns=16))
plots.bare(ax)
ax.set_title("The 7×7 filters of the trained network, strongest first, each scaled by itself", fontsize=11)
plt.show()
print(
    f"filters weaker than a tenth of the strongest: {int((strengths < 0.1 * strengths.max()).sum())} of {len(filters)}; never active on {len(bank.images)} pictures: {int((active == 0).sum())}"
)

# %% [markdown]
# ### What aliasing is
#
# Take one filter that likes fine stripes (five pixels from one to the next), and a test picture whose stripes get finer from the middle outwards. The filter likes stripes of one direction, so it should answer on two arcs where the stripes have its width. A stride of 4 looks only at each fourth place. Stripes of five pixels then seem to be *broad* stripes: a pattern that is not in
# the picture.

# %%
ramp = torch.arange(192) - 95.5
radius = torch.hypot(ramp[:, None], ramp[None])
rings = torch.cos(np.pi * radius**2 * 0.25 / 95.5)  # 0.25 waves a pixel at the border
stripes = torch.cos(2 * np.pi * 0.2 * (torch.arange(11) - 5.0))
bump = torch.exp(-((torch.arange(11) - 5.0) ** 2) / 8)
gabor = (bump[:, None] * (bump * (stripes - (stripes * bump).sum() / bump.sum()))[None])[None, None]
figure, axes = plots.grid(1, 4, ratio=1.08)
axes[0, 0].imshow(rings, cmap="gray")
axes[0, 0].set_title("stripes, finer and finer", fontsize=10)
for ax, s in zip(axes[0, 1:], (1, 2, 4), strict=True):
    answer = F.conv2d(rings[None, None], gabor, stride=s)[0, 0]
    ax.imshow(answer, cmap=plots.DIVERGING, vmin=-answer.abs().max(), vmax=answer.abs().max())
    ax.set_title(f"the filter's answer, stride {s}", fontsize=10)
plt.show()

# %% [markdown]
# At stride 1 the answer has fine stripes. At stride 2 they are just kept, in principle: near the border they come close to the limit of 4 pixels, and so few samples a wave already look like broad circles to the eye. At stride 4 broad stripes appear that are not there: that is aliasing, and no later layer can undo it.
#
# How much of it would there be in our trained network? Compute the answers of its filters at stride 1 and look at their frequencies. A stride of $s$ can keep waves of at least $2s$ pixels; everything finer comes out as something else.


# %%
def aliased_share(convolution, inputs, stride):
    """Share of the power of the answers, at stride 1, in waves that are too fine for a stride."""
    with torch.no_grad():
        answer = F.conv2d(inputs, convolution.weight, padding=convolution.padding)
        power = torch.fft.fft2(answer - answer.mean(dim=(2, 3), keepdim=True)).abs() ** 2
    rows, columns = (torch.fft.fftfreq(n).abs() for n in answer.shape[2:])
    too_fine = torch.maximum(rows[:, None], columns[None]) > 1 / (2 * stride)
    return float((power * too_fine).sum() / power.sum())


for s in (2, 4):
    share = aliased_share(model.conv1, lab.inputs[:20], s)
    print(f"the trained 7×7 filters at stride {s}: {share:.0%} of the answer's power is too fine for it")

# %% [markdown]
# ### Before and after, trained
#
# Two tiny networks, the same but for the first layer: 11×11 at stride 4 (as AlexNet) and 7×7 at stride 2 (as ZF-Net). Each is trained for a few seconds on the same pictures, at half their size. Then shift the pictures by a few pixels and see how much the pooled output of the first layer changes.


# %%
def tiny_network(size, stride, n_filters=16):
    """For 64×64 pixels: first layer, pooling to maps of 8×8, one more convolution, a linear layer."""
    torch.manual_seed(0)
    pool = nn.MaxPool2d(8 // stride + 1, 8 // stride, padding=4 // stride)
    first = nn.Sequential(
        nn.Conv2d(3, n_filters, size, stride, padding=size // 2), nn.BatchNorm2d(n_filters), nn.ReLU(), pool
    )
    rest = nn.Sequential(
        nn.Conv2d(n_filters, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(512, 10),
    )
    return nn.Sequential(first, rest)


def train_briefly(network, inputs, targets, epochs=12):
    """Adam, batches of 30."""
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for epoch in range(epochs):
        for ids in torch.randperm(len(inputs), generator=torch.Generator().manual_seed(epoch)).split(30):
            optimizer.zero_grad()
            F.cross_entropy(network(inputs[ids]), targets[ids]).backward()
            optimizer.step()
    return network.eval()


small = torch.cat(
    [F.avg_pool2d(lab.preprocess(part), 2) for part in np.array_split(bank.images, 9)]
)  # half the size, to save time


stems = {"11×11, stride 4": (11, 4), "7×7, stride 2": (7, 2)}
trained = {
    name: train_briefly(tiny_network(*how), small[train], bank_targets[train]) for name, how in stems.items()
}
amounts = np.arange(0, 9)
moved = [transformed(small[test][:60], shift=float(a)) for a in amounts]
figure, axes = plt.subplots(1, 3, figsize=(10, 3), width_ratios=(1, 1, 1.3))
with torch.no_grad():
    for ax, (name, network) in zip(axes, trained.items(), strict=False):
        filters = network[0][0].weight
        lengths = filters.flatten(1).norm(dim=1)
        ax.imshow(
            inside.tiles(
                [inside.as_picture(f, 100) for f in filters[lengths.argsort(descending=True)]], columns=4
            )
        )
        plots.bare(ax)
        ax.set_title(name, fontsize=11)
        still, *shifted = (network[0](v).flatten(1) for v in moved)
        changed = [0.0, *(float(((v - still).norm(dim=1) / still.norm(dim=1)).mean()) for v in shifted)]
        axes[2].plot(amounts, changed, "o-", label=name)
        error = (network(small[test]).argmax(dim=1) != bank_targets[test]).float().mean()
        dead = int((network[0](small[test]).amax(dim=(0, 2, 3)) <= 0).sum())
        print(
            f"{name}: error {error:.2f} on {len(bank_targets[test])} pictures, dead filters {dead} of {len(filters)}"
        )
axes[2].set(xlabel="shift (pixels)", ylabel="change of the first layer", ylim=(0, None))
axes[2].legend()
plt.show()

# %% [markdown]
# The curves on the right are a warning. One might expect that less aliasing means less change under a shift. These curves do not show it: they lie close together. Perhaps the smaller filters also look at finer detail, which changes faster and cancels the gain; we have not measured that, and after so short a training both networks make mostly errors (their filters still look like noise). A plausible story about a defect is not yet a measurement of it.
#
# Dead filters did not appear. They may come from long training at a high learning rate, and this was one seed and a few seconds. The error after so short a training says nothing about which network would win in the end.
#
# The lasting point is another one. The authors found these defects by looking, changed the network, and won: that is what a visualisation is for.

# %% [markdown]
# ## 13 · The score
#
# Now ask the maps a question that has an answer. On 50 stored scenes: how much of the map's mass lies on the object (*energy*), and does its maximum lie on it (*pointing game*)? Maps with a sign enter with their absolute value, the largest over the colours; of the occlusion map we take the positive part. Beside them are three maps
# that know nothing about the network.

# %%
pictures, asked, truth = lab.inputs[:50], lab.targets[:50], lab.masks[:50]


def class_deconvnet(model, x, target):
    """The deconvnet from the class scores, twenty pictures at a time to save memory."""
    pieces = zip(x.split(20), target.split(20), strict=True)
    return torch.cat([deconvnet(model, some, "fc7", classes) for some, classes in pieces])


def flat(maps):
    """Signed maps (N, 3, H, W) as one magnitude a pixel (N, H, W)."""
    return maps.abs().amax(dim=1)


candidates = {
    "plain gradient": saliency(model, pictures, asked).amax(dim=1),
    "deconvnet": flat(class_deconvnet(model, pictures, asked)),
    "guided backprop": flat(guided_backprop(model, pictures, asked)),
    "occlusion": occlusion(model, pictures, asked, 32, 24).clamp(min=0),
}
knows_nothing = {
    "edges (Sobel)": judge.baselines.sobel(pictures),
    "centre": judge.baselines.center(pictures),
    "random": judge.baselines.random(pictures),
}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for ax, (label, measure) in zip(
    axes,
    {"energy on the object": judge.energy_in_mask, "pointing game": judge.pointing_game}.items(),
    strict=True,
):
    plots.score_plot(
        {name: measure(heat, truth) for name, heat in (candidates | knows_nothing).items()},
        baselines=list(knows_nothing),
        xlabel=label,
        ax=ax,
    )
figure.suptitle(f"{len(truth)} scenes with one object (bars: 95 % bootstrap interval)")
plt.show()

# %% [markdown]
# Compare each method with the grey squares before you compare them with each other. By energy, guided backpropagation and occlusion beat the edge filter clearly, the plain gradient ties with it, and the deconvnet lies below it. By the pointing game no method clearly beats it, perhaps because drawn objects have the hardest edges. A method that does not beat the edge filter may be one. And these scenes have a single object: whether a map follows the *question* cannot be seen here. That is the next test.

# %% [markdown]
# ## 14 · The real thing
#
# The same functions on MobileNetV2 (ImageNet) and photographs. Occlusion with a grey square needs one forward pass for each place; guided backpropagation needs one forward and one backward pass.

# %%
try:
    with contextlib.redirect_stdout(io.StringIO()):
        photos = load_lab("photos")
except LabUnavailable as error:
    photos = None
    print(str(error).split(". ")[0] + ".")

if photos is not None:
    n = 2
    photo_inputs, photo_targets = photos.inputs[:n], photos.targets[:n]
    chances = photos.predict(photos.images[:n])
    photo_occlusion = occlusion(photos.model, photo_inputs, photo_targets, 56, 28)
    photo_guided = guided_backprop(photos.model, photo_inputs, photo_targets)
    figure, axes = plots.grid(n, 4, ratio=1.02)
    for i in range(n):
        axes[i, 0].imshow(photos.images[i])
        axes[i, 0].set_ylabel(
            f"{photos.class_names[int(photo_targets[i])]}: {chances[i, int(photo_targets[i])]:.2f}",
            fontsize=10,
        )
        axes[i, 1].imshow(plots.overlay(photos.images[i], photo_occlusion[i], signed=True))
        axes[i, 2].imshow(inside.as_picture(photo_guided[i]))
        axes[i, 3].imshow(plots.overlay(photos.images[i], flat(photo_guided)[i]))
    for ax, title in zip(
        axes[0],
        (
            "photograph",
            "occlusion: for (red), against (blue)",
            "guided backprop",
            "guided backprop, magnitude",
        ),
        strict=True,
    ):
        ax.set_title(title, fontsize=10)
    figure.suptitle("MobileNetV2 (ImageNet) on photographs that come with scikit-image")
    plt.show()

# %% [markdown]
# MobileNetV2 adds layers together (residual connections) and uses a clipped ReLU. A deconvnet in the paper's sense needs a plain chain; `squeezenet1_1` is close to one, and torchvision has it. If its weights are on your machine, you see its strongest feature here:

# %%
try:
    with contextlib.redirect_stdout(io.StringIO()):  # torchvision announces each download
        squeeze = load_lab("photos", model="squeezenet1_1")
except LabUnavailable as error:
    squeeze = None
    print(str(error).split(". ")[0] + ".")

if squeeze is not None:
    with torch.no_grad():
        maps = squeeze.model.features(squeeze.inputs[:2])
    best = maps.amax(dim=(2, 3)).argmax(dim=1)
    back = deconvnet(squeeze.model, squeeze.inputs[:2], "features", best)
    plots.show_images(
        [picture for i in range(2) for picture in (squeeze.images[i] / 255, inside.as_picture(back[i]))],
        [title for k in best.tolist() for title in ("photograph", f"feature {k} of the last layer")],
        title="SqueezeNet 1.1 (ImageNet), deconvnet",
    )
    plt.show()

# %% [markdown]
# ## 15 · Where it breaks
#
# ### Card 1, the one that matters: does the map depend on the network, and on the question?
#
# First test (Adebayo and others, 2018). Draw new random weights for the last layer, then for more and more layers from the top. If a map explains what the network has *learnt*, it must change. We compare with the map of the trained network by rank correlation: 1 means the same order of pixels, 0 means nothing in common.

# %%
sample, sample_target = lab.inputs[:6], lab.targets[:6]
tested = {
    "plain gradient": lambda m, x, t: saliency(m, x, t).amax(dim=1),
    "deconvnet": lambda m, x, t: flat(class_deconvnet(m, x, t)),
    "guided backprop": lambda m, x, t: flat(guided_backprop(m, x, t)),
}
original = {name: method(model, sample, sample_target) for name, method in tested.items()}
curves, steps = {name: [1.0] for name in tested}, ["trained"]
for layer_name, randomised in judge.randomize_cascade(model):
    steps.append(layer_name)
    for name, method in tested.items():
        curves[name].append(
            judge.rank_correlation(method(randomised, sample, sample_target), original[name]).mean().item()
        )

edges = judge.baselines.sobel(sample)
figure, ax = plt.subplots(figsize=(8.5, 3.3))
for name, curve in curves.items():
    ax.plot(curve, "o-", label=name)
ax.set_xticks(range(len(steps)), steps)
ax.set(
    xlabel="random weights from the top down to …",
    ylabel="rank correlation with the\ntrained network's map",
    ylim=(-0.1, 1.04),
)
ax.legend()
plt.show()
for name, curve in curves.items():
    like_edges = judge.rank_correlation(original[name], edges).mean()
    print(
        f"{name:>16}: {curve[1]:.2f} with a random last layer, {curve[2]:.2f} with two random layers; likeness with an edge filter {like_edges:.2f}"
    )

# %% [markdown]
# Second test: ask about something else. In the scenes with two objects, make the map for the first object and for the second. A map that answers the question must have more of its mass on the object that was asked for than on the other one.

# %%
pairs = load_lab("scenes", model="zfnet", n_objects=2)
n_pairs = 30
both = pairs.inputs[:n_pairs].repeat_interleave(2, dim=0)
questions = pairs.targets[:n_pairs].flatten()
asked_masks = pairs.masks[:n_pairs]
on_asked, on_other = asked_masks.flatten(0, 1), asked_masks.flip(1).flatten(0, 1)
asked_maps = {name: method(model, both, questions) for name, method in tested.items()}
asked_maps["edges (Sobel)"] = judge.baselines.sobel(both)
figure, axes = plt.subplots(1, 2, figsize=(10, 2.6))
shift_of_mass, same = {}, {}
for name, heat in asked_maps.items():
    here, there = judge.energy_in_mask(heat, on_asked), judge.energy_in_mask(heat, on_other)
    shift_of_mass[name] = here / (here + there)
    same[name] = judge.rank_correlation(heat[0::2], heat[1::2])
plots.score_plot(
    shift_of_mass,
    baselines=["edges (Sobel)"],
    sort=False,
    xlabel="share on the asked-for object (0.5: no answer)",
    xlim=(0.3, 1.0),
    ax=axes[0],
)
plots.score_plot(
    same, baselines=["edges (Sobel)"], sort=False, xlabel="rank correlation of the two maps", ax=axes[1]
)
figure.suptitle(f"{n_pairs} scenes with two objects, both asked for")
plt.show()

# %% [markdown]
# And the puzzle from the start: **C** is the trained network and the right class, **A** the trained network asked for another class, **B** the network with two random layers. By numbers:

# %%
as_maps = {name: flat(m) for name, m in puzzle.items()}
for name, why in (("A", "another class"), ("B", "two layers random")):
    print(
        f"{name} ({why}): rank correlation with C {judge.rank_correlation(as_maps[name], as_maps['C']).item():.2f}"
    )

# %% [markdown]
# Guided backpropagation is the clearest case: its curve stays near 1 while the upper layers are random, and its two maps for two questions are almost the same map. The deconvnet moves somewhat more, but what remains is still far from "another network, another map".
# The plain gradient is no hero either on these pictures. None of the three puts much more of its mass on the object that was asked for.
#
# Why? Each ReLU of the two changed rules lets only the positive part of the signal pass. After a few layers nearly everything that is left is positive, whatever the start was. So the start, which holds the class and the top weights, has little say, and the lower layers and the picture decide. Nie and others (2018) showed that both methods then (partially)
# restore the picture.
#
# So use them for what they were made for: to see *one feature*. Do not use them to argue why a class won.
#
# ### Card 2: a ReLU that is not a module
#
# The rule hangs on modules. If a network calls `torch.relu` or `F.relu`, there is nothing to hang it on. captum then quietly returns the plain gradient. The course's function refuses.


# %%
class WithFunction(nn.Module):
    """The same network, but its last ReLU is a function call."""

    def __init__(self, network):
        super().__init__()
        self.body, self.last = network[:-2], network[-1]

    def forward(self, x):
        return self.last(torch.relu(self.body(x)))


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    half_guided = GuidedBackprop(WithFunction(model)).attribute(batch, target)
print("same scores:", torch.allclose(WithFunction(model)(batch), model(batch)))
print(
    f"captum, one ReLU missed: the map differs from the right one by up to {(half_guided - captum_guided).abs().max() / captum_guided.abs().max():.0%} of its largest value, without a warning"
)
try:
    guided_backprop(WithFunction(model), batch, target)
except ValueError as error:
    print("course_utils:", error)

# %% [markdown]
# ### Card 3: who draws the picture, the activation or the switches?
#
# The switches are a record of the picture itself. So how much of a reconstruction is theirs? Take the maps of `relu5` from one picture, and send them back with the switches of *another*. If the result shows the other picture, the switches have drawn it.


# %%
def with_switches_of(model, switch_picture, signal, layer):
    """Send a signal at a layer back, but with the switches (and the sizes) of another picture."""
    leaf = switch_picture.clone().requires_grad_()
    handles = [
        m.register_full_backward_hook(lambda module, old, g: (g[0].clamp(min=0),))
        for m in model
        if isinstance(m, nn.ReLU)
    ]
    try:
        return torch.autograd.grad(run_to(model, leaf, layer), leaf, signal)[0]
    finally:
        for handle in handles:
            handle.remove()


first, second = lab.inputs[shown[0] : shown[0] + 1], lab.inputs[shown[1] : shown[1] + 1]
with torch.no_grad():
    own_maps, strange_maps = run_to(model, first, "relu5"), run_to(model, second, "relu5")
crossed = {
    "activation 1, switches 1": with_switches_of(model, first, own_maps, "relu5"),
    "activation 1, switches 2": with_switches_of(model, second, own_maps, "relu5"),
    "activation 2, switches 2": with_switches_of(model, second, strange_maps, "relu5"),
}
plots.show_images(
    [
        lab.images[shown[0]] / 255,
        *(inside.as_picture(v[0]) for v in crossed.values()),
        lab.images[shown[1]] / 255,
    ],
    ["picture 1", *crossed, "picture 2"],
    columns=5,
)
plt.show()
middle = flat(crossed["activation 1, switches 2"])
for name in ("activation 1, switches 1", "activation 2, switches 2"):
    print(
        f"rank correlation of the crossed one with “{name}”: {judge.rank_correlation(middle, flat(crossed[name])).item():.2f}"
    )

# %% [markdown]
# The larger of the two numbers tells who drew more. *Where* the pattern lies, and roughly what it is, comes from the activation. What the switches add is the exact place of each edge: with foreign ones the outline is smeared. So the crispness of a reconstruction is in good part
# a copy of the picture; its content need not be.
#
# ### Card 4: the grey square is a thing, too
#
# Occlusion asks what happens when something is *not there*, but a grey, black or white square is very much there, and the network may take it for a part of some object. The same picture with three colours of the square:

# %%
fills = {"black (−1)": -1.0, "white (+1)": 1.0}
three_pictures = lab.inputs[shown], lab.targets[shown]
by_fill = {"grey (0)": falls}  # from section 9
for name, value in fills.items():
    by_fill[name] = occlusion(model, *three_pictures, 24, 12, baseline=value)
plots.show_maps(
    list(lab.images[shown[:2]]),
    {name: m[:2] for name, m in by_fill.items()},
    signed=True,
    width=7,
    title="Occlusion with squares of three colours",
)
plt.show()
for name in fills:
    print(
        f"{name}: rank correlation with grey {judge.rank_correlation(by_fill[name], by_fill['grey (0)']).mean().item():.2f}"
    )

# %% [markdown]
# ## 16 · Exercises
#
# Replace the dots with your code and run the cell with the check. `exercises.relu_signal.hint()` gives you one hint at a time; the solution is folded below each check.

# %% [markdown]
# ### Exercise 1: three rules
#
# Write the table of section 4 as code. `rule` is `"gradient"`, `"deconvnet"` or `"guided"`.


# %% exercise="relu_signal"
def relu_signal(signal, x, rule):
    """What passes a ReLU on the way back, from the signal and the ReLU's input `x`, both of one shape."""
    # BEGIN SOLUTION
    if rule == "gradient":
        return signal * (x > 0)
    if rule == "deconvnet":
        return signal.clamp(min=0)
    return signal.clamp(min=0) * (x > 0)
    # END SOLUTION


# %%
exercises.relu_signal.check(relu_signal)

# %% [markdown]
# ### Exercise 2: unpooling that adds
#
# Without looking at section 3: write the unpooling that agrees with the backward pass when windows overlap.


# %% exercise="adding_unpool"
def adding_unpool(signal, switches, size):
    """Maps (N, K, H, W) from a signal and its switches (N, K, h, w); size = (H, W). A switch counts pixels row by row."""
    # BEGIN SOLUTION
    height, width = size
    flat = torch.zeros(*signal.shape[:2], height * width)
    flat = flat.scatter_add(2, switches.flatten(2), signal.flatten(2))
    return flat.view(*signal.shape[:2], height, width)
    # END SOLUTION


# %%
exercises.adding_unpool.check(adding_unpool)

# %% [markdown]
# ### Exercise 3: occlusion
#
# Cover a square with zeros at each place (rows and columns `0, stride, 2·stride, …` as long as the square fits), and return how far the score of the class falls.


# %% exercise="occlusion_scores"
def occlusion_scores(model, inputs, target, size, stride):
    """Score of the whole picture minus score of the covered one, (N, rows, columns); `target` is one class index."""
    # BEGIN SOLUTION
    with torch.no_grad():
        full = model(inputs)[:, target]
        rows = []
        for top in range(0, inputs.shape[2] - size + 1, stride):
            row = []
            for left in range(0, inputs.shape[3] - size + 1, stride):
                hidden = inputs.clone()
                hidden[:, :, top : top + size, left : left + size] = 0
                row.append(full - model(hidden)[:, target])
            rows.append(torch.stack(row, dim=1))
    return torch.stack(rows, dim=1)
    # END SOLUTION


# %%
exercises.occlusion_scores.check(occlusion_scores)

# %% [markdown]
# ### Exercise 4: predict, then run
#
# Before you look at the numbers under the figure of section 8: which of the layers `relu1` to `relu6` changes least when the picture is shifted by 8 pixels? Write its name, then run the check. It computes the right answer from *your* run.

# %% exercise="most_stable_layer"
answer = None  # for example "relu3"
# BEGIN SOLUTION
answer = min(changes, key=changes.get)
# END SOLUTION

# %%
exercises.most_stable_layer.check(answer, changes)

# %% [markdown]
# ### Exercise 5: find the bug
#
# This function should return the gradient of the class *score* for each picture. It is copied from one tutorial to the next, it runs, and its maps look good. Change it so that it explains the class, and so that a picture's map does not depend on the other pictures in the batch.


# %% exercise="score_gradient"
def score_gradient(model, inputs, target):
    """The gradient (N, C, H, W) of each picture's score for the class `target` (an int)."""
    # BEGIN STUB
    # inputs = inputs.clone().requires_grad_()
    # outputs = model(inputs)
    # loss = F.cross_entropy(outputs, torch.full((len(inputs),), target))
    # loss.backward()
    # return inputs.grad
    # END STUB
    # BEGIN SOLUTION
    inputs = inputs.clone().requires_grad_()
    score = model(inputs)[:, target].sum()  # each score depends on its own picture only
    return torch.autograd.grad(score, inputs)[0]
    # END SOLUTION


# %%
exercises.score_gradient.check(score_gradient)

# %% [markdown]
# ## 17 · Play
#
# Choose a picture, a layer and a feature. You see where the feature is active, the switches of the pooling that the signal passes first (dots: the places that a window chose as its maximum), and the reconstruction of its strongest activation. With the keyboard: Tab moves between the controls, the arrow keys change a value.

# %%
NEXT_POOLING = {
    "relu1": ("pool1", "relu1"),
    "relu2": ("pool1", "relu1"),
    "relu3": ("pool2", "relu2"),
    "relu4": ("pool2", "relu2"),
    "relu5": ("pool2", "relu2"),
}


def look_inside(picture, layer, feature):
    """Picture, activation, switches and reconstruction in a row."""
    x = lab.inputs[picture : picture + 1]
    size, jump = inside.receptive_field(model, layer)
    with torch.no_grad():
        maps = run_to(model, x, layer)
        feature = min(feature, maps.shape[1] - 1)
        pool, below = NEXT_POOLING[layer]
        source = run_to(model, x, below)
        pooled_values, switches = F.max_pool2d(source, 3, 2, 1, return_indices=True)
        carrier = feature
        if layer != below:  # the map below that carries most of the signal
            signals = by_unpooling(model, x, layer, feature)
            arriving = next(s for s in signals if s.shape[1:] == pooled_values.shape[1:])
            carrier = int(arriving.clamp(min=0).sum(dim=(0, 2, 3)).argmax())
    heat = maps[0, feature]
    place = divmod(int(heat.argmax()), heat.shape[1])
    figure, axes = plots.grid(1, 4, ratio=1.12)
    axes[0, 0].imshow(lab.images[picture])
    inside.frame(axes[0, 0], place, size, jump)
    axes[0, 0].set(title="picture, with what the place sees", xlim=(-0.5, 127.5), ylim=(127.5, -0.5))
    plots.show_heat(axes[0, 1], heat, title=f"{layer}, feature {feature}: up to {heat.max():.2f}")
    axes[0, 1].plot(place[1], place[0], "o", mfc="none", mec="white", ms=9)
    plots.show_heat(axes[0, 2], source[0, carrier], title=f"switches of {pool}, map {carrier}")
    used = switches[0, carrier][pooled_values[0, carrier] > 0].unique()
    axes[0, 2].plot(used % source.shape[-1], used // source.shape[-1], ".", color="#56b4e9", ms=2.5)
    axes[0, 3].imshow(inside.as_picture(deconvnet(model, x, layer, feature)[0]))
    axes[0, 3].set_title("reconstruction", fontsize=10)
    axes[0, 0].title.set_fontsize(10)
    plt.show()


widgets.explore(
    look_inside,
    picture=widgets.slider("picture", 0, len(lab.images) - 1, scene),
    layer=widgets.choice("layer", relus, "relu5"),
    feature=widgets.slider("feature", 0, 95, channel),
)

# %% [markdown]
# The same as a still picture, for an early and a late feature.

# %%
look_inside(scene, "relu2", chosen["relu2"][0])
look_inside(scene, "relu5", channel)

# %% [markdown]
# ### One number at a time
#
# The second explorer goes through the first layer for a single place, in three steps, with all the numbers visible: convolution, ReLU, max pooling. Choose the step, the filter, the place in the pooled map, and which of the three colours to show.


# %%
def one_place(picture, step, filter_number, row, column, colour):
    """The numbers behind one place of the pooled map of the first layer."""
    x = lab.inputs[picture : picture + 1]
    with torch.no_grad():
        z = model.conv1(x)[0, filter_number]
        a = torch.relu(z)
        pooled_map, switch = F.max_pool2d(a[None], 3, 2, 1, return_indices=True)
    r, c = divmod(int(switch[0, row, column]), a.shape[1])  # the place in the window that won
    channel = ("red", "green", "blue").index(colour)
    window = F.pad(x[0], (3, 3, 3, 3))[:, 2 * r : 2 * r + 7, 2 * c : 2 * c + 7]
    weights, bias = (
        model.conv1.weight.detach()[filter_number],
        model.conv1.bias.detach()[filter_number].item(),
    )
    sums = (window * weights).sum(dim=(1, 2)).tolist()

    figure, axes = plt.subplots(1, 4, figsize=(10, 2.95))
    axes[0].imshow(lab.images[picture])
    if step == "1 convolution":
        inside.frame(axes[0], (r, c), 7, 2)
        inside.numbers(axes[1], window[channel], f"pixels, {colour} (−1 … 1)", fontsize=6.5)
        inside.numbers(
            axes[2], weights[channel], f"filter {filter_number}, {colour}", decimals=2, fontsize=5.5
        )
        inside.numbers(
            axes[3],
            window[channel] * weights[channel],
            f"product: adds up to {sums[channel]:.2f}",
            decimals=2,
            fontsize=5.5,
        )
        text = f"red {sums[0]:+.2f}, green {sums[1]:+.2f}, blue {sums[2]:+.2f}, bias {bias:+.2f}: together z = {z[r, c]:+.2f} at ({r}, {c})"
    else:
        inside.frame(axes[0], (row, column), 11, 4)
        top, left = 2 * row - 1, 2 * column - 1
        cut = [
            F.pad(v[None, None], (1, 1, 1, 1), value=0)[0, 0, top + 1 : top + 4, left + 1 : left + 4]
            for v in (z, a)
        ]
        won = [(r - top, c - left)]
        if step == "2 ReLU":
            inside.numbers(axes[1], cut[0], "z: after the convolution", decimals=2, fontsize=10, marked=won)
            inside.numbers(axes[2], cut[1], "a = max(0, z)", decimals=2, fontsize=10, marked=won)
            plots.show_heat(axes[3], a, title=f"the whole map a of filter {filter_number}")
            text = f"at ({r}, {c}): z = {z[r, c]:+.2f} becomes a = {a[r, c]:.2f}"
        else:
            inside.numbers(axes[1], cut[1], "a: one window of 3×3", decimals=2, fontsize=10, marked=won)
            inside.numbers(
                axes[2],
                pooled_map[0, row : row + 1, column : column + 1],
                "its maximum p",
                decimals=2,
                fontsize=14,
            )
            plots.show_heat(axes[3], pooled_map[0], title="the whole pooled map")
            axes[3].plot(column, row, "s", mfc="none", mec="white", ms=7)
            text = f"p = {pooled_map[0, row, column]:.2f}; the switch remembers the place ({r}, {c})"
    plots.bare(axes[0])
    axes[0].set(xlim=(-0.5, 127.5), ylim=(127.5, -0.5))
    axes[0].set_title("picture, framed: what is used", fontsize=10)
    figure.suptitle(f"{step}: {text}", fontsize=11)
    plt.show()


with torch.no_grad():
    start_filter = int(by_strength[0])
    response = model.pool1(model.relu1(model.conv1(x)))[0, start_filter]
start_row, start_column = divmod(int(response[2:-2, 2:-2].argmax()), response.shape[1] - 4)
start_row, start_column = start_row + 2, start_column + 2

widgets.explore(
    one_place,
    picture=widgets.slider("picture", 0, len(lab.images) - 1, scene),
    step=widgets.choice("step", ["1 convolution", "2 ReLU", "3 max pooling"]),
    filter_number=widgets.slider("filter", 0, 31, start_filter),
    row=widgets.slider("row", 0, 31, start_row),
    column=widgets.slider("column", 0, 31, start_column),
    colour=widgets.choice("colour", ["red", "green", "blue"]),
)

# %% [markdown]
# All three steps for one place:

# %%
for step in ("1 convolution", "2 ReLU", "3 max pooling"):
    one_place(scene, step, start_filter, start_row, start_column, "green")

# %% [markdown]
# ## 18 · The paper in ten questions
#
# M. D. Zeiler, R. Fergus: *Visualizing and Understanding Convolutional Networks* (ECCV 2014; first online in 2013).
#
# 1. **Which problem?** Convolutional networks had won ImageNet, and nobody could say why they work or how to make them better.
# 2. **Is it new?** Earlier work showed the first layer, or optimised an input for a unit. Here a feature of *any* layer is shown for real pictures.
# 3. **Which hypothesis?** The pattern that excites a feature can be found by sending its activation back through the layers, and looking at it helps to design networks.
# 4. **Related work, and who?** Deconvolutional networks (Zeiler and others, 2011), AlexNet (Krizhevsky and others, 2012), gradients as maps (Simonyan and others, 2014, at the same time). Both authors worked at New York University.
# 5. **The key idea?** Switches make max pooling invertible enough; the rest is filtering with transposed weights.
# 6. **Which experiments?** Strongest features and patches, their growth in training, invariance, a repaired first layer, occlusion, correspondence of parts, ablation, and transfer of the features to other data sets.
# 7. **Data and code?** ImageNet, Caltech-101 and 256, PASCAL VOC. Networks of this kind, with weights, are in all libraries today.
# 8. **Do the results support it?** For features: yes, and occlusion confirms it independently. That the pictures explain a *decision* was not tested; later work showed that they hardly depend on it. The test of correspondence used five dogs.
# 9. **What did it contribute?** The habit of looking inside, occlusion as a test, and a network that improved on AlexNet because of what its authors saw.
# 10. **What next?** Guided backpropagation (2015), maps of a class (CAM and Grad-CAM: lessons 03 and 04), features that are optimised instead of found, and tests of maps (lesson 12).

# %% [markdown]
# ## 19 · Recap
#
# - Deconvnet = keep one activation, then unpool with switches, rectify, filter with the transposed weights, down to the pixels.
# - It is a backward pass with another rule at the ReLU. With overlapping pooling the drawn version overwrites what the backward pass adds up.
# - Nine strongest pictures with reconstructions show what a feature likes. They are chosen pictures, and a part of their sharpness comes from the switches.
# - Occlusion tests what a reconstruction suggests. The square's colour matters.
# - From the class score, guided backpropagation (and, less so, the deconvnet) hardly depends on the class or on the top layers. Use both for features, not for decisions.
# - Next: **03 · CAM**, a map that does depend on the class.
#
# **References**
# - [Zeiler and Fergus, 2014: Visualizing and understanding convolutional networks](https://arxiv.org/abs/1311.2901)
# - [Simonyan and others, 2014: Deep inside convolutional networks](https://arxiv.org/abs/1312.6034)
# - [Springenberg and others, 2015: Striving for simplicity (guided backpropagation)](https://arxiv.org/abs/1412.6806)
# - [Nie and others, 2018: A theoretical explanation for perplexing behaviors of backpropagation-based visualizations](https://arxiv.org/abs/1805.07039)
# - [Adebayo and others, 2018: Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292)
# - [Wang and others, 2020: CNN Explainer](https://arxiv.org/abs/2004.15004)
