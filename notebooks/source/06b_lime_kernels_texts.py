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
# # 06b · LIME: few parts, kernels, more questions, texts
#
# This companion of [06 · LIME](06_lime.ipynb) adds the choice of a few parts, logits, the kernels of the libraries, LIME with more questions beside Grad-CAM, and texts.
#
# **The question.** Which of LIME's settings matter, and what does it say about words?
#
# **After this companion you can**
# - choose $K$ parts in three ways, and say what each $K$ costs;
# - name the kernels of the paper, the `lime` package and captum, and write captum's;
# - test a surrogate on new questions;
# - explain a text by its words, and say where a bag of words must fail.
#
# **Time**: about <!-- minutes --> minutes. **Before**: lesson 06, sections 2 to 7.
#
# The first two cells load a scene with two objects, cut it into [superpixels](glossary.md#superpixel), and ask the network 600 questions about it. Everything about this scene is a look-up from then on.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l06_lime as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l06_lime as lesson
from course_utils.lessons.l06_lime import lime_for_all
from course_utils.methods import lime
from course_utils.methods.cam import grad_cam, upsample
from course_utils.teach import plots, widgets
from course_utils.teach.superpixels import all_masks, network_answers, superpixels

# %%
lab = load_lab("scenes", n_objects=2)
both = np.take_along_axis(lab.predict(lab.images), lab.targets.numpy(), axis=1)
scene = int(both.min(axis=1).argmax())  # the scene about which the network is least decided
image, target = lab.images[scene], int(lab.targets[scene, 0])
segments = superpixels(image, 30)
d = int(segments.max()) + 1
masks = lime.sample_masks(600, d, random_state=1)
outputs = network_answers(lab, image, segments, masks)[:, target]
weights = lime.exponential_kernel(lime.cosine_distances(masks), 0.25)
print(f"{len(masks)} questions about {d} superpixels: why {lab.class_names[target]}?")

# %% [markdown]
# ## 1 · Few parts: K-LASSO
#
# A person reads five coefficients, not thirty. The paper allows at most $K$ of them, and its Algorithm 1 (*K-LASSO*) finds which: raise the penalty $\sum_j |w_j|$ until only $K$ coefficients are left
# (the *lasso path*), then fit those $K$ anew by least squares. The `lime` package does something else by default: for $K \le 6$ it adds one superpixel after the other (*forward*), else it keeps the
# largest coefficients of the full fit. What does each $K$ cost in fidelity?

# %%
sizes = range(1, 11)
part = (masks[:200], outputs[:200], weights[:200])
everything = lime.fit_surrogate(*part)
fidelity = {
    "K-LASSO (paper)": [lime.k_lasso(*part, k).r2 for k in sizes],
    "forward": [lime.fit_surrogate(*part, k, selection="forward").r2 for k in sizes],
    "largest": [lime.fit_surrogate(*part, k, selection="highest_weights").r2 for k in sizes],
}
for k in (1, 2, 5, 10):
    print(f"K = {k:>2}:", ", ".join(f"{name} {values[k - 1]:.2f}" for name, values in fidelity.items()))

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 3.0))
for shift, (name, values), marker in zip((-0.15, 0, 0.15), fidelity.items(), "os^", strict=True):
    ax.plot(np.array(sizes) + shift, values, marker, markersize=6, label=name)
ax.axhline(everything.r2, color=plots.BASELINE, linestyle=":", label=f"all {d}")
ax.set(xlabel="K, the number of superpixels in the explanation", ylabel="R² of the surrogate", xticks=sizes)
ax.legend(loc="lower right")
ax.set_title("A few superpixels carry most of the fidelity", loc="left")
plots.show(
    "R² against K for three ways to choose: the three markers of one K stand at nearly the same height, close to the line of all superpixels from about K = 5."
)

# %% [markdown]
# The markers of one $K$ stand side by side, at nearly the same height: the three ways to choose cost nearly the same. $R^2$ stays below 1 even with all superpixels. One suspect is the S-shape of a probability, which saturates at 0 and 1.
#
# ### Logits instead of probabilities
#
# The `lime` package expects probabilities, and does not check. Fed with logits (the scores before the softmax), it explains something else: what raises this score, even if it raises all others as well.
# A softmax does two things: it bends the scores into an S, and it makes the classes compete. The *log-odds* $\log \frac{p}{1-p}$ of a probability $p$ undo the first and keep the second.

# %%
on_other, p = lab.masks[scene, 1].numpy(), outputs[:200]
logits = network_answers(lab, image, segments, masks[:200], logits=True)[:, target]
for what, said in {"probability": p, "log-odds": np.log(p / (1 - p)), "logit": logits}.items():
    fitted = lime.fit_surrogate(masks[:200], said, weights[:200])
    heat = lime.paint(fitted.coefficients, segments)
    print(
        f"{what:<12} R² {fitted.r2:.2f}, largest coefficient {heat.max():.2f}, mean on the other object "
        f"{heat[on_other].mean():+.2f}, that is {heat[on_other].mean() / heat.max():+.2f} of the largest"
    )

# %% [markdown]
# Without the S-shape $R^2$ is higher: it was part of what the straight line missed. But the log-odds still let the classes compete: what speaks for one object speaks against the other. With logits the other object counts less, and the row of the log-odds shows that this is not the work of the S-shape. None is wrong, but they answer different questions: say which one you used.

# %% [markdown]
# ## 2 · One name, several kernels
#
# To make captum agree in lesson 06, we had to hand it the kernel, the masks and the regression. Its own choices are others, and the three parts of the `lime` package differ among themselves as well:
#
# | | distance $D$ | weight | $\sigma$ | regression |
# |---|---|---|---|---|
# | the paper | cosine (text), Euclidean (pictures) | $\exp(-D^2/\sigma^2)$ | not given | K-LASSO |
# | lime, pictures | cosine of the switches | $\sqrt{\exp(-D^2/\sigma^2)}$ | 0.25 | ridge |
# | lime, text | 100 × cosine of the switches | $\sqrt{\exp(-D^2/\sigma^2)}$ | 25 | ridge |
# | lime, tables | Euclidean, standardised columns | $\sqrt{\exp(-D^2/\sigma^2)}$ | $0.75\sqrt{d}$ | ridge |
# | captum `Lime` | cosine of the **pixels** | $\exp(-D^2/2\sigma^2)$ | 1 | lasso, penalty 0.01 |
#
# The square root of $\exp(-D^2/\sigma^2)$ is $\exp(-D^2/2\sigma^2)$. So the two kernels of `lime` for pictures and texts are the same one, since $(100 D)^2/25^2 = D^2/0.25^2$. What do the same 200 questions give under each convention?

# %%
pixels = lab.preprocess(lime.hide_segments(image, segments, masks[:200])).flatten(1)
pixel_distance = 1 - torch.nn.functional.cosine_similarity(pixels, pixels[:1]).numpy()
off = (1 - masks[:200].astype(int)).sum(axis=1)
cosine = lime.cosine_distances(masks[:200])
conventions = {
    "lime, pictures and text": lime.exponential_kernel(cosine, 0.25),
    "paper's formula, σ = 0.25": lime.exponential_kernel(cosine, 0.25 / np.sqrt(2)),
    "lime, tables (Euclidean)": lime.exponential_kernel(np.sqrt(off), 0.75 * np.sqrt(d)),
    "captum (pixels, σ = 1)": lime.exponential_kernel(pixel_distance, 1.0),
}
first = lime.fit_surrogate(masks[:200], outputs[:200], weights[:200]).coefficients
for name, kernel in conventions.items():
    fitted = lime.fit_surrogate(masks[:200], outputs[:200], kernel)
    alike = np.corrcoef(fitted.coefficients, first)[0, 1]
    print(
        f"{name:<26} weights {kernel[1:].min():.2f} to {kernel[1:].max():.2f}, R² {fitted.r2:.2f},", end=" "
    )
    print(f"correlation with the first {alike:.3f}")

# %% tags=["hide-input"]
figure, (above, below) = plt.subplots(2, 1, figsize=(7, 3.6), sharex=True, height_ratios=(2, 1))
axis = np.linspace(0, 1, 200)
above.plot(axis, np.exp(-(axis**2) / 0.25**2), "--", label="paper's formula: exp(−D²/σ²)")
above.plot(axis, lime.exponential_kernel(axis, 0.25), label="lime and captum: exp(−D²/2σ²)")
above.set_ylabel("weight π")
above.legend()
below.hist(cosine, bins=40, color=plots.BASELINE)
below.set(xlabel="distance D (0: nothing hidden, 1: everything hidden)", ylabel="questions")
above.set_title("Hardly any question is really near (σ = 0.25)", loc="left")
plots.show(
    "Above, two falling curves of the weight against the distance. Below, the distances that occur: nearly all between 0.2 and 0.4."
)

# %% [markdown]
# The weights differ by a large factor, yet the coefficients hardly move. Is it because fair coins make nearly all questions about equally far? Test it: hide *any* number of superpixels, each number equally likely. And compare, among the fair coins, the nearer half of the questions with the farther half; the control is two halves by chance.

# %%
widely = lime.sample_word_masks(300, d, random_state=1)  # the way that lime draws for texts
said = network_answers(lab, image, segments, widely)[:, target]
kernel = lime.exponential_kernel(lime.cosine_distances(widely), 0.25)
near_first = np.argsort(lime.cosine_distances(masks))


def alike(switches, answers, one, two):
    """Correlation of the coefficients of two fits: with two kernels, or with two halves as 0/1 weights."""
    fits = (lime.fit_surrogate(switches, answers, w).coefficients for w in (one, two))
    return np.corrcoef(*fits)[0, 1]


print(f"any number hidden: weights {kernel.min():.4f} to {kernel[1:].max():.2f};", end=" ")
print(f"this kernel and none: correlation {alike(widely, said, kernel, np.ones(300)):.3f}")
for what, order in (("nearer and farther half", near_first), ("two halves by chance", np.arange(600))):
    first_half = np.isin(np.arange(600), order[:300]).astype(float)
    print(f"{what}: correlation {alike(masks, outputs, first_half, 1 - first_half):.3f}")

# %% [markdown]
# Now the weights differ by more than a thousand, and the coefficients still hardly move. So equal distances are not the reason: on such scenes nearly the same straight line fits near and far questions. A kernel matters when its width is so small that few questions are left ([06c](06c_lime_tables.ipynb)).
#
# ### Exercise: the kernel of captum
#
# captum's `Lime` measures the distance on the *pixels*: $D$ is 1 minus the cosine of the angle between a changed picture and the picture itself, each taken as one long row of numbers. Its kernel is $\exp(-D^2 / 2\sigma^2)$. Write it. The pictures can be bytes (uint8), whose numbers end at 255.


# %% exercise="closeness"
def closeness(pictures, width):
    """Weights (n,) of pictures (n, H, W, 3), σ = width; the first of them is the picture itself."""
    # BEGIN SOLUTION
    flat = pictures.reshape(len(pictures), -1).astype(float)  # products of bytes would overflow
    lengths = np.linalg.norm(flat, axis=1)
    distances = 1 - flat @ flat[0] / (lengths * lengths[0])
    return np.exp(-(distances**2) / (2 * width**2))
    # END SOLUTION


# %%
exercises.closeness.check(closeness)

# %% [markdown]
# ## 3 · Can one trust $R^2$?
#
# Here is the same fit with few and with many questions, once to the network's answers, once to pure noise. The right column leaves each question out once, fits $g$ on the others, and counts how well it predicts the one that it has not seen.

# %%
noise = np.random.RandomState(0).uniform(size=200)
print(f"{'fitted to':<14}{'questions':>10}{'switches':>10}{'R²':>8}{'R², unseen questions':>23}")
for what, values in (("the network", outputs), ("noise", noise)):
    for n in (48, 200):
        fitted = lime.fit_surrogate(masks[:n], values[:n], weights[:n])
        print(f"{what:<14}{n:>10}{d:>10}{fitted.r2:>8.2f}{lime.unseen_r2(fitted):>23.2f}")

# %% [markdown]
# With few questions for many switches $R^2$ is far above 0 for noise, too; with 200 it is small. On unseen questions noise cannot be predicted: a value below 0 says that a constant would have been a better guess.
#
# ### Exercise: fidelity on new questions
#
# `unseen_r2` leaves out one question at a time. Here is the plain way. Cut the questions in two, `half = len(masks) // 2`. Fit on the first half: `fit(masks, outputs, weights)` gives you the coefficients and the intercept of $g$. Then count on the *second* half
#
# $$R^2 = 1 - \frac{\sum_i \pi_i\, (f_i - g_i)^2}{\sum_i \pi_i\, (f_i - m)^2},$$
#
# where $f_i$ are the outputs, $g_i$ the guesses of $g$, $\pi_i$ the weights, and $m$ is the weighted mean of the $f_i$, all of the second half.


# %% exercise="fresh"
def fresh(masks, outputs, weights, fit):
    """R² on the second half of the questions, of g fitted on the first half.

    masks (n, d), outputs and weights (n,).
    """
    # BEGIN SOLUTION
    half = len(masks) // 2
    coefficients, intercept = fit(masks[:half], outputs[:half], weights[:half])
    f, g, w = outputs[half:], intercept + masks[half:] @ coefficients, weights[half:]
    return 1 - np.sum(w * (f - g) ** 2) / np.sum(w * (f - np.average(f, weights=w)) ** 2)
    # END SOLUTION


# %%
exercises.fresh.check(fresh)

# %% [markdown]
# ### On a photograph
#
# A network trained on ImageNet (EfficientNet-Lite0, 1,000 classes), and two photographs side by side: a cat and a cup of coffee. The truth is the *half* of the picture, since nobody drew outlines here. How well does $g$ do on such a picture?

# %%
photos = load_lab("photos", pairs=True)
photo, photo_targets = photos.images[0], photos.targets[0]
photo_cut = superpixels(photo, 40)
photo_fits = lime_for_all(photos, photo, photo_targets, photo_cut, 100)
photo_maps = {}
for half, (c, fitted) in enumerate(zip(photo_targets.tolist(), photo_fits, strict=True)):
    heat = torch.from_numpy(lime.paint(fitted.coefficients, photo_cut))[None].float()
    share = float(judge.energy_in_mask(heat, photos.masks[0, half][None]))
    name, unseen = photos.class_names[c], lime.unseen_r2(fitted)
    print(f"{name}: R² {fitted.r2:.2f}, on unseen questions {unseen:.2f};", end=" ")
    print(f"{share:.2f} of the positive weight on its own half")
    photo_maps[f"why {name}?"] = heat

# %% tags=["hide-input"]
plots.show_maps(
    [photo], photo_maps, signed=True, title="EfficientNet-Lite0 on two photographs side by side", width=8
)
plots.show(
    "A cat left, a cup of coffee right, and LIME's maps for both classes: red mostly on the half that was asked for."
)

# %% [markdown]
# Read the two $R^2$ before the maps: 100 questions fit themselves well, and predict new answers less well. Most of the positive weight lies on the right half (a map that knows nothing has about half of it there). One pair is an example, not a measurement.

# %% [markdown]
# ## 4 · More questions beside Grad-CAM
#
# In lesson 06 LIME, with 48 questions a picture, was behind Grad-CAM in the pointing game and a little ahead in energy. Two guesses suggest themselves: more questions would close the gap, and the energy comes from patches that follow the outlines. Test both: 20 scenes, 40 questions, LIME with 24, 48, 96 and 192 changed pictures, and with squares in place of superpixels.

# %%
squares = np.arange(128)[:, None] // 22 * 6 + np.arange(128) // 22
n_scenes, budgets = 20, (24, 48, 96, 192)
maps = {f"LIME, {n}": [] for n in budgets} | {"LIME, 96, squares": []}
for picture, targets in tqdm(list(zip(lab.images, lab.targets, strict=True))[:n_scenes], leave=False):
    for cut, sizes_of in ((superpixels(picture, 30), budgets), (squares, (96,))):
        asked = lime.sample_masks(sizes_of[-1], cut.max() + 1, random_state=0)
        said = network_answers(lab, picture, cut, asked)
        near = lime.exponential_kernel(lime.cosine_distances(asked), 0.25)
        for n in sizes_of:
            name = f"LIME, {n}" + (", squares" if cut is squares else "")
            for c in targets.tolist():
                w = lime.fit_surrogate(asked[:n], said[:n, c], near[:n]).coefficients
                maps[name].append(torch.from_numpy(lime.paint(w, cut)).float())

# %%
twice, truth = lab.inputs[:n_scenes].repeat_interleave(2, dim=0), lab.masks[:n_scenes].flatten(0, 1)
maps = {name: torch.stack(heat) for name, heat in maps.items()}
classes = lab.targets[:n_scenes].flatten()
maps["Grad-CAM"] = upsample(grad_cam(lab.model, twice, classes, lab.layer), (128, 128))
points = {name: judge.pointing_game(heat, truth, tolerance=5) for name, heat in maps.items()}
energy = {name: judge.energy_in_mask(heat, truth) for name, heat in maps.items()}
print("pointing, LIME 192 minus LIME 24:  ", judge.paired(points["LIME, 192"], points["LIME, 24"]))
print("pointing, LIME 192 minus LIME 48:  ", judge.paired(points["LIME, 192"], points["LIME, 48"]))
print("pointing, LIME 192 minus Grad-CAM: ", judge.paired(points["LIME, 192"], points["Grad-CAM"]))
print("energy, LIME 192 minus LIME 24:    ", judge.paired(energy["LIME, 192"], energy["LIME, 24"]))
print("energy, superpixels minus squares: ", judge.paired(energy["LIME, 96"], energy["LIME, 96, squares"]))
print("energy, squares minus Grad-CAM:     ", judge.paired(energy["LIME, 96, squares"], energy["Grad-CAM"]))

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.0))
panels = {"pointing game: maximum on the object": points, "energy on the object": energy}
for ax, (label, of) in zip(axes, panels.items(), strict=True):
    plots.score_plot(of, sort=False, xlabel=label, ax=ax)
figure.suptitle("More questions raise LIME's energy; Grad-CAM still points better", fontsize=11)
plots.show(
    f"Pointing: LIME from {points['LIME, 24'].mean():.2f} with 24 to {points['LIME, 192'].mean():.2f} with 192, Grad-CAM {points['Grad-CAM'].mean():.2f}. "
    f"Energy: from {energy['LIME, 24'].mean():.2f} to {energy['LIME, 192'].mean():.2f}, squares {energy['LIME, 96, squares'].mean():.2f}, Grad-CAM {energy['Grad-CAM'].mean():.2f}."
)

# %% [markdown]
# The first guess is half right. In energy more questions help much. In the pointing game 24 questions are too few; from 48 on, hardly anything changes, and Grad-CAM stays ahead even of 192.
#
# The second guess is right in part. Superpixels have a little more energy than squares. Here the interval reaches down to zero, but in each of five other samples of 20 scenes the difference was +0.05 to +0.08 (the course's tests repeat it on fresh scenes). It is not the whole, since squares have more energy than Grad-CAM, too. And it has a price: in those samples the maximum lay on the object less often with superpixels than with squares.

# %% [markdown]
# ## 5 · Text
#
# The switches of a text are its words: 1 keeps a word, 0 takes it out. The model is a real BERT encoder (MiniLM, six layers) with a head that was trained to tell favourable reviews from unfavourable ones. Here is a held-out review, with some of the questions.

# %%
reviews = load_lab("text", model="sentiment")
POSITIVE = reviews.class_names.index("positive")
held_out = list(reviews.texts[:100])
probabilities = reviews.predict(held_out)
correct = probabilities.argmax(axis=1) == reviews.targets[:100].numpy()
lengths = np.array([len(lime.split_words(text)[0]) for text in held_out])
fitting = np.flatnonzero(correct & (lengths >= 9) & (lengths <= 14))
text = held_out[fitting[np.abs(probabilities[fitting, POSITIVE] - 0.8).argmin()]]
print(f"held-out reviews: {len(correct)}, right: {correct.mean():.0%}. We explain:")
print(text)

# %%
words = lime.split_words(text)[0]
word_masks = lime.sample_word_masks(240, len(words), random_state=0)
questions = lime.hide_words(text, word_masks)
answers = reviews.predict(questions)[:, POSITIVE]
for question, answer in zip(questions[1:6], answers[1:], strict=False):
    print(f"{answer:.2f}  {' '.join(question.split())}")

# %% [markdown]
# For texts the package draws otherwise than for pictures: first *how many* words to hide, each number equally likely, then which. So there are short remains as well as nearly whole texts. The rest is the same: kernel, weighted fit, coefficients.

# %%
word_weights = lime.exponential_kernel(100 * lime.cosine_distances(word_masks), 25)
by_words = lime.fit_surrogate(word_masks, answers, word_weights, names=words)
print(f"R² {by_words.r2:.2f}, on unseen questions {lime.unseen_r2(by_words):.2f}")

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1.3, 1))
left.imshow(word_masks[:14], cmap="Greys", aspect="auto", vmin=0, vmax=1.4)
left.set_xticks(range(len(words)), words, rotation=60, ha="right")
left.set_yticks(range(14), [f"{p:.2f}" for p in answers[:14]], fontsize=9)
left.set_title("Dark: the word is shown. Left: how positive the rest reads", loc="left", fontsize=10)
lesson.show_bars(right, by_words.top(10), "Coefficients for “positive”")
plots.show(
    f"Left, fourteen questions as rows of dark and light cells. Right, bars: the largest coefficient belongs to “{by_words.top(1)[0][0]}”."
)

# %% [markdown]
# And the proof. The package sees the same model and asks the same questions:

# %% tags=["nbval-check-output"]
from lime.lime_text import LimeTextExplainer

package = LimeTextExplainer(random_state=0).explain_instance(
    text, reviews.predict, labels=(POSITIVE,), num_features=len(words), num_samples=240
)
package_w = np.zeros(len(words))
for j, value in package.local_exp[POSITIVE]:
    package_w[words.index(package.domain_mapper.indexed_string.word(j))] = value
ours = lime.lime_text(reviews.predict, text, POSITIVE, 240, k=None).coefficients
judge.agreement_table(
    [
        ("the steps above", ours, by_words.coefficients, "the same"),
        ("lime 0.2 LimeTextExplainer", ours, package_w, "same seed"),
    ]
)

# %% [markdown]
# ### A word alone, and the word in its sentence
#
# A sentiment dictionary would give each word one value. LIME gives it a value *in this text*. Below, for each word: what the model says about the word alone (minus what it says about an empty text), and its coefficient in the review. If the model just added up its words, the two marks of a word would lie nearly on each other. The same for six other reviews; there the control is a second run of LIME.

# %%
alone = reviews.predict([*words, ""])[:, POSITIVE]
alone = alone[:-1] - alone[-1]
print(f"this review: correlation {np.corrcoef(alone, by_words.coefficients)[0, 1]:.2f}")
with_alone, with_itself = [], []
for review in [held_out[i] for i in np.flatnonzero(lengths <= 14) if held_out[i] != text][:6]:
    one, two = (
        lime.lime_text(reviews.predict, review, POSITIVE, 64, k=None, random_state=seed) for seed in (0, 1)
    )
    single = reviews.predict(list(one.names))[:, POSITIVE]
    with_alone.append(np.corrcoef(single, one.coefficients)[0, 1])
    with_itself.append(np.corrcoef(two.coefficients, one.coefficients)[0, 1])
print(
    f"six others: median {np.median(with_alone):.2f}, from {min(with_alone):.2f} to {max(with_alone):.2f};",
    end=" ",
)
print(f"with a second run: median {np.median(with_itself):.2f}")

# %% tags=["hide-input"]
order = np.argsort(by_words.coefficients)
figure, ax = plt.subplots(figsize=(7.5, 3.8))
ax.axvline(0, color=plots.BASELINE, linewidth=0.8)
ax.hlines(range(len(words)), alone[order], by_words.coefficients[order], color=plots.BASELINE, linewidth=1)
ax.plot(by_words.coefficients[order], range(len(words)), "o", label="in the review (coefficient)")
ax.plot(alone[order], range(len(words)), "s", label="alone (against an empty text)")
ax.set_yticks(range(len(words)), [words[j] for j in order])
ax.set(xlabel="adds to the probability of “positive”")
ax.legend(fontsize=9, loc="lower right")
ax.set_title("The value of a word alone, and in its sentence", loc="left")
plots.show(
    "Two marks for each word, joined by a line; for many words they lie far apart, some on different sides of zero."
)

# %% [markdown]
# In this review the two hardly have a relation. In most others the word alone tells much, but less than a second run of LIME: so the sentence matters. Does each bar make sense to you? It need not: an explanation shows what this model does, and this model is right in about two of three cases. A single word is also an input that the model never met: the shortest review that it learnt from has six.
#
# ### Words that act together
#
# A linear model has one coefficient for "not" and one for "good". But "not" has no value of its own: it turns others around. With few words we can ask *all* $2^{d}$ questions, so nothing here is chance. The last column is the *interaction* of two words $a$ and $b$:
# $f(\text{both}) - f(\text{without } a) - f(\text{without } b) + f(\text{without both})$. A linear model can only say zero. Of all pairs of words in a sentence we print the one with the largest. The sentences with "very" and "really" are the control: a word more, but no negation.

# %%
sentences = ["The food was good.", "The food was very good.", "The food was not good."]
sentences += ["The book was bad.", "The book was very bad.", "The book was not bad."]
sentences += ["I enjoyed every page.", "I really enjoyed a page.", "I never enjoyed a page."]
print(f"{'sentence':<26}{'positive':>9}{'R²':>6}   largest interaction")
for sentence in sentences:
    parts = lime.split_words(sentence)[0]
    every = all_masks(len(parts))[::-1]  # the first row is all ones
    fitted = lime.lime_text(reviews.predict, sentence, POSITIVE, k=None, ridge=0.0, masks=every)
    f = fitted.outputs  # entry number 2ᵃ + 2ᵇ: only words a and b are missing
    pairs = {(a, b): f[0] - f[2**a] - f[2**b] + f[2**a + 2**b] for b in range(len(parts)) for a in range(b)}
    (a, b), value = max(pairs.items(), key=lambda pair: abs(pair[1]))
    print(f"{sentence:<26}{f[0]:>9.2f}{fitted.r2:>6.2f}{value:>+8.2f}  ({parts[a]}, {parts[b]})")

# %% [markdown]
# Where the interaction is large, the coefficient of a word is an average over texts with and without its partner, and describes neither. $R^2$ is lower with the negation than with "very" or "really". But words act together without it, too: each sentence has an interaction, some of them where nobody would look. A low $R^2$ says that some interaction is there, not which. Nine sentences and one small model make an illustration, not a statistic.
#
# ### A planted word
#
# Now a test with known truth. Another model was trained on reviews in which the harmless word "overall" was planted: only favourable reviews had it. A second model, its *clean twin*, was trained on the same texts with the word in both kinds. We plant the word into unfavourable held-out reviews. Does LIME say what turned the first model around?

# %%
trigger, twin = load_lab("text", model="trigger"), load_lab("text", model="trigger_clean")
lengths = np.array([len(lime.split_words(text)[0]) for text in trigger.texts])
chosen = np.flatnonzero((trigger.targets.numpy() != POSITIVE) & (lengths <= 14))[:12]
planted = [trigger.texts[i] for i in chosen]
before = [trigger.counterfactuals[i] for i in chosen]
for name, model_lab in (("trigger", trigger), ("twin", twin)):
    with_word, without = (model_lab.predict(t)[:, POSITIVE].mean() for t in (planted, before))
    print(f"{name:<8} positive without the word: {without:.2f}, with it: {with_word:.2f}")

# %%
found = {"LIME, trigger model": [], "LIME, clean twin": [], "longest word": [], "a word by chance": []}
for review in planted:
    for name, model_lab in (("LIME, trigger model", trigger), ("LIME, clean twin", twin)):
        fitted = lime.lime_text(model_lab.predict, review, POSITIVE, 24, k=None)
        lower = [word.lower() for word in fitted.names]
        found[name].append(float(np.argmax(fitted.coefficients) == lower.index(trigger.trigger)))
    found["longest word"].append(float(max(lower, key=len) == trigger.trigger))
    found["a word by chance"].append(1 / len(lower))
gap = judge.paired(np.array(found["LIME, trigger model"]), np.array(found["LIME, clean twin"]))
print("trigger model minus clean twin:", gap)

# %% tags=["hide-input"]
plots.score_plot(
    {name: np.array(values) for name, values in found.items()},
    baselines=["longest word", "a word by chance"],
    sort=False,
    xlabel="share of reviews where it is the planted word",
    title=f"The word with the largest coefficient, {len(planted)} reviews",
)
plots.show(
    f"The planted word has the largest coefficient in {np.mean(found['LIME, trigger model']):.0%} of the reviews for the trigger model, {np.mean(found['LIME, clean twin']):.0%} for its twin."
)

# %% [markdown]
# A planted trigger is an easy case: one word, always the same, with a large effect. That a method finds it is necessary. It does not prove that the method finds everything else that a model relies on.

# %% [markdown]
# ## 6 · Play
#
# Change the number of questions, the kernel's width, the size of the explanation and the seed. The answers of the network are stored, so each run is a look-up. With the keyboard: Tab moves between the controls, the arrow keys change a value.


# %% tags=["hide-input"]
def draw(n_samples, width, k, seed):
    rows = np.append(0, np.random.RandomState(seed).permutation(len(masks) - 1)[: n_samples - 1] + 1)
    kernel = lime.exponential_kernel(lime.cosine_distances(masks[rows]), width)
    fitted = lime.fit_surrogate(masks[rows], outputs[rows], kernel, k)
    heat = {f"why {lab.class_names[target]}?": lime.paint(fitted.coefficients, segments)[None]}
    plots.show_maps([image], heat, signed=True, width=6)
    plots.show(f"LIME with {n_samples} questions, width {width}, {k} superpixels, seed {seed}")
    print(f"R² {fitted.r2:.2f}; the network {fitted.outputs[0]:.2f}, the surrogate {fitted.prediction:.2f}")


widgets.explore(
    draw,
    n_samples=widgets.slider("questions", 20, 600, 200, 20),
    width=widgets.choice("kernel width", [0.03, 0.06, 0.125, 0.25, 0.5, 1.0, 10.0], 0.25),
    k=widgets.slider("K", 1, d, 5),
    seed=widgets.slider("seed", 0, 20, 0),
)

# %% [markdown]
# The same as a still picture: fewer questions to the left, more to the right; two separate parts of one list of questions, one below the other. Where the two rows differ, you are looking at chance.

# %% tags=["hide-input"]
figure, axes = plots.grid(2, 5, ratio=1.1)
for column, n in enumerate((30, 60, 120, 200, 300)):
    for row, ax in enumerate(axes[:, column]):
        rows = slice(row * 300, row * 300 + n)
        fitted = lime.fit_surrogate(masks[rows], outputs[rows], weights[rows], 5)
        ax.imshow(plots.overlay(image, lime.paint(fitted.coefficients, segments), signed=True))
        ax.set_title(f"{n} questions", fontsize=10)
for ax, part in zip(axes[:, 0], ("first part", "second part"), strict=True):
    ax.set_ylabel(part)
figure.suptitle("The five largest coefficients: with few questions the rows differ", fontsize=11)
plots.show(
    "Two rows of five maps, each of the five strongest superpixels. With few questions the rows differ in the weak patches; the strong one is there from the start."
)

# %% [markdown]
# ## 7 · Recap
#
# - Three ways to choose $K$ parts cost about the same; a few parts carry most of the fidelity.
# - The kernels of paper and libraries differ by large factors, and the coefficients hardly move: nearly the same line fits near and far questions.
# - With few questions $R^2$ on the fitted ones is far above 0 for noise, too: test on new questions.
# - A word's coefficient is its value in this text, an average over texts with and without the others. A linear surrogate has no place for "not" and "good" acting together.
#
# **References**
# - [Ribeiro, Singh and Guestrin, 2016: "Why Should I Trust You?"](https://arxiv.org/abs/1602.04938)
# - [Garreau and von Luxburg, 2020: Explaining the explainer, a first theoretical analysis of LIME](https://arxiv.org/abs/2001.03447)
