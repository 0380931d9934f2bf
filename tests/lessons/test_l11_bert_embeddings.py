"""Lesson 11's helpers: own words and passages, bad ones too, and the stages on awkward texts."""

import numpy as np
import pytest
import torch

from course_utils.labs import load_lab
from course_utils.lessons import l11_bert_embeddings as shared


@pytest.fixture(scope="module")
def lab():
    return load_lab("text", model="encoder")


@pytest.fixture(scope="module")
def qa():
    return load_lab("text", model="qa")


def test_a_batch_gives_what_single_texts_give(lab):
    texts = ["The soup was cold.", "It rained.", "A long sentence with a comma, and with an end."]
    together, alone = shared.read(lab, texts), [shared.read(lab, [text])[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert one.tokens == other.tokens and one.states.shape == (7, len(one.tokens), 384)
        torch.testing.assert_close(one.states, other.states, atol=1e-4, rtol=1e-3)


def test_the_state_of_a_word_in_pieces_is_the_mean_of_its_pieces(lab):
    sentences = {
        "one": ["The hedgehogs slept.", "Two hedgehogs ate."],
        "two": ["Hedgehogs run.", "I like hedgehogs."],
    }
    states, senses = shared.states_of_my_word(lab, "hedgehogs", sentences)
    assert states.shape == (4, 7, 384) and senses.tolist() == ["one", "one", "two", "two"]
    reading = shared.read(lab, ["The hedgehogs slept."])[0]
    pieces = [
        t for t, token in enumerate(reading.tokens) if token not in ("[CLS]", "the", "slept", ".", "[SEP]")
    ]
    assert len(pieces) > 1
    torch.testing.assert_close(states[0], reading.states[:, pieces].mean(dim=1), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ({"a": ["A bat flew.", "The bat slept."]}, "two senses"),
        ({"a": ["A bat flew.", "The bat slept."], "b": ["A bat broke."]}, "two sentences"),
        ({"a": ["A bat flew.", "The bat slept."], "b": ["A bat broke.", "A battle began."]}, "battle"),
    ],
)
def test_own_sentences_that_do_not_fit_are_refused(lab, sentences, message):
    with pytest.raises(ValueError, match=message):
        shared.states_of_my_word(lab, "bat", sentences)


def test_an_answer_that_is_not_in_the_passage_is_refused():
    with pytest.raises(ValueError, match="does not stand in the passage"):
        shared.passage("Tom bakes bread.", ("What does Tom bake?", "cakes"))


def test_awkward_passages_go_through_all_stages(lab, qa):
    passages = [
        shared.passage(
            "Tom  bakes bread.  Anna mends old boats on the river.", ("What does Tom bake?", "bread")
        ),
        shared.passage("Only one sentence on Tom", ("Who?", "Tom")),
    ]
    (two, one), _ = shared.ask(qa, passages, others=[lab])
    assert shared.sentence_numbers(two).max() == 1 and shared.stage_relations(one) is None
    for case in (two, one):
        found, guess = shared.stage_matching(case)
        assert found.shape == (7,) and 0 < guess <= 1
        points, left = shared.in_the_plane(case, 2)
        assert points.shape == (len(case.inner), 2) and 0 < left <= 1
    assert two.answer == "bread" and [two.reading.tokens[t] for t in two.part["answer"]] == ["bread"]
    assert np.isfinite(shared.leaves(two, two.part["answer"]))


def test_masking_keeps_the_word_and_the_special_tokens():
    ids = [101, 5, 6, 7, 8, 102]
    assert shared.mask_context(ids, 2, 2, 0) == [101, 0, 6, 0, 8, 102]
    assert shared.mask_context(ids, 2, 1, 0, nearest_first=False) == [101, 5, 6, 7, 0, 102]
    assert shared.mask_context(ids, 2, 99, 0) == [101, 0, 6, 0, 0, 102]
    assert shared.mask_context(ids, 2, 99, 0, spared=[8]) == [101, 0, 6, 0, 8, 102]
    for place, n in ((2, -1), (2, True), (0, 1), (5, 1), (-1, 1)):
        with pytest.raises((TypeError, ValueError)):
            shared.mask_context(ids, place, n, 0)


def test_neighbours_kept_refuses_what_has_no_neighbours():
    x = np.random.default_rng(0).normal(size=(8, 4))
    assert shared.neighbours_kept(x, x[:, :2], 7) == 1
    broken = np.where(x > 1, np.nan, x)
    for rows, points, k in ((x, x, 8), (x, x, 0), (x, x, True), (x, x[:6], 3), (broken, x, 3), (x[0], x, 3)):
        with pytest.raises((TypeError, ValueError)):
            shared.neighbours_kept(rows, points, k)


def test_a_sense_score_needs_company():
    h, words = torch.rand(4, 3), np.array(["ring"] * 4)
    for senses in (["a"] * 4, ["a", "b", "b", "b"]):
        with pytest.raises(ValueError, match="too few"):
            shared.sense_scores(h, range(4), h, words, np.array(senses))


ROWS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
SENSES = np.array(list("aabbab"))


def test_scores_of_senses_refuse_what_means_nothing():
    broken = ROWS.masked_fill(ROWS > 1, torch.nan)
    for score in (shared.separation, shared.neighbour_right, shared.share_of_own_sense):
        for rows, senses in ((ROWS, ["a"] * 6), (ROWS[:1], ["a"]), (ROWS, SENSES[:4])):
            with pytest.raises(ValueError, match=r"one sense|one entry"):
                score(rows, senses)
        with pytest.raises(ValueError, match="the word 'q': all rows have one sense"):
            shared.each_word(score, ROWS, list("ppppqq"), list("ababcc"))
        with pytest.raises(ValueError, match="one entry for each of 6 rows"):
            shared.each_word(score, ROWS, list("pppp"), SENSES)
    with pytest.raises(ValueError, match="no two rows have one sense"):
        shared.separation(ROWS, np.arange(6))
    for score in (shared.separation, shared.neighbour_right):
        with pytest.raises(ValueError, match="NaN"):
            score(broken, SENSES)
    for rows in (ROWS[:1], broken, ROWS[0]):
        with pytest.raises(ValueError, match=r"other row|NaN|shape"):
            shared.nearest_other(rows)


def test_a_row_of_zeros_is_like_nothing():
    rows = torch.cat([ROWS, torch.zeros(1, 4)])
    assert (shared.similarities(rows, rows)[-1] == 0).all()
    assert (shared.nearest_other(rows)[:-1] != 6).any()
    with pytest.raises(ValueError, match="one length"):
        shared.similarities(ROWS, ROWS[:, :2])


def test_figures_of_senses_refuse_other_rows():
    with pytest.raises(ValueError, match="one name for each of the 6 states"):
        shared.draw_two_rulers(ROWS, ["a 1"], 1.5, "title")
    for senses in (SENSES, ["a"] * 6):
        with pytest.raises(ValueError, match=r"sort the states|one sense"):
            shared.draw_matrices(ROWS[:, None].expand(6, 7, 4), np.array(senses))


def test_words_and_texts_that_are_none_are_refused(lab):
    sentences = {"a": ["I use C++ now.", "C++ is old."], "b": ["A C++ grade.", "It was C++."]}
    assert shared.states_of_my_word(lab, "C++", sentences)[0].shape == (4, 7, 384)
    for word, given in ((" ", sentences), (None, sentences), ("C++", {"a": "C++ is old.", "b": "C++"})):
        with pytest.raises((TypeError, ValueError), match=r"empty|as text|must be a list"):
            shared.states_of_my_word(lab, word, given)
    for texts in ("It rained.", ["It rained.", " "], [("", "It rained.")], [3], []):
        with pytest.raises((TypeError, ValueError)):
            shared.read(lab, texts)


def test_questions_that_are_none_are_refused(lab, qa):
    for questions in ((), ("What?", "bread"), (("What?", ""),), (("", "bread"),)):
        with pytest.raises(ValueError, match=r"a pair|is empty"):
            shared.passage("Tom bakes bread.", *questions)
    story = shared.passage("Tom bakes bread.", ("What does Tom bake?", "bread"))
    for asked, passages in ((lab, [story]), (qa, [{**story, "qas": []}]), (qa, story)):
        with pytest.raises(
            (TypeError, ValueError), match=r"answers no questions|needs a question|must be a list"
        ):
            shared.ask(asked, passages)
    ((case,),) = shared.ask(qa, [story])
    for tokens in (case.part["passage"], []):
        with pytest.raises(ValueError, match="no tokens"):
            shared.leaves(case, np.array(tokens, int))
    for layer in (-1, 7, 1.0, True):
        with pytest.raises(ValueError, match="layer must be a whole number from 0 to 6"):
            shared.in_the_plane(case, layer)
    with pytest.raises(ValueError, match="n_trained"):
        shared.course_passages(-1)
