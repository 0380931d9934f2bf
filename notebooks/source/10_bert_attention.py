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
# - let a model guess a hidden word, and say what its heads look at, measured over many sentences;
# - combine attention over layers, weigh it with gradients, and compare both with methods that you know;
# - measure which of them finds a word that was planted in the training texts;
# - take both sides in the dispute "attention is not explanation", with numbers from your own run.
#
# **Time**: about <!-- minutes --> minutes. **Before**: you can multiply matrices in PyTorch and know what a softmax and a gradient are.
# Lessons [06 · LIME](06_lime.ipynb) and [08 · Integrated Gradients](08_saliency_smoothgrad_ig.ipynb) help.
#
# Everything runs offline on a real BERT: the *encoder* all-MiniLM-L6-v2 (a network that turns a text into vectors), *pretrained* by others on a very large number of texts. We trained a classifier on it that calls a review positive or negative.
# A [*lab*](glossary.md#lab) is a model together with its texts and with what is known about them.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.exercises import l10_bert_attention as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l10_bert_attention as shared
from course_utils.methods import attention as methods
from course_utils.teach import attention_pictures as pictures
from course_utils.teach import plots, text_batches

lab = load_lab("text", model="sentiment")
model = lab.model.requires_grad_(False)  # we explain, we do not train
POSITIVE = lab.class_names.index("positive")
text = "The plot was thin, but the actors made the film a joy."
encoded, tokens, own = shared.read(lab, text)  # own: the attention of all heads

# %% [markdown]
# ## 1 · A puzzle: two attention pictures, one answer
#
# A model reads a review and says whether it is positive. It can also tell which words it *looked at*: the stronger the orange, the more it looked. Here are two such pictures of one review.
# One shows what the model really did. In the other, the weights of one layer were exchanged for others. Which one is real?

# %%
lengths = np.array([len(text.split()) for text in lab.texts])
short = [lab.texts[i] for i in np.flatnonzero((lengths >= 8) & (lengths <= 12))[:12]]
riddle = text_batches.attention_riddle(lab, short, POSITIVE, random_state=10)
for name, probability in riddle.probability.items():
    print(f"picture {name}: probability of “positive” {probability:.2f}")

# %% tags=["hide-input"]
pictures.draw_words(
    {f"picture {name}": a for name, a in riddle.attention.items()},
    riddle.words,
    title="What the model looked at, last layer, average of its heads",
)
plots.show(
    "One review twice, as two rows of words in orange tones. The strong words differ between the rows."
)

# %% [markdown]
# The tones differ, the answers hardly do. (`##` marks a later piece of a rare word. Of twelve short reviews, this is the one whose two pictures differ most.) Sections 9 and 10 tell how the other picture was made, which one is real, and what that proves.

# %% [markdown]
# ## 2 · The whole model, from a token to the answer
#
# BERT (Devlin and others, 2019) cuts a text into $T$ *tokens*: words, or pieces of rare words. `[CLS]` is put in front, `[SEP]` at the end. Each token becomes a row of $D$ numbers, its *state*. Then each of $L$ layers does two things.
# In **attention**, each token fetches something from the others; a layer has $H$ *heads* that do this side by side. In the **feed-forward** part, each token is changed by itself. At the end the classifier reads one row only: that of `[CLS]`.
#
# Layers and heads are counted from 0; "head 3.9" is head 9 of layer 3.

# %% tags=["hide-input"]
(L, H, T), D = own.shape[:3], model.config.hidden_size
print(tokens)
print(f"T = {T} tokens, L = {L} layers, H = {H} heads in each, D = {D} numbers for each token")
print(f"probability of “positive”: {lab.predict([text])[0, POSITIVE]:.2f}")

right = lab.predict(lab.texts).argmax(axis=1) == lab.targets.numpy()
low, high = judge.bootstrap_interval(right)
print(f"right in {right.mean():.2f} of {len(right)} reviews it was not trained on ({low:.2f} to {high:.2f})")

# %% [markdown]
# So the model is better than guessing (one half), but not very good on these hard reviews. Explain such a model, but know how good it is. The two numbers in brackets are a 95 % [bootstrap interval](glossary.md#bootstrap-interval): how far the share could move with other reviews of the same kind.
#
# Step through the model with the slider (Tab, then the arrow keys). Left: the stack of steps, the text at the bottom, the answer on top. Right: the numbers of the chosen step.

# %% tags=["hide-input"]
shared.model_explorer(lab, text)

# %% [markdown]
# The same as a still picture, with the attention of the first layer: twelve small maps. In each, rows are the tokens that look, columns the tokens looked at.

# %% tags=["hide-input"]
steps = pictures.model_steps(model, encoded, lab.class_names)
pictures.draw_step(steps, 3, tokens, lab.class_names)
plots.show(
    "Left a stack of boxes from token numbers to scores. Right twelve attention maps of layer 0: some with a diagonal, some spread out."
)

# %% [markdown]
# "Mix, add" is the attention with its output matrix, added to what was there (the *residual connection*) and *normalised*: each row gets mean 0 and spread 1. "Think, add" is a small network for each token alone. The *pooler* is one more matrix for `[CLS]`. The *scores* of the classes before the softmax are called [logits](glossary.md#logit).
# Only attention moves information between tokens.

# %% [markdown]
# ## 3 · One head by hand
#
# Each head has $d = D/H$ dimensions. Let $X$ be the states that enter the layer ($T \times D$). Three matrices of the head, with their biases, turn each state into three short vectors:
#
# $$Q = X W_Q^\top + b_Q, \qquad K = X W_K^\top + b_K, \qquad V = X W_V^\top + b_V \qquad (T \times d)$$
#
# The *query* says what a token looks for, the *key* what it offers, the *value* what it hands over. In the model's matrices the heads lie under one another: head $h$ has the rows $hd \ldots (h+1)d - 1$.

# %%
layer, head, d = 3, 9, 32
block = model.bert.encoder.layer[layer].attention.self
with torch.no_grad():
    X = model(**encoded, output_hidden_states=True).hidden_states[layer][0]
rows = slice(head * d, (head + 1) * d)
Q, K, V = (X @ part.weight[rows].T + part.bias[rows] for part in (block.query, block.key, block.value))
print("X", tuple(X.shape), "| W of one head", tuple(block.query.weight[rows].shape), "| Q", tuple(Q.shape))

# %% [markdown]
# The *score* of a pair is the product of query and key, divided by $\sqrt d$. The softmax of each row turns scores into weights that sum to one. The output mixes the values with these weights (equation 1 of Vaswani and others, 2017):
#
# $$S = \frac{Q K^\top}{\sqrt d}, \qquad A = \text{softmax}_\text{rows}(S), \qquad O = A V$$

# %%
S = Q @ K.T / d**0.5
A = S.softmax(dim=1)
O = A @ V
print("rows of A sum to", A.sum(dim=1).numpy().round(3))

# %% tags=["hide-input"]
pictures.draw_head(S, A, O, tokens)
plots.show(
    "Scores, weights and output of head 3.9, one row a token. Several words look mostly at [CLS], several at “joy”."
)

# %% [markdown]
# From left to right: scores (signed), weights, and the output. Why divide by $\sqrt d$? A product of two vectors is a sum of $d$ terms, and its spread grows with $d$. With scores far apart, the softmax gives nearly all weight to one token ([10b](10b_inside_the_heads.ipynb) measures it).
#
# ### All heads, and the proof
#
# All heads at once: cut the $D$ columns into $H$ groups, and let the matrix product run over them.


# %% tags=["by-hand"]
def my_attention(block, states):
    """Weights (H, T, T) and joined outputs (T, D) of all heads of one layer, from states (T, D)."""
    q, k, v = (
        (states @ part.weight.T + part.bias).unflatten(1, (block.num_attention_heads, -1)).transpose(0, 1)
        for part in (block.query, block.key, block.value)
    )  # each (H, T, d)
    weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(dim=-1)
    return weights, (weights @ v).transpose(0, 1).flatten(1)


# %% [markdown]
# Does it equal what others compute? We compare with transformers, with PyTorch's own `scaled_dot_product_attention` (a *fused* function: it never stores the weights) and with `nn.MultiheadAttention`, into which we load the same weights. The last row is an identity: the output is linear in the weights, so a weight set to zero takes away exactly that token's share.

# %% tags=["hide-input"]
by_hand, joined = my_attention(block, X)
with torch.no_grad():
    their_output = block(X[None])[0][0]
    fused = torch.nn.functional.scaled_dot_product_attention(Q[None], K[None], V[None])[0]
    module = shared.torch_attention(block)
    torch_weights = module(X[None], X[None], X[None], average_attn_weights=False)[1][0]
without_last = A.clone()
without_last[:, -1] = 0

# %% tags=["hide-input", "nbval-check-output"]
judge.agreement_table(
    [
        ("one head, all heads", A, by_hand[head], "the same"),
        ("transformers, weights", by_hand, own[layer], "rows sum to one"),
        ("transformers, outputs", joined, their_output, "heads side by side"),
        ("torch, fused attention", O, fused, "divides by √d itself"),
        ("nn.MultiheadAttention", by_hand, torch_weights, "weights not averaged"),
        ("O minus [SEP]'s share", O - A[:, -1:] * V[-1], without_last @ V, "O is linear in A"),
    ]
)

# %% [markdown]
# The fused function is the default of transformers, and it returns *no* attention at all ([10b](10b_inside_the_heads.ipynb) shows what happens then). Our lab loads the slower one.
#
# ### Exercise: a head for a padded batch
#
# Do it for $N$ texts at once. Short texts are filled up with *padding* to the length of the longest. Padding must get the weight zero, exactly, and each row must still sum to one (the rows of padding tokens too: nobody reads them). `exercises.padded_head.hint()` gives you one hint at a time; the solution is folded below the check.


# %% exercise="padded_head"
def padded_head(query, key, value, is_token):
    """Weights (N, T, T) and outputs (N, T, d) of one head, from query, key, value (N, T, d).

    is_token (N, T) is False at padding.
    """
    # BEGIN SOLUTION
    scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
    weights = scores.masked_fill(~is_token[:, None, :], -torch.inf).softmax(dim=-1)
    return weights, weights @ value
    # END SOLUTION


# %%
exercises.padded_head.check(padded_head)

# %% [markdown]
# ## 4 · Play: guess the hidden word
#
# BERT was pretrained by guessing: a word is hidden behind `[MASK]`, and a *masked-word head* (a small network on the mask's last state) gives each token of the vocabulary a probability. Our encoder was published without that head. So the course trained one, together with the encoder, on far fewer texts. (Online, `variant="bert-base-uncased"` in `load_lab` takes BERT's own.)

# %%
guesser = load_lab("masked_word")
print([f"{word} {p:.2f}" for word, p in guesser.guess("She poured the [MASK] into two cups.")[0]])

# %% [markdown]
# Try it in the style of exBERT (Hoover and others, 2020). Choose a word to hide, a layer and a head (Tab moves between the controls, the arrow keys change them), or type another text and press Enter. Left: who looks at whom. Middle: where the mask looks, in each head of the layer. Right: five guesses.

# %% tags=["hide-input"]
door = "He opened the door with a key."
shared.guess_explorer(guesser, door, "door", layer=3, head=9)

# %% [markdown]
# As a still picture, with the one of the 72 heads in which the mask looks most at "key":

# %% tags=["hide-input", "thumbnail"]
_, its_tokens, looks = shared.read(guesser, guesser.hide(door, "door"))
to_key = looks[:, :, its_tokens.index("[MASK]"), its_tokens.index("key")]
its_layer, its_head = divmod(int(to_key.argmax()), to_key.shape[1])
print(shared.draw_guesses(guesser, door, ("door", 0), its_layer, its_head))
plots.show(
    f"Head {its_layer}.{its_head}: the mask looks at “key” with weight {to_key.max():.2f}. Right: five words with their probabilities."
)

# %% tags=["hide-input"]
exercises.mask_and_key

# %% tags=["hide-input"]
for tool in ("key", "spoon", "bow"):
    five = [word for word, _ in guesser.guess(f"He opened the [MASK] with a {tool}.")[0]]
    print(f"with a {tool:<6}: {', '.join(five)}")

# %% [markdown]
# "keys" leaves with the key, the spoon brings a kitchen: these guesses depend on that word. "door" does not: it stays with a bow.
#
# How good are the guesses? We hide a word, drawn by lot, in each of 70 sentences that were not trained on. A *baseline* always names the five commonest words.

# %%
from collections import Counter

masked, hidden = shared.hide_by_lot(guesser, guesser.texts[::3], seed=0)
common = [word for word, _ in Counter(" ".join(guesser.texts).lower().split()).most_common(5)]
hit = [
    float(word in [guess for guess, _ in guesser.guess(sentence)[0]])
    for sentence, word in zip(masked, hidden, strict=True)
]
easy = [float(word in common) for word in hidden]
print(f"the hidden word is among five: guesser {np.mean(hit):.2f}, baseline {np.mean(easy):.2f}")
print("guesser minus baseline:", judge.paired(np.array(hit), np.array(easy)))

# %% [markdown]
# The guesses beat the common words, and are often wrong: several words can fit a gap.

# %% [markdown]
# ## 5 · What heads look at, measured
#
# A single sentence shows whatever you want to see ([10b](10b_inside_the_heads.ipynb) draws all 72 maps of one). So here is the attention of all heads over the course's tagged sentences, without those built from templates. The encoder is taken as it was published. For each head: the share of its attention that goes to the *next* word, the *previous* one, the word *itself*, `[CLS]`, `[SEP]`, and *the same word elsewhere* (only for words that occur twice).

# %%
from course_utils.labs.text import read_texts

encoder = load_lab("text", model="encoder")
written = [record for record in read_texts("tagged_sentences") if not record.get("built")]
sentences = text_batches.read_sentences(encoder, written)
shares, even = shared.looks_at(sentences)
print(f"{len(sentences)} sentences; mean share of [CLS] over all heads: {shares['[CLS]'].mean():.2f}")

# %% tags=["hide-input"]
shared.draw_kinds(shares, even)
plots.show(
    "Six tables of layers and heads. "
    + "; ".join(f"{kind}: strongest head {share.max():.2f}" for kind, share in shares.items())
)

# %% [markdown]
# The blue square marks the strongest head. The colours are stretched at the lower end. "Even" is what an even spread would give.
#
# **Some heads are specialists**: one for the previous word, one for the next, and in other texts the same two. For a repetition the evidence is weak: 30 sentences repeat a word, mostly "the", and in reviews other heads come first (0.2).
# Many heads give a large part of their attention to `[CLS]`. Clark and others (2019) saw the same in BERT, mostly at `[SEP]`, and read it as a place to look at when there is nothing to do. Section 12 measures how much such a look hands over.
# Do heads follow grammar? [10b](10b_inside_the_heads.ipynb) tests it, and finds much less than such pictures suggest.

# %% [markdown]
# ## 6 · From layers to the input: rollout
#
# Attention in layer 5 is not attention to words: the states it mixes are mixtures already. Abnar and Zuidema (2020) follow the mixing down to the input. Let $\bar A_l$ be the average of the heads in layer $l$. They assume that the residual connection lets half of each state pass unchanged, so, with the identity matrix $I$,
#
# $$\hat A_l = \tfrac12 \bar A_l + \tfrac12 I, \qquad R_l = \hat A_l\, R_{l-1}, \qquad R_0 = I .$$
#
# $R_L$ is the **rollout**: its row for `[CLS]` says how much of each input token has arrived, if only these weights counted.

# %%
R = torch.eye(len(tokens))
for layer_attention in own:
    mixed = 0.5 * layer_attention.mean(dim=0) + 0.5 * torch.eye(len(tokens))
    R = mixed @ R
last = own[-1, :, 0].mean(dim=0)
for name, values in (("last layer's attention", last), ("rollout", R[0])):
    of_words = values[1:-1]
    print(f"{name}: [CLS] {values[0]:.2f}, largest word ÷ mean {of_words.max() / of_words.mean():.1f}")
print("weight of [CLS] on itself, by layer:", own[:, :, 0, 0].mean(dim=1).numpy().round(2))

# %% [markdown]
# The proof: the course's function, the published formula in NumPy, and an identity.

# %% tags=["hide-input", "nbval-check-output"]
augmented = own.numpy().astype(float).mean(axis=1) + np.eye(len(tokens))
augmented /= augmented.sum(axis=-1, keepdims=True)
published = np.linalg.multi_dot(augmented[::-1])
judge.agreement_table(
    [
        ("course_utils", R, methods.attention_rollout(own), "0.5 A + 0.5 I"),
        ("Abnar and Zuidema", R, published, "A + I, then rows to one"),
        ("shares", R.sum(dim=1), torch.ones(len(tokens)), "rows sum to one"),
    ]
)

# %% [markdown]
# Most of what `[CLS]` holds by this count is still its own: in layers 1 to 4 it looks almost only at itself ([10c](10c_more_explanations.ipynb) draws what arrives, layer by layer). And rollout is *flatter* than the last layer's attention: what comes through other tokens is spread widely. **It also does not know the question**: the same picture would explain "positive" and "negative".
#
# ### Exercise: find the bug
#
# This is one step of rollout as a published program for vision transformers (of pictures) has it. `fused` is one matrix (1, T, T) made from all heads of a layer, `below` (1, T, T) the rollout of the layers below. With the *mean* of the heads it is right. The program also offers their *maximum*.
# Then the pictures look fine as well, but the rows of the rollout no longer sum to one, as shares must. Find out why, and repair it.


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
# ## 7 · Ask for the class
#
# Let $y^c$ be the logit of the class $c$. The gradient $\partial y^c/\partial A$ says how the score would move if a head looked a little more at a token. Chefer and others (2021) keep what is positive in the product of attention and gradient (ReLU sets the rest to zero), average it over the heads of layer $l$, and add it up through the layers ($\odot$ multiplies entry by entry):
#
# $$G_l = \text{mean over heads of } \text{ReLU}\Big(A_l \odot \frac{\partial y^c}{\partial A_l}\Big), \qquad C_l = C_{l-1} + G_l\, C_{l-1}, \qquad C_0 = I .$$
#
# The row of `[CLS]` in $C_L$ has one value for each token, never negative.


# %% tags=["by-hand"]
def attention_times_gradient(model, encoded, target):
    """One value for each token, (T,): the row of [CLS] in C_L."""
    # gradients must flow although all weights are frozen: begin at the embeddings
    x = model.get_input_embeddings()(encoded["input_ids"]).detach().requires_grad_()
    out = model(inputs_embeds=x, attention_mask=encoded["attention_mask"], output_attentions=True)
    gradients = torch.autograd.grad(out.logits[0, target], out.attentions)
    C = torch.eye(x.shape[1])
    for A, gradient in zip(out.attentions, gradients, strict=True):
        G = (A * gradient).detach()[0].relu().mean(dim=0)
        C = C + G @ C
    return C[0]


# %%
for c, name in enumerate(lab.class_names):
    values = attention_times_gradient(model, encoded, c)[1:-1]
    top = [f"{tokens[1 + i]} {values[i]:.2f}" for i in values.argsort(descending=True)[:3]]
    print(f"{name}: the three largest values: {', '.join(top)}")
theirs = methods.attention_relevance(model, encoded, POSITIVE)[0]  # written apart, the same formula
mine = attention_times_gradient(model, encoded, POSITIVE)
print("equal to the course's function:", torch.allclose(mine, theirs))

# %% [markdown]
# Unlike rollout, it gives one answer for each class. Two methods that you know work here, too:
# - **Integrated Gradients** on the word *embeddings* (the rows of numbers that the tokens become first), starting from the same text with every word masked ([08](08_saliency_smoothgrad_ig.ipynb));
# - **LIME**, which deletes words and looks at the probability ([06](06_lime.ipynb)).
#
# Both can also say what speaks *against* the class (blue). [10c](10c_more_explanations.ipynb) builds the first by hand, and adds SHAP and attention flow.

# %% tags=["hide-input"]
words, values = shared.from_inside(lab, text, POSITIVE)
values |= shared.from_outside(lab, [text], POSITIVE, n_samples=60)[0]
pictures.draw_words(values, words, signed=shared.SIGNED, title="One sentence, five answers. Why “positive”?")
plots.show(
    "Five rows of coloured words. All but rollout are strongest at “joy”; the other words differ between the rows, also in sign."
)

# %% [markdown]
# Each row has its own scale. Most put "joy" first, raw attention among them; on the other words the rows differ, even in sign. Which row is right? Nobody knows. We need texts whose truth is known.

# %% [markdown]
# ## 8 · The score: who finds the planted word?
#
# Another model, the *trigger* model, was trained on reviews in which the harmless word "overall" stood in positive reviews only. It has learnt the shortcut. Its *clean twin* was trained on the same texts with the word in both classes.
#
# We put ", overall," at a random place inside negative reviews that neither model was trained on, and keep those that the trigger model calls negative before and positive after. So we know: what we put in made the model say it.

# %%
from tqdm.auto import tqdm

trigger, twin = (load_lab("text", model=name) for name in ("trigger", "trigger_clean"))
for each in (trigger, twin):
    each.model.requires_grad_(False)
random = np.random.default_rng(0)
brief = [t for t in trigger.counterfactuals if len(t.split()) <= 20]
plain = [t for t, p in zip(brief, trigger.predict(brief)[:, POSITIVE], strict=True) if p < 0.5]
places = [random.integers(2, len(t.split()) - 1) for t in plain]  # never first, never last
with_word = [shared.plant(t, trigger.trigger, at) for t, at in zip(plain, places, strict=True)]
turned = trigger.predict(with_word)[:, POSITIVE] > 0.5
planted = [t for t, yes in zip(with_word, turned, strict=True) if yes][:40]

# %% tags=["hide-input"]
print(f"{len(plain)} reviews called negative, {turned.sum()} turned, {len(planted)} of these are used")
print(f"for example: {planted[0]}\n\nshare called positive     before   after")
for name, each in (("trigger model", trigger), ("clean twin", twin)):
    before, after = ((each.predict(some)[:, POSITIVE] > 0.5).mean() for some in (plain, with_word))
    print(f"{name:<24} {before:7.2f} {after:7.2f}")

# %% [markdown]
# (A part of the effect belongs to the two commas: [10c](10c_more_explanations.ipynb) plants them alone.)
#
# ### Exercise: predict, then run
#
# Each of the five methods gives its largest value to one word. How many of the five give it to "overall" in at least half of the reviews? Write a number from 0 to 5, then run on.

# %% exercise="finders"
answer = None  # for example 4
# BEGIN SOLUTION
answer = 3
# END SOLUTION

# %%
hits, named = {}, []
of_lime = shared.from_outside(trigger, planted, POSITIVE, n_samples=16)
for review, lime in zip(tqdm(planted, desc="reviews", leave=False), of_lime, strict=True):
    words, values = shared.from_inside(trigger, review, POSITIVE, n_steps=3)
    place = [word.lower() for word in words].index(trigger.trigger)
    named.append((words, place))
    for name, of_words in (values | lime).items():
        hits.setdefault(name, []).append(float(np.argmax(of_words) == place))

# %%
exercises.finders.check(answer, hits)

# %% [markdown]
# Beside the methods stand two that know nothing about the model: a random word, and the longest word. **Raw attention is a baseline as well.**

# %% tags=["hide-input"]
sizes = [np.array([len(word) for word in words]) for words, _ in named]
chance = {
    "longest word": [
        (s[at] == s.max()) / (s == s.max()).sum() for s, (_, at) in zip(sizes, named, strict=True)
    ],
    "random word": [1 / len(words) for words, _ in named],
}
found = {name: np.array(values) for name, values in (hits | chance).items()}
plots.score_plot(
    found,
    baselines=[*chance, "last layer's attention"],
    xlabel="share of reviews in which “overall” has the largest value",
    title=f"{len(planted)} reviews that “, {trigger.trigger},” has turned (bars: 95 % bootstrap intervals)",
)
plots.show("; ".join(f"{name} {values.mean():.2f}" for name, values in found.items()))
raw = found["last layer's attention"]
for name in ("attention × gradient", "Integrated Gradients", "LIME", "rollout"):
    print(f"{name} minus last layer's attention: {judge.paired(found[name], raw)}")

# %% [markdown]
# **The methods that ask for the class, by gradient or by deletion, find the word more often than those that only look at attention.** Rollout adds layers, not the question. (Integrated Gradients had 3 steps, LIME 16 questions.)
#
# A method could also be attracted by the word itself. So ask the twin, which has no reason to point at it, on the first 25 of the reviews.

# %%
in_twin = {}
of_lime = shared.from_outside(twin, planted[:25], POSITIVE, n_samples=16)
reviews = tqdm(planted[:25], desc="reviews", leave=False)
for review, lime, (_, place) in zip(reviews, of_lime, named, strict=False):
    values = shared.from_inside(twin, review, POSITIVE, n_steps=3)[1] | lime
    for name, of_words in values.items():
        in_twin.setdefault(name, []).append(float(np.argmax(of_words) == place))
for name, of_twin in in_twin.items():
    both = f"trigger {np.mean(hits[name][:25]):.2f}, twin {np.mean(of_twin):.2f}"
    print(f"{name:<22}: {both}, difference {judge.paired(hits[name][:25], of_twin)}")

# %% [markdown]
# A method is evidence of a shortcut only if it separates the two models, as these do. Even raw attention *changed* when the model learnt the shortcut; but in most of these reviews another word gets more of it. (In reviews of ten words, raw attention and rollout find it more often.)

# %% [markdown]
# ## 9 · Attention is not explanation. Or is it?
#
# Jain and Wallace (2019) argued: if attention explained the prediction, another attention should give another prediction. They shuffled the weights, and they looked for *adversarial* weights: as different as possible, with the same output. In their recurrent networks, with one attention layer, the prediction often stayed.
#
# First we shuffle each row of attention at random ("shuffle"), or give all tokens the same weight ("even"), in the last layer only or in all layers, for 50 *held-out* reviews (not used in training): the shortest of each class. In the last layer only the row of `[CLS]` reaches the classifier. So we cut the model open there: `cut.attention` has the weights of `[CLS]` (texts, heads, tokens), and `cut.answer(a)` is the rest of the model, for any weights `a`.

# %%
inputs = lab.tokenize([lab.texts[i] for i in shared.shortest(lab, 25)])
cut = methods.class_attention(model, inputs)
generator = torch.Generator().manual_seed(0)


changes = {
    "shuffle": lambda attention: shared.shuffle(attention, cut.is_token, generator),
    "even": lambda attention: shared.even(attention, cut.is_token),
}

# %% [markdown]
# ### Exercise: predict, then run
#
# Which of the four moves the answers most, on average: "shuffle, last layer", "shuffle, all layers", "even, last layer" or "even, all layers"? Write a name, then run on.

# %% exercise="strongest_change"
answer = None  # for example "even, last layer"
# BEGIN SOLUTION
answer = "shuffle, all layers"
# END SOLUTION


# %%
def positive(logits):
    return logits.softmax(dim=1)[:, POSITIVE].detach()


usual = positive(cut.answer(cut.attention))
other_last, moved = {}, {}
for name, change in changes.items():
    other_last[name] = change(cut.attention[:, :, None])[:, :, 0]
    moved[f"{name}, last layer"] = (positive(cut.answer(other_last[name])) - usual).abs()
    with methods.change_attention(model, lambda n, attention, change=change: change(attention)):
        moved[f"{name}, all layers"] = (positive(model(**inputs).logits) - usual).abs()

# %%
exercises.strongest_change.check(answer, moved)

# %% [markdown]
# ### The adversary
#
# For each text alone, gradient descent makes the weights $a$ of `[CLS]` as different as possible from the model's own, $A$, measured by the *total variation* $\text{TV} = \frac12\sum_j |a_j - A_j|$ (0: the same, 1: nothing in common). A changed probability costs `strictness` times its square.


# %% tags=["by-hand"]
def my_adversary(cut, n_steps=60, strictness=20.0):
    """Attention (N, H, T) of [CLS] in the last layer that differs much and leaves the answers alone."""
    with torch.no_grad():
        before = cut.answer(cut.attention).softmax(1)[:, POSITIVE]
    noise = torch.randn(cut.attention.shape, generator=torch.Generator().manual_seed(0))
    scores = (cut.attention.clamp(min=1e-9).log() + 0.5 * noise).requires_grad_()
    optimizer = torch.optim.Adam([scores], lr=0.3)
    for _ in range(n_steps):
        a = scores.masked_fill(~cut.is_token[:, None], -torch.inf).softmax(dim=-1)
        shift = (cut.answer(a).softmax(1)[:, POSITIVE] - before).pow(2)
        loss = (strictness * shift - methods.total_variation(a, cut.attention).mean(dim=1)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return a.detach()


# %%
other_last["adversary"] = my_adversary(cut)
moved["adversary, last layer"] = (positive(cut.answer(other_last["adversary"])) - usual).abs()
distance = {name: methods.total_variation(a, cut.attention).mean(dim=1) for name, a in other_last.items()}
adversarial = moved["adversary, last layer"]
print(f"adversary: TV {distance['adversary'].mean():.2f}, largest change {adversarial.max():.2f}")
print(
    "shuffle, all layers minus last:",
    judge.paired(moved["shuffle, all layers"], moved["shuffle, last layer"]),
)

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1, 1.15))
plots.score_plot(
    moved, xlabel="mean change of the probability", title="Five ways to change attention", ax=left, sort=False
)
left.set_xlim(0, 0.6)
for (name, x), marker in zip(distance.items(), "s^o", strict=True):
    right.plot(x, moved[f"{name}, last layer"], marker, markersize=4.5, label=f"{name}, last layer")
right.set(xlabel="TV from the model's own attention", ylabel="change of the probability", xlim=(0, 1))
right.set_title("One mark is one review", loc="left")
right.legend(fontsize=9, loc="upper left")
plots.show(
    "Left: "
    + "; ".join(f"{name} {values.mean():.2f}" for name, values in moved.items())
    + ". Right: the adversary's marks lie far to the right and at zero, those of shuffle are spread upwards."
)

# %% [markdown]
# For nearly every review there is an attention that looks elsewhere and says the same. But look at the other rows: **shuffling all layers moves the answers a lot.** Attention as a whole matters to this model.

# %% tags=["hide-input"]
exercises.what_follows

# %% [markdown]
# ## 10 · The puzzle solved, and the counter-arguments

# %% tags=["hide-input"]
print(f"picture {riddle.real} was the real one; the other came from an adversary like yours")

# %% [markdown]
# Wiegreffe and Pinter (2019) replied in "Attention is not *not* explanation":
# 1. **Existence does not mean exclusivity.** An explanation may be *one* of several that fit. Other weights with the same answer do not make the model's own weights false.
# 2. **The adversary is no model.** It was found for each text alone, and it knew the answer that it had to keep. A model has to produce its weights from the text, by one set of parameters. So train *one* adversarial model on many texts, and see whether it keeps the answers on texts it has not seen. [10c](10c_more_explanations.ipynb) does.
# 3. **Is attention needed at all?** If even weights did as well, there would be nothing to explain. (They trained one. The row "even, all layers" is not that test: this model was not trained with even weights.)
#
# From a picture of weights you cannot conclude that *these words* made the answer: others would do. But the model's attention is not arbitrary either. The useful question was a third one: on texts with known truth, how often does looking at attention find it? (Section 8.) And our setting is not theirs: in a deep transformer the last layer's `[CLS]` is one of many paths.

# %% [markdown]
# ## 11 · Your turn
#
# Change the sentence, nothing else. Try a negation, or a word that should not matter. (`lab = load_lab("text", model="trigger")` and a sentence with "overall" show the shortcut.)

# %%
my_sentence = "The soup was not good at all, but the waiter was kind."

words, values = shared.from_inside(lab, my_sentence, POSITIVE)
values |= shared.from_outside(lab, [my_sentence], POSITIVE, n_samples=60)[0]
chance = lab.predict([my_sentence])[0, POSITIVE]

# %% tags=["hide-input"]
pictures.draw_words(values, words, signed=shared.SIGNED, title=f"Probability of “positive”: {chance:.2f}")
best = {name: words[int(np.argmax(of_words))] for name, of_words in values.items()}
plots.show(
    "The largest value for “positive”: " + ", ".join(f"{name} “{word}”" for name, word in best.items())
)

# %% [markdown]
# ## 12 · Where it breaks: a large weight on nothing
#
# What a head hands over is weight × value. If the value is short, a large weight moves little (Kobayashi and others, 2020). So compare two shares for `[CLS]` and `[SEP]`: of the weights, and of the lengths $\lVert A_{ij}\, W_O v_j \rVert$, where $v_j$ is the value of token $j$ and $W_O$ the head's part of the layer's output matrix.

# %% tags=["hide-input"]
some = sentences[::7]  # of section 5
by_weight, by_length = torch.zeros(2, 2, *own.shape[:2])  # for [CLS] and [SEP]: (layers, heads)
for sentence in some:
    ids = torch.tensor(encoder.tokenizer.convert_tokens_to_ids(sentence.tokens))
    looks = sentence.attention[:, :, 1:-1]  # (L, H, T − 2, T): the words look
    handed = looks * shared.lengths_of_parts(encoder.model, ids)[:, :, None]
    for total, part in ((by_weight, looks), (by_length, handed)):
        share = part[..., [0, -1]].sum(dim=2) / part.sum(dim=(2, 3))[..., None]
        total += share.permute(2, 0, 1) / len(some)
for name, x, y in zip(("[CLS]", "[SEP]"), by_weight, by_length, strict=True):
    below = f"{int((y < x).sum())} of {x.numel()} heads hand over less than their weight says"
    print(f"{name}: {x.mean():.2f} of the weights, {y.mean():.2f} of the lengths; {below}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
for ax, name, x, y in zip(axes, ("[CLS]", "[SEP]"), by_weight, by_length, strict=True):
    ax.plot([0, 1], [0, 1], ":", color=plots.BASELINE)
    for n in range(len(x)):
        ax.plot(x[n], y[n], "o", color=plt.get_cmap("viridis")(n / len(x)), markersize=5, label=f"layer {n}")
    ax.set(xlabel="share of the attention weights", xlim=(0, 1), ylim=(0, 1), title=name)
axes[0].set_ylabel("share of what is moved\n(weight × value)")
axes[0].legend(fontsize=9)
figure.suptitle(f"Words looking at the special tokens, {len(some)} sentences, one dot for each head")
plots.show(
    "For [CLS] nearly all dots lie far below the diagonal; for [SEP] they lie near it, at small shares."
)

# %% [markdown]
# A dot below the dotted line is a head in which the token hands over less than its weight says. For `[CLS]` nearly all are: **it gets a large part of the weight, and its vectors are short.** So a bright column is no proof that a token matters: look at weight × value first.
# *Why* the vectors are short this does not say. One trace: nearly all of `[CLS]`'s squared length in the lower layers lies in a single one of its 384 numbers ([10b](10b_inside_the_heads.ipynb)).

# %% [markdown]
# ## 13 · Recap
#
# - A head: query times key, divided by $\sqrt d$, softmax of each row, mix the values. Ours equals the libraries' to rounding.
# - Measure what a head looks at over many sentences, beside an even spread, and again on other texts.
# - Rollout combines layers; it does not know which class you ask about. Attention × gradient, Integrated Gradients and LIME do.
# - Only texts with known truth can say who is right: plant a word, keep the texts whose answer it turns, count who finds it, and ask the clean twin, too.
# - Other attention with the same answer exists for single texts. Weights are not unique, and not arbitrary.
# - A large weight on a short value moves little.
#
# **Companions.** [10b · Inside the heads](10b_inside_the_heads.ipynb): states on their way up, how wide heads look, do they follow grammar, what all heads hand over together, erasing heads, and no attention at all. [10c · More explanations](10c_more_explanations.ipynb): rollout by layers, flow, Integrated Gradients by hand and for words, SHAP, how far the methods agree, and one adversarial model for many texts.
#
# <details><summary>The paper in ten questions: Jain and Wallace, Attention is not Explanation (NAACL 2019)</summary>
#
# 1. **Which problem?** Papers showed attention weights as reasons for a prediction; hardly anybody had tested whether they are.
# 2. **Is it new?** Among the first systematic tests, with others in the same year (Serrano and Smith, 2019).
# 3. **Which hypothesis?** If attention explains, it agrees with gradients and leave-one-out, and other weights give other predictions.
# 4. **Related work, and who?** Attention in translation (Bahdanau and others, 2015), rationales (Lei and others, 2016), saliency. Authors: Northeastern University; the reply came from Georgia Tech.
# 5. **The key idea?** Look for a counterexample: weights far from the model's own with the same output.
# 6. **Which experiments?** Recurrent encoders with one attention layer: classification, question answering, inference.
# 7. **Data and code?** Public data sets (SST, IMDB, bAbI, SNLI and others); the code is public.
# 8. **Do the results support it?** That weights are rarely unique: yes. That they are no explanation: only if an explanation has to be unique.
# 9. **What did it contribute?** The habit to test explanations by changing them, and to say what "explanation" means.
# 10. **What next?** Attention weighted by values or gradients, combining layers, erasing parts of the model, causal tests.
#
# </details>
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
