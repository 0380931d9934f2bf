"""Start a kernel that can do little harm: `python sandbox.py SCRATCH GIGABYTES SECONDS KERNEL-ARGUMENTS…`.

Limits of memory, processor time and file size hold on Linux and Mac. No network, no other process that can be
reached, no file outside the scratch folder that can be written, none of the teacher's that can be read: on
Linux, where the system lets an ordinary user do so. `missing()` says which of these a system does not have.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
from pathlib import Path

FILE_BYTES = 100 * 2**20
NEW_USER, NEW_PROCESSES, NEW_NET = 0x10000000, 0x20000000, 0x40000000  # linux/sched.h
DIE_WITH_PARENT, KILL = 1, 9  # prctl
CREATE, ADD_RULE, RESTRICT = 444, 445, 446  # Landlock's system calls, the same on every processor
NO_NEW_PRIVILEGES = 38  # prctl
READ = 0b1101  # Landlock: execute, read a file, read a folder
OF_A_FILE = 0b100000000000111  # what makes sense for a single file


def limit(gigabytes: float, seconds: int) -> None:
    """Limits of memory (address space), processor time and the size of a file."""
    import resource

    for what, value in (
        (resource.RLIMIT_AS, int(gigabytes * 2**30)),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # a lower limit holds already
            resource.setrlimit(what, (value, value))


def die_with(parent: int) -> None:
    """End when the process `parent` ends, or now if it has: a grader that was killed leaves no kernel behind.

    Linux only, and of no effect on the processes that this one forks.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, KILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before it could be asked
        os._exit(1)


def leave() -> bool:
    """Leave the network, the other processes and all privileges. False where the system does not allow it.

    The calling process only waits then: what follows runs in a child, which ends with it.
    """
    parent = os.getppid()
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(NEW_USER | NEW_PROCESSES | NEW_NET) != 0:
            return False
    except (OSError, AttributeError):
        return False
    die_with(parent)  # a new user starts without it
    reader, writer = os.pipe()
    if child := os.fork():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is meant for the child
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 255)
    os.close(writer)
    die_with(parent=0)  # 0: a parent among other processes, which may have ended
    if select.select([reader], [], [], 0)[0]:  # it has: nobody holds the pipe's other end
        os._exit(1)
    os.close(reader)
    return True


def close_folders(scratch: Path, readable: list[Path]) -> bool:
    """Only `scratch` can be written, only `readable` read. False where the system has no Landlock."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        version = libc.syscall(CREATE, None, 0, 1)
    except (OSError, AttributeError):
        return False
    if version < 1:
        return False
    rights = (1 << 13 + (version >= 2) + (version >= 3) + (version >= 5)) - 1
    handled = (ctypes.c_uint64 * 1)(rights)
    rules = libc.syscall(CREATE, handled, ctypes.sizeof(handled), 0)
    if rules < 0:
        return False
    for path, allowed in [(scratch, rights), (Path("/dev/null"), rights), *((p, READ) for p in readable)]:
        if not path.exists():
            continue
        allowed &= rights if path.is_dir() else OF_A_FILE
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        # struct landlock_path_beneath_attr is packed: 8 bytes of rights, 4 of a file descriptor
        rule = allowed.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder)
        libc.syscall(ADD_RULE, rules, 1, ctypes.create_string_buffer(rule, 12), 0)
        os.close(place)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    closed = libc.syscall(RESTRICT, rules, 0) == 0
    os.close(rules)
    return closed


def readable_folders() -> list[Path]:
    """What a kernel needs: the system, Python, its packages, and the course's package and data."""
    root = Path(__file__).resolve().parents[3]
    course = [root / "course_utils", root / "data", root / ".venv"]
    packages = [Path(entry) for entry in sys.path if entry and Path(entry).resolve() != root]
    system = ["/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/sys", "/dev", "/opt"]
    python = [sys.prefix, sys.base_prefix, sys.exec_prefix]
    return [*course, *packages, *map(Path, system), *map(Path, python)]


def missing() -> list[str]:
    """What this system does not offer, tried in a process of its own."""
    if not hasattr(os, "fork"):
        return ["limits", "no network, no other processes", "closed folders"]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        found = [] if leave() else ["no network, no other processes"]
        found += [] if close_folders(Path("/nonexistent"), [Path("/")]) else ["closed folders"]
        os.write(writer, ",".join(found).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return [name for name in text.split(",") if name]


if __name__ == "__main__":
    # a number that means nothing among its own processes
    die_with(int(os.environ.pop("JPY_PARENT_PID", os.getppid())))
    folder = Path(sys.argv[1])
    limit(float(sys.argv[2]), int(sys.argv[3]))
    leave()
    close_folders(folder, readable_folders())
    os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *sys.argv[4:]])
