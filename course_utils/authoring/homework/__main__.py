"""`make homework`, `make homework-check`, `make homework-grade` and `make homework-marks`."""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from course_utils.authoring.homework import course
from course_utils.authoring.homework.assignment import AssignmentError, read_assignment
from course_utils.authoring.homework.sandbox import missing
from course_utils.authoring.lesson import ROOT

FOLDER = ROOT / "build" / "homework"
COMMAND = [sys.executable, "-m", "course_utils.authoring.homework"]


def make(folder: Path, names: list[str], seed: int | None) -> None:
    """The course folder, with the releases."""
    for made in course.make_course(folder, seed, names):
        n_points = sum(question.points for question in made.questions)
        minutes = sum(question.minutes for question in made.questions)
        print(
            f"{made.name}: seed {made.seed}, {len(made.questions)} questions, {n_points:g} points,"
            f" {minutes:g} minutes"
        )
    print(f"for students: {_short(folder / 'release')}")


def check(folder: Path, names: list[str], seed: int | None) -> list[str]:
    """What is wrong with the points of submissions whose worth is known, in a folder of its own."""
    faults, trial = [], folder.with_name(f"{folder.name}_check")
    shutil.rmtree(trial, ignore_errors=True)
    for made in course.make_course(trial, seed, names):
        print(f"{made.name}: {sum(q.points for q in made.questions if not q.by_hand):g} points can be tested")
        for submission in course.submissions(made):
            start = time.monotonic()
            got = course.grade(trial, made.name, submission)
            n_points, seconds = sum(points for points, _ in got.values()), time.monotonic() - start
            print(f"  {submission.student}: {n_points:g} points, in {seconds:.0f} s", flush=True)
            faults += [f"{made.name}: {text}" for text in course.complaints(submission, got)]
    if absent := missing():
        print(f"the sandbox lacks here: {', '.join(absent)}")
    print(f"{len(faults)} complaints" if faults else "every submission got what it deserves")
    return faults


def grade(folder: Path, names: list[str], jobs: int) -> list[str]:
    """Grade what was handed in, in so many processes; what could not be graded, and why."""
    if sys.platform == "win32":
        raise course.HomeworkError("grading needs Linux or a Mac; on Windows: a container, or WSL")
    from course_utils.authoring.homework import grading

    for text in grading.tidy(folder, names):
        print(text)
    waiting = {name: grading.ungraded(folder, name) for name in names}
    there = {name: grading.students(folder, name) for name in names}
    if not any(there.values()):
        raise course.HomeworkError(
            f"nobody has handed in {' or '.join(names)}:"
            f" put each notebook into {_short(folder / 'submitted' / 'STUDENT' / 'NAME' / 'NAME.ipynb')}"
        )
    for name in names:
        if there[name]:
            print(f"{name}: {len(there[name])} handed in, {len(waiting[name])} to grade", flush=True)
    again = [*COMMAND, "--helper", "--grade", "--folder", folder]
    n_waiting = sum(map(len, waiting.values()))
    helpers = [subprocess.Popen([*again, *names]) for _ in range(min(jobs, n_waiting) - 1)]
    help_with(folder, names)
    for helper in helpers:
        helper.wait()
    faults = [
        f"{name}: {student}: {grading.reason(folder, name, student)}"
        for name in names
        for student in grading.ungraded(folder, name)
    ]
    if n_waiting:
        print(f"{n_waiting - len(faults)} graded, {len(faults)} could not be graded")
    return faults


def help_with(folder: Path, names: list[str]) -> None:
    """Grade what no other process is at, and say how many are left."""
    from course_utils.authoring.homework import grading

    for name in names:
        for done in grading.grade_all(folder, name):
            if not done.problem:  # those are told at the end, once
                n_left = len(grading.ungraded(folder, name))
                print(f"{name}: {done.student}: {done.seconds:.0f} s; {n_left} left", flush=True)


def write_marks(folder: Path, names: list[str]) -> None:
    """Marks as CSV, the page for the teacher, and the students' feedback."""
    from course_utils.authoring.homework.marks import read_marks, write_csv, write_feedback
    from course_utils.authoring.homework.report import statistics_page

    for path in course.sources():
        if path.stem not in names:
            continue
        marks = read_marks(folder, path.stem)
        graded = [one for one in marks if one.questions]
        if not graded:
            print(f"{path.stem}: nothing is graded yet")
            continue
        table = folder / "marks" / f"{path.stem}.csv"
        write_csv(table, marks)
        table.with_suffix(".html").write_text(statistics_page(read_assignment(path), marks), "utf-8")
        n_texts = sum(mark.to_grade for one in graded for mark in one.questions.values())
        print(
            f"{path.stem}: {len(graded)} graded, {len(marks) - len(graded)} without a mark,"
            f" {n_texts} texts wait for you\n"
            f"  {_short(table)}, and .html beside it\n"
            f"  {len(write_feedback(folder, path.stem))} pages in {_short(folder / 'feedback')}",
            flush=True,
        )


def _short(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def main(arguments: list[str] | None = None) -> None:
    """What the command line says; ends with a message where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.authoring.homework")
    parser.add_argument("names", nargs="*", metavar="ASSIGNMENT", help="all when left out")
    parser.add_argument("--seed", type=int, help="other pictures, classes and numbers; such as the year")
    parser.add_argument("--jobs", type=int, default=1, help="processes that grade; each needs 2 to 3 GB")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the course, for a second class")
    parser.add_argument("--helper", action="store_true", help=argparse.SUPPRESS)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="grade an empty, a right and wrong submissions")
    what.add_argument("--grade", action="store_true", help="grade what was handed in and has no points yet")
    what.add_argument("--marks", action="store_true", help="write marks, statistics and feedback")
    options = parser.parse_args(arguments)
    folder, of_a_class = options.folder.resolve(), options.grade or options.marks
    known = [path.stem for path in course.sources()]
    if of_a_class and not options.helper:  # whose names are those of the process that has started it
        known = [name for name in known if (folder / "source" / name).is_dir()]
    if of_a_class and not known:
        sys.exit(f"error: no homework in {_short(folder)}: `make homework` first")
    if not options.helper and (unknown := sorted(set(options.names) - set(known))):
        sys.exit(f"error: no assignment {unknown[0]}; there are {', '.join(known)}")
    if options.jobs < 1:
        sys.exit(f"error: --jobs is the number of processes, at least 1, not {options.jobs}")
    names, faults = options.names or known, []
    try:
        if options.helper:
            help_with(folder, names)
        elif options.grade:
            faults = grade(folder, names, options.jobs)
        elif options.marks:
            write_marks(folder, names)
        elif options.check:
            faults = check(folder, names, options.seed)
        else:
            make(folder, names, options.seed)
    except (AssignmentError, course.HomeworkError) as problem:
        sys.exit(f"error: {problem}")
    except KeyboardInterrupt:
        sys.exit(130 if options.helper else "stopped; a grader that is started again goes on from there")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
