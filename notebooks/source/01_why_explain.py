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
# # 01 · Why explain?
#
# **The question.** Two models are equally good on the test set. Which one do you let out into the world?
#
# **After this lesson you can**
# - explain a model that you cannot look into, in about twelve lines, and measure whether the explanation tells a good model from a bad one;
# - say why a convincing explanation may be wrong, and why one passed test is not enough;
# - say who needs which explanation, and what the law asks for;
# - find each lesson on one map, and work with the course's labs, checks and hints.
#
# **Time**: about <!-- minutes --> minutes. **Before**: some Python with NumPy. You need to know nothing about explanations or neural networks: here they are boxes that answer.
#
# **What is explainable AI?** Imagine a classmate who has every answer right in the test. Has she understood it, or can she see her neighbour's sheet? The marks are the same. To find out you ask her *why*, or you let her sit alone. A program that has learnt from examples is like this classmate: it gives answers and no reasons. *Explainable AI* (XAI) finds out why it answers as it does, in a form that people can use and check.
#
# In this lesson you meet two such classmates. In section 3 one of them will be wrong about *every* picture. Can you tell which one before it happens?
#
# Everything runs on your own computer. A [*lab*](glossary.md#lab) is a trained model together with pictures and with the truth about them: we drew the pictures, so we know which pixel belongs to what.

# %%
import matplotlib.pyplot as plt
import numpy as np
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l01_why_explain as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l01_why_explain as lesson
from course_utils.teach import plots, widgets

offers = lesson.two_offers()  # model A and model B
lab = offers["A"]  # both have the same 60 pictures: (60, 128, 128, 3), their class numbers: (60,)
images, targets, class_names = lab.images, lab.targets.numpy(), lab.class_names
eight = [*np.flatnonzero(targets == 0)[:4], *np.flatnonzero(targets == 1)[:4]]  # four of each class

# %% [markdown]
# ## 1 · A decision
#
# A sheep farm wants a camera that rings when a wolf comes. The neighbour's huskies should not ring it. Two companies offer a model: call them A and B. Both were tested on 60 pictures that neither had seen before. Here are eight of them. Above each stands what it is, then what A and B say, and with which probability.

# %%
probabilities = {name: offer.predict(images) for name, offer in offers.items()}

# %% tags=["hide-input"]
lesson.show_answers(
    images[eight],
    targets[eight],
    class_names,
    {n: p[eight] for n, p in probabilities.items()},
    title="A and B are right about all eight, and sure of it",
)
plots.show(
    "Four drawn huskies on grass and other grounds, four wolves on snow. Both models name all of them "
    "correctly, with probabilities close to 1."
)

# %% [markdown]
# They look equally good. Are they, on all 60? Your first exercise is tiny, and shows how exercises work here.
#
# ### Exercise: your first one
#
# 1. Replace the dots with your code and run the cell.
# 2. Run the cell below it, the **check**. It knows three verdicts: *not attempted*, *wrong, because …*, *right*.
# 3. Stuck? Run the cell with `hint()`: each run gives one more **hint**.
# 4. The **solution** is folded below the check.
#
# `answers` and `targets` are arrays of class numbers, one for each picture.


# %% exercise="share_right"
def share_right(answers, targets):
    """The share of the answers that are right, between 0 and 1."""
    # BEGIN SOLUTION
    return (answers == targets).mean()
    # END SOLUTION


# %%
exercises.share_right.check(share_right)

# %%
exercises.share_right.hint()

# %% [markdown]
# Here is what the function should say about A and B. Beside each share stands an interval: after 60 right answers of 60, the true share may still be a little below 1. The interval holds the shares that fit such a result (95 %, computed exactly: *Clopper-Pearson*).

# %%
for name, p in probabilities.items():  # argmax: the most probable class of each picture
    share, low, high = lesson.share_and_interval(p.argmax(axis=1) == targets)
    print(f"model {name}: {share:.2f} of the answers are right (95 %: {low:.2f} to {high:.2f})")

# %% [markdown]
# **Decide now**, before you read on: which model would you give to the farmer? With what you know it can only be a guess, and nobody checks it. In section 3 you choose again, and that choice counts.

# %%
first_choice = None  # "A" or "B"

# %% [markdown]
# ## 2 · An explanation: cover it, and watch
#
# You cannot look into the models, but you can ask them. So hide a part of the picture and ask again. If the probability falls, you have covered something that the model needs.
#
# In symbols: $p(x)$ is the probability that the model gives to the right class for the picture $x$, and $x_{\setminus r}$ is the same picture with a grey square over the region $r$. The *importance* of the region is the fall
#
# $$f(r) = p(x) - p(x_{\setminus r}).$$
#
# This is *occlusion* (Zeiler and Fergus, 2014). First with one square by hand: below, one wolf three times. Which model notices what is covered?

# %%
wolf = eight[5]
top, left = np.clip(np.argwhere(lab.masks[wolf].numpy()).mean(axis=0).astype(int) - 16, 0, 96)
three = np.stack([images[wolf]] * 3)
three[1, :32, :32] = 128  # a corner
three[2, top : top + 32, left : left + 32] = 128  # the middle of the animal
says = {name: offer.predict(three)[:, targets[wolf]] for name, offer in offers.items()}

# %% tags=["hide-input"]
what = ("nothing", "a corner", "the middle of the animal")
plots.show_images(
    three,
    [
        f"covered: {place}\n" + ", ".join(f"{n}: {p[k]:.2f}" for n, p in says.items())
        for k, place in enumerate(what)
    ],
    title="How sure are A and B that this is a wolf?",
    width=8,
)
plots.show(
    "One wolf three times. "
    + " ".join(
        f"Covered: {place}: {', '.join(f'{n} {p[k]:.2f}' for n, p in says.items())}."
        for k, place in enumerate(what)
    )
)

# %% [markdown]
# ### By hand: slide the square over the whole picture


# %% tags=["by-hand"]
def cover_and_watch(predict, images, targets, window=32, stride=24, grey=128):
    """The fall f(r) for each place of a grey square: (N, H, W, 3) to (N, rows, columns)."""
    everyone = np.arange(len(images))
    before = predict(images)[everyone, targets]
    starts = range(0, images.shape[1] - window + 1, stride)
    falls = np.zeros((len(images), len(starts), len(starts)))
    for i, top in enumerate(starts):
        for j, left in enumerate(starts):
            covered = images.copy()
            covered[:, top : top + window, left : left + window] = grey
            falls[:, i, j] = before - predict(covered)[everyone, targets]
    return falls


few = [eight[0], eight[4], eight[5]]
falls_12 = {n: cover_and_watch(o.predict, images[few], targets[few], stride=12) for n, o in offers.items()}
fine = {name: lesson.spread(falls, 128, stride=12) for name, falls in falls_12.items()}

# %% [markdown]
# `spread` gives each pixel the mean fall of all squares that covered it. The two maps in the middle use **one common scale**: the brighter, the larger the fall. On the right each map is stretched to **its own** maximum.

# %% tags=["hide-input", "thumbnail"]
lesson.show_two_scales(images[few], fine)
largest = {name: float(heat.max()) for name, heat in fine.items()}
plots.show(
    "A husky and two wolves with the maps of A and B. On the common scale only one model's map is bright, on the animal. "
    "On its own scale the other model's map looks as bright, although its largest fall is "
    f"{min(largest.values()):.3f} instead of {max(largest.values()):.3f}."
)

# %% [markdown]
# Read the middle columns first. For one model, covering a part of the *animal* takes certainty away. For the other, hardly any square matters. The columns on the right make the weak map as bright as the strong one. **Read a map together with its scale.**
#
# Is our function right? captum, a library of explanation methods, has occlusion too. How far do the two maps differ at most?

# %% tags=["nbval-check-output"]
from captum.attr import Occlusion

b = offers["B"]
theirs = Occlusion(lambda x: b.model(x).softmax(dim=1)).attribute(  # softmax gives probabilities
    lab.inputs[few],
    target=lab.targets[few],
    sliding_window_shapes=(3, 32, 32),
    strides=(3, 12, 12),
    baselines=b.preprocess(np.full_like(images[few], 128)),
)
judge.agreement_table(
    [("captum Occlusion", fine["B"], theirs[:, 0].detach(), "the mean fall of all squares on a pixel")]
)

# %% [markdown]
# ### Not three pictures, sixty
#
# Three pictures are too few. So measure on all 60 which share of the map's positive values lies **on the animal**: the [*energy*](glossary.md#energy). A number alone says little, so maps that know nothing about any model are measured too: the *edges* of the picture, a spot in the *centre*, *random* noise, and a *constant* map, whose energy is the share of the picture that the animal takes.

# %%
falls = {}
for name, offer in tqdm(offers.items(), desc="covering", leave=False):
    falls[name] = cover_and_watch(offer.predict, images, targets)
maps = {f"model {name}": lesson.spread(fall, 128) for name, fall in falls.items()}
know_nothing = {
    "edges": judge.baselines.sobel(lab.inputs),
    "centre": judge.baselines.center(lab.inputs),
    "random": judge.baselines.random(lab.inputs),
    "constant": judge.baselines.constant(lab.inputs),
}
on_animal = {name: judge.energy_in_mask(heat, lab.masks) for name, heat in (maps | know_nothing).items()}
for name, fall in falls.items():
    more = judge.paired(on_animal[f"model {name}"], on_animal["constant"])
    print(f"model {name}: largest fall {fall.max(axis=(1, 2)).mean():.3f} on average;")
    print(f"         energy minus that of a constant map {more}")

# %% tags=["hide-input"]
plots.score_plot(
    on_animal,
    baselines=list(know_nothing),
    xlabel="share of the map that lies on the animal",
    title="Only one model's map lies on the animal more than the edges do",
)
plots.show(
    "Energy on the animal: "
    + ", ".join(f"{name} {float(share.mean()):.2f}" for name, share in on_animal.items())
)

# %% [markdown]
# One dot is the mean over the 60 pictures. The bar, a [*bootstrap interval*](glossary.md#bootstrap-interval) (95 %), says how far this mean could move with other pictures of the same kind. The printed lines compare picture by picture (a *paired* difference).
#
# The map of one model lies on the animal, far more than a constant map would. For the other even the largest fall is tiny, so the places of its map mean little. **The accuracies were the same; the explanations are not.**
#
# ### Exercise: how many times chance?
#
# A large animal gets a large energy for nothing: if it fills half of the picture, half of *any* even map lies on it. Write a fairer measure: how many *times* the energy of an even map has this map? `maps` is (N, H, W), and some of its values are negative; `masks` is (N, H, W), True on the animal.


# %% exercise="times_chance"
def times_chance(maps, masks):
    """The energy of each map, divided by that of an even map: (N,)."""
    # BEGIN SOLUTION
    positive = maps.clip(min=0)
    energy = (positive * masks).sum(axis=(1, 2)) / positive.sum(axis=(1, 2))
    return energy / masks.mean(axis=(1, 2))
    # END SOLUTION


# %%
exercises.times_chance.check(times_chance)

# %% tags=["hide-input"]
for name, heat in (maps | know_nothing).items():
    times = exercises.times_chance.reference(heat.numpy(), lab.masks.numpy())
    low, high = judge.bootstrap_interval(times)
    print(f"{name:<9} {times.mean():.2f} times chance (95 %: {low:.2f} to {high:.2f})")

# %% [markdown]
# Even the edges are above chance, and they have never asked a model. Keep that in mind for section 4.

# %% [markdown]
# ## 3 · Out in the world
#
# ### Exercise: which one do you ship?
#
# Now you have maps and numbers. Choose again: the same name as before, or the other.

# %% exercise="ship"
model_to_ship = None  # "A" or "B"
# BEGIN SOLUTION
model_to_ship = "B"  # the animal matters to it
# END SOLUTION

# %% [markdown]
# A month later the camera stands on another farm. There it has snowed where the huskies live, and the wolves come over grass. The *same* animals at the same places; only the ground is another one.

# %%
abroad = lab.counterfactuals  # the same pictures with the ground exchanged
answers_abroad = {name: offer.predict(abroad) for name, offer in offers.items()}
in_the_world = {name: p.argmax(axis=1) == targets for name, p in answers_abroad.items()}

# %% tags=["hide-input"]
lesson.show_answers(
    abroad[eight],
    targets[eight],
    class_names,
    {n: p[eight] for n, p in answers_abroad.items()},
    title="On another ground one model is always right, the other never",
)
plots.show(
    "The same eight animals, the huskies on snow, the wolves on grass and other grounds: "
    "one model is right about all of them, the other wrong about all."
)

# %%
exercises.ship.check(model_to_ship, in_the_world)

# %% tags=["hide-input"]
rows = {}
for name, offer in offers.items():
    rows[f"model {name}, test pictures"] = offer.predict(images).argmax(axis=1) == targets
    rows[f"model {name}, other farm"] = in_the_world[name]
lesson.show_shares(
    rows,
    colours={label: plots.COLOURS["AB".index(label[6])] for label in rows},
    xlabel="share of right answers (bars: 95 % intervals)",
    title="Equal on the test pictures, opposite on the other farm",
)
plots.show(
    "Share of right answers. " + ", ".join(f"{label}: {right.mean():.2f}" for label, right in rows.items())
)

# %% [markdown]
# Model A is a **ground detector**. In its training pictures every wolf stood on snow and no husky did, so the ground was all that it had to learn. No test picture from the same source can show that. Model B, the *honest* one, was trained on pictures in which a coin had put snow or another ground under each animal.
#
# Around 1900 a horse called Hans became famous because he seemed to calculate. A psychologist found that he read the faces of the people who asked (Pfungst, 1907). Since then a *Clever Hans* is somebody who is right for the wrong reason. Networks that looked for pneumonia on X-ray pictures
# turned out to recognise the hospital (Zech and others, 2018); one that looked for horses read a copyright line (Lapuschkin and others, 2019). Huskies and wolves are the example with which [LIME](06_lime.ipynb) was introduced.
#
# **The explanation proved nothing.** It gave you a suspicion. The proof was an experiment: exchange the ground, and ask again. (In [01b](01b_data_and_experiment.ipynb) you design it yourself.)

# %% [markdown]
# ## 4 · Convincing is not the same as correct
#
# Three maps for two pictures. One belongs to model A, one to model B. The third was made by a function that never saw a model. Which one would you show to the farmer?

# %%
honest, pair = offers["B"], [eight[1], eight[6]]
own = lesson.spread(lesson.cover_and_watch(honest.predict, images, targets), 128)
of_a = lesson.spread(lesson.cover_and_watch(offers["A"].predict, images[pair], targets[pair]), 128)
edges = judge.baselines.sobel(lab.inputs)

# %% tags=["hide-input"]
plots.show_maps(list(images[pair]), {"map 1": edges[pair], "map 2": own[pair], "map 3": of_a}, width=8.5)
plots.show(
    "A husky and a wolf with three maps. Map 1 draws the outline and the eyes, map 2 is a coarse light on the animal, "
    "map 3 a coarse light mostly beside it."
)

# %% [markdown]
# Map 1 looks best. But it is an edge filter: the same for A, for B, and for a model that was never trained. It **cannot** explain any of them. Map 2 belongs to the honest model B. Map 3 belongs to the ground detector: its bright places are tiny falls, stretched to full brightness.
#
# *Plausible* (it pleases us) and *faithful* (it describes what the model does) are different things. Can a test tell them apart? Here is a popular one: **cover the tenth of the picture that a map calls most important. The better the map, the further the model's probability should fall.** The edges are thin lines, so we blur them first, until they form patches like those of the own map.
#
# ### Exercise: predict, then run
#
# Which map makes the honest model's probability fall further: its *own map*, or the *blurred edges*, which know nothing about it?

# %% exercise="takes_more"
answer = None  # "own map", "blurred edges" or "no clear difference"
# BEGIN SOLUTION
answer = "no clear difference"
# END SOLUTION

# %%
tested = {
    "own map": own,
    "blurred edges": lesson.blurred_edges(lab.inputs),
    "edges": edges,
    "centre": judge.baselines.center(lab.inputs),
    "random": judge.baselines.random(lab.inputs),
}
everyone = np.arange(len(images))
before = honest.predict(images)[everyone, targets]
fall = {}
for colour, grey in {"grey": 128, "black": 0, "white": 255}.items():
    for name, heat in tested.items():
        covered = lesson.cover_strongest(images, heat, grey=grey)
        fall[colour, name] = before - honest.predict(covered)[everyone, targets]
own_minus_edges = judge.paired(fall["grey", "own map"], fall["grey", "blurred edges"])

# %%
exercises.takes_more.check(answer, own_minus_edges)

# %%
print("own map minus blurred edges, grey:", own_minus_edges)
for name, heat in tested.items():
    changed = (lesson.cover_strongest(images, heat) != images).any(axis=3)
    print(f"{name}: {lab.masks.numpy()[changed].mean():.2f} of the covered pixels lie on the animal")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 2.6))
for ax, colour in zip(axes, ("grey", "black", "white"), strict=True):
    plots.score_plot(
        {name: fall[colour, name] for name in tested},
        baselines=[name for name in tested if name != "own map"],
        xlabel=f"fall, covered in {colour}",
        xlim=(0, 1),
        sort=False,
        ax=ax,
    )
for ax in axes[1:]:
    ax.set_yticklabels([])
axes[0].set_title("Cover the strongest tenth of each map: own map and blurred edges tie", loc="left")
plots.show(
    "Mean fall of the honest model's probability, for five maps. "
    + " ".join(
        f"{colour}: " + ", ".join(f"{name} {fall[colour, name].mean():.2f}" for name in tested) + "."
        for colour in ("grey", "black", "white")
    )
)

# %% [markdown]
# The blurred edges, which know nothing of the model, take about as much away as the model's own map, in each of the three colours. The strongest edges of these pictures are those of the animal, so both cover the animal (the printed shares). And the colour changes the order of the others: scattered pixels do little in grey and much in white.
#
# So **one passed test is not enough**. It says that the covered place matters. It does not say that the map was made from the model. Another question is harder for the edges: does the map change when the *model* changes? Map 2 of one model and map 3 of the other differ; map 1 is the same for both. [Lesson 12](12_judging_explanations.ipynb) is about such tests.

# %% [markdown]
# ## 5 · Before modelling: could the data have told us?
#
# Explaining does not begin with the model. Look at the pictures, without any network: first the *mean picture* of each class, then one single number, the mean brightness of the whole picture.

# %%
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

brightness = images.mean(axis=(1, 2, 3))[:, None]  # of each picture, 0 to 255
rule = DecisionTreeClassifier(max_depth=1)  # one question: brighter than …?
ten_parts = KFold(10, shuffle=True, random_state=0)
guesses = cross_val_predict(rule, brightness, targets, cv=ten_parts)
share, low, high = lesson.share_and_interval(guesses == targets)

threshold = rule.fit(brightness, targets).tree_.threshold[0]
elsewhere = (rule.predict(abroad.mean(axis=(1, 2, 3))[:, None]) == targets).mean()
print(f"“brighter than {threshold:.0f}: wolf” is right for {share:.2f} (95 %: {low:.2f} to {high:.2f})")
print(f"the same rule on the other farm: {elsewhere:.2f}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.0), width_ratios=(1, 1, 1.9))
for c, ax in enumerate(axes[:2]):
    ax.imshow(images[targets == c].mean(axis=0).astype(np.uint8))
    ax.set_title(f"mean of {(targets == c).sum()} pictures: {class_names[c]}", fontsize=10)
    plots.bare(ax)
    axes[2].hist(
        brightness[targets == c, 0],
        np.linspace(30, 230, 26),
        alpha=0.65,
        label=class_names[c],
        color=plots.COLOURS[c],
    )
axes[2].axvline(threshold, color=plots.INK, linestyle="--", linewidth=1)
axes[2].set(xlabel="mean brightness of the picture", ylabel="pictures")
axes[2].set_title("One number nearly separates the classes", loc="left")
axes[2].legend()
plots.show(
    "Two mean pictures: the huskies' is a dark blur on dark ground, the wolves' a dark blur on white. "
    f"Two histograms of the brightness that hardly overlap; a line at {threshold:.0f} between them."
)

# %% [markdown]
# The rule was tested on pictures that it was not fitted to (*ten-fold cross-validation*: each tenth of the pictures is answered by a rule fitted to the others). It does nearly as well as the networks, has never seen an animal, and fails like model A on the other farm. **If a stupid rule does well, ask what the clever model has learnt.**
#
# *Prototypes*, a few pictures that stand for many, and *criticisms*, pictures where prototypes and collection differ most, are found in [01b](01b_data_and_experiment.ipynb).

# %% [markdown]
# ## 6 · The map of the field
#
# You have seen two of the three places where explaining can start. The course returns to the map below; the filled fields belong to this lesson.
#
# - **Before, in, after.** Look at the data; use a model that is readable by itself (*ante hoc*, a [*glass box*](13_glass_boxes.ipynb)); or explain a trained model as it is (*post hoc*).
# - **Local or global.** Why this answer? Or: what has the model learnt as a whole?
# - **Access.** May the method only ask (*black box*)? May it also follow slopes (*gradients*: how the answer changes when the picture changes a little)? Or may it read the inside (*white box*)?
# - **Kind of input.** Pictures, text, tables: written below each name.
#
# First a question:

# %% tags=["hide-input"]
exercises.where_cover

# %% tags=["hide-input"]
from course_utils.teach.field_map import show_field_map

show_field_map(highlight=1, width=9.5)
plots.show(
    "The map of the field. From left to right: before modelling (mean pictures, prototypes, one number), in the model "
    "(glass boxes), after training, with a row for white box, gradients and black box, and a column each for local "
    "and global. “Cover it” stands at black box, local."
)

# %% [markdown]
# Three words that authors use differently (Lipton, 2018); this course means:
#
# | word | means | here |
# |---|---|---|
# | **interpretable** | a person can follow the model itself, from input to answer | the rule with one number |
# | **explainable** | a method gives reasons for a model that nobody can follow; they may be wrong | A and B, covered and watched |
# | **transparent** | everybody may look: the program, the data, the tests are open | this course's models |

# %% tags=["hide-input"]
exercises.which_word

# %% [markdown]
# ## 7 · An explanation for whom?
#
# What do people accept as an explanation? Tim Miller (2019) read more than 250 papers about it. Three findings:
#
# - Explanations are **contrastive**: whoever asks "why?" nearly always means "why this *rather than that*?"
# - They are **selective**: people want two or three causes, not all. So every short explanation is a choice, and somebody makes it.
# - They are **social**: a good one depends on who asks. [13c](13c_telling.ipynb) computes all three for models of tables.
#
# Read one row of this table, the one that is nearest to you:
#
# | | developer | user | person affected | regulator, court |
# |---|---|---|---|---|
# | **medicine** | does the network read the disease, or the hospital? | doctor: can I rely on it for *this* patient? | what does it mean for me, and who decides? | on whom was it tested, how often is it wrong? |
# | **credit** | does a column stand for something forbidden, such as the postcode for the origin? | loan officer: is this case close to the border? | why not me, and what could I change? | are the main reasons named, as the law asks? |
# | **driving** | in which weather does it miss people? | driver: when must I take over? | person hit: why did it not brake? | what happened in the seconds before? |
# | **hiring** | does it guess the sex from hobbies and schools? | recruiter: which part of the letter counted? | why not me, and whom can I ask? | do all groups have the same chance? |
#
# **What the law says, in plain words.** In the EU, a decision that touches you seriously, such as a refused loan, must not be left to a machine alone (data protection law, GDPR, article 22). There are exceptions: a contract that needs it, a law, your clear consent. With a contract or consent you may still ask that a person looks at it. You may also ask for "meaningful information about the logic involved" (article 15). The AI Act of 2024 adds a right to an explanation of decisions in which a high-risk system took part (article 86).
# In the US, a lender must name the main reasons for a refusal (Equal Credit Opportunity Act).
#
# ### One alarm, four answers
#
# On the other farm, model A has rung the alarm for a husky on snow. Four people ask why. The contrast in the answers is an experiment: the same husky, on grass.

# %%
husky = eight[1]
wolf_class = class_names.index("wolf")
on_snow, on_grass = (offers["A"].predict(pictures[[husky]])[0, wolf_class] for pictures in (abroad, images))
right_at_home = offers["A"].predict(images).argmax(axis=1) == targets
right_abroad = offers["A"].predict(abroad).argmax(axis=1) == targets
false_alarms = ~right_abroad[targets != wolf_class]

# %% tags=["hide-input"]
import textwrap

_, low, high = lesson.share_and_interval(false_alarms)
answers = {
    "developer": f"p(wolf) = {on_snow:.2f} on snow, {on_grass:.2f} on grass; right answers "
    f"{right_at_home.mean():.2f} on test pictures, {right_abroad.mean():.2f} with exchanged ground. It reads the ground.",
    "farmer": "Do not rely on the alarm when there is snow, and not on the silence when there is none.",
    "neighbour": "Your dog was called a wolf because it stood on snow. On grass the camera would not have rung. "
    "Your dog did nothing, and you can change nothing.",
    "insurer": f"Tested on one farm only. Elsewhere {false_alarms.mean():.0%} of the {len(false_alarms)} huskies rang the "
    f"alarm ({low:.0%} to {high:.0%}), and {(~right_abroad[targets == wolf_class]).mean():.0%} of the wolves did not.",
}
for who, text in answers.items():
    print(textwrap.fill(f"{who + ':':<11}{text}", 98, subsequent_indent=" " * 11))

# %% [markdown]
# None of these is *the* explanation. The neighbour gets a **counterfactual**: what would have had to be different? The farmer gets a rule for action. Good explaining starts with the question who asks, and what for.

# %% [markdown]
# ## 8 · The real thing: a wrong answer, explained
#
# Now a real photograph, and a network trained on more than a million of them (EfficientNet-Lite0, the 1,000 classes of ImageNet). This woman is an astronaut; ImageNet has no such class. What does the network say, and why? The function is that of section 2; only the square is larger.

# %%
from course_utils.labs.photos import top_answers

photo = load_lab("photos", only="astronaut")
first, how_sure = top_answers(photo, photo.images)[0][0]
c = np.array([photo.class_names.index(first)])
photo_falls = lesson.cover_and_watch(photo.predict, photo.images, c, window=64, stride=20)
row, column = np.unravel_index(photo_falls[0].argmax(), photo_falls[0].shape)
shown = {"as it is": photo.images}
for colour, grey in {"grey": 128, "black": 0, "white": 255}.items():
    shown[colour] = photo.images.copy()
    shown[colour][:, row * 20 : row * 20 + 64, column * 20 : column * 20 + 64] = grey
for label, picture in shown.items():
    best = top_answers(photo, picture, 4)[0]
    print(f"{label:<9}" + ", ".join(f"{name} {p:.2f}" for name, p in best))

# %% tags=["hide-input"]
heat = lesson.spread(photo_falls, 224, window=64, stride=20)[0]
figure = plots.show_images(
    [photo.images[0], plots.overlay(photo.images[0], heat), shown["grey"][0]],
    [f"{first} {how_sure:.2f}", "where covering hurts it", "strongest square covered"],
    columns=3,
    title=f"Covering the helmet takes “{first}” away",
    width=8.5,
)
figure.set_figheight(3.0)
lesson.colour_bar(list(figure.axes), float(heat.max()), f"fall of “{first}”", location="right", aspect=20)
plots.show(
    f"A smiling astronaut in an orange suit, her helmet before her. The network says {first}. The map is brightest on the "
    "shiny black helmet, and has a weaker light on her hair; on the right a grey square covers most of the helmet."
)

# %% [markdown]
# *Bobsled* and *football helmet* come from the shiny helmet: cover it in grey, black or white, and both fall; bobsled loses its first place. What comes instead depends on the colour, because the cover itself is a new thing in the picture. One photograph is a hint, not a measurement.
#
# ### Exercise: find the bug
#
# The library tf-explain has this method too. Its published code gives each square the value $1 - p(x_{\setminus r})$, as below, and stretches the map from its smallest to its largest value. Change the function so that it gives the fall $f(r)$ of section 2. `before` is (N,), the probability for each whole picture; `after` is (N, rows, columns), the probability for each covered picture.


# %% exercise="falls_of"
def falls_of(before, after):
    """The fall f(r) for each place of the square: (N, rows, columns)."""
    # BEGIN STUB
    # return 1 - after
    # END STUB
    # BEGIN SOLUTION
    return before[:, None, None] - after
    # END SOLUTION


# %%
exercises.falls_of.check(falls_of)

# %%
after = how_sure - photo_falls
published = lesson.spread(1 - after, 224, window=64, stride=20)
right_map = lesson.spread(photo_falls, 224, window=64, stride=20)

# %% tags=["hide-input"]
stretched = (published - published.min()) / (published.max() - published.min())
plots.show_maps(
    list(photo.images),
    {
        f"1 − p: {published.min():.2f} to {published.max():.2f}": published,
        "1 − p, stretched": stretched,
        f"fall: {right_map.min():.2f} to {right_map.max():.2f}": right_map,
    },
    title="The stretched map hides where covering changes nothing",
    width=9,
)
plots.show(
    "The astronaut with three maps. 1 − p drawn from zero is bright everywhere; stretched it is coloured nearly everywhere, "
    "the fall only where covering takes something away: beside the head and at the shuttle it stays grey."
)

# %% [markdown]
# The two differ by $1 - p(x)$, the same number at each place: a few hundredths for models as sure as A and B, and 0.8 for this one. So here $1 - p$ is large even where covering changes nothing. Stretching hides that, and it hides the **zero**: places where covering *helps* the answer get colours as well.
#
# ### Your turn
#
# Change the path (a picture, or a folder of pictures) and, if you like, the model's name; nothing else. `path=None` takes the course's own photographs.

# %%
mine = load_lab("photos", path=None, model="efficientnet_lite0")
pictures = mine.images[:3]
best = [of_picture[0] for of_picture in top_answers(mine, pictures)]
asked = np.array([mine.class_names.index(name) for name, _ in best])
side = pictures.shape[1]
step = {"window": side // 4, "stride": 3 * side // 16}
my_falls = lesson.cover_and_watch(mine.predict, pictures, asked, **step)

# %% tags=["hide-input"]
my_maps = lesson.spread(my_falls, side, **step)
plots.show_images(
    [*pictures, *(plots.overlay(picture, heat) for picture, heat in zip(pictures, my_maps, strict=True))],
    [f"{name} {p:.2f}" for name, p in best] + [f"largest fall {fall.max():.2f}" for fall in my_falls],
    columns=len(pictures),
    title="What the network says, and where covering takes it away",
    width=7.5,
)
plots.show("Pictures in the first row; below each the map of its most probable class.")

# %% [markdown]
# ## 9 · Where it breaks
#
# ### Card 1: the question about the wrong answer
#
# On the other farm model A is wrong about every picture. Ask for the *right* class, as in section 2, and look at the energy. Then ask for the class that it *answered*.

# %%
a, half = offers["A"], slice(0, 60, 2)  # every second picture
its_answers = a.predict(abroad).argmax(axis=1)
for label, classes in (("the right class", targets), ("its own answer", its_answers)):
    squares = lesson.cover_and_watch(a.predict, abroad[half], classes[half])
    energy = judge.energy_in_mask(lesson.spread(squares, 128), lab.masks[half])
    print(f"asked for {label}: energy {energy.mean():.2f}, largest fall {squares.max():.3f}")

# %% [markdown]
# With the first line alone, the ground detector would look honest. But it answers a strange question: what keeps the model from being even *more* wrong? **Ask for the answer that the model gave**, and look at the size of the falls: they are tiny in both lines.
#
# ### Card 2: a fall of nothing proves nothing
#
# Why are the falls of model A so small, although it depends on the ground completely? Cover more and more of the ground in grey blocks of 16 × 16 pixels, never the animal, and watch each class by itself.

# %%
order = np.random.default_rng(0).permutation(64).reshape(8, 8).repeat(16, axis=0).repeat(16, axis=1) / 64
shares = (0, 0.25, 0.5, 0.75, 1)
curves = {f"{name}, {kind}": [] for name in offers for kind in class_names}
for share in shares:
    hidden = images.copy()
    hidden[~lab.masks.numpy() & (order < share)] = 128
    for name, offer in offers.items():
        p = offer.predict(hidden)[np.arange(len(images)), targets]
        for number, kind in enumerate(class_names):
            curves[f"{name}, {kind}"].append(float(p[targets == number].mean()))

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7, 2.9))
for label, values in curves.items():
    ax.plot(
        shares,
        values,
        "o-" if "wolf" in label else "s--",
        label=label,
        color=plots.COLOURS["AB".index(label[0])],
    )
ax.set(xlabel="share of the ground that is covered", ylabel="p(right class)", ylim=(0, 1.05))
ax.set_title("Model A: huskies are lost late, wolves never", loc="left")
ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
plots.show(
    "Mean probability of the right class against the covered share of the ground. "
    + "; ".join(f"{label}: from {values[0]:.2f} to {values[-1]:.2f}" for label, values in curves.items())
)

# %% [markdown]
# There are two reasons. **The rest is enough**: a husky's grass is everywhere, so one square takes little away, and the answer turns only when most of the grass is gone. **Grey is not nothing**: to model A, ground that is all grey is a wolf's ground, so a wolf loses hardly anything even when its snow is covered completely. A large fall tells you that a place matters. A small one does not tell you that it does not.

# %% [markdown]
# ## 10 · Play
#
# Choose a picture, the farm, and where the square lies. Can you make the honest model call a wolf a husky? Can a square change model A's answer? With the keyboard: Tab moves between the controls, the arrow keys change a slider.


# %% tags=["hide-input"]
def cover(picture, farm, row, column, side, brightness):
    shown = (images if farm == "test pictures" else abroad)[picture].copy()
    shown[row : row + side, column : column + side] = brightness
    answers = []
    for name, offer in offers.items():
        p = offer.predict(shown[None])[0]
        answers.append(f"{name}: {class_names[p.argmax()]} {p.max():.2f}")
    plots.show_images([shown], [f"a {class_names[targets[picture]]}\n" + ", ".join(answers)], width=4)
    plots.show(f"Picture {picture}, {farm}, a square of {side} pixels. " + ", ".join(answers))


widgets.explore(
    cover,
    picture=widgets.slider("picture", 0, len(images) - 1, int(eight[5])),
    farm=widgets.choice("farm", ["test pictures", "other farm"]),
    row=widgets.slider("row", 0, 112, 40, 8),
    column=widgets.slider("column", 0, 112, 40, 8),
    side=widgets.slider("side", 8, 96, 40, 8),
    brightness=widgets.slider("brightness", 0, 255, 128, 15),
)

# %% [markdown]
# One setting as a still picture:

# %% tags=["hide-input"]
cover(int(eight[5]), "other farm", 40, 40, 40, 128)

# %% [markdown]
# ## 11 · Recap
#
# - Equal accuracy does not mean equal models. The test set comes from the same source as the shortcut.
# - An explanation raises a suspicion; an experiment decides. Both get a number with an interval, beside the numbers of maps that know nothing.
# - Convincing is not correct. A map that knows nothing about the model can pass a test, too.
# - Read a map with its scale, ask for the answer that the model gave, and do not take a small fall for proof of no importance.
# - Look at the data first. A rule with one number may tell you what a network has learnt.
# - Say who asks, and give a contrast, few reasons, and what was left out.
#
# **More**: [01b](01b_data_and_experiment.ipynb) looks at the data with prototypes and criticisms, lets you design the experiment that tells what decides, and asks how much two hints are worth together.
#
# <details><summary>The paper in ten questions</summary>
#
# S. Lapuschkin and others: *Unmasking Clever Hans predictors and assessing what machines really learn* (Nature Communications, 2019).
#
# 1. **Which problem?** A model with a high score may have learnt something else than its makers think, and the score does not show it.
# 2. **Is it new?** Single cases were known. New is to look through the explanations of a whole data set for groups.
# 3. **Which hypothesis?** Pictures that a model solves in the same way have similar heat maps, so groups of maps are its strategies.
# 4. **Related work, and who?** Layer-wise relevance propagation (Bach and others, 2015), from the same groups in Berlin; LIME's huskies (2016).
# 5. **The key idea?** Compute a map for each picture, cluster the maps (*spectral relevance analysis*), and let a person look at the clusters.
# 6. **Which experiments?** Horses recognised by a copyright line (PASCAL VOC 2007), players of Atari games that found a trick, a cascade of tests with planted signs.
# 7. **Data and code?** Public data; programs for the maps are public.
# 8. **Do the results support it?** For the horses, yes: the copyright line was also taken away, and put into other pictures, as you exchanged the ground. That people find the clusters telling is not measured.
# 9. **What did it contribute?** The name Clever Hans for such models, and the habit of looking for them.
# 10. **What next?** Finding such shortcuts without a person, and taking them out of a trained model.
#
# </details>
#
# **References**
# - [Zeiler and Fergus, 2014: Occlusion](https://arxiv.org/abs/1311.2901)
# - [Lapuschkin and others, 2019: Clever Hans predictors](https://doi.org/10.1038/s41467-019-08987-4) · Pfungst, 1907: *Das Pferd des Herrn von Osten (Der Kluge Hans)*
# - [Zech and others, 2018: Pneumonia and hospitals](https://doi.org/10.1371/journal.pmed.1002683)
# - [Ribeiro and others, 2016: LIME, huskies and wolves](https://arxiv.org/abs/1602.04938)
# - [Miller, 2019: Explanation in artificial intelligence](https://arxiv.org/abs/1706.07269) · [Lipton, 2018: The mythos of model interpretability](https://arxiv.org/abs/1606.03490)
# - The law: [GDPR, Regulation (EU) 2016/679](https://eur-lex.europa.eu/eli/reg/2016/679/oj), articles 15 and 22 · [AI Act, Regulation (EU) 2024/1689](https://eur-lex.europa.eu/eli/reg/2024/1689/oj), article 86
# - The library with the bug: [tf-explain](https://github.com/sicara/tf-explain), `core/occlusion_sensitivity.py`
