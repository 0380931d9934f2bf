"""Counterfactuals that the library DiCE finds in lesson 21's world, stored so that nobody has to install it.

    python -m course_utils.training dice

Needs dice-ml 0.12 beside the course's packages (`pip install --target FOLDER --no-deps dice-ml raiutils`,
then PYTHONPATH=FOLDER); all that it asks for would add some hundred megabytes.
"""

import argparse
import random

import numpy as np

from course_utils.labs.files import DATA, write_arrays, write_manifest
from course_utils.lessons import l21_what_if as lesson

N_PEOPLE, N_CHANGES = 20, 4
# the bank's seed → the people's; the lesson's first
WORLDS = {1: 2} | {seed: seed + 500 for seed in range(101, 106)}


class _Loan:
    """A bank in the form that DiCE asks for: probabilities of "refused" and "accepted"."""

    def __init__(self, bank: lesson.Bank) -> None:
        self.bank = bank

    def predict_proba(self, table) -> np.ndarray:
        accepted = 1 / (1 + np.exp(-self.bank.log_odds(np.asarray(table, float))))
        return np.column_stack([1 - accepted, accepted])

    def predict(self, table) -> np.ndarray:
        return (self.predict_proba(table)[:, 1] > 0.5).astype(int)


def find_changes(seed: int, method: str, may_change: tuple[str, ...] = lesson.COLUMNS) -> np.ndarray:
    """What DiCE proposes to the first refused people, (N_PEOPLE, N_CHANGES, 6); NaN: it found fewer."""
    import dice_ml
    import pandas as pd

    bank = lesson.bank(seed)
    table = lesson.table_of(lesson.people(400, WORLDS[seed]))
    known = lesson.people(5_000, seed)
    frame = pd.DataFrame(lesson.table_of(known), columns=lesson.COLUMNS)
    frame["repaid"] = lesson.repaid(known, seed).astype(int)
    data = dice_ml.Data(dataframe=frame, continuous_features=list(lesson.COLUMNS), outcome_name="repaid")
    library = dice_ml.Dice(data, dice_ml.Model(model=_Loan(bank), backend="sklearn"), method=method)
    found = np.full((N_PEOPLE, N_CHANGES, 6), np.nan)
    for i, row in enumerate(table[bank.log_odds(table) < 0][:N_PEOPLE]):
        np.random.seed(i)  # noqa: NPY002 (DiCE draws from the global generators)
        random.seed(i)
        answer = library.generate_counterfactuals(
            pd.DataFrame([row], columns=lesson.COLUMNS), total_CFs=N_CHANGES, desired_class=1,
            features_to_vary=list(may_change),
        )  # fmt: skip
        rows = answer.cf_examples_list[0].final_cfs_df[list(lesson.COLUMNS)].to_numpy(float)
        found[i, : len(rows)] = rows
    return found


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.training",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("command", choices=["dice"])
    parser.parse_args(arguments)
    answers = {"seeds": np.array(list(WORLDS))}
    for name, (method, may_change) in lesson.DICE_WAYS.items():
        answers[name] = np.stack([find_changes(seed, method, may_change) for seed in WORLDS])
        found = np.isfinite(answers[name][..., 0]).sum()
        print(f"{name}: {answers[name].shape[:3]}, worlds × people × changes, {found} found")
    write_arrays(DATA / lesson.DICE_FILE, answers)
    write_manifest(lambda name: name == lesson.DICE_FILE)
