"""How good is an explanation? Measures against the truth, against the model, and against chance."""

from course_utils.judge import baselines
from course_utils.judge.agreement import Agreement, agreement_table
from course_utils.judge.dissection import part_iou
from course_utils.judge.localisation import (
    above,
    bounding_box,
    box_iou,
    energy_in_mask,
    largest_component,
    mask_iou,
    pointing_game,
)
from course_utils.judge.perturbation import Curves, blur, deletion, infidelity, insertion, sensitivity_max
from course_utils.judge.sanity import randomize_cascade
from course_utils.judge.statistics import Paired, bootstrap_interval, paired, rank_correlation, ssim

__all__ = [
    "Agreement",
    "Curves",
    "Paired",
    "above",
    "agreement_table",
    "baselines",
    "blur",
    "bootstrap_interval",
    "bounding_box",
    "box_iou",
    "deletion",
    "energy_in_mask",
    "infidelity",
    "insertion",
    "largest_component",
    "mask_iou",
    "paired",
    "part_iou",
    "pointing_game",
    "randomize_cascade",
    "rank_correlation",
    "sensitivity_max",
    "ssim",
]
