import sys

from course_utils.authoring.assets import AssetError
from course_utils.authoring.lesson import ROOT
from course_utils.authoring.site import SiteError, build_site

try:
    print(f"the site: {(build_site(ROOT / 'build' / 'site') / 'index.html').relative_to(ROOT)}")
except (SiteError, AssetError) as problem:
    sys.exit(f"error: {problem}")
