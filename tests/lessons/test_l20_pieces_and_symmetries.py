"""Set-ups of lesson 20: what single numbers tell of a game, turned networks, the reader's own table."""

import numpy as np
import pytest
import torch

from course_utils.lessons import l20_pieces_and_symmetries as lesson


def test_single_numbers_tell_a_sum_and_nothing_of_a_parity():
    there = np.arange(16)[:, None] >> np.arange(4) & 1
    assert lesson.told_by_singles(3 + there @ [1.0, -2.0, 0.5, 4.0]) == pytest.approx(1)
    assert lesson.told_by_singles((-1.0) ** there.sum(axis=1)) == pytest.approx(0)
    one = there[:, 0] + there[:, 1] * there[:, 2]
    rest = one - (one.mean() + (there - 0.5) @ [1.0, 0.5, 0.5, 0.0])  # half of a product is either's
    assert lesson.told_by_singles(one) == pytest.approx(1 - (rest**2).sum() / ((one - one.mean()) ** 2).sum())


def test_only_the_maximum_over_directions_forgets_them():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(3, 1, 8, 8, generator=generator)
    for apart in (False, True):
        torch.manual_seed(0)
        model = lesson.Symmetric(second=14, apart=apart)
        gap = (model(torch.rot90(pictures, 1, (2, 3))) - model(pictures)).abs().max()
        assert (gap > 1e-3) if apart else (gap < 1e-5)


def test_own_table():
    assert "unseen rows" in lesson.own_piece("iris", 0, (4,))[0]
    for odd in (1.5, True, "0"):
        with pytest.raises(ValueError, match="row must be a whole number"):
            lesson.own_piece("wine", odd)
