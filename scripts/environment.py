"""Build the environment `.venv` from requirements.lock, or find that it is there; start what was asked for.

    python3 scripts/environment.py             build .venv when it is missing or out of date
    python3 scripts/environment.py lab         and open the learner's copies of the lessons in JupyterLab
    python3 scripts/environment.py site        and add what slides and the site are made with
    python3 scripts/environment.py teach       and add nbgrader
    python3 scripts/environment.py hub         and add nbgrader and JupyterHub
    python3 scripts/environment.py lab here    open them with this Python (conda), and build nothing

Standard library only, and no syntax newer than Python 3.4: an old interpreter must be able to say that it is
too old. When the environment is up to date, nothing here touches the network.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import workbook

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
LOCK = os.path.join(ROOT, "requirements.lock")
GROUPS = {
    "site": "slides and the site: about 100 MB",
    "teach": "homework: about 50 MB",
    "hub": "homework on a JupyterHub: about 80 MB",
}
STAMP = os.path.join(VENV, "course.stamp")
NOTEBOOKS = os.path.join(ROOT, "notebooks")
WORKBOOK = os.path.join(ROOT, "workbook")
CONTENTS = "/lab/tree/00_contents.ipynb"
SETTINGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lab_settings")

OLDEST, NEWEST = (3, 11), (3, 13)
DISK_BYTES = 8 * 10**9
FORGOTTEN = 3600  # seconds until the kernel of a closed page is ended
# What tells nothing about computing. The server's own list lacks the subshells: JupyterLab closes one when a
# page with controls begins to compute, and the server would then take the kernel for idle.
_ASKED = "comm_info kernel_info shutdown interrupt debug create_subshell delete_subshell list_subshell input"
NOT_COMPUTING = [name + end for name in _ASKED.split() for end in ("_request", "_reply")]
NOT_COMPUTING += "stream display_data update_display_data execute_input execute_result error".split()
NOT_COMPUTING += "status clear_output debug_event".split()
NEWS = "@jupyterlab/apputils-extension:announcements"  # asks about news, and fetches them
CHECK_PYTHON = "import sys; print('%d.%d' % sys.version_info[:2])"
CHECK_VENV = "import venv, ensurepip"
MATPLOTLIB_FONTS = "import matplotlib.font_manager"  # lists the fonts once, so that no lesson has to


class Problem(Exception):
    """Something the user has to settle, in one line."""


def main(arguments):
    try:
        if arguments not in ([], ["lab"], ["lab", "here"], ["site"], ["teach"], ["hub"]):
            known = ["lab", "here"] + sorted(GROUPS)
            unknown = [word for word in arguments if word not in known] or arguments
            raise Problem(
                "unknown argument %s: leave it out, or say `lab`, `site`, `teach` or `hub`" % unknown[0]
            )
        python = sys.executable if "here" in arguments else ensure_environment()
        if arguments and arguments[0] in GROUPS:
            ensure_group(python, arguments[0])
        elif arguments:
            return open_lab(python)
    except Problem as problem:
        print("error: %s" % problem, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print("error: this command failed: %s" % " ".join(map(str, error.cmd)), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def ensure_environment():
    """Build .venv unless its stamp says that it was built from this lock; returns its Python."""
    python = venv_python()
    stamp = (read(STAMP) or "").split()
    if os.path.exists(python) and stamp == fingerprints():
        return python
    uv = shutil.which("uv")
    if os.path.exists(python) and stamp[:1] == fingerprints()[:1]:  # only pyproject.toml has changed
        install_package(python, uv)
        return python
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        raise Problem("PyTorch has no current build for Intel Macs; README.md says what works instead")
    base = find_python()
    check_disk()
    if not uv and run_quietly([base, "-c", CHECK_VENV]) is None:
        raise Problem("%s has no venv module; on Debian or Ubuntu: sudo apt install python3-venv" % base)

    start = time.time()
    say(
        "building .venv with %s: about 6 GB, one to two minutes with uv, three to ten minutes with pip"
        % (uv or "pip")
    )
    shutil.rmtree(VENV, ignore_errors=True)  # a half-built one is not repaired
    call([uv, "venv", "--quiet", "--python", base, VENV] if uv else [base, "-m", "venv", VENV])
    call(installer(python, uv) + ["--require-hashes", "-r", LOCK])
    run_quietly([python, "-m", "jupyter", "labextension", "disable", NEWS])
    call([python, "-c", MATPLOTLIB_FONTS])
    install_package(python, uv)
    say("done in %d s" % (time.time() - start))
    return python


def ensure_group(python, name):
    """Add the packages of a group of pyproject.toml, unless they were added from its lock."""
    lock, stamp = os.path.join(ROOT, "requirements-%s.lock" % name), os.path.join(VENV, "%s.stamp" % name)
    wanted = fingerprint(lock)
    if read(stamp) == wanted:
        return
    say("adding the packages for %s" % GROUPS[name])
    call(installer(python, shutil.which("uv")) + ["--require-hashes", "-r", lock])
    with open(stamp, "w") as file:
        file.write(wanted)


def install_package(python, uv):
    """Make course_utils importable. The stamp comes last, so that only a whole environment has one."""
    call(installer(python, uv) + ["--no-deps", "--no-build-isolation", "-e", ROOT])
    with open(STAMP, "w") as stamp:
        stamp.write("\n".join(fingerprints()))


def installer(python, uv):
    if uv:  # pip compiles by itself; without it a kernel's first imports take twice as long
        return [uv, "pip", "install", "--compile-bytecode", "--python", python]
    return [python, "-m", "pip", "install", "--disable-pip-version-check"]


def open_lab(python):
    """JupyterLab on the learner's copies of the lessons. Ends when the user ends it."""
    try:
        for line in workbook.update(NOTEBOOKS, WORKBOOK):
            say(line)
    except OSError as error:
        raise Problem("cannot write to the folder workbook: %s" % error)
    say("opening the lessons in a browser; to end, press Control-C here twice")
    return subprocess.call(lab_command(python), cwd=WORKBOOK, env=dict(private_folders(), **environment()))


def lab_command(python):
    """What starts JupyterLab on the folder in which it is run."""
    command = [python, "-m", "jupyter", "lab", "--ServerApp.log_level=WARN"]
    command += ["--LabApp.log_level=WARN"]
    command += ["--LabApp.extension_manager=readonly"]  # the other one asks a package index
    command += ["--LabApp.app_settings_dir=%s" % SETTINGS]
    command += ["--ServerApp.use_redirect_file=False"]  # which some packaged browsers may not read
    # a kernel holds one to two gigabytes: it ends when its page is closed and nothing has computed so long
    command += ["--MappingKernelManager.cull_idle_timeout=%d" % FORGOTTEN]
    command += ["--MappingKernelManager.untracked_message_types=%s" % name for name in NOT_COMPUTING]
    command += ["--MappingKernelManager.cull_connected=False", "--MappingKernelManager.cull_busy=False"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--allow-root"]  # in a container
    command += ["--LabApp.default_url=%s" % CONTENTS]
    return command


def private_folders():
    """Where Jupyter, IPython and matplotlib may write when the user's own folder is not writable."""
    try:
        with tempfile.TemporaryFile(dir=os.path.expanduser("~")):
            return {}
    except OSError:
        say("your home folder is not writable: settings go to workbook/.jupyter")
    names = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR"]
    names += ["XDG_CACHE_HOME"]
    folders = {name: os.path.join(WORKBOOK, ".jupyter", name.lower()) for name in names}
    for folder in folders.values():
        os.makedirs(folder, exist_ok=True)
    return folders


def find_python():
    """A Python that the course runs on: this one, one on the PATH, or one that uv has installed."""
    found = []
    names = [sys.executable] + ["python3.%d" % minor for minor in (12, 13, 11)] + ["python3", "python"]
    for name in names:
        path = shutil.which(name) if name else None
        version = run_quietly([path, "-c", CHECK_PYTHON]) if path else None
        if version and fits(version):
            return path
        if version and version not in found:
            found.append(version)
    uv = shutil.which("uv")
    if uv:
        path = run_quietly([uv, "python", "find", "--offline", "--no-project", ">=%d.%d,<%d.%d" % limits()])
        if path:
            return path
    raise Problem(
        "Python %d.%d to %d.%d is needed, found %s: install one, or use conda (environment.yml)"
        % (OLDEST + NEWEST + (" and ".join(found) or "none",))
    )


def fits(version):
    return OLDEST <= tuple(int(part) for part in version.split(".")) <= NEWEST


def limits():
    return OLDEST + (NEWEST[0], NEWEST[1] + 1)


def check_disk():
    free = shutil.disk_usage(ROOT).free
    if os.path.isdir(VENV):
        return  # its space will be used again
    if free < DISK_BYTES:
        need = DISK_BYTES / 1e9
        raise Problem("%.0f GB of free disk are needed for .venv, there are %.1f GB" % (need, free / 1e9))


def venv_python():
    windows = os.name == "nt"
    return os.path.join(VENV, "Scripts" if windows else "bin", "python.exe" if windows else "python")


def fingerprints():
    """Of the lock and the folder (scripts in .venv hold its path), and of the package's description."""
    return [fingerprint(LOCK), fingerprint(os.path.join(ROOT, "pyproject.toml"))]


def fingerprint(path):
    with open(path, "rb") as file:
        text = file.read().replace(b"\r\n", b"\n")
    return hashlib.sha256(ROOT.encode("utf-8") + text).hexdigest()


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


def run_quietly(command):
    """A command's output, or None when it fails."""
    try:
        output = subprocess.check_output(command, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return None
    return output.decode("utf-8", "replace").strip()


def call(command):
    subprocess.check_call(command, cwd=ROOT, env=environment())


def environment():
    """The user's environment without what would send packages or imports elsewhere."""
    elsewhere = ["PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"]
    elsewhere += ["PIP_" + name for name in ("TARGET", "PREFIX", "ROOT", "DRY_RUN", "PYTHON")]
    kept = {key: value for key, value in os.environ.items() if key not in elsewhere}
    kept["PIP_USER"] = "0"  # stronger than `user = yes` in pip's own settings
    return kept


def say(text):
    print("course: %s" % text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
