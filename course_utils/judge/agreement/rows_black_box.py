"""Occlusion and LIME beside captum and lime."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from course_utils.judge.agreement.row import Row
from course_utils.judge.agreement.subjects import asked
from course_utils.methods import lime, occlusion

_SEGMENTS = np.arange(12)[:, None] // 4 * 4 + np.arange(16) // 4
_TEXT = "a good plot but bad sound and good songs"


def _image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def _table() -> np.ndarray:
    rng = np.random.default_rng(0)
    rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return rng.normal(size=(80, 4)) * (1, 2, 3, 4)


def _look(batch: np.ndarray) -> np.ndarray:
    share = np.asarray(batch, float)[:, :4, :4].mean(axis=(1, 2, 3)) / 255
    return np.stack([share, 1 - share], axis=1)


def _read(texts: list[str]) -> np.ndarray:
    good = np.array([text.count("good") - text.count("bad") + 0.1 * len(text.split()) for text in texts])
    share = 1 / (1 + np.exp(-good))
    return np.stack([1 - share, share], axis=1)


def _answer(rows: np.ndarray) -> np.ndarray:
    return np.stack([rows[:, 0] - rows[:, 2], rows[:, 2] - rows[:, 0]], axis=1)


def _filled(pairs: list[tuple[int, float]], n: int) -> np.ndarray:
    values = np.zeros(n)
    for index, value in pairs:
        values[index] = value
    return values


def _our_occlusion() -> Tensor:
    return occlusion.occlusion(*asked(), 6, 4)


def _captum_occlusion() -> Tensor:
    from captum.attr import Occlusion

    model, inputs, targets = asked()
    return Occlusion(model).attribute(inputs, (3, 6, 6), (3, 4, 4), target=targets)[:, 0]


def _our_pictures() -> np.ndarray:
    state = np.random.RandomState(0)
    state.randint(0, 1000)  # lime draws a seed for its segmentation first
    return lime.lime_image(_look, _image(), 0, _SEGMENTS, 60, random_state=state).coefficients


def _lime_pictures() -> np.ndarray:
    from lime.lime_image import LimeImageExplainer

    found = LimeImageExplainer(random_state=0).explain_instance(
        _image(), _look, (0,), top_labels=None, num_samples=60, segmentation_fn=lambda _: _SEGMENTS
    )
    return _filled(found.local_exp[0], _SEGMENTS.max() + 1)


def _lime_texts() -> np.ndarray:
    from lime.lime_text import LimeTextExplainer

    found = LimeTextExplainer(random_state=0).explain_instance(
        _TEXT, _read, (1,), num_features=9, num_samples=80
    )
    values = dict(found.as_list(1))
    return np.array([values.get(name, 0.0) for name in lime.lime_text(_read, _TEXT, 1, 80, k=None).names])


def _tables(discretize: bool) -> Row:
    def ours() -> np.ndarray:
        table = _table()
        return lime.lime_tabular(_answer, table[0], table, 0, 200, k=4, discretize=discretize).coefficients

    def theirs() -> np.ndarray:
        from lime.lime_tabular import LimeTabularExplainer

        table = _table()
        explainer = LimeTabularExplainer(
            table, discretize_continuous=discretize, random_state=0, mode="classification"
        )
        found = explainer.explain_instance(table[0], _answer, (0,), num_features=4, num_samples=200)
        return _filled(found.local_exp[0], 4)

    note = "Euclidean, σ = 0.75 √d, " + ("quarters" if discretize else "standardised")
    return Row("LIME, tables", "lime", note, ours, theirs, of="LIME")


ROWS = (
    Row("occlusion", "captum", "overlapping windows are averaged", _our_occlusion, _captum_occlusion),
    Row(
        "LIME, pictures",
        "lime",
        "√exp(−D²/σ²), σ = 0.25, ridge 1; one number drawn first",
        _our_pictures,
        _lime_pictures,
        of="LIME",
    ),
    Row(
        "LIME, texts",
        "lime",
        "100 × cosine, σ = 25",
        lambda: lime.lime_text(_read, _TEXT, 1, 80, k=None).coefficients,
        _lime_texts,
        of="LIME",
    ),
    _tables(True),
    _tables(False),
)
