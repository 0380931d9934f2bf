"""The libraries that we compare with: which, their versions, and how to make them quiet and repeatable."""

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor

LIBRARIES = (
    "captum",
    "torchcam",
    "grad-cam",
    "zennit",
    "torchattacks",
    "nnsight",
    "lime",
    "shap",
    "transformers",
    "mmd-critic",
    "scikit-learn",
    "scipy",
)


def versions() -> str:
    """The libraries' versions in one line."""
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} (not installed)")
    return ", ".join(found)


def do_not_compile() -> None:
    """Call before shap is loaded: numba would compile for seconds to save milliseconds, all is small here."""
    if "numba" not in sys.modules:  # one that has begun to compile cannot stop
        os.environ.setdefault("NUMBA_DISABLE_JIT", "1")


def import_shap():
    """shap, without compiling."""
    do_not_compile()
    import shap

    return shap


@contextlib.contextmanager
def no_lime_bar() -> Iterator[None]:
    """Without the progress bar of `lime`'s pictures, which no argument switches off."""
    from lime import lime_image

    bar = lime_image.tqdm
    lime_image.tqdm = iter
    try:
        yield
    finally:
        lime_image.tqdm = bar


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the libraries' warnings and progress bars."""
    with no_lime_bar(), warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def same_noise(inputs: Tensor, n_samples: int) -> Iterator[None]:
    """Let captum's NoiseTunnel draw the noise that our SmoothGrad draws, σ = 0.15 × range included.

    captum's own σ (`stdevs`) is an absolute number: give it 1 in here.
    """
    generator = torch.Generator().manual_seed(0)
    sigma = 0.15 * (inputs.amax(dim=(1, 2, 3), keepdim=True) - inputs.amin(dim=(1, 2, 3), keepdim=True))
    draws = [torch.randn(inputs.shape, generator=generator, dtype=inputs.dtype) for _ in range(n_samples)]
    noise = (sigma * torch.stack(draws)).transpose(0, 1).flatten(0, 1)
    original: Callable = torch.normal
    torch.normal = lambda *arguments, **options: noise
    try:
        yield
    finally:
        torch.normal = original
