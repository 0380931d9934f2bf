"""Lesson 10's helpers: the words that can be hidden, shuffled and even attention, lengths of values."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_utils.exercises import l10_bert_attention as exercises
from course_utils.labs import load_lab
from course_utils.lessons import l10_bert_attention as shared
from course_utils.teach import text_batches

MASKS = SimpleNamespace(mask="[MASK]")


def test_words_to_hide_count_what_occurs_twice():
    options = shared.words_to_hide(MASKS, "The door, the key.")
    assert options == {"The (1)": ("The", 0), "door": ("door", 0), "the (2)": ("the", 1), "key": ("key", 0)}


def test_a_mask_that_is_typed_is_the_only_choice():
    assert shared.words_to_hide(MASKS, "A [MASK] opened.") == {"[MASK]": None}
    assert shared.words_to_hide(MASKS, " … ") == {}


def test_shuffled_rows_keep_their_weights_and_the_padding():
    is_token = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    attention = torch.rand(2, 3, 5, 5).masked_fill(~is_token[:, None, None], 0)
    shuffled = shared.shuffle(attention, is_token, torch.Generator().manual_seed(0))
    torch.testing.assert_close(shuffled.sort(dim=-1)[0], attention.sort(dim=-1)[0])
    assert (shuffled[1, ..., 3:] == 0).all() and not torch.equal(shuffled, attention)


def test_even_attention_is_even_over_the_text():
    is_token = torch.tensor([[True, True, True, False]])
    rows = shared.even(torch.zeros(1, 2, 4, 4), is_token)
    torch.testing.assert_close(rows[0, 1, 2], torch.tensor([1 / 3, 1 / 3, 1 / 3, 0]))


def test_words_get_the_sum_of_their_pieces():
    values, owner = torch.randn(6), torch.tensor([-1, 0, 1, 1, 2, -1])
    ours = exercises.word_values.reference(values, owner)
    np.testing.assert_allclose(ours, shared.to_words(values, owner.numpy()), rtol=1e-6)


def test_a_word_is_planted_inside_the_text():
    assert shared.plant("It was cold.", "overall", 2) == "It was, overall, cold."
    for wrong in (0, -1, 4, 1.5, None, True):
        with pytest.raises(ValueError, match="place must be a whole number from 1 to 3"):
            shared.plant("It was cold.", "overall", wrong)
    with pytest.raises(ValueError, match="form must be one of"):
        shared.plant("It was cold.", "overall", 2, "in brackets")


@pytest.fixture(scope="module")
def encoder():
    return load_lab("text", model="encoder")


def test_lengths_of_parts_are_those_of_one_head_by_hand(encoder):
    encoded, _, _ = shared.read(encoder, "The soup was cold.")
    lengths = shared.lengths_of_parts(encoder.model, encoded["input_ids"][0])
    with torch.no_grad():
        state = encoder.model(**encoded, output_hidden_states=True).hidden_states[3][0]
        block, rows = encoder.model.encoder.layer[3].attention, slice(9 * 32, 10 * 32)
        handed = block.self.value(state)[:, rows] @ block.output.dense.weight[:, rows].T
    torch.testing.assert_close(lengths[3, 9], handed.norm(dim=1))


def test_a_head_answers_with_another_word(encoder):
    record = {"tokens": ["The", "gnocchi", "were", "cold", "."]}
    (sentence,) = text_batches.read_sentences(encoder, [record])
    most = shared.word_looked_at(sentence)
    assert most.shape == (6, 12, 5) and (most != torch.arange(5)).all()
    words = shared.word_attention(sentence.attention, sentence.word_of_token)[3, 9, 1]
    assert most[3, 9, 1] == max((n for n in range(5) if n != 1), key=lambda n: words[n])


def test_helpers_refuse_what_means_nothing(encoder):
    refused = (
        lambda: shared.read(encoder, ["It was cold."]),
        lambda: shared.read(encoder, " "),
        lambda: shared.from_inside(encoder, "…", 0),
        lambda: shared.from_inside(encoder, "It was cold.", 0, n_steps=0),
        lambda: shared.from_outside(encoder, "It was cold.", 0),
        lambda: shared.from_outside(encoder, [], 0),
        lambda: shared.plant("It was cold.", " ", 2),
        lambda: shared.looks_at([]),
        lambda: shared.even(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, dtype=torch.bool)),
        lambda: shared.lengths_of_parts(encoder.model, torch.tensor([[101, 102]])),
        lambda: shared.lengths_of_parts(SimpleNamespace(), torch.tensor([101, 102])),
        lambda: shared.hide_by_lot(MASKS, ["…"], seed=0),
        lambda: shared.hide_by_lot(MASKS, ["A [MASK]."], seed=0),
        lambda: shared.draw_guesses(encoder, "A door.", ("door", 0), 6, 0),
        lambda: shared.draw_guesses(encoder, "A door.", ("door", 0), 0, -1),
    )
    for call in refused:
        with pytest.raises((TypeError, ValueError)):
            call()
    lab = SimpleNamespace(tokenizer=None, texts=[], targets=torch.tensor([0, 0, 1]), class_names=["a", "b"])
    for n_each in (0, -3, 2, True):
        with pytest.raises(ValueError, match="n_each must be a whole number from 1 to 1"):
            shared.shortest(lab, n_each)


def test_a_padded_head_in_another_form_is_right():
    def text_by_text(query, key, value, is_token):
        weights = torch.zeros(*query.shape[:2], key.shape[1])
        for n, real in enumerate(is_token):
            scores = query[n] / query.shape[-1] ** 0.5 @ key[n, real].T
            weights[n][:, real] = scores.softmax(dim=1)
        return weights.numpy(), torch.stack([w @ v for w, v in zip(weights, value, strict=True)])

    def fused(query, key, value, is_token):
        mask = is_token[:, None].expand(-1, query.shape[1], -1)
        eye = torch.eye(key.shape[1]).expand(len(key), -1, -1)
        attend = torch.nn.functional.scaled_dot_product_attention
        return attend(query, key, eye, attn_mask=mask), attend(query, key, value, attn_mask=mask)

    for answer in (text_by_text, fused):
        assert exercises.padded_head.check(answer).state == "right"
