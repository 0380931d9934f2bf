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
# # 15b · Fooled: a rule that behaves when it is asked
#
# This companion of [15 · Fooled](15_fooled.ipynb) attacks from the other side: not the picture is prepared, but the *model*.
#
# **The question.** A bank decides by something that it must not use. Can it hide that from LIME and from SHAP, and how does an auditor find out?
#
# **After this lesson you can**
# - say how a model recognises that an explainer is asking, and what it does then;
# - predict how well such a model lies from how well it recognises the questions;
# - write two audits that find it, and say what each of them cannot see;
# - say which of the tests of [lesson 12](12_judging_explanations.ipynb) notice.
#
# **Why is this taught?** So that an auditor recognises it. To decide about people by their group, and to hide it, harms them, and is against the law in many countries. The people of this lesson are made by a random generator; the rule is one line; what you practise is to catch it.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [06 · LIME](06_lime.ipynb), [07 · SHAP](07_shap.ipynb); for LIME on tables section 1 of [06c](06c_lime_tables.ipynb).

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l15_fooled as exercises
from course_utils.lessons import l15_fooled as lesson
from course_utils.methods import lime
from course_utils.teach import plots, widgets

people = lesson.people(3000, seed=0)  # eight columns, one row a person
known, new = people[:2000], people[2000:]  # for whoever builds a model or an explainer; for the audit
GROUP, PUNCTUAL = lesson.GROUP, lesson.PUNCTUAL

# %% [markdown]
# ## 1 · A puzzle: two banks
#
# 3,000 made people ask for a loan. The table holds age, years in the present job, income, rent, savings, debts, whether they paid their bills on time (*punctual*, 0 or 1), and whether they belong to *group B* (0 or 1; half of them do). Nothing else in the table tells the group.
#
# Two banks answer 1 (granted) or 0 (refused). Their rules are sealed: you can only ask. You ask LIME about one person.

# %%
banks = lesson.two_banks(known)
person = new[(new[:, GROUP] == 1) & (new[:, PUNCTUAL] == 1)][0]
same = np.mean(banks["bank 1"](new) == banks["bank 2"](new))
print(f"the two banks give the same answer to {same:.1%} of {len(new)} people")
for name, rule in banks.items():
    print(f"{name} says to our person: {rule(person[None])[0]:.0f}")
weights = {name: lesson.lime_weights(rule, person, known) for name, rule in banks.items()}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 2.9), sharey=True, sharex=True)
for ax, (name, found) in zip(axes, weights.items(), strict=True):
    ax.barh(lesson.COLUMNS, found, color=[plots.ACCENT if abs(v) > 0.3 else plots.BASELINE for v in found])
    ax.axvline(0, color=plots.INK, linewidth=0.8)
    ax.set_xlabel("LIME's coefficient")
    ax.set_title(f"{name}: LIME names “{lesson.COLUMNS[np.abs(found).argmax()]}”", loc="left")
plots.show(
    "LIME's coefficients for one person at two banks. At bank 1 the group has all of the weight, at bank 2 punctuality."
)

# %% [markdown]
# Both banks refuse this punctual person. LIME says of bank 1: because of the group. Of bank 2: punctuality speaks *for* the person, and the group hardly counts. Yet the two banks decide alike. Bank 2 is lying. How?

# %% [markdown]
# ## 2 · How an explainer's questions look
#
# LIME asks about rows in which each column was drawn by itself ([06c](06c_lime_tables.ipynb)). KernelSHAP asks about rows that take some columns from the person and the others from a *background* row ([07](07_shap.ipynb); here from one of ten typical people). Such rows need not look like people:

# %%
asked = {
    "real people": new,
    "LIME's questions": lesson.questions("LIME", new, known),
    "KernelSHAP's questions": lesson.questions("SHAP, typical", new, known),
}
for name, rows in asked.items():
    impossible = (rows[:, 1] > rows[:, 0] - 18).mean()
    print(f"{name:<24}in the job since before they were 18: {impossible:4.0%}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3), sharex=True, sharey=True)
for ax, (name, rows) in zip(axes, asked.items(), strict=True):
    ax.scatter(rows[:500, 0], rows[:500, 1], s=7, color=plots.ACCENT, alpha=0.6)
    ax.plot([18, 65], [0, 47], "--", color=plots.INK, linewidth=1)
    ax.set_title(name, loc="left")
    ax.set_xlabel("age")
axes[0].set_ylabel("years in the job")
plots.show(
    "Age and years in the job of 500 rows each. Real people lie below the dashed line (in the job since the age of 18); many of "
    "the questions of LIME, and some of those of KernelSHAP, lie above it."
)

# %% [markdown]
# So a model can often tell *whether it is being explained*. To make an unfair model look fair by its explanation is called *fairwashing*. Slack and others (2020) do it with a *scaffold*. Let $f$ be the discriminating rule, $\psi$ (psi) an innocent one, and $d(x)$ a *detector* that says 1 if the row $x$ looks like a question of an explainer and 0 if it looks like a person:
#
# $$e(x) = \begin{cases} \psi(x) & \text{if } d(x) = 1 \\ f(x) & \text{if } d(x) = 0. \end{cases}$$
#
# Here $f$ grants a loan to group A only, and $\psi$ to the punctual. The detector is learnt: real rows with the label 0, rows that the explainer would ask about with the label 1, and a random forest that tells them apart.


# %% tags=["by-hand"]
def train_detector(table, questions):
    """A forest that answers 1 for rows that look asked, 0 for rows that look real."""
    rows = np.concatenate([table, questions])
    labels = np.repeat([0, 1], [len(table), len(questions)])
    forest = RandomForestClassifier(60, min_samples_leaf=2, class_weight="balanced", random_state=0)
    return forest.fit(rows, labels)


own_questions = [lesson.questions("LIME", known, known, seed) for seed in (1, 2)]
forest = train_detector(known, np.concatenate(own_questions))
asks = asked["LIME's questions"]
print(f"new people taken for real:    {(forest.predict(new) == 0).mean():.2f}")
print(f"new LIME questions found out: {forest.predict(asks).mean():.2f}")

# %% [markdown]
# ### Exercise: build the scaffold
#
# To find such a thing you have to know how it is built. `looks_asked`, `innocent` and `biased` each take rows `(n, 8)` and return n numbers, 0 or 1.


# %% exercise="scaffolded"
def scaffolded(rows, looks_asked, innocent, biased):
    """The answers (n,): innocent where a row looks asked, biased where it looks real."""
    # BEGIN SOLUTION
    return np.where(looks_asked(rows) == 1, innocent(rows), biased(rows))
    # END SOLUTION


# %%
exercises.scaffolded.check(scaffolded)

# %% [markdown]
# Bank 2 is exactly this. From here on `lesson.liar(known, kinds)` trains a detector for the kinds of questions that you name, and returns the scaffold.

# %% [markdown]
# ## 3 · The proof: the agreement table
#
# If our LIME and our SHAP were at fault, the lie would be our own. So here are the packages `lime` and `shap`, asked about bank 2. The background of KernelSHAP: ten typical rows, found by *k-means*, a method that looks for ten centres so that each person is near to one of them; `shap` offers it, and rounds each value to one that occurs. With eight columns there are only $2^8 = 256$ coalitions, so nothing has to be sampled.

# %% tags=["hide-input"]
import shap
from lime.lime_tabular import LimeTabularExplainer

bank_2, typical = lesson.scaffold(forest.predict), lesson.typical_rows(known)
explainer = LimeTabularExplainer(known, mode="regression", categorical_features=[6, 7], random_state=0)
found = dict(explainer.explain_instance(person, bank_2, num_features=8, num_samples=2000).local_exp[1])
by_lime = np.array([found[j] for j in range(8)])
kernel_explainer = shap.KernelExplainer(bank_2, typical)
by_shap = kernel_explainer.shap_values(person[None], l1_reg=0, silent=True)[0]

# %% tags=["nbval-check-output"]
judge.agreement_table(
    [
        ("by hand, lesson.liar", bank_2(new), lesson.liar(known, ["LIME"])(new), "the same answers"),
        ("lime 0.2", lesson.lime_weights(bank_2, person, known), by_lime, "same seed"),
        ("shap KernelExplainer", lesson.shap_values(bank_2, person, typical), by_shap, "all coalitions"),
    ]
)

# %% [markdown]
# ## 4 · The score: who is fooled by whom?
#
# A bank can prepare for one explainer, and the auditor may choose another one. Beside the open rule stand three liars, prepared for LIME, for KernelSHAP with typical rows, and for KernelSHAP with fifty *real* rows as its background (`shap` offers that, too: `shap.sample`). A fourth one was prepared for *any* real rows. The auditor has one more explainer: KernelSHAP with fifty *other* real rows, which no bank has seen. Twenty new people; we count how often each explainer names the group first, that is, gives it the largest size.

# %%
explainers = {
    "LIME": lambda rule, row: lesson.lime_weights(rule, row, known),
    "SHAP, typical": lambda rule, row: lesson.shap_values(rule, row, typical),
    "SHAP, real": lambda rule, row: lesson.shap_values(rule, row, known[:50]),
    "SHAP, other": lambda rule, row: lesson.shap_values(rule, row, new[500:550]),
}
rules = {"open": lesson.by_group} | {
    f"liar for {kind}": lesson.liar(known, [kind]) for kind in lesson.KINDS[:3]
}
any_rows = np.concatenate([lesson.shap_questions(known, known, seed) for seed in range(6)])
rules["liar for any real"] = lesson.scaffold(train_detector(known, any_rows).predict)
rules |= {"liar for all": lesson.liar(known, lesson.KINDS), "innocent": lesson.by_punctuality}  # for later
values = {
    (name, kind): np.array([explain(rule, row) for row in new[:20]])
    for name, rule in tqdm(rules.items(), desc="rules", leave=False)
    for kind, explain in explainers.items()
}
first = {key: np.abs(found).argmax(axis=1) for key, found in values.items()}

# %% tags=["hide-input"]
shown = list(rules)[:5]
table = [[(first[name, kind] == GROUP).mean() for kind in explainers] for name in shown]
figure, ax = plt.subplots(figsize=(8, 2.9))
plots.matrix_plot(table, shown, list(explainers), ax=ax)
ax.set_title("How often the group is named first", loc="left")
plots.show(
    "Rows: an open rule and four liars; columns: four explainers. For the open rule all name the group. Each liar hides from "
    "LIME and from the explainer that it was prepared for; the known other kinds of SHAP still name the group for most people, "
    "that with other real rows for about half of them or more. The liar for any real rows hides from all four for most people."
)

# %%
print(f"{'':<24}real people answered as by the open rule   granted to the punctual of A and B")
for name, rule in rules.items():
    answers, ask = rule(new), new[:, PUNCTUAL] == 1
    granted = [answers[ask & (new[:, GROUP] == g)].mean() for g in (0, 1)]
    agree = (answers == lesson.by_group(new)).mean()
    print(f"{name:<24}{agree:>24.2f}{granted[0]:>32.2f} {granted[1]:.2f}")

# %% [markdown]
# Read the figure by rows. Each of the first three liars fools the explainer that it was prepared for, and goes on discriminating: about nine in ten real people, or more, still get the answer of the open rule (the innocent rule gives it to one half, by chance). LIME is the easiest to fool: every liar manages it. Rows with all columns drawn anew look least like people; even detectors prepared for KernelSHAP recognise about nine in ten of them, and only about half of an unknown KernelSHAP's rows.
#
# "Use real rows as the background" helps against a bank that prepared for k-means. Against a bank that knows *which* rows it does not; fifty other rows, which this bank has not seen, name the group again for about half of the people or more (last column). **A defence has to be tested against somebody who knows it**: the liar for any real rows hides from those, too. But rows mixed from two people are often like people, so its detector takes many real people for questions, and the bank discriminates far less (the table).

# %% [markdown]
# ## 5 · How good must the detector be?
#
# LIME fits a straight line, and a straight line through a mixture is the mixture of the straight lines. If the detector recognises a share $q$ of LIME's questions, whatever is in them, then $q$ of the answers come from $\psi$ and $1 - q$ from $f$. LIME's coefficient for $\psi$ alone has size 1 at *punctual*, for $f$ alone size 1 at *group*. So for the scaffold one expects the sizes
#
# $$|w_{\text{punctual}}| = q, \qquad |w_{\text{group}}| = 1 - q.$$
#
# ### Exercise: predict, then run
#
# A detector recognises 60 % of LIME's questions, at random. For what share of the people does LIME name the **group** first? (Within 0.15 counts as right.)

# %% exercise="half_recognised"
share_named = None  # between 0 and 1
# BEGIN SOLUTION
share_named = 0.0
# END SOLUTION


# %%
def recognises(q):
    """A made detector that takes a share q of all rows for questions, by the digits of the income."""
    return lesson.scaffold(lambda rows: (rows[:, 2] * 1000) % 1 < q)


sixty = np.array([lesson.lime_weights(recognises(0.6), row, known) for row in new[:20]])
exercises.half_recognised.check(share_named, np.abs(sixty).argmax(axis=1) == GROUP)

# %% [markdown]
# Now real detectors of different quality: forests whose trees may ask only one question in a row, two, and so on, prepared for LIME. They go by age, income and the like, which LIME draws independently of the two columns; so the formula should hold for them as well.

# %%
depths, learnt = (1, 2, 3, 4, 6, 8, 12, None), []
lime_asks = lesson.questions("LIME", new, known, seed=9)
for depth in tqdm(depths, desc="detectors", leave=False):
    weak = lesson.detector(known, ["LIME"], depth)
    w = [lesson.lime_weights(lesson.scaffold(weak.predict), row, known) for row in new[:20]]
    learnt.append((weak.predict(lime_asks).mean(), 1 - weak.predict(new).mean(), *np.abs(w).mean(axis=0)))
learnt = np.array(learnt)  # q, real people recognised as real, and the mean size of the eight coefficients
made = [(q, *np.abs([lesson.lime_weights(recognises(q), row, known) for row in new[:5]]).mean(axis=0))
        for q in np.linspace(0, 1, 9)]  # fmt: skip
made = np.array(made)

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 3.3))
for name, j, colour in (("punctual", PUNCTUAL, plots.COLOURS[0]), ("group", GROUP, plots.COLOURS[1])):
    ax.plot([0, 1], [0, 1] if j == PUNCTUAL else [1, 0], color=colour, linewidth=1, label=f"{name}: formula")
    ax.plot(made[:, 0], made[:, 1 + j], "x", color=colour, label=f"{name}: made detector")
    ax.plot(learnt[:, 0], learnt[:, 2 + j], "o", color=colour, label=f"{name}: learnt detector")
ax.axvline(0.5, color=plots.INK, linestyle=":", linewidth=1)
ax.set(xlabel="share of LIME's questions that the detector recognises", ylabel="mean size of the coefficient")
ax.legend(fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.22))
ax.set_title("With half of the questions recognised, LIME names the group second", loc="left")
plots.show(
    "Sizes of two coefficients of LIME against the share of recognised questions. That of punctual rises from 0 to 1, that of "
    "the group falls from 1 to 0; made and learnt detectors lie on the straight lines of the formula. They cross at one half."
)

# %%
for depth, row in zip(depths, learnt, strict=True):
    print(
        f"depth {depth or 'free':<5} questions recognised {row[0]:.2f}   real people taken for real {row[1]:.2f}"
    )

# %% [markdown]
# A lie need not be perfect. From one half on the group stands in the second place, and who reads only the first line is deceived. Who reads the *whole* explanation still sees a group that counts, until the detector is nearly perfect.
#
# The other error matters to the bank as well: each real person who is taken for a question is decided innocently. Both errors belong to the price of lying.
#
# The formula needs “whatever is in them”, and for KernelSHAP that fails. Take the detector that was prepared for it, and let only some columns come from the background:

# %%
prepared = lesson.detector(known, ["SHAP, typical"])
background = lesson.typical_rows(known)[np.arange(len(new)) % 10]
for name, columns in (("the group alone", [7]), ("punctual and group", [6, 7]), ("the income alone", [2]),
                      ("age, savings, debts, group", [0, 4, 5, 7]), ("all but the group", range(7))):  # fmt: skip
    mixed = new.copy()
    mixed[:, columns] = background[:, columns]
    print(f"{name:<28}from the background: {prepared.predict(mixed).mean():.2f} recognised")

# %% [markdown]
# A row in which only the group comes from elsewhere looks like a real person, and the Shapley kernel gives just the largest and the smallest coalitions a large weight. That brings us to the audit.

# %% [markdown]
# ## 6 · The audit: exchange the one column
#
# Ask about a real person; then about the same person with the group exchanged and *nothing else changed*. Where other columns do not tell the group, the second row is as real as the first one.
#
# ### Exercise: write the audit
#
# Which share of the people gets another answer? `column` holds zeros and ones.


# %% exercise="share_changed"
def share_changed(rule, people, column):
    """The share of the people whose answer changes when their value in this column is exchanged."""
    # BEGIN SOLUTION
    other = people.copy()
    other[:, column] = 1 - other[:, column]
    return (rule(other) != rule(people)).mean()
    # END SOLUTION


# %%
exercises.share_changed.check(share_changed)

# %% [markdown]
# Now all rules, with the innocent one as the control, and a bank that has *prepared for this audit*: its detector was trained on exchanged people, too.

# %%
swap_audit = exercises.share_changed.reference
audited = {"open": lesson.by_group, "innocent": lesson.by_punctuality}
for kinds in (["LIME"], ["SHAP, typical"], ["SHAP, real"], ["swapped"], lesson.KINDS):
    audited["liar for " + (kinds[0] if len(kinds) == 1 else "all")] = lesson.liar(known, kinds)
detect = lesson.detector(known, ["swapped"])
print(f"detector of exchanged people, right about new rows: {(detect.predict(new) == 0).mean():.2f} "
      f"and {detect.predict(lesson.swapped(new)).mean():.2f}")  # fmt: skip
for name, rule in audited.items():
    changed = swap_audit(rule, new, GROUP)
    alike = (rule(new) == lesson.by_group(new)).mean()
    print(
        f"{name:<24}answers that change: {changed:.2f}   real people answered as by the open rule: {alike:.2f}"
    )

# %% [markdown]
# Nobody escapes. The innocent rule changes no answer at all, every liar changes many. The detector of exchanged people is no better than a coin, since the exchanged rows are distributed like the real ones; so the bank that prepared for it must now treat many *real* people innocently (the last column falls towards the 0.5 of the innocent rule). **It can only hide its harm by doing less harm.** The two columns even say how much: but for chance, the share answered as by the open rule is one half plus half of the share that changes. If a person and the exchanged one get the same answer, the open rule agrees about one of them; if these banks answer them differently, about both.
#
# This scaffold would not be helped by a perfect detector: the *real* person was answered by $f$, the exchanged one is answered by $\psi$, and the two often differ. To stay silent, a rule has to give both the same answer, so it has to know what the group was *before*. Here nothing tells it.
#
# ### What this audit cannot see
#
# It tests whether the rule reads *the column*. Make other people: here the group hangs together with the share of the income that the rent takes (`tie=8`). And a rule that does not read the group at all: no loan for those whose rent takes more than three tenths.

# %%
tied = lesson.people(3000, seed=1, tie=8.0)


def by_rent(rows):
    return (rows[:, 3] < 0.3 * rows[:, 2]).astype(float)


answers = by_rent(tied)
named = np.abs(lesson.lime_weights(by_rent, tied[0], tied))
print(f"exchange audit: {swap_audit(by_rent, tied, GROUP):.2f}")
print("granted to A and B:", *(f"{answers[tied[:, GROUP] == g].mean():.2f}" for g in (0, 1)))
print("LIME's two largest:", *(lesson.COLUMNS[j] for j in np.argsort(-named)[:2]))

# %% [markdown]
# The audit is silent, LIME tells the truth (rent and income), and group B hardly gets a loan. Whether such a rule may be used is not for an explanation to decide. An audit of a column is not yet an audit of fairness.
#
# And where the rent tells the group, a bank can see that a group was exchanged, and put it back:

# %%
detect_tied = lesson.detector(tied[:2000], ["swapped"])


def puts_back(rows):
    looks_swapped = detect_tied.predict(rows)[:, None]
    return lesson.by_group(np.where(looks_swapped, lesson.swapped(rows), rows))


later = tied[2000:]
print(f"exchanged people recognised: {detect_tied.predict(lesson.swapped(later)).mean():.2f}")
print(f"exchange audit: {swap_audit(puts_back, later, GROUP):.2f}   "
      f"answered as by the open rule: {(puts_back(later) == lesson.by_group(later)).mean():.2f}")  # fmt: skip

# %% [markdown]
# This rule reads the column, discriminates, and the audit hardly notices. So first ask whether the other columns tell the group.

# %% [markdown]
# ## 7 · A second audit: the decisions alone
#
# There is an audit that cannot be recognised, because it asks nothing. The explanation *promises* something: bank 2 says that the punctual get a loan. Take decisions that were made in daily business, and see whether the promise was kept, for each group.
#
# ### Exercise: find the bug
#
# A colleague wrote this. At a fair bank with one tenth of its clients in group B it reports 0.9 and 0.1, and raises an alarm. Repair it: *of those to whom a loan is promised*, which share of each group got one? The inputs are n zeros and ones each.


# %% exercise="granted_shares"
def granted_shares(granted, promised, group):
    """For group A and group B: the share of those promised a loan who got it, (2,)."""
    # BEGIN STUB
    # shares = []
    # for member in (1 - group, group):
    #     got_it = (granted * promised * member).sum()
    #     shares.append(got_it / (granted * promised).sum())
    # return np.array(shares)
    # END STUB
    # BEGIN SOLUTION
    shares = []
    for member in (1 - group, group):
        got_it = (granted * promised * member).sum()
        shares.append(got_it / (promised * member).sum())
    return np.array(shares)
    # END SOLUTION


# %%
exercises.granted_shares.check(granted_shares)

# %%
of_promised = exercises.granted_shares.reference
cases = {"innocent": lesson.by_punctuality, "liar for LIME": lesson.liar(known, ["LIME"]),
         "liar for all": lesson.liar(known, lesson.KINDS)}  # fmt: skip
for name, rule in cases.items():
    a, b = of_promised(rule(new), new[:, PUNCTUAL], new[:, GROUP])
    print(f"{name:<16}of the punctual, granted:  group A {a:.2f}   group B {b:.2f}")

# %% [markdown]
# The colleague's number answers another question: who *has* the loans, not how a group is *treated*. It depends on how large the groups are.
#
# In daily business a liar has to do what it wants to do. So **test an explanation on decisions that were made anyway**. What this audit cannot see: why. If the groups differ in something that is not in the table, a gap may have another reason. And it needs decisions of the very rule that is explained.

# %% [markdown]
# ## 8 · Which tests of lesson 12 notice?
#
# Five checks that one can run without knowing the truth. The first two ask the explanation about itself; the third takes a second explainer; the fourth is a deletion test: give the named column the values of other real people, and see whether answers change; the last compares with real decisions: for what share of the real people does the answer equal their value in the named column, or its opposite?


# %%
def five_checks(name, rule):
    """Means over people: one number for each check."""
    rng, named = np.random.default_rng(0), first[name, "LIME"]
    r2 = [lime.lime_tabular(rule, row, known, None, 2000, k=None, categorical=[6, 7]).r2 for row in new[:5]]
    again = [np.abs(lesson.lime_weights(rule, row, known, seed=5)).argmax() for row in new[:20]]
    changed = []
    for row, j in zip(new, named, strict=False):
        others = np.repeat(row[None], 100, axis=0)
        others[:, j] = rng.choice(known[:, j], 100)
        changed.append((rule(others) != rule(row[None])).mean())
    alike = [(rule(new) == new[:, j]).mean() for j in named]
    kept = [max(share, 1 - share) for share in alike]
    return [np.mean(r2), np.mean(again == named), np.mean(first[name, "SHAP, typical"] == named),
            np.mean(changed), np.mean(kept)]  # fmt: skip


columns = ("open", "innocent", "liar for LIME", "liar for all")
checks = np.array([five_checks(name, rules[name]) for name in columns])

# %% tags=["hide-input"]
lines = ("R² on LIME's own questions", "same column first with another seed", "KernelSHAP names the same first",
         "deletion: answers that change", "real decisions that the column tells")  # fmt: skip
figure, ax = plt.subplots(figsize=(8.5, 2.9))
plots.matrix_plot(checks.T, lines, columns, ax=ax)
ax.set_title("Two checks notice both liars", loc="left")
plots.show(
    "Five checks for four rules. R² and the repetition are high for all; the second explainer notices only the liar for LIME; "
    "deletion and real decisions are lower for both liars than for the two honest rules."
)

# %% [markdown]
# - **R² and stability do not notice.** The surrogate fits the answers to its *questions* well, and says the same each time. The lie is in the answers.
# - **A second explainer** notices the bank that prepared for LIME alone. A bank that prepared for KernelSHAP fools LIME as well (section 4), so the two agree, as for the bank that prepared for all.
# - **Deletion notices**, as for the moved maps: what LIME names has little effect on real rows. If punctuality decided everything, about $2 \cdot 0.7 \cdot 0.3 = 0.42$ of the answers would change on average (seven in ten are punctual). The liar for LIME is far below; the liar for all is nearer, since it treats many real people innocently. The changed row looks real, as punctuality hangs together with no other column. Where another one tells it, a detector may recognise the row; but even one that always does brings this scaffold only to about 0.2, half of the innocent rule's number: an answer changes only for people about whom the two rules agree, one half.
# - **Real decisions notice**: a column that is said to decide everything should tell all of them. For the liar for LIME it tells no more than a coin would.
#
# So the rule for an auditor: **ask in a way in which the world asks.**

# %% [markdown]
# ## 9 · What an audit costs
#
# Questions to the bank for *one* explanation: LIME 5,000 by default; KernelSHAP 254 coalitions times the background, so 2,540 with ten rows and 12,700 with fifty. The exchange audit needs two questions a person.
#
# How many people? Say the rule discriminates only in a share $s$ of the cases (a cautious liar). One person shows nothing with probability $1 - s$, and $n$ people with $(1 - s)^n$. To see at least one changed answer with probability 0.95:
#
# $$n \ge \frac{\ln 0.05}{\ln (1 - s)}.$$

# %%
rng, sizes = np.random.default_rng(0), np.array([3, 10, 30, 60, 100, 200, 300])
debts, seen = new[:, 5], {}
for s in (0.3, 0.05, 0.01):
    high = np.quantile(debts, 1 - s)

    def cautious(rows, high=high):  # it looks at the group only where debts are high
        return np.where(rows[:, 5] > high, lesson.by_group(rows), lesson.by_punctuality(rows))

    hit = cautious(lesson.swapped(new)) != cautious(new)
    seen[s] = [np.mean([hit[rng.integers(len(new), size=n)].any() for _ in range(500)]) for n in sizes]
    print(f"s = {s:.2f}: people needed {np.ceil(np.log(0.05) / np.log(1 - s)):.0f}, questions twice as many")

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 3))
for (s, found), colour in zip(seen.items(), plots.COLOURS, strict=False):
    ax.plot(np.arange(1, 301), 1 - (1 - s) ** np.arange(1, 301), color=colour, label=f"s = {s:.2f}")
    ax.plot(sizes, found, "o", color=colour)
ax.axhline(0.95, color=plots.INK, linestyle=":", linewidth=1)
ax.set(xlabel="people in the audit", ylabel="chance to see it", xscale="log", ylim=(0, 1.03))
ax.set_xticks([1, 3, 10, 30, 100, 300], [1, 3, 10, 30, 100, 300])
ax.legend(fontsize=9)
ax.set_title("A rare discrimination needs a large audit", loc="left")
plots.show(
    "The chance to see at least one changed answer against the number of people, for three shares of discrimination. Dots, "
    "measured on the made people, lie on the lines of the formula."
)

# %% [markdown]
# An audit is cheap against an explanation, and it says something about the *bank*, not about one person. A bank that sees two applications in a row that differ in one column may still recognise the auditor by *that*: the two questions belong on different days.

# %% [markdown]
# ## 10 · Your turn
#
# Write a rule of your own that takes the group into account where you think that nobody will look, and let both audits at it. How little discrimination stays unseen with 100 people? (Columns: 0 age, 1 years in the job, 2 income, 3 rent, 4 savings, 5 debts, 6 punctual, 7 group B.)


# %%
def my_rule(rows):
    """Innocent for most; those in the job for less than a year and a half are decided by the group."""
    return np.where(rows[:, 1] < 1.5, lesson.by_group(rows), lesson.by_punctuality(rows))


hundred = new[:100]
promised, group = hundred[:, PUNCTUAL], hundred[:, GROUP]
found = lesson.lime_weights(my_rule, hundred[0], known)
print(f"exchange audit: {swap_audit(my_rule, hundred, GROUP):.0%} of the answers change")
print("granted of the promised, A and B:", of_promised(my_rule(hundred), promised, group).round(2))
print("LIME, group:", round(float(found[GROUP]), 2), "  punctual:", round(float(found[PUNCTUAL]), 2))

# %% [markdown]
# **Play.** Choose a rule, a person and an explainer. Where does the lie show? (Below, a still picture.)


# %%
def draw(rule, explainer, number):
    row = new[number]
    found = explainers[explainer](rules[rule], row)
    answer, other = rules[rule](row[None])[0], rules[rule](lesson.swapped(row[None]))[0]
    figure, ax = plt.subplots(figsize=(7.5, 2.9))
    ax.barh(lesson.COLUMNS, found, color=plots.ACCENT)
    ax.axvline(0, color=plots.INK, linewidth=0.8)
    ax.set(xlim=(-1.1, 1.1), xlabel=f"{explainer} of the rule “{rule}”")
    who = f"group {'AB'[int(row[GROUP])]}, {'punctual' if row[PUNCTUAL] else 'not punctual'}"
    ax.set_title(f"{who}: answer {answer:.0f}; with the group exchanged: answer {other:.0f}", loc="left")
    plots.show(
        f"The values of {explainer} for person {number} and the rule {rule}; the audit is in the title."
    )


# %% tags=["hide-input"]
widgets.explore(
    draw,
    rule=widgets.choice("rule", list(rules), "liar for SHAP, typical"),
    explainer=widgets.choice("explainer", list(explainers), "SHAP, real"),
    number=widgets.slider("person", 0, 24, 3),
)

# %% tags=["hide-input"]
draw("liar for SHAP, typical", "SHAP, real", 3)  # a still picture of the same

# %% [markdown]
# ## 11 · Recap
#
# - LIME and KernelSHAP ask about rows that need not look like people. A model can recognise them, and answer them innocently.
# - From one half of recognised questions on, LIME names the wrong column first.
# - Another background helps only against a bank that has not expected it; to expect any real rows costs the bank about half of its discrimination.
# - Exchange the one column of real people: every liar changes answers, the innocent rule none, where the other columns do not tell the group. It tests the column, not fairness.
# - Compare what the explanation promises with decisions that were made anyway: that cannot be recognised.
# - R² and stability do not notice; deletion of the named column and real decisions do.
#
# **References**
# - [Slack and others, 2020: Fooling LIME and SHAP: adversarial attacks on post hoc explanation methods](https://arxiv.org/abs/1911.02508)
# - [Aïvodji and others, 2019: Fairwashing: the risk of rationalization](https://arxiv.org/abs/1901.09749), where the word comes from
# - [Ribeiro, Singh and Guestrin, 2016: "Why Should I Trust You?"](https://arxiv.org/abs/1602.04938)
# - [Lundberg and Lee, 2017: A unified approach to interpreting model predictions](https://arxiv.org/abs/1705.07874)
