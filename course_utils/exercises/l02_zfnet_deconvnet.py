"""The exercises of lesson 02 and its companions.

The core: three ReLU rules, unpooling that adds, the end of the question. The companions: invariance, occlusion,
correspondence, a published bug; one number of the first layer, its cost, one of a deeper layer, the softmax.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.teach.checks import Exercise, Mistake, Question, wrong_answer

# --- three rules -----------------------------------------------------------------------------------


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
    minutes=5,
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
        "guided without the input": Mistake(
            lambda signal, x, rule: _relu_signal(signal, x, rule.replace("guided", "deconvnet")),
            "`guided` asks for two things, and you ask only whether the signal is positive: the mask `[x > 0]` is missing.",
        ),
        "guided without the signal": Mistake(
            lambda signal, x, rule: _relu_signal(signal, x, rule.replace("guided", "gradient")),
            "`guided` asks for two things, and you ask only whether the input was positive: the mask `[g > 0]` is missing.",
        ),
        "the input goes back": Mistake(
            lambda signal, x, rule: x.clamp(min=0) * (1 if rule == "gradient" else (signal > 0)),
            "you return the input: what runs back is the `signal`, and `x` only decides whether it may pass.",
        ),
        "deconvnet with the input": Mistake(
            lambda signal, x, rule: _relu_signal(signal, x, rule.replace("deconvnet", "guided")),
            "`deconvnet` asks only about the signal: leave `[x > 0]` out. With both masks it is guided backpropagation.",
        ),
        "sign of the product": Mistake(
            lambda signal, x, rule: (
                (signal * x).clamp(min=0) if rule == "guided" else _relu_signal(signal, x, rule)
            ),
            "you rectified the product `signal * x`: two negative numbers pass then. Make a mask of each, and multiply the signal by both.",
        ),
        "one rule": Mistake(
            lambda signal, x, rule: _relu_signal(signal, x, "gradient"),
            "you use the rule of the plain gradient for all three names: look at `rule`.",
        ),
        "masks only": Mistake(
            lambda signal, x, rule: (_relu_signal(signal, x, rule) != 0).float(),
            "you return the mask of zeros and ones: multiply the signal by it.",
        ),
        "absolute": Mistake(
            lambda signal, x, rule: _relu_signal(signal if rule == "gradient" else signal.abs(), x, rule),
            "you took the absolute value of the signal: a negative signal becomes 0, not positive.",
        ),
        "or": Mistake(
            _guided_or,
            "guided backpropagation asks for both at once (and), you let the signal pass if one of the two holds (or).",
        ),
    },
)

# --- unpooling that adds ---------------------------------------------------------------------------


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
    minutes=10,
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
        "largest or zero": Mistake(
            lambda signal, switches, size: _largest_kept(signal, switches, size).clamp(min=0),
            "you kept the largest of the values and the zero below them (`amax`, or a ReLU): add the values up; negative ones stay negative.",
        ),
        "rectified first": Mistake(
            lambda signal, switches, size: _adding_unpool(signal.clamp(min=0), switches, size),
            "you cut off negative values of the signal: unpooling passes them on, the ReLU is a step of its own.",
        ),
        "rectified last": Mistake(
            lambda signal, switches, size: _adding_unpool(signal, switches, size).clamp(min=0),
            "you cut off negative sums: unpooling passes them on, the ReLU is a step of its own.",
        ),
        "channels mixed": Mistake(
            lambda signal, switches, size: (
                _adding_unpool(signal, switches, size)
                .sum(dim=1, keepdim=True)
                .expand(-1, signal.shape[1], -1, -1)
            ),
            "you added up over the channels too: each channel has its own map, and its switches count pixels of that map only.",
        ),
        "pictures mixed": Mistake(
            lambda signal, switches, size: (
                _adding_unpool(signal, switches, size)
                .sum(dim=0, keepdim=True)
                .expand(len(signal), -1, -1, -1)
            ),
            "you added up over the pictures of the batch too: each picture has its own maps.",
        ),
        "one map for all": Mistake(
            lambda signal, switches, size: (
                _adding_unpool(signal, switches, size)
                .sum(dim=(0, 1), keepdim=True)
                .expand(*signal.shape[:2], *size)
            ),
            "you added all pictures and channels up in one map: each channel of each picture has its own.",
        ),
        "column by column": Mistake(
            lambda signal, switches, size: _adding_unpool(signal, switches, (size[1], size[0])).transpose(
                2, 3
            ),
            "you read the switches column by column: they count the pixels row by row, row · width + column.",
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

# --- occlusion -------------------------------------------------------------------------------------


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


def _occlusion_by(model, inputs, target, size, stride, fill=torch.zeros_like, end=1) -> torch.Tensor:
    """As the reference, with another way to fill a square, or another end of the range."""
    with torch.no_grad():
        rows = []
        for top in range(0, inputs.shape[2] - size + end, stride):
            rows.append([])
            for left in range(0, inputs.shape[3] - size + end, stride):
                covered = inputs.clone()
                square = covered[:, :, top : top + size, left : left + size]
                square.copy_(fill(square.clone()))
                rows[-1].append(model(inputs)[:, target] - model(covered)[:, target])
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def _square_turned(model, inputs, target, size, stride) -> torch.Tensor:
    """As the reference, but the square lies at the row `left` and the column `top`."""
    with torch.no_grad():
        rows = []
        for top in range(0, inputs.shape[2] - size + 1, stride):
            rows.append([])
            for left in range(0, inputs.shape[3] - size + 1, stride):
                covered = inputs.clone()
                covered[:, :, left : left + size, top : top + size] = 0
                rows[-1].append(model(inputs)[:, target] - model(covered)[:, target])
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


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
    minutes=10,
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
        "one colour": Mistake(
            lambda *case: _occlusion_by(
                *case, fill=lambda square: torch.cat([square[:, :1] * 0, square[:, 1:]], 1)
            ),
            "you covered only the first colour: the square has to be zero in all channels, `covered[:, :, …] = 0`.",
        ),
        "mean fill": Mistake(
            lambda *case: _occlusion_by(
                *case, fill=lambda square: square * 0 + square.mean((2, 3), keepdim=True)
            ),
            "you filled the square with its own mean: the task asks for zeros.",
        ),
        "mean of the picture": Mistake(
            lambda model, inputs, *rest: _occlusion_by(
                model, inputs, *rest, fill=lambda square: square * 0 + inputs.mean((2, 3), keepdim=True)
            ),
            "you filled the square with the mean of the picture: the task asks for zeros.",
        ),
        "another colour": Mistake(
            lambda *case: _occlusion_by(*case, fill=lambda square: square * 0 - 1),
            "you covered with −1 (black): the task asks for zeros.",
        ),
        "absolute": Mistake(
            lambda *case: _occlusion_scores(*case).abs(),
            "you took the absolute value: a covered square can also raise the score, and then the value is negative.",
        ),
        "square turned": Mistake(
            _square_turned,
            "you exchanged rows and columns when you cut the square out: `[:, :, top : top + size, left : left + size]`.",
        ),
        "last square missing": Mistake(
            lambda *case: _occlusion_by(*case, end=0),
            "the last square of each row and column is missing: it still fits, `range(0, height - size + 1, stride)`.",
        ),
        "rows and columns exchanged": Mistake(
            lambda *case: _occlusion_scores(*case).transpose(1, 2),
            "rows and columns are exchanged: the first index after the picture's is the row (`top`).",
        ),
        "most probable class": Mistake(
            lambda model, inputs, target, size, stride: torch.stack(
                [
                    _occlusion_scores(model, one[None], int(model(one[None]).argmax()), size, stride)[0]
                    for one in inputs
                ]
            ),
            "you watched the most probable class: the task gives the class, `target`.",
        ),
        "score": Mistake(
            _score_only,
            "you return the scores of the covered pictures: the value is how far the score falls.",
        ),
    },
)

# --- 02b: predict, then run -----------------------------------------------------------------------------


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
        "Each pooling forgets where exactly its maximum was. Which layer has the most poolings below it?",
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

# --- 02b: find the bug ----------------------------------------------------------------------------------


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


def _gradient_of(what, model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    inputs = inputs.clone().requires_grad_()
    return torch.autograd.grad(what(model(inputs)), inputs)[0]


def _mean_gradient(model: nn.Module, inputs: torch.Tensor, target: int) -> torch.Tensor:
    return _score_gradient(model, inputs, target) / len(inputs)


score_gradient = Exercise(
    name="score_gradient",
    difficulty=2,
    minutes=6,
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
        "minus the score": Mistake(
            lambda *case: -_score_gradient(*case),
            "the sign is turned around: you differentiated minus the score.",
        ),
        "log-probability": Mistake(
            lambda model, inputs, target: -len(inputs) * _loss_gradient(model, inputs, target),
            "you differentiated the logarithm of the probability (minus the loss of each picture): it still mixes in all other classes. Take the score itself.",
        ),
        "all classes": Mistake(
            lambda model, inputs, target: _gradient_of(lambda scores: scores.sum(), model, inputs),
            "you added up the scores of all classes: pick the one that is asked for, `[:, target]`.",
        ),
        "largest class": Mistake(
            lambda model, inputs, target: _gradient_of(lambda s: s.amax(dim=1).sum(), model, inputs),
            "you took each picture's largest score: the task gives the class, `target`.",
        ),
        "absolute": Mistake(
            lambda *case: _score_gradient(*case).abs(),
            "you took the absolute value: the task asks for the gradient with its sign.",
        ),
        "first picture only": Mistake(
            lambda model, inputs, target: _gradient_of(lambda s: s[0, target], model, inputs),
            "only the first picture's score was differentiated: add up the scores of all pictures.",
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

# --- the core: the end of the question, predict, then run -----------------------------------------------------------


def _first_alike(cosines: dict[str, float]) -> str:
    """The first place on the way back at which two signals have a cosine above one half."""
    return next((place for place, cosine in cosines.items() if cosine > 0.5), "nowhere")


end_of_the_question = Question(
    name="end_of_the_question",
    difficulty=1,
    minutes=3,
    hints=(
        "The way back is relu6, relu5, relu4, relu3, relu2, relu1, pixels. At relu6 the cosine is near 0.",
        "After `relu6` the signals have no negative values any more. Then `fc6` adds them up: can they still cancel?",
        "Very little: one changed ReLU is enough. Which place comes right after `relu6`?",
    ),
    expected=_first_alike,
    examples=lambda: [
        ({"relu6": 0.0, "relu5": 0.7, "relu4": 0.9, "pixels": 0.98},),
        ({"relu6": 0.1, "relu5": 0.3, "relu4": 0.6, "relu3": 0.8, "pixels": 0.9},),
    ],
    mistakes={
        "at the start": Mistake(
            lambda answer, cosines: answer == "relu6",
            "at `relu6` the cosine is still near 0: these signals have passed no changed ReLU.",
            example=lambda cosines: "relu6",
        ),
        "not a place": Mistake(
            lambda answer, cosines: answer not in cosines,
            "that is not one of the places: write one of `relu5` … `relu1` or `pixels`, as a string.",
            example=lambda cosines: "fc6",
        ),
        "at the end": Mistake(
            lambda answer, cosines: answer == "pixels",
            "the question is lost long before the pixels. Look at the figure from the left.",
            example=lambda cosines: "pixels",
        ),
        "later": Mistake(
            lambda answer, cosines: answer in cosines and cosines[answer] > 0.5,
            "there the cosine is above 0.5, but not for the first time: the question is lost earlier.",
            example=lambda cosines: max((p for p in cosines if p != "pixels"), key=cosines.get),
        ),
        "earlier": Mistake(
            lambda answer, cosines: answer in cosines and cosines[answer] <= 0.5,
            "there the cosine is not yet above 0.5: look one place nearer to the pixels.",
            example=lambda cosines: min((p for p in cosines if p != "relu6"), key=cosines.get),
        ),
    },
)

# --- 02b: correspondence ----------------------------------------------------------------------------------


def _sign_distance(changes: torch.Tensor) -> torch.Tensor:
    signs = changes.sign()
    pairs = [(i, j) for i in range(len(signs)) for j in range(len(signs)) if i != j]
    return torch.stack([(signs[i] != signs[j]).float().mean() for i, j in pairs]).mean()


def _changes() -> list[tuple[torch.Tensor]]:
    generator = torch.Generator().manual_seed(4)
    return [(torch.randn(n, k, generator=generator) + 0.3,) for n, k in ((3, 5), (4, 7), (6, 4))] + [
        (
            torch.tensor(
                [[1.0, 0.0, -2.0, 0.0], [3.0, 0.0, 1.0, -1.0], [0.5, 2.0, -0.1, 0.0], [0.0, 0.0, 0.0, 0.0]]
            ),
        )
    ]


sign_distance = Exercise(
    name="sign_distance",
    difficulty=2,
    minutes=8,
    hints=(
        "First the signs: `signs = changes.sign()`. Then compare each picture with each other one.",
        "`signs[:, None] != signs[None]` compares all pairs at once: shape (N, N, K). Its mean over the last dimension is the table of distances.",
        "A picture has the distance 0 from itself: leave the N entries on the diagonal out, so divide the sum by N · (N − 1).",
    ),
    reference=_sign_distance,
    cases=_changes,
    mistakes={
        "with itself": Mistake(
            lambda changes: _sign_distance(changes) * (len(changes) - 1) / len(changes),
            "you compared each picture with itself, too: that adds zeros. Leave the diagonal out.",
        ),
        "share of equal signs": Mistake(
            lambda changes: 1 - _sign_distance(changes),
            "you counted the signs that agree: the Hamming distance counts those that differ.",
        ),
        "count": Mistake(
            lambda changes: _sign_distance(changes) * changes.shape[1],
            "you counted the signs that differ: divide by the number of features, so that it is a share.",
        ),
        "sum": Mistake(
            lambda changes: _sign_distance(changes) * len(changes) * (len(changes) - 1),
            "you added up over the pairs: take their mean.",
        ),
        "each pair once, divided as twice": Mistake(
            lambda changes: _sign_distance(changes) / 2,
            "your value is half of the right one: either go through all ordered pairs, or divide by the number of unordered ones.",
        ),
        "only above zero": Mistake(
            lambda changes: _sign_distance((changes > 0).float()),
            "you made two groups, above zero and the rest: the sign has three values, −1, 0 and 1.",
        ),
        "zero as positive": Mistake(
            lambda changes: _sign_distance((changes >= 0).float()),
            "you made two groups, below zero and the rest: the sign has three values, −1, 0 and 1.",
        ),
        "zero as equal": Mistake(
            lambda changes: (
                (changes.sign()[:, None] * changes.sign()[None] < 0).float().mean(dim=2).sum()
                / (len(changes) * (len(changes) - 1))
            ),
            "you counted only −1 against 1: a 0 differs from both of them.",
        ),
        "difference of the signs": Mistake(
            lambda changes: (
                (changes.sign()[:, None] - changes.sign()[None]).abs().mean(dim=2).sum()
                / (len(changes) * (len(changes) - 1))
            ),
            "you averaged the size of the difference, so −1 against 1 counts twice: count whether the signs differ, `!=`.",
        ),
        "neighbours only": Mistake(
            lambda changes: (changes[1:].sign() != changes[:-1].sign()).float().mean(),
            "you compared each picture with the next one only: take all pairs of two different pictures.",
        ),
        "without the sign": Mistake(
            lambda changes: (
                (changes[:, None] - changes[None]).abs().mean(dim=2).sum()
                / (len(changes) * (len(changes) - 1))
            ),
            "you compared the changes themselves: compare only their signs.",
        ),
    },
)

# --- 02c: one number of the first layer -------------------------------------------------------------------


def _one_activation(
    picture: torch.Tensor, weights: torch.Tensor, bias: float, row: int, column: int
) -> torch.Tensor:
    return _one_number(picture, weights, bias, row, column).clamp(min=0)


def _one_number(picture, weights, bias, row, column, stride=2, padding=3) -> torch.Tensor:
    padded = F.pad(picture, (padding,) * 4)
    top, left = stride * row, stride * column
    return (padded[:, top : top + 7, left : left + 7] * weights).sum() + bias


def _not_padded(picture, weights, bias, row, column) -> torch.Tensor:
    """As the reference, but the window starts at the pixel (2 · row, 2 · column) itself."""
    window = picture[:, 2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
    return ((window * weights[:, : window.shape[1], : window.shape[2]]).sum() + bias).clamp(min=0)


def _places_of_a_picture() -> list[tuple]:
    """Places in the middle and at all four borders, with a positive sum; last come some that the ReLU cuts."""
    generator = torch.Generator().manual_seed(5)
    positive = dict.fromkeys(((3, 5), (0, 0), (7, 8), (0, 7), (6, 2)), 1)
    cases = []
    for (row, column), sign in (positive | dict.fromkeys(((5, 7), (2, 1), (4, 6)), -1)).items():
        picture = torch.rand(3, 16, 18, generator=generator) * 2 - 0.6
        weights = torch.randn(3, 7, 7, generator=generator)
        weights *= sign * _one_number(picture, weights, 0.0, row, column).sign()
        cases.append((picture, weights, 0.4, row, column))
    return cases


one_activation = Exercise(
    name="one_activation",
    difficulty=2,
    minutes=9,
    hints=(
        "`padded = F.pad(picture, (3, 3, 3, 3))` puts three rows and columns of zeros around the picture. In it, the window of place (row, column) starts at the pixel (2 · row, 2 · column).",
        "Multiply the window `(3, 7, 7)` and the weights element by element and add up all 147 products. Then add the bias.",
        "The ReLU comes last: `.clamp(min=0)`.",
    ),
    reference=_one_activation,
    cases=_places_of_a_picture,
    mistakes={
        "no ReLU": Mistake(_one_number, "the ReLU is missing: a negative sum becomes 0."),
        "absolute value": Mistake(
            lambda *case: _one_number(*case).abs(),
            "you took the absolute value: a ReLU makes 0 of a negative sum.",
        ),
        "no bias": Mistake(
            lambda picture, weights, bias, row, column: _one_activation(picture, weights, 0.0, row, column),
            "the bias is missing.",
        ),
        "ReLU before the bias": Mistake(
            lambda picture, weights, bias, row, column: (
                _one_activation(picture, weights, 0.0, row, column) + bias
            ),
            "you rectified before you added the bias: the bias belongs to the convolution, the ReLU comes after it.",
        ),
        "stride 1": Mistake(
            lambda *case: _one_number(*case, stride=1).clamp(min=0),
            "you moved one pixel a place: the stride is 2, so the window starts at 2 · row and 2 · column.",
        ),
        "flipped": Mistake(
            lambda picture, weights, *rest: _one_activation(picture, weights.flip(1, 2), *rest),
            "you turned the filter around, as mathematics does: a network's “convolution” does not turn it.",
        ),
        "rows and columns exchanged": Mistake(
            lambda picture, weights, bias, row, column: (
                _one_number(picture, weights, bias, column, row).clamp(min=0)
                if 2 * column + 7 <= 22 and 2 * row + 7 <= 24
                else _one_activation(picture, weights, bias, row, column)
            ),
            "rows and columns are exchanged: the second dimension of the picture is the row.",
        ),
        "one colour": Mistake(
            lambda picture, weights, *rest: _one_activation(picture[:1], weights[:1], *rest),
            "you used the first colour only: add up over all three.",
        ),
        "mean": Mistake(
            lambda picture, weights, bias, row, column: (
                _one_number(picture, weights, 0.0, row, column) / 147 + bias
            ).clamp(min=0),
            "you took the mean of the products: they are added up.",
        ),
        "no padding": Mistake(
            _not_padded,
            "the padding is missing: first put three rows and columns of zeros around the picture.",
        ),
        "bias with each product": Mistake(
            lambda picture, weights, bias, row, column: _one_activation(
                picture, weights, 147 * bias, row, column
            ),
            "you added the bias to each of the 147 products: it is added once, to their sum.",
        ),
        "a ReLU a colour": Mistake(
            lambda picture, weights, bias, row, column: (
                sum(
                    _one_activation(picture[c : c + 1], weights[c : c + 1], 0.0, row, column)
                    for c in range(3)
                )
                + bias
            ),
            "you rectified each colour by itself: add up the three colours and the bias first.",
        ),
    },
)

products_of_a_place = Question(
    name="products_of_a_place",
    difficulty=1,
    minutes=3,
    hints=(
        "One filter of `conv2` has one square of weights for each channel that comes in.",
        "The shape of the weights says it: `model.conv2.weight.shape` is (filters, channels that come in, rows, columns).",
        "One filter at one place: channels · rows · columns.",
    ),
    expected=lambda model: model.conv2.weight[0].numel(),
    examples=lambda: [(_two_convolutions(32, 64, 5),), (_two_convolutions(8, 6, 3),)],
    mistakes={
        "one channel": Mistake(
            lambda answer, model: answer == model.conv2.weight[0, 0].numel(),
            "that is one channel only: a filter of `conv2` looks at all channels that come in.",
            example=lambda model: model.conv2.weight[0, 0].numel(),
        ),
        "all filters": Mistake(
            lambda answer, model: answer == model.conv2.weight.numel(),
            "that is all filters together: the question asks for one filter.",
            example=lambda model: model.conv2.weight.numel(),
        ),
        "all places": Mistake(
            lambda answer, model: answer in (1024 * n for n in _counts(model)),
            "that is for all 1,024 places: the question asks for one.",
            example=lambda model: 1024 * model.conv2.weight[0].numel(),
        ),
        "one row": Mistake(
            lambda answer, model: answer == model.conv2.weight[0, :, 0].numel(),
            "you counted one row of the window: it has as many rows as columns.",
            example=lambda model: model.conv2.weight[0, :, 0].numel(),
        ),
        "channels that go out": Mistake(
            lambda answer, model: answer == model.conv2.weight[:, 0].numel(),
            "you multiplied with the channels that go out: one filter makes one of them, and looks at all that come in.",
            example=lambda model: model.conv2.weight[:, 0].numel(),
        ),
    },
)


def _counts(model: nn.Module) -> tuple[int, int]:
    """The weights of one filter of conv2, and of all of them."""
    return model.conv2.weight[0].numel(), model.conv2.weight.numel()


def _two_convolutions(middle: int, out: int, side: int) -> nn.Sequential:
    network = nn.Sequential()
    network.add_module("conv1", nn.Conv2d(3, middle, 7))
    network.add_module("conv2", nn.Conv2d(middle, out, side))
    return network


def small_maps() -> tuple[torch.Tensor, torch.Tensor, int]:
    """The exercise's two maps (2, 4, 5), the weights (2, 3, 3) of one filter and its bias: whole numbers."""
    maps = torch.tensor(
        [
            [[3, 2, 3, 0, 2], [2, 5, 0, 2, 4], [0, 0, 4, 2, 0], [0, 0, 4, 3, 0]],
            [[0, 0, 3, 5, 1], [3, 1, 2, 2, 5], [4, 5, 0, 0, 5], [5, 4, 1, 3, 5]],
        ]
    )
    weights = torch.tensor([[[-2, 0, -1], [-2, 0, 0], [-1, 0, 2]], [[0, 0, 0], [0, 1, -2], [0, -1, -2]]])
    return maps, weights, 3


def _small_number(maps, weights, bias, place, channels=slice(None)) -> float:
    """One number of a 3×3 convolution with a border of one zero, from some of the channels that come in."""
    (row, column), padded = place, F.pad(maps, (1, 1, 1, 1))
    window = padded[:, row : row + 3, column : column + 3]
    products = F.pad(window, (0, 3 - window.shape[2], 0, 3 - window.shape[1])) * weights
    return float(products[channels].sum() + bias)


def _small_layers() -> list[tuple]:
    """The lesson's two maps, filter, bias and place; and random ones."""
    generator = torch.Generator().manual_seed(8)
    other = (
        torch.randn(3, 5, 6, generator=generator).abs() + 0.1,
        torch.randn(3, 3, 3, generator=generator),
        -0.7,
        (2, 3),
    )
    return [(*small_maps(), (1, 2)), other]


deeper_value = Question(
    name="deeper_value",
    difficulty=2,
    minutes=4,
    hints=(
        "The window of place (1, 2) has the rows 0, 1, 2 and the columns 1, 2, 3, with the place itself in the middle.",
        "Multiply each map's window with *its* table of weights, number by number. Most weights are 0, so few products are left.",
        "Add up the products of both maps, then add the bias once. No ReLU yet: `z` may be negative.",
    ),
    expected=_small_number,
    examples=_small_layers,
    tolerance=1e-3,
    mistakes={
        "last channel forgotten": wrong_answer(
            lambda maps, *rest: _small_number(maps, *rest, channels=slice(0, -1)),
            "a channel is missing: you left out the last map. One number of a deeper layer adds up over all maps.",
        ),
        "first channel forgotten": wrong_answer(
            lambda maps, *rest: _small_number(maps, *rest, channels=slice(1, None)),
            "a channel is missing: you left out the first map. One number of a deeper layer adds up over all maps.",
        ),
        "bias left out": wrong_answer(
            lambda maps, weights, bias, place: _small_number(maps, weights, 0, place),
            "the bias is missing: it is added once to the sum of all products.",
        ),
        "bias subtracted": wrong_answer(
            lambda maps, weights, bias, place: _small_number(maps, weights, -bias, place),
            "you subtracted the bias: it is added, with its own sign.",
        ),
        "bias for each channel": wrong_answer(
            lambda maps, weights, bias, place: _small_number(maps, weights, len(maps) * bias, place),
            "you added the bias once for each map: it is added once for all.",
        ),
        "rectified": wrong_answer(
            lambda *case: max(0.0, _small_number(*case)),
            "you rectified: `z` is the number before the ReLU and may be negative.",
        ),
        "each channel rectified": wrong_answer(
            lambda maps, weights, bias, place: (
                bias
                + sum(
                    max(0.0, _small_number(maps, weights, 0, place, slice(m, m + 1)))
                    for m in range(len(maps))
                )
            ),
            "you rectified the share of each map: shares may be negative, and the ReLU comes after their sum.",
        ),
        "rows and columns exchanged": wrong_answer(
            lambda maps, weights, bias, place: _small_number(maps, weights, bias, place[::-1]),
            "that is the wrong place: rows and columns are exchanged. The first number of a place is the row.",
        ),
        "window begins at the place": wrong_answer(
            lambda maps, weights, bias, place: _small_number(
                maps, weights, bias, (place[0] + 1, place[1] + 1)
            ),
            "that is the wrong place: your window begins at the place; it lies in the middle of the window.",
        ),
        "counted from one": wrong_answer(
            lambda maps, weights, bias, place: _small_number(
                maps, weights, bias, (place[0] - 1, place[1] - 1)
            ),
            "that is the wrong place: you counted from 1. The first row and the first column have the number 0.",
        ),
        "flipped": wrong_answer(
            lambda maps, weights, bias, place: _small_number(maps, weights.flip(1, 2), bias, place),
            "you turned the tables of weights around: the upper left weight belongs to the upper left number of the window.",
        ),
        "the place alone": wrong_answer(
            lambda maps, weights, bias, place: float(
                (maps[:, place[0], place[1]] * weights[:, 1, 1]).sum() + bias
            ),
            "you took the place alone: all nine numbers of each window count.",
        ),
    },
)


def _softmax(z: torch.Tensor) -> torch.Tensor:
    return z.double().softmax(dim=0)


def _rounded_answer(example: Callable, diagnosis: str) -> Mistake:
    """A typical wrong answer to `softmax_numbers`, which a learner may have rounded to two decimals."""

    def shows(answer: object, z: torch.Tensor) -> bool:
        given, wrong = torch.as_tensor(answer).double(), example(z).double()
        return torch.allclose(given, wrong, atol=0.0051 * max(1.0, float(wrong.abs().max())))

    return Mistake(shows, diagnosis, example=example)


softmax_numbers = Question(
    name="softmax_numbers",
    difficulty=1,
    minutes=3,
    hints=(
        "First the power of each: e² = 7.389, e⁰ = 1, e⁻¹ = 0.368.",
        "Then divide each power by the sum of the three powers.",
        "A check: the three probabilities add up to 1, and none is negative.",
    ),
    expected=_softmax,
    examples=lambda: [(torch.tensor([2.0, 0.0, -1.0]),), (torch.tensor([1.2, -0.4, 0.9, 0.1]),)],
    tolerance=0.0051,  # two decimals are enough
    mistakes={
        "not divided": _rounded_answer(
            lambda z: z.exp(), "these are the powers of e: divide each by the sum of all of them."
        ),
        "logits divided": _rounded_answer(
            lambda z: z / z.sum(),
            "you divided the logits by their sum: first take the power of e of each. A probability is never negative.",
        ),
        "each by itself": _rounded_answer(
            lambda z: z.sigmoid(),
            "you made a probability of each logit by itself (the logistic function): they must add up to 1 together.",
        ),
        "base 2": _rounded_answer(
            lambda z: (2**z) / (2**z).sum(), "you took powers of 2: the base is e = 2.718…"
        ),
        "divided by the largest": _rounded_answer(
            lambda z: (z - z.max()).exp(),
            "you divided by the largest power: divide by the sum of all powers.",
        ),
        "without the sign": _rounded_answer(
            lambda z: z.abs().softmax(dim=0),
            "you lost a minus sign: e to a negative number is smaller than 1.",
        ),
        "minus z": _rounded_answer(
            lambda z: (-z).softmax(dim=0),
            "the order is turned round: the largest logit gets the largest probability.",
        ),
        "logarithm": _rounded_answer(
            lambda z: z.log_softmax(dim=0), "these are the logarithms of the probabilities."
        ),
        "all to the winner": _rounded_answer(
            lambda z: (z == z.max()).double(),
            "you gave everything to the largest logit: the others get a part, too.",
        ),
        "in per cent": _rounded_answer(
            lambda z: 100 * z.softmax(dim=0), "these are per cent: give numbers between 0 and 1."
        ),
        "turned round": _rounded_answer(
            lambda z: _softmax(z).flip(0),
            "the order is turned round: the first number belongs to the first class.",
        ),
        "not one a class": Mistake(
            lambda answer, z: len(answer) != len(z),
            "give one number for each class, in the order of the classes.",
            example=lambda z: _softmax(z)[:-1],
        ),
        "other sum": Mistake(
            lambda answer, z: len(answer) == len(z) and abs(float(sum(answer)) - 1) > 0.05,
            "your numbers do not add up to 1, as the probabilities of all classes must.",
            example=lambda z: 0.7 * _softmax(z),
        ),
    },
)
