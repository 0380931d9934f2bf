"""LIME held against the `lime` package, captum and plain reasoning."""

import warnings
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr import LimeBase as CaptumLime
from lime.lime_base import LimeBase
from lime.lime_image import LimeImageExplainer
from lime.lime_tabular import LimeTabularExplainer
from lime.lime_text import LimeTextExplainer
from lime.submodular_pick import SubmodularPick
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import Ridge, lasso_path
from torch import nn

from course_utils.methods import lime

SIZE = 24


def random_state(seed=0):
    return np.random.RandomState(seed)


@pytest.fixture
def picture():
    random = random_state(1)
    image = random.randint(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    rows, columns = np.indices((SIZE, SIZE))
    segments = rows // 6 * 4 + columns // 6
    segments = segments[::-1]  # labels not in reading order
    weights = random.standard_normal((SIZE * SIZE * 3, 3)) / 1e4

    def predict(images):
        scores = images.reshape(len(images), -1).astype(float) @ weights
        scores = np.exp(scores + np.sin(3 * scores))
        return scores / scores.sum(axis=1, keepdims=True)

    return predict, image, segments


def package_coefficients(explanation, label, n_features):
    coefficients = np.zeros(n_features)
    for feature, value in explanation.local_exp[label]:
        coefficients[feature] = value
    return coefficients


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("hidden", [None, 0, 127])
@pytest.mark.parametrize("k", [None, 4, 9])
def test_pictures_equal_the_lime_package(picture, hidden, k):
    predict, image, segments = picture
    package = LimeImageExplainer(random_state=random_state(7)).explain_instance(
        image, predict, labels=(2,), top_labels=None, hide_color=hidden, num_features=k or 100000,
        num_samples=200, segmentation_fn=lambda _: segments,
    )  # fmt: skip
    replay = random_state(7)
    replay.randint(0, 1000)
    ours = lime.lime_image(predict, image, 2, segments, 200, hidden=hidden, k=k, random_state=replay)
    assert ours.coefficients == pytest.approx(package_coefficients(package, 2, 16), abs=1e-14)
    assert ours.intercept == pytest.approx(package.intercept[2], abs=1e-14)
    assert ours.r2 == pytest.approx(package.score, abs=1e-12)
    assert ours.prediction == pytest.approx(package.local_pred[0], abs=1e-13)
    assert np.count_nonzero(ours.coefficients) == (k or 16)


def test_pictures_equal_the_lime_package_on_a_convolutional_network(picture):
    _, image, segments = picture
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 22 * 22, 3), nn.Softmax(1)
    )

    def predict(images):
        with torch.inference_mode():
            return model(torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1).numpy()

    package = LimeImageExplainer(random_state=random_state(3)).explain_instance(
        image, predict, labels=(0,), top_labels=None, num_samples=300, segmentation_fn=lambda _: segments
    )
    replay = random_state(3)
    replay.randint(0, 1000)
    ours = lime.lime_image(predict, image, 0, segments, 300, random_state=replay)
    # other batch sizes, other rounding in float32
    assert ours.coefficients == pytest.approx(package_coefficients(package, 0, 16), abs=1e-6)


def test_captum_lime_gives_the_same_coefficients_for_the_same_masks(picture):
    predict, image, segments = picture
    ours = lime.lime_image(predict, image, 1, segments, 150, random_state=5)
    labels = torch.from_numpy(segments.copy()).long()
    masks = iter(ours.masks)
    hidden = torch.from_numpy(lime.hidden_image(image, segments).astype(np.float32))

    def to_image(mask, original, **_):
        return torch.where(mask[0][labels][..., None] == 1, original, hidden)

    captum = CaptumLime(
        lambda images: torch.from_numpy(predict(images.numpy().astype(np.uint8))),
        SkLearnRidge(alpha=1.0),
        similarity_func=lambda original, perturbed, mask, **_: torch.from_numpy(
            lime.exponential_kernel(lime.cosine_distances(mask.numpy()), 0.25)
        ),
        perturb_func=lambda original, **_: torch.from_numpy(next(masks)[None].astype(np.int64)),
        perturb_interpretable_space=True,
        from_interp_rep_transform=to_image,
        to_interp_rep_transform=None,
    )
    inputs = torch.from_numpy(image.astype(np.float32))[None]
    theirs = captum.attribute(inputs, target=1, n_samples=150, perturbations_per_eval=10)
    assert ours.coefficients == pytest.approx(theirs[0].numpy(), abs=1e-6)  # captum fits in float32


def test_labels_that_start_at_one_leave_no_segment_out(picture):
    predict, image, segments = picture
    ours = lime.lime_image(predict, image, 0, segments, 100)
    shifted = lime.lime_image(predict, image, 0, 10 * segments + 1, 100)
    assert np.array_equal(ours.coefficients, shifted.coefficients)
    package = LimeImageExplainer(random_state=0)
    seen = []
    package.explain_instance(
        image, lambda images: seen.append(images.copy()) or predict(images), num_samples=50, hide_color=0,
        segmentation_fn=lambda _: segments + 1,
    )  # fmt: skip
    untouched = np.concatenate(seen)[:, segments == 15]
    assert (untouched == image[segments == 15]).all()  # the last segment is never hidden


def test_hidden_colour_picture_and_mean(picture):
    _, image, segments = picture
    masks = lime.sample_masks(20, 16, 2)
    for hidden in (None, 17, (1, 2, 3), image[::-1]):
        pictures = lime.hide_segments(image, segments, masks, hidden)
        assert pictures.dtype == np.uint8
        for mask, shown in zip(masks, pictures, strict=True):
            for j in range(16):
                part = segments == j
                if mask[j]:
                    expected = image[part]
                elif hidden is None:
                    expected = image[part].mean(axis=0).astype(np.uint8)
                else:
                    expected = np.broadcast_to(hidden, image.shape)[part]
                assert (shown[part] == expected).all()
    in_batches = [b.copy() for b in lime.masked_images(image, segments, masks, 17, batch_size=7)]
    assert np.array_equal(np.concatenate(in_batches), lime.hide_segments(image, segments, masks, 17))


def test_float_pictures_and_paint(picture):
    _, image, segments = picture
    values = np.arange(16.0)
    assert np.array_equal(lime.paint(values, segments), segments)

    def predict(images):
        share = images[:, segments == 3].mean(axis=(1, 2))
        return np.stack([1 - share, share], axis=1)

    ours = lime.lime_image(predict, image / 255, 1, segments, 200, hidden=0, ridge=0.0)
    assert np.argmax(ours.coefficients) == 3
    assert ours.r2 == pytest.approx(1)
    assert np.delete(ours.coefficients, 3) == pytest.approx(0, abs=1e-12)


def test_given_masks_and_progress(picture, capsys):
    predict, image, segments = picture
    masks = lime.sample_masks(60, 16, 4)
    first = lime.lime_image(predict, image, 0, segments, masks=masks, batch_size=7, progress=True)
    second = lime.lime_image(predict, image, 0, segments, 60, random_state=4)
    assert first.coefficients == pytest.approx(second.coefficients, abs=1e-15)
    assert "60/60" in capsys.readouterr().err
    assert first.masks.dtype == np.uint8


def test_inputs_stay_as_they_were(picture):
    predict, image, segments = picture
    before = image.copy(), segments.copy()
    lime.lime_image(predict, image, 0, segments, 30)
    assert np.array_equal(before[0], image) and np.array_equal(before[1], segments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((SIZE, SIZE), np.uint8)}, "RGB"),
        ({"segments": np.zeros((3, 3), int)}, "differ in size"),
        ({"segments": np.zeros((SIZE, SIZE))}, "integers"),
        ({"target": 3}, "out of range"),
        ({"target": -1}, "out of range"),
        ({"n_samples": 0}, "n_samples"),
        ({"k": 0}, "k must be"),
        ({"selection": "best"}, "lasso_path"),
        ({"kernel_width": 0}, "above 0"),
        ({"hidden": (1, 2)}, "colour"),
        ({"masks": np.full((4, 16), 2)}, "only 0"),
        ({"masks": np.ones((4, 3))}, r"\(n, 16\)"),
        ({"predict": lambda images: np.zeros(len(images))}, "classes"),
        ({"predict": lambda images: np.full((len(images), 3), np.nan)}, "finite"),
    ],
)
def test_wrong_input_is_named(picture, change, message):
    predict, image, segments = picture
    arguments = {"predict": predict, "image": image, "target": 0, "segments": segments, "n_samples": 20}
    with pytest.raises(ValueError, match=message):
        lime.lime_image(**(arguments | change))


# ---------------------------------------------------------------- text

TEXT = "This film is not good, not good at all: the good parts were cut, and I want my evening back!"


def predict_text(texts):
    """A classifier that reads word order, so that positions matter."""
    scores = []
    for text in texts:
        words = text.lower().replace(",", " ").split()
        negated = sum(a == "not" and b == "good" for a, b in pairwise(words))
        scores.append(words.count("good") - 2.5 * negated + 0.1 * len(words) - 0.3 * ("cut" in text))
    positive = 1 / (1 + np.exp(-np.array(scores)))
    return np.stack([1 - positive, positive], axis=1)


@pytest.mark.parametrize("bag_of_words", [True, False])
@pytest.mark.parametrize("k", [3, 10])
def test_text_equals_the_lime_package(bag_of_words, k):
    package = LimeTextExplainer(random_state=11, bow=bag_of_words).explain_instance(
        TEXT, predict_text, labels=(1,), num_features=k, num_samples=400
    )
    ours = lime.lime_text(predict_text, TEXT, 1, 400, k=k, bag_of_words=bag_of_words, random_state=11)
    expected = package_coefficients(package, 1, len(ours.names))
    assert ours.coefficients == pytest.approx(expected, abs=1e-13)
    assert ours.intercept == pytest.approx(package.intercept[1], abs=1e-13)
    assert ours.r2 == pytest.approx(package.score, abs=1e-12)
    assert {word for word, _ in ours.top(k)} == {word for word, _ in package.as_list()}


def test_words_are_cut_and_hidden():
    words, pieces, owners = lime.split_words("Go, dog. Go!")
    assert words == ("Go", "dog") and "".join(pieces) == "Go, dog. Go!"
    assert owners.tolist() == [0, -1, 1, -1, 0, -1]
    assert lime.hide_words("Go, dog. Go!", [[1, 1], [0, 1], [1, 0]]) == [
        "Go, dog. Go!",
        ", dog. !",
        "Go, . Go!",
    ]
    assert lime.split_words("Go, dog. Go!", bag_of_words=False)[0] == ("Go", "dog", "Go")
    assert lime.hide_words("Go, dog. Go!", [[0, 1, 1]], bag_of_words=False, hidden="[MASK]") == [
        "[MASK], dog. Go!"
    ]


def test_number_of_hidden_words_is_uniform():
    counts = 8 - lime.sample_word_masks(8001, 8, 0)[1:].sum(axis=1)
    assert np.bincount(counts, minlength=9)[1:] == pytest.approx(1000, abs=150)


def test_text_without_a_word_is_refused():
    with pytest.raises(ValueError, match="no word"):
        lime.lime_text(predict_text, "?!", 1)


# ---------------------------------------------------------------- tables


@pytest.fixture(scope="module")
def classifier():
    table, targets = load_breast_cancer(return_X_y=True)
    table = table[:, :8]
    model = RandomForestClassifier(10, random_state=0).fit(table, targets)
    return model.predict_proba, table


@pytest.mark.parametrize("discretize", [True, False])
@pytest.mark.parametrize("k", [3, 8])
def test_tables_equal_the_lime_package(classifier, discretize, k):
    predict, table = classifier
    package = LimeTabularExplainer(
        table, discretize_continuous=discretize, random_state=random_state(2)
    ).explain_instance(table[5], predict, labels=(1,), num_features=k, num_samples=700)
    ours = lime.lime_tabular(predict, table[5], table, 1, 700, k=k, discretize=discretize, random_state=2)
    assert ours.coefficients == pytest.approx(package_coefficients(package, 1, 8), abs=1e-13)
    assert ours.intercept == pytest.approx(package.intercept[1], abs=1e-13)
    assert ours.r2 == pytest.approx(package.score, abs=1e-12)


@pytest.mark.parametrize("options", [{}, {"discretize": False}, {"discretize": False, "around_row": True}])
def test_regression_and_categories_equal_the_lime_package(options):
    table, targets = load_diabetes(return_X_y=True, scaled=False)
    model = RandomForestRegressor(5, max_depth=6, random_state=0).fit(table, targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = LimeTabularExplainer(
            table, mode="regression", categorical_features=[1], random_state=random_state(4),
            discretize_continuous=options.get("discretize", True),
            sample_around_instance=options.get("around_row", False),
        ).explain_instance(table[3], model.predict, num_features=10, num_samples=500)  # fmt: skip
    ours = lime.lime_tabular(
        model.predict, table[3], table, None, 500, categorical=[1], random_state=4, **options
    )
    assert ours.coefficients == pytest.approx(package_coefficients(package, 1, 10), rel=1e-10)
    assert ours.r2 == pytest.approx(package.score, abs=1e-12)


def test_a_quarter_of_one_value_keeps_that_value():
    """The `lime` package draws 0 there: it returns the standardised value, (5 − 5) / σ."""
    column = np.array([5.0] * 6 + [6.0, 7.0, 8.0, 9.0])
    table = np.stack([column, column[::-1]], axis=1)
    _, rows, names = lime.tabular_neighbourhood(table[0], table, 300, names=["a", "b"])
    assert rows.min() >= 5
    assert names == ("a ≤ 5.00", "b > 6.75")
    seen = []
    LimeTabularExplainer(table, mode="regression", random_state=0).explain_instance(
        table[0], lambda rows: seen.append(rows) or rows[:, 0], num_samples=300
    )
    assert (seen[0][:, 0] == 0).any()


@pytest.mark.parametrize(
    ("row", "table", "options", "message"),
    [
        (np.zeros(3), np.zeros((5, 4)), {}, r"\(N, d\)"),
        (np.array([0, np.nan]), np.zeros((5, 2)), {}, "NaN"),
        (np.zeros(2), np.zeros((5, 2)), {"names": ["a"]}, "names"),
        (np.zeros(2), np.zeros((5, 2)), {"target": None}, "target"),
    ],
)
def test_wrong_tables_are_named(row, table, options, message):
    arguments = {"target": 0, "n_samples": 10} | options
    with pytest.raises(ValueError, match=message):
        lime.lime_tabular(lambda rows: np.zeros((len(rows), 2)), row, table, **arguments)


# ---------------------------------------------------------------- the fit


def random_problem(seed, n=80, d=9):
    random = random_state(seed)
    masks = lime.sample_masks(n, d, random)
    outputs = (
        masks @ random.standard_normal(d) + 0.3 * masks[:, 0] * masks[:, 1] + 0.05 * random.standard_normal(n)
    )
    return masks, outputs, lime.exponential_kernel(lime.cosine_distances(masks), 0.25)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 3, 6, 8, 9])
@pytest.mark.parametrize(
    ("selection", "theirs"),
    [("forward", "forward_selection"), ("highest_weights",) * 2, ("lasso_path",) * 2, ("auto",) * 2],
)
def test_selections_equal_the_lime_package(seed, k, selection, theirs):
    masks, outputs, weights = random_problem(seed)
    base = LimeBase(lambda distances: weights, random_state=0)
    intercept, pairs, r2, _ = base.explain_instance_with_data(
        masks.astype(float), outputs[:, None], weights, 0, k, feature_selection=theirs
    )
    ours = lime.fit_surrogate(masks, outputs, weights, k, selection=selection)
    expected = np.zeros(masks.shape[1])
    for feature, value in pairs:
        expected[feature] = value
    assert ours.coefficients == pytest.approx(expected, abs=1e-12)
    assert (ours.intercept, ours.r2) == pytest.approx((intercept, r2), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_k_lasso_is_the_lasso_path_and_then_least_squares(seed):
    masks, outputs, weights = random_problem(seed)
    root = np.sqrt(weights)
    x = (masks - np.average(masks, axis=0, weights=weights)) * root[:, None]
    y = (outputs - np.average(outputs, weights=weights)) * root
    _, path, _ = lasso_path(x, y, alphas=2000, eps=1e-4)
    for k in (1, 3, 5):
        ours = lime.k_lasso(masks, outputs, weights, k)
        chosen = np.flatnonzero(ours.coefficients)
        corner = path[:, np.flatnonzero((path != 0).sum(axis=0) <= k)[-1]]
        assert set(chosen) == set(np.flatnonzero(corner))
        fit = Ridge(alpha=0).fit(masks[:, chosen], outputs, sample_weight=weights)
        assert ours.coefficients[chosen] == pytest.approx(fit.coef_, abs=1e-12)
        assert ours.intercept == pytest.approx(fit.intercept_, abs=1e-12)


def test_fidelity_grows_with_the_number_of_coefficients():
    masks, outputs, weights = random_problem(3)
    fits = [lime.k_lasso(masks, outputs, weights, k) for k in range(1, 10)]
    assert all(np.count_nonzero(fit.coefficients) <= k for k, fit in enumerate(fits, 1))
    assert all(a.r2 <= b.r2 + 1e-9 for a, b in pairwise(fits))
    best_pair = max(
        lime.fit_surrogate(masks[:, pair], outputs, weights, ridge=0.0).r2
        for pair in map(list, combinations(range(9), 2))
    )
    assert lime.fit_surrogate(masks, outputs, weights, 2, ridge=0.0).r2 <= best_pair + 1e-12


def test_a_constant_model_has_no_coefficients():
    masks, outputs, weights = random_problem(0)
    fit = lime.fit_surrogate(masks, np.full(len(outputs), 0.25), weights, 3)
    assert fit.coefficients == pytest.approx(0) and fit.intercept == 0.25 and fit.r2 == 1


@pytest.mark.filterwarnings("ignore:Regressors in active set degenerate")
def test_identical_columns_do_not_break_the_fit():
    masks, outputs, weights = random_problem(0)
    masks[:, 1] = masks[:, 0]
    masks[:, 2] = 1
    for selection in lime.SELECTIONS:
        for ridge in (0.0, 1.0):
            assert np.isfinite(
                lime.fit_surrogate(masks, outputs, weights, 9, selection=selection, ridge=ridge).r2
            )


def test_the_kernel_of_paper_and_packages():
    distances = np.linspace(0, 1, 11)
    assert lime.exponential_kernel(distances, 0.25) == pytest.approx(
        np.sqrt(np.exp(-(distances**2) / 0.25**2))
    )
    assert lime.exponential_kernel(distances, 0.25 / np.sqrt(2)) == pytest.approx(
        np.exp(-(distances**2) / 0.25**2)
    )
    masks = lime.sample_masks(50, 6, 0)
    masks[1] = 0
    ones = np.ones(6)
    lengths = np.linalg.norm(masks, axis=1).clip(1e-300)
    assert lime.cosine_distances(masks) == pytest.approx(1 - masks @ ones / lengths / np.sqrt(6))


# ---------------------------------------------------------------- many explanations


def test_stability_is_one_for_repeats_and_less_for_noise():
    masks, outputs, weights = random_problem(0)
    same = [lime.fit_surrogate(masks, outputs, weights, 3)] * 4
    assert lime.vsi(same) == lime.csi(same) == 1
    noisy = [lime.fit_surrogate(*random_problem(seed), 3) for seed in range(6)]
    assert 0 < lime.vsi(noisy) < 1
    assert lime.csi(noisy) < 1
    with pytest.raises(ValueError, match="two or more"):
        lime.vsi(same[:1])


def test_explanations_that_all_name_nothing_agree():
    masks, outputs, weights = random_problem(0)
    nothing = [lime.fit_surrogate(masks, np.zeros_like(outputs), weights)] * 2
    assert lime.vsi(nothing) == lime.csi(nothing) == 1


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, np.nan, True, None])
def test_a_level_that_is_no_share_is_refused(level):
    explanation = lime.fit_surrogate(*random_problem(0), 3)
    with pytest.raises(ValueError, match="level must be"):
        lime.coefficient_intervals(explanation, level)


def test_cosine_distances_want_rows_of_switches():
    for wrong in ([[2, 1]], [[np.nan, 1]], [1, 0], None):
        with pytest.raises(ValueError, match="masks must"):
            lime.cosine_distances(wrong)


def test_stability_indices_by_hand():
    def explanation(*coefficients):
        masks = np.array([[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 0]])
        outputs = masks @ np.array(coefficients)
        return lime.Explanation(np.array(coefficients), 0.0, 1.0, masks, outputs, np.ones(5), 0.0)

    a, b, c = explanation(1.0, 2.0, 0.0), explanation(1.0, 0.0, 3.0), explanation(1.0, 2.5, 0.0)
    assert lime.vsi([a, b, c]) == pytest.approx((1 + 2 + 1) / 6)
    # perfect fits: intervals are points; variable 0 always agrees, variable 1 never, variable 2 is alone
    assert lime.csi([a, b, c]) == pytest.approx((1 + 0) / 2)


def test_confidence_intervals_cover_the_truth():
    random = random_state(0)
    truth = np.array([1.0, -2.0, 0.5])
    hits = []
    for _ in range(200):
        masks = lime.sample_masks(60, 3, random)
        outputs = masks @ truth + random.standard_normal(60)
        interval = lime.coefficient_intervals(lime.fit_surrogate(masks, outputs, np.ones(60), ridge=0.0))
        hits.append((interval[:, 0] <= truth) & (truth <= interval[:, 1]))
    assert np.mean(hits) == pytest.approx(0.95, abs=0.03)


def test_submodular_pick_equals_the_lime_package():
    random = random_state(0)
    coefficients = np.where(random.random((12, 30)) < 0.12, random.standard_normal((12, 30)), 0)

    class Row:
        mode = "regression"

        def __init__(self, row):
            self.row = row

        def as_list(self, label=1):
            return list(enumerate(self.row))

    class Explainer:
        def explain_instance(self, row, *_, **__):
            return Row(row)

    package = SubmodularPick(Explainer(), coefficients, None, method="full", num_exps_desired=6)
    assert lime.submodular_pick(coefficients, 6) == package.V
    coefficients[7] = 0.01
    assert lime.submodular_pick(coefficients, 1) == [7]  # one row uses every feature


def test_submodular_pick_prefers_new_features():
    coefficients = np.array([[5.0, 1, 0], [4, 1, 0], [0, 0, 1]])
    assert lime.submodular_pick(coefficients, 2) == [0, 2]
    assert len(lime.submodular_pick(coefficients, 10)) == 3


@pytest.mark.parametrize("ridge", [1.0, 0.1])
def test_unseen_r2_is_what_leaving_out_each_question_gives(ridge):
    random = random_state(3)
    masks = lime.sample_masks(40, 6, 0)
    outputs = masks @ random.normal(size=6) + random.normal(size=40)
    weights = lime.exponential_kernel(lime.cosine_distances(masks), 0.25)
    guesses = np.empty(40)
    for i in range(40):
        rest = np.arange(40) != i
        fitted = lime.fit_surrogate(masks[rest], outputs[rest], weights[rest], ridge=ridge)
        guesses[i] = fitted.intercept + masks[i] @ fitted.coefficients
    mean = np.average(outputs, weights=weights)
    expected = 1 - np.sum(weights * (outputs - guesses) ** 2) / np.sum(weights * (outputs - mean) ** 2)
    explanation = lime.fit_surrogate(masks, outputs, weights, ridge=ridge)
    assert lime.unseen_r2(explanation) == pytest.approx(expected)
    assert lime.unseen_r2(explanation) < explanation.r2


def test_unseen_r2_of_a_choice_of_columns_is_refused():
    masks = lime.sample_masks(40, 6, 0)
    fitted = lime.fit_surrogate(masks, masks[:, 0].astype(float), np.ones(40), 2)
    with pytest.raises(ValueError, match="all columns"):
        lime.unseen_r2(fitted)
