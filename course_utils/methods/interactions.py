"""What players of a game do together: dividends, interactions of pairs, and their orders. All exact.

A game `value` takes 0/1 rows (B, n), who is there, and gives worths (B,), as in `shapley`. Entry c of a table
of 2^n numbers belongs to the coalition of the players whose bit is set in c.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import comb

import numpy as np

from course_utils.methods.arguments import check_count, to_floats
from course_utils.methods.shapley import all_worths

Game = Callable[[np.ndarray], np.ndarray]
KINDS = ("shapley", "taylor", "banzhaf")


def dividends(value: Game, n_players: int) -> np.ndarray:
    """The Harsanyi dividend of every coalition, (2^n,): what it adds to all that its parts add already.

    d(T) = Σ_{S ⊆ T} (−1)^{|T| − |S|} v(S), by the Möbius transform in n · 2^n steps (Harsanyi 1963, "A
    simplified bargaining model for the n-person cooperative game"; Grabisch 2016, "Set functions, games and
    capacities", chapter 2). d(∅) = v(∅); v(T) is the sum of d over all parts of T.

    Args:
        value: the game.
        n_players: 1 to 25; time and memory double with each player.
    """
    table = all_worths(value, n_players)
    for axis in range(n_players):
        cube = table.reshape(-1, 2, 2**axis)  # a view: without and with the player of this bit
        cube[:, 1] -= cube[:, 0]
    return table


def worths(dividend_table: np.ndarray) -> np.ndarray:
    """The worth of every coalition from its dividends, (2^n,): the reverse of `dividends`.

    Raises:
        ValueError: not 2^n finite numbers.
    """
    table = to_floats(dividend_table, "dividend_table")
    n = table.size.bit_length() - 1
    if table.ndim != 1 or table.size < 2 or table.size != 2**n or not np.isfinite(table).all():
        raise ValueError(
            f"dividend_table {table.shape} must be (2**n,) finite numbers, one a coalition: use dividends(…)"
        )
    for axis in range(n):
        cube = table.reshape(-1, 2, 2**axis)
        cube[:, 1] += cube[:, 0]
    return table


def pair_interactions(value: Game, n_players: int, kind: str = "shapley") -> np.ndarray:
    """The interaction of each pair of players, (n, n), symmetric, 0 on the diagonal.

    Each dividend d(T) of a larger coalition T is handed to its pairs, in shares that the kinds choose
    differently: 1 / (|T| − 1) (Shapley interaction index; Grabisch and Roubens 1999), 1 / C(|T|, 2)
    (Shapley-Taylor of order 2; Sundararajan and others 2020, whose pairs and d({i}) add up to v(N) − v(∅)),
    or 1 / 2^{|T| − 2} (Banzhaf).

    Args:
        value, n_players: as in `dividends`.
        kind: one of `KINDS`.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}: choose one of these")
    table = dividends(value, n_players)
    codes = np.arange(len(table))
    sizes = np.bitwise_count(codes).astype(float)
    big = sizes >= 2
    shares = np.zeros(len(table))
    parts = {"shapley": sizes - 1, "taylor": sizes * (sizes - 1) / 2, "banzhaf": 2.0 ** (sizes - 2)}[kind]
    shares[big] = table[big] / parts[big]
    found = np.zeros((n_players, n_players))
    for i, j in combinations(range(n_players), 2):
        found[i, j] = found[j, i] = shares[(codes >> i & 1) & (codes >> j & 1) == 1].sum()
    return found


def interaction_orders(value: Game, n_players: int) -> np.ndarray:
    """How much each pair does together when m others are there, (n − 1, n, n): entry [m, i, j].

    The mean of v(S ∪ ij) − v(S ∪ i) − v(S ∪ j) + v(S) over all S of m players without i and j (Zhang and
    others 2021, "Interpreting and boosting dropout from a game-theoretic view"). The mean over m is the
    Shapley interaction index; 0 on the diagonal.

    Args: as `dividends`; at least two players.

    Raises:
        ValueError: fewer than two players.
    """
    if check_count(n_players, "n_players") < 2:
        raise ValueError(f"n_players must be at least 2, not {n_players}: a pair needs two players")
    n, table = n_players, all_worths(value, n_players)
    cube, sizes = table.reshape((2,) * n), np.bitwise_count(np.arange(2 ** (n - 2)))
    how_many = np.array([comb(n - 2, m) for m in range(n - 1)])
    found = np.zeros((n - 1, n, n))
    for i, j in combinations(range(n), 2):
        (neither, only_j), (only_i, both) = np.moveaxis(cube, (n - 1 - i, n - 1 - j), (0, 1))
        together = (both - only_i - only_j + neither).ravel()
        found[:, i, j] = found[:, j, i] = np.bincount(sizes, together, n - 1) / how_many
    return found
