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
# # 07b · SHAP on pictures and texts, scored against the truth
#
# **The question.** Does the fair split also find the right place, better than LIME or than simpler rivals?
#
# This companion of [07 · SHAP](07_shap.ipynb) adds LIME's kernel beside SHAP's, a default of a library, scores on scenes and photographs, words as
# players, a planted word, and the choice between logits and probabilities.
#
# **After this lesson you can**
# - compare SHAP with LIME on the same items, and say what part of a difference is chance;
# - explain a sentence word by word, and see in the interactions what single shares hide;
# - choose the unit (logit or probability) before you explain a classifier.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [07 · SHAP](07_shap.ipynb), sections 2, 4, 6 and 7.

# %%
from math import comb

import matplotlib.pyplot as plt
import numpy as np

from course_utils.exercises import l07_shap as exercises
from course_utils.lessons import l07_shap as lesson
from course_utils.methods import lime, shapley
from course_utils.teach import plots, widgets
from course_utils.teach.superpixels import all_masks, look_up

# %% [markdown]
# ## 1 · Two regressions, two answers
#
# [LIME](glossary.md#lime) and KernelSHAP both fit the line $g(z') = \phi_0 + \sum_i \phi_i z'_i$ to the model's answers; they differ in the weights of the
# questions, the *kernel*. SHAP's is the $\pi(s)$ of lesson 07. LIME's kernel for pictures is $\exp(-D^2 / 2\sigma^2)$ with $D = 1 - \sqrt{s/n}$ and the width
# $\sigma = 0.25$, where $s$ of the $n$ players are present. Below, left: the weight of one coalition. Right: of all $\binom{n}{s}$ coalitions of a size together.

# %% tags=["hide-input"]
n = 12
on = np.arange(1, n)
kernels = {
    "Shapley kernel": shapley.shapley_kernel(n, on),
    "LIME, σ = 0.25": np.exp(-((1 - np.sqrt(on / n)) ** 2) / (2 * 0.25**2)),
}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2))
for (name, weight), style in zip(kernels.items(), ("o-", "s--"), strict=True):
    together = weight * [comb(n, s) for s in on]
    axes[0].semilogy(on, weight / weight.max(), style, label=name)
    axes[1].plot(on, together / together.sum(), style, label=name)
axes[0].set(xlabel="players present (of 12)", ylabel="weight of one coalition\n(largest = 1)")
axes[1].set(xlabel="players present (of 12)", ylabel="share of the total weight")
axes[0].legend()
axes[0].set_title("LIME: large coalitions; Shapley: both ends", loc="left")
axes[1].set_title("Together: LIME looks at the middle", loc="left")
plots.show(
    "Two kernels against the number of players present. The Shapley kernel is high at both ends and low in the "
    "middle; LIME's rises with the number of players, and its total weight peaks in the middle."
)

# %% [markdown]
# LIME also has a *ridge*, a penalty that pulls coefficients towards zero. Take the band of lesson 07, and add Dora, who only watches. LIME may
# ask *all* coalitions, and has no ridge here, so that nothing is left to chance.

# %%
four = all_masks(4)[::-1]  # LIME wants the full coalition first
worths = look_up(lesson.EARNED)(four[:, :3])  # Dora changes nothing
kernel = lime.exponential_kernel(lime.cosine_distances(four), 0.25)
by_lime = lime.fit_surrogate(four, worths, kernel, ridge=0.0)
by_shapley = shapley.shapley_values(lambda masks: look_up(lesson.EARNED)(masks[:, :3]), 4)

# %% tags=["hide-input"]
print(f"{'':<10}{'Ann':>8}{'Ben':>8}{'Cem':>8}{'Dora':>8}{'nobody':>9}{'all':>8}")
for name, values, ends in (
    ("LIME", by_lime.coefficients, (by_lime.intercept, by_lime.prediction)),
    ("Shapley", by_shapley, (0, by_shapley.sum())),
):
    print(f"{name:<10}" + "".join(f"{v:>8.2f}" for v in values) + f"{ends[0]:>9.2f}{ends[1]:>8.2f}")

# %% [markdown]
# LIME's line misses both ends (columns "nobody" and "all"), so it lacks efficiency. And it pays Dora, who adds nothing to any
# coalition: it lacks dummy. Does that matter for finding *where* an object is? Section 2 measures it.
#
# ### Exercise: predict, then run
#
# A library's regression has a surprise of its own. Take twenty-five equal players, each of whom adds 1 to every coalition, so each should get 1.
# By default `shap.KernelExplainer` first selects ten features, silently. What does a player that gets anything at all get, on average?
# Write a number, then run the next cells.

# %% exercise="crowd"
answer = None  # a number
# BEGIN SOLUTION
answer = 25 / 10  # ten players are kept, and share the 25
# END SOLUTION

# %%
import shap


def crowd(masks):
    return np.asarray(masks, float).sum(axis=1)


explainer = shap.KernelExplainer(crowd, np.zeros((1, 25)), seed=0)
by_default = explainer.shap_values(np.ones((1, 25)), nsamples=1000, silent=True)[0]
without_selection = explainer.shap_values(np.ones((1, 25)), nsamples=1000, l1_reg=0, silent=True)[0]
exercises.crowd.check(answer, by_default)

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8.5, 2.6))
ax.bar(np.arange(25) - 0.2, by_default, 0.4, color="#d55e00", label="default")
ax.bar(np.arange(25) + 0.2, without_selection, 0.4, color=plots.ACCENT, label="l1_reg=0")
ax.set(xlabel="player", ylabel="value", xticks=range(0, 25, 4), ylim=(0, None))
ax.legend(ncols=2, loc="upper right", bbox_to_anchor=(1, 1.25))
ax.set_title("Ten of twenty-five equal players get everything", loc="left")
plots.show(
    f"Bars of 25 players. By default {int((by_default > 0.01).sum())} get much and the others nothing; "
    "with l1_reg=0 each gets 1."
)

# %% [markdown]
# The ten get what belongs to the others, and which ten it is, is chance. Pass `l1_reg=0`.
#
# ### Exercise: there and back
#
# Lesson 07 also had *antithetic walks*: the players arrive in an order, then everybody leaves, and they arrive once more in
# the opposite order. `order[0]` comes first. Return for each player the mean of what it adds on the two ways, entry $i$ for player $i$.


# %% exercise="there_and_back"
def there_and_back(value, order):
    """Mean of what each player (n,) adds in an order and in its reverse.

    value takes (B, n) of 0 and 1, and returns (B,).
    """
    # BEGIN SOLUTION
    n = len(order)
    there = np.zeros((n + 1, n), dtype=int)
    for k, player in enumerate(order):
        there[k + 1 :, player] = 1
    back = 1 - there[::-1]  # who came last comes first
    worths = value(np.vstack([there, back]))
    phi = np.zeros(n)
    phi[order] += np.diff(worths[: n + 1]) / 2
    phi[order[::-1]] += np.diff(worths[n + 1 :]) / 2
    return phi
    # END SOLUTION


# %%
exercises.there_and_back.check(there_and_back)

# %% [markdown]
# ## 2 · Scenes: which map lies on the object?
#
# Each scene has two objects, so two questions a scene, and a model answers for all classes at once. The players are
# [superpixels](glossary.md#superpixel); hidden ones are painted in their mean colour. All methods get the same superpixels, and **at most three questions for each
# superpixel**. (Walks come in whole pairs, there and back: one pair is all that fits, two questions for each.) The scores: the [pointing game](glossary.md#pointing-game) (is the map's maximum on the object that was asked about?) and the
# [energy](glossary.md#energy) (which share of the positive values lies on it?).
#
# The rivals: LIME with its default ridge and without; *leave one out* (what is lost if one superpixel is hidden, one question each);
# Grad-CAM, which may look inside the network; and *SHAP, shuffled*, which gives the shares to other superpixels, by chance. Three controls: Grad-CAM's map
# averaged in the same superpixels; the walks' positive shares on Grad-CAM's coarse grid; and the *truth in superpixels*, in which each superpixel gets the part of it that is object.

# %%
import torch
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.methods import cam
from course_utils.teach import superpixels as pictures
from course_utils.teach.superpixels import superpixels

scenes = load_lab("scenes", n_objects=2)
N_SCENES, PER_PLAYER = 20, 3


# %%
def explain(game, n, seed=0):
    """The shares of n superpixels by five methods, with PER_PLAYER · n questions at most."""
    budget = PER_PLAYER * n
    masks = lime.sample_masks(budget, n, random_state=seed)
    answers = game(masks)
    kernel = lime.exponential_kernel(lime.cosine_distances(masks), 0.25)
    return {
        "KernelSHAP": shapley.kernel_shap(game, n, budget - 2, random_state=seed),
        "SHAP by walks": shapley.permutation_shap(game, n, budget - 2, random_state=seed),
        "LIME": lime.fit_surrogate(masks, answers, kernel).coefficients,
        "LIME, no ridge": lime.fit_surrogate(masks, answers, kernel, ridge=0.0).coefficients,
        "leave one out": game(np.ones((1, n), int)) - game(1 - np.eye(n, dtype=int)),
    }


# %%
maps, shuffle = {}, np.random.default_rng(0)
cuts = [superpixels(scenes.images[i]) for i in range(N_SCENES)]
for i, cut in enumerate(tqdm(cuts, leave=False)):
    for game in pictures.picture_games(scenes, scenes.images[i], cut, scenes.targets[i]):
        shares = explain(game, int(cut.max()) + 1)
        shares["SHAP, shuffled"] = shuffle.permutation(shares["KernelSHAP"])
        for name, values in shares.items():
            maps.setdefault(name, []).append(torch.from_numpy(values[cut]).float())
maps = {name: torch.stack(values) for name, values in maps.items()}
inputs = scenes.inputs[:N_SCENES].repeat_interleave(2, dim=0)
truth = scenes.masks[:N_SCENES].flatten(0, 1)
inside = cam.grad_cam(scenes.model, inputs, scenes.targets[:N_SCENES].flatten(), scenes.layer)
maps["Grad-CAM"] = cam.upsample(inside, truth.shape[-2:]).cpu()
maps["edges (Sobel)"] = judge.baselines.sobel(inputs).cpu()


# %%
def in_parts(heats):
    """Maps (N, H, W), two a scene, with each superpixel at its mean."""
    flat = [(cuts[q // 2].ravel(), heat.numpy().ravel()) for q, heat in enumerate(heats)]
    means = [np.bincount(cut, heat) / np.bincount(cut) for cut, heat in flat]
    return torch.stack([torch.from_numpy(m[cuts[q // 2]]).float() for q, m in enumerate(means)])


maps["Grad-CAM in superpixels"] = in_parts(maps["Grad-CAM"])
maps["truth in superpixels"] = in_parts(truth.float())
grid = torch.nn.functional.adaptive_avg_pool2d(maps["SHAP by walks"].clamp(min=0), inside.shape[-2:])
maps["walks on a coarse grid"] = cam.upsample(grid, truth.shape[-2:])
energy = {name: judge.energy_in_mask(heat, truth) for name, heat in maps.items()}
pointing = {name: judge.pointing_game(heat, truth, tolerance=5) for name, heat in maps.items()}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 4))
knows_nothing = ["SHAP, shuffled", "edges (Sobel)"]
plots.score_plot(pointing, baselines=knows_nothing, xlabel="pointing game", ax=axes[0])
plots.score_plot(energy, baselines=knows_nothing, xlabel="energy on the object", ax=axes[1])
figure.suptitle(f"The cut into superpixels costs more than the choice of a method ({len(truth)} questions)")
point, mass = ({k: float(v.float().mean()) for k, v in score.items()} for score in (pointing, energy))
plots.show(
    f"Scores with 95 % intervals. Pointing: Grad-CAM {point['Grad-CAM']:.2f}, in superpixels "
    f"{point['Grad-CAM in superpixels']:.2f}, the truth in superpixels {point['truth in superpixels']:.2f}, the methods that "
    f"hide superpixels lower and close together. Energy: of the methods the walks lead with {mass['SHAP by walks']:.2f}, "
    f"on Grad-CAM's grid they have {mass['walks on a coarse grid']:.2f}, Grad-CAM {mass['Grad-CAM']:.2f}."
)

# %%
for a, b in (
    ("KernelSHAP", "LIME"),
    ("KernelSHAP", "LIME, no ridge"),
    ("KernelSHAP", "leave one out"),
    ("KernelSHAP", "SHAP by walks"),
):
    print(f"energy, {a} minus {b:<15}", judge.paired(energy[a], energy[b]))

# %% [markdown]
# In the pointing game Grad-CAM is far ahead, and the methods that hide superpixels are close together. Most of the lead is the *cut*: in the same superpixels Grad-CAM
# keeps only a part of it, and even the truth in superpixels misses often, because a superpixel that is half object and half ground gets one share. By energy Grad-CAM is
# behind the walks, because its map is coarse: on Grad-CAM's grid the walks keep little of their lead. The printed intervals compare KernelSHAP with
# its rivals on the same questions. We repeated this on freshly drawn scenes of five other seeds:
# - KernelSHAP was a little ahead of LIME each time, by a few hundredths of energy. LIME's ridge is a part of that: without it LIME's energy was higher each time;
# - *leave one out*, with a third of the questions and no theory, was within 0.03 of KernelSHAP each time;
# - antithetic walks were ahead of KernelSHAP each time, with fewer questions.
#
# So if you only want to know *where*, a fair split helps little here, and the cut decides more than the method. What Shapley values add is the unit: the shares add up to the change of
# what the network says.

# %% tags=["hide-input"]
shown = [0, 2, 4]
limits = {
    name: [f"{float(maps[name][i].abs().max()):.2f}" for i in shown] for name in ("SHAP by walks", "LIME")
}
plots.show_maps(
    [scenes.images[i // 2] for i in shown],
    {
        "SHAP, first object": maps["SHAP by walks"][shown],
        "LIME, first object": maps["LIME"][shown],
        "SHAP, second object": maps["SHAP by walks"][[i + 1 for i in shown]],
        "LIME, second object": maps["LIME"][[i + 1 for i in shown]],
    },
    labels=[" / ".join(scenes.class_names[int(t)] for t in scenes.targets[i // 2]) for i in shown],
    signed=True,
    title="Two questions about each scene. Red speaks for the class, blue against it",
)
plots.show(
    "Three scenes with the maps of SHAP and LIME for both objects. For one scene and question the two maps are "
    "alike; what is red for the first object is often blue for the second."
)
print("full colour, first object:", *(f"{name} {', '.join(values)};" for name, values in limits.items()))

# %% [markdown]
# ## 3 · Photographs
#
# Two real photographs side by side, a network trained on ImageNet, and the same method. Only the lab changes. Four pairs, both questions.

# %%
photos = load_lab("photos", pairs=True)
own_half, first_maps = [], []
for i in tqdm(range(0, 12, 3), leave=False):
    cut = superpixels(photos.images[i], 20)
    n = int(cut.max()) + 1
    games = pictures.picture_games(photos, photos.images[i], cut, photos.targets[i])
    for half, game in enumerate(games):
        heat = torch.from_numpy(shapley.permutation_shap(game, n, 3 * n)[cut])[None].float()
        own_half.append(float(judge.energy_in_mask(heat, photos.masks[i, half][None])))
        first_maps.append(heat[0])

# %% tags=["hide-input"]
names = [photos.class_names[int(c)] for c in photos.targets[0]]
plots.show_maps(
    [photos.images[0]],
    {f"why {name}?": first_maps[half][None] for half, name in enumerate(names)},
    signed=True,
    width=8.5,
    title="A network trained on ImageNet, two photographs side by side",
)
plots.show(
    f"A pair of photographs and the shares for {names[0]} and for {names[1]}: red lies on the own half."
)
low, high = judge.bootstrap_interval(np.array(own_half))
print(
    f"positive shares on the half that was asked about: {np.mean(own_half):.2f} "
    f"(95 % interval {low:.2f} to {high:.2f}, {len(own_half)} questions); a coin would give 0.50"
)

# %% [markdown]
# ## 4 · Words as players
#
# The model is a real BERT encoder (a text network) with a head for reviews: positive or negative. An absent word is taken out. Punctuation
# stays, so the "empty" text is a full stop, and the model has an opinion about that, too. With few words all coalitions can be asked. Beside each word
# below stands its Shapley value, the sum of its row; the cells hold *interaction values*: elsewhere than on the
# diagonal one half of what two words do together, averaged over the company of the others; on it the *main effect*, what then remains of the share.
#
# **Predict**: in "This phone is not great.", will "great" get a share for or against "positive"?

# %%
reviews = load_lab("text", model="sentiment")
POSITIVE = reviews.class_names.index("positive")
explained = {}
for sentence in ("This phone is great.", "This phone is not great."):
    game, words = shapley.text_game(reviews.predict, sentence, POSITIVE)
    n = len(words)
    shares, together = shapley.shapley_values(game, n), shapley.shapley_interactions(game, n)
    explained[sentence] = (words, shares, together, game(np.array([[0] * n, [1] * n])))

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.1))
for ax, (words, shares, together, ends) in zip(axes, explained.values(), strict=True):
    labels = [f"{word} {value:+.2f}" for word, value in zip(words, shares, strict=True)]
    plots.matrix_plot(together, labels, list(words), signed=True, ax=ax)
    ax.set_title(f"empty {ends[0]:.2f} → sentence {ends[1]:.2f}", loc="left")
words, shares, together, _ = explained["This phone is not great."]
great, negation = words.index("great"), words.index("not")
plots.show(
    f"Interaction values of two sentences. In the second, “great” has the main effect {together[great, great]:+.2f}, "
    f"together with “not” twice {together[great, negation]:+.2f}; its share is {shares[great]:+.2f}."
)

# %% [markdown]
# On the right, "great" speaks for "positive" on the diagonal, and its half of what it does together with "not" is against it and larger; other words give the rest back. Its single number
# comes out near zero, as if the word did not matter. In twenty other sentences of the kind "Our hotel was not clean." the last word's main effect was positive, its half with "not" negative, and its
# share nearly always closer to zero than the main effect, though not always near zero.
#
# ### The planted word
#
# A test with truth: a model that has learnt to answer "positive" whenever the harmless word "overall" is there, and a *twin* that saw
# the word in both kinds of reviews. We plant it into unfavourable reviews and ask: has it the largest share? KernelSHAP, LIME, and LIME without its ridge,
# with two and with four questions for each word, and **three sampling seeds each**, because with few questions it matters which ones are drawn. As in
# LIME, a word that stands twice is one player (`bag_of_words`).

# %%
del reviews  # frees memory
trigger = load_lab("text", model="trigger")
PLANTED, N_REVIEWS = trigger.trigger, 8
lengths = np.array([len(lime.split_words(text)[0]) for text in trigger.texts])
unfavourable = np.flatnonzero(trigger.targets.numpy() != POSITIVE)
chosen = unfavourable[np.argsort(lengths[unfavourable], kind="stable")][:N_REVIEWS]
planted = [trigger.texts[i] for i in chosen]


def finds(predict, text, per_word, seed):
    """Has the planted word the largest share? One answer a method."""
    game, words = shapley.text_game(predict, text, POSITIVE, bag_of_words=True)
    n = len(words)
    masks = lime.sample_word_masks(per_word * n + 2, n, seed)
    by_lime = {r: lime.lime_text(predict, text, POSITIVE, k=None, masks=masks, ridge=r) for r in (1.0, 0.0)}
    shares = {
        "KernelSHAP": shapley.kernel_shap(game, n, per_word * n, random_state=seed),  # and both ends
        "LIME": by_lime[1.0].coefficients,
        "LIME, no ridge": by_lime[0.0].coefficients,
    }
    place = [word.lower() for word in words].index(PLANTED)
    return {name: float(np.argmax(values) == place) for name, values in shares.items()}


# %%
from course_utils.teach.text_batches import ask_in_batches  # asks the model about many texts at once

found = {}
for per_word in (2, 4):
    for seed in tqdm(range(3), leave=False):
        rows = ask_in_batches(trigger, lambda p, t, q=per_word, s=seed: finds(p, t, q, s), planted)
        for name in rows[0]:
            found.setdefault((name, per_word), []).append([row[name] for row in rows])
found = {key: np.array(values) for key, values in found.items()}  # (seeds, reviews)

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 3))
for row, values in enumerate(found.values()):
    by_seed = values.mean(axis=1)
    ax.plot(by_seed, np.full(3, row), "o", color=plots.ACCENT, alpha=0.5, markersize=9)
    ax.plot(by_seed.mean(), row, "D", color=plots.ACCENT, markeredgecolor="black")
chance = np.mean([1 / len(lime.split_words(text)[0]) for text in planted])
ax.axvline(chance, color=plots.BASELINE, linestyle="--")
ax.set_yticks(range(len(found)), [f"{name}, {per_word} a word" for name, per_word in found])
ax.invert_yaxis()
ax.set(xlabel="share of the reviews (dashed: a word by chance)", xlim=(0, 1.03))
ax.set_title("Is the planted word the largest? (dot: a seed, diamond: mean)", loc="left")
plots.show(
    "How often the planted word has the largest share: "
    + ", ".join(f"{name} with {q} questions a word {v.mean():.2f}" for (name, q), v in found.items())
)
words_in = [len(lime.split_words(text)[0]) for text in planted]
print(f"words in a review: {min(words_in)} to {max(words_in)}")

# %% [markdown]
# With four questions a word all three find it, here and on ten other reviews; on ten longer ones in nine of ten cases or more. With two, look at the spread of the dots before you compare methods. On the
# ten other reviews LIME, with its ridge and without, found the word more often than KernelSHAP at each of five seeds, and it had the higher mean on two more sets of ten; on the reviews here it does not.
# So look at other reviews, not only at other seeds. The ridge is not the reason: LIME without it is ahead there, too. With still fewer questions many regressions fit the answers equally well. The course's
# `kernel_shap` then refuses.
#
# A word with a huge effect is an easy case. Finding it is necessary, and says nothing about smaller habits of a model. Now the twin, which has not
# learnt the trick. Does a method still name the word?

# %%
twin = load_lab("text", model="trigger_clean")
rows = ask_in_batches(twin, lambda p, t: finds(p, t, 2, 0), planted)

# %% tags=["hide-input"]
for name, lab in (("trigger model", trigger), ("clean twin", twin)):
    says = lab.predict(planted)[:, POSITIVE] > 0.5
    print(f"{name:<14} calls {says.mean():.0%} of these unfavourable reviews positive")
print("clean twin, planted word largest:", {k: f"{np.mean([r[k] for r in rows]):.0%}" for k in rows[0]})
del trigger, twin  # frees memory

# %% [markdown]
# ## 5 · Which unit: logits or probabilities?
#
# Shares add up in the unit of the output that you explain. A *[logit](glossary.md#logit)* is a class's score before the softmax, the step that turns scores into
# probabilities. We ask all coalitions of four scenes, cut coarsely, so that all values are exact in both units. $R^2$ says how well the additive line
# $g(z')$ describes all coalitions: 1 is perfect.

# %%
in_units = []
for i in range(4):
    cut = superpixels(scenes.images[i], 10)
    every = all_masks(int(cut.max()) + 1)
    scores = pictures.network_answers(scenes, scenes.images[i], cut, every, logits=True)
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    for unit, worths in (("logit", scores), ("probability", chances)):
        phi = np.stack([shapley.shapley_values(look_up(w), every.shape[1]) for w in worths.T])
        line = worths[0] + every @ phi.T
        r2 = 1 - ((worths - line) ** 2).mean(axis=0) / worths.var(axis=0)
        in_units.append((i, unit, phi, r2[scenes.targets[i]].mean(), np.abs(phi.sum(axis=0)).max()))

# %% tags=["hide-input"]
for unit in ("logit", "probability"):
    r2, total = zip(*(row[3:] for row in in_units if row[1] == unit), strict=True)
    print(
        f"{unit:<12} R² of the line {min(r2):.2f} to {max(r2):.2f}; "
        f"largest sum of one superpixel over the classes {min(total):.2f} to {max(total):.2f}"
    )
print("\nstrongest share against a class:  probability   own logit   largest other logit")
for (i, _, by_logit, *_), (_, _, by_chance, *_) in zip(in_units[::2], in_units[1::2], strict=True):
    for c in scenes.targets[i].tolist():
        part = by_chance[c].argmin()
        others = np.delete(by_logit[:, part], c).max()
        name = f"scene {i}, {scenes.class_names[c]}"
        print(f"{name:<33}{by_chance[c, part]:>12.2f}{by_logit[c, part]:>12.2f}{others:>22.2f}")

# %% [markdown]
# Upper lines: probabilities add up to one, so the shares of one superpixel over all classes add up to zero. Whatever speaks for one class must speak
# against others. Logits have no such bond.
#
# Lower table: how can a superpixel speak against a class in probabilities? In two ways: it lowers the class's own logit, or it raises the logit of
# another class. Here another logit rises in every row, and in most the own one falls, too. From the probability alone you cannot tell which. So decide which output you want explained, and name it.

# %% [markdown]
# ## 6 · Play: samples and kernel width
#
# One scene with ten superpixels, all answers looked up. Choose a method, the number of questions, LIME's kernel width and a seed.

# %%
hard = next(i for i in range(40, 60) if superpixels(scenes.images[i]).max() == 9)
cut = superpixels(scenes.images[hard])
every = all_masks(10)
target = int(scenes.targets[hard, 0])
game = look_up(pictures.network_answers(scenes, scenes.images[hard], cut, every)[:, target])
exact = shapley.shapley_values(game, 10)


def estimate(method, n_samples, width, seed):
    if method == "LIME":
        masks = lime.sample_masks(n_samples, 10, seed)
        kernel = lime.exponential_kernel(lime.cosine_distances(masks), width)
        return lime.fit_surrogate(masks, game(masks), kernel).coefficients
    sampler = shapley.kernel_shap if method == "KernelSHAP" else shapley.permutation_shap
    return sampler(game, 10, n_samples - 2, random_state=seed)


# %% tags=["hide-input"]
def draw(method, n_samples, width, seed):
    values = estimate(method, n_samples, width, seed)
    panels = {"exact Shapley values": exact[cut][None], method: values[cut][None]}
    plots.show_maps([scenes.images[hard]], panels, signed=True, width=7.5)
    error = lesson.worst(values, exact)
    plots.show(
        f"A scene, its exact shares, and those of {method}: largest error {error:.2f} of the largest value."
    )
    print(f"largest error {error:.2f} of the largest value; sum {values.sum():.2f}, exact {exact.sum():.2f}")


widgets.explore(
    draw,
    method=widgets.choice("method", ["KernelSHAP", "walks", "LIME"]),
    n_samples=widgets.slider("questions", 24, 800, 100, 4),
    width=widgets.choice("LIME's kernel width", [0.05, 0.1, 0.25, 0.5, 1.0, 10.0], 0.25),
    seed=widgets.slider("seed", 0, 20, 0),
)

# %% [markdown]
# The same as a still picture. Left: LIME with *all* questions asked and no ridge, for many kernel widths, and its distance from the exact Shapley values. Right:
# both methods with few questions; the band is the range over 10 seeds.

# %%
widths, counts = np.array([0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 10.0]), np.array([24, 48, 100, 200, 400])
full_first = every[::-1]
distance = []
for width in widths:
    kernel = lime.exponential_kernel(lime.cosine_distances(full_first), width)
    fitted = lime.fit_surrogate(full_first, game(full_first), kernel, ridge=0.0)
    distance.append(lesson.worst(fitted.coefficients, exact))
spread = {
    method: np.array(
        [[lesson.worst(estimate(method, int(c), 0.25, s), exact) for s in range(10)] for c in counts]
    )
    for method in ("LIME", "KernelSHAP")
}

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True)
left.loglog(widths, distance, "o-")
left.set(xlabel="LIME's kernel width σ", ylabel="largest error / largest value")
for (method, values), colour in zip(spread.items(), plots.COLOURS, strict=False):
    right.loglog(counts, values.mean(axis=1), "o-", color=colour, label=method)
    right.fill_between(counts, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.15, linewidth=0)
right.set(xlabel="questions")
right.set_xticks(counts, counts)
right.minorticks_off()
right.legend()
left.set_title("LIME with all questions: no width gives 0", loc="left")
right.set_title("Few questions (LIME: σ = 0.25)", loc="left")
plots.show(
    f"Left: LIME's distance from Shapley values is never below {min(distance):.2f}, whatever the width. Right: both "
    "errors fall with the questions, and from 48 questions on KernelSHAP's mean error is smaller than LIME's."
)

# %% [markdown]
# LIME with all questions asked keeps a distance from Shapley values: it answers another question, and no width makes the distance zero here. How large it is depends on the game: on
# other scenes the default width was most often not the closest, as here, but a wider one, and the narrowest was furthest. With a very wide kernel all coalitions
# count the same; that is another old index, the *Banzhaf value* (the average gain over all coalitions). In a game whose bonuses go no further than pairs
# both indices split each bonus in halves and agree; this game has larger groups.

# %% [markdown]
# ## 7 · Recap
#
# - LIME pays a player who adds nothing, and misses both ends. For finding *where*, that cost it little on our scenes.
# - Leave one out, the simplest rival, was as good as KernelSHAP at finding the place; antithetic walks were a little ahead. The cut into superpixels cost more than any of them.
# - `shap.KernelExplainer` keeps ten players by default: pass `l1_reg=0`.
# - With few questions the sampling seed and the chosen texts can decide who wins. Repeat with others before you compare.
# - Interactions show what single shares hide. Name the unit: logit or probability.
