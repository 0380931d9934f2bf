import argparse
import sys

from course_utils.authoring.assets import AssetError
from course_utils.authoring.lesson import ROOT
from course_utils.authoring.slides import DeckError, build_slides

parser = argparse.ArgumentParser(
    prog="python -m course_utils.authoring.slides", description="Build the decks."
)
parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 04_grad_cam; all when left out")
try:
    for page in build_slides(parser.parse_args().lessons, target=ROOT / "build" / "slides"):
        print(page.relative_to(ROOT))
except (DeckError, AssetError) as problem:
    sys.exit(f"error: {problem}")
