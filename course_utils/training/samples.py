"""Render the pictures that the labs come with: `data/samples/*.npz`."""

from course_utils.labs.files import DATA, write_arrays, write_manifest
from course_utils.labs.rendered import BANKS, render_bank
from course_utils.training.pictures import BANK_SEED


def write_samples() -> None:
    """Write all banks and their manifest entries."""
    folder = DATA / "samples"
    for (lab, n_objects), bank in BANKS.items():
        # the seeds of the two banks of scenes differ
        arrays = render_bank(lab, bank.n, BANK_SEED + n_objects - 1, n_objects)
        write_arrays(folder / f"{bank.file}.npz", arrays)
    write_manifest(lambda name: name.startswith("samples/"))
    for path in sorted(folder.glob("*.npz")):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
