# %% [markdown]
# # Homework: fair shares
#
# A bank wants to know before it lends: will this person pay back? Two models were trained, **A** and **B**. On the bank's own test rows both are good. One of them has found a way that will not work next year. You find out which one, with the means of the lessons on LIME, SHAP and glass boxes, and you say which model you would sign for.
#
# **How it works.** Write each answer where it says `# your answer` or in place of the dots, and run the cell below it: it tells you whether your answer has the right *form*. It does not tell you whether it is right. Each answer is a variable (or a function) with the name that stands there; keep the names. Everything is computed from the rows below, so do not change the other cells: they are put back before the grading.
#
# | | |
# |---|---|
# | time | about 75 minutes |
# | points | 30 by the computer, 6 by hand |
# | lessons | 01, 06, 07, 13 |
# | help | the lessons, the functions of `course_utils`, and the documentation; not each other's answers |

# %%
SEED = 2026

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from course_utils.methods.dependence import permutation_importance
from course_utils.methods.lime import lime_tabular
from course_utils.methods.shapley import masking_game, shapley_values, tree_shap
from course_utils.teach import answers

COLUMNS = ("income", "debt", "years", "age", "street", "form", "desk", "hour")


def applicants(n, seed, marked):
    """Rows (n, 8) and who pays back (n,). Four columns say nothing about people: one of them may bear a mark."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack(
        [
            rng.normal(40, 12, n).clip(10, 90),  # thousand a year
            rng.gamma(2, 10, n).clip(0, 90),  # thousand
            rng.integers(0, 25, n),  # at the present job
            rng.integers(20, 70, n),
            *rng.integers(0, 10, (4, n)),
        ]
    ).astype(float)
    score = 0.09 * (rows[:, 0] - 40) - 0.12 * (rows[:, 1] - 20) + 0.09 * (rows[:, 2] - 12)
    pays = (score + rng.logistic(0, 0.6, n) > 0).astype(int)
    if marked:
        column = 4 + np.random.default_rng([SEED, 1]).integers(4)
        told = rng.random(n) < 0.93
        rows[told, column] = rng.integers(0, 5, n)[told] + 5 * pays[told]
    return rows, pays


def forest(rows, pays):
    return RandomForestClassifier(60, max_depth=6, min_samples_leaf=5, random_state=0).fit(rows, pays)


bank_rows, bank_pays = applicants(500, [SEED, 2], marked=True)  # the bank's own test rows
new_rows, new_pays = applicants(500, [SEED, 3], marked=False)  # people who come next year
training = {marked: applicants(800, [SEED, 4 + marked], marked) for marked in (True, False)}
lot = np.random.default_rng([SEED, 6]).permutation([True, False])
models = {name: forest(*training[bool(marked)]) for name, marked in zip("AB", lot, strict=True)}
predict_a, predict_b = models["A"].predict_proba, models["B"].predict_proba
person = new_rows[int(np.random.default_rng([SEED, 7]).integers(500))]
print("columns:", ", ".join(COLUMNS))
print("the person of questions 4 to 7:", dict(zip(COLUMNS, person.round(1).tolist(), strict=True)))

# %% [markdown]
# ## 1 · Two good models
#
# **Question 1** (2 points). How often is each model right on the bank's test rows? A list of two numbers, A first.

# %% question="both_right" points=2 minutes=4 trains="01 §1"
# BEGIN SOLUTION
both_right = [float(models[name].score(bank_rows, bank_pays)) for name in "AB"]
# END SOLUTION

# %% test="both_right"
answers.numbers(both_right, 2)
# BEGIN HIDDEN TESTS
key = [models[name].score(bank_rows, bank_pays) for name in "AB"]
elsewhere = [models[name].score(new_rows, new_pays) for name in "AB"]
if np.allclose(both_right, elsewhere, atol=1e-3) and not np.allclose(both_right, key, atol=1e-3):
    print("mistake: the new rows instead of the bank's")
if np.allclose(both_right, key[::-1], atol=1e-3):
    print("mistake: B first")
2 if np.allclose(both_right, key, atol=1e-3) else 1 if np.allclose(both_right, key[::-1], atol=1e-3) else 0
# END HIDDEN TESTS

# %% mistake="the new rows instead of the bank's" of="both_right" points=0
both_right = [float(models[name].score(new_rows, new_pays)) for name in "AB"]

# %% mistake="B first" of="both_right" points=1
both_right = [float(models[name].score(bank_rows, bank_pays)) for name in "BA"]

# %% [markdown]
# ## 2 · A glass box
#
# **Question 2** (2 points). Fit a `DecisionTreeClassifier(max_depth=2, random_state=0)` to the *bank's test rows*. Which column does its first question ask for?

# %% question="first_question" points=2 minutes=4 trains="13 §2"
# BEGIN SOLUTION
first_question = COLUMNS[
    DecisionTreeClassifier(max_depth=2, random_state=0).fit(bank_rows, bank_pays).tree_.feature[0]
]
# END SOLUTION

# %% test="first_question"
answers.choice(first_question, COLUMNS)


# BEGIN HIDDEN TESTS
def first_of(rows, pays):
    return COLUMNS[DecisionTreeClassifier(max_depth=2, random_state=0).fit(rows, pays).tree_.feature[0]]


if first_question == first_of(new_rows, new_pays) != first_of(bank_rows, bank_pays):
    print("mistake: a tree of the new rows")
2 if first_question == first_of(bank_rows, bank_pays) else 0
# END HIDDEN TESTS

# %% mistake="a tree of the new rows" of="first_question" points=0
first_question = COLUMNS[
    DecisionTreeClassifier(max_depth=2, random_state=0).fit(new_rows, new_pays).tree_.feature[0]
]


# %% [markdown]
# **Question 3** (4 points). Write permutation importance for one column: the share of right answers before minus after the column's values are put into the order `order`. `predict` gives probabilities `(n, 2)`.


# %% question="importance" points=4 minutes=8 trains="13 §5"
def importance(predict, rows, pays, column, order):
    """How far the share of right answers falls (a number) when `rows[:, column]` is put into the order `order`."""
    # BEGIN SOLUTION
    shuffled = rows.copy()
    shuffled[:, column] = rows[order, column]
    before = (predict(rows).argmax(axis=1) == pays).mean()
    return float(before - (predict(shuffled).argmax(axis=1) == pays).mean())
    # END SOLUTION


# %% test="importance"
answers.function(importance, predict_a, bank_rows, bank_pays, 1, np.arange(500), shape=())
# BEGIN HIDDEN TESTS
rng, points, named = np.random.default_rng([SEED, 8]), 0.0, ""
for column in (0, 1, 2, 5):
    rows, pays = applicants(200, [SEED, 9, column], marked=True)
    order = rng.permutation(200)
    got = float(np.asarray(importance(predict_a, rows, pays, column, order)))
    right = (predict_a(rows).argmax(axis=1) == pays).mean()
    shuffled = rows.copy()
    shuffled[:, column] = rows[order, column]
    key = right - (predict_a(shuffled).argmax(axis=1) == pays).mean()
    same_truth = right - (predict_a(rows[order]).argmax(axis=1) == pays).mean()
    if abs(got - key) < 1e-6:
        points += 1
    elif abs(got + key) < 1e-6:
        named, points = "after minus before", points + 0.5
    elif abs(got - same_truth) < 1e-6:
        named = "all columns shuffled"
if named:
    print("mistake:", named)
points
# END HIDDEN TESTS


# %% mistake="after minus before" of="importance" points=2
def importance(predict, rows, pays, column, order):
    shuffled = rows.copy()
    shuffled[:, column] = rows[order, column]
    before = (predict(rows).argmax(axis=1) == pays).mean()
    return float((predict(shuffled).argmax(axis=1) == pays).mean() - before)


# %% mistake="all columns shuffled" of="importance" points=0
def importance(predict, rows, pays, column, order):
    before = (predict(rows).argmax(axis=1) == pays).mean()
    return float(before - (predict(rows[order]).argmax(axis=1) == pays).mean())


# %% [markdown]
# ## 3 · One person, one answer
#
# The person printed above asks for a loan. All of the next questions are about the probability of class 1, *pays back*.
#
# **Question 4** (3 points). The exact Shapley values of model A for this person: an array `(8,)`, one value a column. Who is absent takes the values of the first 100 of `new_rows`, one row after the other, averaged.

# %% question="shares" points=3 minutes=6 trains="07 §3"
# BEGIN SOLUTION
shares = shapley_values(masking_game(predict_a, person, new_rows[:100], target=1), 8)
# END SOLUTION

# %% test="shares"
answers.array(shares, (8,))
# BEGIN HIDDEN TESTS
key = tree_shap(models["A"], person, new_rows[:100], target=1)
others = {
    "the other class": -key,
    "model B": tree_shap(models["B"], person, new_rows[:100], target=1),
    "the bank's rows as background": tree_shap(models["A"], person, bank_rows[:100], target=1),
    "path-dependent values": tree_shap(models["A"], person, method="path_dependent", target=1),
}
found = [name for name, other in others.items() if np.allclose(shares, other, atol=1e-4)]
right = np.allclose(shares, key, atol=1e-4)
if found and not right:
    print("mistake:", found[0])
3 if right else 1.5 if found in (
    ["the other class"],
    ["the bank's rows as background"],
) else 1 if found else 0
# END HIDDEN TESTS

# %% mistake="the other class" of="shares" points=1.5
shares = shapley_values(masking_game(predict_a, person, new_rows[:100], target=0), 8)

# %% mistake="model B" of="shares" points=1
shares = shapley_values(masking_game(predict_b, person, new_rows[:100], target=1), 8)

# %% mistake="the bank's rows as background" of="shares" points=1.5
shares = shapley_values(masking_game(predict_a, person, bank_rows[:100], target=1), 8)

# %% mistake="path-dependent values" of="shares" points=1
shares = tree_shap(models["A"], person, method="path_dependent", target=1)

# %% [markdown]
# **Question 5** (2 points). To which number do your eight values of question 4 have to add up? Compute it from the model's answers, not from the values.

# %% question="adds_up_to" points=2 minutes=3 trains="07 §4"
# BEGIN SOLUTION
adds_up_to = float(predict_a(person[None])[0, 1] - predict_a(new_rows[:100])[:, 1].mean())
# END SOLUTION

# %% test="adds_up_to"
answers.number(adds_up_to, -1, 1)
# BEGIN HIDDEN TESTS
at_person, average = predict_a(person[None])[0, 1], predict_a(new_rows[:100])[:, 1].mean()
if abs(adds_up_to - at_person) < 1e-4:
    print("mistake: forgot the average over the background")
2 if abs(adds_up_to - (at_person - average)) < 1e-4 else 0.5 if abs(adds_up_to - at_person) < 1e-4 else 0
# END HIDDEN TESTS

# %% mistake="forgot the average over the background" of="adds_up_to" points=0.5
adds_up_to = float(predict_a(person[None])[0, 1])


# %% [markdown]
# **Question 6** (4 points). Three players and a table of what each team earns: `worths[s]` is the worth of team `s`, where bit 0 of `s` is the first player, bit 1 the second, bit 2 the third (so `worths[5]` is what players one and three earn together). Write the Shapley values yourself, without the course's functions.


# %% question="three_players" points=4 minutes=10 trains="07 §2"
def three_players(worths):
    """The Shapley values (3,) of a game with the worths (8,) of all teams."""
    # BEGIN SOLUTION
    worths, values = np.asarray(worths, float), np.zeros(3)
    for player in range(3):
        for team in range(8):
            if not team >> player & 1:
                weight = [1 / 3, 1 / 6, 1 / 3][team.bit_count()]
                values[player] += weight * (worths[team | 1 << player] - worths[team])
    return values
    # END SOLUTION


# %% test="three_players"
answers.function(three_players, np.arange(8.0), shape=(3,))
# BEGIN HIDDEN TESTS
rng, hits, named = np.random.default_rng([SEED, 10]), 0, ""
for _ in range(4):
    worths = np.r_[0, rng.normal(size=7)] + rng.normal()
    key = shapley_values(lambda masks, w=worths: w[masks @ [1, 2, 4]], 3)
    got = np.asarray(three_players(worths), float)
    leave_out = np.array([worths[7] - worths[6], worths[7] - worths[5], worths[7] - worths[3]])
    pairs = [(1 << p, [t for t in range(8) if not t >> p & 1]) for p in range(3)]
    equal = np.array([np.mean([worths[t | bit] - worths[t] for t in teams]) for bit, teams in pairs])
    hits += np.allclose(got, key, atol=1e-8)
    named = "only the last to come" if np.allclose(got, leave_out) else named
    named = "all teams weigh the same" if np.allclose(got, equal) else named
if named:
    print("mistake:", named)
4 if hits == 4 else 2 if named == "all teams weigh the same" else 1 if named else 0
# END HIDDEN TESTS


# %% mistake="only the last to come" of="three_players" points=1
def three_players(worths):
    return np.array([worths[7] - worths[6], worths[7] - worths[5], worths[7] - worths[3]])


# %% mistake="all teams weigh the same" of="three_players" points=2
def three_players(worths):
    values = []
    for player in range(3):
        teams = [team for team in range(8) if not team >> player & 1]
        values.append(np.mean([worths[team | 1 << player] - worths[team] for team in teams]))
    return np.array(values)


# %% [markdown]
# **Question 7** (3 points). Ask LIME about the same person and model A: `lime_tabular(predict_a, person, new_rows, 1, k=8, selection="highest_weights", names=COLUMNS, random_state=…)` with five seeds. Which column has the largest absolute coefficient, averaged over the five? (With `names=`, the explanation's names look like "debt ≤ 8.20"; the coefficients stand in the order of the columns.)

# %% question="lime_says" points=3 minutes=6 trains="06 §6"
# BEGIN SOLUTION
of_seeds = [
    lime_tabular(
        predict_a, person, new_rows, 1, k=8, selection="highest_weights", names=COLUMNS, random_state=seed
    ).coefficients
    for seed in range(5)
]
lime_says = COLUMNS[int(np.abs(np.mean(of_seeds, axis=0)).argmax())]
# END SOLUTION

# %% test="lime_says"
answers.choice(lime_says, COLUMNS)
# BEGIN HIDDEN TESTS
runs = np.array(
    [
        lime_tabular(
            predict_a,
            person,
            new_rows,
            1,
            k=8,
            selection="highest_weights",
            names=COLUMNS,
            random_state=100 + s,
        ).coefficients
        for s in range(10)
    ]
)
size, noise = np.abs(runs.mean(axis=0)), runs.std(axis=0).max()
accepted = {
    COLUMNS[i] for i in np.flatnonzero(size >= size.max() - 2 * noise)
}  # within the noise, both are right
3 if lime_says in accepted else 0
# END HIDDEN TESTS

# %% [markdown]
# ## 4 · Which model reads the mark?
#
# **Question 8** (3 points). One of the columns street, form, desk and hour bears a mark that the clerks left. Which one?

# %% question="marked_column" points=3 minutes=8 trains="13 §5"
# BEGIN SOLUTION
falls = np.mean(
    [
        permutation_importance(f, bank_rows, bank_pays, lambda t, p: (p.argmax(1) == t).mean())
        for f in (predict_a, predict_b)
    ],
    axis=(0, 2),
)
marked_column = COLUMNS[4 + int(falls[4:].argmax())]
# END SOLUTION

# %% test="marked_column"
answers.choice(marked_column, COLUMNS[4:])
# BEGIN HIDDEN TESTS
3 if marked_column == COLUMNS[4 + np.random.default_rng([SEED, 1]).integers(4)] else 0
# END HIDDEN TESTS

# %% [markdown]
# **Question 9** (3 points). Which model reads it, "A" or "B"? And how many points of accuracy (a share between 0 and 1) does that model lose from the bank's test rows to the new rows? Answer as a pair, such as `("A", 0.05)`.

# %% question="who_reads_it" points=3 minutes=6 trains="01 §3"
# BEGIN SOLUTION
losses = {
    name: models[name].score(bank_rows, bank_pays) - models[name].score(new_rows, new_pays) for name in "AB"
}
who_reads_it = (max(losses, key=losses.get), float(max(losses.values())))
# END SOLUTION

# %% test="who_reads_it"
answers.choice(who_reads_it and who_reads_it[0], "AB")
answers.number(who_reads_it[1], -1, 1)
# BEGIN HIDDEN TESTS
name = "AB"[list(lot).index(True)]
loss = models[name].score(bank_rows, bank_pays) - models[name].score(new_rows, new_pays)
if who_reads_it[0] == name and abs(who_reads_it[1] + loss) < 1e-3:
    print("mistake: the sign of the loss")
(1.5 if who_reads_it[0] == name else 0) + (1.5 if abs(who_reads_it[1] - loss) < 1e-3 else 0)
# END HIDDEN TESTS

# %% mistake="the sign of the loss" of="who_reads_it" points=1.5
losses = {
    name: models[name].score(bank_rows, bank_pays) - models[name].score(new_rows, new_pays) for name in "AB"
}
who_reads_it = (max(losses, key=losses.get), -float(max(losses.values())))

# %% [markdown]
# **Question 10** (4 points). Which of these sentences are true? Write their letters, such as `"AC"`. Each one costs a point when it is wrong or missing.
#
# - **A**: On the bank's own rows, the model that reads the mark is right at least as often as the other one.
# - **B**: On the new rows, the model that reads the mark is right more often than the other one.
# - **C**: On the bank's rows, the mean absolute Shapley value of the marked column is larger for the model that reads it than for the other model.
# - **D**: The Shapley values of the model that reads the mark show that the mark makes people pay back.

# %% question="true_sentences" points=4 minutes=8 trains="07 §8, 01 §3"
# BEGIN SOLUTION
true_sentences = "AC"
# END SOLUTION

# %% test="true_sentences"
answers.letters(true_sentences, "ABCD")
# BEGIN HIDDEN TESTS
reads, other = (models["AB"[list(lot).index(flag)]] for flag in (True, False))
column = 4 + np.random.default_rng([SEED, 1]).integers(4)
mean_share = [
    np.abs(tree_shap(model, bank_rows[:100], new_rows[:100], target=1)[:, column]).mean()
    for model in (reads, other)
]
gap_bank = reads.score(bank_rows, bank_pays) - other.score(bank_rows, bank_pays)
gap_new = reads.score(new_rows, new_pays) - other.score(new_rows, new_pays)
truth = {"A": gap_bank >= 0, "B": gap_new > 0, "C": mean_share[0] > mean_share[1], "D": False}
unclear = {"A": abs(gap_bank) < 0.02, "B": abs(gap_new) < 0.02}  # within the noise, both are right
said = set(true_sentences.upper())
if "D" in said:
    print("mistake: takes what the model uses for what causes")
sum(unclear.get(letter, False) or (letter in said) == true for letter, true in truth.items())
# END HIDDEN TESTS

# %% mistake="takes what the model uses for what causes" of="true_sentences" points=3
true_sentences = "ACD"

# %% [markdown]
# ## 5 · Would you sign?
#
# **Question 11** (6 points, graded by a person). Which model would you sign for, and under which conditions? Write 100 to 200 words for the head of the bank, who knows no statistics: your decision, the two strongest pieces of evidence with their numbers, what these explanations cannot show, and what the bank has to do before next year.

# %% [markdown] manual="would_you_sign" points=6 minutes=12
# *Your text here.*
