"""The digits lab: its drawings, its networks, its sources."""

import numpy as np
import pytest
import torch

from course_utils.labs import LabUnavailable, digits, load_lab


def accuracy(lab):
    return (lab.predict(lab.images).argmax(axis=1) == lab.targets.numpy()).mean()


@pytest.mark.parametrize("model", ["classifier", "second"])
def test_the_classifiers_know_new_drawings(model):
    lab = load_lab("digits", model=model)
    assert len(lab.images) == 200 and lab.images.dtype == np.uint8 and lab.images.shape[1:] == (28, 28, 3)
    assert lab.inputs.shape == (200, 1, 28, 28) and 0 <= lab.inputs.min() and lab.inputs.max() <= 1
    assert np.array_equal(lab.to_images(lab.inputs), lab.images)
    assert lab.targets.bincount().tolist() == [20] * 10
    assert accuracy(lab) >= 0.96
    assert not lab.model.training and lab.layer is lab.layers["conv2"]


def test_strange_fonts_and_handwriting_are_harder():
    strange, written = (load_lab("digits", source=source) for source in ("new_fonts", "handwritten"))
    assert 0.6 < accuracy(strange) < 0.97
    assert len(written.images) == 1797 and 0.6 < accuracy(written) < 0.97


def test_samples_of_the_generator_are_legible_and_like_the_drawings():
    vae, second = load_lab("digits", model="vae").model, load_lab("digits", model="second")
    codes = torch.randn(300, vae.latent, generator=torch.Generator().manual_seed(0)).to(second.device)
    with torch.no_grad():
        samples = vae.decode(codes)
        sure = second.model(samples).softmax(dim=1).amax(dim=1)
        like_a_digit, like_noise = vae.loss(second.inputs), vae.loss(torch.rand_like(second.inputs))
    assert samples.shape == (300, 1, 28, 28) and 0 <= samples.min() and samples.max() <= 1
    assert (sure > 0.9).float().mean() > 0.5
    assert like_a_digit.max() < like_noise.min()


def test_drawings_depend_on_the_seed_alone():
    first, targets = digits.draw_digits(30, 4)
    more, _ = digits.draw_digits(520, 4)
    other, _ = digits.draw_digits(30, 5)
    assert torch.equal(first, more[:30]) and not torch.equal(first, other)
    assert targets.tolist() == list(range(10)) * 3
    ink = first.mean(dim=(1, 2, 3))
    assert ink.min() > 0.03 and ink.max() < 0.6
    before = torch.random.get_rng_state()
    digits.draw_digits(5, 1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_samples_are_what_the_code_draws():
    lab = load_lab("digits")
    drawn, _ = digits.draw_digits(200, 101)
    difference = np.abs(digits.to_grey(drawn).astype(int) - lab.images[..., 0])
    assert np.mean(difference > 2) < 0.001, "another FreeType may differ in single pixels"


def test_mnist_is_read_where_it_is_and_never_downloaded(tmp_path):
    with pytest.raises(LabUnavailable, match="MNIST"):
        load_lab("digits", source="mnist", path=tmp_path)
    assert list(tmp_path.rglob("*ubyte*")) == []
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    pictures, classes = np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28), np.array([7, 2, 1], np.uint8)
    for kind in ("t10k", "train"):
        header = np.array([0x803, 3, 28, 28], ">i4").tobytes()
        (folder / f"{kind}-images-idx3-ubyte").write_bytes(header + pictures.tobytes())
        (folder / f"{kind}-labels-idx1-ubyte").write_bytes(
            np.array([0x801, 3], ">i4").tobytes() + classes.tobytes()
        )
    lab = load_lab("digits", source="mnist", path=tmp_path)
    assert np.array_equal(lab.images[..., 1], pictures) and lab.targets.tolist() == [7, 2, 1]


@pytest.mark.parametrize(
    ("options", "message"), [({"model": "gan"}, "classifier"), ({"source": "svhn"}, "handwritten")]
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        load_lab("digits", **options)


def test_pictures_of_another_size_are_refused():
    lab = load_lab("digits")
    with pytest.raises(ValueError, match="28 × 28"):
        lab.preprocess(np.zeros((1, 32, 32, 3), np.uint8))
