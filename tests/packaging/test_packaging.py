"""The lock, the conda environment, the Makefile and the README say the same as pyproject.toml."""

import os
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from course_utils.authoring import lesson as lessons
from course_utils.authoring.contents import readme_table

TEXT_FILES = (".py", ".md", ".toml", ".lock", ".yml", ".cfg", ".ipynb", ".json", ".sh")
BY_NAME = ("Makefile", "postBuild", "run")
# written in two parts, so that this file does not name them either
REGISTRIES = [
    "pypi" + r"\.(org|python)",
    "files" + r"\.pythonhosted",
    "npmjs" + r"\.(org|com)",
    "anaconda" + r"\.(org|com)",
    "download" + r"\.pytorch",
    "--(extra-)?index" + "-url",
    "--find" + "-links",
]


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def locked(root) -> list[Requirement]:
    text = (root / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    return [Requirement(line.split(" --hash")[0]) for line in text.splitlines() if line.strip()]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


PLATFORMS = {
    "linux": {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": "x86_64",
    },
    "windows": {
        "sys_platform": "win32",
        "platform_system": "Windows",
        "os_name": "nt",
        "platform_machine": "AMD64",
    },
    "mac": {
        "sys_platform": "darwin",
        "platform_system": "Darwin",
        "os_name": "posix",
        "platform_machine": "arm64",
    },
}


@pytest.mark.parametrize("minor", [11, 12, 13])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_lock_has_every_dependency_in_a_fitting_version(project, locked, platform, minor):
    here = {**default_environment(), **PLATFORMS[platform], "python_version": f"3.{minor}"}
    here["python_full_version"] = f"3.{minor}.1"
    pins = {plain(pin.name): pin for pin in locked if pin.marker is None or pin.marker.evaluate(here)}
    for text in project["dependencies"]:
        wanted = Requirement(text)
        assert plain(wanted.name) in pins, f"{wanted.name} is not in the lock: make lock"
        (version,) = pins[plain(wanted.name)].specifier
        assert version.operator == "=="
        assert wanted.specifier.contains(version.version, prereleases=True), (
            f"{text}, locked {version}: make lock"
        )


def test_every_locked_package_has_hashes(root):
    text = (root / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) > 100
    for line in lines:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line[:80]


def test_environment_yml_is_python_pip_and_the_lock(root, project):
    environment = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))
    python, pip, packages = environment["dependencies"]
    assert SpecifierSet(project["requires-python"]).contains(python.removeprefix("python=") + ".0")
    assert pip == "pip"
    assert packages == {"pip": ["-r requirements.lock"]}
    assert environment["name"] in (root / "README.md").read_text(encoding="utf-8")


def test_no_package_index_is_named_anywhere(root):
    """Every learner installs from the index that their own client knows."""
    skipped = {".git", ".venv", "build", "__pycache__", ".ruff_cache", ".pytest_cache", "workbook"}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in skipped and not name.endswith(".egg-info")]
        for name in files:
            if name.endswith(TEXT_FILES) or name in BY_NAME:
                text = open(os.path.join(folder, name), encoding="utf-8", errors="replace").read()
                found = re.search("|".join(REGISTRIES), text)
                assert not found, f"{os.path.join(folder, name)} names {found[0]}"
    assert not [root / name for name in ("uv.lock", "pylock.toml") if (root / name).exists()]


def test_python_versions_agree(root, project):
    import environment

    wanted = SpecifierSet(project["requires-python"])
    for minor in range(9, 17):
        assert environment.fits(f"3.{minor}") == wanted.contains(f"3.{minor}.0")


class TestReadme:
    def test_the_two_commands_are_at_the_top(self, root):
        top = (root / "README.md").read_text(encoding="utf-8").splitlines()[:20]
        assert any(line.startswith("make lab") for line in top)
        assert any(line.startswith("make test") for line in top)

    def test_the_table_of_lessons_is_up_to_date(self, root):
        table = readme_table(lessons.sources())
        assert table in (root / "README.md").read_text(encoding="utf-8"), "make lessons LESSON=00_contents"

    def test_its_links_lead_somewhere(self, root):
        for target in re.findall(r"\]\(([^)\s]+)\)", (root / "README.md").read_text(encoding="utf-8")):
            if not re.match(r"https?://|#", target):
                assert (root / target.split("#")[0]).exists(), target

    def test_every_make_target_it_names_exists(self, root):
        rules = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        readme = (root / "README.md").read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", readme, re.MULTILINE))
        assert {"lab", "test", "lessons", "solutions", "bench", "slides", "site", "lock", "lint"} <= rules
        assert {"lab", "test"} <= named <= rules


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize(
    "target", ["lab", "test", "lessons", "solutions", "bench", "slides", "site", "lock", "lint"]
)
def test_make_knows_its_targets(root, target):
    shown = subprocess.run(
        ["make", "-n", target], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    assert "environment.py" in shown or target == "lock"


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize("script", [".ci/run", "postBuild"])
def test_scripts_are_bash_and_stop_at_errors(root, script):
    subprocess.run(["bash", "-n", root / script], check=True)
    assert "set -euo pipefail" in (root / script).read_text(encoding="utf-8")
    if os.name == "posix":
        assert os.access(root / script, os.X_OK)
