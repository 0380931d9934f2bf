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
# # 13d · Glass boxes: how sure, and what is needed
#
# **The question.** How far off may one prediction be, and which columns does anybody need for it?
#
# This companion of [13 · Glass boxes](13_glass_boxes.ipynb) tests what error bars, importances and single trees promise.
#
# **After this lesson you can**
# - say how far off a single prediction may be, and test whether an interval keeps its promise;
# - tell what a model needs from what the table needs, and why a random number may look important;
# - count the models that are equally good, and know which part of that count is noise.
#
# **Time**: about <!-- minutes --> minutes. **Before**: the core lesson.
#
# The first cell loads the same two real tables as the core lesson: 442 people with diabetes, and 569 breast tumours with thirty columns, three tenths of them held back. `ten_parts` cuts a table into ten parts; each part is answered by a model that was fitted to the other nine (*ten-fold cross-validation*).

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold
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
# ## 1 · How far off may a prediction be?
#
# The core lesson gave each *coefficient* a standard error. A person wants one for *their own prediction*. Let $z$ be the new row with a 1 in front. The fitted line at $z$ has the variance $s^2\, z^\top (X^\top X)^{-1} z$, since other people would have given another line. The person's own distance from the line has the variance $s^2$, the same for everybody: an assumption. The two are independent. ($X$ is the table with a column of ones
# in front, $d$ the number of columns without it, and $s^2$ the sum of the squared residuals divided by $n - d - 1$.)
#
# ### Exercise: the error of a prediction
#
# `table` is (n, d), `new` is (m, d), both *without* a column of ones; return the m standard errors.


# %% exercise="outcome_errors"
def outcome_errors(table, outcome, new):
    """Standard error of the predicted outcome of each new row, the person's own scatter included: (m,)."""
    # BEGIN SOLUTION
    X, Z = (np.column_stack([np.ones(len(rows)), rows]) for rows in (table, new))
    residuals = outcome - X @ np.linalg.lstsq(X, outcome, rcond=None)[0]
    s2 = residuals @ residuals / (len(X) - X.shape[1])
    of_line = ((Z @ np.linalg.inv(X.T @ X)) * Z).sum(axis=1)
    return np.sqrt(s2 * (of_line + 1))
    # END SOLUTION


# %%
exercises.outcome_errors.check(outcome_errors)

# %% [markdown]
# Is the promise kept? Predict each tenth of the people from the other nine, and count how many outcomes lie within two standard errors. Beside it the error of the line alone, which is what many plots show as a band:

# %%
inside, on_line, widths, guesses, misses = [], [], [], [], []
for part, rest in ten_parts.split(people.table):
    fitted = LinearRegression().fit(people.table[part], people.outcome[part])
    guesses += list(fitted.predict(people.table[rest]))
    off = np.abs(guesses[-len(rest) :] - people.outcome[rest])
    misses += list(off)
    se = exercises.outcome_errors.reference(people.table[part], people.outcome[part], people.table[rest])
    s = np.sqrt(((people.outcome[part] - fitted.predict(people.table[part])) ** 2).sum() / (len(part) - 11))
    inside += list(off < 2 * se)
    on_line += list(off < 2 * np.sqrt(se**2 - s**2))
    widths += list(2 * se)

# %% tags=["hide-input"]
print(
    f"within two errors of the prediction: {np.mean(inside):.0%} of the people (about ±{np.mean(widths):.0f} points)"
)
print(f"within two errors of the line alone: {np.mean(on_line):.0%}")
thirds = np.array_split(np.argsort(guesses), 3)
for name, third in zip(("lowest", "middle", "highest"), thirds, strict=True):
    spread = np.sqrt(np.mean(np.square(misses)[third]))  # the root of the mean squared miss
    print(
        f"{name:<8} third of the predictions: {np.mean(np.array(inside)[third]):.0%}, misses about {spread:.0f}"
    )
print(f"the outcomes run from {people.outcome.min():.0f} to {people.outcome.max():.0f}")

# %% [markdown]
# On average the promise is kept, and it is a sobering one: a single prediction may be off by more than a hundred points of a score that runs from 25 to 346. The narrow band says how well the *line* is known. It says next to nothing about a person. **Ask of each error bar what it is an error of.**
#
# *On average*: the width is nearly the same for everybody, the misses are not. Where the prediction is low they are much smaller, so the interval is too wide there (and, if anything, a little too narrow where it is high). The assumption of one $s^2$ for everybody does not hold. Count the promise in groups, too.
#
# ### Two intervals of odds ratios: which one do you trust?
#
# The core lesson gave each odds ratio of its logistic regression of the tumours an interval of two standard errors to both sides of the coefficient (*Wald's*). Here the interval of a bootstrap stands beside it: fit to a thousand draws of the training tumours, and take the middle 95 % of the coefficients. For size the upper ends differ by a factor of more than 200. Which one do you trust? **Decide now.**
# (`lesson.fit_logistic` is the core's function for many draws at once: one fit for each row of its last argument, which says how often each tumour counts.)

# %%
n, rows = len(train), np.column_stack([np.ones(len(train)), tumours.three[train]])
once = np.ones((1, n))
b, se = (values[0] for values in lesson.fit_logistic(rows, malignant[train], once))
chances = 1 / (1 + np.exp(-rows @ b))
again = np.random.default_rng(0).multinomial(n, np.ones(n) / n, size=1000)
drawn_b, _ = lesson.fit_logistic(rows, malignant[train], again)
bootstrap = np.quantile(drawn_b, [0.025, 0.975], axis=0)
print("odds ratio of size, Wald:     ", *(f"{np.exp(b[1] + k * se[1]):10,.0f}" for k in (-2, 2)))
print("odds ratio of size, bootstrap:", *(f"{end:10,.0f}" for end in np.exp(bootstrap[:, 1])))

# %% tags=["hide-input"]
bars = {}
for j, name in enumerate(lesson.THREE, 1):
    bars[f"{name}, Wald"] = (np.exp(b[j]), *np.exp([b[j] - 2 * se[j], b[j] + 2 * se[j]]))
    bars[f"{name}, bootstrap"] = (np.exp(b[j]), *np.exp(bootstrap[:, j]))
figure, ax = plt.subplots(figsize=(8, 3.2))
lesson.draw_intervals(ax, bars, grey=[name for name in bars if "bootstrap" in name], decimals=0)
ax.set(xscale="log", xlabel="odds ratio for one standard deviation (logarithmic axis)", xlim=(1, 1e6))
ax.set_title("The same odds ratios, but the bootstrap's intervals end much higher", loc="left")
plots.show(
    "Odds ratios of size, notches and texture with two intervals each. For size Wald's interval ends at "
    f"{np.exp(b[1] + 2 * se[1]):,.0f}, the bootstrap's at {np.exp(bootstrap[1, 1]):,.0f}; its lower end is higher, too."
)

# %% [markdown]
# Where does the wide one come from? Take the two training tumours that surprise the model most, and sort the draws by how many of the two are in them.

# %%
surprise = np.abs(malignant[train] - chances)
strange, next_two = np.argsort(-surprise)[:4].reshape(2, 2)
for what, pair in (("two", strange), ("next two", next_two)):
    print(f"{what:<9}malignant: {malignant[train][pair]}, the model says {chances[pair].round(3)}")
number = (again[:, strange] > 0).sum(axis=1)
for k, what in ((2, "both"), (1, "one"), (0, "neither")):
    median = np.median(np.exp(drawn_b[number == k, 1]))
    print(f"draws with {what:<8}{np.mean(number == k):4.0%}   median odds ratio of size {median:8,.0f}")
control = (again[:, next_two] > 0).sum(axis=1) == 0
print(f"control, draws without the next two tumours:      {np.median(np.exp(drawn_b[control, 1])):8,.0f}")

# %% [markdown]
# Two tumours decide. Both are malignant, and the model gives them a chance of 1 in 1,000: they lie far on the wrong side of its border. Its other errors lie nearer (the next two), and do not decide (control). Errors far away are what holds the coefficients down: in draws with neither of the two (one in eight) they become huge. (Without a single error they would grow without end: *separation*.)
#
# So is the wide interval the honest one? **An interval is a promise, and a promise can be tested** where the truth is known. Keep the rows, and draw new labels with the model's own probabilities: now the model's coefficients are the truth. How often does each interval hold them? (100 tables, and 100 draws for each bootstrap.)

# %%
truth, rng = b, np.random.default_rng(0)
held, too_high, wider, sizes, as_strange = {"Wald": [], "bootstrap": []}, [], [], [], 0
for _ in tqdm(range(100), desc="tables with a known truth", leave=False):
    labels = (rng.random(n) < chances).astype(float)
    new_b, se = (values[0] for values in lesson.fit_logistic(rows, labels, once))
    again = rng.multinomial(n, np.ones(n) / n, size=100)
    drawn_b = lesson.fit_logistic(rows, labels, again)[0]
    # "weibull": a hundred draws do not reach as far as all draws would; this makes up for it
    low, high = np.quantile(drawn_b, [0.025, 0.975], axis=0, method="weibull")
    held["Wald"].append((np.abs(new_b - truth) < 2 * se)[1:])
    held["bootstrap"].append(((low < truth) & (truth < high))[1:])
    too_high.append((low > truth)[1:])
    wider.append((high - low > 4 * se)[1:])
    sizes.append((new_b[1] / truth[1] - 1, np.median(drawn_b[:, 1]) / new_b[1] - 1))
    as_strange += np.sort(np.abs(labels - chances))[-2] >= surprise[strange].min()

# %% tags=["hide-input"]
for name, hits in held.items():
    error = np.mean(hits, axis=1).std() / np.sqrt(len(hits))
    print(
        f"{name:<10} holds the true odds ratio in {np.mean(hits):.0%} ± {2 * error:.0%} of the cases (95 % promised)"
    )
missed = (~np.array(held["bootstrap"])).sum()
print(f"the bootstrap misses {missed} times, {np.sum(too_high)} of them with a lower end that is too high")
print(f"the bootstrap's interval is the wider one in {np.mean(wider):.0%} of the cases")
grown, again_grown = np.median(sizes, axis=0)
print(f"coefficient of size (medians): {grown:+.0%} in a table, and another {again_grown:+.0%} in its draws")
print(f"tables with two tumours as surprising as ours: {as_strange} of {len(wider)}")

# %% [markdown]
# The wide one misses more often, nearly always with its *lower* end. (A fit to so few tumours makes the coefficients a little too large. A draw with repetition has still fewer different tumours, and a fit to it does the same once more.) Wider is not safer. All this tests the intervals where the model is true. Is it true for our tumours? The last line doubts it: hardly any table from the model holds two tumours as surprising as ours. So read about size "about twenty or more", Wald's lower end; where the odds ratio ends, the table hardly says.

# %% [markdown]
# ## 2 · What the model needs, and what the table needs
#
# In the core lesson the nine columns of size were shuffled together, and the forest lost a quarter of its right answers. We had put the group together by the names. Let the table do it: columns whose [rank correlation](glossary.md#rank-correlation) is large belong together. *Hierarchical clustering* joins the two most similar columns, then the next ones, and so on; the figure shows at which distance (1 − the size of the correlation, between groups its mean) which branches meet. We cut at 0.4, a choice: a little further right the two families would be one.

# %%
from scipy.cluster.hierarchy import dendrogram, fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

distance = 1 - np.abs(spearmanr(tumours.table[train]).statistic)
joined = linkage(squareform(distance, checks=False), "average")
cluster = fcluster(joined, 0.4, "distance")
groups = {}
for k in np.unique(cluster):
    inside_it = np.flatnonzero(cluster == k)
    more = f" and {len(inside_it) - 1} more" if len(inside_it) > 1 else ""
    groups[tumours.names[inside_it[0]] + more] = [int(j) for j in inside_it]
print(f"{len(groups)} groups; the two largest:")
for group in sorted(groups.values(), key=len)[-2:]:
    print("  ", ", ".join(tumours.names[j] for j in group[:4]), f"… ({len(group)} columns)")
both = sorted(groups.values(), key=len)[-2:]
groups["both families together"] = [*both[0], *both[1]]  # a tenth row for the experiment below

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 5.2))
with plt.rc_context({"lines.linewidth": 1.2}):
    dendrogram(joined, labels=list(tumours.names), orientation="right", color_threshold=0.4, ax=ax,
               above_threshold_color=plots.BASELINE, leaf_font_size=9)  # fmt: skip
ax.axvline(0.4, color=plots.INK, linestyle=":", linewidth=1)
ax.set(xlabel="distance: 1 − |rank correlation| (dotted: where we cut)")
ax.set_title("Two large families: size, and notches", loc="left")
plots.show(
    "A tree that joins similar columns. Radius, perimeter and area, nine columns, meet at small distances; so do "
    "compactness, concavity and concave points, another nine."
)

# %% [markdown]
# Now two questions that sound alike. *How much worse is **this forest** when a group is shuffled?* And: *how much worse is **a new forest** that never had the group?* **Predict** the second number for the nine columns of size, then run. (Five splits of the table, paired.)

# %%
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, r2_score

from course_utils.methods.dependence import permutation_importance

shuffled, left_out = [], []
for seed in tqdm(range(5), desc="splits", leave=False):
    t = lesson.tumours(seed)
    seen, labels, new, truth = t.table[t.train], t.malignant[t.train], t.table[t.test], t.malignant[t.test]
    forest = RandomForestClassifier(40, random_state=seed).fit(seen, labels)
    shuffled.append(permutation_importance(
        forest.predict, new, truth, accuracy_score, 5, seed, groups=list(groups.values())
    ).mean(axis=1))  # fmt: skip
    left_out.append([])
    for group in groups.values():
        rest = np.setdiff1d(np.arange(30), group)
        refitted = RandomForestClassifier(40, random_state=seed).fit(seen[:, rest], labels)
        left_out[-1].append(forest.score(new, truth) - refitted.score(new[:, rest], truth))
shuffled, left_out = np.array(shuffled), np.array(left_out)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, sharex=True)
ranked = np.argsort(-shuffled.mean(axis=0))
panels = (
    (shuffled, "shuffled: what this forest needs"),
    (left_out, "left out, fitted anew: what the table needs"),
)
for ax, (values, title) in zip(axes, panels, strict=True):
    rows = {list(groups)[k]: (values[:, k].mean(), values[:, k].min(), values[:, k].max()) for k in ranked}
    lesson.draw_intervals(ax, rows, decimals=2)
    ax.axvline(0, color=plots.BASELINE, linewidth=1)
    ax.set(xlabel="fall of the accuracy (bars: five splits)")
    ax.set_title(title, loc="left")
together, size = ranked[:2]
plots.show(
    f"Left: shuffled together, the nine columns of size cost {shuffled[:, size].mean():.2f} of the accuracy. Right: left "
    f"out, with a new forest, they cost {left_out[:, size].mean():.2f}, hardly more than any other group. Size and notches "
    f"left out together cost {left_out[:, together].mean():.2f}."
)

# %% [markdown]
# The forest relies on size (the nine columns of "mean radius and 8 more"), and a new forest without it is nearly as good: the notches tell nearly the same. Only without both families is a new forest clearly worse (the top row). So the importance of a column is not a property of the disease, and not even of the table: **it says what one fitted model leans on.** Fisher and others (2019) therefore speak of *model reliance*, and ask for its range over all good models.

# %% [markdown]
# ### The other importance
#
# Forests come with a list of their own, `feature_importances_`: how much each column's questions reduced the *impurity* (Gini's, or the entropy; for numbers, as here, the variance) while the trees were grown. Unseen rows have no part in it. Give the diabetes table one more column, a random patient number:

# %%
rng = np.random.default_rng(0)
numbered = np.column_stack([people.table, rng.permutation(442)])
columns = (*people.names, "patient number")
seen, unseen = np.split(rng.permutation(442), [309])
grown = RandomForestRegressor(60, random_state=0).fit(numbered[seen], people.outcome[seen])
from_unseen = permutation_importance(grown.predict, numbered[unseen], people.outcome[unseen], r2_score, 5)
from_seen = permutation_importance(grown.predict, numbered[seen], people.outcome[seen], r2_score, 5)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True)
order = np.argsort(grown.feature_importances_)
panels = (("by impurity", grown.feature_importances_), ("shuffled, its own people", from_seen.mean(axis=1)),
          ("shuffled, unseen people", from_unseen.mean(axis=1)))  # fmt: skip
for ax, (title, values) in zip(axes, panels, strict=True):
    bars = ax.barh([columns[j] for j in order], values[order], color=plots.ACCENT)
    bars[list(order).index(10)].set_color(plots.COLOURS[1])
    ax.axvline(0, color=plots.INK, linewidth=0.8)
    ax.set_title(title, loc="left")
axes[0].set(xlabel="share of the impurity")
axes[1].set(xlabel="fall of R²")
axes[2].set(xlabel="fall of R²")
figure.suptitle(
    "A random number (orange) beats real columns; on unseen people it is worth about nothing", fontsize=11
)
plots.show(
    f"Three lists of importances. By impurity the random patient number gets {grown.feature_importances_[10]:.3f}, more "
    f"than sex ({grown.feature_importances_[1]:.3f}) and others; shuffled on unseen people it gets "
    f"{from_unseen.mean(axis=1)[10]:+.3f}."
)

# %% [markdown]
# A random number beats several real columns in the first two lists: deep trees use it to memorise their training rows, and a column with many different values offers many thresholds (Strobl and others, 2007). Only on unseen people it falls to about zero. So do several real columns: this table cannot tell them from noise. The
# example that came with scikit-learn's permutation importance in 2019 showed the same.
#
# ### Exercise: find the bug
#
# A colleague's permutation importance. On a table with one column it is right, on all others the later columns get wrong numbers. (The library eli5 has one line for what is missing here.) `predict` takes rows and gives one class a row; `orders` holds one order of the rows for each repeat.


# %% exercise="importances"
def importances(predict, table, targets, orders):
    """The mean fall of the accuracy when one column is shuffled: (d,)."""
    # BEGIN STUB
    # before = (predict(table) == targets).mean()
    # shuffled = table.copy()
    # falls = np.zeros(table.shape[1])
    # for column in range(table.shape[1]):
    #     for order in orders:
    #         shuffled[:, column] = table[order, column]
    #         falls[column] += before - (predict(shuffled) == targets).mean()
    # return falls / len(orders)
    # END STUB
    # BEGIN SOLUTION
    before = (predict(table) == targets).mean()
    shuffled = table.copy()
    falls = np.zeros(table.shape[1])
    for column in range(table.shape[1]):
        for order in orders:
            shuffled[:, column] = table[order, column]
            falls[column] += before - (predict(shuffled) == targets).mean()
        shuffled[:, column] = table[:, column]  # put it back: each column is shuffled alone
    return falls / len(orders)
    # END SOLUTION


# %%
exercises.importances.check(importances)

# %% [markdown]
# ## 3 · As good, and another tree
#
# *Force* the first question of a tree, once for each of the thirty columns, let it choose the rest (three questions in a row), and compare how often such trees are right on unseen tumours. Keep all that are not worse than the best one by more than chance explains: many models, equally good on the same data. Breiman (2001) called this the *Rashomon effect*; Fisher and others call the set of such models the *Rashomon set*.
#
# But is it the same set if the table is cut into other parts? We do it for four ways to cut it.


# %%
def forced_tree(first, rows, labels, new):
    """Answers for `new` by a tree of depth 3 that has to ask about column `first` first."""
    stump = DecisionTreeClassifier(max_depth=1, criterion="entropy").fit(rows[:, [first]], labels)
    border = stump.tree_.threshold[0]
    answers = np.zeros(len(new), int)
    for here, there in ((rows[:, first] <= border, new[:, first] <= border),
                        (rows[:, first] > border, new[:, first] > border)):  # fmt: skip
        branch = DecisionTreeClassifier(max_depth=2, criterion="entropy", random_state=0)
        branch.fit(rows[here], labels[here])
        answers[there] = branch.predict(new[there]) if there.any() else 0
    return answers


def answers_when_forced(seed):
    """What each forced tree (30, n), and the tree that is free to choose (n,), say of unseen tumours."""
    forced, free = np.zeros((30, len(malignant)), int), np.zeros(len(malignant), int)
    for part, rest in KFold(10, shuffle=True, random_state=seed).split(tumours.table):
        seen, labels, new = tumours.table[part], malignant[part], tumours.table[rest]
        forced[:, rest] = [forced_tree(j, seen, labels, new) for j in range(30)]
        tree = DecisionTreeClassifier(max_depth=3, criterion="entropy", random_state=0).fit(seen, labels)
        free[rest] = tree.predict(new)
    return forced, free


# %%
is_in, same, both_wrong, free_minus_best = [], [], [], []
for seed in tqdm(range(4), desc="ways to cut the table", leave=False):
    forced, free = answers_when_forced(seed)
    right = (forced == malignant).astype(float)
    best = right.mean(axis=1).argmax()
    loss = [judge.bootstrap_interval(right[best] - right[j])[0] for j in range(30)]
    members = np.array(loss) <= 0
    is_in.append(members)
    others = np.flatnonzero(members & (np.arange(30) != best))
    same.append((forced[others] == forced[best]).mean())
    both_wrong.append(1 - right[others][:, right[best] == 0].mean())
    free_minus_best.append((free == malignant).mean() - right[best].mean())
is_in = np.array(is_in)

# %% tags=["hide-input"]
print("size of the set:", is_in.sum(axis=1))
print("answers of the other members that equal those of the best one:", np.round(same, 2))
print("where the best one is wrong, the others are wrong in a share of", np.round(both_wrong, 2))
print("tree that is free to choose, minus the best forced one:       ", np.round(free_minus_best, 3))

# %% tags=["hide-input"]
times = is_in.sum(axis=0)
order = np.argsort(times, kind="stable")
order = order[times[order] > 0]
figure, ax = plt.subplots(figsize=(7.5, 0.24 * len(order) + 0.9))
always = plots.COLOURS[0]
ax.barh([tumours.names[j] for j in order], times[order],
        color=[always if times[j] == 4 else plots.BASELINE for j in order])  # fmt: skip
ax.set(xlabel="in how many of four ways to cut the table (blue: in all)", xlim=(0, 4.2), xticks=range(5))
ax.set_title("Who belongs to the set depends on the cut", loc="left")
plots.show(
    f"Bars: how often each column, asked first, gives a tree of the set. {int((times == 4).sum())} columns are in it in "
    f"all four ways, {int(((times > 0) & (times < 4)).sum())} others in some of them."
)

# %% [markdown]
# Read it with care. *That* there are several equally good trees holds for each cut. *Which* ones belong to the set is partly noise: its size changes from cut to cut, and many columns are in it once and out of it the next time. So do not tell a story about a single member.
#
# Are they different stories at all? The members mostly give the same answer as the best one (second line). That is less than it sounds, because all of them are right about most tumours: where the best one is wrong, the others are wrong in only about six of ten cases (third line). So they differ exactly where the case is hard. And the *path* of a tumour, its explanation, begins with another reason. If you explain one of these models, you explain one of them, not the disease.
#
# The tree that is free to choose takes the largest gain first, and it is behind the best forced one in each cut (the last line): the largest gain on the rows at hand need not lead to the tree that is best for new ones. (The best of thirty looks a little better than it is.)

# %% [markdown]
# ## 4 · Recap
#
# - An error bar of the line is not one of a person, and a wide interval is not a safe one. Count how often a promise is kept, in groups too.
# - What a model leans on is not what the table needs: leave a group out, fit anew, and compare. Importances on the rows that a forest was fitted to praise random numbers.
# - Several models are equally good. That is a fact; who exactly is among them is partly noise.
#
# **References**
# - [Breiman, 2001: Statistical modeling: the two cultures](https://doi.org/10.1214/ss/1009213726)
# - [Fisher, Rudin and Dominici, 2019: All models are wrong, but many are useful](https://arxiv.org/abs/1801.01489)
# - [Strobl and others, 2007: Bias in random forest variable importance measures](https://doi.org/10.1186/1471-2105-8-25)
# - [scikit-learn, pull request 13146: permutation importance and its example](https://github.com/scikit-learn/scikit-learn/pull/13146)
# - [eli5, pull request 227](https://github.com/TeamHG-Memex/eli5/pull/227)
