"""Circuits: equal to independent references on random models, identities, hygiene, bad inputs."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.labs.induction import AttentionOnly
from course_utils.methods import circuits

SHAPES = ((9, 11, 6, 4, 2), (30, 7, 12, 12, 1), (15, 20, 8, 3, 4))  # vocabulary, longest, width, head, heads


def _model(shape, seed=0) -> AttentionOnly:
    torch.manual_seed(seed)
    return AttentionOnly(*shape).double().eval()


def _tokens(shape, n=3, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(shape[0], size=(n, shape[1])))


def _their_logits(model, tokens):
    """The same model from torch's own attention."""
    stream, positions = model.embed(tokens), model.positions[: tokens.shape[1]]
    for head in model.heads:
        placed = stream + positions
        mixed = F.scaled_dot_product_attention(
            placed @ head.W_Q, placed @ head.W_K, stream @ head.W_V, is_causal=True
        )
        stream = stream + mixed @ head.W_O
    return F.linear(stream, model.unembed.weight)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_models_logits_are_those_of_torchs_own_attention(shape):
    model, tokens = _model(shape), _tokens(shape)
    torch.testing.assert_close(model(tokens), _their_logits(model, tokens))
    for step in model.steps(tokens):
        torch.testing.assert_close(step["weights"].sum(dim=2), torch.ones(3, shape[1]).double())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("center", [True, False])
def test_attributions_add_up_to_the_logit(shape, center):
    model, tokens = _model(shape), _tokens(shape)
    place, answers = 4, torch.arange(3)
    parts = {name: part[:, place].detach() for name, part in model.parts(tokens).items()}
    found = circuits.logit_attribution(parts, model.unembed.weight, answers, center=center)
    logits = model(tokens)[:, place]
    if center:
        logits = logits - logits.mean(dim=1, keepdim=True)
    torch.testing.assert_close(sum(found.values()), logits[torch.arange(3), answers], atol=1e-9, rtol=0)
    assert list(found) == ["token", *(f"head {i}" for i in range(shape[4]))]


def test_one_target_for_all_texts_and_one_for_each_are_the_same():
    unembed, parts = torch.randn(7, 5), {"a": torch.randn(4, 5)}
    one = circuits.logit_attribution(parts, unembed, 3)["a"]
    each = circuits.logit_attribution(parts, unembed, torch.full((4,), 3))["a"]
    torch.testing.assert_close(one, each)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_lens_at_the_end_is_the_models_answer(shape):
    model, tokens = _model(shape), _tokens(shape)
    last = sum(model.parts(tokens).values())
    torch.testing.assert_close(circuits.logit_lens(last, model.unembed.weight), model(tokens))


@pytest.mark.parametrize("shape", SHAPES)
def test_patching_every_place_of_the_first_part_gives_the_clean_answer(shape):
    model, clean, other = _model(shape), _tokens(shape, seed=1), _tokens(shape, seed=2)
    output = circuits.output_of(model, clean, model.embed)
    torch.testing.assert_close(circuits.patch(model, other, model.embed, output), model(clean))
    everywhere = list(range(shape[1]))
    torch.testing.assert_close(circuits.patch(model, other, model.embed, output, everywhere), model(clean))
    own = circuits.output_of(model, other, model.embed)
    torch.testing.assert_close(circuits.patch(model, other, model.embed, own, [0, -1]), model(other))


def test_patching_one_token_is_exchanging_one_token():
    shape = SHAPES[0]
    model, clean, other = _model(shape), _tokens(shape, seed=1), _tokens(shape, seed=2)
    output = circuits.output_of(model, clean, model.embed)
    for place in (0, 5, -2):
        mixed = other.clone()
        mixed[:, place] = clean[:, place]
        torch.testing.assert_close(circuits.patch(model, other, model.embed, output, place), model(mixed))


def test_patching_equals_nnsight():
    nnsight = pytest.importorskip("nnsight")
    shape = SHAPES[0]
    model, clean, other = _model(shape), _tokens(shape, seed=1), _tokens(shape, seed=2)
    output = circuits.output_of(model, clean, model.heads[0])
    ours = circuits.patch(model, other, model.heads[0], output, 3)
    traced = nnsight.NNsight(copy.deepcopy(model))
    with traced.trace(other):
        traced.heads[0].output[:, 3] = output[:, 3]
        theirs = traced.output.save()
    torch.testing.assert_close(ours, theirs.detach())


def test_a_silent_head_writes_nothing():
    model, tokens = _model(SHAPES[1]), _tokens(SHAPES[1])
    with circuits.change_output(model.heads[0], torch.zeros_like), torch.no_grad():
        silent = model(tokens)
    torch.testing.assert_close(silent, model.unembed(model.embed(tokens)).detach())


class _Tuple(nn.Module):
    def forward(self, x):
        return x + 1, "rest"


def test_modules_that_return_a_tuple_keep_the_rest():
    module = _Tuple()
    with circuits.change_output(module, lambda x: 10 * x):
        first, rest = module(torch.ones(2, 3))
    assert rest == "rest" and (first == 20).all()


def test_recovered_is_none_and_all_and_between():
    clean, corrupted = torch.tensor([5.0, 7.0]), torch.tensor([1.0, 1.0])
    assert circuits.recovered(clean, clean, corrupted) == 1
    assert circuits.recovered(corrupted, clean, corrupted) == 0
    assert circuits.recovered((clean + corrupted) / 2, clean, corrupted) == 0.5


def test_copying_score_is_that_of_the_whole_matrix():
    torch.manual_seed(0)
    for n, r in ((9, 3), (5, 8), (12, 12)):
        read, write = torch.randn(n, r).double(), torch.randn(r, n).double()
        values = torch.linalg.eigvals(read @ write)
        expected = (values.real.sum() / values.abs().sum()).item()
        assert circuits.copying_score(read, write) == pytest.approx(expected, abs=1e-6)
        assert circuits.copying_score(read, read.T) == pytest.approx(1)
        assert circuits.copying_score(read, -read.T) == pytest.approx(-1)


def test_attention_at_a_distance_reads_one_diagonal():
    weights = torch.rand(2, 6, 6)
    for distance, first in ((0, 0), (1, 0), (1, 3), (4, 2)):
        rows = [i for i in range(6) if i >= max(distance, first)]
        expected = torch.stack([weights[:, i, i - distance] for i in rows], dim=1)
        torch.testing.assert_close(circuits.attention_at_distance(weights, distance, first), expected)


def _state(model):
    return (
        [(len(m._forward_hooks), m.training) for m in model.modules()],
        [p.requires_grad for p in model.parameters()],
        [p.detach().clone() for p in model.parameters()],
    )


@pytest.mark.parametrize("training", [True, False])
def test_models_are_as_before_also_after_an_error(training):
    shape = SHAPES[0]
    model, tokens = _model(shape).train(training), _tokens(shape)
    before, inputs = _state(model), tokens.clone()
    output = circuits.output_of(model, tokens, model.heads[1])
    kept = output.clone()
    circuits.patch(model, tokens, model.heads[1], output, 2)
    for bad in (output[:, :3], output[:1]):
        with pytest.raises(ValueError):
            circuits.patch(model, tokens, model.heads[1], bad)
    with pytest.raises(ZeroDivisionError), circuits.change_output(model.heads[0], lambda x: x / 0 * (1 / 0)):
        model(tokens)
    after = _state(model)
    assert before[:2] == after[:2] and all(
        torch.equal(a, b) for a, b in zip(before[2], after[2], strict=True)
    )
    assert torch.equal(tokens, inputs) and torch.equal(output, kept) and not output.requires_grad
    assert all(p.grad is None for p in model.parameters())


_U, _P = torch.randn(7, 5), {"a": torch.randn(4, 5)}
_M = _model(SHAPES[0])
_T = _tokens(SHAPES[0])
_O = circuits.output_of(_M, _T, _M.heads[0])
_W = torch.rand(2, 6, 6)
_NAN = torch.full((4, 5), torch.nan)

BAD = {
    "lens, array": (
        lambda: circuits.logit_lens(np.ones((2, 5)), _U),
        TypeError,
        "states must be a float tensor",
    ),
    "lens, tokens": (lambda: circuits.logit_lens(torch.ones(2, 5).long(), _U), TypeError, "states"),
    "lens, transposed": (lambda: circuits.logit_lens(_P["a"], _U.T), ValueError, "unembed.T"),
    "lens, nan": (lambda: circuits.logit_lens(_NAN, _U), ValueError, "states contain NaN"),
    "lens, bias": (lambda: circuits.logit_lens(_P["a"], _U[0]), ValueError, "vocabulary, d"),
    "parts, tensor": (
        lambda: circuits.logit_attribution(_P["a"], _U, 0),
        TypeError,
        "parts must be a mapping",
    ),
    "parts, none": (lambda: circuits.logit_attribution({}, _U, 0), ValueError, "parts is empty"),
    "parts, all places": (
        lambda: circuits.logit_attribution({"a": torch.randn(4, 3, 5)}, _U, 0),
        ValueError,
        r"part\[:, place\]",
    ),
    "parts, shapes": (
        lambda: circuits.logit_attribution(_P | {"b": torch.randn(3, 5)}, _U, 0),
        ValueError,
        "one shape",
    ),
    "target, float": (lambda: circuits.logit_attribution(_P, _U, 1.5), TypeError, "target must be"),
    "target, large": (lambda: circuits.logit_attribution(_P, _U, 7), ValueError, "out of range"),
    "target, number": (lambda: circuits.logit_attribution(_P, _U, torch.arange(3)), ValueError, "one a text"),
    "change, name": (lambda: _M and _change("heads.0", torch.zeros_like), TypeError, "torch.nn.Module"),
    "change, value": (lambda: _change(_M.heads[0], 0), TypeError, "change must be a function"),
    "change, shape": (lambda: _change(_M.heads[0], lambda x: x[:1]), ValueError, "change must return"),
    "change, list": (
        lambda: _change(_M, torch.zeros_like, nn.Identity()),
        TypeError,
        "module returns a list",
    ),
    "patch, stranger": (
        lambda: circuits.patch(_M, _T, _model(SHAPES[0]).heads[0], _O),
        ValueError,
        "module did not run",
    ),
    "output, stranger": (
        lambda: circuits.output_of(_M, _T, nn.Linear(2, 2)),
        ValueError,
        "module did not run",
    ),
    "patch, length": (
        lambda: circuits.patch(_M, _T, _M.heads[0], _O[:, :5]),
        ValueError,
        "same number of tokens",
    ),
    "patch, place": (lambda: circuits.patch(_M, _T, _M.heads[0], _O, 11), ValueError, "places 11"),
    "patch, before": (lambda: circuits.patch(_M, _T, _M.heads[0], _O, -12), ValueError, "places -12"),
    "patch, half a place": (lambda: circuits.patch(_M, _T, _M.heads[0], _O, 0.5), TypeError, "places must"),
    "patch, bool": (lambda: circuits.patch(_M, _T, _M.heads[0], _O, [True]), TypeError, "places must"),
    "recovered, same": (
        lambda: circuits.recovered(torch.ones(3), torch.ones(3), torch.ones(3)),
        ValueError,
        "corrupt something",
    ),
    "recovered, shapes": (
        lambda: circuits.recovered(torch.ones(2), torch.ones(3), torch.ones(3)),
        ValueError,
        "patched has the shape",
    ),
    "copying, shapes": (lambda: circuits.copying_score(_U, _U), ValueError, "write"),
    "copying, zero": (lambda: circuits.copying_score(0 * _U, _U.T), ValueError, "eigenvalues of zero"),
    "distance, scores": (
        lambda: circuits.attention_at_distance(3 * _W - 1, 1),
        ValueError,
        "after the softmax",
    ),
    "distance, rows": (lambda: circuits.attention_at_distance(_W, 6), ValueError, "leave no row"),
    "distance, sign": (lambda: circuits.attention_at_distance(_W, -1), ValueError, "distance must"),
    "distance, one map": (lambda: circuits.attention_at_distance(_W[0], 1), ValueError, "N, T, T"),
    "distance, half": (lambda: circuits.attention_at_distance(_W, 0.5), TypeError, "distance must"),
}


def _change(module, change, runs=None):
    with circuits.change_output(runs or module, change):
        (runs([1]) if runs else _M(_T))


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_remedy(name):
    call, error, message = BAD[name]
    with pytest.raises(error, match=message):
        call()


def test_an_output_in_another_precision_is_put_in():
    for places in (3, None):
        wanted = circuits.patch(_M, _T, _M.heads[0], _O, places)
        assert torch.equal(circuits.patch(_M, _T, _M.heads[0], _O.double(), places), wanted)


def test_states_and_unembedding_in_two_precisions():
    wanted = circuits.logit_lens(_P["a"].double(), _U.double())
    assert torch.allclose(circuits.logit_lens(_P["a"].double(), _U), wanted)
    assert torch.allclose(circuits.logit_lens(_P["a"], _U.double()), wanted)
    read, write = torch.randn(7, 3), torch.randn(3, 7)
    assert circuits.copying_score(read.double(), write) == circuits.copying_score(read, write)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: circuits.logit_lens(_P["a"], _U[:0]), ValueError, "vocabulary, d"),
        (lambda: circuits.logit_attribution(_P, _U[0, 0], 0), ValueError, "vocabulary, d"),
        (lambda: circuits.logit_attribution(_P, _U, 0, center="no"), TypeError, "center must be True"),
        (lambda: circuits.recovered(_P["a"], [1.0], _P["a"]), TypeError, "clean must be a float tensor"),
        (lambda: circuits.attention_at_distance(torch.zeros(0, 3, 3), 1), ValueError, "N, T, T"),
    ],
)
def test_bad_input_that_is_empty_or_of_another_kind(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_bad_input_a_module_that_runs_twice():
    twice = nn.Linear(3, 3)
    model = nn.Sequential(twice, nn.ReLU(), twice)
    for call in (
        lambda: circuits.output_of(model, torch.ones(2, 3), twice),
        lambda: circuits.patch(model, torch.ones(2, 3), twice, torch.ones(2, 3)),
    ):
        with pytest.raises(ValueError, match="ran 2 times in one pass"):
            call()
