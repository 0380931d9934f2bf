"""A deck as PDF, a page for each step of each slide, printed by a browser that is installed."""

from __future__ import annotations

from pathlib import Path

from course_utils.authoring.browser import FLAGS, find_browser

PATIENCE = 120_000  # milliseconds


class NoBrowser(RuntimeError):
    """No browser that can print was found."""


def print_decks(pages: list[Path]) -> list[Path]:
    """Print each deck `NAME.html` into `NAME.pdf` beside it.

    Raises:
        NoBrowser: Chromium, Chrome or Edge is not installed, or not on the PATH.
    """
    found = find_browser()
    if found is None:
        raise NoBrowser(
            "to print the decks install Chromium or Chrome, or open them with ?print-pdf and print"
        )
    from playwright.sync_api import sync_playwright

    printed = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        for deck in pages:
            page = browser.new_page()
            page.goto(f"{deck.resolve().as_uri()}?print-pdf")
            page.wait_for_selector("body[data-ready=yes]", timeout=PATIENCE)
            page.pdf(path=deck.with_suffix(".pdf"), prefer_css_page_size=True, print_background=True)
            page.close()
            printed.append(deck.with_suffix(".pdf"))
        browser.close()
    return printed
