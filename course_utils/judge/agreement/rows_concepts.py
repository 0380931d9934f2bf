"""Concept directions beside scikit-learn, and the scores along them beside captum's TCAV."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from course_utils.judge.agreement.row import Row
from course_utils.methods import concepts

LAYER, TARGET = "4", 1


@cache
def _case() -> SimpleNamespace:
    """A small random network in single precision, which captum asks for; pictures; two sets for a concept."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 6), nn.Tanh(),
        nn.Linear(6, 3),
    ).eval()  # fmt: skip
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) / 2)
        sets = [torch.randn(n, 3, 8, 8, generator=generator) + shift for n, shift in ((14, 0.4), (12, 0.0))]
        features = [model[:5](pictures) for pictures in sets]
    pictures = torch.randn(9, 3, 8, 8, generator=generator)
    return SimpleNamespace(model=model, pictures=pictures, sets=sets, features=features)


def _direction() -> Tensor:
    return concepts.concept_vector(*_case().features)


def _by_scikit_learn() -> Tensor:
    from sklearn.linear_model import LogisticRegression

    examples, others = _case().features
    rows = torch.cat([examples, others]).double().numpy()
    program = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000)  # another solver, lbfgs
    weights = torch.from_numpy(program.fit(rows, [1] * len(examples) + [0] * len(others)).coef_[0])
    return weights / weights.norm()


def _ours() -> Tensor:
    case = _case()
    return concepts.directional_derivatives(case.model, case.pictures, TARGET, LAYER, _direction())


def captum_scores(
    model: nn.Module, layer: str, inputs: Tensor, target: int, sets: Sequence[Tensor], vector: Tensor
) -> dict[str, Tensor]:
    """captum's scores of pictures along a given direction: "sign_count" and "magnitude", a number each.

    Args:
        model: classifier, single precision.
        layer: its name; captum flattens what it puts out.
        inputs: `(N, C, H, W)`.
        target: class index.
        sets: pictures of the concept and others; captum sends them through the network, the direction stays.
        vector: `(d,)`, of length 1.
    """
    from captum.concept import TCAV, Classifier, Concept

    class Given(Classifier):
        """Hands captum a direction instead of fitting one."""

        def __init__(self):
            pass

        def train_and_eval(self, dataloader, **kwargs):
            return {}

        def weights(self):
            return torch.stack([vector, -vector])

        def classes(self):
            return [0, 1]

    pair = [Concept(i, f"set {i}", DataLoader(pictures, batch_size=20)) for i, pictures in enumerate(sets)]
    with tempfile.TemporaryDirectory() as folder:
        program = TCAV(model, layer, classifier=Given(), save_path=folder)
        scores = program.interpret(inputs, [pair], target=target)["0-1"][layer]
    return {name: values[0] for name, values in scores.items()}


def _captum(score: str) -> Tensor:
    case = _case()
    return captum_scores(case.model, LAYER, case.pictures, TARGET, case.sets, _direction())[score][None]


ROWS = (
    Row(
        "concept vector",
        "scikit-learn LogisticRegression",
        "its weights divided by their length; another solver",
        _direction,
        _by_scikit_learn,
    ),
    Row(
        "TCAV score",
        "captum TCAV",
        "sign_count; the same direction",
        lambda: concepts.positive_share(_ours()),
        lambda: _captum("sign_count"),
    ),
    Row(
        "mean derivative along a concept",
        "captum TCAV",
        "magnitude; the same direction, of length 1",
        lambda: _ours().mean(dim=0),
        lambda: _captum("magnitude"),
    ),
)
