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
# - compute Shapley values by hand, and say which four wishes leave no other rule;
# - name the wish that is missing in a famous theorem about SHAP, and give a counterexample;
# - turn a prediction into a game, and say what "this feature is absent" means in it;
# - estimate Shapley values with few questions, and measure the error of the estimate;
# - explain a table and a photograph of your own, and recognise when SHAP misleads.
#
# **Time**: about <!-- minutes --> minutes. **Before**: averages, linear regression, NumPy. What you need
# from lesson 06 (LIME) is said here.

# %%
from itertools import permutations
from math import comb, factorial

import matplotlib.pyplot as plt
import numpy as np

from course_utils import judge
from course_utils.exercises import l07_shap as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l07_shap as lesson
from course_utils.methods import shapley
from course_utils.teach import plots, widgets
from course_utils.teach import superpixels as pictures
from course_utils.teach.superpixels import all_masks, look_up, superpixels

flats = load_lab("tabular", table="apartments")
FACTS, FLAT, PLAYERS, EARNED = lesson.FACTS, lesson.FLAT, lesson.PLAYERS, lesson.EARNED

# %% [markdown]
# ## 1 · A puzzle: three bills for one flat
#
# `flats` is a *[lab](glossary.md#lab)*: a model together with data whose truth is known. Here it is a small town with a
# formula for prices. One flat has a park nearby, 50 m², lies on the second floor, and cats are banned. Its price is below
# the average of the town. Why?
#
# Three agents explain the difference. Agents A and B take all flats of the town, and set one fact after the other to that of
# our flat. Each time they ask how the *mean price* changes. Agent C starts from our flat, and lets one fact at a time go back to
# what it is in the town.


# %%
def mean_price(known):
    """Mean price in the town when the facts in `known` (0/1) are set to those of our flat."""
    return flats.predict(np.where(np.array(known) == 1, FLAT, flats.table)).mean()


def reveal(order):
    """What each fact changes when the facts are set in this order."""
    known, bill = np.zeros(4, int), np.zeros(4)
    for fact in order:
        before = mean_price(known)
        known[fact] = 1
        bill[fact] = mean_price(known) - before
    return bill


# %% tags=["hide-input"]
bills = {
    "A: park first, then the area": reveal([0, 1, 2, 3]),
    "B: area first, then the park": reveal([1, 0, 2, 3]),
    "C: leave one out": np.array([mean_price(np.ones(4)) - mean_price(1 - row) for row in np.eye(4)]),
}
start, end = mean_price(np.zeros(4)), mean_price(np.ones(4))
print(f"average {start:.2f}, this flat {end:.2f}, difference {end - start:.2f} thousand euros")
table = np.array([[*bill, bill.sum()] for bill in bills.values()])
lesson.show_shares(table, list(bills), [*FACTS, "sum"], "Three explanations of one price (thousand euros)")
plots.show(
    "A table of three bills for one flat. A and B differ in the columns park and area and have the same sum; "
    f"the sum of C is {table[2, -1]:.2f} instead of {table[0, -1]:.2f}."
)

# %% [markdown]
# A and B disagree about the park and the area, although both explain the whole difference. C's bill does not add up to it. Nobody
# made a mistake. **When features act together, there is no obvious way to split the bill.** In 1953 Lloyd
# Shapley asked what a fair split would be.

# %% [markdown]
# ## 2 · A game that fits on one page
#
# Three friends make music in the street. A *game* says what each *coalition* (each group of players) earns in an evening. We write
# - $N$ for the set of all players, and $n$ for their number;
# - $S$ for a coalition, some of the players, and $|S|$ for its size;
# - $v(S)$ for what it earns, its *worth*. The empty coalition $\varnothing$ earns nothing here.
#
# The code gives each coalition a number, with one bit for each player: Ann is 1, Ben 2, Cem 4. So 5 = 1 + 4 is Ann and Cem. `1 << i`
# is the number of player $i$, and `code >> i & 1` says whether he or she is in `code`.

# %% tags=["hide-input"]
names_of = [
    " + ".join(p for bit, p in enumerate(PLAYERS) if code >> bit & 1) or "nobody" for code in range(8)
]
for code in range(8):
    print(f"{code}  {names_of[code]:<18}{EARNED[code]:>5.0f} €")

# %% [markdown]
# ### All orders of arrival
#
# Let the friends arrive one after the other. Who arrives gets what he or she *adds*. That depends on the order. So take
# **all** orders, and average.

# %%
orders = list(permutations(range(3)))
added = np.zeros((len(orders), 3))
for row, order in enumerate(orders):
    code = 0  # nobody is there yet
    for player in order:
        added[row, player] = EARNED[code | 1 << player] - EARNED[code]
        code |= 1 << player
phi = added.mean(axis=0)  # the Shapley values

# %% tags=["hide-input"]
plots.matrix_plot(
    np.vstack([added, phi]),
    [", ".join(PLAYERS[p] for p in order) for order in orders] + ["average"],
    PLAYERS,
    signed=True,
    decimals=0,
    title="What each friend adds, order by order",
)
plots.show(
    "Six orders of three friends, what each adds, and the average in the last row: "
    + ", ".join(f"{p} {v:.0f}" for p, v in zip(PLAYERS, phi, strict=True))
    + " euros. Every row adds up to 90."
)

# %% [markdown]
# The last row is the answer: the *Shapley values* $\phi_i$. Each row adds up to 90 euros, so the average does, too. Cem earns
# nothing alone, and still gets a share, because Ann earns more with him.
#
# ### The formula with its weights
#
# Three friends have 6 orders, ten have 3.6 million. But many orders ask the same question: what player $i$ adds to $S$ does not
# depend on the order *within* $S$. How many orders have exactly the players of $S$ before $i$? Those of $S$ can stand in $|S|!$
# orders, the others behind $i$ in $(n - |S| - 1)!$. Divided by all $n!$ orders, this is the weight in Shapley's formula:
#
# $$\phi_i = \sum_{S \subseteq N \setminus \{i\}} \frac{|S|!\,(n-|S|-1)!}{n!}\,\big(v(S \cup \{i\}) - v(S)\big)$$
#
# A game in Python is a function: it takes coalitions as rows of 0 and 1, and returns their worths. `look_up` makes such a game
# from a table of worths.


# %% tags=["by-hand"]
def my_shapley(value, n):
    """Exact Shapley values (n,) of a game: coalitions (B, n) of 0 and 1 to worths (B,)."""
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


band = look_up(EARNED)
print("formula:            ", my_shapley(band, 3).round(2))
print("average over orders:", phi.round(2))
print("course_utils:       ", shapley.shapley_values(band, 3).round(2))

# %% [markdown]
# From here on we use the course's function.

# %% [markdown]
# ## 3 · Which rule is fair?
#
# Why this average and no other rule? Say what you expect of a fair rule, the *axioms*:
# - **efficiency**: all shares together are $v(N) - v(\varnothing)$;
# - **symmetry**: two players who add the same to every coalition get the same;
# - **dummy**: a player who adds nothing to any coalition gets nothing;
# - **additivity**: the shares of two evenings played as one game, $v + w$, are the shares of $v$ plus the shares of $w$.
#
# We test them on random games with four players, for Shapley's rule and four others that sound reasonable. *First come* pays
# in one fixed order: player 0 gets what he earns alone, player 1 what she adds to him, and so on. *Leave one out* pays what is
# lost if a player stays at home; the last rule rescales that, so that it adds up. A folded cell holds a test for each axiom.

# %%
FOUR = 4
CODES = np.arange(2**FOUR)  # a game is now simply the table of its 16 worths

rules = {
    "Shapley": lambda w: shapley.shapley_values(look_up(w), FOUR),
    "equal shares": lambda w: np.full(FOUR, w[-1] / FOUR),
    "first come": lambda w: np.diff(w[2 ** np.arange(FOUR + 1) - 1]),  # nobody, {0}, {0, 1}, …
    "leave one out": lambda w: w[-1] - w[2**FOUR - 1 - 2 ** np.arange(FOUR)],
}
left_out = rules["leave one out"]
rules["… rescaled"] = lambda w: left_out(w) / left_out(w).sum() * w[-1]


def random_game(rng):
    return np.append(0, rng.uniform(0, 10, 2**FOUR - 1))


# %% tags=["hide-input"]
SWAPPED = CODES & ~3 | (CODES & 1) << 1 | (CODES & 2) >> 1  # players 0 and 1 change places


def efficiency(rule, rng):
    w = random_game(rng)
    return np.isclose(rule(w).sum(), w[-1])


def symmetry(rule, rng):
    w = random_game(rng)
    return np.isclose(*rule(w + w[SWAPPED])[:2])


def dummy(rule, rng):
    return np.isclose(rule(random_game(rng)[CODES & ~4])[2], 0)  # player 2 adds nothing


def additivity(rule, rng):
    v, w = random_game(rng), random_game(rng)
    return np.allclose(rule(v + w), rule(v) + rule(w))


def consistency(rule, rng):
    """In a second game player 3 adds as much or more to every coalition. Her share must not fall."""
    without_3 = CODES & ~8
    v = random_game(rng)
    gains = v - v[without_3] + (CODES > 7) * rng.uniform(0, 5, 16)  # what she adds now
    other = random_game(rng)[without_3] + gains  # the others may earn anything
    return rule(other)[3] >= rule(v)[3] - 1e-9


# %% tags=["nbval-check-output"]
def always(axiom, rule, n_games=100):
    return all(axiom(rule, np.random.default_rng(seed)) for seed in range(n_games))


axioms = (efficiency, symmetry, dummy, additivity)
print(f"{'':<15}" + "".join(f"{axiom.__name__:>12}" for axiom in axioms))
for name, rule in rules.items():
    print(f"{name:<15}" + "".join(f"{'yes' if always(axiom, rule) else 'NO':>12}" for axiom in axioms))

# %% [markdown]
# Each of the other rules breaks exactly one wish, and each breaks another one. So no axiom follows from the other three. (One
# failure is a proof; a hundred passed games are not, but short proofs exist.) Shapley's theorem says that *only* his rule has
# all four; companion 07c shows why.
#
# ### Exercise: the gap in a theorem
#
# The paper that made SHAP famous (Lundberg and Lee, 2017) asks for other properties. In our words:
# - **local accuracy**: the shares add up to the prediction. That is efficiency;
# - **missingness**: a feature that is missing in the input gets nothing. Its switch changes nothing, so *dummy* contains it;
# - **consistency**: if a player adds as much or more to *every* coalition in game $v'$ than in game $v$, her share in $v'$ is not smaller.
#
# Its theorem 1 says: only Shapley values have all three. **One rule of the table is a counterexample.** Write
# its name. The cell below your answer then tests all of them.

# %% exercise="gap"
answer = None  # the name of a rule, for example "equal shares"
# BEGIN SOLUTION
answer = "first come"
# END SOLUTION


# %%
properties = (efficiency, dummy, consistency)
passed = {name: [always(test, rule) for test in properties] for name, rule in rules.items()}
exercises.gap.check(answer, passed)

# %% tags=["hide-input", "nbval-check-output"]
print(f"{'':<15}{'local accuracy':>16}{'missingness':>14}{'consistency':>14}")
for name, results in passed.items():
    a, b, c = ("yes" if result else "NO" for result in results)
    print(f"{name:<15}{a:>16}{b:>14}{c:>14}")

# %% [markdown]
# Two rows have three times "yes", so the theorem as printed is not true: **symmetry is missing**. The paper says that symmetry
# follows from the other properties. It does not (Fisher, 2020). With symmetry added, the theorem is true (Young, 1985). This matters:
# if you know an order, such as cause before effect, you may *want* a rule that is not symmetric.

# %% [markdown]
# ## 4 · From a game to a model
#
# The players are now the features of one input $x$, and the coalition $S$ are the features whose values we know. The worth of
# $S$ is what the model $f$ says when only they are known. The others take values from the town, and we average:
#
# $$v(S) = \frac{1}{K} \sum_{k=1}^{K} f\big(x \text{ on } S,\; z^{(k)} \text{ elsewhere}\big)$$
#
# The rows $z^{(1)}, \dots, z^{(K)}$ are the *background*. Here it is the whole town. The function `masking_game` makes this game.
# The town's formula is: price = 60 + 3 · area + 0.5 · area · park + 5 · floor − 30 · cats. So you can check the computer with a
# pencil. The mean area is 65, half of the flats have a park, cats are banned in a third of them, the mean floor is 2. Cats:
# $-30 \cdot (1 - \tfrac13) = -20$. Park: if it comes before the area, it adds $0.5 \cdot 65 \cdot \tfrac12 = 16.25$ (A's bill); after
# the area $0.5 \cdot 50 \cdot \tfrac12 = 12.5$ (B's bill); the mean is 14.375.

# %%
flat_game = shapley.masking_game(flats.predict, FLAT, flats.table)
phi_flat = shapley.shapley_values(flat_game, 4)
average, price = flat_game(np.array([[0] * 4, [1] * 4]))
print("shares:", dict(zip(FACTS, phi_flat.round(3).tolist(), strict=True)))
print(f"average {average:.2f} + shares {phi_flat.sum():.2f} = {price:.2f}")

# %% [markdown]
# The usual picture is the *waterfall*. Start below at the average (`shap` writes it $E[f(X)]$), add one share after the other,
# and arrive at the prediction $f(x)$ on top.

# %% tags=["hide-input"]
import shap

explained = shap.Explanation(phi_flat, average, FLAT, feature_names=FACTS)
lesson.shap_figure(shap.plots.waterfall, explained, 7.5, 3.2)
plots.show(
    f"Waterfall from the average {average:.0f} to the price {price:.0f}: area is by far the longest block."
)

# %% [markdown]
# ### What a share is not
#
# **A Shapley value is not the change of the prediction if the feature were removed.** That is agent C's number. For the park it is
# 12.50, the share is 14.375, and C's numbers do not add up. A share is an average over *all* coalitions; C asks about one.
#
# It is also not what a model *trained* without the column would say, and not what would happen if you changed the flat. And zero does
# not mean "the model ignores it": a higher floor does cost more, but the second floor is the average.
#
# ### Exercise: the worth of a coalition of teams
#
# Superpixels, words, the columns of one questionnaire: often a player is not one feature but a *team* of features, which come
# and go together. Write such a game. `teams` says for each feature the number of its team. The worth is the $v(S)$ above.


# %% exercise="worth"
def worth(predict, x, background, teams, masks):
    """v(S) for coalitions of teams: masks (B, n) of 0 and 1 to worths (B,).

    predict takes rows (N, d) and returns (N,); x (d,) is explained;
    background is (K, d); teams (d,) holds numbers 0 … n − 1.
    """
    # BEGIN SOLUTION
    features = masks[:, teams]  # a feature is present when its team is
    return np.array([predict(np.where(row == 1, x, background)).mean() for row in features])
    # END SOLUTION


# %%
exercises.worth.check(worth)

# %% [markdown]
# ## 5 · What does "absent" mean?
#
# In our town the columns are independent. In a second town they are not: the parks lie where the large flats are. Then "the
# area is 50, the park is unknown" can be read in two ways:
# - **marginal** (also *interventional*): take the park from the whole town, whatever the area. This asks the model about flats that may not exist;
# - **conditional** (also *observational*): take it from the flats that have 50 m². This asks what we can guess from what we know.
#
# To see the difference, explain our flat with a formula that does not look at the park at all. Before you look: can the park get a share?

# %%
readings = {}
for town in ("apartments", "apartments_correlated"):
    place = load_lab("tabular", table=town, model="formula_without_park")
    kind = "correlated" if "corr" in town else "independent"
    marginal = shapley.masking_game(place.predict, FLAT, place.table)
    conditional = shapley.conditional_game(place.predict, FLAT, place.table)
    readings[f"{kind}, marginal"] = shapley.shapley_values(marginal, 4)
    readings[f"{kind}, conditional"] = shapley.shapley_values(conditional, 4)

# %% tags=["hide-input"]
lesson.show_shares(
    np.array(list(readings.values())),
    list(readings),
    FACTS,
    "A price that ignores the park: one reading pays it",
    decimals=1,
)
plots.show(
    "Shares of one flat in two towns and two readings. The park gets 0 except in the correlated town with "
    f"the conditional reading: {readings['correlated, conditional'][0]:.1f}."
)

# %% [markdown]
# Where the columns are independent, both readings agree. In the correlated town the conditional share of the park is large, although
# the formula never reads it: flats with a park have 80 m² on average instead of 65, so the park *tells* us something about the area.
# Knowing it first is worth $3 \cdot (80 - 65) = 45$, knowing it after the area nothing; the average is 22.5.
#
# Neither reading is wrong. The marginal one answers "what does the *model* use?", the conditional one "what does this *fact tell*
# us about the answer?". The rest of this lesson is marginal.
#
# **Libraries have a third reading.** `shap.TreeExplainer` without background rows follows the tree's own counts (*path-dependent*).
# That is neither of the two: companion 07c shows it on this town. With `shap`, pass the background, and say which reading you show.

# %% [markdown]
# ## 6 · SHAP is a regression
#
# Lundberg and Lee noticed that several methods have one form: a linear function of switches $z' \in \{0, 1\}^n$ (1: the feature
# is known), an **additive feature attribution**:
#
# $$g(z') = \phi_0 + \sum_{i=1}^{n} \phi_i z'_i .$$
#
# *[LIME](glossary.md#lime)* (lesson 06) is one of them. It switches parts of the input off at random, asks the model, and fits this line by a weighted
# regression. The weights are its *kernel*: questions near the full input count more. Which kernel gives Shapley values?
# Theorem 2 of the paper, with $s$ the number of switches that are on:
#
# $$\pi(s) = \frac{n-1}{\binom{n}{s}\, s\,(n-s)} .$$
#
# It is infinite for $s = 0$ and $s = n$: those two points must lie *on* the line, which is efficiency.
#
# ### Exercise: write the kernel
#
# Give the weight $\pi(s)$ for every size in `sizes`. `comb(n, s)` is $\binom{n}{s}$, for plain whole numbers.


# %% exercise="kernel"
def kernel(n, sizes):
    """The Shapley kernel π(s) for each size in `sizes` (B,), all between 1 and n − 1."""
    # BEGIN SOLUTION
    return np.array([(n - 1) / (comb(n, int(s)) * s * (n - s)) for s in sizes])
    # END SOLUTION


# %%
exercises.kernel.check(kernel)

# %% [markdown]
# $\pi$ is largest at both ends, where one player is present or one is missing. LIME's kernel is not: companion 07b draws both.
#
# ### KernelSHAP by hand
#
# Both ends on the line mean $\phi_0 = v(\varnothing)$ and $\phi_n = \Delta - \sum_{i<n} \phi_i$, with $\Delta = v(N) - v(\varnothing)$. Put that
# into $g(z')$, and sort:
#
# $$v(S) - v(\varnothing) - z'_n \Delta \;\approx\; \sum_{i<n} \phi_i\,(z'_i - z'_n) .$$
#
# Left is `target`, the brackets on the right are `design`. It is an ordinary weighted regression for the first $n - 1$ players;
# the last one gets the rest.


# %% tags=["by-hand"]
def my_kernel_shap(value, n, masks):
    """Shapley values (n,) from coalitions `masks` (B, n), without the empty and the full one."""
    empty, full = value(np.array([[0] * n, [1] * n]))
    weights = shapley.shapley_kernel(n, masks.sum(axis=1))
    target = value(masks) - empty - masks[:, -1] * (full - empty)
    design = masks[:, :-1] - masks[:, -1:]  # what a player gets, the last one loses
    root = np.sqrt(weights)
    phi = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0]
    return np.append(phi, full - empty - phi.sum())


band = look_up(EARNED)
print("regression:", my_kernel_shap(band, 3, all_masks(3)[1:-1]).round(3))
print("formula:   ", shapley.shapley_values(band, 3).round(3))

# %% [markdown]
# The formula needs *all* coalitions. A regression also works with some of them.

# %% [markdown]
# ## 7 · Few questions, and their error
#
# $2^n$ coalitions are no problem while the game is cheap: twenty players are about a million. A network costs more. We take
# four scenes (drawn pictures with two objects each) and cut them into about ten *[superpixels](glossary.md#superpixel)*, patches of similar colour.
# They are the players; a hidden one is painted in its mean colour. All versions of a picture go through the network once, so all its Shapley
# values are exact. The scenes are the first four with at most ten superpixels, and we ask about both objects: eight games.

# %%
scenes = load_lab("scenes", n_objects=2)
cuts = {i: superpixels(scenes.images[i]) for i in range(len(scenes))}
few = [i for i, cut in cuts.items() if cut.max() < 10][:4]
games = {}
for i in few:
    n_parts = int(cuts[i].max()) + 1
    answers = pictures.network_answers(scenes, scenes.images[i], cuts[i], all_masks(n_parts))
    for c in scenes.targets[i].tolist():
        games[i, c] = (look_up(answers[:, c]), n_parts)
exact = {key: shapley.shapley_values(*game) for key, game in games.items()}

# %% tags=["hide-input"]
figure, axes = plots.grid(2, 4, ratio=1.05)
for column, i in enumerate(few):
    for row, c in enumerate(scenes.targets[i].tolist()):
        heat = exact[i, c][cuts[i]]
        axes[row, column].imshow(plots.overlay(scenes.images[i], heat, signed=True))
        axes[row, column].set_title(
            f"why {scenes.class_names[c]}? (±{np.abs(exact[i, c]).max():.2f})", fontsize=9
        )
figure.suptitle("Red speaks for the class, blue against it; full colour is the number in brackets")
plots.show(
    "Exact Shapley values of the superpixels of four scenes, for each of the two objects. What is red, for the "
    "class, in one row is often blue, against it, in the other."
)
top_left = few[0], scenes.targets[few[0], 0].item()
game, n_parts = games[top_left]
nothing, everything = game(np.array([[0] * n_parts, [1] * n_parts]))
strongest = np.sort(exact[top_left])[[0, -1]]
print(
    f"{scenes.class_names[top_left[1]]}: {nothing:.2f} with all hidden, {everything:.2f} for the picture;",
    end=" ",
)
print(f"smallest share {strongest[0]:+.2f}, largest {strongest[1]:+.2f}")

# %% [markdown]
# Nothing here is chance: all coalitions were asked. The mushroom's own patch, top left, is pale: the network says "mushroom" when
# everything is hidden, too, so it has little to add, and the butterfly takes most of that away (card 1).
#
# **KernelSHAP** asks the sizes with the largest weight completely, while the budget lasts, and draws the others at random.
# **Permutation sampling** goes back to the definition: walk through a few random orders, and average what the players add.
# *Antithetic* walks take each order forwards and backwards.


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


# %% tags=["hide-input"]
key = (few[3], scenes.targets[few[3], 0].item())
for n_orders in (1, 10, 100):
    estimate = my_permutation_shap(*games[key], n_orders)
    print(f"{n_orders:>4} orders: error {lesson.worst(estimate, exact[key]):4.0%}, sum {estimate.sum():.4f}")
print(f"   exact:               sum {exact[key].sum():.4f}")

# %% [markdown]
# The *error* is the largest distance from the exact values, as a share of the largest one. The sum is right from the first
# order on. **A sum that adds up proves nothing about the single shares.**
#
# **Predict** before you look at the figure: which estimate is closer, KernelSHAP or walks? Is it the same with few and with
# many questions?

# %%
estimators = {
    "KernelSHAP": shapley.kernel_shap,
    "walks, antithetic": shapley.permutation_shap,
    "walks, plain": lambda *game, **seed: shapley.permutation_shap(*game, antithetic=False, **seed),
}
per_player = [2, 4, 8, 16]  # questions for each player
errors = {name: np.zeros((len(games), len(per_player))) for name in estimators}
for name, estimator in estimators.items():
    for row, (key, (game, n_parts)) in enumerate(games.items()):
        for column, budget in enumerate(per_player):
            runs = [estimator(game, n_parts, budget * n_parts, random_state=s) for s in range(6)]
            errors[name][row, column] = np.mean([lesson.worst(run, exact[key]) for run in runs])

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 3.6))
for (name, values), marker, shift in zip(errors.items(), "os^", (0.93, 1, 1.07), strict=True):
    x = np.array(per_player) * shift
    (line,) = ax.plot(x, np.median(values, axis=0), marker + "-", label=name)
    ax.vlines(x, values.min(axis=0), values.max(axis=0), color=line.get_color(), alpha=0.4, linewidth=2)
ax.set(xscale="log", yscale="log", xlabel="questions for each player", ylabel="error / largest value")
ax.set_xticks(per_player, per_player)
ax.minorticks_off()
ax.legend(fontsize=9)
ax.set_title("KernelSHAP gains most from questions (median, smallest, largest of 8 games)", loc="left")
medians = {name: np.median(values, axis=0) for name, values in errors.items()}
plots.show(
    "Error of three estimators against the questions for each player. At two questions the antithetic walks "
    f"have the smallest median ({medians['walks, antithetic'][0]:.2f}), at sixteen KernelSHAP "
    f"({medians['KernelSHAP'][3]:.3f}); the largest and the smallest error differ by a factor of ten or more."
)

# %% [markdown]
# With eight or more questions a player KernelSHAP has the smallest median error. With two, the antithetic walks have it here; on fresh
# scenes it was mostly KernelSHAP. Plain walks are behind antithetic ones at each budget. Look at the vertical lines, too: with the same
# method and budget, one game's error is several times another's, here ten times and more. And all this is for about ten players: on a
# table of 30 columns KernelSHAP was ahead from eight questions a player on, but with two about twice as far off as antithetic walks, and
# single runs were off by the largest value itself. So repeat your estimate with another seed.

# %% [markdown]
# ## 8 · The proof
#
# The flat once more, by `shap`'s enumeration, by `shap`'s regression and by captum's average over all orders.

# %% tags=["hide-input"]
import torch
from captum.attr import ShapleyValues


class Town(torch.nn.Module):
    """The price formula in PyTorch, for captum."""

    def forward(self, x):
        park, area, floor, cats = x.T
        return 60 + 3 * area + 0.5 * area * park + 5 * floor - 30 * cats


# %%
ours = shapley.shapley_values(shapley.masking_game(flats.predict, FLAT, flats.table), 4)
everyone = shap.maskers.Independent(flats.table, max_samples=len(flats.table))
by_enumeration = shap.explainers.Exact(flats.predict, everyone)(FLAT[None]).values[0]
kernel_explainer = shap.KernelExplainer(flats.predict, flats.table)
by_regression = kernel_explainer.shap_values(FLAT[None], l1_reg=0, silent=True)[0]
rows = torch.tensor(flats.table)
by_orders = ShapleyValues(Town()).attribute(torch.tensor(FLAT).expand_as(rows), baselines=rows)

# %% tags=["nbval-check-output", "hide-input"]
judge.agreement_table(
    [
        ("the known answer", ours, flats.exact(FLAT)[0], "the course's enumeration"),
        ("shap Exact", ours, by_enumeration, "the whole town as background"),
        ("shap KernelExplainer", ours, by_regression, "all coalitions, l1_reg=0"),
        ("captum ShapleyValues", ours, by_orders.mean(dim=0), "all orders, each background row"),
    ]
)

# %% [markdown]
# Trees, networks and interactions are in companion 07c. Why `l1_reg=0`? Without it this explainer first selects
# ten features, silently (companion 07b).

# %% [markdown]
# ## 9 · Many explanations at once
#
# One explanation tells about one decision. Many of them show the model. The table: tumours with 30 measurements; the model: a random
# forest; the shares: *TreeSHAP* (exact and fast for trees, companion 07c), marginal, 100 training tumours as background. Unit: probability
# of "benign".

# %%
tumours = load_lab("tabular", table="breast_cancer")
BENIGN = tumours.class_names.index("benign")
training, unseen = tumours.table[~tumours.unseen][:100], tumours.table[tumours.unseen]
tumour_phi = shapley.tree_shap(tumours.model, unseen, training, target=BENIGN)
base = tumours.predict(training)[:, BENIGN].mean()
sums_right = np.allclose(base + tumour_phi.sum(axis=1), tumours.predict(unseen)[:, BENIGN])
print(f"{len(unseen)} unseen tumours, every sum right: {sums_right}")

# %% tags=["hide-input", "thumbnail"]
tumour_explained = shap.Explanation(
    tumour_phi, np.full(len(unseen), base), unseen, feature_names=list(tumours.feature_names)
)
lesson.shap_figure(
    shap.plots.beeswarm,
    tumour_explained,
    8,
    4.2,
    max_display=8,
    plot_size=None,
    group_remaining_features=False,
)
plt.title("Small values (blue) speak for benign", loc="left")
plots.show(
    "Beeswarm of the eight measurements with the largest mean share. In most rows small values (blue) lie on "
    "the right, for benign, and large values (red) on the left."
)

# %% [markdown]
# A *beeswarm*: one dot for each tumour and feature. To the right, the feature spoke for "benign". The colour is the feature's
# value, so a row that is blue on the right and red on the left says: small values speak for benign. ("Worst" is the mean of the three
# largest values in the picture.) The rows are sorted by the mean of $|\phi|$, SHAP's *global importance*.
# Companion 07c links such shares to an older curve, the partial dependence.

# %% [markdown]
# ## 10 · The real thing: your turn
#
# A network trained on ImageNet (1,000 classes) and real photographs. To explain a picture of your own, change the path in the
# first line: a picture file or a folder. About twenty superpixels, 80 questions, the network's first answer, and two seeds.

# %%
from tqdm.auto import tqdm

photos = load_lab("photos", path=None, model="efficientnet_lite0")
shown = range(min(2, len(photos)))
explained_photos = []
for i in tqdm(shown, leave=False):
    cut = superpixels(photos.images[i], 24)
    chances = photos.predict(photos.images[i][None])[0]
    (game,) = pictures.picture_games(photos, photos.images[i], cut, [chances.argmax()])
    runs = [shapley.kernel_shap(game, int(cut.max()) + 1, 80, random_state=seed) for seed in (0, 1)]
    explained_photos.append((chances, runs, cut))

# %% tags=["hide-input"]
labels = [photos.class_names[int(chances.argmax())] for chances, _, _ in explained_photos]
plots.show_maps(
    [photos.images[i] for i in shown],
    {
        f"shares, seed {seed}": np.array([runs[seed][cut] for _, runs, cut in explained_photos])
        for seed in (0, 1)
    },
    labels=labels,
    signed=True,
    width=7,
)
plots.show(
    f"Photographs and the shares of their superpixels with two seeds, for the first answers: {', '.join(labels)}."
)
for i, (chances, runs, _) in zip(shown, explained_photos, strict=True):
    top = ", ".join(f"{photos.class_names[c]} {chances[c]:.2f}" for c in np.argsort(-chances)[:5])
    print(f"{i}: {top}\n   two seeds: sums {runs[0].sum():.2f} and {runs[1].sum():.2f}", end=", ")
    print(
        f"largest share {runs[0].max():.2f}, largest difference {np.abs(runs[1] - runs[0]).max():.2f},",
        end=" ",
    )
    print(f"correlation {np.corrcoef(*runs)[0, 1]:.2f}")

# %% [markdown]
# Every sum is right: what the network says now minus what it says when all is hidden. Still, the two maps of the cat
# disagree: do not read them. (With 320 questions they agree far better.)

# %% [markdown]
# ## 11 · Where it breaks
#
# ### Card 1: compared with what?
#
# Every Shapley value is a comparison with the background. Same flat, same formula, four backgrounds:

# %%
backgrounds = {
    "all flats": flats.table,
    "flats with a park": flats.table[flats.table[:, 0] == 1],
    "flats up to 50 m²": flats.table[flats.table[:, 1] <= 50],
    "one flat: no park, 40 m², 4th floor, cats": np.array([[0.0, 40.0, 4.0, 0.0]]),
}
compared = {
    f"{name} (mean {flats.predict(rows).mean():.0f})": shapley.shapley_values(
        shapley.masking_game(flats.predict, FLAT, rows), 4
    )
    for name, rows in backgrounds.items()
}

# %% tags=["hide-input"]
lesson.show_shares(
    np.array(list(compared.values())),
    list(compared),
    FACTS,
    f"Why does this flat cost {flats.predict(FLAT[None])[0]:.0f}? Compared with …",
    height=2.6,
    decimals=1,
)
plots.show("Shares of one flat for four backgrounds: the sign of the area changes with the background.")

# %% [markdown]
# The area speaks against the flat, or for it. All four rows are exact. Choose the background that your question needs, and
# name it. For pictures the background is whatever hidden superpixels are painted with.
#
# ### Card 2: what if I changed it?
#
# It is tempting to read a share as advice. In a company that we invented (after Dillon and others, 2021), customers who use the product a lot report more bugs, and renew
# their contract more often. Bugs annoy them. Usage was not recorded.

# %%
from sklearn.ensemble import RandomForestRegressor

rng = np.random.default_rng(0)
usage, discount = rng.normal(0, 1, 1500), rng.uniform(0, 1, 1500)
bugs = np.round(np.clip(3 + 1.5 * usage + rng.normal(0, 0.7, 1500), 0, None))


def renewals(usage, bugs, discount):
    """Probability that a customer renews: bugs do harm."""
    return 1 / (1 + np.exp(-(2 * usage - 0.4 * (bugs - 3) + 1.5 * (discount - 0.5))))


renewed = (rng.random(1500) < renewals(usage, bugs, discount)).astype(float)
customers = np.column_stack([bugs, discount])  # what the model may see
forest = RandomForestRegressor(40, min_samples_leaf=30, random_state=0).fit(customers, renewed)
customer_phi = shapley.tree_shap(forest, customers[:400], customers[:60])

# %% tags=["hide-input"]
counts = np.arange(0, 7)
share_at = [customer_phi[customers[:400, 0] == c, 0].mean() for c in counts]
effect = [renewals(usage, c, discount).mean() - renewals(usage, bugs, discount).mean() for c in counts]
figure, ax = plt.subplots(figsize=(7.5, 3))
ax.plot(counts, share_at, "o-", label="mean SHAP value of “bugs reported”")
ax.plot(counts, effect, "s--", label="truth: what happens if everybody has so many bugs")
ax.axhline(0, color=plots.BASELINE, linewidth=0.8)
ax.set(xlabel="bugs reported", ylabel="change of the\nprobability to renew")
ax.legend()
ax.set_title("Shares rise with bugs; renewals would fall", loc="left")
plots.show(
    "Mean share of “bugs reported” rises with the number of bugs; the true effect of giving everybody so many "
    "bugs falls."
)

# %% [markdown]
# The SHAP values are right: the *model* does use bugs as a sign of usage, which it cannot see. They say nothing about what
# would happen in the world if you changed the number of bugs. Only an experiment or a causal model does.

# %% [markdown]
# ## 12 · Play
#
# Change what the coalitions earn (Tab reaches the controls, the arrow keys move them). Make Cem a dummy. Can somebody's share be negative
# although nobody earns less than zero?


# %% tags=["hide-input"]
def play(**earned):
    worths = np.array([0.0, *(earned[key] for key in ("A", "B", "AB", "C", "AC", "BC", "ABC"))])
    _, ax = plt.subplots(figsize=(8, 2.9))
    shares = lesson.orders_plot(worths, ax)
    ax.set(xlabel="euros: what a friend adds in one order (dots), on average (diamond)")
    plots.show(
        "Shares: " + ", ".join(f"{p} {s:.1f}" for p, s in zip(PLAYERS, shares, strict=True)) + " euros."
    )


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
# Four settings as a still picture:

# %% tags=["hide-input"]
settings = {
    "the band": EARNED,
    "Cem is a dummy": (0, 10, 20, 60, 0, 10, 20, 60),
    "only all three together": (0, 0, 0, 0, 0, 0, 0, 90),
    "Cem disturbs": (0, 30, 30, 90, 0, 10, 10, 60),
}
figure, axes = plt.subplots(1, 4, figsize=(10, 2.7), sharey=True, sharex=True)
for ax, (name, worths) in zip(axes, settings.items(), strict=True):
    lesson.orders_plot(np.array(worths, float), ax)
    ax.set_title(name, fontsize=10)
figure.supxlabel("euros", fontsize=10)
plots.show(
    "Four games of three friends: as told; Cem gets 0 as a dummy; all get the same when only the three together "
    "earn; Cem's share is negative when he disturbs."
)

# %% [markdown]
# <details><summary>The paper in ten questions: Lundberg and Lee, 2017</summary>
#
# 1. **Which problem?** Many methods explain single predictions, and nobody knows how they relate or which to prefer.
# 2. **Is it new?** Shapley values had explained predictions before (Lipovetsky and Conklin, 2001; Štrumbelj and Kononenko, 2010). New are the common form, the theorem about it, and the kernel.
# 3. **Which hypothesis?** The fair split is also the explanation that people find natural.
# 4. **Related work, and who?** LIME, DeepLIFT, layer-wise relevance propagation, three Shapley methods. University of Washington.
# 5. **The key idea?** One form for all methods; wishes that single out one solution; a regression that estimates it for any model.
# 6. **Which experiments?** Evaluations that KernelSHAP needs beside Shapley sampling and LIME; people who split payments in stories; MNIST digits.
# 7. **Data and code?** Decision trees, stories, MNIST; the `shap` package is public.
# 8. **Do the results support it?** Theorem 1 lacks symmetry (section 3) and is true with it. That a marginal average replaces the conditional one is said in one line, and decides what the values mean (section 5). The studies with people are small.
# 9. **What did it contribute?** A common language, and the most used package for explanations.
# 10. **What next?** TreeSHAP (2018, 2020), conditional values (Aas and others, 2021), causal variants, and critics: is the game's question yours (Kumar and others, 2020)?
#
# </details>

# %% [markdown]
# ## 13 · Recap
#
# - The Shapley value is the average of what a player adds over all orders of arrival. Efficiency, symmetry, dummy and additivity leave no other rule. Without symmetry other rules remain.
# - A prediction becomes a game once you say what "absent" means: marginal or conditional, and against which background.
# - KernelSHAP is a weighted regression with both ends fixed. A sum that adds up proves nothing about the single shares.
# - A share is not the change if the feature were removed, and no advice. Shares explain a model, not the world.
#
# **Companions.** [07b · Pictures and texts](07b_shap_pictures_texts.ipynb): SHAP beside LIME and simpler rivals, scored against the truth;
# words as players; logits or probabilities; a default that surprises. [07c · Trees, shortcuts, interactions](07c_shap_trees.ipynb): why only
# one rule is left; closed forms, TreeSHAP, DeepSHAP; a third reading of "absent"; which interaction. Later [15b · A rule that behaves when it is asked](15b_fairwashed.ipynb) builds
# a model that notices when SHAP asks.
#
# **References**
# - [Lundberg and Lee, 2017: A unified approach to interpreting model predictions](https://arxiv.org/abs/1705.07874)
# - [Shapley, 1953: A value for n-person games](https://doi.org/10.1515/9781400881970-018)
# - [Young, 1985: Monotonic solutions of cooperative games](https://doi.org/10.1007/BF01769885)
# - [Fisher, 2020: The uniqueness of SHAP depends on how you handle external information](https://aaronjfisher.github.io/SHAP-Symmetry.html)
# - [Štrumbelj and Kononenko, 2014: Explaining prediction models and individual predictions with feature contributions](https://doi.org/10.1007/s10115-013-0679-x)
# - [Janzing, Minorics and Blöbaum, 2020: Feature relevance quantification in explainable AI: a causal problem](https://arxiv.org/abs/1910.13413)
# - [Aas, Jullum and Løland, 2021: Explaining individual predictions when features are dependent](https://arxiv.org/abs/1903.10464)
# - [Kumar and others, 2020: Problems with Shapley-value-based explanations as feature importance measures](https://arxiv.org/abs/2002.11097)
# - [Dillon and others, 2021: Be careful when interpreting predictive models in search of causal insights](https://shap.readthedocs.io/en/latest/overviews.html)
# - [Mitchell and others, 2022: Sampling permutations for Shapley value estimation](https://arxiv.org/abs/2104.12199)
