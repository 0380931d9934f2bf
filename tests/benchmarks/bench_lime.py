"""LIME on the course's own networks beside the `lime` package: same questions, equal coefficients, time.

    python tests/benchmarks/bench_lime.py [n_samples]

First the lab network (promised: 3 times the package's speed at 1,000 samples), then ten pictures of about 200
superpixels (promised: 60 s on two cores), then MobileNetV2 if its weights are here (promised: no slower).
The first is not kept: both sides ask the same `lab.predict`, whose forward passes are most of the time.
"""

import sys
import time

import numpy as np
from bench_blackbox import failures, report, seconds
from skimage.segmentation import slic

from course_utils.labs import LabUnavailable, load_lab
from course_utils.labs.lab import Lab
from course_utils.methods.lime import lime_image
from course_utils.teach.lime_packages import lime_package_image


def main(n_samples: int = 1000) -> None:
    lab = load_lab("scenes")
    compare("scenes", lab, int(lab.targets[0]), 50, n_samples, promised=3)
    homework(lab, n_samples)
    try:
        photos = load_lab("photos")
    except LabUnavailable as error:
        print(f"MobileNetV2 skipped: {error}")
    else:
        compare("MobileNetV2", photos, int(photos.targets[0]), 50, max(n_samples // 5, 10), promised=0.95)
    if failures:
        sys.exit("\n".join(failures))


def compare(name: str, lab: Lab, target: int, n_segments: int, n_samples: int, promised: float) -> None:
    """One picture, the same questions for both."""
    image = lab.images[0]
    segments = superpixels(image, n_segments)

    def ours() -> np.ndarray:
        random = np.random.RandomState(0)
        random.randint(0, 1000)  # the package seeds its segmentation first
        return lime_image(lab.predict, image, target, segments, n_samples, random_state=random).coefficients

    def theirs() -> np.ndarray:
        return lime_package_image(lab.predict, image, target, segments, n_samples)

    lab.predict(lab.images[:2])  # warms up
    time_ours, result_ours = seconds(ours, 2)
    time_theirs, result_theirs = seconds(theirs, 2)
    apart = float(np.abs(result_ours - result_theirs).max())
    report(f"lime, {name}, {n_samples} samples", time_theirs / time_ours, time_ours, apart, promised)
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
