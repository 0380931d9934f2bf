"""A picture as a game of its superpixels: cut it, hide parts of it, and ask the network about all versions.

A superpixel is a patch of similar colour; LIME and SHAP explain a picture by which patches are shown. The
masks are `(B, d)` rows of 0 and 1, one column a superpixel: 1 is shown, 0 is hidden. To draw the versions
themselves there is `course_utils.methods.lime.hide_segments`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from tqdm.auto import tqdm

from course_utils.labs.lab import Lab
from course_utils.methods.arguments import check_count
from course_utils.methods.lime import check_class, checked_masks, hidden_image
from course_utils.methods.shapley import MAX_PLAYERS, Game

MANY = 100  # batches from which on a progress bar is shown


def superpixels(image: np.ndarray, n: int = 15) -> np.ndarray:
    """Cut a picture into about `n` patches of similar colour (SLIC): labels `(H, W)`, counted from 0.

    The number that comes out is `segments.max() + 1`, often a few less than `n`.
    """
    if np.ndim(image) != 3 or np.shape(image)[2] != 3:
        raise ValueError(f"one picture (H, W, 3) is cut, not an array {np.shape(image)}")
    check_count(n, "n")
    from skimage.segmentation import slic  # slow to import, and only pictures need it

    return slic(image, n_segments=n, compactness=10, sigma=1, start_label=0)


def all_masks(n: int) -> np.ndarray:
    """Every setting of n switches, `(2ⁿ, n)` of 0 and 1; bit i of the row's number is switch i."""
    check_count(n, "n", at_most=MAX_PLAYERS)
    return np.arange(2**n)[:, None] >> np.arange(n) & 1


@torch.inference_mode()
def network_answers(
    lab: Lab,
    image: np.ndarray,
    segments: np.ndarray,
    masks: np.ndarray,
    hidden: np.ndarray | float | None = None,
    *,
    logits: bool = False,
    batch_size: int = 8,
) -> np.ndarray:
    """What the lab's network says about a picture whose superpixels are hidden where `masks` is 0.

    Faster than `lab.predict(hide_segments(…))`: the picture is preprocessed twice in all, shown and hidden.

    Args:
        image: `(H, W, 3)` uint8. segments: `(H, W)` labels 0 … d − 1. masks: `(B, d)` of 0 and 1.
        hidden: what stands in a hidden place, see `hidden_image`; None is each patch's mean colour.
        logits: the scores before the softmax in place of probabilities.

    Returns:
        `(B, n_classes)` float64.
    """
    masks = checked_masks(masks, count_superpixels(segments))
    shown, covered = (lab.preprocess(p[None]) for p in (image, hidden_image(image, segments, hidden)))
    owner = torch.from_numpy(np.asarray(segments)).to(shown.device).long()  # whose each pixel is
    batches = torch.from_numpy(masks.astype(bool)).to(shown.device).split(batch_size)
    answers = []
    for batch in tqdm(batches, leave=False, disable=len(batches) < MANY):
        inputs = torch.where(batch[:, owner][:, None], shown, covered)
        scores = lab.model(inputs.contiguous(memory_format=torch.channels_last)).double()
        answers.append((scores if logits else lab.to_probabilities(scores)).cpu())
    return torch.cat(answers).numpy()


def count_superpixels(segments: np.ndarray) -> int:
    """How many labels there are, d; raises unless they are 0 … d − 1."""
    segments = np.asarray(segments)
    whole = segments.dtype.kind in "iu" and segments.size > 0 and segments.min() >= 0
    if not whole or (np.bincount(segments.ravel().astype(int)) == 0).any():
        raise ValueError(
            "segments must hold the labels 0 … d − 1, without a gap: number others anew by "
            "np.unique(segments, return_inverse=True)[1].reshape(segments.shape)"
        )
    return int(segments.max()) + 1


def picture_games(
    lab: Lab,
    image: np.ndarray,
    segments: np.ndarray,
    targets: Iterable[int],
    hidden: np.ndarray | float | None = None,
    *,
    logits: bool = False,
) -> list[Game]:
    """One game a class: coalitions of superpixels to the network's answer for that class.

    A network answers for all classes at once, and the games remember what was asked: the second class, or
    the second method, costs nothing where it asks the same.
    """
    known: dict[bytes, np.ndarray] = {}
    d = count_superpixels(segments)

    def answers(masks: np.ndarray) -> np.ndarray:
        masks = checked_masks(masks, d)
        rows = [row.tobytes() for row in masks]
        new = list({row: i for i, row in enumerate(rows) if row not in known}.values())
        if new:
            said = network_answers(lab, image, segments, masks[new], hidden, logits=logits)
            known.update(zip([rows[i] for i in new], said, strict=True))
        return np.array([known[row] for row in rows])

    classes = [check_class(c, len(lab.class_names)) for c in targets]
    return [lambda masks, c=c: answers(masks)[:, c] for c in classes]


def look_up(worths: np.ndarray) -> Game:
    """The game whose worths `(2ⁿ,)` are known already; coalition number c holds the players of its bits."""
    worths = np.asarray(worths)
    if worths.ndim != 1 or worths.size == 0 or worths.size & (worths.size - 1):
        raise ValueError(f"worths are one number for each of 2ⁿ coalitions, not of the shape {worths.shape}")
    places = 1 << np.arange(len(worths).bit_length() - 1)
    return lambda masks: worths[checked_masks(masks, len(places)).astype(int) @ places]
