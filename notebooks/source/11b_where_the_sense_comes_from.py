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
# # 11b · Where the sense of a word comes from
#
# This companion of [11 · BERT's embeddings](11_bert_embeddings.ipynb) adds where a word's sense is found and where it comes from: in which tokens, in spite of which common part, and from which context.
#
# **The question.** After a few layers the state of "apple" tells the fruit from the company. Which other tokens know it, and what in the sentence brought it there?
#
# **After this lesson you can**
# - take the states of all layers out of a model with hooks;
# - measure how far all states point in one direction, take that part away, and say what the correction changes and what it does not;
# - find out which words of a sentence a state depends on, by masking them;
# - compute an interval for the difference of two methods that saw the same items.
#
# **Time**: about <!-- minutes --> minutes. **Before**: the core lesson. A [lab](glossary.md#lab) is a model together with its texts; a *bootstrap interval* (95 %) says how far a mean could move with other items of the same kind.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.exercises import l11_bert_embeddings as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l11_bert_embeddings as shared
from course_utils.methods.embeddings import (
    cosine_similarity,
    hidden_states,
    remove_common_component,
)
from course_utils.teach import plots

# %%
lab = load_lab("text", model="encoder")
words = np.array([record["word"] for record in lab.records])
senses = np.array([record["sense"] for record in lab.records])
starts = [record["start"] for record in lab.records]
readings = shared.read(lab, lab.texts)  # the states of all tokens of all 210 sentences
target = shared.states_of_words(readings, starts)  # of the ambiguous words
places = [shared.place_of(reading, start) for reading, start in zip(readings, starts, strict=True)]
layers = range(target.shape[1])
LAYER = 4

# %% [markdown]
# ## 1 · The states of all layers, with hooks
#
# A [*hook*](glossary.md#hook) is a function of yours that PyTorch calls whenever a part of a network has computed something. One hook on each layer keeps what the layer puts out.

# %%
kept = []


def keep(module, arguments, output):
    kept.append(output[0] if isinstance(output, tuple) else output)  # some versions return a tuple


tokens = lab.tokenize(lab.texts[0])
handles = [layer.register_forward_hook(keep) for layer in lab.model.encoder.layer]
with torch.no_grad():
    last = lab.model(**tokens).last_hidden_state
for handle in handles:
    handle.remove()  # or it would run again at every later call
hooked = torch.cat(kept).cpu()

# %% tags=["hide-input", "nbval-check-output"]
states = hidden_states(lab.model, tokens).cpu()
judge.agreement_table(
    [
        ("hidden_states", states[1:], hooked, "layers 1 to 6"),
        ("last_hidden_state", states[-1], last[0].cpu(), "the last state is the output"),
    ]
)

# %% [markdown]
# A first use: how far does each token travel? The figure compares each state with the same token's state before the first layer. Look at the lowest row.

# %% tags=["hide-input"]
travelled = cosine_similarity(states, states[:1])
figure, ax = plt.subplots(figsize=(9.5, 3.0))
shown = ax.imshow(travelled, cmap="Blues_r", vmin=0, vmax=1, aspect="auto")
ax.set_xticks(range(states.shape[1]), tokens.tokens(), rotation=40, ha="right")
ax.set(yticks=range(len(states)), ylabel="layer")
ax.spines[:].set_visible(False)
figure.colorbar(shown, ax=ax, label="similarity with layer 0")
ax.set_title("Layer by layer the word's own input fades (darker: less of it is left)", loc="left")
plots.show(
    "A table of layers and tokens. Similarity with the input falls from 1 to a mean of "
    f"{travelled[-1, 1:-1].mean():.2f} after the last layer."
)

# %% [markdown]
# After the last layer, most words have lost most of their input direction. Whether what has come instead is meaning, grammar or something else, this figure does not say.
#
# ### Exercise: all distances at once
#
# Before we compare many states, write the distances of two sets of vectors without a loop.


# %% exercise="euclidean_distances"
def euclidean_distances(a, b):
    """The Euclidean distances (N, M) of each row of a (N, D) to each row of b (M, D)."""
    # BEGIN SOLUTION
    differences = a[:, None] - b[None]
    return differences.square().sum(dim=-1).sqrt()
    # END SOLUTION


# %%
exercises.euclidean_distances.check(euclidean_distances)

# %% [markdown]
# ## 2 · Not only the word itself
#
# The sense is a property of the sentence, so other tokens might carry it too. Here is the score "has the nearest other sentence the same sense?" for the token [CLS] in front, the last token (mostly the full stop), the token after the ambiguous word, and the mean of all tokens.

# %%
after = [min(place + 1, len(x.tokens) - 1) for x, place in zip(readings, places, strict=True)]


def scores_by_token(readings):
    """For five tokens of each sentence: has the nearest other sentence the same sense? (N, layers)"""
    tried = {
        "the word itself": [x.states[:, i] for x, i in zip(readings, places, strict=True)],
        "the token after it": [x.states[:, i] for x, i in zip(readings, after, strict=True)],
        "the last token": [x.states[:, len(x.tokens) - 2] for x in readings],
        "[CLS]": [x.states[:, 0] for x in readings],
        "mean of all tokens": [x.states.mean(dim=1) for x in readings],
    }
    score = shared.neighbour_right
    return {
        name: np.stack([shared.each_word(score, torch.stack(x)[:, n], words, senses) for n in layers], 1)
        for name, x in tried.items()
    }


# %%
by_token = scores_by_token(readings)
first_token = torch.stack([x.states[3, 0] for x in readings]).double()  # 32 bits would round too much
print(f"layer 3, smallest similarity of two [CLS]: {shared.similarities(first_token, first_token).min():.6f}")

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(9.5, 3.6))
shared.layer_curves(ax, by_token)
guessing = shared.each_word(shared.share_of_own_sense, target[:, 0], words, senses).mean()
ax.axhline(guessing, color=plots.BASELINE, linestyle=":")
ax.set(ylim=(0.35, 1.0), ylabel="same sense as the\nnearest neighbour")
ax.set_title("All five carry something of the sense (dotted: guessing)", loc="left")
ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    "Five curves over the layers. Last layer: "
    + ", ".join(f"{name} {values[:, -1].mean():.2f}" for name, values in by_token.items())
)

# %% [markdown]
# The mean of all tokens starts high: it holds the other words from the beginning. Here the word itself and [CLS] gain most in the first layer; the token after the word and the last token gain later. After the last layer all five are above guessing. The [CLS] states of any two sentences have a similarity of almost 1 in layer 3 (see the print), and yet the nearest one mostly has the same sense. Again, a similarity means nothing without others beside it.
#
# But do the other tokens know the sense *of this word*, or only what the sentence is about? A control: put [MASK], BERT's token for a hidden word, in the place of the ambiguous word, and read all sentences again. **Predict**: which of the five scores fall?

# %%
hidden = [f"{r['text'][: r['start']]}[MASK]{r['text'][r['end'] :]}" for r in lab.records]
without_word = scores_by_token(shared.read(lab, hidden))
for name, values in without_word.items():
    fall = judge.paired(by_token[name][:, -1], values[:, -1])
    print(f"{name:>18}: {values[:, -1].mean():.2f} without the word; with it {fall}")

# %% [markdown]
# Only at the word's own place does the score fall clearly. The others find the sense nearly as often when the word is not there at all: "phone" and "report" say what kind of sentence it is. (On other words they lose a little, too, but keep more than half of what they have above guessing.) **Most of what the other tokens know is the topic of the sentence, not the sense of this word.**
#
# "The layer knows the sense" means that *you* can read it from the states. It does not mean that the model uses it.

# %% [markdown]
# ## 3 · The common part of all states
#
# In the core lesson, two arbitrary words had a mean similarity above 0.2; random directions would have 0. When states share a common part, they fill a narrow cone, and every similarity is too high. This is called *anisotropy* (Ethayarajh, 2019). A correction is to take the common part away (Mu and Viswanath, 2018): subtract the mean of many states, $\bar h$, then also the part along their strongest direction $v$:
#
# $$\tilde h = (h - \bar h) - \big((h - \bar h)\cdot v\big)\,v$$
#
# $v$ is a vector of length 1, the first *principal direction*: along it the centred states differ most. The *singular value decomposition* of the centred states, $USV^\top$, has it as the first row of $V^\top$.
#
# ### Exercise: without what all share
#
# Write it: subtract the mean, then the part along the strongest direction of what is left.


# %% exercise="without_common_part"
def without_common_part(states):
    """The states (N, D) without their mean and without their first principal direction."""
    # BEGIN SOLUTION
    centred = states - states.mean(dim=0)
    v = torch.linalg.svd(centred, full_matrices=False).Vh[0]
    return centred - (centred @ v)[:, None] * v
    # END SOLUTION


# %%
exercises.without_common_part.check(without_common_part)

# %% [markdown]
# Now two questions for each layer. Are arbitrary words less alike after the correction? And do the two senses of a word separate better? (*Separation*: how often is a pair of one sense more alike than a mixed pair?)

# %%
everything = torch.cat([x.states[:, 1:-1] for x in readings], dim=1)  # not [CLS], [SEP]
first = np.cumsum([0, *(len(x.tokens) - 2 for x in readings[:-1])])
where = torch.as_tensor(first + np.array(places) - 1)  # the ambiguous words in `everything`
i, j = torch.randint(everything.shape[1], (2, 2000), generator=torch.Generator().manual_seed(0))
cures = {
    "as they are": lambda x: x,
    "mean removed": lambda x: x - x.mean(dim=0),
    "mean and strongest direction removed": remove_common_component,
}
alike, separate = {}, {}
for name, cure in cures.items():
    cured = [cure(everything[n]) for n in layers]
    alike[name] = [cosine_similarity(x[i], x[j]).mean().item() for x in cured]
    of_words = [shared.each_word(shared.separation, x[where], words, senses) for x in cured]
    separate[name] = np.stack(of_words, axis=1)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.5))
for (name, values), color, marker in zip(alike.items(), plots.COLOURS, "osD", strict=False):
    axes[0].plot(values, marker=marker, color=color, label=name)
axes[0].set(xlabel="layer", ylabel="mean similarity", ylim=(-0.03, 0.4))
axes[0].set_title("Two arbitrary words", loc="left")
axes[0].legend(fontsize=9, loc="upper left")
for (_name, values), color, width in zip(separate.items(), plots.COLOURS, (6, 3.5, 1.2), strict=False):
    axes[1].plot(values.mean(axis=0), color=color, linewidth=width)
axes[1].set(xlabel="layer", ylabel="separation", ylim=(0.45, 0.95))
axes[1].set_title("The two senses of a word (curves on one another)", loc="left")
plots.show(
    "Left: similarity of arbitrary words, up to "
    f"{max(alike['as they are']):.2f} as they are, near 0 after the correction. Right: three curves of the "
    "separation lie on one another."
)

# %%
for n in (1, LAYER, 6):
    plain, _, corrected = separate.values()
    print(f"layer {n}, corrected less as they are: {judge.paired(corrected[:, n], plain[:, n])}")
share = everything.mean(dim=1).square()
share = share / share.sum(dim=1, keepdim=True)
for n in (1, LAYER, 5, 6):
    largest = f"number {share[n].argmax()} holds {100 * share[n].max():.0f} %"
    print(f"layer {n}: {largest} of the squared length of the mean")

# %%
rivals = {"random weights": shared.untrained_like(lab.model, seed=0),
          "fine-tuned for questions": load_lab("text", model="qa").model.bert}  # fmt: skip
for name, model in rivals.items():
    x = torch.cat([r.states[-1, 1:-1] for r in shared.read(lab, lab.texts, model=model)])
    of_words = [shared.each_word(shared.separation, cure(x)[where], words, senses) for cure in cures.values()]
    print(f"{name}, last layer: similarity {cosine_similarity(x[i], x[j]).mean():.2f}")
    print(f"    separation, corrected less as they are: {judge.paired(of_words[2], of_words[0])}")

# %% [markdown]
# Left: the common part is there, grows up to layer 5, and subtracting the mean removes it. It is mild (in the upper layers of GPT-2, Ethayarajh found arbitrary words nearly parallel), and nearly gone after layer 6. Right: the separation hardly changes. **In this encoder the correction makes the numbers readable, and adds no knowledge.**
#
# The print says where the common part lies: up to layer 5, a single one of the 384 numbers holds a quarter to a half of it (an equal share would be 0.3 %). Timkey and van Schijndel (2021) call such numbers *rogue dimensions*. In layer 6 there is no such number.
#
# The last print has two other models. A common part is nothing that must be learnt: random weights have a larger one. And it depends on the training: the same encoder, fine-tuned to answer questions (it is the model of lesson 11), has a large one just where the plain encoder has nearly none. There the correction does improve the separation a little. So try it, and measure.
#
# ### A similarity without a crowd
#
# The same two sentences, in three layers. Which number would you put into a report?

# %%
one, two = shared.sentence_vectors(lab, ["The soup was cold.", "The committee adjourned at noon."])
all_vectors = torch.stack([reading.states.mean(dim=1) for reading in readings])
for n in (0, LAYER, 6):
    similarity = cosine_similarity(one[n], two[n]).item()
    crowd = shared.similarities(all_vectors[::2, n], all_vectors[1::2, n])  # other sentences
    larger = (crowd > similarity).float().mean()
    print(f"layer {n}: {similarity:.2f}; {100 * larger:.0f} % of other pairs are more alike")

# %% [markdown]
# The raw number changes a lot from layer to layer, and so does the common part in it. Its place among other pairs of the same layer can be compared between layers; the raw number cannot.

# %% [markdown]
# ## 4 · The context taken away, word by word
#
# The state before the first layer knows nothing of the sense, so it must come from the other words. Take them away, and see what is left. For a sentence, let $h$ be the state of its ambiguous word after layer 4, $m$ the mean of such states in the *other* sentences of the same sense, and $m'$ the mean in the sentences of the other sense. Our score is
#
# $$s = \cos(h, m) - \cos(h, m').$$
#
# Positive means: the state lies closer to its own sense. First one sentence on the company, in which [MASK] takes the place of the other words, the nearest first. (The full stop stays.) Where does the bar change its side?

# %%
MASK, STOP = lab.tokenizer.mask_token_id, lab.tokenizer.convert_tokens_to_ids(".")
ids = [reading.record.ids[: len(reading.tokens)] for reading in readings]  # without padding


def score_masked(sentences, amounts, nearest_first=True):
    """s with so many context words masked, (sentences, amounts)."""
    rows = [shared.mask_context(ids[i], places[i], n, MASK, nearest_first=nearest_first, spared=[STOP])
            for i in sentences for n in amounts]  # fmt: skip
    h = shared.states_of_ids(lab, rows, [places[i] for i in sentences for _ in amounts])[:, LAYER]
    of = np.repeat(sentences, len(amounts))
    return shared.sense_scores(h, of, target[:, LAYER], words, senses).reshape(len(sentences), -1)


apples = np.flatnonzero(words == "apple")
example = apples[senses[apples] == "company"][4]
amounts = range(len(ids[example]) - 3)  # all but [CLS], [SEP] and the full stop; 0 masks nothing
scores = score_masked([example], amounts)[0]

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(10, 4.0))
ax.barh(range(len(scores)), scores, color=[plots.COLOURS[1] if s > 0 else plots.BASELINE for s in scores])
rows = [shared.mask_context(ids[example], places[example], n, MASK, spared=[STOP])[1:-1] for n in amounts]
labels = [" ".join("__" if t == MASK else lab.tokenizer.decode([t]) for t in row) for row in rows]
ax.set_yticks(range(len(labels)), labels, fontsize=9)
ax.invert_yaxis()
ax.axvline(0, color=plots.INK, linewidth=0.8)
ax.set(xlabel="s: closer to the company (right) or to the fruit (left)")
ax.set_title("One word of context after the other is masked (__)", loc="left")
plots.show(
    f"A bar for each number of masked words: s = {scores[0]:+.2f} with all words, {scores[-1]:+.2f} with "
    "everything else masked."
)

# %% [markdown]
# With every other word masked, a lean to one of the senses can be left. It comes without any context: only the number of masks and the places of the word and of the full stop differ between sentences. The print counts, for each of the ten words, how many of its sentences lean to the first of its two senses when all else is masked.

# %%
bare = score_masked(range(len(words)), [99])[:, 0]
first_sense = {word: senses[words == word][0] for word in dict.fromkeys(words)}
is_first = senses == np.array([first_sense[word] for word in words])
to_first = (bare > 0) == is_first
for word, sense in first_sense.items():
    of_word = words == word
    print(f"{word:>8}: {to_first[of_word].sum():2d} of {of_word.sum()} sentences lean to “{sense}”")
print(f"s with nothing left, mean of all sentences: {bare.mean():+.3f}")

# %% [markdown]
# For most words nearly all sentences lean the same way, whichever sense they had: the bare word has a favourite. So a lean alone is no sign of a context. In the mean over both senses it cancels (the last line of the print).
#
# Now a quarter of all sentences, and two orders: the nearest words first, or the farthest first. (The full stop stays, or it would mostly be the first "word" of the second order.)

# %%
some = np.arange(0, len(words), 4)
amounts = [0, 1, 2, 4, 8]
by_order = {
    "nearest first": score_masked(some, amounts),
    "farthest first": score_masked(some, amounts, nearest_first=False),
}
for k, n in enumerate(amounts[1:], 1):
    gain = judge.paired(by_order["farthest first"][:, k], by_order["nearest first"][:, k])
    print(f"{n} masked, farthest less nearest: {gain}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.5))
for (order, values), color, marker in zip(by_order.items(), plots.COLOURS, "os", strict=False):
    for ax, numbers in zip(axes, (values, values > 0), strict=True):
        low, high = np.array([judge.bootstrap_interval(column) for column in numbers.T.astype(float)]).T
        ax.plot(amounts, numbers.mean(axis=0), marker=marker, color=color, label=order)
        ax.fill_between(amounts, low, high, color=color, alpha=0.15, linewidth=0)
        ax.set(xlabel="context words masked")
axes[0].set(ylabel="s")
axes[0].set_title("The sense fades …", loc="left")
axes[0].axhline(0, color=plots.BASELINE, linestyle=":")
axes[1].set(ylabel="share with s > 0", ylim=(0.3, 1))
axes[1].axhline(0.5, color=plots.BASELINE, linestyle=":")
axes[1].set_title("… here faster when the near words go first", loc="left")
axes[0].legend()
plots.show(
    "Two falling curves in each panel. The curve with the nearest words masked first falls faster; with eight "
    f"words masked s is {by_order['nearest first'][:, -1].mean():+.2f}."
)

# %% [markdown]
# The sense fades in both orders. In these sentences it fades faster when the near words go first (see the print), and it is easy to conclude that the model listens to near words more. But a clue that stands near is a property of the *sentences*. On 17 other words, in sentences that no lesson shows (`tests/claims/test_11.py` has them), the two orders do not differ. **The interval of a print speaks of other sentences of this kind, not of all sentences.** With eight words masked the share is near guessing: with so little context the state can hardly tell which of the two senses it has.
#
# ### The clue moved away
#
# Masking takes the clue away. What if the clue stays, but far off? We put a sentence of one sense in front (its ambiguous word masked), then more and more neutral sentences, then "Then someone mentioned the apple." The control has the neutral sentences *in front of* the clue: the text is as long, and the clue stands close by.

# %%
FILLER = "We talked for a while, and nothing else happened that day. "
kinds = list(dict.fromkeys(zip(words, senses, strict=True)))
clues = np.concatenate([np.flatnonzero((words == w) & (senses == s))[:2] for w, s in kinds])
fillers = [0, 1, 4]


def score_clues(before, between):
    """s of the word at the end, with so many neutral sentences before the clue and between both."""
    texts, at = [], []
    for r in (lab.records[i] for i in clues):
        clue = f"{r['text'][: r['start']]}[MASK]{r['text'][r['end'] :]} "
        texts.append(f"{FILLER * before}{clue}{FILLER * between}Then someone mentioned the {r['word']}.")
        at.append(texts[-1].rindex(r["word"]))
    h = shared.states_of_words(shared.read(lab, texts), at)[:, LAYER]
    return shared.sense_scores(h, clues, target[:, LAYER], words, senses)


# %%
moved = {
    "between clue and word": [score_clues(0, k) for k in fillers],
    "in front of both": [score_clues(k, 0) for k in fillers],
}
between, in_front = moved.values()
print(f"no neutral sentence: s = {between[0].mean():.3f}")
print(
    f"four in front:       s = {in_front[-1].mean():.3f}; less none {judge.paired(in_front[-1], between[0])}"
)
print(f"four between:        s = {between[-1].mean():.3f}; less none {judge.paired(between[-1], between[0])}")

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7, 3.0))
for (name, rows), color, marker in zip(moved.items(), plots.COLOURS, "os", strict=False):
    low, high = np.array([judge.bootstrap_interval(values) for values in rows]).T
    ax.plot(fillers, [values.mean() for values in rows], marker=marker, color=color, label=name)
    ax.fill_between(fillers, low, high, alpha=0.15, linewidth=0, color=color)
ax.axhline(0, color=plots.BASELINE, linestyle=":")
ax.set(xlabel="neutral sentences", ylabel="s", xticks=fillers)
ax.legend(fontsize=9, loc="upper right")
ax.set_title(f"{len(clues)} clues: a part of the fall comes with the length alone", loc="left")
plots.show(
    "s against the number of neutral sentences. "
    + "; ".join(f"{name}: " + ", ".join(f"{v.mean():+.3f}" for v in rows) for name, rows in moved.items())
)

# %% [markdown]
# The clue still has an effect across four sentences, and a weaker one than without them. Is it the distance? Only in part: with the four sentences in front, where the clue stays close by, about half of the fall is there, too (see the print; on other words more than half). **A clue far off comes with a longer text: only the control tells the two apart.**

# %% [markdown]
# ## 5 · Is one layer better than another?
#
# The lessons of this course compare methods and layers on the same items all the time. Here is what stands behind `judge.paired`.
#
# ### Exercise: a paired interval
#
# `first` and `second` hold the hits of two layers on $N$ items (1 or 0). `draws` (B, N) says which items each of B bootstrap draws holds: a row of numbers from 0 to $N-1$, with repetitions. Return three numbers: the mean of second minus first, and the two ends of its 95 % interval.


# %% exercise="paired_interval"
def paired_interval(first, second, draws):
    """Array (3,): mean of second − first, lower and upper end (quantiles 0.025 and 0.975)."""
    # BEGIN SOLUTION
    difference = second - first  # item by item, before anything is averaged
    low, high = np.quantile(difference[draws].mean(axis=1), [0.025, 0.975])
    return np.array([difference.mean(), low, high])
    # END SOLUTION


# %%
exercises.paired_interval.check(paired_interval)

# %% [markdown]
# ## 6 · Your turn
#
# If you are online, the whole lesson runs on a larger model: write `load_lab("text", model="encoder", variant="bert-base-uncased")` into the second code cell (12 layers, 768 numbers, trained to guess masked words; about 440 MB, once). **Predict** before you run it: is its common part larger than the one of section 3, and does it vanish after the last layer?
#
# For your own sentences, section 7 of the [core lesson](11_bert_embeddings.ipynb) has a cell.

# %% [markdown]
# ## 7 · Recap
#
# - Hooks give the same states as `output_hidden_states`. Remove them when you are done.
# - The word's own state gains most in the first layer. What other tokens know of the sense is mostly the topic: they know it without the word, too.
# - All states share a common part, and it depends on the training. Taking it away makes similarities readable; in this encoder it did not make the senses separate better.
# - The sense comes from the context, and a bare word leans to one sense by itself. That near words matter more held for these sentences, not for others; that a far clue is weaker is in large part the length of the text.
#
# **References**
# - [Ethayarajh, 2019: How contextual are contextualized word representations?](https://arxiv.org/abs/1909.00512)
# - [Mu and Viswanath, 2018: All-but-the-top](https://arxiv.org/abs/1702.01417)
# - [Timkey and van Schijndel, 2021: All bark and no bite (rogue dimensions)](https://arxiv.org/abs/2109.04404)
