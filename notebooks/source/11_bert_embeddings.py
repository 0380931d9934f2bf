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
# **The question.** A language model turns each word into a list of numbers, and rewrites that list in every layer. What can be read from these numbers, and how do you know that you do not only see what you expect?
#
# **After this lesson you can**
# - take these lists, the *states* of all layers, out of a transformer, and rebuild the first of them by hand;
# - compare states with two rulers, Euclidean distance and cosine similarity, and say what each of them cannot see;
# - turn "the picture shows two groups" into a score with an interval, beside baselines that know nothing;
# - draw the tokens of a question and its passage layer by layer, and say which part of such a picture is evidence;
# - see in the states which answer a model will give.
#
# **Time**: about <!-- minutes --> minutes. **Before**: you know what a vector and a matrix product are. Lesson [10 · BERT's attention](10_bert_attention.ipynb) helps, but you do not need it.
#
# Everything runs offline on a real BERT *encoder* (a network that turns a text into vectors): all-MiniLM-L6-v2, *pretrained* by others on a very large number of texts. It was then trained further on pairs of sentences: pairs that belong together were made alike, others unlike.
# A [*lab*](glossary.md#lab) is a model together with its texts and with what is known about them. This one has 210 short sentences with ten words that have two senses each.

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
    project,
)
from course_utils.teach import plots, widgets

# %%
lab = load_lab("text", model="encoder")
model = lab.model
words = np.array([record["word"] for record in lab.records])
senses = np.array([record["sense"] for record in lab.records])
starts = [record["start"] for record in lab.records]  # where the word begins in its sentence
readings = shared.read(lab, lab.texts)  # the states of all tokens of all sentences
target = shared.states_of_words(readings, starts)  # the states of the ten words alone
print("states of the ambiguous words:", tuple(target.shape), "= sentences, layers + 1, numbers")

# %% [markdown]
# ## 1 · A puzzle: is 0.8 a lot?
#
# An *apple* can be a fruit, and Apple is a company. The model reads everything in lower case, so both apples are the same word to it. Take one sentence of each kind. The *hidden state* of "apple" is the list of 384 numbers that stands for it after a layer; here we take layer 4.
# How alike are two states? The *cosine similarity* says it: 1 means the same direction, 0 means nothing in common. (Section 3 has its formula.)

# %%
LAYER = 4
apples = np.flatnonzero(words == "apple")
kind = senses[apples]
here = target[apples, LAYER]
alike = shared.similarities(here, here)  # every apple with every apple

a, b = np.flatnonzero(kind == "fruit")[0], np.flatnonzero(kind == "company")[0]
print(lab.texts[apples[a]], lab.texts[apples[b]], sep="\n")
print(f"similarity of the two apples after layer {LAYER}: {alike[a, b]:.2f}")

same = shared.neighbour_right(here, kind)  # True where the nearest other apple has the same sense
print(f"for {same.sum()} of {len(apples)} apples, the most similar other apple has the same sense")

# %% [markdown]
# One colleague says: "That is close to 1, so the model hardly tells the fruit from the company." The other one looks at the second number and says: "It knows." Who is right?
#
# Before you answer, look at all pairs of apples, and at pairs of arbitrary words: one word by chance from each sentence without an apple. Where does 0.8 lie in each of the three groups?

# %%
random = np.random.default_rng(0)
others = readings[len(apples) :]  # the sentences without an apple (the apples come first)
places = [random.integers(1, len(x.tokens) - 1) for x in others]  # a word of each
strange = torch.stack([x.states[LAYER, t] for x, t in zip(others, places, strict=True)])
first, second = np.triu_indices(len(apples), 1)  # each pair of apples once
one_sense = kind[first] == kind[second]
pairs = alike[first, second]
groups = {
    "two arbitrary words": shared.similarities(strange, strange)[np.triu_indices(len(strange), 1)],
    "a fruit and a company": pairs[~one_sense],
    "two apples of one sense": pairs[one_sense],
}
for name, values in groups.items():
    print(f"{name:>23}: mean similarity {values.mean():.2f}")

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 2.9))
for (name, values), color in zip(groups.items(), (plots.BASELINE, *plots.COLOURS[1:3]), strict=True):
    ax.hist(values, bins=np.linspace(-0.1, 1, 56), density=True, alpha=0.65, color=color, label=name)
ax.set(xlabel="cosine similarity", yticks=[], ylabel="share of the pairs")
ax.set_title(f"0.8 is a lot for two words, and little for two apples (layer {LAYER})", loc="left")
ax.legend(loc="upper center")
plots.show(
    "Three histograms of similarities. Means: "
    + "; ".join(f"{name} {values.mean():.2f}" for name, values in groups.items())
)

# %% [markdown]
# Both are right about something. Compared with arbitrary words (grey), all apples are very much alike: they share the word. Among apples, a pair of one sense (green) tends to be more alike than a mixed pair (orange).
# **A similarity means nothing by itself. It needs a crowd to be compared with, and a question.**

# %% [markdown]
# ## 2 · The idea: one vector for each token, rewritten layer by layer
#
# A text is cut into $T$ *tokens* (words or pieces of words; [CLS] and [SEP] mark its start and its end). The encoder holds one vector of $D$ numbers for each token, its hidden state, and changes it in each of its $L$ layers (here $D = 384$ and $L = 6$). We write $h^{(0)}_t$ for the state of token $t$ before the first layer, and $h^{(\ell)}_t$ for its state after layer $\ell$.
#
# Each layer adds something to the state: first what the *attention* brings from other tokens, then what a small network makes of it. Only the attention moves information between tokens. So whatever the state of "apple" knows about its sentence must have come through it.

# %%
tokens = lab.tokenize(lab.texts[apples[b]])
states = hidden_states(model, tokens).cpu()
print(tokens.tokens())
print("states:", tuple(states.shape), "= layers + 1, tokens T, numbers D")

# %% [markdown]
# The state before the first layer is the sum of three rows from three tables: one for the word $w_t$, one for the position $t$, one for the segment $s_t$ (0 for a question, 1 for its passage; 0 everywhere when there is only one text). The sum is then *normalised*: it gets mean 0 and variance 1 over its $D$ numbers, with a learnt factor $\gamma$ and a learnt shift $\beta$ for each number, and a tiny $\varepsilon$ against division by zero:
#
# $$h^{(0)}_t = \text{norm}\big(E_\text{word}[w_t] + E_\text{position}[t] + E_\text{segment}[s_t]\big), \qquad \text{norm}(x) = \gamma \cdot \frac{x - \text{mean}(x)}{\sqrt{\text{var}(x) + \varepsilon}} + \beta$$

# %% tags=["by-hand"]
tables = model.embeddings
with torch.no_grad():
    ids = tokens["input_ids"][0]
    x = tables.word_embeddings(ids)
    x = x + tables.position_embeddings(torch.arange(len(ids), device=ids.device))
    x = x + tables.token_type_embeddings(tokens["token_type_ids"][0])
    centred = x - x.mean(dim=1, keepdim=True)
    scaled = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-12).sqrt()
    by_hand = (tables.LayerNorm.weight * scaled + tables.LayerNorm.bias).cpu()
print("largest difference from the model's own:", f"{(by_hand - states[0]).abs().max():.0e}")

# %% [markdown]
# Note what is *not* in it: the other words. At this point, "apple" in any two sentences differs by its position alone. ([11b](11b_where_the_sense_comes_from.ipynb) draws how far each token travels from here.)

# %% [markdown]
# ## 3 · Two rulers
#
# For two vectors $a$ and $b$ with $D$ numbers each:
#
# $$d(a, b) = \sqrt{\sum_{i=1}^{D} (a_i - b_i)^2} \qquad\qquad \cos(a, b) = \frac{\sum_i a_i b_i}{\lVert a\rVert\,\lVert b\rVert}, \quad \lVert a\rVert = \sqrt{\textstyle\sum_i a_i^2}$$
#
# The *Euclidean distance* $d$ is 0 for equal vectors and grows. The *cosine similarity* is 1 for equal directions and falls.


# %%
def my_distance(a, b):
    return (a - b).square().sum(dim=-1).sqrt()


def my_similarity(a, b):
    return (a * b).sum(dim=-1) / (a.norm(dim=-1) * b.norm(dim=-1))


# %%
apples = np.flatnonzero(words == "apple")
p, q = target[apples[0], 4], target[apples[-1], 4]
pairs = {
    "two apples": (p, q),
    "both twice as long": (2 * p, 2 * q),
    "one twice as long": (2 * p, q),
    "both shifted by 3": (p + 3, q + 3),  # the same vector, added to both
}

# %% tags=["hide-input"]
print("                       distance   similarity")
for name, (x, y) in pairs.items():
    print(f"{name:>20}  {my_distance(x, y):9.2f}  {my_similarity(x, y):11.2f}")

# %% [markdown]
# Each ruler is blind to something. The similarity does not see lengths. The distance does not see a shift that all vectors share, and the similarity is fooled by it: **if all states have a large common part, all similarities are close to 1.** ([11b](11b_where_the_sense_comes_from.ipynb) finds such a part and takes it away.)
#
# ### The proof
#
# The functions above, compared with other libraries. For vectors of length 1 there is also an identity, $d^2 = 2 - 2\cos$: both rulers then say the same.

# %% tags=["hide-input", "nbval-check-output"]
from scipy.spatial.distance import cdist

u, v = target[apples, 4].double(), target[apples, 2].double()
unit = u / u.norm(dim=1, keepdim=True)
judge.agreement_table(
    [
        ("torch.cdist", my_distance(u[:, None], v[None]), torch.cdist(u, v), "Euclidean"),
        (
            "scipy cdist, cosine",
            my_similarity(u[:, None], v[None]),
            1 - cdist(u, v, "cosine"),
            "1 − its distance",
        ),
        ("the course's function", my_similarity(u, v), cosine_similarity(u, v), "similarity"),
        (
            "identity",
            my_distance(unit[:, None], unit[None]).square(),
            2 - 2 * my_similarity(u[:, None], u[None]),
            "unit vectors: d² = 2 − 2 cos",
        ),
    ]
)

# %% [markdown]
# Look at the row "scipy cdist, cosine": SciPy's `cosine` is a *distance*. If you take it for the similarity, every result is upside down.
#
# ### Exercise: find the bug
#
# This function should compute cosine *similarities*. The error in it stands in a homework solution that was copied many times. Its matrix has two clear blocks, but the wrong ones. Repair it. `exercises.cosine_similarities.hint()` gives you one hint at a time; the solution is folded below the check.


# %% exercise="cosine_similarities"
def cosine_similarities(a, b):
    """Cosine similarities (N, M), −1 to 1, of the rows of a (N, D) with those of b (M, D)."""
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
# ### Ten apples, ten by ten
#
# Here are ten sentences, five on the fruit, five on the company: a well-known homework experiment. The figure compares all pairs with both rulers, after layer 4. Look for two blocks on the diagonal.

# %%
ten = np.array([i for i in apples if lab.records[i].get("set") == "apple10"])
ten = ten[np.argsort(senses[ten] != "fruit", kind="stable")]  # the fruit first
names = [f"{senses[i]} {n % 5 + 1}" for n, i in enumerate(ten)]
for name, i in zip(names, ten, strict=True):
    print(f"{name:>9} | {lab.texts[i]}")

# %% tags=["hide-input", "thumbnail"]
shared.draw_two_rulers(target[ten, 4], names, 4.5, "“apple” in ten sentences, after layer 4")
plots.show(
    "Two ten by ten tables after layer 4: two blocks on the diagonal, light in the distances, dark in the "
    "similarities."
)

# %% [markdown]
# Two blocks appear: light ones on the left, dark ones on the right. One sentence does not fit: company 2, "The shares of Apple rose …", is most alike to fruit 1. (Among all thirty apples it has a closer one of its own sense.)
#
# But ten sentences are few, and you can *see* two blocks in almost anything when you know where they should be. The next section makes it a measurement.

# %% [markdown]
# ## 4 · The score: does a layer know the sense?
#
# Two numbers answer it. Both look at one word at a time.
#
# - **Separation**: draw one pair of sentences of the same sense and one pair of different senses. How often is the first pair more alike? 0.5 is guessing, 1 is perfect. (Where you know ROC curves: it is the area under one.)
# - **Neighbour**: does the most similar *other* sentence have the same sense? One yes or no for each sentence.
#
# The separation of the apples after layer 4, by hand:

# %% tags=["by-hand"]
some = np.flatnonzero(words == "apple")
x, of_sense = target[some, 4], senses[some]
alike = cosine_similarity(x[:, None], x[None]).numpy()
first, second = np.triu_indices(len(some), 1)  # each pair once
same = of_sense[first] == of_sense[second]
inside, mixed = alike[first, second][same], alike[first, second][~same]
by_hand = (inside[:, None] > mixed[None]).mean()
print(f"by hand {by_hand:.3f}, the course's function {shared.separation(x, of_sense):.3f}")

# %% [markdown]
# The next cell computes the separation of each of the ten words (*bank*: money or river, *bat*: animal or sport, …) in each layer, and does not show it yet.

# %%
layers = range(target.shape[1])
separations = {n: shared.each_word(shared.separation, target[:, n], words, senses) for n in layers}

# %% [markdown]
# ### Exercise: predict, then run
#
# Which of the six layers adds most to the separation of the senses, compared with the layer before it? Write its number, then run the check, which computes the right answer from *your* run. Only then look on.

# %% exercise="layer_that_adds_most"
answer = None  # for example 3
# BEGIN SOLUTION
answer = max(layers[1:], key=lambda n: separations[n].mean() - separations[n - 1].mean())
# END SOLUTION

# %%
exercises.layer_that_adds_most.check(answer, separations)

# %% [markdown]
# The next figure shows the separation of each word. The table below it has the means, and each step from the layer before. The two numbers in brackets are a 95 % [bootstrap interval](glossary.md#bootstrap-interval): draw the items again with replacement, 2,000 times, and give the range of the middle 95 % of the means. Where two means come from the *same* words, we take the difference word by word first.

# %% tags=["hide-input"]
plots.matrix_plot(
    np.stack(list(separations.values()), axis=1),
    [f"{word}: {', '.join(dict.fromkeys(senses[words == word]))}" for word in dict.fromkeys(words)],
    [f"layer {n}" for n in layers],
    title="Separation of the two senses of ten words (0.5: guessing)",
)
plots.show(
    "Ten words by seven layers. Mean separation: "
    + ", ".join(f"layer {n} {values.mean():.2f}" for n, values in separations.items())
)

# %% tags=["hide-input"]
for n in layers:
    low, high = judge.bootstrap_interval(separations[n])
    step = judge.paired(separations[n], separations[n - 1]) if n else "the input"
    print(f"layer {n}: {separations[n].mean():.2f} ({low:.2f} to {high:.2f}); {step}")

# %% [markdown]
# The first layer already does most of the work. The intervals of the layers overlap, because the words differ so much: some separate well, others less so. The intervals of the *steps*, taken word by word, are much narrower: up to the third layer, each step is clear of 0.
#
# ### Beside rivals that know less
#
# The second score has 210 items. Beside the layers stand four rivals:
# - **bag of words**: sentences are alike when they share rare words. (TF-IDF: each text is the list of its word counts, and a word counts the less, the more texts it stands in. The ambiguous word is left out.) It knows no order and no meaning.
# - **bag of vectors**: the mean of all states *before* the first layer. It knows what single words mean, but nothing has been passed between them.
# - **untrained BERT**: the same network with random weights, last layer.
# - **guessing**: the share that a random other sentence gets right.

# %%
from sklearn.feature_extraction.text import TfidfVectorizer

untrained = shared.untrained_like(model, seed=0)
nothing = shared.states_of_words(shared.read(lab, lab.texts, model=untrained), starts)
without_word = [r["text"][: r["start"]] + r["text"][r["end"] :] for r in lab.records]
bag = torch.from_numpy(TfidfVectorizer().fit_transform(without_word).toarray())
vectors = torch.stack([reading.states[0].mean(dim=0) for reading in readings])
candidates = {f"layer {n}": target[:, n] for n in layers}
candidates |= {"bag of words": bag, "bag of vectors": vectors, "untrained BERT": nothing[:, -1]}
scores = {}
for name, x in candidates.items():
    scores[name] = shared.each_word(shared.neighbour_right, x, words, senses)
scores["guessing"] = shared.each_word(shared.share_of_own_sense, bag, words, senses)
print("layer 5 less bag of vectors:", judge.paired(scores["layer 5"], scores["bag of vectors"]))
print("layer 5 less layer 1:       ", judge.paired(scores["layer 5"], scores["layer 1"]))
print("layer 1 less bag of vectors:", judge.paired(scores["layer 1"], scores["bag of vectors"]))

# %% tags=["hide-input"]
plots.score_plot(
    scores,
    sort=False,
    baselines=["bag of words", "bag of vectors", "untrained BERT", "guessing"],
    xlabel="share of sentences whose nearest neighbour has the same sense",
    title="After one layer the word knows something of its sense; later layers know more",
)
plots.show("; ".join(f"{name} {values.mean():.2f}" for name, values in scores.items()))

# %% [markdown]
# The states before the first layer stay close to guessing, and so does the untrained network. Layers 1 to 6 are all well above both, and the later ones are better than the first (the second line of the print).
# The bag of vectors is far above guessing, and about as good as layer 1 (on other words, too). So a part of what looks like understanding the sentence is knowing its single words, such as "tree" or "phone".
#
# A caution for all of this: "the layer knows the sense" means that *you* can read it from the states. It does not mean that the model uses it for anything.
#
# ### The apples again, in all layers
#
# Now you know what to expect of the ten apples: in layer 0 only their position differs, and the first layer changes most. All matrices have one scale: dark is 1, white is 0.5 or less. The two numbers of a title are the mean similarities inside a sense and between the senses.

# %% tags=["hide-input"]
ten = some[[lab.records[i].get("set") == "apple10" for i in some]]
ten = ten[np.argsort(senses[ten] != "fruit", kind="stable")]
inside, mixed = shared.draw_matrices(target[ten], senses[ten])
plots.show(
    "Seven ten by ten matrices of similarities, a block for each sense. Mean inside a sense less mean between: "
    + ", ".join(f"{a - b:.2f}" for a, b in zip(inside, mixed, strict=True))
)

# %% [markdown]
# ## 5 · A question, a passage, and pictures of each layer
#
# The same encoder was *fine-tuned* (trained further, on texts of this course) to answer questions: it reads a question and a passage as one text, and marks where in the passage the answer starts and ends. Van Aken and others (2019) looked at the states of such models layer by layer, and described four stages (the words are ours):
#
# 1. **Meaning**: tokens of like meaning gather.
# 2. **Relations**: names gather with what is said about them.
# 3. **Matching**: the question meets the part of the passage that holds the answer.
# 4. **Extraction**: the answer leaves all other tokens.
#
# Which layer does which stage? A well-known homework asks this of three passages; two stand here, the third under Play.

# %%
stories = [
    shared.passage(
        "Mira keeps bees in the garden. Tom bakes bread in the village. "
        "Anna repairs boats on the river. Tom and Anna are old friends.",
        ("What does Tom bake?", "bread"),
    ),
    shared.passage(
        "The baker Tom lives in the village. The farmer Mira lives by the lake and keeps "
        "forty bees. The fisherman Paul lives on an island and repairs old boats.",
        ("Where does Tom live?", "in the village"),
    ),
]
qa = load_lab("text", model="qa")
(cases,) = shared.ask(qa, stories)

# %% tags=["hide-input"]
for case in cases:
    print(f"{case.question:>25} right: {case.answer:<15} the model: {case.given} ({case.probability:.2f})")

# %% [markdown]
# The first answer is right, the second wrong. That is useful: we can ask whether a picture shows the truth or the model's decision.
#
# To draw 384 numbers in a plane, we look at the tokens along the two directions in which they differ most. That is *principal component analysis* (PCA): subtract the mean, take the *singular value decomposition* (it writes the matrix as $U S V^\top$; the rows of $V^\top$ are directions of length 1, the one with the largest spread first), and keep the first two directions.

# %% tags=["by-hand"]
x = cases[0].reading.states[2, cases[0].inner].double()  # layer 2, without [CLS] and [SEP]
centred = x - x.mean(dim=0)
U, S, Vt = torch.linalg.svd(centred, full_matrices=False)
plane = centred @ Vt[:2].T
kept = S[:2].square().sum() / S.square().sum()
print(f"in the plane: {tuple(plane.shape)}, share of the variance that is kept: {kept:.2f}")
print(f"course's project, signs aside: {(plane.abs() - project(x).abs()).abs().max():.0e} apart")

# %% [markdown]
# Remember the share: most of what separates the tokens is *not* in the picture.
#
# **Predict** before you look on:

# %% tags=["hide-input"]
exercises.when_it_leaves

# %% [markdown]
# Read the words in each panel, not only the dots. What gathers in layers 0 and 2? Where do the words of the question lie? What happens to "bread"? (Where there is no room for a word, its dot stands alone.)

# %% tags=["hide-input"]
shared.draw_layers({"": cases[0]}, (0, 2, 4, 6))
plots.show(
    "Four planes of words. In layers 0 to 4 names, small words and things lie in groups; in layer 6 “bread” "
    "lies far from all others."
)

# %% [markdown]
# - **Stage 1** is easy to see *because the points have words*. Equal words lie on one another in layer 0. In layers 2 and 4 the names gather, the small words ("the", "in", "on") gather, and so do things.
# - **Stage 4** is plain: in layer 6 the answer lies apart.
# - **Stages 2 and 3** are not visible: "Tom" lies with the other names, not with "bakes" or "bread", and the words of the question do not move to their sentence.
#
# In the second passage the model is wrong, and quite sure. Before you look at the last layer: which words will lie apart, the right answer or the model's?

# %% tags=["hide-input"]
shared.draw_layers({"": cases[1]}, (0, 2, 4, 6))
plots.show(
    f"Four planes of words. In layer 6 the model's wrong answer “{cases[1].given}” lies far from all others; "
    "the right answer does not."
)

# %% [markdown]
# The tokens of the *wrong* answer leave. A picture in which something leaves shows that the model has decided. It does not show that it is right. Section 6 checks this on many passages.
#
# ### Play
#
# Here is the third passage. Its question needs two sentences (Rosa is a hen; hens are afraid of foxes). Is the model sure? What leaves in layer 6? Choose a passage and a layer (Tab moves between the controls, the arrow keys change a value). Then put your own passage, question and answer here.

# %%
my_story = shared.passage(
    "Dogs are afraid of geese. Cats are afraid of dogs. Hens are afraid of foxes. "
    "Foxes are afraid of dogs. Bella is a cat. Rosa is a hen. Max is a fox. Oscar is a dog.",
    ("What is Rosa afraid of?", "foxes"),
)
((my_case,),) = shared.ask(qa, [my_story])
print(f"{my_case.question} The model: {my_case.given} ({my_case.probability:.2f})")

# %% tags=["hide-input"]
by_question = {case.question: case for case in (my_case, *cases)}


def draw(question, layer):
    figure, ax = plt.subplots(figsize=(8, 4.8))
    shared.draw_case(ax, by_question[question], layer)
    plots.show(f"The words of “{question}” and its passage in the plane, layer {layer}.")


widgets.explore(
    draw,
    question=widgets.choice("question", list(by_question)),
    layer=widgets.slider("layer", 0, 6, 5),
)

# %% [markdown]
# The third passage as a still picture, in layer 6:

# %% tags=["hide-input"]
draw(my_case.question, 6)

# %% [markdown]
# This model is not sure, and nothing leaves alone: the two ends of what it answers (crosses) lie far out ("foxes", "dogs"), and so does the right "foxes".

# %% [markdown]
# ## 6 · From pictures to numbers: which answer leaves?
#
# A plane shows a part of the variance, and three passages are three. So we measure distances with all 384 numbers, on 32 passages that the model was not trained on (*held out*) and 16 that it was, one question each. Layers have different scales, so each distance is divided by the mean distance of two tokens of the passage in the same layer: 1 means "as far as two words of the passage usually are". Beside the fine-tuned model stands the plain encoder, which was never trained to answer questions.

# %%
passages, held_out = shared.course_passages(n_trained=16)
tuned, plain = shared.ask(qa, passages, others=[lab], say="reading")
hit = np.array([case.hit for case in tuned])
for name, rows in (("held out", held_out), ("trained on", ~held_out)):
    low, high = judge.bootstrap_interval(hit[rows])
    print(f"{name:>10}: right or nearly right {hit[rows].mean():.2f} ({low:.2f} to {high:.2f})")

# %% [markdown]
# The model often fails on held-out questions, and hardly ever on those that it learnt from: a part of what it learnt is these very texts. (That questions use other words than the passage does not explain it: both kinds do.)
#
# The four lines: the right answer's distance to the question and to the rest of the passage (*context*), the question's distance to the context, and a control: the answers to the *other* questions on the same passage. They are phrases of the same kind, but nobody asked for them.


# %%
def distances_of(case):
    """Four curves over the layers, each (layers + 1,)."""
    apart, part = shared.spread_distances(case), case.part
    rest = np.setdiff1d(part["context"], part["other"])
    return {
        "answer to question": shared.between(apart, part["answer"], part["question"]),
        "answer to context": shared.between(apart, part["answer"], part["context"]),
        "question to context": shared.between(apart, part["question"], part["context"]),
        "other answers to context": shared.between(apart, part["other"], rest),
    }


# %%
curves = {}
for name, of_model in (("fine-tuned", tuned), ("plain", plain)):
    rows = [distances_of(case) for case in of_model]
    curves[name] = {key: np.array([row[key] for row in rows]) for key in rows[0]}
for name, c in curves.items():
    gain = judge.paired(c["answer to context"][:, -1], c["other answers to context"][:, -1])
    print(f"{name:>10}, last layer, answer less other answers: {gain}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True)
for ax, (name, of_model) in zip(axes, curves.items(), strict=True):
    shared.layer_curves(ax, of_model)
    ax.axhline(1, color=plots.BASELINE, linestyle=":")
    ax.set_title(f"{name} model", loc="left")
axes[0].set(ylabel="distance (1: two words\nof the passage)")
axes[0].legend(fontsize=9)
plots.show(
    "Distances over the layers, two panels. Fine-tuned: the answer goes up to "
    f"{curves['fine-tuned']['answer to context'][:, -1].mean():.2f} in the last layer, other answers stay at "
    f"{curves['fine-tuned']['other answers to context'][:, -1].mean():.2f}. Plain: the question moves away."
)

# %% [markdown]
# In the fine-tuned model the answer moves away from question *and* context in the last two layers, and the control stays. That is stage 4, measured. In the plain encoder the *question* moves away from the whole passage after the last layer, and the answer is hardly farther from the context than other answers are (the second line of the print).
#
# This stage is nearly built in: the fine-tuned model reads start and end from the last states with one weight vector each, so the chosen tokens *must* differ from the others there. But which tokens are these, when the model is wrong?

# %% tags=["hide-input"]
exercises.which_span_leaves


# %%
def last_layer(part, chosen):
    """Distance of one part to the rest of the passage, for the chosen cases."""
    return np.array([shared.leaves(tuned[i], tuned[i].part[part]) for i in chosen])


# %%
right, wrong = np.flatnonzero(hit), np.flatnonzero(~hit)
spans = {
    "right: the answer": last_layer("answer", right),
    "right: answers to other questions": last_layer("other", right),
    "wrong: what the model answered": last_layer("given", wrong),
    "wrong: the right answer": last_layer("answer", wrong),
    "wrong: answers to other questions": last_layer("other", wrong),
}
given, missed, others = list(spans.values())[2:]
print("wrong, given less right answer: ", judge.paired(given, missed))
print("wrong, right answer less others:", judge.paired(missed, others))
print(f"given farther than right: in {(given > missed).sum()} of {len(wrong)}")

# %% tags=["hide-input"]
plots.score_plot(
    spans,
    sort=False,
    baselines=["right: answers to other questions", "wrong: answers to other questions"],
    title=f"What the model answers leaves ({len(right)} right, {len(wrong)} wrong)",
    xlabel="distance to the rest of the passage, last layer (1: two words of the passage)",
    xlim=(0.8, 2.8),
    width=9,
)
plots.show("; ".join(f"{name} {values.mean():.2f}" for name, values in spans.items()))

# %% [markdown]
# On average, what leaves farthest is the span that the model *answers*, right or wrong (with exceptions, such as Rosa). The right answer that it missed lies a little farther out than other answers of the same passages; perhaps it was the second choice: this figure cannot tell. **The states show the decision, not the truth.**
#
# And the other stages? [11c](11c_four_stages.ipynb) measures them all, on new passages and with the plain encoder beside: names find names far above chance in all layers (stage 1), tokens of one sentence are a little more alike in the middle layers, twice as much after training on questions (stage 2), and a matching made by the fine-tuning (stage 3) cannot be shown in this small model.

# %% [markdown]
# ## 7 · Your turn
#
# Change the word and its sentences, nothing else. Each sentence must hold the word. (If you are online: `variant="bert-base-uncased"` loads a larger BERT.)

# %%
my_word = "letter"
my_sentences = {
    "mail": [
        "The postman brought a letter from my aunt.",
        "She folded the letter and put it into an envelope.",
        "He wrote a long letter to his lawyer.",
        "A letter arrived without a stamp.",
    ],
    "alphabet": [
        "The word begins with a capital letter.",
        "He forgot the last letter of her name.",
        "Each letter of the password is a sign.",
    ],
}
my_lab = load_lab("text", model="encoder", variant=None)

# %% tags=["hide-input"]
mine, my_senses = shared.states_of_my_word(my_lab, my_word, my_sentences)
for n in range(mine.shape[1]):
    near, apart = shared.neighbour_right(mine[:, n], my_senses), shared.separation(mine[:, n], my_senses)
    print(f"layer {n}: separation {apart:.2f}, neighbour {near.mean():.2f}")
print(f"guessing: separation 0.50, neighbour {shared.share_of_own_sense(mine, my_senses).mean():.2f}")

# %% tags=["hide-input"]
split = int((my_senses == my_senses[0]).sum()) - 0.5
names = [f"{sense} {n + 1}" for sense, group in my_sentences.items() for n in range(len(group))]
shared.draw_two_rulers(mine[:, 4], names, split, f"“{my_word}” in {len(names)} sentences, after layer 4")
plots.show(
    f"All distances and all similarities of “{my_word}” after layer 4; separation "
    f"{shared.separation(mine[:, 4], my_senses):.2f}."
)

# %% [markdown]
# ## 8 · Where it breaks: the padding in the mean
#
# This encoder was made to turn a sentence into *one* vector: the mean of its tokens' states after the last layer. Texts of one batch are filled up with *padding* to the same length. The model ignores the padding, but `states.mean(dim=1)` does not.

# %%
sentence = "The soup was cold."
alone = shared.sentence_vectors(lab, [sentence])[0, -1]
for company in ("It rained.", "It rained, and nobody came to see the show that evening. " * 3):
    batch = lab.tokenize([sentence, company])
    with torch.no_grad():
        out = model(**batch).last_hidden_state[0].cpu()
    careless, careful = out.mean(dim=0), out[batch["attention_mask"][0].cpu() == 1].mean(dim=0)
    with_itself = [cosine_similarity(x, alone).item() for x in (careless, careful)]
    length = batch["input_ids"].shape[1]
    print(f"{length:3d} tokens: careless {with_itself[0]:.2f}, with the mask {with_itself[1]:.2f}")

# %% [markdown]
# The printed numbers are similarities with the same sentence read alone. One sentence gets different vectors, depending on the other text of its batch. No error appears; a search only finds worse texts.
#
# ### Exercise: the mean of the tokens that are there
#
# Write the right version. The padding can be at the end or in front.


# %% exercise="mean_of_tokens"
def mean_of_tokens(states, mask):
    """Mean states (N, D) of the real tokens, from states (N, T, D).

    mask (N, T) is 1 for a token and 0 for padding.
    """
    # BEGIN SOLUTION
    weights = mask[..., None].to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)
    # END SOLUTION


# %%
exercises.mean_of_tokens.check(mean_of_tokens)

# %% [markdown]
# ## 9 · Recap
#
# - A hidden state is one vector for each token and layer. Before the first layer it is word + position + segment; all else comes through attention.
# - Distance does not see a shared shift, similarity does not see length, and $1 - \cos$ is a distance.
# - A similarity needs a crowd. Score the question you have (separation, nearest neighbour) with an interval, beside a bag of words and an untrained network.
# - PCA shows large, simple differences, and you see groups only when the points have words. A plane shows a part of the variance: measure in the full space.
# - In a model that answers questions, the span it answers leaves the passage in the last layers, right or wrong.
#
# **Companions.** [11b · Where the sense comes from](11b_where_the_sense_comes_from.ipynb): the states of all layers with hooks, how far tokens travel, the sense in other tokens, the common part of all states, and the context taken away word by word. [11c · The four stages, measured](11c_four_stages.ipynb): one number for each stage, t-SNE and its warning, how flat a PCA picture is. [11d · Probing and search](11d_probing_and_search.ipynb): what a classifier can read from a layer, control tasks, and a search that finds topics but not opinions.
#
# <details><summary>The paper in ten questions: van Aken and others, How Does BERT Answer Questions? (CIKM 2019)</summary>
#
# 1. **Which problem?** Attention maps are looked at a lot, hidden states little. What happens to the tokens on their way through a model that answers questions?
# 2. **Is it new?** Probing was known for pretrained models. Looking at models fine-tuned for question answering, with probes *and* pictures of the states, was new.
# 3. **Which hypothesis?** The layers work in phases that resemble the steps of a classical language-processing pipeline.
# 4. **Related work, and who?** Tenney and others (2019) on the pipeline in BERT; the debate on attention as explanation (lesson 10). The authors came from the Beuth University of Applied Sciences in Berlin.
# 5. **The key idea?** Follow the tokens of a question, the sentences that support its answer, and the answer through all layers, in pictures (PCA) and with probes.
# 6. **Which experiments?** Pictures of single examples; probes for names, for words that mean the same person or thing, for relations, question type and supporting sentences.
# 7. **Data and code?** SQuAD, HotpotQA and bAbI; BERT base and large, and a GPT-2. The code is public.
# 8. **Do the results support it?** The probes support a rough order. The pictures are single examples, chosen by the authors, and a flat picture favours the last stage.
# 9. **What did it contribute?** A way of looking at fine-tuned models by their states, and the observation that a failure can be seen before the output.
# 10. **What next?** Control tasks for the probes (Hewitt and Liang, 2019), many examples with intervals, and changing states to see what the model uses.
#
# </details>
#
# **References**
# - [Devlin and others, 2019: BERT](https://arxiv.org/abs/1810.04805)
# - [van Aken and others, 2019: How does BERT answer questions?](https://arxiv.org/abs/1909.04925)
# - [Ethayarajh, 2019: How contextual are contextualized word representations?](https://arxiv.org/abs/1909.00512)
# - [Tenney, Das and Pavlick, 2019: BERT rediscovers the classical NLP pipeline](https://arxiv.org/abs/1905.05950)
# - [Reimers and Gurevych, 2019: Sentence-BERT](https://arxiv.org/abs/1908.10084)
# - [Wang and others, 2020: MiniLM](https://arxiv.org/abs/2002.10957)
