"""LIME: explain one prediction of any model by a weighted linear model fitted around it.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" Explaining the Predictions of Any Classifier, KDD 2016,
https://arxiv.org/abs/1602.04938. The steps of the paper's Algorithm 1 are functions of their own: switch
parts of the input off (`sample_masks`, `hide_segments`, `hide_words`, `tabular_neighbourhood`), ask the
model, weigh the answers by closeness (`exponential_kernel`), fit (`fit_surrogate`, `k_lasso`).
`lime_image`, `lime_text` and `lime_tabular` put them together.

The model is a black box: `predict` takes raw inputs (pictures, strings, table rows) and returns
`(N, classes)`. Random numbers are drawn in the order of the `lime` package, so the same seed gives the same
coefficients.
"""

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from unicodedata import category
from unicodedata import name as character_name

import numpy as np
from tqdm.auto import tqdm

from course_utils.methods.arguments import (
    check_count,
    check_finite,
    check_flag,
    check_number,
    check_positive,
    finite_floats,
    to_floats,
)

Predict = Callable[..., np.ndarray]
Seed = int | np.random.RandomState | None
JOINERS = "\u200c\u200d"  # stand inside words and between the parts of an emoji
SELECTIONS = ("auto", "forward", "highest_weights", "lasso_path")


@dataclass(frozen=True, eq=False)
class Explanation:
    """A surrogate: outputs ≈ intercept + masks @ coefficients, best where `weights` are large.

    Attributes:
        coefficients: (d,), zero for what was not selected. In the unit of the model's output.
        intercept: The surrogate's value where all of `masks` is zero.
        r2: Weighted R² of the fit, the local fidelity; at most 1.
        masks: (n, d) what the surrogate sees: 0 = hidden, 1 = as in the input (uint8); for continuous table
            columns the standardised value (float). The first row is the input itself.
        outputs: (n,) the model's outputs.
        weights: (n,) closeness of each sample to the input.
        ridge: The penalty that the fit used.
        names: What each coefficient belongs to (words, columns); empty for pictures.
    """

    coefficients: np.ndarray
    intercept: float
    r2: float
    masks: np.ndarray
    outputs: np.ndarray
    weights: np.ndarray
    ridge: float = 1.0
    names: tuple[str, ...] = ()

    @property
    def prediction(self) -> float:
        """What the surrogate predicts for the input itself, to be held against `outputs[0]`."""
        return float(self.masks[0] @ self.coefficients + self.intercept)

    def top(self, k: int = 10) -> list[tuple[str | int, float]]:
        """The `k` largest coefficients by absolute value, as (name or index, coefficient)."""
        order = np.argsort(-np.abs(self.coefficients), kind="stable")[:k]
        names = self.names or range(len(self.coefficients))
        return [(names[i], float(self.coefficients[i])) for i in order if self.coefficients[i] != 0]


# ---------------------------------------------------------------- pictures


def lime_image(
    predict: Predict,
    image: np.ndarray,
    target: int,
    segments: np.ndarray,
    n_samples: int = 1000,
    *,
    k: int | None = None,
    selection: str = "auto",
    hidden: np.ndarray | Sequence[float] | float | None = None,
    kernel_width: float = 0.25,
    ridge: float = 1.0,
    masks: np.ndarray | None = None,
    batch_size: int = 32,
    random_state: Seed = 0,
    progress: bool = False,
) -> Explanation:
    """Explain `predict(image)[target]` by the segments (superpixels) of one picture.

    Args:
        predict: (B, H, W, C) pictures of `image`'s dtype to (B, classes). The next batch reuses the memory.
        image: (H, W, C).
        target: Index of the class to explain.
        segments: (H, W) integer labels. Any labels will do: coefficient j belongs to the j-th smallest.
        n_samples: Number of masks, the unchanged picture included.
        k: Keep only `k` segments; None keeps all.
        selection: How the `k` are chosen, see `fit_surrogate`.
        hidden: What a hidden segment shows, see `hidden_image`.
        kernel_width: σ of exp(−D²/2σ²), where D is the cosine distance of a mask to the all-ones mask.
        masks: (n, d) of 0 and 1 to use instead of random ones; the first row should be all ones.
        random_state: Seed of the masks. The `lime` package draws one number before the masks (a seed for
            its segmentation), so to follow it pass a `RandomState` after `.randint(0, 1000)`.
        progress: Show a progress bar.

    Returns:
        An `Explanation`; `paint(explanation.coefficients, segments)` is its heat map.

    Raises:
        ValueError: Shapes that do not fit, a class that the model has not, one column of outputs with a
            `target`, `hidden` outside the picture's range, outputs that are not finite, fewer than 2 samples.
        TypeError: No picture of numbers, or a `target` that is no whole number.
    """
    image, labels, n_segments = _picture(image, segments)
    if masks is None:
        masks = sample_masks(n_samples, n_segments, random_state)
    masks = checked_masks(masks, n_segments)
    _positive(batch_size=batch_size)
    batches = _masked_images(image, labels, masks, hidden_image(image, labels, hidden), batch_size)
    outputs = _collect(predict, batches, target, len(masks), progress)
    weights = exponential_kernel(_cosine_distances(masks), kernel_width)
    return fit_surrogate(masks, outputs, weights, k, selection=selection, ridge=ridge)


def sample_masks(n_samples: int, n_features: int, random_state: Seed = 0) -> np.ndarray:
    """(n_samples, n_features) uint8 fair coins; the first row is all ones (the input itself)."""
    _positive(n_samples=n_samples, n_features=n_features)
    draws = _generator(random_state).randint(0, 2, n_samples * n_features)
    masks = draws.reshape(n_samples, n_features).astype(np.uint8)
    masks[0] = 1
    return masks


def hidden_image(
    image: np.ndarray, segments: np.ndarray, hidden: np.ndarray | Sequence[float] | float | None = None
) -> np.ndarray:
    """The picture with every segment hidden, (H, W, C) in `image`'s dtype.

    `hidden` is None (each segment in its mean colour), a grey value, a colour (C,), or a picture (H, W, C),
    for example a blurred one.
    """
    image, labels, n_segments = _picture(image, segments)
    if hidden is not None:
        values = _hidden_values(hidden, image.dtype)
        try:
            return np.broadcast_to(values, image.shape).astype(image.dtype)
        except ValueError:
            raise ValueError(
                f"hidden has the shape {np.shape(hidden)}: give a number, a colour or a picture"
            ) from None
    sizes = np.bincount(labels.ravel(), minlength=n_segments)
    means = [
        np.bincount(labels.ravel(), image[..., c].ravel(), n_segments) / sizes for c in range(image.shape[2])
    ]
    return np.stack(means, axis=1)[labels].astype(image.dtype)


def _hidden_values(hidden: np.ndarray | Sequence[float] | float, dtype: np.dtype) -> np.ndarray:
    """The values as an array, if pictures of this dtype can show them."""
    values = np.asarray(hidden)
    if values.dtype.kind not in "uif" or not np.isfinite(values).all():
        raise ValueError(
            f"hidden must be finite numbers, not {hidden!r}: a grey value, a colour or a picture"
        )
    if dtype.kind in "ui" and values.size:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        share = values.max() <= 1 and (values % 1 != 0).any()  # meant for pictures in 0 … 1
        if values.min() < low or values.max() > high or share:
            raise ValueError(
                f"hidden is {values.min():g} … {values.max():g}, but the picture is {dtype}: give values of "
                f"its own scale, {low} … {high}"
            )
    return values


def hide_segments(
    image: np.ndarray,
    segments: np.ndarray,
    masks: np.ndarray,
    hidden: np.ndarray | Sequence[float] | float | None = None,
) -> np.ndarray:
    """Pictures in which the segments whose mask is 0 are hidden: (n, d) masks to (n, H, W, C)."""
    image, labels, n_segments = _picture(image, segments)
    masks = checked_masks(masks, n_segments)
    return next(_masked_images(image, labels, masks, hidden_image(image, labels, hidden), len(masks)))


def masked_images(
    image: np.ndarray,
    segments: np.ndarray,
    masks: np.ndarray,
    hidden: np.ndarray | Sequence[float] | float | None = None,
    *,
    batch_size: int = 32,
) -> Iterator[np.ndarray]:
    """Like `hide_segments`, but in batches, all written into the same memory."""
    image, labels, n_segments = _picture(image, segments)
    masks = checked_masks(masks, n_segments)
    _positive(batch_size=batch_size)
    return _masked_images(image, labels, masks, hidden_image(image, labels, hidden), batch_size)


def _masked_images(
    image: np.ndarray, labels: np.ndarray, masks: np.ndarray, hidden: np.ndarray, batch_size: int
) -> Iterator[np.ndarray]:
    """Batches of pictures: `image` where the mask of a label is 1, `hidden` where it is 0."""
    shown_values, hidden_values = image.ravel(), hidden.ravel()
    owners = np.repeat(labels.ravel(), image.shape[2])  # the segment of each colour value
    batch = np.empty((min(batch_size, len(masks)), image.size), image.dtype)
    shown = np.empty(batch.shape, bool)
    for first in range(0, len(masks), batch_size):
        rows = masks[first : first + batch_size].astype(bool)
        n = len(rows)
        np.take(rows, owners, axis=1, out=shown[:n], mode="clip")
        batch[:n] = hidden_values
        np.copyto(batch[:n], shown_values, where=shown[:n])
        yield batch[:n].reshape(n, *image.shape)


def paint(coefficients: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Give every pixel the value of its segment: (d,) and (H, W) to (H, W)."""
    labels, n_segments = _labels(segments)
    values = np.asarray(coefficients)
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise ValueError(f"coefficients must be numbers (d,), not {values.dtype} of shape {values.shape}")
    if len(values) != n_segments:
        raise ValueError(f"{len(values)} values for {n_segments} segments: they must belong together")
    return values[labels]


# ---------------------------------------------------------------- text


def lime_text(
    predict: Predict,
    text: str,
    target: int,
    n_samples: int = 1000,
    *,
    k: int | None = 10,
    selection: str = "auto",
    bag_of_words: bool = True,
    hidden: str | None = None,
    kernel_width: float = 25.0,
    ridge: float = 1.0,
    masks: np.ndarray | None = None,
    batch_size: int = 64,
    random_state: Seed = 0,
    progress: bool = False,
) -> Explanation:
    """Explain `predict([text])[0, target]` by the words of one text.

    The number of hidden words is drawn first, uniformly from 1 to all, then which: short remains are as
    frequent as nearly whole texts. The kernel sees 100 × the cosine distance, as in the `lime` package.

    Args:
        predict: A list of strings to (B, classes).
        bag_of_words: One coefficient a distinct word, hidden everywhere at once; else one a position.
        hidden: What stands for a hidden word. None as in the `lime` package: nothing for a bag of words,
            "UNKWORDZ" for positions. A BERT model has its own: "[MASK]".
        masks: (n, words) of 0 and 1 to use instead of random ones.

    Other arguments as in `lime_image`. The words are `names` of the `Explanation`.
    """
    if hidden is None:
        hidden = "" if bag_of_words else "UNKWORDZ"
    words, _, _ = split_words(text, bag_of_words)
    if not words:
        raise ValueError("the text holds no word: nothing to explain")
    masks = sample_word_masks(n_samples, len(words), random_state) if masks is None else masks
    masks = checked_masks(masks, len(words))
    _positive(batch_size=batch_size)
    texts = hide_words(text, masks, bag_of_words=bag_of_words, hidden=hidden)
    batches = (texts[i : i + batch_size] for i in range(0, len(texts), batch_size))
    try:
        outputs = _collect(predict, batches, target, len(masks), progress)
    except ValueError as error:
        if "tokens" in str(error) and hidden:
            raise ValueError(
                f"{error}. Each hidden word became {hidden!r}, which the model may cut into several tokens: "
                'try hidden="[MASK]" or hidden=""'
            ) from error
        raise
    weights = exponential_kernel(100 * _cosine_distances(masks), kernel_width)
    return fit_surrogate(masks, outputs, weights, k, selection=selection, ridge=ridge, names=words)


def sample_word_masks(n_samples: int, n_words: int, random_state: Seed = 0) -> np.ndarray:
    """(n_samples, n_words) uint8: a uniform number of zeros in each row, the first row all ones."""
    _positive(n_samples=n_samples, n_words=n_words)
    random = _generator(random_state)
    masks = np.ones((n_samples, n_words), np.uint8)
    for row, size in zip(masks[1:], random.randint(1, n_words + 1, n_samples - 1), strict=True):
        row[random.choice(n_words, size, replace=False)] = 0
    return masks


def split_words(text: str, bag_of_words: bool = True) -> tuple[tuple[str, ...], list[str], np.ndarray]:
    """Cut a text into words and what is between them.

    A word is letters and digits in a row; each Chinese character and each emoji is one too.

    Returns:
        The words; all pieces (joined they are the text); for each piece the index of its word, or −1.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be one string, not a {type(text).__name__}")
    check_flag(bag_of_words, "bag_of_words")
    pieces, words, owners = [], [], []
    for number, piece in enumerate(re.split(_word_pattern(text), text)):
        if not piece:
            continue
        pieces.append(piece)
        if number % 2 == 0:  # what lies between two words
            owners.append(-1)
        elif not bag_of_words or piece not in words:
            words.append(piece)
            owners.append(len(words) - 1)
        else:
            owners.append(words.index(piece))
    return tuple(words), pieces, np.array(owners, int)


def _word_pattern(text: str) -> str:
    """A regular expression for the words of this text, in brackets.

    Letters, digits and underscores in a row, as in the `lime` package. But marks (accents, Indic vowel signs)
    belong to their letter, and each Chinese character and each picture sign (emoji) is a word, as in BERT.
    """
    found = set(text)
    marks = [c for c in found if category(c)[0] == "M" or c in JOINERS or "\U0001f3fb" <= c <= "\U0001f3ff"]
    alone = [c for c in found if c not in marks and (category(c) == "So" or _is_ideograph(c))]
    mark = f"[{re.escape(''.join(sorted(marks)))}]" if marks else "(?!)"
    single = f"[{re.escape(''.join(sorted(alone)))}]" if alone else "(?!)"
    return rf"({single}(?:{mark}|(?<=\u200d){single})*|(?!{single})\w(?:(?!{single})\w|{mark})*)"


def _is_ideograph(character: str) -> bool:
    return character_name(character, "").startswith("CJK ")


def hide_words(text: str, masks: np.ndarray, *, bag_of_words: bool = True, hidden: str = "") -> list[str]:
    """The texts that remain when the words whose mask is 0 are replaced by `hidden`."""
    words, pieces, owners = split_words(text, bag_of_words)
    masks = checked_masks(masks, len(words))
    if not isinstance(hidden, str):
        raise TypeError(f"hidden must be a string that stands for a word, not {hidden!r}")
    # the separators' −1 finds the column of ones at the end
    shown = np.column_stack([masks, np.ones(len(masks), masks.dtype)])[:, owners]
    return ["".join(p if on else hidden for p, on in zip(pieces, row, strict=True)) for row in shown.tolist()]


# ---------------------------------------------------------------- tables


def lime_tabular(
    predict: Predict,
    row: np.ndarray,
    training_table: np.ndarray,
    target: int | None,
    n_samples: int = 5000,
    *,
    k: int | None = 10,
    selection: str = "auto",
    discretize: bool = True,
    categorical: Sequence[int | str] | np.ndarray = (),
    around_row: bool = False,
    names: Sequence[str] | None = None,
    kernel_width: float | None = None,
    ridge: float = 1.0,
    batch_size: int = 8192,
    random_state: Seed = 0,
    progress: bool = False,
) -> Explanation:
    """Explain the prediction for one row of a table by its columns.

    Args:
        predict: (B, d) rows to (B, classes), or to (B,) for regression.
        row: (d,) numbers.
        training_table: (N, d), tells how the columns are distributed.
        target: Index of the class; None for regression.
        discretize: Describe each column by the quarter of the table that its value falls into; a coefficient
            then says what being in the row's own quarter adds. Else coefficients are per standard deviation.
        categorical: Columns that hold categories (numbers): their indices, their `names`, or a mask (d,) of
            booleans; described by "same as in the row".
        around_row: Only for `discretize=False`: sample around the row, not around the table's mean.
        names: Column names; they become "floor ≤ 2.00" and the like where columns are discretised.
        kernel_width: σ of exp(−D²/2σ²), where D is Euclidean; None is 0.75 √d.

    Other arguments as in `lime_image`; the seed alone is enough to repeat the `lime` package.
    """
    masks, rows, names = tabular_neighbourhood(
        row,
        training_table,
        n_samples,
        discretize=discretize,
        categorical=categorical,
        around_row=around_row,
        names=names,
        random_state=random_state,
    )
    _positive(batch_size=batch_size)
    batches = (rows[i : i + batch_size] for i in range(0, len(rows), batch_size))
    outputs = _collect(predict, batches, target, len(rows), progress)
    width = 0.75 * np.sqrt(rows.shape[1]) if kernel_width is None else kernel_width
    weights = exponential_kernel(np.linalg.norm(masks - masks[:1].astype(float), axis=1), width)
    return fit_surrogate(masks, outputs, weights, k, selection=selection, ridge=ridge, names=names)


def tabular_neighbourhood(
    row: np.ndarray,
    training_table: np.ndarray,
    n_samples: int = 5000,
    *,
    discretize: bool = True,
    categorical: Sequence[int | str] | np.ndarray = (),
    around_row: bool = False,
    names: Sequence[str] | None = None,
    random_state: Seed = 0,
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Sample rows around `row`: what the surrogate sees (n, d), the rows (n, d), names (d,)."""
    row, table = _table_row(row, training_table)
    around_row, discretize = check_flag(around_row, "around_row"), check_flag(discretize, "discretize")
    if around_row and discretize:
        raise ValueError("around_row needs discretize=False: quarters are drawn from the whole table")
    random = _generator(random_state)
    n_columns = len(row)
    _positive(n_samples=n_samples)
    names = [f"column {j}" for j in range(n_columns)] if names is None else list(names)
    if len(names) != n_columns:
        raise ValueError(f"{len(names)} names for {n_columns} columns")
    categories = _chosen_columns(categorical, names)
    numeric = [j for j in range(n_columns) if j not in categories]

    if discretize:
        rows = np.empty((n_samples, n_columns))
        codes, own = table.copy(), row.copy()
        quarters = {j: np.unique(np.percentile(table[:, j], [25, 50, 75])) for j in numeric}
        for j, cuts in quarters.items():
            codes[:, j], own[j] = np.searchsorted(cuts, table[:, j]), np.searchsorted(cuts, row[j])
            names[j] = _quarter_name(names[j], cuts, int(own[j]))
        masks = np.empty((n_samples, n_columns), np.uint8)
        columns = range(n_columns)
    else:
        spread = table.std(axis=0)
        spread[spread == 0] = 1
        centre = row if around_row else table.mean(axis=0)
        rows = random.normal(0, 1, (n_samples, n_columns)) * spread + centre
        rows[0] = row
        codes, own = table, row
        masks = (rows - table.mean(axis=0)) / spread
        columns = [j for j in range(n_columns) if j not in numeric]

    for j in columns:
        values, counts = np.unique(codes[:, j], return_counts=True)
        rows[:, j] = random.choice(values, size=n_samples, p=counts / counts.sum())
        masks[:, j] = rows[:, j] == own[j]
    for j in numeric if discretize else ():
        rows[1:, j] = _values_in_quarters(rows[1:, j].astype(int), quarters[j], table[:, j], random)
    rows[0], masks[0, columns] = row, 1
    return masks, rows, tuple(names)


def _chosen_columns(categorical: Sequence[int | str] | np.ndarray, names: Sequence[str]) -> set[int]:
    """Indices of the columns that are given by index, name or mask."""
    chosen = [categorical] if isinstance(categorical, str) else list(categorical)
    if chosen and all(isinstance(column, bool | np.bool_) for column in chosen):
        if len(chosen) != len(names):
            raise ValueError(f"categorical is a mask of {len(chosen)} for {len(names)} columns: one each")
        return set(np.flatnonzero(chosen).tolist())
    found = set()
    for column in chosen:
        if isinstance(column, str) and column in names:
            found.add(list(names).index(column))
        elif isinstance(column, int | np.integer) and -len(names) <= column < len(names):
            found.add(int(column) % len(names))
        else:
            raise ValueError(
                f"categorical: there is no column {column!r}; give indices up to {len(names) - 1}, a mask, "
                f"or names: {', '.join(map(str, names))}"
            )
    return found


def _values_in_quarters(
    drawn: np.ndarray, cuts: np.ndarray, column: np.ndarray, random: np.random.RandomState
) -> np.ndarray:
    """A value for each drawn quarter, from a normal with the quarter's mean and spread cut at its borders."""
    from scipy.stats import truncnorm  # slow to import, and only tables need it

    quarter = np.searchsorted(cuts, column)
    members = [column[quarter == q] for q in range(len(cuts) + 1)]
    mean = np.array([m.mean() if len(m) else 0 for m in members])[drawn]
    spread = np.array([m.std() if len(m) else 0 for m in members])[drawn] + 1e-11
    low = np.concatenate([[column.min()], cuts])[drawn]
    high = np.concatenate([cuts, [column.max()]])[drawn]
    values = low.copy()  # a quarter of one single value has nothing to draw
    wide = (low - mean) / spread != (high - mean) / spread
    low, high, mean, spread = low[wide], high[wide], mean[wide], spread[wide]
    values[wide] = truncnorm.rvs(
        (low - mean) / spread, (high - mean) / spread, loc=mean, scale=spread, random_state=random
    )
    return values


def _quarter_name(name: str, cuts: np.ndarray, quarter: int) -> str:
    if quarter == 0:
        return f"{name} ≤ {cuts[0]:.2f}"
    if quarter == len(cuts):
        return f"{name} > {cuts[-1]:.2f}"
    return f"{cuts[quarter - 1]:.2f} < {name} ≤ {cuts[quarter]:.2f}"


# ---------------------------------------------------------------- closeness and fit


def cosine_distances(masks: np.ndarray) -> np.ndarray:
    """1 − cosine between each 0/1 row and the row of ones, in [0, 1]: 1 − √(share of ones)."""
    masks = np.asarray(masks)
    return _cosine_distances(checked_masks(masks, masks.shape[-1] if masks.ndim else 0))


def _cosine_distances(masks: np.ndarray) -> np.ndarray:
    return 1 - np.sqrt(np.mean(masks, axis=1))


def exponential_kernel(distances: np.ndarray, width: float) -> np.ndarray:
    """exp(−D²/2σ²), in (0, 1].

    This is the kernel of the `lime` package, which writes √exp(−D²/σ²), and of captum. The paper (section
    3.3) has exp(−D²/σ²): the same kernel, its σ is √2 times this one.
    """
    width = check_positive(width, "the kernel width", "only the input itself would count")
    distances = to_floats(distances, "distances")
    if np.isnan(distances).any():
        raise ValueError("distances must not hold NaN")
    return np.exp(-(distances**2) / (2 * width**2))


def fit_surrogate(
    masks: np.ndarray,
    outputs: np.ndarray,
    weights: np.ndarray,
    k: int | None = None,
    *,
    selection: str = "auto",
    ridge: float = 1.0,
    names: Sequence[str] = (),
) -> Explanation:
    """Fit the weighted linear model with at most `k` coefficients (equation 1 of the paper).

    Args:
        masks: (n, d), first row the input itself.
        outputs: (n,) the model's outputs.
        weights: (n,) non-negative.
        k: Number of coefficients to keep; None keeps all.
        selection: "forward" adds what raises R² most, one after the other. "highest_weights" takes the
            largest coefficient × input of a fit with all. "lasso_path" follows the lasso path, K-LASSO's way.
            "auto", the default of the `lime` package, is "forward" for k ≤ 6, else "highest_weights".
        ridge: Squared penalty on the coefficients; the paper has none, the `lime` package has 1.
    """
    parts = {"masks": masks, "outputs": outputs, "weights": weights}
    x, y, w = (finite_floats(part, name) for name, part in parts.items())
    if x.ndim != 2 or y.shape != (len(x),) or w.shape != (len(x),):
        raise ValueError(f"masks {x.shape}, outputs {y.shape}, weights {w.shape} must be (n, d), (n,), (n,)")
    if (w < 0).any() or w.sum() == 0:
        raise ValueError("weights must not be negative, and not all zero: widen the kernel?")
    if len(names) not in (0, x.shape[1]):
        raise ValueError(f"{len(names)} names for {x.shape[1]} columns")
    check_number(ridge, "ridge")
    if len(x) < 2:
        raise ValueError("one sample says nothing about the columns: n_samples must be 2 or more")
    if selection not in SELECTIONS:
        raise ValueError(f"selection must be one of {', '.join(SELECTIONS)}, not {selection!r}")
    k = x.shape[1] if k is None else min(check_count(k, "k"), x.shape[1])
    if selection == "auto":
        selection = "forward" if k <= 6 else "highest_weights"

    # the intercept is the weighted mean, so the fit itself is one on centred data
    x_mean, y_mean = np.average(x, axis=0, weights=w), np.average(y, weights=w)
    root = np.sqrt(w)[:, None]
    xs, ys = (x - x_mean) * root, (y - y_mean) * root[:, 0]
    if np.sum(ys**2) <= 1e-24 * np.sum(w * y**2):  # the outputs are all alike up to rounding
        ys = np.zeros_like(ys)
    if k == x.shape[1] and selection != "lasso_path":
        chosen = np.arange(k)
    elif selection == "forward":
        chosen = _forward_selection(xs, ys, k)
    elif selection == "highest_weights":
        chosen = np.argsort(-np.abs(_solve(xs, ys, 0.01) * x[0]), kind="stable")[:k]
    else:
        chosen = _lasso_selection(xs, ys, k)

    coefficients = np.zeros(x.shape[1])
    coefficients[chosen] = _solve(xs[:, chosen], ys, ridge)
    left, total = np.sum((ys - xs @ coefficients) ** 2), np.sum(ys**2)
    r2 = 1 - left / total if total > 0 else 1.0
    intercept = y_mean - x_mean @ coefficients
    return Explanation(
        coefficients, float(intercept), float(r2), np.asarray(masks), y, w, ridge, tuple(names)
    )


def k_lasso(masks: np.ndarray, outputs: np.ndarray, weights: np.ndarray, k: int) -> Explanation:
    """K-LASSO of the paper's Algorithm 1: choose at most `k` columns on the lasso path, then least squares.

    Shapes as in `fit_surrogate`. The whole path is computed (LARS), so that no column count is skipped.
    """
    return fit_surrogate(masks, outputs, weights, k, selection="lasso_path", ridge=0.0)


def unseen_r2(explanation: Explanation) -> float:
    """R² on questions that the surrogate has not seen: each is predicted by a fit on all the others.

    At most 1; below 0 it is worse than the mean of the outputs. Leave one out, in closed form: the residual
    of a left-out row is that of the full fit divided by 1 − h, where h is the row's leverage. Only for fits
    with all columns: a left-out row would still have had its part in the choice of `k` columns.
    """
    masks, w = explanation.masks.astype(float), explanation.weights
    total = np.sum(w * (explanation.outputs - np.average(explanation.outputs, weights=w)) ** 2)
    if total <= 1e-24 * np.sum(w * explanation.outputs**2):
        return 1.0  # the same output for every question
    if not explanation.coefficients.all():
        raise ValueError("unseen_r2 needs a fit with all columns: leave `k` out")
    x = masks - np.average(masks, axis=0, weights=w)
    inverse = np.linalg.pinv((x.T * w) @ x + explanation.ridge * np.eye(x.shape[1]))
    leverage = w * (1 / w.sum() + np.einsum("ij,jk,ik->i", x, inverse, x))
    fitted = masks @ explanation.coefficients + explanation.intercept
    left = (explanation.outputs - fitted) / np.maximum(1 - leverage, 1e-12)
    return float(1 - np.sum(w * left**2) / total)


def _solve(xs: np.ndarray, ys: np.ndarray, ridge: float) -> np.ndarray:
    """argmin ‖ys − xs b‖² + ridge ‖b‖²; of several solutions the shortest."""
    if ridge == 0:
        return np.linalg.lstsq(xs, ys, rcond=None)[0]
    return np.linalg.solve(xs.T @ xs + ridge * np.eye(xs.shape[1]), xs.T @ ys)


def _forward_selection(xs: np.ndarray, ys: np.ndarray, k: int) -> np.ndarray:
    """Add the column that raises R² most, k times; each step projects the chosen column out of the others."""
    xs, ys = xs.copy(), ys.copy()
    sizes = (xs**2).sum(axis=0)
    chosen: list[int] = []
    for _ in range(k):
        left = (xs**2).sum(axis=0)
        gains = np.divide((ys @ xs) ** 2, left, out=np.zeros(len(left)), where=left > 1e-12 * sizes)
        gains[chosen] = -1
        best = int(np.argmax(gains))
        chosen.append(best)
        if left[best] > 1e-12 * sizes[best]:
            direction = xs[:, best] / np.sqrt(left[best])
            ys -= direction * (direction @ ys)
            xs -= np.outer(direction, direction @ xs)
    return np.array(chosen)


def _lasso_selection(xs: np.ndarray, ys: np.ndarray, k: int) -> np.ndarray:
    """The columns at the least penalised corner of the lasso path that has at most k of them."""
    from sklearn.linear_model import lars_path  # slow to import, and only this selection needs it

    _, _, path = lars_path(xs, ys, method="lasso")
    counts = (path != 0).sum(axis=0)
    return np.flatnonzero(path[:, np.flatnonzero(counts <= k)[-1]])


# ---------------------------------------------------------------- many explanations


def vsi(explanations: Sequence[Explanation]) -> float:
    """Variables stability index: do repeated explanations choose the same variables? In [0, 1].

    The share of variables that two explanations have in common, averaged over all pairs (Visani et al. 2022,
    Statistical stability indices for LIME, https://arxiv.org/abs/2001.11757; there in per cent).
    """
    chosen = [explanation.coefficients != 0 for explanation in _several(explanations)]
    size = max(c.sum() for c in chosen)
    return float(np.mean([(a & b).sum() / size if size else 1.0 for a, b in combinations(chosen, 2)]))


def csi(explanations: Sequence[Explanation], level: float = 0.95) -> float:
    """Coefficients stability index: do the confidence intervals of repeated explanations overlap? In [0, 1].

    For each variable the share of overlapping pairs among the explanations that chose it, averaged over the
    variables (Visani et al. 2022; there in per cent). Where no explanation chose anything, all agree: 1.
    """
    intervals = np.stack([coefficient_intervals(e, level) for e in _several(explanations)])
    chosen = np.stack([e.coefficients != 0 for e in explanations])
    shares = []
    for j in np.flatnonzero(chosen.sum(axis=0) > 1):
        pairs = combinations(intervals[chosen[:, j], j], 2)
        shares.append(np.mean([a[0] <= b[1] and b[0] <= a[1] for a, b in pairs]))
    return float(np.mean(shares)) if shares else float(not chosen.any())


def coefficient_intervals(explanation: Explanation, level: float = 0.95) -> np.ndarray:
    """Confidence intervals (d, 2) of the weighted ridge coefficients; zero width where nothing was chosen.

    Var b = s² (X'WX + rI)⁻¹ X'WX (X'WX + rI)⁻¹ on centred X, s² from the weighted residuals of the fit.
    """
    check_positive(level, "level", "an interval holds the truth in this share of cases", below=1.0)
    chosen = np.flatnonzero(explanation.coefficients)
    x, w = explanation.masks[:, chosen].astype(float), explanation.weights
    xs = (x - np.average(x, axis=0, weights=w)) * np.sqrt(w)[:, None]
    fitted = explanation.masks @ explanation.coefficients + explanation.intercept
    free = max(len(w) - len(chosen) - 1, 1)
    noise = np.sum(w * (explanation.outputs - fitted) ** 2) / free
    inverse = np.linalg.pinv(xs.T @ xs + explanation.ridge * np.eye(len(chosen)))
    half = NormalDist().inv_cdf((1 + level) / 2) * np.sqrt(noise * np.diag(inverse @ xs.T @ xs @ inverse))
    intervals = np.zeros((len(explanation.coefficients), 2))
    intervals[chosen] = explanation.coefficients[chosen, None] + np.stack([-half, half], axis=1)
    return intervals


def submodular_pick(coefficients: np.ndarray, budget: int) -> list[int]:
    """SP-LIME (Algorithm 2 of the paper): choose a few explanations that cover the important features.

    Args:
        coefficients: (n, d) one row an explanation, columns shared by all.
        budget: How many to pick.

    Returns:
        Row numbers in the order picked. Feature j counts √Σ|W_ij| once a picked row uses it (equations 3, 4).
    """
    used = np.abs(finite_floats(coefficients, "coefficients"))
    if used.ndim != 2 or used.size == 0:
        raise ValueError(f"coefficients must have the shape (n, d), not {used.shape}")
    _positive(budget=budget)
    importance = np.sqrt(used.sum(axis=0))
    covered = np.zeros(used.shape[1], bool)
    picked: list[int] = []
    for _ in range(min(budget, len(used))):
        gains = ((used > 0) & ~covered) @ importance
        gains[picked] = -1
        picked.append(int(np.argmax(gains)))
        covered |= used[picked[-1]] > 0
    return picked


# ---------------------------------------------------------------- checks


def _collect(
    predict: Predict, batches: Iterator, target: int | None, total: int, progress: bool
) -> np.ndarray:
    """Outputs for `target` of all batches, (total,) float64."""
    check_flag(progress, "progress")
    outputs = []
    with tqdm(total=total, unit="sample", disable=not progress) as bar:
        for batch in batches:
            outputs.append(target_outputs(predict, batch, target))
            bar.update(len(batch))
    return np.concatenate(outputs)


def target_outputs(predict: Predict, batch: Sequence, target: int | None) -> np.ndarray:
    """Column `target` of `predict(batch)` as (B,) float64; with `target=None` a (B,) output itself."""
    outputs = predict(batch)
    if hasattr(outputs, "detach"):  # a tensor
        outputs = outputs.detach().cpu().double()
    outputs = np.asarray(outputs)
    if outputs.dtype.kind not in "fiub":
        raise TypeError(f"predict must return numbers (N, classes), not {outputs.dtype}")
    if target is None:
        if outputs.ndim == 2 and outputs.shape[1] == 1:
            outputs = outputs[:, 0]
        if outputs.shape != (len(batch),):
            raise ValueError(
                f"predict returned {outputs.shape} for {len(batch)} inputs: which class is the target?"
            )
        return outputs.astype(float)
    if outputs.ndim != 2 or len(outputs) != len(batch):
        raise ValueError(f"predict returned {outputs.shape}, expected ({len(batch)}, classes)")
    if outputs.shape[1] == 1:
        raise ValueError(
            f"predict returned one column, so there is no class {target}: return the probabilities of both "
            "classes, np.column_stack([1 - p, p]) with p = 1 / (1 + np.exp(-logit)), or explain the number "
            "itself with target=None"
        )
    return outputs[:, check_class(target, outputs.shape[1])].astype(float)


def check_class(target: int, n_classes: int, what: str = "classes") -> int:
    """Return the index of a class, or raise if it is none of the model's."""
    try:
        index = None if isinstance(target, bool) else operator.index(target)
    except TypeError:
        index = None
    if index is None:
        raise TypeError(f"target must be the index of a class, a whole number, not {target!r}")
    if not 0 <= index < n_classes:
        raise ValueError(f"target {target} is out of range: the model has {n_classes} {what}, from 0")
    return index


def _picture(image: np.ndarray, segments: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    image = np.asarray(image)
    if image.dtype.kind not in "uif":
        raise TypeError(f"image must hold numbers, not {image.dtype}: convert it to RGB")
    if image.ndim != 3 or image.size == 0:
        raise ValueError(f"image must have the shape (H, W, channels), not {image.shape}: convert it to RGB")
    labels, n_segments = _labels(segments)
    if labels.shape != image.shape[:2]:
        raise ValueError(f"segments {labels.shape} and image {image.shape[:2]} differ in size")
    return image, labels, n_segments


def _labels(segments: np.ndarray) -> tuple[np.ndarray, int]:
    """Labels 0 … d − 1 in the order of the given ones; a gap or a start at 1 leaves no idle coefficient."""
    segments = np.asarray(segments)
    if segments.ndim != 2 or not np.issubdtype(segments.dtype, np.integer):
        raise ValueError(f"segments must be (H, W) integers, not {segments.shape} {segments.dtype}")
    values, labels = np.unique(segments, return_inverse=True)
    return labels.reshape(segments.shape), len(values)


def checked_masks(masks: np.ndarray, n_features: int) -> np.ndarray:
    """Return which features are shown, (n, n_features) uint8 of 0 and 1, or raise."""
    masks = np.asarray(masks)
    if masks.ndim != 2 or masks.shape[1] != n_features or len(masks) == 0:
        raise ValueError(f"masks must have the shape (n, {n_features}), not {masks.shape}")
    if not ((masks == 0) | (masks == 1)).all():
        raise ValueError("masks must hold only 0 (hidden) and 1 (shown)")
    return masks.astype(np.uint8, copy=False)


def _table_row(row: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    try:
        row, table = to_floats(row, "row"), to_floats(table, "training_table")
    except (TypeError, ValueError) as error:
        raise ValueError(
            "row and training_table must hold numbers: number the categories of a column of words, for "
            "example by np.unique(column, return_inverse=True)[1], and name it in categorical"
        ) from error
    if row.ndim != 1 or table.ndim != 2 or table.shape[1:] != row.shape or len(table) == 0:
        raise ValueError(f"row {row.shape} and training_table {table.shape} must be (d,) and (N, d)")
    check_finite(row, "row", ": fill the gaps first")
    return row, check_finite(table, "training_table", ": fill the gaps first")


def _several(explanations: Sequence[Explanation]) -> Sequence[Explanation]:
    if len(explanations) < 2 or len({len(e.coefficients) for e in explanations}) != 1:
        raise ValueError("stability needs two or more explanations of the same input")
    return explanations


def _generator(random_state: Seed) -> np.random.RandomState:
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return np.random.RandomState(random_state)


def _positive(**values: int) -> None:
    for name, value in values.items():
        check_count(value, name)
