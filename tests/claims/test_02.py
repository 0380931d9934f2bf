"""What lesson 02 and its companions claim about the deconvnet, measured on scenes that they never show."""

from collections import OrderedDict

import numpy as np
import torch
from replication import claim
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional as F

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.labs.rendered import zfnet_checkpoints
from course_utils.lessons import l02_zfnet_deconvnet as shared
from course_utils.lessons.l02_zfnet_deconvnet import RELUS, magnitude, maxima, run_to
from course_utils.methods.deconvnet import deconvnet, guided_backprop
from course_utils.methods.gradients import saliency
from course_utils.methods.occlusion import occlusion


def fresh(seed: int, n: int, n_objects: int = 1):
    return load_lab("scenes", model="zfnet", seed=seed, n=n, n_objects=n_objects)


@claim(
    "§9",
    "Two classes start as two signals. With the changed rules most of the question is lost at the first step, and "
    "at the pixels they are alike; with the gradient, or if as many values are cut off by chance, they stay two.",
    shown="at the pixels 0.98, 0.85, 0.00; at relu5 0.73, 0.65; at relu6 0.0",
    holds=lambda v: (
        abs(v["relu6"]).max() < 0.3
        and min(v["deconvnet relu5"].min(), v["guided relu5"].min()) > 0.55
        and v["guided"].min() > 0.95
        and v["deconvnet"].min() > 0.7
        and abs(v["gradient"]).max() < 0.3
        and abs(v["by chance"]).max() < 0.3
    ),
)
def test_two_questions_become_one_signal(seed):
    lab = fresh(seed, 12)
    other = (lab.targets + 1 + torch.arange(len(lab)) % 9) % 10
    found = {}
    for rule in ("gradient", "deconvnet", "guided"):
        one, two = (
            shared.signals_back(lab.model, lab.inputs, classes, rule) for classes in (lab.targets, other)
        )
        for name, key in (("relu6", "relu6"), ("relu5", f"{rule} relu5"), ("pixels", rule)):
            found[key] = F.cosine_similarity(one[name].flatten(1), two[name].flatten(1)).mean().item()

    def by_chance(module, old, signal):
        """As the deconvnet: as many of the values are cut off, but not by their sign."""
        kept = (signal[0] > 0).sum() / (signal[0] != 0).sum().clamp(min=1)
        return (signal[0] * (torch.rand_like(signal[0]) < kept),)

    torch.manual_seed(seed)
    ends = []
    for classes in (lab.targets, other):
        leaf = lab.inputs.clone().requires_grad_()
        relus = [module for module in lab.model if isinstance(module, nn.ReLU)]
        handles = [module.register_full_backward_hook(by_chance) for module in relus]
        ends.append(
            torch.autograd.grad(lab.model(leaf).gather(1, classes[:, None]).sum(), leaf)[0].flatten(1)
        )
        for handle in handles:
            handle.remove()
    return found | {"by chance": F.cosine_similarity(*ends).mean().item()}


@claim(
    "§5",
    "In relu1 each channel draws its own pattern; from relu3 on, another channel at the same place, or one of another "
    "class, draws nearly the same picture. The same channel of a network with random weights does not.",
    shown="relu1 0.08, relu3 0.84, relu5 0.88",
    holds=lambda v: (
        v["relu1"].max() < 0.3
        and (v["relu2"] < v["relu3"] - 0.1).all()
        and min(v[f"{kind}{n}"].min() for kind in ("", "another class, ") for n in RELUS[2:]) > 0.7
        and v["random weights, relu5"].max() < 0.4
    ),
)
def test_another_channel_draws_the_same(seed):
    lab = fresh(seed, 100)
    model, found, cosines = lab.model, maxima(lab.model, lab.inputs, RELUS), {}
    *_, (_, all_random) = judge.randomize_cascade(model, seed=seed)

    def cosine(one, two):
        return F.cosine_similarity(one.flatten(1), two.flatten(1))

    for name in RELUS:
        values, places = found[name]
        alive = (values.amax(dim=0) > 0).nonzero()[:, 0]
        own = alive[torch.randperm(len(alive), generator=torch.Generator().manual_seed(seed))[:24]]
        best = values[:, own].argmax(dim=0)
        at, pictures = places[best, own], lab.inputs[best]
        other = shared.another_channel(model, pictures, name, own, at, seed=seed)
        one, two = (deconvnet(model, pictures, name, k, at) for k in (own, other))
        alike, favourite = cosine(one, two), shared.favourite_class(values, lab.targets)[0]
        cosines[name] = alike.mean().item()
        if name in RELUS[2:]:
            cosines[f"another class, {name}"] = alike[favourite[own] != favourite[other]].mean().item()
    drawn = deconvnet(all_random, pictures, "relu5", own, at)
    return cosines | {"random weights, relu5": cosine(one, drawn)[drawn.flatten(1).any(dim=1)].mean().item()}


@claim(
    "§7",
    "Guided backpropagation is better than the edge filter by both measures; the deconvnet is below it by energy.",
    shown="energy +0.22, pointing +0.10; −0.06",
    holds=lambda v: v["energy"].min() > 0.1 and v["pointing"].min() > 0 and v["deconvnet"].max() < 0,
)
def test_guided_finds_the_object(seed):
    lab = fresh(seed, 60)
    parts = list(zip(lab.inputs.split(20), lab.targets.split(20), strict=True))
    guided = torch.cat([magnitude(guided_backprop(lab.model, *part)) for part in parts])
    drawn = torch.cat([magnitude(deconvnet(lab.model, x, "fc7", target)) for x, target in parts])
    edges = judge.baselines.sobel(lab.inputs)
    energy = [judge.energy_in_mask(maps, lab.masks) for maps in (guided, edges, drawn)]
    points = [judge.pointing_game(maps, lab.masks, tolerance=5) for maps in (guided, edges)]
    return {
        "energy": judge.paired(energy[0], energy[1]).mean,
        "pointing": judge.paired(points[0], points[1]).mean,
        "deconvnet": judge.paired(energy[2], energy[1]).mean,
    }


@claim(
    "§8",
    "With the two last layers random, guided backpropagation draws nearly the same map; the gradient does not.",
    shown="0.95 against 0.58",
    holds=lambda v: v["guided"].min() > 0.9 and v["gradient"].max() < 0.75,
)
def test_random_upper_layers(seed):
    lab = fresh(seed, 8)
    cascade = judge.randomize_cascade(lab.model, seed=seed)
    next(cascade)
    _, half_random = next(cascade)
    methods = {"guided": guided_backprop, "gradient": saliency}
    return {
        name: judge.rank_correlation(
            *(magnitude(method(network, lab.inputs, lab.targets)) for network in (lab.model, half_random))
        )
        .mean()
        .item()
        for name, method in methods.items()
    }


@claim(
    "§8",
    "Asked for one of two objects, each map has a little more on it than on the other; the two guided maps have "
    "nearly the same order of pixels.",
    shown="shares 0.57, 0.59, 0.61; likeness 0.95",
    holds=lambda v: (
        all(0.5 < v[name].min() and v[name].max() < 0.7 for name in ("gradient", "deconvnet", "guided"))
        and v["likeness"].min() > 0.9
    ),
)
def test_the_maps_hardly_hear_the_question(seed):
    pairs = fresh(seed, 15, n_objects=2)
    both, questions = pairs.inputs.repeat_interleave(2, dim=0), pairs.targets.flatten()
    asked, other = pairs.masks.flatten(0, 1), pairs.masks.flip(1).flatten(0, 1)
    maps = {
        "gradient": saliency(pairs.model, both, questions).amax(dim=1),
        "deconvnet": magnitude(deconvnet(pairs.model, both, "fc7", questions)),
        "guided": magnitude(guided_backprop(pairs.model, both, questions)),
    }
    found = {}
    for name, heat in maps.items():
        here, there = judge.energy_in_mask(heat, asked), judge.energy_in_mask(heat, other)
        found[name] = (here / (here + there)).mean().item()
    guided = maps["guided"]
    return found | {"likeness": judge.rank_correlation(guided[0::2], guided[1::2]).mean().item()}


@claim(
    "02b §3",
    "Another channel at the same place lies under the most harmful square nearly as much as the channel itself; "
    "at its own place it lies there less.",
    shown="0.42, 0.42, 0.30",
    holds=lambda v: abs(v["same place"]).max() < 0.06 and v["elsewhere"].max() < 0,
)
def test_the_square_proves_the_place_only(seed):
    lab, shares = fresh(seed, 30), []
    model = lab.model
    torch.manual_seed(seed)
    for x in lab.inputs.split(1):
        with torch.no_grad():
            maps = run_to(model, x, "relu5")[0]
        k = int(maps.amax(dim=(1, 2)).argmax())
        place = divmod(int(maps[k].argmax()), 16)
        active = [c for c in range(len(maps)) if c != k and maps[c][place] > 0]
        j = active[torch.randint(len(active), ())]
        corner = shared.most_harmful(model, x, "relu5", k, size=24, stride=16)
        starts = ((k, place), (j, place), (j, None))
        backs = torch.cat([deconvnet(model, x, "relu5", c, at) for c, at in starts])
        shares.append(shared.share_in_square(backs, corner, 24))
    own, same_place, elsewhere = torch.stack(shares).mean(dim=0).tolist()
    return {"same place": same_place - own, "elsewhere": elsewhere - own}


@claim(
    "§6",
    "With crossed switches, a reconstruction resembles the picture of the activations more than that of the switches, "
    "but follows its edges less than with its own. With each map in the next channel it changes no more.",
    shown="0.72 against 0.34; edges 0.28 against 0.20; the next channel 0.73",
    holds=lambda v: (
        v["resembles"].min() > 0.1 and v["edges"].min() > 0.03 and v["next channel − crossed"].min() > 0
    ),
)
def test_the_activations_draw_more_than_the_switches(seed):
    lab = fresh(seed, 40)
    first, second = lab.inputs[:20], lab.inputs[20:]

    def back(pictures, signal):
        leaf = pictures.clone().requires_grad_()
        handles = [
            module.register_full_backward_hook(lambda m, old, g: (g[0].clamp(min=0),))
            for module in lab.model
            if isinstance(module, nn.ReLU)
        ]
        result = torch.autograd.grad(run_to(lab.model, leaf, "relu5"), leaf, signal)[0]
        for handle in handles:
            handle.remove()
        return magnitude(result)

    with torch.no_grad():
        maps_1, maps_2 = (run_to(lab.model, x, "relu5") for x in (first, second))
    crossed = back(second, maps_1)
    ordinary, edges = back(first, maps_1), judge.baselines.sobel(first)
    like_two = judge.rank_correlation(crossed, back(second, maps_2))
    edges_kept = [judge.rank_correlation(maps, edges) for maps in (ordinary, crossed)]
    moved = judge.rank_correlation(back(first, maps_1.roll(1, dims=1)), ordinary)
    return {
        "next channel − crossed": judge.paired(moved, judge.rank_correlation(crossed, ordinary)).mean,
        "resembles": judge.paired(judge.rank_correlation(crossed, ordinary), like_two).mean,
        "edges": judge.paired(*edges_kept).mean,
    }


@claim(
    "§5",
    "The deeper the layer, the more a channel belongs to one class, on pictures that did not choose the class; with "
    "random weights not.",
    shown="0.22, 0.39, 0.52, 0.58, 0.69; random 0.19 … 0.17",
    holds=lambda v: (
        (v["relu1"] < v["relu2"]).all()
        and (v["relu2"] < v["relu3"]).all()
        and (v["relu3"] < v["relu5"]).all()
        and max(v[f"random {name}"].max() for name in RELUS) < 0.25
    ),
)
def test_deeper_channels_belong_to_one_class(seed):
    lab = fresh(seed, 400)
    *_, (_, all_random) = judge.randomize_cascade(lab.model, seed=seed)
    shares = {}
    for kind, network in {"": lab.model, "random ": all_random}.items():
        for name, (values, _) in maxima(network, lab.inputs, RELUS).items():
            favourite, _ = shared.favourite_class(values[:200], lab.targets[:200])
            nine = lab.targets[200:][values[200:].topk(9, dim=0).indices]
            alive = values[:200].amax(dim=0) > 0
            shares[kind + name] = (nine == favourite).float().mean(dim=0)[alive].mean().item()
    return shares


@claim(
    "§10",
    "In the real network, guided backpropagation draws the same map for another class and for a random last layer.",
    shown="0.99, 0.99; the gradient 0.42, 0.41",
    holds=lambda v: min(v["class"].min(), v["head"].min()) > 0.97 and v["gradient"].max() < 0.75,
)
def test_the_real_network_agrees(seed):
    photos = load_lab("photos", only=["astronaut", "grace_hopper", "rocket"])
    torch.manual_seed(seed)
    other = torch.randint(0, 1000, (3,))
    _, random_head = next(judge.randomize_cascade(photos.model, seed=seed))
    right = magnitude(guided_backprop(photos.model, photos.inputs, photos.targets))
    another = magnitude(guided_backprop(photos.model, photos.inputs, other))
    headless = magnitude(guided_backprop(random_head, photos.inputs, photos.targets))
    plain = [magnitude(saliency(photos.model, photos.inputs, target)) for target in (photos.targets, other)]
    return {
        "class": judge.rank_correlation(right, another).mean().item(),
        "head": judge.rank_correlation(right, headless).mean().item(),
        "gradient": judge.rank_correlation(*plain).mean().item(),
    }


@claim(
    "§11",
    "Without max pooling, nothing of the picture enters the way back: one channel at one place has the same "
    "reconstruction for every picture, only stronger or weaker.",
    shown="the grid of the strides",
    holds=lambda v: v.min() > 0.9999,
)
def test_no_switches_no_picture(seed):
    photos, rng = load_lab("photos"), np.random.default_rng(seed)
    stage = list(photos.layers)[2 + seed % 3]
    kept = []
    handle = photos.layers[stage].register_forward_hook(lambda module, arguments, out: kept.append(out))
    with torch.no_grad():
        photos.model(photos.inputs)
    handle.remove()
    place = tuple(int(i) for i in rng.integers(2, kept[0].shape[2] - 2, 2))
    positive = kept[0][:, :, place[0], place[1]] > 0
    channel = int(rng.choice((positive.sum(dim=0) >= 2).nonzero()[:, 0].numpy()))
    drawn = deconvnet(photos.model, photos.inputs, photos.layers[stage], channel, place)[positive[:, channel]]
    return F.cosine_similarity(drawn[:1].flatten(1), drawn[1:].flatten(1)).min().item()


@claim(
    "02b §2",
    "After a shift of 8 pixels relu6 changes least and relu1 most. Measured by the change to another picture, a shift "
    "of 40 pixels leaves relu6 far below relu1 and relu5, which change nearly as much; a quarter turn does not.",
    shown="1.00 … 0.13",
    holds=lambda v: (
        all((v["relu6"] < v[name]).all() and (v["relu1"] >= v[name]).all() for name in RELUS[1:])
        and (v["shift 40, relu6"] < v["shift 40, relu5"] - 0.1).all()
        and min(v["shift 40, relu1"].min(), v["shift 40, relu5"].min()) > 0.6
        and (v["angle 90, relu6"] > v["angle 90, relu5"] - 0.05).all()
    ),
)
def test_upper_layers_change_less(seed):
    lab = fresh(seed, 20)

    def changes(moved):
        before, after, found = lab.inputs, moved, {}
        with torch.no_grad():
            for name, module in lab.model.named_children():
                before, after = module(before), module(after)
                if name.startswith("relu"):
                    one, two = before.flatten(1), after.flatten(1)
                    found[name] = ((two - one).norm(dim=1) / one.norm(dim=1)).mean().item()
        return found

    found, another = changes(shared.transformed(lab.inputs, shift=8)), changes(lab.inputs.roll(1, dims=0))
    for kind, amount in (("shift", 40), ("angle", 90)):
        moved = changes(shared.transformed(lab.inputs, **{kind: float(amount)}))
        found |= {f"{kind} {amount}, {n}": moved[n] / another[n] for n in ("relu1", "relu5", "relu6")}
    return found


@claim(
    "02b §1",
    "Early in training, the channels of relu1 react more as they will in the end than those of relu5; so do other "
    "channels of relu1. Counted from its beginning, relu1 is ahead later, by less.",
    shown="0.68 against 0.13; 0.8 against 0.6 of the way",
    holds=lambda v: (
        v["gap"].min() > 0.2
        and v["another channel, gap"].min() > 0.2
        and v["ahead on the way"].min() > 0
        and (v["ahead on the way"] < v["gap"]).all()
    ),
)
def test_lower_layers_settle_first(seed):
    lab, checkpoints = fresh(seed, 60), zfnet_checkpoints()
    steps = sorted(checkpoints)

    def settled(now, final):
        now, final = now - now.mean(dim=0), final - final.mean(dim=0)
        norm = now.norm(dim=0) * final.norm(dim=0)
        alive = norm > 1e-6 * norm.max()
        return float(((now * final).sum(dim=0)[alive] / norm[alive]).mean())

    first, early, late, last = (
        {name: values for name, (values, _) in maxima(checkpoints[step], lab.inputs, RELUS).items()}
        for step in (steps[0], steps[1], steps[-2], steps[-1])
    )
    gap, other, way = (
        one["relu1"] - one["relu5"]
        for one in (
            {n: settled(early[n], last[n]) for n in RELUS},
            {n: settled(first[n].roll(1, dims=1), last[n]) for n in RELUS},
            {
                n: (settled(late[n], last[n]) - settled(first[n], last[n])) / (1 - settled(first[n], last[n]))
                for n in RELUS
            },
        )
    )
    return {"gap": gap, "another channel, gap": other, "ahead on the way": way}


PARTS = {
    "cat": ("ear", "tail"),
    "horse": ("mane", "leg"),
    "bird": ("wing", "tail"),
    "fish": ("fin", "tail"),
    "car": ("wheel", "window"),
    "snail": ("shell", "antenna"),
    "mushroom": ("cap", "stem"),
    "ice cream": ("cone", "scoop"),
}


@claim(
    "02b §4",
    "With a blurred cover, the same part changes the features more alike than another part, and that more alike than a "
    "part of another class; at a random place the change is several times smaller. With a grey cover the gap to a random "
    "place is smaller, and the change there larger.",
    shown="another part +0.05, random place +0.15; grey: random place +0.05",
    holds=lambda v: (
        v["another"].min() > 0
        and v["another"].mean() < v["random"].mean() / 2
        and (v["another"] < v["another class"]).all()
        and (v["random size"] < 0.3).all()
        and (v["grey random size"] > 2 * v["random size"]).all()
        and (v["grey random"] < v["random"]).all()
    ),
)
def test_a_part_changes_the_features_alike(seed):
    lab, rng, gaps = (
        fresh(seed, 400),
        np.random.default_rng(seed),
        {"another": [], "random": [], "grey random": [], "random size": [], "grey random size": []},
    )

    firsts, same_part = [], []

    def change(inputs, cover, fill):
        covered = torch.where(cover[:, None], fill, inputs)
        with torch.no_grad():
            one, two = (run_to(lab.model, x, "relu5").mean(dim=(2, 3)) for x in (inputs, covered))
        return one - two

    def distance(one, two):
        table = (one[:, None] != two[None]).float().mean(dim=2)
        return float(table[~torch.eye(len(one), dtype=torch.bool)].mean())

    for class_name, names in PARTS.items():
        numbers = [lab.part_names.index(name) for name in names]
        visible = torch.stack([(lab.parts == n).flatten(1).sum(dim=1) > 60 for n in numbers]).all(dim=0)
        ids = (visible & (lab.targets == lab.class_names.index(class_name))).nonzero()[:8, 0]
        if len(ids) < 3:
            continue
        inputs, covers = lab.inputs[ids], [lab.parts[ids] == n for n in numbers]
        moved = [
            torch.stack([m.roll(tuple(rng.integers(30, 98, 2).tolist()), (0, 1)) for m in c]) for c in covers
        ]
        for way, fill in (("", judge.blur(inputs, 8)), ("grey ", torch.zeros(()))):
            own, strange = (
                torch.stack([change(inputs, cover, fill) for cover in some]) for some in (covers, moved)
            )
            same = np.mean([distance(s, s) for s in own.sign()])
            gaps[f"{way}random"].append(np.mean([distance(s, s) for s in strange.sign()]) - same)
            gaps[f"{way}random size"].append((strange.abs().mean() / own.abs().mean()).item())
            if not way:
                gaps["another"].append(distance(*own.sign()) - same)
                firsts.append(own[0].sign())
                same_part.append(same)
    across = [(s[:, None] != t[None]).float().mean().item() for s in firsts for t in firsts if s is not t]
    gaps["another class"] = [np.mean(across) - np.mean(same_part)]
    return {name: float(np.mean(values)) for name, values in gaps.items()}


@claim(
    "02b §3",
    "A black or a white square gives another order of places than a grey one, more so than a smaller grey one.",
    shown="rank correlation with grey 0.52, 0.78",
    holds=lambda v: all((v[name] < v["smaller"]).all() for name in ("black", "white")),
)
def test_the_colour_of_the_square(seed):
    lab = fresh(seed, 6)
    grey, black, white, smaller = (
        occlusion(lab.model, lab.inputs, lab.targets, size, 12, baseline=colour)
        for size, colour in ((24, 0.0), (24, -1.0), (24, 1.0), (20, 0.0))
    )
    maps = {"black": black, "white": white, "smaller": smaller}
    return {name: judge.rank_correlation(values, grey).mean().item() for name, values in maps.items()}


@claim(
    "02b §5",
    "For our objects a new head gets better with the depth of trained layers, hardly with random ones. Without conv4, a new "
    "head on relu5 does worse than one on relu3.",
    shown="0.35 to 0.12 against 0.8; 0.48 against 0.35",
    holds=lambda v: (
        (v["relu5"] < v["relu3"] - 0.1).all()
        and (v["random relu5"] > v["random relu3"] - 0.1).all()
        and (v["random relu5"] > v["relu5"] + 0.4).all()
        and (v["without conv4"] > v["relu3"]).all()
    ),
)
def test_depth_pays_after_training(seed):
    """Another head than the lesson's: a linear one."""
    lab = fresh(seed, 300)
    *_, (_, all_random) = judge.randomize_cascade(lab.model, seed=seed)
    kept = [(n, m) for n, m in lab.model.named_children() if n not in ("conv4", "relu4")]
    without = nn.Sequential(OrderedDict(kept))

    def error(network, layer):
        with torch.no_grad():
            maps = torch.cat([run_to(network, part, layer) for part in lab.inputs.split(25)])
        maps = F.adaptive_avg_pool2d(maps, 4).flatten(1)
        x = ((maps - maps.mean(dim=0)) / (maps.std(dim=0) + 1e-3 * maps.std())).numpy()
        head = LogisticRegression(max_iter=200, C=0.01).fit(x[:200], lab.targets[:200])
        return 1 - head.score(x[200:], lab.targets[200:])

    found = {"without conv4": error(without, "relu5")}
    for kind, network in (("", lab.model), ("random ", all_random)):
        found |= {kind + layer: error(network, layer) for layer in ("relu3", "relu5")}
    return found


@claim(
    "02b §5",
    "For handwritten digits the trained layers are no better than random ones, and relu6 is clearly worse.",
    shown="error with random minus with trained layers: relu3 +0.02, relu6 −0.23",
    holds=lambda v: v["relu3"].mean() < 0.05 and v["relu6"].max() < -0.05,
)
def test_drawn_objects_do_not_transfer_to_digits(seed):
    """Another head than the lesson's: a linear one."""
    digits, rng = load_digits(), np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(np.flatnonzero(digits.target == c))[:30] for c in range(10)])
    small = torch.from_numpy(digits.images[order]).float()[:, None] / 8 - 1
    images = F.interpolate(small, size=(128, 128), mode="bilinear").expand(-1, 3, -1, -1)
    targets, train = digits.target[order], np.arange(300) % 30 < 20
    model = load_lab("scenes", model="zfnet").model
    *_, (_, all_random) = judge.randomize_cascade(model, seed=seed)
    errors = {}
    for kind, network in (("trained", model), ("random", all_random)):
        with torch.no_grad():
            for layer in ("relu3", "relu6"):
                maps = torch.cat([run_to(network, part, layer) for part in images.split(25)])
                maps = F.adaptive_avg_pool2d(maps, 4).flatten(1) if maps.ndim == 4 else maps
                x = ((maps - maps.mean(dim=0)) / (maps.std(dim=0) + 1e-3 * maps.std())).numpy()
                head = LogisticRegression(max_iter=300).fit(x[train], targets[train])
                errors[kind, layer] = 1 - head.score(x[~train], targets[~train])
    return {layer: errors["random", layer] - errors["trained", layer] for layer in ("relu3", "relu6")}
