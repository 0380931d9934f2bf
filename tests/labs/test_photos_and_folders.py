"""Photographs with ImageNet models, and a learner's own pictures."""

import socket
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from course_utils.labs import LabUnavailable, load_lab
from course_utils.labs.photos import IN_PAIRS, PHOTOGRAPHS, find_feature_layers, fit_image, open_photograph
from course_utils.labs.scenes import SCENE_CLASSES

MOBILENET = "mobilenet_v2-b0353104.pth"
needs_weights = pytest.mark.skipif(
    not Path(torch.hub.get_dir(), "checkpoints", MOBILENET).exists(),
    reason=f"torchvision's cache has no {MOBILENET}",
)


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise OSError("network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# --------------------------------------------------------------------------------------- photographs


@needs_weights
def test_photographs():
    lab = load_lab("photos")
    n = len(PHOTOGRAPHS)
    assert lab.images.shape == (n, 224, 224, 3) and lab.inputs.shape == (n, 3, 224, 224)
    assert len(lab.class_names) == 1000 and lab.class_names[285] == "Egyptian cat"
    np.testing.assert_array_equal(lab.to_images(lab.inputs), lab.images)
    best = lab.predict(lab.images).argmax(axis=1)
    assert (best[:4] == lab.targets[:4].numpy()).all()
    assert lab.layer is lab.model.features
    assert not lab.model.training


@needs_weights
def test_pairs():
    lab = load_lab("photos", pairs=True)
    n = len(IN_PAIRS) * (len(IN_PAIRS) - 1)
    assert lab.images.shape == (n, 224, 224, 3) and lab.targets.shape == (n, 2)
    assert lab.masks.shape == (n, 2, 224, 224) and (lab.masks.sum(dim=1) == 1).all()
    assert (lab.targets[:, 0] != lab.targets[:, 1]).all()


def test_weights_that_are_nowhere(tmp_path, monkeypatch, no_network, capfd):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(LabUnavailable) as error:
        load_lab("photos")
    for hint in (MOBILENET, str(tmp_path / "hub" / "checkpoints"), "TORCH_HOME", "internet"):
        assert hint in str(error.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert capfd.readouterr().err == ""
    assert socket.getdefaulttimeout() is None


def test_an_unreadable_file_in_the_cache(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / MOBILENET
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half a download")
    with pytest.raises(LabUnavailable, match="delete it"):
        load_lab("photos")


def test_unknown_classifier():
    with pytest.raises(ValueError, match="mobilenet_v2"):
        load_lab("photos", model="mobilenet_v9")


def test_every_photograph_is_there():
    for photograph in PHOTOGRAPHS:
        image = open_photograph(photograph)
        assert image.mode == "RGB" and min(image.size) >= 224


def test_fit_image_cuts_the_middle():
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 255
    assert (fit_image(Image.fromarray(pixels), 50, 50)[:, 2:-2] == 255).all()
    assert fit_image(Image.fromarray(pixels), 30, 60).shape == (60, 30, 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", "layer4"),
        ("mobilenet_v2", "features"),
        ("squeezenet1_1", "classifier.1"),
    ],
)
def test_feature_layers_of_torchvision_models(name, expected):
    from torchvision import models

    network = models.get_model(name, weights=None).eval()
    layers, layer = find_feature_layers(network, torch.zeros(1, 3, 224, 224))
    assert layer is network.get_submodule(expected)
    assert len(layers) >= 4


def test_feature_layers_of_a_network_without_maps():
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    assert find_feature_layers(network, torch.zeros(1, 3, 2, 2)) == ({}, None)


# -------------------------------------------------------------------------------------------- folder


@pytest.fixture
def pictures(tmp_path):
    """Two classes; among the pictures a grey one and one with transparency."""
    rng = np.random.default_rng(0)
    for folder in ("horse", "ice_cream"):
        (tmp_path / folder).mkdir()
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8)).save(tmp_path / folder / "a.png")
    Image.fromarray(rng.integers(0, 255, (50, 40), np.uint8)).save(tmp_path / "horse" / "grey.png")
    Image.new("RGBA", (30, 30), (9, 8, 7, 100)).save(tmp_path / "ice_cream" / "clear.png")
    return tmp_path


def small_network(n_classes):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, n_classes)
    )


def test_own_pictures_and_own_network(pictures):
    lab = load_lab("folder", path=pictures, model=small_network(2), size=64)
    assert lab.images.shape == (4, 64, 64, 3)
    assert lab.class_names == ("horse", "ice_cream") and lab.targets.tolist() == [0, 0, 1, 1]
    assert lab.layer is lab.model[0]
    assert lab.predict(lab.images).shape == (4, 2)


def test_own_pictures_and_a_lab_s_network(pictures):
    scenes = load_lab("scenes")
    lab = load_lab(
        "folder",
        path=str(pictures),
        model=scenes.model,
        preprocess=scenes.preprocess,
        class_names=scenes.class_names,
        size=128,
    )
    assert [SCENE_CLASSES[target] for target in lab.targets] == ["horse"] * 2 + ["ice cream"] * 2
    np.testing.assert_array_equal(lab.to_images(lab.inputs), lab.images)


def test_folders_that_are_no_class_get_the_model_s_answer(pictures):
    lab = load_lab("folder", path=pictures, model=small_network(5))
    assert lab.class_names[0] == "class 0"
    assert lab.targets.tolist() == lab.predict(lab.images).argmax(axis=1).tolist()


def test_unreadable_files_are_named_once(pictures):
    (pictures / "horse" / "broken.jpg").write_bytes(b"\xff\xd8\xff half a picture")
    (pictures / "horse" / "notes.txt").write_text("not a picture")
    with pytest.warns(UserWarning, match=r"horse/broken\.jpg, horse/notes\.txt") as caught:
        lab = load_lab("folder", path=pictures, model=small_network(2))
    assert len(caught) == 1 and len(lab) == 4


def test_a_preprocess_without_inverse(pictures):
    def preprocess(images):
        return torch.from_numpy(images).permute(0, 3, 1, 2).float()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab = load_lab("folder", path=pictures, model=small_network(2), preprocess=preprocess)
    with pytest.raises(TypeError, match="invert"):
        lab.to_images(lab.inputs)


def test_bad_folders(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        load_lab("folder", path=tmp_path / "nowhere", model=small_network(2))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no pictures"):
        load_lab("folder", path=tmp_path, model=small_network(2))


def test_bad_models(pictures):
    with pytest.raises(TypeError, match="int"):
        load_lab("folder", path=pictures, model=3)
    with pytest.raises(ValueError, match="2 classes"):
        load_lab("folder", path=pictures, model=small_network(2), class_names=("a", "b", "c"))


@needs_weights
def test_own_pictures_and_an_imagenet_network(tmp_path):
    for folder, photograph in (("Egyptian_cat", PHOTOGRAPHS[0]), ("my drinks", PHOTOGRAPHS[1])):
        (tmp_path / folder).mkdir()
        open_photograph(photograph).save(tmp_path / folder / "x.jpg")
    lab = load_lab("folder", path=tmp_path)
    assert [lab.class_names[target] for target in lab.targets] == ["Egyptian cat", "espresso"]
