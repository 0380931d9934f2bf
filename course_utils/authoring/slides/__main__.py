import argparse
import sys

from course_utils.authoring.assets import AssetError
from course_utils.authoring.lesson import ROOT
from course_utils.authoring.slides import DeckError, build_slides
from course_utils.authoring.slides.pdf import NoBrowser, print_decks

parser = argparse.ArgumentParser(
    prog="python -m course_utils.authoring.slides", description="Build the decks."
)
parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 04_grad_cam; all when left out")
parser.add_argument("--pdf", action="store_true", help="print each deck as a PDF, too")
arguments = parser.parse_args()
try:
    pages = build_slides(arguments.lessons, target=ROOT / "build" / "slides")
    for page in pages + (print_decks(pages) if arguments.pdf else []):
        print(page.relative_to(ROOT))
except (DeckError, AssetError, NoBrowser) as problem:
    sys.exit(f"error: {problem}")
