"""A refusal leaves everything as it was: for the tests of bad input."""

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.labs.lab import Lab


def refuses(function, arguments: dict, error: type, message: str) -> None:
    """Assert that the call raises this error, and that its arguments are as before."""
    before = content(arguments)
    with pytest.raises(error, match=message):
        function(**arguments)
    assert content(arguments) == before


def content(value):
    """Something that compares equal as long as an argument is what it was."""
    if isinstance(value, torch.Tensor):
        numbers = value.detach().cpu().numpy().tobytes()
        return (str(value.dtype), tuple(value.shape), numbers, value.requires_grad, value.grad is None)
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes() if value.dtype != object else repr(value))
    if isinstance(value, nn.Module):
        return (
            [(m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in value.modules()],
            [(p.detach().numpy().tobytes(), p.requires_grad, p.grad is None) for p in value.parameters()],
        )
    if isinstance(value, Lab):
        return (content(value.model), content(value.images))
    if isinstance(value, dict):
        return {name: content(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return (type(value), [content(part) for part in value])
    return id(value) if callable(value) else repr(value)
