"""The rendered labs: every promised field, and the models as good (or as bad) as the lessons need them."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.drawing.scenes import CLASS_NAMES, PART_NAMES, SCENE_CLASSES, render
from course_utils.labs import Lab, files, lab_names, load_lab
from course_utils.labs.networks import resnet, zfnet
from course_utils.labs.rendered import (
    BANKS,
    FRESH_SEEDS,
    N_SEEDS,
    SCENE_MODELS,
    render_bank,
    zfnet_checkpoints,
)

HORSE = SCENE_CLASSES.index("horse")
SHORTCUT_LABS = ("watermark", "wolves", "monsters")
N = 200
SEED = 700  # no seed of the training or of the samples


def right(lab: Lab, scenes) -> np.ndarray:
    return lab.predict(scenes.images).argmax(axis=1) == scenes.targets


def check_fields(lab: Lab, n: int, n_objects: int = 1) -> None:
    objects = (n,) if n_objects == 1 else (n, n_objects)
    assert lab.images.shape == (n, 128, 128, 3) and lab.images.dtype == np.uint8
    assert lab.targets.shape == objects and lab.targets.dtype == torch.long
    assert lab.masks.shape == (*objects, 128, 128) and lab.masks.dtype == torch.bool
    assert lab.masks.flatten(-2).any(-1).all()
    assert lab.parts.shape == (n, 128, 128) and lab.parts.dtype == torch.uint8
    assert lab.part_names == PART_NAMES and lab.class_names == CLASS_NAMES[lab.name]
    assert lab.inputs.shape == (n, 3, 128, 128) and lab.inputs is lab.inputs
    assert lab.inputs.device == lab.device and -1 <= lab.inputs.min() < lab.inputs.max() <= 1
    assert not lab.model.training
    assert all(isinstance(layer, nn.Module) for layer in lab.layers.values())
    assert any(module is lab.layer for module in lab.model.modules())
    np.testing.assert_array_equal(lab.to_images(lab.inputs), lab.images)
    probabilities = lab.predict(lab.images)
    assert probabilities.shape == (n, len(lab.class_names)) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("model", SCENE_MODELS)
def test_scenes_fields(model):
    check_fields(load_lab("scenes", model=model), 100)


def test_pairs_fields():
    lab = load_lab("scenes", n_objects=2)
    check_fields(lab, 60, n_objects=2)
    assert (lab.targets[:, 0] != lab.targets[:, 1]).all()
    assert not lab.masks.all(dim=1).any()  # no pixel shows both


@pytest.mark.parametrize("name", SHORTCUT_LABS)
def test_shortcut_fields(name):
    lab = load_lab(name)
    check_fields(lab, 60)
    assert lab.shortcut.shape == (60, 128, 128) and lab.shortcut.flatten(1).any(1).all()
    assert lab.counterfactuals.shape == lab.images.shape and lab.counterfactuals.dtype == np.uint8
    changed = torch.from_numpy((lab.counterfactuals != lab.images).any(axis=3))
    assert changed.flatten(1).any(1).all()
    if name == "watermark":
        assert (lab.targets == HORSE).all()
        assert not (changed & ~lab.shortcut).any()
    else:
        assert lab.targets.bincount().tolist() == [30, 30]
        assert not (lab.masks & lab.shortcut).any()


def test_preprocess_is_the_promised_scaling():
    lab = load_lab("scenes")
    images = lab.images[:2]
    expected = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
    torch.testing.assert_close(lab.preprocess(images).cpu(), expected, atol=1e-6, rtol=0)


def test_bad_images_and_options_are_named():
    lab = load_lab("scenes")
    for bad in (lab.images[0], lab.images.astype(float), lab.images[..., :1], [1, 2]):
        with pytest.raises(ValueError, match="uint8"):
            lab.predict(bad)
    with pytest.raises(ValueError, match="watermark"):
        load_lab("watermarks")
    with pytest.raises(ValueError, match="'zfnet_robust'"):
        load_lab("scenes", model="resnet50")
    with pytest.raises(ValueError, match="it takes model, n_objects"):
        load_lab("scenes", modle="resnet")
    with pytest.raises(ValueError, match="'clean'"):
        load_lab("wolves", model="resnet")
    with pytest.raises(ValueError, match="1, 2"):
        load_lab("scenes", n_objects=3)


def test_predict_keeps_the_training_flag_and_takes_nothing():
    lab = load_lab("scenes")
    lab.model.train()
    expected = lab.predict(lab.images[:3])
    assert lab.model.training
    lab.model.eval()
    np.testing.assert_array_equal(lab.predict(lab.images[:3]), expected)
    assert lab.predict(lab.images[:0]).shape == (0, 10)


@pytest.mark.parametrize(("model", "bar"), [("resnet", 0.96), ("zfnet", 0.955), ("zfnet_robust", 0.88)])
def test_scenes_accuracy(model, bar):
    assert right(load_lab("scenes", model=model), render("scenes", n=N, seed=SEED)).mean() >= bar


def test_watermark_shortcut():
    planted, swapped = (render("watermark", n=N, seed=SEED, shortcut=how) for how in ("planted", "swapped"))
    horses = planted.targets == HORSE
    bad, clean = load_lab("watermark"), load_lab("watermark", model="clean")
    assert right(bad, planted)[horses].mean() >= 0.9
    assert right(bad, swapped)[horses].mean() <= 0.5
    assert right(clean, planted).mean() >= 0.92
    assert right(clean, swapped).mean() >= 0.92


@pytest.mark.parametrize("name", ["wolves", "monsters"])
def test_background_shortcut(name):
    planted, swapped = (render(name, n=N, seed=SEED, shortcut=how) for how in ("planted", "swapped"))
    bad, clean = load_lab(name), load_lab(name, model="clean")
    assert right(bad, planted).mean() >= 0.98
    assert right(bad, swapped).mean() <= 0.05
    assert right(clean, planted).mean() >= 0.94
    assert right(clean, swapped).mean() >= 0.94


def test_checkpoints_get_better():
    networks = zfnet_checkpoints()
    assert len(networks) >= 4 and list(networks) == sorted(networks)
    lab = load_lab("scenes", model="zfnet")
    with torch.no_grad():
        answers = {step: network(lab.inputs) for step, network in networks.items()}
        torch.testing.assert_close(answers[max(answers)], lab.model(lab.inputs))
    accuracies = [(a.argmax(1).cpu() == lab.targets).float().mean().item() for a in answers.values()]
    assert accuracies[0] < 0.5 < 0.9 < accuracies[-1]


@pytest.mark.parametrize("network", [resnet, zfnet])
def test_networks_suit_every_method(network):
    model = network(7).eval()
    assert 4e5 < sum(parameter.numel() for parameter in model.parameters()) < 8e5
    runs: dict[nn.Module, int] = {}
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            assert not module.inplace
            module.register_forward_hook(lambda m, *_: runs.update({m: runs.get(m, 0) + 1}))
    assert model(torch.zeros(2, 3, 128, 128)).shape == (2, 7)
    assert set(runs.values()) == {1}
    assert len(runs) == sum(isinstance(module, nn.ReLU) for module in model.modules())


def fresh(lab: str, n_objects: int, **options) -> Lab:
    return load_lab(lab, **options, **({"n_objects": 2} if n_objects == 2 else {}))


@pytest.mark.parametrize(("name", "n_objects"), BANKS)
def test_fresh_pictures(name, n_objects):
    lab = fresh(name, n_objects, seed=7, n=30)
    check_fields(lab, 30, n_objects)
    stored = fresh(name, n_objects)
    again = fresh(name, n_objects, seed=7, n=20)  # the first pictures do not depend on how many there are
    other = fresh(name, n_objects, seed=8, n=30)
    np.testing.assert_array_equal(lab.images[:20], again.images)
    known = {image.tobytes() for image in (*stored.images, *other.images)}
    assert not known & {image.tobytes() for image in lab.images}
    if name == "scenes":
        assert lab.counterfactuals is None
        answers = lab.predict(lab.images).argmax(axis=1)[:, None]
        assert (answers == lab.targets.reshape(30, -1).numpy()).any(axis=1).mean() >= 0.9
    else:
        assert lab.shortcut.flatten(1).any(dim=1).all() and (lab.counterfactuals != lab.images).any()
        before, after = (lab.predict(images).argmax(axis=1) for images in (lab.images, lab.counterfactuals))
        assert (before == lab.targets.numpy()).mean() >= 0.9 and (after == lab.targets.numpy()).mean() <= 0.1
    if name == "watermark":
        assert (lab.targets == HORSE).all()
        np.testing.assert_array_equal(
            (lab.images != lab.counterfactuals).any(axis=3) & ~lab.shortcut.numpy(), False
        )


def test_the_stored_pictures_are_rendered_as_the_fresh_ones_are():
    from course_utils.training.pictures import BANK_SEED

    for (name, n_objects), (file, _) in BANKS.items():
        stored = files.read_arrays(f"samples/{file}.npz")
        rendered = render_bank(name, 6, BANK_SEED + n_objects - 1, n_objects)
        assert list(stored) == list(rendered)
        for key in ("images", "targets", "masks", "parts"):
            np.testing.assert_array_equal(rendered[key], stored[key][:6], err_msg=f"{file}: {key}")


def test_seeds_of_fresh_pictures_are_apart_from_all_others():
    from course_utils.training import pictures

    steps = max(pictures.N_TRAIN.values()) // pictures.CHUNK
    trained_on = pictures.TRAIN_SEED * 100_000 + steps  # by a model of the seed 100,000
    assert max(pictures.BANK_SEED + 1, pictures.TEST_SEED + steps, trained_on) < FRESH_SEEDS[1]
    assert FRESH_SEEDS[1] + N_SEEDS <= FRESH_SEEDS[2]
    assert FRESH_SEEDS[2] + N_SEEDS < 2**32  # above, two seeds could mean the same random numbers


@pytest.mark.parametrize("name", ["scenes", "watermark", "wolves", "monsters"])
@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"n": 20}, "needs a seed"),
        ({"seed": 7, "n": 0}, "n is a whole number of 1 or more"),
        ({"seed": 7, "n": 2.0}, "n is a whole number of 1 or more"),
        ({"seed": 7, "n": True}, "n is a whole number of 1 or more"),
        ({"seed": -1}, "seed is a whole number of 0 or more"),
        ({"seed": "7"}, "seed is a whole number of 0 or more"),
        ({"seed": 10**9, "n": 1}, "seed is a whole number"),
    ],
)
def test_wrong_seeds_and_numbers_of_fresh_pictures(name, options, what):
    with pytest.raises(ValueError, match=what):
        load_lab(name, **options)


def test_zfnet_is_plain():
    kinds = {type(module) for module in zfnet().children()}
    assert kinds == {nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Flatten, nn.Linear}


def test_folding_changes_nothing():
    from course_utils.training.pictures import fold_batch_norm, with_batch_norm

    torch.manual_seed(0)
    network = with_batch_norm(zfnet())
    inputs = torch.randn(8, 3, 128, 128)
    network.train()
    network(inputs)
    network.eval()
    folded = fold_batch_norm(network)
    assert not any(isinstance(module, nn.BatchNorm2d | nn.Dropout) for module in folded)
    with torch.no_grad():
        torch.testing.assert_close(folded(inputs), network(inputs), atol=1e-4, rtol=1e-4)


def test_importing_labs_imports_no_torchvision():
    heavy = "{'torchvision', 'timm', 'sklearn', 'transformers'}"
    code = f"import sys, course_utils.labs; assert not {heavy} & {{*sys.modules}}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_lab_names():
    assert {"scenes", "watermark", "wolves", "monsters", "designed", "photos", "folder"} <= set(lab_names())
    assert "detective" in lab_names()
