"""The checks of arguments: one error each, which says what was wrong and what to do."""

import numpy as np
import pytest
import torch

from course_utils.methods.arguments import check_count, check_finite, check_like, check_maps


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
