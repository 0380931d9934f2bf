"""Set-ups of lesson 19: corrections, grounds, own concepts, prototypes that are places of pictures."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_utils.lessons import l19_concepts as lesson
from course_utils.methods.hooks import layer_outputs


def test_the_first_scenes_are_the_same_in_a_small_set_and_their_parts_are_drawn_and_counted():
    few, more = lesson.scenes(n=2), lesson.scenes(n=4)
    assert (few.images == more.images[:2]).all() and (few.pixels == more.pixels[:2]).all()
    lesson.draw_parts(few, 2)
    axes = plt.gcf().axes
    listed = [text.get_text() for text in axes[4].texts if text.get_text() != "■"]
    assert len(listed) == (few.pixels[0] > 0).sum()
    largest = few.pixels[0].argmax()
    assert listed[0] == f"{few.words[largest]} {few.pixels[0, largest]}"
    plt.close()


def test_maps_do_not_depend_on_how_many_pictures_are_sent_at_once():
    lab = lesson.wolves("clean")
    (whole,), (part,) = (lesson.layer_maps(lab, lab.images[:n], ("layer3",)) for n in (40, 3))
    assert whole.is_contiguous()
    torch.testing.assert_close(whole[:3], part, atol=1e-4, rtol=1e-4)
    with torch.no_grad(), layer_outputs(lab.model, "layer3") as outputs:
        lab.model(lab.inputs[:3])
    torch.testing.assert_close(part, outputs[0], atol=1e-4, rtol=1e-4)


def test_corrections_touch_only_the_wanted_columns():
    said, truth = np.array([[0.1, 0.5, 0.9], [0.7, 0.2, 0.4]]), np.array([[1.0, 1, 0], [0, 1, 1]])
    result = lesson.corrected(said, truth, np.abs(said - 0.5), 1)
    assert result.tolist() == [[0.1, 1, 0.9], [0.7, 0.2, 1]]
    assert lesson.corrected(said, truth, said, 3).tolist() == truth.tolist()


def test_each_random_word_stands_for_some_classes_and_not_for_all():
    codes = lesson.random_codes(3)
    assert codes.shape == (10, 22)
    assert 2 <= codes.sum(axis=0).min() and codes.sum(axis=0).max() <= 5
    assert len(np.unique(codes, axis=0)) == 10  # the classes can be told apart


def test_grounds_are_the_same_for_a_seed():
    snow = lesson.ground_pictures("snow", 3, seed=4)
    assert snow.shape == (3, 128, 128, 3) and snow.dtype == np.uint8
    assert (snow == lesson.ground_pictures("snow", 3, seed=4)).all()
    assert snow.mean() > lesson.ground_pictures("others", 3, seed=4).mean()


def test_bad_input_own_concept(tmp_path):
    with pytest.raises(ValueError, match="neither a folder nor a ground"):
        lesson.own_concept("nowhere")
    with pytest.raises(ValueError, match="at least 20"):
        lesson.own_concept(str(tmp_path))
    for bad in ("", 5):
        with pytest.raises(ValueError, match="name of a ground or the path"):
            lesson.own_concept(bad)
    assert len(lesson.own_concept("water", 5)) == 5


def test_prototypes_are_places_of_training_pictures_of_their_class():
    classes = np.arange(900) % 10
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(900, 12, 8, 8, generator=generator) + torch.eye(12)[classes][:, :, None, None]
    network = lesson.train_prototypes(maps, classes, n_steps=3)
    assert (classes[network.source[:, 0]] == network.owner).all() and (network.source[:, 0] < 800).all()
    for vector, (picture, row, column) in zip(network.vectors, network.source, strict=True):
        torch.testing.assert_close(vector, network.places[picture, :, row, column])
    assert network.similarities().shape == (900, 40, 8, 8)
    assert lesson.crop_box(1, 2) == (32, 16, 48, 32)
