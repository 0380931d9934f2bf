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
# **The question.** You have a model that you can only ask: no weights, no gradients. Which parts of *this* picture made it answer as it did?
#
# **After this lesson you can**
# - follow LIME for pictures line by line, and say what each line is for;
# - show that your numbers equal those of two libraries, and read the picture that the `lime` package draws;
# - measure how much an explanation changes from run to run, and report it as one should;
# - catch a model that is right for the wrong reason, and measure it over many pictures;
# - recognise the situations in which LIME misleads.
#
# **Time**: about <!-- minutes --> minutes. **Before**: you know what a linear regression is. The other lessons help, but you do not need them.
#
# The first two cells load what the whole lesson uses. A [*lab*](glossary.md#lab) is a trained model together with pictures and with the truth about them. Our pictures are drawn, so we know which pixel belongs to which object.
# We take a scene with two objects, the one about which the network is least decided, and cut it into about thirty patches of similar colour, called [*superpixels*](glossary.md#superpixel).

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l06_lime as exercises
from course_utils.labs import load_lab
from course_utils.labs.photos import top_answers
from course_utils.lessons import l06_lime as lesson
from course_utils.lessons.l06_lime import lime_for_all
from course_utils.methods import lime
from course_utils.methods.cam import grad_cam, upsample
from course_utils.teach import plots
from course_utils.teach.superpixels import all_masks, network_answers, superpixels

# %%
lab = load_lab("scenes", n_objects=2)
both = np.take_along_axis(lab.predict(lab.images), lab.targets.numpy(), axis=1)
scene = int(both.min(axis=1).argmax())
image, target, other = lab.images[scene], int(lab.targets[scene, 0]), int(lab.targets[scene, 1])
segments = superpixels(image, 30)

# %% [markdown]
# ## 1 · A puzzle: husky or wolf?
#
# Two models tell huskies from wolves. Which of them is called A and which B was drawn by lot, so the code does not tell you. Here are six of the pictures that they were tested on. Which model would you trust?

# %% tags=["hide-input"]
lot = np.random.RandomState(4).permutation(["clean", "shortcut"])
model_a, model_b = (load_lab("wolves", model=str(name)) for name in lot)
animals, shown_class = model_a.images, model_a.targets.numpy()
for name, lab_of_model in (("A", model_a), ("B", model_b)):
    right = lab_of_model.predict(animals).argmax(axis=1) == shown_class
    print(f"model {name}: {right.sum()} of {len(right)} pictures right")

# %% tags=["hide-input"]
plots.show_images(
    list(animals[:6]),
    [model_a.class_names[c] for c in shown_class[:6]],
    title="Six of the test pictures. Both models name all of them correctly",
)
plots.show("Six drawn animals, huskies and wolves, each standing on a textured ground.")

# %% [markdown]
# The paper that introduced LIME asked 27 people who knew about machine learning a question like this. They saw ten predictions of a model, two of them wrong. At first, 10 of the 27 trusted the bad model. Then they saw an explanation
# for each of the ten pictures, and 3 of the 27 still did (section 6.4 of the paper). Our test is harder: no mistake is visible. Write down your choice; section 8 finds out.

# %% [markdown]
# ## 2 · The idea: ask about inputs nearby
#
# A model may be as complicated as it likes: close to one input, a simple model can often imitate it. LIME (*local interpretable model-agnostic explanations*) changes the input a little, many times, and asks the model each time. Then it fits a straight line to
# the answers, in which near questions count more than far ones. This simple model is called the *surrogate*.
#
# First with two numbers in place of a picture. The coloured ground is the model $f$: blue where it answers "no", red where it answers "yes". We explain the cross. Each dot is a question; the larger the dot, the closer to the cross. On the dashed line the fitted surrogate $g$ changes its mind.


# %%
def wavy(points):
    """A model of two numbers: the probability of "yes" for points (…, 2)."""
    x, y = points[..., 0], points[..., 1]
    return 1 / (1 + np.exp(-4 * (y - np.sin(2 * x) - 0.3 * x)))


cross = np.array([0.35, 0.75])
dots = np.vstack([cross, cross + np.random.RandomState(1).normal(0, 0.9, (120, 2))])
near = np.exp(-((dots - cross) ** 2).sum(axis=1) / (2 * 0.5**2))
line = lime.fit_surrogate(dots, wavy(dots), near)  # step 4 below

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.2, 3.4))
across = np.linspace(-2.5, 3, 200)
ground = np.stack(np.meshgrid(across, np.linspace(-2, 3, 160)), axis=-1)
ax.contourf(ground[..., 0], ground[..., 1], wavy(ground), levels=20, cmap=plots.DIVERGING, alpha=0.55)
ax.scatter(*dots.T, s=4 + 90 * near, color=plots.INK, alpha=0.6, linewidth=0)
(slope_x, slope_y), height = line.coefficients, line.intercept
ax.plot(across, (0.5 - height - slope_x * across) / slope_y, "--", color="black", linewidth=2)
ax.plot(*cross, "P", color="#e69f00", markersize=14, markeredgecolor="black")
ax.set(xlim=(-2.5, 3), ylim=(-2, 3), xlabel="first number", ylabel="second number")
ax.set_title("The straight line imitates the model near the cross, and only there", loc="left")
plots.show(
    "A wavy border between blue and red; a straight dashed line follows it near the cross and leaves it farther away."
)

# %% [markdown]
# ### Step 1: parts that a person can name
#
# A single pixel means nothing to a person. So LIME switches *superpixels*. We write
# - $x$ for the picture, and $d$ for the number of its superpixels;
# - $z' \in \{0, 1\}^{d}$ for a setting of $d$ switches: 1 means that the superpixel is shown, 0 that it is hidden. This row of switches is the *interpretable representation*;
# - $z$ for the picture that belongs to $z'$. Here hidden superpixels are painted in their mean colour.

# %% tags=["hide-input"]
d = segments.max() + 1
names = {c: lab.class_names[c] for c in (target, other)}
said = ", ".join(f"{name} {p:.2f}" for name, p in zip(names.values(), both[scene], strict=True))
print(f"{d} superpixels; the network says {said}")

# %% tags=["hide-input"]
from skimage.segmentation import mark_boundaries

plots.show_images(
    [image, mark_boundaries(image, segments, color=(1, 1, 1)), lime.hidden_image(image, segments)],
    ["the picture x", "its superpixels", "all of them hidden"],
    width=8,
)
plots.show(
    f"A {names[target]} and a {names[other]}; the same with white borders of {d} patches; the patches in flat colours."
)

# %% [markdown]
# ### Step 2: many settings of the switches
#
# For each switch a fair coin is thrown. Every row of `masks` is one $z'$; the first row is the picture itself. The network sees the changed pictures $z$, and answers with $f(z)$, the probability of the class that we ask about.

# %%
masks = lime.sample_masks(200, d, random_state=0)
pictures = lime.hide_segments(image, segments, masks)
outputs = lab.predict(pictures)[:, target]  # f(z)
print("masks", masks.shape, "pictures", pictures.shape, "outputs", outputs.shape)

# %% tags=["hide-input"]
plots.show_images(
    list(pictures[:6]),
    [f"{names[target]}: {p:.2f}" for p in outputs[:6]],
    title="The picture and five questions about it, each with the network's answer",
)
plots.show(
    f"The picture, and five versions with about half of the patches hidden; the probability of {names[target]} differs."
)

# %% [markdown]
# ### Step 3: near questions count more
#
# A question is near if it hides little. The distance is $D = 1 - \sqrt{s/d}$, where $s$ is the number of superpixels that are shown (it is one minus the cosine of the angle between $z'$ and the row of ones). A *kernel* turns it into a weight; $\sigma$ is its *width*:
#
# $$\pi_x(z) = \exp\left(-\frac{D^2}{2\sigma^2}\right), \qquad \sigma = 0.25 .$$

# %%
distances = 1 - np.sqrt(masks.mean(axis=1))
weights = np.exp(-(distances**2) / (2 * 0.25**2))
print(f"the 199 random questions hide {1 - masks[1:].mean():.0%} of the superpixels on average;")
print(f"the nearest of them still hides {1 - masks[1:].mean(axis=1).max():.0%};")
print(
    f"their weights go from {weights[1:].min():.2f} to {weights[1:].max():.2f}, and the picture itself has {weights[0]:.0f}"
)

# %% [markdown]
# Fair coins hide about half of the picture, so no question is really near, and LIME is less local than its name says. [06b](06b_lime_kernels_texts.ipynb) compares the kernels of the paper and of the libraries.
#
# ### Step 4: fit
#
# The surrogate is linear, $g(z') = w_0 + \sum_j w_j z'_j$, with one *coefficient* $w_j$ for each superpixel. It minimises the weighted squared error, with a small penalty on large coefficients (*ridge*), as in the `lime` package:
#
# $$\sum_{z} \pi_x(z)\, \big(f(z) - g(z')\big)^2 + \sum_j w_j^2 .$$
#
# How well $g$ imitates $f$ is the *local fidelity* $R^2$: 1 means that $g$ predicts $f$ perfectly, 0 that it is no better than a constant. The usual $R^2$ is counted on the questions that were fitted. For the second number below, each question is left out once, and predicted by a $g$ that was fitted on the others.

# %%
explanation = lime.fit_surrogate(masks, outputs, weights)
w, w0 = explanation.coefficients, explanation.intercept
for n in (48, 200):
    fitted = lime.fit_surrogate(masks[:n], outputs[:n], weights[:n])
    print(f"{n:>3} questions: R² {fitted.r2:.2f}, on unseen questions {lime.unseen_r2(fitted):.2f}")

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.0))
imitation = w0 + masks @ w
left.scatter(imitation, outputs, s=60 * weights, alpha=0.6, linewidth=0)
left.plot([0, 1], [0, 1], color=plots.BASELINE, linewidth=1)
left.plot(imitation[0], outputs[0], "P", color="#e69f00", markersize=11, markeredgecolor="black")
left.set(xlabel="the surrogate g(z′)", ylabel="the network f(z)")
left.set_title("Each dot is a question; the cross is the picture", loc="left")
right.bar(range(d), np.sort(w), color=np.where(np.sort(w) > 0, "#b2182b", "#2166ac"))
right.set(xlabel="superpixels, sorted", ylabel="coefficient w")
right.set_title("Few coefficients are far from zero", loc="left")
plots.show(
    f"Left: surrogate against network, R² {explanation.r2:.2f}, an S-shaped cloud around the diagonal. Right: {d} sorted coefficients, few of them large."
)

# %% [markdown]
# With few questions for many switches, the $R^2$ on the fitted questions is too good. **Read $R^2$ before you read any coefficient, and count it on questions that $g$ has not seen.** A coefficient has a unit: how much probability it adds to show this superpixel, on average over the questions.
#
# ### Step 5: back onto the picture
#
# Each pixel gets the coefficient of its superpixel. In this course red speaks *for* the class and blue *against* it. Right, as the paper shows it: the five superpixels with the largest coefficients, the rest in grey.

# %% tags=["hide-input", "thumbnail"]
best = np.argsort(-w)[:5]
five = lime.hide_segments(image, segments, np.isin(np.arange(d), best)[None], hidden=127)[0]
print("the five largest coefficients:", " ".join(f"{value:+.2f}" for value in w[best]))
figure, axes = plots.grid(1, 4, ratio=1.0)
axes[0, 0].imshow(image)
axes[0, 0].set_title(f"why {names[target]}?", fontsize=10)
plots.show_heat(
    axes[0, 1], lime.paint(w, segments), signed=True, title="for (red), against (blue)", colorbar=True
)
axes[0, 2].imshow(plots.overlay(image, lime.paint(w, segments), signed=True))
axes[0, 2].set_title("over the picture", fontsize=10)
axes[0, 3].imshow(five)
axes[0, 3].set_title("the five largest alone", fontsize=10)
plots.show(
    f"Asked for the {names[target]}, its patches are red and those of the {names[other]} blue. The five largest alone include bare ground."
)

# %% [markdown]
# Only two of the five matter; the other three are bare ground, and the right picture does not show that.

# %% [markdown]
# ## 3 · By hand: the whole method
#
# The last line gives the coefficients for which the sum of step 4 is smallest. There all its derivatives are zero: $(X^\top \Pi X + I)\,w = X^\top \Pi\,y$. Here $X$ holds the switches and $y$ the answers, both minus their weighted means, and $\Pi$ has the weights on its diagonal.


# %% tags=["by-hand"]
def my_lime(predict, image, target, segments, n_samples=200, width=0.25, ridge=1.0, rng=None):
    """Coefficients (d,) of the superpixels of one picture."""
    rng = rng or np.random.RandomState(0)
    labels = np.unique(segments)
    position = np.searchsorted(labels, segments)  # which switch belongs to each pixel
    masks = rng.randint(0, 2, (n_samples, len(labels)))
    masks[0] = 1
    hidden = lime.hidden_image(image, segments)
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


by_hand = my_lime(lab.predict, image, target, segments)
print("equal to the steps above:", np.allclose(by_hand, w, atol=1e-5))

# %% [markdown]
# The function needs no layer, no gradient, no PyTorch.

# %% [markdown]
# ## 4 · The proof: two libraries
#
# LIME is random, so to compare two programs number by number, both must ask the *same* questions. The `lime` package draws one number before the masks, so we draw one number and throw it away (`after_one_draw`). The second library is captum, PyTorch's collection of explanation methods. It gets our masks, kernel and ridge, because its own
# choices are others. Both calls stand in `course_utils/teach/lime_packages.py`.

# %% tags=["nbval-check-output"]
from course_utils.teach.lime_packages import captum_image, lime_package_image

same = {"image": image, "target": target, "segments": segments}
ours = lime.lime_image(lab.predict, n_samples=100, random_state=lesson.after_one_draw(), **same)
mine = my_lime(lab.predict, n_samples=100, rng=lesson.after_one_draw(), **same)
package_w = lime_package_image(lab.predict, n_samples=100, **same)
captum_w = captum_image(lab, scene, target, segments, ours.masks)
judge.agreement_table(
    [
        ("your twenty lines", ours.coefficients, mine, "the same"),
        ("lime 0.2 LimeImageExplainer", ours.coefficients, package_w, "one random number drawn first"),
        ("captum Lime", ours.coefficients, captum_w, "our masks, our kernel, ridge 1"),
    ]
)

# %% [markdown]
# ## 5 · How the picture is drawn
#
# ### The lime package draws it differently
#
# Its function `get_image_and_mask` takes the `num_features` superpixels with the largest absolute coefficients, leaves out those whose absolute coefficient is smaller than `min_weight`, and paints the rest: **green speaks for the class, red against it**. In this course red speaks *for* the class. So read the
# legend first. With `positive_only=True`, its default, the package shows only what speaks for the class.
#
# From here on, `lime_for_all` runs all five steps for several classes: it asks once (200 questions if you give no number), and fits once for each class.

# %%
options = {"positive_only": False, "num_features": 11, "min_weight": 0.05}
as_package = lesson.package_picture(lab.predict, image, target, segments, **options)
found = lime_for_all(lab, image, [target], segments)[0].coefficients

# %% tags=["hide-input"]
plots.show_images(
    [image, plots.overlay(image, lime.paint(found, segments), signed=True), as_package],
    [f"why {lab.class_names[target]}?", "course: red for, blue against", "lime: green for, red against"],
    width=8,
)
plots.show(
    "The same explanation twice: red and blue with strengths, and as the package draws it, in full green and red without strengths."
)

# %% [markdown]
# The package's picture has no strengths: a superpixel just above `min_weight` is as green as the strongest one.
#
# ### Exercise: green or red
#
# Write what stands behind the package's picture: for each superpixel +1 (green), −1 (red) or 0 (no colour). No coefficient is exactly 0. `exercises.green_red.hint()` gives you a hint; the solution is folded below the check.


# %% exercise="green_red"
def green_red(coefficients, num_features, min_weight):
    """Colours (d,) of the superpixels as +1, −1 or 0; coefficients (d,)."""
    # BEGIN SOLUTION
    strongest = np.argsort(-np.abs(coefficients))[:num_features]
    colours = np.zeros(len(coefficients), int)
    colours[strongest] = np.sign(coefficients[strongest])
    colours[np.abs(coefficients) < min_weight] = 0
    return colours
    # END SOLUTION


# %%
exercises.green_red.check(green_red)

# %% [markdown]
# ### Why each map is scaled by itself
#
# Before a map is drawn, here and in the other lessons, it is divided by its own largest absolute value. The reason: maps differ in size by a factor of ten and more, so on one scale most would look empty. The price: you cannot compare strengths, and the map of a class that is *not there* looks as strong as any other. Below, one set of questions for the four classes with the highest probability.

# %% tags=["hide-input"]
p_of = lab.predict(image[None])[0]
four = np.argsort(-p_of)[:4]
fits = lime_for_all(lab, image, four, segments)
of_class = {int(c): fitted.coefficients for c, fitted in zip(four, fits, strict=True)}
for (c, v), fitted in zip(of_class.items(), fits, strict=True):
    print(
        f"{lab.class_names[c]:<10} P {p_of[c]:.3f}, in some question up to {fitted.outputs.max():.2f}; "
        f"largest |w| {np.abs(v).max():.3f}"
    )
figure, axes = plots.grid(2, 4, ratio=1.03, width=8)
largest = max(np.abs(v).max() for v in of_class.values())
for column, (c, v) in enumerate(of_class.items()):
    for row, own in enumerate((True, False)):
        heat = lime.paint(v, segments) / (1 if own else largest)
        axes[row, column].imshow(plots.overlay(image, heat, signed=True, own_scale=own))
    axes[0, column].set_title(f"{lab.class_names[c]} {p_of[c]:.3f}", fontsize=10)
axes[0, 0].set_ylabel("own scale")
axes[1, 0].set_ylabel("one scale")
plots.show(
    "Four classes. On their own scales all four maps have strong colours; on one scale only those of the two objects that are there."
)

# %% [markdown]
# So print the largest coefficient beside each map. **A map shows where, never how much.** (A coefficient can be larger than the class's probability for the whole picture: with some parts hidden, the class becomes more probable.)

# %% [markdown]
# ## 6 · Does it say the same thing twice?
#
# Run LIME again with another seed, and the coefficients change. By how much?
#
# ### Exercise: predict, then run
#
# Somebody asks four times as many questions. What happens to the spread of a coefficient (its standard deviation over many seeds): "unchanged", "half" or "quarter"? Decide now; the check below computes the right answer from *your* run.

# %% exercise="settles"
answer = None  # one of "unchanged", "half", "quarter"
# BEGIN SOLUTION
answer = "half"
# END SOLUTION

# %% [markdown]
# To find out exactly, we cut the scene into few superpixels and ask *every* possible question once. From then on any run of LIME is a look-up in that table.

# %%
few = superpixels(image, 10)
n_few = int(few.max()) + 1
every = all_masks(n_few)  # row number c is the setting whose bits form the number c
answer_of = network_answers(lab, image, few, every)[:, target]


def run(n_samples, seed, ridge=1.0):
    """The coefficients of one run of LIME on the few superpixels."""
    masks = lime.sample_masks(n_samples, n_few, seed)
    kernel = lime.exponential_kernel(lime.cosine_distances(masks), 0.25)
    number = masks @ (1 << np.arange(n_few))  # read the switches as bits: the row in the table
    return lime.fit_surrogate(masks, answer_of[number], kernel, ridge=ridge).coefficients


# %%
counts = (25, 50, 100, 200, 400, 800, 1600)
runs = {n: np.stack([run(n, seed) for seed in range(20)]) for n in counts}
spread = {n: float(values.std(axis=0).mean()) for n, values in runs.items()}
exercises.settles.check(answer, spread)

# %%
wide = lime.exponential_kernel(lime.cosine_distances(every), 0.25)
settled = lime.fit_surrogate(every, answer_of, wide, ridge=0.0).coefficients
j = settled.argmax()
without_ridge = np.mean([run(50, seed, ridge=0.0)[j] for seed in range(20)])
print(f"largest coefficient, mean of 20 runs with 50 questions: {runs[50][:, j].mean():.2f} with ridge,")
print(f"{without_ridge:.2f} without; all {2**n_few} questions without ridge: {settled[j]:.2f}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2))
reach = np.concatenate([runs[50].ravel(), settled])
for ax, n in zip(axes[:2], (50, 800), strict=True):
    ax.plot(runs[n].T, "o", color=plots.ACCENT, alpha=0.25, markersize=4)
    ax.plot(
        settled,
        "_",
        color="#d55e00",
        markersize=16,
        markeredgewidth=2,
        label=f"all {2**n_few} questions, no ridge",
    )
    ax.set(xlabel="superpixel", ylim=(reach.min() - 0.04, reach.max() + 0.04), xticks=range(n_few))
    ax.set_title(f"20 seeds, {n} questions each", fontsize=10)
axes[0].set_ylabel("coefficient")
axes[0].legend(fontsize=9, loc="center right")
axes[2].set_title("the spread falls as 1/√n", fontsize=10)
axes[2].loglog(counts, list(spread.values()), "o-", label="measured")
axes[2].loglog(counts, spread[25] * np.sqrt(25 / np.array(counts)), ":", color=plots.BASELINE, label="1/√n")
axes[2].set(xlabel="questions n", ylabel="spread of a coefficient")
axes[2].legend()
figure.suptitle("More questions: the runs come together", fontsize=11)
plots.show(
    f"Dots: coefficients of 20 runs. Bars: the answer with all {2**n_few} questions, without ridge. Right: the spread falls like one over the root of n, from {spread[25]:.3f} to {spread[1600]:.3f}."
)

# %% [markdown]
# The dots of one superpixel stand above each other; the longer their column, the less you can rely on a single run. With 50 questions the dots of the two large coefficients also lie too near to zero: that is the ridge, as the printed means show. Another seed does not cure it; more questions do.
#
# A small spread says that the *number* has settled, not that it is right: the surrogate may be a bad imitation all the same.
#
# ### A choice that no number of questions cures
#
# Now cut the same picture in three ways: our superpixels, the few large ones, and plain squares. Each cut gets 200 questions, and another 200 to see how much of a difference is chance.

# %%
cuts = {
    "superpixels": segments,
    "few": few,
    "squares": np.arange(128)[:, None] // 22 * 6 + np.arange(128) // 22,
}
cut_maps, second_maps = (
    {
        name: lime.paint(lime_for_all(lab, image, [target], cut, random_state=seed)[0].coefficients, cut)
        for name, cut in cuts.items()
    }
    for seed in (0, 1)
)

# %% tags=["hide-input"]
for one, two in (("superpixels", "few"), ("superpixels", "squares"), ("few", "squares")):
    alike = np.corrcoef(cut_maps[one].ravel(), cut_maps[two].ravel())[0, 1]
    print(f"{one} and {two}: correlation {alike:.2f}")
for name in cuts:
    alike = np.corrcoef(cut_maps[name].ravel(), second_maps[name].ravel())[0, 1]
    print(f"{name} and the same cut with other questions: correlation {alike:.2f}")

# %% tags=["hide-input"]
plots.show_maps(
    [image],
    {f"{name}, {cuts[name].max() + 1}": heat[None] for name, heat in cut_maps.items()},
    signed=True,
    title="One picture, one question, three ways to cut it",
    width=8,
)
plots.show(
    "Three maps of one question: fine patches along the outline, few large patches, and squares. All are red near the same object."
)

# %% [markdown]
# A cut agrees with itself when other questions are asked, so these maps have settled. Two different cuts agree less, and more questions cannot change that.
#
# **What a reader should report**, and what you should ask of others:
# - the output that was explained (probability or [logit](glossary.md#logit), of which class; [06b](06b_lime_kernels_texts.ipynb) shows what it changes), and how parts were hidden;
# - the segmentation, the kernel and its width, the number of questions, and how many superpixels were kept, if not all;
# - the local fidelity $R^2$ on questions that were not fitted;
# - the spread over some seeds, or an interval beside each coefficient.

# %% [markdown]
# ## 7 · The score: does it point at the right thing?
#
# Take 40 scenes with **two** objects, and ask for each object in turn: 80 questions. Does the maximum of the map lie on the object that we asked for, or at most 5 pixels beside it? (This is the [*pointing game*](glossary.md#pointing-game).) And how much of the positive weight lies on it ([*energy*](glossary.md#energy))? The network gives the probabilities of all classes at once, so
# one set of 48 changed pictures answers for both objects.
#
# For comparison: [Grad-CAM](04_grad_cam.ipynb) looks into the network. Edges (the Sobel filter) look only at the picture. And the important one: *LIME, shuffled* has the same superpixels, with their coefficients exchanged at random. Whatever LIME has above it, it has from the model.


# %%
lime_maps, shuffled_maps, unseen, shuffle = [], [], [], np.random.RandomState(0)
for picture, targets in tqdm(list(zip(lab.images, lab.targets, strict=True))[:40], leave=False):
    cut = superpixels(picture, 30)
    for fitted in lime_for_all(lab, picture, targets, cut, 48):
        lime_maps.append(lime.paint(fitted.coefficients, cut))
        shuffled_maps.append(lime.paint(shuffle.permutation(fitted.coefficients), cut))
        unseen.append(lime.unseen_r2(fitted))

# %%
twice, truth = lab.inputs[:40].repeat_interleave(2, dim=0), lab.masks[:40].flatten(0, 1)
asked = lab.targets[:40].flatten()
maps = {
    "LIME": torch.from_numpy(np.stack(lime_maps)).float(),
    "Grad-CAM": upsample(grad_cam(lab.model, twice, asked, lab.layer), (128, 128)),
    "LIME, shuffled": torch.from_numpy(np.stack(shuffled_maps)).float(),
    "edges (Sobel)": judge.baselines.sobel(twice),
}
points = {name: judge.pointing_game(heat, truth, tolerance=5) for name, heat in maps.items()}
energy = {name: judge.energy_in_mask(heat, truth) for name, heat in maps.items()}

# %% tags=["hide-input"]
for measure, of in (("pointing", points), ("energy  ", energy)):
    for rival in ("Grad-CAM", "LIME, shuffled"):
        print(f"{measure} LIME minus {rival}: {judge.paired(of['LIME'], of[rival])}")
print(f"R² on unseen questions: median {np.median(unseen):.2f}, lowest {min(unseen):.2f}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 2.8))
for ax, (label, of) in zip(
    axes,
    {"pointing game: maximum on the object": points, "energy on the object": energy}.items(),
    strict=True,
):
    plots.score_plot(of, baselines=["LIME, shuffled", "edges (Sobel)"], sort=False, xlabel=label, ax=ax)
figure.suptitle("Grad-CAM points better; more of LIME's weight lies on the object", fontsize=11)
plots.show(
    f"Pointing: LIME {points['LIME'].mean():.2f}, Grad-CAM {points['Grad-CAM'].mean():.2f}, shuffled {points['LIME, shuffled'].mean():.2f}. "
    f"Energy: LIME {energy['LIME'].mean():.2f}, Grad-CAM {energy['Grad-CAM'].mean():.2f}, shuffled {energy['LIME, shuffled'].mean():.2f}."
)

# %% [markdown]
# The lines are 95 % [*bootstrap intervals*](glossary.md#bootstrap-interval): how far a mean could move with other pictures. The printed differences are [*paired*](glossary.md#paired-difference): both methods saw the same questions. In the pointing game Grad-CAM is ahead of LIME, in energy LIME is a little ahead; both are far above what knows nothing. But Grad-CAM may look into the network, and LIME may only ask.
# And 48 questions are few: on unseen questions some surrogates are poor. [06b](06b_lime_kernels_texts.ipynb) asks whether more questions close the gap.

# %% [markdown]
# ## 8 · The puzzle solved
#
# Both models get the same questions about 40 pictures, for the class that the picture shows. The background is known, so we can measure the share of LIME's positive weight that lies on it. To stay quick, we ask only 24 questions a picture: single maps are rough.
#
# So far a hidden superpixel was painted in its *mean colour*. But the mean colour of grass is still the colour of grass! So hidden parts are painted grey (127) here.

# %%
forty, kinds = animals[:40], shown_class[:40]
wolf_maps = {"model A": [], "model B": []}
for picture, kind in tqdm(list(zip(forty, kinds, strict=True)), leave=False):
    cut = superpixels(picture, 20)
    for name, lab_of_model in (("model A", model_a), ("model B", model_b)):
        fitted = lime_for_all(lab_of_model, picture, [kind], cut, 24, hidden=127)[0]
        wolf_maps[name].append(torch.from_numpy(lime.paint(fitted.coefficients, cut)).float())
wolf_maps = {name: torch.stack(heat) for name, heat in wolf_maps.items()}

# %% tags=["hide-input"]
examples = [6, 8, 1]  # two huskies, one wolf
figure, axes = plots.grid(len(examples), 3, width=6, ratio=1.12)
for row_axes, i in zip(axes, examples, strict=True):
    row_axes[0].imshow(forty[i])
    row_axes[0].set_ylabel(f"why {model_a.class_names[kinds[i]]}?")
    row_scale = max(float(heat[i].abs().max()) for heat in wolf_maps.values())
    for ax, (name, heat) in zip(row_axes[1:], wolf_maps.items(), strict=True):
        ax.imshow(plots.overlay(forty[i], heat[i] / row_scale, signed=True, own_scale=False))
        plots.outline(ax, model_a.masks[i])
        ax.set_xlabel(f"largest |w|: {heat[i].abs().max():.3f}", fontsize=9)
        if i == examples[0]:
            ax.set_title(name, fontsize=10)
figure.suptitle("Red speaks for the class. One scale in each row; the animal is outlined", fontsize=11)
plots.show(
    "Two huskies and a wolf. Model B's red lies on the animals. Model A's red lies on patches of the ground, sometimes also on the animal; its map of the wolf is nearly empty."
)

# %% [markdown]
# On the huskies model B's weight lies on the animal; much of model A's lies on the ground, sometimes also on the animal. Look at the numbers under the maps, too, and at the wolf in the last row. The next table counts for all 40 pictures. Its first two columns hide *everything*: what is left of the class?

# %% tags=["hide-input"]
import pandas as pd

background = ~model_a.masks[:40]
nothing = np.full_like(forty[:1], 127)
flat = np.stack([lime.hidden_image(picture, superpixels(picture, 20)) for picture in forty])
on_ground = {name: judge.energy_in_mask(heat, background) for name, heat in wolf_maps.items()}

rows = []
for c, kind in enumerate(model_a.class_names):
    which = kinds == c
    for name, lab_of_model in (("model A", model_a), ("model B", model_b)):
        rows.append(
            {
                "": f"{name}, {which.sum()} × {kind}",
                "P(class), all mean colours": np.median(lab_of_model.predict(flat[which])[:, c]),
                "P(class), all grey": lab_of_model.predict(nothing)[0, c],
                "median of the largest |w|": wolf_maps[name][which].abs().amax(dim=(1, 2)).median().item(),
                "weight on the background": on_ground[name][which].mean().item(),
                "area of the background": background[which].float().mean().item(),
            }
        )
    gap = judge.paired(*(on_ground[name][which] for name in wolf_maps))
    print(f"{kind}: weight on the background, A minus B: {gap}")
pd.DataFrame(rows).set_index("").round(2)

# %% [markdown]
# How to read it:
# - **The fill matters.** Painted in mean colours only, pictures keep the colour of their ground, and model A stays sure of its class (median): there would be nothing to explain.
# - **The absolute share proves nothing.** Model A has most of its weight on the background; but the background fills most of the picture, so a map that knows nothing has it there, too. Compare with model B.
# - **A calls a grey picture a wolf.** So for its wolves, hiding changes next to nothing. Those maps are nearly empty: look at the huskies. With hidden parts in the green of grass, which A calls a husky, it is the other way round.
#
# Since the pictures are drawn, we can test the suspicion: the same animals, with the grounds exchanged.

# %%
exchanged = model_a.counterfactuals
for name, lab_of_model in (("A", model_a), ("B", model_b)):
    right = [(lab_of_model.predict(p).argmax(axis=1) == shown_class).mean() for p in (animals, exchanged)]
    print(f"model {name}: right on the test pictures {right[0]:.0%}, with exchanged grounds {right[1]:.0%}")

# %% [markdown]
# Model A looks at the ground: in its training pictures every wolf stood on snow and no husky did. In the paper, 12 of the 27 people named snow as a possible feature before they saw explanations, and 25 after. So the explanations seem to help people to see *this* flaw, a large one. (There was no control group.)

# %% [markdown]
# ## 9 · The real thing: a wrong answer, explained
#
# A network trained on ImageNet (EfficientNet-Lite0, 1,000 classes) looks at a photograph. This woman is an astronaut. ImageNet has no such class, and the network's first answer is a *bobsled*. Ask LIME for the first three answers; 120 questions serve all three.

# %%
wrong = load_lab("photos", only="astronaut")
woman = wrong.images[0]
wrong_best = top_answers(wrong, wrong.images)[0][:3]
wrong_classes = [wrong.class_names.index(name) for name, _ in wrong_best]
wrong_cut = superpixels(woman, 50)
wrong_fits = lime_for_all(wrong, woman, wrong_classes, wrong_cut, 120)
strongest = [int(fitted.coefficients.argmax()) for fitted in wrong_fits]

# %% tags=["hide-input"]
for (name, p), fitted, part in zip(wrong_best, wrong_fits, strongest, strict=True):
    print(
        f"{name} {p:.2f}: R² on unseen questions {lime.unseen_r2(fitted):.2f}, largest coefficient "
        f"{fitted.coefficients[part]:+.3f} (superpixel {part})"
    )

# %% tags=["hide-input"]
plots.show_maps(
    [woman],
    {
        f"{name} {p:.2f}": lime.paint(fitted.coefficients, wrong_cut)[None]
        for (name, p), fitted in zip(wrong_best, wrong_fits, strict=True)
    },
    masks=torch.from_numpy(wrong_cut == strongest[0])[None],
    signed=True,
    title="An astronaut, asked for three classes. Outlined: the strongest part for the first one",
)
plots.show(
    "A smiling astronaut in an orange suit; three maps. The strongest red patch for bobsled is outlined."
)

# %% [markdown]
# Test it: hide only the outlined part, and ask again. The control: hide one of the other parts instead, each of them once.

# %%
n_parts, part = wrong_cut.max() + 1, strongest[0]
one_hidden = np.vstack([np.ones(n_parts, int), 1 - np.eye(n_parts, dtype=int)])  # row 1 + j hides part j
tested = network_answers(wrong, woman, wrong_cut, one_hidden)
for (name, _), c in zip(wrong_best, wrong_classes, strict=True):
    others = np.delete(tested[1:, c], part)
    print(f"{name}: {tested[0, c]:.2f}, without the outlined part {tested[1 + part, c]:.2f};", end=" ")
    print(f"without another part: median {np.median(others):.2f}, lowest {others.min():.2f}")

# %% [markdown]
# The strongest part is the same for *bobsled* and for *football helmet*: a piece of the helmet that stands beside her. Without this one piece both answers lose more than half of their probability; no other single piece takes away as much. (Hidden in grey, black, white or blurred, this piece takes away nearly as much; but in black, one other piece takes away more of *bobsled*.) So the answer "bobsled" depends on the helmet: this you have shown. *Why* it does is your guess (the riders of bobsleds wear helmets). Do not read the map of *go-kart*: its $R^2$ on unseen questions is near 0.
#
# ### Your turn
#
# Change the path (a picture, or a folder of pictures) and, if you like, the model's name; nothing else. `path=None` takes the course's own photographs. Look at the $R^2$ on unseen questions first. Near or below 0, do not read the map: ask more questions, or cut the picture in another way. More superpixels need more questions.

# %%
own = load_lab("photos", path=None, model="efficientnet_lite0")
own_answers = top_answers(own, own.images[:2])
own_maps = []
for picture, of_picture in zip(own.images[:2], own_answers, strict=True):
    cut, c = superpixels(picture, 20), own.class_names.index(of_picture[0][0])
    fitted = lime_for_all(own, picture, [c], cut, 60)[0]
    own_maps.append(lime.paint(fitted.coefficients, cut))
    print(", ".join(f"{name} {p:.2f}" for name, p in of_picture))
    print(
        f"   R² on unseen questions {lime.unseen_r2(fitted):.2f}, largest |w| {np.abs(fitted.coefficients).max():.2f}"
    )

# %% tags=["hide-input"]
plots.show_maps(
    list(own.images[:2]),
    {"LIME for the first answer": own_maps},
    labels=[of_picture[0][0] for of_picture in own_answers],
    signed=True,
    width=5,
)
plots.show(
    f"Two photographs and LIME's maps for the first answers: {', '.join(a[0][0] for a in own_answers)}."
)

# %% [markdown]
# ## 10 · Where it breaks
#
# ### Card 1: labels that start at 1
#
# The segmentation SLIC in scikit-image counts from 1 unless told otherwise. The `lime` package takes the *number* of different labels, $n$, and switches the labels 0 to $n - 1$: there is no label 0, and the last superpixel is never touched. No error, no warning. `ever_hidden` runs the package on a picture of four stripes, with a model that only notes what it is shown.

# %% tags=["nbval-check-output"]
from_one = np.repeat(np.arange(1, 5), 4)[:, None].repeat(16, axis=1)  # four stripes: labels 1, 2, 3, 4
print("labels from 1: stripes that were ever hidden:", lesson.ever_hidden(from_one))
print("labels from 0: stripes that were ever hidden:", lesson.ever_hidden(from_one - 1))

# %% [markdown]
# Pass `start_label=0` to SLIC.
#
# ### Exercise: find the bug
#
# This function hides the superpixels whose switch is 0. It does what the `lime` package does. Make it work for *any* whole-number labels, also with gaps and in any order: the j-th switch belongs to the j-th smallest label.


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
    labels = np.unique(segments)  # sorted
    for label in labels[mask == 0]:
        hidden[segments == label] = grey
    return hidden
    # END SOLUTION


# %%
exercises.hide.check(hide)

# %% [markdown]
# ### Card 2: what does "hidden" look like?
#
# Hide *everything* in five ways, and look at what the network says about nothing. Then explain three scenes, both objects, with each way to hide, and compare with the mean colours: the correlation of the coefficients. The first row says what chance does: mean colours again, with other questions.

# %% tags=["hide-input"]
agreement = {name: [] for name in lesson.FILLS}
for i in tqdm((scene, 0, 1), leave=False):
    picture, objects, cut = lab.images[i], lab.targets[i], superpixels(lab.images[i], 30)
    usual = lime_for_all(lab, picture, objects, cut, 100)
    for name in lesson.FILLS:
        how = {"hidden": lesson.fill_of(picture, name), "random_state": int(name == "mean colours")}
        others = lime_for_all(lab, picture, objects, cut, 100, **how)
        pairs = zip(usual, others, strict=True)
        agreement[name] += [np.corrcoef(a.coefficients, b.coefficients)[0, 1] for a, b in pairs]

# %% tags=["hide-input"]
for name, values in agreement.items():
    print(
        f"{name:<13} this scene {values[0]:.2f}, {values[1]:.2f}; three scenes: median {np.median(values):.2f}, lowest {min(values):.2f}"
    )

# %% tags=["hide-input"]
everything = np.stack(
    [lime.hidden_image(image, segments, lesson.fill_of(image, name)) for name in lesson.FILLS]
)
beliefs = lab.predict(everything)
figure = plots.show_images(
    list(everything),
    [
        f"{name}\nsays {lab.class_names[int(p.argmax())]} {p.max():.2f}"
        for name, p in zip(lesson.FILLS, beliefs, strict=True)
    ],
    title="All superpixels hidden: what the network says about nothing",
)
for ax in figure.axes:
    ax.spines[:].set(visible=True, color=plots.BASELINE)
plots.show("The scene with everything hidden in five ways, and the class that the network names for each.")

# %% [markdown]
# "Nothing" is never nothing for a network: it names a class for each of the five pictures, and each coefficient is measured against what the network says there. **The ways to hide do not agree in general.** Black and white agree with the mean colours much less than the mean colours agree with themselves, and in a few scenes the correlation is below zero.
# The farther a fill's colours are from the mean colours, the less the two agree: on fresh scenes, blurred and one colour for the whole picture agreed best, then grey, negatives, and black and white. That does not make any of them right. So say how parts were hidden, and try a second way. [Lesson 07](07_shap.ipynb) meets the same problem as the question of the *baseline*, the input in which nothing is present.

# %% [markdown]
# ## 11 · Recap
#
# - LIME = switches, questions, a kernel, a weighted linear fit. It needs nothing but answers.
# - Your numbers equal those of two libraries once kernel, regression and random numbers are the same. By default they are not.
# - Read $R^2$ first, on questions that $g$ has not seen.
# - The `lime` package paints green for, red against. A map shows where, never how much: read the size of the coefficients, too.
# - Repeat with other seeds, and report what section 6 lists.
# - A share of weight on the background means something only beside another model or the background's own area.
# - More in [06b · Kernels and texts](06b_lime_kernels_texts.ipynb): K-LASSO (keep only a few superpixels), the kernels of the libraries, LIME with more questions beside Grad-CAM, words and sentences. And in [06c · Tables and stability](06c_lime_tables.ipynb): columns of a table, SP-LIME, indices of stability, the kernel's width.
# - LIME trusts the answers that it gets. [15b · A rule that behaves when it is asked](15b_fairwashed.ipynb) builds a model that notices when LIME asks.
#
# <details><summary>The paper in ten questions</summary>
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
# 8. **Do the results support it?** For finding a gross flaw, yes. How stable and how faithful the explanations are was measured by later work, and by you.
# 9. **What did it contribute?** Explaining a black box in a few lines, and a vocabulary (fidelity, locality, surrogate).
# 10. **What next?** A kernel with axioms (SHAP, lesson 07), stability (section 6), rules instead of weights (Anchors), and attacks (Slack and others, 2020).
#
# </details>
#
# **References**
# - [Ribeiro, Singh and Guestrin, 2016: "Why Should I Trust You?"](https://arxiv.org/abs/1602.04938)
# - [Achanta and others, 2012: SLIC superpixels](https://doi.org/10.1109/TPAMI.2012.120)
# - [Visani and others, 2022: Statistical stability indices for LIME](https://arxiv.org/abs/2001.11757)
# - [Garreau and von Luxburg, 2020: Explaining the explainer, a first theoretical analysis of LIME](https://arxiv.org/abs/2001.03447)
# - [Slack and others, 2020: Fooling LIME and SHAP](https://arxiv.org/abs/1911.02508)
# - [Lundberg and Lee, 2017: A unified approach to interpreting model predictions](https://arxiv.org/abs/1705.07874)
