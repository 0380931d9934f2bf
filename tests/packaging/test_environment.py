"""The script behind `make lab`: what it builds, when it does not, and its one-line errors."""

import ast
import subprocess
import sys
from pathlib import Path

import environment
import pytest
import workbook


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder like the repository, and a record of the commands that would have been run in it."""
    (tmp_path / "requirements.lock").write_text("numpy==2.0\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    monkeypatch.setattr(environment, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(environment, "LOCK", str(tmp_path / "requirements.lock"))
    monkeypatch.setattr(environment, "STAMP", str(tmp_path / ".venv" / "course.stamp"))
    (tmp_path / "requirements-site.lock").write_text("sphinx==9.0\n")
    commands = []

    def call(command):
        commands.append(" ".join(map(str, command)))
        if "venv" in command:
            python = Path(environment.venv_python())
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setattr(environment, "call", call)
    monkeypatch.setattr(environment, "find_python", lambda: "python3.12")
    monkeypatch.setattr(environment, "run_quietly", lambda command: "")
    monkeypatch.setattr(environment, "check_disk", lambda: None)
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    return tmp_path, commands


def test_pip_builds_it_once(place, capsys):
    _, commands = place
    environment.ensure_environment()
    assert commands[0].startswith("python3.12 -m venv")
    assert "-m pip install" in commands[1]
    assert "--require-hashes -r" in commands[1]
    assert "--no-deps --no-build-isolation -e" in commands[-1]
    assert "6 GB" in capsys.readouterr().out
    built = len(commands)
    environment.ensure_environment()
    assert len(commands) == built


def test_uv_is_used_where_it_is(place, monkeypatch):
    monkeypatch.setattr(environment.shutil, "which", lambda name: "/bin/uv" if name == "uv" else None)
    environment.ensure_environment()
    assert place[1][0].startswith("/bin/uv venv")
    assert place[1][1].startswith("/bin/uv pip install --compile-bytecode --python")


def test_a_changed_lock_builds_it_again_and_a_changed_pyproject_only_the_package(place):
    folder, commands = place
    environment.ensure_environment()
    commands.clear()
    (folder / "pyproject.toml").write_text("[project]\nname='x'\n")
    environment.ensure_environment()
    assert len(commands) == 1
    assert "-e" in commands[0]
    commands.clear()
    (folder / "requirements.lock").write_text("numpy==2.1\n")
    environment.ensure_environment()
    assert "venv" in commands[0]


def test_what_a_group_needs_is_added_once_for_each_lock(place):
    folder, commands = place
    python = environment.ensure_environment()
    commands.clear()
    environment.ensure_group(python, "site")
    environment.ensure_group(python, "site")
    assert len(commands) == 1
    assert commands[0].endswith(f"--require-hashes -r {folder / 'requirements-site.lock'}")
    (folder / "requirements-site.lock").write_text("sphinx==9.1\n")
    environment.ensure_group(python, "site")
    assert len(commands) == 2


def test_line_ends_do_not_count(place):
    folder, commands = place
    environment.ensure_environment()
    commands.clear()
    (folder / "requirements.lock").write_bytes(b"numpy==2.0\r\n")
    environment.ensure_environment()
    assert commands == []


def test_a_half_built_one_is_built_again(place, monkeypatch):
    _, commands = place
    good = environment.call

    def fails(command):
        if "-r" in command:
            raise subprocess.CalledProcessError(1, command)
        good(command)

    monkeypatch.setattr(environment, "call", fails)
    with pytest.raises(subprocess.CalledProcessError):
        environment.ensure_environment()
    monkeypatch.setattr(environment, "call", good)
    commands.clear()
    environment.ensure_environment()
    assert "venv" in commands[0]


def one_line(capsys) -> str:
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_a_missing_venv_module_is_one_line(place, monkeypatch, capsys):
    monkeypatch.setattr(environment, "run_quietly", lambda command: None)
    assert environment.main([]) == 1
    assert "apt install python3-venv" in one_line(capsys)


def test_a_failing_command_is_one_line(place, monkeypatch, capsys):
    def fails(command):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(environment, "call", fails)
    assert environment.main([]) == 1
    assert "this command failed: python3.12 -m venv" in one_line(capsys)


def test_an_intel_mac_is_one_line(place, monkeypatch, capsys):
    monkeypatch.setattr(environment.sys, "platform", "darwin")
    monkeypatch.setattr(environment.platform, "machine", lambda: "x86_64")
    assert environment.main([]) == 1
    assert "Intel Macs" in one_line(capsys)


def test_an_old_python_is_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(environment, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(environment, "STAMP", str(tmp_path / ".venv" / "stamp"))
    monkeypatch.setattr(
        environment.shutil, "which", lambda name: "/bin/python3" if name == "python3" else None
    )
    monkeypatch.setattr(environment, "run_quietly", lambda command: "3.8")
    assert environment.main([]) == 1
    assert "Python 3.11 to 3.13 is needed, found 3.8" in one_line(capsys)


def test_a_full_disk_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(environment, "DISK_BYTES", 10**18)
    with pytest.raises(environment.Problem, match="GB of free disk are needed"):
        environment.check_disk()


def test_an_unknown_word_is_one_line(place, capsys):
    assert environment.main(["labs"]) == 1
    assert "unknown argument labs" in one_line(capsys)


@pytest.fixture
def lab(place, monkeypatch):
    """The place with one lesson in it, and what would have been started as (command, folder, variables)."""
    folder, _ = place
    monkeypatch.setattr(environment, "NOTEBOOKS", str(folder / "notebooks"))
    monkeypatch.setattr(environment, "WORKBOOK", str(folder / "workbook"))
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "00_contents.ipynb").write_text('{"cells": []}')
    started = []

    def call(command, cwd, env):
        started.append((command, cwd, env))
        return 0

    monkeypatch.setattr(environment.subprocess, "call", call)
    return folder, started


def test_lab_opens_the_table_of_lessons_in_the_learners_own_folder(lab, capsys):
    folder, started = lab
    assert environment.main(["lab"]) == 0
    ((command, cwd, _),) = started
    assert command[1:4] == ["-m", "jupyter", "lab"]
    assert command[-1].endswith("/lab/tree/00_contents.ipynb")
    assert "--ServerApp.log_level=WARN" in command
    assert cwd == str(folder / "workbook")
    assert (folder / "workbook" / "00_contents.ipynb").exists()
    assert len(capsys.readouterr().out.splitlines()) <= 4


def test_lab_ends_forgotten_kernels_and_no_other(lab):
    environment.main(["lab"])
    command = lab[1][0][0]
    assert "--MappingKernelManager.cull_idle_timeout=3600" in command
    assert "--MappingKernelManager.cull_connected=False" in command
    assert "--MappingKernelManager.cull_busy=False" in command
    assert "--MappingKernelManager.untracked_message_types=delete_subshell_request" in command


def test_what_tells_nothing_about_computing_holds_the_servers_own_list():
    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

    theirs = MappingKernelManager.untracked_message_types.default_args[0]
    assert set(theirs) <= set(environment.NOT_COMPUTING)


def test_lab_here_builds_nothing(lab, place):
    assert environment.main(["lab", "here"]) == 0
    assert place[1] == []
    assert lab[1][0][0][0] == sys.executable


def test_a_home_that_is_not_writable_is_replaced(lab, monkeypatch):
    folder, started = lab
    monkeypatch.setenv("HOME", str(folder / "nowhere"))
    monkeypatch.setenv("USERPROFILE", str(folder / "nowhere"))
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    monkeypatch.setenv("IPYTHONDIR", "chosen by the user")
    environment.main(["lab"])
    variables = started[0][2]
    inside = str(folder / "workbook" / ".jupyter")
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        assert variables[name].startswith(inside)
        assert Path(variables[name]).is_dir()
    assert variables["IPYTHONDIR"] == "chosen by the user"


def test_a_workbook_that_cannot_be_written_is_one_line(lab, capsys):
    (lab[0] / "workbook").write_text("a file in its place")
    assert environment.main(["lab"]) == 1
    assert "cannot write to the folder workbook" in one_line(capsys)


def test_this_python_fits_and_is_found():
    path = environment.find_python()
    version = subprocess.check_output([path, "-c", environment.CHECK_PYTHON], text=True).strip()
    assert environment.fits(version)


@pytest.mark.parametrize("module", [environment, workbook])
def test_an_old_python_can_read_the_script(module):
    """No syntax that an old Python 3 would stumble over before it can say that it is too old."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match)
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= {*sys.stdlib_module_names, "workbook"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


@pytest.mark.parametrize("name", ["USER", "TARGET", "PREFIX", "ROOT", "DRY_RUN", "PYTHON"])
def test_public_report_pip_settings_that_send_packages_elsewhere(name, monkeypatch):
    # virtualenv 802, pipenv 1798, asv 522, tox 3010: --user, or another folder, or nothing was installed
    monkeypatch.setenv(f"PIP_{name}", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "mine")
    kept = environment.environment()
    assert kept.get(f"PIP_{name}", "0") == "0" and kept["PIP_INDEX_URL"] == "mine"
