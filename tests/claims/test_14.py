"""What lesson 14 claims about LRP, measured on scenes that it never shows."""

import torch
from replication import claim
from torch import nn
from torch.func import functional_call

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.lessons import l14_lrp as lesson
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import input_x_gradient, integrated_gradients
from course_utils.methods.relevance import (
    EPSILON,
    EPSILON_PLUS,
    Rules,
    epsilon,
    fold_batch_norms,
    relevance,
    z_plus,
)


def asked(seed: int, model: str = "zfnet", n: int = 16):
    """Fresh scenes with two objects, a question for each object: lab, inputs, classes, masks."""
    lab = load_lab("scenes", seed=seed, n=n, n_objects=2, model=model)
    return lab, *lab.questions()


def maps_of(lab, inputs, classes, rules):
    return relevance(lab.model, inputs, classes, rules).sum(dim=1)


@claim(
    "§3",
    "With ε everywhere most of a logit stays with the biases; with z⁺ in the convolutions more of it reaches the pixels; if biases "
    "get nothing, all of it.",
    shown="medians 0.22, 0.60, 1.00",
    holds=lambda v: (
        v["ε"].max() < 0.5 and (v["ε and z⁺"] > v["ε"]).all() and abs(v["without biases"] - 1).max() < 0.01
    ),
)
def test_what_the_biases_keep(seed):
    lab, inputs, classes, _ = asked(seed)
    logits = lab.model(inputs).gather(1, classes[:, None])[:, 0].detach()

    def left(rules, **options):
        total = relevance(lab.model, inputs, classes, rules, **options).sum(dim=(1, 2, 3))
        return (total / logits).median().item()

    return {
        "ε": left(EPSILON),
        "ε and z⁺": left(EPSILON_PLUS),
        "without biases": left(EPSILON_PLUS, biases=False),
    }


@claim(
    "§7",
    "With z⁺ everywhere the maps of two classes are nearly the same; with ε in the linear layers they are hardly correlated.",
    shown="correlations of ZF-Net: −0.3, −0.3, +0.9",
    holds=lambda v: (
        v["z⁺ everywhere"].min() > 0.7
        and v["ε"].mean() < 0.1
        and v["ε and z⁺"].mean() < 0.1
        and (v["z⁺ everywhere"] - v["ε"]).min() > 0.5
        and (v["z⁺ everywhere"] - v["ε and z⁺"]).min() > 0.5
    ),
)
def test_z_plus_everywhere_does_not_ask_for_the_class(seed):
    lab, inputs, classes, _ = asked(seed)
    rules = {"ε": EPSILON, "ε and z⁺": EPSILON_PLUS, "z⁺ everywhere": z_plus()}
    return {
        name: lesson.map_correlation(maps_of(lab, inputs, classes, rule)).mean().item()
        for name, rule in rules.items()
    }


def _beside_grad_cam(lab, inputs, classes, truth):
    ours = maps_of(lab, inputs, classes, EPSILON_PLUS).clamp(min=0)
    coarse = upsample(grad_cam(lab.model, inputs, classes, lab.layer), truth.shape[-2:])
    hits = [judge.pointing_game(m, truth, tolerance=5).float() for m in (ours, coarse)]
    energy = [judge.energy_in_mask(m, truth) for m in (ours, coarse)]
    return judge.paired(*hits).mean, judge.paired(*energy).mean


@claim(
    "§7",
    "ε and z⁺ points about as well as Grad-CAM and has far more of its map on the object, on both networks.",
    shown="pointing 0.95 and 0.93, energy 0.55 and 0.31",
    holds=lambda v: (
        abs(v["ZF-Net, pointing"].mean()) < 0.06
        and abs(v["ResNet, pointing"].mean()) < 0.06
        and v["ZF-Net, energy"].min() > 0.15
        and v["ResNet, energy"].min() > 0.25
    ),
)
def test_as_right_as_grad_cam_and_more_concentrated(seed):
    found = {}
    for name, model in (("ZF-Net", "zfnet"), ("ResNet", "resnet")):
        found[f"{name}, pointing"], found[f"{name}, energy"] = _beside_grad_cam(*asked(seed, model))
    return found


@claim(
    "§7",
    "z⁺ in the linear layers alone makes the two maps alike.",
    shown="+0.96",
    holds=lambda v: v.min() > 0.7,
)
def test_the_linear_layers_make_the_maps_alike(seed):
    lab, inputs, classes, _ = asked(seed)
    maps = maps_of(lab, inputs, classes, Rules(linear=z_plus(), convolution=epsilon()))
    return lesson.map_correlation(maps).mean().item()


@claim(
    "§7",
    "ε and z⁺ has more energy on the object than ε everywhere, z⁺ everywhere and Integrated Gradients. It points better "
    "than its two parts; who points better, it or Integrated Gradients, changes from set to set.",
    shown="figure",
    holds=lambda v: (
        all((gaps > 0).all() for name, gaps in v.items() if name != "pointing − IG")
        and v["pointing − IG"].min() < 0 < v["pointing − IG"].max()
    ),
)
def test_the_composite_is_ahead_of_its_parts(seed):
    lab, inputs, classes, truth = asked(seed)
    maps = {
        "ours": maps_of(lab, inputs, classes, EPSILON_PLUS),
        "ε": maps_of(lab, inputs, classes, EPSILON),
        "z⁺": maps_of(lab, inputs, classes, z_plus()),
        "IG": integrated_gradients(lab.model, inputs, classes, n_steps=20).sum(dim=1),
    }
    energy = {name: judge.energy_in_mask(m.clamp(min=0), truth) for name, m in maps.items()}
    hits = {name: judge.pointing_game(m.clamp(min=0), truth, tolerance=5).float() for name, m in maps.items()}
    gaps = {f"energy − {k}": judge.paired(energy["ours"], energy[k]).mean for k in ("ε", "z⁺", "IG")}
    return gaps | {f"pointing − {k}": judge.paired(hits["ours"], hits[k]).mean for k in ("ε", "z⁺", "IG")}


@claim(
    "§1, §10",
    "Without a layer for its four residual sums the ResNet's relevance adds up to sixteen times the score; with it, to the score.",
    shown="15.97 and 1.00",
    holds=lambda v: abs(v["without"] - 16).max() < 0.3 and abs(v["with"] - 1).max() < 0.03,
)
def test_sixteen_times_the_score(seed):
    from zennit.rules import Epsilon, ZPlus

    lab, inputs, classes, _ = asked(seed, "resnet", n=4)
    model = fold_batch_norms(lab.model, inputs)
    scores = model(inputs).gather(1, classes[:, None])[:, 0].detach()
    rules = [make(zero_params=["bias"]) for make in (Epsilon, ZPlus)]
    return {
        name: (lesson.of_zennit(model, inputs, classes, *rules, sums=sums).sum(dim=(1, 2, 3)) / scores)
        .median()
        .item()
        for name, sums in (("with", True), ("without", False))
    }


@claim(
    "§10",
    "The larger ε, the less the map is like that of LRP-0; a moderate ε brings it onto the object.",
    shown="printed there",
    holds=lambda v: (
        (v["0.01"] > v["0.25"]).all()
        and (v["0.25"] > v["5"]).all()
        and (v["energy gained by 0.25"] > 0).all()
    ),
)
def test_epsilon_is_a_parameter(seed):
    lab, inputs, classes, truth = asked(seed, n=10)
    limit = maps_of(lab, inputs, classes, Rules(epsilon(1e-9), epsilon(1e-9)))
    found = {}
    for size in (0.01, 0.25, 5.0):
        values = maps_of(lab, inputs, classes, epsilon(size))
        together = torch.stack([limit, values], dim=1).flatten(0, 1)
        found[f"{size:g}"] = lesson.map_correlation(together).mean().item()
        if size == 0.25:
            gain = judge.energy_in_mask(values.clamp(min=0), truth)
            gain = gain - judge.energy_in_mask(limit.clamp(min=0), truth)
            found["energy gained by 0.25"] = gain.mean().item()
    return found


@claim(
    "§10",
    "ε = 5 everywhere has nearly as much of its map on the object as ε and z⁺, and points worse.",
    shown="energy 0.55 and 0.55",
    holds=lambda v: abs(v["energy"]).max() < 0.08 and v["pointing"].max() < -0.05,
)
def test_a_large_epsilon_rivals_the_composite_in_energy(seed):
    lab, inputs, classes, truth = asked(seed)
    large, ours = (
        maps_of(lab, inputs, classes, rules).clamp(min=0) for rules in (epsilon(5.0), EPSILON_PLUS)
    )
    hits = [judge.pointing_game(m, truth, tolerance=5).float() for m in (large, ours)]
    return {
        "energy": judge.paired(*(judge.energy_in_mask(m, truth) for m in (large, ours))).mean,
        "pointing": judge.paired(*hits).mean,
    }


@claim(
    "§8",
    "On photographs about a twentieth of the score arrives; all the rest ends at outputs of single-channel filters that "
    "no input helps.",
    shown="0.44 of 9.1, 0.33 of 6.5",
    holds=lambda v: v["arrived"].max() < 0.15 and abs(v["arrived"] + v["stopped"] - 1).max() < 0.01,
)
def test_where_the_relevance_of_photographs_ends(seed):
    lab = load_lab("photos", pairs=True)
    pictures, classes, _ = (values[seed % 100 + 3, None] for values in lab.questions())  # not the first four
    network = fold_batch_norms(lab.model, pictures)
    score = network(pictures)[0, classes].item()

    def left(layer=None):
        return relevance(network, pictures, classes, EPSILON_PLUS, biases=False, layer=layer)

    stopped = 0.0
    for layer in (m for m in network.modules() if isinstance(m, nn.Conv2d) and m.groups > 1):
        seen = []
        hook = layer.register_forward_hook(lambda module, args, output, seen=seen: seen.append(args[0]))
        with torch.no_grad():
            network(pictures)
            hook.remove()
            a, w = seen[0], layer.weight
            helped = sum(
                functional_call(layer, {"weight": w.clamp(*s), "bias": 0 * layer.bias}, (a.clamp(*s),))
                for s in ((0, None), (None, 0))
            )
        stopped += left(layer)[helped <= 0].sum().item()
    return {"arrived": left().sum().item() / score, "stopped": stopped / score}


@claim(
    "§4",
    "Where ε is tiny, LRP-ε is gradient × input.",
    shown="the same",
    holds=lambda gaps: gaps.max() < 1e-3,
)
def test_the_limit_is_gradient_times_input(seed):
    lab, inputs, classes, _ = asked(seed, n=4)
    double = lab.model.double()
    ours = relevance(double, inputs.double(), classes, epsilon(1e-12))
    plain = input_x_gradient(double, inputs.double(), classes)
    return ((ours - plain).abs().max() / plain.abs().max()).item()
