import argparse
import sys

from course_utils.authoring.assets import AssetError
from course_utils.authoring.lesson import ROOT
from course_utils.authoring.site import SiteError, build_site
from course_utils.authoring.site.hosted import Published

parser = argparse.ArgumentParser(prog="python -m course_utils.authoring.site", description="Build the site.")
parser.add_argument("--repository", metavar="OWNER/NAME", help="link to Binder and Colab from there")
parser.add_argument("--tag", default="v0.1.0", help="of the release that they open (default: %(default)s)")
arguments = parser.parse_args()
published = Published(arguments.repository, arguments.tag) if arguments.repository else None
try:
    page = build_site(ROOT / "build" / "site", published=published) / "index.html"
    print(f"the site: {page.relative_to(ROOT)}")
except (SiteError, AssetError) as problem:
    sys.exit(f"error: {problem}")
