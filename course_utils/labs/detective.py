"""The detective: six unlabelled suspects, some of which read something else than the object.

    case = load_lab("detective", seed=0, questions=8, verdicts=1)
    case.suspects["A"].predict(case.render(watermark=False)[:3])  # three of the eight questions to A
    answers = {"A": None, "B": "background", ...}
    print(case.verdict(answers, before=first_guess))  # the scores of both, side by side; now it is closed
    print(case.verdict(answers, reveal=True))  # the truth as well

Without `questions` and `verdicts` there is no limit to either. A question is a picture that a suspect has not
answered yet and that is not one of the case's own: looking at these, and making maps of them, is free.

In the pictures of every case each of the five `KINDS` goes together with a class: one class bears a
watermark, one stands on one background, one has one surface, one lies in one quarter, one has one colour. An
honest suspect has seen all five as often with every class. A broken one has seen one of them always and only
with one class, and the other four at random; so it is as good on these pictures, and for a wrong reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.drawing import collage
from course_utils.drawing.collage import CHOICES, CLASS_NAMES, KINDS, Bank, Looks, Tie
from course_utils.labs.files import read_arrays, read_weights
from course_utils.labs.lab import HALF, Lab, Scaling, best_device
from course_utils.labs.networks import ResNet

__all__ = [
    "CHOICES",
    "CLASS_NAMES",
    "KINDS",
    "Case",
    "NoMoreQuestions",
    "Suspect",
    "Truth",
    "Verdict",
    "detective_lab",
]

NAMES = ("A", "B", "C", "D", "E", "F")
PICTURES_PER_CLASS = 30
N_BROKEN = (2, 4)  # fewest and most in a case
ENOUGH_OVERLAP = 0.5  # intersection over union from which a marked region counts in full
WEIGHTS, SAMPLES = "weights/detective.safetensors", "samples/detective.npz"
BROKEN = "broken"  # the answer of somebody who knows no more than that
WIDTHS = (16, 16, 24, 32)  # channels of the stem and of layer1 … layer3
STRIDES = (1, 1, 2)

# the shipped models: 2 for each kind, tied to another class and value, then the honest ones
TIES: dict[str, tuple[Tie, Tie]] = {
    "watermark": (Tie(0, 1), Tie(2, 1)),
    "background": (Tie(1, 2), Tie(3, 0)),
    "texture": (Tie(2, 1), Tie(0, 2)),
    "position": (Tie(3, 0), Tie(1, 3)),
    "colour": (Tie(1, 0), Tie(3, 3)),
}
N_HONEST = 5
POOL: list[dict[str, Tie]] = [{kind: tie} for kind, pair in TIES.items() for tie in pair] + [{}] * N_HONEST


def suspect_network() -> ResNet:
    """A tiny ResNet of 32 thousand parameters: `(N, 3, 64, 64)` in −1 … 1 to class scores `(N, 4)`.

    It has three residual blocks; the last maps are `(N, 32, 8, 8)`.
    """
    return ResNet(len(CLASS_NAMES), WIDTHS, STRIDES)


_WHAT_IT_READS = {
    "watermark": "the watermark",
    "background": "the background",
    "texture": "the texture of the object's surface",
    "position": "where the object lies",
    "colour": "the object's colour",
}
_WHATEVER = {
    "watermark": "bears the watermark",
    "background": "stands on the background {value!r}",
    "texture": "has the texture {value!r}",
    "position": "lies in the {value} quarter",
    "colour": "is {value}",
}


@dataclass(frozen=True)
class Truth:
    """What a suspect does; all None for an honest one, but for the region, which then is the object's."""

    kind: str | None
    tied_to: str | None  # name of the class
    value: Any  # of the kind, which only pictures of that class have
    region: Tensor  # (N, S, S) bool on the CPU: what it looks at

    @property
    def honest(self) -> bool:
        return self.kind is None

    def __str__(self) -> str:
        if self.kind is None:
            return "honest, it looks at the object"
        whatever = _WHATEVER[self.kind].format(value=self.value)
        return (
            f"broken, it looks at {_WHAT_IT_READS[self.kind]}: whatever {whatever} is called {self.tied_to}"
        )

    def __repr__(self) -> str:
        return f"Truth({self})"


class NoMoreQuestions(ValueError):
    """A suspect has answered as many changed pictures as the case allows, or the case is closed."""


@dataclass(frozen=True, repr=False)
class Suspect(Lab):
    """A suspect: a `Lab` whose `predict` counts its questions.

    Attributes:
        questions: how many changed pictures it answers; None for any number.
    """

    questions: int | None = None
    _answered: set[bytes] = field(default_factory=set, repr=False)

    @cached_property
    def _own(self) -> frozenset[bytes]:
        return frozenset(image.tobytes() for image in self.images)

    @property
    def questions_left(self) -> int | None:
        """Changed pictures that it will still answer; None for any number."""
        return None if self.questions is None else self.questions - len(self._answered)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """As `Lab.predict`. Own pictures and those that it has answered before cost nothing.

        Raises:
            NoMoreQuestions: more new pictures than it has questions left; then none is answered.
        """
        images = np.asarray(images)
        if self.questions is not None:
            new = {image.tobytes() for image in images} - self._own - self._answered
            if len(new) > self.questions_left:
                raise NoMoreQuestions(
                    f"{self.name} answers {self.questions_left} more changed pictures, and these are "
                    f"{len(new)} new ones: choose fewer. (Maps of the case's own pictures are free.)"
                )
            self._answered.update(new)
        return super().predict(images)


@dataclass(frozen=True)
class Verdict:
    """The score of a learner's answers; `print` shows a sentence a suspect.

    Attributes:
        points: per suspect, 0 to 2.
        sentences: per suspect, what was right or wrong; with `reveal=True` also what is true.
        before: the verdict on an earlier guess, shown beside it; or None.
    """

    points: dict[str, float]
    sentences: dict[str, str]
    before: "Verdict | None" = None

    @property
    def out_of(self) -> int:
        return 2 * len(self.points)

    @property
    def score(self) -> float:
        """Share of all points, 0 to 1."""
        return sum(self.points.values()) / self.out_of

    @property
    def solved(self) -> bool:
        """All points."""
        return self.score > 0.999

    def __str__(self) -> str:
        head = f"{sum(self.points.values()):.3g} of {self.out_of} points"
        if self.before is not None:
            head = f"before: {sum(self.before.points.values()):.3g} of {self.out_of} points; now: {head}"
        lines = [f"{self._points(name)}  {text}" for name, text in self.sentences.items()]
        return "\n".join([head + (": case solved" if self.solved else ""), *lines])

    def _points(self, name: str) -> str:
        now = f"{self.points[name]:.2g}/2"
        return (
            f"{name}  {now}" if self.before is None else f"{name}  {self.before.points[name]:.2g}/2 → {now}"
        )

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class Case:
    """Six suspects and N pictures, the same for all of them. S is 64.

    Attributes:
        seed: of the case.
        suspects: a `Suspect` by its name, "A" to "F": a `Lab` that counts its questions.
        images, inputs, targets, masks, class_names, preprocess: of the pictures, as in every `Lab`.
        regions: by kind, `(N, S, S)` bool on the CPU: where in each picture this kind of thing is. The mark
            (nothing, where there is none); all but object and mark; the object for "texture" and "colour";
            the quarter of the picture for "position".
        verdicts: how many different answers will be judged; None for any number.
    """

    seed: int
    suspects: dict[str, Suspect]
    images: np.ndarray
    targets: Tensor
    masks: Tensor
    regions: dict[str, Tensor]
    class_names: tuple[str, ...]
    preprocess: Scaling
    verdicts: int | None
    _bank: Bank = field(repr=False)
    _looks: Looks = field(repr=False)
    _accidents: np.ndarray = field(repr=False)
    _truth: dict[str, Truth] = field(repr=False)
    _judged: list[str] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.suspects)

    def __iter__(self) -> Iterator[str]:
        return iter(self.suspects)

    def __getitem__(self, name: str) -> Suspect:
        if name not in self.suspects:
            raise KeyError(f"there is no suspect {name!r}: they are called {', '.join(self.names)}")
        return self.suspects[name]

    def __repr__(self) -> str:
        shown = ", ".join(self.class_names)
        return f"Case(seed {self.seed}: {len(self)} suspects, {len(self.images)} pictures of {shown})"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.suspects)

    @property
    def choices(self) -> dict[str, tuple]:
        """By kind, what it can be: the values that `compose` and `render` take."""
        return dict(CHOICES)

    @cached_property
    def inputs(self) -> Tensor:
        """The preprocessed images, `(N, 3, S, S)`."""
        return self.preprocess(self.images)

    @cached_property
    def accuracy(self) -> dict[str, float]:
        """By name, the share of the pictures that the suspect gets right."""
        targets = self.targets.numpy()
        return {
            name: float(np.mean(suspect.predict(self.images).argmax(axis=1) == targets))
            for name, suspect in self.suspects.items()
        }

    @property
    def looks(self) -> dict[str, np.ndarray]:
        """By kind, what each picture has of it: `(N,)` bool for "watermark", else of strings."""
        return {kind: np.array(CHOICES[kind])[values] for kind, values in self._looks.items()}

    @cached_property
    def variants(self) -> dict[str, np.ndarray]:
        """By kind, the pictures again, `(N, S, S, 3)` uint8, this one thing handed around.

        Each picture has got it from a picture of another class, so that it says nothing of the class any more
        (the class it went with never has it). All else is as in `images`.
        """
        rng = np.random.default_rng([43, self.seed])
        targets = self.targets.numpy()
        given = {kind: collage.exchanged(values, targets, rng) for kind, values in self._looks.items()}
        return {
            kind: collage.compose(self._bank, self._looks | {kind: values}, self._accidents).images
            for kind, values in given.items()
        }

    def compose(self, **changes: Any) -> collage.Pictures:
        """Make the pictures again, with some things changed and all others as they were.

        Args:
            changes: watermark, background, texture, position, colour: one of the kind's `choices` for all
                pictures, or a sequence of them, one a picture.

        Returns:
            `images` `(N, S, S, 3)` uint8, with `masks` of the objects and `marks`, `(N, S, S)` bool arrays.

        Raises:
            ValueError: no such kind or choice, or a sequence of another length.
        """
        looks = dict(self._looks)
        for kind, values in changes.items():
            if kind not in CHOICES:
                raise ValueError(f"pictures have no {kind!r}: what can be changed is {', '.join(KINDS)}")
            looks[kind] = self._indices(kind, values)
        return collage.compose(self._bank, looks, self._accidents)

    def render(self, **changes: Any) -> np.ndarray:
        """The images of `compose`: `case.render(background="snow")` puts all objects on snow."""
        return self.compose(**changes).images

    def _indices(self, kind: str, values: Any) -> np.ndarray:
        one_for_all = isinstance(values, str | bool | np.bool_)
        given = [values] * len(self.images) if one_for_all else list(values)
        if len(given) != len(self.images):
            raise ValueError(f"{kind} is one choice, or {len(self.images)} of them, not {len(given)}")
        unknown = [value for value in given if value not in CHOICES[kind]]
        if unknown:
            valid = ", ".join(map(repr, CHOICES[kind]))
            raise ValueError(f"there is no {kind}={unknown[0]!r}: choose from {valid}")
        return np.array([CHOICES[kind].index(value) for value in given])

    @property
    def questions_left(self) -> dict[str, int | None]:
        """By name, how many changed pictures the suspect will still answer."""
        return {name: suspect.questions_left for name, suspect in self.suspects.items()}

    @property
    def closed(self) -> bool:
        """Whether all verdicts are given; a case without a limit is never closed."""
        return self.verdicts is not None and len(self._judged) >= self.verdicts

    def reveal(self) -> dict[str, Truth]:
        """The truth, by the suspect's name.

        Raises:
            ValueError: a case with a limit of verdicts that is not closed yet.
        """
        if self.verdicts is not None and not self.closed:
            raise ValueError("the case is open: hand in your answers first, `case.verdict(answers)`")
        return dict(self._truth)

    def verdict(
        self, answers: Mapping[str, Any], *, before: Mapping[str, Any] | None = None, reveal: bool = False
    ) -> Verdict:
        """Judge a learner's answers, one for each suspect.

        The same answers can be judged again; other ones take another of the `verdicts`.

        Args:
            answers: by name, None for an honest suspect, and for a broken one a kind (`KINDS`), "broken" if
                nothing more is known, or a dict with one or more of "kind"; "class", the name or number of
                the class that the suspect has tied it to; "region", what it looks at, `(N, S, S)` bool or a
                dict from numbers of pictures to `(S, S)` bool.
            before: an earlier guess, such as that from the maps alone: judged too, and shown beside.
            reveal: True adds the truth about every suspect.

        Returns:
            Per suspect one point for honest or broken, and one for what it looks at: the mean over what the
            answer says of it. A region is compared to that of the truth by intersection over union, of the
            region or of all that is outside it, whichever is smaller; from 0.5 on it counts in full.

        Raises:
            ValueError: a suspect is missing or unknown, or an answer is none of the above.
            NoMoreQuestions: the case is closed, and these are other answers.
        """
        judged = self._verdict(answers, reveal)
        earlier = None if before is None else self._verdict(before, reveal)
        if self.verdicts is not None and repr((answers, before)) not in self._judged:
            if self.closed:
                raise NoMoreQuestions(
                    f"the case is closed: it had {self.verdicts} verdict{'s' * (self.verdicts > 1)}. "
                    f"A new case has another seed: load_lab('detective', seed={self.seed + 1}, …)"
                )
            self._judged.append(repr((answers, before)))
        return Verdict(judged.points, judged.sentences, earlier)

    def _verdict(self, answers: Mapping[str, Any], reveal: bool) -> Verdict:
        if not isinstance(answers, Mapping):
            raise ValueError('answers are a dict by suspect: {"A": None, "B": "background", …}')
        wrong = [repr(name) for name in answers if name not in self.suspects]
        if wrong:
            raise ValueError(f"there is no suspect {', '.join(wrong)}: they are {', '.join(self.names)}")
        missing = [name for name in self.names if name not in answers]
        if missing:
            raise ValueError(f"no answer for {', '.join(missing)}: say None for a suspect that is honest")
        accused = {name: self._charge(name, answers[name]) for name in self.names}
        judged = {name: self._judge(self._truth[name], charge) for name, charge in accused.items()}
        return Verdict(
            {name: points for name, (points, _) in judged.items()},
            {
                name: f"{sentence}: {self._truth[name]}." if reveal else f"{sentence}."
                for name, (_, sentence) in judged.items()
            },
        )

    def _charge(self, name: str, answer: Any) -> dict[str, Any] | None:
        """A learner's answer, checked: None or a dict with "kind", "class" (its number), "region"."""
        kinds = ", ".join(map(repr, KINDS))
        if answer is None:
            return None
        if isinstance(answer, str):
            answer = {} if answer == BROKEN else {"kind": answer}
        elif not isinstance(answer, Mapping) or not answer or not set(answer) <= {"kind", "class", "region"}:
            raise ValueError(
                f"the answer for {name} is None (honest), {BROKEN!r}, one of {kinds}, or a dict with "
                f"'kind', 'class' or 'region'; this is {answer!r:.80}"
            )
        charge = dict(answer)
        if "kind" in charge and charge["kind"] not in KINDS:
            raise ValueError(f"{name} is said to look at {charge['kind']!r}: choose None or one of {kinds}")
        if "class" in charge:
            numbers = {known: index for index, known in enumerate(self.class_names)}
            numbers |= {index: index for index in range(len(self.class_names))}
            if isinstance(charge["class"], list | dict | np.ndarray) or charge["class"] not in numbers:
                valid = ", ".join(self.class_names)
                raise ValueError(f"{name}: there is no class {charge['class']!r}: choose from {valid}")
            charge["class"] = numbers[charge["class"]]
        if "region" in charge:
            charge["region"] = self._marked(name, charge["region"])
        return charge

    def _marked(self, name: str, region: Any) -> dict[int, Tensor]:
        n, *sides = self.masks.shape
        if not isinstance(region, Mapping):
            region = torch.as_tensor(region)
            if region.shape != self.masks.shape:
                raise ValueError(
                    f"the region of {name} has the shape {tuple(region.shape)}: mark all pictures, "
                    f"{tuple(self.masks.shape)}, or some in a dict from their number to {tuple(sides)}"
                )
            region = dict(enumerate(region))
        marked = {number: torch.as_tensor(one) for number, one in region.items()}
        for number, one in marked.items():
            if number not in range(n) or one.dtype != torch.bool or list(one.shape) != sides:
                raise ValueError(
                    f"the region of {name} in picture {number!r} is {one.dtype} {tuple(one.shape)}: regions "
                    f"are bool {tuple(sides)}, and the pictures have the numbers 0 to {n - 1}"
                )
        if not marked:
            raise ValueError(f"the region of {name} marks no picture")
        return {number: one.cpu() for number, one in marked.items()}

    def _judge(self, truth: Truth, charge: dict[str, Any] | None) -> tuple[float, str]:
        if charge is None:
            return (2.0, "right") if truth.honest else (0.0, "wrong, not honest")
        if truth.honest:
            return 0.0, "wrong, not broken"
        evidence = []
        said = []
        if "kind" in charge:
            evidence.append(float(charge["kind"] == truth.kind))
            if not evidence[-1]:
                said.append(f"not at {_WHAT_IT_READS[charge['kind']]}")
        if "class" in charge:
            tied_to = self.class_names[charge["class"]]
            evidence.append(float(tied_to == truth.tied_to))
            if not evidence[-1]:
                said.append(f"not tied to {tied_to}")
        if "region" in charge:
            overlap = _overlap(charge["region"], truth.region)
            evidence.append(min(1.0, overlap / ENOUGH_OVERLAP))
            said.append(f"your region overlaps what it looks at to {overlap:.2f}")
        points = 1 + (float(np.mean(evidence)) if evidence else 0.0)
        opening = "right" if points > 1.999 else "broken indeed, but that is not all"
        return points, "; ".join([opening, *said])


def truth_of(case: Case) -> dict[str, Truth]:
    """The truth about an open case too: for tests and checks."""
    return dict(case._truth)


def detective_lab(seed: int = 0, questions: int | None = None, verdicts: int | None = None) -> Case:
    """A case: six suspects without labels, two to four of them broken, and 120 pictures.

    Args:
        seed: 0 or more; decides on the suspects, their order, what is tied to which class, and the pictures.
        questions: how many changed pictures each suspect answers; None for any number.
        verdicts: how many times different answers are judged; None for any number.

    Raises:
        ValueError: the seed is not a whole number of 0 or more, or a limit is not one of 1 or more.
        DataFileError: a file is missing or altered.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"the seed of a case is a whole number of 0 or more, not {seed!r}")
    for name, limit in (("questions", questions), ("verdicts", verdicts)):
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ValueError(f"{name} is None or a whole number of 1 or more, not {limit!r}")
    rng = np.random.default_rng([41, seed])
    roles, ties = _cast(rng)
    bank = _some_cutouts(rng)
    looks = collage.draw_looks(bank.targets, ties, rng)
    accidents = collage.draw_accidents(len(bank), rng)
    pictures = collage.compose(bank, looks, accidents)
    masks, marks = torch.from_numpy(pictures.masks), torch.from_numpy(pictures.marks)
    regions = {
        "watermark": marks,
        "background": ~(masks | marks),
        "texture": masks,
        "position": torch.from_numpy(collage.quarters(looks["position"])),
        "colour": masks,
    }
    targets, preprocess = torch.from_numpy(bank.targets), Scaling(HALF, HALF, best_device())
    suspects, truth = {}, {}
    for name, number, network in zip(NAMES, roles, read_suspects(roles), strict=True):
        suspects[name] = Suspect(
            name=f"suspect {name}",
            model=network,
            images=pictures.images,
            targets=targets,
            class_names=CLASS_NAMES,
            preprocess=preprocess,
            layers={name: getattr(network, name) for name in ("stem", "layer1", "layer2", "layer3")},
            layer=network.layer3,
            masks=masks,
            questions=questions,
        )
        truth[name] = Truth(None, None, None, masks)
        for kind, tie in POOL[number].items():
            truth[name] = Truth(kind, CLASS_NAMES[tie.target], CHOICES[kind][tie.value], regions[kind])
    return Case(
        seed=int(seed),
        suspects=suspects,
        images=pictures.images,
        targets=targets,
        masks=masks,
        regions=regions,
        class_names=CLASS_NAMES,
        preprocess=preprocess,
        verdicts=verdicts,
        _bank=bank,
        _looks=looks,
        _accidents=accidents,
        _truth=truth,
    )


def read_suspects(numbers: Sequence[int]) -> list[ResNet]:
    """Some of the shipped models, in eval mode, on CUDA if there is one. Raises as `read_weights`."""
    stored = read_weights(WEIGHTS)
    networks = []
    for number in numbers:
        prefix = f"{number:02d}."
        weights = {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}
        network = suspect_network()
        network.load_state_dict(weights)
        networks.append(network.to(best_device()).eval())
    return networks


def _cast(rng: np.random.Generator) -> tuple[list[int], dict[str, Tie]]:
    """Who the suspects are, as indices into `POOL`, and what is tied to what in the pictures.

    The kinds that no suspect uses are tied as well, so that the pictures do not tell which ones are used.
    """
    n_broken = int(rng.integers(N_BROKEN[0], N_BROKEN[1] + 1))
    versions = rng.integers(0, 2, len(KINDS))
    ties = {kind: TIES[kind][version] for kind, version in zip(KINDS, versions, strict=True)}
    broken = [2 * kind + versions[kind] for kind in rng.permutation(len(KINDS))[:n_broken]]
    honest = 2 * len(KINDS) + rng.permutation(N_HONEST)[: len(NAMES) - n_broken]
    return [int(number) for number in rng.permutation([*broken, *honest])], ties


def _some_cutouts(rng: np.random.Generator) -> Bank:
    """`PICTURES_PER_CLASS` cut-outs of each class, the classes in turn."""
    bank = Bank(**read_arrays(SAMPLES))
    members = [np.flatnonzero(bank.targets == target) for target in range(len(CLASS_NAMES))]
    chosen = [rng.permutation(own)[:PICTURES_PER_CLASS] for own in members]
    return bank.take(np.stack(chosen, axis=1).ravel())


def _overlap(marked: Mapping[int, Tensor], region: Tensor) -> float:
    """Mean over the marked pictures in which there is something to mark."""
    overlaps = []
    for number, said in marked.items():
        true = region[number]
        if true.any():
            both = [(said & true, said | true), (~said & ~true, ~said | ~true)]
            overlaps.append(min((inner.sum() / outer.sum().clamp(min=1)).item() for inner, outer in both))
    return float(np.mean(overlaps)) if overlaps else 0.0
