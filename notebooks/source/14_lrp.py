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
# # 14 · Layer-wise relevance propagation: follow the score back
#
# **The question.** The score of a class is a sum of sums of sums. Can you pay it back, layer by layer, until every pixel holds its share? What is lost on the way?
#
# **After this lesson you can**
# - pay one neuron, one layer and a whole network back by hand;
# - say where the score goes that never reaches the pixels;
# - read each rule (ε, γ, z⁺, αβ, …) as an answer to one question;
# - write LRP for any network of convolutions and linear layers in twenty lines, and prove it;
# - choose rules that ask for the class, and recognise two errors that look like good maps.
#
# **Time**: about <!-- minutes --> minutes. **Before**: convolution, ReLU, gradient, hook. [04 · Grad-CAM](04_grad_cam.ipynb) explains hooks, logits and the pointing game.
#
# The first cell loads drawn scenes with two objects each, and two networks for them: `lab.model`, a plain network in the manner of [ZF-Net](02_zfnet_deconvnet.ipynb), and `res.model`, one with residual connections (a *ResNet*). `inputs` is one scene with a cat.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn
from zennit import rules as zennit_rules

from course_utils import judge
from course_utils.exercises import l14_lrp as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l14_lrp as lesson
from course_utils.methods import relevance as lrp
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import input_x_gradient, integrated_gradients, saliency
from course_utils.methods.relevance import EPSILON, EPSILON_PLUS, Rules, epsilon, relevance, z_plus
from course_utils.teach import plots, widgets

# %%
lab = load_lab("scenes", model="zfnet", n_objects=2)
res = load_lab("scenes", n_objects=2)
cat = lab.class_names.index("cat")
scene = int((lab.targets == cat).any(dim=1).nonzero()[0])
inputs, asked = lab.inputs[scene : scene + 1], torch.tensor([cat])

# %% [markdown]
# ## 1 · A puzzle: sixteen times the score
#
# LRP promises that its map is the score, handed out to the pixels. So the sum of the map should be the score, if nothing is lost. Here are two maps of one picture and one network, made with one library, [zennit](https://github.com/chr5tphr/zennit), and the same rules. Only one small setting differs. (`zero_params=["bias"]` tells zennit to give the biases nothing, so that the pixels should get the whole score.)

# %%
whole = lrp.fold_batch_norms(res.model, inputs)  # section 5 says what this does
rules = [make(zero_params=["bias"]) for make in (zennit_rules.Epsilon, zennit_rules.ZPlus)]
two = {name: lesson.of_zennit(whole, inputs, asked, *rules, sums=sums) for name, sums in
       (("map A", True), ("map B", False))}  # fmt: skip
score = whole(inputs)[0, cat].item()
for name, values in two.items():
    print(f"{name}: sum {values.sum():7.1f} = {values.sum() / score:5.2f} times the score {score:.1f}")

# %% tags=["hide-input"]
plots.show_maps(
    [lab.images[scene]], {k: v.sum(dim=1) for k, v in two.items()}, signed=True, alone=True, width=7.5,
    title="One network, one question (why cat?), one set of rules. Red speaks for the cat",
)  # fmt: skip
plots.show("A scene with a cat, and two maps of pixels that look alike: both are red on the cat.")

# %% [markdown]
# Both look right. Section 10 solves it.

# %% [markdown]
# ## 2 · One neuron
#
# A neuron multiplies each input $a_j$ by a weight $w_j$, adds them up, and adds a bias $b$: $z = \sum_j a_j w_j + b$. Suppose that it has got the **relevance** $R$: so much of the score is due to it. It hands $R$ on in the proportion in which its inputs made $z$:
#
# $$R_j = \frac{a_j w_j}{z}\, R .$$
#
# The bias is a part of $z$, too. Its share, $\frac{b}{z} R$, stays with it, since a bias has no input behind it.

# %% tags=["nbval-check-output"]
a = torch.tensor([2.0, 1.0, 3.0])
w = torch.tensor([1.0, -1.0, 0.5])
b, R = 0.5, 6.0
z = (a * w).sum() + b
print("contributions a w", (a * w).tolist(), "and the bias", b, "make z =", z.item())
print("of R = 6 the inputs get", (a * w / z * R).tolist(), "and the bias keeps", (b / z * R).item())

# %% [markdown]
# The second input spoke *against*, so its share is negative, and the others get more than $R$ together with it. If $z$ is near 0, the shares become huge. So one adds a small number $\varepsilon$ with the sign of $z$ (and + where $z = 0$). That is **LRP-ε** (Bach and others, 2015); LRP-0 is the same with $\varepsilon = 0$:
#
# $$R_j = \sum_k \frac{a_j w_{jk}}{z_k + \varepsilon\, \mathrm{sign}(z_k)}\, R_k .$$
#
# Here $k$ counts the outputs of a whole layer: each of them pays, and an input adds up what it gets.
#
# ### Exercise: pay a layer back
#
# Use `exercises.EPSILON` for ε.


# %% exercise="pay_linear"
def pay_linear(a, weight, bias, R):
    """Relevance of the inputs (N, J): a (N, J), weight (K, J), bias (K,), R (N, K) of the outputs."""
    # BEGIN SOLUTION
    z = a @ weight.T + bias
    stabilised = z + exercises.EPSILON * torch.where(z < 0, -1.0, 1.0)
    return a * ((R / stabilised) @ weight)
    # END SOLUTION


# %%
exercises.pay_linear.check(pay_linear)

# %% [markdown]
# ### Exercise: what the biases keep
#
# The same layer. How much of the relevance stays with the biases, in each picture?


# %% exercise="kept_by_biases"
def kept_by_biases(a, weight, bias, R):
    """What all biases of the layer keep, one number a picture (N,)."""
    # BEGIN SOLUTION
    z = a @ weight.T + bias
    share = bias / (z + exercises.EPSILON * torch.where(z < 0, -1.0, 1.0))
    return (share * R).sum(dim=1)
    # END SOLUTION


# %%
exercises.kept_by_biases.check(kept_by_biases)

# %% [markdown]
# ## 3 · The ledger: a whole network
#
# The solution of the exercise has a form that fits each layer: divide $R$ by the output, send the result back through the layer *as a gradient*, multiply by the input. For a convolution the gradient is the transposed convolution, so nobody has to write it. A ReLU has one input for each output and passes its relevance on. A max pooling pays the winner. Both come out of the same three lines.


# %% tags=["by-hand"]
def pay_back(layer, a, R, eps=1e-9):
    """Relevance of a layer's inputs `a`; and what its biases and its stabiliser keep, two numbers."""
    a = a.detach().requires_grad_()
    z = layer(a)
    bias = getattr(layer, "bias", None)
    if bias is None:  # ReLU, pooling, flatten
        eps = 0.0
    sign = torch.where(z < 0, -1.0, 1.0)
    signal = torch.where(z == 0, 0.0, R / (z + eps * sign)).detach()
    (back,) = torch.autograd.grad(z, a, signal)
    of_bias = 0.0 if bias is None else (signal * bias.view(-1, *[1] * (z.ndim - 2))).sum().item()
    return (a * back).detach(), of_bias, (signal * eps * sign).sum().item()


network = load_lab("scenes", model="zfnet").model.double()  # double precision, to close an account
values = [inputs.double()]
for layer in network:
    values.append(layer(values[-1]))

# %% [markdown]
# Start with the logit of the cat at its own output and 0 elsewhere, and go back. After each layer write down how much has arrived, and what the biases have kept.

# %%
R = torch.zeros_like(values[-1])
R[0, cat] = values[-1][0, cat]
logit, kept, stabilisers, ledger = R.sum().item(), 0.0, 0.0, {}
for (name, layer), a in zip(reversed(list(network.named_children())), reversed(values[:-1]), strict=True):
    R, of_bias, of_eps = pay_back(layer, a, R)
    kept, stabilisers = kept + of_bias, stabilisers + of_eps
    if of_bias:
        ledger[name] = R.sum().item()
        print(f"{name}: {ledger[name]:7.3f} arrived, {of_bias:+7.3f} stayed with its biases")
missing = logit - R.sum().item() - kept - stabilisers
print(f"logit {logit:.3f} = pixels {R.sum():.3f} + biases {kept:.3f} + ε's {abs(stabilisers):.0e}")
print(f"missing: {abs(missing):.0e}")

# %% [markdown]
# The account closes. But most of this logit never reaches the pixels: **the biases have it**. Here they hold the batch norms that were merged into the convolutions after training (section 5 does it). Three ways to pay, over the same layers: LRP-ε; ε in the linear layers and z⁺ (only contributions that help, section 4) in the convolutions; and the second way again, where biases get nothing.

# %% tags=["hide-input", "thumbnail"]
names = [name for name, layer in lab.model.named_children() if isinstance(layer, (nn.Conv2d, nn.Linear))]
paid = {"ε everywhere": (EPSILON, True), "ε and z⁺": (EPSILON_PLUS, True),
        "ε and z⁺, biases get nothing": (EPSILON_PLUS, False)}  # fmt: skip
with torch.no_grad():
    start = lab.model(inputs)[0, cat].item()
curves = {}
for label, (rules, biases) in paid.items():
    arrived = [relevance(lab.model, inputs, asked, rules, layer=f"relu{name[-1]}", biases=biases).sum().item()
               for name in names[:-1]]  # fmt: skip
    arrived.insert(0, relevance(lab.model, inputs, asked, rules, biases=biases).sum().item())
    curves[label] = [start, *arrived[::-1]]
figure, ax = plt.subplots(figsize=(8.5, 3.2))
for (label, curve), style in zip(curves.items(), ("-o", "--s", ":^"), strict=True):
    ax.plot(curve, style, label=label)
ax.set_xticks(range(len(names) + 1), ["logit", *names[::-1]])
ax.axhline(0, color=plots.BASELINE, linewidth=1)
ax.set(xlabel="paid back through", ylabel="relevance left")
ax.set_title("The ledger of one logit: what is left after each layer", loc="left")
ax.legend(fontsize=9)
plots.show(
    "Relevance left after each layer from the logit to the pixels. Without biases the line is level; with ε and z⁺ "
    f"{curves['ε and z⁺'][-1]:.1f} of {start:.1f} arrive, with ε everywhere {curves['ε everywhere'][-1]:.1f}."
)

# %% tags=["hide-input"]
first = slice(0, 16)
logits = lab.model(lab.inputs[first]).gather(1, lab.targets[first, :1])[:, 0].detach()
for label, (rules, biases) in paid.items():
    sums = relevance(lab.model, lab.inputs[first], lab.targets[first, 0], rules, biases=biases).sum(
        dim=(1, 2, 3)
    )
    print(f"{label:<29} the median of 16 scenes keeps {(sums / logits).median():5.2f} of the logit")

# %% [markdown]
# ## 4 · The rules: what to do with contributions of the other sign?
#
# Write $w^+$ for the positive part of a weight (negative ones become 0) and $w^-$ for the negative part. All rules have the form $R_j = \sum_k \frac{c_{jk}}{d_k} R_k$: contributions $c$, divided by a denominator $d_k$ that is (nearly) their sum. They differ in one thing: what counts as a contribution?
#
# | rule | its answer | contribution $c_{jk}$ |
# |---|---|---|
# | LRP-0, ε | all count; large positive and negative ones may nearly cancel | $a_j w_{jk}$ |
# | γ | those that help count more, by the factor $1 + \gamma$ | $a_j (w_{jk} + \gamma w_{jk}^+)$ |
# | z⁺ | only those that help | $a_j^+ w_{jk}^+ + a_j^- w_{jk}^-$ |
# | αβ | helpers α times, the others −β times, α − β = 1 | those of z⁺, and separately all others |
# | flat (first layer) | all alike: "I do not know" | $1$ |
# | w² (first layer) | the weights only | $w_{jk}^2$ |
# | zᴮ (first layer) | the distance from the end of the box $[l, h]$ of pixel values | $a_j w_{jk} - l\, w_{jk}^+ - h\, w_{jk}^-$ |
#
# The line for γ holds where $a \ge 0$ and $z > 0$; the general form treats each sign alike. The last three are for pixels, which may be negative or black for no reason. A set of rules, one for each kind of layer, is a **composite**. Our neuron again, with $R = z$ and no bias:

# %%
neuron = nn.Linear(3, 1, bias=False)
neuron.weight = nn.Parameter(torch.tensor([[1.0, -1.0, 0.5]]), requires_grad=False)
answers = {"ε": epsilon(), "γ = 1": lrp.gamma(1.0), "γ = 10": lrp.gamma(10.0), "z⁺": z_plus(),
           "α2β1": lrp.alpha_beta(2, 1)}  # fmt: skip
answers |= {
    rule.name: Rules(epsilon(), epsilon(), first=rule)
    for rule in (lrp.flat(), lrp.w_squared(), lrp.z_box(0, 3))
}
three = {
    name: relevance(neuron, torch.tensor([[2.0, 1.0, 3.0]]), 0, rule)[0] for name, rule in answers.items()
}
for name, shares in three.items():
    print(f"{name:<10}", " ".join(f"{share:6.2f}" for share in shares), f"  sum {shares.sum():.2f}")

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(9, 2.9))
for j in range(3):
    heights = [float(shares[j]) for shares in three.values()]
    label = f"input {j + 1}: a w = {[2.0, -1.0, 1.5][j]:+.1f}"
    ax.bar([i + 0.26 * (j - 1) for i in range(len(three))], heights, 0.24, label=label)
ax.set_xticks(range(len(three)), list(three))
ax.axhline(0, color=plots.INK, linewidth=0.8)
ax.set(ylabel="share of R = 2.5")
ax.set_title("One neuron, eight answers: they all add up to R", loc="left")
ax.legend(fontsize=9)
plots.show(
    "Bars of the three inputs' shares for eight rules. With ε the second input gets −1; from γ to z⁺ its share goes to 0; "
    "with α2β1 it is more negative; flat gives each input the same."
)

# %% [markdown]
# With growing γ the negative share fades, and z⁺ is where that ends. Now a whole picture with four composites: the rule of the linear layers, that of the convolutions, that of the first layer. Pixels here lie in −1 … 1, the box of zᴮ.

# %%
composites = {
    "ε everywhere": EPSILON,
    "ε and z⁺": EPSILON_PLUS,
    "ε, γ, zᴮ": Rules(epsilon(), lrp.gamma(), first=lrp.z_box(-1, 1)),
    "ε, α2β1, flat": Rules(epsilon(), lrp.alpha_beta(), first=lrp.flat()),
}
one_picture = {
    name: relevance(lab.model, inputs, asked, rules).sum(dim=1) for name, rules in composites.items()
}

# %% tags=["hide-input"]
plots.show_maps(
    [lab.images[scene]], one_picture, signed=True, alone=True,
    title="Why cat? Red pixels speak for it, blue ones against it",
)  # fmt: skip
plots.show(
    "A scene and four maps. With ε everywhere, red and blue grains are mixed; with z⁺ in the convolutions the cat is red "
    "and the bird pale; the last two are smoother."
)

# %% [markdown]
# With ε everywhere the map is grainy, red and blue side by side. Where ε is tiny, LRP-ε **is** *gradient × input* ([08](08_saliency_smoothgrad_ig.ipynb)). Section 5 shows why.

# %% [markdown]
# ## 5 · By hand for any network
#
# Paying back layer by layer needs the list of layers. A residual network has none: values branch and meet again. Here is a form that needs no list. Let each layer put out
#
# $$y_k = c_k \cdot \Big[\frac{z_k}{d_k}\Big]_{\text{fixed}}, \qquad c_k = \sum_j c_{jk},$$
#
# where the bracket counts as a constant when the derivative is taken (`detach()`). Let $S$ be the score. Suppose that the outputs have $R_k = z_k \cdot \partial S / \partial z_k$ (value times gradient). Each $c_{jk}$ is a multiple of $a_j$, so $a_j\, \partial c_k / \partial a_j = c_{jk}$, and the inputs get
#
# $$a_j \frac{\partial S}{\partial a_j} = \sum_k \frac{c_{jk}}{d_k}\, z_k\, \frac{\partial S}{\partial z_k} = \sum_k \frac{c_{jk}}{d_k}\, R_k .$$
#
# That is the rule. (A bias adds to $d$ alone; for z⁺ only if it is positive.) So: **change the layers' derivatives, keep their values, and LRP is value × gradient, in each layer.** For LRP-0, $d$ is $z$, so nothing is changed: it is gradient × input. (The three rules for pixels are no multiples of $a$; `relevance` multiplies their terms by a factor that is 1, and takes the derivative for it.)


# %%
def run_layer(layer, a, w):
    """The layer with other weights and without its bias."""
    if isinstance(layer, nn.Linear):
        return nn.functional.linear(a, w)
    return nn.functional.conv2d(a, w, None, layer.stride, layer.padding, layer.dilation, layer.groups)


# %% tags=["by-hand"]
def my_relevance(model, inputs, target, plus=nn.Conv2d, eps=1e-6):
    """LRP of the pixels: z⁺ in layers of the type `plus`, ε in all others with weights."""

    def pay(layer, arguments, z):
        a, w, b = arguments[0], layer.weight, layer.bias.view(-1, *[1] * (z.ndim - 2))
        if isinstance(layer, plus):
            c = sum(run_layer(layer, a.clamp(*s), w.clamp(*s)) for s in ((0, None), (None, 0)))
            b = b.clamp(min=0)
        else:
            c = run_layer(layer, a, w)
        d = c + b
        y = c * (z / (d + eps * torch.where(d < 0, -1.0, 1.0))).detach()
        return y + (z - y).detach()  # the value of z, the derivative of y

    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(pay) for layer in layers]
    pixels = inputs.clone().requires_grad_()
    score = model(pixels).gather(1, target[:, None]).sum()
    for hook in hooks:
        hook.remove()
    return (pixels * torch.autograd.grad(score, pixels)[0]).detach()


# %% [markdown]
# ReLU, poolings and residual sums need no line: their own gradient already pays in proportion. In a sum $x + r$ with the relevance $R$, for example, $x$ gets $x \cdot \partial S / \partial (x + r) = \frac{x}{x + r} R$.
#
# One step before you run it: our ResNet has a *batch norm* behind each convolution: $s\,(z - \mu) + t$, with a mean $\mu$, a scale $s$ and a shift $t$ for each channel. Two layers in a row without a ReLU are one layer, and z⁺ should see that one. `fold_batch_norms` returns a copy with $w \leftarrow s\, w$ and $b \leftarrow s\,(b - \mu) + t$. So each convolution gets a bias that it did not have.

# %%
res_folded = lrp.fold_batch_norms(res.model, inputs).requires_grad_(False)
with torch.no_grad():
    change = (res_folded(lab.inputs[:8]) - res.model(lab.inputs[:8])).abs().max()
print(f"largest change of a logit: {change:.0e}")
before, after = ([m for m in net.modules() if isinstance(m, nn.Conv2d)] for net in (res.model, res_folded))
print(f"convolutions with a bias: before {sum(m.bias is not None for m in before)}, after {len(after)}")
first_layer = after[0](inputs)
print(
    f"first layer, mean sizes: bias {after[0].bias.abs().mean():.2f}, output {first_layer.abs().mean():.2f}"
)
print(f"sum of the map: {my_relevance(res_folded, inputs, asked).sum():.2f}")

# %% [markdown]
# ## 6 · The proof
#
# The sum is smaller than that of map A in section 1, where the biases got nothing. `relevance` is the course's function: the same idea for all rules, with checks. It refuses what it has no rule for, such as attention. The *axiom* is conservation: where biases get nothing, the pixels hold the logit. (In a convolution with z⁺ it is nearly so: an output without any helper pays nobody.)

# %%
eight, questions = lab.inputs[:8], lab.targets[:8, 0]
plain, folded = lab.model.requires_grad_(False), lrp.fold_batch_norms(res.model, lab.inputs[:1])
rows = []
for kind, network_of in (("ZF-Net", plain), ("ResNet", folded)):
    ours = relevance(network_of, eight, questions, EPSILON_PLUS)
    theirs = lesson.of_zennit(network_of, eight, questions, *lesson.IN_ZENNIT["ε and z⁺"])
    rows.append((f"by hand, {kind}", ours, my_relevance(network_of, eight, questions), "ε and z⁺"))
    rows.append((f"zennit, {kind}", ours, theirs, "ε and z⁺"))

# %% tags=["nbval-check-output"]
for name in ("ε, γ, zᴮ", "ε, α2β1, flat"):
    theirs = lesson.of_zennit(plain, eight, questions, *lesson.IN_ZENNIT[name])
    rows.append(("zennit, ZF-Net", relevance(plain, eight, questions, composites[name]), theirs, name))
precise = eight.double()  # captum's ε is 1e-9: too small for single precision
exact = relevance(network, precise, questions, epsilon(1e-9))
rows.append(("captum, ZF-Net", exact, lesson.of_captum(network, precise, questions), "ε everywhere"))
sums = relevance(network, precise, questions, EPSILON_PLUS, biases=False).sum(dim=(1, 2, 3))
logits = network(precise).gather(1, questions[:, None])[:, 0]
rows.append(("sum and logit", sums, logits, "biases get nothing"))
judge.agreement_table(rows)

# %% [markdown]
# Two conventions to know. zennit gets the merged network here, so that both explain the same one. captum has no rule for `nn.Flatten` and stops there until you set one. Where they do *not* agree, section 10 continues.

# %% [markdown]
# ## 7 · The score: does it point at what was asked for?
#
# 20 scenes with two objects make 40 questions. Where the map is negative, a pixel speaks against the class, so only the positive part is scored. Two numbers from [lesson 04](04_grad_cam.ipynb): the **pointing game** (does the maximum lie on the object, with a tolerance of 5 pixels?) and **energy** (how much of the map's sum lies on it?).
#
# ### Exercise: predict, then run
#
# Three composites, two questions for each scene: why the first object, why the second one? A method that asks for the class gives two different maps. **Whose two maps have the highest correlation?** Answer `"ε everywhere"`, `"ε and z⁺"` or `"z⁺ everywhere"`.

# %% exercise="blind_rules"
answer = None  # for example "ε everywhere"
# BEGIN SOLUTION
answer = "z⁺ everywhere"
# END SOLUTION

# %%
composites = {"ε everywhere": EPSILON, "ε and z⁺": EPSILON_PLUS, "z⁺ everywhere": z_plus()}
pictures, questions, truth = lab.questions(20)
maps = {
    name: relevance(lab.model, pictures, questions, rules).sum(dim=1) for name, rules in composites.items()
}
correlations = {name: lesson.map_correlation(values).mean().item() for name, values in maps.items()}
for name, value in correlations.items():
    print(f"{name:<14} correlation of the two questions' maps {value:+.2f}")
control = relevance(lab.model, pictures, questions, Rules(linear=z_plus(), convolution=epsilon()))
print(f"z⁺ in the linear layers alone: {lesson.map_correlation(control.sum(dim=1)).mean():+.2f}")

# %%
exercises.blind_rules.check(answer, correlations)

# %% tags=["hide-input"]
plots.show_maps(
    [lab.images[0]] * 2, {name: values[:2] for name, values in maps.items()}, signed=True, alone=True,
    labels=[f"why {lab.class_names[int(c)]}?" for c in questions[:2]],
    title="One scene, two questions: with z⁺ everywhere the two maps are nearly the same", width=8.5,
)  # fmt: skip
plots.show(
    "Two rows, one a question, three composites. The first two change between the rows; with z⁺ everywhere both objects are "
    "red in both rows."
)

# %% [markdown]
# The last printed line is the control: z⁺ in the two linear layers is enough. There it drops whatever speaks against, and what is left is much the same for each class. Such a map looks convincing, and answers another question: *what is there?*

# %%
ig = integrated_gradients(lab.model, pictures, questions, n_steps=20, progress=True)
fixed = {
    "Grad-CAM": upsample(grad_cam(lab.model, pictures, questions, lab.layer), truth.shape[-2:]),
    "IG, 20 steps": ig.sum(dim=1),
    "gradient × input": input_x_gradient(lab.model, pictures, questions).sum(dim=1),
    "saliency": saliency(lab.model, pictures, questions).amax(dim=1),
    "edges (Sobel)": judge.baselines.sobel(pictures),
}
all_maps = {name: values.clamp(min=0) for name, values in {**maps, **fixed}.items()}
hits = {name: judge.pointing_game(values, truth, tolerance=5).float() for name, values in all_maps.items()}
energy = {name: judge.energy_in_mask(values, truth) for name, values in all_maps.items()}
for label, values in (("pointing", hits), ("energy", energy)):
    print(f"{label}, ε and z⁺ minus Grad-CAM: {judge.paired(values['ε and z⁺'], values['Grad-CAM'])}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.4))
plots.score_plot(
    hits, baselines="edges (Sobel)", xlabel="maximum on the object", title="Pointing", ax=axes[0]
)
plots.score_plot(
    energy, baselines="edges (Sobel)", xlabel="share of the sum on it", title="Energy", ax=axes[1]
)
plots.show(
    f"Pointing: ε and z⁺ {hits['ε and z⁺'].mean():.2f}, Grad-CAM {hits['Grad-CAM'].mean():.2f}. Energy: "
    f"{energy['ε and z⁺'].mean():.2f} and {energy['Grad-CAM'].mean():.2f}; Integrated Gradients {hits['IG, 20 steps'].mean():.2f} and {energy['IG, 20 steps'].mean():.2f}."
)

# %% [markdown]
# With ε in the linear layers and z⁺ in the convolutions, LRP points about as well as Grad-CAM (the interval of the difference contains zero), and puts nearly twice as much of its map on the object. (Who points better, it or Integrated Gradients, changes from one set of scenes to the next.)

# %% [markdown]
# ## 8 · Photographs
#
# EfficientNet-Lite0, trained on ImageNet, and photographs in pairs, side by side; the truth is the half that was asked for.

# %%
photos = load_lab("photos", pairs=True)
photo_pictures, photo_questions, halves = (values[:4] for values in photos.questions())
in_pairs = list(zip(photo_pictures.split(2), photo_questions.split(2), strict=True))  # less memory
photo_maps = {}
for name, rules in composites.items():
    parts = [relevance(photos.model, some, classes, rules).sum(dim=1) for some, classes in in_pairs]
    photo_maps[name] = torch.cat(parts).clamp(min=0)
coarse_map = grad_cam(photos.model, photo_pictures, photo_questions, photos.layer)
photo_maps["Grad-CAM"] = upsample(coarse_map, halves.shape[-2:])
for name, values in photo_maps.items():
    print(f"{name:<14} {judge.energy_in_mask(values, halves).mean():.2f} of the map in the half asked for")

# %% tags=["hide-input"]
two_photos, two_classes = photo_pictures[:2], photo_questions[:2]
with torch.no_grad():
    of_classes = photos.model(two_photos).gather(1, two_classes[:, None])[:, 0]
left_over = relevance(photos.model, two_photos, two_classes, EPSILON_PLUS, biases=False).sum(dim=(1, 2, 3))
print(f"scores {of_classes.numpy().round(1)}, sums where biases get nothing {left_over.numpy().round(2)}")

# %% tags=["hide-input"]
plots.show_maps(
    [photos.images[0]] * 2,
    {name: values[:2] for name, values in photo_maps.items()},
    labels=[photos.class_names[int(c)] for c in photo_questions[:2]],
    alone=True,
    title="EfficientNet-Lite0, two photographs side by side, asked for the left one and for the right one",
)
plots.show(
    "A cat and a cup side by side, asked for each. ε and z⁺ draws the outlines of the thing asked for; Grad-CAM a blob in "
    "the right half; z⁺ everywhere lights up both halves."
)

# %% [markdown]
# Conservation is lost: about a twentieth of the score arrives, although no bias took any. All the rest ends in filters of a single channel: where none of the few inputs helps, z⁺ pays nobody. The map's place is still right: ε and z⁺ and Grad-CAM stay in the half; four questions are too few to rank these two.
#
# ### Your turn
#
# Change the path (a picture, or a folder of pictures) and the rules. `path=None` takes the course's own photographs; the question is the network's own answer.

# %%
mine = load_lab("photos", path=None)
my_rules = Rules(linear=epsilon(1e-6), convolution=z_plus(), first=lrp.flat())
my_pictures = mine.inputs[:2]
my_answers = mine.model(my_pictures).argmax(dim=1)
my_map = relevance(mine.model, my_pictures, my_answers, my_rules).sum(dim=1)

# %% tags=["hide-input"]
plots.show_maps(
    list(mine.images[:2]), {"relevance": my_map}, signed=True, alone=True, width=6,
    labels=[mine.class_names[int(c)] for c in my_answers],
)  # fmt: skip
plots.show("Two photographs and their relevance: red pixels speak for the network's answer.")

# %% [markdown]
# ## 9 · The same function twice
#
# $\min(s, 1)$ of a sum $s = x_1 + x_2 \ge 0$ can be written as $1 - \mathrm{relu}(1 - s)$ and as $\mathrm{relu}(s) - \mathrm{relu}(s - 1)$. *Implementation invariance* (Sundararajan and others, 2017) asks that an explanation be the same for both.
#
# ### Exercise: who passes?
#
# Run the cell. Then write the names of the methods that pass, as a list.

# %%
point = torch.tensor([[0.75, 0.75]])
methods = {
    "IG": lambda m: integrated_gradients(m, point, 0, n_steps=300),
    "LRP-z⁺": lambda m: relevance(m, point, 0, z_plus()),
    "LRP-γ": lambda m: relevance(m, point, 0, lrp.gamma(0.25)),
}
results = {n: [f(m)[0] for m in lesson.minimum_twice().values()] for n, f in methods.items()}
for name, pair in results.items():
    print(name)
    for network_name, values in zip(lesson.minimum_twice(), pair, strict=True):
        print(f"    {network_name:<21} pays {values.numpy().round(2) + 0.0}")

# %% exercise="same_function"
passing = None  # for example ["IG", "LRP-γ"]
# BEGIN SOLUTION
passing = ["IG"]
# END SOLUTION

# %%
exercises.same_function.check(passing, results)

# %% [markdown]
# Here $s = 1.5$: the ReLU of the first network puts out 0, and its whole answer is a bias. LRP explains the *network*, not the function: how it computes is part of the answer. If you want to speak about the function, Integrated Gradients keeps the axiom.

# %% [markdown]
# ## 10 · Where it breaks
#
# ### Card 1: the puzzle solved
#
# In a residual block, $x + r$ is computed by a plain `+`, which is no module. A library that works with rules *at modules* does not see it. The gradient of a sum is 1 for both terms, so each arm is handed the **whole** relevance. zennit has a layer `Sum` for this, and a `ResNetCanonizer` that puts it into torchvision's blocks; on blocks of other authors it merges the batch norms and silently leaves the sums. Map B was made without it. Our network has four blocks in a row.
#
# ### Exercise: find the bug
#
# This is what happens at such a sum. Mend it. (No sum in the test is near 0.)


# %% exercise="share_of_sum"
def share_of_sum(x, r, R):
    """The relevance of the two terms of x + r, as a pair, when the sum has the relevance R."""
    # BEGIN STUB
    # return R, R
    # END STUB
    # BEGIN SOLUTION
    z = x + r
    return x / z * R, r / z * R
    # END SOLUTION


# %%
exercises.share_of_sum.check(share_of_sum)

# %% [markdown]
# Twice as much at each of four sums: $2^4 = 16$. The picture does not show it, since a map is drawn on its own scale. **Print the sum of an LRP map beside the score.**
#
# ### Card 2: one name, several formulas
#
# captum's rule `Alpha1_Beta0_Rule` drops negative weights, but not the sign of the input. The formula's z⁺ pays $a^-w^-$ too. Behind a ReLU both are the same, for there $a \ge 0$. Pixels in −1 … 1 are not.

# %%
from captum.attr import LRP
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule

two_pixels = nn.Sequential(nn.Linear(2, 1, bias=False))
two_pixels[0].weight.data = torch.tensor([[2.0, 1.0]])
two_pixels[0].rule = Alpha1_Beta0_Rule()
example = torch.tensor([[1.0, -1.0]], requires_grad=True)  # contributions 2 and −1
by_formula = relevance(two_pixels, example, 0, z_plus())[0]
by_captum = LRP(two_pixels).attribute(example, target=0)[0].detach()
print("z⁺ by its formula", (by_formula.numpy() + 0.0).round(3), "and by captum", by_captum.numpy().round(3))

# %% [markdown]
# ### Card 3: ε is not only a safety measure
#
# "A small number against division by zero": how small? Outputs that are smaller than ε hardly pay any more, so a large ε also removes noise. It is a parameter of the method, and belongs beside each map. With ε = 5 nearly as much lies on the object as with ε and z⁺; but it points worse (fresh scenes).

# %%
some, some_questions, some_truth = lab.questions(6)
sizes = (0.01, 0.1, 0.25, 1.0, 5.0)
limit = relevance(lab.model, some, some_questions, epsilon(1e-9)).sum(dim=1)
of_sizes = {s: relevance(lab.model, some, some_questions, epsilon(s)).sum(dim=1) for s in sizes}
for size, values in of_sizes.items():
    together = torch.stack([limit, values], dim=1).flatten(0, 1)
    alike = lesson.map_correlation(together).mean()
    print(f"ε = {size:<5} correlation with ε → 0: {alike:.2f}, energy on the object "
          f"{judge.energy_in_mask(values.clamp(min=0), some_truth).mean():.2f}")  # fmt: skip

# %% tags=["hide-input"]
plots.show_maps(
    [lab.images[0]], {f"ε = {size:g}": values[:1] for size, values in of_sizes.items()}, signed=True, alone=True,
    title="The same picture and question: only ε differs",
)  # fmt: skip
plots.show("Five maps of one scene with growing ε: from grains of both signs to a few smooth red regions.")

# %% [markdown]
# ## 11 · Play
#
# Choose a scene, a class, and the rule of each kind of layer. Watch the sum, too.


# %% tags=["hide-input"]
CHOICES = {
    "ε": epsilon(),
    "ε = 0.25": epsilon(0.25),
    "γ": lrp.gamma(),
    "z⁺": z_plus(),
    "α2β1": lrp.alpha_beta(),
}
FIRST = {"as its kind": None, "flat": lrp.flat(), "w²": lrp.w_squared(), "zᴮ": lrp.z_box(-1, 1)}


def draw(scene, class_name, linear, convolution, first):
    c, one = lab.class_names.index(class_name), lab.inputs[scene : scene + 1]
    rules = Rules(CHOICES[linear], CHOICES[convolution], FIRST[first])
    values = relevance(lab.model, one, c, rules)
    plots.show_maps(
        [lab.images[scene]],
        {f"why {class_name}?": values.sum(dim=1)},
        signed=True,
        alone=True,
        width=6,
    )
    plots.show(f"Relevance for {class_name} with {linear}, {convolution} and {first}")
    print(f"logit {lab.model(one)[0, c]:.2f}, sum of the map {values.sum():.2f}")


widgets.explore(
    draw,
    scene=widgets.slider("scene", 0, len(lab) - 1, scene),
    class_name=widgets.choice("class", list(lab.class_names), "cat"),
    linear=widgets.choice("linear", list(CHOICES), "ε"),
    convolution=widgets.choice("convolution", list(CHOICES), "z⁺"),
    first=widgets.choice("first layer", list(FIRST)),
)

# %% tags=["hide-input"]
grid = {name: relevance(lab.model, inputs, asked, Rules(epsilon(), rule)).sum(dim=1)
        for name, rule in list(CHOICES.items())[1:]}  # fmt: skip
plots.show_maps(
    [lab.images[scene]], grid, signed=True, alone=True,
    title="Four settings of the explorer: ε in the linear layers, and four rules in the convolutions",
)  # fmt: skip
plots.show("Four maps of the same cat: smooth and red with z⁺, grains of both signs with the three others.")

# %% [markdown]
# ## 12 · Recap
#
# - A neuron hands its relevance back in the proportion in which its inputs made its output. The bias keeps its share.
# - The rules differ in one thing: what counts as a contribution. ε in the linear layers and z⁺ in the convolutions ask for the class and stay on the object; z⁺ everywhere hardly asks for the class.
# - LRP is input × gradient of a network whose layers keep their values and get other derivatives. LRP-0 is gradient × input itself.
# - Print the sum. 16 times the score is a forgotten residual sum.
# - LRP explains how a network computes, not only what.
#
# <details><summary>The paper in ten questions</summary>
#
# S. Bach and others: *On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation* (PLOS ONE, 2015).
#
# 1. **Which problem?** Say how much each pixel adds to the score of a classifier, for kernel methods and deep networks.
# 2. **Is it new?** Gradients said what a change would do. Handing out the score itself was hardly known (Landecker and others, 2013, did it in another kind of network).
# 3. **Which hypothesis?** If each layer conserves relevance, what arrives at the pixels explains the score.
# 4. **Related work, and who?** Simonyan's saliency, Zeiler's deconvnet; groups in Berlin, of Klaus-Robert Müller and Wojciech Samek.
# 5. **The key idea?** Conservation, layer by layer, with shares in proportion to contributions.
# 6. **Which experiments?** Bags of visual words on PASCAL VOC, digits, an ImageNet network; pixels flipped in the order of the map.
# 7. **Data and code?** Public data, and a public toolbox.
# 8. **Do the results support it?** The maps find what the score depends on. Conservation holds only apart from biases and stabilisers: section 3 measured how much that can be.
# 9. **What did it contribute?** A family of rules and much of the field's language. A year later the method found the horses' copyright tag (lesson 04).
# 10. **What next?** Which rule where (Montavon and others, 2019), rules for attention, the relevance of concepts inside the network.
#
# </details>
#
# **References**
# - [Bach and others, 2015: LRP](https://doi.org/10.1371/journal.pone.0130140) · [Montavon and others, 2017: deep Taylor decomposition](https://doi.org/10.1016/j.patcog.2016.11.008)
# - [Montavon and others, 2019: Layer-wise relevance propagation, an overview](https://doi.org/10.1007/978-3-030-28954-6_10)
# - [Lapuschkin and others, 2019: Unmasking Clever Hans predictors](https://www.nature.com/articles/s41467-019-08987-4) · [Anders and others, 2021: zennit](https://arxiv.org/abs/2106.13200)
# - [Sundararajan and others, 2017: Axiomatic attribution](https://arxiv.org/abs/1703.01365)
