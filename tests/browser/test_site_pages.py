"""Each page of the site in a browser: its links lead somewhere, nothing is fetched, all can be read."""

import re

import pytest
from pages import NO_IMAGE_TEXT, needs_site

pytestmark = needs_site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    from course_utils.authoring.site import build_site

    return build_site(tmp_path_factory.mktemp("site"))


def pages_of(site):
    """The pages that we wrote; not the theme's own and the indices."""
    theirs = ("_", "genindex", "py-modindex", "search")
    return [
        file for file in sorted(site.rglob("*.html")) if not str(file.relative_to(site)).startswith(theirs)
    ]


def test_the_sites_links_lead_somewhere(site):
    missing = set()
    for file in pages_of(site):
        for target in re.findall(r'href="([^"#?]+)[#"?]', file.read_text("utf-8")):
            if not re.match(r"\w+:|//", target) and not (file.parent / target).exists():
                missing.add(f"{file.relative_to(site)}: {target}")
    assert missing == set()


def test_every_page_loads_alone_and_can_be_read(lone_page, site):
    from axe_playwright_python.sync_playwright import Axe

    page, wrong = lone_page, {}
    for file in pages_of(site):
        name = str(file.relative_to(site))
        page.goto(file.as_uri())
        page.evaluate("window.MathJax?.startup?.promise")
        found = [f"no description: {image}" for image in page.evaluate(NO_IMAGE_TEXT)]
        found += [f"maths: {error}" for error in page.locator("mjx-merror").all_inner_texts()]
        seen = Axe().run(page, context="main").response
        assert len(seen["passes"]) > 10, "nothing was looked at"
        found += [
            f"{one['id']}: {one['nodes'][0]['html'][:120]}"
            for one in seen["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        if found:
            wrong[name] = found
    assert wrong == {}
    assert page.faults == []
