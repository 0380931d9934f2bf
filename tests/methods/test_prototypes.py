"""Prototypes and criticisms held against mmd-critic and the definition; medoids against all choices."""

from itertools import combinations

import numpy as np
import pytest
from mmd_critic import MMDCritic
from mmd_critic.kernels import RBFKernel

from course_utils.methods.prototypes import criticisms, medoids, mmd2, prototypes, similarities


def rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


def distances(table: np.ndarray) -> np.ndarray:
    return np.linalg.norm(table[:, None] - table, axis=2)


@pytest.mark.parametrize(("n", "d", "chosen"), [(30, 2, 5), (51, 6, 9)])
def test_equal_to_mmd_critic(n, d, chosen):
    table = rows(n, d, seed=n)
    scale = np.median(distances(table)[np.triu_indices(n, 1)] ** 2)
    critic = MMDCritic(table, RBFKernel(sigma=np.sqrt(scale / 2)))
    k, (theirs, _) = similarities(table), critic.select_prototypes(chosen)
    np.testing.assert_allclose(k, critic.prot_K, atol=1e-12)
    ours = prototypes(k, chosen)
    np.testing.assert_array_equal(table[ours], theirs)
    odd = critic.select_criticisms(4, theirs, regularization=None)[0]
    np.testing.assert_array_equal(table[criticisms(k, ours, 4)], odd)


def test_prototypes_are_the_greedy_choice():
    k, chosen = similarities(rows(25, 3)), []
    for _ in range(6):
        left = [i for i in range(25) if i not in chosen]
        chosen.append(min(left, key=lambda i: mmd2(k, [*chosen, i])))
    assert prototypes(k, 6) == chosen


def test_mmd_is_zero_for_all_and_never_negative():
    k = similarities(rows(12, 2))
    assert abs(mmd2(k, range(12))) < 1e-12
    assert all(mmd2(k, pair) >= 0 for pair in combinations(range(12), 2))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_medoids_find_the_best_choice_of_a_small_collection(seed):
    d = distances(rows(14, 2, seed))
    best = min(combinations(range(14), 3), key=lambda c: d[:, list(c)].min(axis=1).sum())
    assert sorted(medoids(d, 3, n_starts=200)) == sorted(best)


def test_equal_examples_and_all_examples():
    d = distances(np.zeros((5, 2)))
    assert len(set(medoids(d, 3))) == 3
    assert sorted(prototypes(np.ones((5, 5)), 5)) == [0, 1, 2, 3, 4]


K = similarities(rows(6, 2))
BAD = {
    "one row": (lambda: similarities(rows(1, 3)), "rows"),
    "flat": (lambda: similarities(np.ones(4)), "rows"),
    "NaN rows": (lambda: similarities(rows(4, 2) * np.nan), "rows"),
    "equal rows": (lambda: similarities(np.ones((4, 2))), "scale"),
    "scale 0": (lambda: similarities(rows(4, 2), 0), "scale"),
    "not square": (lambda: mmd2(K[:3], [0]), "square"),
    "words": (lambda: mmd2([["a"]], [0]), "k must hold"),
    "no columns": (lambda: similarities(np.zeros((4, 0))), "rows"),
    "too far apart": (lambda: similarities(rows(4, 2) * 1e200), "infinite"),
    "masked": (lambda: similarities(np.ma.masked_less(rows(9, 2), 0)), "masked"),
    "scale True": (lambda: similarities(rows(4, 2), True), "scale"),
    "not symmetric": (lambda: prototypes(np.triu(np.ones((4, 4))), 2), "symmetric"),
    "chosen is a number": (lambda: mmd2(K, 3), "list of indices"),
    "seed −1": (lambda: medoids(1 - K, 2, seed=-1), "seed"),
    "NaN matrix": (lambda: prototypes(K * np.nan, 2), "NaN"),
    "none chosen": (lambda: mmd2(K, []), "chosen"),
    "twice": (lambda: mmd2(K, [1, 1]), "once"),
    "not there": (lambda: mmd2(K, [6]), "chosen"),
    "half an index": (lambda: mmd2(K, [0.5]), "chosen"),
    "too many": (lambda: prototypes(K, 7), "n_chosen"),
    "none": (lambda: prototypes(K, 0), "n_chosen"),
    "too many criticisms": (lambda: criticisms(K, [0, 1], 5), "n_criticisms"),
    "distances for similarities": (lambda: prototypes(distances(rows(4, 2)), 2), "similarities"),
    "distances for the MMD": (lambda: mmd2(distances(rows(4, 2)), [0]), "similarities"),
    "distances, criticisms": (lambda: criticisms(distances(rows(4, 2)), [0], 1), "similarities"),
    "similarities for distances": (lambda: medoids(K, 2), "distances"),
    "negative": (lambda: medoids(-distances(rows(4, 2)), 2), "distances"),
    "starts": (lambda: medoids(distances(rows(4, 2)), 2, n_starts=0), "n_starts"),
}


@pytest.mark.parametrize(("call", "named"), BAD.values(), ids=BAD)
def test_bad_input_prototypes(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_similarities_keep_their_digits_far_away_from_zero():
    values = np.random.default_rng(0).integers(0, 9, (8, 3)) / 4
    assert np.allclose(similarities(values + 2.0**30), similarities(values), rtol=1e-12)
