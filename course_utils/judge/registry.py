"""The former name of `judge.methods_table`."""

from course_utils.judge.methods_table import Method, Passes, count_passes, image_methods

__all__ = ["Method", "Passes", "count_passes", "image_methods"]
