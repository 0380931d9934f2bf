"""Randomised models, intervals, similarities, and the agreement table."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity
from torch import nn

from course_utils.judge import agreement_table, bootstrap_interval, randomize_cascade, rank_correlation, ssim


def network():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU()),
        nn.Flatten(),
        nn.Linear(20, 3),
    )


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items() if tensor.is_floating_point()}


def test_the_cascade_goes_from_the_last_layer_to_the_first():
    model = network()
    with torch.no_grad():
        model[1].weight.fill_(2.0)  # as after training
        model[1].running_mean.fill_(1.0)
    before = weights(model)
    steps = list(randomize_cascade(model))
    assert [name for name, _ in steps] == ["5", "3.0", "0"]
    fresh = ["5.", "3.", ("0.", "1.")]
    for n, (_, copy) in enumerate(steps, start=1):
        drawn = tuple(p for prefix in fresh[:n] for p in ([prefix] if isinstance(prefix, str) else prefix))
        for name, tensor in weights(copy).items():
            changed = not torch.equal(tensor, before[name])
            expected = name.startswith(drawn) and name not in ("1.bias", "1.running_var")
            assert changed == expected, (n, name)
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(model).items())
    assert steps[2][1][1].running_mean.abs().max() == 0


def test_the_cascade_keeps_what_is_drawn_and_is_seeded():
    model = network().eval()
    first = [weights(copy) for _, copy in randomize_cascade(model)]
    assert torch.equal(first[0]["5.weight"], first[2]["5.weight"])
    torch.manual_seed(5)
    state = torch.get_rng_state()
    second = []
    for _, copy in randomize_cascade(model):
        second.append(weights(copy))
        assert torch.equal(torch.get_rng_state(), state), "the caller's random numbers are left alone"
        assert not copy.training
        with torch.no_grad():
            copy[5].weight.zero_()  # a caller may do what it likes with its copy
    for a, b in zip(first, second, strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)
    other = [weights(copy) for _, copy in randomize_cascade(model, seed=1)]
    assert not torch.equal(other[0]["5.weight"], first[0]["5.weight"])


def test_new_weights_are_spread_like_a_new_modules():
    model = nn.Sequential(nn.Linear(400, 300))
    with torch.no_grad():
        model[0].weight.fill_(9.0)
    ((_, copy),) = randomize_cascade(model)
    assert copy[0].weight.std().item() == pytest.approx(nn.Linear(400, 300).weight.std().item(), rel=0.02)

    class Free(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(3 + 2 * torch.randn(500, 50))

    free = Free()
    ((name, copy),) = randomize_cascade(free)
    assert name == "" and not torch.equal(copy.table, free.table)
    assert copy.table.mean().item() == pytest.approx(3, abs=0.1)
    assert copy.table.std().item() == pytest.approx(2, abs=0.1)


def test_a_model_without_weights_cannot_be_randomised():
    with pytest.raises(ValueError, match="no weights"):
        next(randomize_cascade(nn.ReLU()))


@pytest.mark.parametrize("seed", [None, -1, 1.5, True, 10**30])
def test_the_seed_of_the_cascade_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="seed must be a whole number from 0"):
        next(randomize_cascade(network(), seed=seed))


def test_bootstrap_interval_has_the_right_width_and_is_seeded():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0))
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std().item() / math.sqrt(400)
    assert low == pytest.approx(values.mean().item() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean().item() + half, abs=0.1 * half)
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval(values, seed=1) != (low, high)
    narrow = bootstrap_interval(values, level=0.5)
    assert low < narrow[0] < narrow[1] < high
    assert bootstrap_interval(np.array([0.25])) == (0.25, 0.25)
    assert bootstrap_interval(values.numpy()) == (low, high)


def test_bootstrap_interval_covers_the_truth_as_often_as_it_says():
    generator = torch.Generator().manual_seed(1)
    hits = 0
    for _ in range(300):
        low, high = bootstrap_interval(torch.rand(50, generator=generator), level=0.9, n_resamples=300)
        hits += low <= 0.5 <= high
    assert 0.84 < hits / 300 < 0.95


@pytest.mark.parametrize("values", [torch.zeros(0), torch.zeros(2, 2), torch.tensor([1.0, torch.nan])])
def test_bootstrap_interval_refuses_what_has_no_mean(values):
    with pytest.raises(ValueError, match="values must be"):
        bootstrap_interval(values)


def test_bootstrap_interval_refuses_a_level_of_one():
    with pytest.raises(ValueError, match="level"):
        bootstrap_interval(torch.ones(3), level=1)


def test_rank_correlation_equals_scipy_with_ties():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randint(0, 6, (4, 7, 8), generator=generator).float()
    others = maps * torch.tensor([1.0, -1, 0.5, 0]).view(-1, 1, 1) + torch.rand(4, 7, 8, generator=generator)
    expected = [spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(maps, others, strict=True)]
    assert rank_correlation(maps, others).tolist() == pytest.approx(expected, abs=1e-6)
    assert rank_correlation(maps, maps**3).tolist() == pytest.approx([1] * 4)
    assert rank_correlation(maps, torch.ones_like(maps)).tolist() == [0] * 4


def test_ssim_is_scikit_images_of_scaled_maps():
    maps = torch.randn(3, 12, 9, generator=torch.Generator().manual_seed(0))
    others = maps + torch.randn(3, 12, 9, generator=torch.Generator().manual_seed(1))

    def scaled(m):
        return ((m - m.min()) / (m.max() - m.min())).double().numpy()

    expected = [
        structural_similarity(scaled(a), scaled(b), data_range=1.0) for a, b in zip(maps, others, strict=True)
    ]
    assert ssim(maps, others).tolist() == pytest.approx(expected, abs=1e-6)
    assert ssim(maps, 5 * maps - 2).tolist() == pytest.approx([1] * 3)
    assert ssim(maps, torch.zeros_like(maps)).isfinite().all()
    with pytest.raises(ValueError, match="7 pixels"):
        ssim(maps[:, :6], others[:, :6])


@pytest.mark.parametrize("similarity", [rank_correlation, ssim])
def test_similarities_refuse_what_cannot_be_compared(similarity):
    maps = torch.rand(2, 8, 8)
    with pytest.raises(ValueError, match="one shape"):
        similarity(maps, maps[:1])
    with pytest.raises(ValueError, match="NaN"):
        similarity(maps, maps * torch.nan)


def test_the_agreement_table_prints_powers_of_ten():
    ours = torch.zeros(2, 3)
    rows = [
        ("captum", ours, ours + 3e-9, "none"),
        ("torchcam", ours, ours.numpy() + 2e-5, "min-max <scaled>"),
        ("completeness", 0.0, 0.25, "sum = f(x) − f(x′)"),
    ]
    table = agreement_table(rows)
    assert str(table) == repr(table)
    assert str(table).splitlines() == [
        "reference     largest difference  convention",
        "captum        ≤ 1e-06             none",
        "torchcam      ≤ 1e-04             min-max <scaled>",
        "completeness  0.25                sum = f(x) − f(x′)",
    ]
    assert table.largest == 0.25
    html = table._repr_html_()
    assert "min-max &lt;scaled&gt;" in html and "≤ 1e-04" in html and html.count("<tr>") == 4


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (0, "≤ 1e-06"),
        (1e-6, "≤ 1e-06"),
        (1.1e-6, "≤ 1e-05"),
        (1e-3, "≤ 1e-03"),
        (0.0051, "≤ 1e-02"),
        (0.01, "≤ 1e-02"),
        (0.0101, "0.01"),
        (0.25, "0.25"),
        (70, "70.00"),
        (12345, "1.2e+04"),
        (float("inf"), "infinite"),
    ],
)
def test_small_differences_are_bounds_and_large_ones_numbers(difference, text):
    assert text in str(agreement_table([("a", 0.0, difference, "")]))


def test_the_agreement_table_refuses_what_is_no_comparison():
    with pytest.raises(ValueError, match="at least one row"):
        agreement_table([])
    with pytest.raises(ValueError, match="captum: our result is"):
        agreement_table([("captum", torch.zeros(2, 3), torch.zeros(3), "")])
    with pytest.raises(ValueError, match="NaN"):
        agreement_table([("captum", torch.zeros(2), torch.full((2,), torch.nan), "")])
