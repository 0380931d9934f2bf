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
# # 06c · LIME: tables, examples to look at, stability
#
# This companion of [06 · LIME](06_lime.ipynb) adds tables, the choice of examples (SP-LIME), indices of stability, and the width of the kernel.
#
# **The question.** What does a coefficient mean when a part cannot be switched off, and when has an explanation settled?
#
# **After this companion you can**
# - write LIME for a table in eight lines, and read its two variants;
# - see why columns that belong together are a problem;
# - choose a few examples that cover what a model uses;
# - write VSI, read VSI and CSI, and say what a narrow kernel costs.
#
# **Time**: about <!-- minutes --> minutes. **Before**: lesson 06, sections 2, 3 and 6.
#
# The table: 569 tumours with 30 measurements each, from scikit-learn. The model: a *random forest*, many decision trees that vote. We explain a tumour that it has not seen, and about which it is not sure.

# %%
import matplotlib.pyplot as plt
import numpy as np

from course_utils import judge
from course_utils.exercises import l06_lime as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l06_lime as lesson
from course_utils.methods import lime
from course_utils.teach import plots
from course_utils.teach.superpixels import network_answers, superpixels

# %%
tumours = load_lab("tabular", table="breast_cancer")
BENIGN = tumours.class_names.index("benign")
training, columns = tumours.table[~tumours.unseen], list(tumours.feature_names)
unseen = np.flatnonzero(tumours.unseen)
p_benign = tumours.predict(tumours.table[unseen])[:, BENIGN]
row = tumours.table[unseen[np.abs(p_benign - 0.6).argmin()]]
right = (p_benign > 0.5) == (tumours.targets[unseen] == BENIGN)
print(f"forest: {right.mean():.0%} of {len(unseen)} unseen tumours right")
print(f"our tumour: benign with probability {tumours.predict(row[None])[0, BENIGN]:.2f}")

# %% [markdown]
# ## 1 · Tables
#
# A column of a table cannot be switched off. LIME draws other values instead, column by column, as they are distributed in the training table. Two variants:
#
# - **continuous**: values from a normal distribution; the coefficient says how much one *standard deviation* more would change the answer;
# - **discretised** (the package's default): the column is cut into quarters; the switch is 1 if the drawn value falls into the same quarter as ours. The coefficient says what being in this quarter adds, compared with the others.
#
# By hand, the continuous variant is eight lines. Draw, un-standardise, ask, weigh, fit:

# %%
mean, deviation = training.mean(axis=0), training.std(axis=0)
rows = np.random.RandomState(0).normal(0, 1, (2000, len(row))) * deviation + mean
rows[0] = row
standardised = (rows - mean) / deviation  # what the surrogate sees
answers = tumours.predict(rows)[:, BENIGN]
distances = np.linalg.norm(standardised - standardised[0], axis=1)
kernel = lime.exponential_kernel(distances, 0.75 * np.sqrt(len(row)))
by_hand = lime.fit_surrogate(standardised, answers, kernel, k=6)
print(f"the nearest drawn row is {distances[1:].min():.1f} standard deviations away from our tumour")

# %% [markdown]
# With 30 columns no drawn row is close: the same happens as with many superpixels. Now the proof for both variants:

# %%
from lime.lime_tabular import LimeTabularExplainer

variants, package_w = {}, {}
for name, discretize in (("discretised", True), ("continuous", False)):
    variants[name] = lime.lime_tabular(
        tumours.predict, row, training, BENIGN, 2000, k=6, discretize=discretize, names=columns
    )
    explainer = LimeTabularExplainer(training, discretize_continuous=discretize, random_state=0)
    found = explainer.explain_instance(
        row, tumours.predict, labels=(BENIGN,), num_features=6, num_samples=2000
    )
    package_w[name] = np.zeros(len(columns))
    for j, value in found.local_exp[BENIGN]:
        package_w[name][j] = value

# %% tags=["nbval-check-output"]
judge.agreement_table(
    [
        ("by hand, continuous", variants["continuous"].coefficients, by_hand.coefficients, "the same"),
        *((f"lime 0.2, {n}", variants[n].coefficients, package_w[n], "same seed") for n in variants),
    ]
)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 2.7))
for ax, (name, fitted) in zip(axes, variants.items(), strict=True):
    lesson.show_bars(ax, fitted.top(6), f"{name}, R² = {fitted.r2:.2f}")
axes[0].set_xlabel("change of P(benign)\nif in this quarter")
axes[1].set_xlabel("change of P(benign)\nper standard deviation")
plots.show(
    "Bars of six columns each for the discretised and the continuous variant of one tumour; the two name partly other columns, with other signs."
)

# %% [markdown]
# Same row, same model, and the two variants answer differently, because they ask different questions. Take the worst perimeter: a "+" in the discretised bars, a "−" in the continuous ones. Look at this column alone: change only it, leave the other 29 as they are, and ask the forest.

# %%
j = columns.index("worst perimeter")
column, p_here = training[:, j], tumours.predict(row[None])[0, BENIGN]
values = np.linspace(*np.percentile(column, [1, 99]), 400)
changed = np.repeat(row[None], len(values), axis=0)
changed[:, j] = values
curve = tumours.predict(changed)[:, BENIGN]
slope = variants["continuous"].coefficients[j] / column.std()
step = variants["discretised"].coefficients[j]
print(f"slope {slope * column.std():+.3f} for each standard deviation; quarter {step:+.3f}")

# %% tags=["hide-input"]
cuts = np.percentile(column, [25, 50, 75])
elsewhere = np.searchsorted(cuts, values) != np.searchsorted(cuts, row[j])
figure, ax = plt.subplots(figsize=(7.5, 3.4))
ax.plot(values, curve, label="the forest")
ax.plot(values, p_here + slope * (values - row[j]), "--", label="continuous: its slope")
ax.plot(values, p_here - step * elsewhere, "-.", label="discretised: in this quarter, or elsewhere")
for i, cut in enumerate(cuts):
    ax.axvline(cut, color=plots.BASELINE, linestyle=":", label="borders of the quarters" if i == 0 else None)
ax.plot(row[j], p_here, "P", color="#e69f00", markersize=12, markeredgecolor="black", label="our tumour")
ax.set(xlabel=columns[j], ylabel="probability of benign", ylim=(0.35, 0.85))
ax.legend(fontsize=9, ncols=2, loc="upper right", frameon=True, framealpha=1, edgecolor="white")
ax.set_title("A forest moves in steps; a slope and a quarter both smooth them away", loc="left")
plots.show(
    "The forest's probability of benign changes little, in small steps, as the worst perimeter grows; the dashed slope runs away from it, and the step function of the quarter lies below it."
)

# %% [markdown]
# The signs do not clash: "+" means that being in this quarter is better than elsewhere; "−" means that a larger value is worse. Neither line follows the forest closely: LIME drew the other 29 columns anew as well, and its lines describe the average over all those tumours.
#
# Two traps of the discretised variant. Its borders come from the table, not from the model, so a step of the forest inside a quarter is invisible. And its neighbourhood is the whole table: every column is drawn from all tumours, not from those like ours. Look at its $R^2$, too, before you trust a bar.

# %% [markdown]
# ## 2 · Columns that belong together
#
# LIME draws each column on its own. In the tumour table, radius and perimeter are nearly the same measurement. How many of the drawn tumours could exist?

# %%
_, drawn, _ = lime.tabular_neighbourhood(row, training, 2000, discretize=True)
radius, perimeter = columns.index("mean radius"), columns.index("mean perimeter")
ratio = training[:, perimeter] / training[:, radius]
drawn_ratio = drawn[:, perimeter] / drawn[:, radius]
impossible = (drawn_ratio < ratio.min()) | (drawn_ratio > ratio.max())
print(f"drawn tumours whose perimeter does not fit their radius: {impossible.mean():.0%}")

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 3.4))
ax.plot(drawn[:, radius], drawn[:, perimeter], ".", color=plots.BASELINE, alpha=0.4, label="drawn by LIME")
ax.plot(training[:, radius], training[:, perimeter], ".", color=plots.ACCENT, label="real tumours")
here = row[[radius, perimeter]]
ax.plot(*here, "P", color="#e69f00", markersize=12, markeredgecolor="black", label="our tumour")
ax.set(xlabel="mean radius", ylabel="mean perimeter")
for handle in figure.legend(loc="outside right upper").legend_handles:
    handle.set_alpha(1)
ax.set_title("LIME asks about tumours that cannot exist", loc="left")
plots.show(
    "Real tumours lie on a narrow line of perimeter against radius; the drawn ones fill the whole plane around it."
)

# %% [markdown]
# The model was never trained on such rows, so what it answers there is an accident, and the coefficients are averages over accidents. Besides, a model may use either of two columns that say the same; a small coefficient then does not mean that the quantity does not matter.

# %% [markdown]
# ## 3 · Which examples should a person look at?
#
# One explanation shows one decision. To judge the model, show a few examples whose explanations *together* cover what it uses. That is SP-LIME (*submodular pick*, the paper's Algorithm 2). Let $W_{ij}$ be the coefficient of column $j$ in explanation $i$, and $I_j = \sqrt{\sum_i |W_{ij}|}$ the importance of column $j$.
# A column is *covered* once a picked explanation uses it (coefficient ≠ 0). Take the example that adds the most importance which is not covered yet; repeat (*greedy*).
#
# ### Exercise: pick examples that cover the model
#
# Always pick `budget` different rows, also when nothing is left to cover; if two rows gain the same, take the one with the lower number.


# %% exercise="pick"
def pick(coefficients, budget):
    """Row numbers, in the order picked; coefficients (n, d)."""
    # BEGIN SOLUTION
    used = coefficients != 0
    importance = np.sqrt(np.abs(coefficients).sum(axis=0))
    covered = np.zeros(coefficients.shape[1], dtype=bool)
    picked = []
    for _ in range(budget):
        gains = (used & ~covered) @ importance
        gains[picked] = -1  # never take a row twice
        picked.append(int(gains.argmax()))
        covered |= used[picked[-1]]
    return picked
    # END SOLUTION


# %%
exercises.pick.check(pick)

# %% [markdown]
# Now pick five of 60 unseen tumours, each explained by four columns, and compare with random examples.

# %%
candidates = unseen[:60]
W = np.stack(
    [
        lime.lime_tabular(
            tumours.predict, tumours.table[i], training, BENIGN, 300, k=4, discretize=False
        ).coefficients
        for i in candidates
    ]
)
picked = lime.submodular_pick(W, 5)
importance = np.sqrt(np.abs(W).sum(axis=0))


def coverage(rows):
    """Share of the total importance that these explanations use."""
    return importance[(W[rows] != 0).any(axis=0)].sum() / importance.sum()


draws = [np.random.RandomState(seed).permutation(60) for seed in range(50)]
by_chance = np.array([[coverage(order[:n]) for n in range(1, 6)] for order in draws])
print(
    "covered by five: SP-LIME", round(coverage(picked), 2), "| random, mean", round(by_chance[:, 4].mean(), 2)
)
print("sum of |W| of the picked explanations:", np.abs(W[picked]).sum(axis=1).round(3))

# %% tags=["hide-input"]
used = np.flatnonzero((W[picked] != 0).any(axis=0))
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1.5, 1))
plots.matrix_plot(
    np.round(100 * W[picked][:, used].T, 1) + 0.0,  # no minus zero
    [columns[j] for j in used],
    [f"pick {i + 1}" for i in range(5)],
    signed=True,
    decimals=1,
    ax=left,
)
left.set_title("Coefficients of the five, in per cent", loc="left")
right.plot(range(1, 6), [coverage(picked[:n]) for n in range(1, 6)], "o-", label="SP-LIME")
right.plot(range(1, 6), by_chance.mean(axis=0), "s--", color=plots.BASELINE, label="random examples")
right.fill_between(
    range(1, 6), *np.quantile(by_chance, [0.05, 0.95], axis=0), color=plots.BASELINE, alpha=0.2
)
right.set(xlabel="examples shown", ylabel="share of importance covered", ylim=(0, 1.02), xticks=range(1, 6))
right.legend()
plots.show(
    f"Left, the coefficients of five picked tumours. Right, the covered share of importance: SP-LIME reaches {coverage(picked):.2f} with five, random examples {by_chance[:, 4].mean():.2f} on average."
)

# %% [markdown]
# Each pick brings columns that the earlier ones did not use. But a column counts as covered as soon as its coefficient is not exactly zero, however small: compare the sums printed above. SP-LIME can spend a pick on an explanation that says little. And with few questions, part of the variety is chance, which brings us to the next section.

# %% [markdown]
# ## 4 · Indices of stability: VSI and CSI
#
# Lesson 06 measured the spread of a coefficient. Two indices were made for LIME (Visani and others, 2022), for explanations of $K$ features. Both are 1 when nothing changes.
#
# **VSI** looks at *which* features are named: the number of features that two explanations have in common, divided by $K$, averaged over all pairs of different explanations.
#
# ### Exercise: measure the stability
#
# Write VSI. Each row of `chosen` names exactly $K$ features.


# %% exercise="stability"
def stability(chosen):
    """VSI of repeated explanations; chosen (runs, d) is True where an explanation names a feature."""
    # BEGIN SOLUTION
    k, n = chosen[0].sum(), len(chosen)
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    return np.mean([(chosen[a] & chosen[b]).sum() / k for a, b in pairs])
    # END SOLUTION


# %%
exercises.stability.check(stability)

# %% [markdown]
# **CSI** looks at the numbers: the share of pairs of runs whose confidence intervals for a coefficient overlap, averaged over the features. The interval of a coefficient comes from the usual formula of a weighted regression: the scatter of the answers around the surrogate, divided by how much the switches vary.
#
# Back to the scene of lesson 06, cut in two ways, with $K = 3$. Its runs are separate parts of one list of questions.

# %%
lab = load_lab("scenes", n_objects=2)
both = np.take_along_axis(lab.predict(lab.images), lab.targets.numpy(), axis=1)
scene = int(both.min(axis=1).argmax())
image, target = lab.images[scene], int(lab.targets[scene, 0])
pools = {}
for n in (10, 30):
    cut = superpixels(image, n)
    masks = lime.sample_masks(1600, cut.max() + 1, random_state=1)
    weights = lime.exponential_kernel(lime.cosine_distances(masks), 0.25)
    settings, which = np.unique(masks, axis=0, return_inverse=True)  # ask each setting once
    outputs = network_answers(lab, image, cut, settings)[which.ravel(), target]
    pools[int(cut.max()) + 1] = (masks, outputs, weights)

# %%
sizes, indices = (50, 100, 200, 400), {}
for d, pool in pools.items():
    for n in sizes:
        parts = [slice(s, s + n) for s in range(0, 1600 - n + 1, n)]
        runs = [lime.fit_surrogate(*(values[part] for values in pool), k=3) for part in parts]
        indices[d, n] = len(runs), lime.vsi(runs), lime.csi(runs)
        print(f"{d:>2} superpixels, {n:>3} questions, {len(runs):>2} runs:", end=" ")
        print(f"VSI {indices[d, n][1]:.2f}, CSI {indices[d, n][2]:.2f}")
d = min(pools)
print(f"{d} superpixels, VSI if two names are fixed and the third is by chance: {(2 + 1 / (d - 2)) / 3:.2f}")

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7, 3))
for i, (what, line) in enumerate((("VSI", "-"), ("CSI", "--"))):
    for d, marker in zip(pools, "os", strict=True):
        found = [indices[d, n][i + 1] for n in sizes]
        ax.semilogx(sizes, found, marker + line, label=f"{what}, {d} superpixels")
ax.set(xlabel="questions", ylabel="agreement of the runs", ylim=(0, 1.05))
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(fontsize=9)
ax.set_title("CSI is high at once; VSI of the coarse cut stays low", loc="left")
plots.show(
    "CSI is at least 0.85 at every number of questions; VSI of the fine cut rises to 1, VSI of the coarse cut stays near 0.7."
)

# %% [markdown]
# Three cautions.
# - VSI counts names, not sizes. The coarse cut has only two superpixels that matter, so the third name is chosen nearly by chance, and VSI stays low although every large coefficient has settled.
# - A CSI near 1 at few questions is no good news: the intervals overlap because they are wide.
# - Stable is not the same as right: the surrogate may be a bad imitation all the same.

# %% [markdown]
# ## 5 · The width of the kernel
#
# The width is a choice, and more questions do not average it out. The *effective number* of questions, $(\sum \pi)^2 / \sum \pi^2$, says how many of them really count. Guess first: with 1,600 questions and a width of 0.03 instead of 0.25, how many are left?

# %%
masks, outputs, weights = pools[max(pools)]
usual = lime.fit_surrogate(masks, outputs, weights).coefficients
print(f"{'width':>6}{'effective questions':>21}{'R²':>7}{'largest |w|':>13}{'correlation with 0.25':>24}")
for width in (0.03, 0.06, 0.125, 0.25, 0.5, 1.0, 10.0):
    kernel = lime.exponential_kernel(lime.cosine_distances(masks), width)
    fitted = lime.fit_surrogate(masks, outputs, kernel)
    effective = kernel.sum() ** 2 / (kernel**2).sum()
    agreement = np.corrcoef(fitted.coefficients, usual)[0, 1]
    largest = np.abs(fitted.coefficients).max()
    print(f"{width:>6}{effective:>21.0f}{fitted.r2:>7.2f}{largest:>13.3f}{agreement:>24.2f}")

# %% [markdown]
# A narrow kernel leaves next to no question with a weight: the fit has hardly any data, and the ridge pulls its coefficients towards zero. The package's 0.25 is wide: on this picture it gives what no kernel at all would give. To be local *and* to have data, one would have to sample near the picture: hide few superpixels instead of half of them.

# %% [markdown]
# ## 6 · Recap
#
# - In a table LIME draws other values. Two ways to draw are two questions, with two answers.
# - Columns drawn one by one make rows that cannot exist. A model can recognise such rows and behave while it is asked: [15b · A rule that behaves when it is asked](15b_fairwashed.ipynb).
# - SP-LIME covers what a model uses with few examples; it counts tiny coefficients like large ones.
# - VSI counts names, CSI overlapping intervals: read them beside the sizes of the coefficients.
# - A narrow kernel has no data; a wide one is not local.
#
# **References**
# - [Ribeiro, Singh and Guestrin, 2016: "Why Should I Trust You?"](https://arxiv.org/abs/1602.04938)
# - [Visani and others, 2022: Statistical stability indices for LIME](https://arxiv.org/abs/2001.11757)
# - [Slack and others, 2020: Fooling LIME and SHAP](https://arxiv.org/abs/1911.02508)
