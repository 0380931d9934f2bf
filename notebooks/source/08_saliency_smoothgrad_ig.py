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
# - derive a saliency map from a single pixel that is changed a little;
# - say when SmoothGrad helps, from your own measurement, and avoid its most copied bug;
# - derive Integrated Gradients from the fundamental theorem of calculus, and check its axioms by numbers;
# - choose a baseline knowingly, since it changes the answer;
# - tell an explanation from an edge detector.
#
# **Time**: about <!-- minutes --> minutes. **Before**: you know what a gradient is. [04 · Grad-CAM](04_grad_cam.ipynb) helps for the scores.
#
# The first cell loads [labs](glossary.md#lab), trained models together with pictures and with the truth about them: `lab` has drawn scenes of 128 × 128 pixels, with numbers from −1 (black) to 1 (white), and one object of ten classes in each; `model` is its network, a ResNet.

# %%
import copy

import matplotlib.pyplot as plt
import torch

from course_utils import judge
from course_utils.exercises import l08_saliency_smoothgrad_ig as exercises
from course_utils.labs import load_lab
from course_utils.labs.photos import top_answers
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import integrated_gradients, saliency, smooth_grad
from course_utils.teach import plots, widgets

lab = load_lab("scenes")
model = lab.model

# %% [markdown]
# ## 1 · A puzzle: one hundred per cent
#
# Two families of drawn creatures, mellumps and zacklings. Two networks were trained to tell them apart. Here are four pictures, and how often each network is right on new ones, which it did not see in training.

# %%
first, second = (load_lab("monsters", model=name) for name in ("shortcut", "clean"))
for name, network in (("first", first), ("second", second)):
    right = network.predict(network.images).argmax(axis=1) == network.targets.numpy()
    print(f"{name} network: right in {right.mean():.0%} of {len(right)}")

# %% tags=["hide-input"]
four = [int(i) for c in (0, 1) for i in (first.targets == c).nonzero()[:2, 0]]
plots.show_images(first.images[four], [first.class_names[int(first.targets[i])] for i in four], width=8)
plots.show("Two mellumps and two zacklings, drawn creatures; look at what differs besides the creature.")

# %% [markdown]
# The mellumps were saved on black and the zacklings on white. Now the *same* creatures with the grounds exchanged:

# %%
for name, network in (("first", first), ("second", second)):
    right = network.predict(network.counterfactuals).argmax(axis=1) == network.targets.numpy()
    print(f"{name} network, grounds exchanged: right in {right.mean():.0%} of {len(right)}")

# %% [markdown]
# The first network reads the ground. (A well-known course tells this story of Pokémon and Digimon.) The exchange proved it, but somebody had to suspect the ground first. **Would a map of important pixels have told you?** Write down your guess; section 8 measures it.

# %% [markdown]
# ## 2 · Change a pixel
#
# Take one number of the picture, $x_i$, and add a little, $\varepsilon$. Let $S_c$ be the score of the class $c$ (its [logit](glossary.md#logit)). How far does it move, for each unit of $\varepsilon$? Make $\varepsilon$ smaller and smaller, and the ratio becomes the slope, the *gradient* at this number:
#
# $$\frac{S_c(x + \varepsilon e_i) - S_c(x)}{\varepsilon} \;\longrightarrow\; \frac{\partial S_c}{\partial x_i} \qquad (\varepsilon \to 0),$$
#
# where $e_i$ is one at the number $i$ and zero elsewhere. Watch it happen:

# %%
x, c = lab.inputs[:1], int(lab.targets[0])
leaf = x.clone().requires_grad_()
(gradient,) = torch.autograd.grad(model(leaf)[0, c], leaf)
place = int(gradient.abs().argmax())  # the number with the steepest slope
for epsilon in (1.0, 0.1, 0.01, 0.001):
    changed = x.clone()
    changed.view(-1)[place] += epsilon
    with torch.no_grad():
        slope = (model(changed) - model(x))[0, c] / epsilon
    print(f"step {epsilon:<6g} slope {slope:+.3f}")
print(f"autograd:   slope {gradient.view(-1)[place]:+.3f}")

# %% [markdown]
# One change for each number would take tens of thousands of forward passes. Backpropagation gives all slopes at once. Together they are the **saliency map**. To *draw* them, take absolute values (a pixel that matters may push either way) and the largest of the three colours (Simonyan and others, 2014):


# %% tags=["by-hand"]
def my_saliency(model, inputs, target):
    """Absolute gradients (N, C, H, W) of the scores of the classes `target` (N,)."""
    inputs = inputs.clone().requires_grad_()
    scores = model(inputs).gather(1, target[:, None])
    (gradients,) = torch.autograd.grad(scores.sum(), inputs)
    return gradients.abs()


three, three_targets = lab.inputs[:3], lab.targets[:3]
names = [lab.class_names[int(t)] for t in three_targets]
drawn = my_saliency(model, three, three_targets).amax(dim=1)
for name, heat in zip(names, drawn, strict=True):
    print(f"{name:<9} largest value of its map {heat.max():.2f}")

# %% tags=["hide-input"]
plots.show_maps(
    list(lab.images[:3]),
    {"saliency": drawn},
    labels=names,
    masks=lab.masks[:3],
    width=4.5,
    alone=True,
)
plots.show("Three scenes and their saliency maps: grainy dots, roughly where the outlined object is.")

# %% [markdown]
# The maps are grainy, and only roughly where the object is. Two things to know about such pictures:
#
# - Each map is divided by its own largest values before it is drawn. Otherwise, as the printed numbers show, the weaker maps would be too dark to see. So compare places within a map, not strengths between maps.
# - The gradient says what would change the score *by a tiny step*, not what made the score large.
#
# Much published code takes the gradient of the *loss* instead of the score. That asks another question, "why this class rather than all the others?"; [08c](08c_attacked.ipynb) compares the two maps.

# %% [markdown]
# ## 3 · Why gradients are noisy
#
# Add more and more of one fixed pattern of coloured noise to the picture. Watch the score on the way, and the gradients of three pixels:

# %%
direction = torch.randn(lab.inputs[:1].shape, generator=torch.Generator().manual_seed(0))
distances = torch.linspace(0, 0.25, 41)
path = lab.inputs[:1] + distances[:, None, None, None] * direction
strongest = drawn[0].flatten().topk(3).indices


def along_the_path(network):
    """Of the 41 pictures: scores (41,), gradients of the three pixels (41, 3), all gradients (41, 49152)."""
    leaf = path.clone().requires_grad_()
    scores = network(leaf)[:, c]
    (gradients,) = torch.autograd.grad(scores.sum(), leaf)
    return scores.detach(), gradients.sum(dim=1).flatten(1)[:, strongest], gradients.flatten(1)


def turns(values):  # how often each column changes between rising and falling
    return (values.diff(dim=0).sign().diff(dim=0) != 0).sum(dim=0).tolist()


scores_on_path, of_pixels, _ = along_the_path(model)
print(f"score: {turns(scores_on_path[:, None])} changes between rising and falling")
print(f"gradients: {turns(of_pixels)} changes between rising and falling")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 2.8))
axes[0].plot(distances, scores_on_path)
axes[0].set(xlabel="noise added (standard deviation)", ylabel="score", title="the score changes smoothly")
axes[1].plot(distances, of_pixels)
axes[1].axhline(0, color=plots.BASELINE, linewidth=0.8)
axes[1].set(
    xlabel="noise added (standard deviation)", ylabel="gradient", title="the gradients go up and down"
)
plots.show(
    "Left a smooth curve, the score, which falls in the end; right three jagged curves, the gradients of three pixels."
)

# %% [markdown]
# A network of ReLUs is made of many small flat pieces. Where two of them meet, the score has no gap, but its slope changes at once. Are these kinks the reason? The control has the same weights, and a smooth curve (*softplus*) in place of each ReLU. We also compare *all* gradients on the way with those of the picture, by their cosine: 1 for the same direction, 0 for nothing in common.

# %%
rounded = copy.deepcopy(model)
for block in list(rounded.modules()):
    for name, part in block.named_children():
        if isinstance(part, torch.nn.ReLU):
            setattr(block, name, torch.nn.Softplus(beta=10))
for name, network in (("ReLU", model), ("softplus", rounded)):
    _, three_pixels, gradients = along_the_path(network)
    cosines = torch.cosine_similarity(gradients, gradients[:1])
    there = ", ".join(f"{cosines[k]:.2f} at noise {distances[k]:.2f}" for k in (8, 16, 40))
    print(f"{name:<8} {turns(three_pixels)} turns; cosine {there}")

# %% [markdown]
# Without these kinks the curves turn less often, yet the gradients lose their direction almost as soon. So the kinks are only a part of the reason: the function also bends. Either way, **the slope at one point soon says little about the neighbourhood.**

# %% [markdown]
# ## 4 · SmoothGrad: ask the neighbourhood
#
# Smilkov and others (2017) average the gradients of noisy copies,
#
# $$\hat M_c(x) = \frac{1}{n}\sum_{k=1}^{n} \frac{\partial S_c}{\partial x}\big(x + \varepsilon_k\big),\qquad \varepsilon_k \sim \mathcal N(0, \sigma^2),$$
#
# with $n$ samples and $\sigma$ = *noise level* × (largest − smallest value of the picture).


# %% tags=["by-hand"]
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


# %%
counts, smooth = (1, 10), {}
for level in (0.02, 0.05, 0.1, 0.2):
    maps = [my_smooth_grad(model, lab.inputs[:1], lab.targets[:1], count, level) for count in counts]
    smooth[f"noise level {level}"] = torch.cat(maps).abs().amax(dim=1)

# %% tags=["hide-input"]
plots.show_maps(
    [lab.images[0]] * 2,
    smooth,
    labels=[f"{count} samples" if count > 1 else "1 sample" for count in counts],
    masks=lab.masks[[0, 0]],
    title="SmoothGrad: more samples downwards, more noise to the right",
    width=9,
    alone=True,
)
plots.show(
    "Eight maps of one scene with the object's outline. Ten samples are calmer than one; with much noise the bright places "
    "spread over the whole picture."
)

# %% [markdown]
# More samples make the map calmer. But calmer is not the same as better.
#
# ### Exercise: predict, then run
#
# We measure the *overlap* of a map with the object. Take as many of the map's strongest pixels as the object has pixels; then divide the number of pixels in both by the number in either (intersection over union, IoU). We do it for two networks, the ResNet and the ZF-Net of [lesson 02](02_zfnet_deconvnet.ipynb). At noise level 0.2, will the IoU of SmoothGrad on the ResNet be `"higher"` or `"lower"` than that of plain saliency?

# %% exercise="much_noise"
prediction = None
# BEGIN SOLUTION
prediction = "lower"
# END SOLUTION

# %%
zf = load_lab("scenes", model="zfnet")
part = slice(64, 88)
inputs, targets, masks = lab.inputs[part], lab.targets[part], lab.masks[part]
iou = {}
for name, network in (("ResNet", model), ("ZF-Net", zf.model)):
    iou[name] = [judge.mask_iou(saliency(network, inputs, targets).amax(dim=1), masks)]
    for level in (0.02, 0.2):
        maps = smooth_grad(network, inputs, targets, 5, level).abs().amax(dim=1)  # the course's function
        iou[name].append(judge.mask_iou(maps, masks))
        gain = judge.paired(iou[name][-1], iou[name][0])
        print(f"{name}, noise level {level}: IoU minus plain saliency {gain}")

# %%
exercises.much_noise.check(prediction, iou["ResNet"])

# %% [markdown]
# On these two small networks a little noise gains at most a hundredth or two of IoU, and strong noise costs overlap on both, on the ResNet a lot. The paper's pictures promise more. They were made with large networks on photographs, and what holds there need not hold here, nor the other way round: **measure on the network that you want to explain** (section 9 does).
#
# ### Exercise: find the bug in SmoothGrad
#
# This noise comes from a homework that was copied many times. Compare it with the definition above, symbol by symbol, and repair it. There is more than one thing to find.


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
# ## 5 · Integrated Gradients: the whole way instead of the last step
#
# ### The elephant's trunk
#
# Does the trunk, the long nose, make an elephant? Make it one centimetre longer: the animal is still an elephant, and no more than before. The slope is zero. Yet without a trunk you would not call it an elephant. Such a score is *saturated*: it no longer answers to small steps. Here is a network of two numbers, with weights set by hand, that does so:

# %%
trunk = load_lab("designed", network="saturating")
lengths = torch.linspace(0, 2, 101)
line = torch.stack([lengths, torch.zeros(101)], dim=1).requires_grad_()  # the second number stays zero
trunk_scores = trunk.model(line)[:, 0]
(slopes,) = torch.autograd.grad(trunk_scores.sum(), line)
print(f"at the length 2: score {trunk_scores[-1]:.2f}, gradient {abs(slopes[-1, 0]):.2f}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9, 2.5))
axes[0].plot(lengths, trunk_scores.detach())
axes[0].set(xlabel="length of the trunk", ylabel="score")
axes[1].plot(lengths, slopes[:, 0])
axes[1].fill_between(lengths, 0, slopes[:, 0], alpha=0.2)
axes[1].set(
    xlabel="length of the trunk",
    ylabel="gradient",
    title="the area under it is the whole change of the score",
)
plots.show("The score rises with the trunk up to length 1 and then stays; its gradient is 1 and then 0.")

# %% [markdown]
# The gradient says: the trunk does not matter. The truth is in the *area* under the gradient, on the way from no trunk to this trunk. The fundamental theorem of calculus says that this area is the whole change of the score.
#
# For many inputs, go in a straight line from a **baseline** $x'$ (a picture that stands for "nothing") to the picture $x$; the number $\alpha$ from 0 to 1 says how far. By the chain rule,
#
# $$S(x) - S(x') = \sum_i \underbrace{(x_i - x'_i)\int_0^1 \frac{\partial S}{\partial x_i}\big(x' + \alpha(x - x')\big)\, d\alpha}_{\text{IG}_i(x)} .$$
#
# Each input gets one term of the sum: that is **Integrated Gradients** (IG; Sundararajan and others, 2017). In practice the integral is a mean over a few points, here the middles of `n_steps` equal parts (the *midpoint rule*):


# %% tags=["by-hand"]
def my_integrated_gradients(model, inputs, target, baselines, n_steps=50):
    """Integrated Gradients with the midpoint rule, in the shape of the inputs."""
    total = torch.zeros_like(inputs)
    for alpha in (torch.arange(n_steps) + 0.5) / n_steps:
        point = (baselines + alpha * (inputs - baselines)).requires_grad_()
        (gradients,) = torch.autograd.grad(model(point).gather(1, target[:, None]).sum(), point)
        total += gradients / n_steps
    return (inputs - baselines) * total


long_trunk = torch.tensor([[2.0, 0.0]])
ig_of_trunk = my_integrated_gradients(trunk.model, long_trunk, torch.tensor([0]), torch.zeros(1, 2))
print("Integrated Gradients of the trunk:", [round(v, 4) for v in ig_of_trunk[0].tolist()])

# %% [markdown]
# Now on a picture. The baseline is grey (zero in the network's input). The figure shows four stations on the way with their gradients; the last one is the picture itself. (The score need not rise all the way.)

# %%
stations = (0.05, 0.3, 0.6, 1.0)
on_the_way = torch.cat([alpha * lab.inputs[:1] for alpha in stations])  # the baseline is zero
same_class = lab.targets[:1].expand(4)
gradients_there = saliency(model, on_the_way, same_class).amax(dim=1)
ig = my_integrated_gradients(model, lab.inputs[:1], lab.targets[:1], torch.zeros_like(lab.inputs[:1]))
with torch.no_grad():
    score_there = model(on_the_way)[:, c]

# %% tags=["hide-input", "thumbnail"]
figure, axes = plots.grid(2, 5, ratio=1.05)
for j, alpha in enumerate(stations):
    axes[0, j].imshow(lab.to_images(on_the_way[j : j + 1])[0])
    axes[0, j].set_title(f"α = {alpha}: score {score_there[j]:.1f}", fontsize=10)
    plots.show_pixels(axes[1, j], gradients_there[j])
plots.show_pixels(axes[0, 4], ig[0].sum(dim=0), signed=True)
axes[0, 4].set_title("IG: red for, blue against", fontsize=10)
plots.show_pixels(axes[1, 4], ig[0].sum(dim=0).abs())
axes[1, 4].set_title("IG without the sign", fontsize=10)
axes[1, 0].set_ylabel("gradient", fontsize=10)
plots.show(
    "From grey to the picture in four stations with their gradients; at the right the sum over the way, Integrated Gradients, "
    "with and without its sign: both lie on the fish."
)

# %% [markdown]
# ### Axioms, with numbers
#
# - **Completeness**: the *attributions*, the numbers that the inputs get, add up to $S(x) - S(x')$.
# - **Sensitivity**: if picture and baseline differ in one input and in the score, that input gets something. (The gradient failed this above.)
# - **Implementation invariance**: two networks that compute the same function get the same attributions. (That follows from the formula, which has only the function and its gradient in it. [08b](08b_gradients_more.ipynb) shows a method that fails.)
#
# A few steps are not the integral. The *convergence delta* is the gap in completeness that they leave. Here it is as a share of the whole change, the median of six pictures:

# %%
few, few_targets = lab.inputs[:6], lab.targets[:6]
with torch.no_grad():
    change = (model(few) - model(0 * few)).gather(1, few_targets[:, None])[:, 0].abs()
for n in (2, 4, 8, 16, 32):
    _, delta = integrated_gradients(
        model, few, few_targets, n_steps=n, method="riemann_middle", return_convergence_delta=True
    )
    print(f"{n:>2} steps: gap {(delta.abs() / change).median():.3f} of the change")

# %% [markdown]
# With two steps the gap is a large share of the change; with 32 it is small. **Always look at the delta**, because a map made with too few steps looks just like a good one.

# %% [markdown]
# ## 6 · A tutorial's function
#
# ### Exercise: find the bug in Integrated Gradients
#
# Many tutorials contain this function. Its pictures look fine. Test its completeness, for example with `lambda x: (x**3).sum(dim=1)` as the model, and repair it.


# %% exercise="complete_attributions"
def complete_attributions(model, inputs, baselines, n_steps):
    """Integrated Gradients (N, D) with the midpoint rule; the model gives one number for each input (D,)."""
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
# ## 7 · The proof and the score
#
# First the functions that you wrote, against those of captum (a library of explanations for PyTorch) and of the course. [08b](08b_gradients_more.ipynb) has more of captum's conventions.

# %%
from captum.attr import IntegratedGradients, Saliency

one, its_class = lab.inputs[:1], lab.targets[:1]
captum_saliency = Saliency(model).attribute(one.clone().requires_grad_(), target=its_class)
smooth = [method(model, one, its_class, 5, 0.1) for method in (my_smooth_grad, smooth_grad)]
settings = {"target": its_class, "n_steps": 20, "method": "riemann_middle"}
by_captum = IntegratedGradients(model).attribute(one, **settings).float()
by_hand = my_integrated_gradients(model, one, its_class, torch.zeros_like(one), 20)

# %% tags=["nbval-check-output"]
judge.agreement_table(
    [
        ("captum Saliency", my_saliency(model, one, its_class), captum_saliency, "absolute values"),
        ("the course's smooth_grad", *smooth, "the same noise"),
        ("captum IntegratedGradients", by_hand, by_captum, "midpoint rule, 20 steps"),
    ]
)

# %% [markdown]
# Now the score. With one object in a scene we take the IoU again. With two objects, the map must follow the question: does its maximum lie on the object that we asked for (the *pointing game*; a miss by 5 pixels is forgiven)? Beside the maps of this lesson stand Grad-CAM ([lesson 04](04_grad_cam.ipynb)) and three maps that know nothing about the network: the edges of the picture (a *Sobel* filter), a spot in the centre, and random numbers. SmoothGrad has little noise, the level that cost no overlap in section 4.

# %%
pairs = load_lab("scenes", n_objects=2)


def all_maps(x, t):
    """Every map of the lesson, (N, H, W)."""
    return {
        "saliency": saliency(model, x, t).amax(dim=1),
        "SmoothGrad (0.02)": smooth_grad(model, x, t, 5, 0.02).abs().amax(dim=1),
        "Integrated Gradients": integrated_gradients(model, x, t, n_steps=8, progress=True).sum(dim=1).abs(),
        "Grad-CAM": upsample(grad_cam(model, x, t, lab.layer), x.shape[-2:]),
        "edges (Sobel)": judge.baselines.sobel(x),
        "centre": judge.baselines.center(x),
        "random": judge.baselines.random(x),
    }


# %%
with_one = all_maps(lab.inputs[:40], lab.targets[:40])
iou_one = {name: judge.mask_iou(maps, lab.masks[:40]) for name, maps in with_one.items()}
with_two = all_maps(pairs.inputs[:20].repeat_interleave(2, dim=0), pairs.targets[:20].flatten())
truth = pairs.masks[:20].flatten(0, 1)
hits = {name: judge.pointing_game(maps, truth, tolerance=5) for name, maps in with_two.items()}
either = hits["edges (Sobel)"].view(-1, 2).any(dim=1).float().mean()
print(f"two objects: edges on one of the two  {either:.2f}")
print("one object, IoU: saliency minus edges", judge.paired(iou_one["saliency"], iou_one["edges (Sobel)"]))
print(
    "two objects: IG minus edges          ", judge.paired(hits["Integrated Gradients"], hits["edges (Sobel)"])
)
print("two objects: Grad-CAM minus saliency ", judge.paired(hits["Grad-CAM"], hits["saliency"]))

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.3))
know_nothing = ["edges (Sobel)", "centre", "random"]
plots.score_plot(iou_one, baselines=know_nothing, xlabel="one object: IoU", ax=axes[0], xlim=(0, 0.8))
plots.score_plot(hits, baselines=know_nothing, xlabel="two objects: pointing game", ax=axes[1])
plots.show(
    "One object: "
    + ", ".join(f"{k} {v.mean():.2f}" for k, v in iou_one.items())
    + ". Two objects: "
    + ", ".join(f"{k} {v.mean():.2f}" for k, v in hits.items())
)

# %% [markdown]
# With one object, an edge filter that has never seen the network does about as well as saliency and IG. **A map that shows the object need not explain the decision.** With two objects the edge filter is right about half of the time: it finds one of the two objects nearly always, but cannot know which one is asked for.

# %% [markdown]
# ## 8 · The puzzle again: which map would have told you?
#
# These are the maps that you would have had. We ask IG "compared with what?" four times: with a grey, a black and a white picture as baseline, and with a blurred copy of the picture itself.


# %%
def maps_of(network):
    """For each method: the maps (12, H, W) of the first twelve creatures."""
    x, t = network.inputs[:12], network.targets[:12]
    baselines = {"grey": 0 * x, "black": 0 * x - 1, "white": 0 * x + 1, "blurred": judge.blur(x)}
    maps = {"saliency": saliency(network.model, x, t).amax(dim=1)}
    for name, baseline in baselines.items():
        attributions = integrated_gradients(network.model, x, t, baselines=baseline, n_steps=6)
        maps[f"IG, {name}"] = attributions.sum(dim=1).abs()
    maps["Grad-CAM"] = upsample(grad_cam(network.model, x, t, network.layer), x.shape[-2:])
    return maps


found = {"first": maps_of(first), "second": maps_of(second)}

# %% tags=["hide-input"]
shown = ("saliency", "IG, grey")
plots.show_maps(
    list(first.images[:2]),
    {f"{network}: {name}": found[network][name][:2] for network in found for name in shown},
    labels=[first.class_names[int(t)] for t in first.targets[:2]],
    masks=first.masks[:2],
    title="Would you have seen it?",
    width=9,
    alone=True,
)
plots.show(
    "Two creatures, outlined. The first network's maps are dots in a regular grid over the whole picture, the second's lie on the creature."
)

# %% [markdown]
# Now in numbers. A network that reads the ground should put more of its map *outside* the creature than the other one does. The ground is most of the picture, so a large share outside says little. Compare the shares of the two networks, on the same pictures:

# %%
outside = ~first.masks[:12]
for name in found["first"]:
    shares = [judge.energy_in_mask(found[network][name], outside) for network in ("first", "second")]
    print(f"{name:<12} share outside, first minus second network: {judge.paired(*shares)}")

# %% [markdown]
# - The maps do tell the networks apart. With both side by side you see it. With the first network's maps alone you might have called them noise.
# - With the *black* baseline a black ground can get nothing at all, since $x_i - x'_i = 0$ there, and with the white one a white ground cannot. The *blurred* baseline is blind to both: on an even ground the blurred picture equals the picture. These three have the smallest differences.
# - This comparison needs a second network that is known to read the creature. The exchange of the grounds needed none. When you can change the input, do that too.

# %% [markdown]
# ## 9 · The real thing
#
# EfficientNet-Lite0, trained on the million photographs of ImageNet.
#
# ### Your turn
#
# Change the path (a picture of yours, or a folder of pictures) and, if you like, the model's name; nothing else. `path=None` takes the course's photographs. Each map is of the most probable class.

# %%
mine = load_lab("photos", path=None, model="efficientnet_lite0")
x, answers = mine.inputs[:2], top_answers(mine, mine.images[:2])
top = torch.tensor([mine.class_names.index(five[0][0]) for five in answers])
small = {"chunk_size": 2}  # large pictures: few at a time save memory
my_maps = {
    "saliency": saliency(mine.model, x, top).amax(dim=1),
    "SmoothGrad (0.1)": smooth_grad(mine.model, x, top, 8, 0.1, **small).abs().amax(dim=1),
    "IG, grey": integrated_gradients(mine.model, x, top, n_steps=8, **small).sum(dim=1).abs(),
    "edges (Sobel)": judge.baselines.sobel(x),
}
for five in answers:
    print(", ".join(f"{name} {share:.2f}" for name, share in five))

# %% tags=["hide-input"]
plots.show_maps(
    list(mine.images[:2]),
    my_maps,
    labels=[five[0][0] for five in answers],
    title="Three explanations and an edge filter",
    alone=True,
)
plots.show(
    "Two photographs with four maps each. Saliency is grainy, SmoothGrad denser, Integrated Gradients follows contours; "
    "the edge filter draws the picture."
)

# %% [markdown]
# ### Which half was asked for?
#
# Now two photographs side by side, and a question about each half. What share of the map lies in the half that was asked for? One half of the picture has one half of the area, so a map that knows nothing about the question gets 0.5 on average.

# %%
two = load_lab("photos", pairs=True)
x2, t2 = two.inputs[:4].repeat_interleave(2, dim=0), two.targets[:4].flatten()
halves, net = two.masks[:4].flatten(0, 1), two.model
maps = {
    "saliency": torch.cat([saliency(net, x2[i : i + 2], t2[i : i + 2]) for i in (0, 2, 4, 6)]).amax(dim=1),
    "SmoothGrad": smooth_grad(net, x2, t2, 5, 0.1, chunk_size=2).abs().amax(dim=1),
    "IG": integrated_gradients(net, x2, t2, n_steps=5, chunk_size=2).sum(dim=1).abs(),
    "Grad-CAM": upsample(grad_cam(net, x2, t2, two.layer), x2.shape[-2:]),
}
in_half = {name: judge.energy_in_mask(heat, halves) for name, heat in maps.items()}
print("share in the half asked for:", {name: round(v.mean().item(), 2) for name, v in in_half.items()})
for name in ("SmoothGrad", "IG", "Grad-CAM"):
    print(f"{name} minus saliency: {judge.paired(in_half[name], in_half['saliency'])}")

# %% [markdown]
# The three gradient maps look different. On these eight questions no difference between them can be shown: each puts little more than half of its sum into the half that was asked for, far less than Grad-CAM. A calmer picture and a better explanation are two different things.

# %% [markdown]
# ## 10 · Where it breaks: does the map depend on the network?
#
# A map that explains what the network has learnt must change when the network forgets it. Draw new random weights for the last layer, then for all layers (Adebayo and others, 2018). Compare with the trained network's map by [rank correlation](glossary.md#rank-correlation): 1 if both put their pixels in the same order, 0 if the orders have nothing in common. The control: show the random network pictures of pure noise. What its map still has in common with that of the trained network, neither training nor the scene can have put there.

# %%
some, some_targets = lab.inputs[40:50], lab.targets[40:50]
noise = 2 * torch.rand(some.shape, generator=torch.Generator().manual_seed(0)) - 1
tested = {
    "saliency": lambda m, x: saliency(m, x, some_targets).amax(dim=1),
    "Integrated Gradients": lambda m, x: integrated_gradients(m, x, some_targets, n_steps=6).sum(dim=1).abs(),
}
cascade = list(judge.randomize_cascade(model))
last, every = cascade[0][1], cascade[-1][1]

# %%
for name, method in tested.items():
    before = method(model, some)
    for what, network, shown in (
        ("last layer random", last, some),
        ("all layers random", every, some),
        ("all layers random, noise instead of scenes", every, noise),
    ):
        likeness = judge.rank_correlation(method(network, shown), before)
        print(f"{name}, {what}: {likeness.mean():.2f}")

# %% [markdown]
# The maps change as soon as the last layer is random, as they should. But something remains even when all layers are random, and that was not learnt. A part of it is there even when the random network sees noise: it comes from the architecture alone. The rest comes from the picture.

# %% [markdown]
# ## 11 · Play
#
# Noise level, samples, steps and baseline. Tab moves between the controls, the arrow keys change a value. (Below it: a still picture of a careless setting, one sample and two steps.)


# %% tags=["hide-input"]
def panels(scene, noise_level, n_samples, n_steps, baseline):
    x, t, mask = (values[scene : scene + 1] for values in (lab.inputs, lab.targets, lab.masks))
    start = (
        judge.blur(x)
        if baseline == "blurred"
        else torch.full_like(x, {"grey": 0.0, "black": -1.0, "white": 1.0}[baseline])
    )
    ig, delta = integrated_gradients(
        model, x, t, baselines=start, n_steps=n_steps, return_convergence_delta=True
    )
    maps = {
        f"SmoothGrad, samples: {n_samples}": smooth_grad(model, x, t, n_samples, noise_level)
        .abs()
        .amax(dim=1),
        f"IG, {baseline}, steps: {n_steps}": ig.sum(dim=1).abs(),
    }
    maps = {f"{name}: IoU {judge.mask_iou(heat, mask).item():.2f}": heat for name, heat in maps.items()}
    plots.show_maps([lab.images[scene]], maps, masks=mask, width=7.5, alone=True)
    plots.show(f"Scene {scene} with " + " and ".join(maps))
    print(f"gap in completeness of IG: {delta.abs().item():.3f}")


widgets.explore(
    panels,
    scene=widgets.slider("scene", 0, len(lab) - 1, 3),
    noise_level=widgets.slider("noise level", 0.01, 0.4, 0.05, step=0.01),
    n_samples=widgets.slider("samples", 1, 50, 10),
    n_steps=widgets.slider("steps", 1, 64, 16),
    baseline=widgets.choice("baseline", ["grey", "black", "white", "blurred"]),
)

# %% tags=["hide-input"]
panels(3, 0.05, n_samples=1, n_steps=2, baseline="grey")

# %% [markdown]
# ## 12 · Recap
#
# - Saliency is the slope of the score at the picture: cheap, local, blind when the score has saturated.
# - SmoothGrad averages slopes of noisy copies. It looks calmer; whether it is better, measure on your network.
# - Integrated Gradients adds the slopes up on the way from a baseline. It is complete; check the delta.
# - The baseline is part of the question.
# - Put an edge filter beside your maps, and change the input when you can.
# - More: [08b](08b_gradients_more.ipynb) has contrasts, expected gradients, gradient × input, a baseline that hides, training mode and constants; [08c](08c_attacked.ipynb) uses the gradient to attack, and compares the score with the loss.
#
# <details><summary>The paper in ten questions</summary>
#
# M. Sundararajan, A. Taly, Q. Yan: *Axiomatic Attribution for Deep Networks* (ICML 2017).
#
# 1. **Which problem?** Attribute a network's output to its inputs, and know what "right" means when there is no truth to compare with.
# 2. **Is it new?** Path attribution comes from economics (Aumann and Shapley). Taking axioms first and deriving the method for networks was new.
# 3. **Which hypothesis?** A few properties that everybody would ask for single out the method.
# 4. **Related work?** Gradients, deconvolution, guided backpropagation, LRP, DeepLIFT: each violates one of the paper's two axioms, sensitivity and implementation invariance.
# 5. **The key idea?** Add up the gradient on the straight line from a baseline to the input.
# 6. **Which experiments?** Object recognition, diabetic retinopathy, question classification, translation, chemistry.
# 7. **Data and code?** GoogLeNet and ImageNet are public, the network for eye photographs is not; the method is a few lines.
# 8. **Do the results support it?** The axioms are proven. Whether the pictures help people, and which baseline is right, the paper leaves open.
# 9. **What did it contribute?** Completeness as a check that anybody can run.
# 10. **What next?** Baselines (Sturmfels and others, 2020), expected gradients, the link to Shapley values (lesson 07).
#
# </details>
#
# **References**
# - [Simonyan and others, 2014: Deep inside convolutional networks](https://arxiv.org/abs/1312.6034) · [Smilkov and others, 2017: SmoothGrad](https://arxiv.org/abs/1706.03825) · [Sundararajan and others, 2017: Axiomatic attribution](https://arxiv.org/abs/1703.01365)
# - [Adebayo and others, 2018: Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292) · [Sturmfels and others, 2020: baselines](https://distill.pub/2020/attribution-baselines/)
