"""Every method leaves the model and the inputs as it found them, works in any mode, and names errors."""

import pytest
import torch
from small_networks import ViewNetwork, gap_network, largest, pictures, seeded
from torch import nn

from course_utils.methods import cam, deconvnet, gradients
from course_utils.methods.occlusion import occlusion

# each as a function of the model, inputs and target; the feature maps are layer "4", the classifier "7"
METHODS = {
    "cam": lambda m, x, t: cam.cam(m, x, t, "4", "7"),
    "grad_cam": lambda m, x, t: cam.grad_cam(m, x, t, "4"),
    "grad_cam_plus_plus": lambda m, x, t: cam.grad_cam_plus_plus(m, x, t, "4"),
    "score_cam": lambda m, x, t: cam.score_cam(m, x, t, "4"),
    "layer_cam": lambda m, x, t: cam.layer_cam(m, x, t, "4"),
    "saliency": gradients.saliency,
    "input_x_gradient": gradients.input_x_gradient,
    "smooth_grad": lambda m, x, t: gradients.smooth_grad(m, x, t, n_samples=4),
    "var_grad": lambda m, x, t: gradients.var_grad(m, x, t, n_samples=4),
    "integrated_gradients": lambda m, x, t: gradients.integrated_gradients(m, x, t, n_steps=4),
    "guided_backprop": deconvnet.guided_backprop,
    "deconvnet": lambda m, x, t: deconvnet.deconvnet(m, x, "4", t),
    "deconvnet_explicit": lambda m, x, t: deconvnet.deconvnet_explicit(m, x, "4", t),
    "occlusion": lambda m, x, t: occlusion(m, x, t, 5, 4),
}
TARGETS = torch.tensor([2, 0, 3])
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def state(model):
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    modules = [
        (
            m.training,
            getattr(m, "inplace", None),
            m.__dict__.get("forward"),
            *(len(getattr(m, h)) for h in hooks),
        )
        for m in model.modules()
    ]
    parameters = [
        (p.requires_grad, p._version, None if p.grad is None else p.grad.sum().item())
        for p in model.parameters()
    ]
    return modules, parameters, torch.is_grad_enabled()


def unusual_network():
    """A network in a state that nothing but luck restores by accident."""
    model = seeded(gap_network, inplace=True).train()
    model[0].eval()
    model[3].weight.requires_grad_(False)
    model[7].weight.grad = torch.ones_like(model[7].weight)
    model[1].register_forward_hook(lambda *args: None)
    return model


@every_method
def test_the_model_and_the_inputs_stay_as_they_were(method):
    model, inputs = unusual_network(), pictures(3, 3, 16, 16)
    before, weights, copy = state(model), [p.clone() for p in model.parameters()], inputs.clone()
    result = method(model, inputs, TARGETS)
    assert state(model) == before
    assert all(torch.equal(p, w) for p, w in zip(model.parameters(), weights, strict=True))
    assert torch.equal(inputs, copy) and inputs.grad is None and not inputs.requires_grad
    assert not result.requires_grad and result.shape[0] == 3 and result.isfinite().all()
    assert result.abs().max() > 0


@every_method
def test_the_model_stays_as_it_was_after_an_error(method):
    class Broken(nn.Linear):
        def forward(self, x):
            raise RuntimeError("broken")

    for broken in (3, 7):
        model = unusual_network()
        if broken == 3:
            model[3].register_forward_hook(lambda *args: (_ for _ in ()).throw(RuntimeError("broken")))
        elif method is not METHODS["deconvnet_explicit"]:  # it never runs the classifier
            model[7] = Broken(6, 5).double()
        else:
            continue
        before = state(model)
        with pytest.raises(RuntimeError, match="broken"):
            method(model, pictures(3, 3, 16, 16), TARGETS)
        assert state(model) == before


@every_method
def test_the_result_is_the_same_whatever_the_caller_has_set(method):
    inputs = pictures(3, 3, 16, 16)
    expected = method(seeded(gap_network), inputs, TARGETS)
    with torch.no_grad():
        assert torch.equal(method(seeded(gap_network), inputs, TARGETS), expected)
        assert not torch.is_grad_enabled()
    model = seeded(gap_network)
    with torch.inference_mode():
        result = method(model, inputs + 0, TARGETS + 0)
        assert largest(result, expected) == 0
    assert torch.equal(method(seeded(gap_network).requires_grad_(False), inputs, TARGETS), expected)
    assert torch.equal(method(seeded(gap_network), inputs.clone().requires_grad_(), TARGETS), expected)
    assert largest(method(seeded(gap_network, inplace=True).train(), inputs, TARGETS), expected) < 1e-15
    spread = inputs.permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1)
    assert largest(method(seeded(gap_network), spread, TARGETS), expected) < 1e-12
    expected += 1  # an ordinary tensor, that a caller may change


@every_method
def test_one_target_for_all_or_one_for_each(method):
    model, inputs = seeded(gap_network), pictures(3, 3, 16, 16)
    together = method(model, inputs, TARGETS)
    assert torch.equal(method(model, inputs, 2), method(model, inputs, torch.tensor([2, 2, 2])))
    if method not in (
        METHODS["smooth_grad"],
        METHODS["var_grad"],
    ):  # their noise depends on the place in the batch
        alone = [method(model, inputs[i : i + 1], int(TARGETS[i])) for i in range(3)]
        assert largest(together, torch.cat(alone)) < 1e-12


@every_method
def test_single_and_double_precision(method):
    inputs = pictures(3, 3, 16, 16)
    double, single = seeded(gap_network), seeded(gap_network).float()
    assert method(double, inputs.float(), TARGETS).dtype == torch.float64
    result = method(single, inputs.float(), TARGETS)
    assert result.dtype == torch.float32
    if method not in (METHODS["smooth_grad"], METHODS["var_grad"]):  # other noise in the other precision
        assert largest(result, method(double, inputs, TARGETS)) < 1e-5


@every_method
@pytest.mark.parametrize(
    ("inputs", "target", "error", "message"),
    [
        (pictures(3, 16, 16), 0, ValueError, r"inputs\[None\]"),
        (pictures(0, 3, 16, 16), 0, ValueError, r"\(N, C, H, W\)"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), 0, TypeError, "float tensor"),
        ([[1.0]], 0, TypeError, "float tensor"),
        (torch.full((1, 3, 16, 16), torch.nan), 0, ValueError, "NaN"),
        (torch.full((1, 3, 16, 16), torch.inf), 0, ValueError, "infinite"),
        (pictures(2, 3, 16, 16), 9, ValueError, "9 is out of range"),
        (pictures(2, 3, 16, 16), -1, ValueError, "-1 is out of range"),
        (pictures(2, 3, 16, 16), torch.tensor([1, 9]), ValueError, "9 is out of range"),
        (pictures(2, 3, 16, 16), torch.tensor([1, 2, 3]), ValueError, "one a picture"),
        (pictures(2, 3, 16, 16), 1.0, TypeError, "must be an int"),
        (pictures(2, 3, 16, 16), True, TypeError, "must be an int"),
    ],
)
def test_bad_arguments_are_named(method, inputs, target, error, message):
    model = seeded(gap_network)
    before = state(model)
    with pytest.raises(error, match=message):
        method(model, inputs, target)
    assert state(model) == before


@every_method
def test_a_model_that_is_none_or_returns_nonsense_is_named(method):
    with pytest.raises((TypeError, ValueError), match=r"Module|nn\.Sequential"):
        method(lambda x: x, pictures(1, 3, 16, 16), 0)
    if method in (METHODS["deconvnet"], METHODS["deconvnet_explicit"]):
        return  # they use no scores
    headless = seeded(gap_network)
    headless[6] = nn.Identity()
    headless[7] = nn.Conv2d(6, 5, 1).double()
    with pytest.raises(ValueError, match=r"\(N, n_classes\)"):
        method(headless, pictures(1, 3, 16, 16), 0)
    sick = seeded(gap_network)
    with torch.no_grad():
        sick[7].bias.fill_(torch.nan)
    with pytest.raises(ValueError, match="NaN"):
        method(sick, pictures(1, 3, 16, 16), 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@every_method
def test_works_where_the_model_is(method):
    inputs = pictures(3, 3, 16, 16)
    expected = method(seeded(gap_network), inputs, TARGETS)
    result = method(seeded(gap_network).cuda(), inputs, TARGETS)
    assert result.is_cuda
    assert largest(result.cpu(), expected) < 1e-9


@pytest.mark.parametrize("name", ["score_cam", "smooth_grad", "integrated_gradients", "occlusion"])
def test_a_model_that_flattens_with_view_works_too(name):
    # the fast memory layout is not for it
    model, inputs = seeded(ViewNetwork), pictures(3, 3, 16, 16)
    with pytest.raises(RuntimeError, match="view"):
        model(inputs.contiguous(memory_format=torch.channels_last))
    methods = METHODS | {"score_cam": lambda m, x, t: cam.score_cam(m, x, t, "features")}
    result = methods[name](model, inputs, TARGETS)
    assert result.isfinite().all() and result.abs().max() > 0


@every_method
def test_the_result_is_laid_out_as_usual(method):
    assert method(seeded(gap_network), pictures(3, 3, 16, 16), TARGETS).is_contiguous()
