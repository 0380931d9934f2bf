"""Dividends and interactions: against their definitions, shap, planted terms, identities; shapiq if there."""

from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest

from course_utils.methods import interactions as methods
from course_utils.methods.shapley import shapley_interactions, shapley_values


def game_of(table):
    table = np.asarray(table, float)
    powers = 1 << np.arange(int(np.log2(len(table))))
    return lambda masks: table[np.asarray(masks) @ powers]


def random_game(n, seed=0):
    return np.random.default_rng(seed).normal(size=2**n)


def planted(masks):
    x = np.asarray(masks, float).T
    return 0.5 + 2 * x[0] * x[1] - 3 * x[2] * x[3] * x[4] + 1.5 * x[5] * (1 - x[6])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_dividends_are_those_of_the_definition(n):
    table = random_game(n)
    ours = methods.dividends(game_of(table), n)
    for c in range(2**n):
        parts = [s for s in range(2**n) if s & c == s]
        wanted = sum((-1) ** (c.bit_count() - s.bit_count()) * table[s] for s in parts)
        assert ours[c] == pytest.approx(wanted, abs=1e-12)
    np.testing.assert_allclose(methods.worths(ours), table, atol=1e-12)


def test_planted_terms_are_found():
    ours = methods.dividends(planted, 8)
    wanted = np.zeros(256)
    wanted[[0, 0b11, 0b11100, 0b100000, 0b1100000]] = 0.5, 2, -3, 1.5, -1.5
    np.testing.assert_allclose(ours, wanted, atol=1e-12)


def test_dividends_shared_equally_are_shapley_values():
    table = random_game(6)
    d = methods.dividends(game_of(table), 6)
    shares = [sum(d[c] / c.bit_count() for c in range(1, 64) if c >> i & 1) for i in range(6)]
    np.testing.assert_allclose(shares, shapley_values(game_of(table), 6), atol=1e-12)


def by_definition(table, n, i, j, kind):
    others = [p for p in range(n) if p not in (i, j)]
    total, whole = 0.0, 1 << i | 1 << j
    for size in range(n - 1):
        for s in combinations(others, size):
            c = sum(1 << p for p in s)
            together = table[c | whole] - table[c | 1 << i] - table[c | 1 << j] + table[c]
            weight = {
                "shapley": 1 / ((n - 1) * comb(n - 2, size)),
                "taylor": 2 / (n * comb(n - 1, size)),
                "banzhaf": 1 / 2 ** (n - 2),
            }[kind]
            total += weight * together
    return total


@pytest.mark.parametrize("kind", methods.KINDS)
def test_pairs_are_those_of_the_definition(kind):
    table = random_game(5)
    ours = methods.pair_interactions(game_of(table), 5, kind)
    for i, j in permutations(range(5), 2):
        assert ours[i, j] == pytest.approx(by_definition(table, 5, i, j, kind), abs=1e-12)
    assert not ours.diagonal().any()


def test_pairs_equal_shapley_interactions_and_taylor_adds_up():
    table = random_game(6, 1)
    off = ~np.eye(6, dtype=bool)
    ours = methods.pair_interactions(game_of(table), 6)
    np.testing.assert_allclose(ours[off], 2 * shapley_interactions(game_of(table), 6)[off], atol=1e-12)
    alone = methods.dividends(game_of(table), 6)[1 << np.arange(6)]
    taylor = methods.pair_interactions(game_of(table), 6, "taylor")
    assert alone.sum() + taylor.sum() / 2 == pytest.approx(table[-1] - table[0], abs=1e-12)


def test_orders_average_to_the_shapley_interaction_and_add_up():
    n, table = 6, random_game(6, 2)
    game = game_of(table)
    orders = methods.interaction_orders(game, n)
    np.testing.assert_allclose(orders.mean(axis=0), methods.pair_interactions(game, n), atol=1e-12)
    alone = table[1 << np.arange(n)] - table[0]
    weights = np.array([(n - 1 - m) / (n * (n - 1)) for m in range(n - 1)])
    assert alone.sum() + weights @ orders.sum(axis=(1, 2)) == pytest.approx(table[-1] - table[0], abs=1e-12)


def test_orders_of_planted_terms():
    orders = methods.interaction_orders(planted, 8)
    np.testing.assert_allclose(orders[:, 0, 1], 2, atol=1e-12)  # a pair: the same whoever else is there
    np.testing.assert_allclose(orders[:, 2, 3], -3 * np.arange(7) / 6, atol=1e-12)  # needs the third
    np.testing.assert_allclose(orders[:, 0, 2], 0, atol=1e-12)


@pytest.mark.parametrize(("index", "kind"), [("SII", "shapley"), ("STII", "taylor")])
def test_shapiq_agrees(index, kind):
    shapiq = pytest.importorskip("shapiq")
    computer = shapiq.ExactComputer(n_players=8, game=planted)
    theirs = computer(index=index, order=2)
    ours = methods.pair_interactions(planted, 8, kind)
    for i, j in combinations(range(8), 2):
        assert ours[i, j] == pytest.approx(theirs[(i, j)], abs=1e-10)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: methods.pair_interactions(planted, 8, "owen"), ("kind", "owen", "shapley")),
        (lambda: methods.interaction_orders(planted, 1), ("n_players", "two players")),
        (lambda: methods.dividends(planted, 30), ("30 players", "kernel_shap")),
        (lambda: methods.worths(np.zeros(3)), ("dividend_table (3,)", "dividends(")),
        (lambda: methods.worths([np.nan, 1]), ("dividend_table", "finite")),
    ],
)
def test_bad_input_names_argument_and_remedy(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    assert all(word in str(caught.value) for word in words), caught.value


def test_worths_that_are_no_real_numbers_are_refused():
    masked = np.ma.array(np.zeros(4), mask=[False, False, False, True])
    for value in (lambda rows: rows.sum(axis=1) * 1j, lambda rows: masked):
        with pytest.raises(ValueError, match="the worths that value returned"):
            methods.dividends(value, 2)
