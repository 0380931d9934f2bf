"""One browser for all tests; `--lessons`: which notebooks are opened in it."""

import re

import pytest
from lab_server import CHROMIUM

from course_utils.authoring.browser import FLAGS


def pytest_addoption(parser):
    parser.addoption(
        "--lessons",
        choices=("few", "cores", "all"),
        default="few",
        help="the notebooks to try in the browser: three quick ones, the cores, or all",
    )


def pytest_generate_tests(metafunc):
    from test_lesson import FEW

    from course_utils.authoring.lesson import sources

    if "lesson_name" in metafunc.fixturenames:
        names = [path.stem for path in sources()]
        cores = [name for name in names if name[2] == "_"]  # a companion is 04b_…
        which = metafunc.config.getoption("--lessons", default="few")
        metafunc.parametrize("lesson_name", {"few": FEW, "cores": cores, "all": names}[which])


@pytest.fixture(scope="session")
def browser():
    """Chromium, once for each process: Playwright cannot be started twice in one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def lone_page(browser):
    """A page that collects what it should not do: ask another host, or write an error."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.faults = []
    page.on("request", lambda asked: re.match("https?:", asked.url) and page.faults.append(asked.url))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    yield page
    page.close()
