"""Claims of lesson 15 on scenes that it never shows. The first one is also tried by `make test`."""

import torch
from replication import claim

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.lessons.l15_fooled import emptiest_corners, is_right
from course_utils.methods.attacks import fgsm, move_map, pgd
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import saliency, smooth_grad

LEVEL, BOX = 2 / 255, {"bounds": (-1.0, 1.0)}
MODELS = {"ResNet": "resnet", "ZF-Net": "zfnet", "robust twin": "zfnet_robust"}


def networks():
    return {name: load_lab("scenes", model=model) for name, model in MODELS.items()}


def scenes(seed, n):
    lab = load_lab("scenes", seed=seed, n=n)
    return lab.inputs, lab.targets, lab.masks


def random_signs(inputs, seed):
    return torch.randn(inputs.shape, generator=torch.Generator().manual_seed(seed)).sign()


@claim(
    "§6",
    "The twin's saliency lies more on the object than that of the ZF-Net.",
    shown="see the lesson's table",
    holds=lambda low: low.min() > 0,
)
def test_the_twins_saliency_lies_more_on_the_object(seed):
    x, t, masks = scenes(seed, 20)
    plain, robust = (
        judge.energy_in_mask(saliency(networks()[name].model, x, t).amax(dim=1), masks)
        for name in ("ZF-Net", "robust twin")
    )
    return judge.paired(robust, plain).low


@claim(
    "§4",
    "PGD of eight levels leaves next to nothing of ResNet and ZF-Net; the twin stays right more often; FGSM "
    "overrates all; random signs of eight levels do next to nothing.",
    shown="see the lesson's table",
    holds=lambda v: (
        max(v["ResNet, PGD"].max(), v["ZF-Net, PGD"].max()) < 0.2
        and (v["robust twin, PGD"] > v["ZF-Net, PGD"] + 0.1).all()
        and all((v[f"{name}, FGSM"] >= v[f"{name}, PGD"]).all() for name in MODELS)
        and min(v[f"{name}, random"].min() for name in MODELS) > 0.85
    ),
)
def test_pgd_finds_what_fgsm_misses(seed):
    x, t, _ = scenes(seed, 12)
    found = {}
    for name, lab in networks().items():
        moved = {
            "FGSM": fgsm(lab.model, x, t, 8 * LEVEL, **BOX),
            "PGD": pgd(lab.model, x, t, 8 * LEVEL, **BOX, n_steps=6),
            "random": (x + 8 * LEVEL * random_signs(x, seed)).clamp(-1, 1),
        }
        found |= {f"{name}, {k}": is_right(lab.model, v, t).mean().item() for k, v in moved.items()}
    return found


@claim(
    "§5",
    "What was made on the ResNet hardly harms the ZF-Net; what was made on the twin does.",
    shown="see the lesson's table",
    holds=lambda v: v["from ResNet"].min() > 0.6 and (v["from twin"] < v["from ResNet"] - 0.2).all(),
)
def test_attacks_travel_between_some_networks(seed):
    x, t, _ = scenes(seed, 12)
    nets = networks()
    made = {
        name: pgd(nets[name].model, x, t, 8 * LEVEL, **BOX, n_steps=6) for name in ("ResNet", "robust twin")
    }
    ask = nets["ZF-Net"].model
    return {
        "from ResNet": is_right(ask, made["ResNet"], t).mean().item(),
        "from twin": is_right(ask, made["robust twin"], t).mean().item(),
    }


@claim(
    "§7",
    "Saliency and Grad-CAM of the ZF-Net move into the square; random signs move nothing; the twin resists better.",
    shown="see the lesson's table",
    holds=lambda v: (
        min(v["saliency"].min(), v["Grad-CAM"].min()) > 0.3
        and max(v["random saliency"].max(), v["random Grad-CAM"].max()) < 0.15
        and (v["twin saliency"] < v["saliency"]).all()
        and (v["twin Grad-CAM"] < v["Grad-CAM"]).all()
        and v["same answer"].min() > 0.6
    ),
)
def test_a_map_moves_while_the_answer_stays(seed):
    x, t, masks = scenes(seed, 3)
    aims, found, same = emptiest_corners(masks), {}, []
    shaken = (x + 8 * LEVEL * random_signs(x, seed)).clamp(-1, 1)
    for name, prefix in (("ZF-Net", ""), ("robust twin", "twin ")):
        lab = networks()[name]

        def map_of(kind, inputs, lab=lab):
            if kind == "saliency":
                return saliency(lab.model, inputs, t).amax(dim=1)
            return upsample(grad_cam(lab.model, inputs, t, lab.layer), inputs.shape[-2:])

        for kind in ("saliency", "Grad-CAM"):
            layer = None if kind == "saliency" else lab.layer
            moved = move_map(lab.model, x, t, aims, 8 * LEVEL, layer, **BOX)
            found[prefix + kind] = judge.energy_in_mask(map_of(kind, moved), aims.bool()).mean().item()
            if not prefix:
                found["random " + kind] = (
                    judge.energy_in_mask(map_of(kind, shaken), aims.bool()).mean().item()
                )
                before = lab.model(x).argmax(dim=1)
                same.append(is_right(lab.model, moved, before).mean().item())
    return found | {"same answer": min(same)}


@claim(
    "§8",
    "SmoothGrad of the attacked pictures has far less in the square than their saliency; the saliency agrees less "
    "with SmoothGrad than before; with the last layer drawn anew it is as alike as before.",
    shown="see the lesson's table",
    holds=lambda v: (
        (v["SmoothGrad in the square"] < 0.6 * v["saliency in the square"]).all()
        and v["agreement lost"].min() > 0.05
        and v["object lost"].min() > 0.05
    ),
)
def test_a_second_method_notices(seed):
    x, t, masks = scenes(seed, 3)
    lab, aims = networks()["ZF-Net"], emptiest_corners(masks)
    moved = move_map(lab.model, x, t, aims, 8 * LEVEL, **BOX)
    heat, smooth = [], []
    for inputs in (x, moved):
        heat.append(saliency(lab.model, inputs, t).amax(dim=1))
        smooth.append(smooth_grad(lab.model, inputs, t, 20, 0.15).abs().amax(dim=1))
    agree = [judge.rank_correlation(a, b).mean().item() for a, b in zip(heat, smooth, strict=True)]
    on = [judge.energy_in_mask(h, masks).mean().item() for h in heat]
    return {
        "saliency in the square": judge.energy_in_mask(heat[1], aims.bool()).mean().item(),
        "SmoothGrad in the square": judge.energy_in_mask(smooth[1], aims.bool()).mean().item(),
        "agreement lost": agree[0] - agree[1],
        "object lost": on[0] - on[1],
    }
