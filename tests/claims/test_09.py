"""What lesson 09 and its companion claim about filter visualization, with other starts, filters and scenes."""

import torch
from replication import claim
from torchvision.models.feature_extraction import create_feature_extractor

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.lessons.l09_filter_visualization import (
    CAREFUL,
    DIGIT_PICTURES,
    dream,
    fine_share,
    random_reader,
)
from course_utils.methods.filters import activation_maximization, class_maximization, filter_activation


@claim(
    "§1",
    "For each digit, plain ascent makes a picture that the reader is certain of.",
    shown="probability 1.000 of a 3",
    holds=lambda v: v.min() > 0.95,
)
def test_noise_convinces_the_reader(seed):
    reader = load_lab("digits").model
    made = class_maximization(reader, list(range(10)), n_steps=60, seed=seed, **DIGIT_PICTURES)
    with torch.no_grad():
        return reader(made).softmax(dim=1)[range(10), range(10)].min().item()


@claim(
    "§3",
    "Plain ascent gives far more grain than real scenes have, and so has the gradient at real scenes.",
    shown="0.52 and 0.41 against 0.09",
    holds=lambda v: (v["ascent"] > 2 * v["scenes"]).all() and (v["gradient"] > 2 * v["scenes"]).all(),
)
def test_grain(seed):
    lab = load_lab("scenes", model="zfnet", seed=seed, n=20)
    k = seed % 64  # another filter each time
    made = activation_maximization(lab.model, "conv5", k, n_steps=32, seed=seed)
    leaf = lab.inputs.clone().requires_grad_()
    score = create_feature_extractor(lab.model, ["conv5"])(leaf)["conv5"][:, k].mean(dim=(1, 2)).sum()
    (slopes,) = torch.autograd.grad(score, leaf)
    return {
        "ascent": fine_share(made).item(),
        "gradient": fine_share(slopes).mean().item(),
        "scenes": fine_share(lab.inputs).mean().item(),
    }


@claim(
    "§6",
    "L1 and L2 leave the share of grain near the plain picture's; total variation, moves and Fourier lower it.",
    shown="0.55; 0.52, 0.53; 0.14, 0.26, 0.26",
    holds=lambda v: (
        (v["L2"] > 0.75 * v["plain"]).all()
        and (v["L1"] > 0.7 * v["plain"]).all()
        and all((v[name] < 0.75 * v["plain"]).all() for name in ("TV", "moves", "Fourier"))
    ),
)
def test_remedies(seed):
    model, k = load_lab("scenes", model="zfnet").model, (seed * 7) % 64
    ways = {
        "plain": {},
        "L2": {"l2": 20.0},
        "L1": {"l1": 8.0},
        "TV": {"total_variation": 10.0},
        "moves": {"jitter": 6, "scale": 0.1, "rotate": 8.0},
        "Fourier": {"parametrization": "fourier", "learning_rate": 0.12},
    }
    return {
        name: fine_share(activation_maximization(model, "conv5", k, n_steps=32, seed=seed, **how)).item()
        for name, how in ways.items()
    }


@claim(
    "§7",
    "The outsider reads the robust twin's careful pictures better than the plain ones of the ordinary network.",
    shown="0.85 against 0.41",
    holds=lambda v: (
        (v["robust, careful"] > v["plain"] + 0.1).all() and (v["robust, careful"] > v["robust"]).mean() >= 0.8
    ),
)
def test_outsider(seed):
    lab, twin, outsider = (load_lab("scenes", model=name) for name in ("zfnet", "zfnet_robust", "resnet"))
    classes, careful = list(range(10)), CAREFUL | {"n_steps": 20}
    made = {
        "plain": class_maximization(lab.model, classes, n_steps=20, seed=seed),
        "robust": class_maximization(twin.model, classes, n_steps=20, seed=seed),
        "robust, careful": class_maximization(twin.model, classes, seed=seed, **careful),
    }
    with torch.no_grad():
        return {
            name: outsider.model(x).softmax(dim=1)[classes, classes].mean().item() for name, x in made.items()
        }


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


@claim(
    "09b §1, §2",
    "Names are above chance, and on other scenes the named filter has a little more of its map on the part than any filter.",
    shown="median IoU far above chance; a small paired difference",
    holds=lambda v: (
        (v["median IoU"] > v["chance, largest"]).all()
        and v["named − any"].min() > 0
        and v["named − any"].max() < 0.2
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

    return {
        "median IoU": best.median().item(),
        "chance, largest": chance.max().item(),
        "named − any": judge.paired(
            energy(torch.tensor([named[part] for _, part in pairs])), energy(lot)
        ).mean,
    }


@claim(
    "09b card 3",
    "conv1's filters like the plain ascent's picture more than the careful one's.",
    shown="two filters",
    holds=lambda gaps: gaps.min() > 0,
)
def test_careful_hides(seed):
    model, k = load_lab("scenes", model="zfnet").model, (seed * 5) % 32
    plain, careful = (
        filter_activation(
            model, activation_maximization(model, "conv1", k, seed=seed, **how), "conv1", k
        ).mean()
        for how in ({"n_steps": 12}, CAREFUL | {"n_steps": 12})
    )
    return (plain - careful).item()
