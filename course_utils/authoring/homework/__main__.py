"""`make homework` and `make homework-check`."""

import argparse
import sys

from course_utils.authoring.homework import course
from course_utils.authoring.homework.assignment import AssignmentError
from course_utils.authoring.homework.sandbox import missing
from course_utils.authoring.lesson import ROOT

parser = argparse.ArgumentParser(prog="python -m course_utils.authoring.homework")
parser.add_argument("names", nargs="*", metavar="ASSIGNMENT", help="all when left out")
parser.add_argument("--seed", type=int, help="other pictures, classes and numbers; such as the year")
parser.add_argument("--check", action="store_true", help="grade an empty, a right and wrong submissions")
options = parser.parse_args()
folder = ROOT / "build" / "homework"
try:
    assignments = course.make_course(folder, options.seed, options.names)
    faults = []
    for made in assignments:
        n_points = sum(question.points for question in made.questions)
        minutes = sum(question.minutes for question in made.questions)
        print(f"{made.name}: {len(made.questions)} questions, {n_points:g} points, {minutes:g} minutes")
        for submission in course.submissions(made) if options.check else ():
            got = course.grade(folder, made.name, submission)
            print(f"  {submission.student}: {sum(points for points, _ in got.values()):g} points")
            faults += [f"{made.name}: {text}" for text in course.complaints(submission, got)]
    if options.check and (absent := missing()):
        print(f"the sandbox lacks here: {', '.join(absent)}")
    if faults:
        sys.exit("\n".join(faults))
    print(f"for students: {(folder / 'release').relative_to(ROOT)}")
except (AssignmentError, course.HomeworkError) as problem:
    sys.exit(f"error: {problem}")
