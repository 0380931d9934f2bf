"""Lesson 16's walk: each number is what its row and column say; changed letters are new to the text."""

import numpy as np
import pytest
import torch

from course_utils.lessons import l16_transformer as lesson

WORDS = ("PLANETPLAN", "ABCDABC", "XYZ")


@pytest.mark.parametrize("word", WORDS)
def test_every_number_of_the_walk_is_what_it_was_made_of(word):
    lab, _ = lesson.two_models()
    names, steps = lesson.walk(lab, word)
    assert names == ["·", *word] and list(steps)[-1] == "logits"
    rng = np.random.default_rng(0)
    for step in steps.values():
        assert step.values.shape == (len(names), len(step.columns))
        for row, column in zip(
            rng.integers(len(names), size=9), rng.integers(len(step.columns), size=9), strict=True
        ):
            _, lines, text = lesson.how_it_came(step, row, column)
            value = step.values[row, column]
            if step.kind == "product" and np.isfinite(value):
                assert lines[2].sum() / step.divisor == pytest.approx(value, abs=1e-4)
            elif step.kind == "sum":
                assert lines.sum() == pytest.approx(value, abs=1e-5)
            elif step.kind == "softmax":
                powers = lines[1] / lines[1].sum()
                assert value == pytest.approx(powers[column] if column <= row else 0, abs=1e-5)
            assert text


def test_the_walk_ends_with_the_models_logits():
    lab, _ = lesson.two_models()
    steps = lesson.walk(lab, "PLANETPLAN")[1]
    expected = lab.model(lab.tokens("PLANETPLAN"))[0].numpy()
    assert np.abs(steps["logits"].values - expected).max() < 1e-4


def test_a_changed_letter_is_new_to_its_text_and_nothing_else_changes():
    lab, _ = lesson.two_models()
    texts = lab.sample(20, 12)
    changed = lesson.change_letter(lab, texts, 5)
    assert ((changed != texts).sum(dim=1) == 1).all() and (changed[:, 5] != texts[:, 5]).all()
    assert not (changed[:, 5:6] == texts).any() and (changed[:, 5] > 0).all()
    assert torch.equal(changed, lesson.change_letter(lab, texts, 5))
    assert torch.equal(changed, lesson.change_letter(lab, texts, 5 - texts.shape[1]))


def test_bad_input_changed_letter():
    lab, _ = lesson.two_models()
    with pytest.raises(ValueError, match="all 26 letters"):
        lesson.change_letter(lab, lab.sample(2, 26, n_tokens=30), 3)
    with pytest.raises(ValueError, match="place"):
        lesson.change_letter(lab, lab.sample(2, 8), 17)


def test_share_found_counts_the_true_places():
    credits = torch.tensor([[0.0, 3.0, 2.0, 1.0], [5.0, 4.0, 0.0, 1.0]])
    np.testing.assert_allclose(lesson.share_found(credits, [1, 2]), [1.0, 0.5])
