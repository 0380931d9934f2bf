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
# # 13 · Glass boxes: models that need no explanation
#
# **The question.** Some models can be read. What do you know when you have read one, and what does it cost to insist on one?
#
# **After this lesson you can**
# - read a linear and a logistic regression, a tree and an additive model, and say how sure each number is;
# - tell an odds ratio from "times as likely", and a coefficient from a cause;
# - ask any model what it does with a column: partial dependence and permutation importance, by hand and equal to scikit-learn;
# - say what both do wrong when columns move together;
# - measure what it costs to insist on a model that you can read.
#
# **Time**: about <!-- minutes --> minutes. **Before**: Python with NumPy; mean, variance, a matrix product. [01 · Why explain?](01_why_explain.ipynb) helps, but you do not need it.
#
# The first cell loads two real tables. `people`: 442 people with diabetes, ten measurements each, and a score of how far the disease had progressed after one year (Efron and others, 2004). `tumours`: 569 breast tumours, *malignant* (cancer) or *benign* (harmless), and ten properties of their cell nuclei under a
# microscope, each as mean, *error* (standard error) and *worst* (mean of the three largest nuclei): thirty columns (Street and others, 1993). Three tenths of the tumours are held back: they are *unseen*.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from course_utils import judge
from course_utils.exercises import l13_glass_boxes as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l13_glass_boxes as lesson
from course_utils.methods.dependence import ice_curves, partial_dependence, permutation_importance
from course_utils.teach import plots, widgets

people, tumours = lesson.patients(), lesson.tumours()
malignant, train, test = tumours.malignant, tumours.train, tumours.test

# %% [markdown]
# ## 1 · A puzzle: does the good cholesterol make people ill?
#
# Two models of the same people, both weighted sums: the first one of all ten columns, the second one of all but LDL (the “bad” cholesterol). The number is how far one typical step (one standard deviation) more of HDL cholesterol moves the predicted score; plus means that the disease progresses further. Each tenth of the people is predicted by a model fitted to the other nine (*cross-validation*).

# %%
LDL, HDL = people.names.index("LDL cholesterol"), people.names.index("HDL cholesterol")
nine = np.delete(people.standardised, LDL, axis=1)
first = LinearRegression().fit(people.standardised, people.outcome)
second = LinearRegression().fit(nine, people.outcome)
HDL_OF_NINE = HDL - 1  # LDL, which stands before it, is gone
for label, model, rows, j in (("ten columns", first, people.standardised, HDL),
                              ("without LDL", second, nine, HDL_OF_NINE)):  # fmt: skip
    guesses = cross_val_predict(LinearRegression(), rows, people.outcome, cv=10)
    print(
        f"{label}: HDL {model.coef_[j]:+5.1f},",
        f"correlation with the truth on unseen people {np.corrcoef(guesses, people.outcome)[0, 1]:.2f}",
    )

# %% [markdown]
# HDL is called the *good* cholesterol. In one model more of it goes with a worse score, in the other one with a better one, and the two predict equally well. Which one do you believe?

# %% tags=["hide-input"]
exercises.which_story

# %% [markdown]
# Reading is not enough: what does a number mean, and how sure is it?

# %% [markdown]
# ## 2 · Linear regression: a sum with error bars
#
# The model is $\hat y = b_0 + b_1 x_1 + \dots + b_d x_d$. Write all rows as a matrix $X$ with a column of ones in front: $n$ rows, $d + 1$ columns. The *least squares* coefficients, the variance that is left, and the *standard error* of each coefficient are
#
# $$b = (X^\top X)^{-1} X^\top y, \qquad s^2 = \frac{1}{n - d - 1} \sum_i (y_i - \hat y_i)^2, \qquad \text{SE}_j = s \sqrt{\big[(X^\top X)^{-1}\big]_{jj}} .$$
#
# The standard error says how much $b_j$ would vary if other people had been measured. Roughly, $b_j \pm 2\,\text{SE}_j$ holds the true value 95 times in 100 (a *95 % interval*), if the outcome is such a sum and the misses scatter alike for everybody. One divides by $n - d - 1$, not by $n$: the model was fitted to these points, so they lie closer to it than new ones.


# %% tags=["by-hand"]
def least_squares(table, outcome):
    """Coefficients and their standard errors, the intercept first: (d + 1,), (d + 1,)."""
    X = np.column_stack([np.ones(len(table)), table])
    inverse = np.linalg.inv(X.T @ X)
    b = inverse @ X.T @ outcome
    residuals = outcome - X @ b
    s2 = residuals @ residuals / (len(X) - X.shape[1])
    return b, np.sqrt(s2 * np.diag(inverse))


raw_fit = least_squares(people.table, people.outcome)
standard_fit = least_squares(people.standardised, people.outcome)

# %% [markdown]
# The same model, with steps of one unit (left) and of one standard deviation (right). Compare *sex* and *body mass index*.

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.5), sharey=True)
panels = ((raw_fit, "one unit of its own", "Raw: not comparable"),
          (standard_fit, "one standard deviation", "Standardised: comparable"))  # fmt: skip
for ax, ((b, se), step, title) in zip(axes, panels, strict=True):
    ax.errorbar(b[1:], range(10), xerr=2 * se[1:], fmt="o", color=plots.ACCENT, capsize=3)
    ax.axvline(0, color=plots.BASELINE, linewidth=1)
    ax.set(xlabel=f"change of the score for {step}")
    ax.set_title(title, loc="left")
axes[0].set_yticks(range(10), people.names)
axes[0].invert_yaxis()
plots.show(
    "Ten coefficients with their intervals, twice. Raw: sex and log triglycerides seem to weigh most. Standardised: "
    "total cholesterol, log triglycerides and body mass index; the two kinds of cholesterol have wide intervals."
)

# %% [markdown]
# On the left sex seems to weigh four times as much as the body mass index: its one unit is the whole way from 1 to 2. After *standardisation* (subtract the mean, divide by the standard deviation) it is the other way round, and the predictions are the same.
#
# On the right, total, LDL and HDL cholesterol have wide intervals. Each can almost be calculated from the other columns (*collinearity*), so the table hardly shows what one of them does while the others stay fixed. ($R^2$ is the share of the variance that a model accounts for.)

# %% tags=["hide-input"]
for name in ("total cholesterol", "LDL cholesterol", "HDL cholesterol", "body mass index"):
    others = np.delete(people.standardised, people.names.index(name), axis=1)
    of_it = people.standardised[:, people.names.index(name)]
    print(
        f"{name:<17} from the other nine columns: R² {LinearRegression().fit(others, of_it).score(others, of_it):.2f}"
    )

# %% [markdown]
# Test it: draw 442 people with repetition from the table (a [*bootstrap*](glossary.md#bootstrap-interval)) and fit again, a thousand times.

# %%
rng = np.random.default_rng(0)
with_ldl, without_ldl = [], []
for _ in range(1000):
    drawn = rng.integers(442, size=442)
    with_ldl.append(least_squares(people.standardised[drawn], people.outcome[drawn])[0][HDL + 1])
    without_ldl.append(least_squares(nine[drawn], people.outcome[drawn])[0][HDL_OF_NINE + 1])
with_ldl, without_ldl = np.array(with_ldl), np.array(without_ldl)

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 2.7))
for values, label, style in ((with_ldl, "ten columns", "-"), (without_ldl, "without LDL", "--")):
    heights, edges = np.histogram(values, np.linspace(-40, 45, 35))
    ax.step(edges[:-1], heights, style, where="post", label=f"{label}: above 0 in {(values > 0).mean():.0%}")
ax.axvline(0, color=plots.BASELINE, linewidth=1)
ax.set(xlabel="coefficient of HDL, 1,000 draws of the people", ylabel="draws")
ax.set_title("The sign of HDL depends on who was drawn", loc="left")
ax.legend()
plots.show(
    f"Two histograms of the coefficient of HDL. With LDL it is wide and above zero in {(with_ldl > 0).mean():.0%} of "
    f"the draws; without LDL it is narrower and above zero in {(without_ldl > 0).mean():.0%}. Both cross zero."
)

# %% [markdown]
# Both histograms cross zero: **this table does not tell the sign of HDL.** A coefficient speaks about its column *with all others held fixed*. Take LDL out, and "all others" means something else. It is not a cause either: nobody was given more HDL to see what happens.

# %% [markdown]
# ## 3 · Logistic regression: multiply the odds
#
# We take three standardised columns, chosen beforehand: *size* (worst radius), *notches* in the outline (worst concave points), *texture* (worst texture).
#
# A probability $p$ cannot be a weighted sum, for it would leave 0…1. Its *odds* $\frac{p}{1-p}$ can be any positive number, and their logarithm, the *log-odds*, anything. So
#
# $$\ln\frac{p}{1-p} = b_0 + b_1 x_1 + \dots + b_d x_d \qquad\Longleftrightarrow\qquad \frac{p}{1-p} = e^{b_0} \cdot e^{b_1 x_1} \cdots e^{b_d x_d}.$$
#
# Each column *multiplies* the odds; $e^{b_j}$ is its **odds ratio** for one step. There is no formula for $b$. One starts at 0 and improves it step by step, each time by a weighted least squares in which row $i$ counts $p_i (1 - p_i)$: the rows about which the model is in doubt count most in a step (*Newton's method*). In the *result*, a row also pulls with its miss, $y_i - p_i$ ($y_i$ is 1 for malignant, 0 for benign): one about which the model is sure, and wrong, moves $b$ most (13d).


# %% tags=["by-hand"]
def fit_logistic(X, labels):
    """Coefficients and their standard errors, the intercept first. `X` has a column of ones in front."""
    b = np.zeros(X.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-X @ b))
        bend = (X.T * (chance * (1 - chance))) @ X
        b = b + np.linalg.solve(bend, X.T @ (labels - chance))
    return b, np.sqrt(np.diag(np.linalg.inv(bend)))


three = np.column_stack([np.ones(len(malignant)), tumours.three])
b, se = fit_logistic(three[train], malignant[train])
chances = 1 / (1 + np.exp(-three @ b))

# %%
print(f"right for {((chances > 0.5) == malignant)[test].mean():.2f} of {len(test)} unseen tumours")
for j, name in enumerate(lesson.THREE, 1):
    low, high = np.exp([b[j] - 2 * se[j], b[j] + 2 * se[j]])
    print(f"{name:<8} odds ratio {np.exp(b[j]):4.0f}, interval {low:3.0f} to {high:4.0f}")

# %% [markdown]
# The interval is that of section 2, $b_j \pm 2\,\text{SE}_j$, with $e$ to the power of its ends. For size it is wide: 398 tumours hardly say where the odds ratio ends. ([13d](13d_how_sure_what_needed.ipynb) puts a second interval beside it and tests which of the two keeps its promise.)

# %% [markdown]
# Read one answer: the unseen tumour that leaves the model most in doubt. Its odds begin at those of an average tumour.

# %%
doubtful = int(test[np.abs(chances[test] - 0.5).argmin()])
odds = np.exp(b[0])
print(f"{'start':<10}{'':>24}   odds {odds:5.2f}")
for name, weight, value in zip(lesson.THREE, b[1:], three[doubtful, 1:], strict=True):
    odds *= np.exp(weight * value)
    print(f"{name:<10}{value:+.2f} steps: times {np.exp(weight * value):5.2f}   odds {odds:5.2f}")
print(f"probability of malignant: odds / (1 + odds) = {odds / (1 + odds):.2f}")

# %% [markdown]
# ### Exercise: find the bug
#
# In 1999 a study in a leading medical journal reported that doctors referred one group of patients to a heart examination with an *odds ratio* of 0.6 against the other group. Newspapers and television wrote "40 per cent less likely". In the other group, A, about 91 of 100 had been referred. Were they right?
#
# Group A has the `probability` of a referral; in group B it is `times` as likely. The function shall return the odds ratio of B against A. It is half right. (`times * probability` stays below 1.)


# %% exercise="odds_ratio_of"
def odds_ratio_of(probability, times):
    """The odds of a group with `times * probability`, divided by the odds of one with `probability`."""
    # BEGIN STUB
    # second = times * probability
    # return second / (1 - second) / probability
    # END STUB
    # BEGIN SOLUTION
    second = times * probability
    return second / (1 - second) / (probability / (1 - probability))
    # END SOLUTION


# %%
exercises.odds_ratio_of.check(odds_ratio_of)

# %% [markdown]
# The newspapers were wrong, as Schwartz and others showed in the same journal. Below, the numbers of the study, and a figure: how many times as likely an odds ratio makes something, by how likely it was before.

# %% tags=["hide-input"]
tried = np.linspace(0.01, 1, 1000)
found = tried[np.abs(exercises.odds_ratio_of.reference(0.906, tried) - 0.6).argmin()]
print(f"40 % less likely would be an odds ratio of {exercises.odds_ratio_of.reference(0.906, 0.6):.2f}")
print(f"an odds ratio of 0.60 is {1 - found:.0%} less likely")

# %% tags=["hide-input"]
before = np.linspace(0.01, 0.99, 99)
figure, ax = plt.subplots(figsize=(6.5, 2.5))
for ratio, style in ((10, ":"), (4, "--"), (2, "-"), (0.6, "-.")):
    odds_after = ratio * before / (1 - before)
    ax.plot(before, odds_after / (1 + odds_after) / before, style, label=f"odds ratio {ratio}")
ax.set(xlabel="probability before", ylabel="times as likely", yscale="log", yticks=[0.6, 1, 2, 4, 10])
ax.set_yticks([0.6, 1, 2, 4, 10], ["0.6", "1", "2", "4", "10"])
ax.minorticks_off()
ax.set_title("“Ten times the odds” is seldom “ten times as likely”", loc="left")
ax.legend(fontsize=9)
plots.show(
    "Times as likely against the probability before, for odds ratios of 10, 4, 2 and 0.6: nearly the ratio itself where "
    "the probability was small, and nearly 1 where it was large."
)

# %% [markdown]
# Where a thing was rare before, an odds ratio is nearly "times as likely". Where it was common, as in this study, it is not.

# %% [markdown]
# ## 4 · A decision tree: ask the question that tells most
#
# A tree asks questions with yes and no. Which one first? The uncertainty about the class before asking is the *entropy* $H$ (Shannon, 1948), in bits; $q_c$ is the share of class $c$. The **information gain** is the uncertainty that a question takes away:
#
# $$H = -\sum_c q_c \log_2 q_c, \qquad \text{gain} = H_\text{before} - \Big(\frac{n_\text{yes}}{n} H_\text{yes} + \frac{n_\text{no}}{n} H_\text{no}\Big).$$
#
# First by hand: sixteen training tumours, eight of each class, and the question "is the worst radius above 17?"


# %%
def entropy(labels):
    """Entropy of the classes in bits. A class that does not occur adds nothing (0 · log 0 counts as 0)."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log2(shares)).sum())


sixteen = np.concatenate([train[malignant[train] == c][:8] for c in (0, 1)])
kind = malignant[sixteen]
yes = tumours.table[sixteen, tumours.names.index("worst radius")] > 17

# %% tags=["hide-input"]
for label, group in (("all", kind), ("yes", kind[yes]), ("no", kind[~yes])):
    counts = np.bincount(group, minlength=2)
    terms = " − ".join(f"{k}/{len(group)} log₂ {k}/{len(group)}" for k in counts if k)
    print(
        f"{label:<4} {counts[0]} benign, {counts[1]} malignant: H = − {terms} = {abs(entropy(group)):.3f} bits"
    )
h_yes, h_no = abs(entropy(kind[yes])), abs(entropy(kind[~yes]))
gain = entropy(kind) - yes.mean() * h_yes - (~yes).mean() * h_no
print(
    f"gain = {entropy(kind):.3f} − ({yes.sum()}/16 · {h_yes:.3f} + {(~yes).sum()}/16 · {h_no:.3f}) = {gain:.3f} bits"
)

# %% [markdown]
# Now the same for each column of all training tumours and each threshold between two values. A tree does just that, then again in each branch.


# %% tags=["by-hand"]
def best_split(values, labels):
    """The threshold of one column with the largest information gain: (gain, threshold)."""
    distinct = np.unique(values)
    best = (-1.0, 0.0)
    for threshold in (distinct[1:] + distinct[:-1]) / 2:
        side = values <= threshold
        after = side.mean() * entropy(labels[side]) + (~side).mean() * entropy(labels[~side])
        best = max(best, (entropy(labels) - after, float(threshold)))
    return best


rows = tumours.table[train]
gains = {name: best_split(rows[:, j], malignant[train]) for j, name in enumerate(tumours.names)}
ranked = sorted(gains, key=lambda name: -gains[name][0])
tree = DecisionTreeClassifier(max_depth=2, criterion="entropy", random_state=0).fit(rows, malignant[train])

# %% tags=["hide-input"]
everything = entropy(malignant[train])
figure, ax = plt.subplots(figsize=(7, 2.7))
ax.barh(ranked[:8][::-1], [gains[name][0] for name in ranked[:8][::-1]], color=plots.ACCENT)
ax.axvline(everything, color=plots.BASELINE, linestyle=":")
ax.text(everything - 0.01, 0, "all there is to know", ha="right", va="center", color=plots.BASELINE)
ax.set(xlabel="information gain of the best threshold, in bits")
ax.set_title("Several first questions gain nearly as much as the best", loc="left")
plots.show(
    f"Bars of the eight largest gains: {ranked[0]} leads with {gains[ranked[0]][0]:.2f} bits, the eighth still has "
    f"{gains[ranked[7]][0]:.2f}, of {everything:.2f} bits in all."
)

# %% [markdown]
# Several questions are nearly as good as the best one: other tumours would have made another tree. [13d](13d_how_sure_what_needed.ipynb) counts the first questions that lead to trees as good as the best. Below, the tree of *depth* 2 (two questions in a row), with the training tumours that arrive at each box.

# %% tags=["hide-input", "thumbnail"]
drawn = lesson.draw_tree(tree, tumours.names, height=4.4)
drawn.axes[0].set_title("Two questions in a row, four possible ends", loc="left")
plots.show(
    f"A tree of depth two. Its first question is whether {tumours.names[tree.tree_.feature[0]]} is at most "
    f"{tree.tree_.threshold[0]:.4g}; blue boxes are benign, orange ones malignant, pale ones unsure."
)

# %% [markdown]
# The **path** of a tumour through the tree is its explanation: two comparisons, which you can say in one sentence. How deep a tree should be, and what to do about questions that gain much on the training rows and do not help on new ones, is in 13b.

# %% [markdown]
# ## 5 · Ask any model: partial dependence
#
# A *random forest* lets many deep trees vote, each fitted to another draw of the rows (Breiman, 2001); nobody reads thousands of questions. But you can *ask*. Set column $j$ to the value $v$ **in every row**, leave the rest as it is, and take the mean of the answers (Friedman, 2001):
#
# $$\text{PD}_j(v) = \frac{1}{n} \sum_{i=1}^{n} f(x_{i1}, \dots, x_{i,j-1},\; v,\; x_{i,j+1}, \dots, x_{id}).$$
#
# Here $f$ is the model and $x_{ik}$ the value of row $i$ in column $k$. Without the mean you have one curve a row (*ICE*, individual conditional expectation).


# %% [markdown]
# ### Exercise: write it
#
# The formula as code, five lines. `predict` takes rows and gives one number a row; `grid` holds the values of $v$. Do not change `table` itself.


# %% exercise="dependence"
def dependence(predict, table, column, grid):
    """The mean answer over all rows for each value of the grid, as an array."""
    # BEGIN SOLUTION
    answers = []
    for value in grid:
        changed = table.copy()
        changed[:, column] = value
        answers.append(predict(changed).mean())
    return np.array(answers)
    # END SOLUTION


# %%
exercises.dependence.check(dependence)

# %% [markdown]
# The lesson now calls the course's version, `partial_dependence`.
#
# Between line and forest stands a glass box that has curves *inside*: the **additive model** $\hat y = b_0 + f_1(x_1) + \dots + f_d(x_d)$ gives each column a smooth curve of its own instead of a line (Hastie and Tibshirani, 1986). If you change column $j$ there, only $f_j$ changes. So its partial dependence *is* its curve, up to a constant. We fit a line, curves and a forest to the
# diabetes table. (*Splines* are smooth pieces that join; the *ridge* is a penalty that keeps them calm.)

# %%
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

curves = make_pipeline(StandardScaler(), SplineTransformer(n_knots=6), RidgeCV(np.logspace(-2, 3, 12)))
readers = {
    "line": make_pipeline(StandardScaler(), LinearRegression()),
    "additive": curves,
    "forest": RandomForestRegressor(50, max_depth=6, random_state=0),
}
asked = [people.names.index(name) for name in ("body mass index", "log triglycerides", "HDL cholesterol")]
shapes = {}
for name, model in readers.items():
    model.fit(people.table, people.outcome)
    for j in asked:
        grid = np.quantile(people.table[:, j], np.linspace(0.02, 0.98, 25))
        shapes[name, j] = (grid, partial_dependence(model.predict, people.table, j, grid))

# %% [markdown]
# Where do the three agree?

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 2.9), sharey=True)
for ax, j in zip(axes, asked, strict=True):
    for name, style in (("line", "--"), ("additive", "-"), ("forest", ":")):
        grid, shape = shapes[name, j]
        ax.plot(grid, shape - shape.mean(), style, linewidth=2, label=name)
    ax.plot(people.table[:, j], np.full(442, -58), "|", color=plots.INK, alpha=0.2)
    ax.set(xlabel=people.names[j])
axes[0].set_ylabel("change of the score")
axes[0].legend(fontsize=9)
figure.suptitle("Partial dependence: three models agree on two columns, not on HDL", fontsize=11)
plots.show(
    "Curves of a line, an additive model and a forest for three columns. For body mass index and log triglycerides "
    "all three rise; for HDL the line rises a little and the other two fall."
)

# %% [markdown]
# On body mass index and triglycerides all three rise, in different shapes. On HDL the line rises and the other two fall. Make no story of it: with other people drawn, the line fell as well in about three of ten draws (section 2). And on unseen people no gain of the curves over the line can be shown; the forest is a little worse (13b).
#
# ### The truth, and a trap
#
# A town whose prices follow a formula: a flat costs 60 + 3 · area + 0.5 · area · park + 5 · floor − 30 if cats are banned (in thousand euros; `park` is 1 when one is near). With the mean area of 65 m², a park is worth 32.5 on average. A forest learns the prices in two such towns. In the first, parks lie anywhere. In the second, where the
# flats are large: no flat of 30 m² has one, each of 100 m² has one.

# %%
flats, areas = {}, np.arange(30, 101, 10.0)
true_curve = (
    60 + (3 + 0.5 * 0.5) * areas + 5 * 2 - 30 / 3
)  # half have a park, mean floor 2, a third without cats
for name in ("apartments", "apartments_correlated"):
    town = load_lab("tabular", table=name, model="forest")
    park = partial_dependence(town.predict, town.table, 0, np.array([0.0, 1.0]))
    flats[name] = partial_dependence(town.predict, town.table, 1, areas) - true_curve
    with_park = town.table[:, 0] == 1
    plain = town.targets[with_park].mean() - town.targets[~with_park].mean()
    print(
        f"{name:<22} a park adds {park[1] - park[0]:5.1f} (truth 32.5; mean with minus mean without: {plain:.1f})"
    )

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 2.7))
for (name, error), style in zip(flats.items(), ("o-", "s--"), strict=True):
    ax.plot(
        areas, error, style, label="parks anywhere" if name == "apartments" else "parks where flats are large"
    )
ax.axhline(0, color=plots.BASELINE, linewidth=1)
ax.set(xlabel="area, m²", ylabel="partial dependence − truth")
ax.set_title("Wrong where the table has no such flats", loc="left")
ax.legend()
plots.show(
    f"Error of the partial dependence of the area. Parks anywhere: at most {np.abs(flats['apartments']).max():.0f} "
    f"thousand euros. Parks where flats are large: up to {np.abs(flats['apartments_correlated']).max():.0f} at 100 m²."
)

# %% [markdown]
# In the second town the forest gives the park too little, and at 100 m² the curve is far off. Partial dependence asks about flats of 100 m² *without* a park. There are none, so the forest answers for all with the price *with* a park. Half of the flats have none, so the mean is too large by 0.5 · 100 · ½ = 25. At 30 m² it is the other way round: too small by 0.5 · 30 · ½ = 7.5. **The curve describes the model. Where no rows are, the model has never been tested.** Still, it is far
# better than the plain difference of means, which counts the large flats' price as the park's.


# %% tags=["hide-input"]
def ask(column, model, person):
    j = people.names.index(column)
    grid = np.quantile(people.table[:, j], np.linspace(0.02, 0.98, 25))
    single = ice_curves(readers[model].predict, people.table[::9], j, grid)
    figure, ax = plt.subplots(figsize=(7, 2.8))
    ax.plot(grid, single.T, color=plots.BASELINE, alpha=0.25, linewidth=1)
    ax.plot(
        grid, single.mean(axis=0), color=plots.ACCENT, linewidth=3, label="mean of these (partial dependence)"
    )
    one = ice_curves(readers[model].predict, people.table[person : person + 1], j, grid)[0]
    ax.plot(grid, one, color=plots.COLOURS[1], linewidth=2, label=f"person {person}")
    ax.set(xlabel=column, ylabel="predicted score")
    ax.set_title(f"{model}: what it answers as {column} changes", loc="left")
    ax.legend(fontsize=9)
    plots.show(f"One thin curve a person, their mean, and person {person}: {model}, {column}.")


# %% [markdown]
# **Play.** One thin curve a person (every ninth), their mean, and one person. For the line and the additive model all curves are parallel, so the mean hides nothing. Find a column where the forest's are not. (Below, a still picture.)
#
# <details><summary>One answer</summary>
#
# Age: from the youngest to the oldest the mean hardly changes, but some single curves fall and others rise. The mean hides it. Part of this is chance: if the forest learns from *shuffled* ages, its curves fan out, too, about half as wide.
#
# </details>

# %% tags=["hide-input"]
widgets.explore(
    ask,
    column=widgets.choice("column", list(people.names), "log triglycerides"),
    model=widgets.choice("model", list(readers), "forest"),
    person=widgets.slider("person", 0, 441, 10),
)

# %% tags=["hide-input"]
ask("body mass index", "forest", 10)  # a still picture of the same

# %% [markdown]
# ## 6 · Ask any model: permutation importance
#
# Which columns does a model need? Spoil one and look: shuffle the values of column $j$ among the rows, so that they keep their distribution and lose their meaning (Breiman, 2001; Fisher and others, 2019). With $S$ the score (larger is better) and $X^{(j)}$ the table with column $j$ shuffled,
#
# $$\text{importance}_j = S\big(y, f(X)\big) - S\big(y, f(X^{(j)})\big),$$
#
# the mean over a few shuffles, **on rows that the model was not fitted to**. A forest of the tumours, and a thirty-first column as a control: pure noise.

# %%
noisy = np.column_stack([tumours.table, np.random.default_rng(0).normal(size=len(malignant))])
names = (*tumours.names, "noise (control)")
forest = RandomForestClassifier(60, random_state=0).fit(noisy[train], malignant[train])
print(f"the forest is right for {forest.score(noisy[test], malignant[test]):.3f} of the unseen tumours")

# %% [markdown]
# ### Exercise: predict, then run
#
# You shuffle each of the columns alone, ten times, and note by how much the accuracy falls on average. How large is the fall for the *most* important column? Write a number, such as 0.3 (within 0.025 counts as right), and run the two cells below it.

# %% exercise="fall_alone"
fall_of_the_first = None  # between 0 and 1
# BEGIN SOLUTION
fall_of_the_first = 0.01
# END SOLUTION


# %% tags=["by-hand"]
def shuffle(table, column, rng):
    """A copy of the table with one column shuffled."""
    shuffled = table.copy()
    shuffled[:, column] = rng.permutation(table[:, column])
    return shuffled


rng, before = np.random.default_rng(0), forest.score(noisy[test], malignant[test])
falls = np.array([[before - forest.score(shuffle(noisy[test], j, rng), malignant[test]) for _ in range(10)]
                  for j in range(len(names))])  # fmt: skip

# %%
exercises.fall_alone.check(fall_of_the_first, falls)

# %% [markdown]
# Now shuffle whole groups of columns that measure nearly the same, with the course's `permutation_importance`. The control: nine columns of other kinds, the most important single one among them.

# %%
groups = {
    what: [j for j, name in enumerate(names) if any(word in name for word in words)]
    for what, words in (
        ("all nine of size", ("radius", "perimeter", "area")),
        ("all six of notches", ("conca",)),
        ("these fifteen", ("radius", "perimeter", "area", "conca")),
        ("nine others (control)", ("texture", "smoothness", "symmetry")),
    )
}
together = permutation_importance(
    forest.predict, noisy[test], malignant[test], accuracy_score, 10, groups=list(groups.values())
)

# %% tags=["hide-input"]
strongest = [*np.argsort(-falls.mean(axis=1))[:6], len(names) - 1]
rows = {names[j]: (falls[j].mean(), falls[j].min(), falls[j].max()) for j in strongest}
rows |= {name: (f.mean(), f.min(), f.max()) for name, f in zip(groups, together, strict=True)}
figure, ax = plt.subplots(figsize=(8, 4))
lesson.draw_intervals(ax, rows, grey=("noise (control)", "nine others (control)"), decimals=3,
                      colours=dict.fromkeys(groups, plots.COLOURS[1]))  # fmt: skip
ax.set(xlabel="fall of the accuracy on unseen tumours (bars: smallest to largest of ten shuffles)")
ax.set_title("One column costs little, and so do nine others; size together costs much", loc="left")
plots.show(
    f"The six most important single columns cost at most {falls.mean(axis=1).max():.3f} of the accuracy, the noise "
    f"{falls[-1].mean():.3f}. All nine columns of size together cost {together[0].mean():.2f}, fifteen columns "
    f"{together[2].mean():.2f}; nine others only {together[3].mean():.2f}."
)

# %% [markdown]
# Alone, no column costs more than about two of the 171 tumours. Read alone, this list says that the tumour's size is unimportant. Shuffle the nine columns of size *together*, and the forest loses about a quarter of its right answers; the control shows that it is not the number of columns. **An importance of zero does not say which: "tells nothing" (the noise), or "not needed while the others are there".** Look at groups of columns that move together. (*Left out*, with a new forest, they cost hardly anything: 13d.)
#
# Forests come with a list of their own, `feature_importances_`. On the diabetes table a random patient number stands before several real columns in it: 13d shows why.

# %% [markdown]
# ## 7 · The proof: the agreement table
#
# Each method beside an independent library. For the importance we repeat scikit-learn's own shuffles, which it never puts back: its second order is the first one shuffled again. The last row is a fact of algebra: the partial dependence of a sum of curves is the curve.

# %% tags=["hide-input"]
from scipy.optimize import curve_fit
from sklearn import inspection
from sklearn.linear_model import LogisticRegression

_, covariance = curve_fit(lambda rows, *w: w[0] + rows @ np.array(w[1:]), people.standardised, people.outcome,
                          p0=np.ones(11))  # fmt: skip
logistic = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(
    tumours.three[train], malignant[train]
)
stump = (
    DecisionTreeClassifier(max_depth=1, criterion="entropy").fit(tumours.table[train], malignant[train]).tree_
)
stump_gain = stump.impurity[0] - stump.n_node_samples[1:] / stump.n_node_samples[0] @ stump.impurity[1:]
brute = inspection.partial_dependence(
    readers["forest"], people.table, [2], grid_resolution=20, method="brute"
)
fast = inspection.partial_dependence(
    readers["forest"], people.table, [2], grid_resolution=20, method="recursion"
)
ours = partial_dependence(readers["forest"].predict, people.table, 2, brute["grid_values"][0])
library = inspection.permutation_importance(forest, noisy[test], malignant[test], n_repeats=2, random_state=0)
same_shuffles = permutation_importance(forest.predict, noisy[test], malignant[test], accuracy_score,
                                       orders=lesson.scikit_learn_orders(len(test), 2, 0))  # fmt: skip
bmi = people.table[:, 2]
basis = curves[:-1].transform(people.table).reshape(442, 10, -1)[:, 2]
inside = basis @ curves[-1].coef_.reshape(10, -1)[2]
outside = partial_dependence(curves.predict, people.table, 2, bmi[:40])

# %% tags=["nbval-check-output"]
judge.agreement_table(
    [
        ("scipy curve_fit, errors", standard_fit[1] / np.sqrt(np.diag(covariance)), np.ones(11), "ratio; n − d − 1"),
        ("scikit-learn logistic", b, np.append(logistic.intercept_, logistic.coef_), "no penalty (C = infinity)"),
        ("scikit-learn tree, gain", gains[ranked[0]][0], stump_gain, "entropy in bits"),
        ("scikit-learn dependence", ours, brute["average"][0], "method brute: all rows of the table"),
        ("the same, recursion", ours / ours.mean(), fast["average"][0] / ours.mean(), "training rows, by path"),
        ("scikit-learn importance", same_shuffles, library.importances, "the same orders of the rows"),
        ("curve inside = outside", outside - outside[0], inside[:40] - inside[0], "an additive model"),
    ]
)  # fmt: skip

# %% [markdown]
# One row does not agree: for forests scikit-learn offers a fast way (*recursion*, its default where it can). It does not change rows. At each question about another column it follows both branches and weights them by how many training rows went there. Where columns move together, that is another average.

# %% [markdown]
# ## 8 · The score: what does reading cost?
#
# Does one pay for readability with accuracy? Measure it on the tumours and on 1,797 handwritten digits (64 pixels, 10 classes). *Readability* has no agreed unit. A crude one: how many numbers do you need to repeat one answer by hand? For the tumours: 3 for a tree of depth 3, 31 for the logistic regression, hundreds for the forest. Your guess?

# %% tags=["hide-input"]
exercises.trade_off

# %%
from sklearn.datasets import load_digits
from tqdm.auto import tqdm


def candidates(seed):
    return {
        "tree, depth 3": DecisionTreeClassifier(max_depth=3, random_state=seed),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "forest": RandomForestClassifier(100, random_state=seed),
    }


tables, right = {"tumours": (tumours.table, malignant), "digits": load_digits(return_X_y=True)}, {}
for what, (rows, labels) in tables.items():
    for seed in tqdm(range(5), desc=what, leave=False):  # five splits, four parts each
        for name, model in candidates(seed).items():
            parts = KFold(4, shuffle=True, random_state=seed)
            said = cross_val_predict(model, rows, labels, cv=parts) == labels
            right.setdefault((what, name), []).append(said)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 2.3))
for ax, what in zip(axes, tables, strict=True):
    scores = {name: np.mean(right[what, name], axis=0) for name in candidates(0)}
    rows = {name: (score.mean(), *judge.bootstrap_interval(score)) for name, score in scores.items()}
    lesson.draw_intervals(ax, rows, grey=("forest",), decimals=3)
    ax.set(xlabel="share right, mean of five splits", xlim=(0.9, 1.0) if what == "tumours" else (0.4, 1.06))
    ax.set_title({"tumours": "tumours: the sum is not behind", "digits": "digits: depth 3 is not enough"}[what],
                 loc="left")  # fmt: skip
plots.show("Share right of a small tree, a logistic regression and a forest on two tables. On the tumours all three are "
           "above 0.9; on the digits the small tree is right for less than half.")  # fmt: skip

# %% tags=["hide-input"]
for what in tables:
    mean = {name: np.mean(right[what, name], axis=0) for name in candidates(0)}
    for first_, second_ in (("logistic", "forest"), ("logistic", "tree, depth 3")):
        ahead = sum(
            a.mean() > b.mean() for a, b in zip(right[what, first_], right[what, second_], strict=True)
        )
        gap = judge.paired(mean[first_], mean[second_])
        print(
            f"{what}: {first_} minus {second_} {gap.mean:+z.3f}",
            f"(95 % interval {gap.low:+z.3f} to {gap.high:+z.3f}), ahead in {ahead} of 5 splits",
        )

# %% [markdown]
# The printed lines are [paired](glossary.md#paired-difference): both models answered the same cases, and each case counts with its mean over five splits. On the tumours the sum of thirty terms is not behind the forest (rather a little ahead), and clearly better than the small tree. On the digits the forest is a little ahead, and there "reading" means 650 numbers. So the trade-off is neither a law nor a
# myth: **measure it on your own table, and begin with the simplest model.** On photographs (not measured here) a sum of pixels is far behind; hence the rest of this course.

# %% [markdown]
# ## 9 · Your turn
#
# Change the two names in the first line. Tables: `"breast_cancer"`, `"diabetes"`, `"iris"`, `"wine"`, or the path of a CSV file with a line of names and the target in the last column. Models: `"linear"`, `"tree"`, `"forest"`, `"network"`.

# %%
table, model = "wine", "forest"

mine = lesson.own_table(table, model)
rows, truth = mine.table[mine.unseen], mine.targets[mine.unseen]
score = accuracy_score if mine.is_classifier else r2_score
needed = permutation_importance(mine.model.predict, rows, truth, score, 10)
best = np.argsort(-needed.mean(axis=1))[:3]


def answer(rows):
    """What the curves show."""
    return mine.model.predict_proba(rows)[:, -1] if mine.is_classifier else mine.model.predict(rows)


# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), sharey=True)
for ax, j in zip(axes, best, strict=False):
    grid = np.quantile(mine.table[:, j], np.linspace(0.02, 0.98, 25))
    ax.plot(grid, partial_dependence(answer, mine.table, j, grid), linewidth=2)
    ax.plot(mine.table[:, j], np.full(len(mine.table), 0.03), "|", color=plots.INK, alpha=0.2,
            transform=ax.get_xaxis_transform())  # fmt: skip
    ax.set(xlabel=str(mine.names[j]).replace("_", " "))
    ax.set_title(f"shuffled alone, score {-needed[j].mean():+.3f}", fontsize=10)
axes[0].set_ylabel("probability of the last class" if mine.is_classifier else "predicted number")
figure.suptitle(f"{table}, {model}: the three columns it needs most (ticks below: the rows)", fontsize=11)
plots.show(f"Partial dependence of the three columns that a {model} of the table {table} needs most.")

# %% [markdown]
# ## 10 · Recap
#
# - A coefficient holds *all other columns of its model* fixed. Standardise before you compare, and look at its interval before you tell its story.
# - An odds ratio is not "times as likely".
# - A tree asks the question with the largest gain first; several others are nearly as good.
# - Partial dependence and permutation importance ask any model. They make rows that never occur when columns move together: look at groups, add a column of noise, use unseen rows.
# - Whether reading costs accuracy is a measurement, not a belief.
#
# **Companions.** [13b · Glass boxes that mislead](13b_other_stories.ipynb): how deep a tree, naive Bayes and its certainty, curves without a gain, accuracy from nothing. [13d · How sure, and what is needed](13d_how_sure_what_needed.ipynb): the error of a prediction, two intervals and which one keeps its promise, what a model needs and what the table needs, a random number that seems important, trees that are equally good. [13c · Telling it to people](13c_telling.ipynb): why this *rather than* that, two reasons of thirty, four audiences, rules out of a network, a program that answers WHY and HOW.
#
# <details>
# <summary>The paper in ten questions</summary>
#
# C. Rudin: *Stop explaining black box machine learning models for high stakes decisions and use interpretable models instead* (Nature Machine Intelligence, 2019).
#
# 1. **Which problem?** Decisions about people (bail, credit, medicine) are left to models that nobody can read, with an explanation attached afterwards.
# 2. **Is it new?** Readable models are old. That they should replace black boxes was never said so clearly.
# 3. **Which hypothesis?** On data with meaningful columns there is usually a readable model that is as accurate.
# 4. **Related work, and who?** Breiman's "Two cultures" (2001), Lipton (2018), Miller (2019). The author works at Duke University on sparse rules and scores.
# 5. **The key idea?** An explanation made afterwards cannot be perfectly faithful: if it were, it would be the model itself.
# 6. **Which experiments?** It is an argument with examples (new crimes, seizures, pictures with prototypes), not a benchmark.
# 7. **Data and code?** Public data such as ProPublica's COMPAS table; the author's group publishes its programs.
# 8. **Do the results support it?** Section 8 found it on the tumours, if a sum of thirty terms counts as readable (a tree of depth 3 was worse); on the digits the forest stayed a little ahead. For raw pictures and text the claim is much weaker, and section 1 showed that glass boxes can mislead as well.
# 9. **What did it contribute?** Who must prove it: whoever uses a black box where much is at stake should show that a readable model is worse.
# 10. **What next?** Readable models for pictures (prototype networks, concept bottlenecks), and explanations that are tested instead of believed (lesson 12).
#
# </details>
#
# **References**
# - [Rudin, 2019: Stop explaining black box machine learning models](https://arxiv.org/abs/1811.10154)
# - [Friedman, 2001: Greedy function approximation (partial dependence)](https://doi.org/10.1214/aos/1013203451)
# - [Breiman, 2001: Random forests (permutation importance)](https://doi.org/10.1023/A:1010933404324)
# - [Fisher, Rudin and Dominici, 2019: All models are wrong, but many are useful (model reliance)](https://arxiv.org/abs/1801.01489)
# - [Goldstein and others, 2015: Peeking inside the black box (ICE)](https://arxiv.org/abs/1309.6392)
# - [Hooker, Mentch and Zhou, 2021: Unrestricted permutation forces extrapolation](https://arxiv.org/abs/1905.03151)
# - [Efron and others, 2004 (diabetes)](https://doi.org/10.1214/009053604000000067); [Street and others, 1993 (tumours)](https://doi.org/10.1117/12.148698)
# - [Hastie and Tibshirani, 1986](https://doi.org/10.1214/ss/1177013604); [Shannon, 1948](https://doi.org/10.1002/j.1538-7305.1948.tb01338.x)
# - [Schwartz and others, 1999](https://doi.org/10.1056/NEJM199907223410411)
