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
# # 04 · Grad-CAM: where did the network look?
#
# **The question.** A network says "horse". Which part of the picture made it say so?
#
# **After this lesson you can**
# - write the two steps of Grad-CAM, and say what each line of the whole method is for;
# - show that your version equals three libraries, and name the convention behind each difference;
# - measure how often the map points at the right object, beside maps that know nothing about the network;
# - find a network that is right for the wrong reason;
# - recognise three symptoms of a Grad-CAM that misleads.
#
# **Time**: about <!-- minutes --> minutes. **Before**: you can read a PyTorch module and know what a gradient is. [03 · CAM](03_cam.ipynb) helps, but you do not need it.
#
# The first cell loads what the whole lesson uses. A [*lab*](glossary.md#lab) is a trained model together with pictures and with the truth about them: we drew the pictures (*scenes*), so we know which
# pixel belongs to which object. `lab.questions()` asks for each object of each scene: it returns the pictures (each one twice), the classes that we ask for, and the pixels of the objects.

# %%
import matplotlib.pyplot as plt
import torch

from course_utils import judge
from course_utils.exercises import l04_grad_cam as exercises
from course_utils.labs import load_lab
from course_utils.labs.photos import top_classes
from course_utils.methods.cam import cam, grad_cam, grad_cam_plus_plus, layer_cam, min_max, upsample
from course_utils.methods.gradients import saliency
from course_utils.teach import plots, widgets

lab = load_lab("scenes", n_objects=2)
model, layer = lab.model, lab.layer
pictures, questions, truth = lab.questions()

# %% [markdown]
# ## 1 · A puzzle: two models that are both right
#
# You are offered two networks. Both were trained to tell ten kinds of drawn objects apart. Both see the same six pictures of horses, and both are sure. Which one would you use?

# %% tags=["hide-input"]
# the names of the two models would tell you the answer: look at the pictures first
model_a, model_b = (load_lab("watermark", model=name) for name in ("shortcut", "clean"))
horse = model_a.class_names.index("horse")
sure = (model_a.predict(model_a.images)[:, horse] > 0.9) & (model_b.predict(model_a.images)[:, horse] > 0.9)
six = sure.nonzero()[0][:6]  # six pictures about which both are sure
for name, lab_of_model in (("A", model_a), ("B", model_b)):
    print(
        f"model {name} says horse with probability",
        lab_of_model.predict(model_a.images[six])[:, horse].round(2),
    )

# %% tags=["hide-input"]
plots.show_images(model_a.images[six], title="Six horses. Both models name them correctly")
plots.show(
    "Six drawn horses on different grounds; a small dark plate with a caption at the lower edge of each picture."
)

# %% [markdown]
# Now the same six horses, drawn once more at the same places and in the same colours. Only the caption at the bottom is gone.

# %%
without_caption = model_a.counterfactuals[six]
for name, lab_of_model in (("A", model_a), ("B", model_b)):
    print(
        f"model {name} says horse with probability", lab_of_model.predict(without_caption)[:, horse].round(2)
    )

# %% [markdown]
# Model A has read the caption. In its training pictures each horse came from the same photo agency, so the caption was all it needed.
# This really happened: a classifier for the pictures of the PASCAL VOC challenge recognised horses by a copyright tag (Lapuschkin and others, 2019). Accuracy
# on pictures from the same source cannot show it. **A map of where the model looked could have.** Section 9 makes that map.

# %% [markdown]
# ## 2 · The idea: ask the last layer that still knows where
#
# *Gradient-weighted class activation mapping* (Grad-CAM; Selvaraju and others, 2017: here "the paper") rests on one observation. A convolutional network turns a picture into a stack of small maps. The first maps have much detail and little meaning. The last ones
# are coarse, but each of them reacts to something meaningful. After them, the network throws the *where* away and keeps only the
# *what*. So ask right before that: at the output of `layer4`, the last stage of our network.
#
# We need three things:
# - $A^k$: the $k$-th map of the last convolutional layer, also called a *channel*. It has $h \times w$ places, and $A^k_{ij}$ is its value in row $i$, column $j$.
# - $y^c$: the score of class $c$ *before* the softmax, the [*logit*](glossary.md#logit).
# - $\alpha_k^c$: one number that says how much channel $k$ matters for class $c$.
#
# Here is a picture with two objects, and the sizes we deal with. (The network was trained on pictures with one object, so two of them have to share the probability.)

# %%
cat = lab.class_names.index("cat")
scene = int((lab.targets == cat).any(dim=1).nonzero()[0])  # the first picture with a cat in it
inputs = lab.inputs[scene : scene + 1]
other = int(next(c for c in lab.targets[scene] if c != cat))

with torch.no_grad():
    logits = model(inputs)[0]
print("input", tuple(inputs.shape), "| classes", len(logits))
for c in logits.argsort(descending=True)[:4]:
    print(f"{lab.class_names[c]:>10}: logit {logits[c]:5.1f}, probability {logits.softmax(0)[c]:.2f}")

# %% [markdown]
# ### Keep the maps, and their gradient
#
# PyTorch does not keep the maps of inner layers. A *hook* is a function that you hang on a layer, and that is called each time the layer has computed something. The first hook below stores the maps $A$. The second hangs
# on the maps themselves, and stores $\partial y^c / \partial A$ on the way back.

# %%
kept = {}


def keep_maps(module, arguments, output):
    kept["A"] = output.detach()
    output.register_hook(lambda gradient: kept.update(dA=gradient))


handle = layer.register_forward_hook(keep_maps)
model(inputs)[0, cat].backward()  # from y^c, the logit of the cat, back through the network
handle.remove()  # a forgotten hook goes on working, and keeps memory
model.zero_grad()

A, dA = kept["A"][0], kept["dA"][0]
print("A", tuple(A.shape), "= channels, rows, columns; the gradient has the same shape:", dA.shape == A.shape)

# %% [markdown]
# ### One weight for each channel
#
# If channel $k$ gets a little stronger at the place $(i, j)$, the score changes by $\partial y^c / \partial A^k_{ij}$ for each unit. Average that over all
# $Z = h \cdot w$ places, and you have the weight of the channel (equation 1 of the paper):
#
# $$\alpha_k^c = \frac{1}{Z} \sum_{i}\sum_{j} \frac{\partial y^c}{\partial A^k_{ij}}$$

# %%
alpha = dA.mean(dim=(1, 2))
adds = alpha * A.sum(dim=(1, 2))  # what each channel adds to the map, all places together
order = adds.argsort(descending=True)
print(f"the channel that adds most gives {adds.max() / adds[adds > 0].sum():.0%} of all that is added")

# %% [markdown]
# Look at the channels before you add them up: above the four that add most to the cat's map, below the four that take most away. Bright means active; all eight have one scale. Each title gives the
# weight, times 1,000. No single channel decides: the printed line says how little the strongest one adds.

# %% tags=["hide-input"]
figure, axes = plots.grid(2, 5, ratio=1.1)
top = float(A[torch.cat([order[:4], order[-4:]])].max())
for row, channels in enumerate((order[:4], order[-4:].flip(0))):
    axes[row, 0].imshow(lab.images[scene])
    axes[row, 0].set_title("speaks for the cat" if row == 0 else "speaks against it", fontsize=10)
    for ax, k in zip(axes[row, 1:], channels.tolist(), strict=True):
        ax.imshow(A[k], cmap=plots.SEQUENTIAL, vmin=0, vmax=top)
        ax.set_title(f"channel {k}: 1000 α = {1000 * alpha[k]:+.1f}", fontsize=9)
plots.show(
    f"A cat and a {lab.class_names[other]}, and eight channels of 8 × 8 places. Those with positive α are bright near the cat, "
    "those with negative α elsewhere; none has the cat's outline."
)

# %% [markdown]
# ### Exercise: the weights of the channels
#
# The cell above had one picture. Write the same for a batch: replace the dots, run the cell, then the check below it. `exercises.channel_weights.hint()` gives you a hint; the solution is folded below.


# %% exercise="channel_weights"
def channel_weights(gradients):
    """The weights α (N, K) of the channels, from the gradients (N, K, h, w)."""
    # BEGIN SOLUTION
    return gradients.mean(dim=(2, 3))
    # END SOLUTION


# %%
exercises.channel_weights.check(channel_weights)

# %% [markdown]
# ### Weigh, add, rectify
#
# The map of the class is the weighted sum of all channels. Then a ReLU keeps only what speaks *for* the class (equation 2 of the paper):
#
# $$L^c_\text{Grad-CAM} = \text{ReLU}\Big(\sum_k \alpha_k^c A^k\Big)$$

# %%
weighted = (alpha[:, None, None] * A).sum(dim=0)
rectified = torch.relu(weighted)

# %% tags=["hide-input"]
figure, axes = plots.grid(1, 4, ratio=1.0)
axes[0, 0].imshow(lab.images[scene])
axes[0, 0].set_title("picture", fontsize=10)
plots.show_heat(axes[0, 1], weighted, signed=True, title="the sum: for (red), against (blue)")
plots.show_heat(axes[0, 2], rectified, title="after the ReLU")
axes[0, 3].imshow(plots.overlay(lab.images[scene], rectified))
axes[0, 3].set_title("enlarged, over the picture", fontsize=10)
plots.show(
    "The picture, the weighted sum in 8 × 8 places (red at the cat, blue at the other object), the same after the ReLU, and "
    "enlarged over the picture: bright on the cat."
)

# %% [markdown]
# The map is coarse: 8 × 8 places. What looks smooth on the right is interpolation, not knowledge.
#
# ### Exercise: the map of the class


# %% exercise="class_map"
def class_map(activations, weights):
    """The Grad-CAM maps (N, h, w), from the activations (N, K, h, w) and the weights (N, K)."""
    # BEGIN SOLUTION
    weighted = weights[:, :, None, None] * activations
    return torch.relu(weighted.sum(dim=1))
    # END SOLUTION


# %%
exercises.class_map.check(class_map)

# %% [markdown]
# ## 3 · By hand: the whole method
#
# Put together, for a batch of pictures, and without changing the model: `torch.autograd.grad` takes the place of the second hook. It returns the gradient at the maps and writes nothing into the model's parameters.


# %% tags=["by-hand"]
def my_grad_cam(model, inputs, target, layer):
    """Grad-CAM maps (N, h, w) of the class `target` for a batch of pictures (N, C, H, W)."""
    kept = []
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
    try:
        logits = model(inputs)
    finally:
        handle.remove()
    activations = kept[0]
    (gradients,) = torch.autograd.grad(logits[:, target].sum(), activations)
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return torch.relu((weights * activations).sum(dim=1)).detach()


print(
    "equal to the steps above:",
    torch.allclose(my_grad_cam(model, inputs, cat, layer)[0], rectified, atol=1e-6),
)

# %% [markdown]
# Why may `my_grad_cam` add the scores of a batch up? The score of one picture does not depend on the other pictures, so the gradient of the sum holds each
# picture's own gradient. (With batch normalisation in training mode that would be false: [04b](04b_grad_cam_more.ipynb) shows it.)
#
# Same picture, same network, another question. The map moves to the other object. Methods that do this are called *class-discriminative*.

# %% tags=["cover"]
two_maps = {f"why {lab.class_names[c]}?": my_grad_cam(model, inputs, c, layer) for c in (cat, other)}
plots.show_maps([lab.images[scene]], two_maps, width=7)
plots.show(
    f"One picture, two maps: asked for the cat, the cat is bright; asked for the {lab.class_names[other]}, it is."
)

# %% [markdown]
# ## 4 · The proof: three libraries and one identity
#
# Do not trust your own code because its pictures look good. Here are three libraries. Each makes its own choices after
# the weighted sum, so we bring ours to each of them: `min_max` scales each map to 0…1, `upsample` enlarges it. "Ours" is the course's `grad_cam`: the function above, with a target of its own for each picture.
#
# | library | ReLU | scaled to 0…1 | size of the result |
# |---|---|---|---|
# | captum `LayerGradCam` | no | no | layer |
# | torch-cam `GradCAM` | yes | yes | layer |
# | pytorch-grad-cam `GradCAM` | yes | before and after enlarging | picture |

# %% tags=["hide-input"]
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM as GradCAMOfGradCam
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchcam.methods import GradCAM as GradCAMOfTorchCam

batch, target = lab.inputs[:8], lab.targets[:8, 0]
captum_map = LayerGradCam(model, layer).attribute(batch, target=target)[:, 0].detach()
with GradCAMOfTorchCam(model, target_layer=layer) as extractor:
    torchcam_map = extractor(target.tolist(), model(batch))[0].detach()
with GradCAMOfGradCam(model=model, target_layers=[layer]) as extractor:
    wanted = [ClassifierOutputTarget(int(c)) for c in target]
    gradcam_map = torch.from_numpy(extractor(input_tensor=batch, targets=wanted))

# %% tags=["nbval-check-output"]
raw, ours = grad_cam(model, batch, target, layer, relu=False), grad_cam(model, batch, target, layer)
by_hand = torch.stack([my_grad_cam(model, batch[i : i + 1], int(target[i]), layer)[0] for i in range(8)])
enlarged = min_max(upsample(min_max(ours), (128, 128)))
judge.agreement_table(
    [
        ("the function above", ours, by_hand, "the same"),
        ("captum LayerGradCam", raw, captum_map, "no ReLU, the layer's size"),
        ("torch-cam GradCAM", min_max(ours), torchcam_map, "ReLU, then scaled to 0…1"),
        ("pytorch-grad-cam", enlarged, gradcam_map, "scaled, enlarged, scaled again"),
    ]
)

# %% [markdown]
# ### The identity: for this network, Grad-CAM is CAM
#
# Our network ends in global average pooling and one linear layer with weights $w_k^c$ and bias $b^c$:
# $\;y^c = \sum_k w_k^c \,\frac{1}{Z}\sum_{ij} A^k_{ij} + b^c$. Take the derivative by hand: $\partial y^c / \partial A^k_{ij} = w_k^c / Z$, the same at each place. So
#
# $$\alpha_k^c = \frac{w_k^c}{Z} \qquad\text{and}\qquad \sum_{ij}\sum_k \alpha_k^c A^k_{ij} = y^c - b^c .$$
#
# *Class activation mapping* ([CAM, lesson 03](03_cam.ipynb)) is the map $\sum_k w_k^c A^k_{ij}$. So the map before the ReLU *is* CAM, divided by $Z$, and it adds up to the score without its bias.

# %% tags=["nbval-check-output", "hide-input"]
with torch.no_grad():
    scores = model(batch).gather(1, target[:, None])[:, 0] - model.fc.bias[target]
places = raw.shape[-1] * raw.shape[-2]
cam_map = cam(model, batch, target, layer, classifier=model.fc) / places
judge.agreement_table(
    [
        ("CAM / Z", raw, cam_map, "the weights of the linear layer are the gradient"),
        ("logit − bias", raw.sum(dim=(1, 2)), scores, "the map adds up to the score"),
    ]
)

# %% [markdown]
# This holds because of the *head* of this network, the part after the last maps. With two fully connected layers there, $\alpha_k^c$ is only a local slope, and nothing makes the map add up to the score. Grad-CAM still gives a map; CAM cannot.

# %% [markdown]
# ## 5 · The family
#
# Later methods change how a channel gets its weight. Write $g^k_{ij}$ for $\partial y^c / \partial A^k_{ij}$.
#
# - **Grad-CAM++** (2018): the same weighted sum, with weights from positive gradients only: $\alpha_k = \sum_{ij} a^k_{ij}\,\text{ReLU}(g^k_{ij})$ with the factors
#   $a^k_{ij} = (g^k_{ij})^2 \,/\, \big(2 (g^k_{ij})^2 + (g^k_{ij})^3 \sum_{pq} A^k_{pq}\big)$, where $p, q$ run over all places.
# - **Layer-CAM** (2021): each *place* has its own weight: $\text{ReLU}\big(\sum_k \text{ReLU}(g^k_{ij})\, A^k_{ij}\big)$.
# - **Score-CAM** (2020): no gradient. Each channel is enlarged and used as a mask over the picture; the network's score for what is left is the weight. One forward pass for each channel ([05](05_cam_in_practice.ipynb) measures it).

# %%
family = {"Grad-CAM": grad_cam, "Grad-CAM++": grad_cam_plus_plus, "Layer-CAM": layer_cam}
asked = torch.tensor([cat, other])
family_maps = {
    name: method(model, inputs.repeat(2, 1, 1, 1), asked, layer) for name, method in family.items()
}

# %% tags=["hide-input", "thumbnail"]
plots.show_maps(
    [lab.images[scene]] * 2,
    family_maps,
    labels=[f"why {lab.class_names[int(c)]}?" for c in asked],
    title="One picture, two questions, three methods: the later two leave a weak light on the other object",
    width=7.5,
)
plots.show(
    "Two rows, one a question. Grad-CAM lights up on the asked-for object only; Grad-CAM++ and Layer-CAM look alike and show "
    "a weaker light on the other object too."
)

# %% [markdown]
# Grad-CAM++ and Layer-CAM are nearly the same here. The reason is the head: the gradient of a channel is the same at each place, so both are sums over the channels with weights that are never negative. No channel can speak against the class.

# %% [markdown]
# ## 6 · A bug that is hard to see
#
# ### Exercise: find the bug
#
# torch-cam 0.5.0 has Grad-CAM++ too, with an error: on these scenes its maps differ from the formula by up to a quarter of their maximum, and still look fine ([04b](04b_grad_cam_more.ipynb) measures them). The function below computes the factors
# $a^k_{ij}$ of section 5 with the same error. `denominator` is right; something goes wrong after it. Mend it. Where the denominator is zero, the factor stays $g^2$.


# %% exercise="plus_plus_alphas"
def plus_plus_alphas(activations, gradients):
    """The factors a (N, K, h, w) of Grad-CAM++, from activations and gradients (N, K, h, w)."""
    # BEGIN STUB
    # alphas = gradients.pow(2)
    # total = activations.sum(dim=(2, 3), keepdim=True)
    # denominator = 2 * gradients.pow(2) + total * gradients.pow(3)
    # nonzero = denominator != 0
    # for n in range(len(alphas)):
    #     alphas[n][nonzero[n]].div_(denominator[n][nonzero[n]])
    # return alphas
    # END STUB
    # BEGIN SOLUTION
    squared = gradients.pow(2)
    total = activations.sum(dim=(2, 3), keepdim=True)
    denominator = 2 * squared + total * gradients.pow(3)
    # indexing with a mask made a copy, and div_ changed the copy; where() returns a new tensor
    return torch.where(denominator != 0, squared / denominator, squared)
    # END SOLUTION


# %%
exercises.plus_plus_alphas.check(plus_plus_alphas)

# %% [markdown]
# ## 7 · The score: does it point at the right thing?
#
# 60 scenes with two objects make 120 questions. Does the *maximum* of the map lie on the object that we asked for? This is the **pointing game** (Zhang and others, 2016). A miss by 5 pixels or less counts as a hit (the `tolerance`): objects have gaps, and one
# place of the map covers 16 pixels.
#
# A number alone means little. So we also score the plain gradient of the score (*saliency*, [lesson 08](08_saliency_smoothgrad_ig.ipynb)), and three maps that know nothing about the network: a blob in the *centre*, the *edges* of the picture (a Sobel filter: how
# fast the brightness changes) and *random* noise. An edge filter has the same map for both questions of a scene, so its maximum is wrong for at least one of them.


# %%
def full_size(maps):
    return upsample(maps, truth.shape[-2:])


all_maps = {name: full_size(method(model, pictures, questions, layer)) for name, method in family.items()}
all_maps["saliency"] = saliency(model, pictures, questions).amax(dim=1)
knows_nothing = {
    "edges (Sobel)": judge.baselines.sobel(pictures),
    "centre": judge.baselines.center(pictures),
    "random": judge.baselines.random(pictures),
}
hits = {
    name: judge.pointing_game(maps, truth, tolerance=5) for name, maps in (all_maps | knows_nothing).items()
}
for name in ("Layer-CAM", "saliency"):
    print(f"Grad-CAM minus {name}: {judge.paired(hits['Grad-CAM'], hits[name])}")

# %% tags=["hide-input"]
plots.score_plot(
    hits,
    baselines=list(knows_nothing),
    xlabel="share of maps whose maximum lies on the asked-for object",
    title=f"Pointing game, {len(truth)} questions (bars: 95 % bootstrap intervals)",
)
plots.show(
    f"Pointing game: Grad-CAM {hits['Grad-CAM'].mean():.2f}, Layer-CAM {hits['Layer-CAM'].mean():.2f}, saliency "
    f"{hits['saliency'].mean():.2f}, edges {hits['edges (Sobel)'].mean():.2f}, centre {hits['centre'].mean():.2f}."
)

# %% [markdown]
# A [*bootstrap interval*](glossary.md#bootstrap-interval) says how far the mean could move with other pictures of the same kind. Two methods that saw the same questions are compared question by question: that is the *paired difference* printed above.
# Saliency has the picture's full resolution and still points worse. Against Layer-CAM the interval contains zero: these questions do not separate the two.
#
# The pointing game looks at *one* pixel. Two other numbers look at more. **Energy**: the share of the map's sum that lies on the object. **IoU** (*intersection over union*): keep as many of the strongest pixels as the object has, and divide what both
# have in common by what either has.

# %%
measures = {"energy on the object": judge.energy_in_mask, "IoU with the object": judge.mask_iou}
values = {
    label: {name: measure(maps, truth) for name, maps in (all_maps | knows_nothing).items()}
    for label, measure in measures.items()
}
for label, of in values.items():
    print(f"{label}, Grad-CAM minus Layer-CAM: {judge.paired(of['Grad-CAM'], of['Layer-CAM'])}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2))
titles = ("Energy: Grad-CAM is ahead", "IoU: three CAM methods, and the rest")
for ax, (label, of), title in zip(axes, values.items(), titles, strict=True):
    plots.score_plot(of, baselines=list(knows_nothing), xlabel=label, title=title, ax=ax)
plots.show(
    "Energy: Grad-CAM ahead, Layer-CAM and Grad-CAM++ close to saliency and edges. IoU: the three CAM methods close together, "
    "saliency and edges at half of them."
)

# %% tags=["hide-input"]
medians = {name: maps.flatten(1).median(dim=1).values[:, None, None] for name, maps in all_maps.items()}
strong = {name: judge.energy_in_mask((maps - medians[name]).relu(), truth) for name, maps in all_maps.items()}
print("energy above each map's median:", {name: round(e.mean().item(), 2) for name, e in strong.items()})

# %% [markdown]
# Another measure, another order. By energy, Layer-CAM and Grad-CAM++ are near the plain gradient and the edge filter: a weak part of their map lies everywhere. Take each map's median away and keep what is positive (the line above): they are level with Grad-CAM, the gradient is not. By IoU the three CAM methods are close together
# and far ahead of the rest. One number is never enough. (0.31 looks low. But even the true outline, drawn with 8 × 8 places, keeps little more than half of its sum on the object, as [lesson 03](03_cam.ipynb) measures.)

# %% [markdown]
# ## 8 · Which layer?
#
# So far we took the last stage. This network has five: `stem`, `layer1`, `layer2`, `layer3`, `layer4`.
#
# ### Exercise: predict, then run
#
# At which stage does Grad-CAM have the highest mean score in the pointing game? Write its name, then run the next two cells.

# %% exercise="best_layer"
answer = None  # for example "layer2"
# BEGIN SOLUTION
answer = "layer4"
# END SOLUTION

# %%
layer_maps = {name: grad_cam(model, pictures, questions, module) for name, module in lab.layers.items()}
layer_scores = {
    name: judge.pointing_game(upsample(maps, truth.shape[-2:]), truth, tolerance=5)
    for name, maps in layer_maps.items()
}
print("pointing game:", {name: round(score.mean().item(), 2) for name, score in layer_scores.items()})
energy = {
    k: judge.energy_in_mask(upsample(layer_maps[k], truth.shape[-2:]), truth) for k in ("layer3", "layer4")
}
print("energy, layer3 minus layer4:", judge.paired(energy["layer3"], energy["layer4"]))

# %%
exercises.best_layer.check(answer, layer_scores)

# %% tags=["hide-input"]
by_place = upsample(layer_cam(model, pictures, questions, lab.layers["stem"]), truth.shape[-2:])
print(f"pointing game, Layer-CAM at the stem: {judge.pointing_game(by_place, truth, tolerance=5).mean():.2f}")
shown = [0, 1]  # the first scene, asked for both of its objects
plots.show_maps(
    [lab.images[0]] * 2,
    {f"{name} ({maps.shape[-1]}×{maps.shape[-1]})": maps[shown] for name, maps in layer_maps.items()},
    labels=[f"why {lab.class_names[int(c)]}?" for c in questions[shown]],
    title="Grad-CAM at each stage, with the size of its map: early maps are finer and do not separate the objects",
)
plots.show(
    "Grad-CAM at five stages. In the early ones the boat is bright for both questions; in layer4 the asked-for object is."
)

# %% [markdown]
# Two things change with depth. The map gets coarser, and the channels get more meaning. In early stages the same channel reacts to the edges of *any* object, so one weight for a whole channel cannot tell
# one object from its neighbour. A weight for each place can: Layer-CAM points far better at the stem. So the averaging loses the object, not the stage. The paper takes the last convolutional layer. That is a good rule for pointing, and no law: by energy `layer3` is ahead ([05](05_cam_in_practice.ipynb) compares them).

# %% [markdown]
# ## 9 · The puzzle solved
#
# Back to the two horse models, and Grad-CAM for "horse". How much of the map's sum lies on the caption? An even map has exactly the caption's area there; a map that stays on the horse has less. The caption is no higher than one place of the map (16 pixels). So we also count what lies within 16 pixels of it.

# %%
horse_maps, on_caption = {}, {}
for name, lab_of_model in (("model A", model_a), ("model B", model_b)):
    all_horse = torch.full((len(lab_of_model),), horse)
    horse_maps[name] = grad_cam(lab_of_model.model, lab_of_model.inputs, all_horse, lab_of_model.layer)
    on_caption[name] = judge.energy_in_mask(full_size(horse_maps[name]), lab_of_model.shortcut)
caption = model_a.shortcut.float()
near = torch.nn.functional.max_pool2d(caption[:, None], 33, stride=1, padding=16)[:, 0] > 0

# %%
for name, maps in horse_maps.items():
    beside = judge.energy_in_mask(full_size(maps), near).mean()
    print(f"{name}: {on_caption[name].mean():.2f} on the caption, {beside:.2f} within 16 pixels of it")
print(f"an even map: {caption.mean():.2f} and {near.float().mean():.2f}")
print("on the caption, A minus B:", judge.paired(on_caption["model A"], on_caption["model B"]))

# %% tags=["hide-input"]
gone = grad_cam(model_a.model, model_a.preprocess(model_a.counterfactuals), all_horse, model_a.layer)
there = judge.energy_in_mask(full_size(gone), model_a.shortcut).mean()
before, after = (maps.amax(dim=(1, 2)).median() for maps in (horse_maps["model A"], gone))
print(f"model A without the caption: {there:.2f} of the map at the caption's place")
print(f"largest value of the map (median): {after:.2f} instead of {before:.2f}")

# %% tags=["hide-input"]
plots.show_maps(
    list(model_a.images[:3]),
    {name: maps[:3] for name, maps in horse_maps.items()},
    masks=model_a.shortcut[:3],
    title=f"Share of the map on the caption (outlined), mean of {len(model_a)} pictures: "
    f"A {on_caption['model A'].mean():.2f}, B {on_caption['model B'].mean():.2f}",
    width=6,
)
plots.show(
    "Three horses with the maps of both models. Model A's map is bright at the caption below, model B's on the horse."
)

# %% [markdown]
# One picture is only a hint. Many pictures, beside an honest model and an even map, are evidence. Without the caption, model A's map is weak, and little of it lies there: it followed the caption. Model A's brightest place is often just below the caption, not on it: the map is too coarse to say more than "near it".

# %% [markdown]
# ## 10 · The real thing
#
# Now a network trained on ImageNet (EfficientNet-Lite0, 1,000 classes) and real photographs, two side by side. Four photographs give 12 pairs, since left and right count, so 24 questions. Only the lab changes. The truth is the *half* of the picture, since nobody drew outlines. With four photographs an interval would say little: look at each.

# %%
photos = load_lab("photos", pairs=True)
photo_pictures, photo_questions, halves = photos.questions()
photo_maps = {
    name: upsample(method(photos.model, photo_pictures, photo_questions, photos.layer), halves.shape[-2:])
    for name, method in family.items()
}
photo_maps["edges (Sobel)"] = judge.baselines.sobel(photo_pictures)
in_half = {name: judge.energy_in_mask(maps, halves) for name, maps in photo_maps.items()}
right = judge.pointing_game(photo_maps["Grad-CAM"], halves)
print(f"Grad-CAM's maximum lies in the half asked for in {int(right.sum())} of {len(right)} questions")
print("energy in that half:", {name: round(share.mean().item(), 2) for name, share in in_half.items()})
ahead = in_half["Grad-CAM"] - in_half["Layer-CAM"]
for c in photo_questions.unique():
    print(f"{photos.class_names[int(c)]}: Grad-CAM minus Layer-CAM {ahead[photo_questions == c].mean():+.2f}")

# %% tags=["hide-input"]
plots.show_maps(
    [photos.images[0]],
    {
        f"why {photos.class_names[int(c)]}?": photo_maps["Grad-CAM"][i : i + 1]
        for i, c in enumerate(photos.targets[0])
    },
    title="EfficientNet-Lite0 on two photographs side by side",
    width=8,
)
plots.show(
    "A cat left, a cup of coffee right. Asked for the cat, the left half is bright; asked for espresso, the cup."
)

# %% [markdown]
# ### A wrong answer, explained
#
# This woman is an astronaut. ImageNet has no such class, and the network's first answer is a *bobsled*. Where did it look? Ask Grad-CAM, for the four next answers too.

# %%
wrong = load_lab("photos", only="astronaut")
five, shares = (best[0] for best in top_classes(wrong, wrong.images, k=5))  # classes and probabilities
wrong_maps = grad_cam(wrong.model, wrong.inputs.repeat(5, 1, 1, 1), five, wrong.layer)

# %% tags=["hide-input"]
best = [f"{wrong.class_names[c]} {share:.2f}" for c, share in zip(five, shares, strict=True)]
plots.show_maps(
    list(wrong.images[:1]),
    {label: wrong_maps[i : i + 1] for i, label in enumerate(best)},
    title="An astronaut, and Grad-CAM for the five most probable classes",
)
plots.show("A smiling astronaut in an orange suit. " + "; ".join(best))

# %% [markdown]
# No answer gets more than 0.20. For *football helmet* the map is brightest near the helmet under her arm; for *bobsled* it has a second bright place on her shoulder. A map says *where*, not *what*: that the network took the suit for a racing suit is your guess. To test it, you would cover the suit and ask again (as [lesson 01](01_why_explain.ipynb) covers parts of a picture).
#
# ### Your turn
#
# Change the path (a picture, or a folder of pictures) and, if you like, the model's name. `path=None` takes the course's own photographs.

# %%
mine = load_lab("photos", path=None, model="efficientnet_lite0")
first = mine.images[:3]
classes, chances = top_classes(mine, first, k=3)
my_maps = {
    name: method(mine.model, mine.inputs[:3], classes[:, 0], mine.layer) for name, method in family.items()
}

# %% tags=["hide-input"]
for best, chance in zip(classes, chances, strict=True):
    print(", ".join(f"{mine.class_names[c]} {p:.2f}" for c, p in zip(best, chance, strict=True)))
plots.show_maps(list(first), my_maps, labels=[mine.class_names[c] for c in classes[:, 0]], width=7.5)
plots.show("Pictures down the side, the maps of three methods for the most probable class of each.")

# %% [markdown]
# ## 11 · Where it breaks
#
# Two cards, with three symptoms: a faded map, an empty map, and a bright map of nothing.
#
# ### Card 1: the softmax instead of the logit
#
# When the network is sure, the probability $p$ cannot grow any more: its gradient contains the factor $p\,(1-p)$, which vanishes. Below, one dot is one scene: the largest value of its map against the probability of the class.

# %%
single = load_lab("scenes")  # 100 scenes with one object
with_softmax = torch.nn.Sequential(single.model, torch.nn.Softmax(dim=1))
strength = {
    name: grad_cam(network, single.inputs, single.targets, single.layer).amax(dim=(1, 2))
    for name, network in (("logit", single.model), ("softmax", with_softmax))
}
probability = torch.from_numpy(single.predict(single.images)).gather(1, single.targets[:, None])[:, 0]

on_pairs = grad_cam(torch.nn.Sequential(model, torch.nn.Softmax(dim=1)), pictures, questions, layer)
with_softmax_hits = judge.pointing_game(full_size(on_pairs), truth, tolerance=5)
print(
    f"pointing game on two objects: logit {hits['Grad-CAM'].mean():.2f}, softmax {with_softmax_hits.mean():.2f}"
)

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.5, 2.8))
for name, values_of in strength.items():
    ax.plot(probability, values_of, "o", alpha=0.6, label=f"gradient of the {name}")
ax.set(xlabel="probability of the class", ylabel="largest value of the map")
ax.set(yscale="log")
ax.set_title("Near probability 1, the map of the softmax fades (logarithmic scale)", loc="left")
ax.legend()
plots.show(
    "With the logit the maps stay strong up to probability 1; with the softmax they fall towards zero there."
)

# %% [markdown]
# With the softmax the maps point nearly as well. But their strength is lost where the network is surest, so maps of different pictures cannot be compared. You do not see it while each map has its own scale.
#
# ### Card 2: a class that is not there
#
# Ask for a class that the picture does not contain. Now and then each place speaks against it: the ReLU leaves nothing, and scaling "to 0…1" divides zero by zero. More often the map is weak, and lies somewhere. Divided by its own maximum, it looks as strong as any other.

# %%
ten = torch.arange(len(lab.class_names))
of_twenty = grad_cam(model, lab.inputs[:20].repeat_interleave(10, dim=0), ten.repeat(20), layer)
empty = (of_twenty.amax(dim=(1, 2)) == 0).sum()
print(f"empty maps: {empty} of {len(of_twenty)} (20 scenes, ten classes each)")

nothing = torch.zeros(1, 8, 8)
naive = (nothing - nothing.min()) / (nothing.max() - nothing.min())
print("naive scaling gives", naive[0, 0, 0].item(), "| min_max gives", min_max(nothing)[0, 0, 0].item())

likely = logits.argsort(descending=True)[:5]  # five classes for one scene that holds two of them
of_five = grad_cam(model, inputs.repeat(5, 1, 1, 1), likely, layer)

# %% tags=["hide-input"]
figure, axes = plots.grid(2, 5, ratio=1.12)
for row, scale in zip(axes, (None, of_five.max()), strict=True):
    for ax, c, heat in zip(row, likely, of_five, strict=True):
        heat = heat if scale is None else heat / scale
        ax.imshow(plots.overlay(lab.images[scene], heat, own_scale=scale is None))
        ax.set_title(f"{lab.class_names[c]}: logit {logits[c]:+.1f}", fontsize=10)
figure.suptitle(
    "One scene, five classes. Above: each map on its own scale. Below: one scale for all", fontsize=11
)
plots.show(
    "Each map on its own scale above: five maps that look equally strong. One scale for all below: only the maps of the "
    "two objects in the scene are visible."
)

# %% [markdown]
# **A bright map does not mean a strong class.** Keep one scale, or print the score beside the map.

# %% [markdown]
# ## 12 · Play
#
# Choose a scene, a class, a stage and a method; try a class that is not in the picture. Tab moves between the controls, the arrow keys change a value.


# %% tags=["hide-input"]
def draw(scene, class_name, stage, method):
    c, one = lab.class_names.index(class_name), lab.inputs[scene : scene + 1]
    heat = family[method](model, one, c, lab.layers[stage])
    plots.show_maps([lab.images[scene]], {f"{method}, {stage}: why {class_name}?": heat}, width=6)
    plots.show(f"{method} at {stage} for {class_name}")
    print(f"logit of {class_name}: {model(one)[0, c]:.1f}, largest value of the map: {heat.max():.4f}")


widgets.explore(
    draw,
    scene=widgets.slider("scene", 0, len(lab) - 1, scene),
    class_name=widgets.choice("class", list(lab.class_names), "cat"),
    stage=widgets.choice("stage", list(lab.layers), "layer4"),
    method=widgets.choice("method", list(family)),
)

# %% [markdown]
# One setting as a still picture: a stage earlier, a map with more places.

# %% tags=["hide-input"]
draw(scene, "cat", "layer3", "Layer-CAM")

# %% [markdown]
# ## 13 · Recap
#
# - Grad-CAM: keep the last maps, average the gradient of the *logit* over each, weigh, add, rectify.
# - For a network with global average pooling and one linear layer, the map before the ReLU is CAM divided by $Z$, and adds up to the score without its bias.
# - Libraries differ in the ReLU, in scaling and in enlarging; one has a real bug. Compare numbers, not pictures.
# - Score a map against the truth, beside maps that know nothing, with a paired difference where two methods saw the same questions.
# - A bright map does not mean a strong class; a smooth outline does not mean fine resolution.
# - More in [04b](04b_grad_cam_more.ipynb): what speaks against a class, Guided Grad-CAM, the bug measured, the forgotten `eval()`, and whether the map depends on what the network has learnt.
#
# <details><summary>The paper in ten questions</summary>
#
# R. Selvaraju and others: *Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization* (ICCV 2017; extended in IJCV 2020).
#
# 1. **Which problem?** Say where in a picture the evidence for a class lies, for a network as it is.
# 2. **Is it new?** CAM could do so only for networks with global average pooling before one linear layer. Here any differentiable head will do.
# 3. **Which hypothesis?** The last convolutional layer is the best compromise between meaning and place, and one averaged gradient is a fair weight for a channel.
# 4. **Related work?** CAM (2016), deconvolution (2014), guided backpropagation (2015): lessons 02 and 03.
# 5. **The key idea?** The gradient of the score, averaged over each channel, replaces the weights of CAM.
# 6. **Which experiments?** Weakly supervised localisation, the pointing game, human trust, bias in a data set, captioning, visual question answering.
# 7. **Data and code?** ImageNet, PASCAL VOC, COCO; the code is public.
# 8. **Do the results support it?** For localisation against earlier gradient methods, yes. People who saw the maps of two models found the more accurate one more reliable. That shows maps that look better, not that they show what the model used.
# 9. **What did it contribute?** A method that needs no retraining, and that became the usual picture of explainable vision.
# 10. **What next?** Finer layers (Layer-CAM), no gradients (Score-CAM), axioms (lesson 08), tests of whether maps mean anything (lesson 12).
#
# </details>
#
# **References**
# - [Selvaraju and others, 2017: Grad-CAM](https://arxiv.org/abs/1610.02391) · [Zhou and others, 2016: CAM](https://arxiv.org/abs/1512.04150)
# - [Chattopadhay and others, 2018: Grad-CAM++](https://arxiv.org/abs/1710.11063) · [Wang and others, 2020: Score-CAM](https://arxiv.org/abs/1910.01279) · [Jiang and others, 2021: LayerCAM](https://doi.org/10.1109/TIP.2021.3089943)
# - [Zhang and others, 2016: the pointing game](https://arxiv.org/abs/1608.00507) · [Lapuschkin and others, 2019: Unmasking Clever Hans predictors](https://www.nature.com/articles/s41467-019-08987-4)
