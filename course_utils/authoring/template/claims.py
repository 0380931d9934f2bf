"""Claims of lesson 99 on fresh material. The first one is also tried by `make test`: keep it quick."""

from replication import claim

from course_utils.judge import baselines, pointing_game
from course_utils.labs import load_lab
from course_utils.methods.gradients import saliency


@claim(
    "§2",
    "The gradient points at the object more often than random noise.",
    shown="0.6 against 0.2",
    holds=lambda gaps: gaps.min() > 0,
)
def test_the_gradient_beats_noise(seed):
    lab = load_lab("scenes", seed=seed, n=40)
    maps = saliency(lab.model, lab.inputs, lab.targets).abs().amax(dim=1)
    noise = baselines.random(lab.inputs)
    return (
        pointing_game(maps, lab.masks).float().mean() - pointing_game(noise, lab.masks).float().mean()
    ).item()
