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
# # 09 · Filter visualization: what does a filter like best?
#
# **The question.** A filter in the middle of a network reacts to something. To what? And what would the picture look like that it reacts to most?
#
# **After this lesson you can**
# - show what a filter sees in a picture, and make the picture that it likes best, by gradient ascent from noise;
# - say why plain ascent gives noise, and what each of the usual remedies does about it;
# - tell when a beautiful picture shows the network, and when it shows the method that made it.
#
# **Time**: about <!-- minutes --> minutes. **Before**: you can read a PyTorch module and know what a gradient is. [02 · Deconvnet](02_zfnet_deconvnet.ipynb) asks the same question with real pictures.
#
# The first cell loads two [labs](glossary.md#lab), trained models together with pictures: `digits` with a network that reads digits, `lab` with a ZF-Net (a plain convolutional network) that names drawn objects.

# %%
import torch
from torch.nn import functional as F
from torchvision.models.feature_extraction import create_feature_extractor

from course_utils import judge
from course_utils.exercises import l09_filter_visualization as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l09_filter_visualization as lesson
from course_utils.lessons.l09_filter_visualization import CAREFUL, DIGIT_PICTURES, fine_share
from course_utils.methods.filters import activation_maximization, class_maximization, filter_activation
from course_utils.teach import plots, widgets

digits, lab = load_lab("digits"), load_lab("scenes", model="zfnet")
reader, model = digits.model, lab.model
shallow, deep = "conv1", "conv5"  # two layers of the ZF-Net

# %% [markdown]
# ## 1 · A puzzle: which of these is a 3?
#
# A network reads digits. It was trained on drawings in many fonts. For each picture it gives every digit a *score*: the number before the softmax, also called [*logit*](glossary.md#logit). Here are four pictures. Which has the highest score for a 3? Decide before you go on.

# %% tags=["hide-input"]
made = class_maximization(reader, 3, n_steps=60, **DIGIT_PICTURES)
right = torch.from_numpy(digits.predict(digits.images).argmax(axis=1)) == digits.targets
puzzle = torch.cat([digits.inputs[(digits.targets == 3) & right][:3], made])
with torch.no_grad():
    puzzle_scores = reader(puzzle)

# %% tags=["hide-input"]
plots.show_images(list(255 - digits.to_images(puzzle)), list("ABCD"), columns=4, width=8)
plots.show("A, B and C: three drawn threes. D: a tangle of black and white pixels.")

# %% [markdown]
# Now the network's answer.

# %%
for letter, scores in zip("ABCD", puzzle_scores, strict=True):
    print(f"{letter}: score of a 3 {scores[3]:5.1f}, probability of a 3 {scores.softmax(0)[3]:.3f}")

# %% [markdown]
# D has the highest score by far. It was made by asking: *which picture has the highest score for a 3?* (`class_maximization`, folded above). So this is the network's own answer to "show me a 3", and it is not a 3.
#
# Pictures like this are called *visualizations*. A picture that a network likes best need not be a picture of what the network is for.

# %% [markdown]
# ## 2 · The idea: two questions to one filter
#
# A *filter* (or *channel*) $k$ of a layer turns a picture $x$ into a map $A^k(x)$ with $h \times w$ places. There are two things to ask:
#
# 1. **What does it see here?** Take a picture and look at the map: *filter activation*.
# 2. **What does it like best?** Look for the picture with the strongest map: *filter visualization*, or *activation maximization* (Erhan and others, 2009):
#
# $$x^* = \arg\max_x \; \underbrace{\frac{1}{hw}\sum_{ij} A^k_{ij}(x)}_{s(x)} \; - \; R(x)$$
#
# Here $s(x)$ is the score of the filter, its mean over the places $(i, j)$ of the map, and $R(x)$ is a *regulariser*: a penalty for pictures that we do not want to see. At first, $R(x) = 0$.
#
# No formula solves this, but we can climb: the network has a gradient for its *input* just as for its weights. With a step size $\eta$,
#
# $$x \leftarrow x + \eta \, \frac{\partial}{\partial x} \big( s(x) - R(x) \big)$$
#
# It is the training loop turned around: the weights stay as they are, and the picture learns.
#
# ### Question 1: filter activation
#
# Three filters of a shallow and of a deep layer on one scene. Red: the filter reacts. Blue: negative values; the ReLU behind the layer sets them to zero.

# %%
scene = int((lab.targets == lab.class_names.index("car")).nonzero()[1])
filters = {shallow: (30, 10, 19), deep: (57, 28, 18)}
seen = {
    (layer, k): filter_activation(model, lab.inputs[[scene]], layer, k)[0]
    for layer in filters
    for k in filters[layer]
}

# %% tags=["hide-input"]
figure, axes = plots.grid(1, 7, ratio=1.25)
axes[0, 0].imshow(lab.images[scene])
axes[0, 0].set_title("the scene", fontsize=10)
for ax, ((layer, k), heat) in zip(axes[0, 1:], seen.items(), strict=True):
    plots.show_heat(ax, heat, signed=True, title=f"{layer}\nfilter {k}")
plots.show(
    "A car, three maps of conv1 with edges of the car and of the ground, three of conv5 with one red spot at the car."
)

# %% [markdown]
# On this scene the shallow filters draw edges, of the car and of the ground. The deep ones mark the place of the car. To say *what* they react to, one scene is not enough: [09b](09b_filter_names.ipynb) gives filters names and measures how well they fit.

# %% [markdown]
# ## 3 · By hand: climb from noise
#
# The picture starts as faint noise around grey. Each step takes the gradient at the pixels and divides it by its root mean square, so that a typical pixel moves by $\eta$ (`rate`) in whichever layer the filter is.
# Then it cuts the pixels off at −1 and 1, black and white for this network. Otherwise they would grow to values that no picture has.


# %% tags=["by-hand"]
def my_visualization(model, layer, channel, n_steps=40, rate=0.03):
    """The pictures (1, 3, 128, 128) of an ascent, one a step, and the filter's score in each."""
    kept = []  # the hook puts the layer's output here
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    x = 0.05 * torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    pictures, scores = [], []
    for _ in range(n_steps + 1):
        x.requires_grad_()
        kept.clear()
        model(x)
        score = kept[0][0, channel].mean()  # s(x)
        (gradient,) = torch.autograd.grad(score, x)
        pictures.append(x.detach())
        scores.append(score.item())
        x = (x + rate * gradient / gradient.square().mean().sqrt()).detach().clamp(-1, 1)
    handle.remove()
    return pictures, scores


climbs = {layer: my_visualization(model, lab.layers[layer], k) for layer, k in ((shallow, 30), (deep, 0))}
for layer, (_, scores) in climbs.items():
    print(f"{layer}: score {scores[0]:.2f} at the start, {scores[-1]:.2f} after 40 steps")

# %% tags=["hide-input"]
frames = (0, 3, 10, 40)
figure, axes = plots.grid(2, 5, ratio=1.12)
for row, (layer, (pictures, scores)) in zip(axes, climbs.items(), strict=True):
    part = slice(56, 72) if layer == shallow else slice(None)
    for ax, step in zip(row, frames, strict=False):
        ax.imshow(lab.to_images(pictures[step])[0][part, part])
        ax.set_title(f"step {step}", fontsize=10)
    row[0].set_ylabel(f"{layer}" + (", 16×16 pixels" if layer == shallow else ""), fontsize=10)
    row[4].set_axis_on()
    row[4].plot(scores)
    row[4].set(title="score s(x) by step", xticks=[0, 20, 40])
    row[4].spines[["left", "bottom"]].set_visible(True)
plots.show(
    "Two ascents: a checked pattern grows in conv1's picture, rows of small humps under pixel noise in conv5's; both scores climb."
)

# %% [markdown]
# Can you say what filter 0 of conv5 is for? Both pictures are full of patterns about as small as a pixel: *grain*. A picture is a sum of waves; `fine_share` gives the share of its variance in waves shorter than four pixels. The last two lines are gradients at real scenes, for the trained network and for one with random weights:

# %%
scenes = lab.inputs[:20]
for name, pictures in {
    "pure noise, the start": climbs[deep][0][0],
    f"{shallow}, after 40 steps": climbs[shallow][0][-1],
    f"{deep}, after 40 steps": climbs[deep][0][-1],
    "real scenes": lab.inputs,
    f"gradient of {deep}, trained": lesson.slopes_at(model, scenes, deep, 0),
    f"gradient of {deep}, random weights": lesson.slopes_at(lesson.with_random_weights(lab), scenes, deep, 0),
}.items():
    print(f"share of fine grain, {name}: {fine_share(pictures).mean():.2f}")

# %% [markdown]
# Both pictures hold far more grain than real scenes do. So does the gradient, and an ascent adds up gradients. With random weights the gradient is as grainy as pure noise. Training has removed about half of the grain, and a likely reason why the rest stays: real scenes hold little grain, so an answer to it costs hardly anything in training.
# **The ascent worked, and you have learnt little about the deep filter.** Most of the rest of this lesson is about that.

# %% [markdown]
# ## 4 · The proof
#
# Three checks before we trust the tools: the maps against captum; the gradient of one place of a map against captum's `NeuronGradient`, since an ascent follows such gradients; and one case where the answer is known. A neuron of the *first* layer computes $w \cdot x + b$ with its kernel $w$. With $R(x) = \lambda \, \text{mean}(x^2)$ its best picture is
# proportional to $w$: **the picture that a first-layer neuron likes best is its own kernel** (Erhan and others, 2009).

# %%
from captum.attr import LayerActivation, NeuronGradient

batch, place = lab.inputs[:4], (8, 8)
captum_maps = LayerActivation(model, lab.layers[deep]).attribute(batch)[:, 3].detach()
leaf = batch[:1].clone().requires_grad_()
(slope,) = torch.autograd.grad(create_feature_extractor(model, [deep])(leaf)[deep][0, 3, *place], leaf)
captum_slope = NeuronGradient(model, lab.layers[deep]).attribute(
    batch[:1].clone().requires_grad_(), (3, *place)
)

kernel, tiny = model.conv1.weight[30].detach(), (3, 23, 23)  # a small picture is enough
weight = float(kernel.abs().max()) * 3 * 23 * 23  # λ: R is a mean over so many squares
start = {"shape": tiny, "start": torch.zeros(1, *tiny), "n_steps": 300, "learning_rate": 0.01}
liked = activation_maximization(model, "conv1", 30, position=(6, 6), l2=weight, **start)
patch = liked[0, :, 9:16, 9:16]  # the 7 × 7 pixels that the neuron (6, 6) sees

# %% tags=["nbval-check-output"]
as_unit = [F.normalize(values.flatten(), dim=0) for values in (patch, kernel)]
judge.agreement_table(
    [
        ("captum LayerActivation", filter_activation(model, batch, deep, 3), captum_maps, "before the ReLU"),
        ("captum NeuronGradient", slope, captum_slope.detach(), "one place of the map"),
        ("the kernel of conv1", *as_unit, "x* is proportional to w; both scaled to length 1"),
    ]
)

# %% [markdown]
# For the first layer we can read the kernel itself, and need no visualization. A later layer has no kernel in pixels. That is what the ascent is for.

# %% [markdown]
# ## 5 · A published ascent
#
# ### Exercise: find the bug
#
# This code was published in a course and copied into others. The text beside it says: "We start from noise and maximise the filter." Make the code do what the text says, with pixels in −1 … 1.
# Make the noise with `0.05 * torch.randn(photograph.shape, generator=torch.Generator().manual_seed(0))`.


# %% exercise="climb_from_noise"
def climb_from_noise(photograph, gradient_of, n_steps):
    """The picture after n_steps steps of gradient ascent; gradient_of(x) is the slope of the score at x."""
    # BEGIN STUB
    # x = photograph.clone()
    # for _ in range(n_steps):
    #     x = x + 0.1 * gradient_of(x)
    # return x
    # END STUB
    # BEGIN SOLUTION
    x = 0.05 * torch.randn(photograph.shape, generator=torch.Generator().manual_seed(0))
    for _ in range(n_steps):
        x = (x + 0.1 * gradient_of(x)).clamp(-1, 1)
    return x
    # END SOLUTION


# %%
exercises.climb_from_noise.check(climb_from_noise)

# %% [markdown]
# ## 6 · What helps against grain
#
# We have to tell the ascent that we do not want grain. One remedy at a time, for filter 60 of conv5:
#
# | remedy | what it does | who |
# |---|---|---|
# | $R = \lambda\,\text{mean}(x^2)$ or $\lambda\,\text{mean}\lvert x\rvert$ | pulls each pixel to grey (L2 decay, L1 decay) | Simonyan 2014 (L2) |
# | $R = \lambda\,\text{TV}(x)$ | charges for differences between neighbours (*total variation*) | Mahendran 2015 |
# | blur | smooths the picture after every fourth step | Yosinski 2015 |
# | jitter, scale, rotate | moves the picture before each look, so that single pixels cannot matter | Mordvintsev 2015 (jitter) |
# | Fourier | climbs the *amplitudes* of waves, how strong each wave is, instead of pixels; long waves more | Olah 2017 |

# %%
moves = {"jitter": 6, "scale": 0.1, "rotate": 8.0}
fourier = {"parametrization": "fourier", "learning_rate": 0.12}
remedies = {
    "plain": {},
    "L2": {"l2": 20.0},
    "L1": {"l1": 8.0},
    "total variation": {"total_variation": 10.0},
    "blur": {"blur": 0.8},
    "jitter, scale, rotate": moves,
    "Fourier": fourier,
    "Fourier and moves": fourier | moves,
}

# %%
pictures = {
    name: activation_maximization(model, deep, 60, n_steps=32, **how) for name, how in remedies.items()
}
grain = {name: fine_share(x).item() for name, x in pictures.items()}
liking = {name: filter_activation(model, x, deep, 60).mean().item() for name, x in pictures.items()}
print(f"share of fine grain in real scenes: {fine_share(lab.inputs).mean():.2f}")

# %% tags=["hide-input"]
plots.show_images(
    [lab.to_images(x)[0] for x in pictures.values()],
    [f"{name}\nscore {liking[name]:.1f}, grain {grain[name]:.2f}" for name in pictures],
    columns=4,
    width=9,
)
plots.show(
    "; ".join(f"{name}: score {liking[name]:.1f}, share of grain {grain[name]:.2f}" for name in pictures)
)

# %% [markdown]
# L1 and L2 only fade the picture: their share of grain stays near that of the plain one. Total variation, moves and Fourier bring it nearer to the scenes' share, and blur goes below it. The score does not tell you which picture you can read: plain and Fourier have nearly the same. And **each remedy is a choice of ours**. Part of what you see comes from what we assume, not from the filter: section 9 shows which part, with random weights.
#
# ### Exercise: total variation
#
# The mean absolute difference between each pixel and the one below, plus the mean absolute difference between each pixel and the one to its right. One number for each picture.


# %% exercise="total_variation"
def total_variation(x):
    """The total variation (N,) of pictures (N, C, H, W)."""
    # BEGIN SOLUTION
    down = (x[:, :, 1:] - x[:, :, :-1]).abs().mean(dim=(1, 2, 3))
    across = (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().mean(dim=(1, 2, 3))
    return down + across
    # END SOLUTION


# %%
exercises.total_variation.check(total_variation)

# %% [markdown]
# ## 7 · The score: can somebody else read it?
#
# Perhaps part of the grain comes from the network itself: it may rely on tiny patterns that people do not see. So change the network (Engstrom and others, 2019). The *robust twin* was trained further on *adversarial examples*: scenes that were changed, by less than you would notice, so that the network errs.
#
# Ask both networks for each of their ten classes, with a *plain* ascent and with a *careful* one (Fourier, jitter, scale, rotation). Then ask an **outsider** what it sees: a network of another architecture that had no part in making the pictures.

# %%
twin, outsider = load_lab("scenes", model="zfnet_robust"), load_lab("scenes", model="resnet")
slopes = lesson.slopes_at(twin.model, lab.inputs[:20], deep, 0)
print(f"share of grain in the robust twin's gradient at scenes: {fine_share(slopes).mean():.2f}")
classes = list(range(len(lab.class_names)))
careful = CAREFUL | {"n_steps": 20}
made_for = {
    "plain": class_maximization(lab.model, classes, n_steps=20, progress=True),
    "careful": class_maximization(lab.model, classes, **careful, progress=True),
    "robust": class_maximization(twin.model, classes, n_steps=20, progress=True),
    "robust, careful": class_maximization(twin.model, classes, **careful, progress=True),
}

# %%
own_answer, read = {}, {}
for name, x in made_for.items():
    maker = twin.model if name.startswith("robust") else lab.model
    with torch.no_grad():
        own_answer[name] = maker(x).softmax(dim=1)[classes, classes].mean().item()
        read[name] = outsider.model(x).softmax(dim=1)[classes, classes].cpu()
print("mean probability by the network itself:", {name: round(p, 2) for name, p in own_answer.items()})

# %% [markdown]
# Each network is certain of nearly all of its own pictures, so its own answer cannot compare them.

# %% tags=["hide-input", "thumbnail"]
figure, axes = plots.grid(4, 6, width=9, ratio=1.05)
for row, (name, x) in zip(axes, made_for.items(), strict=True):
    for c, ax in zip([*classes[::2], 9], row, strict=True):
        ax.imshow(lab.to_images(x[c : c + 1])[0])
        if name == "plain":
            ax.set_title(lab.class_names[c], fontsize=10)
    row[0].set_ylabel(name, fontsize=10)
plots.show(
    "Four rows of pictures for six classes: plain is grain, careful has coloured shapes; the robust twin's shapes stand more apart."
)

# %% [markdown]
# ### Exercise: predict, then run
#
# Which row can the outsider read best, as the mean probability of the asked-for class: `"plain"`, `"careful"`, `"robust"` or `"robust, careful"`? Write your answer before you run the cell below the check's cell.

# %% exercise="read_best"
answer = None
# BEGIN SOLUTION
answer = "robust, careful"
# END SOLUTION

# %%
exercises.read_best.check(answer, read)

# %%
print("the outsider's mean probability:", {name: round(p.mean().item(), 2) for name, p in read.items()})
print("careful minus plain:              ", judge.paired(read["careful"], read["plain"]))
print("robust minus plain:               ", judge.paired(read["robust"], read["plain"]))
print("robust, careful minus plain:      ", judge.paired(read["robust, careful"], read["plain"]))

# %% tags=["hide-input"]
plots.score_plot(
    read, sort=False, xlabel="probability of the asked-for class by the outsider, mean of ten classes"
)
plots.show(", ".join(f"{name} {p.mean():.2f}" for name, p in read.items()))

# %% [markdown]
# A picture that only its own network can read shows a quirk of that network. Robust training and the careful method together make pictures that another network reads much better. Which of the two helps more, these ten pictures cannot tell: it changes with the start of the ascent. (The intervals resample classes only.)

# %% [markdown]
# ## 8 · An explanation, or the generator's opinion?
#
# Back to the digit reader. Search only among pictures that look like digits (Nguyen and others, 2016): take a *generator* $G$ that was trained to draw digits from a short list of numbers, the *code* $z$, and climb in $z$:
#
# $$z^* = \arg\max_z \; \log p_c\big(G(z)\big) - \tfrac{\lambda}{2}\lvert z\rvert^2, \qquad X^* = G(z^*)$$
#
# $p_c$ is the reader's probability of class $c$, and the last term says which codes are usual. Our $G$ is the drawing half of a small *variational autoencoder*, a pair of networks that learnt to squeeze a digit into 12 numbers and to draw it again. `dream` climbs from six starts for each digit and keeps the best by the score. The **control**: the same ascent for a reader with *random weights*, which knows nothing about digits. (Its last layer is made 200 times larger, so that it is not undecided about everything.) **Predict**: what will its pictures look like?

# %%
vae, second = load_lab("digits", model="vae").model, load_lab("digits", model="second").model
dreams = {
    "reader": lesson.dream(reader, vae.decode)[0],
    "random\nweights": lesson.dream(lesson.random_reader(reader), vae.decode)[0],
}
print("a second reader, trained on other drawings, sees the asked-for digit in")
for name, x in dreams.items():
    hits = int((second(x).argmax(dim=1) == torch.arange(10)).sum())
    print(f"{hits:3} of 10 pictures G(z*): {' '.join(name.split())}")

# %% tags=["hide-input"]
lesson.show_digits(
    digits,
    dreams,
    "Two rows of ten pictures. G(z*) of the reader: ten digits. G(z*) of random weights: strokes of digits too, mostly not the "
    "asked-for ones.",
)

# %% [markdown]
# The network with random weights has never seen a digit, and its pictures have the strokes of digits as well. Whether one of them is the *asked-for* digit is luck. **That a digit appears is the generator's doing. Which digit appears is the network's.** If you show $G(z^*)$ as "what the network has learnt", say so. ([09b](09b_filter_names.ipynb) asks how to measure that a picture is a digit.)

# %% [markdown]
# ## 9 · The real thing
#
# EfficientNet-Lite0, trained on ImageNet: what four filters like best, from shallow to deep, and two classes. The control is the same careful ascent on the *same architecture with random weights*. (Its batch norms are measured on the photographs again. Without that, its signal fades to almost nothing on the way through the layers.) **Predict**: what will the control's pictures look like?

# %%
photos = load_lab("photos")
# a filter of each of the stages 2, 3, 5 and 6
four = (("blocks.1", 4), ("blocks.2", 8), ("blocks.4", 5), ("blocks.5", 3))
two = [photos.class_names.index(name) for name in ("daisy", "Egyptian cat")]
how = CAREFUL | lesson.picture_options(photos) | {"learning_rate": 0.08}
best = {}
for name, network in {"trained": photos.model, "random weights": lesson.with_random_weights(photos)}.items():
    of_filters = [activation_maximization(network, layer, k, **how) for layer, k in four]
    best[name] = torch.cat([*of_filters, class_maximization(network, two, **how, progress=True)])
plain = activation_maximization(network, *four[0], n_steps=24, **lesson.picture_options(photos))

# %% tags=["hide-input"]
for name, x in best.items():
    print(f"{name}: share of grain {fine_share(x).min():.2f} to {fine_share(x).max():.2f}")
print(f"random weights, plain ascent ({four[0][0]}): share of grain {fine_share(plain)[0]:.2f}")
with torch.no_grad():
    sure = photos.model(best["trained"][4:]).softmax(dim=1)[[0, 1], two]
print("the trained network's probability of its own pictures: daisy {:.2f}, cat {:.2f}".format(*sure))

# %% tags=["hide-input"]
titles = [f"{layer}, filter {k}" for layer, k in four] + ["daisy", "Egyptian cat"]
figure, axes = plots.grid(2, 6, ratio=1.1)
for row, (name, x) in zip(axes, best.items(), strict=True):
    row[0].set_ylabel(name, fontsize=10)
    for ax, picture, title in zip(row, photos.to_images(x), titles, strict=True):
        ax.imshow(picture)
        if name == "trained":
            ax.set_title(title, fontsize=9)
plots.show(
    "Above, the trained network: scales, stripes and curls, and pictures for two classes. Below, random weights: six clouds of coloured specks."
)

# %% [markdown]
# The scales, stripes and curls above were learnt: the control has none of them, and its pictures look alike. The colours and the small share of grain were not: the control has both. The careful ascent keeps the grain away: a plain one on the same random weights is full of it (printed). What would you have called the last two pictures without their titles? The network is certain of both (printed).
#
# ### Your turn
#
# Change the path, the model's name, the layer or the filter; the cell shows where the filter reacts in your pictures, and what it likes best. `path=None` takes the course's photographs.

# %%
mine = load_lab("photos", path=None, model="efficientnet_lite0")
stage, k = list(mine.layers)[-3], 0
heat = filter_activation(mine.model, mine.inputs[:4], mine.layers[stage], k)
options = CAREFUL | lesson.picture_options(mine) | {"learning_rate": 0.08}
likes = activation_maximization(mine.model, mine.layers[stage], k, **options, progress=True)

# %% tags=["hide-input"]
panels = [plots.overlay(image, h.clamp(min=0)) for image, h in zip(mine.images[:4], heat, strict=True)]
plots.show_images(
    [mine.to_images(likes)[0], *panels], [f"{stage}, filter {k}", *["reacts here"] * len(panels)], columns=5
)
plots.show(f"What filter {k} of {stage} likes best, and where it reacts in up to four pictures.")

# %% [markdown]
# ## 10 · Where it breaks: a filter that is asleep
#
# Ask for a filter *after* its ReLU, and there may be no gradient: where the output is zero, the derivative is zero as well, and the picture does not move. That is why this lesson asks the convolutions.

# %%
with torch.no_grad():
    on_grey = create_feature_extractor(model, ["relu5"])(torch.zeros(1, 3, 128, 128))["relu5"][0]
asleep = (on_grey.amax(dim=(1, 2)) == 0).nonzero().flatten().tolist()
grey = torch.zeros(len(asleep), 3, 128, 128)
still = activation_maximization(model, "relu5", asleep, n_steps=1, start=grey)
print(f"{len(asleep)} of {len(on_grey)} filters of relu5 are zero everywhere on a grey picture")
print(f"largest change of a pixel when they try to climb from there: {still.abs().max():.0f}")

# %% [markdown]
# ## 11 · Play
#
# Choose a network, a layer, a filter, and how many steps to climb. Tab moves between the controls, the arrow keys change a value. Try few steps first: what comes first, colour or shape? (Sections 6 and 7 have the still pictures.)

# %% tags=["hide-input"]
networks = {"ordinary": lab, "robust twin": twin}


def draw(network, layer, filter_number, steps, way):
    source = networks[network]
    k = min(filter_number, source.layers[layer].out_channels - 1)
    options = {} if way == "plain" else {key: value for key, value in CAREFUL.items() if key != "n_steps"}
    picture = activation_maximization(source.model, layer, k, n_steps=steps, progress=True, **options)
    heat = filter_activation(source.model, source.inputs, layer, k)
    top = heat.amax(dim=(1, 2)).argsort(descending=True)[:3].tolist()
    panels = [plots.overlay(source.images[i], heat[i].clamp(min=0)) for i in top]
    titles = [f"{layer}, filter {k}", *["reacts most to"] * 3]
    plots.show_images([source.to_images(picture)[0], *panels], titles, columns=4, width=9)
    plots.show(f"What filter {k} of {layer} likes best, and the three scenes to which it reacts most.")


widgets.explore(
    draw,
    network=widgets.choice("network", list(networks)),
    layer=widgets.choice("layer", list(lab.layers), deep),
    filter_number=widgets.slider("filter", 0, 95, 60),
    steps=widgets.slider("steps", 1, 64, 8),
    way=widgets.choice("ascent", ["plain", "careful"], "careful"),
)

# %% [markdown]
# One setting as a still picture, for the robust twin:

# %% tags=["hide-input"]
draw("robust twin", deep, 60, 8, "careful")

# %% [markdown]
# ## 12 · Recap
#
# - Filter activation: what a filter sees in a picture. Filter visualization: the picture it likes best, by gradient ascent from noise.
# - Plain ascent raises the score with grain. Each remedy makes pictures easier to read by an assumption of ours.
# - A network that is certain is no evidence. Ask an outsider of another architecture, and run the method on a network with random weights.
# - $G(z^*)$ looks like a digit because $G$ draws digits.
# - More in [09b](09b_filter_names.ipynb): names for filters and what they are worth, what to maximise, digits counted, and three more traps.
#
# <details><summary>The paper in ten questions</summary>
#
# C. Olah, A. Mordvintsev, L. Schubert: *Feature Visualization* (Distill, 2017).
#
# 1. **Which problem?** Show what neurons, channels and classes of a trained network look for.
# 2. **Is it new?** The ascent is from 2009 (Erhan and others), and most remedies had been found before. New are the Fourier parametrisation with decorrelated colours and the diversity term.
# 3. **Which hypothesis?** Optimization separates what causes a neuron's behaviour from what merely goes along with it.
# 4. **Related work?** Simonyan (2014), Mahendran (2015), Yosinski (2015), Nguyen (2016), DeepDream (2015).
# 5. **The key idea?** Choose the space to climb in, so that the easy direction is a natural one.
# 6. **Which experiments?** Pictures of GoogLeNet's channels, one remedy at a time, as in section 6.
# 7. **Data and code?** ImageNet; code and notebooks are public.
# 8. **Do the results support it?** The pictures are clear. Whether they help people predict what a neuron does was tested later, and natural examples helped as much or more (Borowski and others, 2021; Zimmermann and others, 2021).
# 9. **What did it contribute?** The standard tools, and a style of publishing in which the reader can play.
# 10. **What next?** Circuits between features, and features that are not single neurons (Olah and others, 2020).
#
# </details>
#
# **References**
# - [Erhan and others, 2009](https://www.researchgate.net/publication/265022827_Visualizing_Higher-Layer_Features_of_a_Deep_Network) · [Simonyan and others, 2014](https://arxiv.org/abs/1312.6034) · [Mahendran and Vedaldi, 2015](https://arxiv.org/abs/1412.0035) · [Yosinski and others, 2015](https://arxiv.org/abs/1506.06579) · [Mordvintsev and others, 2015](https://research.google/blog/inceptionism-going-deeper-into-neural-networks/)
# - [Nguyen and others, 2016](https://arxiv.org/abs/1605.09304) · [Olah and others, 2017: Feature visualization](https://doi.org/10.23915/distill.00007) · [Engstrom and others, 2019](https://arxiv.org/abs/1906.00945)
# - [Borowski and others, 2021](https://arxiv.org/abs/2010.12606) · [Zimmermann and others, 2021](https://arxiv.org/abs/2106.12447) · [Olah and others, 2020](https://doi.org/10.23915/distill.00024.001)
