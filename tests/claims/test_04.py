"""What lesson 04 and its companion claim about Grad-CAM, measured on scenes that they never show."""

import torch
from replication import claim

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.methods.cam import grad_cam, grad_cam_plus_plus, layer_cam, upsample
from course_utils.methods.deconvnet import guided_backprop
from course_utils.methods.gradients import saliency


def asked(seed: int, n: int = 40):
    """Fresh scenes with two objects, a question for each object: lab, inputs, classes, masks."""
    lab = load_lab("scenes", seed=seed, n=n, n_objects=2)
    return lab, *lab.questions()


def full(maps, truth):
    return upsample(maps, truth.shape[-2:])


@claim(
    "§7",
    "Asked for one of two objects, Grad-CAM points at it more often than the plain gradient.",
    shown="0.97 against 0.72",
    holds=lambda gaps: gaps.min() > 0,
)
def test_grad_cam_points_better_than_saliency(seed):
    lab, inputs, classes, truth = asked(seed)
    grad = judge.pointing_game(
        full(grad_cam(lab.model, inputs, classes, lab.layer), truth), truth, tolerance=5
    )
    plain = judge.pointing_game(saliency(lab.model, inputs, classes).amax(dim=1), truth, tolerance=5)
    return judge.paired(grad, plain).mean


@claim(
    "§7",
    "By energy Grad-CAM is ahead of Layer-CAM, and Layer-CAM is near the plain gradient; by IoU the two CAMs are close.",
    shown="energy 0.31, 0.21, 0.21; IoU 0.52, 0.50",
    holds=lambda v: (
        v["energy gap"].min() > 0.05
        and abs(v["Layer-CAM − saliency"]).max() < 0.05
        and abs(v["IoU gap"]).max() < 0.05
    ),
)
def test_the_measure_changes_the_order(seed):
    lab, inputs, classes, truth = asked(seed)
    grad = full(grad_cam(lab.model, inputs, classes, lab.layer), truth)
    layered = full(layer_cam(lab.model, inputs, classes, lab.layer), truth)
    plain = saliency(lab.model, inputs, classes).amax(dim=1)
    energy = [judge.energy_in_mask(maps, truth) for maps in (grad, layered, plain)]
    return {
        "energy gap": judge.paired(energy[0], energy[1]).mean,
        "Layer-CAM − saliency": judge.paired(energy[1], energy[2]).mean,
        "IoU gap": judge.paired(judge.mask_iou(grad, truth), judge.mask_iou(layered, truth)).mean,
    }


@claim(
    "§8",
    "Late stages point best: layer4 and layer3 are both well ahead of stem and layer1.",
    shown="0.97 and 0.94 against 0.31 and 0.43",
    holds=lambda v: (v["layer3"] - v["layer1"]).min() > 0.2 and (v["layer4"] - v["layer1"]).min() > 0.2,
)
def test_late_layers_point_better(seed):
    lab, inputs, classes, truth = asked(seed)
    return {
        name: judge.pointing_game(
            full(grad_cam(lab.model, inputs, classes, lab.layers[name]), truth), truth, 5
        )
        .mean()
        .item()
        for name in ("stem", "layer1", "layer3", "layer4")
    }


@claim(
    "§9",
    "Model A has far more of its map on the caption than model B, and B no more than the caption's area; A's brightest place is "
    "often below the caption.",
    shown="0.29 against 0.04, area 0.06",
    holds=lambda v: (
        (v["A"] > 3 * v["B"]).all()
        and (v["B"] < 1.2 * v["area"]).all()
        and v["A's maximum below"].min() > 1 / 3
    ),
)
def test_the_map_tells_the_two_horse_models_apart(seed):
    shares = {}
    for name, model in (("A", "shortcut"), ("B", "clean")):
        lab = load_lab("watermark", model=model, seed=seed, n=30)
        horse = torch.full((len(lab),), lab.class_names.index("horse"))
        maps = full(grad_cam(lab.model, lab.inputs, horse, lab.layer), lab.shortcut)
        shares[name] = judge.energy_in_mask(maps, lab.shortcut).mean().item()
        if name == "A":
            rows = torch.arange(maps.shape[-2])
            last = (lab.shortcut.any(dim=2) * rows).amax(dim=1)  # the lowest row of each caption
            brightest = maps.flatten(1).argmax(dim=1) // maps.shape[-1]
            shares["A's maximum below"] = (brightest > last).float().mean().item()
    return shares | {"area": lab.shortcut.float().mean().item()}


@claim(
    "§11",
    "With the softmax the place hardly changes, and the surer the network, the fainter the map.",
    shown="0.97 and 0.96",
    holds=lambda v: abs(v["hits lost"].mean()) < 0.03 and v["rank correlation"].max() < -0.7,
)
def test_softmax_keeps_the_place_and_loses_the_strength(seed):
    lab, inputs, classes, truth = asked(seed)
    network = torch.nn.Sequential(lab.model, torch.nn.Softmax(dim=1))
    logit = judge.pointing_game(
        full(grad_cam(lab.model, inputs, classes, lab.layer), truth), truth, tolerance=5
    )
    soft = judge.pointing_game(full(grad_cam(network, inputs, classes, lab.layer), truth), truth, tolerance=5)
    single = load_lab("scenes", seed=seed, n=60)
    network = torch.nn.Sequential(single.model, torch.nn.Softmax(dim=1))
    strength = grad_cam(network, single.inputs, single.targets, single.layer).amax(dim=(1, 2))
    sure = torch.from_numpy(single.predict(single.images)).gather(1, single.targets[:, None])[:, 0]
    return {
        "hits lost": judge.paired(logit, soft).mean,
        "rank correlation": judge.rank_correlation(strength[None], sure[None]).item(),
    }


@claim(
    "§11",
    "The map of a class that is not in the scene is seldom empty and mostly weak.",
    shown="4 empty maps of 200; one scene",
    holds=lambda v: v["empty"].max() < 0.1 and v["median, of one that is there"].max() < 0.2,
)
def test_absent_classes_have_weak_maps(seed):
    lab = load_lab("scenes", seed=seed, n=30, n_objects=2)
    ten = torch.arange(len(lab.class_names))
    maps = grad_cam(lab.model, lab.inputs.repeat_interleave(10, dim=0), ten.repeat(len(lab)), lab.layer)
    strength = maps.amax(dim=(1, 2)).view(len(lab), 10)
    there = torch.zeros_like(strength, dtype=torch.bool).scatter_(1, lab.targets, True)
    absent = strength[~there]
    return {
        "empty": (absent == 0).float().mean().item(),
        "median, of one that is there": (absent.median() / strength[there].median()).item(),
    }


@claim(
    "04b §1",
    "What speaks against a class lies on the other object: several times its area, and hardly on the asked-for one.",
    shown="0.26 against an area of 0.07",
    holds=lambda v: (v["on the other"] > 2 * v["its area"]).all() and v["on the asked-for"].max() < 0.03,
)
def test_against_lies_on_the_other_object(seed):
    lab, inputs, classes, truth = asked(seed)
    against = full(torch.relu(-grad_cam(lab.model, inputs, classes, lab.layer, relu=False)), truth)
    some = against.amax(dim=(1, 2)) > 0
    other = lab.masks.flip(1).flatten(0, 1)[some]
    return {
        "on the other": judge.energy_in_mask(against[some], other).mean().item(),
        "its area": other.float().mean().item(),
        "on the asked-for": judge.energy_in_mask(against[some], truth[some]).mean().item(),
    }


@claim(
    "04b §2",
    "Guided backprop changes less with the class than Grad-CAM; the product has more energy on the object than either.",
    shown="printed there",
    holds=lambda v: (
        (v["guided"] > v["Grad-CAM"]).all()
        and (v["product − guided"] > 0).all()
        and (v["product − Grad-CAM"] > 0).all()
    ),
)
def test_guided_grad_cam(seed):
    lab, inputs, classes, truth = asked(seed)
    guided = guided_backprop(lab.model, inputs, classes).abs().amax(dim=1)
    coarse = full(grad_cam(lab.model, inputs, classes, lab.layer), truth)
    energy = {
        name: judge.energy_in_mask(maps, truth)
        for name, maps in (("guided", guided), ("coarse", coarse), ("product", guided * coarse))
    }
    return {
        "guided": judge.rank_correlation(guided[0::2], guided[1::2]).mean().item(),
        "Grad-CAM": judge.rank_correlation(coarse[0::2], coarse[1::2]).mean().item(),
        "product − guided": judge.paired(energy["product"], energy["guided"]).mean,
        "product − Grad-CAM": judge.paired(energy["product"], energy["coarse"]).mean,
    }


@claim(
    "04b §5",
    "When only the last layer is random, Grad-CAM's map changes at once, and Layer-CAM's and Grad-CAM++'s hardly.",
    shown="0.31 against 0.94",
    holds=lambda v: v["Grad-CAM"].max() < 0.6 and v["Layer-CAM"].min() > 0.8 and v["Grad-CAM++"].min() > 0.8,
)
def test_random_last_layer(seed):
    lab = load_lab("scenes", seed=seed, n=32)
    _, network = next(iter(judge.randomize_cascade(lab.model, seed=seed)))
    place = next(name for name, module in lab.model.named_modules() if module is lab.layer)
    result = {}
    for name, method in (
        ("Grad-CAM", grad_cam),
        ("Layer-CAM", layer_cam),
        ("Grad-CAM++", grad_cam_plus_plus),
    ):
        before = method(lab.model, lab.inputs, lab.targets, place)
        after = method(network, lab.inputs, lab.targets, place)
        result[name] = judge.rank_correlation(after, before).nanmean().item()
    return result
