"""Texts read in batches give what they give one by one, and the riddle is one."""

import numpy as np
import pytest
import torch

from course_utils.labs import load_lab
from course_utils.labs.text import read_texts
from course_utils.teach import text_batches


@pytest.fixture(scope="module")
def lab():
    return load_lab("text", model="sentiment")


def test_asking_in_batches_changes_no_answer(lab):
    asked = []

    def ask(predict, text):
        asked.append(text)
        return predict([text, text + " Never again."])[:, 1]

    texts = ["A long and winding story, but worth every minute.", "Dull.", "The soup was cold."]
    together = text_batches.ask_in_batches(lab, ask, texts, batch_size=2)
    for text, values in zip(texts, together, strict=True):
        np.testing.assert_allclose(values, ask(lab.predict, text), atol=1e-5)
    assert asked[:3] == texts


def test_sentences_are_read_as_one_by_one(lab):
    encoder = load_lab("text", model="encoder")
    records = read_texts("tagged_sentences")[:5]
    sentences = text_batches.read_sentences(encoder, records, batch_size=3)
    assert sorted(map(str, records)) == sorted(str(s.record) for s in sentences)
    for sentence in sentences:
        (alone,) = text_batches.read_sentences(encoder, [sentence.record])
        torch.testing.assert_close(sentence.attention, alone.attention, atol=1e-5, rtol=0)
        torch.testing.assert_close(sentence.states, alone.states, atol=1e-4, rtol=0)
        assert sentence.tokens == alone.tokens
        assert sentence.word_of_token[0] == sentence.word_of_token[-1] == -1
        assert max(sentence.word_of_token) == len(sentence.record["tokens"]) - 1


def test_the_riddle_has_one_answer_and_two_attentions(lab):
    riddle = text_batches.attention_riddle(lab, lab.texts[:12], 1, random_state=0)
    assert riddle.real in riddle.attention and set(riddle.attention) == {"A", "B"}
    assert all(len(values) == len(riddle.words) for values in riddle.attention.values())
    a, b = riddle.attention["A"], riddle.attention["B"]
    assert (a - b).abs().sum() > 0.05
    assert abs(riddle.probability["A"] - riddle.probability["B"]) < 0.1
