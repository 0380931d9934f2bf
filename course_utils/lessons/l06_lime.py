"""What lesson 06 and its companions share: one set of questions for several classes, ways to hide, bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

from course_utils.judge.agreement.libraries import no_lime_bar
from course_utils.labs.lab import Lab
from course_utils.methods import lime
from course_utils.teach import plots
from course_utils.teach.superpixels import count_superpixels, network_answers

FILLS = ("mean colours", "grey", "black", "white", "blurred")
FOR, AGAINST = "#b2182b", "#2166ac"


def lime_for_all(
    lab: Lab,
    picture: np.ndarray,
    targets: Iterable[int],
    segments: np.ndarray,
    n_samples: int = 200,
    *,
    hidden: np.ndarray | float | None = None,
    logits: bool = False,
    random_state: int = 0,
) -> list[lime.Explanation]:
    """LIME for several classes from the same questions: a network answers for all classes at once.

    Equal to `lime.lime_image` for each class by itself. `hidden` as in `lime.hidden_image`.
    """
    masks = lime.sample_masks(n_samples, count_superpixels(segments), random_state)
    said = network_answers(lab, picture, segments, masks, hidden, logits=logits)
    weights = lime.exponential_kernel(lime.cosine_distances(masks), 0.25)
    classes = [lime.check_class(c, said.shape[1]) for c in targets]
    return [lime.fit_surrogate(masks, said[:, c], weights) for c in classes]


def fill_of(picture: np.ndarray, name: str) -> np.ndarray | float | None:
    """What stands in a hidden place, as the argument `hidden`: one of `FILLS`."""
    if name == "blurred":
        return ndimage.gaussian_filter(picture, (8, 8, 0))
    return {"mean colours": None, "grey": 127, "black": 0, "white": 255}[name]


def package_picture(
    predict: Callable, image: np.ndarray, target: int, segments: np.ndarray, **options: object
) -> np.ndarray:
    """What the `lime` package draws after 200 questions: `get_image_and_mask(target, **options)`."""
    from lime.lime_image import LimeImageExplainer

    with no_lime_bar():
        found = LimeImageExplainer(random_state=0).explain_instance(
            image, predict, labels=(target,), num_samples=200, segmentation_fn=lambda _: segments
        )
    return found.get_image_and_mask(target, **options)[0]


def after_one_draw() -> np.random.RandomState:
    """Seed 0, after the one number that the `lime` package draws before its masks."""
    random_state = np.random.RandomState(0)
    random_state.randint(0, 1000)
    return random_state


def ever_hidden(labels: np.ndarray) -> list[bool]:
    """Which of these labels the `lime` package ever hides: its own code, and a model that only looks on."""
    from lime.lime_image import LimeImageExplainer

    picture = np.random.RandomState(0).randint(1, 255, (*labels.shape, 3)).astype(np.uint8)
    changed = np.zeros(labels.shape, bool)

    def onlooker(batch: Sequence[np.ndarray]) -> np.ndarray:
        np.logical_or(changed, (np.array(batch) != picture).any(axis=(0, 3)), out=changed)
        return np.full((len(batch), 2), 0.5)

    with no_lime_bar():
        LimeImageExplainer(random_state=0).explain_instance(
            picture, onlooker, hide_color=0, num_samples=64, segmentation_fn=lambda _: labels
        )
    return [bool(changed[labels == value].any()) for value in np.unique(labels)]


def show_bars(ax: plt.Axes, pairs: Sequence[tuple[str, float]], title: str) -> None:
    """Coefficients as bars, the first on top; red speaks for the class, blue against it."""
    labels, values = zip(*reversed(pairs), strict=True)
    ax.barh(range(len(values)), values, color=np.where(np.array(values) > 0, FOR, AGAINST))
    ax.set_yticks(range(len(values)), labels)
    ax.axvline(0, color=plots.INK, linewidth=0.8)
    ax.set_title(title, loc="left", fontsize=10)
