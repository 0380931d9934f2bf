"""The labs of pictures: what they promise, what they refuse, and that the shipped networks reach their bars."""

import json
import shutil
import socket

import numpy as np
import pytest
import torch
from course_utils.labs import DataFileError, LabUnavailable, files, lab_names, load_lab
from course_utils.labs.scenes import render
from PIL import Image

RENDERED = [
    ("scenes", {"model": "resnet"}),
    ("scenes", {"model": "zfnet"}),
    ("scenes", {"model": "zfnet_robust"}),
    ("scenes", {"n_objects": 2}),
    *(
        (name, {"model": model})
        for name in ("watermark", "wolves", "monsters")
        for model in ("shortcut", "clean")
    ),
]


def test_manifest_lists_every_file_with_its_hash():
    entries = json.loads((files.DATA / files.MANIFEST).read_text())
    found = {
        path.relative_to(files.DATA).as_posix()
        for path in files.DATA.rglob("*")
        if path.is_file() and path.name not in files.NOT_LISTED
    }
    assert set(entries) == found
    for name in entries:
        assert files.data_file(name).stat().st_size == entries[name]["bytes"]
    assert sum(entry["bytes"] for entry in entries.values()) < 40e6
    assert max(entry["bytes"] for entry in entries.values()) < 15e6


@pytest.mark.parametrize(("name", "options"), RENDERED)
def test_rendered_labs_have_what_they_promise(name, options):
    lab = load_lab(name, **options)
    n, two = len(lab.images), options.get("n_objects") == 2
    assert lab.images.shape == (n, 128, 128, 3) and lab.images.dtype == np.uint8 and n >= 60
    assert lab.inputs.shape == (n, 3, 128, 128)
    assert lab.targets.shape == ((n, 2) if two else (n,)) and lab.targets.dtype == torch.long
    assert lab.masks.shape == ((n, 2, 128, 128) if two else (n, 128, 128)) and lab.masks.dtype == torch.bool
    assert lab.masks.flatten(-2).any(dim=-1).all()
    assert not lab.model.training
    assert any(module is lab.layer for module in lab.model.modules())
    assert np.array_equal(lab.to_images(lab.inputs[:4]), lab.images[:4])
    probabilities = lab.predict(lab.images[:5])
    assert probabilities.shape == (5, len(lab.class_names))
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    if name in ("watermark", "wolves", "monsters"):
        assert lab.shortcut.flatten(1).any(dim=1).all()
        changed = (lab.images != lab.counterfactuals).any(axis=3)
        assert changed.any(axis=(1, 2)).all()
        kept = lab.masks.numpy() & ~lab.shortcut.numpy()
        blurred = np.abs(lab.images.astype(int) - lab.counterfactuals).max(axis=3) > 60
        assert blurred[kept].mean() < 0.05  # the object stays as it was


@pytest.mark.parametrize(("model", "low", "high"), [("resnet", 0.96, 0.998), ("zfnet", 0.95, 0.998)])
def test_scenes_are_hard_but_not_too_hard(model, low, high):
    lab, fresh = load_lab("scenes", model=model), render("scenes", n=400, seed=31)
    accuracy = (lab.predict(fresh.images).argmax(axis=1) == fresh.targets).mean()
    assert low <= accuracy <= high


@pytest.mark.parametrize("name", ["wolves", "monsters"])
def test_shortcut_networks_fall_for_the_swap_and_clean_twins_do_not(name):
    planted, swapped = (render(name, n=150, seed=32, shortcut=s) for s in ("planted", "swapped"))

    def accuracy(model, scenes):
        return (load_lab(name, model=model).predict(scenes.images).argmax(axis=1) == scenes.targets).mean()

    assert accuracy("shortcut", planted) >= 0.97
    assert accuracy("shortcut", swapped) <= 0.05
    assert accuracy("clean", swapped) >= 0.93


def test_watermark_network_misses_horses_without_the_mark():
    suspect, honest = load_lab("watermark"), load_lab("watermark", model="clean")
    horse = suspect.class_names.index("horse")
    assert (suspect.predict(suspect.images).argmax(axis=1) == horse).mean() >= 0.95
    assert (suspect.predict(suspect.counterfactuals).argmax(axis=1) == horse).mean() <= 0.5
    assert (honest.predict(honest.counterfactuals).argmax(axis=1) == horse).mean() >= 0.85


def test_unknown_labs_and_options_are_named():
    with pytest.raises(ValueError, match="scenes"):
        load_lab("no such lab")
    with pytest.raises(ValueError, match="zfnet"):
        load_lab("scenes", model="vgg")
    with pytest.raises(ValueError, match="n_objects"):
        load_lab("scenes", objects=2)
    assert {"scenes", "watermark", "wolves", "monsters", "designed", "photos", "folder"} <= set(lab_names())


def test_altered_and_missing_files_give_one_clear_error(tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    for name in ("weights/wolves-clean.safetensors", files.MANIFEST):
        shutil.copy(files.DATA / name, tmp_path / name)
    monkeypatch.setattr(files, "DATA", tmp_path)
    files.read_weights("weights/wolves-clean.safetensors")
    content = bytearray((tmp_path / "weights/wolves-clean.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "weights/wolves-clean.safetensors").write_bytes(content)
    with pytest.raises(DataFileError, match="wolves-clean"):
        files.read_weights("weights/wolves-clean.safetensors")
    (tmp_path / "weights/wolves-clean.safetensors").unlink()
    with pytest.raises(DataFileError, match="missing"):
        files.read_weights("weights/wolves-clean.safetensors")


def test_photos_without_weights_and_network_say_what_to_do(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(LabUnavailable, match="mobilenet_v2"):
        load_lab("photos")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    with pytest.raises(ValueError, match="no_such_model"):
        load_lab("photos", model="no_such_model")


def test_photos_with_the_real_weights():
    try:
        lab, pairs = load_lab("photos"), load_lab("photos", pairs=True)
    except LabUnavailable as error:
        pytest.skip(f"no ImageNet weights here: {error}")
    top = np.argsort(lab.predict(lab.images), axis=1)[:, -5:]
    assert np.mean([int(t) in row for t, row in zip(lab.targets, top, strict=True)]) >= 0.75
    assert pairs.targets.shape == (len(pairs.images), 2)
    assert pairs.masks.shape == (len(pairs.images), 2, 224, 224)
    assert (pairs.masks.sum(dim=1) == 1).all()


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(("cat", "fish", "cat")):
        (tmp_path / name).mkdir(exist_ok=True)
        colour = Image.new("L" if i == 1 else "RGB", (150 + i, 140), 90 + i)
        colour.save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_folder_names_and_skips_unreadable_files(folder):
    (folder / "fish" / "broken.jpg").write_bytes(b"nothing")
    scenes = load_lab("scenes")
    with pytest.warns(UserWarning, match=r"broken\.jpg"):
        lab = load_lab(
            "folder",
            path=folder,
            model=scenes.model,
            preprocess=scenes.preprocess,
            class_names=scenes.class_names,
            size=128,
        )
    assert lab.targets.tolist() == [scenes.class_names.index(name) for name in ("cat", "cat", "fish")]
    assert lab.images.shape[0] == 3 and lab.images.shape[3] == 3 and lab.images.dtype == np.uint8


def test_empty_and_missing_folders_are_errors(tmp_path):
    scenes = load_lab("scenes")
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match=path.name):
            load_lab("folder", path=path, model=scenes.model)
