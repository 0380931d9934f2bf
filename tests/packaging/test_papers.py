"""Licence, citation and the guide for authors name what is there."""

import re
import tomllib

import yaml


def test_the_licence_covers_folders_that_exist(root):
    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert "MIT License" in text and "CC BY 4.0" in text
    for folder in re.findall(r"(?<![\w/.])([a-z_]+)/[ ,.]", text):
        assert (root / folder).is_dir(), folder


def test_the_citation_has_the_package_s_version(root):
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == project["version"]
    assert project["license"] == " AND ".join(citation["license"])
    assert f"## {project['version']}" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_guide_names_targets_and_limits_that_exist(root):
    from course_utils.authoring.sitting import COMPANION, CORE

    guide = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rules = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", guide)) <= rules
    assert f"| words of prose, folded texts not counted | {CORE.words:,} | {COMPANION.words:,} |" in guide
    assert f"| {CORE.open_lines} / {CORE.open_cells} |" in guide
    assert f"| {CORE.longest} / {CORE.longest_by_hand} | {COMPANION.longest} / " in guide
    assert f"| figures | {CORE.figures} |" in guide
    for target in re.findall(r"\]\(([^)\s]+)\)", guide):
        assert (root / target).exists(), target
