"""Set-ups of lesson 21: the world, cells of pictures, the reader's own table, the room of the agent."""

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import shortest_path
from sklearn.datasets import load_iris
from torch import nn

from course_utils.lessons import l21_agent as room
from course_utils.lessons import l21_what_if as lesson
from course_utils.methods.counterfactual import cheapest_change, deviations
from course_utils.training.dice import WORLDS


def test_bank_uses_only_what_decides():
    bank = lesson.bank(0, 5_000)
    used = np.abs(bank.weights)
    assert used[3:].min() > 0.03 > used[:3].max()


def test_who_changes_nothing_stays_and_effects_follow():
    seen = lesson.people(9, 3)
    same = lesson.follow(seen, {"income": np.zeros(9)})
    richer = lesson.follow(seen, {"income": np.ones(9)})
    for name, values in seen.items():
        np.testing.assert_allclose(same[name], values)
    np.testing.assert_allclose(richer["savings"] - seen["savings"], 0.8)
    np.testing.assert_allclose(richer["education"], seen["education"])


def test_noise_beyond_three_is_rare_and_a_changed_column_needs_it():
    seen = lesson.people(2_000, 0)
    assert (lesson.strangeness(seen) > 3).mean() < 0.03
    assert lesson.strangeness(seen | {"savings": seen["savings"] + 80}).min() > 3


def test_cells_are_blurred_until_the_second_class_leads():
    class Left(nn.Module):  # class 0: contrast in the left half, class 1: in the right half
        def forward(self, x):
            return torch.stack([x[..., :16].var(dim=(1, 2, 3)), x[..., 16:].var(dim=(1, 2, 3)) * 0.6], dim=1)

    pictures = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    cells = torch.zeros(2, 4, 4)
    cells[:, :, :2] = torch.arange(8.0).view(4, 2) + 1
    first, second = torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.long)
    needed, changed = lesson.cells_until_flip(Left(), pictures, first, second, cells)
    assert (needed >= 2).all() and (needed <= 8).all()
    assert torch.equal(changed[..., 16:], pictures[..., 16:])
    never, _ = lesson.cells_until_flip(Left(), pictures, first, second, -cells, at_most=3)
    assert never.tolist() == [4, 4]


@pytest.mark.parametrize("seed", [1, 103])
def test_cheapest_change_is_never_dearer_than_what_dice_finds(seed):
    bank, seen = lesson.bank(seed), lesson.people(400, WORLDS[seed])
    table = lesson.table_of(seen)
    refused = table[bank.log_odds(table) < 0][:20]
    scales = deviations(lesson.table_of(lesson.people(5_000, seed)))
    for name, rows in lesson.dice(seed).items():
        found = np.isfinite(rows[..., 0])
        assert found.mean() > 0.95
        assert (bank.log_odds(rows[found]) > -1e-6).all()  # the stored answers are about this bank
        still = np.array([column not in lesson.DICE_WAYS[name][1] for column in lesson.COLUMNS])
        for row, there, proposed in zip(refused, found, rows, strict=True):
            proposed = proposed[there]
            # DiCE rounds the columns that it leaves alone
            assert (np.abs(proposed - row)[:, still] < 0.006).all()
            low, high = np.where(still, row, -np.inf), np.where(still, row, np.inf)
            ours = cheapest_change(bank.weights, bank.intercept, row, scales, low, high)
            assert (np.abs(ours) / scales).sum() <= np.nanmin(
                (np.abs(proposed - row) / scales).sum(axis=1)
            ) + 0.01


def test_bad_input_a_world_without_stored_answers():
    with pytest.raises(ValueError, match="seed 7: use one of 1, 101"):
        lesson.dice(7)


def test_own_table():
    lines = lesson.own_change("wine", 60, ("alcohol",))
    assert "row 60" in lines[0] and not any("alcohol:" in line for line in lines)
    with pytest.raises(ValueError, match="no column 'sugar'"):
        lesson.own_change("wine", 60, ("sugar",))
    with pytest.raises(ValueError, match="row 999"):
        lesson.own_change("wine", 999)
    for odd in (1.5, True, "0"):
        with pytest.raises(ValueError, match="row must be a whole number"):
            lesson.own_change("wine", odd)
    assert lesson.own_change("wine", 60, "alcohol") == lines  # a comma forgotten
    with pytest.raises(ValueError, match="fewer columns in fixed"):
        lesson.own_change("iris", 0, tuple(load_iris().feature_names))
    with pytest.raises(ValueError, match="classes"):
        lesson.own_change("diabetes", 0)


def test_optimal_values_are_the_shortest_ways():
    n = len(room.FREE)
    graph = np.zeros((n, n))
    graph[np.repeat(np.arange(n), 4), room.NEXT.ravel()] = 1
    far = shortest_path(graph, unweighted=True)
    assert np.isfinite(far).all()  # no cell is shut in
    np.testing.assert_array_equal(room.lengths(), far)
    for coin in (0, 17, room.CORNER):
        best = room.optimal(coin).max(axis=1)
        others = np.arange(n) != coin
        np.testing.assert_allclose(best[others], room.DISCOUNT ** (far[others, coin] - 1))


def test_what_an_agent_sees():
    agents, coins = room.situations([3, room.CORNER])
    seen = room.observe(agents, coins)
    assert seen.shape == (2 * (len(room.FREE) - 1), 3, 7, 7)
    assert (seen[:, 1:].sum(dim=(2, 3)) == 1).all() and not (seen[:, 1] * seen[:, 2]).any()
    assert room.observe([0], [-1])[0, 2].sum() == 0
    moved = room.other_places(agents, coins)
    assert not ((moved == agents) | (moved == coins)).any()
    assert moved.min() >= 0 and moved.max() < len(room.FREE)


@pytest.mark.parametrize("cell", [-1, len(room.FREE), 2.5, True, None])
def test_cells_outside_the_room_are_refused(cell):
    with pytest.raises(ValueError, match="numbers of free cells"):
        room.optimal(cell)
    with pytest.raises(ValueError, match="numbers of free cells"):
        room.situations([cell])
    with pytest.raises(ValueError, match="numbers of free cells"):
        room.observe([cell], [3])
    with pytest.raises(ValueError, match="one coin for each agent"):
        room.observe([0, 1], [3])


def test_an_agent_learns_one_place():
    agent = room.train([5], n_rounds=20, n_steps=40)
    walks = room.walk_all(agent, [5])
    assert walks.success.mean() > 0.9
    assert room.path(agent, room.CORNER, 5)[0] == room.CORNER
