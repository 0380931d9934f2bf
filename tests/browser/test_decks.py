"""Each deck in a browser: no slide overflows, nothing is fetched, all can be read."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from pages import NO_IMAGE_TEXT, needs_site

from course_utils.authoring.slides import DECKS

pytestmark = needs_site
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


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    from course_utils.authoring.slides import build_slides

    folder = tmp_path_factory.mktemp("slides")
    build_slides(target=folder)
    return folder


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", sorted(path.stem for path in DECKS.glob("*.md")))
def test_a_deck_fits_the_screen(lone_page, slides, name, size):
    page = lone_page
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
