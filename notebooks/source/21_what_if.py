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
# # 21 · What if? Counterfactuals and causes
#
# **The question.** "What would have to be different?" One answer is about the model, another one about the world. Which one should a person get?
#
# **After this lesson you can**
# - write a small world with its causes, and tell seeing, doing and "had she" apart;
# - compute the cheapest change that turns a model's answer over, within limits, and prove that it is the cheapest;
# - test whether such a change can exist in the world at all;
# - give advice that counts what an action causes;
# - ask a network why it saw this class and not that one.
#
# **Time**: about <!-- minutes --> minutes. **Before**: a logistic regression ([13 · Glass boxes](13_glass_boxes.ipynb), section 3), [Grad-CAM](04_grad_cam.ipynb) for section 9. That importance is not effect, you have seen in [07](07_shap.ipynb) (card 2).
#
# The borrowers of this lesson are invented, because we need a world whose causes we know. A *bank* has fitted a logistic regression to 50,000 of them. It gives a loan where the *log-odds* of paying back are above 0. For a row $x$ of its table the log-odds are $f = w \cdot x + b$: `w` are the weights, `b` is the intercept.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.exercises import l21_what_if as exercises
from course_utils.lessons import l21_what_if as lesson
from course_utils.lessons.l21_what_if import COLUMNS, EQUATIONS
from course_utils.methods import counterfactual
from course_utils.methods.counterfactual import abduct, cheapest_change, simulate
from course_utils.teach import plots, widgets

# %%
bank = lesson.bank(seed=1)
w, b = bank.weights, bank.intercept
noise = lesson.noise(20_000, seed=1)  # all that the equations of section 2 leave open
many = simulate(EQUATIONS, noise)  # 20,000 people: name of the variable → their values
seen = lesson.people(400, seed=2)  # 400 others, who ask for a loan
table = lesson.table_of(seen)  # (400, 6): what the bank sees of them
f = bank.log_odds(table)
refused = np.flatnonzero(f < 0)
few = refused[seen["education"][refused] < 12]  # refused, less than 12 years of school
she = int(few[np.argsort(f[few])[len(few) // 2]])  # the middle one of them

# %% [markdown]
# ## 1 · A puzzle: more than a century at school
#
# Here is a person whom the bank refuses. Money is in thousand euros (k€), income a year. What would she have to change, if she could change one column only? Along one column the log-odds $f$ rise by its weight $w_j$ a step. So they are 0 after $-f / w_j$ steps.

# %%
print(f"log-odds {f[she]:+.2f}: refused")
for name, weight, value in zip(COLUMNS, w, table[she], strict=True):
    print(
        f"{name:<11}{value:6.1f}   weight {weight:+.3f}   needs {-f[she] / weight:+8.1f} {lesson.UNITS[name]}"
    )

# %% [markdown]
# Look at the line of education. What does that number mean?

# %% tags=["hide-input"]
exercises.which_meaning

# %% [markdown]
# The arithmetic is right, and the advice is nonsense. Section 8 has a better answer. To find it we need more than the model: the world in which she would act.

# %% [markdown]
# ## 2 · A world that we know
#
# A **structural causal model** has an equation for each variable: what its direct causes make of it, plus a *noise* $u$, everything that the equations leave open (talent, luck, health):
#
# $$v = f_v(\text{direct causes of } v) + u_v .$$
#
# (With an index, $f_v$ is the equation of the variable $v$; the log-odds $f$ have none.)
#
# An equation is read from right to left, like an assignment in a program: change a cause, and the effect follows; not the other way round. `do` holds an **intervention**: a variable is forced to a value, and its own equation is switched off.


# %% tags=["by-hand"]
equations = {
    "town": lambda v: 0,  # 0 North, 1 South: the noise alone decides
    "age": lambda v: 0,
    "education": lambda v: 21 - 0.15 * v["age"] - 2 * v["town"],
    "experience": lambda v: v["age"] - v["education"] - 4,
    "income": lambda v: 2.6 * v["education"] + 1.1 * v["experience"] - 28,
    "savings": lambda v: 0.8 * v["income"] - 10,
    "debt": lambda v: 40 - 0.45 * v["income"],
}


def world(u, do):
    """All variables, causes first, from the noise `u`; those in `do` are forced."""
    v = {}
    for name, equation in equations.items():
        v[name] = do[name] if name in do else equation(v) + u[name]
    return v


# %% tags=["hide-input", "thumbnail"]
lesson.draw_causes()
plots.show(
    "A graph of causes: town and age point to education, age and education to experience, both to income, income to "
    "savings and debt; income, savings and debt to the loan."
)

# %% [markdown]
# An arrow goes from each cause to its effect. People of the South had two years less of school; older people went to school less and have worked longer; whoever studies longer starts to work later. Only income, savings and debt decide whether somebody pays back. The bank found that out: its other three weights are nearly 0.

# %% [markdown]
# ## 3 · Seeing is not doing
#
# Do people with more schooling earn more? Look at 20,000 of them. Each colour is a third of the people by age.

# %%
third = np.digitize(many["age"], np.quantile(many["age"], [1 / 3, 2 / 3]))
overall = np.polyfit(many["education"], many["income"], 1)[0]
inside = [np.polyfit(many["education"][third == g], many["income"][third == g], 1)[0] for g in range(3)]

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 3.6))
for g, (label, slope) in enumerate(zip(("young", "middle", "old"), inside, strict=True)):
    x, y = many["education"][third == g], many["income"][third == g]
    ax.plot(x[:300], y[:300], "o^s"[g], color=plots.COLOURS[g], markersize=3.5, alpha=0.35)
    ends = np.quantile(x, [0.02, 0.98])
    ax.plot(ends, y.mean() + slope * (ends - x.mean()), color=plots.COLOURS[g], linewidth=3,
            label=f"{label}: {slope:+.1f} k€ a year of school")  # fmt: skip
ends = np.quantile(many["education"], [0.02, 0.98])
ax.plot(ends, many["income"].mean() + overall * (ends - many["education"].mean()), "--", color=plots.INK,
        linewidth=2.5, label=f"all together: {overall:+.1f}")  # fmt: skip
ax.set(xlabel="education (years)", ylabel="income (k€ a year)")
ax.set_title("More school, less income? Only if you mix the ages", loc="left")
ax.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
plots.show(
    f"Income against education. All together the line falls ({overall:+.1f}); inside each third of age it rises "
    f"({', '.join(f'{s:+.1f}' for s in inside)})."
)

# %% [markdown]
# All together the line falls; inside each third it rises. This is **Simpson's reversal**. Age is behind it, a common cause of both (a *confounder*): the old have less school and more income. The falling line is true for guessing ("what does somebody with 16 years of school earn?") and wrong for deciding ("should I study longer?").
#
# ### Exercise: predict
#
# Now *do* it: everybody gets one more year of school than they had, and all else follows the equations. (`simulate` is the course's version of `world`; it also checks what it is given.) By how many k€ does the mean income change? Read it off the equations, before you run the next cell.

# %% exercise="effect_of_school"
# BEGIN STUB
# change_of_income = ...
# END STUB
# BEGIN SOLUTION
change_of_income = 2.6 - 1.1  # a year of school is a year less of experience
# END SOLUTION

# %%
exercises.effect_of_school.check(change_of_income, 2.6, 1.1, overall)

# %%
done = simulate(EQUATIONS, noise, do={"education": many["education"] + 1})  # the same people
print(f"seen: people with one more year of school earn {overall:+.2f} k€")
print(f"done: one more year of school gives            {(done['income'] - many['income']).mean():+.2f} k€")

# %% [markdown]
# ### From a table alone
#
# Usually there is no world to run, only a table. If you know the graph, you can still get at "done": compare people of the same age, and average over the ages (*adjustment*; Pearl, 2009, calls it the back-door formula). With groups $g$, their share of the people $P(g)$ and the slope $s_g$ inside a group,
#
# $$\text{effect} \approx \sum_g P(g)\; s_g .$$
#
# ### Exercise: the adjusted slope


# %% exercise="adjusted_slope"
def adjusted_slope(x, y, group):
    """Slope of y on x inside each group, averaged with the groups' shares of the people."""
    # BEGIN SOLUTION
    members = [group == g for g in np.unique(group)]
    return sum(np.polyfit(x[m], y[m], 1)[0] * m.mean() for m in members)
    # END SOLUTION


# %%
exercises.adjusted_slope.check(adjusted_slope)

# %% [markdown]
# Three groups by age still mix ages a little, eighteen do so hardly at all. (The town need not be held fixed: it reaches income through education alone.) Below also what happens if you adjust for the wrong thing: people of the same *experience*, which lies on the way from education to income.


# %%
def groups(name, n):
    return np.digitize(many[name], np.quantile(many[name], np.arange(1, n) / n))


for name, n in (("age", 3), ("age", 18), ("experience", 18)):
    found = exercises.adjusted_slope.reference(many["education"], many["income"], groups(name, n))
    print(f"adjusted for {name} in {n:>2} groups: {found:+.2f} k€ a year of school")

# %% [markdown]
# With age in narrow groups the table tells what doing would tell. With experience held fixed it does not: that cuts one of the two ways, and the direct arrow of about 2.6 is left. **Which columns to hold fixed is a question to the graph, and the table cannot answer it.**

# %% [markdown]
# ## 4 · This one person
#
# "Had *she* stayed at school for three more years, what would she earn?" This is not a mean over people. She is herself: her talent and her luck stay. Three steps:
#
# 1. **Abduction**: find her noise, $u_v = v - f_v(\text{causes})$, from what is known of her.
# 2. **Action**: force the change, `do`.
# 3. **Prediction**: run the world again, with *her* noise.
#
# ### Exercise: had she
#
# Numbers of one person are given. `longer` is the number of additional years at school. Return her income. (Her age stays: it is as if she had decided otherwise when she was young.)


# %% exercise="had_she"
def had_she(age, education, experience, income, longer):
    """Her income, had she been at school `longer` years more."""
    # BEGIN SOLUTION
    u_experience = experience - (age - education - 4)
    u_income = income - (2.6 * education + 1.1 * experience - 28)
    new = education + longer
    then = age - new - 4 + u_experience
    return 2.6 * new + 1.1 * then - 28 + u_income
    # END SOLUTION


# %%
exercises.had_she.check(had_she)

# %% [markdown]
# The same three steps for all variables, and three ways to give her three more years of school.

# %%
her = lesson.only(seen, she)
her_u = abduct(EQUATIONS, her)  # 1 abduction
years = her["education"][0] + 3
longer = simulate(EQUATIONS, her_u, do={"education": years})  # 2 action, 3 prediction
print(f"she has {her['education'][0]:.1f} years of school and earns    {her['income'][0]:.1f} k€")
for school in (years, 17.0):
    alike = np.abs(many["education"] - school) < 0.25
    everybody = simulate(EQUATIONS, noise, do={"education": school})
    print(f"seen:     people with {school:.1f} years earn   {many['income'][alike].mean():.1f}")
    print(f"done:     if everybody had {school:.1f} years   {everybody['income'].mean():.1f}")
print(f"had she:  she, with {years:.1f} years          {longer['income'][0]:.1f}")

# %% [markdown]
# Three questions, three numbers (Pearl calls them the three steps of a ladder: association, intervention, counterfactual). At 12.7 years, near the mean of all people, seeing and doing nearly agree; at 17 they do not.
#
# She gains three times 1.5 k€, as everybody would: in a world of sums her noise cancels in the *difference*. Where an equation multiplies it does not cancel, and you need her noise even for the gain. So the third question needs most: the equations *and* the person. In a real world nobody knows the equations so well; then say which graph you believed.

# %% [markdown]
# ## 5 · The other counterfactual: the model's
#
# In explainable AI, a *counterfactual explanation* means something smaller: the cheapest change $\Delta$ of the row $x$ that turns the *model's* answer over (Wachter and others, 2018). No world, no arrows. Cost is counted in a unit that fits each column, its *median absolute deviation* $\text{MAD}_j$, the median distance from the column's median:
#
# $$\min_\Delta \; \sum_j \frac{|\Delta_j|}{\text{MAD}_j} \quad\text{so that}\quad w \cdot (x + \Delta) + b = 0 .$$
#
# [13c](13c_telling.ipynb), section 3, took the shortest straight way, which touches all columns. Absolute values give a different answer: a cost of 1 buys $|w_j|\,\text{MAD}_j$ of log-odds in column $j$. So *everything goes into the column with the largest* $|w_j|\,\text{MAD}_j$, the same one for every person, at the cost $|f| \,/\, (|w_j|\,\text{MAD}_j)$.
#
# ### Exercise: one column


# %% exercise="one_column"
def one_column(weights, intercept, row, scales):
    """The cheapest change, (d,): 0 but in one column. After it weights @ row + intercept is 0."""
    # BEGIN SOLUTION
    f = weights @ row + intercept
    j = np.argmax(np.abs(weights) * scales)
    change = np.zeros(len(row))
    change[j] = -f / weights[j]
    return change
    # END SOLUTION


# %%
exercises.one_column.check(one_column)

# %% [markdown]
# ### With limits
#
# Nobody becomes younger, and hardly anybody's income doubles. An **actionable** change keeps each column between a lowest value `low` and a highest value `high`. The closed form stays simple: fill the best column up to its limit, then the next best.


# %% tags=["by-hand"]
def my_change(weights, intercept, row, scales, low, high):
    """The cheapest change with low ≤ row + change ≤ high, (d,)."""
    needed, change = -(weights @ row + intercept), np.zeros(len(row))
    for j in np.argsort(-np.abs(weights) * scales):
        wish = needed / weights[j]
        change[j] = np.clip(row[j] + wish, low[j], high[j]) - row[j]
        needed = needed - weights[j] * change[j]
    return change


mad = counterfactual.deviations(lesson.table_of(many))
free = my_change(w, b, table[she], mad, np.full(6, -np.inf), np.full(6, np.inf))
low, high = table[she].copy(), table[she].copy()  # age, education, experience: as they are
high[3] += 5  # income: at most 5 k€ more
high[4] += 4  # savings: at most 4 k€ more
low[5] = 0  # debt: can be paid back, and no more than that
limited = my_change(w, b, table[she], mad, low, high)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.6), sharey=True)
for ax, change, title in ((axes[0], free, "No limits"), (axes[1], limited, "Within limits")):
    lesson.draw_changes(ax, change, mad, f"{title}: cost {(np.abs(change) / mad).sum():.2f}")
    ax.set(xlabel="change, in MADs", xlim=(-2.2, 3.2))
plots.show(
    "Two changes for one person. Without limits only income rises. Within limits income and savings rise up to "
    "their limits and debt falls, at a higher cost."
)

# %% [markdown]
# Without limits one column does it all. Limits can only raise the cost.
#
# ### Exercise: find the bug
#
# Programs for counterfactuals often divide by the MAD. A table may have a column such as "has a guarantor", 1 for few people. Its MAD is 0. The function below avoids the division by 0, and as a result the flag costs 100,000,000: no advice will ever name it, and no error appears. Where the MAD is 0, take the standard deviation of the column instead.


# %% exercise="scales_of"
def scales_of(table):
    """For each column the unit in which its changes are counted, (d,)."""
    mad = np.median(np.abs(table - np.median(table, axis=0)), axis=0)
    # BEGIN STUB
    # return mad + 1e-8
    # END STUB
    # BEGIN SOLUTION
    return np.where(mad > 0, mad, table.std(axis=0))
    # END SOLUTION


# %%
exercises.scales_of.check(scales_of)

# %% [markdown]
# ## 6 · The proof
#
# The problem with limits is a *linear program*; scipy solves those. A second reference needs no mathematics: try all changes of one or two columns on a grid (`search_change`; it works for any model). The nearest accepted person, used in section 7, is compared with scikit-learn (its *Manhattan* distance is our cost: sizes, added up). A world of sums is a matrix, $(\mathbb{1} - B)^{-1}u$, where $B$ holds the numbers on the arrows and $u$ also takes in the constants. And had she done nothing, all must be as it was.

# %% tags=["hide-input"]
from scipy.optimize import linprog
from sklearn.neighbors import NearestNeighbors

ours = cheapest_change(w, b, table[she], mad, low, high)
bounds = [(0, v) for v in (*(high - table[she]), *(table[she] - low))]
program = linprog(np.r_[1 / mad, 1 / mad], A_eq=np.r_[w, -w][None], b_eq=[-f[she]], bounds=bounds)
grid = [[] if j < 3 else table[she, j] + np.linspace(-40, 40, 401) for j in range(6)]
tried = counterfactual.search_change(lambda rows: bank.log_odds(rows) >= 0, table[she], grid, mad)

accepted = table[f > 0]
nearest = [counterfactual.nearest_accepted(row, accepted, mad) for row in table[refused]]
library = NearestNeighbors(n_neighbors=1, metric="manhattan").fit(accepted / mad)
theirs = library.kneighbors(table[refused] / mad)[1][:, 0]

names = list(equations)
B = np.zeros((7, 7))  # row: effect; column: cause
zero = equations | {name: equations[name](dict.fromkeys(names, 0.0)) for name in names}
for j, cause in enumerate(names):
    one = dict.fromkeys(names, 0.0) | {cause: 1.0}
    B[:, j] = [equations[name](one) - zero[name] for name in names]
u = np.stack([noise[name] + zero[name] for name in names])
same = counterfactual.what_if(EQUATIONS, seen, {})

# %% tags=["nbval-check-output", "hide-input"]
judge.agreement_table(
    [
        ("scipy, linear program", ours, program.x[:6] - program.x[6:], "with limits"),
        ("by hand, with limits", limited, ours, ""),
        (
            "grid of all pairs, cost",
            (np.abs(free) / mad).sum(),
            (np.abs(tried) / mad).sum(),
            "steps of 0.2 k€",
        ),
        ("scikit-learn, nearest", accepted[nearest], accepted[theirs], "Manhattan distance in MADs"),
        ("the world as a matrix", np.stack(list(many.values())), np.linalg.solve(np.eye(7) - B, u), ""),
        ("the world by hand", many["debt"], world(noise, {})["debt"], ""),
        ("had she done nothing", seen["debt"], same["debt"], "identity"),
    ]
)

# %% [markdown]
# The grid can only be as cheap as its steps allow, so its cost is a little higher, never lower.

# %% [markdown]
# ## 7 · Can it exist? Plausible changes
#
# The free advice raises income alone and leaves savings and debt. Does a person with such numbers exist? Compute the noise that the changed person would need. Noise beyond 3 standard deviations is something that one person in 370 has, in one variable. The score below is the size of a person's largest noise. Beside it another kind of advice: become like the *nearest accepted person*, who exists.

# %%
cheapest = np.array([cheapest_change(w, b, row, mad) for row in table[refused]])
changed = dict(zip(COLUMNS, (table[refused] + cheapest).T, strict=True)) | {"town": seen["town"][refused]}
strange = {
    "refused people": lesson.strangeness(lesson.only(seen, refused)),
    "the cheapest change": lesson.strangeness(changed),
    "the nearest accepted": lesson.strangeness(lesson.only(seen, np.flatnonzero(f > 0)[nearest])),
}
costs = {
    "the cheapest change": (np.abs(cheapest) / mad).sum(axis=1),
    "the nearest accepted": (np.abs(accepted[nearest] - table[refused]) / mad).sum(axis=1),
}

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 2.8))
for name, style, colour in zip(strange, (":", "-", "--"), (plots.INK, plots.COLOURS[1], plots.COLOURS[0]), strict=True):  # fmt: skip
    values = np.sort(strange[name])
    ax.step(values, np.arange(1, len(values) + 1) / len(values), style, color=colour, linewidth=2.2,
            label=f"{name}: {(values > 3).mean():.0%} beyond 3")  # fmt: skip
ax.axvline(3, color=plots.BASELINE, linewidth=1)
ax.set(
    xlabel="largest noise that the person needs (standard deviations)", ylabel="share of people", xlim=(0, 7)
)
ax.set_title("Half of the cheapest changes make a person who hardly exists", loc="left")
ax.legend(fontsize=9, loc="lower right")
plots.show(
    "Share of people below each value of the largest noise. "
    + "; ".join(f"{name} {(values > 3).mean():.0%} beyond 3" for name, values in strange.items())
    + "."
)

# %% tags=["hide-input"]
for name, values in costs.items():
    low_, high_ = judge.bootstrap_interval(values)
    print(f"mean cost of {name:<21} {values.mean():.1f} MADs (95 % interval {low_:.1f} to {high_:.1f})")
print("nearest minus cheapest:", judge.paired(costs["the nearest accepted"], costs["the cheapest change"]))
moved = (np.abs(accepted[nearest] - table[refused]) / mad > 0.1).sum(axis=1)
print(f"columns that the nearest accepted person changes: {moved.mean():.1f} of 6")
younger = accepted[nearest][:, 0] < table[refused][:, 0]
print(f"the accepted person is younger in {younger.mean():.0%} of the cases")

# %% [markdown]
# A real person is plausible by construction, and as advice often useless: different in nearly all columns, and in some cases younger. *Plausible* and *actionable* are two demands, and neither follows from the other.
#
# And a library? DiCE looks for several *different* changes at once (Mothilal and others, 2020). Its answers for the first 20 refused people, four each, are stored: by its default way (*random* values in a few columns), by its *genetic* search, which starts from people of its table, and by that search if only income, savings and debt may change.

# %% tags=["hide-input"]
for name, rows in lesson.dice().items():  # rows: (20, 4, 6), what DiCE makes of 20 people
    steps = (rows - table[refused[:20], None]) / mad
    people = dict(zip(COLUMNS, rows.reshape(-1, 6).T, strict=True))
    people["town"] = np.repeat(seen["town"][refused[:20]], 4)
    price = np.abs(steps).sum(axis=2).mean() / np.abs(cheapest[:20] / mad).sum(axis=1).mean()
    print(f"{name:<16}  accepted {(bank.log_odds(rows.reshape(-1, 6)) > 0).mean():.0%}, "
          f"{price:.1f} × the cheapest, {(np.abs(steps) > 0.1).sum(axis=2).mean():.1f} columns, "
          f"younger {(steps[..., 0] < -0.01).mean():.0%}, beyond 3 {(lesson.strangeness(people) > 3).mean():.0%}")  # fmt: skip

# %% [markdown]
# All its answers are right for the *model*. The default proposes people who hardly exist. The genetic search stays near real people, at a higher price than is needed, and often asks for a lower age. With the columns named that may change, its answers are mostly plausible, actionable, and not much dearer than the cheapest change. No library knows your demands before you state them.

# %% [markdown]
# ## 8 · Advice is an intervention
#
# Suppose she does raise her income. Then savings and debt follow, since the world has arrows. The advice that counts this is called **recourse** (Karimi and others, 2021): find the smallest *action* after which the world, run with her noise, gives a row that the bank accepts. Here all is linear, so one run with a step of 1 gives the gain per step:
#
# $$\text{gain} = f\big(\text{world with } do(v + 1)\big) - f, \qquad \text{needed} = -f / \text{gain}.$$

# %%
them, their_f = lesson.only(seen, refused), f[refused]
their_u = abduct(EQUATIONS, them)


def after(do):
    """The bank's log-odds of the refused people after an action in the world."""
    return bank.log_odds(lesson.table_of(simulate(EQUATIONS, their_u, do)))


needed = {}  # column → what the model says, what the world says, one number a person
for name in ("income", "education"):
    gain = after({name: them[name] + 1}) - their_f
    needed[name] = -their_f / w[COLUMNS.index(name)], -their_f / gain

# %% tags=["hide-input"]
for name, (model_says, world_says) in needed.items():
    print(
        f"{name:<10}the model says {np.median(model_says):+6.1f}, the world {np.median(world_says):+4.1f} (medians); after the "
        f"world's advice all log-odds are 0: {np.allclose(after({name: them[name] + world_says}), 0, atol=1e-9)}"
    )
for name, (model_says, world_says) in needed.items():
    i = np.flatnonzero(refused == she)[0]
    print(f"she, {name:<9}: the model says {model_says[i]:+6.1f}, the world {world_says[i]:+4.1f}")
print("weight of education, five more banks:", *(f"{lesson.bank(s).weights[1]:+.3f}" for s in range(2, 7)))

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2))
for ax, name, unit in zip(axes, needed, ("k€ a year", "years of school"), strict=True):
    model_says, world_says = needed[name]
    order = np.argsort(world_says)
    ax.plot(
        np.abs(model_says[order]), color=plots.COLOURS[1], linewidth=2.2, label="the model (without its sign)"
    )
    ax.plot(world_says[order], "--", color=plots.COLOURS[0], linewidth=2.2, label="the world")
    ax.set(xlabel="refused people, in order", ylabel=f"needed: {unit}", yscale="log", ylim=(0.05, 2000))
    ax.set_yticks([0.1, 1, 10, 100, 1000], ["0.1", "1", "10", "100", "1000"])
    ax.set_title(
        f"{name}: {np.median(world_says):.1f} {unit} instead of {abs(np.median(model_says)):.0f}",
        loc="left",
        fontsize=10,
    )
axes[0].legend(fontsize=9)
plots.show(
    f"What each refused person needs, on a logarithmic scale. Income: the world asks for half of what the model asks for. Education: "
    f"the model asks for {abs(np.median(needed['education'][0])):.0f} years, the world for {np.median(needed['education'][1]):.1f}."
)

# %% [markdown]
# Here is the answer to the puzzle. The model hardly uses education, so *its* answer is more than a life (and with a weight so close to 0, the sign is chance: five banks of the same world do not agree on it). In the world education changes income, income changes savings and debt, and a few years do. For income the model asks for about twice as much as is needed: whoever follows it succeeds, with half of the effort for nothing.
#
# One caution: "had been at school longer" is about the past. School *now* also costs years of age and of pay: another equation.

# %% [markdown]
# ## 9 · Why this and not that? Pictures
#
# People who ask "why?" mostly mean "why this *rather than* that?" ([13c](13c_telling.ipynb), section 1, has it for tables). For two classes $a$ and $c$ of a network, explain the difference of the two scores, $z_a - z_c$. Grad-CAM without its ReLU is linear in the score, so the map of the difference is the difference of the maps. Positive: speaks for $a$ rather than $c$; negative: for $c$ rather than $a$.
#
# Scenes with two objects: $a$ is the one with the higher score, $c$ the other.

# %%
from course_utils.labs import load_lab
from course_utils.methods.cam import grad_cam, upsample

lab = load_lab("scenes", n_objects=2)
with torch.no_grad():
    two_scores = lab.model(lab.inputs).gather(1, lab.targets)
best, row_numbers = two_scores.argmax(dim=1), torch.arange(len(lab.targets))
a, c = lab.targets[row_numbers, best], lab.targets[row_numbers, 1 - best]
mask_a, mask_c = lab.masks[row_numbers, best], lab.masks[row_numbers, 1 - best]

map_a, map_c = (grad_cam(lab.model, lab.inputs, t, lab.layer, relu=False) for t in (a, c))
contrast = map_a - map_c  # (60, 8, 8)

# %% tags=["hide-input"]
shown = [0, 3, 7]
plots.show_maps(
    list(lab.images[shown]),
    {"why a?": map_a[shown], "why c?": map_c[shown], "why a rather than c?": contrast[shown]},
    labels=[f"a: {lab.class_names[int(a[i])]}\nc: {lab.class_names[int(c[i])]}" for i in shown],
    signed=True,
    width=9,
)
plots.show(
    "Three scenes with two objects and three signed maps each: for a, for c, and for a rather than c, which is "
    "positive on object a and negative, more weakly, on object c."
)

# %% [markdown]
# Third column: red speaks for $a$, blue for $c$. (In the first row the map of $c$ is the weaker one, so the blue is pale.) Is it right? Score it with the outlines: which share of its positive part lies on object $a$, and of its negative part on $c$? For comparison, the negative part of the plain map of $a$, and the positive part of the map of $c$.

# %%
up = {"contrast": upsample(contrast, 128), "plain map of a": upsample(map_a, 128)}
on_a = {name: judge.energy_in_mask(m.clamp(min=0), mask_a) for name, m in up.items()}
on_c = {name: judge.energy_in_mask((-m).clamp(min=0), mask_c) for name, m in up.items()}
on_c["plain map of c"] = judge.energy_in_mask(upsample(map_c, 128).clamp(min=0), mask_c)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.1))
for ax, part, title, area in ((axes[0], on_a, "positive part on a", mask_a), (axes[1], on_c, "negative part on c (map of c: positive)", mask_c)):  # fmt: skip
    plots.score_plot(part | {"even map": area.float().mean(dim=(1, 2))}, xlabel="share of the energy (95 % intervals)",
                     baselines="even map", title=title, ax=ax, sort=False, xlim=(0, 0.8))  # fmt: skip
plots.show(
    "Energy on the right object, contrast beside the plain map of a. "
    + "; ".join(f"{name}: {on_a[name].mean():.2f} on a, {on_c[name].mean():.2f} on c" for name in up)
    + f"; plain map of c: {on_c['plain map of c'].mean():.2f} on c."
)

# %% tags=["hide-input"]
for what, part in (("positive on a", on_a), ("negative on c", on_c)):
    print(f"{what}: contrast minus plain map of a {judge.paired(part['contrast'], part['plain map of a'])}")
print(f"on c: contrast minus plain map of c {judge.paired(on_c['contrast'], on_c['plain map of c'])}")
for name, m in up.items():
    share = judge.pointing_game((-m).clamp(min=0), mask_c).float().mean()
    print(f"lowest place of the map on object c: {name} {share:.0%}")

# %% [markdown]
# ### The picture that would have been called c
#
# A counterfactual of a picture: blur the cells with the largest contrast, one after the other, until the network prefers $c$. How many of the 64 cells does it take, against cells by the plain map of $a$, and cells at random? (24 are tried at most; if they are not enough, it counts as 25.)

# %%
orders = {
    "contrast": lesson.in_cells(contrast),
    "plain map of a": lesson.in_cells(map_a),
    "random": torch.rand(len(a), 8, 8, generator=torch.Generator().manual_seed(0)),
}
flips = {}
for name, cells in orders.items():
    flips[name], edited = lesson.cells_until_flip(lab.model, lab.inputs, a, c, cells)
    if name == "contrast":
        counterfactuals = lab.to_images(edited)
    print(f"{name:<15} {flips[name].mean():5.2f} cells on average, median {np.median(flips[name]):.0f}")
print("contrast minus plain map:", judge.paired(flips["contrast"], flips["plain map of a"]))

# %% tags=["hide-input"]
plots.show_images(
    [lab.images[i] for i in shown] + [counterfactuals[i] for i in shown],
    [f"{lab.class_names[int(a[i])]} before {lab.class_names[int(c[i])]}" for i in shown]
    + [f"{lab.class_names[int(c[i])]} first: {flips['contrast'][i]:.0f} cells" for i in shown],
    columns=3,
    width=7,
)
plots.show(
    "Three scenes before and after one to a few cells are blurred: the network then prefers the other object."
)

# %% [markdown]
# A few blurred cells are enough, and for *finding* them the contrast is no better than the plain map: it names nearly the same cells. What the contrast adds to the map of $a$ is the other half, and for that the map of $c$ is as good: a contrast is two maps in one. Blurred cells are a picture that no camera takes: this counterfactual is not plausible either (section 7).
#
# ### The real thing
#
# Photographs side by side and a network trained on ImageNet (EfficientNet-Lite0). $a$ is the left one, $c$ the right one: the contrast should be positive on the left and negative on the right.

# %%
photos = load_lab("photos", pairs=True)
left, right = photos.targets[:, 0], photos.targets[:, 1]
with torch.no_grad():
    photo_maps = [grad_cam(photos.model, photos.inputs, t, photos.layer, relu=False) for t in (left, right)]
photo_contrast = photo_maps[0] - photo_maps[1]
width = photo_contrast.shape[2] // 2
for name, m in (("contrast", photo_contrast), ("plain map of the left one", photo_maps[0])):
    halves = m[:, :, :width].sum(dim=(1, 2)), m[:, :, -width:].sum(dim=(1, 2))
    print(f"{name}: left half positive in {int((halves[0] > 0).sum())} of {len(left)} pairs, "
          f"right half negative in {int((halves[1] < 0).sum())}")  # fmt: skip

# %% tags=["hide-input"]
some = [0, 5]
plots.show_maps(
    [photos.images[i] for i in some],
    {"why left rather than right?": photo_contrast[some]},
    labels=[f"{photos.class_names[int(left[i])]} |\n{photos.class_names[int(right[i])]}" for i in some],
    signed=True, alone=False, width=7,
)  # fmt: skip
plots.show(
    "Two pairs of photographs with the contrast: positive on the left photograph, negative on the right one."
)

# %% [markdown]
# ## 10 · A protected attribute, and the law
#
# The bank never sees the town of birth. Is it therefore fair to people of the South? There is no *column* to change. So ask the world: had this person been born in the other town, with all that follows? Kusner and others (2017) call a decision *counterfactually fair* if it stays the same then.

# %%
u_all = abduct(EQUATIONS, seen)
other = bank.log_odds(lesson.table_of(simulate(EQUATIONS, u_all, {"town": 1 - seen["town"]})))
south = seen["town"] == 1
print(f"accepted: North {(f[~south] > 0).mean():.0%}, South {(f[south] > 0).mean():.0%}")
print(f"another answer, had they been born in the other town: {((other > 0) != (f > 0)).mean():.0%}")
print(f"of the refused people of the South: {(other[south & (f < 0)] > 0).mean():.0%} would be accepted")
print(f"of the refused people of the North: {(other[~south & (f < 0)] > 0).mean():.0%} would be accepted")

# %% [markdown]
# Leaving a column out does not take its effects out: shorter schooling, hence less income, carries them into the answer. Whether that is *unjust* is not a question for a program: the bank may say that income decides whether a loan is paid back, and in this world it does. What the program can do is show which way the effect takes. And all this needs a graph that somebody must defend.
#
# **The law** (no legal advice; more in [01](01_why_explain.ipynb), section 7). Article 22 of the GDPR gives you the right not to be subject to a decision that rests *only* on automatic processing and affects you seriously, such as a refused loan, with exceptions (a contract that needs it, a law, your explicit consent). Under a contract or consent you may at least ask for a person, say what you think, and contest the decision. The article does not name counterfactuals. Wachter and others propose them because they can be told without opening the model, and help to understand, contest or change a decision. This lesson shows their limit: "with 14 k€ more income" is a statement about the model, and a promise about the world only if somebody has checked.

# %% [markdown]
# ## 11 · Your turn
#
# Change the three values in the first line. Tables: `"breast_cancer"`, `"iris"`, `"wine"`, or the path of a CSV file with a line of names, columns of numbers, and the class in the last column. `fixed` names columns that may not change. The others stay inside the range of the table, and steps are counted in standard deviations. Of several classes, the last one is held against the rest. (It is the model's counterfactual: your table comes without a graph.)

# %%
my_table, my_row, fixed = "wine", 60, ("alcohol",)

print("\n".join(lesson.own_change(my_table, my_row, fixed)))

# %% [markdown]
# ## 12 · Where it breaks
#
# ### Card 1: the bank fits again
#
# A counterfactual stops *at* the border. Next year the bank fits its model to other borrowers of the same world, only 2,000 this time. How many of the people who follow the cheapest advice are then accepted? And with a margin of 0.3 log-odds? And if the bank has 50,000 borrowers again?

# %%
others = {n: [lesson.bank(seed, n) for seed in range(10, 20)] for n in (2_000, 50_000)}
for margin, n in ((0.0, 2_000), (0.3, 2_000), (0.0, 50_000), (0.3, 50_000)):
    moved = table[refused] + [cheapest_change(w, b - margin, row, mad) for row in table[refused]]
    kept = [(model.log_odds(moved) > 0).mean() for model in others[n]]
    print(f"margin {margin}, ten new models of {n:>6,} borrowers: still accepted {np.mean(kept):4.0%} "
          f"(from {min(kept):.0%} to {max(kept):.0%})")  # fmt: skip

# %% [markdown]
# On the border it is a matter of chance, however many borrowers there are. A margin helps if it is larger than what a new fit moves: 0.3 is enough, or nearly, for banks with 50,000 borrowers, and not for all with 2,000. Advice is a promise: say how long it holds, or leave a margin.
#
# ### Card 2: an arrow the wrong way round
#
# An adviser believes that savings make income ("who saves can invest"), not the other way round. He advises: save more, income will follow. In the true world it does not. Could the two columns have warned him?


# %%
def line_of(cause, effect):
    """Share of variance that a straight line explains; do its errors grow (+) or shrink (−) at the ends?"""
    off = effect - np.polyval(np.polyfit(cause, effect, 1), cause)
    return 1 - off.var() / effect.var(), np.corrcoef(np.abs(off), np.abs(cause - cause.mean()))[0, 1]


slope = np.polyfit(many["savings"], many["income"], 1)[0]  # his arrow: savings → income
gain = w[4] + slope * (w[3] - 0.45 * w[5])  # a step of savings, with income and debt following, in his world
his = after({"savings": them["savings"] - their_f / gain})
ours = after({"savings": them["savings"] - their_f / w[4]})

# %% tags=["hide-input"]
for cause, effect in (("income", "savings"), ("savings", "income")):
    share, ends = line_of(many[cause], many[effect])
    print(f"{cause:>7} → {effect:<7}: variance explained {share:.2f}, errors at the ends {ends:+.3f}")
print(f"accepted in the true world after his advice:        {(his >= 0).mean():.0%}")
print(f"accepted after the advice of the true graph:        {(ours > -1e-9).mean():.0%}")
print(
    f"correlation of savings and age (in his world about 0): {np.corrcoef(many['savings'], many['age'])[0, 1]:.2f}"
)

# %% [markdown]
# His line explains exactly as much as the true one: two columns always do. Were both normally distributed, nothing in them could warn him. Here income is not quite normal (age is spread evenly), and errors around the wrong line shrink a little at its ends (Shimizu and others, 2006, find arrows so); among 400 people chance hides it about half of the time. A third column warns louder: if savings had no cause among the columns, old people would not save more than young ones, and they do. So a table can rule some graphs out; many are left. **A causal answer is as good as its graph, and the graph comes from outside: from experiments, from time (what came first), from knowledge of the field.**
#
# ### Play
#
# Choose a refused person and what may change. When is no change enough?


# %% tags=["hide-input"]
def draw_advice(person, may_change):
    row, all_rows = table[refused[person]], lesson.table_of(many)
    still = ~np.isin(COLUMNS, may_change)
    lowest = np.where(still, row, np.minimum(row, all_rows.min(axis=0)))
    highest = np.where(still, row, np.maximum(row, all_rows.max(axis=0)))
    try:
        change = cheapest_change(w, b, row, mad, lowest, highest)
        title = f"cost {(np.abs(change) / mad).sum():.2f}"
    except ValueError:
        change, title = np.zeros(6), "no change of these columns is enough"
    figure, ax = plt.subplots(figsize=(6.5, 2.6))
    lesson.draw_changes(ax, change, mad, f"log-odds {f[refused[person]]:+.2f}: {title}")
    reach = max(6, 1.4 * np.abs(change / mad).max())  # room for the longest bar and its number
    ax.set(xlabel="change, in MADs", xlim=(-reach, reach))
    plots.show(f"The cheapest change of {' and '.join(may_change)} for refused person {person}: {title}.")


widgets.explore(
    draw_advice,
    person=widgets.slider("refused person", 0, len(refused) - 1, 0),
    may_change=widgets.several("may change", COLUMNS, ("savings", "debt")),
)

# %% tags=["hide-input"]
draw_advice(0, ("savings", "debt"))

# %% [markdown]
# ## 13 · Recap
#
# - Seeing, doing and "had she" are three questions. The first needs a table, the second a graph, the third equations and a person.
# - A model's counterfactual is the cheapest change that turns its answer over: in a linear model, with absolute costs, one column, or the next ones where limits are met.
# - Cheap, plausible and actionable are three demands. Half of the cheapest changes made people who hardly exist.
# - Advice is an intervention: what an action causes counts too.
# - A contrast shows both halves of "this rather than that" in one map.
# - To leave a column out does not take its effects out.
#
# **Companion.** [21b · An agent that wants the corner](21b_the_agent.ipynb): it learnt to fetch a coin. Did it? Change the coin's place and see.
#
# <details>
# <summary>The paper in ten questions</summary>
#
# S. Wachter, B. Mittelstadt and C. Russell: *Counterfactual explanations without opening the black box: automated decisions and the GDPR* (Harvard Journal of Law & Technology, 2018).
#
# 1. **Which problem?** People who are judged by a program want to understand it, contest it or change the outcome, and the owners do not want to open it.
# 2. **Is it new?** Counterfactuals are old in philosophy (Lewis, 1973) and statistics. New is their use as an explanation for the person concerned.
# 3. **Which hypothesis?** The smallest change that alters the answer serves these three aims without telling how the model works.
# 4. **Related work, and who?** LIME, adversarial examples, causal models. The authors work in Oxford and London, two of them on law and ethics.
# 5. **The key idea?** Minimise the distance to the row, counted in MADs, so that the model's answer becomes the wanted one.
# 6. **Which experiments?** A table of law students and one of people with a risk of diabetes, with small networks.
# 7. **Data and code?** Public tables; the search is described, not published as a package.
# 8. **Do the results support it?** They show readable examples. That people can act on them is not tested; sections 7 and 8 show what may go wrong.
# 9. **What did it contribute?** A kind of explanation with a clear definition, which law and computer science both can discuss.
# 10. **What next?** Several different changes (DiCE), recourse as an intervention, advice that outlives the next model.
#
# </details>
#
# **References**
# - [Wachter, Mittelstadt and Russell, 2018](https://arxiv.org/abs/1711.00399)
# - [Pearl, 2009: Causal inference in statistics: an overview](https://doi.org/10.1214/09-SS057)
# - [Karimi, Schölkopf and Valera, 2021: Algorithmic recourse: from counterfactual explanations to interventions](https://arxiv.org/abs/2002.06278)
# - [Mothilal, Sharma and Tan, 2020: Explaining machine learning classifiers through diverse counterfactual explanations (DiCE)](https://arxiv.org/abs/1905.07697)
# - [Ustun, Spangher and Liu, 2019: Actionable recourse in linear classification](https://arxiv.org/abs/1809.06514)
# - [Kusner, Loftus, Russell and Silva, 2017: Counterfactual fairness](https://arxiv.org/abs/1703.06856)
# - [Shimizu and others, 2006: A linear non-Gaussian acyclic model for causal discovery](https://www.jmlr.org/papers/v7/shimizu06a.html)
# - [Goyal and others, 2019: Counterfactual visual explanations](https://arxiv.org/abs/1904.07451)
# - [Simpson, 1951: The interpretation of interaction in contingency tables](https://doi.org/10.1111/j.2517-6161.1951.tb00088.x)
# - The law: [GDPR, Regulation (EU) 2016/679](https://eur-lex.europa.eu/eli/reg/2016/679/oj), article 22
