"""What lesson 04 and its companion claim about Grad-CAM, measured on scenes that they never show."""

from unittest import mock

import torch
from replication import claim

from course_utils import judge
from course_utils.drawing import scenes
from course_utils.labs import load_lab
from course_utils.methods.cam import grad_cam, grad_cam_plus_plus, layer_cam, min_max, upsample
from course_utils.methods.deconvnet import guided_backprop
from course_utils.methods.gradients import saliency
from course_utils.methods.hooks import activations_and_gradients


def asked(seed: int, n: int = 40):
    """Fresh scenes with two objects, a question for each object: lab, inputs, classes, masks."""
    lab = load_lab("scenes", seed=seed, n=n, n_objects=2)
    return lab, *lab.questions()


def drawn(seed, keep, n=40):
    """The scenes of two objects of a seed without clutter, with those objects that the slice `keep` takes."""
    draw = scenes._draw

    def some(names, poses, looks, clutter, occluded_share=0.0):
        return draw(names[keep], poses[keep], looks[keep], clutter=None)

    with mock.patch.object(scenes, "_draw", some):
        return load_lab("scenes", seed=seed, n=n, n_objects=2)


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
    "§7",
    "Without what lies below each map's median, Layer-CAM is level with Grad-CAM by energy, and both are ahead of the gradient.",
    shown="0.33 and 0.34 against 0.29",
    holds=lambda v: abs(v["Grad-CAM − Layer-CAM"]).max() < 0.02 and v["Layer-CAM − saliency"].min() > 0.02,
)
def test_the_weak_light_makes_the_difference_in_energy(seed):
    lab, inputs, classes, truth = asked(seed)
    energy = [
        judge.energy_in_mask((maps - maps.flatten(1).median(dim=1).values[:, None, None]).relu(), truth)
        for maps in (
            full(grad_cam(lab.model, inputs, classes, lab.layer), truth),
            full(layer_cam(lab.model, inputs, classes, lab.layer), truth),
            saliency(lab.model, inputs, classes).amax(dim=1),
        )
    ]
    return {
        "Grad-CAM − Layer-CAM": judge.paired(energy[0], energy[1]).mean,
        "Layer-CAM − saliency": judge.paired(energy[1], energy[2]).mean,
    }


@claim(
    "§5",
    "Grad-CAM++ and Layer-CAM are nearly the same at the last stage, where a channel's gradient is the same at each place, "
    "and not one stage before; both leave a little light on the other object, Grad-CAM none.",
    shown="one picture",
    holds=lambda v: (
        v["layer4"].max() < 0.03
        and v["layer3"].min() > 0.2
        and (v["Layer-CAM, other"] > v["its area"]).all()
        and v["Grad-CAM, other"].max() < 0.02
    ),
)
def test_the_head_makes_two_methods_alike(seed):
    lab, inputs, classes, truth = asked(seed, n=20)
    result = {}
    for name in ("layer3", "layer4"):
        plus, layered = (
            min_max(method(lab.model, inputs, classes, lab.layers[name]))
            for method in (grad_cam_plus_plus, layer_cam)
        )
        result[name] = (plus - layered).abs().amax(dim=(1, 2)).mean().item()
    other = lab.masks.flip(1).flatten(0, 1)
    for name, method in (("Grad-CAM", grad_cam), ("Layer-CAM", layer_cam)):
        maps = full(method(lab.model, inputs, classes, lab.layer), truth)
        result[f"{name}, other"] = judge.energy_in_mask(maps, other).mean().item()
    return result | {"its area": other.float().mean().item()}


@claim(
    "§8",
    "In early stages the averaging loses the object: the same gradients, used place by place (signed or positive), point far "
    "better than their average over the channel (signed or positive).",
    shown="the stem: Layer-CAM 0.76, Grad-CAM 0.31",
    holds=lambda v: (
        (v["stem, places"] - v["stem, average"]).min() > 0.15
        and (v["layer1, places"] - v["layer1, average"]).min() > 0.15
    ),
)
def test_early_stages_lose_the_object_in_the_average(seed):
    lab, inputs, classes, truth = asked(seed)
    result = {}
    for name in ("stem", "layer1"):
        A, g = activations_and_gradients(lab.model, inputs, classes, lab.layers[name])
        averaged, placed = [], []
        for slopes in (g.detach(), g.detach().relu()):
            averaged.append((slopes.mean(dim=(2, 3), keepdim=True) * A.detach()).sum(dim=1).relu())
            placed.append((slopes * A.detach()).sum(dim=1).relu())
        best, worst = (
            [judge.pointing_game(full(maps, truth), truth, tolerance=5).mean().item() for maps in row]
            for row in (averaged, placed)
        )
        result |= {f"{name}, average": max(best), f"{name}, places": min(worst)}
    return result


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
    "§9",
    "Without the caption model A's map is far weaker and has little at the caption's place; model B's keeps its strength.",
    shown="largest value 0.04 instead of 0.62; 0.05 at its place instead of 0.29",
    holds=lambda v: (
        v["A's strength left"].max() < 0.15
        and v["B's strength left"].min() > 0.8
        and (v["A at its place"] < v["A on the caption"] / 2).all()
    ),
)
def test_the_map_follows_the_caption(seed):
    result = {}
    for name, model in (("A", "shortcut"), ("B", "clean")):
        lab = load_lab("watermark", model=model, seed=seed, n=30)
        horse = torch.full((len(lab),), lab.class_names.index("horse"))
        with_it, without = (
            grad_cam(lab.model, pictures, horse, lab.layer)
            for pictures in (lab.inputs, lab.preprocess(lab.counterfactuals))
        )
        strength = [maps.amax(dim=(1, 2)).median() for maps in (with_it, without)]
        result[f"{name}'s strength left"] = (strength[1] / strength[0]).item()
        if name == "A":
            for key, maps in (("A on the caption", with_it), ("A at its place", without)):
                result[key] = judge.energy_in_mask(full(maps, lab.shortcut), lab.shortcut).mean().item()
    return result


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
    "What speaks against a class: several times the other object's area lies on it, and hardly any on the asked-for one; most maxima, yet not most of the sum.",
    shown="0.26 against an area of 0.07; maximum there in 0.80",
    holds=lambda v: (
        (v["on the other"] > 2 * v["its area"]).all()
        and v["on the other"].max() < 0.5
        and v["on the asked-for"].max() < 0.03
        and v["maximum on the other"].min() > 0.65
    ),
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
        "maximum on the other": judge.pointing_game(against[some], other, tolerance=5).mean().item(),
    }


@claim(
    "04b §1",
    "Without the other object, painted over or never drawn, the score is higher in most scenes; painting ground of the same shape does not raise it.",
    shown="painted over +0.98, higher in 83 %; ground −0.13",
    holds=lambda v: (
        min(v["painted"].min(), v["not drawn"].min()) > 0.5
        and min(v["painted, share higher"].min(), v["not drawn, share higher"].min()) > 0.7
        and v["ground"].max() < 0.2
    ),
)
def test_the_other_object_holds_the_score_down(seed):
    lab, inputs, classes, _ = asked(seed)
    other = lab.masks.flip(1).flatten(0, 1)[:, None]
    objects = lab.masks.any(dim=1).repeat_interleave(2, dim=0)[:, None]
    mean = inputs.mean(dim=(2, 3), keepdim=True)

    def score(pictures, targets):
        with torch.no_grad():
            return lab.model(pictures).gather(1, targets[:, None])[:, 0]

    before = score(inputs, classes)
    painted = score(torch.where(other, mean, inputs), classes) - before
    ground = score(torch.where(other.flip(2, 3) & ~objects, mean, inputs), classes) - before
    both = drawn(seed, slice(2))
    gone = torch.cat(
        [
            score(drawn(seed, slice(k, k + 1)).inputs, both.targets[:, k])
            - score(both.inputs, both.targets[:, k])
            for k in (0, 1)
        ]
    )
    return {
        "painted": painted.mean().item(),
        "painted, share higher": (painted > 0).float().mean().item(),
        "ground": ground.mean().item(),
        "not drawn": gone.mean().item(),
        "not drawn, share higher": (gone > 0).float().mean().item(),
    }


@claim(
    "04b §2",
    "By rank correlation guided backprop changes less with the class than Grad-CAM, yet its strong pixels follow it; the product has more energy than either, nearly as much with the lines of the other question, and less with edges.",
    shown="0.91; 0.44 against 0.20, maximum 0.94; 0.70, 0.69, 0.54",
    holds=lambda v: (
        (v["guided"] > 0.85).all()
        and (v["guided"] > v["Grad-CAM"]).all()
        and v["guided, asked-for − other"].min() > 0.1
        and v["guided, maximum"].min() > 0.85
        and (v["product"] > v["guided alone"]).all()
        and (v["product"] > v["coarse alone"]).all()
        and abs(v["product"] - v["lines of the other question"]).max() < 0.05
        and (v["product"] - v["edges"]).min() > 0.05
        and (v["edges"] > 2 * v["edges alone"]).all()
    ),
)
def test_guided_grad_cam(seed):
    lab, inputs, classes, truth = asked(seed)
    guided = guided_backprop(lab.model, inputs, classes).abs().amax(dim=1)
    coarse = full(grad_cam(lab.model, inputs, classes, lab.layer), truth)
    swapped = guided.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
    edges = judge.baselines.sobel(inputs)

    def energy(maps, masks=truth):
        return judge.energy_in_mask(maps, masks).mean().item()

    return {
        "guided": judge.rank_correlation(guided[0::2], guided[1::2]).mean().item(),
        "Grad-CAM": judge.rank_correlation(coarse[0::2], coarse[1::2]).mean().item(),
        "guided, asked-for − other": energy(guided) - energy(guided, lab.masks.flip(1).flatten(0, 1)),
        "guided, maximum": judge.pointing_game(guided, truth, tolerance=5).mean().item(),
        "guided alone": energy(guided),
        "coarse alone": energy(coarse),
        "edges alone": energy(edges),
        "product": energy(guided * coarse),
        "lines of the other question": energy(swapped * coarse),
        "edges": energy(edges * coarse),
    }


@claim(
    "04b §4",
    "In training mode the map of a picture depends on the pictures beside it, in eval mode it does not.",
    shown="0.11 and 0.00",
    holds=lambda v: v["training"].min() > 0.03 and v["eval"].max() < 1e-3,
)
def test_training_mode_mixes_the_pictures(seed):
    lab = load_lab("scenes", seed=seed, n=20, n_objects=2)

    def first_map(n):
        kept = []
        handle = lab.layer.register_forward_hook(lambda module, arguments, output: kept.append(output))
        logits = lab.model(lab.inputs[:n])
        handle.remove()
        (g,) = torch.autograd.grad(logits[:, lab.targets[0, 0]].sum(), kept[0])
        return min_max(torch.relu((g.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1)).detach())[0]

    evaluated = (first_map(2) - first_map(20)).abs().max().item()
    lab.model.train()  # this lab's own copy, thrown away
    return {"training": (first_map(2) - first_map(20)).abs().max().item(), "eval": evaluated}


@claim(
    "04b §5",
    "When only the last layer is random, Grad-CAM's map falls near the likeness of another picture's, and Layer-CAM's and Grad-CAM++'s hardly change; with all layers random Layer-CAM loses most of its likeness.",
    shown="0.31 against 0.94; another picture 0.21",
    holds=lambda v: (
        v["Grad-CAM"].max() < 0.6
        and abs(v["Grad-CAM"] - v["another picture"]).mean() < 0.2
        and v["Layer-CAM"].min() > 0.8
        and v["Grad-CAM++"].min() > 0.8
        and v["Layer-CAM, all random"].max() < 0.5
    ),
)
def test_random_last_layer(seed):
    lab = load_lab("scenes", seed=seed, n=32)
    cascade = [network for _, network in judge.randomize_cascade(lab.model, seed=seed)]
    place = next(name for name, module in lab.model.named_modules() if module is lab.layer)
    result = {}
    for name, method in (
        ("Grad-CAM", grad_cam),
        ("Layer-CAM", layer_cam),
        ("Grad-CAM++", grad_cam_plus_plus),
    ):
        before = method(lab.model, lab.inputs, lab.targets, place)
        after = method(cascade[0], lab.inputs, lab.targets, place)
        result[name] = judge.rank_correlation(after, before).mean().item()
        if name == "Grad-CAM":
            result["another picture"] = judge.rank_correlation(before.roll(1, 0), before).mean().item()
        if name == "Layer-CAM":
            after = method(cascade[-1], lab.inputs, lab.targets, place)
            result["Layer-CAM, all random"] = judge.rank_correlation(after, before).mean().item()
    return result


@claim(
    "04b §5",
    "Any positive weights give nearly Layer-CAM's map, as no weights and another class do, and weights of both signs do not; the picture's edges are much less like it.",
    shown="0.94, 0.94, 0.85; 0.03; 0.51",
    holds=lambda v: (
        min(v["positive"].min(), v["no weights"].min()) > 0.85
        and v["next class"].min() > 0.75
        and v["both signs"].max() < 0.3
        and (v["edges"] < v["next class"] - 0.15).all()
    ),
)
def test_positive_weights_alone_give_layer_cams_map(seed):
    lab = load_lab("scenes", seed=seed, n=32)
    kept = []
    handle = lab.layer.register_forward_hook(lambda module, arguments, output: kept.append(output.detach()))
    lab.model(lab.inputs)
    handle.remove()
    own = layer_cam(lab.model, lab.inputs, lab.targets, lab.layer)
    draw = torch.randn(*kept[0].shape[:2], 1, 1, generator=torch.Generator().manual_seed(seed))
    edges = judge.baselines.sobel(lab.inputs)[:, None]
    others = {
        "both signs": (draw * kept[0]).sum(dim=1),
        "positive": (draw.abs() * kept[0]).sum(dim=1),
        "no weights": kept[0].mean(dim=1),
        "next class": layer_cam(lab.model, lab.inputs, (lab.targets + 1) % 10, lab.layer),
        "edges": torch.nn.functional.adaptive_avg_pool2d(edges, 8)[:, 0],
    }
    return {name: judge.rank_correlation(maps, own).mean().item() for name, maps in others.items()}
