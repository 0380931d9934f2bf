"""One browser for all tests; `--every-lesson`: all notebooks in it, not only the three of `make test`."""

import pytest
from lab_server import CHROMIUM

from course_utils.authoring.browser import FLAGS


def pytest_addoption(parser):
    parser.addoption("--every-lesson", action="store_true", help="try every notebook in the browser")


def pytest_generate_tests(metafunc):
    from test_lesson import FEW

    from course_utils.authoring.lesson import sources

    if "lesson_name" in metafunc.fixturenames:
        names = [path.stem for path in sources()]
        every = metafunc.config.getoption("--every-lesson", default=False)
        metafunc.parametrize("lesson_name", names if every else [name for name in names if name in FEW])


@pytest.fixture(scope="session")
def browser():
    """Chromium, once for each process: Playwright cannot be started twice in one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()
