"""How to make the `lime` package and captum answer exactly our questions about one picture (lesson 06).

Nothing here computes an explanation: both functions only hand the packages the superpixels and the questions,
and put what they return into one array of coefficients.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from course_utils.judge.agreement.libraries import no_lime_bar
from course_utils.labs.lab import Lab
from course_utils.methods.lime import cosine_distances, exponential_kernel, hidden_image


def lime_package_image(
    predict: Callable, image: np.ndarray, target: int, segments: np.ndarray, n_samples: int
) -> np.ndarray:
    """Coefficients (d,) of `lime.lime_image.LimeImageExplainer` with seed 0 and our superpixels.

    The package draws one random number (a seed for its own segmentation) before it draws the masks.
    """
    from lime import lime_image as package

    with no_lime_bar():
        found = package.LimeImageExplainer(random_state=0).explain_instance(
            image,
            predict,
            labels=(target,),
            top_labels=None,
            num_samples=n_samples,
            segmentation_fn=lambda _: segments,
        )
    coefficients = np.zeros(segments.max() + 1)
    for segment, value in found.local_exp[target]:
        coefficients[segment] = value
    return coefficients


def captum_image(lab: Lab, picture: int, target: int, segments: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Coefficients (d,) of `captum.attr.Lime` for one picture of a lab, asked the questions `masks` (n, d).

    By default captum compares pixels and fits a lasso: it is handed lime's kernel and ridge, too.
    """
    from captum._utils.models.linear_model import SkLearnRidge
    from captum.attr import Lime

    rows = iter(masks)
    explainer = Lime(
        torch.nn.Sequential(lab.model, torch.nn.Softmax(dim=1)),
        interpretable_model=SkLearnRidge(alpha=1.0),
        similarity_func=lambda original, changed, mask, **_: torch.tensor(
            exponential_kernel(cosine_distances(mask.cpu().numpy()), 0.25)
        ),
        perturb_func=lambda original, **_: torch.from_numpy(next(rows).astype(np.int64))[None].to(lab.device),
    )
    return (
        explainer.attribute(
            lab.inputs[picture : picture + 1],
            baselines=lab.preprocess(hidden_image(lab.images[picture], segments)[None]),
            feature_mask=torch.from_numpy(segments)[None, None].to(lab.device),
            target=target,
            n_samples=len(masks),
            perturbations_per_eval=50,
            return_input_shape=False,
        )[0]
        .cpu()
        .numpy()
    )
