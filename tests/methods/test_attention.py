"""Attention: against transformers' own modules, published formulas written again, and networkx's flows."""

import networkx
import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

from course_utils.methods.attention import (
    adversarial_attention,
    attention_flow,
    attention_maps,
    attention_relevance,
    attention_rollout,
    change_attention,
    class_attention,
    gradient_weighted_attention,
    mask_heads,
    one_head,
    total_variation,
)

LAYERS, HEADS, TOKENS = 3, 4, 7


def small_config(**options):
    return BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=64,
        max_position_embeddings=16,
        initializer_range=0.3,  # large weights: attention that is far from uniform
        attn_implementation="eager",
        **options,
    )


@pytest.fixture
def model():
    torch.manual_seed(0)
    return BertForSequenceClassification(small_config(num_labels=3)).eval()


@pytest.fixture
def ids():
    return torch.randint(1, 50, (1, TOKENS), generator=torch.Generator().manual_seed(1))


def random_attentions(layers=LAYERS, heads=HEADS, tokens=TOKENS, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(layers, heads, tokens, tokens, generator=generator, dtype=torch.float64)
        .mul(2)
        .softmax(-1)
    )


def logits(model, ids):
    with torch.no_grad():
        return model(input_ids=ids).logits


# maps


def test_maps_are_the_models_own_and_rows_sum_to_one(model, ids):
    maps = attention_maps(model, ids)
    assert maps.shape == (LAYERS, HEADS, TOKENS, TOKENS)
    own = model(input_ids=ids, output_attentions=True).attentions
    torch.testing.assert_close(maps, torch.cat(own).detach(), rtol=0, atol=0)
    torch.testing.assert_close(maps.sum(-1), torch.ones(LAYERS, HEADS, TOKENS))


def test_maps_accept_ids_and_mappings_and_leave_them_alone(model, ids):
    tokens = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "unknown": torch.zeros(1)}
    before = {name: value.clone() for name, value in tokens.items()}
    torch.testing.assert_close(attention_maps(model, tokens), attention_maps(model, ids[0]))
    assert all(torch.equal(tokens[name], before[name]) for name in before)


def test_maps_switch_dropout_off_and_back_on(model, ids):
    model.train()
    model.classifier.eval()
    first, second = attention_maps(model, ids), attention_maps(model, ids)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert model.training and not model.classifier.training and model.bert.training


def test_default_attention_is_refused_with_advice(ids):
    model = BertModel(small_config())
    model.set_attn_implementation("sdpa")
    with pytest.raises(ValueError, match="eager"):
        attention_maps(model.eval(), ids)


@pytest.mark.parametrize(
    ("tokens", "error", "words"),
    [
        (torch.ones(2, 5, dtype=torch.long), ValueError, "one text at a time"),
        (torch.ones(1, 0, dtype=torch.long), ValueError, "one text"),
        (torch.ones(1, 17, dtype=torch.long), ValueError, "17 tokens.*at most 16"),
        (torch.ones(1, 5), TypeError, "integers"),
        ("a text", TypeError, "tokenizer"),
        ({"attention_mask": torch.ones(1, 5)}, TypeError, "tokenizer"),
    ],
)
def test_bad_tokens(model, tokens, error, words):
    with pytest.raises(error, match=words):
        attention_maps(model, tokens)


# rollout and flow


def published_rollout(attentions):
    """Abnar & Zuidema's formula, written with NumPy as in their notebook: add I, normalise rows, multiply."""
    mean = attentions.numpy().mean(axis=1)
    augmented = mean + np.eye(mean.shape[1])[None]
    augmented = augmented / augmented.sum(axis=-1)[..., None]
    joint = np.zeros_like(augmented)
    joint[0] = augmented[0]
    for i in range(1, len(augmented)):
        joint[i] = augmented[i].dot(joint[i - 1])
    return joint


def test_rollout_equals_the_published_formula():
    attentions = random_attentions()
    joint = published_rollout(attentions)
    np.testing.assert_allclose(attention_rollout(attentions), joint[-1], atol=1e-15)
    np.testing.assert_allclose(attention_rollout(attentions, all_layers=True), joint, atol=1e-15)
    torch.testing.assert_close(attention_rollout(attentions).sum(-1), torch.ones(TOKENS, dtype=torch.float64))


def test_rollout_direction_on_a_known_chain():
    # token 0 looks at 1 in the upper layer, 1 looks at 2 in the lower one: 2 reaches 0 with 0.5 × 0.5
    lower, upper = torch.eye(3), torch.eye(3)
    lower[1], upper[0] = torch.tensor([0.0, 0, 1]), torch.tensor([0.0, 1, 0])
    result = attention_rollout(torch.stack([lower, upper])[:, None])
    torch.testing.assert_close(result[0], torch.tensor([0.5, 0.25, 0.25]))


def test_rollout_takes_transformers_tuples(model, ids):
    own = model(input_ids=ids, output_attentions=True).attentions
    torch.testing.assert_close(attention_rollout(own), attention_rollout(attention_maps(model, ids)))
    assert not attention_rollout(own).requires_grad


@pytest.mark.parametrize(
    ("attentions", "words"),
    [
        (torch.rand(3, 5, 5), "shape"),
        (torch.rand(2, 3, 5, 4), "shape"),
        ((), "eager"),
        (-torch.rand(2, 3, 5, 5), "not scores"),
        (torch.full((2, 3, 5, 5), torch.nan), "finite"),
        (torch.full((2, 3, 5, 5), 0.1), "sum to 1, and one sums to 0.5"),
        (torch.eye(5).repeat(2, 3, 1, 1).index_fill(2, torch.tensor([1]), 0), "one sums to 0"),
        (torch.eye(5).long().repeat(2, 3, 1, 1), "float"),
        ([[[1.0]]], "list of tensors"),
    ],
)
def test_rollout_refuses(attentions, words):
    with pytest.raises((TypeError, ValueError), match=words):
        attention_rollout(attentions)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_rollout_takes_rows_that_sum_to_one_but_for_rounding(dtype):
    attentions = torch.randn(2, 3, 200, 200, generator=torch.Generator().manual_seed(0))
    assert attention_rollout(attentions.softmax(dim=3).to(dtype)).isfinite().all()


def test_flow_equals_networkx():
    attentions = random_attentions(tokens=5)
    steps = 0.5 * attentions.mean(1) + 0.5 * torch.eye(5, dtype=torch.float64)
    graph = networkx.DiGraph()
    for layer, step in enumerate(steps):
        for query in range(5):
            for key in range(5):
                graph.add_edge((layer + 1, query), (layer, key), capacity=step[query, key].item())
    expected = [
        [networkx.maximum_flow_value(graph, (LAYERS, query), (0, key)) for key in range(5)]
        for query in range(5)
    ]
    flow = attention_flow(attentions)
    np.testing.assert_allclose(flow, expected, atol=1e-7)
    np.testing.assert_allclose(attention_flow(attentions, queries=[3]), flow[3:4], atol=0)
    with pytest.raises(ValueError, match="query"):
        attention_flow(attentions, queries=[5])


def test_flow_is_at_least_the_rollout():
    # the rollout's shares are one flow that respects the capacities, the maximum cannot be smaller
    attentions = random_attentions(seed=3)
    assert (attention_flow(attentions) >= attention_rollout(attentions) - 1e-6).all()


# gradients


def test_gradient_weighted_attention_is_the_first_order_change(model, ids):
    """Attention × gradient predicts what scaling one head's attention by 1 + ε does to the score."""
    weighted = gradient_weighted_attention(model.double(), ids, target=2)
    assert weighted.shape == (LAYERS, HEADS, TOKENS, TOKENS)
    step = 1e-5
    for layer in range(LAYERS):

        def scaled(number, attention, layer=layer, sign=1):
            factor = torch.ones_like(attention)
            factor[:, 1] += sign * step * (number == layer)
            return attention * factor

        with change_attention(model, scaled):
            up = logits(model, ids)
        with change_attention(model, lambda number, attention: scaled(number, attention, sign=-1)):
            down = logits(model, ids)
        slope = (up - down)[0, 2] / (2 * step)
        torch.testing.assert_close(weighted[layer, 1].sum(), slope, rtol=1e-5, atol=1e-7)


def test_gradient_weighted_attention_works_frozen_and_leaves_no_trace(model, ids):
    expected = gradient_weighted_attention(model, ids, target=0)
    model.requires_grad_(False)
    with torch.inference_mode():
        torch.testing.assert_close(gradient_weighted_attention(model, ids, target=0), expected)
    assert all(p.grad is None and not p.requires_grad for p in model.parameters())
    with pytest.raises(ValueError, match="target 3"):
        gradient_weighted_attention(model, ids, target=3)
    with pytest.raises(ValueError, match="class scores"):
        gradient_weighted_attention(model.bert, ids, target=0)


def test_relevance_is_the_recursion_of_the_paper(model, ids):
    weighted = gradient_weighted_attention(model, ids, target=1)
    relevance = torch.eye(TOKENS)
    for layer in range(LAYERS):
        positive = weighted[layer].relu().mean(0)
        relevance = relevance + torch.matmul(positive, relevance)
    torch.testing.assert_close(attention_relevance(model, ids, target=1), relevance)


# one head, and changes


def test_one_head_equals_the_models_attention_and_states(model, ids):
    maps = attention_maps(model, ids)
    outputs = {}
    for layer, block in enumerate(model.bert.encoder.layer):
        block.attention.self.register_forward_hook(lambda m, a, o, layer=layer: outputs.update({layer: o[0]}))
    logits(model, ids)
    for layer in range(LAYERS):
        heads = [one_head(model, ids, layer, head) for head in range(HEADS)]
        torch.testing.assert_close(torch.stack([h.attention for h in heads]), maps[layer], rtol=0, atol=1e-6)
        torch.testing.assert_close(
            torch.cat([h.output for h in heads], dim=1), outputs[layer][0], rtol=0, atol=1e-5
        )
    head = heads[0]
    torch.testing.assert_close(head.scores, head.query @ head.key.T / (32 / HEADS) ** 0.5)


def test_one_head_refuses(model, ids):
    with pytest.raises(ValueError, match="layer 3"):
        one_head(model, ids, 3, 0)
    with pytest.raises(ValueError, match="head 4"):
        one_head(model, ids, 0, 4)
    mask = torch.ones_like(ids)
    mask[0, -1] = 0
    with pytest.raises(ValueError, match="padd"):
        one_head(model, {"input_ids": ids, "attention_mask": mask}, 0, 0)
    with pytest.raises(ValueError, match="BERT-like"):
        one_head(torch.nn.Linear(2, 2), ids, 0, 0)


def test_change_attention_with_no_change_changes_nothing(model, ids):
    before = logits(model, ids)
    with change_attention(model, lambda layer, attention: attention):
        torch.testing.assert_close(logits(model, ids), before, rtol=0, atol=1e-6)
    uniform = torch.full((1, HEADS, TOKENS, TOKENS), 1 / TOKENS)
    with change_attention(model, lambda layer, attention: uniform):
        assert (logits(model, ids) - before).abs().max() > 0.01
        torch.testing.assert_close(attention_maps(model, ids), uniform.expand(LAYERS, -1, -1, -1))
    torch.testing.assert_close(logits(model, ids), before, rtol=0, atol=0)


def test_masked_heads_are_as_if_their_columns_of_the_output_matrix_were_zero(model, ids):
    before = logits(model, ids)
    with mask_heads(model, [(0, 1), (2, 0), (2, 3)]):
        masked = logits(model, ids)
    torch.testing.assert_close(logits(model, ids), before, rtol=0, atol=0)
    size = 32 // HEADS
    with torch.no_grad():
        for layer, head in [(0, 1), (2, 0), (2, 3)]:
            model.bert.encoder.layer[layer].attention.output.dense.weight[
                :, head * size : (head + 1) * size
            ] = 0
    torch.testing.assert_close(masked, logits(model, ids), rtol=0, atol=1e-6)
    assert (masked - before).abs().max() > 1e-3


def test_masking_equals_changing_the_attention_to_zero(model, ids):
    def silence(layer, attention):
        keep = torch.ones(HEADS)
        keep[2] = float(layer != 1)
        return attention * keep[:, None, None]

    with mask_heads(model, [(1, 2)]):
        masked = logits(model, ids)
    with change_attention(model, silence):
        torch.testing.assert_close(logits(model, ids), masked, rtol=0, atol=1e-6)


def test_hooks_are_gone_after_errors(model, ids):
    with pytest.raises(RuntimeError, match="stop"), mask_heads(model, [(0, 0)]):
        raise RuntimeError("stop")
    with pytest.raises(ValueError, match="shape"), change_attention(model, lambda layer, a: a[:, :1]):
        logits(model, ids)
    with pytest.raises(ValueError, match="head 9"), mask_heads(model, [(0, 0), (1, 9)]):
        pass
    assert all(not module._forward_hooks for module in model.bert.encoder.modules())


# the attention of [CLS], changed


def padded(ids):
    longer = torch.cat([ids, torch.zeros_like(ids[:, :2])], dim=1)
    other = torch.randint(1, 50, longer.shape, generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(longer)
    mask[:, -2:] = 0
    return {
        "input_ids": torch.cat([longer, other]),
        "attention_mask": torch.cat([mask, torch.ones_like(mask)]),
    }


def test_class_attention_gives_the_models_own_answer_and_any_other(model, ids):
    tokens = padded(ids)
    cut = class_attention(model, tokens)
    with torch.no_grad():
        torch.testing.assert_close(cut.answer(cut.attention), model(**tokens).logits)
    torch.testing.assert_close(cut.attention[0, :, :TOKENS], attention_maps(model, ids)[-1, :, 0])
    assert not cut.is_token[0, -2:].any() and cut.is_token[1].all()

    uniform = cut.is_token[:, None] / cut.is_token.sum(dim=1)[:, None, None] * torch.ones(1, HEADS, 1)

    def replace(layer, attention):
        if layer < LAYERS - 1:
            return attention
        return torch.cat([uniform[:, :, None], attention[:, :, 1:]], dim=2)

    with change_attention(model, replace), torch.no_grad():
        expected = model(**tokens).logits
    torch.testing.assert_close(cut.answer(uniform), expected)


def test_adversarial_attention_differs_and_keeps_the_answer(model, ids):
    tokens = padded(ids)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    other = adversarial_attention(model, tokens)
    cut = class_attention(model, tokens)
    torch.testing.assert_close(other.sum(dim=-1), torch.ones(2, HEADS))
    assert (other >= 0).all() and (other[0, :, -2:] == 0).all()
    assert (total_variation(other, cut.attention).mean(dim=1) > 0.3).all()
    change = cut.answer(other).softmax(1) - cut.answer(cut.attention).softmax(1)
    assert change.abs().max() < 0.05
    torch.testing.assert_close(adversarial_attention(model, tokens), other, rtol=0, atol=0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_class_attention_refuses_a_model_without_classes(model, ids):
    with pytest.raises(ValueError, match="classifier"):
        class_attention(model.bert, {"input_ids": ids})


def test_total_variation_by_hand():
    one, other = torch.tensor([[0.5, 0.5, 0.0]]), torch.tensor([[0.0, 0.5, 0.5]])
    torch.testing.assert_close(total_variation(one, other), torch.tensor([0.5]))
    assert total_variation(one, one).item() == 0


@pytest.mark.parametrize("wrong", [1.7, True, -1, TOKENS, None])
def test_flow_refuses_a_query_that_is_no_token(wrong):
    with pytest.raises(ValueError, match="query must be a whole number from 0 to 6"):
        attention_flow(random_attentions(), queries=[wrong])


@pytest.mark.parametrize("pair", [(1.0, 2), (1, 2.5), (True, 0), (-1, 0), (0, None)])
def test_heads_are_whole_numbers(model, ids, pair):
    with pytest.raises(ValueError, match="whole number"), mask_heads(model, [pair]):
        pass
    with pytest.raises(ValueError, match="whole number"):
        one_head(model, ids, *pair)


def test_the_adversary_refuses_steps_and_strictness_that_mean_nothing(model, ids):
    tokens = {"input_ids": ids}
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="n_steps"):
            adversarial_attention(model, tokens, n_steps=wrong)
    for wrong in (0, -1, float("nan"), None):
        with pytest.raises(ValueError, match="strictness"):
            adversarial_attention(model, tokens, strictness=wrong)


def test_the_cut_model_refuses_what_is_no_batch_and_other_shapes(model, ids):
    for wrong in (ids, "a text", None):
        with pytest.raises(TypeError, match="tokenizer"):
            class_attention(model, wrong)
    cut = class_attention(model, {"input_ids": ids})
    for wrong in (cut.attention[:, :1], cut.attention[..., :1], cut.attention[0]):
        with pytest.raises(ValueError, match="attention must have the shape"):
            cut.answer(wrong)
        with pytest.raises(ValueError, match="shapes differ"):
            total_variation(wrong, cut.attention)
