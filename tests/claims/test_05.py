"""What lesson 05 and its companion claim about CAMs in practice, measured on scenes and films that they never show."""

import copy

import torch
from replication import claim
from scipy.stats import spearmanr

from course_utils import judge
from course_utils.drawing.scenes import render_motion
from course_utils.labs import load_lab
from course_utils.lessons.l05_cam_in_practice import make_grids
from course_utils.methods.cam import cam, grad_cam, layer_cam, min_max, score_cam, upsample
from course_utils.methods.occlusion import occlusion


def asked(seed, n=30):
    """Fresh scenes with two objects, a question for each object: lab, inputs, classes, masks."""
    lab = load_lab("scenes", seed=seed, n=n, n_objects=2)
    return lab, *lab.questions()


@claim(
    "§4",
    "In the grid pointing game Grad-CAM is far ahead of Layer-CAM, because Layer-CAM keeps only positive weights.",
    shown="0.83 against 0.39; without negative weights exactly 0.39",
    holds=lambda v: v["Grad-CAM − Layer-CAM"].min() > 0.2 and abs(v["positive CAM − Layer-CAM"]).max() < 1e-4,
)
def test_grid_pointing_game(seed):
    lab = load_lab("scenes", seed=seed, n=60)
    grids, targets, corners = make_grids(lab, n_grids=6, seed=seed)
    inputs, classes = lab.preprocess(grids).repeat_interleave(4, dim=0), targets.flatten()
    truth = corners.repeat(len(grids), 1, 1)
    positive = copy.deepcopy(lab.model)
    positive.fc.weight.data.clamp_(min=0)
    maps = {
        "Grad-CAM": grad_cam(lab.model, inputs, classes, "layer4"),
        "Layer-CAM": layer_cam(lab.model, inputs, classes, "layer4"),
        "positive CAM": cam(positive, inputs, classes, "layer4", "fc"),
    }
    share = {name: judge.energy_in_mask(upsample(m, 256), truth) for name, m in maps.items()}
    return {
        "Grad-CAM − Layer-CAM": judge.paired(share["Grad-CAM"], share["Layer-CAM"]).mean,
        "positive CAM − Layer-CAM": (share["positive CAM"] - share["Layer-CAM"]).abs().max().item(),
    }


@claim(
    "§6",
    "Score-CAM gains nothing over Grad-CAM; occlusion has more energy on the object and less IoU.",
    shown="energy −0.09 and +0.07; IoU of occlusion −0.09",
    holds=lambda v: (
        v["Score-CAM energy"].max() < 0
        and v["Score-CAM pointing"].mean() < 0.05
        and v["Score-CAM IoU"].mean() < 0.02
        and v["occlusion energy"].min() > 0
        and v["occlusion IoU"].max() < 0
    ),
)
def test_a_hundred_passes(seed):
    lab, inputs, classes, truth = asked(seed, n=10)
    ours = upsample(grad_cam(lab.model, inputs, classes, lab.layer), 128)
    score = upsample(score_cam(lab.model, inputs, classes, lab.layer), 128)
    covered = upsample(occlusion(lab.model, inputs, classes, window=24, stride=12).relu(), 128)
    energy = [judge.energy_in_mask(m, truth) for m in (ours, score, covered)]
    points = [judge.pointing_game(m, truth, tolerance=5) for m in (ours, score)]
    return {
        "Score-CAM energy": judge.paired(energy[1], energy[0]).mean,
        "Score-CAM pointing": judge.paired(points[1], points[0]).mean,
        "Score-CAM IoU": judge.paired(judge.mask_iou(score, truth), judge.mask_iou(ours, truth)).mean,
        "occlusion energy": judge.paired(energy[2], energy[0]).mean,
        "occlusion IoU": judge.paired(judge.mask_iou(covered, truth), judge.mask_iou(ours, truth)).mean,
    }


@claim(
    "§6",
    "For Grad-CAM, layer3 has more energy on the object than layer4, and layer4 the better IoU.",
    shown="+0.14 and −0.05",
    holds=lambda v: v["energy"].min() > 0 and v["IoU"].max() < 0,
)
def test_layers_by_two_measures(seed):
    lab, inputs, classes, truth = asked(seed)
    three, four = (upsample(grad_cam(lab.model, inputs, classes, name), 128) for name in ("layer3", "layer4"))
    return {
        "energy": judge.paired(judge.energy_in_mask(three, truth), judge.energy_in_mask(four, truth)).mean,
        "IoU": judge.paired(judge.mask_iou(three, truth), judge.mask_iou(four, truth)).mean,
    }


@claim(
    "§6",
    "Layer-CAM has more energy in the early stages than in the last, and better IoU and pointing in the last.",
    shown="table",
    holds=lambda v: (
        v["energy, layer1 − layer4"].min() > 0
        and v["IoU, layer1 − layer4"].max() < 0
        and v["pointing, layer1 − layer4"].mean() < 0
    ),
)
def test_layer_cam_by_stage(seed):
    lab, inputs, classes, truth = asked(seed)
    one, four = (upsample(layer_cam(lab.model, inputs, classes, name), 128) for name in ("layer1", "layer4"))
    return {
        "energy, layer1 − layer4": judge.paired(
            judge.energy_in_mask(one, truth), judge.energy_in_mask(four, truth)
        ).mean,
        "IoU, layer1 − layer4": judge.paired(judge.mask_iou(one, truth), judge.mask_iou(four, truth)).mean,
        "pointing, layer1 − layer4": judge.paired(
            judge.pointing_game(one, truth, tolerance=5), judge.pointing_game(four, truth, tolerance=5)
        ).mean,
    }


@claim(
    "§6",
    "On small objects, too, Layer-CAM at an earlier layer gains nothing over Grad-CAM at its best layer.",
    shown="a row of the table",
    holds=lambda v: v["energy"].max() < 0 and v["IoU"].max() < 0 and v["pointing"].mean() < 0.05,
)
def test_fine_detail(seed):
    lab, inputs, classes, truth = asked(seed, n=60)
    area = truth.flatten(1).float().mean(dim=1)
    small = area < area.quantile(1 / 3)
    inputs, classes, truth = inputs[small], classes[small], truth[small]

    def best(method, names):
        maps = [upsample(method(lab.model, inputs, classes, name), 128) for name in names]
        return {
            "energy": max(judge.energy_in_mask(m, truth).mean().item() for m in maps),
            "IoU": max(judge.mask_iou(m, truth).mean().item() for m in maps),
            "pointing": max(judge.pointing_game(m, truth, tolerance=5).mean().item() for m in maps),
        }

    early, ours = best(layer_cam, ("layer1", "layer2", "layer3")), best(grad_cam, ("layer3", "layer4"))
    return {name: early[name] - ours[name] for name in ours}


@claim(
    "§7",
    "In a film, the bright place follows the moving object.",
    shown="six frames",
    holds=lambda v: v.mean() > 0.85 and v.min() > 0.6,
    seeds=(201, 202, 203, 204, 205, 206, 207, 208, 209, 210),
)
def test_the_bright_place_follows(seed):
    lab, film = load_lab("scenes"), render_motion(24, seed=seed)
    heat = upsample(grad_cam(lab.model, lab.preprocess(film.images), int(film.targets[0, 0]), lab.layer), 128)
    masks = torch.as_tensor(film.masks)[:, 0]
    there = masks.flatten(1).any(dim=1)
    return judge.pointing_game(heat[there], masks[there], tolerance=5).mean().item()


@claim(
    "§10",
    "Pictures that were not scaled: the network is seldom right and no less sure; scaled twice: nearly one answer for all.",
    shown="0.28 right, 0.96 sure; 0.10 right",
    holds=lambda v: (
        v["right, not scaled"].max() < 0.5
        and (v["sure, not scaled"] > v["sure, scaled"] - 0.02).all()
        and v["commonest answer, scaled twice"].min() > 0.9
    ),
)
def test_wrong_scaling(seed):
    lab = load_lab("scenes", seed=seed, n=80)
    with torch.no_grad():
        right, unscaled, twice = (
            lab.model(x).softmax(dim=1).max(dim=1)
            for x in (lab.inputs, (lab.inputs + 1) * 127.5, lab.inputs / 127.5 - 1)
        )
    return {
        "right, not scaled": (unscaled.indices == lab.targets).float().mean().item(),
        "sure, not scaled": unscaled.values.mean().item(),
        "sure, scaled": right.values.mean().item(),
        "commonest answer, scaled twice": twice.indices.bincount().max().item() / len(lab),
    }


@claim(
    "05b §3",
    "layer1's map is several times weaker than layer4's and lies as much on the other object; in the average of scaled maps it counts far more, takes from the object and adds to the other one.",
    shown="1 % of the sum as they are, 22 % scaled; on the object 0.21 → 0.17, on the other 0.00 → 0.08",
    holds=lambda v: (
        v["sum, layer4 / layer1"].min() > 2
        and abs(v["layer1, object − other"]).max() < 0.1
        and v["share as they are"].max() < 0.05
        and v["share when scaled"].min() > 0.15
        and v["object, average − layer4"].max() < 0
        and v["other, average − layer4"].min() > 0
    ),
)
def test_an_average_of_scaled_maps(seed):
    lab, inputs, classes, truth = asked(seed, n=20)
    other = lab.masks.flip(1).flatten(0, 1)
    small = {name: grad_cam(lab.model, inputs, classes, name) for name in ("layer1", "layer4")}
    large = {name: upsample(heat, 128) for name, heat in small.items()}
    scaled = {name: upsample(min_max(heat), 128) for name, heat in small.items()}
    both = sum(scaled.values()) / 2

    def share(maps):
        one, four = (maps[name].sum(dim=(1, 2)) for name in ("layer1", "layer4"))
        return (one / (one + four)).median().item()

    def gain(masks):
        after, before = (judge.energy_in_mask(heat, masks) for heat in (both, scaled["layer4"]))
        return judge.paired(after, before).mean

    on, off = (judge.energy_in_mask(scaled["layer1"], masks) for masks in (truth, other))
    return {
        "sum, layer4 / layer1": (small["layer4"].sum(dim=(1, 2)) / small["layer1"].sum(dim=(1, 2)))
        .median()
        .item(),
        "layer1, object − other": judge.paired(on, off).mean,
        "share as they are": share(large),
        "share when scaled": share(scaled),
        "object, average − layer4": gain(truth),
        "other, average − layer4": gain(other),
    }


@claim(
    "05b §4",
    "Over a film's frames the map's maximum has no steady connection with the probability; its sum, the own logit and the logits' difference come closer, in this order; the difference follows it closely.",
    shown="six films: maximum −0.47 to 0.09, sum 0.19 to 0.96, own logit 0.57 to 0.98, difference 0.96 to 1.00",
    holds=lambda v: (
        v["maximum"].min() < 0
        and v["maximum"].max() > 0.5
        and (v["sum"] > v["maximum"] - 0.02).all()
        and (v["own logit"] > v["sum"] - 0.02).all()
        and (v["difference"] > v["own logit"] - 0.02).all()
        and v["difference"].min() > 0.8
    ),
    seeds=(101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112),
)
def test_brightness_is_not_probability(seed):
    lab, film = load_lab("scenes"), render_motion(24, seed=seed)
    moving, resting = (int(c) for c in film.targets[0])
    frames = lab.preprocess(film.images)
    with torch.no_grad():
        logits = lab.model(frames)
    heat, probability = grad_cam(lab.model, frames, moving, lab.layer), logits.softmax(dim=1)[:, moving]
    measures = {
        "maximum": heat.amax(dim=(1, 2)),
        "sum": heat.sum(dim=(1, 2)),
        "own logit": logits[:, moving],
        "difference": logits[:, moving] - logits[:, resting],
    }
    return {name: float(spearmanr(values, probability).statistic) for name, values in measures.items()}
