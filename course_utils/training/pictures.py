"""Train the picture classifiers of the rendered labs."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import fuse_conv_bn_eval
from tqdm import tqdm

from course_utils.drawing.scenes import CLASS_NAMES, SIZE, render
from course_utils.labs.files import DATA, read_weights, write_weights
from course_utils.labs.networks import resnet, zfnet

N_TRAIN = {"scenes": 8000, "watermark": 7000, "wolves": 3000, "monsters": 2500}
N_TEST = 1000
BATCH_SIZE = 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 5e-4
LABEL_SMOOTHING = 0.05
NOISE = 0.05  # added to the inputs, which are in −1 … 1
DROPOUT = 0.1  # before the last layer of zfnet
EPOCHS = {"scenes": 7, "watermark": 6, "wolves": 5, "monsters": 4}
CLEAN_EPOCHS = {"watermark": 9, "wolves": 5, "monsters": 7}  # without a shortcut there is more to learn
ZFNET_EPOCHS = 12  # without residual connections it learns more slowly
CHECKPOINT_STEPS = (20, 60, 150, 400)

ADVERSARIAL_EPOCHS = 2
ADVERSARIAL_RADIUS = 3.0  # L2 norm of the perturbation of one picture's inputs
ADVERSARIAL_STEPS = 2
ADVERSARIAL_LEARNING_RATE = 1e-3

# seeds of the renderer; training adds a multiple of 1000, so no picture is ever in two sets
TEST_SEED, BANK_SEED, TRAIN_SEED = 500, 2, 1000
CHUNK = 500  # pictures rendered at a time: only their images are kept

MODELS = {
    "scenes": ("resnet", "zfnet", "zfnet_robust"),
    "watermark": ("shortcut", "clean"),
    "wolves": ("shortcut", "clean"),
    "monsters": ("shortcut", "clean"),
}


@dataclass(frozen=True)
class Pictures:
    """Images `(N, H, W, 3)` uint8 with their classes `(N,)`."""

    images: np.ndarray
    targets: Tensor


def rendered_pictures(lab: str, n: int, seed: int, shortcut: str = "planted") -> Pictures:
    """Render pictures for training or testing; the masks are thrown away."""
    images, targets = np.empty((n, SIZE, SIZE, 3), np.uint8), torch.empty(n, dtype=torch.long)
    for start in tqdm(range(0, n, CHUNK), desc=f"rendering {lab}", leave=False):
        count = min(CHUNK, n - start)
        scenes = render(lab, n=count, seed=seed + start // CHUNK, shortcut=shortcut)
        images[start : start + count] = scenes.images
        targets[start : start + count] = torch.from_numpy(scenes.targets)
    return Pictures(images, targets)


def training_pictures(lab: str, seed: int, shortcut: str) -> Pictures:
    return rendered_pictures(lab, N_TRAIN[lab], TRAIN_SEED * (seed + 1), shortcut)


def test_pictures(lab: str, shortcut: str, n: int = N_TEST) -> Pictures:
    """Pictures that no model was trained on, the same for every seed of training."""
    return rendered_pictures(lab, n, TEST_SEED, shortcut)


def train_model(
    lab: str, model: str, seed: int, start: Mapping[str, Tensor] | None = None
) -> tuple[nn.Module, dict[int, nn.Module]]:
    """Train one of the `MODELS` as it is shipped.

    Args:
        lab, model: which one.
        seed: of the training pictures, the first weights and the order.
        start: weights that "zfnet_robust" starts from, those of a "zfnet"; default: the shipped ones.

    Returns:
        The network in eval mode, and copies by the number of steps trained (for "zfnet", else none).
    """
    data = training_pictures(lab, seed, "random" if model == "clean" else "planted")
    torch.manual_seed(seed)
    n_classes = len(CLASS_NAMES[lab])
    if not model.startswith("zfnet"):
        network = resnet(n_classes)
        epochs = CLEAN_EPOCHS if model == "clean" else EPOCHS
        fit(network, data, epochs[lab], LEARNING_RATE)
        return network.cpu().eval(), {}
    if model == "zfnet_robust":  # a fine-tuned twin of the shipped zfnet
        network = zfnet(n_classes)
        network.load_state_dict(start or read_weights("weights/scenes-zfnet.safetensors"))
        fit(network, data, ADVERSARIAL_EPOCHS, ADVERSARIAL_LEARNING_RATE, radius=ADVERSARIAL_RADIUS)
        return network.cpu().eval(), {}
    network = with_batch_norm(zfnet(n_classes))
    copies = fit(network, data, ZFNET_EPOCHS, LEARNING_RATE, keep_at=CHECKPOINT_STEPS)
    plain = {step: fold_batch_norm(copy) for step, copy in copies.items()}
    return fold_batch_norm(network), plain


def fit(
    network: nn.Module,
    data: Pictures,
    epochs: int,
    learning_rate: float,
    *,
    radius: float = 0.0,
    keep_at: tuple[int, ...] = (),
) -> dict[int, nn.Module]:
    """Train in place with AdamW and one cycle of the learning rate (Smith and Topin 2018).

    Args:
        network: trained on CUDA if there is one, where it then stays.
        radius: above 0 trains on adversarial examples of this L2 radius instead (Madry et al. 2018, eq. 2.1).
        keep_at: numbers of steps after which a copy is kept; the last step is kept as well if any is.

    Returns:
        The copies by step, on the CPU.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=WEIGHT_DECAY)
    n_steps = epochs * (len(data.images) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, n_steps, pct_start=0.2)
    copies: dict[int, nn.Module] = {}
    mean_loss = None
    progress = tqdm(_batches(data, epochs, device), total=n_steps, mininterval=5, desc="training")
    for step, (inputs, targets) in enumerate(progress, start=1):
        inputs = inputs + NOISE * torch.randn_like(inputs)
        if radius > 0:
            inputs = adversarial(network, inputs, targets, radius)
        loss = _loss(network, inputs, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        mean_loss = loss.item() if mean_loss is None else 0.95 * mean_loss + 0.05 * loss.item()
        if step % 10 == 0:
            progress.set_postfix(loss=f"{mean_loss:.3f}")
        if step in keep_at or (keep_at and step == n_steps):
            copies[step] = deepcopy(network).cpu()
    network.eval()
    return copies


def adversarial(network: nn.Module, inputs: Tensor, targets: Tensor, radius: float) -> Tensor:
    """Climb the loss by gradient steps of length 0.7 radius, never further than `radius` from the inputs."""
    change = 0.01 * torch.randn_like(inputs)
    for _ in range(ADVERSARIAL_STEPS):
        change.requires_grad_()
        (gradient,) = torch.autograd.grad(_loss(network, inputs + change, targets), change)
        change = change.detach() + 0.7 * radius * gradient / (_norms(gradient) + 1e-9)
        change = change * (radius / (_norms(change) + 1e-9)).clamp(max=1)
    return inputs + change


def accuracy(network: nn.Module, data: Pictures) -> float:
    """Share of pictures whose class has the highest score."""
    return (predicted(network, data.images) == data.targets).float().mean().item()


@torch.inference_mode()
def predicted(network: nn.Module, images: np.ndarray) -> Tensor:
    """Classes `(N,)` of images `(N, H, W, 3)` uint8, on the CPU."""
    network.eval()
    device = next(network.parameters()).device
    answers = [network(to_inputs(batch, device)).argmax(dim=1).cpu() for batch in chunks(images)]
    return torch.cat(answers)


def to_inputs(images: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """uint8 `(N, H, W, 3)` to float `(N, 3, H, W)` in −1 … 1, the channels last in memory."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def chunks(images: np.ndarray, size: int = 128) -> Iterator[np.ndarray]:
    for start in range(0, len(images), size):
        yield images[start : start + size]


def with_batch_norm(network: nn.Sequential) -> nn.Sequential:
    """Put batch norm behind each convolution, and dropout before the last layer."""
    trained = nn.Sequential()
    *_, last = (name for name, _ in network.named_children())
    for name, module in network.named_children():
        if name == last:
            trained.add_module("dropout", nn.Dropout(DROPOUT))
        trained.add_module(name, module)
        if isinstance(module, nn.Conv2d):
            trained.add_module(name.replace("conv", "norm"), nn.BatchNorm2d(module.out_channels))
    return trained


def fold_batch_norm(network: nn.Sequential) -> nn.Sequential:
    """Undo `with_batch_norm` in a copy that computes the same in eval mode: norms move into weights."""
    network = deepcopy(network).cpu().eval()
    children = dict(network.named_children())
    plain = nn.Sequential()
    for name, module in children.items():
        norm = children.get(name.replace("conv", "norm"))
        if isinstance(module, nn.Conv2d) and norm is not None:
            module = fuse_conv_bn_eval(module, norm)
        if not isinstance(module, nn.BatchNorm2d | nn.Dropout):
            plain.add_module(name, module)
    return plain.eval()


def weights_file(lab: str, model: str) -> Path:
    return DATA / "weights" / f"{lab}-{model}.safetensors"


def checkpoint_file(step: int) -> Path:
    return DATA / "weights" / "zfnet-steps" / f"{step:05d}.safetensors"


def save_model(network: nn.Module, copies: dict[int, nn.Module], path: Path, ships_copies: bool) -> None:
    """Write the weights, and the copies of the steps where the course ships them."""
    write_weights(path, network.state_dict())
    if ships_copies and copies:
        for old in checkpoint_file(0).parent.glob("*.safetensors"):
            old.unlink()
        for step, copy in copies.items():
            write_weights(checkpoint_file(step), copy.state_dict())


def _batches(data: Pictures, epochs: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(epochs):
        order = torch.randperm(len(data.images))
        for start in range(0, len(order) - BATCH_SIZE + 1, BATCH_SIZE):
            chosen = order[start : start + BATCH_SIZE]
            yield to_inputs(data.images[chosen.numpy()], device), data.targets[chosen].to(device)


def _loss(network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    with torch.autocast(inputs.device.type, torch.bfloat16):  # twice as fast on processors that know it
        scores = network(inputs)
    return F.cross_entropy(scores.float(), targets, label_smoothing=LABEL_SMOOTHING)


def _norms(values: Tensor) -> Tensor:
    return values.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
