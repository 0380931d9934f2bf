"""A transformer without layer norm beside torch's own attention, and patching beside nnsight."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import torch
from torch import Tensor

from course_utils.judge.agreement.row import Row
from course_utils.methods import circuits

PLACE = 4


@cache
def _case() -> SimpleNamespace:
    from course_utils.labs.induction import AttentionOnly

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AttentionOnly(11, 9, 8, 5).double().eval().requires_grad_(False)
        clean, other = torch.randint(11, (2, 4, 9))
    return SimpleNamespace(model=model, clean=clean, other=other, head=model.heads[0])


def _our_logits() -> Tensor:
    """The logits of the last place, as the sum of what each part wrote."""
    case = _case()
    parts = {name: part[:, -1] for name, part in case.model.parts(case.clean).items()}
    columns = [
        sum(circuits.logit_attribution(parts, case.model.unembed.weight, t, center=False).values())
        for t in range(11)
    ]
    return torch.stack(columns, dim=1)


def _torch_logits() -> Tensor:
    from torch.nn.functional import scaled_dot_product_attention

    model, tokens = _case().model, _case().clean
    stream, positions = model.embed(tokens), model.positions[: tokens.shape[1]]
    for head in model.heads:
        placed = stream + positions
        stream = stream + head_output(scaled_dot_product_attention, head, placed, stream)
    return (stream @ model.unembed.weight.T)[:, -1]


def head_output(attention, head, placed: Tensor, stream: Tensor) -> Tensor:
    """One head through another implementation of attention."""
    return attention(placed @ head.W_Q, placed @ head.W_K, stream @ head.W_V, is_causal=True) @ head.W_O


def _our_patch() -> Tensor:
    case = _case()
    output = circuits.output_of(case.model, case.clean, case.head)
    return circuits.patch(case.model, case.other, case.head, output, PLACE)


def _their_patch() -> Tensor:
    import nnsight

    case = _case()
    output = circuits.output_of(case.model, case.clean, case.head)
    traced = nnsight.NNsight(case.model)
    with traced.trace(case.other):
        traced.heads[0].output[:, PLACE] = output[:, PLACE]
        patched = traced.output.save()
    return patched


def _our_lens() -> Tensor:
    case = _case()
    state = sum(list(case.model.parts(case.clean).values())[:2])
    return circuits.logit_lens(state, case.model.unembed.weight)


def _their_lens() -> Tensor:
    import nnsight

    case = _case()
    traced = nnsight.NNsight(case.model)
    with traced.trace(case.clean):
        stream = traced.embed.output + traced.heads[0].output
        logits = (stream @ case.model.unembed.weight.T).save()
    return logits


ROWS = (
    Row(
        "logit attribution",
        "torch",
        "scaled_dot_product_attention, is_causal=True; the parts added up",
        _our_logits,
        _torch_logits,
    ),
    Row("activation patching", "nnsight", "output[:, place] = … inside the trace", _our_patch, _their_patch),
    Row("logit lens", "nnsight", "no layer norm before the unembedding", _our_lens, _their_lens),
)
