"""The exercises of lessons 18, 18b and 18c: a code's axes and price, the gap, information, capsules."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_utils.teach.checks import Exercise, Mistake, Question, wrong_answer
from course_utils.teach.quiz import quiz

what_is_wrong = quiz(
    "The knobs of machine B move the blob along diagonals. What is wrong with machine B?",
    (
        "It was not trained long enough.",
        "Its pictures are worse than those of machine A.",
        "Nothing that its pictures could show: it has the same two numbers, turned.",
    ),
    2,
    (
        "Both had the same number of steps, and their grades are nearly the same. What more steps would do is another "
        "question: see the end of section 6.",
        "Look at the grades: they differ by less than two in a hundred.",
        "From the two numbers of B you can compute those of A, and the other way round. The pictures are as good.",
    ),
)

lowest_loss = quiz(
    "Nine machines for the square world, nine for the round one. In each world you take the machine with the "
    "lowest loss. Will its axes be x and y?",
    (
        "In both worlds: a lower loss is a better machine.",
        "In the square world only.",
        "In neither: the loss knows nothing of axes.",
    ),
    1,
    (
        "A better machine for what? The loss asks for pictures and short codes.",
        "The square has edges, and the code's clouds have axes: that is how the loss sees them. A round heap of "
        "places looks the same from all sides.",
        "Almost. There is one thing in the machine that has axes: the clouds, which are never tilted.",
    ),
)


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _rebased(w: np.ndarray, v: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return a @ w, v @ np.linalg.inv(a)


rebase = Exercise(
    name="rebase",
    difficulty=1,
    minutes=4,
    hints=(
        "The new code is A times the old one: A (W x) = (A W) x.",
        "The decoder must undo it before it does what it did: V (A⁻¹ z). `np.linalg.inv(a)` is A⁻¹.",
    ),
    reference=_rebased,
    cases=lambda: [
        (_normal(s, k, d).numpy(), _normal(s + 9, d, k).numpy(), _normal(s + 20, k, k).numpy())
        for s, (k, d) in enumerate(((2, 5), (3, 4), (2, 7)))
    ],
    mistakes={
        "decoder times A": Mistake(
            lambda w, v, a: (a @ w, v @ a),
            "the decoder must *undo* A before it does what it did: multiply with the inverse.",
        ),
        "encoder alone": Mistake(
            lambda w, v, a: (a @ w, v),
            "the encoder is right, and the decoder does not know of it: the pictures would change.",
        ),
        "inverse in the encoder": Mistake(
            lambda w, v, a: (np.linalg.inv(a) @ w, v @ a),
            "the pictures are the same, but the code is A⁻¹ z instead of A z.",
        ),
        "transposed": Mistake(
            lambda w, v, a: (a @ w, v @ a.T),
            "the transposed A undoes a pure turn only. For any A take the inverse.",
        ),
        "inverse on the left": Mistake(
            lambda w, v, a: (a @ w, np.linalg.inv(a) @ v.T),
            "A⁻¹ stands between V and the code: V A⁻¹, with A⁻¹ on the right.",
        ),
    },
)


def _price(mean: Tensor, log_variance: Tensor) -> Tensor:
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1)


price = Exercise(
    name="price",
    difficulty=2,
    minutes=5,
    hints=(
        "One number for each latent first: ½ (μ² + σ² − 1 − ln σ²). `log_variance` is ln σ².",
        "σ² is `log_variance.exp()`. Add up the latents of each picture: `.sum(dim=1)`.",
    ),
    reference=_price,
    cases=lambda: [(_normal(s, n, k), _normal(s + 9, n, k)) for s, (n, k) in enumerate(((4, 2), (3, 5)))],
    mistakes={
        "half missing": Mistake(lambda m, v: 2 * _price(m, v), "the factor ½ is missing."),
        "log of sigma": Mistake(
            lambda m, v: 0.5 * (m**2 + (2 * v).exp() - 1 - 2 * v).sum(dim=1),
            "you took `log_variance` for ln σ: it is ln σ², so σ² is its exponential.",
        ),
        "sigma for variance": Mistake(
            lambda m, v: 0.5 * (m**2 + (v / 2).exp() - 1 - v).sum(dim=1),
            "you put σ where σ² belongs: σ² is `log_variance.exp()`, without a half.",
        ),
        "not exponentiated": Mistake(
            lambda m, v: 0.5 * (m**2 - 1).sum(dim=1) + 0 * v.sum(dim=1),
            "σ² and ln σ² cancelled out: one of them needs the exponential.",
        ),
        "one missing": Mistake(
            lambda m, v: _price(m, v) + m.shape[1] / 2, "the −1 is missing: a code N(0, 1) must be free."
        ),
        "sign": Mistake(
            lambda m, v: -_price(m, v),
            "the sign is reversed: that is the term as papers *add* it to a bound; here a price is paid.",
        ),
        "sign of the log": Mistake(
            lambda m, v: 0.5 * (m**2 + v.exp() - 1 + v).sum(dim=1),
            "the sign of ln σ² is wrong: a narrow cloud (ln σ² very negative) must be expensive.",
        ),
        "mean of the latents": Mistake(
            lambda m, v: _price(m, v) / m.shape[1],
            "you averaged over the latents: each latent has its price, add them up.",
        ),
        "over pictures too": Mistake(
            lambda m, v: _price(m, v).sum(), "you added up the pictures as well: one number a picture."
        ),
        "mean of pictures": Mistake(
            lambda m, v: _price(m, v).mean(), "you averaged over the pictures: one number a picture."
        ),
        "wrong axis": Mistake(
            lambda m, v: 0.5 * (m**2 + v.exp() - 1 - v).sum(dim=0),
            "you added up the pictures of each latent: add up the latents of each picture, dim=1.",
        ),
        "other way round": Mistake(
            lambda m, v: 0.5 * ((1 + m**2) / v.exp() - 1 + v).sum(dim=1),
            "that is the divergence of N(0, 1) from the cloud: it is not the same the other way round.",
        ),
        "one once": Mistake(
            lambda m, v: _price(m, v) + (m.shape[1] - 1) / 2,
            "you subtracted 1 once for each picture: the −1 belongs to each latent.",
        ),
        "not added": Mistake(
            lambda m, v: 0.5 * (m**2 + v.exp() - 1 - v),
            "that is the price of each latent: add them up for each picture.",
        ),
    },
)


def _cloud(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    return mean + (0.5 * log_variance).exp() * noise


cloud = Exercise(
    name="cloud",
    difficulty=1,
    minutes=3,
    hints=(
        "A normal number with mean μ and standard deviation σ is μ + σ ε, where ε is standard normal.",
        "σ = e^{½ ln σ²}: `(0.5 * log_variance).exp()`.",
    ),
    reference=_cloud,
    cases=lambda: [(_normal(s, 4, 2), _normal(s + 9, 4, 2), _normal(s + 20, 4, 2)) for s in range(2)],
    mistakes={
        "variance": Mistake(
            lambda m, v, e: m + v.exp() * e,
            "you multiplied with the variance σ²: take the standard deviation, its root.",
        ),
        "log-variance": Mistake(
            lambda m, v, e: m + v * e,
            "you multiplied with ln σ² itself, which can be negative: first the exponential.",
        ),
        "no noise's width": Mistake(
            lambda m, v, e: m + e, "each cloud has the width 1 then: multiply the noise with σ."
        ),
        "no noise": Mistake(
            lambda m, v, e: m, "that is the mean: the plain autoencoder's code, without noise."
        ),
        "no mean": Mistake(
            lambda m, v, e: (0.5 * v).exp() * e, "the mean is missing: all clouds lie around 0."
        ),
        "root of the log": Mistake(
            lambda m, v, e: m + v.exp() ** 2 * e, "the root of σ² is needed, not its square."
        ),
        "noise forgotten": Mistake(
            lambda m, v, e: m + (0.5 * v).exp(),
            "you always step one σ to the right: multiply σ with `noise`.",
        ),
        "minus": Mistake(
            lambda m, v, e: m - (0.5 * v).exp() * e,
            "you subtracted the noise. Such draws would be as good, but with this `noise` the draw is μ + σ ε.",
        ),
        "noise of fresh draws": Mistake(
            lambda m, v, e: m + (0.5 * v).exp() * _normal(3, *m.shape),
            "you drew noise of your own: use the argument `noise`.",
        ),
    },
)


def _gaps(information: np.ndarray, entropies: np.ndarray) -> np.ndarray:
    ordered = np.sort(information, axis=0)
    return (ordered[-1] - ordered[-2]) / entropies


def _gap_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    cases = []
    for seed, (k, f) in enumerate(((3, 2), (4, 3), (5, 2))):
        rng = np.random.default_rng(seed)
        cases.append((rng.uniform(0, 2, (k, f)), rng.uniform(2, 3, f)))
    return cases


gaps = Exercise(
    name="gaps",
    difficulty=2,
    minutes=5,
    hints=(
        "Each factor is a column. `np.sort(information, axis=0)` puts the best latent of each factor last.",
        "Last row minus the row before it, divided by the entropies.",
    ),
    reference=_gaps,
    cases=_gap_cases,
    mistakes={
        "not divided": Mistake(
            lambda i, h: _gaps(i, h) * h, "divide by the factor's entropy: the gap is a share from 0 to 1."
        ),
        "best minus worst": Mistake(
            lambda i, h: (i.max(axis=0) - i.min(axis=0)) / h,
            "you subtracted the *worst* latent; take the second best.",
        ),
        "best minus mean": Mistake(
            lambda i, h: (i.max(axis=0) - i.mean(axis=0)) / h,
            "you subtracted the mean over the latents; take the second best.",
        ),
        "first two rows": Mistake(
            lambda i, h: (i[0] - i[1]) / h,
            "you took the first two latents: sort each column first, the best two may stand anywhere.",
        ),
        "first two rows, absolute": Mistake(
            lambda i, h: np.abs(i[0] - i[1]) / h,
            "that is right for two latents only: with more, the best two may stand anywhere in the column.",
        ),
        "best alone": Mistake(
            lambda i, h: i.max(axis=0) / h,
            "that is what the best latent tells: two latents that tell as much would also get it.",
        ),
        "mean of factors": Mistake(
            lambda i, h: _gaps(i, h).mean(), "you took the mean: here each factor keeps its own gap."
        ),
        "sign": Mistake(lambda i, h: -_gaps(i, h), "the sign is reversed: best minus second best."),
        "for each latent": Mistake(
            lambda i, h: np.sort(i, axis=1)[:, -1] - np.sort(i, axis=1)[:, -2],
            "you compared the factors of each latent: compare the latents of each factor (down the columns).",
        ),
        "by the sum": Mistake(
            lambda i, h: _gaps(i, h) * h / i.sum(axis=0),
            "you divided by the sum over the latents; divide by the factor's entropy.",
        ),
        "per cent": Mistake(
            lambda i, h: 100 * _gaps(i, h), "you answered in per cent: the gap is a share from 0 to 1."
        ),
        "by the best": Mistake(
            lambda i, h: _gaps(i, h) * h / i.max(axis=0),
            "you divided by the best latent's information; divide by the factor's entropy.",
        ),
    },
)


def _loss(pictures, seen, mean, log_variance, beta, *, pixels="sum", latents="sum", batch="mean"):
    distortion = ((seen - pictures) ** 2 / (2 * 0.02)).flatten(1)
    rate = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
    per_picture = getattr(distortion, pixels)(dim=1) + beta * getattr(rate, latents)(dim=1)
    return getattr(per_picture, batch)()


def _loss_cases() -> list[tuple]:
    return [
        (_normal(s, 5, d), _normal(s + 3, 5, d), _normal(s + 6, 5, k), _normal(s + 9, 5, k), beta)
        for s, (d, k, beta) in enumerate(((12, 2, 4.0), (9, 3, 0.5)))
    ]


fair_loss = Exercise(
    name="fair_loss",
    difficulty=2,
    minutes=5,
    hints=(
        "Which numbers does each `.mean()` run over? The batch *and* the pixels, or the batch *and* the latents.",
        "Sum over `dim=1` first (pixels; latents), then the mean over the pictures.",
    ),
    reference=_loss,
    given=lambda *case: _loss(*case, pixels="mean", latents="mean"),
    cases=_loss_cases,
    mistakes={
        "latents averaged": Mistake(
            lambda *case: _loss(*case, latents="mean"),
            "the pixels are right; the latents are still averaged, so each new latent makes all of them cheaper.",
        ),
        "pixels averaged": Mistake(
            lambda *case: _loss(*case, pixels="mean"),
            "the latents are right; the pixels are still averaged, and the rate counts as many times too much as "
            "there are pixels.",
        ),
        "batch summed": Mistake(
            lambda *case: _loss(*case, batch="sum"),
            "you added up the pictures as well: the loss would grow with the batch. Take their mean.",
        ),
        "beta scaled instead": Mistake(
            lambda p, s, m, v, beta: _loss(
                p, s, m, v, beta * m.shape[1] / p.shape[1], pixels="mean", latents="mean"
            ),
            "that mends the balance and leaves the loss in odd units: sum over the pixels and over the latents.",
        ),
        "beta on the distortion": Mistake(
            lambda p, s, m, v, beta: (
                beta * _loss(p, s, m, v, 0.0) + _loss(p, s, m, v, 1.0) - _loss(p, s, m, v, 0.0)
            ),
            "β belongs to the rate, not to the distortion.",
        ),
        "no beta": Mistake(
            lambda p, s, m, v, beta: _loss(p, s, m, v, 1.0), "the sums are right, but β is missing."
        ),
        "not averaged": Mistake(
            lambda p, s, m, v, beta: _loss(p[:1], s[:1], m[:1], v[:1], beta),
            "that is the loss of the first picture: take the mean over all of them.",
        ),
    },
)


def _fall(rates: np.ndarray) -> float:
    """By how much the rate falls from β = 4 to β = 16, the last two of the rates."""
    return float(rates[-2] - rates[-1])


def _about(example: Callable[[np.ndarray], float], diagnosis: str) -> Mistake:
    """A wrong prediction that is recognised within 0.15 nats."""
    return Mistake(
        lambda answer, rates: isinstance(answer, (int, float)) and abs(answer - example(rates)) < 0.15,
        diagnosis,
        example=example,
    )


rate_falls = Question(
    name="rate_falls",
    difficulty=2,
    minutes=3,
    hints=(
        "A rate that costs four times as much: each latent may then be twice as blurred, σ² four times as large.",
        "The price of a narrow cloud is about −½ ln σ². With σ² four times as large it falls by ½ ln 4 = 0.69 for each "
        "of two latents.",
    ),
    expected=_fall,
    examples=lambda: [(np.array([8.3, 6.3, 4.7, 3.25]),), (np.array([9.0, 7.0, 5.2, 3.7]),)],
    tolerance=0.3,
    mistakes={
        "one latent": _about(
            lambda rates: _fall(rates) / 2,
            "that is about what one latent saves: there are two of them.",
        ),
        "quarter": _about(
            lambda rates: float(rates[-2]) * 3 / 4,
            "a quarter would remain if a price worked like that. The rate is a logarithm: it falls by an amount, not by a "
            "factor.",
        ),
        "log of the factor each": _about(
            lambda rates: 2 * _fall(rates),
            "that is ln 4 for each latent: the price of a narrow cloud is ½ ln σ², so half of it.",
        ),
        "sign": _about(
            lambda rates: -_fall(rates),
            "the size is right. Asked is by how much the rate *falls*: a positive number.",
        ),
        "nothing": wrong_answer(
            lambda rates: 0.0,
            "the rate costs four times as much now: the machine will save some of it.",
        ),
        "what remains": _about(
            lambda rates: float(rates[-1]),
            "that is the rate that remains at β = 16: asked is by how much it falls.",
        ),
    },
)

# --- 18b --------------------------------------------------------------------------------------------------


def _from_counts(counts: np.ndarray) -> float:
    p = counts / counts.sum()
    both = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    there = p > 0
    return float((p[there] * np.log(p[there] / both[there])).sum())


def _bits(counts: np.ndarray) -> float:
    return _from_counts(counts) / math.log(2)


from_counts = Exercise(
    name="from_counts",
    difficulty=2,
    minutes=6,
    hints=(
        "Shares first: p = counts / counts.sum(). The shares of the rows are p.sum(axis=1), those of the columns "
        "p.sum(axis=0).",
        "If nothing told anything, a cell would hold (row share) × (column share): `np.outer(rows, columns)`.",
        "Leave empty cells out: `there = p > 0`, then add up p[there] · ln(p[there] / product[there]).",
    ),
    reference=_from_counts,
    cases=lambda: [
        (np.random.default_rng(s).integers(0, 6, shape),) for s, shape in enumerate(((3, 4), (5, 2), (4, 4)))
    ],
    mistakes={
        "bits": Mistake(_bits, "that is in bits: take the natural logarithm, for nats."),
        "sign": Mistake(
            lambda c: -_from_counts(c), "the sign is reversed: p over the product, not under it."
        ),
        "joint entropy": Mistake(
            lambda c: float(-(c[c > 0] / c.sum() * np.log(c[c > 0] / c.sum())).sum()),
            "that is the entropy of the cells: compare each cell with the product of its row and column.",
        ),
        "counts for shares": Mistake(
            lambda c: _from_counts(c) * c.sum(),
            "you weighed with the counts: weigh with the shares p.",
        ),
        "no shares": Mistake(
            lambda c: float(
                (c[c > 0] * np.log(c[c > 0] / np.outer(c.sum(axis=1), c.sum(axis=0))[c > 0])).sum()
            ),
            "you put the counts into the formula: divide them by their sum first.",
        ),
        "counts under the line": Mistake(
            lambda c: _from_counts(c) - 2 * math.log(c.sum()),
            "you divided shares by counts: rows and columns need their shares, too.",
        ),
        "weighted by the product": Mistake(
            lambda c: float(
                sum(
                    q * np.log(a / q)
                    for a, q in zip(
                        (c / c.sum()).ravel(),
                        np.outer(c.sum(axis=1), c.sum(axis=0)).ravel() / c.sum() ** 2,
                        strict=True,
                    )
                    if a > 0
                )
            ),
            "you weighed with the product of the shares: weigh with the cell's own share p.",
        ),
    },
)


def _infonce(scores: Tensor) -> Tensor:
    return scores.log_softmax(dim=1).diagonal().mean() + math.log(len(scores))


infonce = Exercise(
    name="infonce",
    difficulty=2,
    minutes=5,
    hints=(
        "Each row is a question with B possible answers: `scores.log_softmax(dim=1)`.",
        "The right answer of row i stands on the diagonal. Mean over the rows, plus ln B: `math.log(len(scores))`.",
    ),
    reference=_infonce,
    cases=lambda: [(_normal(s, n, n),) for s, n in enumerate((3, 5, 8))],
    mistakes={
        "ln B missing": Mistake(
            lambda s: _infonce(s) - math.log(len(s)),
            "ln B is missing: without it the value is at most 0, the mean log-probability of the partner.",
        ),
        "loss": Mistake(
            lambda s: math.log(len(s)) - _infonce(s),
            "that is the cross-entropy, the *loss*: the bound is ln B minus it.",
        ),
        "columns": Mistake(
            lambda s: s.log_softmax(dim=0).diagonal().mean() + math.log(len(s)),
            "the softmax runs down the columns: each *row* is a question, dim=1.",
        ),
        "mean before the log": Mistake(
            lambda s: s.softmax(dim=1).diagonal().mean().log() + math.log(len(s)),
            "you took the mean of the probabilities first: the mean of their *logarithms* is asked.",
        ),
        "no log": Mistake(
            lambda s: s.softmax(dim=1).diagonal().mean() + math.log(len(s)),
            "the logarithm is missing: take `log_softmax`.",
        ),
        "whole table": Mistake(
            lambda s: s.log_softmax(dim=1).mean() + math.log(len(s)),
            "you averaged over the whole table: only the diagonal holds true pairs.",
        ),
        "sum": Mistake(
            lambda s: s.log_softmax(dim=1).diagonal().sum() + math.log(len(s)),
            "you added up the rows: take their mean.",
        ),
        "raw scores": Mistake(
            lambda s: s.diagonal().mean() + math.log(len(s)),
            "you averaged the scores: they become log-probabilities by `log_softmax`.",
        ),
    },
)


def _dv(scores: Tensor, *, with_partners: bool = False, root: bool = False) -> Tensor:
    n = len(scores)
    strangers = scores if with_partners else scores[~torch.eye(n, dtype=torch.bool)]
    if root:
        return scores.diagonal().mean() - strangers.mean()
    return scores.diagonal().mean() - (strangers.flatten().logsumexp(0) - math.log(strangers.numel()))


strangers_only = Exercise(
    name="strangers_only",
    difficulty=2,
    minutes=5,
    hints=(
        "The second term is about strangers. Which entries of the table are no strangers?",
        "Take the diagonal out: `scores[~torch.eye(B, dtype=torch.bool)]` are the B (B − 1) others.",
        "Then the mean has B (B − 1) terms: subtract ln(B (B − 1)) from the logsumexp.",
    ),
    reference=_dv,
    given=lambda scores: _dv(scores, with_partners=True),
    cases=lambda: [(3 * _normal(s, n, n),) for s, n in enumerate((3, 5, 8))],
    mistakes={
        "count": Mistake(
            lambda s: _dv(s) + math.log(len(s) ** 2) - math.log(len(s) * (len(s) - 1)),
            "the strangers are right, their number is not: without the diagonal there are B (B − 1).",
        ),
        "sum": Mistake(
            lambda s: _dv(s) - math.log(len(s) * (len(s) - 1)),
            "now the logarithm of the *sum* is subtracted: the bound has a mean, so ln(B (B − 1)) must come off.",
        ),
        "mean of scores": Mistake(
            lambda s: _dv(s, root=True),
            "you subtracted the mean of the scores: the bound has the logarithm of the mean of their exponentials.",
        ),
        "zeros": Mistake(
            lambda s: (
                s.diagonal().mean()
                - (
                    (s * (1 - torch.eye(len(s), dtype=s.dtype))).flatten().logsumexp(0)
                    - math.log(len(s) * (len(s) - 1))
                )
            ),
            "a score of 0 still counts as e⁰ = 1: take the diagonal out, do not set it to 0.",
        ),
        "row by row": Mistake(
            lambda s: (
                s.diagonal().mean()
                - s.masked_fill(torch.eye(len(s), dtype=torch.bool), -math.inf).logsumexp(dim=1).mean()
                + math.log(len(s) - 1)
            ),
            "you took a logarithm for each row: the bound has one, of the mean over all strangers of the table.",
        ),
    },
)


ceiling = quiz(
    "Two normal vectors share 5.7 nats. You ask InfoNCE with a batch of 64 pairs, and a critic as good as you like. "
    "What will it say?",
    ("5.7 nats, once it is trained.", "At most 4.2 nats.", "It depends on the critic alone."),
    1,
    (
        "It would need a batch of at least e^5.7, about 300 pairs.",
        "The value is ln B plus a log-probability, which is at most 0: never above ln 64 = 4.16.",
        "A better critic comes closer to the ceiling, and no critic gets over it.",
    ),
)

# --- 18c --------------------------------------------------------------------------------------------------

best_of_eight = quiz(
    "A digit is turned step by step. For each of 8 numbers we compute |r| with the angle, and report the largest. How "
    "large will it be for 8 pixels that we chose by lot?",
    ("Near 0: a pixel knows no angle.", "About 0.4.", "About 0.8."),
    2,
    (
        "A turn changes the grey of nearly every pixel of the digit, and it changes it smoothly.",
        "That would be a good guess for one pixel. We take the best of eight, and ask only for some change in one "
        "direction.",
        "Nearly every number that changes smoothly correlates with what changes it, and we take the best of eight.",
    ),
)


def _vectors(seed: int, *shape: int) -> Tensor:
    return _normal(seed, *shape) * 1.5


def _squash(s: Tensor) -> Tensor:
    n2 = s.square().sum(dim=-1, keepdim=True)
    return s * n2.sqrt() / (1 + n2)


squash = Exercise(
    name="squash",
    difficulty=1,
    minutes=5,
    hints=(
        "The squared lengths are `s.square().sum(dim=-1, keepdim=True)`; call them n2.",
        "The new length shall be n2 / (1 + n2). The direction is s divided by its old length, the root of n2.",
    ),
    reference=_squash,
    cases=lambda: [(_vectors(0, 4, 3),), (_vectors(1, 2, 5, 8),), (0.2 * _vectors(2, 6, 4),)],
    mistakes={
        "not divided by the length": Mistake(
            lambda s: s * s.square().sum(-1, keepdim=True) / (1 + s.square().sum(-1, keepdim=True)),
            "you multiplied the vector itself with the new length: first divide it by its old length.",
        ),
        "divided by the square": Mistake(
            lambda s: s / (1 + s.square().sum(-1, keepdim=True)),
            "you divided the vector by its squared length: its direction is s / n, with the length itself.",
        ),
        "cut off at 1": Mistake(
            lambda s: s / s.norm(dim=-1, keepdim=True).clamp(min=1),
            "you only cut long vectors off at the length 1: a short one must become much shorter, about n².",
        ),
        "direction alone": Mistake(
            lambda s: s / s.norm(dim=-1, keepdim=True),
            "now every length is 1: a capsule could not say that its thing is absent.",
        ),
        "length for square": Mistake(
            lambda s: s / (1 + s.norm(dim=-1, keepdim=True)),
            "the new length is then n / (1 + n): in the formula both are squares, n² / (1 + n²).",
        ),
        "each number alone": Mistake(
            lambda s: s.sign() * s**2 / (1 + s**2),
            "you squashed each number for itself: this changes the direction. The length belongs to the vector.",
        ),
        "first axis": Mistake(
            lambda s: s * s.square().sum(0, keepdim=True).sqrt() / (1 + s.square().sum(0, keepdim=True)),
            "the length runs over the first axis: a vector's numbers stand in the *last* one, dim=-1.",
        ),
        "all vectors": Mistake(
            lambda s: s * s.square().sum().sqrt() / (1 + s.square().sum()),
            "you took one length for all vectors together: sum over `dim=-1` alone.",
        ),
        "lengths alone": Mistake(
            lambda s: s.square().sum(-1) / (1 + s.square().sum(-1)),
            "these are the new lengths: give the vectors, which keep their directions.",
        ),
        "tanh": Mistake(
            lambda s: s.tanh(), "tanh works on each number alone and changes the direction of the vector."
        ),
    },
)


def _routed(votes: Tensor, n_iterations: int, *, axis: int = 2, last: bool = False, old: bool = False):
    logits = torch.zeros_like(votes[..., 0])
    for k in range(n_iterations):
        coupling = logits.softmax(dim=axis)
        upper = _squash(torch.einsum("nlu,nlud->nud", coupling, votes))
        agreement = torch.einsum("nlud,nud->nlu", votes, upper)
        if last:
            agreement = -agreement
        if k < n_iterations - 1:
            logits = agreement if old else logits + agreement
    return upper


mend_routing = Exercise(
    name="mend_routing",
    difficulty=2,
    minutes=6,
    hints=(
        "Print `coupling.sum(dim=2)` and `coupling.sum(dim=1)` after one iteration. Which of them is 1?",
        "A *lower* capsule distributes its vote among the *upper* ones: its coefficients add up to 1.",
        "The logits have the axes picture, lower, upper. The softmax runs over the upper ones: dim=2.",
    ),
    reference=_routed,
    given=lambda votes, n: _routed(votes, n, axis=1),
    cases=lambda: [
        (_vectors(s, 2, *shape), n) for s, (shape, n) in enumerate((((6, 3, 4), 3), ((5, 4, 3), 2)))
    ],
    mistakes={
        "over the pictures": Mistake(
            lambda v, n: _routed(v, n, axis=0),
            "the softmax runs over the pictures: one picture must not change another's routing.",
        ),
        "over all capsules": Mistake(
            lambda v, n: _routed_over_all(v, n),
            "the coefficients of *all* lower capsules together add up to 1 now: each lower capsule has its own 1.",
        ),
        "disagreement": Mistake(
            lambda v, n: _routed(v, n, last=True),
            "the sign is reversed: who agrees gets *more*.",
        ),
        "forgets the logits": Mistake(
            lambda v, n: _routed(v, n, old=True),
            "the logits must be added up from iteration to iteration.",
        ),
        "always uniform": Mistake(
            lambda v, n: _routed(v, 1),
            "the coupling stays uniform: the agreement never reaches it.",
        ),
        "one too many": Mistake(
            lambda v, n: _routed(v, n + 1),
            "that is one iteration too many: the first has uniform coupling.",
        ),
    },
)


def _routed_over_all(votes: Tensor, n_iterations: int) -> Tensor:
    logits = torch.zeros_like(votes[..., 0])
    for k in range(n_iterations):
        coupling = logits.flatten(1).softmax(dim=1).reshape(logits.shape)
        upper = _squash(torch.einsum("nlu,nlud->nud", coupling, votes))
        if k < n_iterations - 1:
            logits = logits + torch.einsum("nlud,nud->nlu", votes, upper)
    return upper


def _nats_read(probabilities: np.ndarray, factor: np.ndarray) -> float:
    shares = np.bincount(factor) / len(factor)
    shares = shares[shares > 0]
    told = np.log(probabilities[np.arange(len(factor)), factor]).mean()
    return float(-(shares * np.log(shares)).sum() + told)


def _readout_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    cases = []
    for seed, (n, k, help_given) in enumerate(((40, 3, 2), (60, 4, 2), (50, 3, -2))):  # the last is misled
        rng = np.random.default_rng(seed)
        factor = rng.choice(k, size=n, p=np.arange(1, k + 1) / np.arange(1, k + 1).sum())
        scores = rng.normal(size=(n, k)) + help_given * np.eye(k)[factor]
        cases.append((np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True), factor))
    return cases


nats_read = Exercise(
    name="nats_read",
    difficulty=2,
    minutes=6,
    hints=(
        "The entropy of the factor: its shares are `np.bincount(factor) / len(factor)`, then −Σ p ln p.",
        "The cross-entropy is the mean of −ln of the probability that the readout gave to the *true* value: "
        "`probabilities[np.arange(len(factor)), factor]`.",
        "Entropy minus cross-entropy.",
    ),
    reference=_nats_read,
    cases=_readout_cases,
    mistakes={
        "sign": Mistake(lambda p, f: -_nats_read(p, f), "the sign is reversed: entropy minus cross-entropy."),
        "cross-entropy alone": Mistake(
            lambda p, f: float(-np.log(p[np.arange(len(f)), f]).mean()),
            "that is the cross-entropy, what is at most still unknown: subtract it from the factor's entropy.",
        ),
        "bits": Mistake(
            lambda p, f: _nats_read(p, f) / math.log(2), "that is in bits: take the natural logarithm."
        ),
        "as if equally frequent": Mistake(
            lambda p, f: float(math.log(p.shape[1]) + np.log(p[np.arange(len(f)), f]).mean()),
            "you took ln of the number of values for the entropy: here some values are more frequent than others.",
        ),
        "logarithm of the mean": Mistake(
            lambda p, f: (
                _nats_read(p, f)
                - float(np.log(p[np.arange(len(f)), f]).mean())
                + float(np.log(p[np.arange(len(f)), f].mean()))
            ),
            "you took the logarithm of the mean probability: take the mean of the logarithms.",
        ),
        "readout's own entropy": Mistake(
            lambda p, f: (
                _nats_read(p, f)
                - float(np.log(p[np.arange(len(f)), f]).mean())
                + float((p * np.log(p)).sum(1).mean())
            ),
            "you took the entropy of the readout's probabilities: that says how sure it is, right or wrong.",
        ),
        "most probable": Mistake(
            lambda p, f: (
                _nats_read(p, f)
                - float(np.log(p[np.arange(len(f)), f]).mean())
                + float(np.log(p.max(1)).mean())
            ),
            "you took the largest probability: take the one of the true value.",
        ),
        "cut off at 0": Mistake(
            lambda p, f: max(0.0, _nats_read(p, f)),
            "you cut the result off at 0: a readout that is sure and wrong gets less than nothing; show it.",
        ),
        "not averaged": Mistake(
            lambda p, f: _nats_read(p, f) + (len(f) - 1) * float(np.log(p[np.arange(len(f)), f]).mean()),
            "you added up the pictures: take their mean.",
        ),
    },
)
