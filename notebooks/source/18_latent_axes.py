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
# # 18 · From autoencoder to VAE to β-VAE: who ordered these axes?
#
# **The question.** A network squeezes a picture into two numbers. When do these numbers mean something to a person?
#
# **After this lesson you can**
# - build an autoencoder and a variational one (VAE), and say what each part of the loss is for;
# - show that the linear autoencoder finds the plane of a principal component analysis, and not its axes;
# - say what a larger β costs;
# - measure with the *mutual information gap* whether each number stands for one thing;
# - predict when the loss prefers some axes, and whose axes these are;
# - settle the matter with eight labels.
#
# **Time**: about <!-- minutes --> minutes. **Before**: a small network in PyTorch and its loss, a normal distribution, [principal component analysis](glossary.md#principal-component-analysis).
#
# All machines of this lesson are trained while you read, in seconds.

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from course_utils import judge
from course_utils.exercises import l18_latent_axes as exercises
from course_utils.lessons import l18_latent_axes as lesson
from course_utils.methods.latent import kl_to_standard_normal, mutual_information_gap
from course_utils.teach import plots, widgets

pictures, places = lesson.fixed("square")  # 8,000 pictures, and where the blob is in each

# %% [markdown]
# ## 1 · A puzzle: two machines with the same grade
#
# A world with a known truth: a soft blob, 16 × 16 pixels. Its place has two *factors*, $x$ and $y$, each drawn from −0.6 to 0.6, independently ($y$ counts downwards). Nothing else changes.

# %% tags=["hide-input"]
lesson.show_pictures(pictures[:6], [f"x = {x:.1f}, y = {y:.1f}" for x, y in places[:6]], columns=6,
                     title="Six pictures of the square world")  # fmt: skip
plots.show("Six small pictures of one soft blob, each at another place.")

# %% [markdown]
# We train nine machines that squeeze each picture into two numbers, $z_1$ and $z_2$, and draw it again from them. All is the same for them, also the pictures; only the random weights that they start from differ. What the grade (*loss*) consists of, sections 3 and 4 say; smaller is better.

# %%
machines = lesson.nine("square")  # trained now, side by side; other sections use the same nine
for seed, machine in enumerate(machines):
    rate, distortion = lesson.costs(machine, pictures)
    print(f"machine {seed}: loss {distortion + 4 * rate:.2f}")

# %% tags=["hide-input"]
found = [lesson.gap(machine, pictures, places) for machine in machines]
a, b = int(np.argmax(found)), int(np.argmin(found))
shown = torch.cat([lesson.knobs(machines[a]), lesson.knobs(machines[b])])
lesson.show_pictures(shown, None, columns=7,
                     title=f"Rows 1 and 2: machine {a}, call it A. Rows 3 and 4: machine {b}, B. One number turned, the other at 0")  # fmt: skip
plots.show(
    "Four rows of seven pictures. Machine A: its first row moves the blob along one side of the field, its second along "
    "the other. Machine B: both rows move it along diagonals."
)

# %% [markdown]
# In machine A, one number is $x$ and the other $y$ (perhaps with a reversed sign). You could explain this machine to anybody. In machine B, both numbers move the blob along a diagonal.

# %% tags=["hide-input"]
exercises.what_is_wrong

# %% [markdown]
# **So who ordered the axes of A?** That is the question of this lesson. It matters, because explanations often go like this: "neuron 7 stands for the smile". Somebody must have made *one number* stand for *one thing*.

# %% [markdown]
# ## 2 · The idea: squeeze, and draw again
#
# An **autoencoder** has two halves. The *encoder* $f$ turns a picture $\mathbf{x}$ of $d$ pixels (bold: the plain $x$ is a place) into a *code* $z = f(\mathbf{x})$ of $k$ numbers, the *latents*. The *decoder* $g$ draws a picture $\hat{\mathbf{x}} = g(z)$ from them. Both are trained together, so that what comes out resembles what went in:
#
# $$\text{loss} = \lVert \mathbf{x} - g(f(\mathbf{x})) \rVert^2, \quad\text{averaged over the pictures.}$$
#
# ### The linear case can be solved exactly
#
# Let both halves be matrices: $z = W\mathbf{x}$ with $W$ of the shape $(k, d)$, and $\hat{\mathbf{x}} = Vz$ with $V$ of the shape $(d, k)$. (We subtract the mean picture first.)


# %% tags=["by-hand"]
def linear_autoencoder(rows, k, seed):
    """W (k, d) and V (d, k) that minimise the mean of ‖x − V W x‖², from random ones, by gradients."""
    generator = torch.Generator().manual_seed(seed)
    w, v = (torch.randn(s, generator=generator, dtype=rows.dtype) / 16 for s in ((k, 256), (256, k)))
    optimiser = torch.optim.LBFGS([w.requires_grad_(), v.requires_grad_()], max_iter=400,
                                  tolerance_change=0, line_search_fn="strong_wolfe")  # fmt: skip

    def loss():
        optimiser.zero_grad()
        value = (rows - rows @ w.T @ v.T).square().sum(dim=1).mean()
        value.backward()
        return value

    optimiser.step(loss)
    return w.detach().numpy(), v.detach().numpy(), loss().item()


centre = pictures[:400].mean(dim=0)
rows = (pictures[:400] - centre).double()
linear = [linear_autoencoder(rows, 2, seed) for seed in (0, 1)]

# %% tags=["hide-input"]
from sklearn.decomposition import PCA

pca = PCA(2).fit(rows.numpy())
axes_of_svd = np.linalg.svd(rows.numpy(), full_matrices=False)[2][:2]
left_over = np.linalg.eigvalsh(np.cov(rows.numpy().T, bias=True))[:-2].sum()
(w0, v0, loss0), (w1, v1, loss1) = linear
onto_plane = v0 @ np.linalg.pinv(v0)  # the projection onto the plane of V's two columns
judge.agreement_table(
    [
        ("plane of V, scikit-learn", onto_plane, pca.components_.T @ pca.components_, "the plane of its PCA"),
        ("plane of V, NumPy", onto_plane, axes_of_svd.T @ axes_of_svd, "singular value decomposition"),
        ("loss", np.array([loss0]), np.array([left_over]), "identity: the other eigenvalues"),
        (
            "pictures of two seeds",
            rows.numpy() @ w0.T @ v0.T,
            rows.numpy() @ w1.T @ v1.T,
            "the same, V W is what counts",
        ),
        ("V of two seeds", v0, v1, "other axes"),
    ]
)

# %% [markdown]
# The loss fixes the *plane* of the codes exactly: it is the one of a principal component analysis (Bourlard and Kamp, 1988). It does not fix the axes in the plane. Draw it: a grid of 7 × 7 places, where only $x$ changes along a solid line and only $y$ along a dashed one.

# %% tags=["hide-input"]
grid_of_places = lesson.world_grid("square")
grid_rows = (lesson.blobs(grid_of_places) - centre).double().numpy()
shares = 100 * pca.explained_variance_ratio_
pca_title = f"PCA: {shares[0]:.0f} % and {shares[1]:.0f} % of the variance"
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.2))
for ax, code, name in zip(axes, (grid_rows @ w0.T, grid_rows @ w1.T, pca.transform(grid_rows)),
                          ("autoencoder, seed 0", "autoencoder, seed 1", pca_title), strict=True):  # fmt: skip
    lesson.draw_grid(ax, torch.from_numpy(code), name)
    ax.set(xlabel="latent 1", ylabel="latent 2")
figure.legend(*axes[2].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
plots.show(
    "The codes of a grid of places for two linear autoencoders and for PCA. All three show a bent grid; it is turned "
    "and stretched in another way in each."
)

# %% [markdown]
# Each grid is the others, turned and stretched. Why can the loss not tell them apart?
#
# ### Exercise: the same pictures, another code
#
# Somebody wants the code $Az$ instead of $z$, for an invertible matrix $A$ of the shape $(k, k)$. Which encoder and decoder give that code and the same pictures as before?


# %% exercise="rebase"
def rebase(encoder, decoder, a):
    """New W (k, d) and V (d, k), from the old ones and A (k, k): the code is A z, the pictures stay."""
    # BEGIN SOLUTION
    return a @ encoder, decoder @ np.linalg.inv(a)
    # END SOLUTION


# %%
exercises.rebase.check(rebase)

# %% [markdown]
# PCA *chooses* axes: at right angles, the largest variance first. Here both variances are nearly equal (the figure's last title), so it depends on the few hundred pictures where its axes point. A network that bends (with hidden layers) has even more freedom than $A$: it can undo any bending of the code.

# %% [markdown]
# ## 3 · A code with a price: the variational autoencoder
#
# Kingma and Welling (2014) changed two things.
#
# 1. The code of a picture is not a point but a **cloud**: the encoder gives a mean $\mu_j$ and a variance $\sigma_j^2$ for each latent $j$, and the decoder gets a random draw $z_j = \mu_j + \sigma_j \varepsilon_j$, with $\varepsilon_j$ standard normal. (Written like this, gradients flow through $\mu$ and $\sigma$.)
# 2. Each cloud has a **price**: how far it is from the standard normal cloud $N(0, 1)$, the *prior*. The distance is the Kullback-Leibler divergence
#
# $$\text{KL} = \tfrac12 \sum_{j=1}^{k} \left(\mu_j^2 + \sigma_j^2 - 1 - \ln \sigma_j^2\right).$$
#
# It is 0 for $\mu = 0, \sigma = 1$, a cloud that says nothing. A sharp cloud far from 0 is expensive. The unit is the *nat* (1.44 bits).
#
# ### Exercise: draw from the cloud
#
# The network gives $\ln\sigma^2$ (`log_variance`), since a network's output may be negative and a variance may not.


# %% exercise="cloud"
def cloud(mean, log_variance, noise):
    """A draw from each cloud, (N, k); `noise` is standard normal, of the same shape."""
    # BEGIN SOLUTION
    return mean + (0.5 * log_variance).exp() * noise
    # END SOLUTION


# %%
exercises.cloud.check(cloud)

# %% [markdown]
# ### Exercise: the price
#
# One number a picture.


# %% exercise="price"
def price(mean, log_variance):
    """The KL divergence from N(0, 1) of each picture's code, (N,), from (N, k) and (N, k)."""
    # BEGIN SOLUTION
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
    # END SOLUTION


# %%
exercises.price.check(price)

# %% [markdown]
# ### All of it by hand
#
# The other part of the loss is the **distortion**: how badly the picture is drawn, $D = \lVert \mathbf{x} - \hat{\mathbf{x}}\rVert^2 / (2\tau^2)$, where $\tau^2 = 0.02$ says how far off a pixel may be (its variance). The price is called the **rate** $R$, and the loss is
#
# $$\text{loss} = D + \beta R .$$
#
# With $\beta = 1$ it is minus the *evidence lower bound* (up to a constant): a bound on how probable the model finds the picture. Another $\beta$ is a wish of ours (Higgins and others, 2017). We take 4.


# %% tags=["by-hand"]
def network(*sizes):
    layers = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.Tanh())]
    return nn.Sequential(*layers[:-1])


torch.manual_seed(0)
encoder, decoder = network(256, 64, 64, 4), network(2, 64, 64, 256)
optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.003)
draw, generator, course = lesson.draw_from("square"), torch.Generator().manual_seed(0), []
for _ in lesson.progress(range(1000)):
    batch = draw(64, generator)
    mean, log_variance = encoder(batch).chunk(2, dim=1)  # two means, two log-variances
    z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=generator)
    distortion = (decoder(z) - batch).square().sum(dim=1) / (2 * 0.02)
    rate = kl_to_standard_normal(mean, log_variance).sum(dim=1)
    loss = (distortion + 4 * rate).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    course.append((distortion.mean().item(), rate.mean().item()))
for step in (1, 100, 1000):
    print("step {}: distortion {:.1f}, rate {:.1f}".format(step, *course[step - 1]))

# %% tags=["hide-input"]
with torch.no_grad():
    mean = encoder(pictures[:7]).chunk(2, dim=1)[0]
    drawn = decoder(mean)
lesson.show_pictures(torch.cat([pictures[:7], drawn]), ["shown"] * 7 + [f"z = {a:.1f}, {b:.1f}" for a, b in mean],
                     columns=7, title="What was shown, and what the two numbers are enough for")  # fmt: skip
plots.show(
    "Two rows of seven blobs: above the pictures, below what the decoder draws from two numbers. They look nearly the same."
)

# %% [markdown]
# ### The proof
#
# The price against two references: PyTorch's `kl_divergence`, and the definition itself, the mean of $\ln q(z) - \ln p(z)$ over many draws $z$ from the cloud ($q$: density of the cloud, $p$: of the prior). The last row holds our loop's rate against that of the helper `lesson.costs`, which judges the machines below.

# %% tags=["nbval-check-output", "hide-input"]
from torch.distributions import Normal, kl_divergence

mu, lv = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
cloud_of, prior = Normal(mu, (lv / 2).exp()), Normal(0.0, 1.0)
torch.manual_seed(0)
drawn = cloud_of.sample((20_000,))
by_draws = (cloud_of.log_prob(drawn) - prior.log_prob(drawn)).mean(dim=0).mean()
ours = kl_to_standard_normal(mu, lv)
with torch.no_grad():
    mean, log_variance = encoder(pictures).chunk(2, dim=1)
    mine = kl_to_standard_normal(mean, log_variance).sum(dim=1).mean()
    theirs = lesson.costs(lesson.Machine(encoder, decoder), pictures)[0]
judge.agreement_table(
    [
        ("torch.distributions", ours, kl_divergence(cloud_of, prior), "for each latent"),
        ("the definition, by draws", ours.mean()[None], by_draws[None], "20,000 draws: only about"),
        ("lesson.costs, rate", mine[None], torch.tensor([theirs]), "the same"),
    ]
)

# %% [markdown]
# ## 4 · What β costs
#
# Five machines with one seed: a plain autoencoder ($\beta = 0$: no noise, no price) and $\beta$ = 0.25, 1, 4 and 16.
#
# ### Exercise: predict, then run
#
# From $\beta = 4$ to $16$ a nat of rate becomes four times as expensive. The clouds of the two latents will grow wider. A wider cloud blurs the picture, which costs about $c\,\sigma^2$ of distortion with some constant $c$; it saves rate, which for a narrow cloud is about $-\frac12 \ln\sigma^2$. Which $\sigma^2$ makes $c\,\sigma^2 - \frac\beta2 \ln\sigma^2$ smallest? By how many nats does the rate fall, for both latents together? (Within 0.3 counts as right.)

# %% exercise="rate_falls"
fall_of_the_rate = None  # in nats
# BEGIN SOLUTION
fall_of_the_rate = 1.4
# END SOLUTION

# %%
betas = (0, 0.25, 1, 4, 16)
sweep = lesson.train(lesson.draw_from("square"), [0] * 5, betas=betas, n_steps=1500)
rates, distortions = np.transpose(
    [lesson.costs(m, pictures, noisy=b > 0) for m, b in zip(sweep, betas, strict=True)]
)
for b, rate in list(zip(betas, rates, strict=True))[1:]:
    print(f"β = {b:g}: rate {rate:.2f} nats")

# %%
exercises.rate_falls.check(fall_of_the_rate, rates)

# %% [markdown]
# The best $\sigma^2$ is $\beta / (2c)$: four times as large, so each latent saves $\frac12 \ln 4 = 0.69$ nats.
#
# What else does $\beta$ change? A wish for a VAE is to draw *new* pictures: take $z$ from the prior and decode it. We take 1,000 and measure two distances (a picture's length is about 4.5): from each new picture to the nearest true one (does it draw *only* blobs?) and from each true one to the nearest new one (does it draw *all* of them?). As a control, the same for 1,000 true pictures.

# %%
prior_draws = torch.randn(1000, 2, generator=torch.Generator().manual_seed(2))
new = [machine.decoder(prior_draws) for machine in sweep] + [lesson.fixed("square", 1000, seed=5)[0]]
only = [lesson.nearest(x, pictures).mean().item() for x in new]
all_of_them = [lesson.nearest(pictures[:1000], x).mean().item() for x in new]

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.2))
axes[0].plot(rates[1:], distortions[1:], "o-", color=plots.ACCENT)
for b, r, d in zip(betas[1:], rates[1:], distortions[1:], strict=True):
    axes[0].annotate(f"β = {b:g}", (r, d), xytext=(8, 3), textcoords="offset points", fontsize=9)
axes[0].set(xlabel="rate, nats", ylabel="distortion, nats", xlim=(2.5, 9.8))
axes[0].set_title("Shorter codes, worse pictures", loc="left")
names = [*(f"β = {b:g}" for b in betas), "true pictures"]
axes[1].plot(names, only, "o", color=plots.COLOURS[0], label="new to nearest true: only blobs?")
axes[1].plot(names, all_of_them, "s", color=plots.COLOURS[1], label="true to nearest new: all of them?")
axes[1].tick_params(axis="x", labelrotation=35)
axes[1].set(ylabel="distance", ylim=0)
axes[1].legend(fontsize=9)
axes[1].set_title("New pictures", loc="left")
plots.show(
    "Left: distortion against rate, falling from β = 16 to β = 0.25. Right, distances of new pictures and of true ones: "
    + ", ".join(f"{n} {a:.2f} and {b:.2f}" for n, a, b in zip(names, only, all_of_them, strict=True))
    + "."
)

# %% [markdown]
# Left: **β chooses a point on a curve**: a shorter code, a worse picture. Right: the code of the plain autoencoder ($\beta = 0$) was never asked to look like the prior; draws from the prior leave some true pictures out, and hit places between them. A price mends most of that. At $\beta = 4$ nearly every true picture has a new one close by (squares; compare with the right end), though the new ones are still not as good as true ones (circles). $\beta = 16$ does no better, and on the left you see what it costs.

# %% [markdown]
# ## 5 · Does each number stand for one thing?
#
# Here are all nine machines of section 1: where the grid of places lies in the plane of their codes.

# %% tags=["hide-input", "thumbnail"]
machines = lesson.nine("square")
grid_pictures = lesson.blobs(lesson.world_grid("square"))
figure, axes = plt.subplots(3, 3, figsize=(8, 8.4), sharex=True, sharey=True)
for seed, (ax, machine) in enumerate(zip(axes.flat, machines, strict=True)):
    degrees = lesson.angle(machine, pictures, places)
    lesson.draw_grid(ax, lesson.encode(machine, grid_pictures)[0], f"machine {seed}: {degrees:.0f}°")
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
plots.show(
    "The grid of places in the codes of nine machines: each time a regular grid, turned by "
    + ", ".join(f"{lesson.angle(m, pictures, places):.0f}" for m in machines)
    + " degrees against the axes."
)

# %% [markdown]
# The same grid nine times, only turned. To put this into one number without looking, ask how much one latent *tells* about one factor.
#
# ### Mutual information
#
# Cut both into bins with equally many pictures each, and count. $p_{ij}$ is the share of pictures with the latent in bin $i$ and the factor in bin $j$; $p_i$ and $p_j$ are the shares of each alone. Then
#
# $$I = \sum_{i,j} p_{ij} \ln \frac{p_{ij}}{p_i\, p_j}$$
#
# nats are shared. If the latent tells nothing, $p_{ij} = p_i p_j$ and $I = 0$. If it tells the factor's bin for sure, $I$ is the factor's own uncertainty, its *entropy* $H = -\sum_j p_j \ln p_j$; with ten bins $\ln 10 = 2.30$.


# %% tags=["by-hand"]
def information(latent, factor, bins=(20, 10)):
    """Mutual information in nats, by counting."""
    edges = [np.quantile(v, np.linspace(0, 1, b + 1)) for v, b in zip((latent, factor), bins, strict=True)]
    p = np.histogram2d(latent, factor, bins=edges)[0] / len(latent)
    expected = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    there = p > 0
    return (p[there] * np.log(p[there] / expected[there])).sum()


tables = []
for machine in machines:
    codes = lesson.encode(machine, pictures)[0].numpy()
    tables.append([[information(codes[:, i], places[:, j].numpy()) for j in (0, 1)] for i in (0, 1)])
tables = np.array(tables)  # (machine, latent, factor)

# %% tags=["hide-input"]
for seed, name in ((int(np.argmax(tables.max(axis=1).sum(axis=1))), "A"), (int(np.argmin(tables.max(axis=1).sum(axis=1))), "B")):  # fmt: skip
    print(f"machine {name}, nats    about x   about y")
    for latent, row in enumerate(tables[seed], start=1):
        print(f"  latent {latent}        {row[0]:10.2f}{row[1]:10.2f}")

# %% [markdown]
# In A each latent tells most of one factor's 2.30 nats and nearly nothing of the other. In B each tells a little of both.
#
# ### Exercise: the gap
#
# The **mutual information gap** (MIG; Chen and others, 2018) of a factor: what the best latent tells about it, minus what the second best tells, divided by the factor's entropy. Near 1: one latent has it all to itself. 0: two tell as much.


# %% exercise="gaps"
def gaps(information, entropies):
    """The gap of each factor, (f,), from the table of latents × factors (k, f) and the entropies (f,)."""
    # BEGIN SOLUTION
    ordered = np.sort(information, axis=0)
    return (ordered[-1] - ordered[-2]) / entropies
    # END SOLUTION


# %%
exercises.gaps.check(gaps)

# %% [markdown]
# The course has it as `mutual_information_gap(latents, factors)`. Against our counting, and with scikit-learn's `mutual_info_score` on the same bins:

# %% tags=["nbval-check-output", "hide-input"]
from sklearn.metrics import mutual_info_score

from course_utils.methods.information import quantile_bins

codes, truth = lesson.encode(machines[0], pictures)[0].numpy(), places.numpy()
sklearns = np.array(
    [
        [mutual_info_score(quantile_bins(codes[:, i], 20), quantile_bins(truth[:, j], 10)) for j in (0, 1)]
        for i in (0, 1)
    ]
)
from_sklearn = np.abs(sklearns[0] - sklearns[1]) / np.log(10)
judge.agreement_table(
    [
        ("information, scikit-learn", tables[0], sklearns, "the same bins"),
        ("the gap", mutual_information_gap(codes, truth), from_sklearn, "two latents: a plain difference"),
    ]
)

# %% [markdown]
# Counting has a trap: with too many bins even noise seems to tell something. And there are other ways to measure information, among them trained ones. [18b](18b_mutual_information.ipynb) compares them.

# %% [markdown]
# ## 6 · Can the loss tell?
#
# Two more worlds. In the **round** one $x$ and $y$ are still independent, but normally distributed: seen from above, the places are a round heap. In the **diamond** the square stands on a corner: $x + y$ and $x - y$ are uniform and independent.

# %% tags=["hide-input"]
exercises.lowest_loss

# %%
losses, gaps_of = {}, {}
for world in lesson.WORLDS:
    seen, where = lesson.fixed(world)
    trained = lesson.nine(world)
    costs = np.array([lesson.costs(machine, seen) for machine in trained])
    losses[world] = costs @ [4, 1]
    gaps_of[world] = np.array([lesson.gap(machine, seen, where) for machine in trained])

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 3, figsize=(9.5, 5.2), height_ratios=(1, 1.5))
for j, world in enumerate(lesson.WORLDS):
    axes[0, j].plot(*lesson.fixed(world, 600)[1].T, ".", color=plots.BASELINE, markersize=3)
    axes[0, j].set(
        aspect="equal", xlim=(-1, 1), ylim=(-1, 1), xlabel="x", ylabel="y", title=f"{world}: places"
    )
    r = np.corrcoef(losses[world], gaps_of[world])[0, 1]
    axes[1, j].plot(losses[world], gaps_of[world], "o", color=plots.ACCENT)
    axes[1, j].set(xlabel="loss on 8,000 pictures", ylim=(0, 1), title=f"r = {r:.2f}")
    axes[1, j].locator_params(axis="x", nbins=4)
axes[1, 0].set_ylabel("gap (MIG) of x and y")
plots.show(
    "Above, the places of the blob in three worlds. Below, the gap against the loss for nine machines each. Correlation: "
    + ", ".join(f"{w} {np.corrcoef(losses[w], gaps_of[w])[0, 1]:.2f}" for w in lesson.WORLDS)
    + "."
)
seen, where = lesson.fixed("diamond")
print("diamond, from the lowest loss to the highest, gap of x + y and x − y:")
print(*(f"{lesson.gap(lesson.nine('diamond')[i], seen, where @ lesson.turn(45)):.2f}" for i in np.argsort(losses["diamond"])))  # fmt: skip

# %% [markdown]
# $r$ is the correlation of loss and gap. All losses of a world lie within about two per cent (with other seeds a machine is now and then stuck at a far larger loss), and still:
#
# - **square**: the lower the loss, the better the axes.
# - **round**: the loss is blind. The $r$ that you see is chance: other seeds give either sign. (Locatello and others, 2019, prove that without assumptions about data and model it must be.)
# - **diamond**: the lower the loss, the *worse* the axes. Those of a low loss are $x + y$ and $x - y$ (numbers below the figure).
#
# **The axes are those of the data's shape, not those that you have a name for.** In the square the two happen to be the same.
#
# ### Why the loss sees edges
#
# One thing in a VAE has axes: the clouds. The encoder gives one variance for each latent, so a cloud can be wide or narrow, but it is never tilted.

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(8, 3.9))
straight = {}
for ax, world in zip(axes, ("square", "round"), strict=True):
    straight[world] = lesson.nine(world)[int(np.argmax(gaps_of[world]))]
    lesson.draw_clouds(ax, straight[world], lesson.blobs(lesson.world_grid(world, 5)), f"{world} world")
plots.show(
    "Clouds of the codes of 25 pictures on a grid. Square world: wide towards the edge, so long and thin along the sides. "
    "Round world: nearly circles everywhere."
)

# %% [markdown]
# Each ellipse is the cloud of one picture, two standard deviations wide. To make a normal cloud out of a square, the code is stretched at the edges, in the direction of the edge's normal. There the clouds are long and thin, *along the axes*. Turn the code by hand, and these ellipses would have to be tilted, which they cannot be. In the round world they are nearly circles: turn them as you like.
#
# You can try it without any training: turn the means by an angle, give each cloud the best upright ellipse (its precisions $1/\sigma^2$ add up with the squares of cosine and sine), and turn back before the decoder.


# %% tags=["by-hand"]
def turned_loss(machine, seen, where, degrees, beta=4):
    """Loss and gap of a machine whose code is turned by hand."""
    turn = lesson.turn(degrees)
    mean, log_variance = lesson.encode(machine, seen)
    mean = mean @ turn
    variance = 1 / ((1 / log_variance.exp()) @ turn**2)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    back = (mean + variance.sqrt() * noise) @ turn.T
    distortion = (machine.decoder(back) - seen).square().sum(dim=1).mean() / (2 * 0.02)
    rate = kl_to_standard_normal(mean, variance.log()).sum(dim=1).mean()
    return float(distortion + beta * rate), mutual_information_gap(mean.numpy(), where.numpy()).mean()


angles = np.arange(0, 91, 7.5)
by_angle = {w: np.array([turned_loss(m, *lesson.fixed(w), a) for a in angles]) for w, m in straight.items()}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), sharex=True)
for (world, values), style in zip(by_angle.items(), ("o-", "s--"), strict=True):
    axes[0].plot(angles, values[:, 0] - values[0, 0], style, label=f"{world} world")
    axes[1].plot(angles, values[:, 1], style, label=f"{world} world")
axes[0].set(xlabel="turned by, degrees", ylabel="rise of the loss", xticks=(0, 45, 90))
axes[1].set(xlabel="turned by, degrees", ylabel="gap (MIG)", ylim=0)
axes[0].set_title("Only the square minds", loc="left")
axes[1].set_title("You would mind in both", loc="left")
axes[0].legend(fontsize=9)
plots.show(
    f"Left: turned by 45 degrees, the loss rises by {np.ptp(by_angle['square'][:, 0]):.2f} in the square world and by "
    f"{np.ptp(by_angle['round'][:, 0]):.2f} in the round one. Right: the gap falls to almost 0 in both and comes back at 90."
)

# %% [markdown]
# **A trap.** These differences are small: less than half a nat out of 23. A training curve judges on one batch of 64 pictures. Here are 60 such batches, each shown to all nine machines:

# %% tags=["hide-input"]
small = np.array(
    [[lesson.costs(m, batch, n_draws=1) for m in lesson.nine("square")] for batch in pictures.split(64)[:60]]
) @ [4, 1]  # (60 batches, 9 machines)
of_batches = [np.corrcoef(row, gaps_of["square"])[0, 1] for row in small]
print(f"standard deviation of the loss: {small.std(axis=0).mean():.2f} from batch to batch, "
      f"{losses['square'].std():.2f} from machine to machine")  # fmt: skip
print(f"loss and gap: r from {min(of_batches):.2f} to {max(of_batches):.2f} with 64 pictures, "
      f"{np.corrcoef(losses['square'], gaps_of['square'])[0, 1]:.2f} with 8,000")  # fmt: skip

# %% [markdown]
# Even on one batch for all of them, chance decides what you find. Judge all machines on the same, large set.
#
# <details>
# <summary>Would more training turn machine B?</summary>
#
# In the square world often, since the loss pushes, though weakly: with 6,000 steps instead of 2,000, machines lie nearer to the axes on average, though some stay where they were. In the round world more steps change nothing, on average.
#
# </details>

# %% [markdown]
# ## 7 · Eight labels settle it
#
# If neither pictures nor loss say what you mean by an axis, say it yourself: give $x$ and $y$ of **eight** pictures. We try them in two ways, with the same eight pictures, on the first five machines of each world:
#
# - *in training*: add 20 times the mean squared error between their $\mu$ and their places (measured in standard deviations) to the loss;
# - *afterwards*: leave the machine as it is, and turn its code so that the eight codes come as near to the eight places as possible. That is one singular value decomposition (Procrustes), and no training at all.

# %%
results = {}
for world in ("square", "round"):
    seen, where = lesson.fixed(world)
    told, target = lesson.labelled(world, 8)
    taught = lesson.train(lesson.draw_from(world), range(5), labels=(told, target))
    results[f"{world}, 8 labels in training"] = np.array([lesson.gap(m, seen, where) for m in taught])
    same_seeds = lesson.nine(world)[:5]
    turned = [
        lesson.encode(m, seen)[0] @ lesson.best_turn(lesson.encode(m, told)[0], target) for m in same_seeds
    ]
    results[f"{world}, 8 labels afterwards"] = np.array(
        [mutual_information_gap(codes.numpy(), where.numpy()).mean() for codes in turned]
    )
    results[f"{world}, no labels"] = np.array([lesson.gap(m, seen, where) for m in same_seeds])

# %% tags=["hide-input"]
plots.score_plot(results, xlabel="gap (MIG) of five machines (95 % intervals)", baselines=[n for n in results if "no labels" in n],
                 sort=False, title="Eight labels are enough, even afterwards")  # fmt: skip
plots.show("The gap: " + ", ".join(f"{name} {values.mean():.2f}" for name, values in results.items()) + ".")

# %% tags=["hide-input"]
for world in ("square", "round"):
    for way in ("in training", "afterwards"):
        print(f"{world}, {way} − without: {judge.paired(results[f'{world}, 8 labels {way}'], results[f'{world}, no labels'])}")  # fmt: skip
    print(f"{world}, in training − afterwards: {judge.paired(results[f'{world}, 8 labels in training'], results[f'{world}, 8 labels afterwards'])}")  # fmt: skip

# %% [markdown]
# Eight pictures out of more than a hundred thousand that a machine saw. The cheaper way, turning afterwards, comes within a few hundredths here, because the machines differ by little but a turn. Where a code is bent as well, a turn is not enough.

# %% [markdown]
# ## 8 · A bug that everybody makes once
#
# ### Exercise: find the bug
#
# The loss below trains without an error. Its $\beta$ does not mean what section 3 says, and the pictures come out far too blurred. Mend it.


# %% exercise="fair_loss"
def fair_loss(pictures, drawn, mean, log_variance, beta):
    """Distortion + β · rate, a mean over the pictures (N, d), drawn as `drawn`; the code is (N, k)."""
    # BEGIN STUB
    # distortion = ((drawn - pictures) ** 2 / (2 * 0.02)).mean()
    # rate = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
    # return distortion + beta * rate
    # END STUB
    # BEGIN SOLUTION
    distortion = ((drawn - pictures) ** 2 / (2 * 0.02)).sum(dim=1)
    rate = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)
    return (distortion + beta * rate).mean()
    # END SOLUTION


# %%
exercises.fair_loss.check(fair_loss)

# %% [markdown]
# A mean over pixels divides the distortion by 256, one over latents divides the rate by 2. Together $\beta$ became 128 times as large: the curve of section 4, far to the left. Two papers with "β = 4" need not mean the same. (Try $\beta = 128$ in section 10.)

# %% [markdown]
# ## 9 · Where it breaks
#
# ### More latents than factors
#
# Nobody tells you how many factors there are. Four latents for our two factors, two seeds each; the table shows the rate of each latent, sorted. A latent with a rate of 0 is switched off.

# %%
four = lesson.train(lesson.draw_from("square"), [0, 1, 0, 1], betas=(1, 1, 4, 4), n_latents=4, n_steps=1500)
print("                rate of each latent          gap")
for beta, machine in zip((1, 1, 4, 4), four, strict=True):
    parts = kl_to_standard_normal(*lesson.encode(machine, pictures)).mean(dim=0).sort(descending=True).values
    print(
        f"β = {beta}:   {' '.join(f'{v:6.2f}' for v in parts)}   {lesson.gap(machine, pictures, places):8.2f}"
    )

# %% [markdown]
# A latent that is not needed is not paid for: here two carry nearly everything at $\beta = 4$; at $\beta = 1$ all four share the two factors. On average a larger $\beta$ switches more of them off; with some seeds all four stay on. How they are turned is chance.
#
# ### Real digits: three seeds, three vocabularies
#
# 1,797 handwritten digits of 8 × 8 pixels, three seeds, with two latents (for the figure) and with eight. No factor is known here, so there is no gap to compute. But one can ask whether two seeds agree: $r^2$ is the share of a latent's variance that a straight line (or plane) through the other seed's latents explains, from 0 to 1.

# %%
digit_pictures, labels = lesson.digits()
readers = lesson.train(lesson.draw_rows(digit_pictures), [0, 1, 2], betas=1.0, n_steps=1200)
seen_by = [lesson.encode(machine, digit_pictures)[0].numpy() for machine in readers]
wider = lesson.train(lesson.draw_rows(digit_pictures), [0, 1, 2], betas=1.0, n_latents=8, n_steps=1200)
print(
    "eight latents, each pair of seeds: r² of a latent with the best one of the other seed, and with all eight"
)
for a, b in ((0, 1), (0, 2), (1, 2)):
    one, together = lesson.same_information(wider[a], wider[b], digit_pictures)
    print(f"  seeds {a} and {b}:   one latent {one:.2f}   all together {together:.2f}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.4))
for seed, ax in enumerate(axes):
    for digit in range(10):
        these = seen_by[seed][labels == digit]
        ax.plot(*these.T, ".", markersize=3, color=plt.cm.tab10(digit), alpha=0.5)
        ax.annotate(
            str(digit), np.median(these, axis=0), fontsize=12, weight="bold", ha="center", va="center"
        )
    rate, distortion = lesson.costs(readers[seed], digit_pictures)
    ax.set(title=f"seed {seed}: loss {rate + distortion:.1f}", xlabel="latent 1")
axes[0].set_ylabel("latent 2")
plots.show(
    "The codes of handwritten digits for three seeds. The classes form groups in each, at other places each time."
)

# %% [markdown]
# The groups are much the same and lie elsewhere. With eight latents, all those of one seed together say nearly what those of another say, but no single latent has a partner. **The machines agree on what to tell, not on the words.** A sentence such as "latent 3 is the slant" is about one seed.
#
# Can one *build* a network so that its numbers stand for a pose? Capsule networks try. [18c](18c_capsules.ipynb) tests one on turned digits.

# %% [markdown]
# ## 10 · Your turn
#
# Change the first line: a world (`"square"`, `"round"`, `"diamond"`), the seeds, β, the steps of training. Predict the axes before you run. Does a larger β order them? Compare 4 and 16, in the square world and in the round one.

# %%
world, seeds, beta, n_steps = "diamond", (0, 1, 2), 16.0, 1500

mine = lesson.train(lesson.draw_from(world), seeds, betas=beta, n_steps=n_steps)
seen, where = lesson.fixed(world)
print("seed   rate   distortion    loss   gap of x and y   of x + y and x − y")
for seed, machine in zip(seeds, mine, strict=True):
    rate, distortion = lesson.costs(machine, seen)
    gaps_here = [lesson.gap(machine, seen, factors) for factors in (where, where @ lesson.turn(45))]
    print(f"{seed:4}{rate:7.2f}{distortion:13.2f}{distortion + beta * rate:8.2f}{gaps_here[0]:17.2f}{gaps_here[1]:21.2f}")  # fmt: skip

# %% [markdown]
# <details>
# <summary>Does a larger β order the axes?</summary>
#
# On average, in the square world and in the diamond: with $\beta = 16$ machines lie nearer to the data's axes than with $4$. In the round world they lie anywhere. And some stay at other axes, with a larger loss: seed 0 above.
#
# </details>

# %% [markdown]
# ### Play
#
# Turn the two knobs of a machine. With which machines could you place the blob where you want it, one number after the other?


# %%
def draw_knobs(machine, z1, z2):
    picture = lesson.nine("square")[machine].decoder(torch.tensor([[z1, z2]]).float())
    title = f"machine {machine}: z = {z1:.1f}, {z2:.1f}"
    lesson.show_pictures(picture, [title], columns=1, title="", width=2.6)
    plots.show(f"What the decoder of {title} draws: one blob.")


widgets.explore(
    draw_knobs,
    machine=widgets.slider("machine", 0, 8, 0),
    z1=widgets.slider("z1", -2, 2, 1, 0.1),
    z2=widgets.slider("z2", -2, 2, 0, 0.1),
)

# %% tags=["hide-input"]
draw_knobs(0, 1.0, 0.0)

# %% [markdown]
# ## 11 · Recap
#
# - The linear autoencoder finds the plane of a PCA exactly, and any axes in it.
# - A VAE makes the code a cloud with a price. β chooses how many nats a picture may cost.
# - Nine seeds, nearly one loss, and very different gaps: the difference is a turn.
# - The loss prefers axes only through its upright clouds, and then those of the data's shape. A round heap has none.
# - Your axes come from you: eight labels are enough, here even after the training.
# - So do not say "latent 7 is the smile" before a second seed, and a measure with the truth, have agreed.
#
# **Companions.** [18b · Mutual information](18b_mutual_information.ipynb): four ways to measure it, and how each fails. [18c · Capsules](18c_capsules.ipynb): numbers that should be a pose, whether they are, and what a layer forgets.
#
# <details>
# <summary>The paper in ten questions</summary>
#
# F. Locatello and others: *Challenging common assumptions in the unsupervised learning of disentangled representations* (ICML 2019).
#
# 1. **Which problem?** Whether a code whose axes are the factors of the world can be learnt without labels.
# 2. **Is it new?** The methods existed (β-VAE and relatives). New are a proof and a very large comparison.
# 3. **Which hypothesis?** Without assumptions about model and data it is impossible.
# 4. **Related work, and who?** β-VAE, FactorVAE, β-TCVAE; independent component analysis, where the same is known of normal sources. The authors: ETH Zürich, Google, Max Planck Institute.
# 5. **The key idea?** To each machine with the right axes there is another one with the same pictures and mixed axes, as for our round world.
# 6. **Which experiments?** More than 12,000 models: six methods, seven data sets, many seeds.
# 7. **Data and code?** Public (`disentanglement_lib`).
# 8. **Do the results support it?** Seeds and settings matter more than the method, as here; and no score without labels picks the good machines.
# 9. **What did it contribute?** It moved the question: how few labels are enough, and what does one assume?
# 10. **What next?** Few labels, pairs of pictures that share a factor, and causes (lesson 21).
#
# </details>
#
# **References**
# - [Kingma and Welling, 2014: Auto-encoding variational Bayes](https://arxiv.org/abs/1312.6114)
# - [Higgins and others, 2017: β-VAE](https://openreview.net/forum?id=Sy2fzU9gl)
# - [Chen and others, 2018: Isolating sources of disentanglement (the gap)](https://arxiv.org/abs/1802.04942)
# - [Locatello and others, 2019: Challenging common assumptions](https://arxiv.org/abs/1811.12359)
# - [Rolínek and others, 2019: Variational autoencoders pursue PCA directions (by accident)](https://arxiv.org/abs/1812.06775)
# - [Bourlard and Kamp, 1988: Auto-association by multilayer perceptrons and singular value decomposition](https://doi.org/10.1007/BF00332918)
