"""Train the two tiny language models of lesson 16, and report how good they are.

    python -m course_utils.training induction [--seeds 3] [--write]

Each model is trained for every seed; seed 0 is shipped. What is measured on the way (loss, accuracy and what
the heads look at) is stored beside the weights.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.labs.files import DATA, write_manifest, write_weights
from course_utils.labs.induction import (
    FIXED_PATTERN,
    LONGEST_PATTERN,
    MODELS,
    SHORTEST_PATTERN,
    WEIGHTS,
    AttentionOnly,
    accuracy,
    new_model,
    patterns,
)
from course_utils.methods.circuits import attention_at_distance
from course_utils.training.table import put_table

N_STEPS = 4_000
RATE = 2e-3
WARM_UP = 100
BATCH = 64
MOMENTS = (*range(0, 1000, 25), *range(1000, N_STEPS + 1, 250))  # steps at which something is measured
TRAINING_SEED = 7_000_000  # far from the seeds of `InductionLab.sample`


def train(
    variant: str, seed: int = 0, n_steps: int = N_STEPS, *, skip: int = 0
) -> tuple[AttentionOnly, Tensor]:
    """Train one model; also returns what was measured on the way, `(moments, 5)`, columns as `CURVES`.

    AdamW, a rate that rises for 100 steps and falls to zero, gradients clipped to length 1, 64 texts a step
    with one pattern length. The loss counts the letters from the second copy on; `skip` leaves out so many of
    the first ones. (The very first one is no copy of what followed: the pattern begins again.)
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng([TRAINING_SEED, seed])
    model = new_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / WARM_UP, max(1 - step / n_steps, 0.0))
    )
    curves = []
    for step in range(n_steps + 1):
        if step in MOMENTS:
            curves.append([step, *_measure(model)])
        if step == n_steps:
            break
        length = (
            FIXED_PATTERN
            if variant == "one_length"
            else int(rng.integers(SHORTEST_PATTERN, LONGEST_PATTERN + 1))
        )
        tokens = patterns(BATCH, length, rng)
        first = length + skip  # the place whose next letter is the first to count
        loss = F.cross_entropy(model(tokens)[:, first:-1].flatten(0, 1), tokens[:, first + 1 :].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval(), torch.tensor(curves)


def _measure(model: AttentionOnly) -> tuple[float, float, float, float]:
    """Loss, accuracy, head 0's weight on the letter before, head 1's on the letter after the first copy."""
    length = FIXED_PATTERN
    tokens = patterns(50, length, np.random.default_rng(TRAINING_SEED + 1), 2 * length + 1)
    with torch.no_grad():
        logits = model(tokens)[:, length:-1].flatten(0, 1)
        loss = F.cross_entropy(logits, tokens[:, length + 1 :].flatten()).item()
        first, second = (step["weights"] for step in model.steps(tokens))
    previous = attention_at_distance(first, 1, first=2).mean().item()
    induction = attention_at_distance(second, length - 1, first=length + 1).mean().item()
    return loss, accuracy(model, tokens, length), previous, induction


def report(trained: dict[tuple[str, int], AttentionOnly]) -> str:
    """The table for data/README.md: the accuracy at several pattern lengths, shipped and other seeds."""
    lengths = (4, 6, 8, 12, 16, 20, 22)
    head = "| model | seed | " + " | ".join(f"pattern of {n}" for n in lengths) + " |\n"
    rows = []
    for (variant, seed), model in trained.items():
        values = [accuracy(model, patterns(400, n, np.random.default_rng([9, n])), n) for n in lengths]
        name = f"{seed} (shipped)" if seed == 0 else str(seed)
        rows.append(f"| {variant} | {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    return head + "|---" * (len(lengths) + 2) + "|\n" + "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train both models for each seed, write the shipped file, and report."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.training",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("command", choices=["induction"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the report into data/README.md")
    options = parser.parse_args(arguments)

    trained, curves, start = {}, {}, time.perf_counter()
    for variant in MODELS:
        for seed in range(options.seeds):
            trained[variant, seed], measured = train(variant, seed)
            curves.setdefault(variant, []).append(measured)
            print(f"{variant}, seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)
    tensors = {f"birth_{variant}": torch.stack(rows) for variant, rows in curves.items()}
    for variant in MODELS:
        weights = trained[variant, 0].state_dict()
        tensors |= {f"{variant}.{name}": tensor for name, tensor in weights.items()}
    write_weights(DATA / WEIGHTS, tensors)
    write_manifest(WEIGHTS.__eq__)
    table = report(trained)
    print(table)
    if options.write:
        put_table("induction", table)


if __name__ == "__main__":
    main()
