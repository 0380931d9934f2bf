"""`python -m course_utils.authoring [LESSON …] [--edition solved]`: build all lessons, or some."""

import argparse
import sys
from pathlib import Path

from course_utils.authoring.build import build
from course_utils.authoring.lesson import NOTEBOOKS, LessonError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m course_utils.authoring", description=__doc__)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 04_grad_cam; all when left out")
    parser.add_argument("--edition", choices=("learner", "solved"), default="learner")
    parser.add_argument("--folder", type=Path, default=NOTEBOOKS, help="the folder that holds source/")
    arguments = parser.parse_args()
    try:
        build(arguments.lessons, arguments.folder.resolve(), arguments.edition)
    except LessonError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
