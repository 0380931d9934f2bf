# %% [markdown]
# # Homework: looking inside
#
# A network that you have not met. Its convolutions were trained on disturbed pictures, and it has got a new head, made for this homework: the mean of each last map, then one linear layer. You project its features back, split its scores among the places, ask why it says this rather than that, and find out where a library goes wrong without a word.
#
# **How it works.** Write each answer where it says `# your answer` or in place of the dots, and run the cell below it: it tells you whether your answer has the right *form*, not whether it is right. Each answer is a variable (or a function) with the name that stands there. Do not change the other cells: they are put back before the grading.
#
# | | |
# |---|---|
# | time | about 75 minutes |
# | points | 32 |
# | lessons | 02 to 05, and of the companions 02b §7 and 03b §5 |
# | help | the lessons, the functions of `course_utils`, and the documentation; not each other's answers |

# %%
SEED = 2026

import copy
import warnings
from collections import OrderedDict

import numpy as np
import torch
from captum.attr import GuidedBackprop
from torch import nn
from torch.nn import functional as F

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.methods.cam import cam, grad_cam, upsample
from course_utils.methods.deconvnet import deconvnet, guided_backprop
from course_utils.methods.hooks import layer_outputs
from course_utils.teach import answers, plots

warnings.simplefilter("ignore")  # captum announces each hook that it sets
rng = np.random.default_rng([SEED, 1])
lab = load_lab("scenes", model="zfnet_robust", seed=SEED, n=340)
layers = list(lab.model.named_children())
last = str(rng.choice(["relu5", "pool5"]))  # the new head stands behind it
trunk = nn.Sequential(OrderedDict(layers[: [name for name, _ in layers].index(last) + 1]))


@torch.no_grad()
def with_head(trunk, inputs, targets):
    """The trunk, global average pooling, and a linear layer: least squares, 10 for the right class, else 0."""
    means = torch.cat([trunk(part).mean(dim=(2, 3)) for part in inputs.split(50)]).double()
    columns = torch.cat([means, torch.ones_like(means[:, :1])], dim=1)
    wanted = 10 * F.one_hot(targets.to(means.device), 10).double()
    square = columns.T @ columns + 1e-3 * torch.eye(columns.shape[1]).to(columns)
    found = torch.linalg.solve(square, columns.T @ wanted).float()
    fc = nn.Linear(means.shape[1], 10).to(inputs.device)
    fc.weight.copy_(found[:-1].T)
    fc.bias.copy_(found[-1])
    end = [("average", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("fc", fc)]
    return nn.Sequential(OrderedDict([*trunk.named_children(), *end])).eval()


network = with_head(trunk, lab.inputs[:300], lab.targets[:300])
with torch.no_grad():
    known = network(lab.inputs[300:]).argmax(dim=1).cpu() == lab.targets[300:]
twelve = 300 + known.nonzero()[:12, 0]  # the first twelve new pictures that it knows
inputs, targets, masks = lab.inputs[twelve], lab.targets[twelve], lab.masks[twelve]
images = [lab.images[i] for i in twelve.tolist()]
middle = str(rng.choice(["relu2", "relu3", "relu4"]))
with layer_outputs(network, middle) as kept, torch.no_grad():
    network(inputs)
peaks, means = kept[0].amax(dim=(2, 3)), kept[0].mean(dim=(2, 3))
# a channel whose largest value and whose largest mean are not in the same picture
channel = int(rng.choice((peaks.argmax(dim=0) != means.argmax(dim=0)).nonzero()[:, 0].cpu().numpy()))
chosen = int(rng.choice((peaks[:, channel] > 0).nonzero()[:, 0].cpu().numpy()))
other = int(rng.integers(1, 10))
target = int(targets[chosen])
other = (target + other) % 10  # another class
print(f"right on {known.float().mean():.0%} of {len(known)} new pictures; the head stands behind {last}")
print(f"layer {middle!r}, channel {channel}; picture {chosen}: a {lab.class_names[target]} ({target})")
print(network)

# %%
plots.show_images(
    images, [f"{i}: {lab.class_names[int(c)]}" for i, c in enumerate(targets)], columns=6, width=9
)

# %% [markdown]
# ## 1 · Project a feature back
#
# **Question 1** (2 points). Which of the twelve pictures (0 to 11) contains the *largest single value* of channel `channel` of layer `middle`?

# %% question="strongest_picture" points=2 minutes=4 trains="02 §5"
# BEGIN SOLUTION
with layer_outputs(network, middle) as outputs, torch.no_grad():
    network(inputs)
strongest_picture = int(outputs[0][:, channel].amax(dim=(1, 2)).argmax())
# END SOLUTION

# %% test="strongest_picture"
answers.number(strongest_picture, 0, 11)
# BEGIN HIDDEN TESTS
of_channel = kept[0][:, channel]
largest = of_channel.amax(dim=(1, 2))
by_mean = int(of_channel.mean(dim=(1, 2)).argmax())
right = float(largest[int(strongest_picture)]) >= 0.999 * float(largest.max())
if strongest_picture == by_mean and not right:
    print("mistake: the largest mean instead of the largest value")
2 if right else 0.5 if strongest_picture == by_mean else 0
# END HIDDEN TESTS

# %% mistake="the largest mean instead of the largest value" of="strongest_picture" points=0.5
with layer_outputs(network, middle) as outputs, torch.no_grad():
    network(inputs)
strongest_picture = int(outputs[0][:, channel].mean(dim=(1, 2)).argmax())


# %% [markdown]
# **Question 2** (4 points). How large is the square of pixels that one place of a map can see, its *receptive field*? Write it for any chain of convolutions and poolings: `kernels` and `strides` are lists of whole numbers, in the order in which the layers run. (The padding does not change the size; nor does a ReLU.)


# %% question="field_side" points=4 minutes=8 trains="02 §2"
def field_side(kernels, strides):
    """The side, in pixels, of what one place of the last layer sees: a whole number."""
    # BEGIN SOLUTION
    side, jump = 1, 1  # jump: pixels between neighbouring places
    for kernel, stride in zip(kernels, strides, strict=True):
        side += (kernel - 1) * jump
        jump *= stride
    return side
    # END SOLUTION


# %% test="field_side"
answers.function(field_side, [3, 2], [1, 2], shape=())
# BEGIN HIDDEN TESTS
fresh, hits, named = np.random.default_rng([SEED, 2]), 0, ""
for _ in range(4):
    n = int(fresh.integers(3, 7))
    kernels, strides = fresh.integers(2, 8, n).tolist(), fresh.integers(1, 4, n).tolist()
    strides[:2] = [2, 3]  # so that strides matter
    jumps = np.cumprod([1, *strides])
    steps = np.array(kernels) - 1
    got = float(field_side(kernels, strides))
    hits += got == 1 + (steps * jumps[:-1]).sum()
    named = "without the strides" if got == 1 + steps.sum() else named
    named = "counts a layer's own stride for itself" if got == 1 + (steps * jumps[1:]).sum() else named
    named = "the kernel instead of the kernel minus one" if got == (kernels * jumps[:-1]).sum() else named
if named:
    print("mistake:", named)
4 if hits == 4 else 1 if named == "without the strides" else 2 if named else 0
# END HIDDEN TESTS


# %% mistake="without the strides" of="field_side" points=1
def field_side(kernels, strides):
    return 1 + sum(kernel - 1 for kernel in kernels)


# %% mistake="counts a layer's own stride for itself" of="field_side" points=2
def field_side(kernels, strides):
    side, jump = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        jump *= stride
        side += (kernel - 1) * jump
    return side


# %% [markdown]
# **Question 3** (2 points). Project channel `channel` of `middle` back in picture `chosen`, from its strongest place, with the course's `deconvnet`. Take the absolute value of each number of the result and add up the three colours: a map of 128 × 128. Which share of its sum lies on the object (`masks[chosen]`)?

# %% question="rebuilt_on_object" points=2 minutes=5 trains="02 §4"
# BEGIN SOLUTION
rebuilt = deconvnet(network, inputs[chosen : chosen + 1], middle, channel)[0].abs().sum(dim=0).cpu()
rebuilt_on_object = float(rebuilt[masks[chosen]].sum() / rebuilt.sum())
# END SOLUTION

# %% test="rebuilt_on_object"
answers.number(rebuilt_on_object, 0, 1)


# BEGIN HIDDEN TESTS
def on_object(heat):
    return float(heat.cpu()[masks[chosen]].sum() / heat.cpu().sum())


back = deconvnet(network, inputs[chosen : chosen + 1], middle, channel)[0]
key, late = on_object(back.abs().sum(dim=0)), on_object(back.sum(dim=0).abs())
guided = on_object(guided_backprop(network, inputs[chosen : chosen + 1], target)[0].abs().sum(dim=0))
right, near_late = abs(rebuilt_on_object - key) < 2e-3, abs(rebuilt_on_object - late) < 2e-3
if not right and near_late:
    print("mistake: added up the colours before the absolute value")
elif not right and abs(rebuilt_on_object - guided) < 2e-3:
    print("mistake: the class score instead of the channel")
2 if right else 1 if near_late else 0
# END HIDDEN TESTS

# %% mistake="the class score instead of the channel" of="rebuilt_on_object" points=0
rebuilt = guided_backprop(network, inputs[chosen : chosen + 1], target)[0].abs().sum(dim=0).cpu()
rebuilt_on_object = float(rebuilt[masks[chosen]].sum() / rebuilt.sum())

# %% [markdown]
# **Question 4** (3 points). Which of the sentences that the next cell prints are true? Write their letters, such as `"AC"`. Each letter that is wrong or missing costs half a point.

# %%
SENTENCES = [
    "If all weights of fc were drawn anew, the reconstruction of question 3 would stay the same.",
    "If you ask for another class, the reconstruction of question 3 becomes another one.",
    "On the way back, the deconvnet sets negative signals to zero at each ReLU.",
    "At a ReLU, the deconvnet lets a signal pass only where the ReLU's input was positive.",
    "Pixels outside its receptive field cannot change a place of a map.",
    "A sharp reconstruction of a channel shows that the network has recognised the object.",
]
sentences = dict(zip("ABCDEF", np.random.default_rng([SEED, 3]).permutation(SENTENCES).tolist(), strict=True))
print("\n".join(f"{letter}: {sentence}" for letter, sentence in sentences.items()))

# %% question="true_sentences" points=3 minutes=5 trains="02 §4, §8"
# BEGIN SOLUTION
true_sentences = "".join(letter for letter, text in sentences.items() if text in SENTENCES[0::2])
# END SOLUTION

# %% test="true_sentences"
answers.letters(true_sentences, "ABCDEF")
# BEGIN HIDDEN TESTS
said = {sentences[letter] for letter in true_sentences.upper()}
if SENTENCES[3] in said:
    print("mistake: takes the ReLU's plain gradient for the deconvnet's rule")
elif SENTENCES[1] in said:
    print("mistake: thinks that a reconstruction knows the class")
sum((text in said) == (number % 2 == 0) for number, text in enumerate(SENTENCES)) / 2
# END HIDDEN TESTS

# %% mistake="takes the ReLU's plain gradient for the deconvnet's rule" of="true_sentences" points=2
true_sentences = "".join(
    k for k, text in sentences.items() if text in (SENTENCES[0], SENTENCES[3], SENTENCES[4])
)

# %% mistake="thinks that a reconstruction knows the class" of="true_sentences" points=2
true_sentences = "".join(
    k for k, text in sentences.items() if text in (SENTENCES[1], SENTENCES[2], SENTENCES[4])
)


# %% [markdown]
# ## 2 · Split a score among the places
#
# **Question 5** (4 points). The head takes the mean of each map, and a linear layer. So a class score is its bias plus a sum over all places of the last maps. Which part of that score comes from the places of one region? The bias belongs to no place: leave it out.


# %% question="region_score" points=4 minutes=8 trains="03 §2"
def region_score(maps, weights, region):
    """The part of a class's score (a number) that comes from `region`.

    maps (K, h, w): the last feature maps of one picture; weights (K,): the class's row of fc; region (h, w): bool.
    """
    # BEGIN SOLUTION
    places = torch.einsum("k,khw->hw", weights, maps) / maps[0].numel()
    return places[region].sum()
    # END SOLUTION


# %% test="region_score"
answers.function(region_score, torch.ones(64, 8, 8), torch.ones(64), torch.eye(8) > 0, shape=())
# BEGIN HIDDEN TESTS
draw, hits, named = torch.Generator().manual_seed(SEED), 0, ""
for height, width in ((7, 7), (5, 9), (8, 4)):
    maps, row = torch.rand(12, height, width, generator=draw), torch.randn(12, generator=draw)
    region = torch.rand(height, width, generator=draw) < 0.4
    values = torch.einsum("k,khw->hw", row, maps)
    key = float(values[region].sum() / (height * width))
    got = float(region_score(maps, row, region))
    wrong = {
        "a sum that is not divided by the number of all places": float(values[region].sum()),
        "the mean over the region": float(values[region].mean()),
        "only the positive places": float(values.relu()[region].sum() / (height * width)),
    }
    hits += abs(got - key) < 1e-4 * max(1, abs(key))
    named = next((n for n, value in wrong.items() if abs(got - value) < 1e-4 * max(1, abs(value))), named)
if hits < 3 and named:
    print("mistake:", named)
4 if hits == 3 else 2 if named else 0
# END HIDDEN TESTS


# %% mistake="a sum that is not divided by the number of all places" of="region_score" points=2
def region_score(maps, weights, region):
    return torch.einsum("k,khw->hw", weights, maps)[region].sum()


# %% mistake="the mean over the region" of="region_score" points=2
def region_score(maps, weights, region):
    return torch.einsum("k,khw->hw", weights, maps)[region].mean()


# %% mistake="only the positive places" of="region_score" points=2
def region_score(maps, weights, region):
    return torch.einsum("k,khw->hw", weights, maps).relu()[region].sum() / maps[0].numel()


# %%
pairs = load_lab("scenes", model="zfnet_robust", n_objects=2, seed=SEED, n=12)  # two objects in each picture
asked_inputs, asked, asked_masks = pairs.questions()  # each picture twice, with a class and its object

# %% [markdown]
# **Question 6** (2 points). `asked_inputs` has 24 pictures, for each a class `asked` and the mask `asked_masks` of that object. In how many of the 24 does the maximum of the CAM (of your `network`, enlarged with `upsample` to 128) lie on the object, or at most 5 pixels beside it (`judge.pointing_game` with `tolerance=5`)?

# %% question="hits" points=2 minutes=6 trains="03 §6"
# BEGIN SOLUTION
asked_maps = upsample(cam(network, asked_inputs, asked, last, "fc"), 128)
hits = int(judge.pointing_game(asked_maps, asked_masks, tolerance=5).sum())
# END SOLUTION

# %% test="hits"
answers.number(hits, 0, 24)


# BEGIN HIDDEN TESTS
def pointed(classes):
    maps = upsample(cam(network, asked_inputs, classes, last, "fc"), 128)
    return int(judge.pointing_game(maps, asked_masks, tolerance=5).sum())


with torch.no_grad():
    answered = network(asked_inputs).argmax(dim=1)
key, by_answer = pointed(asked), pointed(answered)
if abs(hits - key) > 1 and hits == by_answer:
    print("mistake: the class that the network answers, not the class asked for")
2 if abs(hits - key) <= 1 else 0.5 if hits == by_answer else 0
# END HIDDEN TESTS

# %% mistake="the class that the network answers, not the class asked for" of="hits" points=0.5
answered = network(asked_inputs).argmax(dim=1)
hits = judge.pointing_game(upsample(cam(network, asked_inputs, answered, last, "fc"), 128), asked_masks, 5)
hits = int(hits.sum())

# %% [markdown]
# ## 3 · Any layer
#
# **Question 7** (2 points). At layer `last`, CAM is Grad-CAM without its ReLU (`relu=False`), times one number that is the same for all places, pictures and classes. Which number?

# %% question="factor" points=2 minutes=4 trains="04 §4"
# BEGIN SOLUTION
one = inputs[:1]
of_cam = cam(network, one, targets[:1], last, "fc")
factor = float(of_cam.sum() / grad_cam(network, one, targets[:1], last, relu=False).sum())
# END SOLUTION

# %% test="factor"
answers.number(factor)
# BEGIN HIDDEN TESTS
with layer_outputs(network, last) as of_last, torch.no_grad():
    network(inputs[:1])
n_places = of_last[0][0, 0].numel()
upside_down = abs(factor * n_places - 1) < 0.01
if upside_down:
    print("mistake: the other way round")
elif abs(factor / of_last[0].shape[1] - 1) < 0.01 and of_last[0].shape[1] != n_places:
    print("mistake: the number of channels")
2 if abs(factor / n_places - 1) < 0.01 else 1 if upside_down else 0
# END HIDDEN TESTS

# %% mistake="the other way round" of="factor" points=1
with layer_outputs(network, last) as outputs, torch.no_grad():
    network(inputs[:1])
factor = 1 / outputs[0][0, 0].numel()

# %% [markdown]
# **Question 8** (2 points). Grad-CAM at layer `middle` for picture `chosen` and its class: which channel has the *most negative weight*? (The weight, not the map.)

# %% question="against" points=2 minutes=6 trains="04 §2"
# BEGIN SOLUTION
n_layers = [name for name, _ in network.named_children()].index(middle) + 1
maps = network[:n_layers](inputs[chosen : chosen + 1]).detach().requires_grad_()
(gradient,) = torch.autograd.grad(network[n_layers:](maps)[0, target], maps)
against = int(gradient.mean(dim=(2, 3))[0].argmin())
# END SOLUTION

# %% test="against"
answers.number(against, 0, 95)
# BEGIN HIDDEN TESTS
n_first = [name for name, _ in network.named_children()].index(middle) + 1
maps_there = network[:n_first](inputs[chosen : chosen + 1]).detach().requires_grad_()
(slope,) = torch.autograd.grad(network[n_first:](maps_there)[0, target], maps_there)
weight = slope.mean(dim=(2, 3))[0]
if against == int(weight.argmax()):
    print("mistake: speaks most for the class")
2 if float(weight[int(against)]) <= 0.98 * float(weight.min()) else 0
# END HIDDEN TESTS

# %% mistake="speaks most for the class" of="against" points=0
n_layers = [name for name, _ in network.named_children()].index(middle) + 1
maps = network[:n_layers](inputs[chosen : chosen + 1]).detach().requires_grad_()
(gradient,) = torch.autograd.grad(network[n_layers:](maps)[0, target], maps)
against = int(gradient.mean(dim=(2, 3))[0].argmax())


# %% [markdown]
# **Question 9** (4 points). Why class `a` rather than class `b`? Write Grad-CAM, with its ReLU, for the *difference of the two scores*. Do not use the course's `grad_cam`: `network[:n]` runs the first `n` layers, and `network[n:]` the rest.


# %% question="rather_cam" points=4 minutes=10 trains="04 §2, 03b §5"
def rather_cam(network, x, n, a, b):
    """The map (h, w), at least 0, behind the first n layers, for one picture x (3, H, W)."""
    # BEGIN SOLUTION
    maps = network[:n](x[None]).detach().requires_grad_()
    scores = network[n:](maps)[0]
    (gradients,) = torch.autograd.grad(scores[a] - scores[b], maps)
    return (gradients.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1)[0].relu().detach()
    # END SOLUTION


# %% test="rather_cam"
answers.function(rather_cam, network, inputs[chosen], 3, target, other, shape=(32, 32))
# BEGIN HIDDEN TESTS
fresh, points, named = np.random.default_rng([SEED, 4]), 0, ""


def same(one, two):
    size = max(float(two.abs().max()), 1e-9)
    return tuple(one.shape) == tuple(two.shape) and float((one - two).abs().max()) < 1e-3 * size


for n in (6, 8, 10, 12):
    x, (a, b) = lab.inputs[int(fresh.integers(300))], map(int, fresh.permutation(10)[:2])
    maps = network[:n](x[None]).detach().requires_grad_()
    scores = network[n:](maps)[0]

    def weighed(score, maps=maps):
        (slopes,) = torch.autograd.grad(score, maps, retain_graph=True)
        return (slopes.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1)[0].detach()

    key = weighed(scores[a] - scores[b])
    probabilities = scores.softmax(dim=0)
    got = torch.as_tensor(rather_cam(network, x, n, a, b)).to(key)
    wrong = {
        "no ReLU": key,
        "the difference of two maps that are rectified already": weighed(scores[a]).relu()
        - weighed(scores[b]).relu(),
        "probabilities instead of scores": weighed(probabilities[a] - probabilities[b]).relu(),
        "only the score of a": weighed(scores[a]).relu(),
        "why b rather than a": (-key).relu(),
    }
    right = same(got, key.relu())
    points += right
    named = named if right else next((name for name, other in wrong.items() if same(got, other)), named)
if named:
    print("mistake:", named)
4 if points == 4 else 1 if named == "only the score of a" else 2 if named else points
# END HIDDEN TESTS


# %% mistake="the difference of two maps that are rectified already" of="rather_cam" points=2
def rather_cam(network, x, n, a, b):
    both = [grad_cam(network, x[None], c, network[n - 1])[0] for c in (a, b)]
    return both[0] - both[1]


# %% mistake="only the score of a" of="rather_cam" points=1
def rather_cam(network, x, n, a, b):
    return grad_cam(network, x[None], a, network[n - 1])[0]


# %% mistake="no ReLU" of="rather_cam" points=2
def rather_cam(network, x, n, a, b):
    both = [grad_cam(network, x[None], c, network[n - 1], relu=False)[0] for c in (a, b)]
    return both[0] - both[1]


# %% [markdown]
# **Question 10** (2 points). Grad-CAM of the twelve pictures and their own classes, at the layers `relu2`, `relu3`, `relu4` and `relu5`, enlarged to 128: at which one is the mean share of the map on the object (`judge.energy_in_mask`) largest?

# %% question="best_layer" points=2 minutes=5 trains="04 §8"
# BEGIN SOLUTION
shares = {
    name: judge.energy_in_mask(upsample(grad_cam(network, inputs, targets, name), 128), masks).mean()
    for name in ("relu2", "relu3", "relu4", "relu5")
}
best_layer = max(shares, key=shares.get)
# END SOLUTION

# %% test="best_layer"
answers.choice(best_layer, ["relu2", "relu3", "relu4", "relu5"])
# BEGIN HIDDEN TESTS
energies = {
    name: judge.energy_in_mask(upsample(grad_cam(network, inputs, targets, name), 128), masks)
    for name in ("relu2", "relu3", "relu4", "relu5")
}
top = max(energies.values(), key=lambda values: float(values.mean()))
behind = float(top.mean() - energies[best_layer].mean())
lowest = min(energies, key=lambda name: float(energies[name].mean()))
if behind >= 0.01 and best_layer == lowest:
    print("mistake: the smallest share instead of the largest")
2 if behind < 0.01 else 0  # so near that a detail of the enlarging may decide
# END HIDDEN TESTS

# %% mistake="the smallest share instead of the largest" of="best_layer" points=0
shares = {
    name: judge.energy_in_mask(upsample(grad_cam(network, inputs, targets, name), 128), masks).mean()
    for name in ("relu2", "relu3", "relu4", "relu5")
}
best_layer = min(shares, key=shares.get)


# %% [markdown]
# ## 4 · A library that says nothing
#
# A colleague has written your network again. It has the same layers with the same weights, and gives the same scores. Yet captum's guided backpropagation gives another map for it.


# %%
def written_again(network, rng):
    """The same network, in a colleague's words."""
    odd = [name for name, _ in network.named_children() if name.startswith("relu")][int(rng.integers(5))]

    class Again(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = copy.deepcopy(network)

        def forward(self, x):
            for name, layer in self.layers.named_children():
                x = F.relu(x) if name == odd else layer(x)
            return x

    return Again().eval()


again = written_again(network, np.random.default_rng([SEED, 5]))
x = inputs[chosen : chosen + 1]
print("the same scores:", torch.equal(again(x), network(x)))
maps_of_captum = [GuidedBackprop(model).attribute(x.clone(), target) for model in (network, again)]
print("the same maps:", torch.equal(*maps_of_captum))

# %% [markdown]
# **Question 11** (2 points). How far is captum's map of `again` from the right one, `guided_backprop(network, x, target)`? The largest absolute difference of two values at the same place, divided by the largest absolute value of the right map.

# %% question="off_by" points=2 minutes=3 trains="02b §7"
# BEGIN SOLUTION
right_map = guided_backprop(network, x, target)
off_by = float((maps_of_captum[1] - right_map).abs().max() / right_map.abs().max())
# END SOLUTION

# %% test="off_by"
answers.number(off_by, 0)
# BEGIN HIDDEN TESTS
truth = guided_backprop(network, x, target)
difference = (maps_of_captum[1] - truth).abs()
key = float(difference.max() / truth.abs().max())
by_theirs = float(difference.max() / maps_of_captum[1].abs().max())
if abs(off_by / key - 1) > 1e-3 and abs(off_by / by_theirs - 1) < 1e-3:
    print("mistake: divided by captum's map instead of the right one")
2 if abs(off_by / key - 1) < 1e-3 else 1 if abs(off_by / by_theirs - 1) < 1e-3 else 0
# END HIDDEN TESTS

# %% mistake="divided by captum's map instead of the right one" of="off_by" points=1
off_by = float(
    (maps_of_captum[1] - guided_backprop(network, x, target)).abs().max() / maps_of_captum[1].abs().max()
)

# %% [markdown]
# **Question 12** (3 points). In `again`, one of the five ReLUs does not obey captum's rule. Which one, `"relu1"` to `"relu5"`? Find it by *measuring*: for example, count with hooks which modules run, or compute what the map would be if one ReLU kept its plain gradient. (The layers are in `again.layers`.)

# %% question="disobedient" points=3 minutes=8 trains="02b §7"
# BEGIN SOLUTION
ran = set()
handles = [
    layer.register_forward_hook(lambda module, args, output, name=name: ran.add(name))
    for name, layer in again.layers.named_children()
]
again(x)
for handle in handles:
    handle.remove()
disobedient = next(name for name in ("relu1", "relu2", "relu3", "relu4", "relu5") if name not in ran)
# END SOLUTION

# %% test="disobedient"
answers.choice(disobedient, [f"relu{number}" for number in range(1, 6)])
# BEGIN HIDDEN TESTS
running = []
for name, layer in again.layers.named_children():
    layer.register_forward_hook(lambda module, args, output, name=name: running.append(name))
again(x)
3 if disobedient not in running else 0
# END HIDDEN TESTS
