"""Small digits, 28 × 28: drawn in matplotlib's fonts, written by hand (scikit-learn), or MNIST where it is.

    lab = load_lab("digits")                             a classifier, and drawings that it was not trained on
    load_lab("digits", source="handwritten")             the same classifier on real handwriting
    load_lab("digits", model="vae").model.decode(z)      a generator of digits: (N, 12) → (N, 1, 28, 28)

The networks see one grey channel, 0 (paper) … 1 (ink).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.labs.files import read_arrays, read_weights
from course_utils.labs.lab import Lab, LabUnavailable, best_device, check_images, choose

SIZE = 28
CLASS_NAMES = tuple("0123456789")
DIGIT_MODELS = ("classifier", "second", "vae")
SOURCES = ("fonts", "new_fonts", "handwritten", "mnist")
TRAINING_SEED = 0  # of the drawings that the shipped networks were trained on
N_TRAINING = 12_000

# Two families to learn from; Computer Modern, a third one, is kept for "new_fonts".
FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique",
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique",
    "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic",
    "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta",
)  # fmt: skip
NEW_FONTS = ("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10")

# ---- how much a drawing varies
TURN = 0.22  # largest rotation, radians
SHEAR = 0.3
ZOOM = (0.68, 0.9)  # of the glyph's canvas in the picture: smaller is a larger digit
STRETCH = (0.9, 1.15)  # height over width
SHIFT = 0.1  # of half a picture
WOBBLE = 0.07  # of half a picture: standard deviation of the elastic distortion
_GLYPH, _POINTS = 84, 60  # canvas and font size of a glyph before it is distorted
_CHUNK = 500  # drawings that share a random generator


@dataclass(frozen=True)
class GreyScaling:
    """Images to a network's inputs and back: one grey channel, the mean of the colours, in 0 … 1."""

    device: torch.device

    def __call__(self, images: np.ndarray) -> Tensor:
        """uint8 `(N, 28, 28, 3)` to float `(N, 1, 28, 28)` on the device."""
        check_images(images)
        if images.shape[1:3] != (SIZE, SIZE):
            raise ValueError(f"digits have {SIZE} × {SIZE} pixels, not {images.shape[1]} × {images.shape[2]}")
        return torch.from_numpy(images).to(self.device).float().mean(dim=3)[:, None] / 255

    def invert(self, inputs: Tensor) -> np.ndarray:
        """float `(N, 1, 28, 28)` to uint8 `(N, 28, 28, 3)`, all three colours the same."""
        return np.repeat(to_grey(inputs)[..., None], 3, axis=3)


class DigitClassifier(nn.Sequential):
    """Two convolutions, two fully connected layers: `(N, 1, 28, 28)` in 0 … 1 → scores `(N, 10)`."""

    def __init__(self, width: int = 16) -> None:
        super().__init__(
            nn.Conv2d(1, width, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * width * 7 * 7, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )


class DigitVAE(nn.Module):
    """A variational autoencoder (Kingma and Welling 2014) with `latent` codes of standard normal prior."""

    def __init__(self, latent: int = 12, hidden: int = 400) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(
            nn.Flatten(),
            nn.Linear(SIZE * SIZE, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden // 2),
            nn.ReLU(),
            nn.Linear(hidden // 2, 2 * latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden // 2),
            nn.ReLU(),
            nn.Linear(hidden // 2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, SIZE * SIZE),
        )

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the codes, both `(N, latent)`."""
        return self.encoder(pictures).chunk(2, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Return the pictures `(N, 1, 28, 28)` in 0 … 1 of codes `(N, latent)`."""
        return self.decoder(codes).sigmoid().view(-1, 1, SIZE, SIZE)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return each picture as the codes' mean remembers it, `(N, 1, 28, 28)`."""
        return self.decode(self.encode(pictures)[0])

    def loss(self, pictures: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the negative evidence lower bound, `(N,)` in nats: small for pictures that look like digits.

        `noise` `(N, latent)` moves the codes off their mean; None takes the mean itself.
        """
        mean, log_variance = self.encode(pictures)
        codes = mean if noise is None else mean + noise * (log_variance / 2).exp()
        error = F.binary_cross_entropy_with_logits(
            self.decoder(codes), pictures.flatten(1), reduction="none"
        ).sum(dim=1)
        return error - 0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(dim=1)


def digits_lab(
    model: str = "classifier", *, source: str = "fonts", path: str | Path = "~/.cache/torchvision"
) -> Lab:
    """Load a network for digits, with digits that it was not trained on.

    Args:
        model: "classifier"; "second", a wider classifier that was trained on other drawings, for a second
            opinion; or "vae", whose `lab.model` is a `DigitVAE` and which predicts no classes.
        source: "fonts" (200 new drawings in the fonts of the training), "new_fonts" (200 drawings in a family
            of fonts that no network saw), "handwritten" (scikit-learn's 1,797 digits, enlarged) or "mnist".
        path: the folder that torchvision keeps MNIST in; it is never downloaded from here.

    Raises:
        ValueError: unknown model or source.
        LabUnavailable: MNIST is not in the folder.
        DataFileError: a file is missing or altered.
    """
    choose("digits", "model", model, DIGIT_MODELS)
    choose("digits", "source", source, SOURCES)
    network = {"classifier": DigitClassifier, "second": lambda: DigitClassifier(24), "vae": DigitVAE}[model]()
    network.load_state_dict(read_weights(f"weights/digits-{model}.safetensors"))
    device = best_device()
    network.to(device).eval()
    if source == "handwritten":
        pictures, targets = handwritten_digits()
    elif source == "mnist":
        pictures, targets = mnist_digits(path)
    else:
        bank = read_arrays("samples/digits.npz")
        pictures, targets = bank[f"{source}_images"], torch.from_numpy(bank[f"{source}_targets"])
    layers = {"encoder": network.encoder, "decoder": network.decoder} if model == "vae" else {
        "conv1": network[1], "conv2": network[4], "hidden": network[8]
    }  # fmt: skip
    return Lab(
        name="digits",
        model=network,
        images=np.repeat(pictures[..., None], 3, axis=3),
        targets=targets,
        class_names=CLASS_NAMES,
        preprocess=GreyScaling(device),
        layers=layers,
        layer=None if model == "vae" else network[4],
    )


def draw_digits(n: int, seed: int, fonts: Sequence[str] = FONTS) -> tuple[Tensor, Tensor]:
    """Draw digits in random fonts, sheared, turned, stretched and bent.

    The first digits of a seed are the same for every `n`; the classes take turns.

    Returns:
        Pictures `(n, 1, 28, 28)` float in 0 … 1, and classes `(n,)` long.
    """
    chunks = [
        _draw_chunk(torch.Generator().manual_seed(1_000_003 * seed + first), tuple(fonts))
        for first in range(0, n, _CHUNK)
    ]
    return torch.cat(chunks)[:n], torch.arange(n) % 10


def training_digits(n: int = N_TRAINING) -> tuple[Tensor, Tensor]:
    """Return the first `n` drawings that the shipped classifier and the VAE were trained on."""
    return draw_digits(n, TRAINING_SEED)


def handwritten_digits() -> tuple[np.ndarray, Tensor]:
    """Return scikit-learn's handwritten digits: pictures `(1797, 28, 28)` uint8 and classes `(1797,)` long.

    They have 8 × 8 pixels. They are enlarged to 20 × 20 and get a margin of four, as in MNIST.
    """
    from sklearn.datasets import load_digits  # slow to import, and few callers need it

    digits = load_digits()
    small = torch.from_numpy(digits.images / 16).float()[:, None]
    large = F.interpolate(small, (20, 20), mode="bicubic", align_corners=False).clamp(0, 1)
    return to_grey(F.pad(large, (4, 4, 4, 4))), torch.from_numpy(digits.target).long()


def mnist_digits(path: str | Path = "~/.cache/torchvision") -> tuple[np.ndarray, Tensor]:
    """Return MNIST's test set from torchvision's folder: `(10000, 28, 28)` uint8 and classes `(10000,)` long.

    Raises:
        LabUnavailable: it is not there. Nothing is downloaded.
    """
    from torchvision.datasets import MNIST  # slow to import, and few callers need it

    folder = Path(path).expanduser()
    try:
        dataset = MNIST(str(folder), train=False, download=False)
    except (RuntimeError, OSError) as error:
        raise LabUnavailable(
            f"MNIST is not in {path}. With an internet connection, fetch it once with "
            f'torchvision.datasets.MNIST("{path}", download=True) and load the lab again.'
        ) from error
    return dataset.data.numpy(), dataset.targets.long()


def to_grey(pictures: Tensor) -> np.ndarray:
    """Turn pictures `(N, 1, 28, 28)` in 0 … 1 into `(N, 28, 28)` uint8."""
    return (pictures[:, 0].detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def _draw_chunk(generator: torch.Generator, fonts: tuple[str, ...]) -> Tensor:
    n = _CHUNK

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    glyphs = _glyphs(fonts)
    glyph = glyphs[torch.randint(len(fonts), (n,), generator=generator), torch.arange(n) % 10][:, None]
    # the pen: as in the font, a little broader, or much broader
    pens = torch.stack([glyph, F.max_pool2d(glyph, 3, 1, 1), F.max_pool2d(glyph, 5, 1, 2)])
    glyph = pens[torch.randint(3, (n,), generator=generator), torch.arange(n)]
    glyph = F.avg_pool2d(glyph, 3, 1, 1)  # the picture takes every third pixel: avoid jagged edges

    angle, zoom, shear = uniform(-TURN, TURN), uniform(*ZOOM), uniform(-SHEAR, SHEAR)
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0] = zoom * angle.cos()
    affine[:, 0, 1] = shear - zoom * angle.sin()
    affine[:, 1, 0] = zoom * angle.sin()
    affine[:, 1, 1] = zoom * angle.cos() * uniform(*STRETCH)
    affine[:, 0, 2], affine[:, 1, 2] = uniform(-SHIFT, SHIFT), uniform(-SHIFT, SHIFT)
    places = F.affine_grid(affine, (n, 1, SIZE, SIZE), align_corners=False)
    bend = WOBBLE * torch.randn(n, 2, 5, 5, generator=generator)
    bend = F.interpolate(bend, (SIZE, SIZE), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    return F.grid_sample(glyph, places + bend, align_corners=False).clamp(0, 1)


@cache
def _glyphs(fonts: tuple[str, ...]) -> Tensor:
    """All digits of all fonts, `(n_fonts, 10, 84, 84)` in 0 … 1."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    rows = []
    for name in fonts:
        font = ImageFont.truetype(str(folder / f"{name}.ttf"), _POINTS)
        for digit in CLASS_NAMES:
            picture = Image.new("L", (_GLYPH, _GLYPH))
            middle = (_GLYPH / 2, _GLYPH / 2)
            ImageDraw.Draw(picture).text(middle, digit, font=font, fill=255, anchor="mm")
            rows.append(np.asarray(picture))
    return torch.from_numpy(np.stack(rows)).float().view(len(fonts), 10, _GLYPH, _GLYPH) / 255
