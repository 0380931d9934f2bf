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
# # 17 · Which training example made it answer so?
#
# **The question.** A model learnt from examples. Which of them made it say this, and how would you know?
#
# **After this lesson you can**
# - measure what one training example does, by leaving it out and fitting again;
# - predict that number without a refit (*influence*), and say when the prediction is good;
# - show that your version equals captum, and find the mistake that is easiest to make;
# - compare influence with simpler lists: nearest neighbours, and the examples with the largest loss;
# - say why influence need not name the examples that taught a shortcut.
#
# **Time**: about <!-- minutes --> minutes. **Before**: a logistic regression and its loss ([13 · Glass boxes](13_glass_boxes.ipynb), section 3), a gradient, the inverse of a matrix.
#
# All data here are real. `tumours`: thirty measurements of each of 569 breast tumours, *malignant* (label 1) or *benign* (0); 400 to learn from, 169 are kept for tests. `digits`: handwritten digits of 8 × 8 pixels; 600 to learn from, 400 for tests.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F

from course_utils import judge
from course_utils.exercises import l17_training_examples as exercises
from course_utils.lessons import l17_training_examples as lesson
from course_utils.lessons.l17_training_examples import sigmoid
from course_utils.methods.influence import example_gradients, influence, self_influence, tracin
from course_utils.teach import plots, widgets

data, digits = lesson.tumours(), lesson.digits()
pictures, test_pictures = lesson.tensors(digits)  # a 1 in front of the 64 pixels
N = len(digits.labels)

# %% [markdown]
# ## 1 · A puzzle: a 4 that is called a 9
#
# The model below is a weighted sum of the pixels for each of the ten digits, then a [softmax](glossary.md#softmax). Here is a test digit for which it is wrong.

# %% tags=["hide-input"]
# this code would tell you the answer: look at the picture first
LAM = 0.001  # a penalty, explained in section 2
fours = np.flatnonzero(digits.test_labels == 4)
victim = int(fours[2])
labels_9, planted = lesson.plant(digits, victim, wrong=9)
model = lesson.fit_softmax(pictures.numpy(), labels_9, LAM)
with torch.no_grad():
    scores = model(test_pictures)
right = (scores.argmax(dim=1).numpy() == digits.test_labels).mean()
print(f"right for {right:.2f} of the test digits")
print(f"the 4: says {int(scores[victim].argmax())}, probability {scores[victim].softmax(0).max():.2f}")

# %% tags=["hide-input"]
plots.show_images([1 - digits.test_pictures[victim].reshape(8, 8)], [f"the model says {int(scores[victim].argmax())}"], width=2.2)  # fmt: skip
plots.show("One handwritten 4 of 8 × 8 pixels, well formed.")

# %% tags=["hide-input"]
exercises.which_question

# %% [markdown]
# A heat map says which pixels spoke for a 9, not why. **The reason lies elsewhere: in the training set.** Which of the 600 training digits taught the model this answer? (Section 8.)

# %% [markdown]
# ## 2 · The idea: take one example away
#
# An example matters for an answer if the answer is another one without it. So take it away, fit again, and look (*leave one out*). On the tumours we can do that for each of the 400.
#
# Write $n$ for the number of rows, $x_i$ for row $i$ (with a 1 in front), $y_i$ for its label, $\theta$ for the weights, $p_i = \sigma(\theta^\top x_i)$ for the probability of malignant, where $\sigma$ turns log-odds into a probability, and $\ell_i$ for the loss, minus the logarithm of the probability of the true class. The fitted weights $\hat\theta$ minimise
#
# $$J(\theta) = \frac{1}{n}\sum_{i=1}^{n} \ell_i(\theta) + \frac{\lambda}{2}\lVert\theta\rVert^2 .$$
#
# The last term is a penalty: it keeps the weights small. $\lambda$ ("lambda") says how strong it is. For a minimum we need the slope of $J$ and its curvature, the *Hessian* $H$, the matrix of second derivatives:
#
# $$\nabla \ell_i = (p_i - y_i)\,x_i, \qquad H = \frac{1}{n}\sum_i p_i(1-p_i)\,x_i x_i^\top + \lambda \mathbb{1}.$$
#
# ($\nabla$, "nabla", is the vector of slopes; $\mathbb{1}$ the matrix with ones on the diagonal.) Newton's method steps by $-H^{-1}\nabla J$ until the slope is zero.


# %% tags=["by-hand"]
def fit(rows, labels, lam, n, theta):
    """The weights with the smallest J, starting from `theta`."""
    for _ in range(50):
        p = sigmoid(rows @ theta)
        slope = rows.T @ (p - labels) / n + lam * theta
        hessian = (rows.T * (p * (1 - p))) @ rows / n + lam * np.eye(len(theta))
        step = np.linalg.solve(hessian, slope)
        theta = theta - step
        if np.abs(step).max() < 1e-10:
            return theta


lam, n = 0.01, len(data.rows)
theta = fit(data.rows, data.labels, lam, n, np.zeros(31))
test_losses = lesson.logistic_loss(theta, data.test_rows, data.test_labels)
worst = int(test_losses.argmax())  # the test tumour with the largest loss
asked, asked_label = data.test_rows[worst], data.test_labels[worst]
print(f"test tumour {worst}: label {asked_label:.0f}, probability of malignant {sigmoid(asked @ theta):.2f}")

# %%
refits = []
for i in range(n):  # without tumour i; 1/n and λ stay what they were
    keep = np.arange(n) != i
    refits.append(fit(data.rows[keep], data.labels[keep], lam, n, theta))
true = np.array([lesson.logistic_loss(t, asked, asked_label) for t in refits]) - test_losses[worst]

# %% [markdown]
# `true` holds 400 numbers: by how much the loss of that one test tumour changes without training tumour $i$. Positive: the training tumour *helps* (without it the loss rises). Negative: it *harms*. Each point of the picture is as large as its effect on the star, the test tumour.

# %% tags=["hide-input", "thumbnail"]
a, b = (data.names.index(name) + 1 for name in ("worst radius", "worst texture"))
figure, ax = plt.subplots(figsize=(8, 4.2))
for kind, marker in ((0, "o"), (1, "^")):
    for helps, colour in ((True, plots.COLOURS[0]), (False, plots.COLOURS[1])):
        these = (data.labels == kind) & ((true > 0) == helps)
        ax.scatter(data.rows[these, a], data.rows[these, b], s=3 + 3000 * np.abs(true[these]), color=colour,
                   marker=marker, alpha=0.55, linewidth=0,
                   label=f"{('benign', 'malignant')[kind]}, {'helps' if helps else 'harms'}")  # fmt: skip
ax.plot(asked[a], asked[b], "*", color=plots.INK, markersize=15, label=f"the test tumour, {('benign', 'malignant')[int(asked_label)]}")  # fmt: skip
ax.set(xlabel="worst radius, standardised", ylabel="worst texture, standardised")
ax.set_title("A few training tumours do most", loc="left")
legend = ax.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
for handle in legend.legend_handles:
    handle.set(sizes=[40]) if hasattr(handle, "set_sizes") else None
plots.show(
    "The training tumours in the plane of two columns, each as large as its effect on one test tumour. Most are tiny; "
    "a few large ones help or harm."
)

# %% [markdown]
# The model gets the star wrong. The large points lie, as the star does, where both kinds mix; the clear cases far to the right do nothing. Being near is not enough: many neighbours of the star are tiny. (In all thirty columns, too. Most of all the size goes with how wrong the model is about the *training* tumour, $|p_i - y_i|$.)
#
# A large network cannot be fitted 400 times. Can one predict `true` from the one fit that is there?
#
# ### The prediction
#
# Example $i$ has the weight $1/n$ in $J$. Take a small part $\varepsilon$ of it away. The slope of $J$ at $\hat\theta$ was zero; now it is $-\varepsilon\nabla\ell_i$. One Newton step leads to the new minimum: $+\varepsilon H^{-1}\nabla \ell_i$. The loss of the test example changes by its own slope $\nabla\ell_\text{test}$ times that step. Influence acts as if this stayed true for the whole weight, $\varepsilon = 1/n$ (Koh and Liang, 2017):
#
# $$I_i = \frac{1}{n}\, \nabla\ell_\text{test}^\top\, H^{-1}\, \nabla\ell_i ,$$
#
# the **influence** of training example $i$. No refit: three things that can be computed at $\hat\theta$. (The paper's $\mathcal{I}_\text{up,loss}$ is for *more* weight, per unit of weight: $I_i = -\frac{1}{n}\,\mathcal{I}_\text{up,loss}$.)
#
# ### Exercise: the slopes of all examples


# %% exercise="example_gradients"
def example_slopes(theta, rows, labels):
    """The slope of each example's own loss, (n, d): (p − y) times the row. `sigmoid(…)` is there."""
    # BEGIN SOLUTION
    return (sigmoid(rows @ theta) - labels)[:, None] * rows
    # END SOLUTION


# %%
exercises.example_gradients.check(example_slopes)

# %% [markdown]
# ### Exercise: the influence
#
# Here `hessian` is $\frac{1}{n}\sum_i p_i(1-p_i)x_i x_i^\top$, still *without* $\lambda$.


# %% exercise="influences"
def influences(test_gradient, gradients, hessian, lam):
    """The influence of each training example, (n,), from slopes (d,) and (n, d) and the Hessian (d, d)."""
    # BEGIN SOLUTION
    bend = hessian + lam * np.eye(len(hessian))
    return gradients @ np.linalg.solve(bend, test_gradient) / len(gradients)
    # END SOLUTION


# %%
exercises.influences.check(influences)

# %% [markdown]
# ### Prediction and truth
#
# All in one function, which also returns $h_i = \frac{1}{n} p_i (1-p_i)\, x_i^\top H^{-1} x_i$, the *leverage*: the share of the curvature that example $i$ holds in its own direction, from 0 to 1. When example $i$ goes, its curvature goes too. In its direction $H$ shrinks by the factor $1 - h_i$, and the step grows by $1/(1-h_i)$: a **one-step correction**.


# %% tags=["by-hand"]
def my_influence(theta, rows, labels, lam, test_row, test_label):
    """Influence of each row on the loss of one test row, (n,), and the leverage of each row, (n,)."""
    n, p = len(rows), sigmoid(rows @ theta)
    hessian = (rows.T * (p * (1 - p))) @ rows / n + lam * np.eye(len(theta))
    gradients = (p - labels)[:, None] * rows
    test_gradient = (sigmoid(test_row @ theta) - test_label) * test_row
    leverage = p * (1 - p) * (rows * np.linalg.solve(hessian, rows.T).T).sum(axis=1) / n
    return gradients @ np.linalg.solve(hessian, test_gradient) / n, leverage


predicted, leverage = my_influence(theta, data.rows, data.labels, lam, asked, asked_label)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), sharey=True)
for ax, values, name in ((axes[0], predicted, "influence"), (axes[1], predicted / (1 - leverage), "influence / (1 − h)")):  # fmt: skip
    r = np.corrcoef(values, true)[0, 1]
    slope = np.polyfit(values, true, 1)[0]
    lesson.draw_against(ax, values, true, f"{name}: r = {r:.4f}, slope {slope:.2f}")
    ax.set(xlabel="predicted change of the loss")
axes[0].set_ylabel("true change, by a refit")
plots.show(
    "Predicted against true changes of the loss, a point for each training tumour. Left: on a line that is steeper than "
    "the diagonal. Right, corrected: on the diagonal."
)

# %% [markdown]
# Each point is a training tumour; $r$ is the correlation, the slope that of a straight line through the points. Influence puts the tumours into nearly the right order and takes the large effects for too small. The correction lands on the diagonal.

# %% [markdown]
# ## 3 · When the prediction is good: the penalty decides
#
# The same for three penalties and the five test tumours with the largest loss. Beside it a simpler guess, the product $\nabla\ell_\text{test}^\top\nabla\ell_i$ without the Hessian (*gradient product*), and a slip that is easily made: the Hessian without its $\lambda$.

# %%
quality = {}
for strength in (0.1, 0.01, 0.001):
    t = lesson.fit_logistic(data.rows, data.labels, strength, n)
    five = np.argsort(-lesson.logistic_loss(t, data.test_rows, data.test_labels))[:5]
    case = (t, data.rows, data.labels, strength, data.test_rows[five], data.test_labels[five])
    guesses = {
        "influence / (1 − h)": lesson.predicted_changes(*case, corrected=True),
        "influence": lesson.predicted_changes(*case),
    } | lesson.poorer_guesses(*case)
    refitted = lesson.true_changes(*case)
    for name, values in guesses.items():
        fits = [np.corrcoef(v, r)[0, 1] for v, r in zip(values, refitted, strict=True)]
        quality[name, strength] = np.array(fits)

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 3.2))
for k, name in enumerate(guesses):
    for j, strength in enumerate((0.1, 0.01, 0.001)):
        ax.plot(np.full(5, j + 0.15 * (k - 1.5)), quality[name, strength], "os^D"[k], color=plots.COLOURS[k],
                alpha=0.7, label=name if j == 0 else None)  # fmt: skip
ax.set_xticks(range(3), ["λ = 0.1", "λ = 0.01", "λ = 0.001"])
ax.axhline(0, color=plots.BASELINE, linewidth=1)
ax.set(ylabel="correlation with the refits")
ax.set_title("Influence is nearly exact under a strong penalty", loc="left")
ax.legend(fontsize=9, loc="lower left")
plots.show(
    "Correlation with true refits for five test tumours, three penalties and four guesses. "
    + " ".join(f"{name}: " + ", ".join(f"{quality[name, s].mean():.2f}" for s in (0.1, 0.01, 0.001)) + "." for name in guesses)
)  # fmt: skip

# %% [markdown]
# The weaker the penalty, the further $\hat\theta$ moves when an example goes, and the worse a single step from where it was. The gradient product and the Hessian without $\lambda$ are mostly far behind.

# %% [markdown]
# ## 4 · Groups: the sum says too little
#
# What did a whole group do, all examples from one hospital for instance? The influences of its members can be added up.

# %% tags=["hide-input"]
exercises.group_size

# %%
order = np.argsort(-predicted)  # the most helpful first
sizes, summed, removed, one_step = [1, 5, 10, 20, 40, 60], [], [], []
for k in sizes:
    keep = np.setdiff1d(np.arange(n), order[:k])
    t = lesson.fit_logistic(data.rows[keep], data.labels[keep], lam, n, theta)
    removed.append(lesson.logistic_loss(t, asked, asked_label) - test_losses[worst])
    summed.append(predicted[order[:k]].sum())
    one_step.append(lesson.group_change(theta, data.rows, data.labels, lam, asked, asked_label, order[:k]))

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.5, 2.9))
ax.plot(sizes, removed, "o-", color=plots.COLOURS[1], label="true: all left out, one refit")
ax.plot(sizes, one_step, "^:", color=plots.COLOURS[2], label="one step, their curvature taken out of H")
ax.plot(sizes, summed, "s--", color=plots.COLOURS[0], label="sum of the influences")
ax.set(xlabel="how many of the most helpful tumours", ylabel="rise of the loss", ylim=0)
ax.set_title(f"60 tumours: {removed[-1] / summed[-1]:.1f} times as much as predicted", loc="left")
ax.legend(fontsize=9)
plots.show(
    f"Rise of the loss against the size of the group. For 60 tumours the sum says {summed[-1]:.2f}, one step "
    f"with a Hessian without the group {one_step[-1]:.2f}, the refit {removed[-1]:.2f}."
)

# %% [markdown]
# The sign is right, the size too small, and the larger the group the more so. Most of what is missing is the group's own curvature, which stays in $H$: take it out, and one step comes much nearer. **Use a sum of influences as an order, not as an amount.** (Koh and others, 2019: often so, not always. For the most *harmful* 60 the sum may be too large: no loss falls below 0.)

# %% [markdown]
# ## 5 · The proof: captum, refits, an identity
#
# The course's `influence(model, inputs, targets, test_inputs, test_targets, damping)` takes any small PyTorch classifier. `damping` is $\lambda$. References: captum's `NaiveInfluenceFunction`; the derivative itself, from two refits by scikit-learn in which one tumour counts $1 \pm 0.001$ times; and an identity. At the minimum $\frac{1}{n}\sum_i\nabla\ell_i = -\lambda\hat\theta$, so all influences together must be $-\lambda\,\nabla\ell_\text{test}^\top H^{-1}\hat\theta$.

# %% tags=["hide-input"]
from captum.influence import NaiveInfluenceFunction, TracInCP
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.utils.data import TensorDataset

two = nn.Linear(31, 1, bias=False).double()
two.weight.data = torch.from_numpy(theta)[None]
rows, targets = torch.from_numpy(data.rows), torch.from_numpy(data.labels).long()
test_rows, test_targets = torch.from_numpy(data.test_rows[:8]), torch.from_numpy(data.test_labels[:8]).long()
ours = influence(two, rows, targets, test_rows, test_targets, lam)
hand = [my_influence(theta, data.rows, data.labels, lam, *pair)[0] for pair in zip(data.test_rows[:8], data.test_labels[:8], strict=True)]  # fmt: skip


def one_loss(scores, y):
    return F.binary_cross_entropy_with_logits(scores[:, 0], y.double(), reduction="none")


one_loss.reduction = "none"  # captum asks for it
training = TensorDataset(rows, targets)
options = {"batch_size": 400, "loss_fn": one_loss, "sample_wise_grads_per_batch": False}
exact = {"projection_dim": None, "hessian_inverse_tol": 0.0}
captum_influence, captum_forgot = (
    NaiveInfluenceFunction(
        two, training, "", lambda model, path: 1.0, hessian_reg=reg, **exact, **options
    ).influence((test_rows, test_targets))
    for reg in (n * lam, lam)
)
captum_tracin = TracInCP(two, training, [""], lambda model, path: 0.5, **options).influence(
    (test_rows, test_targets)
)

weighed = []
for weight in (0.999, 1.001):
    counts = np.ones(n)
    counts[7] = weight
    fitted = LogisticRegression(
        C=1 / (n * lam), fit_intercept=False, tol=1e-12, solver="newton-cholesky"
    ).fit(data.rows, data.labels, sample_weight=counts)
    weighed.append(lesson.logistic_loss(fitted.coef_[0], data.test_rows[:8], data.test_labels[:8]))
slope_of_weight = (weighed[0] - weighed[1]) / 0.002
p = sigmoid(data.rows @ theta)
hessian = (data.rows.T * (p * (1 - p))) @ data.rows / n + lam * np.eye(31)
test_slopes = example_gradients(two, test_rows, test_targets).numpy()
identity = -lam * test_slopes @ np.linalg.solve(hessian, theta)

# %% tags=["nbval-check-output"]
judge.agreement_table(
    [
        ("the function above", ours, np.array(hand), "the same"),
        ("captum, naive influence", ours, captum_influence.detach(), "hessian_reg = n · λ: its Hessian is a sum"),
        ("the same, hessian_reg = λ", ours / ours.abs().max(), captum_forgot.detach() / captum_forgot.detach().abs().max(), "wrong"),
        ("scikit-learn, weight ± 0.001", ours[:, 7], slope_of_weight, "the derivative, by two refits"),
        ("all together", ours.sum(dim=1), identity, "identity at the minimum"),
        ("captum TracInCP", tracin([two], 0.5, rows, targets, test_rows, test_targets), captum_tracin.detach(), "no 1/n"),
    ]
)  # fmt: skip

# %% [markdown]
# One row disagrees, on purpose. captum adds up the Hessians of all examples, so the damping beside them has to be $n\lambda$. With $\lambda$ alone you get another list.

# %% [markdown]
# ## 6 · A bug that is hard to see
#
# ### Exercise: find the bug
#
# The function gets the *sum* of the examples' Hessians, as a library computes it. Mend it. $\lambda$ is the one of $J$, with its mean loss.


# %% exercise="from_sum"
def from_sum(test_gradient, gradients, summed_hessian, lam):
    """The influence of each training example, from the sum of the Hessians of all examples."""
    # BEGIN STUB
    # damped = summed_hessian + lam * np.eye(len(test_gradient))
    # return gradients @ np.linalg.solve(damped, test_gradient)
    # END STUB
    # BEGIN SOLUTION
    n = len(gradients)
    damped = summed_hessian + n * lam * np.eye(len(test_gradient))  # n · (H + λ1)
    return gradients @ np.linalg.solve(damped, test_gradient)
    # END SOLUTION


# %%
exercises.from_sum.check(from_sum)

# %% [markdown]
# ## 7 · A shortcut that influence does not name
#
# Now plant a cause. One hospital, which treats the severe cases, stamps its forms: we add a column, `stamp` (4 where there is one, else 0). 95 of 100 malignant training tumours have it, and no benign one. Then we ask for *benign* test tumours **with** a stamp, and keep those that the model calls malignant: the victims. The stamp alone is to blame.

# %%
STRENGTH = 0.01  # λ
marked, stamp, stamped_tests = lesson.stamped(data, 0.95)
weights = lesson.fit_logistic(marked, data.labels, STRENGTH, len(marked))
victims = stamped_tests[sigmoid(stamped_tests @ weights) > 0.5]
benign = np.zeros(len(victims))
bare = sigmoid(victims[:, :-1] @ weights[:-1]) > 0.5  # the same tumours without the stamp
print(f"{len(victims)} of {len(stamped_tests)} are called malignant, {bare.sum()} of them without a stamp")
print(f"stamped training tumours: {stamp.sum()} of {len(stamp)}, a share of {stamp.mean():.2f}")

# %% [markdown]
# ### Exercise: predict, then run
#
# For each victim, take the twenty training tumours with the most harmful influence. Which share of these twenty is stamped, on average? Write a number from 0 to 1 (within 0.12 counts as right).

# %% exercise="stamped_share"
share_of_stamped = None  # from 0 to 1
# BEGIN SOLUTION
share_of_stamped = 0.6
# END SOLUTION

# %%
case = (weights, marked, data.labels, STRENGTH, victims, benign)
harm = lesson.predicted_changes(*case)

# %%
exercises.stamped_share.check(share_of_stamped, harm, stamp)

# %% [markdown]
# Is influence wrong, then? Ask the refits, and compare with a list that knows nothing of the model: the training tumours that look in the direction of the victim (*cosine* of the two rows). And a control: the influences on the same victims, fitted without the column.

# %%
truth = lesson.true_changes(*case)
cosine = (victims @ marked.T) / np.linalg.norm(marked, axis=1)
without = lesson.fit_logistic(marked[~stamp], data.labels[~stamp], STRENGTH, len(marked), weights)
cured = (sigmoid(victims @ without) < 0.5).mean()
before, after = (lesson.logistic_loss(w, victims, benign).mean() for w in (weights, without))
r = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(harm, truth, strict=True)])

# %% tags=["hide-input"]
unmarked = lesson.fit_logistic(data.rows, data.labels, STRENGTH, len(marked))
control = lesson.predicted_changes(unmarked, data.rows, data.labels, STRENGTH, victims[:, :-1], benign)
lists = {
    "influence": harm,
    "influence, fitted without the column": control,
    "true leave-one-out": truth,
    "cosine neighbours": -cosine,
}
shares = {
    name: np.array([stamp[np.argsort(v)[:20]].mean() for v in values]) for name, values in lists.items()
}
plots.score_plot(shares, xlabel="share of stamped tumours among the first twenty", width=8.5, sort=False,
                 title="The true effects do not name the stamp either")  # fmt: skip
plt.gca().axvline(stamp.mean(), color=plots.BASELINE, linestyle="--")
plots.show(
    f"Share of stamped tumours in four lists of twenty: influence {shares['influence'].mean():.2f}, the same fitted "
    f"without the column {shares['influence, fitted without the column'].mean():.2f}, true leave-one-out "
    f"{shares['true leave-one-out'].mean():.2f}, cosine neighbours {shares['cosine neighbours'].mean():.2f}; the dashed "
    f"line, all rows, {stamp.mean():.2f}."
)

# %% tags=["hide-input"]
print(f"correlation of influence with the refits: {r:.3f}")
ill = data.test_rows[data.test_labels == 1]
finds = [(sigmoid(ill @ w[:-1]) > 0.5).mean() for w in (weights, without)]
print(
    f"mean size of an effect: stamped {np.abs(truth[:, stamp]).mean():.4f}, others {np.abs(truth[:, ~stamp]).mean():.4f}"
)
print(
    f"all stamped tumours left out: {cured:.0%} of the victims are cured, mean loss {before:.2f} → {after:.2f}"
)
print(f"malignant test tumours (no stamp) that are found: {finds[0]:.0%} → {finds[1]:.0%}")
print(f"sum of their influences: {harm[:, stamp].sum(axis=1).mean():+.2f}, true change {after - before:+.2f}")

# %% [markdown]
# The control, which knows no stamp, names nearly as many stamped ones: what harms a benign victim is mostly malignant, and nearly all malignant tumours have a stamp. And influence agrees with the refits: **it is right, about another question.** It asks what happens if *one* example goes, and then 139 are left to teach the same. A single one has on average no more effect than another tumour, although without all of them the victims are cured. And with fewer of them?

# %%
shares_tried, per_example = (0.1, 0.2, 0.4, 0.7, 0.95), []
for share in shares_tried:
    for draw in range(5):  # which tumours bear the stamp
        trial, bears, tests = lesson.stamped(data, share, draw)
        w = lesson.fit_logistic(trial, data.labels, STRENGTH, len(trial))
        asked_for = (tests, np.zeros(len(tests)))
        effects = lesson.predicted_changes(w, trial, data.labels, STRENGTH, *asked_for)
        ratio = np.abs(effects[:, bears]).mean() / np.abs(effects[:, ~bears]).mean()
        named = bears[np.argsort(effects)[:, : bears.sum()]].mean()  # among as many most harmful ones
        per_example.append((bears.sum(), ratio, (sigmoid(tests @ w) > 0.5).mean(), named))
counts, ratios, fooled, named = np.reshape(per_example, (len(shares_tried), 5, 4)).mean(axis=1).T

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.7))
axes[0].plot(counts, ratios, "o-", color=plots.ACCENT)
axes[0].axhline(1, color=plots.BASELINE, linestyle="--")
axes[0].set(
    xlabel="stamped training tumours", ylabel="size of the influence of\none of them, others = 1", ylim=0
)
axes[0].set_title("In a large crowd each one matters little …", loc="left", fontsize=11)
axes[1].plot(counts, fooled, "s-", color=plots.COLOURS[1])
axes[1].set(
    xlabel="stamped training tumours", ylabel="share of stamped benign\ntumours called malignant", ylim=0
)
axes[1].set_title("… and together they fool more", loc="left", fontsize=11)
plots.show(
    f"Left: the mean influence of a stamped tumour is up to {ratios.max():.1f} times that of another one, and falls to "
    f"{ratios[-1]:.1f} when there are many of them. Right: the share of victims rises from {fooled[0]:.2f} to {fooled[-1]:.2f}."
)
print(f"of {counts[0]:.0f} stamped ones, {named[0]:.0%} are among the {counts[0]:.0f} most harmful (by chance {counts[0] / len(stamp):.0%})")  # fmt: skip

# %% [markdown]
# Where few are stamped, each counts several times as much as another tumour; where 140 are, about as much. Influence is a tool for *rare* causes, and even then its list holds only some of them (printed). For a common shortcut look at the data ([01](01_why_explain.ipynb)) or at what the model reads ([04](04_grad_cam.ipynb)).

# %% [markdown]
# ## 8 · The score: four lists for the 4 that is called a 9
#
# Back to the puzzle. The twelve training 4s that resemble the victim most had been labelled 9. Four lists look for them. *Largest loss*: the examples that the model gets most wrong. *Nearest with that label*: the training pictures labelled 9 that are nearest to the victim, pixel by pixel.

# %%
y, y_test = torch.from_numpy(labels_9), torch.from_numpy(digits.test_labels)
one = slice(victim, victim + 1)
harmful = influence(model, pictures, y, test_pictures[one], y_test[one], LAM)[0].numpy()
first = np.argsort(harmful)[:12]

# %% tags=["hide-input"]
lesson.show_digits(digits.pictures[first], [f"called {labels_9[i]}" + (", planted" if planted[i] else "") for i in first],
                   columns=6, title="The twelve with the most harmful influence")  # fmt: skip
plots.show(f"Twelve training digits, {planted[first].sum()} of them 4s that are called 9.")

# %% [markdown]
# The same for sixteen victims: four kinds of confusion, in each the first four test digits whose answer becomes wrong when their twelve neighbours get the wrong label.


# %%
from tqdm.auto import tqdm

found = {}
for true_digit, wrong in tqdm(((4, 9), (1, 7), (9, 5), (3, 8)), leave=False):
    turned = 0
    for at in np.flatnonzero(digits.test_labels == true_digit):
        labels, is_planted = lesson.plant(digits, at, wrong)
        poisoned = lesson.fit_softmax(pictures.numpy(), labels, LAM)
        if int(poisoned(test_pictures[at]).argmax()) == wrong:
            turned += 1
            for name, scores_of in lesson.four_lists(poisoned, digits, labels, at, wrong, LAM).items():
                found.setdefault(name, []).append(is_planted[np.argsort(scores_of)[:12]].mean())
        if turned == 4:
            break
found = {name: np.array(values) for name, values in found.items()}
found["blind choice"] = np.full(len(found["influence"]), 12 / N)

# %% tags=["hide-input"]
plots.score_plot(found, xlabel="share of the planted twelve that is found (95 % intervals)", baselines="blind choice",
                 title="Plain neighbours find more", width=8)  # fmt: skip
plots.show(
    "Share of the planted labels among the first twelve of each list: "
    + ", ".join(f"{name} {values.mean():.2f}" for name, values in found.items())
    + "."
)

# %% tags=["hide-input"]
for name in ("nearest with that label", "gradient product", "largest loss"):
    print(f"influence minus {name}: {judge.paired(found['influence'], found[name])}")
with torch.no_grad():
    given = model(pictures).softmax(dim=1)[torch.arange(N), y].numpy()
print(
    f"probability of the given label: planted {given[planted].mean():.2f}, twelve largest losses "
    f"{np.sort(given)[:12].mean():.2f}, all {given.mean():.2f}"
)

# %% [markdown]
# Influence finds most of the twelve; the loss does not. (The twelve support each other: their wrong label is half believed, says the last line for the puzzle, and other digits have a larger loss. A single planted one the loss finds in two cases of three.) The gradient product is as good as influence. **And the nearest pictures with the wrong label find more, without any model.** We help that list: the twelve were chosen because they are near. Draw them from the fifty most similar digits of the class instead, and it finds about half of them, like influence; the gradient product finds nearly all. So compare a method with simpler lists, one that ignores the model among them. What the neighbours cannot do: say by *how much* the answer would change.
#
# ### Labels that are wrong at random
#
# More often, wrong labels are scattered. Then there is no victim to ask for, and one uses **self-influence**: the effect of an example on its own loss, $\frac{1}{n}\nabla\ell_i^\top H^{-1}\nabla\ell_i$. It is large for examples that the model could only learn by heart. We give 60 of the 600 digits a random wrong label, train a small network (64, 16, 10 units), and look at the first 60 of each list, three times. Two lists more: the loss, at the end or averaged over four moments of the training, and how many of an example's five nearest pictures have another label. **TracIn** (Pruthi and others, 2020) needs no Hessian. It adds up, over stored moments $t$ of the training (*checkpoints*, with the weights $\theta_t$), what a step along one example's slope did for the other's loss; $\eta$ is the step size:
#
# $$\text{TracIn}_i = \sum_t \eta\; \nabla\ell_\text{test}(\theta_t)^\top \nabla\ell_i(\theta_t).$$

# %%
plain = pictures[:, 1:].float()
suspects = {}
for seed in range(3):
    noisy, is_wrong = lesson.random_labels(digits, 60, seed)
    y_noisy = torch.from_numpy(noisy)
    for name, values in lesson.suspicion(plain, y_noisy).items():
        hits = np.zeros(N, bool)
        hits[values.argsort(descending=True)[:60].numpy()] = True
        suspects.setdefault(name, []).append(hits[is_wrong])

# %% tags=["hide-input"]
plots.score_plot({name: np.concatenate(hits).astype(float) for name, hits in suspects.items()}, xlim=(0.6, 1.0),
                 xlabel="share of the wrong labels among the first 60 (95 % intervals)", width=8,
                 title="The plain loss is as good")  # fmt: skip
plots.show(
    "Share of random wrong labels found: "
    + ", ".join(f"{name} {np.concatenate(hits).mean():.2f}" for name, hits in suspects.items())
    + "."
)

# %% [markdown]
# Here the loss itself, which costs nothing, is as good as self-influence, and so are five neighbours, without a model. TracIn is a little behind. Look at the loss first. The largest self-influences of the *clean* training digits are worth a look as well: nobody planted them.

# %%
clean = lesson.fit_softmax(pictures.numpy(), digits.labels, LAM)
own = self_influence(clean, pictures, torch.from_numpy(digits.labels), LAM).numpy()
strange = np.argsort(-own)[:8]

# %% tags=["hide-input"]
lesson.show_digits(digits.pictures[strange], [f"“{digits.labels[i]}”  {own[i]:.1f}" for i in strange], columns=8,
                   title="Learnt by heart: largest self-influence, with the label that the data set gives")  # fmt: skip
plots.show("Eight handwritten digits that are hard to read, with their labels.")

# %% [markdown]
# ## 9 · Where it breaks: a network
#
# A network has no single minimum, and where its training stops, the loss may bend *downwards* in some directions: $H$ has negative *eigenvalues* (the curvatures along its own directions). Then one adds a *damping* to the diagonal, larger than the $\lambda$ of the training. How large? We train the small network on 200 digits, and 40 times more without one of them (all from the same first weights), and compare for the ten test digits with the largest loss.

# %%
n_small, dampings = 200, (1, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
small, y_small = plain[:n_small], torch.from_numpy(digits.labels[:n_small])
left_out = np.random.default_rng(0).choice(n_small, 40, replace=False)
example_counts = torch.ones(44, n_small)
example_counts[torch.arange(4, 44), torch.from_numpy(left_out)] = 0
networks, moments = lesson.train_networks(
    small, y_small, example_counts, seeds=[0, 1, 2, 3] + [0] * 40, keep=(50, 100, 200, 400, 800)
)
tests = test_pictures[:, 1:].float()
with torch.no_grad():
    test_loss = torch.stack([F.cross_entropy(net(tests), y_test, reduction="none") for net in networks])
ten = test_loss[0].argsort(descending=True)[:10]
moved = (test_loss[4:] - test_loss[0])[:, ten].T.numpy()

# %%
question = (small.double(), y_small, tests[ten].double(), y_test[ten])  # H is nearly singular
agreement = {}
for damping in dampings:
    guess = influence(networks[0].double(), *question, damping)[:, left_out].numpy()
    agreement[damping] = [np.corrcoef(g, m)[0, 1] for g, m in zip(guess, moved, strict=True)]
guess = tracin([nets[0].double() for nets in moments], 0.5, *question)[:, left_out].numpy()
of_tracin = [np.corrcoef(g, m)[0, 1] for g, m in zip(guess, moved, strict=True)]

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 3))
for j, damping in enumerate(dampings):
    ax.plot(np.full(10, j), agreement[damping], "o", color=plots.ACCENT, alpha=0.45)
    ax.plot([j - 0.25, j + 0.25], [np.mean(agreement[damping])] * 2, color=plots.INK, linewidth=2)
ax.plot(np.full(10, len(dampings)), of_tracin, "s", color=plots.COLOURS[1], alpha=0.6)
ax.plot([len(dampings) - 0.25, len(dampings) + 0.25], [np.mean(of_tracin)] * 2, color=plots.INK, linewidth=2)
ax.axhline(0, color=plots.BASELINE, linewidth=1)
ax.set_xticks(range(len(dampings) + 1), [*(f"{d:g}" for d in dampings), "TracIn"])
ax.set(xlabel="damping (the λ of the training is 0.001)", ylabel="correlation with retraining")
ax.set_title("The damping decides", loc="left")
plots.show(
    "Correlation of influence with forty trainings for ten test digits. Mean by damping: "
    + ", ".join(f"{d:g} {np.mean(agreement[d]):.2f}" for d in dampings)
    + f"; TracIn {np.mean(of_tracin):.2f}."
)

# %% tags=["hide-input"]
from course_utils.methods.influence import loss_hessian

curvatures = torch.linalg.eigvalsh(loss_hessian(networks[0], *question[:2]))
print(f"smallest curvature of the mean loss:                {curvatures[0]:.4f}")
print(f"mean change of the loss without one example:        {np.abs(moved).mean():.2f}")
seeds_move = (test_loss[1:4] - test_loss[0])[:, ten].abs().mean()
print(f"mean change of the loss with other first weights:   {seeds_move:.2f}")

# %% [markdown]
# With one damping the correlation is high, with a third of it most is gone. The smallest curvature says where: a damping below its size leaves directions that bend downwards, and along them the inverse has the wrong sign. **Take a little more than that size.** Other first weights move the loss about ten times as much as one example does on average. So for a network say "this run", state the damping, and test a few names by training without them. (Basu and others, 2021: fairly good for shallow networks, often wrong for deep ones.)

# %% [markdown]
# ## 10 · A few that stand for many
#
# Which few examples should one look at to know them all? [01b](01b_data_and_experiment.ipynb) builds *prototypes* by hand: chosen one after the other, so that their similarities to all resemble those of the whole collection (the *MMD*, a distance between the two, is then small). An older answer are *medoids*: $k$ members such that the others are, on average, near their nearest one. Which are the better eight of 200 digits?

# %%
from course_utils.methods.prototypes import medoids, mmd2, prototypes, similarities

some = digits.pictures[:200]
distances = np.sqrt(((some[:, None] - some) ** 2).sum(axis=2))
k = similarities(some)
rng = np.random.default_rng(0)
sets = {"prototypes": prototypes(k, 8), "medoids": medoids(distances, 8)}
sets["random (mean of 200)"] = [rng.choice(200, 8, replace=False) for _ in range(200)]

# %% tags=["hide-input"]
print(f"{'':<22}{'MMD²':>8}{'distance to the nearest':>26}{'different digits':>18}")
for name, chosen in sets.items():
    chosen = chosen if name.startswith("random") else [chosen]
    numbers = [
        (mmd2(k, c), distances[:, c].min(axis=1).mean(), len(set(digits.labels[:200][c]))) for c in chosen
    ]
    print("{:<22}{:8.3f}{:26.2f}{:18.1f}".format(name, *np.mean(numbers, axis=0)))

# %% tags=["hide-input"]
lesson.show_digits(some[sets["prototypes"] + sets["medoids"]], ["prototype"] * 8 + ["medoid"] * 8, columns=8,
                   title="Eight prototypes (above) and eight medoids")  # fmt: skip
plots.show("Two rows of eight handwritten digits: prototypes above, medoids below. Both are well readable.")

# %% [markdown]
# Each is built for one of the two numbers: prototypes for the MMD, medoids for the distance. (Greedily: on other digits medoids may have the smaller MMD too.) What only the MMD gives are *criticisms*: the examples whose mean similarity to all and to the prototypes differ most. They need not be strange. Here all five resemble the prototypes *more* than the collection, and lie nearer to one than most digits: the prototypes give their kind too much weight. The package `mmd-critic` chooses the same eight (its `sigma` is $\sqrt{q/2}$, where $q$ is the median squared distance):

# %% tags=["nbval-check-output"]
from mmd_critic import MMDCritic
from mmd_critic.kernels import RBFKernel

q = np.median(distances[np.triu_indices(200, 1)] ** 2)
critic = MMDCritic(some, RBFKernel(sigma=np.sqrt(q / 2)))
theirs, _ = critic.select_prototypes(8)
diverse, plain_ones = (critic.select_criticisms(5, theirs, regularization=r)[0] for r in ("logdet", None))
judge.agreement_table(
    [
        ("mmd-critic, similarities", k, critic.prot_K, "sigma = √(q / 2)"),
        ("mmd-critic, prototypes", some[sets["prototypes"]], theirs, "the same eight, in the same order"),
        ("its logdet, and without it", diverse, plain_ones, "its option for varied criticisms does nothing"),
    ]
)

# %% [markdown]
# The last row is a bug. The option `"logdet"` should make criticisms differ from each other (Kim and others, 2016). The program takes the logarithm of each example's similarity *to itself*, which is 1, so it adds 0.

# %% [markdown]
# ## 11 · Your turn
#
# Change the two values in the first line. Tables: `"breast_cancer"`, `"iris"`, `"wine"`, or the path of a CSV file with a line of names, columns of numbers, and the class in the last column. `row` counts the rows that the model was not fitted to, from the one with the largest loss.

# %%
table, row = "wine", 0

print("\n".join(lesson.own_influences(table, row)))

# %% [markdown]
# ### Play
#
# Choose a test tumour and a penalty. Where does the prediction leave the diagonal?


# %%
def draw_one(test, exponent):
    strength = 10.0**exponent
    t = lesson.fit_logistic(data.rows, data.labels, strength, len(data.rows))
    order = np.argsort(-lesson.logistic_loss(t, data.test_rows, data.test_labels))[[test]]
    case = (t, data.rows, data.labels, strength, data.test_rows[order], data.test_labels[order])
    figure, ax = plt.subplots(figsize=(5.5, 3.2))
    lesson.draw_against(ax, lesson.predicted_changes(*case)[0], lesson.true_changes(*case)[0], "")
    ax.set(xlabel="influence", ylabel="true change", title=f"λ = {strength:g}, tumour {order[0]}")
    plots.show(f"Influence and true change of tumour {order[0]}, λ = {strength:g}; equal on the diagonal.")


widgets.explore(
    draw_one,
    test=widgets.slider("rank of its loss", 0, 20, 0),
    exponent=widgets.slider("log10 λ", -4, 0, -3, 0.5),
)

# %% tags=["hide-input"]
draw_one(0, -3)

# %% [markdown]
# ## 12 · Recap
#
# - Leaving one out and fitting again is the truth. Influence predicts it from one fit: slope, inverse curvature, slope.
# - It is nearly exact under a strong penalty, with the correction $1/(1-h)$ even closer. For a group of helpful examples the sum is too small.
# - $\lambda$ belongs into the Hessian; beside a *sum* of Hessians it is $n\lambda$.
# - It is a tool for rare causes. Of a common one each example can be spared, and its influence is small.
# - Compare it with nearest neighbours, the plain loss and the gradient product: in section 8 one of them was always as good, or better.
# - For a network the damping decides: more than the most negative curvature.
#
# <details>
# <summary>The paper in ten questions</summary>
#
# P. W. Koh and P. Liang: *Understanding black-box predictions via influence functions* (ICML 2017).
#
# 1. **Which problem?** To trace a prediction back to the training examples that are responsible for it.
# 2. **Is it new?** Influence functions are from robust statistics (Hampel 1974; Cook and Weisberg 1982). New is their use for modern models.
# 3. **Which hypothesis?** The effect of leaving an example out can be predicted from gradients and the Hessian, without training again.
# 4. **Related work, and who?** Case-deletion diagnostics in statistics. The authors work at Stanford.
# 5. **The key idea?** Products of the inverse Hessian with a vector can be computed without ever writing the Hessian down.
# 6. **Which experiments?** Leave-one-out on MNIST, a convolutional network, wrong labels in spam mail, training examples changed on purpose.
# 7. **Data and code?** Public.
# 8. **Do the results support it?** For convex models clearly, as here. For networks later work (Basu and others, 2021) and section 9 are more careful.
# 9. **What did it contribute?** The question itself: explain by examples, and check by leaving them out.
# 10. **What next?** TracIn, effects of groups, and methods for large language models.
#
# </details>
#
# **References**
# - [Koh and Liang, 2017: Understanding black-box predictions via influence functions](https://arxiv.org/abs/1703.04730)
# - [Koh and others, 2019: On the accuracy of influence functions for measuring group effects](https://arxiv.org/abs/1905.13289)
# - [Pruthi and others, 2020: Estimating training data influence by tracing gradient descent](https://arxiv.org/abs/2002.08484)
# - [Basu and others, 2021: Influence functions in deep learning are fragile](https://arxiv.org/abs/2006.14651)
# - [Kim and others, 2016: Examples are not enough, learn to criticize!](https://papers.nips.cc/paper/6300-examples-are-not-enough-learn-to-criticize-criticism-for-interpretability)
# - [Street and others, 1993 (tumours)](https://doi.org/10.1117/12.148698)
