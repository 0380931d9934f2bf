"""What lesson 12 and its companions claim about judging, measured on material that they never show."""

import numpy as np
import torch
from replication import claim
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from course_utils import judge
from course_utils.judge.methods_table import image_methods
from course_utils.labs import load_lab
from course_utils.lessons import l12_judging_explanations as lesson
from course_utils.methods.cam import upsample
from course_utils.methods.gradients import input_x_gradient, integrated_gradients

METHODS = image_methods()


def asked(seed: int, n: int = 30):
    """Fresh scenes with two objects, asked for the first one: lab, inputs, classes, masks."""
    lab = load_lab("scenes", seed=seed, n=n, n_objects=2)
    return lab, lab.inputs, lab.targets[:, 0], lab.masks[:, 0]


def kept_order(lab, network, names: tuple[str, ...]) -> dict[str, float]:
    """How alike each method orders the pixels for the trained and for the randomised network, on average."""
    result = {}
    for name in names:
        before = METHODS[name].explain(lab.model, lab.inputs, lab.targets, lab.layer)
        after = METHODS[name].explain(network.eval(), lab.inputs, lab.targets, network.layer4)
        result[name] = judge.rank_correlation(before, after).mean().item()
    return result


@claim(
    "§8",
    "Maps first, then three questions, solves the detective's cases; questions alone, or maps alone, reach fewer points, "
    "two kinds drawn at random instead of the maps' two fewer still than questions alone; calling nobody broken, the fewest.",
    shown="100 % of the points against 89 % and 78 %",
    holds=lambda v: (
        v["both"].min() > 0.9
        and v["two at random"].mean() < v["questions alone"].mean()
        and (v["nobody is broken"] < v["maps alone"]).all()
        and v["questions alone"].mean() < v["both"].mean() - 0.05
        and v["maps alone"].mean() < v["both"].mean() - 0.05
    ),
)
def test_maps_and_questions(seed):
    case = load_lab("detective", seed=seed)
    points = {rule: case.verdict(said).score for rule, said in lesson.three_ways(case).items()}
    rng, kinds = np.random.default_rng(seed), list(case.choices)
    drawn = {name: lesson.ask_about(case, name, list(rng.permutation(kinds))[:2]) for name in case}
    return {
        "nobody is broken": case.verdict(dict.fromkeys(case)).score,
        "two at random": case.verdict(drawn).score,
        "both": points["maps, then questions"],
        "questions alone": points["questions alone"],
        "maps alone": points["maps alone"],
    }


@claim(
    "§1",
    "When the last block and the linear layer are random, guided backprop keeps its order of pixels, Grad-CAM does not.",
    shown="0.89 against 0.41",
    holds=lambda v: v["guided backprop"].min() > 0.8 and v["Grad-CAM"].max() < 0.6,
)
def test_the_puzzle(seed):
    lab = load_lab("scenes", seed=seed, n=12)
    network = next(n for name, n in judge.randomize_cascade(lab.model, seed=seed) if name == "layer4.conv1")
    return kept_order(lab, network, ("guided backprop", "Grad-CAM"))


@claim(
    "§3",
    "Guided backprop and Grad-CAM++ keep most of their order when the last layers, or the last one, are random, yet their "
    "strongest pixels follow the question in the trained network only; with one object guided backprop hits nearly as often.",
    shown="printed there",
    holds=lambda v: (
        all(
            v[f"{n}: trained"].min() > 0.7
            and all(abs(v[f"{n}: {part}"]).max() < 0.4 for part in ("fc", "layer4.conv1"))
            and v[f"{n}: order, fc"].min() > 0.8
            for n in ("guided backprop", "Grad-CAM++")
        )
        and v["guided backprop: one object, guessing"].min() > 0.7
    ),
)
def test_strongest_pixels_and_order(seed):
    lab, inputs, classes, truth = asked(seed)
    one, found, cascade = (
        load_lab("scenes", seed=seed, n=30),
        {},
        judge.randomize_cascade(lab.model, seed=seed),
    )
    networks = {"trained": lab.model}
    networks |= {name: net.eval() for name, net in cascade if name in ("fc", "layer4.conv1")}
    for n in ("guided backprop", "Grad-CAM++"):
        maps = {}
        for part, network in networks.items():
            maps[part], other = (
                METHODS[n].explain(network, inputs, c, network.layer4) for c in (classes, lab.targets[:, 1])
            )
            on_it = [judge.pointing_game(h, truth, 5).mean().item() for h in (maps[part], other)]
            found[f"{n}: {part}"] = on_it[0] - on_it[1]
        found[f"{n}: order, fc"] = judge.rank_correlation(maps["trained"], maps["fc"]).mean().item()
    guessing = networks["layer4.conv1"]
    heat = METHODS["guided backprop"].explain(guessing, one.inputs, one.targets, guessing.layer4)
    found["guided backprop: one object, guessing"] = judge.pointing_game(heat, one.masks, 5).mean().item()
    return found


@claim(
    "§5",
    "Grad-CAM++ resembles the sum of all channels; Grad-CAM with its negative weights set to 0 keeps its order, too, when "
    "the last layer is random.",
    shown="about 0.93",
    holds=lambda v: v["sum of the channels"].min() > 0.9 and v["no negative weights"].min() > 0.85,
)
def test_weights_never_negative(seed):
    lab, maps = load_lab("scenes", seed=seed, n=20), []
    _, random_last = next(iter(judge.randomize_cascade(lab.model, seed=seed)))
    for network in (lab.model, random_last.eval()):
        seen = {}
        hook = network.layer4.register_forward_hook(lambda _m, _i, out, seen=seen: seen.update(out=out))
        score = network(lab.inputs).gather(1, lab.targets[:, None]).sum()
        hook.remove()
        channels = seen["out"]
        weights = torch.autograd.grad(score, channels)[0].mean(dim=(2, 3), keepdim=True).clamp(min=0)
        maps.append((weights * channels).sum(dim=1).detach())
    plus = METHODS["Grad-CAM++"].explain(lab.model, lab.inputs, lab.targets, lab.layer)
    everything = upsample(
        channels.detach().sum(dim=1), plus.shape[1:]
    )  # a random last layer changes no channel
    return {
        "sum of the channels": judge.rank_correlation(plus, everything).mean().item(),
        "no negative weights": judge.rank_correlation(*maps).mean().item(),
    }


@claim(
    "§3",
    "With one object in the middle the centre's blob points as well as Grad-CAM; with two objects it is near zero.",
    shown="1.00 against 1.00; 0.02 against 0.90",
    holds=lambda v: (
        v["middle: Grad-CAM − centre"].max() < 0.1
        and v["two: centre"].max() < 0.25
        and v["two: Grad-CAM"].min() > 0.8
    ),
)
def test_the_centre_trap(seed):
    lab = load_lab("scenes", seed=seed, n=80)
    inputs, masks, numbers = lesson.centred(lab)
    hits = {
        name: judge.pointing_game(
            METHODS[name].explain(lab.model, inputs, lab.targets[numbers], lab.layer), masks, 5
        )
        for name in ("Grad-CAM", "centre")
    }
    pairs, pictures, classes, truth = asked(seed)
    two = {
        name: judge.pointing_game(
            METHODS[name].explain(pairs.model, pictures, classes, pairs.layer), truth, 5
        )
        for name in ("Grad-CAM", "centre")
    }
    return {
        "middle: Grad-CAM − centre": judge.paired(hits["Grad-CAM"], hits["centre"]).mean,
        "two: Grad-CAM": two["Grad-CAM"].mean().item(),
        "two: centre": two["centre"].mean().item(),
    }


@claim(
    "§4",
    "By deletion, Grad-CAM is better than saliency, and saliency than a random order.",
    shown="0.05, 0.12, 0.31",
    holds=lambda v: (v["Grad-CAM"] < v["saliency"]).all() and (v["saliency"] < v["random"]).all(),
)
def test_deletion(seed):
    lab, inputs, classes, _ = asked(seed, 20)
    return {
        name: judge.deletion(
            lab.model,
            inputs,
            classes,
            METHODS[name].explain(lab.model, inputs, classes, lab.layer),
            substrate="blur",
            fractions=(0.04, 0.15, 0.4),
        )
        .area.mean()
        .item()
        for name in ("Grad-CAM", "saliency", "random")
    }


@claim(
    "§4",
    "Half of the object's pixels gone in one piece costs more of the probability than half of them scattered over it "
    "where a light blur fills the holes; with the mean colour much less of the gap is left.",
    shown="gaps of 0.25 and 0.08",
    holds=lambda v: (
        (v["light blur"] > 0.1).all()
        and (v["mean colour"] < v["light blur"]).all()
        and v["mean colour"].mean() < v["light blur"].mean() / 3
    ),
)
def test_scattered_holes(seed):
    lab = load_lab("scenes", seed=seed, n=60)
    x, result = lab.inputs, {}
    for name, empty in (("light blur", judge.blur(x)), ("mean colour", x.mean((2, 3), True))):
        left = []
        for scattered in (False, True):
            half = lesson.half_of(lab.masks, scattered=scattered, seed=seed)[:, None]
            with torch.no_grad():
                p = lab.model(torch.where(half, empty, x)).softmax(dim=1)
            left.append(p.gather(1, lab.targets[:, None]).mean().item())
        result[name] = left[1] - left[0]
    return result


def shuffled_in_blocks(heat, side, seed):
    """Maps `(N, H, W)` whose pixels change places inside blocks of `side` × `side`."""
    n, height, width = heat.shape
    blocks = heat.view(n, height // side, side, width // side, side).transpose(2, 3)
    flat = blocks.reshape(n, -1, side * side)
    keys = torch.rand(flat.shape, generator=torch.Generator().manual_seed(seed))
    return flat.gather(2, keys.argsort(dim=2)).view(blocks.shape).transpose(2, 3).reshape(heat.shape)


@claim(
    "§4",
    "Grad-CAM shuffled inside blocks of 16 × 16 pixels is hardly worse by deletion, and by insertion into a blur; by "
    "insertion into grey it is.",
    shown="0.01 to 0.03; 0.1 or more",
    holds=lambda v: (
        all(v[f"deletion, {s}"].min() > -0.005 and v[f"deletion, {s}"].max() < 0.04 for s in ("blur", "zero"))
        and abs(v["insertion, blur"]).max() < 0.03
        and v["insertion, zero"].max() < -0.05
    ),
)
def test_connected_pixels(seed):
    lab, inputs, classes, _ = asked(seed)
    heat = METHODS["Grad-CAM"].explain(lab.model, inputs, classes, lab.layer)
    mixed, found = shuffled_in_blocks(heat, 16, seed), {}
    for measure in (judge.deletion, judge.insertion):
        for substrate in ("blur", "zero"):
            how = {"substrate": substrate, "fractions": (0.04, 0.15, 0.4)}
            areas = [measure(lab.model, inputs, classes, h, **how).area for h in (mixed, heat)]
            found[f"{measure.__name__}, {substrate}"] = judge.paired(*areas).mean
    return found


@claim(
    "§4",
    "The network names one class for an empty picture, and that class's deletion curves end higher.",
    shown="0.30 against 0.08 (grey), 0.35 against 0.07 (blurred)",
    holds=lambda v: (v["grey: own − others"] > 0.1).all() and (v["blurred: own − others"] > 0.1).all(),
)
def test_empty_pictures(seed):
    lab = load_lab("scenes", seed=seed, n=60)
    result = {}
    for name, empty in (("grey", torch.zeros_like(lab.inputs)), ("blurred", judge.blur(lab.inputs, 24))):
        with torch.no_grad():
            p = lab.model(empty).softmax(dim=1)
        ends, own = p.gather(1, lab.targets[:, None])[:, 0], lab.targets == p.mean(dim=0).argmax()
        result[f"{name}: own − others"] = float(ends[own].mean() - ends[~own].mean())
    return result


@claim(
    "12b §2",
    "A constant map wins sensitivity; of the others CAM and Grad-CAM move less than the edges, which ignore the model, these less than guided backprop, and that less than saliency.",
    shown="0.00; 0.01, 0.01, 0.08, 0.18, 0.39",
    holds=lambda v: (
        (v["constant"] == 0).all()
        and (np.maximum(v["CAM"], v["Grad-CAM"]) < v["edges (Sobel)"]).all()
        and (v["edges (Sobel)"] < v["guided backprop"]).all()
        and (v["Grad-CAM"] < v["guided backprop"]).all()
        and (v["guided backprop"] < v["saliency"]).all()
    ),
)
def test_sensitivity(seed):
    lab, inputs, classes, _ = asked(seed, 6)
    noise = 0.05 * (2 * torch.rand(4, *inputs.shape, generator=torch.Generator().manual_seed(seed)) - 1)

    def sensitivity(name):
        def explain(v):
            return METHODS[name].explain(lab.model, v, classes, lab.layer)

        return judge.sensitivity_max(explain, inputs, perturbations=noise).mean().item()

    asked_for = ("constant", "CAM", "Grad-CAM", "edges (Sobel)", "guided backprop", "saliency")
    return {n: sensitivity(n) for n in asked_for}


@claim(
    "12b §2",
    "The third power of Grad-CAM, with the same order of pixels, has more energy on the object.",
    shown="printed there",
    holds=lambda v: (v["cubed"] > v["plain"] + 0.1).all() and (abs(v["IoU"]) < 0.005).all(),
)
def test_energy_follows_the_spread(seed):
    lab, inputs, classes, truth = asked(seed)
    heat = METHODS["Grad-CAM"].explain(lab.model, inputs, classes, lab.layer).clamp(min=0).double()
    return {
        "plain": judge.energy_in_mask(heat, truth).mean().item(),
        "cubed": judge.energy_in_mask(heat**3, truth).mean().item(),
        "IoU": float((judge.mask_iou(heat**3, truth) - judge.mask_iou(heat, truth)).mean()),
    }


@claim(
    "12b §2",
    "In the trained network the maxima of guided backprop and of guided Grad-CAM follow the question, in the guessing one hardly; guided backprop keeps the order of all pixels, guided Grad-CAM does not, though SSIM calls its maps alike.",
    shown="0.92 and 0.06 against 0.58 and 0.56 (guided backprop); rank correlations printed there",
    holds=lambda v: (
        all(v[f"{n}: trained"].min() > 0.7 for n in ("guided backprop", "guided Grad-CAM"))
        and all(abs(v[f"{n}: guessing"]).max() < 0.5 for n in ("guided backprop", "guided Grad-CAM"))
        and abs(v["guided backprop: guessing"].mean()) < 0.15
        and v["guided backprop: order"].min() > 0.8
        and v["guided Grad-CAM: order"].max() < 0.6
        and v["guided Grad-CAM: SSIM"].min() > 0.6
    ),
)
def test_what_guided_maps_notice(seed):
    lab, inputs, classes, truth = asked(seed)
    cascade = judge.randomize_cascade(lab.model, seed=seed)
    guessing = next(n for name, n in cascade if name == "layer4.conv1").eval()
    found = {}
    for name in ("guided backprop", "guided Grad-CAM"):
        maps = []
        for kind, network in (("trained", lab.model), ("guessing", guessing)):
            heat, other = (
                METHODS[name].explain(network, inputs, c, network.layer4)
                for c in (classes, lab.targets[:, 1])
            )
            on_it = [judge.pointing_game(h, truth, 5).mean().item() for h in (heat, other)]
            found[f"{name}: {kind}"] = on_it[0] - on_it[1]
            maps.append(heat)
        found[f"{name}: order"] = judge.rank_correlation(*maps).mean().item()
        found[f"{name}: SSIM"] = judge.ssim(*maps).mean().item()
    return found


@claim(
    "§4",
    "The caption matters to the shortcut model alone; Grad-CAM shows it, the edges are the same for both models.",
    shown="fall 0.93 and −0.03; Grad-CAM on the caption 0.29 and 0.04",
    holds=lambda v: (
        v["fall, shortcut"].min() > 0.5
        and abs(v["fall, clean"]).max() < 0.1
        and (v["on caption, shortcut"] > 3 * v["on caption, clean"]).all()
    ),
)
def test_right_explanation_of_a_wrong_model(seed):
    result = {}
    for kind in ("clean", "shortcut"):
        lab = load_lab("watermark", model=kind, seed=seed, n=24)
        horse = lab.class_names.index("horse")
        target = torch.full((len(lab),), horse)
        heat = METHODS["Grad-CAM"].explain(lab.model, lab.inputs, target, lab.layer)
        fall = lab.predict(lab.images)[:, horse] - lab.predict(lab.counterfactuals)[:, horse]
        result[f"fall, {kind}"] = float(fall.mean())
        result[f"on caption, {kind}"] = judge.energy_in_mask(heat, lab.shortcut).mean().item()
    return result


@claim(
    "§5",
    "With a random last layer guided backprop and Grad-CAM++ keep most of their order; CAM and Grad-CAM change a lot; saliency is in between.",
    shown="0.94, 0.95; 0.04, 0.18; 0.63",
    holds=lambda v: (
        min(v["guided backprop"].min(), v["Grad-CAM++"].min()) > 0.8
        and (v["saliency"] < v["guided backprop"]).all()
        and (v["Grad-CAM"] < v["saliency"]).all()
        and (v["CAM"] < v["saliency"]).all()
    ),
)
def test_random_last_layer(seed):
    lab = load_lab("scenes", seed=seed, n=12)
    _, network = next(iter(judge.randomize_cascade(lab.model, seed=seed)))
    return kept_order(lab, network, ("saliency", "guided backprop", "CAM", "Grad-CAM", "Grad-CAM++"))


@claim(
    "12d §3",
    "Maps of an honest network are less like a memoriser's than like another honest network's, for each method; for Grad-CAM by far the most.",
    shown="saliency +0.05, gradient × input +0.05, guided backprop +0.06, Grad-CAM +0.47",
    holds=lambda v: (
        all(gaps.min() > 0 for gaps in v.values())
        and all((v["Grad-CAM"] > 2 * gaps).all() for name, gaps in v.items() if name != "Grad-CAM")
    ),
)
def test_random_labels(seed):
    animals = lesson.small_animals(105, seed=seed)
    x, y, v, t = animals.pictures[:75], animals.labels[:75], animals.pictures[75:], animals.labels[75:]
    seeds = [3 * seed + k for k in range(3)]
    honest = [lesson.train(x, y, 75, s) for s in seeds]
    nonsense = [torch.randint(2, (75,), generator=torch.Generator().manual_seed(s)) for s in seeds]
    memorisers = [lesson.train(x, z, 75, s + 7) for z, s in zip(nonsense, seeds, strict=True)]
    gaps = {}
    for name in ("saliency", "gradient × input", "guided backprop", "Grad-CAM"):
        a, b = ([METHODS[name].explain(n, v, t, n[6]) for n in nets] for nets in (honest, memorisers))
        among = [judge.rank_correlation(a[i], a[j]).mean() for i, j in ((0, 1), (0, 2), (1, 2))]
        across = [judge.rank_correlation(h, m).mean() for h in a for m in b]
        gaps[name] = float(np.mean(among) - np.mean(across))
    return gaps


@claim(
    "12d §3",
    "Maps of single pixels are alike even for different pictures, and follow the ways from a pixel to the last maps more than the edges; Grad-CAM does not.",
    shown="printed there",
    holds=lambda v: (
        all(
            (v[f"{n}: ways"] > v[f"{n}: edges"] + 0.1).all() and (v[f"{n}: another picture"] > 0.4).all()
            for n in ("saliency", "gradient × input", "guided backprop")
        )
        and (v["Grad-CAM: ways"] < 0.4).all()
        and (v["Grad-CAM: another picture"] < 0.4).all()
    ),
)
def test_ways_from_a_pixel(seed):
    animals = lesson.small_animals(105, seed=seed)
    x, y, v, t = animals.pictures[:75], animals.labels[:75], animals.pictures[75:], animals.labels[75:]
    networks = [lesson.train(x, y, 75, 2 * seed + k) for k in (0, 1)]
    layers = [torch.nn.Conv2d(1, 1, 5, stride=2), torch.nn.Conv2d(1, 1, 3), torch.nn.AvgPool2d(2)]
    counter = torch.nn.Sequential(*layers, torch.nn.Conv2d(1, 1, 3))
    for weights in counter.parameters():
        torch.nn.init.ones_(weights)
    empty = torch.zeros(1, 1, 32, 32, requires_grad=True)
    counter(empty).sum().backward()  # each weight is 1: the gradient counts the ways
    edges, found = METHODS["edges (Sobel)"].explain(networks[0], v, t, networks[0][6]), {}
    for n in ("saliency", "gradient × input", "guided backprop", "Grad-CAM"):
        one, two = (METHODS[n].explain(network, v, t, network[6]) for network in networks)
        others = {"another picture": two.roll(1, dims=0), "edges": edges}
        others["ways"] = empty.grad[0].expand(len(v), -1, -1)
        found |= {f"{n}: {k}": judge.rank_correlation(one, o).mean().item() for k, o in others.items()}
    return found


@claim(
    "12b §3",
    "By deletion gradient × input is before saliency with grey, and behind it with a blur.",
    shown="printed there",
    holds=lambda v: (
        (v["grey"] < 0.01).all()
        and v["grey"].mean() < 0
        and (v["blur, 2"] > 0).all()
        and (v["blur, 16"] > 0).all()
    ),
)
def test_grey_or_blurred(seed):
    lab = load_lab("scenes", seed=seed, n=40)
    x, c, gaps = lab.inputs, lab.targets, {}
    maps = [METHODS[n].explain(lab.model, x, c, lab.layer) for n in ("gradient × input", "saliency")]
    empty = {"grey": torch.zeros_like(x), "blur, 2": judge.blur(x, 2), "blur, 16": judge.blur(x, 16)}
    for name, substrate in empty.items():
        how = {"substrate": substrate, "fractions": (0.04, 0.15, 0.4)}
        areas = [judge.deletion(lab.model, x, c, heat, **how).area for heat in maps]
        gaps[name] = judge.paired(*areas).mean
    return gaps


@claim(
    "12b §4",
    "The size of a part alone (the constant map) explains a part of the order in which the parts matter; guided backprop explains more, for a guessing network nearly as much; Grad-CAM is not above the edges.",
    shown="rank correlations, drawn there",
    holds=lambda v: (
        v["constant"].min() > 0.15
        and (np.minimum(v["guided backprop"], v["guessing"]) > v["constant"] + 0.05).all()
        and abs(v["guided backprop"] - v["guessing"]).mean() < 0.08
        and v["edges (Sobel)"].mean() > v["constant"].mean() + 0.05
        and (v["Grad-CAM"] < v["edges (Sobel)"] + 0.05).all()
    ),
)
def test_size_of_parts(seed):
    lab = load_lab("scenes", seed=seed, n=40)
    guessing = next(n for name, n in judge.randomize_cascade(lab.model, seed=seed) if name == "layer4.conv1")
    maps = {
        name: METHODS[name].explain(lab.model, lab.inputs, lab.targets, lab.layer)
        for name in ("constant", "edges (Sobel)", "guided backprop", "Grad-CAM")
    }
    maps["guessing"] = METHODS["guided backprop"].explain(
        guessing.eval(), lab.inputs, lab.targets, guessing.layer4
    )
    soft, correlations = judge.blur(lab.inputs, 8), {name: [] for name in maps}
    for n in range(len(lab)):
        part_masks = [(lab.parts[n] == p) & lab.masks[n] for p in lab.parts[n][lab.masks[n]].unique() if p]
        part_masks = [m for m in part_masks if m.sum() >= 30]
        if len(part_masks) < 3:
            continue
        pictures = torch.stack([lab.inputs[n], *(torch.where(m, soft[n], lab.inputs[n]) for m in part_masks)])
        with torch.no_grad():
            scores = lab.model(pictures)[:, lab.targets[n]]
        for name, heat in maps.items():
            mass = torch.stack([heat[n][m].clamp(min=0).sum() for m in part_masks])
            found = judge.rank_correlation(mass[None], (scores[0] - scores[1:])[None]).item()
            correlations[name].append(found)
    return {name: float(np.mean(values)) for name, values in correlations.items()}


@claim(
    "12b §5",
    "A shift of all pictures, undone in the first layer, leaves integrated gradients from the blurred picture as they are; those from zero, and gradient × input, change.",
    shown="1.00; 0.72 and 0.81",
    holds=lambda v: (
        v["IG, blurred picture"].min() > 0.999
        and max(v["IG, zero"].max(), v["gradient × input"].max()) < 0.95
    ),
)
def test_input_invariance(seed):
    animals = lesson.small_animals(60, seed=seed)
    network, shifted = lesson.train(animals.pictures, animals.labels, 20, seed), lesson.tiny_network(0).eval()
    shifted.load_state_dict(network.state_dict())
    shift = torch.rand(1, 3, 1, 1, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    with torch.no_grad():
        shifted[0].bias -= (network[0].weight * shift).sum(dim=(1, 2, 3))
    x, y = animals.pictures[:20], animals.labels[:20]

    def integrated(net, x, start):
        return integrated_gradients(net, x, y, baselines=start, n_steps=12)

    checks = {
        "IG, blurred picture": lambda net, x: integrated(net, x, judge.blur(x, 4)),
        "IG, zero": lambda net, x: integrated(net, x, torch.zeros(1, 3, 1, 1)),
        "gradient × input": lambda net, x: input_x_gradient(net, x, y),
    }
    pairs = {
        n: [of(*at).sum(dim=1).abs() for at in ((network, x), (shifted, x + shift))]
        for n, of in checks.items()
    }
    return {n: judge.rank_correlation(*maps).mean().item() for n, maps in pairs.items()}


@claim(
    "12d §1",
    "Trained again, accuracy on the tumours hardly falls until ten columns are gone, in each order; not trained again it falls; with 20 gone the coefficients cost more than random columns.",
    shown="drawn there",
    holds=lambda v: (
        min(v["coefficients, 10"].min(), v["random, 10"].min(), v["table, 10"].min()) > 0.95
        and (v["not trained again, 10"] < v["coefficients, 10"] - 0.02).all()
        and (v["coefficients, 20"] < np.minimum(v["random, 20"], v["table, 20"])).all()
    ),
)
def test_train_again_on_a_table(seed):
    table, tumour = load_breast_cancer(return_X_y=True)
    table, rows_of = (table - table.mean(axis=0)) / table.std(axis=0), []
    for split in range(10 * seed, 10 * seed + 10):
        known, asked, told, true = train_test_split(
            table, tumour, test_size=0.4, random_state=split, stratify=tumour
        )
        fitted = LogisticRegression(max_iter=200).fit(known, told)
        orders = {"coefficients": np.abs(fitted.coef_[0]).argsort()[::-1], "table": np.arange(30)}
        orders["random"] = np.random.default_rng(split).permutation(30)
        row = {}
        for name, order in orders.items():
            for count in (10, 20):
                kept = ~np.isin(np.arange(30), order[:count])
                again = LogisticRegression(max_iter=200).fit(known[:, kept], told)  # the columns are left out
                row[f"{name}, {count}"] = again.score(asked[:, kept], true)
                if name == "coefficients":
                    row[f"not trained again, {count}"] = fitted.score(asked * kept, true)
        rows_of.append(row)
    return {key: float(np.mean([row[key] for row in rows_of])) for key in rows_of[0]}


@claim(
    "12d §2",
    "The holes of Grad-CAM and of saliency tell the class better than random holes; those of the animal do not tell it.",
    shown="printed there",
    holds=lambda v: (
        min(v["Grad-CAM"].mean(), v["saliency"].mean()) > v["random"].mean() + 0.05
        and abs(v["random"].mean() - 0.5) < 0.08
        and abs(v["the animal"].mean() - 0.5) < 0.08
    ),
)
def test_holes_tell_the_class(seed):
    animals = lesson.small_animals(320, seed=seed)
    x, y = animals.pictures, animals.labels
    first = lesson.train(x[:220], y[:220], 22, seed)
    found = {}
    for name in ("Grad-CAM", "saliency", "random", "the animal"):
        is_animal = name == "the animal"
        heat = animals.masks.float() if is_animal else METHODS[name].explain(first, x, y, first[6])
        heat = heat + 1e-6 * heat.amax(dim=(1, 2), keepdim=True) * judge.baselines.random(x)
        limit = heat.flatten(1).quantile(0.7, dim=1)[:, None, None]
        holes = (heat > limit)[:, None].float().expand(-1, 3, -1, -1) * 2 - 1
        network = lesson.train(holes[:220], y[:220], 22, seed)
        found[name] = lesson.hits(network, holes[220:], y[220:]).mean().item()
    return found


@claim(
    "12d §2",
    "Trained again without the animal it is near guessing; without as many random pixels it knows more; without saliency's less than without random ones each time, without Grad-CAM's not each time.",
    shown="printed there",
    holds=lambda v: (
        v["the animal"].max() < 0.65
        and v["random"].mean() > v["the animal"].mean() + 0.05
        and (v["saliency"] < v["random"]).all()
        and not (v["Grad-CAM"] < v["random"]).all()
    ),
)
def test_train_again_without_the_animal(seed):
    animals = lesson.small_animals(360, seed=seed)
    x, y = animals.pictures, animals.labels
    found, first = {}, lesson.train(x[:260], y[:260], 22, 2 * seed)
    maps = {"the animal": animals.masks.float(), "random": torch.zeros(len(x), 32, 32)}
    maps |= {n: METHODS[n].explain(first, x, y, first[6]) for n in ("saliency", "Grad-CAM")}
    for name, heat in maps.items():
        heat = heat + 1e-6 * heat.amax(dim=(1, 2), keepdim=True).clamp(min=1e-6) * judge.baselines.random(x)
        gone = (heat > heat.flatten(1).quantile(0.7, dim=1)[:, None, None])[:, None]
        left = torch.where(gone, x.mean(dim=(2, 3), keepdim=True), x)
        networks = [lesson.train(left[:260], y[:260], 22, 2 * seed + k) for k in (0, 1)]
        hits = [lesson.hits(network, left[260:], y[260:]).mean() for network in networks]
        found[name] = float(np.mean(hits))
    return found


@claim(
    "12d §3",
    "With one reference network only, the verdict on a method can depend on the seed of the reference.",
    shown="methods with different verdicts, printed there",
    holds=lambda different: (different > 0).sum() >= 2,
)
def test_one_reference(seed):
    animals = lesson.small_animals(300, seed=seed)
    x, y, v, t = animals.pictures, animals.labels, animals.pictures[260:], animals.labels[260:]
    seeds = [3 * seed + k for k in range(3)]
    nonsense = [torch.randint(2, (75,), generator=torch.Generator().manual_seed(s)) for s in seeds]
    networks = [lesson.train(x[:75], y[:75], 75, s) for s in seeds]
    networks += [lesson.train(x[:75], z, 75, s + 7) for z, s in zip(nonsense, seeds, strict=True)]
    references = [lesson.train(x[:260], y[:260], 22, 50 * seed + k) for k in range(5)]
    different = 0
    for name in ("saliency", "gradient × input", "Integrated Gradients", "guided backprop", "Grad-CAM"):
        maps = [METHODS[name].explain(n, v, t, n[6]) for n in networks]
        passed = []
        for reference in references:
            heat = METHODS[name].explain(reference, v, t, reference[6])
            alike = [float(judge.rank_correlation(heat, other).mean()) for other in maps]
            passed.append(min(alike[:3]) > max(alike[3:]))
        different += 0 < sum(passed) < 5
    return float(different)
