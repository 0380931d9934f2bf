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
# This companion of [12 · Judging explanations](12_judging_explanations.ipynb) adds the tests that train networks: ROAR on a table and on pictures, its trap, and what one reference network does to the random-label test.
#
# **After this lesson you can**
# - say what ROAR asks, and how that differs from deletion;
# - find out whether removed pixels betray the class by their shape;
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
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.judge.methods_table import image_methods
from course_utils.lessons import l12_judging_explanations as lesson
from course_utils.teach import plots

methods = image_methods()
animals = lesson.small_animals(360)
x, y = animals.pictures, animals.labels
old, new = slice(0, 260), slice(260, 360)  # training and test pictures
first = lesson.train(x[old], y[old], epochs=22)
print(f"accuracy on new pictures: {lesson.hits(first, x[new], y[new]).mean():.2f}")

# %% tags=["hide-input"]
some = [260, 261, 262, 263, 264, 265]
shown = ((x[some].permute(0, 2, 3, 1).numpy() + 1) / 2).clip(0, 1)
plots.show_images(list(shown), [("husky", "wolf")[int(y[i])] for i in some], columns=6, width=9)
plots.show("Six small pictures of huskies and wolves on different grounds.")

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
ax.set(xlabel="columns removed (of 30)", ylabel="accuracy on new rows")
ax.legend()
plots.show(
    "Accuracy against the number of removed columns. Not trained again it falls early; trained again it stays near "
    f"{again['coefficients'][:, 2].mean():.2f} until ten columns are gone."
)

# %% [markdown]
# Without training again, accuracy falls early. With it, it hardly falls until ten columns are gone, whatever the order: the measurements of a tumour repeat one another (radius, perimeter and area say nearly the same), so others take over. These are two right answers to two questions: "what does *this* model use?" and "what is *needed* to solve the task?". ROAR answers the second, and says little where information is repeated.

# %% [markdown]
# ## 2 · On pictures
#
# For each picture the strongest 30 % of the pixels are replaced by the picture's mean colour, in training and test pictures alike; then new networks are trained. One training proves little, so each is done with two seeds. Beside two methods: random pixels, and the *truth* (the animal itself goes first).


# %%
def without(x, heat, share=0.3):
    """Pictures whose strongest pixels have the mean colour, and the mask of what went."""
    size = heat.amax(dim=(1, 2), keepdim=True).clamp(min=1e-6)
    ties_broken = heat + 1e-6 * size * judge.baselines.random(x)
    ranks = (-ties_broken).flatten(1).argsort(dim=1).argsort(dim=1).view(heat.shape)
    gone = ranks < share * ranks[0].numel()
    return torch.where(gone[:, None], x.mean(dim=(2, 3), keepdim=True), x), gone


def accuracy_of_two(pictures):
    """(2, 100): 1 where a new network, trained on these pictures, is right; two seeds."""
    networks = [lesson.train(pictures[old], y[old], epochs=22, seed=seed) for seed in (1, 2)]
    return torch.stack([lesson.hits(network, pictures[new], y[new]) for network in networks])


maps = {n: methods[n].explain(first, x, y, first[6]) for n in ("saliency", "Grad-CAM", "random")}
maps["truth: the animal"] = animals.masks.float()

# %%
roar, leak = {"nothing removed": accuracy_of_two(x)}, {}
for n, heat in tqdm(maps.items(), leave=False):
    left, gone = without(x, heat)
    roar[f"removed by {n}"] = accuracy_of_two(left)
    if n in ("Grad-CAM", "random"):
        holes = gone[:, None].float().expand(-1, 3, -1, -1) * 2 - 1  # white where a pixel was removed
        leak[f"holes of {n}"] = accuracy_of_two(holes)
for n, both in (roar | leak).items():
    print(f"{n:>28}: accuracy of the two networks {both[0].mean():.2f} {both[1].mean():.2f}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(11, 2.6), width_ratios=(1.3, 1))
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
# Left: lower means that the method found more of what is needed. Compare a method with *random pixels*: that is what removing 30 % costs without any knowledge. The intervals are over the 100 test pictures; the luck of the training comes on top, as the two printed numbers of each row show. The paper trained large networks several times, and found popular methods no better than random.
#
# Right: **a trap of ROAR**. This network sees *only which pixels were removed*. If its accuracy is above the dotted line, the holes themselves tell the class: they have the animal's shape, or follow the label with which the map was computed. Then removing *adds* information, and accuracy stays high for the wrong reason (Rong and others, 2022). The holes of Grad-CAM do so here, those of random pixels do not (these two were tried).

# %% [markdown]
# ## 3 · One reference network is not enough
#
# In section 5 of the core, every map of an honest network was compared with those of other honest networks and of memorisers. A quicker way looks just as good: choose *one* honest reference network, and ask whether the maps of other honest networks are more like its maps than those of memorisers are. Here are two references, trained in the same way on all 260 pictures, with different seeds. Does each method get the same verdict from both?
#
# A method passes with a reference when *each* memoriser is less like the reference than *each* of the other honest networks.

# %%
few, few_labels = x[:75], y[:75]
honest = [lesson.train(few, few_labels, 75, seed) for seed in (1, 2, 3)]
nonsense = [torch.randint(2, (75,), generator=torch.Generator().manual_seed(s)) for s in (1, 2, 3)]
memorisers = [lesson.train(few, labels, 75, seed + 10) for seed, labels in enumerate(nonsense)]
references = [lesson.train(x[old], y[old], 22, seed) for seed in (5, 6)]
v, t = x[new][:40], y[new][:40]
print(
    "accuracy of the references on new pictures:",
    [f"{lesson.hits(r, x[new], y[new]).mean():.2f}" for r in references],
)

# %%
differ = 0
for n in ("saliency", "gradient × input", "Integrated Gradients", "guided backprop", "Grad-CAM"):
    verdicts = []
    for reference in references:
        heat = methods[n].explain(reference, v, t, reference[6])
        of_honest, of_memorisers = (
            [
                float(judge.rank_correlation(heat, methods[n].explain(net, v, t, net[6])).mean())
                for net in networks
            ]
            for networks in (honest, memorisers)
        )
        verdicts.append(min(of_honest) - max(of_memorisers))
    said = ["passes" if gap > 0 else "fails" for gap in verdicts]
    differ += said[0] != said[1]
    both = " | ".join(f"{word:>6} ({gap:+.2f})" for word, gap in zip(said, verdicts, strict=True))
    print(f"{n:>21}: {both}")
print(f"methods with different verdicts: {differ} of 5")

# %% [markdown]
# The number in brackets is the least favourable gap: the least alike honest network minus the most alike memoriser. Where it is a few hundredths, the next reference can turn the verdict round, and nothing but its seed is different. So compare *all* pairs, as the core does, and report how far the pairs spread.

# %% [markdown]
# ## 4 · Recap
#
# - Deletion asks what this model uses; ROAR asks what any model needs. Where information is repeated, the second says little.
# - Before you believe ROAR, train a network on the holes alone.
# - Training has luck in it: several seeds, several references.
#
# **References**
# - [Hooker and others, 2019: ROAR, a benchmark for interpretability methods](https://arxiv.org/abs/1806.10758)
# - [Rong and others, 2022: A consistent and efficient evaluation strategy (ROAD)](https://arxiv.org/abs/2202.00449)
