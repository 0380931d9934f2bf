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
# # 07c · SHAP: one rule, fast shortcuts, trees and interactions
#
# **The question.** Why is no other rule left, how do libraries compute Shapley values fast, and where do they surprise?
#
# This companion of [07 · SHAP](07_shap.ipynb) adds the proof of uniqueness, closed forms and gradients, the link to partial dependence, importance in
# trees, interaction values, two surprises of `shap.TreeExplainer`, and a card about columns that say the same.
#
# **After this lesson you can**
# - compute Shapley values from bonuses, without any order of arrival;
# - choose a shortcut for a linear model, a tree or a network, and know its error;
# - read a dependence plot, and see interactions in it;
# - say why the gain of a tree, and the default of a library, can depend on chance;
# - tell two interaction indices apart, although both add up.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [07 · SHAP](07_shap.ipynb), sections 2 to 5.

# %%
from itertools import combinations, product
from math import comb

import matplotlib.pyplot as plt
import numpy as np

from course_utils import judge
from course_utils.exercises import l07_shap as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l07_shap as lesson
from course_utils.methods import dependence, shapley
from course_utils.teach import plots
from course_utils.teach.superpixels import look_up

# %% [markdown]
# ## 1 · Only one rule is left
#
# Lesson 07 asks a fair rule for efficiency, symmetry, dummy and additivity. Here is why these four leave no choice. Any game can be taken apart into
# bonuses: $d_T$ is what the coalition $T$ earns *on top of* everything that its smaller groups earn already (its *dividend*). A game that pays $d_T$ as soon as
# all of $T$ are present is easy to split: everybody outside $T$ is a dummy and gets nothing; inside $T$ all are symmetric; and by efficiency they share $d_T$
# equally. Additivity puts the pieces together:
#
# $$d_T = v(T) - \sum_{R \subsetneq T} d_R, \qquad \phi_i = \sum_{T \ni i} \frac{d_T}{|T|} .$$
#
# Every step was forced, so no other rule has all four properties. The band of lesson 07:

# %%
dividends = np.zeros(8)
for code in range(1, 8):  # a smaller group has a smaller number, so it is done already
    dividends[code] = lesson.EARNED[code] - sum(dividends[r] for r in range(1, code) if r & code == r)
forced = np.zeros(3)
for code in np.flatnonzero(dividends):
    members = [bit for bit in range(3) if code >> bit & 1]
    forced[members] += dividends[code] / len(members)
    names = " + ".join(lesson.PLAYERS[m] for m in members)
    print(f"{names:<12} bonus {dividends[code]:>3.0f} €")
print("bonuses shared equally:", forced.round(2))
print("Shapley's formula:     ", shapley.shapley_values(look_up(lesson.EARNED), 3).round(2))

# %% [markdown]
# ### Exercise: exact Shapley values
#
# Write this for any game. `worths` (2ⁿ,) is the table of all worths; bit $i$ of a coalition's number says whether player $i$ is in it. Careful: the empty
# coalition may earn something, too. Its dividend is its worth.


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
# ## 2 · Shortcuts for special models
#
# $2^n$ coalitions are no problem while a game is cheap. Twenty players are about a million coalitions; $v(S) = (\sum_{i \in S} a_i)^2$ has a known answer,
# $\phi_i = a_i \sum_j a_j$:

# %%
a = np.random.default_rng(0).random(20)
of_20 = shapley.shapley_values(lambda masks: (masks @ a) ** 2, 20)
print(f"{2**20:,} coalitions, equal to the known answer: {np.allclose(of_20, a * a.sum(), atol=1e-9)}")

# %% [markdown]
# A model that costs something needs sampling (lesson 07, section 7), or a shortcut:
# - **Linear models**, $f(x) = b + \sum_i w_i x_i$: each feature adds the same to every coalition, so $\phi_i = w_i (x_i - \text{mean of } z_i)$, with background rows $z$. No questions at all.
# - **Trees** (TreeSHAP): a leaf is a small game of its own, with only the features on its path as players. Forests are sums of leaves, and additivity does the rest. Exact and fast.
# - **Networks**: *GradientSHAP* averages $(x_i - z_i)\,\partial f/\partial x_i$ at random points between $x$ and background rows. *DeepSHAP* pushes differences from the background through the layers. Both add up (GradientSHAP on average), and in general neither is exact when features act together.
#
# To compare them we need games that all can play. The model: a small network that predicts the course of diabetes from ten measurements. We copy its
# weights to PyTorch, so that it has gradients. The closed form needs a linear model and TreeSHAP needs trees, so they explain *stand-ins* that were fitted to the
# network's own answers. Exact on the stand-in, they carry its error.

# %% tags=["hide-input"]
import warnings

import torch
from captum.attr import DeepLiftShap
from torch import nn

patients = load_lab("tabular", table="diabetes", model="network")
training = patients.table[~patients.unseen]
background = training[:50]
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


def by_deep(patient):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum says that it hangs hooks into the network
        deep = DeepLiftShap(network).attribute(torch.tensor(patient)[None], torch.tensor(background))
    return deep.detach().numpy()[0]


def by_gradient(patient, draws=800):
    start, ends = (torch.tensor(v).reshape(-1, 10, 1, 1) for v in (patient, background))  # as pictures
    return shapley.gradient_shap(network, start, 0, ends, draws).numpy().ravel()


# %% [markdown]
# **Predict**: which of the shortcuts comes closest to the exact values? Twelve patients that the network has not seen, all ten measurements as players,
# exact values by enumeration.

# %%
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

answers = patients.predict(training)
line = LinearRegression().fit(training, answers)
forest = RandomForestRegressor(30, min_samples_leaf=5, random_state=0).fit(training, answers)


def game_of(patient):
    return shapley.masking_game(patients.predict, patient, background)


shortcuts = {
    "linear, stand-in": lambda patient: shapley.linear_shap(line.coef_, patient, background),
    "TreeSHAP, stand-in": lambda patient: shapley.tree_shap(forest, patient, background),
    "DeepSHAP": by_deep,
    "GradientSHAP, 800 draws": by_gradient,
    "GradientSHAP, 5,000 draws": lambda patient: by_gradient(patient, 5_000),
    "KernelSHAP, 2 questions a player": lambda patient: shapley.kernel_shap(game_of(patient), 10, 20),
    "KernelSHAP, 8 questions a player": lambda patient: shapley.kernel_shap(game_of(patient), 10, 80),
}

# %%
unseen = patients.table[patients.unseen]
errors, from_deep = {name: [] for name in shortcuts}, {}
for patient in unseen[:12]:
    truth, found = shapley.shapley_values(game_of(patient), 10), {}
    for name, method in shortcuts.items():
        found[name] = method(patient)
        errors[name].append(lesson.worst(found[name], truth))
    for name in [name for name in found if "Gradient" in name]:
        from_deep.setdefault(name, []).append(lesson.worst(found[name], found["DeepSHAP"]))

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 3))
for row, values in enumerate(errors.values()):
    ax.plot(values, np.full(12, row), "o", color=plots.ACCENT, alpha=0.4)
    ax.plot(np.median(values), row, "D", color=plots.ACCENT, markeredgecolor="black", markersize=8)
ax.set_yticks(range(len(errors)), list(errors))
ax.invert_yaxis()
ax.set(xscale="log", xlabel="largest error / largest value (a dot a patient, a diamond the median)")
ax.set_title("Stand-ins are far off; more draws do not make GradientSHAP exact", loc="left")
plots.show(
    "Median error of each method: " + ", ".join(f"{name} {np.median(v):.2f}" for name, v in errors.items())
)
for name, values in errors.items():
    print(f"{name:<34} median {np.median(values):.3f}, worst patient {max(values):.2f}")
for name, values in from_deep.items():
    print(f"{name:<34} median distance from DeepSHAP {np.median(values):.3f}")
fits = {
    "linear": line.score(unseen, patients.predict(unseen)),
    "forest": forest.score(unseen, patients.predict(unseen)),
}
print(
    "R² of the stand-ins on the network's answers, unseen patients:",
    {k: round(v, 2) for k, v in fits.items()},
)

# %% [markdown]
# The stand-ins are exact *for the stand-in*, and both are far off, although they answer nearly as the network does ($R^2$ in the last line): **models with similar
# answers need not have similar shares.** DeepSHAP and GradientSHAP come close, but not to the exact values: they share what features do together in another way. More
# draws do not help. In a network with one hidden layer, as here, they only bring GradientSHAP to DeepSHAP's numbers. KernelSHAP gets as exact as you pay for. It costs
# 50 rows a question here, one for each background row.

# %% tags=["hide-input"]
import shap

patient = patients.table[patients.unseen][0]
line_by_shap = shap.LinearExplainer(line, background).shap_values(patient[None])[0]
forest_by_shap = shap.TreeExplainer(forest).shap_values(patient[None])[0]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    deep_by_shap = shap.DeepExplainer(network, torch.tensor(background)).shap_values(
        torch.tensor(patient)[None]
    )
path = shapley.tree_shap(forest, patient, method="path_dependent")
small = shapley.tree_shap(forest, patient, background[:8])
by_counting = shapley.shapley_values(shapley.masking_game(forest.predict, patient, background[:8]), 10)
ours = shapley.linear_shap(line.coef_, patient, background)

# %% tags=["nbval-check-output"]
judge.agreement_table(
    [
        ("shap LinearExplainer", ours, line_by_shap, "marginal"),
        ("shap TreeExplainer", path, forest_by_shap, "path-dependent"),
        ("enumeration of a forest", small, by_counting, "interventional"),
        ("captum / shap DeepSHAP", by_deep(patient), deep_by_shap.ravel(), "each other; both add up"),
    ]
)

# %% [markdown]
# `shap` has another picture for one explanation, the *force plot*: red pushes the prediction up from the left, blue pushes it down from the right, and
# both colours end at the prediction. In our manner, for the flat of lesson 07:

# %% tags=["hide-input"]
flats = load_lab("tabular", table="apartments")
lesson.force_bar(flats.targets.mean(), flats.exact(lesson.FLAT)[0], lesson.FACTS, "thousand euros")
plots.show(
    "A bar with the prediction where red and blue meet: park in red on the left, area and cats in blue."
)

# %% [markdown]
# ### A sum of curves, and an older curve
#
# A *[partial dependence](glossary.md#partial-dependence) curve* answers: if *everybody* had this value in the column, what would the model say on average? Set the column
# to a value in all background rows, and take the mean answer. Now take a model that is a **sum of one function for each column**,
# $f(x) = \sum_j f_j(x_j)$. As in a linear model, each column adds the same to every coalition, so with $K$ background rows
#
# $$\phi_j(x) = f_j(x_j) - \frac1K \sum_k f_j(z^{(k)}_j) .$$
#
# That *is* the partial dependence curve, minus its mean. For a column that acts together with others it is in general not. We fit both kinds to one table:
# the course of diabetes from body mass, blood pressure and a blood value. Sixty patients are explained; they are the background, too.

# %%
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer

columns = [patients.feature_names.index(name) for name in ("bmi", "bp", "s5")]
three, people, curve_phi = patients.table[:, columns], patients.table[:60, columns], {}
curve_models = {
    "a sum of curves": make_pipeline(SplineTransformer(5), LinearRegression()),
    "a forest": RandomForestRegressor(50, min_samples_leaf=10, random_state=0),
}
for name, model in curve_models.items():
    model.fit(three, patients.targets)
    worths = [shapley.masking_game(model.predict, person, people) for person in people]
    curve_phi[name] = np.array([shapley.shapley_values(game, 3) for game in worths])

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.3), sharey=True)
distance = {}
for ax, (name, model) in zip(axes, curve_models.items(), strict=True):
    mean_at = dependence.partial_dependence(model.predict, people, 0, people[:, 0])
    mean_at -= mean_at.mean()
    distance[name] = np.abs(curve_phi[name][:, 0] - mean_at).max()
    order = people[:, 0].argsort()
    curve = {"color": plots.BASELINE, "linewidth": 2, "label": "partial dependence − mean"}
    ax.plot(people[order, 0], mean_at[order], **curve)
    ax.plot(people[:, 0], curve_phi[name][:, 0], "o", alpha=0.6, label="SHAP values of 60 patients")
    ax.set_title(f"{name}: largest distance {distance[name]:.1f}", loc="left")
    ax.set_xlabel("body mass index (standardised)")
axes[0].set_ylabel("share of body mass")
axes[0].legend(fontsize=9)
plots.show(
    "Share of body mass against body mass. Left, a sum of curves: all dots lie on the partial dependence curve. "
    f"Right, a forest: the dots lie up to {distance['a forest']:.0f} above or below it."
)

# %% [markdown]
# Left, every dot lies on the curve. Right, dots at one body mass have different heights, because the forest lets the other
# columns change the effect. **In such a *dependence plot* of exact shares, vertical spread at one value is interaction.** (Sampled shares spread by chance, too.)

# %% [markdown]
# ## 3 · Trees: does importance follow the model?
#
# The importance that scikit-learn, XGBoost and others print for a tree counts *splits*, or adds up how much the splits improve the fit (*gain*). The SHAP
# papers for trees (2018, 2020) show with two small models why the gain is no good measure. Both predict a risk score from two symptoms, each present in half of
# the patients:
# - model A: 80 if fever **and** cough;
# - model B: the same, **plus 10 for cough**.
#
# B uses cough more than A does, for every patient. So cough must be at least as important in B. **Predict**: does the gain of cough rise from A to B? scikit-learn fits
# both tables exactly. For A two trees fit equally well. As in the papers, we take the one that asks about fever first.

# %%
from sklearn.tree import DecisionTreeRegressor, plot_tree

SYMPTOMS = ["fever", "cough"]
four = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
risk = {"A": 80 * four.prod(axis=1)}
risk["B"] = risk["A"] + 10 * four[:, 1]


def fitted(values, first_split):
    """A tree that fits the table, and asks about `first_split` first."""
    trees = (DecisionTreeRegressor(random_state=s).fit(four, values) for s in range(50))
    return next(tree for tree in trees if tree.tree_.feature[0] == first_split)


trees = {"A": fitted(risk["A"], 0), "B": fitted(risk["B"], 1), "A, cough first": fitted(risk["A"], 1)}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for ax, name in zip(axes, "AB", strict=True):
    plot_tree(trees[name], feature_names=SYMPTOMS, impurity=False, ax=ax, fontsize=9, rounded=True)
    ax.set_title(f"Model {name}: {SYMPTOMS[trees[name].tree_.feature[0]]} first")
plots.show("Two decision trees. A asks about fever first, B about cough first.")


# %%
def along_the_path(tree, row):
    """Saabas: walk from the root to the leaf; each change of the mean goes to the feature that was asked."""
    node, shares = 0, np.zeros(2)
    while tree.children_left[node] != -1:
        feature = tree.feature[node]
        left = row[feature] <= tree.threshold[node]
        child = (tree.children_left if left else tree.children_right)[node]
        shares[feature] += tree.value[child, 0, 0] - tree.value[node, 0, 0]
        node = child
    return shares


measures = {
    "number of splits": lambda t: np.bincount(t.tree_.feature[t.tree_.feature >= 0], minlength=2),
    "gain (scikit-learn), per cent": lambda t: 100 * t.feature_importances_,
    "path, a patient with both": lambda t: along_the_path(t.tree_, four[3]),
    "SHAP, a patient with both": lambda t: shapley.tree_shap(t, four[3], four),
    "mean |SHAP|": lambda t: np.abs(shapley.tree_shap(t, four, four)).mean(axis=0),
}

# %% tags=["hide-input"]
print(f"{'cough in …':<31}" + "".join(f"{name:>16}" for name in trees))
for name, measure in measures.items():
    print(f"{name:<31}" + "".join(f"{measure(tree)[1]:>16.1f}" for tree in trees.values()))

# %% [markdown]
# Compare A with B. The gain of cough *falls*, because B's tree asks about it first, while fever is still unknown and cough alone explains less. The walk along the path (a
# popular explanation before TreeSHAP) falls as well. The number of splits does not see the extra 10. The Shapley value rises by exactly the half of 10 that the average patient
# does not have.
#
# The last column is the same model A with the other tree: gain and path now rise to B. So these two measures depend on which of two equal trees was grown; the Shapley values, marginal ones, do not.
#
# Does it matter on a real forest? The tumours of lesson 07: gain beside mean $|\phi|$, both as shares of their sums.

# %%
tumours = load_lab("tabular", table="breast_cancer")
BENIGN = tumours.class_names.index("benign")
tumour_background = tumours.table[~tumours.unseen][:100]
tumour_phi = shapley.tree_shap(tumours.model, tumours.table[tumours.unseen], tumour_background, target=BENIGN)
mean_phi, gain = np.abs(tumour_phi).mean(axis=0), tumours.model.feature_importances_

# %% tags=["hide-input"]
strongest = np.argsort(-mean_phi)[:8]
figure, ax = plt.subplots(figsize=(8, 3.2))
ax.barh(np.arange(8) - 0.2, (mean_phi / mean_phi.sum())[strongest], 0.4, label="mean |SHAP|")
ax.barh(np.arange(8) + 0.2, gain[strongest], 0.4, label="gain", color="#d55e00")
ax.set_yticks(range(8), [tumours.feature_names[j] for j in strongest])
ax.invert_yaxis()
ax.set_xlabel("share of the importance")
ax.legend()
ax.set_title("The same forest: two similar rankings", loc="left")
ratio = (mean_phi / mean_phi.sum() / gain)[strongest]
plots.show(
    f"Bars of eight measurements: mean |SHAP| is {ratio.min():.1f} to {ratio.max():.1f} times the gain; the order is similar."
)
ranks = [values.argsort().argsort() for values in (mean_phi, gain)]
print(f"rank correlation over all 30 measurements: {np.corrcoef(ranks)[0, 1]:.2f}")
print(f"mean |SHAP| is {ratio.min():.1f} to {ratio.max():.1f} times the gain in these eight")

# %% [markdown]
# On this forest the two rankings are similar, although single bars differ by a factor of two. The counter-example shows what *can* happen, not that it always does.

# %% [markdown]
# ## 4 · Which interaction?
#
# How much do two features earn *together*? The **Shapley interaction values** split $\phi_i$ into a main effect $\Phi_{ii}$ and one half of the
# interaction with each other feature:
#
# $$\Phi_{ij} = \sum_{S \subseteq N \setminus \{i, j\}} \frac{|S|!\,(n-|S|-2)!}{2\,(n-1)!} \big(v(S \cup ij) - v(S \cup i) - v(S \cup j) + v(S)\big), \qquad \Phi_{ii} = \phi_i - \sum_{j \ne i} \Phi_{ij} .$$
#
# Each row adds up to the Shapley value. For the flat of lesson 07: park and area share $0.5 \cdot (50 - 65) \cdot (1 - 0.5) = -3.75$, half for each.

# %%
town = load_lab("tabular", table="apartments")
flat_game = shapley.masking_game(town.predict, lesson.FLAT, town.table)
pairs = shapley.shapley_interactions(flat_game, 4)

# %% tags=["hide-input"]
lesson.show_shares(
    pairs, lesson.FACTS, lesson.FACTS, "Shapley interaction values of the flat (thousand euros)", height=2.8
)
plots.show(
    f"A 4 × 4 table; off the diagonal only park with area is not zero: {pairs[0, 1]:.3f} in each cell."
)

# %% [markdown]
# ### Exercise: find the bug
#
# This function should return $\Phi_{ij}$ for $i \ne j$. It computes what `shap`'s exact explainer computes with `interactions=True`. Change the one line that is not what the
# formula says.

# %% exercise="interaction"


def interaction(worths, n, i, j):
    """Φ_ij from the worths (2**n,) of all coalitions; bit k of the number: player k is in it."""
    # BEGIN STUB
    # total = 0.0
    # for c in range(2**n):
    #     if not (c >> i & 1 or c >> j & 1):
    #         one, other, both = c | 1 << i, c | 1 << j, c | 1 << i | 1 << j
    #         weight = 1 / (n * comb(n - 1, c.bit_count()))
    #         total += weight * (worths[both] - worths[one] - worths[other] + worths[c])
    # return total
    # END STUB
    # BEGIN SOLUTION
    total = 0.0
    for c in range(2**n):
        if not (c >> i & 1 or c >> j & 1):
            one, other, both = c | 1 << i, c | 1 << j, c | 1 << i | 1 << j
            weight = 1 / (2 * (n - 1) * comb(n - 2, c.bit_count()))  # |S|! (n − |S| − 2)! / (2 (n − 1)!)
            total += weight * (worths[both] - worths[one] - worths[other] + worths[c])
    return total
    # END SOLUTION


# %%
exercises.interaction.check(interaction)

# %% [markdown]
# What the faulty line computes is an index of its own, **Shapley–Taylor**. Here are both beside `shap`, for a random game of five players:


# %% tags=["hide-input"]
def taylor(worths, n):
    """Shapley–Taylor: alone on the diagonal; pairs with weights that prefer small coalitions."""
    phi = np.diag(worths[1 << np.arange(n)] - worths[0])
    for i, j in combinations(range(n), 2):
        for c in range(2**n):
            if not (c >> i & 1 or c >> j & 1):
                one, other, both = c | 1 << i, c | 1 << j, c | 1 << i | 1 << j
                delta = worths[both] - worths[one] - worths[other] + worths[c]
                phi[i, j] += delta / (n * comb(n - 1, c.bit_count()))
        phi[j, i] = phi[i, j]
    return phi


# %% tags=["hide-input"]
import shap

random_worths = np.append(0, np.random.default_rng(4).uniform(0, 10, 31))
five = look_up(random_worths)
explainer = shap.explainers.Exact(lambda masks: five(np.asarray(masks).astype(int)), np.zeros((1, 5)))
from_shap = explainer(np.ones((1, 5)), interactions=True).values[0]
values, of_pairs = shapley.shapley_values(five, 5), shapley.shapley_interactions(five, 5)

# %% tags=["nbval-check-output"]
judge.agreement_table(
    [
        ("shap Exact, interactions=True", of_pairs, from_shap, "Shapley interaction values: no"),
        ("shap Exact, interactions=True", taylor(random_worths, 5), from_shap, "Shapley–Taylor: yes"),
        ("rows add up, ours", of_pairs.sum(axis=1), values, "Shapley values"),
        ("rows add up, shap's", from_shap.sum(axis=1), values, "Shapley values, too"),
    ]
)

# %% [markdown]
# Both are sound definitions, and they agree when no three players act together (as for the flat). But they are not the same: they disagree about how much of a row a
# player earns *alone* (the diagonal) and how much *together*. The rows of both add up, so the sum does not tell you which one you hold.

# %% [markdown]
# ## 5 · Two surprises of `shap.TreeExplainer`
#
# ### A third reading of "absent"
#
# Lesson 07 knows two readings: marginal and conditional. `shap.TreeExplainer` without background rows is *path-dependent*: at a split on an absent
# feature it goes both ways, weighted with how many training rows went each way. Here is a tree that gives the right price
# (with the park in it) for every flat of the town where parks lie beside large flats:

# %%
place = load_lab("tabular", table="apartments_correlated")
FLAT = lesson.FLAT
tree = DecisionTreeRegressor(random_state=0).fit(place.table, place.predict(place.table))
print("equal on every flat:", np.allclose(tree.predict(place.table), place.predict(place.table)))
conditional = shapley.conditional_game(place.predict, FLAT, place.table)
four_readings = {
    "tree, marginal": shapley.tree_shap(tree, FLAT, place.table),
    "tree, path-dependent (the default)": shap.TreeExplainer(tree).shap_values(FLAT[None])[0],
    "conditional": shapley.shapley_values(conditional, 4),
    "formula, marginal": place.exact(FLAT)[0],
}

# %% tags=["hide-input"]
for name, values in four_readings.items():
    print(f"{name:<36}" + "".join(f"{f} {v:7.2f}   " for f, v in zip(lesson.FACTS[:2], values, strict=False)))

# %% [markdown]
# No two rows agree. The path-dependent row is neither the marginal nor the conditional one. And compare the
# first row with the last: tree and formula agree on all flats that exist, but the marginal reading also asks about flats that do
# not.
#
# Now model A of section 3 again, in a clinic where the two symptoms mostly come together, as two trees with the same answer to every patient:

# %%
clinic = np.repeat(four, [8, 2, 2, 8], axis=0)  # 16 of 20 patients have both symptoms or none
for s in range(50):
    tree = DecisionTreeRegressor(random_state=s).fit(clinic, 80 * clinic.prod(axis=1))
    trees[SYMPTOMS[tree.tree_.feature[0]] + " first"] = tree
for name in ("fever first", "cough first"):
    values = shap.TreeExplainer(trees[name]).shap_values(four[3:])[0]
    marginal = shapley.tree_shap(trees[name], four[3], clinic)
    print(f"{name}: path-dependent fever {values[0]:.0f}, cough {values[1]:.0f};", end=" ")
    print(f"marginal fever {marginal[0]:.0f}, cough {marginal[1]:.0f}")

# %% [markdown]
# The model treats both symptoms alike. The default pays the symptom that the tree asks about *first* three times as much as the other, and which one that is, is chance; the
# marginal values are equal. Say which reading you show, and pass the background.
#
# ### Next to a threshold
#
# TreeSHAP is exact. Its fast marginal version in `shap` 0.51 stores the thresholds of the splits in *single* precision (about seven digits). Harmless, as long as no value in the table falls
# on the rounding. Take a tree on numbers with one decimal, and the same table times ten, in whole numbers. Below, the largest distance from enumeration:

# %%
draw = np.random.default_rng(0)
tenths = np.round(draw.random((60, 2)), 1)
outcome = tenths[:, 0] * tenths[:, 1] + draw.normal(0, 0.1, 60)
checked = {}
for name, numbers in (("tenths", tenths), ("whole numbers", np.round(10 * tenths))):
    tree, base = DecisionTreeRegressor(max_depth=4, random_state=0).fit(numbers, outcome), numbers[:20]
    games = [shapley.masking_game(tree.predict, row, base) for row in numbers]
    truth = np.stack([shapley.shapley_values(game, 2) for game in games])
    fast = shap.TreeExplainer(tree, base, feature_perturbation="interventional").shap_values(numbers)
    ours = np.abs(shapley.tree_shap(tree, numbers, base) - truth).max()
    off = np.abs(fast - truth).max(axis=1)
    checked[name] = (numbers, tree.tree_.threshold[tree.tree_.feature >= 0], ours, off)

# %% tags=["hide-input"]
for name, (numbers, thresholds, ours, off) in checked.items():
    print(f"{name:<14} shap {off.max():.3f} ({(off > 1e-6).sum()} of 60 rows), ours {ours:.3f}")
    for value, at in product(np.unique(numbers), thresholds):
        if np.float64(np.float32(value)) > at and np.float32(value) <= np.float32(at):
            print(f"   a threshold {at:.11f}, in single precision {np.float32(at):.11f}; so is {value}")

# %% [markdown]
# How, if thresholds lie *between* values? In one branch the values 0.2 and 0.4 occur, but not 0.3, so the tree splits in the middle: where other rows have their 0.3. scikit-learn rounds
# the *value* to single precision, finds it above the threshold, and goes right. `shap` rounds the threshold as well. Now both are the same number, and the value goes left. The shares still add
# up: only a comparison with enumeration shows the error.

# %% [markdown]
# ## 6 · Where it breaks: columns that say the same
#
# Two models predict the area of a tumour from its radius, its perimeter and its texture. Radius and perimeter are nearly the same measurement. Both models are linear, so the shares are exact. *Ridge*
# regression keeps the squares of the coefficients small: it is cheapest to divide an effect between two equal columns. The *lasso* keeps their absolute values small: every division
# costs the same, so small differences decide.

# %%
from sklearn.linear_model import Lasso, Ridge

columns = [tumours.feature_names.index(f"mean {name}") for name in ("radius", "perimeter", "texture", "area")]
standard = (tumours.table - tumours.table.mean(axis=0)) / tumours.table.std(axis=0)
X, y = standard[:, columns[:3]], standard[:, columns[3]]
large = X[np.argmax(X[:, 0])]
models = {"ridge": Ridge(alpha=10).fit(X, y), "lasso": Lasso(alpha=0.02).fit(X, y)}
shares = np.array([shapley.linear_shap(model.coef_, large, X) for model in models.values()])

# %% tags=["hide-input"]
lesson.show_shares(
    shares,
    [f"{name} (R² {model.score(X, y):.2f})" for name, model in models.items()],
    ["radius", "perimeter", "texture"],
    "The largest tumour: ridge divides the credit evenly, the lasso does not",
    height=1.8,
)
plots.show(
    "Shares of radius, perimeter and texture: ridge divides the credit, lasso gives most of it to the radius."
)
pair = shares[:, :2].sum(axis=1)
print(f"radius and perimeter together: ridge {pair[0]:.2f}, lasso {pair[1]:.2f}")
together = np.corrcoef(*(model.predict(X) for model in models.values()))[0, 1]
print(f"correlation of the predictions {together:.3f}, of radius and perimeter {np.corrcoef(X.T)[0, 1]:.3f}")

# %% [markdown]
# The predictions are practically the same, the credit is not. On random halves of these tumours ridge always gave each of the two about half, the lasso gave the radius 44 to 73 %. What
# the two get *together* hardly changes. So a small share does not mean that the *quantity* does not matter. Add up the shares of such columns, or make them one player (the exercise `worth` of
# lesson 07).

# %% [markdown]
# ## 7 · Recap
#
# - Share every bonus equally: that is the only rule with all four wishes.
# - Use the closed form for linear models and TreeSHAP for trees. A stand-in with similar answers need not have similar shares. DeepSHAP and GradientSHAP come close on our network, and are not exact.
# - In a model that is a sum of curves, SHAP values are the partial dependence curves minus their means.
# - Gain, path and path-dependent SHAP values depend on which of two equal trees was grown; marginal SHAP values do not.
# - Two interaction indices have the same row sums, and "absent" has three readings. Name yours.
# - Compare a fast program with enumeration on a small case.
#
# **References**
# - [Lundberg, Erion and Lee, 2018: Consistent individualized feature attribution for tree ensembles](https://arxiv.org/abs/1802.03888)
# - [Lundberg and others, 2020: From local explanations to global understanding with explainable AI for trees](https://arxiv.org/abs/1905.04610)
# - [Dhamdhere, Agarwal and Sundararajan, 2020: The Shapley–Taylor interaction index](https://arxiv.org/abs/1902.05622)
# - [Erion and others, 2021: Improving performance of deep learning models with axiomatic attribution priors and expected gradients](https://arxiv.org/abs/1906.10670)
