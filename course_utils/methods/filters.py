"""What does a filter or a class like best? Its activation, and pictures made by gradient ascent.

    filter_activation(model, inputs, "conv3", 5)          what channel 5 of conv3 sees in these pictures
    activation_maximization(model, "conv3", [5, 8])       the picture that it likes best, for each of two
    class_maximization(model, 3, parametrization="fourier", jitter=4)

An ascent makes pictures x that raise a score s(x), less what the regularisers take:

    s(x) − l2 · mean(x²) − l1 · mean(|x|) − total_variation · TV(x) − diversity · likeness

where x counts from the middle of the value range in units of half the range, so that −1 … 1 is all it can
be and the same weights serve every network.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.methods.arguments import (
    check_count,
    check_finite,
    check_inputs,
    check_model,
    check_number,
    check_range,
    check_whole,
    exact_dtype,
    place_of,
)
from course_utils.methods.blurring import gaussian_blur
from course_utils.methods.hooks import (
    Reshape,
    check_layer_output,
    class_scores,
    counted,
    evaluation,
    fast_chunk,
    feature_maps,
    find_layer,
    gradients_on,
    layer_outputs,
    only,
    run,
)

# Square root of the covariance of red, green and blue (0 … 1) in six photographs that come with scikit-image
# and scikit-learn (chelsea, coffee, astronaut, rocket, china, flower), measured by `colour_basis`.
# First column: brightness.
NATURAL_COLOURS = ((0.30, -0.14, 0.01), (0.26, 0.04, -0.04), (0.24, 0.13, 0.03))

Number = float | Tensor
OnStep = Callable[[int, Tensor, Tensor], Any]


def filter_activation(
    model: nn.Module,
    inputs: Tensor,
    layer: nn.Module | str,
    channel: int,
    *,
    reshape: Reshape | None = None,
) -> Tensor:
    """Return the map of one filter, `(N, h, w)`: how strongly it reacts, and where.

    Args:
        model: any network that takes pictures.
        inputs: pictures `(N, C, H, W)`, float, preprocessed.
        layer: a module of the model with outputs `(N, K, h, w)`, or its dotted name.
        channel: which of the K maps.
        reshape: for a layer whose output is not `(N, K, h, w)`, such as a transformer's: see `methods.cam`.

    Raises:
        ValueError: wrong shape, NaN, unknown layer, or a channel that the layer does not have.
        TypeError: inputs are not a float tensor, the channel is no whole number.
    """
    inputs = check_inputs(model, inputs)
    channel = _one(channel, "channel")
    found = []
    with evaluation(model), torch.inference_mode(False), torch.no_grad():  # in this order
        for pictures in inputs.split(fast_chunk(inputs)):
            with layer_outputs(model, layer) as outputs:
                run(model, pictures)
            maps = feature_maps(only(outputs), pictures, reshape)
            check_range(torch.tensor([channel]), maps.shape[1], "channel")
            found.append(maps[:, channel].detach().clone())
    return torch.cat(found)


def activation_maximization(
    model: nn.Module,
    layer: nn.Module | str,
    channel: int | Sequence[int] | Tensor,
    *,
    position: tuple[int, int] | None = None,
    n_pictures: int = 1,
    diversity: float = 0.0,
    **options: Any,
) -> Tensor:
    """Return pictures that a filter reacts to most (Erhan et al. 2009; Olah et al. 2017).

    Args:
        model: any network that takes pictures.
        layer: a module of the model with outputs `(N, K, h, w)` or `(N, K)`, or its dotted name.
        channel: index of a filter, or several: each gets pictures of its own, all made in one batch.
        position: (row, column) of one place in the filter's map, to maximise a single neuron. None takes the
            mean of the map.
        n_pictures: how many for each channel. They come one after the other.
        diversity: weight of the mean likeness (cosine of the Gram matrices at the layer) between the pictures
            of a channel, which pushes them apart.
        **options: of the ascent, see `ascend`.

    Returns:
        `(n_channels × n_pictures, C, H, W)` in the value range, detached.

    Raises:
        ValueError: unknown layer, channel or position, or an option that makes no sense.
    """
    check_model(model)
    module = find_layer(model, layer)
    channels = _indices(channel, "channel", n_pictures)
    if check_number(diversity, "diversity") and n_pictures == 1:
        raise ValueError("diversity pushes the pictures of one channel apart: ask for n_pictures=2 or more")
    position = None if position is None else check_whole(position, "position").tolist()
    checked = False

    def score(pictures: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal checked
        if not checked:
            _check_used_once(model, module, pictures)
            checked = True
        outputs = _output_of(model, module, pictures)
        if outputs.ndim != 2:
            feature_maps(outputs, pictures)
        check_range(channels, outputs.shape[1], "channel")
        maps = outputs[torch.arange(len(outputs)), channels.to(outputs.device)]
        if position is not None:
            row, column = position if np.shape(position) == (2,) else (-1, -1)
            if maps.ndim != 3 or not (0 <= row < maps.shape[1] and 0 <= column < maps.shape[2]):
                raise ValueError(
                    f"position {position} is no (row, column) in the map of {tuple(maps.shape[1:])}"
                )
            values = maps[:, row, column]
        else:
            values = maps if maps.ndim == 1 else maps.flatten(1).mean(dim=1)
        likeness = _likeness(outputs, n_pictures) if diversity else 0.0
        return values, diversity * likeness

    return ascend(model, score, len(channels), **options)


def class_maximization(
    model: nn.Module,
    target: int | Sequence[int] | Tensor,
    *,
    objective: str = "logit",
    n_pictures: int = 1,
    **options: Any,
) -> Tensor:
    """Return pictures that a classifier takes for a class (Simonyan et al. 2014, equation 1).

    With `generator=`, the pictures are X* = G(z*): the code z is climbed, not the pixels (Nguyen et al.
    2016).

    Args:
        model: classifier with the scores `(N, n_classes)`.
        target: class index, or several: each gets pictures of its own, all made in one batch.
        objective: "logit" is the paper's; "log_probability" also pushes the other classes down, and is
            satisfied once the model is sure. With one score it is the log of its sigmoid.
        n_pictures: how many for each class, from different starts. They come one after the other.
        **options: of the ascent, see `ascend`.

    Returns:
        `(n_classes_asked × n_pictures, C, H, W)` in the value range, detached.

    Raises:
        ValueError: target out of range, or an option that makes no sense.
    """
    check_model(model)
    if objective not in ("logit", "log_probability"):
        raise ValueError(f'objective must be "logit" or "log_probability", not {objective!r}')
    targets = _indices(target, "target", n_pictures)

    def score(pictures: Tensor) -> tuple[Tensor, float]:
        scores = class_scores(model, pictures)
        check_range(targets, scores.shape[1])
        if objective == "log_probability":
            scores = F.logsigmoid(scores) if scores.shape[1] == 1 else scores.log_softmax(dim=1)
        return scores.gather(1, targets.to(scores.device)[:, None])[:, 0], 0.0

    return ascend(model, score, len(targets), **options)


def ascend(
    model: nn.Module,
    score: Callable[[Tensor], tuple[Tensor, Tensor | float]],
    n: int,
    *,
    shape: tuple[int, int, int] = (3, 128, 128),
    value_range: tuple[Number, Number] = (-1.0, 1.0),
    parametrization: str = "pixel",
    colours: Tensor | None = None,
    generator: Callable[[Tensor], Tensor] | None = None,
    latent: int | None = None,
    start: Tensor | None = None,
    n_steps: int = 128,
    learning_rate: float = 0.05,
    l2: float = 0.0,
    l1: float = 0.0,
    total_variation: float = 0.0,
    blur: float = 0.0,
    jitter: int = 0,
    scale: float = 0.0,
    rotate: float = 0.0,
    code_l2: float = 0.0,
    seed: int = 0,
    on_step: OnStep | None = None,
    progress: bool = False,
) -> Tensor:
    """Climb from noise with Adam to n pictures of a high score, and return them, `(n, C, H, W)`.

    Args:
        model: put in eval mode for the time of the ascent; its device and dtype are used. (In half precision
            the model runs so, but what is climbed and Adam's squares are float32: they would vanish.)
        score: pictures `(n, C, H, W)` → (one score each `(n,)`, one penalty in all).
        n: how many pictures. Each is climbed for itself: a batch gives what single runs would.
        shape: (C, H, W) of a picture. With a generator, the generator decides.
        value_range: what black and white are after preprocessing: two numbers, or tensors `(C, 1, 1)`.
        parametrization: "pixel" changes the pixels, and cuts them off at the value range after each step.
            "fourier" changes the amplitudes of waves, long ones the more, in colours that vary independently
            in photographs; a sigmoid keeps the values in range (Olah et al. 2017).
        colours: `(3, 3)` colour basis for "fourier", see `colour_basis`; None is that of natural photographs.
        generator: codes `(n, latent)` → pictures `(n, C, H, W)`, differentiable. Then the codes are climbed.
        latent: length of a code; None asks `generator.latent`.
        start: where to start: pictures `(n, C, H, W)`, or codes `(n, latent)`. None is noise (seeded): faint
            around the middle of the range, or codes from the standard normal distribution.
        n_steps, learning_rate: of Adam. For pixels the rate is in units of half the value range.
        l2, l1, total_variation: weights of the mean square, of the mean absolute value, and of the mean
            absolute difference between neighbours. Values count from the middle of the range; but for l1 and
            l2 from its lower end, in units of the range, if pictures have one channel (ink on paper) or come
            from a generator.
        blur: σ in pixels of a Gaussian that smooths the pixels after each fourth step (Yosinski et al. 2015).
        jitter, scale, rotate: before each look, the picture is shifted by up to `jitter` pixels, enlarged or
            made smaller by up to the share `scale`, and turned by up to `rotate` degrees, all at random.
        code_l2: weight of |z|² / 2 for codes: what the prior of the generator says about them.
        seed: of the start and the random moves.
        on_step: called as on_step(step, pictures, scores) before each step and once at the end, with
            step = 0 … n_steps; both tensors are detached.
        progress: show a progress bar.

    Raises:
        ValueError: unknown parametrization, a weight below zero, options that exclude each other, or a score
            that does not depend on the picture.
    """
    check_model(model)
    _check_options(parametrization, generator, blur, locals())
    n_steps, shape = check_count(n_steps, "n_steps"), _picture_shape(shape)
    device, given = place_of(model) or (torch.device("cpu"), torch.get_default_dtype())
    dtype = exact_dtype(given)
    random = torch.Generator().manual_seed(seed)

    with evaluation(model), gradients_on():
        low, high = (v.to(device, dtype) for v in _limits(value_range, shape))
        if generator is not None:
            variable = _start_codes(generator, latent, n, start, random).to(device, dtype)
            picture_of = generator
        elif parametrization == "fourier":
            variable = _start_spectrum(n, shape, start, random).to(device, dtype)
            basis = _colour_basis(shape[0], colours, device, dtype)
            picture_of = lambda spectrum: low + (high - low) * _from_waves(spectrum, shape, basis).sigmoid()  # noqa: E731
        else:
            variable = _start_pixels(n, shape, start, random, low.cpu(), high.cpu()).to(device, dtype)
            picture_of = lambda pixels: low + (high - low) * (pixels + 1) / 2  # noqa: E731
        variable.requires_grad_()
        step_of = _adam(learning_rate)
        ink = generator is not None or shape[0] == 1
        for step in counted(range(n_steps + 1), n_steps + 1, "ascent", progress):
            pictures = picture_of(variable)
            scores, penalty = score(_moved(pictures, jitter, scale, rotate, random).to(given))
            check_finite(scores, "the ascent's scores", ": take a smaller learning_rate, or check the model")
            if on_step is not None:
                on_step(step, pictures.detach().to(given, copy=True), scores.detach().clone())
            if step == n_steps:
                break
            share = (pictures - low) / (high - low)  # 0 … 1
            distance = share if ink else 2 * share - 1
            cost = penalty + l2 * distance.square().mean(dim=(1, 2, 3)).sum()
            cost = cost + l1 * distance.abs().mean(dim=(1, 2, 3)).sum()
            if total_variation:
                cost = cost + total_variation * total_variation_of(2 * share).sum()
            if code_l2:
                cost = cost + code_l2 * variable.square().sum() / 2
            if step == 0:
                _check_climbable(scores, variable)
            (gradient,) = torch.autograd.grad(cost - scores.sum(), variable)
            with torch.no_grad():
                variable -= step_of(gradient)
                if generator is None and parametrization == "pixel":
                    if blur and step % 4 == 3:
                        variable.copy_(gaussian_blur(variable, blur, padding="reflect"))
                    variable.clamp_(-1, 1)
        return picture_of(variable).detach().to(given)


def _check_climbable(scores: Tensor, variable: Tensor) -> None:
    """Raise if no gradient leads from the scores to what is climbed: the start would come back."""
    gradient = None
    if scores.requires_grad:
        (gradient,) = torch.autograd.grad(scores.sum(), variable, retain_graph=True, allow_unused=True)
    if gradient is None:
        raise ValueError(
            "the score does not depend on the picture through anything that has a gradient: the model or the "
            "generator computes a part under no_grad(), with detach(), or quantised; take that part out"
        )


def total_variation_of(pictures: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbours, down plus across, for each picture, `(N,)`."""
    down = (pictures[:, :, 1:] - pictures[:, :, :-1]).abs().mean(dim=(1, 2, 3))
    across = (pictures[..., 1:] - pictures[..., :-1]).abs().mean(dim=(1, 2, 3))
    return down + across


def colour_basis(pictures: Tensor) -> Tensor:
    """Measure the colours of pictures: the square root `(3, 3)` of the covariance of red, green and blue.

    Its columns are independent colours, each as long as pictures vary along it: basis @ white noise has the
    pictures' covariance.

    Args:
        pictures: `(N, 3, H, W)` float.
    """
    if pictures.ndim != 4 or pictures.shape[1] != 3:
        raise ValueError(f"pictures must have the shape (N, 3, H, W), not {tuple(pictures.shape)}")
    values, vectors = torch.linalg.eigh(pictures.double().transpose(0, 1).flatten(1).cov())
    order = values.argsort(descending=True)
    vectors = vectors[:, order] * vectors[:, order].sum(dim=0).sign().where(
        torch.tensor([True, False, False]), 1
    )
    return (vectors * values[order].clamp(min=0).sqrt()).to(pictures.dtype)


def wave_frequencies(height: int, width: int) -> Tensor:
    """Return the frequency of each wave of `torch.fft.rfft2` in waves a pixel, `(height, width // 2 + 1)`."""
    return torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])


def _adam(rate: float) -> Callable[[Tensor], Tensor]:
    """Return a function from each step's gradient to what Adam subtracts (Kingma and Ba 2015, algorithm 1).

    The same as `torch.optim.Adam`, whose first use loads torch's compiler, which takes seconds.
    """
    mean, square, step = 0.0, 0.0, 0

    def subtrahend(gradient: Tensor) -> Tensor:
        nonlocal mean, square, step
        step += 1
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient.square()
        return rate * mean / (1 - 0.9**step) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)

    return subtrahend


# ---- the three parametrisations


def _start_pixels(
    n: int,
    shape: tuple[int, int, int],
    start: Tensor | None,
    random: torch.Generator,
    low: Tensor,
    high: Tensor,
) -> Tensor:
    if start is None:
        return 0.05 * torch.randn(n, *shape, generator=random)
    start = _like(start, (n, *shape), "start")
    return (2 * (start.cpu() - low) / (high - low) - 1).clamp(-1, 1)


def _start_spectrum(
    n: int, shape: tuple[int, int, int], start: Tensor | None, random: torch.Generator
) -> Tensor:
    channels, height, width = shape
    size = (n, channels, height, width // 2 + 1, 2)
    if start is not None:
        return _like(start, size, "start (amplitudes of waves)").detach().clone()
    return 0.01 * torch.randn(size, generator=random)


def _from_waves(spectrum: Tensor, shape: tuple[int, int, int], basis: Tensor) -> Tensor:
    """Add the waves up, their amplitudes falling with the frequency as in photographs; mix the colours."""
    _, height, width = shape
    frequencies = wave_frequencies(height, width).to(spectrum.device, spectrum.dtype)
    longest = 1 / max(height, width)
    amplitudes = torch.view_as_complex(spectrum) / frequencies.clamp(min=longest)
    waves = torch.fft.irfft2(amplitudes, s=(height, width), norm="ortho") / 4
    return torch.einsum("dc,nchw->ndhw", basis, waves)


def _colour_basis(channels: int, colours: Tensor | None, device: torch.device, dtype: torch.dtype) -> Tensor:
    if channels != 3:
        return torch.eye(channels, device=device, dtype=dtype)
    basis = torch.tensor(NATURAL_COLOURS) if colours is None else torch.as_tensor(colours)
    basis = basis.to(device, dtype)
    if basis.shape != (3, 3):
        raise ValueError(f"colours must have the shape (3, 3), not {tuple(basis.shape)}")
    return basis / basis.norm(dim=1).max()


def _start_codes(
    generator: Callable, latent: int | None, n: int, start: Tensor | None, random: torch.Generator
) -> Tensor:
    if start is not None:
        length = start.shape[-1] if isinstance(start, Tensor) and start.ndim else 0
        return _like(start, (n, length), "start (codes)").detach().clone()
    owner = getattr(generator, "__self__", generator)  # `vae.decode` belongs to `vae`
    latent = getattr(owner, "latent", None) if latent is None else latent
    if latent is None:
        raise ValueError("how long is a code? Pass latent=, or give the generator an attribute `latent`")
    return torch.randn(n, check_count(latent, "latent"), generator=random)


# ---- what happens to a picture


def _moved(pictures: Tensor, jitter: int, scale: float, rotate: float, random: torch.Generator) -> Tensor:
    """Shift, enlarge and turn each picture at random; what leaves on one side is mirrored at the other."""
    if not (jitter or scale or rotate):
        return pictures
    n, _, height, width = pictures.shape
    draws = 2 * torch.rand(4, n, generator=random) - 1
    shift = (draws[:2] * jitter).round()
    zoom, angle = 1 + draws[2] * scale, torch.deg2rad(draws[3] * rotate)
    affine = torch.stack(
        [
            torch.stack(
                [angle.cos() / zoom, -angle.sin() / zoom * height / width, 2 * shift[0] / width], dim=1
            ),
            torch.stack(
                [angle.sin() / zoom * width / height, angle.cos() / zoom, 2 * shift[1] / height], dim=1
            ),
        ],
        dim=1,
    ).to(pictures)
    places = F.affine_grid(affine, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, places, padding_mode="reflection", align_corners=False)


def _likeness(outputs: Tensor, n_pictures: int) -> Tensor:
    """Cosine of the Gram matrices of each two pictures of a channel: mean over pairs, sum over channels."""
    features = outputs.flatten(2) if outputs.ndim == 4 else outputs[..., None]
    grams = torch.einsum("nkp,nlp->nkl", features, features).flatten(1)
    grams = F.normalize(grams, dim=1).unflatten(0, (-1, n_pictures))
    cosines = torch.einsum("gad,gbd->gab", grams, grams)
    upper = torch.ones_like(cosines[0], dtype=torch.bool).triu(1)
    return cosines[:, upper].mean(dim=1).sum()


# ---- running the model as far as a layer


class _Reached(Exception):
    """Not an error: leaves the forward pass when the layer's output is there."""


def _output_of(model: nn.Module, layer: nn.Module, pictures: Tensor) -> Tensor:
    """Run the model up to the layer's first output and return that."""
    with _stop_after(layer) as outputs:
        try:
            run(model, pictures)
        except _Reached:
            return outputs[0]
    raise ValueError("the layer did not run in one forward pass: choose a layer that the model uses")


def _check_used_once(model: nn.Module, layer: nn.Module, pictures: Tensor) -> None:
    """Raise if the layer runs several times in a forward pass: the ascent would see its first run only."""
    with torch.no_grad(), layer_outputs(model, layer) as outputs:
        try:
            run(model, pictures[:1].detach())
        except RuntimeError:  # what lies behind the layer need not take pictures of this size
            if not outputs:
                raise
    only(outputs)


@contextmanager
def _stop_after(layer: nn.Module) -> Iterator[list[Tensor]]:
    outputs: list[Tensor] = []

    def keep(module: nn.Module, arguments: tuple, output: Tensor) -> None:
        check_layer_output(output)
        outputs.append(output)
        raise _Reached

    handle = layer.register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()


# ---- checking arguments


def _check_options(
    parametrization: str, generator: Callable | None, blur: float, options: dict[str, Any]
) -> None:
    if parametrization not in ("pixel", "fourier"):
        raise ValueError(f'parametrization must be "pixel" or "fourier", not {parametrization!r}')
    names = ("l2", "l1", "total_variation", "blur", "jitter", "scale", "rotate", "code_l2", "learning_rate")
    for name in names:
        check_number(options[name], name, below=1.0 if name == "scale" else float("inf"))
    if options["learning_rate"] == 0:
        raise ValueError("learning_rate must be above 0: the pictures would stay as they are")
    if generator is not None and not callable(generator):
        raise TypeError(
            f"generator must be a function from codes to pictures, not a {type(generator).__name__}"
        )
    if generator is not None and parametrization != "pixel":
        raise ValueError("a generator makes the pictures: leave parametrization out")
    if blur and (generator is not None or parametrization == "fourier"):
        raise ValueError('blur smooths pixels: it goes with parametrization="pixel" and no generator')
    if options["code_l2"] and generator is None:
        raise ValueError("code_l2 weighs a generator's codes: pass generator= too")


def _indices(values: int | Sequence[int] | Tensor, name: str, repeats: int) -> Tensor:
    """Return the indices, each `repeats` times in a row."""
    repeats = check_count(repeats, "n_pictures")
    if isinstance(values, (list, tuple)) and not values:
        raise ValueError(f"{name} must be a whole number or several of them, not {values!r}")
    with torch.inference_mode(False):
        return check_whole(values, name).cpu().reshape(-1).repeat_interleave(repeats)


def _one(value: int, name: str) -> int:
    whole = check_whole(value, name)
    if whole.numel() != 1:
        raise ValueError(f"{name} must be one whole number, not {value!r}")
    return int(whole)


def _picture_shape(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    if not isinstance(shape, Sequence) or len(shape) != 3:
        raise ValueError(f"shape must be (C, H, W) of one picture, not {shape!r}")
    return tuple(check_count(side, "each side of shape") for side in shape)


def _limits(value_range: tuple[Number, Number], shape: tuple[int, int, int]) -> list[Tensor]:
    """Return the lowest and the highest value, as numbers or by channel."""
    try:
        low, high = (torch.as_tensor(v).detach().clone() for v in value_range)
        good = bool((low.expand(shape) < high.expand(shape)).all()) and bool((high - low).isfinite().all())
    except (TypeError, ValueError, RuntimeError):
        good = False
    if not good:
        raise ValueError(
            f"value_range must be (lowest, highest), two numbers or tensors (C, 1, 1), not {value_range!r}"
        )
    return [low, high]


def _like(start: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
    if not isinstance(start, Tensor) or not start.is_floating_point():
        raise TypeError(f"{name} must be a float tensor, not {getattr(start, 'dtype', type(start).__name__)}")
    if tuple(start.shape) != tuple(shape):
        raise ValueError(f"{name} must have the shape {tuple(shape)}, not {tuple(start.shape)}")
    return check_finite(start, name, ": start from finite values")
