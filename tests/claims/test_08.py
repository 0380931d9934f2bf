"""What lesson 08 claims about gradients, measured on scenes and creatures that it never shows."""

import torch
from replication import claim

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import integrated_gradients, saliency, smooth_grad


@claim(
    "§3",
    "On the way into noise the gradients of single pixels change between rising and falling more often than the score.",
    shown="15 to 18 times against 2",
    holds=lambda v: (v["score"] < v["gradients"]).all(),
)
def test_gradients_are_jagged(seed):
    lab = load_lab("scenes", seed=seed, n=6)
    turns = {"score": [], "gradients": []}
    for k in range(len(lab)):
        noise = torch.randn(lab.inputs[:1].shape, generator=torch.Generator().manual_seed(100 * seed + k))
        leaf = lab.inputs[k] + torch.linspace(0, 0.25, 41)[:, None, None, None] * noise
        leaf.requires_grad_()
        scores = lab.model(leaf)[:, int(lab.targets[k])]
        (gradients,) = torch.autograd.grad(scores.sum(), leaf)
        strongest = gradients[0].abs().amax(dim=0).flatten().topk(3).indices
        of_pixels = gradients.sum(dim=1).flatten(1)[:, strongest]
        for name, values in (("score", scores.detach()[:, None]), ("gradients", of_pixels)):
            turns[name].append((values.diff(dim=0).sign().diff(dim=0) != 0).sum(dim=0).float().mean().item())
    return {"score": max(turns["score"]), "gradients": min(turns["gradients"])}


@claim(
    "§4",
    "A little noise gains at most a hundredth or two of IoU; strong noise costs overlap on both networks, on the ResNet a lot.",
    shown="0.00 and +0.01 at level 0.02; −0.23 and −0.07 at level 0.2",
    holds=lambda v: (
        max(v["ResNet, 0.02"].max(), v["ZF-Net, 0.02"].max()) < 0.03
        and min(v["ResNet, 0.02"].min(), v["ZF-Net, 0.02"].min()) > -0.01
        and v["ZF-Net, 0.2"].max() < 0
        and v["ResNet, 0.2"].max() < -0.1
        and (v["ResNet, 0.2"] < v["ZF-Net, 0.2"]).all()
    ),
)
def test_smooth_grad(seed):
    result = {}
    for name, model in (("ResNet", "resnet"), ("ZF-Net", "zfnet")):
        lab = load_lab("scenes", model=model, seed=seed, n=24)
        plain = judge.mask_iou(saliency(lab.model, lab.inputs, lab.targets).amax(dim=1), lab.masks)
        for level in (0.02, 0.2):
            maps = smooth_grad(lab.model, lab.inputs, lab.targets, 5, level).abs().amax(dim=1)
            result[f"{name}, {level}"] = judge.paired(judge.mask_iou(maps, lab.masks), plain).mean
    return result


@claim(
    "§5",
    "With 2 steps of the midpoint rule the gap in completeness is a large share of the change; with 32 it is small.",
    shown="0.25; 0.005",
    holds=lambda v: v["2 steps"].min() > 0.1 and v["32 steps"].max() < 0.03,
)
def test_convergence(seed):
    lab = load_lab("scenes", seed=seed, n=10)
    with torch.no_grad():
        both = lab.model(lab.inputs) - lab.model(0 * lab.inputs)
    change = both.gather(1, lab.targets[:, None])[:, 0].abs()
    gaps = {}
    for steps in (2, 32):
        _, delta = integrated_gradients(
            lab.model,
            lab.inputs,
            lab.targets,
            n_steps=steps,
            method="riemann_middle",
            return_convergence_delta=True,
        )
        gaps[f"{steps} steps"] = (delta.abs() / change).median().item()
    return gaps


@claim(
    "§7",
    "With one object the edge filter is about as good as saliency and IG; with two, it is right about half of the time and IG is ahead.",
    shown="IoU −0.01; pointing 0.47 and +0.38",
    holds=lambda v: (
        abs(v["saliency, one object"].mean()) < 0.05
        and abs(v["IG, one object"].mean()) < 0.05
        and 0.3 < v["edges, two objects"].mean() < 0.6
        and v["IG, two objects"].min() > 0.05
    ),
)
def test_edges(seed):
    one, two = load_lab("scenes", seed=seed, n=40), load_lab("scenes", seed=seed, n=15, n_objects=2)
    edges = judge.mask_iou(judge.baselines.sobel(one.inputs), one.masks)
    plain = saliency(one.model, one.inputs, one.targets).amax(dim=1)
    ig_one = integrated_gradients(one.model, one.inputs, one.targets, n_steps=8).sum(dim=1).abs()
    inputs, classes = two.inputs.repeat_interleave(2, dim=0), two.targets.flatten()
    truth = two.masks.flatten(0, 1)
    ig_two = integrated_gradients(two.model, inputs, classes, n_steps=8).sum(dim=1).abs()
    hits = [judge.pointing_game(m, truth, tolerance=5) for m in (ig_two, judge.baselines.sobel(inputs))]
    return {
        "saliency, one object": judge.paired(judge.mask_iou(plain, one.masks), edges).mean,
        "IG, one object": judge.paired(judge.mask_iou(ig_one, one.masks), edges).mean,
        "edges, two objects": hits[1].float().mean().item(),
        "IG, two objects": judge.paired(*hits).mean,
    }


@claim(
    "§8",
    "The maps tell the two networks apart; IG with a black, white or blurred baseline does so least.",
    shown="+0.42, +0.35 against +0.16, +0.17, +0.22",
    holds=lambda v: (
        min(row.min() for row in v.values()) > 0
        and all(
            (v["grey"] > v[name]).all() and (v["saliency"] > v[name]).all()
            for name in ("black", "white", "blurred")
        )
    ),
)
def test_creatures(seed):
    outside = {}
    for model in ("shortcut", "clean"):
        lab = load_lab("monsters", model=model, seed=seed, n=16)
        x, t = lab.inputs, lab.targets
        maps = {"saliency": saliency(lab.model, x, t).amax(dim=1)}
        for name, start in {
            "grey": 0 * x,
            "black": 0 * x - 1,
            "white": 0 * x + 1,
            "blurred": judge.blur(x),
        }.items():
            maps[name] = integrated_gradients(lab.model, x, t, baselines=start, n_steps=6).sum(dim=1).abs()
        outside[model] = {name: judge.energy_in_mask(m, ~lab.masks) for name, m in maps.items()}
    return {n: judge.paired(outside["shortcut"][n], outside["clean"][n]).mean for n in outside["clean"]}


@claim(
    "§10",
    "With a random last layer the map changes, and something remains when all layers are random.",
    shown="0.63 and 0.24",
    holds=lambda v: (
        (v["last layer"] < 0.8).all()
        and (v["all layers"] > 0.05).all()
        and (v["all layers"] < v["last layer"]).all()
    ),
)
def test_random_weights(seed):
    lab = load_lab("scenes", seed=seed, n=16)
    cascade = list(judge.randomize_cascade(lab.model, seed=seed))
    before, last, every = (
        saliency(network, lab.inputs, lab.targets).amax(dim=1)
        for network in (lab.model, cascade[0][1], cascade[-1][1])
    )
    return {
        "last layer": judge.rank_correlation(last, before).mean().item(),
        "all layers": judge.rank_correlation(every, before).mean().item(),
    }


@claim(
    "§7",
    "Asked for one of two objects, Grad-CAM points better than saliency and Integrated Gradients.",
    shown="0.97 against 0.68 and 0.85",
    holds=lambda v: v["− saliency"].min() > 0 and v["− IG"].mean() > 0,
)
def test_grad_cam_points_best(seed):
    lab = load_lab("scenes", seed=seed, n=15, n_objects=2)
    inputs, classes, truth = (
        lab.inputs.repeat_interleave(2, dim=0),
        lab.targets.flatten(),
        lab.masks.flatten(0, 1),
    )
    maps = (
        upsample(grad_cam(lab.model, inputs, classes, lab.layer), truth.shape[-2:]),
        saliency(lab.model, inputs, classes).amax(dim=1),
        integrated_gradients(lab.model, inputs, classes, n_steps=8).sum(dim=1).abs(),
    )
    cam, plain, ig = (judge.pointing_game(m, truth, tolerance=5) for m in maps)
    return {"− saliency": judge.paired(cam, plain).mean, "− IG": judge.paired(cam, ig).mean}
