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
# # 20b · What inputs do together, and how alike two networks are
#
# **The question.** Inputs act together, and single shares cannot show it. What can? And if two networks answer alike, are they alike inside?
#
# This companion of [20](20_pieces_and_symmetries.ipynb) takes a game apart into all that its players do together, and compares whole layers with each other.
#
# **After this lesson you can**
# - compute all dividends of a game with the Möbius transform, and read planted terms from them;
# - say what an *interaction* of two inputs is, in three versions that disagree, and why;
# - show how what two inputs do together changes with their company;
# - compare two layers by a number that is zero for noise on average, and say what it does not tell.
#
# **Time**: about <!-- minutes --> minutes. **Before**: Shapley values ([07](07_shap.ipynb), sections 2 and 3), dividends ([07c](07c_shap_trees.ipynb), section 1); of [20](20_pieces_and_symmetries.ipynb) the perceptron.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.exercises import l20_pieces_and_symmetries as exercises
from course_utils.lessons import l20_pieces_and_symmetries as lesson
from course_utils.methods.interactions import dividends, interaction_orders, pair_interactions
from course_utils.methods.shapley import all_worths, shapley_interactions, shapley_values
from course_utils.methods.similarity import explained_share, linear_cka
from course_utils.teach import plots, widgets


def planted(masks):
    """Coalitions (B, 8) of 0 and 1 to worths (B,): the game of sections 1 to 4."""
    x = np.asarray(masks, float).T
    return 2 * x[0] * x[1] - 3 * x[2] * x[3] * x[4] + 1.5 * x[5] * (1 - x[6])


# %% [markdown]
# ## 1 · A puzzle: who works with whom?
#
# A game with eight players pays each group of players, the *coalition*, a number. This is how we built it; $x_i$ is 1 if player $i$ is there, else 0:
#
# $$v = 2\,x_0 x_1 \;-\; 3\,x_2 x_3 x_4 \;+\; 1.5\,x_5\,(1 - x_6).$$
#
# Forget the formula for a moment and look at the Shapley values only, the fair share of each player.

# %%
phi = shapley_values(planted, 8)

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.5, 2.5))
ax.bar(range(8), phi, color=[plots.COLOURS[1] if value < 0 else plots.ACCENT for value in phi])
ax.axhline(0, color=plots.INK, linewidth=0.8)
ax.set(xlabel="player", ylabel="Shapley value")
ax.set_title("Eight fair shares", loc="left")
plots.show("Shapley values of eight players: " + ", ".join(f"{value:+.2f}" for value in phi) + ".")

# %% tags=["hide-input"]
exercises.who_works_together

# %% [markdown]
# Eight numbers cannot hold what 256 coalitions do. What is missing are the *dividends* that [07c](07c_shap_trees.ipynb) used to prove that Shapley's rule is the only one. There, each was found from all smaller ones. Now we get all at once.

# %% [markdown]
# ## 2 · All dividends at once
#
# The **dividend** $d(T)$ of a coalition $T$ (Harsanyi, 1963) is what it earns on top of everything that its parts earn already. So $v(S) = \sum_{T \subseteq S} d(T)$, and, solved for $d$,
#
# $$d(T) = \sum_{S \subseteq T} (-1)^{|T| - |S|}\, v(S).$$
#
# For all $2^n$ coalitions these are $3^n$ terms. The *Möbius transform* needs $n \cdot 2^{n-1}$ subtractions. Take one player $i$ after the other: each coalition with $i$ loses what the same coalition without $i$ has at that moment. After player 0 the table says what player 0 adds; after player 1, what both add together; and so on.
#
# ### Exercise: the transform
#
# Coalitions are numbers: bit $i$ of `c` says whether player $i$ is in it. `c >> i & 1` reads the bit, `c ^ (1 << i)` is `c` with that bit turned round.


# %% exercise="mobius"
def mobius(worths, n):
    """The dividends (2**n,) of a game, from the worths (2**n,) of its coalitions."""
    # BEGIN SOLUTION
    table = np.array(worths, float)
    for i in range(n):
        for c in range(2**n):
            if c >> i & 1:
                table[c] -= table[c ^ (1 << i)]
    return table
    # END SOLUTION


# %%
exercises.mobius.check(mobius)

# %% [markdown]
# With NumPy, a whole half of the table at once, in place:


# %% tags=["by-hand"]
def my_dividends(worths, n):
    table = np.array(worths, float)
    for i in range(n):
        halves = table.reshape(-1, 2, 2**i)  # [:, 0] without player i, [:, 1] with
        halves[:, 1] -= halves[:, 0]
    return table


d = my_dividends(all_worths(planted, 8), 8)
for c in np.flatnonzero(np.abs(d) > 1e-12):
    members = [i for i in range(8) if c >> i & 1]
    print(f"{d[c]:+.1f}  players {members}")

# %% [markdown]
# Four dividends of 256 are not zero, and they are the formula: $1.5\,x_5(1 - x_6) = 1.5\,x_5 - 1.5\,x_5 x_6$. References: the definition above; Shapley values, which are the dividends shared equally; and the way back.

# %% tags=["hide-input", "nbval-check-output"]
random_game = np.random.default_rng(0).normal(size=2**7)


def play(masks):
    return random_game[np.asarray(masks) @ (1 << np.arange(7))]


ours = my_dividends(random_game, 7)
defined = np.array([sum((-1) ** (t.bit_count() - s.bit_count()) * random_game[s] for s in range(128) if s & t == s) for t in range(128)])  # fmt: skip
shared = [sum(ours[c] / c.bit_count() for c in range(1, 128) if c >> i & 1) for i in range(7)]
back = np.array([sum(ours[t] for t in range(128) if t & s == t) for s in range(128)])
judge.agreement_table(
    [
        ("the definition", ours, defined, "3ⁿ terms"),
        ("course_utils dividends", ours, dividends(play, 7), "the same"),
        ("Shapley values", np.array(shared), shapley_values(play, 7), "each dividend shared equally"),
        ("the worths", back, random_game, "sums of dividends"),
    ]
)  # fmt: skip

# %% [markdown]
# ## 3 · The interaction of a pair, in three versions
#
# One wants one number for two players. The dividend of the pair alone forgets all larger coalitions that hold both. So hand each dividend $d(T)$ down to the pairs in $T$. In which shares? [07c](07c_shap_trees.ipynb), section 4, has the first two as long sums over coalitions; in dividends they are short, and you see where they differ.
#
# - **Shapley interaction** (Grabisch and Roubens, 1999): $\displaystyle I(i,j) = \sum_{T \ni i,j} \frac{d(T)}{|T| - 1}$, twice the $\Phi_{ij}$ of 07c.
# - **Shapley-Taylor** (Sundararajan and others, 2020): $d(T)$ is divided by the number of pairs in $T$. So pairs and the dividends of single players add up to $v(\text{all}) - v(\text{nobody})$.
# - **Banzhaf**: $d(T)/2^{|T|-2}$, the plain average of $v(S \cup ij) - v(S \cup i) - v(S \cup j) + v(S)$ over all $S$ without the two ($S \cup ij$ is $S$ with both).
#
# ### Exercise: the Shapley interaction


# %% exercise="together"
def together(dividends, n, i, j):
    """The Shapley interaction of players i and j, from the dividends (2**n,)."""
    # BEGIN SOLUTION
    both = 1 << i | 1 << j
    return sum(dividends[c] / (c.bit_count() - 1) for c in range(2**n) if c & both == both)
    # END SOLUTION


# %%
exercises.together.check(together)

# %%
versions = {kind: pair_interactions(planted, 8, kind) for kind in ("shapley", "taylor", "banzhaf")}

# %% tags=["hide-input"]
axes = lesson.new_figure(3, 3.5)
for ax, (kind, values) in zip(axes, versions.items(), strict=True):
    plots.matrix_plot(
        values, [str(i) for i in range(8)], [str(i) for i in range(8)], signed=True, ax=ax, decimals=1
    )
    ax.set_title(f"{kind}: players 2, 3 {values[2, 3]:+.1f}", loc="left", fontsize=10)
plots.show(
    "Interactions of all pairs in three versions. All find the pair 0, 1 with +2 and the pair 5, 6 with −1.5; for the "
    "pairs of the triple 2, 3, 4 they say "
    + ", ".join(f"{kind} {values[2, 3]:+.1f}" for kind, values in versions.items())
    + "."
)

# %% [markdown]
# A pair that works alone gets the same number in all three. The triple does not: −3 is to be told in three pairs, and the rules differ. (Shapley and Banzhaf part company from four players on: $|T| - 1 = 2^{|T|-2}$ for two and for three.) **No number for pairs is right about a triple.** State the version, or show dividends.
#
# The proof: the course's `shapley_interactions` holds half of each pair twice, so that its rows add up; shap's `Exact` explainer does the same for Taylor's version.

# %% tags=["hide-input", "nbval-check-output"]
from course_utils.judge.agreement.libraries import import_shap

shap = import_shap()
explainer = shap.explainers.Exact(planted, shap.maskers.Independent(np.zeros((1, 8))))
theirs = explainer(np.ones((1, 8)), interactions=2).values[0]
off = ~np.eye(8, dtype=bool)
added = dividends(planted, 8)[1 << np.arange(8)].sum() + versions["taylor"].sum() / 2
ends = planted(np.array([[0] * 8, [1] * 8]))
judge.agreement_table(
    [
        ("shapley_interactions", versions["shapley"][off], 2 * shapley_interactions(planted, 8)[off], "half of each pair"),
        ("shap Exact, interactions=2", versions["taylor"][off], 2 * theirs[off], "Taylor, half of each pair"),
        ("Taylor adds up", added, ends[1] - ends[0], "v(all) − v(nobody)"),
    ]
)  # fmt: skip

# %% [markdown]
# ## 4 · Alone, or only in company? The orders
#
# Do two players work together by themselves, or only when others are there? Average not over all companies, but over those of one size $m$ (Zhang and others, 2021):
#
# $$I^{(m)}(i,j) = \text{mean of } v(S \cup ij) - v(S \cup i) - v(S \cup j) + v(S) \text{ over all } S \not\ni i, j \text{ with } |S| = m.$$
#
# The mean of $I^{(m)}$ over $m = 0, \ldots, n-2$ is the Shapley interaction.
#
# ### Exercise: predict, then run
#
# For the pair 2, 3 of the planted game: $I^{(0)}$, $I^{(3)}$ and $I^{(6)}$?

# %% exercise="of_the_triple"
my_orders = None  # three numbers, for m = 0, 3 and 6
# BEGIN SOLUTION
my_orders = [0.0, -1.5, -3.0]
# END SOLUTION

# %%
orders = interaction_orders(planted, 8)

# %%
exercises.of_the_triple.check(my_orders, orders)

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.5, 2.9))
for k, (i, j) in enumerate(((0, 1), (2, 3), (5, 6), (0, 2))):
    ax.plot(range(7), orders[:, i, j], "osD^"[k] + "-", color=plots.COLOURS[k], label=f"players {i}, {j}")
ax.set(xlabel="m: how many others are there", ylabel="interaction")
ax.set_title("A pair is flat, a triple grows with its company", loc="left")
ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
plots.show("Interaction by order for four pairs: 0, 1 constant at 2; 5, 6 constant at −1.5; 0, 2 zero; 2, 3 falls in a straight line from 0 to −3.")  # fmt: skip

# %% [markdown]
# The flat lines: these two need nobody. The slanted line: they wait for somebody. One average hides that. But each point of a line is an average, too. If player 2 lets the pair 0, 1 gain 1 and player 3 lets it lose 1, its line is flat at 0, as of two that do nothing; only the dividends show it.

# %% [markdown]
# ## 5 · The real thing: how much do models let inputs interact?
#
# Four models foretell the course of diabetes from ten measurements. For twenty patients we play the usual game: an absent measurement is replaced by those of thirty other patients, and the answers are averaged. All 1,024 dividends, their sizes added up by the number of measurements that work together. A linear model is the control: it cannot have anything above one.

# %%
from tqdm.auto import tqdm

from course_utils.labs import load_lab
from course_utils.methods.shapley import masking_game

sizes = np.bitwise_count(np.arange(1024))
mass, fits, singles = {}, {}, {}
for kind in tqdm(("linear", "tree", "forest", "network"), leave=False):
    lab = load_lab("tabular", table="diabetes", model=kind)
    fits[kind] = np.corrcoef(lab.predict(lab.table[lab.unseen]), lab.targets[lab.unseen])[0, 1]
    others = lab.table[~lab.unseen][:30]
    for row in lab.table[lab.unseen][:20]:
        worths = all_worths(masking_game(lab.predict, row, others), 10)
        by_size = np.bincount(sizes, np.abs(my_dividends(worths, 10)), 11)[1:]
        mass.setdefault(kind, []).append(by_size / by_size.sum())
        singles.setdefault(kind, []).append(lesson.told_by_singles(worths))
mass = {kind: np.array(values) for kind, values in mass.items()}

# %% tags=["hide-input"]
axes = lesson.new_figure(2, 3)
for k, (kind, values) in enumerate(mass.items()):
    axes[0].plot(range(1, 11), values.mean(axis=0), "os^D"[k] + "-", color=plots.COLOURS[k], label=kind)
axes[0].set(xlabel="measurements in the coalition", ylabel="share of all |dividends|", ylim=0)
axes[0].legend(fontsize=9)
axes[0].set_title("By size", loc="left", fontsize=11)
plots.score_plot({kind: 1 - values[:, 0] for kind, values in mass.items()}, xlabel="share that is not of single measurements", ax=axes[1], xlim=(0, 1.12))  # fmt: skip
axes[1].set_title("All that is interaction", loc="left", fontsize=11)
plots.show(
    "Left: sizes of dividends by the number of measurements. Right: the share of interactions: "
    + ", ".join(f"{kind} {1 - values[:, 0].mean():.2f}" for kind, values in mass.items())
    + "."
)

# %% [markdown]
# Is the network, with its many interactions, the model that single numbers cannot tell? Test it: give each measurement one number, such that their sums come as near to the 1,024 worths as they can. How much of the worths' variance do the sums tell ($R^2$)? And as to quality: how well does each model foretell patients that it was not fitted to?

# %% tags=["hide-input"]
print("told by single numbers:", ", ".join(f"{kind} {np.mean(r):.2f}" for kind, r in singles.items()))
print("correlation of answers and truth:", ", ".join(f"{kind} {r:.2f}" for kind, r in fits.items()))

# %% [markdown]
# No. The network has by far the largest share of interactions, and yet single numbers tell about nine tenths of it, no less than of the tree. *Sizes* do not cancel: many dividends of both signs count much, although little is left of their sums. **The mass of the dividends does not say how much single numbers miss.** Nor does it say how good a model is: the linear one is as good as the others.

# %% [markdown]
# ### And a network that sees pictures?
#
# Cut a scene into 3 × 3 cells: nine players. An absent cell shows the blurred picture instead. With $p$, the probability of the right class, a coalition is worth the *log-odds*, $\log \frac{p}{1-p}$. Then 512 pictures tell everything about one scene.
#
# The *strength* of order $m$ is the mean of $|I^{(m)}(i,j)|$ over all pairs. Deng and others (2022) report a "U": networks let inputs interact with few others present or with nearly all, and little in between. Is it so here? Two controls tell what a U is worth: the same network with random weights, and the worths of the trained one dealt to the coalitions by chance.

# %%
from dataclasses import replace

from course_utils.lessons.l09_filter_visualization import with_random_weights

scenes = load_lab("scenes")
untrained = replace(scenes, model=with_random_weights(scenes))
rng = np.random.default_rng(0)
games = {
    "trained": [lesson.worths_of_cells(scenes, k) for k in tqdm(range(3), leave=False)],
    "random weights": [lesson.worths_of_cells(untrained, k) for k in tqdm(range(3), leave=False)],
}
games["shuffled worths"] = [rng.permutation(w) for w in games["trained"]]
strength = {name: np.array([lesson.strength_of_orders(w) for w in three]) for name, three in games.items()}

together_share = {}
for name, three in games.items():
    found = np.abs([my_dividends(w, 9) for w in three])
    together_share[name] = found[:, sizes[:512] > 1].sum(axis=1) / found[:, 1:].sum(axis=1)

# %% tags=["hide-input"]
from course_utils.methods.lime import hide_segments

some = np.array([[0, 1, 0, 1, 1, 1, 0, 1, 0]])
cells, blurred = lesson.cells_of(scenes, 0)
axes = lesson.new_figure(3, 3.3)
axes[0].imshow(hide_segments(scenes.images[0], cells, some, blurred)[0])
plots.bare(axes[0])
axes[0].set_title(
    f"Five of nine cells: {games['trained'][0][(some @ (1 << np.arange(9)))[0]]:+.1f}",
    loc="left",
    fontsize=11,
)
for k, (values, share) in enumerate(zip(strength["trained"], together_share["trained"], strict=True)):
    axes[1].plot(values, "os^"[k] + "-", color=plots.COLOURS[0], label=f"scene {k}: {share:.0%} together")
axes[1].set(xlabel="order m", ylabel="strength, in log-odds", ylim=(0, 1.7 * strength["trained"].max()))
axes[1].legend(fontsize=9, loc="upper right")
axes[1].set_title("Trained, three scenes", loc="left", fontsize=11)
ratio = {}
for k, (name, values) in enumerate(strength.items()):
    ratio[name] = (values[:, [0, 7]].sum(axis=1) / values[:, [3, 4]].sum(axis=1)).mean()
    relative = (values / values.mean(axis=1, keepdims=True)).mean(axis=0)
    axes[2].plot(relative, "osD"[k] + "-", color=plots.COLOURS[k], label=f"{name}: {ratio[name]:.1f}")
axes[2].set(xlabel="order m", ylabel="strength / its mean", ylim=(0, 4))
axes[2].legend(fontsize=9, title="outer / middle orders", title_fontsize=9, loc="upper center")
axes[2].set_title("Beside the controls", loc="left", fontsize=11)
plots.show(
    "Left: a scene with five of nine cells, the corners blurred. Middle: strength by order for three scenes. Right: "
    "relative to its mean, with controls; orders 0 and 7 against 3 and 4: "
    + ", ".join(f"{name} {value:.1f} times" for name, value in ratio.items())
    + "."
)
print("together, mean of three:", ", ".join(f"{name} {s.mean():.0%}" for name, s in together_share.items()))

# %% [markdown]
# The middle: each scene has its own line. "Together" is the share of all |dividends| that is not of single cells. It is large, but the line under the figure shows that random weights have more of it, and chance has nothing else: so it is no sign of learning, either. The right: a weak U in these three scenes; in other scenes the right arm is often missing, and random weights, which know nothing, bend it more on average. Chance alone makes a deep U. Why? In the middle, $I^{(m)}$ averages 35 companies, and differences without order cancel; at both ends there is only one company. **A U alone is no sign of what a network has learnt.** These are few scenes, nine large cells and one network: they do not refute the paper, they show which controls to ask for.

# %% [markdown]
# ## 6 · How alike are two layers?
#
# Now from inputs to networks. Two layers, of two networks perhaps, turn the same $n$ inputs into tables $X$ ($n \times p$) and $Y$ ($n \times q$), one column a unit. Unit 3 of one need not be unit 3 of the other, so compare the tables as a whole. Centre all columns. The **CKA** (*centred kernel alignment*; Kornblith and others, 2019) is
#
# $$\text{CKA} = \frac{\lVert X^\top Y \rVert^2}{\lVert X^\top X \rVert\; \lVert Y^\top Y \rVert}, \qquad \lVert M \rVert^2 = \text{the sum of all squared entries}.$$
#
# It is 1 if $Y$ is $X$ turned in its space, shifted or scaled as a whole, and one would like it to be near 0 for layers that have nothing to do with each other.
#
# ### Exercise: CKA


# %% exercise="cka"
def cka(x, y):
    """The linear CKA of x (n, p) and y (n, q)."""
    # BEGIN SOLUTION
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    above = ((x.T @ y) ** 2).sum()
    return above / np.sqrt(((x.T @ x) ** 2).sum() * ((y.T @ y) ** 2).sum())
    # END SOLUTION


# %%
exercises.cka.check(cka)

# %% [markdown]
# ### Is it zero for noise?
#
# Two tables of random numbers, drawn one without the other. They have nothing in common.

# %%
rng = np.random.default_rng(0)
n_inputs = (10, 20, 50, 100, 200, 500, 1000)
noise = {
    (n, which): [
        linear_cka(rng.normal(size=(n, 96)), rng.normal(size=(n, 96)), debiased=which) for _ in range(10)
    ]
    for n in n_inputs
    for which in (False, True)
}

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.5, 2.9))
for which, name, mark in ((False, "CKA", "o"), (True, "debiased", "s")):
    ax.plot(n_inputs, [np.mean(noise[n, which]) for n in n_inputs], mark + "-", color=plots.COLOURS[1 - which], label=name)  # fmt: skip
ax.axhline(0, color=plots.BASELINE, linestyle="--")
ax.set(xscale="log", xlabel="inputs n", ylabel="similarity of noise, 96 units")
ax.set_title(f"Noise is alike: {np.mean(noise[100, False]):.2f} with 100 inputs", loc="left")
ax.legend(fontsize=9)
plots.show(
    "CKA of two independent random tables with 96 columns falls from nearly 1 with ten inputs to "
    f"{np.mean(noise[1000, False]):.2f} with a thousand; the mean debiased value stays near 0."
)
spread = {n: np.std(noise[n, True]) for n in (10, 100)}
print(f"ten debiased values scatter by {spread[10]:.2f} with 10 inputs, by {spread[100]:.2f} with 100")

# %% [markdown]
# With 96 units and 100 inputs two noises "agree" by one half. The reason: write $K = XX^\top$ and $L = YY^\top$, the tables of how alike the inputs are to each other. Then $\lVert X^\top Y\rVert^2 = \sum_{ij} K_{ij} L_{ij}$, and on the diagonal stands how alike each input is *to itself*: always large, in both. Empty both diagonals and correct the centring for it (Song and others, 2012):
#
# $$\sum_{i \ne j} K_{ij} L_{ij} \;+\; \frac{\sum K \cdot \sum L}{(n-1)(n-2)} \;-\; \frac{2}{n-2} \sum_i k_i\, l_i ,$$
#
# where $k_i$ and $l_i$ are the sums of row $i$. Used three times in place of the squares, it gives the *debiased* CKA. For noise it is 0 *on average*: with few inputs single values scatter widely (the line under the figure).
#
# ### Exercise: find the bug
#
# This function should compute the line above. It still finds noise alike.


# %% exercise="debiased"
def similarity(x, y):
    """The sum of the formula above for x (n, p) and y (n, q)."""
    # BEGIN STUB
    # n, k, l = len(x), x @ x.T, y @ y.T
    # total = (k * l).sum()
    # total += k.sum() * l.sum() / ((n - 1) * (n - 2))
    # return total - 2 * k.sum(axis=0) @ l.sum(axis=0) / (n - 2)
    # END STUB
    # BEGIN SOLUTION
    n, k, m = len(x), x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    total = (k * m).sum()
    total += k.sum() * m.sum() / ((n - 1) * (n - 2))
    return total - 2 * k.sum(axis=0) @ m.sum(axis=0) / (n - 2)
    # END SOLUTION


# %%
exercises.debiased.check(similarity)

# %% [markdown]
# ## 7 · Twins: the same answers, the same inside?
#
# Four kinds of perceptron (64, 32, 16, 10 units) for handwritten digits: trained; not trained; trained on labels that were shuffled; trained on labels that are all wrong by one (a 3 is called 4, a 9 is called 0). Of each kind two with other first weights, the *twins*. We compare the first and the second hidden layer on 400 test digits, by the debiased CKA and by a second measure. **Explained share**: how well can a straight formula foretell the units of one twin from those of the other, on digits that it was not fitted to ($R^2$: 1 perfectly, 0 no better than a constant)? Liang and others (2020) call what can be foretold *consistent knowledge*.

# %%
train_x, train_y, test_x, test_y = lesson.digits()
generator = torch.Generator().manual_seed(0)
shuffled = train_y[torch.randperm(len(train_y), generator=generator)]
family = {
    "trained": [lesson.digit_network(train_x, train_y, seed) for seed in (0, 1)],
    "not trained": [lesson.digit_network(train_x, train_y, seed, steps=0) for seed in (2, 3)],
    "shuffled labels": [lesson.digit_network(train_x, shuffled, seed) for seed in (4, 5)],
    "wrong by one": [lesson.digit_network(train_x, (train_y + 1) % 10, seed) for seed in (6, 7)],
}
inside = {kind: [lesson.hidden(net, test_x) for net in twins] for kind, twins in family.items()}

# %%
pairs = {
    "trained twins": (inside["trained"][0], inside["trained"][1]),
    "trained and not trained": (inside["trained"][0], inside["not trained"][0]),
    "trained and shuffled labels": (inside["trained"][0], inside["shuffled labels"][0]),
    "trained and wrong by one": (inside["trained"][0], inside["wrong by one"][0]),
    "not trained twins": inside["not trained"],
    "shuffled twins": inside["shuffled labels"],
}

# %%
alike = {}
for name, (a, b) in pairs.items():
    for layer in (0, 1):
        x, y = a[layer], b[layer]
        share = explained_share(x[:200], y[:200], x[200:], y[200:])
        alike[name, layer] = linear_cka(x, y, debiased=False), linear_cka(x, y), share

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 2.7), sharey=True)
for ax, which, title in zip(axes, range(3), ("CKA", "CKA, debiased", "explained share"), strict=True):
    for layer in (0, 1):
        values = [alike[name, layer][which] for name in pairs]
        ax.plot(values, np.arange(len(pairs)) + 0.15 * (2 * layer - 1), "os"[layer], color=plots.COLOURS[layer], label=f"hidden layer {layer + 1}")  # fmt: skip
    ax.set(xlim=(min(0, min(a[which] for a in alike.values()) - 0.05), 1.05))
    ax.set_title(title, loc="left", fontsize=11)
    ax.grid(axis="x", color="#d9dde0")
axes[0].set_yticks(range(len(pairs)), list(pairs))
axes[0].invert_yaxis()
axes[2].legend(fontsize=9.5, loc="upper left", bbox_to_anchor=(1, 1))
plots.show(
    "Similarity of two networks' layers. In the second layer: "
    + "; ".join(
        f"{name}, debiased CKA {alike[name, 1][1]:.2f}, explained share {alike[name, 1][2]:.2f}"
        for name in pairs
    )
    + "."
)

# %% tags=["hide-input"]
answers = {
    kind: [net(test_x.flatten(1).double()).argmax(1) for net in twins] for kind, twins in family.items()
}
for kind, (a, b) in answers.items():
    print(f"{kind:16} right {(a == test_y).double().mean():.2f}, twins give the same answer {(a == b).double().mean():.2f}")  # fmt: skip
learnt = family["shuffled labels"][0](train_x.flatten(1).double()).argmax(1) == shuffled
print(f"shuffled labels that the network has learnt by heart: {learnt.double().mean():.2f}")
mixed = np.random.default_rng(0).permuted(test_x.flatten(1).numpy(), axis=0)  # each pixel by itself
left = [lesson.hidden(net, torch.from_numpy(mixed))[0] for net in family["not trained"]]
print(
    f"not trained twins, layer 1, each pixel dealt anew to the pictures: debiased CKA {linear_cka(*left):.2f}"
)

# %% [markdown]
# The trained twins are alike in both layers, by all three numbers. But do not measure from zero: two networks that were *never trained* are alike, too, by about one half in the first layer. They saw the same pictures, and the pixels of digits go together: if each pixel is dealt anew to the pictures, so that they no longer do, about half of that is left. Twins that learnt shuffled labels by heart (most of them) are about as alike as those in each layer, and far from the trained ones. **A similarity needs the untrained pair beside it**, as a heat map needs the untrained network ([12](12_judging_explanations.ipynb), *sanity checks*). And it is no proof of right knowledge: a network that is wrong about every digit, by one, is as much like the trained one as its twin. The measures ask differently: CKA is 1 only if one layer is the other turned and scaled as a whole, the explained share forgives every stretching. Plain and debiased CKA hardly differ here.

# %% [markdown]
# ## 8 · Your turn
#
# Your own game: write any function of the columns of `x`, with 0 or 1 in them, for up to ten players. You get its dividends, largest first.


# %%
def my_game(masks):
    x = np.asarray(masks, float).T
    return np.maximum(x[0] + x[1] - x[2], 0) + 0.5 * x[3]


n_players = 4
print("\n".join(lesson.own_dividends(my_game, n_players)))

# %% [markdown]
# ## 9 · Where it breaks
#
# **Card 1: many players.** All of this asks every coalition: 25 players are 33 million questions. For a picture of 16 × 16 patches nothing here can be computed, only estimated. **Card 2: an absent player must mean something.** All dividends depend on what replaces it, as in [07](07_shap.ipynb), section 10. **Card 3: a maximum has all orders.** One ReLU of three inputs (the game above) has dividends that cancel each other. A network is made of ReLUs: its dividends can be many and of both signs (section 5), and a long list of them tells little.
#
# ### Play
#
# How does the noise of CKA depend on the number of units?


# %%
def draw_noise(units, in_common):
    """Two tables of noise, with a share of units that are the same in both."""
    rng = np.random.default_rng(0)
    values = {False: [], True: []}
    for n in (20, 50, 100, 200, 400):
        x, y = rng.normal(size=(n, units)), rng.normal(size=(n, units))
        y[:, : round(in_common * units)] = x[:, : round(in_common * units)]
        for which in values:
            values[which].append(linear_cka(x, y, debiased=which))
    figure, ax = plt.subplots(figsize=(5.5, 2.8))
    for which, name in ((False, "CKA"), (True, "debiased")):
        ax.plot((20, 50, 100, 200, 400), values[which], "o-", color=plots.COLOURS[1 - which], label=name)
    ax.set(xlabel="inputs n", ylabel="similarity", ylim=(-0.1, 1.05))
    ax.set_title(f"{units} units, {in_common:.0%} of them the same", loc="left", fontsize=10)
    ax.legend(fontsize=9)


widgets.explore(
    draw_noise,
    units=widgets.slider("units", 4, 256, 96, 4),
    in_common=widgets.slider("share in common", 0, 1, 0.25, 0.05),
)

# %% tags=["hide-input"]
draw_noise(96, 0.25)
plots.show("CKA and its debiased version against the number of inputs, for two layers of 96 units of which a quarter is the same.")  # fmt: skip

# %% [markdown]
# ## 10 · Recap
#
# - Dividends are a game taken apart completely; the Möbius transform finds all of them with few subtractions.
# - A number for a pair is a choice: all versions agree about a pair that works alone, and not about larger groups.
# - Many large dividends can cancel: their mass does not say what single numbers miss.
# - Orders show how a pair's work changes with its company, on average.
# - CKA finds noise alike if inputs are few; the debiased version does not, on average. Put the untrained pair beside it.
#
# **References**
# - Harsanyi, 1963: *A simplified bargaining model for the n-person cooperative game*, International Economic Review 4
# - [Grabisch and Roubens, 1999: An axiomatic approach to the concept of interaction among players](https://doi.org/10.1007/s001820050125)
# - [Sundararajan and others, 2020: The Shapley Taylor interaction index](https://arxiv.org/abs/1902.05622)
# - [Zhang and others, 2021: Interpreting and boosting dropout from a game-theoretic view](https://arxiv.org/abs/2009.11729)
# - [Deng and others, 2022: Discovering and explaining the representation bottleneck of DNNs](https://arxiv.org/abs/2111.06236)
# - [Kornblith and others, 2019: Similarity of neural network representations revisited](https://arxiv.org/abs/1905.00414)
# - [Song and others, 2012: Feature selection via dependence maximization](https://www.jmlr.org/papers/v13/song12a.html)
# - [Liang and others, 2020: Knowledge consistency between neural networks and beyond](https://arxiv.org/abs/1908.01581)
