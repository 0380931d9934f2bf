"""Train every picture model over several seeds, measure it, and write the table into `data/README.md`."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from course_utils.drawing.scenes import CLASS_NAMES, SCENE_CLASSES, Scenes, render
from course_utils.judge import energy_in_mask, mask_iou, pointing_game
from course_utils.labs.files import DATA, write_weights
from course_utils.labs.lab import best_device
from course_utils.labs.networks import resnet, zfnet
from course_utils.methods.cam import grad_cam, upsample
from course_utils.methods.gradients import saliency
from course_utils.training.pictures import (
    MODELS,
    accuracy,
    chunks,
    predicted,
    test_pictures,
    to_inputs,
    train_model,
    weights_file,
)
from course_utils.training.table import put_table

CACHE = DATA.parent / "build" / "report"  # the weights of seeds that are not shipped
SEED = 600  # of the pictures for explanations
N_EXPLAINED = 200
TOLERANCE = 5  # pixels in the pointing game: 15 on a photograph of 375, as the literature has it
HORSE = SCENE_CLASSES.index("horse")

Explain = Callable[[nn.Module, np.ndarray, Tensor], Tensor]


def write_report(n_seeds: int, labs: Sequence[str] = tuple(MODELS)) -> None:
    """Measure every model for the seeds 0 (the shipped ones) to n_seeds − 1; trains what is not there yet.

    Only `labs` are trained; of the others, those seeds are measured that were trained before.
    """
    rows = []
    for lab, models in MODELS.items():
        for model in models:
            seeds = [s for s in range(n_seeds) if lab in labs or _weights_of(lab, model, s).exists()]
            measured = [_measured(lab, model, seed) for seed in seeds]
            for what, (_, bar) in measured[0].items():
                values = [measures[what][0] for measures in measured]
                spread = f"{min(values):.3f} – {max(values):.3f}" if len(values) > 1 else ""
                rows.append(
                    f"| {lab} | {model} | {what} | {values[0]:.3f} | {len(values)} | {np.mean(values):.3f} "
                    f"| {spread} | {bar} |"
                )
                print(rows[-1], flush=True)
    head = (
        "| lab | model | measure | shipped | seeds | mean | lowest – highest | bar |\n" + 8 * "|---" + "|\n"
    )
    put_table("report", head + "\n".join(rows))


def _measured(lab: str, model: str, seed: int) -> dict[str, tuple[float, str]]:
    """`measure`, remembered for the same weights: a report that was stopped goes on where it was."""
    network = network_of(lab, model, seed)
    key = hashlib.sha256(_weights_of(lab, model, seed).read_bytes()).hexdigest()
    known = CACHE / f"{lab}-{model}-{key[:12]}.json"
    if not known.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps(measure(lab, model, network)), encoding="utf-8")
    return json.loads(known.read_text(encoding="utf-8"))


def network_of(lab: str, model: str, seed: int) -> nn.Module:
    """The shipped network for seed 0; else the one trained before, or trained now."""
    path = _weights_of(lab, model, seed)
    if not path.exists():
        network, _ = train_model(lab, model, seed)
        write_weights(path, network.state_dict())
    network = (zfnet if model.startswith("zfnet") else resnet)(len(CLASS_NAMES[lab]))
    network.load_state_dict(_read(path))
    return network.to(best_device()).eval()


def _weights_of(lab: str, model: str, seed: int) -> Path:
    return weights_file(lab, model) if seed == 0 else CACHE / f"{lab}-{model}-seed{seed}.safetensors"


def measure(lab: str, model: str, network: nn.Module) -> dict[str, tuple[float, str]]:
    """What there is to say about one model: measure to (value, what it should be)."""
    if lab == "scenes":
        return _measure_scenes(network, model)
    clean = model == "clean"
    seen = test_pictures(lab, "random" if clean else "planted")
    swapped = test_pictures(lab, "swapped")
    right = predicted(network, swapped.images) == swapped.targets
    results = {"accuracy": (accuracy(network, seen), "≥ .97")}
    region = {"watermark": "the mark", "wolves": "the background", "monsters": "the background"}[lab]
    if lab == "watermark":
        horses = swapped.targets == HORSE
        results["horse recall without the mark"] = (
            right[horses].float().mean().item(),
            "" if clean else "≤ .5",
        )
        fooled = predicted(network, swapped.images[~horses.numpy()]) == HORSE
        results["other classes with the mark called horse"] = (fooled.float().mean().item(), "")
    else:
        bar = "≥ .97" if clean else "≤ .05"
        results["accuracy with swapped backgrounds"] = (right.float().mean().item(), bar)
    scenes = render(lab, n=N_EXPLAINED * (5 if lab == "watermark" else 1), seed=SEED)
    explained = scenes.targets == HORSE if lab == "watermark" else np.ones(len(scenes), bool)
    maps = _grad_cam(network, scenes.images[explained], torch.from_numpy(scenes.targets[explained]))
    energy = energy_in_mask(maps, torch.from_numpy(scenes.shortcut[explained]).to(maps.device))
    bar = "≥ 4 × the clean twin's" if lab == "watermark" and not clean else ""
    results[f"Grad-CAM's energy on {region}"] = (energy.mean().item(), bar)
    return results


def _measure_scenes(network: nn.Module, model: str) -> dict[str, tuple[float, str]]:
    pairs = render("scenes", n=N_EXPLAINED, seed=SEED, n_objects=2)
    singles = render("scenes", n=N_EXPLAINED, seed=SEED)
    maps = _grad_cam(network, singles.images, torch.from_numpy(singles.targets))
    iou = mask_iou(maps, torch.from_numpy(singles.masks).to(maps.device)).mean().item()
    robust = model == "zfnet_robust"
    return {
        "accuracy": (
            accuracy(network, test_pictures("scenes", "planted")),
            "≥ .90" if robust else ".97 – .995",
        ),
        "two objects: Grad-CAM's maximum on the one asked for": (
            _points(network, pairs, _grad_cam),
            "≥ .95" if model == "resnet" else "",
        ),
        "two objects: saliency's maximum on the one asked for": (
            _points(network, pairs, _saliency),
            "well below",
        ),
        "one object: Grad-CAM's IoU at the mask's area": (iou, "≥ .45" if model == "resnet" else "≥ .33"),
    }


def _points(network: nn.Module, pairs: Scenes, explain: Explain) -> float:
    """Share of questions, two a picture, where the map's maximum lies on the object asked for."""
    hits = []
    for index in range(2):
        maps = explain(network, pairs.images, torch.from_numpy(pairs.targets[:, index]))
        hits.append(pointing_game(maps, torch.from_numpy(pairs.masks[:, index]).to(maps.device), TOLERANCE))
    return torch.cat(hits).mean().item()


def _grad_cam(network: nn.Module, images: np.ndarray, targets: Tensor) -> Tensor:
    layer = network.relu5 if isinstance(network, nn.Sequential) else network.layer4
    return _maps(lambda x, t: upsample(grad_cam(network, x, t, layer), x.shape[2:]), network, images, targets)


def _saliency(network: nn.Module, images: np.ndarray, targets: Tensor) -> Tensor:
    return _maps(lambda x, t: saliency(network, x, t).abs().amax(dim=1), network, images, targets)


def _maps(
    explain: Callable[[Tensor, Tensor], Tensor], network: nn.Module, images: np.ndarray, targets: Tensor
) -> Tensor:
    device = next(network.parameters()).device
    batches = zip(chunks(images, 64), targets.split(64), strict=True)
    return torch.cat([explain(to_inputs(x, device).contiguous(), t.to(device)) for x, t in batches]).detach()


def _read(path: Path) -> dict[str, Tensor]:
    weights = safetensors.torch.load_file(path)
    return {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
