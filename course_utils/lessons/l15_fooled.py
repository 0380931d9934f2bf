"""What lesson 15, its companion and their claims share: who is right, where a map shall go, pixels 0 … 1.

For the companion: made people who ask for a loan, and rules that behave only when an explainer asks. They are
here so that an auditor learns to recognise such rules.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor, nn

from course_utils.methods import lime, shapley
from course_utils.methods.arguments import check_count, check_target

COLUMNS = ("age", "years in job", "income", "rent", "savings", "debts", "punctual", "group B")
PUNCTUAL, GROUP = 6, 7  # the two columns of zeros and ones
KINDS = ("LIME", "SHAP, typical", "SHAP, real", "swapped")  # questions that a liar can prepare for
Rule = Callable[[np.ndarray], np.ndarray]


def is_right(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """One (right) or zero for each picture, `(N,)` float; `targets` is `(N,)`."""
    targets = check_target(targets, inputs, "targets")
    with torch.no_grad():
        return (model(inputs).argmax(dim=1) == targets).float()


def emptiest_corners(masks: Tensor, side: int = 40) -> Tensor:
    """Where a map shall go: 1 in the square of a corner that the object covers least, else 0.

    Args:
        masks: `(N, H, W)` bool, where the objects are.
        side: of the square, in pixels.

    Returns:
        `(N, H, W)` float.
    """
    if masks.ndim != 3:
        raise ValueError(f"masks must be (N, H, W), one a picture, not {tuple(masks.shape)}")
    _, height, width = masks.shape
    side = check_count(side, "side", at_most=min(height, width))
    aims = torch.zeros(4, height, width)
    for k, (i, j) in enumerate(
        ((0, 0), (0, width - side), (height - side, 0), (height - side, width - side))
    ):
        aims[k, i : i + side, j : j + side] = 1
    return aims[(masks[:, None].cpu() * aims).sum(dim=(2, 3)).argmin(dim=1)]


class FromPixels(nn.Module):
    """A network for inputs from −1 to 1, for pixels from 0 to 1."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model(2 * pixels - 1)


def people(n: int = 3000, seed: int = 0, tie: float = 0.0) -> np.ndarray:
    """Made people who ask for a loan, `(n, 8)` float, with the columns `COLUMNS`.

    Age in years, money in euros a month (savings and debts: euros). Half of the people belong to group B.

    Args:
        tie: how strongly the group hangs together with the share of the income that the rent takes; with 0
            nothing else in the table tells the group.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}: how many people shall there be?")
    if not np.isfinite(tie):
        raise ValueError(f"tie must be a finite number, not {tie}")
    rng, coin = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1])
    age = rng.uniform(21, 65, n)
    job = (age - 18) * rng.beta(2, 2, n)
    income = (900 + 30 * (age - 18) + 40 * job) * rng.lognormal(0, 0.15, n)
    dear = rng.normal(0, 1, n)  # above 0: the rent takes more than three tenths of the income
    rent = 0.3 * income * np.exp(0.12 * dear)
    savings = 0.3 * job * income * rng.lognormal(0, 0.3, n)
    debts = 2 * rent * rng.lognormal(0, 0.3, n)
    punctual = rng.random(n) < 0.7
    group = tie * dear + coin.logistic(size=n) > 0
    return np.column_stack([age, job, income, rent, savings, debts, punctual, group]).astype(float)


def by_group(rows: np.ndarray) -> np.ndarray:
    """The discriminating rule: 1 (granted) for group A, 0 for group B."""
    return 1.0 - rows[:, GROUP]


def by_punctuality(rows: np.ndarray) -> np.ndarray:
    """The innocent rule: 1 (granted) for those who paid their bills on time."""
    return rows[:, PUNCTUAL].copy()


def typical_rows(table: np.ndarray, k: int = 10) -> np.ndarray:
    """The `k` centres that `shap.kmeans` finds, each value rounded to one that occurs, `(k, d)`."""
    import shap

    spread = table.std(axis=0)
    centres = shap.kmeans(table / spread, k).data * spread
    # dividing and multiplying again leaves a last digit, by which a detector would know the row
    nearest = np.abs(table[:, None] - centres).argmin(axis=0)
    return np.take_along_axis(table, nearest, axis=0)


def lime_questions(table: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """`n` rows that LIME would ask about: each column is drawn by itself."""
    rows = lime.tabular_neighbourhood(
        table[0], table, n + 1, categorical=(PUNCTUAL, GROUP), random_state=seed
    )[1]
    return rows[1:]  # the first one is the row itself


def shap_questions(rows: np.ndarray, background: np.ndarray, seed: int = 0) -> np.ndarray:
    """As KernelSHAP asks: of each row some columns, the others from a row of the background."""
    rng, (n, d) = np.random.default_rng(seed), rows.shape
    sizes = np.arange(1, d)
    often = 1 / (sizes * (d - sizes))  # how much the Shapley kernel weighs all coalitions of a size
    size = rng.choice(sizes, size=n, p=often / often.sum())
    kept = rng.random((n, d)).argsort(axis=1) < size[:, None]
    return np.where(kept, rows, background[rng.integers(len(background), size=n)])


def swapped(rows: np.ndarray) -> np.ndarray:
    """The same people, each in the other group."""
    other = rows.copy()
    other[:, GROUP] = 1 - other[:, GROUP]
    return other


def questions(kind: str, rows: np.ndarray, table: np.ndarray, seed: int = 0) -> np.ndarray:
    """What would be asked about these people, one question each, `(n, 8)`.

    Args:
        kind: one of `KINDS`: by LIME, by KernelSHAP with ten typical rows or with fifty real ones as its
            background, or by an auditor who exchanges the group.
        table: the people that the explainer knows.
    """
    if kind not in KINDS:
        raise ValueError(f"there are no questions {kind!r}: choose one of {', '.join(KINDS)}")
    if kind == "LIME":
        return lime_questions(table, len(rows), seed)
    if kind == "swapped":
        return swapped(rows)
    return shap_questions(rows, typical_rows(table) if kind == "SHAP, typical" else table[:50], seed)


def detector(
    table: np.ndarray, kinds: Sequence[str], depth: int | None = None, seed: int = 1
) -> RandomForestClassifier:
    """A forest that answers 1 for rows like the questions of these kinds, and 0 for rows like the table's."""
    if isinstance(kinds, str) or len(kinds) == 0:
        raise ValueError(
            f"kinds is a list of one or more of {', '.join(KINDS)}, such as ['LIME']; not {kinds!r}"
        )
    asked = [
        questions(kind, table, table, seed + k)
        for kind in kinds
        for k in range(1 if kind == "swapped" else 2)
    ]
    rows = np.concatenate([table, *asked])
    forest = RandomForestClassifier(
        60, max_depth=depth, min_samples_leaf=2, class_weight="balanced", random_state=0
    )
    return forest.fit(rows, np.arange(len(rows)) >= len(table))


def scaffold(looks_asked: Rule) -> Rule:
    """The adversarial classifier of Slack et al. 2020: innocent where `looks_asked`, else discriminating."""
    return lambda rows: np.where(looks_asked(rows), by_punctuality(rows), by_group(rows))


def liar(table: np.ndarray, kinds: Sequence[str]) -> Rule:
    """A scaffold whose detector was prepared for these kinds of questions."""
    return scaffold(detector(table, kinds).predict)


def two_banks(table: np.ndarray) -> dict[str, Rule]:
    """The puzzle: two rules that decide nearly alike and that LIME explains differently."""
    return {"bank 1": by_group, "bank 2": liar(table, ["LIME"])}


def lime_weights(rule: Rule, row: np.ndarray, table: np.ndarray, seed: int = 0) -> np.ndarray:
    """LIME's coefficients for one person, `(8,)`: 2,000 questions, all columns."""
    fitted = lime.lime_tabular(
        rule, row, table, None, 2000, k=None, categorical=(PUNCTUAL, GROUP), random_state=seed
    )
    return fitted.coefficients


def shap_values(rule: Rule, row: np.ndarray, background: np.ndarray) -> np.ndarray:
    """KernelSHAP of one person with all 254 coalitions, `(8,)`: exact for this background."""
    return shapley.kernel_shap(shapley.masking_game(rule, row, background), len(row))
