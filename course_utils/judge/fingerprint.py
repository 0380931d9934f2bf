"""What decides a computed result, as a digest: tensors, models, and the code as it is loaded now.

The digest of code reads the functions in memory, not their files: a helper that was edited and not reloaded,
or replaced in a running kernel, still counts as what it is. What cannot be read that way raises `NoKey`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import platform
import sys
import types
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

OURS = "course_utils"
_PINNED = ("torch", "torchvision", "timm", "numpy", "scipy", "skimage", "sklearn")  # their versions are keyed
_DISTRIBUTIONS = ("torch", "torchvision", "timm", "numpy", "scipy", "scikit-image", "scikit-learn")
_SHARED = (  # the modules whose code can take part in a method or a measure
    *(
        f"{OURS}.methods.{name}"
        for name in ("arguments", "blurring", "cam", "deconvnet", "gradients", "hooks")
    ),
    *(f"{OURS}.methods.{name}" for name in ("lime", "occlusion", "shapley")),
    *(f"{OURS}.judge.{name}" for name in ("baselines", "localisation", "methods_table", "perturbation")),
    *(f"{OURS}.judge.{name}" for name in ("scoreboard", "statistics", "fingerprint")),
)


class NoKey(ValueError):
    """Something takes part in a result that a digest cannot cover: it has to be computed each time."""


class Fingerprint:
    """A SHA-256 that takes tensors, models, functions and plain values."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._seen: set[int] = set()

    def copy(self) -> Fingerprint:
        """A second one that goes on from here."""
        other = Fingerprint()
        other._digest, other._seen = self._digest.copy(), set(self._seen)
        return other

    def hexdigest(self) -> str:
        return self._digest.hexdigest()

    def text(self, text: str) -> None:
        self._digest.update(f"{len(text)}:{text}".encode())

    def value(self, value: Any) -> None:
        """A plain value, a tensor, or a container of them.

        Raises:
            NoKey: an object that is none of these; its text would not say all of it.
        """
        if value is None or isinstance(
            value, (bool, int, float, complex, str, bytes, slice, types.EllipsisType)
        ):
            self.text(f"{type(value).__name__} {value!r}")
        elif isinstance(value, (Tensor, np.ndarray)):
            self._numbers(torch.as_tensor(value))
        elif isinstance(value, np.generic):
            self.text(repr(value))
        elif isinstance(value, (tuple, list)):
            self.text(f"{type(value).__name__} of {len(value)}")
            for item in value:
                self.value(item)
        elif isinstance(value, dict):
            self.text(f"dict of {len(value)}")
            for key, item in value.items():
                self.value(key)
                self.value(item)
        elif isinstance(value, (set, frozenset)):
            self.text(f"set {sorted(map(repr, value))}")
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            self.text(type(value).__qualname__)
            for field in dataclasses.fields(value):
                self.value(getattr(value, field.name))
        elif isinstance(value, (torch.dtype, torch.device, torch.Size)):
            self.text(repr(value))
        else:
            raise NoKey(f"a {type(value).__name__} cannot be keyed")

    def _numbers(self, tensor: Tensor) -> None:
        tensor = tensor.detach().cpu().contiguous()
        self.text(f"{tensor.dtype} {tuple(tensor.shape)}")
        self._digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")

    def model(self, model: nn.Module) -> None:
        """Weights, buffers, structure, attributes and code of a network.

        Raises:
            NoKey: a class from elsewhere (its code is not known), a hook, a replaced `forward`.
        """
        self.text(str(model))
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            self.text(name)
            self.value(tensor)
        for module in model.modules():
            home = type(module).__module__
            if "<locals>" in type(module).__qualname__ or _root(home) not in (OURS, *_PINNED):
                raise NoKey(f"the code of {type(module).__qualname__} is not the course's")
            hooks = (k for k in vars(module) if k.endswith(("_hooks", "_pre_hooks")))
            if any(getattr(module, name) for name in hooks) or "forward" in vars(module):
                raise NoKey("the model has hooks, or a forward of its own")
            self.text(f"{home}.{type(module).__qualname__}")
            if _root(home) == OURS:
                self.module(sys.modules[home])
            for name, value in vars(module).items():
                if not name.startswith("_"):
                    self.text(name)
                    self.value(_plain(value))

    def shared_code(self) -> None:
        """The code of all modules that methods and measures come from, and the libraries' versions.

        Raises:
            NoKey: one of their functions has been replaced by one from elsewhere.
        """
        self.text(platform.python_version())
        for name in _DISTRIBUTIONS:
            with contextlib.suppress(PackageNotFoundError):
                self.text(f"{name} {version(name)}")
        for name in _SHARED:
            self.module(import_module(name))

    def module(self, module: types.ModuleType) -> None:
        """The functions, classes and constants of one module, as they are now."""
        if id(module) in self._seen:
            return
        self._seen.add(id(module))
        self.text(module.__name__)
        for name, value in sorted(vars(module).items()):
            if name.startswith("__"):
                continue
            self.text(name)
            if isinstance(value, types.FunctionType) and not _is_known(value):
                raise NoKey(f"{module.__name__}.{name} has been replaced by a function from elsewhere")
            self._code(value)

    def _code(self, value: Any) -> None:
        """Whatever stands in a module or a class; what holds no code of ours counts by its type."""
        if isinstance(value, types.FunctionType):
            self.function(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, (staticmethod, classmethod)):
            self._code(value.__func__)
        elif isinstance(value, property):
            for part in (value.fget, value.fset):
                self._code(part)
        elif isinstance(value, (tuple, list)):
            for item in value:
                self._code(item)
        elif isinstance(value, dict):
            for key, item in value.items():
                self.text(repr(key) if isinstance(key, (str, int)) else type(key).__name__)
                self._code(item)
        elif dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                self._code(getattr(value, field.name))
        else:
            try:
                self.value(value)
            except NoKey:
                self.text(type(value).__name__)

    def function(self, function: types.FunctionType) -> None:
        """Code, defaults and closure of a function; each function once."""
        self.text(function.__qualname__)
        if id(function) in self._seen or _root(function.__module__ or "") in sys.stdlib_module_names:
            return
        self._seen.add(id(function))
        self._instructions(function.__code__)
        self._code(function.__defaults__ or ())
        self._code(function.__kwdefaults__ or {})
        for cell in function.__closure__ or ():
            try:
                self._code(cell.cell_contents)
            except ValueError:  # not filled yet
                self.text("empty")

    def _class(self, kind: type) -> None:
        self.text(kind.__qualname__)
        if id(kind) in self._seen or _root(kind.__module__) != OURS:
            return
        self._seen.add(id(kind))
        for name, value in sorted(vars(kind).items()):
            if not name.startswith("__") or isinstance(value, types.FunctionType):
                self.text(name)
                self._code(value)

    def _instructions(self, code: types.CodeType) -> None:
        self.text(code.co_code.hex())
        self.text(" ".join((*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars)))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._instructions(constant)
            else:
                self.value(constant)


def check_is_the_courses(function: Any) -> None:
    """Raise `NoKey` unless this is a plain function of the course, found under its own name."""
    if not isinstance(function, types.FunctionType) or _root(function.__module__ or "") != OURS:
        raise NoKey("its code is not the course's, and may use anything")
    if getattr(sys.modules.get(function.__module__), function.__qualname__, None) is not function:
        raise NoKey("it is not the function that stands in the course under this name")


def _is_known(function: types.FunctionType) -> bool:
    root = _root(function.__module__ or "")
    if root == OURS:  # not a lambda or an inner function that somebody put there
        return hasattr(sys.modules.get(function.__module__), function.__qualname__.split(".")[0])
    return root in sys.stdlib_module_names or root in _PINNED


def _root(module: str) -> str:
    return module.split(".")[0]


def _plain(value: Any) -> Any:
    """A network's attribute; functions of torch (an activation, say) count by their name."""
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, type)):
        if _root(value.__module__ or "") not in (*_PINNED, OURS) or "<l" in value.__qualname__:
            raise NoKey("the model holds a function from elsewhere")
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Tensor, np.ndarray, dict)):
        return [_plain(item) for item in value]
    return value
