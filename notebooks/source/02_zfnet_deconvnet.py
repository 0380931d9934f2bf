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
# - bring one number of any layer back to the pixels, once step by step and once as a backward pass;
# - say why the two differ where pooling windows overlap, and make them equal;
# - tell the plain gradient, the deconvnet and guided backpropagation apart by one line of code;
# - find what a channel reacts to, and test whether its reconstruction depends on the channel, the place or the picture;
# - show with three tests that a clear map may say little about a network's decision.
#
# **Time**: about <!-- minutes --> minutes. **Before**: you can read a PyTorch module and know what a convolution, a ReLU and max pooling do.
#
# The first cell loads what several sections use. A [*lab*](glossary.md#lab) is a trained model together with pictures and the truth about them: we drew the pictures, so we know which pixel belongs to
# the object. `judge` scores maps against that truth, `plots` and `inside` draw. `RELUS` holds the names of the five ReLUs that follow a convolution; `magnitude` takes the largest absolute value of a pixel's three colours.

# %%
from functools import partial

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import judge
from course_utils.exercises import l02_zfnet_deconvnet as exercises
from course_utils.labs import load_lab
from course_utils.lessons.l02_zfnet_deconvnet import RELUS, magnitude, run_to
from course_utils.methods.deconvnet import deconvnet, guided_backprop
from course_utils.teach import inside, plots, widgets

lab = load_lab("scenes", model="zfnet")
model, scene = lab.model, 1  # picture number 1 shows a cat
x = lab.inputs[scene : scene + 1]

# %% tags=["hide-input"]
import warnings

warnings.filterwarnings("ignore", module="captum")  # it announces each hook that it sets

# %% [markdown]
# ## 1 · A puzzle: three clear explanations
#
# A network was trained on drawn objects. Below is one picture, and three maps of a method that you will build in this lesson: *guided backpropagation*. Each map should show which pixels speak for a class. Grey is zero.
#
# One map was made for the right class, cat. One was made for *another* class. And for one, the two last layers of the network were first filled with *random numbers*. Which is which? (The cell is folded: its code gives the answer.)

# %% tags=["hide-input"]
cat = lab.class_names.index("cat")
other = int(lab.predict(lab.images[scene : scene + 1])[0].argsort()[-2])  # the second most probable class
cascade = judge.randomize_cascade(model)
next(cascade)  # the last layer is random
_, half_random = next(cascade)  # the last two are
puzzle = {
    "A": guided_backprop(model, x, other),
    "B": guided_backprop(half_random, x, cat),
    "C": guided_backprop(model, x, cat),
}
plots.show_images(
    [lab.images[scene] / 255, *(inside.as_picture(maps[0]) for maps in puzzle.values())],
    ["picture", *puzzle],
    title="Which of the maps explains why the network says “cat”?",
)
plots.show("A drawn cat and three grey maps, A, B and C. All three show the same outline of the cat.")

# %% [markdown]
# If you cannot decide, you have understood the problem: a map can be sharp, can show the right object, and can still say very little about the decision. Section 8 gives the answer, with a measurement.
# First build the method. Then ask it about single channels inside the network, as its authors did, and put it to the same test.

# %% [markdown]
# ## 2 · The idea: send one activation back
#
# The network is modelled after ZF-Net (Zeiler and Fergus, 2014), only smaller. It is a plain chain of convolutions, ReLUs and max poolings. Five words for the whole lesson:
# - The output of a layer is a stack of *maps*, one for each *channel*.
# - One number in a map is an *activation*. Channel $k$ at the place $(i, j)$ looks at one square of the picture.
# - The pattern that a channel reacts to is its *feature*.
# - What we send backwards is the *signal*, and what arrives at the pixels is the *reconstruction*.

# %% tags=["hide-input"]
maps = x
with torch.no_grad():
    print("  module  channels  places  looks at (pixels)")
    for name, module in model.named_children():
        maps = module(maps)
        if maps.ndim == 4:
            side, field = maps.shape[2], inside.receptive_field(model, name)[0]
            print(f"{name:>8}  {maps.shape[1]:8d}  {side:3d}×{side:<3d} {field:4d}×{field}")
        else:
            print(f"{name:>8}  {maps.shape[1]:8d}")

# %% [markdown]
# `fc6` and `fc7` are fully connected layers; `fc7` gives one score for each class, the [*logit*](glossary.md#logit). `relu6` is the ReLU after `fc6`.
#
# Suppose that one activation of `relu5` is large. Which pattern caused it? The idea of the paper: keep that activation, set all others of its layer to zero, and send it back through the same layers, each one turned around:

# %% tags=["hide-input"]
inside.deconvnet_diagram()
plt.title("One layer forward (above, to the right) and the way back (below, to the left)", fontsize=11)
plots.show(
    "One layer forward: convolution, ReLU, max pooling. Below it the way back: unpooling with the switches "
    "of the pooling, a ReLU of the signal, transposed filters."
)

# %% [markdown]
# The three orange boxes repeat until the signal arrives at the pixels.
#
# **Unpooling, with switches.** Max pooling takes the largest value of each window $R_i$. It forgets where that value was. So on the way forward we also write down its place, the *switch* $s_i$:
#
# $$p_i = \max_{j \in R_i} a_j, \qquad s_i = \arg\max_{j \in R_i} a_j .$$
#
# Here $a_j$ are the values before the pooling and $p_i$ those after it. On the way back, each value $\hat p_i$ of the signal goes to its switch, and all other places get zero. (A hat marks what comes back.)

# %%
a = torch.tensor([[1.0, 3, 0, 2], [4, 2, 1, 0], [0, 1, 2, 2], [2, 0, 5, 1]])
p, switches = F.max_pool2d(a[None], 2, return_indices=True)
p_hat = torch.tensor([[[7.0, 8], [9, 6]]])  # some signal that comes back
a_hat = F.max_unpool2d(p_hat, switches, 2)

# %% tags=["hide-input"]
places = [divmod(int(s), 4) for s in switches.flatten()]  # a switch counts pixels row by row
figure, axes = plots.grid(1, 4, ratio=0.95)
panels = {
    "a: the maxima are framed": (a, places),
    "p: after 2×2 pooling": (p[0], ()),
    "a signal comes back": (p_hat[0], ()),
    "unpooled with the switches": (a_hat[0], places),
}
for ax, (title, (values, marked)) in zip(axes[0], panels.items(), strict=True):
    inside.numbers(ax, values, title, marked=marked, decimals=0, signed=False, fontsize=13)
plots.show(
    "Four tables of numbers: 4×4 values with the four maxima 4, 2, 2, 5 framed; the pooled 2×2; a signal "
    "7, 8, 9, 6; and the signal back at the framed places, zeros elsewhere."
)

# %% [markdown]
# **Rectifying.** Forward, a ReLU keeps the maps positive. The paper does the same with the signal: $\;\hat z = \max(0, \hat a)$. It looks at the sign of the *signal*, not of what went forward. Section 4 needs this.
#
# **Filtering with the transposed weights.** Without its bias, a convolution is linear: there is a large matrix $W$ with $z = W x$. On the way back the paper uses the *transposed* matrix, $W^\top \hat z$. It does not undo the convolution. It hands each value of the
# signal to the pixels that it came from, with the same weights. The transposed matrix is the one for which $\langle W x, \hat z\rangle = \langle x, W^\top \hat z\rangle$ for all $x$ and $\hat z$ (the brackets multiply element by element and add up):

# %% tags=["hide-input"]
weight = model.conv2.weight.detach()
v, z_hat = torch.randn(1, weight.shape[1], 32, 32), torch.randn(1, weight.shape[0], 32, 32)
forward = (F.conv2d(v, weight, padding=2) * z_hat).sum()
back = (v * F.conv_transpose2d(z_hat, weight, padding=2)).sum()
print(f"<W x, z> = {forward:.2f}    <x, Wᵀ z> = {back:.2f}")

# %% [markdown]
# ## 3 · By hand, twice
#
# ### First: the way the paper draws it
#
# Run forward, and note for each module how to undo it. Then keep one activation and apply the notes in reverse order. The bias has no part in the way back.


# %%
def only_strongest(maps, channel):
    """The maps (1, K, h, w) with all set to zero but the largest value of one channel."""
    kept, place = torch.zeros_like(maps[0]), maps[0, channel].argmax()
    kept[channel].view(-1)[place] = maps[0, channel].view(-1)[place]
    return kept[None]


def overwriting_unpool(signal, switches, size):
    """Each value of the signal (1, K, h, w) at the place of its switch, in maps of `size`."""
    return F.max_unpool2d(signal, switches, 3, 2, 1, output_size=size)


# %% tags=["by-hand"]
def by_unpooling(model, x, layer, channel, unpool=overwriting_unpool):
    """The signal after each step back from a channel's strongest activation; the last is a picture."""
    undo = []
    for name, m in model.named_children():
        if isinstance(m, nn.MaxPool2d):
            size = x.shape[-2:]
            x, switches = F.max_pool2d(x, 3, 2, 1, return_indices=True)
            undo.append(partial(unpool, switches=switches, size=size))
        elif isinstance(m, nn.Conv2d):
            x, how = m(x), (None, m.stride, m.padding, m.stride[0] - 1)  # stride 2: back to an even size
            undo.append(lambda signal, w=m.weight, how=how: F.conv_transpose2d(signal, w, *how))
        else:
            x = m(x)
            undo.append(torch.relu)
        if name == layer:
            break
    signals = [only_strongest(x, channel)]
    for step in reversed(undo):
        signals.append(step(signals[-1]))
    return signals


# %%
with torch.no_grad():
    strengths = run_to(model, x, "relu5")[0].amax(dim=(1, 2))  # run_to: the output of a layer, by name
    channel = int(strengths.argmax())
    signals = by_unpooling(model, x, "relu5", channel)
print(f"strongest channel of relu5 here: {channel}, with the value {strengths[channel]:.2f}")

# %% [markdown]
# Follow the signal down. Each panel adds up the absolute values over all channels; the last one is the reconstruction, in colour.

# %% tags=["hide-input"]
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
plots.show(
    "Eight panels. One bright place in 16×16 grows with each transposed filter, becomes dotted with each "
    "unpooling, and ends as an outline of part of the cat."
)

# %% [markdown]
# One place in a coarse map became a pattern of edges. Each unpooling puts a value at an exact pixel. But the switches come from the *picture*: section 6 asks how much of the result is theirs.
#
# ### Second: a backward pass with another ReLU
#
# Look again at the three steps. The backward pass of a convolution *is* the filtering with transposed weights. The backward pass of max pooling *is* unpooling with switches. Only the ReLU differs. So let PyTorch do the work, and
# change the rule of the ReLUs with a [hook](glossary.md#hook), a function that PyTorch calls whenever a signal passes the module. It gets the `signal` that comes back and the `old` one that would go on by the ordinary rule. What it returns goes on instead.


# %% tags=["by-hand"]
def by_backward(model, x, layer, start):
    """The reconstruction from a signal at a layer, by a backward pass in which each ReLU clips the signal."""
    x = x.clone().requires_grad_()
    handles = [
        module.register_full_backward_hook(lambda module, old, signal: (signal[0].clamp(min=0),))
        for module in model
        if isinstance(module, nn.ReLU)
    ]
    try:
        return torch.autograd.grad(run_to(model, x, layer), x, start)[0]
    finally:
        for handle in handles:
            handle.remove()


# %%
print("largest difference of the two, as a share of the largest value:")
for name in RELUS:
    with torch.no_grad():
        k = int(run_to(model, x, name)[0].amax(dim=(1, 2)).argmax())
        steps = by_unpooling(model, x, name, k)
    backward = by_backward(model, x, name, steps[0])
    print(f"  {name}: {(steps[-1] - backward).abs().max() / backward.abs().max():.6f}")

# %% [markdown]
# They are *not* the same, except at `relu1`, which has no pooling below it. So look at the pooling. ZF-Net pools windows of 3×3 at every *second* pixel. The windows overlap, and one pixel can be the maximum of up to four of them. What comes back to it?

# %%
toy = torch.tensor([[1.0, 2, 0, 1, 2], [0, 1, 3, 2, 1], [2, 1, 9, 0, 1], [1, 3, 2, 1, 0], [0, 2, 1, 2, 1]])
toy.requires_grad_()
pooled, switches = F.max_pool2d(toy[None, None], 3, 2, return_indices=True)
toy_signal = torch.tensor([[[[1.0, 2], [3, 4]]]])
overwritten = F.max_unpool2d(toy_signal, switches, 3, 2, output_size=(5, 5))[0, 0]
(summed,) = torch.autograd.grad(pooled, toy, toy_signal)

# %% tags=["hide-input"]
figure, axes = plots.grid(1, 4, ratio=0.95)
panels = {
    "four windows, one maximum": toy,
    "a signal comes back": toy_signal[0, 0],
    "unpooling keeps the last": overwritten,
    "the backward pass adds": summed,
}
for ax, (title, values) in zip(axes[0], panels.items(), strict=True):
    marked = [(2, 2)] if values.shape[0] == 5 else ()
    inside.numbers(ax, values, title, decimals=0, signed=False, fontsize=13, marked=marked)
plots.show(
    "A 5×5 table with a 9 in the middle, the maximum of all four windows. The signal 1, 2, 3, 4 comes back: "
    "unpooling leaves 4 at the middle, the backward pass 10."
)

# %% [markdown]
# Unpooling writes 1, 2, 3 and 4 to the same pixel, and the last one stays. The backward pass adds them: $1 + 2 + 3 + 4 = 10$. In our network about half of all positive maxima are shared by two or more windows ([02b](02b_zfnet_experiments.ipynb) counts them).
#
# ### Exercise: unpooling that adds
#
# Write the unpooling that agrees with the backward pass. Replace the dots, run the cell, then the check below it. `exercises.adding_unpool.hint()` gives you one hint at a time; the solution is folded below the check.


# %% exercise="adding_unpool"
def adding_unpool(signal, switches, size):
    """Maps (N, K, H, W) from a signal and its switches (N, K, h, w); size = (H, W).

    A switch counts pixels row by row: pixel (r, c) has the number r · W + c.
    """
    # BEGIN SOLUTION
    height, width = size
    flat = torch.zeros(*signal.shape[:2], height * width)
    flat = flat.scatter_add(2, switches.flatten(2), signal.flatten(2))
    return flat.view(*signal.shape[:2], height, width)
    # END SOLUTION


# %%
exercises.adding_unpool.check(adding_unpool)

# %% [markdown]
# ### The proof
#
# With unpooling that adds (`scatter_unpool` is the solution of the exercise), the drawn version and the backward pass agree to rounding. The library captum has the method too. It starts with a *one* where the paper
# starts with the activation itself, so we divide ours by the activation.

# %% tags=["nbval-check-output"]
from captum.attr import NeuronDeconvolution

from course_utils.lessons.l02_zfnet_deconvnet import scatter_unpool

with torch.no_grad():
    added = by_unpooling(model, x, "relu5", channel, unpool=scatter_unpool)[-1]
place = divmod(int(run_to(model, x, "relu5")[0, channel].argmax()), 16)
of_captum = NeuronDeconvolution(model, model.relu5).attribute(x, (channel, *place)).detach()
ours, top = deconvnet(model, x, "relu5", channel), strengths[channel]  # the course's version
rows = [
    ("unpooling that adds", ours, added, "values at one pixel are added up"),
    ("your backward pass", ours, by_backward(model, x, "relu5", signals[0]), "the same"),
    ("captum NeuronDeconvolution", ours / top, of_captum, "starts with 1"),
]
judge.agreement_table(rows)

# %% [markdown]
# Which of the two is right? The paper does not say what happens at a shared pixel. The backward pass has a reason on its side: it is the transposed matrix of the pooling, as the transposed filters are of the convolution. From here on we use it, and call it `deconvnet`.

# %% [markdown]
# ## 4 · Three rules for one ReLU
#
# If only the ReLU differs, put the rules side by side. Let $x$ be what went *into* the ReLU and $g$ the signal that comes back to it. A bracket is 1 if the statement in it holds, else 0.
#
# | method | what passes | asks |
# |---|---|---|
# | plain gradient (Simonyan and others, 2014) | $g \cdot [x > 0]$ | was it active? |
# | deconvnet (Zeiler and Fergus, 2014) | $g \cdot [g > 0]$ | does the signal speak *for* the start? |
# | guided backpropagation (Springenberg and others, 2015) | $g \cdot [g > 0] \cdot [x > 0]$ | both |
#
# ### Exercise: three rules
#
# Write the table as code. `rule` is `"gradient"`, `"deconvnet"` or `"guided"`.


# %% exercise="relu_signal"
def relu_signal(signal, x, rule):
    """What passes a ReLU on the way back, from the signal and the ReLU's input `x`, of one shape."""
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
# The start can be one activation, as above, or the score of a class. In the second case, the map is meant to say which pixels speak for the class.


# %% tags=["by-hand"]
def by_rule(model, x, target, rule):
    """The signal at the pixels (N, 3, H, W), from the class scores back, with one of the three rules."""
    x = x.clone().requires_grad_()
    rules = {
        "gradient": lambda module, old, signal: old,
        "deconvnet": lambda module, old, signal: (signal[0].clamp(min=0),),
        "guided": lambda module, old, signal: (old[0].clamp(min=0),),  # `old` has passed [x > 0]
    }
    relus = [module for module in model if isinstance(module, nn.ReLU)]
    handles = [relu.register_full_backward_hook(rules[rule]) for relu in relus]
    scores = model(x)[torch.arange(len(x)), target].sum()
    maps = torch.autograd.grad(scores, x)[0]
    for handle in handles:
        handle.remove()
    return maps


shown = [scene, 9, 3]  # a cat, a horse, a car
three = {
    r: by_rule(model, lab.inputs[shown], lab.targets[shown], r) for r in ("gradient", "deconvnet", "guided")
}

# %% tags=["hide-input"]
figure, axes = plots.grid(3, 4, ratio=1.02, width=8.5)
for row, i in enumerate(shown):
    axes[row, 0].imshow(lab.images[i])
    for ax, (rule, result) in zip(axes[row, 1:], three.items(), strict=True):
        ax.imshow(inside.as_picture(result[row]))
        axes[0, list(three).index(rule) + 1].set_title(rule, fontsize=10)
axes[0, 0].set_title("picture", fontsize=10)
figure.suptitle("The same network, the same pictures, the class score: only the rule of the ReLU differs")
plots.show(
    "Three pictures, three rules. The gradient is a cloud of noise around the object, the deconvnet a "
    "regular texture over the whole picture, guided backpropagation a clean outline of the object."
)

# %% [markdown]
# Guided backpropagation gives the cleanest maps. Clean is not the same as faithful: sections 7 and 8 test it. Two libraries, captum and zennit, give the same maps:

# %% tags=["hide-input", "nbval-check-output"]
from captum.attr import Deconvolution, GuidedBackprop
from zennit.composites import GuidedBackprop as GuidedBackpropOfZennit

batch, target = lab.inputs[shown], lab.targets[shown]
with GuidedBackpropOfZennit().context(model) as changed:
    leaf = batch.clone().requires_grad_()
    of_zennit = torch.autograd.grad(changed(leaf).gather(1, target[:, None]).sum(), leaf)[0]
guided = guided_backprop(model, batch, target)
of_captum = [method(model).attribute(batch, target).detach() for method in (Deconvolution, GuidedBackprop)]
rows = [
    ("deconvnet: captum", three["deconvnet"], of_captum[0], "from the class score, starts with 1"),
    ("guided: captum, zennit", torch.stack([guided] * 2), torch.stack([of_captum[1], of_zennit]), "the same"),
    ("guided: your hook", guided, three["guided"], "the same"),
]
judge.agreement_table(rows)

# %% [markdown]
# ## 5 · What do the features look for?
#
# Now the paper's best-known experiment. For one channel, go through many pictures and take those in which it is strongest. Bring each of these activations back to the pixels, and put the patch that the place looks at beside it.
#
# For this we draw 400 new pictures. `maxima` runs them through the network once, and notes the largest activation of each channel and its place. We show three channels of a layer: those whose nine strongest pictures agree best in their class (`purest`).

# %%
from course_utils.lessons.l02_zfnet_deconvnet import draw_features, favourite_class, maxima, purest

new = load_lab("scenes", model="zfnet", seed=300, n=400)
found = maxima(model, new.inputs, RELUS)  # {layer: (values, places)} of each picture and channel
chosen = {name: purest(found[name][0], new.targets, 3) for name in ("relu2", "relu5")}

# %% tags=["hide-input"]
draw_features(model, new.images, new.inputs, "relu2", chosen["relu2"], found["relu2"])
plots.show(
    "Three channels of relu2, each with its three strongest patches and their reconstructions. In a row the "
    "patches share a small pattern, such as stripes or a mouth, and so do the reconstructions."
)

# %% [markdown]
# `relu2` sees 27×27 pixels: pieces of objects. `relu5` sees 83×83, nearly whole objects. (Grey beside a patch lies outside the picture.)

# %% tags=["hide-input", "thumbnail"]
draw_features(model, new.images, new.inputs, "relu5", chosen["relu5"], found["relu5"])
plots.show(
    "The same for three channels of relu5. In each row the patches show one kind of object in other colours "
    "and on other backgrounds; the reconstructions show parts of these objects."
)

# %% [markdown]
# Compare left and right. The patches of a row vary in background and colour; the reconstructions look like what they have in common. But is that what *this channel* looks for? A control: start from *another* channel that is active at the same place, and compare the two reconstructions by their *cosine*: 1 means the same picture, only stronger or weaker; 0 means nothing in common.
#
# **Predict first**: is the cosine nearer to 0 or to 1 in `relu1`? In `relu5`?

# %%
from course_utils.lessons.l02_zfnet_deconvnet import another_channel

alike = {}
for name in RELUS:
    values, places = found[name]
    own = (values.amax(dim=0) > 0).nonzero()[:24, 0]  # 24 channels that are active at all
    best = values[:, own].argmax(dim=0)  # the picture in which each is strongest
    at, pictures = places[best, own], new.inputs[best]
    other = another_channel(model, pictures, name, own, at)  # drawn by chance
    drawn = [deconvnet(model, pictures, name, k, at).flatten(1) for k in (own, other)]
    alike[name] = F.cosine_similarity(*drawn).mean().item()
print({name: round(value, 2) for name, value in alike.items()})

# %% [markdown]
# In `relu1`, each channel draws its own pattern. From `relu3` on, another channel draws nearly the same picture. So a reconstruction from a deep layer tells you *where* an activation comes from and which edges lie there, but hardly what the channel looks for. Its strongest *patches* tell you that.
#
# We *chose* the channels of the figures, so their patches look better than the average. Here is a test of the patches that does not choose. Split the new pictures in two halves. For each channel, take the class of most of its nine strongest pictures in the first half. How many of its nine strongest in the *second* half are of that class? The control is the same network with random numbers in all layers.

# %%
*_, (_, all_random) = judge.randomize_cascade(model)
networks = {"trained": found, "random": maxima(all_random, new.inputs, RELUS)}
half, shares = len(new) // 2, {}
for kind, found_here in networks.items():
    for name, (values, _) in found_here.items():
        favourite, _ = favourite_class(values[:half], new.targets[:half])
        nine = new.targets[half:][values[half:].topk(9, dim=0).indices]
        alive = values[:half].amax(dim=0) > 0  # channels that are active at all
        shares[kind, name] = (nine == favourite).float().mean(dim=0)[alive].mean()

# %% tags=["hide-input"]
print("share of the nine strongest of the second half (one class of ten: 0.10)")
print("          " + " ".join(f"{name:>6}" for name in RELUS))
for kind in networks:
    print(f"{kind:>8}: " + " ".join(f"{shares[kind, name]:6.2f}" for name in RELUS))

# %% [markdown]
# In the trained network, the deeper the layer, the more a channel belongs to one class. With random numbers it does not: depth alone is not enough. Nine pictures show what excites a channel *most*, not all that it reacts to: a channel with nine cats may answer weakly to horses.

# %% [markdown]
# ## 6 · Is the reconstruction a copy of the picture?
#
# The switches are a record of the picture. Perhaps they alone draw it? Take the maps of `relu5` from one picture and send them back with the switches of *another*. Which of the two ordinary reconstructions does the result resemble? And does it still follow the edges of the first picture? For comparison, keep the switches and give each channel's map to the *next channel*.
#
# The resemblance is a [rank correlation](glossary.md#rank-correlation): 1 means that the pixels have the same order of strength, 0 that the orders have nothing in common. `paired` takes the differences picture by picture. Its 95 % [bootstrap interval](glossary.md#bootstrap-interval) says how far their mean could move with other pictures of the same kind.


# %%
first, second = lab.inputs[scene : scene + 20], lab.inputs[scene + 20 : scene + 40]
with torch.no_grad():
    maps_1, maps_2 = run_to(model, first, "relu5"), run_to(model, second, "relu5")
crossed = by_backward(model, second, "relu5", maps_1)  # your function of section 3
one, two = by_backward(model, first, "relu5", maps_1), by_backward(model, second, "relu5", maps_2)
like_one = judge.rank_correlation(magnitude(crossed), magnitude(one))
like_two = judge.rank_correlation(magnitude(crossed), magnitude(two))
moved = by_backward(model, first, "relu5", maps_1.roll(1, dims=1))  # each map to the next channel
like_moved = judge.rank_correlation(magnitude(moved), magnitude(one))
edges = judge.baselines.sobel(first)  # how fast the brightness of the first pictures changes
edges_kept = [judge.rank_correlation(magnitude(back), edges) for back in (one, crossed)]

# %% tags=["hide-input"]
print(f"own switches, each map in the next channel: {like_moved.mean():.2f}")
print("foreign switches:")
print(f"like the picture of the activations {like_one.mean():.2f}, of the switches {like_two.mean():.2f}")
print(f"  difference: {judge.paired(like_one, like_two)}")
own, foreign = edges_kept
print(f"like the edges of the first picture: own switches {own.mean():.2f}, foreign {foreign.mean():.2f}")
print(f"  difference: {judge.paired(own, foreign)}")

# %% tags=["hide-input"]
plots.show_images(
    [
        lab.images[scene] / 255,
        *(inside.as_picture(m[0]) for m in (one, crossed, two)),
        lab.images[scene + 20] / 255,
    ],
    [
        "picture 1",
        "activations 1, switches 1",
        "activations 1, switches 2",
        "activations 2, switches 2",
        "picture 2",
    ],
    columns=5,
)
plots.show(
    "Two pictures and three reconstructions. With the activations of the first and the switches of the "
    "second picture, the first object is still there, with a smeared outline."
)

# %% [markdown]
# The places of the activations decide where something is drawn. The switches add the exact place of each edge: with foreign ones the outline is smeared, and follows the edges of the first picture less. So a part of the *sharpness* is copied from the picture. To put each map into a wrong channel changes the result no more than foreign switches do: again, the place matters more than the channel.
#
# ([02b](02b_zfnet_experiments.ipynb) covers the picture with a grey square and watches the channel. That test, too, confirms only *where*.)

# %% [markdown]
# ## 7 · And decisions? First test: the score
#
# Now start from the class score. On 100 of the new pictures: how much of the map lies on the object (*energy*), and does its maximum lie on the object, or at most 5 pixels beside it (*pointing game*)? We compare with three maps
# that know nothing about the network: the *edges* of the picture (a Sobel filter), a blob in the *centre*, and *random* noise.

# %%
from course_utils.methods.gradients import saliency

methods = {
    "plain gradient": lambda model, x, target: saliency(model, x, target).amax(dim=1),
    "deconvnet": lambda model, x, target: magnitude(deconvnet(model, x, "fc7", target)),
    "guided backprop": lambda model, x, target: magnitude(guided_backprop(model, x, target)),
}
pictures, asked, truth = new.inputs[:100], new.targets[:100], new.masks[:100]
parts = list(zip(pictures.split(20), asked.split(20), strict=True))
candidates = {name: torch.cat([method(model, *part) for part in parts]) for name, method in methods.items()}
# %% tags=["hide-input"]
knows_nothing = {
    "edges (Sobel)": judge.baselines.sobel(pictures),
    "centre": judge.baselines.center(pictures),
    "random": judge.baselines.random(pictures),
}
all_maps = candidates | knows_nothing
energy = {name: judge.energy_in_mask(maps, truth) for name, maps in all_maps.items()}
pointing = {name: judge.pointing_game(maps, truth, tolerance=5) for name, maps in all_maps.items()}

figure, axes = plt.subplots(1, 2, figsize=(10, 3.2))
labels = {"energy on the object": energy, "maximum on the object": pointing}
for ax, (label, scores) in zip(axes, labels.items(), strict=True):
    plots.score_plot(scores, baselines=list(knows_nothing), xlabel=label, ax=ax)
plots.show(
    f"Energy: guided backprop {energy['guided backprop'].mean():.2f}, plain gradient and edges near "
    f"{energy['edges (Sobel)'].mean():.2f}, deconvnet {energy['deconvnet'].mean():.2f}. Pointing: guided "
    f"backprop {pointing['guided backprop'].mean():.2f}, edges {pointing['edges (Sobel)'].mean():.2f}."
)
for name in methods:
    print(f"{name:>15} minus edges, energy:   {judge.paired(energy[name], energy['edges (Sobel)'])}")
    print(f"{'':>15}              pointing: {judge.paired(pointing[name], pointing['edges (Sobel)'])}")

# %% [markdown]
# The bars are 95 % intervals. All maps saw the same pictures, so compare them picture by picture, as printed below the figure.
#
# Guided backpropagation beats the edge filter by both measures: it finds the object. The deconvnet is below it by energy. But do they explain the *decision*? These scenes have a single object, so this score cannot say whether a map follows the question.

# %% [markdown]
# ## 8 · Second test: change the network, change the question
#
# **Change the network** (Adebayo and others, 2018). Draw new random weights for the last layer, then for more and more layers from the top. If a map explains what the network has *learnt*, it must change. We compare with the map of the trained network.

# %%
few, their_class = lab.inputs[:8], lab.targets[:8]
trained = {name: method(model, few, their_class) for name, method in methods.items()}
steps, curves = ["trained"], {name: [1.0] for name in methods}
for layer, randomised in judge.randomize_cascade(model):
    steps.append(layer)
    for name, method in methods.items():
        likeness = judge.rank_correlation(method(randomised, few, their_class), trained[name])
        curves[name].append(likeness.mean().item())

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8.5, 3.1))
for name, curve in curves.items():
    ax.plot(curve, "o-", label=name)
ax.set_xticks(range(len(steps)), steps)
ax.set(xlabel="random weights from the top down to …", ylabel="rank correlation with\nthe trained map")
ax.set(ylim=(-0.1, 1.04))
ax.legend()
ax.set_title("With random upper layers, guided backpropagation draws nearly the same map", loc="left")
plots.show(
    "Rank correlation with the trained network's map, random from the top: with fc7 and fc6 random, guided "
    f"backprop {curves['guided backprop'][2]:.2f}, deconvnet {curves['deconvnet'][2]:.2f}, gradient "
    f"{curves['plain gradient'][2]:.2f}."
)

# %% [markdown]
# **Change the question.** In scenes with two objects, make the map for the first object and for the second. A map that answers the question must have more of its sum on the asked-for object than on the other one: a share above 0.5.

# %%
pairs = load_lab("scenes", model="zfnet", n_objects=2)
both, questions = pairs.inputs[:30].repeat_interleave(2, dim=0), pairs.targets[:30].flatten()
on_asked, on_other = pairs.masks[:30].flatten(0, 1), pairs.masks[:30].flip(1).flatten(0, 1)
share, same = {}, {}
for name, method in (methods | {"edges": lambda model, x, target: judge.baselines.sobel(x)}).items():
    maps = method(model, both, questions)
    here, there = judge.energy_in_mask(maps, on_asked), judge.energy_in_mask(maps, on_other)
    share[name] = (here / (here + there)).view(-1, 2).mean(dim=1)  # the mean of a picture's two questions
    same[name] = judge.rank_correlation(maps[0::2], maps[1::2]).mean()

# %% tags=["hide-input"]
print("two objects     share on the asked-for one (95 % interval)    likeness of the two maps")
for name, values in share.items():
    low, high = judge.bootstrap_interval(values)
    print(f"{name:>15} {values.mean():16.2f}   ({low:.2f} to {high:.2f}) {same[name]:23.2f}")

# %% [markdown]
# An edge filter has 0.50 and 1, since it does not know the question. The three maps follow the question a little: their intervals lie above 0.50, but not far above. And the two maps of guided backpropagation have nearly the same order of pixels, whichever object you ask for.
#
# And the puzzle: **C** is the trained network with the class cat, **A** the trained network asked for another class, **B** the network with two random layers.

# %% tags=["hide-input"]
for name in "AB":
    likeness = judge.rank_correlation(magnitude(puzzle[name]), magnitude(puzzle["C"])).item()
    print(f"{name} and C: rank correlation {likeness:.2f}")

# %% [markdown]
# ## 9 · Where does the question get lost?
#
# Take one picture and two *different* classes, and follow the two signals on their way back. At each ReLU, measure how alike they are by the cosine, as in section 5.
#
# ### Exercise: predict, then run
#
# With guided backpropagation, the two signals arrive at `relu6`, just below the classes, with a mean cosine near 0: two questions, two signals. They go on through `relu6`, `fc6`, `pool5` to `relu5`, and so on to the pixels. Where is the mean cosine above 0.5 for the first time? Write the place, then run the cells below.

# %% exercise="end_of_the_question"
answer = None  # "relu5", "relu4", "relu3", "relu2", "relu1" or "pixels"
# BEGIN SOLUTION
answer = "relu5"
# END SOLUTION

# %% [markdown]
# `signals_back` is `by_rule` of section 4; its hooks also note each signal that arrives: `{"relu6": …, "relu5": …, …, "pixels": …}`.

# %%
from course_utils.lessons.l02_zfnet_deconvnet import signals_back

some, right_class = lab.inputs[:30], lab.targets[:30]
wrong_class = (right_class + 1 + torch.arange(30) % 9) % 10  # another class for each picture
cosines = {}
for rule in ("gradient", "deconvnet", "guided"):
    one, two = (signals_back(model, some, classes, rule) for classes in (right_class, wrong_class))
    alike = {n: F.cosine_similarity(one[n].flatten(1), two[n].flatten(1)) for n in one}
    cosines[rule] = {n: cosine.mean().item() for n, cosine in alike.items()}

# %%
exercises.end_of_the_question.check(answer, cosines["guided"])

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8.5, 3.1))
for rule, values in cosines.items():
    ax.plot(list(values), list(values.values()), "o-", label=rule)
ax.set(xlabel="on the way back, at …", ylabel="cosine of the signals\nof two classes", ylim=(-0.15, 1.05))
ax.legend()
ax.set_title("With the changed rules, the signals of two questions become alike", loc="left")
plots.show(
    "Cosine of the signals of two classes. At relu6 all three rules are near 0. At the pixels: gradient "
    f"{abs(cosines['gradient']['pixels']):.2f}, deconvnet {cosines['deconvnet']['pixels']:.2f}, guided "
    f"{cosines['guided']['pixels']:.2f}."
)
for place in ("relu5", "pixels"):
    values = ", ".join(f"{rule} {round(cosine[place], 2) + 0.0:.2f}" for rule, cosine in cosines.items())
    print(f"at {place}: {values}")

# %% [markdown]
# With the plain gradient, two questions stay two signals. With the two changed rules, most of the question is lost at the first step; guided backpropagation loses nearly all of the rest soon after. At each ReLU the negative part of the signal is cut off, so what is added up below it cancels less. (It is the sign that counts: if as many values are cut off *by chance*, the cosine stays near 0.)
# Nie and others (2018) showed that both methods then partially restore the picture. Sixt and others (2020) measured how the signals meet in several networks.
#
# So it is for classes as it was for the channels of deep layers: another question, nearly the same map. The two changed rules show what is there and where. They are no argument why a class won. **Before you believe a map, change the question.**

# %% [markdown]
# ## 10 · The real thing
#
# Is this so only in small networks on drawn pictures? EfficientNet-Lite0 was trained on the 1.2 million photographs of ImageNet and tells 1,000 classes apart. Its ReLUs are also cut off at 6 (`nn.ReLU6`); the rules stay the same. Ask it about three photographs: for the class that fits, for *goldfish*, and with random numbers in its last layer.

# %%
photos = load_lab("photos", only=["chelsea", "coffee", "motorcycle"])
net, goldfish = photos.model, torch.full((3,), photos.class_names.index("goldfish"))
_, random_head = next(judge.randomize_cascade(net))  # new random numbers in the last layer
asked_three_ways = {
    "the right class": (net, photos.targets),
    "goldfish": (net, goldfish),
    "random last layer": (random_head, photos.targets),
}
guided, gradient = (
    {name: method(n, photos.inputs, classes) for name, (n, classes) in asked_three_ways.items()}
    for method in (guided_backprop, saliency)
)

# %% tags=["hide-input"]
chances = photos.predict(photos.images)
figure, axes = plots.grid(3, 4, ratio=1.03, width=9)
for row in range(3):
    right = int(photos.targets[row])
    axes[row, 0].imshow(photos.images[row])
    axes[row, 0].set_ylabel(f"{photos.class_names[right]}: {chances[row, right]:.2f}", fontsize=10)
    for ax, maps in zip(axes[row, 1:], guided.values(), strict=True):
        ax.imshow(inside.as_picture(maps[row]))
for ax, title in zip(axes[0], ("photograph", *guided), strict=True):
    ax.set_title(title, fontsize=10)
figure.suptitle("Guided backpropagation in EfficientNet-Lite0: three questions, one picture")
plots.show(
    "A cat, a cup of coffee and a motorcycle, each with three maps of guided backpropagation: for the right "
    "class, for goldfish, and with a random last layer. The three maps of a row look the same."
)
print("rank correlation with the map of the right class, mean of the three photographs")
for name in ("goldfish", "random last layer"):
    for method, maps in (("guided backprop", guided), ("plain gradient", gradient)):
        likeness = judge.rank_correlation(magnitude(maps[name]), magnitude(maps["the right class"]))
        print(f"  {name:>17}, {method}: {likeness.mean():.2f}")

# %% [markdown]
# The real network shows it even more clearly than ours. The map of the first photograph draws the cat's eyes and nose, and it is also the network's answer to “why goldfish?”. The plain gradient is noisy, but it changes with the question.

# %% [markdown]
# ## 11 · Your turn
#
# Put the path of a picture (or of a folder with pictures) in place of `None`, or another model's name: a classifier of torchvision or timm, which needs the internet once. You see the network's five best answers, the deconvnet of the strongest channel of an early stage, and guided backpropagation.

# %%
mine = load_lab("photos", path=None, model="efficientnet_lite0")

# %% tags=["hide-input"]
chances = mine.predict(mine.images[:1])[0]
five = [f"{mine.class_names[c]} {chances[c]:.2f}" for c in chances.argsort()[::-1][:5]]
print(", ".join(five))
kept, stage = [], list(mine.layers)[len(mine.layers) // 3]
handle = mine.layers[stage].register_forward_hook(lambda module, arguments, out: kept.append(out))
with torch.no_grad():
    mine.model(mine.inputs[:1])
handle.remove()
k = int(kept[0][0].amax(dim=(1, 2)).argmax())
back = deconvnet(mine.model, mine.inputs[:1], mine.layers[stage], k)[0]
strong = back.abs().sum(dim=0)
r, c = (strong > 0.02 * strong.max()).nonzero(as_tuple=True)
part = slice(int(r.min()), int(r.max()) + 1), slice(int(c.min()), int(c.max()) + 1)
whole = guided_backprop(mine.model, mine.inputs[:1], int(chances.argmax()))[0]
panels = {
    "your picture": mine.images[0],
    f"where channel {k} of {stage} reacts": mine.images[0][part],
    "its deconvnet": inside.as_picture(back)[part],
    "guided backprop, best answer": inside.as_picture(whole),
}
figure, axes = plots.grid(1, 4, ratio=1.1)
for ax, (title, picture) in zip(axes[0], panels.items(), strict=True):
    ax.imshow(picture)
    ax.set_title(title, fontsize=10)
plots.draw_box(axes[0, 0], (part[1].start, part[0].start, part[1].stop, part[0].stop), color="#e69f00")
plots.show(
    f"The picture, answered {five[0]}; the part where the deconvnet of {stage}'s strongest channel is strong, enlarged; "
    "that deconvnet; and guided backpropagation, a drawing of the whole object."
)

# %% [markdown]
# EfficientNet-Lite0 has no max pooling, so there are no switches: nothing of your picture enters the way back. One channel at one place has the *same* reconstruction for every picture, only stronger or weaker, and it shows little more than the grid of the strides. For such networks Springenberg and others proposed guided backpropagation: its mask $[x > 0]$ brings the picture's edges in.

# %% [markdown]
# ## 12 · Play
#
# Choose a picture, a layer and a channel. You see where the channel is active, with its strongest place; the square that this place looks at; and the reconstruction.


# %% tags=["hide-input"]
def look_inside(picture, layer, channel):
    """Picture, activation and reconstruction in a row."""
    x = lab.inputs[picture : picture + 1]
    size, jump = inside.receptive_field(model, layer)
    with torch.no_grad():
        maps = run_to(model, x, layer)[0]
    channel = min(channel, len(maps) - 1)
    heat, back = maps[channel], inside.as_picture(deconvnet(model, x, layer, channel)[0])
    place = divmod(int(heat.argmax()), heat.shape[1])
    figure, axes = plots.grid(1, 4, ratio=1.12)
    axes[0, 0].imshow(lab.images[picture])
    inside.frame(axes[0, 0], place, size, jump)
    axes[0, 0].set(xlim=(-0.5, 127.5), ylim=(127.5, -0.5))
    plots.show_heat(axes[0, 1], heat, title=f"{layer}, channel {channel}: up to {heat.max():.2f}")
    axes[0, 1].plot(place[1], place[0], "o", mfc="none", mec="white", ms=9)
    axes[0, 2].imshow(back)
    axes[0, 3].imshow(inside.patch(back, place, size, jump))
    for n, title in {0: "what the place looks at", 2: "reconstruction", 3: "its part, enlarged"}.items():
        axes[0, n].set_title(title, fontsize=10)
    plots.show(
        f"Picture {picture}, {layer}, channel {channel}: the framed square that its strongest place looks at, "
        "its map, and the reconstruction, whole and enlarged."
    )


widgets.explore(
    look_inside,
    picture=widgets.slider("picture", 0, len(lab.images) - 1, scene),
    layer=widgets.choice("layer", RELUS, "relu5"),
    channel=widgets.slider("channel", 0, 95, chosen["relu5"][0]),
)

# %% [markdown]
# The same as a still picture, for one channel of `relu2`:

# %% tags=["hide-input"]
look_inside(scene, "relu2", chosen["relu2"][2])

# %% [markdown]
# ## 13 · Recap
#
# - Deconvnet: keep one activation, then unpool with switches, rectify, filter with the transposed weights, down to the pixels.
# - It is a backward pass with another rule at the ReLU. Where pooling windows overlap, the drawn version overwrites what the backward pass adds up.
# - The strongest patches show what a channel reacts to; deeper channels belong to one class more and more.
# - What is drawn depends on the channel in the first layers. From a deep layer it depends on the place; the switches add the exact place of each edge.
# - From the class score, guided backpropagation finds the object, and draws nearly the same map for another class or for random upper layers. **Before you believe a map, change the question.**
#
# **Companions.** [02b · The other experiments of the ZF-Net paper](02b_zfnet_experiments.ipynb): training, invariance, occlusion, the same part in different pictures, removing layers, a better first layer, other data, and a bug to find.
# [02c · One number at a time](02c_one_number_at_a_time.ipynb): the whole walk from the pixels to the probabilities, each number a sum of shares, and what a network costs. A map that *does* depend on the class comes in [03 · CAM](03_cam.ipynb).
#
# <details><summary>The paper in ten questions</summary>
#
# M. D. Zeiler, R. Fergus: *Visualizing and Understanding Convolutional Networks* (ECCV 2014; first online in 2013).
#
# 1. **Which problem?** Convolutional networks had won ImageNet, and nobody could say why they work or how to make them better.
# 2. **Is it new?** Earlier work showed the first layer, or optimised an input for a unit. Here a feature of *any* layer is shown for real pictures.
# 3. **Which hypothesis?** The pattern that excites a feature can be found by sending its activation back, and looking at it helps to design networks.
# 4. **Related work, and who?** Deconvolutional networks (Zeiler and others, 2011), AlexNet (2012), gradients as maps (Simonyan and others, at the same time). Both authors worked at New York University.
# 5. **The key idea?** Switches make max pooling invertible enough; the rest is filtering with transposed weights.
# 6. **Which experiments?** Strongest patches, growth in training, invariance, a repaired first layer, occlusion, correspondence of parts, ablation, transfer to other data sets.
# 7. **Data and code?** ImageNet, Caltech-101 and 256, PASCAL VOC. Networks of this kind, with weights, are in all libraries today.
# 8. **Do the results support it?** The strongest pictures do. Whether another channel at the same place gives another reconstruction was not asked (section 5), nor whether the maps explain a *decision*; later work showed that they hardly depend on it. The test of correspondence used five dogs.
# 9. **What did it contribute?** The habit of looking inside, occlusion as a test, and a network that improved on AlexNet, after its authors had seen defects in the filters.
# 10. **What next?** Guided backpropagation (2015), maps of a class (lessons 03 and 04), features that are optimised instead of found (lesson 09), tests of maps (lesson 12).
#
# </details>
#
# **References**
# - [Zeiler and Fergus, 2014: Visualizing and understanding convolutional networks](https://arxiv.org/abs/1311.2901)
# - [Simonyan and others, 2014: Deep inside convolutional networks](https://arxiv.org/abs/1312.6034)
# - [Springenberg and others, 2015: Striving for simplicity (guided backpropagation)](https://arxiv.org/abs/1412.6806)
# - [Nie and others, 2018: A theoretical explanation for perplexing behaviors of backpropagation-based visualizations](https://arxiv.org/abs/1805.07039)
# - [Adebayo and others, 2018: Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292)
# - [Sixt and others, 2020: When explanations lie: why many modified BP attributions fail](https://arxiv.org/abs/1912.09818)
