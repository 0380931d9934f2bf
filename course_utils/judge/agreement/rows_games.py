"""Shapley values beside shap and captum."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_utils.judge.agreement.libraries import import_shap
from course_utils.judge.agreement.row import Row
from course_utils.judge.agreement.subjects import table_model
from course_utils.methods import shapley


def _ours(method):
    """Of one row, an absent value averaged over the background."""

    def values() -> np.ndarray:
        case = table_model()
        return method(shapley.masking_game(case.model, case.table[0], case.background), 5)

    return values


def _shap_kernel() -> np.ndarray:
    shap = import_shap()

    case = table_model()
    explainer = shap.KernelExplainer(case.model, case.background)
    return explainer.shap_values(case.table[:1], l1_reg=0, silent=True)[0]


def _shap_exact() -> np.ndarray:
    shap = import_shap()

    case = table_model()
    everyone = shap.maskers.Independent(case.background, max_samples=len(case.background))
    return shap.explainers.Exact(case.model, everyone)(case.table[:1]).values[0]


def _captum(name: str, **options):
    def values() -> Tensor:
        from captum import attr

        case = table_model()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return getattr(attr, name)(case.network).attribute(case.row, case.zero, **options)[0]

    return values


def _tree(name: str) -> Row:
    def forest(case):
        from sklearn.ensemble import RandomForestRegressor

        return RandomForestRegressor(5, max_depth=4, random_state=0).fit(case.table, case.answers)

    def given(case):
        return case.background if name == "interventional" else None

    def ours() -> np.ndarray:
        case = table_model()
        return shapley.tree_shap(forest(case), case.table[:4], given(case), method=name.replace("-", "_"))

    def theirs() -> np.ndarray:
        shap = import_shap()

        case = table_model()
        kind = "interventional" if name == "interventional" else "auto"
        explainer = shap.TreeExplainer(forest(case), given(case), feature_perturbation=kind)
        return explainer.shap_values(case.table[:4])

    return Row("TreeSHAP", "shap Tree", name, ours, theirs)


def _line(case):
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(case.table, case.answers)


def _our_linear() -> np.ndarray:
    case = table_model()
    return shapley.linear_shap(_line(case).coef_, case.table[:4], case.table)


def _shap_linear() -> np.ndarray:
    shap = import_shap()

    case = table_model()
    return shap.LinearExplainer(_line(case), case.table).shap_values(case.table[:4])


ROWS = (
    Row(
        "Shapley values",
        "shap Kernel",
        "all coalitions, l1_reg=0; absent: averaged over the background",
        _ours(shapley.shapley_values),
        _shap_kernel,
    ),
    Row(
        "KernelSHAP",
        "shap Kernel",
        "all coalitions; l1_reg=0",
        _ours(shapley.kernel_shap),
        _shap_kernel,
    ),
    Row(
        "Shapley values",
        "shap Exact",
        "enumeration; a background above 100 rows needs max_samples",
        _ours(shapley.shapley_values),
        _shap_exact,
    ),
    Row(
        "KernelSHAP",
        "captum",
        "3000 random coalitions: sampling error",
        lambda: shapley.kernel_shap(table_model().on_off, 5),
        _captum("KernelShap", n_samples=3000, perturbations_per_eval=500),
    ),
    Row(
        "permutation SHAP",
        "captum",
        "different random orders: sampling error",
        lambda: shapley.permutation_shap(table_model().on_off, 5, 3000),
        _captum("ShapleyValueSampling", n_samples=300, perturbations_per_eval=60),
    ),
    _tree("path-dependent"),
    _tree("interventional"),
    Row("linear SHAP", "shap Linear", "independent columns", _our_linear, _shap_linear),
)
