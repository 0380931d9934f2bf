"""The step-by-step drawing of a BERT model shows the model's own numbers."""

import matplotlib
import numpy as np
import pytest
import torch
import transformers
from matplotlib import pyplot as plt

from course_utils.teach import attention_pictures as pictures

matplotlib.use("agg")
WORDS, NAMES = ["[CLS]", "good", "film", "[SEP]"], ["negative", "positive"]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=16,
        attn_implementation="eager",
    )
    return transformers.BertForSequenceClassification(config).eval()


@pytest.fixture(scope="module")
def tokens():
    return {"input_ids": torch.tensor([[1, 5, 7, 2]]), "attention_mask": torch.ones(1, 4, dtype=torch.long)}


def test_the_steps_are_what_the_model_computes(model, tokens):
    steps = pictures.model_steps(model, tokens, NAMES)
    with torch.no_grad():
        out = model(**tokens, output_attentions=True, output_hidden_states=True)
    assert len(steps) == 3 + 3 * 2 + 2
    heads = [step for step in steps if step.kind == "attention"]
    for step, expected in zip(heads, out.attentions, strict=True):
        np.testing.assert_allclose(step.values, expected[0], atol=1e-6)
    after = [step for step in steps if step.name.endswith("think, add")]
    for step, expected in zip(after, out.hidden_states[1:], strict=True):
        np.testing.assert_allclose(step.values, expected[0], atol=1e-6)
    np.testing.assert_allclose(steps[-1].values[0], out.logits[0], atol=1e-6)
    np.testing.assert_allclose(steps[-1].values[1].sum(), 1, atol=1e-6)


def test_no_hook_is_left(model, tokens):
    def hooks():
        return sum(len(module._forward_hooks) for module in model.modules())

    with torch.no_grad():  # transformers hangs in hooks of its own the first time
        model(**tokens, output_attentions=True, output_hidden_states=True)
    before = hooks()
    pictures.model_steps(model, tokens, NAMES)
    assert hooks() == before


def test_every_step_can_be_drawn(model, tokens):
    steps = pictures.model_steps(model, tokens, NAMES)
    for number in range(len(steps)):
        figure = pictures.draw_step(steps, number, WORDS, NAMES)
        figure.canvas.draw()


def test_a_weak_link_is_not_drawn():
    attention = np.array([[0.99, 0.01], [0.5, 0.5]])
    _, ax = plt.subplots()
    pictures.draw_links(ax, attention, ["a", "b"])
    assert len(ax.lines) == 3


def test_words_are_coloured_by_their_sign():
    _, ax = plt.subplots()
    pictures.show_words(ax, {"signed": np.array([1.0, -1.0])}, ["good", "bad"], signed=["signed"])
    (red, blue) = (patch.get_facecolor() for patch in ax.patches)
    assert red[0] > red[2] and blue[2] > blue[0]


def test_tokens_are_found_by_their_word():
    tokens = ["[CLS]", "the", "cross", "##word", "and", "the", "film", "[SEP]"]
    assert pictures.find_tokens(tokens, "Crossword") == [2, 3]
    assert pictures.find_tokens(tokens, "the", 1) == [5]
    assert pictures.find_tokens(tokens, "[CLS]") == [0]
    assert pictures.without_special(tokens) == [1, 2, 3, 4, 5, 6]
    with pytest.raises(ValueError, match=r"the words are: .*crossword"):
        pictures.find_tokens(tokens, "book")
    with pytest.raises(ValueError, match="2 times"):
        pictures.find_tokens(tokens, "the", 2)
    assert pictures.tokens_of_span([(0, 0), (0, 3), (4, 9), (0, 0)], 2, 5) == [1, 2]


def test_the_explorer_can_leave_out_special_tokens():
    attention = torch.rand(2, 3, 4, 4).softmax(dim=-1)
    with_all = pictures.draw_explorer(attention, attention, WORDS, 0, [0], 1)
    assert len(with_all.axes[2].patches) == 2 * len(WORDS)
    without = pictures.draw_explorer(attention, attention, WORDS, 0, [0, 1, 2], 1, special=False)
    assert len(without.axes[2].patches) == 2 * 2
    followed = pictures.draw_explorer(attention, attention, WORDS, 0, [0], 3, longest=2)
    assert len(followed.axes[2].patches) == 2 * 2


def test_a_long_text_is_broken_into_lines():
    words = [f"word{n}" for n in range(35)]
    figure = pictures.draw_words({"a": np.arange(35.0), "b": -np.ones(35)}, words, signed=["b"], title="t")
    assert len(figure.axes) == 3
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert sorted(texts) == sorted(words * 2)


def test_words_of_a_token_map_do_not_lie_on_one_another():
    points = np.random.default_rng(0).normal(size=(60, 2)) * [1, 0.1]
    groups = ["few" if i % 20 == 0 else "many" for i in range(60)][::-1]
    _, ax = plt.subplots(figsize=(5, 3))
    pictures.token_map(ax, points, [f"word{i}" for i in range(60)], groups=sorted(groups)[::-1], bold=[7])
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    shrunk = [box.padded(-2) for box in boxes]  # the letters of a word differ in width
    assert not any(a.overlaps(b) for i, a in enumerate(shrunk) for b in shrunk[:i])
    assert 10 < len(boxes) < 60 and ax.texts[0].get_text() == "word7"
    named = {text.get_text() for text in ax.texts}
    assert {f"word{i}" for i in range(57, 60)} <= named  # the smaller, later group


def test_a_token_map_names_each_point():
    figure = pictures.layer_grid(
        3, lambda ax, layer: pictures.token_map(ax, np.eye(4, 2), WORDS, groups=list("xyyx"), bold=[1])
    )
    figure.canvas.draw()
    named = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(named) == ["[CLS]", "[SEP]", "film", "good"]
    assert figure.axes[2].get_title() == "layer 2" and not figure.axes[3].axison
