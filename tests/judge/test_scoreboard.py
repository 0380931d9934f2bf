"""The table of methods and the scoreboard: complete, truthful about costs, cached by content."""

import csv
import dataclasses
import functools
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from course_utils.judge import baselines, blur, methods_table, scoreboard
from course_utils.judge.methods_table import Method, count_passes, image_methods
from course_utils.judge.scoreboard import COSTS, MEASURES, Scoreboard, Settings, complexity, square_infidelity
from course_utils.methods.cam import grad_cam, score_cam

QUICK = ("saliency", "Grad-CAM", "CAM", "edges (Sobel)", "constant")
SETTINGS = Settings(tolerance=1, fractions=(0.1, 0.5), n_squares=4, n_sensitivity=2)


def network(seed=0, classes=4):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, classes),
        )
    return model.eval()


def pictures(n=4, side=32, seed=1):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def masks(n=4, side=32):
    truth = torch.zeros(n, side, side, dtype=torch.bool)
    truth[:, 8:20, 8:20] = True
    return truth


def board(folder=None, model=None, methods=QUICK, inputs=None, settings=SETTINGS, **options):
    everything = image_methods()
    inputs = pictures() if inputs is None else inputs
    return scoreboard.scoreboard(
        model or network(),
        inputs,
        torch.arange(len(inputs)) % 4,
        masks(len(inputs)),
        "4",
        methods={name: everything[name] for name in methods},
        settings=settings,
        progress=False,
        **options,
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XAI_COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# ---------------------------------------------------------------- the table of methods


def test_every_method_gives_finite_maps_of_the_pictures_size_and_leaves_the_model_alone():
    model, inputs, targets = network().train(), pictures(3), torch.tensor([0, 3, 1])
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for name, method in image_methods().items():
        maps = method.explain(model, inputs, targets, "4")
        assert maps.shape == (3, 32, 32) and maps.dtype == torch.float32, name
        assert maps.isfinite().all() and not maps.requires_grad, name
        assert torch.equal(method.explain(model, inputs, targets, "4"), maps), f"{name} does not repeat"
        assert model.training, name
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(not module._forward_hooks for module in model.modules())


def test_only_baselines_ignore_the_model():
    inputs, targets = pictures(2), torch.tensor([0, 1])
    for name, method in image_methods().items():
        maps = [method.explain(network(seed), inputs, targets, "4") for seed in (0, 1)]
        assert torch.equal(*maps) == method.is_baseline, name
    assert not any(method.is_baseline for method in image_methods(baselines_too=False).values())


def test_passes_are_counted_where_they_happen():
    model, inputs, targets = network(), pictures(3), torch.tensor([0, 1, 2])
    expected = {
        "saliency": (3, 3),
        "Grad-CAM": (3, 3),
        "CAM": (3, 0),
        "edges (Sobel)": (0, 0),
        "deconvnet": (3, 3),
    }
    methods = image_methods()
    expected["deconvnet"] = (3, 3)
    for name, (forward, backward) in expected.items():
        with count_passes(model) as passes:
            methods[name].explain(model, inputs, targets, "4")
        assert (passes.forward, passes.backward) == (forward, backward), name
    with count_passes(model) as passes:
        methods["SmoothGrad"].explain(model, inputs, targets, "4")
    assert passes.forward == passes.backward == 3 * methods["SmoothGrad"].settings["n_samples"]
    assert not model._forward_hooks


def test_score_cam_with_the_most_active_channels():
    model, inputs = network(), pictures(2)
    whole = score_cam(model, inputs, 1, "4")
    assert torch.equal(score_cam(model, inputs, 1, "4", n_channels=8).isfinite(), whole.isfinite())
    assert torch.allclose(score_cam(model, inputs, 1, "4", n_channels=8), whole, atol=1e-6)
    with count_passes(model) as passes:
        score_cam(model, inputs, 1, "4", n_channels=3)
    assert passes.forward < 2 * 3 + 5
    for wrong in (0, 9):
        with pytest.raises(ValueError, match="n_channels"):
            score_cam(model, inputs, 1, "4", n_channels=wrong)


# ---------------------------------------------------------------- the measures


def test_complexity_by_hand():
    maps = torch.zeros(4, 4, 4)
    maps[0, 1, 2] = -3.0  # one pixel
    maps[1] = 0.5  # constant
    maps[2, 0] = 2.0  # four equal pixels of sixteen
    assert complexity(maps).tolist() == pytest.approx([0, 1, 0.5, 1], abs=1e-6)
    assert complexity(7 * maps).tolist() == pytest.approx(complexity(maps).tolist())


def test_square_infidelity_by_hand():
    squares = torch.zeros(2, 1, 1, 2, dtype=torch.bool)
    squares[0, 0, 0, 0] = squares[1, 0, 0, 1] = True
    falls = torch.tensor([[3.0], [1.0]])
    exact = torch.tensor([[[3.0, 1.0]]])
    assert square_infidelity(exact, squares, falls).item() == pytest.approx(0, abs=1e-6)
    assert square_infidelity(50 * exact, squares, falls).item() == pytest.approx(0, abs=1e-6), "no unit"
    assert square_infidelity(-exact, squares, falls).item() == pytest.approx(1), "a sign cannot be taken out"
    assert square_infidelity(0 * exact, squares, falls).item() == pytest.approx(1)
    half = square_infidelity(torch.tensor([[[1.0, 0.0]]]), squares, falls).item()
    assert half == pytest.approx(1 / 10)
    assert square_infidelity(exact, squares, 0 * falls).item() == 0


# ---------------------------------------------------------------- the board


def test_the_board_holds_all_measures_for_all_pictures(folder):
    result = board()
    assert list(result.values) == list(QUICK) and result.baselines == ("edges (Sobel)", "constant")
    for name in QUICK:
        assert set(result.values[name]) == set(MEASURES) and set(result.costs[name]) == set(COSTS)
        assert all(len(result.values[name][m]) == (2 if m == "sensitivity" else 4) for m in MEASURES)
        low, high = result.interval(name, "IoU")
        assert low - 1e-6 <= result.mean(name, "IoU") <= high + 1e-6
    assert result.mean("constant", "sensitivity") == 0
    assert result.mean("constant", "complexity") == pytest.approx(1)
    share = float(masks()[0].float().mean())
    assert result.mean("constant", "energy") == pytest.approx(share, abs=1e-5)
    assert result.costs["Grad-CAM"]["passes"] == 2 and result.costs["constant"]["passes"] == 0
    model, targets = network(), torch.arange(4)
    direct = grad_cam(model, pictures(), targets, "4")
    assert direct.shape == (4, 16, 16)
    assert result.measure("deletion")["CAM"].shape == (4,)


def test_ranks():
    values = {name: {m: [v] for m in MEASURES} for name, v in (("a", 0.2), ("b", 0.9), ("c", 0.2))}
    made = Scoreboard(values, {name: dict.fromkeys(COSTS, 1.0) for name in values}, ())
    assert made.rank("pointing") == {"a": 2, "b": 1, "c": 2}
    assert made.rank("deletion") == {"a": 1, "b": 3, "c": 1}
    with pytest.raises(ValueError, match="complexity"):
        made.rank("complexity")


def test_the_table_is_exported(folder, tmp_path):
    result = board()
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [row["method"] for row in rows] == list(QUICK)
    assert float(rows[1]["IoU"]) == pytest.approx(result.mean("Grad-CAM", "IoU"), abs=1e-5)
    assert rows[3]["knows the model"] == "False"
    lines = result.to_markdown().splitlines()
    assert len(lines) == 2 + len(QUICK) and len({line.count("|") for line in lines}) == 1
    assert result.save(tmp_path / "table.csv").read_text(encoding="utf-8") == result.to_csv()
    assert result.save(tmp_path / "table.md").read_text(encoding="utf-8") == result.to_markdown()
    with pytest.raises(ValueError, match=r"\.csv or \.md"):
        result.save(tmp_path / "table.xlsx")


# ---------------------------------------------------------------- the cache


def test_the_second_time_comes_from_the_cache_and_is_the_same(folder):
    first, second = board(), board()
    assert first.from_cache == () and second.from_cache == QUICK
    assert first.values == second.values and first.costs == second.costs
    assert board(cache=False).from_cache == ()
    assert len(list(folder.iterdir())) == len(QUICK)


@pytest.mark.parametrize(
    "change",
    [
        {"model": network(1)},
        {"inputs": pictures(seed=2)},
        {"settings": Settings(tolerance=2, fractions=(0.1, 0.5), n_squares=4, n_sensitivity=2)},
    ],
    ids=["weights", "pictures", "settings"],
)
def test_what_decides_a_result_decides_its_key(folder, change):
    board(methods=QUICK[:1])
    assert board(methods=QUICK[:1], **change).from_cache == ()
    assert board(methods=QUICK[:1]).from_cache == QUICK[:1]


def one_way(model, inputs, target, layer, power=1):
    return baselines.sobel(inputs) ** power


def measured(method, model=None, settings=SETTINGS):
    return scoreboard.scoreboard(
        model or network(), pictures(), torch.zeros(4, dtype=torch.long), masks(), "4",
        methods={method.name: method}, settings=settings, progress=False,
    )  # fmt: skip


def test_a_methods_settings_and_name_are_part_of_its_key(folder):
    course = image_methods()["SmoothGrad"]
    assert measured(course).from_cache == ()
    assert measured(course).from_cache == ("SmoothGrad",)
    for change in ({"settings": {"n_samples": 4}}, {"reduce": methods_table.channel_sum}):
        changed = dataclasses.replace(course, **change)
        assert measured(changed).from_cache == ()
        assert measured(changed).from_cache == ("SmoothGrad",)


def test_a_changed_helper_is_measured_anew(folder, monkeypatch):
    """Its code counts as it is loaded: no file has to change, and a helper of a helper counts too."""
    before = board(methods=["CAM", "saliency"])
    code = methods_table._last_linear.__code__
    text = "def _last_linear(model):\n    name = 'fc'\n    return name, list(model.modules())[-1]\n"
    exec(compile(text, "edited", "exec"), space := {})
    monkeypatch.setattr(methods_table._last_linear, "__code__", space["_last_linear"].__code__)
    assert board(methods=["CAM", "saliency"]).from_cache == ()
    monkeypatch.setattr(methods_table._last_linear, "__code__", code)
    assert board(methods=["CAM", "saliency"]).from_cache == ("CAM", "saliency")

    weights = scoreboard.complexity.__code__
    halved = compile(
        "def complexity(maps):\n    return maps.flatten(1).amax(1) * 0 + 0.5\n", "edited", "exec"
    )
    exec(halved, space := {})
    monkeypatch.setattr(scoreboard.complexity, "__code__", space["complexity"].__code__)
    after = board(methods=["CAM", "saliency"])
    assert after.from_cache == () and after.mean("CAM", "complexity") == pytest.approx(0.5)
    monkeypatch.setattr(scoreboard.complexity, "__code__", weights)
    assert board(methods=["CAM", "saliency"]).values == before.values


@pytest.mark.parametrize("name", ["strongest_channel", "_at_most", "upsample"])
def test_a_replaced_helper_is_never_kept(folder, monkeypatch, name):
    original = getattr(methods_table, name)
    board(methods=QUICK[:1])
    n_files = len(list(folder.iterdir()))
    monkeypatch.setattr(methods_table, name, lambda *a, **k: original(*a, **k))
    assert board(methods=QUICK[:1]).from_cache == ()
    assert board(methods=QUICK[:1]).from_cache == ()
    assert len(list(folder.iterdir())) == n_files


def test_constants_of_the_modules_count(folder, monkeypatch):
    board(methods=QUICK[:1])
    monkeypatch.setattr(methods_table.deconvnet, "A_NEW_CONSTANT", 1, raising=False)
    assert board(methods=QUICK[:1]).from_cache == ()


def corner(k):
    def mine(model, inputs, target, layer):
        heat = torch.zeros_like(inputs[:, 0])
        heat[:, k : k + 8, k : k + 8] = 1
        return heat

    return mine


class Bound:
    def __init__(self, k):
        self.explain = corner(k)

    def method(self, model, inputs, target, layer):
        return self.explain(model, inputs, target, layer)


@pytest.mark.parametrize(
    "make",
    [
        corner,
        lambda k: lambda m, x, t, layer, k=k: corner(k)(m, x, t, layer),
        lambda k: Bound(k).method,
        lambda k: functools.partial(lambda m, x, t, layer, k: corner(k)(m, x, t, layer), k=k),
    ],
    ids=["closure", "default", "bound method", "partial"],
)
def test_a_function_of_ones_own_is_measured_each_time(folder, make):
    """On the object 8 to 20, then off it: under the same name the numbers are new."""
    energies = []
    for k in (9, 24):
        found = measured(Method("mine", "gradients", make(k)))
        assert found.from_cache == ()
        energies.append(found.mean("mine", "energy"))
    assert energies == [pytest.approx(1), pytest.approx(0)]
    assert measured(Method("saliency", "gradients", one_way)).from_cache == ()
    assert not folder.exists(), "nothing of it was kept"


class Scaled(nn.Module):
    """A network of one's own: its weights and its text do not say what `forward` does."""

    def __init__(self):
        super().__init__()
        self.body = network()

    def forward(self, x):
        return self.body(x)


def test_a_network_whose_code_is_unknown_is_measured_each_time(folder):
    for model in (Scaled().eval(), network()):
        if not isinstance(model, Scaled):
            model[1].register_forward_hook(lambda module, inputs, output: 2 * output)
        for _ in range(2):
            assert measured(image_methods()["edges (Sobel)"], model).from_cache == ()
    assert not folder.exists()


def test_an_attribute_of_a_layer_counts(folder):
    """`inplace` or a stride is seen in the text of the network, an attribute of one's own is not."""
    model = network()
    assert measured(image_methods()["saliency"], model).from_cache == ()
    model[1].slope = 0.1
    assert measured(image_methods()["saliency"], model).from_cache == ()
    del model[1].slope
    assert measured(image_methods()["saliency"], model).from_cache == ("saliency",)


def test_the_key_is_the_same_in_another_process(folder):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_scoreboard as t;"
        "print(t.board(methods=t.QUICK[:2]).from_cache)"
    )
    board(methods=QUICK[:2])
    for seed in ("1", "2"):
        found = subprocess.run(
            [sys.executable, "-c", script, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == str(QUICK[:2])


@pytest.mark.parametrize("damage", ["", "{", '{"values": {}}', "half", "NaN"])
def test_a_damaged_file_is_measured_again(folder, damage):
    first = board(methods=QUICK[:1])
    (file,) = folder.iterdir()
    whole = file.read_text(encoding="utf-8")
    texts = {"half": whole[: len(whole) // 2], "NaN": whole.replace("0.", "NaN, 0.", 1)}
    file.write_text(texts.get(damage, damage), encoding="utf-8")
    again = board(methods=QUICK[:1])
    assert again.from_cache == () and again.values == first.values
    assert json.loads(file.read_text(encoding="utf-8"))["values"] == first.values["saliency"]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("XAI_COURSE_CACHE", str(blocked / "cache"))
    assert board(methods=QUICK[3:]).from_cache == ()


def test_masks_that_do_not_fit_are_refused(folder):
    with pytest.raises(ValueError, match="masks"):
        scoreboard.scoreboard(network(), pictures(), torch.zeros(4, dtype=torch.long), masks(3), "4")


def test_random_squares_are_squares_inside_the_picture():
    squares = scoreboard.random_squares(pictures(3), 5, 0.25)
    assert squares.shape == (5, 3, 32, 32)
    assert (squares.sum(dim=(2, 3)) == 64).all()
    assert torch.equal(squares, scoreboard.random_squares(pictures(3), 5, 0.25))
    assert blur(pictures(1)).shape == (1, 3, 32, 32)
