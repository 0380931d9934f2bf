"""Two ways to run the claims: `make claims`, whole and with a report, or a smoke test of one seed."""

from pathlib import Path

import pytest

_rows: list[tuple] = []


def pytest_addoption(parser):
    parser.addoption(
        "--claims", type=Path, help="measure every claim on all its seeds, and write this report"
    )


@pytest.fixture
def whole_run(request) -> bool:
    return request.config.getoption("--claims", default=None) is not None


def pytest_collection_modifyitems(config, items):
    """In a smoke test only the first claim of each file runs."""
    if config.getoption("--claims", default=None) is not None:
        return
    seen, kept, dropped = set(), [], []
    for item in items:
        is_claim = Path(item.path).parent == Path(__file__).parent
        (dropped if is_claim and item.path in seen else kept).append(item)
        if is_claim:
            seen.add(item.path)
    items[:] = kept
    config.hook.pytest_deselected(items=dropped)


def pytest_runtest_logreport(report):
    row = dict(report.user_properties).get("claim")
    if report.when == "call" and row:
        _rows.append((Path(report.nodeid.split("::")[0]).stem.removeprefix("test_"), *row))


def pytest_sessionfinish(session):
    path = session.config.getoption("--claims", default=None)
    if path is None or not _rows or hasattr(session.config, "workerinput"):
        return
    lines = [
        "| lesson | claim | the lesson shows | fresh material, one number a seed | verdict |",
        "|---|---|---|---|---|",
    ]
    for lesson, where, sentence, shown, fresh, true in sorted(_rows):
        cells = (f"{lesson} {where}", sentence, shown, fresh, "holds" if true else "**does not hold**")
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        "\n".join(["# Claims of the lessons, measured on fresh material", "", *lines, ""]), encoding="utf-8"
    )
