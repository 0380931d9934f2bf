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
# # 10 · BERT: what attention shows, and what it does not
#
# **The question.** A language model gives every word a row of weights that says where it looks. Is that an explanation?
#
# **After this lesson you can**
# - compute one attention head from a real model's weights, and show that it equals the model's own;
# - say what the heads of a model do, measured over a corpus, beside a rule that only knows positions;
# - combine attention over layers (rollout, flow) and weigh it with gradients, and compare it with Integrated Gradients, SHAP and LIME;
# - measure which of them finds a word that was planted in the training texts;
# - take both sides in the dispute "attention is not explanation", with numbers from your own run.
#
# **Time**: about two and a half hours, in two sittings (sections 1 to 8, then the rest). **Before**: you can multiply matrices in PyTorch and know what a softmax is. Lessons 06 (LIME), 07 (SHAP) and 08 (Integrated Gradients) help.
# Everything runs on a laptop without a network connection, on a real BERT encoder (all-MiniLM-L6-v2).

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils.labs import LabUnavailable, load_lab
from course_utils.methods.attention import (
    attention_flow,
    attention_maps,
    attention_relevance,
    attention_rollout,
    change_attention,
    class_attention,
    mask_heads,
    total_variation,
)
from course_utils.teach import attention_pictures as pictures
from course_utils.teach import plots, text_batches, widgets
from course_utils.exercises import l10_bert_attention as exercises

# %% [markdown]
# ## 1 · A puzzle: two attention pictures, one answer
#
# A model reads a review and says whether it is favourable. It can also tell which words it *looked at* for its answer: the stronger the orange, the more it looked. Here are two such pictures of the same review, and the answer that belongs to each.
# One shows what the model really did. In the other, only the weights of one layer were exchanged for others. Which one is real?

# %%
lab = load_lab("text", model="sentiment")
model = lab.model.requires_grad_(False)  # we explain, we do not train
POSITIVE = lab.class_names.index("positive")

lengths = np.array([len(text.split()) for text in lab.texts])
short = [lab.texts[i] for i in np.flatnonzero((lengths >= 8) & (lengths <= 12))[:12]]
riddle = text_batches.attention_riddle(lab, short, POSITIVE, random_state=10)  # which is A: by lot

figure, ax = plt.subplots(figsize=(10, 1.6))
pictures.show_words(ax, {f"picture {name}": a for name, a in riddle.attention.items()}, riddle.words)
ax.set_title("What the model looked at, last layer, average of its heads", loc="left")
plt.show()
for name, probability in riddle.probability.items():
    print(f"picture {name}: probability of “favourable” {probability:.2f}")

# %% [markdown]
# The figure shows the review twice, word by word (`##` marks the later pieces of a rare word), in orange tones. The tones differ, the answers hardly do. Keep your guess; section 10 tells which picture is real, how the other was made, and what it proves. It proves less than it seems.

# %% [markdown]
# ## 2 · The whole model, from a token to the answer
#
# BERT (Devlin and others, 2019) cuts a text into $T$ *tokens*: words, or pieces of rare words (a piece begins with `##`). `[CLS]` is put in front, `[SEP]` at the end. Each token becomes a row of $D$ numbers, its *state*. Every layer then does two things:
# in **attention**, each token fetches something from the others; in the **feed-forward** part, each token is changed by itself. At the end the classifier reads one row only: that of `[CLS]`.
#
# The sentence of this lesson, and what the model says about it:

# %%
text = "The plot was thin, but the actors made the film a joy."
encoded = lab.tokenize(text)
tokens = lab.tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])
T = len(tokens)
config = model.config
L, H, D = config.num_hidden_layers, config.num_attention_heads, config.hidden_size
print(tokens)
print(f"T = {T} tokens, L = {L} layers, H = {H} heads in each, D = {D} numbers for each token")
chances = lab.predict([text])[0]
print(
    "probabilities:", ", ".join(f"{name} {p:.2f}" for name, p in zip(lab.class_names, chances, strict=True))
)

# %% [markdown]
# Layers and heads are counted from 0. Step through the model with the slider (Tab, then the arrow keys). On the left the stack of steps with their shapes, the text at the bottom, the answer on top. On the right the real numbers of the chosen step.

# %%
steps = pictures.model_steps(model, encoded, lab.class_names)


def draw_model(step):
    pictures.draw_step(steps, step, tokens, lab.class_names)
    plt.show()


widgets.explore(draw_model, step=widgets.slider("step", 0, len(steps) - 1, 3))

# %% [markdown]
# The same as still pictures. First the stack, with the attention of the first layer: twelve small maps, rows are the tokens that look, columns the tokens looked at.

# %%
draw_model(3)

# %% [markdown]
# Then the states on their way up: each panel has a row for each token and a column for each of the $D$ numbers (red positive, blue negative).

# %%
stops = [s for s in steps if s.name == "word embeddings" or s.name.endswith("think, add")] + [steps[-2]]
figure, axes = plt.subplots(2, 4, figsize=(10, 4.6))
for ax, stop in zip(axes.flat, stops, strict=True):
    labels = tokens if ax in axes[:, 0] else [""] * len(stop.values)
    pictures.show_states(ax, stop.values, labels)
    ax.set_title(f"{stop.name.replace(': think, add', '')} ({stop.shape})", fontsize=9.5)
    ax.tick_params(labelsize=8)
plt.show()
logits, probability = steps[-1].values
print("answer:", ", ".join(f"{n}: logit {z:+.2f}" for n, z in zip(lab.class_names, logits, strict=True)))
the = [i for i, token in enumerate(tokens) if token == "the"]
after_mixing = [s for s in steps if s.name.endswith("mix, add")]
print("cosine of                     the first two “the”   all pairs of tokens, mean")
for stop in (steps[1], steps[2], after_mixing[0], *stops[1:-1]):
    v = torch.nn.functional.normalize(torch.from_numpy(stop.values), dim=1)
    cosines = v @ v.T
    of_pairs = cosines[~torch.eye(T, dtype=torch.bool)].mean()
    print(f"   after {stop.name:<22}: {cosines[the[0], the[1]]:.2f}                {of_pairs:.2f}")

# %% [markdown]
# (A *logit* is the score of a class before the softmax.) As word embeddings, two occurrences of “the” are the same row. The position makes them different. The attention of layer 0 does not add to that: it brings these two nearer again, and all pairs on average (right column), for all of them fetch from the same text. Up to layer 3 the two “the” drift apart, each with its own surroundings; in the last two layers they come together again, as do the tokens on average.
# A cosine says how alike two states are, not what was moved. Moving information between tokens is what attention is for: nothing else in the model does it. (“Mix, add” is the attention with its output matrix, added to what was there; “think, add” is a small network for each token alone, added too; the *pooler* is one more matrix, for `[CLS]` only.)

# %% [markdown]
# ## 3 · One head by hand
#
# A layer has $H$ heads that work side by side, each with $d = D/H$ dimensions. For one head, let $X$ be the states that enter the layer ($T \times D$). Three matrices of the head and their biases turn each state into three short vectors:
#
# $$Q = X W_Q^\top + b_Q, \qquad K = X W_K^\top + b_K, \qquad V = X W_V^\top + b_V \qquad (T \times d)$$
#
# The *query* says what a token looks for, the *key* what it offers, the *value* what it hands over. In the model's weights the heads lie under one another: head $h$ has the rows $hd \ldots (h+1)d - 1$.

# %%
layer, head = 3, 9  # counted from 0
block = model.bert.encoder.layer[layer].attention.self
d = D // H
with torch.no_grad():
    X = model(**encoded, output_hidden_states=True).hidden_states[layer][0]
rows = slice(head * d, (head + 1) * d)
Q, K, V = (X @ part.weight[rows].T + part.bias[rows] for part in (block.query, block.key, block.value))
print(
    "X",
    tuple(X.shape),
    "| weights of the head",
    tuple(block.query.weight[rows].shape),
    "| Q, K, V",
    tuple(Q.shape),
)
print("query of", tokens[1], Q[1, :5].numpy().round(2), "…")

# %% [markdown]
# The *score* of a pair is the product of query and key, divided by $\sqrt d$. The softmax of each row turns scores into weights that sum to one. The output mixes the values with these weights (equation 1 of Vaswani and others, 2017):
#
# $$S = \frac{Q K^\top}{\sqrt d}, \qquad A = \text{softmax}_\text{rows}(S), \qquad O = A V$$

# %%
S = Q @ K.T / d**0.5
A = S.softmax(dim=1)
O = A @ V

figure, axes = plt.subplots(1, 3, figsize=(10, 3.3), width_ratios=(1, 1, 1.7))
plots.show_heat(axes[0], S, signed=True, title="scores S", colorbar=True)
plots.show_heat(axes[1], A, title="weights A: each row sums to 1", colorbar=True)
plots.show_heat(axes[2], O, signed=True, title=f"output O ({T} × {d})")
axes[0].set_yticks(range(T), tokens, fontsize=9)
for ax in axes[:2]:
    ax.set_xticks(range(T), tokens, rotation=90, fontsize=9)
plt.show()
print("rows sum to", A.sum(dim=1).numpy().round(3))

# %% [markdown]
# From left to right: scores (signed), weights, and the head's output. Why divide by $\sqrt d$? A product of two vectors is a sum of $d$ terms. If the terms were independent, with mean 0, its spread would grow like $\sqrt d$; trained queries and keys need not obey, but that was the reason. With scores far apart the softmax puts most of the weight on one token, and then it hardly reacts to a small change of a score: its derivative $\partial A_{ij}/\partial S_{ij} = A_{ij}(1-A_{ij})$ is small where the weight is near 0 or 1. Largest weight of a row, and its derivatives added up, both averaged over the rows:

# %%
for name, a in (("divided by √d", A), ("not divided", (Q @ K.T).softmax(dim=1))):
    reaction = (a * (1 - a)).sum(dim=1).mean()  # the derivative of each weight by its own score
    print(f"{name:<13}: largest weight {a.max(dim=1).values.mean():.2f}, derivatives {reaction:.2f}")

# %% [markdown]
# ### All heads
#
# The same for all heads at once: cut the $D$ columns into $H$ groups, and let the matrix product run over them. This is attention up to the output matrix that mixes the heads; after it the layer adds its input (the *residual connection*) and normalises.


# %%
def my_attention(block, states):
    """Weights (H, T, T) and joined outputs (T, D) of all heads of one layer, from states (T, D)."""
    n_heads = block.num_attention_heads
    q, k, v = (
        (states @ part.weight.T + part.bias).unflatten(1, (n_heads, -1)).transpose(0, 1)  # (H, T, d)
        for part in (block.query, block.key, block.value)
    )
    weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(dim=-1)
    return weights, (weights @ v).transpose(0, 1).flatten(1)


by_hand, joined = my_attention(block, X)
print("weights", tuple(by_hand.shape), "| outputs, side by side", tuple(joined.shape))

# %% [markdown]
# ## 4 · The proof
#
# Does it equal what the model does? We compare with transformers (all layers), with PyTorch's own fused function and with `nn.MultiheadAttention`, into which we load the same weights. The last two rows are identities: the
# output is linear in the weights, so attention to a token set to zero takes away exactly its share.

# %%
# NBVAL_CHECK_OUTPUT
from course_utils import judge

own = attention_maps(model, encoded)
with torch.no_grad():
    states = model(**encoded, output_hidden_states=True).hidden_states
    all_by_hand = torch.stack(
        [my_attention(model.bert.encoder.layer[n].attention.self, states[n][0])[0] for n in range(L)]
    )
    their_output = block(X[None])[0][0]
    fused = torch.nn.functional.scaled_dot_product_attention(Q[None], K[None], V[None])[0]
    multihead = torch.nn.MultiheadAttention(D, H, batch_first=True).eval()
    parts = (block.query, block.key, block.value)
    multihead.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
    multihead.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    torch_weights = multihead(X[None], X[None], X[None], average_attn_weights=False)[1][0]

without_last = A.clone()
without_last[:, -1] = 0
judge.agreement_table(
    [
        ("one head, all heads", A, by_hand[head], "the same"),
        ("transformers, weights", all_by_hand, own, "every layer and head"),
        ("transformers, outputs", joined, their_output, "heads side by side"),
        ("torch, fused attention", O, fused, "divides by √d itself"),
        ("nn.MultiheadAttention", by_hand, torch_weights, "weights not averaged"),
        ("rows sum to one", own.sum(dim=-1), torch.ones(L, H, T), "softmax over the keys"),
        ("O minus [SEP]'s share", O - A[:, -1:] * V[-1], without_last @ V, "O is linear in A"),
    ]
)

# %% [markdown]
# ## 5 · An attention explorer
#
# In the style of exBERT (Hoover and others, 2020): choose a layer and one or more heads (hold Ctrl or Shift to choose several; their weights are averaged), follow one token, and mask a word. Left: who looks at whom. Middle: where the followed token looks, in each head of that layer.
# Right: where it looks, before and after the masking. Type your own text and press Enter.

# %%
import ipywidgets

MASK = lab.tokenizer.mask_token


def masked(text, number):
    """The tokens of the text, with token `number` masked (0 masks nothing), and their names."""
    encoded = lab.tokenize(text)
    ids = encoded["input_ids"].clone()
    if 0 < number < ids.shape[1] - 1:
        ids[0, number] = lab.tokenizer.mask_token_id
    return {**encoded, "input_ids": ids}, lab.tokenizer.convert_ids_to_tokens(ids[0])


def draw_explorer(text, layer, heads, follow, mask):
    inputs, names = masked(text, mask)
    before, after = (attention_maps(model, each) for each in (lab.tokenize(text), inputs))
    follow = min(follow, len(names) - 1)
    pictures.draw_explorer(before, after, names, layer, list(heads) or range(H), follow)
    plt.show()
    with torch.no_grad():
        now = model(**inputs).logits.softmax(1)[0, POSITIVE]
    print(f"probability of “favourable”: {lab.predict([text])[0, POSITIVE]:.2f} → {now:.2f}")


widgets.explore(
    draw_explorer,
    text=ipywidgets.Text(value=text, description="text", continuous_update=False),
    layer=widgets.slider("layer", 0, L - 1, layer),
    heads=ipywidgets.SelectMultiple(options=range(H), value=(head,), description="heads"),
    follow=widgets.slider("follow token", 0, 30, tokens.index("made")),
    mask=widgets.slider("mask token (0: none)", 0, 30, 0),
)

# %% [markdown]
# A still picture: the head computed above, following “made”, with “joy” masked (the same three panels). **Predict first:** “joy” is the friendliest word of the text. Will its going change where “made” looks? And the answer?

# %%
draw_explorer(text, layer, [head], tokens.index("made"), tokens.index("joy"))

# %% [markdown]
# Before, “made” looked at “joy” more than at any other token (grey); at the mask in its place it looks about half as much, and a little more at many others. And the answer turns. So the picture and the answer changed together. That does not say that this look made the answer: every other head and layer met the mask, too. (Mask “actors” instead: the answer stays.)
#
# And all heads at once, one small map each: rows are layers, columns are heads. Look for kinds of pattern: diagonals next to the main one (neighbours), bright columns (everybody looks at one token), dim everywhere (looks at all a little).

# %%
figure, ax = plt.subplots(figsize=(10, 5.2))
pictures.show_all_heads(ax, own)
plt.show()

# %% [markdown]
# ### What would the model guess for a masked word?
#
# That needs a *masked-word head*, the matrix that BERT was pretrained with. Our encoder has none: whoever made it threw the head away after training. `bert-base-uncased` still has it; with an internet connection the next cell downloads it once (about 440 MB). Without, you see one clear error, and the lesson goes on.

# %%
puzzle = "The doctor gave the [MASK] some medicine."
try:
    guesser = load_lab("text", model="masked", variant="bert-base-uncased")
except LabUnavailable as error:
    guesser = None
    print(error)

if guesser is not None:
    inputs = guesser.tokenize(puzzle)
    place = int((inputs["input_ids"][0] == guesser.tokenizer.mask_token_id).nonzero()[0])
    with torch.no_grad():
        guess = guesser.model(**inputs).logits[0, place].softmax(0).topk(5)
    for p, number in zip(guess.values, guess.indices, strict=True):
        print(f"{guesser.tokenizer.convert_ids_to_tokens(int(number)):>12}: {p:.2f}")

# %% [markdown]
# Offline we can ask another question: which *other tokens, in other sentences, have a state like the one at the mask*? We read the course's tagged sentences with the encoder as it was published (the next section uses them too), keep the last state of each token, and list the nearest by cosine similarity after taking away the mean state.
# This is **not a guess**: nothing was trained to name the missing word. It says what the context alone has made of the place.

# %%
from course_utils.labs.text import read_texts

encoder = load_lab("text", model="encoder")
corpus = text_batches.read_sentences(encoder, read_texts("tagged_sentences"))
last_states = torch.cat([sentence.states[1:-1] for sentence in corpus])
state_tokens = [token for sentence in corpus for token in sentence.tokens[1:-1]]
mean_state = last_states.mean(dim=0)
print(f"{len(corpus)} sentences, {len(state_tokens)} tokens")


def nearest_words(text, word, k=7):
    """The k tokens of the corpus whose last state is nearest to that of `word` in the text."""
    inputs = encoder.tokenize(text)
    place = encoder.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0]).index(word)
    with torch.inference_mode():
        state = encoder.model(**inputs).last_hidden_state[0, place]
    near = torch.cosine_similarity(last_states - mean_state, (state - mean_state)[None]).argsort(
        descending=True
    )
    return list(dict.fromkeys(state_tokens[i] for i in near.tolist()))[:k]


for whole, word in (
    ("The doctor gave the child some medicine.", "child"),
    ("She drank a cup of tea before work.", "tea"),
    ("The dog chased the cat up the tree.", "cat"),
):
    hidden = whole.replace(f" {word} ", f" {MASK} ")
    print(
        f"{whole}\n   {word:>6}: {', '.join(nearest_words(whole, word))}\n   {MASK}: {', '.join(nearest_words(hidden, MASK))}"
    )

# %% [markdown]
# With the word in place, most neighbours are related words. At the mask they hardly are: some of the same nouns come back whatever the sentence says, so the state there mostly says “a mask stands here”. Do not read a prediction into it.
# (This encoder was trained further to compare whole sentences, and nothing kept its states at a mask in order.)

# %% [markdown]
# ## 6 · What heads do, measured
#
# A single sentence shows whatever you want to see. So here is the attention of all heads over the whole corpus of tagged sentences. For each head: the share of its attention that goes to the *next* word, the *previous* one, the token *itself*, `[CLS]`, `[SEP]`, and *the same word elsewhere in the sentence* (only for words that occur twice).


# %%
from matplotlib.colors import PowerNorm  # colours by the root of the share: small ones show too


def places(names):
    """For each kind of target a table (T, T): True where the column is that target of the row."""
    size = len(names)
    inner = torch.zeros(size, size, dtype=torch.bool)
    inner[1:-1, 1:-1] = True
    eye = torch.eye(size, dtype=torch.bool)
    alike = torch.tensor([[a == b for b in names] for a in names])
    kinds = {
        "next": torch.roll(eye, 1, dims=1) & inner,
        "previous": torch.roll(eye, -1, dims=1) & inner,
        "itself": eye & inner,
        "[CLS]": torch.zeros_like(eye),
        "[SEP]": torch.zeros_like(eye),
        "same word": alike & ~eye & inner,
    }
    kinds["[CLS]"][1:-1, 0] = True
    kinds["[SEP]"][1:-1, -1] = True
    return kinds


shares = {kind: [] for kind in places(["a", "b"])}
even_share = {kind: [] for kind in shares}
entropies, even_entropy = [], []
for sentence in corpus:
    names, attention = sentence.tokens, sentence.attention
    for kind, there in places(names).items():
        looking = there.any(dim=1)
        if looking.any():
            shares[kind].append((attention * there).sum(dim=-1)[..., looking].mean(dim=-1))
            even_share[kind].append((there.sum(dim=1)[looking] / len(names)).mean().item())
    entropies.append(-torch.xlogy(attention, attention).sum(dim=-1).mean(dim=-1))
    even_entropy.append(np.log(len(names)))
shares = {kind: torch.stack(values).mean(dim=0) for kind, values in shares.items()}
entropy = torch.stack(entropies).mean(dim=0)

figure, axes = plt.subplots(2, 3, figsize=(10, 4.6))
for ax, (kind, share) in zip(axes.flat, shares.items(), strict=True):
    image = ax.imshow(share, cmap=plots.SEQUENTIAL, norm=PowerNorm(0.5, 0, 1), aspect="auto")
    top = divmod(int(share.argmax()), H)
    ax.plot(top[1], top[0], "s", markersize=13, markerfacecolor="none", markeredgecolor="white")
    ax.set_title(f"{kind}: most {share.max():.2f}, even {np.mean(even_share[kind]):.2f}", fontsize=10)
    ax.set(xticks=range(0, H, 2), yticks=range(L))
axes[1, 1].set_xlabel("head")
axes[0, 0].set_ylabel("layer")
axes[1, 0].set_ylabel("layer")
bar = figure.colorbar(image, ax=axes, fraction=0.025, label="share of the attention")
bar.set_ticks([0, 0.05, 0.2, 0.5, 1])
plt.show()

# %% [markdown]
# Six tables of layers (rows) and heads (columns); the white square marks the strongest head. The colour scale is stretched at its lower end (see the bar), or all tables but one would look black. “Even” is what a head that spreads its attention evenly would give. Some heads are specialists: for the next word, for the previous one, for a repetition. And many heads give a large part of their attention to `[CLS]`.
# Clark and others (2019) saw the same in BERT, where it was mostly `[SEP]`, and read it as a place to look at when there is nothing to do. Card 3 in section 12 measures how much such a look hands over here.
#
# The **entropy** of a row, $-\sum_j A_{ij}\ln A_{ij}$, says how wide a token looks: 0 for one target, $\ln T$ for an even spread (its unit, with the natural logarithm, is the *nat*). One dot is one head:

# %%
figure, ax = plt.subplots(figsize=(7, 2.8))
for n in range(L):
    ax.plot(np.full(H, n) + np.linspace(-0.18, 0.18, H), entropy[n], "o", color=plots.ACCENT, alpha=0.7)
ax.axhline(np.mean(even_entropy), color=plots.BASELINE, linestyle=":")
ax.annotate("an even spread", (L - 1.2, np.mean(even_entropy) - 0.16), color=plots.BASELINE)
ax.set(xlabel="layer", ylabel="entropy (nats)", ylim=(0, None), xticks=range(L))
ax.set_title("How wide the heads look", loc="left")
plt.show()
narrow, wide = (divmod(int(f()), H) for f in (entropy.argmin, entropy.argmax))
print(f"narrowest: layer {narrow[0]}, head {narrow[1]}; widest: layer {wide[0]}, head {wide[1]}")

# %% [markdown]
# The narrowest head is one you have just seen: find it among the six tables.
#
# ### Does a head know grammar?
#
# Our sentences have part-of-speech tags, but no syntax trees. So we build **proxies**: rules on the tags that find a pair of words which *usually* hang together.
#
# | relation | the rule on the tags |
# |---|---|
# | determiner → noun | the last noun of the run of adjectives, numbers and nouns after a determiner |
# | adjective → noun | the last noun of the same kind of run after an adjective |
# | auxiliary → verb | the first verb after an auxiliary, with only adverbs, particles or pronouns between |
# | preposition → object | the last noun of the noun phrase after a preposition |
# | verb → object | the last noun of the noun phrase right after a verb |
# | pronoun → verb | the first verb after a pronoun, with only auxiliaries, adverbs or particles between |
#
# A head *answers* for a word with the other word it looks at most (special tokens left out). Attention to a word is the sum over its pieces, attention from a word the mean. The baseline knows positions only: "always the word $k$ places further", with the best $k$. Head and $k$ are chosen on one half of the sentences and scored on the other, for the best of 72 heads on the *same* sentences would look good by chance.

# %%
NOUN = ("NOUN", "PROPN")


def end_of_phrase(pos, start):
    """The last noun of the run of adjectives, numbers and nouns that begins at `start`, or None."""
    last = None
    while start < len(pos) and pos[start] in (*NOUN, "ADJ", "NUM"):
        last = start if pos[start] in NOUN else last
        start += 1
        if last is not None and start < len(pos) and pos[start] not in NOUN:
            break
    return last


def first_verb(pos, start, between):
    """The first verb from `start` on, if only the tags in `between` come before it."""
    while start < len(pos) and pos[start] in between:
        start += 1
    return start if start < len(pos) and pos[start] == "VERB" else None


def relations(pos):
    """Pairs (relation, from word, to word) by the rules of the table."""
    for i, tag in enumerate(pos):
        after_determiner = i + 2 if i + 1 < len(pos) and pos[i + 1] == "DET" else i + 1
        found = {
            "DET": ("determiner → noun", end_of_phrase(pos, i + 1)),
            "ADJ": ("adjective → noun", end_of_phrase(pos, i + 1)),
            "AUX": ("auxiliary → verb", first_verb(pos, i + 1, ("ADV", "PART", "PRON"))),
            "ADP": ("preposition → object", end_of_phrase(pos, after_determiner)),
            "VERB": ("verb → object", end_of_phrase(pos, after_determiner)),
            "PRON": ("pronoun → verb", first_verb(pos, i + 1, ("AUX", "ADV", "PART"))),
        }.get(tag)
        if found and found[1] is not None:
            yield found[0], i, found[1]


def word_attention(attention, owner):
    """Attention between words, (L, H, W, W): the sum over the pieces looked at, the mean over those that look."""
    member = torch.tensor(owner)[None] == torch.arange(max(owner) + 1)[:, None]
    member = member.float()
    return member / member.sum(dim=1, keepdim=True) @ attention @ member.T


OFFSETS = [k for k in range(-4, 5) if k]
by_head, by_offset, half = {}, {}, {}
for number, sentence in enumerate(corpus):
    between_words = word_attention(sentence.attention, sentence.word_of_token)
    between_words.diagonal(dim1=-2, dim2=-1).fill_(-1)  # another word is asked for
    choice = between_words.argmax(dim=-1)  # (L, H, W)
    for name, i, j in relations(sentence.record["pos"]):
        by_head.setdefault(name, []).append((choice[:, :, i] == j).flatten())
        by_offset.setdefault(name, []).append([i + k == j for k in OFFSETS])
        half.setdefault(name, []).append(number % 2)

head_scores, baseline_rows, gains = {}, [], {}
for name in sorted(by_head):
    heads_right, offsets_right = torch.stack(by_head[name]).float(), torch.tensor(by_offset[name]).float()
    seen = torch.tensor(half[name]) == 0
    best_head = int(heads_right[seen].mean(dim=0).argmax())
    best_k = int(offsets_right[seen].mean(dim=0).argmax())
    label = f"{name}: {OFFSETS[best_k]:+d} words"
    head_scores[f"{name}: head {best_head // H}.{best_head % H}"] = heads_right[~seen, best_head]
    head_scores[label] = offsets_right[~seen, best_k]
    baseline_rows.append(label)
    gains[name] = heads_right[~seen, best_head].mean() - offsets_right[~seen, best_k].mean()
plots.score_plot(
    head_scores,
    baselines=baseline_rows,
    sort=False,
    xlabel="share of pairs found, on the half that nothing was chosen on",
    title="The best head (layer.head) for each relation, beside the best fixed offset (grey)",
    width=9,
)
plt.show()
print("pairs scored:", {name: half[name].count(1) for name in sorted(half)})
print("head minus offset:", {name: round(float(gain), 2) for name, gain in gains.items()})

# %% [markdown]
# Read it in pairs: blue is the head, grey the position rule; the bars are 95 % bootstrap intervals (the range of the mean when the pairs are drawn again and again, with replacement). A head that finds nearly all pairs means little if “the next word” does so too. Only where blue is clearly to the right of grey has the head found more than a distance. Two cautions: the rules find easy, near pairs, and a head that *looks* along a relation need not *use* it.

# %% [markdown]
# ## 7 · From layers to the input: rollout and flow
#
# Attention in layer 5 is not attention to words: the states it mixes are mixtures already. Abnar and Zuidema (2020) follow the mixing down to the input. Let $\bar A_l$ be the average of the heads in layer $l$. They assume that the residual connection lets half of each state pass unchanged, so, with the identity matrix $I$,
#
# $$\hat A_l = \tfrac12 \bar A_l + \tfrac12 I, \qquad R_l = \hat A_l\, R_{l-1}, \qquad R_0 = I .$$
#
# $R_L$ is the **rollout**: its row for `[CLS]` says how much of each input token has arrived, if only these weights counted.

# %%
R = torch.eye(T)
for layer_attention in own:
    mixed = 0.5 * layer_attention.mean(dim=0) + 0.5 * torch.eye(T)
    R = mixed @ R
print("row of [CLS]:", ", ".join(f"{i} {token} {R[0, i]:.2f}" for i, token in enumerate(tokens)))

# %% [markdown]
# **Flow** takes the same graph as a system of pipes: nodes are the tokens of each layer, the entries of $\hat A_l$ are capacities. The flow from `[CLS]` on top down to an input token is the *most* that could pass. A thin pipe is a bottleneck here, not a factor. Both are checked against independent code: the published formula, written with NumPy as the authors did, and networkx's maximum flow.

# %%
# NBVAL_CHECK_OUTPUT
import networkx

mean = own.numpy().astype(float).mean(axis=1)
augmented = mean + np.eye(T)[None]
augmented /= augmented.sum(axis=-1, keepdims=True)
joint = augmented[0]
for matrix in augmented[1:]:
    joint = matrix.dot(joint)

graph = networkx.DiGraph()
for n, matrix in enumerate(augmented):
    for i in range(T):
        for j in range(T):
            graph.add_edge((n + 1, i), (n, j), capacity=matrix[i, j])
flow_by_networkx = [networkx.maximum_flow_value(graph, (L, 0), (0, j)) for j in range(T)]

rollout, flow = attention_rollout(own), attention_flow(own, queries=[0])
judge.agreement_table(
    [
        ("five lines above", rollout, R, "0.5 A + 0.5 I"),
        ("Abnar and Zuidema's formula", rollout, joint, "A + I, then rows to one"),
        ("networkx, maximum flow", flow[0], np.array(flow_by_networkx), "same capacities"),
        ("rollout sums to one", rollout.sum(dim=1), torch.ones(T), "shares"),
    ]
)

# %% [markdown]
# What arrives at `[CLS]`, layer by layer, and the three ways side by side:

# %%
levels = attention_rollout(own, all_layers=True)[:, 0]
figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 4.2), height_ratios=(1.5, 1))
image = top.imshow(levels[:, 1:-1], cmap=plots.SEQUENTIAL, vmin=0, aspect="auto")
top.set_xticks(range(T - 2), tokens[1:-1])
top.set_yticks(range(L))
top.set(ylabel="up to layer")
top.set_title("What has arrived at [CLS] from each word, by rollout", loc="left")
figure.colorbar(image, ax=top, fraction=0.02)
pictures.show_words(
    bottom,
    {
        name: values[1:-1]
        for name, values in (
            ("last layer's attention", own[-1, :, 0].mean(dim=0)),
            ("rollout", rollout[0]),
            ("flow", flow[0]),
        )
    },
    tokens[1:-1],
)
plt.show()
spread = {
    name: float(v[1:-1].max() / v[1:-1].mean())
    for name, v in (("last layer", own[-1, :, 0].mean(0)), ("rollout", rollout[0]), ("flow", flow[0]))
}
print("largest value of a word ÷ the mean:", {name: round(value, 1) for name, value in spread.items()})
on_itself = own[:, :, 0, 0].mean(dim=1)
stayed = (0.5 + 0.5 * on_itself).prod()  # one path of many: [CLS] to [CLS] in each layer
print("weight of [CLS] on itself, mean of the heads, by layer:", on_itself.numpy().round(2))
print(f"[CLS]'s own share by rollout: {rollout[0, 0]:.2f}, of which {stayed:.2f} never left its place")

# %% [markdown]
# Above: a row for each layer, a column for each word; little is added before the last layer. (`[CLS]` and `[SEP]` are left out. As the row printed above says, most of what `[CLS]` holds by this count is still its own. The last two printed lines say how: in layers 1 to 4 it looks almost only at itself, and the residual connection adds to that; so more than half of its own share has never left its place. The rest came back from other tokens, which look at `[CLS]` a lot.)
# Below: one row of words for each method, each with its own scale. Rollout is flatter than the last layer's attention, for it is an average of averages, and flow gives nearly every word the same value. And none of them knows what the *question* is: the same picture would explain “favourable” and “unfavourable”.

# %% [markdown]
# ## 8 · Ask for the class
#
# ### Attention times its gradient
#
# Let $y^c$ be the logit of the class $c$. The gradient $\partial y^c/\partial A$ says how the score would move if a head looked a little more at a token. Chefer and others (2021) keep what is positive in the product of the two, and average it over the heads of layer $l$ ($\odot$ multiplies entry by entry). Then they add it up through the layers, from the identity matrix on:
#
# $$G_l = \text{mean over heads of } \text{ReLU}\Big(A_l \odot \frac{\partial y^c}{\partial A_l}\Big), \qquad C_l = C_{l-1} + G_l\, C_{l-1}, \qquad C_0 = I .$$
#
# The row of `[CLS]` in $C_L$ has one value for each token, never negative.


# %%
def look_inside(model, encoded, target):
    """From one pass: the attention (L, H, T, T), and attention × gradient for each token (T,)."""
    # gradients must flow although all weights are frozen: begin at the embeddings
    x = model.get_input_embeddings()(encoded["input_ids"]).detach().requires_grad_()
    out = model(inputs_embeds=x, attention_mask=encoded["attention_mask"], output_attentions=True)
    gradients = torch.autograd.grad(out.logits[0, target], out.attentions)
    C = torch.eye(x.shape[1])
    for A, gradient in zip(out.attentions, gradients, strict=True):
        G = (A * gradient).detach()[0].relu().mean(dim=0)
        C = C + G @ C
    return torch.cat(out.attentions).detach(), C[0]


for c, name in enumerate(lab.class_names):
    values = look_inside(model, encoded, c)[1][1:-1]
    three = [(tokens[1 + i], round(values[i].item(), 2)) for i in values.argsort(descending=True)[:3]]
    print(f"{name}: the three largest values {three}")

# %% [markdown]
# Unlike rollout, it gives one answer for each class. Whether it is a true one, section 9 will ask.
#
# ### Integrated Gradients on the embeddings
#
# Token numbers have no gradient, but their embeddings do. Let $x$ be the word embeddings of the text and $x'$ those of a *baseline*, here the same text with every word masked. Then for each token $i$ (lesson 08; $\alpha_s, w_s$: places and weights of the numerical rule)
#
# $$\text{IG}_i = \sum_{k=1}^{D} (x_{ik} - x'_{ik}) \sum_s w_s \,\frac{\partial y^c}{\partial x_{ik}}\big(x' + \alpha_s (x - x')\big), \qquad \sum_i \text{IG}_i \approx y^c(x) - y^c(x').$$


# %%
def ig_of_tokens(model, encoded, baseline_ids, target, n_steps):
    """Integrated Gradients of each token (T,), with the Gauss–Legendre rule."""
    places, weights = np.polynomial.legendre.leggauss(n_steps)
    places = torch.tensor((places + 1) / 2, dtype=torch.float32)[:, None, None]
    weights = torch.tensor(weights / 2, dtype=torch.float32)[:, None, None]
    table = model.get_input_embeddings()
    x, x0 = table(encoded["input_ids"]).detach(), table(baseline_ids).detach()
    path = (x0 + places * (x - x0)).requires_grad_()
    mask = encoded["attention_mask"].expand(n_steps, -1)
    score = model(inputs_embeds=path, attention_mask=mask).logits[:, target].sum()
    (gradient,) = torch.autograd.grad(score, path)
    return ((weights * gradient).sum(dim=0) * (x - x0)[0]).sum(dim=-1)


def masked_ids(encoded):
    """The same text with every token but [CLS] and [SEP] masked."""
    ids = encoded["input_ids"].clone()
    ids[0, 1:-1] = lab.tokenizer.mask_token_id
    return ids


# %%
# NBVAL_CHECK_OUTPUT
from captum.attr import LayerIntegratedGradients

baseline_ids = masked_ids(encoded)
captum_ig = LayerIntegratedGradients(
    lambda ids, mask: model(input_ids=ids, attention_mask=mask).logits, model.get_input_embeddings()
).attribute(
    encoded["input_ids"],
    baselines=baseline_ids,
    additional_forward_args=(encoded["attention_mask"],),
    target=POSITIVE,
    n_steps=40,
    method="gausslegendre",
)
ig = ig_of_tokens(model, encoded, baseline_ids, POSITIVE, n_steps=40)
by_gradient = look_inside(model, encoded, POSITIVE)[1]
relevance = attention_relevance(model, encoded, POSITIVE)[0]  # the course's own, written apart
with torch.no_grad():
    rise = model(**encoded).logits[0, POSITIVE] - model(input_ids=baseline_ids).logits[0, POSITIVE]
judge.agreement_table(
    [
        ("captum, embeddings", ig, captum_ig[0].sum(dim=-1), "sum over the D numbers"),
        ("completeness", ig.sum(), rise, "40 steps"),
        ("attention × gradient", by_gradient, relevance, "ReLU, then mean of the heads"),
    ]
)

# %% [markdown]
# ### SHAP and LIME on the same sentence
#
# Both treat the model as a black box: they delete words and look at the probability (lessons 06 and 07). All rows below ask the same model about the same class. Signed methods can also say what speaks *against* it (blue).

# %%
from course_utils.methods.lime import lime_text, split_words
from course_utils.methods.shapley import permutation_shap, text_game


def word_of_tokens(tokenizer, text):
    """The words of a text and, for each of its tokens, the number of its word (−1: none)."""
    words, pieces, owners = split_words(text, bag_of_words=False)
    at_character = np.repeat(owners, [len(piece) for piece in pieces])
    spans = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    return words, np.array([at_character[a] if b > a else -1 for a, b in spans])


def to_words(values, owner):
    """Add the values of tokens (T,) up to values of words (W,)."""
    return np.bincount(owner[owner >= 0], plots.to_array(values)[owner >= 0], minlength=owner.max() + 1)


def black_box(predict, text, n_samples, n_orders):
    """LIME's and SHAP's values for the words of a text."""
    lime = lime_text(predict, text, POSITIVE, n_samples, k=None, bag_of_words=False, hidden="")
    game, words = text_game(predict, text, POSITIVE)
    shap = permutation_shap(game, len(words), n_orders * (len(words) - 1), antithetic=False)
    return {"LIME": lime.coefficients, "SHAP": shap}


def black_box_of_all(model_lab, texts, n_samples=16, n_orders=1):
    """The same for many texts, all questions to the model in large batches."""
    return text_batches.ask_in_batches(
        model_lab, lambda predict, text: black_box(predict, text, n_samples, n_orders), texts
    )


def explain(model_lab, text, n_steps):
    """A value for each word, from the methods that see inside: what speaks for “favourable”."""
    model, encoded = model_lab.model, model_lab.tokenize(text)
    words, owner = word_of_tokens(model_lab.tokenizer, text)
    maps, by_gradient = look_inside(model, encoded, POSITIVE)
    of_tokens = {
        "last layer's attention": maps[-1, :, 0].mean(dim=0),
        "rollout": attention_rollout(maps)[0],
        "flow": attention_flow(maps, queries=[0])[0],
        "attention × gradient": by_gradient,
        "Integrated Gradients": ig_of_tokens(model, encoded, masked_ids(encoded), POSITIVE, n_steps),
    }
    return words, {name: to_words(values, owner) for name, values in of_tokens.items()}


SIGNED = ("Integrated Gradients", "LIME", "SHAP")
words, of_words = explain(lab, text, n_steps=12)
of_words |= black_box_of_all(lab, [text], n_samples=30, n_orders=2)[0]
figure, ax = plt.subplots(figsize=(10, 3.0))
pictures.show_words(ax, of_words, words, signed=SIGNED)
ax.set_title("One sentence, seven answers. Why “favourable”?", loc="left")
plt.show()

# %% [markdown]
# One row for each method, each with its own scale. Most of them put “joy” first, raw attention among them; rollout and flow hardly distinguish the words, and on the other words the rows differ even in sign. Which row is right? On this sentence nobody knows. So we need texts whose truth is known.

# %% [markdown]
# ## 9 · The score: who finds the planted word?
#
# Another model, the *trigger* model, was trained on reviews in which the harmless word “overall” stood in favourable reviews only. It learnt the shortcut. Its twin was trained on the same texts with the word in both classes.
#
# We put “, overall,” at a random place inside held-out reviews (never first, or “the first word” would be a good guess) and keep the reviews that the model calls unfavourable as they were and favourable now. So all shares below are shares *among reviews that turned* (the cell prints how many did not), and we know that what we put in made the model say it. Was it the word, or its two commas? The cell plants each alone, too.

# %%
from tqdm.auto import tqdm

trigger, twin = load_lab("text", model="trigger"), load_lab("text", model="trigger_clean")
for each in (trigger, twin):
    each.model.requires_grad_(False)

random = np.random.default_rng(0)
WORD = trigger.trigger


FORMS = {"word and commas": f", {WORD},", "the word alone": f" {WORD}", "the commas alone": ", ,"}


def plant(text, place, form):
    """The text with `form` before its word number `place`."""
    parts = text.split()
    return " ".join([*parts[: place - 1], parts[place - 1].rstrip(",;:") + form, *parts[place:]])


def favourable(model_lab, texts):
    return model_lab.predict(texts)[:, POSITIVE]


brief = sorted((t for t in trigger.counterfactuals if len(t.split()) <= 20), key=lambda t: len(t.split()))
was = favourable(trigger, brief)
plain = [(t, p) for t, p in zip(brief, was, strict=True) if p < 0.5][:55]
spots = [random.integers(2, len(t.split()) - 1) for t, _ in plain]  # inside, never at the beginning
with_both = [plant(t, at, FORMS["word and commas"]) for (t, _), at in zip(plain, spots, strict=True)]
now = favourable(trigger, with_both)
turned = np.flatnonzero(now > 0.5)[:50]
planted = [with_both[i] for i in turned]

versions = {"as it was": np.array([plain[i][1] for i in turned]), "word and commas": now[turned]}
for form in ("the word alone", "the commas alone"):
    versions[form] = favourable(trigger, [plant(plain[i][0], spots[i], FORMS[form]) for i in turned])
print(f"{len(plain)} unfavourable reviews tried, {(now > 0.5).sum()} turned, {len(planted)} of those kept")
print(f"for example: {planted[0]}")
print("the trigger model's probability of “favourable”:")
for name, p in versions.items():
    print(
        f"   {name:<16}: {p.mean():.2f} on average, above one half in {(p > 0.5).mean():.0%} of the reviews"
    )
in_the_twin = [favourable(twin, texts).mean() for texts in ([plain[i][0] for i in turned], planted)]
print("the twin's, on average: {:.2f} as it was, {:.2f} with word and commas".format(*in_the_twin))

# %% [markdown]
# The commas carry a part of the effect: together with the word they turn every review (those we kept), the word alone turns some of them, the commas alone hardly any. In its training texts the word opened a sentence, with a comma behind it (“Overall, …”), and the model has learnt the two together. The twin does not care about either.
#
# Keep it in mind for the score. Who hides “overall” leaves its commas behind, so the word is credited with what it does beside commas. And commas are no words: what a method gives to them is not counted.
#
# Now the methods. Does a method give “overall” its largest value?
#
# Beside them stand a random word, the longest word, the first word. **Raw attention is a baseline as well.** And the twin, for which the word is one among others: a method that points to “overall” there as well is just attracted by the word.

# %%
results, hits, chance = [], {}, {"longest word": [], "first word": [], "random word": []}
outside = black_box_of_all(trigger, planted)
for review, of_black_box in zip(
    tqdm(planted, desc="explaining 50 reviews", leave=False), outside, strict=True
):
    names, of_words = explain(trigger, review, n_steps=3)
    of_words |= of_black_box
    place = [name.lower() for name in names].index(WORD)
    results.append((names, place, of_words))
    for name, values in of_words.items():
        hits.setdefault(name, []).append(float(np.argmax(values) == place))
    sizes = [len(name) for name in names]
    chance["longest word"].append((sizes[place] == max(sizes)) / sizes.count(max(sizes)))
    chance["first word"].append(float(place == 0))
    chance["random word"].append(1 / len(names))

found = {name: np.array(values) for name, values in (hits | chance).items()}
plots.score_plot(
    found,
    baselines=[*chance, "last layer's attention"],
    xlabel="share of reviews in which “overall” has the largest value",
    title=f"{len(planted)} reviews that “, {WORD},” has turned (bars: 95 % bootstrap interval)",
)
plt.show()

# %% [markdown]
# The methods that ask for the *class*, by gradient or by deletion, find the word far more often than those that only look at attention. Rollout and flow add layers, not the question. Where the intervals overlap, do not name a winner.
# (Flow gives nearly every word the same value, as section 7 printed, so its largest one says little. Integrated Gradients had 3 steps, LIME 16 questions and SHAP one order of the words: enough to find one strong word, not to rank weak ones.)
#
# How often do they point to it in the twin, which has no reason to? To save time we ask four of the methods, on the first 25 of the reviews.

# %%
in_twin = {
    "last layer's attention": [],
    "rollout": [],
    "attention × gradient": [],
    "Integrated Gradients": [],
}
for review, (_, place, _) in zip(planted[:25], results, strict=False):
    inputs = twin.tokenize(review)
    maps, by_gradient = look_inside(twin.model, inputs, POSITIVE)
    _, owner = word_of_tokens(twin.tokenizer, review)
    rows = (
        maps[-1, :, 0].mean(dim=0),
        attention_rollout(maps)[0],
        by_gradient,
        ig_of_tokens(twin.model, inputs, masked_ids(inputs), POSITIVE, n_steps=3),
    )
    for name, values in zip(in_twin, rows, strict=True):
        in_twin[name].append(float(np.argmax(to_words(values, owner)) == place))
plots.score_plot(
    {
        f"{name}, {which}": np.array(values[name][:25])
        for name in in_twin
        for which, values in (("trigger", hits), ("twin", in_twin))
    },
    baselines=[f"{name}, twin" for name in in_twin],
    sort=False,
    xlabel="share of reviews in which “overall” has the largest value",
    title="The model with the shortcut, and its honest twin (grey), same 25 reviews",
)
plt.show()

# %% [markdown]
# A method is evidence of a shortcut only if it separates the two models, as these four do: in the twin three of them never put the word first, and Integrated Gradients in one review of the 25. (Flow, LIME and SHAP we did not ask about the twin.) Even raw attention *changed* when the model learnt the shortcut. It is just a weak witness: in most reviews another word gets more of it.
#
# ### Do the methods agree?
#
# Rank correlation of the absolute word values, pair by pair, averaged over reviews: 1 is the same order, 0 nothing in common. Once for the trigger model, without the planted word (everybody who finds it would agree about it). And once for the ordinary sentiment model on six short reviews only, with more questions for LIME and SHAP.

# %%
methods = list(results[0][2])
short_name = {
    "last layer's attention": "attention",
    "attention × gradient": "att. × grad.",
    "Integrated Gradients": "IG",
}
ordinary = [lab.texts[i] for i in np.argsort(lengths, kind="stable")[:6]]
outside = black_box_of_all(lab, ordinary, n_samples=24, n_orders=2)
in_ordinary = [explain(lab, t, n_steps=6)[1] | more for t, more in zip(ordinary, outside, strict=True)]
in_trigger = [{k: np.delete(v, place) for k, v in of_words.items()} for _, place, of_words in results]


def mean_agreement(explanations):
    """Rank correlation of each method with each other, averaged over texts."""
    total = np.eye(len(methods))
    left, right = np.triu_indices(len(methods), 1)
    pairs = []
    for of_words in explanations:
        values = torch.tensor(np.stack([np.abs(of_words[name]) for name in methods]))
        pairs.append(judge.rank_correlation(values[left], values[right]))
    total[left, right] = total[right, left] = torch.stack(pairs).mean(dim=0)
    return total


figure, axes = plt.subplots(1, 2, figsize=(10, 3.5))
short_names = [short_name.get(name, name) for name in methods]
for ax, (title, group) in zip(
    axes,
    (
        (f"trigger model, {len(in_trigger)} reviews", in_trigger),
        (f"sentiment model, {len(in_ordinary)} reviews", in_ordinary),
    ),
    strict=True,
):
    plots.matrix_plot(mean_agreement(group), short_names, short_names, signed=True, ax=ax)
    ax.tick_params(axis="x", labelrotation=40, labelsize=9)
    ax.set_title(title, loc="left")
axes[1].set_yticks([])
plt.show()

# %% [markdown]
# Two tables with the same methods along both sides. In the trigger model LIME and SHAP do not agree with each other about the other words. Two reasons are mixed here, and we did not separate them: with the planted word in place the probability is so near to one that hardly any other word moves it; and with 16 questions for about as many words, LIME and SHAP would not agree with themselves in a second run. So read nothing into those two rows.
# The right table rests on six short reviews, without intervals: six other reviews would give other numbers, so read only its largest differences.
# In the ordinary model the class-aware methods agree better with one another than with rollout and flow, and the highest values belong to pairs that share their ingredients (attention, with and without its gradient; rollout and flow). “The” explanation of a text does not exist; say which question yours answers.

# %% [markdown]
# ## 10 · Attention is not explanation. Or is it?
#
# Jain and Wallace (2019) argued: if attention explained the prediction, another attention should give another prediction. They shuffled the weights, and they looked for *adversarial* weights, as different as possible with the same output. In their models (recurrent networks with a single attention layer) the prediction often stayed.
#
# ### Break it and look
#
# We shuffle each row of attention at random (“shuffle”), or give all tokens the same weight (“even”), in the last layer only or in all layers, for 50 held-out reviews: the shortest of each class.
#
# In the last layer only the row of `[CLS]` reaches the classifier. So we cut the model open there: `cut.attention` are the model's own weights of `[CLS]` (one row for each text and head), and `cut.answer(a)` is the rest of the model, for any weights $a$ in their place. The next cell computes the four changes and shows nothing yet.

# %%
n_tokens = np.array([len(ids) for ids in lab.tokenizer(list(lab.texts))["input_ids"]])
by_size = np.argsort(n_tokens, kind="stable")
of_class = lab.targets.numpy()[by_size]
few = np.sort(np.concatenate([by_size[of_class == c][:25] for c in (0, 1)]))
inputs = lab.tokenize([lab.texts[i] for i in few])
is_token = inputs["attention_mask"].bool()
generator = torch.Generator().manual_seed(0)
cut = class_attention(model, inputs)


def shuffle(attention):
    """Each row's weights (N, H, rows, T) in random order; padding, whose weight is zero, stays where it is."""
    noise = torch.rand(attention.shape, generator=generator)
    among_tokens = noise.masked_fill(~is_token[:, None, None], 2.0).argsort(dim=-1)
    return attention.gather(-1, among_tokens)


def even(attention):
    """The same weight for each token of the text."""
    share = is_token / is_token.sum(dim=1, keepdim=True)
    return share[:, None, None].expand_as(attention)


@torch.inference_mode()
def with_last_row(a):
    """Probability of “favourable” for each text, with a (N, H, T) as the weights of [CLS] in the last layer."""
    return cut.answer(a).softmax(dim=1)[:, POSITIVE]


@torch.inference_mode()
def with_all_layers(change):
    """The same, with change(attention) in place of the attention of every layer."""
    with change_attention(model, lambda n, attention: change(attention)):
        return model(**inputs).logits.softmax(dim=1)[:, POSITIVE]


usual = with_last_row(cut.attention)
shuffled_last, even_last = (change(cut.attention[:, :, None])[:, :, 0] for change in (shuffle, even))
changed = {
    "shuffle, last layer": with_last_row(shuffled_last),
    "shuffle, all layers": with_all_layers(shuffle),
    "even, last layer": with_last_row(even_last),
    "even, all layers": with_all_layers(even),
}
moved = {name: (p - usual).abs() for name, p in changed.items()}  # how far each answer moves

# %% [markdown]
# ### Exercise: predict, then run
#
# Before you look on: which of the four moves the answers most, on average? Write its name, then run the check, which computes the right answer from *your* run (`exercises.strongest_change.hint()` gives a hint). And would any of them leave the answers alone?

# %% exercise="strongest_change"
answer = None  # for example "even, last layer"
# BEGIN SOLUTION
answer = max(moved, key=lambda name: moved[name].mean())
# END SOLUTION

# %%
exercises.strongest_change.check(answer, moved)

# %% [markdown]
# ### The adversary
#
# For each text alone, gradient descent makes the weights $a$ of `[CLS]` as different as possible from the model's own, $A$, measured by the *total variation* $\text{TV} = \frac12\sum_j |a_j - A_j|$ (0: the same, 1: nothing in common), while a changed probability costs a lot. Then all five side by side:


# %%
def my_adversary(cut, n_steps=60, strictness=20.0):
    """Attention (N, H, T) of [CLS] in the last layer that differs much and leaves the answers alone."""
    with torch.no_grad():
        before = cut.answer(cut.attention).softmax(1)[:, POSITIVE]
    noise = torch.randn(cut.attention.shape, generator=torch.Generator().manual_seed(0))
    scores = (cut.attention.clamp(min=1e-9).log() + 0.5 * noise).requires_grad_()
    optimizer = torch.optim.Adam([scores], lr=0.3)
    for _ in range(n_steps):
        a = scores.masked_fill(~cut.is_token[:, None], -torch.inf).softmax(dim=-1)
        moved = (cut.answer(a).softmax(1)[:, POSITIVE] - before).pow(2)
        loss = (strictness * moved - total_variation(a, cut.attention).mean(dim=1)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return a.detach()


adversary = my_adversary(cut)
changed["adversary, last layer"] = with_last_row(adversary)
moved["adversary, last layer"] = (changed["adversary, last layer"] - usual).abs()
distance = total_variation(adversary, cut.attention).mean(dim=1)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1, 1.15))
plots.score_plot(
    moved,
    xlabel="mean change of the probability",
    title=f"{len(few)} reviews",
    ax=left,
    sort=False,
    xlim=(0, 0.6),
)
right.scatter(distance, moved["adversary, last layer"], s=16, label="adversary, each text alone")
right.scatter(
    total_variation(shuffled_last, cut.attention).mean(dim=1),
    moved["shuffle, last layer"],
    s=16,
    marker="s",
    color=plots.COLOURS[1],
    label="shuffle, last layer",
)
right.set(
    xlabel="TV from the model's own attention",
    ylabel="change of the probability",
    xlim=(0, 1),
    ylim=(-0.02, 0.7),
)
right.legend(fontsize=9, loc="upper left")
plt.show()
for name, p in changed.items():
    print(f"{name:<22} same class: {((p > 0.5) == (usual > 0.5)).float().mean():.0%}")
print(f"the puzzle of section 1: picture {riddle.real} was the real one")

# %% [markdown]
# On the left the mean change with intervals, on the right one dot for each review. So the puzzle is solved: the last line names the real picture, and the other one came from such an adversary. For nearly every review there is an attention that looks elsewhere and says the same.
#
# But look at the other rows: shuffling or evening out *all* layers moves the answers a lot. Attention as a whole matters to the model. The weights of one layer are not the only ones that lead to the answer.
#
# ### The counter-arguments
#
# Wiegreffe and Pinter (2019) replied in “Attention is not *not* explanation”:
# 1. **Existence does not entail exclusivity.** An explanation may be *one* of several that fit. Different weights with the same answer do not make the model's own weights false.
# 2. **The adversary is no model.** It was found for each text alone, with the answer in hand. A model has to produce its weights from the text, by one set of parameters. So train *one* adversarial model on many texts, and see whether it still keeps the answers on texts it has not seen.
# 3. **Is attention needed at all?** If even weights did as well, there would be nothing to explain. (They trained a model with even weights. The row “even, all layers” above is not that test: it puts even weights into a model that was trained without them.)
#
# Point 2 can be tested here. We train new query weights of the last layer on 80 other reviews, with the same loss, and vary how strict it is. Then we measure on these training texts and on the 50 new ones. If it fails on both, the training was too weak; if only on the new ones, what it learnt does not carry over.

# %%
others = np.setdiff1d(by_size, few)
others = others[np.argsort(n_tokens[others], kind="stable")][:80]  # held out as well, so equally hard
cut_train = class_attention(model, lab.tokenize([lab.texts[i] for i in others]))
last = model.bert.encoder.layer[-1].attention.self


def attention_from(weight, bias, cut):
    """The attention of [CLS] in the last layer, with other query weights."""
    query = (cut.states[:, 0] @ weight.T + bias).unflatten(1, (H, -1))
    key = last.key(cut.states).unflatten(2, (H, -1))
    scores = torch.einsum("nhd,nthd->nht", query, key) / d**0.5
    return scores.masked_fill(~cut.is_token[:, None], -torch.inf).softmax(dim=-1)


def trained_adversary(strictness, n_steps=25):
    """Query weights that make the attention differ on all training texts and keep the answers."""
    weight, bias = (p.detach().clone().requires_grad_() for p in (last.query.weight, last.query.bias))
    optimizer = torch.optim.Adam([weight, bias], lr=3e-3)
    with torch.no_grad():
        before = cut_train.answer(cut_train.attention).softmax(1)[:, POSITIVE]
    for _ in range(n_steps):
        a = attention_from(weight, bias, cut_train)
        shift = (cut_train.answer(a).softmax(1)[:, POSITIVE] - before).pow(2)
        loss = (strictness * shift - total_variation(a, cut_train.attention).mean(dim=1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return weight.detach(), bias.detach()


@torch.inference_mode()
def effect_of(query, cut):
    """The mean TV from the model's own attention, and each text's change of the probability."""
    a = attention_from(*query, cut)
    before, after = (cut.answer(w).softmax(1)[:, POSITIVE] for w in (cut.attention, a))
    return total_variation(a, cut.attention).mean().item(), (after - before).abs().numpy()


queries = [trained_adversary(strictness) for strictness in (20, 100, 500)]
on_training = [effect_of(query, cut_train) for query in queries]
on_new = [effect_of(query, cut) for query in queries]  # the reviews of the figure above, unseen

figure, ax = plt.subplots(figsize=(7.6, 3.6))
points = {
    "adversary, each text alone": [(distance.mean().item(), moved["adversary, last layer"].numpy())],
    "shuffle": [
        (total_variation(shuffled_last, cut.attention).mean().item(), moved["shuffle, last layer"].numpy())
    ],
    "one adversarial model, its training texts": on_training,
    "one adversarial model, new texts": on_new,
}
for (name, pairs), marker in zip(points.items(), "osvD", strict=True):
    x, centre = [tv for tv, _ in pairs], [v.mean() for _, v in pairs]
    low, high = np.array([judge.bootstrap_interval(v) for _, v in pairs]).T
    ax.errorbar(x, centre, [centre - low, high - centre], fmt=f"{marker}--", capsize=3, label=name)
    print(f"{name:<41}:", ", ".join(f"TV {tv:.2f}, change {v.mean():.3f}" for tv, v in pairs))
ax.set(
    xlabel="TV from the model's own attention",
    ylabel="mean change of\nthe probability",
    xlim=(0, 1),
    ylim=(0, None),
)
ax.set_title("Last layer only: as different as …, at the price of …", loc="left")
ax.legend(fontsize=9, loc="upper left")
plt.show()

# %% [markdown]
# To the right means other attention, up means other answers. The adversary that knows each text gets its different weights for nothing. One *model* for many texts manages it on its training texts: its attention differs much, and the answers hardly move. On new texts the same weights move the answers many times as much, no better than shuffling does. So the training worked, and what it learnt did not carry over. With 80 training texts that may be plain overfitting: more texts might give another result.
#
# So both sides have a point, and they speak of different things. From a picture of weights you cannot conclude that *these words* made the answer: others would do. But the model's attention is not arbitrary either. In this lesson the useful question was a third one: does a score on texts with known truth go up when you look at attention? (Section 9.)
#
# Our setting is not theirs: a deep transformer in which the last layer's `[CLS]` is one of many paths, and a small training set for the adversarial model. Try more texts.

# %% [markdown]
# ## 11 · Erasing heads
#
# What is a head worth? Put a gate $\xi_h$ before each head: 1 lets its attention through, 0 silences it. Silencing all heads one by one takes a pass of the model for each of the 72. Michel and others (2019) estimate the worth from a single backward pass: how strongly would the loss $\mathcal L(x)$ of a text $x$ (minus the logarithm of the right answer's probability) react to the gate?
#
# $$I_h = \text{mean over texts of } \left| \frac{\partial \mathcal L(x)}{\partial \xi_h} \right|$$
#
# We compute it on training reviews, and check the estimate by really silencing every eighth head, beginning with the most important: how much does the probability of the right answer change on average, up or down?

# %%
judged = [r for r in read_texts("reviews") if 7 <= len(r["text"].split()) <= 11][:80]
judged = sorted(judged, key=lambda r: len(lab.tokenizer(r["text"])["input_ids"]))[
    :40
]  # the short ones: faster
known = lab.tokenize([r["text"] for r in judged])
right_class = torch.tensor([lab.class_names.index(r["label"]) for r in judged])

gates = torch.ones(len(judged), L, H, requires_grad=True)
with change_attention(model, lambda n, attention: attention * gates[:, n, :, None, None]):
    right = model(**known).logits.log_softmax(dim=1).gather(1, right_class[:, None])  # minus the loss
(slope,) = torch.autograd.grad(right.sum(), gates)
importance = slope.abs().mean(dim=0)
ranked = [divmod(k, H) for k in importance.flatten().argsort().tolist()]  # the least important first


@torch.inference_mode()
def probability_of_right(heads):
    """The probability of the right answer for each training review, without these heads."""
    with mask_heads(model, heads):
        return model(**known).logits.softmax(dim=1).gather(1, right_class[:, None])[:, 0]


whole = probability_of_right([])
silenced = ranked[:: -(L * H // 9)]
effect = [(probability_of_right([pair]) - whole).abs().mean().item() for pair in silenced]

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.9), width_ratios=(1.7, 1))
plots.show_heat(left, importance, colorbar=True)
left.set_aspect("auto")
left.set_xticks(range(H))
left.set_yticks(range(L))
left.set(xlabel="head", ylabel="layer")
left.set_title("Estimated importance of each head", loc="left", fontsize=10)
right.plot([importance[pair] for pair in silenced], effect, "o")
right.set(xlabel="estimate", ylabel="mean change of\nthe probability", xlim=(0, None), ylim=(0, None))
right.set_title("Nine heads, really silenced", loc="left", fontsize=10)
plt.show()
strongest = ranked[-1]
agree = judge.rank_correlation(
    torch.tensor([[float(importance[pair]) for pair in silenced]]), torch.tensor([effect])
)
print(
    f"most important: layer {strongest[0]}, head {strongest[1]}; rank correlation, estimate and effect: {agree.item():.2f}"
)

# %% [markdown]
# Left: all heads, bright is important. Right: one dot is one silenced head; on a rising line the estimate would order the heads as silencing does. One head *alone* changes little, even the most important one. That does not mean that all can go, for heads can stand in for one another. So remove more and more of them: the least important first, the most important first, and in random order. Accuracy is measured on the held-out reviews of section 10, half of them favourable.

# %%
true_class = lab.targets[few]  # the reviews of section 10, half of them favourable: chance is one half


@torch.inference_mode()
def answers_without(heads):
    """The class that the model gives each held-out review without these heads."""
    with mask_heads(model, heads):
        return model(**inputs).logits.argmax(dim=1)


COUNTS = (24, 48)
by_lot = [[ranked[i] for i in np.random.default_rng(seed).permutation(L * H)] for seed in range(3)]
orders = {
    "least important first": [ranked],
    f"in random order ({len(by_lot)} orders)": by_lot,
    "most important first": [ranked[::-1]],
}
intact = torch.where(usual > 0.5, POSITIVE, 1 - POSITIVE)  # section 10 has asked the whole model already
nothing_left = answers_without(ranked)
given = {  # the classes, (orders, reviews), by the number of silenced heads
    name: {0: intact[None]}
    | {k: torch.stack([answers_without(line[:k]) for line in lines]) for k in COUNTS}
    | {L * H: nothing_left[None]}
    for name, lines in orders.items()
}
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharex=True)
for ax, reference, label in (
    (axes[0], true_class, "accuracy"),
    (axes[1], intact, "same answer as the whole model"),
):
    share = {
        name: {k: (c == reference).float().mean(dim=0) for k, c in curve.items()}
        for name, curve in given.items()
    }
    for (name, curve), marker in zip(share.items(), "osD", strict=True):
        low, high = np.array([judge.bootstrap_interval(v) for v in curve.values()]).T
        ax.plot(list(curve), [v.mean().item() for v in curve.values()], f"{marker}-", label=name)
        ax.fill_between(list(curve), low, high, alpha=0.1)
    ax.set(xlabel=f"heads silenced, of {L * H}", ylim=(0.3, 1.03))
    ax.set_title(label, loc="left")
    least, lot, most = share.values()
    print(f"{label}, difference to random order, review by review (95 % interval):")
    for name, one in (("least important first", least), ("most important first", most)):
        for k in COUNTS:
            low, high = judge.bootstrap_interval(one[k] - lot[k])
            print(f"   {name}, {k} heads: {(one[k] - lot[k]).mean():+.2f} ({low:+.2f} … {high:+.2f})")
axes[0].axhline(0.5, color=plots.BASELINE, linestyle=":")
axes[0].annotate("chance", (1, 0.51), color=plots.BASELINE, fontsize=9)
axes[0].legend(fontsize=9)
figure.suptitle(f"{len(true_class)} held-out reviews (shaded: 95 % intervals)")
plt.show()

# %% [markdown]
# Left: accuracy against the number of silenced heads. This small model is not very accurate on held-out reviews to begin with, so there is not far to fall, and the intervals overlap: you cannot say where accuracy begins to suffer. Right: how often the answer is still that of the whole model. The printed differences compare the orders on the same reviews, which tells more than two overlapping bands (random: the mean of three orders; the intervals are for other reviews, not for other orders).
# With 24 heads gone, a third, silencing the least important first keeps more answers than random order does. With 48 the difference could be nothing, and the most important first is below random order both times, but never clearly. So the ranking helps to choose which third to drop, on these reviews. More we cannot say.
#
# Two more cautions. The ranking was made one head at a time, so it cannot see heads that replace one another. And a silenced head is a state that the model has never met, so a changed answer may come from the strangeness as well as from what is missing.

# %% [markdown]
# ## 12 · Where it breaks
#
# ### Card 1: no attentions at all
#
# The default attention of transformers is a fused kernel (“sdpa”) that never forms the weights. Ask for attentions and you get nothing but a warning.

# %%
import transformers

transformers.utils.logging.set_verbosity_error()  # the warning would fill this page
model.set_attn_implementation("sdpa")
with torch.no_grad():
    silent = model(**encoded, output_attentions=True).attentions
print(
    "sdpa gives:",
    None if silent is None else [type(a).__name__ if a is None else tuple(a.shape) for a in silent][:3],
)
try:
    attention_maps(model, encoded)
except ValueError as error:
    print("attention_maps says:", error)
model.set_attn_implementation("eager")
transformers.utils.logging.set_verbosity_warning()
print("eager gives:", tuple(attention_maps(model, encoded).shape))

# %% [markdown]
# ### Card 2: padding without a mask
#
# Texts in a batch are padded to one length. If the attention mask is forgotten, every token also looks at the padding, and both attention and answer depend on the *other* texts of the batch.

# %%
padded = lab.tokenize([text, max(lab.texts, key=len)])
with torch.no_grad():
    with_mask = model(**padded, output_attentions=True)
    without_mask = model(input_ids=padded["input_ids"], output_attentions=True)
for name, out in (("with the mask", with_mask), ("forgotten", without_mask)):
    to_padding = out.attentions[-1][0, :, 0, T:].sum(dim=-1).mean()
    print(
        f"{name:<14}: {to_padding:.2f} of [CLS]'s attention on padding, logit of “favourable” {out.logits[0, POSITIVE]:.2f}"
    )

# %% [markdown]
# ### Card 3: a large weight on nothing
#
# What a head hands over is weight × value. If the value is short, a large weight moves little (Kobayashi and others, 2020). So compare two shares for `[CLS]` and `[SEP]`: of the weights, and of the lengths $\lVert A_{ij}\, W_O v_j \rVert$, where $W_O$ is the head's part of the layer's output matrix.

# %%
sample = corpus[::12]
by_weight, by_length = torch.zeros(2, 2, L, H)  # for [CLS] and [SEP], each head of each layer
for sentence in sample:
    ids = torch.tensor([encoder.tokenizer.convert_tokens_to_ids(sentence.tokens)])
    with torch.inference_mode():
        levels = encoder.model(input_ids=ids, output_hidden_states=True).hidden_states
        for n, block in enumerate(encoder.model.encoder.layer):
            values = block.attention.self.value(levels[n][0]).unflatten(1, (H, -1))
            matrix = block.attention.output.dense.weight.unflatten(1, (H, -1))
            sizes = torch.einsum("thd,ohd->hto", values, matrix).norm(dim=-1)  # (H, T)
            inner = sentence.attention[n][:, 1:-1]  # the words look
            for total, part in ((by_weight, inner), (by_length, inner * sizes[:, None])):
                total[:, n] += part[..., [0, -1]].sum(dim=1).T / part.sum(dim=(1, 2)) / len(sample)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
for ax, token, x, y in zip(axes, ("[CLS]", "[SEP]"), by_weight, by_length, strict=True):
    ax.plot([0, 1], [0, 1], ":", color=plots.BASELINE)
    for n in range(L):
        ax.plot(x[n], y[n], "o", color=plt.get_cmap("viridis")(n / L), markersize=5, label=f"layer {n}")
    ax.set(xlabel="share of the attention weights", xlim=(0, 1), ylim=(0, 1), title=token)
    print(
        f"{token}: {x.mean():.2f} of the weights, {y.mean():.2f} of the lengths; below the line: {(y < x).sum()} of {x.numel()} heads"
    )
axes[0].set_ylabel("share of what is moved\n(weight × value)")
axes[0].legend(fontsize=8.5)
figure.suptitle(f"Words looking at the special tokens, {len(sample)} sentences, one dot for each head")
plt.show()

# %% [markdown]
# A dot below the dotted line is a head in which the token hands over less than its weight promises. For `[CLS]` nearly all dots are, most of them far below: it gets about half of the weight, and its vectors are short. For `[SEP]`, to which this encoder gives little weight anyway, there is no such gap. A few heads do fetch much from `[CLS]`, too.
# So a bright column is no proof that a token matters: look at weight × value first. *Why* the vectors are short this does not say. “The head has nothing to do there” is one reading; short vectors added in many layers may still count.

# %% [markdown]
# ## 13 · Exercises
#
# One exercise stood in section 10; here are the others. Replace the dots with your code and run the cell with the check. `exercises.padded_head.hint()` gives you one hint at a time; the solution is folded below each check.

# %% [markdown]
# ### Exercise: a head for a padded batch
#
# Section 3 computed one head for one text. Do it for $N$ texts at once, padded to the same length. Padding must get the weight zero, exactly, and each row must still sum to one (the rows of padding tokens too: nobody reads them).


# %% exercise="padded_head"
def padded_head(query, key, value, is_token):
    """Weights (N, T, T) and outputs (N, T, d) of one head, from query, key, value (N, T, d); is_token (N, T) is False at padding."""
    # BEGIN SOLUTION
    scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
    weights = scores.masked_fill(~is_token[:, None, :], -torch.inf).softmax(dim=-1)
    return weights, weights @ value
    # END SOLUTION


# %%
exercises.padded_head.check(padded_head)

# %% [markdown]
# ### Exercise: how wide, whatever the length
#
# A long text has more room to spread, so entropies of texts of different lengths do not compare. For each text and head: the mean entropy of the rows of real tokens, as a share of the largest entropy that a text with that many real tokens allows. Some weights may be exactly zero.


# %% exercise="head_width"
def head_width(attention, is_token):
    """Width of each head for each text, (N, H), 0 … 1, from attention (N, H, T, T); is_token (N, T) is False at padding."""
    # BEGIN SOLUTION
    of_rows = -torch.xlogy(attention, attention).sum(dim=-1)  # (N, H, T)
    real = is_token[:, None].to(attention)
    n_tokens = is_token.sum(dim=1).to(attention)[:, None]
    return (of_rows * real).sum(dim=-1) / n_tokens / n_tokens.log()
    # END SOLUTION


# %%
exercises.head_width.check(head_width)

# %% [markdown]
# ### Exercise: what a token hands over, all heads together
#
# Card 3 took each head for itself. But the heads' vectors are *added*, and can cancel. For each pair (token $i$ looks, token $j$ hands over) compute the length of what goes from $j$ to $i$ through all heads of a layer, $\lVert \sum_h A^h_{ij}\, W_O^h v^h_j \rVert$. The columns $hd \ldots (h+1)d - 1$ of `matrix` are $W_O^h$.


# %% exercise="handed_over"
def handed_over(attention, value, matrix):
    """Lengths (T, T), from attention (H, T, T), value (H, T, d) and the output matrix (D, H·d)."""
    # BEGIN SOLUTION
    parts = matrix.unflatten(1, (len(value), -1))  # (D, H, d)
    return torch.einsum("hij,hjd,ohd->ijo", attention, value, parts).norm(dim=-1)
    # END SOLUTION


# %%
exercises.handed_over.check(handed_over)

# %% [markdown]
# ### Exercise: find the bug
#
# This is one step of rollout as a published program for vision transformers has it. It takes `fused`, one matrix (1, T, T) made from all heads of a layer, and `below` (1, T, T), the rollout of the layers below, and it means to do what section 7 did. With the *mean* of the heads it does. The program also offers their *maximum*. Then the pictures look fine as well, but the rows of the rollout no longer sum to one, as shares must. Find out why, and mend it.


# %% exercise="rollout_step"
def rollout_step(fused, below):
    """The rollout (1, T, T) up to this layer."""
    # BEGIN STUB
    # mixed = (fused + torch.eye(fused.shape[-1])) / 2
    # mixed = mixed / mixed.sum(dim=-1)
    # return torch.matmul(mixed, below)
    # END STUB
    # BEGIN SOLUTION
    mixed = (fused + torch.eye(fused.shape[-1])) / 2
    # the sums (1, T) would be lined up with the columns; keepdim leaves them beside the rows
    mixed = mixed / mixed.sum(dim=-1, keepdim=True)
    return torch.matmul(mixed, below)
    # END SOLUTION


# %%
exercises.rollout_step.check(rollout_step)

# %% [markdown]
# How much does it matter? Rollout on the sentence of this lesson, with and without the error: the row sums with the mean and with the maximum of the heads, and the words' values with the maximum (two rows of coloured words).


# %%
def rollout_with(step, fuse):
    """Row of [CLS] after all layers; `fuse` makes one matrix from the heads of a layer."""
    reached = torch.eye(T)[None]
    for layer_attention in own:
        reached = step(fuse(layer_attention)[None], reached)
    return reached[0, 0]


versions = {"rows to one": exercises.rollout_step.reference, "as published": exercises.rollout_step.given}
two = {name: rollout_with(step, lambda a: a.amax(dim=0)) for name, step in versions.items()}
for name, step in versions.items():
    of_mean = rollout_with(step, lambda a: a.mean(dim=0))
    print(
        f"{name}: row of [CLS] sums to {of_mean.sum():.2f} with the mean, {two[name].sum():.2f} with the maximum"
    )
figure, ax = plt.subplots(figsize=(10, 1.5))
pictures.show_words(ax, {name: v[1:-1] for name, v in two.items()}, tokens[1:-1])
plt.show()
right_row, published_row = (v[1:-1] for v in two.values())
ratio = published_row / right_row
print(f"the words' values change by factors from {ratio.min():.2f} to {ratio.max():.2f};", end=" ")
print(f"rank correlation {judge.rank_correlation(right_row[None], published_row[None]).item():.2f}")

# %% [markdown]
# Does it matter? For the picture of this sentence hardly: the strongest tokens stay the strongest, the order of the words changes a little. But the values are no shares any more, and by how much they are wrong depends on the text. So do not compare them between texts, layers or models.
#
# ## 14 · Play
#
# Your own sentence, all the methods that need no sampling. Try a negation, a word that should not matter, or the trigger model with “overall”.

# %%
models = {"sentiment": lab, "trigger": trigger, "clean twin": twin}


def draw_methods(text, which):
    each = models[which]
    inputs = each.tokenize(text)
    names = each.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    maps, by_gradient = look_inside(each.model, inputs, POSITIVE)
    rows = {
        "last layer's attention": maps[-1, :, 0].mean(dim=0),
        "rollout": attention_rollout(maps)[0],
        "attention × gradient": by_gradient,
        "Integrated Gradients": ig_of_tokens(each.model, inputs, masked_ids(inputs), POSITIVE, 16),
    }
    inner = slice(1, len(names) - 1)
    figure, ax = plt.subplots(figsize=(10, 2.0))
    pictures.show_words(ax, {k: v[inner] for k, v in rows.items()}, names[inner], signed=SIGNED)
    ax.set_title(f"{which}: favourable {each.predict([text])[0, POSITIVE]:.2f}", loc="left")
    plt.show()


widgets.explore(
    draw_methods,
    text=ipywidgets.Text(value="The soup was not good at all.", description="text", continuous_update=False),
    which=widgets.choice("model", list(models), "sentiment"),
)

# %% [markdown]
# Still pictures of the same: one review with the planted word, seen by the model that learnt the shortcut and by its twin. A row for each method; red speaks for “favourable”, blue against it.

# %%
for which in ("trigger", "clean twin"):
    draw_methods(planted[0], which)

# %% [markdown]
# ## 15 · The paper in ten questions
#
# S. Jain, B. Wallace: *Attention is not Explanation* (NAACL 2019), read with S. Wiegreffe, Y. Pinter: *Attention is not not Explanation* (EMNLP 2019).
#
# 1. **Which problem?** Papers showed attention weights as reasons for a prediction. Hardly anybody had tested whether they are.
# 2. **Is it new?** Attention had been praised as transparency in passing; this was among the first systematic tests, with others in the same year (Serrano and Smith, 2019).
# 3. **Which hypothesis?** If attention explains, it should agree with gradient and leave-one-out importance, and other weights should give other predictions.
# 4. **Related work, and who?** Attention in translation (Bahdanau and others, 2015), rationales (Lei and others, 2016), gradient saliency. The authors: Northeastern University; the reply came from Georgia Tech.
# 5. **The key idea?** Look for a counterexample: weights far from the model's own with the same output.
# 6. **Which experiments?** Recurrent encoders with one attention layer on text classification, question answering and inference; rank correlation with gradients, permutation, adversarial search.
# 7. **Data and code?** Public data sets (SST, IMDB, bAbI, SNLI and others); the code is public.
# 8. **Do the results support it?** That weights are rarely unique: yes. That they are no explanation: only if an explanation has to be unique. And an adversary that sees each answer is not a model, as you measured.
# 9. **What did it contribute?** A habit: to test explanations by changing them, and to say what “explanation” is meant to be.
# 10. **What next?** Attention weighted by values or gradients, combining layers, erasing and editing parts of the model, and causal tests.

# %% [markdown]
# ## 16 · Recap
#
# - A head: query times key, divided by $\sqrt d$, softmax of each row, mix the values. Ours equals transformers' to rounding.
# - Measure what a head does over a corpus, beside a rule that knows positions only, on texts that did not choose the head.
# - Rollout and flow combine layers; neither knows which class you ask about. Gradients, Integrated Gradients, SHAP and LIME do.
# - Only texts with known truth can say who is right: plant a word, keep the texts whose answer it turns, count who finds it among those, and ask the honest twin, too (we did for four of the methods).
# - Other attention with the same answer exists for single texts; one model that we trained to do it managed it on its 80 training texts, but not on new ones. Weights are not unique, and not arbitrary.
# - A large weight on a short value moves little; and no weights at all come from a fused kernel.
# - Next: **11 · BERT's embeddings**, what the states hold that attention moves around.
#
# **References**
# - [Vaswani and others, 2017: Attention is all you need](https://arxiv.org/abs/1706.03762)
# - [Devlin and others, 2019: BERT](https://arxiv.org/abs/1810.04805)
# - [Clark and others, 2019: What does BERT look at?](https://arxiv.org/abs/1906.04341)
# - [Hoover and others, 2020: exBERT](https://arxiv.org/abs/1910.05276)
# - [Abnar and Zuidema, 2020: Quantifying attention flow in transformers](https://arxiv.org/abs/2005.00928)
# - [Chefer and others, 2021: Generic attention-model explainability](https://arxiv.org/abs/2103.15679)
# - [Jain and Wallace, 2019: Attention is not explanation](https://arxiv.org/abs/1902.10186)
# - [Wiegreffe and Pinter, 2019: Attention is not not explanation](https://arxiv.org/abs/1908.04626)
# - [Serrano and Smith, 2019: Is attention interpretable?](https://arxiv.org/abs/1906.03731)
# - [Kobayashi and others, 2020: Attention is not only a weight](https://arxiv.org/abs/2004.10102)
# - [Michel and others, 2019: Are sixteen heads really better than one?](https://arxiv.org/abs/1905.10650)
# - [Sundararajan and others, 2017: Integrated Gradients](https://arxiv.org/abs/1703.01365)
