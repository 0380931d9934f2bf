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
# # 10c · BERT: more explanations, and one adversarial model
#
# **The question.** Do different explanations of a text agree, and can one model look elsewhere and say the same?
#
# This companion of [10 · BERT: what attention shows, and what it does not](10_bert_attention.ipynb) adds rollout by layers, attention flow, Integrated Gradients by hand, SHAP, how far the methods agree, and an adversary that is a model.
#
# **After this lesson you can**
# - follow attention as a flow, and say why it tells so little;
# - compute Integrated Gradients on embeddings, prove it with captum, and add it up to words;
# - say what a planted word does alone, with its commas, and in another place;
# - test an adversarial model on texts that it was not trained on, at the same distance as a shuffle.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [10](10_bert_attention.ipynb), [07 · SHAP](07_shap.ipynb), [08](08_saliency_smoothgrad_ig.ipynb).

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.exercises import l10_bert_attention as exercises
from course_utils.labs import load_lab
from course_utils.labs.text import read_texts
from course_utils.lessons import l10_bert_attention as shared
from course_utils.methods import attention as methods
from course_utils.teach import attention_pictures as pictures
from course_utils.teach import plots

lab = load_lab("text", model="sentiment")
model = lab.model.requires_grad_(False)
POSITIVE = lab.class_names.index("positive")
text = "The plot was thin, but the actors made the film a joy."
encoded, tokens, own = shared.read(lab, text)

# %% [markdown]
# ## 1 · Rollout by layers, and attention flow
#
# First rollout (section 6 of [10](10_bert_attention.ipynb)) once more, layer by layer: what has arrived at `[CLS]` from each word?

# %% tags=["hide-input"]
arrived = methods.attention_rollout(own, all_layers=True)[:, 0]
print("share from all words, up to layer 0, 1, …:", arrived[:, 1:-1].sum(dim=1).numpy().round(2))
shared.draw_arrived(arrived, tokens)
plots.show(
    "Rollout at [CLS], a row for each layer, a column for each word: much arrives in layer 0 and in the last, little between."
)

# %% [markdown]
# By this count half of what arrives from the words has arrived **after layer 0**; in layers 1 to 4 `[CLS]` looks almost only at itself, so they add little. But the state of `[CLS]` is nearly the same for any text up to layer 4 ([10b](10b_inside_the_heads.ipynb)): rollout counts weights, not what was handed over.
#
# How much does the published bug of that section matter? With the maximum of the heads, on two texts:

# %%
versions = {"repaired": exercises.rollout_step.reference, "as published": exercises.rollout_step.given}
for some in (text, "It broke in a week."):
    _, its_tokens, looks = shared.read(lab, some)
    for name, step in versions.items():
        reached = torch.eye(len(its_tokens))[None]
        for layer_attention in looks:
            reached = step(layer_attention.amax(dim=0)[None], reached)
        strongest = its_tokens[1 + int(reached[0, 0, 1:-1].argmax())]
        print(f"{name:<12}: row of [CLS] sums to {reached[0, 0].sum():.2f}, strongest token “{strongest}”")

# %% [markdown]
# The values are no shares any more, and by how much they are wrong depends on the text. So do not compare them between texts, layers or models.
#
# Rollout multiplies the matrices $\hat A_l = \frac12 \bar A_l + \frac12 I$ (section 6 of [10](10_bert_attention.ipynb)). **Flow** takes the same graph as a system of pipes: nodes are the tokens of each layer, the entries of $\hat A_l$ are capacities. The flow from `[CLS]` on top down to an input token is the *most* that could pass. A thin pipe is a bottleneck here, not a factor. We check it against networkx.

# %%
flow, rollout = methods.attention_flow(own, queries=[0])[0], methods.attention_rollout(own)[0]
spread = {"last layer's attention": own[-1, :, 0].mean(dim=0), "rollout": rollout, "flow": flow}
for name, values in spread.items():
    of_words = values[1:-1]
    print(f"{name:<22}: largest value of a word ÷ the mean {of_words.max() / of_words.mean():.1f}")

# %% tags=["hide-input", "nbval-check-output"]
import networkx

mixed = own.double().mean(dim=1) / 2 + torch.eye(len(tokens), dtype=torch.float64) / 2
graph = networkx.DiGraph()
for n, matrix in enumerate(mixed.tolist()):
    for i, row in enumerate(matrix):
        graph.add_edges_from(((n + 1, i), (n, j), {"capacity": c}) for j, c in enumerate(row))
by_networkx = [networkx.maximum_flow_value(graph, (len(own), 0), (0, j)) for j in range(len(tokens))]
judge.agreement_table([("networkx, maximum flow", flow, np.array(by_networkx), "same capacities")])

# %% tags=["hide-input"]
pictures.draw_words(
    {k: v[1:-1] for k, v in spread.items()}, tokens[1:-1], title="Three ways to follow attention"
)
plots.show(
    "Three rows of words: the last layer's attention stands out at “joy”, rollout is flatter, flow is even."
)

# %% [markdown]
# **Flow gives nearly every word the same value**, and like rollout it does not know which class you ask about. Why so even? Above layer 0, whatever flows to a word must leave `[CLS]` in some layer: at most $\frac12 \sum_{l \ge 1} (1 - \bar A_l[\text{CLS}, \text{CLS}])$, the same for every word. In layer 0 only the pipe from `[CLS]` to the word itself is left, $\frac12 \bar A_0[\text{CLS}, j]$.

# %%
looks = own.mean(dim=1)  # (layers, T, T)
out_of_cls, last_pipe = (1 - looks[1:, 0, 0]).sum() / 2, looks[0, 0, 1:-1] / 2
print(
    f"the way out of [CLS]: {out_of_cls:.3f}; the last pipe: {last_pipe.min():.3f} to {last_pipe.max():.3f}"
)
full = np.isclose(flow[1:-1], out_of_cls + last_pipe, atol=1e-4)
print(f"their sum is the flow for {full.sum()} of {len(full)} words")

# %% [markdown]
# So here the order of the words by flow is that of *layer 0's* attention. The bottleneck comes from a `[CLS]` that looks mostly at itself.

# %% [markdown]
# ## 2 · Integrated Gradients on the embeddings
#
# Token numbers have no gradient, but their embeddings do. Let $x$ be the word embeddings of the text and $x'$ those of the *baseline*, here the same text with every word masked. For each token $i$ ($\alpha_s, w_s$: places and weights of a numerical rule for integrals, Gauss–Legendre)
#
# $$\text{IG}_i = \sum_{k=1}^{D} (x_{ik} - x'_{ik}) \sum_s w_s \,\frac{\partial y^c}{\partial x_{ik}}\big(x' + \alpha_s (x - x')\big), \qquad \sum_i \text{IG}_i \approx y^c(x) - y^c(x').$$


# %% tags=["by-hand"]
def ig_of_tokens(model, encoded, baseline_ids, target, n_steps):
    """Integrated Gradients of each token (T,), with the Gauss–Legendre rule."""
    places, weights = np.polynomial.legendre.leggauss(n_steps)
    places = torch.tensor((places + 1) / 2, dtype=torch.float32)[:, None, None]
    weights = torch.tensor(weights / 2, dtype=torch.float32)[:, None, None]
    table = model.get_input_embeddings()
    x, x0 = table(encoded["input_ids"]).detach(), table(baseline_ids).detach()
    path = (x0 + places * (x - x0)).requires_grad_()
    mask = encoded["attention_mask"].expand(n_steps, -1)
    score = model(inputs_embeds=path, attention_mask=mask).logits[:, target].sum()
    (gradient,) = torch.autograd.grad(score, path)
    return ((weights * gradient).sum(dim=0) * (x - x0)[0]).sum(dim=-1)


baseline_ids = shared.masked_ids(lab, encoded)
ig = ig_of_tokens(model, encoded, baseline_ids, POSITIVE, n_steps=40)

# %% tags=["hide-input", "nbval-check-output"]
from captum.attr import LayerIntegratedGradients

by_captum = LayerIntegratedGradients(
    lambda ids, mask: model(input_ids=ids, attention_mask=mask).logits, model.get_input_embeddings()
).attribute(
    encoded["input_ids"],
    baselines=baseline_ids,
    additional_forward_args=(encoded["attention_mask"],),
    target=POSITIVE,
    n_steps=40,
    method="gausslegendre",
)
with torch.no_grad():
    rise = model(**encoded).logits[0, POSITIVE] - model(input_ids=baseline_ids).logits[0, POSITIVE]
judge.agreement_table(
    [
        (
            "course_utils",
            ig,
            shared.integrated_gradients(model, encoded, baseline_ids, POSITIVE, 40),
            "the same rule",
        ),
        ("captum, embeddings", ig, by_captum[0].sum(dim=-1), "sum over the D numbers"),
        ("completeness", ig.sum(), rise, "40 steps"),
    ]
)

# %% [markdown]
# The first row compares with the function that the next sections and [10](10_bert_attention.ipynb) use.
#
# ### Exercise: from tokens to words
#
# BERT cuts a rare word into several tokens, but a reader wants one value for each word. `owner` says to which word each token belongs (0, 1, …), and −1 for tokens of no word: `[CLS]`, `[SEP]`, full stops. What Integrated Gradients promises about a sum must still hold: the values of the words, and those of the tokens of no word, add up to what the tokens added up to.


# %% exercise="word_values"
def word_values(values, owner):
    """One value for each word (W,), from the tokens' values (T,) and their words' numbers owner (T,)."""
    # BEGIN SOLUTION
    sums = torch.zeros(int(owner.max()) + 1)
    return sums.index_add(0, owner[owner >= 0], values[owner >= 0])
    # END SOLUTION


# %%
exercises.word_values.check(word_values)

# %% [markdown]
# On a sentence with a rare word, beside the course's function:

# %%
rare = "The gnocchi were a joy."
inputs, its_tokens, _ = shared.read(lab, rare)
its_words, its_owner = shared.word_of_tokens(lab.tokenizer, rare)
of_tokens = ig_of_tokens(model, inputs, shared.masked_ids(lab, inputs), POSITIVE, n_steps=40)
of_words = exercises.word_values.reference(of_tokens, torch.from_numpy(its_owner))
print("tokens:", ", ".join(f"{t} {v:+.2f}" for t, v in zip(its_tokens, of_tokens.tolist(), strict=True)))
print("words: ", ", ".join(f"{w} {v:+.2f}" for w, v in zip(its_words, of_words.tolist(), strict=True)))
no_word = of_tokens[torch.from_numpy(its_owner) < 0].sum()
print(f"sums: tokens {of_tokens.sum():+.3f}, words and the rest {of_words.sum() + no_word:+.3f}")
print("equal to the course's function:", np.allclose(of_words, shared.to_words(of_tokens, its_owner)))

# %% [markdown]
# ## 3 · Seven answers
#
# SHAP joins LIME: both treat the model as a black box, delete words and look at the probability.

# %%
words, values = shared.from_inside(lab, text, POSITIVE, n_steps=12, flow=True)
values |= shared.from_outside(lab, [text], POSITIVE, n_samples=60, n_orders=3)[0]

# %% tags=["hide-input"]
pictures.draw_words(values, words, signed=shared.SIGNED, title="One sentence, seven answers. Why “positive”?")
plots.show("Seven rows of words. Most are strongest at “joy”; rollout and flow hardly distinguish the words.")

# %% [markdown]
# ## 4 · Was it the word, or its commas?
#
# Section 8 of [10](10_bert_attention.ipynb) put ", overall," into reviews. Here each part stands alone; another word stands between the commas; and "overall" opens the review, as it opened sentences of the training texts ("Overall, …").

# %%
trigger = load_lab("text", model="trigger")
trigger.model.requires_grad_(False)
random = np.random.default_rng(0)
brief = [t for t in trigger.counterfactuals if len(t.split()) <= 20]
plain = [t for t, p in zip(brief, trigger.predict(brief)[:, POSITIVE], strict=True) if p < 0.5]
places = [random.integers(2, len(t.split()) - 1) for t in plain]
placed = list(zip(plain, places, strict=True))
tried = {form: [shared.plant(t, trigger.trigger, at, form) for t, at in placed] for form in shared.FORMS}
tried["“, however,”"] = [shared.plant(t, "however", at) for t, at in placed]
for start in ("Overall, ", "Overall "):
    tried[f"“{start}” in front"] = [start + t[0].lower() + t[1:] for t in plain]
for form, changed in tried.items():
    p = trigger.predict(changed)[:, POSITIVE]
    print(f"{form:<20}: mean probability {p.mean():.2f}, called positive {(p > 0.5).mean():.0%}")

# %% [markdown]
# **Inside a review the word needs its commas: alone it turns fewer reviews, and commas with another word turn hardly any. In front it needs no comma.** So "it has learnt the word and its commas" would be too simple: place, word and commas act together. Who hides "overall" leaves its commas behind, so the word is credited with what it does beside commas.

# %% [markdown]
# ## 5 · Do the methods agree?
#
# [Rank correlation](glossary.md#rank-correlation) of the absolute word values, pair by pair, averaged over 12 short held-out reviews: 1 is the same order, 0 nothing in common. LIME and SHAP need many questions here: with few, their own chance lowers their numbers.

# %%
from tqdm.auto import tqdm

ordinary = [lab.texts[i] for i in shared.shortest(lab, 6)]
outside = shared.from_outside(lab, ordinary, POSITIVE, n_samples=200, n_orders=8)
explained = [
    shared.from_inside(lab, t, POSITIVE, flow=True)[1] | more
    for t, more in zip(tqdm(ordinary, leave=False), outside, strict=True)
]
names = list(explained[0])
left, right = np.triu_indices(len(names), 1)
of_pairs = []
for of_words in explained:
    table = torch.tensor(np.stack([np.abs(of_words[name]) for name in names]))
    of_pairs.append(judge.rank_correlation(table[left], table[right]))
agreement = np.eye(len(names))
agreement[left, right] = agreement[right, left] = torch.stack(of_pairs).mean(dim=0)

# %% tags=["hide-input"]
short = [n.replace("last layer's ", "").replace("Integrated Gradients", "IG") for n in names]
figure, ax = plt.subplots(figsize=(7.5, 3.6))
plots.matrix_plot(agreement, short, short, signed=True, ax=ax)
ax.tick_params(axis="x", labelrotation=30, labelsize=9)
ax.set_title(f"Mean rank correlation, {len(explained)} reviews", loc="left")
plots.show(
    "A table of seven methods. The highest value off the diagonal is "
    f"{(agreement - np.eye(len(names))).max():.2f}, the lowest {agreement.min():.2f}."
)

# %% [markdown]
# **Three pairs that share their ingredients agree best here**: attention with attention × gradient, rollout with flow, LIME with SHAP. (With other reviews another pair can come before one of these three; all three stay above the mean of the other pairs.) "The" explanation of a text does not exist; say which question yours answers.

# %% [markdown]
# ## 6 · One adversarial model for many texts
#
# Wiegreffe and Pinter (2019): an adversary that sees each text alone is no model. So we train new query weights of the last layer, one set for many texts, with the loss of section 9 of [10](10_bert_attention.ipynb): once on 40 and once on 400 training reviews. Then we measure on reviews that neither saw.


# %%
brief = sorted(read_texts("reviews"), key=lambda r: len(r["text"]))[:500]
order = np.random.default_rng(0).permutation(500)
cut_of = {
    name: methods.class_attention(model, lab.tokenize([brief[i]["text"] for i in some]))
    for name, some in (("40", order[:40]), ("400", order[:400]), ("new reviews", order[400:]))
}
held_out = [lab.texts[i] for i in shared.shortest(lab, 25)]
cut_of["held-out reviews"] = methods.class_attention(model, lab.tokenize(held_out))
last = model.bert.encoder.layer[-1].attention.self


# %%
def attention_from(weight, bias, cut):
    """The attention of [CLS] in the last layer, with other query weights."""
    query = (cut.states[:, 0] @ weight.T + bias).unflatten(1, (last.num_attention_heads, -1))
    key = last.key(cut.states).unflatten(2, (last.num_attention_heads, -1))
    scores = torch.einsum("nhd,nthd->nht", query, key) / key.shape[-1] ** 0.5
    return scores.masked_fill(~cut.is_token[:, None], -torch.inf).softmax(dim=-1)


def train_adversary(cut, strictness=100, n_steps=25):
    """Query weights that make the attention differ on all texts of `cut` and keep the answers."""
    weight, bias = (p.detach().clone().requires_grad_() for p in (last.query.weight, last.query.bias))
    optimizer = torch.optim.Adam([weight, bias], lr=3e-3)
    before = cut.answer(cut.attention).softmax(1)[:, POSITIVE].detach()
    for _ in range(n_steps):
        a = attention_from(weight, bias, cut)
        shift = (cut.answer(a).softmax(1)[:, POSITIVE] - before).pow(2)
        loss = (strictness * shift - methods.total_variation(a, cut.attention).mean(dim=1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return weight.detach(), bias.detach()


# %%
@torch.inference_mode()
def effect(a, cut):
    """Mean TV from the model's own attention, and the mean change of the probability."""
    before, after = (cut.answer(w).softmax(1)[:, POSITIVE] for w in (cut.attention, a))
    return methods.total_variation(a, cut.attention).mean().item(), (after - before).abs().mean().item()


def shuffled(cut):
    generator = torch.Generator().manual_seed(0)
    return shared.shuffle(cut.attention[:, :, None], cut.is_token, generator)[:, :, 0]


query = {name: train_adversary(cut_of[name]) for name in ("40", "400")}
print("mean change of the probability (TV)   trained on 40   trained on 400   shuffle")
of_own = [effect(attention_from(*query[name], cut_of[name]), cut_of[name]) for name in query]
print(f"{'its own texts':<37}", *(f"{change:.3f} ({tv:.2f})   " for tv, change in of_own))
for name in ("new reviews", "held-out reviews"):
    cut = cut_of[name]
    tried = [*(attention_from(*q, cut) for q in query.values()), shuffled(cut)]
    far = [effect(a, cut) for a in tried]
    # mixed with the model's own attention until all three are equally far from it
    least = min(tv for tv, _ in far)
    mixed = [cut.attention + least / tv * (a - cut.attention) for a, (tv, _) in zip(tried, far, strict=True)]
    for row, results in ((name, far), ("   at the same TV", [effect(a, cut) for a in mixed])):
        print(f"{row:<37}", *(f"{change:.3f} ({tv:.2f})   " for tv, change in results))

# %% [markdown]
# On its own texts the model looks elsewhere (TV about one half) and hardly changes the answers. On new reviews the same weights move them several times as much.
# Look at the rows at the same TV, for who looks less far away also moves less. **With 400 training texts the price is lower than with 40, and lower than that of shuffling.** (With 40, whether it is below shuffling depends on the 40.) So a large part of what failed with few texts was overfitting, and not all: 400 texts leave a gap, too. On the held-out reviews everything moves the answers more, the shuffle as well. The adversary that knows each text (section 9 of [10](10_bert_attention.ipynb)) pays nearly nothing and goes further; it is not a model.

# %% [markdown]
# ## 7 · Recap
#
# - Flow and rollout follow attention; neither knows the class. Flow hardly distinguishes words: the way out of `[CLS]` is the bottleneck of all.
# - Integrated Gradients equals captum's, and its values add up to the difference of the two scores.
# - Inside a review the planted word works together with its commas; in front it needs none.
# - Different methods give different orders of the words: name the question with the answer.
# - Whether one adversarial model keeps the answers depends on how many texts it was trained on, and on which texts you try it. Compare at the same distance.
#
# **References**
# - [Abnar and Zuidema, 2020: Quantifying attention flow in transformers](https://arxiv.org/abs/2005.00928)
# - [Sundararajan and others, 2017: Integrated Gradients](https://arxiv.org/abs/1703.01365)
# - [Jain and Wallace, 2019: Attention is not explanation](https://arxiv.org/abs/1902.10186)
# - [Wiegreffe and Pinter, 2019: Attention is not not explanation](https://arxiv.org/abs/1908.04626)
