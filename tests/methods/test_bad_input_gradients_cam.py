"""Bad input: one error that names the argument and the remedy, and everything is as it was before.

A row of the tables is a call with one wrong thing in it, the error's type, and what the message must hold.
"""

import re

import numpy as np
import pytest
import torch
from small_networks import gap_network, pictures, seeded
from test_hygiene import state, unusual_network
from torch import nn

from course_utils.methods import blurring, cam, deconvnet, filters, gradients, hooks
from course_utils.methods.arguments import check_like
from course_utils.methods.occlusion import occlusion

NAN, INF = float("nan"), float("inf")
SMALL = {"shape": (3, 8, 8), "n_steps": 2}
GRADIENTS = {
    "saliency": gradients.saliency,
    "input_x_gradient": gradients.input_x_gradient,
    "smooth_grad": lambda m, x, t, **o: gradients.smooth_grad(m, x, t, **{"n_samples": 2, **o}),
    "var_grad": lambda m, x, t, **o: gradients.var_grad(m, x, t, **{"n_samples": 2, **o}),
    "integrated_gradients": lambda m, x, t, **o: gradients.integrated_gradients(
        m, x, t, **{"n_steps": 2, **o}
    ),
}
LAYERED = {
    "grad_cam": cam.grad_cam,
    "grad_cam_plus_plus": cam.grad_cam_plus_plus,
    "layer_cam": cam.layer_cam,
    "score_cam": cam.score_cam,
    "cam": lambda m, x, t, layer, **o: cam.cam(m, x, t, layer, "7", **o),
}
EXPLAIN = {
    **GRADIENTS,
    **{name: lambda m, x, t, f=f, **o: f(m, x, t, "4", **o) for name, f in LAYERED.items()},
    "guided_backprop": deconvnet.guided_backprop,
    "deconvnet": lambda m, x, t: deconvnet.deconvnet(m, x, "4", t),
    "deconvnet_explicit": lambda m, x, t: deconvnet.deconvnet_explicit(m, x, "4", t),
    "occlusion": lambda m, x, t, **o: occlusion(m, x, t, 4, 4, **o),
    "filter_activation": lambda m, x, t: filters.filter_activation(m, x, "4", t),
}
AT_LAYERS = {
    **LAYERED,
    "deconvnet": lambda m, x, t, layer: deconvnet.deconvnet(m, x, layer, t),
    "deconvnet_explicit": lambda m, x, t, layer: deconvnet.deconvnet_explicit(m, x, layer, t),
    "filter_activation": lambda m, x, t, layer: filters.filter_activation(m, x, layer, t),
    "activation_maximization": lambda m, x, t, layer: filters.activation_maximization(m, layer, t, **SMALL),
}


def refused(call, error, message, inputs=None):
    """Assert the error, and that model, hooks, modes, gradients and inputs are as before."""
    model, inputs = unusual_network(), pictures(2, 3, 12, 12) if inputs is None else inputs
    before, weights = state(model), [p.clone() for p in model.parameters()]
    kept = inputs.clone() if isinstance(inputs, torch.Tensor) else None
    random = torch.get_rng_state()
    with pytest.raises(error) as caught:
        call(model, inputs)
    assert type(caught.value) is error and re.search(message, str(caught.value)), str(caught.value)
    assert state(model) == before and torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(p, w) for p, w in zip(model.parameters(), weights, strict=True))
    if kept is not None and kept.layout == torch.strided:
        assert torch.equal(inputs.nan_to_num(7), kept.nan_to_num(7)) and not inputs.requires_grad


INPUTS = [
    ("one picture", pictures(3, 12, 12), ValueError, r"inputs must have the shape .*inputs\[None\]"),
    ("no picture", pictures(0, 3, 12, 12), ValueError, r"inputs must have the shape .*at least one picture"),
    ("no pixels", pictures(1, 3, 0, 12), ValueError, r"inputs must have the shape .*\(1, 3, 0, 12\)"),
    ("five dimensions", pictures(1, 3, 2, 6, 6), ValueError, "inputs must have the shape"),
    (
        "uint8",
        torch.zeros(1, 3, 12, 12, dtype=torch.uint8),
        TypeError,
        r"inputs .*not torch\.uint8: preprocess",
    ),
    ("complex", torch.zeros(1, 3, 12, 12, dtype=torch.cfloat), TypeError, r"inputs .*complex64: preprocess"),
    ("NumPy", np.zeros((1, 3, 12, 12)), TypeError, "inputs must be a float tensor, not ndarray"),
    ("None", None, TypeError, "inputs must be a float tensor, not NoneType"),
    ("NaN", torch.full((1, 3, 12, 12), NAN), ValueError, "inputs contain NaN .*check the preprocessing"),
    ("infinite", torch.full((1, 3, 12, 12), INF), ValueError, "inputs contain NaN or infinite values"),
    ("sparse", torch.zeros(1, 3, 12, 12).to_sparse(), TypeError, r"inputs must be a dense tensor.*to_dense"),
]
TARGETS = [
    ("float", 1.0, TypeError, r"must be an int or a tensor of integers, not torch\.float"),
    ("bool", True, TypeError, "must be an int or a tensor of integers, not bool"),
    ("None", None, TypeError, "must be an int or a tensor of integers, not NoneType"),
    ("word", "cat", TypeError, "must be an int or a tensor of integers, not str"),
    ("complex", torch.zeros(2, dtype=torch.cfloat), TypeError, "must be an int or a tensor of integers"),
    ("ragged", [[0], [1, 2]], TypeError, "must be an int or a tensor of integers, not list"),
    ("a bool among them", [0, True], TypeError, "must be an int or a tensor of integers, not bool"),
    ("too large for long", 2**70, TypeError, "must be an int or a tensor of integers"),
]
RANGES = [
    ("negative", -1, ValueError, "-1 is out of range: the model has 0 … "),
    ("too large", 9, ValueError, "9 is out of range: the model has 0 … "),
]
LENGTHS = [
    ("three for two pictures", torch.tensor([0, 1, 2]), ValueError, r"one int or one a picture \(2\)"),
    ("one-hot", torch.zeros(2, 5, dtype=torch.long), ValueError, r"not the shape \(2, 5\).*argmax"),
]
LAYERS = [
    ("unknown name", "conv9", ValueError, r"no layer 'conv9'.*named_modules\(\).*'0', '1'"),
    (
        "another model's",
        nn.Conv2d(3, 3, 1),
        ValueError,
        "not part of the model: take the layer from the same",
    ),
    ("a number", 4, TypeError, "layer must be a module of the model or its dotted name, not a int"),
    ("None", None, TypeError, "layer must be a module of the model or its dotted name"),
]


def rows(functions, table):
    """Each function with each row of a table."""
    return [
        pytest.param(function, *row[1:], id=f"{name}-{row[0]}")
        for name, function in functions.items()
        for row in table
    ]


@pytest.mark.parametrize(("method", "inputs", "error", "message"), rows(EXPLAIN, INPUTS))
def test_bad_input_pictures(method, inputs, error, message):
    refused(lambda m, _: method(m, inputs, 0), error, message, inputs)


@pytest.mark.parametrize(("method", "target", "error", "message"), rows(EXPLAIN, TARGETS + RANGES))
def test_bad_input_targets(method, target, error, message):
    refused(lambda m, x: method(m, x, target), error, message)


ONE_EACH = {name: f for name, f in EXPLAIN.items() if name != "filter_activation"}


@pytest.mark.parametrize(("method", "target", "error", "message"), rows(ONE_EACH, LENGTHS))
def test_bad_input_as_many_targets_as_pictures(method, target, error, message):
    refused(lambda m, x: method(m, x, target), error, message)


@pytest.mark.parametrize(("method", "layer", "error", "message"), rows(AT_LAYERS, LAYERS))
def test_bad_input_layers(method, layer, error, message):
    refused(lambda m, x: method(m, x, 0, layer), error, message)


@pytest.mark.parametrize("name", [n for n in AT_LAYERS if n not in ("deconvnet", "deconvnet_explicit")])
@pytest.mark.parametrize("layer", ["6", "7", "5"])
def test_bad_input_layers_without_maps(name, layer):
    if layer == "5" or (layer == "7" and name == "cam") or name == "activation_maximization":
        pytest.skip("pooled maps of one place are maps; an ascent also takes vectors")
    refused(
        lambda m, x: AT_LAYERS[name](m, x, 0, layer),
        ValueError,
        "feature maps .*choose a convolutional layer",
    )


@pytest.mark.parametrize("method", [f for n, f in EXPLAIN.items() if n != "deconvnet_explicit"])
@pytest.mark.parametrize("model", [lambda x: x, None, "resnet"])
def test_bad_input_models(method, model):
    refused(
        lambda m, x: method(model, x, 0), TypeError, r"model must be a torch\.nn\.Module, not a \w+: wrap"
    )


@pytest.mark.parametrize("method", EXPLAIN.values(), ids=EXPLAIN)
def test_bad_input_models_without_weights(method):
    lazy = nn.Sequential(
        nn.LazyConv2d(4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3)
    )
    refused(lambda m, x: method(lazy, x, 0), ValueError, "lazy layers without weights: send one batch")
    assert isinstance(lazy[0].weight, nn.UninitializedParameter)


def codes(z):
    return z[:, :, None, None].expand(-1, 3, 8, 8)


def ascent(**options):
    return lambda m, x: filters.class_maximization(m, 0, **{**SMALL, **options})


def climb(channel=0, layer="4", **options):
    return lambda m, x: filters.activation_maximization(m, layer, channel, **{**SMALL, **options})


T = torch.zeros
CALLS = [
    # gradients
    (
        lambda m, x: gradients.smooth_grad(m, x, 0, 0),
        ValueError,
        "n_samples must be a whole number ≥ 1, not 0",
    ),
    (lambda m, x: gradients.smooth_grad(m, x, 0, 2.5), ValueError, "n_samples must be a whole number"),
    (lambda m, x: gradients.smooth_grad(m, x, 0, "50"), ValueError, "n_samples must be a whole number"),
    (lambda m, x: gradients.smooth_grad(m, x, 0, 2, -0.1), ValueError, "noise_level must be a number ≥ 0"),
    (lambda m, x: gradients.smooth_grad(m, x, 0, 2, NAN), ValueError, "noise_level must be a number ≥ 0"),
    (lambda m, x: gradients.smooth_grad(m, x, 0, 2, INF), ValueError, "noise_level must be a number ≥ 0"),
    (lambda m, x: gradients.smooth_grad(m, x, 0, 2, 15), ValueError, "noise_level is a share .* not 15"),
    (lambda m, x: gradients.smooth_grad(m, x, 0, 2, "a"), ValueError, "noise_level must be a number ≥ 0"),
    (lambda m, x: gradients.var_grad(m, x, 0, 2, None), ValueError, "noise_level must be a number ≥ 0"),
    (lambda m, x: gradients.smooth_grad(m, x, 0, 2, generator=3), TypeError, r"generator .*manual_seed"),
    (
        lambda m, x: gradients.var_grad(m, x, 0, 2, generator=np.random.default_rng()),
        TypeError,
        "generator must",
    ),
    (
        lambda m, x: gradients.smooth_grad(m, x, 0, 2, chunk_size=0),
        ValueError,
        "chunk_size must be a whole number",
    ),
    (
        lambda m, x: gradients.smooth_grad(m, x[:, 0, 0], 0),
        ValueError,
        r"inputs must have the shape \(N, C, H, W\)",
    ),
    (
        lambda m, x: gradients.integrated_gradients(m, x, 0, n_steps=0),
        ValueError,
        "n_steps must be a whole number",
    ),
    (lambda m, x: gradients.integrated_gradients(m, x, 0, n_steps=True), ValueError, "n_steps must be"),
    (
        lambda m, x: gradients.integrated_gradients(m, x, 0, method="simpson"),
        ValueError,
        "choose one of gauss",
    ),
    (
        lambda m, x: gradients.integrated_gradients(m, x, 0, method=None),
        ValueError,
        "unknown method None: choose",
    ),
    (
        lambda m, x: gradients.integrated_gradients(m, x, 0, 0.0, 1, "riemann_trapezoid"),
        ValueError,
        "n_steps .* ≥ 2",
    ),
    (
        lambda m, x: gradients.integrated_gradients(m, x, 0, T(5)),
        ValueError,
        "baselines .*must fit .*broadcasts",
    ),
    (
        lambda m, x: gradients.integrated_gradients(m, x, 0, NAN),
        ValueError,
        "baselines contain NaN .*give a finite",
    ),
    (
        lambda m, x: gradients.integrated_gradients(m, x, 0, "black"),
        TypeError,
        "baselines must be a number or",
    ),
    (
        lambda m, x: gradients.integrated_gradients(m, x, 0, x.byte()),
        TypeError,
        "baselines .*uint8: preprocess",
    ),
    (lambda m, x: gradients.integrated_gradients(m, x, 0, chunk_size=-1), ValueError, "chunk_size must be"),
    (lambda m, x: gradients.integrated_gradients(m, x, 0, chunk_size=1.5), ValueError, "chunk_size must be"),
    (
        lambda m, x: gradients.integration_rule("gauss", 5),
        ValueError,
        "unknown method 'gauss': choose one of",
    ),
    # class activation maps
    (lambda m, x: cam.cam(m, x, 0, "4", "0"), ValueError, "the classifier takes 27 features.*6 channels"),
    (lambda m, x: cam.cam(m, x, 0, "4", "5"), ValueError, "the classifier has no weights.*name the linear"),
    (lambda m, x: cam.cam(m, x, 0, "4", "fc"), ValueError, "no layer 'fc'"),
    (
        lambda m, x: cam.cam(m, x, 0, "3", "7"),
        ValueError,
        "not right behind the average.*grad_cam takes any head",
    ),
    (lambda m, x: cam.cam(m, x, 5, "4", "7"), ValueError, "target 5 is out of range"),
    (lambda m, x: cam.grad_cam(m, x, 0, "4", reshape="permute"), TypeError, "reshape must be a function"),
    (
        lambda m, x: cam.grad_cam(m, x, 0, "4", reshape=lambda a: a.flatten(1)),
        ValueError,
        "reshape must return",
    ),
    (lambda m, x: cam.layer_cam(m, x, 0, "4", reshape=lambda a: None), ValueError, "reshape must return"),
    (lambda m, x: cam.score_cam(m, x, 0, "4", reshape=lambda a: a[:1]), ValueError, "1 maps for 2 pictures"),
    (lambda m, x: cam.score_cam(m, x, 0, "4", n_channels=0), ValueError, "n_channels .*from 1 to 6, not 0"),
    (lambda m, x: cam.score_cam(m, x, 0, "4", n_channels=7), ValueError, "n_channels .*from 1 to 6, not 7"),
    (lambda m, x: cam.score_cam(m, x, 0, "4", chunk_size=0), ValueError, "chunk_size must be"),
    (lambda m, x: cam.upsample(x[:, 0], 0), ValueError, "size must be a whole number ≥ 1"),
    (
        lambda m, x: cam.upsample(x[:, 0], (4, 4, 4)),
        ValueError,
        r"size must be .*two of them \(height, width\)",
    ),
    (lambda m, x: cam.upsample(x[:, 0], 2.5), ValueError, "size must be a whole number"),
    (lambda m, x: cam.upsample(x, 8), ValueError, r"maps must have the shape \(N, h, w\)"),
    (
        lambda m, x: cam.upsample(np.ones((1, 4, 4)), 8),
        TypeError,
        r"maps .*not a ndarray: use torch\.as_tensor",
    ),
    (lambda m, x: cam.upsample(x[:, 0] / 0, 8), ValueError, "map 0 contains NaN or infinite"),
    (
        lambda m, x: cam.min_max(T(1, 4, 4, dtype=torch.long)),
        TypeError,
        r"maps must be a float .*maps\.float\(\)",
    ),
    (lambda m, x: cam.min_max(x[0, 0, 0]), ValueError, r"maps must have the shape \(N, h, w\)"),
    # occlusion
    (lambda m, x: occlusion(m, x, 0, 13, 1), ValueError, "a window of 13 .*does not fit.*take a smaller"),
    (lambda m, x: occlusion(m, x, 0, 4, 5), ValueError, "a stride of 5 leaves gaps.*use at most 4"),
    (lambda m, x: occlusion(m, x, 0, 0, 1), ValueError, "window must be a whole number ≥ 1"),
    (lambda m, x: occlusion(m, x, 0, (4, 4, 4), 1), ValueError, r"window must be .*\(height, width\)"),
    (lambda m, x: occlusion(m, x, 0, 4, -2), ValueError, "stride must be a whole number ≥ 1"),
    (lambda m, x: occlusion(m, x, 0, "4", 2), ValueError, "window must be a whole number ≥ 1"),
    (lambda m, x: occlusion(m, x, 0, 4, 4, T(3, 4, 4)), ValueError, "baseline .*must fit .*give a number"),
    (
        lambda m, x: occlusion(m, x, 0, 4, 4, INF),
        ValueError,
        "baseline contains NaN or infinite.*give a finite",
    ),
    (lambda m, x: occlusion(m, x, 0, 4, 4, None), TypeError, "baseline must be a number or a float tensor"),
    (lambda m, x: occlusion(m, x, 0, 4, 4, chunk_size=0), ValueError, "chunk_size must be"),
    # the deconvnet
    (
        lambda m, x: deconvnet.deconvnet(m, x, "4", 6),
        ValueError,
        "channel 6 is out of range: the model has 0 … 5",
    ),
    (
        lambda m, x: deconvnet.deconvnet(m, x, "4", 0, (0, 6)),
        ValueError,
        r"\[0, 6\] is outside the feature map of 6",
    ),
    (
        lambda m, x: deconvnet.deconvnet(m, x, "4", 0, (-1, 0)),
        ValueError,
        "outside the feature map: count from 0",
    ),
    (lambda m, x: deconvnet.deconvnet(m, x, "4", 0, (1.0, 2)), TypeError, "position must be .*integers"),
    (lambda m, x: deconvnet.deconvnet(m, x, "4", 0, 3), ValueError, r"position must be \(row, column\)"),
    (lambda m, x: deconvnet.deconvnet(m, x, "4", 0, "top"), TypeError, "position must be .*not str"),
    (
        lambda m, x: deconvnet.deconvnet(m, x, "7", 0, (0, 0)),
        ValueError,
        "no places, only channels: leave position",
    ),
    (
        lambda m, x: deconvnet.deconvnet_explicit(m, x, "7", 0),
        ValueError,
        "cannot run .* backwards.*use deconvnet",
    ),
    (
        lambda m, x: deconvnet.deconvnet_explicit(m[0], x, "", 0),
        ValueError,
        "takes an nn.Sequential: use deconvnet",
    ),
    # filters
    (
        lambda m, x: filters.filter_activation(m, x, "4", [0, 1]),
        ValueError,
        "channel must be one whole number",
    ),
    (climb(6), ValueError, "channel 6 is out of range"),
    (climb([]), ValueError, "channel must be a whole number or several"),
    (climb(0.5), TypeError, "channel must be an int or a tensor of integers"),
    (climb(position=(99, 0)), ValueError, r"position \[99, 0\] is no \(row, column\) in the map"),
    (climb(position=(1, 2, 3)), ValueError, r"position .*is no \(row, column\)"),
    (climb(position="top"), TypeError, "position must be .*not str"),
    (climb(layer="7", position=(0, 0)), ValueError, r"position .*is no \(row, column\)"),
    (climb(diversity=-1.0), ValueError, "diversity must be a number ≥ 0"),
    (climb(n_pictures=0), ValueError, "n_pictures must be a whole number"),
    (ascent(objective="loss"), ValueError, 'objective must be "logit" or "log_probability"'),
    (ascent(parametrization="wavelet"), ValueError, 'parametrization must be "pixel" or "fourier"'),
    (ascent(shape=(8, 8)), ValueError, r"shape must be \(C, H, W\) of one picture"),
    (ascent(shape=(3, 0, 8)), ValueError, "each side of shape must be a whole number ≥ 1"),
    (ascent(shape=8), ValueError, r"shape must be \(C, H, W\)"),
    (ascent(value_range=(1.0, -1.0)), ValueError, r"value_range must be \(lowest, highest\)"),
    (ascent(value_range=(0.0, NAN)), ValueError, "value_range must be"),
    (ascent(value_range=1.0), ValueError, "value_range must be"),
    (ascent(value_range=(T(2, 1, 1), T(2, 1, 1) + 1)), ValueError, r"value_range must be .*\(C, 1, 1\)"),
    (
        ascent(colours=torch.eye(2), parametrization="fourier"),
        ValueError,
        r"colours must have the shape \(3, 3\)",
    ),
    (ascent(generator=3), TypeError, "generator must be a function from codes to pictures"),
    (ascent(generator=codes), ValueError, "how long is a code.*latent="),
    (ascent(generator=codes, latent=0), ValueError, "latent must be a whole number ≥ 1"),
    (ascent(generator=codes, parametrization="fourier"), ValueError, "leave parametrization out"),
    (ascent(generator=codes, start=T(2, 3)), ValueError, r"start .*must have the shape \(1, 3\)"),
    (ascent(start=T(1, 3, 5, 5)), ValueError, r"start must have the shape \(1, 3, 8, 8\)"),
    (ascent(start=np.zeros((1, 3, 8, 8))), TypeError, "start must be a float tensor"),
    (ascent(start=torch.full((1, 3, 8, 8), NAN)), ValueError, "start contains NaN .*finite"),
    (ascent(n_steps=0), ValueError, "n_steps must be a whole number ≥ 1"),
    (ascent(learning_rate=-1), ValueError, "learning_rate must be a number ≥ 0"),
    (ascent(learning_rate="fast"), ValueError, "learning_rate must be a number ≥ 0"),
    (ascent(l2=-1.0), ValueError, "l2 must be a number ≥ 0"),
    (ascent(l1=NAN), ValueError, "l1 must be a number ≥ 0"),
    (ascent(total_variation=None), ValueError, "total_variation must be a number ≥ 0"),
    (ascent(jitter=-1), ValueError, "jitter must be a number ≥ 0"),
    (ascent(scale=1.0), ValueError, "scale must be a number ≥ 0 and below 1"),
    (ascent(rotate=INF), ValueError, "rotate must be a number ≥ 0"),
    (ascent(blur=1.0, parametrization="fourier"), ValueError, "blur smooths pixels"),
    (ascent(code_l2=1.0), ValueError, "code_l2 weighs a generator's codes: pass generator="),
    (lambda m, x: filters.colour_basis(x[:, :1]), ValueError, r"pictures must have the shape \(N, 3, H, W\)"),
    # blurring, layers
    (lambda m, x: blurring.gaussian_blur(x, 0), ValueError, "sigma must be a number > 0.*leave the blur out"),
    (lambda m, x: blurring.gaussian_blur(x, NAN), ValueError, "sigma must be a number"),
    (
        lambda m, x: blurring.gaussian_blur(x, 1, padding="zeros"),
        ValueError,
        'padding must be "replicate" or',
    ),
    (
        lambda m, x: blurring.gaussian_blur(x[0], 1),
        ValueError,
        r"pictures must have the shape \(N, C, H, W\)",
    ),
    (lambda m, x: blurring.gaussian_blur(x.byte(), 1), TypeError, r"pictures must .*pictures\.float\(\)"),
    (lambda m, x: hooks.find_layer(m, "conv"), ValueError, "no layer 'conv'"),
    (lambda m, x: check_like(x.cfloat(), x, "baseline"), TypeError, "baseline .*complex64: preprocess"),
]


@pytest.mark.parametrize(("call", "error", "message"), CALLS, ids=range(len(CALLS)))
def test_bad_input_options(call, error, message):
    refused(call, error, message)


def test_bad_input_inputs_that_half_precision_cannot_hold():
    model = seeded(gap_network).half()
    with pytest.raises(ValueError, match=r"inputs contain .*as torch\.float16: run the model in float32"):
        gradients.saliency(model, torch.full((1, 3, 12, 12), 1e6), 0)


def test_bad_input_scores_that_overflow():
    model = seeded(gap_network)
    with torch.no_grad():
        model[7].bias.fill_(INF)
    for method in (gradients.saliency, occlusion_of, deconvnet.guided_backprop, EXPLAIN["grad_cam"]):
        with pytest.raises(
            ValueError, match=r"the model's scores contain NaN or infinite .*check its weights"
        ):
            method(model, pictures(1, 3, 12, 12), 0)


def occlusion_of(model, inputs, target):
    return occlusion(model, inputs, target, 4, 4)
