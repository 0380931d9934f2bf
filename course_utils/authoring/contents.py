"""The table of lessons, from the lessons' own title cells: for the first notebook and for the README.

A title cell reads `# 04 · Title`, then `**The question.** One sentence.`, and a line that begins with
`**Time**: about 75 minutes` or `**Time**: about three hours`.
"""

import re
from pathlib import Path

PLACE = "<!-- table of lessons -->"
END = "<!-- end of the table -->"
TITLE_CELL = re.compile(r"^# %% \[markdown\]\n((?:#.*\n)+)", re.MULTILINE)


def lesson_table(sources: list[Path], link_to: str = "") -> str:
    """One row a lesson, as a Markdown table; links are `link_to` + the notebook's name."""
    rows = []
    for path in sources:
        title = _title_cell(path)
        heading = re.match(r"# (\d\d) · (.+)", title)
        if not heading:  # such as the table of lessons itself
            continue
        question = re.search(r"\*\*The question\.\*\*\s*(.+?)(?:\n\n|$)", title, re.DOTALL)
        time = re.search(r"\*\*Time\*\*:\s*about ([\w½¾ ]+? (?:minutes|hours))", title)
        rows.append(
            f"| {heading[1]} | [{heading[2].strip()}]({link_to}{path.stem}.ipynb) "
            f"| {' '.join(question[1].split()) if question else ''} | {time[1] if time else ''} |"
        )
    return "\n".join(["| | lesson | the question | time |", "|---|---|---|---|", *rows])


def update_readme(readme: Path, sources: list[Path]) -> None:
    """Put the table between the two comments of a README that has them."""
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    if PLACE in text and END in text:
        before, rest = text.split(PLACE, 1)
        after = rest.split(END, 1)[1]
        table = lesson_table(sources, link_to="notebooks/")
        new = f"{before}{PLACE}\n{table}\n{END}{after}"
        if new != text:
            readme.write_text(new, encoding="utf-8", newline="\n")


def _title_cell(path: Path) -> str:
    """The first Markdown cell's text, without the comment signs."""
    found = TITLE_CELL.search(path.read_text(encoding="utf-8"))
    return re.sub(r"^# ?", "", found[1], flags=re.MULTILINE).strip() if found else ""
