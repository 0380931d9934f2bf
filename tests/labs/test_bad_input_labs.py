"""Bad input of the labs: the error names the argument and the remedy, and everything is as before."""

import numpy as np
import pytest
import torch
from torch import nn
from unchanged import refuses

from course_utils.labs import load_lab
from course_utils.labs.folder import folder_lab
from course_utils.labs.lab import HALF, Lab, Scaling
from course_utils.labs.photos import top_answers, top_classes
from course_utils.labs.text import plant, read_texts, tokenize

SCENES = load_lab("scenes", n_objects=2)
TEXTS = load_lab("text")
IMAGES = SCENES.images[:2]
ONE = Lab(
    "one",
    nn.Sequential(nn.Flatten(), nn.Linear(48, 1)),
    np.zeros((2, 4, 4, 3), np.uint8),
    torch.zeros(2).long(),
    ("no", "yes"),
    Scaling(HALF, HALF),
)


def _load(name, options):
    return load_lab(name, **options)


def _predict(lab, images):
    return lab.predict(images)


def _questions(n):
    return SCENES.questions(n)


def _back(lab, inputs):
    return lab.to_images(inputs)


def _classify(texts):
    return TEXTS.predict(texts)


def _tokens(texts):
    return TEXTS.tokenize(texts)


def _answer(pairs):
    return TEXTS.answer(pairs)


USUAL = {
    _load: {"name": "designed", "options": {"network": "linear"}},
    _predict: {"lab": SCENES, "images": IMAGES},
    _questions: {"n": 2},
    _back: {"lab": SCENES, "inputs": SCENES.inputs[:2]},
    Scaling(HALF, HALF): {"images": IMAGES},
    top_answers: {"lab": SCENES, "images": IMAGES, "k": 2},
    top_classes: {"lab": SCENES, "images": IMAGES, "k": 2},
    _classify: {"texts": ["fine"]},
    _tokens: {"texts": ["fine"]},
    plant: {"text": "It broke. I sent it back.", "place": 1},
    read_texts: {"name": "reviews"},
}

V, T = ValueError, TypeError
ROWS = [
    (_load, {"name": "zoo"}, V, r"there is no lab 'zoo': choose one of scenes"),
    (_load, {"options": {"colour": 1}}, V, r"'designed' has no option 'colour': it takes network"),
    (_load, {"options": {"network": "deep"}}, V, r"network='deep': choose one of 'linear'"),
    (_load, {"name": "scenes", "options": {"model": "vgg"}}, V, r"model='vgg': choose one of 'resnet'"),
    (_load, {"name": "scenes", "options": {"n_objects": 3}}, V, r"n_objects=3: choose one of 1, 2"),
    (_load, {"name": "scenes", "options": {"n": 5}}, V, r"n=5 needs a seed"),
    (_load, {"name": "scenes", "options": {"seed": -1}}, V, r"seed is a whole number of 0 or more"),
    (_load, {"name": "scenes", "options": {"seed": 1, "n": 0}}, V, r"n is a whole number of 1 or more"),
    (_load, {"name": "wolves", "options": {"model": "resnet"}}, V, r"model='resnet': choose one of 'short"),
    (_load, {"name": "tabular", "options": {"table": "titanic"}}, V, r"no table 'titanic': choose one"),
    (_load, {"name": "tabular", "options": {"model": "svm"}}, V, r"no model 'svm': choose one of formula"),
    (_load, {"name": "text", "options": {"model": "gpt"}}, V, r"no model 'gpt': choose one of encoder"),
    (_load, {"name": "text", "options": {"path": ".", "variant": "x"}}, V, r"a path or a variant, not both"),
    (_load, {"name": "text", "options": {"path": "nowhere"}}, RuntimeError, r"nowhere holds no model"),
    (_load, {"name": "folder", "options": {"path": "nowhere"}}, V, r"path: there is no folder"),
    (_load, {"name": "photos", "options": {"path": "nowhere"}}, V, r"path: there is no file or"),
    (_predict, {"images": IMAGES[0]}, V, r"images are a NumPy array \(N, H, W, 3\) of uint8"),
    (_predict, {"images": IMAGES / 255}, V, r"images are a NumPy array .* this is float64"),
    (_predict, {"images": IMAGES[..., :1]}, V, r"images are a NumPy array .*3\) of uint8, RGB"),
    (_predict, {"images": np.array(None)}, V, r"images are a batch like lab.images"),
    (_predict, {"images": np.moveaxis(IMAGES, 3, 1)}, V, r"images are a NumPy array .*RGB"),
    (_predict, {"lab": ONE, "images": ONE.images}, V, r"softmax needs \(N, 2 or more\).*torch.cat"),
    (_questions, {"n": 0}, V, r"n is a whole number from 1 to 60, not 0"),
    (_questions, {"n": 61}, V, r"n is a whole number from 1 to 60, not 61"),
    (_questions, {"n": True}, V, r"n is a whole number from 1 to 60"),
    (Scaling(HALF, HALF), {"images": [1, 2]}, V, r"images are a NumPy array .* this is list"),
    (top_answers, {"k": 0}, V, r"k is a whole number from 1 to 10, not 0"),
    (top_answers, {"k": 11}, V, r"k is a whole number from 1 to 10, not 11"),
    (top_answers, {"images": IMAGES[0]}, V, r"images are a NumPy array"),
    (top_classes, {"k": 2.5}, V, r"k is a whole number from 1 to 10, not 2.5"),
    (top_classes, {"k": True}, V, r"k is a whole number from 1 to 10"),
    (_classify, {"texts": "fine"}, T, r"predict takes a list of texts: put the text in brackets"),
    (_classify, {"texts": [None]}, T, r"a text must be a string, not a NoneType"),
    (_classify, {"texts": [3]}, T, r"a text must be a string, not a int"),
    (_classify, {"texts": ["word " * 600]}, V, r"text 0 has 602 tokens, .*at most 512.*shorten it"),
    (_tokens, {"texts": []}, V, r"no text to tokenize: give at least one"),
    (_tokens, {"texts": [("a", "b"), "c"]}, T, r"either texts or pairs of texts"),
    (_tokens, {"texts": [b"bytes"]}, T, r"a text must be a string or a pair of strings, not a bytes"),
    (plant, {"text": ""}, V, r"the text is empty"),
    (plant, {"text": "  "}, V, r"the text is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "change", "error", "message"), ROWS)
def test_bad_input(function, change, error, message):
    refuses(function, USUAL[function] | change, error, message)


@pytest.mark.parametrize("function", USUAL)
def test_the_usual_input_is_fine(function):
    assert function(**USUAL[function]) is not None


def test_bad_input_of_labs_that_lack_something():
    with pytest.raises(TypeError, match="no classes to predict: load the model 'sentiment'"):
        load_lab("text", model="qa").predict(["fine"])
    with pytest.raises(TypeError, match="answers no questions: load the model 'qa'"):
        TEXTS.answer([("Who?", "Ann.")])
    with pytest.raises(TypeError, match=r"pairs of strings"):
        load_lab("text", model="qa").answer(["Who?"])
    with pytest.raises(ValueError, match="give at least one"):
        tokenize(TEXTS.tokenizer, [], 512)


@pytest.mark.parametrize("fault", ["one score", "not the pictures"])
def test_bad_input_leaves_the_learner_s_network_as_it_was(tmp_path, fault):
    from PIL import Image

    (tmp_path / "cat").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "cat" / "a.png")
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(3 * 32 * 32 if fault == "one score" else 5, 1), nn.Dropout()
    )
    network.train()
    network[2].eval()
    with pytest.raises(ValueError, match="model: "):
        folder_lab(tmp_path, network, size=32)
    assert [module.training for module in network.modules()] == [True, True, True, False]
