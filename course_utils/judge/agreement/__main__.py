"""`python -m course_utils.judge.agreement` prints the page, or writes it into a file."""

import sys

from course_utils.judge.agreement.pages import main

if __name__ == "__main__":
    sys.exit(main())
