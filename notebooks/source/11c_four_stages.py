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
# # 11c · The four stages of question answering, measured
#
# This companion of [11 · BERT's embeddings](11_bert_embeddings.ipynb) adds a number for each stage of the story that van Aken and others (2019) tell about a model that answers questions, and two warnings about pictures in the plane.
#
# **The question.** Meaning, relations, matching, extraction: which of the four stages does this model have, and did training on questions make them?
#
# **After this lesson you can**
# - turn a story about layers into measurements, each beside a control;
# - tell a fine-tuned model from a plain one by its states;
# - say how much of the distances a PCA picture keeps;
# - count which neighbours a picture keeps, and read a t-SNE picture without believing its islands.
#
# **Time**: about <!-- minutes --> minutes. **Before**: the core lesson. *Fine-tuned* means: trained further for a task, here for answering questions. A [lab](glossary.md#lab) is a model together with its texts. The interval behind a difference is a 95 % *bootstrap interval*: how far the mean could move with other passages.

# %%
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.spatial.distance import cdist

from course_utils import judge
from course_utils.exercises import l11_bert_embeddings as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l11_bert_embeddings as shared
from course_utils.methods.embeddings import project
from course_utils.teach import plots

qa = load_lab("text", model="qa")  # the fine-tuned model
lab = load_lab("text", model="encoder")  # the plain encoder

# %% [markdown]
# ## 1 · Which of three models was fine-tuned?
#
# Three models read the same question and passage: the fine-tuned one, the plain encoder, and one with random weights. The figure shows their last layers, in a random order. Look for words that lie apart.

# %%
story = shared.passage(
    "The baker Tom lives in the village. The farmer Mira lives by the lake and keeps forty bees. "
    "The fisherman Paul lives on an island and repairs old boats.",
    ("How many bees does Mira keep?", "forty"),
)
random_lab = SimpleNamespace(
    model=shared.untrained_like(lab.model, seed=0), tokenize=lab.tokenize, name="random weights"
)
read = shared.ask(qa, [story], others=[lab, random_lab])
kinds = ["fine-tuned", "plain", "random weights"]
order = np.random.default_rng(4).permutation(3)
shown = {letter: kinds[k] for letter, k in zip("ABC", order, strict=True)}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.9))
for ax, letter, k in zip(axes, "ABC", order, strict=True):
    shared.draw_case(ax, read[k][0], 6, mark_given=False)
    ax.set_title(f"model {letter}, layer 6", fontsize=10)
plots.show("Three planes of words, models A, B and C. In one of them a single word lies far from all others.")

# %% [markdown]
# ### Exercise: look, then answer
#
# Which letter is the fine-tuned model? (`exercises.which_is_fine_tuned.hint()` helps.)

# %% exercise="which_is_fine_tuned"
answer = None  # "A", "B" or "C"
# BEGIN SOLUTION
answer = next(letter for letter, kind in shown.items() if kind == "fine-tuned")
# END SOLUTION

# %%
exercises.which_is_fine_tuned.check(answer, shown)

# %% [markdown]
# ## 2 · One number for each stage
#
# The story in our words:
#
# 1. **Meaning**: tokens of like meaning gather. Our measure: take a name in a passage, and look for the most similar *other* word in *another* passage. Is it a name, too? (Being a name is a kind of word rather than a meaning: this is a stand-in.)
# 2. **Relations**: names gather with what is said about them. Our measure: two tokens, four to eight places apart; how much more alike are they when they stand in the same sentence? We compare at the same gap, or neighbours would win by standing close. (A stand-in, too: nobody marked relations in our texts.)
# 3. **Matching**: the question meets the part of the passage that holds the answer. Our measure: each content word of the question (not "the", "of", "who", …) looks for its most similar token in each sentence, the answer's tokens left out. Does the sentence with the answer win?
# 4. **Extraction**: the answer leaves all other tokens. Our measure: its distance to the rest of the passage, less that of the answers to *other* questions. (The unit is the mean distance of two tokens of the passage in the same layer.)
#
# Here are 32 passages that the model was not trained on (*held out*), and 24 that it was. The plain encoder, which was trained on neither, is the control.
#
# **Predict**: in which of the four stages will the fine-tuned model differ from the plain one on held-out passages?

# %%
passages, held_out = shared.course_passages(n_trained=24)
models = dict(
    zip(("fine-tuned", "plain"), shared.ask(qa, passages, others=[lab], say="reading"), strict=True)
)
stages, chance = {}, {}
for name, cases in models.items():
    meaning, share_of_names = shared.stage_meaning(cases)
    matching = [shared.stage_matching(case) for case in cases]
    stages[name] = {
        "1 meaning": meaning,
        "2 relations": np.array([shared.stage_relations(case) for case in cases]),
        "3 matching": np.array([found for found, _ in matching]),
        "4 extraction": np.array([shared.stage_extraction(case) for case in cases]),
    }
guess = np.array([g for _, g in matching])

# %% [markdown]
# First, stages 1 and 2 over all passages. Dotted: what chance gives.

# %% tags=["hide-input"]
labels = {
    "1 meaning": "a name's nearest word\nis a name",
    "2 relations": "similarity gained in\nthe same sentence",
}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for ax, (stage, label) in zip(axes, labels.items(), strict=True):
    shared.layer_curves(ax, {name: of[stage] for name, of in stages.items()})
    ax.axhline(share_of_names if stage == "1 meaning" else 0, color=plots.BASELINE, linestyle=":")
    ax.set(ylabel=label)
    ax.set_title(f"Stage {stage}", loc="left")
axes[0].legend(fontsize=9)
plots.show(
    "Two panels of curves over the layers. Names find names with a share of up to "
    f"{stages['fine-tuned']['1 meaning'].mean(axis=0).max():.2f} (chance {share_of_names:.2f}); similarity gained "
    f"in a sentence is at most {stages['fine-tuned']['2 relations'].mean(axis=0).max():.2f}."
)

# %% [markdown]
# The fine-tuned curves are the higher ones in the middle layers. But the model was trained on 24 of these passages. The print compares the two models on the 32 others, passage by passage, in layers 3 and 4.

# %%
new = {
    name: [case for case, out in zip(cases, held_out, strict=True) if out] for name, cases in models.items()
}
rows = {
    "names find names": [shared.stage_meaning(cases)[0] for cases in new.values()],
    "similarity gained in a sentence": [of["2 relations"][held_out] for of in stages.values()],
}
for label, curves in rows.items():
    tuned, plain = (curve[:, 3:5].mean(axis=1) for curve in curves)
    print(f"{label}: {tuned.mean():.3f}, plain {plain.mean():.3f}; difference {judge.paired(tuned, plain)}")

# %% [markdown]
# - **Names gather** far above chance, already at the input: the vectors of names are alike before any context. The fine-tuned model is a little ahead here; with other questions on the same passages it is not clear that it is.
# - **Relations show, weakly, and training on questions about doubles them**: in the middle layers, tokens of one sentence are a little more alike in the plain encoder already, and the gain is about twice as large in the fine-tuned model, on passages that it never saw. (With sentence ends put at wrong places it vanishes, and fine-tuning on another task, masked words, does not raise it: `tests/claims/test_11.py`.)
#
# Stages 3 and 4 need one more cut. The model answers the passages it was trained on far better than new ones. So look at the two kinds apart.

# %% tags=["hide-input"]
labels = {
    "3 matching": "question finds the\nanswer's sentence",
    "4 extraction": "distance of the answer,\nless other answers",
}
figure, axes = plt.subplots(2, 2, figsize=(10, 6.2), sharey="row")
for row, (stage, label) in zip(axes, labels.items(), strict=True):
    for ax, (which, rows) in zip(row, (("held out", held_out), ("trained on", ~held_out)), strict=True):
        shared.layer_curves(ax, {name: of[stage][rows] for name, of in stages.items()})
        chance = guess[rows].mean() if stage == "3 matching" else 0
        ax.axhline(chance, color=plots.BASELINE, linestyle=":")
        ax.set_title(f"Stage {stage}: {rows.sum()} passages, {which}", loc="left", fontsize=11)
    row[0].set(ylabel=label)
axes[0, 0].legend(fontsize=9)
plots.show(
    "Matching (above) and extraction (below), held-out passages left, trained ones right. Extraction rises in the "
    "last two layers of the fine-tuned model, more on the right."
)

# %%
for which, rows in (("held out", held_out), ("trained on", ~held_out)):
    tuned, plain = ({key: of[key][rows] for key in labels} for of in stages.values())
    rise = [m["3 matching"][:, 3] - m["3 matching"][:, 0] for m in (tuned, plain)]
    print(f"{which:>10}, rise of matching to layer 3, fine-tuned less plain: {judge.paired(*rise)}")
    last = [m["4 extraction"][:, -1] for m in (tuned, plain)]
    print(f"{which:>10}, extraction, last layer, fine-tuned less plain: {judge.paired(*last)}")

# %% [markdown]
# Compare with the story, and with your prediction:
#
# - **We cannot show that fine-tuning made a matching stage.** The question finds the right sentence far above chance from the very beginning, where only single words can match. From there to layer 3 the two models do not change clearly differently (both intervals of the print contain 0). In the last two layers matching falls in the fine-tuned model; the plain model keeps it. The answer leaves in the same layers, but whether the one causes the other, no cell tests.
# - **Extraction shows clearly**, in the last two layers: strongly on passages that the model was trained on, less on new ones, and in both more than in the plain model. But this is nearly built in: the fine-tuned model reads start and end from the last state with one weight vector each, so the chosen tokens *must* differ from the others there.
#
# Six layers are half of what BERT-base has, this model answers only some questions, and another measure of matching might find more. "Not found" is not "not there". But a story about four stages should not be told of this model because its pictures look familiar.

# %% [markdown]
# ## 3 · How flat is a picture?
#
# A PCA picture keeps a part of the variance. How well do distances in the plane agree with distances in the full space? Take all pairs of tokens of one passage (the held-out one whose right answer is the surest), in an early layer and in the last one. The *rank correlation* says whether the pairs come in the same order: 1 is the same order, 0 is no relation.

# %%
number, best = max(
    ((n, case) for n, case in enumerate(models["fine-tuned"]) if held_out[n] and case.hit),
    key=lambda row: row[1].probability,
)
upper = np.triu_indices(len(best.inner), 1)


def rank_agreement(one, two):
    return judge.rank_correlation(torch.tensor(one)[None], torch.tensor(two)[None]).item()


in_plane, in_full, ranks = {}, {}, {}
for n in (1, 6):
    points, _ = shared.in_the_plane(best, n)
    in_plane[n] = cdist(points, points)[upper]
    in_full[n] = torch.pdist(best.reading.states[n, best.inner]).numpy()
    ranks[n] = rank_agreement(in_plane[n], in_full[n])

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for ax, n in zip(axes, in_plane, strict=True):
    ax.plot(in_full[n], in_plane[n], ".", markersize=2, alpha=0.25)
    ax.set(
        xlabel="distance in 384 dimensions", ylabel="distance in the plane", xlim=(0, None), ylim=(0, None)
    )
    ax.set_title(f"layer {n}: rank correlation {ranks[n]:.2f}", loc="left")
plots.show(
    f"Distances in the plane against distances in the full space. Rank correlation {ranks[1]:.2f} in layer 1, "
    f"{ranks[6]:.2f} in layer 6."
)

# %% [markdown]
# In the early layer, pairs that lie on top of each other in the plane can be as far apart as any. In the last layer the plane keeps most of the order. **Predict**: is that because the answer has left, one difference larger than all others? Then it should be gone when you leave the answer's tokens out, and in the plain encoder.

# %%
left_out = np.union1d(best.part["answer"], best.part["given"])
for name, case, tokens in (
    ("fine-tuned, all tokens", best, best.inner),
    ("fine-tuned, without the answer", best, np.setdiff1d(best.inner, left_out)),
    ("plain encoder, all tokens", models["plain"][number], best.inner),
):
    for n in (1, 6):
        x = case.reading.states[n, tokens]
        flat = project(x)
        order = rank_agreement(torch.pdist(flat).numpy(), torch.pdist(x).numpy())
        share = flat.var(dim=0).sum() / x.var(dim=0).sum()
        print(f"{name:>30}, layer {n}: order {order:.2f}, the plane has {100 * share:.0f} % of the variance")

# %% [markdown]
# It is not the answer: without it the order is kept as well, and in the plain encoder, too, the last layer keeps far more of it than the first. In these six rows the order goes with the share of the variance that the two directions have. **So a PCA picture shows the two largest directions of difference and hides the rest, and how much that is changes from layer to layer.** A last layer that looks tidier than the first one is no sign of a stage.

# %% [markdown]
# ## 4 · Which neighbours are left?
#
# The order of all distances is one question. Another one: do the *neighbours* of a token stay its neighbours in the picture? For each token take its $k$ nearest other tokens in the full space, and its $k$ nearest in the plane. How many are in both lists, as a share of $k$? The mean over all tokens is 1 for a perfect picture.
#
# ### Exercise: the neighbours that are kept
#
# Write it. `cdist(x, x)` gives all distances of the rows of x. A token is not its own neighbour.


# %% exercise="neighbours_kept"
def neighbours_kept(x, points, k):
    """Share of the k nearest rows in x (N, D) that are among the k nearest in points (N, 2)."""
    # BEGIN SOLUTION
    near, near_drawn = (np.argsort(cdist(v, v), axis=1)[:, 1 : k + 1] for v in (x, points))
    return np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(near, near_drawn, strict=True)])
    # END SOLUTION


# %%
exercises.neighbours_kept.check(neighbours_kept)

# %% [markdown]
# ## 5 · t-SNE, and its warning
#
# t-SNE is another way to put vectors into a plane. It tries to keep *neighbours* together and gives up large distances. You choose the *perplexity* (about how many neighbours each point should care for) and the random start (the *seed*). Below is one layer, four times; the last two pictures are not BERT, they show random numbers of the same shape.

# %%
from sklearn.manifold import TSNE

x = best.reading.states[4, best.inner].numpy()
noise = np.random.default_rng(0).normal(size=x.shape)
settings = [(2, 0, x), (5, 0, x), (15, 0, x), (15, 1, x), (15, 0, noise), (2, 0, noise)]
drawn = [
    TSNE(perplexity=p, init="random", random_state=seed, max_iter=500).fit_transform(data)
    for p, seed, data in settings
]

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 3, figsize=(10, 5.6))
for ax, points, (perplexity, seed, data) in zip(axes.flat, drawn, settings, strict=True):
    if data is x:
        for k, part in enumerate(("context", "question", "answer")):
            there = np.isin(best.inner, best.part[part])
            ax.plot(
                *points[there].T,
                "o^*"[k],
                color=plots.COLOURS[(0, 1, 2)[k]],
                markersize=(3, 6, 10)[k],
                label=part,
            )
    else:
        ax.plot(*points.T, "o", markersize=3, color=plots.BASELINE)
    ax.set(xticks=[], yticks=[])
    what = "layer 4" if data is x else "random numbers"
    ax.set_title(f"{what}: perplexity {perplexity}, seed {seed}", fontsize=10)
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=10)
plots.show(
    "Six t-SNE pictures. Strings and clumps change with the perplexity and the seed. Pure noise is an even cloud "
    "at perplexity 15, and falls into clumps at perplexity 2."
)

# %%
true = cdist(x, x)[upper]
away = [cdist(points, points)[upper] for points in drawn[:4]]
flat = np.asarray(project(torch.tensor(x)))
kept = [shared.neighbours_kept(x, points, 5) for points in (*drawn[:4], flat)]

# %% tags=["hide-input"]
print("                      order of distances   neighbours kept")
names = [f"perplexity {p:2d}, seed {seed}" for p, seed, _ in settings[:4]] + ["PCA"]
for name, distances, share in zip(names, (*away, cdist(flat, flat)[upper]), kept, strict=True):
    print(f"{name:21}  {rank_agreement(distances, true):15.2f}  {share:16.2f}")
print(f"\nseed 0 with seed 1, perplexity 15, order of distances: {rank_agreement(away[2], away[3]):.2f}")

# %% [markdown]
# Four pictures of the same states. Strings and clumps come and go with the perplexity, and the whole picture turns over with the seed. Pure noise is an even cloud at perplexity 15; at perplexity 2 it falls into clumps, too. t-SNE keeps more neighbours than PCA, as it promises. The order of all distances both keep only partly in this layer.
#
# **By itself, no distance between islands, no size of an island and no number of islands in a t-SNE picture is evidence.** Draw random numbers of the same shape with the same settings beside it. (Wattenberg and others, 2016, show many more examples.) Use it to find ideas, and measure in the full space.

# %% [markdown]
# ## 6 · Recap
#
# - Names gather plainly (a stand-in for meaning), already at the input. Relations show weakly, and training on questions doubles them. Extraction shows clearly. We cannot show that fine-tuning made a matching.
# - A control decides what a curve means: the plain encoder, the answers to other questions, passages that were not trained on.
# - PCA shows the two largest directions of difference, t-SNE keeps neighbours; at a small perplexity it makes islands even of noise.
#
# **References**
# - [van Aken and others, 2019: How does BERT answer questions?](https://arxiv.org/abs/1909.04925)
# - [Wattenberg, Viégas and Johnson, 2016: How to use t-SNE effectively](https://doi.org/10.23915/distill.00002)
# - [Tenney, Das and Pavlick, 2019: BERT rediscovers the classical NLP pipeline](https://arxiv.org/abs/1905.05950)
