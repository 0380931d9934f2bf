"""A lecture for each core lesson: `python -m course_utils.authoring.slides [LESSON …]`.

A deck is a text file, `notebooks/source/slides/04_grad_cam.md`. It says what stands on each slide, and takes
code, printed results and figures from the lesson's stored notebook, so that a slide never shows what the
lesson does not compute. A line `---` parts two slides. Everything on a slide is Markdown but these lines:

    figure: Six drawn horses        the lesson's figure whose description begins so
    code: keep_maps                 the function of this name, or else the one cell with this text in it
    code: keep_maps from A to B     its lines from the first with A to the next with B
    output: probability             what the one cell with this text in its code printed; also `from A to B`
    ask: Which of the two … ?       a question to the class, in a box
    pause                           what follows appears on the next key
    |||                             what follows stands in a second column
    minutes: 3                      for the plan and the presenter's timer
    class: predict by show of hands what the class does meanwhile, for the plan
    note: …                         for the presenter only
"""

from __future__ import annotations

import ast
import html
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from course_utils.authoring import lesson as lessons
from course_utils.authoring.assets import MATHJAX, REVEAL, copy_asset

HERE = Path(__file__).parent
DECKS = lessons.NOTEBOOKS / "source" / "slides"
LINE = re.compile(r"(figure|code|output|ask|minutes|class|note): *(.+)")
PART = re.compile(r"(.+?)(?: from (.+) to (.+))?")
DOCSTRING = re.compile(r'^ +""".*?"""\n', re.MULTILINE | re.DOTALL)
LECTURE = 90  # minutes


class DeckError(Exception):
    """A deck that names what its lesson does not have: "file: slide 3: what is wrong"."""


@dataclass
class Slide:
    """What stands on a slide: parts (kind, text) in order; the plan's minutes and what the class does."""

    parts: list[tuple[str, str]] = field(default_factory=list)
    minutes: float = 0.0
    activity: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        found = re.search(r"^#+ (.+)$", "\n".join(text for kind, text in self.parts if kind == "text"), re.M)
        return found[1] if found else ""


def read_deck(text: str) -> list[Slide]:
    """The slides of a deck's text.

    Raises:
        DeckError: a slide without a title or without minutes.
    """
    slides = []
    for number, block in enumerate(re.split(r"^---$", text, flags=re.M), 1):
        slide, plain = Slide(), []
        for line in [*block.strip().splitlines(), "pause"]:
            found = LINE.fullmatch(line)
            kind, value = found.groups() if found else (line.strip(), "")
            if not found and kind not in ("pause", "|||"):
                plain.append(line)
                continue
            if kind == "minutes":
                slide.minutes = float(value)
            elif kind == "class":
                slide.activity = value
            elif kind == "note":
                slide.notes.append(value)
            else:
                if "".join(plain).strip():
                    slide.parts.append(("text", "\n".join(plain)))
                plain = []
                slide.parts.append((kind, value))
        slide.parts.pop()  # the pause that ended the last text
        if not slide.title or not slide.minutes:
            raise DeckError(f"slide {number}: needs a title and a line `minutes: …`")
        slides.append(slide)
    return slides


def build_slides(names: list[str] | None = None, *, target: Path, decks: Path = DECKS) -> list[Path]:
    """Write `target/NAME.html` for some or all decks, with reveal.js and MathJax beside them.

    Raises:
        DeckError: see `read_deck`; or a deck names a figure, cell or output that its lesson does not have.
    """
    copy_asset(REVEAL, "dist", target / "reveal" / "dist")
    copy_asset(REVEAL, "plugin/notes", target / "reveal" / "notes")
    copy_asset(REVEAL, "LICENSE", target / "reveal" / "LICENSE")
    copy_asset(MATHJAX, "tex-svg.js", target / "tex-svg.js")
    style = (HERE / "slides.css").read_text("utf-8") + HtmlFormatter(style="default").get_style_defs(".code")
    (target / "slides.css").write_text(style, "utf-8")
    made, plans = [], []
    for path in sorted(decks.glob("*.md")):
        if names and path.stem not in names:
            continue
        try:
            slides = read_deck(path.read_text("utf-8"))
            notebook = nbformat.read(lessons.NOTEBOOKS / f"{path.stem}.ipynb", as_version=4)
            page = deck_page(slides, notebook)
        except DeckError as problem:
            raise DeckError(f"{path.name}: {problem}") from None
        made.append(target / f"{path.stem}.html")
        made[-1].write_text(page, "utf-8")
        plans.append(plan(slides))
    (target / "plan.md").write_text(
        "# A lecture of 90 minutes for each lesson\n\n" + "\n".join(plans), "utf-8"
    )
    return made


def deck_page(slides: list[Slide], notebook: NotebookNode) -> str:
    """The deck as one page of HTML."""
    sections = []
    for number, slide in enumerate(slides, 1):
        try:
            sections.append(_section(slide, notebook))
        except DeckError as problem:
            raise DeckError(f"slide {number}: {problem}") from None
    page = (HERE / "deck.html").read_text("utf-8")
    page = page.replace("{{title}}", html.escape(slides[0].title))
    page = page.replace("{{seconds}}", str(round(60 * sum(slide.minutes for slide in slides))))
    return page.replace("{{slides}}", "\n".join(sections))


def plan(slides: list[Slide]) -> str:
    """The table of a lecture: minute, slide, what the class does."""
    rows, minute = [], 0.0
    for number, slide in enumerate(slides, 1):
        rows.append(f"| {minute:g} | {number} | {slide.title} | {slide.activity} |")
        minute += slide.minutes
    head = f"## {slides[0].title}\n\n{len(slides)} slides, {minute:g} minutes.\n"
    return "\n".join([head, "| minute | slide | | the class |", "|---|---|---|---|", *rows, ""])


def _section(slide: Slide, notebook: NotebookNode) -> str:
    columns, hidden = [[]], False
    for kind, value in slide.parts:
        if kind == "|||":
            columns.append([])
        elif kind == "pause":
            hidden = True
        else:
            part = PARTS[kind](value, notebook)
            columns[-1].append(f'<div class="fragment {kind}">{part}</div>' if hidden else
                               f'<div class="{kind}">{part}</div>')  # fmt: skip
    title = ""
    if len(columns) > 1:  # the title stands above both
        title = columns[0].pop(0)
        body = "".join(f'<div class="column">{"".join(column)}</div>' for column in columns)
        body = f'{title}<div class="columns">{body}</div>'
    else:
        body = "".join(columns[0])
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in slide.notes)
    seconds = round(60 * slide.minutes)
    body = f'<div class="slide">{body}</div><aside class="notes">{notes}</aside>'
    return f'<section data-timing="{seconds}">{body}</section>'


MARKDOWN = MarkdownIt("commonmark").enable("table").use(
    dollarmath_plugin, renderer=lambda maths, options: html.escape(maths), double_inline=True
)  # fmt: skip
for kind, form in (("math_inline", r"\({}\)"), ("math_block", r"<p>\[{}\]</p>")):
    MARKDOWN.add_render_rule(
        kind, lambda _, tokens, i, *__, form=form: form.format(html.escape(tokens[i].content))
    )


def _text(text: str, notebook: NotebookNode) -> str:
    return MARKDOWN.render(text)


def _ask(text: str, notebook: NotebookNode) -> str:
    return MARKDOWN.renderInline(text)


def _figure(start: str, notebook: NotebookNode) -> str:
    found = [
        (kind, data, output.metadata[kind]["alt"])
        for cell in _code_cells(notebook)
        for output in cell.outputs
        for kind, data in output.get("data", {}).items()
        if output.get("metadata", {}).get(kind, {}).get("alt", "").startswith(start)
    ]
    kind, data, alt = _only(found, f"figures whose description begins with {start!r}")
    return f'<img alt="{html.escape(alt)}" src="data:{kind};base64,{"".join(data.split())}">'


def _code(text: str, notebook: NotebookNode) -> str:
    name, *part = PART.fullmatch(text).groups()
    functions = [
        ast.get_source_segment(cell.source, node)
        for cell in _code_cells(notebook)
        for node in _tree(cell.source)
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    source = functions[0] if len(functions) == 1 else _cell_with(name, notebook).source
    source = DOCSTRING.sub("", _lines(source, *part))  # the slide says what it does
    return highlight(source, PythonLexer(), HtmlFormatter(cssclass="code", wrapcode=True))


def _output(text: str, notebook: NotebookNode) -> str:
    text, *part = PART.fullmatch(text).groups()
    cell = _cell_with(text, notebook)
    printed = "".join(output.text for output in cell.outputs if output.output_type == "stream")
    if not printed:
        raise DeckError(f"the cell with {text!r} prints nothing")
    return f"<pre>{html.escape(_lines(printed.rstrip(), *part))}</pre>"


def _lines(text: str, first: str | None, last: str | None) -> str:
    """The lines from one with `first` in it to the next with `last`; all of them for None."""
    if first is None:
        return text
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if first in line), None)
    end = next((i for i, line in enumerate(lines) if start is not None and i >= start and last in line), None)
    if end is None:
        raise DeckError(f"no lines from {first!r} to {last!r}")
    return textwrap.dedent("\n".join(lines[start : end + 1]))


PARTS: dict[str, Callable[[str, NotebookNode], str]] = {
    "text": _text, "ask": _ask, "figure": _figure, "code": _code, "output": _output,
}  # fmt: skip


def _cell_with(text: str, notebook: NotebookNode) -> NotebookNode:
    return _only([c for c in _code_cells(notebook) if text in c.source], f"cells with {text!r} in their code")


def _code_cells(notebook: NotebookNode) -> Iterator[NotebookNode]:
    return (cell for cell in notebook.cells if cell.cell_type == "code")


def _tree(source: str) -> list[ast.stmt]:
    return ast.parse(re.sub(r"^[%!].*$", "", source, flags=re.M)).body


def _only(found: list, what: str):
    if len(found) != 1:
        raise DeckError(f"the lesson has {len(found)} {what}")
    return found[0]
