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
# # 12b · The scoreboard, its settings, and unit tests for explanations
#
# **The question.** Is there one best method? And how far can you move the answer by a setting of the measure?
#
# This companion of [12 · Judging explanations](12_judging_explanations.ipynb) adds all methods on one board, the settings that can change an order, the parts of an object, input invariance, and networks whose right explanation is known.
#
# **After this lesson you can**
# - read a board of many methods and eight measures without being misled by it;
# - tell a change of order that is more than chance from one that is not;
# - test an explanation method, your own included, on networks whose right answer is known.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [12 · Judging explanations](12_judging_explanations.ipynb). The board takes one to two minutes the first time, and a moment after that: its results are kept on your computer.
#
# The first cell loads scenes with one drawn object (`single`) and with two (`pairs`). Of the latter, `pictures` are 50 inputs, `questions` the class we ask for, and `truth` the pixels of that object.

# %%
import matplotlib.pyplot as plt
import torch
from tqdm.auto import tqdm

from course_utils import judge
from course_utils.exercises import l12_judging_explanations as exercises
from course_utils.judge.methods_table import image_methods
from course_utils.judge.scoreboard import MEASURES, Settings, scoreboard
from course_utils.judge.unit_tests import BASELINES, explanation_tests, try_method
from course_utils.labs import load_lab
from course_utils.labs.designed import NETWORKS
from course_utils.lessons import l12_judging_explanations as lesson
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.deconvnet import guided_backprop
from course_utils.methods.gradients import input_x_gradient, integrated_gradients, saliency
from course_utils.methods.occlusion import occlusion
from course_utils.teach import plots

methods = image_methods()
single, pairs = load_lab("scenes"), load_lab("scenes", n_objects=2)
model, layer = single.model, single.layer
pictures, questions, truth = pairs.inputs[:50], pairs.targets[:50, 0], pairs.masks[:50, 0]

# %% [markdown]
# ## 1 · More measures
#
# The core has the pointing game, the energy, deletion and insertion. The board has four more.
#
# **IoU** (intersection over union) compares the mask $M$ with the set $K$ of as many pixels as the object has, the strongest of the map: $|K \cap M| / |K \cup M|$, where $|\cdot|$ counts pixels.
#
# **Infidelity** (Yeh and others, 2019) covers random places: if the map says that a place is worth 3, the score should fall by 3 when it is covered. We cover squares $S$ (16 a picture, a quarter of its side wide) and write $\Delta(S)$ for the fall of the score:
#
# $$\text{infidelity} = \frac{\text{mean}_S \big( a \sum_{i \in S}\Phi_i - \Delta(S) \big)^2}{\text{mean}_S\, \Delta(S)^2} .$$
#
# The factor $a \ge 0$ that fits best takes the map's unit out, and the denominator makes 1 mean "no better than claiming that nothing ever changes". 0 is perfect.
#
# **Sensitivity** is the largest relative change of the map under tiny changes of the pixels (the board tries one change, of four pictures: a rough number). **Complexity** (Bhatt and others, 2020) is no judgement, only a description: the entropy of the shares $|\Phi_i| / \sum_j |\Phi_j|$, scaled so that 0 is a single pixel and 1 the same everywhere.
#
# ### Exercise: how much of the object?
#
# Write the IoU of the definition above for one map: as many pixels as the object has, the strongest of the map. No two values of the map are equal.


# %% exercise="object_iou"
def object_iou(heat, mask):
    """Intersection over union (0 … 1) of the strongest pixels of heat (H, W) and the bool mask (H, W)."""
    # BEGIN SOLUTION
    strongest = torch.zeros(heat.numel(), dtype=torch.bool)
    strongest[heat.flatten().topk(int(mask.sum())).indices] = True
    strongest = strongest.view(heat.shape)
    return (strongest & mask).sum() / (strongest | mask).sum()
    # END SOLUTION


# %%
exercises.object_iou.check(object_iou)

# %% [markdown]
# ### The proof: our measures beside independent ones
#
# Measures are programs too, and programs have bugs. captum has infidelity (in the paper's own form: random noise, no factor, no denominator) and sensitivity, SciPy has the rank correlation, scikit-learn the area under a curve. The other measures have no independent program that we know of: for them you rely on the course's own tests.

# %%
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max as captum_sensitivity
from scipy.stats import spearmanr
from sklearn.metrics import auc

check, targets = single.inputs[:2], single.targets[:2]
values = input_x_gradient(model, check, targets)
noise = 0.1 * torch.randn(4, *check.shape, generator=torch.Generator().manual_seed(0))
repeated = noise.transpose(0, 1).flatten(0, 1)  # captum wants the draws of each picture together
ours_infidelity = judge.infidelity(model, check, targets, values, perturbations=noise)
theirs_infidelity = captum_infidelity(
    model, lambda v: (repeated, v - repeated), check, values, target=targets, n_perturb_samples=4
)

# %%


def explain(v):
    """captum gives a tuple and wants one back, then a tensor."""
    v, wrapped = (v[0], True) if isinstance(v, tuple) else (v, False)
    found = saliency(model, v, targets.repeat_interleave(len(v) // 2))
    return (found,) if wrapped else found


ours_sensitivity = judge.sensitivity_max(lambda v: saliency(model, v, targets), check, perturbations=noise)
theirs_sensitivity = captum_sensitivity(explain, check, lambda v: v + repeated, n_perturb_samples=4)
edges, fine = judge.baselines.sobel(check), values.abs().amax(dim=1)
ranks = torch.tensor(
    [spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(edges, fine, strict=True)]
)
curve = judge.deletion(model, check[:1], targets[:1], fine[:1], n_steps=16, substrate="blur")

# %% tags=["nbval-check-output"]
scale = ours_infidelity.max()
judge.agreement_table(
    [
        ("scikit-learn auc", curve.area[0], auc(curve.fractions, curve.probabilities[0]), "trapezoids"),
        ("captum infidelity", ours_infidelity / scale, theirs_infidelity / scale, "the same noise"),
        ("captum sensitivity_max", ours_sensitivity, theirs_sensitivity, "the same noise"),
        ("SciPy spearmanr", judge.rank_correlation(edges, fine), ranks, "ties share their ranks"),
    ]
)

# %% [markdown]
# ## 2 · The scoreboard
#
# The image methods of lessons 01 to 08 on the same 50 scenes, each asked for one of two objects. Four maps that know nothing stand beside them: edges, a blob in the centre, noise, and a constant.
#
# Each method is an entry of a table: a name, a function, its settings. The settings are small (LIME gets 32 questions, SmoothGrad 5 noisy copies), because all of it has to run while you wait. So this is a comparison of the methods *with these settings*. The deletion and insertion curves have three points between their ends (4, 15 and 40 % of the pixels), and the pointing game forgives 5 pixels.

# %%
board = scoreboard(model, pictures, questions, truth, layer, methods=methods, settings=Settings())
print(f"{len(board.values)} methods, {len(pictures)} pictures, {len(MEASURES)} measures")
with_settings = {n: m.settings for n, m in methods.items() if m.settings}
for n, settings in with_settings.items():
    print(f"{n:>22}: " + ", ".join(f"{key} = {value}" for key, value in settings.items()))

# %% [markdown]
# The results are kept in your user cache, under a key made of all that decides them: weights, pictures, code, settings. Change one of them, and the method is measured again.
#
# The number is the mean, the colour is the *rank* in its column (dark is better). Complexity has no better or worse, so it is not coloured. "Passes" counts the pictures that went through the network, forward and backward, to explain one picture.

# %% tags=["hide-input"]
lesson.draw_board(board, list(MEASURES))
plots.show(
    "A table of all methods and eight measures, the best mean rank on top. "
    + "; ".join(
        f"{m}: first {min(board.rank(m), key=board.rank(m).get)}"
        for m in MEASURES
        if MEASURES[m][0] is not None
    )
)

# %% [markdown]
# Now two columns with their 95 % intervals over the pictures: one that needs the mask, one that asks the model. In both plots the best is on top. Look at how many bars overlap.

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.4, 6.6))
for ax, measure, up, limit in ((axes[0], "pointing", True, 1.15), (axes[1], "deletion", False, 0.55)):
    scores = board.measure(measure)
    best_first = dict(sorted(scores.items(), key=lambda item: float(item[1].mean()) * (-1 if up else 1)))
    label = f"{measure}: {'high' if up else 'low'} is good"
    plots.score_plot(
        best_first, sort=False, baselines=list(board.baselines), xlabel=label, ax=ax, xlim=(0, limit)
    )
plots.show(
    "Two rankings of the same methods, by the pointing game and by deletion; the best of each is on top."
)

# %% [markdown]
# How many of these differences are more than chance? All methods saw the same pictures, so take the difference of the best method and each other one, picture by picture. The second loop is a control of the energy: the third power of a map keeps the order of its pixels.

# %%
for measure in ("pointing", "energy", "IoU", "deletion", "insertion", "infidelity"):
    scores, ranks = board.measure(measure), board.rank(measure)
    first = min(ranks, key=ranks.get)
    close = [n for n in scores if n != first and not judge.paired(scores[n], scores[first]).sure]
    print(f"{measure:>10}: first is {first}; {len(close)} not surely behind it: {', '.join(close[:3])}")
heat = methods["Grad-CAM"].explain(model, pictures, questions, layer)
for power in (1, 3):
    same_order = heat.clamp(min=0) ** power
    energy, iou = judge.energy_in_mask(same_order, truth).mean(), judge.mask_iou(same_order, truth).mean()
    print(f"Grad-CAM to the power of {power}: energy {energy:.2f}, IoU {iou:.2f}")

# %% [markdown]
# Read the board with care:
#
# - **Sensitivity** is won by maps that do not look at the picture: a constant never changes. (The edges look at the picture, not at the model, and move more than CAM.)
# - **Energy** depends on how widely a map spreads, not only on where it points: the power changes it, and no pixel has changed its place in the order.
# - **Deletion** hardly favours maps whose strongest pixels are connected; **insertion** does, if it starts from grey (section 4 of the core has the controls).
# - **Mean rank**, the order of the rows, counts three measures that need the mask, and two of deletion and insertion: other columns may give another order.
# - **Guided Grad-CAM** does well here. One of its two factors is guided backpropagation, which failed the puzzle of the core. Would its map be different for another model?
#
# The next cell asks: where is the maximum, when we ask for the object and when we ask for the other one, in the trained network and in one whose last layers are random? And how alike are the maps of the two networks? (SSIM is another measure of likeness; section 5 says what is wrong with it.)

# %%
random_network = next(net for name, net in judge.randomize_cascade(model) if name == "layer4.conv1")
for n in ("guided backprop", "guided Grad-CAM"):
    orders = []
    for name, network in (("trained", model), ("guessing", random_network)):
        heat, other = (
            methods[n].explain(network, pictures, question, network.layer4)
            for question in (questions, pairs.targets[:50, 1])
        )
        on_it = [judge.pointing_game(of, truth, 5).mean() for of in (heat, other)]
        print(f"{n}, {name}: maximum on the object {on_it[0]:.2f}, asked for the other {on_it[1]:.2f}")
        orders.append(heat)
    alike = judge.rank_correlation(*orders).mean(), judge.ssim(*orders).mean()
    print(f"  the two networks' maps: rank correlation {alike[0]:.2f}, SSIM {alike[1]:.2f}")

# %% [markdown]
# In the trained network the *maximum* follows the question for both; in the guessing one it hardly does. So the few strongest pixels of guided backpropagation depend on the class, while the order of all its pixels hardly notices that the classes are gone. The product with Grad-CAM does notice: **a method does not inherit the verdict on its part**. SSIM would not have told you: it calls even those maps alike. Two tests of one map can give two verdicts: say which test a method has passed.
#
# The board can be saved for a report: `board.save("scoreboard.csv")`, or `.md`.

# %% [markdown]
# ## 3 · Three settings that can change an order
#
# A ranking is a fact about methods *and a measure with its settings*. Here are three settings that papers choose differently, on 40 scenes with one object: what stands where pixels were deleted, how wide the blur is, how many pixels the pointing game forgives.

# %%
quick = ["saliency", "gradient × input", "Integrated Gradients", "guided backprop", "Layer-CAM", "Grad-CAM", "edges (Sobel)"]  # fmt: skip
x, c, mask = single.inputs[:40], single.targets[:40], single.masks[:40]
maps = {n: methods[n].explain(model, x, c, layer) for n in quick}
substrates = {"grey": torch.zeros_like(x), "blur, σ = 2": judge.blur(x, 2), "blur, σ = 16": judge.blur(x, 16)}
deletions = {
    setting: {
        n: judge.deletion(model, x, c, maps[n], substrate=empty, fractions=(0.04, 0.15, 0.4)).area
        for n in ("saliency", "gradient × input", "Integrated Gradients", "Grad-CAM", "edges (Sobel)")
    }
    for setting, empty in tqdm(substrates.items(), leave=False)
}
tolerances = {f"{t} pixels": {n: judge.pointing_game(maps[n], mask, t) for n in quick} for t in (0, 5, 15)}

# %% tags=["hide-input"]
kinds = {name: deletions[name] for name in ("grey", "blur, σ = 16")}
widths = {name: deletions[name] for name in ("blur, σ = 2", "blur, σ = 16")}
figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), sharey=True)
lesson.rank_lines(axes[0], kinds, False, "Deletion: what stands there instead")
lesson.rank_lines(axes[1], widths, False, "Deletion: the width of the blur")
lesson.rank_lines(axes[2], tolerances, True, "Pointing game: the tolerance")
axes[0].set_ylabel("rank (1 = best)")
figure.legend(*axes[2].get_legend_handles_labels(), loc="outside lower center", ncols=4)
plots.show("Ranks of seven methods in each setting, one line a method: some lines cross.")

# %% [markdown]
# Each line is a method (the two left plots have five of them). Lines that cross are changes of order. Are they more than chance? Take two methods and two settings: a change is *sure* when the paired difference is clearly positive in one setting and clearly negative in the other. The control keeps the setting and draws the forty pictures again, with replacement: how many pairs change then?


# %%
def changes(results):
    """How many pairs of methods change their order between two settings, and how many of them surely."""
    found = sure = 0
    names, settings = list(next(iter(results.values()))), list(results)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            gaps = [judge.paired(results[s][a].float(), results[s][b].float()) for s in settings]
            found += any(g.mean > 1e-6 for g in gaps) and any(g.mean < -1e-6 for g in gaps)
            sure += any(g.low > 0 for g in gaps) and any(g.high < 0 for g in gaps)
    return found, sure


draws = torch.randint(40, (200, 40), generator=torch.Generator().manual_seed(0))


def by_chance(scores):
    """How many pairs change their order when the pictures are drawn again; mean over 200 draws."""
    each = torch.stack([values.float() for values in scores.values()])  # (methods, 40)
    before, after = each.mean(dim=1), each[:, draws].mean(dim=2)  # (methods,), (methods, 200)
    products = (before[:, None] - before)[..., None] * (after[:, None] - after)
    return float((products < -1e-9).sum(dim=(0, 1)).float().mean()) / 2  # each pair stands there twice


# %%
settings = {"what stands there": kinds, "width of the blur": widths, "tolerance": tolerances}
for title, results in settings.items():
    found, sure = changes(results)
    print(f"{title:>18}: {found} pairs of methods change their order, {sure} of them surely")
    chances = (f"{setting} {by_chance(scores):.1f}" for setting, scores in results.items())
    print(f"{'other pictures':>18}: on average {', '.join(chances)}")
for setting, scores in deletions.items():
    gap = judge.paired(scores["gradient × input"], scores["saliency"])
    print(f"{setting:>18}: deletion, gradient × input minus saliency {gap}")

# %% [markdown]
# Orders do change, but with forty pictures none of these changes is sure, and other pictures alone change some pairs, too. Not all of it is chance, though. The last lines show one pair: with grey gradient × input has the lower area, with a blur the higher one, and **other scenes say the same, set after set**. Forty pictures are often too few to see it in one set. So when a paper says "our method has the best deletion score", ask: with which substrate, how wide a blur, on how many pictures, with which interval?

# %% [markdown]
# ## 4 · Which part does it use? Take it away
#
# Our scenes know their parts: head, wheel, sail. Take one part away (blur it), and measure how far the score falls: that is what the part is worth *to the model*. A map that tells what the model uses should put its mass in the same order. For each picture: the rank correlation, over its parts, between the mass of the map on the part and the fall of the score. The control "guessing" is a map of the network with random last layers (section 2), compared with the falls of the trained one.

# %%
jobs = []  # (number of the picture, mask of one of its parts)
for n in range(40):
    for part in single.parts[n][single.masks[n]].unique().tolist():
        region = (single.parts[n] == part) & single.masks[n]
        if part and region.sum() >= 30:
            jobs.append((n, region))
owner, regions = torch.tensor([n for n, _ in jobs]), torch.stack([region for _, region in jobs])
soft = judge.blur(x, 8)
with torch.no_grad():
    whole = model(x).gather(1, c[:, None])[:, 0]
    without = []
    for o, r in zip(owner.split(16), regions.split(16), strict=True):
        without.append(model(torch.where(r[:, None], soft[o], x[o])).gather(1, c[o][:, None])[:, 0])
falls = whole[owner] - torch.cat(without)

# %%
asked = [*quick, "CAM", "guided backprop, guessing", "random", "constant"]
maps["guided backprop, guessing"] = methods["guided backprop"].explain(
    random_network, x, c, random_network.layer4
)
part_scores = {}
for name in asked:
    heat = maps[name] if name in maps else methods[name].explain(model, x, c, layer)
    mass = (heat[owner].clamp(min=0) * regions).sum(dim=(1, 2))
    several = [owner == n for n in range(40) if (owner == n).sum() >= 3]
    part_scores[name] = torch.tensor([spearmanr(mass[o], falls[o]).statistic for o in several]).nan_to_num(0)
for name in asked[:-1]:
    gaps = [judge.paired(part_scores[name], part_scores[other]) for other in ("constant", "edges (Sobel)")]
    texts = [f"{gap.mean:+.2f} ({gap.low:+.2f} to {gap.high:+.2f})" for gap in gaps]
    print(f"{name:>25} minus constant {texts[0]}, minus edges {texts[1]}")

# %% tags=["hide-input"]
plots.score_plot(
    part_scores,
    baselines=["edges (Sobel)", "random", "constant"],
    xlabel="rank correlation: the map's mass on a part, and the fall of the score",
    title=f"{len(part_scores['CAM'])} pictures, {len(jobs)} parts taken away one at a time",
    xlim=(-0.1, 1.0),
)
plots.show(
    "Rank correlation of mass and fall: "
    + ", ".join(f"{name} {values.mean():.2f}" for name, values in part_scores.items())
)

# %% [markdown]
# Even the constant map is clearly above zero: its mass on a part is the part's *size*, and taking away a large part hurts more. The edges do not know the network either, and on other pictures, too, Grad-CAM is not above them. Guided backpropagation stands clear of the constant each time, but so do its maps for the *guessing* network, with nearly the same value. So **a high value in this test does not show that a map knows the network**: put the constant, the edges and a guessing network beside any result of this kind.

# %% [markdown]
# ## 5 · Two more checks of a method
#
# ### Black resembles black
#
# *SSIM* (structural similarity) compares means, contrasts and patterns in small windows; 1 is equal. Papers use it to compare maps. If two maps are zero almost everywhere, nearly all windows are equal. Here are maps of a few bright pixels each, at *unrelated* random places:

# %%
generator = torch.Generator().manual_seed(0)
for share in (0.5, 0.1, 0.02, 0.005):
    a, b = ((torch.rand(4, 128, 128, generator=generator) < share).float() for _ in range(2))
    alike = judge.ssim(a, b).mean(), judge.rank_correlation(a, b).mean()
    print(f"{share:>6.1%} of the pixels bright: SSIM {alike[0]:.2f}, rank correlation {alike[1]:+.2f}")

# %% [markdown]
# The maps have nothing in common in any row, and SSIM says so only for dense ones. Report it together with a rank correlation, and with its value for unrelated maps.
#
# ### Input invariance
#
# Kindermans and others (2019) shift all pictures by a constant $s$ (one number a colour channel), and undo the shift inside the network, in the bias of its first layer: $b' = b - W \cdot s$, where $W$ are the weights and $b$ the bias. For each picture, the shifted network on the shifted picture computes what the original one does (this network has no padding: zeros at the border would stay behind). An explanation of what the network computes must not change.

# %%
animals = lesson.small_animals(60)
first_network = lesson.train(animals.pictures, animals.labels, epochs=20)
shifted = lesson.tiny_network(0).eval()
shifted.load_state_dict(first_network.state_dict())
s = torch.tensor([0.8, 0.4, -0.5]).view(1, 3, 1, 1)
with torch.no_grad():
    shifted[0].bias -= (first_network[0].weight * s).sum(dim=(1, 2, 3))
    v, t = animals.pictures[:20], animals.labels[:20]
    print(f"largest difference of the scores: {(first_network(v) - shifted(v + s)).abs().max():.0e}")

# %%
zero, black = torch.zeros(1, 3, 1, 1), torch.full((1, 3, 1, 1), -1.0)


def ig(network, v, baseline):
    return integrated_gradients(network, v, t, baselines=baseline, n_steps=12).sum(dim=1).abs()


checks = {  # each takes a network, its pictures, and the shift that these have
    "saliency": lambda net, v, s: saliency(net, v, t).amax(dim=1),
    "guided backprop": lambda net, v, s: guided_backprop(net, v, t).abs().amax(dim=1),
    # before the ReLU: a map that is zero everywhere has no order to compare
    "Grad-CAM": lambda net, v, s: upsample(grad_cam(net, v, t, net[6], relu=False), 32),
    "gradient × input": lambda net, v, s: input_x_gradient(net, v, t).sum(dim=1).abs(),
    "IG from the number 0": lambda net, v, s: ig(net, v, zero),
    "IG from “black”": lambda net, v, s: ig(net, v, black + s),
    "IG from the blurred picture": lambda net, v, s: ig(net, v, judge.blur(v, 4)),
    "occlusion by the number 0": lambda net, v, s: occlusion(net, v, t, 8, 4),
    "occlusion by “black”": lambda net, v, s: occlusion(net, v, t, 8, 4, black + s),
}
unchanged = {
    n: judge.rank_correlation(of(first_network, v, zero), of(shifted, v + s, s)) for n, of in checks.items()
}

# %% tags=["hide-input"]
plots.score_plot(
    unchanged,
    sort=False,
    xlabel="rank correlation before and after the shift (1 = invariant)",
    xlim=(-0.2, 1.15),
)
plots.show("; ".join(f"{n} {values.mean():.2f}" for n, values in unchanged.items()))

# %% [markdown]
# What starts from the *number* zero changes with the shift (gradient × input does so, too: it asks what the way from zero adds). Gradients and feature maps alone do not. Baselines that move with the picture are invariant, too: "black" stays black, and the blurred picture is shifted like the picture. So this check does not condemn integrated gradients: it says that the baseline is part of the question.

# %% [markdown]
# ## 6 · Unit tests for explanations
#
# Software has unit tests: tiny cases whose right answer is known. Explanations can have them, too. The lab `designed` has networks with weights set by hand, so the right attribution is known exactly: the [*Shapley values*](glossary.md#shapley-value) of the score against zero (what each input adds, averaged over all orders of adding them; [lesson 07](07_shap.ipynb)).
#
# | network | score | the right attribution |
# |---|---|---|
# | linear | $\sum_i w_i x_i + b$, weights $w_i$, offset $b$ | $w_i x_i$ each |
# | and | 1 if both inputs are on (1, not 0), else 0 | one half each if both are on, else nothing |
# | or | 1 if at least one of two inputs is on, else 0 | shared equally by those that are on |
# | xor | 1 if exactly one of two inputs is on, else 0 | 1 for the one that is on alone; nothing if both are |
# | saturating | $\min(x_1 + x_2, 1)$, inputs of any size from 0 | shared in proportion to the inputs |
# | symmetric | number of pairs among three inputs that are both on | shared equally by those that are on |
# | patch | 1 if a white cross stands in the picture, else 0 | shared equally by the cross's white pixels |
# | two class patch | two classes: how many crosses, how many frames | the same, for the pattern of the class asked for |

# %%
saturating = load_lab("designed", network="saturating")
row = saturating.inputs[3:4].clone().requires_grad_()
(gradient,) = torch.autograd.grad(saturating.model(row).sum(), row)
truth_of_row = saturating.attributions[3].tolist()
print("input", row[0].tolist(), "| gradient", gradient[0].tolist(), "| truth", truth_of_row)
results = explanation_tests()

# %% [markdown]
# The gradient is zero: each input alone would do, so a small change of one of them changes nothing. The gradient *must* fail this test. Now all methods and all networks. **exact**: the numbers are right. **place**: other numbers, but the strongest is where it must be, and nothing where nothing must be (sizes only: the truth with a wrong sign is "place", too). **fails**: neither. **–**: no answer.

# %% tags=["hide-input"]
lesson.draw_unit_tests(results, list(NETWORKS), BASELINES)
exact = {n: sum(r.state == "exact" for r in of.values()) for n, of in results.items()}
plots.show(
    "A table of methods and eight networks: exact, place, fails or no answer. Most exact: "
    + ", ".join(f"{n} {k}" for n, k in sorted(exact.items(), key=lambda item: -item[1])[:3])
)

# %% [markdown]
# Why some fail, and why some have no answer:
#
# - *saliency* fails "linear": a gradient is a slope, not a contribution, and the steepest input need not add most. (Its lost sign would cost "exact" only.) That is another question, not a bug.
# - *occlusion* fails "or": when both inputs are on, taking either one away changes nothing, so both get zero although together they are everything.
# - *gradient × input* fails "saturating", for the reason above. *Integrated gradients* pass: on the way from zero to the input the slope was not yet zero.
# - *LIME* gets the order of the linear network right and its numbers too small: its ridge penalty shrinks the coefficients, and there are only 16 questions to ask here. (Without the penalty they are exact, with each question asked a hundred times nearly so: the course's tests check it.)
# - *deconvnet* and *guided backpropagation* have no answer for "linear": they change what a ReLU does, and this network has none. *CAM* needs feature maps and a linear layer, *deconvnet* starts at that layer, and "patch" has none. *Shapley values* have none for 576 pixels; *LIME* and *KernelSHAP* are asked through the same on-off game, and leave the pictures out for the same reason.
# - A test that the input itself passes says little: that is why maps that know nothing are in the table.
#
# That exact methods pass "exact" is partly circular: we *defined* the truth by Shapley values. Another definition (what falls when only this input is removed?) would make occlusion exact. A unit test fixes the question; say which.
#
# The same for a function of your own. Here is a plausible invention: the gradient, times the input, but only where it is positive. Beside it stands the control: the same without the cut.


# %%
def my_method(model, inputs, targets):
    """Attributions like the inputs, (N, C, H, W)."""
    return input_x_gradient(model, inputs, targets).clamp(min=0)


for network in NETWORKS:
    cut, whole = try_method(my_method, network), try_method(input_x_gradient, network)
    print(f"{network:>16}: {cut.state:<6} (largest error {cut.error:.2f}) | without the cut: {whole.state}")

# %% [markdown]
# The largest error is a share of the largest true value. Most failures are those of gradient × input itself: only the control says what the cut does. It costs "linear", where some inputs speak against the score. And it makes "xor" exact, by luck: with both inputs on the slope is negative, and the right answer happens to be nothing. A method that passes one test more may have been lucky, too.

# %% [markdown]
# ## 7 · Recap
#
# - A board compares methods with their settings, by measures with theirs. Read it with paired differences.
# - On this board guided Grad-CAM is first, or not surely behind the first, in each column but sensitivity: on these scenes, with these settings. No column asks whether a map notices that the classes are gone; guided backpropagation hardly does, and is among the best at pointing.
# - Orders change with the substrate, the blur and the tolerance. Forty pictures are too few to tell which change is chance; one came back on other scenes.
# - Put the constant map, the edges and a guessing network beside a test with parts, and an unrelated map beside an SSIM.
# - A unit test fixes the question: it says what the right answer is, and by which definition.
#
# **References**
# - [Yeh and others, 2019: On the (in)fidelity and sensitivity of explanations](https://arxiv.org/abs/1901.09392) · [Bhatt and others, 2020: Evaluating and aggregating feature-based model explanations](https://arxiv.org/abs/2005.00631)
# - [Kindermans and others, 2019: The (un)reliability of saliency methods](https://arxiv.org/abs/1711.00867) · [Nie and others, 2018: Why guided backpropagation restores the picture](https://arxiv.org/abs/1805.07039)
