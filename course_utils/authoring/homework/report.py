"""How a class did, on one page for the teacher: points, each question, and frequent wrong answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from string import Template

import numpy as np

from course_utils.authoring.homework.assignment import Assignment, Question
from course_utils.authoring.homework.marks import Mark, Marks

SHOWN = 5  # wrong answers a question
ENOUGH = 10  # submissions, before a correlation says anything
KINDS = {
    "full": ("full points", "#009e73"),
    "part": ("some points", "#e69f00"),
    "none": ("no points", "#d55e00"),
    "unanswered": ("not answered", "#b5bcc2"),
    "waiting": ("to be graded", "#56b4e9"),
}
PAGE = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>$name: how the class did</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #22303c; max-width: 60em; 
  margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; width: 100%; margin: 1em 0 }
th, td { text-align: left; padding: .25em .6em; border-bottom: 1px solid #d9dde0; vertical-align: top }
td.n, th.n { text-align: right; white-space: nowrap }
code { font-size: .95em; overflow-wrap: anywhere } .look { font-weight: bold; color: #a04000 }
.key span { margin-right: 1.5em } .key i { display: inline-block;
  width: .9em; height: .9em; margin-right: .4em }
</style></head><body>
<h1>$name: how the class did</h1>
<p>$summary</p>
$histogram
<h2>Questions</h2>
<p class="key">$key</p>
<table><thead><tr><th>question</th><th>trains</th><th class="n">points, mean</th><th>students</th>
<th class="n">with the rest</th></tr></thead><tbody>
$rows
</tbody></table>
<p><b>With the rest</b> is the correlation of a question's points with the points of all other questions. It
lies between −1 and 1. Where it is near 0 or below, students who know the subject do not do better here: read
the question and its key again before you return the marks. It needs $enough submissions.</p>
<h2>Frequent wrong answers</h2>
<p>An answer is shown where it is a short value. The diagnosis is the mistake that the test has named, or the
error that it met.</p>
$wrong
</body></html>
""")


def statistics_page(assignment: Assignment, marks: Sequence[Marks]) -> str:
    """The page as HTML that needs no other file. It names no student.

    Args:
        assignment: the questions, and what each trains.
        marks: the class's; who has not handed in is counted only.
    """
    graded = [one for one in marks if one.questions]
    names = set.intersection(*(set(one.questions) for one in graded)) if graded else set()
    questions = [q for q in assignment.questions if q.name in names]
    waiting = sum(mark.to_grade for one in graded for mark in one.questions.values())
    totals = np.array([one.points for one in graded])
    summary = f"{len(graded)} graded submissions; students without one: {len(marks) - len(graded)}."
    if len(graded):
        quarters = " to ".join(f"{value:.1f}" for value in np.percentile(totals, [25, 75]))
        summary += (
            f" Points of {sum(q.points for q in questions):g}: mean {totals.mean():.1f},"
            f" median {np.median(totals):g}, the middle half {quarters}."
        )
    if waiting:
        summary += f" Texts that wait for a grader and count 0 until then: {waiting}."
    return PAGE.substitute(
        name=escape(assignment.name),
        summary=summary,
        histogram=_histogram(totals, sum(q.points for q in questions)) if len(graded) else "",
        key="".join(f'<span><i style="background:{c}"></i>{text}</span>' for text, c in KINDS.values()),
        rows="\n".join(_row(question, graded) for question in questions),
        enough=ENOUGH,
        wrong="\n".join(filter(None, (_wrong(question, graded) for question in questions))) or "<p>None.</p>",
    )


def kind_of(mark: Mark) -> str:
    """Which of `KINDS` a mark is."""
    if mark.to_grade:
        return "waiting"
    if mark.points >= mark.of:
        return "full"
    if mark.points > 0:
        return "part"
    return "none" if mark.answered else "unanswered"


def with_the_rest(question: str, marks: Sequence[Marks]) -> float:
    """Correlation of a question's points with those of all other questions; nan where it says nothing."""
    points = np.array([one.questions[question].points for one in marks])
    rest = np.array([sum(m.points for m in one.questions.values()) for one in marks]) - points
    if len(points) < ENOUGH or points.std() == 0 or rest.std() == 0:
        return float("nan")
    return float(np.corrcoef(points, rest)[0, 1])


def _row(question: Question, graded: Sequence[Marks]) -> str:
    found = [one.questions[question.name] for one in graded]
    mean = np.mean([mark.points for mark in found])
    together = with_the_rest(question.name, graded)
    shown = "" if np.isnan(together) else f"{together:+.2f}".replace("-", "−")
    look = ' class="n look"' if together < 0.1 else ' class="n"'
    return (
        f"<tr><td><code>{escape(question.name)}</code></td><td>{escape(question.trains)}</td>"
        f'<td class="n">{mean:.1f} of {question.points:g}</td>'
        f"<td>{_bar(Counter(map(kind_of, found)))}</td><td{look}>{shown}</td></tr>"
    )


def _wrong(question: Question, graded: Sequence[Marks]) -> str:
    """A table of the most frequent answers without full points; "" where there are none."""
    found = Counter()
    for one in graded:
        mark = one.questions[question.name]
        if kind_of(mark) in ("part", "none") and not question.by_hand:
            found[(mark.answer, mark.said, mark.points)] += 1
    if not found:
        return ""
    rows = [
        f'<tr><td class="n">{n}</td><td>{f"<code>{escape(answer)}</code>" if answer else "a function"}</td>'
        f'<td>{escape(said) or "not named"}</td><td class="n">{points:g} of {question.points:g}</td></tr>'
        for (answer, said, points), n in found.most_common(SHOWN)
    ]
    others = sum(found.values()) - sum(n for _, n in found.most_common(SHOWN))
    if others:
        rows.append(f'<tr><td class="n">{others}</td><td>others</td><td></td><td></td></tr>')
    return (
        f"<h3><code>{escape(question.name)}</code></h3><table><thead><tr><th class='n'>students</th>"
        "<th>answer</th><th>diagnosis</th><th class='n'>points</th></tr></thead><tbody>\n"
        + "\n".join(rows)
        + "\n</tbody></table>"
    )


def _bar(counts: Counter) -> str:
    """How many students got what, as one bar; a screen reader hears the numbers."""
    told = ", ".join(f"{counts[kind]} {text}" for kind, (text, _) in KINDS.items() if counts[kind])
    parts, left, total = [], 0.0, sum(counts.values())
    for kind, (_, colour) in KINDS.items():
        width = 240 * counts[kind] / total
        if counts[kind]:
            parts.append(f'<rect x="{left:.1f}" width="{width:.1f}" height="18" fill="{colour}"/>')
            if width > 16:
                parts.append(f'<text x="{left + 4:.1f}" y="13" font-size="11">{counts[kind]}</text>')
        left += width
    return f'<svg width="240" height="18" role="img" aria-label="{told}">{"".join(parts)}</svg>'


def _histogram(totals: np.ndarray, most: float) -> str:
    """How many students got how many points, in ten bins."""
    counts, edges = np.histogram(totals, bins=10, range=(0, most))
    parts, high = [], max(counts.max(), 1)
    for number, (count, edge) in enumerate(zip(counts, edges, strict=False)):
        x, height = 10 + 60 * number, 120 * count / high
        parts.append(
            f'<rect x="{x}" y="{140 - height:.0f}" width="56" height="{height:.0f}" fill="#0072b2"/>'
        )
        parts.append(f'<text x="{x + 28}" y="{134 - height:.0f}" text-anchor="middle">{count or ""}</text>')
        parts.append(f'<text x="{x}" y="158" text-anchor="middle">{edge:g}</text>')
    parts.append(f'<text x="610" y="158" text-anchor="middle">{most:g}</text>')
    told = "; ".join(f"{a:g} to {b:g} points: {n}" for a, b, n in zip(edges, edges[1:], counts, strict=False))
    return (
        f'<svg viewBox="0 0 640 180" role="img" aria-label="Students by points. {told}" font-size="13"'
        f' fill="#22303c">{"".join(parts)}<text x="310" y="176" text-anchor="middle">points</text></svg>'
    )
