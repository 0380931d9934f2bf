"""What the agreement page is made of: a row, a known defect, a published error; each can be run alone."""

from collections.abc import Callable
from dataclasses import dataclass

from course_utils.judge.agreement.libraries import quiet
from course_utils.judge.agreement.table import as_array, bound, largest_share

EXACT, SAMPLED = 2e-4, 0.15  # what rows may differ by; grad-cam computes in single precision


@dataclass(frozen=True)
class Measured:
    """A row that was run: `difference` is the largest absolute one, as a share of our largest value."""

    method: str
    library: str
    difference: float
    convention: str

    def __str__(self) -> str:
        shown = bound(self.difference)
        return f"{self.method} and {self.library} ({self.convention}): largest difference {shown}"


@dataclass(frozen=True)
class Row:
    """Our method beside one library's.

    Attributes:
        method: as the page names it.
        library: which, and which of its programs where it has several.
        convention: what makes the two comparable.
        ours, theirs: functions without arguments that compute the two results, of one shape.
        of: the method's name in `judge.methods_table`; None: the same as `method`.
    """

    method: str
    library: str
    convention: str
    ours: Callable
    theirs: Callable
    of: str | None = None

    @property
    def entry(self) -> str:
        """The method's name in the table of methods."""
        return self.of or self.method

    @property
    def limit(self) -> float:
        """How large the difference may be."""
        return SAMPLED if "sampling error" in self.convention else EXACT

    def run(self) -> Measured:
        """Compute both results and compare them.

        Raises:
            ValueError: their shapes differ.
            ImportError: the library is not installed.
        """
        with quiet():
            ours, theirs = as_array(self.ours()), as_array(self.theirs())
        if ours.shape != theirs.shape:
            raise ValueError(f"{self.method}, {self.library}: {ours.shape} beside {theirs.shape}")
        return Measured(self.method, self.library, largest_share(ours, theirs), self.convention)


@dataclass(frozen=True)
class MeasuredDefect:
    """A known defect: what the library gives, and what is right. `shows`: the installed version has it."""

    library: str
    what: str
    right: float
    found: float

    @property
    def shows(self) -> bool:
        return abs(self.found - self.right) > 1e-3 * max(abs(self.right), 1)


@dataclass(frozen=True)
class Defect:
    """A defect to be measured: `find` computes what the library gives; `right` is what it should be."""

    library: str
    what: str
    right: float
    find: Callable[[], float]

    def run(self) -> MeasuredDefect:
        with quiet():
            return MeasuredDefect(self.library, self.what, self.right, float(self.find()))


@dataclass(frozen=True)
class MeasuredError:
    """A formula as courses have published it, beside the definition.

    `difference` is the largest absolute difference, as a share of the definition's largest value.
    """

    published: str
    defined: str
    difference: float


@dataclass(frozen=True)
class PublishedError:
    """A published formula to be compared with the definition: `both` gives (as defined, as published)."""

    published: str
    defined: str
    both: Callable

    def run(self) -> MeasuredError:
        return MeasuredError(self.published, self.defined, largest_share(*self.both()))
