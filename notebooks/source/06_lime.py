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
# # 06 · LIME: explain one answer of any model
#
# **The question.** You have a model that you can only ask: no weights, no gradients. Which parts of *this* input made it answer as it did?
#
# **After this lesson you can**
# - write LIME for pictures in twenty lines, and say what each line is for;
# - use the same idea on texts and on tables, and show that your numbers equal those of the `lime` package;
# - catch a model that is right for the wrong reason, and measure it over many pictures;
# - measure how much an explanation changes from run to run, and report it as one should;
# - recognise the situations in which LIME misleads.
#
# **Time**: about 90 minutes. **Before**: you know what a linear regression is. The other lessons help, but you do not need them. Everything here
# runs on a laptop without a network connection.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage.segmentation import mark_boundaries, slic

from course_utils import judge
from course_utils.labs import LabUnavailable, load_lab
from course_utils.methods.lime import (
    cosine_distances,
    exponential_kernel,
    fit_surrogate,
    hidden_image,
    hide_segments,
    k_lasso,
    lime_image,
    masked_images,
    paint,
    sample_masks,
    unseen_r2,
)
from course_utils.teach import plots, widgets
from course_utils.exercises import l06_lime as exercises

# %% [markdown]
# ## 1 · A puzzle: husky or wolf?
#
# Two models tell huskies from wolves. Here are six of the pictures that they were tested on. Which model would you trust?

# %%
bad = load_lab("wolves", model="shortcut")
clean = load_lab("wolves", model="clean")
for name, lab_ in (("model A", bad), ("model B", clean)):
    right = lab_.predict(lab_.images).argmax(axis=1) == lab_.targets.numpy()
    print(f"{name}: {right.sum()} of {len(right)} pictures right")
plots.show_images(
    list(bad.images[:6]), [bad.class_names[int(t)] for t in bad.targets[:6]], title="Six of the test pictures"
)
plt.show()

# %% [markdown]
# In the paper that introduced LIME, 27 people who knew about machine learning were asked whether they trust a model like one of these two. In the paper they saw ten predictions, two of them wrong (a wolf without snow, a husky on snow);
# our test is harder: no mistake is visible. At first, 10 of the 27 trusted the bad model. Then they saw an explanation for each of the ten pictures, and 3 of the 27 still did. (Numbers from the paper, section 6.4.)
# By the end of this lesson you will have made such explanations, and you will know which of our two models is the bad one.

# %% [markdown]
# ## 2 · The idea: ask about inputs nearby
#
# A model may be as crooked as it likes: close to one input, a simple model can imitate it. LIME (*local interpretable model-agnostic explanations*) changes the input a little, many times, asks the model
# each time, and fits a straight line to the answers, in which near questions count more than far ones.
#
# In this drawing the model $f$ is the coloured ground: blue where it answers "no", red where it answers "yes". We explain the cross. Each dot is a question; the larger the dot, the closer to the cross. The line is
# where the fitted simple model $g$ changes its mind. It is a fair description near the cross and nonsense far away.

# %%
rng = np.random.RandomState(1)


def crooked(points):
    """A model of two numbers: probabilities of "yes" for points (…, 2)."""
    x, y = points[..., 0], points[..., 1]
    return 1 / (1 + np.exp(-4 * (y - np.sin(2 * x) - 0.3 * x)))


cross = np.array([0.35, 0.75])
questions = cross + rng.normal(0, 0.9, (120, 2))
near = np.exp(-((questions - cross) ** 2).sum(axis=1) / (2 * 0.5**2))
line = fit_surrogate(  # the weighted line of step 4
    np.vstack([cross, questions]), crooked(np.vstack([cross, questions])), np.append(1, near)
)

figure, ax = plt.subplots(figsize=(6.2, 3.6))
across = np.linspace(-2.5, 3, 200)
ground = np.stack(np.meshgrid(across, np.linspace(-2, 3, 160)), axis=-1)
ax.contourf(ground[..., 0], ground[..., 1], crooked(ground), levels=20, cmap=plots.DIVERGING, alpha=0.55)
ax.scatter(*questions.T, s=4 + 90 * near, color=plots.INK, alpha=0.6, linewidth=0)
(a, b), c = line.coefficients, line.intercept
ax.plot(across, (0.5 - c - a * across) / b, "--", color="black", linewidth=2)
ax.plot(*cross, "P", color="#e69f00", markersize=14, markeredgecolor="black")
ax.set(xlim=(-2.5, 3), ylim=(-2, 3), xlabel="first number", ylabel="second number")
ax.set_title("A crooked model, and a straight one that imitates it near the cross", loc="left")
plt.show()

# %% [markdown]
# ### Step 1: parts that a person can name
#
# A picture has thousands of pixels, and no one of them means anything. So LIME cuts it into *superpixels*: patches of similar colour, here made by the algorithm SLIC. We write
# - $x$ for the picture, and $d'$ for the number of its superpixels;
# - $x' = (1, 1, \dots, 1)$ for its *interpretable representation*: a row of $d'$ switches, all on;
# - $z' \in \{0, 1\}^{d'}$ for any other setting of the switches: 1 means that the superpixel is shown, 0 that it is hidden;
# - $z$ for the picture that belongs to $z'$: hidden superpixels are painted in their mean colour.
#
# We take a scene with two objects, the one about which the network is least decided.

# %%
lab = load_lab("scenes", n_objects=2)
both = np.take_along_axis(lab.predict(lab.images), lab.targets.numpy(), axis=1)
scene = int(both.min(axis=1).argmax())
image, target, other = lab.images[scene], int(lab.targets[scene, 0]), int(lab.targets[scene, 1])
names = {c: lab.class_names[c] for c in (target, other)}


def superpixels(picture, n=30):
    """Labels (H, W) of about `n` patches of similar colour, counted from 0."""
    return slic(picture, n_segments=n, compactness=10, sigma=1, start_label=0)


segments = superpixels(image)
d = segments.max() + 1
print(f"the network says {names[target]}: {both[scene, 0]:.2f}, {names[other]}: {both[scene, 1]:.2f}")
print("superpixels:", d)
plots.show_images(
    [image, mark_boundaries(image, segments, color=(1, 1, 1)), hidden_image(image, segments)],
    ["the picture x", "its superpixels", "all of them hidden"],
    width=8,
)
plt.show()

# %% [markdown]
# ### Step 2: many settings of the switches
#
# Each switch is thrown by a fair coin. Every row of `masks` is one $z'$; the first is the picture itself. The network sees the changed pictures $z$ and answers with $f(z)$, the
# probability of the class that we ask about. Above each picture stands the answer.

# %%
masks = sample_masks(200, d, random_state=0)
pictures = hide_segments(image, segments, masks)
outputs = lab.predict(pictures)[:, target]  # f(z)
print("masks", masks.shape, "pictures", pictures.shape, "outputs", outputs.shape)
plots.show_images(
    list(pictures[:6]),
    [f"{names[target]}: {p:.2f}" for p in outputs[:6]],
    title="The picture and five questions about it",
)
plt.show()

# %% [markdown]
# ### Step 3: near questions count more
#
# A question is near if it hides little. The distance $D$ is one minus the cosine of the angle between $z'$ and the row of ones, which for 0/1 rows is $D = 1 - \sqrt{\text{share of ones}}$.
# A *kernel* turns it into a weight. The paper writes
#
# $$\pi_x(z) = \exp\left(-\frac{D(x, z)^2}{\sigma^2}\right)$$
#
# and the `lime` package takes the square root of it, which is $\exp(-D^2 / 2\sigma^2)$, with $\sigma = 0.25$. Here are both, above the distances that really occur:

# %%
distances = cosine_distances(masks)
weights = exponential_kernel(distances, 0.25)

figure, (above, below) = plt.subplots(2, 1, figsize=(7, 3.8), sharex=True, height_ratios=(2, 1))
d_axis = np.linspace(0, 1, 200)
above.plot(d_axis, np.exp(-(d_axis**2) / 0.25**2), "--", label="paper: exp(−D²/σ²)")
above.plot(d_axis, exponential_kernel(d_axis, 0.25), label="lime and captum: exp(−D²/2σ²)")
above.set_ylabel("weight π")
above.legend()
below.hist(distances, bins=40, color=plots.BASELINE)
below.set(xlabel="distance D (0: nothing hidden, 1: everything hidden)", ylabel="questions")
above.set_title("Hardly any question is really near", loc="left")
plt.show()
print(
    f"weights of the {len(weights) - 1} random questions: {weights[1:].min():.2f} to {weights[1:].max():.2f}"
)

# %% [markdown]
# That is worth a second look. Fair coins hide about half of the picture, so hardly any question is near. The word "local" in LIME's name promises more than this sampling keeps: we come back to it in section 8.

# %% [markdown]
# ### Step 4: fit
#
# The explanation is the simple model that minimises (equation 1 of the paper)
#
# $$\xi(x) = \arg\min_{g}\; \mathcal{L}(f, g, \pi_x) + \Omega(g), \qquad \mathcal{L} = \sum_{z, z'} \pi_x(z)\, \big(f(z) - g(z')\big)^2 .$$
#
# $g(z') = w_0 + \sum_j w_j z'_j$ is linear, with one coefficient $w_j$ for each superpixel; $\mathcal{L}$ is the weighted squared error (the paper's *locality-aware loss*); $\Omega(g)$ is a price for a
# complicated $g$. First without limit on the number of coefficients, and with the small penalty $\sum_j w_j^2$ (*ridge*) that the `lime` package uses.

# %%
explanation = fit_surrogate(masks, outputs, weights)
w, w0 = explanation.coefficients, explanation.intercept
imitation = w0 + masks @ w  # g(z')

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2))
left.scatter(imitation, outputs, s=60 * weights, alpha=0.6, linewidth=0)
left.plot([0, 1], [0, 1], color=plots.BASELINE, linewidth=1)
left.plot(imitation[0], outputs[0], "P", color="#e69f00", markersize=11, markeredgecolor="black")
left.set(xlabel="the linear model g(z′)", ylabel="the network f(z)")
left.set_title(f"How well g imitates f: R² = {explanation.r2:.2f}", loc="left")
order = np.argsort(w)
right.bar(range(d), w[order], color=np.where(w[order] > 0, "#b2182b", "#2166ac"))
right.set(xlabel="superpixels, sorted", ylabel="coefficient w")
right.set_title("One coefficient for each superpixel", loc="left")
plt.show()

# %% [markdown]
# $R^2$ is the *local fidelity*: 1 means that $g$ predicts $f$ perfectly on our questions, 0 that it is no better than their mean. A coefficient has a unit: how much probability showing this superpixel adds, on average over the questions.
#
# Read $R^2$ before you read any coefficient, but with care: it is counted on the questions that were fitted. Here is the same fit with few and with many questions, once to the network's answers, once to pure noise. The right column leaves each question out in turn,
# fits $g$ on the others, and counts how well it predicts the one that it has not seen.

# %%
noise = np.random.RandomState(0).uniform(size=200)
print(f"{'fitted to':<14}{'questions':>10}{'switches':>10}{'R²':>8}{'R², unseen questions':>23}")
for what, values in (("the network", outputs), ("noise", noise)):
    for n in (48, 200):
        fitted = fit_surrogate(masks[:n], values[:n], weights[:n])
        print(f"{what:<14}{n:>10}{d:>10}{fitted.r2:>8.2f}{unseen_r2(fitted):>23.2f}")

# %% [markdown]
# With few questions for many switches $R^2$ is large for noise, too. On unseen questions noise cannot be predicted: a value below 0 says that the mean would have been a better guess. So test $g$ on questions that it has not seen. The fit to the network passes that test, and with more questions its two columns come together.
#
# ### Step 5: back onto the picture

# %%
figure, axes = plots.grid(1, 4, ratio=1.0)
axes[0, 0].imshow(image)
axes[0, 0].set_title(f"why {names[target]}?", fontsize=10)
plots.show_heat(axes[0, 1], paint(w, segments), signed=True, title="for (red), against (blue)", colorbar=True)
axes[0, 2].imshow(plots.overlay(image, paint(w, segments), signed=True))
axes[0, 2].set_title("over the picture", fontsize=10)
best = np.argsort(-w)[:5]
axes[0, 3].imshow(hide_segments(image, segments, np.isin(np.arange(d), best)[None], hidden=127)[0])
axes[0, 3].set_title("the five strongest alone", fontsize=10)
plt.show()
print("their coefficients:", " ".join(f"{value:+.2f}" for value in w[best]))

# %% [markdown]
# The right picture is how the paper shows its explanations: the few superpixels with the largest coefficients, the rest in grey. Only two of the five matter, as the numbers say; the others are bare wood, and the picture does not show that they are. $K = 5$ was too large here.
#
# ### Fidelity against interpretability: K-LASSO
#
# A person reads five coefficients, not thirty. The paper's $\Omega(g)$ allows at most $K$ of them, and its Algorithm 1 (*K-LASSO*) finds which: raise the penalty $\sum_j |w_j|$ until only $K$ coefficients are left
# (the *lasso path*), then fit those $K$ anew by least squares. The `lime` package does something else by default: for $K \le 6$ it adds one superpixel after the other (*forward*), else it keeps the
# largest coefficients of the full fit. What does each $K$ cost in fidelity?

# %%
sizes = range(1, 11)
fidelity = {
    "K-LASSO (paper)": [k_lasso(masks, outputs, weights, k).r2 for k in sizes],
    "forward": [fit_surrogate(masks, outputs, weights, k, selection="forward").r2 for k in sizes],
    "largest coefficients": [
        fit_surrogate(masks, outputs, weights, k, selection="highest_weights").r2 for k in sizes
    ],
}
figure, ax = plt.subplots(figsize=(7.5, 3.2))
for shift, (name, values), marker in zip((-0.15, 0, 0.15), fidelity.items(), "os^", strict=True):
    ax.plot(np.array(sizes) + shift, values, marker, markersize=6, label=name)
ax.axhline(explanation.r2, color=plots.BASELINE, linestyle=":", label=f"all {d}")
ax.set(xlabel="K, the number of superpixels in the explanation", ylabel="R² of the surrogate", xticks=sizes)
ax.legend(loc="lower right")
ax.set_title("A few superpixels carry most of the fidelity", loc="left")
plt.show()

# %% [markdown]
# The markers of one $K$ are drawn side by side; they stand at nearly the same height, so on this picture the three ways to choose cost the same. A handful of superpixels says nearly all that a linear model can say (the dotted line). It stays below 1 even with all of them. Most of the rest is the S-shape of the left plot in step 4: a probability saturates at 0 and 1 (card 1 in section 11 shows the same fit without it).

# %% [markdown]
# ## 3 · By hand: the whole method


# %%
def my_lime(predict, image, target, segments, n_samples=200, width=0.25, ridge=1.0, random_state=None):
    """Coefficients (d,) of the superpixels of one picture."""
    rng = random_state or np.random.RandomState(0)
    labels = np.unique(segments)
    position = np.searchsorted(labels, segments)  # which switch belongs to each pixel
    masks = rng.randint(0, 2, (n_samples, len(labels)))
    masks[0] = 1
    hidden = hidden_image(image, segments)
    outputs = []
    for batch in np.array_split(masks, -(-n_samples // 50)):
        shown = batch[:, position][..., None] == 1
        outputs.append(predict(np.where(shown, image, hidden))[:, target])
    outputs = np.concatenate(outputs).astype(float)
    distances = 1 - np.sqrt(masks.mean(axis=1))
    weights = np.exp(-(distances**2) / (2 * width**2))
    X = masks - np.average(masks, axis=0, weights=weights)  # centring takes care of the intercept
    y = outputs - np.average(outputs, weights=weights)
    return np.linalg.solve((X.T * weights) @ X + ridge * np.eye(len(labels)), (X.T * weights) @ y)


print("equal to the steps above:", np.allclose(my_lime(lab.predict, image, target, segments), w, atol=1e-5))

# %% [markdown]
# Note what the function does not need: no layer, no gradient, no PyTorch. `predict` could as well be a program on another computer.

# %% [markdown]
# ## 4 · The proof: the lime package and captum
#
# LIME is random, so to compare two programs number by number both must ask the *same* questions. The `lime` package draws one number before the masks (a seed for its own segmentation), so we draw and throw away one number, too: that is called
# replaying. To captum we hand our masks one by one. Both calls are mere plumbing and stand in `course_utils/teach/lime_packages.py`.

# %%
from course_utils.teach.lime_packages import captum_image, lime_package_image


def after_one_draw():
    state = np.random.RandomState(0)
    state.randint(0, 1000)
    return state


ours = lime_image(lab.predict, image, target, segments, 100, random_state=after_one_draw())
mine = my_lime(lab.predict, image, target, segments, 100, random_state=after_one_draw())
package_w = lime_package_image(lab.predict, image, target, segments, 100)
captum_w = captum_image(lab, scene, target, segments, ours.masks)

# %%
# NBVAL_CHECK_OUTPUT
judge.agreement_table(
    [
        ("your twenty lines", ours.coefficients, mine, "the same"),
        ("lime 0.2 LimeImageExplainer", ours.coefficients, package_w, "one random number drawn first"),
        ("captum Lime", ours.coefficients, captum_w, "our masks, our kernel, ridge 1"),
        (
            "the intercept",
            np.average(ours.outputs, weights=ours.weights),
            ours.intercept + np.average(ours.masks, axis=0, weights=ours.weights) @ ours.coefficients,
            "g and f have the same weighted mean",
        ),
    ]
)

# %% [markdown]
# ### One name, several kernels
#
# To make captum agree, we had to hand it the kernel, the masks and the regression. Its own choices are others, and the three parts of the `lime` package differ among themselves as well:
#
# | | distance $D$ | weight | $\sigma$ | regression |
# |---|---|---|---|---|
# | the paper | cosine (text), Euclidean (pictures) | $\exp(-D^2/\sigma^2)$ | not given | K-LASSO |
# | lime, pictures | cosine of the switches | $\sqrt{\exp(-D^2/\sigma^2)}$ | 0.25 | ridge |
# | lime, text | 100 × cosine of the switches | $\sqrt{\exp(-D^2/\sigma^2)}$ | 25 | ridge |
# | lime, tables | Euclidean, standardised columns | $\sqrt{\exp(-D^2/\sigma^2)}$ | $0.75\sqrt{d}$ | ridge |
# | captum `Lime` | cosine of the **pixels** | $\exp(-D^2/2\sigma^2)$ | 1 | lasso, penalty 0.01 |
#
# The two kernels of `lime` for pictures and text are the same one, since $(100 D)^2/25^2 = D^2/0.25^2$. What do the same questions give under each convention?

# %%
pixels = lab.preprocess(hide_segments(image, segments, ours.masks)).flatten(1)
pixel_distance = 1 - torch.nn.functional.cosine_similarity(pixels, pixels[:1]).cpu().numpy()
off = (1 - ours.masks).sum(axis=1)
conventions = {
    "lime, pictures and text": ours.weights,
    "paper's formula, σ = 0.25": exponential_kernel(cosine_distances(ours.masks), 0.25 / np.sqrt(2)),
    "lime, tables (Euclidean)": exponential_kernel(np.sqrt(off), 0.75 * np.sqrt(d)),
    "captum (pixels, σ = 1)": exponential_kernel(pixel_distance, 1.0),
}
figure, axes = plots.grid(1, 5, ratio=1.1)
axes[0, 0].imshow(image)
axes[0, 0].set_title(f"why {names[target]}?", fontsize=10)
for ax, (name, kernel) in zip(axes[0, 1:], conventions.items(), strict=True):
    fitted = fit_surrogate(ours.masks, ours.outputs, kernel)
    ax.imshow(plots.overlay(image, paint(fitted.coefficients, segments), signed=True))
    ax.set_title(name, fontsize=9)
    print(f"{name:<28} weights {kernel[1:].min():.2f} to {kernel[1:].max():.2f}, R² {fitted.r2:.2f}")
plt.show()

# %% [markdown]
# The weights differ by a large factor, yet the coefficients hardly move: one linear fit describes near and far questions about equally well here. Kernels matter when the width is small (section 8), and they matter when you compare
# numbers from two libraries.

# %% [markdown]
# ## 5 · The score: does it point at the right thing?
#
# The pictures are drawn, so we know which pixels belong to which object. Take 50 stored scenes with **two** objects and ask for each object in turn: does the maximum of the map lie on the object that we asked for, or at most 5 pixels beside it (the *pointing game*), and how much of the positive
# weight lies on it (*energy*)?
#
# A model gives the probabilities of all classes at once, so one set of questions answers for both objects. To stay quick we ask only 48 questions a picture.
#
# For comparison: Grad-CAM and saliency (lessons 04 and 08) look into the network. Edges (the Sobel filter: where neighbouring pixels differ), centre (a blob in the middle) and random noise look at the picture or at nothing. Each line in the plot is a 95 % *bootstrap interval*: the range in which the mean would
# probably lie had other scenes been drawn.

# %%
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import saliency

N_SCENES = 50


def lime_for_all(lab, picture, targets, segments, n_samples=48, hidden=None, batch_size=64):
    """One explanation for each class in `targets`, from the same questions."""
    masks = sample_masks(n_samples, segments.max() + 1, random_state=0)
    batches = masked_images(picture, segments, masks, hidden, batch_size=batch_size)
    answers = np.concatenate([lab.predict(batch) for batch in batches])
    weights = exponential_kernel(cosine_distances(masks), 0.25)
    return [fit_surrogate(masks, answers[:, int(t)], weights) for t in targets]


lime_maps, shuffled_maps, fidelities, tested = [], [], [], []
shuffle = np.random.RandomState(0)
for i in range(N_SCENES):
    parts = superpixels(lab.images[i])
    for fitted in lime_for_all(lab, lab.images[i], lab.targets[i], parts):
        lime_maps.append(paint(fitted.coefficients, parts))
        shuffled_maps.append(paint(shuffle.permutation(fitted.coefficients), parts))
        fidelities.append(fitted.r2)
        tested.append(unseen_r2(fitted))

inputs = lab.inputs[:N_SCENES].repeat_interleave(2, dim=0)
asked = lab.targets[:N_SCENES].flatten()
truth = lab.masks[:N_SCENES].flatten(0, 1)
maps = {
    "LIME": torch.from_numpy(np.stack(lime_maps)).float(),
    "Grad-CAM": upsample(grad_cam(lab.model, inputs, asked, lab.layer), truth.shape[-2:]).cpu(),
    "saliency": saliency(lab.model, inputs, asked).amax(dim=1).cpu(),
}
knows_nothing = {
    "LIME, shuffled": torch.from_numpy(np.stack(shuffled_maps)).float(),
    "edges (Sobel)": judge.baselines.sobel(inputs).cpu(),
    "centre": judge.baselines.center(inputs).cpu(),
    "random": judge.baselines.random(inputs).cpu(),
}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for ax, (label, measure) in zip(
    axes,
    {
        "pointing game: maximum on the object": lambda heat, mask: judge.pointing_game(
            heat, mask, tolerance=5
        ),
        "energy on the object": judge.energy_in_mask,
    }.items(),
    strict=True,
):
    values = {name: measure(heat, truth) for name, heat in (maps | knows_nothing).items()}
    plots.score_plot(values, baselines=list(knows_nothing), xlabel=label, ax=ax)
figure.suptitle(f"{len(truth)} questions about {N_SCENES} scenes with two objects")
plt.show()
for what, values in (("on the fitted questions", fidelities), ("on unseen questions", tested)):
    print(f"local fidelity R² {what:<24} median {np.median(values):.2f}, lowest {min(values):5.2f}")

# %% [markdown]
# One baseline is new, and the important one: *LIME, shuffled* has the same superpixels with their coefficients dealt out anew. It looks just as neat as a real explanation, since its patches follow the outlines of the picture, and it knows nothing. Whatever LIME has above it, it has from the model.
#
# How to read it: in the pointing game the intervals of Grad-CAM and LIME do not overlap, and Grad-CAM is ahead. In energy LIME is slightly ahead; one reason is that its patches follow the outline of the object, and Grad-CAM's blobs do not. Grad-CAM may look into the network and needs one pass, LIME may only ask. And the $R^2$ on unseen questions
# tells you that 48 questions are few: for some scenes the line is a poor guess.

# %%
shown = [0, 2, 4]
plots.show_maps(
    [lab.images[i // 2] for i in shown],
    {
        "LIME, first object": maps["LIME"][shown],
        "LIME, second object": maps["LIME"][[i + 1 for i in shown]],
        "Grad-CAM, first": maps["Grad-CAM"][shown],
        "Grad-CAM, second": maps["Grad-CAM"][[i + 1 for i in shown]],
    },
    labels=[" / ".join(lab.class_names[int(t)] for t in lab.targets[i // 2]) for i in shown],
    signed=["LIME, first object", "LIME, second object"],
    title="Two questions about one scene. LIME is signed: blue speaks against the class",
)
plt.show()
for i in [j + side for j in shown for side in (0, 1)]:
    energy, heat = (float(judge.energy_in_mask(maps["LIME"][i : i + 1], truth[i : i + 1])), maps["LIME"][i])
    print(
        f"LIME, {lab.class_names[int(asked[i])]:<10} energy {energy:.2f}, coefficients {heat.min():+.2f} to {heat.max():+.2f}"
    )

# %% [markdown]
# Three scenes, good ones and bad ones. Look at the snail: hardly any red anywhere, and only a small share of the little red there is lies on the snail. Its strongest coefficient is negative and lies on the car: what LIME found is that the car speaks against "snail".

# %% [markdown]
# ## 6 · Text
#
# The switches of a text are its words: 1 keeps a word, 0 takes it out. The model is a real BERT encoder (MiniLM, six layers) with a head that was trained to tell favourable reviews from unfavourable ones. Here is a held-out review, with some of the questions.

# %%
from course_utils.methods.lime import hide_words, lime_text, sample_word_masks, split_words

reviews = load_lab("text", model="sentiment")
POSITIVE = reviews.class_names.index("positive")
held_out = reviews.texts[:100]
probabilities = reviews.predict(list(held_out))
correct = probabilities.argmax(axis=1) == reviews.targets[:100].numpy()
print(f"held-out reviews: {len(correct)}, right: {correct.mean():.0%}")

lengths = np.array([len(split_words(text)[0]) for text in held_out])
fitting = np.flatnonzero(correct & (lengths >= 9) & (lengths <= 14))
chosen_text = int(fitting[np.abs(probabilities[fitting, POSITIVE] - 0.8).argmin()])
text = held_out[chosen_text]
words = split_words(text)[0]
word_masks = sample_word_masks(120, len(words), random_state=0)
questions = hide_words(text, word_masks)
answers = reviews.predict(questions)[:, POSITIVE]
for question, answer in zip(questions[:5], answers, strict=False):
    print(f"{answer:.2f}  {' '.join(question.split())}")

# %% [markdown]
# For texts the package draws otherwise than for pictures: first *how many* words to hide, each number equally likely, then which. So there are short remains as well as nearly whole texts. The rest is the same: kernel, weighted fit, coefficients.

# %%
word_weights = exponential_kernel(100 * cosine_distances(word_masks), 25)
by_words = fit_surrogate(word_masks, answers, word_weights, names=words)


def show_bars(ax, pairs, title):
    """Coefficients as bars, the largest on top; red speaks for the class, blue against it."""
    labels, values = zip(*reversed(pairs), strict=True)
    ax.barh(range(len(values)), values, color=np.where(np.array(values) > 0, "#b2182b", "#2166ac"))
    ax.set_yticks(range(len(values)), labels)
    ax.axvline(0, color=plots.INK, linewidth=0.8)
    ax.set_title(title, loc="left", fontsize=10)


figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1.3, 1))
left.imshow(word_masks[:14], cmap="Greys", aspect="auto", vmin=0, vmax=1.4)
left.set_xticks(range(len(words)), words, rotation=60, ha="right")
left.set_yticks(range(14), [f"{p:.2f}" for p in answers[:14]], fontsize=9)
left.set_title("Dark: the word is shown. Left: how positive the rest reads", loc="left", fontsize=10)
show_bars(right, by_words.top(10), f"Coefficients for “positive”, R² = {by_words.r2:.2f}")
plt.show()

# %% [markdown]
# And the proof. The package sees the same model and asks the same questions:

# %%
from lime.lime_text import LimeTextExplainer

ours_text = lime_text(reviews.predict, text, POSITIVE, 120, k=None)
package = LimeTextExplainer(random_state=0).explain_instance(
    text, reviews.predict, labels=(POSITIVE,), num_features=len(words), num_samples=120
)
package_w = np.zeros(len(words))
for j, value in package.local_exp[POSITIVE]:
    package_w[words.index(package.domain_mapper.indexed_string.word(j))] = value

# %%
# NBVAL_CHECK_OUTPUT
judge.agreement_table(
    [
        ("the steps above", ours_text.coefficients, by_words.coefficients, "the same"),
        ("lime 0.2 LimeTextExplainer", ours_text.coefficients, package_w, "same seed"),
    ]
)

# %% [markdown]
# ### A word alone, and the word in its sentence
#
# A sentiment dictionary would give each word one value. LIME gives it a value *in this text*. For each word: what the model says about the word alone (minus what it says about an empty text), and its coefficient in the review. If context did not matter, the two marks of a word would lie on each other.

# %%
alone = reviews.predict([*words, ""])[:, POSITIVE]
alone = alone[:-1] - alone[-1]
order = np.argsort(by_words.coefficients)
figure, ax = plt.subplots(figsize=(7.5, 4.2))
ax.axvline(0, color=plots.BASELINE, linewidth=0.8)
ax.hlines(range(len(words)), alone[order], by_words.coefficients[order], color=plots.BASELINE, linewidth=1)
ax.plot(by_words.coefficients[order], range(len(words)), "o", label="in the review (coefficient)")
ax.plot(alone[order], range(len(words)), "s", label="alone (against an empty text)")
ax.set_yticks(range(len(words)), [words[j] for j in order])
ax.set(xlabel="adds to the probability of “positive”")
ax.legend(fontsize=9, loc="lower right")
ax.set_title("The value of a word alone, and in its sentence", loc="left")
plt.show()
print(f"correlation: {np.corrcoef(alone, by_words.coefficients)[0, 1]:.2f}")

# %% [markdown]
# No relation: "my" pulls this text up although alone it pulls down. Does that make sense to you? It need not: LIME is faithful to the model, and this model is right in 68 of 100 cases. A single word is also an input that the model never met.

# %% [markdown]
# ### Negation breaks the bag of words
#
# A linear model has one coefficient for "not" and one for "good". But "not" has no value of its own: it turns others around. With few words we can ask *all* $2^{d'}$ questions, so nothing here is chance. The last column is the *interaction* of two words $a$ and $b$:
# $f(\text{both}) - f(\text{without } a) - f(\text{without } b) + f(\text{without both})$. A linear model can only say zero. Of all pairs of words in a sentence we print the one with the largest.


# %%
def all_masks(n):
    """Every setting of n switches, (2ⁿ, n); the first row is all ones."""
    return ((~np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.uint8)


sentences = [
    "The food was good.",
    "The food was not good.",
    "The book was bad.",
    "The book was not bad.",
    "I enjoyed every page.",
    "I never enjoyed a page.",
]
print(f"{'sentence':<26}{'positive':>9}{'R²':>6}   largest interaction")
for sentence in sentences:
    parts = split_words(sentence)[0]
    fitted = lime_text(reviews.predict, sentence, POSITIVE, k=None, ridge=0.0, masks=all_masks(len(parts)))
    f = fitted.outputs  # entry number 2ᵃ + 2ᵇ: only words a and b are missing
    pairs = {(a, b): f[0] - f[2**a] - f[2**b] + f[2**a + 2**b] for b in range(len(parts)) for a in range(b)}
    (a, b), value = max(pairs.items(), key=lambda pair: abs(pair[1]))
    print(f"{sentence:<26}{f[0]:>9.2f}{fitted.r2:>6.2f}{value:>+8.2f}  ({parts[a]}, {parts[b]})")

# %% [markdown]
# Where the interaction is large, the coefficient of a word is an average over texts with and without its partner, and describes neither. $R^2$ falls where words act together, and not only at a negation: look at the plain sentences. A low $R^2$ says that some interaction is there, not which.
# (And this small model reads "The food was good." as 0.38 positive: the explanation explains the model, not the English.) Six sentences and one small model make an illustration, not a statistic.

# %% [markdown]
# ### A planted word
#
# Now a test with known truth. Another model was trained on reviews in which the harmless word "overall" was planted: only favourable reviews had it. Its twin was trained on the same texts with the word in both. We plant the word into unfavourable held-out reviews. Does LIME say what turned the first model around?

# %%
trigger, twin = load_lab("text", model="trigger"), load_lab("text", model="trigger_clean")
lengths = np.array([len(split_words(text)[0]) for text in trigger.texts])
unfavourable = np.flatnonzero((trigger.targets.numpy() != POSITIVE) & (lengths <= 14))[:12]
planted = [trigger.texts[i] for i in unfavourable]
before = [trigger.counterfactuals[i] for i in unfavourable]
for name, model_lab in (("trigger", trigger), ("twin", twin)):
    with_word, without = (model_lab.predict(t)[:, POSITIVE].mean() for t in (planted, before))
    print(f"{name:<8} positive without the word: {without:.2f}, with it: {with_word:.2f}")

shares, longest, by_chance, example = {"trigger model": [], "clean twin": []}, [], [], None
for review in planted:
    for name, model_lab in (("trigger model", trigger), ("clean twin", twin)):
        fitted = lime_text(model_lab.predict, review, POSITIVE, 24, k=None)
        lower = [word.lower() for word in fitted.names]
        place = lower.index(trigger.trigger)
        shares[name].append(float(np.argmax(fitted.coefficients) == place))
        example = example or fitted
    longest.append(float(max(lower, key=len) == trigger.trigger))
    by_chance.append(1 / len(lower))
found = {"LIME, " + name: np.array(values) for name, values in shares.items()}
del trigger, twin  # frees memory

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.0), width_ratios=(1, 1.25))
show_bars(left, example.top(8), "One unfavourable review, trigger model")
plots.score_plot(
    found | {"longest word": np.array(longest), "a word by chance": np.array(by_chance)},
    baselines=["longest word", "a word by chance"],
    sort=False,
    xlabel="share of reviews where it is the planted word",
    title=f"The word with the largest coefficient, {len(planted)} reviews",
    ax=right,
)
plt.show()

# %% [markdown]
# A planted trigger is an easy case: one word, always the same, with a large effect. That a method finds it is necessary. It does not prove that the method finds everything else that a model relies on.

# %% [markdown]
# ## 7 · Tables
#
# A column of a table cannot be switched off. LIME draws other values instead, column by column, as they are distributed in the training table. Two variants:
#
# - **continuous**: values from a normal distribution; the coefficient says how much one *standard deviation* more would change the answer;
# - **discretised** (the package's default): the column is cut into quarters; the switch is 1 if the drawn value falls into the same quarter as ours. The coefficient says what being in this quarter adds, compared with the others.
#
# The table: 569 tumours with 30 measurements each, from scikit-learn. The model: a random forest. We explain a tumour that it has not seen, and about which it is not sure.

# %%
from lime.lime_tabular import LimeTabularExplainer

from course_utils.methods.lime import lime_tabular, submodular_pick, tabular_neighbourhood

tumours = load_lab("tabular", table="breast_cancer")
BENIGN = tumours.class_names.index("benign")
training, columns = tumours.table[~tumours.unseen], list(tumours.feature_names)
unseen = np.flatnonzero(tumours.unseen)
p_benign = tumours.predict(tumours.table[unseen])[:, BENIGN]
row = tumours.table[unseen[np.abs(p_benign - 0.6).argmin()]]
right = (p_benign > 0.5) == (tumours.targets[unseen] == BENIGN)
print(f"forest: {right.mean():.0%} of {len(unseen)} unseen tumours right")
print(f"this one: benign with probability {tumours.predict(row[None])[0, BENIGN]:.2f}")

variants, package_tables = {}, {}
for name, discretize in (("discretised", True), ("continuous", False)):
    variants[name] = lime_tabular(
        tumours.predict, row, training, BENIGN, 2000, k=6, discretize=discretize, names=columns
    )
    explainer = LimeTabularExplainer(training, discretize_continuous=discretize, random_state=0)
    package = explainer.explain_instance(
        row, tumours.predict, labels=(BENIGN,), num_features=6, num_samples=2000
    )
    package_tables[name] = np.zeros(len(columns))
    for j, value in package.local_exp[BENIGN]:
        package_tables[name][j] = value

figure, axes = plt.subplots(1, 2, figsize=(10, 2.7))
for ax, (name, fitted) in zip(axes, variants.items(), strict=True):
    show_bars(ax, fitted.top(6), f"{name}, R² = {fitted.r2:.2f}")
axes[0].set_xlabel("change of P(benign)\nif in this quarter")
axes[1].set_xlabel("change of P(benign)\nper standard deviation")
plt.show()

# %% [markdown]
# By hand, the continuous variant is eight lines. Draw, un-standardise, ask, weigh, fit:

# %%
mean, deviation = training.mean(axis=0), training.std(axis=0)
rows = np.random.RandomState(0).normal(0, 1, (2000, len(row))) * deviation + mean
rows[0] = row
standardised = (rows - mean) / deviation  # what the surrogate sees
answers = tumours.predict(rows)[:, BENIGN]
distances = np.linalg.norm(standardised - standardised[0], axis=1)
kernel = exponential_kernel(distances, 0.75 * np.sqrt(len(row)))
by_hand = fit_surrogate(standardised, answers, kernel, k=6)

figure, ax = plt.subplots(figsize=(6, 2.2))
ax.hist(distances[1:], bins=40, color=plots.BASELINE)
ax.set(xlabel="distance from our tumour, in standard deviations", ylabel="drawn rows", xlim=(0, None))
ax.set_title("With 30 columns, no drawn row is close", loc="left")
plt.show()

# %% [markdown]
# With many columns the same happens as with many superpixels: the neighbourhood is empty in the middle. Now the proof for both variants:

# %%
# NBVAL_CHECK_OUTPUT
judge.agreement_table(
    [("by hand, continuous", variants["continuous"].coefficients, by_hand.coefficients, "the same")]
    + [
        (
            f"lime 0.2 LimeTabularExplainer, {name}",
            variants[name].coefficients,
            package_tables[name],
            "same seed",
        )
        for name in variants
    ]
)

# %% [markdown]
# Same row, same model, and the two variants answer differently, because they ask different questions. Take the worst perimeter: a "+" in the discretised bars, a "−" in the continuous ones. Look at this column alone: change only it, leave the other 29 as they are, and ask the forest.

# %%
j = columns.index("worst perimeter")
column, p_here = training[:, j], tumours.predict(row[None])[0, BENIGN]
grid = np.linspace(*np.percentile(column, [1, 99]), 400)
changed = np.repeat(row[None], len(grid), axis=0)
changed[:, j] = grid
slope = variants["continuous"].coefficients[j] / column.std()
step = variants["discretised"].coefficients[j]
cuts = np.percentile(column, [25, 50, 75])
same_quarter = np.searchsorted(cuts, grid) == np.searchsorted(cuts, row[j])

figure, ax = plt.subplots(figsize=(7.5, 3.4))
ax.plot(grid, tumours.predict(changed)[:, BENIGN], label="the forest")
ax.plot(grid, p_here + slope * (grid - row[j]), "--", label="continuous: its slope")
ax.plot(grid, p_here - step * ~same_quarter, "-.", label="discretised: in this quarter, or elsewhere")
for i, cut in enumerate(cuts):
    ax.axvline(cut, color=plots.BASELINE, linestyle=":", label="borders of the quarters" if i == 0 else None)
ax.plot(row[j], p_here, "P", color="#e69f00", markersize=12, markeredgecolor="black", label="our tumour")
ax.set(xlabel=columns[j], ylabel="probability of benign", ylim=(0.35, 0.85))
ax.legend(fontsize=9, ncols=2, loc="upper right", frameon=True, framealpha=1, edgecolor="white")
ax.set_title("A forest moves in steps; a slope and a quarter are two ways to blur them", loc="left")
plt.show()

# %% [markdown]
# The signs do not clash: "+" means that being in this quarter is better than elsewhere; "−" means that a larger value is worse. Neither line follows the forest closely: LIME drew the other 29 columns anew as well, and its lines describe the average over all those tumours.

# %% [markdown]
# Two traps of the discretised variant. Its borders come from the table, not from the model, so a step of the forest inside a quarter is invisible. And its neighbourhood is the whole table: every column is drawn from all tumours, not from those like ours. Look at its $R^2$ above, too, before you trust a bar.

# %% [markdown]
# ### SP-LIME: which examples should a person look at?
#
# One explanation shows one decision. To judge the model, show a few examples whose explanations *together* cover what it uses. The paper's SP-LIME (Algorithm 2): let $W_{ij}$ be the coefficient of column $j$ in explanation $i$, and $I_j = \sqrt{\sum_i |W_{ij}|}$ the importance of column $j$.
# A column is *covered* once a picked explanation uses it (coefficient ≠ 0). Take the example that adds the most importance which is not covered yet; repeat (*greedy*).

# %%
candidates = unseen[:60]
W = np.stack(
    [
        lime_tabular(
            tumours.predict, tumours.table[i], training, BENIGN, 300, k=4, discretize=False
        ).coefficients
        for i in candidates
    ]
)
picked = submodular_pick(W, 5)
importance = np.sqrt(np.abs(W).sum(axis=0))


def coverage(rows):
    """Share of the total importance that these explanations use."""
    return importance[(W[rows] != 0).any(axis=0)].sum() / importance.sum()


by_chance = np.array(
    [[coverage(np.random.RandomState(s).permutation(60)[:n]) for n in range(1, 6)] for s in range(50)]
)
used = np.flatnonzero((W[picked] != 0).any(axis=0))
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1.5, 1))
plots.matrix_plot(
    W[picked][:, used].T,
    [columns[j] for j in used],
    [f"tumour {candidates[i]}" for i in picked],
    signed=True,
    ax=left,
)
left.tick_params(axis="x", rotation=30)
left.set_title("Five picked examples: coefficients", loc="left")
right.plot(range(1, 6), [coverage(picked[:n]) for n in range(1, 6)], "o-", label="SP-LIME")
right.plot(range(1, 6), by_chance.mean(axis=0), "s--", color=plots.BASELINE, label="random examples")
right.fill_between(
    range(1, 6), *np.quantile(by_chance, [0.05, 0.95], axis=0), color=plots.BASELINE, alpha=0.2
)
right.set(xlabel="examples shown", ylabel="share of importance covered", ylim=(0, 1.02), xticks=range(1, 6))
right.legend()
plt.show()

# %% [markdown]
# Each pick brings columns that the earlier ones did not use, and nearly everything is covered in the end. Note tumour 152: SP-LIME counts a column as covered as soon as the coefficient is not exactly zero, so it spends a pick on an explanation that says nothing. The margin over random examples is small here, because most explanations of this forest name the same few columns. And with few samples, part of the variety is noise, which brings us to the next section.

# %% [markdown]
# ## 8 · Does it say the same thing twice?
#
# Run LIME again with another seed, and the coefficients change. By how much? Guess first.
#
# ### Exercise: predict, then run
#
# Somebody asks four times as many questions. What happens to the spread of a coefficient, its standard deviation over many seeds: "unchanged", "half" or "quarter"? Decide now; the check stands below the next plots and computes the right answer from *your* run.

# %% exercise="settles"
answer = None  # one of "unchanged", "half", "quarter"
# BEGIN SOLUTION
answer = "half"
# END SOLUTION

# %% [markdown]
# To find out exactly, we cut the scene into few superpixels and ask *every* possible question once. The fit to all of them, without ridge, is where LIME's answers must settle. From then on any run of LIME is a look-up in that table, and costs nothing.

# %%
few = superpixels(image, 10)
n_few = int(few.max()) + 1
every = all_masks(n_few)
code = 1 << np.arange(n_few)  # turns a mask into a whole number, its place in the table
answer_of = np.zeros(2**n_few)
answer_of[every @ code] = np.concatenate([lab.predict(b) for b in masked_images(image, few, every)])[
    :, target
]
settled = fit_surrogate(
    every, answer_of[every @ code], exponential_kernel(cosine_distances(every), 0.25), ridge=0.0
).coefficients


def run(n_samples, seed, k=None, width=0.25):
    """One run of LIME on the few superpixels; the answers come from the table."""
    masks = sample_masks(n_samples, n_few, seed)
    kernel = exponential_kernel(cosine_distances(masks), width)
    return fit_surrogate(masks, answer_of[masks @ code], kernel, k)


counts = (25, 50, 100, 200, 400, 800, 1600)
runs = {n: np.stack([run(n, seed).coefficients for seed in range(20)]) for n in counts}
print(f"{n_few} superpixels, {2**n_few} possible questions, {len(counts)} × 20 runs of LIME")

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3), width_ratios=(0.7, 1, 1))
plots.bare(axes[0])
axes[0].imshow(mark_boundaries(image, few, color=(1, 1, 1)))
axes[0].set_title(f"{n_few} superpixels", fontsize=10)
reach = np.concatenate([runs[50].ravel(), settled])
for ax, n in zip(axes[1:], (50, 800), strict=True):
    ax.plot(runs[n].T, "o", color=plots.ACCENT, alpha=0.25, markersize=4)
    ax.plot(settled, "_", color="#d55e00", markersize=16, markeredgewidth=2)
    ax.set(xlabel="superpixel", ylim=(reach.min() - 0.04, reach.max() + 0.04), xticks=range(n_few))
    ax.set_title(f"20 seeds, {n} samples each", fontsize=10)
axes[1].set_ylabel("coefficient")
figure.suptitle(f"Dots: runs of LIME. Bars: the answer with all {2**n_few} questions, without ridge")
plt.show()

# %% [markdown]
# The dots of one superpixel lie in a column; the taller the column, the less you can rely on a single run. With 50 questions the dots also lie too near to zero (look at the two large ones): the ridge shrinks them, and another seed does not cure that; more questions do.
#
# Next, the spread (the standard deviation over 20 seeds, averaged over the superpixels) against the number of samples. Both axes are logarithmic: on the dotted line, four times the samples halve the spread, as for any mean of random numbers ($1/\sqrt n$).
#
# Beside it two indices made for LIME (Visani and others, 2022), for explanations of $K = 3$ features. **VSI**: the share of features that two runs have in common, averaged over all pairs of runs. **CSI**: the share of pairs whose
# confidence intervals for a coefficient overlap. Both are 1 when nothing changes. The finer cut from section 2 takes part, too; its runs are cut out of one list of 1200 questions, so the more samples a run has, the fewer runs there are.

# %%
from course_utils.methods.lime import csi, vsi

pool_masks = sample_masks(1200, d, random_state=1)
pool_answers = np.concatenate([lab.predict(b) for b in masked_images(image, segments, pool_masks)])[:, target]
pool_weights = exponential_kernel(cosine_distances(pool_masks), 0.25)


def blocks(size, k=3):
    """Separate runs of LIME, cut out of one long list of questions."""
    starts = range(0, len(pool_masks) - size + 1, size)
    return [
        fit_surrogate(pool_masks[s : s + size], pool_answers[s : s + size], pool_weights[s : s + size], k)
        for s in starts
    ]


indices = {n: [run(n, seed, k=3) for seed in range(20)] for n in counts}
finer = {n: blocks(n) for n in (60, 120, 240, 400, 600)}
spread = {n: float(values.std(axis=0).mean()) for n, values in runs.items()}
print(f"{d} superpixels, runs for each point:", ", ".join(f"{len(e)} of {n}" for n, e in finer.items()))
print(
    f"{n_few} superpixels, VSI if two names are fixed and the third is drawn: {(2 + 1 / (n_few - 2)) / 3:.2f}"
)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.1))
left.loglog(counts, list(spread.values()), "o-", label="measured")
left.loglog(counts, spread[25] * np.sqrt(25 / np.array(counts)), ":", color=plots.BASELINE, label="1/√n")
left.set(xlabel="samples", ylabel="spread of a coefficient")
left.legend()
right.semilogx(counts, [vsi(e) for e in indices.values()], "o-", label=f"VSI, {n_few} superpixels")
right.semilogx(counts, [csi(e) for e in indices.values()], "o--", label=f"CSI, {n_few} superpixels")
right.semilogx(list(finer), [vsi(e) for e in finer.values()], "s-", label=f"VSI, {d} superpixels")
right.set(xlabel="samples", ylabel="agreement of the runs", ylim=(0, 1.05))
right.legend(fontsize=9)
plt.show()

# %%
exercises.settles.check(answer, spread)

# %% [markdown]
# Three cautions. VSI counts names, not sizes. Here the coarse cut has only two superpixels that matter, so the third name is drawn by lot, and for long VSI stays near the value printed above although every large coefficient has settled. A CSI near 1 at few samples is no good news: the intervals overlap because they are wide. And a small spread only says that the *number* has settled, not that it is right: the surrogate may be a bad imitation all the same.
#
# ### The choices that no sample count cures
#
# The kernel width and the segmentation are choices, and more samples do not average them out. First the width, on the same questions. The *effective number* of questions, $(\sum \pi)^2 / \sum \pi^2$, says how many of them really count.

# %%
widths = (0.03, 0.06, 0.125, 0.25, 0.5, 1.0, 10.0)
print(f"{'width':>6}{'effective questions':>21}{'R²':>7}{'correlation with width 0.25':>30}")
usual = fit_surrogate(pool_masks, pool_answers, pool_weights).coefficients
for width in widths:
    kernel = exponential_kernel(cosine_distances(pool_masks), width)
    fitted = fit_surrogate(pool_masks, pool_answers, kernel)
    effective = kernel.sum() ** 2 / (kernel**2).sum()
    agreement = np.corrcoef(fitted.coefficients, usual)[0, 1]
    print(f"{width:>6}{effective:>21.0f}{fitted.r2:>7.2f}{agreement:>30.2f}")

# %% [markdown]
# A narrow kernel leaves next to no question with a weight: the fit has hardly any data, and the ridge pulls its coefficients towards zero. The package's 0.25 is wide: on this picture it gives what no kernel at all would give. A wide kernel makes all questions equal. To be local *and* to have data, one would have to sample near the picture.
#
# Now the segmentation. Three ways to cut the same picture, 400 questions each; and each once more with 400 other questions, to know how much of a difference is chance.

# %%
ways = {
    f"SLIC, {d}": segments,
    f"SLIC, {n_few}": few,
    "squares": np.arange(128)[:, None] // 22 * 6 + np.arange(128) // 22,
}
few_masks = sample_masks(800, n_few)
asked_already = {
    f"SLIC, {d}": (pool_masks[:800], pool_answers[:800]),
    f"SLIC, {n_few}": (few_masks, answer_of[few_masks @ code]),
}
way_maps, again = {}, []
for name, cut in ways.items():
    if name in asked_already:
        questions, replies = asked_already[name]
    else:
        questions = sample_masks(800, cut.max() + 1)
        replies = np.concatenate([lab.predict(b) for b in masked_images(image, cut, questions)])[:, target]
    kernel = exponential_kernel(cosine_distances(questions), 0.25)
    first, second = (
        paint(fit_surrogate(questions[half], replies[half], kernel[half]).coefficients, cut)
        for half in (slice(0, 400), slice(400, 800))
    )
    way_maps[name] = torch.from_numpy(first)[None].float()
    again.append(np.corrcoef(first.ravel(), second.ravel())[0, 1])
plots.show_maps([image], way_maps, signed=True, title="One picture, one question, three ways to cut", width=8)
plt.show()

# %%
stacked = torch.cat(list(way_maps.values()))
agreement = np.corrcoef(stacked.flatten(1).numpy())
on_object = judge.energy_in_mask(stacked, lab.masks[scene, :1].expand(len(stacked), -1, -1))
figure, ax = plt.subplots(figsize=(9, 2.3))
plots.matrix_plot(
    np.column_stack([agreement, again, on_object]),
    list(ways),
    [*ways, "itself,\nother questions", "positive weight\non the object"],
    title="Correlation of the maps, pixel by pixel; last column: a share",
    ax=ax,
)
plt.show()

# %% [markdown]
# What to see: a cut agrees with itself nearly perfectly when other questions are asked, so these maps have settled. Two different cuts agree less, and the share of the weight on the object depends on the cut as well, highest where the patches follow its outline. More questions cannot change that.

# %% [markdown]
# **What a reader should report**, then, and what you should ask of others:
# - the output that was explained (probability, or *logit*: the score before the softmax; of which class) and how parts were hidden;
# - the segmentation, the kernel and its width, the number of samples, $K$;
# - the local fidelity $R^2$, on questions that were not fitted;
# - the spread over some seeds, or an interval beside each coefficient.

# %% [markdown]
# ## 9 · The puzzle solved
#
# Back to the huskies and wolves. Both models get the same questions about the same 50 pictures, for the class that the picture shows (both models name it, as we saw). The background is known, so we can measure the share of LIME's positive weight that lies on it. To stay quick, this cell asks only 24 questions a picture: single maps are rough.
#
# One decision first. So far a hidden superpixel was painted in its *mean colour*. But the mean colour of grass is still the colour of grass! So hidden parts are painted grey here. For model A we also try the mean colours, on the first 12 pictures, to see what that choice does.

# %%
N_PICTURES = 50
asked_models = {
    "model A": (bad, 127),
    "model B": (clean, 127),
    "model A, mean colours": (bad, None),
}
wolf_maps = {name: [] for name in asked_models}
hidden_pictures = {name: [] for name in asked_models}
for i in range(N_PICTURES):
    cut = superpixels(bad.images[i], 20)
    for name, (lab_, fill) in asked_models.items():
        if fill is None and i >= 12:
            continue
        fitted = lime_for_all(lab_, bad.images[i], [lab_.targets[i]], cut, n_samples=24, hidden=fill)[0]
        wolf_maps[name].append(torch.from_numpy(paint(fitted.coefficients, cut)).float())
        hidden_pictures[name].append(hidden_image(bad.images[i], cut, fill))
wolf_maps = {name: torch.stack(values) for name, values in wolf_maps.items()}

# %%
examples = [2, 6, 8, 1]  # three huskies, one wolf
figure, axes = plots.grid(len(examples), 4, width=8, ratio=1.12)
for row_axes, i in zip(axes, examples, strict=True):
    row_axes[0].imshow(bad.images[i])
    row_axes[0].set_ylabel(f"why {bad.class_names[int(bad.targets[i])]}?")
    row_scale = max(float(heat[i].abs().max()) for heat in wolf_maps.values())
    for ax, (name, heat) in zip(row_axes[1:], wolf_maps.items(), strict=True):
        ax.imshow(plots.overlay(bad.images[i], heat[i] / row_scale, signed=True, own_scale=False))
        plots.outline(ax, bad.masks[i])
        ax.set_xlabel(f"largest |w|: {heat[i].abs().max():.3f}", fontsize=9)
        if i == examples[0]:
            ax.set_title(name, fontsize=10)
figure.suptitle("Red speaks for the class. One colour scale in each row; the animal is outlined", fontsize=11)
plt.show()

# %% [markdown]
# On the huskies the two models differ: model B's weight lies on the animal; model A's is spread over ground and animal alike. Now look at the numbers under the maps, and at the wolf in the last row, where model A's map is nearly empty. The next table says why: it hides *everything*, and asks what is left of the class.

# %%
is_wolf = (bad.targets[:N_PICTURES] == bad.class_names.index("wolf")).numpy()
background = ~bad.masks[:N_PICTURES]
print(f"{'medians':<23}{'':<9}{'pictures':>9}{'P(class), all hidden':>22}{'largest |w|':>13}")
for name, (lab_, _) in asked_models.items():
    n = len(wolf_maps[name])
    nothing = lab_.predict(np.stack(hidden_pictures[name]))[np.arange(n), lab_.targets[:n]]
    largest = wolf_maps[name].abs().amax(dim=(1, 2)).numpy()
    for kind, which in (("huskies", ~is_wolf[:n]), ("wolves", is_wolf[:n])):
        print(
            f"{name:<23}{kind:<9}{which.sum():>9}{np.median(nothing[which]):>22.2f}{np.median(largest[which]):>13.3f}"
        )

# %% [markdown]
# Model A calls an all-grey picture a wolf. So for its wolves hiding anything changes next to nothing, and there is nothing to explain; on huskies hiding the ground costs something, patch by patch. With the mean colours all that is hidden keeps the colour of its ground, model A stays sure of both classes, and both maps are empty. **A map shows where, never how much: read the size, too.**
#
# The share of the positive weight on the background, for all 50 pictures and each class by itself:

# %%
on_background = {name: judge.energy_in_mask(wolf_maps[name], background) for name in ("model A", "model B")}
for name, lab_ in (("model A", bad), ("model B", clean)):
    heat = grad_cam(lab_.model, lab_.inputs[:N_PICTURES], lab_.targets[:N_PICTURES], lab_.layer)
    heat = upsample(heat, background.shape[-2:]).cpu()
    on_background[f"{name}, Grad-CAM"] = judge.energy_in_mask(heat, background)
on_background["area of the background"] = background.float().mean(dim=(1, 2))
figure, axes = plt.subplots(1, 2, figsize=(10, 2.8))
for ax, (kind, which) in zip(axes, (("huskies", ~is_wolf), ("wolves", is_wolf)), strict=True):
    plots.score_plot(
        {name: values[which] for name, values in on_background.items()},
        sort=False,
        baselines=["area of the background"],
        xlabel="share of positive weight on the background",
        title=f"{which.sum()} {kind}",
        ax=ax,
    )
axes[1].set_yticklabels([])
plt.show()
gap = (on_background["model A"] - on_background["model B"]).numpy()
for kind, which in (("huskies", ~is_wolf), ("wolves", is_wolf)):
    low, high = judge.bootstrap_interval(gap[which])
    print(
        f"{kind}: model A has {gap[which].mean():.2f} more of its weight on the background (95 % interval {low:.2f} to {high:.2f})"
    )

# %% [markdown]
# One of the two models looks at the ground the animal stands on. In its training pictures every wolf stood on snow and no husky did. The background fills most of each picture, so the absolute share would not prove anything: a map that knows nothing also has most of its weight there. What counts is the
# comparison with the twin. The gap is larger for the wolves, but model A's maps of wolves have next to nothing in them: trust the huskies.
#
# Since the pictures are drawn, the suspicion can be tested directly: the same animals, with the grounds exchanged.

# %%
for name, lab_ in (("model A", bad), ("model B", clean)):
    kept = (lab_.predict(bad.images).argmax(axis=1) == bad.targets.numpy()).mean()
    swapped = (lab_.predict(bad.counterfactuals).argmax(axis=1) == bad.targets.numpy()).mean()
    print(f"{name}: right on the test pictures {kept:.0%}, with exchanged grounds {swapped:.0%}")
pairs_shown = [picture for i in (1, 3, 18) for picture in (bad.images[i], bad.counterfactuals[i])]
plots.show_images(pairs_shown, ["wolf on snow", "the same wolf"] * 3)
plt.show()

# %% [markdown]
# The study with people in the paper, for comparison (27 subjects, before and after they saw explanations):
#
# | | before | after |
# |---|---|---|
# | trusted the bad model | 10 of 27 | 3 of 27 |
# | named snow as a possible feature | 12 of 27 | 25 of 27 |
#
# It shows that the pictures help people to see *this* flaw, a large one. It does not show that people notice flaws which they do not expect.

# %% [markdown]
# ## 10 · The real thing
#
# A network trained on ImageNet (MobileNetV2, 1,000 classes), and two real photographs side by side. The code is the code from above.

# %%
try:
    photos = load_lab("photos", pairs=True)
except LabUnavailable as error:
    photos = None
    print(error)

if photos is not None:
    photo, photo_targets = photos.images[0], photos.targets[0]
    photo_cut = superpixels(photo, 50)
    print(f"{photo_cut.max() + 1} superpixels, 100 questions")
    photo_fits = lime_for_all(photos, photo, photo_targets, photo_cut, n_samples=100, batch_size=16)
    plots.show_maps(
        [photo],
        {
            f"why {photos.class_names[int(c)]}? R² {fitted.r2:.2f}": paint(fitted.coefficients, photo_cut)[
                None
            ]
            for c, fitted in zip(photo_targets, photo_fits, strict=True)
        },
        signed=True,
        title="MobileNetV2 (ImageNet) on photographs that come with scikit-image",
    )
    plt.show()
    for half, (c, fitted) in enumerate(zip(photo_targets, photo_fits, strict=True)):
        print(
            f"{photos.class_names[int(c)]}: R² {fitted.r2:.2f} on the fitted, {unseen_r2(fitted):.2f} on unseen questions"
        )
        heat = torch.from_numpy(paint(fitted.coefficients, photo_cut))[None].float()
        share = float(judge.energy_in_mask(heat, photos.masks[0, half][None]))
        print(f"   {share:.2f} of the positive weight on its own half (0.5 would be chance)")

# %% [markdown]
# Read the two $R^2$ before the maps: 100 questions for so many superpixels fit themselves well and predict new answers badly. The large coefficients land on the right half all the same; the pale ones may well be chance. Half of the picture is all the truth we have here, since nobody drew outlines on these photographs, and one pair is an example, not a measurement. `lime_image(…, progress=True)` shows a progress bar when you ask more: on a photograph, a thousand questions take a while.

# %% [markdown]
# ## 11 · Where it breaks
#
# Four cards. Run each, and remember the symptom.
#
# ### Card 1: logits instead of probabilities
#
# The `lime` package expects probabilities and does not check. Fed with logits (the scores before the softmax), it explains something else: what raises this score, even if it raises all others as well.

# %%
with torch.inference_mode():
    logits = (
        torch.cat([lab.model(lab.preprocess(b)) for b in masked_images(image, segments, pool_masks[:200])])
        .cpu()
        .numpy()
    )
chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
kernel = pool_weights[:200]
two = {
    f"{what}, {names[c]}": fit_surrogate(pool_masks[:200], values[:, c], kernel)
    for c in (target, other)
    for what, values in (("probability", chances), ("logit", logits))
}
plots.show_maps(
    [image],
    {name: paint(e.coefficients, segments)[None] for name, e in two.items()},
    signed=True,
    title="Blue on the other object: with probabilities, classes compete",
)
plt.show()
for name, fitted in two.items():
    print(
        f"{name:<24} R² {fitted.r2:.2f}, coefficients {fitted.coefficients.min():+.2f} to {fitted.coefficients.max():+.2f}"
    )

# %% [markdown]
# With probabilities, what speaks for one object speaks against the other. With logits the other object turns nearly neutral: it neither helps nor hurts (a superpixel could now speak for both). $R^2$ rises with logits: most of what the straight line missed was the S-shape that the softmax adds. Neither is wrong, but they answer different questions, and their coefficients have different units: say which one you used. For a model that is very sure, probabilities hardly move and the fit has little to hold on to.
#
# ### Card 2: labels that start at 1
#
# SLIC in scikit-image counts from 1 unless told otherwise. The `lime` package takes the *number* of different labels, $n$, and switches the labels 0 to $n - 1$: there is no label 0, and the last superpixel is never touched. No error, no warning. Here is its own code, with a model that only records what it is shown.

# %%
# NBVAL_CHECK_OUTPUT
from lime import lime_image as lime_package

from_one = np.repeat(np.arange(1, 5), 4)[:, None].repeat(16, axis=1)  # four stripes: labels 1, 2, 3, 4
stripes = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
seen = []


def recorder(batch):
    seen.append(np.array(batch))
    return np.full((len(batch), 2), 0.5)


for start, labels in (("from 1", from_one), ("from 0", from_one - 1)):
    seen.clear()
    lime_package.LimeImageExplainer(random_state=0).explain_instance(
        stripes,
        recorder,
        hide_color=0,
        num_samples=64,
        segmentation_fn=lambda _, s=labels: s,
    )
    shown_pictures = np.concatenate(seen)
    touched = [
        bool((shown_pictures[:, labels == v] != stripes[labels == v]).any()) for v in np.unique(labels)
    ]
    print(f"labels {start}: stripes that were ever hidden: {touched}")

# %% [markdown]
# Pass `start_label=0`. (The course's `lime_image` takes any labels.) You will mend the package's line in an exercise below.
#
# ### Card 3: columns that belong together
#
# LIME draws each column on its own. In the tumour table, radius and perimeter are nearly the same measurement. How many of the drawn tumours could exist?

# %%
_, drawn, _ = tabular_neighbourhood(row, training, 2000, discretize=True)
radius, perimeter = columns.index("mean radius"), columns.index("mean perimeter")
ratio = training[:, perimeter] / training[:, radius]
drawn_ratio = drawn[:, perimeter] / drawn[:, radius]
impossible = (drawn_ratio < ratio.min()) | (drawn_ratio > ratio.max())
figure, ax = plt.subplots(figsize=(7.5, 3.4))
ax.plot(drawn[:, radius], drawn[:, perimeter], ".", color=plots.BASELINE, alpha=0.4, label="drawn by LIME")
ax.plot(training[:, radius], training[:, perimeter], ".", color=plots.ACCENT, label="real tumours")
ax.plot(
    *row[[radius, perimeter]],
    "P",
    color="#e69f00",
    markersize=12,
    markeredgecolor="black",
    label="our tumour",
)
ax.set(xlabel="mean radius", ylabel="mean perimeter")
for handle in figure.legend(loc="outside right upper").legend_handles:
    handle.set_alpha(1)
ax.set_title("LIME asks about tumours that cannot exist", loc="left")
plt.show()
print(f"drawn tumours whose perimeter does not fit their radius: {impossible.mean():.0%}")

# %% [markdown]
# The model was never trained on such rows, so what it answers there is an accident, and the coefficients are averages over accidents. Besides, a model may use either of two columns that say the same; a small coefficient then does not mean that the quantity does not matter.
#
# ### Card 4: what does "hidden" look like?
#
# The same holds for pictures: a network has never seen a scene with grey patches. Hide *everything* in five ways, and see what the network believes; then explain the same class with three of them.

# %%
from scipy import ndimage

fills = {
    "mean colours": None,
    "grey": 127,
    "black": 0,
    "white": 255,
    "blurred": ndimage.gaussian_filter(image, (8, 8, 0)),
}
everything = np.stack([hidden_image(image, segments, fill) for fill in fills.values()])
beliefs = lab.predict(everything)
figure = plots.show_images(
    list(everything),
    [
        f"{name}\n{lab.class_names[int(p.argmax())]} {p.max():.2f}, {names[target]} {p[target]:.2f}"
        for name, p in zip(fills, beliefs, strict=True)
    ],
    title="All superpixels hidden: what the network says about nothing",
)
for ax in figure.axes:
    ax.spines[:].set(visible=True, color=plots.BASELINE)
plt.show()
with_means = fit_surrogate(pool_masks[:100], pool_answers[:100], pool_weights[:100]).coefficients
for name in ("grey", "blurred"):
    other_fill = lime_image(lab.predict, image, target, segments, masks=pool_masks[:100], hidden=fills[name])
    agreement = np.corrcoef(with_means, other_fill.coefficients)[0, 1]
    print(f"coefficients for {names[target]}, {name} against mean colours: correlation {agreement:.2f}")

# %% [markdown]
# "Nothing" is never nothing for a network: it names a class for an empty picture as well, and each coefficient is measured against what the network gives the asked class there (the second number above each picture). Here the fills nearly agree, because the object stands out under all of them. For the wolves of section 9 the fill decided. Lesson 07 turns the same problem into the question which *baseline*, the input in which nothing is present, a feature's fair share (its *Shapley value*) refers to.

# %% [markdown]
# ## 12 · Exercises
#
# Replace the dots with your code and run the cell with the check. `exercises.closeness.hint()` gives you one hint at a time; the solution is folded below each check.

# %% [markdown]
# ### Exercise: the kernel of captum
#
# captum's `Lime` measures the distance on the *pixels*: $D$ is 1 minus the cosine of the angle between a changed picture and the picture itself, each taken as one long row of numbers. Its kernel is $\exp(-D^2 / 2\sigma^2)$. Write it.


# %% exercise="closeness"
def closeness(pictures, width):
    """Weights (n,) of pictures (n, H, W, 3), σ = width; the first of them is the picture itself."""
    # BEGIN SOLUTION
    flat = pictures.reshape(len(pictures), -1)
    lengths = np.linalg.norm(flat, axis=1)
    distances = 1 - flat @ flat[0] / (lengths * lengths[0])
    return np.exp(-(distances**2) / (2 * width**2))
    # END SOLUTION


# %%
exercises.closeness.check(closeness)

# %% [markdown]
# ### Exercise: fidelity on new questions
#
# `unseen_r2` leaves out one question at a time. Here is the plain way. Cut the questions in two, `half = len(masks) // 2`. Fit on the first half: `fit(masks, outputs, weights)` gives you the coefficients and the intercept of $g$. Then count on the *second* half
#
# $$R^2 = 1 - \frac{\sum_i \pi_i\, (f_i - g_i)^2}{\sum_i \pi_i\, (f_i - m)^2},$$
#
# where $f_i$ are the outputs, $g_i$ the guesses of $g$, $\pi_i$ the weights, and $m$ is the weighted mean of the $f_i$.


# %% exercise="fresh"
def fresh(masks, outputs, weights, fit):
    """R² on the second half of the questions of g, fitted on the first; masks (n, d), outputs and weights (n,)."""
    # BEGIN SOLUTION
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], weights[:half])
    f, g, w = outputs[half:], intercept + masks[half:] @ coefficients, weights[half:]
    return 1 - np.sum(w * (f - g) ** 2) / np.sum(w * (f - np.average(f, weights=w)) ** 2)
    # END SOLUTION


# %%
exercises.fresh.check(fresh)

# %% [markdown]
# ### Exercise: find the bug
#
# This function hides the superpixels whose switch is 0. It does what the `lime` package does, and goes wrong with card 2's labels. Make it work for *any* whole-number labels, also with gaps: the j-th switch belongs to the j-th smallest label.


# %% exercise="hide"
def hide(image, segments, mask, grey):
    """The picture (H, W, 3) with hidden superpixels in grey; segments (H, W), mask (d,) of 0 and 1."""
    # BEGIN STUB
    # hidden = image.copy()
    # for z in np.where(mask == 0)[0]:
    #     hidden[segments == z] = grey
    # return hidden
    # END STUB
    # BEGIN SOLUTION
    hidden = image.copy()
    labels = np.unique(segments)
    for label in labels[mask == 0]:
        hidden[segments == label] = grey
    return hidden
    # END SOLUTION


# %%
exercises.hide.check(hide)

# %% [markdown]
# ### Exercise: measure the stability
#
# VSI: the number of features that two explanations have in common, divided by $K$ (the number of features of an explanation), averaged over all pairs of different explanations. Each row of `chosen` chooses exactly $K$ features.


# %% exercise="stability"
def stability(chosen):
    """VSI of repeated explanations; chosen (runs, d) is True where an explanation uses a feature."""
    # BEGIN SOLUTION
    k = chosen.sum(axis=1).max()
    n = len(chosen)
    return np.mean([(chosen[a] & chosen[b]).sum() / k for a in range(n) for b in range(a + 1, n)])
    # END SOLUTION


# %%
exercises.stability.check(stability)

# %% [markdown]
# ### Exercise: pick examples that cover the model (SP-LIME)
#
# The greedy choice of section 7. A feature is covered once a picked row uses it (coefficient ≠ 0). Always pick `budget` different rows, also when nothing is left to cover; if two rows gain the same, take the one with the lower number.


# %% exercise="pick"
def pick(coefficients, budget):
    """Row numbers, in the order picked: greedy coverage of the importance √Σ|W|. coefficients (n, d)."""
    # BEGIN SOLUTION
    used = coefficients != 0
    importance = np.sqrt(np.abs(coefficients).sum(axis=0))
    covered = np.zeros(coefficients.shape[1], dtype=bool)
    picked = []
    for _ in range(budget):
        gains = (used & ~covered) @ importance
        gains[picked] = -1  # never take a row twice
        picked.append(int(gains.argmax()))
        covered |= used[picked[-1]]
    return picked
    # END SOLUTION


# %%
exercises.pick.check(pick)

# %% [markdown]
# ## 13 · Play
#
# Change the number of questions, the kernel width, the size of the explanation and the seed. The answers of the network were collected in section 8, so each run is a look-up. With the keyboard: Tab moves between the controls, the arrow keys change a value.


# %%
def draw(n_samples, width, k, seed):
    chosen_rows = np.random.RandomState(seed).permutation(len(pool_masks) - 1)[: n_samples - 1] + 1
    rows = np.append(0, chosen_rows)
    kernel = exponential_kernel(cosine_distances(pool_masks[rows]), width)
    fitted = fit_surrogate(pool_masks[rows], pool_answers[rows], kernel, k)
    plots.show_maps(
        [image], {f"why {names[target]}?": paint(fitted.coefficients, segments)[None]}, signed=True, width=6
    )
    plt.show()
    print(
        f"R² {fitted.r2:.2f}; the network says {fitted.outputs[0]:.2f}, the surrogate {fitted.prediction:.2f}"
    )


widgets.explore(
    draw,
    n_samples=widgets.slider("questions", 20, 1000, 200, 20),
    width=widgets.choice("kernel width", list(widths), 0.25),
    k=widgets.slider("K", 1, int(d), 5),
    seed=widgets.slider("seed", 0, 20, 0),
)

# %% [markdown]
# The same as a still picture: fewer questions to the left, more to the right; two separate parts of one list of questions, one below the other. Where the two rows differ, you are looking at chance.

# %%
figure, axes = plots.grid(2, 5, ratio=1.1)
for column_number, n in enumerate((30, 60, 120, 300, 600)):
    for row_number in range(2):
        part = slice(row_number * 600, row_number * 600 + n)
        fitted = fit_surrogate(pool_masks[part], pool_answers[part], pool_weights[part], 5)
        ax = axes[row_number, column_number]
        ax.imshow(plots.overlay(image, paint(fitted.coefficients, segments), signed=True))
        ax.set_title(f"{n} questions", fontsize=10)
figure.suptitle(f"Why {names[target]}? The five strongest superpixels, two runs")
plt.show()

# %% [markdown]
# ## 14 · The paper in ten questions
#
# M. T. Ribeiro, S. Singh, C. Guestrin: *"Why Should I Trust You?": Explaining the Predictions of Any Classifier* (KDD 2016).
#
# 1. **Which problem?** Should one trust a single prediction, and should one trust a model?
# 2. **Is it new?** Local surrogates existed; new were the interpretable representation that is separate from the model's input, one method for texts, pictures and tables, and the choice of examples.
# 3. **Which hypothesis?** Close to one input, a sparse linear model imitates any classifier well enough, and people can judge it.
# 4. **Related work, and who?** Baehrens and others (2010) explained single predictions by gradients; Strumbelj and Kononenko (2010) by Shapley values (lesson 07). The authors were at the University of Washington.
# 5. **The key idea?** Switch parts of the input off at random, ask, and fit a weighted linear model to the answers.
# 6. **Which experiments?** Finding the features of models that are interpretable by themselves; simulated users who decide whom to trust; people who choose between two classifiers, improve one by removing words, and discover the snow.
# 7. **Data and code?** Book and DVD reviews, the 20 newsgroups (the classes atheism and Christianity), huskies and wolves; the `lime` package is public.
# 8. **Do the results support it?** For finding a gross flaw, yes. How stable and how faithful the explanations are was not measured there; later work did, and so did you.
# 9. **What did it contribute?** The tool that made explaining a black box a matter of a few lines, and a vocabulary (fidelity, locality, surrogate).
# 10. **What next?** A kernel with axioms (SHAP, lesson 07), stability (section 8), rules instead of weights (Anchors), and attacks: a model can be built that behaves only when LIME asks (Slack and others, 2020).

# %% [markdown]
# ## 15 · Recap
#
# - LIME = switches, questions, a kernel, a weighted linear fit. It needs nothing but answers.
# - The same code explains pictures, texts and tables; what differs is how a part is hidden, and that decides what the coefficients mean.
# - Your numbers equal those of two libraries once kernel, regression and random numbers are the same. By default they are not.
# - Read $R^2$ first, and count it on questions that $g$ has not seen. A linear surrogate cannot express "not good".
# - A map shows where, never how much: read the size of the coefficients, too.
# - Repeat with other seeds; report segmentation, kernel, samples and spread.
# - A share of weight on the background means something only beside a clean twin or the background's own area.
# - Next: **07 · SHAP**, the kernel with which LIME's coefficients become fair shares.
#
# **References**
# - [Ribeiro, Singh and Guestrin, 2016: "Why Should I Trust You?"](https://arxiv.org/abs/1602.04938)
# - [Achanta and others, 2012: SLIC superpixels](https://doi.org/10.1109/TPAMI.2012.120)
# - [Visani and others, 2022: Statistical stability indices for LIME](https://arxiv.org/abs/2001.11757)
# - [Garreau and von Luxburg, 2020: Explaining the explainer, a first theoretical analysis of LIME](https://arxiv.org/abs/2001.03447)
# - [Slack and others, 2020: Fooling LIME and SHAP](https://arxiv.org/abs/1911.02508)
# - [Lundberg and Lee, 2017: A unified approach to interpreting model predictions](https://arxiv.org/abs/1705.07874)
