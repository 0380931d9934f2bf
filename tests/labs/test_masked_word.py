"""The lab of masked words: what it guesses, what it refuses, and that its training computes what it ships."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from course_utils.labs import lab_names, load_lab
from course_utils.labs.files import DATA, read_weights
from course_utils.labs.masked_word import WEIGHTS, MaskedWordLab, masked_word_lab
from course_utils.labs.text import MINILM, find_weights, load_tokenizer, read_texts
from course_utils.training import masked_word as training


@pytest.fixture(scope="module")
def guesser() -> MaskedWordLab:
    return load_lab("masked_word")


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(find_weights(MINILM))


@pytest.fixture(scope="module")
def passages() -> list[str]:
    return [passage["context"] for passage in read_texts("passages_heldout")]


# what it guesses


def test_lab_is_in_the_list_and_says_briefly_what_it_is(guesser):
    assert "masked_word" in lab_names()
    assert isinstance(guesser, MaskedWordLab) and not guesser.model.training
    assert len(repr(guesser)) < 100 and "masked_word" in repr(guesser)
    assert (DATA / WEIGHTS).stat().st_size <= 3_000_000


def test_each_mask_gets_k_words_likeliest_first_and_all_probabilities_sum_to_one(guesser):
    text = "The [MASK] barked at the [MASK] all night."
    found = guesser.guess(text)
    assert [len(row) for row in found] == [5, 5]
    for row in found:
        shares = [share for _, share in row]
        assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1
        assert all(isinstance(word, str) and word == word.lower() for word, _ in row)
    everything = guesser.probabilities(text)
    assert everything.shape == (2, len(guesser.tokenizer))
    torch.testing.assert_close(everything.sum(dim=1), torch.ones(2), atol=1e-4, rtol=0)
    assert everything[:, guesser.tokenizer.all_special_ids].max() < 1e-6
    assert guesser.guess(text, k=1) == [row[:1] for row in found]


def test_grammar_decides_between_small_words(guesser):
    for text, right in (
        ("She went [MASK] the shop to buy some bread.", {"to", "into", "in", "through"}),
        ("He is the author [MASK] three books.", {"of"}),
        ("The children [MASK] playing in the garden.", {"were", "are"}),
    ):
        assert guesser.guess(text, k=1)[0][0][0] in right, text


def test_guesses_beat_the_best_fixed_ones_on_texts_it_was_not_trained_on(guesser, passages):
    hidden, guesses = training.measure(guesser, passages[:16], 6)
    fixed = training.frequent_words(passages[:16], guesser.tokenizer)
    words = [word for row in hidden for word in row]
    rows = [row for text in guesses for row in text]
    assert len(words) >= 90
    top5 = np.mean([word in row for word, row in zip(words, rows, strict=True)])
    assert top5 > np.mean([word in fixed for word in words]) + 0.08, top5


def test_the_text_around_a_mask_matters(guesser):
    vessel = dict(guesser.guess("The captain steered the [MASK] into the harbour.", k=30)[0])
    animal = dict(guesser.guess("The farmer milked the [MASK] in the barn.", k=30)[0])
    assert set(vessel) != set(animal)
    assert "ship" in vessel or "boat" in vessel


# hide


def test_hide_finds_a_word_by_its_place(guesser):
    text = "The cat saw the other cat, then THE bird; concatenate."
    assert guesser.hide(text, "cat") == "The [MASK] saw the other cat, then THE bird; concatenate."
    assert guesser.hide(text, "cat", 1) == "The cat saw the other [MASK], then THE bird; concatenate."
    assert guesser.hide(text, "the", -1) == "The cat saw the other cat, then [MASK] bird; concatenate."


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda lab: lab.guess("No mask here."), ValueError, r"no \[MASK\].*hide"),
        (lambda lab: lab.guess("Lower [mask] is none."), ValueError, r"in capitals"),
        (lambda lab: lab.guess(""), ValueError, r"no \[MASK\]"),
        (lambda lab: lab.guess("[MASK] " + "long " * 600), ValueError, "at most 512.*shorten"),
        (lambda lab: lab.guess(["A [MASK]."]), TypeError, "one string, not a list"),
        (lambda lab: lab.guess(None), TypeError, "one string, not a NoneType"),
        (lambda lab: lab.guess("A [MASK].", k=0), ValueError, "k=0.*from 1 to"),
        (lambda lab: lab.guess("A [MASK].", k=10**6), ValueError, "k=1000000.*from 1 to"),
        (lambda lab: lab.guess("A [MASK].", k=2.5), TypeError, "k must be a whole number"),
        (lambda lab: lab.guess("A [MASK].", k=True), TypeError, "k must be a whole number"),
        (lambda lab: lab.hide("A cat.", "dog"), ValueError, "no word 'dog'.*as it stands"),
        (lambda lab: lab.hide("A cat.", ""), ValueError, "no word ''"),
        (lambda lab: lab.hide("A cat.", "cat", 1), ValueError, "which=1.*only 1 times"),
        (lambda lab: lab.hide("A cat.", 1), TypeError, "both strings"),
        (lambda lab: lab.predict(["A cat."]), TypeError, "no classes"),
        (lambda lab: lab.answer([("Who?", "A cat.")]), TypeError, "answers no questions"),
        (lambda lab: masked_word_lab(path="x", variant="y"), ValueError, "not both"),
        (lambda lab: load_lab("masked_word", size=3), ValueError, "no option 'size'"),
    ],
)
def test_bad_inputs_are_named(guesser, call, error, message):
    with pytest.raises(error, match=f"(?s){message}"):
        call(guesser)


# what is shipped


def test_differences_beside_the_matrices_compute_what_the_merged_ones_do(guesser):
    shipped = read_weights(WEIGHTS)
    beside = training.MaskedWordNetwork()
    beside.restore(shipped)
    ids = guesser.tokenizer("A [MASK] in the hand is worth two in the [MASK].", return_tensors="pt")[
        "input_ids"
    ]
    places = ids == training.MASK_TOKEN
    bias = shipped["cls.predictions.bias"]
    choices = torch.nonzero(bias > training.NEVER)[:, 0]
    with torch.inference_mode():
        apart = beside.eval()(ids, torch.ones_like(ids), places, choices)
        merged = guesser.model.cpu()(input_ids=ids).logits[places][:, choices]
    torch.testing.assert_close(apart, merged, atol=2e-3, rtol=1e-4)
    again = beside.shipped(choices)
    assert set(again) == set(shipped)
    for name, tensor in shipped.items():
        torch.testing.assert_close(again[name], tensor, atol=0, rtol=0)


def test_decoder_is_the_embedding_and_rare_tokens_are_never_guessed(guesser):
    model = guesser.model
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    bias = model.cls.predictions.bias.detach().cpu()
    assert bias[: training.MASK_TOKEN + 1].max() < -9000  # [PAD], [unused…], [CLS], …, [MASK]
    assert (bias > -9000).sum() > 10_000


# training


def synset(gloss: str, words: str = "dog 0 domestic_dog 0") -> str:
    n = len(words.split()) // 2
    return f"02084071 05 n {n:02x} {words} 001 @ 02083346 n 0000 | {gloss}  "


def test_synset_becomes_sentences():
    line = synset('a member of the genus Canis; "the dog barked all night"; "is that a dog?"')
    drawn = [training.synset_texts(line, "noun", np.random.default_rng(seed)) for seed in range(60)]
    rest = "a member of the genus Canis. the dog barked all night. is that a dog?"
    assert {" ".join(texts) for texts in drawn} == {
        f"{start} {rest}" for start in ("A dog is", "A domestic dog is", "dog:", "domestic dog:")
    }
    assert {len(texts) for texts in drawn} == {1, 3}
    verb = training.synset_texts(synset("move fast", "run 0"), "verb", np.random.default_rng(1))
    assert verb == ["To run is to move fast."]
    adjective = training.synset_texts(synset("not wet", "dry(a) 0"), "adj", np.random.default_rng(1))
    assert adjective == ["dry means not wet."]


def test_missing_wordnet_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"data\.noun is missing.*wordnet-base"):
        training.wordnet_texts(tmp_path, np.random.default_rng(0))


def test_markdown_becomes_running_text():
    cell = (
        "## A heading of more than eight words that is left out\n\n"
        "Some **bold** words with `code` and [a link](page.html) stay as text.\n\n"
        "| a | table | of | more | than | eight | words |\n\n"
        "```python\nprint('code with more than eight words in it, really')\n```\n\n"
        "A formula $x^2$ in a sentence of more than eight words goes."
    )
    assert training.markdown_paragraphs(cell) == ["Some bold words with code and a link stay as text."]


def test_own_texts_hold_nothing_that_is_held_out(passages):
    own = set(training.own_texts())
    assert len(own) > 2000
    assert not own & set(passages)
    assert not own & {review["text"] for review in read_texts("reviews_heldout")}
    assert not own & {record["text"] for record in read_texts("word_senses")}


def test_long_texts_are_split_between_sentences(tokenizer):
    text = " ".join(f"This is sentence number {i} of a long text." for i in range(60))
    encoded = training.encode(tokenizer, [text, "Short sentences stay whole."])
    assert len(encoded) > 3 and max(map(len, encoded)) <= training.LONGEST
    ends = {tokenizer.decode(ids[-2:-1]) for ids in encoded}
    assert ends == {"."}


def test_masks_take_15_percent_of_the_allowed_tokens_80_10_10():
    ids = torch.full((200, 100), 2000)
    ids[:, 0], ids[:, 99] = 101, 0
    choices = torch.arange(1000, 3000)
    masked, places = training.mask_tokens(ids, choices, np.random.default_rng(0))
    assert not places[:, [0, 99]].any()
    assert places[:, 1:99].float().mean() == pytest.approx(0.15, abs=0.01)
    hidden = masked[places]
    assert (hidden == training.MASK_TOKEN).float().mean() == pytest.approx(0.8, abs=0.03)
    assert (hidden == 2000).float().mean() == pytest.approx(0.1, abs=0.02)
    assert torch.equal(masked[~places], ids[~places])
    assert torch.isin(hidden[hidden != training.MASK_TOKEN], choices).all()


def test_a_batch_has_no_more_tokens_than_allowed_and_a_round_has_each_text():
    generator = np.random.default_rng(0)
    foreign = [[i] * int(n) for i, n in enumerate(generator.integers(6, 129, 500))]
    own = [[1000] * 50]
    seen: list[int] = []
    for batch in training.batches(own, foreign, generator):
        assert max(map(len, batch)) * len(batch) <= training.TOKENS_A_BATCH
        seen += [text[0] for text in batch]
        if len(seen) >= 500 + training.OWN_ROUNDS:
            break
    assert sorted(seen) == sorted([*range(500), *[1000] * training.OWN_ROUNDS])


def test_rate_rises_stays_and_falls_to_zero():
    rates = [training.rate_at(step, 2000) for step in range(2001)]
    assert rates[0] == pytest.approx(1 / training.WARM_UP)
    assert rates[training.WARM_UP] == rates[1300] == 1
    assert rates[2000] == 0 and all(a >= b for a, b in pairwise(rates[1300:]))


@pytest.fixture
def small_training(monkeypatch, tmp_path, passages):
    """A training of a few seconds: little text, a few steps."""
    for part in ("noun", "verb", "adj", "adv"):
        lines = ["  1 This is the licence.", *(synset(f"a small word number {i} of many") for i in range(20))]
        (tmp_path / f"data.{part}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setattr(training, "own_texts", lambda: passages[:4])
    monkeypatch.setattr(training, "TOKENS_A_BATCH", 256)
    return tmp_path


def test_training_learns_and_goes_on_from_its_checkpoint(small_training, monkeypatch):
    checkpoint = small_training / "state.pt"
    whole = training.train(small_training, n_steps=6, rank=2)
    assert all(torch.isfinite(tensor).all() for tensor in whole.values())
    assert whole["bert.encoder.layer.0.output.dense.up"].abs().max() > 0
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)

    class Stopped(Exception):
        pass

    steps = []
    save = torch.save

    def save_and_stop(state, path):
        save(state, path)
        steps.append(state["step"])
        if state["step"] == 3 and len(steps) == 3:
            path.replace(checkpoint)
            raise Stopped

    monkeypatch.setattr(torch, "save", save_and_stop)
    with pytest.raises(Stopped):
        training.train(small_training, n_steps=6, rank=2, checkpoint=checkpoint)
    resumed = training.train(small_training, n_steps=6, rank=2, checkpoint=checkpoint)
    assert steps == [1, 2, 3, 4, 5, 6]
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, atol=1e-4, rtol=1e-2)


# report


def test_single_words_are_one_token_and_stand_alone(tokenizer):
    text = "Don't count well-known or unhyphenatable words, 12 of them; Paris does."
    found = [text[slice(*span)] for span in training.single_words(text, tokenizer)]
    assert found == ["count", "or", "words", "of", "them", "Paris", "does"]


def test_share_interval_holds_the_share_and_counts_words():
    hits = [[True, False], [True], [False, False, False], []]
    share, low, high = training.share_interval(hits)
    assert share == pytest.approx(2 / 6) and 0 <= low <= share <= high <= 1
    assert not math.isnan(low)


def test_report_has_a_row_for_each_collection(guesser, monkeypatch):
    monkeypatch.setattr(training.lab, "read_texts", lambda name: read_texts(name)[:3])
    table = training.report(guesser, words=6)
    rows = [line.split(" | ") for line in table.splitlines()]
    assert len(rows) == 2 + 3 * 2
    assert all(0 <= float(row[i]) <= 1 for row in rows[2:] for i in (2, 4, 5))
