"""Unit tests for explanations: networks whose right answer is known, and each method passes or fails.

    results = explanation_tests()
    results["saliency"]["saturating"].state  # "exact", "place", "fails" or "n/a"

The networks are those of `load_lab("designed")`. The truth is the Shapley values of the score against zero.

- "exact": all numbers are the true ones, up to `TOLERANCE` of the largest.
- "place": the numbers are others, but the strongest is where it must be for each input that has a truth, and
  the map is empty for the inputs whose truth is zero. On pictures: the maximum lies on the pattern. Strong is
  what is far from zero, so the truth with the wrong sign is "place", too.
- "fails": neither.
- "n/a": the method has no answer for this network: no ReLU, no feature maps, too many players.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.judge import methods_table
from course_utils.judge.localisation import pointing_game
from course_utils.judge.methods_table import Method
from course_utils.labs.designed import NETWORKS
from course_utils.labs.lab import Lab, load_lab
from course_utils.methods.arguments import check_finite

TOLERANCE = 0.03  # of the largest true value: integrals over a kink are not exact
N_PICTURES = 6  # of each network of pictures
STATES = ("exact", "place", "fails", "n/a")
BASELINES = tuple(method.name for method in methods_table.METHODS if method.is_baseline)


@dataclass(frozen=True)
class Result:
    """Verdict on one method and one network.

    `error` is the largest difference to the truth as a share of the largest true value; None where the method
    has no answer.
    """

    state: str
    error: float | None = None


@dataclass(frozen=True)
class _Case:
    """A designed network as a classifier of pictures `(N, C, H, W)`; vectors are pictures of one row."""

    name: str
    model: nn.Module
    inputs: Tensor
    targets: Tensor
    truth: Tensor  # (N, H, W), channels added
    masks: Tensor | None  # (N, H, W) bool, for the networks of pictures
    layer: nn.Module | None

    @property
    def is_picture(self) -> bool:
        return self.masks is not None


class _Flat(nn.Module):
    """A network of vectors that takes them as pictures `(N, 1, 1, d)`."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x.flatten(1))


def _case(name: str) -> _Case:
    lab: Lab = load_lab("designed", network=name)
    if lab.masks is None:
        inputs = lab.inputs[:, None, None, :]
        truth = lab.attributions[:, None, :].to(inputs)
        return _Case(name, _Flat(lab.model).eval(), inputs, lab.targets, truth, None, None)
    few = slice(0, N_PICTURES)
    truth = lab.attributions[few].sum(dim=1).to(lab.inputs)
    return _Case(name, lab.model, lab.inputs[few], lab.targets[few], truth, lab.masks[few], lab.layer)


def explanation_tests(
    methods: Sequence[str] | None = None, networks: Sequence[str] = NETWORKS
) -> dict[str, dict[str, Result]]:
    """Try methods on the designed networks.

    Args:
        methods: names out of the table of methods (`judge.methods_table.METHODS`); None takes all.
        networks: names out of `course_utils.labs.designed.NETWORKS`.

    Returns:
        method → network → `Result`.
    """
    table = {method.name: method for method in methods_table.METHODS}
    chosen = list(table) if methods is None else list(methods)
    for name in chosen:
        if name not in table:
            raise ValueError(f"there is no method {name!r} here: choose of {', '.join(table)}")
    cases = [_case(name) for name in networks]
    return {
        name: {case.name: judge_map(_answer(table[name], case), case) for case in cases} for name in chosen
    }


def try_method(explain: Callable[[nn.Module, Tensor, Tensor], Tensor], network: str) -> Result:
    """Try a function of your own on one network.

    Args:
        explain: `(model, inputs, targets)` to attributions like `inputs`, `(N, C, H, W)`; the networks of
            vectors take them as pictures of one row, `(N, 1, 1, d)`.
        network: one of the designed networks.

    Raises:
        ValueError: unknown network, another shape, NaN or infinite values.
        TypeError: `explain` returns no float tensor.
    """
    case = _case(network)
    values = explain(case.model, case.inputs, case.targets)
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
        raise TypeError(f"attributions must be a float tensor, not {kind}")
    if values.shape != case.inputs.shape:
        raise ValueError(f"attributions must be {tuple(case.inputs.shape)}, not {tuple(values.shape)}")
    return judge_map(check_finite(values, "the attributions").sum(dim=1), case)


def judge_map(maps: Tensor | None, case: _Case) -> Result:
    """Compare maps `(N, H, W)` with the truth; None means that the method has no answer."""
    if maps is None:
        return Result("n/a")
    maps, truth = check_finite(maps.detach(), "the maps").double(), case.truth.double()
    error = float((maps - truth).abs().max() / truth.abs().max())
    if error <= TOLERANCE:
        return Result("exact", error)
    return Result("place" if _right_place(maps.abs(), truth.abs(), case) else "fails", error)


def _right_place(sizes: Tensor, truth: Tensor, case: _Case) -> bool:
    """Is the strongest value where it must be, and nothing where nothing must be?"""
    sizes, truth = sizes.flatten(1), truth.flatten(1)
    top, limit = sizes.amax(dim=1), TOLERANCE * float(sizes.max())
    silent = truth.amax(dim=1) == 0
    if float(sizes.max()) == 0 or (top[silent] > limit).any() or (top[~silent] <= limit).any():
        return False
    if case.is_picture:
        return bool((pointing_game(sizes.view(case.truth.shape), case.masks.to(sizes.device)) == 1).all())
    strongest = sizes >= top[:, None] * (1 - 1e-4)
    meant = truth >= truth.amax(dim=1, keepdim=True) * (1 - 1e-4)
    return not (strongest & ~meant)[~silent].any()


# ------------------------------------------------------------------------------------- the methods


def _answer(method: Method, case: _Case) -> Tensor | None:
    """What a method of the table says about one network, `(N, H, W)`; None where it has no answer."""
    if method.game is not None:
        if case.is_picture:
            return None  # 576 players
        n = case.inputs.shape[-1]
        rows = [method.game(_game(case, row), n) for row in range(len(case.inputs))]
        return torch.from_numpy(np.stack(rows))[:, None, :]
    has = {
        "relu": any(isinstance(module, nn.ReLU) for module in case.model.modules()),
        "linear": any(isinstance(module, nn.Linear) for module in case.model.modules()),
        "layer": case.layer is not None,
    }
    if not all(has[need] for need in method.needs):
        return None
    values = method.attribute(case.model, case.inputs, case.targets, case.layer, **method.tiny)
    return values.sum(dim=1) if values.ndim == 4 else values


def _game(case: _Case, row: int) -> Callable[[np.ndarray], np.ndarray]:
    def value(masks: np.ndarray) -> np.ndarray:
        shown = torch.from_numpy(np.asarray(masks)).to(case.inputs)[:, None, None, :] * case.inputs[row]
        with torch.no_grad():
            return case.model(shown)[:, int(case.targets[row])].double().cpu().numpy()

    return value
