"""What companion 21b uses: a room of 7 × 7 cells with a coin, agents that learn its values, drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn
from tqdm.auto import tqdm

from course_utils.teach import plots

SIDE, DISCOUNT, N_STEPS = 7, 0.9, 30
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))  # up, down, left, right: row, column
ARROWS = "↑↓←→"
ROOM = (
    ".......",
    ".##.#..",
    "....#..",
    ".#.....",
    ".#.##..",
    ".......",
    ".......",
)
WALLS = np.array([[cell == "#" for cell in line] for line in ROOM])
FREE = [(int(r), int(c)) for r, c in np.argwhere(~WALLS)]  # the cells without a wall
NUMBER = {cell: i for i, cell in enumerate(FREE)}
CORNER = NUMBER[SIDE - 1, SIDE - 1]


def steps() -> np.ndarray:
    """Where each move leads: (n cells, 4), numbers of free cells; walls and the border hold one back."""
    found = np.empty((len(FREE), 4), int)
    for i, (r, c) in enumerate(FREE):
        for k, (dr, dc) in enumerate(MOVES):
            found[i, k] = NUMBER.get((r + dr, c + dc), i)
    return found


NEXT = steps()


def _cells(values: int | Sequence[int] | np.ndarray, name: str, at_least: int = 0) -> np.ndarray:
    """Numbers of free cells, (n,), or an error: NumPy would count a negative one from the end."""
    cells = np.atleast_1d(np.asarray(values))
    if cells.dtype.kind not in "iu" or not cells.size or cells.min() < at_least or cells.max() >= len(FREE):
        raise ValueError(
            f"{name} must be numbers of free cells, from {at_least} to {len(FREE) - 1}: see FREE"
        )
    return cells


def optimal(coin: int, n_rounds: int = 100) -> np.ndarray:
    """Q*(cell, move), (n, 4), by value iteration: 1 for the move that reaches the coin, discounted by 0.9."""
    coin, q = _cells(coin, "coin")[0], np.zeros((len(FREE), 4))
    for _ in range(n_rounds):
        q = np.where(NEXT == coin, 1.0, DISCOUNT * q.max(axis=1)[NEXT])
    return q


def lengths() -> np.ndarray:
    """How many steps the shortest way between each two free cells has, (n, n)."""
    found = np.full((len(FREE), len(FREE)), np.inf)
    np.fill_diagonal(found, 0)
    for _ in range(len(FREE)):
        found = np.minimum(found, 1 + found[NEXT].min(axis=1))
    return found


def observe(agents: Sequence[int] | np.ndarray, coins: Sequence[int] | np.ndarray) -> Tensor:
    """What an agent sees: (N, 3, 7, 7), planes for the walls, the agent, and the coin (coin −1: none)."""
    agents, coins = _cells(agents, "agents"), _cells(coins, "coins", at_least=-1)
    if len(agents) != len(coins):
        raise ValueError(
            f"{len(agents)} agents and {len(coins)} coins: give one coin for each agent, −1 for none"
        )
    seen = torch.zeros(len(agents), 3, SIDE, SIDE)
    seen[:, 0] = torch.from_numpy(WALLS).float()
    places = torch.tensor(FREE)
    rows = torch.arange(len(agents))
    where = places[torch.from_numpy(agents)]
    seen[rows, 1, where[:, 0], where[:, 1]] = 1
    coins = torch.from_numpy(coins)
    there = coins >= 0
    where = places[coins.clamp(min=0)]
    seen[rows[there], 2, where[there, 0], where[there, 1]] = 1
    return seen


def situations(coins: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of an agent's cell and a coin's cell, without those where both are the same."""
    pairs = np.array([(a, c) for c in _cells(coins, "coins") for a in range(len(FREE)) if a != c])
    return pairs[:, 0], pairs[:, 1]


def other_places(agents: np.ndarray, coins: np.ndarray, seed: int = 0) -> np.ndarray:
    """A random other cell for each coin, neither its own nor the agent's: (N,)."""
    low, high = np.minimum(agents, coins), np.maximum(agents, coins)
    drawn = np.random.default_rng(seed).integers(0, len(FREE) - 2, len(agents))
    drawn = drawn + (drawn >= low)
    return drawn + (drawn >= high)


def network(seed: int = 0, hidden: int = 96) -> nn.Sequential:
    """From (N, 3, 7, 7) to the values of four moves, (N, 4)."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(3 * SIDE * SIDE, hidden), nn.ReLU(),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 4),
    )  # fmt: skip


def train(coins: Sequence[int], seed: int = 0, n_rounds: int = 25, n_steps: int = 60) -> nn.Sequential:
    """Fitted Q iteration over *all* situations with the coin in one of `coins` (Ernst and others, 2005).

    Each round computes targets with the network as it is (1 at the coin, else 0.9 times the best value of the
    next cell) and takes `n_steps` steps towards them.
    """
    agents, where = situations(coins)
    inputs, following = observe(agents, where), NEXT[agents]
    reached = torch.from_numpy(following == where[:, None])
    # situations that follow, one for each move; where the coin is reached any will do, since the target is 1
    after = [observe(following[:, k], where) for k in range(4)]
    model = network(seed)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in tqdm(range(n_rounds), leave=False):
        with torch.no_grad():
            best = torch.stack([model(x).amax(dim=1) for x in after], dim=1)
            targets = torch.where(reached, torch.ones_like(best), DISCOUNT * best.clamp(0, 1))
        for _ in range(n_steps):
            optimiser.zero_grad()
            (model(inputs) - targets).square().mean().backward()
            optimiser.step()
    return model.eval()


@dataclass(frozen=True, eq=False)
class Walks:
    """Greedy walks from all situations."""

    agents: np.ndarray  # (N,) first cells
    coins: np.ndarray
    success: np.ndarray  # (N,) bool: the coin was reached within 30 steps
    last: np.ndarray  # (N,) last cells
    corner: np.ndarray  # (N,) bool: the corner was visited


@torch.no_grad()
def walk_all(model: nn.Module, coins: Sequence[int]) -> Walks:
    """Let the agent walk from every cell to a coin in each of `coins`, always by its largest value."""
    agents, where = situations(coins)
    at, success, corner = agents.copy(), np.zeros(len(agents), bool), agents == CORNER
    for _ in range(N_STEPS):
        moves = model(observe(at, where)).argmax(dim=1).numpy()
        at = np.where(success, at, NEXT[at, moves])
        success |= at == where
        corner |= at == CORNER
    return Walks(agents, where, success, at, corner)


# --- drawings -----------------------------------------------------------------------------------------------


def draw_room(ax: Axes, coin: int | None = None, agent: int | None = None) -> None:
    """The room from above: walls dark; the coin as a gold disc, the agent as a triangle."""
    ax.set(xlim=(-0.5, SIDE - 0.5), ylim=(SIDE - 0.5, -0.5), aspect="equal")
    ax.imshow(np.where(WALLS, 1.0, np.nan), cmap="Greys", vmin=0, vmax=1.3)
    ax.set_xticks(np.arange(-0.5, SIDE), labels=[])
    ax.set_yticks(np.arange(-0.5, SIDE), labels=[])
    ax.grid(color="#d9dde0", linewidth=0.8)
    ax.tick_params(length=0)
    if coin is not None:
        r, c = FREE[coin]
        ax.plot(c, r, "o", color="#e69f00", markeredgecolor=plots.INK, markersize=13, zorder=4)
    if agent is not None:
        r, c = FREE[agent]
        ax.plot(c, r, "^", color=plots.ACCENT, markeredgecolor=plots.INK, markersize=11, zorder=5)


@torch.no_grad()
def draw_policy(ax: Axes, model: nn.Module, coin: int, title: str = "") -> None:
    """An arrow in each cell: the move with the largest value."""
    draw_room(ax, coin)
    cells = np.array([i for i in range(len(FREE)) if i != coin])
    for i, move in zip(cells, model(observe(cells, np.full(len(cells), coin))).argmax(dim=1), strict=True):
        r, c = FREE[i]
        dr, dc = MOVES[int(move)]
        arrow = {"arrowstyle": "-|>", "color": plots.INK, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (c + 0.32 * dc, r + 0.32 * dr), (c - 0.32 * dc, r - 0.32 * dr), arrowprops=arrow)
    ax.set_title(title, fontsize=10)


def on_room(values: np.ndarray) -> np.ndarray:
    """One value a free cell as a picture, (7, 7), NaN at walls."""
    picture = np.full((SIDE, SIDE), np.nan)
    for (r, c), value in zip(FREE, values, strict=True):
        picture[r, c] = value
    return picture


def draw_values(ax: Axes, values: np.ndarray, coin: int, title: str = "", high: float = 1.0) -> None:
    """One value a free cell as colours from 0 to `high`."""
    draw_room(ax, coin)
    ax.imshow(on_room(values), cmap=plots.SEQUENTIAL, vmin=0, vmax=high)
    ax.set_title(title, fontsize=10)


@torch.no_grad()
def path(model: nn.Module, agent: int, coin: int) -> list[int]:
    """The cells of one greedy walk, the first included; it ends at the coin or after 30 steps."""
    cells = [agent]
    while cells[-1] != coin and len(cells) <= N_STEPS:
        cells.append(int(NEXT[cells[-1], int(model(observe([cells[-1]], [coin])).argmax())]))
    return cells


def draw_path(ax: Axes, model: nn.Module, agent: int, coin: int, title: str = "") -> None:
    """One greedy walk as a line; a square where it ends without the coin."""
    cells = path(model, agent, coin)
    draw_room(ax, coin, agent)
    rows, columns = zip(*(FREE[i] for i in cells), strict=True)
    ax.plot(columns, rows, "-", color=plots.ACCENT, linewidth=2.5, alpha=0.7)
    if cells[-1] != coin:
        ax.plot(columns[-1], rows[-1], "s", color=plots.COLOURS[1], markersize=9, zorder=6)
    ax.set_title(title, fontsize=10)
