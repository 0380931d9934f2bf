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
# **The question.** Which numbers, exactly, make one number in a network, from the first layer to the probability of a class?
#
# This companion of [02 · Deconvnet](02_zfnet_deconvnet.ipynb) is a slow walk through a network: one place of the first layer with every number on the screen, one number deep inside, and the last steps to the probabilities. Each result is compared with the network's own. Then it counts what the network costs.
#
# **After this lesson you can**
# - say which part of the picture one number depends on;
# - compute one activation of a convolution by hand, and get the network's own number;
# - say where the switch of a max pooling points, and why;
# - write a number of a deeper layer, or the score of a class, as a sum of shares;
# - turn scores into probabilities, step by step;
# - count the weights and the multiplications of each layer.
#
# **Time**: about <!-- minutes --> minutes. **Before**: sections 1 and 2 of [02 · Deconvnet](02_zfnet_deconvnet.ipynb).

# %%
import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from course_utils.exercises import l02_zfnet_deconvnet as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l02c_one_number as inner
from course_utils.lessons.l02_zfnet_deconvnet import run_to
from course_utils.teach import inside, plots, widgets

lab = load_lab("scenes", model="zfnet")
model, scene = lab.model, 1  # picture number 1 shows a cat
x = lab.inputs[scene : scene + 1]
maps = inner.layer_outputs(model, x)  # what each layer gives for this picture

# %% [markdown]
# ## 1 · The whole network
#
# The network of lesson 02 has five convolutions (`conv1` to `conv5`), each followed by a ReLU, and a max pooling after the first, the second and the fifth. Then come two fully connected layers with a ReLU (`relu6`) between them: `fc6` with 96 *units* and `fc7` with one number for each of the ten classes, the *scores* (also called *logits*). A *channel* is one map of numbers in a layer, and a *place* (row, column) is one position in it, counted from 0.
#
# Here is all of it for one picture. Choose a layer and a place. The chosen number is the one at this place in the layer's strongest channel, which stands in the upper row. The orange frames show on which part of each earlier layer it depends: its *receptive field*.

# %% tags=["hide-input"]


def explore_network(picture, layer, row, column):
    """All layers for one picture; row and column go from 0 to 7, where 7 is the map's last one."""
    outputs = inner.layer_outputs(model, lab.inputs[picture : picture + 1])
    side = outputs[layer].shape[1]
    place = row * (side - 1) // 7, column * (side - 1) // 7
    inner.draw_overview(model, lab.images[picture], outputs, layer, place, lab.class_names)
    plots.show(
        f"Three channels of each layer for picture {picture}; frames mark what one number of {layer} depends on: "
        "the further back, the larger a part of the picture."
    )


widgets.explore(
    explore_network,
    picture=widgets.slider("picture", 0, len(lab.images) - 1, scene),
    layer=widgets.choice("layer", list(inner.SHOWN), "pool2"),
    row=widgets.slider("row (7: the last)", 0, 7, 4),
    column=widgets.slider("column (7: the last)", 0, 7, 4),
)

# %% [markdown]
# The same as a still picture, for the largest number of `relu4`:

# %% tags=["hide-input"]
strong, *place = inner.strongest(maps["relu4"])
inner.draw_overview(model, lab.images[scene], maps, "relu4", place, lab.class_names)
plots.show(
    "The picture, three maps of each of eight layers, the 96 units and the ten scores; frames show that one "
    "number of relu4 depends on 3×3 places of relu3 and on half of the picture's width."
)

# %% [markdown]
# Below each map stands the number of its channel, above each layer its shape: channels × rows × columns. Each pooling makes the maps smaller. From right to left the frames grow: one number of a deep layer depends on a large part of the picture. And from `relu3` back to the pixels the frames are in *all* channels: a convolution looks at every channel, while a ReLU and a pooling look at their own channel only.
#
# The frame is exact. Make all pixels outside it white, and the number stays the same; change only the pixels of its first or last row or column, and this number moves. (The frame says what *can* matter. On fresh pictures such a change moved the strongest number of `relu4` always, of `pool2` in a quarter of the cases, of `pool5` in nearly half: the largest of the nine often does not see the edge. And what the ReLU cuts to 0 may stay 0.)

# %% tags=["hide-input"]
left, top, right, bottom = inner.seen(model, maps, "relu4", place)["pixels"][0]
outside = torch.ones_like(x)  # white
outside[..., top:bottom, left:right] = x[..., top:bottom, left:right]
pictures = {"as it is": x, "all outside white": outside}
rows, columns = slice(top, bottom), slice(left, right)
edges = {"first row": (top, columns), "last row": (bottom - 1, columns)}
edges |= {"first column": (rows, left), "last column": (rows, right - 1)}
for name, (edge_rows, edge_columns) in edges.items():
    pictures[f"{name} brighter"] = changed = x.clone()
    changed[:, :, edge_rows, edge_columns] += 0.5  # in all three colours
row4, column4 = place
print(f"the frame: rows {top} to {bottom - 1}, columns {left} to {right - 1}")
for name, picture in pictures.items():
    number4 = inner.layer_outputs(model, picture)["relu4"][strong, row4, column4]
    print(f"{name:>21}: {number4:.5f}")

# %% [markdown]
# ## 2 · One place of the convolution
#
# `conv1` has 32 filters. Each is a block of 3 colours × 7 × 7 weights $w$, and has one bias $b$. For the place (row $r$, column $c$) take the 7×7 pixels around the pixel $(2r, 2c)$, in all three colours, multiply each pixel $x$ with its weight, and add up:
#
# $$z_{r,c} = b + \sum_{\text{colours}} \sum_{i,j} w_{\text{colour}, i, j}\; x_{\text{colour},\, 2r + i - 3,\, 2c + j - 3}, \qquad i, j = 0 \ldots 6 .$$
#
# The 2 is the stride. The 3 is the padding: three rows and columns of zeros around the picture, so that a place at the border has 7×7 pixels, too. The pixels run from −1 (black) to 1 (white), so a zero is a middle grey.
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
# The same number. Here are the 49 pixels, weights and products of one colour. Red is positive, blue is negative, and each table has its own colour scale. Look at the third table: a product is large and positive where pixel *and* weight are far from 0 and have the same sign.

# %% tags=["hide-input"]


def show_products(window, weights, bias, colour, name):
    """Pixels, weights and products of one colour as three tables side by side, and the sums of all three colours."""
    colours = ("red", "green", "blue")
    index, sums = colours.index(colour), (window * weights).sum(dim=(1, 2)).tolist()
    parts = ", ".join(f"{c} {part:+.2f}" for c, part in zip(colours, sums, strict=True))
    tables = window[index], weights[index], window[index] * weights[index]
    titles = f"pixels, {colour}", f"× weights, {colour}", f"= products: they add up to {sums[index]:+.2f}"
    figure, axes = plots.grid(1, 3, ratio=1.06, width=13.5)
    figure.get_layout_engine().set(h_pad=0.1)
    for ax, table, title in zip(axes[0], tables, titles, strict=True):
        inside.numbers(ax, table.round(decimals=2) + 0.0, decimals=2, fontsize=13)  # + 0.0: no −0.00
        ax.set_title(title.replace("-", "−"), fontsize=15)
    text = f"{name}: {parts}, bias {bias:+.2f}, together z = {sum(sums) + bias:+.2f}"
    figure.suptitle(text.replace("-", "−"), fontsize=15)
    plots.show(
        f"{text}. Three tables of 7×7 numbers: {colour} pixels, weights, and their products, which add up to "
        f"{sums[index]:+.2f}."
    )


show_products(window, weights, bias, "green", f"filter {number}, place ({row}, {column})")

# %% [markdown]
# Choose the picture, the filter, the place and the colour:

# %% tags=["hide-input"]


def explore_convolution(picture, filter_number, row, column, colour):
    """The numbers behind one place of the first layer."""
    padded = F.pad(lab.inputs[picture], (3, 3, 3, 3))
    window = padded[:, 2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
    weights = model.conv1.weight[filter_number].detach()
    bias = model.conv1.bias[filter_number].item()
    show_products(window, weights, bias, colour, f"filter {filter_number}, place ({row}, {column})")


widgets.explore(
    explore_convolution,
    picture=widgets.slider("picture", 0, len(lab.images) - 1, scene),
    filter_number=widgets.slider("filter", 0, 31, number),
    row=widgets.slider("row", 0, 63, row),
    column=widgets.slider("column", 0, 63, column),
    colour=widgets.choice("colour", ["red", "green", "blue"]),
)

# %% [markdown]
# The same as a still picture, for another colour:

# %% tags=["hide-input"]
explore_convolution(scene, number, row, column, "red")

# %% [markdown]
# The three colours and the bias add up to the number: the figure's title has all of them. A colour with many large products of both signs can still give little, because they cancel.

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
# ## 3 · ReLU and max pooling
#
# The ReLU looks at each number by itself: $a = \max(0, z)$. Max pooling then looks at windows of 3×3 places, at every second place, and keeps the largest number, $p$. The *switch* is the place of that number. The deconvnet of the core needs it on the way back.

# %%
with torch.no_grad():
    a = torch.relu(z)
    pooled, switches = F.max_pool2d(a, 3, 2, 1, return_indices=True)
up, left = row // 2, column // 2  # a pooled place whose window holds our place
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
    figure.get_layout_engine().set(h_pad=0.08)
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


# %% [markdown]
# Choose the picture, the filter and the pooled place:

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
# A still picture of another window of the same filter, one with negative numbers:

# %% tags=["hide-input"]
lowest = F.max_pool2d(-z[number][None], 3, 2, 1)[0]  # a window with large and with negative numbers
mixed = divmod(int((lowest * (pooled[number] > 2)).argmax()), pooled.shape[2])
show_pooling(z[number], pooled[number], switches[number], *mixed)

# %% [markdown]
# What was negative is 0 after the ReLU, and the framed number goes on. At the border of the map, the window reaches outside. These places are shown as 0, but the pooling leaves them out: the switch always points inside the map. Where all numbers of the window are 0, it points to the first of them.

# %% [markdown]
# ## 4 · One number deep inside
#
# A deeper convolution does the same as the first one, only that more channels come in. `conv4` gets the 96 channels of `relu3`. Its filter $k$ has a table of 3×3 weights $w_{k,m}$ for *each* channel $m$, and one bias $b_k$:
#
# $$z_{k,r,c} = b_k + \sum_{m=0}^{95} s_m, \qquad s_m = \sum_{i,j} w_{k,m,i,j}\; a_{m,\, r + i - 1,\, c + j - 1}, \qquad i, j = 0, 1, 2 .$$
#
# $a$ is what comes out of `relu3`, with one row and column of zeros around it (the padding is 1, the stride is 1). $s_m$ is the *share* of channel $m$: what this channel adds to the number. By hand, for the largest number of `conv4`:

# %% tags=["by-hand"]
k, row4, column4 = inner.strongest(maps["conv4"])
w4, b4 = model.conv4.weight[k].detach(), model.conv4.bias[k].item()
padded = F.pad(maps["relu3"], (1, 1, 1, 1))
window4 = padded[:, row4 : row4 + 3, column4 : column4 + 3]  # (96, 3, 3)
shares = (window4 * w4).sum(dim=(1, 2))  # (96,): one share a channel
print(f"conv4, channel {k}, place ({row4}, {column4})")
print(f"{int((shares > 0).sum()):3} positive shares: {shares.clamp(min=0).sum():+8.3f}")
print(f"{int((shares < 0).sum()):3} negative shares: {shares.clamp(max=0).sum():+8.3f}")
print(f"{int((shares == 0).sum()):3} shares of zero")
print(f"    the bias:        {b4:+8.3f}")
z4, own = shares.sum() + b4, maps["conv4"][k, row4, column4]
print(f"    together:        {z4:+8.3f}")
print("the network's number, to 0.00001:", bool((z4 - own).abs() < 1e-5))

# %% [markdown]
# Each of the 96 shares is itself a sum of nine products. The explorer shows the largest shares as steps, and the nine products of two channels: the one that adds most, and the one that takes most away.

# %% tags=["hide-input"]


def explore_value(picture, layer, channel, row, column):
    """One number of a deeper convolution as a sum over the channels that come in."""
    outputs = inner.layer_outputs(model, lab.inputs[picture : picture + 1])
    channel = min(channel, len(outputs[layer]) - 1)  # conv5 has fewer channels
    shares, bias = inner.draw_value(model, outputs, layer, channel, (row, column))
    plots.show(
        f"{layer}, channel {channel}, place ({row}, {column}): {len(shares)} shares and the bias {bias:.2f} add up "
        f"to {float(shares.sum()) + bias:.2f}; the largest share is {float(shares.max()):.2f}, the smallest "
        f"{float(shares.min()):.2f}."
    )


widgets.explore(
    explore_value,
    picture=widgets.slider("picture", 0, len(lab.images) - 1, scene),
    layer=widgets.choice("layer", ["conv3", "conv4", "conv5"], "conv4"),
    channel=widgets.slider("channel (conv5: up to 63)", 0, 95, k),
    row=widgets.slider("row", 0, 15, row4),
    column=widgets.slider("column", 0, 15, column4),
)

# %% [markdown]
# The number from above as a still picture:

# %% tags=["hide-input"]
explore_value(scene, "conv4", k, row4, column4)

# %% [markdown]
# No channel makes this number alone. Read the left part from above: the bias, then the nine shares of the largest size, each beginning where the one before ended, then all other channels together. On the right you see why a share is large: the window has large activations *where* the weights are large and positive. After a ReLU no activation is negative, so the sign of each product is the sign of its weight.
#
# The same filter, at the place where it answers least:

# %% tags=["hide-input"]
lowest_place = divmod(int(maps["conv4"][k].argmin()), 16)
explore_value(scene, "conv4", k, *lowest_place)

# %% [markdown]
# Here the shares lead far below 0, and the ReLU makes 0 of it. So a 0 in a map does not mean that nothing came in.
#
# ### Exercise: by hand
#
# Two channels come in, each a map of 4×5 numbers. A filter has a table of 3×3 weights for each of them, and the bias 3. The padding is 1, the stride is 1. What is $z$ at the place (row 1, column 2), before the ReLU? Rows and columns are counted from 0.

# %% tags=["hide-input"]
small_maps, small_weights, small_bias = exercises.small_maps()
figure, axes = plt.subplots(1, 4, figsize=(10, 2.3), width_ratios=[5, 3, 5, 3])
for m in (0, 1):
    marked = [(1, 2)]  # the place
    inside.numbers(axes[2 * m], small_maps[m], f"map {m}", decimals=0, fontsize=12, marked=marked)
    inside.numbers(axes[2 * m + 1], small_weights[m], f"weights for map {m}", decimals=0, fontsize=12)
plots.show("Two maps of 4×5 whole numbers, the place (1, 2) framed, and a table of 3×3 weights for each.")

# %% exercise="deeper_value"
answer = None  # one number
# BEGIN SOLUTION
first = -2 * 2 - 2 * 5 - 1 * 0 - 1 * 0 + 2 * 2  # the five weights of map 0 that are not 0
second = 1 * 2 - 2 * 2 - 1 * 0 - 2 * 0  # the four of map 1
answer = first + second + 3
# END SOLUTION

# %%
exercises.deeper_value.check(answer, *exercises.small_maps(), (1, 2))

# %% [markdown]
# ## 5 · The end: from maps to probabilities
#
# After `pool5` there are 64 maps of 8×8 numbers. `flatten` writes them in one row of 4,096 numbers, channel after channel and row after row; no number changes. Channel $m$, row $r$, column $c$ gets the number $64\,m + 8\,r + c$ in it. Each of the 96 units of `fc6` then has a weight for every one of them. Its value before the ReLU is again a bias and a sum of products, now of 4,096.

# %%
m, r5, c5 = inner.strongest(maps["pool5"])
print("flatten:", bool(maps["flatten"][64 * m + 8 * r5 + c5] == maps["pool5"][m, r5, c5]))
unit = int(maps["relu6"].argmax())  # the strongest unit
products = (model.fc6.weight[unit].detach() * maps["flatten"]).view(64, 8, 8)
b6 = model.fc6.bias[unit].item()
print(f"unit {unit}: {products.sum():.3f} + bias {b6:.3f} = {products.sum() + b6:.3f}")
print("the network's number, to 0.00001 of it:", bool(torch.isclose(products.sum() + b6, maps["fc6"][unit])))
by_place = products.sum(dim=0)  # (8, 8): the 64 channels of each place together

# %% tags=["hide-input"]
inner.draw_places(lab.images[scene], by_place, b6, unit)
plots.show("The picture in 8×8 parts, and the share of each part in one unit: the largest are at the cat.")

# %% [markdown]
# The 4,096 products, added up place by place: most of this unit's value comes from the places of the cat. Each place of `pool5` has seen much more of the picture than its own square (set the layer to `pool5` in the first explorer), so the table does not say which pixels count.
#
# The score of class $k$ is a sum once more, over the 96 units $h_u$ that `relu6` gives. The *softmax* makes probabilities $p_k$ of the scores $z_k$:
#
# $$z_k = b_k + \sum_{u=0}^{95} w_{k,u}\, h_u, \qquad p_k = \frac{e^{z_k}}{\sum_j e^{z_j}} .$$
#
# Each score becomes a positive number, its power of $e = 2.718\ldots$, divided by the sum of them all.

# %% tags=["by-hand"]
h, own_scores = maps["relu6"], maps["fc7"]
print("units above zero:", int((h > 0).sum()), "of", len(h))
by_unit = model.fc7.weight.detach() * h  # (10, 96): the share of each unit in each score
scores = by_unit.sum(dim=1) + model.fc7.bias.detach()
print("the network's scores, to 0.00001:", bool(((scores - own_scores).abs() < 1e-5).all()))
power = (scores - scores.max()).exp()  # subtracting the same number from all changes no probability
probabilities = power / power.sum()
own = own_scores.softmax(dim=0)
print("the network's probabilities, to 0.00001:", bool(((probabilities - own).abs() < 1e-5).all()))
print("without subtracting, scores + 100: ", (scores[:2] + 100).exp() / (scores + 100).exp().sum())

# %% [markdown]
# Subtracting the largest score is for the computer: $e^{100}$ is too large for its 32-bit numbers and becomes “infinity”, and infinity divided by infinity is `nan`, “not a number”. Because of $e^{z-c} = e^z / e^c$, the same factor stands above and below the fraction line.
#
# ### Exercise: softmax with numbers
#
# Three classes have the scores 2, 0 and −1. What are their probabilities? Two decimals are enough.

# %% exercise="softmax_numbers"
answer = None  # a list of three numbers
# BEGIN SOLUTION
powers = [7.389, 1.0, 0.368]  # e to the power of 2, 0 and −1
answer = [power_of / sum(powers) for power_of in powers]
# END SOLUTION

# %%
exercises.softmax_numbers.check(answer, torch.tensor([2.0, 0.0, -1.0]))

# %% [markdown]
# Choose a picture, and the class whose score you want to see as a sum. On the left stand the shares of the units, on the right the way from scores to probabilities. Try the picture at which the network is least sure: the cell prints its number.

# %% tags=["hide-input"]


def explore_end(picture, target):
    """The shares in one class score, and the steps from all scores to the probabilities."""
    outputs = inner.layer_outputs(model, lab.inputs[picture : picture + 1])
    shares, bias = inner.draw_end(model, outputs, target, lab.class_names)
    probability = float(outputs["fc7"].softmax(dim=0)[target])
    plots.show(
        f"The score of {lab.class_names[target]} as steps: bias {bias:.2f} and {int((shares != 0).sum())} shares that "
        f"are not 0 add up to {float(shares.sum()) + bias:.2f}; a table leads to the probability {probability:.4f}."
    )


best = lab.predict(lab.images).max(axis=1)  # the probability of the winner, for each picture
print(f"least sure: picture {best.argmin()}, the winner's probability is {best.min():.2f}")
widgets.explore(
    explore_end,
    picture=widgets.slider("picture", 0, len(lab.images) - 1, scene),
    target=widgets.choice("class", {name: i for i, name in enumerate(lab.class_names)}, 0),
)

# %% [markdown]
# The same as a still picture, for the class that wins:

# %% tags=["hide-input"]
explore_end(scene, int(own.argmax()))

# %% [markdown]
# In this picture only a few units are above zero, so that the whole score is a short sum. On the right, one large difference of scores is enough: what is 5 smaller than the largest score gets $e^{-5}$, less than a hundredth of the winner's probability.
#
# > **Where it breaks.** A share in *one* score is not yet a reason for *this* class. Compare the shares of the same units in the scores of “cat” and “car”:

# %% tags=["hide-input"]
cat, car = lab.class_names.index("cat"), lab.class_names.index("car")
print("unit   in cat   in car   difference")
for u in sorted(h.nonzero().flatten().tolist(), key=lambda u: -by_unit[cat, u]):
    to_cat, to_car = by_unit[cat, u], by_unit[car, u]
    print(f"{u:4} {to_cat:+8.2f} {to_car:+8.2f} {to_cat - to_car:+10.2f}")
biases = model.fc7.bias[cat].item() - model.fc7.bias[car].item()
together = float((by_unit[cat] - by_unit[car]).sum()) + biases
print(f"with the biases ({biases:+.2f}), the differences add up to {together:.3f}")
print(f"the logarithm of p(cat) / p(car):                    {(own[cat] / own[car]).log():.3f}")

# %% [markdown]
# The unit with the largest share in “cat” adds nearly as much to “car”: between these two classes it decides next to nothing. What decides is the difference of two scores, and it is a sum of shares, too. This cat is no exception: against the *second-best* class, the largest share in the winner's score and the largest share in the difference belong to different units in about three pictures of four. It equals the logarithm of the ratio of the two probabilities, because the sum below the fraction line is the same for both.

# %% [markdown]
# ## 6 · What the network costs
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
signal = x
with torch.no_grad():
    for name, module in model.named_children():
        signal = module(signal)
        if hasattr(module, "weight"):
            places = signal[0, 0].numel() if signal.ndim == 4 else 1
            costs.append((name, places, module.weight.numel(), places * module.weight.numel()))

# %% tags=["hide-input"]
print("layer   places  weights  multiplications for a picture")
for name, places, n_weights, n_products in costs:
    print(f"{name:>5} {places:8,} {n_weights:8,} {n_products:12,}")
figure, axes = plt.subplots(1, 2, figsize=(10, 2.8), sharey=True)
names = [line[0] for line in costs]
columns = {"weights (thousands)": (2, 1e3), "multiplications for one picture (millions)": (3, 1e6)}
for ax, (title, (entry, unit)) in zip(axes, columns.items(), strict=True):
    ax.barh(names, [line[entry] / unit for line in costs], color=plots.ACCENT)
    ax.set_title(title)
axes[0].invert_yaxis()
plots.show(
    "Weights and multiplications of each layer: the fully connected layer fc6 has the most weights and next to "
    "no multiplications, the convolutions the other way round."
)

# %% [markdown]
# Weights and work are in different layers. A convolution uses the same few weights at each place, so it has few weights and much work. `fc6` uses each of its weights once.

# %% [markdown]
# ## 7 · Recap
#
# - One number depends on a part of each earlier layer, its receptive field, and the deeper it lies, the larger this part of the picture.
# - One activation of a convolution: a window times the weights, added up over all channels, plus the bias, then the ReLU.
# - Max pooling keeps the largest of 3×3 activations; the switch says which one it was.
# - A number before a ReLU, and the score of a class, is a bias plus the shares of what comes in. A share in one score says nothing about another class; the difference of two scores does.
# - The softmax: the power of $e$ of each score, divided by the sum of all.
# - A convolution uses each weight at every place, a fully connected layer uses each once. Most weights are in `fc6`, most of the work is in the convolutions.
#
# The ReLUs and the max poolings are all that keeps the whole network from being one bias and one sum of shares of the pixels. As long as no ReLU and no switch changes, it is one: [20 · A network that you can read completely](20_pieces_and_symmetries.ipynb) takes this to its end. [14 · LRP](14_lrp.ipynb) passes shares back from the score to the pixels, and [03 · CAM](03_cam.ipynb) reads the shares of places as a map.
#
# The idea of walking through a network number by number is from CNN Explainer: [Wang and others, 2020](https://arxiv.org/abs/2004.15004). Back to the core: [02 · Deconvnet](02_zfnet_deconvnet.ipynb).
