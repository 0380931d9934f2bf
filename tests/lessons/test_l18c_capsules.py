"""The set-up of companion 18c: turned pictures, routing, measures."""

import math

import numpy as np
import torch

from course_utils.lessons import l18c_capsules as lesson


def test_a_turn_by_90_degrees_is_counter_clockwise():
    picture = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lesson.turn(picture, torch.tensor([90.0])), picture.rot90(1, (2, 3)))
    torch.testing.assert_close(lesson.turn(picture, torch.zeros(1)), picture)


def test_networks_have_their_layers_and_a_loss_with_finite_gradients():
    pictures, labels = torch.zeros(3, 1, 12, 12), torch.tensor([0, 9, 4])  # black: the hardest for a length
    for kind, (maker, drawing) in lesson.KINDS.items():
        torch.manual_seed(0)
        model = maker()
        layers = model.layers(pictures)
        assert layers["80 numbers"].shape == (3, 10, 8) and layers["ten scores"].shape == (3, 10), kind
        model.loss(pictures, labels, drawing).backward()
        assert all(torch.isfinite(w.grad).all() for w in model.parameters() if w.grad is not None), kind
        assert lesson.draw(model, layers["80 numbers"], labels).shape == (3, 144)


def test_number_of_iterations_and_detachment_reach_the_routing():
    data = lesson.turned(*lesson.split(0)[2:], seed=1)
    pictures = data.pictures[:20]
    model = lesson.untrained("capsules")
    uniform = model.layers(pictures, 1)["coupling"]
    torch.testing.assert_close(uniform, torch.full_like(uniform, 0.1))
    assert model.layers(pictures)["coupling"].equal(model.layers(pictures, 3)["coupling"])
    assert lesson.untrained("capsules, uniform").layers(pictures)["coupling"].equal(uniform)
    by_hand = model.layers(data.pictures, 3)["80 numbers"].norm(dim=2)[range(len(data.labels)), data.labels]
    assert math.isclose(lesson.right_length(model, data, 3), by_hand.mean().item(), rel_tol=1e-5)
    torch.manual_seed(0)
    kept = lesson.KINDS["capsules, gradient"][0]()
    torch.manual_seed(0)
    cut = lesson.KINDS["capsules"][0]()
    losses = [m.loss(pictures, data.labels[:20], 0.02) for m in (kept, cut)]
    assert losses[0].equal(losses[1])
    [loss.backward() for loss in losses]
    assert not torch.allclose(kept.w.grad, cut.w.grad, rtol=1e-4, atol=0)


def test_turned_axes_keep_lengths_and_distances():
    numbers = torch.randn(5, 9, 8, generator=torch.Generator().manual_seed(0))
    turned = lesson.turn_axes(numbers, 3)
    torch.testing.assert_close(turned.norm(dim=2), numbers.norm(dim=2))
    torch.testing.assert_close(
        torch.cdist(turned, turned), torch.cdist(numbers, numbers), rtol=1e-4, atol=1e-4
    )
    assert not torch.allclose(turned, lesson.turn_axes(numbers, 4))


def test_lean_finds_a_known_turn():
    pictures = lesson.split(0).test_pictures[:6]
    for angle in (-30.0, 0.0, 12.5):
        for picture in pictures:
            drawn = lesson.turn(picture[None], torch.tensor([angle]))[0, 0]
            assert lesson.lean(drawn, picture[0]) == angle


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


def test_coefficients_dealt_by_lot_change_nothing_where_all_are_equal():
    data = lesson.turned(*lesson.split(0)[2:], seed=1)
    uniform = lesson.untrained("capsules, uniform")
    right, length = lesson.coupling_by_lot(uniform, data)
    assert math.isclose(right, lesson.accuracy(uniform, data).mean(), rel_tol=1e-5)
    assert math.isclose(length, lesson.right_length(uniform, data, 1), rel_tol=1e-4)


def test_largest_part_of_a_mean_capsule():
    labels = torch.arange(10)
    even, alone = torch.ones(10, 9, 4), torch.zeros(10, 9, 4)
    alone[..., 2] = -3
    assert math.isclose(lesson.largest_part(even, labels), 0.5, rel_tol=1e-5)
    assert math.isclose(lesson.largest_part(alone, labels), 1, rel_tol=1e-5)
