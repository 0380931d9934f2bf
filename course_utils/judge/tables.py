"""One table of texts, printed as text, HTML or Markdown."""

from __future__ import annotations

import html
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A head and rows of cells, all text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        """Columns side by side, each as wide as its widest cell."""
        cells = (self.head, *self.rows)
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.head))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        )

    def html(self) -> str:
        """For Jupyter."""
        head = _cells("th", self.head)
        body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def markdown(self) -> str:
        """With a bar around each cell; bars inside a cell are escaped."""
        lines = [_bars(self.head), "|---" * len(self.head) + "|", *(_bars(row) for row in self.rows)]
        return "\n".join(lines)


def _cells(tag: str, row: tuple[str, ...]) -> str:
    return "".join(f'<{tag} style="text-align:left">{html.escape(cell)}</{tag}>' for cell in row)


def _bars(row: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
