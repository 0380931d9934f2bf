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
# # 16 · A language model taken apart
#
# **The question.** A small language model continues a pattern that it has never seen. Can you name the parts that do it, and prove it?
#
# **After this lesson you can**
# - follow every number of a forward pass through a transformer, from the letters to the answer;
# - split a logit exactly into what each part of the model wrote;
# - find the place that *causes* an answer, by carrying one vector from one run into another;
# - read from the weights alone what two heads do together;
# - show that two models with the same test score do different things.
#
# **Time**: about <!-- minutes --> minutes. **Before**: matrix products in PyTorch, softmax. Attention is explained in [10 · BERT](10_bert_attention.ipynb), on a large model; here each number fits on the page.
#
# In the [lab](glossary.md#lab) are two tiny models that we trained on texts such as `·QKZBQKZBQKZ`: a *pattern* of different random letters, again and again. `·` marks the beginning. They guess the next letter.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.exercises import l16_transformer as exercises
from course_utils.lessons import l16_transformer as lesson
from course_utils.methods import circuits
from course_utils.teach import plots, widgets

A, B = lesson.two_models()  # two labs: a model and texts for it
model, U = A.model, A.model.unembed.weight
L, p = 16, 24  # letters of the pattern; the place at which we shall ask for the next letter
texts = A.sample(400, L)  # (400, 33): the start, then the pattern twice
word = "PLANETPLAN"  # a text for the numbers one at a time
short, answers = texts[:200, : p + 1], texts[:200, p + 1]  # cut off after place p; the right next letters

# %% [markdown]
# ## 1 · A puzzle: two models, both always right
#
# Four hundred new texts, each with a random pattern of 16 letters, twice. How often are the models right about the letters of the second copy?

# %%
print(A.text(texts[0]))
for name, lab in (("A", A), ("B", B)):
    said = lab.model(texts)[:, :-1].argmax(dim=2)
    right = (said == texts[:, 1:])[:, L:]  # asked at the places 16 to 31 for the next letter
    print(f"model {name}: right for {right.float().mean():.3f} of {right.numel():,} letters")

# %% [markdown]
# Each model has two attention heads, one after the other. Where does the second one look? A place in the second copy should look at the letter that *followed* in the first copy: 15 places back. The mean weight there is called the **induction score** (or *prefix matching score*: Olsson and others, 2022).

# %%
for name, lab in (("A", A), ("B", B)):
    weights = lab.model.steps(texts)[1]["weights"]  # of the second head, (400, 33, 33)
    score = circuits.attention_at_distance(weights, L - 1, first=L + 1).mean()
    print(f"model {name}: induction score {score:.2f}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 4.6))
letters = list(A.text(texts[0]))
for ax, name, lab in zip(axes, "AB", (A, B), strict=True):
    lesson.draw_attention(
        ax, lab.model.steps(texts[:1])[1]["weights"][0], letters, f"model {name}, second head"
    )
plots.show(
    "The weights of the second head of both models for one text. In the lower half both have a bright diagonal, "
    "15 places left of the main one: each place looks at the letter that followed in the first copy."
)

# %% [markdown]
# Each row is a place that looks. The same answers, the same stripe in the lower half (the second copy). In the upper half nothing can be found yet; there model A's places rest on the first letter. Do the two models do the same thing?

# %% tags=["hide-input"]
exercises.same_or_not

# %% [markdown]
# We take model A apart completely. In section 8 this tells us what to ask both.

# %% [markdown]
# ## 2 · The whole model in three lines
#
# A token is one letter (27 with the start). Each has a row of $d = 24$ numbers in the table $E$. These rows form the **stream** $x^0$, a matrix of $T$ tokens × $d$. Each head *reads* the stream and *writes* something that is added to it. At the end the matrix $U$ turns the last stream into [logits](glossary.md#logit), one a letter:
#
# $$x^0 = E_\text{tokens}, \qquad x^{h+1} = x^h + \text{head}_h(x^h) \quad (h = 0, 1), \qquad \text{logits} = x^2 U^\top .$$
#
# The usual parts that are missing here (layer norm, feed-forward networks, biases) would disturb the sum (section 12).

# %% tags=["hide-input"]
lesson.draw_model()
plots.show(
    "A thick arrow, the stream, runs from the token's row to the logits. Head 0 and head 1 stand above it: each reads the "
    "stream at its left and adds what it writes at its right."
)

# %% [markdown]
# Inside a head, each token makes a *query* (what it looks for), a *key* (what it offers) and a *value* (what it hands over), with $d_h = 12$ numbers each. $P$ is a table with one row for each *place*; it is added for queries and keys only, so that what is handed over knows nothing of places:
#
# $$\begin{aligned} Q &= (x + P)\,W_Q, & K &= (x + P)\,W_K, & V &= x\,W_V, \\ S &= \frac{Q K^\top}{\sqrt{d_h}}, & A &= \text{softmax}_\text{rows}(S), & \text{head}(x) &= A V W_O . \end{aligned}$$
#
# (This $A$ is the table of attention weights, not the model.) One rule more: a token may not look at later ones, or it would see the answer. So $S$ is set to $-\infty$ above the diagonal, where the softmax gives 0 (a *causal* head).


# %% tags=["by-hand"]
def my_head(head, stream, positions):
    """What one head writes, (T, d), and its weights A, (T, T)."""
    placed = stream + positions
    Q, K, V = placed @ head.W_Q, placed @ head.W_K, stream @ head.W_V
    S = Q @ K.T / Q.shape[1] ** 0.5
    later = torch.ones_like(S).triu(1).bool()
    weights = S.masked_fill(later, -torch.inf).softmax(dim=1)
    return weights @ V @ head.W_O, weights


def my_model(model, tokens):
    """The logits (T, 27), and the parts of the stream: the tokens' rows and what each head wrote, (T, d)."""
    parts = [model.embed.weight[tokens]]
    for head in model.heads:
        parts.append(my_head(head, sum(parts), model.positions[: len(tokens)])[0])
    return sum(parts) @ model.unembed.weight.T, parts


# %%
tokens = A.tokens(word)[0]  # the numbers of ·PLANETPLAN
my_logits, my_parts = my_model(model, tokens)
best = my_logits[-1].argmax()
print(f"{word} goes on with {A.alphabet[best]}, probability {my_logits[-1].softmax(0)[best]:.4f}")
print("largest difference to the model:", f"{(my_logits - model(tokens[None])[0]).abs().max():.0e}")

# %% [markdown]
# ## 3 · Every number, one at a time
#
# Choose a *step* (one of the model's tables), a *token* (its row) and a *column*. Below the table stand the row and the column that this number was made of, their products, and the sum. (The idea is from Bycroft's "LLM Visualization".)

# %% tags=["hide-input"]
step_names = list(lesson.walk(A, word)[1])


def explore_step(step, token, column):
    lesson.draw_walk(A, word, step, token, column)
    plots.show(
        f"The table {step} for {word}; below it, how the number of row {token}, column {column} was made."
    )


widgets.explore(
    explore_step,
    step=widgets.choice("step", step_names, "head 1: S"),
    token=widgets.slider("token", 0, len(word), len(word)),
    column=widgets.slider("column", 0, 26, 5),
)

# %% [markdown]
# Two stops as still pictures. First, head 0's scores. Row: the `E` of PLANET; column: the `N` before it.

# %% tags=["hide-input"]
explore_step("head 0: S", 5, 4)

# %% [markdown]
# Twelve products add up to a score, the largest of its row; the softmax of the row turns it into a weight. And the end: how the last `N` of the text gets its logit for `E`. A row of the last stream, times the column of `E`.

# %% tags=["hide-input"]
explore_step("logits", len(word), A.alphabet.index("E"))

# %% [markdown]
# The last row has one large number. Which part of the model put it there?

# %% [markdown]
# ## 4 · An exact sum: who wrote the answer?
#
# Nothing but a matrix product stands between stream and logits, and the stream is a sum. So each logit is a sum of three terms, what the token's own row, head 0 and head 1 wrote. Let $p$ be a place, $t$ the right next letter and $u_t$ its row of $U$. With $m_0 = x^0$, and $m_1$, $m_2$ what the two heads write:
#
# $$\text{logit}_t - \overline{\text{logit}} = \sum_{k=0}^{2} m_k[p] \cdot (u_t - \bar u), \qquad \bar u = \text{the mean of the 27 rows of } U .$$
#
# This is **direct logit attribution**. The mean is subtracted because a softmax does not see it: add 5 to all logits, and no probability changes.
#
# ### Exercise: write it
#
# `parts` is a list of tensors `(N, d)`: what each part wrote at one place of $N$ texts. `U` is `(27, d)`, `answers` `(N,)` has the right letters' numbers.


# %% exercise="attribution"
def attribution(parts, U, answers):
    """What each part adds to the right letter's logit, minus the mean over all letters: (parts, N)."""
    # BEGIN SOLUTION
    rows = U[answers] - U.mean(dim=0)
    return torch.stack([(part * rows).sum(dim=1) for part in parts])
    # END SOLUTION


# %%
exercises.attribution.check(attribution)

# %% [markdown]
# We take 200 texts that stop in the second copy, at place $p = 24$, and split the right letter's logit.

# %%
written = {name: part[:, p] for name, part in model.parts(short).items()}
shares = circuits.logit_attribution(written, U, answers)
clean = lesson.rightness(model(short)[:, p], answers)  # logit minus mean of the logits
print(f"sum of the parts minus the logit: at most {(sum(shares.values()) - clean).abs().max():.0e}")

# %% tags=["hide-input", "thumbnail"]
lesson.draw_parts(shares, "Head 1 writes the answer; head 0 adds next to nothing")
plots.show(
    "Bars of what token, head 0 and head 1 add to the right letter's logit, mean of 200 texts: "
    + ", ".join(f"{name} {value.mean():+.2f}" for name, value in shares.items())
)

# %% [markdown]
# The same idea for the whole vocabulary and at each depth: stop early, and read the stream as if it were the last one, $x^h U^\top$. This is the **logit lens** (nostalgebraist, 2020).

# %% tags=["hide-input"]
lesson.draw_lens(A, word)
plots.show(
    "For each place of ·PLANETPLAN and each depth the likeliest next letter with its probability. Up to head 0 the "
    "model is unsure everywhere; after head 1 it is sure after each letter, and right in the second copy."
)

# %% [markdown]
# Until head 1 has written, the model knows nothing. Then it continues the second copy with certainty. In the first copy nobody can know what follows, and yet the model says `P`, and is sure: head 1 rests on the first letter (the picture in section 1) and copies it. Training taught it that: it counted the answers from the end of the first copy on, and *there* the first letter is right. Trained without that one place, a model says it far less often.

# %% [markdown]
# ## 5 · Who is needed? Silence a part
#
# Head 0 adds next to nothing to the answer. Now we *silence* it: what it writes is replaced by zeros (**zero ablation**), and head 1 has to read a stream without it.
#
# ### Exercise: predict, then run
#
# With head 0 silenced, which share of the letters in the second copy will be right? (Within 0.1 counts as right.)

# %% exercise="without_head_0"
share_right = None  # between 0 and 1
# BEGIN SOLUTION
share_right = 0.06
# END SOLUTION

# %%
right_without = {}
for number in (0, 1):
    with circuits.change_output(model.heads[number], torch.zeros_like):
        right = (model(texts)[:, :-1].argmax(dim=2) == texts[:, 1:])[:, L:]
    right_without[f"head {number}"] = right.float().mean().item()

# %%
exercises.without_head_0.check(share_right, right_without)

# %% tags=["hide-input"]
for name, value in right_without.items():
    print(f"without {name}: right for {value:.2f} of the letters (guessing: {1 / 26:.2f})")

# %% [markdown]
# **What writes the answer and what the answer needs are two questions.** Direct attribution only sees the last step. Head 0 works for head 1, and its own trace in the logit is nearly zero.

# %% [markdown]
# ## 6 · Which place causes it? Patching
#
# Silencing is crude. A finer question: *what must be restored so that a broken text works again?* Three runs:
#
# 1. **clean**: the text as it is. The answer is right.
# 2. **corrupted**: one letter is changed, so that the answer is lost. We change the first copy of the current letter, at place $p - L$ (the *antecedent*), into a letter that the text does not have.
# 3. **patched**: the corrupted text again, but the output of one head at one place is taken from the clean run.
#
# $$\text{recovered} = \frac{\text{patched} - \text{corrupted}}{\text{clean} - \text{corrupted}}$$
#
# Each term is the mean of the right letter's logit (minus the mean of all). 0: restoring this vector alone brings nothing back; 1: it alone brings everything back (Meng and others, 2022; Wang and others, 2023).

# %%
clean = lesson.rightness(model(short)[:, p], answers)
corrupted_texts = lesson.change_letter(A, short, p - L)
corrupted = lesson.rightness(model(corrupted_texts)[:, p], answers)
print(A.text(short[0]), "must go on with", A.alphabet[answers[0]])
print(A.text(corrupted_texts[0]), "is the corrupted one")
print(f"right letter's logit: clean {clean.mean():.1f}, corrupted {corrupted.mean():.1f}")

# %% [markdown]
# ### Exercise: write it
#
# `clean_output` `(N, T, d)` is what `head` wrote in the clean run. Run the model on the corrupted tokens, but let `head` write the clean vector at `place`. PyTorch calls a [hook](glossary.md#hook) after the head; what the hook returns replaces the head's output. The hook must be gone afterwards.


# %% exercise="patched_logits"
def patched_logits(model, head, corrupted_tokens, clean_output, place):
    """The logits (N, T, vocabulary) of the patched run."""

    # BEGIN SOLUTION
    def hook(module, inputs, output):
        output = output.clone()
        output[:, place] = clean_output[:, place]
        return output

    handle = head.register_forward_hook(hook)
    try:
        return model(corrupted_tokens)
    finally:
        handle.remove()
    # END SOLUTION


# %%
exercises.patched_logits.check(patched_logits)

# %% [markdown]
# The course's `circuits.patch` does the same. Now each head at each place:

# %%
recovered = np.zeros((2, p + 1))
for number, head in enumerate(model.heads):
    output = circuits.output_of(model, short, head)
    for place in range(p + 1):
        logits = circuits.patch(model, corrupted_texts, head, output, place)
        patched = lesson.rightness(logits[:, p], answers)
        recovered[number, place] = circuits.recovered(patched, clean, corrupted)

# %% tags=["hide-input"]
columns = [str(place) for place in range(p + 1)]
lesson.draw_patches(recovered, columns, "Recovered by one head at one place: two vectors do everything")
plots.show(
    f"A table of two heads and 25 places. Head 0 recovers {recovered[0, p - L + 1]:.2f} at place {p - L + 1} and "
    f"nothing elsewhere, head 1 recovers {recovered[1, p]:.2f} at place {p} and nothing elsewhere."
)

# %% [markdown]
# Two cells of fifty, both 1.00. The changed letter stood at place 8. Head 0 matters at place **9**, the one *after* it, and head 1 at place 24, where the answer is given. So head 0, at place 9, must have noted "before me stood this letter", and head 1, at place 24, must have found that note. (Silence head 0 at place 9 alone, and most answers are lost; everywhere else, and they stay.) This is a hypothesis about wires. Can we see them?

# %% [markdown]
# ## 7 · Two heads, one wire
#
# Without any text, multiply the matrices along a path. First: if head 1 looks at a letter, which logits does it raise? From letters to logits,
#
# $$E\, W_V^1 W_O^1\, U^\top \qquad (27 \times 27; \text{ upper index: the head}).$$
#
# (The places $P$ are left out: they are the same for all letters.) Second: which letters does head 1's *query* fit to? Directly, the key comes from the letter that stands there. But head 0 has written into the stream, too; through it, the key comes from the letter that *head 0 looked at*:
#
# $$\text{direct: } \frac{E W_Q^1 \,(E W_K^1)^\top}{\sqrt{d_h}}, \qquad\qquad \text{through head 0: } \frac{E W_Q^1 \,(E\, W_V^0 W_O^0\, W_K^1)^\top}{\sqrt{d_h}} .$$
#
# The second product is **composition**: one head reads what another wrote (Elhage and others, 2021).

# %%
E, (head_0, head_1) = model.embed.weight, model.heads
writes = E @ head_1.W_V @ head_1.W_O @ U.T
queries = E @ head_1.W_Q / 12**0.5
direct = queries @ (E @ head_1.W_K).T
through_head_0 = queries @ (E @ head_0.W_V @ head_0.W_O @ head_1.W_K).T

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(11, 4.2))
panels = (
    (writes, "head 1 writes", "it looks at", "the logit of"),
    (direct, "scores, direct", "now at", "key: a place with"),
    (through_head_0, "scores, through head 0", "now at", "key: the place after"),
)
for ax, (matrix, title, ylabel, xlabel) in zip(axes, panels, strict=True):
    lesson.draw_letters(ax, matrix, A, title, ylabel, xlabel)
plots.show(
    "Three matrices of letters by letters. What head 1 writes: a red diagonal. Direct scores: a pale, slightly blue "
    "diagonal. Scores through head 0: a strong red diagonal."
)


# %% tags=["hide-input"]
def diagonal_wins(matrix):
    return (matrix[1:, 1:].argmax(dim=1) == torch.arange(26)).sum().item()


for name, matrix in (("head 1 writes", writes), ("direct", direct), ("through head 0", through_head_0)):
    inner = matrix[1:, 1:]
    off = (inner.sum() - inner.trace()) / (26 * 25)
    print(
        f"{name:<15}: the diagonal is the row's largest for {diagonal_wins(matrix):2} of 26 letters;",
        f"mean {inner.diagonal().mean():+5.1f} on it, {off:+4.1f} off it",
    )
copying = circuits.copying_score(E @ head_1.W_V, head_1.W_O @ U.T)
print(f"copying score of head 1: {copying:.2f}")

# %% [markdown]
# Read the three together. Head 1 **copies**: the letter that it looks at gets the largest logit, for all 26 letters. (The **copying score** says it in one number: the sum of the matrix's eigenvalues divided by the sum of their sizes, 1 for a pure copier, about 0 for a random matrix.) Its query does *not* fit to places with the same letter (the direct diagonal is negative). It fits to places where head 0 has noted the same letter. One piece is missing: *where* does head 0 look?

# %% tags=["hide-input"]
first = model.steps(texts)[0]["weights"]
previous = circuits.attention_at_distance(first, 1, first=2).mean(dim=0)  # for the places 2 to 32
print(f"head 0, weight on the previous letter at place 9: {previous[9 - 2]:.2f};")
print(f"mean of the places 2 to 17: {previous[:L].mean():.2f}; of the later ones: {previous[L:].mean():.2f}")

# %% [markdown]
# Head 0 notes where a note can be of use, at the places after the first copy's letters. Later it looks elsewhere. So the circuit reads in one sentence: **head 0 notes at each place which letter stood before it; head 1 looks for the place whose note is the current letter, and copies the letter that stands there.** "After `N` came `E` last time, so I say `E`." This is an **induction circuit** (Elhage and others, 2021), and head 1 is an *induction head*. Large language models have them, too (Olsson and others, 2022).

# %% [markdown]
# ### Exercise: find the bug
#
# The induction score should say how much a place of the second copy looks at the letter *after* the first copy of its own. A text: the start, a pattern of `length` letters, the pattern again. The function runs and gives a number between 0 and 1, but for model A it is 0.00. What is wrong?


# %% exercise="induction_score"
def induction_score(weights, length):
    """The mean weight on the letter after the first copy: one number, from weights (N, T, T)."""
    # BEGIN STUB
    # total = 0.0
    # places = range(length + 1, weights.shape[1])
    # for p in places:
    #     total = total + weights[:, p, p - length].mean()
    # return total / len(places)
    # END STUB
    # BEGIN SOLUTION
    total = 0.0
    places = range(length + 1, weights.shape[1])
    for p in places:
        total = total + weights[:, p, p - length + 1].mean()
    return total / len(places)
    # END SOLUTION


# %%
exercises.induction_score.check(induction_score)

# %% [markdown]
# ## 8 · The puzzle solved: change one letter
#
# Now we know what to ask. Model A finds the answer by *content*. Another program would give the same answers in section 1: "copy the letter 15 places back", by *position*. Two changes tell them apart:
#
# - change the **antecedent** (place $p - L$). By content, the place cannot be found any more; by position, nothing changes;
# - change the letter **after** it (place $p - L + 1$). Both should then answer the new letter.

# %%
after_it = lesson.change_letter(A, short, p - L + 1)
asked = {
    "as it is": (short, answers),
    "antecedent changed": (corrupted_texts, answers),
    "letter after it changed": (after_it, after_it[:, p - L + 1]),
}
hits = {
    (name, change): (lab.model(read)[:, p].argmax(dim=1) == right).float().numpy()
    for name, lab in (("A", A), ("B", B))
    for change, (read, right) in asked.items()
}

# %% tags=["hide-input"]
for change in asked:
    a, b = (hits[name, change] for name in "AB")
    low_a, high_a = judge.bootstrap_interval(a)
    low_b, high_b = judge.bootstrap_interval(b)
    print(
        f"{change:<24} A {a.mean():.2f} ({low_a:.2f} to {high_a:.2f}),  B {b.mean():.2f} ({low_b:.2f} to {high_b:.2f})"
    )

# %% [markdown]
# Model B does not care what the antecedent is. It copies by **position**. Its training texts explain why: B only ever saw patterns of 16 letters (`load_lab("induction", model="one_length")`), so "15 places back" was always right. A saw patterns of 4 to 20 letters. What follows for other lengths?

# %%
lengths = list(range(6, 24))
accuracy = {name: [] for name in "AB"}
for length in lengths:
    new = A.sample(200, length)
    for name, lab in (("A", A), ("B", B)):
        right = (lab.model(new)[:, :-1].argmax(dim=2) == new[:, 1:])[:, length:]
        accuracy[name].append(right.float().mean().item())

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 2.8))
for name, style in (("A", "o-"), ("B", "s--")):
    ax.plot(lengths, accuracy[name], style, label=f"model {name}")
ax.axvline(16, color=plots.BASELINE, linewidth=1, linestyle=":")
ax.set(xlabel="letters of the pattern", ylabel="share right", ylim=(-0.05, 1.05), xticks=lengths[::2])
ax.set_title("The same test at 16, two different programs", loc="left")
ax.legend()
plots.show(
    f"Share right against the pattern's length. A is right up to 20 letters and falls to {accuracy['A'][-1]:.2f} at 23; "
    f"B is right at 16 and nearly nowhere else."
)

# %% [markdown]
# At 16 nobody could tell; elsewhere B fails. **A test score says how often a model is right on texts like these. It does not say why.** (A gets worse above 20: longer patterns than it was trained on.)

# %% [markdown]
# ## 9 · How the circuit is born
#
# Measured while we trained, from three random starts of each model: the share of right letters (pattern of 16), the weight of head 0 on the previous letter, and the induction score of head 1.

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.1), sharey=True)
for ax, lab, title in zip(axes, (A, B), ("A: patterns of 4 to 20", "B: patterns of 16"), strict=True):
    for seed, curve in enumerate(lab.birth):
        early = curve[:, 0] <= 2000
        for column, colour, style in (
            (2, plots.INK, "-"),
            (3, plots.COLOURS[0], "--"),
            (4, plots.COLOURS[1], "-."),
        ):
            label = {2: "share right", 3: "head 0: previous letter", 4: "head 1: induction score"}[column]
            ax.plot(
                curve[early, 0],
                curve[early, column],
                style,
                color=colour,
                alpha=0.8,
                linewidth=1.5,
                label=label if seed == 0 else None,
            )
    ax.set(xlabel="training step", ylim=(-0.02, 1.02))
    ax.set_title(title, loc="left")
axes[0].legend(fontsize=9)
plots.show(
    "Curves over 2,000 training steps, three trainings each. For A the share right stays near guessing for some hundred "
    "steps and then jumps; head 0's weight on the previous letter and the induction score rise together with it."
)

# %% [markdown]
# Left: for some 250 steps nothing seems to happen. Then the three curves of one training leave the floor *together*, within a few hundred steps: head 1 cannot use a note that nobody writes, and head 0 gains nothing by a note that nobody reads. (Olsson and others, 2022, see such a jump in large models.) Head 0 ends at a half, not at one: this is a mean over both copies, and nobody reads the notes of the second one (section 7).
#
# Right: B needs no note. It is right earlier, and head 0's weight on the previous letter never rises. In one of the three trainings even the induction score stays low, with all letters right: there head 0 does the copying. (Silence head 1 of that model, and it stays right.)
#
# So a high induction score shows *where* a head looks, not that it got there by content.

# %% [markdown]
# ## 10 · The proof: the agreement table
#
# Our model by hand beside PyTorch's own attention function, and beside *nnsight*, a library that opens a model while it runs (Fiotto-Kaufman and others, 2024): its logits, and a patched run.

# %% tags=["hide-input"]
import nnsight
from torch.nn.functional import scaled_dot_product_attention

stream, head = model.embed.weight[tokens], model.heads[0]
placed = stream + model.positions[: len(tokens)]
fused = (
    scaled_dot_product_attention(
        *(m[None] for m in (placed @ head.W_Q, placed @ head.W_K, stream @ head.W_V)), is_causal=True
    )[0]
    @ head.W_O
)

traced = nnsight.NNsight(model)
with traced.trace(short):
    their_logits = traced.output.save()
clean_output = circuits.output_of(model, short, head)
with traced.trace(corrupted_texts):
    traced.heads[0].output[:, 9] = clean_output[:, 9]
    their_patch = traced.output.save()
our_patch = circuits.patch(model, corrupted_texts, head, clean_output, 9)
lens = circuits.logit_lens(sum(model.parts(short).values()), U)

# %% tags=["hide-input", "nbval-check-output"]
judge.agreement_table(
    [
        ("torch, fused attention", my_parts[1], fused, "is_causal=True; it divides by √d_h itself"),
        ("nnsight, logits", model(short), their_logits, "with model.trace(tokens):"),
        ("nnsight, patch", our_patch, their_patch, "output[:, place] = …, saved with .save()"),
        ("sum of parts = logit", sum(shares.values()), clean, "logit minus the mean of all"),
        ("lens at the end = logits", lens, model(short), "no layer norm in between"),
    ]
)

# %% [markdown]
# ## 11 · The score: which letters made the answer?
#
# By construction, three letters decide what follows at place $p$: the current one ($p$), its first copy ($p - L$) and the letter after that ($p - L + 1$). Change any of them, and the answer is another one, or there is none. Which method finds these three? Each credits every place; we take its best three of 25.
#
# The methods: head 1's attention; *rollout* (attention of both heads combined, [lesson 10](10_bert_attention.ipynb)); the share of the logit that head 1 fetches from each place (exact, as in section 4); gradient × input ([lesson 08](08_saliency_smoothgrad_ig.ipynb)); the fall of the logit when that one letter is changed (mean of three changes); and chance.

# %%
truth = [p - L, p - L + 1, p]
credits = lesson.credit(A, short[:100])
scores = {name: lesson.share_found(values, truth) for name, values in credits.items()}
scores["chance"] = np.full(100, 3 / (p + 1))

# %% tags=["hide-input"]
plots.score_plot(
    scores,
    xlabel="share of the three decisive letters among its best three places",
    title="Head 1's attention shows what was copied, not why",
    baselines="chance",
)
plots.show("; ".join(f"{name} finds {score.mean():.2f}" for name, score in scores.items()))

# %% tags=["hide-input"]
for name in list(scores)[:-2]:
    print("change one letter minus", name, judge.paired(scores["change one letter"], scores[name]))

# %% [markdown]
# Head 1's attention finds one letter of three: the one that is copied. So does the exact share of the logit. Both are right about *what* was copied, and blind for *why there*: the search for the place happened before, in the scores and in head 0. Gradient × input finds more. Rollout finds all three here (its credit ignores what is written; lesson 10 shows where that fails). Changing letters finds all three, since it simply runs the experiment that defines the truth.

# %% [markdown]
# ## 12 · The real thing: a BERT
#
# [Lesson 10](10_bert_attention.ipynb)'s guesser of hidden words has layer norms, feed-forward parts, and six layers of twelve heads. Before its logits a layer norm divides the stream by its own size, so a logit is *not* a sum of parts any more. Patching still works: it only needs two texts and a second run.
#
# Clean: "The [MASK] barked at the cat." Corrupted: "smiled" instead of "barked". We follow the logit of "dog" minus that of "child", and restore the clean state of *one token after one layer*.

# %%
from course_utils.labs import load_lab

bert = load_lab("masked_word")
clean_text, changed_text = (bert.tokenize(f"The [MASK] {verb} at the cat.") for verb in ("barked", "smiled"))
names = bert.tokenizer.convert_ids_to_tokens(clean_text["input_ids"][0])
dog, child = bert.tokenizer.convert_tokens_to_ids(["dog", "child"])


def preference(logits):
    """The logit of "dog" minus that of "child", at the mask, (1,)."""
    return logits[:, names.index("[MASK]"), dog] - logits[:, names.index("[MASK]"), child]


# %%
ends = [preference(bert.model(**text).logits.detach()) for text in (clean_text, changed_text)]
layers, ids = bert.model.bert.encoder.layer, (clean_text["input_ids"], changed_text["input_ids"])
restored = np.zeros((len(layers), len(names)))
for number, layer in enumerate(layers):
    states = circuits.output_of(bert.model, ids[0], layer)
    for place in range(len(names)):
        logits = circuits.patch(bert.model, ids[1], layer, states, place)
        restored[number, place] = circuits.recovered(preference(logits), *ends)

# %% tags=["hide-input"]
print(f"“dog” minus “child”: clean {ends[0].item():+.2f}, corrupted {ends[1].item():+.2f}")
lesson.draw_layers(restored, names)
plots.show(
    "A table of six layers and nine tokens. After the first layer nearly everything is recovered at the verb, after the "
    "last layer at the mask; in between it moves from one to the other."
)

# %% [markdown]
# Read from below. After the first layer the whole difference sits at the verb. After the last one it sits at the mask (by construction: the answer is read there and nowhere else). In between, part of the message is in both places: what "barked" says about the mask is carried there over several layers. Patching tells *where* the cause is at each depth, not yet *what* is written there.
#
# This is one sentence, chosen because the guess depends on its verb. Eight others ("He drank a [MASK] in the evening", *read* instead of *drank*) begin and end alike. But after the fifth layer 0.5 to 0.85 is still at the changed word, and the last layer carries most of it. One table says little about BERT.
#
# ## 13 · Your turn
#
# Write letters (A to Z, at most 48), and choose a model. You get what it would write next, and a picture of where its second head looks from the last letter.

# %%
yours, which = "BANANABAN", A

print(f"{yours} goes on with {which.complete(yours, n=6)}")

# %% tags=["hide-input"]
looks = which.model.steps(which.tokens(yours))[1]["weights"][0, -1]
figure, ax = plt.subplots(figsize=(plots.WIDTH, 2.0))
ax.bar(range(len(looks)), looks, color=plots.ACCENT)
ax.set_xticks(range(len(looks)), list(which.text(which.tokens(yours)[0])))
ax.set(ylim=(0, 1.05), ylabel="weight")
ax.set_title("Where the second head looks from the last letter", loc="left")
plots.show(f"Weights of the second head at the last letter of {yours}: the largest is {looks.max():.2f}.")

# %% [markdown]
# ## 14 · Where it breaks
#
# **Card 1: letters that occur twice.** Above, `BANANABAN` should go on with `ANABAN`. Does it? An induction circuit of two heads knows only *one* letter of what came before. In `BANANAB`, `A` is followed by `N` twice and by `B` once; which one is meant, only a longer memory could tell. Patterns of 8 letters from small alphabets, so that letters repeat:

# %%
rng = np.random.default_rng(0)
for n_letters in (26, 12, 6, 4):
    pattern = rng.integers(1, n_letters + 1, size=(500, 8))
    new = torch.from_numpy(np.concatenate([np.zeros((500, 1), int), pattern, pattern], axis=1))
    right = (model(new)[:, :-1].argmax(dim=2) == new[:, 1:])[:, 8:].float()
    rule = lesson.by_the_circuit(new, first=8)  # a probability for each letter
    print(f"letters drawn from {n_letters:2}: right {right.mean():.2f}, predicted by the circuit {rule.mean():.2f};",
          f"right where it says 1: {right[rule == 1].mean():.2f}, where 0: {right[rule == 0].mean():.2f}")  # fmt: skip

# %% [markdown]
# The prediction needs no model. It follows the sentence of section 7: look at all earlier places with the current letter, choose one of them at random, and say what followed; where there is none, say the first letter. **The explanation predicts on new texts how often the model fails, and where.** (The test can fail: a rule that always takes the *latest* of these places predicts 0.1 to 0.2 too little.)
#
# **Card 2: the sum is exact only without layer norm.** Large models divide the stream by its size before the logits. Then a part's share depends on all other parts. Patching keeps its meaning, since it computes the model again (section 12).
#
# **Card 3: one circuit, one kind of text.** We explained the second copy of a text with a pattern. A new kind of text needs new experiments.

# %% [markdown]
# ## 15 · Recap
#
# - The stream of a transformer is a sum. Without layer norm each logit splits exactly into what the token and each head wrote (direct logit attribution); the logit lens reads the sum at any depth.
# - Who *writes* an answer and who is *needed* for it are two questions. Ablation says what is needed, patching what is enough: here, one vector of one head at one place recovers 1.00.
# - Composition: one head notes, another one reads the note. Both can be read from the weights.
# - Two models with the same score, the same answers and the same stripe of attention did different things. A changed letter told them apart.
# - The copying head's attention said what was copied, not why.
#
# <details>
# <summary>The paper in ten questions</summary>
#
# N. Elhage, N. Nanda, C. Olsson and others: *A mathematical framework for transformer circuits* (2021).
#
# 1. **Which problem?** Transformers write texts, and nobody can say which program they have learnt.
# 2. **Is it new?** Attention maps had been looked at for years. New is to leave everything out that disturbs, and to multiply the weights along paths.
# 3. **Which hypothesis?** Small attention-only models can be understood completely, and what is found there helps with large ones.
# 4. **Related work, and who?** Circuits in image networks (Olah and others, 2020). The authors worked at Anthropic.
# 5. **The key idea?** The stream is a sum, so the model is a sum of paths; each head splits into "where to look" (queries and keys) and "what to copy" (values and output).
# 6. **Which experiments?** Models of zero, one and two layers, trained on ordinary text; their matrices, eigenvalues and attention.
# 7. **Data and code?** The models were not published at first; others rebuilt them (for instance for the library TransformerLens).
# 8. **Do the results support it?** For two layers, yes; you have repeated it here. That the same holds in large models is argued in Olsson and others (2022), with correlations there and experiments in small ones.
# 9. **What did it contribute?** A language (stream, composition, induction head) and a way of work that many now use.
# 10. **What next?** Feed-forward layers, layer norm, superposition: more features than numbers. (Model A has 27 letters in 24 numbers; [16b](16b_superposition.ipynb) is about that.)
#
# </details>
#
# **References**
# - [Elhage and others, 2021: A mathematical framework for transformer circuits](https://transformer-circuits.pub/2021/framework/index.html)
# - [Olsson and others, 2022: In-context learning and induction heads](https://arxiv.org/abs/2209.11895)
# - [nostalgebraist, 2020: Interpreting GPT: the logit lens](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens)
# - [Meng and others, 2022: Locating and editing factual associations in GPT](https://arxiv.org/abs/2202.05262)
# - [Wang and others, 2023: Interpretability in the wild](https://arxiv.org/abs/2211.00593)
# - [Press and others, 2021: Shortformer (positions for queries and keys only)](https://arxiv.org/abs/2012.15832)
# - [Fiotto-Kaufman and others, 2024: NNsight and NDIF](https://arxiv.org/abs/2407.14561)
# - [Bycroft, 2023: LLM Visualization](https://bbycroft.net/llm)
