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
# # 13c · Telling it to people
#
# **The question.** You know each number of a model. What do you tell a person who asks "why?"
#
# This companion of [13 · Glass boxes](13_glass_boxes.ipynb) adds what people mean by an explanation, computed with models that can be read, rules taken out of one that cannot, and a program that answers WHY and HOW.
#
# **After this lesson you can**
# - answer "why this *rather than* that?" with a sum;
# - say how much of a model two or three reasons tell;
# - find the smallest change that alters an answer;
# - write one answer for four audiences from the same numbers;
# - extract rules from a network, and measure with controls how far they are true of it;
# - say how a program of rules answers WHY and HOW.
#
# **Time**: about <!-- minutes --> minutes. **Before**: the core lesson.
#
# Explanations are **contrastive**, **selective** and **social** (Miller, 2019; [lesson 01](01_why_explain.ipynb), section 7). Here all three become things to compute. The first cell loads the tumours of the core lesson: 569 rows, thirty columns, three tenths held back as *unseen*; `three` are three of the columns, standardised.

# %%
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from course_utils import judge
from course_utils.exercises import l13_glass_boxes as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l13_glass_boxes as lesson
from course_utils.teach import plots, widgets

tumours = lesson.tumours()
malignant, train, test, three = tumours.malignant, tumours.train, tumours.test, tumours.three
model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(three[train], malignant[train])
weights, intercept = model.coef_[0], model.intercept_[0]
log_odds = three @ weights + intercept
chances = 1 / (1 + np.exp(-log_odds))
doubtful = int(test[np.abs(chances[test] - 0.5).argmin()])

# %% [markdown]
# ## 1 · Contrastive: why this rather than that?
#
# A table of 178 wines from three growers, and a logistic regression with a score $z_c = b_{c0} + \sum_j b_{cj} x_j$ for each grower $c$. The *softmax* turns scores into probabilities, $p_c = e^{z_c} / \sum_k e^{z_k}$. Why grower 2 *rather than 1*? The difference of two scores is a sum over the columns again, and it is the logarithm of $p_c / p_{c'}$, the odds of one grower against the other:
#
# $$z_c - z_{c'} = (b_{c0} - b_{c'0}) + \sum_j (b_{cj} - b_{c'j})\, x_j = \ln \frac{p_c}{p_{c'}}.$$
#
# We take a typical bottle of grower 2: of the unseen ones, the nearest to the mean of his bottles that the model was fitted to. The same bottle, two contrasts.

# %%
wines = load_lab("tabular", table="wine", model="linear")
scaler, multi = wines.model[0], wines.model[-1]
bottles, of_grower = scaler.transform(wines.table), wines.targets == 1
from_mean = np.linalg.norm(bottles - bottles[of_grower & ~wines.unseen].mean(axis=0), axis=1)
bottle = int(np.where(of_grower & wines.unseen, from_mean, np.inf).argmin())
said = int(wines.predict(wines.table[bottle : bottle + 1])[0].argmax())
contrasts = {
    rival: (
        (multi.coef_[said] - multi.coef_[rival]) * bottles[bottle],
        multi.intercept_[said] - multi.intercept_[rival],
    )
    for rival in range(3)
    if rival != said
}
for rival, (parts, start) in contrasts.items():
    p = wines.predict(wines.table[bottle : bottle + 1])[0]
    print(
        f"{said + 1} rather than {rival + 1}: sum {parts.sum() + start:+.2f} = ln(p / p') {np.log(p[said] / p[rival]):+.2f}; "
        f"{(parts < 0).sum()} of {len(parts)} columns speak against"
    )

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.9))
for ax, (rival, (parts, start)) in zip(axes, contrasts.items(), strict=True):
    order = np.argsort(parts)
    names = [wines.feature_names[j].replace("_", " ")[:28] for j in order] + ["start (intercept)"]
    values = np.append(parts[order], start)
    ax.barh(names, values, color=[plots.COLOURS[2] if v > 0 else plots.COLOURS[3] for v in values])
    ax.axvline(0, color=plots.INK, linewidth=0.8)
    ax.tick_params(axis="y", labelsize=9)
    ax.set(xlabel=f"part of the difference; the sum is {values.sum():+.1f}")
    ax.set_title(f"Why grower {said + 1} rather than {rival + 1}?", loc="left")
plots.show(
    f"All thirteen parts of two contrasts for one bottle. Against grower {min(contrasts) + 1} proline says most, "
    f"against grower {max(contrasts) + 1} color intensity; a few columns speak against in both."
)

# %% tags=["hide-input"]
other = 0
answers = wines.predict(wines.table[wines.unseen]).argmax(axis=1)
for row, answer in zip(bottles[wines.unseen], answers, strict=True):
    parts = (multi.coef_[answer] - np.delete(multi.coef_, answer, axis=0)) * row  # one row a rival
    other += len(set(np.abs(parts).argmax(axis=1))) > 1
print(
    f"the largest part is another column for the other rival: {other} of {wines.unseen.sum()} unseen bottles"
)

# %% [markdown]
# The same wine, the same model, two questions (green speaks for the answer, pink against it). *Proline* is the largest part against one rival and *color intensity* against the other; so it is, with other columns, for most unseen bottles. Some columns speak against the answer; a figure of the five largest parts would have hidden them all. And the start, which no property of this wine explains, is a good
# part of one sum. Miller's survey says that people who ask "why?" have a "rather than" in mind, often unsaid. Ask for it.

# %% [markdown]
# ## 2 · Selective: two or three causes, not thirty
#
# A logistic regression on *all thirty* columns of the tumours gives each of them a part in the answer. Sort the parts by size (without their sign): which share of their sum do the first three make up? **Guess**, then look. The model is fitted in three ways, explained below the figure.


# %%
def share_told(parts):
    """Share of the sum of all parts (absolute values) that the 1, 2, … largest make up: (N, n)."""
    sizes = -np.sort(-np.abs(parts), axis=1)
    return sizes.cumsum(axis=1) / sizes.sum(axis=1, keepdims=True)


scaled = StandardScaler().fit(tumours.table[train]).transform(tumours.table)
fits = {
    "penalty": LogisticRegression(C=1, solver="newton-cholesky"),
    "hardly any": LogisticRegression(C=10_000, solver="newton-cholesky"),
    "zeros": SGDClassifier(loss="log_loss", penalty="l1", alpha=0.01, max_iter=5000, random_state=0),
}
shares = {}
for name, thirty in fits.items():
    thirty.fit(scaled[train], malignant[train])
    shares[name] = share_told(scaled[test] * thirty.coef_[0])

# %% tags=["hide-input"]
for name, thirty in fits.items():
    mean = shares[name].mean(axis=0)
    coefficients = " ".join(f"{w:+z.1f}" for w in thirty.coef_[0, [0, 2, 3]])
    print(f"{name:<10} three parts tell {mean[2]:.2f}, nine tenths take {(mean < 0.9).sum() + 1:>2} of "
          f"{(thirty.coef_ != 0).sum()}; right for {thirty.score(scaled[test], malignant[test]):.2f}\n"
          f"{'':<10} radius, perimeter, area {coefficients}")  # fmt: skip

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.5, 2.8))
counts = np.arange(1, 31)
for name, colour in (("penalty", plots.COLOURS[0]), ("zeros", plots.COLOURS[1])):
    ax.fill_between(counts, *np.quantile(shares[name], [0.05, 0.95], axis=0), color=colour, alpha=0.2)
    style = {"penalty": "o-", "zeros": "s--"}[name]
    ax.plot(counts, shares[name].mean(axis=0), style, color=colour, markersize=3.5, label=name)
ax.set(xlabel="number of parts that you tell", ylabel="share of all parts", ylim=(0, 1.02))
ax.set_title("How much three reasons tell depends on the fit", loc="left")
ax.legend(loc="lower right")
plots.show(
    f"The share of all parts that the largest ones make up, mean and 90 % of {len(test)} unseen tumours. With the "
    f"penalty three of thirty tell {shares['penalty'][:, 2].mean():.2f}, with zeros {shares['zeros'][:, 2].mean():.2f}."
)

# %% [markdown]
# (Lines: means; bands: 90 % of the unseen tumours.) scikit-learn keeps coefficients small by a *penalty* unless it is told not to ($C$ says how weak it is). With it, columns that move together *share* the weight, as radius, perimeter and area do in the first line, and three reasons tell about three tenths. With hardly any penalty these coefficients get large, and three reasons tell about a third. A penalty on the coefficients' *absolute
# values* (L1) sets many of them to zero: then three reasons tell half or more, and the model is right about as often. So how much a short explanation leaves out is decided when the model is fitted, and **every short explanation is a choice, and somebody makes it**: say what was left out.

# %% [markdown]
# ## 3 · The smallest change that would alter the answer
#
# "Why was I refused?" often means "what would have to be different?" The smallest change of a row that alters the answer is called a *counterfactual*. For a logistic regression it can be computed: the answer changes where the log-odds are zero.
#
# ### Exercise: the smallest change
#
# Return the change (one number a column, to be added to `row`) with the smallest length $\sqrt{\sum_j \Delta_j^2}$ after which `weights @ row + intercept` is exactly 0.


# %% exercise="smallest_change"
def smallest_change(weights, intercept, row):
    """The shortest vector that leads from `row` to the border: (d,)."""
    # BEGIN SOLUTION
    return -(weights @ row + intercept) / (weights @ weights) * weights
    # END SOLUTION


# %%
exercises.smallest_change.check(smallest_change)

# %% [markdown]
# For three unseen tumours, with the course's version: what would have to change, in steps of one standard deviation? Beside it the shortest way that changes *one* column only.

# %%
by_chance = test[np.argsort(chances[test])]
for case in (int(by_chance[len(test) // 8]), doubtful, int(by_chance[-len(test) // 4])):
    change = exercises.smallest_change.reference(weights, intercept, three[case])
    alone = -log_odds[case] / weights
    easiest = np.abs(alone).argmin()
    parts = ", ".join(f"{name} {step:+.2f}" for name, step in zip(lesson.THREE, change, strict=True))
    print(
        f"p = {chances[case]:.3f}: {parts} (length {np.linalg.norm(change):.2f}); "
        f"or {list(lesson.THREE)[easiest]} alone {alone[easiest]:+.2f}"
    )

# %% [markdown]
# The shortest change touches all columns, most of all the one with the largest weight. It says how *close* the case was. It does not say what anybody can *do*: no patient can change the size of her cell nuclei, and for a loan "with 200 a month less debt" is useful only if the model keeps its word. And the columns move together: a change that makes a nucleus larger and keeps all else may never occur.

# %% [markdown]
# ## 4 · Social: it depends on who asks
#
# [Lesson 01](01_why_explain.ipynb) lists who asks what, field by field, and what the law says. Here are four people who ask about one tumour: a developer, a regulator, a doctor, a patient.
#
# One function for each, all from the same numbers; doctor and patient are told "close" by the same rule, `is_close`, so that they do not contradict each other. The regulator asks about the model, not about this tumour. (`binomtest` gives the exact interval of a share, *Clopper-Pearson's*.)

# %%
WORDS = {  # (more, less) than average
    "size": ("the largest cell nuclei are larger", "the largest cell nuclei are smaller"),
    "notches": ("the outlines have more notches", "the outlines have fewer notches"),
    "texture": ("the texture is more varied", "the texture is less varied"),
}


def to_developer(case):
    parts = " ".join(
        f"{w * v:+.2f} ({n})" for n, w, v in zip(lesson.THREE, weights, three[case], strict=True)
    )
    return f"log-odds {log_odds[case]:+.2f} = {intercept:+.2f} (start) {parts}; p = {chances[case]:.2f}; truth {('benign', 'malignant')[malignant[case]]}"


def to_regulator(case):
    told = []
    for truth, what in ((1, "missed"), (0, "false alarms among")):
        wrong = (chances[test] > 0.5)[malignant[test] == truth] != truth
        low, high = binomtest(int(wrong.sum()), len(wrong)).proportion_ci()
        told.append(f"{what} {wrong.mean():.0%} of {len(wrong)} ({low:.0%} to {high:.0%})")
    return f"logistic regression, three measurements, neither age nor origin; on unseen tumours: {', '.join(told)}"


# %%
def supporting(case):
    """The parts that speak for the answer, largest first: [(part, name, value in steps)]."""
    parts = [(w * v, n, v) for n, w, v in zip(lesson.THREE, weights, three[case], strict=True)]
    return sorted((p for p in parts if (p[0] > 0) == (chances[case] > 0.5)), key=lambda p: -abs(p[0]))


def is_close(case):
    return 0.2 < chances[case] < 0.8


def to_doctor(case):
    answer = "malignant" if chances[case] > 0.5 else "benign"
    reasons = "; ".join(WORDS[n][int(v < 0)] + " than average" for _, n, v in supporting(case)[:2])
    doubt = "Close to the border: look again." if is_close(case) else "Not close to the border."
    return (
        f"{answer} (probability of malignant {chances[case]:.0%}); {reasons or 'nothing stands out'}. {doubt}"
    )


def to_patient(case):
    answer = "malignant" if chances[case] > 0.5 else "benign"
    near = "It was a close decision." if is_close(case) else "It was not a close decision."
    return f"The program takes your tumour for {answer}. {near} A doctor decides, not the program; ask her for the reasons."


tell = {"developer": to_developer, "regulator": to_regulator, "doctor": to_doctor, "patient": to_patient}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 2.3), sharey=True, sharex=True)
for ax, case in zip(
    axes, (int(by_chance[len(test) // 8]), doubtful, int(by_chance[-len(test) // 8])), strict=True
):
    lesson.draw_parts(ax, {**dict(zip(lesson.THREE, weights * three[case], strict=True)), "start": intercept})
    ax.set_title(
        f"p = {chances[case]:.2f}, truth: {'malignant' if malignant[case] else 'benign'}", fontsize=10
    )
axes[1].set_xlabel("part of the log-odds (right: speaks for malignant)")
plots.show(
    "Bars of the three parts and the start for three tumours: one surely benign, one doubtful, one surely malignant. In "
    "the doubtful one none of the three parts is large; the start tips it to benign."
)

# %% tags=["hide-input"]
for audience, say in tell.items():
    print(textwrap.fill(f"{audience:<10} {say(doubtful)}", 98, subsequent_indent=" " * 11))

# %% [markdown]
# None of these four is *the* explanation. Look at the doubtful tumour (middle): none of its parts is large, and what tips it to benign is the *start*, from which each tumour begins: the log-odds of the average tumour (count from another one, and the start and all parts change). The doctor hears nothing of that. She reads about the parts that happen to speak for the answer.
#
# **Play.** Look for a tumour on which the answer to the doctor sounds surer than the developer's line allows. (One of them is number 65.)


# %% tags=["hide-input"]
def explain_tumour(number, audience):
    case = int(test[number])
    figure, ax = plt.subplots(figsize=(7, 2.1))
    lesson.draw_parts(ax, {**dict(zip(lesson.THREE, weights * three[case], strict=True)), "start": intercept})
    ax.set(xlabel="part of the log-odds (right: speaks for malignant)")
    ax.set_title(f"unseen tumour {number}: probability of malignant {chances[case]:.2f}", loc="left")
    plots.show(f"The parts of the log-odds of unseen tumour {number}.")
    print(textwrap.fill(f"To the {audience}: {tell[audience](case)}", 98))


widgets.explore(
    explain_tumour,
    number=widgets.slider("tumour", 0, len(test) - 1, int(np.flatnonzero(test == doubtful)[0])),
    audience=widgets.choice("who asks", list(tell), "doctor"),
)

# %% [markdown]
# The doubtful tumour as a still picture, told to a patient:

# %% tags=["hide-input"]
explain_tumour(int(np.flatnonzero(test == doubtful)[0]), "patient")

# %% [markdown]
# ## 5 · Rules out of a network
#
# A network cannot be read. So ask it for rules: fit a small tree to the *network's answers*, not to the truth (Craven and Shavlik, 1996). The tree is a stand-in (a *surrogate*). Its **fidelity** is the share of unseen rows for which it says what the network says. Fidelity is not accuracy: it is measured against the network. Six networks, each with a split of its own:

# %%
fidelity, accuracy, control, of_network = {}, {}, {}, []
for seed in range(6):
    boxed = load_lab("tabular", table="breast_cancer", model="network", seed=seed)
    seen, unseen = boxed.table[~boxed.unseen], boxed.table[boxed.unseen]
    says = [boxed.predict(rows).argmax(axis=1) for rows in (seen, unseen)]
    truth = [boxed.targets[~boxed.unseen], boxed.targets[boxed.unseen]]
    of_network.append([(said == true).mean() for said, true in zip(says, truth, strict=True)])
    for depth in (1, 2, 3, 4, 6):
        rules = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(seen, says[0])
        fidelity.setdefault(depth, []).append((rules.predict(unseen) == says[1]).mean())
        accuracy.setdefault(depth, []).append((rules.predict(unseen) == truth[1]).mean())
        never_asked = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(seen, truth[0])
        control.setdefault(depth, []).append((never_asked.predict(unseen) == says[1]).mean())

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 3.2))
kinds = (
    ("fidelity: says what the network says", fidelity, "o-"),
    ("control: tree of the truth, says what the network says", control, "^--"),
    ("accuracy: says the truth", accuracy, "s-"),
)
for k, (label, values, mark) in enumerate(kinds):
    x, mean = np.array(list(values)) + 0.1 * k, [np.mean(v) for v in values.values()]
    colour = plots.COLOURS[(0, 2, 1)[k]]
    ax.plot(x, mean, mark, color=colour, label=label)
    ax.plot(np.repeat(x, 6), np.concatenate(list(values.values())), ".", color=colour, alpha=0.4)
right_seen, right_unseen = np.mean(of_network, axis=0)
ax.axhline(right_unseen, color=plots.BASELINE, linestyle=":", label="accuracy of the networks")
ax.set(xlabel="depth of the tree", ylabel="share of unseen tumours", ylim=(0.78, 1.0))
ax.set_title("A tree that never saw the network agrees with it nearly as often", loc="left")
ax.legend(fontsize=9, loc="lower right")
plots.show(
    f"Fidelity and accuracy of extracted trees of depth 1 to 6, six networks each, beside trees fitted to the truth. "
    f"Depth 2 has a mean fidelity of {np.mean(fidelity[2]):.2f}, the control {np.mean(control[2]):.2f}; at depth 6 "
    f"{np.mean(fidelity[6]):.2f} and {np.mean(control[6]):.2f}; the networks are right for {right_unseen:.2f}."
)
print(f"the networks say the truth for {right_seen:.2f} of the rows that they and the trees were fitted to")

# %% [markdown]
# The lines are means over six networks, the dots single ones. Rules of one question already say what the network says in about nine cases of ten; more add little. That looks like insight into the network. Now the control: trees fitted to the *truth*, which never asked the network, agree with it nearly as often: within about one case in a hundred up to depth 4, two at depth 6. On the rows that both trees are fitted to, the
# network nearly always says the truth, so asking it is nearly asking the table. (Craven and Shavlik therefore also ask the network about new, drawn rows.) **A high fidelity alone does not show that the rules tell about the network.** Where they differ, *the rules explain something that the network did not do*; and they are less accurate than it. [LIME](06_lime.ipynb) has the same idea and one change: its stand-in needs to be good only near one case.
#
# How much is "nine of ten" worth? Two more controls: a second network of another start, and a stand-in of another form, a logistic regression fitted to the network's answers.

# %%
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

boxed = load_lab("tabular", table="breast_cancer", model="network", seed=0)
seen, unseen = boxed.table[~boxed.unseen], boxed.table[boxed.unseen]
answers, says = (boxed.predict(rows).argmax(axis=1) for rows in (seen, unseen))
network = MLPClassifier((16,), alpha=3.0, solver="lbfgs", max_iter=2000, random_state=9)
twin = make_pipeline(StandardScaler(), network).fit(seen, boxed.targets[~boxed.unseen])
a_sum = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(seen, answers)
rules = DecisionTreeClassifier(max_depth=3, random_state=0).fit(seen, answers)
same = {"another network": twin, "a logistic regression": a_sum, "a tree of depth 3": rules}
same = {name: (model_.predict(unseen) == says).astype(float) for name, model_ in same.items()}
for name, agrees in same.items():
    print(f"{name} agrees in {agrees.mean():.2f} of the unseen cases")
print(f"logistic regression minus tree: {judge.paired(*list(same.values())[1:])}")

# %% [markdown]
# Two networks agree in nearly all cases, and so does the sum of thirty terms; the rules clearly less often. On these rows the network answers nearly as a sum does, and a tree is a poor form for that. So "nine of ten" is far from being the same model: try more than one form of stand-in.

# %% [markdown]
# ## 6 · Rules that answer WHY and HOW
#
# Some early programs explained themselves in conversation. MYCIN (Shortliffe and Buchanan, 1975) named the bacteria behind an infection, from several hundred rules of doctors. Each fact has a *certainty* between −1 (certainly not) and 1 (certainly). A premise is as certain as its weakest part and must be above 0.2; the conclusion
# gets premise × factor of the rule, and two reasons for one conclusion are combined (for opposite signs we take the later formula of its successor EMYCIN). It works backwards, from the goal to the facts; what no rule concludes, it *asks*. Then the doctor could type two words. **WHY**: why do you ask me this? **HOW**: how did you conclude this?


# %% tags=["by-hand"]
def combine(x, y):
    """Two certainties for the same conclusion, as one (1 and −1 together are not defined)."""
    return x + y * (1 - abs(x)) if x * y >= 0 else (x + y) / (1 - min(abs(x), abs(y)))


def conclude(goal, rules, ask, used, chain=()):
    """How certain is the goal? `used` remembers HOW, `chain` (the rules it is trying) is WHY something is asked."""
    mine = [name for name, (_, conclusion, _) in rules.items() if conclusion == goal]
    if goal not in used and not mine:
        used[goal] = (ask(goal, chain), [])
    elif goal not in used:
        certainty, fired = 0.0, []
        for name in mine:
            premise, _, factor = rules[name]
            weakest = min(conclude(part, rules, ask, used, (*chain, name)) for part in premise)
            if weakest > 0.2:
                certainty, fired = combine(certainty, weakest * factor), [*fired, name]
        used[goal] = (certainty, fired)
    return used[goal][0]


# %% [markdown]
# The first rule is the textbook example from MYCIN; the others are made up in its manner. Not for use on patients. The doctor types WHY at two questions. What will the program say?

# %% tags=["hide-input"]
exercises.why_or_how

# %%
RULES = {  # name: (facts that must hold, conclusion, factor)
    "rule 1": (("gram-positive", "coccus", "grows in clumps"), "staphylococcus", 0.7),
    "rule 2": (("skin wound",), "staphylococcus", 0.4),
    "rule 3": (("staphylococcus", "fever"), "treat now", 0.8),
    "rule 4": (("patient feels well",), "treat now", -0.5),
}
FACTS = {"gram-positive": 1.0, "coccus": 0.9, "grows in clumps": 0.8, "skin wound": 1.0, "fever": 1.0,
         "patient feels well": 0.6}  # fmt: skip


def in_words(name):
    premise, conclusion, factor = RULES[name]
    return f"{name}: IF {' AND '.join(premise)} THEN {conclusion} ({factor:+.1f})"


# %% tags=["hide-input"]
def doctor(fact, chain):
    print(f"How certain is “{fact}”?")
    if fact in ("coccus", "fever"):
        for depth, name in enumerate(reversed(chain)):
            print(f"   {'WHY? ' if depth == 0 else 'Why that?'} {in_words(name)}")
    print(f"   {FACTS[fact]}")
    return FACTS[fact]


used = {}
print(f"treat now: {conclude('treat now', RULES, doctor, used):.2f}\n")
for goal in ("treat now", "staphylococcus"):
    print(f"HOW did you conclude “{goal}” ({used[goal][0]:.2f})?")
    for name in used[goal][1]:
        known = ", ".join(f"{part} {used[part][0]:.2f}" for part in RULES[name][0])
        print(f"   {in_words(name)}\n      known: {known}")
print(
    "\nstaphylococcus: 0.8 · 0.7 = 0.56 and 1 · 0.4 = 0.40, together 0.56 + 0.40 · (1 − 0.56) =",
    f"{combine(0.56, 0.4):.2f}",
)
print("treat now: 0.74 · 0.8 = 0.59 against 0.6 · −0.5 = −0.30, together (0.59 − 0.30) / (1 − 0.30) =",
      f"{combine(0.59, -0.3):.2f}")  # fmt: skip
print(f"two rules with 0.70 that say the same: {combine(0.7, 0.7):.2f}")

# %% [markdown]
# WHY looks *up*, to the rules it is trying now: asked again, it climbs to the goal. HOW looks *down*, to the rules that fired. Both are the program's own memory. Somebody has to dictate each rule and keep it up to date. And certainties are not probabilities: two rules that say the
# same thing count twice (0.7 and 0.7 make 0.91).

# %% [markdown]
# ## 7 · Recap
#
# - Ask for the "rather than": a contrast of two classes is a sum, and its parts change with the rival.
# - How much of a sum two or three reasons tell is decided when the model is fitted: about a third, or half and more. Say what is left out.
# - The smallest change says how close a case was, not what anybody can do.
# - One set of numbers, four answers: who asks decides the form. None of them is the whole.
# - Extracted rules have a fidelity. Compare it with rules that never asked the network, and with a stand-in of another form.
# - A program of rules answers WHY (why do you ask?) from the rules it is trying now, and HOW (how did you conclude?) from the rules that fired.
#
# **References**
# - [Miller, 2019: Explanation in artificial intelligence: insights from the social sciences](https://arxiv.org/abs/1706.07269)
# - [Craven and Shavlik, 1996: Extracting tree-structured representations of trained networks](https://papers.nips.cc/paper/1152-extracting-tree-structured-representations-of-trained-networks)
# - [Wachter, Mittelstadt and Russell, 2018: Counterfactual explanations without opening the black box](https://arxiv.org/abs/1711.00399)
# - [Shortliffe and Buchanan, 1975: A model of inexact reasoning in medicine](https://doi.org/10.1016/0025-5564(75)90047-4); [Scott and others, 1977: Explanation capabilities of production-based consultation systems](https://aclanthology.org/J77-1006/)
