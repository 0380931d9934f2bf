"""Render the pictures that the labs come with: `data/samples/*.npz`."""

import numpy as np

from course_utils.labs.files import DATA, write_arrays, write_manifest
from course_utils.labs.scenes import CLASS_NAMES, PART_NAMES, SCENE_CLASSES, Scenes, render
from course_utils.training.pictures import BANK_SEED

N_SCENES, N_PAIRS, N_SHORTCUT = 100, 60, 60
HORSE = SCENE_CLASSES.index("horse")


def write_samples() -> None:
    """Write all banks and their manifest entries."""
    folder = DATA / "samples"
    write_arrays(folder / "scenes.npz", _arrays("scenes", render("scenes", n=N_SCENES, seed=BANK_SEED)))
    pairs = render("scenes", n=N_PAIRS, seed=BANK_SEED + 1, n_objects=2)
    write_arrays(folder / "pairs.npz", _arrays("scenes", pairs))
    for lab in ("watermark", "wolves", "monsters"):
        n = N_SHORTCUT * (len(SCENE_CLASSES) if lab == "watermark" else 1)
        planted, swapped = (render(lab, n=n, seed=BANK_SEED, shortcut=how) for how in ("planted", "swapped"))
        chosen = planted.targets == HORSE if lab == "watermark" else np.ones(n, bool)
        arrays = _arrays(lab, planted, chosen)
        arrays["shortcut"] = planted.shortcut[chosen]
        # stored as the difference: nothing to store where both are alike
        arrays["difference"] = planted.images[chosen] ^ swapped.images[chosen]
        write_arrays(folder / f"{lab}.npz", arrays)
    write_manifest(lambda name: name.startswith("samples/"))
    for path in sorted(folder.glob("*.npz")):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


def _arrays(lab: str, scenes: Scenes, chosen: np.ndarray | slice = slice(None)) -> dict[str, np.ndarray]:
    return {
        "images": scenes.images[chosen],
        "targets": scenes.targets[chosen],
        "masks": scenes.masks[chosen],
        "parts": scenes.parts[chosen],
        "class_names": np.array(CLASS_NAMES[lab]),
        "part_names": np.array(PART_NAMES),
    }
