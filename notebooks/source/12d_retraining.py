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
# # 12d · Train again: ROAR, and networks that learnt nonsense
#
# **The question.** If the pixels that a map calls important are gone, can a *new* network still learn the task?
#
# This companion of [12 · Judging explanations](12_judging_explanations.ipynb) adds the tests that train networks: ROAR on a table and on pictures, its trap, and the check with random labels.
#
# **After this lesson you can**
# - say what ROAR asks, and how that differs from deletion;
# - find out whether removed pixels betray the class by their shape;
# - compare maps of networks that learnt something with maps of networks that learnt nonsense, by a fair yardstick;
# - show why a comparison with a single reference network is not enough.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [12 · Judging explanations](12_judging_explanations.ipynb).
#
# The pictures are small (32 × 32): huskies and wolves on all kinds of ground, and the network is tiny, so that training takes a few seconds. The first 260 pictures are for training, the other 100 for testing.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l12_judging_explanations as exercises
from course_utils.judge.methods_table import image_methods
from course_utils.lessons import l12_judging_explanations as lesson
from course_utils.teach import plots

methods = image_methods()
animals = lesson.small_animals(360)
x, y = animals.pictures, animals.labels
old, new = slice(0, 260), slice(260, 360)  # training and test pictures

# %% tags=["hide-input"]
some = [260, 261, 262, 263, 264, 265]
shown = ((x[some].permute(0, 2, 3, 1).numpy() + 1) / 2).clip(0, 1)
plots.show_images(list(shown), [("husky", "wolf")[int(y[i])] for i in some], columns=6, width=9)
plots.show("Six small pictures of huskies and wolves on different grounds.")

# %%
explained = [lesson.train(x[old], y[old], epochs=22, seed=seed) for seed in (1, 2)]
right = torch.stack([lesson.hits(network, x[new], y[new]) for network in explained])  # (2, 100)
print("accuracy of two networks on new pictures:", " ".join(f"{one.mean():.2f}" for one in right))

# %% [markdown]
# ## 1 · Deletion asks one question, ROAR another
#
# Deletion shows the network pictures that it was never trained on. When the score falls, was it the missing evidence or the strange picture? **ROAR** (remove and retrain; Hooker and others, 2019) trains *again*, on pictures without the pixels that a method calls important. If a new network cannot learn the task from what is left, the pixels mattered.
#
# ### On a table
#
# Breast tumours, 30 measurements, logistic regression (a weighted sum of the columns, turned into a probability). Columns are removed (replaced by their mean) by the size of their coefficient; at random; and in the order of the table, which is what a constant importance gives. One more curve is not trained again. Twenty random splits into training and test rows.

# %%
X, tumour = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
counts = (0, 5, 10, 20, 25, 28)


def one_split(split):
    """Name of the order → accuracies (6,) on the test rows after removing columns."""
    rows, tests, known, asked = train_test_split(
        X, tumour, test_size=0.4, random_state=split, stratify=tumour
    )
    fitted = LogisticRegression(max_iter=200).fit(rows, known)
    by_size = np.abs(fitted.coef_[0]).argsort()[::-1]
    at_random, found = np.random.default_rng(split).permutation(30), {}
    for n, order in {"coefficients": by_size, "random": at_random, "constant": np.arange(30)}.items():
        kept = [~np.isin(np.arange(30), order[:count]) for count in counts]  # the mean of each column is 0
        found[n] = [
            LogisticRegression(max_iter=200).fit(rows * k, known).score(tests * k, asked) for k in kept
        ]
        if n == "coefficients":
            found["not trained again"] = [fitted.score(tests * k, asked) for k in kept]
    return found


# %%
splits = [one_split(split) for split in tqdm(range(20), leave=False)]
again = {n: np.array([found[n] for found in splits]) for n in splits[0]}

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 3.2))
for k, (name, values) in enumerate(again.items()):
    low, high = np.array([judge.bootstrap_interval(v) for v in values.T]).T
    color, style = (plots.COLOURS[0], "--") if name == "not trained again" else (plots.COLOURS[k], "-")
    ax.plot(counts, values.mean(axis=0), "o" + style, color=color, label=name)
    ax.fill_between(counts, low, high, color=color, alpha=0.15)
ax.axhline(tumour.mean(), color=plots.INK, linestyle=":")  # the larger class is the one numbered 1
ax.set(xlabel="columns removed (of 30)", ylabel="accuracy on new rows")
ax.legend()
plots.show(
    "Accuracy against the number of removed columns. Not trained again it falls early; trained again it stays near "
    f"{again['coefficients'][:, 2].mean():.2f} until ten columns are gone. Bands: 95 % intervals over the splits. "
    f"A dotted line marks an answer that is always the larger class, {tumour.mean():.2f}."
)

# %% [markdown]
# Without training again, accuracy falls early. With it, it hardly falls until ten columns are gone, whatever the order: the measurements of a tumour repeat one another (radius, perimeter and area say nearly the same), so others take over. With 20 gone the orders part, and the coefficients cost the most. (Bands: 95 % intervals over the splits; dotted: always answering the larger class.) These are two right answers to two questions: "what does *this* model use?" and "what is *needed* to solve the task?". ROAR answers the second, and says little where information is repeated.

# %% [markdown]
# ## 2 · On pictures
#
# For each picture the strongest 30 % of the pixels are replaced by the picture's mean colour, in training and test pictures alike; then a new network is trained. One training proves little, so all is done twice: for the maps of each of the two networks above. The maps explain the true class, in the test pictures too. Beside two methods: random pixels, and the *truth* (the animal goes first, then random pixels).


# %%
def without(x, heat, share=0.3):
    """Pictures whose strongest pixels have the mean colour, and the mask of what went."""
    size = heat.amax(dim=(1, 2), keepdim=True).clamp(min=1e-6)
    ties_broken = heat + 1e-6 * size * judge.baselines.random(x)
    ranks = (-ties_broken).flatten(1).argsort(dim=1).argsort(dim=1).view(heat.shape)
    gone = ranks < share * ranks[0].numel()
    return torch.where(gone[:, None], x.mean(dim=(2, 3), keepdim=True), x), gone


def trained_again(pictures, seed):
    """(100,): 1 where a new network, trained on these pictures, is right about new ones, else 0."""
    network = lesson.train(pictures[old], y[old], epochs=22, seed=seed)
    return lesson.hits(network, pictures[new], y[new])


# %%
roar, leak = {"nothing removed": right}, {}
for n in tqdm(("saliency", "Grad-CAM", "random", "truth: the animal"), leave=False):
    after, holes_alone = [], []
    for seed, network in enumerate(explained, start=11):
        is_truth = n not in methods
        heat = animals.masks.float() if is_truth else methods[n].explain(network, x, y, network[6])
        left, gone = without(x, heat)
        holes = gone[:, None].float().expand(-1, 3, -1, -1) * 2 - 1  # white where a pixel was removed
        after.append(trained_again(left, seed))
        holes_alone.append(trained_again(holes, seed))
    roar[f"removed by {n}"], leak[f"holes of {n}"] = torch.stack(after), torch.stack(holes_alone)
for n, both in (roar | leak).items():
    print(f"{n:>28}: accuracy of the two networks {both[0].mean():.2f} {both[1].mean():.2f}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.4, 2.6), width_ratios=(1.3, 1))
known_nothing = ["nothing removed", "removed by random", "holes of random"]
for ax, values, label in (
    (axes[0], roar, "accuracy after training again"),
    (axes[1], leak, "accuracy from the holes alone"),
):
    scores = {n: both.mean(dim=0) for n, both in values.items()}
    plots.score_plot(scores, sort=False, xlabel=label, ax=ax, baselines=known_nothing)
    ax.axvline(0.5, color=plots.INK, linestyle=":")
plots.show(
    "; ".join(f"{n} {both.mean():.2f}" for n, both in (roar | leak).items())
    + ". A dotted line marks guessing, 0.5."
)

# %% [markdown]
# Left: lower means that the method found more of what is needed. Compare a method with *random pixels*: that is what removing 30 % costs without any knowledge. The intervals are over the 100 test pictures; the luck of the training comes on top, as the two printed numbers of each row show. On five other sets of pictures saliency was below random each time, Grad-CAM was not. The paper trained large networks several times, and found popular methods, the plain gradient among them, no better than random; two that average many gradients (SmoothGrad-Squared, VarGrad) were better.
#
# Right: **a trap of ROAR**. This network sees *only which pixels were removed*. If its accuracy is above the dotted line, the holes themselves tell the class: by the object's shape, or because they follow the label with which the map was computed. Then removing *adds* information, and accuracy stays high for the wrong reason (Rong and others, 2022). Shape is not the danger here: the holes of the truth leave nothing but guessing. Those of the two methods lie a little above it here, but their intervals reach down to it: these pictures do not decide. On five other sets of pictures they told the class better than random holes on average; how well differs from set to set. So look each time.

# %% [markdown]
# ## 3 · Random labels
#
# A network can learn random labels by heart. It is then accurate on its training pictures and has learnt nothing of animals, except by luck; call it a *memoriser*. If a map shows what was *learnt*, it must differ between a memoriser and an honest network (Adebayo and others, 2018). But two honest networks differ, too, only because of their first weights. So the fair question is: **is a memoriser's map less like an honest network's map than another honest network's is?**
#
# We train three of each kind on the same 75 pictures. Each network has its own seed, each memoriser its own random labels. The maps are of 40 new pictures.

# %%
few, few_labels, v, t = x[:75], y[:75], x[new][:40], y[new][:40]
nonsense = [torch.randint(2, (75,), generator=torch.Generator().manual_seed(s)) for s in (1, 2, 3)]
honest = [lesson.train(few, few_labels, 75, seed) for seed in (1, 2, 3)]
memorisers = [lesson.train(few, labels, 75, seed + 10) for seed, labels in enumerate(nonsense)]
known = [float(lesson.hits(net, few, few_labels).mean()) for net in honest]
by_heart = [float(lesson.hits(net, few, z).mean()) for net, z in zip(memorisers, nonsense, strict=True)]
print(f"share of their training labels that they know: {min(known):.2f} or more", end="; ")
print(f"memorisers {min(by_heart):.2f} or more")
for kind, networks in (("honest", honest), ("memorisers", memorisers)):
    on_new = [f"{lesson.hits(network, x[new], y[new]).mean():.2f}" for network in networks]
    print(f"accuracy on new pictures, {kind}: {' '.join(on_new)}")
agree = [f"{float((labels == few_labels).float().mean()):.2f}" for labels in nonsense]
print("share of the random labels that are true by luck:", " ".join(agree))

# %%
small = ["saliency", "gradient × input", "guided backprop", "Grad-CAM", "edges (Sobel)"]
is_honest = torch.tensor([True] * 3 + [False] * 3)
likeness = {}  # method → (6, 6, 40): rank correlation of the maps of two networks, for each picture
for n in small:
    of_each = [methods[n].explain(network, v, t, network[6]) for network in honest + memorisers]
    likeness[n] = torch.stack(
        [torch.stack([judge.rank_correlation(a, b).float() for b in of_each]) for a in of_each]
    )

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 2.9))
kinds = {}
for row, n in enumerate(reversed(small)):
    of_pairs = likeness[n].mean(dim=2)
    among, across = of_pairs[:3, :3][torch.triu(torch.ones(3, 3), 1) > 0], of_pairs[:3, 3:].flatten()
    kinds[n] = float(among.mean()), float(across.mean())
    for k, (values, label) in enumerate(
        ((among, "two honest networks"), (across, "an honest one and a memoriser"))
    ):
        place = [row + 0.13 - 0.26 * k] * len(values)
        ax.plot(values, place, "o", color=plots.COLOURS[k], label=label if row == 0 else None)
ax.axvline(0, color=plots.INK, linestyle=":")  # maps that have nothing to do with each other
ax.set_yticks(range(len(small)), reversed(small))
ax.set(xlabel="rank correlation of the two networks' maps (a dot is a pair of networks)")
ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
plots.show(
    "Mean likeness of two honest networks, and of an honest one and a memoriser: "
    + "; ".join(f"{n} {a:.2f}, {b:.2f}" for n, (a, b) in kinds.items())
)

# %% [markdown]
# ### Exercise: the yardstick
#
# Turn the picture into one number: the mean likeness of two *different* honest networks, minus the mean likeness of an honest network and a memoriser. `alike` is the table of all networks with all networks; `honest` says which of them are honest. Try yours on `likeness["Grad-CAM"].mean(dim=2)` and `is_honest`.


# %% exercise="yardstick"
def yardstick(alike, honest):
    """One number from alike (K, K), 1 on its diagonal, and honest (K,), True or False."""
    # BEGIN SOLUTION
    different = ~torch.eye(len(honest), dtype=torch.bool)
    among = alike[honest[:, None] & honest & different].mean()
    across = alike[honest][:, ~honest].mean()
    return among - across
    # END SOLUTION


# %%
exercises.yardstick.check(yardstick)

# %%
for n in small:
    among = (likeness[n][:3, :3].sum(dim=(0, 1)) - 3) / 6  # without the three 1s of the diagonal
    across = likeness[n][:3, 3:].mean(dim=(0, 1))
    print(f"{n:>16}: honest–honest minus honest–memoriser {judge.paired(among, across)}")

# %% [markdown]
# The intervals are over the 40 pictures; how far networks differ, only the dots of the picture above show. We repeated this with five more sets of pictures and new networks each time. It replicates: for each method but the edges, which ask no network, an honest network is less like a memoriser than like another honest network. For Grad-CAM the difference is several times as large as for the maps of single pixels.
#
# Why is it so small for the pixel maps? The edges of the picture are a usual suspect. Another is the architecture: a convolution without padding sees pixels near the border in fewer of its windows. We count the *ways* from each pixel to the last maps, and compare.

# %%
ways = torch.ones(1, 1, 4, 4)  # the last maps are 4 × 4; go back through the layers, each weight set to 1
ways = F.conv_transpose2d(ways, torch.ones(1, 1, 3, 3))  # third convolution: 6 × 6
ways = ways.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)  # pooling: 12 × 12
ways = F.conv_transpose2d(ways, torch.ones(1, 1, 3, 3))  # second: 14 × 14
ways = F.conv_transpose2d(ways, torch.ones(1, 1, 5, 5), stride=2)  # first: 31 × 31
ways = F.pad(ways[0], (0, 1, 0, 1)).expand(40, -1, -1)  # the last row and column are never looked at
edges = methods["edges (Sobel)"].explain(honest[0], v, t, honest[0][6])
for n in small[:4]:
    one, two, _ = [methods[n].explain(network, v, t, network[6]) for network in honest]
    pairs = {"same picture": two, "another picture": two.roll(1, dims=0), "edges": edges, "ways": ways}
    means = [f"{name} {judge.rank_correlation(one, other).mean():.2f}" for name, other in pairs.items()]
    print(f"{n:>16}: " + " | ".join(means))

# %% [markdown]
# First two numbers: maps of two honest networks, for the same and for *different* pictures. The pixel maps are alike even for different pictures, and they follow the number of ways more than the edges. So a large part of their likeness is neither the picture nor the training: it is the architecture. For Grad-CAM neither explains much.
#
# ### One reference network is not enough
#
# A quicker way looks just as good: choose *one* honest reference network, and ask whether the maps of other honest networks are more like its maps than those of memorisers are. Here are five references, trained in the same way on all 260 pictures, with different seeds. A method passes with a reference when *each* memoriser is less like the reference than *each* of the other honest networks. Does each method get the same verdict from all five?

# %%
references = [lesson.train(x[old], y[old], 22, seed) for seed in (5, 6, 7, 8, 9)]
differ = 0
for n in ("saliency", "gradient × input", "Integrated Gradients", "guided backprop", "Grad-CAM"):
    of_each = [methods[n].explain(net, v, t, net[6]) for net in honest + memorisers]
    gaps = []
    for reference in references:
        heat = methods[n].explain(reference, v, t, reference[6])
        alike = [float(judge.rank_correlation(heat, other).mean()) for other in of_each]
        gaps.append(min(alike[:3]) - max(alike[3:]))
    passed = sum(gap > 0 for gap in gaps)
    differ += 0 < passed < 5
    print(f"{n:>21}: passes with {passed} of 5; gaps {' '.join(f'{gap:+.2f}' for gap in gaps)}")
print(f"methods with different verdicts: {differ} of 5")

# %% [markdown]
# Each gap is the least favourable one: the least alike honest network minus the most alike memoriser. Where it is a few hundredths, the next reference can turn the verdict round, and nothing but its seed is different. Even Grad-CAM, with by far the largest difference above, passes with some of these references and fails with others. So compare *all* pairs, and report how far the pairs spread. **A sanity check needs a yardstick (how much do two honest networks differ?) and more than one seed.**

# %% [markdown]
# ## 4 · Recap
#
# - Deletion asks what this model uses; ROAR asks what any model needs. Where information is repeated, the second says little.
# - Before you believe ROAR, train a network on the holes alone.
# - Maps of honest networks differ from those of memorisers; how far they differ from each other is the yardstick. Maps of single pixels are alike already because of the architecture.
# - Training has luck in it: several seeds, several references.
#
# **References**
# - [Adebayo and others, 2018: Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292)
# - [Hooker and others, 2019: A benchmark for interpretability methods in deep neural networks (ROAR)](https://arxiv.org/abs/1806.10758)
# - [Rong and others, 2022: A consistent and efficient evaluation strategy for attribution methods (ROAD)](https://arxiv.org/abs/2202.00449)
