"""The exercises of lessons 08, 08b and 08c: predictions, published bugs, a contrast, hiding, expected gradients."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.teach.checks import Exercise, Mistake, Question


def _picture_network(seed: int, classes: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, classes)
        ).eval()


def _network_cases() -> list[tuple[nn.Module, torch.Tensor, torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    cases = []
    for seed, (n, size, classes) in enumerate(((2, 6, 3), (3, 5, 4), (2, 8, 5))):
        inputs = torch.randn(n, 3, size, size, generator=generator)
        target = torch.randint(0, classes, (n,), generator=generator)
        other = (target + torch.randint(1, classes, (n,), generator=generator)) % classes
        cases.append((_picture_network(seed, classes), inputs, target, other))
    return cases


def _gradient(model: nn.Module, inputs: torch.Tensor, score) -> torch.Tensor:
    inputs = inputs.clone().requires_grad_()
    (gradients,) = torch.autograd.grad(score(model(inputs)), inputs)
    return gradients


def _contrast(logits: torch.Tensor, target: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return (logits.gather(1, target[:, None]) - logits.gather(1, other[:, None])).sum()


contrast_gradient = Exercise(
    name="contrast_gradient",
    difficulty=1,
    minutes=8,
    hints=(
        "Work on a copy that records gradients: `inputs.clone().requires_grad_()`, and ask the model once.",
        "`logits.gather(1, target[:, None])` picks each picture's own class score. Do so for `other`, and subtract.",
        "The sum over the pictures has each picture's own gradient: `torch.autograd.grad(contrast.sum(), inputs)[0]`.",
    ),
    reference=lambda model, inputs, target, other: _gradient(
        model, inputs, lambda logits: _contrast(logits, target, other)
    ),
    cases=_network_cases,
    mistakes={
        "loss": Mistake(
            lambda model, inputs, target, other: _gradient(
                model, inputs, lambda logits: F.cross_entropy(logits, target, reduction="sum")
            ),
            "this is the gradient of the loss. It compares with all classes at once; the task asks for one rival.",
        ),
        "minus the loss": Mistake(
            lambda model, inputs, target, other: _gradient(
                model, inputs, lambda logits: -F.cross_entropy(logits, target, reduction="sum")
            ),
            "this is minus the gradient of the loss. It compares with all classes at once; the task asks for one rival.",
        ),
        "sum of the scores": Mistake(
            lambda model, inputs, target, other: _gradient(
                model,
                inputs,
                lambda logits: (logits.gather(1, target[:, None]) + logits.gather(1, other[:, None])).sum(),
            ),
            "you added the two scores: subtract the rival's.",
        ),
        "times the picture": Mistake(
            lambda model, inputs, target, other: (
                inputs * _gradient(model, inputs, lambda logits: _contrast(logits, target, other))
            ),
            "you multiplied the gradient by the picture: the task asks for the gradient alone.",
        ),
        "probabilities": Mistake(
            lambda model, inputs, target, other: _gradient(
                model, inputs, lambda logits: _contrast(logits.softmax(dim=1), target, other)
            ),
            "this is the difference of the probabilities. Take the logits, before the softmax.",
        ),
        "one class": Mistake(
            lambda model, inputs, target, other: _gradient(
                model, inputs, lambda logits: logits.gather(1, target[:, None]).sum()
            ),
            "this is the gradient of one score: the rival is missing.",
        ),
        "reversed": Mistake(
            lambda model, inputs, target, other: _gradient(
                model, inputs, lambda logits: _contrast(logits, other, target)
            ),
            "the sign is reversed: where the gradient is positive, a brighter pixel should raise S_target − S_other.",
        ),
        "absolute first": Mistake(
            lambda model, inputs, target, other: (
                _gradient(model, inputs, lambda logits: logits.gather(1, target[:, None]).sum()).abs()
                - _gradient(model, inputs, lambda logits: logits.gather(1, other[:, None]).sum()).abs()
            ),
            "you took absolute values of the two gradients before you subtracted: subtract the scores instead.",
        ),
        "all pictures' targets": Mistake(
            lambda model, inputs, target, other: _gradient(
                model, inputs, lambda logits: (logits[:, target] - logits[:, other]).sum()
            ),
            "`logits[:, target]` picks *every* target for every picture: use `gather(1, target[:, None])` for each picture's own.",
        ),
        "absolute": Mistake(
            lambda model, inputs, target, other: _gradient(
                model, inputs, lambda logits: _contrast(logits, target, other)
            ).abs(),
            "you took absolute values: the sign says whether a brighter pixel raises or lowers S_target − S_other.",
        ),
        "mean": Mistake(
            lambda model, inputs, target, other: (
                _gradient(model, inputs, lambda logits: _contrast(logits, target, other)) / len(inputs)
            ),
            "you averaged over the batch, so each gradient is divided by the number of pictures.",
        ),
    },
)


def _much_noise(values: list[torch.Tensor]) -> str:
    return "higher" if float(values[-1].mean()) > float(values[0].mean()) else "lower"


much_noise = Question(
    name="much_noise",
    difficulty=1,
    minutes=3,
    hints=(
        "Look at the figure above: where do the bright places lie at noise level 0.2, and where is the outline of the object?",
        'Answer "higher" or "lower".',
    ),
    expected=_much_noise,
    examples=lambda: [
        ([torch.tensor([0.4, 0.5]), torch.tensor([0.1, 0.2])],),
        ([torch.tensor([0.2, 0.3]), torch.tensor([0.4, 0.4])],),
    ],
    mistakes={
        "the other": Mistake(
            lambda answer, values: answer in ("higher", "lower") and answer != _much_noise(values),
            "your own run says the opposite: the means of `iou['ResNet'][-1]` and of `iou['ResNet'][0]`, plain saliency, tell.",
            example=lambda values: "lower" if _much_noise(values) == "higher" else "higher",
        ),
        "not a word": Mistake(
            lambda answer, values: answer not in ("higher", "lower"),
            'that is neither of the two words: answer "higher" or "lower".',
            example=lambda values: "equal",
        ),
    },
)


def _noisy_copies(inputs: torch.Tensor, noise: torch.Tensor, noise_level: float) -> torch.Tensor:
    spread = inputs.amax(dim=(1, 2, 3), keepdim=True) - inputs.amin(dim=(1, 2, 3), keepdim=True)
    return inputs + noise_level * spread * noise


def _noise_cases() -> list[tuple[torch.Tensor, torch.Tensor, float]]:
    generator = torch.Generator().manual_seed(1)
    cases = []
    for level, shape in ((0.4, (2, 3, 4, 5)), (0.15, (3, 1, 6, 6)), (0.05, (2, 3, 3, 3))):
        strength = torch.linspace(1, 4, shape[0])[:, None, None, None]
        inputs = strength * torch.rand(shape, generator=generator)
        cases.append((inputs, torch.randn(shape, generator=generator), level))
    return cases


def _noisy(
    inputs: torch.Tensor,
    noise: torch.Tensor,
    noise_level: float,
    *,
    divide: bool = False,
    square: bool = False,
    dims: tuple[int, ...] | None = (1, 2, 3),
) -> torch.Tensor:
    spread = (
        inputs.amax(dim=dims, keepdim=True) - inputs.amin(dim=dims, keepdim=True)
        if dims
        else inputs.max() - inputs.min()
    )
    sigma = noise_level / spread if divide else noise_level * spread
    return inputs + (sigma**2 if square else sigma) * noise


noisy_copies = Exercise(
    name="noisy_copies",
    difficulty=2,
    minutes=7,
    hints=(
        "A picture with a larger range should get more noise. Which operation does the code use instead?",
        "Multiplying standard normal noise by s gives noise with the standard deviation s, not with the variance s.",
        "`inputs.amax(dim=(1, 2, 3), keepdim=True)` gives each picture its own maximum, ready for broadcasting.",
    ),
    reference=_noisy_copies,
    given=lambda inputs, noise, noise_level: (
        inputs + (noise_level / (inputs.max() - inputs.min())) ** 2 * noise
    ),
    cases=_noise_cases,
    mistakes={
        "divided": Mistake(
            lambda *case: _noisy(*case, divide=True),
            "you still divide by the range: a picture with a wide range would get less noise.",
        ),
        "variance": Mistake(
            lambda *case: _noisy(*case, square=True),
            "you still square: that is the variance, and the factor before the noise is the standard deviation.",
        ),
        "first picture": Mistake(
            lambda inputs, noise, noise_level: (
                inputs + noise_level * (inputs[0].max() - inputs[0].min()) * noise
            ),
            "you took the range of the first picture for all of them: each picture has its own.",
        ),
        "own noise": Mistake(
            lambda inputs, noise, noise_level: _noisy(inputs, torch.randn_like(noise), noise_level),
            "you drew noise of your own: use the noise that the function is given.",
        ),
        "whole batch": Mistake(
            lambda *case: _noisy(*case, dims=None),
            "you took the range of the whole batch: each picture has its own.",
        ),
        "divided, whole batch": Mistake(
            lambda *case: _noisy(*case, divide=True, dims=None),
            "the square is gone, which is right. Two errors are left: the division by the range, and the range of the whole batch.",
        ),
        "variance, whole batch": Mistake(
            lambda *case: _noisy(*case, square=True, dims=None),
            "you multiply by the range now, which is right. Two errors are left: the square, and the range of the whole batch.",
        ),
        "divided and squared": Mistake(
            lambda *case: _noisy(*case, divide=True, square=True),
            "each picture has its own range now, which is right. Two errors are left: the division and the square.",
        ),
        "per channel": Mistake(
            lambda *case: _noisy(*case, dims=(2, 3)),
            "you took the range of each colour: a picture has one range, over all its colours.",
        ),
        "standard deviation": Mistake(
            lambda inputs, noise, noise_level: (
                inputs + noise_level * inputs.std(dim=(1, 2, 3), keepdim=True) * noise
            ),
            "you took the standard deviation of the picture: the definition takes its largest minus its smallest value.",
        ),
        "cut off": Mistake(
            lambda *case: _noisy(*case).clamp(-1, 1),
            "you cut the copies off at −1 and 1: the definition adds the noise and does no more.",
        ),
        "noise alone": Mistake(
            lambda inputs, *rest: _noisy(inputs, *rest) - inputs,
            "this is the noise alone: a noisy copy is the picture plus the noise.",
        ),
        "largest value": Mistake(
            lambda inputs, noise, noise_level: (
                inputs + noise_level * inputs.amax(dim=(1, 2, 3), keepdim=True) * noise
            ),
            "you took the largest value alone: the range is the largest minus the smallest.",
        ),
        "no range": Mistake(
            lambda inputs, noise, noise_level: inputs + noise_level * noise,
            "the range is missing: the noise level is a share of the picture's range.",
        ),
    },
)


def _integrated(
    model: nn.Module,
    inputs: torch.Tensor,
    baselines: torch.Tensor,
    n_steps: int,
    shift: float,
    n_parts: int | None = None,
) -> torch.Tensor:
    total = torch.zeros_like(inputs)
    for k in range(n_steps):
        point = (baselines + (k + shift) / (n_parts or n_steps) * (inputs - baselines)).requires_grad_()
        (gradients,) = torch.autograd.grad(model(point).sum(), point)
        total += gradients / n_steps
    return total


class _Cubic(nn.Module):
    """Σ a_i x_i³ + x_0 x_1: a curved function, so that the points of the sum matter."""

    def __init__(self, factors: torch.Tensor):
        super().__init__()
        self.factors = nn.Parameter(factors)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return (self.factors * inputs**3).sum(dim=1) + inputs[:, 0] * inputs[:, 1]


def _curved_cases() -> list[tuple[nn.Module, torch.Tensor, torch.Tensor, int]]:
    generator = torch.Generator().manual_seed(2)
    cases = []
    for n, d, steps in ((2, 3, 20), (3, 4, 10), (1, 5, 40)):
        model = _Cubic(torch.randn(d, generator=generator))
        inputs, baselines = (torch.randn(n, d, generator=generator) for _ in range(2))
        cases.append((model, inputs, baselines, steps))
    return cases


complete_attributions = Exercise(
    name="complete_attributions",
    difficulty=2,
    minutes=9,
    hints=(
        "Add the attributions up and compare with `model(inputs) - model(baselines)`. How far are you off?",
        "By the chain rule each input's share of the change holds how far that input has moved.",
        "The left ends of the steps leave a gap on a curved function: take the middles, `(k + 0.5) / n_steps`.",
    ),
    reference=lambda model, inputs, baselines, n_steps: (
        (inputs - baselines) * _integrated(model, inputs, baselines, n_steps, 0.5)
    ),
    given=lambda model, inputs, baselines, n_steps: _integrated(model, inputs, baselines, n_steps, 0.0),
    cases=_curved_cases,
    mistakes={
        "no factor": Mistake(
            lambda model, inputs, baselines, n_steps: _integrated(model, inputs, baselines, n_steps, 0.5),
            "the factor (x − x′) is missing: this is the average gradient, and it does not add up to the change.",
        ),
        "left ends": Mistake(
            lambda model, inputs, baselines, n_steps: (
                (inputs - baselines) * _integrated(model, inputs, baselines, n_steps, 0.0)
            ),
            "the factor is there, but the points are the left ends of the steps: the task asks for their middles.",
        ),
        "both ends": Mistake(
            lambda model, inputs, baselines, n_steps: (
                (inputs - baselines) * _integrated(model, inputs, baselines, n_steps, 0.0, n_steps - 1)
            ),
            "the factor is there, but the points run from end to end, as `linspace(0, 1, n_steps)`: the task asks for the middles.",
        ),
        "trapezoids": Mistake(
            lambda model, inputs, baselines, n_steps: (
                (inputs - baselines)
                * (
                    _integrated(model, inputs, baselines, n_steps, 0.0)
                    + _integrated(model, inputs, baselines, n_steps, 1.0)
                )
                / 2
            ),
            "this is the trapezoid rule, which is a good one. The task asks for the midpoint rule: the middles of the steps.",
        ),
        "absolute": Mistake(
            lambda model, inputs, baselines, n_steps: (
                (inputs - baselines) * _integrated(model, inputs, baselines, n_steps, 0.5)
            ).abs(),
            "you took absolute values: then the attributions no longer add up to the change.",
        ),
        "right ends": Mistake(
            lambda model, inputs, baselines, n_steps: (
                (inputs - baselines) * _integrated(model, inputs, baselines, n_steps, 1.0)
            ),
            "the factor is there, but the points are the right ends of the steps: the task asks for their middles.",
        ),
        "path from zero": Mistake(
            lambda model, inputs, baselines, n_steps: (
                (inputs - baselines) * _integrated(model, inputs, torch.zeros_like(inputs), n_steps, 0.5)
            ),
            "your way starts at zero instead of the baseline: the points are x′ + α (x − x′).",
        ),
        "times input": Mistake(
            lambda model, inputs, baselines, n_steps: (
                inputs * _integrated(model, inputs, baselines, n_steps, 0.5)
            ),
            "you multiplied by x instead of (x − x′): that is right only for a baseline of zero.",
        ),
        "times input, left ends": Mistake(
            lambda model, inputs, baselines, n_steps: (
                inputs * _integrated(model, inputs, baselines, n_steps, 0.0)
            ),
            "a factor is there now. Two errors are left: it is x instead of (x − x′), and the points are the left ends of the steps.",
        ),
        "no mean": Mistake(
            lambda model, inputs, baselines, n_steps: (
                n_steps * (inputs - baselines) * _integrated(model, inputs, baselines, n_steps, 0.5)
            ),
            "you added the gradients up without dividing by the number of steps: the integral is their mean.",
        ),
        "reversed": Mistake(
            lambda model, inputs, baselines, n_steps: (
                (baselines - inputs) * _integrated(model, inputs, baselines, n_steps, 0.5)
            ),
            "the sign is reversed: the factor is (x − x′), the picture minus the baseline.",
        ),
    },
)


def _hiding_cases() -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(3)
    return [
        (torch.randn(n, c, h, w, generator=generator), torch.rand(n, h, w, generator=generator) > 0.5)
        for n, c, h, w in ((2, 3, 4, 5), (1, 1, 6, 3), (3, 3, 5, 5))
    ]


hiding_baseline = Exercise(
    name="hiding_baseline",
    difficulty=1,
    minutes=5,
    hints=(
        "Each attribution has a factor in front of the integral. When is that factor zero?",
        "(x − x′) is zero where the baseline equals the picture.",
        "`mask[:, None]` is (N, 1, H, W): it goes with all colours.",
    ),
    reference=lambda inputs, mask: inputs * mask[:, None],
    cases=_hiding_cases,
    mistakes={
        "turned around": Mistake(
            lambda inputs, mask: inputs * ~mask[:, None],
            "your baseline hides everything *outside* the mask, and shows what is inside.",
        ),
        "grey": Mistake(
            lambda inputs, mask: torch.zeros_like(inputs),
            "a grey baseline everywhere hides only what is grey in the picture.",
        ),
        "mean outside": Mistake(
            lambda inputs, mask: torch.where(
                mask[:, None], inputs, inputs.mean(dim=(2, 3), keepdim=True).expand_as(inputs)
            ),
            "inside the mask it is right. Outside, the task asks for grey (0), not for the mean colour.",
        ),
        "black outside": Mistake(
            lambda inputs, mask: torch.where(mask[:, None], inputs, -torch.ones_like(inputs)),
            "inside the mask it is right. Outside, the task asks for grey (0), not for black (−1).",
        ),
        "black inside": Mistake(
            lambda inputs, mask: -mask[:, None].float().expand_as(inputs),
            "your baseline is black inside the mask. There (x − x′) is zero only where the picture is black.",
        ),
        "mean inside": Mistake(
            lambda inputs, mask: inputs.mean(dim=(2, 3), keepdim=True) * mask[:, None],
            "inside the mask you put the mean colour. There (x − x′) is zero only where the picture has that colour.",
        ),
        "the mask": Mistake(
            lambda inputs, mask: mask[:, None].float().expand_as(inputs),
            "this is the mask itself, a white region. (x − x′) is zero where the baseline equals the *picture*.",
        ),
        "the picture": Mistake(
            lambda inputs, mask: inputs.clone(),
            "this hides the whole picture: outside the mask the baseline should be 0.",
        ),
    },
)


def _expected(
    model: nn.Module, picture: torch.Tensor, target: int, baselines: torch.Tensor, alphas: torch.Tensor
) -> torch.Tensor:
    away = picture - baselines
    points = baselines + alphas[:, None, None, None] * away
    return (away * _gradient(model, points, lambda logits: logits[:, target].sum())).mean(dim=0)


def _expected_cases() -> list[tuple[nn.Module, torch.Tensor, int, torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(4)
    cases = []
    for seed, (draws, size, classes) in enumerate(((3, 6, 3), (5, 5, 4), (2, 8, 5))):
        picture = torch.randn(3, size, size, generator=generator)
        baselines = torch.randn(draws, 3, size, size, generator=generator)
        alphas = torch.rand(draws, generator=generator)
        cases.append((_picture_network(seed, classes), picture, classes - 1, baselines, alphas))
    return cases


expected_gradients = Exercise(
    name="expected_gradients",
    difficulty=2,
    minutes=12,
    hints=(
        "`picture - baselines` broadcasts to (K, C, H, W): one way from each baseline to the picture.",
        "`alphas[:, None, None, None]` gives each draw its own place. Ask the model about all K points at once.",
        "Multiply each draw's gradient by *its own* way, and only then take the mean over the draws.",
    ),
    reference=_expected,
    cases=_expected_cases,
    mistakes={
        "mean first": Mistake(
            lambda model, picture, target, baselines, alphas: (
                (picture - baselines.mean(dim=0))
                * _gradient(
                    model,
                    baselines + alphas[:, None, None, None] * (picture - baselines),
                    lambda logits: logits[:, target].sum(),
                ).mean(dim=0)
            ),
            "you averaged the gradients and the ways apart. Each draw's gradient belongs to its own way: multiply first.",
        ),
        "no factor": Mistake(
            lambda model, picture, target, baselines, alphas: _gradient(
                model,
                baselines + alphas[:, None, None, None] * (picture - baselines),
                lambda logits: logits[:, target].sum(),
            ).mean(dim=0),
            "the factor (x − x′) is missing: this is an average gradient, and it does not add up to a change.",
        ),
        "all pairs": Mistake(
            lambda model, picture, target, baselines, alphas: torch.stack(
                [_expected(model, picture, target, baselines, alphas.roll(k)) for k in range(len(alphas))]
            ).mean(dim=0),
            "you combined every baseline with every place: draw number k has its own place `alphas[k]`.",
        ),
        "probability": Mistake(
            lambda model, picture, target, baselines, alphas: _expected(
                nn.Sequential(model, nn.Softmax(dim=1)), picture, target, baselines, alphas
            ),
            "you took the gradient of the probability: the task asks for the logit.",
        ),
        "times picture": Mistake(
            lambda model, picture, target, baselines, alphas: (
                picture
                * _gradient(
                    model,
                    baselines + alphas[:, None, None, None] * (picture - baselines),
                    lambda logits: logits[:, target].sum(),
                ).mean(dim=0)
            ),
            "you multiplied by the picture instead of the way (x − x′).",
        ),
        "mean twice": Mistake(
            lambda model, picture, target, baselines, alphas: (
                _expected(model, picture, target, baselines, alphas) / len(alphas)
            ),
            "you divided by the number of draws twice: the gradient of the *sum* of the scores has each draw's own gradient.",
        ),
        "other way": Mistake(
            lambda model, picture, target, baselines, alphas: _expected(
                model, picture, target, baselines, 1 - alphas
            ),
            "your places run from the picture to the baseline: at alpha = 0 you should be at the baseline.",
        ),
        "one baseline": Mistake(
            lambda model, picture, target, baselines, alphas: _expected(
                model, picture, target, baselines.mean(dim=0).expand_as(baselines), alphas
            ),
            "you averaged the baselines into one picture: each draw has its own baseline.",
        ),
        "reversed": Mistake(
            lambda model, picture, target, baselines, alphas: (
                -_expected(model, picture, target, baselines, alphas)
            ),
            "the sign is reversed: the way is the picture minus the baseline.",
        ),
        "middle": Mistake(
            lambda model, picture, target, baselines, alphas: _expected(
                model, picture, target, baselines, torch.full_like(alphas, 0.5)
            ),
            "all your places are in the middle of the way: draw number k has its own place `alphas[k]`.",
        ),
        "at the picture": Mistake(
            lambda model, picture, target, baselines, alphas: _expected(
                model, picture, target, baselines, torch.ones_like(alphas)
            ),
            "you took the gradient at the picture itself: draw number k takes it at its own place on the way.",
        ),
        "path from zero": Mistake(
            lambda model, picture, target, baselines, alphas: (
                (picture - baselines)
                * _gradient(
                    model,
                    alphas[:, None, None, None] * picture.expand_as(baselines),
                    lambda logits: logits[:, target].sum(),
                )
            ).mean(dim=0),
            "your way starts at zero: draw number k starts at its own baseline, x′ + α (x − x′).",
        ),
        "sum": Mistake(
            lambda model, picture, target, baselines, alphas: (
                len(alphas) * _expected(model, picture, target, baselines, alphas)
            ),
            "you added the draws up: take their mean.",
        ),
    },
)


# --- 08c: attacked ------------------------------------------------------------------------------------------


def _fgsm(
    model: nn.Module,
    inputs: torch.Tensor,
    target: torch.Tensor,
    epsilon: float,
    *,
    direction: int = 1,
    step=torch.sign,
    limits: tuple[float, float] | None = (-1.0, 1.0),
    loss=F.cross_entropy,
) -> torch.Tensor:
    gradients = _gradient(model, inputs, lambda logits: loss(logits, target))
    moved = inputs + direction * epsilon * step(gradients)
    return moved.clamp(*limits) if limits else moved


def _fgsm_cases() -> list[tuple[nn.Module, torch.Tensor, torch.Tensor, float]]:
    epsilons = (0.3, 0.1, 0.05)
    return [
        (model, (1.3 * inputs).clamp(-1, 1), target, epsilon)
        for (model, inputs, target, _), epsilon in zip(_network_cases(), epsilons, strict=True)
    ]


def _own_score(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return logits.gather(1, target[:, None]).sum()


def _same(gradients: torch.Tensor) -> torch.Tensor:
    return gradients


fgsm_step = Exercise(
    name="fgsm_step",
    difficulty=2,
    minutes=8,
    hints=(
        "Does the step go where the loss rises, or where it falls?",
        "How far does a pixel move whose gradient is 0.001? The formula moves it by the whole ε: `gradient.sign()`.",
        "What becomes of a white pixel (1) that moves upwards? `.clamp(-1, 1)` keeps the result a picture.",
    ),
    reference=_fgsm,
    given=lambda *case: _fgsm(*case, direction=-1, step=_same, limits=None),
    cases=_fgsm_cases,
    mistakes={
        "downwards": Mistake(
            lambda *case: _fgsm(*case, direction=-1),
            "your step lowers the loss: it helps the network. The attack has to raise it.",
        ),
        "no sign": Mistake(
            lambda *case: _fgsm(*case, step=_same),
            "the sign is missing: a pixel with a small gradient hardly moves. Each one should move by the whole ε.",
        ),
        "no clamp": Mistake(
            lambda *case: _fgsm(*case, limits=None),
            "some numbers leave −1 … 1, so the result is not a picture: clamp it.",
        ),
        "downwards, no sign": Mistake(
            lambda *case: _fgsm(*case, direction=-1, step=_same),
            "the clamp is there, which is right. Two errors are left: the direction, and the missing sign.",
        ),
        "downwards, no clamp": Mistake(
            lambda *case: _fgsm(*case, direction=-1, limits=None),
            "the sign is there, which is right. Two errors are left: the direction, and numbers outside −1 … 1.",
        ),
        "no sign, no clamp": Mistake(
            lambda *case: _fgsm(*case, step=_same, limits=None),
            "the direction is right. Two errors are left: the missing sign, and numbers outside −1 … 1.",
        ),
        "zero to one": Mistake(
            lambda *case: _fgsm(*case, limits=(0.0, 1.0)),
            "you clamped to 0 … 1. These pictures run from −1 to 1.",
        ),
        "raises the score": Mistake(
            lambda *case: _fgsm(*case, loss=_own_score),
            "you raise the score of the right class: take the loss, or go against the score.",
        ),
        "lowers the score": Mistake(
            lambda *case: _fgsm(*case, loss=_own_score, direction=-1),
            "you lower the score of the right class, which is an attack, but not this one: the loss also raises the rivals.",
        ),
        "largest is one": Mistake(
            lambda *case: _fgsm(*case, step=lambda g: g / g.abs().max()),
            "you divided the gradient by its largest value, so only one number moves by ε. FGSM takes the sign of each.",
        ),
        "step alone": Mistake(
            lambda *case: _fgsm(*case, limits=None) - case[1],
            "this is the step alone: add it to the pictures.",
        ),
        "unit length": Mistake(
            lambda *case: _fgsm(*case, step=lambda g: g / g.flatten(1).norm(dim=1)[:, None, None, None]),
            "you divided the gradient by its length. FGSM takes the sign of each number.",
        ),
        "own answer": Mistake(
            lambda *case: _fgsm(*case, loss=lambda logits, _: F.cross_entropy(logits, logits.argmax(dim=1))),
            "you used the class that the network answers: the loss is that of the right class, `target`.",
        ),
        "softmax twice": Mistake(
            lambda *case: _fgsm(
                *case, loss=lambda logits, target: F.cross_entropy(logits.softmax(dim=1), target)
            ),
            "you gave probabilities to `F.cross_entropy`, which takes the softmax itself: give it the scores.",
        ),
        "absolute": Mistake(
            lambda *case: _fgsm(*case, step=torch.abs),
            "you took the absolute gradient, so all numbers go up: FGSM takes the sign of each.",
        ),
        "one end only": Mistake(
            lambda *case: _fgsm(*case, limits=(None, 1.0)),
            "you cut off at white only: some numbers are below black, −1.",
        ),
    },
)


def _harder(right: dict[str, torch.Tensor]) -> str:
    return "shortcut" if float(right["shortcut"].mean()) >= float(right["honest"].mean()) else "honest"


harder_to_fool = Question(
    name="harder_to_fool",
    difficulty=1,
    minutes=3,
    hints=(
        "Does the reason of a network, snow or animal, say how far its answers are from turning over?",
        'Answer "shortcut" or "honest".',
    ),
    expected=_harder,
    examples=lambda: [
        ({"shortcut": torch.tensor([1.0, 1.0, 0.0]), "honest": torch.tensor([1.0, 0.0, 0.0])},),
        ({"shortcut": torch.tensor([0.0, 1.0]), "honest": torch.tensor([1.0, 1.0])},),
    ],
    mistakes={
        "the other": Mistake(
            lambda answer, right: answer in ("shortcut", "honest") and answer != _harder(right),
            "your own run says the other one. To read the right thing is not the same as to be hard to fool.",
            example=lambda right: "honest" if _harder(right) == "shortcut" else "shortcut",
        ),
        "not a word": Mistake(
            lambda answer, right: answer not in ("shortcut", "honest"),
            'that is neither of the two words: answer "shortcut" or "honest".',
            example=lambda right: "both",
        ),
    },
)
