"""What people have reported of LIME, SHAP and attention libraries, tried on ours; one test a report."""

import tracemalloc

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor
from transformers import AlbertConfig, AlbertModel, BartConfig, BartModel, BertConfig, BertModel

from course_utils.methods import attention, embeddings, shapley
from course_utils.methods.lime import (
    fit_surrogate,
    hidden_image,
    hide_words,
    lime_image,
    lime_tabular,
    lime_text,
    split_words,
    unseen_r2,
)

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(300, 4))
NUMBER = TABLE[:, 0] + TABLE[:, 1] * TABLE[:, 2]
CLASS = (NUMBER > 0).astype(int)


# ---------------------------------------------------------------- trees


def _refused_trees():
    stump = DecisionTreeClassifier(max_depth=2)
    return {
        # shap 4093: boosting by votes is no mean of its trees
        "AdaBoostClassifier": AdaBoostClassifier(stump, n_estimators=10, random_state=0).fit(TABLE, CLASS),
        "AdaBoostRegressor": AdaBoostRegressor(n_estimators=10, random_state=0).fit(TABLE, NUMBER),
        # shap 237: its answers are functions of the depths, not of leaf values
        "IsolationForest": IsolationForest(n_estimators=10, random_state=0).fit(TABLE),
        # shap 338: ensembles that only look like forests
        "OneVsRestClassifier": OneVsRestClassifier(stump).fit(TABLE, np.digitize(NUMBER, [-1, 1])),
        "MultiOutputRegressor": MultiOutputRegressor(DecisionTreeRegressor(max_depth=3)).fit(
            TABLE, TABLE[:, :2] ** 2
        ),
        # a start that is a model of its own
        "GradientBoostingRegressor": GradientBoostingRegressor(
            n_estimators=5, init=LinearRegression(), random_state=0
        ).fit(TABLE, NUMBER),
    }


@pytest.mark.parametrize("method", ["interventional", "path_dependent"])
@pytest.mark.parametrize(
    ("name", "model"), _refused_trees().items(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_public_report_ensembles_that_are_no_sum_of_their_trees(name, model, method):
    with pytest.raises(TypeError, match=rf"model: {name}.*kernel_shap"):
        shapley.tree_shap(
            model, TABLE[:20], TABLE[50:70] if method == "interventional" else None, method=method
        )


@pytest.mark.parametrize("method", ["interventional", "path_dependent"])
def test_public_report_bagging_of_columns(method):
    """shap 338: members that saw only some columns, in an order of their own."""
    model = BaggingRegressor(
        DecisionTreeRegressor(max_depth=3), n_estimators=10, max_features=0.5, random_state=0
    )
    model.fit(TABLE, NUMBER)
    for rows in (TABLE[:2], TABLE[:40]):
        phi = shapley.tree_shap(
            model, rows, TABLE[100:120] if method == "interventional" else None, method=method
        )
        base = model.predict(TABLE[100:120]).mean() if method == "interventional" else None
        gaps = model.predict(rows) - phi.sum(axis=1)
        assert gaps == pytest.approx(gaps[0] if base is None else base, abs=1e-12)
    game = shapley.masking_game(model.predict, TABLE[0], TABLE[100:120])
    if method == "interventional":
        assert phi[0] == pytest.approx(shapley.shapley_values(game, 4), abs=1e-12)
    classes = BaggingClassifier(DecisionTreeClassifier(max_depth=3), 5, max_features=0.5, random_state=0)
    classes.fit(TABLE, CLASS)
    found = shapley.tree_shap(classes, TABLE[:5], TABLE[50:70], target=1).sum(axis=1)
    answers = classes.predict_proba(TABLE)[:, 1]
    assert found == pytest.approx(answers[:5] - answers[50:70].mean(), abs=1e-12)


@pytest.mark.parametrize("n_rows", [1, 3, 40])
def test_public_report_wide_tables(n_rows):
    """shap 3948, 1071: leaves behind more than 63 different columns overflowed, and nothing added up."""
    table, targets = np.eye(81, 80), np.arange(81.0)
    tree = ExtraTreeRegressor(random_state=0, max_features=1).fit(table, targets)
    rows, background = table[[3, 60, 70] * 14][:n_rows], table[[10, 75, 80]]
    phi = shapley.tree_shap(tree, rows, background)
    assert phi.sum(axis=1) == pytest.approx(tree.predict(rows) - tree.predict(background).mean(), abs=1e-9)
    phi = shapley.tree_shap(tree, rows, method="path_dependent")
    assert phi.sum(axis=1) == pytest.approx(tree.predict(rows) - 40, abs=1e-9)


def test_public_report_histogram_boosting():
    """shap 1028: the error must not deny that it is gradient boosting."""
    model = HistGradientBoostingRegressor(max_iter=5).fit(TABLE, NUMBER)
    with pytest.raises(TypeError, match=r"HistGradientBoostingRegressor.*histogram boosting.*package shap"):
        shapley.tree_shap(model, TABLE[:2], TABLE)


def test_public_report_additivity_of_extra_trees_and_three_classes():
    """shap 1346, 1986, 1298, 2887: additivity checks that failed."""
    table, targets = make_classification(200, 8, n_informative=5, n_classes=3, random_state=0)
    for model in (
        RandomForestClassifier(20, random_state=0),
        ExtraTreesClassifier(20, random_state=0),
        GradientBoostingClassifier(n_estimators=10, random_state=0),
    ):
        ask = model.fit(table, targets)
        ask = ask.decision_function if hasattr(ask, "decision_function") else ask.predict_proba
        phi = shapley.tree_shap(model, table[:30], table[100:130])
        assert phi.sum(axis=1) == pytest.approx(ask(table[:30]) - ask(table[100:130]).mean(axis=0), abs=1e-9)
        phi = shapley.tree_shap(model, table[:30], method="path_dependent")
        gaps = ask(table[:30]) - phi.sum(axis=1)
        assert gaps == pytest.approx(np.tile(gaps[0], (30, 1)), abs=1e-9)


def test_public_report_missing_values_and_text_in_trees():
    """shap 1211, 1327 and nullable columns: named, not NumPy's own sentence."""
    tree = DecisionTreeRegressor(max_depth=3).fit(TABLE, NUMBER)
    gap = TABLE[:2].copy()
    gap[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"x holds missing.*fill"):
        shapley.tree_shap(tree, gap, TABLE)
    with pytest.raises(ValueError, match=r"background must hold numbers.*encode"):
        shapley.tree_shap(tree, TABLE[:2], np.array([["a", "b", "c", "d"]], object))


def test_the_few_and_the_many_are_the_same():
    """One pair of rows at a time, or all leaves with their patterns: two ways to the same numbers."""
    model = RandomForestClassifier(5, random_state=0).fit(TABLE, CLASS)
    few = np.stack([shapley.tree_shap(model, row, TABLE[100:150]) for row in TABLE[:10]])
    assert few == pytest.approx(shapley.tree_shap(model, TABLE[:10], TABLE[100:150]), abs=1e-12)


# ---------------------------------------------------------------- games


def test_public_report_too_few_questions():
    """shap 240, 4469, 5: a singular regression answered without a word."""
    weights = RNG.normal(size=30)
    with pytest.raises(ValueError, match=r"n_samples=10 .*30 players.*60 or more"):
        shapley.kernel_shap(lambda masks: masks @ weights, 30, 10)
    for n_samples in (60, 64, 100):
        phi = shapley.kernel_shap(lambda masks: masks @ weights, 30, n_samples)
        assert phi == pytest.approx(weights, abs=1e-9)


def test_public_report_one_player_and_too_many():
    """shap 467: one feature; and 26 players for the exact sum."""
    game = lambda masks: 3.0 * masks[:, 0]  # noqa: E731
    for rule in (shapley.shapley_values, shapley.kernel_shap, shapley.permutation_shap):
        assert rule(game, 1) == pytest.approx([3.0])
    assert shapley.shapley_interactions(game, 1) == pytest.approx(np.array([[3.0]]))
    with pytest.raises(ValueError, match=r"26 players.*kernel_shap"):
        shapley.shapley_values(game, 26)


def test_public_report_linear_coefficients_of_scikit_learn():
    """`coef_` of a classifier is (1, d): the message says which part to take."""
    coef = LogisticRegression().fit(TABLE, CLASS).coef_
    with pytest.raises(ValueError, match=r"coef_\[0\]"):
        shapley.linear_shap(coef, TABLE[0], TABLE)
    assert shapley.linear_shap(coef[0], TABLE[0], TABLE).shape == (4,)


def test_public_report_string_columns_in_games():
    """shap 1211, 1327: categories as text are fine for a model that takes them."""
    table = np.array([["a", 1], ["b", 2], ["b", 3]], object)
    game = shapley.masking_game(lambda rows: (rows[:, 0] == "b") + rows[:, 1].astype(float), table[1], table)
    assert shapley.shapley_values(game, 2) == pytest.approx([1 / 3, 0.0])


def _peak(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_public_report_memory_of_conditional_games():
    """Coalitions × rows × columns at once needed 1.9 GB for 14 columns and 8,000 rows."""
    table = RNG.integers(0, 2, (8000, 14)).astype(float)
    game = shapley.conditional_game(lambda rows: rows.sum(axis=1), table[0], table)
    masks = np.arange(2**14)[:, None] >> np.arange(14) & 1
    assert _peak(lambda: game(masks)) < 60
    exact = [table[(table == table[0])[:, mask == 1].all(axis=1)].sum(axis=1).mean() for mask in masks[:50]]
    assert game(masks[:50]) == pytest.approx(exact, abs=1e-12)


def test_public_report_memory_of_permutations():
    """All coalitions of all orders at once needed 2.3 GB for 3,000 players."""
    weights = RNG.normal(size=1500)
    found = []
    peak = _peak(lambda: found.append(shapley.permutation_shap(lambda m: m @ weights, 1500, 3000)))
    assert found[0] == pytest.approx(weights, abs=1e-9)
    assert peak < 450


# ---------------------------------------------------------------- LIME, pictures


PICTURE = RNG.integers(0, 256, (12, 12, 3)).astype(np.uint8)
SQUARES = np.indices((12, 12))[0] // 6 * 2 + np.indices((12, 12))[1] // 6


def _two(pictures):
    red = pictures[..., 0].reshape(len(pictures), -1).mean(axis=1) / 255
    return np.column_stack([1 - red, red])


@pytest.mark.parametrize("hidden", [0.5, -1, 300, (0.1, 0.2, 0.3), np.nan])
def test_public_report_hidden_colour_of_another_scale(hidden):
    """A grey of 0.5 became 0 and 300 became 44 on a picture of whole numbers."""
    with pytest.raises(ValueError, match="hidden"):
        hidden_image(PICTURE, SQUARES, hidden)
    assert hidden_image(PICTURE / 255, SQUARES, 0.5)[0, 0, 0] == 0.5
    assert hidden_image(PICTURE, SQUARES, (255, 0, 1))[0, 0].tolist() == [255, 0, 1]
    assert hidden_image(PICTURE, SQUARES, 1)[0, 0, 0] == 1


@pytest.mark.parametrize("target", [0, 1])
def test_public_report_one_column_has_no_classes(target):
    """lime 385, 156: a softmax over one logit is 1 for any picture, and everything got zero."""
    one = lambda pictures: _two(pictures)[:, 1:]  # noqa: E731
    with pytest.raises(ValueError, match=r"one column.*column_stack"):
        lime_image(one, PICTURE, target, SQUARES, 20)
    with pytest.raises(ValueError, match=r"one column.*column_stack"):
        shapley.shapley_values(shapley.image_game(one, PICTURE, target, SQUARES), 4)
    number = lime_image(one, PICTURE, None, SQUARES, 50).coefficients
    assert np.array_equal(number, lime_image(_two, PICTURE, 1, SQUARES, 50).coefficients)


def test_public_report_grey_and_channels_first():
    """lime 661, 453, 250: pictures without colours, or with the channels in front."""
    for wrong in (PICTURE[..., 0], np.moveaxis(PICTURE, 2, 0)):
        with pytest.raises(ValueError, match=r"\(H, W, channels\)|differ in size"):
            lime_image(_two, wrong, 1, SQUARES, 20)
    assert lime_image(_two, PICTURE[..., :1], 1, SQUARES, 20).coefficients.shape == (4,)


def test_public_report_one_superpixel_and_odd_labels():
    """lime 386: one superpixel; labels from 1 or negative ones; labels that are no whole numbers."""
    assert lime_image(_two, PICTURE, 1, 0 * SQUARES, 20).coefficients.shape == (1,)
    usual = lime_image(_two, PICTURE, 1, SQUARES, 50).coefficients
    for labels in (SQUARES + 1, SQUARES - 7):
        assert np.array_equal(lime_image(_two, PICTURE, 1, labels, 50).coefficients, usual)
    with pytest.raises(ValueError, match="segments must be"):
        lime_image(_two, PICTURE, 1, SQUARES / 2, 20)


@pytest.mark.parametrize("output", [0.25, 0.3, 1.0])
def test_public_report_constant_outputs(output):
    """Rounding decided whether a constant model fits, and there were coefficients of 1e-33."""
    masks = RNG.integers(0, 2, (40, 5))
    masks[0] = 1
    explanation = fit_surrogate(masks, np.full(40, output), np.ones(40))
    assert explanation.r2 == 1 and explanation.top() == [] and unseen_r2(explanation) == 1
    with pytest.raises(ValueError, match="n_samples must be 2"):
        lime_image(_two, PICTURE, 1, SQUARES, 1)


def test_public_report_low_precision_outputs():
    """pytorch-grad-cam 329: NumPy has no bfloat16; a tensor may come back as it is."""
    low = lambda pictures: torch.from_numpy(_two(pictures)).bfloat16().requires_grad_()  # noqa: E731
    ours = lime_image(low, PICTURE, 1, SQUARES, 50).coefficients
    assert ours == pytest.approx(lime_image(_two, PICTURE, 1, SQUARES, 50).coefficients, abs=0.01)


# ---------------------------------------------------------------- LIME, tables


COLOURS = np.column_stack([RNG.normal(size=300), RNG.integers(0, 3, 300)])


@pytest.mark.parametrize("categorical", [[1], ["color"], [-1], np.array([False, True]), np.array([1])])
def test_public_report_categories_by_name_index_or_mask(categorical):
    """lime 290, 273: names, negative indices and masks were dropped or misread."""
    explanation = lime_tabular(
        lambda t: t[:, 0] + 5 * (t[:, 1] == 2), np.array([0.2, 2.0]), COLOURS, None, 1000,
        k=None, categorical=categorical, names=["size", "color"],
    )  # fmt: skip
    assert dict(explanation.top())["color"] == pytest.approx(5, abs=0.1)
    assert {name for name, _ in explanation.top()} != {"size", "color"}  # size is still cut into quarters


@pytest.mark.parametrize("categorical", [[5], [-3], ["shape"], [True], [1.0], [None]])
def test_public_report_unknown_categories_are_refused(categorical):
    with pytest.raises(ValueError, match="categorical"):
        lime_tabular(lambda t: t[:, 0], COLOURS[0], COLOURS, None, 50, categorical=categorical)


def test_public_report_tables_of_words():
    """lime 346: could not convert string to float."""
    words = np.array([[1.0, "red"], [2.0, "blue"]], object)
    with pytest.raises(ValueError, match=r"must hold numbers.*categorical"):
        lime_tabular(lambda t: np.zeros(len(t)), words[0], words, None, 50)


def test_public_report_ties_and_constant_columns():
    """alibi 221, TableTransforms 19: quarters that fall together; values that the table never has."""
    table = np.column_stack([np.ones(100), np.repeat([0.0, 1.0], [95, 5]), RNG.normal(size=100)])
    explanation = lime_tabular(lambda t: t[:, 2], np.array([9.0, 5.0, 99.0]), table, None, 500, k=None)
    assert np.isfinite(explanation.coefficients).all()


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("हिन्दी में अच्छा", ("हिन्दी", "में", "अच्छा")),  # BookwormDB 123: vowel signs belong to their letter
        ("cafe\u0301 ok", ("cafe\u0301", "ok")),
        ("好评如潮", ("好", "评", "如", "潮")),  # limdu 27: a clause was one word; BERT has one a character
        ("so good 😍👍🏽", ("so", "good", "😍", "👍🏽")),
        ("👨\u200d👩\u200d👧 hi", ("👨\u200d👩\u200d👧", "hi")),
        ("สวัสดี โลก", ("สวัสดี", "โลก")),
        ("한국어 좋아", ("한국어", "좋아")),
        ("don't  stop_it, $5", ("don", "t", "stop_it", "5")),  # as in the lime package
    ],
)
def test_public_report_words_of_other_scripts(text, words):
    found, pieces, owners = split_words(text)
    assert found == words and "".join(pieces) == text and len(owners) == len(pieces)
    gone = hide_words(text, np.zeros((1, len(words)), int), hidden="#")[0]
    assert not set(gone) & set("".join(words))


def test_public_report_words_are_whole_tokens_of_bert():
    """No piece of the tokenizer straddles two words, also with double spaces."""
    from course_utils.labs import load_lab

    tokenizer = load_lab("text").tokenizer
    for text in ("A  fine   film, isn't it?", "好评如潮 good 😍", "cafe\u0301 überall", "हिन्दी में अच्छा"):
        _, pieces, _ = split_words(text, False)
        borders = set(np.cumsum([len(piece) for piece in pieces]).tolist()) | {0}
        for start, end in tokenizer(text, return_offsets_mapping=True)["offset_mapping"]:
            assert not {border for border in borders if start < border < end}


def test_public_report_mask_words_that_lengthen_a_text():
    """lime 448, anchor 30: the default UNKWORDZ is four tokens, and the error spoke of another text."""

    def predict(texts):
        for number, text in enumerate(texts):
            if len(text) > 60:
                raise ValueError(f"text {number} has {len(text)} tokens, but the model takes at most 60")
        return np.full((len(texts), 2), 0.5)

    with pytest.raises(ValueError, match=r"UNKWORDZ.*\[MASK\]"):
        lime_text(predict, "a b c d e f g h i j k l m n", 1, 50, bag_of_words=False)
    lime_text(predict, "a b c d e f g h i j k l m n", 1, 50, bag_of_words=False, hidden="")


# ---------------------------------------------------------------- attention


def test_public_report_models_with_two_halves():
    """bertviz 67, 79; transformers 6778: BART and T5 return two sets of attentions."""
    model = BartModel(
        BartConfig(
            vocab_size=40, d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, attn_implementation="eager",
        )
    ).eval()  # fmt: skip
    ids = torch.tensor([[5, 6, 7]])
    for call in (attention.attention_maps, embeddings.hidden_states):
        with pytest.raises(ValueError, match=r"model: .*get_encoder"):
            call(model, ids)
    assert attention.attention_maps(model.get_encoder(), ids).shape == (2, 2, 3, 3)
    assert embeddings.hidden_states(model.get_encoder(), ids).shape == (3, 3, 16)


def test_public_report_layers_that_share_their_weights():
    """bertviz 126: a change in one layer of ALBERT is one in all of them, told as layer 0 each time."""
    model = AlbertModel(
        AlbertConfig(
            vocab_size=99, embedding_size=8, hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
            intermediate_size=32, attn_implementation="eager",
        )
    ).eval()  # fmt: skip
    ids = torch.tensor([[5, 6, 7]])
    with pytest.raises(ValueError, match="3 layers share"), attention.change_attention(model, lambda n, a: a):
        model(ids)
    with pytest.raises(ValueError, match="share"), attention.mask_heads(model, [(0, 0)]):
        model(ids)
    with pytest.raises(ValueError, match="share"):
        attention.one_head(model, ids, 1, 0)
    assert attention.attention_maps(model, ids).shape == (3, 2, 3, 3)


def _bert(how):
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    return BertModel(BertConfig(vocab_size=40, attn_implementation=how, **sizes)).eval()


def test_public_report_fast_attention_returns_none():
    """The fused attention keeps its weights to itself: the message says how to load the model."""
    with pytest.raises(ValueError, match='attn_implementation="eager"'):
        attention.attention_maps(_bert("sdpa"), torch.tensor([[5, 6, 7]]))


def test_public_report_padding():
    """Padding must get no attention, and a head computed by hand must not pretend it was not there."""
    model = _bert("eager")
    tokens = {"input_ids": torch.tensor([[5, 6, 7, 0, 0]]), "attention_mask": torch.tensor([[1, 1, 1, 0, 0]])}
    assert attention.attention_maps(model, tokens)[..., 3:].abs().max() < 1e-6
    with pytest.raises(ValueError, match="without padding"):
        attention.one_head(model, tokens, 0, 0)
