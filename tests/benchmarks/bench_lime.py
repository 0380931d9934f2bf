"""LIME on the course's own networks beside the `lime` package: same questions, equal coefficients, time.

    python tests/benchmarks/bench_lime.py [n_samples]

First the lab network, then ten pictures of about 200 superpixels (promised: 60 s), then a real ImageNet
network. Promised for both networks: never below 0.95 of the package's speed. Both sides ask the same
`lab.predict`, whose forward passes are most of the time, so that there is little to gain.
"""

import sys
import time

import numpy as np
import torch
from bench_blackbox import HEADING, in_the_model, report
from measure import SLOWEST, failures, finish, quiet
from skimage.segmentation import slic

from course_utils.labs import load_lab
from course_utils.labs.lab import Lab
from course_utils.methods.lime import lime_image
from course_utils.teach.lime_packages import lime_package_image


def main(n_samples: int = 1000) -> None:
    torch.set_num_threads(1)
    print(HEADING)
    lab, photos = load_lab("scenes"), load_lab("photos")
    compare("scenes", lab, int(lab.targets[0]), 50, n_samples)
    compare("photos", photos, int(photos.targets[0]), 50, max(n_samples // 5, 10))
    homework(lab, n_samples)
    finish()


def compare(name: str, lab: Lab, target: int, n_segments: int, n_samples: int) -> None:
    """One picture, the same questions for both."""
    image = lab.images[0]
    segments = superpixels(image, n_segments)

    def predict(images: np.ndarray) -> np.ndarray:
        begin = time.process_time()
        answers = lab.predict(images)
        in_the_model[0] += time.process_time() - begin
        return answers

    def ours() -> np.ndarray:
        random = np.random.RandomState(0)
        random.randint(0, 1000)  # the package seeds its segmentation first
        return lime_image(predict, image, target, segments, n_samples, random_state=random).coefficients

    def theirs() -> np.ndarray:
        return lime_package_image(lab.predict, image, target, segments, n_samples)

    lab.predict(lab.images[:2])  # warms up
    with quiet():
        apart = float(np.abs(ours() - theirs()).max())
    report(f"lime, {name}, {n_samples} samples", ours, theirs, apart, SLOWEST)
    if apart > 1e-5:
        failures.append(f"lime, {name}: coefficients differ by {apart:.1e}")


def homework(lab: Lab, n_samples: int) -> None:
    """Ten pictures of about 200 superpixels, one after the other."""
    start = time.perf_counter()
    for image, target in zip(lab.images[:10], lab.targets[:10], strict=True):
        lime_image(lab.predict, image, int(target), superpixels(image, 200), n_samples)
    taken = time.perf_counter() - start
    print(f"ten pictures, about 200 superpixels, {n_samples} samples each: {taken:.0f} s")
    if taken > 60:
        failures.append(f"ten pictures take {taken:.0f} s, promised 60")


def superpixels(image: np.ndarray, n_segments: int) -> np.ndarray:
    return slic(image, n_segments=n_segments, compactness=10, sigma=1, start_label=0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
