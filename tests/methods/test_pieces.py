"""The pieces of a ReLU network: held against autograd, captum, linear programs, a grid, and identities."""

import numpy as np
import pytest
import torch
from captum.attr import Saliency
from torch import nn

from course_utils.lessons.l20_pieces_and_symmetries import as_torch, new_network, on_a_grid, possible_patterns
from course_utils.methods import pieces as methods

BOX = (-2.0, 1.5, -1.0, 2.5)


def network(*widths: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return [(2 * w, b + rng.normal(size=b.shape) / 2) for w, b in new_network(widths, seed)]


def answers(layers, points):
    with torch.no_grad():
        return as_torch(layers)(torch.from_numpy(points)).numpy()


@pytest.mark.parametrize("widths", [(2, 1), (2, 7, 1), (5, 6, 3), (3, 8, 5, 4, 2)])
def test_the_formula_at_a_point_is_the_network_and_its_gradient(widths):
    layers = network(*widths)
    model = as_torch(layers)
    for x in np.random.default_rng(1).normal(size=(5, widths[0])):
        piece = methods.piece_of(layers, x)
        np.testing.assert_allclose(piece.slope @ x + piece.offset, answers(layers, x[None])[0], atol=1e-12)
        for target, slope in enumerate(piece.slope):
            row = torch.from_numpy(x)[None].requires_grad_()
            theirs = Saliency(model).attribute(row, target=target, abs=False)
            np.testing.assert_allclose(slope, theirs[0].detach().numpy(), atol=1e-12)


@pytest.mark.parametrize(("units", "seed"), [(1, 0), (5, 1), (6, 2)])
def test_regions_equal_linear_programs_and_pieces(units, seed):
    layers = network(2, units, 1, seed=seed)
    ours = methods.count_regions(*layers[0], BOX)
    assert ours == len(methods.pieces(layers, BOX)) == possible_patterns(*layers[0], BOX)


@pytest.mark.parametrize("widths", [(2, 8, 1), (2, 5, 6, 1), (2, 4, 4, 4, 3)])
def test_pieces_fill_the_box_and_hold_the_networks_formula(widths):
    layers = network(*widths)
    found = methods.pieces(layers, BOX)
    assert sum(p.area for p in found) == pytest.approx(3.5 * 3.5, rel=1e-12)
    assert len({p.on.tobytes() for p in found}) == len(found)  # each pattern once: pieces are convex
    assert 0.8 * len(found) <= on_a_grid(layers, BOX, 400) <= len(found)
    for piece in found:
        middle = piece.corners.mean(axis=0)
        same = methods.piece_of(layers, middle)
        np.testing.assert_array_equal(piece.on, same.on)
        np.testing.assert_allclose(piece.slope, same.slope, atol=1e-12)
        np.testing.assert_allclose(piece.offset, same.offset, atol=1e-12)


@pytest.mark.parametrize("widths", [(2, 6, 1), (4, 5, 5, 2)])
def test_inside_the_reach_the_formula_holds_and_beyond_a_unit_switches(widths):
    layers, rng = network(*widths), np.random.default_rng(3)
    for x in rng.normal(size=(5, widths[0])):
        piece, far = methods.piece_of(layers, x), methods.reach(layers, x)
        ways = rng.normal(size=(2000, widths[0]))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        inside = x + 0.999 * far * ways
        np.testing.assert_allclose(inside @ piece.slope.T + piece.offset, answers(layers, inside), atol=1e-10)
        outside = [methods.piece_of(layers, p).on for p in x + 1.3 * far * ways]
        assert (outside != piece.on).any()


def test_lines_that_are_parallel_or_meet_in_one_point():
    axes = np.array([[1.0, 0], [0, 1], [1, 1]])
    layers = [(axes, np.zeros(3)), (np.ones((1, 3)), np.zeros(1))]
    assert len(methods.pieces(layers, (-1, 1, -1, 1))) == 6  # three lines through one point
    assert methods.count_regions(np.array([[1.0, 0], [1, 0]]), np.array([0.5, -0.5]), (-1, 1, -1, 1)) == 3


def test_no_hidden_layer_and_dead_units():
    assert methods.reach(network(3, 2), np.zeros(3)) == np.inf
    dead = [(np.zeros((2, 2)), -np.ones(2)), (np.ones((1, 2)), np.ones(1))]
    assert len(methods.pieces(dead, BOX)) == 1
    assert methods.reach(dead, np.zeros(2)) == np.inf


def test_layers_of_a_model():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2, bias=False))
    layers = methods.layers_of(model)
    x = torch.randn(4, generator=torch.Generator().manual_seed(0))
    piece = methods.piece_of(layers, x.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(piece.slope @ x.numpy() + piece.offset, model(x[None])[0], atol=1e-5)


LAYERS = network(2, 4, 1)
SOFT = nn.Sequential(nn.Linear(2, 3), nn.Softplus(), nn.Linear(3, 1))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: methods.layers_of(nn.Linear(2, 1)), TypeError, ("model", "Sequential", "list its layers")),
        (lambda: methods.layers_of(LAYERS), TypeError, ("model", "wrap")),
        (lambda: methods.layers_of(SOFT), ValueError, ("model", "Softplus", "only these have pieces")),
        (lambda: methods.piece_of(LAYERS, np.zeros(3)), ValueError, ("x (3,)", "(2,)", "one row at a time")),
        (lambda: methods.piece_of(LAYERS, [np.nan, 0]), ValueError, ("x", "finite")),
        (lambda: methods.piece_of([], np.zeros(2)), ValueError, ("layers", "at least one")),
        (lambda: methods.piece_of(SOFT, np.zeros(2)), ValueError, ("layers", "layers_of")),
        (lambda: methods.reach([LAYERS[0], LAYERS[0]], np.zeros(2)), ValueError, ("pair 1", "in = 4")),
        (lambda: methods.pieces(network(3, 4, 1), BOX), ValueError, ("layers", "3 inputs", "plane")),
        (lambda: methods.pieces(LAYERS, (1, 0, 0, 1)), ValueError, ("box", "left < right")),
        (lambda: methods.pieces(LAYERS, 2), ValueError, ("box", "four numbers")),
        (lambda: methods.pieces([(np.full((1, 2), np.nan), [0])], BOX), ValueError, ("NaN", "training")),
        (lambda: methods.count_regions(np.ones((3, 3)), np.ones(3), BOX), ValueError, ("weight", "plane")),
    ],
)
def test_bad_input_names_argument_and_remedy(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert all(word in str(caught.value) for word in words), caught.value


def test_too_many_pieces_are_refused(monkeypatch):
    monkeypatch.setattr(methods, "MOST_PIECES", 5)
    with pytest.raises(ValueError, match="smaller network or box"):
        methods.pieces(network(2, 8, 1), BOX)


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_regions_do_not_depend_on_the_size_of_the_weights(factor):
    weight, bias = network(2, 6, 1)[0]
    wanted = methods.count_regions(weight, bias, BOX)
    assert methods.count_regions(weight * factor, bias * factor, BOX) == wanted


def test_layers_of_lists_do():
    layers = network(2, 4, 1)
    lists = [(weight.tolist(), bias.tolist()) for weight, bias in layers]
    x = np.array([0.3, -0.2])
    assert np.array_equal(methods.piece_of(lists, x).slope, methods.piece_of(layers, x).slope)
    assert methods.reach(iter(lists), x) == methods.reach(layers, x)
    with pytest.raises(ValueError, match="W of layers"):
        methods.piece_of([(layers[0][0] * 1j, layers[0][1])], x)
