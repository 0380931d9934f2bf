"""Class activation maps: which places of a layer's feature maps speak for a class.

All functions return raw maps `(N, h, w)` in the layer's own resolution, in the units of the formula. Use
`upsample` to bring them to the picture's size and `min_max` to bring them to 0 … 1 for display.

A layer whose output is not `(N, K, h, w)` needs `reshape=`, a function that brings it there by moving values
only; the gradients are moved with it:

    reshape=lambda maps: maps.permute(0, 3, 1, 2)                              # Swin: channels last
    reshape=lambda tokens: tokens[:, 1:].transpose(1, 2).unflatten(2, (14, 14))  # ViT: class token first
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.methods.arguments import (
    HALF_PRECISION,
    check_count,
    check_flag,
    check_inputs,
    check_maps,
    check_pair,
    check_range,
    check_target,
)
from course_utils.methods.hooks import (
    Reshape,
    activations_and_gradients,
    class_scores,
    evaluation,
    fast_chunk,
    fast_layout,
    feature_maps,
    find_layer,
    only,
    outputs_of,
    target_scores,
)


def cam(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    layer: nn.Module | str,
    classifier: nn.Module | str,
    *,
    reshape: Reshape | None = None,
    check: bool = True,
) -> Tensor:
    """Class activation mapping: the classifier's weights applied at each place (Zhou et al. 2016, eq. 2).

    For networks that end in global average pooling and one linear layer. There the mean of the map plus the
    classifier's bias is exactly the class score. There is no ReLU: negative values speak against the class.

    Args:
        model: classifier with the scores `(N, n_classes)`.
        inputs: pictures `(N, C, H, W)`, float, preprocessed.
        target: class index, or `(N,)` of them.
        layer: the layer that is pooled, `(N, K, h, w)`, as a module or dotted name.
        classifier: the linear layer (or 1×1 convolution) with the weights `(n_classes, K)`.
        reshape: for a layer whose output is not `(N, K, h, w)`, see above.
        check: refuse a map whose mean plus the bias is not the score: something else than average pooling
            lies between this layer and this classifier. False returns it all the same.

    Returns:
        Maps `(N, h, w)`, signed, in units of the score.

    Raises:
        ValueError: wrong shape, unknown layer, target out of range, or the classifier does not fit the layer.
        TypeError: `inputs` is not a float tensor or `target` not an integer.
    """
    inputs = check_inputs(model, inputs)
    targets = check_target(target, inputs)
    head = find_layer(model, classifier)
    weights = getattr(head, "weight", None)
    if not isinstance(weights, Tensor) or weights.ndim < 2:
        raise ValueError("the classifier has no weights (n_classes, K): name the linear layer that follows")
    activations, scores = _activations(model, inputs, layer, reshape)
    weights = weights.detach().flatten(1)  # a 1×1 convolution is a linear layer too
    if weights.shape[1] != activations.shape[1]:
        raise ValueError(
            f"the classifier takes {weights.shape[1]} features, but the layer has "
            f"{activations.shape[1]} channels: CAM needs the layer that is pooled and the "
            "linear layer right behind the pooling"
        )
    check_range(targets, len(weights))
    maps = _weighted_sum(weights[targets], activations, relu=False)
    if check_flag(check, "check"):
        bias = torch.zeros(len(weights)).to(maps) if head.bias is None else head.bias.detach()
        _check_head(maps, bias[targets], scores, targets)
    return maps


def _check_head(maps: Tensor, bias: Tensor, scores: Tensor, targets: Tensor) -> None:
    """Raise unless the maps' mean plus the bias is the score: the identity of average pooling + linear layer.

    A convolution as classifier may have a ReLU before the pooling (SqueezeNet): then its mean is the score.
    """
    check_range(targets, scores.shape[1])
    scores = scores.gather(1, targets[:, None])[:, 0].double()
    places = maps.double() + bias.double()[:, None, None]
    rounding = (0.05 if maps.dtype in HALF_PRECISION else 1e-3) * places.abs().mean(dim=(1, 2)) + 1e-6
    for pooled in (places.mean(dim=(1, 2)), places.relu().mean(dim=(1, 2))):
        if ((pooled - scores).abs() <= rounding).all():
            return
    i = (places.mean(dim=(1, 2)) - scores).abs().argmax()
    raise ValueError(
        f"the classifier is not right behind the average of this layer: map mean + bias is "
        f"{places[i].mean().item():.4g}, the score {scores[i].item():.4g}. CAM needs the layer that is "
        "pooled and the linear layer that gives the scores, nothing between; grad_cam takes any head"
    )


def grad_cam(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    layer: nn.Module | str,
    relu: bool = True,
    *,
    reshape: Reshape | None = None,
) -> Tensor:
    """Grad-CAM: a channel's weight is its mean gradient (Selvaraju et al. 2017, eqs. 1 and 2).

    On a network that ends in global average pooling and one linear layer it is `cam` divided by h·w.

    Args:
        model, inputs, target, layer: as for `cam`; any convolutional layer, any head.
        relu: keep only what speaks for the class, as the paper does. captum's `LayerGradCam` does not.
        reshape: for a layer whose output is not `(N, K, h, w)`, such as a transformer's, see above.

    Returns:
        Maps `(N, h, w)`, ≥ 0 with `relu`.

    Raises:
        ValueError, TypeError: as `cam`.
    """
    activations, gradients = _maps_and_gradients(model, inputs, target, layer, reshape)
    weights = gradients.mean(dim=(2, 3))
    return _weighted_sum(weights, activations, relu)


def grad_cam_plus_plus(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    layer: nn.Module | str,
    relu: bool = True,
    *,
    reshape: Reshape | None = None,
) -> Tensor:
    """Grad-CAM++: positive gradients, weighted place by place (Chattopadhay et al. 2018, eqs. 5 and 19).

    The paper differentiates exp(score), for which its α is g² / (2 g² + g³ ΣA) with the plain gradient g and
    the sum ΣA over the channel's activations. Written as 1 / (2 + g ΣA) it also survives gradients whose
    square is too small for the number format. The factor exp(score), the same at each place, is left out.

    Args, Returns, Raises: as `grad_cam`. Meant for activations that are never negative (behind a ReLU).
    """
    activations, gradients = _maps_and_gradients(model, inputs, target, layer, reshape)
    denominator = 2 + gradients * activations.sum(dim=(2, 3), keepdim=True)
    alpha = torch.where((gradients == 0) | (denominator == 0), 0, 1 / denominator)
    weights = (alpha * gradients.relu()).sum(dim=(2, 3))
    return _weighted_sum(weights, activations, relu)


def layer_cam(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    layer: nn.Module | str,
    relu: bool = True,
    *,
    reshape: Reshape | None = None,
) -> Tensor:
    """Layer-CAM: each activation times its own positive gradient (Jiang et al. 2021, eqs. 5 and 6).

    Args, Returns, Raises: as `grad_cam`. Made for shallow layers, where one weight a channel is too coarse.
    """
    activations, gradients = _maps_and_gradients(model, inputs, target, layer, reshape)
    maps = (gradients.relu() * activations).sum(dim=1)
    return maps.relu() if check_flag(relu, "relu") else maps


def score_cam(
    model: nn.Module,
    inputs: Tensor,
    target: int | Tensor,
    layer: nn.Module | str,
    relu: bool = True,
    *,
    reshape: Reshape | None = None,
    upsample_first: bool = False,
    align_corners: bool = False,
    n_channels: int | None = None,
    chunk_size: int | None = None,
) -> Tensor:
    """Score-CAM: weights from the scores of the picture seen through each channel.

    Wang et al. 2020, eqs. 6 to 8. Each channel, scaled to 0 … 1 and brought to the picture's size,
    multiplies the picture; the softmax of the scores over the channels gives the weights. (Subtracting a
    baseline score would not change a softmax.)

    Args:
        model, inputs, target, layer, relu, reshape: as for `grad_cam`.
        upsample_first: scale a channel to 0 … 1 before (False, as torchcam does) or after it is upsampled
            (True, as the paper writes and grad-cam does).
        align_corners: of the bilinear upsampling; False in torchcam, True in grad-cam.
        n_channels: take only so many channels of each picture, the most active ones, to save time; None: all.
        chunk_size: masked pictures in one forward pass; None chooses.

    Returns, Raises: as `grad_cam`.
    """
    inputs = check_inputs(model, inputs)
    targets = check_target(target, inputs)
    activations, _ = _activations(model, inputs, layer, reshape)
    if n_channels is not None:
        n_channels = check_count(n_channels, "n_channels", at_most=activations.shape[1])
        most = activations.mean(dim=(2, 3)).topk(n_channels, dim=1).indices
        activations = activations[torch.arange(len(most), device=most.device)[:, None], most]
    n, n_channels = activations.shape[:2]
    check_flag(align_corners, "align_corners")
    upsample_first = check_flag(upsample_first, "upsample_first")
    masks = activations.flatten(0, 1) if upsample_first else min_max(activations.flatten(0, 1))
    scores = []
    chunk_size = fast_chunk(inputs, chunk_size)
    with evaluation(model), torch.no_grad():
        inputs = inputs.contiguous(memory_format=fast_layout(model, inputs))
        for start in range(0, n * n_channels, chunk_size):
            chunk = _resize(masks[start : start + chunk_size], inputs.shape[2:], align_corners)
            chunk = min_max(chunk) if upsample_first else chunk
            picture = torch.arange(start, start + len(chunk), device=inputs.device) // n_channels
            scores.append(target_scores(model, inputs[picture] * chunk[:, None], targets[picture]))
    weights = torch.cat(scores).view(n, n_channels).softmax(dim=1)
    return _weighted_sum(weights, activations, relu)


def upsample(maps: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Bring maps `(N, h, w)` to `size` (a side, or height and width) with bilinear interpolation.

    Pixels are small squares (`align_corners=False`), so that a map's corner lies in the picture's corner.
    """
    check_maps(maps, dims=range(2, 9), form="(N, h, w)")
    if maps.ndim != 3:
        raise ValueError(f"maps must have the shape (N, h, w), not {tuple(maps.shape)}")
    return _resize(maps, check_pair(size, "size"), align_corners=False)


def min_max(maps: Tensor) -> Tensor:
    """Scale each map of `(…, h, w)` to 0 … 1 by itself. A map of equal values gives zeros.

    Scaling hides how strong a map was, and turns an all-negative map into a confident one: for display only.
    """
    check_maps(maps, dims=range(2, 9), form="(N, h, w)")
    low = maps.amin(dim=(-2, -1), keepdim=True)
    span = maps.amax(dim=(-2, -1), keepdim=True) - low
    return (maps - low) / torch.where(span > 0, span, 1)


def _activations(
    model: nn.Module, inputs: Tensor, layer: nn.Module | str, reshape: Reshape | None
) -> tuple[Tensor, Tensor]:
    """Return the layer's feature maps and the model's scores."""
    maps, scores = [], []
    layer = find_layer(model, layer)
    with evaluation(model), torch.no_grad():
        for pictures in inputs.split(fast_chunk(inputs, light=True)):
            with outputs_of(layer) as outputs:
                scores.append(class_scores(model, pictures))
                maps.append(feature_maps(only(outputs), pictures, reshape))
    return torch.cat(maps), torch.cat(scores)


def _maps_and_gradients(
    model: nn.Module, inputs: Tensor, target: int | Tensor, layer: nn.Module | str, reshape: Reshape | None
) -> tuple[Tensor, Tensor]:
    activations, gradients = activations_and_gradients(model, inputs, target, layer)
    return feature_maps(activations, inputs, reshape), feature_maps(gradients, inputs, reshape)


def _weighted_sum(weights: Tensor, activations: Tensor, relu: bool) -> Tensor:
    maps = torch.einsum("nk,nkhw->nhw", weights, activations)
    return maps.relu() if check_flag(relu, "relu") else maps


def _resize(maps: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    return F.interpolate(maps[:, None], size=tuple(size), mode="bilinear", align_corners=align_corners)[:, 0]
