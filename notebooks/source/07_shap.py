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
# # 07 · SHAP: who earned how much?
#
# **The question.** A model gives one number for one input. How much of it is due to each feature?
#
# **After this lesson you can**
# - compute Shapley values by hand, and say which four wishes make them the only possible answer;
# - turn a prediction into a game, and say what "this feature is absent" means in it;
# - climb from exact values to estimates and shortcuts, and know the error of each;
# - show that your numbers equal those of `shap` and captum, and name four places where the library surprises;
# - test SHAP and LIME side by side against truth, on pictures and on texts;
# - recognise the situations in which SHAP misleads.
#
# **Time**: about three hours with the exercises; sections 1 to 6 and 13 alone take about 100 minutes. **Before**: you know what an average and a linear regression are. Lesson 06 (LIME) helps; sections 5, 9 and 10 compare with it. Everything here runs on a
# laptop without a network connection.

# %%
import logging
import os
import warnings
from functools import partial
from itertools import combinations, permutations, product
from math import comb, factorial

os.environ["NUMBA_DISABLE_JIT"] = "1"  # shap would compile for seconds to save milliseconds
logging.getLogger("shap").setLevel("ERROR")  # no advice about run times on this page

import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.labs import LabUnavailable, load_lab
from course_utils.methods.shapley import (
    all_worths,
    conditional_game,
    gradient_shap,
    kernel_shap,
    linear_shap,
    masking_game,
    permutation_shap,
    shapley_interactions,
    shapley_kernel,
    shapley_values,
    text_game,
    tree_shap,
)
from course_utils.teach import plots, widgets
from course_utils.exercises import l07_shap as exercises

# %% [markdown]
# ## 1 · A puzzle: three bills for one flat
#
# In a small town a flat costs, on average, about 271 thousand euros. One flat has a park nearby, 50 m², lies on the second floor, and cats are banned. A model says: 215 thousand. Why is it below the average?
#
# Three agents explain the difference. Agents A and B start from the average and reveal one fact after the other, each time asking for the mean price of the flats with these facts. Agent C takes the full description and
# leaves out one fact at a time.

# %%
flats = load_lab("tabular", table="apartments")
FLAT = np.array([1.0, 50.0, 2.0, 1.0])
FACTS = ["park nearby", "area", "floor", "cats banned"]


def mean_price(known):
    """Mean of the model over the town, when the facts in `known` (0/1) are set to those of our flat."""
    return flats.predict(np.where(np.array(known) == 1, FLAT, flats.table)).mean()


def reveal(order):
    """What each fact adds when the facts are revealed in this order."""
    known, bill = np.zeros(4, int), np.zeros(4)
    for fact in order:
        before = mean_price(known)
        known[fact] = 1
        bill[fact] = mean_price(known) - before
    return bill


bills = {
    "A: park first, then the area": reveal([0, 1, 2, 3]),
    "B: area first, then the park": reveal([1, 0, 2, 3]),
    "C: leave one out": np.array([mean_price(np.ones(4)) - mean_price(1 - row) for row in np.eye(4)]),
}
print(
    f"average {mean_price(np.zeros(4)):.2f}, this flat {mean_price(np.ones(4)):.2f}, "
    f"difference {mean_price(np.ones(4)) - mean_price(np.zeros(4)):.2f} thousand euros"
)


def show_shares(values, row_names, column_names, title, height=2.4, decimals=2):
    """A table of shares as coloured cells: red adds, blue takes away."""
    _, ax = plt.subplots(figsize=(8.5, height))
    plots.matrix_plot(values, row_names, column_names, signed=True, decimals=decimals, ax=ax)
    ax.set_title(title, loc="left")
    plt.show()


table = np.array([[*bill, bill.sum()] for bill in bills.values()])
show_shares(table, list(bills), [*FACTS, "sum"], "Three explanations of one price (thousand euros)")

# %% [markdown]
# Each row of the table is one agent. A and B agree about floor and cats, but not about the park and the area, although both explain the whole difference. C's bill does not even add up to it. Nobody made a mistake in the arithmetic. **A model whose features act together has no
# obvious way to split the bill.** In 1953 Lloyd Shapley asked what a fair split would be, and proved that there is exactly one.

# %% [markdown]
# ## 2 · A game that fits on one page
#
# Three friends make music in the street: Ann sings, Ben plays, Cem drums. A *game* says what each *coalition* (each group of players) earns in an evening. We write
# - $N$ for the set of all players, and $n$ for their number;
# - $S$ for a coalition, some of the players, and $|S|$ for its size;
# - $v(S)$ for what it earns, its *worth*. The empty coalition $\varnothing$ earns nothing here.
#
# We number the coalitions: a player is one bit, so coalition 5 = binary 101 is Ann and Cem.

# %%
PLAYERS = ["Ann", "Ben", "Cem"]
EARNED = np.array([0.0, 10.0, 20.0, 60.0, 0.0, 40.0, 20.0, 90.0])  # worth of the coalitions 0 … 7


def band(masks):
    """The band as a game: coalitions (B, 3) of 0 and 1 to their worths (B,)."""
    return EARNED[np.asarray(masks) @ [1, 2, 4]]


for code in range(8):
    members = [player for bit, player in enumerate(PLAYERS) if code >> bit & 1]
    print(f"{' + '.join(members) or 'nobody':<18}{EARNED[code]:>5.0f} €")

# %% [markdown]
# ### All orders of arrival
#
# Let the friends arrive one after the other. Who arrives gets what he or she *adds*. That depends on the order, as you saw in the puzzle. So take **all** orders, and average.

# %%
orders = list(permutations(range(3)))
added = np.zeros((len(orders), 3))
for row, order in enumerate(orders):
    code = 0
    for player in order:
        added[row, player] = EARNED[code | 1 << player] - EARNED[code]
        code |= 1 << player
phi = added.mean(axis=0)  # the Shapley values

plots.matrix_plot(
    np.vstack([added, phi]),
    [", ".join(PLAYERS[p] for p in order) for order in orders] + ["average"],
    PLAYERS,
    signed=True,
    decimals=0,
    title="What each friend adds, for each order of arrival",
)
plt.show()

# %% [markdown]
# The last row is the answer: the *Shapley values* $\phi_i$. Each row adds up to the 90 euros, so the average does, too. Cem earns nothing alone, and still gets a share, because Ann earns more with him.
#
# ### The formula with its weights
#
# Three friends have 6 orders, ten have 3.6 million. But many orders ask the same question: what player $i$ adds to $S$ does not depend on the order *within* $S$. How many orders have exactly the players of $S$ before $i$? Those of $S$ can
# stand in $|S|!$ orders, the others behind $i$ in $(n - |S| - 1)!$. Divide by all $n!$ orders, and you have the weight in Shapley's formula:
#
# $$\phi_i = \sum_{S \subseteq N \setminus \{i\}} \frac{|S|!\,(n-|S|-1)!}{n!}\,\big(v(S \cup \{i\}) - v(S)\big)$$
#
# Here is Ann's sum, term by term:

# %%
total, weights = 0.0, []
for code in (0, 2, 4, 6):  # the coalitions without Ann
    s = code.bit_count()
    weight = factorial(s) * factorial(3 - s - 1) / factorial(3)
    gain = EARNED[code + 1] - EARNED[code]
    weights.append(weight)
    total += weight * gain
    members = [player for bit, player in enumerate(PLAYERS) if code >> bit & 1]
    print(f"{' + '.join(members) or 'nobody':<12} weight {weight:.3f} × {gain:>3.0f} €")
print(f"the weights add up to {sum(weights):.3f}, Ann gets {total:.2f} €")

# %% [markdown]
# ### By hand, for any game
#
# A game is a function: it takes coalitions as rows of 0 and 1, and returns their worths. That is all we need for the rest of the lesson.


# %%
def my_shapley(value, n):
    """Exact Shapley values (n,) of the game `value`: coalitions (B, n) of 0 and 1 to worths (B,)."""
    codes = np.arange(2**n)
    coalitions = codes[:, None] >> np.arange(n) & 1
    worths, sizes = value(coalitions), coalitions.sum(axis=1)
    weight = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)])
    phi = np.zeros(n)
    for i in range(n):
        without = codes[coalitions[:, i] == 0]
        gains = worths[without + 2**i] - worths[without]  # with i, minus without
        phi[i] = (weight[sizes[without]] * gains).sum()
    return phi


print("formula:", my_shapley(band, 3).round(2), "| average over orders:", phi.round(2))

# %% [markdown]
# ### Four wishes
#
# Why this average and no other rule? Say what you expect of a fair rule, the *axioms*:
# - **efficiency**: all shares together are $v(N) - v(\varnothing)$;
# - **symmetry**: two players who add the same to every coalition get the same;
# - **dummy**: a player who adds nothing to any coalition gets nothing;
# - **additivity**: the shares of two evenings played as one game, $v + w$, are the shares of $v$ plus the shares of $w$.
#
# We test them live, on random games with five players, for Shapley's rule and for four others that sound reasonable. *First come* pays in one fixed order. *Leave one out* pays what is lost if the player stays at home; the last rule rescales that, so that it adds up.


# %%
def random_game(seed, n=5):
    """Each coalition has a random worth, nobody earns nothing."""
    worths = np.random.default_rng(seed).uniform(0, 10, 2**n)
    worths[0] = 0
    return lambda masks: worths[np.asarray(masks) @ (1 << np.arange(n))]


def twins(masks):
    """A game in which players 0 and 1 can be exchanged."""
    masks = np.array(masks)
    masks[:, :2] = np.sort(masks[:, :2], axis=1)
    return random_game(7)(masks)


def idle(masks):
    """A game in which player 2 adds nothing."""
    masks = np.array(masks)
    masks[:, 2] = 0
    return random_game(8)(masks)


def leave_one_out(value, n):
    return (value(np.ones((1, n), int)) - value(1 - np.eye(n, dtype=int))).astype(float)


def rescaled(value, n):
    losses = leave_one_out(value, n)
    return losses / losses.sum() * value(np.ones((1, n), int))


rules = {
    "Shapley": my_shapley,
    "equal shares": lambda value, n: np.repeat(value(np.ones((1, n), int)) / n, n),
    "first come": lambda value, n: np.diff(value(np.tri(n + 1, n, -1, dtype=int))),
    "leave one out": leave_one_out,
    "… rescaled": rescaled,
}
axioms = {
    "efficiency": lambda rule: np.isclose(rule(random_game(1), 5).sum(), random_game(1)([[1] * 5])[0]),
    "symmetry": lambda rule: np.isclose(*rule(twins, 5)[:2]),
    "dummy": lambda rule: np.isclose(rule(idle, 5)[2], 0),
    "additivity": lambda rule: np.allclose(
        rule(lambda masks: random_game(1)(masks) + random_game(2)(masks), 5),
        rule(random_game(1), 5) + rule(random_game(2), 5),
    ),
}

# %%
# NBVAL_CHECK_OUTPUT
print(f"{'':<15}" + "".join(f"{axiom:>12}" for axiom in axioms))
for name, rule in rules.items():
    print(f"{name:<15}" + "".join(f"{'yes' if test(rule) else 'NO':>12}" for test in axioms.values()))

# %% [markdown]
# Each of the other rules breaks exactly one wish, and each breaks another one. Passing a test on a few random games is no proof, but failing one is. That the four keep the other three wishes in *every* game is easy to check by thought (the rescaled rule: in every game whose losses do not sum to zero). So none of the four axioms follows from the others.
#
# ### Only one rule is left
#
# Here is why the four wishes leave no choice. Any game can be taken apart into bonuses: $d_T$ is what the coalition $T$ earns *on top of* everything that its smaller groups earn already (its *dividend*). A game that pays $d_T$ as soon as all of $T$ are present is easy to split: everybody outside $T$ is a dummy and
# gets nothing; inside $T$ all are symmetric; and by efficiency they share $d_T$ equally. Additivity puts the pieces together:
#
# $$d_T = v(T) - \sum_{R \subsetneq T} d_R, \qquad \phi_i = \sum_{T \ni i} \frac{d_T}{|T|} .$$
#
# Every step was forced, so no other rule has all four properties.

# %%
dividends = np.zeros(8)
for code in range(1, 8):  # a smaller group has a smaller number, so it is done already
    dividends[code] = EARNED[code] - sum(dividends[r] for r in range(1, code) if r & code == r)
forced = np.zeros(3)
for code in np.flatnonzero(dividends):
    members = [bit for bit in range(3) if code >> bit & 1]
    forced[members] += dividends[code] / len(members)
    print(f"{' + '.join(PLAYERS[m] for m in members):<12} bonus {dividends[code]:>3.0f} €")
print("shared equally:", dict(zip(PLAYERS, forced.round(2).tolist(), strict=True)))

# %% [markdown]
# The same numbers again, without any order of arrival.

# %% [markdown]
# ## 3 · From a game to a model
#
# The players are the features of one input $x$, and the coalition $S$ are the features whose values we know. The worth of $S$ is what the model $f$ says when only they are known. The others take values of the town, and we average:
#
# $$v(S) = \frac{1}{K} \sum_{k=1}^{K} f\big(x \text{ on } S,\; z^{(k)} \text{ elsewhere}\big)$$
#
# The rows $z^{(1)}, \dots, z^{(K)}$ are the *background*. Here it is the whole town, so the average is exact, and the price is no black box either: $\text{price} = 60 + 3 \cdot \text{area} + 0.5 \cdot \text{area} \cdot \text{park} + 5 \cdot \text{floor} - 30 \cdot \text{cats}$.
#
# You can therefore check the computer with a pencil. The mean area is 65, half of the flats have a park, and cats are banned in a third of them. The formula without its product is a sum, so for cats: $-30 \cdot (1 - \tfrac13) = -20$. The second floor is the mean floor: 0.
# The product is shared by park and area, averaged over both orders. Park: $\tfrac12\big(0.5 \cdot 65 \cdot \tfrac12 + 0.5 \cdot 50 \cdot \tfrac12\big) = 14.375$.


# %%
def flat_game(masks):
    """Known facts (B, 4) to mean prices (B,)."""
    return np.array([mean_price(row) for row in masks])


phi_flat = my_shapley(flat_game, 4)
print("your function on the flat:", dict(zip(FACTS, phi_flat.round(3).tolist(), strict=True)))
print(f"average {mean_price(np.zeros(4)):.2f} + shares {phi_flat.sum():.2f} = {mean_price(np.ones(4)):.2f}")

# %% [markdown]
# The usual picture of such an answer is the *waterfall*: start at the average $E[f(X)]$ below, add one share after the other, and arrive at the prediction $f(x)$ on top. The `shap` package draws it. (The block at *floor* has the length 0; `shap` draws a small head all the same.) Below it, the same numbers as one bar, in the manner of shap's *force plot*: red pushes the price up, blue pushes it down. Both colours end at the prediction: the red part reaches it from the left, the blue part from the right. The blue part's length minus the red part's is the distance from the average.

# %%
import shap


def shap_figure(draw, width, height, **options):
    """Draw one of shap's own plots at the size of this page."""
    with plt.rc_context({"figure.constrained_layout.use": False}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        draw(show=False, **options)
        figure = plt.gcf()
        figure.set_size_inches(width, height)
        figure.tight_layout()
        plt.show()


explained = shap.Explanation(phi_flat, flats.predict(flats.table).mean(), FLAT, feature_names=FACTS)
shap_figure(partial(shap.plots.waterfall, explained), 7.5, 3.2)


# %%
def force_bar(base, phi, names):
    """What pushes the prediction up (red, from the left) and down (blue, from the right) in one bar."""
    answer = base + phi.sum()
    _, ax = plt.subplots(figsize=(10, 1.7))
    for sign, colour in ((1, "#b2182b"), (-1, "#2166ac")):
        edge = answer
        for i in sorted(np.flatnonzero(sign * phi > 0), key=lambda i: -abs(phi[i])):
            start, width = edge - (phi[i] if sign > 0 else 0), abs(phi[i])
            ax.barh(0, width, left=start, color=colour, edgecolor="white", linewidth=2)
            ax.text(
                start + width / 2,
                0,
                f"{names[i]}\n{phi[i]:+.1f}",
                color="white",
                ha="center",
                va="center",
                fontsize=9,
            )
            edge -= phi[i]
    for x, label in ((answer, f"prediction {answer:.2f}"), (base, f"average {base:.2f}")):
        ax.plot([x, x], [-0.55, 0.55], color=plots.INK, linewidth=1.5)
        ax.text(x, 0.6, label, ha="center", va="bottom", fontsize=10)
    ax.set(yticks=[], ylim=(-0.6, 1.0), xlabel="thousand euros")
    ax.spines["left"].set_visible(False)
    plt.show()


force_bar(mean_price(np.zeros(4)), phi_flat, FACTS)

# %% [markdown]
# A caution right away: floor gets 0, and yet a higher floor does cost more. Zero does not mean "the model ignores it". It means that *this* value, compared with *this* background, makes no difference.

# %% [markdown]
# ## 4 · What does "absent" mean?
#
# In our town the columns are independent. In a second town they are not: the parks lie where the large flats are. Then "the area is 50, the park is unknown" can be read in two ways:
# - **marginal** (also *interventional*): draw the park from the whole town, whatever the area. This asks the model about flats that may not exist.
# - **conditional** (also *observational*): draw it from the flats that have 50 m². This asks what we can guess from what we know.
#
# To see the difference, take a formula that does not look at the park at all, and explain our flat.

# %%
rows_of_table, names_of_rows = [], []
for town in ("apartments", "apartments_correlated"):
    lab_town = load_lab("tabular", table=town, model="formula_without_park")
    for reading, game in (
        ("marginal", masking_game(lab_town.predict, FLAT, lab_town.table)),
        ("conditional", conditional_game(lab_town.predict, FLAT, lab_town.table)),
    ):
        rows_of_table.append(my_shapley(game, 4))
        names_of_rows.append(f"{'correlated' if 'corr' in town else 'independent'}, {reading}")
show_shares(np.array(rows_of_table), names_of_rows, FACTS, "A price that ignores the park", decimals=1)

# %% [markdown]
# Look at the first column. Where nothing correlates, both readings agree. In the correlated town the conditional value of the park is large, although the formula never reads it: flats with a park have 80 m² on average instead of 65, so the park *tells* us something about the area. Knowing it first is worth $3 \cdot (80 - 65) = 45$;
# knowing it after the area is worth nothing; the average is 22.5.
#
# Neither is wrong. The marginal one answers "what does the *model* use?", the conditional one "what does this *fact tell* us about the answer?". The price of the marginal one: how many of the flats it asks about exist in the town?

# %%
correlated = load_lab("tabular", table="apartments_correlated")
known = {tuple(row[:2]) for row in correlated.table}
mixed = [
    (park, area)
    for park, area in (
        *((FLAT[0], a) for a in correlated.table[:, 1]),
        *((p, FLAT[1]) for p in correlated.table[:, 0]),
    )
]
print(f"marginal questions about flats that do not exist: {np.mean([m not in known for m in mixed]):.0%}")
print(f"areas of flats with a park: {sorted({int(a) for p, a in known if p == 1})}")
print(f"areas of flats without one: {sorted({int(a) for p, a in known if p == 0})}")

# %% [markdown]
# Only a few here. With thirty columns instead of two, nearly every question is about something that never occurs (lesson 06, card 3).
#
# The rest of this lesson is marginal. `shap` is, too, except for its best-known explainer: `TreeExplainer` without background rows is *path-dependent*. At a split on an absent feature it goes both ways, weighted with how many training rows went each way: a rough conditional reading, and other numbers (section 7 shows them). Pass the background.

# %% [markdown]
# ## 5 · SHAP is LIME with another kernel
#
# Lundberg and Lee noticed in 2017 that several methods have the same form. They explain the prediction by a linear function of switches $z' \in \{0, 1\}^n$ (1: the feature is known), an **additive feature attribution**:
#
# $$g(z') = \phi_0 + \sum_{i=1}^{n} \phi_i z'_i .$$
#
# LIME is one of them: its coefficients are the $\phi_i$. The paper names three properties that one would like:
# - **local accuracy**: with all switches on, $g(1, \dots, 1) = f(x)$, and with all off, $g(0, \dots, 0) = \phi_0 = v(\varnothing)$. (In the game: efficiency.)
# - **missingness**: a feature whose switch is off in the input gets no share. (An example: a superpixel that looks the same shown and hidden.)
# - **consistency**: if the model changes so that a feature adds more to every coalition, or the same, its share does not fall.
#
# Its theorem 1: only Shapley values have all three. So LIME, with the kernel that it chose by feeling, cannot have them. Watch it on the band. We add Dora, who only watches, and ask LIME with *all* coalitions and without its *ridge* (the penalty that pulls coefficients towards zero), so that nothing is left to chance.

# %%
from course_utils.methods.lime import (
    cosine_distances,
    exponential_kernel,
    fit_surrogate,
    hidden_image,
    hide_words,
    lime_text,
    paint,
    sample_masks,
    sample_word_masks,
    split_words,
)


def all_masks(n):
    """Every setting of n switches (2ⁿ, n), the one with all on first."""
    return (~np.arange(2**n)[:, None] >> np.arange(n)) & 1


four = all_masks(4)
by_lime = fit_surrogate(four, band(four[:, :3]), exponential_kernel(cosine_distances(four), 0.25), ridge=0.0)
by_shapley = my_shapley(lambda masks: band(masks[:, :3]), 4)
print(f"{'':<10}{'Ann':>8}{'Ben':>8}{'Cem':>8}{'Dora':>8}{'nobody':>9}{'all':>8}")
print(f"{'LIME':<10}" + "".join(f"{v:>8.2f}" for v in by_lime.coefficients), end="")
print(f"{by_lime.intercept:>9.2f}{by_lime.prediction:>8.2f}")
print(f"{'Shapley':<10}" + "".join(f"{v:>8.2f}" for v in by_shapley), end="")
print(f"{0:>9.2f}{by_shapley.sum():>8.2f}")

# %% [markdown]
# LIME's line is additive, but it misses both ends (columns "nobody" and "all"): it gives a negative amount to the empty coalition, and less than 90 to the whole band. That breaks local accuracy. And it pays Dora, who adds nothing to any coalition: that breaks the dummy axiom, which the three properties together imply.
#
# **Consistency**, tested on Shapley values: raise what player 3 adds, by a random amount in each coalition. Her share must not fall.

# %%
bonus = np.random.default_rng(3).uniform(0, 5, 32)


def richer(masks):
    masks = np.asarray(masks)
    return random_game(1)(masks) + masks[:, 3] * bonus[masks @ (1 << np.arange(5))]


before, after = my_shapley(random_game(1), 5)[3], my_shapley(richer, 5)[3]
print(f"share of player 3: before {before:.2f}, after {after:.2f}")

# %% [markdown]
# ### The Shapley kernel
#
# Which weights make LIME's regression give Shapley values? Theorem 2 of the paper: with $s$ the number of switches that are on,
#
# $$\pi(s) = \frac{n-1}{\binom{n}{s}\, s\,(n-s)} .$$
#
# It is infinite for $s = 0$ and $s = n$: those two points must lie *on* the line, which is local accuracy. Compare it with LIME's kernel of lesson 06, $\exp(-D^2 / 2\sigma^2)$ with $D = 1 - \sqrt{s/n}$ and $\sigma = 0.25$. Left: the weight of one coalition. Right: of all coalitions of a size together (there are $\binom{n}{s}$ of them), as a share of the total.

# %%
n = 12
on = np.arange(1, n)
kernels = {
    "Shapley kernel": shapley_kernel(n, on),
    "LIME, σ = 0.25": exponential_kernel(1 - np.sqrt(on / n), 0.25),
}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2))
for (name, weight), style in zip(kernels.items(), ("o-", "s--"), strict=True):
    together = weight * [comb(n, s) for s in on]
    axes[0].semilogy(on, weight / weight.max(), style, label=name)
    axes[1].plot(on, together / together.sum(), style, label=name)
axes[0].set(xlabel="players present (of 12)", ylabel="weight of one coalition\n(largest = 1)")
axes[1].set(xlabel="players present (of 12)", ylabel="share of the total weight")
axes[0].legend()
axes[0].set_title("LIME trusts large coalitions, Shapley both ends", loc="left")
axes[1].set_title("Together: LIME looks at the middle", loc="left")
plt.show()

# %% [markdown]
# It is no accident that the Shapley kernel likes nearly empty and nearly full coalitions: they say most about single players.
#
# ### KernelSHAP by hand
#
# A weighted regression in which both ends are fixed. Both ends on the line mean $\phi_0 = v(\varnothing)$ and $\phi_n = \Delta - \sum_{i<n} \phi_i$, with $\Delta = v(N) - v(\varnothing)$. Put that into $g(z')$, and sort:
#
# $$v(S) - v(\varnothing) - z'_n \Delta \;\approx\; \sum_{i<n} \phi_i\,(z'_i - z'_n) .$$
#
# Left is `target`, the brackets on the right are `design`. It is an ordinary weighted regression for the first $n - 1$ players; the last one gets the rest.


# %%
def my_kernel_shap(value, n, masks):
    """Shapley values (n,) from coalitions `masks` (B, n), without the empty and the full one."""
    empty, full = value(np.array([[0] * n, [1] * n]))
    weights = shapley_kernel(n, masks.sum(axis=1))
    target = value(masks) - empty - masks[:, -1] * (full - empty)
    design = masks[:, :-1] - masks[:, -1:]  # what a player gets, the last one loses
    root = np.sqrt(weights)
    phi = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0]
    return np.append(phi, full - empty - phi.sum())


inner = all_masks(4)[1:-1]
print("regression:", my_kernel_shap(flat_game, 4, inner).round(3))
print("formula:   ", phi_flat.round(3))

# %% [markdown]
# Why is that useful? The formula needs *all* coalitions. A regression also works with some of them. That is the door to large games.

# %% [markdown]
# ## 6 · The ladder: from exact to fast
#
# ### Rung 1: ask everything
#
# $2^n$ coalitions are no problem for a computer if the game is cheap. Twenty players are about a million coalitions. This game has a known answer: $v(S) = (\sum_{i \in S} a_i)^2$ gives $\phi_i = a_i \sum_j a_j$.

# %%
a = np.random.default_rng(0).random(20)
exact_20 = shapley_values(lambda masks: (masks @ a) ** 2, 20)
right = np.allclose(exact_20, a * a.sum(), atol=1e-9)
print(f"{2**20:,} coalitions, equal to the known answer: {right}")

# %% [markdown]
# Now a game that costs something: the scene with two objects from lesson 06, cut into 12 superpixels. All $2^{12} = 4{,}096$ versions of the picture go through the network, in batches. We keep the *logits* of all ten classes. From then on every game about this picture is a look-up in that table.

# %%
from skimage.segmentation import mark_boundaries, slic
from tqdm.auto import tqdm

lab = load_lab("scenes", n_objects=2)
both = np.take_along_axis(lab.predict(lab.images), lab.targets.numpy(), axis=1)
scene = int(both.min(axis=1).argmax())  # the scene about which the network is least decided
image, target, other = lab.images[scene], int(lab.targets[scene, 0]), int(lab.targets[scene, 1])
names = {c: lab.class_names[c] for c in (target, other)}


def superpixels(picture, n=15):
    """Labels (H, W) of about `n` patches of similar colour, counted from 0."""
    return slic(picture, n_segments=n, compactness=10, sigma=1, start_label=0)


def network_answers(lab, picture, segments, masks, batch_size=16):
    """Logits (B, classes) for a picture whose superpixels are hidden where `masks` (B, d) is 0."""
    shown, hidden = (lab.preprocess(p[None]) for p in (picture, hidden_image(picture, segments)))
    owner = torch.from_numpy(segments).to(lab.device)  # which player each pixel belongs to
    batches = torch.from_numpy(np.array(masks)).to(lab.device).bool().split(batch_size)
    answers = []
    with torch.inference_mode():
        for batch in tqdm(batches, leave=False, disable=len(batches) < 50):
            on = batch[:, owner][:, None]
            inputs = torch.where(on, shown, hidden).contiguous(memory_format=torch.channels_last)
            answers.append(lab.model(inputs).cpu())
    return torch.cat(answers).double().numpy()


def softmax(logits):
    """Probabilities (B, classes)."""
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


segments = superpixels(image)
d = int(segments.max()) + 1
every = all_masks(d)[::-1]  # row c is coalition number c
logits = network_answers(lab, image, segments, every)
chances = softmax(logits)


def look_up(worths):
    """The game whose worths (2ᵈ,) are known."""
    return lambda masks: worths[np.asarray(masks).astype(int) @ (1 << np.arange(d))]


picture_game = look_up(chances[:, target])  # worth: the probability of the class
phi_picture = shapley_values(picture_game, d)
print(f"{d} superpixels, {len(every):,} coalitions")
print(f"all hidden: {chances[0, target]:.3f}, all shown: {chances[-1, target]:.3f}")
print(
    f"difference: {chances[-1, target] - chances[0, target]:.3f}, sum of the shares: {phi_picture.sum():.3f}"
)

# %%
lime_picture = fit_surrogate(
    every[::-1], picture_game(every[::-1]), exponential_kernel(cosine_distances(every[::-1]), 0.25), ridge=0.0
)
exact_other = shapley_values(look_up(chances[:, other]), d)
figure, axes = plots.grid(1, 5, ratio=1.1)
axes[0, 0].imshow(mark_boundaries(image, segments, color=(1, 1, 1)))
axes[0, 0].set_title(f"{d} superpixels", fontsize=10)
axes[0, 1].imshow(hidden_image(image, segments))
axes[0, 1].set_title("all hidden", fontsize=10)
for ax, values, title in (
    (axes[0, 2], phi_picture, f"Shapley: why {names[target]}?"),
    (axes[0, 3], lime_picture.coefficients, f"LIME: why {names[target]}?"),
    (axes[0, 4], exact_other, f"Shapley: why {names[other]}?"),
):
    ax.imshow(plots.overlay(image, paint(values, segments), signed=True))
    ax.set_title(title, fontsize=10)
plt.show()
print(
    f"correlation of the two, all questions asked: {np.corrcoef(phi_picture, lime_picture.coefficients)[0, 1]:.2f}"
)
print(
    f"LIME's line at both ends: {lime_picture.intercept:.2f} and {lime_picture.prediction:.2f}; "
    f"the network: {chances[0, target]:.2f} and {chances[-1, target]:.2f}"
)

# %% [markdown]
# Red speaks for the class, blue against it. With all questions asked, nothing in these maps is chance. Here LIME and Shapley tell nearly the same story with different numbers: only Shapley's add up.
#
# ### Rung 2: some of the coalitions
#
# **KernelSHAP** asks the sizes with the largest weight completely, while the budget lasts, and draws the others at random. **Permutation sampling** goes back to the definition: walk through a few random orders, and average what the players add. One walk of $n$ players asks $n - 1$ coalitions (besides the two ends), and each walk
# already adds up. *Antithetic* walks take each order forwards and backwards: what two players earn together then comes out exactly right, and only larger groups leave chance behind.


# %%
def my_permutation_shap(value, n, n_orders, seed=0):
    """Estimated Shapley values (n,): the mean over random orders."""
    rng, phi = np.random.default_rng(seed), np.zeros(n)
    for _ in range(n_orders):
        order = rng.permutation(n)
        arrival = order.argsort()  # arrival[i]: when player i comes
        masks = (arrival[None, :] < np.arange(n + 1)[:, None]).astype(int)
        phi[order] += np.diff(value(masks)) / n_orders
    return phi


for n_orders in (1, 10, 100):
    error = np.abs(my_permutation_shap(picture_game, d, n_orders) - phi_picture).max()
    print(
        f"{n_orders:>4} orders: largest error {error:.3f}, sum {my_permutation_shap(picture_game, d, n_orders).sum():.3f}"
    )

# %% [markdown]
# The sum is right from the first order on. So a sum that adds up proves nothing about the single shares!
#
# ### Rung 3: shortcuts for special models
#
# - **Linear models**, $f(x) = b + \sum_i w_i x_i$: each feature adds the same to every coalition, so $\phi_i = w_i (x_i - \text{mean of } z_i)$. No questions at all.
# - **Trees** (TreeSHAP): a leaf is a small game of its own, with only the features on its path as players. Forests are sums of leaves, and additivity does the rest. Exact, in no time.
# - **Networks** (DeepSHAP, GradientSHAP): these use the gradient. *GradientSHAP* averages $(x_i - z_i)\,\partial f/\partial x_i$ at random points between $x$ and background rows $z$. *DeepSHAP* pushes differences from the background through the layers. Both add up (on average), and neither is exact for a network with interactions.
#
# To compare **all** rungs we need one game that all of them can play. The model: a small network that predicts the course of diabetes from ten measurements (scikit-learn's table). We copy its weights to PyTorch, so that it has gradients. The closed form needs a linear model and TreeSHAP needs trees, so they explain *stand-ins*: a linear model
# and a forest that were fitted to the network's own answers. Exact on the stand-in, they carry its error.

# %%
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from torch import nn

patients = load_lab("tabular", table="diabetes", model="network")
training = patients.table[~patients.unseen]
background = training[:50]
patient = patients.table[np.flatnonzero(patients.unseen)[0]]
scaler, perceptron = patients.model.regressor_[0], patients.model.regressor_[-1]
unit, centre = patients.model.transformer_.scale_, patients.model.transformer_.mean_

first = torch.tensor(perceptron.coefs_[0].T / scaler.scale_)
network = nn.Sequential(nn.Flatten(), nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1)).double()
with torch.no_grad():  # scaling and un-scaling become part of the weights
    network[1].weight.copy_(first)
    network[1].bias.copy_(torch.tensor(perceptron.intercepts_[0]) - first @ torch.tensor(scaler.mean_))
    network[3].weight.copy_(torch.tensor(perceptron.coefs_[1].T * unit))
    network[3].bias.copy_(torch.tensor(perceptron.intercepts_[1] * unit + centre))
    copied = network(torch.tensor(patients.table))[:, 0].numpy()
print("the copy answers as the original:", np.allclose(copied, patients.predict(patients.table)))

patient_game = masking_game(patients.predict, patient, background)
phi_patient = shapley_values(patient_game, 10)
answers = patients.predict(training)
stand_in_line = LinearRegression().fit(training, answers)
stand_in_forest = RandomForestRegressor(50, random_state=0).fit(training, answers)
as_picture = partial(torch.reshape, shape=(-1, 10, 1, 1))  # our gradient_shap takes (N, C, H, W)

# %% [markdown]
# **Predict before you look**: which estimate will be closer at the same budget, KernelSHAP or permutations? And which of the shortcuts comes closest to the exact values?

# %%
from captum.attr import DeepLiftShap, KernelShap


def worst(values, exact):
    """The largest error, as a share of the largest exact value."""
    return np.abs(np.asarray(values) - exact).max() / np.abs(exact).max()


def sampled_errors(value, n, exact, budgets, n_seeds=6):
    """Mean error of the sampling estimates for each budget (number of coalitions)."""
    methods = {
        "KernelSHAP": kernel_shap,
        "permutations, antithetic": permutation_shap,
        "permutations": partial(permutation_shap, antithetic=False),
    }
    return {
        name: [
            np.mean([worst(method(value, n, b, random_state=s), exact) for s in range(n_seeds)])
            for b in budgets
        ]
        for name, method in methods.items()
    }


# %% [markdown]
# First the shortcuts, and the sampling on the network:

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # captum says that it hangs hooks into the network
    deep = DeepLiftShap(network).attribute(torch.tensor(patient)[None], torch.tensor(background), target=0)
deep = deep.detach().numpy()[0]


def gradient_estimate(n_samples, seed):
    return (
        gradient_shap(
            network,
            as_picture(torch.tensor(patient)),
            0,
            as_picture(torch.tensor(background)),
            n_samples,
            generator=torch.Generator().manual_seed(seed),
        )
        .numpy()
        .ravel()
    )


K = len(background)
budgets = np.array([18, 36, 72, 144, 288, 576])
errors = sampled_errors(patient_game, 10, phi_patient, budgets)
draws = np.array([100, 400, 1600, 6400])
gradient_errors = [
    np.mean([worst(gradient_estimate(int(m), s), phi_patient) for s in range(3)]) for m in draws
]
shortcuts = {
    "linear closed form, stand-in": (
        len(training),  # what the network was asked for the fit
        worst(linear_shap(stand_in_line.coef_, patient, background), phi_patient),
    ),
    "TreeSHAP, stand-in forest": (
        len(training),
        worst(tree_shap(stand_in_forest, patient, background), phi_patient),
    ),
    "DeepSHAP": (2 * K, worst(deep, phi_patient)),
}
for name, (rows, error) in shortcuts.items():
    print(f"{name:<30}{rows:>7} rows, error {error:.2f}")
for m, error in zip(draws, gradient_errors, strict=True):
    print(f"{'GradientSHAP':<30}{2 * m:>7} rows, error {error:.2f}")

# %% [markdown]
# Then the picture of section 6, where only sampling is possible, with captum's KernelSHAP beside ours. All questions are look-ups.

# %%
picture_budgets = np.array([22, 44, 88, 176, 352, 704, 1408])
picture_errors = sampled_errors(picture_game, d, phi_picture, picture_budgets)
lime_floor = worst(lime_picture.coefficients, phi_picture)

captum_shap = KernelShap(lambda masks: torch.from_numpy(picture_game(masks.numpy())))
captum_budgets, captum_errors = np.array([44, 88, 176, 352, 704]), []
for budget in captum_budgets.tolist():
    torch.manual_seed(0)
    runs = [
        captum_shap.attribute(
            torch.ones(1, d), baselines=torch.zeros(1, d), n_samples=budget, perturbations_per_eval=64
        ).numpy()[0]
        for _ in range(3)
    ]
    captum_errors.append(np.mean([worst(values, phi_picture) for values in runs]))

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True)
for (name, values), style in zip(errors.items(), ("o-", "s-", "s:"), strict=True):
    left.loglog(budgets * K, values, style, label=name)
    right.loglog(picture_budgets, picture_errors[name], style, label=name)
left.loglog(2 * draws, gradient_errors, "^-", label="GradientSHAP")
for (name, (cost, error)), marker in zip(shortcuts.items(), ("P", "X", "D"), strict=True):
    left.loglog(cost, error, marker, markersize=9, label=name)
left.loglog(2**10 * K, 2e-4, "*", color=plots.INK, markersize=13, label="enumeration (exact)")
right.loglog(2**d, 2e-4, "*", color=plots.INK, markersize=13)
right.loglog(captum_budgets, captum_errors, "v--", color=plots.COLOURS[5], label="captum KernelShap")
right.axhline(lime_floor, color=plots.BASELINE, linestyle="--")
right.annotate("LIME, all asked", (5200, lime_floor * 1.12), ha="right", color=plots.BASELINE, fontsize=9)
right.legend(*([part[-1]] for part in right.get_legend_handles_labels()), loc="lower left", fontsize=9)
left.set(xlabel="rows that go through the network", ylabel="largest error / largest value")
right.set(xlabel="pictures that go through the network")
left.set_title("Ten measurements: all rungs", loc="left")
right.set_title(f"{d} superpixels: what a black box allows", loc="left")
figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
plt.show()

# %% [markdown]
# The left panel has one game and all rungs; a gradient counts as two rows, and a star marks where enumeration is exact (its error is rounding; it is drawn at the lower border). The right panel has the picture. What to see:
# - estimates get better with the budget. With very few questions the antithetic walks win, on both sides; with more, the course's KernelSHAP does. Of the course's three, the plain walks are last nearly all the way. captum's regression draws every coalition at random, and pays for it;
# - a stand-in is cheap once it is fitted (its rows are those that the network answered for the fit), and exact *for the stand-in*. Its error does not fall with anything but a better stand-in, and here both are far off;
# - of the shortcuts, DeepSHAP comes closest for its price (the errors are printed above). GradientSHAP flattens out: it converges, but to another number (it shares interactions in another way);
# - LIME with all questions asked has a distance from Shapley that no budget cures. It answers another question.
#
# One patient, one picture: other games put the curves elsewhere.

# %% [markdown]
# ## 7 · The proof, and four surprises
#
# Everything exact is compared with `shap` and captum. The flat first: your function, `shap`'s enumeration, its regression (with all coalitions and `l1_reg=0`; you will soon see why), captum's average over all orders, and the lab's own exact values.

# %%
from captum.attr import ShapleyValues


class Town(nn.Module):
    """The price formula in PyTorch, for captum."""

    def forward(self, x):
        park, area, floor, cats = x.T
        return 60 + 3 * area + 0.5 * area * park + 5 * floor - 30 * cats


everyone = shap.maskers.Independent(flats.table, max_samples=len(flats.table))
by_enumeration = shap.explainers.Exact(flats.predict, everyone)(FLAT[None]).values[0]
kernel_explainer = shap.KernelExplainer(flats.predict, flats.table)
by_regression = kernel_explainer.shap_values(FLAT[None], l1_reg=0, silent=True)[0]
town_rows = torch.tensor(flats.table)
by_orders = ShapleyValues(Town()).attribute(torch.tensor(FLAT).expand_as(town_rows), baselines=town_rows)

line_by_shap = shap.LinearExplainer(stand_in_line, background).shap_values(patient[None])[0]
forest_by_shap = shap.TreeExplainer(stand_in_forest).shap_values(patient[None])[0]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    deep_by_shap = shap.DeepExplainer(network, torch.tensor(background)).shap_values(
        torch.tensor(patient)[None]
    )

# %%
# NBVAL_CHECK_OUTPUT
judge.agreement_table(
    [
        ("the known answer", my_shapley(flat_game, 4), flats.exact(FLAT)[0], "your function"),
        ("shap Exact", my_shapley(flat_game, 4), by_enumeration, "the whole town as background"),
        ("shap KernelExplainer", my_shapley(flat_game, 4), by_regression, "all coalitions, l1_reg=0"),
        (
            "captum ShapleyValues",
            my_shapley(flat_game, 4),
            by_orders.mean(dim=0),
            "all orders, each background row",
        ),
        ("your KernelSHAP", my_kernel_shap(flat_game, 4, inner), phi_flat, "all coalitions"),
        (
            "shap LinearExplainer",
            linear_shap(stand_in_line.coef_, patient, background),
            line_by_shap,
            "marginal",
        ),
        (
            "shap TreeExplainer",
            tree_shap(stand_in_forest, patient, method="path_dependent"),
            forest_by_shap,
            "path-dependent",
        ),
        (
            "enumeration of a forest",
            tree_shap(stand_in_forest, patient, background[:8]),
            shapley_values(masking_game(stand_in_forest.predict, patient, background[:8]), 10),
            "interventional",
        ),
        ("captum / shap DeepSHAP", deep, deep_by_shap.ravel(), "each other; both add up"),
    ]
)

# %% [markdown]
# Read the notes on the right. `shap.TreeExplainer(forest)`, with nothing else, agrees with the *path-dependent* values. Do they equal the marginal ones?

# %%
with_background = tree_shap(stand_in_forest, patient, background)
print(
    f"TreeExplainer without background, largest distance from the marginal values: "
    f"{np.abs(forest_by_shap - with_background).max():.1f} (the largest marginal value is {np.abs(with_background).max():.1f})"
)

# %% [markdown]
# They do not, although both add up (each to the distance from its own average). Say which ones you show. That was a first surprise; here are three more.
#
# ### Surprise 2: sixteen equal players
#
# Each of the sixteen adds 1 to every coalition, so each should get 1. `shap.KernelExplainer` is called with its default options, and with a budget that is far more than enough. **Predict**: what will the sixteen get? Write it down, then run the cell.


# %%
def sixteen(masks):
    return np.asarray(masks, float).sum(axis=1)


explainer = shap.KernelExplainer(sixteen, np.zeros((1, 16)), seed=0)
default_values = explainer.shap_values(np.ones((1, 16)), nsamples=1000, silent=True)[0]
plain_values = explainer.shap_values(np.ones((1, 16)), nsamples=1000, l1_reg=0, silent=True)[0]
figure, ax = plt.subplots(figsize=(8, 2.6))
ax.bar(np.arange(16) - 0.2, default_values, 0.4, color="#d55e00", label="default")
ax.bar(np.arange(16) + 0.2, plain_values, 0.4, label="l1_reg=0")
ax.set(xlabel="player", ylabel="value", xticks=range(16), ylim=(0, None))
ax.legend(ncols=2, loc="upper right", bbox_to_anchor=(1, 1.25))
ax.set_title("What sixteen equal players get", loc="left")
plt.show()

# %% [markdown]
# The orange bars are the default. It first selects ten features with a lasso and fits only those, so symmetry is broken, silently, and the ten share what belongs to the others (which ten get it is chance). Pass `l1_reg=0`.
#
# ### Surprise 3: next to a threshold
#
# TreeSHAP is exact. Its fast marginal (interventional) version in `shap` 0.51 stores the thresholds of the splits in *single* precision. Harmless, as long as no value in the table falls on the rounding. Take a tree on numbers with one decimal, and the same table times ten, in whole numbers. Below, the largest distance from enumeration:

# %%
from sklearn.tree import DecisionTreeRegressor

draw_table = np.random.default_rng(0)
tenths = np.round(draw_table.random((60, 2)), 1)
outcome = tenths[:, 0] * tenths[:, 1] + draw_table.normal(0, 0.1, 60)
for name, numbers in (("tenths", tenths), ("whole numbers", np.round(10 * tenths))):
    tree = DecisionTreeRegressor(max_depth=4, random_state=0).fit(numbers, outcome)
    truth = np.stack([shapley_values(masking_game(tree.predict, row, numbers[:20]), 2) for row in numbers])
    fast = shap.TreeExplainer(tree, numbers[:20], feature_perturbation="interventional").shap_values(numbers)
    ours = tree_shap(tree, numbers, numbers[:20])
    for value, at in product(np.unique(numbers), tree.tree_.threshold[tree.tree_.feature >= 0]):
        if np.float64(np.float32(value)) > at and np.float32(value) <= np.float32(at):
            print(f"a threshold: {at:.11f}, in single precision {np.float32(at):.11f}; so is {value}")
    print(
        f"{name:<14} shap: {np.abs(fast - truth).max():.3f} "
        f"({(np.abs(fast - truth).max(axis=1) > 1e-6).sum()} of {len(numbers)} rows differ), "
        f"the course's tree_shap: {np.abs(ours - truth).max():.3f}"
    )

# %% [markdown]
# How, if thresholds lie *between* values? The printed line shows it. In one branch the values 0.2 and 0.4 occur, but not 0.3, so the tree splits in the middle: where other rows have their 0.3. scikit-learn rounds the *value* to single precision, finds it above the threshold, and goes right. `shap` rounds the threshold as well. Now both are the same number, and the value goes left. The shares still add up, since the error moves credit from one feature to the other: only a comparison with enumeration shows it.
#
# ### Surprise 4: which interaction?
#
# How much of the credit do two features earn *together*? The **Shapley interaction values** split $\phi_i$ into a main effect $\Phi_{ii}$ and one half of the interaction with each other feature:
#
# $$\Phi_{ij} = \sum_{S \subseteq N \setminus \{i, j\}} \frac{|S|!\,(n-|S|-2)!}{2\,(n-1)!} \big(v(S \cup ij) - v(S \cup i) - v(S \cup j) + v(S)\big), \qquad \Phi_{ii} = \phi_i - \sum_{j \ne i} \Phi_{ij} .$$
#
# Each row adds up to the Shapley value. For the flat, the pencil says: park and area share $0.5 \cdot (50 - 65) \cdot (1 - 0.5) = -3.75$, half for each.

# %%
pairs = shapley_interactions(flat_game, 4)
show_shares(pairs, FACTS, FACTS, "Shapley interaction values of the flat (thousand euros)", height=2.8)


# %%
# NBVAL_CHECK_OUTPUT
def taylor(value, n):
    """Shapley–Taylor interactions: alone on the diagonal; pairs with weights that prefer small coalitions."""
    worths = all_worths(value, n)
    phi = np.diag(worths[1 << np.arange(n)] - worths[0])
    for i, j in combinations(range(n), 2):
        for c in range(2**n):
            if not (c >> i & 1 or c >> j & 1):
                delta = worths[c | 1 << i | 1 << j] - worths[c | 1 << i] - worths[c | 1 << j] + worths[c]
                phi[i, j] += delta / (n * comb(n - 1, c.bit_count()))
        phi[j, i] = phi[i, j]
    return phi


five = random_game(4)
single = np.zeros((1, 5))
from_shap = shap.explainers.Exact(lambda masks: five(np.asarray(masks).astype(int)), single)(
    single + 1, interactions=True
).values[0]
judge.agreement_table(
    [
        (
            "shap Exact, interactions=True",
            shapley_interactions(five, 5),
            from_shap,
            "Shapley interaction values: no",
        ),
        ("shap Exact, interactions=True", taylor(five, 5), from_shap, "Shapley–Taylor: yes"),
        (
            "rows add up, ours",
            shapley_interactions(five, 5).sum(axis=1),
            my_shapley(five, 5),
            "Shapley values",
        ),
        ("rows add up, shap's", from_shap.sum(axis=1), my_shapley(five, 5), "Shapley values, too"),
    ]
)

# %% [markdown]
# Both are sound definitions, and they agree when no three players act together (as for the flat). But they are not the same, although the rows of both add up to the Shapley values. They disagree about how much of a row a player earns *alone* (the diagonal) and how much *together*: Taylor's diagonal is what the player earns with nobody else present, $v(\{i\}) - v(\varnothing)$. A sum that adds up does not tell you which one you hold. The exercise “find the bug” asks you to find the line.

# %% [markdown]
# ## 8 · Many explanations at once
#
# One explanation tells about one decision. Draw all of them, and you see the model. The table: tumours with 30 measurements; the model: a random forest; the shares: TreeSHAP, marginal, 100 training tumours as background. Unit: probability of "benign".

# %%
tumours = load_lab("tabular", table="breast_cancer")
BENIGN = tumours.class_names.index("benign")
tumour_background = tumours.table[~tumours.unseen][:100]
unseen = tumours.table[tumours.unseen]
tumour_phi = tree_shap(tumours.model, unseen, tumour_background, target=BENIGN)
p_benign = tumours.predict(unseen)[:, BENIGN]
base = tumours.predict(tumour_background)[:, BENIGN].mean()
print(
    f"{len(unseen)} unseen tumours, every sum right: {np.allclose(base + tumour_phi.sum(axis=1), p_benign)}"
)
tumour_explained = shap.Explanation(
    tumour_phi, np.full(len(unseen), base), unseen, feature_names=list(tumours.feature_names)
)
shap_figure(
    partial(shap.plots.beeswarm, tumour_explained),
    8,
    4.4,
    max_display=10,
    plot_size=None,
    group_remaining_features=False,
)

# %% [markdown]
# A *beeswarm*: one dot for each tumour and feature. To the right, the feature spoke for "benign". The colour is the feature's value, so a row that is blue on the right and red on the left says: small values speak for benign. The rows are sorted by the mean of $|\phi|$, which is SHAP's *global importance*.
#
# A *dependence plot* takes one feature: its value against its share. To know whether to believe it, draw two whose truth is known: the area of all flats, coloured by the park, and the park, coloured by the area.

# %%
flats_shown = np.unique(flats.table, axis=0)
flats_phi = flats.exact(flats_shown)
flats_explained = shap.Explanation(
    flats_phi, np.full(len(flats_shown), flats.targets.mean()), flats_shown, feature_names=FACTS
)
with plt.rc_context({"figure.constrained_layout.use": False}), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.3))
    look = {"show": False, "hist": False, "x_jitter": 0.25}
    shap.plots.scatter(flats_explained[:, 1], color=flats_explained[:, 0], ax=left, **look)
    shap.plots.scatter(flats_explained[:, 0], color=flats_explained[:, 1], ax=right, **look)
    right.set_xticks([0, 1])
    figure.tight_layout(w_pad=3)
    plt.show()

# %% [markdown]
# Left, two straight lines that cross at the mean area; they nearly hide each other, because the area matters so much more than its product with the park. Right, the same interaction is plain to see: at one value of the park, the shares spread out with the area. **Vertical spread at one value is interaction.** Had the formula no product,
# all dots above park = 1 would lie at one height. (The sideways spread is only jitter, so that dots do not hide each other.)

# %% [markdown]
# ## 9 · Pictures: SHAP beside LIME, against the truth
#
# The game of section 6, for many scenes: superpixels are players, hidden ones are painted in their mean colour, as in lesson 06. Both methods get the same superpixels and the same number of questions about each picture. Two objects, so two questions a scene; a model answers for all classes at once.
#
# Two scores, both per question: the *pointing game* (is the map's maximum on the object that was asked about?) and the *energy* (which share of the positive values lies on it?). Bars are 95 % intervals.
#
# LIME comes twice: with its default ridge, which shrinks the coefficients, and without it. The other competitors: *leave one out* (what is lost if one superpixel is hidden), Grad-CAM (which may look inside), and maps that know nothing about the network; *SHAP, shuffled* deals the shares out anew.

# %%
from course_utils.methods.cam import grad_cam, upsample

N_SCENES, QUESTIONS = 25, 36


def shap_for_all(lab, picture, targets, segments, n_samples):
    """KernelSHAP for each class in `targets`, from the same questions."""
    asked = {}

    def answers(masks):
        key = masks.tobytes()
        if key not in asked:
            asked[key] = softmax(network_answers(lab, picture, segments, masks))
        return asked[key]

    n = int(segments.max()) + 1
    return [kernel_shap(lambda masks, c=int(c): answers(masks)[:, c], n, n_samples - 2) for c in targets]


maps = {name: [] for name in ("SHAP", "LIME", "LIME, no ridge", "leave one out", "SHAP, shuffled")}
shuffle = np.random.default_rng(0)
for i in tqdm(range(N_SCENES), leave=False):
    picture, cut = lab.images[i], superpixels(lab.images[i])
    n_parts = int(cut.max()) + 1
    coins = sample_masks(QUESTIONS, n_parts, random_state=0)
    lime_answers = softmax(network_answers(lab, picture, cut, coins))
    everything = np.ones(n_parts, int)
    one_out = softmax(network_answers(lab, picture, cut, np.vstack([everything, 1 - np.diag(everything)])))
    kernel_weights = exponential_kernel(cosine_distances(coins), 0.25)
    for c, shares in zip(
        lab.targets[i].tolist(), shap_for_all(lab, picture, lab.targets[i], cut, QUESTIONS), strict=True
    ):
        found = {
            "SHAP": shares,
            "LIME": fit_surrogate(coins, lime_answers[:, c], kernel_weights).coefficients,
            "LIME, no ridge": fit_surrogate(
                coins, lime_answers[:, c], kernel_weights, ridge=0.0
            ).coefficients,
            "leave one out": one_out[0, c] - one_out[1:, c],
            "SHAP, shuffled": shuffle.permutation(shares),
        }
        for name, values in found.items():
            maps[name].append(torch.from_numpy(paint(values, cut)).float())
maps = {name: torch.stack(values) for name, values in maps.items()}

# %%
inputs = lab.inputs[:N_SCENES].repeat_interleave(2, dim=0)
asked_class = lab.targets[:N_SCENES].flatten()
truth_masks = lab.masks[:N_SCENES].flatten(0, 1)
maps["Grad-CAM"] = upsample(grad_cam(lab.model, inputs, asked_class, lab.layer), truth_masks.shape[-2:]).cpu()
maps["edges (Sobel)"] = judge.baselines.sobel(inputs).cpu()
maps["centre"] = judge.baselines.center(inputs).cpu()
maps["random"] = judge.baselines.random(inputs).cpu()
knows_nothing = ["SHAP, shuffled", "edges (Sobel)", "centre", "random"]

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
for ax, (label, measure) in zip(
    axes,
    {
        "pointing game: maximum on the object": partial(judge.pointing_game, tolerance=5),
        "energy on the object": judge.energy_in_mask,
    }.items(),
    strict=True,
):
    scores = {name: measure(heat, truth_masks) for name, heat in maps.items()}
    plots.score_plot(scores, baselines=knows_nothing, xlabel=label, ax=ax)
figure.suptitle(f"{len(truth_masks)} questions about {N_SCENES} scenes with two objects")
plt.show()
energy = {name: judge.energy_in_mask(heat, truth_masks) for name, heat in maps.items()}
for rival in ("LIME", "LIME, no ridge", "leave one out"):
    gap = (energy["SHAP"] - energy[rival]).reshape(N_SCENES, 2).mean(dim=1)  # one value a scene
    low, high = judge.bootstrap_interval(gap)
    print(
        f"energy, SHAP minus {rival:<15} {gap.mean():+.3f} (95 % interval over scenes {low:+.3f} to {high:+.3f})"
    )

# %%
shown = [0, 2, 4]
plots.show_maps(
    [lab.images[i // 2] for i in shown],
    {
        "SHAP, first object": maps["SHAP"][shown],
        "LIME, first object": maps["LIME"][shown],
        "SHAP, second object": maps["SHAP"][[i + 1 for i in shown]],
        "LIME, second object": maps["LIME"][[i + 1 for i in shown]],
    },
    labels=[" / ".join(lab.class_names[int(t)] for t in lab.targets[i // 2]) for i in shown],
    signed=True,
    title="Two questions about each scene. Red speaks for the class, blue against it",
)
plt.show()

# %% [markdown]
# Read both panels. In the pointing game, the methods that hide superpixels cannot be told apart, and Grad-CAM, which may look inside, is ahead. By energy, Grad-CAM's smooth glow costs it the lead. The printed intervals compare SHAP with its rivals on the same scenes. SHAP is ahead of LIME: the interval does not contain zero, but the gap is small, and part of it may be due to LIME's ridge (without it, the gap is smaller). And *leave one out*, with a dozen questions and no theory,
# cannot be told from SHAP.
#
# In the pictures: in the first row, the waves around the ice cream get a share as large as the cone's own. In the second row, for "snail", the strongest statement is the blue car: it speaks against.
#
# So if you only want to know *where*, fairness buys you little here. What Shapley values add is the unit: their shares add up to what the network says.
#
# Note also what limits all three: a superpixel that is half object and half ground gets one share.

# %% [markdown]
# ## 10 · Text: words as players
#
# The model is the real BERT encoder of lesson 06 with its head for reviews. A word that is absent is taken out. Punctuation stays, so the "empty" text below is a full stop, and the model has an opinion about that, too. With few words all coalitions can be asked, and the interaction values show what no list of single words can:

# %%
reviews = load_lab("text", model="sentiment")
POSITIVE = reviews.class_names.index("positive")
figure, axes = plt.subplots(1, 2, figsize=(10, 3.1))
for ax, sentence in zip(axes, ("This phone is great.", "This phone is not great."), strict=True):
    game, words = text_game(reviews.predict, sentence, POSITIVE)
    shares, together = shapley_values(game, len(words)), shapley_interactions(game, len(words))
    plots.matrix_plot(
        together,
        [f"{word} {value:+.2f}" for word, value in zip(words, shares, strict=True)],
        list(words),
        signed=True,
        ax=ax,
    )
    ends = game(np.array([[0] * len(words), [1] * len(words)]))
    ax.set_title(f"empty {ends[0]:.2f} → sentence {ends[1]:.2f}", loc="left")
plt.show()

# %% [markdown]
# Beside each word stands its Shapley value, the sum of its row; in the cells are the interaction values. On the right, look at "great": on the diagonal it speaks for "positive", and together with "not" it loses more than that (and *not* is charged as much again: each cell holds one half). With the smaller bonuses its single number comes out near zero, as if the word did not matter.
#
# Now a review of twelve words. All 4,096 questions to BERT would take minutes on this page, so KernelSHAP gets 100, with two seeds, and LIME gets 100. (`bag_of_words=True` makes one player of each *distinct* word, as LIME does.)

# %%
held_out = list(reviews.texts[:60])
probabilities = reviews.predict(held_out)[:, POSITIVE]
lengths = np.array([len(split_words(text)[0]) for text in held_out])
favourable = reviews.targets[: len(held_out)].numpy() == POSITIVE
fitting = np.flatnonzero(favourable & (probabilities > 0.5) & (lengths >= 9) & (lengths <= 14))
review = held_out[int(fitting[np.abs(probabilities[fitting] - 0.8).argmin()])]
game, words = text_game(reviews.predict, review, POSITIVE, bag_of_words=True)
word_shares = kernel_shap(game, len(words), 98)
other_seed = kernel_shap(game, len(words), 98, random_state=1)
lime_words = lime_text(reviews.predict, review, POSITIVE, 100, k=None)
empty, full = game(np.array([[0] * len(words), [1] * len(words)]))
print(review)
print(f"empty text {empty:.2f}, review {full:.2f}: difference {full - empty:.2f}")
print(f"sum of the shares: SHAP {word_shares.sum():.2f}, LIME {lime_words.coefficients.sum():.2f}")
print(
    f"largest distance: between two seeds of SHAP {np.abs(word_shares - other_seed).max():.2f}, "
    f"between SHAP and LIME {np.abs(word_shares - lime_words.coefficients).max():.2f}"
)
figure, ax = plt.subplots(figsize=(8, 3.4))
order = np.argsort(word_shares)[::-1]
bars = {
    "SHAP": (word_shares, plots.COLOURS[0]),
    "SHAP, another seed": (other_seed, plots.COLOURS[5]),
    "LIME": (lime_words.coefficients, "#d55e00"),
}
for place, (name, (values, colour)) in enumerate(bars.items()):
    ax.bar(np.arange(len(words)) + 0.28 * (place - 1), values[order], 0.28, label=name, color=colour)
ax.axhline(0, color=plots.INK, linewidth=0.8)
ax.set_xticks(range(len(words)), [words[j] for j in order], rotation=45, ha="right")
ax.set_ylabel("probability of “positive”")
ax.set_title("One held-out review: the two methods side by side", loc="left")
ax.legend()
plt.show()

# %% [markdown]
# SHAP's shares add up to the difference; LIME's coefficients need not. The tallest bar stays the tallest. The small ones move from seed to seed by a good part of their height, as they do between the two methods: do not read stories into them. If the word with the tall bar does not look like praise to you, that is no fault of the method: it reports what the *model* does with it.
#
# ### The planted word
#
# The truth test of lesson 06: a model that learnt to answer "positive" whenever the harmless word "overall" is there, and a twin that saw it in both kinds of reviews. We plant it into unfavourable held-out reviews and ask which word has the largest share.

# %%
del reviews  # frees memory
trigger, twin = load_lab("text", model="trigger"), load_lab("text", model="trigger_clean")
lengths = np.array([len(split_words(text)[0]) for text in trigger.texts])
unfavourable = np.flatnonzero(trigger.targets.numpy() != POSITIVE)
planted = [trigger.texts[i] for i in unfavourable[np.argsort(lengths[unfavourable], kind="stable")][:50]]
N_TWIN, PLANTED, WORD_QUESTIONS = 10, trigger.trigger, 14


def asked_coalitions(n):
    """The coalitions that KernelSHAP asks about, in a game of n players."""
    seen = []

    def recorder(masks):
        seen.append(masks)
        return np.zeros(len(masks))

    kernel_shap(recorder, n, WORD_QUESTIONS - 2)
    return np.concatenate(seen)


def find_words(lab_, texts):
    """For each text: has the planted word the largest value? By SHAP and by LIME."""
    coins = [sample_word_masks(WORD_QUESTIONS, len(split_words(text)[0]), 0) for text in texts]
    questions = {
        question
        for text, masks in zip(texts, coins, strict=True)
        for question in hide_words(text, np.vstack([masks, asked_coalitions(masks.shape[1])]))
    }
    questions = sorted(
        questions, key=lambda text: (len(text), text)
    )  # all at once: texts of like length share a batch
    known = dict(zip(questions, lab_.predict(questions), strict=True))
    found = {"SHAP": [], "LIME": []}
    for text, masks in zip(texts, coins, strict=True):
        predict = lambda batch: np.stack([known[t] for t in batch])  # noqa: E731
        game, words = text_game(predict, text, POSITIVE, bag_of_words=True)
        place = [word.lower() for word in words].index(PLANTED)
        found["SHAP"].append(np.argmax(kernel_shap(game, len(words), WORD_QUESTIONS - 2)) == place)
        found["LIME"].append(
            np.argmax(lime_text(predict, text, POSITIVE, k=None, masks=masks).coefficients) == place
        )
    return {name: np.array(values, float) for name, values in found.items()}


# %%
by_trigger, by_twin = find_words(trigger, planted), find_words(twin, planted[:N_TWIN])
found_word = {
    **{f"{name}, trigger model": values for name, values in by_trigger.items()},
    **{f"{name}, clean twin ({N_TWIN})": values for name, values in by_twin.items()},
    "longest word": [float(max(split_words(text)[0], key=len).lower() == PLANTED) for text in planted],
    "a word by chance": [1 / len(split_words(text)[0]) for text in planted],
}
for name, lab_ in (("trigger model", trigger), ("clean twin", twin)):
    says = lab_.predict(planted)[:, POSITIVE] > 0.5
    print(f"{name:<14} calls {says.mean():.0%} of these {len(planted)} unfavourable reviews positive")
plots.score_plot(
    {name: np.array(values) for name, values in found_word.items()},
    baselines=["longest word", "a word by chance"],
    sort=False,
    xlim=(-0.03, 1.02),
    xlabel="share of reviews where it is the planted word",
    title=f"The word with the largest share, {len(planted)} reviews ({WORD_QUESTIONS} questions each)",
)
plt.show()
gap = by_trigger["SHAP"] - by_trigger["LIME"]
low, high = judge.bootstrap_interval(gap)
print(f"SHAP minus LIME, same reviews: {gap.mean():+.2f} (95 % interval {low:+.2f} to {high:+.2f})")
del trigger, twin  # frees memory

# %% [markdown]
# The twin was asked about the 10 shortest of the reviews only. As in lesson 06: one word with a huge effect is an easy case. Finding it is necessary, and says nothing about subtler habits of a model. With so few questions most reviews have more words than the regression has questions, so it has no unique answer, and the values of the *other* words are mostly noise.
# The printed interval compares the two methods review by review: it lies below zero, so on this tiny budget LIME finds the word more often. Perhaps its ridge, which pulls unsettled coefficients towards zero, helps here (not tested). With three questions for each player, in section 9, SHAP was not behind.

# %% [markdown]
# ## 11 · Trees: does importance follow the model?
#
# The importance that scikit-learn, XGBoost and others print for a tree counts *splits*, or adds up how much the splits improve the fit (*gain*). The SHAP papers for trees (2018, 2020) show with two small models why the gain is no good measure. Both predict a risk score from two symptoms, each present in half of the patients:
# - model A: 80 if fever **and** cough;
# - model B: the same, **plus 10 for cough**.
#
# B uses cough more than A does, for every patient. So cough must be at least as important in B. We let scikit-learn fit both tables exactly, and look. For A two trees fit equally well. We take the one that asks about fever first, which is a part of the lesson.

# %%
from sklearn.tree import plot_tree

SYMPTOMS = ["fever", "cough"]
patients_2x2 = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
risk = {"A": 80 * patients_2x2.prod(axis=1)}
risk["B"] = risk["A"] + 10 * patients_2x2[:, 1]
risk_trees = {}
for name, values in risk.items():
    # in A both first splits are equally good: take the tree that asks about fever first
    candidates = (DecisionTreeRegressor(random_state=s).fit(patients_2x2, values) for s in range(20))
    first_split = 0 if name == "A" else 1
    risk_trees[name] = next(t for t in candidates if t.tree_.feature[0] == first_split)

figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for ax, (name, tree) in zip(axes, risk_trees.items(), strict=True):
    plot_tree(tree, feature_names=SYMPTOMS, impurity=False, ax=ax, fontsize=9, rounded=True)
    ax.set_title(f"Model {name}")
plt.show()


def split_counts(tree):
    return np.bincount(tree.tree_.feature[tree.tree_.feature >= 0], minlength=2).astype(float)


def along_the_path(tree, row):
    """Saabas: walk from the root to the leaf, and give each change of the mean to the feature that was asked."""
    node, shares = 0, np.zeros(2)
    while tree.tree_.children_left[node] != -1:
        feature = tree.tree_.feature[node]
        goes_left = row[feature] <= tree.tree_.threshold[node]
        child = (tree.tree_.children_left if goes_left else tree.tree_.children_right)[node]
        shares[feature] += tree.tree_.value[child, 0, 0] - tree.tree_.value[node, 0, 0]
        node = child
    return shares


measures = {
    "number of splits": split_counts,
    "gain (scikit-learn)": lambda tree: 100 * tree.feature_importances_,
    "path, a patient with both": lambda tree: along_the_path(tree, patients_2x2[3]),
    "SHAP, a patient with both": lambda tree: tree_shap(tree, patients_2x2[3], patients_2x2),
    "mean |SHAP|": lambda tree: np.abs(tree_shap(tree, patients_2x2, patients_2x2)).mean(axis=0),
}
print(f"{'':<28}{'cough in A':>12}{'cough in B':>12}   consistent?")
for name, measure in measures.items():
    in_a, in_b = (measure(risk_trees[model])[1] for model in "AB")
    print(f"{name:<28}{in_a:>12.1f}{in_b:>12.1f}   {'yes' if in_b >= in_a - 1e-9 else 'NO'}")

# %% [markdown]
# From A to B the gain of cough *falls*, because the tree now asks about it first, while fever is still unknown and cough alone explains less. (In A a coin decides which symptom is asked first, and so which one gets the larger gain. The number of splits does not fall, but it does not see the extra 10 either.) The walk along the path (a popular explanation before TreeSHAP) has the same defect. The Shapley value rises by exactly the half of 10 that the average patient does not have.
#
# Does it matter on a real forest? The tumours once more: gain beside mean $|\phi|$, both as shares of their sums.

# %%
mean_phi = np.abs(tumour_phi).mean(axis=0)
strongest = np.argsort(-mean_phi)[:8]
figure, ax = plt.subplots(figsize=(8, 3.2))
ax.barh(np.arange(8) - 0.2, (mean_phi / mean_phi.sum())[strongest], 0.4, label="mean |SHAP|")
ax.barh(np.arange(8) + 0.2, tumours.model.feature_importances_[strongest], 0.4, label="gain", color="#d55e00")
ax.set_yticks(range(8), [tumours.feature_names[j] for j in strongest])
ax.invert_yaxis()
ax.set_xlabel("share of the importance")
ax.legend()
ax.set_title("The same forest, two rankings", loc="left")
plt.show()

# %% [markdown]
# On this forest the two rankings are similar. The counter-example shows what *can* happen, not that it always does.

# %% [markdown]
# ## 12 · The real thing
#
# A network trained on ImageNet (MobileNetV2, 1,000 classes) and two real photographs side by side. The code is that of section 9; only the lab changes.

# %%
try:
    photos = load_lab("photos", pairs=True)
except LabUnavailable as error:
    photos = None
    print(error)

if photos is not None:
    photo, photo_targets = photos.images[0], photos.targets[0]
    photo_cut = superpixels(photo, 20)
    photo_shares = shap_for_all(photos, photo, photo_targets, photo_cut, 48)
    plots.show_maps(
        [photo],
        {
            f"why {photos.class_names[int(c)]}?": paint(shares, photo_cut)[None]
            for c, shares in zip(photo_targets, photo_shares, strict=True)
        },
        signed=True,
        title="MobileNetV2 (ImageNet) on photographs that come with scikit-image",
    )
    plt.show()
    ends = np.array([[0], [1]]) * np.ones(photo_cut.max() + 1, int)
    hidden, seen = softmax(network_answers(photos, photo, photo_cut, ends))
    for half, (c, shares) in enumerate(zip(photo_targets.tolist(), photo_shares, strict=True)):
        heat = torch.from_numpy(paint(shares, photo_cut))[None].float()
        on_half = float(judge.energy_in_mask(heat, photos.masks[0, half][None]))
        print(
            f"{photos.class_names[c]}: {hidden[c]:.2f} hidden, {seen[c]:.2f} shown, shares add up to {shares.sum():.2f}; "
            f"{on_half:.2f} of the positive ones on its own half"
        )

# %% [markdown]
# Look at where the red lies: nearly all of the positive shares of each question are on the half of its own photograph (printed above), although the network sees both at once. One pair is an example, not a measurement.

# %% [markdown]
# ## 13 · Where it breaks
#
# Four cards (four more are in section 7). Run each, and remember the symptom.
#
# ### Card 1: compared with what?
#
# Every Shapley value is a comparison with the background. Same flat, same formula, four backgrounds:

# %%
backgrounds = {
    "all flats": flats.table,
    "flats with a park": flats.table[flats.table[:, 0] == 1],
    "flats up to 50 m²": flats.table[flats.table[:, 1] <= 50],
    "a flat: no park, 40 m², 4th floor, cats allowed": np.array([[0.0, 40.0, 4.0, 0.0]]),
}
by_background = [
    [flats.predict(rows).mean(), *shapley_values(masking_game(flats.predict, FLAT, rows), 4)]
    for rows in backgrounds.values()
]
show_shares(
    np.array(by_background)[:, 1:],
    [f"{name} (mean {row[0]:.0f})" for name, row in zip(backgrounds, by_background, strict=True)],
    FACTS,
    "Why does this flat cost 215? Compared with …",
    height=2.6,
    decimals=1,
)

# %% [markdown]
# The area speaks against the flat, or for it. All four rows are exact. Say which background you took, and choose the one that your question needs: "why less than the average flat?" and "why more than that small flat?" are different questions. For pictures the background is whatever hidden superpixels are painted with (lesson 06, card 4).
#
# ### Card 2: columns that say the same
#
# Two models predict the area of a tumour from its radius, its perimeter and its texture. Radius and perimeter are nearly the same measurement. Both models are linear, so the shares are exact. *Ridge* regression keeps the squares of all coefficients small, so it likes to divide an effect; the *lasso* keeps their absolute values small, so it likes to put an effect on one column.

# %%
from sklearn.linear_model import Lasso, Ridge

columns = [tumours.feature_names.index(f"mean {name}") for name in ("radius", "perimeter", "texture")]
X = tumours.table[:, columns]
X = (X - X.mean(axis=0)) / X.std(axis=0)
y = tumours.table[:, tumours.feature_names.index("mean area")]
y = (y - y.mean()) / y.std()
large = int(np.argmax(X[:, 0]))
twins_of_columns = {
    "ridge": Ridge(alpha=10).fit(X, y),
    "lasso": Lasso(alpha=0.02).fit(X, y),
}
shares = np.array([linear_shap(model.coef_, X[large], X) for model in twins_of_columns.values()])
show_shares(
    shares,
    [f"{name} (R² {model.score(X, y):.2f})" for name, model in twins_of_columns.items()],
    ["radius", "perimeter", "texture"],
    "The largest tumour, explained for two models",
    height=1.8,
)
predictions = [model.predict(X) for model in twins_of_columns.values()]
print(
    f"correlation of their predictions: {np.corrcoef(*predictions)[0, 1]:.3f}; of radius and perimeter: {np.corrcoef(X[:, 0], X[:, 1])[0, 1]:.3f}"
)

# %% [markdown]
# The predictions are practically the same, the credit is not. Between columns that say the same, the split is a matter of how the model was fitted. A small share does not mean that the *quantity* does not matter. Add up the shares of such columns, or make them one player.
#
# ### Card 3: what if I changed it?
#
# It is tempting to read a share as advice. Here is a company that we invented, so that the truth is known. Customers who use the product a lot report more bugs, and renew their contract more often. Bugs annoy them. Usage was not recorded.

# %%
from sklearn.ensemble import RandomForestRegressor as Forest

rng = np.random.default_rng(0)
usage = rng.normal(0, 1, 1500)
bugs = np.round(np.clip(3 + 1.5 * usage + rng.normal(0, 0.7, 1500), 0, None))
discount = rng.uniform(0, 1, 1500)


def renewals(usage, bugs, discount):
    """Probability that a customer renews: bugs do harm."""
    return 1 / (1 + np.exp(-(2 * usage - 0.4 * (bugs - 3) + 1.5 * (discount - 0.5))))


renewed = (rng.random(1500) < renewals(usage, bugs, discount)).astype(float)
customers = np.column_stack([bugs, discount])
forest = Forest(40, min_samples_leaf=30, random_state=0).fit(customers, renewed)
customer_phi = tree_shap(forest, customers[:400], customers[:60])
counts = np.arange(0, 7)
share_at = [customer_phi[customers[:400, 0] == c, 0].mean() for c in counts]
effect = [renewals(usage, c, discount).mean() - renewals(usage, bugs, discount).mean() for c in counts]
figure, ax = plt.subplots(figsize=(7.5, 3))
ax.plot(counts, share_at, "o-", label="mean SHAP value of “bugs reported”")
ax.plot(counts, effect, "s--", label="truth: what happens if everybody has so many bugs")
ax.axhline(0, color=plots.BASELINE, linewidth=0.8)
ax.set(xlabel="bugs reported", ylabel="change of the\nprobability to renew")
ax.legend()
ax.set_title("SHAP: more bugs, more renewals. Do not ship bugs", loc="left")
plt.show()

# %% [markdown]
# The SHAP values are right: the *model* does use bugs as a sign of usage, which it cannot see. They say nothing about what would happen in the world if you changed the number of bugs. Only an experiment or a causal model does.
#
# ### Card 4: adding up over a softmax
#
# Shares add up in the unit of the output that you explained. For the scene of section 6 we have logits *and* probabilities of all coalitions, so all values are exact. $R^2$ says how well the additive line $g(z')$ describes all coalitions: 1 is perfect, 0 no better than their mean.

# %%
phi_logit = np.stack([shapley_values(look_up(logits[:, c]), d) for c in range(logits.shape[1])])
phi_chance = np.stack([shapley_values(look_up(chances[:, c]), d) for c in range(logits.shape[1])])
print(
    f"largest sum over the classes, for one superpixel: logits {np.abs(phi_logit.sum(axis=0)).max():.2f}, "
    f"probabilities {np.abs(phi_chance.sum(axis=0)).max():.2f}"
)
for name, values, worths in (("logit", phi_logit, logits), ("probability", phi_chance, chances)):
    line = worths[0, target] + every @ values[target]
    r2 = 1 - ((worths[:, target] - line) ** 2).mean() / worths[:, target].var()
    print(f"{name:<12} the additive line describes all coalitions with R² {r2:.2f}")
pushed = np.exp(logits[0] + phi_logit.T)  # the logits of nobody plus one superpixel's shares, all classes
pushed = (pushed / pushed.sum(axis=1, keepdims=True))[:, target] - chances[0, target]
print(
    f"logit shares sent through the softmax one by one add up to {pushed.sum():.2f}, "
    f"the probability changes by {chances[-1, target] - chances[0, target]:.2f}"
)
plots.show_maps(
    [image],
    {
        f"{what}, {names[c]}": paint(values[c], segments)[None]
        for c in (target, other)
        for what, values in (("probability", phi_chance), ("logit", phi_logit))
    },
    signed=True,
    title="Exact Shapley values of one picture, in two units",
)
plt.show()

# %% [markdown]
# $R^2$: in logits the game is nearly a sum, in probabilities less so. And compare the two maps of one class: a superpixel can speak against a class in probabilities only because it raises the logit of another class. Probabilities add up to one, so the shares of one superpixel over all classes add up to zero: whatever speaks for one class must speak against others. Logits have no such bond. And you cannot convert one into the other: sent through a softmax one by one, the shares no longer add up. Decide which output you want explained, and name it.

# %% [markdown]
# ## 14 · Exercises
#
# Replace the dots with your code and run the cell with the check. `exercises.worth.hint()` gives you one hint at a time; the solution is folded below each check.

# %% [markdown]
# ### Exercise: the worth of a coalition of teams
#
# Superpixels, words, the columns of one questionnaire: often a player is not one feature but a *team* of features, which come and go together. Write such a game for a table. `teams` says for each feature the number of its team. The worth is that of section 3: the average over the background rows.


# %% exercise="worth"
def worth(predict, x, background, teams, masks):
    """v(S) for coalitions of teams: masks (B, n) of 0 and 1 to worths (B,).

    predict takes rows (N, d) and returns (N,); x (d,) is explained; background (K, d); teams (d,), 0 … n − 1.
    """
    # BEGIN SOLUTION
    features = masks[:, teams]  # a feature is present when its team is
    return np.array([predict(np.where(row == 1, x, background)).mean() for row in features])
    # END SOLUTION


# %%
exercises.worth.check(worth)

# %% [markdown]
# ### Exercise: exact Shapley values
#
# Section 2 had the formula with its weights. Take the other way: find the dividends $d_T$ (end of section 2), and share each equally. `worths[c]` is the worth of coalition number `c`: player $i$ is in it if bit $i$ of `c` is 1. Here the empty coalition may earn something, too.


# %% exercise="exact"
def exact(worths, n):
    """Shapley values (n,) from the worths (2**n,) of all coalitions."""
    # BEGIN SOLUTION
    dividends, phi = np.zeros(2**n), np.zeros(n)
    for c in range(2**n):
        dividends[c] = worths[c] - sum(dividends[r] for r in range(c) if r & c == r)
        for i in range(n):
            if c >> i & 1:
                phi[i] += dividends[c] / c.bit_count()
    return phi
    # END SOLUTION


# %%
exercises.exact.check(exact)

# %% [markdown]
# ### Exercise: write the kernel

# %% exercise="kernel"
from math import comb


def kernel(n, sizes):
    """The Shapley kernel π(s) for each size in `sizes` (B,), all between 1 and n − 1."""
    # BEGIN SOLUTION
    return np.array([(n - 1) / (comb(n, int(s)) * s * (n - s)) for s in sizes])
    # END SOLUTION


# %%
exercises.kernel.check(kernel)

# %% [markdown]
# ### Exercise: there and back
#
# An antithetic walk (section 6). `order` says who arrives: first player `order[0]`, then `order[1]`, and so on. Then everybody leaves, and they come once more in the opposite order. Return for each player the mean of what it adds on the two ways, entry $i$ for player $i$.


# %% exercise="there_and_back"
def there_and_back(value, order):
    """Mean of what each player (n,) adds in an order and in its reverse; value takes (B, n) of 0 and 1, returns (B,)."""
    # BEGIN SOLUTION
    n = len(order)
    there = np.zeros((n + 1, n), dtype=int)
    for k, player in enumerate(order):
        there[k + 1 :, player] = 1
    back = 1 - there[::-1]  # who came last comes first
    worths = value(np.vstack([there, back]))
    phi = np.zeros(n)
    phi[order] += np.diff(worths[: n + 1]) / 2
    phi[order[::-1]] += np.diff(worths[n + 1 :]) / 2
    return phi
    # END SOLUTION


# %%
exercises.there_and_back.check(there_and_back)

# %% [markdown]
# ### Exercise: predict, then run
#
# Surprise 2 once more, now with *twenty-five* equal players, each of whom adds 1. With its default options, what does `shap.KernelExplainer` give to each player that gets anything at all (on average)? Write your prediction down first; the cell with the check runs the explainer.

# %% exercise="crowd"
answer = None  # a number
# BEGIN SOLUTION
answer = 25 / 10  # ten players are kept, and share the 25
# END SOLUTION

# %%
explainer = shap.KernelExplainer(sixteen, np.zeros((1, 25)), seed=0)
of_25 = explainer.shap_values(np.ones((1, 25)), nsamples=1000, silent=True)[0]
exercises.crowd.check(answer, of_25)

# %% [markdown]
# ### Exercise: find the bug
#
# This function should return the Shapley interaction value $\Phi_{ij}$ of section 7, for $i \ne j$. It computes what `shap`'s exact explainer computes with `interactions=True`. Change the one line that is not what the formula says.

# %% exercise="interaction"
from math import comb


def interaction(worths, n, i, j):
    """Φ_ij from the worths (2**n,) of all coalitions; bit k of the number says whether player k is in it."""
    # BEGIN STUB
    # total = 0.0
    # for c in range(2**n):
    #     if not (c >> i & 1 or c >> j & 1):
    #         delta = worths[c | 1 << i | 1 << j] - worths[c | 1 << i] - worths[c | 1 << j] + worths[c]
    #         weight = 1 / (n * comb(n - 1, c.bit_count()))
    #         total += weight * delta
    # return total
    # END STUB
    # BEGIN SOLUTION
    total = 0.0
    for c in range(2**n):
        if not (c >> i & 1 or c >> j & 1):
            delta = worths[c | 1 << i | 1 << j] - worths[c | 1 << i] - worths[c | 1 << j] + worths[c]
            weight = 1 / (2 * (n - 1) * comb(n - 2, c.bit_count()))  # |S|! (n − |S| − 2)! / (2 (n − 1)!)
            total += weight * delta
    return total
    # END SOLUTION


# %%
exercises.interaction.check(interaction)

# %% [markdown]
# ## 15 · Play
#
# ### A game to play with
#
# Change what the coalitions earn, and watch the orders and the average. Try: make Cem a dummy. Make Ann and Ben exchangeable. Can you make somebody's share negative although nobody earns less than zero?
# With the keyboard: Tab moves between the controls, the arrow keys change a value.


# %%
def play(**earned):
    worths = np.array([0.0, *(earned[key] for key in ("A", "B", "AB", "C", "AC", "BC", "ABC"))])
    steps = np.array([my_orders(worths, order) for order in orders])
    shares = steps.mean(axis=0)
    figure, ax = plt.subplots(figsize=(8, 2.9))
    rows = np.vstack([steps, shares])
    for p, colour in enumerate(plots.COLOURS[:3]):
        ax.plot(rows[:-1, p], np.full(len(orders), p), "o", color=colour, alpha=0.35, markersize=9)
        ax.plot(shares[p], p, "D", color=colour, markersize=11, markeredgecolor="black")
        ax.annotate(
            f"{shares[p]:.1f}", (shares[p], p), xytext=(0, 11), textcoords="offset points", ha="center"
        )
    ax.axvline(0, color=plots.BASELINE, linewidth=0.8)
    ax.set_yticks(range(3), PLAYERS)
    ax.set(xlabel="euros: what a friend adds in one order (dots), on average (diamond)", ylim=(2.5, -0.6))
    plt.show()
    print("adds up to", round(float(shares.sum()), 2))


def my_orders(worths, order):
    """What each player adds in one order."""
    gains, code = np.zeros(3), 0
    for player in order:
        gains[player] = worths[code | 1 << player] - worths[code]
        code |= 1 << player
    return gains


widgets.explore(
    play,
    A=widgets.slider("Ann", 0, 100, 10, 10),
    B=widgets.slider("Ben", 0, 100, 20, 10),
    C=widgets.slider("Cem", 0, 100, 0, 10),
    AB=widgets.slider("Ann + Ben", 0, 100, 60, 10),
    AC=widgets.slider("Ann + Cem", 0, 100, 40, 10),
    BC=widgets.slider("Ben + Cem", 0, 100, 20, 10),
    ABC=widgets.slider("all three", 0, 100, 90, 10),
)

# %% [markdown]
# Four settings as a still picture: the band, and three others. Diamonds are Shapley values, dots what a friend adds in single orders.

# %%
settings = {
    "the band": (10, 20, 60, 0, 40, 20, 90),
    "Cem is a dummy": (10, 20, 60, 0, 10, 20, 60),
    "only all three together": (0, 0, 0, 0, 0, 0, 90),
    "Cem disturbs": (30, 30, 90, 0, 10, 10, 60),
}
figure, axes = plt.subplots(1, 4, figsize=(10, 2.6), sharey=True, sharex=True)
for ax, (name, earned) in zip(axes, settings.items(), strict=True):
    worths = np.array([0.0, *earned])
    steps = np.array([my_orders(worths, order) for order in orders])
    for p, colour in enumerate(plots.COLOURS[:3]):
        ax.plot(steps[:, p], np.full(len(steps), p), "o", color=colour, alpha=0.35, markersize=8)
        ax.plot(steps[:, p].mean(), p, "D", color=colour, markersize=9, markeredgecolor="black")
    ax.axvline(0, color=plots.BASELINE, linewidth=0.8)
    ax.set_yticks(range(3), PLAYERS)
    ax.set_title(name, fontsize=10)
axes[0].set_ylim(2.5, -0.5)
figure.supxlabel("euros", fontsize=10)
plt.show()

# %% [markdown]
# ### Samples and kernel width
#
# The picture of section 6: choose a method, the number of questions, LIME's kernel width and a seed. The answers are look-ups.


# %%
def estimate(method, n_samples, width, seed):
    if method == "LIME":
        masks = sample_masks(n_samples, d, seed)
        kernel_weights = exponential_kernel(cosine_distances(masks), width)
        return fit_surrogate(masks, picture_game(masks), kernel_weights).coefficients
    sampler = kernel_shap if method == "KernelSHAP" else permutation_shap
    return sampler(picture_game, d, n_samples - 2, random_state=seed)


def draw(method, n_samples, width, seed):
    values = estimate(method, n_samples, width, seed)
    plots.show_maps(
        [image],
        {"exact Shapley values": paint(phi_picture, segments)[None], method: paint(values, segments)[None]},
        signed=True,
        width=7.5,
    )
    plt.show()
    print(
        f"largest error {worst(values, phi_picture):.2f} of the largest value; "
        f"sum {values.sum():.2f}, exact {phi_picture.sum():.2f}"
    )


widgets.explore(
    draw,
    method=widgets.choice("method", ["KernelSHAP", "permutations", "LIME"]),
    n_samples=widgets.slider("questions", 24, 1500, 100, 4),
    width=widgets.choice("LIME's kernel width", [0.05, 0.1, 0.25, 0.5, 1.0, 10.0], 0.25),
    seed=widgets.slider("seed", 0, 20, 0),
)

# %% [markdown]
# The same as a still picture. Left: LIME with *all* questions asked, for many kernel widths, and its distance from the exact Shapley values. Right: both methods with few questions; the band is the range over 10 seeds. Mind the logarithmic axes.

# %%
widths = np.array([0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 10.0])
all_d = every[::-1]
distance = [
    worst(
        fit_surrogate(
            all_d, picture_game(all_d), exponential_kernel(cosine_distances(all_d), w), ridge=0.0
        ).coefficients,
        phi_picture,
    )
    for w in widths
]
counts = np.array([24, 48, 100, 200, 400, 800])
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True)
left.loglog(widths, distance, "o-")
left.set(xlabel="LIME's kernel width σ", ylabel="largest error / largest value")
for method, colour in (("LIME", plots.COLOURS[0]), ("KernelSHAP", plots.COLOURS[1])):
    spread = np.array(
        [[worst(estimate(method, int(c), 0.25, s), phi_picture) for s in range(10)] for c in counts]
    )
    right.loglog(counts, spread.mean(axis=1), "o-", color=colour, label=method)
    right.fill_between(counts, spread.min(axis=1), spread.max(axis=1), color=colour, alpha=0.15, linewidth=0)
right.set(xlabel="questions")
right.set_xticks(counts, counts)
right.minorticks_off()
right.legend()
left.set_title("LIME, all questions: the width decides", loc="left")
right.set_title("Few questions, σ = 0.25", loc="left")
plt.show()
complete = worst(kernel_shap(picture_game, d, 2**d), phi_picture)
print(
    f"KernelSHAP with all questions is exact: {complete < 1e-9}; the best width of LIME leaves {min(distance):.3f}"
)
signs = 1 - 2 * (np.bitwise_count(np.arange(2**d)[:, None] & np.arange(2**d)) % 2).astype(np.int8)
power = (signs @ chances[:, target] / 2**d) ** 2  # what each group of superpixels adds to the variance
group = np.bitwise_count(np.arange(2**d))
shares_of_variance = [power[group == 1].sum(), power[group == 2].sum(), power[group > 2].sum()]
single, paired, larger = 100 * np.array(shares_of_variance) / power[1:].sum()
print(
    f"variance of the game: single superpixels {single:.1f} %, pairs {paired:.1f} %, larger groups {larger:.2f} %"
)

# %% [markdown]
# A wide kernel comes close on this picture: all coalitions then count the same, which gives another old index, the *Banzhaf value* (the average gain over all coalitions). In a game whose bonuses go no further than pairs, both indices split each bonus in halves and agree. The last line splits the variance of the game over groups of superpixels: hardly anything is left for groups larger than pairs.
# (That is also why antithetic walks did so well in section 6.) A narrow kernel looks at the surroundings of the full picture only, and answers another question. With about two questions for each superpixel, or fewer, both are far off, and KernelSHAP jumps from seed to seed.

# %% [markdown]
# ## 16 · The paper in ten questions
#
# S. Lundberg, S.-I. Lee: *A Unified Approach to Interpreting Model Predictions* (NeurIPS 2017).
#
# 1. **Which problem?** Many methods explain single predictions, and nobody knows how they relate or which to prefer.
# 2. **Is it new?** Shapley values had explained predictions before (Lipovetsky and Conklin, 2001; Štrumbelj and Kononenko, 2010 and 2014). New are the common form, the theorem about it, and the kernel.
# 3. **Which hypothesis?** What is provably the only fair split is also the explanation that people find natural.
# 4. **Related work, and who?** LIME, DeepLIFT, layer-wise relevance propagation and three Shapley methods, all shown to be additive feature attributions. The authors were at the University of Washington.
# 5. **The key idea?** Local accuracy, missingness and consistency leave one solution; a regression with the right kernel estimates it for any model.
# 6. **Which experiments?** How many model evaluations KernelSHAP needs beside Shapley sampling and LIME; people who split payments in small stories; MNIST digits with DeepSHAP.
# 7. **Data and code?** Decision trees, stories, MNIST; the `shap` package is public.
# 8. **Do the results support it?** The theorem stands. That the conditional expectation of the definition is replaced by a marginal one in practice is said in one line, and decides what the values mean (section 4). The studies with people are small.
# 9. **What did it contribute?** A common language, and the most used package for explanations.
# 10. **What next?** TreeSHAP (2018, 2020), conditional values (Aas and others, 2021), causal variants, and critics: Shapley values answer a question about a game, and it is on you to show that it is your question (Kumar and others, 2020).

# %% [markdown]
# ## 17 · Recap
#
# - The Shapley value is the average of what a player adds over all orders of arrival. Four wishes leave no other rule.
# - A prediction becomes a game once you say what "absent" means: marginal or conditional, and against which background.
# - SHAP is LIME with the one kernel that makes the regression fair. Both are additive; only SHAP adds up.
# - Climb the ladder: enumerate up to a dozen players, use TreeSHAP and the linear form where the model allows, sample otherwise, and know your error.
# - A sum that adds up proves nothing about the single shares. Compare with enumeration on a small case.
# - Libraries surprise: path-dependent trees, `l1_reg`, single precision, another interaction index.
# - Shares explain a model, not the world.
# - Next: **08 · Saliency, SmoothGrad, Integrated Gradients**, where the same axioms return for gradients.
#
# **References**
# - [Lundberg and Lee, 2017: A unified approach to interpreting model predictions](https://arxiv.org/abs/1705.07874)
# - [Shapley, 1953: A value for n-person games](https://doi.org/10.1515/9781400881970-018)
# - [Lundberg, Erion and Lee, 2018: Consistent individualized feature attribution for tree ensembles](https://arxiv.org/abs/1802.03888)
# - [Lundberg and others, 2020: From local explanations to global understanding with explainable AI for trees](https://arxiv.org/abs/1905.04610)
# - [Štrumbelj and Kononenko, 2014: Explaining prediction models and individual predictions with feature contributions](https://doi.org/10.1007/s10115-013-0679-x)
# - [Janzing, Minorics and Blöbaum, 2020: Feature relevance quantification in explainable AI: a causal problem](https://arxiv.org/abs/1910.13413)
# - [Aas, Jullum and Løland, 2021: Explaining individual predictions when features are dependent](https://arxiv.org/abs/1903.10464)
# - [Dhamdhere, Agarwal and Sundararajan, 2020: The Shapley–Taylor interaction index](https://arxiv.org/abs/1902.05622)
# - [Kumar and others, 2020: Problems with Shapley-value-based explanations as feature importance measures](https://arxiv.org/abs/2002.11097)
# - [Mitchell and others, 2022: Sampling permutations for Shapley value estimation](https://arxiv.org/abs/2104.12199)
# - [Erion and others, 2021: Improving performance of deep learning models with axiomatic attribution priors and expected gradients](https://arxiv.org/abs/1906.10670)
