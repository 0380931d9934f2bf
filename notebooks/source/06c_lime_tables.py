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
# - **continuous**: values from a normal distribution around the column's mean; the coefficient says how much one *standard deviation* more would change the answer, on average over the drawn rows;
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
# Same row, same model, and the two variants answer differently. How much of it is chance? Each variant once more, with other draws:

# %%
named = {name: [set(np.flatnonzero(fitted.coefficients))] for name, fitted in variants.items()}
for name, discretize in (("discretised", True), ("continuous", False)):
    again = lime.lime_tabular(
        tumours.predict, row, training, BENIGN, 2000, k=6, discretize=discretize, random_state=1
    )
    named[name].append(set(np.flatnonzero(again.coefficients)))
    print(f"{name}: two runs have {len(set.intersection(*named[name]))} of the six columns in common")
across = len(named["discretised"][0] & named["continuous"][1])
print(f"discretised and continuous: {across} of the six")

# %% [markdown]
# The variants differ by more than chance: they ask different questions. But chance has its part. On undecided tumours of five other splits of the table two continuous runs shared five to six columns, two discretised runs only two to four, one of each on average two. Take the worst perimeter ("worst" is the mean of the three largest values in the tumour): a "+" in the discretised bars, a "−" in the continuous ones. Look at this column alone: change only it, leave the other 29 as they are, and ask the forest. Then do the same with 100 drawn tumours, and average.

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

# %%
others = lime.tabular_neighbourhood(row, training, 100, discretize=True)[1]
spread = np.percentile(column, np.linspace(1, 99, 50))  # as the column is distributed
cuts = np.percentile(column, [25, 50, 75])
average, own = (
    [tumours.predict(np.where(np.arange(len(row)) == j, v, start))[:, BENIGN].mean() for v in spread]
    for start in (others, row[None])
)
inside = np.searchsorted(cuts, spread) == np.searchsorted(cuts, row[j])
gaps = [np.mean(np.array(c)[inside]) - np.mean(np.array(c)[~inside]) for c in (average, own)]
print(f"in this quarter minus elsewhere: drawn tumours {gaps[0]:+.3f}, our tumour {gaps[1]:+.3f}")

# %% tags=["hide-input"]
elsewhere = np.searchsorted(cuts, values) != np.searchsorted(cuts, row[j])
figure, ax = plt.subplots(figsize=(7.5, 3.4))
ax.plot(values, curve, label="the forest, our tumour")
ax.plot(spread, average, color="#cc79a7", linewidth=2.5, label="the forest, mean of drawn tumours")
ax.plot(values, p_here + slope * (values - row[j]), "--", label="continuous: its slope")
ax.plot(values, p_here - step * elsewhere, "-.", label="discretised: in this quarter, or elsewhere")
for i, cut in enumerate(cuts):
    ax.axvline(cut, color=plots.BASELINE, linestyle=":", label="borders of the quarters" if i == 0 else None)
ax.plot(row[j], p_here, "P", color="#e69f00", markersize=12, markeredgecolor="black", label="our tumour")
ax.set(xlabel=columns[j], ylabel="probability of benign", ylim=(0.35, 0.85))
ax.legend(fontsize=9, ncols=2, loc="upper right", frameon=True, framealpha=1, edgecolor="white")
ax.set_title("A forest moves in steps; a slope and a quarter both smooth them away", loc="left")
plots.show(
    "The forest's probability of benign changes little, in small steps, as the worst perimeter grows; the dashed slope runs away from it, and the step function of the quarter lies below it. The mean over drawn tumours falls more."
)

# %% [markdown]
# The signs do not clash: "+" means that being in this quarter is better than elsewhere; "−" means that a larger value is worse. Neither line follows the forest at our tumour: LIME drew the other 29 columns anew as well, and its coefficients describe the mean over all those tumours, as the gaps printed above show for the quarter.
#
# A trap of the discretised variant: its borders come from the table, not from the model, so a step of the forest inside a quarter is invisible. A trap of both: the neighbourhood is the whole table; every column is drawn from all tumours, not from those like ours. Look at $R^2$, too, before you trust a bar.

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
# The model was never trained on such rows. Does that matter for what it answers? Train two forests on two halves of the training table, and ask both about real tumours, then about drawn ones.

# %%
from sklearn.ensemble import RandomForestClassifier

order = np.random.RandomState(0).permutation(np.flatnonzero(~tumours.unseen))
two_forests = [
    RandomForestClassifier(100, random_state=0).fit(tumours.table[half], np.asarray(tumours.targets)[half])
    for half in np.array_split(order, 2)
]
for what, asked in (("unseen real", tumours.table[unseen]), ("drawn", drawn)):
    one, two = (forest.predict_proba(asked)[:, BENIGN] for forest in two_forests)
    print(f"{what} tumours: mean difference {np.abs(one - two).mean():.2f},", end=" ")
    print(f"different classes for {((one > 0.5) != (two > 0.5)).mean():.0%}")

# %% [markdown]
# On drawn tumours the two forests agree less: what a model answers there is settled less by the data, and the coefficients are averages over such answers. Besides, a model may use either of two columns that say the same; a small coefficient then does not mean that the quantity does not matter.

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
candidates, options = unseen[:60], {"k": 4, "discretize": False}
W, W_again = (
    np.stack(
        [
            lime.lime_tabular(
                tumours.predict, tumours.table[i], training, BENIGN, 300, random_state=seed, **options
            ).coefficients
            for i in candidates
        ]
    )
    for seed in (0, 1)
)
picked = lime.submodular_pick(W, 5)


# %%
def coverage(rows, W=W):
    """Share of the total importance that these explanations use."""
    importance = np.sqrt(np.abs(W).sum(axis=0))
    return importance[(W[rows] != 0).any(axis=0)].sum() / importance.sum()


draws = [np.random.RandomState(seed).permutation(60) for seed in range(50)]
by_chance = np.array([[coverage(order[:n]) for n in range(1, 6)] for order in draws])
print(
    f"covered by five: SP-LIME {coverage(picked):.2f}, random {by_chance[:, 4].mean():.2f} on average;",
    end=" ",
)
again_random = np.mean([coverage(order[:5], W_again) for order in draws])
print(f"the same tumours in a second run of LIME: {coverage(picked, W_again):.2f}, random {again_random:.2f}")
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
# Each pick brings columns that the earlier ones did not use. But a column counts as covered as soon as its coefficient is not exactly zero, however small: compare the sums printed above. SP-LIME can spend a pick on an explanation that says little. And a gain can be chance: here, explained once more with other questions, the five picks cover hardly more than random ones. On five other splits of the table (the course's tests measure them) the gain of about 0.1 stayed in the second run. So count coverage on a second run. How stable a choice of columns is, the next section measures.

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
        whole = [lime.fit_surrogate(*(values[part] for values in pool)) for part in parts]
        largest = np.mean([run.coefficients for run in whole], axis=0).argmax()
        half = np.mean([np.ptp(lime.coefficient_intervals(run)[largest]) / 2 for run in whole])
        print(
            f"{d:>2} superpixels, {n:>3} questions, {len(runs):>2} runs: VSI {indices[d, n][1]:.2f},", end=" "
        )
        print(f"CSI {indices[d, n][2]:.2f} (K = {d}: {lime.csi(whole):.2f}, the largest ± {half:.3f})")
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
# - VSI counts names, not sizes. The coarse cut has only two superpixels that matter, so the third name is chosen nearly by chance, and VSI stays low although two of the three names hardly change.
# - CSI does not say that a coefficient has settled. With all superpixels (in brackets) the intervals shrink from row to row, and CSI is near 1 all the same: two honest 95 % intervals overlap in about 99 of 100 pairs, wide or narrow. CSI asks whether the intervals are as wide as the runs differ. Where it is lower, with $K = 3$ at the coarse cut, a third name was kept because it was large in that run. So read the widths.
# - Stable is not the same as right: the surrogate may be a bad imitation all the same.

# %% [markdown]
# ## 5 · The width of the kernel
#
# The width is a choice, and more questions do not average it out. The *effective number* of questions, $(\sum \pi)^2 / \sum \pi^2$, says how many of them really count. Guess first: with 1,600 questions and a width of 0.03 instead of 0.25, how many are left?

# %%
masks, outputs, weights = pools[max(pools)]
usual = lime.fit_surrogate(masks, outputs, weights).coefficients
print(
    f"{'width':>6}{'effective questions':>21}{'R²':>7}{'largest |w|':>13}{'no ridge':>10}{'correlation with 0.25':>24}"
)
for width in (0.03, 0.06, 0.125, 0.25, 0.5, 1.0, 10.0):
    kernel = lime.exponential_kernel(lime.cosine_distances(masks), width)
    fitted = lime.fit_surrogate(masks, outputs, kernel)
    effective = kernel.sum() ** 2 / (kernel**2).sum()
    agreement = np.corrcoef(fitted.coefficients, usual)[0, 1]
    free = lime.fit_surrogate(masks, outputs, kernel, ridge=0.0)
    largest, free = (np.abs(fit.coefficients).max() for fit in (fitted, free))
    print(f"{width:>6}{effective:>21.0f}{fitted.r2:>7.2f}{largest:>13.3f}{free:>10.3f}{agreement:>24.2f}")

# %% [markdown]
# A narrow kernel leaves next to no question with a weight: the fit has hardly any data, and the ridge pulls its coefficients towards zero: without it the largest is bigger. The package's 0.25 is wide: on this picture it gives what no kernel at all would give. To be local *and* to have data, ask near the picture: hide each superpixel with a chance of one in ten instead of one in two. The test: hide one superpixel alone, each once, and see how well each surrogate foretells the answers.

# %%
d = masks.shape[1]
near = (np.random.RandomState(0).random_sample((400, d)) > 0.1).astype(int)
near[0] = 1
one_hidden = 1 - np.eye(d, dtype=int)
said = network_answers(lab, image, cut, np.vstack([near, one_hidden]))[:, target]
truth = said[400:]
for what, switches, answers in (("fair coins", masks[:400], outputs[:400]), ("few hidden", near, said[:400])):
    kernel = lime.exponential_kernel(lime.cosine_distances(switches), 0.25)
    fitted = lime.fit_surrogate(switches, answers, kernel)
    guess = fitted.intercept + one_hidden @ fitted.coefficients
    print(f"{what}: correlation of guess and answer {np.corrcoef(guess, truth)[0, 1]:.2f},", end=" ")
    print(f"mean error {np.abs(guess - truth).mean():.3f}")

# %% [markdown]
# So not the kernel makes LIME local, but the questions. Local is not better in itself: the near surrogate says what one small change does, the wide one what a part adds on average when half of the rest is gone.

# %% [markdown]
# ## 6 · Recap
#
# - In a table LIME draws other values. Two ways to draw are two questions, with two answers.
# - Columns drawn one by one make rows that cannot exist. A model can recognise such rows and behave while it is asked: [15b · A rule that behaves when it is asked](15b_fairwashed.ipynb).
# - SP-LIME picks few examples that cover many columns; it counts tiny coefficients like large ones. Count the coverage on a second run.
# - VSI counts names, CSI overlapping intervals: read them beside the sizes of the coefficients and the widths of the intervals.
# - With fair coins a narrow kernel has no data, and a wide one is not local. To be local, ask near the picture.
#
# **References**
# - [Ribeiro, Singh and Guestrin, 2016: "Why Should I Trust You?"](https://arxiv.org/abs/1602.04938)
# - [Visani and others, 2022: Statistical stability indices for LIME](https://arxiv.org/abs/2001.11757)
# - [Slack and others, 2020: Fooling LIME and SHAP](https://arxiv.org/abs/1911.02508)
