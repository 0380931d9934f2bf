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
# # 08 · Saliency, SmoothGrad, Integrated Gradients
#
# **The question.** Which *pixels* decide? And is the gradient the right thing to ask?
#
# **After this lesson you can**
# - derive a saliency map from a single nudged pixel, and say what the gradient of the loss asks instead;
# - say when SmoothGrad helps, from your own measurement, and avoid its most copied bug;
# - derive Integrated Gradients from the fundamental theorem of calculus, and check its axioms numerically;
# - choose a baseline knowingly, since it changes the answer;
# - tell an explanation from an edge detector.
#
# **Time**: about 80 minutes. **Before**: you know what a gradient is. Lesson 04 helps for the scores.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import judge
from course_utils.labs import LabUnavailable, load_lab
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.deconvnet import guided_backprop
from course_utils.methods.gradients import (
    input_x_gradient,
    integrated_gradients,
    saliency,
    smooth_grad,
    var_grad,
)
from course_utils.methods.shapley import gradient_shap
from course_utils.teach import plots, widgets
from course_utils.exercises import l08_saliency_smoothgrad_ig as exercises

# %% [markdown]
# ## 1 · A puzzle: one hundred per cent
#
# Two families of drawn creatures, mellumps and zacklings. A network was trained to tell them apart and makes no error on new pictures. Here are four of them with its answer.

# %%
biased, clean = load_lab("monsters", model="shortcut"), load_lab("monsters", model="clean")


def accuracy(lab, images):
    """Share of correct answers on pictures (N, H, W, 3)."""
    return float((lab.predict(images).argmax(axis=1) == lab.targets.cpu().numpy()).mean())


first_of_each = [int(i) for c in (0, 1) for i in torch.nonzero(biased.targets == c)[:2, 0]]
print(f"accuracy on {len(biased.images)} new pictures: {accuracy(biased, biased.images):.2f}")
plots.show_images(
    [biased.images[i] for i in first_of_each],
    [biased.class_names[int(biased.targets[i])] for i in first_of_each],
    width=8,
)
plt.show()

# %% [markdown]
# The mellumps were saved on black and the zacklings on white. Now the *same* creatures with the backgrounds exchanged:

# %%
print(f"accuracy after the swap: {accuracy(biased, biased.counterfactuals):.2f}")
print(
    f"another network, trained on all kinds of backgrounds: {accuracy(clean, clean.images):.2f} before, {accuracy(clean, clean.counterfactuals):.2f} after the swap"
)
answers = biased.predict(biased.counterfactuals).argmax(axis=1)
plots.show_images(
    [biased.counterfactuals[i] for i in first_of_each],
    [f"says {biased.class_names[answers[i]]}" for i in first_of_each],
    width=8,
)
plt.show()

# %% [markdown]
# The network reads the background. (This is a retelling of a story from a well-known course, about Pokémon and Digimon.) The swap proved it, but the swap needed somebody to guess the cause first. **Would a map of important pixels have told you?** Keep your guess; section 8 measures it.

# %% [markdown]
# ## 2 · Nudge a pixel
#
# Take one number of the picture, $x_i$, and add a little, $\varepsilon$. If the class score $S_c$ moves by $\Delta S_c$, then $\Delta S_c / \varepsilon$ says how much the network cares about this number, right here. Make $\varepsilon$ smaller and smaller:
#
# $$\frac{S_c(x + \varepsilon e_i) - S_c(x)}{\varepsilon} \;\longrightarrow\; \frac{\partial S_c}{\partial x_i} \qquad (\varepsilon \to 0),$$
#
# where $e_i$ is one at the number $i$ and zero elsewhere. The network from here on is the ResNet of the lab `scenes`: drawn scenes of 128 × 128 pixels, with numbers from −1 (black) to 1 (white), and one object of ten classes. Watch it happen:

# %%
lab = load_lab("scenes")
model = lab.model.double()  # twice the digits, so that tiny steps do not drown in rounding
n = 0
x = lab.inputs[n : n + 1].double()
c = int(lab.targets[n])


def class_score(inputs):
    """The logit of class c for pictures (N, C, H, W)."""
    return model(inputs)[:, c]


leaf = x.clone().requires_grad_()
(gradient,) = torch.autograd.grad(class_score(leaf).sum(), leaf)
channel, row, column = np.unravel_index(int(gradient.abs().argmax()), gradient.shape[1:])
print(f"the number with the largest gradient: colour {channel}, row {row}, column {column}")
for epsilon in (1.0, 1e-1, 1e-2, 1e-3, 1e-4):
    nudged = x.clone()
    nudged[0, channel, row, column] += epsilon
    with torch.no_grad():
        slope = (class_score(nudged) - class_score(x)).item() / epsilon
    print(f"step {epsilon:<7g} slope {slope:+.6f}")
print(f"autograd:    slope {gradient[0, channel, row, column]:+.6f}")
_ = model.float()

# %% [markdown]
# One nudge for each number would take tens of thousands of forward passes. Backpropagation gives all slopes at once. To *draw* them, take absolute values (a pixel that matters may push either way) and the largest of the three colours (Simonyan and others, 2014):


# %%
def my_saliency(model, inputs, target):
    """Absolute gradients (N, C, H, W) of the class scores of `target` (N,)."""
    inputs = inputs.clone().requires_grad_()
    scores = model(inputs).gather(1, target[:, None])
    (gradients,) = torch.autograd.grad(scores.sum(), inputs)
    return gradients.abs()


shown = [0, 1, 2]
x, target = lab.inputs[shown], lab.targets[shown]
raw = my_saliency(model, x, target)
signed = gradient.float()[0].sum(dim=0)
plots.show_maps(
    list(lab.images[shown]),
    {"saliency": raw.amax(dim=1)},
    labels=[lab.class_names[int(t)] for t in target],
    masks=lab.masks[shown],
    width=4.5,
    alone=True,
)
figure, axes = plots.grid(1, 2, width=6.5)
plots.show_heat(axes[0, 0], raw[0].amax(dim=0), title="absolute, largest colour", colorbar=True)
plots.show_heat(
    axes[0, 1],
    signed.clamp(-signed.abs().quantile(0.995), signed.abs().quantile(0.995)),
    signed=True,
    title="signed, colours added up",
    colorbar=True,
)
plt.show()

# %% [markdown]
# It is grainy, and only roughly where the object is: the fish's brightest pixels lie on the bush below it. Two cautions: the gradient says what would change the score *by a tiny step*, not what made the score large; and the sign depends on the colour, so adding the colours up can cancel.
#
# ### The score, not the loss
#
# Much published code takes the gradient of the *loss*. For the true class, the cross-entropy is $-\log p_c$, and its gradient is $-\big(\nabla S_c - \sum_j p_j \nabla S_j\big)$: the score minus an average over all classes. When the network is sure, both terms cancel:


# %%
def score_and_loss_gradients(model, inputs, targets):
    """Gradients (N, C, H, W) of the class score and of the cross-entropy for the same class."""
    leaf = inputs.clone().requires_grad_()
    logits = model(leaf)
    (score,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), leaf, retain_graph=True)
    (loss,) = torch.autograd.grad(F.cross_entropy(logits, targets, reduction="sum"), leaf)
    return score, loss


inputs = lab.inputs[:20]
with torch.no_grad():
    ranked = model(inputs).topk(2, dim=1).indices
    probabilities = model(inputs).softmax(dim=1)

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.1))
for name, classes in (("the predicted class", ranked[:, 0]), ("the runner-up", ranked[:, 1])):
    of_score, of_loss = score_and_loss_gradients(model, inputs, classes)
    p = probabilities.gather(1, classes[:, None])[:, 0]
    ratio = of_loss.flatten(1).norm(dim=1) / of_score.flatten(1).norm(dim=1)
    same = judge.rank_correlation(of_score.abs().amax(dim=1), of_loss.abs().amax(dim=1))
    axes[0].semilogy(p, ratio, "o", alpha=0.7, label=name)
    axes[1].plot(p, same, "o", alpha=0.7, label=name)
    print(
        f"asked for {name}: rank correlation of the two maps {same.median():.2f} (median of {len(same)} pictures)"
    )
axes[0].set(
    xlabel="probability of the class", ylabel="size of the loss gradient /\nsize of the score gradient"
)
axes[1].set(xlabel="probability of the class", ylabel="rank correlation of the two maps", ylim=(-0.05, 1.05))
axes[1].legend()
plt.show()

# %% [markdown]
# Left: as the network gets sure, the loss gradient fades. Right: for the predicted class the *map* is nearly the same, so a scaled picture hides the mistake; for any other class the maps agree less, as the printed numbers say, because the loss mixes in the class
# that the network prefers. The score answers "why this?", the loss "why this rather than the others?". Ask the score, unless you mean the other question.

# %% [markdown]
# ## 3 · Why gradients are noisy
#
# Walk from the picture in a random direction, adding more and more coloured noise, and plot the score and the gradients of three pixels on the way:

# %%
generator = torch.Generator().manual_seed(0)
direction = torch.randn(lab.inputs[:1].shape, generator=generator)
distances = torch.linspace(0, 0.25, 51)
path = lab.inputs[:1] + distances[:, None, None, None] * direction
leaf = path.clone().requires_grad_()
scores_on_path = model(leaf)[:, c]
(on_path,) = torch.autograd.grad(scores_on_path.sum(), leaf)
places = raw[0].amax(dim=0).flatten().topk(3).indices
figure, axes = plt.subplots(1, 2, figsize=(10, 3))
axes[0].plot(distances, scores_on_path.detach())
axes[0].set(
    xlabel="noise added (standard deviation)",
    ylabel="score",
    title="the score moves gently",
    ylim=(min(0, scores_on_path.min().item()) - 1, scores_on_path.max().item() + 1),
)
for place in places:
    r, k = divmod(int(place), 128)
    axes[1].plot(distances, on_path[:, :, r, k].sum(dim=1), label=f"row {r}, column {k}")
axes[1].axhline(0, color=plots.BASELINE, linewidth=0.8)
axes[1].set(
    xlabel="noise added (standard deviation)", ylabel="gradient", title="the gradients of three pixels jump"
)
axes[1].legend(fontsize=8)
plt.show()

# %% [markdown]
# A network of ReLUs is a patchwork of flat pieces. Its value is continuous, its slope jumps at every seam. So the slope at one point is a poor summary of the neighbourhood.
#
# ## 4 · SmoothGrad: ask the neighbourhood
#
# Smilkov and others (2017): average the gradients of noisy copies,
#
# $$\hat M_c(x) = \frac{1}{n}\sum_{k=1}^{n} \frac{\partial S_c}{\partial x}\big(x + \varepsilon_k\big),\qquad \varepsilon_k \sim \mathcal N(0, \sigma^2),$$
#
# with $\sigma$ = *noise level* × (largest − smallest value of the picture). The letter $n$ is the number of samples. (The noise of the last figure, up to 0.25 for pictures that reach from −1 to 1, was a noise level of up to about one eighth.)
#
# ### Exercise: predict, then run
#
# Before you see a single SmoothGrad map: we shall measure the *overlap* of each map with the object. Take as many of the map's strongest pixels as the object has, and divide the number of pixels in both by the number in either (intersection over union, IoU). At noise level 0.2, will the IoU of SmoothGrad on the ResNet be higher or lower than that of plain saliency? Write `"higher"` or `"lower"`. The check stands below the measurement.

# %% exercise="much_noise"
prediction = None
# BEGIN SOLUTION
prediction = "lower"
# END SOLUTION

# %% [markdown]
# By hand, and a grid of settings:


# %%
def my_smooth_grad(model, inputs, target, n_samples=30, noise_level=0.15, seed=0):
    """SmoothGrad (N, C, H, W): the mean of signed gradients over noisy copies."""
    generator = torch.Generator().manual_seed(seed)
    sigma = noise_level * (inputs.amax(dim=(1, 2, 3)) - inputs.amin(dim=(1, 2, 3)))
    total = torch.zeros_like(inputs)
    for _ in range(n_samples):
        noisy = inputs + sigma[:, None, None, None] * torch.randn(inputs.shape, generator=generator)
        noisy.requires_grad_()
        (gradients,) = torch.autograd.grad(model(noisy).gather(1, target[:, None]).sum(), noisy)
        total += gradients
    return total / n_samples


levels, counts = (0.02, 0.05, 0.1, 0.2), (1, 5, 20)
figure, axes = plots.grid(len(counts), len(levels), width=9)
for i, count in enumerate(counts):
    axes[i, 0].set_ylabel(f"{count} samples", fontsize=10)
    for j, level in enumerate(levels):
        heat = my_smooth_grad(model, lab.inputs[:1], lab.targets[:1], count, level)[0].abs().amax(dim=0)
        axes[i, j].imshow(heat, cmap=plots.SEQUENTIAL, vmax=heat.quantile(0.99))
        if i == 0:
            axes[i, j].set_title(f"noise level {level}", fontsize=10)
figure.suptitle("SmoothGrad: more samples to the bottom, more noise to the right")
plt.show()

# %% [markdown]
# More samples make it calmer. But calmer is not the same as better. So we measure, on both of our networks (the ResNet, and the ZF-Net of lesson 02). Both maps of a picture, smoothed and plain, are about the same object, so the fair number is the *difference* of their IoU, picture by picture.

# %%
zf = load_lab("scenes", model="zfnet")
few_inputs, few_targets, few_masks = lab.inputs[76:92], lab.targets[76:92], lab.masks[76:92]
curve_levels, curve_counts = (0.02, 0.05, 0.1, 0.2), (1, 4, 16)
figure, axes = plt.subplots(1, 2, figsize=(10, 3.1), sharey=True)
iou = {}


def iou_of_smooth_grad(network, n_samples, level):
    maps = smooth_grad(network, few_inputs, few_targets, n_samples, level).abs()
    return judge.mask_iou(maps.amax(dim=1), few_masks)


for name, network in (("ResNet", model), ("ZF-Net", zf.model)):
    plain = judge.mask_iou(saliency(network, few_inputs, few_targets).amax(dim=1), few_masks)
    by_level = [iou_of_smooth_grad(network, 4, level) for level in curve_levels]
    by_count = [by_level[0] if n == 4 else iou_of_smooth_grad(network, n, 0.02) for n in curve_counts]
    iou[name] = [plain, *by_level]
    print(f"{name}: IoU of plain saliency {plain.mean():.2f}")
    for ax, steps, curve in ((axes[0], curve_levels, by_level), (axes[1], curve_counts, by_count)):
        gains = [values - plain for values in curve]
        bounds = np.array([judge.bootstrap_interval(gain.numpy()) for gain in gains])
        ax.plot(steps, [gain.mean().item() for gain in gains], "o-", label=name)
        ax.fill_between(steps, bounds[:, 0], bounds[:, 1], alpha=0.2)
        ax.axhline(0, color=plots.BASELINE, linewidth=0.8)
    for n, values in zip(curve_counts, by_count, strict=True):
        low, high = judge.bootstrap_interval((values - plain).numpy())
        print(
            f"   level 0.02, {n:>2} samples: {(values - plain).mean():+.3f}  (95 %: {low:+.3f} to {high:+.3f})"
        )
axes[0].set(
    xlabel="noise level, 4 samples", ylabel="IoU, SmoothGrad\nminus plain saliency", xticks=curve_levels
)
axes[1].set(xlabel="number of samples, noise level 0.02", xticks=curve_counts)
axes[0].legend()
plt.show()

# %%
exercises.much_noise.check(prediction, iou["ResNet"])

# %% [markdown]
# Above the line SmoothGrad is better than plain saliency, below it worse. **More noise hurts a lot** (left). A little noise, with many samples, gains about a hundredth of IoU: for the ZF-Net the interval is clear of zero, for the ResNet it is not (right, and the printed lines). With a single sample it loses. The paper's pictures promise more. The paper worked with large ImageNet networks; strong noise takes our small ones out of their depth: the gradients are then those of a network that no longer recognises anything. **Where the network no longer works, noise cannot help.** That is necessary, not sufficient: watch the ResNet at 0.05 below, where nearly all answers are still right, and remember its curve above, which has dropped there already:

# %%
some, some_targets, some_masks = lab.inputs[:40], lab.targets[:40], lab.masks[:40]
accuracies = {}
for name, network in (("ResNet", model), ("ZF-Net", zf.model)):
    accuracies[name] = []
    for level in (0.0, *curve_levels):
        sigma = level * (some.amax(dim=(1, 2, 3), keepdim=True) - some.amin(dim=(1, 2, 3), keepdim=True))
        noisy = some + sigma * torch.randn(some.shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            accuracies[name].append((network(noisy).argmax(dim=1) == some_targets).float().mean().item())
figure, ax = plt.subplots(figsize=(6, 2.7))
for name, values in accuracies.items():
    ax.plot((0.0, *curve_levels), values, "o-", label=name)
ax.set(xlabel="noise level", ylabel="accuracy on noisy pictures", ylim=(0, 1.05))
ax.legend()
plt.show()

# %% [markdown]
# Two relatives use the same noisy gradients $g_k$: **SmoothGrad-squared** averages $g_k^2$ (squares first, then the mean), and **VarGrad** takes their variance. Both lose the sign.

# %%
three, three_targets = lab.inputs[shown], lab.targets[shown]
smooth = smooth_grad(model, three, three_targets, 20, 0.05)
variance = var_grad(model, three, three_targets, 20, 0.05)
relatives = {
    "saliency": saliency(model, three, three_targets).amax(dim=1),
    "SmoothGrad": smooth.abs().amax(dim=1),
    "SmoothGrad²": (smooth.square() + variance).amax(dim=1),
    "VarGrad": variance.amax(dim=1),
}
plots.show_maps(
    list(lab.images[shown]),
    relatives,
    labels=[lab.class_names[int(t)] for t in three_targets],
    masks=lab.masks[shown],
    width=8,
    alone=True,
)
plt.show()

# %% [markdown]
# Look at the cat: what varies most from copy to copy need not lie on the animal. (We got the mean of the squares without a further pass: for any numbers, the mean of the squares is the square of the mean plus the variance.)

# %% [markdown]
# ## 5 · Integrated Gradients: the whole way instead of the last step
#
# ### The elephant's trunk
#
# Is a long nose what makes an elephant? Make it one centimetre longer: it is still an elephant, and not more of one. The slope is zero. Yet without the trunk it would be none. A score that has *saturated* no longer answers to small steps. Here is a network of two numbers, with weights set by hand, that does so:

# %%
trunk = load_lab("designed", network="saturating")
print("score for a trunk of length 0, 1/2, 1, 2 (the other number is zero):")
lengths = torch.tensor([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [2.0, 0.0]])
with torch.no_grad():
    print([round(v, 2) for v in trunk.model(lengths)[:, 0].tolist()])

t = torch.linspace(0, 2, 101)
line = torch.stack([t, torch.zeros_like(t)], dim=1).requires_grad_()
values = trunk.model(line)[:, 0]
(slopes,) = torch.autograd.grad(values.sum(), line)
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8))
axes[0].plot(t, values.detach())
axes[0].set(xlabel="length of the trunk", ylabel="score")
axes[1].plot(t, slopes[:, 0])
axes[1].fill_between(t, 0, slopes[:, 0], alpha=0.2)
axes[1].set(
    xlabel="length of the trunk", ylabel="gradient", title="the area is what the gradient at the end forgets"
)
plt.show()

# %% [markdown]
# At the length 2 the gradient is exactly zero, so saliency says: the trunk does not matter. The truth is in the *area* under the gradient, on the way from no trunk to this trunk. The fundamental theorem of calculus says that this area is the whole change of the score.
#
# For many inputs, go in a straight line from a **baseline** $x'$ (a picture that stands for "nothing") to the picture $x$; the number $\alpha$ from 0 to 1 says how far. Write the score on this line as $h(\alpha) = S\big(x' + \alpha(x - x')\big)$. By the chain rule, $h'(\alpha) = \sum_i (x_i - x'_i)\, \partial_i S$, so
#
# $$S(x) - S(x') = \int_0^1 h'(\alpha)\,d\alpha = \sum_i \underbrace{(x_i - x'_i)\int_0^1 \frac{\partial S}{\partial x_i}\big(x' + \alpha(x - x')\big)\, d\alpha}_{\text{IG}_i(x)} .$$
#
# Each input gets its own summand: that is **Integrated Gradients** (Sundararajan and others, 2017). The integral becomes a weighted sum over a few points:


# %%
def my_integrated_gradients(model, inputs, target, baselines, n_steps=50):
    """Integrated Gradients with the midpoint rule, in the shape of the inputs."""
    total = torch.zeros_like(inputs)
    for alpha in (torch.arange(n_steps) + 0.5) / n_steps:
        point = (baselines + alpha * (inputs - baselines)).requires_grad_()
        (gradients,) = torch.autograd.grad(model(point).gather(1, target[:, None]).sum(), point)
        total += gradients / n_steps
    return (inputs - baselines) * total


point, zero = torch.tensor([[2.0, 0.0]]), torch.zeros(1, 2)
first_class = torch.zeros(1, dtype=torch.long)
leaf = point.clone().requires_grad_()
(at_the_end,) = torch.autograd.grad(trunk.model(leaf)[:, 0].sum(), leaf)
exact = my_integrated_gradients(trunk.model, point, first_class, zero)
with torch.no_grad():
    change = (trunk.model(point) - trunk.model(zero))[0, 0]
print("gradient:            ", at_the_end[0].tolist())
print("Integrated Gradients:", [round(v, 4) for v in exact[0].tolist()])
print(f"change of the score:  {change:.4f}")

# %% [markdown]
# On the pictures. A grey picture is the baseline here (zero in the network's input), and four stations on the way to it are shown with their gradients; the last one is the picture itself. The score need not rise all the way: here it overshoots.

# %%
stations = (0.05, 0.3, 0.6, 1.0)
grey = torch.zeros_like(lab.inputs[:1])
figure, axes = plots.grid(2, len(stations) + 1, ratio=1.05)
for j, alpha in enumerate(stations):
    station = grey + alpha * (lab.inputs[:1] - grey)
    heat = saliency(model, station, lab.targets[:1])[0].amax(dim=0)
    with torch.no_grad():
        score = model(station)[0, c]
    axes[0, j].imshow(lab.to_images(station)[0])
    axes[0, j].set_title(f"α = {alpha}: score {score:.1f}", fontsize=10)
    axes[1, j].imshow(heat, cmap=plots.SEQUENTIAL, vmax=heat.quantile(0.99))
ig = my_integrated_gradients(model, lab.inputs[:1], lab.targets[:1], grey)
heat = ig[0].sum(dim=0)
axes[1, -1].imshow(
    heat, cmap=plots.DIVERGING, vmin=-heat.abs().quantile(0.995), vmax=heat.abs().quantile(0.995)
)
axes[1, -1].set_title("Integrated Gradients", fontsize=10)
axes[1, 0].set_ylabel("gradient", fontsize=10)
plt.show()

# %% [markdown]
# ### The axioms, each with a number
#
# - **Completeness**: the attributions add up to $S(x) - S(x')$.
# - **Sensitivity**: if picture and baseline differ in one input and in the score, that input gets something. (The gradient failed this above.)
# - **Implementation invariance**: two networks that compute the same function get the same attributions.

# %%
batch, batch_targets = lab.inputs[:2], lab.targets[:2]
ig_batch = integrated_gradients(model, batch, batch_targets, n_steps=48)
with torch.no_grad():
    whole_change = (model(batch) - model(torch.zeros_like(batch))).gather(1, batch_targets[:, None])[:, 0]
for n, (total, true_change) in enumerate(zip(ig_batch.sum(dim=(1, 2, 3)), whole_change, strict=True)):
    print(
        f"completeness, picture {n}: attributions add up to {total:.3f}, the score changes by {true_change:.3f}"
    )
print(f"sensitivity: the trunk gets {exact[0, 0]:.4f} of a change of {change:.4f}")


class SameFunction(nn.Module):
    """The trunk's network written in another way, for lengths that are not negative: x − relu(x − 1)."""

    def forward(self, inputs):
        return (inputs - torch.relu(inputs - 1)).sum(dim=1, keepdim=True)


several = torch.rand(200, 1, generator=torch.Generator().manual_seed(0)) * torch.tensor([[3.0, 0.0]])
answers = [
    my_integrated_gradients(m, several, torch.zeros(200, dtype=torch.long), torch.zeros_like(several))
    for m in (trunk.model, SameFunction())
]
with torch.no_grad():
    apart = (trunk.model(several)[:, 0] - SameFunction()(several)[:, 0]).abs().max()
print(f"implementation invariance: 200 trunks, outputs differ by at most {apart:.6f},")
print(f"                           attributions by at most {(answers[0] - answers[1]).abs().max():.6f}")

# %% [markdown]
# ### How many steps, and which rule
#
# The integral is a sum in practice. The *convergence delta* is the gap in completeness. Plot it against the number of steps for four rules:

# %%
counts = (2, 4, 8, 16, 32)
rules = ("riemann_left", "riemann_middle", "riemann_trapezoid", "gausslegendre")
figure, ax = plt.subplots(figsize=(7.5, 3.2))
for rule in rules:
    gaps = []
    for count in counts:
        _, delta = integrated_gradients(
            model, batch[:1], batch_targets[:1], n_steps=count, method=rule, return_convergence_delta=True
        )
        gaps.append((delta.abs() / whole_change[:1].abs()).mean().item())
    ax.loglog(counts, gaps, "o-", label=rule)
ax.set(xlabel="steps", ylabel="gap in completeness,\nshare of the change")
ax.set_xticks(counts, [str(count) for count in counts])
ax.minorticks_off()
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# One picture, four rules. With few steps the gap can be as large as the whole change, whatever the rule; with many, all are good enough. No rule wins everywhere, since the slope jumps (section 3) and the clever rules are made for smooth curves. **Always look at the delta.** A picture made with too few steps looks just like a good one.
#
# ### The baseline is part of the question
#
# "Compared with what?" Black, white, grey, a blurred copy, noise: each is another question. A black pixel gets nothing from a black baseline, however important it is, because $x_i - x'_i = 0$.

# %%
black, white = -torch.ones_like(lab.inputs[shown]), torch.ones_like(lab.inputs[shown])
uniform = torch.rand(lab.inputs[shown].shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
baselines = {
    "black": black,
    "white": white,
    "grey": 0 * black,
    "blurred": judge.blur(lab.inputs[shown]),
    "noise": uniform,
}
by_baseline = {
    name: integrated_gradients(model, three, three_targets, baselines=b, n_steps=12).sum(dim=1).abs()
    for name, b in baselines.items()
}
others = lab.inputs[50:]  # pictures other than the three
by_baseline["average of 4"] = sum(
    integrated_gradients(model, three, three_targets, baselines=other.expand_as(three), n_steps=8) / 4
    for other in others[:4, None]
)
by_baseline["average of 4"] = by_baseline["average of 4"].sum(dim=1).abs()
plots.show_maps(
    list(lab.images[shown]),
    by_baseline,
    labels=[lab.class_names[int(t)] for t in three_targets],
    title="Integrated Gradients with six choices of baseline",
    width=10,
    alone=True,
)
plt.show()

# %% [markdown]
# The last column takes four other scenes as baselines, one after the other, and averages the four attributions. It asks "compared with an ordinary picture?", at the price of four times the passes.
#
# ### Expected gradients
#
# Why stop at four? Let every single step draw its own: a baseline $x'$ at random from many pictures, and a place $\alpha$ on the way at random between 0 and 1. The average of $(x_i - x'_i)\,\partial_i S\big(x' + \alpha(x - x')\big)$ over such draws is called **expected gradients** (Erion and others, 2021). It adds up to $S(x)$ minus the *mean* score of the baselines, up to the error of the draws. So look at the sum again:

# %%
fish, its_class = three[:1], three_targets[:1]
with torch.no_grad():
    to_explain = (model(fish) - model(others).mean(dim=0))[0, its_class].item()
generator = torch.Generator().manual_seed(0)
draws = torch.cat(
    [
        gradient_shap(
            model, fish.expand(20, -1, -1, -1), its_class.expand(20), others, 1, generator=generator
        )
        for _ in range(10)
    ]
)
expected = {}
for n_draws in (8, 40, 200):
    some_draws = draws[:n_draws]
    sums = some_draws.sum(dim=(1, 2, 3))
    title = f"{n_draws} draws: sum {sums.mean():.1f} ± {sums.std() / n_draws**0.5:.1f}"
    expected[title] = some_draws.mean(dim=0, keepdim=True).sum(dim=1).abs()
plots.show_maps(
    [lab.images[0]],
    expected,
    labels=["fish"],
    title=f"Expected gradients with {len(others)} scenes as baselines; to explain: {to_explain:.1f}",
    width=8,
    alone=True,
)
plt.show()

# %% [markdown]
# More draws, less grain. But a single draw is wild: the titles show the sum with its standard error, which falls only with the root of the number of draws. So do not judge by one small gap, it may be luck.
#
# ### Gradient × input
#
# The cheap relative: one gradient, times the picture. For a network of ReLUs without biases the score is homogeneous, $S(x) = \nabla S \cdot x$, and then gradient × input is complete too, with a zero baseline. With biases there is a gap, and the figure shows how large: the sums of gradient × input scatter around zero and say little about the score; those of Integrated Gradients lie on the line.

# %%
gxi = input_x_gradient(model, some, some_targets).sum(dim=(1, 2, 3))
with torch.no_grad():
    own_score = (
        model(some).gather(1, some_targets[:, None])[:, 0]
        - model(torch.zeros_like(some[:1]))[0, some_targets]
    )
ig_sum = integrated_gradients(model, some[:10], some_targets[:10], n_steps=20).sum(dim=(1, 2, 3))
figure, ax = plt.subplots(figsize=(5, 3.4))
ax.plot(own_score, gxi, "o", alpha=0.6, label="gradient × input")
ax.plot(own_score[:10], ig_sum, "s", alpha=0.7, label="Integrated Gradients")
low, high = min(own_score.min(), gxi.min()).item(), max(own_score.max(), gxi.max()).item()
ax.plot([low, high], [low, high], color=plots.BASELINE, linewidth=1)
ax.set(xlabel="score minus the grey picture's score", ylabel="sum of the attributions")
ax.legend()
plt.show()

# %% [markdown]
# ## 6 · The proof
#
# Against captum, with the same noise and the same steps, and against pytorch-grad-cam, which has no saliency but the *guided* gradient of lesson 02 (at each ReLU only what is positive goes back). Three conventions to know: captum's `NoiseTunnel` takes an *absolute* standard deviation (`stdevs`); over `Saliency` it averages absolute values; and its
# `riemann_trapezoid` has weights that do not add up to one.

# %%
from captum.attr import InputXGradient, IntegratedGradients, NoiseTunnel, Saliency
from pytorch_grad_cam import GuidedBackpropReLUModel

two, two_targets = lab.inputs[:1], lab.targets[:1]
captum_ig = IntegratedGradients(model)
sigma = 0.15 * (two.amax(dim=(1, 2, 3)) - two.amin(dim=(1, 2, 3)))
one = two[:1]
ours_smooth = smooth_grad(model, one, two_targets[:1], n_samples=40, noise_level=0.15)
torch.manual_seed(1)
theirs_smooth = NoiseTunnel(Saliency(model)).attribute(
    one, nt_type="smoothgrad", nt_samples=40, stdevs=sigma[0].item(), target=two_targets[:1], abs=False
)
apart = judge.rank_correlation(ours_smooth.abs().amax(dim=1), theirs_smooth.abs().amax(dim=1)).item()


def linear_trapezoid(n_steps):
    """What captum's trapezoid rule gives on f(x) = x from 0 to 1, where the answer is 1."""
    line = nn.Linear(1, 1, bias=False)
    nn.init.ones_(line.weight)
    return (
        IntegratedGradients(line)
        .attribute(torch.ones(1, 1), torch.zeros(1, 1), target=0, n_steps=n_steps, method="riemann_trapezoid")
        .item()
    )


# %%
# NBVAL_CHECK_OUTPUT
leaf = two.clone().requires_grad_()  # captum warns when it has to do this itself
judge.agreement_table(
    [
        (
            "by hand: saliency",
            saliency(model, two, two_targets),
            my_saliency(model, two, two_targets),
            "the same",
        ),
        (
            "captum Saliency",
            saliency(model, two, two_targets),
            Saliency(model).attribute(leaf, target=two_targets),
            "absolute values by default",
        ),
        (
            "grad-cam GuidedBackprop",
            guided_backprop(model, two, two_targets),
            torch.from_numpy(
                GuidedBackpropReLUModel(model, two.device)(two.clone(), two_targets.item())
            ).permute(2, 0, 1)[None],
            "module ReLUs, one picture, channels last",
        ),
        (
            "captum InputXGradient",
            input_x_gradient(model, two, two_targets),
            InputXGradient(model).attribute(leaf, target=two_targets).detach(),
            "the same",
        ),
        (
            "captum IG, Gauss-Legendre",
            integrated_gradients(model, two, two_targets, n_steps=20),
            captum_ig.attribute(two, target=two_targets, n_steps=20).float(),
            "the same rule",
        ),
        (
            "captum IG, midpoint",
            integrated_gradients(model, two, two_targets, n_steps=20, method="riemann_middle"),
            captum_ig.attribute(two, target=two_targets, n_steps=20, method="riemann_middle").float(),
            "the same rule",
        ),
        (
            "by hand: IG, midpoint",
            my_integrated_gradients(model, two, two_targets, torch.zeros_like(two), 20),
            captum_ig.attribute(two, target=two_targets, n_steps=20, method="riemann_middle").float(),
            "the same rule",
        ),
    ]
)

# %%
print(f"SmoothGrad, ours and captum's with different random noise: rank correlation {apart:.2f}")
for steps in (5, 10, 50):
    print(f"captum's trapezoid rule on f(x) = x with {steps} steps: {linear_trapezoid(steps):.3f} (exact: 1)")

# %% [markdown]
# With the same noise, ours and captum's SmoothGrad are equal (the course's tests check that). With different noise they only resemble each other: say how many samples you took. And the trapezoid rule loses one step's worth of weight: with few steps its completeness check fails, which is how one can find out.

# %% [markdown]
# ## 7 · The score
#
# All maps of this lesson on the stored scenes, SmoothGrad at the best noise level of section 4 (found on other scenes): first with one object, then the harder question with two, where the map must follow the question: does its maximum lie on the object that we asked for (the *pointing game*, with 5 pixels of tolerance)? Grad-CAM (lesson 04) plays too.

# %%
pairs = load_lab("scenes", n_objects=2)
pair_inputs, pair_targets = pairs.inputs[:20].repeat_interleave(2, dim=0), pairs.targets[:20].flatten()
pair_truth = pairs.masks[:20].flatten(0, 1)


def all_maps(x, t):
    """Every map of the lesson, (N, H, W)."""
    return {
        "saliency": saliency(model, x, t).amax(dim=1),
        "SmoothGrad (0.02)": smooth_grad(model, x, t, 6, 0.02).abs().amax(dim=1),
        "gradient × input": input_x_gradient(model, x, t).sum(dim=1).abs(),
        "Integrated Gradients": integrated_gradients(model, x, t, n_steps=6).sum(dim=1).abs(),
        "Grad-CAM": upsample(grad_cam(model, x, t, lab.layer), x.shape[-2:]),
        "edges (Sobel)": judge.baselines.sobel(x),
        "centre": judge.baselines.center(x),
        "random": judge.baselines.random(x),
    }


knows_nothing = ["edges (Sobel)", "centre", "random"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
single_maps = all_maps(some, some_targets)
plots.score_plot(
    {k: judge.mask_iou(v, some_masks) for k, v in single_maps.items()},
    baselines=knows_nothing,
    xlabel="one object: IoU",
    ax=axes[0],
    xlim=(0, 0.8),
)
pair_maps = all_maps(pair_inputs, pair_targets)
plots.score_plot(
    {k: judge.pointing_game(v, pair_truth, 5) for k, v in pair_maps.items()},
    baselines=knows_nothing,
    xlabel="two objects: pointing game",
    ax=axes[1],
)
plt.show()
for n_steps in (6, 24):  # does the small number of steps matter?
    ig, delta = integrated_gradients(
        model, pair_inputs[:20], pair_targets[:20], n_steps=n_steps, return_convergence_delta=True
    )
    gap = (delta.abs() / (ig.sum(dim=(1, 2, 3)) - delta).abs()).median()
    right = judge.pointing_game(ig.sum(dim=1).abs(), pair_truth[:20], 5)
    print(
        f"IG, first 20 of the 40 questions, {n_steps:>2} steps: median gap {gap:.0%}, pointing game {right.mean():.2f}"
    )

# %% [markdown]
# With one object, an edge filter that has never seen the network stands among the methods. **A map that shows the object need not explain the decision.** With two objects the edge filter is right about half of the time: it finds an object, but not the one asked for. Grad-CAM and Integrated Gradients follow the question best. And the delta that one should always look at? Six steps, taken here to save time, leave a gap; the printed lines show that with four times as many the gap shrinks, and the score moves by one question of twenty. A map can be good enough for pointing and not for adding up.
#
# Look at the maps beside the edges and ask yourself which one you would have believed:

# %%
plots.show_maps(
    list(lab.images[shown]),
    {k: single_maps[k][shown] for k in ("saliency", "Integrated Gradients", "edges (Sobel)")},
    labels=[lab.class_names[int(t)] for t in three_targets],
    title="Two explanations and an edge filter",
    width=7,
    alone=True,
)
plt.show()

# %% [markdown]
# ## 8 · The puzzle again: which map would have told you?
#
# For the creatures, we know where the creature is. A network that reads the background should put more of its map *outside* the creature than the honest twin does. The background is most of the picture, so a large share alone says nothing: the grey square in the figure is what an even map would give. Compare the twins.


# %%
def outside(lab, **options):
    """For each method: share (N,) of the map outside the creature."""
    x, t = lab.inputs[:12], lab.targets[:12]
    dark, bright = -torch.ones_like(x), torch.ones_like(x)
    maps = {
        "saliency": saliency(lab.model, x, t).amax(dim=1),
        "SmoothGrad (0.02)": smooth_grad(lab.model, x, t, 4, 0.02).abs().amax(dim=1),
        "gradient × input": input_x_gradient(lab.model, x, t).sum(dim=1).abs(),
        "IG, grey baseline": integrated_gradients(lab.model, x, t, n_steps=6).sum(dim=1).abs(),
        "IG, black baseline": integrated_gradients(lab.model, x, t, baselines=dark, n_steps=6)
        .sum(dim=1)
        .abs(),
        "IG, white baseline": integrated_gradients(lab.model, x, t, baselines=bright, n_steps=6)
        .sum(dim=1)
        .abs(),
        "IG, blurred baseline": integrated_gradients(lab.model, x, t, baselines=judge.blur(x), n_steps=6)
        .sum(dim=1)
        .abs(),
        "Grad-CAM": upsample(grad_cam(lab.model, x, t, lab.layer), x.shape[-2:]),
    }
    return {name: judge.energy_in_mask(heat, ~lab.masks[:12]) for name, heat in maps.items()}


shares = {"biased": outside(biased), "clean": outside(clean)}
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.4))
for ax, (name, values) in zip(axes, shares.items(), strict=True):
    plots.score_plot(
        values | {"area of the background": (~biased.masks[:12]).float().mean(dim=(1, 2))},
        baselines=["area of the background"],
        sort=False,
        xlabel=f"{name} network: share outside the creature",
        ax=ax,
    )
plt.show()
for name in shares["biased"]:
    difference = shares["biased"][name] - shares["clean"][name]
    low, high = judge.bootstrap_interval(difference.numpy())
    print(f"{name:<20} biased minus clean: {difference.mean():+.2f}  (95 %: {low:+.2f} to {high:+.2f})")

# %%
pick = first_of_each[:1] + first_of_each[2:3]
views = {}
for name, network in (("biased", biased), ("clean", clean)):
    x, t = network.inputs[pick], network.targets[pick]
    views[f"{name}: saliency"] = saliency(network.model, x, t).amax(dim=1)
    views[f"{name}: IG, grey"] = integrated_gradients(network.model, x, t, n_steps=32).sum(dim=1).abs()
plots.show_maps(
    list(biased.images[pick]),
    views,
    masks=biased.masks[pick],
    title="Would you have seen it?",
    width=9,
    alone=True,
)
plt.show()

# %% [markdown]
# Read the printed differences: how much more of its map the biased network puts outside the creature than the clean one. Three lessons are in them.
# - The maps do tell the networks apart, in the mean over many pictures. In the single pictures above, the biased network's map is a regular grid over the whole picture, the clean one's sits on the creature. (A grid is what layers with strides leave when nothing in the picture attracts the gradient.) With both side by side you see it; with the grid alone you might have called it noise.
# - With the *black* baseline a black background can get nothing at all, since $x_i - x'_i = 0$ there, and with the white one a white background cannot. Each is blind to half of the shortcut, by construction. The *blurred* baseline is blind to both halves: on an even ground the blurred picture equals the picture. These three have the smallest differences; which of them is last, the intervals leave open.
# - The comparison needs a twin that is known to be honest. Look at the left plot alone: five of the maps put about as much outside the creature as an even map would. That is how a network looks that reads the background, and also how a map looks that says nothing. The swap, a change in the world instead of a map, needed no twin. When you can change the
#   input, do that too.

# %% [markdown]
# ## 9 · The real thing

# %%
try:
    photos = load_lab("photos")
except LabUnavailable as error:
    photos = None
    print(error)

if photos is not None:
    x, t = photos.inputs[:2], photos.targets[:2]  # large pictures: few at a time save memory
    real = {
        "saliency": saliency(photos.model, x, t).amax(dim=1),
        "SmoothGrad (0.1)": smooth_grad(photos.model, x, t, 4, 0.1, chunk_size=2).abs().amax(dim=1),
        "IG, blurred baseline": integrated_gradients(
            photos.model, x, t, baselines=judge.blur(x), n_steps=6, chunk_size=2
        )
        .sum(dim=1)
        .abs(),
        "edges (Sobel)": judge.baselines.sobel(x),
    }
    plots.show_maps(
        list(photos.images[:2]),
        real,
        labels=[photos.class_names[int(i)] for i in t],
        title="MobileNetV2 (ImageNet) on photographs that come with scikit-image and scikit-learn",
        alone=True,
    )
    plt.show()

# %% [markdown]
# Saliency and SmoothGrad are grainy here as well; Integrated Gradients draws thin contours, as the edge filter does. (A blurred baseline gives nothing to smooth places, however important: that is section 8's warning.) On photographs, nobody has drawn the truth for us. So the edge filter stays beside the maps, as a reminder.

# %% [markdown]
# ## 10 · Where it breaks
#
# ### Card 1: does the map depend on the network?
#
# Draw new random weights from the last layer upwards (Adebayo and others, 2018), and compare with the trained network's map.

# %%
check, check_targets = lab.inputs[:3], lab.targets[:3]
tested = {
    "saliency": lambda m: saliency(m, check, check_targets).amax(dim=1),
    "gradient × input": lambda m: input_x_gradient(m, check, check_targets).sum(dim=1).abs(),
    "Integrated Gradients": lambda m: (
        integrated_gradients(m, check, check_targets, n_steps=5).sum(dim=1).abs()
    ),
}
originals = {name: method(model) for name, method in tested.items()}
curves, steps = {name: [1.0] for name in tested}, ["trained"]
for name_of_layer, randomised in judge.randomize_cascade(model):
    steps.append(name_of_layer)
    for name, method in tested.items():
        curves[name].append(judge.rank_correlation(method(randomised), originals[name]).nanmean().item())
figure, ax = plt.subplots(figsize=(9, 3.2))
for name, values in curves.items():
    ax.plot(values, "o-", label=name)
ax.set_xticks(range(len(steps)), steps, rotation=30, ha="right")
ax.set(ylabel="rank correlation with\nthe trained network's map", ylim=(-0.1, 1.05))
ax.legend()
plt.show()
print("all layers random, same picture:   ", {name: round(values[-1], 2) for name, values in curves.items()})
others_map = {
    name: judge.rank_correlation(method(randomised), originals[name].roll(1, dims=0)).nanmean().item()
    for name, method in tested.items()
}
print("all layers random, another picture:", {name: round(value, 2) for name, value in others_map.items()})

# %% [markdown]
# All three fall to about a half with the last layer, and then slowly further until everything is random. What remains then was not learnt. The last two printed lines split it: against the trained map of *another* picture the random network still agrees to some degree; that part is neither learnt nor in the picture, it comes from the architecture (the grid of the strides, the border). The rest comes from the picture. (The paper found that methods that multiply by the picture keep more of it; on these networks they do not. Measure it on yours.)
#
# ### Card 2: a rule that depends on how the network is written
#
# In-place or functional ReLUs do not matter to gradients (implementation invariance). But one thing does: training mode. With dropout or batch normalisation in training mode the gradient is that of another, random function.

# %%
model.train()
state = {k: v.clone() for k, v in model.state_dict().items()}
in_training = my_saliency(model, lab.inputs[:16], lab.targets[:16]).amax(dim=1)
model.load_state_dict(state)
model.eval()
in_eval = my_saliency(model, lab.inputs[:16], lab.targets[:16]).amax(dim=1)
print(
    f"rank correlation of saliency in training mode and in eval mode: {judge.rank_correlation(in_training, in_eval).mean():.2f}"
)

# %% [markdown]
# ### Card 3: a constant in front of the network
#
# Shift every picture by a constant, and take the constant off again at the entrance of the network, so that it computes the same. Saliency does not move. Integrated Gradients with "the zero picture" as baseline does, because zero now means another picture (Kindermans and others, 2019):


# %%
class Shifted(nn.Module):
    """The same network for pictures that were shifted by a constant."""

    def __init__(self, model, shift):
        super().__init__()
        self.model, self.shift = model, shift

    def forward(self, inputs):
        return self.model(inputs - self.shift)


shifted = Shifted(model, 1.0).eval()
pic, cls = lab.inputs[:4], lab.targets[:4]
pairs_of_maps = {
    "saliency": (saliency(model, pic, cls), saliency(shifted, pic + 1, cls)),
    "Integrated Gradients, zero baseline for both": [
        integrated_gradients(m, x, cls, n_steps=12).abs() for m, x in ((model, pic), (shifted, pic + 1))
    ],
    "Integrated Gradients, baseline shifted as well": [
        integrated_gradients(m, x, cls, baselines=b, n_steps=12).abs()
        for m, x, b in ((model, pic, 0.0), (shifted, pic + 1, 1.0))
    ],
}
for name, (before, after) in pairs_of_maps.items():
    agreement = judge.rank_correlation(before.sum(dim=1), after.sum(dim=1)).mean()
    print(f"{name}: rank correlation before and after the shift {agreement:.2f}")

# %% [markdown]
# For the shifted pictures, zero is what black (−1) was before: without a word, grey has become black. Shift the baseline with the pictures, and the map is back. So say which *picture* your baseline is, not which number.

# %% [markdown]
# ## 11 · Exercises
#
# Replace the dots with your code and run the cell with the check. `exercises.contrast_gradient.hint()` gives one hint at a time; the solution is folded below each check.

# %% [markdown]
# ### Exercise: why this rather than that?
#
# Section 2 asked one class at a time. Ask for a contrast: which pixels would raise the score of `target` *against* that of `other`? One backward pass is enough.


# %% exercise="contrast_gradient"
def contrast_gradient(model, inputs, target, other):
    """Signed gradients (N, C, H, W) of S_target − S_other (logits) at the inputs; target and other are (N,)."""
    # BEGIN SOLUTION
    inputs = inputs.clone().requires_grad_()
    logits = model(inputs)
    contrast = logits.gather(1, target[:, None]) - logits.gather(1, other[:, None])
    (gradients,) = torch.autograd.grad(contrast.sum(), inputs)
    return gradients
    # END SOLUTION


# %%
exercises.contrast_gradient.check(contrast_gradient)

# %% [markdown]
# ### Exercise: find the bug in SmoothGrad
#
# This noise stands in a homework that was copied many times. Compare it with the definition in section 4, symbol by symbol, and mend it. There is more than one thing to find.


# %% exercise="noisy_copies"
def noisy_copies(inputs, noise, noise_level):
    """Noisy copies of pictures (N, C, H, W), from standard normal noise of the same shape."""
    # BEGIN STUB
    # sigma = noise_level / (inputs.max() - inputs.min())
    # return inputs + sigma**2 * noise
    # END STUB
    # BEGIN SOLUTION
    spread = inputs.amax(dim=(1, 2, 3), keepdim=True) - inputs.amin(dim=(1, 2, 3), keepdim=True)
    return inputs + noise_level * spread * noise
    # END SOLUTION


# %%
exercises.noisy_copies.check(noisy_copies)

# %% [markdown]
# ### Exercise: find the bug in Integrated Gradients
#
# Many tutorials contain this function. Its pictures look fine. Use completeness to see that something is missing, for example with `lambda x: (x**3).sum(dim=1)` as the model, and mend it.


# %% exercise="complete_attributions"
def complete_attributions(model, inputs, baselines, n_steps):
    """Integrated Gradients of a model with one output, (N, D) for inputs (N, D), by the midpoint rule."""
    # BEGIN STUB
    # total = torch.zeros_like(inputs)
    # for k in range(n_steps):
    #     alpha = k / n_steps
    #     point = (baselines + alpha * (inputs - baselines)).requires_grad_()
    #     (gradients,) = torch.autograd.grad(model(point).sum(), point)
    #     total += gradients / n_steps
    # return total
    # END STUB
    # BEGIN SOLUTION
    total = torch.zeros_like(inputs)
    for k in range(n_steps):
        alpha = (k + 0.5) / n_steps  # the middle of each step, not its left end
        point = (baselines + alpha * (inputs - baselines)).requires_grad_()
        (gradients,) = torch.autograd.grad(model(point).sum(), point)
        total += gradients / n_steps
    return (inputs - baselines) * total
    # END SOLUTION


# %%
exercises.complete_attributions.check(complete_attributions)

# %% [markdown]
# ### Exercise: hide what you like
#
# Somebody wants a complete explanation in which the region `mask` gets *exactly nothing*, whatever the network does there; outside the mask, the baseline is to be grey (0). Which baseline would that be? (You have just learnt how to mislead with a method whose axioms are proven. The next reader should ask you for your baseline.)


# %% exercise="hiding_baseline"
def hiding_baseline(inputs, mask):
    """A baseline (N, C, H, W) with which Integrated Gradients is zero inside `mask` (N, H, W), bool."""
    # BEGIN SOLUTION
    return inputs * mask[:, None]  # x − x' is zero inside the mask
    # END SOLUTION


# %%
exercises.hiding_baseline.check(hiding_baseline)

# %% [markdown]
# ### Exercise: expected gradients
#
# Section 5 used the course's function. Write it for *one* picture: draw number $k$ has its own baseline `baselines[k]` and its own place `alphas[k]` on the way.


# %% exercise="expected_gradients"
def expected_gradients(model, picture, target, baselines, alphas):
    """Attributions (C, H, W) of the logit `target` (int): the mean over K draws.

    picture (C, H, W), baselines (K, C, H, W), alphas (K,).
    """
    # BEGIN SOLUTION
    away = picture - baselines  # (K, C, H, W)
    points = (baselines + alphas[:, None, None, None] * away).requires_grad_()
    (gradients,) = torch.autograd.grad(model(points)[:, target].sum(), points)
    return (away * gradients).mean(dim=0)
    # END SOLUTION


# %%
exercises.expected_gradients.check(expected_gradients)

# %% [markdown]
# ## 12 · Play
#
# Noise level, samples, steps and baseline. Tab moves between the controls, the arrow keys change a value.

# %%
play_baselines = {"grey": 0.0, "black": -1.0, "white": 1.0, "blurred": "blurred"}


def draw(scene, noise_level, n_samples, n_steps, baseline):
    x, t = lab.inputs[scene : scene + 1], lab.targets[scene : scene + 1]
    value = play_baselines[baseline]
    start = judge.blur(x) if value == "blurred" else torch.full_like(x, value)
    ig, delta = integrated_gradients(
        model, x, t, baselines=start, n_steps=n_steps, return_convergence_delta=True
    )
    maps = {
        "saliency": saliency(model, x, t).amax(dim=1),
        f"SmoothGrad ({noise_level:.2f})": smooth_grad(model, x, t, n_samples, noise_level).abs().amax(dim=1),
        f"IG, {baseline}": ig.sum(dim=1).abs(),
    }
    scores = {k: judge.mask_iou(v, lab.masks[scene : scene + 1]).item() for k, v in maps.items()}
    shown_maps = {
        f"{k}: IoU {scores[k]:.2f}": v / v.flatten(1).quantile(0.995, dim=1)[:, None, None]
        for k, v in maps.items()
    }
    plots.show_maps([lab.images[scene]], shown_maps, masks=lab.masks[scene : scene + 1], width=9, alone=True)
    plt.show()
    print(f"gap in completeness of IG: {delta.abs().item():.3f}")


widgets.explore(
    draw,
    scene=widgets.slider("scene", 0, len(lab.images) - 1, 3),
    noise_level=widgets.slider("noise level", 0.01, 0.4, 0.05, step=0.01),
    n_samples=widgets.slider("samples", 1, 50, 10),
    n_steps=widgets.slider("steps", 1, 64, 16),
    baseline=widgets.choice("baseline", list(play_baselines)),
)

# %% [markdown]
# The same as still pictures, at two settings: careless (2 steps, 1 sample) above, careful (32 steps, 25 samples) below.

# %%
for n_steps, n_samples in ((2, 1), (32, 25)):
    x, t = lab.inputs[3:4], lab.targets[3:4]
    still = {
        f"SmoothGrad, {n_samples} samples": smooth_grad(model, x, t, n_samples, 0.05).abs().amax(dim=1),
        f"IG, grey, {n_steps} steps": integrated_gradients(model, x, t, n_steps=n_steps).sum(dim=1).abs(),
        f"IG, black, {n_steps} steps": integrated_gradients(model, x, t, baselines=-1.0, n_steps=n_steps)
        .sum(dim=1)
        .abs(),
    }
    plots.show_maps([lab.images[3]], still, masks=lab.masks[3:4], width=8.5, alone=True)
plt.show()

# %% [markdown]
# ## 13 · The paper in ten questions
#
# M. Sundararajan, A. Taly, Q. Yan: *Axiomatic Attribution for Deep Networks* (ICML 2017).
#
# 1. **Which problem?** Attribute a network's output to its inputs, and know what "right" means when there is no truth to compare with.
# 2. **Is it new?** Path attribution comes from economics (Aumann and Shapley). Taking axioms first and deriving the method for networks was new.
# 3. **Which hypothesis?** A few properties that everybody would ask for single out the method.
# 4. **Related work, and who?** Gradients (Simonyan and others), deconvolution, guided backpropagation, LRP, DeepLIFT: each violates one of the paper's two axioms, sensitivity and implementation invariance. The authors were at Google.
# 5. **The key idea?** Add up the gradient on the straight line from a baseline to the input.
# 6. **Which experiments?** Object recognition, diabetic retinopathy, question classification, translation, chemistry.
# 7. **Data and code?** Public networks and data; the method is a few lines.
# 8. **Do the results support it?** The axioms are proven. Whether the pictures help people, and which baseline is right, the paper leaves open.
# 9. **What did it contribute?** Completeness as a check that anybody can run.
# 10. **What next?** Baselines (Sturmfels and others, 2020), expected gradients, and the link to Shapley values (lesson 07).

# %% [markdown]
# ## 14 · Recap
#
# - Saliency is the slope of the score at the picture: cheap, local, blind when the score has saturated.
# - SmoothGrad averages slopes of noisy copies. On our networks a little noise and many samples gained very little, and strong noise hurt: measure before you use it.
# - Integrated Gradients adds the slopes up on the way from a baseline. It is complete; check the delta.
# - The baseline is part of the question.
# - Put an edge filter beside your maps, and change the input when you can.
# - Next: **09 · Filter visualization**.
#
# **References**
# - [Simonyan and others, 2014: Deep inside convolutional networks](https://arxiv.org/abs/1312.6034)
# - [Smilkov and others, 2017: SmoothGrad](https://arxiv.org/abs/1706.03825)
# - [Sundararajan and others, 2017: Axiomatic attribution](https://arxiv.org/abs/1703.01365)
# - [Adebayo and others, 2018: Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292)
# - [Kindermans and others, 2019: The (un)reliability of saliency methods](https://arxiv.org/abs/1711.00867)
# - [Sturmfels and others, 2020: Visualizing the impact of feature attribution baselines](https://distill.pub/2020/attribution-baselines/)
# - [Erion and others, 2021: Expected gradients](https://arxiv.org/abs/1906.10670)
