"""The former name of `judge.agreement.pages`."""

from course_utils.judge.agreement.libraries import quiet as _quiet
from course_utils.judge.agreement.libraries import same_noise as _same_noise
from course_utils.judge.agreement.pages import measure_page as agreement_page

__all__ = ["_quiet", "_same_noise", "agreement_page"]
