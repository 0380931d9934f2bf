"""What lessons 08b and 08c claim about gradient maps and about FGSM, measured on scenes that they never show."""

import copy
from itertools import combinations

import numpy as np
import torch
from replication import claim
from torch.nn import functional as F

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.methods.attacks import pgd
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import input_x_gradient, integrated_gradients, saliency, smooth_grad

LEVEL = 2 / 255


def scores_gradient(model, inputs, targets):
    leaf = inputs.clone().requires_grad_()
    return torch.autograd.grad(model(leaf).gather(1, targets[:, None]).sum(), leaf)[0]


def upwards(model, inputs, targets):
    leaf = inputs.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(model(leaf), targets, reduction="sum"), leaf)[0].sign()


def random_signs(inputs, seed):
    return torch.randn(inputs.shape, generator=torch.Generator().manual_seed(seed)).sign()


@torch.no_grad()
def is_right(model, inputs, targets):
    return (model(inputs).argmax(dim=1) == targets).float()


@claim(
    "08b §1",
    "The contrast of two classes is positive on the first object and negative on the second, in nearly all scenes, but red and blue mix on both; alone, the second object speaks a little against.",
    shown="100 % and 100 % of 16 scenes; alone negative in 88 %",
    holds=lambda v: (
        v["first"].min() >= 0.8
        and v["second"].min() >= 0.8
        and v["gap"].max() < 0
        and v["alone"].min() > 0.5
        and (0.5 < v["red on first"]).all()
        and (v["red on first"] < 0.8).all()
        and (0.2 < v["red on second"]).all()
        and (v["red on second"] < 0.5).all()
    ),
)
def test_a_contrast_separates_two_objects(seed):
    lab = load_lab("scenes", seed=seed, n=12, n_objects=2)
    alone, rival = (
        integrated_gradients(lab.model, lab.inputs, c, n_steps=5).sum(dim=1) for c in lab.targets.T
    )
    inside = (alone - rival)[:, None] * lab.masks
    on, red = inside.sum(dim=(2, 3)), inside.clamp(min=0).sum(dim=(0, 2, 3)) / inside.abs().sum(dim=(0, 2, 3))
    before = (alone * lab.masks[:, 1]).sum(dim=(1, 2))
    return {
        "first": (on[:, 0] > 0).float().mean().item(),
        "second": (on[:, 1] < 0).float().mean().item(),
        "gap": judge.paired(on[:, 1], before).high,
        "alone": (before < 0).float().mean().item(),
        "red on first": red[0].item(),
        "red on second": red[1].item(),
    }


@claim(
    "08b §2",
    "The share of the variance in SmoothGrad² grows with the noise, and VarGrad overlaps less with the object than saliency.",
    shown="25 % at 0.02 and 74 % at 0.1; IoU −0.12",
    holds=lambda v: v["little noise"].max() < 0.5 < v["more noise"].min() and v["IoU"].max() < 0,
)
def test_the_variance_grows_and_lies_off_the_object(seed):
    lab = load_lab("scenes", seed=seed, n=16)
    x, t, generator = lab.inputs, lab.targets, torch.Generator().manual_seed(seed)
    spread = x.amax(dim=(1, 2, 3), keepdim=True) - x.amin(dim=(1, 2, 3), keepdim=True)
    found = {}
    for name, level in (("more noise", 0.1), ("little noise", 0.02)):
        g = torch.stack(
            [
                scores_gradient(lab.model, x + level * spread * torch.randn(x.shape, generator=generator), t)
                for _ in range(6)
            ]
        )
        variance = g.var(dim=0, correction=0)
        found[name] = (variance.sum() / g.square().mean(dim=0).sum()).item()
    plain = judge.mask_iou(saliency(lab.model, x, t).amax(dim=1), lab.masks)
    return found | {"IoU": judge.paired(judge.mask_iou(variance.amax(dim=1), lab.masks), plain).high}


@claim(
    "08b §3",
    "Integrated Gradients from one picture of noise agree less with other baselines than those do with each other.",
    shown="at most 0.17, the others at least 0.46",
    holds=lambda v: (v["noise at most"] < v["others at least"]).all(),
)
def test_a_noise_baseline_agrees_with_no_other(seed):
    lab = load_lab("scenes", seed=seed, n=8)
    x = lab.inputs
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    starts = {"black": 0 * x - 1, "white": 0 * x + 1, "grey": 0 * x, "blurred": judge.blur(x), "noise": noise}
    maps = {
        name: integrated_gradients(lab.model, x, lab.targets, baselines=start, n_steps=6).sum(dim=1).abs()
        for name, start in starts.items()
    }
    same = {
        pair: judge.rank_correlation(*(maps[k] for k in pair)).mean().item() for pair in combinations(maps, 2)
    }
    return {
        "noise at most": max(value for pair, value in same.items() if "noise" in pair),
        "others at least": min(value for pair, value in same.items() if "noise" not in pair),
    }


@claim(
    "08b §3",
    "With the object in the baseline the score hardly changes: what is left to explain is small.",
    shown="0.82 of 3.56, the change from grey",
    holds=lambda share: share.max() < 0.5,
)
def test_with_the_object_in_the_baseline_little_is_left(seed):
    lab = load_lab("scenes", seed=seed, n=12)
    with torch.no_grad():
        score, hidden, grey = (
            lab.model(x).gather(1, lab.targets[:, None])
            for x in (lab.inputs, lab.inputs * lab.masks[:, None], 0 * lab.inputs)
        )
    return ((score - hidden).abs().median() / (score - grey).abs().median()).item()


@claim(
    "08b §4",
    "A single draw of expected gradients is far off: draws spread more widely than the change to explain is large.",
    shown="± 8.1, where 3.1 is to be explained",
    holds=lambda ratio: ratio.min() > 1,
)
def test_a_single_draw_is_far_off(seed):
    lab = load_lab("scenes", seed=seed, n=24)
    generator, ratios = torch.Generator().manual_seed(seed), []
    for picture, c in zip(lab.inputs[:3], lab.targets[:3].tolist(), strict=True):
        start = lab.inputs[torch.randint(4, 24, (32,), generator=generator)]
        points = start + torch.rand(32, 1, 1, 1, generator=generator) * (picture - start)
        gradients = scores_gradient(lab.model, points, torch.full((32,), c))
        with torch.no_grad():
            change = lab.model(picture[None])[0, c] - lab.model(lab.inputs[4:])[:, c].mean()
        ratios.append((((picture - start) * gradients).sum(dim=(1, 2, 3)).std() / change.abs()).item())
    return float(np.median(ratios))


@claim(
    "08b §5",
    "Gradient × input is complete for a network without biases; for both trained networks the gap is large.",
    shown="0.000; 0.83 and 1.08 of the change",
    holds=lambda v: v["no biases"].max() < 1e-3 and min(v["ZF-Net"].min(), v["ResNet"].min()) > 0.5,
)
def test_gradient_times_input_adds_up_without_biases_only(seed):
    lab = load_lab("scenes", seed=seed, n=24)
    zf = load_lab("scenes", model="zfnet").model
    bare = copy.deepcopy(zf)
    for name, values in bare.named_parameters():
        if name.endswith("bias"):
            values.data.zero_()
    gaps = {}
    for name, network in (("no biases", bare), ("ZF-Net", zf), ("ResNet", lab.model)):
        sums = input_x_gradient(network, lab.inputs, lab.targets).sum(dim=(1, 2, 3))
        with torch.no_grad():
            change = (network(lab.inputs) - network(0 * lab.inputs[:1])).gather(1, lab.targets[:, None])[:, 0]
        gaps[name] = ((sums - change).abs().median() / change.abs().median()).item()
    return gaps


@claim(
    "08b §7",
    "In training mode the map of a picture depends on its neighbours in the batch; in eval mode it does not.",
    shown="0.76 and 1.00",
    holds=lambda v: v["training"].max() < 0.9 and v["eval"].min() > 0.999,
)
def test_in_training_mode_the_neighbours_matter(seed):
    lab = load_lab("scenes", seed=seed, n=24)
    training = copy.deepcopy(lab.model).train()

    def eight(network, neighbours):
        leaf = torch.cat([lab.inputs[:8], lab.inputs[neighbours]]).requires_grad_()
        scores = network(leaf)[:8].gather(1, lab.targets[:8, None])
        return torch.autograd.grad(scores.sum(), leaf)[0][:8].abs().amax(dim=1)

    return {
        name: judge.rank_correlation(eight(network, slice(8, 16)), eight(network, slice(16, 24)))
        .mean()
        .item()
        for name, network in (("training", training), ("eval", lab.model))
    }


@claim(
    "08b §8",
    "For shifted pictures the baseline zero gives another map, the shifted baseline the same one.",
    shown="0.46 and 1.00",
    holds=lambda v: v["zero again"].max() < 0.7 and v["grey again"].min() > 0.999,
)
def test_a_shift_moves_the_meaning_of_zero(seed):
    lab = load_lab("scenes", seed=seed, n=8)

    class Shifted(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = lab.model

        def forward(self, inputs):
            return self.model(inputs - 1)

    shifted = Shifted().eval()
    plain = integrated_gradients(lab.model, lab.inputs, lab.targets, n_steps=6).sum(dim=1).abs()
    found = {}
    for name, start in (("zero again", 0.0), ("grey again", 1.0)):
        heat = integrated_gradients(shifted, lab.inputs + 1, lab.targets, baselines=start, n_steps=6)
        found[name] = judge.rank_correlation(plain, heat.sum(dim=1).abs()).mean().item()
    return found


@claim(
    "08b §9",
    "captum's mean of absolute gradients is further from SmoothGrad than its signed mean is, though not by much.",
    shown="0.91 and 0.94",
    holds=lambda v: (v["absolute"] < v["signed"]).all(),
)
def test_captums_absolute_mean_is_another_map(seed):
    from captum.attr import NoiseTunnel, Saliency

    lab, found = load_lab("scenes", seed=seed, n=3), {"signed": [], "absolute": []}
    for i in range(3):
        x, t = lab.inputs[i : i + 1], lab.targets[i : i + 1]
        ours = smooth_grad(lab.model, x, t, n_samples=40, noise_level=0.02).abs().amax(dim=1)
        for name, absolute in (("signed", False), ("absolute", True)):
            with torch.random.fork_rng():
                torch.manual_seed(seed + i)
                theirs = NoiseTunnel(Saliency(lab.model)).attribute(
                    x.clone(), nt_samples=40, stdevs=0.02 * (x.max() - x.min()).item(), target=t, abs=absolute
                )
            found[name].append(judge.rank_correlation(ours, theirs.detach().abs().amax(dim=1)).item())
    return {name: float(np.mean(values)) for name, values in found.items()}


@claim(
    "08b §10",
    "The largest fall comes with the last layer; saliency keeps more than gradient × input; of what saliency keeps at the end, most is there against another picture too.",
    shown="0.64 and 0.51 after the last layer; at the end 0.25 and 0.21, another picture 0.20 and 0.10",
    holds=lambda v: (
        (v["first fall"] > v["other falls"]).all()
        and v["saliency − times input"].min() > 0
        and v["saliency: another / end"].min() > 0.5
    ),
)
def test_random_weights_layer_by_layer(seed):
    lab = load_lab("scenes", seed=seed, n=12)

    def both(network):
        g = scores_gradient(network.eval(), lab.inputs, lab.targets)
        return {"saliency": g.abs().amax(dim=1), "times input": (g * lab.inputs).sum(dim=1).abs()}

    before, curves = both(lab.model), {"saliency": [1.0], "times input": [1.0]}
    for _, network in judge.randomize_cascade(lab.model, seed=seed):
        now = both(network)
        for name, curve in curves.items():
            curve.append(judge.rank_correlation(now[name], before[name]).mean().item())
    another = judge.rank_correlation(now["saliency"], before["saliency"].roll(1, dims=0)).mean().item()
    times = judge.rank_correlation(now["times input"], before["times input"].roll(1, dims=0)).mean().item()
    falls = [-np.diff(curve) for curve in curves.values()]
    return {
        "first fall": min(fall[0] for fall in falls),
        "other falls": max(fall[1:].max() for fall in falls),
        "saliency − times input": curves["saliency"][1] - curves["times input"][1],
        "saliency: another / end": another / curves["saliency"][-1],
        "times input: another / end": times / curves["times input"][-1],
    }


@claim(
    "08c §2",
    "FGSM of two levels makes many answers wrong; random signs and another scene's signs of four levels do hardly any harm; at 16 levels another scene's signs do more than random ones. Both networks.",
    shown="right 0.67 and 0.78 with FGSM, 0.98 or more with the others",
    holds=lambda v: (
        max(row.max() for name, row in v.items() if "FGSM" in name) < 0.9
        and min(row.min() for name, row in v.items() if "FGSM" not in name and "16" not in name) > 0.95
        and all((v[f"{n}, another's signs 16"] < v[f"{n}, random 16"]).all() for n in ("ResNet", "ZF-Net"))
    ),
)
def test_the_direction_fools_not_the_size(seed):
    lab = load_lab("scenes", seed=seed, n=40)
    x, t, found = lab.inputs, lab.targets, {}
    for name, network in (("ResNet", lab.model), ("ZF-Net", load_lab("scenes", model="zfnet").model)):
        start, signs = is_right(network, x, t).mean(), upwards(network, x, t)
        steps = {
            "FGSM 2": 2 * signs,
            "another's signs 4": 4 * signs.roll(1, dims=0),
            "another's signs 16": 16 * signs.roll(1, dims=0),
            "random 8": 8 * random_signs(x, seed),
            "random 16": 16 * random_signs(x, seed),
        }
        for kind, step in steps.items():
            found[f"{name}, {kind}"] = (
                is_right(network, (x + LEVEL * step).clamp(-1, 1), t).mean() / start
            ).item()
    return found


@claim(
    "08c §3",
    "At eight levels the honest network of the wolves is right less often than the one that reads the ground, after one step and after ten; random signs do no harm to either; ten steps do more than one.",
    shown="one step 0.60 against 0.90",
    holds=lambda v: (
        (v["honest, one step"] < v["shortcut, one step"]).all()
        and (v["honest, ten steps"] < v["shortcut, ten steps"]).all()
        and (v["honest, ten steps"] < v["honest, one step"]).all()
        and v["honest, ten steps"].max() < 0.1
        and min(v["honest, random"].min(), v["shortcut, random"].min()) > 0.95
    ),
)
def test_honest_is_not_hard_to_fool(seed):
    found = {}
    for name, kind in (("honest", "clean"), ("shortcut", "shortcut")):
        lab = load_lab("wolves", model=kind, seed=seed, n=40)
        model, x, t = lab.model, lab.inputs, lab.targets
        changed = {
            "random": (x + 8 * LEVEL * random_signs(x, seed)).clamp(-1, 1),
            "one step": (x + 8 * LEVEL * upwards(model, x, t)).clamp(-1, 1),
            "ten steps": pgd(model, x, t, 8 * LEVEL, bounds=(-1, 1)),
        }
        found |= {f"{name}, {how}": is_right(model, moved, t).mean().item() for how, moved in changed.items()}
    return found


def _after_the_attack(seed, n=40, at_most=16):
    lab = load_lab("scenes", seed=seed, n=n)
    attacked = (lab.inputs + 4 * LEVEL * upwards(lab.model, lab.inputs, lab.targets)).clamp(-1, 1)
    with torch.no_grad():
        answers = lab.model(attacked).argmax(dim=1)
    chosen = (answers != lab.targets).nonzero()[:at_most, 0]

    def maps(inputs, targets):
        ig = integrated_gradients(lab.model, inputs, targets, n_steps=5).sum(dim=1).abs()
        return {
            "saliency": saliency(lab.model, inputs, targets).amax(dim=1),
            "IG": ig,
            "Grad-CAM": upsample(grad_cam(lab.model, inputs, targets, lab.layer), inputs.shape[-2:]),
        }

    return lab.inputs[chosen], attacked[chosen], lab.targets[chosen], answers[chosen], lab.masks[chosen], maps


@claim(
    "08c §4",
    "The maps of the true class change more under the attack than under random signs of the same size; the opposite step changes saliency and IG at least as much, and Grad-CAM far less.",
    shown="0.46 / 0.44 / 0.59 against 0.75 / 0.62 / 0.99",
    holds=lambda v: (
        max(row.max() for name, row in v.items() if "random" in name) < 0
        and max(v["saliency, opposite − attack"].mean(), v["IG, opposite − attack"].mean()) < 0.02
        and v["Grad-CAM, opposite − attack"].min() > 0.15
    ),
)
def test_the_attack_moves_the_maps(seed):
    clean, attacked, true, _, _, maps = _after_the_attack(seed)
    before, after, helped = (
        maps(clean, true),
        maps(attacked, true),
        maps((2 * clean - attacked).clamp(-1, 1), true),
    )
    shaken = maps((clean + 4 * LEVEL * random_signs(clean, seed)).clamp(-1, 1), true)
    found = {}
    for name in before:
        attack, opposite, random = (
            judge.rank_correlation(changed[name], before[name]) for changed in (after, helped, shaken)
        )
        found[f"{name}, attack − random"] = judge.paired(attack, random).high
        found[f"{name}, opposite − attack"] = judge.paired(opposite, attack).mean
    return found


@claim(
    "08c §4",
    "The map of the wrong answer puts more on the object than the object's area, and less than the clean map did; which of two maps is which is told by this in most pairs, not nearly all.",
    shown="+0.06 / +0.15 / +0.12 above the area",
    holds=lambda v: (
        min(row.min() for name, row in v.items() if "area" in name) > 0
        and max(row.max() for name, row in v.items() if "clean" in name) < 0
        and all(0.5 < row.mean() < 0.85 for name, row in v.items() if "pairs" in name)
    ),
)
def test_the_wrong_answers_map_lies_on_the_object(seed):
    clean, attacked, true, wrong, masks, maps = _after_the_attack(seed)
    area, before, after = masks.float().mean(dim=(1, 2)), maps(clean, true), maps(attacked, wrong)
    found = {}
    for name in before:
        energy = judge.energy_in_mask(after[name], masks)
        found[f"{name} − area"] = judge.paired(energy, area).mean
        clean_energy = judge.energy_in_mask(before[name], masks)
        found[f"{name} − clean"] = judge.paired(energy, clean_energy).mean
        found[f"{name}, pairs"] = (energy[:, None] < clean_energy).float().mean().item()
    return found


@claim(
    "08c §5",
    "For the predicted class the maps of score and loss are nearly the same, for the second class they are not.",
    shown="rank correlation 0.98 and 0.78",
    holds=lambda v: v["predicted"].min() > 0.9 and (v["second"] < v["predicted"] - 0.05).all(),
)
def test_score_and_loss(seed):
    lab = load_lab("scenes", seed=seed, n=40)
    with torch.no_grad():
        two = lab.model(lab.inputs).topk(2, dim=1).indices
    result = {}
    for name, classes in (("predicted", two[:, 0]), ("second", two[:, 1])):
        leaf = lab.inputs.clone().requires_grad_()
        logits = lab.model(leaf)
        (score,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), leaf, retain_graph=True)
        (loss,) = torch.autograd.grad(F.cross_entropy(logits, classes, reduction="sum"), leaf)
        result[name] = judge.rank_correlation(score.abs().amax(dim=1), loss.abs().amax(dim=1)).median().item()
    return result


@claim(
    "08c §6",
    "captum's default loss on log-probabilities, and on negative logits, moves nearly every pixel the wrong way and fools nothing; on a very sure softmax it leaves most pixels alone.",
    shown="99 % and 92 % the wrong way, 1.00 right",
    holds=lambda v: (
        min(v["log-softmax, wrong way"].min(), v["logits − 30, wrong way"].min()) > 0.8
        and (v["log-softmax, right"] >= v["right before"]).all()
        and (v["logits − 30, right"] >= v["right before"]).all()
        and v["sure, not moved"].min() > 0.5
        and v["softmax, not moved"].max() < 0.1
        and (v["sure, right"] > v["softmax, right"]).all()
    ),
)
def test_the_default_loss_fails_without_a_word(seed):
    from captum.robust import FGSM

    lab = load_lab("scenes", seed=seed, n=20)
    endings = {
        "softmax": lambda inputs: lab.model(inputs).softmax(dim=1),
        "sure": lambda inputs: (4 * lab.model(inputs)).softmax(dim=1),
        "logits − 30": lambda inputs: lab.model(inputs) - 30,
        "log-softmax": lambda inputs: lab.model(inputs).log_softmax(dim=1),
    }
    proper = (lab.inputs + 2 * LEVEL * upwards(lab.model, lab.inputs, lab.targets)).clamp(-1, 1)
    found = {"right before": is_right(lab.model, lab.inputs, lab.targets).mean().item()}
    for name, network in endings.items():
        careless = FGSM(network, lower_bound=-1.0, upper_bound=1.0)
        moved = careless.perturb(lab.inputs.clone().requires_grad_(), 2 * LEVEL, target=lab.targets).detach()
        way = (moved - lab.inputs).sign() * (proper - lab.inputs).sign()
        found[f"{name}, wrong way"] = (way < 0).float().mean().item()
        found[f"{name}, not moved"] = (way == 0).float().mean().item()
        found[f"{name}, right"] = is_right(lab.model, moved, lab.targets).mean().item()
    return found


@claim(
    "08c §7",
    "Random signs of one level change none of the answers about the seven photographs.",
    shown="0 of 7 in three draws (one level along the gradient: 6 of 7)",
    holds=lambda changed: changed.max() == 0,
)
def test_random_signs_of_one_level_do_not_change_photographs(seed):
    photos = load_lab("photos")
    black, white = (photos.preprocess(np.full_like(photos.images[:1], v)) for v in (0, 255))
    moved = photos.to_images(photos.inputs + (white - black) / 255 * random_signs(photos.inputs, seed))
    said, then = photos.predict(photos.images), photos.predict(moved)
    return int((said.argmax(axis=1) != then.argmax(axis=1)).sum())
