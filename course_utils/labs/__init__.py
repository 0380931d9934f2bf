"""What is explained: models with their inputs, targets, class names and the truth about them."""

from course_utils.labs.files import DataFileError
from course_utils.labs.lab import Lab, LabUnavailable, lab_names, load_lab

__all__ = ["DataFileError", "Lab", "LabUnavailable", "lab_names", "load_lab"]
