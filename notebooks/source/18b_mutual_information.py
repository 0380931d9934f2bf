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
# # 18b · Mutual information: four ways to measure it, and how each fails
#
# **The question.** How much do two quantities tell about each other? There is one definition, and there are many estimates. Which can you trust?
#
# **After this companion you can**
# - compute mutual information from a table of counts, and say by how much it is too large;
# - use nearest neighbours where a histogram needs too many cells;
# - train a network to bound it (InfoNCE), and say where its ceiling is;
# - say why the bound of MINE may lie far above the truth.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [18 · Who ordered these axes?](18_latent_axes.ipynb), section 5.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.feature_selection import mutual_info_regression
from torch import nn

from course_utils import judge
from course_utils.exercises import l18_latent_axes as exercises
from course_utils.lessons import l18_latent_axes as lesson
from course_utils.methods.information import (
    donsker_varadhan_bound,
    gaussian_information,
    histogram_information,
    infonce_bound,
)
from course_utils.teach import plots, widgets

# %% [markdown]
# ## 1 · A puzzle: information in pure noise
#
# Two columns of 2,000 random numbers, drawn independently of each other. We count them in a table of bins with equally many numbers each, as in lesson 18, once with 10 bins for each column and once with 100.

# %% tags=["nbval-check-output"]
noise = np.random.default_rng(0).normal(size=(2, 2000))
for bins in (10, 100):
    print(f"{bins:3} × {bins} cells: {histogram_information(*noise, bins):.2f} nats")

# %% [markdown]
# The truth is 0. With a finer table the two columns of noise "share" more than a nat. A paper about neurons, genes or latents can be wrong by that much, and the number looks like any other. In section 3 you will see how large the error is, and when it is harmless.

# %% [markdown]
# ## 2 · The definition, from a table of counts
#
# Write $p_{ij}$ for the share of the examples in cell $(i, j)$, $p_i$ for the share in row $i$ and $q_j$ for that in column $j$. If the two told nothing about each other, $p_{ij}$ would be $p_i q_j$. The mutual information says how far it is from that:
#
# $$I = \sum_{i,j} p_{ij} \ln \frac{p_{ij}}{p_i\, q_j} .$$
#
# Its unit, with the natural logarithm, is the nat. It is never negative, the same in both directions, and does not change if you stretch the values of one of the two or let rows of the table change places. A correlation only asks how well a straight line fits:

# %% tags=["nbval-check-output"]
rng = np.random.default_rng(1)
t = rng.uniform(0, 2 * np.pi, 2000)
shapes = {
    "a line with noise": (t, t + rng.normal(size=2000)),
    "a parabola": (t, (t - np.pi) ** 2 + 0.3 * rng.normal(size=2000)),
    "a circle": (np.cos(t) + 0.1 * rng.normal(size=2000), np.sin(t) + 0.1 * rng.normal(size=2000)),
    "nothing": (t, rng.normal(size=2000)),
}
for name, (a, b) in shapes.items():
    r, found = np.corrcoef(a, b)[0, 1], histogram_information(a, b, 8)
    print(f"{name:<20} correlation {abs(r):.2f}   information {found:.2f} nats")

# %% [markdown]
# ### Exercise: from counts to nats
#
# An empty cell adds nothing ($p \ln p$ goes to 0 with $p$), but `np.log(0)` is not a number: leave these cells out.


# %% exercise="from_counts"
def from_counts(counts):
    """Mutual information in nats, from a table of counts (rows, columns), some of them 0."""
    # BEGIN SOLUTION
    p = counts / counts.sum()
    expected = np.outer(p.sum(axis=1), p.sum(axis=0))
    there = p > 0
    return float((p[there] * np.log(p[there] / expected[there])).sum())
    # END SOLUTION


# %%
exercises.from_counts.check(from_counts)

# %% [markdown]
# ### A world where the truth is known
#
# To judge estimates one needs a case with a known answer. For two normal numbers with correlation $\rho$ it is
#
# $$I = -\tfrac12 \ln(1 - \rho^2),$$
#
# and for vectors of $d$ independent pairs $d$ times as much.

# %% tags=["nbval-check-output"]
for rho, d in ((0.5, 1), (0.5, 4), (0.97, 4)):
    print(f"ρ = {rho:<4} d = {d}: {-d / 2 * math.log(1 - rho**2):.3f} nats")  # gaussian_information(rho, d)

# %% [markdown]
# ## 3 · The histogram is too large
#
# By chance alone, some cells hold a little more than they should and others a little less. Each such accident counts as information. With $r$ rows, $c$ columns and $n$ examples the sum of these accidents is about
#
# $$\text{bias} \approx \frac{(r - 1)(c - 1)}{2n} ,$$
#
# as long as there are far more examples than cells (Miller, 1955); it is less where the two share much, since many cells then stay empty. With few cells there is another error: within a wide cell, details are lost, and the result is too *small*.

# %%
n, sizes = 2000, np.array([3, 5, 8, 12, 20, 30, 40, 50])
counted = {
    rho: np.array(
        [
            [histogram_information(*lesson.normal_pair(n, rho, seed), int(k)) for seed in range(10)]
            for k in sizes
        ]
    )
    for rho in (0.0, 0.5)
}

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 3.4))
for (rho, values), style in zip(counted.items(), ("o-", "s-"), strict=True):
    ax.plot(sizes, values.mean(axis=1), style, label=f"counted, ρ = {rho:g}")
    ax.axhline(gaussian_information(rho), color=plots.BASELINE, linewidth=1)
ax.plot(
    sizes,
    (sizes - 1) ** 2 / (2 * n),
    ":",
    color=plots.INK,
    label="predicted bias, (bins − 1)² / 2n",
    zorder=0,
)
ax.set(xlabel="bins for each of the two", ylabel="nats", ylim=(0, 0.85))
ax.set_title(f"Grey lines: the truth, 0 (the axis) and {gaussian_information(0.5):.3f}", loc="left")
ax.legend(fontsize=9)
plots.show(
    f"Information counted with 2,000 pairs, against the bins. For independent numbers it rises from 0 to {counted[0.0][-1].mean():.2f}; "
    f"for ρ = 0.5 from {counted[0.5][0].mean():.2f} to {counted[0.5][-1].mean():.2f}. The predicted bias follows until about 30 bins."
)

# %% [markdown]
# For few bins the prediction fits the noise closely. With 40 bins there is hardly more than one example a cell, and it is no longer a small correction. **Keep the cells far fewer than the examples, and always count a shuffled copy as well**: the information that is left after shuffling one of the two columns is chance.

# %% tags=["nbval-check-output"]
print("  ρ   bins     raw   shuffled   difference   a million pairs   truth")
for rho, bins in ((0.5, 10), (0.5, 30), (0.9, 50)):
    a, b = lesson.normal_pair(2000, rho, 0)
    shuffled = np.random.default_rng(0).permutation(b)
    raw, left = histogram_information(a, b, bins), histogram_information(a, shuffled, bins)
    many = histogram_information(*lesson.normal_pair(1_000_000, rho, 1), bins)
    print(
        f"{rho:4} {bins:5} {raw:9.3f} {left:8.3f} {raw - left:11.3f} {many:14.3f} {gaussian_information(rho):13.3f}"
    )

# %% [markdown]
# With 10 bins the raw value looks better than the difference. That is luck: even a million pairs stay below the truth, since wide cells lose details, and the accidents of 2,000 pairs fill that hole. The difference is free of most accidents; what the cells lose stays lost. In the last row shuffling takes away too much: with ρ = 0.9 the pairs leave many cells empty, while shuffled ones spread over more cells and have more accidents. So the raw value is too large, and the difference is too small. On average over draws, a million pairs in the same cells lie between the two, within 0.02 (for these pairs and for the parabola and the circle above, with 10 to 50 bins). **Report both.** Where they are far apart, take fewer bins.
#
# In lesson 18 the gap uses 20 × 10 bins and 8,000 pictures: its bias is $19 \cdot 9 / 16000 = 0.01$ nats for a latent that tells nothing, and less for one that tells much: nothing beside the gaps there.

# %% [markdown]
# ## 4 · Nearest neighbours: cells that fit themselves
#
# Instead of fixed cells draw a square around each example that just reaches its $k$-th nearest neighbour. It holds the share $k / n$ of the examples. Count how many values of each column alone lie within its sides, $n_a$ and $n_b$. As in the table, compare the share with the product: $\ln \frac{k / n}{(n_a / n)(n_b / n)}$, on average over the examples. (Kraskov and others, 2004; for small counts they replace each logarithm by the digamma function.) scikit-learn has it as `mutual_info_regression`, with $k$ = `n_neighbors`. Twenty draws of 500 pairs:

# %%
tries = {}
for seed in range(20):
    a, b = lesson.normal_pair(500, 0.5, seed)
    for bins in (5, 10, 20):
        tries.setdefault(f"histogram, {bins} bins", []).append(histogram_information(a, b, bins))
    for k in (1, 3, 10, 100):
        estimate = mutual_info_regression(a[:, None], b, n_neighbors=k, random_state=0)[0]
        tries.setdefault(f"neighbours, k = {k}", []).append(estimate)
tries = {name: np.array(values) for name, values in tries.items()}

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 3.3))
for j, values in enumerate(tries.values()):
    ax.plot(values, np.full(20, j), "o", color=plots.COLOURS[j > 2], alpha=0.4)
    ax.plot(values.mean(), j, "D", color=plots.INK)
ax.axvline(gaussian_information(0.5), color=plots.BASELINE)
ax.set_yticks(range(len(tries)), tries)
ax.invert_yaxis()
ax.set(xlabel="nats; the grey line is the truth", xlim=(0, None))
ax.set_title("A dot: 500 pairs. A diamond: the mean of the twenty", loc="left")
plots.show(
    "Twenty estimates each from 500 pairs, with their means: "
    + ", ".join(f"{name} {v.mean():.2f} ± {v.std():.2f}" for name, v in tries.items())
    + "; the truth is 0.14."
)

# %% [markdown]
# A few neighbours have nearly no bias here, and ten are steadier than one. With a hundred the squares are as wide as large cells, and the result is too small. (scikit-learn never returns less than 0, so for independent columns it is a little too large on average.) Both ways need numbers in one or very few dimensions. In many dimensions nobody is near, and hardly a cell holds two examples: when 0.58 nats are spread over ten independent pairs of columns, three neighbours find less than half of them in 1,000 examples (measured outside this lesson).

# %% [markdown]
# ## 5 · Ask a network: InfoNCE
#
# Vectors, pictures and texts need another way. Turn the question into a game: here is $a$, and here are $B$ candidates for its partner, one true and $B - 1$ from other pairs. Who can pick the true one must know something of what they share.
#
# A *critic* gives a score $s_{ij}$ to each $a_i$ with each $b_j$ of a batch of $B$ pairs. A softmax over each row turns the scores into probabilities. Van den Oord and others (2018) show that
#
# $$I \;\ge\; \ln B + \frac1B \sum_{i=1}^{B} \ln \frac{e^{s_{ii}}}{\sum_{j} e^{s_{ij}}}$$
#
# on average over batches. The second term is minus the cross-entropy of the game, so training the critic means training a classifier.
#
# ### Exercise: the bound


# %% exercise="infonce"
def infonce(scores):
    """The bound from a table of scores (B, B), true pairs on the diagonal; a number as a tensor."""
    # BEGIN SOLUTION
    return scores.log_softmax(dim=1).diagonal().mean() + math.log(len(scores))
    # END SOLUTION


# %%
exercises.infonce.check(infonce)

# %% tags=["hide-input"]
exercises.ceiling

# %% [markdown]
# ### A critic by hand
#
# Pairs of vectors with $d = 4$ components each. The critic is a small network that sees $a$ and $b$ side by side. `bound` is what it maximises, on new pairs in each step.


# %% tags=["by-hand"]
def train_critic(bound, rho, batch, seed=0, d=4, n_steps=800):
    """The bound on 200 new batches after training; its course in training; the critic's scores of n new pairs."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(2 * d, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimiser = torch.optim.Adam(net.parameters(), lr=0.002)

    def scores(n=batch):
        a, b = lesson.normal_vectors(n, rho, d)  # from torch's own generator
        rows = torch.cat([a[:, None].expand(-1, n, d), b[None].expand(n, -1, d)], dim=2)
        return net(rows)[:, :, 0]

    course = []
    for _ in range(n_steps):
        value = bound(scores())
        optimiser.zero_grad()
        (-value).backward()
        optimiser.step()
        course.append(value.item())
    with torch.no_grad():
        return np.array([bound(scores()).item() for _ in range(200)]), np.array(course), scores


# %%
truth = {rho: gaussian_information(rho, 4) for rho in (0.5, 0.9, 0.97)}
nce = {(rho, b): train_critic(infonce_bound, rho, b) for rho in lesson.progress(truth) for b in (16, 64)}

# %% tags=["hide-input"]
print("truth   " + "".join(f"B = {b:<3} (ceiling {math.log(b):.2f})   " for b in (16, 64)))
for rho, nats in truth.items():
    print(f"{nats:5.2f}" + "".join(f"{nce[rho, b][0].mean():10.2f} ± {nce[rho, b][0].std():.2f}      " for b in (16, 64)))  # fmt: skip

# %% [markdown]
# (Mean and standard deviation over batches.) Where little is shared, InfoNCE is nearly right. The nearer the truth comes to $\ln B$, the more it falls short, and it cannot follow beyond: who wins the game nearly every time has nothing left to gain. **A value near $\ln B$ means "at least so much", nothing else.** It is steady all the same. Keep these critics: section 7 lets one of them judge a larger batch.

# %% [markdown]
# ## 6 · No ceiling, no floor: Donsker-Varadhan and MINE
#
# Another bound, of Donsker and Varadhan (*DV* from here on), has no ceiling. For each score function,
#
# $$I \;\ge\; \mathbb{E}_\text{pairs}[s] - \ln \mathbb{E}_\text{strangers}[e^{s}],$$
#
# where $\mathbb{E}$ is the mean over all true pairs, or over all strangers ($a$ and $b$ from different pairs). MINE (Belghazi and others, 2018) trains a network to maximise it.
#
# ### Exercise: find the bug
#
# The function below never goes far above the truth, so it looks like an improvement. In fact it has got a ceiling again, for a reason that is easy to miss. Mend it.


# %% exercise="strangers_only"
def strangers_only(scores):
    """Mean score of the pairs − ln of the mean e^score of strangers, from a table (B, B)."""
    # BEGIN STUB
    # n = len(scores)
    # return scores.diagonal().mean() - (scores.flatten().logsumexp(dim=0) - math.log(n * n))
    # END STUB
    # BEGIN SOLUTION
    n = len(scores)
    strangers = scores[~torch.eye(n, dtype=torch.bool)]
    return scores.diagonal().mean() - (strangers.logsumexp(dim=0) - math.log(n * (n - 1)))
    # END SOLUTION


# %%
exercises.strangers_only.check(strangers_only)

# %% [markdown]
# With the true pairs among the strangers, the mean of $e^s$ cannot be smaller than the pairs alone make it, and the value never gets above $\ln B$.

# %% [markdown]
# ## 7 · Both side by side
#
# The same critics as in section 5, now trained with DV, batch by batch.

# %%
dv = {
    (rho, b): train_critic(donsker_varadhan_bound, rho, b) for rho in lesson.progress(truth) for b in (16, 64)
}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.4))
for ax, (rho, nats) in zip(axes, truth.items(), strict=True):
    for k, runs in enumerate((nce, dv)):
        for j, b in enumerate((16, 64)):
            values = runs[rho, b][0]
            x = 2 * k + j
            ax.errorbar(x, values.mean(), values.std(), fmt="os"[k], color=plots.COLOURS[k], capsize=4)
    ax.axhline(nats, color=plots.INK, linewidth=1)
    for j, b in enumerate((16, 64)):
        ax.plot([j - 0.3, j + 0.3], [math.log(b)] * 2, color=plots.BASELINE, linestyle="--")
    ax.set_xticks(range(4), ["InfoNCE\n16", "InfoNCE\n64", "DV\n16", "DV\n64"], fontsize=9)
    ax.set(title=f"truth {nats:.2f} nats", xlabel="bound and batch B", xlim=(-0.5, 3.5))
axes[0].set_ylabel("nats, mean ± standard deviation")
plots.show(
    "InfoNCE and DV for three truths and two batches. "
    + " ".join(
        f"Truth {nats:.2f}: InfoNCE {nce[r, 16][0].mean():.2f} and {nce[r, 64][0].mean():.2f}, DV {dv[r, 16][0].mean():.2f} ± "
        f"{dv[r, 16][0].std():.1f} and {dv[r, 64][0].mean():.2f} ± {dv[r, 64][0].std():.1f}."
        for r, nats in truth.items()
    )
)

# %% [markdown]
# (Line: truth; dashed: the ceilings of InfoNCE. Mind the different scales.) With 64 pairs DV comes nearer than InfoNCE. With 16, and much to find, it says tens of nats, where less than six are true, with a spread as large as the value. **It is a bound only with the true means.** The mean of $e^s$ is made by a few strangers with a large score; in a batch of 16 they are rarely there, the logarithm is then far too small, and the critic learns to use just that.
#
# Is it the training, or the estimate itself? For normal vectors we know the best critic: $s = \ln \frac{p(a, b)}{p(a)\, p(b)}$. Give it to both, on 2,000 batches.

# %%
best = {}
for rho, b in ((0.5, 16), (0.9, 16), (0.97, 16), (0.97, 64)):
    torch.manual_seed(1)
    tables = [lesson.best_scores(*lesson.normal_vectors(b, rho, 4), rho) for _ in range(2000)]
    for name, bound in (("InfoNCE", infonce_bound), ("DV", donsker_varadhan_bound)):
        best[rho, b, name] = np.array([bound(table).item() for table in tables])

# %% tags=["hide-input"]
print("with the best critic     truth     InfoNCE                  DV")
for rho, b in ((0.5, 16), (0.9, 16), (0.97, 16), (0.97, 64)):
    i, m = best[rho, b, "InfoNCE"], best[rho, b, "DV"]
    print(f"  ρ = {rho:<5} B = {b:<3}       {truth[rho]:6.2f}   {i.mean():6.2f} ± {i.std():.2f}   {m.mean():10.2f} ± {m.std():.2f}")  # fmt: skip

# %% [markdown]
# InfoNCE gives nearly the same numbers as after training: our critics had learnt what there is, and the ceiling did the rest. DV with the best critic is near the truth on average while little is shared, and too large by more than a nat, with a wide spread, for 5.66 nats and 16 pairs. So a part of the error is in the estimate itself. The larger part came from training: a critic that is rewarded for the accidents of small batches drives the scores up, further with each step.
#
# The paper of MINE corrects the gradient (section 3.2): it divides by a *moving average* of the mean of $e^s$, over many batches. Train one more critic like this. Then let it judge 512 pairs at once, too, beside the critics of DV and of InfoNCE that were trained with 16:


# %% tags=["by-hand"]
class MovingAverage:
    """MINE as in its paper: has the gradient of the DV bound with strangers of many batches."""

    average = None

    def __call__(self, scores):
        if not torch.is_grad_enabled():
            return donsker_varadhan_bound(scores)
        mean = scores[~torch.eye(len(scores), dtype=torch.bool)].exp().mean()
        average = mean.detach()
        self.average = average if self.average is None else 0.99 * self.average + 0.01 * average
        return scores.diagonal().mean() - mean / self.average


mine = train_critic(MovingAverage(), 0.97, 16)

# %% tags=["hide-input"]
course = dv[0.97, 16][1]
print(
    "DV in training: "
    + ", ".join(f"{course[k - 100 : k].mean():.0f} nats before step {k}" for k in (200, 400, 800))
)
print(f"truth {truth[0.97]:.2f}              batches of 16      512 at once")
for name, (values, _, scores), bound in (
    ("DV", dv[0.97, 16], donsker_varadhan_bound),
    ("MINE, moving average", mine, donsker_varadhan_bound),
    ("InfoNCE", nce[0.97, 16], infonce_bound),
):
    with torch.no_grad():
        many = bound(scores(512)).item()
    print(f"{name:<22} {values.mean():6.1f} ± {values.std():4.1f}     {many:9.1f}")

# %% [markdown]
# On 512 pairs DV's tens of nats become a large negative number. With the moving average nothing explodes, and on 512 pairs the value lies below the truth, as a bound should. And InfoNCE's critic, which could not say more than $\ln 16 = 2.77$ in its batches, now finds most of what there is: the ceiling is $\ln 512 = 6.24$, for it belongs to the batch that *judges*. **Judge a critic on many more pairs than it was trained on.**
#
# ### The proof
#
# The course's functions (`course_utils.methods.information`) against scikit-learn and PyTorch, and against the known truth:

# %% tags=["nbval-check-output"]
from sklearn.metrics import mutual_info_score
from torch.nn import functional as F

from course_utils.methods.information import quantile_bins

a, b = lesson.normal_pair(20_000, 0.5, 3)
torch.manual_seed(3)
table = lesson.best_scores(*lesson.normal_vectors(512, 0.5, 4), 0.5)
judge.agreement_table(
    [
        ("histogram, scikit-learn", np.array([histogram_information(a, b, 12)]),
         np.array([mutual_info_score(quantile_bins(a, 12), quantile_bins(b, 12))]), "the same bins"),
        ("InfoNCE, cross_entropy", infonce_bound(table)[None],
         (math.log(512) - F.cross_entropy(table, torch.arange(512)))[None], "ln B minus the loss"),
        ("DV, the truth", donsker_varadhan_bound(table)[None],
         torch.tensor([truth[0.5]]), "best critic, B = 512: only about"),
    ]
)  # fmt: skip

# %% [markdown]
# ## 8 · Your turn
#
# Columns of a real table: the tumours of lesson 17. Change the names; the first ten are printed below. Which shares most with the first, and does the correlation know it?

# %%
first, others = "mean radius", ("mean texture", "mean perimeter", "mean area", "mean radius")

from sklearn.datasets import load_breast_cancer

table = load_breast_cancer()
names = [str(name) for name in table.feature_names]
a = table.data[:, names.index(first)]
print(f"with {first}:    correlation   neighbours   8 bins   shuffled")
for other in others:
    b = table.data[:, names.index(other)]
    near = mutual_info_regression(a[:, None], b, n_neighbors=5, random_state=0)[0]
    counted, left = (histogram_information(a, v, 8) for v in (b, np.random.default_rng(0).permutation(b)))
    print(f"{other:<22} {np.corrcoef(a, b)[0, 1]:8.3f} {near:12.2f} {counted:10.2f} {left:9.2f}")
print(", ".join(names[:10]))

# %% [markdown]
# Perimeter and radius have the larger correlation, but area and radius share more: they follow a curve, and more closely. With itself a column shares infinitely much (on paper). A histogram of 8 bins can say at most $\ln 8 = 2.08$, and neighbours stop, too: *each* of them has a ceiling.
#
# ### Play
#
# Choose bins, examples and $\rho$. When does the histogram hit the truth for the wrong reason?


# %%
def draw_counts(bins, log_n, rho):
    a, b = lesson.normal_pair(10**log_n, rho, 0)
    found = histogram_information(a, b, bins)
    _, ax = plt.subplots(figsize=(4.6, 3.4))
    edges = [np.quantile(v, np.linspace(0, 1, bins + 1)) for v in (a, b)]
    ax.imshow(np.histogram2d(a, b, bins=edges)[0].T, origin="lower", cmap="Blues")
    ax.set(xlabel="bin of a", ylabel="bin of b")
    ax.locator_params(integer=True, nbins=5)
    ax.set_title(f"counted {found:.2f}, truth {gaussian_information(rho):.2f} nats", loc="left", fontsize=10)
    plots.show(f"A table of {bins} × {bins} cells with the counts of {10**log_n} pairs with ρ = {rho:.2f}.")


widgets.explore(
    draw_counts,
    bins=widgets.slider("bins", 2, 60, 20),
    log_n=widgets.slider("log10 n", 2, 5, 3),
    rho=widgets.slider("ρ", 0, 0.95, 0.5, 0.05),
)

# %% tags=["hide-input"]
draw_counts(20, 3, 0.5)

# %% [markdown]
# ## 9 · Recap
#
# | way | for | fails |
# |---|---|---|
# | histogram | one dimension each, many examples | too large with many cells: count a shuffled copy |
# | nearest neighbours | one or few dimensions | many dimensions; too small where one column gives the other |
# | InfoNCE | pictures, texts, vectors | never above $\ln B$, $B$ being the batch that judges |
# | DV, MINE | the same, with large batches | DV: far above the truth when trained with small ones |
#
# A number of nats is worth as much as the control beside it: shuffled pairs, another batch, a case with a known truth. (McAllester and Stratos, 2020, prove that no lower bound that holds for every distribution can be trusted far above $\ln n$, with $n$ samples.)
#
# **References**
# - [Paninski, 2003: Estimation of entropy and mutual information](https://doi.org/10.1162/089976603321780272); there also Miller's correction of 1955
# - [Kraskov and others, 2004: Estimating mutual information](https://arxiv.org/abs/cond-mat/0305641)
# - [Van den Oord and others, 2018: Representation learning with contrastive predictive coding](https://arxiv.org/abs/1807.03748)
# - [Belghazi and others, 2018: MINE](https://arxiv.org/abs/1801.04062)
# - [McAllester and Stratos, 2020: Formal limitations on the measurement of mutual information](https://arxiv.org/abs/1811.04251)
