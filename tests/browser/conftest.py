"""`--every-lesson`: all notebooks in the browser, not only the short one of `make test`."""


def pytest_addoption(parser):
    parser.addoption("--every-lesson", action="store_true", help="try every notebook in the browser")


def pytest_generate_tests(metafunc):
    from test_lesson import FEW

    from course_utils.authoring.lesson import sources

    if "lesson_name" in metafunc.fixturenames:
        names = [path.stem for path in sources()]
        every = metafunc.config.getoption("--every-lesson", default=False)
        metafunc.parametrize("lesson_name", names if every else [name for name in names if name in FEW])
