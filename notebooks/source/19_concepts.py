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
# # 19 · Models that explain themselves, and whether they do
#
# **The question.** A model gives its reasons in words ("it has a beak"), or shows an example ("it looks like that"). Is that how it decides?
#
# **After this lesson you can**
# - build a model that first names concepts and then the class, and correct it by hand (*intervention*);
# - compare a concept's accuracy with two baselines, and say which of them counts;
# - test whether the word "beak" has anything to do with beaks;
# - find the direction of a concept inside any network, compare it with random ones, and say how large its effect is;
# - look at what the prototypes of a "this looks like that" network show.
#
# **Time**: about <!-- minutes --> minutes. **Before**: logistic regression ([13](13_glass_boxes.ipynb)), feature maps and CAM ([03](03_cam.ipynb)). [09b](09b_filter_names.ipynb) gives names to single filters; here the names come first, and the network has to fit them.
#
# The scenes are drawn by a program, so that we know for each pixel which part it shows. A **concept** is one of 22 parts (beak, wheel, sail …); it is *present* if at least 12 pixels show it. Here are the first five scenes, their parts in colours, and how many pixels show each part.

# %% tags=["hide-input"]
from course_utils.lessons import l19_concepts as lesson
from course_utils.teach import plots

lesson.draw_parts(lesson.scenes(n=5))
plots.show(
    "Five scenes; below each, the same scene with every part in its own colour, and a list of the parts with the number "
    "of their pixels. Most parts have far more than twelve; the horse's eye has eleven, so it does not count as present."
)

# %% [markdown]
# 800 scenes are for learning, 400 for tests. One trained network (the `scenes` ResNet) sees them once and stays as it is.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from course_utils import judge
from course_utils.exercises import l19_concepts as exercises
from course_utils.lessons import l19_concepts as lesson
from course_utils.lessons.l19_concepts import sigmoid
from course_utils.methods.concepts import concept_vector, directional_derivatives, positive_share
from course_utils.teach import plots, widgets

world = lesson.scenes()  # rendering and features: some seconds, used by all sections
words, concepts, classes = world.words, world.concepts, world.classes
learn, test = slice(0, 800), slice(800, 1200)
w, b, head, said = lesson.bottleneck(world)  # built by hand in section 2
beak = words.index("beak")

# %% [markdown]
# ## 1 · A puzzle: it has a beak
#
# A model that we build in section 2 says in words what it sees. Here are some birds, and how sure it is of "beak": a number from 0 to 1.

# %% tags=["hide-input", "thumbnail"]
hidden_beaks = world.named("bird") & (world.pixels[:, beak] == 0) & (said[:, beak] > 0.5)
shown = np.flatnonzero(hidden_beaks)[:4]
plots.show_images(list(world.images[shown]), [f"“beak”, {said[i, beak]:.2f}" for i in shown], columns=len(shown), width=8)  # fmt: skip
plots.show(
    "Drawn birds whose beak cannot be seen: it lies outside the picture or is hidden. The model says beak of each of them."
)
without = world.named("bird") & (world.pixels[:, beak] == 0)
print(f"birds with no pixel of a beak: {without.sum()}; the model says beak of {hidden_beaks.sum()} of them, "
      f"{(np.flatnonzero(hidden_beaks) < 800).sum()} of which it learnt from")  # fmt: skip

# %% [markdown]
# Search for the beaks. There are none: they lie outside the picture, or something hides them. The model does not say "beak" of every such bird, but of these it does. Two of the three were among the scenes that it learnt from, with the answer *no beak*.

# %% tags=["hide-input"]
exercises.why_beak

# %% [markdown]
# ## 2 · The idea: concepts first, then the class
#
# A **concept bottleneck** (Koh and others, 2020) answers in two steps. Step 1: from the picture $x$ to one number for each concept $k$, $\hat c_k$, the probability that concept $k$ is present. Step 2: from these numbers, *and nothing else*, to the class. So each answer comes with its reasons, and you can correct them.
#
# Step 1 here: let $f(x)$ be the 128 channels of the network's last maps, averaged over space. Each concept has weights $w_k$ and a number $b_k$, learnt by a logistic regression, and $\sigma$ turns log-odds into a probability:
#
# $$\hat c_k = \sigma\bigl(w_k^\top f(x) + b_k\bigr), \qquad \text{class} = \arg\max_y\; \bigl(v_y^\top \hat c + a_y\bigr).$$
#
# Step 2 is a softmax regression: $\hat c$ holds all 22 numbers, and each class $y$ has 22 weights $v_y$ and a number $a_y$. We fit it to the *true* concepts, so that it reads them as a person would.


# %% tags=["by-hand"]
def fit_bottleneck(features, concepts, classes):
    """Step 1: weights (22, 128) and biases (22,). Step 2: a classifier that reads the 22 concepts."""
    detectors = [LogisticRegression(max_iter=300).fit(features, column) for column in concepts.T]
    step_1 = np.stack([d.coef_[0] for d in detectors]), np.array([d.intercept_[0] for d in detectors])
    step_2 = LogisticRegression(C=10, max_iter=500).fit(concepts, classes)
    return step_1, step_2


(w, b), head = fit_bottleneck(world.features[learn], concepts[learn], classes[learn])
said = sigmoid(world.features @ w.T + b)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), width_ratios=[1, 1, 1, 1], layout="constrained")
for ax_picture, ax_bars, i in ((axes[0], axes[1], shown[0]), (axes[2], axes[3], 800 + int(np.argmax(classes[test] == 6)))):  # fmt: skip
    ax_picture.imshow(world.images[i])
    plots.bare(ax_picture)
    ax_picture.set_title(f"answer: {world.class_names[head.predict(said[[i]])[0]]}", fontsize=10)
    lesson.draw_bars(ax_bars, words, said[i], concepts[i])
    ax_bars.set_title("said; right: truth", fontsize=10)
plots.show(
    "Two scenes with the eight concepts that the model is surest of, as bars, and the truth beside each bar. For the bird "
    "without a visible beak, the bars of eye and beak pass one half, and the truth says no to both."
)

# %% [markdown]
# Each answer can be read: on the right you see wheels, windows and lights, so it is a car. On the left, two of the reasons are not true: neither eye nor beak can be seen.
#
# Does the detour cost accuracy?

# %%
direct = lesson.second_step(world.features[learn], classes[learn])
for name, reader, given in (
    ("features → class, no concepts", direct, world.features),
    ("features → concepts → class", head, said),
    ("true concepts → class", head, concepts),
):
    print(f"{name:<32}{reader.score(given[test], classes[test]):.3f} of the test scenes right")

# %% [markdown]
# It costs nothing here. So far, all is well: that is where many reports stop.

# %% [markdown]
# ## 3 · Are the concepts right? Compared with whom?
#
# Two baselines. **Majority**: for each concept, always say what is more frequent. **Class only**: a reader who never sees the picture; somebody tells it the model's class (without concepts), and it looks up what most pictures of that class have.

# %%
frequent = (concepts[learn].mean(axis=0) > 0.5).astype(float)
table = lesson.class_table(concepts[learn], classes[learn])  # (10, 22)
told = direct.predict(world.features[test])
answers = {
    "the bottleneck": said[test] > 0.5,
    "class only": table[told],
    "majority": np.tile(frequent, (400, 1)),
}
right = {name: (answer == concepts[test]).mean(axis=1) for name, answer in answers.items()}

# %% tags=["hide-input"]
plots.score_plot(right, xlabel="share of the 22 concepts that are right (95 % intervals)", xlim=(0.75, 1.01),
                 baselines=("class only", "majority"), title="A reader who only knows the class does as well")  # fmt: skip
plots.show("Concept accuracy: " + ", ".join(f"{name} {v.mean():.3f}" for name, v in right.items()) + ".")
print(f"bottleneck minus class only: {judge.paired(right['the bottleneck'], right['class only']).mean:+.3f}")

# %% [markdown]
# Against the majority the concepts look excellent. Against the reader who is told the class, nothing is left. **High concept accuracy does not show that concepts are seen: nearly all of it follows from the class.** To see more, look where the class does not tell: at parts that some pictures of a class have and others not.

# %%
from sklearn.metrics import roc_auc_score  # 0.5: the order is chance

share = np.stack([concepts[learn][classes[learn] == c].mean(axis=0) for c in range(10)])
open_pairs = np.argwhere((share > 0.2) & (share < 0.8))
within = {}
for c, k in open_pairs:
    of_class = np.flatnonzero(classes[test] == c) + 800
    there = concepts[of_class, k]
    hit, usual = (said[of_class, k] > 0.5) == there, table[c, k] == there
    within[f"{words[k]} ({world.class_names[c]})"] = hit, usual, roc_auc_score(there, said[of_class, k])

# %% tags=["hide-input"]
print(f"{'part (class)':<24}{'accuracy':>9}{'more frequent answer':>22}{'order':>8}")
for name, (hit, usual, order) in within.items():
    print(f"{name:<24}{hit.mean():9.2f}{usual.mean():22.2f}{order:8.2f}")
hits, plain = (np.concatenate([row[i] for row in within.values()]) for i in (0, 1))
print(f"\nall together: {hits.mean():.2f} against {plain.mean():.2f}; difference {judge.paired(hits, plain)}")
print(f"mean order: {np.mean([order for *_, order in within.values()]):.2f}")

# %% [markdown]
# The middle column is what you reach if you always give the answer that was more frequent in the class. All together, the yes or no of the detectors is hardly better than that, here not at all. The numbers know a little more: *order* is how often, of two scenes of the class, the one with the part gets the larger number (chance: 0.5). (Look at the single rows with care: 40 scenes each.) So 98 % of the concepts are right, and **of what only the picture could tell, these words tell little.**

# %% [markdown]
# ## 4 · A bottleneck can be corrected
#
# What a bottleneck gives that a plain network does not: a person who looks at the picture can correct a concept, and the class follows. To see it work we take a poorer bottleneck that makes mistakes: step 1 reads an earlier layer, `layer3`, and learns from 150 scenes; step 2 is fitted to the true concepts as before.
#
# ### Exercise: correct the least sure concepts
#
# `said` holds probabilities, `truth` zeros and ones, one row for each picture. The person is asked about the `n` concepts of which the model is least sure. Choose them without a look at the truth: the model does not know it.


# %% exercise="corrected"
def correct(said, truth, n):
    """A copy of `said` (N, K) in which the n least sure concepts of each row are the truth. (0.5: unsure)"""
    # BEGIN SOLUTION
    columns = np.argsort(np.abs(said - 0.5), axis=1)[:, :n]
    rows = np.arange(len(said))[:, None]
    result = said.copy()
    result[rows, columns] = truth[rows, columns]
    return result
    # END SOLUTION


# %%
exercises.corrected.check(correct)

# %%
poor, poor_head = lesson.poor_bottleneck(world)  # poor: what it says, (1200, 22)
rng = np.random.default_rng(0)
numbers, curves = (0, 1, 2, 4, 6, 8, 12, 16, 22), {"least sure first": [], "in random order": []}
for n in numbers:
    least_sure = lesson.corrected(poor[test], concepts[test], np.abs(poor[test] - 0.5), n)
    at_random = lesson.corrected(poor[test], concepts[test], rng.random((400, 22)), n)
    curves["least sure first"].append(poor_head.score(least_sure, classes[test]))
    curves["in random order"].append(poor_head.score(at_random, classes[test]))

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.5, 2.9))
for (name, values), style in zip(curves.items(), ("o-", "s--"), strict=True):
    ax.plot(numbers, values, style, label=name)
ax.set(xlabel="concepts that a person corrects in each picture", ylabel="share of classes right")
ax.set_title("Four of 22 mend about half of the mistakes, if they are the right ones", loc="left")
ax.legend(fontsize=9)
plots.show(
    f"Accuracy against the number of corrected concepts. Least sure first: from {curves['least sure first'][0]:.2f} to "
    f"{curves['least sure first'][3]:.2f} with four. In random order it rises more slowly."
)

# %% [markdown]
# That is real. The class does depend on these numbers: four corrections of the least sure mend about half of the mistakes or more, four at random clearly fewer. So asking about the least sure ones saves the person's time. But it says nothing of *where the numbers come from*.

# %% [markdown]
# ## 5 · Does "beak" look at the beak?
#
# Step 1 averages over space and then takes a weighted sum. The order can be exchanged, as in CAM ([03](03_cam.ipynb)): with $f_{ij}$, the 128 channels at place $(i, j)$ of the 8 × 8 map, the log-odds are the mean of a map,
#
# $$w_k^\top f(x) + b_k = \frac{1}{64} \sum_{i,j} \bigl(w_k^\top f_{ij}(x) + b_k\bigr) .$$
#
# So this map says exactly how much each *cell* adds to the word. (A cell has seen more of the picture than the pixels under it: a warm cell beside the beak may have taken in the beak. So we also ask what the same maps can do when they are told the places, and what the model says when the part is covered.)

# %%
maps_of_beak = np.einsum("nchw,c->nhw", world.maps, w[beak]) + b[beak]
log_odds = world.features @ w[beak] + b[beak]
print(
    f"largest difference, mean of the map and log-odds: {np.abs(maps_of_beak.mean(axis=(1, 2)) - log_odds).max():.0e}"
)

# %% tags=["hide-input"]
seen = np.flatnonzero(world.named("bird") & (concepts[:, beak] > 0) & (np.arange(1200) >= 800))[:5]
figure, axes = plots.grid(2, 5, width=9)
for column, i in enumerate(seen):
    axes[0, column].imshow(world.images[i])
    axes[0, column].set_title(f"“beak”, {said[i, beak]:.2f}", fontsize=10)
    axes[1, column].imshow(plots.overlay(world.images[i], np.maximum(maps_of_beak[i], 0)))
    for row in (0, 1):
        plots.outline(axes[row, column], world.parts[i] == beak + 1)
plots.show(
    "Five birds, the beak outlined in white, above; below, where the word beak comes from. The warm regions lie on the "
    "bird's body and legs, beside the beak."
)

# %% [markdown]
# The white outline is the beak. The word comes from the bird: from its body, its legs. Is that so for all words? For each, take the test scenes in which the part is there and the model says so, and ask whether the strongest of the 64 cells *touches the part* (holds at least one pixel of it). Compare with two things: a **blind choice** among the cells that touch the object, and a **ceiling**, a detector on the same maps that was *told the places* (a linear regression from each cell to the share that the part covers).

# %%
looks = {}  # word: hits of its detector, of the ceiling, of a blind choice; detector on the object
for k, word in enumerate(words):
    hit, thing, blind = lesson.pointing(world, w[k], said, k)
    if len(hit) >= 20:
        ceiling = lesson.pointing(world, lesson.taught_places(world, k), said, k)[0]
        looks[word] = hit.mean(), ceiling.mean(), blind.mean(), thing.mean()

# %% tags=["hide-input"]
order = sorted(looks, key=lambda word: looks[word][2])
figure, ax = plt.subplots(figsize=(8, 5.2))
styles = (("o", plots.COLOURS[0], "the word's detector"), ("^", plots.COLOURS[1], "the same maps, told the places"), ("|", plots.INK, "blind, on the object"))  # fmt: skip
for y, word in enumerate(order):
    ax.plot(looks[word][:2], [y, y], color=plots.BASELINE, linewidth=1)
    for value, (marker, colour, label) in zip(looks[word], styles, strict=False):
        ax.plot(value, y, marker, color=colour, markersize=11 if marker == "|" else 6, label=label if y == 0 else None)  # fmt: skip
ax.set_yticks(range(len(order)), order)
ax.set(xlabel="share of scenes in which the strongest cell touches the part", xlim=(-0.02, 1.02))
ax.set_title("Of small parts, the word comes from elsewhere on the object", loc="left")
ax.legend(fontsize=9, loc="upper left")
plots.show(
    "For each concept the share of hits on the part: detector, ceiling, blind choice. "
    + ", ".join(
        f"{word} {looks[word][0]:.2f}, {looks[word][1]:.2f}, {looks[word][2]:.2f}" for word in order[:6]
    )
    + " …"
)
means = np.mean(list(looks.values()), axis=0)
for name, value in zip(("the word's detector", "told the places", "blind, on the object", "detector on the object"), means, strict=True):  # fmt: skip
    print(f"{name:<24}{value:.2f}, mean of {len(looks)} words")

# %% [markdown]
# Nearly every strongest cell lies on the object, and large parts (shell, wing, stem) are found. But the words *beak*, *ear*, *light* and *tail* are worse than a blind choice on the object: they come from something else of it. (So are *antenna* and *mane* here, but not in every other draw of scenes.) The *same maps* know better: told the places, they find ears and antennae in most scenes. Nothing in the training asked for the place.
#
# ### Cover the part
#
# A direct test: take 25 test scenes in which the part is there and the model says so, paint the part over with the ground beside it, and ask again. Two controls: cover *as many other pixels* of the object, or all of the object *but* the part.

# %%
tested = ("beak", "ear", "light", "mane", "eye", "wing", "wheel")
still = {}  # word: share of the scenes of which it is still said, after each of the three
for word in tested:
    k = words.index(word)
    still[word] = lesson.claims_when_covered(world, w[k], b[k], said, k)

# %% tags=["hide-input"]
bird = seen[3]
beak_there, _, all_but = lesson.to_cover(world, bird, beak)
three_birds = np.stack([world.images[bird]] + [lesson.covered(world, bird, p) for p in (beak_there, all_but)])
of_them = sigmoid(lesson.features_of(world, three_birds) @ w[beak] + b[beak])
plots.show_images(list(three_birds), [f"{name}: “beak”, {v:.2f}" for name, v in zip(("as it is", "without its beak", "the beak alone"), of_them, strict=True)],
                  columns=3, width=8)  # fmt: skip
plots.show("A bird, the same bird with its beak painted over, and its beak alone on the ground.")
print(f"{'still said':<12}{'part covered':>14}{'other pixels':>14}{'all but the part':>18}")
for word, shares in still.items():
    print(f"{word:<12}{shares[0]:14.2f}{shares[1]:14.2f}{shares[2]:18.2f}")

# %% [markdown]
# A bird whose beak is painted over still "has a beak", and a beak alone is none. It is the same with ear, light and mane: **the word does not need the part, and the part alone does not make the word.** For the wheel the part counts for more than other pixels. What goes together with beaks was good enough for the training.
#
# ### Exercise: predict, then run
#
# Take all test scenes with a part that the class normally has (in more than half of its pictures) but of which *not one pixel* is visible. In which share of these cases does the model claim the part all the same (more than 0.5)? Write a number from 0 to 1; within 0.15 counts as right.

# %% exercise="share_claimed"
claimed_share = None  # from 0 to 1
# BEGIN SOLUTION
claimed_share = 0.55
# END SOLUTION

# %%
normal = lesson.class_table(concepts[learn], classes[learn])[classes] > 0  # (1200, 22)
hidden = normal & (world.pixels == 0)
exercises.share_claimed.check(claimed_share, said[test], hidden[test])

# %% tags=["hide-input"]
present = normal & (concepts > 0)
print(f"{'':<26}{'cases':>6}{'claimed':>9}")
for name, cases in (("part hidden", hidden[test]), ("part visible", present[test]), ("not a part of the class", ~normal[test])):  # fmt: skip
    print(f"{name:<26}{cases.sum():6}{(said[test][cases] > 0.5).mean():9.2f}")

# %% [markdown]
# So an explanation in words can be fluent, accurate on average, and untrue in just the case in front of you. Train it to look (masks, attention) or test it with pictures in which the part is missing.

# %% [markdown]
# ## 6 · Numbers say more than their words: leakage
#
# A concept's probability is a number with many digits. Step 2, if it is *learnt from these numbers*, may read more from them than the word says (*leakage*; Mahinpei and others, 2021). Test: keep only three concepts, wheel, window and light. They tell of cars, and of some sailboats, and nothing of the other eight classes. How many of the ten classes can be told?

# %%
three = [words.index(word) for word in ("wheel", "window", "light")]
soft = world.features @ w[three].T + b[three]  # log-odds
by_lot = world.features @ np.random.default_rng(0).normal(size=(128, 3))  # three directions without a name
given = {"true yes or no": concepts[:, three], "said yes or no": (said[:, three] > 0.5).astype(float),
         "said, as probability": said[:, three], "said, as log-odds": soft / soft[learn].std(axis=0),
         "control: directions by lot": by_lot / by_lot[learn].std(axis=0)}  # fmt: skip
leaked = {name: lesson.flexible_score(v, classes, seed=0) for name, v in given.items()}

# %% tags=["hide-input"]
plots.score_plot(leaked, xlabel="share of test scenes whose class is right (95 % intervals)", sort=False, width=7.5,
                 baselines=("control: directions by lot",), title="Three words about cars tell other classes apart")  # fmt: skip
plots.show(
    "Class accuracy from three concepts: " + ", ".join(f"{n} {v.mean():.2f}" for n, v in leaked.items()) + "."
)

# %% [markdown]
# The second step (a small network) was given three numbers with the names of car parts, and by their digits it tells apart classes that have none of these parts. Then the words are no longer the reasons. Most probabilities are so near to 0 or 1 that it reads less from them, here only a little. The names are not needed: three directions of the features, drawn by lot, tell even more. **Read hard answers (the second row), or fit step 2 to the truth, as we did.**
#
# ### Words without meaning

# %% tags=["hide-input"]
exercises.random_words

# %%
as_said = ((said[test] > 0.5) == concepts[test]).mean()
print(f"real words:     concepts {as_said:.3f}, class {head.score(said[test], classes[test]):.3f}")
for draw in range(3):
    codes = lesson.random_codes(draw)  # (10, 22): which classes each word stands for
    nonsense = codes[classes]
    step_1 = lesson.fit_words(world.features[learn], nonsense[learn])
    saying = sigmoid(world.features @ step_1[0].T + step_1[1])
    score = lesson.second_step(nonsense[learn], classes[learn]).score(saying[test], classes[test])
    print(
        f"random words {draw}: concepts {((saying[test] > 0.5) == nonsense[test]).mean():.3f}, class {score:.3f}"
    )

# %% [markdown]
# Both accuracies are as high as with real words. Neither of them shows that the words mean anything.

# %% [markdown]
# ## 7 · A concept inside any network: the direction
#
# A bottleneck must be built. **Concept activation vectors** (CAV; Kim and others, 2018) ask a network that is there already. We know a case with a truth ([01](01_why_explain.ipynb), [12](12_judging_explanations.ipynb)): two networks tell huskies from wolves. In the training pictures of one, every wolf stood on snow, so it learnt snow; its clean twin saw both animals on all grounds. Does *snow* speak for *wolf*?

# %%
twins, snow, others = lesson.wolf_world()
for name, lab in twins.items():
    correct_, swapped = ((lab.predict(p).argmax(axis=1) == lab.targets.numpy()).mean() for p in (lab.images, lab.counterfactuals))  # fmt: skip
    print(f"{name:<9} right: {correct_:.2f}; the same animals, grounds exchanged: {swapped:.2f}")

# %% tags=["hide-input"]
wolf = twins["shortcut"].images[twins["shortcut"].targets.numpy() == 1]
plots.show_images([*snow[:3], *others[:3], *wolf[:2]], ["snow"] * 3 + ["other ground"] * 3 + ["wolf"] * 2, columns=8, width=10)  # fmt: skip
plots.show("Three pictures of snow, three of other grounds, all without an animal, and two wolves on snow.")

# %% [markdown]
# Three steps. (1) Send pictures *of the concept* and *others* through the network up to a layer, and average each channel over space. (2) A logistic regression separates the two sets; its weights, scaled to length 1, are the concept's direction $v$. (3) For a picture of a wolf, ask by how much the score $s_\text{wolf}$ (the network's number before the softmax) rises if the layer's output $h$ is pushed a little along $v$, at all places:
#
# $$S(x) = \frac{\partial}{\partial \varepsilon}\, s_\text{wolf}\bigl(h(x) + \varepsilon v\bigr)\Big|_{\varepsilon = 0} = \sum_{i,j} \nabla_{h_{ij}} s_\text{wolf}(x)^\top v .$$
#
# The **TCAV score** is the share of wolf pictures with $S(x) > 0$.
#
# ### Exercise: the derivative along a direction


# %% exercise="along"
def along(gradients, direction):
    """S of each picture, (N,), from gradients (N, d, h, w) and a direction (d,) of any length."""
    # BEGIN SOLUTION
    unit = direction / np.linalg.norm(direction)
    return gradients.sum(axis=(2, 3)) @ unit
    # END SOLUTION


# %%
exercises.along.check(along)


# %% tags=["by-hand"]
from course_utils.methods.hooks import activations_and_gradients


def my_tcav(lab, layer, concept, others):
    """Derivatives S, (N,), of the wolf score along the direction from `others` to `concept` (pictures)."""
    sets = [lesson.layer_maps(lab, pictures, (layer,))[0].mean(dim=(2, 3)) for pictures in (concept, others)]
    rows = torch.cat(sets).double().numpy()
    fitted = LogisticRegression(tol=1e-8, max_iter=2000).fit(rows, [1] * len(concept) + [0] * len(others))
    v = fitted.coef_[0] / np.linalg.norm(fitted.coef_)
    _, gradients = activations_and_gradients(lab.model, lab.inputs[lab.targets == 1], 1, layer)
    return gradients.sum(dim=(2, 3)).double().numpy() @ v, v


layers = ("layer2", "layer3", "layer4")
for name, lab in twins.items():
    for layer in layers:
        s, _ = my_tcav(lab, layer, snow[:50], others[:50])
        print(f"{name:<9}{layer}: TCAV score {(s > 0).mean():.2f}, mean derivative {s.mean():+.3f}")

# %% [markdown]
# In `layer4` the score is 1 for the network with the shortcut and 0 for its twin. It seems to find the truth.
#
# ### The proof
#
# The course's functions beside the one above, finite steps, and captum's `TCAV`, to which we give the same direction. (captum flattens a layer, so we ask it at `flatten`, after the averaging. There a push of 1 is a push of 1 at all 64 places of `layer4`.)

# %% tags=["hide-input", "nbval-check-output"]
import tempfile

from captum.concept import TCAV, Classifier, Concept
from torch.utils.data import DataLoader

lab = twins["shortcut"]
wolves = lab.inputs[lab.targets == 1]
sets = [lesson.layer_maps(lab, p[:50], ("layer4",))[0].mean(dim=(2, 3)) for p in (snow, others)]
vector = concept_vector(*sets)
ours = directional_derivatives(lab.model, wolves, 1, "layer4", vector)
by_hand, v_by_hand = my_tcav(lab, "layer4", snow[:50], others[:50])


class Given(Classifier):
    """Hands captum a direction instead of fitting one."""

    def __init__(self):
        pass

    def train_and_eval(self, dataloader, **kwargs):
        return {}

    def weights(self):
        return torch.stack([vector, -vector])

    def classes(self):
        return [0, 1]


banks = [DataLoader(lab.preprocess(p[:50]), batch_size=50) for p in (snow, others)]
pair = [Concept(i, name, bank) for i, (name, bank) in enumerate(zip(("snow", "others"), banks, strict=True))]
with tempfile.TemporaryDirectory() as folder:
    theirs = TCAV(lab.model, "flatten", classifier=Given(), save_path=folder).interpret(wolves, [pair], target=1)["0-1"]["flatten"]  # fmt: skip
steps = []
for step in (0.01, -0.01):
    handle = lab.model.layer4.register_forward_hook(lambda m, i, out, s=step: out + s * vector[:, None, None])
    with torch.no_grad():
        steps.append(lab.model(wolves)[:, 1])
    handle.remove()
judge.agreement_table(
    [
        ("direction, scikit-learn by hand", vector.double(), v_by_hand, "the same regression, another solver"),
        ("derivatives, by hand", ours[:, 0].double(), by_hand, "the same"),
        ("derivatives, finite steps", ours[:, 0], (steps[0] - steps[1]) / 0.02, "a push of ± 0.01"),
        ("captum, sign_count", positive_share(ours), theirs["sign_count"][:1], "the TCAV score"),
        ("captum, magnitude", ours.mean(dim=0), theirs["magnitude"][:1], "the mean derivative, for a unit direction"),
    ]
)  # fmt: skip

# %% [markdown]
# ## 8 · The control: random concepts
#
# Would *any* direction give 1? Make concepts without meaning: 50 pictures of other grounds against 50 further ones. Twenty draws of snow, twenty of such **random concepts**.

# %%
twins, snow, others = lesson.wolf_world()
layers = ("layer2", "layer3", "layer4")
runs = {(name, layer): lesson.concept_runs(lab, layer, snow, others) for name, lab in twins.items() for layer in layers}  # fmt: skip
truth = {name: lesson.ground_matters(lab) for name, lab in twins.items()}  # wolves moved off the snow

# %% tags=["hide-input"]
figure, axes = plt.subplots(3, 1, figsize=(8, 7), layout="constrained", sharex=True)
for j, (meant, random) in enumerate(runs.values()):
    for side, run in ((0.15, meant), (-0.15, random)):
        at = j + side + 0.004 * (np.arange(20) - 10)
        for ax, values in zip(axes, (positive_share(run.derivatives), run.derivatives.mean(dim=0), run.effects), strict=True):  # fmt: skip
            ax.plot(at, values, "o" if side > 0 else "s", color=plots.COLOURS[1] if side > 0 else plots.BASELINE,
                    alpha=0.6, markersize=4, label=("snow" if side > 0 else "random concept") if j == 0 else None)  # fmt: skip
for ax, title in zip(axes, ("The count (TCAV score): 0 or 1 in layer4, also for random concepts", "The size: mean derivative, per unit",
                            "The effect: mean derivative × distance of the two sets"), strict=True):  # fmt: skip
    ax.set_title(title, loc="left", fontsize=11)
    ax.axvline(2.5, color=plots.BASELINE, linewidth=1)
    ax.axhline(0, color=plots.BASELINE, linewidth=0.8)
axes[2].set_xticks(range(6), [f"{layer}\n{name}" for name in twins for layer in layers], fontsize=9)
axes[1].legend(fontsize=9)
plots.show(
    "Twenty draws of snow and of random concepts, three layers of two networks. Count: in layer4 all at 0 or 1. Size: in "
    "the shortcut's layer4 snow stands at the edge of random, in the clean twin among them. Effect: only the shortcut's snow is large."
)

# %% [markdown]
# **The count.** In `layer4` the random concepts score 0 or 1, with nothing between. Behind this layer come an average and one linear map, so the gradient is *the same for every picture*, and all derivatives have one sign. A score of 1 is what half of all directions get. More draws do not help: snow's twenty draws give nearly the same direction, so a t-test against the random ones (a small *p* below: chance alone would hardly do this) is sure of both networks. It would even report that snow speaks *against* wolf in the clean twin.
#
# **The size**, the mean derivative, keeps what the count throws away. In `layer4` of the shortcut's network, hardly a random concept reaches the size of snow. In the clean twin some do: here about a third, with other pictures of the grounds from a few to a half. So size alone does not separate the two networks safely. In the earlier layers many random concepts are as large as snow, in both networks.
#
# **The effect.** A derivative is *per unit*, and nobody says how many units snow is. The *reach* does: how far apart the two sets of pictures lie along the direction. Derivative times reach is in units of the score. Here we know the truth: put the same wolves on grass, and see how far the score falls. The last column but one is how far the mean score of the pictures of snow lies above that of the other grounds, *all* differences counted.

# %% tags=["hide-input"]
from scipy.stats import ttest_1samp

print(
    f"{'layer4':<10}{'p of the counts':>16}{'size':>8}{'random':>8}{'reach':>8}{'effect':>8}{'random':>8}{'snow − others':>15}{'true fall':>11}"
)
for name in twins:
    meant, random = runs[name, "layer4"]
    p = ttest_1samp(positive_share(random.derivatives), positive_share(meant.derivatives).mean()).pvalue
    sizes = [run.derivatives.mean(dim=0) for run in (meant, random)]
    with torch.no_grad():
        on_snow, elsewhere = (
            twins[name].model(twins[name].preprocess(p))[:, 1].mean() for p in (snow, others)
        )
    print(f"{name:<10}{p:16.4f}{sizes[0].mean():8.3f}{sizes[1].abs().mean():8.3f}{meant.reach.mean():8.1f}"
          f"{meant.effects.mean():8.2f}{random.effects.abs().mean():8.2f}{on_snow - elsewhere:15.2f}{truth[name]:11.2f}")  # fmt: skip

# %% [markdown]
# The two networks differ little in size, and more than ten times in effect: in the clean twin, snow and other grounds hardly differ any more at this depth. The effect has the order of the true fall, and is not equal to it: it counts only the difference *along* $v$. Snow and other grounds also differ across $v$, and that part speaks a little against wolf: all differences together give nearly the true fall. (Beside random concepts every effect looks large, even the −0.12: sets drawn from the same pictures have hardly any reach. They are a control for directions; for effects, compare with the last column.)

# %% [markdown]
# ### Exercise: find the bug
#
# The function should say how special a concept is: the share of random concepts whose size, here the absolute value of the mean derivative, is *at least as large*. (Near 0: special.) `derivatives` are those of the concept, (N,), `randoms` those of R random concepts, (N, R). Two things are wrong with it.


# %% exercise="how_special"
def how_special(derivatives, randoms):
    """The share of the random concepts whose size is at least as large."""
    # BEGIN STUB
    # score = (derivatives > 0).mean()
    # random_score = (randoms[:, 0] > 0).mean()
    # return float(random_score >= score)
    # END STUB
    # BEGIN SOLUTION
    size = abs(derivatives.mean())
    random_sizes = np.abs(randoms.mean(axis=0))
    return float((random_sizes >= size).mean())
    # END SOLUTION


# %%
exercises.how_special.check(how_special)

# %% [markdown]
# ## 9 · This looks like that
#
# Another model that explains itself: a **prototype network** (Chen and others, 2019). It learns, for each class, a few *prototypes*, and each is equal to one place of one training picture. A new picture's class follows from how much its best place resembles each of them. With the squared distance $d^2$ of two places' features,
#
# $$\text{similarity} = \log\frac{d^2 + 1}{d^2 + 0.0001} .$$
#
# So it can show its reason: *this* place of your picture looks like *that* place of a training picture. We learn four prototypes for each of the ten classes, on 8 × 8 places of `layer4`. A last linear map reads the 40 similarities.
#
# ### Exercise: predict, then run
#
# How many of the 40 prototypes lie on a cell (16 × 16 pixels) in which there is not one pixel of the object? Within 8 counts as right.

# %% exercise="n_background"
background = None  # from 0 to 40
# BEGIN SOLUTION
background = 26
# END SOLUTION

# %%
networks = {"layer4": lesson.train_prototypes(torch.from_numpy(world.maps), classes)}
networks["layer3"] = lesson.train_prototypes(world.earlier, classes)
network = networks["layer4"]
covered = lesson.on_object(world)  # (1200, 8, 8), the object's share of each cell
of_prototypes = covered[tuple(network.source.T)]

# %%
exercises.n_background.check(background, of_prototypes)


# %% tags=["by-hand"]
def similarity(place, prototype):
    """How much one place resembles one prototype; both have 32 numbers."""
    d2 = ((place - prototype) ** 2).sum()
    return torch.log((d2 + 1) / (d2 + 0.0001))


picture, row, column = network.source[0]  # the first prototype is this place of a training picture
own = similarity(network.places[picture, :, row, column], network.vectors[0])
other = similarity(network.places[800, :, 3, 4], network.vectors[0])
print(f"prototype 0 and its own place: {own:.2f}, the most possible; a place of a test scene: {other:.2f}")
print(f"the course's function: {network.similarities()[800, 0, 3, 4]:.2f}")

# %% tags=["hide-input"]
figure, axes = plots.grid(4, 10, width=10)
for p, (picture, row, column) in enumerate(network.source):
    ax = axes[p % 4, p // 4]
    ax.imshow(world.images[picture])
    plots.draw_box(ax, lesson.crop_box(row, column), color="white" if of_prototypes[p] > 0 else "#ff66cc")
    if p % 4 == 0:
        ax.set_title(world.class_names[network.owner[p]], fontsize=9)
plots.show(
    f"The forty prototypes, four under each class, each a box in a training picture. {int((of_prototypes == 0).sum())} "
    "boxes, drawn in pink, hold no pixel of the object."
)

# %% [markdown]
# Pink boxes hold not one pixel of the object. Do such prototypes work? And take, for each test scene, the prototype of its class that it resembles most: does the place that is found show the same part of an object as the prototype does? (Background in both is no part: it counts as no.)

# %% tags=["hide-input"]
blind = (covered[test] == 0).mean()
print(f"{'':<8}{'classes right':>14}{'pure background':>17}{'found on object':>17}{'same part':>11}")
for name, net in networks.items():
    best, rows, columns = lesson.found_places(world, net)  # for each test scene
    here = [
        lesson.main_part(world, 800 + n, r, c) for n, (r, c) in enumerate(zip(rows, columns, strict=True))
    ]
    there = [lesson.main_part(world, *net.source[p]) for p in best]
    same = (np.array(here) == there) & (np.array(here) > 0)  # 0: background
    touches = (covered[np.arange(800, 1200), rows, columns] > 0).mean()
    none = int((covered[tuple(net.source.T)] == 0).sum())
    print(
        f"{name:<8}{lesson.prototype_score(net, classes):14.3f}{none:11} of 40{touches:17.2f}{same.mean():11.2f}"
    )
print(f"blind choice of a cell: {40 * blind:.0f} of 40 pure background, {1 - blind:.2f} on the object")

# %% [markdown]
# The classes are nearly all right, although about half of the boxes of `layer4`, here more, show pure background, and most places found do not show the part that the prototype shows. It is no contradiction. A cell of `layer4` is computed from most of the picture, one in the middle from all of it: **what is drawn is not what it saw.** A cell of `layer3` sees about half as much. Its boxes are better, and still wrong in about half of the cases.

# %% [markdown]
# "It looks like that" is true in the space of the features. Whether it is true for your eye must be measured, as here, with places whose truth is known.

# %% [markdown]
# ## 10 · Your turn
#
# Choose a concept for the two wolf networks: a ground (`"water"`, `"grass"`, `"sand"`, `"night"` …) or the path of a folder with at least 20 pictures of your own. Does it speak for *wolf*?

# %%
concept = "water"

mine = lesson.own_concept(concept)
for name, lab in twins.items():
    meant, _ = lesson.concept_runs(lab, "layer4", mine, others, n_runs=10)
    of_snow = runs[name, "layer4"][0].effects.mean()
    print(f"{name:<9} effect {meant.effects.mean():+.2f}; of snow {of_snow:+.2f}")

# %% [markdown]
# Water speaks for *wolf* as strongly as snow does, although no picture of the training showed water under an animal. The network had to tell snow from grass, gravel, brick and sand; nobody taught it the word. And a direction depends on the *others* just as much as on the concept: it leads *away from* them.
#
# ### Play
#
# Choose a word and a test scene. The outline is the part, if it is there. Which words look where they should?


# %%
def draw_word(word, scene):
    k, i = words.index(word), 800 + scene
    figure, axes = plots.grid(1, 2, width=6)
    heat = np.einsum("chw,c->hw", world.maps[i], w[k]) + b[k]
    axes[0, 0].imshow(world.images[i])
    axes[0, 1].imshow(plots.overlay(world.images[i], np.maximum(heat, 0)))
    axes[0, 0].set_title(
        f"“{word}”: {said[i, k]:.2f}, truth: {'yes' if concepts[i, k] else 'no'}", fontsize=10
    )
    for ax in axes[0]:
        plots.outline(ax, world.parts[i] == k + 1)


widgets.explore(
    draw_word, word=widgets.choice("word", list(words), "wheel"), scene=widgets.slider("scene", 0, 399, 10)
)

# %% tags=["hide-input"]
car = int(np.flatnonzero(world.named("car")[test])[0])
draw_word("wheel", car)
plots.show("A car with its wheels outlined, and the map of the word wheel over it.")

# %% [markdown]
# ## 11 · Where it breaks
#
# | failure | how you notice | remedy |
# |---|---|---|
# | concept accuracy that follows from the class | compare with *class only* (section 3) | score within a class |
# | the word comes from another place | map of the detector; cover the part, and all but the part (5) | teach the place |
# | leakage | three words tell many classes (6) | hard answers; fit step 2 to the truth |
# | count of 1 for a random direction | random concepts (8) | sizes beside many random concepts, then effects |
# | prototypes of background | boxes beside the truth (9) | draw the region it saw; measure the parts |
#
# ## 12 · Recap
#
# - A bottleneck names concepts first. You can correct it, and the class follows.
# - Its accuracy, of concepts and of classes, does not show that words mean what they say: random words do as well.
# - Ask where a word comes from: cover the part, and all but the part.
# - A concept's direction needs a control: many random directions for its size, and for its effect the distance between the two sets of pictures.
# - "This looks like that" holds between features. What is drawn is smaller than what was seen.
#
# <details>
# <summary>The paper in ten questions</summary>
#
# P. W. Koh, T. Nguyen, Y. S. Tang and others: *Concept bottleneck models* (ICML 2020).
#
# 1. **Which problem?** A person wants to ask a model "what if you had seen no bone spur?", and plain networks have no such handle.
# 2. **Is it new?** To predict attributes first is older (Lampert and others, 2009). New are the study of interventions and of three ways to train.
# 3. **Which hypothesis?** A bottleneck can be as accurate as a plain network, and corrections make it better.
# 4. **Related work, and who?** Attributes, concepts as extra tasks, TCAV. The authors work at Stanford and Google.
# 5. **The key idea?** Put concepts with labels into the middle of the network, and let nothing pass beside them.
# 6. **Which experiments?** Grading of knees on X-rays, 200 kinds of birds with 112 attributes; corrections in order; changed backgrounds.
# 7. **Data and code?** The birds and the code are public; the X-rays on request.
# 8. **Do the results support it?** For accuracy and corrections, yes. Margeloiu and others (2021) and Mahinpei and others (2021) show what sections 5 and 6 show.
# 9. **What did it contribute?** A plain model that many later ones start from.
# 10. **What next?** Concepts without labels, concepts from language models, and tests that the words mean what they say.
#
# </details>
#
# **References**
# - [Koh and others, 2020: Concept bottleneck models](https://arxiv.org/abs/2007.04612)
# - [Mahinpei and others, 2021: Promises and pitfalls of black-box concept learning models](https://arxiv.org/abs/2106.13314)
# - [Margeloiu and others, 2021: Do concept bottleneck models learn as intended?](https://arxiv.org/abs/2105.04289)
# - [Kim and others, 2018: Interpretability beyond feature attribution (TCAV)](https://arxiv.org/abs/1711.11279)
# - [Chen and others, 2019: This looks like that](https://arxiv.org/abs/1806.10574)
# - [Hoffmann and others, 2021: This looks like that … does it?](https://arxiv.org/abs/2105.02968)
