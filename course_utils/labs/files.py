"""The files in `data/`: read only if their SHA-256 is the manifest's, written whole or not at all."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

DATA = Path(__file__).resolve().parents[2] / "data"
MANIFEST = "manifest.json"
NOT_LISTED = {MANIFEST, "README.md"}  # everything else in data/ is in the manifest
WHAT_TO_DO = (
    "get the folder data/ of the course again (with git: git checkout -- data), or make the file anew as "
    "data/README.md says"
)


class DataFileError(RuntimeError):
    """A file of the course's `data` folder is missing, altered or unreadable."""


def data_file(name: str) -> Path:
    """Return the path of a file in `data/`, after checking it against the manifest (once per process).

    Args:
        name: path below `data/` with forward slashes, "weights/scenes-resnet.safetensors" for instance.

    Raises:
        DataFileError: the file is missing, is not in the manifest, or its SHA-256 differs.
    """
    expected = _manifest_entries().get(name)
    if expected is None:
        raise DataFileError(f"data/{name} is not listed in data/{MANIFEST}: {WHAT_TO_DO}")
    path = DATA / name
    try:
        state = path.stat()
        found = _file_sha256(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise DataFileError(f"data/{name} is missing or cannot be read: {WHAT_TO_DO}") from error
    if found != expected["sha256"]:
        raise DataFileError(
            f"data/{name} was altered (its SHA-256 differs from the manifest's): {WHAT_TO_DO}"
        )
    return path


def listed_files(folder: str) -> list[str]:
    """Names of the manifest's files in a folder below `data/`, sorted. Raises as `data_file`."""
    return sorted(name for name in _manifest_entries() if name.startswith(f"{folder}/"))


def read_weights(name: str) -> dict[str, Tensor]:
    """Read shipped weights as a state dict in single precision. Raises as `data_file`."""
    path = data_file(name)
    try:
        weights = safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataFileError(f"data/{name} is not a readable safetensors file: {WHAT_TO_DO}") from error
    return {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}


def read_arrays(name: str) -> dict[str, np.ndarray]:
    """Read the arrays of an npz file, masks unpacked as `write_arrays` packed them. Raises as `data_file`."""
    path = data_file(name)
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataFileError(f"data/{name} is not a readable npz file: {WHAT_TO_DO}") from error
    unpacked = {}
    for key, values in arrays.items():
        if key.endswith(".bits"):
            shape = arrays[key.removesuffix("bits") + "shape"]
            bits = np.unpackbits(values, count=int(np.prod(shape)))
            unpacked[key.removesuffix(".bits")] = bits.reshape(shape).astype(bool)
        elif not key.endswith(".shape"):
            unpacked[key] = values
    return unpacked


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a compressed npz file; boolean arrays take one bit a value."""
    packed = {}
    for key, values in arrays.items():
        if values.dtype == bool:
            packed[f"{key}.bits"] = np.packbits(values)
            packed[f"{key}.shape"] = np.array(values.shape)
        else:
            packed[key] = values
    buffer = BytesIO()
    np.savez_compressed(buffer, **packed)
    write_bytes(path, buffer.getvalue())


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write a state dict in half precision as safetensors; integers stay integers."""
    halves = {
        key: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for key, value in weights.items()
    }
    write_bytes(path, safetensors.torch.save(halves))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that nobody sees half of it: to a neighbour first, which then takes its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_manifest(wanted: Callable[[str], bool] = lambda name: True) -> None:
    """Write `data/manifest.json` anew from the files that are there.

    Args:
        wanted: which files (by name) to take in or refresh; entries of the others stay as they are.
    """
    try:
        entries = dict(_manifest_entries())
    except DataFileError:
        entries = {}
    present = {
        path.relative_to(DATA).as_posix(): path
        for path in DATA.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(DATA).parts)
    }
    for name, path in present.items():
        if wanted(name) and name not in NOT_LISTED:
            content = path.read_bytes()
            entries[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    entries = {name: entries[name] for name in sorted(entries) if name in present}
    write_bytes(DATA / MANIFEST, (json.dumps(entries, indent=1) + "\n").encode())


def _manifest_entries() -> dict[str, dict]:
    try:
        state = (DATA / MANIFEST).stat()
        return _read_manifest(DATA / MANIFEST, state.st_mtime_ns)
    except (OSError, ValueError) as error:
        raise DataFileError(f"data/{MANIFEST} is missing or is not JSON: {WHAT_TO_DO}") from error


@cache
def _read_manifest(path: Path, modified: int) -> dict[str, dict]:
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def _file_sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
