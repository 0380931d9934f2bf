"""The set-ups of lesson 18: training is repeatable, worlds, turns and angles are what they are said to be."""

import math

import pytest
import torch

from course_utils.lessons import l18_latent_axes as lesson


def test_training_is_repeatable():
    draw = lesson.draw_from("square")
    both = lesson.train(draw, [3, 4], betas=(1.0, 4.0), n_steps=20)
    pictures, _ = lesson.fixed("square", 50)
    again = lesson.train(draw, [3, 4], betas=(1.0, 4.0), n_steps=20)
    for one, other in zip(both, again, strict=True):
        torch.testing.assert_close(one.encoder(pictures), other.encoder(pictures), rtol=0, atol=0)
    assert both[0].encoder(pictures).shape == (50, 4)
    assert both[0].decoder(torch.zeros(5, 2)).shape == (5, 256)


def test_side_by_side_each_machine_becomes_what_it_would_become_alone():
    draw, (pictures, _) = lesson.draw_from("square"), lesson.fixed("square", 50)
    together = lesson.train(draw, [3, 4, 5], betas=(0.0, 1.0, 4.0), n_steps=100)
    for seed, beta, machine in zip((3, 4, 5), (0.0, 1.0, 4.0), together, strict=True):
        alone = lesson.train(draw, [seed], betas=beta, n_steps=100)[0]
        torch.testing.assert_close(machine.encoder(pictures), alone.encoder(pictures), rtol=1e-3, atol=1e-3)
        codes = alone.encoder(pictures)[:, :2]
        torch.testing.assert_close(machine.decoder(codes), alone.decoder(codes), rtol=1e-3, atol=1e-3)


def test_training_lowers_the_loss_and_labels_are_followed():
    pictures, places = lesson.labelled("round", 200)
    machine = lesson.train(lesson.draw_from("round"), [0], labels=(pictures, places), n_steps=300)[0]
    untrained = lesson.train(lesson.draw_from("round"), [0], n_steps=5)[0]
    trained_costs, first_costs = (lesson.costs(m, pictures) for m in (machine, untrained))
    assert trained_costs[1] < 0.3 * first_costs[1]
    assert (lesson.encode(machine, pictures)[0] - places).square().mean() < 0.2


@pytest.mark.parametrize("world", lesson.WORLDS)
def test_worlds(world):
    pictures, places = lesson.fixed(world, 5000)
    assert pictures.shape == (5000, 256)
    assert 0 <= pictures.min() and pictures.max() <= 1
    assert abs(torch.corrcoef(places.T)[0, 1]) < 0.05
    brightest = pictures.argmax(dim=1)  # y grows downwards
    across, down = brightest % 16, brightest // 16
    assert torch.corrcoef(torch.stack([across.float(), places[:, 0]]))[0, 1] > 0.9
    assert torch.corrcoef(torch.stack([down.float(), places[:, 1]]))[0, 1] > 0.9
    target = lesson.labelled(world, 5000)[1]
    torch.testing.assert_close(target.std(dim=0), torch.ones(2), rtol=0.05, atol=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeds": []}, "seeds must hold one or more"),
        ({"seeds": [1.5]}, "a seed must be a whole number"),
        ({"betas": -1.0}, "β must be a number ≥ 0"),
        ({"betas": math.nan}, "β must be a number"),
        ({"betas": (1, 2, 3)}, "betas one or 2"),
        ({"n_steps": 0}, "n_steps must be a whole number ≥ 2"),
        ({"n_latents": 0}, "n_latents must be a whole number"),
    ],
)
def test_training_refuses_what_it_cannot_do(change, words):
    with pytest.raises(ValueError, match=words):
        lesson.train(**{"draw": lesson.draw_from("square"), "seeds": [0, 1], "n_steps": 5} | change)


def test_an_unknown_world_is_refused():
    with pytest.raises(ValueError, match="choose one of the worlds square, round, diamond"):
        lesson.draw_from("flat")


@pytest.mark.parametrize(("degrees", "expected"), [(0, 0), (10, 10), (60, 30), (90, 0), (-20, 20)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_angle_of_a_known_turn(degrees, expected, mirrored):
    places = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))

    def encoder(pictures):
        codes = pictures @ lesson.turn(degrees)
        codes = codes * torch.tensor([-1.0, 1.0]) if mirrored else codes
        return torch.cat([codes, torch.zeros_like(codes)], dim=1)

    machine = lesson.Machine(encoder, None)
    assert lesson.angle(machine, places, places) == pytest.approx(expected, abs=0.01)
    codes = encoder(places)[:, :2]
    torch.testing.assert_close(codes @ lesson.best_turn(codes, places), places, rtol=0, atol=1e-4)


def test_the_best_critic_has_the_true_information_on_average():
    torch.manual_seed(0)
    scores = lesson.best_scores(*lesson.normal_vectors(2000, 0.8, 3), 0.8)
    assert scores.diagonal().mean().item() == pytest.approx(-1.5 * math.log(1 - 0.8**2), abs=0.1)
