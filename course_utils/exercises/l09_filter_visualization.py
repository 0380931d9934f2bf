"""The exercises of lessons 09 and 09b: a published bug, total variation, the outsider, a step with jitter, a name."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from course_utils.teach.checks import Exercise, Mistake, Question, wrong_answer


class _Slope:
    """The gradient of a hill on which neighbours matter to each other, a plain function of the picture."""

    def __init__(self, weights: torch.Tensor):
        self.weights = weights

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self.weights - 0.6 * x.roll(1, dims=-1)


def _moving_hills() -> list[tuple[torch.Tensor, Callable, tuple[int, int], float, float]]:
    """Pictures in −1 … 1, a function for the score's gradient, a shift, step size and weight of the decay."""
    generator = torch.Generator().manual_seed(0)
    cases = []
    for i, (shape, shift) in enumerate(
        (((1, 3, 5, 6), (1, -2)), ((2, 3, 4, 6), (-1, 2)), ((3, 1, 7, 5), (3, 1)))
    ):
        pictures = torch.rand(shape, generator=generator) * 2 - 1
        hill = _Slope(torch.randn(shape[1:], generator=generator))
        cases.append((pictures, hill, shift, 0.1 + 0.2 * i, 0.3 + 0.4 * i))
    return cases


def _jittered_slope(
    x: torch.Tensor, gradient_of: Callable, shift: tuple[int, int], *, back: bool = True, each: bool = True
) -> torch.Tensor:
    slope = gradient_of(x.roll(shift, dims=(2, 3)))
    if back:
        slope = slope.roll((-shift[0], -shift[1]), dims=(2, 3))
    squares = slope.square()
    return slope / (squares.mean(dim=(1, 2, 3), keepdim=True) if each else squares.mean()).sqrt()


def _jittered_step(
    x: torch.Tensor, gradient_of: Callable, shift: tuple[int, int], rate: float, decay: float
) -> torch.Tensor:
    return (x + rate * (_jittered_slope(x, gradient_of, shift) - 2 * decay * x)).clamp(-1, 1)


def _penalty_inside(
    x: torch.Tensor, gradient_of: Callable, shift: tuple[int, int], rate: float, decay: float
) -> torch.Tensor:
    slope = gradient_of(x.roll(shift, dims=(2, 3))).roll((-shift[0], -shift[1]), dims=(2, 3)) - 2 * decay * x
    return (x + rate * slope / slope.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()).clamp(-1, 1)


jittered_step = Exercise(
    name="jittered_step",
    difficulty=2,
    minutes=12,
    hints=(
        "Four stations: move the picture, ask for the slope, move the *slope* by the opposite shift, normalise it.",
        "`slope.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()` is each picture's root mean square.",
        "The derivative of $\\lambda \\sum x^2$ is $2 \\lambda x$; it is subtracted from the normalised slope. `clamp(-1, 1)` comes last.",
    ),
    reference=_jittered_step,
    cases=_moving_hills,
    mistakes={
        "not moved": Mistake(
            lambda x, gradient_of, shift, rate, decay: _jittered_step(x, gradient_of, (0, 0), rate, decay),
            "the filter must see the moved picture: you asked for the slope at x itself.",
        ),
        "not moved back": Mistake(
            lambda x, gradient_of, shift, rate, decay: (
                x + rate * (_jittered_slope(x, gradient_of, shift, back=False) - 2 * decay * x)
            ).clamp(-1, 1),
            "the slope belongs to the moved picture: roll it back by the opposite shift before you add it to x.",
        ),
        "not normalised": Mistake(
            lambda x, gradient_of, shift, rate, decay: (
                x
                + rate
                * (
                    gradient_of(x.roll(shift, dims=(2, 3))).roll((-shift[0], -shift[1]), dims=(2, 3))
                    - 2 * decay * x
                )
            ).clamp(-1, 1),
            "the slope is not divided by its root mean square.",
        ),
        "one scale for all": Mistake(
            lambda x, gradient_of, shift, rate, decay: (
                x + rate * (_jittered_slope(x, gradient_of, shift, each=False) - 2 * decay * x)
            ).clamp(-1, 1),
            "you took one root mean square for the whole batch: every picture is climbed for itself.",
        ),
        "penalty inside": Mistake(
            _penalty_inside,
            "you normalised the slope together with the penalty's: divide the slope of s alone, then subtract.",
        ),
        "downhill": Mistake(
            lambda x, gradient_of, shift, rate, decay: _jittered_step(x, gradient_of, shift, -rate, decay),
            "you walk downhill: training subtracts the gradient of a loss, an ascent adds the gradient of a score.",
        ),
        "no clamp": Mistake(
            lambda x, gradient_of, shift, rate, decay: (
                x + rate * (_jittered_slope(x, gradient_of, shift) - 2 * decay * x)
            ),
            "the pixels leave −1 … 1: no picture looks like that. Cut them off with `clamp(-1, 1)`.",
        ),
        "no factor 2": Mistake(
            lambda x, gradient_of, shift, rate, decay: _jittered_step(x, gradient_of, shift, rate, decay / 2),
            "the derivative of x² is 2x: a factor 2 is missing in the decay.",
        ),
        "decay without rate": Mistake(
            lambda x, gradient_of, shift, rate, decay: (
                x + rate * _jittered_slope(x, gradient_of, shift) - 2 * decay * x
            ).clamp(-1, 1),
            "the decay is not multiplied by the step size: it belongs to the slope, inside the brackets.",
        ),
        "decay pushes": Mistake(
            lambda x, gradient_of, shift, rate, decay: _jittered_step(x, gradient_of, shift, rate, -decay),
            "the penalty's sign is wrong: it is subtracted, so that it pulls pixels to grey.",
        ),
        "standard deviation": Mistake(
            lambda x, gradient_of, shift, rate, decay: (
                x
                + rate
                * (
                    (slope := gradient_of(x.roll(shift, (2, 3))).roll((-shift[0], -shift[1]), (2, 3)))
                    / slope.std(dim=(1, 2, 3), keepdim=True)
                    - 2 * decay * x
                )
            ).clamp(-1, 1),
            "you divided by the standard deviation, which subtracts the mean first: the root mean square does not.",
        ),
        "moved the same way twice": Mistake(
            lambda x, gradient_of, shift, rate, decay: (
                x
                + rate
                * (
                    _jittered_slope(x, gradient_of, shift, back=False).roll(shift, dims=(2, 3))
                    - 2 * decay * x
                )
            ).clamp(-1, 1),
            "you moved the slope in the same direction once more: the way back is `(-shift[0], -shift[1])`.",
        ),
        "columns and rows": Mistake(
            lambda x, gradient_of, shift, rate, decay: _jittered_step(
                x, gradient_of, shift[::-1], rate, decay
            ),
            "you swapped rows and columns: `shift` is (rows, columns), for the dimensions 2 and 3.",
        ),
        "length": Mistake(
            lambda x, gradient_of, shift, rate, decay: (
                x + rate * (_jittered_slope(x, gradient_of, shift) / math.sqrt(x[0].numel()) - 2 * decay * x)
            ).clamp(-1, 1),
            "you divided by the slope's length, the root of the *sum* of squares: take the root of their *mean*.",
        ),
        "a scale for each channel": Mistake(
            lambda x, gradient_of, shift, rate, decay: (
                x
                + rate
                * (
                    (slope := gradient_of(x.roll(shift, (2, 3))).roll((-shift[0], -shift[1]), (2, 3)))
                    / slope.square().mean(dim=(2, 3), keepdim=True).sqrt()
                    - 2 * decay * x
                )
            ).clamp(-1, 1),
            "you took a root mean square for each channel: take one for each picture, over dimensions 1, 2 and 3.",
        ),
        "cut off at 0": Mistake(
            lambda x, gradient_of, shift, rate, decay: (
                x + rate * (_jittered_slope(x, gradient_of, shift) - 2 * decay * x)
            ).clamp(0, 1),
            "you cut the pixels off at 0: black is −1 here, so `clamp(-1, 1)`.",
        ),
        "decay forgotten": Mistake(
            lambda x, gradient_of, shift, rate, decay: _jittered_step(x, gradient_of, shift, rate, 0.0),
            "you climb s(x) alone: the decay pulls back nothing.",
        ),
    },
)


def _pictures() -> list[tuple[torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(shape, generator=generator),) for shape in ((2, 3, 6, 8), (1, 1, 9, 4), (4, 3, 5, 5))
    ]


def _total_variation(x: torch.Tensor) -> torch.Tensor:
    down = (x[:, :, 1:] - x[:, :, :-1]).abs().mean(dim=(1, 2, 3))
    across = (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().mean(dim=(1, 2, 3))
    return down + across


def _joint_mean(x: torch.Tensor) -> torch.Tensor:
    down = (x[:, :, 1:] - x[:, :, :-1]).abs().flatten(1)
    across = (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().flatten(1)
    return torch.cat([down, across], dim=1).mean(dim=1)


total_variation = Exercise(
    name="total_variation",
    difficulty=2,
    minutes=8,
    hints=(
        "`x[:, :, 1:]` holds every row but the first, `x[:, :, :-1]` every row but the last. What is their difference?",
        "Take absolute values before you average: otherwise ups and downs cancel.",
        "One number for each picture: average over dimensions 1, 2 and 3, once for rows and once for columns, and add.",
    ),
    reference=_total_variation,
    cases=_pictures,
    mistakes={
        "no abs": Mistake(
            lambda x: (
                (x[:, :, 1:] - x[:, :, :-1]).mean(dim=(1, 2, 3))
                + (x[:, :, :, 1:] - x[:, :, :, :-1]).mean(dim=(1, 2, 3))
            ),
            "ups and downs cancel: the absolute value of each difference is missing.",
        ),
        "squares": Mistake(
            lambda x: (
                (x[:, :, 1:] - x[:, :, :-1]).square().mean(dim=(1, 2, 3))
                + (x[:, :, :, 1:] - x[:, :, :, :-1]).square().mean(dim=(1, 2, 3))
            ),
            "you squared the differences: then one sharp edge costs more than many small steps, and edges blur away.",
        ),
        "abs of the mean": Mistake(
            lambda x: (
                (x[:, :, 1:] - x[:, :, :-1]).mean(dim=(1, 2, 3)).abs()
                + (x[:, :, :, 1:] - x[:, :, :, :-1]).mean(dim=(1, 2, 3)).abs()
            ),
            "you took the absolute value of the mean: ups and downs have cancelled before. First `.abs()`, then `.mean(…)`.",
        ),
        "for each channel": Mistake(
            lambda x: (
                (x[:, :, 1:] - x[:, :, :-1]).abs().mean(dim=(2, 3))
                + (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().mean(dim=(2, 3))
            ),
            "you return a number for each channel: average over dimension 1, too.",
        ),
        "two pixels apart": Mistake(
            lambda x: (
                (x[:, :, 2:] - x[:, :, :-2]).abs().mean(dim=(1, 2, 3))
                + (x[:, :, :, 2:] - x[:, :, :, :-2]).abs().mean(dim=(1, 2, 3))
            ),
            "you compared pixels that are two apart: neighbours are `x[:, :, 1:]` and `x[:, :, :-1]`.",
        ),
        "length of the gradient": Mistake(
            lambda x: (
                (
                    (x[:, :, 1:, :-1] - x[:, :, :-1, :-1]).square()
                    + (x[:, :, :-1, 1:] - x[:, :, :-1, :-1]).square()
                )
                .sqrt()
                .mean(dim=(1, 2, 3))
            ),
            "you took the root of the two squared differences: that is another kind of total variation. Here the absolute "
            "differences of the two directions are averaged and added.",
        ),
        "rows only": Mistake(
            lambda x: (x[:, :, 1:] - x[:, :, :-1]).abs().mean(dim=(1, 2, 3)),
            "you compared each pixel with the one below only: neighbours to the right count too.",
        ),
        "one number": Mistake(
            lambda x: (
                (x[:, :, 1:] - x[:, :, :-1]).abs().mean() + (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().mean()
            ),
            "you averaged over the pictures too: every picture has a total variation of its own.",
        ),
        "columns only": Mistake(
            lambda x: (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().mean(dim=(1, 2, 3)),
            "you compared each pixel with the one to its right only: neighbours below count too.",
        ),
        "sums": Mistake(
            lambda x: (
                (x[:, :, 1:] - x[:, :, :-1]).abs().sum(dim=(1, 2, 3))
                + (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().sum(dim=(1, 2, 3))
            ),
            "you added the differences up: then a larger picture costs more for its size alone. Take their mean.",
        ),
        "one joint mean": Mistake(
            _joint_mean,
            "you took one mean over the differences of both directions: take a mean for each direction, and add the two.",
        ),
        "mean of the two": Mistake(
            lambda x: _total_variation(x) / 2,
            "your values are half of what they should be: the means of the two directions are added, not averaged.",
        ),
        "divided by pixels": Mistake(
            lambda x: (
                (
                    (x[:, :, 1:] - x[:, :, :-1]).abs().sum(dim=(1, 2, 3))
                    + (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().sum(dim=(1, 2, 3))
                )
                / x[0].numel()
            ),
            "you divided by the number of pixels: there is one row of differences less than rows of pixels, and one column less. Take `.mean` of the differences.",
        ),
        "channels and rows": Mistake(
            lambda x: (
                (x[:, 1:] - x[:, :-1]).abs().sum(dim=(1, 2, 3)) / max(1, (x[:, 1:] - x[:, :-1])[0].numel())
                + (x[:, :, 1:] - x[:, :, :-1]).abs().mean(dim=(1, 2, 3))
            ),
            "you compared neighbouring channels (dimension 1): rows are dimension 2, columns are dimension 3.",
        ),
        "common crop": Mistake(
            lambda x: (
                (x[:, :, 1:, :-1] - x[:, :, :-1, :-1]).abs().mean(dim=(1, 2, 3))
                + (x[:, :, :-1, 1:] - x[:, :, :-1, :-1]).abs().mean(dim=(1, 2, 3))
            ),
            "you left out the last row and the last column in both directions: they have neighbours too.",
        ),
        "wrap around": Mistake(
            lambda x: (
                (x - x.roll(1, 2)).abs().mean(dim=(1, 2, 3)) + (x - x.roll(1, 3)).abs().mean(dim=(1, 2, 3))
            ),
            "you compared the first row with the last one, and the first column with the last: `roll` goes around the edge, and those are no neighbours.",
        ),
    },
)


_ROWS = ("plain", "careful", "robust", "robust, careful")
_NAMES = '"plain", "careful", "robust" or "robust, careful"'


def _read_best(read: dict[str, torch.Tensor]) -> str:
    return max(read, key=lambda name: float(read[name].mean()))


read_best = Question(
    name="read_best",
    difficulty=1,
    minutes=3,
    hints=(
        "The outsider has another architecture: it cannot read what only one network has learnt to like.",
        "Two things make a picture less of a quirk: the training of the network, and the way of climbing.",
        f"Answer with one of the names of the rows: {_NAMES}.",
    ),
    expected=_read_best,
    examples=lambda: [
        ({name: torch.tensor([n, n]) for name, n in zip(_ROWS, numbers, strict=True)},)
        for numbers in ((0.1, 0.5, 0.3, 0.9), (0.1, 0.8, 0.3, 0.7))
    ],
    mistakes={
        "not a row": Mistake(
            lambda answer, read: answer not in read,
            f"that is not one of the rows: answer {_NAMES}.",
            example=lambda read: "outsider",
        ),
        "plain": wrong_answer(
            lambda read: "plain",
            "the plain pictures convince the network that they were made for, and hardly anybody else: they are grain.",
        ),
        "robust": wrong_answer(
            lambda read: "robust",
            "the robust twin's plain pictures are still mostly grain: compare with the careful ascents in your run.",
        ),
        "another": Mistake(
            lambda answer, read: answer in read and answer != _read_best(read),
            "your own run has another row with a higher mean probability: print `read` and compare.",
            example=lambda read: sorted(
                ("careful", "robust, careful"), key=lambda name: float(read[name].mean())
            )[0],
        ),
    },
)


def _ascents() -> list[tuple[torch.Tensor, Callable, int]]:
    """A photograph in −1 … 1, a function for the score's gradient, a number of steps."""
    generator = torch.Generator().manual_seed(2)
    cases = []
    for shape, n_steps in (((1, 3, 4, 4), 3), ((2, 3, 3, 5), 12), ((1, 1, 6, 2), 30)):
        weights = torch.randn(shape[1:], generator=generator)
        photograph = torch.rand(shape, generator=generator) * 2 - 1
        cases.append((photograph, _Slope(weights), n_steps))
    return cases


def _noise_like(photograph: torch.Tensor) -> torch.Tensor:
    return 0.05 * torch.randn(photograph.shape, generator=torch.Generator().manual_seed(0))


def _climb(
    start: torch.Tensor, gradient_of: Callable, n_steps: int, clamp: bool, low: float = -1.0
) -> torch.Tensor:
    x = start.clone()
    for _ in range(n_steps):
        x = x + 0.1 * gradient_of(x)
        if clamp:
            x = x.clamp(low, 1)
    return x


def _squashed(photograph: torch.Tensor, gradient_of: Callable, n_steps: int) -> torch.Tensor:
    x = _noise_like(photograph)
    for _ in range(n_steps):
        x = (x + 0.1 * gradient_of(x)).tanh()
    return x


def _from_noise(photograph: torch.Tensor, gradient_of: Callable, n_steps: int) -> torch.Tensor:
    return _climb(_noise_like(photograph), gradient_of, n_steps, clamp=True)


def _as_published(photograph: torch.Tensor, gradient_of: Callable, n_steps: int) -> torch.Tensor:
    return _climb(photograph, gradient_of, n_steps, clamp=False)


def _clamped_at_the_end(photograph: torch.Tensor, gradient_of: Callable, n_steps: int) -> torch.Tensor:
    return _climb(_noise_like(photograph), gradient_of, n_steps, clamp=False).clamp(-1, 1)


def _clamp_first(photograph: torch.Tensor, gradient_of: Callable, n_steps: int) -> torch.Tensor:
    x = _noise_like(photograph)
    for _ in range(n_steps):
        x = x.clamp(-1, 1)
        x = x + 0.1 * gradient_of(x)
    return x


climb_from_noise = Exercise(
    name="climb_from_noise",
    difficulty=2,
    minutes=8,
    hints=(
        "There are two errors. What does the text say the ascent starts from, and what does the code start from?",
        "Print the smallest and the largest pixel after the loop. Which values can a picture have?",
        "Start from `0.05 * torch.randn(…, generator=torch.Generator().manual_seed(0))` and clamp in every step.",
    ),
    reference=_from_noise,
    given=_as_published,
    cases=_ascents,
    mistakes={
        "still a photograph": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(photograph, gradient_of, n_steps, clamp=True),
            "you clamp now, but you still start from the photograph: what you see at the end is mostly that photograph.",
        ),
        "no clamp": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                _noise_like(photograph), gradient_of, n_steps, clamp=False
            ),
            "you start from noise now, but the pixels still leave −1 … 1. No picture has such values.",
        ),
        "clamp at the end": Mistake(
            _clamped_at_the_end,
            "you clamp once at the end: then the steps before were climbed at places where no picture is. Clamp in every step.",
        ),
        "clamp before the step": Mistake(
            lambda photograph, gradient_of, n_steps: _clamp_first(photograph, gradient_of, n_steps),
            "you clamp before the step, so the last step leaves −1 … 1: clamp what the step gives.",
        ),
        "downhill": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                _noise_like(photograph), lambda x: -gradient_of(x), n_steps, clamp=True
            ),
            "you walk downhill now: the sign of the step was right. The text says *maximise*, so the gradient is added.",
        ),
        "cut off at 0": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                _noise_like(photograph), gradient_of, n_steps, clamp=True, low=0.0
            ),
            "you cut the pixels off at 0: black is −1 here, so `clamp(-1, 1)`.",
        ),
        "divided by the root mean square": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                _noise_like(photograph),
                lambda x: (slope := gradient_of(x)) / slope.square().mean().sqrt(),
                n_steps,
                clamp=True,
            ),
            "you divide the gradient by its root mean square, as section 3 does. This text does not: only the start and the range were wrong.",
        ),
        "slope at the photograph": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                _noise_like(photograph), lambda x: gradient_of(photograph), n_steps, clamp=True
            ),
            "you ask for the slope at the photograph in each step: ask for it at x, the picture that climbs.",
        ),
        "a step short": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                _noise_like(photograph), gradient_of, n_steps - 1, clamp=True
            ),
            "your ascent takes one step less than `n_steps`.",
        ),
        "a step too many": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                _noise_like(photograph), gradient_of, n_steps + 1, clamp=True
            ),
            "your ascent takes one step more than `n_steps`.",
        ),
        "sign of the gradient": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                _noise_like(photograph), lambda x: gradient_of(x).sign(), n_steps, clamp=True
            ),
            "you step by the sign of the gradient: that is another method. Only the start and the range were wrong.",
        ),
        "gradient cut off": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                _noise_like(photograph), lambda x: gradient_of(x).clamp(-1, 1), n_steps, clamp=False
            ),
            "you cut off the gradient: the *pixels* must stay within −1 … 1.",
        ),
        "squashed": Mistake(
            lambda photograph, gradient_of, n_steps: _squashed(photograph, gradient_of, n_steps),
            "you squash the pixels with `tanh`, which also moves those within the range: cut off with `clamp(-1, 1)`.",
        ),
        "noise of one sign": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                0.05 * torch.rand(photograph.shape, generator=torch.Generator().manual_seed(0)),
                gradient_of,
                n_steps,
                clamp=True,
            ),
            "your noise is `rand`, even between 0 and 1: the text asks for `randn`, normal around 0.",
        ),
        "noise on the photograph": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                photograph + _noise_like(photograph), gradient_of, n_steps, clamp=True
            ),
            "you add noise to the photograph: the photograph is still in there. Start from the noise alone.",
        ),
        "start from grey": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                torch.zeros_like(photograph), gradient_of, n_steps, clamp=True
            ),
            "you start from plain grey: the text says noise, made with the generator that the exercise names.",
        ),
        "strong noise": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                _noise_like(photograph) / 0.05, gradient_of, n_steps, clamp=True
            ),
            "your noise is twenty times too strong: it should be faint, `0.05 * torch.randn(…)`.",
        ),
        "no generator": Mistake(
            lambda photograph, gradient_of, n_steps: _climb(
                0.05 * torch.randn(photograph.shape), gradient_of, n_steps, clamp=True
            ),
            "your noise does not come from the generator that the exercise names: then everybody gets another picture, and you another one in each run. Pass `generator=torch.Generator().manual_seed(0)`.",
        ),
    },
)


def _reactions() -> list[tuple[torch.Tensor, torch.Tensor, int]]:
    generator = torch.Generator().manual_seed(3)
    cases = []
    for shape, n_kept in (((2, 8, 8), 20), ((3, 6, 10), 31), ((1, 12, 7), 11)):
        heat = torch.randn(shape, generator=generator)
        mask = torch.zeros(shape, dtype=torch.bool)
        mask[:, 1:4, 2:6] = True
        cases.append((heat + 0.8 * mask, mask, n_kept))
    heat = torch.tensor([[[3.0, 2.0, 2.0, 2.0], [2.0, 1.0, 0.0, -4.0]]])  # four places share the second value
    mask = torch.tensor([[[True, True, False, False], [False, False, False, True]]])
    return [*cases, (heat, mask, 2)]


def _kept(heat: torch.Tensor, n_kept: int) -> torch.Tensor:
    return heat >= heat.flatten().topk(n_kept).values[-1]


def _overlap(heat: torch.Tensor, mask: torch.Tensor, n_kept: int) -> torch.Tensor:
    kept = _kept(heat, n_kept)
    return (kept & mask).sum() / (kept | mask).sum()


def _per_picture(heat: torch.Tensor, mask: torch.Tensor, n_kept: int) -> torch.Tensor:
    share = max(1, round(n_kept / len(heat)))
    kept = torch.stack([_kept(one, share) for one in heat])
    return (kept & mask).sum() / (kept | mask).sum()


def _iou_of_each(heat: torch.Tensor, mask: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    return ((kept & mask).sum(dim=(1, 2)) / (kept | mask).sum(dim=(1, 2))).mean()


def _per_picture_mean(heat: torch.Tensor, mask: torch.Tensor, n_kept: int) -> torch.Tensor:
    share = max(1, round(n_kept / len(heat)))
    return _iou_of_each(heat, mask, torch.stack([_kept(one, share) for one in heat]))


def _dice(heat: torch.Tensor, mask: torch.Tensor, n_kept: int) -> torch.Tensor:
    kept = _kept(heat, n_kept)
    return 2 * (kept & mask).sum() / (kept.sum() + mask.sum())


def _one_too_few(heat: torch.Tensor, mask: torch.Tensor, n_kept: int) -> torch.Tensor:
    kept = heat > heat.flatten().topk(n_kept).values[-1]
    return (kept & mask).sum() / (kept | mask).sum()


def _without_ties(heat: torch.Tensor, mask: torch.Tensor, n_kept: int) -> torch.Tensor:
    kept = torch.zeros(heat.numel(), dtype=torch.bool)
    kept[heat.flatten().argsort(descending=True, stable=True)[:n_kept]] = True
    kept = kept.view_as(mask)
    return (kept & mask).sum() / (kept | mask).sum()


name_score = Exercise(
    name="name_score",
    difficulty=2,
    minutes=10,
    hints=(
        "`heat.flatten().topk(n_kept).values[-1]` is the smallest of the largest `n_kept` values, over all pictures.",
        "`kept = heat >= threshold` is a mask like the part's. Which pixels have both, which have either?",
        "Intersection over union: `(kept & mask).sum() / (kept | mask).sum()`.",
    ),
    reference=_overlap,
    cases=_reactions,
    mistakes={
        "a threshold each": Mistake(
            _per_picture,
            "you took a threshold in each picture: then a filter must fire in every picture, also where the part is absent. "
            "One threshold for all pictures.",
        ),
        "precision": Mistake(
            lambda heat, mask, n_kept: (_kept(heat, n_kept) & mask).sum() / _kept(heat, n_kept).sum(),
            "you divided by the kept pixels: then a filter that marks one pixel of the part would be perfect. Divide by the union.",
        ),
        "recall": Mistake(
            lambda heat, mask, n_kept: (_kept(heat, n_kept) & mask).sum() / mask.sum(),
            "you divided by the part's pixels: then a filter that fires everywhere would be perfect. Divide by the union.",
        ),
        "Dice": Mistake(
            _dice,
            "that is the Dice score, twice the intersection over the sum of both sizes: the union counts the common pixels once.",
        ),
        "sum instead of union": Mistake(
            lambda heat, mask, n_kept: (
                (_kept(heat, n_kept) & mask).sum() / (_kept(heat, n_kept).sum() + mask.sum())
            ),
            "you divided by the sum of both sizes: that counts the common pixels twice. The union is `kept | mask`.",
        ),
        "mean of the pictures": Mistake(
            lambda heat, mask, n_kept: _iou_of_each(heat, mask, _kept(heat, n_kept)),
            "you took each picture's IoU and then their mean: add the pixels of all pictures up first, above and below the line.",
        ),
        "a number for each picture": Mistake(
            lambda heat, mask, n_kept: (
                (_kept(heat, n_kept) & mask).sum(dim=(1, 2)) / (_kept(heat, n_kept) | mask).sum(dim=(1, 2))
            ),
            "you return a number for each picture: add the pixels of all pictures up, and divide once.",
        ),
        "everything for each picture": Mistake(
            _per_picture_mean,
            "you did it for each picture and took the mean: there is one threshold and one ratio, for all pictures together.",
        ),
        "ties dropped": Mistake(
            _without_ties,
            "you kept exactly `n_kept` places: where several share the value of the last one, keep them all. Compare with the "
            "threshold instead of taking indices.",
        ),
        "absolute": Mistake(
            lambda heat, mask, n_kept: _overlap(heat.abs(), mask, n_kept),
            "you took absolute values: a strongly negative place is one that the filter does *not* react to.",
        ),
        "one too few": Mistake(
            _one_too_few,
            "you kept one place too few: the threshold is itself one of the strongest places, so compare with `>=`.",
        ),
    },
)
