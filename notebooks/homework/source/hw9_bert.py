# %% [markdown]
# # Homework 9, texts: what does BERT know of a word?
#
# A BERT encoder of six layers, twelve heads each. You look into its attention, hide words from it, follow a question and its answer through the layers, and ask when it knows that an apple is no phone.
#
# **How it works.** Write each answer where it says `# your answer` or in place of the dots, and run the cell below it: it tells you whether your answer has the right *form*, not whether it is right. Each answer is a variable (or a function) with the name that stands there. Do not change the other cells: they are put back before the grading.
#
# | | |
# |---|---|
# | time | about 70 minutes |
# | points | 36 |
# | lessons | 10, 11 |
# | help | the lessons, the functions of `course_utils`, and the documentation; not each other's answers |

# %%
SEED = 2026

import numpy as np
import torch

from course_utils.labs import load_lab
from course_utils.methods.attention import attention_maps
from course_utils.methods.embeddings import cosine_similarity, euclidean_distance, hidden_states, project
from course_utils.teach import answers

rng = np.random.default_rng(SEED)
lab, masked = load_lab("text", model="encoder"), load_lab("masked_word")
FRUIT = (
    "She peeled an apple and gave half of it to her brother.",
    "The apple fell from the tree into the wet grass.",
    "He ate an apple with cheese and brown bread.",
    "Grandmother bakes a cake with one apple and some cinnamon.",
    "The horse took the apple gently out of my hand.",
    "A worm had eaten its way into the ripe apple.",
    "This apple tastes sweet and a little sour.",
    "Cut the apple into slices and add some honey.",
)
FIRM = (
    "He works for apple and writes programs for phones.",
    "The shares of apple rose after the new phone was shown.",
    "She bought a laptop from apple for her studies.",
    "A court ruled that apple has to pay more taxes.",
    "The engineers of apple presented a faster computer.",
    "Many customers of apple waited for the update of the software.",
    "The managers of apple met the bank in California.",
    "Last year apple opened a new store in our city.",
)
fruit = [FRUIT[i] for i in rng.permutation(8)[:5]]
firm = [FIRM[i] for i in rng.permutation(8)[:5]]
sentences = fruit + firm
kinds = np.array(["fruit"] * 5 + ["firm"] * 5)
APPLE = lab.tokenizer.convert_tokens_to_ids("apple")
tokens = [lab.tokenize(sentence) for sentence in sentences]
states = [hidden_states(lab.model, t) for t in tokens]  # (7, T, 384) a sentence: embeddings, then six layers
maps = [attention_maps(lab.model, t) for t in tokens]  # (6, 12, T, T) a sentence
one = int(rng.integers(10))  # the sentence of questions 1, 2 and 4
print(f"sentence {one}: {sentences[one]}")
print(lab.tokenizer.convert_ids_to_tokens(tokens[one]["input_ids"][0]))

# %% [markdown]
# ## 1 · Attention
#
# **Question 1** (2 points). How many numbers does the attention of sentence `one` have, in all layers and heads together?

# %% question="n_weights" points=2 minutes=3 trains="10 §2"
# BEGIN SOLUTION
n_weights = maps[one].numel()
# END SOLUTION

# %% test="n_weights"
answers.number(n_weights, 1)
# BEGIN HIDDEN TESTS
length = tokens[one]["input_ids"].shape[1]
if n_weights == 6 * 12 * (length - 2) ** 2:
    print("mistake: forgot [CLS] and [SEP]")
2 if n_weights == 72 * length**2 else 1 if n_weights == 72 * (length - 2) ** 2 else 0
# END HIDDEN TESTS

# %% mistake="forgot [CLS] and [SEP]" of="n_weights" points=1
n_weights = 6 * 12 * (maps[one].shape[-1] - 2) ** 2


# %% [markdown]
# **Question 2** (3 points). Write how much a head looks at the word before: the mean of the attention from token $i$ to token $i-1$, over all tokens that have one before them. (A row of the attention says where the row's token looks.)


# %% question="to_previous" points=3 minutes=6 trains="10 §3"
def to_previous(attention):
    """A number, from one head's attention (T, T)."""
    # BEGIN SOLUTION
    return float(attention.diagonal(-1).mean())
    # END SOLUTION


# %% test="to_previous"
answers.function(to_previous, maps[one][0, 0], shape=())
# BEGIN HIDDEN TESTS
a = torch.rand(9, 9, generator=torch.Generator().manual_seed(SEED)).softmax(-1)
got = float(to_previous(a))
wrong = {"looks at the word after": a.diagonal(1).mean(), "divided by all tokens": a.diagonal(-1).sum() / 9}
named = [name for name, value in wrong.items() if abs(got - float(value)) < 1e-5]
if named:
    print("mistake:", named[0])
3 if abs(got - float(a.diagonal(-1).mean())) < 1e-5 else {
    "looks at the word after": 1,
    "divided by all tokens": 2,
}.get(*named, 0) if named else 0
# END HIDDEN TESTS


# %% mistake="looks at the word after" of="to_previous" points=1
def to_previous(attention):
    return float(attention.diagonal(1).mean())


# %% mistake="divided by all tokens" of="to_previous" points=2
def to_previous(attention):
    return float(attention.diagonal(-1).sum() / len(attention))


# %% [markdown]
# **Question 3** (3 points). Which head looks most at the word before, on the mean of the ten sentences? A tuple (layer, head), both counted from 0.

# %% question="previous_head" points=3 minutes=6 trains="10 §3"
# BEGIN SOLUTION
score = torch.stack([m.diagonal(-1, 2, 3).mean(-1) for m in maps]).mean(0)
previous_head = tuple(int(i) for i in np.unravel_index(int(score.argmax()), (6, 12)))
# END SOLUTION

# %% test="previous_head"
answers.numbers(previous_head, 2)
# BEGIN HIDDEN TESTS
of_head = torch.stack([m.diagonal(-1, 2, 3).mean(-1) for m in maps]).mean(0)
layer, head = (int(i) for i in previous_head)
best = np.unravel_index(int(of_head.argmax()), (6, 12))
fits = 0 <= layer < 6 and 0 <= head < 12 and float(of_head[layer, head]) >= float(of_head.max()) - 0.01
if not fits and (layer - 1, head - 1) == tuple(best):
    print("mistake: counted from 1")
3 if fits else 2 if (layer - 1, head - 1) == tuple(best) else 0
# END HIDDEN TESTS

# %% mistake="counted from 1" of="previous_head" points=2
score = torch.stack([m.diagonal(-1, 2, 3).mean(-1) for m in maps]).mean(0)
previous_head = tuple(int(i) + 1 for i in np.unravel_index(int(score.argmax()), (6, 12)))

# %% [markdown]
# **Question 4** (2 points). Which share of the attention of sentence `one`'s *words* (all tokens but the first and the last) goes to [CLS] or [SEP], on the mean of all layers and heads?

# %% question="to_special" points=2 minutes=5 trains="10 §3"
# BEGIN SOLUTION
to_special = float(maps[one][:, :, 1:-1][..., [0, -1]].sum(-1).mean())
# END SOLUTION

# %% test="to_special"
answers.number(to_special, 0, 1)
# BEGIN HIDDEN TESTS
key, all_rows = maps[one][:, :, 1:-1][..., [0, -1]].sum(-1).mean(), maps[one][..., [0, -1]].sum(-1).mean()
if abs(to_special - float(all_rows)) < 1e-4:
    print("mistake: the special tokens' own attention counted in")
2 if abs(to_special - float(key)) < 1e-3 else 1 if abs(to_special - float(all_rows)) < 1e-4 else 0
# END HIDDEN TESTS

# %% mistake="the special tokens' own attention counted in" of="to_special" points=1
to_special = float(maps[one][..., [0, -1]].sum(-1).mean())

# %% [markdown]
# ## 2 · A hidden word
#
# `masked.hide(text, "apple")` puts [MASK] in the place of a word; `masked.guess(text, k=5)` gives, for each [MASK], the five likeliest words with their probabilities.
#
# **Question 5** (2 points). Hide "apple" in sentence `one`. What is the model's first guess?

# %% question="first_guess" points=2 minutes=3 trains="10 §4"
# BEGIN SOLUTION
first_guess = masked.guess(masked.hide(sentences[one], "apple"))[0][0][0]
# END SOLUTION

# %% test="first_guess"
answers.text(first_guess, (1, 1))
# BEGIN HIDDEN TESTS
guesses = masked.guess(masked.hide(sentences[one], "apple"))[0]
accepted = {word for word, p in guesses if p > guesses[0][1] - 0.005}
2 if first_guess.strip().lower() in accepted else 0
# END HIDDEN TESTS

# %% [markdown]
# **Question 6** (3 points). In how many of the ten sentences is "apple" among the ten likeliest guesses, when it is hidden? A tuple: of the five with the fruit, of the five with the firm.

# %% question="guessed_apple" points=3 minutes=5 trains="10 §4"
# BEGIN SOLUTION
found = ["apple" in dict(masked.guess(masked.hide(s, "apple"), k=10)[0]) for s in sentences]
guessed_apple = (sum(found[:5]), sum(found[5:]))
# END SOLUTION

# %% test="guessed_apple"
answers.numbers(guessed_apple, 2)
# BEGIN HIDDEN TESTS
hits = ["apple" in dict(masked.guess(masked.hide(s, "apple"), k=10)[0]) for s in sentences]
of_five = ["apple" in dict(masked.guess(masked.hide(s, "apple"), k=5)[0]) for s in sentences]
key, fewer = (sum(hits[:5]), sum(hits[5:])), (sum(of_five[:5]), sum(of_five[5:]))
said = tuple(int(n) for n in guessed_apple)
if said == fewer != key:
    print("mistake: among five guesses")
3 if said == key else 1.5 * ((said[0] == key[0]) + (said[1] == key[1]))
# END HIDDEN TESTS

# %% [markdown]
# **Question 7** (2 points). Which sentences are true?
#
# - **A**: To guess the hidden word, the model uses words before and after it.
# - **B**: A wrong guess with a high probability shows that the sentence is wrong.
# - **C**: Which words the guess depends on can be tested: change one of them and guess again.
# - **D**: The word that gets most attention at the [MASK] is the word that the guess depends on most.

# %% question="about_guesses" points=2 minutes=3 trains="10 §4, §6"
# BEGIN SOLUTION
about_guesses = "AC"
# END SOLUTION

# %% test="about_guesses"
answers.letters(about_guesses, "ABCD")
# BEGIN HIDDEN TESTS
if "D" in about_guesses.upper():
    print("mistake: takes attention for influence")
sum((letter in about_guesses.upper()) == (letter in "AC") for letter in "ABCD") / 2
# END HIDDEN TESTS

# %% mistake="takes attention for influence" of="about_guesses" points=1.5
about_guesses = "ACD"

# %% [markdown]
# ## 3 · A question and its answer, layer by layer

# %%
PASSAGES = (
    (
        "What was the dog afraid of?",
        "Mia had a brown dog. The dog was afraid of thunder and hid below the bed.",
        "thunder",
    ),
    (
        "When did the bridge open?",
        "The old bridge fell in a storm. The new bridge opened in 1932 and crosses the river.",
        "1932",
    ),
    (
        "Who repaired the clock?",
        "The clock in the tower stood still for years. A baker repaired the clock last spring.",
        "baker",
    ),
    (
        "Where do the cranes sleep?",
        "Cranes fly south in autumn. At night the cranes sleep in shallow water near the coast.",
        "water",
    ),
)
question, passage, reply = PASSAGES[int(rng.integers(len(PASSAGES)))]
pair = lab.tokenize([(question, passage)])
words = lab.tokenizer.convert_ids_to_tokens(pair["input_ids"][0])
pair_states = hidden_states(lab.model, pair)  # (7, T, 384)
at_answer = words.index(reply, words.index("[SEP]"))
at_question = 1  # the question word
print(words, "| the answer is token", at_answer)


# %% [markdown]
# **Question 8** (4 points). Write the projection on the two directions in which the states differ most (principal component analysis). The signs of the two columns do not matter.


# %% question="two_directions" points=4 minutes=8 trains="11 §5"
def two_directions(states):
    """(N, 2), from states (N, D)."""
    # BEGIN SOLUTION
    centred = states - states.mean(dim=0)
    return centred @ torch.linalg.svd(centred, full_matrices=False)[2][:2].T
    # END SOLUTION


# %% test="two_directions"
answers.function(two_directions, pair_states[3], shape=(len(words), 2))
# BEGIN HIDDEN TESTS
x = hidden_states(lab.model, lab.tokenize(sentences[0]))[4]
got, key = torch.as_tensor(two_directions(x)).double().abs(), project(x, 2).double().abs()
free = (x @ torch.linalg.svd(x, full_matrices=False)[2][:2].T).double().abs()
right = torch.allclose(got, key, atol=1e-2)
if not right and torch.allclose(got, free, atol=1e-2):
    print("mistake: the mean was not taken off")
4 if right else 2 if torch.allclose(got, free, atol=1e-2) else 0
# END HIDDEN TESTS


# %% mistake="the mean was not taken off" of="two_directions" points=2
def two_directions(states):
    return states @ torch.linalg.svd(states, full_matrices=False)[2][:2].T


# %% [markdown]
# **Question 9** (3 points). At which of the seven depths (0: the embeddings, 6: after the last layer) is the state of the question word (token 1) most similar to the state of the answer (token `at_answer`), by cosine?

# %% question="closest_depth" points=3 minutes=5 trains="11 §6"
# BEGIN SOLUTION
closest_depth = int(cosine_similarity(pair_states[:, at_question], pair_states[:, at_answer]).argmax())
# END SOLUTION

# %% test="closest_depth"
answers.number(closest_depth, 0, 6)
# BEGIN HIDDEN TESTS
likeness = cosine_similarity(pair_states[:, at_question], pair_states[:, at_answer])
by_distance = int(euclidean_distance(pair_states[:, at_question], pair_states[:, at_answer]).argmin())
right = float(likeness[int(closest_depth)]) >= float(likeness.max()) - 0.01
if not right and closest_depth == by_distance:
    print("mistake: the smallest distance, not the largest cosine")
3 if right else 1 if closest_depth == by_distance else 0
# END HIDDEN TESTS

# %% [markdown]
# ## 4 · Apple and apple
#
# In each of the ten sentences, take the state of the token *apple* at each depth.

# %%
places = [int((t["input_ids"][0] == APPLE).nonzero()[0]) for t in tokens]
apples = torch.stack([s[:, place] for s, place in zip(states, places, strict=True)], dim=1)  # (7, 10, 384)


# %% [markdown]
# **Question 10** (3 points). Write the matrix of all Euclidean distances between the rows of `x`, without the course's functions and without `torch.cdist`.


# %% question="distances" points=3 minutes=5 trains="11 §3"
def distances(x):
    """(N, N), from vectors (N, D)."""
    # BEGIN SOLUTION
    return (x[:, None] - x[None]).square().sum(dim=-1).sqrt()
    # END SOLUTION


# %% test="distances"
answers.function(distances, apples[0], shape=(10, 10))
# BEGIN HIDDEN TESTS
x = torch.randn(6, 5, generator=torch.Generator().manual_seed(SEED))
got, key = torch.as_tensor(distances(x)).double(), torch.cdist(x.double(), x.double())
wrong = {
    "squared distances": key**2,
    "the sum of the absolute differences": torch.cdist(x.double(), x.double(), p=1),
}
named = [name for name, value in wrong.items() if torch.allclose(got, value, atol=1e-3)]
if named:
    print("mistake:", named[0])
3 if torch.allclose(got, key, atol=1e-3) else 1.5 if named else 0
# END HIDDEN TESTS


# %% mistake="squared distances" of="distances" points=1.5
def distances(x):
    return (x[:, None] - x[None]).square().sum(dim=-1)


# %% [markdown]
# **Question 11** (4 points). Write the matrix of all cosine similarities.


# %% question="similarities" points=4 minutes=5 trains="11 §3"
def similarities(x):
    """(N, N), −1 … 1, from vectors (N, D)."""
    # BEGIN SOLUTION
    unit = x / x.norm(dim=1, keepdim=True)
    return unit @ unit.T
    # END SOLUTION


# %% test="similarities"
answers.function(similarities, apples[0], shape=(10, 10))
# BEGIN HIDDEN TESTS
x = torch.randn(6, 5, generator=torch.Generator().manual_seed(SEED + 1))
unit = x / x.norm(dim=1, keepdim=True)
got = torch.as_tensor(similarities(x)).float()
wrong = {"not divided by the lengths": x @ x.T, "divided by one length only": x @ x.T / x.norm(dim=1, keepdim=True),
         "the distance instead of the similarity": 1 - unit @ unit.T}  # fmt: skip
named = [name for name, value in wrong.items() if torch.allclose(got, value, atol=1e-3)]
if named:
    print("mistake:", named[0])
4 if torch.allclose(got, unit @ unit.T, atol=1e-3) else 2 if named else 0
# END HIDDEN TESTS


# %% mistake="not divided by the lengths" of="similarities" points=2
def similarities(x):
    return x @ x.T


# %% mistake="the distance instead of the similarity" of="similarities" points=2
def similarities(x):
    unit = x / x.norm(dim=1, keepdim=True)
    return 1 - unit @ unit.T


# %% [markdown]
# **Question 12** (3 points). The *gap* at a depth: the mean cosine similarity of two sentences of the same kind (not of a sentence with itself) minus that of two of different kinds. At which depth is it largest?

# %% question="best_depth" points=3 minutes=7 trains="11 §4"
# BEGIN SOLUTION
same = torch.from_numpy(kinds[:, None] == kinds[None])
others = ~torch.eye(10, dtype=torch.bool)
gaps = []
for at_depth in apples:
    likeness = cosine_similarity(at_depth[:, None], at_depth[None])
    gaps.append(float(likeness[same & others].mean() - likeness[~same].mean()))
best_depth = int(np.argmax(gaps))
# END SOLUTION

# %% test="best_depth"
answers.number(best_depth, 0, 6)
# BEGIN HIDDEN TESTS
of_kind, apart = torch.from_numpy(kinds[:, None] == kinds[None]), ~torch.eye(10, dtype=torch.bool)
matrices = [cosine_similarity(x[:, None], x[None]) for x in apples]
key = np.array([float(m[of_kind & apart].mean() - m[~of_kind].mean()) for m in matrices])
within = int(np.argmax([float(m[of_kind & apart].mean()) for m in matrices]))
right = key[int(best_depth)] >= key.max() - 0.01
if not right and best_depth == within:
    print("mistake: only the similarity within a kind")
3 if right else 1 if best_depth == within else 0
# END HIDDEN TESTS

# %% mistake="only the similarity within a kind" of="best_depth" points=1
same = torch.from_numpy(kinds[:, None] == kinds[None]) & ~torch.eye(10, dtype=torch.bool)
best_depth = int(np.argmax([float(cosine_similarity(x[:, None], x[None])[same].mean()) for x in apples]))

# %% [markdown]
# **Question 13** (2 points). Do the same with another token: the last one of each sentence, [SEP]. Is its largest gap over all depths larger than that of *apple*? Answer `"yes"` or `"no"`.

# %% question="other_token" points=2 minutes=6 trains="11 §4"
# BEGIN SOLUTION
ends = torch.stack([s[:, -1] for s in states], dim=1)
same, others = torch.from_numpy(kinds[:, None] == kinds[None]), ~torch.eye(10, dtype=torch.bool)


def largest_gap(vectors):
    matrices = [cosine_similarity(x[:, None], x[None]) for x in vectors]
    return max(float(m[same & others].mean() - m[~same].mean()) for m in matrices)


other_token = "yes" if largest_gap(ends) > largest_gap(apples) else "no"
# END SOLUTION

# %% test="other_token"
answers.choice(other_token, ["yes", "no"])
# BEGIN HIDDEN TESTS
last = torch.stack([s[:, -1] for s in states], dim=1)
of_kind, apart = torch.from_numpy(kinds[:, None] == kinds[None]), ~torch.eye(10, dtype=torch.bool)
largest = []
for vectors in (last, apples):
    matrices = [cosine_similarity(x[:, None], x[None]) for x in vectors]
    largest.append(max(float(m[of_kind & apart].mean() - m[~of_kind].mean()) for m in matrices))
unclear = abs(largest[0] - largest[1]) < 0.02
2 if unclear or other_token == ("yes" if largest[0] > largest[1] else "no") else 0
# END HIDDEN TESTS
