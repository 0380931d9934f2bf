"""Answers as plain data, between a student's process and the teacher's: no pickle, no object that could act.

What can be sent: None, bool, int, float, str, list, tuple, dict with str keys, NumPy arrays and tensors of
numbers, and `Ref("lab.model")` for what both sides have under that name.
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from course_utils.authoring.homework.clock import Watch

LIMIT = 64 * 2**20  # bytes of one message


class NotPlain(ValueError):
    """Something that is no plain data, or too much of it."""


@dataclass(frozen=True)
class Ref:
    """What both sides have under this dotted name, such as "lab.model"."""

    path: str


def encode(value: object) -> bytes:
    """Plain data as the bytes of an .npz.

    Raises:
        NotPlain: an object of another type, or more than 64 MB.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = _to_json(value, arrays)
    buffer = io.BytesIO()
    np.savez(buffer, json=np.frombuffer(json.dumps(tree).encode(), dtype=np.uint8), **arrays)
    if buffer.tell() > LIMIT:
        raise NotPlain(f"an answer of {buffer.tell() / 2**20:.0f} MB; at most {LIMIT // 2**20} are taken")
    return buffer.getvalue()


def decode(data: bytes) -> object:
    """What `encode` was given; lists stay lists, tensors become tensors.

    Raises:
        NotPlain: the bytes are nothing that `encode` has written.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            if sum(part.file_size for part in file.zip.infolist()) > LIMIT:  # a few bytes may unpack to much
                raise NotPlain("not an answer: too much data")
            return _from_json(json.loads(file["json"].tobytes()), file)
    except (ValueError, KeyError, OSError, TypeError, EOFError, BadZipFile) as error:
        raise NotPlain(f"not an answer: {error}") from None


def brief(value: object) -> str:
    """Plain data in one short line: three digits of a number, sorted letters, the shape of an array."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return f"an array {tuple(value.shape)}"
    if isinstance(value, bool) or not isinstance(value, (float, str)):
        return repr(value)[:60].replace("\n", " ")
    if isinstance(value, float):
        return f"{value:.3g}"
    letters = value if not value.isupper() or len(set(value)) < len(value) else "".join(sorted(value))
    return repr(letters)[:60]


def _to_json(value: object, arrays: dict[str, np.ndarray]) -> object:
    kind = type(value)  # not isinstance: a subclass may behave otherwise
    if value is None or kind in (bool, int, float, str):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return value.item()
    if kind in (list, tuple):
        return {kind.__name__: [_to_json(part, arrays) for part in value]}
    if kind is dict and all(type(key) is str for key in value):
        return {"dict": {key: _to_json(part, arrays) for key, part in value.items()}}
    if kind is Ref:
        return {"ref": value.path}
    if kind in (np.ndarray, torch.Tensor, torch.nn.Parameter):
        array = value if kind is np.ndarray else value.detach().cpu().numpy()
        if array.dtype.kind in "biuf":
            name = f"a{len(arrays)}"
            arrays[name] = array
            return {"array" if kind is np.ndarray else "tensor": name}
    raise NotPlain(f"a {kind.__name__} is no plain value")


def _from_json(tree: object, file) -> object:
    if not isinstance(tree, dict):
        return tree
    ((kind, value),) = tree.items()
    if kind == "list":
        return [_from_json(part, file) for part in value]
    if kind == "tuple":
        return tuple(_from_json(part, file) for part in value)
    if kind == "dict":
        return {key: _from_json(part, file) for key, part in value.items()}
    if kind == "ref":
        return Ref(value)
    array = file[value]
    return torch.from_numpy(array) if kind == "tensor" else array


# --- a student's function, called from the teacher's process ------------------------------------------------


def save_answer(value: object, path: str) -> str:
    """In the student's process: write an answer to a file. Returns "plain", "function" or what is wrong."""
    if value is None or value is ...:
        return "missing"
    if isinstance(value, Callable):
        return "function"
    try:
        Path(path).write_bytes(encode(value))
    except NotPlain as problem:
        return str(problem)
    return "plain"


def serve(names: dict[str, object], path: str) -> None:
    """In the student's process: answer calls at a socket until the other side hangs up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen(1)
        connection, _ = server.accept()
        with connection, contextlib.suppress(EOFError, ConnectionError):
            while True:
                name, arguments = decode(_receive(connection))
                try:
                    result = names[name](*[_resolve(argument, names) for argument in arguments])
                    reply = encode({"value": result})
                except Exception as error:
                    reply = encode({"error": f"{type(error).__name__}: {error}"[:500]})
                _send(connection, reply)


class Student:
    """In the teacher's process: the other end of `serve`. `student.function("name")` gives a proxy.

    `names` are the teacher's variables: one of them that is no plain value, such as a model, is sent as its
    name, and the student's side takes its own. `pid` is the student's process, which
    may take `seconds` of processor time for one call.
    """

    def __init__(self, path: str, names: dict[str, object], pid: int, seconds: float):
        self.names, self.pid, self.seconds = names, pid, seconds
        self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.connection.settimeout(0.5)
        self.connection.connect(path)

    def function(self, name: str) -> Callable:
        """A function that is computed in the student's process.

        It raises RuntimeError with the student's own error, and when there is no answer in time.
        """

        def call(*arguments):
            over = Watch(self.pid, self.seconds).over
            try:
                _send(self.connection, encode([name, [_refer(a, self.names) for a in arguments]]), over)
                reply = decode(_receive(self.connection, over))
            except (OSError, EOFError) as error:
                self.connection.close()  # a late reply must not become the answer to the next call
                raise RuntimeError(f"{name} gave no answer: {error or 'its process has ended'}") from None
            if not isinstance(reply, dict) or set(reply) not in ({"value"}, {"error"}):
                raise RuntimeError(f"{name} gave no answer")
            if "error" in reply:
                raise RuntimeError(f"{name} raised {reply['error']}")
            return reply["value"]

        call.__name__ = name
        return call


def _refer(argument: object, names: dict[str, object]) -> object:
    if type(argument) in (str, int, float, bool, tuple, list, np.ndarray, torch.Tensor):
        return argument
    return next((Ref(name) for name, value in names.items() if value is argument), argument)


def _resolve(argument: object, names: dict[str, object]) -> object:
    if not isinstance(argument, Ref):
        return argument
    first, *rest = argument.path.split(".")
    value = names[first]
    for part in rest:
        value = getattr(value, part)
    return value


def _never() -> str:
    return ""


def _send(connection: socket.socket, data: bytes, over: Callable[[], str] = _never) -> None:
    rest = memoryview(len(data).to_bytes(8, "big") + data)
    while rest:
        rest = rest[_patiently(connection.send, rest, over) :]


def _receive(connection: socket.socket, over: Callable[[], str] = _never) -> bytes:
    size = int.from_bytes(_exactly(connection, 8, over), "big")
    if size > LIMIT:
        raise EOFError(f"a message of {size / 2**20:.0f} MB")
    return _exactly(connection, size, over)


def _exactly(connection: socket.socket, size: int, over: Callable[[], str]) -> bytes:
    parts = []
    while size:
        part = _patiently(connection.recv, min(size, 2**20), over)
        if not part:
            raise EOFError("its process has ended")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _patiently(act: Callable, argument: object, over: Callable[[], str]) -> object:
    """What a socket's `act` gives, tried until `over` says why not."""
    while not (why := over()):
        with contextlib.suppress(TimeoutError):
            return act(argument)
    raise EOFError(why)
