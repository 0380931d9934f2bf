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
# **The question.** A filter in the middle of a network reacts to something. To what? And what would a picture look like that it cannot resist?
#
# **After this lesson you can**
# - show what a filter sees in a picture, and make the picture that it likes best, by gradient ascent from noise;
# - say why plain ascent gives noise, and what each of the usual remedies does about it;
# - give a filter a name, with a score that shows how much the name is worth;
# - tell when a beautiful picture shows the network, and when it shows the method that made it.
#
# **Time**: about 80 minutes. **Before**: you can read a PyTorch module and know what a gradient is. Lesson 02 (deconvnet) asks the same question with real pictures.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import judge
from course_utils.labs import LabUnavailable, load_lab
from course_utils.labs.digits import training_digits
from course_utils.labs.scenes import render
from course_utils.methods.filters import (
    activation_maximization,
    class_maximization,
    filter_activation,
)
from course_utils.teach import plots, widgets
from course_utils.exercises import l09_filter_visualization as exercises

plt.rcParams["figure.dpi"] = 78  # grain makes large files

# %% [markdown]
# ## 1 · A puzzle: which of these is a 3?
#
# A network reads digits. It was trained on drawings in many fonts. For each picture it gives every digit a *score*: a number before the softmax, also called *logit*. Here are four pictures. Which has the highest score for a 3? Decide before you go on.

# %%
digits = load_lab("digits")
reader = digits.model
grey = {"shape": (1, 28, 28), "value_range": (0.0, 1.0)}  # one channel, 0 is paper and 1 is ink

noise_that_is_a_3 = class_maximization(reader, 3, n_steps=60, **grey)
right = torch.from_numpy(digits.predict(digits.images).argmax(axis=1)) == digits.targets
real_threes = digits.inputs[(digits.targets == 3) & right][:3]
puzzle = torch.cat([real_threes, noise_that_is_a_3])
with torch.no_grad():
    puzzle_scores = reader(puzzle)
plots.show_images(list(255 - digits.to_images(puzzle)), list("ABCD"), columns=4, width=8)
plt.show()

# %% [markdown]
# Three drawings of a 3, and a tangle of black and white. Now the network's answer.

# %%
for letter, scores_of_one in zip("ABCD", puzzle_scores, strict=True):
    probability = scores_of_one.softmax(0)[3]
    print(f"{letter}: score of a 3 {scores_of_one[3]:5.1f}, probability of a 3 {probability:.3f}")

# %% [markdown]
# D has the highest score by far. It was made by asking: *which picture has the highest score for a 3?* So this is the network's own answer to "show me a 3", and it is not a 3.
#
# Keep both halves of that in mind. Pictures like this are called *visualizations*, and some of them are stunning. But a picture that a network likes best need not be a picture of what the network is for.

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
# Here $s(x)$ is the score of the filter, its mean activation, and $R(x)$ is a *regulariser*: a penalty for pictures that we do not want to see. Without one, $R(x) = 0$.
#
# Nobody can solve this by a formula, but we can climb. The network is differentiable with respect to its *input* just as well as to its weights:
#
# $$x \leftarrow x + \eta \, \frac{\partial}{\partial x} \big( s(x) - R(x) \big)$$
#
# with a step size $\eta$. It is the training loop turned inside out: the weights stand still, and the picture learns.
#
# ### Question 1: filter activation
#
# The network is the ZF-Net of lesson 02. Below are four filters of a shallow and of a deep layer on one scene: the strongest, and three strong ones with other maps. Red: the filter reacts. Blue: the opposite of what it looks for.

# %%
from torchvision.models.feature_extraction import create_feature_extractor

lab = load_lab("scenes", model="zfnet")
model, size = lab.model, lab.images.shape[1]
shallow, deep = "conv1", "conv5"

scene = int(torch.nonzero(lab.targets == lab.class_names.index("car"))[1])
at_all_filters = create_feature_extractor(model, [shallow, deep])
with torch.no_grad():
    maps_of_scene = at_all_filters(lab.inputs[[scene]])
figure, axes = plots.grid(2, 5, ratio=1.1)
for row, layer in zip(axes, (shallow, deep), strict=True):
    row[0].imshow(lab.images[scene])
    row[0].set_title("the scene", fontsize=10)
    strong = maps_of_scene[layer][0].amax(dim=(1, 2)).argsort(descending=True)[:24]
    alike = torch.corrcoef(maps_of_scene[layer][0][strong].flatten(1)).abs()
    different = [0]  # the strongest, then each time the one least like those before it
    while len(different) < 4:
        different.append(int(alike[different].amax(dim=0).argmin()))
    for ax, k in zip(row[1:], strong[different].tolist(), strict=True):
        heat = filter_activation(model, lab.inputs[[scene]], layer, k)[0]
        plots.show_heat(ax, heat, signed=True, title=f"{layer}, filter {k} ({heat.shape[0]}×{heat.shape[1]})")
plt.show()

# %% [markdown]
# Shallow filters follow edges and colours all over the scene. Deep ones react in few places. To say *what* they react to, one scene is not enough. We come back to it in section 5.

# %% [markdown]
# ## 3 · By hand: climb from noise
#
# Fifteen lines, with $R(x) = 0$. The picture starts as faint noise around grey. Each step takes the gradient at the pixels and divides it by its root mean square. So a typical pixel moves by $\eta$ (`rate`) in each step, in every layer.
# Then it cuts the pixels off at −1 and 1, black and white for this network. Otherwise they would grow to values that no picture has.


# %%
def my_visualization(model, layer, channel, n_steps=40, rate=0.03, frames=()):
    """The picture that a filter likes best, its score in each step, and the pictures at some steps."""
    kept = []
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    x = 0.05 * torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    scores, shown = [], []
    for step in range(n_steps + 1):
        x.requires_grad_()
        kept.clear()
        model(x)
        score = kept[0][0, channel].mean()  # s(x)
        (gradient,) = torch.autograd.grad(score, x)
        scores.append(score.item())
        shown += [x.detach()] if step in frames else []
        x = (x + rate * gradient / gradient.square().mean().sqrt()).detach().clamp(-1, 1)
    handle.remove()
    return x, scores, shown


clear = 30  # a shallow filter whose kernel shows a clear edge, see section 4
frames = (0, 3, 10, 40)
climbed = {}
figure, axes = plots.grid(2, 5, ratio=1.12)
for row, (layer, k) in zip(axes, ((shallow, clear), (deep, 0)), strict=True):
    climbed[layer], scores, shown = my_visualization(model, lab.layers[layer], k, frames=frames)
    for ax, step, picture in zip(row, frames, shown, strict=False):
        part = slice(56, 72) if layer == shallow else slice(None)
        ax.imshow(lab.to_images(picture)[0][part, part])
        ax.set_title(f"step {step}" + (", 16×16 pixels" if layer == shallow else ""), fontsize=9)
    row[0].set_ylabel(f"{layer}, filter {k}", fontsize=9)
    row[4].set_axis_on()
    row[4].plot(scores)
    row[4].set(xlabel="step", title="score s(x)", xticks=[0, 20, 40])
    row[4].yaxis.set_major_locator(plt.MaxNLocator(4))
    row[4].tick_params(labelsize=8)
    row[4].spines[["left", "bottom"]].set_visible(True)
plt.show()

# %% [markdown]
# Four moments of each ascent, and the score on the right. The shallow filter's picture is enlarged: you see its middle, 16×16 pixels. The score climbs steeply in both. How much of the two pictures is *grain*? A picture is a sum of waves. Here is the share of its variance in waves shorter than four pixels.


# %%
def fine_share(pictures):
    """Share of a picture's variance in waves shorter than four pixels."""
    power = torch.fft.fft2(pictures - pictures.mean(dim=(2, 3), keepdim=True)).abs().square().sum(dim=1)
    frequency = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.fftfreq(size)[None])
    return (power[:, frequency > 0.25].sum(dim=1) / power.sum(dim=(1, 2))).cpu()


for layer, picture in climbed.items():
    print(f"{layer}: share of fine grain after 40 steps {fine_share(picture).item():.2f}")
print(f"real scenes: {fine_share(lab.inputs).mean():.2f}")
leaf = lab.inputs[:20].clone().requires_grad_()
score = create_feature_extractor(model, [deep])(leaf)[deep][:, 0].mean(dim=(1, 2)).sum()  # of each scene
(slopes,) = torch.autograd.grad(score, leaf)
print(f"the gradient of {deep}'s filter 0 at real scenes: {fine_share(slopes).mean():.2f}")

# %% [markdown]
# Both pictures hold far more grain than real scenes do, and so does the gradient itself, even at real scenes. The shallow one is a chequer that repeats every two pixels. That comes from the question: the score is a mean over all places, and the places of conv1 are two pixels apart.
# The deep filter's picture shows rows of small humps under its grain. **The ascent worked, and you have learnt little.** Most of the rest of this lesson is about that.

# %% [markdown]
# ## 4 · The proof
#
# Four checks before we trust the tools:
# - the maps against captum and against torchvision's feature extractor;
# - the gradient of one place of a map, on a real scene, against captum's `NeuronGradient`. An ascent follows such gradients;
# - one case where the answer is known. A neuron of the *first* layer computes $w \cdot x + b$ with its kernel $w$. With $R(x) = \lambda \, \text{mean}(x^2)$ the best picture is
#   $x^* \propto w$: **the picture that a first-layer neuron likes best is its own kernel** (Erhan and others, 2009). In the last row of the table, both are scaled to length 1.

# %%
from captum.attr import LayerActivation, NeuronGradient

batch, k = lab.inputs[:4], 3
ours = filter_activation(model, batch, deep, k)
captum_maps = LayerActivation(model, lab.layers[deep]).attribute(batch)[:, k].detach()
extractor = create_feature_extractor(model, [deep])
with torch.no_grad():
    torchvision_maps = extractor(batch)[deep][:, k]

place = (8, 8)
captum_gradient = (
    NeuronGradient(model, lab.layers[deep])
    .attribute(batch[:1].clone().requires_grad_(), neuron_selector=(k, *place))
    .detach()
)
leaf = batch[:1].clone().requires_grad_()
(gradient_by_hand,) = torch.autograd.grad(extractor(leaf)[deep][0, k, *place], leaf)

kernel = model.conv1.weight[clear].detach()
tiny = (3, 23, 23)  # the neuron (6, 6) of conv1 sees the pixels 9 … 15
n_values = (
    3 * 23 * 23
)  # R takes the mean of so many squares, which divides by their number: λ makes up for it
liked = activation_maximization(
    model,
    "conv1",
    clear,
    position=(6, 6),
    shape=tiny,
    start=torch.zeros(1, *tiny),
    l2=float(kernel.abs().max()) * n_values,  # the best picture is at most half as bright as allowed
    n_steps=300,
    learning_rate=0.01,
)
patch = liked[0, :, 9:16, 9:16]
inside = patch.norm() / liked.norm()

# %%
# NBVAL_CHECK_OUTPUT
judge.agreement_table(
    [
        ("captum LayerActivation", ours, captum_maps, "the layer's output, before the ReLU"),
        ("torchvision extractor", ours, torchvision_maps, "the same"),
        ("captum NeuronGradient", gradient_by_hand, captum_gradient, "the gradient of one place of the map"),
        (
            "the kernel of conv1",
            F.normalize(patch.flatten(), dim=0),
            F.normalize(kernel.flatten(), dim=0),
            "x* is proportional to w",
        ),
    ]
)

# %%
scaled = [p / p.abs().max() / 2 + 0.5 for p in (kernel, patch)]
plots.show_images(
    [np.uint8(255 * p.permute(1, 2, 0)) for p in scaled],
    ["kernel of the filter", "best picture of one neuron"],
    width=4.5,
)
plt.show()
print(f"share of the picture's size inside the 7×7 patch that the neuron sees: {inside:.3f}")

# %% [markdown]
# Left the weights, right the picture that one neuron likes best: blue above, yellow and green below. For the first layer we can read the kernel itself, so a visualization is not needed. (Many kernels of this small network look like noise. This is one of the clear ones.) For every later layer there is no kernel in pixels to read. That is what the ascent is for.

# %% [markdown]
# ## 5 · What does it mean? Give the filter a name
#
# A visualization is a picture, and pictures want to be interpreted. Here is a way to be held to account (*Network Dissection*, Bau and others, 2017). Our scenes come with *part masks*: each pixel knows
# whether it shows a wheel, a wing, a cap. So:
#
# 1. run the filter on many scenes, and enlarge its maps to the size of the scenes;
# 2. keep the strongest one percent of all places, with *one* threshold for all scenes together;
# 3. measure the overlap with each part: $\text{IoU} = \dfrac{|\text{kept} \cap \text{part}|}{|\text{kept} \cup \text{part}|}$ (*intersection over union*), again over all scenes.
#
# The part with the largest IoU is the filter's name, and the IoU says how well the name fits. One half of the work is to know what *chance* gives: the same filters with the masks of *other* scenes.

# %%
survey = render("scenes", n=160, seed=77)  # scenes for naming; the stored ones stay for the test
part_names = list(lab.part_names)
part_names[part_names.index("foreground")] = "thing in front"
countable = [
    i for i, name in enumerate(part_names) if name not in ("background", "distractor", "thing in front")
]
half = torch.from_numpy(survey.parts[:, ::2, ::2].copy())  # every second pixel is enough
shuffled = half.roll(37, dims=0)  # the masks of other scenes

surveyed = {}
with torch.no_grad():
    inputs = lab.preprocess(survey.images)
    for name in ("conv2", "conv5"):
        extractor = create_feature_extractor(model, [name])
        surveyed[name] = torch.cat([extractor(chunk)[name].cpu() for chunk in inputs.split(60)])
named = {name: judge.part_iou(maps, half, len(part_names))[:, countable] for name, maps in surveyed.items()}
by_chance = judge.part_iou(surveyed[deep], shuffled, len(part_names))[:, countable]

for name, overlap in named.items():
    top = overlap.amax(dim=1)
    print(
        f"{name}: best name's IoU, median of {len(top)} filters {top.median():.3f}, largest {top.max():.3f}"
    )
print(f"{deep} with other scenes' masks: at most {by_chance.max():.3f}")
order = named[deep].amax(dim=1).argsort(descending=True)
chosen = []  # the filters with the best names, one for each name
for candidate in order.tolist():
    part = countable[int(named[deep][candidate].argmax())]
    if part not in [p for _, p in chosen]:
        chosen.append((candidate, part))
chosen = chosen[:4]

# %% [markdown]
# Below is the best-named filter for each of the four best names in the deep layer. Left: the picture made by plain ascent. Then: the five scenes that excite it most, with the place where it reacts (white line: the part that it is named after). Would you have found the name from the left picture?

# %%
wanted = [candidate for candidate, _ in chosen]
plain_pictures = activation_maximization(model, deep, wanted, n_steps=24, progress=True)
figure, axes = plots.grid(4, 6, ratio=1.0)
for row, (candidate, part), picture in zip(axes, chosen, plain_pictures, strict=True):
    maps = surveyed[deep][:, candidate].clamp(min=0)
    row[0].imshow(lab.to_images(picture[None])[0])
    row[0].set_ylabel(f"filter {candidate}", fontsize=10)
    for ax, i in zip(row[1:], maps.amax(dim=(1, 2)).argsort(descending=True)[:5].tolist(), strict=True):
        ax.imshow(plots.overlay(survey.images[i], maps[i], strength=0.6))
        plots.outline(ax, survey.parts[i] == part)
    row[1].set_title(f"“{part_names[part]}”, IoU {named[deep][candidate].max():.2f}", fontsize=10, loc="left")
axes[0, 0].set_title("plain ascent", fontsize=10)
plt.show()

# %% [markdown]
# Does each row deserve its name? Look at all five scenes of each before you read on.
#
# The next cell counts: in scenes of which classes do the strongest percent of a filter's places lie?

# %%
scene_class = torch.as_tensor(survey.targets).long().cpu()
for candidate, part in chosen:
    heat = F.interpolate(surveyed[deep][:, [candidate]], half.shape[1:], mode="bilinear")[:, 0]
    kept = heat >= heat.flatten().topk(round(0.01 * heat.numel())).values[-1]
    share = torch.zeros(len(lab.class_names)).index_add(0, scene_class, kept.sum(dim=(1, 2)).float())
    share /= share.sum()
    where = ", ".join(
        f"{lab.class_names[c]} {share[c]:.2f}" for c in share.argsort(descending=True)[:3].tolist()
    )
    on_part = kept[half == part].sum() / kept.sum()
    print(
        f"filter {candidate}, named {part_names[part]}: {on_part:.2f} of the places on the part; scenes of {where}"
    )

# %% [markdown]
# **A name says which part the strongest places overlap best, and no more.** Of no filter do most of these places lie on the part that it is named after. Filter 61 is called *wing*, and most of its places do lie in scenes of butterflies. But a third lie in scenes of cats, and its five strongest scenes are all cats: no wing far and wide. From five examples you would have called it *cat*.
#
# ### The score: does the name hold on scenes that it was not chosen on?
#
# We picked the best of many names for the best of many filters. Such a choice always looks good on the scenes it was made on. So test it on the stored scenes. Only parts that some filter is named after take part; if several bear the name, the one with the largest IoU. In each scene that shows the part,
# how much of the filter's positive map lies on that part? Beside it: other filters of the same layer, and the maps that know nothing.

# %%
name_of = [countable[i] for i in named[deep].argmax(dim=1).tolist()]
bearer = {}  # for each part the filter that is named after it
for k in named[deep].amax(dim=1).argsort().tolist():  # the best comes last and stays
    bearer[name_of[k]] = k
print(f"{len(bearer)} of {len(countable)} parts have a filter that is named after them")

test_maps = create_feature_extractor(model, [deep])
with torch.no_grad():
    stored = torch.cat([test_maps(chunk)[deep].cpu() for chunk in lab.inputs.split(50)]).clamp(min=0)
pairs = [
    (i, part) for i in range(len(lab.images)) for part in sorted(bearer) if (lab.parts[i] == part).sum() >= 40
]
scenes_of_pairs = torch.tensor([i for i, _ in pairs])
truth = torch.stack([lab.parts[i] == part for i, part in pairs])
rotation = torch.randint(0, stored.shape[1], (len(pairs),), generator=torch.Generator().manual_seed(0))


def enlarged(channels):
    maps = stored[scenes_of_pairs, channels][:, None]
    return F.interpolate(maps, (size, size), mode="bilinear", align_corners=False)[:, 0]


inputs_of_pairs = lab.inputs[scenes_of_pairs].cpu()
naming_scores = {
    "the filter named after the part": judge.energy_in_mask(
        enlarged(torch.tensor([bearer[p] for _, p in pairs])), truth
    ),
    "any filter of the layer": judge.energy_in_mask(enlarged(rotation), truth),
    "edges (Sobel)": judge.energy_in_mask(judge.baselines.sobel(inputs_of_pairs), truth),
    "centre": judge.energy_in_mask(judge.baselines.center(inputs_of_pairs), truth),
    "random": judge.energy_in_mask(judge.baselines.random(inputs_of_pairs), truth),
}
plots.score_plot(
    naming_scores,
    baselines=["any filter of the layer", "edges (Sobel)", "centre", "random"],
    xlabel="share of the map that lies on the part",
    title=f"{len(pairs)} parts in {len(scenes_of_pairs.unique())} stored scenes (bars: 95 % bootstrap interval)",
    xlim=None,
)
plt.show()
medians = {name: round(float(score.median()), 3) for name, score in naming_scores.items()}
print("median instead of mean:", medians)

# %% [markdown]
# Compare *the filter named after the part* with *any filter of the layer*: the gap is what the name is worth. Edges alone, which know no names, come between the two. For a typical part, which is what the median shows, they even beat the filter, and the filter is hardly better than pointing at the centre. (The parts of one scene are not independent of each other, so the bars are a little too short.) The share itself is low for all: parts are small,
# and the map of a deep layer has few places. And the lines printed at the beginning of this section have medians too: half of the filters have a worse name than that. The four that we looked at were the best, not the typical ones.

# %% [markdown]
# ## 6 · Why plain ascent gives noise, and what helps
#
# Section 3 measured it: the gradient is full of high frequencies. (One likely reason: convolutions with strides and max-pooling see single pixels unevenly, and the gradient goes through all of them.) An ascent adds up such gradients: tiny changes that pictures hardly contain, that the network was never trained to ignore, and that
# all raise the score. To see objects we have to tell the ascent that we do not want those. One remedy at a time, for one filter. The course's `activation_maximization` takes its steps with Adam instead of section 3's division by the root mean square; the Fourier ascents take larger steps than those in pixels (0.12 and 0.05), since an amplitude is another unit than a pixel:
#
# | remedy | what it does | who |
# |---|---|---|
# | $R = \lambda\,\text{mean}(x^2)$ or $\lambda\,\text{mean}\lvert x\rvert$ | pulls each pixel to grey (L2 decay, L1 decay) | Simonyan 2014 |
# | $R = \lambda\,\text{TV}(x)$ | charges for differences between neighbours (*total variation*) | Mahendran 2015 |
# | blur | smooths the picture after every fourth step | Yosinski 2015 |
# | jitter, scale, rotate | moves the picture before each look, so that single pixels cannot matter | Mordvintsev 2015 |
# | Fourier | climbs the amplitudes of waves instead of pixels, long waves more, in colours that vary independently in photographs | Olah 2017 |

# %%
subject = chosen[0][0]
remedies = {
    "plain": {},
    "L2": {"l2": 20.0},
    "L1": {"l1": 8.0},
    "total variation": {"total_variation": 10.0},
    "blur": {"blur": 0.8},
    "jitter, scale, rotate": {"jitter": 6, "scale": 0.1, "rotate": 8.0},
    "Fourier": {"parametrization": "fourier", "learning_rate": 0.12},
    "Fourier + moves": {
        "parametrization": "fourier",
        "learning_rate": 0.12,
        "jitter": 6,
        "scale": 0.1,
        "rotate": 8.0,
    },
}
curves, made = {}, {}
for name, options in remedies.items():
    curve = []
    made[name] = activation_maximization(
        model,
        deep,
        subject,
        n_steps=32,
        on_step=lambda step, x, s, curve=curve: curve.append(float(s.mean())),
        **options,
    )
    curves[name] = curve
plots.show_images(
    [lab.to_images(x)[0] for x in made.values()],
    list(made),
    columns=4,
    title=f"{deep}, filter {subject} (“{part_names[chosen[0][1]]}”)",
)
plt.show()


# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
ends = sorted((curve[-1], name) for name, curve in curves.items())
height = -1.0
for (end, name), colour in zip(ends, plots.COLOURS, strict=True):
    left.plot(curves[name], color=colour)
    height = max(end, height + 0.34)  # names must not overlap
    left.plot([32, 34.5], [end, height], color=colour, linewidth=0.7)
    left.text(35, height, name, fontsize=8, va="center", color=colour)
left.set(xlabel="step", ylabel="score of the filter", xticks=range(0, 33, 8), xlim=(0, 53))
left.spines["bottom"].set_bounds(0, 32)
left.set_title("Every ascent climbs", loc="left")
names = [*made, "scenes (for comparison)"]
shares = [fine_share(x).item() for x in made.values()] + [fine_share(lab.inputs).mean().item()]
right.barh(names[::-1], shares[::-1], color=[plots.BASELINE] + [plots.ACCENT] * len(made))
right.set_xlabel("share of fine grain (waves < 4 pixels)")
right.set_title("Not every picture is grain", loc="left")
plt.show()

# %% [markdown]
# Left: the score in each step. Right: the share of grain in each picture, and in real scenes. Read the two together. The plain picture has the highest score and is mostly grain. L1 and L2 only fade the picture: their share of grain stays near that of the plain one. Total variation, moves and Fourier bring it nearer to the scenes'
# share, and blur overshoots. All of them give some score away, or need more steps. None of them adds knowledge about ice cream. Still, **each remedy is a choice of ours**: Fourier pictures have such colours for *any* network (card 4 tries one with random weights). Part of their beauty is the prior, not the filter.
#
# ### How strong should it be?
#
# Every regulariser has a strength. Too weak, and it does nothing; too strong, and there is nothing left to see.


# %%
def likes(pictures):
    """The score that the filter gives each picture."""
    return filter_activation(model, pictures, deep, subject).mean(dim=(1, 2)).tolist()


strengths = (0.0, 3.0, 10.0, 30.0)
ready = {0.0: made["plain"], 10.0: made["total variation"]}
swept = [
    ready[w] if w in ready else activation_maximization(model, deep, subject, n_steps=32, total_variation=w)
    for w in strengths
]
plots.show_images(
    [lab.to_images(x)[0] for x in swept],
    [
        f"weight {w:.0f}: score {likes(x)[0]:.1f}, grain {fine_share(x).item():.2f}"
        for w, x in zip(strengths, swept, strict=True)
    ],
    columns=4,
    title="Total variation, weaker to stronger",
)
plt.show()

# %% [markdown]
# The score falls all the way. The share of grain falls too, and then it rises again at the largest weight. That picture is almost grey: the share is that of the few specks that are left. A share says nothing about how much there is to see.

# %% [markdown]
# ## 7 · What to maximise
#
# So far the score was the mean over the filter's map (*channel*). You can also ask one place of the map (*neuron*), or the score of a class (*class logit*). And a filter may like several different things: then ask for several pictures at
# once and charge for their likeness (*diversity*, Olah and others, 2017).

# %%
good = {
    "parametrization": "fourier",
    "learning_rate": 0.2,
    "jitter": 6,
    "scale": 0.1,
    "rotate": 8.0,
    "n_steps": 24,
}
target = int(lab.targets[scene])
middle = (8, 8)
neuron = {"position": middle}
from_grey = activation_maximization(
    model, deep, subject, **neuron, n_steps=16, start=torch.zeros(1, 3, size, size)
)  # pixel by pixel
charge = 0.5 * curves["Fourier"][-1]  # two pictures can be alike by at most 1: that costs half a good score
alike = activation_maximization(model, deep, subject, n_pictures=2, **good)
diverse = activation_maximization(model, deep, subject, n_pictures=2, diversity=charge, **good)
objectives = {
    "channel (mean of the map)": alike[:1],
    "neuron, Fourier": activation_maximization(model, deep, subject, **neuron, **good),
    "neuron, pixels from grey": from_grey,
    f"class “{lab.class_names[target]}” (logit)": class_maximization(model, target, **good),
}
moved = from_grey[0].abs().amax(dim=0) > 0
rows_moved, columns_moved = (torch.nonzero(moved.any(dim=d)).flatten() for d in (1, 0))
box = [columns_moved[0], rows_moved[0], columns_moved[-1] + 1, rows_moved[-1] + 1]
in_box = torch.zeros(size, size, dtype=torch.bool)
in_box[box[1] : box[3], box[0] : box[2]] = True

figure = plots.show_images(
    [lab.to_images(x)[0] for x in objectives.values()], list(objectives), columns=4, width=10
)
for ax in figure.axes[1:3]:
    plots.draw_box(ax, box)
plt.show()
print(f"the box: {len(columns_moved)}×{len(rows_moved)} of {size}×{size} pixels")
for name in ("neuron, Fourier", "neuron, pixels from grey"):
    distance = objectives[name][0].abs().mean(dim=0)
    print(
        f"{name}: mean distance from grey inside {distance[in_box].mean():.2f}, outside {distance[~in_box].mean():.2f}"
    )

# %% [markdown]
# A neuron sees only a patch of the picture, its *receptive field* (the box). Climbed pixel by pixel from grey, nothing outside the box has moved, not even a little. The Fourier picture changed outside as well, though less: each of its waves runs through the whole picture, and the moves shift the patch about. What you see outside the
# box is the method's doing, not the neuron's wish.
#
# Now two pictures for one filter: without the charge for likeness, and with it.

# %%
plots.show_images(
    list(lab.to_images(torch.cat([alike, diverse]))),
    [f"two starts: score {s:.1f}" for s in likes(alike)]
    + [f"with diversity: score {s:.1f}" for s in likes(diverse)],
    columns=4,
    width=9,
)
plt.show()
print(f"for comparison, an even grey picture: score {likes(torch.zeros(1, 3, size, size))[0]:.1f}")

# %% [markdown]
# Diversity costs: the two pictures differ more, and the filter likes them less, one of them much less. It is another strength to choose: turned up, it makes pictures differ for the sake of differing, and with four times the charge one of the two is liked no better than grey (try it). Differences that come back with other seeds are worth a thought; others are not.

# %% [markdown]
# ## 8 · An ordinary network and its adversarially trained twin
#
# Perhaps part of the grain comes from the network itself: it may *rely* on tiny patterns that people do not see. So change the network (Engstrom and others, 2019). The twin was trained further on *adversarial examples*: scenes that were changed, by less than you would notice, so as to fool
# it. To stay right, it had to rely less on such patterns. Same architecture, same objects.

# %%
twin = load_lab("scenes", model="zfnet_robust")
outsider = load_lab("scenes", model="resnet")  # another architecture, trained on its own
for name, network in (("ordinary", lab), ("robust twin", twin), ("outsider", outsider)):
    accuracy = (network.predict(network.images).argmax(axis=1) == network.targets.numpy()).mean()
    print(f"{name:>12}: accuracy on the stored scenes {accuracy:.2f}")

classes = list(range(len(lab.class_names)))
made_for = {
    "plain": class_maximization(lab.model, classes, n_steps=20, progress=True),
    "careful": class_maximization(lab.model, classes, **good | {"n_steps": 20}, progress=True),
    "robust": class_maximization(twin.model, classes, n_steps=20, progress=True),
    "robust, careful": class_maximization(twin.model, classes, **good | {"n_steps": 20}, progress=True),
}
figure, axes = plots.grid(4, 5, width=8.5, ratio=1.05)
for row, (name, pictures) in zip(axes, made_for.items(), strict=True):
    for c, ax in zip(classes[::2], row, strict=True):  # every second class
        ax.imshow(lab.to_images(pictures[c : c + 1])[0])
        if name == "plain":
            ax.set_title(lab.class_names[c], fontsize=10)
    row[0].set_ylabel(name, fontsize=10)
plt.show()
print("share of fine grain:", {name: round(fine_share(x).mean().item(), 2) for name, x in made_for.items()})

# %% [markdown]
# *Plain* and *robust* are the same plain ascent on the two networks; *careful* means Fourier, jitter, scale and rotation, all with 20 steps (of each kind's own size). You see every second class. The twin's plain row is still grain, only a little less of it. So the network is at most a part of the cause. Which rows can you read? Do not trust your eye alone, since you know what you are looking for. Ask
# somebody who does not: a network of another architecture that had no part in making the pictures.

# %%
read_by_outsider, sure_of_itself = {}, {}
for name, pictures in made_for.items():
    own = (twin if name.startswith("robust") else lab).model
    with torch.no_grad():
        read_by_outsider[name] = outsider.model(pictures).softmax(dim=1)[classes, classes].cpu()
        sure_of_itself[name] = own(pictures).softmax(dim=1)[classes, classes].cpu()
print("smallest probability by the network itself:")
print({name: round(p.min().item(), 2) for name, p in sure_of_itself.items()})

# %% [markdown]
# For the networks themselves, every picture is a complete success. That tells us nothing.
#
# ### Exercise: predict, then run
#
# Two things were changed: the *training* (ordinary or robust) and the *method* (plain or careful). Which of the two changes what the outsider can read more, on average? Write `"training"` or `"method"` before you look at the plot below, and run the check after it. The check computes the answer from *your* run.

# %% exercise="what_helps"
answer = None  # "training" or "method"
# BEGIN SOLUTION
mean = {name: read_by_outsider[name].mean() for name in read_by_outsider}
by_method = mean["careful"] + mean["robust, careful"] - mean["plain"] - mean["robust"]
by_training = mean["robust"] + mean["robust, careful"] - mean["plain"] - mean["careful"]
answer = "method" if by_method > by_training else "training"
# END SOLUTION

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.7))
plots.score_plot(read_by_outsider, sort=False, xlabel="probability by the outsider", ax=left)
differences = {
    "robust − plain": read_by_outsider["robust"] - read_by_outsider["plain"],
    "the same, both careful": read_by_outsider["robust, careful"] - read_by_outsider["careful"],
    "careful − plain": read_by_outsider["careful"] - read_by_outsider["plain"],
    "the same, both robust": read_by_outsider["robust, careful"] - read_by_outsider["robust"],
}
plots.score_plot(differences, sort=False, xlabel="difference, class by class", xlim=(-0.1, 0.8), ax=right)
right.axvline(0, color=plots.INK, linewidth=0.8)
plt.show()

# %%
exercises.what_helps.check(answer, read_by_outsider)

# %% [markdown]
# Left: how sure the outsider is of the class, mean of ten classes. That is the measure to look at: a picture that only its own network can read shows a quirk of that network. Right: the same numbers in pairs, class by class. The first two rows change the *training* and keep the method (plain with robust, careful with robust, careful).
# The last two change the *method* and keep the network. The method, which is ours and not the network's, counts for at least as much as the training. Ten classes give wide intervals; other numbers of steps move them, so change `n_steps` and look again before you quote one.
#
# That *what a network likes best* is a fair question only if the network likes things for reasons that we can see: this is the hope behind robust twins. Here you have seen a gap in that direction, and no more.

# %% [markdown]
# ## 9 · Back to the digits: is it an explanation, or the generator's opinion?
#
# Before you ask the digit reader for pictures: what can it read? Three kinds of digits that it was not trained on: new drawings in the fonts of its training, drawings in fonts that it never saw, and real handwriting (scikit-learn's 1,797 scanned digits of 8 × 8 pixels, enlarged).


# %%
def show_digits(rows):
    figure, axes = plots.grid(len(rows), 10, ratio=1.0)
    for row, (name, pictures) in zip(axes, rows.items(), strict=True):
        for ax, picture in zip(row, 255 - digits.to_images(pictures), strict=True):
            ax.imshow(picture)
        row[0].set_ylabel(name, fontsize=8)
    for c, ax in enumerate(axes[0]):
        ax.set_title(str(c), fontsize=10)
    plt.show()


read = {
    "its fonts": digits,
    "new fonts": load_lab("digits", source="new_fonts"),
    "handwriting": load_lab("digits", source="handwritten"),
}
show_digits(
    {
        name: kind.inputs[[(kind.targets == c).nonzero()[0].item() for c in range(10)]]
        for name, kind in read.items()
    }
)
for name, kind in read.items():
    correct = torch.from_numpy(kind.predict(kind.images).argmax(axis=1)) == kind.targets
    low, high = judge.bootstrap_interval(correct.double())
    print(
        f"{name:<12} {len(correct):>5} digits, read right: {correct.double().mean():.3f} ({low:.3f} to {high:.3f})"
    )

# %% [markdown]
# The reader is good at the fonts of its training, and clearly worse at fonts and at handwriting that it never saw: an accuracy holds for the kind of pictures that it was measured on. (With MNIST on your disk, `load_lab("digits", source="mnist")` reads its test set, by torchvision's own loader from `~/.cache/torchvision`; without it, the error says how to fetch it.) What follows asks about digits in the fonts of its training.
#
# Ask the reader for each of its classes. First plainly, then with $R(x) = \lambda\sum\lvert x\rvert$, ink costs money (here as a mean over the pixels), and then with everything: ink, total variation and moves.

# %%
tens = list(range(10))
asked = {
    "plain": {},
    "ink costs": {"l1": 40.0},
    "ink, TV, moves": {"l1": 30.0, "total_variation": 20.0, "jitter": 2, "scale": 0.1, "rotate": 8.0},
}
answers = {
    name: class_maximization(reader, tens, n_steps=60, **grey, **options) for name, options in asked.items()
}

show_digits(answers)
certain = {
    name: reader(pictures).softmax(dim=1)[tens, tens].min().item() for name, pictures in answers.items()
}
print("smallest certainty in each row:", {name: round(value, 3) for name, value in certain.items()})

# %% [markdown]
# Strokes, and even pieces of digits in the right place. But nobody would write one of these, and the reader is as good as certain of each. Now the famous way out (Nguyen and others, 2016): search only among pictures that look like digits. Take a *generator* $G$ that was trained to draw digits from a short code $z$, and climb in $z$:
#
# $$z^* = \arg\max_z \; \log p_c\big(G(z)\big) - \tfrac{\lambda}{2}\lvert z\rvert^2, \qquad X^* = G(z^*)$$
#
# $p_c$ is the reader's probability of class $c$, and the last term says which codes are usual. Our $G$ is the decoder of a small *variational autoencoder* with 12 numbers in $z$. Several starts for each class; we keep the best by the
# value of the formula itself. To the reader we add a second reader, trained on other drawings (with two starts, to save time), and a **control: a reader with random weights, which knows nothing about digits**.

# %%
vae = load_lab("digits", model="vae").model
second = load_lab("digits", model="second").model
torch.manual_seed(0)
ignorant = type(reader)().to(digits.device).eval()  # never trained
with torch.no_grad():
    ignorant[-1].weight *= 200  # so that it has strong opinions, if random ones
STARTS, prior = 6, 0.05


def dream(network, starts=STARTS, n_steps=60):
    """X* = G(z*) for the ten classes: the best of several starts, and all of them."""
    seen = {}
    found = class_maximization(
        network,
        tens,
        objective="log_probability",
        generator=vae.decode,
        code_l2=prior,
        n_pictures=starts,
        n_steps=n_steps,
        learning_rate=0.1,
        value_range=(0.0, 1.0),
        on_step=lambda step, pictures, scores: seen.update(last=scores),
    )
    best = seen["last"].view(10, starts).argmax(dim=1)
    return found.view(10, starts, 1, 28, 28)[torch.arange(10), best], found


dreams = {
    "reader": dream(reader),
    "second reader": dream(second, starts=2),
    "random weights": dream(ignorant),
}
show_digits({name.replace(" ", "\n"): best for name, (best, _) in dreams.items()})
with torch.no_grad():
    for name, network in (("reader", reader), ("second reader", second), ("random weights", ignorant)):
        p = network(dreams[name][0]).softmax(dim=1)[tens, tens]
        print(f"{name:>14} on its own pictures:", " ".join(f"{v:.2f}" for v in p.tolist()))
    said = second(dreams["random weights"][0]).argmax(dim=1).tolist()
print("what the second reader calls the third row:", *said)

# %% [markdown]
# The first two rows: digits (their 0 has ink in the middle, as an 8 has). And the third row? The network with random weights has never seen a digit, and its pictures have the strokes of digits as well; some *are* digits. (Its last layer was multiplied by 200, or all its probabilities would be near one tenth. For some classes the ascent then found a picture that it is sure of, for others it found none.) Whether its picture is the
# *asked-for* digit is luck: here only the 1. **That a digit appears is the generator's doing. Which digit appears is the network's.**
#
# Let us count. For each kind of picture: is the reader certain? Does the second reader agree? How far (in pixel values) is the nearest of 1000 drawings out of the 12,000 that the reader was trained on? And how unlike a digit does the autoencoder find it (its loss in nats; low is like a
# digit)? The last row of the table is a blank sheet.

# %%
drawings, _ = training_digits(1000)
drawings = drawings.to(digits.device)


def distances(pictures):
    """Euclidean distances (N, 1000) of pictures from the drawings."""
    return torch.cdist(pictures.flatten(1), drawings.flatten(1))


held_out = digits.inputs[digits.targets.argsort(stable=True)[::4]]  # fifty real drawings, five of each class
kinds = {
    "real drawings": (held_out, torch.arange(50) // 5),
    **{name: (pictures, torch.arange(10)) for name, pictures in answers.items()},
    **{
        f"G(z*), {name}": (best, torch.arange(10))
        for name, (best, _) in dreams.items()
        if name != "second reader"
    },
    "empty page": (torch.zeros(10, 1, 28, 28, device=digits.device), torch.arange(10)),
}
rows = []
with torch.no_grad():
    for pictures, wanted_class in kinds.values():
        index = torch.arange(len(pictures))
        rows.append(
            [
                reader(pictures).softmax(dim=1)[index, wanted_class].mean().item(),
                second(pictures).softmax(dim=1)[index, wanted_class].mean().item(),
                distances(pictures).amin(dim=1).mean().item(),
                vae.loss(pictures).mean().item(),
            ]
        )
best = dreams["reader"][0]
with torch.no_grad():
    nearest = drawings[distances(best).argmin(dim=1)]
show_digits({"G(z*)": best, "nearest\ndrawing": nearest})
print(f"{'':24} {'reader':>8} {'second':>8} {'nearest':>8} {'VAE loss':>9}")
for name, (p, q, distance, loss) in zip(kinds, rows, strict=True):
    print(f"{name:24} {p:8.2f} {q:8.2f} {distance:8.1f} {loss:9.0f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.9))
left.barh(list(kinds)[::-1], [r[0] for r in rows][::-1], color=plots.BASELINE)
left.set(xlabel="probability of the asked-for class (reader)", xlim=(0, 1.02))
right.barh(list(kinds)[::-1], [r[3] for r in rows][::-1], color=plots.ACCENT)
right.set(xlabel="unlike a digit (the autoencoder's loss, nats)", yticks=[])
left.set_title("Certainty does not tell digits from noise …", loc="left", fontsize=11)
right.set_title("… the autoencoder's loss does, if there is ink", loc="left", fontsize=11)
plt.show()

# %% [markdown]
# Left: the first column of the table. Right: its last. Two cautions about the right-hand plot. The empty page has the lowest loss of all, and it is no digit: a low loss means *easy to copy*. And the loss comes from the same autoencoder whose decoder drew $G(z^*)$, so these pictures had to do well. It is no independent judge of them.
#
# The row of digits on top: the reader's $G(z^*)$, and below each the training drawing nearest to it. They are not copies: the generator's strokes are softer and of another shape, and the nearest drawing may even be another digit, as for the 5. The column *nearest*: the pictures of the generator lie nearer to the training drawings than real drawings do that the reader has not seen. But the empty page is the nearest of all: this distance rewards soft strokes and little ink, so it does not say that a picture is a good digit.
#
# Look at the column *second*. A reader that had no part in making the noise is certain of it too: the two share a training method and an architecture, and with it the same blind spots. Agreement of two similar networks is no proof that a picture means something. The outsider of section 8 was of another
# architecture for that reason.
#
# ### Several seeds
#
# One lucky picture proves nothing. Here are all starts of the generator for each class: how often does the reader's ascent end at a picture of which the *second* reader says the asked-for class?

# %%
with torch.no_grad():
    every = {
        name: second(found).softmax(dim=1)[
            torch.arange(10 * STARTS), torch.arange(10).repeat_interleave(STARTS)
        ]
        for name, (_, found) in dreams.items()
        if name != "second reader"  # it is the judge
    }
success = {name: (p.view(10, STARTS) > 0.5).float().mean(dim=1) for name, p in every.items()}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.6), width_ratios=(1.6, 1))
for offset, name in zip((-0.2, 0.2), success, strict=True):
    left.bar(np.arange(10) + offset, success[name].cpu(), 0.38, label=f"ascent on: {name}")
left.set(xticks=range(10), xlabel="asked-for digit", ylabel="share of starts", ylim=(0, 1.05))
left.legend(fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.25))
plots.score_plot(success, sort=False, xlabel="mean of ten classes (chance: about 0.10)", ax=right)
plt.show()

# %% [markdown]
# Left: class by class. Right: the means, with intervals over the ten classes. The reader's ascent ends at the asked-for digit from every start. That of the random weights hits some digits now and then and others never: the luck of one draw of weights. So the answer to the question of this section is: both, and you can say which part is whose. The reader contributes *which* digit. The generator contributes everything that makes it look like one. If you show $G(z^*)$ as "what the network has learnt", say so.

# %% [markdown]
# ## 10 · The real thing
#
# MobileNetV2, trained on ImageNet, takes pictures of any size, so 128 pixels save time in the ascents. But first a photograph that comes with scikit-image or scikit-learn, and what the filters see in it. Red: the filter reacts; blue: the opposite.

# %%
try:
    photos = load_lab("photos")
except LabUnavailable as error:
    photos = None
    print(error)

if photos is not None:
    photo = photos.inputs[1:2]
    figure, axes = plots.grid(2, 5, ratio=1.1)
    for row, layer in zip(axes, ("features.1", "features.8"), strict=True):
        row[0].imshow(photos.images[1])
        row[0].set_ylabel(layer, fontsize=10)
        with torch.no_grad():
            maps = create_feature_extractor(photos.model, [layer])(photo)[layer][0]
        for ax, k in zip(row[1:], maps.amax(dim=(1, 2)).argsort(descending=True)[:4].tolist(), strict=True):
            heat = filter_activation(photos.model, photo, layer, k)[0]
            plots.show_heat(ax, heat, signed=True, title=f"filter {k} ({heat.shape[0]}×{heat.shape[1]})")
    figure.suptitle("MobileNetV2: what four filters of a shallow and of a deep layer see")
    plt.show()

# %% [markdown]
# The shallow filters follow rims and highlights, one brighter, one darker on the left side. The deep ones react in few, coarse places, and some of the strongest lie at the border of the picture. Perhaps they react to the zeros that each layer pads its input with: not everything that a filter sees need be in the picture.
#
# That was the first question of section 2. Now the second: what do filters and classes like best?

# %%
if photos is not None:
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    photo_range = {"value_range": ((0 - mean) / deviation, (1 - mean) / deviation), "shape": (3, 128, 128)}
    wanted_names = ["daisy", "Egyptian cat"]
    wanted_classes = [photos.class_names.index(name) for name in wanted_names]
    moves = {
        "parametrization": "fourier",
        "jitter": 6,
        "scale": 0.1,
        "rotate": 8.0,
        "learning_rate": 0.08,
        "n_steps": 32,
    }
    real = {
        "features.1, filter 4": activation_maximization(
            photos.model, "features.1", 4, **photo_range, **moves
        ),
        "features.4, filter 8": activation_maximization(
            photos.model, "features.4", 8, **photo_range, **moves
        ),
        "features.8, filter 5": activation_maximization(
            photos.model, "features.8", 5, **photo_range, **moves
        ),
        "daisy, plain": class_maximization(photos.model, wanted_classes[0], n_steps=20, **photo_range),
    }
    dreamt = class_maximization(photos.model, wanted_classes, **photo_range, **moves, progress=True)
    real |= {name: picture[None] for name, picture in zip(wanted_names, dreamt, strict=True)}
    with torch.no_grad():
        p = photos.model(torch.cat([real["daisy, plain"], dreamt])).softmax(dim=1)
    sure = p[range(3), [wanted_classes[0], *wanted_classes]]
    plots.show_images(
        [photos.to_images(x)[0] for x in real.values()],
        list(real),
        columns=6,
        title="MobileNetV2 (ImageNet): what it likes best",
    )
    plt.show()
    print("probability of the class in the last three:", [round(v, 2) for v in sure.tolist()])

# %% [markdown]
# From left to right: small coloured scales, slanted stripes, woven curls; they are textures, larger from layer to layer. Then the plain picture of a class, which is grain, and two careful ones. *Daisy*: one large flower head with a dark middle and pale petals, among smaller swirls. *Egyptian cat*: a patch of spotted, bluish fur, and no animal around it. What would
# you have called these two pictures without their titles? The network is about equally certain of all three, of the grain as well.

# %% [markdown]
# ## 11 · Where it breaks
#
# ### Card 1: certainty is not recognition
#
# The noise of section 1 has no victim: only certainty. Now start the same ascent from a real picture of a 1, with small steps, and stop as soon as the network says 3. That is an *adversarial example*.
# An explanation of this "3" may be faithful to the network, and still useless to you.

# %%
victim = digits.inputs[digits.targets == 1][:1]
path = []
class_maximization(
    reader,
    3,
    objective="log_probability",
    start=victim,
    learning_rate=0.02,
    n_steps=40,
    on_step=lambda step, x, s: path.append((x, reader(x).softmax(dim=1)[0])),
    **grey,
)
first = next((i for i, (_, p) in enumerate(path) if p.argmax() == 3), len(path) - 1)
fooled, p = path[first]
change = (fooled - victim).abs()
print(
    f"after {first} steps: says {int(p.argmax())}; mean change of a pixel {change.mean():.2f}, largest {change.max():.2f} (ink is 1)"
)
plots.show_images(
    [255 - digits.to_images(x)[0] for x in (victim, fooled, change)],
    ["a 1", f"says {int(p.argmax())}", "what was changed"],
    columns=3,
    width=5,
)
plt.show()

# %% [markdown]
# In section 8, adversarial changes were smaller than you would notice. Here they are not: you see grey smudges on the white paper. But nobody would read a 3.
#
# ### Card 2: maximise the probability, and the ascent almost stops
#
# Softmax saturates: near probability 1 its gradient is almost zero, whatever the picture looks like. So an ascent on the probability should rise at first, and then only creep.

# %%
with_softmax = nn.Sequential(lab.model, nn.Softmax(dim=1))
history = {"logit": [], "probability": []}
for name, network in (("logit", lab.model), ("probability", with_softmax)):
    class_maximization(
        network,
        target,
        n_steps=24,
        on_step=lambda step, x, s, name=name: history[name].append(lab.model(x)[0].detach()),
    )
print("ascent on       step   logit   largest other   probability")
for name, steps in history.items():
    for step in (0, 5, 10, 24):
        logits = steps[step]
        others = torch.cat([logits[:target], logits[target + 1 :]]).max()
        print(f"{name:14} {step:5} {logits[target]:7.1f} {others:15.1f} {logits.softmax(0)[target]:13.4f}")

# %% [markdown]
# After a few steps the probability is as good as 1. From then on, the logit of the class hardly moves in the lower half of the table. In the upper half it climbs on, and takes the strongest other class along.

# %% [markdown]
# ### Card 3: a filter that is asleep
#
# Ask for a filter *after* its ReLU, and there may be no gradient: where the output is zero, the derivative is zero as well, and the picture does not move. That is why this lesson asks the convolutions.

# %%
with torch.no_grad():
    on_grey = create_feature_extractor(model, ["relu5"])(torch.zeros(1, 3, size, size))["relu5"][0]
asleep = (on_grey.amax(dim=(1, 2)) == 0).nonzero().flatten().tolist()
still = activation_maximization(
    model, "relu5", asleep, n_steps=1, start=torch.zeros(len(asleep), 3, size, size)
)
print(f"{len(asleep)} of {len(on_grey)} filters of relu5 are zero everywhere on a grey picture")
print(f"largest change of a pixel when they try to climb from there: {still.abs().max():.0f}")

# %% [markdown]
# ### Card 4: a pretty picture of nothing
#
# The parameter check of lesson 12: an untrained network of the same architecture, the careful ascent, the same colours.

# %%
torch.manual_seed(1)
fresh = {name: value.clone() for name, value in model.state_dict().items()}
for name, value in fresh.items():
    if name.endswith("weight"):
        nn.init.kaiming_normal_(value, nonlinearity="relu")
    else:
        value.zero_()
trained = {name: value.clone() for name, value in model.state_dict().items()}
try:
    model.load_state_dict(fresh)
    random_pictures = activation_maximization(model, deep, wanted, **good | {"n_steps": 16})
finally:
    model.load_state_dict(trained)
trained_pictures = activation_maximization(model, deep, wanted, **good | {"n_steps": 16})
figure, axes = plots.grid(2, 4, width=8)
for row, name, pictures in zip(
    axes, ("trained", "random weights"), (trained_pictures, random_pictures), strict=True
):
    row[0].set_ylabel(name, fontsize=10)
    for ax, picture in zip(row, lab.to_images(pictures), strict=True):
        ax.imshow(picture)
    print(f"{name:>14}: share of fine grain", " ".join(f"{share:.2f}" for share in fine_share(pictures)))
plt.show()

# %% [markdown]
# The lower row has the same colours: they come from the parametrisation. It looks like speckle, while the upper row has bands and humps; these must come from what the weights have learnt. But that is what your eye says. The share of grain, which served us all through the lesson, does not tell the rows apart, and this is one draw of random weights. If you want to claim that a pretty picture shows something, first find a measure that a network without knowledge fails.

# %% [markdown]
# ## 12 · Exercises
#
# Replace the dots with your code and run the cell with the check. `exercises.jittered_step.hint()` gives you one hint at a time; the solution is folded below each check. One more exercise stands in section 8.

# %% [markdown]
# ### Exercise: one step with jitter
#
# You climb $s(x) - \lambda \sum x^2$ (here a *sum* over the pixels, while section 6 used the mean), where $\lambda$ is `decay`. The filter looks at a *moved* picture: `x.roll(shift, dims=(2, 3))`. `gradient_of` gives the slope of $s$ at the picture that the filter sees. Move that slope back to where its pixels are, divide it by its root mean square for each picture, as section 3 did, and only then add the slope of the penalty. After the step, pixels must lie between −1 and 1.


# %% exercise="jittered_step"
def jittered_step(x, gradient_of, shift, rate, decay):
    """The next picture (N, C, H, W).

    gradient_of(pictures) is the slope of s there; shift is (rows, columns); rate is the step size.
    """
    # BEGIN SOLUTION
    slope = gradient_of(x.roll(shift, dims=(2, 3))).roll((-shift[0], -shift[1]), dims=(2, 3))
    slope = slope / slope.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return (x + rate * (slope - 2 * decay * x)).clamp(-1, 1)
    # END SOLUTION


# %%
exercises.jittered_step.check(jittered_step)

# %% [markdown]
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
# ### Exercise: find the bug
#
# This code was published in a course, and copied into others. The text beside it says: "We start from noise and maximise the filter." The pictures look wonderful. Make the code do what the text says, with pixels in −1 … 1.
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
# ### Exercise: how well does a name fit?
#
# Keep the `n_kept` strongest places of a filter, over all pictures together; if several share the value of the last one, keep them all. Return the intersection over union with the part.


# %% exercise="name_score"
def name_score(heat, mask, n_kept):
    """The IoU of a filter's strongest places with a part, from maps (N, H, W) and the part's masks (N, H, W), bool."""
    # BEGIN SOLUTION
    threshold = heat.flatten().topk(n_kept).values[-1]
    kept = heat >= threshold
    return (kept & mask).sum() / (kept | mask).sum()
    # END SOLUTION


# %%
exercises.name_score.check(name_score)

# %% [markdown]
# ## 13 · Play
#
# Choose a network, a layer, a filter, and how many steps to climb. Tab moves between the controls, the arrow keys change a value. Try few steps first: what comes first, colour or shape?

# %%
networks = {"ordinary": lab, "robust twin": twin}


def draw(network, layer, filter_number, steps, way):
    source = networks[network]
    k = min(filter_number, source.layers[layer].out_channels - 1)
    options = {} if way == "plain" else {name: value for name, value in good.items() if name != "n_steps"}
    picture = activation_maximization(source.model, layer, k, n_steps=steps, progress=True, **options)
    heat = filter_activation(source.model, source.inputs, layer, k)
    top = heat.amax(dim=(1, 2)).argsort(descending=True)[:3].tolist()
    shown = [
        source.to_images(picture)[0],
        *(plots.overlay(source.images[i], heat[i].clamp(min=0)) for i in top),
    ]
    plots.show_images(shown, [f"{layer}, filter {k}", *["reacts most to"] * 3], columns=4, width=9)
    plt.show()


widgets.explore(
    draw,
    network=widgets.choice("network", list(networks)),
    layer=widgets.choice("layer", list(lab.layers), deep),
    filter_number=widgets.slider("filter", 0, 95, subject),
    steps=widgets.slider("steps", 1, 64, 8),
    way=widgets.choice("ascent", ["plain", "careful"], "careful"),
)

# %% [markdown]
# The same as a still picture: two filters of each layer of the ordinary network, shallow to deep. Look at conv1 with care: section 3's plain ascent found a fine chequer for such a filter, and here is little but one colour. The last cell asks the two filters how much they like each kind.

# %%
figure, axes = plots.grid(2, 5, ratio=1.1)
for column, layer in zip(axes.T, lab.layers, strict=True):
    pair = (10, 19) if layer == "conv1" else (2, 6)
    pictures = activation_maximization(model, layer, pair, **good | {"n_steps": 12})
    for ax, k, picture in zip(column, pair, lab.to_images(pictures), strict=True):
        ax.imshow(picture)
        ax.set_title(f"{layer}, filter {k}", fontsize=10)
figure.suptitle("The careful ascent, from shallow to deep")
plt.show()
careful, plain = (
    activation_maximization(model, "conv1", (10, 19), **options)
    for options in (good | {"n_steps": 12}, {"n_steps": 12})
)
for k, *pictures in zip((10, 19), careful, plain, strict=True):
    scores = [filter_activation(model, x[None], "conv1", k).mean().item() for x in pictures]
    print(
        f"conv1, filter {k}: score of the careful picture {scores[0]:.2f}, of the plain one {scores[1]:.2f}"
    )

# %% [markdown]
# What these filters like best is a fine pattern, and the careful ascent forbids just that: long waves first, moved about. Its two coloured pictures are liked far less. From conv2 on the marks get larger. **A remedy that makes deep filters readable can hide what a shallow one does.**

# %% [markdown]
# ## 14 · The paper in ten questions
#
# C. Olah, A. Mordvintsev, L. Schubert: *Feature Visualization* (Distill, 2017).
#
# 1. **Which problem?** Show what neurons, channels and classes of a trained network look for.
# 2. **Is it new?** The ascent is from 2009 (Erhan and others), and most remedies had been found before. New are the Fourier parametrisation with decorrelated colours, the diversity term, and putting it all side by side.
# 3. **Which hypothesis?** Optimization separates what causes a neuron's behaviour from what merely goes along with it, which examples from the data set cannot.
# 4. **Related work, and who?** Simonyan and others (2014), Mahendran and Vedaldi (2015), Yosinski and others (2015), Nguyen and others (2016), and DeepDream (Mordvintsev and others, 2015). The authors worked at Google Brain and Google Research.
# 5. **The key idea?** Choose the space to climb in, so that the easy direction is a natural one.
# 6. **Which experiments?** Pictures of GoogLeNet's channels, one remedy at a time, as in section 6.
# 7. **Data and code?** ImageNet; the code (*lucid*) and notebooks are public.
# 8. **Do the results support it?** The pictures are clear. Whether they help people predict what a neuron does was tested later, and natural examples helped as much or more (Borowski and others, 2021; Zimmermann and others, 2021).
# 9. **What did it contribute?** The standard tools, and a style of publishing in which the reader can play.
# 10. **What next?** Circuits between features, and features that are not single neurons (Olah and others, 2020).

# %% [markdown]
# ## 15 · Recap
#
# - Filter activation: what a filter sees in a picture. Filter visualization: the picture it likes best, by gradient ascent from noise.
# - Plain ascent raises the score with grain. Each remedy buys readability with a prior of ours.
# - A name for a filter needs a score, a chance level, and scenes that it was not chosen on.
# - A certain network is no evidence: not for a digit, and not for a flower. Ask an outsider of another architecture, and run the method on a network with random weights.
# - $G(z^*)$ looks real because $G$ draws real things.
# - Next: **10 · BERT**, which leaves pictures for words and asks what attention shows.
#
# **References**
# - [Erhan and others, 2009: Visualizing higher-layer features of a deep network](https://www.researchgate.net/publication/265022827_Visualizing_Higher-Layer_Features_of_a_Deep_Network)
# - [Simonyan and others, 2014: Deep inside convolutional networks](https://arxiv.org/abs/1312.6034)
# - [Mahendran and Vedaldi, 2015: Understanding deep image representations by inverting them](https://arxiv.org/abs/1412.0035)
# - [Yosinski and others, 2015: Understanding neural networks through deep visualization](https://arxiv.org/abs/1506.06579)
# - [Nguyen and others, 2016: Synthesizing the preferred inputs for neurons](https://arxiv.org/abs/1605.09304)
# - [Mordvintsev and others, 2015: Inceptionism, going deeper into neural networks](https://research.google/blog/inceptionism-going-deeper-into-neural-networks/) (DeepDream)
# - [Olah and others, 2017: Feature visualization](https://doi.org/10.23915/distill.00007)
# - [Bau and others, 2017: Network dissection](https://arxiv.org/abs/1704.05796)
# - [Engstrom and others, 2019: Adversarial robustness as a prior for learned representations](https://arxiv.org/abs/1906.00945)
# - [Borowski and others, 2021: Exemplary natural images explain CNN activations better](https://arxiv.org/abs/2010.12606)
# - [Zimmermann and others, 2021: How well do feature visualizations support causal understanding?](https://arxiv.org/abs/2106.12447)
# - [Olah and others, 2020: Zoom in, an introduction to circuits](https://doi.org/10.23915/distill.00024.001)
