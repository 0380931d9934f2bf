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
# - make an explanation of a black box in twelve lines, and measure whether it tells a good model from a bad one;
# - say what an explanation is, for whom, and why a convincing one may be wrong;
# - find every lesson of this course on one map;
# - read five glass-box models from top to bottom, and say when you need more than they offer;
# - work with the course: labs, checks, hints, agreement tables, scores with intervals.
#
# **Time**: about four hours in three sittings: sections 1 to 6 (the story; if you are short of time, only these), 7 to 13 (glass boxes), 14 to 22. **Before**: some Python with NumPy. You need to know nothing about explanations, and little about neural networks: here they are boxes that answer. The code of sections 14 and 16 to 18 also uses some PyTorch; you may read it for its figures only. Everything runs on
# a laptop without a network connection.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.labs import LabUnavailable, load_lab
from course_utils.teach import plots, widgets
from course_utils.exercises import l01_why_explain as exercises
from course_utils.teach.field_map import show_field_map
from course_utils.teach.quiz import quiz

plots.use_style(dpi=80, quality=68)  # many pictures: keep the file small

# %% [markdown]
# ## 1 · A decision
#
# A sheep farm wants a camera that rings when a wolf comes. The neighbour's huskies should not ring it. Two companies offer a model: call them A and B. Both were tested on 60 pictures that neither
# had seen before. (The pictures are drawn, as are most in this course. That is on purpose: so we know the truth about every pixel.) `load_lab` gives model, pictures and truth together; the course calls this a *lab*.

# %%
# a coin decides which of the two offers is called A, so that reading this code does not tell you either
coin = np.random.default_rng(2026)
offers = {
    name: load_lab("wolves", model=str(option))
    for name, option in zip("AB", coin.permutation(["clean", "shortcut"]), strict=True)
}
lab = offers["A"]  # both have the same pictures
images, targets, class_names = lab.images, lab.targets.numpy(), lab.class_names
probabilities = {name: offer.predict(images) for name, offer in offers.items()}

eight = [int(i) for c in (0, 1) for i in np.flatnonzero(targets == c)[:4]]


def show_eight(pictures, probabilities):
    """The eight pictures: above each, what it is, and what each model says and how surely."""
    titles = []
    for i in eight:
        said = [f"a {class_names[targets[i]]}"]
        for name, p in probabilities.items():
            mark = "✓" if p[i].argmax() == targets[i] else "✗"
            said.append(f"{mark} {name}: {class_names[p[i].argmax()]} {p[i].max():.2f}")
        titles.append("\n".join(said))
    figure = plots.show_images([pictures[i] for i in eight], titles, columns=4, width=9)
    figure.set_figheight(6.1)  # room for three lines
    for ax in figure.axes:
        ax.title.set_fontsize(13)
    plt.show()


show_eight(images, probabilities)

# %% [markdown]
# Eight of the test pictures: above each, what it is, and what A and B say with which probability (✓ right, ✗ wrong). Not much to choose between them. How good are they on all 60? That is your first exercise. It is
# tiny, and it shows how exercises work in this course.

# %% [markdown]
# ### Exercise: your first one
#
# 1. Replace the dots with your code and run the cell.
# 2. Run the cell below it, the **check**. It knows three verdicts: *not attempted*, *wrong, because …*, *right*.
# 3. Stuck? Run `exercises.share_right.hint()` once or several times: each call gives you one more **hint**.
# 4. The **solution** is folded below the check. Look at it when you want to: nobody keeps count.
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
# Here is what the function should say about A and B. Beside each share stands an interval: even with 60 of 60 right, the true share may well be lower than 1. The interval holds all shares with which a result like this one is not surprising (95 %, *Clopper-Pearson*).

# %%
from scipy.stats import binomtest


def share_and_interval(right):
    """The share of True in an array, with its 95 % interval: (share, low, high)."""
    interval = binomtest(int(np.sum(right)), len(right)).proportion_ci()
    return float(np.mean(right)), interval.low, interval.high


on_test = {name: p.argmax(axis=1) == targets for name, p in probabilities.items()}
for name, right in on_test.items():
    share, low, high = share_and_interval(right)
    print(f"model {name}: {right.sum()} of {len(right)} right = {share:.2f} (95 %: {low:.2f} to {high:.2f})")

# %% [markdown]
# ### A first choice
#
# Decide now, before you read on, and write the name of the model that you would ship. With what you know so far it can only be a guess, so nobody checks it. At the end of section 2 you choose again, and that choice counts.

# %%
first_choice = None  # "A" or "B"

# %% [markdown]
# ## 2 · An explanation: cover it, and watch
#
# You cannot look into the models, but you can ask them. So do what you would do with a witness: cover a part of the picture and ask again. If the answer does not change, that part did not matter much. If
# the certainty falls, you have covered something that the model needs.
#
# In symbols: $p(x)$ is the probability that the model gives to the right class for the picture $x$, and $x_{\setminus r}$ is the same picture with a grey square over the region $r$. The *importance* of the region is the fall
#
# $$f(r) = p(x) - p(x_{\setminus r}).$$
#
# This is *occlusion*, one of the oldest explanations of a network (Zeiler and Fergus, 2014; lesson 02). By hand it takes twelve lines:


# %%
def cover_and_watch(predict, images, targets, window=32, stride=24, grey=128):
    """The fall f(r) for each position of a grey square: images (N, H, W, 3) to (N, rows, columns)."""
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


def spread(falls, size, window=32, stride=24):
    """Give each pixel the mean fall of all squares that covered it: (N, rows, columns) to (N, size, size)."""
    total, count = np.zeros((len(falls), size, size)), np.zeros((size, size))
    for (i, j), _ in np.ndenumerate(falls[0]):
        place = (..., slice(i * stride, i * stride + window), slice(j * stride, j * stride + window))
        total[place] += falls[:, i, j, None, None]
        count[place] += 1
    return torch.from_numpy(total / count).float()


one = eight[5]
middle = np.argwhere(lab.masks[one].numpy()).mean(axis=0).astype(int) - 16
where = {"nothing": None, "beside the animal": (0, 0), "the middle of the animal": np.clip(middle, 0, 96)}
shown, titles = [], []
for what, corner in where.items():
    picture = images[one].copy()
    if corner is not None:
        picture[corner[0] : corner[0] + 32, corner[1] : corner[1] + 32] = 128
    shown.append(picture)
    said = {name: offer.predict(picture[None])[0, targets[one]] for name, offer in offers.items()}
    titles.append(f"covered: {what}\n" + ", ".join(f"{name}: {p:.2f}" for name, p in said.items()))
plots.show_images(
    shown, titles, title=f"How sure are A and B that this is a {class_names[targets[one]]}?", width=8
)
plt.show()

# %% [markdown]
# The same picture three times: as it is, with a corner covered, with the middle of the animal covered. Compare how sure the two models are that they see what is there. Now slide the square over the whole picture, and give each pixel the mean fall of all squares that covered it. The two maps in the middle use **one common scale** (the colour bar below them): the brighter, the larger the fall; where the grey picture shows through, nothing happened.

# %%
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize


def colour_bar(axes, largest, label, **place):
    """A colour bar beside maps that were laid over grey pictures."""
    ramp = plots.overlay(np.full((1, 256, 3), 128), np.linspace(0, 1, 256)[None], own_scale=False)[0] / 255
    scale = ScalarMappable(Normalize(0, largest), ListedColormap(ramp))
    bar = axes[0].figure.colorbar(scale, ax=axes, label=label, **place)
    bar.outline.set_visible(False)


FINE = 12  # a finer step than the default, for the pictures
few = [eight[0], eight[4], eight[5]]
fine = {
    name: spread(cover_and_watch(offer.predict, images[few], targets[few], stride=FINE), 128, stride=FINE)
    for name, offer in offers.items()
}
top = max(float(heat.max()) for heat in fine.values())
figure, axes = plots.grid(len(few), 5, ratio=1.1)
for row, i in enumerate(few):
    axes[row, 0].imshow(images[i])
    for column, (name, heat) in enumerate(fine.items()):
        axes[row, 1 + column].imshow(plots.overlay(images[i], heat[row] / top, own_scale=False))
        axes[row, 3 + column].imshow(plots.overlay(images[i], heat[row]))
        axes[row, 3 + column].set_xlabel(f"1.0 is a fall of {float(heat[row].max()):.3f}", fontsize=10)
        if row == 0:
            axes[row, 1 + column].set_title(f"{name}, common scale")
            axes[row, 3 + column].set_title(f"{name}, own scale")
axes[0, 0].set_title("picture")
below = {"location": "bottom", "aspect": 30, "pad": 0.01}
colour_bar(list(axes[:, 1:3].flat), top, "fall of the probability", **below)
colour_bar(list(axes[:, 3:].flat), 1, "share of the map's own maximum", **below)
plt.show()

# %% [markdown]
# Read the two middle columns first. For one of the two models, covering a part of the *animal* takes the certainty away. For the other, hardly any square matters: whatever it looks at is still there when a piece is covered. The two columns on
# the right stretch each map to its own maximum. Now the weak map looks as bright as the strong one. On the two wolves it lights up only beside the animal; on the husky nearly everywhere, most of all on its face. Stretching turns falls that hardly count (the number below each map says what its brightest place stands for) into a bright picture, on the animal or beside it: read such maps with their scale.
#
# ### Not one picture, sixty
#
# Three pictures are an anecdote. So measure it on all 60: which share of the map's positive mass lies **on the animal**? (This is called *energy*; it works because we know where the animal is.) A number needs company, so we also ask maps that know nothing about
# any model: the *edges* of the picture (a Sobel filter), a blob in the *centre*, *random* noise, and a *constant* map, which gets the animal's share of the area.

# %%
from tqdm.auto import tqdm

maps, falls = {}, {}
for name, offer in tqdm(offers.items(), desc="covering 60 pictures", leave=False):
    falls[name] = cover_and_watch(offer.predict, images, targets)
    maps[f"model {name}"] = spread(falls[name], 128)
pictures = lab.inputs.cpu()
know_nothing = {
    "edges (Sobel)": judge.baselines.sobel(pictures),
    "centre": judge.baselines.center(pictures),
    "random": judge.baselines.random(pictures),
    "constant": judge.baselines.constant(pictures),
}
on_animal = {name: judge.energy_in_mask(heat, lab.masks) for name, heat in (maps | know_nothing).items()}
plots.score_plot(
    on_animal,
    baselines=list(know_nothing),
    xlabel="share of the map's mass that lies on the animal",
    title="60 pictures (bars: 95 % bootstrap interval)",
)
plt.show()
for name, f in falls.items():
    total, largest = f.clip(0).sum(axis=(1, 2)).mean(), f.max(axis=(1, 2)).mean()
    print(
        f"model {name}, mean of the pictures: the falls of {f[0].size} squares, each covered alone, add up to {total:.2f}; the largest is {largest:.3f}"
    )

# %% [markdown]
# One dot for each map: the mean over the pictures; the line is its interval (drawn again and again from the 60 pictures, the mean varies that much: a *bootstrap*). One model relies on the animal far more than chance, the other less than a constant map would.
# So **if the farm is to get a model that looks at animals, the explanation has an opinion**, although the accuracy had none.
#
# Mind that the energy is a *share*: it divides by the map's whole mass, however little that is. The printed lines say how much there was to share out. For one model each square takes hardly anything away, so the place of its mass is the place of very small falls.
#
# ### Exercise: which one do you ship?
#
# Now you have maps and numbers. Write a name again, the same as in section 1 or the other one. The check stands at the end of section 3, after a month on another farm.

# %% exercise="ship"
model_to_ship = None  # "A" or "B"
# BEGIN SOLUTION
model_to_ship = max(offers, key=lambda name: float(on_animal[f"model {name}"].mean()))
# END SOLUTION

# %% [markdown]
# ## 3 · Out in the world
#
# A month later the camera stands on another farm. There it has snowed on the huskies, and the wolves come over grass. The *same* animals, drawn at the same places: only the ground is another one.

# %%
abroad = lab.counterfactuals
abroad_probabilities = {name: offer.predict(abroad) for name, offer in offers.items()}
in_the_world = {name: p.argmax(axis=1) == targets for name, p in abroad_probabilities.items()}

show_eight(abroad, abroad_probabilities)

# %%
wolf = class_names.index("wolf")
figure, ax = plt.subplots(figsize=(8, 2.6))
rows = [(f"model {n}, {place}", right[n]) for n in "AB" for place, right in
        (("test pictures", on_test), ("other farm", in_the_world))]  # fmt: skip
for y, (label, right) in enumerate(reversed(rows)):
    share, low, high = share_and_interval(right)
    colour = plots.COLOURS[0 if "A" in label else 1]
    ax.plot([low, high], [y, y], color=colour, linewidth=3, alpha=0.5, solid_capstyle="round")
    ax.plot(share, y, "o", color=colour, markersize=8)
    ax.text(1.06, y, f"{share:.2f}", va="center")
ax.set_yticks(range(len(rows)), [label for label, _ in reversed(rows)])
ax.set(xlim=(-0.03, 1.03), xlabel="share of right answers (bars: 95 % interval)")
ax.set_title("The same two models, the same animals, another ground", loc="left")
plt.show()
for name, right in in_the_world.items():
    missed = int((~right & (targets == wolf)).sum())
    false = int((~right & (targets != wolf)).sum())
    print(
        f"model {name} on the other farm: {missed} of {(targets == wolf).sum()} wolves missed, "
        f"{false} of {(targets != wolf).sum()} huskies ring the alarm"
    )

# %%
exercises.ship.check(model_to_ship, in_the_world)

# %% [markdown]
# One of the models is a **ground detector**. In its training pictures every wolf stood on snow and no husky did, so the ground was all it had to learn. (What it is about the ground, the experiment does not say: snow and grass were exchanged, and with them brightness, colour and texture.) No test picture from the same source can show that, however many you take: an explanation can, *before* a sheep is lost. We call the other one the *honest* model. It was trained on pictures in which a coin had put snow or another ground under each animal, husky or wolf, so that the ground told nothing.
#
# This is no invention. A horse called Hans became famous around 1900 because he could calculate; a psychologist found that he read the faces of the people who asked (Pfungst, 1907). Since then a *Clever Hans* is somebody who is right for the wrong reason. Networks
# that looked for pneumonia on X-ray pictures turned out to recognise the hospital (Zech and others, 2018); one that looked for horses read a copyright line (Lapuschkin and others, 2019). Huskies and wolves are the example with which LIME was introduced (Ribeiro and others, 2016); you will meet this pair again in lesson 06.
#
# **A caution.** The explanation did not *prove* anything. It gave you a suspicion, and the suspicion an experiment: exchange the ground. The experiment was the proof.

# %% [markdown]
# ## 4 · Convincing is not the same as correct
#
# Here are three maps for two pictures. One belongs to model A, one to model B. The third was made by somebody who never saw a model. Which one would you show to the farmer?

# %%
honest = max(in_the_world, key=lambda name: in_the_world[name].mean())
other = next(name for name in offers if name != honest)
candidates = [
    know_nothing["edges (Sobel)"],
    maps[f"model {honest}"],
    maps[f"model {other}"],
]
pair = [eight[1], eight[6]]
plots.show_maps(
    list(images[pair]), {f"map {k}": heat[pair] for k, heat in enumerate(candidates, 1)}, width=8.5
)
plt.show()

# %% [markdown]
# The first map looks like understanding. But it is an edge filter, the same for A, for B and for a model that was never trained: it **cannot** explain any of them. That it pleases us only says what *we* find plausible. The second belongs to the honest model, the third to the ground detector: its bright places are tiny falls of the probability, stretched to full brightness. *Plausibility* and *faithfulness* (does it describe what
# the model does?) are different things, and no look at the picture tells them apart. A test can. Cover the tenth of the picture that a map calls most important, and watch the honest model. **Predict**, before you run it:

# %%
quiz(
    "Which tenth, once it is covered, takes most of the honest model's certainty away?",
    [
        "The strongest edges: eyes, ears and outline",
        "The strongest places of its own map, coarse as it is",
        "Both alike: they lie on the animal",
    ],
    correct=1,
    explanations=[
        "They look like the animal to us. The figure below shows how little of the certainty goes with them.",
        "The figure below shows by how much, and how a patch in the centre compares, which knows nothing.",
        "Most of both lies on the animal, but the figure below shows that this is not enough.",
    ],
)

# %%


def cover_strongest(images, heat, share=0.1, grey=128):
    """Pictures (N, H, W, 3) with the strongest `share` of each map's pixels covered."""
    n_covered = int(share * heat[0].numel())
    order = heat.flatten(1).argsort(dim=1, descending=True, stable=True)[:, :n_covered]
    mask = torch.zeros(len(heat), heat[0].numel(), dtype=torch.bool).scatter(1, order, True)
    covered = images.copy()
    covered[mask.reshape(heat.shape).numpy()] = grey
    return covered


everyone = np.arange(len(images))
before = probabilities[honest][everyone, targets]
fall = {}
for label, heat in {f"cover and watch, model {honest}": maps[f"model {honest}"], **know_nothing}.items():
    if label != "constant":  # it has no strongest pixels
        after = offers[honest].predict(cover_strongest(images, heat))[everyone, targets]
        fall[label] = before - after
plots.score_plot(
    fall,
    baselines=list(know_nothing),
    xlabel=f"fall of the probability that model {honest} gives to the right class",
    title="Cover the strongest tenth of each map",
    xlim=None,
)
plt.show()

# %% [markdown]
# The coarse map finds what the model needs. The pretty one does worse, and it would be the same picture for *any* model. Three cautions: the first map was made by covering and is tested by covering, which favours it; covered pictures look unlike anything the model was trained on; and the strongest tenth of the edges and of the noise is scattered pixels, where the other maps cover a closed patch. So the patch in the *centre* is the fair rival. Lesson 12 is about such tests.

# %% [markdown]
# ## 5 · Before modelling: could the data have told us?
#
# Explaining does not begin with the model. Look at the pictures from the source that the training pictures came from, without any network. First the *mean picture* of each class; then one single number, the brightness of the picture's border. (Why the border? Because section 3 has told you that the ground matters. That is hindsight: without it you would have had to try many numbers, and one of many looks good by chance.)

# %%
frame = np.ones(images.shape[1:3], bool)
frame[8:-8, 8:-8] = False
brightness = images[:, frame].mean(axis=(1, 2))  # of the outer eight pixels, 0 to 255

figure, axes = plt.subplots(1, 3, figsize=(10, 3.0), width_ratios=(1, 1, 1.9))
for c, ax in enumerate(axes[:2]):
    ax.imshow(images[targets == c].mean(axis=0).astype(np.uint8))
    ax.set_title(f"mean of {(targets == c).sum()} pictures: {class_names[c]}", fontsize=10)
    plots.bare(ax)
bins = np.linspace(30, 255, 24)
for c in (0, 1):
    axes[2].hist(brightness[targets == c], bins, alpha=0.65, label=class_names[c], color=plots.COLOURS[c])
axes[2].set(xlabel="brightness of the border", ylabel="pictures")
axes[2].set_title("One number nearly separates the classes", loc="left")
axes[2].legend()
plt.show()

# %%
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

ten_parts = KFold(10, shuffle=True, random_state=0)
one_question = DecisionTreeClassifier(max_depth=1)
guesses = cross_val_predict(one_question, brightness[:, None], targets, cv=ten_parts)
share, low, high = share_and_interval(guesses == targets)
threshold = one_question.fit(brightness[:, None], targets).tree_.threshold[0]
print(
    f'"brighter than {threshold:.0f}: wolf" is right for {share:.2f} of the pictures (95 %: {low:.2f} to {high:.2f})'
)

# %% [markdown]
# A rule with one number, tested on pictures that it was not fitted to (*ten-fold cross-validation*: each tenth of the pictures is answered by a rule that was fitted to the others), does nearly as well as the networks. It has never seen an animal. **If a stupid rule does well, ask what the clever model has learnt.**
#
# ### Prototypes and criticisms
#
# You cannot look at all pictures of a large collection. Which few should you look at? *Prototypes* are examples that together resemble the whole; *criticisms* are examples that the prototypes describe badly (Kim and others, 2016).
# Take each class by itself. Let $t_i$ be picture $i$ reduced to 16 × 16 pixels with values from 0 to 1, and let $q$ be the median of the squared distances $\lVert t_i - t_j \rVert^2$ between two different pictures of the class. The *similarity* of two pictures is
#
# $$k(i,j) = \exp\big(-\lVert t_i - t_j \rVert^2 / q\big),$$
#
# 1 for equal ones and close to 0 for very different ones. Choose prototypes $S$, one after the other, so that this distance between all $n$ pictures of the class and the $m$ chosen ones gets small (the *maximum mean discrepancy*, MMD):
#
# $$\text{MMD}^2(S) = \frac{1}{n^2}\sum_{i,j} k(i,j) \;-\; \frac{2}{n\,m}\sum_{i}\sum_{s \in S} k(i,s) \;+\; \frac{1}{m^2}\sum_{s,t \in S} k(s,t).$$
#
# A criticism is a picture of the class where the mean similarity to all its pictures and the mean similarity to the prototypes differ most. So it need not look strange. If it resembles the class more than the prototypes, many pictures like it have no prototype. (The paper also asks the criticisms to differ from each other; we leave that out.)

# %%
thumbnails = images.reshape(len(images), 16, 8, 16, 8, 3).mean(axis=(2, 4)).reshape(len(images), -1) / 255
squared = ((thumbnails[:, None] - thumbnails[None]) ** 2).sum(axis=2)


def similarities(squared):
    """The similarity of each two pictures, from their squared distances: (n, n)."""
    return np.exp(-squared / np.median(squared[np.triu_indices(len(squared), 1)]))


def prototypes(k, n_chosen):
    """Choose rows of the similarity matrix k greedily, so that MMD² falls most each time."""
    chosen = []
    for _ in range(n_chosen):
        left = [i for i in range(len(k)) if i not in chosen]
        chosen.append(
            min(
                left,
                key=lambda i: k[np.ix_([*chosen, i], [*chosen, i])].mean() - 2 * k[:, [*chosen, i]].mean(),
            )
        )
    return chosen


def criticisms(k, chosen, n_chosen):
    """The rows that the chosen ones describe worst."""
    difference = np.abs(k.mean(axis=1) - k[:, chosen].mean(axis=1))
    difference[chosen] = 0
    return list(np.argsort(-difference)[:n_chosen])


figure, axes = plots.grid(2, 6, width=9, ratio=1.25)
for row, c in enumerate((0, 1)):
    members = np.flatnonzero(targets == c)
    k = similarities(squared[np.ix_(members, members)])
    typical = prototypes(k, 3)
    rest = np.setdiff1d(range(len(k)), typical)
    closer = k[rest][:, typical].mean(axis=1) > k[rest].mean(axis=1)
    print(
        f"{class_names[c]}: {closer.sum()} of {len(rest)} others resemble the prototypes more than the class"
    )
    for ax, i in zip(axes[row], [*typical, *criticisms(k, typical, 3)], strict=True):
        ax.imshow(images[members[i]])
        ax.set_xlabel(f"its class {k[i].mean():.2f}\nprototypes {k[i, typical].mean():.2f}", fontsize=10)
    axes[row, 0].set_ylabel(class_names[c], fontsize=11)
for column in range(6):
    axes[0, column].set_title("prototype" if column < 3 else "criticism")
plt.show()

# %% [markdown]
# One row a class: three prototypes, three criticisms; below each, its mean similarity to its class and to the three prototypes. For the wolves it says little that all three criticisms resemble the prototypes more: so do nearly all others (printed above the pictures). The first prototype is the most central picture by construction, close to nearly everybody. Only the *size* of the difference makes them criticisms. Among the huskies both signs occur: the one on dark grass resembles its class more, so pictures like it lack a prototype. Look at the ground in each row: twelve pictures would have been enough to get suspicious. Whether you *do* is another matter: a list of typical pictures only helps somebody who asks "what else do they have in common?"

# %% [markdown]
# ## 6 · The map of the field
#
# You have now seen two of the three places where explaining can start: before modelling, and after training. This is the map that the course returns to; filled fields belong to this lesson.
#
# - **Before, in, after.** Look at the data; use a model that is readable by itself (*ante hoc*, a *glass box*); or explain a trained model as it is (*post hoc*).
# - **Local or global.** Why this answer? Or: what has the model learnt as a whole?
# - **Access.** May the method only ask (*black box*), also follow slopes (*gradients*), or read weights and activations (*white box*)?
# - **Kind of input.** Pictures, text, tables: written below each name.
#
# Before you look at it, a question:

# %%
quiz(
    "“Cover it, and watch” was one of these. Where does it stand?",
    ["ante hoc, global", "post hoc, local, black box", "post hoc, global, white box"],
    correct=1,
    explanations=[
        "The model was trained already, and we asked about one picture at a time.",
        "We explained a trained model, one picture at a time, and only needed its answers.",
        "We never looked at a weight, and each map speaks about one picture only.",
    ],
)

# %%
with plt.rc_context({"figure.dpi": 100}):  # it has much small print
    show_field_map(highlight=1, width=9.5)
    plt.show()

# %% [markdown]
# From left to right: before, in and after the model; on the right, a row for the access and a column each for local and global. “Stand-in” is a small readable model that imitates a trained one (section 15). The attack of section 16 is not on the map: it explains nothing by itself.
#
# You have not seen the middle column yet: models that need no explanation, because you can read them. The next sections go through it, with real tables.

# %% [markdown]
# ## 7 · Glass box 1: linear regression
#
# A real table: 442 people with diabetes, ten measurements each, and the outcome $y$, a score of how far the disease went on within a year (25 to 346; Efron and others, 2004). The model is a weighted sum: $\hat y = b_0 + b_1 x_1 + \dots + b_d x_d$.
# Write all rows as a matrix $X$ with a column of ones in front, $n$ rows and $p = d + 1$ columns. The *least squares* coefficients, the noise that is left, and the *standard error* of each coefficient are
#
# $$b = (X^\top X)^{-1} X^\top y, \qquad s^2 = \frac{1}{n - p} \sum_i (y_i - \hat y_i)^2, \qquad \text{SE}_j = s \sqrt{\big[(X^\top X)^{-1}\big]_{jj}} .$$
#
# The standard error says how much $b_j$ would vary if other people had been measured. Roughly, $b_j \pm 2\,\text{SE}_j$ is a 95 % interval. The division is by $n - p$, not by $n$: the line was fitted to these very points, so they lie closer to it than new ones would.

# %%
from sklearn.datasets import load_diabetes

diabetes = load_diabetes(scaled=False)
NAMES = ["age", "sex", "body mass index", "blood pressure", "total cholesterol",
         "LDL cholesterol", "HDL cholesterol", "total / HDL", "log triglycerides", "glucose"]  # fmt: skip
table, outcome = diabetes.data, diabetes.target


def least_squares(table, outcome):
    """Coefficients and their standard errors, the intercept first: (p,), (p,)."""
    X = np.column_stack([np.ones(len(table)), table])
    inverse = np.linalg.inv(X.T @ X)
    b = inverse @ X.T @ outcome
    residuals = outcome - X @ b
    s2 = residuals @ residuals / (len(X) - X.shape[1])
    return b, np.sqrt(s2 * np.diag(inverse))


standardised = (table - table.mean(axis=0)) / table.std(axis=0)
raw_fit, standard_fit = least_squares(table, outcome), least_squares(standardised, outcome)

figure, axes = plt.subplots(1, 2, figsize=(10, 3.7), sharey=True)
for ax, (b, se), what in zip(
    axes, (raw_fit, standard_fit), ("one unit of its own", "one standard deviation"), strict=True
):
    ax.errorbar(b[1:], range(len(NAMES)), xerr=2 * se[1:], fmt="o", color=plots.ACCENT, capsize=3)
    ax.axvline(0, color=plots.BASELINE, linewidth=1)
    ax.set(xlabel=f"change of the score for {what}")
axes[0].set_yticks(range(len(NAMES)), NAMES)
axes[0].invert_yaxis()
axes[0].set_title("Raw: not comparable", loc="left")
axes[1].set_title("Standardised: comparable", loc="left")
plt.show()

# %% [markdown]
# Each dot is a coefficient, each line two standard errors to both sides. On the left, sex seems to weigh about four times as much as the body mass index, but only because its one unit is the whole way from 1 to 2. After *standardisation* (subtract the mean, divide by the standard deviation) all coefficients answer the same question: what does one typical step do? Now it is the other way round. (Log triglycerides stay large on both sides.) The predictions of the two models are the same.
#
# ### Card: a coefficient that changes its sign
#
# Total cholesterol and LDL cholesterol move together (*collinearity*). Leave LDL out and look at what happens to the others:

# %%
LDL = NAMES.index("LDL cholesterol")
keep = [j for j in range(len(NAMES)) if j != LDL]
without_fit = least_squares(standardised[:, keep], outcome)
print("correlation of total and LDL cholesterol:", round(np.corrcoef(table[:, 4], table[:, 5])[0, 1], 2))
print("standardised coefficient ± standard error          with LDL     without LDL")
for j in (4, 5, 6, 8):
    line = f"{NAMES[j]:<45}{standard_fit[0][j + 1]:+7.1f} ± {standard_fit[1][j + 1]:4.1f}"
    if j in keep:
        k = keep.index(j) + 1
        line += f"   {without_fit[0][k]:+7.1f} ± {without_fit[1][k]:4.1f}"
    print(line)
with_, without = (
    np.column_stack([np.ones(len(t)), t]) @ b
    for t, (b, _) in ((standardised, standard_fit), (standardised[:, keep], without_fit))
)
print(f"correlation of the two models' predictions: {np.corrcoef(with_, without)[0, 1]:.3f}")

# %% [markdown]
# The predictions hardly change, but the story does: HDL, the "good" cholesterol, seems to make things worse in one model and better in the other, and the coefficient of total cholesterol shrinks to a third. The standard errors had warned you: with LDL in, that of total cholesterol is more than three times as large, and neither value for HDL is far from zero. So **even a glass box can tell two stories
# about one set of predictions.** A coefficient speaks about its column *with all others held fixed*, and you cannot hold LDL fixed while total cholesterol rises.

# %% [markdown]
# ## 8 · Glass box 2: logistic regression and odds
#
# Another real table: 569 breast tumours, cell nuclei measured under a microscope; was the tumour malignant? (Street and others, 1993.) Of each of ten measurements the table has the *mean* over the nuclei, its standard *error*, and *worst*, the mean of the three largest. We take three of its thirty columns, chosen beforehand by meaning: the *size* of the largest nuclei, the *notches* in their outline, their *texture*.
#
# A probability cannot be a weighted sum, for it would leave 0…1. Its *odds* $\frac{p}{1-p}$ can be anything positive (odds of 4 mean "four to one"), and their logarithm can be anything. So
#
# $$\ln\frac{p}{1-p} = b_0 + b_1 x_1 + \dots + b_d x_d \qquad\Longleftrightarrow\qquad \frac{p}{1-p} = e^{b_0} \cdot e^{b_1 x_1} \cdots e^{b_d x_d}.$$
#
# Each column *multiplies* the odds: $e^{b_j}$ is its **odds ratio** for one step. (The columns are standardised, so a step is one standard deviation.)
#
# The standard errors come as in section 7, with each row weighted by $p(1-p)$: the rows about which the model is in doubt tell most. $b_j \pm 2\,\text{SE}_j$ is an interval for the logarithm of the odds ratio, so $e$ to the power of its two ends is one for the odds ratio.

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

tumours = load_lab("tabular", table="breast_cancer", model="linear")
all_columns, malignant = (
    tumours.table,
    (tumours.targets == tumours.class_names.index("malignant")).astype(int),
)
THREE = {"size": "worst radius", "notches": "worst concave points", "texture": "worst texture"}
columns = [tumours.feature_names.index(name) for name in THREE.values()]
train, test = train_test_split(np.arange(len(malignant)), test_size=0.3, random_state=0, stratify=malignant)
centre, step = all_columns[train][:, columns].mean(axis=0), all_columns[train][:, columns].std(axis=0)
three = (all_columns[:, columns] - centre) / step

# C = infinity: no penalty, only the equation above
logistic = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(
    three[train], malignant[train]
)
b0, b = logistic.intercept_[0], logistic.coef_[0]
correct = logistic.predict(three[test]) == malignant[test]
share, low, high = share_and_interval(correct)
print(f"right for {share:.2f} of {len(test)} unseen tumours (95 %: {low:.2f} to {high:.2f})")
ones_and_three = np.column_stack([np.ones(len(train)), three[train]])
p_train = logistic.predict_proba(three[train])[:, 1]
weighted = ones_and_three.T * (p_train * (1 - p_train))
se_b = np.sqrt(np.diag(np.linalg.inv(weighted @ ones_and_three)))[1:]
print("odds ratios for one standard deviation (two standard errors to both sides):")
for name, w, se in zip(THREE, b, se_b, strict=True):
    print(f"  {name:<8} {np.exp(w):6.1f} ({np.exp(w - 2 * se):.1f} to {np.exp(w + 2 * se):.1f})")

chances = logistic.predict_proba(three)[:, 1]
doubtful = int(test[np.abs(chances[test] - 0.5).argmin()])
odds = np.exp(b0)
print("\nThe unseen tumour whose probability is nearest to 0.5.")
print(f"  Start with the odds of an average one:          {odds:8.2f}")
for name, weight, value in zip(THREE, b, three[doubtful], strict=True):
    odds *= np.exp(weight * value)
    print(f"  {name:<8} {value:+.2f} steps: times {np.exp(weight * value):6.2f}, odds now {odds:13.2f}")
print(
    f"odds {odds:.2f} are a probability of {odds / (1 + odds):.2f}; the library says {chances[doubtful]:.2f}"
)

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2))
score = three @ b + b0
line = np.linspace(-12, 12, 200)
axes[0].plot(line, 1 / (1 + np.exp(-line)), color=plots.BASELINE)
for c, name in enumerate(("benign", "malignant")):
    of_class = test[malignant[test] == c]
    axes[0].plot(
        score[of_class].clip(-12, 12),
        chances[of_class],
        "os"[c],
        color=plots.COLOURS[c],
        alpha=0.5,
        label=name,
    )
axes[0].set(xlabel="log-odds (cut off at ±12)", ylabel="probability of malignant")
axes[0].set_title("The unseen tumours on the curve", loc="left")
axes[0].legend()
p = np.linspace(0.01, 0.99, 99)
for ratio, style in ((2, "-"), (4, "--"), (10, ":")):
    p_after = ratio * p / (1 - p) / (1 + ratio * p / (1 - p))
    axes[1].plot(p, p_after / p, style, label=f"odds ratio {ratio}")
axes[1].set(
    xlabel="probability before", ylabel="probability after / before", yscale="log", yticks=[1, 2, 4, 10]
)
axes[1].set_yticklabels(["1", "2", "4", "10"])
axes[1].minorticks_off()
axes[1].set_title("“Ten times the odds” is seldom “ten times as likely”", loc="left")
axes[1].legend()
plt.show()

# %% [markdown]
# The odds ratios are large, and anything but sharp: for size, the upper end of the interval is some forty times the lower. The tumour below them was chosen because it is doubtful; for most tumours the odds end far from 1. In the figure, and in all that show tumours by class, **blue is benign and orange malignant**; a bar has the colour of the class that it speaks for.
#
# On the left, each unseen tumour on the curve from log-odds to probability. On the right, how much *more likely* an odds ratio makes something: nearly the ratio itself when it was rare, hardly anything when it was likely already. Reading odds as probabilities is one of the most common errors with this model; it got into the newspapers in 1999, and you will repair it in section 19.

# %% [markdown]
# ## 9 · What is an explanation, and for whom?
#
# Tim Miller went through more than 250 papers from philosophy and psychology to find out what people mean by an explanation (2019). Three findings matter for us: explanations are **contrastive**, **selective** and **social**. With a model that we can read, all three become things to compute.
#
# ### Contrastive: why this *rather than that*?
#
# A table of 178 wines from three growers, and a logistic regression with a score $z_c = b_{c0} + \sum_j b_{cj} x_j$ for each grower $c$. Why grower 2 *rather than 1*? The difference of two scores is a sum over the columns again: $z_c - z_{c'} = (b_{c0} - b_{c'0}) + \sum_j (b_{cj} - b_{c'j})\, x_j$. The *softmax* turns scores into probabilities, $p_c = e^{z_c} / \sum_{k} e^{z_k}$, the sum over all growers $k$; so that difference is the logarithm of $p_c / p_{c'}$, the odds of one grower against the other. We take a typical bottle of grower 2: of the unseen ones, the nearest to the mean of his bottles that the model was fitted to. The same bottle, two contrasts:

# %%
wines = load_lab("tabular", table="wine", model="linear")
scaler, multi = wines.model[0], wines.model[-1]
bottles, of_grower = scaler.transform(wines.table), wines.targets == 1
from_mean = np.linalg.norm(bottles - bottles[of_grower & ~wines.unseen].mean(axis=0), axis=1)
bottle = int(np.where(of_grower & wines.unseen, from_mean, np.inf).argmin())
values = bottles[bottle]
FOR, AGAINST = plots.COLOURS[2:4]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
said = int(wines.predict(wines.table[bottle : bottle + 1])[0].argmax())
for ax, rival in zip(axes, [c for c in range(3) if c != said], strict=True):
    parts = (multi.coef_[said] - multi.coef_[rival]) * values
    start = multi.intercept_[said] - multi.intercept_[rival]
    largest = np.argsort(-np.abs(parts))[:5]
    others = parts.sum() - parts[largest].sum()
    names = [wines.feature_names[j].replace("_", " ") for j in largest]
    names += [f"the other {len(parts) - 5}", "start (intercept)"]
    bars = np.array([*parts[largest], others, start])
    ax.barh(names[::-1], bars[::-1], color=[FOR if v > 0 else AGAINST for v in bars[::-1]])
    ax.axvline(0, color=plots.INK, linewidth=0.8)
    ax.set(xlabel=f"part of the difference of the scores; their sum is {bars.sum():+.1f}")
    ax.set_title(f"Why grower {said + 1} rather than {rival + 1}?", loc="left")
plt.show()

# %% [markdown]
# The same wine, the same model, two questions: each panel shows the five columns that say most, the sum of the others, and the difference of the intercepts. (Green speaks for the answer, pink would speak against it; here nothing does.) Four of the five columns are the same, but *proline* speaks loudest against grower 1 and *color intensity* against grower 3; there, more than a fifth of the difference is the start, which no property of this wine explains. Whoever asks "why?" nearly always has a "rather than" in mind. Ask for it.
#
# ### Selective: two or three causes, not thirty
#
# The logistic regression on *all thirty* columns of the tumours gives each of them a part in the answer. Sort the parts by size (without their sign): how many make up half of the sum?

# %%
parts = tumours.model[0].transform(all_columns[tumours.unseen]) * tumours.model[-1].coef_[0]


def share_told(parts):
    """Share of the sum of all parts (absolute values) that the 1, 2, … largest make up: (N, n)."""
    sizes = -np.sort(-np.abs(parts), axis=1)
    return sizes.cumsum(axis=1) / sizes.sum(axis=1, keepdims=True)


def how_many(parts):
    """How many parts it takes for a half and for nine tenths, on average."""
    average = share_told(parts).mean(axis=0)
    return ", ".join(f"{(average < part).sum() + 1} parts for {part}" for part in (0.5, 0.9))


covered_share = share_told(parts)
figure, ax = plt.subplots(figsize=(6.5, 2.8))
counts = np.arange(1, parts.shape[1] + 1)
ax.fill_between(
    counts, *np.quantile(covered_share, [0.05, 0.95], axis=0), alpha=0.25, label="90 % of the tumours"
)
ax.plot(counts, covered_share.mean(axis=0), "o-", markersize=3.5, label="mean")
ax.set(xlabel="number of parts that you tell", ylabel="share of all parts", ylim=(0, 1.02))
ax.set_title(f"{len(parts)} unseen tumours, 30 parts each", loc="left")
ax.legend(loc="lower right")
plt.show()
print(f"three parts of thirty: {covered_share[:, 2].mean():.2f} of the sum of all parts (absolute values)")
print(how_many(parts))

same_thing = [tumours.feature_names.index(name) for name in ("mean radius", "mean perimeter", "mean area")]
fitted_to, not_seen = (
    tumours.model[0].transform(all_columns[which]) for which in (~tumours.unseen, tumours.unseen)
)
print(
    f"\nradius, perimeter, area: correlations from {np.corrcoef(fitted_to[:, same_thing].T).min():.2f} upwards"
)
for C in (1, 10_000):
    model = LogisticRegression(C=C, solver="newton-cholesky").fit(fitted_to, malignant[~tumours.unseen])
    weights = ", ".join(f"{w:+.2f}" for w in model.coef_[0, same_thing])
    print(f"  C = {C:<6} coefficients {weights}; {how_many(not_seen * model.coef_[0])}")

# %% [markdown]
# The line rises slowly: three reasons are far from the whole story, and it takes more than half of the parts to tell nine tenths of it. How the model was fitted is only a small part of the cause. scikit-learn keeps the coefficients small by a *penalty* unless it is told not to; $C$ says how weak the penalty is, 1 here, infinity in section 8. Under a penalty columns that move together *share* the weight, as radius, perimeter and area do in the printed line for $C = 1$. With hardly any penalty they get large coefficients of opposite signs, like total and LDL cholesterol in section 7, and the parts that it takes become a few less, not few. A short explanation of this model leaves most of it out. People want two or three causes anyway, so **every short explanation is a choice, and somebody makes it**: say what was left out.
#
# ### Social: it depends on who asks
#
# | who asks | wants to know | good forms |
# |---|---|---|
# | **developer** | where does it go wrong, what did it learn? | maps, all contributions, errors by group |
# | **regulator, court** | is it lawful, is it tested, who is affected how? | global rules, error rates with intervals, documents |
# | **user** (doctor, loan officer) | may I rely on it in *this* case? | two or three reasons, similar cases, doubt |
# | **person affected** | why me, what could I change, whom do I ask? | contrast, the smallest change that would alter the answer |
#
# In **finance**, US lenders must name the main reasons for a refusal (Equal Credit Opportunity Act). In the **EU**, the AI Act of 2024 gives people a right to an explanation of decisions that a high-risk system took part in (article 86). In **medicine**, a doctor has to answer for what she follows. In **law**, it is the defence that has
# to be able to contest a score. In **science**, the explanation may be the result itself.
#
# One unseen tumour, one model (the one with three columns), four answers. (The regulator asks about the model, not about this tumour, and gets error rates over all unseen ones.)

# %%
import textwrap

WORDS = {"size": "the largest cell nuclei are {} than average", "notches": "the outlines of the cell nuclei have {} notches than average",
         "texture": "the texture of the cell nuclei is {} varied than average"}  # fmt: skip


def reasons(case):
    """The parts of the log-odds of one tumour, largest first: [(name, part, value in steps)]."""
    parts = [(n, w * v, v) for n, w, v in zip(THREE, b, three[case], strict=True)]
    return sorted(parts, key=lambda part: -abs(part[1]))


def in_words(name, value):
    more, less = (
        ("larger", "smaller") if name == "size" else ("more", "fewer" if name == "notches" else "less")
    )
    return WORDS[name].format(more if value > 0 else less)


def tell(case, audience):
    """Explain one answer of the three-column model to somebody."""
    p, answer = chances[case], "malignant" if chances[case] > 0.5 else "benign"
    supporting = [r for r in reasons(case) if (r[1] > 0) == (answer == "malignant")]
    if audience == "developer":
        sums = " ".join(f"{part:+.2f} ({name})" for name, part, _ in reasons(case))
        return f"log-odds {score[case]:+.2f} = {b0:+.2f} (intercept) {sums}; p = {p:.2f}; truth: {'malignant' if malignant[case] else 'benign'}"
    if audience == "regulator":
        missed, low, high = share_and_interval(~correct[malignant[test] == 1])
        alarm, low_, high_ = share_and_interval(~correct[malignant[test] == 0])
        return (
            f"logistic regression on three measurements of cell nuclei, neither age nor origin; on {len(test)} unseen tumours it missed "
            f"{missed:.0%} of the malignant ones ({low:.0%} to {high:.0%}) and raised {alarm:.0%} false alarms ({low_:.0%} to {high_:.0%})"
        )
    if audience == "doctor":
        listed = "; ".join(in_words(name, value) for name, _, value in supporting[:2]) or "nothing stands out"
        doubt = "Close to the border: look again." if 0.2 < p < 0.8 else "Not close to the border."
        return f"{answer} (probability of malignant {p:.0%}), mainly because {listed}. {doubt}"
    name, _, value = supporting[0] if supporting else reasons(case)[0]
    j = list(THREE).index(name)
    needed = centre[j] + step[j] * (value - score[case] / b[j])  # there the log-odds are zero, all else equal
    text = f"The program says {answer}, above all because {in_words(name, value)}. "
    if all_columns[:, columns[j]].min() <= needed <= all_columns[:, columns[j]].max():
        text += f"With a value of {needed:.3g} instead of {centre[j] + step[j] * value:.3g} for {name} ({THREE[name]}), it would have said the opposite. "
    else:
        text += "No likely value of this measurement alone would have changed that. "
    return text + "A doctor decides, not the program."


def draw_parts(ax, case):
    """The three parts of the log-odds of a tumour, and the intercept from which every tumour starts."""
    parts = [*(w * v for w, v in zip(b, three[case], strict=True)), b0]
    colours = [plots.COLOURS[1] if part > 0 else plots.COLOURS[0] for part in parts]
    ax.barh([*THREE, "start (intercept)"], parts, color=colours)
    ax.axvline(0, color=plots.INK, linewidth=0.8)


example = int(test[np.abs(chances[test] - 0.9).argmin()])
figure, axes = plt.subplots(1, 2, figsize=(10, 2.4))
draw_parts(axes[0], example)
axes[0].set(xlabel=f"part of the log-odds; their sum is {score[example]:+.2f}, p = {chances[example]:.2f}")
axes[0].set_title("for the developer: all parts", loc="left")
for y in (0, 1):  # of the benign ones, of the malignant ones
    share, low, high = share_and_interval(~correct[malignant[test] == y])
    axes[1].plot([low, high], [y, y], color=plots.ACCENT, linewidth=3, alpha=0.5, solid_capstyle="round")
    axes[1].plot(share, y, "o", color=plots.ACCENT, markersize=8)
    axes[1].text(high + 0.005, y, f"{share:.2f}", va="center")
axes[1].set_yticks([0, 1], ["false alarms", "malignant, missed"])
axes[1].set(xlim=(0, 0.25), ylim=(-0.6, 1.6), xlabel="share of the unseen tumours of that class (95 %)")
axes[1].set_title("for the regulator: errors", loc="left")
plt.show()
for audience in ("doctor", "patient"):
    print(textwrap.fill(f"{audience:<8} {tell(example, audience)}", 100, subsequent_indent=" " * 9), "\n")

# %% [markdown]
# None of these is *the* explanation. The patient's answer names a change that nobody can make: for a loan ("with 200 a month less debt") such a *counterfactual* is useful, here it only tells how close the case was (or that it was not). Good explaining starts with the question who asks, and what for.

# %% [markdown]
# ## 10 · Glass box 3: a decision tree
#
# A tree asks questions with yes and no. Which question first? The one that tells you most. The uncertainty about the class before asking is the *entropy* $H$ (Shannon, 1948), in bits; $q_c$ is the share of class $c$:
#
# $$H = -\sum_c q_c \log_2 q_c, \qquad \text{gain} = H_\text{before} - \Big(\frac{n_\text{yes}}{n} H_\text{yes} + \frac{n_\text{no}}{n} H_\text{no}\Big).$$
#
# The **information gain** is the uncertainty that a question takes away. Work it by hand, on sixteen animals from section 1: eight huskies, eight wolves, and the question "is the border brighter than 130?" (a round number, near the threshold that section 5 found)


# %%
def entropy(labels):
    """Entropy of the classes in bits. A class that does not occur adds nothing (0 · log 0 counts as 0)."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log2(shares)).sum())


sixteen = np.concatenate([np.flatnonzero(targets == c)[-8:] for c in (0, 1)])
kind, yes = targets[sixteen], brightness[sixteen] > 130
for label, group in (("all", kind), ("yes", kind[yes]), ("no", kind[~yes])):
    n = np.bincount(group, minlength=2)
    terms = " − ".join(f"{k}/{len(group)} log₂ {k}/{len(group)}" for k in n if k)
    print(
        f"{label:<4} {n[0]} huskies, {n[1]} {'wolf' if n[1] == 1 else 'wolves'}: H = − {terms} = {abs(entropy(group)):.3f} bits"
    )
left_over = yes.mean() * entropy(kind[yes]) + (~yes).mean() * entropy(kind[~yes])
print(
    f"gain = {entropy(kind):.3f} − ({yes.sum()}/16 · {abs(entropy(kind[yes])):.3f} + {(~yes).sum()}/16 · {abs(entropy(kind[~yes])):.3f}) = {entropy(kind) - left_over:.3f} bits"
)

# %% [markdown]
# One bit is one yes-or-no question: with eight of each kind you start with exactly 1. Now the same for every column of the tumours and every threshold between two values. A tree does just that, then again in each branch:


# %%
def best_split(values, labels):
    """The threshold of one column with the largest information gain: (gain, threshold)."""
    distinct = np.unique(values)
    best = (-1.0, 0.0)
    for threshold in (distinct[1:] + distinct[:-1]) / 2:
        side = values <= threshold
        after = side.mean() * entropy(labels[side]) + (~side).mean() * entropy(labels[~side])
        best = max(best, (entropy(labels) - after, float(threshold)))
    return best


gains = {
    name: best_split(all_columns[train][:, j], malignant[train])
    for j, name in enumerate(tumours.feature_names)
}
ranked = sorted(gains, key=lambda name: -gains[name][0])
figure, ax = plt.subplots(figsize=(7, 2.7))
ax.barh(ranked[:8][::-1], [gains[name][0] for name in ranked[:8][::-1]], color=plots.ACCENT)
ax.axvline(entropy(malignant[train]), color=plots.BASELINE, linestyle=":")
ax.text(
    entropy(malignant[train]) - 0.01, 0, "all there is to know", ha="right", va="center", color=plots.BASELINE
)
ax.set(xlabel="information gain of the best threshold, in bits")
ax.set_title("Eight best first questions about a tumour", loc="left")
plt.show()
print(
    f'best question: "{ranked[0]} ≤ {gains[ranked[0]][1]:.4g}?" gains {gains[ranked[0]][0]:.3f} of {entropy(malignant[train]):.3f} bits'
)

# %% [markdown]
# Several questions are nearly as good as the best one. Remember that for section 18. The whole tree of depth 3, drawn; and the **path** of the doubtful tumour from section 8 through it, which is its explanation:

# %%
from matplotlib.colors import to_rgb
from sklearn.tree import export_text, plot_tree

tree = DecisionTreeClassifier(max_depth=3, criterion="entropy", random_state=0).fit(
    all_columns[train], malignant[train]
)
figure, ax = plt.subplots(figsize=(10, 6))
drawn = plot_tree(
    tree, ax=ax, feature_names=list(tumours.feature_names), class_names=["benign", "malignant"], label="none",
    filled=True, rounded=True, impurity=False, precision=4, fontsize=12,
)  # fmt: skip
shares = iter(tree.tree_.value[:, 0, 1] / tree.tree_.value[:, 0].sum(axis=1))  # of malignant ones, box by box
for box in drawn:  # two lines for a question, whole numbers for the counts, some air, and our colours
    box.set_text(box.get_text().replace(" <= ", "\n≤ ").replace(".0,", ",").replace(".0]", "]"))
    if box.get_bbox_patch() is not None:
        share = next(shares)
        sure = 0.7 * abs(2 * share - 1)
        colour = 1 - sure + sure * np.array(to_rgb(plots.COLOURS[int(share > 0.5)]))  # mixed with white
        box.set_bbox({"boxstyle": "round,pad=0.5", "facecolor": colour, "edgecolor": plots.INK})
plt.show()

row = all_columns[doubtful]
print("The doubtful tumour:")
for node in tree.decision_path(row[None]).indices:
    j, threshold = tree.tree_.feature[node], tree.tree_.threshold[node]
    if j >= 0:
        sign = "≤" if row[j] <= threshold else ">"
        print(f"  {tumours.feature_names[j]} = {row[j]:.4g} {sign} {threshold:.4g}")
companions = malignant[train][tree.apply(all_columns[train]) == tree.apply(row[None])[0]]
print(
    f"there: {companions.sum()} of {len(companions)} training tumours malignant, so it is",
    "malignant" if tree.predict(row[None])[0] else "benign",
    "| truth:",
    "malignant" if malignant[doubtful] else "benign",
)

# %% [markdown]
# Each box asks its question; left means yes. Below it: how many training tumours arrive there, how many of them are benign and malignant, and the answer that a tree would give here. The paler the blue (benign) or orange (malignant), the less sure. The tree is fairly sure of what the logistic regression called doubtful, and says the opposite: **two glass boxes, two answers, two explanations.** The first two levels as rules, the oldest form of machine explanation. Where both sides of a question give the same class, they differ in how sure the tree is:

# %%
print(export_text(DecisionTreeClassifier(max_depth=2, criterion="entropy", random_state=0).fit(all_columns[train], malignant[train]),
                  feature_names=list(tumours.feature_names), class_names=["benign", "malignant"], decimals=4))  # fmt: skip

# %% [markdown]
# How deep should it be? **Predict**, before you look at the figure below:

# %%
quiz(
    "Trees of depth 1 to 8, tried on tumours that they were not fitted to: what do the deeper ones gain?",
    [
        "More and more: every further question helps",
        "Something for the first few questions, then hardly anything",
        "Nothing: one question is as good as eight",
    ],
    correct=1,
    explanations=[
        "So it is on the tumours that the tree was fitted to. On others the later questions do not help.",
        "The first few questions carry over to other tumours. The rest is memory.",
        "One question is easy to read, but a second and a third one still help.",
    ],
)

# %%
depths = list(range(1, 9))
on_train, on_unseen = [], []
for depth in depths:
    candidate = DecisionTreeClassifier(max_depth=depth, criterion="entropy", random_state=0)
    on_unseen.append(cross_val_predict(candidate, all_columns, malignant, cv=ten_parts) == malignant)
    on_train.append(candidate.fit(all_columns, malignant).score(all_columns, malignant))
limits = np.array([judge.bootstrap_interval(right) for right in on_unseen])
figure, ax = plt.subplots(figsize=(7, 2.9))
ax.plot(depths, on_train, "s--", color=plots.BASELINE, label="tumours it was fitted to")
ax.plot(depths, [right.mean() for right in on_unseen], "o-", label="unseen tumours (ten-fold)")
ax.fill_between(depths, limits[:, 0], limits[:, 1], alpha=0.2)
ax.set(xlabel="depth of the tree", ylabel="share right", ylim=(0.82, 1.005))
ax.set_title("Beyond a few questions, only the memory gets better", loc="left")
ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# The dashed line rises to 1: a deep tree knows its training tumours by heart. On unseen ones, nothing is gained after the first few questions (the band is the 95 % bootstrap interval).

# %% [markdown]
# ## 11 · Glass box 4: naive Bayes
#
# Ask the other way round: how likely is this *measurement* if the tumour is malignant? Take a bell curve for each column $j$ and class $c$, with mean $\mu_{cj}$ and variance $\sigma^2_{cj}$ ($\mathcal N$ is its height), and pretend that the columns are independent within a class (that is the *naive* part). Bayes' rule then gives a sum of pieces of evidence:
#
# $$\ln P(c \mid x) = \ln q_c + \sum_j \ln \mathcal N(x_j;\, \mu_{cj}, \sigma^2_{cj}) + \text{const}.$$


# %%
def naive_bayes(table, labels, rows, extra_variance=0.0):
    """Probability of class 1 for each of `rows` (B, d), and the evidence of each column for it (B, d)."""
    log_density = []
    for c in (0, 1):
        mean, variance = table[labels == c].mean(axis=0), table[labels == c].var(axis=0) + extra_variance
        log_density.append(-0.5 * np.log(2 * np.pi * variance) - (rows - mean) ** 2 / (2 * variance))
    evidence = log_density[1] - log_density[0]
    log_odds = np.log(labels.mean() / (1 - labels.mean())) + evidence.sum(axis=1)
    return 1 / (1 + np.exp(-np.clip(log_odds, -700, 700))), evidence


by_bayes, evidence = naive_bayes(three[train], malignant[train], three)
figure, axes = plt.subplots(1, 3, figsize=(10, 2.7), sharey=True)
grid_ = np.linspace(-3, 4, 200)
for j, (ax, name) in enumerate(zip(axes, THREE, strict=True)):
    for c, label in enumerate(("benign", "malignant")):
        of_class = three[train][malignant[train] == c, j]
        density = (
            np.exp(-((grid_ - of_class.mean()) ** 2) / (2 * of_class.var()))
            / of_class.std()
            / np.sqrt(2 * np.pi)
        )
        ax.plot(grid_, density, "-" if c else "--", color=plots.COLOURS[c], label=label)
    ax.axvline(three[doubtful, j], color=plots.INK, linewidth=1)
    ax.set(xlabel=f"{name} (steps from the mean)")
    ax.set_title(f"evidence for malignant: {evidence[doubtful, j]:+.2f}", fontsize=10)
axes[0].set_ylabel("density")
axes[0].legend(fontsize=9, loc="upper right")
plt.show()
print(f"doubtful tumour: naive Bayes {by_bayes[doubtful]:.2f}, logistic regression {chances[doubtful]:.2f}")

from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

print("on all tumours (ten-fold):")
for how, model, rows in (
    ("3 columns", GaussianNB(), all_columns[:, columns]),
    ("30, raw", GaussianNB(), all_columns),
    ("30, standardised", make_pipeline(StandardScaler(), GaussianNB()), all_columns),
):
    p_unseen = cross_val_predict(model, rows, malignant, cv=ten_parts, method="predict_proba")
    wrong = p_unseen.argmax(axis=1) != malignant
    certain = (p_unseen.max(axis=1)[wrong] > 0.99).sum()
    print(
        f"  {how:<17} {1 - wrong.mean():.2f} right; of its {wrong.sum()} errors, {certain} were made with more than 99 % certainty"
    )

# %% [markdown]
# Two bell curves a column; the vertical line is the doubtful tumour. The evidence is the logarithm of the ratio of the two heights there. Easy to read, and a warning: on all thirty columns, many of which measure nearly the same, the pieces of evidence count several times. The model is right in most cases, but when it is wrong, it is mostly nearly certain. With the three columns, chosen to measure different things, it makes fewer errors and is seldom so certain of them. (The doubtful tumour gets yet another probability here.) Standardising should change nothing, since a bell curve does not care about units; yet a few answers change. Section 14 finds out why. **A readable number can still be a bad number.**

# %% [markdown]
# ## 12 · Glass box 5: a generalised additive model
#
# Why straight lines? Let each column have a *curve* of its own: $\hat y = b_0 + f_1(x_1) + \dots + f_d(x_d)$ (Hastie and Tibshirani, 1986). You can read it by looking at $d$ curves. We build each curve from *splines* (smooth pieces that join without a kink) with scikit-learn, and keep the curves calm with a penalty (*ridge*), whose strength is chosen by cross-validation. Back to the diabetes table:

# %%
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import SplineTransformer

STRENGTHS = np.logspace(-2, 3, 12)
additive = make_pipeline(StandardScaler(), SplineTransformer(n_knots=6, degree=3), RidgeCV(STRENGTHS)).fit(
    table, outcome
)
basis = additive[:-1].transform(table)
per_column = basis.shape[1] // table.shape[1]
pieces = (basis * additive[-1].coef_).reshape(len(table), table.shape[1], per_column).sum(axis=2)
curves = pieces - pieces.mean(axis=0)  # f_j of each person, (n, d), its mean moved into the intercept
intercept = additive[-1].intercept_ + pieces.mean(axis=0).sum()

numbers = [j for j in range(len(NAMES)) if len(np.unique(table[:, j])) > 2]  # without sex
strongest = sorted(numbers, key=lambda j: -curves[:, j].std())[:4]
figure, axes = plt.subplots(1, 4, figsize=(10, 2.7), sharey=True)
for ax, j in zip(axes, strongest, strict=True):
    order = np.argsort(table[:, j])
    ax.plot(table[order, j], curves[order, j], color=plots.ACCENT, linewidth=2)
    slope = standard_fit[0][j + 1]
    ax.plot(table[order, j], slope * standardised[order, j], "--", color=plots.BASELINE)
    ax.plot(table[:, j], np.full(len(table), -95), "|", color=plots.INK, alpha=0.25)
    ax.set(xlabel=NAMES[j])
axes[0].set_ylabel("change of the score")
axes[0].legend(["additive model", "linear"], fontsize=9, loc="upper left")
plt.show()

for name, model in (("linear", make_pipeline(StandardScaler(), LinearRegression())), ("additive", additive)):
    r2 = cross_val_score(model, table, outcome, cv=ten_parts)
    low, high = judge.bootstrap_interval(r2)
    print(f"{name:<9} R² on unseen people (ten-fold): {r2.mean():.2f} (95 %: {low:.2f} to {high:.2f})")

HDL = NAMES.index("HDL cholesterol")
straight = RidgeCV(STRENGTHS).fit(standardised, outcome)
stronger = Ridge(10 * straight.alpha_).fit(standardised, outcome)
print("\nHDL: change of the score for one standard deviation")
print(
    f"  line, no penalty        {standard_fit[0][HDL + 1]:+5.1f} (± {2 * standard_fit[1][HDL + 1]:.1f}, two standard errors)"
)
print(f"  line, ridge as chosen   {straight.coef_[HDL]:+5.1f} (strength {straight.alpha_:.1f})")
print(f"  line, ridge ten times   {stronger.coef_[HDL]:+5.1f}")
print(f"  curve, mean slope       {np.polyfit(standardised[:, HDL], curves[:, HDL], 1)[0]:+5.1f}")

# %% [markdown]
# The four strongest curves; small strokes at the bottom are the people, and the dashed line is the linear model. ($R^2$ is the share of the outcome's variance that the model accounts for.) The curves bend most where few people are, and unseen people are not predicted better: on this table the curves bring nothing. **That is an answer too**: you now know that straight lines were not too simple. Now look at HDL: the curve falls where the line rises. It is the sign that section 7 could not decide.
# Is the ridge to blame? Only in part: a straight line with a ridge whose strength is chosen in the same way puts HDL near zero (printed below the figure), and only a stronger one makes it fall clearly. All four numbers lie within the two standard errors of the first. So **this table does not tell the sign of HDL**; each model fills in a *story* of its own, and the predictions are no better for it.

# %% [markdown]
# ## 13 · The forest that nobody can read
#
# A *random forest* asks a hundred deep trees and lets them vote (Breiman, 2001). The trees differ because each is fitted to rows drawn with repetition and may use only some columns for each question. Each tree is a glass box. Is the forest one?

# %%
from sklearn.ensemble import RandomForestClassifier

forest = RandomForestClassifier(100, random_state=0).fit(all_columns[train], malignant[train])
questions = sum(int((t.tree_.feature >= 0).sum()) for t in forest.estimators_)
asked = forest.decision_path(all_columns[doubtful][None])[0].sum() - len(forest.estimators_)
print(f"{len(forest.estimators_)} trees with {questions:,} questions; for one tumour it asks {asked} of them")

# %% [markdown]
# It is often said that one must pay for readability with accuracy. Measure it. *Readability* has no agreed unit, so take a crude one: **how many numbers do you have to look up to repeat one answer by hand?** Two real tables: the tumours (30 columns, 2 classes), and handwritten digits
# (64 pixels, 10 classes, from scikit-learn).

# %%
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier


def numbers_to_look_up(model, rows):
    """How many fitted numbers it takes to repeat one answer of the model by hand, on average over rows."""
    last = model[-1] if hasattr(model, "steps") else model
    if isinstance(last, RandomForestClassifier):
        return last.decision_path(rows)[0].sum() / len(rows) - len(last.estimators_)
    if isinstance(last, DecisionTreeClassifier):
        return last.decision_path(rows).sum() / len(rows) - 1  # the path without its leaf
    if isinstance(last, GaussianNB):
        return 2 * last.theta_.size + len(last.classes_)
    if isinstance(last, MLPClassifier):
        return sum(w.size for w in (*last.coefs_, *last.intercepts_))
    if any(isinstance(part, SplineTransformer) for part in model):
        return 4 * rows.shape[1] * len(last.coef_) + len(last.coef_)  # four cubic pieces are active at a time
    return last.coef_.size + len(last.coef_)


readers = {
    "one question": DecisionTreeClassifier(max_depth=1, random_state=0),
    "tree, depth 3": DecisionTreeClassifier(max_depth=3, random_state=0),
    "deep tree": DecisionTreeClassifier(random_state=0),
    "naive Bayes": make_pipeline(StandardScaler(), GaussianNB(var_smoothing=1e-2)),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
    "additive": make_pipeline(StandardScaler(), SplineTransformer(n_knots=5), LogisticRegression(C=0.1, max_iter=3000)),
    "forest": RandomForestClassifier(100, random_state=0),
    "network": make_pipeline(StandardScaler(), MLPClassifier((32,), alpha=1.0, learning_rate_init=0.01, max_iter=600, random_state=0)),
}  # fmt: skip
digits, digit = load_digits(return_X_y=True)
tables = {"breast tumours": (all_columns, malignant), "handwritten digits": (digits, digit)}
four_parts = KFold(4, shuffle=True, random_state=0)
measured = {}
for what, (rows, labels) in tables.items():
    for name, model in tqdm(readers.items(), desc=what, leave=False):
        right = cross_val_predict(model, rows, labels, cv=four_parts) == labels
        measured[what, name] = (numbers_to_look_up(model.fit(rows, labels), rows), right)

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.5))
for ax, what in zip(axes, tables, strict=True):
    order = sorted(readers, key=lambda name: -measured[what, name][0])  # the easiest to read on top
    for y, name in enumerate(order):
        count, right = measured[what, name]
        low, high = judge.bootstrap_interval(right)
        unread = name in ("forest", "network")
        colour = plots.COLOURS[1 if unread else 0]
        if right.mean() > 0.8:
            ax.plot([low, high], [y, y], color=colour, alpha=0.5, linewidth=3, solid_capstyle="round")
            ax.plot(right.mean(), y, "s" if unread else "o", color=colour)
            ax.text(high + 0.004, y, f"{right.mean():.2f}", va="center", fontsize=9)
        else:
            ax.text(0.805, y, f"← {right.mean():.2f}", va="center", fontsize=9, color=colour)
    ax.set_yticks(range(len(order)), [f"{name}: {measured[what, name][0]:,.0f}" for name in order])
    ax.set(xlabel="share of unseen cases right (four-fold)", xlim=(0.8, 1.02), ylim=(-0.6, len(order) - 0.4))
    ax.grid(axis="x", color="#d9dde0", linewidth=0.8)
    ax.set_title(what, loc="left")
figure.suptitle("Behind each name: how many numbers one looks up for one answer", fontsize=11)
plt.show()
DUELS = {
    "breast tumours": [("logistic", "forest"), ("logistic", "network"), ("tree, depth 3", "forest"), ("tree, depth 3", "logistic")],
    "handwritten digits": [("logistic", "forest"), ("logistic", "network")],
}  # fmt: skip
for what, duels in DUELS.items():
    print(f"{what}, difference of the shares (95 % bootstrap interval):")
    for first_, second_ in duels:
        better = measured[what, first_][1] * 1.0 - measured[what, second_][1]
        low, high = judge.bootstrap_interval(better)
        print(f"  {first_:<13} minus {second_:<8} {better.mean():+.3f} ({low:+.3f} to {high:+.3f})")

# %% [markdown]
# From top to bottom the models get harder to read (the number behind each name); to the right they get better (bars: 95 % bootstrap interval; arrows: further left than the axis; orange squares: forest and network, which nobody calls readable). On the tumours, a sum of thirty terms does as well as the forest, which needs hundreds of numbers. **Whether readability costs something depends on what you call readable**: nothing, if you can read a sum of thirty terms (section 9 has shown how little three of them tell); if it has to be the tree with three questions, which you can say in one sentence, the printed lines give its price (for the tree that takes the largest gain first; section 18 tries others). On the digits, the trees are behind, the small ones far. The logistic regression cannot be told from the forest, and is a little behind the network (the last two lines); its hundreds of numbers are no longer reading, and the additive model, a "glass box", needs more numbers than the network.
# So the trade-off is neither a law nor a myth: measure it on your own table, and begin with the simplest model (Rudin, 2019, makes the case; section 21). For pictures in full size, few glass boxes are known that keep up, and they are a matter of research. That is why the rest of this course exists.

# %% [markdown]
# ## 14 · The proof: the agreement table
#
# Each lesson proves its own code against libraries that were written independently. The table shows the largest absolute difference, as a power of ten, and the *convention* that makes the two comparable. Where the libraries disagree, that is worth a lesson by itself.

# %%
from captum.attr import Occlusion
from scipy.optimize import curve_fit

from course_utils.methods.occlusion import occlusion

with_softmax = torch.nn.Sequential(offers["A"].model, torch.nn.Softmax(dim=1))
four, their_class = lab.inputs[:4], lab.targets[:4].to(lab.device)
grey = (128 / 255 - 0.5) / 0.5  # the pictures' 0 … 255 are −1 … 1 inside the network
ours = spread(cover_and_watch(offers["A"].predict, images[:4], targets[:4]), 128)
of_course = occlusion(with_softmax, four, their_class, window=32, stride=24, baseline=grey)
with torch.no_grad():
    of_captum = Occlusion(with_softmax).attribute(
        four, sliding_window_shapes=(3, 32, 32), strides=(3, 24, 24), target=their_class, baselines=grey,
        perturbations_per_eval=8,
    )[:, 0]  # fmt: skip


def sum_of_columns(rows, *b):
    return b[0] + rows @ np.array(b[1:])


_, covariance = curve_fit(sum_of_columns, standardised, outcome, p0=np.ones(len(NAMES) + 1))
by_lstsq = np.linalg.lstsq(np.column_stack([np.ones(len(table)), standardised]), outcome, rcond=None)[0]

stump = (
    DecisionTreeClassifier(max_depth=1, criterion="entropy").fit(all_columns[train], malignant[train]).tree_
)
sides = stump.n_node_samples[1:] / stump.n_node_samples[0]
stump_gain = stump.impurity[0] - sides @ stump.impurity[1:]

smoothing = 1e-9 * all_columns.var(axis=0).max()
bayes_library = GaussianNB().fit(all_columns, malignant).predict_proba(all_columns)[:, 1]


def newton(X, y, rounds=20):
    """Logistic regression by Newton's method."""
    X, weights = np.column_stack([np.ones(len(X)), X]), np.zeros(X.shape[1] + 1)
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-X @ weights))
        weights = weights + np.linalg.solve(X.T * (p * (1 - p)) @ X, X.T @ (y - p))
    return weights


# %%
# NBVAL_CHECK_OUTPUT
judge.agreement_table(
    [
        ("captum Occlusion", ours, of_captum, "of the probability; overlaps averaged; grey 128"),
        ("course_utils occlusion", ours, of_course, "the same"),
        ("numpy lstsq", standard_fit[0], by_lstsq, "least squares"),
        ("scipy curve_fit, errors", standard_fit[1] / np.sqrt(np.diag(covariance)), np.ones(11), "ratio; division by n − p"),
        ("scikit-learn logistic", newton(three[train], malignant[train]), np.append(b0, b), "no penalty (C = infinity)"),
        ("scikit-learn tree, gain", gains[ranked[0]][0], stump_gain, "entropy in bits"),
        ("scikit-learn naive Bayes", naive_bayes(all_columns, malignant, all_columns, smoothing)[0], bayes_library, "variances + 1e-9 × the largest"),
        ("sum of the curves", intercept + curves.sum(axis=1), additive.predict(table), "an additive model adds up"),
    ]
)  # fmt: skip

# %% [markdown]
# One row hides a find. To agree on naive Bayes we had to add something to the variances that the formula of section 11 does not have. What if we do not?

# %%
figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.1), sharey=True)
scaled = StandardScaler().fit_transform(all_columns)
for ax, rows, what in zip(axes, (all_columns, scaled), ("raw columns", "standardised columns"), strict=True):
    by_formula = naive_bayes(rows, malignant, rows)[0]
    by_library = GaussianNB().fit(rows, malignant).predict_proba(rows)[:, 1]
    other_answer = (by_formula > 0.5) != (by_library > 0.5)
    ax.plot(by_formula, by_library, "o", color=plots.BASELINE, alpha=0.5, markersize=4)
    ax.plot(by_formula[other_answer], by_library[other_answer], "s", color=plots.COLOURS[1], markersize=6)
    ax.set(xlabel="by the formula", title=f"{what}: {other_answer.sum()} other answers")
    print(f"{what}: largest difference of a probability {np.abs(by_formula - by_library).max():.4g}")
axes[0].set_ylabel("scikit-learn")
figure.suptitle(f"Probability of malignant, {len(malignant)} tumours", fontsize=11)
plt.show()

# %% [markdown]
# Each dot is a tumour; the orange squares get another answer. scikit-learn adds a billionth of the *largest* variance of any column to all variances, "for stability". On the raw table the areas have variances of hundreds of thousands and other columns of less than a thousandth, so the small ones drown: at least one probability changes almost from 0 to 1, and some answers with it. Standardise first, and all dots lie on the diagonal. Nothing warns you.

# %% [markdown]
# ## 15 · Rules: history that runs
#
# ### MYCIN in about twenty lines
#
# In the 1970s, programs explained themselves without being asked twice. MYCIN (Shortliffe and Buchanan, 1975) proposed which bacteria caused an infection, from several hundred rules that doctors had dictated. Each rule and each fact has a *certainty factor* between −1 (certainly not) and 1 (certainly). A premise is as certain as its weakest part and must be above 0.2;
# a conclusion gets premise × rule. Two reasons $x$ and $y$ for the same conclusion are combined by
#
# $$x \oplus y = \begin{cases} x + y\,(1 - x) & x, y \ge 0\\ x + y\,(1 + x) & x, y < 0\\ \dfrac{x + y}{1 - \min(|x|, |y|)} & \text{otherwise.}\end{cases}$$
#
# (The third case is a later version, from MYCIN's shell EMYCIN; 1 and −1 together are not defined.) The first rule below is the textbook example from MYCIN; the others are made up in its manner. Not for use on patients.

# %%
RULES = [  # (facts that must hold, conclusion, certainty factor)
    (("gram-positive", "coccus", "grows in clumps"), "staphylococcus", 0.7),
    (("gram-positive", "coccus", "grows in chains"), "streptococcus", 0.7),
    (("skin wound",), "staphylococcus", 0.4),
    (("staphylococcus", "fever"), "treat now", 0.8),
    (("patient feels well",), "treat now", -0.5),
]


def combine(x, y):
    """Two certainty factors for the same conclusion."""
    if x * y < 0:
        return (x + y) / (1 - min(abs(x), abs(y)))
    return x + y * (1 - abs(x))


def consult(goal, facts, why):
    """How certain is the goal? Chains backwards through the rules, and writes each step into `why`."""
    certainty = facts.get(goal, 0.0)
    for premise, conclusion, factor in RULES:
        if conclusion == goal:
            weakest = min(consult(part, facts, why) for part in premise)
            if weakest > 0.2:
                certainty = combine(certainty, weakest * factor)
                line = (
                    f"{' and '.join(premise)} ({weakest:.2f}) → {conclusion} × {factor}: now {certainty:.2f}"
                )
                if line not in why:
                    why.append(line)
    return certainty


facts = {
    "gram-positive": 1.0,
    "coccus": 0.9,
    "grows in clumps": 0.8,
    "skin wound": 1.0,
    "fever": 1.0,
    "patient feels well": 0.6,
}
why = []
print(f'"treat now": {consult("treat now", facts, why):.2f}. WHY?')
for line in why:
    print("  ", line)

# %% [markdown]
# The answer *is* its explanation. (`x + y(1 − |x|)` covers the first two cases in one line.) What killed such systems was not the explaining but the writing of rules: somebody had to dictate each one and keep it up to date. Certainty factors are not probabilities either: reasons that say the same thing twice count twice, as in naive Bayes.
#
# ### Rules out of a network
#
# So let a network learn, and then ask for rules: fit a small tree to the *network's answers*, not to the truth (Craven and Shavlik, 1996). The tree is a stand-in (a *surrogate*), and its **fidelity** is the share of unseen tumours for which it says what the network says. Fidelity is not accuracy: it is measured against the network.

# %%
boxed = load_lab("tabular", table="breast_cancer", model="network")
seen, unseen = boxed.table[~boxed.unseen], boxed.table[boxed.unseen]
network_says = {"seen": boxed.predict(seen).argmax(axis=1), "unseen": boxed.predict(unseen).argmax(axis=1)}
truth = boxed.targets[boxed.unseen]
fidelity, accuracy = {}, {}
for depth in (1, 2, 3, 4, 6):
    rules = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(seen, network_says["seen"])
    fidelity[depth] = rules.predict(unseen) == network_says["unseen"]
    accuracy[depth] = rules.predict(unseen) == truth
figure, ax = plt.subplots(figsize=(7.5, 2.9))
for shift, (label, values, mark) in enumerate(
    (("fidelity: says what the network says", fidelity, "o"), ("accuracy: says the truth", accuracy, "s"))
):
    x = np.array(list(values)) + 0.12 * shift
    mean = np.array([v.mean() for v in values.values()])
    limits = np.array([judge.bootstrap_interval(v) for v in values.values()])
    ax.errorbar(x, mean, yerr=np.abs(limits.T - mean), fmt=mark + "-", capsize=3, label=label)
ax.axhline(
    (network_says["unseen"] == truth).mean(),
    color=plots.BASELINE,
    linestyle=":",
    label="accuracy of the network",
)
ax.set(xlabel="depth of the extracted tree", ylabel="share of unseen tumours", ylim=(0.78, 1.0))
ax.set_title(f"Rules from a network, {len(unseen)} unseen tumours", loc="left")
ax.legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# A few rules say what the network says in more than nine cases of ten, but not always, and where they differ *the rules explain something that the network did not do*. The intervals also warn you not to read much into the order of the depths. LIME (lesson 06) has the same idea and one change: the stand-in needs to be good only near one case.

# %% [markdown]
# ## 16 · One more reason not to trust accuracy
#
# Back to pictures, to the ten-class network of the next lessons. It is right on nearly all new scenes. Now somebody may change each pixel a little, by at most $\varepsilon$, and knows the gradient. The *fast gradient sign method* (FGSM; Goodfellow and others, 2015) goes one step in the direction that raises the loss $J$ most:
#
# $$x' = x + \varepsilon \cdot \operatorname{sign}\big(\nabla_x J(x, y)\big).$$
#
# Here $J$ is the *cross-entropy*, minus the logarithm of the probability of the right class $y$, and $\nabla_x J$ is its slope for every pixel. We measure $\varepsilon$ in grey levels of 255; inside the network the pictures run from −1 to 1, so one level is 2/255.

# %%
from torch.nn import functional as F

scenes = load_lab("scenes")
LEVEL = 2 / 255


def fgsm(model, inputs, target, epsilon, low=-1.0, high=1.0):
    """Inputs (N, C, H, W) after one step of FGSM."""
    inputs = inputs.clone().requires_grad_()
    loss = F.cross_entropy(model(inputs), target, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, inputs)
    return (inputs + epsilon * gradient.sign()).clamp(low, high).detach()


def in_batches(function, *tensors, size=20):
    """Apply a function to 20 pictures at a time, which needs less memory, and put the results together."""
    return torch.cat([function(*parts) for parts in zip(*(t.split(size) for t in tensors), strict=True)])


@torch.no_grad()
def answers_of(model, inputs):
    """Class and probability of each answer."""
    p = in_batches(model, inputs).softmax(dim=1)
    return p.argmax(dim=1), p.amax(dim=1)


def attack(of, epsilon):
    """All pictures of a lab after FGSM."""
    return in_batches(lambda x, y: fgsm(of.model, x, y, epsilon), of.inputs, of.targets.to(of.device))


true_class = scenes.targets.to(scenes.device)
upwards = (attack(scenes, 1e-3) - scenes.inputs).sign()  # the same direction for every size of the step
attacked = (scenes.inputs + 2 * LEVEL * upwards).clamp(-1, 1)
first, first_p = answers_of(scenes.model, scenes.inputs)
then, then_p = answers_of(scenes.model, attacked)
fooled = (first == true_class) & (then != true_class)
victim = int(torch.where(fooled, then_p, torch.zeros_like(then_p)).argmax())
change = attacked[victim] - scenes.inputs[victim]
amplified = np.uint8(((change.permute(1, 2, 0).cpu().numpy() / (2 * LEVEL)) * 0.5 + 0.5) * 255)
plots.show_images(
    [scenes.images[victim], amplified, scenes.to_images(attacked[victim : victim + 1])[0]],
    [
        f"{scenes.class_names[first[victim]]}, {first_p[victim]:.2f}",
        "the change, 64 times as strong",
        f"{scenes.class_names[then[victim]]}, {then_p[victim]:.2f}",
    ],
    width=8,
)
plt.show()

# %% [markdown]
# Left and right look the same to you, but not to the network, which gives another answer with confidence. This is the scene on which the attack worked best: an anecdote. So here are all scenes, beside noise of the same size that knows nothing of the network:

# %%
noise = torch.randn(upwards.shape, generator=torch.Generator().manual_seed(0)).sign().to(scenes.device)
levels = [0, 1, 2, 4, 8]
figure, ax = plt.subplots(figsize=(7, 2.9))
for label, direction, style in (("random signs", noise, "s--"), ("FGSM", upwards, "o-")):
    right = [
        (
            answers_of(scenes.model, (scenes.inputs + e * LEVEL * direction).clamp(-1, 1))[0] == true_class
        ).float()
        for e in levels
    ]
    mean = np.array([float(r.mean()) for r in right])
    limits = np.array([judge.bootstrap_interval(r) for r in right])
    ax.errorbar(levels, mean, yerr=np.abs(limits.T - mean), fmt=style, capsize=3, label=label)
ax.set(xlabel="ε in grey levels of 255", ylabel="share right", ylim=(0, 1.03))
ax.set_title(f"{len(scenes.images)} scenes (bars: 95 % bootstrap interval)", loc="left")
ax.legend()
plt.show()
for name, offer in offers.items():
    still_right = answers_of(offer.model, attack(offer, 8 * LEVEL))[0].cpu() == offer.targets
    share, low, high = share_and_interval(still_right.numpy())
    print(
        f"wolves, ε = 8: model {name} {share:.2f} right (95 %: {low:.2f} to {high:.2f}){' (the honest one)' if name == honest else ''}"
    )

# %% [markdown]
# At two grey levels about a third of the scenes are answered wrongly; noise of the same size does hardly any harm. The accuracy on the test set knows nothing about this curve. And look at the wolves: the honest model does not withstand the attack better than the ground detector (here it is fooled more often). **Right for the right reason and hard to fool are two different virtues.**
# An attack explains nothing by itself, but it uses the same gradient as the maps of lesson 08.
#
# The agreement with captum (the card that goes with it is in section 18):

# %%
# NBVAL_CHECK_OUTPUT
from captum.robust import FGSM


def strong_loss(outputs, labels):
    """Cross-entropy, scaled: captum leaves pixels alone whose gradient is below one millionth."""
    return 2.0**40 * F.cross_entropy(outputs, labels, reduction="none")


sample, its_class = scenes.inputs[:20], true_class[:20]
our_attack = fgsm(scenes.model, sample, its_class, 2 * LEVEL)
library = FGSM(scenes.model, loss_func=strong_loss, lower_bound=-1.0, upper_bound=1.0)
captum_attack = library.perturb(sample.clone().requires_grad_(), 2 * LEVEL, target=its_class).detach()
judge.agreement_table(
    [
        ("captum FGSM", our_attack, captum_attack, "cross-entropy, clamped to −1 … 1"),
        ("ε", (our_attack - sample).abs().amax(), 2 * LEVEL, "no pixel moves further"),
    ]
)

# %% [markdown]
# ## 17 · The real thing
#
# A network trained on a million photographs (MobileNetV2, 1,000 classes of ImageNet), and a photograph of a cat. First cover it and watch, with the function from section 2. Then the attack, by **one** grey level, on all photographs that come with the course, saved as ordinary pictures.

# %%
try:
    photos = load_lab("photos")
except LabUnavailable as error:
    photos = None
    print(error)

if photos is not None:
    said = photos.predict(photos.images)
    its_answers = said.argmax(axis=1)
    cat_fall = cover_and_watch(photos.predict, photos.images[:1], its_answers[:1], window=64, stride=40)
    deviation = torch.tensor(photos.preprocess.deviation, device=photos.device).view(1, 3, 1, 1)
    mean = torch.tensor(photos.preprocess.mean, device=photos.device).view(1, 3, 1, 1)
    size, darkest, lightest = 1 / 255 / deviation, (0 - mean) / deviation, (1 - mean) / deviation
    towards = in_batches(
        lambda x, y: fgsm(photos.model, x, y, size, darkest, lightest),
        photos.inputs, torch.from_numpy(its_answers).to(photos.device), size=2,
    )  # fmt: skip
    saved = photos.to_images(towards)
    said_then = photos.predict(saved)
    heat = spread(cat_fall, 224, window=64, stride=40)[0]
    changed = said_then.argmax(axis=1) != its_answers
    surest = int(np.where(changed, said.max(axis=1), 0).argmax())  # surest of the answers that changed
    figure = plots.show_images(
        [photos.images[0], plots.overlay(photos.images[0], heat), photos.images[surest], saved[surest]],
        [
            f"{photos.class_names[its_answers[0]]}, {said[0].max():.2f}",
            "cover it and watch",
            f"{photos.class_names[its_answers[surest]]}, {said[surest].max():.2f}",
            f"attacked: {photos.class_names[said_then[surest].argmax()]}, {said_then[surest].max():.2f}",
        ],
        columns=4,
    )
    figure.set_figheight(3.3)
    under_map = {"location": "bottom", "shrink": 0.24, "anchor": (0.34, 1.0), "aspect": 16, "pad": 0.02}
    colour_bar(list(figure.axes), float(heat.max()), "fall of the probability", **under_map)
    plt.show()
    for before_, after_ in zip(said, said_then, strict=True):
        print(
            f"{photos.class_names[before_.argmax()]:>20} {before_.max():.2f}  →  {photos.class_names[after_.argmax()]} {after_.max():.2f}"
        )

# %% [markdown]
# The first two: the photograph of the cat, and where covering hurts: the nose, the muzzle and the lower edge more than the eyes. (One map without a know-nothing map beside it: an anecdote, as in section 2.) The last two: the photograph of which the network was surest, before and after the attack. The list has all of them. Some new answers are near neighbours of the old ones (another cat, a moped for a motor scooter), others are absurd. These few pictures do not make a statistic; the curve of section 16 does. But it is the same effect, on a network trained on real photographs.

# %% [markdown]
# ## 18 · Where it breaks
#
# Three cards. Run each, and remember the symptom: you will meet it in your own work.
#
# ### Card 1: accuracy from nothing
#
# Sixty patients, two thousand columns of *pure noise*, and labels thrown with a coin. There is nothing to learn: 0.5 is all that anybody can reach. Choose the twenty best columns, then cross-validate:

# %%
from sklearn.feature_selection import SelectKBest

leaking, honestly = [], []
for seed in range(48):
    rng = np.random.default_rng(seed)
    noise_table, thrown = rng.normal(size=(60, 2000)), rng.permutation(np.repeat([0, 1], 30))
    best_twenty = SelectKBest(k=20).fit_transform(noise_table, thrown)  # has seen every label
    leaking.append(cross_val_score(LogisticRegression(), best_twenty, thrown, cv=5).mean())
    inside_the_loop = make_pipeline(SelectKBest(k=20), LogisticRegression())
    honestly.append(cross_val_score(inside_the_loop, noise_table, thrown, cv=5).mean())
plots.score_plot(
    {"columns chosen before the split": np.array(leaking), "chosen within each part": np.array(honestly)},
    xlabel="“accuracy” on pure noise, 48 repetitions (dotted: a coin)",
    title="The choice had seen the test labels",
)
plt.gca().axvline(0.5, color=plots.BASELINE, linestyle=":")
plt.show()

# %% [markdown]
# Chosen inside, twenty columns reach what a coin reaches; chosen before, they seem to predict nearly everything, and there is nothing to predict. This error (*leakage*) was found in well-known studies of gene data (Ambroise and McLachlan, 2002). Everything that looks at the labels belongs *inside* the cross-validation. An explanation of such a model would name twenty columns, with confidence.
#
# ### Card 2: an attack that pushes the wrong way
#
# captum's `FGSM` has a default loss: minus the logarithm of the *output*. That is right for a model that ends in a *softmax* (section 9), and so returns probabilities. Many models return logarithms of probabilities instead (*log-softmax*; those that are trained with `NLLLoss`), or the plain scores, called *logits*, as ours does. Nothing complains:

# %%
endings = {
    "softmax": torch.nn.Sequential(scenes.model, torch.nn.Softmax(dim=1)),
    "logits": scenes.model,
    "log-softmax": torch.nn.Sequential(scenes.model, torch.nn.LogSoftmax(dim=1)),
}
moved_wrong = {}
print(f"{'the model ends in':<20}{'right after the attack':>24}{'pixels moved the wrong way':>30}")
for ending, model in endings.items():
    careless = FGSM(model, lower_bound=-1.0, upper_bound=1.0)
    moved = careless.perturb(sample.clone().requires_grad_(), 2 * LEVEL, target=its_class).detach()
    wrong_way = (moved - sample).sign() * (our_attack - sample).sign() < 0
    moved_wrong[ending] = wrong_way.flatten(1).float().mean(dim=1)
    right = (answers_of(scenes.model, moved)[0] == its_class).float().mean()
    print(f"{ending:<20}{right:>24.2f}{moved_wrong[ending].mean():>30.0%}")
right = (answers_of(scenes.model, our_attack)[0] == its_class).float().mean()
print(f"{'with cross-entropy':<20}{right:>24.2f}")
with torch.no_grad():
    its_logit = scenes.model(sample).gather(1, its_class[:, None])[:, 0]
print("\nthe model that ends in logits, scene by scene:")
print("logit of the class", " ".join(f"{z:4.1f}" for z in its_logit.tolist()))
print("moved wrongly     ", " ".join(f"{share:4.0%}" for share in moved_wrong["logits"].tolist()))

# %% [markdown]
# With the softmax the default does its job. With log-probabilities it pushes nearly every pixel the wrong way: it *helps* the model, which then looks perfectly safe. Logits are in between. The logit $z$ of the class is positive in all these scenes, so the default lowers it, as it should. But it looks at nothing else, while the cross-entropy also raises the other classes; where the two disagree, a pixel moves the wrong way: 3 to 13 of 100 in each scene (printed). Here that did no harm. With a negative logit it would: its logarithm is undefined, but the slope $1/z$ exists, with the wrong sign, and the attack would *raise* it.
#
# A model that seems to resist may only have been attacked badly. Whenever a result pleases you, ask whether the test was able to fail.
#
# ### Card 3: as good, and another tree
#
# First draw the training tumours again with repetition (a bootstrap), fit the tree of section 10 again, and note its first question, thirty times. Then the sharper test: *force* the first question, once for each column, let the tree choose the rest (again three questions in a row), and compare how often such trees are right on unseen tumours.

# %%
from collections import Counter

rng = np.random.default_rng(0)
first_questions, says, left_out = Counter(), [], []
for _ in range(30):
    again = rng.choice(train, size=len(train))
    refitted = DecisionTreeClassifier(max_depth=3, criterion="entropy", random_state=0).fit(
        all_columns[again], malignant[again]
    )
    first_questions[tumours.feature_names[refitted.tree_.feature[0]]] += 1
    says.append(refitted.predict(all_columns[test]))
    left_out.append(1 - len(np.unique(again)) / len(train))
accuracies = (np.array(says) == malignant[test]).mean(axis=1)


def forced_tree(first, rows, labels):
    """A tree of depth 3 that has to ask about column `first` first: its threshold, and the two trees behind it."""
    stump = DecisionTreeClassifier(max_depth=1, criterion="entropy").fit(rows[:, [first]], labels)
    above = rows[:, first] > stump.tree_.threshold[0]
    branches = [
        DecisionTreeClassifier(max_depth=2, criterion="entropy", random_state=0).fit(rows[side], labels[side])
        for side in (~above, above)
    ]
    return stump.tree_.threshold[0], branches


said_when_forced = {name: np.zeros(len(malignant), int) for name in tumours.feature_names}
begins_with = Counter()  # the first questions of the tree that is free to choose, part by part
for part, rest in ten_parts.split(all_columns):
    free = DecisionTreeClassifier(max_depth=3, criterion="entropy", random_state=0)
    begins_with[tumours.feature_names[free.fit(all_columns[part], malignant[part]).tree_.feature[0]]] += 1
    for first_column, name in enumerate(tumours.feature_names):
        threshold, (below, above) = forced_tree(first_column, all_columns[part], malignant[part])
        new = all_columns[rest]
        said_when_forced[name][rest] = np.where(
            new[:, first_column] > threshold, above.predict(new), below.predict(new)
        )
right = {name: said == malignant for name, said in said_when_forced.items()}
ranking = sorted(right, key=lambda name: -right[name].mean())
loss = {name: right[ranking[0]] * 1.0 - right[name] for name in ranking}  # against the best, tumour by tumour
as_good = [name for name in ranking if judge.bootstrap_interval(loss[name])[0] <= 0]

figure, axes = plt.subplots(1, 2, figsize=(10, 2.9))
common = first_questions.most_common()[::-1]
axes[0].barh([name for name, _ in common], [count for _, count in common], color=plots.ACCENT)
axes[0].set(xlabel="number of trees that ask this first", xticks=range(0, 16, 5))
axes[0].set_title("Thirty trees from other samples", loc="left")
for y, name in enumerate(ranking[:8][::-1]):
    low, high = judge.bootstrap_interval(-loss[name])
    colour = plots.ACCENT if name in as_good else plots.BASELINE
    axes[1].plot([low, high], [y, y], color=colour, linewidth=3, alpha=0.5, solid_capstyle="round")
    axes[1].plot(-loss[name].mean(), y, "o", color=colour)
axes[1].axvline(0, color=plots.BASELINE, linestyle=":")
axes[1].set_yticks(range(8), ranking[:8][::-1])
axes[1].set(xlabel="share right, minus that of the best (ten-fold, 95 %)")
axes[1].set_title("First question forced: the best eight", loc="left")
plt.show()
two = sum(count for _, count in first_questions.most_common(2))
print(
    f"bootstrap: each sample lacks {np.mean(left_out):.0%} of the tumours; two first questions make {two} of 30 trees; "
    f"right on unseen tumours: {accuracies.min():.2f} to {accuracies.max():.2f}"
)
print(
    f"\nforced: not to be told from the best one ({right[ranking[0]].mean():.3f}). Fitted to all tumours they ask:"
)
for name in as_good:
    j = tumours.feature_names.index(name)
    threshold, branches = forced_tree(j, all_columns, malignant)
    above = all_columns[:, j] > threshold
    same = (said_when_forced[name] == said_when_forced[ranking[0]]).mean()
    print(f"{name} (right {right[name].mean():.3f}; says what the best one says: {same:.2f})")
    for sign, side, branch in zip("≤>", (~above, above), branches, strict=True):
        then_ask = dict.fromkeys(tumours.feature_names[k] for k in branch.tree_.feature if k >= 0)
        print(f"   {sign} {threshold:<6.4g} {side.sum():>3} tumours: {', '.join(then_ask)}")
of_size = [tumours.feature_names.index(name) for name in as_good if name.endswith(("radius", "area"))]
ranks = all_columns[:, of_size].argsort(axis=0).argsort(axis=0)
print(f"rank correlations of the {len(of_size)} sizes: from {np.corrcoef(ranks.T).min():.2f} upwards")

of_greedy = on_unseen[depths.index(3)]
of_logistic = cross_val_predict(readers["logistic"], all_columns, malignant, cv=ten_parts) == malignant
print("\nright on unseen tumours (ten-fold), and minus the best forced tree (95 %):")
for name, right_ in (("tree, free to choose", of_greedy), ("logistic, 30 terms", of_logistic)):
    low, high = judge.bootstrap_interval(right_ * 1.0 - right[ranking[0]])
    print(f"  {name:<21} {right_.mean():.3f} ({low:+.3f} to {high:+.3f})")
print(
    "the free tree begins in the ten parts with:",
    ", ".join(f"{name} {n}×" for name, n in begins_with.most_common()),
)

# %% [markdown]
# On the left, other samples give other trees, though not without pattern: two questions make most of them. But this is no fair contest: a bootstrap sample lacks a good third of the tumours, so it is far from the same data, and the trees are not equally good.
#
# On the right all trees saw the same data. Each dot is the difference to the best one, tumour by tumour; blue are those whose interval holds 0, so that they cannot be told from the best. (*Texture error* just so, *mean texture* just not.) They are many models, equally good on the same data: Breiman called this the *Rashomon effect*, and their set is the *Rashomon set*. (The best of thirty looks a little better than it is; with more tumours the set might shrink.)
#
# Has each a story of its own? Read the printed trees before you say so. The three sizes are practically one question, and go on with nearly the same columns. *Texture error* sends only a few tumours to one side; for all others the tree asks about size and notches. *Worst texture* does begin elsewhere, but then both branches ask about size and notches again. So these are five trees, not five stories: mostly the same ingredients in another order, and in 95 or more of 100 cases the same answer. The path of a single tumour, which is its explanation, still begins with another reason. If you explain one of these models, you explain one of them, not the disease.
#
# The tree that takes the largest gain first is not among them. Nor is it one tree: in each of the ten parts it is grown anew, and its first question varies (last line). What is worse is the *procedure*: a greedy first step need not lead to the best tree. Yet the sum of thirty terms is better than even the best forced tree: three questions do cost something on this table.

# %% [markdown]
# ## 19 · Exercises
#
# You know how they work. The stars say how hard an exercise is: ★☆☆ uses what stands above, ★★☆ takes it one step further, ★★★ leaves the way to you.

# %% [markdown]
# ### Exercise: a question that costs something
#
# Information gain has a weakness: the question "what is your patient number?" gains everything and is worth nothing. Quinlan (1986) therefore divides the gain by what the answer itself tells in bits: the entropy of the *answers*. This is the *gain ratio*. Write it for questions with any number of answers. `labels` and `answers` hold whole numbers, one for each example. You may call `entropy` of section 10. A question that everybody answers alike gets 0.


# %% exercise="gain_ratio"
def gain_ratio(labels, answers):
    """Information gain of a question with any number of answers, divided by the entropy of the answers."""
    # BEGIN SOLUTION
    cost = entropy(answers)
    if cost == 0:
        return 0.0
    left_over = sum((answers == a).mean() * entropy(labels[answers == a]) for a in np.unique(answers))
    return (entropy(labels) - left_over) / cost
    # END SOLUTION


# %%
exercises.gain_ratio.check(gain_ratio)

# %% [markdown]
# ### Exercise: how far off may a prediction be?
#
# Section 7 gave each *coefficient* a standard error. Give one to the *prediction for a new person*. Let $z$ be the new row with a 1 in front. The height of the fitted line at $z$ has the variance $s^2\, z^\top (X^\top X)^{-1} z$, since other people would have given another line. The person's own distance from the line has the variance $s^2$. The two are independent. `table` is (n, d), `new` is (m, d), both without a column of ones; return the m standard errors.


# %% exercise="outcome_errors"
def outcome_errors(table, outcome, new):
    """Standard error of the predicted outcome of each new row, the person's own scatter included: (m,)."""
    # BEGIN SOLUTION
    X, Z = (np.column_stack([np.ones(len(rows)), rows]) for rows in (table, new))
    residuals = outcome - X @ np.linalg.lstsq(X, outcome, rcond=None)[0]
    s2 = residuals @ residuals / (len(X) - X.shape[1])
    of_line = ((Z @ np.linalg.inv(X.T @ X)) * Z).sum(axis=1)
    return np.sqrt(s2 * (of_line + 1))
    # END SOLUTION


# %%
exercises.outcome_errors.check(outcome_errors)

# %% [markdown]
# ### Exercise: find the bug
#
# In 1999 a study in a leading medical journal reported that doctors referred one group of patients for a heart examination with an *odds ratio* of 0.6, and newspapers and television wrote "40 per cent less likely". The first group had been referred in about 91 of 100 cases. Which odds ratio *would* have made the sentence true? This function repeats the error of the newspapers: it takes "0.6 times as likely" for an odds ratio of 0.6. Repair it: which odds ratio makes something `times` as likely as `probability`? (`times * probability` stays below 1.)


# %% exercise="odds_ratio_of"
def odds_ratio_of(probability, times):
    """The odds ratio between a group with `times * probability` and one with `probability`."""
    # BEGIN STUB
    # return times
    # END STUB
    # BEGIN SOLUTION
    second = times * probability
    return second / (1 - second) / (probability / (1 - probability))
    # END SOLUTION


# %%
exercises.odds_ratio_of.check(odds_ratio_of)

# %% [markdown]
# With the numbers of the study (before your repair, your function agrees with the newspapers). The last line shows how much less likely an odds ratio of 0.6 makes the referral, found by trying:

# %%
for who, function in (
    ("the newspapers", lambda probability, times: times),
    ("your function", odds_ratio_of),
    ("the course's", exercises.odds_ratio_of.reference),
):
    print(f"{who:<15} 40% less likely: odds ratio {function(0.906, 0.6):.2f}")
tried = np.linspace(0.01, 1, 1000)
found = tried[np.abs(exercises.odds_ratio_of.reference(0.906, tried) - 0.6).argmin()]
print(f"the study found an odds ratio of 0.60: {1 - found:.0%} less likely")

# %% [markdown]
# Schwartz and others took the report apart in the same journal, five months later.

# %% [markdown]
# ### Exercise: the missing reason
#
# Section 15 combined two reasons. Now backwards: one reason $x$ is `known`. How certain must a second reason $y$ be so that $x \oplus y$ is exactly `goal`? You may call `combine` of section 15. (There is a way without three cases.)


# %% exercise="missing_reason"
def missing_reason(known, goal):
    """The certainty factor that combines with `known` to `goal` (numbers between −1 and 1, ends excluded)."""
    # BEGIN SOLUTION
    return combine(goal, -known)  # −known takes the known reason back: known ⊕ −known = 0
    # END SOLUTION


# %%
exercises.missing_reason.check(missing_reason)

# %% [markdown]
# ### Exercise: how many times chance?
#
# The energy of section 2 flatters large animals: one that fills half of the picture gets half the mass of *any* even map. Write a fairer measure: how many *times* as much of a map's positive mass lies inside its mask as an even map would have there? `maps` is (N, H, W), negative values included; `masks` is (N, H, W), True on the animal. Return one value for each picture. A map without positive values says nothing, and counts as an even one.


# %% exercise="times_chance"
def times_chance(maps, masks):
    """Energy inside the mask, divided by that of an even map: (N,)."""
    # BEGIN SOLUTION
    mass = maps.clip(min=0)
    inside, total = (mass * masks).sum(axis=(1, 2)), mass.sum(axis=(1, 2))
    area = masks.mean(axis=(1, 2))
    energy = np.where(total > 0, inside / np.where(total > 0, total, 1), area)
    return energy / area
    # END SOLUTION


# %%
exercises.times_chance.check(times_chance)

# %% [markdown]
# The maps of section 2 by this measure (the course's version of it):

# %%
for name, heat in (maps | know_nothing).items():
    times = exercises.times_chance.reference(heat.numpy(), lab.masks.numpy())
    low, high = judge.bootstrap_interval(times)
    print(f"{name:<15} {times.mean():.2f} times chance (95 %: {low:.2f} to {high:.2f})")

# %% [markdown]
# ### Exercise: design an experiment
#
# In section 3 somebody had drawn the other farm for you. Usually nobody has: you make the pictures yourself. Design an experiment that finds out whether a model of two classes reads the *animal* or the *ground*, and return that word.
#
# You get `predict` (pictures to probabilities, (N, 2)), `images` (N, H, W, 3), their classes `targets` (N,), and `masks` (N, H, W), True on the animal. In `images` each class has its own animals and its own ground, so every model is right as long as you change nothing.
#
# The check tries your experiment on seven little models of which it knows the truth. Some of them fail on pictures unlike those they know, for instance with a flat spot of one colour, with a ground that is noise, or with two animals. So think about what *else* your intervention changes.


# %% exercise="what_decides"
def what_decides(predict, images, targets, masks):
    """Which of the two decides the answers of the model: "animal" or "ground"?"""
    # BEGIN SOLUTION
    changed = images.copy()
    rows, columns = np.indices(masks[0].shape)
    for i in range(len(images)):
        donors = np.roll(np.flatnonzero(targets != targets[i]), -i)  # another first donor for each picture
        first = (~masks[donors]).argmax(axis=0)  # for each pixel, the first donor without an animal there
        other_ground = images[donors[first], rows, columns]
        changed[i][~masks[i]] = other_ground[~masks[i]]
    still_right = (predict(changed).argmax(axis=1) == targets).mean()
    return "animal" if still_right > 0.5 else "ground"
    # END SOLUTION


# %%
exercises.what_decides.check(what_decides)

# %% [markdown]
# Now on real networks: the two offers, and two networks that tell drawn *monsters* apart, one family saved on black and the other on white. The last column is the truth, from pictures that were drawn anew on the other ground:

# %%
suspects = {f"wolves, model {name}": offer for name, offer in offers.items()}
for number, option in enumerate(coin.permutation(["clean", "shortcut"]), 1):
    suspects[f"monsters, network {number}"] = load_lab("monsters", model=str(option))
print(" " * 22 + f"{'your experiment':<18}{'the solution':<16}right on the other ground")
for name, suspect in suspects.items():
    evidence_ = (suspect.predict, suspect.images, suspect.targets.numpy(), suspect.masks.numpy())
    drawn_anew = suspect.predict(suspect.counterfactuals).argmax(axis=1) == suspect.targets.numpy()
    yours, ours_ = what_decides(*evidence_), exercises.what_decides.reference(*evidence_)
    print(f"{name:<22}{yours or 'not yet'!s:<18}{ours_:<16}{drawn_anew.mean():.2f}")

# %% [markdown]
# ## 20 · Play
#
# Choose an unseen tumour and who asks. With the keyboard: Tab moves between the controls, the arrow keys change a value. Look for a tumour on which the answer to the doctor sounds surer than the numbers of the developer allow.
#
# <details>
# <summary>One of them</summary>
#
# Number 65: the truth stands only in what the developer reads.
#
# </details>

# %%


def explain_tumour(number, audience):
    case = int(test[number])
    figure, ax = plt.subplots(figsize=(7, 2.2))
    draw_parts(ax, case)
    ax.set(xlabel="part of the log-odds (right: speaks for malignant)")
    ax.set_title(f"unseen tumour {number}: probability of malignant {chances[case]:.2f}", loc="left")
    plt.show()
    print(textwrap.fill(f"To the {audience}: {tell(case, audience)}", 100))


widgets.explore(
    explain_tumour,
    number=widgets.slider("tumour", 0, len(test) - 1, int(np.flatnonzero(test == doubtful)[0])),
    audience=widgets.choice("who asks", ["patient", "doctor", "developer", "regulator"]),
)

# %% [markdown]
# A still picture of the same: three unseen tumours, one surely benign, one doubtful, one surely malignant. Bars to the right speak for malignant. In the doubtful one none of the three parts is large. What tips it to benign is the start, the intercept, from which every tumour begins; `tell` never mentions that to the doctor, who reads about notches instead, the smallest part of all.

# %%
by_chance = test[np.argsort(chances[test])]
trio = [int(by_chance[len(test) // 8]), doubtful, int(by_chance[-len(test) // 8])]
figure, axes = plt.subplots(1, 3, figsize=(10, 2.5), sharey=True, sharex=True)
for ax, case in zip(axes, trio, strict=True):
    draw_parts(ax, case)
    ax.set_title(
        f"p = {chances[case]:.2f}, truth: {'malignant' if malignant[case] else 'benign'}", fontsize=10
    )
axes[1].set_xlabel("part of the log-odds")
plt.show()

# %% [markdown]
# ## 21 · The paper in ten questions
#
# C. Rudin: *Stop explaining black box machine learning models for high stakes decisions and use interpretable models instead* (Nature Machine Intelligence, 2019).
#
# 1. **Which problem?** Decisions about people (bail, credit, medicine) are left to models that nobody can read, with an explanation attached afterwards.
# 2. **Is it new?** Interpretable models are old. The claim that one should *not* explain black boxes where much is at stake, but replace them, was put this sharply for the first time.
# 3. **Which hypothesis?** On data with meaningful columns there is usually a readable model that is as accurate, and the trade-off is mostly a belief.
# 4. **Related work, and who?** Breiman's "Two cultures" (2001) with the Rashomon effect; Lipton (2018) on what interpretability may mean; Miller (2019) on explanation. The author works at Duke University on sparse rules and scores.
# 5. **The key idea?** A post hoc explanation cannot be perfectly faithful: if it were, it would be the model itself. So constrain the model rather than explain it.
# 6. **Which experiments?** It is an argument with examples (recidivism, a scoring of seizures, pictures with prototypes), not a benchmark.
# 7. **Data and code?** Public data such as ProPublica's COMPAS table; the author's group publishes its programs.
# 8. **Do the results support it?** For tables, often: your own section 13 found it on the tumours, if a sum of thirty terms counts as readable; a tree with three questions was worse, clearly so when grown greedily (section 13), less when its first question was chosen well (section 18). For raw pictures and text the claim is much weaker, and finding the readable model can be hard work. Section 7 showed that glass boxes can mislead as well.
# 9. **What did it contribute?** It moved the burden of proof: whoever uses a black box where much is at stake should show that a readable model is worse.
# 10. **What next?** Readable models for pictures (*prototype networks*, which answer "this part looks like that part of a training picture"; *concept bottlenecks*, which first predict properties with a name, and decide by these alone), and explanations that are tested instead of believed (lesson 12).

# %% [markdown]
# ## 22 · Recap, and how to go on
#
# - Equal accuracy does not mean equal models. The test set comes from the same source as the shortcut.
# - An explanation raises a suspicion; an experiment decides. Both get a number with an interval; a map also gets company: maps that know nothing.
# - Convincing and correct are different things. An edge filter convinces.
# - Look at the data first; try a glass box second; explain a black box third.
# - A glass box shows what it computes. It does not protect you from collinear columns, naive certainty, leakage, or an equally good model with another story.
# - Say who asks, and give a contrast, few reasons, and what was left out.
#
# **The course's tools**, all of which you have now used once: a *lab* (model, data and truth: `load_lab`), *exercises* with `check`, `hint` and a folded solution, the *agreement table* (`judge.agreement_table`), a *score* with an interval beside baselines (`plots.score_plot`), the *map* (`show_field_map`). Each lesson stands alone; this one only asks you to come back to the map.
#
# Next: **02 · Deconvnet: what is a feature map looking for?**.
#
# **References**
# - [Lapuschkin and others, 2019: Unmasking Clever Hans predictors](https://doi.org/10.1038/s41467-019-08987-4)
# - Pfungst, 1907: *Das Pferd des Herrn von Osten (Der Kluge Hans)*; in English 1911 as *Clever Hans*
# - [Zech and others, 2018: Variable generalization performance of a deep learning model to detect pneumonia in chest radiographs](https://doi.org/10.1371/journal.pmed.1002683)
# - [Ribeiro and others, 2016: "Why should I trust you?" (huskies and wolves)](https://arxiv.org/abs/1602.04938)
# - [Zeiler and Fergus, 2014: Visualizing and understanding convolutional networks](https://arxiv.org/abs/1311.2901)
# - [Kim and others, 2016: Examples are not enough, learn to criticize!](https://papers.nips.cc/paper/6300-examples-are-not-enough-learn-to-criticize-criticism-for-interpretability)
# - [Miller, 2019: Explanation in artificial intelligence: insights from the social sciences](https://arxiv.org/abs/1706.07269)
# - [Rudin, 2019: Stop explaining black box machine learning models](https://arxiv.org/abs/1811.10154)
# - [Lipton, 2018: The mythos of model interpretability](https://arxiv.org/abs/1606.03490)
# - [Breiman, 2001: Statistical modeling: the two cultures](https://doi.org/10.1214/ss/1009213726) and [Random forests](https://doi.org/10.1023/A:1010933404324)
# - [Efron and others, 2004: Least angle regression (the diabetes table)](https://doi.org/10.1214/009053604000000067)
# - [Street and others, 1993: Nuclear feature extraction for breast tumor diagnosis (the table of tumours)](https://doi.org/10.1117/12.148698)
# - [Hastie and Tibshirani, 1986: Generalized additive models](https://doi.org/10.1214/ss/1177013604)
# - [Shannon, 1948: A mathematical theory of communication](https://doi.org/10.1002/j.1538-7305.1948.tb01338.x)
# - [Quinlan, 1986: Induction of decision trees](https://doi.org/10.1007/BF00116251)
# - [Shortliffe and Buchanan, 1975: A model of inexact reasoning in medicine](https://doi.org/10.1016/0025-5564(75)90047-4)
# - [Craven and Shavlik, 1996: Extracting tree-structured representations of trained networks](https://papers.nips.cc/paper/1152-extracting-tree-structured-representations-of-trained-networks)
# - [Goodfellow and others, 2015: Explaining and harnessing adversarial examples](https://arxiv.org/abs/1412.6572)
# - [Schwartz and others, 1999: Misunderstandings about the effects of race and sex on physicians' referrals for cardiac catheterization](https://doi.org/10.1056/NEJM199907223410411)
# - [Ambroise and McLachlan, 2002: Selection bias in gene extraction](https://doi.org/10.1073/pnas.102102699)
# - The European AI Act, [Regulation (EU) 2024/1689](https://eur-lex.europa.eu/eli/reg/2024/1689/oj), article 86
