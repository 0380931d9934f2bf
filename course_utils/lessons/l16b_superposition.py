"""What companion 16b uses: planted directions, their score, rivals, an opened norm, states of a BERT."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA, FastICA, MiniBatchDictionaryLearning
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.labs.text import TextLab, read_texts
from course_utils.methods import sparse_coding
from course_utils.methods.arguments import check_count, check_number
from course_utils.teach import plots

FOUND = 0.95  # a direction counts as found from this cosine on
FEATURES = 5  # of the toy model


# --- five features in two numbers -------------------------------------------------------------------------


def rare_features(n: int, p: float, generator: torch.Generator) -> Tensor:
    """Rows of five features `(n, 5)`: each is on with probability p, its size then uniform from 0 to 1."""
    sizes = torch.rand(n, FEATURES, generator=generator)
    return sizes * (torch.rand(n, FEATURES, generator=generator) < p)


def train_toy(p: float, seed: int = 0, n_starts: int = 8, n_steps: int = 2000) -> tuple[Tensor, Tensor]:
    """The toy model of Elhage and others (2022): W `(2, 5)` and b `(5,)`, the best of several random starts.

    Feature i is written again as ReLU(WᵀWx + b); its squared error counts 0.9^i.

    Raises:
        ValueError: p is no probability above 0.
    """
    _check_probability(p)
    generator = torch.Generator().manual_seed(seed)
    W = (torch.randn(n_starts, 2, FEATURES, generator=generator) * 0.5).requires_grad_()
    b = torch.zeros(n_starts, 1, FEATURES, requires_grad=True)
    optimizer = torch.optim.Adam([W, b], fused=True)
    weight, late = 0.9 ** torch.arange(FEATURES), torch.zeros(n_starts)
    for step in range(n_steps):
        optimizer.param_groups[0]["lr"] = 0.01 * min(1.0, 2 * (1 - step / n_steps))
        x = rare_features(256, p, generator)
        loss = ((torch.relu(x @ W.transpose(1, 2) @ W + b) - x).pow(2) * weight).sum(dim=2).mean(dim=1)
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        if step >= 0.8 * n_steps:  # one batch is too few to tell starts apart
            late += loss.detach()
    best = int(late.argmin())
    return W[best].detach(), b[best, 0].detach()


def draw_plane(ax: Axes, W: Tensor, title: str) -> None:
    """The columns of W `(2, n)` as arrows in the plane."""
    for i, (x, y) in enumerate(W.T.tolist()):
        colour = plots.COLOURS[i % len(plots.COLOURS)]
        if np.hypot(x, y) > 0.3:  # the others are given up: no arrow
            ax.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.2})
            ax.text(1.22 * x, 1.22 * y, f"{i}", ha="center", va="center", color=colour, fontsize=11)
    ax.axhline(0, color=plots.BASELINE, linewidth=0.6)
    ax.axvline(0, color=plots.BASELINE, linewidth=0.6)
    ax.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), xticks=[-1, 0, 1], yticks=[-1, 0, 1], aspect="equal")
    ax.set_title(title)


# --- planted directions -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class World:
    """States that are sums of planted directions: `states = sizes @ directions`."""

    directions: Tensor  # (n, d), rows of length 1
    sizes: Tensor  # (N, n), 0 where a feature is off
    states: Tensor  # (N, d)


def planted(n: int = 32, d: int = 16, p: float = 0.1, n_states: int = 20_000, seed: int = 0) -> World:
    """Draw n random directions in d dimensions; each is on with probability p, its size then 0.5 to 1.5.

    Raises:
        ValueError: no whole number ≥ 1 of directions, dimensions or states; p is no probability above 0.
    """
    for value, name in ((n, "n"), (d, "d"), (n_states, "n_states")):
        check_count(value, name)
    _check_probability(p)
    generator = torch.Generator().manual_seed(seed)
    directions = F.normalize(torch.randn(n, d, generator=generator), dim=1)
    on = torch.rand(n_states, n, generator=generator) < p
    sizes = on * (torch.rand(n_states, n, generator=generator) + 0.5)
    return World(directions, sizes, sizes @ directions)


def at_right_angles(d: int = 16, p: float = 0.1, n_states: int = 20_000, seed: int = 0) -> World:
    """A world without superposition: as many directions as numbers, at right angles, turned at random."""
    sizes = planted(d, d, p, n_states, seed).sizes
    generator = torch.Generator().manual_seed(20_000 + seed)
    directions = torch.linalg.qr(torch.randn(d, d, generator=generator)).Q
    return World(directions, sizes, sizes @ directions)


def correlations(world: World) -> Tensor:
    """|correlation| of each number of the state with each planted feature, `(d, n)`."""
    d = world.states.shape[1]
    return torch.corrcoef(torch.cat([world.states, world.sizes], dim=1).T)[:d, d:].abs()


def _check_probability(p: float) -> None:
    if not 0 < check_number(p, "p") <= 1:
        raise ValueError(f"p is {p}: a probability above 0 and up to 1")


def score(world: World, autoencoder: sparse_coding.Autoencoder) -> dict[str, float]:
    """What an autoencoder has found and how well it rebuilds: found, cosine, true latents, FVU, L0, dead."""
    codes = sparse_coding.encode(autoencoder, world.states)
    on = (codes > 0).any(dim=0)
    cosines = sparse_coding.best_cosines(world.directions, autoencoder.decoder[on])
    true = sparse_coding.best_cosines(autoencoder.decoder[on], world.directions) > FOUND
    rebuilt = sparse_coding.decode(autoencoder, codes)
    return {
        "found": (cosines > FOUND).float().mean().item(),
        "cosine": cosines.mean().item(),
        "true latents": true.float().mean().item(),
        "FVU": sparse_coding.unexplained_variance(world.states, rebuilt),
        "L0": (codes > 0).float().sum(dim=1).mean().item(),
        "dead": (~on).sum().item(),
    }


def rivals(world: World, seed: int = 0) -> dict[str, Tensor]:
    """The directions of other methods, `(m, d)` each: dictionary learning, ICA, PCA, neurons, random."""
    rows, (n, d) = world.states.numpy(), world.directions.shape
    learner = MiniBatchDictionaryLearning(  # sizes never negative; a price that suits these worlds
        2 * n,
        alpha=0.4,
        batch_size=128,
        max_iter=1,
        fit_algorithm="cd",
        positive_code=True,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of single codes, by less than a millionth
        learner.fit(rows[:10_000])
    generator = torch.Generator().manual_seed(10_000 + seed)
    return {
        "dictionary learning (sklearn)": torch.from_numpy(learner.components_).float(),
        **ica_and_pca(world, seed),
        "the d numbers themselves": torch.eye(d),
        "random directions": torch.randn(2 * n, d, generator=generator),
    }


def ica_and_pca(world: World, seed: int = 0) -> dict[str, Tensor]:
    """The d directions of independent component analysis, and the d of PCA, `(d, d)` each."""
    rows, d = world.states.numpy(), world.states.shape[1]
    ica = FastICA(d, random_state=seed, whiten="unit-variance").fit(rows)
    return {
        "ICA (sklearn)": torch.from_numpy(ica.mixing_.T.copy()).float(),
        "PCA (sklearn)": torch.from_numpy(PCA(d).fit(rows).components_).float(),
    }


def draw_cosines(cosines: Tensor, title: str) -> Figure:
    """|cos| of planted directions (rows) and latents (columns), the columns sorted by their best row."""
    values = plots.to_array(cosines.abs())
    values = values[:, np.argsort(values.argmax(axis=0) - values.max(axis=0) / 2, kind="stable")]
    figure, ax = plt.subplots(figsize=(plots.WIDTH, 4.2))
    image = ax.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    figure.colorbar(image, ax=ax, label="|cos|", fraction=0.03, pad=0.01)
    ax.set(xlabel="latents, sorted", ylabel="planted directions")
    ax.set_title(title, loc="left")
    return figure


# --- a BERT -----------------------------------------------------------------------------------------------


@torch.no_grad()
def before_norm(lab: TextLab, texts: Sequence[str], layer: int) -> tuple[dict[str, Tensor], nn.LayerNorm]:
    """What is added up before the layer norm of one layer's attention, `(tokens, d)` each, and that norm.

    The parts are "stream" (what the layer reads), "head 0", …, and "bias".
    """
    tokens = lab.tokenize(list(texts))
    real = tokens["attention_mask"].bool()
    block, mixed = lab.model.encoder.layer[layer].attention, []
    handle = block.self.register_forward_hook(lambda _module, _inputs, output: mixed.append(output[0]))
    try:
        states = lab.model(**tokens, output_hidden_states=True).hidden_states
    finally:
        handle.remove()
    out, n_heads = block.output.dense, lab.model.config.num_attention_heads
    by_head = mixed[0][real].unflatten(1, (n_heads, -1))  # (tokens, heads, d_h)
    weight = out.weight.unflatten(1, (n_heads, -1))  # (d, heads, d_h)
    heads = torch.einsum("nhk,dhk->hnd", by_head, weight)
    parts = {"stream": states[layer][real]} | {f"head {h}": one for h, one in enumerate(heads)}
    return parts | {"bias": out.bias.expand_as(heads[0])}, block.output.LayerNorm


def review_texts(n: int) -> list[str]:
    """The first n short reviews of the text lab."""
    return [record["text"] for record in read_texts("reviews")[:n]]


@torch.no_grad()
def states_after(
    lab: TextLab, model: nn.Module, texts: Sequence[str], layer: int
) -> tuple[Tensor, Tensor, Tensor]:
    """States `(tokens, d)` after a layer, of mean square 16; token numbers; the text that each is of."""
    states, ids, owner = [], [], []
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(order), 50):
        rows = order[start : start + 50]
        tokens = lab.tokenize([texts[i] for i in rows])
        real = tokens["attention_mask"].bool()
        hidden = model.embeddings(tokens["input_ids"])
        hide = (1 - tokens["attention_mask"][:, None, None, :].float()) * -1e9
        for block in model.encoder.layer[:layer]:
            hidden = block(hidden, hide)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        states.append(hidden[real])
        ids.append(tokens["input_ids"][real])
        owner.append(torch.tensor(rows)[:, None].expand_as(real)[real])
    found = torch.cat(states)
    found = found - found.mean(dim=0)
    return found * 4 / found.pow(2).sum(dim=1).mean().sqrt(), torch.cat(ids), torch.cat(owner)


def random_twin(model: nn.Module, seed: int = 0) -> nn.Module:
    """A copy whose matrices are random, each with the spread of the trained one; norms and biases stay."""
    twin, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in twin.parameters():
            if weight.ndim == 2:
                weight.copy_(torch.randn(weight.shape, generator=generator) * weight.std().cpu())
    return twin


def shuffle_columns(states: Tensor, seed: int = 0) -> Tensor:
    """Each dimension shuffled alone: every number is real, and nothing fits together any more."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([column[torch.randperm(len(column), generator=generator)] for column in states.T], 1)


def judge_without_truth(
    states: Tensor,
    ids: Tensor,
    half: Tensor,
    n_latents: int = 256,
    k: int = 8,
    n_steps: int = 400,
    again: bool = False,
) -> dict[str, float]:
    """Train on each half of the texts; what can be said where no direction is known.

    Args:
        states: `(N, d)`. ids: `(N,)` token numbers. half: `(N,)` bool.
        again: train a third one on the first half, from another start.

    Returns:
        "FVU" of the first one on the other half; "one word", the share of its latents (on for at least 20
        tokens) of whose 20 strongest tokens 18 are the same; "different words", how many words these have;
        "found again", the share of its latents that the second one has, too, with a cosine above 0.9; with
        `again` also "in the same half", the share of them that the third one has.
    """
    options = {"k": k, "n_steps": n_steps, "learning_rate": 0.003}
    one, two = (
        sparse_coding.train_autoencoder(states[part], n_latents, seed=i, **options)
        for i, part in enumerate((half, ~half))
    )
    codes, other = sparse_coding.encode(one, states[~half]), sparse_coding.encode(two, states[~half])
    rebuilt = sparse_coding.decode(one, codes)
    often = (codes > 0).sum(dim=0) >= 20
    strongest = ids[~half][codes[:, often].topk(20, dim=0).indices]  # (20, latents)
    word = strongest.mode(dim=0).values
    same = (strongest == word).float().mean(dim=0)
    found = sparse_coding.best_cosines(one.decoder[often], two.decoder[(other > 0).any(dim=0)])
    result = {
        "FVU": sparse_coding.unexplained_variance(states[~half], rebuilt),
        "one word": (same >= 0.9).float().mean().item(),
        "different words": len(word[same >= 0.9].unique()),
        "found again": (found > 0.9).float().mean().item(),
    }
    if again:
        three = sparse_coding.train_autoencoder(states[half], n_latents, seed=2, **options)
        on = (sparse_coding.encode(three, states[half]) > 0).any(dim=0)
        found = sparse_coding.best_cosines(one.decoder[often], three.decoder[on])
        result["in the same half"] = (found > 0.9).float().mean().item()
    return result


def draw_off(off: Mapping[str, Sequence[float]], title: str) -> Figure:
    """For each layer how far the frozen norm's prediction is off: heads as dots, larger parts as lines."""
    figure, ax = plt.subplots(figsize=(8, 3.2))
    for layer, values in enumerate(np.array(off["one head"])):
        ax.plot(np.full(len(values), layer), values, "o", color=plots.BASELINE, markersize=5,
                label="one head" if layer == 0 else None)  # fmt: skip
    for name, mark, colour in (("all heads", "s", plots.COLOURS[1]), ("stream", "D", plots.COLOURS[0])):
        ax.plot(range(len(off[name])), off[name], mark + "-", color=colour, linewidth=1, label=name)
    ax.set(xlabel="layer", ylabel="relative error", ylim=(0, None), xticks=range(len(off["stream"])))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    ax.set_title(title, loc="left")
    return figure


def shrinkage(world: World, autoencoder: sparse_coding.Autoencoder) -> float:
    """Where one feature is on alone: its size in the rebuilt state minus its true size, on average."""
    rebuilt = sparse_coding.decode(autoencoder, sparse_coding.encode(autoencoder, world.states))
    row, feature = ((world.sizes > 0) & ((world.sizes > 0).sum(dim=1, keepdim=True) == 1)).nonzero().T
    sizes = (rebuilt[row] * world.directions[feature]).sum(dim=1)
    return (sizes - world.sizes[row, feature]).mean().item()


def frozen(part: Tensor, state: Tensor, norm: nn.LayerNorm) -> Tensor:
    """A part's share `(N, d)` of `norm(state)`, if the norm keeps dividing by the size of the whole state."""
    size = (state.var(dim=1, unbiased=False, keepdim=True) + norm.eps).sqrt()
    return (part - part.mean(dim=1, keepdim=True)) / size * norm.weight


@torch.no_grad()
def off_by_the_norm(parts: Mapping[str, Tensor], norm: nn.LayerNorm) -> dict[str, float | list[float]]:
    """How far the frozen norm is off when a part is silenced: |predicted − real| / |real|, mean over tokens.

    Also "sum", the largest difference of the sum of all shares to the norm's output.
    """
    state = sum(parts.values())
    whole = norm(state)
    heads = [part for name, part in parts.items() if name.startswith("head")]

    def off(part: Tensor) -> float:
        real = whole - norm(state - part)
        gap = frozen(part, state, norm) - real
        return (gap.norm(dim=1) / real.norm(dim=1)).mean().item()

    total = sum(frozen(part, state, norm) for part in parts.values()) + norm.bias
    return {
        "sum": (total - whole).abs().max().item(),
        "one head": [off(head) for head in heads],
        "all heads": off(sum(heads)),
        "stream": off(parts["stream"]),
    }
