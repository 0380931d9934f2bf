"""Each deck and each page of the site in a browser: nothing overflows, nothing is fetched, all can be read.

Runs where chromium and the packages of `make site` are installed.
"""

import importlib.util
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab_server import CHROMIUM

from course_utils.authoring.slides import DECKS

NEEDED = ("sphinx", "myst_nb", "sphinx_revealjs", "axe_playwright_python")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or not all(importlib.util.find_spec(name) for name in NEEDED),
    reason="chromium, or what `make site` installs, is missing",
)
OVERFLOWS = """() => {
  const slide = Reveal.getCurrentSlide().querySelector('.slide');
  const found = slide.scrollHeight > slide.clientHeight + 1 ? ['too high: ' + slide.scrollHeight] : [];
  for (const part of slide.querySelectorAll('*')) {
    const box = part.getBoundingClientRect();
    if (box.width && (box.bottom > innerHeight + 1 || box.right > innerWidth + 1)) found.push(part.tagName);
  }
  for (const figure of slide.querySelectorAll('.figure'))
    if (figure.clientHeight < 200) found.push('small figure');
  return found;
}"""
NO_IMAGE_TEXT = "() => [...document.images].filter(image => !image.alt).map(image => image.src.slice(0, 80))"


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    from course_utils.authoring.slides import build_slides

    folder = tmp_path_factory.mktemp("slides")
    build_slides(target=folder)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    from course_utils.authoring.site import build_site

    return build_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def page(browser):
    """A page that collects what it should not do: ask another host, or write an error."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.faults = []
    page.on("request", lambda asked: re.match("https?:", asked.url) and page.faults.append(asked.url))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    yield page
    page.close()


def pages_of(site):
    """The pages that we wrote; not the theme's own and the indices."""
    theirs = ("_", "genindex", "py-modindex", "search")
    return [
        file for file in sorted(site.rglob("*.html")) if not str(file.relative_to(site)).startswith(theirs)
    ]


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", sorted(path.stem for path in DECKS.glob("*.md")))
def test_a_deck_fits_the_screen(page, slides, name, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto((slides / f"{name}.html").as_uri())
    page.wait_for_selector("body[data-ready=yes]")
    assert page.locator("mjx-merror").count() == 0
    wrong = {}
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(f"Reveal.slide({number}, 0, 99)")
        if found := page.evaluate(OVERFLOWS):
            wrong[number + 1] = found
    assert wrong == {}
    assert page.evaluate(NO_IMAGE_TEXT) == []
    assert page.faults == []


def test_a_deck_prints_a_page_for_each_slide(slides):
    from course_utils.authoring.slides.pdf import print_decks

    deck = slides / "04_grad_cam.html"
    with ThreadPoolExecutor(1) as another_thread:  # where no browser has been started
        (printed,) = another_thread.submit(print_decks, [deck]).result()
    content = printed.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= deck.read_text("utf-8").count("<section")


def test_without_a_browser_the_error_says_what_to_install(monkeypatch):
    from course_utils.authoring.slides import pdf

    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(pdf.NoBrowser, match="install Chromium"):
        pdf.print_decks([])


def test_the_sites_links_lead_somewhere(site):
    missing = set()
    for file in pages_of(site):
        for target in re.findall(r'href="([^"#?]+)[#"?]', file.read_text("utf-8")):
            if not re.match(r"\w+:|//", target) and not (file.parent / target).exists():
                missing.add(f"{file.relative_to(site)}: {target}")
    assert missing == set()


def test_every_page_loads_alone_and_can_be_read(page, site):
    from axe_playwright_python.sync_playwright import Axe

    wrong = {}
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
