# %% [markdown]
# # Homework 9, pictures: what does the network look at?
#
# Ten pictures, one network, five methods: LIME, saliency, SmoothGrad, filters, Integrated Gradients. The pictures are drawn for this homework, so nobody has seen them before, and for each we know which pixels belong to the object.
#
# **How it works.** Write each answer where it says `# your answer` or in place of the dots, and run the cell below it: it tells you whether your answer has the right *form*, not whether it is right. Each answer is a variable (or a function) with the name that stands there. Do not change the other cells: they are put back before the grading.
#
# | | |
# |---|---|
# | time | about 80 minutes; SmoothGrad with 500 samples computes for about half a minute |
# | points | 42 |
# | lessons | 06, 08, 09 |
# | help | the lessons, the functions of `course_utils`, and the documentation; not each other's answers |

# %%
SEED = 2026

import numpy as np
import torch

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.methods.filters import activation_maximization, filter_activation
from course_utils.methods.gradients import integrated_gradients, saliency, smooth_grad
from course_utils.methods.lime import lime_image
from course_utils.teach import answers, plots
from course_utils.teach.superpixels import superpixels

lab = load_lab("scenes", seed=SEED, n=40)
known = torch.from_numpy(lab.predict(lab.images).argmax(axis=1)) == lab.targets
ten = known.nonzero()[:10, 0]  # the first ten pictures that the network knows
model, inputs, targets, masks = lab.model, lab.inputs[ten], lab.targets[ten], lab.masks[ten]
images = [lab.images[i] for i in ten.tolist()]
rng = np.random.default_rng([SEED, 1])
chosen = int(rng.integers(10))  # the picture of questions 1 to 5 and 17
shallow, deep = lab.layers["layer1"], lab.layers["layer4"]
channel = int(rng.integers(24))
print(f"picture {chosen}: a {lab.class_names[int(targets[chosen])]}; channel {channel}")

# %%
plots.show_images(
    images, [f"{i}: {lab.class_names[int(c)]}" for i, c in enumerate(targets)], columns=5, width=9
)

# %% [markdown]
# ## 1 · LIME

# %%
image, target = images[chosen], int(targets[chosen])
segments = superpixels(image, 30)
explanation = lime_image(lab.predict, image, target, segments, n_samples=1000, random_state=SEED)

# %% [markdown]
# **Question 1** (1 point). How many superpixels are there?

# %% question="n_superpixels" points=1 minutes=2 trains="06 §2"
# BEGIN SOLUTION
n_superpixels = len(np.unique(segments))
# END SOLUTION

# %% test="n_superpixels"
answers.number(n_superpixels, 1, 100)
# BEGIN HIDDEN TESTS
if n_superpixels == segments.max():
    print("mistake: the largest label; labels count from 0")
1 if n_superpixels == len(np.unique(segments)) else 0
# END HIDDEN TESTS

# %% mistake="the largest label; labels count from 0" of="n_superpixels" points=0
n_superpixels = int(segments.max())

# %% [markdown]
# **Question 2** (2 points). The label of the superpixel that speaks most *for* the class.

# %% question="most_for" points=2 minutes=3 trains="06 §2"
# BEGIN SOLUTION
most_for = int(np.unique(segments)[explanation.coefficients.argmax()])
# END SOLUTION

# %% test="most_for"
answers.number(most_for, 0, 100)
# BEGIN HIDDEN TESTS
runs = np.array(
    [
        lime_image(lab.predict, image, target, segments, n_samples=1000, random_state=100 + s).coefficients
        for s in range(3)
    ]
)
noise = 2 * runs.std(axis=0, ddof=1).max()
largest = set(
    np.flatnonzero(runs.mean(axis=0) >= runs.mean(axis=0).max() - noise)
)  # within the noise all are right
largest.add(int(explanation.coefficients.argmax()))
if most_for == explanation.coefficients.argmin():
    print("mistake: speaks most against")
2 if most_for in largest else 0
# END HIDDEN TESTS

# %% mistake="speaks most against" of="most_for" points=0
most_for = int(explanation.coefficients.argmin())

# %% [markdown]
# **Question 3** (2 points). Is the explanation to be trusted? The share of the answers' weighted variance that the straight line explains, $R^2$ (to two decimals).

# %% question="fidelity" points=2 minutes=3 trains="06 §3"
# BEGIN SOLUTION
fidelity = round(float(explanation.r2), 2)
# END SOLUTION

# %% test="fidelity"
answers.number(fidelity, -1, 1)
# BEGIN HIDDEN TESTS
2 if abs(fidelity - explanation.r2) < 0.0151 else 0
# END HIDDEN TESTS


# %% [markdown]
# **Question 4** (3 points). Which pixels belong to the `k` superpixels with the largest coefficients? `coefficients[j]` belongs to the `j`-th smallest label; labels need not begin at 0, and may have gaps.


# %% question="strongest_parts" points=3 minutes=8 trains="06 §5"
def strongest_parts(coefficients, segments, k):
    """A mask (H, W) of True and False."""
    # BEGIN SOLUTION
    labels = np.unique(segments)
    return np.isin(segments, labels[np.argsort(coefficients)[-k:]])
    # END SOLUTION


# %% test="strongest_parts"
answers.function(strongest_parts, explanation.coefficients, segments, 3, shape=segments.shape)
# BEGIN HIDDEN TESTS
fresh, points, named = np.random.default_rng([SEED, 2]), 0, ""
for labels in (np.arange(6), np.arange(1, 7), np.array([2, 3, 7, 11, 12, 20])):
    cut, values, k = labels[fresh.integers(0, 6, (9, 8))], fresh.normal(size=6), int(fresh.integers(1, 4))
    cut.flat[:6] = labels
    got = np.asarray(strongest_parts(values, cut, k)).astype(bool)
    points += np.array_equal(got, np.isin(cut, labels[np.argsort(values)[-k:]]))
    if np.array_equal(got, np.isin(cut, np.argsort(values)[-k:])) and labels[0]:
        named = "takes labels for positions"
    if np.array_equal(got, np.isin(cut, labels[np.argsort(np.abs(values))[-k:]])) and not points:
        named = "the largest absolute values"
if named and points < 3:
    print("mistake:", named)
points
# END HIDDEN TESTS


# %% mistake="takes labels for positions" of="strongest_parts" points=1
def strongest_parts(coefficients, segments, k):
    return np.isin(segments, np.argsort(coefficients)[-k:])


# %% [markdown]
# **Question 5** (2 points). Which share of the pixels of the three strongest superpixels lies on the object (`masks[chosen]`)?

# %% question="on_the_object" points=2 minutes=4 trains="06 §7"
# BEGIN SOLUTION
on_the_object = float(masks[chosen].numpy()[strongest_parts(explanation.coefficients, segments, 3)].mean())
# END SOLUTION

# %% test="on_the_object"
answers.number(on_the_object, 0, 1)
# BEGIN HIDDEN TESTS
parts = np.isin(segments, np.unique(segments)[np.argsort(explanation.coefficients)[-3:]])
key, other = masks[chosen].numpy()[parts].mean(), parts[masks[chosen].numpy()].mean()
if abs(on_the_object - other) < 1e-3 < abs(key - other):
    print("mistake: the share of the object that is covered")
2 if abs(on_the_object - key) < 1e-3 else 1 if abs(on_the_object - other) < 1e-3 else 0
# END HIDDEN TESTS

# %% mistake="the share of the object that is covered" of="on_the_object" points=1
on_the_object = float(
    np.isin(segments, np.argsort(explanation.coefficients)[-3:])[masks[chosen].numpy()].mean()
)


# %% [markdown]
# ## 2 · Saliency
#
# **Question 6** (4 points). Write saliency: for each pixel, the largest absolute gradient over the three colours of the *score* (before the softmax) of each picture's class.


# %% question="my_saliency" points=4 minutes=8 trains="08 §2"
def my_saliency(model, inputs, targets):
    """Maps (N, H, W), at least 0, for pictures (N, 3, H, W) and classes (N,)."""
    # BEGIN SOLUTION
    inputs = inputs.clone().requires_grad_()
    scores = model(inputs).gather(1, targets[:, None])
    return torch.autograd.grad(scores.sum(), inputs)[0].abs().amax(dim=1)
    # END SOLUTION


# %% test="my_saliency"
answers.function(my_saliency, model, inputs[:2], targets[:2], shape=(2, 128, 128))
# BEGIN HIDDEN TESTS
x, c = lab.inputs[20:23], torch.tensor([3, 0, 7])
moving = x.clone().requires_grad_()
(gradient,) = torch.autograd.grad(model(moving).gather(1, c[:, None]).sum(), moving)
(of_loss,) = torch.autograd.grad(torch.nn.functional.cross_entropy(model(moving), c, reduction="sum"), moving)
(of_probability,) = torch.autograd.grad(model(moving).softmax(1).gather(1, c[:, None]).sum(), moving)
got = torch.as_tensor(my_saliency(model, x, c)).double()
wrong = {
    "the gradient of the loss": of_loss.abs().amax(1),
    "the gradient of the loss, averaged over the pictures": of_loss.abs().amax(1) / 3,
    "the gradient of the probability": of_probability.abs().amax(1),
    "no absolute value": gradient.amax(1),
    "the mean over the colours": gradient.abs().mean(1),
}
right = torch.allclose(got, gradient.abs().amax(1).double(), rtol=1e-3, atol=1e-6)
named = [name for name, map_ in wrong.items() if torch.allclose(got, map_.double(), rtol=1e-3, atol=1e-7)]
if named and not right:
    print("mistake:", named[0])
4 if right else 2 if named else 0
# END HIDDEN TESTS


# %% mistake="the gradient of the loss, averaged over the pictures" of="my_saliency" points=2
def my_saliency(model, inputs, targets):
    inputs = inputs.clone().requires_grad_()
    torch.nn.functional.cross_entropy(model(inputs), targets).backward()
    return inputs.grad.abs().amax(dim=1)


# %% mistake="the gradient of the probability" of="my_saliency" points=2
def my_saliency(model, inputs, targets):
    inputs = inputs.clone().requires_grad_()
    model(inputs).softmax(dim=1).gather(1, targets[:, None]).sum().backward()
    return inputs.grad.abs().amax(dim=1)


# %% mistake="no absolute value" of="my_saliency" points=2
def my_saliency(model, inputs, targets):
    inputs = inputs.clone().requires_grad_()
    model(inputs).gather(1, targets[:, None]).sum().backward()
    return inputs.grad.amax(dim=1)


# %% [markdown]
# **Question 7** (2 points). The maps of the ten pictures are drawn, each divided by its own maximum. Which sentences are true?
#
# - **A**: After that, each map has the same maximum, so the eye sees *where*, not *how much*.
# - **B**: Without it, pictures with small gradients would look black.
# - **C**: After that, a brighter map means that the network is surer.
# - **D**: A single very large gradient can make the rest of its map look black.

# %% question="own_maximum" points=2 minutes=4 trains="08 §2"
# BEGIN SOLUTION
own_maximum = "ABD"
# END SOLUTION

# %% test="own_maximum"
answers.letters(own_maximum, "ABCD")
# BEGIN HIDDEN TESTS
if "C" in own_maximum.upper():
    print("mistake: compares brightness between pictures")
sum((letter in own_maximum.upper()) == (letter in "ABD") for letter in "ABCD") / 2
# END HIDDEN TESTS

# %% mistake="compares brightness between pictures" of="own_maximum" points=1.5
own_maximum = "ABCD"

# %%
plain = saliency(model, inputs, targets).amax(dim=1)

# %% [markdown]
# **Question 8** (2 points). The mean over the ten pictures of the share of the map's sum that lies on the object.

# %% question="saliency_energy" points=2 minutes=3 trains="08 §8"
# BEGIN SOLUTION
saliency_energy = float(judge.energy_in_mask(plain, masks).mean())
# END SOLUTION

# %% test="saliency_energy"
answers.number(saliency_energy, 0, 1)
# BEGIN HIDDEN TESTS
2 if abs(saliency_energy - judge.energy_in_mask(plain, masks).mean()) < 2e-3 else 0
# END HIDDEN TESTS


# %% [markdown]
# ## 3 · SmoothGrad
#
# **Question 9** (3 points). Write the noise: `n` noisy copies of one picture `x` `(3, H, W)`. The standard deviation is `noise_level` times the picture's range (its largest minus its smallest value). Draw with `torch.randn(…, generator=generator)`.


# %% question="noisy_copies" points=3 minutes=7 trains="08 §4"
def noisy_copies(x, n, noise_level, seed):
    """Copies (n, 3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    # BEGIN SOLUTION
    sigma = noise_level * (x.max() - x.min())
    return x + sigma * torch.randn(n, *x.shape, generator=generator)
    # END SOLUTION


# %% test="noisy_copies"
answers.function(noisy_copies, inputs[0], 4, 0.15, SEED, shape=(4, 3, 128, 128))
# BEGIN HIDDEN TESTS
x, level = lab.inputs[25] * 0.7, 0.2
spread = float((torch.as_tensor(noisy_copies(x, 40, level, 5)) - x).std())
wide = float(x.max() - x.min())
wrong = {
    "the noise level taken for σ": level,
    "the noise level taken for the variance": (level * wide) ** 0.5,
    "σ squared": (level * wide) ** 2,
    "the noise level over the range": level / wide,
}
named = [name for name, sigma in wrong.items() if abs(spread / sigma - 1) < 0.02]
right = abs(spread / (level * wide) - 1) < 0.02
if named and not right:
    print("mistake:", named[0])
3 if right else 1.5 if named else 0
# END HIDDEN TESTS


# %% mistake="the noise level taken for σ" of="noisy_copies" points=1.5
def noisy_copies(x, n, noise_level, seed):
    return x + noise_level * torch.randn(n, *x.shape, generator=torch.Generator().manual_seed(seed))


# %% mistake="σ squared" of="noisy_copies" points=1.5
def noisy_copies(x, n, noise_level, seed):
    sigma = (noise_level * (x.max() - x.min())) ** 2
    return x + sigma * torch.randn(n, *x.shape, generator=torch.Generator().manual_seed(seed))


# %%
noise = torch.Generator().manual_seed(SEED)
smooth = smooth_grad(
    model, inputs[:5], targets[:5], n_samples=500, noise_level=0.15, generator=noise, progress=True
)
smooth = smooth.abs().amax(dim=1)

# %%
plots.show_maps(images[:4], {"saliency": plain[:4], "SmoothGrad, 500 samples": smooth[:4]}, width=6)

# %% [markdown]
# **Question 10** (2 points). How much more of its sum does SmoothGrad have on the object than saliency: the mean over the *first five* pictures of the difference?

# %% question="smooth_gain" points=2 minutes=3 trains="08 §5"
# BEGIN SOLUTION
smooth_gain = float(
    (judge.energy_in_mask(smooth, masks[:5]) - judge.energy_in_mask(plain[:5], masks[:5])).mean()
)
# END SOLUTION

# %% test="smooth_gain"
answers.number(smooth_gain, -1, 1)
# BEGIN HIDDEN TESTS
key = float((judge.energy_in_mask(smooth, masks[:5]) - judge.energy_in_mask(plain[:5], masks[:5])).mean())
if abs(smooth_gain + key) < 1e-3 < abs(key):
    print("mistake: saliency minus SmoothGrad")
2 if abs(smooth_gain - key) < 5e-3 else 1 if abs(smooth_gain + key) < 5e-3 else 0
# END HIDDEN TESTS

# %% mistake="saliency minus SmoothGrad" of="smooth_gain" points=1
smooth_gain = float(
    (judge.energy_in_mask(plain[:5], masks[:5]) - judge.energy_in_mask(smooth, masks[:5])).mean()
)

# %% [markdown]
# **Question 11** (2 points). Five numbers, five pictures: does the 95 % bootstrap interval of that paired difference (`judge.paired`) contain zero? Answer `"yes"` or `"no"`.

# %% question="contains_zero" points=2 minutes=3 trains="08 §5"
# BEGIN SOLUTION
difference = judge.paired(judge.energy_in_mask(smooth, masks[:5]), judge.energy_in_mask(plain[:5], masks[:5]))
contains_zero = "yes" if difference.low <= 0 <= difference.high else "no"
# END SOLUTION

# %% test="contains_zero"
answers.choice(contains_zero, ["yes", "no"])
# BEGIN HIDDEN TESTS
pair = judge.paired(judge.energy_in_mask(smooth, masks[:5]), judge.energy_in_mask(plain[:5], masks[:5]))
unclear = min(abs(pair.low), abs(pair.high)) < 0.005  # so near that another draw may decide otherwise
2 if unclear or contains_zero == ("yes" if pair.low <= 0 <= pair.high else "no") else 0
# END HIDDEN TESTS

# %% [markdown]
# ## 4 · Filters
#
# **Question 12** (2 points). How many places has the map of one filter in `shallow`, and in `deep`? A tuple of two numbers (rows times columns each).

# %% question="n_places" points=2 minutes=3 trains="09 §2"
# BEGIN SOLUTION
n_places = tuple(filter_activation(model, inputs[:1], layer, channel)[0].numel() for layer in (shallow, deep))
# END SOLUTION

# %% test="n_places"
answers.numbers(n_places, 2)
# BEGIN HIDDEN TESTS
key = [filter_activation(model, inputs[:1], layer, channel)[0].numel() for layer in (shallow, deep)]
sum(float(a) == float(b) for a, b in zip(n_places, key, strict=True))
# END HIDDEN TESTS

# %% [markdown]
# **Question 13** (2 points). Which of the ten pictures (0 to 9) has the largest *mean* activation of filter `channel` in `deep`?

# %% question="strongest_picture" points=2 minutes=4 trains="09 §2"
# BEGIN SOLUTION
strongest_picture = int(filter_activation(model, inputs, deep, channel).mean(dim=(1, 2)).argmax())
# END SOLUTION

# %% test="strongest_picture"
answers.number(strongest_picture, 0, 9)
# BEGIN HIDDEN TESTS
means = filter_activation(model, inputs, deep, channel).mean(dim=(1, 2))
by_peak = int(filter_activation(model, inputs, deep, channel).amax(dim=(1, 2)).argmax())
right = means[int(strongest_picture)] >= means.max() - 1e-4
if strongest_picture == by_peak and not right:
    print("mistake: the largest maximum, not the largest mean")
2 if right else 0.5 if strongest_picture == by_peak else 0
# END HIDDEN TESTS

# %%
liked = {
    name: activation_maximization(model, layer, [0, 1, 2, 3], seed=SEED, n_steps=100)
    for name, layer in (("shallow", shallow), ("deep", deep))
}
plots.show_images(
    [image for made in liked.values() for image in lab.to_images(made)],
    [f"{name}, filter {i}" for name in liked for i in range(4)],
    columns=4,
    width=8,
)

# %% [markdown]
# **Question 14** (3 points). By which factor is the mean activation of filter 0 in `deep` larger on its own picture (`liked["deep"][:1]`) than the largest mean that any of the ten pictures has?

# %% question="factor" points=3 minutes=5 trains="09 §3"
# BEGIN SOLUTION
own = filter_activation(model, liked["deep"][:1], deep, 0).mean()
factor = float(own / filter_activation(model, inputs, deep, 0).mean(dim=(1, 2)).max())
# END SOLUTION

# %% test="factor"
answers.number(factor, 0)
# BEGIN HIDDEN TESTS
made = filter_activation(model, liked["deep"][:1], deep, 0).mean()
of_ten = filter_activation(model, inputs, deep, 0).mean(dim=(1, 2))
if abs(factor / float(made / of_ten.mean()) - 1) < 0.02:
    print("mistake: the mean of the ten instead of the largest")
3 if abs(factor / float(made / of_ten.max()) - 1) < 0.05 else 1.5 if abs(
    factor / float(made / of_ten.mean()) - 1
) < 0.05 else 0
# END HIDDEN TESTS

# %% mistake="the mean of the ten instead of the largest" of="factor" points=1.5
own = filter_activation(model, liked["deep"][:1], deep, 0).mean()
factor = float(own / filter_activation(model, inputs, deep, 0).mean(dim=(1, 2)).mean())

# %% [markdown]
# **Question 15** (2 points). Look at the eight pictures above. Which sentences are true?
#
# - **A**: The filters of `shallow` like fine patterns that repeat.
# - **B**: These pictures are pictures from the training set.
# - **C**: A picture that a filter likes best need not look like anything that the network has seen.
# - **D**: From one such picture you know which class the filter is for.

# %% question="what_filters_like" points=2 minutes=4 trains="09 §3"
# BEGIN SOLUTION
what_filters_like = "AC"
# END SOLUTION

# %% test="what_filters_like"
answers.letters(what_filters_like, "ABCD")
# BEGIN HIDDEN TESTS
if "D" in what_filters_like.upper():
    print("mistake: one filter, one class")
sum((letter in what_filters_like.upper()) == (letter in "AC") for letter in "ABCD") / 2
# END HIDDEN TESTS

# %% mistake="one filter, one class" of="what_filters_like" points=1.5
what_filters_like = "ACD"


# %% [markdown]
# ## 5 · Integrated Gradients
#
# **Question 16** (4 points). Write Integrated Gradients with the midpoint rule: the way from the baseline to the picture in `n_steps` equal parts, the gradient of the score in the middle of each, their mean times what?


# %% question="my_ig" points=4 minutes=10 trains="08 §6"
def my_ig(model, x, target, baseline, n_steps):
    """The attributions (3, H, W) of one picture x (3, H, W), for the class `target` and a baseline (3, H, W)."""
    # BEGIN SOLUTION
    steps = (torch.arange(n_steps) + 0.5) / n_steps
    way = (baseline + steps[:, None, None, None] * (x - baseline)).requires_grad_()
    (gradients,) = torch.autograd.grad(model(way)[:, target].sum(), way)
    return (x - baseline) * gradients.mean(dim=0)
    # END SOLUTION


# %% test="my_ig"
answers.function(my_ig, model, inputs[0], int(targets[0]), -torch.ones(3, 128, 128), 4, shape=(3, 128, 128))
# BEGIN HIDDEN TESTS
x, c, grey = lab.inputs[30], 4, torch.zeros(3, 128, 128)
moving = ((torch.arange(9) + 0.5) / 9)[:, None, None, None] * x
moving.requires_grad_()
(gradients,) = torch.autograd.grad(model(moving)[:, c].sum(), moving)
ends = torch.linspace(0, 1, 9)[:, None, None, None] * x
ends.requires_grad_()
(at_ends,) = torch.autograd.grad(model(ends)[:, c].sum(), ends)
got = torch.as_tensor(my_ig(model, x, c, grey, 9)).float()
key = x * gradients.mean(0)
wrong = {
    "without (x − x′)": gradients.mean(0),
    "the sum instead of the mean": x * gradients.sum(0),
    "absolute values": key.abs(),
    "steps at both ends instead of the middle": x * at_ends.mean(0),
}
size = float(key.abs().max())
right = bool((got - key).abs().max() < 1e-3 * size)
named = [n for n, other in wrong.items() if bool((got - other).abs().max() < 1e-3 * float(other.abs().max()))]
if named and not right:
    print("mistake:", named[0])
4 if right else 2 if named else 0
# END HIDDEN TESTS


# %% mistake="without (x − x′)" of="my_ig" points=2
def my_ig(model, x, target, baseline, n_steps):
    steps = (torch.arange(n_steps) + 0.5) / n_steps
    way = (baseline + steps[:, None, None, None] * (x - baseline)).requires_grad_()
    return torch.autograd.grad(model(way)[:, target].sum(), way)[0].mean(dim=0)


# %% mistake="steps at both ends instead of the middle" of="my_ig" points=2
def my_ig(model, x, target, baseline, n_steps):
    way = (baseline + torch.linspace(0, 1, n_steps)[:, None, None, None] * (x - baseline)).requires_grad_()
    return (x - baseline) * torch.autograd.grad(model(way)[:, target].sum(), way)[0].mean(dim=0)


# %%
black = torch.full_like(inputs, -1.0)  # this network takes pixels of 0 … 255 to −1 … 1
ig = integrated_gradients(model, inputs, targets, black, n_steps=50)

# %% [markdown]
# **Question 17** (2 points). Completeness: to which number should the attributions `ig[chosen]` of picture `chosen` add up? Compute it from the network's scores.

# %% question="should_add_up" points=2 minutes=4 trains="08 §6"
# BEGIN SOLUTION
with torch.no_grad():
    scores = model(torch.stack([inputs[chosen], black[chosen]]))[:, target]
should_add_up = float(scores[0] - scores[1])
# END SOLUTION

# %% test="should_add_up"
answers.number(should_add_up)
# BEGIN HIDDEN TESTS
with torch.no_grad():
    s = model(torch.stack([inputs[chosen], black[chosen]]))
    key, probability = (
        float(s[0, target] - s[1, target]),
        float(s.softmax(1)[0, target] - s.softmax(1)[1, target]),
    )
if abs(should_add_up - probability) < 1e-3:
    print("mistake: probabilities instead of scores")
if abs(should_add_up - float(s[0, target])) < 1e-3:
    print("mistake: forgot the baseline's score")
2 if abs(should_add_up - key) < 1e-2 else 0.5 if abs(should_add_up - float(s[0, target])) < 1e-3 else 0
# END HIDDEN TESTS

# %% mistake="forgot the baseline's score" of="should_add_up" points=0.5
with torch.no_grad():
    should_add_up = float(model(inputs[chosen : chosen + 1])[0, target])

# %% mistake="probabilities instead of scores" of="should_add_up" points=0
with torch.no_grad():
    both = model(torch.stack([inputs[chosen], black[chosen]])).softmax(dim=1)[:, target]
should_add_up = float(both[0] - both[1])

# %% [markdown]
# **Question 18** (2 points). A pixel of the object is as black as the baseline. Which attribution does it get, whatever the network? A number.

# %% question="black_pixel" points=2 minutes=2 trains="08 §7"
# BEGIN SOLUTION
black_pixel = 0
# END SOLUTION

# %% test="black_pixel"
answers.number(black_pixel)
# BEGIN HIDDEN TESTS
2 if black_pixel == 0 else 0
# END HIDDEN TESTS
