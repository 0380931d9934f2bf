"""Claims of the lessons, measured again on material that no lesson shows.

    @claim("§6", "Asked for one of two objects, Grad-CAM points at it more often than saliency.",
           shown="0.97 against 0.61", holds=lambda gaps: gaps.min() > 0)
    def test_grad_cam_points_better_than_saliency(seed):
        return …  # a number, or a dict of numbers, measured on fresh material of this seed

`make claims` measures each claim on `SEEDS` and writes build/claims.md; a plain test run tries the first
claim of each lesson on one seed, to see that it still runs.
"""

import functools
import inspect
from collections.abc import Callable

import numpy as np

SEEDS = (101, 102, 103, 104, 105)


def claim(where: str, sentence: str, *, shown: str, holds: Callable, seeds: tuple[int, ...] = SEEDS):
    """Turn `measure(seed)` into a test that the claim holds.

    Args:
        where: the section that makes the claim, such as "§6", or "04b §2" in a companion.
        sentence: what the lesson says, in its own words or shorter.
        shown: the numbers that the lesson shows.
        holds: gets the values of all seeds, an array (a dict of arrays if `measure` returns a dict), and
            says whether the sentence is true of them.
        seeds: at least five.
    """
    if len(seeds) < 5:
        raise ValueError("a claim is measured on at least five seeds")

    def decorate(measure: Callable):
        @functools.wraps(measure)
        def test(whole_run, record_property):
            values = [measure(seed) for seed in (seeds if whole_run else seeds[:1])]
            numbers = (
                {key: np.array([value[key] for value in values], float) for key in values[0]}
                if isinstance(values[0], dict)
                else {"": np.array(values, float)}
            )
            assert all(np.isfinite(row).all() for row in numbers.values()), numbers
            if not whole_run:
                return
            true = bool(holds(numbers if isinstance(values[0], dict) else numbers[""]))
            fresh = "; ".join(
                f"{key} {', '.join(f'{number:.2f}' for number in row)}".strip()
                for key, row in numbers.items()
            )
            record_property("claim", (where, sentence, shown, fresh, true))
            assert true, f"{sentence} Shown: {shown}. Fresh: {fresh}"

        test.__signature__ = inspect.Signature(
            [
                inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
                for name in ("whole_run", "record_property")
            ]
        )
        del test.__wrapped__  # pytest would ask it for its arguments
        return test

    return decorate
