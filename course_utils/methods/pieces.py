"""The linear pieces of a ReLU network: count them, and explain an answer exactly from the piece it lies in.

A network of `Linear` and `ReLU` layers is a list of pairs `(W, b)`, W `(out, in)` and b `(out,)`, with a ReLU
between two pairs and none after the last. Where no unit changes from on to off such a network is one straight
formula, `A x + c`. The set of all x with the same units on is its *piece*: convex, since it is cut out by
half-spaces (Chu and others 2018, "Exact and consistent interpretation for piecewise linear neural networks",
section 4; Montúfar and others 2014, "On the number of linear regions of deep neural networks", section 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from torch import nn

from course_utils.methods.arguments import check_model, to_floats

Layers = Sequence[tuple[np.ndarray, np.ndarray]]
Box = tuple[float, float, float, float]  # left, right, bottom, top
ON_THE_LINE = 1e-12  # a corner so near a line, for its largest value, lies on it
MOST_PIECES = 20_000


@dataclass(frozen=True, eq=False)
class Piece:
    """A convex part of the input space and the network's formula there, scores = slope @ x + offset."""

    on: np.ndarray  # (hidden units,) bool, all layers in order
    slope: np.ndarray  # (k, d)
    offset: np.ndarray  # (k,)
    corners: np.ndarray | None = None  # (m, 2), in order around it; only in the plane

    @property
    def area(self) -> float:
        """Of a piece in the plane."""
        x, y = self.corners.T
        return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def layers_of(model: nn.Sequential) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases of a network of `Linear` and `ReLU` layers in turn, in double precision.

    Raises:
        TypeError: `model` is not a `torch.nn.Sequential`.
        ValueError: another layer in it, or two of one kind in a row.
    """
    check_model(model)
    if not isinstance(model, nn.Sequential):
        raise TypeError(f"model must be a torch.nn.Sequential, not a {type(model).__name__}: list its layers")
    parts = [part for part in model if not isinstance(part, (nn.Flatten, nn.Identity))]
    wanted = [(nn.Linear, nn.ReLU)[i % 2] for i in range(len(parts))]
    if len(parts) % 2 == 0 or any(type(p) is not w for p, w in zip(parts, wanted, strict=True)):
        names = ", ".join(type(part).__name__ for part in parts)
        raise ValueError(
            f"model must be Linear, ReLU, Linear, … , Linear, not {names}: only these have pieces"
        )
    return [_pair(linear) for linear in parts[::2]]


def piece_of(layers: Layers, x: np.ndarray) -> Piece:
    """The formula of the network at one point, `slope @ x + offset`, exact on the point's whole piece.

    `slope` is the gradient of the scores. At a point exactly on a boundary a unit with the value 0 is off.

    Args:
        layers: pairs (W, b), or `layers_of(model)`.
        x: (d,).

    Raises:
        ValueError: shapes that do not fit together, NaN.
    """
    layers = _checked(layers)
    x = _point(x, layers)
    on, slope, offset = [], np.eye(len(x)), np.zeros(len(x))
    for i, (weight, bias) in enumerate(layers):
        slope, offset = weight @ slope, weight @ offset + bias
        if i < len(layers) - 1:
            on.append(slope @ x + offset > 0)
            slope, offset = slope * on[-1][:, None], offset * on[-1]
    return Piece(np.concatenate(on) if on else np.zeros(0, bool), slope, offset)


def reach(layers: Layers, x: np.ndarray) -> float:
    """How far the explanation of x holds: the distance from x to the border of its piece, ≥ 0.

    Each hidden unit is one straight formula on the piece, z_j = g_j · x + c_j; its border is at the distance
    |z_j| / ‖g_j‖. Infinite if there is no border. Args, Raises: as `piece_of`.
    """
    layers = _checked(layers)
    x = _point(x, layers)
    slope, offset, distance = np.eye(len(x)), np.zeros(len(x)), np.inf
    for weight, bias in layers[:-1]:
        slope, offset = weight @ slope, weight @ offset + bias
        values, sizes = slope @ x + offset, np.linalg.norm(slope, axis=1)
        bent = sizes > 0  # a unit that is the same everywhere on the piece has no border
        distance = min(distance, np.min(np.abs(values[bent]) / sizes[bent], initial=np.inf))
        slope, offset = slope * (values > 0)[:, None], offset * (values > 0)
    return float(distance)


def count_regions(weight: np.ndarray, bias: np.ndarray, box: Box) -> int:
    """The pieces of one hidden layer in a box of the plane: 1 + lines that cross it + their crossings in it.

    Zaslavsky 1975, "Facing up to arrangements". Holds if no three lines meet in one point of the box and no
    two are the same, as with weights drawn at random; `pieces` needs no such condition.

    Args:
        weight: (n, 2); unit j is on where weight[j] · x + bias[j] > 0.
        bias: (n,).
        box: left, right, bottom, top.

    Raises:
        ValueError: shapes that do not fit, NaN, an empty box.
    """
    (weight, bias), *_ = _checked([(weight, bias)])
    left, right, bottom, top = _box(box)
    if weight.shape[1] != 2:
        raise ValueError(f"weight {weight.shape} must be (n, 2): regions are counted in the plane")
    sizes = np.abs(weight).max(axis=1)
    sizes[sizes == 0] = 1  # a unit without a line
    weight, bias = weight / sizes[:, None], bias / sizes  # the same lines; no product under- or overflows
    corners = np.array([(x, y) for x in (left, right) for y in (bottom, top)])
    sides = corners @ weight.T + bias > 0
    crossing = np.flatnonzero(sides.any(axis=0) & ~sides.all(axis=0))
    inside = 0
    for i, j in combinations(crossing, 2):
        both = weight[[i, j]]
        if abs(np.linalg.det(both)) > ON_THE_LINE * np.linalg.norm(both[0]) * np.linalg.norm(both[1]):
            x, y = np.linalg.solve(both, -bias[[i, j]])
            inside += left < x < right and bottom < y < top
    return 1 + len(crossing) + int(inside)


def pieces(layers: Layers, box: Box) -> list[Piece]:
    """All pieces of a network with two inputs in a box, exactly: the box is cut along each unit's border.

    The border of a unit in a deeper layer is straight inside each piece of the layers before it.

    Args:
        layers: pairs (W, b), the first with two inputs.
        box: left, right, bottom, top.

    Returns:
        Pieces with their corners; together they fill the box.

    Raises:
        ValueError: as `count_regions`; more than `MOST_PIECES` pieces.
    """
    layers = _checked(layers)
    if layers[0][0].shape[1] != 2:
        raise ValueError(
            f"layers take {layers[0][0].shape[1]} inputs, and must take 2: pieces are cut out of the plane"
        )
    left, right, bottom, top = _box(box)
    whole = np.array([(left, bottom), (right, bottom), (right, top), (left, top)])
    found = [Piece(np.zeros(0, bool), np.eye(2), np.zeros(2), whole)]
    for weight, bias in layers[:-1]:
        found = [small for piece in found for small in _cut(piece, weight, bias)]
        if len(found) > MOST_PIECES:
            raise ValueError(f"layers have more than {MOST_PIECES:,} pieces: use a smaller network or box")
    weight, bias = layers[-1]
    return [Piece(p.on, weight @ p.slope, weight @ p.offset + bias, p.corners) for p in found]


def _cut(piece: Piece, weight: np.ndarray, bias: np.ndarray) -> list[Piece]:
    """The piece, cut along the borders of one layer's units; slope and offset are those after its ReLU."""
    slope, offset = weight @ piece.slope, weight @ piece.offset + bias
    parts = [(piece.corners, [])]
    for g, c in zip(slope, offset, strict=True):
        halves = []
        for corners, on in parts:
            values = corners @ g + c
            near = ON_THE_LINE * np.abs(values).max()
            for side, is_on in ((values, True), (-values, False)):
                if (side > near).any():
                    halves.append((_half(corners, side, near), [*on, is_on]))
            if (np.abs(values) <= near).all():  # the unit is 0 on all of it: off
                halves.append((corners, [*on, False]))
        parts = halves
    return [
        Piece(np.append(piece.on, on), slope * np.array(on)[:, None], offset * np.array(on), corners)
        for corners, on in parts
    ]


def _half(corners: np.ndarray, side: np.ndarray, near: float) -> np.ndarray:
    """The part of a convex polygon where `side`, given at its corners, is not negative."""
    kept = []
    for i in range(len(corners)):
        j = (i + 1) % len(corners)
        if side[i] >= -near:
            kept.append(corners[i])
        if min(side[i], side[j]) < -near and max(side[i], side[j]) > near:
            share = side[i] / (side[i] - side[j])
            kept.append(corners[i] + share * (corners[j] - corners[i]))
    return np.array(kept)


def _pair(linear: nn.Linear) -> tuple[np.ndarray, np.ndarray]:
    weight = linear.weight.detach().cpu().double().numpy()
    bias = np.zeros(len(weight)) if linear.bias is None else linear.bias.detach().cpu().double().numpy()
    return weight, bias


def _checked(layers: Layers) -> list[tuple[np.ndarray, np.ndarray]]:
    try:
        given = [(weight, bias) for weight, bias in layers]
    except (TypeError, ValueError) as error:
        raise ValueError(
            "layers must be a list of pairs (W, b): take layers_of(model) of a network"
        ) from error
    if not given:
        raise ValueError("layers must hold at least one pair (W, b)")
    pairs = [
        (to_floats(w, f"W of layers[{i}]"), to_floats(b, f"b of layers[{i}]"))
        for i, (w, b) in enumerate(given)
    ]
    inputs = None
    for i, (weight, bias) in enumerate(pairs):
        if weight.ndim != 2 or bias.shape != weight.shape[:1] or inputs not in (None, weight.shape[1]):
            raise ValueError(
                f"layers: pair {i} is {weight.shape} and {bias.shape}, and must be (out, in) and (out,)"
                + ("" if inputs is None else f" with in = {inputs}, what the layer before puts out")
            )
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ValueError(f"layers: pair {i} contains NaN or infinite values: check the training")
        inputs = len(bias)
    return pairs


def _point(x: np.ndarray, layers: Layers) -> np.ndarray:
    x, d = to_floats(x, "x"), layers[0][0].shape[1]
    if x.shape != (d,) or not np.isfinite(x).all():
        raise ValueError(f"x {x.shape} must be one point ({d},) of finite numbers: ask for one row at a time")
    return x


def _box(box: Box) -> Box:
    try:
        left, right, bottom, top = (float(side) for side in box)
    except (TypeError, ValueError) as error:
        raise ValueError(f"box must be four numbers (left, right, bottom, top), not {box!r}") from error
    if not (np.isfinite([left, right, bottom, top]).all() and left < right and bottom < top):
        raise ValueError(f"box must have left < right and bottom < top, not {box!r}")
    return left, right, bottom, top
