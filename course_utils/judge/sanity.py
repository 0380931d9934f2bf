"""Does the map depend on what the model has learnt? Draw its weights anew and look again."""

import copy
from collections.abc import Iterator

import torch
from torch import nn

from course_utils.methods.arguments import check_count

_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


def randomize_cascade(model: nn.Module, *, seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """Yield copies of the model with ever more layers drawn anew, the last one first (Adebayo et al. 2018).

    Cascading randomisation (section 3.1): first the last layer only, then the last two, and so on; the last
    copy is all random. "Last" is by the order in which the model lists its modules. New weights come from
    each module's own initialisation; normalisation layers are reset together with the layer before them.

    Args:
        model: any network; it is not changed.
        seed: of the new weights. The caller's random state is left alone.

    Yields:
        (name of the layer that was just drawn anew, a copy of the model in the original's mode).

    Raises:
        ValueError: the model has no weights; a seed that is no whole number of 0 or more.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not a {type(model).__name__}")
    seed = check_count(seed, "seed", at_least=0, at_most=2**32 - 1)
    current = copy.deepcopy(model)
    layers = [
        (name, module) for name, module in current.named_modules() if list(module.parameters(recurse=False))
    ]
    if not layers:
        raise ValueError("the model has no weights to draw anew")
    waiting = []
    for step, (name, layer) in enumerate(reversed(layers)):
        waiting.append(layer)
        if isinstance(layer, _NORMS) and step < len(layers) - 1:
            continue
        devices = sorted({p.device.index for p in current.parameters() if p.device.type == "cuda"})
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            torch.manual_seed(seed + step)
            for module in waiting:
                _draw(module)
        waiting = []
        yield name, copy.deepcopy(current)


def _draw(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
    if reset is not None:  # nn.MultiheadAttention has the second name
        reset()
        return
    for parameter in module.parameters(recurse=False):  # no initialisation of its own: keep mean and spread
        spread = parameter.std(correction=0).item()
        if spread == 0 and parameter.numel() > 1:
            continue  # all alike, as before any training: there is nothing to forget
        parameter.normal_(parameter.mean().item(), spread if spread > 0 else 1.0)
