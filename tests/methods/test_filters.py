"""Filter activation and ascents: against captum, against exact answers, and at their edges."""

import pytest
import torch
from captum.attr import LayerActivation
from small_networks import ResidualNetwork, gap_network, largest, pictures, seeded
from torch import nn
from torchvision.transforms.functional import gaussian_blur

from course_utils.methods import blurring, filters
from course_utils.methods.filters import activation_maximization, class_maximization, filter_activation

SMALL = {"shape": (3, 12, 12), "n_steps": 6}


def linear_network(classes: int = 4) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 8, classes))


def state(model):
    hooks = sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules())
    flags = [m.training for m in model.modules()] + [p.requires_grad for p in model.parameters()]
    return hooks, flags, [p.grad is None for p in model.parameters()], [p.clone() for p in model.parameters()]


def same(before, after):
    return before[:3] == after[:3] and all(map(torch.equal, before[3], after[3]))


# ---- what a filter sees


@pytest.mark.parametrize("layer", ["1", "3", "4"])
def test_filter_activation_equals_captum(layer):
    model, inputs = seeded(gap_network), pictures(3, 3, 16, 18)
    theirs = LayerActivation(model, model.get_submodule(layer)).attribute(inputs)
    for channel in (0, 5):
        assert largest(filter_activation(model, inputs, layer, channel), theirs[:, channel]) == 0


def test_filter_activation_is_not_touched_by_an_inplace_relu_behind_the_layer():
    inputs = pictures(2, 3, 16, 16)
    for layer, channel in (("0", 2), ("3", 0)):
        plain = filter_activation(seeded(gap_network), inputs, layer, channel)
        assert plain.min() < 0
        assert torch.equal(
            filter_activation(seeded(gap_network, inplace=True), inputs, layer, channel), plain
        )


def test_filter_activation_names_what_is_wrong():
    model = seeded(gap_network)
    with pytest.raises(ValueError, match="channel 6 is out of range"):
        filter_activation(model, pictures(1, 3, 8, 8), "4", 6)
    with pytest.raises(ValueError, match="feature maps"):
        filter_activation(model, pictures(1, 3, 8, 8), "7", 0)
    with pytest.raises(ValueError, match="no layer"):
        filter_activation(model, pictures(1, 3, 8, 8), "conv9", 0)
    with pytest.raises(ValueError, match=r"inputs\[None\]"):
        filter_activation(model, pictures(3, 8, 8), "4", 0)


# ---- ascents with a known answer


def test_a_linear_model_is_driven_to_the_corner_of_the_range():
    model = seeded(linear_network)
    weights = model[1].weight.detach().view(4, 3, 6, 8)
    found = class_maximization(model, [2, 0], shape=(3, 6, 8), n_steps=100, learning_rate=0.1)
    assert torch.equal(found, weights[[2, 0]].sign())


def test_a_linear_layer_has_no_map_and_is_climbed_as_a_class():
    model = seeded(linear_network)
    options = {"shape": (3, 6, 8), "n_steps": 5}
    of_class = class_maximization(model, [2, 0], **options)
    assert torch.equal(activation_maximization(model, "1", [2, 0], **options), of_class)


def test_with_l2_a_linear_model_has_an_optimum_inside():
    model = seeded(linear_network)
    weights = model[1].weight.detach().view(4, 3, 6, 8)[1]
    l2 = 3 * weights.abs().max().item() * weights.numel() / 2  # the optimum then reaches a third of the range
    found = class_maximization(model, 1, shape=(3, 6, 8), n_steps=600, learning_rate=0.01, l2=l2)
    assert largest(found[0], weights * weights.numel() / (2 * l2)) < 1e-3


def test_with_l1_only_strong_weights_leave_ink():
    model = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(48, 3)))
    weights = model[1].weight.detach()[0].view(1, 6, 8)
    l1 = weights.abs().median().item() * 48
    found = class_maximization(
        model, 0, shape=(1, 6, 8), value_range=(0.0, 1.0), n_steps=300, learning_rate=0.02, l1=l1
    )
    assert torch.equal(found[0] > 0.5, weights > l1 / 48)


def test_a_neuron_of_the_first_layer_likes_its_own_kernel():
    model = seeded(gap_network)
    found = activation_maximization(
        model, "0", 3, position=(2, 2), shape=(3, 5, 5), n_steps=400, learning_rate=0.02, l2=20.0
    )
    kernel = model[0].weight.detach()[3]
    patch = found[0, :, 1:4, 1:4]
    assert torch.cosine_similarity(patch.flatten(), kernel.flatten(), dim=0) > 0.999
    assert found[0, :, 0].abs().max() < 1e-2, "what the neuron does not see decays"


@pytest.mark.parametrize("parametrization", ["pixel", "fourier"])
def test_an_ascent_raises_the_score_and_stays_in_range(parametrization):
    model, scores = seeded(gap_network), []
    found = activation_maximization(
        model,
        "4",
        [1, 4],
        parametrization=parametrization,
        shape=(3, 15, 16),
        value_range=(-2.0, 0.5),
        n_steps=40,
        on_step=lambda step, shown, values: scores.append(values),
    )
    assert found.shape == (2, 3, 15, 16) and found.dtype == torch.float64 and not found.requires_grad
    assert found.min() >= -2 and found.max() <= 0.5
    assert len(scores) == 41 and (scores[-1] > scores[0]).all()
    final = torch.stack([filter_activation(model, found, "4", k)[i].mean() for i, k in enumerate((1, 4))])
    assert largest(final, scores[-1]) < 1e-12


def test_a_batch_gives_what_single_runs_give():
    model = seeded(gap_network)
    options = {"shape": (3, 9, 9), "n_steps": 15, "l2": 1.0, "total_variation": 0.1}
    start = pictures(3, 3, 9, 9).clamp(-1, 1)
    together = class_maximization(model, [0, 3, 1], start=start, **options)
    alone = [class_maximization(model, c, start=start[i : i + 1], **options) for i, c in enumerate((0, 3, 1))]
    assert largest(together, torch.cat(alone)) < 1e-9


def test_ranges_may_differ_by_channel():
    low, high = torch.tensor([-1.0, 0.0, 2.0])[:, None, None], torch.tensor([1.0, 0.5, 3.0])[:, None, None]
    for parametrization in ("pixel", "fourier"):
        found = class_maximization(
            seeded(gap_network), 0, value_range=(low, high), parametrization=parametrization, **SMALL
        )
        assert (found >= low).all() and (found <= high).all()


def test_the_log_probability_is_what_it_says():
    model, seen = seeded(gap_network), []
    found = class_maximization(
        model, 2, objective="log_probability", on_step=lambda *step: seen.append(step), **SMALL
    )
    assert largest(seen[-1][2], model(found).log_softmax(dim=1)[:, 2]) < 1e-12
    assert [step for step, _, _ in seen] == list(range(7))


def test_the_steps_are_adams():
    parameter, step_of = nn.Parameter(torch.zeros(5)), filters._adam(0.3)
    optimizer = torch.optim.Adam([parameter], lr=0.3)
    ours = torch.zeros(5)
    for step in range(6):
        gradient = pictures(5, seed=step, dtype=torch.float32)
        parameter.grad = gradient
        optimizer.step()
        ours = ours - step_of(gradient)
    assert largest(ours, parameter.detach()) < 1e-6


# ---- regularisers, moves, diversity, generator


def test_total_variation_of_a_checkerboard_and_of_a_plain_picture():
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4)[None, None]
    assert filters.total_variation_of(board).tolist() == [4.0]
    assert filters.total_variation_of(torch.ones(2, 3, 5, 5)).tolist() == [0.0, 0.0]


def test_regularisers_do_what_they_are_for():
    model = seeded(gap_network)
    options = {"shape": (3, 16, 16), "n_steps": 60}
    plain = activation_maximization(model, "4", 2, **options)
    smooth = activation_maximization(model, "4", 2, total_variation=5.0, **options)
    faint = activation_maximization(model, "4", 2, l2=50.0, **options)
    blurred = activation_maximization(model, "4", 2, blur=1.0, **options)
    assert filters.total_variation_of(smooth) < 0.5 * filters.total_variation_of(plain)
    assert filters.total_variation_of(blurred) < 0.5 * filters.total_variation_of(plain)
    assert faint.square().mean() < 0.5 * plain.square().mean()


def test_blur_equals_torchvision():
    inputs = pictures(2, 3, 14, 17)
    assert (
        largest(
            blurring.gaussian_blur(inputs, 1.5, padding="reflect"),
            gaussian_blur(inputs, [9, 9], [1.5, 1.5])[:],
        )
        < 0.02
    )
    width = 2 * round(3 * 1.2) + 1
    assert (
        largest(
            blurring.gaussian_blur(inputs, 1.2, padding="reflect"),
            gaussian_blur(inputs, [width] * 2, [1.2] * 2),
        )
        < 1e-12
    )


def test_moves_shift_and_turn():
    picture = pictures(1, 3, 16, 16).clamp(-1, 1)
    assert filters._moved(picture, 0, 0.0, 0.0, torch.Generator()) is picture
    shifted = filters._moved(picture.expand(8, -1, -1, -1), 3, 0.0, 0.0, torch.Generator().manual_seed(0))
    inner = {
        (r, c): picture[0, :, 4 + r : 12 + r, 4 + c : 12 + c] for r in range(-3, 4) for c in range(-3, 4)
    }
    for moved in shifted:
        assert min(largest(moved[:, 4:12, 4:12], patch) for patch in inner.values()) < 1e-9
    flat = torch.full((4, 3, 16, 16), 0.3, dtype=torch.float64)
    assert largest(filters._moved(flat, 2, 0.2, 30.0, torch.Generator().manual_seed(0)), flat) < 1e-12


def test_diversity_makes_pictures_of_one_filter_differ():
    model = seeded(gap_network)
    options = {"shape": (3, 16, 16), "n_steps": 60, "n_pictures": 3}

    def likeness(found):
        with torch.no_grad():
            return filters._likeness(model[:5](found), 3).item()

    alike = activation_maximization(model, "4", 2, **options)
    diverse = activation_maximization(model, "4", 2, diversity=5.0, **options)
    assert alike.shape == (3, 3, 16, 16)
    assert likeness(diverse) < likeness(alike)
    assert filters._likeness(torch.ones(4, 5, 3, 3), 2) == pytest.approx(2.0), "two channels, each alike"


def test_codes_of_a_generator_are_climbed():
    class Generator(nn.Module):
        latent = 5

        def __init__(self):
            super().__init__()
            self.decoder = nn.Linear(5, 3 * 8 * 8)

        def decode(self, codes):
            return self.decoder(codes).sigmoid().view(-1, 3, 8, 8)

        forward = decode

    model, generator, scores = seeded(gap_network), seeded(Generator, seed=1), []
    options = {"value_range": (0.0, 1.0), "n_steps": 30}
    found = class_maximization(
        model,
        [0, 1],
        generator=generator.decode,
        n_pictures=2,
        on_step=lambda *s: scores.append(s[2]),
        **options,
    )
    assert found.shape == (4, 3, 8, 8) and (scores[-1] > scores[0]).all()
    assert torch.equal(found, class_maximization(model, [0, 1], generator=generator, n_pictures=2, **options))
    assert all(p.grad is None for p in generator.parameters())
    tame = class_maximization(model, 0, generator=generator, code_l2=1000.0, **options | {"n_steps": 300})
    assert largest(tame, generator(torch.zeros(1, 5, dtype=torch.float64))) < 0.01
    with pytest.raises(ValueError, match="latent"):
        class_maximization(model, 0, generator=lambda codes: codes, **options)


def test_colours_of_noise_become_the_colours_of_the_pictures():
    mixing = torch.tensor([[1.0, 0.2, 0], [0.8, 0, 0.1], [0.5, -0.3, 0]])
    mixed = torch.einsum("dc,nchw->ndhw", mixing, pictures(2, 3, 40, 40, dtype=torch.float32))
    basis = filters.colour_basis(mixed)
    assert largest(basis @ basis.T, mixed.transpose(0, 1).flatten(1).cov()) < 1e-5
    lengths = basis.norm(dim=0)
    assert lengths[0] > lengths[1] > lengths[2] and basis[:, 0].sum() > 0


def test_waves_add_up_to_a_picture_with_falling_amplitudes():
    noise = torch.randn(20, 3, 32, 17, 2, generator=torch.Generator().manual_seed(0))
    found = filters._from_waves(noise, (3, 32, 32), torch.eye(3))
    assert found.shape == (20, 3, 32, 32)
    power = torch.fft.rfft2(found).abs().square().mean(dim=(0, 1))
    frequencies = filters.wave_frequencies(32, 32)
    assert power[frequencies < 0.1].mean() > 10 * power[frequencies > 0.3].mean()
    for height, width in ((7, 9), (8, 5)):
        spectrum = noise[:1, :, :height, : width // 2 + 1]
        assert filters._from_waves(spectrum, (3, height, width), torch.eye(3)).shape == (1, 3, height, width)


# ---- leaving things as they were


@pytest.mark.parametrize("parametrization", ["pixel", "fourier"])
def test_the_model_stays_as_it_was(parametrization):
    model = seeded(ResidualNetwork).train()
    model.head.weight.requires_grad_(False)
    before = state(model)
    with torch.no_grad():
        first = class_maximization(model, 1, parametrization=parametrization, **SMALL)
        assert not torch.is_grad_enabled()
    assert same(before, state(model))
    with torch.inference_mode():
        second = class_maximization(model.eval(), 1, parametrization=parametrization, **SMALL)
    assert torch.equal(first, second), "training mode and no_grad of the caller do not matter"


def test_the_model_stays_as_it_was_after_an_error():
    model = seeded(gap_network).train()
    before = state(model)

    def stop(step, shown, scores):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        activation_maximization(model, "4", 0, on_step=stop, **SMALL)
    with pytest.raises(ValueError, match="channel 6 is out of range"):
        activation_maximization(model, "4", 6, **SMALL)
    assert same(before, state(model))


def test_the_same_seed_gives_the_same_picture_and_the_global_random_numbers_are_left_alone():
    model = seeded(gap_network)
    before = torch.random.get_rng_state()
    first, second, other = (
        class_maximization(model, 0, jitter=2, scale=0.1, rotate=5.0, seed=s, **SMALL) for s in (3, 3, 4)
    )
    assert torch.equal(first, second) and not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_start_is_not_changed():
    start = torch.zeros(1, 3, 12, 12, dtype=torch.float64)
    class_maximization(seeded(gap_network), 0, start=start, **SMALL)
    assert not start.any()


def test_a_progress_bar_on_request(capsys):
    class_maximization(seeded(gap_network), 0, **SMALL)
    assert capsys.readouterr() == ("", "")
    class_maximization(seeded(gap_network), 0, progress=True, **SMALL)
    assert "ascent" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parametrization": "wavelet"}, "parametrization"),
        ({"l2": -1.0}, "l2"),
        ({"jitter": -1}, "jitter"),
        ({"scale": 1.0}, "scale"),
        ({"n_steps": 0}, "n_steps"),
        ({"n_pictures": 0}, "n_pictures"),
        ({"blur": 1.0, "parametrization": "fourier"}, "blur"),
        ({"code_l2": 1.0}, "generator"),
        ({"generator": nn.Identity(), "parametrization": "fourier"}, "leave parametrization out"),
        ({"start": torch.zeros(1, 3, 5, 5)}, "start"),
        ({"colours": torch.eye(2), "parametrization": "fourier"}, "colours"),
        ({"objective": "loss"}, "objective"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        class_maximization(seeded(gap_network), 0, **SMALL | options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: class_maximization(m, 5, **SMALL), "target 5 is out of range"),
        (lambda m: class_maximization(m, [], **SMALL), "whole number"),
        (lambda m: class_maximization(m, 0.5, **SMALL), "tensor of integers"),
        (lambda m: activation_maximization(m, "4", 0, position=(9, 0), **SMALL), "position"),
        (lambda m: activation_maximization(m, "7", 0, position=(0, 0), **SMALL), "position"),
        (lambda m: activation_maximization(m, "9", 0, **SMALL), "no layer"),
        (lambda m: activation_maximization(m, "4", 0, diversity=1.0, **SMALL), "n_pictures=2"),
    ],
)
def test_wrong_places_are_named(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call(seeded(gap_network))


def test_a_layer_that_never_runs_is_named():
    model = seeded(gap_network)
    model.spare = nn.Conv2d(3, 3, 1)
    model.forward = lambda x: nn.Sequential.forward(model[:8], x)
    with pytest.raises(ValueError, match="did not run"):
        activation_maximization(model, "spare", 0, **SMALL)
