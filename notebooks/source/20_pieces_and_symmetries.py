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
# # 20 · A network that you can read completely
#
# **The question.** A network is called a black box. What of it can you read exactly, with nothing estimated, and what does that tell you?
#
# **After this lesson you can**
# - write a network and its training in NumPy, and show that it equals PyTorch;
# - count the straight pieces that a small network consists of, without missing one;
# - give the exact formula behind an answer, and say how far from the point it holds;
# - build a layer that turns with the picture, and find the mistake that a careless test does not see;
# - predict which frequencies a ReLU makes out of a wave.
#
# **Time**: about <!-- minutes --> minutes. **Before**: gradient, ReLU and convolution ([02](02_zfnet_deconvnet.ipynb)), local straight models ([06 · LIME](06_lime.ipynb)).
#
# There is no data set to load: points in a plane are drawn at random, and the handwritten digits come with scikit-learn.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F

from course_utils import judge
from course_utils.exercises import l20_pieces_and_symmetries as exercises
from course_utils.lessons import l20_pieces_and_symmetries as lesson
from course_utils.lessons.l20_pieces_and_symmetries import BOX, sigmoid
from course_utils.methods.pieces import count_regions, layers_of, piece_of, pieces, reach
from course_utils.teach import plots, widgets

points, labels = lesson.moons()  # (200, 2) and (200,)
small = lesson.before_and_after((2, 8, 1), 0)[1]  # a trained network of 8 hidden units
train_x, train_y, test_x, test_y = lesson.digits()

# %% [markdown]
# ## 1 · A puzzle: of how many parts?
#
# A small network separates two half moons. It has 2 inputs, one hidden layer of 8 units and one score: above zero means the lower moon (class 1, triangles), below zero the upper one (class 0, circles). The picture shows lines of equal score (… −2, 0, 2, 4 …), as a map shows lines of equal height.

# %% tags=["hide-input"]
x, y = np.meshgrid(np.linspace(-2.5, 2.5, 300), np.linspace(-2.5, 2.5, 300))
height = lesson.scores(small, np.column_stack([x.ravel(), y.ravel()])).reshape(x.shape)
figure, ax = plt.subplots(figsize=(5.2, 4.2))
lines = ax.contour(x, y, height, levels=np.arange(-30, 30, 2), cmap=plots.DIVERGING, linewidths=1)
ax.contour(x, y, height, levels=[0], colors="black", linewidths=2)
lesson.draw_points(ax, points, labels)
ax.set(xlabel="x₁", ylabel="x₂", aspect="equal")
ax.set_title(
    f"right for {lesson.right(small, points, labels):.0%} of the points; black: score 0",
    loc="left",
    fontsize=10,
)
plots.show("Lines of equal score of a small network over two half moons. The lines are straight and bend at certain places.")  # fmt: skip

# %% tags=["hide-input"]
exercises.how_many

# %% [markdown]
# Look at the lines: they are straight and bend suddenly. The network is made of flat parts. In section 3 you count them, and in section 4 you read the formula of each. First we build the network, so that nothing in it is hidden.

# %% [markdown]
# ## 2 · A perceptron from nothing
#
# A *multilayer perceptron* takes a row of numbers $x$ and repeats two steps. Layer $l$ has a matrix $W_l$ and a vector $b_l$, and computes
#
# $$z_l = W_l\, a_{l-1} + b_l, \qquad a_l = \max(0, z_l), \qquad a_0 = x.$$
#
# The maximum, taken number by number, is the ReLU. The last layer has none: its $z$ is the *score* $f(x)$. With two classes $p = \sigma(f) = 1/(1 + e^{-f})$ is the probability of class 1. In the code each row is one of the $n$ examples, so a layer is `a @ W.T + b`.
#
# Training needs the slope of the mean loss $-\frac{1}{n}\sum \log(\text{probability of the true class})$ at each weight. Start at the end and go back. Call $\delta_l$ the slope of this loss at $z_l$, again one row an example. At the score it is $(p - y)/n$ with the label $y$, 0 or 1; then
#
# $$\frac{\partial}{\partial W_l} = \delta_l^\top a_{l-1}, \qquad \frac{\partial}{\partial b_l} = \sum_{\text{examples}} \delta_l, \qquad \delta_{l-1} = (\delta_l W_l) \odot [a_{l-1} > 0].$$
#
# ($\odot$ multiplies number by number; $[\ldots]$ is 1 where the condition holds, else 0.) So a unit that is off stops the slope.
#
# ### Exercise: back through one layer


# %% exercise="back_through"
def back_through(delta, a, weight):
    """From delta (n, units) at z, the layer's input a (n, inputs), after a ReLU, and W (units, inputs):
    the slope at W, the slope at b, and the slope at the z of the layer below, a tuple of three."""
    # BEGIN SOLUTION
    return delta.T @ a, delta.sum(axis=0), (delta @ weight) * (a > 0)
    # END SOLUTION


# %%
exercises.back_through.check(back_through)

# %% [markdown]
# ### All of it


# %% tags=["by-hand"]
def forward(layers, x):
    """The numbers behind each layer, from the input to the score."""
    found = [x]
    for i, (weight, bias) in enumerate(layers):
        z = found[-1] @ weight.T + bias
        found.append(np.maximum(z, 0) if i < len(layers) - 1 else z)
    return found


def backward(layers, x, y):
    """The slopes of the mean loss at each (W, b)."""
    a = forward(layers, x)
    delta, slopes = (sigmoid(a[-1]) - y[:, None]) / len(y), []
    for i in reversed(range(len(layers))):
        slopes.append((delta.T @ a[i], delta.sum(axis=0)))
        delta = (delta @ layers[i][0]) * (a[i] > 0)
    return slopes[::-1]


# %%
layers = lesson.new_network((2, 8, 1), seed=0)  # small random weights
for _ in range(3000):
    slopes = backward(layers, points, labels)
    layers = [(W - 0.3 * gW, b - 0.3 * gb) for (W, b), (gW, gb) in zip(layers, slopes, strict=True)]
same = all(np.array_equal(mine, given) for pair in zip(layers, small, strict=True) for mine, given in zip(*pair, strict=True))  # fmt: skip
print(f"right for {lesson.right(layers, points, labels):.0%} of the points; equal to `small`: {same}")

# %% [markdown]
# That is the whole of it: no library but NumPy. It made the network of the puzzle again, number by number. Are the slopes right? PyTorch computes slopes by itself (*autograd*). A second reference is the definition of a slope: move one weight by $\pm 10^{-6}$ and look at the loss.

# %% tags=["hide-input", "nbval-check-output"]
deep = lesson.new_network((2, 8, 8, 1), seed=1)
model = lesson.as_torch(deep)
output = model(torch.from_numpy(points))
F.binary_cross_entropy_with_logits(output[:, 0], torch.from_numpy(labels).double()).backward()
ours = np.concatenate([np.concatenate([w.ravel(), b]) for w, b in backward(deep, points, labels)])
autograd = torch.cat([weight.grad.flatten() for weight in model.parameters()])


def loss_of(moved):
    f = forward(moved, points)[-1][:, 0]
    return np.mean(np.logaddexp(0, np.where(labels == 1, -f, f)))


nudged = []
for sign in (1, -1):
    copy = [(w.copy(), b.copy()) for w, b in deep]
    copy[1][0][3, 2] += sign * 1e-6
    nudged.append(loss_of(copy))
apart = max(
    np.abs(ours - autograd.numpy()).max(), np.abs(forward(deep, points)[-1] - output.detach().numpy()).max()
)
print(f"scores and slopes differ from PyTorch's by less than 1e-12: {apart < 1e-12}")
judge.agreement_table(
    [
        ("PyTorch, the scores", forward(deep, points)[-1], output.detach(), "two hidden layers"),
        ("autograd, all slopes", ours, autograd, "two hidden layers"),
        ("two losses", backward(deep, points, labels)[1][0][3, 2], (nudged[0] - nudged[1]) / 2e-6, "one weight ± 10⁻⁶"),
    ]
)  # fmt: skip

# %% [markdown]
# ## 3 · Its pieces, counted
#
# Hidden unit $j$ computes $\max(0, w_j \cdot x + b_j)$. It is *on* on one side of the line $w_j \cdot x + b_j = 0$ and *off* on the other. Eight units are eight lines, and between the lines no unit changes: there the network is one straight formula. Such a part is a **piece**, and the list of units that are on is its **pattern**.
#
# How many pieces are there in the square that we look at? Put the lines into the empty square one after another. A new line that crosses the square cuts one region in two, and one more each time it meets a line that is there already. So
#
# $$\text{regions} = 1 + (\text{lines that cross the square}) + (\text{points in the square where two lines meet}).$$
#
# With $n$ lines that is at most $1 + n + n(n-1)/2$, for 8 lines 37 (Zaslavsky, 1975). The formula holds if no three lines meet in one point, which random weights never do. Parallel lines do no harm: they do not meet.
#
# ### Exercise: count
#
# The square reaches from `-size` to `size` in both directions. Two lines $i, j$ meet at `np.linalg.solve(weight[[i, j]], -bias[[i, j]])`.


# %% exercise="regions"
def regions(weight, bias, size):
    """The number of regions into which the lines weight (n, 2) @ x + bias (n,) = 0 cut the square."""
    # BEGIN SOLUTION
    corners = np.array([(x, y) for x in (-size, size) for y in (-size, size)])
    sides = corners @ weight.T + bias > 0
    count = 1 + (sides.any(axis=0) & ~sides.all(axis=0)).sum()
    for i in range(len(bias)):
        for j in range(i):
            meet = np.linalg.solve(weight[[i, j]], -bias[[i, j]])
            count += np.abs(meet).max() < size
    return int(count)
    # END SOLUTION


# %%
exercises.regions.check(regions)

# %% [markdown]
# ### Four ways to count
#
# The course's `pieces(layers, box)` does not count but *cuts*: it starts with the square and cuts every part along each line. Two more references: a linear program asks for each of the 256 patterns whether any point of the square has it; and a fine grid, which may miss slivers, collects the patterns of 810,000 points.

# %%
start = lesson.new_network((2, 8, 1), seed=0)
found = {"before training": pieces(start, BOX), "after": pieces(small, BOX)}
counts = [
    (name, count_regions(*net[0], BOX), len(found[name]), lesson.possible_patterns(*net[0]), lesson.on_a_grid(net))
    for name, net in (("before training", start), ("after", small))
]  # fmt: skip

# %% tags=["hide-input", "nbval-check-output"]
print(f"{'':16}{'formula':>9}{'cutting':>9}{'programs':>10}{'grid':>7}")
for name, *numbers in counts:
    print("{:16}{:9}{:9}{:10}{:7}".format(name, *numbers))

# %% tags=["hide-input", "thumbnail"]
axes = lesson.new_figure(2, 4.6)
for ax, (name, parts) in zip(axes, found.items(), strict=True):
    lesson.draw_pieces(ax, parts, f"{name}: {len(parts)} pieces")
    lesson.draw_points(ax, points, labels)
plots.show(
    "The square, cut into its pieces by eight lines, before and after training, red where the score is above zero; the border "
    "between the classes is made of straight parts."
)

# %% [markdown]
# The three exact ways agree; the grid, which can only see fewer, has missed none here. Thin dark lines: where a unit switches. Thick black line: score zero, the border between the classes; red above zero, blue below (one colour for each part: the score in its middle). The border runs straight through a piece and turns at its edges. That is all that this network is: one formula for each of these parts.

# %% [markdown]
# ## 4 · The exact explanation of an answer
#
# Inside a piece the network is $f(x) = A\,x + c$. You find $A$ and $c$ by going through the layers with the pattern held fixed: a unit that is on passes its formula on, one that is off passes zero.


# %% tags=["by-hand"]
def my_piece(layers, x):
    """A (k, d) and c (k,) with scores = A @ x + c on the whole piece of x."""
    A, c = np.eye(len(x)), np.zeros(len(x))
    for weight, bias in layers[:-1]:
        A, c = weight @ A, weight @ c + bias
        on = A @ x + c > 0
        A, c = A * on[:, None], c * on
    weight, bias = layers[-1]
    return weight @ A, weight @ c + bias


doubtful = points[np.abs(lesson.scores(small, points)[:, 0]).argmin()]
A, c = my_piece(small, doubtful)
print(f"f(x) = {A[0, 0]:+.2f} · x₁ {A[0, 1]:+.2f} · x₂ {c[0]:+.2f}")
print(f"at x = ({doubtful[0]:.2f}, {doubtful[1]:.2f}): {(A @ doubtful + c)[0]:+.3f}")
print(f"the network itself says: {lesson.scores(small, doubtful[None])[0, 0]:+.3f}")

# %% [markdown]
# Read it: near this point $x_1$ counts almost four times as much as $x_2$, and a step of $0.51 / 12.19 = 0.042$ to the right brings the score to zero. So much is certain only inside the piece; you will soon see how far it goes.
#
# This is an explanation with nothing estimated. Chu and others (2018) call the method *OpenBox*. References: the gradient, by captum's `Saliency` with its sign kept, must be $A$; and $A x + c$ must be the score, here for all 200 points of a network with three hidden layers.

# %%
from captum.attr import Saliency

start_888, deep_888, _ = lesson.before_and_after((2, 8, 8, 8, 1), 0)
formulas = [my_piece(deep_888, x) for x in points]

# %% tags=["hide-input", "nbval-check-output"]
sums = np.array([(A @ x + c)[0] for (A, c), x in zip(formulas, points, strict=True)])
slopes_888 = np.array([A[0] for A, _ in formulas])
theirs = Saliency(lesson.as_torch(deep_888)).attribute(torch.from_numpy(points).requires_grad_(), abs=False)
judge.agreement_table(
    [
        ("the score", sums, lesson.scores(deep_888, points)[:, 0], "A x + c"),
        ("captum Saliency", slopes_888, theirs, "abs=False"),
        ("course_utils piece_of", slopes_888, np.array([piece_of(deep_888, x).slope[0] for x in points]), "the same"),
    ]
)  # fmt: skip

# %% [markdown]
# ### How far does it hold?
#
# An explanation should say where it stops being true. Here it is exact up to the border of the piece and wrong beyond. For one hidden layer the border is the nearest line.
#
# ### Exercise: the distance


# %% exercise="how_far"
def how_far(weight, bias, x):
    """The distance from x (d,) to the nearest of the lines weight (n, d) @ x + bias (n,) = 0."""
    # BEGIN SOLUTION
    return np.min(np.abs(weight @ x + bias) / np.linalg.norm(weight, axis=1))
    # END SOLUTION


# %%
exercises.how_far.check(how_far)

# %% [markdown]
# The course's `reach(layers, x)` does the same for any number of layers.
#
# ### The score: exact, or useful?
#
# Now compare it with what [LIME](06_lime.ipynb) does: draw random points around $x$, here in a disc, and fit a straight formula to the network's answers. Sixty points are explained. Left: how wrong the fitted *slope* is, the length of its difference from the true $A$, as a share of the mean length of $A$. Right: how wrong each *formula* is about the score at some distance from $x$, the mean over 32 directions.

# %%
distances, radii = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0), (0.05, 0.2, 0.5, 1.0)
errors, slope_errors = lesson.errors_around(small, points[:60], distances, radii)
reaches = np.array([reach(small, x) for x in points])

# %% tags=["hide-input"]
axes = lesson.new_figure(2, 3.3)
axes[0].boxplot(slope_errors.T, tick_labels=[f"{radius:g}" for radius in radii], showfliers=False)
axes[0].set(xlabel="radius of the disc", ylabel="‖slope − A‖ / mean ‖A‖")
axes[0].set_title("A fit is exact only inside the piece", loc="left", fontsize=11)
for k, name in enumerate(("exact formula", *(f"fit, radius {radius:g}" for radius in radii))):
    axes[1].plot(
        distances, errors[k].mean(axis=0) + 1e-16, "osD^v"[k] + "-", color=plots.COLOURS[k], label=name
    )
axes[1].axvline(np.median(reaches), color=plots.BASELINE, linestyle="--")
axes[1].set(
    xscale="log", yscale="log", ylim=(1e-3, None), xlabel="distance from x", ylabel="error of the score"
)
axes[1].set_title("Nearest: the exact one. Farthest: the widest fit", loc="left", fontsize=11)
axes[1].legend(fontsize=9)
plots.show(
    "Left: the error of a fitted slope grows with the radius. Right: error of the predicted score against the distance. "
    "Nearest to the point the exact formula is best on average, then fits of growing radius; the dashed line is the median reach."
)

# %% tags=["hide-input"]
print(f"reach of the 200 points: median {np.median(reaches):.2f}, smallest {reaches.min():.4f}; "
      f"of the doubtful one {reach(small, doubtful):.2f}: its step of 0.042 stays inside")  # fmt: skip
holds, near = reaches[:60] > 0.05, errors[:2, :, distances.index(0.05)]
print(
    f"at distance 0.05 the formula still holds for {holds.mean():.0%} of the 60 points, exactly: {near[0, holds].max() < 1e-12}"
)
print(
    f"    for the others its mean error is {near[0, ~holds].mean():.3f}, that of the fit with radius 0.05 {near[1, ~holds].mean():.3f}"
)
at = distances.index(1.0)
print(
    f"error at distance 1, exact minus fit with radius 1: {judge.paired(errors[0, :, at], errors[4, :, at])}"
)

# %% [markdown]
# **Exact is not the same as best.** Within its reach nothing beats the exact formula, but the reaches differ (dashed: the median): at a distance of 0.05 it has ended for some points already, and these make the whole error of the blue line. So from there on a fit is better on average, the wider the farther, though it is exact nowhere. They answer two questions: what does the network do *at this point*, and what does it do *around here*? Say which you asked.

# %% [markdown]
# ## 5 · Deeper networks, and what training does to the pieces
#
# A unit of the second layer is straight inside each piece of the first, and turns where it passes into the next. Its border is a bent line. So cutting still works: piece by piece, layer by layer. Three layers of 8 units could make at most $37^3 = 50{,}653$ pieces by this argument. How many are there?

# %% tags=["hide-input"]
parts_888 = {"before training": pieces(start_888, BOX), "after": pieces(deep_888, BOX)}
axes = lesson.new_figure(2, 4.6)
for ax, (name, parts) in zip(axes, parts_888.items(), strict=True):
    lesson.draw_pieces(ax, parts, f"{name}: {len(parts)} pieces", edge=0.5)
    lesson.draw_points(ax, points, labels, size=6)
plots.show(
    "Pieces of a network with three hidden layers of 8 units before and after training: "
    + ", ".join(f"{name} {len(parts)}" for name, parts in parts_888.items())
    + ". Lines of deeper layers bend where they cross those of earlier ones."
)

# %% [markdown]
# A few hundred: far from the bound. Hanin and Rolnick (2019) show that this is the rule for random weights, and find it after training. Weights chosen by hand can do more: at least 9,472 pieces for these widths (Montúfar and others, 2014).

# %% tags=["hide-input"]
exercises.training_removes

# %%
from tqdm.auto import tqdm

changes = {}
for penalty in tqdm((0, 0.01, 0.03), leave=False):
    for seed in range(5):
        before, after, _ = lesson.before_and_after((2, 8, 8, 8, 1), seed, penalty)
        quality = lesson.right(after, *lesson.moons(seed + 100))  # fresh points
        changes[penalty, seed] = len(pieces(before, BOX)), len(pieces(after, BOX)), quality

# %% tags=["hide-input"]
axes = lesson.new_figure(3, 2.9)
for ax, penalty in zip(axes, (0, 0.01, 0.03), strict=True):
    for seed in range(5):
        ax.plot([0, 1], changes[penalty, seed][:2], "o-", color=plots.ACCENT, alpha=0.7)
    mean = np.mean([changes[penalty, seed][2] for seed in range(5)])
    ax.set_xticks([0, 1], ["before", "after"])
    ax.set(xlim=(-0.3, 1.3), ylim=(0, max(c[1] for c in changes.values()) * 1.1))
    ax.set_title(f"penalty {penalty:g}: right for {mean:.2f}", loc="left", fontsize=11)
axes[0].set_ylabel("pieces in the square")
means = {p: [np.mean([changes[p, s][k] for s in range(5)]) for k in (0, 1)] for p in (0, 0.01, 0.03)}
plots.show(
    "Pieces before and after training, five networks, three penalties. Means: "
    + "; ".join(f"penalty {p:g}, {a:.0f} before, {b:.0f} after" for p, (a, b) in means.items())
    + "."
)

# %% [markdown]
# Plain training (left) does not remove pieces: in these five runs it adds some. A *penalty* $\frac{\lambda}{2}\cdot$(sum of all squared weights and biases), added to the loss, pulls every weight towards zero. With $\lambda = 0.01$ the network is right about as often and has a quarter fewer pieces than the plain one on average, though not in every run. With $\lambda = 0.03$ few are left, and it pays: it is right less often, and one of the five has learnt nothing at all. **If you want a network that can be read, ask for it while you train it, and look what it costs.**
#
# ### The real thing: 64 inputs
#
# Cutting needs a plane. But the formula at a point works for any size. A network of 64, 32, 16 and 10 units reads handwritten digits of 8 × 8 pixels. The picture shows the row of $A$ for the digit that it says, and that row times the pixels: together with $c$ they *are* the score. Red raises it, blue lowers it.

# %%
reader = lesson.digit_network(train_x, train_y)
readable = layers_of(reader)
tests = test_x.flatten(1).double().numpy()
explained = [piece_of(readable, x) for x in tests]
says = np.array([(p.slope @ x + p.offset).argmax() for p, x in zip(explained, tests, strict=True)])
patterns = {p.on.tobytes() for p in explained}
ways = [lesson.pieces_between(readable, tests[i], tests[i + 1]) for i in range(0, 100, 2)]

# %% tags=["hide-input"]
figure, axes = plots.grid(2, 6, width=9.5)
for k, at in enumerate(np.flatnonzero(test_y.numpy() == 3)[:4]):
    row, digit = axes.flat[3 * k : 3 * k + 3], says[at]
    shares = explained[at].slope[digit] * tests[at]
    lesson.show_digit(row[0], tests[at], f"says {digit}")
    limit = np.abs(explained[at].slope[digit]).max()
    row[1].imshow(explained[at].slope[digit].reshape(8, 8), cmap=plots.DIVERGING, vmin=-limit, vmax=limit)
    row[1].set_title(f"row of A for {digit}", fontsize=9)
    limit = np.abs(shares).max()
    row[2].imshow(shares.reshape(8, 8), cmap=plots.DIVERGING, vmin=-limit, vmax=limit)
    row[2].set_title(f"{shares.sum():+.1f} {explained[at].offset[digit]:+.1f} = {shares.sum() + explained[at].offset[digit]:.1f}", fontsize=9)  # fmt: skip
plots.show("Four handwritten 3s; for each the row of its formula and that row times its pixels, whose sum plus a constant is the score.")  # fmt: skip

# %% tags=["hide-input"]
nearest = np.linalg.norm(tests[:, None] - tests, axis=2) + 1e9 * np.eye(len(tests))
of_reach = np.median([reach(readable, x) for x in tests])
print(
    f"right for {(says == test_y.numpy()).mean():.2f} of 400 test digits; they lie in {len(patterns)} pieces"
)
print(
    f"median reach of an explanation {of_reach:.3f}; median distance to the nearest digit {np.median(nearest.min(axis=1)):.2f}"
)
print(f"on the straight way from one digit to another: {np.mean(ways):.0f} pieces on average")

# %% [markdown]
# Each explanation is exact, and the 400 digits need almost two hundred of them. Its reach is about forty times shorter than the way to the next digit. So "read completely" ends here: you can read any page of this book, but there are too many pages. The row times the pixels is *gradient × input* of lesson [08](08_saliency_smoothgrad_ig.ipynb), and now you know exactly what is missing there: the constant $c$.

# %% [markdown]
# ## 6 · A symmetry that you can read in the weights
#
# The second way to know a network exactly: know what it *cannot* do. A layer is **equivariant** if turning its input by 90° (anticlockwise, as `torch.rot90` does) only turns its output. A convolution is not: its filter has an up and a down. Mend it (Cohen and Welling, 2016): use each filter in four directions $r = 0, 1, 2, 3$. That gives four maps. If the picture turns by 90°, map $r$ becomes, turned, what map $r - 1$ was: the four maps turn *and* move on by one place, $3$ to $0$.
#
# The next layer reads four maps for each channel. Its filter has four parts, one for each incoming direction. When it is used in direction $r$, it must turn, and its parts must move on by $r$ places, too.


# %% tags=["by-hand"]
def first_layer(pictures, weight):
    """(N, C, H, W) and filters (K, C, 3, 3) to maps (N, K, 4, H, W)."""
    turned = [F.conv2d(pictures, torch.rot90(weight, r, (2, 3)), padding=1) for r in range(4)]
    return torch.stack(turned, dim=2)


def turn_maps(maps):
    """What a turn by 90° should do to maps (N, K, 4, H, W)."""
    return torch.rot90(maps, 1, (3, 4)).roll(1, dims=2)


# %% [markdown]
# ### Exercise: find the bug
#
# A colleague wrote the next layer, and tested it with pictures that stand on their head: no error at all. With a quarter turn the error is huge. One sign is wrong.


# %% exercise="turned_layer"
def turned_layer(maps, weight):
    """Maps (N, C, 4, H, W) and filters (K, C, 4, 3, 3) to maps (N, K, 4, H, W), equivariant."""
    # BEGIN STUB
    # out = []
    # for r in range(4):
    #     turned = torch.rot90(weight, r, (3, 4)).roll(-r, dims=2)
    #     out.append(F.conv2d(maps.flatten(1, 2), turned.flatten(1, 2), padding=1))
    # return torch.stack(out, dim=2)
    # END STUB
    # BEGIN SOLUTION
    out = []
    for r in range(4):
        turned = torch.rot90(weight, r, (3, 4)).roll(r, dims=2)
        out.append(F.conv2d(maps.flatten(1, 2), turned.flatten(1, 2), padding=1))
    return torch.stack(out, dim=2)
    # END SOLUTION


# %%
exercises.turned_layer.check(turned_layer)

# %% tags=["hide-input"]
generator = torch.Generator().manual_seed(0)
picture, w_1, w_2 = (
    torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((1, 3, 9, 9), (5, 3, 3, 3), (6, 5, 4, 3, 3))
)  # fmt: skip


def error_of(layers_of_picture, times, turn):
    turned = layers_of_picture(torch.rot90(picture, times, (2, 3)))
    return float((turned - turn(layers_of_picture(picture), times)).abs().max())


tests_of = {
    "ordinary convolution": (lambda p: F.conv2d(p, w_1, padding=1), lambda m, k: torch.rot90(m, k, (2, 3))),
    "two layers, wrong roll": (lambda p: lesson.group_conv(F.relu(first_layer(p, w_1)), w_2, roll=-1), lesson.turn),
    "two layers, right roll": (lambda p: lesson.group_conv(F.relu(first_layer(p, w_1)), w_2), lesson.turn),
}  # fmt: skip
print(f"{'largest error after a turn by':<32}{'90°':>10}{'180°':>10}{'270°':>10}")
for name, (layer, turn) in tests_of.items():
    print(f"{name:<32}" + "".join(f"{error_of(layer, k, turn):10.1e}" for k in (1, 2, 3)))

# %% [markdown]
# The wrong roll is right for 180°, because $-2$ and $+2$ places are the same among four. **Test a symmetry with every element of its group, not with one.**
#
# ### What it is good for
#
# Take the maximum over all places *and* the four directions: the result does not change at all when the picture turns (*invariant*). We train networks of nearly the same size: an ordinary and a symmetric one on **upright** digits, and an ordinary one that is shown digits in all directions, with as many steps and with four times as many. A last one is symmetric, but its last layer reads the four directions apart, without the maximum over them. All are tested on 400 digits in four directions.

# %%
networks = lesson.turned_networks(train_x, train_y, progress=True)
for name, net in networks.items():
    print(f"{name:<30}{sum(w.numel() for w in net.parameters())} weights")
hits = {name: lesson.right_when_turned(net, test_x, test_y) for name, net in networks.items()}

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 2.9))
for k, name in enumerate(list(hits)[:4]):
    ax.plot(range(4), hits[name].mean(axis=1), "osD^"[k] + "-", color=plots.COLOURS[k], label=name)
ax.set_xticks(range(4), ["upright", "90°", "180°", "270°"])
ax.set(ylabel="share that is right", ylim=(0, 1.02))
ax.set_title("The symmetric one is right in all directions alike", loc="left")
ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    "Share of right answers by direction: "
    + "; ".join(
        name + " " + ", ".join(f"{v:.2f}" for v in values.mean(axis=1)) for name, values in hits.items()
    )
    + "."
)

# %% tags=["hide-input"]
for name in ("symmetric", "symmetric, directions kept"):
    upright = judge.paired(hits[name][0].astype(float), hits["ordinary"][0].astype(float))
    print(f"upright, {name} minus ordinary: {upright}")
for name in ("ordinary, shown turned digits", "the same, 4 × as long"):
    turned = judge.paired(hits["symmetric"].mean(axis=0), hits[name].mean(axis=0))
    print(f"all directions, symmetric minus {name}: {turned}")
known = {k: f"{hits['ordinary'][2][test_y.numpy() == k].mean():.2f}" for k in (0, 8, 3, 7)}
print(f"the ordinary one, upside down, by digit: {known}")

# %% [markdown]
# The symmetric network never saw a turned digit and is equally right in all directions: not by luck, but because it cannot be otherwise. An ordinary one can learn nearly as much from turned digits, if it is trained longer, and then without a guarantee. The price is paid upright, where the ordinary one is better: it may use what is up. The control shows that this is the reason: with the directions kept, the symmetric filters are as good upright, and lost at 90°. Upside down the ordinary one still knows a 0 and an 8, which look nearly the same, but no 3 and no 7.
#
# **Its explanations turn, too.** If you turn the picture and explain again, you should get the turned map.

# %%
one = test_x[:1]
maps = {}
for name in ("ordinary", "symmetric"):
    for times in (0, 1):
        asked = torch.rot90(one, times, (2, 3)).clone().requires_grad_()
        networks[name](asked)[0, test_y[0]].backward()
        maps[name, times] = asked.grad[0, 0]

# %% tags=["hide-input"]
figure, axes = plots.grid(1, 6, width=9.5)
for k, name in enumerate(("ordinary", "symmetric")):
    back = torch.rot90(maps[name, 1], -1, (0, 1))
    difference = float((back - maps[name, 0]).norm() / maps[name, 0].norm())
    lesson.show_digit(axes[0, 3 * k], one, name)
    for ax, values, title in ((axes[0, 3 * k + 1], maps[name, 0], "its gradient"), (axes[0, 3 * k + 2], back, f"asked turned: {difference:.0%} off")):  # fmt: skip
        plots.show_heat(ax, values, signed=True, title=title)
        ax.title.set_fontsize(9)
plots.show("A digit and its gradient map, asked upright and asked turned and then turned back: different for the ordinary network, the same for the symmetric one.")  # fmt: skip

# %% tags=["hide-input"]
exercises.six_and_nine

# %% [markdown]
# ## 7 · What a ReLU does to a wave
#
# The third thing that can be read: which *frequencies* a layer can make. Take a signal that runs in a circle, $x_t = \cos(2\pi k t / n)$ for $t = 0, \ldots, n - 1$: a wave that repeats $k$ times. A linear layer that treats all places of the circle alike adds up shifted copies of the signal, each with a weight: it is a convolution. It makes a wave stronger or weaker and shifts it, and never makes another frequency. Try it with random weights:

# %%
wave = np.cos(2 * np.pi * 3 * np.arange(48) / 48)
weights = np.random.default_rng(0).normal(size=48)
mixed = sum(weight * np.roll(wave, places) for places, weight in enumerate(weights))
print("frequencies in the result:", np.flatnonzero(lesson.strengths(mixed) > 1e-9))

# %% [markdown]
# So all mixing of frequencies is done by the ReLU.
#
# ### Exercise: predict, then run
#
# $n = 48$, $k = 3$: the wave repeats three times. Which frequencies, from 0 to 24, does $\max(0, x)$ consist of? Hint: $\max(0, x) = (x + |x|)/2$.

# %% exercise="frequencies"
my_frequencies = None  # a list of whole numbers in rising order
# BEGIN SOLUTION
my_frequencies = [0, 3, 6, 12, 18, 24]
# END SOLUTION

# %%
n_times, k = 48, 3
exercises.frequencies.check(my_frequencies, n_times, k)

# %% tags=["hide-input"]
wave = np.cos(2 * np.pi * k * np.arange(n_times) / n_times)
axes = lesson.new_figure(2, 2.9)
axes[0].plot(wave, "--", color=plots.BASELINE, label="wave, k = 3")
axes[0].plot(np.maximum(wave, 0), "o-", color=plots.ACCENT, markersize=3, label="after the ReLU")
axes[0].set(xlabel="place t on the circle", ylabel="value")
axes[0].legend(fontsize=9, loc="upper right")
axes[0].set_ylim(-1.1, 1.9)
for values, shift, colour, label in ((np.maximum(wave, 0), -0.2, plots.ACCENT, "max(0, x)"), (np.maximum(wave + 0.3, 0), 0.2, plots.COLOURS[1], "max(0, x + 0.3)")):  # fmt: skip
    axes[1].bar(np.arange(25) + shift, lesson.strengths(values), 0.4, color=colour, label=label)
axes[1].set_xticks(range(0, 25, 3))
axes[1].set(xlabel="frequency", ylabel="amplitude", yscale="log", ylim=(1e-3, 1))
axes[1].legend(fontsize=9)
plots.show(
    "Left: a wave of frequency 3 and what a ReLU leaves of it. Right: the frequencies of the result: 0, 3, 6, 12, 18 and "
    "24; with a bias also the odd multiples 9, 15 and 21."
)

# %% [markdown]
# Half of the wave goes through unchanged, so 3 stays. The other half, $|x|$, repeats twice as often: 0 and the even multiples 6, 12, … . A bias (orange) breaks that: then odd multiples come as well. What never comes is a frequency that is *no* multiple of 3: what repeats three times in a circle goes on doing so, whatever is done to each value.
#
# Which frequency can make which? On a circle of 12 places the whole answer is one table. Where a wave begins matters a little, so each entry is the largest amplitude over 48 shifts of the wave.

# %%
table = lesson.out_of(12)

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(5.6, 4.2))
plots.matrix_plot(table, [f"{k}" for k in range(7)], [f"{k}" for k in range(7)], ax=ax)
ax.set(xlabel="frequency after the ReLU", ylabel="frequency before")
ax.set_title("Who can make whom, on a circle of 12", loc="left", fontsize=11)
plots.show(
    "A table: row k holds the amplitudes that a ReLU makes of a wave of frequency k. 1 makes 0, 1, 2, 4 and 6; 3 makes "
    "0, 3 and 6; nothing makes 1 but 1 itself."
)

# %% [markdown]
# Read a row: 3 makes 0, 3 and 6, and from 6 there is no way back to 3. Read a column: 1 is made by 1 only. Why does 5 make 2? A frequency above 6 does not fit on 12 places and appears as another one: $10 = 2 \cdot 5$ looks like $12 - 10 = 2$. (With a bias 5 makes 1, too: $25 = 5 \cdot 5$ looks like $25 - 24 = 1$.) The values of wave 5 are the same again after 12 places only, those of wave 2 after 6, of wave 3 after 4. Call this the *period*. Information flows one way, to the same or a shorter period. Gibson, Tubbenhauer and Williamson (2024) work this out for finite groups: linear maps keep the *simple representations* of a symmetry (here: frequencies) apart, and the ReLU alone connects them, never towards a longer period. So you can say, before any training, what a symmetric network of given input can never compute.

# %% [markdown]
# ## 8 · Your turn
#
# Change the two values in the first line. Tables: `"breast_cancer"`, `"iris"`, `"wine"`, or the path of a CSV file with a line of names, columns of numbers, and the class in the last column. `row` counts the unseen rows, from the one about which the network is least sure. You get the exact formula at that row.

# %%
table_name, row = "wine", 0

print("\n".join(lesson.own_piece(table_name, row)))

# %% [markdown]
# ## 9 · Where it breaks
#
# **Card 1: no corners, no pieces.** Many networks use smooth functions instead of the ReLU. The same weights with *softplus*, $\log(1 + e^z)$: the formula $A x + c$ with the true gradient as $A$ holds at $x$ only, and has no reach at all.
#
# **Card 2: a stride breaks the symmetry.** A convolution with stride 2 looks at every second place. In a picture with an even side it begins at the upper left corner and leaves out the lower right one: after a turn it looks at other places.

# %% tags=["hide-input"]
x = torch.from_numpy(doubtful)[None].requires_grad_()
soft = lesson.as_torch(small)
soft[1] = torch.nn.Softplus()
value = soft(x)
(slope,) = torch.autograd.grad(value.sum(), x)
for name, net, gradient, start_value in (
    ("ReLU", lesson.as_torch(small), torch.from_numpy(my_piece(small, doubtful)[0]), float(lesson.scores(small, doubtful[None])[0, 0])),
    ("softplus", soft, slope, value.item()),
):  # fmt: skip
    step = 0.5 * reach(small, doubtful) * torch.tensor([[0.6, 0.8]]).double()
    with torch.no_grad():
        off = float(net(x.detach() + step)) - start_value - float((gradient * step).sum())
    print(f"card 1, half of the reach away, {name:9} the formula is off by {abs(off):.1e}")
for side in (8, 9):
    picture = torch.randn(1, 3, side, side, generator=generator, dtype=torch.float64)
    moved = lesson.lift(torch.rot90(picture, 1, (2, 3)), w_1, stride=2) - lesson.turn(
        lesson.lift(picture, w_1, stride=2)
    )
    print(f"card 2, stride 2 on {side} × {side} pixels: largest error {moved.abs().max():.1e}")

# %% [markdown]
# ### Play
#
# Choose widths, the penalty and the seed. When does the border become simple? When do you lose a moon?


# %%
def draw_network(first, second, penalty, shape, seed):
    widths = [2, first, *([second] if second else []), 1]
    _, after, (x, y) = lesson.before_and_after(widths, seed, penalty, shape)
    figure, ax = plt.subplots(figsize=(4.8, 4.4))
    parts = pieces(after, BOX)
    lesson.draw_pieces(ax, parts, f"{len(parts)} pieces, right for {lesson.right(after, x, y):.0%}")
    lesson.draw_points(ax, x, y)


widgets.explore(
    draw_network,
    first=widgets.slider("units in layer 1", 2, 16, 8),
    second=widgets.slider("units in layer 2 (0: none)", 0, 12, 0),
    penalty=widgets.choice("penalty", (0, 0.001, 0.003, 0.01)),
    shape=widgets.choice("points", ("moons", "circles")),
    seed=widgets.slider("seed", 0, 9, 0),
)

# %% tags=["hide-input"]
draw_network(4, 0, 0, "circles", 0)
plots.show(
    "Four units around two circles: 7 pieces, since three of the lines cross the square, and a border that turns where it meets one."
)

# %% [markdown]
# ## 10 · Recap
#
# - A perceptron is a few lines of NumPy, and equals PyTorch to the twelfth digit.
# - A ReLU network is a set of flat pieces. One hidden layer in the plane: 1 + lines + meetings inside.
# - On its piece an answer has an exact formula, $A x + c$, and you can say how far it holds. Exact at the point is not best around it.
# - Plain training adds pieces here; a penalty keeps them fewer, for a price. With 64 inputs there are too many pieces to read all.
# - A symmetry built into the weights holds for every picture; test the code once, with every turn. Its explanations turn with the picture.
# - A ReLU makes of frequency $k$: 0, $k$ and even multiples; with a bias all multiples; never anything else.
#
# Games between inputs, and how alike two networks are, follow in the companion. [02c](02c_one_number_at_a_time.ipynb) reads a convolutional network in the same spirit: each number is a sum of shares.
#
# <details>
# <summary>The paper in ten questions</summary>
#
# L. Chu, X. Hu, J. Hu, L. Wang and J. Pei: *Exact and consistent interpretation for piecewise linear neural networks: a closed form solution* (KDD 2018).
#
# 1. **Which problem?** Explanations of networks are estimates: nobody guarantees that they say what the network does, or that neighbours get the same one.
# 2. **Is it new?** That ReLU networks are piecewise linear was known (Montúfar and others, 2014). New is to use the formula itself as the explanation.
# 3. **Which hypothesis?** A network of this kind is a set of linear classifiers, one for each piece, and these can be written down exactly.
# 4. **Related work, and who?** Hidden-unit analysis, imitation by simple models, LIME. Simon Fraser University, with Huawei and JD.com.
# 5. **The key idea?** Hold the pattern fixed; then matrices are multiplied. The same pattern gives the same explanation (*consistent*).
# 6. **Which experiments?** A planar toy problem and pictures of clothes; compared with LIME; effects of sparse and of non-negative weights.
# 7. **Data and code?** The picture data are public (Fashion-MNIST).
# 8. **Do the results support it?** Exactness is a theorem. Whether people understand a row of 784 numbers better is another question.
# 9. **What did it contribute?** A yardstick: for such networks the truth about one point is known, so estimates can be scored, as in section 4.
# 10. **What next?** Fewer and larger pieces by training, and borders of pieces in many dimensions.
#
# </details>
#
# **References**
# - [Chu and others, 2018: Exact and consistent interpretation for piecewise linear neural networks](https://arxiv.org/abs/1802.06259)
# - [Montúfar and others, 2014: On the number of linear regions of deep neural networks](https://arxiv.org/abs/1402.1869)
# - [Hanin and Rolnick, 2019: Complexity of linear regions in deep networks](https://arxiv.org/abs/1901.09021)
# - [Cohen and Welling, 2016: Group equivariant convolutional networks](https://arxiv.org/abs/1602.07576)
# - [Gibson, Tubbenhauer and Williamson, 2024: Equivariant neural networks and piecewise linear representation theory](https://arxiv.org/abs/2408.00949)
# - Zaslavsky, 1975: *Facing up to arrangements*, Memoirs of the American Mathematical Society 154
