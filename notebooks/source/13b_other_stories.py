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
# # 13b · Glass boxes that mislead
#
# **The question.** You can read the model. Why may its story still be wrong?
#
# This companion of [13 · Glass boxes](13_glass_boxes.ipynb) shows four ways in which a readable model tells more than the table knows.
#
# **After this lesson you can**
# - say how deep a tree should be, and make a question pay for its answers;
# - recognise evidence that is counted several times, and a library's silent default that changes answers;
# - say when a curve tells a story that the predictions do not support;
# - find accuracy that comes from nothing.
#
# **Time**: about <!-- minutes --> minutes. **Before**: the core lesson.
#
# The first cell loads the same two real tables as the core lesson: 442 people with diabetes, and 569 breast tumours with thirty columns, three tenths of them held back. `ten_parts` cuts a table into ten parts; each part is answered by a model that was fitted to the other nine (*ten-fold cross-validation*).

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import KFold, cross_val_predict, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l13_glass_boxes as exercises
from course_utils.lessons import l13_glass_boxes as lesson
from course_utils.teach import plots

people, tumours = lesson.patients(), lesson.tumours()
malignant, train, test = tumours.malignant, tumours.train, tumours.test
ten_parts = KFold(10, shuffle=True, random_state=0)

# %% [markdown]
# ## 1 · A tree that knows too much, and a question that costs too little
#
# A tree can ask on until each branch holds one class. **Predict**, before you look at the figure:

# %% tags=["hide-input"]
exercises.deeper_trees

# %%
on_train, on_unseen = [], []
for depth in range(1, 9):
    candidate = DecisionTreeClassifier(max_depth=depth, criterion="entropy", random_state=0)
    on_unseen.append(cross_val_predict(candidate, tumours.table, malignant, cv=ten_parts) == malignant)
    on_train.append(candidate.fit(tumours.table, malignant).score(tumours.table, malignant))
for deep, flat in ((3, 1), (8, 3)):
    gap = judge.paired(on_unseen[deep - 1].astype(float), on_unseen[flat - 1].astype(float))
    print(f"unseen tumours, depth {deep} minus depth {flat}: {gap}")

# %% tags=["hide-input"]
limits = np.array([judge.bootstrap_interval(right) for right in on_unseen])
figure, ax = plt.subplots(figsize=(7, 2.8))
ax.plot(range(1, 9), on_train, "s--", color=plots.BASELINE, label="tumours it was fitted to")
ax.plot(range(1, 9), [right.mean() for right in on_unseen], "o-", label="unseen tumours (ten-fold)")
ax.fill_between(range(1, 9), limits[:, 0], limits[:, 1], alpha=0.2)
ax.set(xlabel="depth of the tree", ylabel="share right", ylim=(0.82, 1.005))
ax.set_title("After a few questions, only the memory gets better", loc="left")
ax.legend(loc="lower right")
plots.show(
    f"Share right against depth. On its own tumours it rises to {on_train[-1]:.2f}; on unseen ones it goes from "
    f"{on_unseen[0].mean():.2f} at depth 1 to {on_unseen[2].mean():.2f} at depth 3, and hardly changes afterwards."
)

# %% [markdown]
# The dashed line rises to 1: a deep tree memorises its tumours. On unseen ones depth 3 is ahead of depth 1; between 3 and 8 the interval holds zero (the band is the 95 % [bootstrap interval](glossary.md#bootstrap-interval) of each depth alone). That is a finding about this table: on the digits of the core lesson, with ten classes, depth 3 was not enough. Try the depths on unseen rows of your own.
#
# ### Exercise: a question that costs something
#
# Information gain has another weakness: the question "what is your patient number?" gains everything and does not help on new patients. Quinlan (1986) therefore divides the gain by what the answer itself tells, in bits: the entropy of the *answers*. This is the **gain ratio**. Write it for questions with any number of answers. `labels` and `answers` hold whole numbers, one for each
# example. You may call `entropy`. A question that everybody answers alike gets 0.


# %%
def entropy(labels):
    """Entropy of the classes in bits. A class that does not occur adds nothing (0 · log 0 counts as 0)."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log2(shares)).sum())


# %% exercise="gain_ratio"
def gain_ratio(labels, answers):
    """Information gain of a question with any number of answers, divided by the entropy of the answers."""
    # BEGIN SOLUTION
    cost = entropy(answers)
    if cost == 0:
        return 0.0
    left_over = sum((answers == a).mean() * entropy(labels[answers == a]) for a in np.unique(answers))
    return (entropy(labels) - left_over) / cost
    # END SOLUTION


# %%
exercises.gain_ratio.check(gain_ratio)

# %% [markdown]
# The course's version, on the 398 training tumours: a real question, and a number of its own for each tumour. Then the best question (largest gain) of each of the thirty columns.

# %% tags=["hide-input"]
labels = malignant[train]
large = (tumours.table[train, tumours.names.index("worst radius")] > 16.8).astype(int)
for what, answers in (("worst radius above 16.8?", large), ("which tumour is it?", np.arange(len(train)))):
    ratio = exercises.gain_ratio.reference(labels, answers)
    print(
        f"{what:<26} gain {ratio * entropy(answers):.2f} of {entropy(labels):.2f} bits, gain ratio {ratio:.2f}"
    )
stump, of_column = DecisionTreeClassifier(max_depth=1, criterion="entropy"), []
for column in tumours.table[train].T[:, :, None]:
    of_column.append(exercises.gain_ratio.reference(labels, stump.fit(column, labels).apply(column)))
print(
    f"columns whose best question has a smaller ratio than the number: {(np.array(of_column) < ratio).sum()} of 30"
)

# %% [markdown]
# By gain the number stands before every column. By gain ratio it is far behind the good ones, but still before the weakest: its price is large, not infinite.

# %% [markdown]
# ## 2 · Naive Bayes: the same evidence, counted thirty times
#
# Ask the other way round: how likely is this *measurement* if the tumour is malignant? Take a bell curve for each column $j$ and class $c$, with mean $\mu_{cj}$ and variance $\sigma^2_{cj}$ ($\mathcal N$ is its height), and pretend that the columns are independent within a class (that is the *naive* part). With $q_c$ the share of class $c$, Bayes' rule gives a sum of pieces of evidence:
#
# $$\ln P(c \mid x) = \ln q_c + \sum_j \ln \mathcal N(x_j;\, \mu_{cj}, \sigma^2_{cj}) + \text{const}.$$
#
# The evidence of a column for "malignant" is the difference of two such logarithms: how many times as high the malignant curve is here, as a logarithm.


# %% tags=["by-hand"]
def naive_bayes(table, labels, rows, extra_variance=0.0):
    """Probability of class 1 for each of `rows` (B, d), and the evidence of each column for it (B, d)."""
    log_density = []
    for c in (0, 1):
        mean = table[labels == c].mean(axis=0)
        variance = table[labels == c].var(axis=0) + extra_variance
        log_density.append(-0.5 * np.log(2 * np.pi * variance) - (rows - mean) ** 2 / (2 * variance))
    evidence = log_density[1] - log_density[0]
    log_odds = np.log(labels.mean() / (1 - labels.mean())) + evidence.sum(axis=1)
    return 1 / (1 + np.exp(-np.clip(log_odds, -700, 700))), evidence


three = tumours.three  # size, notches, texture, standardised
by_bayes, evidence = naive_bayes(three[train], malignant[train], three)
doubtful = int(test[np.abs(by_bayes[test] - 0.5).argmin()])

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 2.7), sharey=True)
line = np.linspace(-3, 4, 200)
for j, (ax, name) in enumerate(zip(axes, lesson.THREE, strict=True)):
    for c, label in enumerate(("benign", "malignant")):
        of_class = three[train][malignant[train] == c, j]
        heights = np.exp(-((line - of_class.mean()) ** 2) / (2 * of_class.var())) / of_class.std() / 2.507
        ax.plot(line, heights, "-" if c else "--", color=plots.COLOURS[c], label=label)
    ax.axvline(three[doubtful, j], color=plots.INK, linewidth=1)
    ax.set(xlabel=f"{name} (steps from the mean)")
    ax.set_title(f"evidence for malignant: {evidence[doubtful, j]:+.2f}", fontsize=10)
axes[0].set_ylabel("height of the curve")
axes[0].legend(fontsize=9, loc="upper right")
plots.show(
    "Two bell curves, benign and malignant, for size, notches and texture, and a vertical line for one doubtful "
    f"tumour with the probability {by_bayes[doubtful]:.2f}; the evidence of each column is in the title."
)

# %% [markdown]
# Easy to read: two bell curves a column, the vertical line is a doubtful tumour, the title gives the logarithm of the ratio of the two heights there. Now count errors, and *sure* errors: wrong with a probability above 0.99. Five splits of the table, three chosen columns against all thirty. Two controls: the same three, each copied ten times, and three columns drawn at random.

# %%
pick = [tumours.names.index(name) for name in lesson.THREE.values()]
rng, counts = np.random.default_rng(0), {}
for seed in range(5):
    parts = KFold(10, shuffle=True, random_state=seed)
    kinds = {"3 columns": pick, "the same, 10 times": pick * 10, "30 columns": list(range(30)),
             "3 at random": rng.choice(30, 3, replace=False)}  # fmt: skip
    for what, columns in kinds.items():
        model, rows = make_pipeline(StandardScaler(), GaussianNB()), tumours.table[:, columns]
        p = cross_val_predict(model, rows, malignant, cv=parts, method="predict_proba")
        wrong = p.argmax(axis=1) != malignant
        counts.setdefault(what, []).append((wrong.sum(), (p.max(axis=1)[wrong] > 0.99).sum()))

# %% tags=["hide-input"]
for what, pairs in counts.items():
    print(
        f"{what:<19} errors in five splits {[int(a) for a, _ in pairs]}, sure ones {[int(b) for _, b in pairs]}"
    )

# %% [markdown]
# Many of the thirty columns measure nearly the same, and their evidence is added up as if it were new each time: the model with all columns is wrong about twice as often as with three, and then mostly nearly certain. Do not put both down to the counting. A copy tells nothing new, and ten copies of the three columns hardly add an error; they make several times as many errors *sure*. The
# number of errors depends on *which* columns are in it: three drawn at random are mostly wrong still more often, and seldom sure. **A readable number can still be a bad number.**
#
# ### A default that nobody sees
#
# A bell curve does not care about units, so standardising the columns should change nothing. Compare our formula with scikit-learn's `GaussianNB` on raw and on standardised columns:

# %%
answers = {}
for what, rows in (("raw", tumours.table), ("standardised", StandardScaler().fit_transform(tumours.table))):
    by_formula = naive_bayes(rows, malignant, rows)[0]
    by_library = GaussianNB().fit(rows, malignant).predict_proba(rows)[:, 1]
    answers[what] = (by_formula, by_library)
    other = ((by_formula > 0.5) != (by_library > 0.5)).sum()
    print(f"{what}: {other} other answers, largest difference {np.abs(by_formula - by_library).max():.4f}")
    right = [((chance > 0.5) == malignant).sum() for chance in answers[what]]
    print(f"   right: the formula for {right[0]} of {len(rows)}, the library for {right[1]}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.0), sharey=True)
for ax, (what, (ours, theirs)) in zip(axes, answers.items(), strict=True):
    other = (ours > 0.5) != (theirs > 0.5)
    ax.plot(ours, theirs, "o", color=plots.BASELINE, alpha=0.5, markersize=4)
    ax.plot(ours[other], theirs[other], "s", color=plots.COLOURS[1], markersize=6)
    ax.set(xlabel="by the formula", title=f"{what}: {other.sum()} other answers")
axes[0].set_ylabel("scikit-learn")
plots.show(
    "Probability of malignant by the formula and by scikit-learn. On raw columns some tumours lie far from the "
    "diagonal and get another answer; on standardised columns all lie on it."
)

# %% [markdown]
# scikit-learn adds a billionth of the *largest* variance of any column to all variances, "for stability". On the raw table two of the areas have variances above a hundred thousand and other columns of less than a thousandth, so the small ones drown, and some answers change. Other does not mean worse: the library is right about as often as the formula. Standardise first, and the difference is gone. Nothing warns you. (With the same addition, our function gives scikit-learn's numbers:)

# %% tags=["nbval-check-output"]
smoothing = 1e-9 * tumours.table.var(axis=0).max()
with_it = naive_bayes(tumours.table, malignant, tumours.table, smoothing)[0]
judge.agreement_table(
    [("scikit-learn naive Bayes", with_it, answers["raw"][1], "variances + 1e-9 × the largest of them")]
)

# %% [markdown]
# ## 3 · Curves without a gain
#
# The core lesson drew the curves of an additive model for the diabetes table: body mass index and triglycerides bend. Do the bends help on unseen people? Compare the errors, person by person, for a line, for the core's curves, for calmer curves (three knots instead of six: fewer pieces) and for a forest.

# %%
strengths = np.logspace(-2, 3, 12)
models = {
    "line": make_pipeline(StandardScaler(), LinearRegression()),
    "additive": make_pipeline(StandardScaler(), SplineTransformer(n_knots=6), RidgeCV(strengths)),
    "calmer": make_pipeline(StandardScaler(), SplineTransformer(n_knots=3), RidgeCV(strengths)),
    "forest": RandomForestRegressor(50, max_depth=6, random_state=0),
}
errors = {}
for name, model in models.items():
    guesses = cross_val_predict(model, people.table, people.outcome, cv=ten_parts)
    errors[name] = np.abs(guesses - people.outcome)
    share = 1 - (errors[name] ** 2).sum() / ((people.outcome - people.outcome.mean()) ** 2).sum()
    print(f"{name:<9} mean error {errors[name].mean():.1f} points, R² {share:.2f}")
for name in list(models)[1:]:
    print(f"{name} minus line, in points: {judge.paired(errors[name], errors['line'])}")

# %% [markdown]
# ($R^2$ is the share of the outcome's variance that a model accounts for.) Both intervals of the curves hold zero: with 442 people no gain can be shown. That is not "no gain": the calmer curves may be a point better than the line, or level with it. The forest's errors are a little larger. **That is an answer, too**: this table gives no reason to leave the straight line.
#
# And HDL, whose sign the core lesson could not tell? Each row is a defensible model of the same people:

# %%
HDL = people.names.index("HDL cholesterol")
every, outcome = people.standardised, people.outcome
straight = RidgeCV(strengths).fit(every, outcome)
additive = models["additive"].fit(people.table, outcome)
basis = additive[:-1].transform(people.table).reshape(len(every), 10, -1)
curve = basis[:, HDL] @ additive[-1].coef_.reshape(10, -1)[HDL]
slopes = {
    "line, no penalty": LinearRegression().fit(every, outcome).coef_[HDL],
    f"line, ridge {straight.alpha_:.0f} as chosen": straight.coef_[HDL],
    "line, ridge ten times that": Ridge(10 * straight.alpha_).fit(every, outcome).coef_[HDL],
    "curve, its mean slope": np.polyfit(every[:, HDL], curve, 1)[0],
}
for name, slope in slopes.items():
    print(f"{name:<28} HDL {slope:+5.1f} for one standard deviation")

# %% [markdown]
# A *ridge* is a penalty that keeps coefficients small; among columns that move together it shares the weight. All four numbers lie within two standard errors of the first one (about ±20, the bar of HDL in the core's section 2). Two of them differ in nothing but the strength of the penalty.
#
# One more reading of such a curve: for an additive model the SHAP values of [lesson 07](07_shap.ipynb) are the curve, minus its mean over the table. So the partial dependence, the curve inside and SHAP tell the same.

# %% tags=["nbval-check-output"]
import shap

explainer = shap.explainers.Permutation(
    additive.predict, shap.maskers.Independent(people.table, max_samples=442), seed=0
)
of_shap = explainer(people.table[:5], max_evals=21, silent=True).values[:, HDL]
judge.agreement_table(
    [("shap, Permutation", curve[:5] - curve.mean(), of_shap, "the curve minus its mean over all rows")]
)

# %% [markdown]
# ## 4 · Accuracy from nothing
#
# Sixty patients, two thousand columns of *pure noise*, thirty labels of each kind, shuffled. There is nothing to learn: on average nobody reaches more than 0.5. Choose the twenty best columns, then cross-validate a logistic regression on them. Or choose them anew within each part of the cross-validation.

# %%
from sklearn.feature_selection import SelectKBest

leaking, honestly = [], []
for seed in tqdm(range(24), desc="tables of noise", leave=False):
    rng = np.random.default_rng(seed)
    noise, drawn = rng.normal(size=(60, 2000)), rng.permutation(np.repeat([0, 1], 30))
    best_twenty = SelectKBest(k=20).fit_transform(noise, drawn)  # has seen every label
    leaking.append(cross_val_score(LogisticRegression(), best_twenty, drawn, cv=5).mean())
    inside_the_loop = make_pipeline(SelectKBest(k=20), LogisticRegression())
    honestly.append(cross_val_score(inside_the_loop, noise, drawn, cv=5).mean())

# %% tags=["hide-input"]
plots.score_plot(
    {"columns chosen before the split": np.array(leaking), "chosen within each part": np.array(honestly)},
    xlabel="“accuracy” on pure noise, 24 tables (dotted: a coin)",
    title="The choice had seen the test labels",
)
plt.gca().axvline(0.5, color=plots.BASELINE, linestyle=":")
plots.show(
    f"Columns chosen before the split reach {np.mean(leaking):.2f}, columns chosen within each part "
    f"{np.mean(honestly):.2f}, as a coin."
)

# %% [markdown]
# Chosen before, twenty columns of noise seem to predict nearly everything. This error (*leakage*) was found in well-known studies of gene data (Ambroise and McLachlan, 2002). Everything that looks at the labels belongs *inside* the cross-validation. And an explanation of such a model would be perfectly faithful: it would name twenty columns, and all of them are noise.

# %% [markdown]
# ## 5 · Recap
#
# - A deep tree memorises its own rows; a question with many answers must pay for them.
# - Evidence from columns that say the same is counted several times: the errors get *sure*. How many there are depends on which columns you take.
# - A library's default may change answers without a word. Standardise, and compare with the formula.
# - Curves that do not predict better are a story, not a finding. No gain shown is not the same as no gain.
# - What looks at the labels belongs inside the cross-validation.
#
# **References**
# - [Quinlan, 1986: Induction of decision trees](https://doi.org/10.1007/BF00116251)
# - [Ambroise and McLachlan, 2002: Selection bias in gene extraction](https://doi.org/10.1073/pnas.102102699)
# - [Hastie and Tibshirani, 1986: Generalized additive models](https://doi.org/10.1214/ss/1177013604)
