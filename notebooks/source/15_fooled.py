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
# # 15 · Fooled: attacked answers, and explanations that lie
#
# **The question.** Somebody wants the network to be wrong, or wants you to believe that it is right. How small a change is enough, and what does an explanation show then?
#
# **After this lesson you can**
# - attack a network with several small steps (PGD), in two norms, and say in which unit the step is measured;
# - measure how robust a network is, and say why one attack is not enough for that;
# - say what training on attacked pictures changes, in the answers and in the maps;
# - move a saliency map or a Grad-CAM to a place of your choice while the answer stays;
# - say which of the tests of lesson 12 notice it.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [04 · Grad-CAM](04_grad_cam.ipynb); saliency from [08](08_saliency_smoothgrad_ig.ipynb). [08c](08c_attacked.ipynb) has the attack with a single step.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l15_fooled as exercises
from course_utils.labs import load_lab
from course_utils.lessons.l15_fooled import FromPixels, emptiest_corners, is_right
from course_utils.methods.attacks import fgsm, move_map, pgd, picture_bounds
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import saliency, smooth_grad
from course_utils.teach import plots, widgets

# %%
NETWORKS = {"ResNet": "resnet", "ZF-Net": "zfnet", "robust twin": "zfnet_robust"}
labs = {name: load_lab("scenes", model=model) for name, model in NETWORKS.items()}
lab = labs["ZF-Net"]  # drawn scenes and three networks; the inputs run from −1 to 1
black, white = picture_bounds(lab.preprocess)
LEVEL = (white - black) / 255  # one grey level, in units of the inputs

# %% [markdown]
# ## 1 · A puzzle: did it look at the corner?
#
# Two pictures, alike to the eye. The same network gives both the same answer, nearly as surely. Beside each stands the [saliency](glossary.md#saliency) of that answer: how much the score reacts to each pixel.


# %%
x, t, masks = lab.inputs[:4], lab.targets[:4], lab.masks[:4]
aims = emptiest_corners(masks)
# the first scene, changed so that its map goes into a square, `aims`; section 7 explains how
moved = move_map(lab.model, x[:1], t[:1], aims[:1], 4 * LEVEL, bounds=(black, white))

# %% tags=["hide-input", "thumbnail"]
figure, axes = plots.grid(1, 4, ratio=1.1)
with torch.no_grad():
    chances = [lab.model(v[:1]).softmax(dim=1)[0] for v in (x, moved)]
for k, (inputs, chance) in enumerate(zip((x, moved), chances, strict=True)):
    axes[0, 2 * k].imshow(lab.to_images(inputs[:1])[0])
    axes[0, 2 * k].set_title(f"{lab.class_names[chance.argmax()]}, {chance.max():.2f}", fontsize=10)
    plots.show_pixels(axes[0, 2 * k + 1], saliency(lab.model, inputs[:1], t[:1]).amax(dim=1)[0])
    axes[0, 2 * k + 1].set_title("its saliency", fontsize=10)
plots.show(
    f"The same scene twice, both answered {lab.class_names[chances[0].argmax()]}. The first saliency map lies on the "
    "object, the second one in a square in a corner."
)

# %% [markdown]
# No pixel differs by more than four grey levels of 255. Read the second map as you would read any map: "it looked at the corner". Did the network change its mind about *why*? We come back to this in section 7. First the simpler attack: on the answer.

# %% [markdown]
# ## 2 · Small steps: projected gradient descent
#
# Let $J(x, y)$ be the *loss*: minus the logarithm of the probability of the right class $y$. The gradient $\nabla_x J$ says how each number of the picture $x$ would have to change so that the network gets worse. [08c](08c_attacked.ipynb) takes one step of size $\varepsilon$ along the signs of that gradient: FGSM. But the gradient holds at one place only. After a small step it is another one. So take small steps of size $\alpha$ and ask again each time (Kurakin and others, 2017; Madry and others, 2018):
#
# $$x_{k+1} = \operatorname{clip}\Big(\Pi_\varepsilon\big(x_k + \alpha \, \operatorname{sign} \nabla_x J(x_k, y)\big)\Big), \qquad x_0 = x.$$
#
# $\Pi_\varepsilon$ is the *projection*: it brings each number back to at most $\varepsilon$ from the original $x$. The clip brings it back between black and white. This is *projected gradient descent*, **PGD**. All pictures in which no number has moved further than $\varepsilon$ form a *ball* in the norm $L_\infty$ (the largest change of one number).
#
# The other usual ball is that of the norm $L_2$, the length of the whole change $\delta = x_k - x$. There the step has the direction of the gradient $g$ itself, with length 1, and the projection shortens a change that is too long:
#
# $$x_k + \alpha \, \frac{g}{\lVert g \rVert_2}, \qquad \Pi_\varepsilon: \; \delta \to \delta \cdot \min\Big(1, \frac{\varepsilon}{\lVert \delta \rVert_2}\Big).$$
#
# **The unit of $\varepsilon$.** The network's inputs here run from −1 to 1. So one grey level of 255 is 2/255 in its units, and a published "ε = 8/255" means eight levels for pixels from 0 to 1, but four levels here. Always ask: 8/255 of *what*?
#
# ### Exercise: write one step
#
# The first formula for $L_\infty$, with the gradient given. `picture` is the original, `now` is $x_k$.


# %% exercise="pgd_step"
def pgd_step(picture, now, gradient, step, epsilon):
    """The next pictures (N, C, H, W), inside the ball around `picture` and inside −1 … 1."""
    # BEGIN SOLUTION
    there = now + step * gradient.sign()
    return (picture + (there - picture).clamp(-epsilon, epsilon)).clamp(-1, 1)
    # END SOLUTION


# %%
exercises.pgd_step.check(pgd_step)

# %% [markdown]
# The lesson goes on with its own versions of both.


# %% tags=["by-hand"]
def linf_step(picture, now, g, step, epsilon):
    return picture + (now + step * g.sign() - picture).clamp(-epsilon, epsilon)


def l2_step(picture, now, g, step, epsilon):
    def length(v):
        return v.flatten(1).norm(dim=1)[:, None, None, None]

    change = now + step * g / length(g) - picture
    return picture + change * (epsilon / length(change)).clamp(max=1)


def small_steps(model, picture, target, epsilon, step, n, go):
    now = picture
    for _ in range(n):
        now = now.detach().requires_grad_()
        loss = F.cross_entropy(model(now), target, reduction="sum")
        (g,) = torch.autograd.grad(loss, now)
        now = go(picture, now, g, step, epsilon).clamp(-1, 1)
    return now.detach()


# %% [markdown]
# ## 3 · The proof: the agreement table
#
# Ours beside torchattacks and captum. All random starts are off, or no two results could be equal. torchattacks wants pixels from 0 to 1, so the network is put behind a small converter, and the results are converted back: a last digit may differ by rounding. captum needs a loss of its own: its default suits networks that end in probabilities ([08c](08c_attacked.ipynb) shows what happens otherwise), and it leaves numbers alone whose gradient is below one millionth, so the loss is scaled up. The $L_2$ row is computed with 64 bits: where a ReLU stands nearly at its corner, a last digit of 32 bits decides which way it bends, and after five steps the pictures differ by some thousandths.
#
# The last two rows are algebra. For a *linear* score $w \cdot x$ the best change of $L_\infty$ size $\varepsilon$ raises it by $\varepsilon \sum_i |w_i|$, and of $L_2$ size $\varepsilon$ by $\varepsilon \lVert w \rVert_2$. Each pixel adds a little, and there are 49,152 numbers in a picture. Our networks are not far from such a line: over two levels, the lead of the right class falls by three quarters or more of what its gradient says.

# %% tags=["hide-input"]
import copy
import warnings

import torchattacks
from captum.robust import PGD


def strong_loss(scores, labels):
    return 2.0**40 * F.cross_entropy(scores, labels, reduction="none")


eight, its_class = lab.inputs[:8], lab.targets[:8]
network, pixels = FromPixels(lab.model).eval(), (eight + 1) / 2
fgsm_there = torchattacks.FGSM(network, eps=2 / 255)(pixels, its_class)
pgd_there = torchattacks.PGD(network, eps=4 / 255, alpha=1 / 255, steps=5, random_start=False)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # captum's: it records gradients itself
    by_captum = PGD(lab.model, strong_loss, -1.0, 1.0).perturb(
        eight.clone().requires_grad_(), 8 / 255, 2 / 255, 5, target=its_class
    )
by_hand = small_steps(lab.model, eight, its_class, 8 / 255, 2 / 255, 5, linf_step)
exact = copy.deepcopy(lab.model).double()
short = small_steps(exact, eight.double(), its_class, 2.0, 0.6, 5, l2_step)
l2_there = torchattacks.PGDL2(FromPixels(exact).eval(), 1.0, 0.3, 5, random_start=False)
torch.manual_seed(0)
line = torch.nn.Linear(50, 2).requires_grad_(False)
row, w = torch.zeros(1, 50), line.weight[1] - line.weight[0]
gains = []
for norm in ("linf", "l2"):
    there = line(pgd(line, row, 0, 0.1, norm, bounds=(-1, 1), n_steps=3)) - line(row)
    gains.append(there[0, 1] - there[0, 0])

# %% tags=["hide-input", "nbval-check-output"]
box = {"bounds": (black, white)}
by_course = pgd(lab.model, eight, its_class, 4 * LEVEL, **box, n_steps=5, step_size=LEVEL)
one = fgsm(lab.model, eight, its_class, 2 * LEVEL, **box)
judge.agreement_table(
    [
        ("by hand, the course's", by_hand, by_course, "L∞, 5 steps of one level, ball of 4"),
        ("torchattacks FGSM", one, 2 * fgsm_there - 1, "2 levels; pixels from 0 to 1"),
        ("torchattacks PGD", by_hand, 2 * pgd_there(pixels, its_class) - 1, "no random start"),
        ("captum PGD", by_hand, by_captum.detach(), "cross-entropy, scaled"),
        (
            "torchattacks PGDL2",
            short,
            2 * l2_there(pixels.double(), its_class) - 1,
            "1.0 in pixels is 2.0 here; 64 bits",
        ),
        ("a line, L∞", gains[0][None], 0.1 * w.abs().sum()[None], "gain = ε times the sum of |w|"),
        ("a line, L2", gains[1][None], 0.1 * w.norm()[None], "gain = ε times the length of w"),
    ]
)

# %% [markdown]
# ## 4 · The score: three networks under two attacks
#
# ResNet, ZF-Net, and a *robust twin* of the ZF-Net. The twin started as the ZF-Net and was trained further on pictures that were attacked during the training, each time anew: *adversarial training* (Madry and others, 2018). With $\theta$ for the weights of the network and $J_\theta$ for its loss, it looks for
#
# $$\min_\theta \; \text{mean over } (x, y) \text{ of } \max_{\lVert \delta \rVert_2 \le 3} J_\theta(x + \delta, y).$$
#
# The inner maximum was searched for with two $L_2$ steps; the radius 3 is in units of the inputs, which is about 1.7 levels for each number if all move alike. Twelve scenes, three sizes of change, and the control: random signs of eight levels.

# %%
twelve, classes = lab.inputs[:12], lab.targets[:12]
signs = torch.randn(twelve.shape, generator=torch.Generator().manual_seed(0)).sign()
shaken = (twelve + 8 * LEVEL * signs).clamp(-1, 1)
sizes, made, right = (2, 4, 8), {}, {}
for name, its in labs.items():
    right[name, "random"] = is_right(its.model, shaken, classes)
    for size in sizes:
        one = fgsm(its.model, twelve, classes, size * LEVEL, **box)
        made[name, size] = pgd(its.model, twelve, classes, size * LEVEL, **box, n_steps=6)
        right[name, "FGSM", size] = is_right(its.model, one, classes)
        right[name, "PGD", size] = is_right(its.model, made[name, size], classes)

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(10, 2.7), sharey=True)
for ax, name in zip(axes, labs, strict=True):
    for kind, style in (("FGSM", "s--"), ("PGD", "o-")):
        ax.plot(range(3), [right[name, kind, s].mean() for s in sizes], style, label=kind)
    ax.plot(2, right[name, "random"].mean(), "x", color=plots.BASELINE, label="random signs")
    ax.set_xticks(range(3), sizes)
    ax.set(xlabel="ε in grey levels", ylim=(-0.05, 1.05))
    ax.set_title(name)
axes[0].set_ylabel("share right, 12 scenes")
axes[2].legend(fontsize=9, loc="lower left")
plots.show(
    "Three panels. ResNet and ZF-Net fall to zero under PGD of eight levels and less under FGSM; the robust twin falls "
    "later. Random signs of eight levels do next to nothing."
)

# %% tags=["hide-input"]
print(f"{'share right at':<14}{'':>8}2 levels   4 levels   8 levels")
for name in labs:
    for kind in ("FGSM", "PGD"):
        row = [right[name, kind, s].mean() for s in sizes]
        print(f"{name:<14}{kind:<7}" + "".join(f"{v:>7.2f}    " for v in row))
gap = judge.paired(right["robust twin", "PGD", 4], right["ZF-Net", "PGD", 4])
print("robust twin minus ZF-Net, PGD of 4 levels:", gap)

# %% [markdown]
# PGD finds in the same ball what FGSM misses. Look at the ZF-Net at four levels: FGSM alone would have told you that it is safer than it is. **A network is only as robust as the best attack that you have tried**; a result such as "0.7 right under FGSM" is an upper limit.

# %% [markdown]
# ## 5 · Does an attack travel?
#
# An attacker often does not have your network, only a similar one. Does a picture that was made to fool one network fool another?
#
# ### Exercise: predict, then run
#
# The cell below makes attacked scenes for the ResNet: PGD, eight levels, 6 steps. The ResNet is right on hardly any of them. For what share is the *ZF-Net* right? (Within 0.15 counts as right.)

# %% exercise="transfer"
share_right_of_zfnet = None  # between 0 and 1
# BEGIN SOLUTION
share_right_of_zfnet = 0.9
# END SOLUTION

# %%
dozen, answers = lab.inputs[:12], lab.targets[:12]
for_resnet = pgd(labs["ResNet"].model, dozen, answers, 8 * LEVEL, bounds=(black, white), n_steps=6)
exercises.transfer.check(share_right_of_zfnet, is_right(labs["ZF-Net"].model, for_resnet, answers))

# %% tags=["hide-input"]
eight_levels = {"ResNet": for_resnet}
for name in ("ZF-Net", "robust twin"):
    eight_levels[name] = pgd(labs[name].model, dozen, answers, 8 * LEVEL, bounds=(black, white), n_steps=6)
shares = [[is_right(labs[b].model, eight_levels[a], answers).mean().item() for b in labs] for a in labs]
figure, ax = plt.subplots(figsize=(6, 2.3))
plots.matrix_plot(shares, [f"made on {a}" for a in labs], [f"asked: {b}" for b in labs], ax=ax)
ax.set_title("Share right after PGD of eight levels", loc="left")
plots.show(
    "A table of three by three: who made the attack, who is asked. What was made on the ResNet hardly fools the two "
    "others; what was made on the twin fools the ZF-Net more than the twin itself."
)

# %% [markdown]
# Attacks made on our ResNet hardly harm the ZF-Net. Here more of them arrive the other way; on fresh scenes that difference is small. Those made on the robust twin do fool the ZF-Net, from which the twin was trained, and those made on the ZF-Net fool the twin much less: it is not symmetric. So whether an attack travels is a measurement for a pair of networks. "Nobody knows my weights" is not a defence, and "attacks always transfer" is not a law.

# %% [markdown]
# ## 6 · Robust networks, clearer maps?
#
# Training on attacked pictures also changes what the gradient looks like. Thirty scenes, the share of the saliency's sum that lies on the object:

# %%
thirty, asked, where = lab.inputs[:30], lab.targets[:30], lab.masks[:30]
plain, robust = (saliency(labs[name].model, thirty, asked).amax(dim=1) for name in ("ZF-Net", "robust twin"))
on_it = [judge.energy_in_mask(heat, where) for heat in (plain, robust)]
print(f"on the object: ZF-Net {on_it[0].mean():.2f}, twin {on_it[1].mean():.2f}", end="; ")
print(f"the object's area {where.float().mean():.2f}")
print("twin minus ZF-Net:", judge.paired(on_it[1], on_it[0]))

# %% tags=["hide-input"]
plots.show_maps(
    lab.images[:2], {"ZF-Net": plain[:2], "robust twin": robust[:2]}, masks=where[:2], alone=True, width=7
)
plots.show(
    "Two scenes with the saliency of both networks: the twin's is less scattered and lies more on the object."
)

# %% [markdown]
# The twin's maps lie more on the object. A usual reading: it had to stop using the faint patterns that an attack can flip (Tsipras and others, 2019). The cell does not show the reason, only the maps of one twin, on drawn scenes. And the twin was trained longer: further training on *clean* pictures moves the maps of a ZF-Net onto the object, too. Nor do tidy maps show that a network is robust.

# %% [markdown]
# ## 7 · Moving the map, keeping the answer
#
# Now the puzzle. The attacker wants the *explanation* to show something else (Ghorbani and others, 2019; Dombrowski and others, 2019). Let $h(x')$ be the map of the changed picture, divided by its sum, $m$ the wanted map, also with sum 1, and $S$ the scores of all classes. Search for the $x'$ in the ball of radius $\varepsilon$ that makes
#
# $$\frac{\lVert h(x') - m \rVert_2^2}{\lVert m \rVert_2^2} + 0.1 \cdot \text{mean}\big(S(x') - S(x)\big)^2$$
#
# small. The first term wants the map, the second one keeps the answer. One descends with Adam, 40 steps.
#
# **There is a difficulty.** A saliency map is a gradient already; to descend, you need the gradient *of the gradient*. For a ReLU network that is zero nearly everywhere: ReLU is made of two straight lines, and a straight line has the second derivative 0. The remedy: replace ReLU, *only while searching*, with a smooth curve that looks nearly alike, the *softplus* $\frac{1}{\beta} \ln(1 + e^{\beta x})$ with $\beta = 20$:


# %%
def curvature(activation, at):
    """The second derivative of an activation function, by differentiating twice."""
    z = torch.tensor(at, requires_grad=True)
    (slope,) = torch.autograd.grad(activation(z).sum() + 0 * (z**2).sum(), z, create_graph=True)
    # 0 · z² changes nothing, but it lets a constant slope be differentiated again
    return torch.autograd.grad(slope.sum(), z)[0].tolist()


at = [-0.2, -0.05, 0.05, 0.2]
print("second derivative at ", at)
print("ReLU                 ", [round(v, 2) for v in curvature(torch.relu, at)])
print("softplus             ", [round(v, 2) for v in curvature(lambda z: F.softplus(z, 20.0), at)])

# %% [markdown]
# The result is always judged on the unchanged ReLU network. Grad-CAM needs no such trick: its formula holds the activations, which do react to the picture. And as in section 4 there is a control, random signs of the same size.


# %%
def maps_of(network, kind, inputs):
    if kind == "saliency":
        return saliency(network.model, inputs, t).amax(dim=1)
    if kind == "SmoothGrad":
        return smooth_grad(network.model, inputs, t, 20, 0.15).abs().amax(dim=1)
    return upsample(grad_cam(network.model, inputs, t, network.layer), inputs.shape[-2:])


EIGHT = {"epsilon": 8 * LEVEL, "bounds": (black, white)}
attacked = {}
pairs = [(name, kind) for name in ("ZF-Net", "robust twin") for kind in ("saliency", "Grad-CAM")]
for name, kind in tqdm(pairs, desc="maps moved", leave=False):
    its = labs[name]
    layer = its.layer if kind == "Grad-CAM" else None
    attacked[name, kind] = move_map(its.model, x, t, aims, layer=layer, **EIGHT)
with_relu = move_map(lab.model, x, t, aims, beta=1e8, **EIGHT)  # so sharp that it is a ReLU

# %% tags=["hide-input"]
random_x = (x + 8 * LEVEL * signs[:4]).clamp(-1, 1)
squares = aims.bool()
print("share of the map in the square,   before   random   after   same answer   on the object")
for (name, kind), there in (attacked | {("ZF-Net", "saliency, ReLU"): with_relu}).items():
    its = labs[name]
    kind, kind_shown = kind.split(",")[0], kind
    three = [judge.energy_in_mask(maps_of(its, kind, v), squares) for v in (x, random_x, there)]
    with torch.no_grad():
        same = (its.model(there).argmax(dim=1) == its.model(x).argmax(dim=1)).sum()
    on = [judge.energy_in_mask(maps_of(its, kind, v), masks).mean() for v in (x, there)]
    print(
        f"{name:<12} {kind_shown:<17} {three[0].mean():>9.2f} {three[1].mean():>8.2f} {three[2].mean():>7.2f}"
        f" {same:>10} of 4      {on[0]:.2f} → {on[1]:.2f}"
    )

# %% tags=["hide-input"]
figure, axes = plots.grid(2, 5, ratio=1.08)
for i, axs in enumerate(axes):
    axs[0].imshow(lab.images[i])
    axs[0].set_title("picture", fontsize=10)
    for k, kind in enumerate(("saliency", "Grad-CAM")):
        for j, inputs in enumerate((x, attacked["ZF-Net", kind])):
            plots.show_pixels(axs[1 + 2 * k + j], maps_of(lab, kind, inputs)[i])
            plots.outline(axs[1 + 2 * k + j], squares[i])
            axs[1 + 2 * k + j].set_title(f"{kind}, {('before', 'after')[j]}", fontsize=10)
plots.show(
    "Two scenes with saliency and Grad-CAM of the ZF-Net before and after the attack of eight levels. After it both maps "
    "lie in the outlined square in a corner."
)

# %% [markdown]
# For the ZF-Net the square takes more than half of both maps, where it had about a twentieth before, and all four answers stay (on other scenes the attack on Grad-CAM sometimes costs the answer). Random signs move nothing. The twin resists much better, above all its Grad-CAM, for which one of the four answers did not stay. The last line keeps the ReLU while searching: nothing moves at all, the gradient that would have to show the way is zero. So the puzzle's answer: the network answers as before, what changed is how one formula reads it (section 8 tests that). A map alone is no proof in a dispute in which the other side has prepared the picture.

# %% [markdown]
# ## 8 · Who notices?
#
# [Lesson 12](12_judging_explanations.ipynb) tests explanations. Which of its tests would have noticed the moved saliency maps?

# %% tags=["hide-input"]
exercises.who_notices

# %%
there = attacked["ZF-Net", "saliency"]
last = next(net for _, net in judge.randomize_cascade(lab.model))  # its last layer drawn anew


def chance_of(inputs):
    """The probability of the right class, (N,)."""
    with torch.no_grad():
        return lab.model(inputs).softmax(dim=1).gather(1, t[:, None])[:, 0]


def other_readings(inputs):
    """Maps (N, H, W) that one can lay beside the saliency of the ZF-Net."""
    noisy = (inputs + LEVEL * signs[:4]).clamp(-1, 1)
    return {
        "alike with a random last layer": saliency(last, inputs, t).amax(dim=1),
        "alike under noise of one level": maps_of(lab, "saliency", noisy),
        "alike to SmoothGrad": maps_of(lab, "SmoothGrad", inputs),
        "alike to Grad-CAM": maps_of(lab, "Grad-CAM", inputs),
    }


# %%
def alike(heat, other):
    """The correlation of two maps, (N,), block by block of 16 × 16 pixels."""
    blocks = [F.avg_pool2d(maps[:, None], 16).flatten(1) for maps in (heat, other)]
    return torch.stack([torch.corrcoef(torch.stack(two))[0, 1] for two in zip(*blocks, strict=True)])


def six_tests(inputs):
    """One value a picture for each test."""
    heat = maps_of(lab, "saliency", inputs)
    less = judge.deletion(lab.model, inputs, t, heat, substrate="blur", fractions=(0.05, 0.2, 0.5))
    found = {"truth: share on the object": judge.energy_in_mask(heat, masks), "deletion, area": less.area}
    for name, other in other_readings(inputs).items():
        found[name] = alike(heat, other)
    return found


before, after = six_tests(x), six_tests(there)

# %% tags=["hide-input"]
print(f"{'mean of four scenes':<38}{'before':>7}{'after':>8}")
for name, value in after.items():
    print(f"{name:<38}{before[name].mean():>7.2f}{value.mean():>8.2f}   {judge.paired(value, before[name])}")
print("\nshare of the map in the square, before and after the attack on the saliency")
for kind in ("saliency", "SmoothGrad", "Grad-CAM"):
    shown = [judge.energy_in_mask(maps_of(lab, kind, v), squares).mean() for v in (x, there)]
    print(f"{kind:<38}{shown[0]:>7.2f}{shown[1]:>8.2f}")

# %% tags=["hide-input"]
figure, axes = plots.grid(1, 4, ratio=1.08)
for ax, (title, inputs, kind) in zip(
    axes[0],
    (("attacked: saliency", there, "saliency"), ("attacked: SmoothGrad", there, "SmoothGrad"),
     ("clean: SmoothGrad", x, "SmoothGrad"), ("attacked: Grad-CAM", there, "Grad-CAM")),
    strict=True,
):  # fmt: skip
    plots.show_pixels(ax, maps_of(lab, kind, inputs)[0])
    plots.outline(ax, squares[0])
    ax.set_title(title, fontsize=10)
plots.show(
    "One attacked scene. Its saliency lies in the square, its SmoothGrad partly, its Grad-CAM on the object."
)

# %% [markdown]
# The truth notices at once, where somebody knows it. Deletion notices, too: what the moved map calls important matters less to the network. But the change is small. The randomised layer does not notice: before as after, the map stays much as it was (the rise here does not repeat on other scenes). Nor does noise of one level.
#
# A cheap look is **a second method on the same picture.** The comparison is coarse, a correlation of blocks of 16 × 16 pixels, since two methods hardly agree pixel by pixel. Before, Grad-CAM had its weight where the saliency had it; after, it has not. SmoothGrad averages over noisy copies, for which the attack was not made: it has far less in the square. It agrees less with the map than before, but its fall is smaller.
#
# Nobody has the "before" of the suspected picture. So we took fresh scenes, and compared each attacked one with *other*, clean ones: in about nine of ten pairs the attacked one agrees less with its Grad-CAM, in eight of ten with its SmoothGrad. By deletion it is seven of ten, by the random layer half. An attacker who thinks of a second method can aim at it, too.
#
# There is one look that asks the network instead of a map: **cover what the map names.** Here the square is blurred, and then, for comparison, the object.

# %%
hidden = judge.blur(there)
print("probability of the answer:         ", *(f"{p:.2f}" for p in chance_of(there)))
for name, region in (("with the square blurred", squares), ("with the object blurred", masks)):
    covered = torch.where(region[:, None], hidden, there)
    print(f"{name:<35}", *(f"{p:.2f}" for p in chance_of(covered)))

# %% [markdown]
# The network does not need the square that "its" map names, and it does need the object. So the *reason* did not move, only the map. Whoever can ask the network again need not trust a map. ([15b](15b_fairwashed.ipynb) shows what happens when the *network* knows that it is being asked.)

# %% [markdown]
# ## 9 · The real thing: seven photographs become gibbons
#
# EfficientNet-Lite0 and the course's photographs. This time the attack has a destination: go *down* to the loss of one chosen class (`towards=True`), at most two grey levels away. The result is saved as an ordinary picture of whole levels before the network sees it again.

# %%
photos = load_lab("photos")
ends = picture_bounds(photos.preprocess)
photo_level = (ends[1] - ends[0]) / 255
wanted = photos.class_names.index("gibbon")
how = {"bounds": ends, "towards": True, "n_steps": 20, "step_size": 0.5 * photo_level}
changed = torch.cat([
    pgd(photos.model, one[None], wanted, 2 * photo_level, **how)
    for one in tqdm(photos.inputs, desc="photographs", leave=False)
])  # fmt: skip
saved = photos.to_images(changed)
said, then = photos.predict(photos.images), photos.predict(saved)
largest = np.abs(saved.astype(int) - photos.images).max()
print(f"{(then.argmax(axis=1) == wanted).sum()} of 7 gibbons; largest change {largest} levels of 255")

# %% tags=["hide-input"]
figure, axes = plots.grid(2, 4, width=9, ratio=1.15)
for k, photo in enumerate((0, 1, 2, 5)):
    for ax, picture, chance in ((axes[0, k], photos.images, said), (axes[1, k], saved, then)):
        ax.imshow(picture[photo])
        best = chance[photo].argmax()
        ax.set_title(f"{photos.class_names[best]}, {chance[photo, best]:.2f}", fontsize=10)
plots.show(
    "Four photographs above, the same four after the attack below: no difference to the eye, all called gibbon."
)

# %% [markdown]
# ### Exercise: find the bug
#
# Most networks for photographs see *normalised* pixels: (p − mean) / deviation in each colour, with p from 0 to 1. Somebody attacks such a network with "two grey levels" and hands these numbers to the attack. The mistake is common enough to fill threads at two libraries (linked below). Repair it: return ε, black and white **in units of the network's inputs**.


# %% exercise="in_units_of_inputs"
def in_units_of_inputs(levels, mean, deviation):
    """ε, black and white of each colour, (3, C). `mean` and `deviation` are (C,)."""
    # BEGIN STUB
    # epsilon = torch.full_like(mean, levels / 255)
    # black, white = torch.zeros_like(mean), torch.ones_like(mean)
    # return torch.stack([epsilon, black, white])
    # END STUB
    # BEGIN SOLUTION
    epsilon = levels / 255 / deviation
    black, white = (0 - mean) / deviation, (1 - mean) / deviation
    return torch.stack([epsilon, black, white])
    # END SOLUTION


# %%
exercises.in_units_of_inputs.check(in_units_of_inputs)

# %% [markdown]
# With a usual deviation of 0.225 the faulty attack moves only 0.45 of a level instead of two: the attack that is called "two levels" is one of less than half a level, so the network looks more robust than it is. The clipping at 0 and 1 then destroys the picture. The course's functions refuse inputs that lie outside the bounds.

# %% [markdown]
# ## 10 · Your turn
#
# Choose one of the course's photographs (or the `path` of your own picture), a class and a size. What is the smallest size that works? Which classes are hard to reach?


# %%
photo, goal, levels = "coffee", "volcano", 2  # chelsea, china, cameraman, motorcycle, rocket, flower

mine = load_lab("photos", only=photo)  # your own: load_lab("photos", path="my_picture.jpg")
index = mine.class_names.index(goal)
after = pgd(mine.model, mine.inputs, index, levels * photo_level, bounds=ends, towards=True,
            n_steps=15, step_size=levels / 5 * photo_level)  # fmt: skip
before_it, after_it = mine.predict(mine.images)[0], mine.predict(mine.to_images(after))[0]

# %% tags=["hide-input"]
plots.show_images(
    [mine.images[0], mine.to_images(after)[0]],
    [f"{mine.class_names[p.argmax()]}, {p.max():.2f}" for p in (before_it, after_it)],
    width=6,
)
plots.show(f"The photograph {photo} before and after an attack of {levels} levels towards {goal}.")

# %% [markdown]
# **Play.** One drawn scene, one network, and the size of a PGD attack. Find a scene that the ZF-Net loses at four levels while the twin holds at eight. (The reverse you will not find easily: among the first hundred, at 2, 4, 6 and 8 levels, there is none.) Below is a still picture.


# %% tags=["hide-input"]
def draw(network, scene, levels):
    its, one = labs[network], slice(scene, scene + 1)
    v, c = its.inputs[one], its.targets[one]
    hit = v
    if levels:
        hit = pgd(its.model, v, c, levels * LEVEL, bounds=(black, white), n_steps=8)
    with torch.no_grad():
        chance = its.model(hit).softmax(dim=1)[0]
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.8), width_ratios=(1, 2))
    axes[0].imshow(its.to_images(hit)[0])
    plots.bare(axes[0])
    bars = [plots.ACCENT if k == c else plots.BASELINE for k in range(len(chance))]
    axes[1].barh(its.class_names, chance, color=bars)
    axes[1].set(xlim=(0, 1), xlabel="probability (coloured: the right class)")
    axes[1].set_title(f"{network}, {levels} levels", loc="left")
    plots.show(
        f"Scene {scene} after PGD of {levels} levels on {network}, and the probabilities of the ten classes."
    )


# %% tags=["hide-input"]
widgets.explore(
    draw,
    network=widgets.choice("network", list(labs), "ZF-Net"),
    scene=widgets.slider("scene", 0, 99, 3),
    levels=widgets.slider("levels", 0, 12, 4),
)

# %% tags=["hide-input"]
draw("robust twin", 3, 4)  # a still picture of the same

# %% [markdown]
# ## 11 · Recap
#
# - PGD takes small steps and comes back to the ball after each. FGSM takes one large step; it overrates a network's safety.
# - ε has a unit: grey levels, pixels from 0 to 1, or normalised inputs.
# - Whether an attack travels to another network, and whether a network is robust, has to be measured.
# - The twin, trained on attacked pictures, withstands attacks longer, and its saliency lies more on the object.
# - A map can be moved while the answer stays. Use a second method, and cover what the map names.
#
# [08c](08c_attacked.ipynb) asks what maps show when the *answer* was attacked. [15b](15b_fairwashed.ipynb) has the other lie: a model that behaves well only when LIME or SHAP asks, and the audits that find it.
#
# <details>
# <summary>The paper in ten questions</summary>
#
# A.-K. Dombrowski and others: *Explanations can be manipulated and geometry is to blame* (NeurIPS 2019).
#
# 1. **Which problem?** Explanations are used to build trust. Can somebody choose what they show?
# 2. **Is it new?** Ghorbani and others had shown that maps are fragile. Here a map becomes *any* wanted map.
# 3. **Which hypothesis?** The curvature of the network's output makes it possible.
# 4. **Related work, and who?** Attacks on answers (Szegedy, Goodfellow, Madry); Ghorbani, Kindermans and others. The authors work in Berlin.
# 5. **The key idea?** Minimise the distance of the map to a target, and of the output to the old output; softplus instead of ReLU while searching.
# 6. **Which experiments?** Six methods, several networks for ImageNet, targets such as another picture's map.
# 7. **Data and code?** ImageNet is public; the authors publish code.
# 8. **Do the results support it?** Yes, and section 7 repeats it for two methods on small networks, with a control.
# 9. **What did it contribute?** A bound for the change of a map by the curvature, and a defence: explain a smoothed network.
# 10. **What next?** Training for small curvature, and tests that notice manipulation without knowing the truth.
#
# </details>
#
# **References**
# - [Goodfellow and others, 2015: Explaining and harnessing adversarial examples](https://arxiv.org/abs/1412.6572)
# - [Kurakin and others, 2017: Adversarial examples in the physical world](https://arxiv.org/abs/1607.02533)
# - [Madry and others, 2018: Towards deep learning models resistant to adversarial attacks](https://arxiv.org/abs/1706.06083)
# - [Ghorbani and others, 2019: Interpretation of neural networks is fragile](https://arxiv.org/abs/1710.10547)
# - [Dombrowski and others, 2019: Explanations can be manipulated and geometry is to blame](https://arxiv.org/abs/1906.07983)
# - [Tsipras and others, 2019: Robustness may be at odds with accuracy](https://arxiv.org/abs/1805.12152)
# - [torchattacks, issue 78: strange colours after normalisation](https://github.com/Harry24k/adversarial-attacks-pytorch/issues/78); [foolbox, issue 602: inputs outside the bounds](https://github.com/bethgelab/foolbox/issues/602)
