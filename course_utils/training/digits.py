"""Train the networks of the digits lab, draw its bank of samples, and report how good they are.

python -m course_utils.training digits-classifier     the classifier, the second opinion, and the samples
python -m course_utils.training digits-vae
python -m course_utils.training digits-report [--seeds 3]
"""

import argparse
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from course_utils.labs import digits as lab
from course_utils.labs.files import DATA, write_arrays, write_manifest, write_weights

SECOND_SEED = 7  # of the second opinion: its drawings and its first weights
SAMPLE_SEEDS = {"fonts": 101, "new_fonts": 102}


def main(argv: Sequence[str]) -> None:
    """Run one of the three commands above, given as a list of words."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.training", description=__doc__.splitlines()[0]
    )
    parser.add_argument("what", choices=("digits-classifier", "digits-vae", "digits-report"))
    parser.add_argument("--seeds", type=int, default=3, help="networks to train for the report")
    options = parser.parse_args(list(argv))
    if options.what == "digits-classifier":
        save_samples()
        for name, width, seed in (("classifier", 16, lab.TRAINING_SEED), ("second", 24, SECOND_SEED)):
            network = train_classifier(seed, width)
            _ship(network, f"weights/digits-{name}.safetensors")
            print(name, _line(accuracies(network)))
    elif options.what == "digits-vae":
        network = train_vae(lab.TRAINING_SEED)
        _ship(network, "weights/digits-vae.safetensors")
        print("vae", _line(vae_quality(network)))
    else:
        report(options.seeds)


def train_classifier(seed: int, width: int = 16, epochs: int = 8) -> lab.DigitClassifier:
    """Train a classifier on 12,000 drawings of its own seed."""
    pictures, targets = lab.draw_digits(lab.N_TRAINING, seed)
    torch.manual_seed(seed)
    network = lab.DigitClassifier(width)
    _fit(network, lambda i: F.cross_entropy(network(pictures[i]), targets[i]), epochs, rate=2e-3)
    return network


def train_vae(seed: int, epochs: int = 50) -> lab.DigitVAE:
    """Train the autoencoder on the classifier's drawings."""
    pictures, _ = lab.draw_digits(lab.N_TRAINING, seed)
    torch.manual_seed(seed)
    network = lab.DigitVAE()

    def loss(i: Tensor) -> Tensor:
        return network.loss(pictures[i], torch.randn(len(i), network.latent)).mean()

    _fit(network, loss, epochs, rate=2e-3, batch_size=200)
    return network


def accuracies(network: nn.Module) -> dict[str, float]:
    """Return the accuracy on new drawings, on a family of fonts never seen, and on real handwriting."""
    handwriting, written = lab.handwritten_digits()
    sets = {
        "new drawings": lab.draw_digits(2000, SAMPLE_SEEDS["fonts"]),
        "new fonts": lab.draw_digits(2000, SAMPLE_SEEDS["new_fonts"], lab.NEW_FONTS),
        "handwriting": (torch.from_numpy(handwriting)[:, None].float() / 255, written),
    }
    with torch.inference_mode():
        return {
            name: (network(pictures).argmax(dim=1) == targets).float().mean().item()
            for name, (pictures, targets) in sets.items()
        }


def vae_quality(network: lab.DigitVAE, judge: nn.Module | None = None) -> dict[str, float]:
    """Return the loss on new drawings, and the share of 1,000 samples that a classifier is 90 % sure of."""
    if judge is None:
        judge = lab.digits_lab("second").model.cpu()
    pictures, _ = lab.draw_digits(2000, SAMPLE_SEEDS["fonts"])
    codes = torch.randn(1000, network.latent, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        sure = judge(network.decode(codes)).softmax(dim=1).amax(dim=1) > 0.9
        return {
            "loss (nats)": network.loss(pictures).mean().item(),
            "legible samples": sure.float().mean().item(),
        }


def report(n_seeds: int) -> None:
    """Train `n_seeds` networks of each kind on drawings of their own, and print mean and range."""
    rows = []
    for seed in range(n_seeds):
        classifier = train_classifier(seed)
        rows.append(accuracies(classifier) | vae_quality(train_vae(seed), train_classifier(seed + 50, 24)))
    for name in rows[0]:
        values = [row[name] for row in rows]
        low, high = min(values), max(values)
        print(f"{name:16s} mean {np.mean(values):8.3f}   {low:8.3f} … {high:.3f}   ({n_seeds} seeds)")


def save_samples(n: int = 200) -> None:
    """Draw the pictures that the lab brings along."""
    bank = {}
    for name, fonts in (("fonts", lab.FONTS), ("new_fonts", lab.NEW_FONTS)):
        pictures, targets = lab.draw_digits(n, SAMPLE_SEEDS[name], fonts)
        bank |= {f"{name}_images": lab.to_grey(pictures), f"{name}_targets": targets.numpy()}
    write_arrays(DATA / "samples/digits.npz", bank)
    write_manifest("samples/digits.npz".__eq__)


def _fit(
    network: nn.Module, loss: Callable[[Tensor], Tensor], epochs: int, rate: float, batch_size: int = 100
) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
    n_steps = epochs * lab.N_TRAINING // batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=n_steps, pct_start=0.1)
    network.train()
    with tqdm(total=n_steps, desc="training", unit="batch") as bar:
        for _ in range(epochs):
            for batch in torch.randperm(lab.N_TRAINING).split(batch_size):
                value = loss(batch)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                schedule.step()
                bar.update()
        bar.set_postfix(loss=f"{value.item():.3f}")
    network.eval().requires_grad_(False)


def _ship(network: nn.Module, name: str) -> None:
    write_weights(DATA / name, network.state_dict())
    write_manifest(name.__eq__)


def _line(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
