"""A multiple-choice question that opens and closes without a kernel: it also works in a stored page."""

import html
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Quiz:
    """A question whose options unfold into right or wrong, and why."""

    question: str
    options: tuple[str, ...]
    correct: int
    explanations: tuple[str, ...]

    def _verdict(self, number: int) -> str:
        return "✓ Right." if number == self.correct else "✗ Not this one."

    def __repr__(self) -> str:
        letters = (f"  {chr(97 + number)}) {option}" for number, option in enumerate(self.options))
        return "\n".join([self.question, *letters])

    def _repr_html_(self) -> str:
        parts = [f"<p><strong>{html.escape(self.question, quote=False)}</strong></p>"]
        for number, (option, why) in enumerate(zip(self.options, self.explanations, strict=True)):
            answer = f"<strong>{self._verdict(number)}</strong> {html.escape(why, quote=False)}"
            title = f"{chr(97 + number)}) {html.escape(option, quote=False)}"
            parts.append(f"<details><summary>{title}</summary>\n<p>{answer}</p></details>")
        return "\n".join(parts)


def quiz(question: str, options: Sequence[str], correct: int, explanations: Sequence[str]) -> Quiz:
    """Show a multiple-choice question; end a cell with it.

    Args:
        options: the answers to choose from, at least two.
        correct: the index of the right one, from 0.
        explanations: for each option, why it is right or wrong.

    Raises:
        ValueError: not one explanation for each option, or `correct` is none of them.
    """
    if len(options) < 2 or len(options) != len(explanations):
        raise ValueError(
            f"{len(options)} options with {len(explanations)} explanations: give one for each of two or more"
        )
    if not 0 <= correct < len(options):
        raise ValueError(f"correct is {correct}, and the options are numbered 0 to {len(options) - 1}")
    return Quiz(question, tuple(options), correct, tuple(explanations))
