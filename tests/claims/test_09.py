"""What lesson 09 and its companion claim about filter visualization, with other starts, filters and scenes."""

import torch
from replication import claim
from torchvision.models.feature_extraction import create_feature_extractor

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.labs.digits import training_digits
from course_utils.lessons.l09_filter_visualization import (
    CAREFUL,
    DIGIT_PICTURES,
    dream,
    fine_share,
    picture_options,
    random_reader,
    with_random_weights,
)
from course_utils.methods.filters import activation_maximization, class_maximization, filter_activation


@claim(
    "§1",
    "For each digit, plain ascent makes a picture with a higher score than any drawing of it; a second reader agrees.",
    shown="score 40.6 against 7.8 to 15.7 for a 3",
    holds=lambda v: v["ahead of each drawing"].min() > 0 and v["read by the second"].min() >= 9,
)
def test_noise_convinces_the_reader(seed):
    lab, second = load_lab("digits"), load_lab("digits", model="second").model
    made = class_maximization(lab.model, list(range(10)), n_steps=60, seed=seed, **DIGIT_PICTURES)
    with torch.no_grad():
        drawn, climbed = lab.model(lab.inputs), lab.model(made)
        agrees = second(made).argmax(dim=1) == torch.arange(10)
    return {
        "ahead of each drawing": min(
            (climbed[c, c] - drawn[lab.targets == c, c].max()).item() for c in range(10)
        ),
        "read by the second": int(agrees.sum()),
    }


@claim(
    "§3",
    "Plain ascent gives far more grain than real scenes have, and so has the gradient at real scenes. With random weights the "
    "gradient is as grainy as pure noise; training removes about half of that, robust training more.",
    shown="0.52 and 0.41 against 0.09; 0.80 with random weights, 0.29 of the robust twin",
    holds=lambda v: (
        (v["ascent"] > 2 * v["scenes"]).all()
        and (v["gradient"] > 2 * v["scenes"]).all()
        and abs(v["gradient, random weights"] - v["noise"]).max() < 0.05
        and ((v["gradient"] > 0.35 * v["noise"]) & (v["gradient"] < 0.65 * v["noise"])).all()
        and (v["gradient, robust"] < v["gradient"] - 0.03).all()
    ),
)
def test_grain(seed):
    lab = load_lab("scenes", model="zfnet", seed=seed, n=20)
    k = seed % 64  # another filter each time
    made = activation_maximization(lab.model, "conv5", k, n_steps=32, seed=seed)
    found = {
        "ascent": fine_share(made).item(),
        "scenes": fine_share(lab.inputs).mean().item(),
        "noise": fine_share(
            torch.randn(lab.inputs.shape, generator=torch.Generator().manual_seed(seed))
        ).mean(),
    }
    for name, network in (
        ("gradient", lab.model),
        ("gradient, robust", load_lab("scenes", model="zfnet_robust").model),
        ("gradient, random weights", with_random_weights(lab, seed=seed)),
    ):
        leaf = lab.inputs.clone().requires_grad_()
        score = create_feature_extractor(network, ["conv5"])(leaf)["conv5"][:, k].mean(dim=(1, 2)).sum()
        (slopes,) = torch.autograd.grad(score, leaf)
        found[name] = fine_share(slopes).mean().item()
    return found


@claim(
    "§6",
    "L1 and L2 leave the share of grain near the plain picture's; total variation, moves and Fourier lower it; "
    "blur brings it below that of scenes.",
    shown="0.55; 0.52, 0.53; 0.13, 0.25, 0.26; 0.02",
    holds=lambda v: (
        (v["L2"] > 0.75 * v["plain"]).all()
        and (v["L1"] > 0.7 * v["plain"]).all()
        and all((v[name] < 0.75 * v["plain"]).all() for name in ("TV", "moves", "Fourier"))
        and v["blur"].max() < 0.08
    ),
)
def test_remedies(seed):
    model, k = load_lab("scenes", model="zfnet").model, (seed * 7) % 64
    ways = {
        "plain": {},
        "L2": {"l2": 20.0},
        "L1": {"l1": 8.0},
        "TV": {"total_variation": 10.0},
        "blur": {"blur": 0.8},
        "moves": {"jitter": 6, "scale": 0.1, "rotate": 8.0},
        "Fourier": {"parametrization": "fourier", "learning_rate": 0.12},
    }
    return {
        name: fine_share(activation_maximization(model, "conv5", k, n_steps=32, seed=seed, **how)).item()
        for name, how in ways.items()
    }


@claim(
    "§7",
    "The outsider reads the robust twin's careful pictures much better than the plain ones of the ordinary network. Which "
    "of the two helps more changes with the start. Each network is certain of nearly all of its own pictures.",
    shown="0.86 against 0.41; alone 0.68 and 0.60; own 0.90 to 1.00",
    holds=lambda v: (
        (v["robust, careful"] > v["plain"] + 0.2).all()
        and all((v["robust, careful"] > v[name]).mean() >= 0.8 for name in ("robust", "careful"))
        and (v["careful"] - v["robust"]).min() < 0 < (v["careful"] - v["robust"]).max()
        and v["own, smallest mean"].min() > 0.85
    ),
)
def test_outsider(seed):
    lab, twin, outsider = (load_lab("scenes", model=name) for name in ("zfnet", "zfnet_robust", "resnet"))
    classes, careful = list(range(10)), CAREFUL | {"n_steps": 20}
    read, own = {}, []
    for name, maker, how in (
        ("plain", lab.model, {"n_steps": 20}),
        ("careful", lab.model, careful),
        ("robust", twin.model, {"n_steps": 20}),
        ("robust, careful", twin.model, careful),
    ):
        made = class_maximization(maker, classes, seed=seed, **how)
        with torch.no_grad():
            read[name] = outsider.model(made).softmax(dim=1)[classes, classes].mean().item()
            own.append(maker(made).softmax(dim=1)[classes, classes].mean().item())
    return read | {"own, smallest mean": min(own)}


@claim(
    "§8",
    "G(z*) of the reader gives the asked-for digits; of a reader with random weights seldom.",
    shown="10 of 10 and 1 of 10",
    holds=lambda v: v["reader"].min() >= 9 and v["random weights"].max() <= 4,
)
def test_generator(seed):
    reader = load_lab("digits").model
    vae, second = load_lab("digits", model="vae").model, load_lab("digits", model="second").model
    result = {}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for name, network in (("reader", reader), ("random weights", random_reader(reader, seed=seed))):
            best, _ = dream(network, vae.decode, starts=4)
            with torch.no_grad():
                result[name] = int((second(best).argmax(dim=1) == torch.arange(10)).sum())
    return result


def coherence(pictures):
    """How much the brightness of a picture changes along one direction at each place, 0 … 1, in the mean."""
    grey = pictures.mean(dim=1, keepdim=True)
    across, down = (grey[..., 1:, 1:] - before for before in (grey[..., 1:, :-1], grey[..., :-1, 1:]))
    products = (across * across, down * down, across * down)
    aa, dd, ad = (torch.nn.functional.avg_pool2d(values, 9, 1) for values in products)
    return (((aa - dd).square() + 4 * ad.square()).sqrt().sum() / (aa + dd).sum()).item()


@claim(
    "§9",
    "With random weights the careful ascent gives as little grain and as colourful pictures as with the trained ones, but they look "
    "alike: how lined they are differs less from layer to layer. A plain ascent on random weights is full of grain.",
    shown="share of grain 0.11 to 0.21, 0.14 to 0.20, and 0.78",
    holds=lambda v: (
        (v["grain, random"] < 0.3).all()
        and v["grain, random and plain"].min() > 0.6
        and (v["lines differ, trained"] > v["lines differ, random"]).all()
        and (v["colour, random"] > 0.6 * v["colour, trained"]).all()
        and (v["colour, random"] < 1.7 * v["colour, trained"]).all()
    ),
)
def test_random_weights(seed):
    photos, k = load_lab("photos"), seed % 16
    how = CAREFUL | picture_options(photos) | {"learning_rate": 0.08, "seed": seed}
    found = {}
    for name, network in {"trained": photos.model, "random": with_random_weights(photos, seed=seed)}.items():
        x = torch.cat([activation_maximization(network, f"blocks.{b}", k, **how) for b in (1, 2, 4)])
        found[f"grain, {name}"] = fine_share(x).mean().item()
        found[f"colour, {name}"] = (x - x.mean(dim=1, keepdim=True)).std().item()
        lines = [coherence(picture) for picture in x.split(1)]
        found[f"lines differ, {name}"] = max(lines) - min(lines)
    plain = activation_maximization(network, "blocks.2", k, n_steps=24, seed=seed, **picture_options(photos))
    return found | {"grain, random and plain": fine_share(plain).item()}


@claim(
    "09b §1, §2",
    "Names are above chance. Of four filters, less than half of the strongest percent lies on the part, of the strongest "
    "tenth of it more. On other scenes the named filter has a little more of its map on the part than any filter and than "
    "the filter named after another part, but less than the filter with the largest value in the scene.",
    shown="median IoU far above chance; 0.29 to 0.36, 0.69 to 0.83; small paired differences",
    holds=lambda v: (
        (v["median IoU"] > v["chance, largest"]).all()
        and v["on the part"].max() < 0.5 < v["tenth on the part"].min()
        and v["named − any"].min() > 0
        and v["named − any"].max() < 0.2
        and v["named − another part"].mean() > 0.01
        and v["named − largest"].max() < 0
    ),
)
def test_names(seed):
    survey = load_lab("scenes", model="zfnet", seed=seed, n=160)
    other = load_lab("scenes", model="zfnet", seed=seed + 500, n=60)
    drop = ("background", "distractor", "foreground")
    countable = [i for i, name in enumerate(survey.part_names) if name not in drop]
    at_layer = create_feature_extractor(survey.model, ["conv5"])
    with torch.no_grad():
        maps, fresh = (
            torch.cat([at_layer(x)["conv5"] for x in lab.inputs.split(40)]) for lab in (survey, other)
        )
    parts = survey.parts[:, ::2, ::2]
    overlap = judge.part_iou(maps, parts, len(survey.part_names))[:, countable]
    chance = judge.part_iou(maps, parts.roll(37, dims=0), len(survey.part_names))[:, countable]
    best, named = overlap.amax(dim=1), {}
    for k in best.argsort(descending=True).tolist():
        named.setdefault(countable[int(overlap[k].argmax())], k)
    pairs = [(i, part) for i in range(len(other)) for part in named if (other.parts[i] == part).sum() >= 40]
    truth = torch.stack([other.parts[i] == part for i, part in pairs])
    scenes = torch.tensor([i for i, _ in pairs])
    lot = torch.randint(0, 64, (len(pairs),), generator=torch.Generator().manual_seed(seed))

    def energy(channels):
        chosen = fresh.clamp(min=0)[scenes, channels][:, None]
        big = torch.nn.functional.interpolate(chosen, truth.shape[1:], mode="bilinear")[:, 0]
        return judge.energy_in_mask(big, truth)

    def on_part(k, share):
        heat = torch.nn.functional.interpolate(maps[:, [k]], parts.shape[1:], mode="bilinear")[:, 0]
        kept = heat >= heat.flatten().topk(round(share * heat.numel())).values[-1]
        return (kept[parts == countable[int(overlap[k].argmax())]].sum() / kept.sum()).item()

    four = (60, 17, 49, 0)
    own = energy(torch.tensor([named[part] for _, part in pairs]))
    another = [next((q for j, q in pairs if j == i and q != part), part) for i, part in pairs]
    return {
        "on the part": max(on_part(k, 0.01) for k in four),
        "tenth on the part": min(on_part(k, 0.001) for k in four),
        "named − another part": judge.paired(own, energy(torch.tensor([named[p] for p in another]))).mean,
        "named − largest": judge.paired(own, energy(fresh.amax(dim=(2, 3)).argmax(dim=1)[scenes])).mean,
        "median IoU": best.median().item(),
        "chance, largest": chance.max().item(),
        "named − any": judge.paired(own, energy(lot)).mean,
    }


@claim(
    "09b §3",
    "A strong charge for likeness costs score in both pictures of a pair.",
    shown="2.6 and 2.7 without; -0.1 and 1.7",
    holds=lambda v: (v["charged, best"] < v["free, worst"]).all(),
)
def test_diversity(seed):
    model = load_lab("scenes", model="zfnet").model
    found = {}
    for name, charge in (("free", 0.0), ("charged", 8.0)):
        x = activation_maximization(model, "conv5", 60, n_pictures=2, diversity=charge, seed=seed, **CAREFUL)
        score = filter_activation(model, x, "conv5", 60).mean(dim=(1, 2))
        found |= {f"{name}, best": score.max().item(), f"{name}, worst": score.min().item()}
    return found


@claim(
    "09b §4",
    "The autoencoder's loss tells plain ascents from digits; the empty page has the lowest loss and is nearest to drawings.",
    shown="854 against 140; 25; 4.4",
    holds=lambda v: (
        (v["loss, ascent"] > 2 * v["loss, drawings"]).all()
        and (v["loss, empty"] < v["loss, drawings"]).all()
        and (v["near, empty"] < v["near, drawings"]).all()
        and (v["near, empty"] < v["near, ascent"]).all()
    ),
)
def test_measures(seed):
    lab, vae, drawings = load_lab("digits"), load_lab("digits", model="vae").model, training_digits(1000)[0]
    chosen = torch.randperm(len(lab), generator=torch.Generator().manual_seed(seed))[:50]
    kinds = {
        "drawings": lab.inputs[chosen],
        "ascent": class_maximization(lab.model, list(range(10)), n_steps=60, seed=seed, **DIGIT_PICTURES),
        "empty": torch.zeros(1, 1, 28, 28),
    }
    found = {}
    with torch.no_grad():
        for name, x in kinds.items():
            found[f"loss, {name}"] = vae.loss(x).mean().item()
            found[f"near, {name}"] = torch.cdist(x.flatten(1), drawings.flatten(1)).amin(dim=1).mean().item()
    return found


@claim(
    "09b card 2",
    "An ascent on the logit climbs on; on the probability, or on its log, it slows down.",
    shown="logit 94.7, 12.9 and 11.7 after 24 steps",
    holds=lambda v: all((v[name] < 0.4 * v["logit"]).all() for name in ("probability", "log probability")),
)
def test_saturated(seed):
    model, found = load_lab("scenes", model="zfnet").model, {}
    for name, network, how in (
        ("logit", model, {}),
        ("probability", torch.nn.Sequential(model, torch.nn.Softmax(dim=1)), {}),
        ("log probability", model, {"objective": "log_probability"}),
    ):
        made = class_maximization(network, seed % 10, n_steps=24, seed=seed, **how)
        with torch.no_grad():
            found[name] = model(made)[0, seed % 10].item()
    return found


@claim(
    "09b card 3",
    "The careful ascent keeps less of the score of conv1's filters than of conv5's; in conv1 the waves alone lose, too, and "
    "which half costs more depends on the filter.",
    shown="0.07 and 0.11 against 0.68; waves 0.30 and 0.30, moves 0.02 and 0.33",
    holds=lambda v: (
        (v["conv1 careful"] < v["conv5 careful"]).all()
        and v["conv1 careful"].max() < 0.5
        and v["conv5 careful"].min() > 0.45
        and v["conv1 waves"].max() < 0.6
        and (v["waves ahead"] > 0).all()
        and v["waves ahead"].min() < 1
    ),
)
def test_careful_hides(seed):
    """Shares of the plain ascent's score that are kept, mean of four filters that the seed chooses."""
    model, found = load_lab("scenes", model="zfnet").model, {}
    ways = {
        "plain": {},
        "waves": {key: CAREFUL[key] for key in ("parametrization", "learning_rate")},
        "moves": {key: CAREFUL[key] for key in ("jitter", "scale", "rotate")},
        "careful": CAREFUL,
    }
    for layer, n in (("conv1", 32), ("conv5", 64)):
        four = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:4].tolist()
        scores = {}
        for name, how in ways.items():
            made = activation_maximization(model, layer, four, **how | {"n_steps": 24, "seed": seed})
            likes = [
                filter_activation(model, x[None], layer, k).mean() for x, k in zip(made, four, strict=True)
            ]
            scores[name] = torch.stack(likes)
        for name in ("waves", "moves", "careful"):
            found[f"{layer} {name}"] = (scores[name] / scores["plain"]).mean().item()
        if layer == "conv1":
            found["waves ahead"] = (scores["waves"] > scores["moves"]).float().mean().item()
    return found
