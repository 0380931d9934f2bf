"""Tables: scikit-learn's built-in ones with small models, and flats whose price follows a known formula.

The flats exist for one purpose: their exact Shapley values are known. The table is the whole town, so that
every average over it is exact, and only four columns matter:

    price = 60 + 3 · area + 0.5 · area · park + 5 · floor − 30 · cats_banned   (thousand euros)

- "apartments": every combination of values occurs equally often, the columns are independent.
- "apartments_correlated": the parks lie where the flats are large. Of the flats of 30, 40, …, 100 m²,
  0, 1, …, 7 in seven have a park nearby; floor and cats are independent of that and of each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

APARTMENT_FEATURES = ("park", "area", "floor", "cats_banned")
APARTMENT_TABLES = ("apartments", "apartments_correlated")
BUILT_IN_TABLES = ("breast_cancer", "diabetes", "iris", "wine")
FORMULAS = ("formula", "formula_without_park")
MODELS = ("linear", "tree", "forest", "network")


@dataclass(frozen=True, eq=False)
class TabularLab:
    """A table and a model of it.

    Attributes:
        name: The table's name.
        model: A fitted scikit-learn estimator; for a formula the function itself.
        table: (N, d) float.
        targets: (N,) class indices, or numbers for regression.
        feature_names, class_names: One a column, one a class (empty for regression).
        predict: (B, d) rows to probabilities (B, classes), or to (B,) for regression.
        unseen: (N,) bool, the rows that the model was not fitted on.
        exact: For the flats: `exact(rows, conditional=False)`, exact Shapley values (B, d) of `predict`. An
            absent feature is averaged over the whole table (marginal), or only over the flats that agree with
            the row on the present features (conditional; for rows of the table).
    """

    name: str
    model: object
    table: np.ndarray
    targets: np.ndarray
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    predict: Callable[[np.ndarray], np.ndarray]
    unseen: np.ndarray
    exact: Callable[..., np.ndarray] | None = None

    def __repr__(self) -> str:
        return f"TabularLab({self.name!r}, {type(self.model).__name__}, table {self.table.shape})"


def tabular_lab(table: str = "apartments", model: str | None = None, *, seed: int = 0) -> TabularLab:
    """Build a table and fit a model; takes about a second at most, needs no download.

    Args:
        table: "apartments", "apartments_correlated", "breast_cancer", "diabetes", "iris" or "wine".
        model: "linear", "tree", "forest" or "network"; for the flats also "formula" (their default) and
            "formula_without_park", which leaves the park out. The default elsewhere is "forest".
        seed: Order of the flats, split and fit.

    Raises:
        ValueError: unknown table or model.
    """
    tables = APARTMENT_TABLES + BUILT_IN_TABLES
    if table not in tables:
        raise ValueError(f"there is no table {table!r}: choose one of {', '.join(tables)}")
    town = table in APARTMENT_TABLES
    model = model or ("formula" if town else "forest")
    models = FORMULAS + MODELS if town else MODELS
    if model not in models:
        raise ValueError(f"{table} has no model {model!r}: choose one of {', '.join(models)}")

    if town:
        rows = apartments(correlated=table == "apartments_correlated", seed=seed)
        targets, features, classes = apartment_price(rows), APARTMENT_FEATURES, ()
    else:
        data = getattr(datasets, f"load_{table}")()
        rows, targets = data.data.astype(float), data.target
        features = tuple(str(name) for name in data.feature_names)
        classes = tuple(str(name) for name in getattr(data, "target_names", ()))

    unseen = np.ones(len(rows), bool)
    if model in FORMULAS:
        fitted = apartment_price if model == "formula" else apartment_price_without_park
        predict = fitted
    else:
        fitted = _estimator(model, bool(classes), seed)
        labels = targets if classes else None
        train, _ = train_test_split(np.arange(len(rows)), test_size=0.3, random_state=seed, stratify=labels)
        fitted.fit(rows[train], targets[train])
        unseen[train] = False
        predict = fitted.predict_proba if classes else fitted.predict

    def exact(rows_to_explain: np.ndarray, conditional: bool = False) -> np.ndarray:
        return _average_over_orders(predict, rows_to_explain, rows, conditional)

    return TabularLab(
        table, fitted, rows, targets, features, classes, predict, unseen, exact if town else None
    )


def apartments(correlated: bool = False, seed: int = 0) -> np.ndarray:
    """All flats of the town, (N, 4): park nearby 0/1, area in m² (30 … 100), floor (0 … 4), cats banned 0/1.

    In both towns half of the flats have a park, the mean area is 65 m², the mean floor 2, and cats are banned
    in one third. Correlated: mean area 80 with a park and 50 without; share with a park (area − 30) / 70.
    """
    places = [
        (park, 30 + 10 * step)
        for step in range(8)
        for park in (_parks_of_seven(step) if correlated else (0, 1))
    ]
    flats = [(*place, floor, cats) for place, floor, cats in product(places, range(5), (0, 0, 1))]
    return np.random.default_rng(seed).permutation(np.array(flats, float))


def _parks_of_seven(n_parks: int) -> list[int]:
    return [1] * n_parks + [0] * (7 - n_parks)


def apartment_price(rows: np.ndarray) -> np.ndarray:
    """The price in thousand euros, (N, 4) to (N,): a park is worth 500 € a square metre."""
    park, area, floor, cats_banned = np.asarray(rows, float).T
    return 60 + 3 * area + 0.5 * area * park + 5 * floor - 30 * cats_banned


def apartment_price_without_park(rows: np.ndarray) -> np.ndarray:
    """The price by a formula that does not look at the park, (N, 4) to (N,)."""
    return apartment_price(np.asarray(rows, float) * (0, 1, 1, 1))


def _average_over_orders(
    predict: Callable[[np.ndarray], np.ndarray], explained: np.ndarray, town: np.ndarray, conditional: bool
) -> np.ndarray:
    """Exact Shapley values (B, d): what each feature adds, averaged over all orders of arrival."""
    explained = np.atleast_2d(np.asarray(explained, float))
    n_rows, d = explained.shape
    if town.shape[1] != d:
        raise ValueError(f"rows {explained.shape} must have {town.shape[1]} columns")
    worths = {}
    prices = predict(town)
    for present in product((False, True), repeat=d):
        if conditional:
            agree = (town[:, present] == explained[:, None, present]).all(axis=2)
            if not agree.any(axis=1).all():
                raise ValueError("conditional values exist only for rows of the table")
            worths[present] = agree @ prices / agree.sum(axis=1)
        else:
            mixed = np.where(present, explained[:, None], town).reshape(-1, d)
            worths[present] = predict(mixed).reshape(n_rows, -1).mean(axis=1)
    values = np.zeros((n_rows, d))
    orders = list(permutations(range(d)))
    for order in orders:
        present = [False] * d
        for feature in order:
            before = worths[tuple(present)]
            present[feature] = True
            values[:, feature] += worths[tuple(present)] - before
    return values / len(orders)


def _estimator(name: str, classification: bool, seed: int) -> object:
    if name == "linear":
        if classification:
            return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        return make_pipeline(StandardScaler(), LinearRegression())
    if name == "network":
        options = {
            "hidden_layer_sizes": (16,),
            "solver": "lbfgs",
            "alpha": 3.0,
            "tol": 1e-3,
            "max_iter": 2000,
        }
        if classification:
            return make_pipeline(StandardScaler(), MLPClassifier(random_state=seed, **options))
        network = make_pipeline(StandardScaler(), MLPRegressor(random_state=seed, **options))
        return TransformedTargetRegressor(network, transformer=StandardScaler())
    if name == "tree":
        return (DecisionTreeClassifier if classification else DecisionTreeRegressor)(
            max_depth=4, random_state=seed
        )
    forest = RandomForestClassifier if classification else RandomForestRegressor
    return forest(50, max_depth=6, random_state=seed)
