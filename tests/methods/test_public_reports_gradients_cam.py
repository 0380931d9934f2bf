"""What people reported of other libraries, asked of our gradients, activation maps, occlusion and ascents.

One test a report; the comment says what was reported, and where.
"""

import copy
import math

import numpy as np
import pytest
import torch
from small_networks import FunctionalNetwork, ResidualNetwork, gap_network, largest, pictures, seeded
from torch import nn
from torch.nn import functional as F
from torchvision import models

from course_utils.methods import cam, deconvnet, filters, gradients
from course_utils.methods.occlusion import occlusion

SMALL = {"shape": (3, 12, 12), "n_steps": 6}
CAMS = [cam.grad_cam, cam.grad_cam_plus_plus, cam.layer_cam, cam.score_cam]
# each as a function of model, inputs and target, for `gap_network`
HALVES = {
    "saliency": gradients.saliency,
    "input_x_gradient": gradients.input_x_gradient,
    "smooth_grad": lambda m, x, t: gradients.smooth_grad(m, x, t, 20),
    "var_grad": lambda m, x, t: gradients.var_grad(m, x, t, 20, 0.5),
    "integrated_gradients": gradients.integrated_gradients,
    "guided_backprop": deconvnet.guided_backprop,
    "deconvnet": lambda m, x, t: deconvnet.deconvnet(m, x, "4", t, (3, 3)),
    "cam": lambda m, x, t: cam.cam(m, x, t, "4", "7"),
    **{method.__name__: lambda m, x, t, f=method: f(m, x, t, "4") for method in CAMS},
}
NEEDS_HOOKS = {
    "grad_cam": lambda m, x: cam.grad_cam(m, x, 1, "4"),
    "cam": lambda m, x: cam.cam(m, x, 1, "4", "7"),
    "score_cam": lambda m, x: cam.score_cam(m, x, 1, "4"),
    "guided_backprop": lambda m, x: deconvnet.guided_backprop(m, x, 1),
    "deconvnet": lambda m, x: deconvnet.deconvnet(m, x, "4", 1),
    "filter_activation": lambda m, x: filters.filter_activation(m, x, "4", 1),
    "activation_maximization": lambda m, x: filters.activation_maximization(m, "4", 1, **SMALL),
}


def moderate():
    """Float pictures and a network whose gradients are far from float16's smallest numbers."""
    model = seeded(gap_network).float()
    with torch.no_grad():
        model[7].weight *= 20
    return model, pictures(2, 3, 16, 16, dtype=torch.float32)


class Returns(nn.Module):
    """A network that wraps its scores in something."""

    def __init__(self, wrap, model=None):
        super().__init__()
        self.wrap, self.model = wrap, model or seeded(gap_network)

    def forward(self, x):
        return self.wrap(self.model(x))


class Frozen(nn.Module):
    """A backbone that runs under no_grad() or inference_mode() inside forward."""

    def __init__(self, mode=torch.no_grad):
        super().__init__()
        self.mode, self.net = mode, gap_network()

    def forward(self, x):
        with self.mode():
            x = self.net[:5](x)
        return self.net[5:](x)


# ---- half precision


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", HALVES)
def test_public_report_half_precision_maps(name, dtype):
    # pytorch-grad-cam #96, #442, #493: the map of a half-precision model cannot be computed
    if name == "var_grad" and dtype == torch.bfloat16:
        pytest.skip("the variance of gradients that are rounded to 8 bits is mostly that of the rounding")
    model, inputs = moderate()
    inputs = inputs.to(dtype).float()  # so that both see the same picture
    expected = HALVES[name](model, inputs, 1)
    found = HALVES[name](copy.deepcopy(model).to(dtype), inputs, 1)
    close = F.cosine_similarity(found.float().flatten(1), expected.flatten(1))
    assert close.min() > (0.99 if dtype == torch.float16 else 0.96)
    assert found.float().abs().max() / expected.abs().max() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_public_report_half_precision_sums_keep_their_digits(dtype):
    # the same kind: fifty gradients added up in 8 or 11 bits; on a linear model the answer is known
    model = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(48, 3))).to(dtype)
    inputs = pictures(1, 3, 4, 4).to(dtype)
    weights = model[1].weight.detach()[1].view(1, 3, 4, 4).float()
    found = gradients.integrated_gradients(model, inputs, 1)
    assert found.dtype == torch.float32 and largest(found, weights * inputs.float()) < 1e-6
    assert largest(gradients.smooth_grad(model, inputs, 1, 50), weights) < 1e-6


@pytest.mark.parametrize("parametrization", ["pixel", "fourier"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_public_report_half_precision_ascents(dtype, parametrization):
    # tensorflow/lucid #229, tf-keras-vis #41: pictures of NaN; Adam's squares vanish in half precision
    model = seeded(gap_network).float()
    options = {**SMALL, "parametrization": parametrization, "n_steps": 1}
    expected = filters.activation_maximization(model, "4", 1, **options)
    found = filters.activation_maximization(copy.deepcopy(model).to(dtype), "4", 1, **options)
    assert found.dtype == dtype and found.isfinite().all() and found.abs().max() < 0.5
    if parametrization == "pixel":  # one step of Adam has one length, and almost always the same sign
        assert (largest(found, expected) < 0.11) and (
            (found.float() - expected).abs() < 0.01
        ).float().mean() > 0.9
    made = filters.class_maximization(copy.deepcopy(model).to(dtype), 1, **options)
    assert made.isfinite().all()


# ---- layers and what they put out


@pytest.mark.parametrize("method", CAMS)
def test_public_report_inplace_relu_behind_the_layer(method):
    # captum #156: an in-place ReLU overwrites the activations that a hook has kept
    inputs = pictures(2, 3, 16, 16)
    expected = method(seeded(gap_network), inputs, 1, "3")
    model = seeded(gap_network, inplace=True)
    assert torch.equal(method(model, inputs, 1, "3"), expected)
    assert model[4].inplace


def test_public_report_inplace_relu_as_a_function():
    # pytorch-grad-cam #147, #185: densenet ends in F.relu(features, inplace=True)
    class Dense(nn.Module):
        def __init__(self, inplace):
            super().__init__()
            self.features, self.head, self.inplace = nn.Conv2d(3, 6, 3), nn.Linear(6, 4), inplace

        def forward(self, x):
            return self.head(F.relu(self.features(x), inplace=self.inplace).mean(dim=(2, 3)))

    inputs = pictures(2, 3, 9, 9)
    found, expected = (cam.grad_cam(seeded(Dense, i), inputs, 1, "features") for i in (True, False))
    assert torch.equal(found, expected) and found.any()


def test_public_report_a_model_that_writes_into_its_inputs():
    # the same kind, at the pictures themselves: the baseline's score would be that of another picture
    class Greedy(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = gap_network()

        def forward(self, x):
            return self.net(x.sub_(0.5).relu_())

    model, inputs = seeded(Greedy), pictures(2, 3, 16, 16)
    kept = inputs.clone()
    plain = seeded(Returns, lambda s: s, None)
    plain.model = nn.Sequential(*model.net)
    plain.forward = lambda x: plain.model((x - 0.5).relu())
    assert torch.equal(gradients.saliency(model, inputs, 1), gradients.saliency(plain, inputs, 1))
    assert largest(occlusion(model, inputs, 1, 4, 4), occlusion(plain, inputs, 1, 4, 4)) < 1e-12
    found = gradients.integrated_gradients(model, inputs, 1, 1.0, return_convergence_delta=True)
    expected = gradients.integrated_gradients(plain, inputs, 1, 1.0, return_convergence_delta=True)
    assert all(largest(f, e) < 1e-12 for f, e in zip(found, expected, strict=True))
    assert torch.equal(inputs, kept)


def test_public_report_no_relu_in_layer_grad_cam():
    # captum #179: negative values surprise; here `relu` says which it is, and the paper's is the default
    model, inputs = seeded(gap_network), pictures(3, 3, 16, 16)
    targets = torch.tensor([0, 1, 4])
    raw = cam.grad_cam(model, inputs, targets, "4", relu=False)
    assert (raw < 0).any() and torch.equal(raw.relu(), cam.grad_cam(model, inputs, targets, "4"))


@pytest.fixture(scope="module")
def swin():
    torch.manual_seed(0)
    return models.SwinTransformer([4, 4], 24, [1, 1], [2, 2], [4, 4], num_classes=5).eval()


@pytest.mark.parametrize("method", CAMS)
def test_public_report_channels_last_layers(swin, method):
    # pytorch-grad-cam #355, #426, #84: Swin puts out (N, h, w, K), which is read as (N, K, h, w)
    inputs = pictures(1, 3, 64, 64, dtype=torch.float32)
    with pytest.raises(ValueError, match=r"\(1, 8, 8, 48\).*channels last.*reshape="):
        method(swin, inputs, 3, "features.3")
    maps = method(swin, inputs, 3, "features.3", reshape=lambda m: m.permute(0, 3, 1, 2))
    assert maps.shape == (1, 8, 8)
    if method is cam.grad_cam:  # by hand
        kept = []
        handle = swin.features[3].register_forward_hook(lambda m, a, output: kept.append(output))
        score = swin(inputs)[0, 3]
        handle.remove()
        weights = torch.autograd.grad(score, kept[0])[0].mean(dim=(1, 2))
        assert largest(maps[0], (kept[0][0] * weights).sum(dim=2).relu().detach()) < 1e-6


def test_public_report_channels_last_filters(swin):
    # the same reports: "channel 30 is out of range: the model has 0 … 7" of a layer with 48 channels
    inputs = pictures(1, 3, 64, 64, dtype=torch.float32)
    for call in (
        lambda: filters.filter_activation(swin, inputs, "features.3", 30),
        lambda: filters.activation_maximization(swin, "features.3", 30, shape=(3, 64, 64), n_steps=1),
    ):
        with pytest.raises(ValueError, match="channels last"):
            call()
    found = filters.filter_activation(swin, inputs, "features.3", 30, reshape=lambda m: m.permute(0, 3, 1, 2))
    with torch.no_grad():
        assert torch.equal(found, swin.features[:4](inputs)[..., 30])


@pytest.mark.parametrize("method", CAMS)
def test_public_report_tokens_of_a_vision_transformer(method):
    # pytorch-grad-cam #257, #503, torch-cam #412: axis out of bounds for tokens (N, T, K)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vit = models.VisionTransformer(32, 8, 2, 2, 24, 48, num_classes=5).eval()
        nn.init.normal_(vit.heads.head.weight)
    inputs, layer = pictures(2, 3, 32, 32, dtype=torch.float32), "encoder.layers.encoder_layer_1.ln_1"
    with pytest.raises(ValueError, match=r"\(2, 17, 24\), tokens.*reshape="):
        method(vit, inputs, 1, layer)
    maps = method(vit, inputs, 1, layer, reshape=lambda t: t[:, 1:].transpose(1, 2).unflatten(2, (4, 4)))
    assert maps.shape == (2, 4, 4) and maps.abs().max() > 0
    with pytest.raises(TypeError, match="not tuple"):  # attention puts out two things
        method(vit, inputs, 1, "encoder.layers.encoder_layer_1.self_attention")


def test_public_report_one_module_in_two_places():
    # own, near captum #732: a layer that runs twice has two outputs, and no answer is right for both
    model, inputs = seeded(ResidualNetwork), pictures(1, 3, 12, 12)
    for call in (
        lambda: cam.grad_cam(model, inputs, 0, "relu"),
        lambda: filters.filter_activation(model, inputs, "relu", 0),
        lambda: filters.activation_maximization(model, "relu", 0, **SMALL),
    ):
        with pytest.raises(ValueError, match="ran 2 times"):
            call()


def test_public_report_one_module_under_two_names():
    # own: PyTorch lists a shared module once, but both names are right
    model = seeded(gap_network)
    model.alias = model[4]
    model.forward = lambda x: nn.Sequential.forward(model[:8], x)
    inputs = pictures(1, 3, 12, 12)
    assert torch.equal(cam.grad_cam(model, inputs, 0, "alias"), cam.grad_cam(model, inputs, 0, "4"))


# ---- what a model returns


@pytest.mark.parametrize("wrap", [lambda s: (s,), lambda s: {"logits": s}, lambda s: s[:, 0], lambda s: s[0]])
@pytest.mark.parametrize("method", [gradients.saliency, deconvnet.guided_backprop])
def test_public_report_outputs_that_are_no_tensor(method, wrap):
    # pytorch-grad-cam #481: an ImageClassifierOutput causes a TypeError deep inside
    with pytest.raises(ValueError, match=r"scores of the shape \(N, n_classes\), not .*wrap it"):
        method(Returns(wrap), pictures(2, 3, 12, 12), 0)


def test_public_report_one_logit():
    # pytorch-grad-cam #325, #428, MONAI #5530: a model with one score; class 0 is what a high score says
    model, inputs = seeded(gap_network, classes=1), pictures(2, 3, 16, 16)
    x = inputs.clone().requires_grad_()
    expected = torch.autograd.grad(model(x).sum(), x)[0]
    assert largest(gradients.saliency(model, inputs, 0), expected.abs()) < 1e-14
    maps = cam.cam(model, inputs, 0, "4", "7")
    assert largest(maps.mean(dim=(1, 2)) + model[7].bias.detach(), model(inputs)[:, 0].detach()) < 1e-12
    for method in (gradients.saliency, deconvnet.guided_backprop, gradients.integrated_gradients):
        with pytest.raises(ValueError, match="target 1 is out of range: the model has one score"):
            method(model, inputs, 1)


def test_public_report_one_logit_log_probability():
    # the same kind: the softmax of one score is 1 whatever the picture, so the start came back
    model, seen = seeded(gap_network, classes=1), []
    found = filters.class_maximization(
        model, 0, objective="log_probability", on_step=lambda *step: seen.append(step), **SMALL
    )
    assert largest(seen[-1][2], F.logsigmoid(model(found))[:, 0].detach()) < 1e-12
    assert seen[-1][2] > seen[0][2]


# ---- models that let no gradient or no hook through


def test_public_report_no_grad_inside_forward():
    # pytorch-grad-cam #511: the layer is on the way to the scores, and yet no gradient arrives
    model, inputs = seeded(Frozen), pictures(2, 3, 16, 16)
    for method in (cam.grad_cam, cam.layer_cam, cam.grad_cam_plus_plus):
        for layer in ("3", "4"):
            assert (
                largest(method(model, inputs, 1, f"net.{layer}"), method(model.net, inputs, 1, layer)) < 1e-14
            )


@pytest.mark.parametrize(
    "method", [gradients.saliency, gradients.integrated_gradients, deconvnet.guided_backprop]
)
def test_public_report_unused_tensors(method):
    # captum #1141, #1080, #1493: "One of the differentiated Tensors appears to not have been used"
    with pytest.raises(ValueError, match=r"no gradient reaches the inputs: .*no_grad"):
        method(seeded(Frozen), pictures(1, 3, 16, 16), 1)
    model = seeded(Frozen, torch.inference_mode)
    with pytest.raises(ValueError, match="no gradient"):
        method(model, pictures(1, 3, 16, 16), 1)
    model.net[7].weight.requires_grad_(False)
    model.net = nn.Sequential(*model.net[:5], nn.Conv2d(6, 6, 3), *model.net[5:]).double()
    with pytest.raises(ValueError, match="inference_mode"):  # PyTorch: "Inference tensors cannot be saved"
        method(model, pictures(1, 3, 16, 16), 1)


@pytest.mark.filterwarnings("ignore")
def test_public_report_quantised_models():
    # captum #1080: a dynamically quantised head passes no gradient; zeros would be a wrong answer
    model = torch.ao.quantization.quantize_dynamic(seeded(gap_network).float(), {nn.Linear})
    inputs = pictures(1, 3, 12, 12, dtype=torch.float32)
    for method in (gradients.saliency, gradients.smooth_grad, deconvnet.guided_backprop):
        with pytest.raises(ValueError, match="quantised"):
            method(model, inputs, 1)
    with pytest.raises(ValueError, match="quantised"):
        filters.class_maximization(model, 1, l2=1.0, **SMALL)
    assert occlusion(model, inputs, 1, 4, 4).any()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [torch.jit.trace, torch.jit.script])
@pytest.mark.parametrize("name", NEEDS_HOOKS)
def test_public_report_torchscript_has_no_hooks(name, make):
    # pytorch-grad-cam #258, captum #228, shap #3532: hooks of a traced or scripted module never run
    inputs = pictures(1, 3, 12, 12)
    model = make(seeded(gap_network), inputs) if make is torch.jit.trace else make(seeded(gap_network))
    with pytest.raises(ValueError, match=r"traced or scripted .*take the module that it was made from"):
        NEEDS_HOOKS[name](model, inputs)


@pytest.mark.filterwarnings("ignore")
def test_public_report_torchscript_gradients():
    # the same reports: what needs no hooks is right
    model, inputs = seeded(gap_network), pictures(2, 3, 12, 12)
    traced = torch.jit.trace(model, inputs)
    assert largest(gradients.saliency(traced, inputs, 1), gradients.saliency(model, inputs, 1)) < 1e-14
    assert largest(occlusion(traced, inputs, 1, 4, 4), occlusion(model, inputs, 1, 4, 4)) < 1e-12


@pytest.mark.parametrize("name", NEEDS_HOOKS)
def test_public_report_compiled_models_ignore_hooks(name):
    # pytorch #117758, #91665: a hook that is added after the first run is never called
    model, inputs = seeded(gap_network), pictures(1, 3, 12, 12)
    compiled = torch.compile(model, backend="eager")
    with pytest.raises(ValueError, match=r"compiled .*compiled\._orig_mod"):
        NEEDS_HOOKS[name](compiled, inputs)
    assert NEEDS_HOOKS[name](compiled._orig_mod, inputs).isfinite().all()
    model.compile(backend="eager")
    with pytest.raises(ValueError, match=r"compiled \(module\.compile"):
        NEEDS_HOOKS[name](model, inputs)


def test_public_report_data_parallel():
    # captum #469, #477, pytorch #42478: hooks and DataParallel
    model, inputs = seeded(gap_network), pictures(3, 3, 16, 16)
    parallel = nn.DataParallel(model)
    assert torch.equal(cam.grad_cam(parallel, inputs, 1, model[4]), cam.grad_cam(model, inputs, 1, "4"))
    assert torch.equal(cam.grad_cam(parallel, inputs, 1, "module.4"), cam.grad_cam(model, inputs, 1, "4"))
    with pytest.raises(ValueError, match=r"no layer '4'.*'module\.0'"):
        cam.grad_cam(parallel, inputs, 1, "4")


# ---- memory


@pytest.mark.parametrize("name", ["saliency", "integrated_gradients", "smooth_grad", "var_grad", "occlusion"])
def test_public_report_large_pictures_go_alone(name):
    # captum #245, #538, #1350, xplique #137: out of memory; eight large pictures went through at once
    sizes = []

    class Spy(nn.Module):
        def forward(self, x):
            sizes.append(len(x))
            return x[:, :, ::50, ::50].mean(dim=(2, 3))

    calls = {
        "saliency": lambda x: gradients.saliency(Spy(), x, 0),
        "integrated_gradients": lambda x: gradients.integrated_gradients(Spy(), x, 0, n_steps=3),
        "smooth_grad": lambda x: gradients.smooth_grad(Spy(), x, 0, 3),
        "var_grad": lambda x: gradients.var_grad(Spy(), x, 0, 3),
        "occlusion": lambda x: occlusion(Spy(), x, 0, 500, 500),
    }
    calls[name](torch.rand(2, 3, 1000, 1000))
    assert max(sizes) == 1
    sizes.clear()
    calls[name](torch.rand(9, 3, 224, 224)) if name != "occlusion" else None
    assert max(sizes, default=5) <= 5


def test_public_report_smooth_grad_bounds_its_memory():
    # captum #497, xplique #137: the batch size of the samples does not bound what goes through the model
    model, inputs = seeded(gap_network), pictures(5, 3, 12, 12)
    sizes = []
    model.register_forward_hook(lambda m, args, output: sizes.append(len(args[0])))
    gradients.smooth_grad(model, inputs, 1, 4, chunk_size=2)
    assert max(sizes) == 2 and sum(sizes) == 20


# ---- the caller's state, targets, inputs


def test_public_report_gradients_of_the_parameters():
    # captum #1037: must gradients be set to zero between calls?
    model, inputs = seeded(gap_network), pictures(2, 3, 12, 12)
    first = gradients.saliency(model, inputs, 1)
    assert torch.equal(gradients.saliency(model, inputs, 1), first)
    assert all(p.grad is None for p in model.parameters())
    frozen = seeded(gap_network).requires_grad_(False)
    assert torch.equal(gradients.saliency(frozen, inputs, 1), first)
    one = seeded(ResidualNetwork).train()
    assert gradients.saliency(one, inputs[:1], 1).any() and one.training  # a batch norm of one picture


@pytest.mark.parametrize("name", [n for n in HALVES if n not in ("smooth_grad", "var_grad")])
def test_public_report_batches_of_several_targets(name):
    # captum #645: does a batch with several targets give what single calls give? Pictures are not square
    model, inputs, targets = seeded(gap_network), pictures(4, 3, 24, 40), torch.tensor([4, 0, 2, 2])
    together = HALVES[name](model, inputs, targets)
    alone = [HALVES[name](model, inputs[i : i + 1], int(t)) for i, t in enumerate(targets)]
    assert largest(together, torch.cat(alone)) < 1e-12


@pytest.mark.parametrize("method", [gradients.saliency, gradients.integrated_gradients])
def test_public_report_token_ids_and_embeddings(method):
    # captum #373, #329: integrated gradients of token ids
    with pytest.raises(TypeError, match=r"inputs must be a float tensor, not torch\.int64"):
        method(seeded(gap_network), torch.ones(1, 12, dtype=torch.long), 0)
    with pytest.raises(ValueError, match=r"\(N, C, H, W\) or \(N, d\), not \(1, 12, 8\)"):
        method(seeded(gap_network), torch.ones(1, 12, 8), 0)


def test_public_report_booleans_among_the_targets():
    # torch-cam refuses a boolean in the list of classes; a tensor of the list would take it for class 1
    with pytest.raises(TypeError, match="not bool"):
        cam.grad_cam(seeded(gap_network), pictures(2, 3, 12, 12), [0, True], "4")


def test_public_report_numpy_integers():
    # nflows #86, GalSim #1009: NumPy's integers fail isinstance(…, int)
    model, inputs = seeded(gap_network), pictures(2, 3, 12, 12)
    assert torch.equal(
        gradients.integrated_gradients(model, inputs, np.int64(1), n_steps=np.int64(5)),
        gradients.integrated_gradients(model, inputs, 1, n_steps=5),
    )
    assert torch.equal(occlusion(model, inputs, np.array([1, 2]), np.int64(4), np.int32(2)),
                       occlusion(model, inputs, torch.tensor([1, 2]), 4, 2))  # fmt: skip
    assert cam.upsample(torch.rand(1, 4, 4), np.int64(8)).shape == (1, 8, 8)
    codes = {"generator": lambda z: z[:, :, None, None].expand(-1, 3, 8, 8), "latent": np.int64(3)}
    assert filters.class_maximization(model, 1, n_steps=2, n_pictures=np.int64(2), **codes).shape[0] == 2


def test_public_report_an_interrupt_leaves_no_hooks():
    # own: Ctrl-C in the middle of a forward pass
    model = seeded(gap_network).train()

    def interrupt(*args):
        raise KeyboardInterrupt

    handle = model[5].register_forward_hook(interrupt)
    for call in NEEDS_HOOKS.values():
        if call is NEEDS_HOOKS["activation_maximization"]:
            continue  # it leaves the forward pass before
        with pytest.raises(KeyboardInterrupt):
            call(model, pictures(1, 3, 12, 12))
    handle.remove()
    assert not any(m._forward_hooks or m._backward_hooks for m in model.modules())
    assert all(m.training for m in model.modules()) and torch.is_grad_enabled()


# ---- guided backpropagation, the deconvnet, CAM's head, ascents


def test_public_report_functional_relus_give_the_plain_gradient():
    # kazuto1011/grad-cam-pytorch #2: Inception applies F.relu, so guided backpropagation does nothing
    for mixed in (False, True):
        with pytest.raises(ValueError, match=r"F\.relu"):
            deconvnet.guided_backprop(seeded(FunctionalNetwork, mixed=mixed), pictures(1, 3, 10, 8), 0)


@pytest.mark.parametrize(
    "relative",
    [
        *(nn.LeakyReLU(), nn.PReLU(), nn.RReLU(), nn.ELU(), nn.SELU(), nn.CELU(), nn.Hardswish(), nn.SiLU()),
        *(nn.GELU(), nn.Mish(), nn.Softplus(), nn.Threshold(0.0, 0.0), nn.Hardtanh(0.0, 4.0)),
        *(lambda x: x.clamp(min=0), lambda x: torch.maximum(x, torch.zeros_like(x)), F.relu6),
        lambda x: torch.clamp(x, 0, 6),
    ],
)
def test_public_report_relatives_of_relu(relative):
    # keras-vis #174: LeakyReLU and its like keep the plain gradient beside ReLUs that obey the rule
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.relative = gap_network(), relative

        def forward(self, x):
            return self.net[1:](self.relative(self.net[0](x)))

    model, inputs = seeded(Mixed), pictures(1, 3, 12, 12)
    with pytest.raises(ValueError, match=r"write all of them as modules"):
        deconvnet.guided_backprop(model, inputs, 1)
    with pytest.raises(ValueError, match=r"write all of them as modules"):
        deconvnet.deconvnet(model, inputs, "net.4", 1)


def test_public_report_clamps_that_are_no_relu():
    # beside it: a norm's guard against zero and the larger of two maps must not be refused
    class Cosine(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.relu, self.head = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Linear(4, 3)

        def forward(self, x):
            left, right = self.relu(self.first(x)).mean(dim=(2, 3)).chunk(2, dim=1)
            return self.head(F.normalize(torch.maximum(left, right), dim=1))

    assert deconvnet.guided_backprop(seeded(Cosine), pictures(1, 3, 12, 12), 1).any()


def test_public_report_the_target_layer_is_a_relu():
    # SemisupervisedAttention #23: an index error where guided backpropagation replaces the layer itself
    model, inputs = seeded(gap_network), pictures(1, 3, 12, 12)
    from_relu = deconvnet.deconvnet(model, inputs, "4", 2, (2, 2))
    from_convolution = deconvnet.deconvnet(model, inputs, "3", 2, (2, 2))
    assert largest(from_relu, from_convolution) < 1e-14 or not from_relu.any()


def test_public_report_cam_of_a_network_with_another_head():
    # torch-cam #153 (VGG): CAM needs average pooling and one linear layer; widths that fit are not enough
    class Head(nn.Module):
        def __init__(self, pool, hidden):
            super().__init__()
            self.c, self.h, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 8), nn.Linear(8, 3)
            self.pool, self.hidden = pool, hidden

        def forward(self, x):
            x = self.pool(self.c(x).relu())
            return self.fc(self.h(x).relu() if self.hidden else x)

    inputs = 5 * pictures(2, 3, 16, 16)
    for pool, hidden in ((lambda m: m.mean((2, 3)), True), (lambda m: m.amax((2, 3)), False)):
        model = seeded(Head, pool, hidden)
        with pytest.raises(ValueError, match="not right behind the average"):
            cam.cam(model, inputs, 1, "c", "fc")
        assert cam.cam(model, inputs, 1, "c", "fc", check=False).shape == (2, 14, 14)
    with pytest.raises(ValueError, match="not right behind the average"):  # the scores are probabilities
        cam.cam(Returns(lambda s: s.softmax(1)), inputs, 1, "model.4", "model.7")


def test_public_report_cam_of_squeezenet():
    # torch-cam #71: the classifier is a 1×1 convolution, with a ReLU before the pooling
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = models.squeezenet1_1(weights=None, num_classes=4).double().eval()
    inputs = pictures(2, 3, 64, 64)
    maps = cam.cam(model, inputs, 1, "features", "classifier.1")
    bias = model.classifier[1].bias.detach()[1]
    assert largest((maps + bias).relu().mean(dim=(1, 2)), model(inputs)[:, 1].detach()) < 1e-12


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 31, 17), (3, 8, 1), (3, 1, 1)])
@pytest.mark.parametrize(
    "options", [{}, {"parametrization": "fourier"}, {"jitter": 2, "total_variation": 0.1}]
)
def test_public_report_ascents_to_small_and_grey_pictures(shape, options):
    # lucent #10, lucid #175: CIFAR's size, one channel
    channels = shape[0]

    def build():
        return nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    found = filters.class_maximization(seeded(build), 1, shape=shape, n_steps=4, **options)
    assert found.shape == (1, *shape) and found.isfinite().all() and found.abs().max() <= 1


def test_public_report_var_grad_of_a_wide_range_is_the_variance():
    # captum's vargrad subtracts squares; here the digits stay (own)
    class Steep(nn.Module):
        def forward(self, x):
            return (1e3 * x + x**2 / 2).sum(dim=(2, 3))

    inputs = torch.tensor([[[[0.0, 1.0]]]])
    assert gradients.var_grad(Steep(), inputs, 0, 4000, 0.1).mean().sqrt().item() == pytest.approx(
        0.1, rel=0.05
    )
    assert math.isfinite(float(gradients.var_grad(Steep(), inputs, 0).sum()))
