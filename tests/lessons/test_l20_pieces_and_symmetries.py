"""Set-ups of lesson 20: what single numbers tell of a game."""

import numpy as np
import pytest

from course_utils.lessons import l20_pieces_and_symmetries as lesson


def test_single_numbers_tell_a_sum_and_nothing_of_a_parity():
    there = np.arange(16)[:, None] >> np.arange(4) & 1
    assert lesson.told_by_singles(3 + there @ [1.0, -2.0, 0.5, 4.0]) == pytest.approx(1)
    assert lesson.told_by_singles((-1.0) ** there.sum(axis=1)) == pytest.approx(0)
    one = there[:, 0] + there[:, 1] * there[:, 2]
    rest = one - (one.mean() + (there - 0.5) @ [1.0, 0.5, 0.5, 0.0])  # half of a product is either's
    assert lesson.told_by_singles(one) == pytest.approx(1 - (rest**2).sum() / ((one - one.mean()) ** 2).sum())
