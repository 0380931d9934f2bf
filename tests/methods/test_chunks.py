"""How many pictures go through the model at a time: a bound on memory that changes no result."""

import subprocess
import sys

import pytest
import torch
from small_networks import gap_network, largest, pictures, seeded
from torch import nn

from course_utils.batches import pictures_at_once
from course_utils.methods import cam, deconvnet, filters, gradients, hooks
from course_utils.methods.occlusion import occlusion

METHODS = {
    "saliency": gradients.saliency,
    "input_x_gradient": gradients.input_x_gradient,
    "smooth_grad": lambda m, x, t: gradients.smooth_grad(m, x, t, 5),
    "var_grad": lambda m, x, t: gradients.var_grad(m, x, t, 5),
    "integrated_gradients": lambda m, x, t: gradients.integrated_gradients(m, x, t, n_steps=7),
    "delta": lambda m, x, t: gradients.integrated_gradients(
        m, x, t, n_steps=7, return_convergence_delta=True
    )[1],
    "cam": lambda m, x, t: cam.cam(m, x, t, "4", "7"),
    "grad_cam": lambda m, x, t: cam.grad_cam(m, x, t, "4"),
    "grad_cam_plus_plus": lambda m, x, t: cam.grad_cam_plus_plus(m, x, t, "4"),
    "layer_cam": lambda m, x, t: cam.layer_cam(m, x, t, "4"),
    "score_cam": lambda m, x, t: cam.score_cam(m, x, t, "4"),
    "guided_backprop": deconvnet.guided_backprop,
    "deconvnet": lambda m, x, t: deconvnet.deconvnet(m, x, "4", t),
    "occlusion": lambda m, x, t: occlusion(m, x, t, 6, 6),
    "filter_activation": lambda m, x, t: filters.filter_activation(m, x, "4", 2),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_in_chunks_gives_what_one_chunk_gives(name, monkeypatch):
    model, inputs, targets = seeded(gap_network), pictures(7, 3, 12, 12), torch.arange(7) % 5
    sizes = []
    model.register_forward_hook(lambda module, args, output: sizes.append(len(args[0])))
    results = {}
    for at_once in (1, 3, 1000):
        monkeypatch.setattr(hooks, "pictures_at_once", lambda pixels, n=at_once: n)
        sizes.clear()
        results[at_once] = METHODS[name](model, inputs, targets)
        assert max(sizes) <= at_once
    assert largest(results[1], results[1000]) < 1e-12 and largest(results[3], results[1000]) < 1e-12
    assert results[1].abs().max() > 1e-9


@pytest.mark.parametrize("name", ["smooth_grad", "var_grad"])
def test_the_noise_of_a_seed_does_not_depend_on_the_chunks(name):
    inputs, drawn = pictures(3, 3, 12, 12), {}

    class Spy(nn.Module):
        def forward(self, x):
            seen.append(x.detach())
            return x.mean(dim=(2, 3))

    for chunk_size in (1, 2, 4, 100):
        seen = []
        getattr(gradients, name)(Spy(), inputs, 0, 6, chunk_size=chunk_size)
        drawn[chunk_size] = torch.cat(seen)
        assert torch.equal(drawn[chunk_size], drawn[1])


def test_the_number_of_pictures_falls_with_their_size():
    counts = [pictures_at_once(side * side) for side in range(1, 3001)]
    assert counts == sorted(counts, reverse=True) and counts[0] == 32 and counts[-1] == 1
    assert [pictures_at_once(side * side) for side in (64, 128, 224, 512, 1000)] == [32, 8, 5, 1, 1]
    assert all(n == 1 or n * side * side <= 2**18 for side, n in enumerate(counts, start=1))


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss differs")
def test_one_large_picture_takes_less_than_three_gigabytes():
    # a fresh process: the peak counts from its start
    script = """if True:
        import resource, torch
        from course_utils.labs import load_lab
        from course_utils.methods.gradients import integrated_gradients
        model, picture = load_lab("photos").model, torch.rand(1, 3, 1000, 1000)
        integrated_gradients(model, picture, 1, n_steps=2)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[-1]) < 3


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "integrated_gradients"])
def test_vectors_are_explained_like_pictures(method):
    model = seeded(lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)))
    as_pictures = nn.Sequential(nn.Flatten(), *model)
    rows, targets = pictures(5, 6), torch.arange(5) % 3
    found = getattr(gradients, method)(model, rows, targets)
    expected = getattr(gradients, method)(as_pictures, rows.view(5, 6, 1, 1), targets)
    assert found.shape == (5, 6) and largest(found, expected.view(5, 6)) < 1e-14


def test_integrated_gradients_of_vectors_are_complete():
    model = seeded(lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)))
    rows, baseline = pictures(5, 6), pictures(6, seed=3)
    maps, delta = gradients.integrated_gradients(model, rows, 1, baseline, return_convergence_delta=True)
    gain = (model(rows) - model(baseline[None]))[:, 1]
    assert largest(maps.sum(dim=1), gain.detach()) < 1e-10 and delta.abs().max() < 1e-10


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("noisy copies", lambda m, x, p: gradients.smooth_grad(m, x, 1, 4, progress=p)),
        ("noisy copies", lambda m, x, p: gradients.var_grad(m, x, 1, 4, progress=p)),
        ("integrated gradients", lambda m, x, p: gradients.integrated_gradients(m, x, 1, progress=p)),
        ("occlusion", lambda m, x, p: occlusion(m, x, 1, 4, 4, progress=p)),
    ],
)
def test_a_progress_bar_on_request_changes_nothing(name, call, capsys):
    model, inputs = seeded(gap_network), pictures(2, 3, 12, 12)
    plain = call(model, inputs, False)
    assert capsys.readouterr() == ("", "")
    assert torch.equal(call(model, inputs, True), plain)
    shown = capsys.readouterr()
    assert name in shown.out and shown.err == ""
