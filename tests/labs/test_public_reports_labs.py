"""What people have reported of loading pictures, models and texts, tried on the labs; one test a report."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models import SwinTransformer, VisionTransformer

from course_utils.labs import Lab, load_lab
from course_utils.labs.folder import folder_lab
from course_utils.labs.imagenet import find_feature_layers, imagenet_classifier
from course_utils.labs.lab import HALF, Scaling
from course_utils.labs.photos import top_answers, top_classes
from course_utils.labs.pictures import read_picture

RNG = np.random.default_rng(0)


def network(n_classes=2):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, n_classes)
    ).eval()


def noise(path, side=40):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 255, (side, side, 3), dtype=np.uint8)).save(path)


@pytest.mark.parametrize("hidden", [".ipynb_checkpoints", ".Trash-1000", ".git"])
def test_public_report_hidden_folders(tmp_path, hidden):
    """vision 2831, 109; tensorflow 46595; mmpretrain 507: a folder of checkpoints became a class."""
    for folder in ("cat", "dog", hidden):
        noise(tmp_path / folder / "a.png")
    lab = load_lab("folder", path=tmp_path, model=network(), size=32)
    assert lab.class_names == ("cat", "dog") and lab.targets.tolist() == [0, 1] and len(lab) == 2


def test_public_report_targets_that_are_the_model_s_own_answers(tmp_path):
    """Folders whose names fit no class: one warning says it, and proposes the class that was meant."""
    for folder in ("hot-dog", "catt"):
        noise(tmp_path / folder / "a.png")
    with pytest.warns(UserWarning, match=r"catt \(did you mean cat\?\).*accuracy"):
        lab = load_lab(
            "folder", path=tmp_path, model=network(3), class_names=("hot dog", "cat", "owl"), size=32
        )
    assert lab.targets[1].item() == 0  # "hot-dog" is the class "hot dog"


def test_public_report_sixteen_bits(tmp_path):
    """Pillow 2574, 3011, 5991: X-ray pictures of 16 bits came out white."""
    Image.fromarray(np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (64, 1))).save(tmp_path / "a.png")
    assert np.asarray(read_picture(tmp_path / "a.png"))[0, :, 0].tolist() == list(range(256))


def test_public_report_colours_below_transparent_pixels(tmp_path):
    """img2dataset 67, sd-scripts 1269, DIGITS 85: what is hidden under the alpha appeared."""
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[...] = (7, 200, 13, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (np.asarray(read_picture(tmp_path / "a.png")) == 255).all()
    Image.fromarray(np.full((20, 20, 2), (90, 0), np.uint8)).save(tmp_path / "b.png")  # grey with alpha
    assert (np.asarray(read_picture(tmp_path / "b.png")) == 255).all()


def test_public_report_pictures_of_all_kinds(tmp_path):
    """vision 4925 and others: empty folders, broken files, CMYK, animations, turned pictures, odd names."""
    folder = tmp_path / "größte Katze 猫"
    noise(folder / "plain picture.JPG")
    Image.new("CMYK", (40, 40), (255, 0, 0, 0)).save(folder / "cmyk.jpg")
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    turned = Image.new("RGB", (60, 30), "red")
    turned.paste("blue", (0, 0, 30, 30))
    exif = Image.Exif()
    exif[274] = 6  # turn by a quarter to show it
    turned.save(folder / "turned.jpg", exif=exif)
    (folder / "empty.png").write_bytes(b"")
    (folder / "half.jpg").write_bytes((folder / "cmyk.jpg").read_bytes()[:300])
    (folder / ".DS_Store").write_bytes(b"x")
    Image.fromarray(RNG.random((20, 20)).astype(np.float32)).save(folder / "numbers.tif")
    (tmp_path / "no pictures").mkdir()
    with pytest.warns(UserWarning, match=r"empty\.png.*half\.jpg.*numbers\.tif") as caught:
        lab = load_lab("folder", path=tmp_path, model=network(), size=32)
    assert len(lab) == 4 and len([w for w in caught if "skipped" in str(w.message)]) == 1
    by_name = dict(zip(("cmyk", "moving", "plain", "turned"), lab.images, strict=True))
    assert by_name["cmyk"][16, 16, 0] < 20 < 230 < by_name["cmyk"][16, 16, 1]
    assert by_name["moving"][16, 16].tolist() == [254, 0, 0] or by_name["moving"][16, 16, 0] > 250
    top, bottom = by_name["turned"][2, 16], by_name["turned"][29, 16]
    assert top[2] > 200 > top[0] and bottom[0] > 200 > bottom[2]


class Wrapped(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.inner, self.wrap = network(), wrap

    def forward(self, x):
        return self.wrap(self.inner(x))


@pytest.mark.parametrize(
    ("wrap", "found"),
    [(lambda s: (s,), "tuple"), (lambda s: {"logits": s}, "dict"), (lambda s: s[:, 0], r"\(1,\)")],
)
def test_public_report_models_that_return_no_scores(tmp_path, wrap, found):
    """pytorch-grad-cam 481: ImageClassifierOutput and its like."""
    noise(tmp_path / "cat" / "a.png")
    with pytest.raises(ValueError, match=rf"model: .*{found}.*wrap it in a module"):
        folder_lab(tmp_path, Wrapped(wrap), size=32)


def test_public_report_one_logit(tmp_path):
    """pytorch-grad-cam 325, 428: the probability of each picture was 1."""
    noise(tmp_path / "cat" / "a.png")
    with pytest.raises(ValueError, match=r"model: .*one score.*torch\.cat"):
        folder_lab(tmp_path, network(1), size=32)
    images = np.zeros((2, 8, 8, 3), np.uint8)
    lab = Lab("one", network(1), images, torch.zeros(2).long(), ("no", "yes"), Scaling(HALF, HALF))
    with pytest.raises(ValueError, match=r"softmax.*torch\.cat"):
        lab.predict(images)
    lab = Lab("both", Wrapped(lambda s: torch.cat([0 * s[:, :1], s[:, :1]], dim=1)).eval(), images,
              torch.zeros(2).long(), ("no", "yes"), Scaling(HALF, HALF))  # fmt: skip
    assert lab.predict(images)[:, 1] == pytest.approx(torch.sigmoid(lab.model(lab.inputs)[:, 1]).tolist())


def test_public_report_half_precision():
    """pytorch-grad-cam 96, 442, 493: inputs and weights of different precision."""
    images = RNG.integers(0, 255, (2, 16, 16, 3), dtype=np.uint8)
    full = Lab("full", network(), images, torch.zeros(2).long(), ("a", "b"), Scaling(HALF, HALF))
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        lab = Lab("low", network().to(dtype), images, full.targets, ("a", "b"), Scaling(HALF, HALF))
        assert lab.predict(images) == pytest.approx(full.predict(images), abs=0.01)


@pytest.mark.parametrize(
    "transformer",
    [
        lambda: VisionTransformer(32, 8, 1, 2, 16, 32),
        lambda: SwinTransformer([4, 4], 24, [1, 1], [2, 2], [4, 4]),
    ],
)
def test_public_report_transformers_have_no_layer_for_cam(transformer):
    """pytorch-grad-cam 257, 503, 355: the patch embedding was called the last layer of feature maps."""
    layers, layer = find_feature_layers(transformer().eval(), torch.zeros(1, 3, 32, 32))
    assert layers == {} and layer is None


def test_public_report_names_that_stand_twice():
    """Lists of ImageNet's classes with two cranes and two maillots: `index(name)` found the first of them."""
    names = imagenet_classifier().class_names
    assert len(set(names)) == 1000  # the course's own list has none
    lab = dataclasses.replace(load_lab("scenes"), class_names=10 * ("crane",))
    best, chances = top_classes(lab, lab.images[:3], k=4)
    assert best.shape == chances.shape == (3, 4) and best.dtype == torch.long
    assert torch.equal(best[:, 0], torch.from_numpy(lab.predict(lab.images[:3])).argmax(dim=1))
    named = [
        [(lab.class_names[int(c)], float(p)) for c, p in zip(*row, strict=True)]
        for row in zip(best, chances, strict=True)
    ]
    assert named == top_answers(lab, lab.images[:3], k=4)


def test_public_report_texts_that_are_too_long_or_no_texts():
    """transformers 680, 894: IndexError for more than 512 tokens; None has no len()."""
    lab = load_lab("text")
    with pytest.raises(ValueError, match=r"text 1 has 602 tokens.*at most 512"):
        lab.tokenize(["fine", "word " * 600])
    with pytest.raises(TypeError, match="a text must be a string, not a NoneType"):
        lab.predict([None])


def test_public_report_texts_of_unknown_words():
    """limdu 27 and others: signs outside the vocabulary got an answer from [UNK] alone, without a word."""
    lab = load_lab("text")
    with pytest.warns(UserWarning, match="text 1, 2: the model's vocabulary has none of its words"):
        lab.predict(["fine", "😍", "🧿 🧿"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab.predict(["fine 😍", "", "[MASK]", "a longer text without any strange sign"])


def test_public_report_a_repr_that_fills_the_page():
    """The lab of texts printed all of its texts."""
    for lab in (load_lab("text"), load_lab("tabular"), load_lab("scenes")):
        assert len(repr(lab)) < 120 and lab.name in repr(lab)


# ---------------------------------------------------------------- what is new in the interface


@pytest.mark.parametrize(("n", "m"), [(None, 120), (5, 10)])
def test_questions_of_scenes_with_two_objects(n, m):
    lab = load_lab("scenes", n_objects=2)
    inputs, classes, masks = lab.questions(n)
    assert inputs.shape == (m, 3, 128, 128) and classes.shape == (m,) and masks.shape == (m, 128, 128)
    assert torch.equal(inputs, lab.inputs[:n].repeat_interleave(2, dim=0))
    assert torch.equal(classes, lab.targets[:n].flatten()) and torch.equal(masks, lab.masks[:n].flatten(0, 1))


def test_questions_of_pictures_with_one_object():
    lab = load_lab("wolves")
    inputs, classes, masks = lab.questions(3)
    assert torch.equal(inputs, lab.inputs[:3]) and torch.equal(classes, lab.targets[:3])
    assert torch.equal(masks, lab.masks[:3])
    no_masks = load_lab("photos", only="chelsea").questions()
    assert len(no_masks[0]) == 1 and no_masks[2] is None


def test_class_folders_of_any_size_and_a_network_by_name_or_of_ones_own(tmp_path):
    """Food-11's flat names, folders of different sizes, and three ways to give the network."""
    for label, count in ((0, 1), (1, 3), (10, 2)):
        for index in range(count):
            noise(tmp_path / "flat" / f"{label}_{index}.jpg")
    lab = load_lab("folder", path=tmp_path / "flat", model=network(11), size=32)
    assert lab.targets.tolist() == [0, 1, 1, 1, 10, 10]
    for folder, count in (("Egyptian cat", 1), ("espresso", 3)):
        for index in range(count):
            noise(tmp_path / "folders" / folder / f"{index}.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab = load_lab("folder", path=tmp_path / "folders")
        assert [lab.class_names[target] for target in lab.targets] == ["Egyptian cat"] + 3 * ["espresso"]
        own = load_lab(
            "folder", path=tmp_path / "folders", model=network(), size=48, preprocess=Scaling(HALF, HALF),
            class_names=("espresso", "Egyptian cat"),
        )  # fmt: skip
    assert own.targets.tolist() == [1, 0, 0, 0] and own.inputs.shape == (4, 3, 48, 48)
