"""`make homework`, `make homework-check`, `make homework-grade` and `make homework-marks`."""

import argparse
import subprocess
import sys

from course_utils.authoring.homework import course
from course_utils.authoring.homework.assignment import AssignmentError, read_assignment
from course_utils.authoring.homework.sandbox import missing
from course_utils.authoring.lesson import ROOT

FOLDER = ROOT / "build" / "homework"
COMMAND = [sys.executable, "-m", "course_utils.authoring.homework"]


def make(names: list[str], seed: int | None, check: bool) -> list[str]:
    """The course folder; on demand, what is wrong with the points of submissions whose worth is known."""
    faults = []
    for made in course.make_course(FOLDER, seed, names):
        n_points = sum(question.points for question in made.questions)
        minutes = sum(question.minutes for question in made.questions)
        print(f"{made.name}: {len(made.questions)} questions, {n_points:g} points, {minutes:g} minutes")
        for submission in course.submissions(made) if check else ():
            got = course.grade(FOLDER, made.name, submission)
            print(f"  {submission.student}: {sum(points for points, _ in got.values()):g} points")
            faults += [f"{made.name}: {text}" for text in course.complaints(submission, got)]
    if check and (absent := missing()):
        print(f"the sandbox lacks here: {', '.join(absent)}")
    print(f"for students: {(FOLDER / 'release').relative_to(ROOT)}")
    return faults


def grade(names: list[str], jobs: int) -> list[str]:
    """Grade what was handed in, in so many processes; what could not be graded."""
    from course_utils.authoring.homework import grading

    helpers = [subprocess.Popen([*COMMAND, "--grade", *names]) for _ in range(jobs - 1)]
    problems = {}
    for name in names:
        for done in grading.grade_all(FOLDER, name):
            print(f"{name}: {done.student}: {done.problem or f'graded in {done.seconds:.0f} s'}", flush=True)
            problems[name, done.student] = done.problem
    for helper in helpers:
        helper.wait()
    return [
        f"{name}: {student}: {problems.get((name, student)) or 'another process could not grade it'}"
        for name in names
        for student in grading.ungraded(FOLDER, name)
    ]


def write_marks(names: list[str]) -> None:
    """Marks as CSV, the page for the teacher, and the students' feedback."""
    from course_utils.authoring.homework.marks import read_marks, write_csv, write_feedback
    from course_utils.authoring.homework.report import statistics_page

    for path in course.sources():
        if path.stem in names:
            marks = read_marks(FOLDER, path.stem)
            write_csv(FOLDER / "marks" / f"{path.stem}.csv", marks)
            page = FOLDER / "marks" / f"{path.stem}.html"
            page.write_text(statistics_page(read_assignment(path), marks), "utf-8")
            pages = write_feedback(FOLDER, path.stem) if any(one.questions for one in marks) else []
            print(
                f"{path.stem}: {len(pages)} pages of feedback; {page.relative_to(ROOT)}, and .csv beside it"
            )


parser = argparse.ArgumentParser(prog="python -m course_utils.authoring.homework")
parser.add_argument("names", nargs="*", metavar="ASSIGNMENT", help="all when left out")
parser.add_argument("--seed", type=int, help="other pictures, classes and numbers; such as the year")
parser.add_argument("--jobs", type=int, default=1, help="processes that grade; each needs 2 to 3 GB")
what = parser.add_mutually_exclusive_group()
what.add_argument("--check", action="store_true", help="grade an empty, a right and wrong submissions")
what.add_argument("--grade", action="store_true", help="grade what was handed in and has no points yet")
what.add_argument("--marks", action="store_true", help="write marks, statistics and feedback")
options = parser.parse_args()
known = [path.stem for path in course.sources()]
if unknown := sorted(set(options.names) - set(known)):
    parser.error(f"no assignment {unknown[0]}; there are {', '.join(known)}")
if options.jobs < 1:
    parser.error(f"--jobs is the number of processes, at least 1, not {options.jobs}")
# all means those in the course folder, where something was handed in
here = [name for name in known if (FOLDER / "source" / name).is_dir()]
try:
    faults = []
    if options.grade:
        faults = grade(options.names or here, options.jobs)
    elif options.marks:
        write_marks(options.names or here)
    else:
        faults = make(options.names, options.seed, options.check)
    if faults:
        sys.exit("\n".join(faults))
except (AssignmentError, course.HomeworkError) as problem:
    sys.exit(f"error: {problem}")
