"""The agreement page: the course's methods beside the libraries', all on one page.

    python -m course_utils.judge.agreement_page            # Markdown on the screen
    python -m course_utils.judge.agreement_page page.md    # into a file

Every number is measured when the page is made, on small random networks in double precision. Three tables:
how close our methods come to a library once its convention is followed, which known defects show in the
installed version, and how far errors that courses copy from one another are from the definition.
"""

import argparse
import contextlib
import html
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.judge.agreement import bound

LIBRARIES = (
    "captum",
    "torchcam",
    "grad-cam",
    "zennit",
    "lime",
    "shap",
    "transformers",
    "scikit-learn",
    "scipy",
)


@dataclass(frozen=True)
class Row:
    """Our method beside one library's.

    `difference` is the largest absolute difference, as a share of our largest value.
    """

    method: str
    library: str
    difference: float
    convention: str


@dataclass(frozen=True)
class Defect:
    """A known defect: what the library gives, and what is right. `shows`: the installed version has it."""

    library: str
    what: str
    right: float
    found: float

    @property
    def shows(self) -> bool:
        return abs(self.found - self.right) > 1e-3 * max(abs(self.right), 1)


@dataclass(frozen=True)
class Error:
    """A formula as courses have published it, beside the definition.

    `difference` is the largest absolute difference, as a share of the definition's largest value.
    """

    published: str
    defined: str
    difference: float


@dataclass(frozen=True)
class Page:
    """The three tables; prints as text, and as HTML in Jupyter."""

    rows: tuple[Row, ...]
    defects: tuple[Defect, ...]
    errors: tuple[Error, ...]

    @property
    def largest(self) -> float:
        return max(row.difference for row in self.rows)

    def _tables(self) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
        agreement = [(row.method, row.library, bound(row.difference), row.convention) for row in self.rows]
        defects = [
            (d.library, d.what, f"{d.right:.2f}", f"{d.found:.2f}", "yes" if d.shows else "no longer")
            for d in self.defects
        ]
        errors = [(e.published, e.defined, f"{e.difference:.2f}") for e in self.errors]
        return [
            (("method", "library", "largest difference", "convention"), agreement),
            (("library", "known defect", "right", "found", "shows here"), defects),
            (("as published elsewhere", "as defined", "largest difference"), errors),
        ]

    def to_markdown(self) -> str:
        """The tables and the versions as Markdown text."""
        tables = [
            "\n".join(
                [
                    "| " + " | ".join(head) + " |",
                    "|---" * len(head) + "|",
                    *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
                ]
            )
            for head, rows in self._tables()
        ]
        return "\n\n".join([f"Measured with {versions()}.", *tables]) + "\n"

    def __str__(self) -> str:
        texts = []
        for head, rows in self._tables():
            cells = [head, *rows]
            widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
            texts.append(
                "\n".join(
                    "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
                )
            )
        return "\n\n".join(texts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = []
        for head, rows in self._tables():
            style = 'style="text-align:left"'
            top = "".join(f"<th {style}>{cell}</th>" for cell in head)
            body = "".join(
                "<tr>" + "".join(f"<td {style}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
                for row in rows
            )
            parts.append(f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>")
        return "\n".join(parts)


def agreement_page() -> Page:
    """Measure the tables; takes some seconds, most of them for importing the libraries.

    Raises:
        ImportError: one of the libraries is not installed.
    """
    parts = (_cam_rows, _gradient_rows, _black_box_rows, _game_rows, _text_rows, _measure_rows)
    with _quiet():
        rows = tuple(row for part in parts for row in part())
        return Page(rows, tuple(_defects()), tuple(_errors()))


def versions() -> str:
    """The libraries' versions in one line."""
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} (not installed)")
    return ", ".join(found)


# ------------------------------------------------------------------------------------- what is explained


def small_network(seed: int = 0, scale: float = 30.0) -> nn.Sequential:
    """Two convolutions, global average pooling, one linear layer (times `scale`); double precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential()
        model.add_module("conv1", nn.Conv2d(3, 6, 3, padding=1))
        model.add_module("relu1", nn.ReLU())
        model.add_module("pool1", nn.MaxPool2d(2))
        model.add_module("conv2", nn.Conv2d(6, 8, 3, padding=1))
        model.add_module("relu2", nn.ReLU())
        model.add_module("pool", nn.AdaptiveAvgPool2d(1))
        model.add_module("flatten", nn.Flatten())
        model.add_module("fc", nn.Linear(8, 4))
        with torch.no_grad():
            model.fc.weight *= scale  # scores of a usual size, so that nobody's epsilon counts
    return model.double().eval()


def _pictures(n: int = 3, side: int = 16, seed: int = 1) -> Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _row(method: str, library: str, ours, theirs, convention: str) -> Row:
    ours, theirs = (
        np.asarray(v.detach().cpu() if isinstance(v, Tensor) else v, dtype=np.float64) for v in (ours, theirs)
    )
    if ours.shape != theirs.shape:
        raise ValueError(f"{method}, {library}: {ours.shape} beside {theirs.shape}")
    return Row(method, library, _largest(ours, theirs), convention)


def _largest(ours, theirs) -> float:
    """Largest absolute difference as a share of our largest value."""
    return float(abs(ours - theirs).max() / abs(ours).max())


# ------------------------------------------------------------------------------------- the rows


def _cam_rows() -> Iterator[Row]:
    import pytorch_grad_cam as grad_cam_library
    from captum.attr import LayerGradCam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    from torchcam import methods as torchcam

    from course_utils.methods import cam as ours

    model, inputs, targets = small_network(), _pictures(), torch.tensor([0, 1, 2])
    layer = model.relu2

    def by_torchcam(extractor: type, **options) -> Tensor:
        with extractor(model, layer, **options) as extract:
            scores = model(inputs.clone().requires_grad_())
            return extract(targets.tolist(), scores, normalized=False)[0]

    def by_grad_cam(extractor: type, scale: float = 30.0) -> Tensor:
        single = small_network(scale=scale).float()
        with extractor(single, [single.relu2]) as extract:
            wanted = [ClassifierOutputTarget(int(t)) for t in targets]
            return torch.from_numpy(extract(inputs.float(), wanted))

    def dressed(maps: Tensor) -> Tensor:
        return ours.min_max(ours.upsample(ours.min_max(maps), (16, 16)))

    maps = ours.cam(model, inputs, targets, layer, model.fc)
    yield _row(
        "CAM", "torchcam", maps, by_torchcam(torchcam.CAM, fc_layer="fc"), "no ReLU; its docstring has one"
    )
    raw = ours.grad_cam(model, inputs, targets, layer, relu=False)
    captum = LayerGradCam(model, layer).attribute(inputs, targets)[:, 0]
    yield _row("Grad-CAM", "captum", raw, captum, "no ReLU, the layer's size")
    rectified = ours.grad_cam(model, inputs, targets, layer)
    yield _row("Grad-CAM", "torchcam", rectified, by_torchcam(torchcam.GradCAM), "ReLU, the layer's size")
    twice = "ReLU, min-max, enlarge, min-max"
    yield _row("Grad-CAM", "grad-cam", dressed(rectified), by_grad_cam(grad_cam_library.GradCAM), twice)
    large = small_network(scale=1000)  # large gradients: its ε is added to their square
    maps = ours.grad_cam_plus_plus(large, inputs, targets, large.relu2)
    library = by_grad_cam(grad_cam_library.GradCAMPlusPlus, scale=1000)
    yield _row("Grad-CAM++", "grad-cam", dressed(maps), library, f"{twice}; its ε must be small beside g²")
    maps = ours.score_cam(model, inputs, targets, layer)
    yield _row(
        "Score-CAM", "torchcam", maps, by_torchcam(torchcam.ScoreCAM), "scale a channel, then enlarge it"
    )
    maps = ours.score_cam(model, inputs, targets, layer, upsample_first=True, align_corners=True)
    library = by_grad_cam(grad_cam_library.ScoreCAM)
    yield _row(
        "Score-CAM", "grad-cam", dressed(maps), library, "enlarge a channel (corners aligned), then scale it"
    )
    maps = ours.layer_cam(model, inputs, targets, layer)
    yield _row(
        "Layer-CAM",
        "torchcam",
        maps,
        by_torchcam(torchcam.LayerCAM),
        "one layer; tanh only when it fuses several",
    )
    yield _row("Layer-CAM", "grad-cam", dressed(maps), by_grad_cam(grad_cam_library.LayerCAM), twice)


def _gradient_rows() -> Iterator[Row]:
    from captum import attr as captum
    from pytorch_grad_cam import GuidedBackpropReLUModel
    from zennit.attribution import Gradient
    from zennit.composites import DeconvNet, GuidedBackprop

    from course_utils.methods import deconvnet, filters, gradients, shapley

    model, inputs, targets = small_network(), _pictures(), torch.tensor([0, 1, 2])
    theirs = captum.Saliency(model).attribute(inputs.clone(), targets)
    yield _row(
        "saliency", "captum", gradients.saliency(model, inputs, targets), theirs, "absolute value by default"
    )
    theirs = captum.InputXGradient(model).attribute(inputs.clone(), targets)
    yield _row(
        "gradient × input", "captum", gradients.input_x_gradient(model, inputs, targets), theirs, "signed"
    )
    for kind, name, ours in (
        ("smoothgrad", "SmoothGrad", gradients.smooth_grad),
        ("vargrad", "VarGrad", gradients.var_grad),
    ):
        with _same_noise(inputs, 7):
            tunnel = captum.NoiseTunnel(captum.Saliency(model))
            theirs = tunnel.attribute(
                inputs.clone(), nt_type=kind, nt_samples=7, stdevs=1.0, target=targets, abs=False
            )
        note = "same noise; its stdevs is σ itself, ours a share of the range"
        yield _row(name, "captum", ours(model, inputs, targets, 7), theirs, note)
    for rule in ("gausslegendre", "riemann_middle"):
        ours = gradients.integrated_gradients(model, inputs, targets, n_steps=20, method=rule)
        theirs = captum.IntegratedGradients(model).attribute(inputs, target=targets, n_steps=20, method=rule)
        yield _row("Integrated Gradients", "captum", ours, theirs, f"same rule: {rule}")
    one = inputs[:1] * 0
    ours = shapley.gradient_shap(model, inputs, targets, one, 2000)
    theirs = captum.IntegratedGradients(model).attribute(inputs, one, target=targets, n_steps=300)
    note = "one baseline, 2000 random points: sampling error"
    yield _row("expected gradients", "captum IG", ours, theirs, note)

    one_hot = nn.functional.one_hot(targets, 4).double()
    scores = model(inputs).detach()

    def by_zennit(composite, start: Tensor) -> Tensor:
        with Gradient(model=model, composite=composite) as attributor:
            return attributor(inputs.clone(), start)[1]

    ours = deconvnet.guided_backprop(model, inputs, targets)
    theirs = captum.GuidedBackprop(model).attribute(inputs.clone(), targets)
    yield _row("guided backprop", "captum", ours, theirs, "module ReLUs only")
    yield _row(
        "guided backprop", "zennit", ours, by_zennit(GuidedBackprop(), one_hot), "starts with a one-hot score"
    )
    theirs = GuidedBackpropReLUModel(model, "cpu")(inputs[:1].clone(), 0)
    yield _row("guided backprop", "grad-cam", ours[0].permute(1, 2, 0), theirs, "channels last")
    positive = scores.gather(1, targets[:, None])[:, 0].view(-1, 1, 1, 1)
    ours = deconvnet.deconvnet(model, inputs, "fc", targets)
    yield _row(
        "deconvnet", "zennit", ours, by_zennit(DeconvNet(), one_hot * scores), "starts with the activation"
    )
    theirs = captum.Deconvolution(model).attribute(inputs.clone(), targets)
    keep = positive.flatten() > 0  # a negative start turns the signal round before its first ReLU
    yield _row("deconvnet", "captum", ours[keep], (positive * theirs)[keep], "starts with 1: times the score")
    ours = filters.filter_activation(model, inputs, "conv2", 3)
    theirs = captum.LayerActivation(model, model.conv2).attribute(inputs)[:, 3]
    yield _row("filter activation", "captum", ours, theirs, "the layer's output")


def _black_box_rows() -> Iterator[Row]:
    from captum.attr import Occlusion
    from lime.lime_image import LimeImageExplainer
    from lime.lime_tabular import LimeTabularExplainer
    from lime.lime_text import LimeTextExplainer

    from course_utils.methods import lime, occlusion

    model, inputs, targets = small_network(), _pictures(), torch.tensor([0, 1, 2])
    ours = occlusion.occlusion(model, inputs, targets, 6, 4)
    theirs = Occlusion(model).attribute(inputs, (3, 6, 6), (3, 4, 4), target=targets)[:, 0]
    yield _row("occlusion", "captum", ours, theirs, "overlapping windows are averaged")

    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    segments = np.arange(12)[:, None] // 4 * 4 + np.arange(16) // 4

    def predict(batch: np.ndarray) -> np.ndarray:
        share = np.asarray(batch, float)[:, :4, :4].mean(axis=(1, 2, 3)) / 255
        return np.stack([share, 1 - share], axis=1)

    state = np.random.RandomState(0)
    state.randint(0, 1000)  # lime draws a seed for its segmentation first
    ours = lime.lime_image(predict, image, 0, segments, 60, random_state=state).coefficients
    package = LimeImageExplainer(random_state=0).explain_instance(
        image, predict, (0,), top_labels=None, num_samples=60, segmentation_fn=lambda _: segments
    )
    theirs = _filled(package.local_exp[0], len(ours))
    yield _row(
        "LIME, pictures", "lime", ours, theirs, "√exp(−D²/σ²), σ = 0.25, ridge 1; one number drawn first"
    )

    def read(texts: list[str]) -> np.ndarray:
        good = np.array([text.count("good") - text.count("bad") + 0.1 * len(text.split()) for text in texts])
        share = 1 / (1 + np.exp(-good))
        return np.stack([1 - share, share], axis=1)

    text = "a good plot but bad sound and good songs"
    fitted = lime.lime_text(read, text, 1, 80, k=None)
    package = LimeTextExplainer(random_state=0).explain_instance(
        text, read, (1,), num_features=9, num_samples=80
    )
    theirs = np.zeros(len(fitted.names))
    for word, value in package.as_list(1):
        theirs[fitted.names.index(word)] = value
    yield _row("LIME, texts", "lime", fitted.coefficients, theirs, "100 × cosine, σ = 25")

    table = rng.normal(size=(80, 4)) * (1, 2, 3, 4)
    answer = lambda rows: np.stack([rows[:, 0] - rows[:, 2], rows[:, 2] - rows[:, 0]], axis=1)  # noqa: E731
    for discretize in (True, False):
        ours = lime.lime_tabular(answer, table[0], table, 0, 200, k=4, discretize=discretize).coefficients
        explainer = LimeTabularExplainer(
            table, discretize_continuous=discretize, random_state=0, mode="classification"
        )
        package = explainer.explain_instance(table[0], answer, (0,), num_features=4, num_samples=200)
        note = "Euclidean, σ = 0.75 √d, " + ("quarters" if discretize else "standardised")
        yield _row("LIME, tables", "lime", ours, _filled(package.local_exp[0], 4), note)


def _game_rows() -> Iterator[Row]:
    import shap
    from captum.attr import KernelShap, ShapleyValueSampling
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression

    from course_utils.methods import shapley

    rng = np.random.default_rng(0)
    table = rng.normal(size=(60, 5))
    answers = table[:, 0] * table[:, 1] + table[:, 2]
    weights = torch.tensor(rng.normal(size=(5, 5)))
    background = table[:20]

    def model(rows: np.ndarray) -> np.ndarray:
        return np.tanh(rows @ weights.numpy()).sum(axis=1) + rows[:, 0] * rows[:, 1]

    game = shapley.masking_game(model, table[0], background)
    theirs = shap.KernelExplainer(model, background).shap_values(table[:1], l1_reg=0, silent=True)[0]
    note = "all coalitions, l1_reg=0; absent: averaged over the background"
    yield _row("Shapley values", "shap Kernel", shapley.shapley_values(game, 5), theirs, note)
    yield _row("KernelSHAP", "shap Kernel", shapley.kernel_shap(game, 5), theirs, "all coalitions; l1_reg=0")
    everyone = shap.maskers.Independent(background, max_samples=len(background))
    theirs = shap.explainers.Exact(model, everyone)(table[:1]).values[0]
    note = "enumeration; a background above 100 rows needs max_samples"
    yield _row("Shapley values", "shap Exact", shapley.shapley_values(game, 5), theirs, note)

    class Network(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(x @ weights).sum(dim=1) + x[:, 0] * x[:, 1]

    row, zero = torch.tensor(table[:1]), torch.zeros(1, 5, dtype=torch.float64)

    def on_off(masks: np.ndarray) -> np.ndarray:
        return model(masks * table[0])

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = KernelShap(Network()).attribute(row, zero, n_samples=3000, perturbations_per_eval=500)[0]
        note = "3000 random coalitions: sampling error"
        yield _row("KernelSHAP", "captum", shapley.kernel_shap(on_off, 5), theirs, note)
        theirs = ShapleyValueSampling(Network()).attribute(
            row, zero, n_samples=300, perturbations_per_eval=60
        )[0]
        ours = shapley.permutation_shap(on_off, 5, 3000)
        yield _row("permutation SHAP", "captum", ours, theirs, "different random orders: sampling error")
    forest = RandomForestRegressor(5, max_depth=4, random_state=0).fit(table, answers)
    for given, name in ((None, "path-dependent"), (background, "interventional")):
        explainer = shap.TreeExplainer(
            forest, given, feature_perturbation="auto" if given is None else "interventional"
        )
        theirs = explainer.shap_values(table[:4])
        kind = name.replace("-", "_")
        ours = shapley.tree_shap(forest, table[:4], given, method=kind)
        yield _row("TreeSHAP", "shap Tree", ours, theirs, name)
    line = LinearRegression().fit(table, answers)
    theirs = shap.LinearExplainer(line, table).shap_values(table[:4])
    ours = shapley.linear_shap(line.coef_, table[:4], table)
    yield _row("linear SHAP", "shap Linear", ours, theirs, "independent columns")


def _text_rows() -> Iterator[Row]:
    from scipy.spatial.distance import cdist
    from sklearn.decomposition import PCA

    from course_utils.methods import attention, embeddings

    model, tokens = _small_encoder()
    with torch.no_grad():
        outputs = model(tokens, output_attentions=True)
    theirs = torch.stack(outputs.attentions)[:, 0]  # (layers, heads, T, T)
    n_layers, n_heads, n_tokens, _ = theirs.shape
    maps = attention.attention_maps(model, tokens)
    heads = [
        attention.one_head(model, tokens, layer, head).attention
        for layer in range(n_layers)
        for head in range(n_heads)
    ]
    ours = torch.stack(heads).view_as(theirs)
    yield _row("one attention head", "transformers", ours, theirs, "softmax(qkᵀ/√d), every layer and head")
    yield _row("attention maps", "transformers", maps, theirs, 'attn_implementation="eager"')
    reached = np.eye(n_tokens)
    for layer in theirs.numpy():
        mixed = 0.5 * layer.mean(axis=0) + 0.5 * np.eye(n_tokens)
        reached = mixed / mixed.sum(axis=1, keepdims=True) @ reached
    note = "heads averaged first, 0.5 A + 0.5 I, rows normalised"
    yield _row("attention rollout", "formula (numpy)", attention.attention_rollout(maps), reached, note)
    states = outputs.last_hidden_state[0]
    pairs = (states[:, None], states[None])
    ours = embeddings.euclidean_distance(*pairs)
    yield _row("Euclidean distance", "scipy", ours, cdist(states, states), "every pair of tokens")
    ours = embeddings.cosine_similarity(*pairs)
    yield _row("cosine similarity", "scipy", ours, 1 - cdist(states, states, "cosine"), "1 − its distance")
    theirs = PCA(3, svd_solver="full").fit_transform(states.numpy())
    note = "centred; a direction's largest entry is positive"
    yield _row("projection (PCA)", "scikit-learn", embeddings.project(states, 3), theirs, note)


def _small_encoder() -> tuple[nn.Module, Tensor]:
    """A random BERT of 2 layers with 4 heads in double precision, and 9 tokens (1, T)."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=16,
        initializer_range=0.5,  # so that attention is not nearly uniform
        attn_implementation="eager",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BertModel(config).double().eval(), torch.randint(50, (1, 9))


def _measure_rows() -> Iterator[Row]:
    from captum.metrics import infidelity as captum_infidelity
    from captum.metrics import sensitivity_max as captum_sensitivity
    from scipy.stats import spearmanr

    from course_utils.judge.perturbation import infidelity, sensitivity_max
    from course_utils.judge.statistics import rank_correlation
    from course_utils.methods.gradients import input_x_gradient, saliency

    model, inputs, targets = small_network(), _pictures(), torch.tensor([0, 1, 2])
    changes = 0.3 * torch.randn(
        8, *inputs.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    repeated = changes.transpose(0, 1).flatten(0, 1)
    values = input_x_gradient(model, inputs, targets)
    ours = infidelity(model, inputs, targets, values, perturbations=changes)
    theirs = captum_infidelity(
        model, lambda x: (repeated, x - repeated), inputs, values, target=targets, n_perturb_samples=8
    )
    yield _row("infidelity (measure)", "captum", ours, theirs, "the same perturbations; no factor")

    def explain(x):
        return (saliency(model, x[0], 2),) if isinstance(x, tuple) else saliency(model, x, 2)

    ours = sensitivity_max(lambda x: saliency(model, x, 2), inputs, perturbations=changes)
    theirs = captum_sensitivity(explain, inputs, lambda x: x + repeated, n_perturb_samples=8)
    yield _row("sensitivity (measure)", "captum", ours, theirs, "the same perturbations")
    ours = rank_correlation(values[:, 0], values[:, 1])
    theirs = [
        spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(values[:, 0], values[:, 1], strict=True)
    ]
    yield _row("rank correlation (measure)", "scipy", ours, theirs, "Spearman")


# ------------------------------------------------------------------------------------- known defects


def _defects() -> Iterator[Defect]:
    import shap
    from captum.attr import GuidedBackprop, IntegratedGradients, Saliency
    from captum.robust import FGSM
    from torchcam.methods import GradCAMpp

    from course_utils.methods.cam import grad_cam_plus_plus

    model, inputs, targets = small_network(), _pictures(), torch.tensor([0, 1, 2])
    with GradCAMpp(model, model.relu2) as extract:
        scores = model(inputs.clone().requires_grad_())
        theirs = extract(targets.tolist(), scores, normalized=False)[0]
    ours = grad_cam_plus_plus(model, inputs, targets, model.relu2)
    scaled = [maps / maps.amax(dim=(1, 2), keepdim=True) for maps in (ours, theirs)]
    gap = float((scaled[0] - scaled[1]).abs().max())
    yield Defect("torchcam", "Grad-CAM++ divides a copy: largest difference of the scaled maps", 0.0, gap)

    line = nn.Linear(1, 1, bias=False).double()
    nn.init.ones_(line.weight)
    one = torch.ones(1, 1, dtype=torch.float64)
    rule = {"n_steps": 10, "method": "riemann_trapezoid"}
    found = IntegratedGradients(line).attribute(one, 0 * one, target=0, **rule).item()
    yield Defect("captum", "IG of f(x) = x by the trapezoid rule, 10 points", 1.0, found)

    explainer = shap.KernelExplainer(lambda rows: rows.sum(axis=1), np.zeros((1, 16)))
    values = explainer.shap_values(np.ones((1, 16)), silent=True)
    found = float((np.abs(values) > 1e-6).sum())
    yield Defect(
        "shap", "KernelExplainer, 16 equal players: how many get a value (default l1_reg)", 16.0, found
    )

    attack = FGSM(model)(inputs, 0.1, targets)
    pixels = inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(model(pixels), targets), pixels)
    steps = (attack - inputs).detach()
    moved = (steps != 0) & (gradient != 0)
    share = float((steps.sign() == gradient.sign())[moved].double().mean())
    yield Defect("captum", "FGSM's default loss on logits: share of pixels moved the right way", 1.0, share)

    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.model.conv1(x))
            x = torch.relu(self.model.conv2(self.model.pool1(x)))
            return self.model.fc(x.mean(dim=(2, 3)))

    theirs = GuidedBackprop(Functional()).attribute(inputs.clone(), targets)
    plain = Saliency(model).attribute(inputs.clone(), targets, abs=False)
    right = GuidedBackprop(model).attribute(inputs.clone(), targets)
    gap = float((theirs - right).abs().max() / right.abs().max())
    same = torch.allclose(theirs, plain)
    what = "guided backprop with torch.relu: difference to the right map" + (
        " (it is the plain gradient)" if same else ""
    )
    yield Defect("captum", what, 0.0, gap)


# ------------------------------------------------------------------------------------- errors of courses


def _errors() -> Iterator[Error]:
    from torch.nn import functional as F

    from course_utils.methods.embeddings import cosine_similarity
    from course_utils.methods.gradients import integrated_gradients, saliency, smooth_grad
    from course_utils.methods.hooks import input_gradients

    model, inputs, targets = small_network(), _pictures(), torch.tensor([0, 1, 2])
    one, label, level = inputs[:1], targets[:1], 0.4  # one picture has one range
    span = float(one.max() - one.min())

    def smooth(sigma: float) -> Tensor:
        return smooth_grad(model, one, label, 20, sigma / span)

    right = smooth(level * span)
    wrong = _largest(right, smooth(level / span))
    yield Error("SmoothGrad, σ = level / range", f"σ = level × range (level {level})", wrong)
    wrong = _largest(right, smooth((level * span) ** 2))
    yield Error("SmoothGrad, σ² as the standard deviation", "σ", wrong)
    generator = torch.Generator().manual_seed(0)  # the noise that `smooth` draws
    noise = torch.stack([torch.randn(one.shape, generator=generator, dtype=one.dtype) for _ in range(20)])
    copies = input_gradients(model, one + level * span * noise[:, 0], label.expand(20))
    wrong = _largest(right, copies.abs().mean(dim=0, keepdim=True))
    yield Error("SmoothGrad, absolute gradients averaged", "mean of the signed gradients", wrong)
    wrong = _largest((copies**2).mean(dim=0), copies.mean(dim=0) ** 2)
    yield Error("SmoothGrad-squared: averages, then squares", "averages the squares", wrong)

    baseline = torch.full_like(inputs, -0.5)
    with torch.no_grad():
        gain = (model(inputs) - model(baseline)).gather(1, targets[:, None])[:, 0]
    values = integrated_gradients(model, inputs, targets, baseline, n_steps=200)
    slopes = (values / (inputs - baseline)).sum(dim=(1, 2, 3))
    complete = "adds up to y(x) − y(x′): completeness"
    yield Error("IG without the factor (x − x′), its sum", complete, _largest(gain, slopes))
    path = [baseline + 0.01 * step * (inputs - baseline) for step in range(91)]
    early = torch.stack([input_gradients(model, x, targets) for x in path]).mean(dim=0) * (inputs - baseline)
    wrong = _largest(gain, early.sum(dim=(1, 2, 3)))
    yield Error("IG with α from 0 to 0.9 only, its sum", complete, wrong)

    pixels = inputs.clone().requires_grad_()
    loss = F.cross_entropy(model(pixels), targets, reduction="sum")
    maps = [saliency(model, inputs, targets), torch.autograd.grad(loss, pixels)[0].abs()]
    maps = [values / values.amax(dim=(1, 2, 3), keepdim=True) for values in maps]  # their units differ
    yield Error("saliency of the loss (largest value 1)", "of the class score", _largest(*maps))
    flat = inputs.flatten(1)
    cosine = cosine_similarity(flat[:, None], flat[None])
    yield Error("cosine similarity = 1 − cosine", "the cosine", _largest(cosine, 1 - cosine))


# ------------------------------------------------------------------------------------- helpers


def _filled(pairs: list[tuple[int, float]], n: int) -> np.ndarray:
    values = np.zeros(n)
    for index, value in pairs:
        values[index] = value
    return values


@contextlib.contextmanager
def _same_noise(inputs: Tensor, n_samples: int) -> Iterator[None]:
    """Let captum's NoiseTunnel draw the noise that our SmoothGrad draws."""
    generator = torch.Generator().manual_seed(0)
    sigma = 0.15 * (inputs.amax(dim=(1, 2, 3), keepdim=True) - inputs.amin(dim=(1, 2, 3), keepdim=True))
    draws = [torch.randn(inputs.shape, generator=generator, dtype=inputs.dtype) for _ in range(n_samples)]
    noise = (sigma * torch.stack(draws)).transpose(0, 1).flatten(0, 1)
    original: Callable = torch.normal
    torch.normal = lambda *arguments, **options: noise
    try:
        yield
    finally:
        torch.normal = original


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the libraries' warnings and progress bars; lime's would show in a notebook."""
    from lime import lime_image

    bar = lime_image.tqdm
    lime_image.tqdm = iter
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        lime_image.tqdm = bar


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.judge.agreement_page", description=__doc__.split("\n")[0]
    )
    parser.add_argument("file", nargs="?", type=Path, help="write the page there; the screen when left out")
    chosen = parser.parse_args(arguments)
    text = agreement_page().to_markdown()
    if chosen.file is None:
        print(text, end="")
    else:
        chosen.file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
