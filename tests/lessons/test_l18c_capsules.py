"""The set-up of companion 18c: turned pictures, routing, measures."""

import math

import numpy as np
import torch

from course_utils.lessons import l18c_capsules as lesson


def test_a_turn_by_90_degrees_is_counter_clockwise():
    picture = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lesson.turn(picture, torch.tensor([90.0])), picture.rot90(1, (2, 3)))
    torch.testing.assert_close(lesson.turn(picture, torch.zeros(1)), picture)


def test_squash_keeps_directions_and_is_finite_at_zero():
    s = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    n2 = s.square().sum(1)
    torch.testing.assert_close(lesson.squash(s).norm(dim=1), n2 / (1 + n2))
    zero = torch.zeros(1, 8, requires_grad=True)
    lesson.squash(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()


def test_coupling_adds_up_to_one_and_is_uniform_after_one_iteration():
    votes = torch.randn(2, 6, 4, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lesson.route(votes, 3)[1].sum(2), torch.ones(2, 6))
    assert math.isclose(lesson.coupling_entropy(lesson.route(votes, 1)[1]), math.log(4), rel_tol=1e-5)


def test_one_number_finds_the_angle_and_nothing_in_noise():
    rng = np.random.default_rng(0)
    numbers = torch.from_numpy(rng.normal(size=(200, 9, 3)))
    labels = torch.arange(200) % 10
    assert abs(lesson.one_number(numbers, labels)) < 0.2
    numbers[:, :, 1] = -lesson.ANGLES.double()
    assert lesson.one_number(numbers, labels) > 0.99


def test_a_readout_finds_a_planted_factor_and_nothing_in_noise():
    rng = np.random.default_rng(0)
    factor, new = rng.integers(0, 3, size=(2, 300))
    rows, new_rows = (torch.from_numpy(8.0 * np.eye(3)[f]) for f in (factor, new))
    assert lesson.read_out(rows, factor, new_rows, new) > 0.9 * math.log(3)
    noise = torch.from_numpy(rng.normal(size=(2, 300, 3)))
    assert lesson.read_out(noise[0], factor, noise[1], new) < 0.05
