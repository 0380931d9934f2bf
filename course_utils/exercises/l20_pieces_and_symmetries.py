"""The exercises of lesson 20 and its companion: back through a layer, regions, how far a formula holds, a wrong
roll, frequencies after a ReLU; dividends, an order of interaction, a similarity that noise has, too."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.teach.checks import Exercise, Mistake, Question, wrong_answer
from course_utils.teach.quiz import quiz

how_many = quiz(
    "The network has two inputs, 8 hidden units and one score. From how many straight formulas is its "
    "landscape put together, in this picture?",
    ("One: it is one network.", "8, one for each unit.", "A few dozen.", "256: each unit is on or off."),
    2,
    (
        "One straight formula has one slope everywhere. The lines of equal height bend, so there are several.",
        "Each unit folds the landscape along one line. Eight folds make more than eight parts.",
        "Eight lines cut the plane into 37 parts at most. Section 3 counts them exactly.",
        "Most of these 256 combinations occur at no point: eight lines do not make so many parts.",
    ),
)

training_removes = quiz(
    "A random network is trained until it is right for nearly all points. What happens to the number of its pieces?",
    (
        "It falls: the trained network is simpler.",
        "It rises, however the network is trained.",
        "That depends on how it is trained.",
    ),
    2,
    (
        "So one may hope. In the next figure plain training adds pieces in all five runs.",
        "With plain training nearly always, as the next figure shows. With a penalty it can fall.",
        "The loss says nothing about pieces. Something else must, if you want few of them.",
    ),
)

six_and_nine = quiz(
    "The symmetric network was shown upright digits only. Which task can it never learn, however long you train it?",
    (
        "To tell a 6 from the same 6 turned by 180°.",
        "To tell a 1 from a 7.",
        "To recognise a 4 that lies on its side.",
    ),
    0,
    (
        "Both give exactly the same scores. If a task depends on the direction, do not build this symmetry in.",
        "These differ in all four directions, so it can.",
        "It can, as well as an upright one, without ever having seen one.",
    ),
)


# --- back through a layer ---------------------------------------------------------------------------------


def _layer(seed: int, n: int, inputs: int, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = np.maximum(rng.normal(size=(n, inputs)), 0)
    return rng.normal(size=(n, units)), a, rng.normal(size=(units, inputs))


def _back(delta, a, weight):
    return delta.T @ a, delta.sum(axis=0), (delta @ weight) * (a > 0)


back_through = Exercise(
    name="back_through",
    difficulty=2,
    minutes=7,
    hints=(
        "Look at the shapes first: the slope at W has the shape of W, (units, inputs). Which product of delta "
        "(n, units) and a (n, inputs) has it?",
        "`delta.T @ a` adds over the examples. For b the same without a: `delta.sum(axis=0)`.",
        "`delta @ weight` is the slope at a, (n, inputs). A unit with a = 0 was off: its slope is zero.",
    ),
    reference=_back,
    cases=lambda: [_layer(0, 5, 3, 4), _layer(1, 7, 4, 4), _layer(2, 2, 5, 1)],
    mistakes={
        "no switch": Mistake(
            lambda d, a, w: (d.T @ a, d.sum(axis=0), d @ w),
            "the third slope lacks the ReLU: where a unit of the layer below was off (a = 0), nothing goes through.",
        ),
        "times a": Mistake(
            lambda d, a, w: (d.T @ a, d.sum(axis=0), (d @ w) * a),
            "you multiplied with a itself: the slope of the ReLU is 1 or 0, so multiply with `a > 0`.",
        ),
        "mean": Mistake(
            lambda d, a, w: (d.T @ a / len(d), d.mean(axis=0), (d @ w) * (a > 0)),
            "you divided by n: delta holds the factor 1/n already, so the examples are only added up.",
        ),
        "switch on delta": Mistake(
            lambda d, a, w: (d.T @ a, d.sum(axis=0), np.maximum(d @ w, 0)),
            "you cut the slope at zero: that is guided backprop (lesson 02). What counts is whether the *unit* was on.",
        ),
        "bias not summed": Mistake(
            lambda d, a, w: (d.T @ a, d, (d @ w) * (a > 0)),
            "the slope at b still has one row an example: add them up.",
        ),
        "transposed": Mistake(
            lambda d, a, w: (a.T @ d, d.sum(axis=0), (d @ w) * (a > 0)),
            "the slope at W is transposed: it must have the shape of W, (units, inputs).",
        ),
        "other order": Mistake(
            lambda d, a, w: ((d @ w) * (a > 0), d.T @ a, d.sum(axis=0)),
            "the three are right and in another order: at W, at b, then at z below.",
        ),
    },
)


# --- regions ----------------------------------------------------------------------------------------------


def _lines(seed: int, n: int, size: float = 2.0) -> tuple[np.ndarray, np.ndarray, float]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)), rng.normal(size=n), size


def _crossing(weight, bias, size):
    corners = np.array([(x, y) for x in (-size, size) for y in (-size, size)])
    sides = corners @ weight.T + bias > 0
    return sides.any(axis=0) & ~sides.all(axis=0)


def _meetings(weight, bias, size, inside="square"):
    count = 0
    for i in range(len(bias)):
        for j in range(i):
            point = np.linalg.solve(weight[[i, j]], -bias[[i, j]])
            far = {"square": np.abs(point).max(), "disc": np.linalg.norm(point), "one-sided": point.max()}
            count += int(far.get(inside, 0) < size)
    return count


regions = Exercise(
    name="regions",
    difficulty=2,
    minutes=8,
    hints=(
        "A line crosses the square if not all four corners lie on the same side: look at the signs of "
        "`corners @ weight.T + bias`.",
        "Lines i and j meet where `np.linalg.solve(weight[[i, j]], -bias[[i, j]])`. Count the pair if both "
        "coordinates lie between −size and size.",
        "1 + the number of lines that cross + the number of pairs that meet inside.",
    ),
    reference=lambda w, b, size: int(1 + _crossing(w, b, size).sum() + _meetings(w, b, size)),
    cases=lambda: [_lines(0, 5), _lines(1, 8, 1.0), _lines(2, 6, 0.5), _lines(3, 1, 1.5), _lines(5, 4, 0.3)],
    mistakes={
        "no one": Mistake(
            lambda w, b, size: int(_crossing(w, b, size).sum() + _meetings(w, b, size)),
            "the 1 is missing: without any line there is one region already.",
        ),
        "all lines": Mistake(
            lambda w, b, size: 1 + len(b) + _meetings(w, b, size),
            "you counted every line: some of them pass the square by and cut nothing.",
        ),
        "one-sided": Mistake(
            lambda w, b, size: int(
                1 + _crossing(w, b, size).sum() + _meetings(w, b, size, inside="one-sided")
            ),
            "you compared the coordinates with size only: they must also lie above −size (take `np.abs`).",
        ),
        "disc": Mistake(
            lambda w, b, size: int(1 + _crossing(w, b, size).sum() + _meetings(w, b, size, inside="disc")),
            "you asked whether the meeting point lies in a disc: in the square each coordinate by itself counts.",
        ),
        "all meetings": Mistake(
            lambda w, b, size: int(1 + _crossing(w, b, size).sum() + _meetings(w, b, size, inside="plane")),
            "you counted every pair of lines: those that meet outside the square do not count.",
        ),
        "whole plane": Mistake(
            lambda w, b, size: 1 + len(b) + len(b) * (len(b) - 1) // 2,
            "that is the most that so many lines can make, in the whole plane: look which cross, and where they meet.",
        ),
        "pairs twice": Mistake(
            lambda w, b, size: int(1 + _crossing(w, b, size).sum() + 2 * _meetings(w, b, size)),
            "you counted each pair twice: (i, j) and (j, i) meet in the same point.",
        ),
        "patterns": Mistake(
            lambda w, b, size: 2 ** len(b),
            "2ⁿ is the number of ways to be on or off: most of them occur nowhere.",
        ),
        "no lines": Mistake(
            lambda w, b, size: int(1 + _meetings(w, b, size)),
            "the lines that cross are missing: each adds a region, even if it meets no other.",
        ),
    },
)


# --- how far a formula holds ------------------------------------------------------------------------------


def _point(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=n), rng.normal(size=d)


how_far = Exercise(
    name="how_far",
    difficulty=1,
    minutes=4,
    hints=(
        "The distance of a point x from the line w · x + b = 0 is |w · x + b| / ‖w‖.",
        "One distance a unit: `np.abs(weight @ x + bias) / np.linalg.norm(weight, axis=1)`. The nearest counts.",
    ),
    reference=lambda w, b, x: float(np.min(np.abs(w @ x + b) / np.linalg.norm(w, axis=1))),
    cases=lambda: [_point(0, 5, 2), _point(1, 8, 3), _point(2, 3, 2)],
    mistakes={
        "not divided": Mistake(
            lambda w, b, x: np.min(np.abs(w @ x + b)),
            "|z| is no distance yet: divide by the length of the unit's weights.",
        ),
        "no absolute value": Mistake(
            lambda w, b, x: np.min((w @ x + b) / np.linalg.norm(w, axis=1)),
            "a distance has no sign: without `np.abs` a unit that is off looks nearest.",
        ),
        "squared": Mistake(
            lambda w, b, x: np.min(np.abs(w @ x + b) / (w**2).sum(axis=1)),
            "you divided by the squared length: a root is missing.",
        ),
        "one length": Mistake(
            lambda w, b, x: np.min(np.abs(w @ x + b) / np.linalg.norm(w)),
            "you divided all by the length of the whole table: each unit has its own, `axis=1`.",
        ),
        "farthest": Mistake(
            lambda w, b, x: np.max(np.abs(w @ x + b) / np.linalg.norm(w, axis=1)),
            "that is the farthest line: the formula changes at the nearest.",
        ),
        "all": Mistake(
            lambda w, b, x: np.abs(w @ x + b) / np.linalg.norm(w, axis=1),
            "these are the distances of all lines: take the smallest.",
        ),
        "only units that are on": Mistake(
            lambda w, b, x: np.min(
                (np.abs(w @ x + b) / np.linalg.norm(w, axis=1))[w @ x + b > 0], initial=np.inf
            ),
            "you looked at the units that are on only: the formula changes as well where one goes on.",
        ),
        "bias subtracted": Mistake(
            lambda w, b, x: np.min(np.abs(w @ x - b) / np.linalg.norm(w, axis=1)),
            "the bias has the wrong sign: the line is w · x + b = 0, so add b.",
        ),
        "mean": Mistake(
            lambda w, b, x: np.mean(np.abs(w @ x + b) / np.linalg.norm(w, axis=1)),
            "that is the mean distance: the formula ends at the *nearest* line.",
        ),
        "which line": Mistake(
            lambda w, b, x: np.argmin(np.abs(w @ x + b) / np.linalg.norm(w, axis=1)),
            "that is the number of the nearest line: its distance is asked (`np.min`).",
        ),
        "sizes added": Mistake(
            lambda w, b, x: np.min(np.abs(w @ x + b) / np.abs(w).sum(axis=1)),
            "you divided by the sum of the sizes: the length is the root of the sum of squares.",
        ),
        "no bias": Mistake(
            lambda w, b, x: np.min(np.abs(w @ x) / np.linalg.norm(w, axis=1)),
            "the bias is missing: without it all lines pass through the origin.",
        ),
    },
)


# --- the wrong roll ---------------------------------------------------------------------------------------


def _maps(seed: int, n: int, channels: int, out: int, side: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(n, channels, 4, side, side, generator=generator)
    return maps, torch.randn(out, channels, 4, 3, 3, generator=generator)


def _group(maps: Tensor, weight: Tensor, roll: int = 1, rotate: int = 1, dims: int = 2) -> Tensor:
    out = []
    for r in range(4):
        turned = torch.rot90(weight, rotate * r, (3, 4)).roll(roll * r, dims=dims)
        out.append(F.conv2d(maps.flatten(1, 2), turned.flatten(1, 2), padding=1))
    return torch.stack(out, dim=2)


turned_layer = Exercise(
    name="turned_layer",
    difficulty=2,
    minutes=6,
    hints=(
        "Turn the picture by 90°, and map r becomes what map r − 1 was. So the filter of map r must read the "
        "incoming maps r places further on.",
        "Two things happen to the filter at each step: it turns, and its four parts move on by one, in the direction "
        "of the turn. Which of the two goes the wrong way here?",
        "`torch.roll(…, r)` moves part 0 to place r; `-r` moves it back.",
    ),
    reference=_group,
    given=lambda maps, weight: _group(maps, weight, roll=-1),
    cases=lambda: [_maps(0, 2, 2, 3, 5), _maps(1, 1, 3, 2, 6), _maps(2, 1, 1, 1, 4)],
    mistakes={
        "no roll": Mistake(
            lambda m, w: _group(m, w, roll=0),
            "without a roll the filter turns, but goes on reading the same incoming maps: the error stays large.",
        ),
        "turned back": Mistake(
            lambda m, w: _group(m, w, roll=-1, rotate=-1),
            "now both go backwards. That fits together, too, but the four maps then come out in the reverse order, "
            "and the layers before and after turn forwards. Leave the turn, and change the roll.",
        ),
        "other sign": Mistake(
            lambda m, w: _group(m, w, rotate=-1),
            "you changed the turn: now the filter turns back while its parts move on. Only the roll was wrong.",
        ),
        "no turn": Mistake(
            lambda m, w: _group(m, w, rotate=0), "the filter must still turn: only the roll was wrong."
        ),
        "roll of the filters": Mistake(
            lambda m, w: _group(m, w, dims=1) if w.shape[1] > 1 else _group(m, w, roll=0),
            "you rolled the channels: the four directions stand in dimension 2 of the filter.",
        ),
        "only half": Mistake(
            lambda m, w: _group(m, w, roll=2),
            "two places a step is right for no turn but by 180°: it must be one.",
        ),
    },
)


# --- frequencies ------------------------------------------------------------------------------------------


def _frequencies(n: int, k: int) -> list[int]:
    wave = np.maximum(np.cos(2 * np.pi * k * np.arange(n) / n), 0)
    return [int(i) for i in np.flatnonzero(np.abs(np.fft.rfft(wave)) / n > 1e-9)]


frequencies = Question(
    name="frequencies",
    difficulty=2,
    minutes=4,
    hints=(
        "max(0, x) = (x + |x|) / 2. The first half is the wave itself. How often does |x| repeat, where x repeats 3 times?",
        "|x| repeats 6 times, so it is made of 0, 6, 12, 18 and 24: only even multiples of 3.",
    ),
    expected=_frequencies,
    examples=lambda: [(48, 3), (72, 4), (80, 5)],
    mistakes={
        "the same": wrong_answer(
            lambda n, k: [k], "then nothing would have been cut off: the ReLU takes the lower half away."
        ),
        "another order": Mistake(
            lambda answer, n, k: (
                isinstance(answer, (set, list, tuple))
                and set(map(str, answer)) == set(map(str, _frequencies(n, k)))
            ),
            "these are the right ones: write each once, as a list in rising order.",
            example=lambda n, k: _frequencies(n, k)[::-1],
        ),
        "not the last": wrong_answer(
            lambda n, k: [f for f in _frequencies(n, k) if f < n // 2],
            "the highest frequency that fits, n / 2, is an even multiple, too.",
        ),
        "too high": Mistake(
            lambda answer, n, k: (
                isinstance(answer, (list, tuple))
                and any(isinstance(f, (int, float)) and f > n / 2 for f in answer)
            ),
            "only frequencies from 0 to n / 2 are asked: a higher one looks like a lower one on n places.",
            example=lambda n, k: [0, k, *range(2 * k, n + 1, 2 * k)],
        ),
        "how often": wrong_answer(
            lambda n, k: [f // k for f in _frequencies(n, k)],
            "these are the multiples: the frequencies are k times as large.",
        ),
        "all multiples": wrong_answer(
            lambda n, k: list(range(0, n // 2 + 1, k)),
            "odd multiples beside the wave itself are not there: |x| repeats twice as often as x.",
        ),
        "no zero": wrong_answer(
            lambda n, k: _frequencies(n, k)[1:],
            "frequency 0 is missing: what is never negative has a mean above zero.",
        ),
        "no wave": wrong_answer(
            lambda n, k: [i for i in _frequencies(n, k) if i != k],
            "the wave itself is missing: half of x goes through unchanged.",
        ),
        "all": wrong_answer(
            lambda n, k: list(range(n // 2 + 1)),
            "the signal repeats as often as the wave did, so only multiples of its frequency can be there.",
        ),
        "two": wrong_answer(
            lambda n, k: [0, 2 * k],
            "that begins |x|: it also needs the higher multiples of its own frequency, and x itself is still there.",
        ),
        "powers of two": wrong_answer(
            lambda n, k: [f for f in _frequencies(n, k) if f // k in (0, 1, 2, 4, 8)],
            "|x| is made of *all* multiples of its own frequency, not of those alone that double.",
        ),
        "doubled": wrong_answer(
            lambda n, k: [0, k, 2 * k],
            "these are the strongest three. The corners of the ReLU need higher ones, too.",
        ),
    },
)


# --- 20b: together ----------------------------------------------------------------------------------------

who_works_together = quiz(
    "The bars are the Shapley values of a game with eight players. Who works together with whom?",
    (
        "0 and 1, since they have equal shares.",
        "2, 3 and 4, since they are negative.",
        "The bars cannot say.",
    ),
    2,
    (
        "They do; but two players who work alone and bring 1 each have the same bars.",
        "They do; but three players who each cost 1 on their own have the same bars.",
        "Each bar is an average over all companies a player can be in. Many games have the same eight averages.",
    ),
)


def _table(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=2**n)


def _mobius(table, n, sign=-1, swapped=False):
    table = np.array(table, float)
    for i in range(n):
        for c in range(2**n):
            if bool(c >> i & 1) != swapped:
                table[c] += sign * table[c ^ (1 << i)]
    return table


def _coalition_by_coalition(table, n):
    table = np.array(table, float)
    for c in range(2**n):
        for i in range(n):
            if c >> i & 1:
                table[c] -= table[c ^ (1 << i)]
    return table


mobius = Exercise(
    name="mobius",
    difficulty=2,
    minutes=8,
    hints=(
        "One player after the other. For player i: each coalition *with* i loses what the same coalition without i has.",
        "`c >> i & 1` says whether i is in c; without i it is `c ^ (1 << i)`.",
        "Work on a copy: `table = np.array(worths, float)`; then two loops and one line.",
    ),
    reference=_mobius,
    cases=lambda: [(_table(0, 2), 2), (_table(1, 3), 3), (_table(2, 5), 5)],
    mistakes={
        "plus": Mistake(
            lambda t, n: _mobius(t, n, sign=1),
            "you added: that goes from dividends to worths, the way back. Subtract.",
        ),
        "other side": Mistake(
            lambda t, n: _mobius(t, n, swapped=True),
            "you changed the coalitions *without* the player: those with it must lose what is there already.",
        ),
        "from the old table": Mistake(
            lambda t, n: np.array(
                [t[c] - sum(t[c ^ (1 << i)] for i in range(n) if c >> i & 1) for c in range(2**n)]
            ),
            "you subtracted from the old worths each time: the second player must work on what the first one left.",
        ),
        "coalition by coalition": Mistake(
            _coalition_by_coalition,
            "you finished one coalition before the next: take one *player* after the other, each for the whole table "
            "(the loop over players outside).",
        ),
        "sign of the part": Mistake(
            lambda t, n: np.array([(-1) ** c.bit_count() for c in range(2**n)]) * _mobius(t, n),
            "the sign counts the members of S only: what counts is how many are missing from T, |T| − |S|.",
        ),
        "only one player": Mistake(
            lambda t, n: _mobius(t, 1), "you did this for player 0 only: repeat it for each player."
        ),
    },
)


def _pair_case(seed: int, n: int, i: int, j: int) -> tuple[np.ndarray, int, int, int]:
    return _table(seed, n), n, i, j


def _pair(table, n, i, j, share):
    both = 1 << i | 1 << j
    return float(sum(table[c] * share(c.bit_count()) for c in range(2**n) if c & both == both))


together = Exercise(
    name="together",
    difficulty=2,
    minutes=6,
    hints=(
        "Which coalitions hold both? Those with `c & both == both`, where `both = 1 << i | 1 << j`.",
        "Divide each of their dividends by `c.bit_count() - 1`, and add them up.",
    ),
    reference=lambda d, n, i, j: _pair(d, n, i, j, lambda size: 1 / (size - 1)),
    cases=lambda: [_pair_case(0, 3, 0, 1), _pair_case(1, 4, 1, 3), _pair_case(2, 5, 4, 2)],
    mistakes={
        "only the pair": Mistake(
            lambda d, n, i, j: float(d[1 << i | 1 << j]),
            "that is the dividend of the two alone: larger coalitions that hold both count as well.",
        ),
        "not shared": Mistake(
            lambda d, n, i, j: _pair(d, n, i, j, lambda size: 1),
            "you counted each dividend in full: divide by |T| − 1.",
        ),
        "shared like a value": Mistake(
            lambda d, n, i, j: _pair(d, n, i, j, lambda size: 1 / size),
            "you divided by |T|: that is how one player's share is made. For a pair it is |T| − 1.",
        ),
        "among the pairs": Mistake(
            lambda d, n, i, j: _pair(d, n, i, j, lambda size: 2 / (size * (size - 1))),
            "you divided by the number of pairs in T: that is Taylor's version. Here it is |T| − 1.",
        ),
        "Banzhaf": Mistake(
            lambda d, n, i, j: _pair(d, n, i, j, lambda size: 0.5 ** (size - 2)),
            "you halved for each further member: that is Banzhaf's version. Here it is 1 / (|T| − 1).",
        ),
        "one or both": Mistake(
            lambda d, n, i, j: float(
                sum(d[c] / max(c.bit_count() - 1, 1) for c in range(2**n) if c & (1 << i | 1 << j))
            ),
            "you took coalitions with one of the two as well: `c & both` must *equal* `both`.",
        ),
    },
)

of_the_triple = Question(
    name="of_the_triple",
    difficulty=2,
    minutes=4,
    hints=(
        "The pair 2, 3 does something only if 4 is there, too: then −3.",
        "Of the six others m are there. Player 4 is among them in m of 6 cases.",
    ),
    expected=lambda orders: [float(orders[m, 2, 3]) for m in (0, 3, 6)],
    examples=lambda: [(_orders_example(),)],
    tolerance=0.05,
    mistakes={
        "constant": wrong_answer(
            lambda orders: [float(orders[6, 2, 3])] * 3,
            "so it would be if the two needed nobody else: they do nothing without player 4.",
        ),
        "average": wrong_answer(
            lambda orders: [float(orders[:, 2, 3].mean())] * 3,
            "that is the mean over all orders, the Shapley interaction: it hides that the orders differ.",
        ),
        "all or nothing": wrong_answer(
            lambda orders: [0.0, 0.0, float(orders[6, 2, 3])],
            "with three others player 4 is already there in half of the cases.",
        ),
        "at once": wrong_answer(
            lambda orders: [0.0] + [float(orders[6, 2, 3])] * 2,
            "with three others player 4 is there in half of the cases only.",
        ),
        "reversed": wrong_answer(
            lambda orders: [float(orders[m, 2, 3]) for m in (6, 3, 0)],
            "the other way round: order 0 means that nobody else is there.",
        ),
        "sign": wrong_answer(
            lambda orders: [-float(orders[m, 2, 3]) for m in (0, 3, 6)],
            "the sign is reversed: together the three cost something.",
        ),
    },
)


def _orders_example() -> np.ndarray:
    orders = np.zeros((7, 8, 8))
    orders[:, 2, 3] = -np.arange(7) / 2
    return orders


# --- 20b: alike -------------------------------------------------------------------------------------------


def _features(seed: int, n: int, p: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) + 1
    return x, np.column_stack([x[:, :1], rng.normal(size=(n, q - 1))]) + 2


def _gram(x, y, *, zero=True, ones=True, mixed=True):
    n, k, m = len(x), x @ x.T, y @ y.T
    if zero:
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    found = (k * m).sum()
    if ones:
        found += k.sum() * m.sum() / ((n - 1) * (n - 2))
    if mixed:
        found -= 2 * k.sum(axis=0) @ m.sum(axis=0) / (n - 2)
    return found


def _plain(x, y, centre=True):
    if centre:
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    sizes = ((x.T @ x) ** 2).sum() * ((y.T @ y) ** 2).sum()
    return float(((x.T @ y) ** 2).sum() / np.sqrt(sizes))


cka = Exercise(
    name="cka",
    difficulty=1,
    minutes=6,
    hints=(
        "First subtract from each column its mean, in x and in y.",
        "‖M‖² is the sum of the squares of all entries: `(M**2).sum()`, with M = x.T @ y above the line.",
        "Below the line stand ‖xᵀx‖ and ‖yᵀy‖, not squared: `np.sqrt(((x.T @ x)**2).sum())`.",
    ),
    reference=_plain,
    cases=lambda: [_features(0, 12, 3, 2), _features(1, 9, 2, 4), _features(2, 20, 5, 3)],
    mistakes={
        "not centred": Mistake(
            lambda x, y: _plain(x, y, centre=False),
            "the columns are not centred: a common mean alone then makes any two layers look alike.",
        ),
        "squared below": Mistake(
            lambda x, y: float(
                (((x - x.mean(0)).T @ (y - y.mean(0))) ** 2).sum()
                / (
                    (((x - x.mean(0)).T @ (x - x.mean(0))) ** 2).sum()
                    * (((y - y.mean(0)).T @ (y - y.mean(0))) ** 2).sum()
                )
            ),
            "below the line a root is missing: the norms there are not squared.",
        ),
        "root above": Mistake(
            lambda x, y: float(np.sqrt(_plain(x, y))),
            "you took the root of the whole: above the line the norm stays squared.",
        ),
        "centred by rows": Mistake(
            lambda x, y: _plain(x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True), centre=False),
            "you centred the rows: the mean of each *column*, over the inputs, must go (`axis=0`).",
        ),
        "one mean": Mistake(
            lambda x, y: _plain(x - x.mean(), y - y.mean(), centre=False),
            "you subtracted one mean of the whole table: each column has its own (`axis=0`).",
        ),
        "standardised": Mistake(
            lambda x, y: _plain(x / x.std(axis=0), y / y.std(axis=0)),
            "you divided by each column's spread: CKA only centres, and so large units count more.",
        ),
        "a correlation": Mistake(
            lambda x, y: float(np.mean(np.abs(np.corrcoef(x.T, y.T)[: x.shape[1], x.shape[1] :]))),
            "that is the mean correlation of single units: CKA compares the layers as a whole.",
        ),
    },
)

debiased = Exercise(
    name="debiased",
    difficulty=2,
    minutes=6,
    hints=(
        "Each input is perfectly like itself. Where do these similarities stand in the table K = x xᵀ, and what do they "
        "say about y?",
        "On the diagonal, and nothing. `np.fill_diagonal(k, 0)` takes them out, in both tables.",
    ),
    reference=_gram,
    given=lambda x, y: _gram(x, y, zero=False),
    cases=lambda: [_features(0, 8, 3, 2), _features(1, 6, 2, 4), _features(2, 12, 5, 3)],
    mistakes={
        "only one table": Mistake(
            lambda x, y: _gram_with(x, y, None),
            "one of the two tables still has its diagonal.",
        ),
        "no correction": Mistake(
            lambda x, y: _gram(x, y, ones=False, mixed=False),
            "the diagonal is gone, but so are the two terms that do the centring: leave them in.",
        ),
        "centred as well": Mistake(
            lambda x, y: _gram(x - x.mean(axis=0), y - y.mean(axis=0), zero=False),
            "centring the columns does not remove the diagonal; and the last two terms centre already.",
        ),
        "ones instead of zeros": Mistake(
            lambda x, y: _gram_with(x, y, 1.0),
            "you put ones on the diagonal: it must not count at all, so zeros.",
        ),
    },
)


def _gram_with(x, y, diagonal):
    """The sum with this number on both diagonals; None: only the first table's diagonal is emptied."""
    n, k, m = len(x), x @ x.T, y @ y.T
    np.fill_diagonal(k, diagonal or 0)
    if diagonal is not None:
        np.fill_diagonal(m, diagonal)
    centring = k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * k.sum(axis=0) @ m.sum(axis=0) / (n - 2)
    return (k * m).sum() + centring
