"""Circuits of a language model: who writes the answer, read at any depth, and which place causes it.

The stream of a transformer is a sum: the token's own vector and what each head (and each other part) adds.
Where nothing but a matrix stands between stream and logits, `logit_attribution` splits a logit exactly. A
layer norm in between breaks that. `patch` and `change_output` work on every module, since they compute the
model again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from course_utils.methods.arguments import check_finite, check_flag, check_model, check_range, check_whole
from course_utils.methods.hooks import evaluation


def logit_lens(states: Tensor, unembed: Tensor) -> Tensor:
    """Read a state as if it were the last one: states times the unembedding (nostalgebraist 2020).

    Args:
        states: `(…, d)` from any depth.
        unembed: `(vocabulary, d)`, as `nn.Linear` and `nn.Embedding` keep it.

    Returns:
        logits `(…, vocabulary)`.

    Raises:
        TypeError: not float tensors.
        ValueError: shapes that do not fit, NaN or infinite values.
    """
    _check_float(unembed, "unembed")
    _check_float(states, "states")
    _check_unembed(unembed)
    if states.ndim == 0 or states.shape[-1] != unembed.shape[1]:
        hint = ": transpose it, unembed.T" if states.ndim and states.shape[-1] == unembed.shape[0] else ""
        raise ValueError(
            f"states {tuple(states.shape)} end with another width than unembed {tuple(unembed.shape)}{hint}"
        )
    dtype = torch.promote_types(states.dtype, unembed.dtype)
    return states.to(dtype) @ unembed.to(dtype).T


def logit_attribution(
    parts: Mapping[str, Tensor], unembed: Tensor, target: int | Tensor, *, center: bool = True
) -> dict[str, Tensor]:
    """Direct logit attribution: what each part of the stream adds to the target's logit (Elhage et al. 2021).

    Exact where the logits are `sum(parts) @ unembed.T`: then the values add up to the logit, or, centred, to
    the logit minus the mean of all logits. A softmax does not see that mean: read the centred value.

    Args:
        parts: name to what that part adds to the stream at one place a text, `(N, d)` each.
        unembed: `(vocabulary, d)`.
        target: the token whose logit is split, one for all texts or one a text `(N,)`.
        center: subtract the mean over the vocabulary.

    Returns:
        name to `(N,)`, signed, in the unit of logits.

    Raises:
        TypeError: `parts` is no mapping of float tensors, or `target` is not whole.
        ValueError: no part, shapes that do not fit, a target out of range, NaN or infinite values.
    """
    if not isinstance(parts, Mapping):
        raise TypeError(f"parts must be a mapping, name to (N, d), not a {type(parts).__name__}")
    if not parts:
        raise ValueError("parts is empty: give at least one, name to (N, d)")
    _check_float(unembed, "unembed")
    _check_unembed(unembed)
    check_flag(center, "center")
    shapes = {tuple(part.shape) if isinstance(part, Tensor) else () for part in parts.values()}
    for name, part in parts.items():
        _check_float(part, f"parts[{name!r}]")
        if part.ndim != 2:
            raise ValueError(
                f"parts[{name!r}] must have the shape (N, d), not {tuple(part.shape)}: choose one place of "
                "each text, part[:, place]"
            )
    if len(shapes) > 1:
        raise ValueError(f"parts must all have one shape (N, d), not {sorted(shapes)}")
    n = next(iter(parts.values())).shape[0]
    targets = check_whole(target, "target")
    if targets.ndim == 0:
        targets = targets.expand(n)
    if targets.shape != (n,):
        raise ValueError(
            f"target must be one token, or one a text ({n}), not the shape {tuple(targets.shape)}"
        )
    check_range(targets, unembed.shape[0])
    found = {}
    for name, part in parts.items():
        logits = logit_lens(part, unembed)
        if center:
            logits = logits - logits.mean(dim=1, keepdim=True)
        found[name] = logits.gather(1, targets.to(logits.device)[:, None])[:, 0]
    return found


@contextmanager
def change_output(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[nn.Module]:
    """Replace what a module puts out by `change(output)` inside the `with` block.

    Args:
        module: any module that returns a tensor, or a tuple whose first entry is one.
        change: gets the output, must not change it in place, and returns a tensor of the same shape.

    The module is as before after the block, also after an error.

    Raises:
        TypeError: `module` is not a module, `change` is not a function, or the output is no tensor.
        ValueError: `change` returns another shape.
    """
    check_model(module)
    if not callable(change):
        raise TypeError(f"change must be a function of the output, not a {type(change).__name__}")

    def hook(_module: nn.Module, _inputs: tuple, output: object) -> object:
        first = output[0] if isinstance(output, tuple) and output else output
        if not isinstance(first, Tensor):
            raise TypeError(f"module returns a {type(first).__name__}: choose one that returns a tensor")
        changed = change(first)
        if not isinstance(changed, Tensor) or changed.shape != first.shape:
            shape = tuple(changed.shape) if isinstance(changed, Tensor) else type(changed).__name__
            raise ValueError(f"change must return a tensor of the shape {tuple(first.shape)}, not {shape}")
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    handle = module.register_forward_hook(hook)
    try:
        yield module
    finally:
        handle.remove()


@torch.no_grad()
def output_of(model: nn.Module, inputs: Tensor, module: nn.Module) -> Tensor:
    """What one module puts out while the model reads the inputs, `(N, T, d)` or whatever its shape is.

    Raises:
        TypeError: `model` or `module` is not a module, or the output is no tensor.
        ValueError: the module did not run, or more than once.
    """
    check_model(model)
    seen: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        seen.append(output.clone())
        return output

    with evaluation(model), change_output(module, keep):
        model(inputs)
    _check_runs(len(seen))
    return seen[0]


@torch.no_grad()
def patch(
    model: nn.Module,
    inputs: Tensor,
    module: nn.Module,
    output: Tensor,
    places: int | Sequence[int] | Tensor | None = None,
) -> Tensor:
    """Activation patching: the model reads `inputs`, but one module's output comes from another run.

    Meng et al. (2022), section 2.1; Wang et al. (2023), section 3. Usually `inputs` is the corrupted text and
    `output` what the module put out for the clean one.

    Args:
        model: tokens `(N, T)` to logits; returns a tensor, or an object with `logits`.
        inputs: what it reads.
        module: a part of the model with outputs `(N, T, d)`.
        output: `(N, T, d)` from `output_of`, of the same shape as in this run.
        places: where (at which tokens) to put it in, from 0, negative ones from the end; None: everywhere.

    Returns:
        the model's output, without a graph. The model is as before, also after an error.

    Raises:
        TypeError: `model` or `module` is not a module, `output` is no float tensor, `places` are not whole.
        ValueError: shapes that do not fit, places out of range, or a module that did not run exactly once.
    """
    check_model(model)
    _check_float(output, "output")
    ran = []

    def put_in(own: Tensor) -> Tensor:
        ran.append(True)
        if own.shape != output.shape:
            raise ValueError(
                f"output must have the shape {tuple(own.shape)}, as in this run, not {tuple(output.shape)}: "
                "both texts need the same number of tokens"
            )
        if places is None:
            return output.to(own)
        if own.ndim < 2:
            raise ValueError(f"places: the module's output {tuple(own.shape)} has no places, leave them out")
        chosen = check_whole(places, "places").reshape(-1)
        outside = chosen[(chosen < -own.shape[1]) | (chosen >= own.shape[1])]
        if len(outside):
            raise ValueError(
                f"places {outside[0].item()} is out of range: the texts have {own.shape[1]} tokens"
            )
        changed = own.clone()
        changed[:, chosen] = output[:, chosen].to(own)
        return changed

    with evaluation(model), change_output(module, put_in):
        answer = model(inputs)
    _check_runs(len(ran))
    return answer if isinstance(answer, Tensor) else answer.logits


def recovered(patched: Tensor, clean: Tensor, corrupted: Tensor) -> Tensor:
    """How much of what the corruption took away a patch brings back: 0 nothing, 1 all (Wang et al. 2023).

    Args:
        patched, clean, corrupted: the same measure, the right answer's logit for instance, of one shape.

    Returns:
        (mean patched − mean corrupted) / (mean clean − mean corrupted), one number; it may leave 0 … 1.

    Raises:
        TypeError: not float tensors.
        ValueError: shapes that differ, NaN, or a corruption that changed nothing.
    """
    for name, values in (("patched", patched), ("clean", clean), ("corrupted", corrupted)):
        _check_float(values, name)
    for name, values in (("patched", patched), ("clean", clean), ("corrupted", corrupted)):
        if values.shape != clean.shape or values.numel() == 0:
            raise ValueError(f"{name} has the shape {tuple(values.shape)} and clean {tuple(clean.shape)}")
    gap = clean.mean() - corrupted.mean()
    if gap.abs() <= 1e-6 * torch.maximum(clean.abs().max(), corrupted.abs().max()):
        raise ValueError("clean and corrupted are the same on average: corrupt something that matters")
    return (patched.mean() - corrupted.mean()) / gap


def copying_score(read: Tensor, write: Tensor) -> float:
    """Does a head make the token that it looks at likelier? Σλ / Σ|λ|, from −1 to 1 (Elhage et al. 2021).

    λ are the eigenvalues of read @ write, a matrix from tokens to logits; they are found from the small
    product write @ read, which has the same ones except for zeros. 1: it copies. Random matrices: about 0.

    Args:
        read: `(vocabulary, r)`, for instance embedding times W_V.
        write: `(r, vocabulary)`, for instance W_O times the transposed unembedding.

    Raises:
        TypeError: not float tensors.
        ValueError: shapes that do not fit, NaN, or all eigenvalues zero.
    """
    _check_float(read, "read")
    _check_float(write, "write")
    if read.ndim != 2 or write.ndim != 2 or read.shape != write.T.shape:
        raise ValueError(
            f"read must be (vocabulary, r) and write (r, vocabulary), not {tuple(read.shape)} and "
            f"{tuple(write.shape)}"
        )
    eigenvalues = torch.linalg.eigvals(write.double() @ read.double())
    size = eigenvalues.abs().sum()
    if size == 0:
        raise ValueError(
            "read @ write has only eigenvalues of zero: this head copies nothing and hinders nothing"
        )
    return (eigenvalues.real.sum() / size).item()


def attention_at_distance(weights: Tensor, distance: int, first: int = 0) -> Tensor:
    """The weight that each place gives to the one `distance` before it, from the place `first` on.

    With distance 1 it is the *previous token score*. With L − 1 and `first` = L + 1, in a text that holds a
    pattern of L tokens twice, it is the *induction score* (Olsson et al. 2022): how much a place looks at the
    token after the first copy of its own.

    Args:
        weights: `(N, T, T)`, rows look at columns.
        distance: whole, 0 or more.
        first: the first row that counts.

    Returns:
        `(N, rows)`; take its mean.

    Raises:
        TypeError: not a float tensor, or numbers that are not whole.
        ValueError: another shape, weights that are not from 0 to 1, or no row is left.
    """
    _check_float(weights, "weights")
    if weights.ndim != 3 or weights.shape[1] != weights.shape[2] or weights.numel() == 0:
        raise ValueError(f"weights must have the shape (N, T, T), not {tuple(weights.shape)}")
    if weights.min() < 0 or weights.max() > 1.01:
        raise ValueError("weights must be from 0 to 1: pass the weights after the softmax, not the scores")
    for name, value in (("distance", distance), ("first", first)):
        if check_whole(value, name).ndim or value < 0:
            raise ValueError(f"{name} must be a whole number of 0 or more, not {value!r}")
    start = max(first, distance)
    if start >= weights.shape[1]:
        raise ValueError(f"distance {distance} and first {first} leave no row of {weights.shape[1]}")
    return weights.diagonal(-distance, dim1=1, dim2=2)[:, start - distance :]


def _check_runs(n: int) -> None:
    if n == 0:
        raise ValueError("module did not run: choose one that is a part of the model")
    if n > 1:
        raise ValueError(f"module ran {n} times in one pass: choose one that the model uses exactly once")


def _check_unembed(unembed: Tensor) -> None:
    if unembed.ndim != 2 or unembed.numel() == 0:
        raise ValueError(f"unembed must have the shape (vocabulary, d), not {tuple(unembed.shape)}")


def _check_float(values: object, name: str) -> None:
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
        raise TypeError(f"{name} must be a float tensor, not {kind}")
    check_finite(values, name, ": look where they come from")
