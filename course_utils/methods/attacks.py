"""Pictures changed on purpose: until the answer is wrong, or until the explanation is.

**The unit of `epsilon`** is that of the inputs, not the grey level. Each function also has to be told
`bounds`, what black and white are as inputs, because a network cannot say so; `picture_bounds` asks the
preprocessing:

    black, white = picture_bounds(lab.preprocess)   # −1 and 1 for the drawn scenes
    level = (white - black) / 255                   # one grey level
    pgd(lab.model, lab.inputs, lab.targets, 2 * level, bounds=(black, white))

An epsilon larger than the whole range is refused, and so are inputs that lie outside the bounds.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from course_utils.methods.arguments import (
    check_count,
    check_flag,
    check_inputs,
    check_like,
    check_maps,
    check_number,
    check_range,
    check_target,
)
from course_utils.methods.hooks import (
    class_scores,
    evaluation,
    fast_chunk,
    feature_maps,
    gradient_at,
    gradients_on,
    layer_outputs,
    only,
)

NORMS = ("linf", "l2")
Bounds = tuple[float | Tensor, float | Tensor]


def picture_bounds(preprocess: Callable[[np.ndarray], Tensor]) -> tuple[Tensor, Tensor]:
    """What black and white are as a network's inputs.

    Args:
        preprocess: uint8 pictures `(N, H, W, 3)` to inputs `(N, 3, H, W)`, each pixel by itself.

    Returns:
        black and white, `(1, 3, 1, 1)` each. `(white − black) / 255` is one grey level.

    Raises:
        TypeError: `preprocess` is not callable.
        ValueError: it does not return `(1, 3, 1, 1)` for a picture of one pixel, or white is not above black.
    """
    if not callable(preprocess):
        raise TypeError(f"preprocess must be a function of pictures, not a {type(preprocess).__name__}")
    ends = [preprocess(np.full((1, 1, 1, 3), level, np.uint8)) for level in (0, 255)]
    if any(not isinstance(end, Tensor) or tuple(end.shape) != (1, 3, 1, 1) for end in ends):
        raise ValueError(
            "preprocess must turn a picture of one pixel into inputs (1, 3, 1, 1): leave out resizing and "
            "cropping, or give the bounds as numbers"
        )
    if not (ends[1] > ends[0]).all():
        raise ValueError("preprocess makes white no larger than black: give the bounds as numbers")
    return ends[0], ends[1]


def fgsm(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    epsilon: float | Tensor,
    *,
    bounds: Bounds,
    towards: bool = False,
) -> Tensor:
    """FGSM: one step along the sign of the loss's gradient (Goodfellow et al. 2015, section 4).

    Args:
        model: classifier with the scores (logits) `(N, n_classes)`; the loss is their cross-entropy.
        inputs: pictures `(N, C, H, W)`, float, preprocessed; or vectors `(N, d)`.
        target: the right class, or `(N,)` of them; with `towards` the class that the model shall answer.
        epsilon: how far each number moves, **in units of the inputs**; a number, or a tensor that broadcasts
            to the inputs. One grey level is (white − black) / 255.
        bounds: black and white as inputs, numbers or tensors that broadcast to the inputs.
        towards: go down to the loss of `target` instead of up.

    Returns:
        The changed inputs, inside the bounds and at most epsilon away.

    Raises:
        ValueError: wrong shape, NaN, target out of range, inputs outside the bounds, an epsilon that is
            negative or larger than the whole range, a model that lets no gradient through.
        TypeError: `inputs` is not a float tensor, `target` not an integer, or `towards` not True or False.
    """
    return pgd(model, inputs, target, epsilon, "linf", bounds=bounds, towards=towards, n_steps=1)


def pgd(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    epsilon: float | Tensor,
    norm: str = "linf",
    *,
    bounds: Bounds,
    towards: bool = False,
    n_steps: int = 10,
    step_size: float | Tensor | None = None,
) -> Tensor:
    """Projected gradient descent: small steps, each followed by a return to the allowed region.

    Madry et al. 2018, section 2.1. The region is a ball around the picture and the bounds. There is no random
    start: the result depends on nothing but the arguments.

    Args:
        model, inputs, target, bounds, towards: as for `fgsm`.
        epsilon: radius of the ball, **in units of the inputs**. For "linf" no number moves further than this
            (a tensor is allowed). For "l2" it is the length of the whole change of one picture, a number.
        norm: "linf" steps along the sign of the gradient, "l2" along the gradient of length 1.
        n_steps: how many.
        step_size: length of a step in the same norm and units; None: all of epsilon for one step, else
            2.5 · epsilon / n_steps, which reaches each point of the ball.

    Returns:
        The changed inputs, inside the bounds and the ball. Raises as `fgsm`.
    """
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {', '.join(map(repr, NORMS))}, not {norm!r}")
    inputs, targets, epsilon, low, high = _checked(model, inputs, target, epsilon, bounds, norm)
    n_steps = check_count(n_steps, "n_steps")
    if step_size is None:
        step_size = epsilon if n_steps == 1 else 2.5 * epsilon / n_steps
    step_size = check_like(step_size, inputs, "step_size")
    if not (step_size >= 0).all():
        raise ValueError("step_size must be ≥ 0, in units of the inputs: for the other direction use towards")
    step_size = -step_size if check_flag(towards, "towards") else step_size
    size = fast_chunk(inputs)
    changed = []
    with evaluation(model):
        for x, classes, *rest in zip(
            *(v.split(size) for v in (inputs, targets, epsilon, step_size, low, high)), strict=True
        ):
            changed.append(_climb(model, x, classes, *rest, norm, n_steps))
    return torch.cat(changed)


def move_map(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    aim: Tensor,
    epsilon: float | Tensor,
    layer: nn.Module | str | None = None,
    *,
    bounds: Bounds,
    beta: float = 20.0,
    keep: float = 0.1,
    n_steps: int = 40,
) -> Tensor:
    """Change pictures until their saliency or Grad-CAM looks like `aim`, and the scores stay.

    Dombrowski et al. 2019, eq. 2: minimises ‖h(x′) − aim‖² / ‖aim‖² + keep · mean((scores − scores before)²)
    with Adam, where map h and aim are divided by their sums. For saliency each ReLU is a softplus with `beta`
    **while the change is looked for**: the second derivative of a ReLU network is zero, so without it there
    is nothing to follow.

    Args:
        model, inputs, bounds: as for `fgsm`; pictures only.
        target: the class whose map is moved.
        aim: `(N, H, W)` float, ≥ 0, one wanted map a picture, in the picture's size.
        epsilon: the furthest that a number may move, **in units of the inputs**.
        layer: None: saliency, largest over the colours. A layer: Grad-CAM there, enlarged bilinearly.
        beta: sharpness of the softplus, log(1 + exp(beta · x)) / beta; no use for Grad-CAM.
        keep: weight of the scores.
        n_steps: of Adam, each of about epsilon / 10.

    Returns:
        The changed inputs, inside the bounds and at most epsilon away. Judge them on the unchanged model.

    Raises:
        ValueError, TypeError: as `fgsm`, and an aim of another shape, with negative values or all zero.
    """
    inputs, targets, epsilon, low, high = _checked(model, inputs, target, epsilon, bounds, "linf", False)
    aim = check_maps(aim, shape=(len(inputs), *inputs.shape[2:]), name="aim").to(inputs)
    if not (aim >= 0).all() or not (aim.flatten(1).sum(dim=1) > 0).all():
        raise ValueError(
            "aim must be ≥ 0 with a positive value in each map: mark where the map shall go with 1"
        )
    check_number(beta, "beta", 1e-6)
    check_number(keep, "keep")
    n_steps = check_count(n_steps, "n_steps")
    size = fast_chunk(inputs)
    changed = []
    with evaluation(model):
        for chunk in zip(*(v.split(size) for v in (inputs, targets, aim, epsilon, low, high)), strict=True):
            changed.append(_move(model, *chunk, layer, beta, keep, n_steps))
    return torch.cat(changed)


@contextmanager
def softened(beta: float = 20.0) -> Iterator[None]:
    """Compute each ReLU as log(1 + exp(beta · x)) / beta, and each ReLU6 as a difference of two, meanwhile.

    It is the call that is exchanged, not the model: modules, `torch.relu` and `F.relu` alike.
    """
    with _Softened(check_number(beta, "beta", 1e-6)):
        yield


class _Softened(TorchFunctionMode):
    """Catches the calls of ReLU and ReLU6."""

    RELU = (F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)
    RELU6 = (F.relu6, F.hardtanh)

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in self.RELU:
            return F.softplus(args[0], self.beta)
        if function in self.RELU6:
            x, *ends = args
            named = {"min_val": 0.0, "max_val": 6.0} | (kwargs or {})
            bottom, top = ends[:2] or (named["min_val"], named["max_val"])
            return bottom + F.softplus(x - bottom, self.beta) - F.softplus(x - top, self.beta)
        return function(*args, **(kwargs or {}))


def _checked(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    epsilon: float | Tensor,
    bounds: Bounds,
    norm: str,
    vectors: bool = True,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return copies of the inputs, the targets, and epsilon, black and white shaped like the inputs."""
    inputs = check_inputs(model, inputs, vectors=vectors)
    targets = check_target(target, inputs)
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise ValueError("bounds must be two values, black and white as inputs: picture_bounds(preprocess)")
    low, high = (check_like(end, inputs, f"bounds[{i}]") for i, end in enumerate(bounds))
    if not (high > low).all():
        raise ValueError("bounds must be black and white in this order: bounds[1] is not above bounds[0]")
    slack = 1e-4 * (high - low)  # of rounding
    if not ((inputs >= low - slack) & (inputs <= high + slack)).all():
        raise ValueError(
            f"inputs lie outside the bounds ({inputs.min().item():.3g} … {inputs.max().item():.3g}): give "
            "black and white as the preprocessing makes them, picture_bounds(preprocess)"
        )
    if norm == "l2" and isinstance(epsilon, Tensor) and epsilon.numel() != 1:
        raise ValueError(
            "epsilon must be one number for norm='l2': it is the length of a picture's whole change"
        )
    epsilon = check_like(epsilon, inputs, "epsilon")
    largest = (high - low).flatten(1).norm(dim=1).min() if norm == "l2" else high - low
    if not (epsilon >= 0).all() or not (epsilon <= largest).all():
        raise ValueError(
            f"epsilon must be from 0 to the whole range of the inputs, not {epsilon.max().item():.3g}: it is "
            "in units of the inputs, where one grey level is (white − black) / 255"
        )
    return inputs, targets, epsilon, low, high


def _climb(
    model: nn.Module,
    start: Tensor,
    targets: Tensor,
    epsilon: Tensor,
    step: Tensor,
    low: Tensor,
    high: Tensor,
    norm: str,
    n_steps: int,
) -> Tensor:
    x = start
    for _ in range(n_steps):
        with gradients_on():
            leaf = x.clone().requires_grad_()
            scores = class_scores(model, leaf)
            check_range(targets, scores.shape[1])
            gradient = gradient_at(leaf, F.cross_entropy(scores, targets.clone(), reduction="none"))
        if norm == "linf":
            change = (x + step * gradient.sign() - start).clamp(-epsilon, epsilon)
        else:
            change = x + step * gradient / _length(gradient).clamp(min=1e-30) - start
            change = change * (epsilon / _length(change).clamp(min=1e-30)).clamp(max=1)
        x = (start + change).clamp(low, high)
    return x


def _length(values: Tensor) -> Tensor:
    """L2 norm of each item, `(N, 1, …)`."""
    return values.flatten(1).norm(dim=1).view(-1, *[1] * (values.ndim - 1))


def _move(
    model: nn.Module,
    start: Tensor,
    targets: Tensor,
    aim: Tensor,
    epsilon: Tensor,
    low: Tensor,
    high: Tensor,
    layer: nn.Module | str | None,
    beta: float,
    keep: float,
    n_steps: int,
) -> Tensor:
    aim = aim / aim.sum(dim=(1, 2), keepdim=True)
    find = _soft_saliency if layer is None else _open_grad_cam
    with gradients_on():
        # copies that a gradient can pass, also where the caller works in inference mode
        start, targets, aim, epsilon, low, high = (
            v.clone() for v in (start, targets, aim, epsilon, low, high)
        )
        with torch.no_grad():
            before = class_scores(model, start)
        check_range(targets, before.shape[1])
        change = torch.zeros_like(start).requires_grad_()
        adam = torch.optim.Adam([change], lr=0.1)  # the change in units of epsilon
        for _ in range(n_steps):
            maps, scores = find(model, (start + epsilon * change).clamp(low, high), targets, layer, beta)
            maps = maps / maps.sum(dim=(1, 2), keepdim=True).clamp(min=1e-30)
            distance = ((maps - aim) ** 2).sum(dim=(1, 2)) / (aim**2).sum(dim=(1, 2))
            loss = distance.sum() + keep * ((scores - before) ** 2).mean(dim=1).sum()
            (change.grad,) = torch.autograd.grad(loss, change)
            adam.step()
            with torch.no_grad():
                change.clamp_(-1, 1)
    return (start + epsilon * change.detach()).clamp(low, high)


def _soft_saliency(model, x, targets, layer, beta) -> tuple[Tensor, Tensor]:
    """Saliency `(N, H, W)` of the softened network, that can be differentiated again, and its scores."""
    with softened(beta):
        scores = class_scores(model, x)
        (gradient,) = torch.autograd.grad(scores.gather(1, targets[:, None]).sum(), x, create_graph=True)
    return gradient.abs().amax(dim=1), scores


def _open_grad_cam(model, x, targets, layer, beta) -> tuple[Tensor, Tensor]:
    """Grad-CAM `(N, H, W)`, that can be differentiated again, and the scores."""
    with layer_outputs(model, layer) as outputs:
        scores = class_scores(model, x)
    activations = feature_maps(only(outputs), x)
    (gradient,) = torch.autograd.grad(
        scores.gather(1, targets[:, None]).sum(), activations, create_graph=True
    )
    maps = (gradient.mean(dim=(2, 3), keepdim=True) * activations).sum(dim=1).relu()
    return F.interpolate(maps[:, None], x.shape[2:], mode="bilinear", align_corners=False)[:, 0], scores
