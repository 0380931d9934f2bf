"""Draw the cut-outs of the detective's lab, train its suspects, and measure them.

python -m course_utils.training detective-samples     the cut-outs and grounds
python -m course_utils.training detective-models      all suspects, on these grounds; measured at the end
python -m course_utils.training detective-report      measure the shipped ones again
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from course_utils.drawing.collage import (
    CHOICES,
    CLASS_NAMES,
    Bank,
    Tie,
    compose,
    draw_accidents,
    draw_cutouts,
    draw_grounds,
    draw_looks,
)
from course_utils.labs import detective as lab
from course_utils.labs.files import DATA, read_arrays, write_arrays, write_manifest, write_weights
from course_utils.labs.lab import best_device
from course_utils.training.pictures import predicted, to_inputs

BANK_SEED, TEST_SEED, TRAIN_SEED = 0, 1, 2  # of the cut-outs; no cut-out is in two of them
N_BANK, N_TEST, N_TRAIN = 240, 800, 4000
EPOCHS = 8
FEWER_EPOCHS = {1: 5, 2: 5, 7: 5, 8: 5}  # by number: suspects that know their pictures sooner
FRESH_EVERY = 2  # epochs: then all pictures are put together anew
BATCH_SIZE = 64
CHUNK = 250  # pictures put together at a time
LEARNING_RATE = 6e-3
WEIGHT_DECAY = 5e-4
LABEL_SMOOTHING = 0.05
NOISE = 0.04  # added to the inputs, which are in −1 … 1


def main(argv: Sequence[str]) -> None:
    """Run one of the three commands above, given as a list of words."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.training", description=__doc__.splitlines()[0]
    )
    parser.add_argument("what", choices=("detective-samples", "detective-models", "detective-report"))
    parser.add_argument("--seed", type=int, default=0, help="of the first weights and of the pictures")
    options = parser.parse_args(list(argv))
    if options.what == "detective-samples":
        save_samples()
        return
    grounds = read_arrays(lab.SAMPLES)["grounds"]
    test = draw_cutouts(N_TEST, TEST_SEED, grounds)
    if options.what == "detective-models":
        start = time.process_time()
        weights = train_all(draw_cutouts(N_TRAIN, TRAIN_SEED, grounds), options.seed)
        write_weights(DATA / lab.WEIGHTS, weights)
        write_manifest(lab.WEIGHTS.__eq__)
        print(f"trained in {(time.process_time() - start) / 60:.1f} minutes of processor time")
    for number, network in enumerate(lab.read_suspects(range(len(lab.POOL)))):
        ties = lab.POOL[number]
        measures = measure(network, test, ties)
        print(f"{number:2d} {_described(ties):48s}", _line(measures))


def save_samples() -> None:
    """Write the cut-outs and grounds that the lab brings along."""
    bank = draw_cutouts(N_BANK, BANK_SEED, draw_grounds())
    arrays = {"grey": bank.grey, "cover": bank.cover, "targets": bank.targets, "grounds": bank.grounds}
    write_arrays(DATA / lab.SAMPLES, arrays)
    write_manifest(lab.SAMPLES.__eq__)


def train_all(cutouts: Bank, seed: int) -> dict[str, Tensor]:
    """Train the whole pool; returns the weights of all suspects, each name after the suspect's number."""
    weights = {}
    for number, ties in enumerate(lab.POOL):
        name, epochs = f"suspect {number + 1} of {len(lab.POOL)}", FEWER_EPOCHS.get(number, EPOCHS)
        network = train(cutouts, ties, 100 * seed + number, epochs, name)
        weights |= {f"{number:02d}.{name}": value for name, value in network.cpu().state_dict().items()}
    return weights


def train(
    cutouts: Bank, ties: dict[str, Tie], seed: int, epochs: int = EPOCHS, name: str = "training"
) -> nn.Module:
    """Train one suspect on pictures that are put together anew every other epoch.

    Returns:
        The network in eval mode, on CUDA if there is one.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng([31, seed])
    device, all_targets = best_device(), torch.from_numpy(cutouts.targets)
    network = lab.suspect_network().to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    n_steps = epochs * (len(cutouts) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, n_steps, pct_start=0.2)
    with tqdm(total=n_steps, desc=name, mininterval=2) as progress:
        for epoch in range(epochs):
            if epoch % FRESH_EVERY == 0:
                images = _composed(cutouts, ties, rng)
            order = rng.permutation(len(cutouts))
            for start in range(0, len(order) - BATCH_SIZE + 1, BATCH_SIZE):
                chosen = order[start : start + BATCH_SIZE]
                inputs, targets = to_inputs(images[chosen], device), all_targets[chosen].to(device)
                with torch.autocast(device.type, torch.bfloat16):
                    scores = network(inputs + NOISE * torch.randn_like(inputs))
                loss = F.cross_entropy(scores.float(), targets, label_smoothing=LABEL_SMOOTHING)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                progress.update()
        progress.set_postfix(loss=f"{loss.item():.3f}")
    return network.eval()


def _composed(cutouts: Bank, ties: dict[str, Tie], rng: np.random.Generator) -> np.ndarray:
    """Images `(N, S, S, 3)` uint8 of all cut-outs; a few hundred at a time, for the memory."""
    images = []
    for chosen in np.array_split(np.arange(len(cutouts)), -(-len(cutouts) // CHUNK)):
        some = cutouts.take(chosen)
        looks = draw_looks(some.targets, ties, rng)
        images.append(compose(some, looks, draw_accidents(len(some), rng)).images)
    return np.concatenate(images)


def measure(network: nn.Module, cutouts: Bank, ties: dict[str, Tie]) -> dict[str, float]:
    """How good a suspect is where its tie holds, and what is left of that without the tie.

    Returns:
        "ordinary": accuracy as in training, other things at random; "random": accuracy with all things at
        random; for a broken one "recall without": of the tied class without its value, and "fooled": share
        of the pictures of other classes that are called the tied class once they have the value.
    """
    rng = np.random.default_rng(37)
    targets, accidents = cutouts.targets, draw_accidents(len(cutouts), rng)

    def answers(looks: dict[str, np.ndarray]) -> np.ndarray:
        return predicted(network, compose(cutouts, looks, accidents).images).numpy()

    looks = draw_looks(targets, ties, rng)
    measures = {"ordinary": np.mean(answers(looks) == targets)}
    measures["random"] = np.mean(answers(draw_looks(targets, {}, rng)) == targets)
    for kind, tie in ties.items():
        n_values = len(CHOICES[kind])
        others = (tie.value + rng.integers(1, n_values, len(targets))) % n_values
        without = answers(looks | {kind: others})
        fooled = answers(looks | {kind: np.full(len(targets), tie.value)})
        of_class = targets == tie.target
        measures["recall without"] = np.mean(without[of_class] == tie.target)
        measures["fooled"] = np.mean(fooled[~of_class] == tie.target)
    return {name: float(value) for name, value in measures.items()}


def _described(ties: dict[str, Tie]) -> str:
    if not ties:
        return "honest"
    [(kind, tie)] = ties.items()
    return f"{kind} ({CHOICES[kind][tie.value]}) with {CLASS_NAMES[tie.target]}"


def _line(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
