"""Bad input of the black-box and text methods: the error names argument and remedy.

Each row: what is called, with one argument replaced, the kind of error, and words that its message must hold.
The inputs and the models are as before afterwards.
"""

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeRegressor
from torch import nn
from transformers import BertConfig, BertForSequenceClassification
from unchanged import refuses

from course_utils.methods import attention, dependence, embeddings, lime, shapley

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(30, 3))
PICTURE = RNG.integers(0, 256, (8, 8, 3)).astype(np.uint8)
SQUARES = np.indices((8, 8))[0] // 4 * 2 + np.indices((8, 8))[1] // 4
MASKS = np.vstack([np.ones((1, 4)), RNG.integers(0, 2, (19, 4))])
TREE = DecisionTreeRegressor(max_depth=3).fit(TABLE, TABLE[:, 0])
NET = nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).train()
BERT = BertForSequenceClassification(
    BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=12, attn_implementation="eager",
    )
).train()  # fmt: skip
IDS = torch.tensor([[5, 6, 7, 8]])
with torch.no_grad():  # transformers leaves hooks of its own in a model at the first call
    BERT(IDS, output_attentions=True, output_hidden_states=True)
STATES = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))


def two(pictures):
    return np.full((len(pictures), 2), 0.5)


def number(rows):
    return np.asarray(rows, float).sum(axis=1)


def game(masks):
    return masks.sum(axis=1).astype(float)


def _change(model, ids, **options):
    with attention.change_attention(model, **options):
        return model(ids)


def _mute(model, ids, heads):
    with attention.mask_heads(model, heads):
        return model(ids)


USUAL = {
    lime.lime_image: {"predict": two, "image": PICTURE, "target": 1, "segments": SQUARES, "n_samples": 9},
    lime.lime_text: {"predict": two, "text": "one two three", "target": 1, "n_samples": 9},
    lime.lime_tabular: {
        "predict": number, "row": TABLE[0], "training_table": TABLE, "target": None, "n_samples": 9,
    },
    lime.hide_words: {"text": "one two", "masks": np.ones((1, 2))},
    lime.paint: {"coefficients": np.zeros(4), "segments": SQUARES},
    lime.fit_surrogate: {"masks": MASKS, "outputs": MASKS[:, 0], "weights": np.ones(20)},
    lime.k_lasso: {"masks": MASKS, "outputs": MASKS[:, 0], "weights": np.ones(20), "k": 2},
    lime.exponential_kernel: {"distances": np.zeros(3), "width": 0.25},
    lime.submodular_pick: {"coefficients": MASKS, "budget": 2},
    shapley.shapley_values: {"value": game, "n_players": 4},
    shapley.shapley_interactions: {"value": game, "n_players": 4},
    shapley.kernel_shap: {"value": game, "n_players": 4},
    shapley.permutation_shap: {"value": game, "n_players": 4},
    shapley.shapley_kernel: {"n_players": 4, "sizes": 2},
    shapley.linear_shap: {"coef": np.ones(3), "x": TABLE[0], "background": TABLE},
    shapley.tree_shap: {"model": TREE, "x": TABLE[:2], "background": TABLE},
    shapley.masking_game: {"predict": number, "x": TABLE[0], "background": TABLE},
    shapley.conditional_game: {"predict": number, "x": TABLE[0], "table": TABLE},
    shapley.text_game: {"predict": two, "text": "one two", "target": 1},
    shapley.gradient_shap: {
        "model": NET, "inputs": torch.rand(2, 3, 4, 4), "target": 1, "baselines": torch.zeros(1, 3, 4, 4),
    },
    dependence.ice_curves: {"predict": number, "table": TABLE, "column": 1, "grid": np.arange(3.0)},
    dependence.partial_dependence: {"predict": number, "table": TABLE, "column": 1, "grid": np.arange(3.0)},
    dependence.permutation_importance: {
        "predict": number, "table": TABLE, "targets": TABLE[:, 0], "score": lambda t, a: -abs(t - a).mean(),
    },
    attention.attention_maps: {"model": BERT, "tokens": IDS},
    attention.attention_rollout: {"attentions": torch.full((2, 2, 3, 3), 1 / 3)},
    attention.attention_flow: {"attentions": torch.full((2, 2, 3, 3), 1 / 3)},
    attention.gradient_weighted_attention: {"model": BERT, "tokens": IDS, "target": 1},
    attention.attention_relevance: {"model": BERT, "tokens": IDS, "target": 1},
    attention.one_head: {"model": BERT, "tokens": IDS, "layer": 0, "head": 0},
    _change: {"model": BERT, "ids": IDS, "change": lambda n, a: a},
    _mute: {"model": BERT, "ids": IDS, "heads": [(0, 0)]},
    embeddings.hidden_states: {"model": BERT, "tokens": IDS},
    embeddings.euclidean_distance: {"a": STATES, "b": STATES},
    embeddings.cosine_similarity: {"a": STATES, "b": STATES},
    embeddings.project: {"states": STATES},
    embeddings.remove_common_component: {"states": STATES},
    embeddings.linear_probe: {"states": STATES, "labels": [0, 1] * 20},
}  # fmt: skip
NAN = np.where(np.arange(30)[:, None] == 3, np.nan, TABLE)

V, T = ValueError, TypeError
ROWS = [
    (lime.lime_image, {"image": PICTURE[..., 0]}, V, r"image .*convert it to RGB"),
    (lime.lime_image, {"image": PICTURE[:0]}, V, r"image .*convert it to RGB"),
    (lime.lime_image, {"image": PICTURE.astype(str)}, T, r"image must hold numbers.*convert"),
    (lime.lime_image, {"segments": SQUARES[:4]}, V, r"segments .* differ in size"),
    (lime.lime_image, {"segments": SQUARES * 1.0}, V, r"segments must be \(H, W\) integers"),
    (lime.lime_image, {"target": 2}, V, r"target 2 is out of range: the model has 2 classes"),
    (lime.lime_image, {"target": -1}, V, r"target -1 is out of range"),
    (lime.lime_image, {"target": 1.0}, T, r"target must be the index of a class"),
    (lime.lime_image, {"target": True}, T, r"target must be the index of a class"),
    (lime.lime_image, {"target": "cat"}, T, r"target must be the index of a class"),
    (lime.lime_image, {"target": None}, V, r"which class is the target"),
    (lime.lime_image, {"n_samples": 0}, V, r"n_samples must be a whole number ≥ 1"),
    (lime.lime_image, {"n_samples": 1}, V, r"n_samples must be 2 or more"),
    (lime.lime_image, {"batch_size": 0}, V, r"batch_size must be a whole number ≥ 1"),
    (lime.lime_image, {"hidden": 256}, V, r"hidden is 256 .* 0 … 255"),
    (lime.lime_image, {"hidden": "red"}, V, r"hidden must be finite numbers"),
    (lime.lime_image, {"hidden": np.zeros(5)}, V, r"hidden .*give a number, a colour or a picture"),
    (lime.lime_image, {"masks": np.ones((3, 2))}, V, r"masks must have the shape \(n, 4\)"),
    (lime.lime_image, {"masks": np.full((3, 4), 0.5)}, V, r"masks must hold only 0"),
    (lime.lime_image, {"kernel_width": 0}, V, r"kernel width must be above 0"),
    (lime.lime_image, {"ridge": -1}, V, r"ridge must be a number ≥ 0"),
    (lime.lime_image, {"k": 0}, V, r"k must be a whole number ≥ 1"),
    (lime.lime_image, {"selection": "lasso"}, V, r"selection must be one of auto, forward"),
    (lime.lime_image, {"predict": lambda p: two(p)[:, :1]}, V, r"predict returned one column.*stack"),
    (lime.lime_image, {"predict": lambda p: two(p)[0]}, V, r"predict returned .*expected"),
    (lime.lime_image, {"predict": lambda p: np.full((len(p), 2), "a")}, T, r"predict must return numbers"),
    (lime.lime_image, {"predict": lambda p: two(p) * np.nan}, V, r"outputs contain NaN"),
    (lime.lime_text, {"text": ""}, V, r"text holds no word"),
    (lime.lime_text, {"text": None}, T, r"text must be one string, not a NoneType"),
    (lime.lime_text, {"text": ["one"]}, T, r"text must be one string, not a list"),
    (lime.lime_text, {"n_samples": -3}, V, r"n_samples must be a whole number ≥ 1"),
    (lime.lime_text, {"bag_of_words": "no"}, T, r"bag_of_words must be True or False"),
    (lime.lime_text, {"hidden": 3}, T, r"hidden must be a string"),
    (lime.hide_words, {"masks": np.ones((1, 3))}, V, r"masks must have the shape \(n, 2\)"),
    (lime.hide_words, {"text": None}, T, r"text must be one string, not a NoneType"),
    (lime.lime_tabular, {"row": TABLE[0, :2]}, V, r"row .*training_table .*\(d,\) and \(N, d\)"),
    (lime.lime_tabular, {"row": NAN[3]}, V, r"row contains NaN.*fill"),
    (lime.lime_tabular, {"training_table": TABLE[:0]}, V, r"training_table .*must be"),
    (lime.lime_tabular, {"training_table": TABLE.astype(str), "row": ["a", "b", "c"]}, V, "categorical"),
    (lime.lime_tabular, {"categorical": ["size"]}, V, r"categorical: there is no column 'size'.*column 0"),
    (lime.lime_tabular, {"categorical": [3]}, V, r"categorical: there is no column 3"),
    (lime.lime_tabular, {"categorical": [True, False]}, V, r"categorical is a mask of 2 for 3 columns"),
    (lime.lime_tabular, {"names": ["a"]}, V, r"1 names for 3 columns"),
    (lime.lime_tabular, {"row": TABLE[0] + 1j}, V, r"row .*numbers"),
    (lime.lime_tabular, {"around_row": True}, V, r"around_row needs discretize=False"),
    (lime.lime_tabular, {"around_row": "no"}, T, r"around_row must be True or False"),
    (lime.lime_tabular, {"discretize": "no"}, T, r"discretize must be True or False"),
    (lime.paint, {"coefficients": np.zeros(3)}, V, r"3 values for 4 segments"),
    (lime.fit_surrogate, {"weights": np.zeros(20)}, V, r"weights .*widen the kernel"),
    (lime.fit_surrogate, {"outputs": np.zeros(3)}, V, r"masks .*outputs .*must be"),
    (lime.fit_surrogate, {"masks": np.full((20, 4), np.nan)}, V, r"masks contain NaN"),
    (lime.fit_surrogate, {"ridge": np.nan}, V, r"ridge must be a number ≥ 0"),
    (lime.fit_surrogate, {"names": ["a"]}, V, r"1 names for \d columns"),
    (lime.k_lasso, {"k": 1.5}, V, r"k must be a whole number ≥ 1"),
    (lime.exponential_kernel, {"width": np.nan}, V, r"kernel width must be a number"),
    (lime.exponential_kernel, {"width": True}, V, r"kernel width must be a number"),
    (lime.exponential_kernel, {"distances": [np.nan]}, V, r"distances must not hold NaN"),
    (lime.submodular_pick, {"coefficients": MASKS[0]}, V, r"coefficients must have the shape \(n, d\)"),
    (lime.submodular_pick, {"coefficients": MASKS * np.nan}, V, r"coefficients contain NaN"),
    (lime.submodular_pick, {"budget": 0}, V, r"budget must be a whole number ≥ 1"),
    (shapley.shapley_values, {"n_players": 0}, V, r"0 players: exact values take 1 to 25"),
    (shapley.shapley_values, {"n_players": 26}, V, r"26 players.*use kernel_shap"),
    (shapley.shapley_values, {"n_players": 2.0}, V, r"n_players must be a whole number"),
    (shapley.shapley_values, {"value": lambda m: m}, V, r"value returned .*expected \(\d+,\)"),
    (shapley.shapley_values, {"value": lambda m: game(m) / 0}, V, r"value returned.* NaN or infinite"),
    (shapley.shapley_values, {"batch_size": 0}, V, r"batch_size must be a whole number ≥ 1"),
    (shapley.shapley_interactions, {"n_players": 30}, V, r"30 players.*use kernel_shap"),
    (shapley.kernel_shap, {"n_players": True}, V, r"n_players must be a whole number ≥ 1"),
    (shapley.kernel_shap, {"n_samples": 0}, V, r"n_samples must be a whole number ≥ 1"),
    (shapley.kernel_shap, {"n_samples": 2}, V, r"n_samples=2 .*ask 8 or more"),
    (shapley.permutation_shap, {"n_samples": "many"}, V, r"n_samples must be a whole number ≥ 1"),
    (shapley.permutation_shap, {"batch_size": -1}, V, r"batch_size must be a whole number ≥ 1"),
    (shapley.linear_shap, {"coef": np.ones((1, 3))}, V, r"coef must be \(d,\).*coef_\[0\]"),
    (shapley.permutation_shap, {"antithetic": "no"}, T, r"antithetic must be True or False"),
    (shapley.shapley_kernel, {"sizes": -1}, V, r"sizes must lie between 0 and n_players = 4"),
    (shapley.shapley_kernel, {"sizes": None}, T, r"sizes must be an int"),
    (shapley.shapley_kernel, {"n_players": 0}, V, r"n_players must be a whole number ≥ 1"),
    (shapley.linear_shap, {"x": NAN}, V, r"x contains NaN"),
    (shapley.linear_shap, {"x": TABLE[None]}, V, r"x .*must be \(N, d\) and \(K, d\)"),
    (shapley.linear_shap, {"background": TABLE[:0]}, V, r"background .*must be \(N, d\) and \(K, d\)"),
    (shapley.linear_shap, {"x": TABLE[:, :2]}, V, r"coef .*x .*background .*differ in features"),
    (shapley.tree_shap, {"model": DecisionTreeRegressor()}, T, r"model: .*not a fitted.*fit it"),
    (shapley.tree_shap, {"x": TABLE[:, :2]}, V, r"x .*must be \(N, d\) with d = 3 columns"),
    (shapley.tree_shap, {"x": NAN}, V, r"x holds missing.*fill the gaps"),
    (shapley.tree_shap, {"background": None}, V, r"background rows; \"path_dependent\" does without"),
    (shapley.tree_shap, {"background": TABLE[:0]}, V, r"background .*must be \(K, d\)"),
    (shapley.tree_shap, {"method": "exact"}, V, r'method must be "interventional"'),
    (shapley.tree_shap, {"method": "path_dependent"}, V, r"takes no background rows: leave them out"),
    (shapley.tree_shap, {"target": 1}, V, r"target 1 is out of range"),
    (shapley.tree_shap, {"target": "yes"}, T, r"target must be the index of a class"),
    (shapley.masking_game, {"x": TABLE[0, :2]}, V, r"x .*must be \(d,\) and \(K, d\)"),
    (shapley.masking_game, {"background": TABLE[:0]}, V, r"the table .*must be"),
    (shapley.masking_game, {"batch_size": 0}, V, r"batch_size must be a whole number ≥ 1"),
    (shapley.conditional_game, {"x": TABLE[0] + 1}, V, r"x must be a row of the table"),
    (shapley.conditional_game, {"target": 1}, V, r"predict returned .*expected"),
    (shapley.text_game, {"text": "..."}, V, r"text holds no word"),
    (shapley.text_game, {"text": 3}, T, r"text must be one string"),
    (shapley.gradient_shap, {"inputs": torch.rand(3, 4, 4)}, V, r"inputs .*inputs\[None\]"),
    (shapley.gradient_shap, {"inputs": torch.rand(2, 3, 4, 4) / 0}, V, r"inputs .*NaN or inf.*check"),
    (shapley.gradient_shap, {"target": 3}, V, r"target 3 is out of range"),
    (shapley.gradient_shap, {"baselines": torch.rand(1, 3, 5, 5)}, V, r"baselines .*do not fit"),
    (shapley.gradient_shap, {"n_samples": 0}, V, r"n_samples must be a whole number ≥ 1"),
    (dependence.ice_curves, {"column": 3}, V, r"no column 3: the table has the columns 0 to 2"),
    (dependence.ice_curves, {"column": "size"}, T, r"column must be an index.*names.index"),
    (dependence.ice_curves, {"grid": 3.0}, V, r"grid is a row of at least one value"),
    (dependence.ice_curves, {"table": TABLE[0]}, V, r"table has the shape \(n, d\)"),
    (dependence.ice_curves, {"table": [["a", "b", "c"]]}, V, r"table must hold numbers.*encode"),
    (dependence.partial_dependence, {"predict": two}, V, r"predict must give one number.*choose one"),
    (dependence.permutation_importance, {"targets": TABLE[:3, 0]}, V, r"30 rows have 3 targets: give"),
    (dependence.permutation_importance, {"n_repeats": 0}, V, r"n_repeats"),
    (dependence.permutation_importance, {"groups": [[5]]}, V, r"no column 5"),
    (attention.attention_maps, {"tokens": "text"}, T, r"tokens must be what tokenizer"),
    (attention.attention_maps, {"tokens": IDS.repeat(2, 1)}, V, r"pass one text at a time"),
    (attention.attention_maps, {"tokens": IDS[:, :0]}, V, r"tokens must be one text"),
    (attention.attention_maps, {"tokens": IDS.repeat(1, 4)}, V, r"16 tokens, .*at most 12: shorten"),
    (attention.attention_maps, {"tokens": IDS.float()}, T, r"token ids must be integers"),
    (attention.attention_rollout, {"attentions": torch.rand(3, 3)}, V, r"attentions must have the shape"),
    (attention.attention_rollout, {"attentions": -torch.ones(1, 1, 3, 3)}, V, r"not scores"),
    (attention.attention_rollout, {"attentions": []}, V, r"no attentions: .*eager"),
    (attention.attention_flow, {"queries": [3]}, V, r"query must be a whole number from 0 to 2, not 3"),
    (attention.gradient_weighted_attention, {"target": 2}, V, r"target 2 is out of range"),
    (attention.gradient_weighted_attention, {"target": "good"}, T, r"target must be the index of a class"),
    (attention.attention_relevance, {"target": -1}, V, r"target -1 is out of range"),
    (attention.one_head, {"layer": 2}, V, r"layer 2 is out of range: the model has 0 … 1"),
    (attention.one_head, {"head": -1}, V, r"head must be a whole number ≥ 0, not -1"),
    (attention.one_head, {"model": NET}, V, r"model is not BERT-like"),
    (_change, {"change": lambda n, a: a[:, :1]}, V, r"change must return attention of the shape"),
    (_mute, {"heads": [(0, 9)]}, V, r"head 9 is out of range"),
    (embeddings.hidden_states, {"tokens": None}, T, r"tokens must be what tokenizer"),
    (embeddings.euclidean_distance, {"b": STATES[:, :2]}, V, r"vectors must have the same length"),
    (embeddings.cosine_similarity, {"b": STATES[:3]}, V, r"do not broadcast.*a\[:, None\]"),
    (embeddings.project, {"n_components": 7}, V, r"n_components must be 1 … 6"),
    (embeddings.project, {"states": STATES[0]}, V, r"states must have the shape \(N, D\)"),
    (embeddings.project, {"states": STATES / 0}, V, r"states contain NaN or infinite values: leave"),
    (embeddings.remove_common_component, {"n_components": 6}, V, r"n_components must be 0 … 5"),
    (embeddings.linear_probe, {"labels": [0]}, V, r"labels must have one entry for each of the 40"),
    (embeddings.linear_probe, {"labels": [1] * 40}, V, r"only one label"),
    (embeddings.linear_probe, {"test_share": 1.0}, V, r"test_share must lie between 0 and 1"),
    (embeddings.linear_probe, {"groups": [7] * 40}, V, r"leaves one part empty: change it"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("function", "change", "error", "message"), ROWS)
def test_bad_input(function, change, error, message):
    def call(**arguments):
        result = function(**arguments)
        if callable(result):  # a game complains when it is played
            result(np.ones((1, 3), np.int64))

    refuses(call, USUAL[function] | change, error, message)


@pytest.mark.parametrize("function", USUAL)
def test_the_usual_input_is_fine(function):
    assert function(**USUAL[function]) is not None
