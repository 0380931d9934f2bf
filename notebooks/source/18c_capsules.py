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
# # 18c · Capsules: numbers that should be a pose, and what a layer forgets
#
# **The question.** A capsule network is built so that some of its numbers stand for the pose of a thing: how it is turned, where it is. Do they? And what of the pose is left in an ordinary network?
#
# **After this companion you can**
# - say what a capsule, its squash function and routing by agreement are;
# - test a sentence like "this number follows the angle" against the controls that it needs;
# - see from the coupling coefficients whether the routing routes;
# - measure in nats how much of a factor can still be read from a layer.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [18 · Who ordered these axes?](18_latent_axes.ipynb); nats and mutual information from its section 5 or from [18b](18b_mutual_information.ipynb).
#
# All networks are trained while you read, in seconds.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.exercises import l18_latent_axes as exercises
from course_utils.lessons import l18c_capsules as lesson
from course_utils.methods import capsules
from course_utils.teach import plots, widgets

data = lesson.split()  # 1,200 handwritten digits for training, 597 for tests
test = lesson.turned(data.test_pictures, data.test_labels, seed=1)  # turned by a random angle

# %% [markdown]
# ## 1 · A puzzle: a correlation of 0.97
#
# The digits of lesson 18, 8 × 8 pixels with an empty margin. Each is turned by an angle between −40 and 40 degrees. Each picture then has two known factors: its *class*, 0 to 9, and its *angle*.

# %% tags=["hide-input"]
plots.show_images(list(lesson.series(data.test_pictures[[0, 5]])[:, 0].numpy()),
                  [f"{a:.0f}°" for a in lesson.ANGLES] * 2, columns=9,
                  title="Two digits at the nine angles that we use for tests", width=9.5)  # fmt: skip
plots.show("Two rows of nine pictures: a digit turned step by step from −40 to 40 degrees.")

# %% [markdown]
# A capsule network has, for each class, a group of 8 numbers, called a capsule. We turn a digit step by step and look at the capsule of its class. For each of the 8 numbers we compute the correlation $r$ with the angle, and take the largest $|r|$. Mean over the test pictures:

# %%
net = lesson.trained("capsules")  # a few seconds
numbers = lesson.winning_numbers(net, data.test_pictures, data.test_labels)  # picture, angle, number
best = lesson.follow(numbers).abs().amax(dim=1).mean().item()
print(f"largest |r| of 8 numbers: {best:.2f}")

# %% [markdown]
# "One number of the capsule follows the angle with $|r|$ = 0.97." Is that a discovery about capsules? First guess what a control will say.

# %% tags=["hide-input"]
exercises.best_of_eight

# %%
controls = {
    "capsules, not trained": lesson.winning_numbers(
        lesson.untrained("capsules"), data.test_pictures, data.test_labels
    ),
    "8 pixels by lot": lesson.pixels_by_lot(data.test_pictures),
}
for name, values in controls.items():
    print(f"{name:<22} {lesson.follow(values).abs().amax(dim=1).mean().item():.2f}")

# %% [markdown]
# Without any training it is nearly as high. The number is true and says little: nine smooth steps, and the best of eight chosen after the fact, for each picture anew. Section 5 asks in a better way. First, what is a capsule?

# %% [markdown]
# ## 2 · A vector instead of a number
#
# In an ordinary network, a unit says *how sure* it is that its thing is there. A **capsule** is a vector (Sabour, Frosst and Hinton, 2017). Its *length*, between 0 and 1, says how sure it is; its *direction* shall say what the thing is like, its **pose**. The **squash function** makes the length fit. For a vector $s$ with the length $n = \lVert s\rVert$:
#
# $$\text{squash}(s) = \frac{n^2}{1 + n^2}\; \frac{s}{n} .$$
#
# ### Exercise: squash


# %% exercise="squash"
def squash(s):
    """Vectors of the same directions with lengths n² / (1 + n²); a vector's numbers stand in the last axis."""
    # BEGIN SOLUTION
    n2 = s.square().sum(dim=-1, keepdim=True)
    return n2 / (1 + n2) * s / n2.sqrt()
    # END SOLUTION


# %%
exercises.squash.check(squash)

# %% [markdown]
# Our small network has 32 *lower* capsules $u_l$ (squashed numbers of two convolutions; two at each of 4 × 4 places) and 10 *upper* ones $v_j$, one a class. Each has 8 numbers. With a learnt matrix $W_{lj}$, lower capsule $l$ gives a **vote** $W_{lj}\, u_l$ on what upper capsule $j$ should be. An upper capsule is the squashed, weighted sum of its votes:
#
# $$v_j = \text{squash}\Big(\sum_l c_{lj}\, W_{lj}\, u_l\Big).$$
#
# The weights $c_{lj} \ge 0$ are the **coupling coefficients**. For each lower capsule they add up to 1 over the ten upper ones. The lengths of the ten upper capsules are the network's answer: its *margin loss* asks for at least 0.9 from the right one and at most 0.1 from the others. During training a decoder also draws the picture from the capsule of the right class alone, and the squared error of the drawing is added to the loss.

# %% [markdown]
# ## 3 · Routing by agreement
#
# The coupling coefficients are not learnt. They are computed for each picture, in a loop. Begin with logits $b_{lj} = 0$. Then, three times:
#
# 1. $c_{lj}$ = softmax of $b_{lj}$ over the upper capsules $j$;
# 2. $v_j$ = squash of the weighted sum of votes;
# 3. add to $b_{lj}$ the inner product of the vote with $v_j$: who agrees with the result gets more weight.
#
# The idea: a nose and a mouth that vote for the same face, at the same place and angle, find each other. After "one iteration" all coefficients are still equal, $1/10$: the **uniform coupling**.
#
# ### Exercise: find the bug
#
# This routing runs, trains, and looks right. One line is wrong. `votes` has the axes picture, lower capsule, upper capsule, number.


# %% exercise="mend_routing"
def mend_routing(votes, n_iterations):
    """The upper capsules (N, upper, d) after routing by agreement."""

    # BEGIN STUB
    # def squashed(s):
    #     n2 = s.square().sum(dim=-1, keepdim=True)
    #     return s * n2.sqrt() / (1 + n2)
    #
    # logits = torch.zeros_like(votes[..., 0])
    # for _ in range(n_iterations):
    #     coupling = logits.softmax(dim=1)
    #     upper = squashed((coupling[..., None] * votes).sum(dim=1))
    #     logits = logits + (votes * upper[:, None]).sum(dim=-1)
    # return upper
    # END STUB
    # BEGIN SOLUTION
    def squashed(s):
        n2 = s.square().sum(dim=-1, keepdim=True)
        return s * n2.sqrt() / (1 + n2)

    logits = torch.zeros_like(votes[..., 0])
    for _ in range(n_iterations):
        coupling = logits.softmax(dim=2)
        upper = squashed((coupling[..., None] * votes).sum(dim=1))
        logits = logits + (votes * upper[:, None]).sum(dim=-1)
    return upper
    # END SOLUTION


# %%
exercises.mend_routing.check(mend_routing)

# %% [markdown]
# With the softmax over the wrong axis, the lower capsules compete for each upper one. No error is raised, and such a network trains, because the learnt matrices adapt. If you see its accuracy alone, you cannot know that a better one was possible. What shows the wrong axis is a sum that should be 1.
#
# ### The proof
#
# The course's routing against a plain loop with NumPy, and against two identities: each lower capsule's coefficients add up to 1, and one iteration is the squashed mean of the votes (times lower / upper).


# %% tags=["by-hand"]
def route_in_loops(votes, n_iterations):
    """Upper capsules of one picture, from votes (lower, upper, d)."""
    n_lower, n_upper, _ = votes.shape
    b = np.zeros((n_lower, n_upper))
    for _ in range(n_iterations):
        c = np.array([np.exp(row) / np.exp(row).sum() for row in b])
        v = []
        for j in range(n_upper):
            s = sum(c[i, j] * votes[i, j] for i in range(n_lower))
            n = np.sqrt(s @ s)
            v.append(n**2 / (1 + n**2) * s / n)
        for i in range(n_lower):
            for j in range(n_upper):
                b[i, j] += votes[i, j] @ v[j]
    return np.array(v)


# %% tags=["nbval-check-output"]
votes = torch.randn(1, 6, 4, 8, generator=torch.Generator().manual_seed(0))
upper, coupling = capsules.route(votes, 3)
judge.agreement_table(
    [
        ("plain loops", upper[0], torch.tensor(route_in_loops(votes[0].double().numpy(), 3)), "three iterations"),
        ("sums of the coupling", coupling.sum(dim=2), torch.ones(1, 6), "identity: 1 for each lower capsule"),
        ("one iteration", capsules.route(votes, 1)[0], capsules.squash(votes.mean(dim=1) * 6 / 4), "identity: the mean vote"),
    ]
)  # fmt: skip

# %% [markdown]
# ## 4 · Does the routing route?
#
# If it does, the coefficients differ: a lower capsule sends its vote to few upper ones. A measure is their entropy, $-\sum_j c_{lj} \ln c_{lj}$. It is 0 if everything goes to one upper capsule, and $\ln 10 = 2.303$ nats for the uniform coupling.
#
# Three seeds (first weights, split and angles), each trained with three iterations and with uniform coupling. As a baseline, an ordinary network with the same convolutions and 80 ordinary features. All see the same pictures.

# %%
pairs = {}
for seed in (0, 1, 2):
    part = lesson.split(seed)
    new = lesson.turned(part.test_pictures, part.test_labels, seed + 1)
    routed, uniform = (lesson.trained(kind, seed) for kind in ("capsules", "capsules, uniform"))
    coupling = routed.layers(new.pictures)["coupling"]
    pairs[seed] = {
        "entropy": capsules.coupling_entropy(coupling).mean().item(),
        "to the right": coupling[torch.arange(len(coupling)), :, new.labels].mean().item(),
        "by lot": lesson.coupling_by_lot(routed, new),
        "length": [lesson.right_length(routed, new, k) for k in (1, 3, 10)],
        "uniform": lesson.accuracy(uniform, new),
        "ordinary": lesson.accuracy(lesson.trained("ordinary", seed), new),
        **{k: lesson.accuracy(routed, new, k) for k in (1, 3, 10)},
    }

# %% tags=["hide-input"]
print("      coupling | share of pictures classified rightly        | length of the right capsule,")
print("      entropy  | trained:            trained with 3, tested with  | the same three")
print("seed  (2.303)  | ordinary  uniform        1       3      10        |    1      3     10")
for seed, p in pairs.items():
    lengths = "   ".join(f"{n:.2f}" for n in p["length"])
    print(f"{seed}     {p['entropy']:.3f}    |   {p['ordinary'].mean():.3f}    {p['uniform'].mean():.3f}      "
          f"{p[1].mean():.3f}   {p[3].mean():.3f}   {p[10].mean():.3f}      |   {lengths}")  # fmt: skip
print("\nseed   the right class gets of a vote   coefficients dealt by lot: accuracy, length")
for seed, p in pairs.items():
    print(
        f"{seed}               {p['to the right']:.3f}                                  {p['by lot'][0]:.3f}    {p['by lot'][1]:.2f}"
    )

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8, 2.9))
compared = {
    "trained and tested with 3,\nminus trained and tested uniform": [p[3] - p["uniform"] for p in pairs.values()],
    "tested with 3, minus uniform\n(the same network)": [p[3] - p[1] for p in pairs.values()],
    "tested with 10, minus 3\n(the same network)": [p[10] - p[3] for p in pairs.values()],
}  # fmt: skip
for j, differences in enumerate(compared.values()):
    for k, d in enumerate(differences):
        width = 1.96 * d.std() / np.sqrt(len(d))
        ax.errorbar(d.mean(), j + 0.18 * (k - 1), xerr=width, fmt="o", color=plots.COLOURS[k], capsize=3,
                    label=f"seed {k}" if j == 0 else None)  # fmt: skip
ax.axvline(0, color=plots.BASELINE)
ax.set_yticks(range(3), compared, fontsize=9)
ax.invert_yaxis()
ax.set(xlabel="difference in accuracy, paired over 597 test pictures, with 95 % intervals")
ax.legend(fontsize=9)
plots.show(
    "Paired differences in accuracy for three seeds. "
    + " ".join(
        f"{name.replace(chr(10), ' ')}: {', '.join(f'{d.mean():+.3f}' for d in ds)}."
        for name, ds in compared.items()
    )
)

# %% [markdown]
# **The routing hardly routes.** The entropy is less than one per cent below that of the uniform coupling: on average a lower capsule sends about a tenth of its vote everywhere. Yet entropy is flat near its maximum, and hides what is left: the right class gets 13 % of a vote. That is no noise. Deal each lower capsule's coefficients out anew by lot, and the right capsule is as short as without routing (second table). Switch the routing off in the trained network: the right capsule becomes shorter (first table), but the others do, too, and the accuracy hardly changes, with either sign (middle). So the routing makes the answer louder, and seldom another one. Ten iterations make the right capsule longer still, and the accuracy mostly *worse* (below).
#
# The upper row is another question: networks *trained* with three iterations are a little better here than those trained with uniform coupling, after equally many steps. With six times as many steps (measured outside this lesson) the lead is smaller, and the coefficients are still nearly equal; but a network trained so long is a little worse when its routing is switched off. That is not what the idea promised: parts that find their whole, picture by picture. Paik, Kwak and Kim (2019) compared five routing algorithms: they often gave worse answers than uniform or random coupling, and more iterations made the coefficients extreme, mostly without another answer.
#
# We let no gradient flow through the agreement. The authors' program lets it flow; with it the coefficients stay as equal.
#
# The ordinary network is better than all of them after these few steps. We do not compare them further: the question is what can be read inside.
#
# A picture of coupling coefficients as arrows from parts to wholes would explain a choice that is hardly made. **Look at the entropy before you draw the arrows.**

# %% [markdown]
# ## 5 · The pose claim, asked in a better way
#
# A number that *is* the pose must mean the same in every picture of its class: somebody else's 3, turned by 20 degrees, gives the same value. So choose, for each class, one of the 8 numbers and its sign on **half** of the test pictures, over all pictures and angles at once. Then compute $r$ with the angle on the **other half**, where nothing was chosen. Mean over the ten classes.
#
# The controls:
# - the same network **not trained**;
# - the **ordinary** network of section 4: its 80 features in ten groups of 8, a cross-entropy loss, and no lengths, votes and routing;
# - both networks **with and without the drawing** in the loss. The drawing from the right group alone is a part of the training that has nothing to do with capsules;
# - the trained capsule with its **axes turned by lot**: the same vectors, described by 8 other numbers (20 turns, their mean);
# - pixels.

# %%
kinds = ("capsules", "capsules, nothing drawn", "ordinary", "ordinary, drawing")
asked = {kind: lesson.trained(kind) for kind in kinds}
asked["capsules, not trained"] = lesson.untrained("capsules")
values = {
    kind: [lesson.winning_numbers(model, data.test_pictures, data.test_labels)]
    for kind, model in asked.items()
}
values["capsules, axes turned"] = [lesson.turn_axes(*values["capsules"], seed) for seed in range(20)]
values["8 pixels by lot"] = [lesson.pixels_by_lot(data.test_pictures)]
values["all 144 pixels"] = [lesson.pixels_by_lot(data.test_pictures, 144)]

# %% tags=["hide-input"]
after = {k: np.mean([lesson.follow(v).abs().amax(dim=1).mean() for v in vs]) for k, vs in values.items()}
before = {k: np.mean([lesson.one_number(v, data.test_labels) for v in vs]) for k, vs in values.items()}
own, turns = values["capsules"][0], values["capsules, axes turned"]
better = sum(lesson.one_number(t, data.test_labels) > before["capsules"] for t in turns)
part, by_lot = (np.mean([lesson.largest_part(v, data.test_labels) for v in vs]) for vs in ([own], turns))
print(f"turns by lot with a number that follows better than the capsule's own: {better} of {len(turns)}")
print(
    f"largest number of a mean capsule, divided by its length: {part:.2f}; after a turn by lot: {by_lot:.2f}"
)
figure, ax = plt.subplots(figsize=(8, 3.2))
y = np.arange(len(values))
ax.plot(list(after.values()), y, "o", color=plots.BASELINE, label="best for each picture, chosen afterwards")
ax.plot(
    list(before.values()), y, "D", color=plots.ACCENT, label="one for all pictures of a class, chosen before"
)
ax.set_yticks(y, values)
ax.invert_yaxis()
ax.set(xlabel="correlation with the angle", xlim=(0.4, 1.02))
figure.legend(loc="outside lower center", ncols=2, fontsize=9)
plots.show(
    "Correlation with the angle, chosen afterwards and chosen before: "
    + ", ".join(f"{k} {after[k]:.2f} and {before[k]:.2f}" for k in values)
    + "."
)

# %% [markdown]
# Chosen afterwards (grey), everything follows the angle. Chosen before (blue), the rows differ:
#
# - One number of the trained capsule tells the angle of *new* pictures better than one of the untrained capsule, and much better than one of 8 ordinary features. So the capsule holds the angle.
# - But **its own axes are no better than axes by lot**. They are even worse: nearly every turn by lot has a number that follows the angle better (line above the figure). The vector keeps the angle; no number of it was made for it.
# - A large part comes from the **drawing**. Without it, the capsules fall back to about the untrained ones; with it, the ordinary network's groups gain as well. Whoever must draw the picture from 8 numbers has to keep the angle there.
# - One **pixel** of 144, chosen for each class, does about as well: its grey changes as the digit leans over it. Nobody would call it a pose.
#
# So the claim "a number follows the angle" holds, and it is a weak claim. What the pixel cannot do: be turned like a knob, and draw the digit at another angle. Section 7 tries that.
#
# Lesson 18 gives the reason: nothing in this loss orders the axes. The votes pass through learnt matrices, and the decoder can undo any turn of the 8 numbers; squash and routing use lengths and inner products alone, which no turn changes.
#
# Why are the own axes *worse*, then? Because of the optimiser. Adam moves each number by steps of about the same size, and spreads a capsule evenly over its numbers: the largest one of a mean capsule is less than half of its length; after a turn by lot it is about 0.65. Trained by gradient descent with momentum instead, four times as long and as accurate, capsules have about 0.64 on their own axes, too, and these follow the angle about as well as turned ones (measured outside this lesson). What an axis means may come from the training's recipe.

# %% [markdown]
# ## 6 · What has a layer forgotten?
#
# Correlations ask for *one number*. Now ask the layer as a whole: how much of a factor can a reader still find in it? The true mutual information of a factor $f$ and a layer can only fall from layer to layer, since each layer is computed from the one before. But nobody can count cells in 80 dimensions (18b). A bound that can be computed: train a **readout** (a [probe](11d_probing_and_search.ipynb)) that gives probabilities $q(f)$ from the layer's numbers, here a linear one (logistic regression). On *new* pictures
#
# $$I \;\ge\; H(f) - \text{cross-entropy}, \qquad \text{cross-entropy} = -\frac1N \sum_i \ln q_i(f_i),$$
#
# where $H(f)$ is the factor's entropy, $f_i$ the true value for picture $i$ of $N$, and $q_i(f_i)$ the probability that the readout gave to it (Barber and Agakov, 2003). So the cross-entropy is what the layer does not tell, at most: what was *forgotten*, and what the picture never told (nobody knows how upright the writer's own digit was). The readout may be too simple, then the truth is better.
#
# ### Exercise: nats that were read


# %% exercise="nats_read"
def nats_read(probabilities, factor):
    """H(f) − cross-entropy in nats. Probabilities (N, values), factor (N,): whole numbers from 0."""
    # BEGIN SOLUTION
    shares = np.bincount(factor) / len(factor)
    shares = shares[shares > 0]
    told = np.log(probabilities[np.arange(len(factor)), factor]).mean()
    return float(-(shares * np.log(shares)).sum() + told)
    # END SOLUTION


# %%
exercises.nats_read.check(nats_read)

# %% [markdown]
# Two factors: the class ($\ln 10 = 2.30$ nats) and the angle, in four equal parts of its range ($\ln 4 = 1.39$ nats). The readouts learn on the turned training pictures and are judged on the test pictures. The control is a readout that learns with *shuffled* factors.

# %%
known = lesson.turned(data.pictures, data.labels, seed=2)
factors = {
    "class": (known.labels.numpy(), test.labels.numpy()),
    "angle": (lesson.quarter(known.degrees), lesson.quarter(test.degrees)),
}
readers = {
    "capsules": lesson.trained("capsules"),
    "ordinary": lesson.trained("ordinary"),
    "capsules, not trained": lesson.untrained("capsules"),
}
names = ("pixels", "convolutions", "80 numbers", "ten scores")
read, shuffled = {}, {}
for kind, model in readers.items():
    old, new = model.layers(known.pictures), model.layers(test.pictures)
    for factor, (f, g) in factors.items():
        rng = np.random.default_rng(0)
        mixed_f, mixed_g = rng.permutation(f), rng.permutation(g)
        read[kind, factor] = [lesson.read_out(old[n], f, new[n], g) for n in names]
        shuffled[kind, factor] = [lesson.read_out(old[n], mixed_f, new[n], mixed_g) for n in names]

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6))
for ax, factor, most in zip(axes, factors, (np.log(10), np.log(4)), strict=True):
    for kind, style, colour in zip(readers, ("o-", "s--", "^:"), plots.COLOURS, strict=False):
        ax.plot(read[kind, factor], style, color=colour, label=kind)
    ax.plot(np.maximum(0, np.max([shuffled[k, factor] for k in readers], axis=0)), "x", color=plots.BASELINE,
            label="shuffled (largest of three)")  # fmt: skip
    ax.axhline(most, color=plots.BASELINE, linewidth=1)
    ax.set_xticks(range(4), [n.replace(" ", "\n") for n in names], fontsize=9)
    ax.set(ylim=(-0.1, most + 0.15), ylabel="nats read")
    ax.set_title(f"{factor} (line: all there is, {most:.2f})", loc="left", fontsize=10)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
plots.show(
    "Nats that a linear readout finds in pixels, convolutions, 80 numbers and ten scores. "
    + " ".join(f"{f} in {k}: {', '.join(f'{v:.2f}' for v in read[k, f])}." for k in readers for f in factors)
    + f" Shuffled: at most {max(max(v) for v in shuffled.values()):.2f}."
)

# %% [markdown]
# - **Class** (left): the pixels hold nearly all of it, and a linear reader finds only a part. The convolutions *unfold* it: they contain no more, but it is easier to read, and about half of this gain or more comes without any training. In the 80 numbers only the trained networks still have it so readable. What rises is readability, never information.
# - **Angle** (right): it is forgotten on the way, and nearly nothing is left in the trained networks' ten scores. Neither network was told to forget it. The scores are asked for the class alone, and digits at all angles must get the same answer.
# - In their 80 numbers, **both networks keep about as much of the angle**. The capsules have it in one number better than the ordinary network has (section 5); the layer as a whole does not hold much more. About the same information, at other places.
# - The **untrained** network forgets the angle least. "The layer keeps the pose" is therefore no achievement of training; keeping the pose *and* making the class readable is.
#
# The readout is linear, and the curves are lower bounds. A falling curve may also mean: harder to read.

# %% [markdown]
# ## 7 · Play: turn one number, let the decoder draw
#
# Take a test picture's capsule, add something to one of its 8 numbers, and let the decoder draw. Which number turns the digit? Does the same number turn another picture of the class?


# %%
def draw_changed(picture, number, added):
    label = data.test_labels[[picture]]
    numbers = net.layers(data.test_pictures[[picture]])["80 numbers"].clone()
    numbers[0, label, number - 1] += added
    drawn = lesson.draw(net, numbers, label).reshape(12, 12)
    plots.show_images([data.test_pictures[picture, 0].numpy(), drawn.numpy()], ["shown", f"number {number}: {added:+.2f}"],
                      columns=2, width=4.2, title=f"a {label.item()}")  # fmt: skip
    plots.show(
        f"A handwritten {label.item()}, and what is drawn when number {number} of its capsule is changed by {added:.2f}."
    )


widgets.explore(
    draw_changed,
    picture=widgets.slider("picture", 0, 99, 5),
    number=widgets.slider("number", 1, 8, 1),
    added=widgets.slider("added", -0.4, 0.4, 0.2, 0.05),
)

# %% tags=["hide-input"]
first = 5
second = next(k for k in range(first + 1, 597) if data.test_labels[k] == data.test_labels[first])
r = lesson.follow(numbers[[first]])[0].abs()
most, least = r.argmax().item(), r.argmin().item()
steps = np.linspace(-0.3, 0.3, 7)
drawn, titles = [], []
for picture, number in ((first, most), (second, most), (first, least)):
    label = data.test_labels[[picture]]
    changed = net.layers(data.test_pictures[[picture]])["80 numbers"].repeat(7, 1, 1)
    changed[:, label.item(), number] += torch.tensor(steps, dtype=torch.float32)
    row = lesson.draw(net, changed, label.repeat(7)).reshape(7, 12, 12)
    drawn += list(row.numpy())
    titles += [f"{a:+.1f}: {lesson.lean(d, row[3]):+.0f}°" for a, d in zip(steps, row, strict=True)]
plots.show_images(drawn, titles, columns=7, width=9.5, title=(
    f"Rows 1 and 2: number {most + 1}, which follows the angle most, in two pictures of a {label.item()}. "
    f"Row 3: number {least + 1}"))  # fmt: skip
plots.show(
    f"Three rows of seven drawings of a {label.item()}; above each, what was added and the turn that it resembles: "
    + "; ".join(", ".join(titles[k : k + 7]) for k in (0, 7, 14))
    + "."
)

# %% [markdown]
# Above each drawing stand what was added, and the angle: of all turns of the row's middle drawing, which is most like this one? The number turns both pictures of the class to the same side. The number of the last row does not.

# %% [markdown]
# ## 8 · Recap
#
# | they say | ask for | here |
# |---|---|---|
# | "one number follows the angle, r = 0.97" | chosen before or after? untrained network, pixels, axes turned by lot | untrained, pixels: nearly the same; axes by lot: better |
# | "parts find their whole by routing" | the entropy of the coupling beside $\ln 10$; accuracy without routing, paired | it routes a little: lengths change, answers hardly |
# | "capsules keep the pose" | nats read from each layer, beside an ordinary network | so do ordinary features; the drawing keeps it in the right group |
# | "the layer has forgotten it" | what a better reader would find | a bound from a linear one |
#
# All of this is one small network with one small data set. The questions go with you to large ones.
#
# **References**
# - [Sabour, Frosst and Hinton, 2017: Dynamic routing between capsules](https://arxiv.org/abs/1710.09829)
# - [Paik, Kwak and Kim, 2019: Capsule networks need an improved routing algorithm](https://arxiv.org/abs/1907.13327)
# - [Barber and Agakov, 2003: The IM algorithm](https://papers.nips.cc/paper/2003/hash/a6ea8471c120fe8cc35a2954c9b9c595-Abstract.html)
# - [Alain and Bengio, 2016: Understanding intermediate layers using linear classifier probes](https://arxiv.org/abs/1610.01644)
