"""What lesson 14 uses beside the method: zennit and captum on the course's networks, two small networks.

For its companion 14b: horses with and without a caption, and a network that is trained further on them.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm
from zennit.rules import AlphaBeta, Epsilon, Flat, Gamma, Norm, Pass, ZBox, ZPlus

from course_utils.drawing.scenes import MARKED_CLASS, render
from course_utils.labs import load_lab
from course_utils.labs.networks import ResidualBlock
from course_utils.methods.arguments import check_maps

TINY = 1e-12  # a stabiliser that changes nothing in single precision
IN_ZENNIT = {  # zennit's rules for fully connected layers, convolutions and the first layer
    "ε and z⁺": (Epsilon(1e-6), ZPlus()),
    "ε, γ, zᴮ": (Epsilon(1e-6), Gamma(0.25), ZBox(-1.0, 1.0)),
    "ε, α2β1, flat": (Epsilon(1e-6), AlphaBeta(2.0, 1.0), Flat()),
}


def of_zennit(
    model: nn.Module,
    inputs: Tensor,
    target: Tensor,
    linear: object,
    convolution: object,
    first: object | None = None,
    *,
    sums: bool = True,
) -> Tensor:
    """zennit's LRP of the class score, shaped like `inputs`.

    Args:
        model: a network of the course, its batch norms merged into the layers before.
        inputs, target: as for `relevance`.
        linear, convolution, first: zennit's rules for fully connected layers, convolutions and the first one.
        sums: whether each residual sum becomes a layer that shares its relevance out (zennit's Sum).
    """
    from zennit.attribution import Gradient
    from zennit.canonizers import AttributeCanonizer
    from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite
    from zennit.layer import Sum
    from zennit.types import Activation, AvgPool, Convolution

    def with_sum(name: str, module: nn.Module) -> dict | None:
        if not isinstance(module, ResidualBlock):
            return None

        def forward(x: Tensor) -> Tensor:
            residual = module.bn2(module.conv2(module.relu1(module.bn1(module.conv1(x)))))
            return module.relu2(module.together(torch.stack([module.shortcut(x), residual], dim=-1)))

        return {"together": Sum(), "forward": forward}

    layers = [
        (Activation, Pass()), (AvgPool, Norm(TINY)), (Sum, Norm(TINY)),
        (Convolution, convolution), (nn.Linear, linear),
    ]  # fmt: skip
    canonizers = [AttributeCanonizer(with_sum)] if sums else []
    if first is None:
        composite = LayerMapComposite(layers, canonizers=canonizers)
    else:
        composite = SpecialFirstLayerMapComposite(layers, [(Convolution, first)], canonizers=canonizers)
    with torch.no_grad():
        scores = model(inputs)
    start = nn.functional.one_hot(target, scores.shape[1]) * scores
    with Gradient(model=model, composite=composite) as attributor:
        return attributor(inputs.clone(), start)[1].detach()


def of_captum(model: nn.Sequential, inputs: Tensor, target: Tensor) -> Tensor:
    """captum's LRP with its ε-rule (1e-9) in all layers."""
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import EpsilonRule

    with _rules(model, dict.fromkeys((nn.Conv2d, nn.Linear, nn.Flatten), EpsilonRule)):
        return LRP(model).attribute(inputs.clone().requires_grad_(), target=target).detach()


@contextmanager
def _rules(model: nn.Module, rules: dict):
    """captum looks for a module's rule in its attribute `rule`, and has none for nn.Flatten."""
    for module in model.modules():
        for kind, rule in rules.items():
            if isinstance(module, kind):
                module.rule = rule()
    try:
        yield
    finally:
        for module in model.modules():
            if hasattr(module, "rule"):
                del module.rule


def minimum_twice() -> dict[str, nn.Sequential]:
    """Two networks for min(x₁ + x₂, 1) on numbers ≥ 0: 1 − relu(1 − s) and relu(s) − relu(s − 1)."""

    def network(first: list, bias: list, second: list, last: float) -> nn.Sequential:
        built = nn.Sequential(nn.Linear(2, len(first)), nn.ReLU(), nn.Linear(len(first), 1))
        with torch.no_grad():
            built[0].weight.copy_(torch.tensor(first))
            built[0].bias.copy_(torch.tensor(bias))
            built[2].weight.copy_(torch.tensor([second]))
            built[2].bias.fill_(last)
        return built.eval()

    return {
        "1 − relu(1 − s)": network([[-1.0, -1.0]], [1.0], [-1.0], 1.0),
        "relu(s) − relu(s − 1)": network([[1.0, 1.0], [1.0, 1.0]], [0.0, -1.0], [1.0, -1.0], 0.0),
    }


def map_correlation(maps: Tensor) -> Tensor:
    """Pearson's correlation of the maps 0 and 1, 2 and 3, …: `(2 M, H, W)` to `(M,)`, 0 for a level map."""
    maps = check_maps(maps, name="maps")
    if len(maps) % 2:
        raise ValueError(f"maps must come in pairs, 0 and 1, 2 and 3, …, and these are {len(maps)}")
    rows = maps.flatten(1)
    rows = rows - rows.mean(dim=1, keepdim=True)
    rows = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return (rows[0::2] * rows[1::2]).sum(dim=1)


# --- 14b: horses with and without the caption ---------------------------------------------------------------


class Horses(NamedTuple):
    """Horses, some of which bear a caption. The order says nothing."""

    images: np.ndarray  # (n, 128, 128, 3) uint8, as the network gets them
    marked: np.ndarray  # (n,) bool: bears the caption
    marks: Tensor  # (n, 128, 128) bool: where the caption is, or would be
    others: np.ndarray  # like images: the same horses the other way round, with instead of without


def horses(n_marked: int, n_plain: int, seed: int) -> Horses:
    """New horses, as many with the caption and without it as asked for, shuffled."""
    if n_marked < 0 or n_plain < 0:
        raise ValueError(f"n_marked and n_plain are counts, 0 or more, not {n_marked} and {n_plain}")
    lab = load_lab("watermark", seed=seed, n=n_marked + n_plain)
    marked = np.random.default_rng(seed).permutation(np.arange(len(lab)) < n_marked)
    with_it, without = lab.images, lab.counterfactuals
    choice = marked[:, None, None, None]
    return Horses(
        np.where(choice, with_it, without), marked, lab.shortcut, np.where(choice, without, with_it)
    )


def others_with_caption(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures of the nine other classes: without the caption, the same with it, and their classes."""
    plain, captioned = (render("watermark", n, 10**9 * 4 + seed, shortcut=s) for s in ("planted", "swapped"))
    other = plain.targets != MARKED_CLASS
    return plain.images[other], captioned.images[other], plain.targets[other]


def trained_further(model: nn.Module, seed: int = 0, *, epochs: int = 3) -> nn.Module:
    """A copy of a watermark network, trained further on 450 pictures; half of 180 horses lack the caption.

    Only the last two blocks and the linear layer change, so what comes before is computed once. Takes 3 to 8
    seconds. Returns the copy in eval mode.
    """
    many, ours = load_lab("scenes", seed=5000 + seed, n=300), horses(90, 60, 5000 + seed)
    inputs = torch.cat([many.inputs, many.preprocess(ours.images)])  # 30 of the scenes are horses, too
    targets = torch.cat([many.targets, torch.full((150,), MARKED_CLASS)])
    network = copy.deepcopy(model).eval()
    with torch.no_grad():
        features = torch.cat(
            [network.layer2(network.layer1(network.stem(part))) for part in inputs.split(50)]
        )
    last = nn.Sequential(network.layer3, network.layer4, network.pool, network.flatten, network.fc)
    last.train().requires_grad_(True)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(last.parameters(), 1e-3, weight_decay=5e-4)
    for _ in tqdm(range(epochs), desc="training further", leave=False):
        for batch in torch.randperm(len(features), generator=generator).split(30):
            loss = nn.functional.cross_entropy(last(features[batch]), targets[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval().requires_grad_(False)


def share_of(model: nn.Module, images: np.ndarray, classes: object, preprocess: object) -> Tensor:
    """One where the network gives the class, 0 elsewhere: `(n,)` float."""
    with torch.no_grad():
        answers = torch.cat([model(part).argmax(dim=1) for part in preprocess(images).split(50)])
    return (answers == torch.as_tensor(classes)).float()


@contextmanager
def without_channels(layer: nn.Module, channels: object):
    """Inside, the layer puts out 0 in these channels."""
    index = np.asarray(channels)
    if index.ndim != 1 or (len(index) and (index.dtype.kind not in "iu" or index.min() < 0)):
        raise ValueError("channels are whole numbers, 0 or more, in one row, such as [0, 2]; no mask")
    index = torch.as_tensor(index.astype(np.int64))
    handle = layer.register_forward_hook(lambda module, args, output: output.index_fill(1, index, 0.0))
    try:
        yield
    finally:
        handle.remove()
