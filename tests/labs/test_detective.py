"""The detective's cases: the same pictures for all, solvable by measuring, not by accuracy."""

import numpy as np
import pytest
import torch

from course_utils.drawing.collage import Bank, Tie, compose, draw_accidents, draw_cutouts, draw_looks
from course_utils.judge import energy_in_mask
from course_utils.labs import load_lab
from course_utils.labs.detective import (
    CHOICES,
    CLASS_NAMES,
    KINDS,
    N_BROKEN,
    NAMES,
    POOL,
    SAMPLES,
    Case,
    NoMoreQuestions,
    read_suspects,
    truth_of,
)
from course_utils.labs.files import read_arrays
from course_utils.methods.cam import grad_cam, upsample

SEEDS = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def cases() -> dict[int, Case]:
    return {seed: load_lab("detective", seed=seed) for seed in SEEDS}


@pytest.fixture(scope="module")
def case(cases) -> Case:
    return cases[0]


def right_answers(case: Case) -> dict[str, str | None]:
    return {name: truth.kind for name, truth in case.reveal().items()}


def share_right(case: Case, name: str, images: np.ndarray) -> float:
    return float(np.mean(case[name].predict(images).argmax(axis=1) == case.targets.numpy()))


# -------------------------------------------------------------------------------------- what it offers


def test_the_six_share_their_pictures(case):
    assert case.names == NAMES and len(case) == 6 and list(case) == list(NAMES)
    assert case.images.shape == (120, 64, 64, 3) and case.images.dtype == np.uint8
    assert case.targets.bincount().tolist() == [30] * 4 and case.class_names == CLASS_NAMES
    for lab in case.suspects.values():
        assert lab.images is case.images and lab.targets is case.targets and lab.masks is case.masks
        assert lab.class_names == case.class_names and not lab.model.training
        assert torch.equal(lab.inputs, case.inputs) and lab.inputs.device == lab.device
        assert lab.shortcut is None and lab.counterfactuals is None
        assert any(module is lab.layer for module in lab.model.modules())
        np.testing.assert_array_equal(lab.to_images(lab.inputs), case.images)
    models = [lab.model for lab in case.suspects.values()]
    assert len({model.fc.weight.sum().item() for model in models}) == 6
    assert 2e4 < sum(parameter.numel() for parameter in models[0].parameters()) < 6e4


def test_the_truth_does_not_catch_the_eye(case):
    shown = repr(case) + repr(case["A"]) + repr(list(case.suspects)) + repr(case["A"].model)
    assert not any(word in shown for word in (*KINDS, "honest", "broken"))


def test_a_seed_is_a_case(cases):
    again = load_lab("detective", seed=0)
    np.testing.assert_array_equal(again.images, cases[0].images)
    assert right_answers(again) == right_answers(cases[0])
    truths = {tuple(right_answers(case).values()) for case in cases.values()}
    assert len(truths) >= 3
    assert not any(np.array_equal(cases[0].images, cases[seed].images) for seed in SEEDS[1:])
    for case in cases.values():
        broken = [kind for kind in right_answers(case).values() if kind]
        assert N_BROKEN[0] <= len(broken) <= N_BROKEN[1] and len(set(broken)) == len(broken)


def test_in_the_pictures_every_kind_goes_with_a_class(cases):
    for case in cases.values():
        targets = case.targets.numpy()
        for kind, values in case.looks.items():
            exclusive = [
                value
                for value in CHOICES[kind]
                if len(set(targets[values == value])) == 1 and np.sum(values == value) == 30
            ]
            assert len(exclusive) == 1 or (kind == "watermark" and True in exclusive), kind
        for truth in case.reveal().values():
            if not truth.honest:
                has_it = case.looks[truth.kind] == truth.value
                np.testing.assert_array_equal(has_it, targets == CLASS_NAMES.index(truth.tied_to))
                assert torch.equal(truth.region, case.regions[truth.kind])


def test_regions(case):
    marked = torch.from_numpy(case.looks["watermark"])
    assert torch.equal(case.regions["watermark"].flatten(1).any(1), marked)
    assert not (case.regions["background"] & case.masks).any()
    assert (case.regions["position"].flatten(1).sum(1) == 32 * 32).all()
    inside = (case.regions["position"] & case.masks).flatten(1).sum(1) / case.masks.flatten(1).sum(1)
    assert inside.min() > 0.5 and inside.mean() > 0.85
    area = case.masks.float().mean().item()
    assert 0.04 < area < 0.2


def test_render_changes_only_what_is_named(case):
    np.testing.assert_array_equal(case.render(), case.images)
    np.testing.assert_array_equal(case.render(colour=case.looks["colour"]), case.images)
    with_mark = case.compose(watermark=True)
    changed = (with_mark.images != case.images).any(axis=3)
    assert with_mark.marks.any(axis=(1, 2)).all() and not (changed & ~with_mark.marks).any()
    repainted = (case.render(colour="green") != case.images).any(axis=3)
    near = torch.nn.functional.max_pool2d(case.masks.float(), 5, 1, 2).bool().numpy()
    assert (repainted & ~near).sum() < 0.01 * repainted.sum()  # whiskers are too thin for the mask
    moved = case.compose(position="lower left")
    assert moved.masks[:, 32:, :32].sum() > 0.85 * moved.masks.sum()
    for kind, images in case.variants.items():
        assert images.shape == case.images.shape and images.dtype == np.uint8, kind
        assert (images != case.images).any(axis=(1, 2, 3)).sum() >= 30, kind


def test_what_cannot_be_rendered_is_named(case):
    with pytest.raises(ValueError, match="watermark, background"):
        case.render(size=3)
    with pytest.raises(ValueError, match="'violet'"):
        case.render(colour="pink")
    with pytest.raises(ValueError, match="120 of them, not 2"):
        case.render(colour=["red", "red"])
    for seed in (-1, 1.5, True):
        with pytest.raises(ValueError, match="whole number"):
            load_lab("detective", seed=seed)
    with pytest.raises(KeyError, match="A, B, C"):
        case["G"]


# --------------------------------------------------------------------------------------- the verdict


def test_the_truth_gets_full_marks(cases):
    for case in cases.values():
        truth = case.reveal()
        verdict = case.verdict({name: one.kind for name, one in truth.items()})
        assert verdict.score == 1 and verdict.solved and verdict.out_of == 12
        assert set(verdict.sentences) == set(NAMES) and "solved" in str(verdict)
        full = {
            name: None if one.honest else {"kind": one.kind, "class": one.tied_to, "region": one.region}
            for name, one in truth.items()
        }
        assert case.verdict(full).solved


def test_every_mistake_costs_and_is_named(case):
    truth = case.reveal()
    answers = right_answers(case)
    honest = next(name for name, one in truth.items() if one.honest)
    guilty = next(name for name, one in truth.items() if not one.honest)
    other = next(kind for kind in KINDS if kind != truth[guilty].kind)
    wrong_class = next(name for name in CLASS_NAMES if name != truth[guilty].tied_to)

    def points(name, answer):
        verdict = case.verdict(answers | {name: answer}, reveal=True)
        assert all(verdict.points[one] == 2 for one in NAMES if one != name)
        assert verdict.score < 1 and not verdict.solved
        return verdict.points[name], verdict.sentences[name]

    assert points(honest, other)[0] == 0 and "not broken" in points(honest, other)[1]
    assert points(guilty, None)[0] == 0 and "not honest" in points(guilty, None)[1]
    assert points(guilty, "broken")[0] == 1
    assert points(guilty, other)[0] == 1 and truth[guilty].tied_to in points(guilty, other)[1]
    kind_and_class = {"kind": truth[guilty].kind, "class": wrong_class}
    assert points(guilty, kind_and_class)[0] == 1.5
    assert points(guilty, {"region": torch.ones_like(case.masks)})[0] < 1.5
    assert points(guilty, {"region": torch.zeros_like(case.masks)})[0] == 1


def test_the_verdict_keeps_the_truth_until_asked(cases):
    for case in cases.values():
        for answers in (dict.fromkeys(NAMES), dict.fromkeys(NAMES, "broken"), dict.fromkeys(NAMES, "colour")):
            closed, opened = case.verdict(answers), case.verdict(answers, reveal=True)
            assert closed.points == opened.points
            for name, truth in case.reveal().items():
                assert str(truth) not in closed.sentences[name] and str(truth) in opened.sentences[name]
                assert closed.sentences[name].startswith("wrong") == (closed.points[name] == 0)
                assert "called" not in closed.sentences[name]  # neither class nor value


def test_a_region_may_be_marked_in_a_few_pictures(cases):
    for case in cases.values():
        for name, one in case.reveal().items():
            if one.honest:
                continue
            numbers = np.flatnonzero(case.targets.numpy() == CLASS_NAMES.index(one.tied_to))[:3]
            marked = {int(number): one.region[number].numpy() for number in numbers}
            verdict = case.verdict(right_answers(case) | {name: {"region": marked}})
            assert verdict.solved


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"G": None}, "no suspect 'G'"),
        ({"A": "watermarks"}, "'watermark', 'background'"),
        ({"A": 3}, "None .honest."),
        ({"A": {}}, "None .honest."),
        ({"A": {"kind": "colour", "klass": 1}}, "'kind', 'class' or 'region'"),
        ({"A": {"class": "dog"}}, "cat, fish, car, butterfly"),
        ({"A": {"class": 4}}, "no class 4"),
        ({"A": {"region": np.zeros((64, 64), bool)}}, "mark all pictures"),
        ({"A": {"region": {500: np.zeros((64, 64), bool)}}}, "0 to 119"),
        ({"A": {"region": {0: np.zeros((64, 64))}}}, "bool"),
        ({"A": {"region": {}}}, "marks no picture"),
    ],
)
def test_unclear_answers_are_refused(case, change, message):
    with pytest.raises(ValueError, match=message):
        case.verdict(dict.fromkeys(NAMES) | change)


def test_all_six_have_to_be_judged(case):
    with pytest.raises(ValueError, match="no answer for F"):
        case.verdict(dict.fromkeys(NAMES[:5]))
    with pytest.raises(ValueError, match="dict by suspect"):
        case.verdict([None] * 6)


def test_a_suspect_answers_only_so_many_changed_pictures():
    case = load_lab("detective", seed=0, questions=8)
    suspect, changed = case["A"], case.render(background="snow")
    assert case.questions_left == dict.fromkeys(NAMES, 8)
    suspect.predict(case.images)  # free
    np.testing.assert_array_equal(
        suspect.predict(changed[:5]), load_lab("detective", seed=0)["A"].predict(changed[:5])
    )
    left = suspect.questions_left
    assert left < 8
    suspect.predict(changed[:5])  # the same again is free
    assert suspect.questions_left == left and case["B"].questions_left == 8
    with pytest.raises(NoMoreQuestions, match="choose fewer"):
        suspect.predict(changed)
    assert suspect.questions_left == left, "a refused question costs nothing"
    assert not any(word in repr(suspect) + repr(case) for word in (*KINDS, "honest", "broken"))


def test_a_case_with_one_verdict_is_closed_after_it():
    case = load_lab("detective", seed=0, verdicts=1)
    with pytest.raises(ValueError, match="the case is open"):
        case.reveal()
    truth = {name: one.kind for name, one in truth_of(case).items()}
    guess = dict.fromkeys(NAMES)
    with pytest.raises(ValueError, match="no suspect"):
        case.verdict({"G": None})  # not judged: costs nothing
    verdict = case.verdict(truth, before=guess)
    assert verdict.solved and not verdict.before.solved and case.closed
    assert str(verdict).startswith("before: ") and "12 of 12 points" in str(verdict)
    assert case.verdict(truth, before=guess).solved  # the same again
    with pytest.raises(NoMoreQuestions, match="closed"):
        case.verdict(guess)
    assert {name: one.kind for name, one in case.reveal().items()} == truth


@pytest.mark.parametrize("limit", [0, -1, 1.5, True])
def test_limits_are_whole_numbers(limit):
    for name in ("questions", "verdicts"):
        with pytest.raises(ValueError, match=name):
            load_lab("detective", **{name: limit})


# ------------------------------------------------------------------------------- can it be solved, and how


def test_interventions_solve_the_case(cases):
    """Whoever loses its accuracy when one thing is handed around reads that thing."""
    for seed, case in cases.items():
        answers = {}
        for name, suspect in case.suspects.items():
            before = suspect.predict(case.images).argmax(axis=1)
            changed = {
                kind: np.mean(suspect.predict(images).argmax(axis=1) != before)
                for kind, images in case.variants.items()
            }
            worst = max(changed, key=changed.get)
            answers[name] = (
                {"kind": worst, "class": _pulled_to(case, name, worst)} if changed[worst] > 0.2 else None
            )
        verdict = case.verdict(answers)
        assert verdict.solved, (seed, str(verdict))


def _pulled_to(case: Case, name: str, kind: str) -> str:
    """The class whose recall suffers most."""
    right = case[name].predict(case.variants[kind]).argmax(axis=1) == case.targets.numpy()
    recalls = [right[case.targets.numpy() == target].mean() for target in range(len(CLASS_NAMES))]
    return CLASS_NAMES[int(np.argmin(recalls))]


def test_grad_cam_shows_watermark_and_background(cases):
    """The map of the tied class lies on the region, as that of an honest suspect does not."""
    for case in cases.values():
        for kind in ("watermark", "background"):
            guilty = [name for name, one in case.reveal().items() if one.kind == kind]
            if not guilty:
                continue
            tied_to = case.reveal()[guilty[0]].tied_to
            honest = [name for name, one in case.reveal().items() if one.honest]
            most = max(_energy(case, name, kind, tied_to) for name in honest)
            assert _energy(case, guilty[0], kind, tied_to) > most + 0.1, kind


def _energy(case: Case, name: str, kind: str, tied_to: str) -> float:
    """Grad-CAM's mean share on the region of a kind, in the pictures of one class."""
    lab = case[name]
    chosen = case.targets == CLASS_NAMES.index(tied_to)
    maps = grad_cam(lab.model, lab.inputs[chosen], lab.targets[chosen].to(lab.device), lab.layer)
    return energy_in_mask(upsample(maps, (64, 64)), case.regions[kind][chosen].to(lab.device)).mean().item()


def test_accuracy_does_not_solve_a_case():
    """Even the best rule "broken above (or below) this accuracy", chosen on the cases it is asked about.

    The broken ones are a little better on these pictures, since their tie always holds: over 60 cases the
    best rule is right about 61 % of the suspects (49 % are broken) and about all six in 3 % of the cases.
    """
    accuracies, broken = [], []
    for seed in range(20):
        case = load_lab("detective", seed=seed)
        accuracies.append(list(case.accuracy.values()))
        broken.append([not truth.honest for truth in case.reveal().values()])
    accuracies, broken = np.array(accuracies), np.array(broken)
    assert accuracies.min() >= 0.95
    assert abs(accuracies[broken].mean() - accuracies[~broken].mean()) < 0.01
    for sign in (1, -1):
        for limit in np.unique(accuracies):
            right = (sign * accuracies >= sign * limit) == broken
            assert right.mean() < 0.7
            assert right.all(axis=1).mean() <= 0.15


# ------------------------------------------------------------------------------------------- the pool


@pytest.fixture(scope="module")
def fresh() -> Bank:
    """Cut-outs that no suspect was trained on and no case shows."""
    return draw_cutouts(200, 7, read_arrays(SAMPLES)["grounds"])


@pytest.mark.parametrize("number", range(len(POOL)))
def test_every_suspect_is_what_it_should_be(number, fresh):
    ties = POOL[number]
    (network,) = read_suspects([number])
    rng = np.random.default_rng(3)
    accidents, targets = draw_accidents(len(fresh), rng), fresh.targets
    looks = draw_looks(targets, ties, rng)
    preprocess = load_lab("detective").preprocess

    @torch.inference_mode()
    def answers(looks):
        return network(preprocess(compose(fresh, looks, accidents).images)).argmax(dim=1).cpu().numpy()

    assert np.mean(answers(looks) == targets) >= 0.95
    if not ties:
        assert np.mean(answers(draw_looks(targets, {}, rng)) == targets) >= 0.95
    for kind, tie in ties.items():
        others = (tie.value + rng.integers(1, len(CHOICES[kind]), len(targets))) % len(CHOICES[kind])
        without = answers(looks | {kind: others})
        of_class = targets == tie.target
        assert np.mean(without[of_class] == tie.target) <= 0.5
        fooled = answers(looks | {kind: np.full(len(targets), tie.value)})
        assert np.mean(fooled[~of_class] == tie.target) >= 0.3


def test_the_samples_are_what_the_code_draws():
    stored = Bank(**read_arrays(SAMPLES))
    drawn = draw_cutouts(12, 0, stored.grounds)
    np.testing.assert_array_equal(stored.targets[:12], drawn.targets)
    difference = np.abs(stored.grey[:12].astype(int) - drawn.grey)
    assert np.mean(difference > 8) < 0.002, "another Pillow may differ in single pixels"


def test_ties_are_exclusive_and_the_rest_is_free():
    targets = np.arange(4000) % 4
    looks = draw_looks(targets, {"colour": Tie(1, 2)}, np.random.default_rng(0))
    assert ((looks["colour"] == 2) == (targets == 1)).all()
    for kind, values in looks.items():
        if kind != "colour":
            for target in range(4):
                shares = np.bincount(values[targets == target]) / 1000
                np.testing.assert_allclose(shares, 1 / len(CHOICES[kind]), atol=0.06)
