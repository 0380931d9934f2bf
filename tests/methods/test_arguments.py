"""The checks of arguments: one error each, which says what was wrong and what to do."""

import numpy as np
import pandas as pd
import pytest
import torch

from course_utils.methods.arguments import (
    check_count,
    check_finite,
    check_flag,
    check_like,
    check_maps,
    to_floats,
)


@pytest.mark.parametrize("value", [3, np.int64(3), torch.tensor(3)])
def test_whole_numbers_of_any_kind_are_counts(value):
    assert check_count(value, "n") == 3 and type(check_count(value, "n")) is int


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None, np.float64(3)])
def test_what_is_no_count_is_named(value):
    with pytest.raises(ValueError, match="n_steps must be a whole number ≥ 1, not"):
        check_count(value, "n_steps")


def test_a_count_has_ends():
    assert check_count(8, "n", at_most=8) == 8
    with pytest.raises(ValueError, match="n must be a whole number from 2 to 8, not 9"):
        check_count(9, "n", 2, 8)


@pytest.mark.parametrize(
    ("maps", "error", "message"),
    [
        (np.zeros((1, 4, 4), np.float32), TypeError, "not a ndarray: use torch.as_tensor"),
        (torch.zeros(1, 4, 4, dtype=torch.int), TypeError, "not torch.int32"),
        (torch.zeros(4, 4), ValueError, r"must have the shape \(N, H, W\), not \(4, 4\)"),
        (torch.zeros(0, 4, 4), ValueError, "must have the shape"),
        (torch.tensor([[[0.0]], [[torch.inf]]]), ValueError, "map 1 contains NaN or infinite"),
    ],
)
def test_bad_maps_are_named(maps, error, message):
    with pytest.raises(error, match=message):
        check_maps(maps)


def test_good_maps_lose_their_graph():
    maps = torch.zeros(2, 3, 3, requires_grad=True)
    assert not check_maps(maps).requires_grad
    with pytest.raises(ValueError, match="upsample them first"):
        check_maps(maps, shape=(2, 6, 6))


def test_values_that_do_not_fit_or_are_not_finite():
    inputs = torch.zeros(2, 3, 4, 4)
    assert check_like(torch.ones(()).double(), inputs, "baseline").dtype == torch.float32
    with pytest.raises(ValueError, match=r"substrate .* must fit inputs"):
        check_like(torch.zeros(5), inputs, "substrate")
    with pytest.raises(ValueError, match="baselines contain NaN or infinite values: look"):
        check_finite(torch.tensor([torch.nan]), "baselines", ": look")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ma.array([1.0, 2.0], mask=[True, False]), "x has masked values: fill them"),
        (np.array([1 + 2j]), "x must hold numbers: take .real"),
        (np.array(["1.5"]), "x must hold numbers: convert"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "x must hold numbers: count days"),
        ([[1.0], [1.0, 2.0]], "x must hold numbers"),
        (torch.ones(2, requires_grad=True), r"x must hold numbers: of a tensor take \.detach"),
        (np.array([1.0, "a"], dtype=object), "x must hold numbers"),
    ],
)
def test_what_numpy_would_turn_into_other_numbers_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        to_floats(values, "x")


def test_numbers_in_any_form_become_a_new_array_of_floats():
    table = np.arange(6.0).reshape(3, 2)
    for values in (
        table, table.tolist(), table[::-1].copy()[::-1], np.asfortranarray(table), table.astype(np.int8),
        table.astype(object), torch.from_numpy(table), pd.DataFrame(table, index=[7, 1, 3]),
        np.ma.array(table),
    ):  # fmt: skip
        found = to_floats(values, "x")
        assert found.dtype == float and np.array_equal(found, table) and not np.shares_memory(found, table)


def test_flags_are_true_or_false():
    assert check_flag(True, "towards") is True and check_flag(np.bool_(False), "towards") is False
    for wrong in (1, "no", None):
        with pytest.raises(TypeError, match="towards must be True or False"):
            check_flag(wrong, "towards")
