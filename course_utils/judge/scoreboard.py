"""The scoreboard: every method of the table on the same pictures, by the same measures.

    board = scoreboard(lab.model, inputs, targets, masks, lab.layer)
    print(board.to_markdown())

A result of one of the course's methods is kept in the user's cache folder under a key of all that decides it:
the network, the pictures, the masks, the settings, and the code of all methods and measures as it is loaded.
Change any of them, and everything is measured again. A method of your own, or a network whose code is neither
the course's nor a library's, is measured each time. The files are JSON: numbers and text, nothing to run.
"""

import csv
import io
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils.judge.fingerprint import Fingerprint, NoKey, check_is_the_courses
from course_utils.judge.localisation import energy_in_mask, mask_iou, pointing_game
from course_utils.judge.methods_table import Method, count_passes, image_methods
from course_utils.judge.perturbation import blur, deletion, insertion, sensitivity_max
from course_utils.judge.statistics import bootstrap_interval
from course_utils.judge.tables import Table
from course_utils.methods.arguments import check_inputs, check_maps, check_target
from course_utils.methods.hooks import evaluation, target_scores

# measure: (does a larger value mean a better map?, what it is in a few words); None: neither is better
MEASURES: dict[str, tuple[bool | None, str]] = {
    "pointing": (True, "the maximum lies on the object"),
    "energy": (True, "share of the map on the object"),
    "IoU": (True, "overlap of the strongest pixels with the object"),
    "deletion": (False, "area under the curve while the strongest pixels are taken away"),
    "insertion": (True, "area under the curve while the strongest pixels come back"),
    "infidelity": (False, "share of the score's changes that the map does not explain"),
    "sensitivity": (False, "relative change of the map when the picture hardly changes"),
    "complexity": (None, "entropy of the map: 0 one pixel, 1 the same everywhere"),
}
COSTS = ("passes", "seconds")


@dataclass(frozen=True)
class Settings:
    """How the measures are taken; all of it takes part in the cache's key.

    Attributes:
        tolerance: pixels that the pointing game forgives.
        fractions: of the pixels that are changed, at which the deletion and insertion curves are taken
            besides 0 and 1; closer together at the start, where good maps differ.
        n_squares: random squares of each picture for the infidelity.
        square: their side, as a share of the picture's shorter side.
        radius: of the change for the sensitivity, in units of the input.
        n_sensitivity: pictures for the sensitivity, the first ones: it costs another explanation for each.
    """

    tolerance: float = 5
    fractions: tuple[float, ...] = (0.04, 0.15, 0.4)
    n_squares: int = 16
    square: float = 0.25
    radius: float = 0.05
    n_sensitivity: int = 4


@dataclass(frozen=True)
class Scoreboard:
    """Results of all methods.

    Attributes:
        values: method → measure → one value a picture.
        costs: method → "passes" (forward plus backward, a picture) and "seconds" (a picture).
        baselines: names of the maps that know nothing of the model.
        from_cache: names of the methods that were not measured now.
    """

    values: dict[str, dict[str, list[float]]]
    costs: dict[str, dict[str, float]]
    baselines: tuple[str, ...]
    from_cache: tuple[str, ...] = ()

    def measure(self, name: str) -> dict[str, Tensor]:
        """Method → `(N,)` values of one measure."""
        return {method: torch.tensor(measured[name]) for method, measured in self.values.items()}

    def mean(self, method: str, measure: str) -> float:
        """Mean of a measure over the pictures, or a cost."""
        if measure in COSTS:
            return self.costs[method][measure]
        values = self.values[method][measure]
        return sum(values) / len(values)

    def interval(self, method: str, measure: str) -> tuple[float, float]:
        """95 % bootstrap interval of the mean."""
        return bootstrap_interval(torch.tensor(self.values[method][measure]))

    def rank(self, measure: str) -> dict[str, int]:
        """Method → rank by a measure, 1 is the best, ties share the better rank."""
        upward, _ = MEASURES[measure]
        if upward is None:
            raise ValueError(f"{measure} has no better or worse: it cannot rank")
        means = {
            method: round(self.mean(method, measure), 9) * (1 if upward else -1) for method in self.values
        }
        return {method: 1 + sum(other > mean for other in means.values()) for method, mean in means.items()}

    def rows(self) -> list[dict[str, str | float]]:
        """One row a method: mean, low and high end of the interval of each measure, passes and seconds."""
        rows = []
        for method in self.values:
            row: dict[str, str | float] = {"method": method, "knows the model": method not in self.baselines}
            for measure in MEASURES:
                low, high = self.interval(method, measure)
                row |= {
                    measure: self.mean(method, measure),
                    f"{measure} low": low,
                    f"{measure} high": high,
                }
            rows.append(row | self.costs[method])
        return rows

    def to_csv(self) -> str:
        """The table as CSV text, with the intervals."""
        rows, text = self.rows(), io.StringIO()
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()})
        return text.getvalue()

    def to_markdown(self) -> str:
        """The table of the means as Markdown text."""
        rows = []
        for method in self.values:
            cells = [f"{self.mean(method, measure):.2f}" for measure in MEASURES]
            cells += [f"{self.costs[method]['passes']:.0f}", f"{self.costs[method]['seconds']:.3f}"]
            rows.append((method, *cells))
        return Table(("method", *MEASURES, *COSTS), tuple(rows)).markdown() + "\n"

    def save(self, path: Path | str) -> Path:
        """Write the table: `.csv` or `.md` decides the format."""
        path = Path(path)
        writers = {".csv": self.to_csv, ".md": self.to_markdown}
        if path.suffix not in writers:
            raise ValueError(
                f"the table can be saved as .csv or .md, not as {path.suffix or 'a file without an ending'}"
            )
        path.write_text(writers[path.suffix](), encoding="utf-8")
        return path


def scoreboard(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    masks: Tensor,
    layer: nn.Module | str,
    *,
    methods: Mapping[str, Method] | None = None,
    settings: Settings | None = None,
    cache: bool = True,
    progress: bool = True,
) -> Scoreboard:
    """Measure every method on the same pictures.

    Args:
        model: classifier, in eval mode.
        inputs: pictures `(N, C, H, W)`, float, preprocessed.
        targets: `(N,)`, the class that each picture is asked for.
        masks: `(N, H, W)` bool, the object of that class.
        layer: the last convolutional layer, for the CAM family.
        methods: None takes all of `image_methods()`.
        settings: None takes the defaults of `Settings`.
        cache: keep the results of the course's own methods, and take them from there; `cache_folder()` says
            where.
        progress: show a progress bar.

    Raises:
        ValueError: shapes that do not fit together.
    """
    methods = image_methods() if methods is None else methods
    settings = settings or Settings()
    inputs = check_inputs(model, inputs)
    targets = check_target(targets, inputs)
    if not isinstance(masks, Tensor) or masks.dtype != torch.bool:
        raise TypeError(f"masks must be a bool tensor, not {getattr(masks, 'dtype', type(masks).__name__)}")
    if masks.shape != (len(inputs), *inputs.shape[2:]):
        raise ValueError(f"masks must be {(len(inputs), *inputs.shape[2:])}, not {tuple(masks.shape)}")
    base = _fingerprint(model, inputs, targets, masks, layer, settings) if cache else None
    results, from_cache = {}, []
    shared = None
    bar = _progress(list(methods.values()), progress)
    for method in bar:
        if hasattr(bar, "set_description"):
            bar.set_description(method.name)
        key = _key(base, method)
        file = cache_folder() / f"{key}.json" if key else None
        result = _read(file, len(inputs)) if file else None
        if result is None:
            if shared is None:
                shared = _share(model, inputs, targets, settings)
            result = _measure(method, model, inputs, targets, masks, layer, settings, shared)
            if file:
                _write(file, result)
        else:
            from_cache.append(method.name)
        results[method.name] = result
    return Scoreboard(
        values={name: result["values"] for name, result in results.items()},
        costs={name: result["costs"] for name, result in results.items()},
        baselines=tuple(name for name, method in methods.items() if method.is_baseline),
        from_cache=tuple(from_cache),
    )


def complexity(maps: Tensor) -> Tensor:
    """Entropy of a map's shares, divided by that of a constant map (Bhatt et al. 2020, section 4).

    Args:
        maps: `(N, H, W)` float; negative values count by their size.

    Returns:
        `(N,)` in 0 … 1: 0 for a single pixel, 1 where all are alike. A map of zeros counts as constant.
    """
    sizes = check_maps(maps).abs().flatten(1).double()
    sizes = torch.where(sizes.amax(dim=1, keepdim=True) > 0, sizes, 1)
    shares = sizes / sizes.sum(dim=1, keepdim=True)
    entropy = -torch.xlogy(shares, shares).sum(dim=1) / math.log(max(shares.shape[1], 2))
    return entropy.clamp(0, 1).to(maps.dtype)


def square_infidelity(maps: Tensor, squares: Tensor, falls: Tensor) -> Tensor:
    """Share of the score's changes that the map does not predict, up to the map's unit.

    Infidelity (Yeh et al. 2019, definition 2.1) with squares as perturbations: a map predicts that the score
    falls by the sum of its values in the square. One factor a picture, the best positive one, takes the unit
    out; then the mean square of the error is divided by that of the falls.

    Args:
        maps: `(N, H, W)`.
        squares: `(S, N, H, W)` bool, what was covered.
        falls: `(S, N)`, how far the score fell.

    Returns:
        `(N,)` in 0 … 1; 0: the map predicts each fall, 1: no better than "nothing ever changes".
    """
    predicted = torch.stack([(maps * square).sum(dim=(1, 2)) for square in squares]).double()
    falls = falls.double()
    power = (predicted**2).sum(dim=0)
    factor = torch.where(power > 0, (predicted * falls).sum(dim=0) / power.clamp(min=1e-300), 0).clamp(min=0)
    error = ((factor * predicted - falls) ** 2).mean(dim=0)
    total = (falls**2).mean(dim=0)
    return torch.where(total > 0, error / total.clamp(min=1e-300), 0).float()


def cache_folder() -> Path:
    """Where results are kept: `$XAI_COURSE_CACHE`, else a folder of the user's cache."""
    chosen = os.environ.get("XAI_COURSE_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        home = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Caches"
    else:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "xai_course" / "scoreboard"


# ------------------------------------------------------------------------------------- measuring


def random_squares(inputs: Tensor, n_squares: int, share: float) -> Tensor:
    """`(n_squares, N, H, W)` bool: squares at random places, the same at each call."""
    n, _, height, width = inputs.shape
    side = max(1, round(share * min(height, width)))
    generator = torch.Generator().manual_seed(0)
    top = torch.randint(height - side + 1, (n_squares, n, 1, 1), generator=generator)
    left = torch.randint(width - side + 1, (n_squares, n, 1, 1), generator=generator)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    inside = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
    return inside.to(inputs.device)


@dataclass(frozen=True)
class _Shared:
    """What is the same for all methods, and computed once."""

    squares: Tensor  # (S, N, H, W) bool
    falls: Tensor  # (S, N): how far the score falls when a square is blurred
    ends: Tensor  # (N, 2): probability of the class in the whole picture, and in the blurred one


def _share(model: nn.Module, inputs: Tensor, targets: Tensor, settings: Settings) -> _Shared:
    squares = random_squares(inputs, settings.n_squares, settings.square)
    soft = blur(inputs, min(inputs.shape[2:]) / 8)
    with evaluation(model), torch.no_grad():
        full = target_scores(model, inputs, targets)
        falls = [
            full - target_scores(model, torch.where(square[:, None], soft, inputs), targets)
            for square in squares
        ]
    any_map = torch.zeros_like(inputs[:, 0])
    ends = deletion(model, inputs, targets, any_map, substrate="blur", fractions=()).probabilities
    return _Shared(squares, torch.stack(falls), ends)


def _measure(
    method: Method,
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    masks: Tensor,
    layer: nn.Module | str,
    settings: Settings,
    shared: _Shared,
) -> dict:
    n = len(inputs)
    start = time.process_time()
    with count_passes(model) as passes:
        maps = method.explain(model, inputs, targets, layer).float()
    seconds = (time.process_time() - start) / n
    few, few_targets = inputs[: settings.n_sensitivity], targets[: settings.n_sensitivity]
    sensitivity = sensitivity_max(
        lambda x: method.explain(model, x, few_targets, layer), few, settings.radius, n_samples=1
    )
    masks = masks.to(maps.device)
    curve = {"substrate": "blur", "fractions": settings.fractions}
    values = {
        "pointing": pointing_game(maps, masks, settings.tolerance),
        "energy": energy_in_mask(maps, masks),
        "IoU": mask_iou(maps, masks),
        "deletion": deletion(model, inputs, targets, maps, ends=shared.ends, **curve).area,
        "insertion": insertion(model, inputs, targets, maps, ends=shared.ends.flip(1), **curve).area,
        "infidelity": square_infidelity(maps, shared.squares, shared.falls),
        "sensitivity": sensitivity,
        "complexity": complexity(maps),
    }
    return {
        "values": {name: [round(float(v), 7) for v in value] for name, value in values.items()},
        "costs": {"passes": (passes.forward + passes.backward) / n, "seconds": seconds},
    }


def _progress(methods: Sequence[Method], shown: bool):
    if not shown:
        return methods
    from tqdm.auto import tqdm

    return tqdm(methods, leave=False)


# ------------------------------------------------------------------------------------- the cache


def _fingerprint(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    masks: Tensor,
    layer: nn.Module | str,
    settings: Settings,
) -> Fingerprint | None:
    """All that decides every method's result: network, pictures, truth, code, and how it is measured.

    None: some of it cannot be keyed.
    """
    names = {id(module): name for name, module in model.named_modules()}
    base = Fingerprint()
    try:
        base.value([inputs, targets, masks, settings, MEASURES])
        base.value(layer if isinstance(layer, str) else names.get(id(layer)))
        base.model(model)
        base.shared_code()
    except NoKey:
        return None
    return base


def _key(base: Fingerprint | None, method: Method) -> str | None:
    """The name of a result in the cache; None: it cannot be kept."""
    if base is None or type(method) is not Method:
        return None
    key = base.copy()
    try:
        for function in (method.function, method.reduce):
            check_is_the_courses(function)
            key.text(f"{function.__module__}.{function.__qualname__}")
        key.value([method.name, method.family, sorted(method.settings.items())])
    except NoKey:
        return None
    return key.hexdigest()


def _read(file: Path, n: int) -> dict | None:
    """A result from the cache; None when there is none, or none that is whole."""
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
        values, costs = result["values"], result["costs"]
        whole = (
            set(values) == set(MEASURES)
            and all(len(values[m]) == n for m in MEASURES if m != "sensitivity")
            and all(math.isfinite(v) for measured in values.values() for v in measured)
            and all(math.isfinite(costs[c]) for c in COSTS)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return {"values": values, "costs": costs} if whole else None


def _write(file: Path, result: dict) -> None:
    """Write beside, then move: nobody reads half a file. A folder that cannot be written is no error."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}.part")
        beside.write_text(json.dumps(result), encoding="utf-8")
        beside.replace(file)
    except OSError:
        return
