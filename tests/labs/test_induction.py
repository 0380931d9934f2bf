"""The lab of the taken-apart transformer: what both models do, what the lab refuses, what was measured."""

import numpy as np
import pytest
import torch

from course_utils.labs import lab_names, load_lab
from course_utils.labs.files import DATA
from course_utils.labs.induction import CURVES, MODELS, WEIGHTS, accuracy, patterns
from course_utils.training import induction as training


@pytest.fixture(scope="module", params=MODELS)
def lab(request):
    return load_lab("induction", model=request.param)


@pytest.fixture(scope="module")
def any_length():
    return load_lab("induction")


def test_lab_is_in_the_list_and_small(lab):
    assert "induction" in lab_names() and not lab.model.training
    assert lab.variant in repr(lab) and len(repr(lab)) < 100
    assert (DATA / WEIGHTS).stat().st_size <= 200_000


def test_both_are_right_at_sixteen_and_only_one_elsewhere(lab):
    assert accuracy(lab.model, lab.sample(200, 16, seed=5), 16) > 0.995
    elsewhere = [accuracy(lab.model, lab.sample(200, n, seed=5), n) for n in (7, 11, 13, 19)]
    assert min(elsewhere) > 0.98 if lab.variant == "any_length" else max(elsewhere) < 0.2


def test_samples_repeat_a_pattern_of_different_letters(lab):
    texts = lab.sample(30, 9, n_tokens=40, seed=1)
    assert texts.shape == (30, 40) and (texts[:, 0] == 0).all() and (texts[:, 1:] > 0).all()
    assert torch.equal(texts[:, 1:31], texts[:, 10:40])
    assert all(len(set(row)) == 9 for row in texts[:, 1:10].tolist())
    assert torch.equal(texts, lab.sample(30, 9, n_tokens=40, seed=1))
    assert not torch.equal(texts, lab.sample(30, 9, n_tokens=40, seed=2))
    assert lab.sample(2, 5).shape == (2, 11)


def test_text_and_tokens_are_each_others_inverse(lab):
    tokens = lab.tokens("planet")
    assert tokens.shape == (1, 7) and lab.text(tokens[0]) == "·PLANET"
    assert torch.equal(lab.tokens("·PLANET"), tokens)


def test_it_continues_a_pattern(any_length):
    assert any_length.complete("PLANETPLAN") == "E"
    assert any_length.complete("PLANETPLAN", n=8) == "ETPLANET"


def test_logits_are_the_sum_of_the_parts(lab):
    texts = lab.sample(5, 12)
    logits = lab.model(texts)
    torch.testing.assert_close(
        lab.model.unembed(sum(lab.model.parts(texts).values())), logits, atol=1e-5, rtol=0
    )


def test_later_letters_change_nothing_before_them(lab):
    texts = lab.sample(5, 10)
    changed = texts.clone()
    changed[:, 15:] = 1
    torch.testing.assert_close(lab.model(texts)[:, :15], lab.model(changed)[:, :15])


def test_what_was_measured_in_training(lab):
    assert lab.birth.shape == (3, len(training.MOMENTS), len(CURVES))
    assert (lab.birth[:, :, 0] == np.array(training.MOMENTS)).all()
    assert (lab.birth[:, 0, 2] < 0.1).all() and (lab.birth[:, -1, 2] > 0.99).all()


def test_training_is_the_same_twice_and_learns_something():
    first, curves = training.train("any_length", seed=3, n_steps=3)
    second, again = training.train("any_length", seed=3, n_steps=3)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(curves, again) and curves.shape == (1, len(CURVES))


def test_patterns_are_cut_at_the_longest():
    assert patterns(2, 20, np.random.default_rng(0)).shape == (2, 49)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda lab: load_lab("induction", model="both"), ValueError, "any_length"),
        (lambda lab: load_lab("induction", seed=1), ValueError, "no option 'seed'"),
        (lambda lab: lab.tokens(5), TypeError, "one string of letters"),
        (lambda lab: lab.tokens(""), ValueError, "at least 1"),
        (lambda lab: lab.tokens("A" * 49), ValueError, "at most 48"),
        (lambda lab: lab.tokens("two words"), ValueError, "letters A to Z"),
        (lambda lab: lab.tokens("Ä"), ValueError, "'Ä'"),
        (lambda lab: lab.complete("A" * 48, n=2), ValueError, "shorter text"),
        (lambda lab: lab.complete("AB", n=0), ValueError, "n must be a whole number"),
        (lambda lab: lab.complete("AB", n=1.5), ValueError, "n must be a whole number"),
        (lambda lab: lab.sample(0), ValueError, "n must be a whole number"),
        (lambda lab: lab.sample(3, 27), ValueError, "from 1 to 26"),
        (lambda lab: lab.sample(3, 2.0), ValueError, "length must be"),
        (lambda lab: lab.sample(3, True), ValueError, "length must be"),
        (lambda lab: lab.sample(3, 25), ValueError, "n_tokens"),
        (lambda lab: lab.sample(3, 8, n_tokens=50), ValueError, "from 1 to 49"),
    ],
)
def test_bad_input_is_named_with_its_remedy(any_length, call, error, message):
    with pytest.raises(error, match=message):
        call(any_length)
