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
# # 11 · BERT's embeddings: what do the hidden states know?
#
# **The question.** A language model turns each word into a list of numbers, and rewrites that list in every layer. What can be read from these numbers, and how do you know that you are not reading it into them?
#
# **After this lesson you can**
# - take the states of all layers out of a transformer, and rebuild the first of them by hand;
# - measure with two rulers, Euclidean distance and cosine similarity, and say what each of them cannot see;
# - turn "the picture shows two groups" into a score with an interval, beside baselines that know nothing;
# - test a story about what layers do (the four stages of question answering) on many passages, and say which part of it shows;
# - probe layers for grammar and names, with a control task that keeps you honest.
#
# **Time**: about three hours, in two sittings (sections 1 to 7, then 8 to 17). **Before**: you know what a vector and a matrix product are. Lesson 10 (attention) helps, but you do not need it. Everything runs on a laptop
# without a network connection. The model is a real, pretrained BERT encoder.

# %%
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import torch
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.labs import LabUnavailable, load_lab
from course_utils.labs.text import best_span, read_texts, split_sentences
from course_utils.methods.embeddings import (
    control_labels,
    cosine_similarity,
    euclidean_distance,
    hidden_states,
    linear_probe,
    mlp_probe,
    project,
    remove_common_component,
)
from course_utils.teach import plots, widgets
from course_utils.exercises import l11_bert_embeddings as exercises

# %% [markdown]
# ## 1 · A puzzle: is 0.8 a lot?
#
# An *apple* can be a fruit, and Apple is a company. Our model is MiniLM, a small BERT encoder that was further trained on pairs of sentences: pairs that belong together were made alike, others unlike. It reads everything in lower case, so both apples are the same word to it. The next cell reads 30 short sentences with an apple of one kind or the other, and keeps the *hidden state* of “apple”: the list of
# 384 numbers that stands for it after each layer. (The function `read` comes back all through the lesson. Section 5 goes on to 210 sentences with ten ambiguous words.)

# %%
lab = load_lab("text", model="encoder")
model = lab.model


def read(lab, texts, batch=16, say=None, form=torch.clone):
    """For each text: its states (layers + 1, tokens, 384), the tokenizer's record of it, and logits if there are any."""
    sizes = lab.tokenize(list(texts))["attention_mask"].sum(dim=1)
    order = sizes.argsort(stable=True).tolist()  # texts of like length share a batch: little padding
    found = [None] * len(texts)
    for first in tqdm(range(0, len(order), batch), desc=say, leave=False, disable=say is None):
        rows = order[first : first + batch]
        tokens = lab.tokenize([texts[i] for i in rows])
        with torch.no_grad():
            outputs = lab.model(**tokens, output_hidden_states=True)
        states = torch.stack(outputs.hidden_states, dim=1).cpu()
        for row, i in enumerate(rows):
            length = int(tokens["attention_mask"][row].sum())  # the rest is padding: cut it off
            logits = [outputs[k][row, :length].cpu() for k in ("start_logits", "end_logits") if k in outputs]
            found[i] = SimpleNamespace(
                states=form(states[row, :, :length]), record=tokens.encodings[row], logits=logits
            )
    return found


def states_of_the_word(readings, records):
    """The place of each sentence's ambiguous word among its tokens, and its states (sentences, layers + 1, 384)."""
    place = [x.record.char_to_token(r["start"]) for x, r in zip(readings, records, strict=True)]
    return place, torch.stack([x.states[:, p] for x, p in zip(readings, place, strict=True)])


words = np.array([r["word"] for r in lab.records])
senses = np.array([r["sense"] for r in lab.records])
apples = np.flatnonzero(words == "apple")  # the first sentences of the list
readings = read(lab, lab.texts[: len(apples)])
place, target = states_of_the_word(readings, lab.records[: len(apples)])
print("states of “apple”:", tuple(target.shape), "= sentences, layers + 1, numbers")

# %% [markdown]
# Take one apple of each kind, after the fourth layer. We measure how alike they are with the *cosine similarity*: 1 means the same direction, 0 means nothing in common. (Section 3 has its formula.)

# %%
LAYER = 4
kind = senses[apples]
here = target[apples, LAYER]
alike = cosine_similarity(here[:, None], here[None])  # every apple with every apple

a, b = np.flatnonzero(kind == "fruit")[0], np.flatnonzero(kind == "company")[0]
print(lab.texts[apples[a]], "|", lab.texts[apples[b]])
print(f"similarity of the two apples after layer {LAYER}: {alike[a, b]:.2f}")

others = alike.clone().fill_diagonal_(-torch.inf)
same = kind[others.argmax(dim=1).numpy()] == kind
print(f"\nof {len(apples)} apples, {same.sum()} have an apple of their own sense as the most similar one")

# %% [markdown]
# One colleague says: "That is close to 1, so the model hardly tells the fruit from the company." The other one looks at the second number and says: "It knows." They have the same states in front of them. Who is right?
#
# Before you answer, look at all pairs of apples, and at pairs of arbitrary words from different sentences without an apple.

# %%
upper = np.triu(np.ones(alike.shape, bool), 1)
one_sense = kind[:, None] == kind[None]
strangers = read(lab, lab.texts[len(apples) :: 6])  # sentences without an apple
strange = torch.cat([x.states[LAYER, 1:-1] for x in strangers])  # all tokens but [CLS] and [SEP]
from_sentence = np.repeat(np.arange(len(strangers)), [x.states.shape[1] - 2 for x in strangers])
one, two = np.random.default_rng(0).integers(len(strange), size=(2, 2000))
one, two = (side[from_sentence[one] != from_sentence[two]] for side in (one, two))

groups = {
    "two arbitrary words": cosine_similarity(strange[one], strange[two]),
    "a fruit and a company": alike[upper & ~one_sense],
    "two apples of one sense": alike[upper & one_sense],
}
figure, ax = plt.subplots(figsize=(8, 2.9))
for (name, values), color in zip(groups.items(), (plots.BASELINE, *plots.COLOURS[1:3]), strict=True):
    ax.hist(values, bins=np.linspace(-0.1, 1, 56), density=True, alpha=0.65, color=color, label=name)
ax.set(xlabel="cosine similarity", yticks=[], ylabel="share of the pairs")
ax.set_title(f"The same number means different things beside different crowds (layer {LAYER})", loc="left")
ax.legend(loc="upper center")
plt.show()
for name, values in groups.items():
    print(f"{name:>24}: {values.mean():.2f}")

# %% [markdown]
# Both are right about something. Compared with arbitrary words (grey), all apples are very much alike: the word itself fills most of its state. Among apples, the senses still separate, because a same-sense pair (green) tends to be more alike
# than a mixed pair (orange). **A similarity means nothing by itself. It needs a crowd to be compared with, and a question.** This lesson is about asking it properly.

# %% [markdown]
# ## 2 · The idea: one vector for each token, rewritten layer by layer
#
# A text is cut into $T$ *tokens* (words or pieces of words; [CLS] and [SEP] mark its start and its end). The encoder holds one vector of $D$ numbers for each token, its *hidden state*, and changes it in each of its $L$ layers (here $D = 384$ and $L = 6$):
#
# - $h^{(0)}_t$ is the state of token $t$ before the first layer, $h^{(\ell)}_t$ its state after layer $\ell$, up to $h^{(L)}_t$.
# - Each layer adds something to the state: first what the attention brings from other tokens, then what a small network makes of it.
#
# Only the attention moves information between tokens. So whatever the state of "apple" knows about its sentence must have come through it. (Lesson 10 takes the attention apart.)

# %%
tokens = lab.tokenize(lab.texts[apples[b]])
states = hidden_states(model, tokens).cpu()
print(tokens.tokens())
print("states:", tuple(states.shape), "= layers + 1, tokens T, numbers D")

# %% [markdown]
# ### The state before the first layer, by hand
#
# It is the sum of three rows from three tables: one for the word $w_t$, one for the position $t$, one for the segment $s_t$ (0 for a question, 1 for its context; 0 everywhere when there is only one text). The sum is scaled to mean 0 and variance 1 over its $D$ numbers (*layer normalisation*, with a learnt factor $\gamma$ and a learnt shift $\beta$ for each number, and a tiny $\varepsilon$ against division by zero):
#
# $$h^{(0)}_t = \text{LayerNorm}\big(E_\text{word}[w_t] + E_\text{position}[t] + E_\text{segment}[s_t]\big), \qquad \text{LayerNorm}(x) = \gamma \cdot \frac{x - \text{mean}(x)}{\sqrt{\text{var}(x) + \varepsilon}} + \beta$$

# %%
tables = model.embeddings
with torch.no_grad():
    ids = tokens["input_ids"][0]
    x = tables.word_embeddings(ids)
    x = x + tables.position_embeddings(torch.arange(len(ids), device=ids.device))
    x = x + tables.token_type_embeddings(tokens["token_type_ids"][0])
    scaled = (x - x.mean(dim=1, keepdim=True)) / torch.sqrt(x.var(dim=1, keepdim=True, correction=0) + 1e-12)
    by_hand = (tables.LayerNorm.weight * scaled + tables.LayerNorm.bias).cpu()
print("largest difference from the model's own:", f"{(by_hand - states[0]).abs().max():.0e}")

# %% [markdown]
# Note what is *not* in it: the other words. At this point, "apple" in any two sentences differs by its position alone.
#
# ### All other states, with hooks
#
# The states after the layers need no trick. A hook on each layer keeps what it puts out.

# %%
kept = []


def keep(module, arguments, output):
    kept.append(output[0] if isinstance(output, tuple) else output)  # some versions return a tuple


handles = [layer.register_forward_hook(keep) for layer in model.encoder.layer]
with torch.no_grad():
    last = model(**tokens).last_hidden_state
for handle in handles:
    handle.remove()
hooked = torch.cat(kept).cpu()
print("from the hooks:", tuple(hooked.shape), "= layers, tokens, numbers")

# %% [markdown]
# How far does a token travel? Here is the similarity of each token's state with its own state before the first layer.

# %%
travelled = cosine_similarity(states, states[:1])
figure, ax = plt.subplots(figsize=(9.5, 3.2))
shown = ax.imshow(travelled, cmap="Blues_r", vmin=0, vmax=1, aspect="auto")
ax.set_xticks(range(states.shape[1]), tokens.tokens(), rotation=40, ha="right")
ax.set(yticks=range(len(states)), ylabel="layer")
ax.spines[:].set_visible(False)
figure.colorbar(shown, ax=ax, label="similarity with layer 0")
ax.set_title("Layer by layer the word's own input fades (darker: less of it is left)", loc="left")
plt.show()

# %% [markdown]
# After the last layer, most words have lost most of their input direction; the two tokens that are the same in every text behave in their own ways, [CLS] at the left and [SEP] at the right. Whether what has come instead is meaning, grammar or something else, this figure does not say.

# %% [markdown]
# ## 3 · Two rulers
#
# For two vectors $a$ and $b$ with $D$ numbers each:
#
# $$d(a, b) = \sqrt{\sum_{i=1}^{D} (a_i - b_i)^2} \qquad\qquad \cos(a, b) = \frac{\sum_i a_i b_i}{\lVert a\rVert\,\lVert b\rVert}, \quad \lVert a\rVert = \sqrt{\textstyle\sum_i a_i^2}$$
#
# The *Euclidean distance* $d$ is 0 for equal vectors and grows. The *cosine similarity* is 1 for equal directions and falls. They run in opposite ways, which is the source of a popular bug: many copied notebooks print $1 - \cos$ and call it a similarity.


# %%
def my_distance(a, b):
    return (a - b).square().sum(dim=-1).sqrt()


def my_similarity(a, b):
    lengths = a.norm(dim=-1) * b.norm(dim=-1)
    return (a * b).sum(dim=-1) / lengths


p, q = target[apples[a], LAYER], target[apples[b], LAYER]
shift = torch.full_like(p, 3.0)  # the same vector, added to both
print("                        distance   similarity")
for name, (x, y) in {
    "the two apples": (p, q),
    "both twice as long": (2 * p, 2 * q),
    "one twice as long": (2 * p, q),
    "both shifted": (p + shift, q + shift),
}.items():
    print(f"{name:>20}  {my_distance(x, y):9.2f}  {my_similarity(x, y):9.2f}")

# %% [markdown]
# Each ruler is blind to something. The similarity does not see lengths. The distance does not see a shift that all vectors share, and the similarity is fooled by it: **if all states have a large common part, all similarities are close to 1.** We will find such a part in section 6.
#
# ### Ten apples, ten by ten
#
# **Predict first**: which of the six layers adds most to the difference between the two senses, compared with the layer before it? Note your answer; section 5 asks for it before it shows the measurement.
#
# Here are ten sentences, five on the fruit, five on the company: a well-known homework experiment. The cell prints them. Compare the two rulers before any layer and after the fourth. (Each matrix has its own scale of blue, so read the numbers, too.)

# %%
ten = np.array([i for i in apples if lab.records[i].get("set") == "apple10"])
ten = ten[np.argsort(senses[ten] != "fruit", kind="stable")]  # the fruit first
names = [f"{senses[i]} {n % 5 + 1}" for n, i in enumerate(ten)]
short = [f"{senses[i][0]}{n % 5 + 1}" for n, i in enumerate(ten)]
for name, i in zip(names, ten, strict=True):
    print(f"{name:>9} | {lab.texts[i]}")
for layer in (0, LAYER):
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.1))
    x = target[ten, layer]
    for ax, title, matrix in (
        (axes[0], "Euclidean distance (blue: far apart)", my_distance(x[:, None], x[None])),
        (axes[1], "cosine similarity (blue: alike)", my_similarity(x[:, None], x[None])),
    ):
        decimals = 1 if matrix.max() > 2 else 2
        plots.matrix_plot(matrix, names, short, title=title, decimals=decimals, ax=ax)
        ax.axhline(4.5, color="white", linewidth=2)
        ax.axvline(4.5, color="white", linewidth=2)
    axes[1].set_yticks([])
    figure.suptitle(
        f"“apple” in ten sentences, {'before the first layer' if layer == 0 else f'after layer {layer}'}"
    )
plt.show()

# %% [markdown]
# Before the first layer, all that differs is the position: sentences with "apple" at the same place have distance 0. After layer 4 two blocks appear, light ones on the left, dark ones on the right. One sentence does not obey: company 2, “The shares of Apple rose …”, is most alike to fruit 1. (Among all 30 apples of section 1 its nearest is a company: it needs a crowd.)
#
# Now all layers at once, on one scale, with the mean similarity inside and between the senses:

# %%
figure, axes = plots.grid(2, 4, ratio=1.08)
is_fruit = senses[ten] == "fruit"
mixed = is_fruit[:, None] != is_fruit[None]
within, across = [], []
for layer, ax in zip(range(len(states)), axes.flat, strict=False):
    x = target[ten, layer]
    matrix = cosine_similarity(x[:, None], x[None])
    within.append(matrix[~mixed & ~np.eye(10, dtype=bool)].mean())
    across.append(matrix[mixed].mean())
    shown = ax.imshow(matrix, cmap="Blues", vmin=0.5, vmax=1)
    ax.set_title(f"layer {layer}: {within[-1]:.2f} inside, {across[-1]:.2f} between", fontsize=9.5)
    ax.axhline(4.5, color="white", linewidth=1.5)
    ax.axvline(4.5, color="white", linewidth=1.5)
ax = axes[1, 3]
ax.set(
    xticks=range(len(states)), yticks=[0.7, 0.8, 0.9, 1.0], ylim=(0.68, 1.06), xlabel="layer", box_aspect=0.8
)
ax.spines[["left", "bottom"]].set_visible(True)
ax.plot(within, "o-", color=plots.COLOURS[2], label="inside a sense")
ax.plot(across, "s-", color=plots.COLOURS[1], label="between")
ax.legend(fontsize=9, loc="upper right", borderaxespad=0)
ax.set_title("mean similarity", fontsize=9.5)
plt.show()

# %% [markdown]
# Two dark squares on the diagonal of a matrix mean that the senses separate. You see them in every picture but the first. But ten sentences are few, and you can *see* two squares in almost anything when you know where they should be. Section 5 makes it a measurement.

# %% [markdown]
# ## 4 · The proof: four libraries and an identity
#
# Before we build on our rulers, we compare them with PyTorch's and SciPy's, the states with transformers' own, and the projection that we will use later (principal component analysis, PCA; section 8 shows it in four lines) with scikit-learn's. The last row is an identity: for vectors
# of length 1, $d^2 = 2 - 2\cos$, so both rulers then say the same.

# %%
# NBVAL_CHECK_OUTPUT
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

with torch.no_grad():
    theirs = model(**tokens, output_hidden_states=True)
u, v = target[ten, LAYER].double(), target[ten, 2].double()
size = states[0].norm(dim=1).mean()  # the usual length of a state
of_length_1 = u / u.norm(dim=1, keepdim=True)
judge.agreement_table(
    [
        ("embeddings by hand", states[0] / size, by_hand / size, "layer 0, in units of a state's length"),
        ("forward hooks", states[1:], hooked, "layers 1 to 6"),
        ("transformers", states, torch.cat(theirs.hidden_states).cpu(), "output_hidden_states=True"),
        ("last_hidden_state", states[-1], last[0].cpu(), "the last state is the output"),
        ("torch.cdist", my_distance(u[:, None], v[None]), torch.cdist(u, v), "Euclidean"),
        ("scipy cdist", euclidean_distance(u[:, None], v[None]), cdist(u, v), "Euclidean"),
        (
            "torch cosine_similarity",
            my_similarity(u[:, None], v[None]),
            torch.cosine_similarity(u[:, None], v[None], dim=2),
            "similarity",
        ),
        (
            "scipy cdist, cosine",
            cosine_similarity(u[:, None], v[None]),
            1 - cdist(u, v, "cosine"),
            "1 − its distance",
        ),
        (
            "scikit-learn PCA",
            project(strange[:300].double(), 2),
            PCA(2, svd_solver="full").fit_transform(strange[:300].double()),
            "sign: largest entry positive",
        ),
        (
            "identity",
            my_distance(of_length_1[:, None], of_length_1[None]).square(),
            2 - 2 * my_similarity(u[:, None], u[None]),
            "unit vectors: d² = 2 − 2 cos",
        ),
    ]
)

# %% [markdown]
# Look at the row "scipy cdist, cosine": SciPy's `cosine` is a *distance*. Whoever takes it for the similarity turns every result upside down, and whoever writes $1 - \cos$ with PyTorch's similarity does the same the other way round.

# %% [markdown]
# ## 5 · The score: does a layer know the sense?
#
# Two numbers answer it. Both look at one word at a time.
#
# - **Separation**: draw one pair of sentences of the same sense and one pair of different senses. How often is the first pair more alike? 0.5 is guessing, 1 is perfect. (It looks at the order of the similarities only, so their scale does not matter. Where you know ROC curves: it is the area under one.)
# - **Neighbour**: does the most similar *other* sentence have the same sense? One yes or no for each sentence.
#
# Ten apples are few. So the next cell reads all 210 sentences: ten ambiguous words, each in two senses. It computes the separation of each word in each layer, and does not show it yet.


# %%
def all_similarities(x, y):
    """The cosine similarity of each row of x with each row of y, as one product of matrices: it saves memory."""
    return (x / x.norm(dim=-1, keepdim=True)) @ (y / y.norm(dim=-1, keepdim=True)).transpose(-1, -2)


def separation(x, senses):
    """How often is a same-sense pair more alike than a mixed-sense pair? All pairs of pairs are compared."""
    alike = all_similarities(x, x)
    upper = torch.triu(torch.ones_like(alike), 1).bool()
    same = torch.from_numpy(senses[:, None] == senses[None])
    inside, mixed = alike[upper & same], alike[upper & ~same]
    wins = (inside[:, None] > mixed[None]).float() + 0.5 * (inside[:, None] == mixed[None]).float()
    return wins.mean().item()


def neighbour_right(x, senses):
    """For each row: has its nearest other row the same sense?"""
    alike = all_similarities(x, x).fill_diagonal_(-torch.inf)
    return senses[alike.argmax(dim=1).numpy()] == senses


def over_words(function, x, **options):
    """Apply a function to the sentences of each ambiguous word, one word after the other."""
    which = [np.flatnonzero(words == w) for w in dict.fromkeys(words)]
    return np.concatenate([np.atleast_1d(function(x[i], senses[i], **options)) for i in which])


readings += read(lab, lab.texts[len(apples) :])
place, target = states_of_the_word(readings, lab.records)
separations = {layer: over_words(separation, target[:, layer]) for layer in range(len(states))}
print(", ".join(f"{w} ({' / '.join(dict.fromkeys(senses[words == w]))})" for w in dict.fromkeys(words)))

# %% [markdown]
# ### Exercise: predict, then run
#
# What did you predict in section 3: which layer adds most to the separation of the senses, compared with the layer before it? Write its number, then run the check, which computes the right answer from *your* run (`exercises.layer_that_adds_most.hint()` gives a hint). Only then look on.

# %% exercise="layer_that_adds_most"
answer = None  # for example 3
# BEGIN SOLUTION
answer = max(range(1, len(separations)), key=lambda n: separations[n].mean() - separations[n - 1].mean())
# END SOLUTION

# %%
exercises.layer_that_adds_most.check(answer, separations)

# %% [markdown]
# ### The separation, layer by layer
#
# Behind a mean you will see a *95 % bootstrap interval*: draw the items again with replacement, 2000 times, take the mean each time, and give the range that holds the middle 95 % of these means. It says how much the mean would vary with other items of the same kind. Where two means come from the *same* items, we take the difference item by item first, and then its interval.

# %%
figure, ax = plt.subplots(figsize=(10, 4.4))
plots.matrix_plot(
    np.stack(list(separations.values()), axis=1),
    list(dict.fromkeys(words)),
    [f"layer {layer}" for layer in separations],
    title="Separation of the two senses of ten words (0.5: guessing)",
    ax=ax,
)
plt.show()
for layer, values in separations.items():
    low, high = judge.bootstrap_interval(values)
    line = f"layer {layer}: {values.mean():.2f} (95 % over ten words: {low:.2f} to {high:.2f})"
    if layer > 0:  # the step from the layer before, word by word
        step = values - separations[layer - 1]
        low, high = judge.bootstrap_interval(step)
        line += f"; step {step.mean():+.3f} ({low:+.3f} to {high:+.3f})"
    print(line)

# %% [markdown]
# The first layer already does most of the work. The intervals of the layers overlap, because the words differ so much. But the *steps*, taken word by word, are sharper: the separation rises clearly up to the third layer, the step to the fourth is small (its interval begins at about 0), and after it nothing is gained. The words differ more than the layers do: some (apple, spring) separate well, others (crane, seal) less so.
#
# The second score has 210 items. Beside the layers stand five rivals:
# - **bag of words**: sentences are alike when they share rare words. (TF-IDF: each text is the list of its word counts, and a word counts the less, the more texts it stands in. The ambiguous word is left out.) It knows no order and no meaning.
# - **bag of vectors**: the mean of the states *before* the first layer. It knows what single words mean, but nothing has been passed between them.
# - **untrained BERT**: the same network with random weights, last layer. It mixes the words of a sentence, but has learnt nothing.
# - **Euclid, layer 6**: the other ruler.
# - **guessing**: the share that a random other sentence gets right.

# %%
from sklearn.feature_extraction.text import TfidfVectorizer
from transformers import BertModel

with torch.random.fork_rng(devices=[]):
    torch.manual_seed(0)
    untrained = BertModel(model.config, add_pooling_layer=False).eval().to(lab.device)
untrained_lab = SimpleNamespace(model=untrained, tokenize=lab.tokenize)
untrained_target = torch.stack(
    [x.states[:, p] for x, p in zip(read(untrained_lab, lab.texts), place, strict=True)]
)

without_word = [r["text"][: r["start"]] + r["text"][r["end"] :] for r in lab.records]
bag = torch.from_numpy(TfidfVectorizer().fit_transform(without_word).toarray())
last_layer = len(states) - 1


def neighbour_by_distance(x, senses):
    return (
        senses[euclidean_distance(x[:, None], x[None]).fill_diagonal_(torch.inf).argmin(1).numpy()] == senses
    )


def guess(x, senses):
    same = senses[:, None] == senses[None]
    return (same.sum(axis=1) - 1) / (len(senses) - 1)


neighbours = {f"layer {layer}": over_words(neighbour_right, target[:, layer]) for layer in separations}
rivals = {
    f"Euclid, layer {last_layer}": over_words(neighbour_by_distance, target[:, last_layer]),
    "bag of words": over_words(neighbour_right, bag),
    "bag of vectors": over_words(neighbour_right, torch.stack([x.states[0].mean(dim=0) for x in readings])),
    "untrained BERT": over_words(neighbour_right, untrained_target[:, last_layer]),
    "guessing": over_words(guess, bag),
}
plots.score_plot(
    neighbours | rivals,
    sort=False,
    baselines=["bag of words", "bag of vectors", "untrained BERT", "guessing"],
    xlabel="share of sentences whose nearest neighbour has the same sense",
    title=f"{len(words)} sentences (bars: 95 % bootstrap interval)",
)
plt.show()
step = neighbours["layer 5"].astype(float) - neighbours["layer 3"]
low, high = judge.bootstrap_interval(step)
print(f"sentence by sentence, layer 5 less layer 3: {step.mean():+.3f} (95 %: {low:+.3f} to {high:+.3f})")

# %% [markdown]
# Read it with care:
# - before the first layer the states know nothing of the sense, and neither does the untrained network;
# - the bands of the layers from the third on overlap, but the sentences are the same: taken sentence by sentence, layer 5 is better than layer 3 (printed; we chose these two after seeing the plot). The two rulers agree.
# - the bag of words is better than guessing, and the bag of vectors as good as the first layers. Much of what looks like understanding the sentence is knowing its single words, such as "tree" or "phone". Only the later layers are clearly beyond it.
#
# ### Not only the word itself
#
# The sense is a property of the sentence, so other tokens might carry it too. Here is the same score for the token [CLS] in front, the full stop at the end, the token after the ambiguous word, and the mean of all tokens.

# %%
after = [min(p + 1, x.states.shape[1] - 1) for x, p in zip(readings, place, strict=True)]
stop = [x.states.shape[1] - 2 for x in readings]
tokens_tried = {
    "the word itself": target,
    "the token after it": torch.stack([x.states[:, i] for x, i in zip(readings, after, strict=True)]),
    "the last token (mostly “.”)": torch.stack([x.states[:, i] for x, i in zip(readings, stop, strict=True)]),
    "[CLS]": torch.stack([x.states[:, 0] for x in readings]),
    "mean of all tokens": torch.stack([x.states.mean(dim=1) for x in readings]),
}


def layer_curves(ax, curves, band=True):
    """One line a name over the layers, (N, layers + 1) values each, with a 95 % bootstrap band of the mean."""
    for (name, values), color, marker in zip(curves.items(), plots.COLOURS, "osD^vP*X", strict=False):
        values = np.asarray(values, dtype=float)
        ax.plot(values.mean(axis=0), marker=marker, color=color, label=name, markersize=5)
        if band:
            low, high = np.array([judge.bootstrap_interval(column) for column in values.T]).T
            ax.fill_between(range(values.shape[1]), low, high, color=color, alpha=0.13, linewidth=0)
    ax.set(xlabel="layer", xticks=range(values.shape[1]))
    ax.grid(axis="y", color="#d9dde0", linewidth=0.8)


by_token = {
    name: np.stack([over_words(neighbour_right, x[:, layer]) for layer in separations], axis=1)
    for name, x in tokens_tried.items()
}
figure, ax = plt.subplots(figsize=(9.5, 3.6))
layer_curves(ax, by_token)
ax.axhline(rivals["guessing"].mean(), color=plots.BASELINE, linestyle=":")
ax.set(ylim=(0.35, 1.0), ylabel="same sense as the\nnearest neighbour")
ax.set_title("All five learn something of the sense (dotted: guessing)", loc="left")
ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# The word itself learns most quickly: one layer, and it has caught up with the mean of all input vectors. The other tokens learn it too, later and mostly less well; [CLS] comes close to the word in layer 5 and falls back.
#
# A caution that holds for all of this: "the layer knows the sense" means that *you* can read it from the states. It does not mean that the model uses it for anything.

# %% [markdown]
# ## 6 · The narrow cone: anisotropy
#
# In section 1, arbitrary words were not at similarity 0 as random directions would be. When states share a common part, they fill a narrow cone, and every similarity is too high. This is called *anisotropy* (Ethayarajh, 2019). A cure is to take the common part away (Mu and Viswanath, 2018): subtract the mean of many
# states, $\bar h$, then also their strongest direction $v$ (a vector of length 1, the first *principal direction*: along it the centred states differ most; section 8 computes it in four lines):
#
# $$\tilde h = (h - \bar h) - \big((h - \bar h)\cdot v\big)\,v$$

# %%
everything = torch.cat([x.states[:, 1:-1] for x in readings], dim=1)  # all tokens but [CLS] and [SEP]
random_pairs = torch.randint(everything.shape[1], (2, 2000), generator=torch.Generator().manual_seed(0))
i, j = random_pairs
cures = {
    "as they are": lambda x: x,
    "mean removed": lambda x: x - x.mean(dim=0),
    "mean and strongest direction removed": lambda x: remove_common_component(x, 1),
}
starts = np.cumsum([0] + [x.states.shape[1] - 2 for x in readings[:-1]])
where = torch.as_tensor(starts + np.array(place) - 1)  # where the ambiguous words stand in `everything`

figure, axes = plt.subplots(1, 2, figsize=(10, 3.5))
mean_alike, cured_neighbours = {}, {}
for name, cure in cures.items():
    cured = [cure(everything[layer]) for layer in separations]
    mean_alike[name] = [cosine_similarity(x[i], x[j]).mean().item() for x in cured]
    cured_neighbours[name] = np.stack([over_words(separation, x[where]) for x in cured], axis=1)
for (name, values), color, marker in zip(mean_alike.items(), plots.COLOURS, "osD", strict=False):
    axes[0].plot(values, marker=marker, color=color, label=name)
axes[0].set(xlabel="layer", ylabel="mean similarity", ylim=(-0.03, 0.4))
axes[0].set_title("Two arbitrary words", loc="left")
axes[0].legend(fontsize=9, loc="upper left")
layer_curves(axes[1], cured_neighbours)
axes[1].set(ylabel="separation", ylim=(0.45, 0.95))
axes[1].set_title("Do the senses separate better?", loc="left")
plt.show()

both_removed = cured[LAYER]  # the last of the three cures
of_apples = all_similarities(both_removed[where[apples]], both_removed[where[apples]])
print(
    f"layer {LAYER}, cured: arbitrary words {cosine_similarity(both_removed[i], both_removed[j]).mean():.2f}, a fruit and a company "
    f"{of_apples[upper & ~one_sense].mean():.2f}, two apples of one sense {of_apples[upper & one_sense].mean():.2f}\n"
)

share = everything.square().mean(dim=1)
share = share / share.sum(dim=1, keepdim=True)
top = share.max(dim=1)
print("share of the squared length that the strongest of the 384 numbers holds, layer by layer:")
print(
    ", ".join(f"{100 * s:.0f} % (number {n})" for s, n in zip(top.values, top.indices.tolist(), strict=True))
)

# %% [markdown]
# Left: the cone is there, grows up to layer 5, and subtracting the mean closes it. It is mild (in the upper layers of GPT-2, Ethayarajh found arbitrary words nearly parallel), and is nearly gone after layer 6. A likely reason: this encoder was trained to make sentences that mean different things *dissimilar*, and that training acts on the last layer first.
#
# Right: a disappointment worth having. The separation hardly changes: the three curves lie on one another. It compares similarities with one another, and a common part raises them all alike. **The correction makes the numbers readable; it does not add knowledge.** After it, arbitrary words are at 0, as one would expect (the first print, for the puzzle of section 1).
#
# The second print says where some of the common part sits: a single one of the 384 numbers holds far more than its share of 0.3 %. Timkey and van Schijndel (2021) call such numbers *rogue dimensions*.

# %% [markdown]
# ## 7 · Where does the sense come from? Context moved away word by word
#
# The state before the first layer knows nothing, so the sense must come from the other words. Take them away and watch it go. For a sentence, let $h$ be the state of its ambiguous word after layer 4, $m$ the mean of such states in the *other* sentences of the same sense, and $m'$ the mean in the sentences of the other sense. Our score is
#
# $$s = \cos(h, m) - \cos(h, m').$$
#
# Positive means: the state lies closer to its own sense. First one sentence, in which [MASK], BERT's token for a hidden word, takes the place of the other words, the nearest first.

# %%
MASK = lab.tokenizer.mask_token_id


def read_ids(rows, positions, batch=64):
    """The states (N, layers + 1, D) of one token in each list of token ids."""
    order = sorted(range(len(rows)), key=lambda n: len(rows[n]))
    found = torch.empty(len(rows), model.config.num_hidden_layers + 1, model.config.hidden_size)
    for first in range(0, len(rows), batch):
        part = order[first : first + batch]
        ids = torch.zeros(len(part), len(rows[part[-1]]), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for n, i in enumerate(part):
            ids[n, : len(rows[i])], mask[n, : len(rows[i])] = torch.tensor(rows[i]), 1
        with torch.no_grad():
            out = model(
                input_ids=ids.to(lab.device), attention_mask=mask.to(lab.device), output_hidden_states=True
            )
        here = torch.tensor([positions[i] for i in part])
        found[part] = torch.stack(out.hidden_states, dim=1).cpu()[torch.arange(len(part)), :, here]
    return found


def sense_score(h, sentence):
    """s of a state (D,) of layer LAYER that stands for the word of this sentence."""
    rest = (words == words[sentence]) & (np.arange(len(words)) != sentence)
    own = target[rest & (senses == senses[sentence]), LAYER].mean(dim=0)
    other = target[rest & (senses != senses[sentence]), LAYER].mean(dim=0)
    return (cosine_similarity(h, own) - cosine_similarity(h, other)).item()


def masked(sentence, n, order):
    """The sentence's ids with n other words masked: the nearest first, or the farthest first."""
    ids, p = list(readings[sentence].record.ids), place[sentence]
    ids = ids[: readings[sentence].states.shape[1]]  # without padding
    rest = sorted((t for t in range(1, len(ids) - 1) if t != p), key=lambda t: abs(t - p))
    for t in (rest if order == "nearest first" else rest[::-1])[:n]:
        ids[t] = MASK
    return ids


example = int(apples[kind == "company"][4])
steps = [masked(example, n, "nearest first") for n in range(len(readings[example].states[0]) - 2)]
scores = [sense_score(h, example) for h in read_ids(steps, [place[example]] * len(steps))[:, LAYER]]
figure, ax = plt.subplots(figsize=(10, 4.0))
ax.barh(range(len(steps)), scores, color=[plots.COLOURS[1] if s > 0 else plots.BASELINE for s in scores])
labels = [" ".join("__" if t == MASK else lab.tokenizer.decode([t]) for t in ids[1:-1]) for ids in steps]
ax.set_yticks(range(len(steps)), labels, fontsize=9)
ax.invert_yaxis()
ax.axvline(0, color=plots.INK, linewidth=0.8)
ax.set(xlabel="s: closer to the company (right) or to the fruit (left)")
ax.set_title("One word of context after the other is masked (__)", loc="left")
plt.show()
print(f"all of it: s = {scores[0]:+.2f}; with everything else masked: {scores[-1]:+.2f}\n")

bare = read_ids([masked(i, 99, "nearest first") for i in apples], [place[i] for i in apples])[:, LAYER]
lean = np.array([sense_score(h, i) for h, i in zip(bare, apples, strict=True)])
for which in ("fruit", "company"):
    to_fruit = (lean[kind == which] > 0) == (which == "fruit")
    print(f"{which} sentences, all else masked: {to_fruit.sum()} of {len(to_fruit)} lean to the fruit")

# %% [markdown]
# Below “app” the bar changes sides: with this word masked too, the rest says “fruit”. With every other word masked, a small lean to the fruit is left, and the print shows the same for most apples, whichever sense their sentence had. (Among them, only the number of masks and the place of the word differ.) So a lean can be there without any context.
#
# Now 53 sentences from all ten words, and two orders: the nearest words first, or the farthest first. (The full stop counts as a word here.)

# %%
some = np.arange(0, len(words), 4)
amounts = [0, 1, 2, 4, 8]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.5))
by_order = {}
for order, color, marker in zip(("nearest first", "farthest first"), plots.COLOURS, "os", strict=False):
    rows = [masked(i, n, order) for i in some for n in amounts]
    at = [place[i] for i in some for n in amounts]
    h = read_ids(rows, at)[:, LAYER]
    values = np.array([sense_score(x, i) for x, i in zip(h, np.repeat(some, len(amounts)), strict=True)])
    values = by_order[order] = values.reshape(len(some), len(amounts))
    for ax, numbers in zip(axes, (values, values > 0), strict=True):
        low, high = np.array([judge.bootstrap_interval(column) for column in numbers.T.astype(float)]).T
        ax.plot(amounts, numbers.mean(axis=0), marker=marker, color=color, label=order)
        ax.fill_between(amounts, low, high, color=color, alpha=0.15, linewidth=0)
        ax.set(xlabel="context words masked")
axes[0].set(ylabel="s")
axes[0].set_title("The sense fades…", loc="left")
axes[0].axhline(0, color=plots.BASELINE, linestyle=":")
axes[1].set(ylabel="share with s > 0", ylim=(0.3, 1))
axes[1].axhline(0.5, color=plots.BASELINE, linestyle=":")
axes[1].set_title("… faster when the near words go first", loc="left")
axes[0].legend()
plt.show()
print("sentence by sentence: s with the farthest words masked, less s with the nearest masked")
for n, difference in zip(
    amounts[1:], (by_order["farthest first"] - by_order["nearest first"]).T[1:], strict=True
):
    low, high = judge.bootstrap_interval(difference)
    print(f"{n} masked: {difference.mean():+.3f} (95 %: {low:+.3f} to {high:+.3f})")

# %% [markdown]
# The sense fades in both orders, and faster when the near words go first. The bands overlap, but both orders use the same sentences: taken sentence by sentence, the difference is clear of 0 at every amount (printed). At eight it is small; do not lean on it.
#
# When eight words are masked, the mean is near zero and the share near guessing: with so little context left the state can hardly tell which of the two sentences it stands in. It need not lie in the middle, as you saw with the bare “apple”. For “apple” the lean was much the same for both senses; if that holds for the other words (not shown here), it cancels in the mean.
#
# ### The clue moved away
#
# Masking takes the clue away. What if the clue stays, but far off? We put a sentence of one sense in front (its ambiguous word masked), then more and more neutral sentences, then "Then someone mentioned the apple."

# %%
FILLER = "We talked for a while, and nothing else happened that day. "
clues = np.concatenate(
    [
        np.flatnonzero((words == w) & (senses == s))[:2]
        for w, s in dict.fromkeys(zip(words, senses, strict=True))
    ]
)
fillers = [0, 1, 4]
distance, moved = [], []
for k in tqdm(fillers, desc="moving the clue away", leave=False):
    rows, at = [], []
    for i in clues:
        r = lab.records[i]
        clue = f"{r['text'][: r['start']]}[MASK]{r['text'][r['end'] :]} "
        text = f"{clue}{FILLER * k}Then someone mentioned the {r['word']}."
        record = lab.tokenizer(text)
        rows.append(record["input_ids"])
        at.append(record.char_to_token(text.rindex(r["word"])))
    distance.append(np.mean([len(row) for row in rows]))
    moved.append(
        [sense_score(h, i) for h, i in zip(read_ids(rows, at, batch=16)[:, LAYER], clues, strict=True)]
    )
moved = np.array(moved).T
figure, ax = plt.subplots(figsize=(7, 3.0))
low, high = np.array([judge.bootstrap_interval(column) for column in moved.T]).T
ax.plot(distance, moved.mean(axis=0), "o-")
ax.fill_between(distance, low, high, alpha=0.15, linewidth=0)
ax.axhline(0, color=plots.BASELINE, linestyle=":")
ax.set(xlabel="mean length of the text, in tokens", ylabel="s")
ax.set_title(f"{len(clues)} clues, up to {max(fillers)} neutral sentences between clue and word", loc="left")
plt.show()
print(
    "share of clues with s > 0:",
    ", ".join(
        f"{k} sentences {share:.2f}" for k, share in zip(fillers, (moved > 0).mean(axis=0), strict=True)
    ),
)

# %% [markdown]
# The clue is still felt across four sentences, only weaker. What would happen over a hundred sentences, this figure does not tell.

# %% [markdown]
# ## 8 · A question, a passage, and seven pictures
#
# The same encoder was fine-tuned to answer questions: it reads a question and a passage as one text, and marks where in the passage the answer starts and ends. Betty van Aken and others (2019) looked at the states of such models layer by layer, and told a story in four stages:
#
# 1. **Meaning**: tokens of like meaning gather.
# 2. **Relations**: names gather with what is said about them.
# 3. **Matching**: the question meets the part of the passage that holds the answer.
# 4. **Extraction**: the answer leaves all other tokens.
#
# (The words are ours; the paper speaks of topical clusters, of entities connected with mentions and attributes, of the question matched with supporting facts, and of answer extraction.) Here are 56 passages with one question each: the 32 held-out ones, and 24 that the model was trained on.

# %%
qa = load_lab("text", model="qa")
passages = [*read_texts("passages_heldout"), *read_texts("passages")[:24]]
held_out = np.arange(len(passages)) < len(read_texts("passages_heldout"))
asked = [p["qas"][n % len(p["qas"])] for n, p in enumerate(passages)]
pairs = [(question["question"], p["context"]) for question, p in zip(asked, passages, strict=True)]
tuned = read(qa, pairs, say="the fine-tuned model reads")
plain = read(lab, pairs, say="the plain encoder reads")
del qa  # the states and logits are all we need of it


def covered(reading, spans):
    """The tokens of the passage that overlap one of the spans of characters (start, end)."""
    sides, places = reading.record.sequence_ids, reading.record.offsets
    return np.array(
        [
            t
            for t in range(reading.states.shape[1])
            if sides[t] == 1 and any(places[t][0] < end and places[t][1] > start for start, end in spans)
        ],
        dtype=int,
    )


def span(question):
    answer = question["answers"][0]
    return answer["answer_start"], answer["answer_start"] + len(answer["text"])


parts = []  # for each pair: which tokens are question, context, answer, and answers to other questions
for reading, question, p in zip(tuned, asked, passages, strict=True):
    sides = np.array([-1 if s is None else s for s in reading.record.sequence_ids[: reading.states.shape[1]]])
    answer = covered(reading, [span(question)])
    other = covered(reading, [span(x) for x in p["qas"] if x is not question])
    parts.append(
        SimpleNamespace(
            question=np.flatnonzero(sides == 0),
            passage=np.flatnonzero(sides == 1),
            answer=answer,
            context=np.setdiff1d(np.flatnonzero(sides == 1), answer),
            other=np.setdiff1d(other, answer),
        )
    )

chosen = []  # what the model answers: first token, last token, probability
for reading, part in zip(tuned, parts, strict=True):
    in_passage = torch.zeros(reading.states.shape[1], dtype=torch.bool)
    in_passage[part.passage] = True
    chosen.append(best_span(*reading.logits, in_passage))
hit = np.array(
    [
        np.intersect1d(np.arange(s, e + 1), part.answer).size > 0
        for (s, e, _), part in zip(chosen, parts, strict=True)
    ]
)
for name, rows in (("held out", held_out), ("trained on", ~held_out)):
    low, high = judge.bootstrap_interval(hit[rows].astype(float))
    print(
        f"{name:>10}: the model's answer overlaps the right one in {hit[rows].mean():.2f} (95 %: {low:.2f} to {high:.2f})"
    )

# %% [markdown]
# The held-out questions are hard, since they use other words than the passage, and the model is small: keep in mind that it often fails on them. For the pictures we take the held-out question that it answers with most confidence among those it gets right.

# %%
best = max(np.flatnonzero(held_out & hit), key=lambda i: chosen[i][2])
print("question:", pairs[best][0])
print("passage: ", pairs[best][1])
start, end = span(asked[best])
print("answer:  ", pairs[best][1][start:end])

# %% [markdown]
# To draw 384 numbers on paper, we look at them along the two directions in which the tokens differ most. That is *principal component analysis* (PCA): centre the states, take the singular value decomposition, keep the first two directions. Four lines:

# %%
x = tuned[best].states[3, 1:-1]
centred = x - x.mean(dim=0)
U, S, V = torch.linalg.svd(centred, full_matrices=False)
plane = centred @ V[:2].T
print(
    "on paper:",
    tuple(plane.shape),
    "| share of the spread (variance) that survives:",
    f"{(S[:2].square().sum() / S.square().sum()):.2f}",
)

# %% [markdown]
# Remember the last number: most of what separates the tokens is *not* on the paper. (The course's `project` does the same and fixes the signs.)

# %%
LOOKS = {
    "context": ("o", plots.COLOURS[5], 14),
    "question": ("^", plots.COLOURS[1], 42),
    "answer": ("*", plots.COLOURS[2], 120),
}


def draw_tokens(ax, points, part, labels=None):
    """The tokens of a question and its passage; the answer gets labels if there are any."""
    for name, (marker, color, size) in LOOKS.items():
        where = getattr(part, name)
        ax.scatter(*points[where].T, marker=marker, s=size, color=color, label=name, alpha=0.9, linewidths=0)
    if labels is not None:
        for t in part.answer:
            ax.annotate(labels[t], points[t], xytext=(6, 3), textcoords="offset points", fontsize=9)
    ax.set(xticks=[], yticks=[])


def on_paper(reading, part, layer):
    """The tokens without [CLS] and [SEP] along their first two principal directions, and the share that survives."""
    inner = np.concatenate([part.question, part.passage])
    x = reading.states[layer, inner]
    points = np.full((reading.states.shape[1], 2), np.nan)
    points[inner] = project(x)
    left = points[inner].var(axis=0).sum() / x.var(dim=0, correction=0).sum().item()
    return points, left


figure, axes = plt.subplots(2, 4, figsize=(10, 5.2))
for layer, ax in zip(range(len(states)), axes.flat, strict=False):
    points, left = on_paper(tuned[best], parts[best], layer)
    draw_tokens(ax, points, parts[best])
    ax.set_title(f"layer {layer} ({100 * left:.0f} % of the spread)", fontsize=10)
axes[1, 3].legend(*axes[0, 0].get_legend_handles_labels(), loc="center", fontsize=12)
axes[1, 3].axis("off")
figure.suptitle("One question, one passage, the fine-tuned model: PCA of each layer on its own")
plt.show()

for layer in (4, last_layer):  # who is near the answer on paper?
    points, _ = on_paper(tuned[best], parts[best], layer)
    centre = points[parts[best].answer].mean(axis=0)
    away = np.linalg.norm(points - centre, axis=1)
    away[parts[best].answer] = np.inf
    nearest = np.argsort(np.where(np.isnan(away), np.inf, away))[:14]
    print(f"layer {layer}, nearest to the answer:", " ".join(tuned[best].record.tokens[t] for t in nearest))

# %% [markdown]
# What to see: up to layer 4 the answer (stars) lies at one edge of the cloud. The print tells among whom: pieces of names and titles. So a trace of stage 1 is here, if you label the points. In the last two layers most of the answer's tokens walk away, a few tokens of the context with them. That stage one sees at once. The second and the third
# are not visible here, or you would need to know where to look, and that is a bad sign for a picture. We will measure them in section 9.
#
# ### The same with t-SNE, and its warning
#
# t-SNE is another way to put vectors on paper. It tries to keep *neighbours* together and gives up large distances. It has two buttons: the *perplexity* (about how many neighbours each point should mind) and the random start (the *seed*). Below is one layer, five times; the sixth picture is not BERT, it shows random numbers of the same shape.

# %%
from sklearn.manifold import TSNE

inner = np.concatenate([parts[best].question, parts[best].passage])
x = tuned[best].states[4, inner].numpy()
noise = np.random.default_rng(0).normal(size=x.shape)
settings = [(2, 0, x), (5, 0, x), (15, 0, x), (15, 1, x), (15, 2, x), (2, 0, noise)]
figure, axes = plt.subplots(2, 3, figsize=(10, 5.6))
upper_ = np.triu_indices(len(inner), 1)
drawn_distances, kept = [], []


def neighbours_kept(drawn, k=5):
    """Share of the k nearest tokens in the full space that are among the k nearest on paper."""
    near, near_drawn = (np.argsort(cdist(v, v), axis=1)[:, 1 : k + 1] for v in (x, drawn))
    return np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(near, near_drawn, strict=True)])


for ax, (perplexity, seed, data) in zip(axes.flat, settings, strict=True):
    drawn = TSNE(perplexity=perplexity, init="random", random_state=seed, max_iter=500).fit_transform(data)
    points = np.full((tuned[best].states.shape[1], 2), np.nan)
    points[inner] = drawn
    of_bert = data is x
    if of_bert:
        draw_tokens(ax, points, parts[best])
        drawn_distances.append(cdist(drawn, drawn)[upper_])
        kept.append(neighbours_kept(drawn))
    else:
        ax.scatter(*drawn.T, s=14, color=plots.BASELINE)
        ax.set(xticks=[], yticks=[])
    ax.set_title(
        f"{'layer 4' if of_bert else 'random numbers'}: perplexity {perplexity}, seed {seed}", fontsize=10
    )
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=10)
plt.show()


def agree(one, two):
    """Rank correlation of the distances between all pairs of tokens."""
    return judge.rank_correlation(torch.tensor(one)[None], torch.tensor(two)[None]).item()


true_distances = cdist(x, x)[upper_]
print("do the distances of all pairs come in the same order? (1: yes, 0: nothing in common)")
print(
    "five pictures, each with the full space:", [round(agree(d, true_distances), 2) for d in drawn_distances]
)
print(
    "perplexity 15, seed 0 with seeds 1 and 2:",
    [round(agree(drawn_distances[2], d), 2) for d in drawn_distances[3:]],
)
on_pca = np.asarray(project(tuned[best].states[4, inner]))
print(f"beside them, PCA with the full space: {agree(cdist(on_pca, on_pca)[upper_], true_distances):.2f}")
print(
    "share of the five nearest neighbours kept: t-SNE",
    [round(float(v), 2) for v in kept],
    f"PCA {neighbours_kept(on_pca):.2f}",
)

# %% [markdown]
# Five pictures of the same states. Strings and clumps come and go with the perplexity, the whole picture turns over with the seed, and at perplexity 2 pure noise (grey, last picture) falls into clumps just as BERT's states do at the same perplexity (first picture). The print compares all distances: those on paper agree only partly with the full space, and two seeds agree only partly with one another. PCA stands beside them, and the last line counts how many neighbours each picture keeps. So: **no distance between islands, no size of an
# island and no number of islands in a t-SNE picture is evidence.** (Wattenberg and others, 2016, show many more examples.) Use it to find ideas, and measure in the full space.

# %% [markdown]
# ## 9 · The four stages, measured
#
# First the distances that the pictures suggest, in all 384 dimensions and for all 56 passages. Layers have different scales, so each distance is divided by the mean distance of two tokens of the passage in the same layer: 1 means "as far as two words of the passage usually are". The fine-tuned model stands beside the plain encoder, which has never seen
# a question with a passage.


# %%
def mean_distances(reading, part):
    """Per layer: answer to question, answer to context, question to context, other answers to context."""
    d = torch.cdist(reading.states, reading.states)
    n = len(part.passage)
    usual = d[:, part.passage][:, :, part.passage].sum(dim=(1, 2)) / (n * (n - 1))

    def between(one, two):
        return (d[:, one][:, :, two].mean(dim=(1, 2)) / usual).numpy()

    calm = np.setdiff1d(part.context, part.other)
    return [
        between(part.answer, part.question),
        between(part.answer, part.context),
        between(part.question, part.context),
        between(part.other, calm),
    ]


KINDS = ["answer to question", "answer to context", "question to context", "other answers to context"]
far = {}
for name, readings_ in (("fine-tuned", tuned), ("plain", plain)):
    values = np.array(
        [mean_distances(r, p) for r, p in zip(readings_, parts, strict=True)]
    )  # pairs, kinds, layers
    far[name] = dict(zip(KINDS, values.transpose(1, 0, 2), strict=True))

figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True)
for ax, name in zip(axes, far, strict=True):
    layer_curves(ax, far[name])
    ax.axhline(1, color=plots.BASELINE, linestyle=":")
    ax.set_title(f"{name} model", loc="left")
axes[0].set(ylabel="distance (1: two words\nof the passage)")
axes[0].legend(fontsize=9)
plt.show()

# %% [markdown]
# Up to layer 3, all distances are close to 1 in both models. Then the fine-tuned model moves the answer away from question *and* context. The control is the pink line: the answers to the *other* questions of the same passage are phrases of the same kind, but nobody asked for them, and they stay.
#
# In the plain encoder something else happens after the last layer: the question moves away from the whole passage, answer included. And the answer is a little farther from the context there too, most of which the answers to other questions share; what is left is small beside the fine-tuned model's, as you will see under stage 4. Without this model beside the other, you might have called it a trace of understanding.
#
# ### One number for each stage
#
# **Stage 1, meaning**: take a name in a passage and look for the nearest *other* word in *another* passage. Is it a name too? (This is a stand-in: being a name is a kind of word rather than a meaning.) The first function finds the whole words of a passage and which of them are names, the second one asks the question.


# %%
def whole_words(reading, part, context):
    """Tokens of the passage that are whole words: their places, the words, and which of them are names."""
    keep, found, is_name = [], [], []
    for t in part.passage:
        start, end = reading.record.offsets[t]
        word, before = context[start:end], context[:start].rstrip()
        joined = context[start - 1 : start].isalnum() or context[end : end + 1].isalnum()
        if word.isalpha() and not joined:
            keep.append(t)
            found.append(word.lower())
            is_name.append(word[0].isupper() and word != "I" and before != "" and before[-1] not in '.!?:"“(')
    return keep, found, is_name


def stage_meaning(readings):
    """Per passage and layer: share of its names whose nearest other word in another passage is a name."""
    rows = [whole_words(r, p, pair[1]) for r, p, pair in zip(readings, parts, pairs, strict=True)]
    passage = np.concatenate([[n] * len(row[0]) for n, row in enumerate(rows)])
    word = np.concatenate([row[1] for row in rows])
    is_name = np.concatenate([row[2] for row in rows]).astype(bool)
    x = torch.cat([r.states[:, row[0]] for r, row in zip(readings, rows, strict=True)], dim=1)
    named = np.flatnonzero(is_name)
    not_allowed = torch.from_numpy((word[named][:, None] == word) | (passage[named][:, None] == passage))
    right = np.stack(
        [
            is_name[all_similarities(s[named], s).masked_fill(not_allowed, -2).argmax(dim=1).numpy()]
            for s in x
        ],
        axis=1,
    )
    means = [right[passage[named] == n].mean(axis=0) for n in np.unique(passage[named])]
    return np.array(means), is_name.mean()


# %% [markdown]
# **Stage 2, relations**: two tokens, four to eight places apart. Are they more alike when they stand in the same sentence? We take the difference of the mean similarities for each gap (4, 5, … 8) by itself, and then the mean of the five: otherwise neighbours would win by standing close. This too is a stand-in, since nobody marked relations in our texts.


# %%
def sentences_of(reading, part, context):
    """The number of the sentence that each token of the passage stands in."""
    starts, position = [], 0
    for sentence in split_sentences(context):
        position = context.index(sentence, position)
        starts.append(position)
    return np.searchsorted(starts, [reading.record.offsets[t][0] for t in part.passage], side="right") - 1


def stage_relations(reading, part, context):
    """Per layer: how much more alike are two tokens of one sentence, at the same gap?"""
    number = sentences_of(reading, part, context)
    x = reading.states[:, part.passage]
    alike, gains = all_similarities(x, x), []
    for gap in range(4, 9):
        pairs_ = alike.diagonal(gap, dim1=1, dim2=2)  # layers, pairs of tokens that are `gap` places apart
        same = number[gap:] == number[:-gap]
        if same.any() and not same.all():
            gains.append(pairs_[:, same].mean(dim=1) - pairs_[:, ~same].mean(dim=1))
    return torch.stack(gains).mean(dim=0).numpy()


# %% [markdown]
# **Stage 3, matching**: each content word of the question (not “the”, “of”, “who”, …) looks for its most similar token in each sentence of the passage, answer tokens left out. Does the sentence with the answer win?

# %%
STOP = set(
    "a an and are as at be by did do does for from had has have he her his how in is it its not of on or she that the their there they this to was were what when where which who whom whose why with you".split()
)


def stage_matching(reading, part, pair):
    question, context = pair
    number = sentences_of(reading, part, context)
    offsets = reading.record.offsets
    content = [
        t
        for t in part.question
        if question[slice(*offsets[t])].isalnum() and question[slice(*offsets[t])].lower() not in STOP
    ]
    x = reading.states
    alike = all_similarities(x[:, content or part.question], x)  # layers, words of the question, tokens
    scores = []
    for n in range(number.max() + 1):
        there = part.passage[number == n]
        rest = np.setdiff1d(there, part.answer)
        scores.append(alike[:, :, rest if len(rest) else there].amax(dim=2).mean(dim=1))
    right = number[np.searchsorted(part.passage, part.answer[0])]
    return (torch.stack(scores).argmax(dim=0) == right).numpy(), 1 / len(scores)


# %% [markdown]
# **Stage 4, extraction**: the distance of the answer to the context, less that of the other answers. We have both from the beginning of this section. Now all four, for both models:

# %%
stages, chance = {}, {}
for name, readings_ in (("fine-tuned", tuned), ("plain", plain)):
    meaning, share_of_names = stage_meaning(readings_)
    matching = [stage_matching(r, p, pair) for r, p, pair in zip(readings_, parts, pairs, strict=True)]
    stages[name] = {
        "1 meaning": meaning,
        "2 relations": np.array(
            [stage_relations(r, p, pair[1]) for r, p, pair in zip(readings_, parts, pairs, strict=True)]
        ),
        "3 matching": np.array([m for m, _ in matching]),
        "4 extraction": far[name]["answer to context"] - far[name]["other answers to context"],
    }
    chance = {
        "1 meaning": share_of_names,
        "2 relations": 0,
        "3 matching": np.mean([c for _, c in matching]),
        "4 extraction": 0,
    }

LABELS = {
    "1 meaning": "a name's nearest word\nis a name",
    "2 relations": "similarity gained in\nthe same sentence",
    "3 matching": "question finds the\nanswer's sentence",
    "4 extraction": "distance of the answer,\nless other answers",
}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for ax, stage in zip(axes, list(LABELS)[:2], strict=True):
    layer_curves(ax, {name: stages[name][stage] for name in stages})
    ax.axhline(chance[stage], color=plots.BASELINE, linestyle=":")
    ax.set(ylabel=LABELS[stage])
    ax.set_title(f"Stage {stage}", loc="left")
axes[0].legend(fontsize=9)
plt.show()
for stage in LABELS:
    curve = stages["fine-tuned"][stage].mean(axis=0)
    print(
        f"{stage:>13}: {len(stages['fine-tuned'][stage])} passages, fine-tuned model highest at layer {curve.argmax()} ({curve.max():.2f}), last layer {curve[-1]:.2f}, chance {chance[stage]:.2f}"
    )

# %% [markdown]
# Dotted: what chance gives. Names find names, and tokens of one sentence gather until the middle layers and come apart again.
#
# Stages 3 and 4 need one more cut. A mean over all 56 passages mixes 32 held-out ones with 24 that the model was trained on, and it answers those far better. So look at the two kinds apart.

# %%
kinds_of_passage = {"held out": held_out, "trained on": ~held_out}
figure, axes = plt.subplots(2, 2, figsize=(10, 6.2), sharey="row")
for row, stage in zip(axes, list(LABELS)[2:], strict=True):
    for ax, (which, rows) in zip(row, kinds_of_passage.items(), strict=True):
        layer_curves(ax, {name: stages[name][stage][rows] for name in stages})
        here = np.array([c for _, c in matching])[rows].mean() if stage == "3 matching" else chance[stage]
        ax.axhline(here, color=plots.BASELINE, linestyle=":")
        ax.set_title(f"Stage {stage}: {rows.sum()} passages, {which}", loc="left", fontsize=11)
    row[0].set(ylabel=LABELS[stage])
axes[0, 0].legend(fontsize=9)
plt.show()


def with_interval(values):
    low, high = judge.bootstrap_interval(values)
    return f"{values.mean():+.2f} (95 %: {low:+.2f} to {high:+.2f})"


for name in stages:
    for which, rows in kinds_of_passage.items():
        matched = stages[name]["3 matching"][rows].astype(float)
        extraction = stages[name]["4 extraction"][rows, -1]
        print(
            f"{name:>10}, {which:>10}: matching, layer 3 less layer 0 {with_interval(matched[:, 3] - matched[:, 0])};"
            f" extraction, last layer {with_interval(extraction)}"
        )
print("\npassage by passage, the rise of matching (layer 3 less layer 0): fine-tuned less plain")
for which, rows in kinds_of_passage.items():
    rises = {name: np.asarray(v["3 matching"], float)[rows] for name, v in stages.items()}
    rises = {name: v[:, 3] - v[:, 0] for name, v in rises.items()}
    print(f"{which:>10}: {with_interval(rises['fine-tuned'] - rises['plain'])}")

# %% [markdown]
# Now compare with the story:
#
# 1. **Names gather** (our stand-in for meaning). They find one another far above chance, already at the input (so the vectors of names are alike before any context), most of all in the middle layers, and more so after fine-tuning.
# 2. **Relations show, weakly.** Tokens of one sentence gather until the middle layers and come apart again. But this is a stand-in, and a small effect.
# 3. **We cannot show that fine-tuning made a matching stage.** The question finds the right sentence far above chance from the very beginning, where only single words can match. On the passages the model was trained on, matching rises to a peak at layer 3 and falls when the answer leaves, as the story says; on new ones it does not rise. But the *plain* encoder, which was fine-tuned on neither, rises nearly as much up to layer 3 on the same passages, and does not fall. Passage by passage, the interval of the difference includes 0 (printed): we cannot show that fine-tuning made the rise, nor that it did not. (24 and 32 passages are few, and we chose layer 3 after seeing the curve, which favours a rise.)
# 4. **Extraction shows clearly**, in the last two layers: strongly on passages that the fine-tuned model was trained on, less on new ones. In the plain model little of it is left (on new passages its interval includes 0). But this is nearly built in: the fine-tuned model reads start and end linearly from the last state, so the chosen tokens *must* differ from the others there.
#
# So extraction shows plainly, names gather plainly (a stand-in for meaning), relations show weakly, and matching rises in some passages, with and without fine-tuning. Six layers are half of what BERT-base has, this model answers only some questions, and another measure of matching might find more. "Not found" is not "not there". But a story about four stages should not be told of this model because its pictures look familiar.
#
# ### Which answer leaves: the right one, or the one that the model gives?


# %%
def leaves(reading, tokens, part):
    """Distance of these tokens to the rest of the passage after the last layer, in the passage's unit."""
    d = torch.cdist(reading.states[-1], reading.states[-1])
    n = len(part.passage)
    rest = np.setdiff1d(part.passage, tokens)
    return (d[tokens][:, rest].mean() / (d[part.passage][:, part.passage].sum() / (n * (n - 1)))).item()


true_span = np.array([leaves(r, p.answer, p) for r, p in zip(tuned, parts, strict=True)])
given_span = np.array(
    [leaves(r, np.arange(s, e + 1), p) for r, p, (s, e, _) in zip(tuned, parts, chosen, strict=True)]
)
other_spans = np.array([leaves(r, p.other, p) for r, p in zip(tuned, parts, strict=True)])
plots.score_plot(
    {
        f"right, trained on ({(hit & ~held_out).sum()}): the answer": true_span[hit & ~held_out],
        f"right, held out ({(hit & held_out).sum()}): the answer": true_span[hit & held_out],
        f"wrong ({(~hit).sum()}): what the model answered": given_span[~hit],
        f"wrong ({(~hit).sum()}): the right answer": true_span[~hit],
        f"wrong ({(~hit).sum()}): answers to other questions": other_spans[~hit],
        f"all ({len(hit)}): answers to other questions": other_spans,
    },
    sort=False,
    baselines=[
        f"wrong ({(~hit).sum()}): answers to other questions",
        f"all ({len(hit)}): answers to other questions",
    ],
    title="Which span leaves?",
    xlabel="distance to the rest of the passage, last layer",
    xlim=(0.8, 2.8),
    width=9,
)
plt.show()
missed = (true_span - other_spans)[~hit]
print(
    f"wrong answers, passage by passage: the right answer less the other answers {with_interval(missed)}, "
    f"larger in {100 * (missed > 0).mean():.0f} %"
)
probability = np.array([p for _, _, p in chosen])
print(
    f"rank correlation of this distance with the model's probability: {agree(given_span, probability):.2f} (on held-out passages {agree(given_span[held_out], probability[held_out]):.2f})"
)

# %% [markdown]
# (In brackets: how many questions. 1 is again the usual distance of two words of the passage.) What leaves farthest is the span that the model *answers*, right or wrong. The right answer that it missed leaves a little as well, farther than other answers in the same passages (printed): it was a runner-up. The distance shows the decision rather than the truth. It tends to be larger on passages that the model was trained on than on new ones, although both are answered rightly, and it grows with the model's probability (printed). So it tells you how sure the model is, which is useful, and not the same.

# %% [markdown]
# ## 10 · Probing: what can be read from a layer?
#
# Distances look at all 384 numbers at once. A *probe* looks for a particular property: train a small classifier on the states of a layer, and see how well it does on new sentences. We have 253 sentences with two labels for each word: its *part of speech* (noun, verb, …) and, for nouns and names, whether it is a person (PER), a place (LOC), an organisation (ORG) or no name at all (O).
#
# A linear probe has one weight vector $w_c$ and one number $b_c$ for each class $c$, and answers with the largest $w_c \cdot h + b_c$. By hand, with least squares: let the rows of $X$ be the states (with a column of ones for $b$) and $Y$ have a 1 where the class is right; then $W = (X^\top X + \lambda I)^{-1} X^\top Y$, with the identity matrix $I$. The number $\lambda$ keeps the weights tame. (The code calls the standardised states $Z$.)

# %%
tagged = [
    r for r in read_texts("tagged_sentences") if not r.get("built")
]  # not the ones built from templates
tagged_readings = read(lab, [" ".join(r["tokens"]) for r in tagged], batch=32)
untrained_readings = read(untrained_lab, [" ".join(r["tokens"]) for r in tagged], batch=32)


def word_states(readings):
    """The state of each word, (words, layers + 1, D): the mean over its pieces."""
    found = []
    for reading, r in zip(readings, tagged, strict=True):
        starts = np.cumsum([0] + [len(token) + 1 for token in r["tokens"]])
        inner = range(1, reading.states.shape[1] - 1)
        number = np.searchsorted(starts, [reading.record.offsets[t][0] for t in inner], side="right") - 1
        for n in range(len(r["tokens"])):
            found.append(reading.states[:, 1:-1][:, number == n].mean(dim=1))
    return torch.stack(found)


X, X_untrained = word_states(tagged_readings), word_states(untrained_readings)
del tagged_readings, untrained_readings, untrained, untrained_lab  # large, and nothing below needs them
column = {
    "word": np.array([t.lower() for r in tagged for t in r["tokens"]]),
    "pos": np.array([t for r in tagged for t in r["pos"]]),
    "entity": np.array([t.split("-")[-1] for r in tagged for t in r["entities"]]),
    "sentence": np.repeat(np.arange(len(tagged)), [len(r["tokens"]) for r in tagged]),
}
tasks = {
    "part of speech": ("pos", column["pos"] != "PUNCT"),
    "named entity": ("entity", np.isin(column["pos"], ["NOUN", "PROPN"])),
}
for name, (label, rows) in tasks.items():
    classes, counts = np.unique(column[label][rows], return_counts=True)
    print(
        f"{name}: {rows.sum()} words;",
        ", ".join(f"{c} {n}" for c, n in sorted(zip(classes, counts, strict=True), key=lambda x: -x[1])),
    )

label, rows = tasks["part of speech"]
y, sentence = column[label][rows], column["sentence"][rows]
train = sentence % 10 < 7  # whole sentences
classes = np.unique(y)
Z = X[rows, 2].double().numpy()
Z = (Z - Z[train].mean(axis=0)) / Z[train].std(axis=0)
Z = np.concatenate([Z, np.ones((len(Z), 1))], axis=1)
Y = (y[:, None] == classes).astype(float)
W = np.linalg.solve(Z[train].T @ Z[train] + 10 * np.eye(Z.shape[1]), Z[train].T @ Y[train])
answers = classes[(Z[~train] @ W).argmax(axis=1)]
print(f"\nby hand, layer 2: {(answers == y[~train]).mean():.2f} of {(~train).sum()} words in new sentences")

# %%
# NBVAL_CHECK_OUTPUT
from sklearn.linear_model import Ridge

ridge = Ridge(alpha=10, fit_intercept=False).fit(Z[train], Y[train])
judge.agreement_table(
    [("scikit-learn Ridge", W.T, ridge.coef_, "λ = alpha, the column of ones is penalised too")]
)

# %% [markdown]
# A high number. But what does it prove? The probe has thousands of weights. Perhaps it has simply learnt by heart that "table" is a noun. Hewitt and Liang (2019) ask the same probe to learn **nonsense**: a *control task*, in which each word gets one random label, the same wherever it stands. (It is drawn with the frequencies of the true labels, so guessing the most frequent one gets about as much as in the task.) Whoever does well there has learnt words, not grammar. The gap counts:
#
# $$\text{selectivity} = \text{accuracy on the task} - \text{accuracy on the control task}.$$
#
# The course's `linear_probe` is *logistic regression*: the same scores $w_c \cdot h + b_c$, but turned into probabilities that add up to 1, with weights that make the right labels of the training part probable. It keeps whole sentences in the test part, and runs the control task too. (It draws the test sentences at random, so the number of test words differs a little from the one above.) Here it reads each layer:

# %%
layers = range(len(states))


def probe_layers(probe, X, task, which=layers):
    """One probe for each layer: the hits on the test words, (words, layers), on the task and on its control."""
    label, rows = tasks[task]
    labels, groups = column[label][rows], column["sentence"][rows]
    found = [probe(X[rows, n], labels, column["word"][rows], groups=groups) for n in which]
    hits, control = (
        np.stack([getattr(p, k) for p in found], axis=1).astype(float) for k in ("hits", "control_hits")
    )
    return hits, control, found[0].majority


figure, axes = plt.subplots(1, 2, figsize=(10, 4.0), sharey=True)
probed, selective = {}, {}
for ax, task in zip(axes, tqdm(tasks, desc="probing", leave=False), strict=True):
    hits, control, majority = probed[task] = probe_layers(linear_probe, X, task)
    of_untrained, control_untrained, _ = probe_layers(linear_probe, X_untrained, task)
    layer_curves(
        ax,
        {
            "probe": hits,
            "control task": control,
            "selectivity": hits - control,
            "untrained BERT": of_untrained,
        },
    )
    label, rows = tasks[task]
    nonsense = control_labels(column["word"][rows], column[label][rows])
    guessing = np.unique(nonsense, return_counts=True)[1].max() / len(nonsense)
    ax.axhline(majority, color=plots.INK, linestyle=":", label="most frequent label\n(for the probe)")
    ax.axhline(
        guessing, color=plots.COLOURS[1], linestyle=":", label="most frequent random\nlabel (for the control)"
    )
    ax.set(ylim=(0, 1.02))
    ax.set_title(f"{task} ({len(hits)} test words)", loc="left")
    for name, gap in (("trained", hits - control), ("untrained", of_untrained - control_untrained)):
        selective[f"{task}, {name}"] = gap.mean(axis=0)
axes[0].set(ylabel="share of right words")
axes[1].legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
print(f"selectivity, layers 0 to {last_layer}")
for name, gaps in selective.items():
    print(f"{name:>25}: {' '.join(f'{gap:+.2f}' for gap in gaps)}")

# %% [markdown]
# The bands are 95 % bootstrap intervals over the test words. What to see:
#
# - Part of speech can be read best after the second or third layer, and gets harder to read after that. The entity's curve is flat and its bands overlap, so which of the two comes first cannot be seen here. Grammar before meaning is what Tenney and others (2019) found for BERT; our small data cannot show it.
# - With part of speech, the *untrained* network gets far more than the most frequent label. Random weights keep words apart, and a probe can learn which words are nouns. An accuracy without this baseline says little about what training has taught the model. The untrained network does nonsense at least as well as grammar: its selectivity, printed, is about 0 or below in every layer. (With entities it is no better than its dotted line. Perhaps it learns its training words by heart there, and they do not come again.)
# - The dotted lines say what guessing gets, for the probe and for the control; for the selectivity it is 0.
# - With part of speech, the control task is solved best at layer 0, for the same reason: there a state is the word and its position, so the probe learns words by heart. Higher up the sentence mixes in and the control gets harder. So for part of speech the selectivity still rises where the accuracy already falls.
#
# ### A stronger probe, and its misleading success
#
# Would a network with a hidden layer find more? Same data, same splits.

# %%
some_layers = [0, 2, 5]
compared = {
    "linear": [hits[:, some_layers] for hits in probed["part of speech"][:2]],
    "hidden layer": probe_layers(
        lambda *a, **k: mlp_probe(*a, hidden=64, **k),
        X,
        "part of speech",
        tqdm(some_layers, desc="stronger probe", leave=False),
    )[:2],
}
panels = {
    "part of speech": lambda hits, control: hits,
    "random labels (control)": lambda hits, control: control,
    "selectivity": lambda hits, control: hits - control,
}
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True)
for ax, (title, of) in zip(axes, panels.items(), strict=True):
    for shift, (name, (hits, control)), color in zip(
        (-0.2, 0.2), compared.items(), plots.COLOURS, strict=False
    ):
        values = of(hits, control)
        means = values.mean(axis=0)
        bounds = np.array([judge.bootstrap_interval(v) for v in values.T]).T
        at = np.arange(len(some_layers)) + shift
        bars = ax.bar(at, means, 0.38, color=color, label=name)
        ax.errorbar(at, means, np.abs(bounds - means), fmt="none", ecolor=plots.INK, elinewidth=1)
        ax.bar_label(bars, [f"{m:.2f}" for m in means], label_type="center", fontsize=9, color="white")
    ax.set_xticks(range(len(some_layers)), [f"layer {n}" for n in some_layers])
    ax.set(ylim=(0, 1.05))
    ax.set_title(title, loc="left")
axes[2].legend(fontsize=9)
plt.show()

# one answer of the linear probe against one of the stronger probe, word by word
for k, (one, two) in {"task": (0, 0), "control task": (1, 1)}.items():
    for n, layer in enumerate(some_layers):
        gain = compared["hidden layer"][two][:, n] - compared["linear"][one][:, n]
        low, high = judge.bootstrap_interval(gain)
        print(
            f"layer {layer}, {k}: the stronger probe gains {gain.mean():+.3f} (95 %: {low:+.3f} to {high:+.3f})"
        )

# %% [markdown]
# Look at the middle panel first. The stronger probe is better at *nonsense* (clearly so in layers 2 and 5). Its success on the real task is no better (at layer 5 the printed difference is even clearly below zero), so its selectivity is lower: a larger part of it may be memory. If you had only looked at the left panel, you would have reported "the hidden layer reads it as well", and missed that it also learns more nonsense. Prefer the weaker probe, and report the
# control.
#
# And a caution that no control removes: a probe shows what *can* be read from a state. Whether the model itself uses it, only a change of the state can show.

# %% [markdown]
# ## 11 · Embeddings as they are used: search
#
# This encoder was made to turn a sentence into *one* vector: the mean of its tokens' states after the last layer. Sentences of like meaning should get like vectors, and then a search needs no common words. Here are 354 reviews of films, food, places, books and products, and three searches.

# %%
reviews = [*read_texts("reviews")[:150], *read_texts("reviews_heldout")]
paired = np.arange(len(reviews)) >= 150  # the held-out ones; what is special about them comes below
review_texts = [r["text"] for r in reviews]


def sentence_vectors(texts, say=None):
    """The mean over the tokens of each text, for all layers: (N, layers + 1, D)."""
    readings = read(lab, texts, batch=32, say=say, form=lambda states: states.mean(dim=1))
    return torch.stack([x.states for x in readings])


vectors = sentence_vectors(review_texts, say="reading the reviews")


def search(query, texts, vectors, n=3):
    alike = cosine_similarity(sentence_vectors([query])[:, -1], vectors[:, -1])
    return [(alike[i].item(), texts[i]) for i in alike.topk(n).indices.tolist()]


for query in ("the waiter was rude", "something for my aching back", "I laughed until I cried"):
    print(f"{query}?")
    for score_, text in search(query, review_texts, vectors):
        print(f"   {score_:.2f}  {text}")

# %% [markdown]
# Some hits share a word with the query, others none: nobody asked for whiplash or chuckling. But look at what is found for the rude waiter: the first two are about the staff, and one of them is friendly; the third is about a lift. Three searches prove nothing, so take each review's nearest neighbour, and ask twice: is it about the same kind of thing? Does it have the same opinion? **Predict** both before you run.
#
# The last two rows on the right are a special test. The held-out reviews were written in pairs: two reviews of the same thing, one good, one bad.

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

domain = np.array([r["domain"] for r in reviews])
opinion = np.array([r["label"] for r in reviews])
plain_reviews = np.flatnonzero(~paired)
bag_of_reviews = torch.from_numpy(
    TfidfVectorizer().fit_transform([review_texts[n] for n in plain_reviews]).toarray()
)


def neighbour_of(x):
    return all_similarities(x, x).fill_diagonal_(-torch.inf).argmax(dim=1).numpy()


found = {
    "last layer": neighbour_of(vectors[plain_reviews, -1]),
    "layer 0": neighbour_of(vectors[plain_reviews, 0]),
    "bag of words": neighbour_of(bag_of_reviews),
}
figure, axes = plt.subplots(1, 2, figsize=(10, 2.8))
for ax, (what, labels) in zip(
    axes, (("is about the same kind of thing", domain), ("has the same opinion", opinion)), strict=True
):
    own = labels[plain_reviews]
    rows_ = {name: own[nearest] == own for name, nearest in found.items()}
    rows_["guessing"] = np.array([((own == x).sum() - 1) / (len(own) - 1) for x in own])
    if labels is opinion:
        rows_["last layer, pairs"] = opinion[paired][neighbour_of(vectors[paired, -1])] == opinion[paired]
        bag_of_pairs = TfidfVectorizer().fit_transform([review_texts[n] for n in np.flatnonzero(paired)])
        of_bag = neighbour_of(torch.from_numpy(bag_of_pairs.toarray()))
        rows_["bag of words, pairs"] = opinion[paired][of_bag] == opinion[paired]
    plots.score_plot(
        rows_,
        baselines=["bag of words", "guessing", "bag of words, pairs"],
        sort=False,
        xlabel=f"share whose nearest review {what}",
        ax=ax,
    )
plt.show()
nearest = neighbour_of(vectors[paired, -1])
opposite, same_kind = opinion[paired][nearest] != opinion[paired], domain[paired][nearest] == domain[paired]
print(
    f"pairs, nearest review: opposite opinion {100 * opposite.mean():.0f} %, same kind of thing "
    f"{100 * same_kind.mean():.0f} %, both {100 * (opposite & same_kind).mean():.0f} %"
)
print(f"pairs, bag of words: same opinion {rows_['bag of words, pairs'].mean():.2f}")
own = opinion[plain_reviews]
for layer in (0, last_layer):  # a linear probe, tested on reviews it has not seen
    guessed = cross_val_predict(LogisticRegression(max_iter=1000), vectors[plain_reviews, layer], own, cv=5)
    low, high = judge.bootstrap_interval((guessed == own).astype(float))
    print(
        f"opinion, linear probe, layer {layer}: {(guessed == own).mean():.2f} (95 %: {low:.2f} to {high:.2f})"
    )

# %% [markdown]
# The vector knows what a review is *about*, and its nearest neighbour does not show what it *thinks*. (That does not mean the opinion is missing: a linear probe reads it from the same vectors better than guessing, as printed.) Among ordinary reviews, the neighbour's opinion is a matter of luck. Among the pairs, the nearest review mostly has the *opposite* opinion, and in about three of four cases it is about the same kind of thing as well (printed). The bag of words errs in the same direction, since two reviews of one thing share words. A possible further reason, untested here: this encoder was trained to make sentences that belong together alike. Whoever uses such vectors to find like-minded customers gets a surprise.
#
# ### A search with a right answer
#
# For the passages we know the right answer: each of 80 held-out questions belongs to one of 20 passages. How often is its own passage the first hit? We try the whole passage as one vector, and the best of its sentences.

# %%
held = passages[:20]
queries = [(q["question"], n) for n, p in enumerate(held) for q in p["qas"]]
truth = np.array([n for _, n in queries])
sentences = [(s, n) for n, p in enumerate(held) for s in split_sentences(p["context"])]
query_vectors = sentence_vectors([q for q, _ in queries])[:, -1]
piece_vectors = sentence_vectors([s for s, _ in sentences], say="reading the sentences")[:, -1]
piece_of = np.array([n for _, n in sentences])
whole_vectors = sentence_vectors([p["context"] for p in held])[:, -1]

by_piece = all_similarities(query_vectors, piece_vectors).numpy()
tfidf = TfidfVectorizer().fit([p["context"] for p in held])
shared_words = (
    tfidf.transform([q for q, _ in queries]) @ tfidf.transform([p["context"] for p in held]).T
).toarray()
by_sentence = piece_of[by_piece.argmax(axis=1)] == truth
by_whole = all_similarities(query_vectors, whole_vectors).argmax(dim=1).numpy() == truth
plots.score_plot(
    {
        "best sentence": by_sentence,
        "whole passage": by_whole,
        "bag of words (TF-IDF)": shared_words.argmax(axis=1) == truth,
        "guessing": np.full(len(truth), 1 / len(held)),
    },
    baselines=["bag of words (TF-IDF)", "guessing"],
    xlabel="share of questions whose own passage is the first hit",
    title=f"{len(truth)} questions, {len(held)} passages",
)
plt.show()
print(
    "question by question, best sentence less whole passage:",
    with_interval(by_sentence.astype(float) - by_whole),
)

# %% [markdown]
# One vector for a whole passage has to stand for everything in it. Cut into sentences, more questions find their place: the bands overlap, but question by question the gain is clear of 0 (printed). The bag of words stays behind, because these questions avoid the passage's own words on purpose. Where people search with the words of the text, it is a serious rival: never report a semantic search without it.

# %% [markdown]
# ## 12 · If you are online: the same, larger
#
# This section is optional: skip it without loss if you have no connection. Everything so far ran on a real pretrained BERT encoder, a small one that was further trained to compare sentences. The same code runs on `bert-base-uncased`: 12 layers, 768 numbers, trained to guess masked words (and whether two sentences follow one another). The weights come by the ordinary `from_pretrained` way (about 440 MB, once). Without them the cell prints one line that says so.
#
# **Predict** before you run it: is the cone of `bert-base-uncased` narrower than the one of section 6, and does it close after the last layer as MiniLM's does?

# %%
try:
    large = load_lab("text", model="encoder", variant="bert-base-uncased")
except LabUnavailable as error:
    large = None
    print(error)

if large is not None:
    large_readings = read(large, large.texts, say="bert-base-uncased reads")
    large_target = torch.stack([x.states[:, p] for x, p in zip(large_readings, place, strict=True)])
    large_tokens = torch.cat([x.states[:, 1:-1] for x in large_readings], dim=1)
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.2))
    for name, x, tokens_ in (
        ("MiniLM", target, everything),
        ("bert-base-uncased", large_target, large_tokens),
    ):
        values = np.stack([over_words(separation, x[:, n]) for n in range(x.shape[1])], axis=1)
        axes[0].plot(values.mean(axis=0), "o-", label=name)
        axes[1].plot([cosine_similarity(*t[random_pairs]).mean() for t in tokens_], "o-", label=name)
    axes[0].set(xlabel="layer", ylabel="separation of senses")
    axes[1].set(xlabel="layer", ylabel="similarity of arbitrary words")
    axes[0].legend()
    plt.show()

# %% [markdown]
# ## 13 · Where it breaks
#
# Three cards. Run each and remember the symptom.
#
# ### Card 1: the padding in the mean
#
# Texts of one batch are padded to the same length. The model ignores the padding, but `states.mean(dim=1)` does not.

# %%
sentence = "The soup was cold."
for company_ in ("It rained.", pairs[best][1]):
    batch_ = lab.tokenize([sentence, company_])
    with torch.no_grad():
        out = model(**batch_).last_hidden_state[0].cpu()
    mask = batch_["attention_mask"][0].cpu()
    careless, careful = out.mean(dim=0), out[mask == 1].mean(dim=0)
    alone = sentence_vectors([sentence])[0, -1]
    print(
        f"beside a text of {batch_['input_ids'].shape[1]:3d} tokens: similarity with itself alone, "
        f"careless {cosine_similarity(careless, alone):.2f}, with the mask {cosine_similarity(careful, alone):.2f}"
    )

# %% [markdown]
# The same sentence, two vectors, depending on its company. Nothing crashes; a search just gets worse. (The exercise "the mean of the tokens that are there" writes the right version.)

# %% [markdown]
# ### Card 2: the flat picture
#
# A PCA picture keeps a part of the spread. How well do distances on paper agree with distances in the full space? Take all pairs of tokens of the passage from section 8.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for ax, layer in zip(axes, (1, last_layer), strict=True):
    inner = np.concatenate([parts[best].question, parts[best].passage])
    points, left = on_paper(tuned[best], parts[best], layer)
    flat = cdist(points[inner], points[inner])[np.triu_indices(len(inner), 1)]
    full = torch.pdist(tuned[best].states[layer, inner]).numpy()
    rank = judge.rank_correlation(torch.tensor(flat)[None], torch.tensor(full)[None]).item()
    ax.plot(full, flat, ".", markersize=2, alpha=0.25)
    ax.set(xlabel="distance in 384 dimensions", ylabel="distance on paper", xlim=(0, None), ylim=(0, None))
    ax.set_title(f"layer {layer}: {100 * left:.0f} % of the spread, rank correlation {rank:.2f}", loc="left")
plt.show()

# %% [markdown]
# In an early layer, pairs that lie on top of each other on paper can be as far apart as any. In the last layer one difference (answer or not) dominates, and the picture is honest about that one. So a PCA picture shows large, simple differences well and hides all others. That is why the last stage was so easy to see, the first only with labels, and the second and third not at all.

# %% [markdown]
# ### Card 3: a similarity without a crowd
#
# The same two sentences, in three layers: which number would you put into a report?

# %%
one, two = sentence_vectors(["The soup was cold.", "The committee adjourned at noon."])
first_half, second_half = vectors[::2].transpose(0, 1), vectors[1::2].transpose(0, 1)
crowd = all_similarities(first_half, second_half)  # layers, reviews, other reviews
for layer in (0, 4, last_layer):
    similarity = cosine_similarity(one[layer], two[layer]).item()
    larger = (crowd[layer] > similarity).float().mean()
    print(
        f"layer {layer}: similarity {similarity:.2f}; {100 * larger:.0f} % of random pairs of reviews are more alike"
    )

# %% [markdown]
# The raw number changes a lot from layer to layer. Its place in the crowd says what the number cannot: each time, most random pairs are more alike than this one. That can be compared between layers, the raw number cannot.

# %% [markdown]
# ## 14 · Exercises
#
# One exercise stood in section 5; here are the others. Replace the dots with your code and run the cell with the check. `exercises.euclidean_distances.hint()` gives you one hint at a time; the solution is folded below each check.

# %% [markdown]
# ### Exercise: all distances at once


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
# ### Exercise: find the bug
#
# This function should compute cosine *similarities*. The error in it stands in a homework solution that was copied many times. Its matrix has fine blocks, only the wrong ones. Mend it.


# %% exercise="cosine_similarities"
def cosine_similarities(a, b):
    """The cosine similarities (N, M) of each row of a (N, D) with each row of b (M, D), from −1 to 1."""
    # BEGIN STUB
    # products = a @ b.T
    # lengths = a.norm(dim=1)[:, None] * b.norm(dim=1)[None]
    # return 1 - products / lengths
    # END STUB
    # BEGIN SOLUTION
    products = a @ b.T
    lengths = a.norm(dim=1)[:, None] * b.norm(dim=1)[None]
    return products / lengths  # 1 − this would be the cosine distance
    # END SOLUTION


# %%
exercises.cosine_similarities.check(cosine_similarities)

# %% [markdown]
# ### Exercise: is one layer better than another?
#
# Sections 5 to 12 compare layers and models on the same items. `first` and `second` hold the hits of two layers on $N$ items (1 or 0). `draws` (B, N) says which items each of B bootstrap draws holds: a row of numbers from 0 to $N-1$, with repetitions. Return three numbers: the mean of second minus first, and the two ends of its 95 % interval.


# %% exercise="paired_interval"
def paired_interval(first, second, draws):
    """Array (3,): mean difference second − first, lower and upper end (quantiles 0.025 and 0.975)."""
    # BEGIN SOLUTION
    difference = second - first  # item by item, before anything is averaged
    low, high = np.quantile(difference[draws].mean(axis=1), [0.025, 0.975])
    return np.array([difference.mean(), low, high])
    # END SOLUTION


# %%
exercises.paired_interval.check(paired_interval)

# %% [markdown]
# ### Exercise: a task that only memory can solve
#
# Section 10 kept the probe honest with a control task: each different *word* gets one random label, and keeps it wherever it stands. Write the labels of such a task. Words and labels are numbers here. Take the different words in ascending order, and draw their labels all at once with `np.random.default_rng(seed).choice(…)`, from the labels of the real task with their frequencies.


# %% exercise="control_task"
def control_task(words, labels, seed):
    """Control labels (N,) for tokens with these words (N,) and real labels (N,), all whole numbers."""
    # BEGIN SOLUTION
    different, index = np.unique(words, return_inverse=True)
    drawn = np.random.default_rng(seed).choice(labels, size=len(different))
    return drawn[index]
    # END SOLUTION


# %%
exercises.control_task.check(control_task)

# %% [markdown]
# ### Exercise: the mean of the tokens that are there
#
# The right version of card 1.


# %% exercise="mean_of_tokens"
def mean_of_tokens(states, mask):
    """The mean states (N, D) of the real tokens; states (N, T, D), mask (N, T): 1 for a token, 0 for padding."""
    # BEGIN SOLUTION
    weights = mask[..., None].to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)
    # END SOLUTION


# %%
exercises.mean_of_tokens.check(mean_of_tokens)

# %% [markdown]
# ### Exercise: without what all share
#
# The correction of section 6: subtract the mean, then the part along the strongest direction of what is left.


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
# ## 15 · Play
#
# Choose a passage, a model and a layer. With the keyboard: Tab moves between the controls, the arrow keys change a value. Look for a held-out question that the model gets wrong: what leaves then, the stars (the right answer) or the crosses (what it answers)?

# %%
wrong = np.flatnonzero(held_out & ~hit)
choices = [best, *wrong[:3], *np.flatnonzero(held_out & hit)[:2], *np.flatnonzero(~held_out)[:2]]
choices = {f"{pairs[i][0]}": int(i) for i in choices}


def draw(passage, which, layer):
    reading, part = (tuned if which == "fine-tuned" else plain)[passage], parts[passage]
    points, left = on_paper(reading, part, layer)
    figure, ax = plt.subplots(figsize=(8, 4.6))
    draw_tokens(ax, points, part, reading.record.tokens)
    s, e, probability = chosen[passage]
    ax.plot(*points[s : e + 1].T, "x", color=plots.INK, markersize=7, label="the fine-tuned model's answer")
    ax.set_title(f"{which} model, layer {layer} ({100 * left:.0f} % of the spread on paper)", loc="left")
    ax.legend(fontsize=9)
    plt.show()
    (first, _), (_, last_) = (tuned[passage].record.offsets[t] for t in (s, e))
    print("right answer:", asked[passage]["answers"][0]["text"])
    print(f"the fine-tuned model answers: {pairs[passage][1][first:last_]} (probability {probability:.2f})")


widgets.explore(
    draw,
    passage=widgets.choice("question", choices),
    which=widgets.choice("model", ["fine-tuned", "plain"]),
    layer=widgets.slider("layer", 0, last_layer, last_layer),
)

# %% [markdown]
# A still picture of the same: both models, four layers, a question that the fine-tuned model answers wrongly. The crosses mark what it answers.

# %%
sad = int(max(wrong, key=lambda i: chosen[i][2]))
figure, axes = plt.subplots(2, 4, figsize=(10, 5.4))
for row, (name, readings_) in enumerate((("fine-tuned", tuned), ("plain", plain))):
    for ax, layer in zip(axes[row], (0, 2, 4, last_layer), strict=True):
        points, _ = on_paper(readings_[sad], parts[sad], layer)
        draw_tokens(ax, points, parts[sad])
        s, e, _ = chosen[sad]
        ax.plot(*points[s : e + 1].T, "x", color=plots.INK, markersize=7, label="the model's answer")
        ax.set_title(f"{name}, layer {layer}", fontsize=10)
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=10)
figure.suptitle(pairs[sad][0])
plt.show()
(first, _), (_, last_) = (tuned[sad].record.offsets[t] for t in chosen[sad][:2])
print(f"right answer: {asked[sad]['answers'][0]['text']} | the model's: {pairs[sad][1][first:last_]}")

# %% [markdown]
# In the last picture of the upper row it is the crosses that leave, and a part of the right answer with them. A picture in which *something* leaves shows that the model has decided. It does not show that it is right.

# %% [markdown]
# ## 16 · The paper in ten questions
#
# B. van Aken, B. Winter, A. Löser, F. A. Gers: *How Does BERT Answer Questions? A Layer-Wise Analysis of Transformer Representations* (CIKM 2019).
#
# 1. **Which problem?** Attention maps are looked at a lot, hidden states little. What happens to the tokens on their way through a model that answers questions?
# 2. **Is it new?** Probing was known for pretrained models. Looking at models fine-tuned for question answering, with probes *and* pictures of the states, was new.
# 3. **Which hypothesis?** The layers work in phases that resemble the steps of a classical language-processing pipeline.
# 4. **Related work, and who?** Tenney and others (2019) on the pipeline in BERT; the debate on attention as explanation (lesson 10). The authors came from the Beuth University of Applied Sciences in Berlin.
# 5. **The key idea?** Follow the tokens of a question, its supporting facts and its answer through all layers, in pictures (PCA) and with probes made for question answering.
# 6. **Which experiments?** Pictures of single examples, and probes for named entities, coreference, relations, question type and supporting facts, in fine-tuned and plain models.
# 7. **Data and code?** SQuAD, HotpotQA and bAbI; BERT base and large, and a GPT-2. The code is public.
# 8. **Do the results support it?** The probes support a rough order. The pictures are single examples, chosen by the authors, and as you saw, a flat picture favours the last stage. In our small model we could not show that fine-tuning made the matching.
# 9. **What did it contribute?** A way of looking at fine-tuned models by their states, and the observation that a failure can be seen before the output.
# 10. **What next?** Control tasks for the probes (Hewitt and Liang, 2019), many examples with intervals instead of single pictures, and changing states to see what the model uses.

# %% [markdown]
# ## 17 · Recap
#
# - A hidden state is one vector for each token and layer. Before the first layer it is word + position + segment; all else comes through attention.
# - Distance does not see a shared shift, similarity does not see length, and $1 - \cos$ is a distance.
# - A similarity needs a crowd. Score the question you have (separation, nearest neighbour) with an interval, beside a bag of words and an untrained network.
# - Anisotropy makes similarities too high. Taking the common part away makes them readable; here it did not make the senses separate better.
# - PCA shows large, simple differences; t-SNE is made to keep neighbours, and shows islands that mean nothing.
# - Of the four stages, extraction shows plainly in this model, names gather plainly (a stand-in for meaning), relations show weakly, and that fine-tuning made the matching we cannot show.
# - A probe without a control task and an untrained baseline proves little, and a stronger probe less.
# - The nearest neighbour of a sentence vector shares its topic, not reliably its opinion.
#
# **References**
# - [Devlin and others, 2019: BERT](https://arxiv.org/abs/1810.04805)
# - [van Aken and others, 2019: How does BERT answer questions?](https://arxiv.org/abs/1909.04925)
# - [Ethayarajh, 2019: How contextual are contextualized word representations?](https://arxiv.org/abs/1909.00512)
# - [Mu and Viswanath, 2018: All-but-the-top](https://arxiv.org/abs/1702.01417)
# - [Timkey and van Schijndel, 2021: All bark and no bite (rogue dimensions)](https://arxiv.org/abs/2109.04404)
# - [Hewitt and Liang, 2019: Designing and interpreting probes with control tasks](https://arxiv.org/abs/1909.03368)
# - [Tenney, Das and Pavlick, 2019: BERT rediscovers the classical NLP pipeline](https://arxiv.org/abs/1905.05950)
# - [Wattenberg, Viégas and Johnson, 2016: How to use t-SNE effectively](https://doi.org/10.23915/distill.00002)
# - [Reimers and Gurevych, 2019: Sentence-BERT](https://arxiv.org/abs/1908.10084)
# - [Wang and others, 2020: MiniLM](https://arxiv.org/abs/2002.10957)
