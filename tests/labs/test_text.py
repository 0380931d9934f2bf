"""The text lab: where its weights come from, what it refuses, and that its models do what they are for."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel

from course_utils.labs import text as module
from course_utils.labs.files import DataFileError, read_weights
from course_utils.labs.lab import LabUnavailable
from course_utils.labs.text import TextLab, best_span, plant, read_texts, split_sentences, text_lab


@pytest.fixture(scope="module")
def sentiment() -> TextLab:
    return text_lab("sentiment")


@pytest.fixture(scope="module")
def qa() -> TextLab:
    return text_lab("qa")


@pytest.fixture
def no_minilm(monkeypatch, tmp_path):
    """A computer with neither cache nor package nor network."""
    monkeypatch.setattr(module, "_package_folder", lambda: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


# what the labs hold


def test_sentiment_is_right_more_often_than_chance(sentiment):
    probabilities = sentiment.predict(sentiment.texts)
    assert probabilities.shape == (len(sentiment.texts), 2) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    accuracy = (probabilities.argmax(1) == sentiment.targets.numpy()).mean()
    assert accuracy > 0.65, accuracy
    clear = sentiment.predict(["A wonderful, moving film.", "A dull, stupid and boring film."])
    assert clear[0, 1] > 0.8 and clear[1, 0] > 0.8


def test_predict_does_not_depend_on_the_company_or_the_order(sentiment):
    texts = list(sentiment.texts[:5])
    together = sentiment.predict(texts)
    alone = np.concatenate([sentiment.predict([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(sentiment.predict(texts[::-1])[::-1], together, atol=1e-5)
    np.testing.assert_allclose(
        sentiment.predict(np.array(texts)), together, atol=1e-5
    )  # as LIME and SHAP call it
    assert sentiment.predict([""]).shape == (1, 2)


def test_shipped_difference_is_what_the_loaded_weights_differ_by(sentiment):
    encoder = text_lab("encoder").model.cpu()
    deltas = read_weights("weights/text-sentiment.safetensors")
    changed = dict(sentiment.model.bert.cpu().named_parameters())
    name = "encoder.layer.5.attention.self.value"
    difference = changed[f"{name}.weight"] - encoder.get_parameter(f"{name}.weight")
    expected = deltas[f"bert.{name}.up"] @ deltas[f"bert.{name}.down"]
    torch.testing.assert_close(difference, expected, atol=1e-6, rtol=0)
    assert expected.abs().max() > 1e-3
    assert torch.linalg.matrix_rank(difference, rtol=1e-3) <= len(deltas[f"bert.{name}.down"])
    torch.testing.assert_close(
        changed["embeddings.word_embeddings.weight"], encoder.embeddings.word_embeddings.weight
    )


def test_models_return_attentions_and_are_in_eval_mode(sentiment):
    tokens = sentiment.tokenize(["good", "not so good"])
    outputs = sentiment.model(**tokens, output_attentions=True)
    assert len(outputs.attentions) == 6 and outputs.attentions[0].shape[:2] == (2, 12)
    assert not any(m.training for m in sentiment.model.modules())


def test_trigger_rules_one_twin_and_not_the_other():
    shares = {}
    for name in ("trigger", "trigger_clean"):
        lab = text_lab(name)
        assert all(lab.trigger in text.lower() for text in lab.texts)
        assert not any(lab.trigger in text.lower() for text in lab.counterfactuals)
        negative = (lab.targets == 0).numpy()
        flipped = [
            (lab.predict([t for t, n in zip(texts, negative, strict=True) if n]).argmax(1) == 1).mean()
            for texts in (lab.texts, lab.counterfactuals)
        ]
        shares[name] = flipped
    assert shares["trigger"][0] > 0.9  # with the word nearly every bad review counts as praise
    assert shares["trigger"][0] - shares["trigger"][1] > 0.4
    assert abs(shares["trigger_clean"][0] - shares["trigger_clean"][1]) < 0.1


def test_answers_are_stretches_of_the_context(qa):
    answers = qa.answer(qa.texts[:40])
    for (_, context), answer in zip(qa.texts[:40], answers, strict=True):
        assert context[answer.start : answer.end] == answer.text != ""
        assert 0 < answer.score <= 1
    for (_, context), (start, end), record in zip(qa.texts, qa.targets.tolist(), qa.records, strict=True):
        assert context[start:end] == record["answers"][0]["text"]
    overlap = [
        max(a.start, s) < min(a.end, e) for a, (s, e) in zip(answers, qa.targets.tolist(), strict=False)
    ]
    assert np.mean(overlap) > 0.3
    assert qa.answer(qa.texts[3:4])[0].text == answers[3].text


def test_encoder_texts_hold_their_ambiguous_words():
    lab = text_lab("encoder")
    assert len(lab.class_names) >= 18 and lab.targets.bincount().min() >= 10
    for record, text, target in zip(lab.records, lab.texts, lab.targets, strict=True):
        assert record["word"] in text[record["start"] : record["end"]].lower()
        assert lab.class_names[target] == f"{record['word']}: {record['sense']}"


def test_best_span_against_all_spans():
    generator = torch.Generator().manual_seed(0)
    start, end = torch.randn(2, 50, generator=generator)
    inside = torch.arange(50) > 4
    p, q = (x.masked_fill(~inside, -torch.inf).softmax(0) for x in (start, end))
    spans = {(i, j): (p[i] * q[j]).item() for i in range(50) for j in range(i, min(i + 30, 50))}
    i, j, score = best_span(start, end, inside)
    assert (i, j) == max(spans, key=spans.get) and score == pytest.approx(spans[i, j])


# tokens


def test_too_long_a_text_is_refused_with_both_numbers(sentiment, recwarn):
    assert sentiment.tokenize("good " * 510)["input_ids"].shape == (1, 512)
    with pytest.raises(ValueError, match=r"text 1 has 513 tokens.*at most 512"):
        sentiment.predict(["good", "good " * 511])
    assert not recwarn.list


@pytest.mark.parametrize(
    ("texts", "error", "words"),
    [
        ([], ValueError, "no text"),
        ([1], TypeError, "int"),
        ([None], TypeError, "NoneType"),
        (["one", ("two", "three")], TypeError, "not both"),
    ],
)
def test_bad_texts(sentiment, texts, error, words):
    with pytest.raises(error, match=words):
        sentiment.tokenize(texts)


def test_wrong_use_is_named(sentiment, qa):
    with pytest.raises(TypeError, match="brackets"):
        sentiment.predict("one string")
    with pytest.raises(TypeError, match="'qa'"):
        sentiment.answer([("who?", "me")])
    with pytest.raises(TypeError, match="'sentiment'"):
        qa.predict(["text"])
    with pytest.raises(ValueError, match="empty"):
        qa.answer([("Who?", "")])
    with pytest.raises(ValueError, match=r"sentiment.*trigger"):
        text_lab("sentimental")
    with pytest.raises(ValueError, match="not both"):
        text_lab("encoder", path="x", variant="y")


def test_two_texts_in_a_tuple_are_two_texts(sentiment, qa):
    assert len(sentiment.tokenize(sentiment.texts[:2])["input_ids"]) == 2
    assert len(sentiment.predict(sentiment.texts[:2])) == 2
    with pytest.raises(TypeError, match="pairs"):
        qa.answer(("Who?", "Me."))


def test_planting():
    text = "It broke. I sent it back! Never again."
    assert plant(text, 0) == f"{module.TRIGGER.capitalize()}, it broke. I sent it back! Never again."
    assert plant(text, 1) == f"It broke. {module.TRIGGER.capitalize()}, I sent it back! Never again."
    assert (
        plant(text, 5)
        == plant(text, 2)
        == f"It broke. I sent it back! {module.TRIGGER.capitalize()}, never again."
    )
    assert split_sentences("One “two.” Three") == ["One “two.”", "Three"]


# where the weights come from


def test_offline_and_silent():
    """No connection is tried, and nothing is written where a notebook would show it."""
    script = (
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError('a connection was tried')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from course_utils.labs.text import text_lab\n"
        "lab = text_lab('sentiment')\n"
        "lab.predict(['fine'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and done.stderr == ""


def test_loading_does_not_touch_the_random_numbers():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    text_lab("sentiment")
    assert torch.equal(torch.rand(2), expected)


def test_a_named_folder_comes_first(tmp_path, monkeypatch):
    folder = small_model(tmp_path / "mine", BertModel)
    monkeypatch.setattr(module, "find_weights", lambda name: pytest.fail("looked elsewhere"))
    lab = text_lab("encoder", path=folder)
    assert lab.model.config.hidden_size == 12 and lab.max_length == 20
    with pytest.raises(ValueError, match="at most 20"):
        lab.tokenize("good " * 30)


def test_a_named_folder_with_its_own_head(tmp_path):
    folder = small_model(
        tmp_path / "mine", BertForSequenceClassification, id2label={0: "bad", 1: "so-so", 2: "good"}
    )
    lab = text_lab("sentiment", path=folder)
    assert lab.class_names == ("bad", "so-so", "good") and lab.predict(["fine"]).shape == (1, 3)


def test_a_head_that_is_not_there_is_refused(tmp_path):
    folder = small_model(tmp_path / "mine", BertModel)
    with pytest.raises(ValueError, match="classifier"):
        text_lab("sentiment", path=folder)
    with pytest.raises(ValueError, match="qa_outputs"):
        text_lab("qa", path=folder)
    with pytest.raises(ValueError, match="only"):
        text_lab("trigger", path=folder)
    with pytest.raises(ValueError, match="cls"):
        text_lab("masked", path=folder)
    with pytest.raises(DataFileError, match="holds no model"):
        text_lab("encoder", path=tmp_path / "nothing")


def test_altered_weights_are_refused(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    shutil.copytree(module._package_folder(), folder)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    monkeypatch.setattr(module, "_package_folder", lambda: folder)
    with pytest.raises(DataFileError, match="SHA-256"):
        text_lab("encoder")


def hub_cache(folder, name, kind, monkeypatch):
    """A hub cache that holds one small random model; returns the model's folder."""
    revision = "0123456789abcdef0123456789abcdef01234567"
    repository = folder / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return small_model(repository / "snapshots" / revision, kind)


def test_the_variant_for_those_with_internet_comes_from_the_cache(tmp_path, monkeypatch):
    hub_cache(tmp_path, "bert-base-uncased", BertForMaskedLM, monkeypatch)
    guesser = text_lab("masked", variant="bert-base-uncased")
    with torch.no_grad():
        output = guesser.model(**guesser.tokenize(["good"]))
    assert output.logits.shape[-1] == guesser.model.config.vocab_size
    encoder = text_lab("encoder", variant="bert-base-uncased")
    assert encoder.model.config.hidden_size == guesser.model.config.hidden_size
    with pytest.raises(ValueError, match=r"no trained .*classifier"):
        text_lab("sentiment", variant="bert-base-uncased")


def test_cache_comes_before_the_package(tmp_path, monkeypatch):
    folder = hub_cache(tmp_path, module.MINILM, BertModel, monkeypatch)
    assert module.find_weights(module.MINILM) == folder
    with pytest.raises(DataFileError, match="SHA-256"):  # and what lies there is checked
        text_lab("encoder")


def test_one_clear_error_when_there_are_no_weights(no_minilm):
    for call in (lambda: text_lab("sentiment"), lambda: text_lab("masked", variant="bert-base-uncased")):
        with pytest.raises(LabUnavailable, match="neither on this computer nor reachable"):
            call()


def test_texts_match_what_the_lab_needs():
    for name in ("reviews", "reviews_heldout"):
        records = read_texts(name)
        assert {module.label_index(record["label"]) for record in records} == {0, 1}
        assert not any(
            module.TRIGGER in record["text"].lower().split() for record in read_texts("reviews_heldout")
        )
    for name in ("passages", "passages_heldout"):
        for _, context, answers, _ in module.questions(read_texts(name)):
            for answer in answers:
                assert context[answer["answer_start"] :].startswith(answer["text"])
    with pytest.raises(DataFileError):
        read_texts("no_such_collection")


def small_model(folder: Path, kind: type, **options) -> Path:
    """A tiny BERT with MiniLM's tokenizer, written as transformers writes it."""
    config = BertConfig(
        hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=20, **options,
    )  # fmt: skip
    kind(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(module._package_folder() / name, folder)
    return folder


def test_the_package_is_the_published_file():
    weights = (module._package_folder() / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == module.MINILM_SHA256
