"""Our results beside the libraries': the table of a lesson, and every method of the course on one page.

judge.agreement_table(rows)                     # a lesson's own comparison
agreement.run("Grad-CAM", "captum")             # one row of the page, measured now
agreement.page()                                # all of them, and the known defects and published errors
python -m course_utils.judge.agreement page.md  # the same from a terminal
"""

from course_utils.judge.agreement.table import Agreement, agreement_table, bound

__all__ = ["Agreement", "agreement_table", "bound", "page", "rows", "run", "versions"]


def rows(method=None, library=None):
    """The rows of the page; with a name only those of one method, of one library or of both."""
    from course_utils.judge.agreement.pages import find_rows

    return find_rows(method, library)


def run(method=None, library=None):
    """Measure the rows of one method, of one library, or of both; prints as a table."""
    from course_utils.judge.agreement.pages import measure_rows

    return measure_rows(method, library)


def page(progress=False):
    """Measure the whole page; takes some seconds, most of them for importing the libraries."""
    from course_utils.judge.agreement.pages import measure_page

    return measure_page(progress)


def versions():
    """The libraries' versions in one line."""
    from course_utils.judge.agreement.libraries import versions

    return versions()
