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
# # 14b · Which channels: find what you did not look for
#
# **The question.** A map shows one picture's reasons. You have seventy pictures, and you do not know what to look for. Can the explanations sort themselves, so that a strange reason stands out?
#
# This companion of [14 · Layer-wise relevance propagation](14_lrp.ipynb) pays relevance to *channels* instead of pixels, and groups the pictures by it. The method is called *spectral relevance analysis*, SpRAy (Lapuschkin and others, 2019). There it groups maps of pixels; section 5 shows why channels do better here.
#
# **After this lesson you can**
# - say which channels of a layer a score came through;
# - build spectral clustering by hand: a graph, its Laplacian, a gap between eigenvalues;
# - find a handful of pictures with a reason of their own, and show that the reason is real;
# - name the settings on which such a finding depends.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [14](14_lrp.ipynb), sections 2, 4 and 5. **Only ten minutes?** Read sections 1, 2, 5 and 6 and look at their figures; leave the formulas of 3 for later.
#
# The first cell loads the lab `watermark`, which you know from [04](04_grad_cam.ipynb): drawn scenes of ten classes. In the training pictures of its network each horse bore a small caption and nothing else did, so the network calls *horse* what bears the caption.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l14_lrp as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l14_lrp as lesson
from course_utils.methods.cam import upsample
from course_utils.methods.relevance import EPSILON_PLUS, relevance
from course_utils.methods.spray import channel_relevance, eigengap, neighbour_graph, spectral_clusters
from course_utils.teach import plots, widgets

lab = load_lab("watermark", model="shortcut")
HORSE = lab.class_names.index("horse")

# %% tags=["hide-input"]
pair = load_lab("watermark", seed=1, n=3)
plots.show_images(
    [*pair.images, *pair.counterfactuals], ["with the caption"] * 3 + ["without it"] * 3, columns=6
)
plots.show("Three horses with a small caption somewhere near the lower edge, and the same three without it.")

# %% [markdown]
# The next cell prepares what all sections use: a network `repaired`, which section 1 explains, and a `pile` of 72 horses, 12 of them with the caption.

# %%
repaired = lesson.trained_further(lab.model)
pile = lesson.horses(12, 60, seed=10)
inputs, asked, truth = lab.preprocess(pile.images), torch.full((72,), HORSE), pile.marked

# %% [markdown]
# ## 1 · A repair that looks complete
#
# Somebody notices the mistake, collects 450 pictures in which half of the horses have no caption, and trains the last two blocks of the network further. `lesson.trained_further` did that above, in seconds. Now the usual test, on new pictures:

# %%
test = lesson.horses(60, 60, seed=20)
others, others_marked, their_class = lesson.others_with_caption(120, seed=20)


def share(model, images, classes):
    return lesson.share_of(model, images, classes, lab.preprocess).mean()


for name, model in (("before", lab.model), ("repaired", repaired)):
    marked, plain = (share(model, test.images[test.marked == with_it], HORSE) for with_it in (True, False))
    print(f"{name:<9} horses with caption {marked:.2f}, without {plain:.2f}; "
          f"other classes {share(model, others, their_class):.2f} right")  # fmt: skip

# %% [markdown]
# The repaired network knows most horses without a caption, and the other classes nearly as well as before. Is the caption forgotten? If you suspect it, one line answers: put the caption on pictures of *other* classes. But assume that nobody suspects anything. All that you have is the network and a pile of horses, a few of them with a caption. `pile` holds 72, shuffled, 12 of them with the caption. `pile.marked` is the truth: we use it for the score only.

# %% [markdown]
# ## 2 · Relevance of a channel
#
# In the core lesson relevance was paid back to the pixels. Stop on the way, at a layer with $K$ channels: then each channel $k$ at each place $p$ holds some relevance $R_{kp}$, its value times the gradient of the changed network (section 5 there). Add up over the places:
#
# $$R_k = \sum_p R_{kp}.$$
#
# That is one number for each channel: how much of the score came *through* it. It forgets *where* in the picture that was. Achtibat and others (2023) take a channel for a concept and call this *concept relevance*.

# %%
at_layer = relevance(repaired, inputs, asked, EPSILON_PLUS, layer="layer3")
vectors = at_layer.sum(dim=(2, 3)).numpy()
same = channel_relevance(repaired, inputs, asked, "layer3").numpy()
print("values at layer3:", tuple(at_layer.shape), "→ vectors:", vectors.shape)
print(f"largest difference from channel_relevance: {np.abs(vectors - same).max():.0e}")

# %% tags=["hide-input"]
strongest = np.argsort(-np.abs(vectors).mean(axis=0))[:40]
figure, ax = plt.subplots(figsize=(10, 4.2))
limit = np.quantile(np.abs(vectors), 0.999)
shown = ax.imshow(vectors[:, strongest], cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
ax.set(xlabel="the 40 channels of layer3 with most relevance", ylabel="72 horses")
ax.set_title("How much of the score came through which channel?", loc="left")
figure.colorbar(shown, label="relevance")
plots.show(
    "A table of colours, one row a horse and one column a channel. Most rows look alike; a few, here and there, are dark red where "
    "the others are pale."
)

# %% [markdown]
# Most rows resemble each other. A few are dark in columns where the others are pale. Those pictures got their score in another way. You could pick them by eye here; a program should do it without eyes.

# %% [markdown]
# ## 3 · Spectral clustering by hand
#
# ### A graph of neighbours
#
# Bring each vector to length 1, so that only its direction counts, not how high the score is. The *likeness* of two pictures is then the inner product of their vectors. Join each picture to the $k$ most similar others, its *nearest neighbours*. The graph is a matrix $A$: $A_{ij}$ is 1 if each of $i$ and $j$ chose the other, ½ if only one did, else 0.
#
# ### Exercise: find the bug
#
# Somebody wrote it down like this. `likeness` (n, n) has ones on its diagonal. There are two things to mend.


# %% exercise="graph_of"
def graph_of(likeness, k):
    """The graph of the k nearest neighbours: (n, n), symmetric, zeros on the diagonal."""
    # BEGIN STUB
    # nearest = np.argsort(-likeness, axis=1)[:, :k]
    # graph = np.zeros_like(likeness)
    # np.put_along_axis(graph, nearest, 1.0, axis=1)
    # return graph
    # END STUB
    # BEGIN SOLUTION
    nearest = np.argsort(-likeness, axis=1)[:, 1 : k + 1]
    graph = np.zeros_like(likeness)
    np.put_along_axis(graph, nearest, 1.0, axis=1)
    return (graph + graph.T) / 2
    # END SOLUTION


# %%
exercises.graph_of.check(graph_of)

# %% [markdown]
# ### The Laplacian
#
# The *degree* $d_i = \sum_j A_{ij}$ says how much a picture is connected, and $D$ is the matrix with the degrees on its diagonal. The *normalised Laplacian* is
#
# $$L = I - D^{-1/2} A\, D^{-1/2}.$$
#
# ### Exercise: write it


# %% exercise="laplacian"
def laplacian(graph):
    """The normalised Laplacian (n, n) of a symmetric graph (n, n)."""
    # BEGIN SOLUTION
    root = np.sqrt(graph.sum(axis=1))
    return np.eye(len(graph)) - graph / root[:, None] / root
    # END SOLUTION


# %%
exercises.laplacian.check(laplacian)

# %% [markdown]
# Why this matrix? Give each point a number $f_i$, and let $g_i = f_i / \sqrt{d_i}$. Then
#
# $$f^\top L f = \tfrac{1}{2} \sum_{ij} A_{ij}\, (g_i - g_j)^2 .$$
#
# So $f^\top L f$ is small if $g$ hardly differs between neighbours. The eigenvectors with the smallest eigenvalues are the numbers that differ least. If the graph falls into two parts without an edge between them, $g$ can be 1 in one part and 0 in the other, at no cost: the eigenvalue 0 comes twice. With a few edges between the parts the second 0 becomes a small number. Two triangles, first apart, then with one edge:

# %% tags=["nbval-check-output"]
triangles = np.kron(np.eye(2), 1 - np.eye(3))
for edge in (0.0, 0.5):
    triangles[2, 3] = triangles[3, 2] = edge
    values, columns = np.linalg.eigh(exercises.laplacian.reference(triangles))
    g = columns[:, 1] / np.sqrt(triangles.sum(axis=1))
    print(f"edge {edge}: eigenvalues {values.round(2) + 0.0}")
f, L = np.arange(6.0), exercises.laplacian.reference(triangles)
g_f = f / np.sqrt(triangles.sum(axis=1))
print(f"f L f: {f @ L @ f:.3f}, half the sum: {(triangles * (g_f[:, None] - g_f) ** 2).sum() / 2:.3f}")
print("with the edge, the second eigenvector divided by √d:", (g / g.max() * np.sign(g[0])).round(2))

# %% [markdown]
# (The line before the last tries the formula with $f$ = 0, 1, …, 5.) The last line has one sign in the first triangle and the other sign in the second. That is the whole method: **take the first eigenvectors as coordinates, and let a simple clustering, k-means, divide the points there.** (*k-means* puts a given number of centres so that the squared distances of the points to their nearest centre are small.)
#
# ### How many clusters?
#
# With $c$ clear groups there are $c$ small eigenvalues, then a step: the *eigengap*.
#
# ### Exercise: read the gap
#
# Return the number of eigenvalues before the largest step.


# %% exercise="n_clusters"
def n_clusters(eigenvalues):
    """Number of clusters: how many of the ascending eigenvalues lie before the largest step."""
    # BEGIN SOLUTION
    return int(np.diff(eigenvalues).argmax()) + 1
    # END SOLUTION


# %%
exercises.n_clusters.check(n_clusters)


# %% [markdown]
# ## 4 · Cluster the pile
#
# All three steps together, with five neighbours for each picture:


# %% tags=["by-hand"]
def spectral(rows, n_neighbours, n_clusters):
    """Clusters (n,), the eigenvalues (n,) and the coordinates (n, n_clusters) of the rows (n, d)."""
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    graph = exercises.graph_of.reference(rows @ rows.T, n_neighbours)
    values, columns = np.linalg.eigh(exercises.laplacian.reference(graph))
    places = columns[:, :n_clusters] / np.sqrt(graph.sum(axis=1))[:, None]
    found = KMeans(n_clusters, n_init=10, random_state=0).fit_predict(places)
    return found, values, places


NEIGHBOURS = 5
clusters, eigenvalues, places = spectral(vectors, NEIGHBOURS, 2)
print("first eigenvalues:", eigenvalues[:6].round(3) + 0.0, "→", eigengap(eigenvalues), "clusters")
print("sizes of the clusters:", np.bincount(clusters))

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
axes[0].plot(range(1, 11), eigenvalues[:10], "o", color=plots.ACCENT)
axes[0].set(xlabel="number of the eigenvalue", ylabel="eigenvalue", xticks=range(1, 11))
axes[0].set_title("The eigenvalues: where is the step?", loc="left")
small = int(np.bincount(clusters).argmin())
for label, chosen, colour, form in (("cluster A", clusters != small, plots.COLOURS[0], "o"),
                                    ("cluster B", clusters == small, plots.COLOURS[1], "s")):  # fmt: skip
    rank = np.arange(72)[chosen]
    axes[1].plot(
        rank, places[chosen, 1], form, color=colour, label=f"{label}: {chosen.sum()} pictures", markersize=5
    )
axes[1].set(xlabel="number of the picture in the pile", ylabel="second coordinate")
axes[1].set_title("What the second eigenvector says of each picture", loc="left")
axes[1].legend(fontsize=9)
plots.show(
    f"Left: ten eigenvalues, the largest step after number {eigengap(eigenvalues)}. Right: the second coordinate of the 72 "
    f"pictures; {int((clusters == small).sum())} of them are set apart, most of them far."
)

# %% [markdown]
# No clear step: the eigenvalues rise evenly, and the largest step (`eigengap` looks at the first ten) says *nine*. Real data are like that. But the second eigenvalue is still near 0, and its eigenvector, on the right, sets about a dozen pictures far apart. That is what to look at, so we asked for two clusters.
#
# ### The proof
#
# Three references: SciPy's Laplacian, scikit-learn's spectral clustering (which builds on that Laplacian), and the course's function `spectral_clusters`. Clusters have no names, so two divisions are compared by the *adjusted Rand index*: of all pairs of pictures, how many are together in both or apart in both? It is scaled so that 1 is the same division and 0 is what chance gives on average.

# %% tags=["nbval-check-output"]
from scipy.sparse.csgraph import laplacian as scipy_laplacian
from sklearn.cluster import SpectralClustering

graph = neighbour_graph(vectors, NEIGHBOURS)
by_sklearn = SpectralClustering(2, affinity="precomputed", random_state=0).fit_predict(graph)
by_course, course_values = spectral_clusters(graph, 2)
ours = exercises.laplacian.reference(graph)
judge.agreement_table(
    [
        ("SciPy, Laplacian", ours, scipy_laplacian(graph, normed=True), "largest difference"),
        ("scikit-learn, division", [1.0], [adjusted_rand_score(clusters, by_sklearn)], "Rand index"),
        ("the course, division", [1.0], [adjusted_rand_score(clusters, by_course)], "Rand index"),
        ("the course, eigenvalues", eigenvalues, course_values, ""),
    ]
)

# %% [markdown]
# ## 5 · What is in the small cluster?
#
# Nobody has told the program about captions. Look at what it found. Which channels make the difference? Take the three whose mean relevance is most *above* that of the large cluster, and draw *where* they hold it.

# %%
in_small = clusters == small
difference = vectors[in_small].mean(axis=0) - vectors[~in_small].mean(axis=0)
suspects = np.argsort(-difference)[:3]
where = at_layer[:, torch.as_tensor(suspects.copy())].sum(dim=1).clamp(min=0)
where = upsample(where, inputs.shape[-2:])
print("channels", suspects.tolist(), "get", difference[suspects].round(2), "more in the small cluster")

# %% tags=["hide-input"]
rows = [*np.flatnonzero(in_small)[:4], *np.flatnonzero(~in_small)[:4]]
figure, axes = plots.grid(2, 8, ratio=1.0)
top = float(where[in_small].max())
for column, i in enumerate(rows):
    axes[0, column].imshow(pile.images[i])
    axes[1, column].imshow(where[i], vmin=0, vmax=top, cmap="inferno")
    axes[0, column].set_title("small" if column < 4 else "large", fontsize=9)
figure.suptitle("Four pictures of each cluster; below, where the three channels hold relevance", fontsize=11)
plots.show(
    "Four horses of the small cluster, all with a caption, and the three channels light up on it, in the second one on the horse, too. "
    f"Four of the large cluster without one. In the small cluster are {int(truth[in_small].sum())} of the 12 with a caption and "
    f"{int((~truth[in_small]).sum())} without."
)

# %% [markdown]
# That is the moment for which the method was made: you look at eight pictures instead of seventy-two, and the caption is hard to miss. Now the score, with the truth. Beside it the simpler ways: k-means on the same vectors; the *activations* of the layer's channels (their sums, no relevance); and maps of pixels, made small to 16 × 16.


# %%
def activations(model, pictures, layer):
    """The sum of each channel's values over the places: (N, K)."""
    kept = []
    handle = getattr(model, layer).register_forward_hook(lambda module, args, out: kept.append(out))
    with torch.no_grad():
        model(pictures)
    handle.remove()
    return kept[0].sum(dim=(2, 3)).numpy()


def pixel_rows(model, pictures, classes):
    """Maps of pixels, averaged over squares of 8 × 8: (N, 256)."""
    maps = relevance(model, pictures, classes, EPSILON_PLUS).sum(dim=1, keepdim=True)
    return torch.nn.functional.avg_pool2d(maps, 8).flatten(1).numpy()


def kmeans(rows):
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return KMeans(2, n_init=10, random_state=0).fit_predict(rows)


# %%
def scores(seed):
    """Rand index with the captions, for a new pile of this seed: {way: index}."""
    horses = lesson.horses(12, 60, seed)
    pictures, classes = lab.preprocess(horses.images), torch.full((72,), HORSE)
    rows = {
        "relevance of channels": channel_relevance(repaired, pictures, classes, "layer3").numpy(),
        "activations of channels": activations(repaired, pictures, "layer3"),
        "relevance of pixels": pixel_rows(repaired, pictures, classes),
    }
    found = {}
    for name, values in rows.items():
        by_graph = spectral_clusters(neighbour_graph(values, NEIGHBOURS), 2)[0]
        found[f"{name}, spectral"] = adjusted_rand_score(horses.marked, by_graph)
        found[f"{name}, k-means"] = adjusted_rand_score(horses.marked, kmeans(values))
    return found


three = [scores(seed) for seed in tqdm((10, 11, 12), desc="piles", leave=False)]

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(8.5, 2.9))
names = list(three[0])[::-1]
for y, name in enumerate(names):
    values = [found[name] for found in three]
    ax.plot(
        values,
        [y] * 3,
        "o" if "spectral" in name else "s",
        color=plots.ACCENT if "spectral" in name else plots.BASELINE,
    )
ax.set_yticks(range(len(names)), names)
ax.axvline(0, color=plots.INK, linewidth=0.8)
ax.set(xlabel="adjusted Rand index with the captions (1: all found, 0: chance)", xlim=(-0.2, 1.05))
ax.set_title("Three piles of 72 horses, 12 of them marked", loc="left")
means = {name: np.mean([found[name] for found in three]) for name in names}
plots.show(
    "Dots for six ways and three piles. Mean for the relevance of channels: "
    f"{means['relevance of channels, spectral']:.2f} by spectral clustering, {means['relevance of channels, k-means']:.2f} by "
    f"k-means; relevance of pixels, spectral, {means['relevance of pixels, spectral']:.2f}."
)

# %% [markdown]
# Spectral clustering of the channels' relevance finds the twelve in each pile; in the first a stranger is in their cluster. k-means on the same vectors is less sure: it prefers groups of similar size and spread, and the marked horses are few. (With twenty of each it finds nearly all.) In a graph a small group counts as soon as it is cut off. Maps of pixels do badly in both ways: the caption moves from picture to picture, as the horse does, so two maps with the same reason hardly share a pixel. That is a part of the cause: with the same caption in one corner of each, pixels find much more (0.7 on average on five other piles, against 0 at drawn places), but seldom all.
#
# And the activations, without any relevance? *Here* they do as well, and with k-means better: in `layer3` the caption of this network is loud. Section 8 shows layers where they do not.

# %% [markdown]
# ## 6 · A cluster is a question, not an answer
#
# Pictures may fall into groups for a hundred reasons. That the caption *matters* is not shown by a group of pictures that bear it. Test it: take the caption off the marked horses, put it on the others, and ask the network again. (In your own work you have to edit the pictures.)

# %%
with torch.no_grad():
    before, after = (repaired(lab.preprocess(some))[:, HORSE] for some in (pile.images, pile.others))
print(f"caption taken off, change of the score of horse: {judge.paired(after[truth], before[truth])}")
print(f"caption put on,    change of the score of horse: {judge.paired(after[~truth], before[~truth])}")
print(f"other classes called horse: without caption {share(repaired, others, HORSE):.2f}, "
      f"with it {share(repaired, others_marked, HORSE):.2f}")  # fmt: skip

# %% [markdown]
# The repair hides the mistake, it does not remove it. Horses without the caption are known by their shape now; the caption still adds about two units to the score, on average, and makes horses of other classes' pictures.
#
# Can you cut it out? Set the channels that make the difference between the clusters to zero, one after the other, beside as many channels drawn at random (mean of three draws), and beside those with most relevance for the plain horses.

# %%
by_difference = np.argsort(-difference)
by_size = np.argsort(-vectors[~in_small].mean(axis=0))
draws = [np.random.default_rng(i).permutation(128) for i in range(3)]
plain_horses = test.images[~test.marked]
numbers, curves = (0, 4, 8), {}
ways = {"largest difference": [by_difference], "most relevance": [by_size], "random": draws}
for name, orders in tqdm(ways.items(), desc="channels", leave=False):
    rows = []
    for channels in (order[:number] for number in numbers for order in orders):
        with lesson.without_channels(repaired.layer3, channels):
            rows.append([share(repaired, others_marked, HORSE), share(repaired, plain_horses, HORSE)])
    curves[name] = np.array(rows).reshape(len(numbers), len(orders), 2).mean(axis=1)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.1), sharey=True)
for (name, curve), style in zip(curves.items(), ("-o", "--s", ":^"), strict=True):
    for k, ax in enumerate(axes):
        ax.plot(numbers, curve[:, k], style, label=name)
axes[0].set_title("other classes with a caption", loc="left")
axes[1].set_title("horses without a caption", loc="left")
for ax in axes:
    ax.set(xlabel="channels of layer3 set to zero", ylim=(0, 1.02))
axes[0].set_ylabel("called horse")
axes[0].legend(fontsize=9)
last = {name: curve[-1] for name, curve in curves.items()}
plots.show(
    "Two panels. Left: the share of other classes' pictures with a caption that are called horse falls from "
    f"{curves['random'][0, 0]:.2f} to {last['largest difference'][0]:.2f} without eight channels of the largest difference, and "
    f"to {last['random'][0]:.2f} without random ones. Right: horses without a caption fall, too, to {last['largest difference'][1]:.2f}."
)

# %% [markdown]
# The channels carry a good part of the caption: without them fewer pictures are fooled, and random channels do not do that. But look at the control that is harder to beat. The channels with most relevance for *plain* horses take away nearly as much. So what sees the caption and what sees the horse is not cleanly divided into channels, and a good part of the caption is left. The right panel is the price. Here both ways cost about the same; in most other networks that were trained in the same way with another seed, the channels of the clusters cost the plain horses less than that control. To find a reason and to remove it are two tasks.

# %% [markdown]
# ## 7 · Where it breaks: two clusters, always
#
# The lab has an honest twin, `model="clean"`: it saw the caption as often with each class. Cluster the same 72 horses by *its* relevance, and ask for two clusters.
#
# ### Exercise: predict, then run
#
# What will its two clusters divide the pile by? `"the caption"`, `"something else"`, or do you get `"no clusters"`?

# %% exercise="honest_twin"
prediction = None
# BEGIN SOLUTION
prediction = "something else"
# END SOLUTION

# %%
honest = load_lab("watermark", model="clean").model
agreements = {}
for name, network in (("repaired", repaired), ("honest", honest)):
    of_network = channel_relevance(network, inputs, asked, "layer3").numpy()
    found, values = spectral_clusters(neighbour_graph(of_network, 5), 2)
    agreements[name] = adjusted_rand_score(truth, found)
    print(f"{name}: sizes {np.bincount(found)}, Rand index with the caption {agreements[name]:.2f}")
    print(f"    eigenvalues {values[:5].round(3) + 0.0}, the gap says {eigengap(values)}")

# %%
exercises.honest_twin.check(prediction, agreements["honest"])

# %% [markdown]
# You asked for two and got two. And the gap misleads: it says two for the honest network and nine for the repaired one. The second eigenvalue says more. It is about four times as large for the honest network: there is less to cut off. Only compared with another network does the number mean something.

# %% [markdown]
# ## 8 · Where it breaks: the settings decide
#
# Number of neighbours, layer, number of marked pictures. First how few may be marked: the same 60 plain horses, and 4 to 30 with a caption.

# %%
more = lesson.horses(30, 60, seed=30)
rows = channel_relevance(repaired, lab.preprocess(more.images), torch.full((90,), HORSE), "layer3").numpy()
with_it, without = np.flatnonzero(more.marked), np.flatnonzero(~more.marked)
how_many, neighbours = (4, 6, 8, 12, 20, 30), (3, 5, 8, 12, 20)


def index_of(values, marked, n_neighbours, n_clusters=2):
    found = spectral_clusters(neighbour_graph(values, n_neighbours), n_clusters)[0]
    return adjusted_rand_score(marked, found)


rare = np.zeros((len(how_many), len(neighbours)))
for i, number in enumerate(how_many):
    chosen = np.concatenate([with_it[:number], without])
    rare[i] = [index_of(rows[chosen], more.marked[chosen], m) for m in neighbours]

# %%
stored = {
    name: channel_relevance(repaired, inputs, asked, name).numpy()
    for name in ("layer1", "layer2", "layer3", "layer4")
}
layers = {}
for name, values in stored.items():
    plain_sums = activations(repaired, inputs, name)
    layers[f"{name}, relevance"] = [index_of(values, truth, m) for m in neighbours]
    layers[f"{name}, activations"] = [index_of(plain_sums, truth, m) for m in neighbours]
for name, values in (("repaired", vectors), ("honest", of_network)):
    gaps = [eigengap(spectral_clusters(neighbour_graph(values, m), 2)[1]) for m in neighbours]
    print(f"{name:<9} clusters that the gap says with {neighbours} neighbours: {gaps}")
in_more = [index_of(vectors, truth, NEIGHBOURS, k) for k in (2, 3, 4)]
print("Rand index if you ask for 2, 3, 4 clusters:", np.round(in_more, 2))
in_piles = []
for some in (lesson.horses(12, 60, seed) for seed in (11, 12, 13)):
    of_last = channel_relevance(repaired, lab.preprocess(some.images), asked, "layer4").numpy()
    in_piles.append(index_of(of_last, some.marked, NEIGHBOURS))
print("Rand index of layer4 in three other piles:", np.round(in_piles, 2))

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(11, 3.9), layout="constrained")
columns = [f"{m}" for m in neighbours]
plots.matrix_plot(rare, [f"{number} marked" for number in how_many], columns, ax=axes[0],
                  title="How many are marked (beside 60 plain)")  # fmt: skip
plots.matrix_plot(list(layers.values()), list(layers), columns, ax=axes[1], title="Which layer (12 marked)")
for ax in axes:
    ax.set_xlabel("neighbours of each picture")
plots.show(
    "Two tables of Rand indices. Left: with few marked pictures only few neighbours find them; with twenty and more all "
    "settings do. Right: layer3 finds them with up to eight neighbours; layer1 many with relevance, none with activations; layer4 none."
)

# %% [markdown]
# The left table: **a group that is smaller than the number of neighbours is hard to cut off**, since each of its members has to choose strangers as well. At 12 marked and 20 neighbours a part is still found; at 4 and 20 nothing. So the number of neighbours is a guess about the smallest group that you want to find. Stay well below it: where both numbers are about equal, other piles and networks often fail, and of four pictures even three neighbours are no safe choice.
#
# The right table: the layer matters as much. `layer3` finds the twelve, or nearly; `layer4` finds none here, but look at the last printed line: the same network and layer find all or most in two of three other piles. In `layer1` relevance finds many of them and activations find none. A likely reason: so early, activations follow the colours (on other piles their likeness has a rank correlation of 0.4 to 0.5 with that of the mean colours; the likeness of relevance hardly any).
#
# The printed gaps are no safe guide either: they change with the neighbours, for both networks. And the number of clusters: ask for three, and the large group falls apart (the line before the last).
#
# To bring each channel to the same mean and spread first, as is usual elsewhere, often loses some of the twelve: in `layer3` five other networks have an index of 1 without it, and 0.35 to 1 with it.
#
# Nothing in the pile tells you which setting is right: we know it from the truth. Without the truth, try several, look at the small clusters of each, and believe a cluster only after the test of section 6. A setting that was chosen because it shows something nice is no evidence.

# %% [markdown]
# ## 9 · Play
#
# Choose the layer, the neighbours and the number of clusters. Shown are the clusters from large to small, five pictures each.

# %% tags=["hide-input"]


def draw(layer, n_neighbours, n_clusters):
    found, values = spectral_clusters(neighbour_graph(stored[layer], n_neighbours), n_clusters)
    figure, axes = plots.grid(n_clusters, 5, width=6.5)
    for k in range(n_clusters):
        members = np.flatnonzero(found == k)
        for j, ax in enumerate(axes[k]):
            if j >= len(members):
                ax.remove()
                continue
            ax.imshow(pile.images[members[j]])
            if j == 0:
                ax.set_ylabel(f"{len(members)}", fontsize=11)
    plots.show(
        f"{n_clusters} clusters of 72 horses with {layer} and {n_neighbours} neighbours, sizes {np.bincount(found)}"
    )
    print(f"first eigenvalues {values[:6].round(3) + 0.0}: the gap says {eigengap(values)}. "
          f"Rand index with the captions {adjusted_rand_score(truth, found):.2f}")  # fmt: skip


widgets.explore(
    draw,
    layer=widgets.choice("layer", list(stored), "layer3"),
    n_neighbours=widgets.slider("neighbours", 2, 30, 5),
    n_clusters=widgets.slider("clusters", 2, 6, 2),
)

# %% tags=["hide-input"]
draw("layer3", 5, 3)

# %% [markdown]
# ## 10 · Recap
#
# - The relevance of a channel is a layer's relevance, summed over places: what the score came through, wherever it was.
# - Spectral clustering: neighbours, Laplacian, first eigenvectors, k-means. It finds small groups more surely than k-means alone.
# - It depends on neighbours, layer and number of clusters, and the eigengap is a weak guide. Vary the settings.
# - A cluster is a question. The answer comes from a changed picture and the network.
#
# **References**
# - [Lapuschkin and others, 2019: Unmasking Clever Hans predictors](https://www.nature.com/articles/s41467-019-08987-4)
# - [von Luxburg, 2007: A tutorial on spectral clustering](https://arxiv.org/abs/0711.0189) · [Shi and Malik, 2000: Normalized cuts](https://doi.org/10.1109/34.868688)
# - [Achtibat and others, 2023: From attribution maps to human-understandable explanations](https://doi.org/10.1038/s42256-023-00711-8)
# - [Anders and others, 2022: Finding and removing Clever Hans](https://arxiv.org/abs/1912.11425)
