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
# - extract rules from a network, and measure how far they are true of it;
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
from sklearn.linear_model import LogisticRegression
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

# %% [markdown]
# The same wine, the same model, two questions (green speaks for the answer, pink against it). *Proline* speaks loudest against one rival and *color intensity* against the other. Some columns speak against the answer; a figure of the five largest parts would have hidden them all. And the start, which no property of this wine explains, is a good part of one sum.
# Whoever asks "why?" nearly always has a "rather than" in mind. Ask for it.

# %% [markdown]
# ## 2 · Selective: two or three causes, not thirty
#
# A logistic regression on *all thirty* columns of the tumours gives each of them a part in the answer. Sort the parts by size (without their sign): which share of their sum do the first three make up? **Guess**, then look.


# %%
def share_told(parts):
    """Share of the sum of all parts (absolute values) that the 1, 2, … largest make up: (N, n)."""
    sizes = -np.sort(-np.abs(parts), axis=1)
    return sizes.cumsum(axis=1) / sizes.sum(axis=1, keepdims=True)


scaled = StandardScaler().fit(tumours.table[train]).transform(tumours.table)
shares = {}
for C in (1, 10_000):
    thirty = LogisticRegression(C=C, solver="newton-cholesky").fit(scaled[train], malignant[train])
    shares[C] = share_told(scaled[test] * thirty.coef_[0])
    mean = shares[C].mean(axis=0)
    print(f"C = {C:<5}: three parts tell {mean[2]:.2f}; a half takes {(mean < 0.5).sum() + 1}, nine tenths "
          f"{(mean < 0.9).sum() + 1}; radius, perimeter, area "
          + " ".join(f"{w:+.1f}" for w in thirty.coef_[0, [0, 2, 3]]))  # fmt: skip

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.5, 2.8))
counts = np.arange(1, 31)
ax.fill_between(
    counts, *np.quantile(shares[1], [0.05, 0.95], axis=0), alpha=0.25, label="90 % of the tumours"
)
ax.plot(counts, shares[1].mean(axis=0), "o-", markersize=3.5, label="mean")
ax.set(xlabel="number of parts that you tell", ylabel="share of all parts", ylim=(0, 1.02))
ax.set_title(f"{len(test)} unseen tumours: three reasons leave most out", loc="left")
ax.legend(loc="lower right")
plots.show(
    f"The share of all parts that the largest ones make up rises slowly: three of thirty tell {shares[1][:, 2].mean():.2f}, "
    f"ten {shares[1][:, 9].mean():.2f}."
)

# %% [markdown]
# Three reasons are far from the whole story. How the model was fitted is only a small part of the cause. scikit-learn keeps coefficients small by a *penalty* unless it is told not to; $C$ says how weak the penalty is. With a penalty, columns that move together *share* the weight, as radius, perimeter and area do in the first line. With hardly any, they get large coefficients of opposite signs, and the
# parts that it takes become a few less, not few. People want two or three causes anyway, so **every short explanation is a choice, and somebody makes it**: say what was left out.

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
# One function for each, all from the same numbers. The regulator asks about the model, not about this tumour. (`binomtest` gives the exact interval of a share, *Clopper-Pearson's*.)

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


def to_doctor(case):
    answer = "malignant" if chances[case] > 0.5 else "benign"
    reasons = "; ".join(WORDS[n][int(v < 0)] + " than average" for _, n, v in supporting(case)[:2])
    doubt = "Close to the border: look again." if 0.2 < chances[case] < 0.8 else "Not close to the border."
    return (
        f"{answer} (probability of malignant {chances[case]:.0%}); {reasons or 'nothing stands out'}. {doubt}"
    )


def to_patient(case):
    answer = "malignant" if chances[case] > 0.5 else "benign"
    distance = np.abs(log_odds[case]) / np.linalg.norm(weights)
    near = "It was a close decision." if distance < 0.5 else "It was not a close decision."
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
# None of these four is *the* explanation. Look at the doubtful tumour (middle): none of its parts is large, and what tips it to benign is the *start*, from which each tumour begins. The doctor hears nothing of that. She reads about the parts that happen to speak for the answer.
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
fidelity, accuracy, of_network = {}, {}, []
for seed in range(6):
    boxed = load_lab("tabular", table="breast_cancer", model="network", seed=seed)
    seen, unseen = boxed.table[~boxed.unseen], boxed.table[boxed.unseen]
    says = [boxed.predict(rows).argmax(axis=1) for rows in (seen, unseen)]
    of_network.append((says[1] == boxed.targets[boxed.unseen]).mean())
    for depth in (1, 2, 3, 4, 6):
        rules = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(seen, says[0])
        fidelity.setdefault(depth, []).append((rules.predict(unseen) == says[1]).mean())
        accuracy.setdefault(depth, []).append((rules.predict(unseen) == boxed.targets[boxed.unseen]).mean())

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 2.9))
for shift, (label, values, mark) in enumerate(
    (("fidelity: says what the network says", fidelity, "o"), ("accuracy: says the truth", accuracy, "s"))
):
    x = np.array(list(values)) + 0.12 * shift
    mean = np.array([np.mean(v) for v in values.values()])
    ax.plot(x, mean, mark + "-", label=label)
    ax.plot(
        np.repeat(x, 6), np.concatenate(list(values.values())), ".", color=plots.COLOURS[shift], alpha=0.4
    )
ax.axhline(np.mean(of_network), color=plots.BASELINE, linestyle=":", label="accuracy of the networks")
ax.set(xlabel="depth of the extracted tree", ylabel="share of unseen tumours", ylim=(0.78, 1.0))
ax.set_title("Two questions repeat nine answers of ten; more add little", loc="left")
ax.legend(fontsize=9, loc="lower right")
plots.show(
    f"Fidelity and accuracy of extracted trees of depth 1 to 6, six networks each. Depth 2 has a mean fidelity of "
    f"{np.mean(fidelity[2]):.2f}, depth 6 {np.mean(fidelity[6]):.2f}; the networks themselves are right for {np.mean(of_network):.2f}."
)

# %% [markdown]
# The lines are means over six networks, the dots single ones. From two questions on, the rules say what the network says in about nine cases of ten, and more questions add little. Where they differ, *the rules explain something that the network did not do*. The rules are also less accurate than the network: what it gains over them, they do not contain. [LIME](06_lime.ipynb) has the same idea and one change: its stand-in
# needs to be good only near one case. A control belongs to such a number: how often does the network agree with a second network of another start? Then you know how much "nine of ten" is worth.

# %%
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

boxed = load_lab("tabular", table="breast_cancer", model="network", seed=0)
seen, unseen = boxed.table[~boxed.unseen], boxed.table[boxed.unseen]
twin = make_pipeline(
    StandardScaler(), MLPClassifier((16,), alpha=3.0, solver="lbfgs", max_iter=2000, random_state=9)
)
twin.fit(seen, boxed.targets[~boxed.unseen])
rules = DecisionTreeClassifier(max_depth=3, random_state=0).fit(seen, boxed.predict(seen).argmax(axis=1))
says = boxed.predict(unseen).argmax(axis=1)
same_twin, same_rules = twin.predict(unseen) == says, rules.predict(unseen) == says
print(
    f"another network agrees in {same_twin.mean():.2f} of the unseen cases, the rules in {same_rules.mean():.2f}"
)
print(f"difference {judge.paired(same_twin.astype(float), same_rules.astype(float))}")

# %% [markdown]
# The two networks agree in nearly all cases, the rules with the network clearly less often: "nine of ten" is far from being the same model.

# %% [markdown]
# ## 6 · Rules that answer WHY and HOW
#
# The oldest glass boxes explained themselves in conversation. MYCIN (Shortliffe and Buchanan, 1975) named the bacteria behind an infection, from several hundred rules of doctors. Each fact has a *certainty* between −1 (certainly not) and 1 (certainly). A premise is as certain as its weakest part and must be above 0.2; the conclusion
# gets premise × factor of the rule, and two reasons for one conclusion are combined. It works backwards, from the goal to the facts; what no rule concludes, it *asks*. Then the doctor could type two words. **WHY**: why do you ask me this? **HOW**: how did you conclude this?


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
# WHY looks *up*, to the rules it is trying now: asked again, it climbs to the goal. HOW looks *down*, to the rules that fired. Both are the program's own memory. Such systems were given up because somebody had to dictate each rule and keep it up to date. And certainties are not probabilities: two rules that say the
# same thing count twice (0.7 and 0.7 make 0.91).

# %% [markdown]
# ## 7 · Recap
#
# - Ask for the "rather than": a contrast of two classes is a sum, and its parts change with the rival.
# - Two or three reasons leave most of a sum out. Say so.
# - The smallest change says how close a case was, not what anybody can do.
# - One set of numbers, four answers: who asks decides the form. None of them is the whole.
# - Extracted rules have a fidelity. Where they differ from the network, they explain something else.
# - A program of rules answers WHY (why do you ask?) from the rules it is trying now, and HOW (how did you conclude?) from the rules that fired.
#
# **References**
# - [Miller, 2019: Explanation in artificial intelligence: insights from the social sciences](https://arxiv.org/abs/1706.07269)
# - [Craven and Shavlik, 1996: Extracting tree-structured representations of trained networks](https://papers.nips.cc/paper/1152-extracting-tree-structured-representations-of-trained-networks)
# - [Wachter, Mittelstadt and Russell, 2018: Counterfactual explanations without opening the black box](https://arxiv.org/abs/1711.00399)
# - [Shortliffe and Buchanan, 1975: A model of inexact reasoning in medicine](https://doi.org/10.1016/0025-5564(75)90047-4); [Scott and others, 1977: Explanation capabilities of production-based consultation systems](https://aclanthology.org/J77-1006/)
