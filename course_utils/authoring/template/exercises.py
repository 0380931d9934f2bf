"""The exercises of lesson 99 and its companions."""

import torch

from course_utils.teach.checks import Exercise, Mistake, Question, wrong_answer


def _gradients() -> list[tuple]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(shape, generator=generator),) for shape in ((2, 3, 4, 5), (1, 4, 6, 6))]


gradient_size = Exercise(
    "gradient_size",
    difficulty=1,
    minutes=4,
    hints=("Over which axis are the colours?", "The length is the root of a sum of squares."),
    reference=lambda gradient: gradient.norm(dim=1),
    cases=_gradients,
    mistakes={
        "no root": Mistake(lambda gradient: (gradient**2).sum(dim=1), "the root is missing."),
        "sum of sizes": Mistake(
            lambda gradient: gradient.abs().sum(dim=1),
            "you added the sizes; add the squares, then take the root.",
        ),
    },
)

how_many = Question(
    "how_many",
    difficulty=1,
    minutes=2,
    hints=("Look at the figure: how often is the brightest dot on the object?",),
    expected=lambda hits: int(hits.sum()),
    examples=lambda: [(torch.arange(50) < 30,), (torch.arange(50) < 8,)],
    tolerance=5,
    mistakes={
        "misses": wrong_answer(lambda hits: int((~hits).sum()), "you counted the maps that miss."),
        "share": wrong_answer(
            lambda hits: float(hits.float().mean()), "this is the share; give the number of maps."
        ),
    },
)
