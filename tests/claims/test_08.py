"""What lesson 08 claims about gradients, measured on scenes and creatures that it never shows."""

import copy

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
    "§3",
    "Without the ReLUs' kinks the curves turn less often, yet the gradients lose their direction almost as soon.",
    shown="17, 15, 18 turns against 7, 7, 5; cosine 0.48 against 0.54 at noise 0.1, 0.11 against 0.13 at 0.25",
    holds=lambda v: (
        (v["turns, softplus"] < v["turns, ReLU"]).all()
        and (v["cosine at 0.1, softplus"] < v["cosine at 0.1, ReLU"] + 0.12).all()
        and max(v[f"cosine at 0.25, {name}"].max() for name in ("softplus", "ReLU")) < 0.2
        and v["softplus right"].min() > 0.9
    ),
)
def test_kinks(seed):
    lab = load_lab("scenes", seed=seed, n=12)
    rounded = copy.deepcopy(lab.model)
    for block in list(rounded.modules()):
        for name, part in block.named_children():
            if isinstance(part, torch.nn.ReLU):
                setattr(block, name, torch.nn.Softplus(beta=10))
    with torch.no_grad():
        found = {"softplus right": (rounded(lab.inputs).argmax(dim=1) == lab.targets).float().mean().item()}
    distances = torch.linspace(0, 0.25, 41)
    noise = torch.randn(lab.inputs.shape, generator=torch.Generator().manual_seed(seed))
    for name, model in (("ReLU", lab.model), ("softplus", rounded)):
        cosines, turns = [], []
        for k in range(len(lab)):
            leaf = (lab.inputs[k] + distances[:, None, None, None] * noise[k]).requires_grad_()
            (gradients,) = torch.autograd.grad(model(leaf)[:, int(lab.targets[k])].sum(), leaf)
            strongest = gradients[0].abs().amax(dim=0).flatten().topk(3).indices
            pixels = gradients.sum(dim=1).flatten(1)[:, strongest]
            turns.append((pixels.diff(dim=0).sign().diff(dim=0) != 0).sum(dim=0).float().mean())
            flat = gradients.flatten(1)
            cosines.append(torch.cosine_similarity(flat, flat[:1])[[16, 40]])
        near, far = torch.stack(cosines).mean(dim=0).tolist()
        found |= {f"cosine at 0.1, {name}": near, f"cosine at 0.25, {name}": far}
        found[f"turns, {name}"] = torch.stack(turns).mean().item()
    return found


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
    "With one object the edge filter is about as good as saliency and IG; with two, it is right about half of the time, finds one of the two nearly always, and IG is ahead.",
    shown="IoU −0.01; pointing 0.47, 0.95 and +0.38",
    holds=lambda v: (
        abs(v["saliency, one object"].mean()) < 0.05
        and abs(v["IG, one object"].mean()) < 0.05
        and 0.3 < v["edges, two objects"].mean() < 0.6
        and v["edges, either object"].mean() > 0.85
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
        "edges, either object": hits[1].view(-1, 2).any(dim=1).float().mean().item(),
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
    "With a random last layer the map changes, and something remains when all layers are random: a part of it even when the "
    "random network sees noise.",
    shown="0.63, 0.24 and 0.20",
    holds=lambda v: (
        (v["last layer"] < 0.8).all()
        and (v["noise"] > 0.05).all()
        and (v["noise"] < v["all layers"]).all()
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
    noise = 2 * torch.rand(lab.inputs.shape, generator=torch.Generator().manual_seed(seed)) - 1
    on_noise = saliency(cascade[-1][1], noise, lab.targets).amax(dim=1)
    return {
        "noise": judge.rank_correlation(on_noise, before).mean().item(),
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


@claim(
    "§9",
    "On photographs side by side, saliency, SmoothGrad and Integrated Gradients put little more than half of their sum into the "
    "half that was asked for, and no difference between them shows; Grad-CAM puts far more there.",
    shown="0.61, 0.59, 0.61 and 0.91",
    holds=lambda v: (
        max(v[name].max() for name in ("saliency", "SmoothGrad", "IG")) < 0.75
        and abs((v["SmoothGrad"] - v["saliency"]).mean()) < 0.04
        and abs((v["IG"] - v["saliency"]).mean()) < 0.04
        and (v["Grad-CAM"] > v["saliency"] + 0.15).all()
    ),
)
def test_halves(seed):
    lab = load_lab("photos", pairs=True)
    random = torch.Generator().manual_seed(seed)
    chosen = 4 + torch.randperm(8, generator=random)[:4]  # the lesson shows the first four of twelve pairs
    x, t = lab.inputs[chosen].repeat_interleave(2, dim=0), lab.targets[chosen].flatten()
    maps = {
        "saliency": torch.cat(
            [saliency(lab.model, *two) for two in zip(x.split(2), t.split(2), strict=True)]
        ),
        "SmoothGrad": smooth_grad(lab.model, x, t, 5, 0.1, chunk_size=2, generator=random).abs(),
    }
    maps = {name: heat.amax(dim=1) for name, heat in maps.items()}
    maps["IG"] = integrated_gradients(lab.model, x, t, n_steps=5, chunk_size=2).sum(dim=1).abs()
    maps["Grad-CAM"] = upsample(grad_cam(lab.model, x, t, lab.layer), x.shape[-2:])
    truth = lab.masks[chosen].flatten(0, 1)
    return {name: judge.energy_in_mask(heat, truth).mean().item() for name, heat in maps.items()}
