"""Claims of lesson 15 on scenes that it never shows. The first one is also tried by `make test`."""

import torch
from replication import claim
from torch.nn import functional as F

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.lessons.l15_fooled import emptiest_corners, is_right
from course_utils.methods.attacks import fgsm, move_map, pgd
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import saliency, smooth_grad
from course_utils.training import pictures

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
    "§6",
    "Further training on clean pictures moves the ZF-Net's saliency onto the object, too.",
    shown="no figure",
    holds=lambda gains: gains.min() > 0,
)
def test_longer_training_moves_the_map_too(seed):
    x, t, masks = scenes(seed, 20)
    network = networks()["ZF-Net"].model
    before = judge.energy_in_mask(saliency(network, x, t).amax(dim=1), masks)
    data = pictures.rendered_pictures("scenes", 1000, 88_000 + 1000 * seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pictures.fit(network.requires_grad_(True), data, 1, pictures.ADVERSARIAL_LEARNING_RATE)
    after = judge.energy_in_mask(saliency(network, x, t).amax(dim=1), masks)
    return judge.paired(after, before).mean


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
    "§3",
    "Over two grey levels the lead of the right class falls by three quarters or more of what a line would.",
    shown="no figure",
    holds=lambda v: all(row.mean() > 0.75 and row.max() < 1.1 for row in v.values()),
)
def test_a_network_is_nearly_a_line_over_two_levels(seed):
    x, t, _ = scenes(seed, 12)

    def lead(model, inputs):
        scores = model(inputs)
        return scores.gather(1, t[:, None])[:, 0] - scores.scatter(1, t[:, None], -1e9).amax(dim=1)

    found = {}
    for name, lab in networks().items():
        leaf = x.clone().requires_grad_()
        before = lead(lab.model, leaf)
        (gradient,) = torch.autograd.grad(before.sum(), leaf)
        change = (x - 2 * LEVEL * gradient.sign()).clamp(-1, 1) - x
        with torch.no_grad():
            falls = lead(lab.model, x + change) - before
        found[name] = (falls / (gradient * change).flatten(1).sum(dim=1)).median().item()
    return found


@claim(
    "§5",
    "What was made on the ResNet hardly harms the ZF-Net; what was made on the twin does; what was made "
    "on the ZF-Net harms the twin much less. The ZF-Net's hardly harm the ResNet more than the ResNet's the ZF-Net.",
    shown="see the lesson's table",
    holds=lambda v: (
        v["from ResNet"].min() > 0.6
        and (v["from twin"] < v["from ResNet"] - 0.2).all()
        and (v["from twin"] < v["ZF-Net to twin"] - 0.2).all()
        and abs(v["ZF-Net to ResNet"].mean() - v["from ResNet"].mean()) < 0.15
    ),
)
def test_attacks_travel_between_some_networks(seed):
    x, t, _ = scenes(seed, 12)
    nets = networks()
    made = {name: pgd(nets[name].model, x, t, 8 * LEVEL, **BOX, n_steps=6) for name in MODELS}
    ask = nets["ZF-Net"].model
    return {
        "ZF-Net to twin": is_right(nets["robust twin"].model, made["ZF-Net"], t).mean().item(),
        "ZF-Net to ResNet": is_right(nets["ResNet"].model, made["ZF-Net"], t).mean().item(),
        "from ResNet": is_right(ask, made["ResNet"], t).mean().item(),
        "from twin": is_right(ask, made["robust twin"], t).mean().item(),
    }


@claim(
    "§7",
    "Saliency and Grad-CAM of the ZF-Net move into the square; random signs move nothing; the twin resists better. "
    "The answer stays nearly always with the saliency, and mostly with Grad-CAM.",
    shown="see the lesson's table",
    holds=lambda v: (
        min(v["saliency"].min(), v["Grad-CAM"].min()) > 0.3
        and max(v["random saliency"].max(), v["random Grad-CAM"].max()) < 0.15
        and (v["twin saliency"] < v["saliency"]).all()
        and (v["twin Grad-CAM"] < v["Grad-CAM"]).all()
        and v["saliency, same answer"].mean() > 0.9
        and v["Grad-CAM, same answer"].mean() > 0.7
    ),
)
def test_a_map_moves_while_the_answer_stays(seed):
    x, t, masks = scenes(seed, 3)
    aims, found = emptiest_corners(masks), {}
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
                found[f"{kind}, same answer"] = is_right(lab.model, moved, before).mean().item()
    return found


@claim(
    "§7",
    "With ReLU kept while searching, the picture does not change at all; with softplus the saliency moves.",
    shown="see the lesson's table",
    holds=lambda v: (v["changed by ReLU"] == 0).all() and v["softplus"].min() > 0.3,
)
def test_softplus_is_needed_to_move_a_saliency(seed):
    x, t, masks = scenes(seed, 3)
    lab, aims = networks()["ZF-Net"], emptiest_corners(masks)
    soft, hard = (move_map(lab.model, x, t, aims, 8 * LEVEL, beta=beta, **BOX) for beta in (20.0, 1e8))
    heat = saliency(lab.model, soft, t).amax(dim=1)
    return {
        "changed by ReLU": (hard - x).abs().max().item(),
        "softplus": judge.energy_in_mask(heat, aims.bool()).mean().item(),
    }


@claim(
    "§8",
    "The share on the object falls; SmoothGrad has far less in the square than the saliency; the coarse agreement "
    "with Grad-CAM falls; that with a random last layer and with noise of one level stays; deletion rises a little.",
    shown="see the lesson's table",
    holds=lambda v: (
        (v["SmoothGrad in the square"] < 0.6 * v["saliency in the square"]).all()
        and v["object lost"].min() > 0.05
        and v["Grad-CAM lost"].min() > 0.2
        and abs(v["random layer lost"]).max() < 0.2
        and abs(v["noise lost"]).max() < 0.1
        and v["deletion gained"].min() > 0
    ),
)
def test_who_notices(seed):
    x, t, masks = scenes(seed, 4)
    lab, aims = networks()["ZF-Net"], emptiest_corners(masks)
    moved = move_map(lab.model, x, t, aims, 8 * LEVEL, **BOX)
    last = next(net for _, net in judge.randomize_cascade(lab.model))
    rows = []
    for inputs in (x, moved):
        heat = saliency(lab.model, inputs, t).amax(dim=1)
        noisy = (inputs + LEVEL * random_signs(inputs, seed)).clamp(-1, 1)
        others = {
            "random layer": saliency(last, inputs, t).amax(dim=1),
            "noise": saliency(lab.model, noisy, t).amax(dim=1),
            "Grad-CAM": upsample(grad_cam(lab.model, inputs, t, lab.layer), inputs.shape[-2:]),
        }
        row = {k: alike(heat, other).mean().item() for k, other in others.items()}
        row["object"] = judge.energy_in_mask(heat, masks).mean().item()
        less = judge.deletion(lab.model, inputs, t, heat, substrate="blur", fractions=(0.05, 0.2, 0.5))
        rows.append(row | {"deletion": less.area.mean().item()})
    smooth = smooth_grad(lab.model, moved, t, 20, 0.15).abs().amax(dim=1)
    found = {f"{k} lost": rows[0][k] - rows[1][k] for k in ("object", "Grad-CAM", "random layer", "noise")}
    return found | {
        "deletion gained": rows[1]["deletion"] - rows[0]["deletion"],
        "saliency in the square": judge.energy_in_mask(heat, aims.bool()).mean().item(),
        "SmoothGrad in the square": judge.energy_in_mask(smooth, aims.bool()).mean().item(),
    }


def alike(heat, other):
    blocks = [F.avg_pool2d(maps[:, None], 16).flatten(1) for maps in (heat, other)]
    return torch.stack([torch.corrcoef(torch.stack(two))[0, 1] for two in zip(*blocks, strict=True)])


@claim(
    "§8",
    "Without the picture before: of an attacked and another clean picture, the attacked one has the saliency that is less "
    "like Grad-CAM in about nine of ten pairs, less like SmoothGrad in eight; the larger deletion in seven; the map "
    "that changes less with a random last layer in half. Noise of one level does not give it away.",
    shown="no figure",
    holds=lambda v: (
        0.85 < v["Grad-CAM"].mean()
        and 0.7 < v["SmoothGrad"].mean() < 0.9
        and 0.6 < v["deletion"].mean() < 0.8
        and 0.4 < v["random layer"].mean() < 0.6
        and v["noise"].mean() < 0.5
    ),
)
def test_who_notices_without_the_picture_before(seed):
    x, t, masks = scenes(seed, 8)
    lab = networks()["ZF-Net"]
    moved = move_map(lab.model, x, t, emptiest_corners(masks), 8 * LEVEL, **BOX)
    last = next(net for _, net in judge.randomize_cascade(lab.model, seed=seed))

    def looks(inputs):
        """What falls, or what rises with the other sign: `(N,)` for each look."""
        heat = saliency(lab.model, inputs, t).amax(dim=1)
        noisy = (inputs + LEVEL * random_signs(inputs, seed)).clamp(-1, 1)
        less = judge.deletion(lab.model, inputs, t, heat, substrate="blur", fractions=(0.05, 0.2, 0.5))
        return {
            "Grad-CAM": alike(heat, upsample(grad_cam(lab.model, inputs, t, lab.layer), inputs.shape[-2:])),
            "SmoothGrad": alike(heat, smooth_grad(lab.model, inputs, t, 20, 0.15).abs().amax(dim=1)),
            "deletion": -less.area,
            "random layer": -alike(heat, saliency(last, inputs, t).amax(dim=1)),
            "noise": alike(heat, saliency(lab.model, noisy, t).amax(dim=1)),
        }

    clean, attacked = looks(x), looks(moved)
    return {k: (attacked[k][:, None] < clean[k]).float().mean().item() for k in clean}


@claim(
    "§8",
    "The square blurred, the attacked picture keeps its answer; the object blurred, it does not.",
    shown="see the lesson's table",
    holds=lambda v: (v["square"] > v["attacked"] - 0.1).all() and (v["object"] < v["attacked"] - 0.4).all(),
)
def test_cover_what_the_map_names(seed):
    x, t, masks = scenes(seed, 4)
    lab, aims = networks()["ZF-Net"], emptiest_corners(masks)
    moved = move_map(lab.model, x, t, aims, 8 * LEVEL, **BOX)
    found, hidden = {}, judge.blur(moved)
    for name, region in (("attacked", masks & False), ("square", aims.bool()), ("object", masks)):
        with torch.no_grad():
            chance = lab.model(torch.where(region[:, None], hidden, moved)).softmax(dim=1)
        found[name] = chance.gather(1, t[:, None]).mean().item()
    return found


@claim(
    "Play",
    "At the same size the twin is right at least as often as the ZF-Net, scene by scene (nearly).",
    shown="no scene of a hundred that the twin loses first",
    holds=lambda lost_first: lost_first.max() <= 1,
)
def test_the_twin_hardly_loses_first(seed):
    x, t, _ = scenes(seed, 20)
    nets, lost_first = networks(), 0
    for levels in (4, 8):
        plain, robust = (
            is_right(nets[name].model, pgd(nets[name].model, x, t, levels * LEVEL, **BOX, n_steps=8), t)
            for name in ("ZF-Net", "robust twin")
        )
        lost_first += int(((plain == 1) & (robust == 0)).sum())
    return lost_first
