"""`python -m course_utils.authoring [LESSON …] [--edition solved]`: build all lessons, or some.

`--measure` only prints how long a sitting each is, by its source; `--text` puts new Markdown into the stored
notebooks and keeps their outputs, where nothing else has changed.
"""

import argparse
import sys
from pathlib import Path

from course_utils.authoring.build import build, build_text, chosen
from course_utils.authoring.lesson import NOTEBOOKS, LessonError, read_lesson
from course_utils.authoring.sitting import over_limits, sitting_table


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.authoring", description=__doc__.splitlines()[0]
    )
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 04_grad_cam; all when left out")
    parser.add_argument("--edition", choices=("learner", "solved"), default="learner")
    parser.add_argument("--folder", type=Path, default=NOTEBOOKS, help="the folder that holds source/")
    parser.add_argument("--measure", action="store_true", help="print minutes, words and lines; run nothing")
    parser.add_argument("--text", action="store_true", help="only Markdown has changed: run nothing")
    arguments = parser.parse_args()
    try:
        if arguments.measure:
            read = [read_lesson(path) for path in chosen(arguments.lessons, arguments.folder.resolve())]
            print(sitting_table(read))
            print(
                "\n".join(
                    f"over the limit: {lesson.name}: {text}"
                    for lesson in read
                    for text in over_limits(lesson)
                )
            )
            return 0
        if arguments.text:
            build_text(arguments.lessons, arguments.folder.resolve())
            return 0
        build(arguments.lessons, arguments.folder.resolve(), arguments.edition)
    except LessonError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
