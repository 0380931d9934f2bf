"""The table of lessons, from the lessons' own title cells: for the first notebook and for the README.

A title cell reads `# 04 · Title`, then `**The question.** One sentence.`; a companion's begins `# 04b · …`.
"""

import re
from pathlib import Path

PLACE = "<!-- table of lessons -->"
END = "<!-- end of the table -->"
LINKS = "---\n"  # how the cell of links at a notebook's end begins
TITLE_CELL = re.compile(r"^# %% \[markdown\]\n((?:#.*\n)+)", re.MULTILINE)


def lesson_table(sources: list[Path], link_to: str = "", pictures: str | None = None) -> str:
    """One row a core lesson, its companions beside it, in Markdown; links are `link_to` + the name.

    With `pictures`, the address of the folder of thumbnails, each row begins with the lesson's picture.
    """
    from course_utils.authoring.lesson import read_lesson  # which imports this module
    from course_utils.authoring.sitting import measure

    def link(path: Path) -> str:
        return f"[{_heading(path).split(' · ', 1)[-1]}]({link_to}{path.stem}.ipynb)"

    minutes = {path: measure(read_lesson(path)).minutes for path in sources if number_of(path)}
    rows = []
    for path in sources:
        number = number_of(path)
        if not number.isdigit():  # the table of lessons itself, or a companion
            continue
        question = re.search(r"\*\*The question\.\*\*\s*(.+?)(?:\n\n|$)", _title_cell(path), re.DOTALL)
        family = [other for other in sources if number_of(other)[:2] == number and other != path]
        more = "<br>".join(f"{number_of(other)} {link(other)} ({minutes[other]} min)" for other in family)
        picture = (
            f'<img src="{pictures}{path.stem}.jpg" width="150" alt="A figure of lesson {number}"> | '
            if pictures
            else ""
        )
        rows.append(
            f"| {picture}{number} | {link(path)} | {' '.join(question[1].split()) if question else ''} "
            f"| {minutes[path]} min | {more} |"
        )
    head = ["| | lesson | the question | time | companions |", "|---|---|---|---|---|"]
    if pictures:
        head = [f"| {head[0]}", f"|---{head[1]}"]
    return "\n".join([*head, *rows])


def number_of(path: Path) -> str:
    """ "04" of 04_grad_cam.py, "04b" of 04b_….py; empty for 00, the table of lessons itself."""
    found = re.match(r"(\d\d[a-z]?)_", path.stem)
    return found[1] if found and found[1] != "00" else ""


def links_between(path: Path, sources: list[Path]) -> str:
    """Where to go from a lesson: before, contents, glossary, its companions, next.

    A core leads to the next core, and names its companions; a companion leads back to its core.
    """

    def link(to: Path, what: str) -> str:
        return f"{what}[{_heading(to)}]({to.stem}.ipynb)"

    number = number_of(path)
    cores = [source for source in sources if number_of(source).isdigit()]
    core = next(source for source in cores if number_of(source) == number[:2])
    place = cores.index(core)
    parts = []
    if path != core:
        parts.append(link(core, "Core lesson: "))
    elif place:
        parts.append(link(cores[place - 1], "Before: "))
    parts += ["[Contents](00_contents.ipynb)", "[Glossary](glossary.md)"]
    family = [
        source for source in sources if number_of(source)[:2] == number[:2] and source not in (core, path)
    ]
    parts += [link(source, "More: ") for source in family]
    if place + 1 < len(cores):
        parts.append(link(cores[place + 1], "Next: "))
    return LINKS + " · ".join(parts)


def _heading(path: Path) -> str:
    found = re.match(r"# (.+)", _title_cell(path))
    return found[1].strip() if found else path.stem


def readme_table(sources: list[Path]) -> str:
    """The README's table: with pictures, and links from the top of the repository."""
    return lesson_table(sources, "notebooks/", "notebooks/thumbnails/")


def update_readme(readme: Path, sources: list[Path]) -> None:
    """Put the table between the two comments of a README that has them."""
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    if PLACE in text and END in text:
        before, rest = text.split(PLACE, 1)
        after = rest.split(END, 1)[1]
        table = readme_table(sources)
        new = f"{before}{PLACE}\n{table}\n{END}{after}"
        if new != text:
            readme.write_text(new, encoding="utf-8", newline="\n")


def _title_cell(path: Path) -> str:
    """The first Markdown cell's text, without the comment signs."""
    found = TITLE_CELL.search(path.read_text(encoding="utf-8"))
    return re.sub(r"^# ?", "", found[1], flags=re.MULTILINE).strip() if found else ""
