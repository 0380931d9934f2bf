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
# # 16b · Superposition: more features than numbers
#
# **The question.** Model A of the core keeps 27 letters in 24 numbers. How can a network hold more features than it has numbers, and how do you get them out again?
#
# This companion of [16 · A language model taken apart](16_transformer.ipynb) plants directions, hides them, and finds them again with a *sparse autoencoder*. Then it asks what of the core survives in a real BERT.
#
# **After this lesson you can**
# - draw superposition, and compute what it costs;
# - write and train a sparse autoencoder, and score it against planted directions;
# - say why a small reconstruction error does not prove good features;
# - show by how much a layer norm breaks an exact sum, and test a "found feature" against random weights.
#
# **Time**: about <!-- minutes --> minutes. **Before**: the core lesson.
#
# A **feature** here is a property of the input that is on or off and has a size: "this is a digit", "French". The idea of this lesson is a hypothesis about networks: each feature is kept as a *direction*, a vector of length 1, and the **state** (the numbers at one place of a network, like the core's stream) is the sum of the directions that are on, each times its size.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l16_transformer as exercises
from course_utils.lessons import l16b_superposition as lesson
from course_utils.methods import sparse_coding
from course_utils.teach import plots, widgets

world = lesson.planted(n=32, d=16, p=0.1)  # 32 directions in 16 numbers, and 20,000 states (section 2)

# %% [markdown]
# ## 1 · Five features in two numbers
#
# The smallest world: five features, $x \in \mathbb R^5$. Each is on with probability $p$; then its size is drawn from 0 to 1. A model must squeeze them through *two* numbers and write all five again (Elhage and others, 2022):
#
# $$h = W x \quad (W: 2 \times 5), \qquad \hat x = \text{ReLU}(W^\top h + b) .$$
#
# Column $i$ of $W$ is the arrow in the plane that stands for feature $i$. The error of feature $i$ counts $0.9^i$: they are not equally important.
#
# ### Exercise: predict, then run
#
# With $p = 1$ all features are always on, and two numbers can keep two of them. How many of the five does the model keep with $p = 0.05$? (An arrow longer than 0.5 counts as kept.)

# %% exercise="kept_features"
kept = None  # a whole number
# BEGIN SOLUTION
kept = 5
# END SOLUTION

# %%
toys = {p: lesson.train_toy(p) for p in tqdm((1.0, 0.3, 0.05), leave=False)}
lengths = toys[0.05][0].norm(dim=0).numpy()

# %%
exercises.kept_features.check(kept, lengths)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(plots.WIDTH, 3.6))
for ax, (p, (W, _)) in zip(axes, toys.items(), strict=True):
    lesson.draw_plane(ax, W, f"p = {p}: {(W.norm(dim=0) > 0.5).sum()} of 5 features kept")
plots.show(
    "Three planes with arrows. Always on: two arrows at right angles. On in three cases of ten: four arrows, two pairs of "
    "opposite direction. On in one case of twenty: five arrows, a regular star."
)

# %% [markdown]
# Left: two features, at right angles, and three are given up. Middle: four, in two opposite pairs, and the least important one is given up. Right: all five, as far from each other as they can be. Nothing has changed but *how rarely* they are on. Keeping more features than numbers is called **superposition**.
#
# It has a price. Switch on feature 0 alone, and read all five:

# %%
W, b = toys[0.05]
only_0 = torch.tensor([1.0, 0, 0, 0, 0])
print("Wᵀ W x        ", np.round((W.T @ W @ only_0).numpy(), 2))
print("ReLU(… + b)   ", np.round(torch.relu(W.T @ W @ only_0 + b).numpy(), 2))
both = torch.tensor([1.0, 1, 0, 0, 0])
print("0 and 1 are on", np.round(torch.relu(W.T @ W @ both + b).numpy(), 2))

# %% [markdown]
# The other arrows answer, too: this is **interference**. One feature alone is read nearly clean, since the ReLU removes what is negative, and a negative $b$ lowers what is small. With two on that do not stand side by side, 0 and 1 (last line), the model reads neither, but feature 2, whose arrow lies between them and which is off. For rare features this seldom happens (two or more are on in one state of 44), so the model takes the risk.

# %% [markdown]
# ## 2 · How many fit, and what it costs
#
# In $d$ dimensions at most $d$ directions stand at right angles. *Nearly* right angles are another matter: two random directions have a cosine of about $1/\sqrt d$ in size. Here is the world of this lesson: $n = 32$ random directions $w_1 … w_n$ in $d = 16$ numbers. Each is on with probability $p = 0.1$; its size $s_i$ is then between 0.5 and 1.5. The state is $x = \sum_i s_i w_i$.
#
# Read feature $i$ by $w_i \cdot x = s_i + \sum_{j \ne i} s_j\, w_j \cdot w_i$. The sum is the interference. Its mean square is about
#
# $$(n - 1)\; p\; E[s^2]\; \frac1d , \qquad E[s^2] = 1 + \tfrac1{12} \text{ (for a size from 0.5 to 1.5)}.$$

# %%
reading = world.states @ world.directions.T
interference = (reading - world.sizes).pow(2).mean()
print(f"predicted {31 * 0.1 * (1 + 1 / 12) / 16:.3f}, measured {interference:.3f}")
print(f"on at once: {(world.sizes > 0).sum(dim=1).float().mean():.1f} of 32 features")

# %% tags=["hide-input"]
correlation = lesson.correlations(world)
figure, ax = plt.subplots(figsize=(plots.WIDTH, 3.2))
image = ax.imshow(correlation, cmap="Blues", vmin=0, vmax=0.7, aspect="auto")
figure.colorbar(image, ax=ax, label="|correlation|", fraction=0.03, pad=0.01)
ax.set(xlabel="planted feature", ylabel="number of the state")
ax.set_title("Each number answers to many features, each feature to many numbers", loc="left")
plots.show(
    "A table of 16 numbers and 32 features, shaded by correlation. No row has a single dark cell: each number "
    f"correlates by more than 0.2 with {(correlation > 0.2).sum(dim=1).float().mean():.0f} features on average."
)

# %% [markdown]
# So looking at single numbers (at *neurons*) shows no feature. Literature calls such a number *polysemantic*: it has many meanings. Does that prove superposition? The control: 16 directions in 16 numbers, at right angles, turned at random. Nothing interferes.

# %%
square = lesson.at_right_angles()  # 16 directions, no superposition
for name, one in (("32 in superposition", world), ("16 at right angles", square)):
    answers = (lesson.correlations(one) > 0.2).sum(dim=1).float().mean()
    print(f"{name}: a number correlates by more than 0.2 with {answers:.1f} features on average")

# %% [markdown]
# There, too, each number has many meanings: it is enough that the directions do not lie along the axes. **Polysemantic numbers are no proof of superposition.** From here on you get only the states, and look for the 32 directions.

# %% [markdown]
# ## 3 · A sparse autoencoder by hand
#
# The idea: write each state again as a sum of *few* directions out of many. With $m$ **latents** (candidates for a feature), an encoder $E$ ($m \times d$), a bias $b$, a decoder $D$ ($m \times d$, each row a direction of length 1) and a centre $c$:
#
# $$f = \text{TopK}\big(\text{ReLU}(E(x - c) + b)\big), \qquad \hat x = D^\top f + c, \qquad \text{loss} = \lVert x - \hat x \rVert^2 .$$
#
# $f$ is the **code**. TopK keeps the $k$ largest of its $m$ numbers and sets the others to 0 (Gao and others, 2024).
#
# ### Exercise: write it
#
# `states` is (N, d), `encoder` (m, d), `bias` (m,), `center` (d,). Return the codes (N, m).


# %% exercise="topk_code"
def topk_code(states, encoder, bias, center, k):
    """The k largest positive latents of each state; all others are 0: (N, m)."""
    # BEGIN SOLUTION
    values = ((states - center) @ encoder.T + bias).relu()
    best = values.topk(k, dim=1)
    return torch.zeros_like(values).scatter(1, best.indices, best.values)
    # END SOLUTION


# %%
exercises.topk_code.check(topk_code)

# %% [markdown]
# The training is ordinary. After each step the rows of $D$ get length 1 again, so that the code alone carries the size. (With TopK a longer row would also change who belongs to the largest.)


# %% tags=["by-hand"]
def my_autoencoder(states, m, k, n_steps=1500):
    """Train a TopK autoencoder; returns its decoder (m, d) and the loss of each step."""
    generator = torch.Generator().manual_seed(100)
    start = F.normalize(torch.randn(m, states.shape[1], generator=generator), dim=1)
    E, D = start.clone().requires_grad_(), start.clone().requires_grad_()
    b, c = torch.zeros(m, requires_grad=True), states.mean(dim=0).requires_grad_()
    optimizer, losses = torch.optim.Adam([E, b, D, c], lr=0.01), []
    for step in range(n_steps):
        optimizer.param_groups[0]["lr"] = 0.01 * min(1, 2 * (1 - step / n_steps))
        x = states[torch.randint(len(states), (128,), generator=generator)]
        f = exercises.topk_code.reference(x, E, b, c, k)
        loss = (x - f @ D - c).pow(2).sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        D.data = F.normalize(D.data, dim=1)
        losses.append(loss.item())
    return D.detach(), losses


# %%
D, losses = my_autoencoder(world.states, m=64, k=3)
cosines = world.directions @ D.T  # (32, 64)
found = cosines.abs().amax(dim=1) > 0.95
print(f"loss: {losses[0]:.2f} at the start, {np.mean(losses[-50:]):.2f} at the end")
print(f"found with |cos| above 0.95: {found.sum()} of 32 planted directions")

# %% tags=["hide-input"]
lesson.draw_cosines(cosines, "Nearly every planted direction has a latent of its own")
plots.show(
    f"A table of 32 planted directions and 64 latents, shaded by the size of the cosine. Dark cells form a diagonal: "
    f"{found.sum()} directions have a latent with a cosine above 0.95; some latents fit to nothing."
)

# %% [markdown]
# Nobody told the autoencoder the directions. It only had to be sparse. Its 64 latents are twice as many as there are features; we come back to the spare ones in section 7.
#
# **A trap.** When we prepared this lesson, the first results were too good: all 32 found, whatever we changed. The start of the decoder had been drawn with the same random seed as the planted directions. So always score the *untrained* autoencoder, too:

# %%
for seed in (0, 100):
    start = torch.randn(64, 16, generator=torch.Generator().manual_seed(seed))
    share = (sparse_coding.best_cosines(world.directions, start) > 0.95).float().mean()
    print(f"untrained, start drawn with seed {seed}: {share:.2f} found")

# %% [markdown]
# `sparse_coding.train_autoencoder` is the same training, with another start; below we use it.

# %% [markdown]
# ## 4 · The proof: the agreement table
#
# Are the parts right? Where the directions stand at right angles, the best code is known: TopK is then *orthogonal matching pursuit*, and the code for a price $\lambda$ on its sum (section 6) is what scikit-learn's Lasso finds. There the error counts one half, hence `alpha` $= \lambda / 2$.

# %% tags=["hide-input"]
from scipy.spatial.distance import cdist
from sklearn.decomposition import sparse_encode
from sklearn.metrics import r2_score

Q = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
zero = torch.zeros(6, dtype=torch.float64)
right_angles = sparse_coding.Autoencoder(Q, zero, Q, zero, 2)
x6 = torch.rand(50, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64) @ Q
ours = sparse_coding.encode(right_angles, x6)
pursuit = sparse_encode(x6.numpy(), Q.numpy(), algorithm="omp", n_nonzero_coefs=2)
priced = sparse_coding.encode(right_angles._replace(bias=zero - 0.2, k=None), x6)
lasso = sparse_encode(x6.numpy(), Q.numpy(), algorithm="lasso_cd", alpha=0.2, positive=True)
written = sparse_coding.decode(right_angles, ours)
explained = r2_score(x6.numpy(), written.numpy(), multioutput="variance_weighted")
three = torch.randn(3, 16, generator=torch.Generator().manual_seed(3))
theirs = 1 - cdist(world.directions.numpy(), three.numpy(), "cosine")

# %% tags=["hide-input", "nbval-check-output"]
judge.agreement_table(
    [
        ("sklearn, orthogonal matching pursuit", ours, pursuit, "right angles: the k largest"),
        ("sklearn, Lasso, positive", priced, lasso, "alpha = λ/2; code = ReLU(size − λ/2)"),
        ("sklearn, 1 − R²", torch.tensor(sparse_coding.unexplained_variance(x6, written)),
         torch.tensor(1 - explained), "variance_weighted: sums, then one ratio"),
        ("scipy, cosine distance", sparse_coding.best_cosines(world.directions, three),
         torch.from_numpy(np.abs(theirs).max(axis=1)), "1 − distance, without its sign"),
    ]
)  # fmt: skip

# %% [markdown]
# The third row is the **fraction of variance unexplained** (FVU): squared error, divided by the squared distance from the mean state. 0: written again exactly. 1: no better than always saying the mean.
#
# ### Exercise: find the bug
#
# A colleague's FVU. It runs, and on the states of a language model it is always wonderfully small: even for a "rebuilt" that is the mean state again and again. (The library SAELens had such a fault for about a year; its issue 659 tells how it was found.)


# %% exercise="unexplained"
def unexplained(states, rebuilt):
    """The fraction of variance unexplained: one number, from (N, d) and (N, d)."""
    # BEGIN STUB
    # error = (states - rebuilt).pow(2).sum()
    # total = states.pow(2).sum()
    # return error / total
    # END STUB
    # BEGIN SOLUTION
    error = (states - rebuilt).pow(2).sum()
    total = (states - states.mean(dim=0)).pow(2).sum()  # from the mean, not from zero
    return error / total
    # END SOLUTION


# %%
exercises.unexplained.check(unexplained)

# %% [markdown]
# ## 5 · The score: who finds the planted directions?
#
# Three worlds, each with 32 other directions; 96 directions in all. Beside TopK ($k = 3$, about as many as are on) stands the older autoencoder that pays a price for its code (**L1**, section 6), both with 64 latents. The rivals: scikit-learn's dictionary learning (64 rows; it, too, writes states as sums of few rows, and was told that sizes are not negative), independent component analysis (ICA, which can find 16 at most), PCA, the 16 numbers themselves, and 64 random directions.

# %%
best = {}
for seed in tqdm(range(3), desc="worlds", leave=False):
    one = lesson.planted(seed=seed)
    rows = {"TopK autoencoder": sparse_coding.train_autoencoder(one.states, 64, k=3, seed=seed).decoder}
    rows["L1 autoencoder"] = sparse_coding.train_autoencoder(one.states, 64, l1=0.4, seed=seed).decoder
    rows |= lesson.rivals(one, seed)
    for name, directions in rows.items():
        best.setdefault(name, []).append(sparse_coding.best_cosines(one.directions, directions))
best = {name: torch.cat(values) for name, values in best.items()}  # (96,) each
hits = {name: (values > 0.95).float().numpy() for name, values in best.items()}

# %% tags=["hide-input"]
plots.score_plot(
    hits,
    xlabel="share of the planted directions found (|cos| above 0.95)",
    title="TopK and dictionary learning find most, PCA none",
    baselines=["PCA (sklearn)", "the d numbers themselves", "random directions"],
)
plots.show("; ".join(f"{name} {values.mean():.2f}" for name, values in hits.items()))

# %% tags=["hide-input"]
for name in ("L1 autoencoder", "dictionary learning (sklearn)", "ICA (sklearn)"):
    print("TopK minus", name, judge.paired(hits["TopK autoencoder"], hits[name]))
for name, values in best.items():
    print(f"mean best |cos| {values.mean():.3f}   {name}")

# %% [markdown]
# TopK and dictionary learning find most, and the older method comes close to the newer one. Read both lists: the *border* of 0.95 makes a large difference out of a smaller one in the cosine. Random directions reach a cosine of about 0.6: in 16 dimensions one of 64 is always near. A cosine of 0.6 is therefore no discovery.
#
# Why does PCA find none? Its directions stand at right angles, and 32 directions in 16 dimensions do not. But is that the reason? Take the 16 directions that do:

# %%
scale = torch.linspace(1, 3, 16)  # feature 15 gets three times the size
uneven = lesson.World(square.directions, square.sizes * scale, square.sizes * scale @ square.directions)
for name, one in (("equal sizes", square), ("different sizes", uneven)):
    for method, directions in lesson.ica_and_pca(one).items():
        share = (sparse_coding.best_cosines(one.directions, directions) > 0.95).float().mean()
        print(f"16 at right angles, {name}: {method} finds {share:.2f}")

# %% [markdown]
# At right angles, too, PCA finds none as long as the features are equally large: it looks for directions of large *variance*, and all have the same. If their sizes differ, it finds them. ICA looks for numbers that do not depend on each other, and finds all sixteen in both worlds. It is superposition that stops ICA; PCA fails before.

# %% [markdown]
# ## 6 · A smaller error is not a better feature
#
# L1 has no TopK. All positive latents stay, and the loss gets a price $\lambda$ on the sum of the code (Bricken and others, 2023):
#
# $$\text{loss} = \lVert x - \hat x \rVert^2 + \lambda \sum_l f_l .$$

# %% tags=["hide-input"]
exercises.better_features

# %% [markdown]
# Measure it: five prices, five $k$. **L0** is the number of latents that are on for a state, on average.

# %%
curves = {"TopK": [], "L1": []}
settings = [("TopK", {"k": k}) for k in (1, 2, 3, 6, 8)]
settings += [("L1", {"l1": price}) for price in (0.05, 0.2, 0.4, 0.8, 1.6)]
for name, options in tqdm(settings, desc="trainings", leave=False):
    trained = sparse_coding.train_autoencoder(world.states, 64, **options)
    curves[name].append({"setting": max(options.values())} | lesson.score(world, trained))

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(plots.WIDTH, 4.2))
beside = {
    1: (0, -26),
    6: (-24, 0),
    8: (0, -26),
    0.2: (-24, 4),
    0.4: (22, -22),
    0.8: (-18, -26),
}  # off the lines
for (name, points), mark, colour, down in zip(curves.items(), "os", plots.COLOURS, (8, -26), strict=False):
    ax.plot([p["FVU"] for p in points], [p["found"] for p in points], mark + "-", color=colour, label=name)
    for p in points:
        text = f"{'k' if name == 'TopK' else 'λ'} = {p['setting']:g}\nL0 {p['L0']:.0f}"
        ax.annotate(text, (p["FVU"], p["found"]), xytext=beside.get(p["setting"], (0, down)), textcoords="offset points",
                    fontsize=9, ha="center", color=colour)  # fmt: skip
ax.set(xscale="log", xlabel="fraction of variance unexplained (logarithmic axis)", ylabel="share found")
ax.set(
    xlim=(0.004, 0.9), ylim=(-0.25, 1.25), yticks=[0, 0.5, 1], xticks=[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
)
ax.xaxis.set_major_formatter("{x:g}")
ax.minorticks_off()
ax.legend(loc="upper left")
ax.set_title("The smallest error has found no direction, the largest hardly any", loc="left")
plots.show(
    "Share of planted directions found against the unexplained variance. "
    + "; ".join(
        f"{name} {p['setting']:g}: found {p['found']:.2f}, FVU {p['FVU']:.2f}, L0 {p['L0']:.0f}"
        for name, points in curves.items()
        for p in points
    )
)

# %% [markdown]
# The points with the *smallest* error (left) have found no direction: L1 with a low price, and TopK with a $k$ well above the three features that are on. At the left end of L1 more latents are on than there are dimensions; among 64 directions, whatever they are, sixteen can be found that write a given state exactly. The points with the *largest* error (right) have found few, too (on five fresh worlds up to a half with $k = 1$, about a sixth with the price 1.6): there the code is too short. The best lie between, and the error does not say where. **The error rewards everything that helps to rebuild. It cannot see whether a direction is real.** The truth can, but only a planted one is known.
#
# ### Shrinkage
#
# The price has a second effect. Let one feature of size $s$ be on, and its latent have the right direction. Then the loss is $(s - f)^2 + \lambda f$, and its minimum is at $f = s - \lambda/2$: every size comes out too small. Measured in an easy world (8 directions in 16 numbers), in states with one feature on: how large is it in the rebuilt state?

# %%
easy = lesson.planted(n=8, p=0.05)
for name, options in (("TopK, k = 1", {"k": 1}), ("L1, λ = 0.4", {"l1": 0.4})):
    trained = sparse_coding.train_autoencoder(easy.states, 16, **options)
    print(f"{name}: rebuilt minus true size {round(lesson.shrinkage(easy, trained), 2) + 0:+.2f} on average")

# %% [markdown]
# About $-\lambda/2$ for L1, nothing for TopK, which pays no price. (Two latents that share a feature both pay; together they shrink by as much.)

# %% [markdown]
# ## 7 · Where it breaks
#
# **Card 1: too dense.** More features, and more often on. We even give the autoencoder the right $k$ (about $np$), which nobody knows in a real network, and twice as many latents as features.

# %%
numbers, shares = (16, 32, 64), (0.05, 0.1, 0.2)
table = {"found": np.zeros((3, 3)), "FVU": np.zeros((3, 3))}
for i, n in enumerate(tqdm(numbers, desc="worlds", leave=False)):
    for j, p in enumerate(shares):
        one = lesson.planted(n=n, p=p)
        trained = sparse_coding.train_autoencoder(one.states, 2 * n, k=max(1, round(n * p)), n_steps=1000)
        scores = lesson.score(one, trained)
        for name in table:
            table[name][i, j] = scores[name]

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(plots.WIDTH, 2.6))
columns = [f"p = {p}" for p in shares]
for ax, name, title in zip(axes, table, ("share found", "variance unexplained"), strict=True):
    plots.matrix_plot(table[name], [f"{n} features" for n in numbers], columns, title=title, ax=ax)
plots.show(
    "Two tables, number of features by probability. Found: "
    + "; ".join(
        f"{n} features {', '.join(f'{v:.2f}' for v in row)}"
        for n, row in zip(numbers, table["found"], strict=True)
    )
    + ". The unexplained variance does not rise where the found share falls."
)

# %% [markdown]
# The left table falls to the lower right: where many features are on at once, the directions are not found. The right table does *not* show it: there the states are rebuilt as well as elsewhere, and best of all in the corner where nothing is found. In a real network you see only the right one.
#
# **Card 2: dead latents.** A latent that is never on learns nothing any more: its gradient is 0. What does that cost? Train with a larger rate, and with fewer latents. A *true* latent has a cosine above 0.95 with a planted direction; we count them among the living ones:

# %%
settings = ((32, 0.01), (32, 0.03), (64, 0.01), (64, 0.03), (128, 0.01))
lines = []
for m, rate in tqdm(settings, desc="trainings", leave=False):
    trained = sparse_coding.train_autoencoder(world.states, m, k=3, learning_rate=rate)
    scores = lesson.score(world, trained)
    lines.append(f"{m:3} latents, rate {rate}: {scores['dead']:2} dead, {scores['found']:.2f} of the directions found, "
                 f"{scores['true latents']:.2f} of the living latents true")  # fmt: skip
print(*lines, sep="\n")

# %% [markdown]
# With 64 latents the larger rate leaves nearly half of them dead, and the share found stays about the same: the dead ones were spare. Most of the living ones are then true. What costs directions is to have *no* spare latents: of 32, as many as there are features, a latent that settles between features cannot be replaced, and on average fewer are found. (Large trainings start dead latents again as they go.)
#
# **Card 3: which latents are the true ones?** Read the lines of rate 0.01 again, from 32 to 128: more latents find more directions, and give you more that are none.

# %% [markdown]
# ## 8 · A real BERT: what a layer norm does to a sum
#
# Now the core's exact sum. In MiniLM, the text lab's encoder (six layers, twelve heads each, 384 numbers), what the heads write is added to the stream as before. But then comes a **layer norm**: subtract the mean of the 384 numbers, divide by their standard deviation $\sigma$, multiply by fixed weights $\gamma$, add $\beta$. The division is the difficulty: $\sigma$ depends on all parts together.
#
# One can *freeze* it: share each part as if $\sigma$ were a fixed number. Then the shares add up exactly again. Do they also say what happens when a part is missing?

# %%
from course_utils.labs import load_lab

encoder = load_lab("text", model="encoder")
encoder.model.requires_grad_(False)
parts, norm = lesson.before_norm(encoder, encoder.texts[:20], layer=3)
state = sum(parts.values())  # (tokens, 384), before the norm of layer 3's attention
shares = {name: lesson.frozen(part, state, norm) for name, part in parts.items()}
print(
    f"sum of the shares minus the norm's output: {(sum(shares.values()) + norm.bias - norm(state)).abs().max():.0e}"
)
name = "head 4"
real = norm(state) - norm(state - parts[name])  # what is lost when the head is silenced
off = (shares[name] - real).norm(dim=1) / real.norm(dim=1)
print(f"{name} silenced: its share is off by {off.mean():.0%} of what really changes")

# %%
rows = [lesson.off_by_the_norm(*lesson.before_norm(encoder, encoder.texts[:20], layer)) for layer in range(6)]
off = {name: [row[name] for row in rows] for name in ("one head", "all heads", "stream")}

# %% tags=["hide-input"]
lesson.draw_off(off, "Frozen shares add up, and mispredict what silencing a part does")
plots.show(
    f"For six layers the relative error of frozen shares. Single heads: median {np.median(off['one head']):.2f}. All "
    f"heads of a layer: {min(off['all heads']):.2f} to {max(off['all heads']):.2f}. The stream: "
    f"{min(off['stream']):.2f} to {max(off['stream']):.2f}."
)

# %% [markdown]
# For most single heads the frozen share is off by about a tenth: a usable estimate. For all heads together it is off by about a third or more, for the stream by about a half and more. Without a large part, $\sigma$ is another number. And this is *one* norm of thirteen: one after the word vectors, two in each layer. **An exact sum is bookkeeping. Whether it predicts an experiment is another question** (the core's section 5 again).

# %% [markdown]
# ## 9 · A sparse autoencoder on a BERT
#
# States of 400 short reviews after the third layer, 256 latents, $k = 8$. No planted direction is known here. What is usually shown instead: the words on which a latent is strongest. We count how many latents have *one word* (18 of their 20 strongest tokens are the same), and how many different words these are. Only latents that are on for 20 tokens or more count. Two controls get the same treatment: a **twin with random matrices** (of the same spread), and states whose 384 columns are shuffled each alone. One more question: half of the texts trains one autoencoder, the other half a second one; how many latents of the first are *found again* in the second (|cos| above 0.9)? For the trained encoder a third one sees the *same half* as the first, from another start. First in a planted world of the same size, with the same training, where there is something to find:

# %%
same_size = lesson.planted(n=128, d=384, p=8 / 128, n_states=7000)  # about 8 of 128 features on
number = torch.arange(7000)
planted = lesson.judge_without_truth(same_size.states, ids=number, half=number % 2 == 0)
print(f"planted world: FVU {planted['FVU']:.2f}, {planted['found again']:.2f} of the latents are found again")

# %%
texts = lesson.review_texts(400)
table, twin = {}, lesson.random_twin(encoder.model)
for name, model in tqdm((("trained", encoder.model), ("random weights", twin)), leave=False):
    states, ids, owner = lesson.states_after(encoder, model, texts, layer=3)
    table[name] = lesson.judge_without_truth(states, ids, half=owner % 2 == 0, again=name == "trained")
    if name == "trained":
        mixed = lesson.shuffle_columns(states)
        table["trained, columns shuffled"] = lesson.judge_without_truth(mixed, ids, half=owner % 2 == 0)

# %% tags=["hide-input"]
print(" " * 18 + "".join(f"{name:>{len(name) + 3}}" for name in table))
for key in table["trained"]:
    row = {name: scores.get(key, "–") for name, scores in table.items()}
    cells = {name: f"{v:.2f}" if isinstance(v, float) else str(v) for name, v in row.items()}
    print(f"{key:<18}" + "".join(f"{cell:>{len(name) + 3}}" for name, cell in cells.items()))

# %% [markdown]
# With its real weights, a part of the encoder's latents looks meaningful: each of them is strongest on one word or mark (several share one; a comma and the `[CLS]` at the start of a text are among them). **The twin, whose matrices have learnt nothing, has about as many.** In a random network, too, a state depends on the word that stands there, and an autoencoder finds the frequent words again. (Heap and others, 2025, report similar results for large models.) And of the latents hardly one is found again in the other half of the texts; in the planted world of the same size nearly all are. The texts are not to blame: in the same half, from another start, hardly one is found again either. So this small run, seven thousand tokens and seconds of training, shows no feature that the *training of the encoder* made. Published autoencoders see billions of tokens. Ask for the same controls there.

# %% [markdown]
# ## 10 · Play
#
# Choose a world and an autoencoder. When are the directions lost?


# %% tags=["hide-input"]
def explore_world(n, p, k, m):
    one = lesson.planted(n=n, p=p)
    trained = sparse_coding.train_autoencoder(one.states, m, k=k, n_steps=800)
    scores = lesson.score(one, trained)
    title = f"found {scores['found']:.2f}, unexplained {scores['FVU']:.2f}, {scores['dead']} dead"
    lesson.draw_cosines(one.directions @ trained.decoder.T, f"{n} features, p = {p}, k = {k}: {title}")
    plots.show(f"Cosines of {n} planted directions and {m} latents; {title}.")


widgets.explore(
    explore_world,
    n=widgets.slider("features", 8, 64, 64, step=8),
    p=widgets.choice("probability", [0.02, 0.05, 0.1, 0.2], 0.1),
    k=widgets.slider("k", 1, 8, 6),
    m=widgets.slider("latents", 16, 128, 64, step=16),
)

# %% tags=["hide-input"]
explore_world(64, 0.1, 6, 128)

# %% [markdown]
# The same picture as in section 3, in the world that is too dense: hardly a dark cell, and yet the states are rebuilt as well.

# %% [markdown]
# ## 11 · Recap
#
# - Rare features can share numbers. The price is interference. Single numbers with many meanings do not prove it: without superposition, directions off the axes give them, too.
# - Sparsity finds planted directions that PCA and single numbers cannot find. With about the right $k$, TopK found more than a price (L1) at each price that we tried, and the price also shrinks every size; the older dictionary learning came close.
# - A small error proves nothing about the features: with many latents on, wrong directions rebuild as well, and a large error proves nothing either. Where features are too dense, the error stays small and the directions are lost.
# - A layer norm leaves sums exact as bookkeeping. Shares of small parts still predict, shares of large ones do not.
# - On a real encoder, ask for the controls: random weights, other texts, another start.
#
# **References**
# - [Elhage and others, 2022: Toy models of superposition](https://transformer-circuits.pub/2022/toy_model/index.html)
# - [Sharkey, Braun and Millidge, 2022: Taking features out of superposition with sparse autoencoders](https://www.lesswrong.com/posts/z6QQJbtpkEAX3Aojj/interim-research-report-taking-features-out-of-superposition)
# - [Bricken and others, 2023: Towards monosemanticity](https://transformer-circuits.pub/2023/monosemantic-features/index.html)
# - [Gao and others, 2024: Scaling and evaluating sparse autoencoders](https://arxiv.org/abs/2406.04093)
# - [Heap and others, 2025: Sparse autoencoders can interpret randomly initialized transformers](https://arxiv.org/abs/2501.17727)
# - [SAELens, pull request 443: the mean of ratios](https://github.com/decoderesearch/SAELens/pull/443), [pull request 665: variance from zero](https://github.com/decoderesearch/SAELens/pull/665)
