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
# # 02c · One number at a time
#
# **The question.** Which numbers, exactly, make one number in the first layer of a network?
#
# This companion of [02 · Deconvnet](02_zfnet_deconvnet.ipynb) adds a slow walk through one place of the first layer, with every number on the screen, and then counts what the whole network costs. It is for readers who want to see a convolution, a ReLU and a pooling once without any shortcut.
#
# **After this lesson you can**
# - compute one activation of a convolution by hand, and get the network's own number;
# - say where the switch of a max pooling points, and why;
# - count the weights and the multiplications of each layer.
#
# **Time**: about <!-- minutes --> minutes. **Before**: sections 1 and 2 of [02 · Deconvnet](02_zfnet_deconvnet.ipynb).

# %%
import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from course_utils.exercises import l02_zfnet_deconvnet as exercises
from course_utils.labs import load_lab
from course_utils.lessons.l02_zfnet_deconvnet import run_to
from course_utils.teach import inside, plots, widgets

lab = load_lab("scenes", model="zfnet")
model, scene = lab.model, 1  # picture number 1 shows a cat
x = lab.inputs[scene : scene + 1]

# %% [markdown]
# ## 1 · One place of the convolution
#
# `conv1` has 32 filters. Each is a block of 3 colours × 7 × 7 weights $w$, and has one bias $b$. For the place (row $r$, column $c$) take the 7×7 pixels around the pixel $(2r, 2c)$, in all three colours, multiply each pixel $x$ with its weight, and add up:
#
# $$z_{r,c} = b + \sum_{\text{colours}} \sum_{i,j} w_{\text{colour}, i, j}\; x_{\text{colour},\, 2r + i - 3,\, 2c + j - 3}, \qquad i, j = 0 \ldots 6 .$$
#
# The 2 is the stride. The 3 is the padding: three rows and columns of zeros around the picture, so that a place at the border has 7×7 pixels, too. The pixels run from −1 (black) to 1 (white).
#
# First the network's own numbers, for the filter that answers most in this picture.

# %%
with torch.no_grad():
    z = model.conv1(x)[0]  # (32, 64, 64): before the ReLU
number = int(z.amax(dim=(1, 2)).argmax())
row, column = divmod(int(z[number].argmax()), z.shape[2])
weights, bias = model.conv1.weight[number].detach(), model.conv1.bias[number].item()
print(f"filter {number}, place ({row}, {column}): z = {z[number, row, column]:.3f}")

# %% [markdown]
# Now by hand: cut the window out, multiply, add.

# %%
padded = F.pad(x[0], (3, 3, 3, 3))
window = padded[:, 2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
products = window * weights
for name, colour in zip(("red", "green", "blue"), products, strict=True):
    print(f"{name:>6}: {colour.sum():+.3f}")
print(f"  bias: {bias:+.3f}")
print(f"   all: {products.sum() + bias:+.3f}")

# %% [markdown]
# The same number. Here are the 49 pixels, weights and products of one colour. Look at the third table: a large product needs a large pixel *and* a large weight of the same sign. Red is positive, blue is negative.

# %% tags=["hide-input"]


def show_products(window, weights, colour, filter_number, total):
    """Pixels, weights and products of one colour as three tables of numbers, one above the other pair."""
    index = ("red", "green", "blue").index(colour)
    figure, axes = plots.grid(1, 3, ratio=1.06, width=13.5)
    values = window[index], weights[index], window[index] * weights[index]
    titles = (
        f"pixels, {colour}",
        f"× weights of filter {filter_number}",
        f"= products: they add up to {float(values[2].sum()):+.2f}",
    )
    for ax, table, title in zip(axes[0], values, titles, strict=True):
        inside.numbers(ax, table, title, decimals=2, fontsize=13)
        ax.set_title(title, fontsize=15)
    figure.suptitle(total, fontsize=15)
    plots.show(
        f"Three tables of 7×7 numbers: {colour} pixels, weights, and their products, which add up to "
        f"{float(values[2].sum()):+.2f}."
    )


show_products(window, weights, "green", number, f"place ({row}, {column}), filter {number}")

# %% [markdown]
# ### Exercise: one activation
#
# Write it as a function, with the ReLU at the end: what is negative becomes 0.


# %% exercise="one_activation"
def one_activation(picture, weights, bias, row, column):
    """The activation at one place, from a picture (3, H, W) and the weights (3, 7, 7) of a filter.

    Stride 2, padding 3.
    """
    # BEGIN SOLUTION
    padded = F.pad(picture, (3, 3, 3, 3))
    window = padded[:, 2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
    return ((window * weights).sum() + bias).clamp(min=0)
    # END SOLUTION


# %%
exercises.one_activation.check(one_activation)

# %% [markdown]
# ## 2 · ReLU and max pooling
#
# The ReLU looks at each number by itself: $a = \max(0, z)$. Max pooling then looks at windows of 3×3 places, at every second place, and keeps the largest number, $p$. The *switch* is the place of that number. The deconvnet of the core needs it on the way back.

# %%
with torch.no_grad():
    a = torch.relu(z)
    pooled, switches = F.max_pool2d(a, 3, 2, 1, return_indices=True)
up, left = (row + 1) // 2, (column + 1) // 2  # a pooled place whose window holds our place
r, c = divmod(int(switches[number, up, left]), a.shape[2])
print(f"p at ({up}, {left}) = {pooled[number, up, left]:.3f}, its switch points to ({r}, {c})")
print(f"a there: {a[number, r, c]:.3f}")

# %% tags=["hide-input"]


def show_pooling(z, pooled, switches, up, left):
    """z, a = max(0, z) and p of one pooled place."""
    top, first = 2 * up - 1, 2 * left - 1
    cut = F.pad(z[None, None], (1, 1, 1, 1))[0, 0, top + 1 : top + 4, first + 1 : first + 4]
    r, c = divmod(int(switches[up, left]), z.shape[1])
    marked = [(r - top, c - first)]
    figure, axes = plots.grid(1, 3, ratio=0.9, width=10)
    inside.numbers(axes[0, 0], cut, "z, after the convolution", decimals=2, fontsize=15, marked=marked)
    inside.numbers(axes[0, 1], torch.relu(cut), "a = max(0, z)", decimals=2, fontsize=15, marked=marked)
    peak = pooled[up : up + 1, left : left + 1]
    inside.numbers(axes[0, 2], peak, "p, the maximum", decimals=2, fontsize=20)
    figure.suptitle(
        f"The window of the pooled place ({up}, {left}); framed: where the switch points, ({r}, {c})"
    )
    plots.show(
        f"A 3×3 window before and after the ReLU, its maximum framed, and the pooled value {float(peak):.2f}."
    )


lowest = F.max_pool2d(-z[number][None], 3, 2, 1)[0]  # a window with large and with negative numbers
mixed = divmod(int((lowest * (pooled[number] > 2)).argmax()), pooled.shape[2])
show_pooling(z[number], pooled[number], switches[number], *mixed)

# %% [markdown]
# The figure shows another window of the same filter, one with negative numbers: after the ReLU they are 0. At the border of the map, the window reaches outside; these places are shown as 0 and never win, unless all are 0.

# %% [markdown]
# ## 3 · What the network costs
#
# ### Exercise: predict, then run
#
# A filter of `conv2` has windows of 5×5, and `conv1` sends it 32 channels. How many multiplications does *one* filter of `conv2` need for *one* place?

# %% exercise="products_of_a_place"
answer = None  # a whole number
# BEGIN SOLUTION
answer = 32 * 5 * 5
# END SOLUTION

# %%
exercises.products_of_a_place.check(answer, model)

# %%
costs = []  # (layer, places, weights, multiplications) of each layer with weights
maps = x
with torch.no_grad():
    for name, module in model.named_children():
        maps = module(maps)
        if hasattr(module, "weight"):
            places = maps[0, 0].numel() if maps.ndim == 4 else 1
            costs.append((name, places, module.weight.numel(), places * module.weight.numel()))

# %% tags=["hide-input"]
print("layer   places  weights  multiplications for a picture")
for name, places, n_weights, n_products in costs:
    print(f"{name:>5} {places:8,} {n_weights:8,} {n_products:12,}")
figure, axes = plt.subplots(1, 2, figsize=(10, 2.8), sharey=True)
names = [line[0] for line in costs]
columns = {"weights (thousands)": (2, 1e3), "multiplications for one picture (millions)": (3, 1e6)}
for ax, (title, (place, unit)) in zip(axes, columns.items(), strict=True):
    ax.barh(names, [line[place] / unit for line in costs], color=plots.ACCENT)
    ax.set_title(title)
axes[0].invert_yaxis()
plots.show(
    "Weights and multiplications of each layer: the fully connected layer fc6 has the most weights and next to "
    "no multiplications, the convolutions the other way round."
)

# %% [markdown]
# Weights and work are in different layers. A convolution uses the same few weights at each place, so it has few weights and much work. `fc6` uses each of its weights once.

# %% [markdown]
# ## 4 · Play
#
# Choose the picture, the filter, the place and the colour. The first explorer shows the convolution, the second one the ReLU and the pooling.

# %% tags=["hide-input"]


def explore_convolution(picture, filter_number, row, column, colour):
    """The numbers behind one place of the first layer."""
    padded = F.pad(lab.inputs[picture], (3, 3, 3, 3))
    window = padded[:, 2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
    weights = model.conv1.weight[filter_number].detach()
    bias = model.conv1.bias[filter_number].item()
    red, green, blue = (window * weights).sum(dim=(1, 2)).tolist()
    total = red + green + blue + bias
    text = f"red {red:+.2f}, green {green:+.2f}, blue {blue:+.2f}, bias {bias:+.2f}: z = {total:+.2f}"
    show_products(window, weights, colour, filter_number, text)


widgets.explore(
    explore_convolution,
    picture=widgets.slider("picture", 0, len(lab.images) - 1, scene),
    filter_number=widgets.slider("filter", 0, 31, number),
    row=widgets.slider("row", 0, 63, row),
    column=widgets.slider("column", 0, 63, column),
    colour=widgets.choice("colour", ["red", "green", "blue"]),
)

# %% tags=["hide-input"]


def explore_pooling(picture, filter_number, row, column):
    """ReLU and pooling at one pooled place."""
    with torch.no_grad():
        z = run_to(model, lab.inputs[picture : picture + 1], "conv1")[0, filter_number]
        pooled, switches = F.max_pool2d(torch.relu(z)[None], 3, 2, 1, return_indices=True)
    show_pooling(z, pooled[0], switches[0], row, column)


widgets.explore(
    explore_pooling,
    picture=widgets.slider("picture", 0, len(lab.images) - 1, scene),
    filter_number=widgets.slider("filter", 0, 31, number),
    row=widgets.slider("row", 0, 31, up),
    column=widgets.slider("column", 0, 31, left),
)

# %% [markdown]
# The same as a still picture, for another colour:

# %% tags=["hide-input"]
explore_convolution(scene, number, row, column, "red")

# %% [markdown]
# ## 5 · Recap
#
# - One activation of a convolution: a window times the weights, added up over all channels, plus the bias, then the ReLU.
# - Max pooling keeps the largest of 3×3 activations; the switch says which one it was.
# - Convolutions have few weights and much work, fully connected layers the other way round.
#
# The idea of walking through a network number by number is from CNN Explainer: [Wang and others, 2020](https://arxiv.org/abs/2004.15004). Back to the core: [02 · Deconvnet](02_zfnet_deconvnet.ipynb).
