"""Lesson 13's set-ups: a table of one's own is read, fitted and refused as it should be."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from course_utils.lessons import l13_glass_boxes as lesson


@pytest.fixture
def csv(tmp_path):
    def write(targets) -> str:
        rng = np.random.default_rng(0)
        data = pd.DataFrame({"a": rng.normal(size=60), "word": list("xy") * 30, "b": rng.integers(0, 9, 60)})
        data["target"] = targets(data)
        data.loc[3, "a"] = np.nan  # a gap: the row is left out
        path = tmp_path / "own.csv"
        data.to_csv(path, index=False)
        return str(path)

    return write


@pytest.mark.parametrize(
    ("targets", "classes"),
    [
        (lambda data: np.where(data.a > 0, "yes", "no"), True),
        (lambda data: (data.a > 0).astype(int), True),
        (lambda data: (100 * data.a).astype(int), False),
        (lambda data: 2.5 * data.a, False),
    ],
)
def test_a_csv_file_is_read_and_fitted(csv, targets, classes):
    own = lesson.own_table(csv(targets), "tree")
    assert own.is_classifier is classes and own.names == ("a", "b") and own.table.shape == (59, 2)
    assert 0 < own.unseen.sum() < 59
    assert own.model.score(own.table[~own.unseen], own.targets[~own.unseen]) > 0.8


@pytest.mark.parametrize("table", ["breast_cancer", "diabetes", "iris", "wine"])
def test_tables_of_the_course(table):
    own = lesson.own_table(table, "linear")
    assert own.is_classifier is (table != "diabetes") and len(own.names) == own.table.shape[1]


def test_bad_input_is_named(csv, tmp_path):
    with pytest.raises(ValueError, match="no file"):
        lesson.own_table(tmp_path / "missing.csv")
    with pytest.raises(ValueError, match="no model 'oak'"):
        lesson.own_table("wine", "oak")
    with pytest.raises(ValueError, match="no table 'wines'"):
        lesson.own_table("wines")
    with pytest.raises(ValueError, match="at least 20 rows"):
        lesson.own_table(csv(lambda data: np.zeros(60)))


def test_tumours_are_split_by_the_seed():
    first, other = lesson.tumours(), lesson.tumours(1)
    assert not set(first.train) & set(first.test) and len(first.train) + len(first.test) == 569
    assert list(first.test) != list(other.test)
    np.testing.assert_allclose(first.three[first.train].mean(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("model", ["linear", "tree", "forest", "network"])
def test_each_model_answers_numbers(csv, model):
    own = lesson.own_table(csv(lambda data: 2.5 * data.a), model)
    assert own.model.predict(own.table[own.unseen]).shape == (own.unseen.sum(),)


def test_the_diabetes_table_has_names_in_words():
    own = lesson.own_table("diabetes", "linear")
    assert own.names == lesson.PATIENT_COLUMNS and own.table[:, 0].max() > 60  # years, not standardised


def test_logistic_regression_is_scikit_learns():
    t = lesson.tumours()
    rows, labels = np.column_stack([np.ones(398), t.three[t.train]]), t.malignant[t.train]
    counts = np.stack([np.ones(398, int), np.arange(398) % 3])
    for b, count in zip(lesson.fit_logistic(rows, labels, counts)[0], counts, strict=True):
        theirs = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)
        theirs.fit(rows[:, 1:], labels, sample_weight=count)
        np.testing.assert_allclose(b, np.append(theirs.intercept_, theirs.coef_), rtol=1e-4)


def test_the_boxes_of_a_tree_are_in_words():
    t = lesson.tumours()
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(t.table, t.malignant)
    texts = [text.get_text().strip() for text in lesson.draw_tree(tree, t.names).axes[0].texts]
    plt.close("all")
    assert {"yes", "no"} <= set(texts) and not any("[" in text or "True" in text for text in texts)
    assert "357 benign,\n212 malignant" in texts[0] and "≤" in texts[0]
