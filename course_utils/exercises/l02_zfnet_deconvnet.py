"""The exercises of lesson 02: three ReLU rules, unpooling that adds, occlusion, invariance, a published bug."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.teach.checks import Exercise, Mistake, Question

# --- 1: three rules -----------------------------------------------------------------------------------


def _relu_signal(signal: torch.Tensor, x: torch.Tensor, rule: str) -> torch.Tensor:
    if rule == "gradient":
        return signal * (x > 0)
    if rule == "deconvnet":
        return signal.clamp(min=0)
    return signal.clamp(min=0) * (x > 0)


def _signals() -> list[tuple[torch.Tensor, torch.Tensor, str]]:
    """Random signals, and inputs of which some are exactly zero: there `x > 0` and `x >= 0` differ."""
    generator = torch.Generator().manual_seed(0)
    rules = ("gradient", "deconvnet", "guided")
    cases = [
        (torch.randn(shape, generator=generator), torch.randn(shape, generator=generator), rule)
        for shape in ((4,), (2, 3, 4, 5))
        for rule in rules
    ]
    signal, x = torch.tensor([2.0, -3.0, 1.0, -1.0, 0.5]), torch.tensor([0.0, 0.0, 1.5, 2.0, -1.0])
    return cases + [(signal, x, rule) for rule in rules]


def _swapped(signal: torch.Tensor, x: torch.Tensor, rule: str) -> torch.Tensor:
    other = {"gradient": "deconvnet", "deconvnet": "gradient"}
    return _relu_signal(signal, x, other.get(rule, rule))


def _rectified_input(signal: torch.Tensor, x: torch.Tensor, rule: str) -> torch.Tensor:
    if rule == "gradient":
        return signal * x.clamp(min=0)
    return _relu_signal(signal, x, rule) if rule == "deconvnet" else signal.clamp(min=0) * x.clamp(min=0)


def _passes_at_zero(signal: torch.Tensor, x: torch.Tensor, rule: str) -> torch.Tensor:
    if rule == "gradient":
        return signal * (x >= 0)
    return _relu_signal(signal, x, rule) if rule == "deconvnet" else signal.clamp(min=0) * (x >= 0)


def _guided_or(signal: torch.Tensor, x: torch.Tensor, rule: str) -> torch.Tensor:
    if rule == "guided":
        return signal * ((signal > 0) | (x > 0))
    return _relu_signal(signal, x, rule)


relu_signal = Exercise(
    name="relu_signal",
    difficulty=1,
    minutes=6,
    hints=(
        "Each rule multiplies the signal by a mask of zeros and ones. What does the mask ask: about `x`, about `signal`, or about both?",
        "`signal * (x > 0)` keeps the signal where the input of the ReLU was positive.",
        "`signal.clamp(min=0)` is the same as `signal * (signal > 0)`. Guided backpropagation needs both masks.",
    ),
    reference=_relu_signal,
    cases=_signals,
    mistakes={
        "swapped": Mistake(
            _swapped,
            "gradient and deconvnet are exchanged: the gradient looks at `x` (what went forward), the deconvnet at `signal` (what comes back).",
        ),
        "times the input": Mistake(
            _rectified_input,
            "you multiplied by the ReLU of x: the mask is `x > 0`, zeros and ones, not the value of x.",
        ),
        "at zero": Mistake(
            _passes_at_zero,
            "you let the signal pass where `x` is exactly zero: the mask is `x > 0`, not `x >= 0`. A ReLU with the input 0 was not active.",
        ),
        "or": Mistake(
            _guided_or,
            "guided backpropagation asks for both at once (and), you let the signal pass if one of the two holds (or).",
        ),
    },
)

# --- 2: unpooling that adds ---------------------------------------------------------------------------


def _adding_unpool(signal: torch.Tensor, switches: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    n, k = signal.shape[:2]
    flat = signal.new_zeros(n, k, size[0] * size[1])
    return flat.scatter_add(2, switches.flatten(2), signal.flatten(2)).view(n, k, *size)


def _overwriting(signal: torch.Tensor, switches: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    n, k = signal.shape[:2]
    flat = signal.new_zeros(n * k, size[0] * size[1])
    for row, values, places in zip(
        flat, signal.flatten(2).flatten(0, 1), switches.flatten(2).flatten(0, 1), strict=True
    ):
        for value, place in zip(values, places, strict=True):
            row[place] = value
    return flat.view(n, k, *size)


def _largest_kept(signal: torch.Tensor, switches: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    n, k = signal.shape[:2]
    flat = signal.new_zeros(n, k, size[0] * size[1])
    index, values = switches.flatten(2), signal.flatten(2)
    return flat.scatter_reduce(2, index, values, "amax", include_self=False).view(n, k, *size)


def _mean_kept(signal: torch.Tensor, switches: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    n, k = signal.shape[:2]
    flat = signal.new_zeros(n, k, size[0] * size[1])
    index, values = switches.flatten(2), signal.flatten(2)
    return flat.scatter_reduce(2, index, values, "mean", include_self=False).view(n, k, *size)


def _without_switches(signal: torch.Tensor, switches: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(signal, size=tuple(size), mode="nearest")


def _pooled() -> list[tuple[torch.Tensor, torch.Tensor, tuple[int, int]]]:
    """Overlapping windows, 3×3 at every second pixel, on maps that are not square."""
    generator = torch.Generator().manual_seed(2)
    cases = []
    for shape in ((1, 1, 6, 8), (2, 3, 7, 5)):
        maps = torch.rand(shape, generator=generator)
        pooled, switches = F.max_pool2d(maps, 3, 2, 1, return_indices=True)
        cases.append((torch.randn(pooled.shape, generator=generator), switches, (shape[2], shape[3])))
    return cases


adding_unpool = Exercise(
    name="adding_unpool",
    difficulty=2,
    minutes=12,
    hints=(
        "A switch is the number of a pixel, counted row by row: pixel (r, c) of a map with `width` columns has the number r · width + c. So work on maps that are flattened.",
        "Start from zeros of the shape (N, K, height · width). You need an operation that *adds* values at given numbers.",
        "`zeros.scatter_add(2, switches.flatten(2), signal.flatten(2))` adds along dimension 2. Then give it the shape (N, K, height, width).",
    ),
    reference=_adding_unpool,
    cases=_pooled,
    mistakes={
        "overwritten": Mistake(
            _overwriting,
            "where windows share their maximum you kept only the value written last. They have to be added up.",
        ),
        "largest": Mistake(
            _largest_kept,
            "where windows share their maximum you kept the largest value: they have to be added up.",
        ),
        "mean": Mistake(
            _mean_kept,
            "where windows share their maximum you averaged the values: they have to be added up.",
        ),
        "no switches": Mistake(
            _without_switches,
            "you enlarged the signal and never used the switches: each value belongs at one pixel, where the maximum was.",
        ),
    },
)

# --- 3: occlusion -------------------------------------------------------------------------------------


def _occlusion_scores(
    model: nn.Module, inputs: torch.Tensor, target: int, size: int, stride: int
) -> torch.Tensor:
    with torch.no_grad():
        full = model(inputs)[:, target]
        rows = range(0, inputs.shape[2] - size + 1, stride)
        columns = range(0, inputs.shape[3] - size + 1, stride)
        falls = inputs.new_zeros(len(inputs), len(rows), len(columns))
        for i, top in enumerate(rows):
            for j, left in enumerate(columns):
                covered = inputs.clone()
                covered[:, :, top : top + size, left : left + size] = 0
                falls[:, i, j] = full - model(covered)[:, target]
    return falls


def _negative(model: nn.Module, inputs: torch.Tensor, target: int, size: int, stride: int) -> torch.Tensor:
    return -_occlusion_scores(model, inputs, target, size, stride)


def _of_probability(
    model: nn.Module, inputs: torch.Tensor, target: int, size: int, stride: int
) -> torch.Tensor:
    return _occlusion_scores(nn.Sequential(model, nn.Softmax(dim=1)), inputs, target, size, stride)


def _growing_hole(
    model: nn.Module, inputs: torch.Tensor, target: int, size: int, stride: int
) -> torch.Tensor:
    with torch.no_grad():
        full = model(inputs)[:, target]
        covered = inputs.clone()
        rows = range(0, inputs.shape[2] - size + 1, stride)
        columns = range(0, inputs.shape[3] - size + 1, stride)
        falls = inputs.new_zeros(len(inputs), len(rows), len(columns))
        for i, top in enumerate(rows):
            for j, left in enumerate(columns):
                covered[:, :, top : top + size, left : left + size] = 0
                falls[:, i, j] = full - model(covered)[:, target]
    return falls


def _score_only(model: nn.Module, inputs: torch.Tensor, target: int, size: int, stride: int) -> torch.Tensor:
    with torch.no_grad():
        full = model(inputs)[:, target]
    return full[:, None, None] - _occlusion_scores(model, inputs, target, size, stride)


def _small_classifier(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 4 * 5, 3)
        )
    return network.eval()


def _occlusion_cases() -> list[tuple]:
    generator = torch.Generator().manual_seed(3)
    pictures = torch.rand(2, 3, 8, 10, generator=generator) + 0.5
    return [(_small_classifier(), pictures, 1, 4, 2), (_small_classifier(1), pictures[:1], 2, 2, 2)]


occlusion_scores = Exercise(
    name="occlusion_scores",
    difficulty=2,
    minutes=12,
    hints=(
        "Two loops: `for top in range(0, height - size + 1, stride)`, and the same for `left`.",
        "Cover a *copy*: `covered = inputs.clone()`, then set the square of all channels to zero.",
        "The value at a place is the score of the whole picture minus the score of the covered one.",
    ),
    reference=_occlusion_scores,
    cases=_occlusion_cases,
    mistakes={
        "sign": Mistake(
            _negative,
            "the sign is turned around: the value is the score of the whole picture minus the score of the covered one, so a square that matters gives a positive value.",
        ),
        "growing hole": Mistake(
            _growing_hole,
            "the earlier squares stay covered: start from a fresh copy of the picture for each place.",
        ),
        "probability": Mistake(
            _of_probability,
            "you took the softmax: the task asks for the fall of the score, which does not depend on the other classes.",
        ),
        "score": Mistake(
            _score_only,
            "you return the scores of the covered pictures: the value is how far the score falls.",
        ),
    },
)

# --- 4: predict, then run -----------------------------------------------------------------------------


def _most_stable(changes: dict[str, float]) -> str:
    return min(changes, key=lambda name: float(changes[name]))


def _second_best(changes: dict[str, float]) -> str:
    return sorted(changes, key=lambda name: float(changes[name]))[1]


most_stable_layer = Question(
    name="most_stable_layer",
    difficulty=1,
    minutes=4,
    hints=(
        "In the first layer each place compares a few pixels. What happens to them when the picture moves?",
        "Look at the figure of section 8 once more: which curve stays lowest near zero shift?",
        'Answer with one of the names in `changes`, as a string: `"relu3"`, for example.',
    ),
    expected=_most_stable,
    examples=lambda: [
        ({"relu1": 0.9, "relu3": 0.7, "relu5": 0.5, "relu6": 0.3},),
        ({"relu1": 0.4, "relu3": 0.2, "relu5": 0.5, "relu6": 0.3},),
    ],
    mistakes={
        "not a layer": Mistake(
            lambda answer, changes: answer not in changes,
            "that is not one of the layers measured: take a name out of `changes`, as a string.",
            example=lambda changes: "fc9",
        ),
        "the least stable": Mistake(
            lambda answer, changes: answer == max(changes, key=lambda name: float(changes[name])),
            "that layer changes most of all: the question asks for the one that changes least.",
            example=lambda changes: max(changes, key=lambda name: float(changes[name])),
        ),
        "another": Mistake(
            lambda answer, changes: answer in changes and answer != _most_stable(changes),
            "another layer changes less in your run: print `changes` and compare.",
            example=_second_best,
        ),
    },
)

# --- 5: find the bug ----------------------------------------------------------------------------------


def _score_gradient(model: nn.Module, inputs: torch.Tensor, target: int) -> torch.Tensor:
    inputs = inputs.clone().requires_grad_()
    return torch.autograd.grad(model(inputs)[:, target].sum(), inputs)[0]


def _loss_gradient(model: nn.Module, inputs: torch.Tensor, target: int) -> torch.Tensor:
    inputs = inputs.clone().requires_grad_()
    loss = F.cross_entropy(model(inputs), torch.full((len(inputs),), target))
    return torch.autograd.grad(loss, inputs)[0]


def _summed_loss_gradient(model: nn.Module, inputs: torch.Tensor, target: int) -> torch.Tensor:
    return len(inputs) * _loss_gradient(model, inputs, target)


def _probability_gradient(model: nn.Module, inputs: torch.Tensor, target: int) -> torch.Tensor:
    inputs = inputs.clone().requires_grad_()
    return torch.autograd.grad(model(inputs).softmax(dim=1)[:, target].sum(), inputs)[0]


def _mean_gradient(model: nn.Module, inputs: torch.Tensor, target: int) -> torch.Tensor:
    return _score_gradient(model, inputs, target) / len(inputs)


score_gradient = Exercise(
    name="score_gradient",
    difficulty=2,
    minutes=8,
    hints=(
        "What is differentiated here: how much the network likes the class, or how wrong it is?",
        "The loss of a sure network is almost constant, and it mixes in the scores of all other classes. Take the score itself: `model(inputs)[:, target]`.",
        "`torch.autograd.grad` needs one number: add the scores up. The score of one picture does not depend on the others, so the sum keeps them apart.",
    ),
    reference=_score_gradient,
    given=_loss_gradient,
    cases=lambda: [case[:3] for case in _occlusion_cases()],
    mistakes={
        "minus the loss": Mistake(
            lambda model, inputs, target: -_loss_gradient(model, inputs, target),
            "you turned the sign of the loss around: it still mixes in all other classes. Differentiate the score.",
        ),
        "summed loss": Mistake(
            _summed_loss_gradient,
            "you added the losses up instead of averaging them: it is still the loss. Differentiate the score.",
        ),
        "probability": Mistake(
            _probability_gradient,
            "you differentiated the softmax: it mixes in the other classes too, and it is flat when the network is sure.",
        ),
        "mean": Mistake(
            _mean_gradient,
            "you averaged over the pictures: then each map gets smaller the more pictures are in the batch. Add them up.",
        ),
    },
)
