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
# # 02b · The other experiments of the ZF-Net paper
#
# **The question.** The paper looked at a network in eight ways, not only with the deconvnet. What does each of them show, and which control was missing?
#
# This companion of [02 · Deconvnet](02_zfnet_deconvnet.ipynb) adds the growth of features in training, invariance, occlusion, the same part in different pictures, removing layers, the first layer, other data, one trap of the libraries and one bug to find.
#
# **After this lesson you can**
# - measure how much a layer changes when the picture moves;
# - write occlusion, and say what the colour of the square does;
# - test whether a network reacts to the same part in the same way, with a control that the paper did not have;
# - explain why “the error rises without this layer” can mean two things;
# - see aliasing in a first layer;
# - tell the gradient of a score from the gradient of a loss.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [02 · Deconvnet](02_zfnet_deconvnet.ipynb).
#
# From the core you know `run_to`, `maxima` and `RELUS`. `channels_inside` changes no number: it stores pictures in an order in memory with which convolutions are faster.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l02_zfnet_deconvnet as exercises
from course_utils.labs import load_lab
from course_utils.lessons.l02_zfnet_deconvnet import RELUS, channels_inside, maxima, run_to
from course_utils.methods.deconvnet import deconvnet
from course_utils.teach import inside, plots

lab = load_lab("scenes", model="zfnet")
new = load_lab("scenes", model="zfnet", seed=300, n=400)  # pictures that the network has never seen
model = lab.model

# %% [markdown]
# ## 1 · How features grow during training
#
# The course ships the network at several moments of its training. For one channel of three layers, find its strongest picture at that moment among 60, and reconstruct, as in the paper's figure 4. The channels are those that are purest in the trained network (see section 5 of the core).

# %%
from course_utils.labs.rendered import zfnet_checkpoints
from course_utils.lessons.l02_zfnet_deconvnet import purest

checkpoints = zfnet_checkpoints()  # {training steps: network}
sixty, sixty_targets = new.inputs[:60], new.targets[:60]
history = {step: maxima(network, sixty, RELUS) for step, network in checkpoints.items()}
with torch.no_grad():
    accuracies = [
        float((network(channels_inside(sixty)).argmax(dim=1) == sixty_targets).float().mean())
        for network in checkpoints.values()
    ]
followed = {
    name: purest(history[max(history)][name][0], sixty_targets, 1)[0] for name in ("relu2", "relu3", "relu5")
}

# %% tags=["hide-input"]
figure, axes = plots.grid(3, len(checkpoints), ratio=1.08)
for row, (name, k) in zip(axes, followed.items(), strict=True):
    size, jump = inside.receptive_field(model, name)
    for ax, (step, network) in zip(row, checkpoints.items(), strict=True):
        values, places = history[step][name]
        i = int(values[:, k].argmax())
        place = places[i, k]
        back = deconvnet(network, sixty[i : i + 1], name, k, tuple(place.tolist()))
        ax.imshow(inside.patch(inside.as_picture(back[0]), place.tolist(), size, jump))
    row[0].set_ylabel(f"{name}, channel {k}", fontsize=10)
for ax, step in zip(axes[0], checkpoints, strict=True):
    ax.set_title(f"{step} steps", fontsize=10)
figure.suptitle("The strongest activation of one channel of three layers, while the network learns")
plots.show(
    "Reconstructions of three channels at several training steps: noise or simple edges at first, patterns of "
    "an object at the end."
)

# %% [markdown]
# A sudden change in a row means that another picture, or another place, has become the strongest. How soon does each layer settle? For each channel, correlate its maxima in these 60 pictures with those of the trained network. 1 means that the same pictures excite it, in the same order of strength. A control: *another* channel of the young network.


# %%
def settled(now, final):
    """Mean over the channels of the correlation between two sets of maxima (pictures, channels)."""
    now, final = now - now.mean(dim=0), final - final.mean(dim=0)
    norm = now.norm(dim=0) * final.norm(dim=0)
    alive = norm > 1e-6 * norm.max()
    return float(((now * final).sum(dim=0)[alive] / norm[alive]).mean())


first, last = history[min(history)], history[max(history)]
another_channel = {name: settled(first[name][0].roll(1, dims=1), last[name][0]) for name in RELUS}
curves = {name: [settled(h[name][0], last[name][0]) for h in history.values()] for name in RELUS}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.1), width_ratios=(1.6, 1))
for name, curve in curves.items():
    axes[0].plot(list(checkpoints), curve, "o-", label=name)
axes[0].set(
    ylabel="correlation with\nthe trained channels", title="The lower layers start nearer, and settle first"
)
axes[0].legend(ncols=2, fontsize=9)
axes[1].plot(list(checkpoints), accuracies, "ko-")
axes[1].set(ylabel="accuracy", title="Accuracy on the 60 pictures")
for ax in axes:
    ax.set(xlabel="training steps of 64 pictures", xscale="log", ylim=(0, 1.03))
first_step = list(checkpoints)[1]
plots.show(
    f"Left: correlation of each layer's maxima with the trained ones; after {first_step} steps relu1 "
    f"{curves['relu1'][1]:.2f}, relu5 {curves['relu5'][1]:.2f}. Right: the accuracy rises at the same time."
)
early, late = min(checkpoints), list(checkpoints)[-2]
for name in RELUS:
    start, way = curves[name][0], (curves[name][-2] - curves[name][0]) / (1 - curves[name][0])
    print(
        f"{name}: after {early} steps {start:.2f} (another channel {another_channel[name]:.2f}); "
        f"after {late} steps {way:.0%} of the way from there to 1"
    )

# %% [markdown]
# The paper reports that lower layers settle within a few epochs and upper layers only after many; your curves show the same order. But most of what you see is where the curves *begin*: in the lower layers even another channel, after a few steps, puts the pictures in a similar order. Counted from there, `relu1` is ahead of `relu5`, but by much less.

# %% [markdown]
# ## 2 · What changes when the picture moves?
#
# The paper's figure 5: shift, enlarge and turn the picture, and measure how far the features move, as a share of their length: $\lVert f(Tx) - f(x) \rVert / \lVert f(x) \rVert$, where $f$ is the output of a layer, $x$ the picture and $Tx$ the moved picture.
#
# ### Exercise: predict, then run
#
# Which of the layers `relu1` to `relu6` changes least when the picture is shifted by 8 pixels? Write its name before you run the next cells. The check computes the answer from *your* run.

# %% exercise="most_stable_layer"
answer = None  # for example "relu3"
# BEGIN SOLUTION
answer = "relu6"
# END SOLUTION


# %%
from course_utils.lessons.l02_zfnet_deconvnet import transformed


def layer_changes(inputs, moved):
    """Mean relative change of each ReLU's output, and the scores of the moved pictures."""
    before, after, found = channels_inside(inputs), channels_inside(moved), {}
    with torch.no_grad():
        for name, module in model.named_children():
            before, after = module(before), module(after)
            if name.startswith("relu"):
                one, two = before.flatten(1), after.flatten(1)
                found[name] = float(((two - one).norm(dim=1) / one.norm(dim=1)).mean())
    return found, after


twenty, their_class = lab.inputs[:20], lab.targets[:20]
changes, _ = layer_changes(twenty, transformed(twenty, shift=8))
print({name: round(value, 2) for name, value in changes.items()})

# %%
exercises.most_stable_layer.check(answer, changes)

# %%
trials = {
    "shift": np.arange(-40, 41, 10),
    "scale": np.linspace(0.7, 1.8, 8),
    "angle": np.arange(-180, 181, 30),
}
another, _ = layer_changes(twenty, twenty.roll(1, dims=0))  # what another picture changes
moves, sure = {}, {}
for kind, amounts in trials.items():
    moves[kind], sure[kind] = [], []
    for amount in amounts:
        found, scores = layer_changes(twenty, transformed(twenty, **{kind: float(amount)}))
        moves[kind].append({name: value / another[name] for name, value in found.items()})
        sure[kind].append(float(scores.softmax(dim=1).gather(1, their_class[:, None]).mean()))

# %% tags=["hide-input"]
units = {"shift": "vertical shift (pixels)", "scale": "enlarged by the factor", "angle": "turned (degrees)"}
figure, axes = plt.subplots(2, 3, figsize=(10, 4.8), sharex="col", sharey="row")
for column, (kind, amounts) in enumerate(trials.items()):
    for name in ("relu1", "relu3", "relu5", "relu6"):
        axes[0, column].plot(amounts, [found[name] for found in moves[kind]], "o-", ms=3, label=name)
    axes[1, column].plot(amounts, sure[kind], "ko-", ms=3)
    axes[1, column].set(xlabel=units[kind], ylim=(0, 1.03))
axes[0, 0].set_ylabel("change of the layer\n(1: another picture)")
axes[1, 0].set_ylabel("probability of\nthe right class")
axes[0, 2].legend(fontsize=9, loc="lower right")
figure.suptitle(
    "Mean of 20 pictures: the last layer changes least when shifted or enlarged, but not when turned"
)
plots.show(
    "Change of four layers when pictures are shifted, enlarged and turned: relu1 jumps at once, relu6 changes "
    f"little for small moves. The probability of the right class falls to {min(sure['angle']):.2f} when turned."
)

# %% [markdown]
# Here each change is divided by the one that *another picture* brings, so that layers can be compared. The first layer changes strongly at the smallest move: another pixel, another number. For small moves, the change is smaller the higher the layer. For large shifts `relu1` to `relu5` change nearly as much as for another picture; only `relu6` stays far below. Rotation is another matter: at a quarter turn `relu6` changes as much as `relu5`, and the probability falls most.
# The training pictures were turned only a little; whether that is the reason, no cell here tests.
# The mirrored border is a part of the measurement, too: what moves in from outside was made by us.

# %% [markdown]
# ## 3 · Occlusion: cover a part, and watch
#
# A deconvnet shows what *could* have caused an activation. Occlusion tests it: slide a grey square over the picture, and see what changes.
#
# ### Exercise: occlusion
#
# Cover a square with zeros at each place (rows and columns `0, stride, 2·stride, …`, as long as the square fits), and return how far the score of the class falls.


# %% exercise="occlusion_scores"
def occlusion_scores(model, inputs, target, size, stride):
    """Score of the whole picture minus score of the covered one, (N, rows, columns).

    `target` is one class index.
    """
    # BEGIN SOLUTION
    with torch.no_grad():
        full = model(inputs)[:, target]
        rows = []
        for top in range(0, inputs.shape[2] - size + 1, stride):
            row = []
            for left in range(0, inputs.shape[3] - size + 1, stride):
                hidden = inputs.clone()
                hidden[:, :, top : top + size, left : left + size] = 0
                row.append(full - model(hidden)[:, target])
            rows.append(torch.stack(row, dim=1))
    return torch.stack(rows, dim=1)
    # END SOLUTION


# %%
exercises.occlusion_scores.check(occlusion_scores)

# %% [markdown]
# As in the paper's figure 7, watch two things at once: the strongest channel of `relu5` (its map, added up) and the probability of the right class. Black: the value is low when the square is centred there.

# %%
from course_utils.lessons.l02_zfnet_deconvnet import covered

shown = [1, 9, 3]  # a cat, a horse, a car
watched = []
for i in shown:
    x1, c = lab.inputs[i : i + 1], int(lab.targets[i])
    pictures, corners = covered(x1, 24, 13)
    with torch.no_grad():
        k = int(run_to(model, x1, "relu5")[0].amax(dim=(1, 2)).argmax())
        maps = torch.cat([run_to(model, channels_inside(some), "relu5") for some in pictures.split(27)])
        chances = torch.cat([model(channels_inside(some)) for some in pictures.split(27)]).softmax(dim=1)
    side = int(len(corners) ** 0.5)
    back = deconvnet(model, x1, "relu5", k)[0]
    watched.append((back, maps[:, k].sum(dim=(1, 2)).view(side, side), chances[:, c].view(side, side)))

# %% tags=["hide-input"]
figure, axes = plots.grid(3, 4, ratio=1.03, width=9)
for row, i, (back, total, chance) in zip(axes, shown, watched, strict=True):
    for ax, values in zip(row, (lab.images[i], inside.as_picture(back)), strict=False):
        ax.imshow(values)
    row[2].imshow(total, cmap=plots.SEQUENTIAL)
    row[3].imshow(chance, cmap=plots.SEQUENTIAL, vmin=0, vmax=1)
titles = ("picture", "deconvnet of its channel", "the channel, added up", "probability of the class")
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title, fontsize=10)
figure.suptitle("A grey square at each of 9 × 9 places: dark where it lowers the value")
plots.show(
    "Three pictures: where the square makes the strongest channel fall, the deconvnet had drawn its pattern; "
    "the probability of the class falls there too, for the horse at more places."
)

# %% [markdown]
# In these pictures the channel falls where the deconvnet had drawn, which is also where the object is. The probability (last column) falls at about the same place in some pictures, in others also at places that this channel does not need.
#
# ### Does this confirm the pattern?
#
# If the pattern that the deconvnet draws really causes the activation, then covering it must make the channel fall. So find, of 49 places, the square that lowers the channel most. How much of the reconstruction lies under that square?
#
# Two controls: the reconstruction of *another* channel (drawn by chance) that is active at the *same place*, and of that channel at *its own* strongest place.

# %%
from course_utils.lessons.l02_zfnet_deconvnet import most_harmful, share_in_square

torch.manual_seed(0)
rows = []  # of each picture: the channel, another one at the same place, another one at its own place
for x1 in tqdm(new.inputs[:20].split(1), desc="pictures"):
    with torch.no_grad():
        maps = run_to(model, x1, "relu5")[0]
    k = int(maps.amax(dim=(1, 2)).argmax())
    place = divmod(int(maps[k].argmax()), 16)
    active = [c for c in range(len(maps)) if c != k and maps[c][place] > 0]
    j = active[torch.randint(len(active), ())]
    corner = most_harmful(model, x1, "relu5", k, size=24, stride=16)
    starts = ((k, place), (j, place), (j, None))
    backs = torch.cat([deconvnet(model, x1, "relu5", c, at) for c, at in starts])
    rows.append((share_in_square(backs, corner, 24), backs, corner, k, j))

# %% tags=["hide-input"]
own, same_place, elsewhere = torch.stack([row[0] for row in rows]).T
print(f"share under the square, mean of {len(own)} pictures:")
print(f"  the channel itself                  {own.mean():.2f}")
print(
    f"  another channel, the same place     {same_place.mean():.2f}   minus the first: {judge.paired(same_place, own)}"
)
print(
    f"  another channel, its own place      {elsewhere.mean():.2f}   minus the first: {judge.paired(elsewhere, own)}"
)

# %% tags=["hide-input"]
figure, axes = plots.grid(1, 4, ratio=1.05)
n = int((same_place - elsewhere).argmax())
_, backs, corner, k, j = rows[n]
titles = (
    "the square that hurts most",
    f"channel {k}",
    f"channel {j}, same place",
    f"channel {j}, its own place",
)
drawn = (new.images[n], *(inside.as_picture(back) for back in backs))
for ax, title, picture in zip(axes[0], titles, drawn, strict=True):
    ax.imshow(picture)
    plots.draw_box(ax, (corner[1], corner[0], corner[1] + 24, corner[0] + 24), color="#e69f00")
    ax.set_title(title, fontsize=10)
figure.suptitle("One of the pictures: three reconstructions, and the same square in each")
plots.show(
    "A picture with the most harmful square, and three reconstructions with the same square: the channel's "
    "own and another one at the same place both lie at the square, the third lies elsewhere."
)

# %% [markdown]
# The reconstruction lies under the square more than that of a channel at another place. But another channel at the same place does nearly as well. So this test confirms the *place* of the activation, not the *pattern* that is drawn there.
#
# ### The square is a thing, too
#
# A grey, black or white square is itself a thing, and the network may take it for a part of some object. First the proof that our occlusion is the usual one (where squares overlap, a pixel gets the mean fall), then three colours, and as a control a slightly smaller grey square.

# %% tags=["nbval-check-output", "hide-input"]
from captum.attr import Occlusion

from course_utils.methods.occlusion import occlusion

batch, target = lab.inputs[shown], lab.targets[shown]
ours = occlusion(model, batch, target, 40, 22)
of_captum = Occlusion(model).attribute(
    batch, (3, 40, 40), (3, 22, 22), target=target, perturbations_per_eval=4
)
top = ours.abs().max()
judge.agreement_table([("captum Occlusion", ours / top, of_captum[:, 0] / top, "overlaps are averaged")])

# %%
colours = {"grey (0)": 0.0, "black (−1)": -1.0, "white (+1)": 1.0}
by_colour = {name: occlusion(model, batch, target, 24, 12, baseline=value) for name, value in colours.items()}
smaller = {"grey, 20 pixels": occlusion(model, batch, target, 20, 12)}  # the control: still grey
for name, maps in (by_colour | smaller).items():
    same = judge.rank_correlation(maps, by_colour["grey (0)"])
    print(f"{name:>15} and grey, 24 pixels: rank correlation {same.mean():.2f}")

# %% tags=["hide-input"]
plots.show_maps(
    list(lab.images[shown]),
    by_colour,
    signed=True,
    width=8,
    title="Covering lowers the score (red) or raises it (blue): squares of three colours",
)
plots.show(
    "Three pictures, each with occlusion maps by grey, black and white squares; the maps of a row differ."
)

# %% [markdown]
# ## 4 · Does the same part change the features in the same way?
#
# The paper asks: if we cover the *same part* in different pictures, do the features change in the same way? Let $f(x_i)$ be the features of picture $i$, $\tilde x_i$ the picture with the part covered, and $\varepsilon_i = f(x_i) - f(\tilde x_i)$ the change. Take
# its signs, and compare two pictures by the share of features whose signs differ, the Hamming distance $\mathcal{H}$:
#
# $$\Delta = \text{mean over pairs } (i, j),\, i \ne j, \text{ of } \mathcal{H}\big(\operatorname{sign} \varepsilon_i, \operatorname{sign} \varepsilon_j\big).$$
#
# Low means consistent.
#
# ### Exercise: the distance of signs


# %% exercise="sign_distance"
def sign_distance(changes):
    """Δ from the changes ε (N, K) of N pictures: the mean over all pairs of two different pictures."""
    # BEGIN SOLUTION
    signs, n = changes.sign(), len(changes)
    distance = (signs[:, None] != signs[None]).float().mean(dim=2)  # (N, N), zero on the diagonal
    return distance.sum() / (n * (n - 1))
    # END SOLUTION


# %%
exercises.sign_distance.check(sign_distance)

# %% [markdown]
# The paper used five photographs of dogs and covered eyes and noses by hand. Our pictures know their parts, so we can cover a part exactly. Controls: the same shape at a *random place*, and, stricter, *another part* of the same kind of object (the distance between pictures with part 1 covered and pictures with part 2 covered). A third tells the part from the object: a part of *another class*.
# And two covers: grey, as in the paper, and the picture itself, blurred so much that the part is gone but no new outline appears.

# %% tags=["hide-input"]
PARTS = {
    "cat": ("ear", "tail"),
    "horse": ("mane", "leg"),
    "bird": ("wing", "tail"),
    "fish": ("fin", "tail"),
    "car": ("wheel", "window"),
    "snail": ("shell", "antenna"),
    "mushroom": ("cap", "stem"),
    "ice cream": ("cone", "scoop"),
}
WHAT = ("same part", "another part", "another class", "random place")
deltas = {(way, what): [] for way in ("grey", "blurred") for what in WHAT}
firsts, sizes = {"grey": [], "blurred": []}, {"grey": [], "blurred": []}
rng = np.random.default_rng(0)


def change_of_maps(inputs, cover, fill):
    """Change of the mean of each map of relu5, when `cover` (N, H, W) is filled."""
    with torch.no_grad():
        both = [
            run_to(model, channels_inside(v), "relu5").mean(dim=(2, 3))
            for v in (inputs, torch.where(cover[:, None], fill, inputs))
        ]
    return both[0] - both[1]


def mean_distance(one, two):
    """Mean over pairs of two different pictures of the share of signs that differ."""
    distance = (one[:, None] != two[None]).float().mean(dim=2)
    return float(distance[~torch.eye(len(one), dtype=torch.bool)].mean())


# %%
for class_name, names in PARTS.items():
    numbers = [new.part_names.index(name) for name in names]
    visible = torch.stack([(new.parts == n).flatten(1).sum(dim=1) > 60 for n in numbers]).all(dim=0)
    ids = (visible & (new.targets == new.class_names.index(class_name))).nonzero()[:8, 0]
    inputs, covers = new.inputs[ids], [new.parts[ids] == n for n in numbers]
    moved = [
        torch.stack([m.roll(tuple(rng.integers(30, 98, 2).tolist()), (0, 1)) for m in c]) for c in covers
    ]
    for way, fill in (("grey", torch.zeros(())), ("blurred", judge.blur(inputs, 8))):
        own, strange = (
            torch.stack([change_of_maps(inputs, cover, fill) for cover in some]) for some in (covers, moved)
        )
        sizes[way].append([own.abs().mean().item(), strange.abs().mean().item()])
        firsts[way].append(own[0].sign())
        deltas[way, "same part"].append(np.mean([mean_distance(s, s) for s in own.sign()]))
        deltas[way, "random place"].append(np.mean([mean_distance(s, s) for s in strange.sign()]))
        deltas[way, "another part"].append(mean_distance(*own.sign()))

# %% tags=["hide-input"]
for way, signs in firsts.items():  # the first part of each class against that of each other class
    for s in signs:
        pairs = [(s[:, None] != t[None]).float().mean().item() for t in signs if t is not s]
        deltas[way, "another class"].append(np.mean(pairs))

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True)
for ax, way in zip(axes, ("blurred", "grey"), strict=True):
    columns = [deltas[way, what] for what in WHAT]
    ax.plot(range(4), np.array(columns), "o-", color=plots.BASELINE, alpha=0.7)
    ax.plot(range(4), np.mean(columns, axis=1), "s", color=plots.ACCENT, ms=9)
    ax.set_xticks(range(4), [what.replace(" ", "\n") for what in WHAT])
    ax.set(xlim=(-0.35, 3.35), title=f"{way} cover")
axes[0].set_ylabel("Δ (low: alike)")
figure.suptitle(
    "The same part changes the features most alike, then another part of that object, then one of another class"
)
plots.show(
    "A line for each of eight classes, and the mean. Blurred cover: the same part has the lowest distance, then "
    "another part, another class, a random place. Grey cover: the random place is nearer to the same part."
)
for way in ("blurred", "grey"):
    for what in WHAT[1:]:
        gap = judge.paired(np.array(deltas[way, what]), np.array(deltas[way, "same part"]))
        print(f"{way:>8}: {what} minus same part {gap}")
    of_part, of_place = np.mean(sizes[way], axis=0)
    print(f"{way:>8}: mean size of a change: the part {of_part:.3f}, random place {of_place:.3f}")

# %% [markdown]
# With the blurred cover, the same part changes the features more alike than another part does, and another part of the same object more alike than a part of another class. So a good share of the agreement belongs to the *object*, whatever the piece.
#
# The random place, which the paper used, is a weak control: the blurred shape changes hardly anything there (see the sizes), and the signs of tiny changes are nearly random. With the grey cover, which the paper used too, the gap to it is smaller; there a grey shape changes several times as much as a blurred one. How you take something away is a part of the experiment.

# %% [markdown]
# ## 5 · Which layers does it need, and do they help elsewhere?
#
# The paper removes layers, trains again, and looks at the error. That takes too long here, so we ask two cheaper questions.
#
# **Cut the top off.** Keep the first layers, throw away the rest, and train a new small head (one hidden layer) on what is left. At the same time ask a third question of the paper: *transfer*. Are the features of our drawn objects useful for something else? We take real handwritten digits (scikit-learn's), 20 of each for the training. The control: the same
# layers with *random* weights.


# %% tags=["hide-input"]
def head_errors(x, y, x_test, y_test, hidden=96, steps=60):
    """Errors (one a test picture) of a small head, trained on frozen features (N, D)."""
    torch.manual_seed(0)
    mean, spread = x.mean(dim=0), x.std(dim=0) + 1e-3 * x.std()
    head = nn.Sequential(nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Dropout(0.3), nn.Linear(hidden, 10))
    optimizer = torch.optim.Adam(head.parameters(), lr=4e-3, weight_decay=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(head((x - mean) / spread), y).backward()
        optimizer.step()
    with torch.no_grad():
        return (head.eval()((x_test - mean) / spread).argmax(dim=1) != y_test).float()


# %% tags=["hide-input"]
def frozen_features(network, inputs, layers=(*RELUS, "relu6")):
    """{layer: (N, D)}: each map averaged to 4×4 places."""
    found = {name: [] for name in layers}
    with torch.no_grad():
        for maps in inputs.split(20):
            maps = channels_inside(maps)
            for name, module in network.named_children():
                maps = module(maps)
                if name in found:
                    found[name].append(F.adaptive_avg_pool2d(maps, 4) if maps.ndim == 4 else maps)
    return {name: torch.cat(parts).flatten(1) for name, parts in found.items()}


# %% tags=["hide-input"]
from sklearn.datasets import load_digits

digits = load_digits()
generator = np.random.default_rng(0)
order = np.concatenate([generator.permutation(np.flatnonzero(digits.target == c))[:35] for c in range(10)])
small = torch.from_numpy(digits.images[order]).float()[:, None] / 8 - 1
images = F.interpolate(small, size=(128, 128), mode="bilinear").expand(-1, 3, -1, -1)
digit = torch.from_numpy(digits.target[order])
train = torch.arange(350) % 35 < 20

# %%
*_, (_, all_random) = judge.randomize_cascade(model)  # all weights new
tasks = {
    "our objects, trained layers": (model, new.inputs, new.targets, torch.arange(400) < 300),
    "our objects, random layers": (all_random, new.inputs, new.targets, torch.arange(400) < 300),
    "digits, trained layers": (model, images, digit, train),
    "digits, random layers": (all_random, images, digit, train),
}
errors = {}
for task, (network, inputs, targets, for_training) in tqdm(tasks.items(), leave=False):
    for name, x in frozen_features(network, inputs).items():
        parts = (x[for_training], targets[for_training], x[~for_training], targets[~for_training])
        errors[task, name] = head_errors(*parts)

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8.5, 3.2))
for task in tasks:
    ax.plot([float(errors[task, n].mean()) for n in (*RELUS, "relu6")], "o-", label=task)
ax.set_xticks(range(6), (*RELUS, "relu6"))
ax.set(xlabel="layers kept up to …", ylabel="error on unseen pictures", ylim=(0, None))
ax.legend(loc="upper right", bbox_to_anchor=(1, 0.85), ncols=2, fontsize=9)
ax.set_title("Depth pays for our objects if the layers are trained, and not for the digits", loc="left")
plots.show(
    "Error of a new head by depth. For our objects it falls with each trained layer and stays high with random ones; for digits depth does not help."
)
for name in ("relu2", "relu3", "relu5", "relu6"):
    gap = judge.paired(errors["digits, random layers", name], errors["digits, trained layers", name])
    print(f"digits, {name}: error with random layers minus with trained ones {gap}")

# %% [markdown]
# For our own objects, depth pays, and training makes the difference: with random layers the error stays high at every depth. For the digits depth does not pay: features that were trained on drawn objects are no better here than those of layers with random weights, and those of the last layer are clearly worse.
# The paper found that ImageNet features transfer well to other *photographs*. How far features carry depends on how near the two data sets are, and random layers are the control to have.
#
# **Take something out and do not train again.** Remove one layer (`conv4` keeps the shape of its maps, so we can leave it out).

# %%
without_four = nn.Sequential()
for name, module in model.named_children():
    if name not in ("conv4", "relu4"):
        without_four.add_module(name, module)
with torch.no_grad():
    for name, network in {"whole": model, "without conv4": without_four}.items():
        scores = torch.cat([network(channels_inside(part)) for part in lab.inputs.split(20)])
        print(f"{name:>14}: error {(scores.argmax(dim=1) != lab.targets).float().mean():.2f}")
for name, x in frozen_features(without_four, new.inputs, ("relu3", "relu5")).items():
    wrong = head_errors(x[:300], new.targets[:300], x[300:], new.targets[300:])
    print(f" without conv4, a new head on {name}: error {wrong.mean():.2f}")

# %% [markdown]
# A network that lost a layer *without* training is broken: the next layer gets numbers it has never seen. Even with a new head, its `relu5` is worth less than `relu3`, the layer before the gap: here `conv5` does harm. So whoever says "layer 4 is important, because the error rises without it" should say whether they trained again.

# %% [markdown]
# ## 6 · A look that led to a better first layer
#
# The authors looked at the first two layers of AlexNet and saw defects: *dead filters* in the first, and in the second *aliasing*, from the large stride of 4. They replaced its 11×11 filters at stride 4 by 7×7 filters at stride 2, and report a lower error. Our network has the improved first layer. Its filters, each on its own scale:

# %% tags=["hide-input"]
filters = model.conv1.weight.detach()
by_strength = filters.flatten(1).norm(dim=1).argsort(descending=True)
figure, ax = plt.subplots(figsize=(10, 1.75))
ax.imshow(inside.tiles([inside.as_picture(filters[k], percentile=100) for k in by_strength], columns=16))
plots.bare(ax)
ax.set_title("The 7×7 filters of the trained network, strongest first", fontsize=11)
plots.show("32 small colour filters. A few show an edge or a colour spot; most look like noise to the eye.")
active = (maxima(model, new.inputs[:100], ["relu1"])["relu1"][0] > 0).any(dim=0)
print(f"filters that are never active on 100 pictures: {int((~active).sum())} of {len(filters)}")

# %% [markdown]
# No filter is dead. Most look like noise to the eye.
#
# What is aliasing? Take one filter that likes fine stripes (five pixels from one to the next), and a test picture whose stripes get finer from the middle outwards. The filter should answer on two arcs, where the stripes have its width. A stride of 4 looks only at each fourth place.

# %%
ramp = torch.arange(192) - 95.5
radius = torch.hypot(ramp[:, None], ramp[None])
rings = torch.cos(np.pi * radius**2 * 0.25 / 95.5)  # 0.25 waves a pixel at the border
stripes = torch.cos(2 * np.pi * 0.2 * (torch.arange(11) - 5.0))
bump = torch.exp(-((torch.arange(11) - 5.0) ** 2) / 8)
gabor = (bump[:, None] * (bump * (stripes - (stripes * bump).sum() / bump.sum()))[None])[None, None]
answers = {s: F.conv2d(rings[None, None], gabor, stride=s)[0, 0] for s in (1, 2, 4)}

# %% tags=["hide-input"]
figure, axes = plots.grid(1, 4, ratio=1.08)
axes[0, 0].imshow(rings, cmap="gray")
axes[0, 0].set_title("stripes, finer and finer", fontsize=10)
for ax, (s, values) in zip(axes[0, 1:], answers.items(), strict=True):
    plots.show_heat(ax, values, signed=True, title=f"the filter's answer, stride {s}")
plots.show(
    "Rings that get finer outwards, and a filter's answer: fine stripes at stride 1 and 2; at stride 4 broad "
    "stripes that are not in the picture."
)

# %% [markdown]
# At stride 2 the fine stripes are just kept: near the border there are so few samples a wave that they look like broad circles to the eye. At stride 4 broad stripes appear that are not there: that is aliasing, and from this map alone no later layer can undo it. A stride of $s$ can keep waves of at least $2s$ pixels. How much of the answers of our trained filters would be too fine for a stride?


# %%
def too_fine_share(convolution, inputs, stride):
    """Share of the power of the answers, at stride 1, in waves that are too fine for a stride."""
    with torch.no_grad():
        answer = F.conv2d(inputs, convolution.weight, padding=convolution.padding)
        power = torch.fft.fft2(answer - answer.mean(dim=(2, 3), keepdim=True)).abs() ** 2
    rows, columns = (torch.fft.fftfreq(n).abs() for n in answer.shape[2:])
    too_fine = torch.maximum(rows[:, None], columns[None]) > 1 / (2 * stride)
    return float((power * too_fine).sum() / power.sum())


for s in (2, 4):
    print(
        f"stride {s}: {too_fine_share(model.conv1, lab.inputs[:20], s):.0%} of the power is too fine for it"
    )

# %% [markdown]
# So at stride 4 the same filters would turn much more of their answers into something that is not in the picture. Whether this costs accuracy needs two trained networks; the paper trained them.
#
# ### The overlapping windows, counted
#
# The core says that about half of the maxima are shared by several pooling windows. Here is the count (a window of zeros has no maximum to speak of and is left out).

# %% tags=["hide-input"]
with torch.no_grad():
    for pool, below in (("pool1", "relu1"), ("pool2", "relu2"), ("pool5", "relu5")):
        maps = run_to(model, new.inputs[:20], below)
        values, switches = F.max_pool2d(maps, 3, 2, 1, return_indices=True)
        shared = []
        for value, switch in zip(values.flatten(0, 1), switches.flatten(0, 1), strict=True):
            used = switch[value > 0]
            shared.append((used.bincount(minlength=1)[used] > 1).float())
        print(
            f"{pool}: {torch.cat(shared).mean():.0%} of the positive maxima are the maximum of another window too"
        )

# %% [markdown]
# ## 7 · Where it breaks: a ReLU that is not a module
#
# The rules of the core hang on modules. If a network calls `torch.relu` as a function, no hook can reach it. captum then lets the plain gradient pass at that place and says nothing about it. The course's function refuses.


# %%
import warnings

from captum.attr import GuidedBackprop

from course_utils.methods.deconvnet import guided_backprop


class WithFunction(nn.Module):
    """The same network, but its last ReLU is a function call."""

    def __init__(self, network):
        super().__init__()
        self.body, self.last = network[:-2], network[-1]

    def forward(self, x):
        return self.last(torch.relu(self.body(x)))


# %%
changed = WithFunction(model)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # captum announces each hook that it sets
    right, half_guided = (GuidedBackprop(network).attribute(batch, target) for network in (model, changed))
print("the same scores:", torch.allclose(changed(batch), model(batch), atol=1e-5))
print(
    f"the map is off by up to {(half_guided - right).abs().max() / right.abs().max():.0%} of its largest value"
)
try:
    guided_backprop(changed, batch, target)
except ValueError as error:
    print("course_utils:", str(error).split(" (")[0])

# %% [markdown]
# ## 8 · A bug that is copied
#
# For the plain gradient no hook is needed. Still, one line is often wrong.
#
# ### Exercise: find the bug
#
# The function below should return the gradient of the class *score* for each picture. It is copied from one tutorial to the next, it runs, and its maps look good. Change it so that it explains the class, and so that
# a picture's map does not depend on the other pictures of the batch.


# %% exercise="score_gradient"
def score_gradient(model, inputs, target):
    """The gradient (N, C, H, W) of each picture's score for the class `target` (an int)."""
    # BEGIN STUB
    # inputs = inputs.clone().requires_grad_()
    # outputs = model(inputs)
    # loss = F.cross_entropy(outputs, torch.full((len(inputs),), target))
    # loss.backward()
    # return inputs.grad
    # END STUB
    # BEGIN SOLUTION
    inputs = inputs.clone().requires_grad_()
    score = model(inputs)[:, target].sum()  # each score depends on its own picture only
    return torch.autograd.grad(score, inputs)[0]
    # END SOLUTION


# %%
exercises.score_gradient.check(score_gradient)

# %% [markdown]
# ## 9 · Recap
#
# - Lower layers settle earlier in training than upper ones. Most of the difference is there at the start.
# - For small moves, upper layers change less. For large shifts only the last layer does; turned far, not even that one.
# - Occlusion tests *where* an activation comes from, not the pattern. The colour of the square is a part of the question.
# - Hiding the same part has a consistent effect, and a good share of it belongs to the object: another part of it has a similar one.
# - Removing a layer without training again breaks the network, and says little about the layer.
# - A rule on modules misses a ReLU that is a function. A map of the loss is not a map of the score.
#
# Back to the core: [02 · Deconvnet](02_zfnet_deconvnet.ipynb). With all the numbers of one place: [02c · One number at a time](02c_one_number_at_a_time.ipynb).
