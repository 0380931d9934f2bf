"""The picture game: the quick way to ask a network equals the plain one, and nothing is asked twice."""

import numpy as np
import pytest
import torch

from course_utils.labs import load_lab
from course_utils.methods.lime import hide_segments
from course_utils.teach.superpixels import all_masks, look_up, network_answers, picture_games, superpixels


@pytest.fixture(scope="module")
def lab():
    return load_lab("scenes", n_objects=2)


def test_superpixels_are_labels_from_zero(lab):
    segments = superpixels(lab.images[0])
    assert segments.shape == lab.images[0].shape[:2]
    assert np.array_equal(np.unique(segments), np.arange(segments.max() + 1))
    assert 5 < segments.max() + 1 <= 20


@pytest.mark.parametrize("hidden", [None, 127])
def test_answers_are_those_of_the_pictures(lab, hidden):
    image, segments = lab.images[3], superpixels(lab.images[3])
    masks = np.random.default_rng(0).integers(0, 2, (20, segments.max() + 1))
    plain = lab.predict(hide_segments(image, segments, masks, hidden))
    quick = network_answers(lab, image, segments, masks, hidden)
    assert np.allclose(quick, plain, atol=1e-5)
    scores = torch.from_numpy(network_answers(lab, image, segments, masks, hidden, logits=True))
    assert np.allclose(scores.softmax(dim=1), quick)


def test_masks_must_fit(lab):
    with pytest.raises(ValueError, match="masks must have the shape"):
        network_answers(lab, lab.images[0], superpixels(lab.images[0]), np.ones((2, 3)))


def test_games_ask_each_version_once(lab, monkeypatch):
    image, segments, asked = lab.images[1], superpixels(lab.images[1], 8), []
    masks = all_masks(int(segments.max()) + 1)[:12]
    forward = lab.model.forward
    monkeypatch.setattr(lab.model, "forward", lambda x: (asked.append(len(x)), forward(x))[1])
    first, second = picture_games(lab, image, segments, lab.targets[1])
    one = first(np.concatenate([masks, masks]))
    two = second(masks)
    assert sum(asked) == len(masks)
    expected = network_answers(lab, image, segments, masks)[:, lab.targets[1].numpy()]
    assert np.allclose(one, np.tile(expected[:, 0], 2))
    assert np.allclose(two, expected[:, 1])


def test_a_table_of_worths_is_a_game():
    worths = np.random.default_rng(0).normal(size=16)
    assert np.array_equal(look_up(worths)(all_masks(4)), worths)
    assert look_up(worths)(np.array([[1, 0, 1, 0]])) == worths[5]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda lab, cut: superpixels(lab.images), "one picture"),
        (lambda lab, cut: superpixels(lab.images[0], 2.5), "n must be a whole number"),
        (lambda lab, cut: all_masks(-1), "n must be a whole number"),
        (lambda lab, cut: network_answers(lab, lab.images[0], cut - 1, all_masks(3)), "without a gap"),
        (lambda lab, cut: network_answers(lab, lab.images[0], 2 * cut, all_masks(3)), "without a gap"),
        (
            lambda lab, cut: network_answers(lab, lab.images[0], cut, np.full((2, cut.max() + 1), 0.5)),
            "only 0",
        ),
        (lambda lab, cut: picture_games(lab, lab.images[0], cut, [-1]), "out of range"),
        (lambda lab, cut: look_up(np.ones(6)), "2ⁿ"),
        (lambda lab, cut: look_up(np.ones(4))(np.full((1, 2), 0.5)), "only 0"),
    ],
)
def test_what_is_no_cut_no_mask_and_no_class_is_refused(lab, ask, message):
    with pytest.raises(ValueError, match=message):
        ask(lab, superpixels(lab.images[0]))
