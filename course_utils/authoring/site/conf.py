"""Sphinx's settings for the course's site; `site/__init__.py` copies this file beside the pages."""

project = "Explainable AI, hands on"
author = "the authors of the course"
html_title = project
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
nb_execution_mode = "off"  # the stored outputs are shown
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "image/jpeg", 1), ("html", "text/html", 2)]
myst_enable_extensions = ["dollarmath", "amsmath", "html_image"]
myst_heading_anchors = 3
mathjax_path = "tex-svg.js"
napoleon_use_ivar = True
default_role = "literal"  # docstrings write `name`
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
suppress_warnings = ["mystnb.unknown_mime_type", "config.cache"]

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_theme_options = {
    "use_download_button": True,
    "use_fullscreen_button": False,
    "show_toc_level": 1,
    "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_show_sourcelink = False


def setup(app):
    app.connect("autodoc-process-docstring", _plain_text)


def _plain_text(app, what, name, obj, options, lines):
    """Docstrings are read as text too: what reStructuredText takes for its own signs stands for itself."""
    lines[:] = [line.replace("|", r"\|").replace("*", r"\*") for line in lines]
