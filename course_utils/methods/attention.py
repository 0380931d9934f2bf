"""Attention as an explanation of transformers: look at it, combine it over layers, weight it, change it.

Works on the encoders of Hugging Face's transformers (BERT and its relatives), one text at a time. Rows of an
attention matrix are the tokens that look (queries), columns the tokens looked at (keys); each row sums to
one. `tokens` is what the tokenizer returns (a mapping of tensors), or the ids alone, `(T,)` or `(1, T)`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow
from torch import Tensor, nn

from course_utils.methods.arguments import HALF_PRECISION, check_count, check_positive
from course_utils.methods.hooks import evaluation, gradients_on
from course_utils.methods.lime import check_class

_FLOW_UNITS = 10**9  # SciPy's flows are 32-bit integers: one unit of flow in this many parts


@dataclass(frozen=True)
class OneHead:
    """One attention head, step by step: `query`, `key`, `value`, `output` are `(T, d)`, the rest `(T, T)`."""

    query: Tensor
    key: Tensor
    value: Tensor
    scores: Tensor
    attention: Tensor
    output: Tensor


def attention_maps(model: nn.Module, tokens: Mapping[str, Tensor] | Tensor) -> Tensor:
    """Return the attention of all heads for one text, `(layers, heads, T, T)`; each row sums to one.

    Args:
        model: transformers model, loaded with `attn_implementation="eager"`.
        tokens: one tokenized text.

    Raises:
        ValueError: more than one text, an empty one, one that is too long, or a model that returns no
            attentions.
        TypeError: `tokens` is neither a mapping of tensors nor a tensor of ids.
    """
    with evaluation(model), torch.no_grad():
        outputs = model(**check_tokens(model, tokens), output_attentions=True)
    return torch.stack([attention[0] for attention in _attentions(outputs)])


def attention_rollout(attentions: Tensor | Sequence[Tensor], *, all_layers: bool = False) -> Tensor:
    """Attention rollout: how much of each input token reaches each output token.

    Abnar & Zuidema (2020), section 3. Heads are averaged, the residual connection counts as half (0.5 A +
    0.5 I), rows are normalised to one, and the layers' matrices are multiplied, the deepest on the left.

    Args:
        attentions: `(layers, heads, T, T)` from `attention_maps`, or a sequence of `(heads, T, T)` or
            `(1, heads, T, T)`.
        all_layers: also return what has reached the layers below.

    Returns:
        `(T, T)` for the last layer, or `(layers, T, T)`; rows are output tokens, columns input tokens, rows
        sum to 1.

    Raises:
        TypeError: not float tensors.
        ValueError: wrong shape, negative or infinite entries, or rows that do not sum to 1.
    """
    steps = _with_residual(attentions)
    reached = [steps[0]]
    for step in steps[1:]:
        reached.append(step @ reached[-1])
    return torch.stack(reached) if all_layers else reached[-1]


def attention_flow(attentions: Tensor | Sequence[Tensor], queries: Iterable[int] | None = None) -> Tensor:
    """Attention flow: the maximum flow from an output token down to each input token.

    Abnar & Zuidema (2020), section 3. Tokens of each layer are the nodes, 0.5 A + 0.5 I the capacities of
    the edges. Unlike in the rollout, a thin edge is a bottleneck, not a factor, and the rows do not sum to
    one.

    Args:
        attentions: as for `attention_rollout`.
        queries: the output tokens to compute; None is all of them. Takes about T² maximum flows.

    Returns:
        `(number of queries, T)`, 0 … 1, exact to 1e-6. Raises as `attention_rollout`, or for a query out of
        range.
    """
    steps = _with_residual(attentions)
    n_layers, n_tokens = steps.shape[:2]
    queries = range(n_tokens) if queries is None else list(queries)
    queries = [check_count(query, "query", at_least=0, at_most=n_tokens - 1) for query in queries]
    # node (layer, token) has the number layer × T + token; layer 0 is the input
    capacities = (steps.double().cpu().numpy() * _FLOW_UNITS).round().astype(np.int32)
    layer, query, key = np.nonzero(capacities)
    size = (n_layers + 1) * n_tokens
    edges = ((layer + 1) * n_tokens + query, layer * n_tokens + key)
    graph = csr_array((capacities[layer, query, key], edges), shape=(size, size))
    flows = [
        [
            maximum_flow(graph, n_layers * n_tokens + query, key).flow_value / _FLOW_UNITS
            for key in range(n_tokens)
        ]
        for query in queries
    ]
    return torch.tensor(flows, dtype=steps.dtype, device=steps.device).reshape(len(flows), n_tokens)


def gradient_weighted_attention(
    model: nn.Module, tokens: Mapping[str, Tensor] | Tensor, target: int
) -> Tensor:
    """Return attention times the gradient of the class score at it, `(layers, heads, T, T)`, signed.

    A large value says: this head looks there, and the score rises with it. `attention_relevance` combines the
    layers.

    Args:
        model: classifier of transformers with the scores `logits` `(1, n_classes)`, loaded with eager
            attention.
        tokens: one tokenized text.
        target: class index.

    Raises: as `attention_maps`, and ValueError for a target out of range.
    """
    with evaluation(model), gradients_on():
        inputs = check_tokens(model, tokens)
        # through the embeddings, so that there is a gradient even when all weights are frozen
        embeddings = model.get_input_embeddings()(inputs.pop("input_ids")).detach().requires_grad_()
        outputs = model(**inputs, inputs_embeds=embeddings, output_attentions=True)
        scores = getattr(outputs, "logits", None)
        if scores is None or scores.ndim != 2:
            raise ValueError("the model returns no class scores: load one that classifies texts")
        target = check_class(target, scores.shape[1])
        attentions = _attentions(outputs)
        gradients = torch.autograd.grad(scores[0, target], attentions)
    return torch.stack([(a * g)[0].detach() for a, g in zip(attentions, gradients, strict=True)])


def attention_relevance(model: nn.Module, tokens: Mapping[str, Tensor] | Tensor, target: int) -> Tensor:
    """Relevance of each input token to each output token for a class (Chefer et al. 2021, eq. 5 and 6).

    R starts as I, and each layer adds Ā R, where Ā is the mean over the heads of the positive part of
    `gradient_weighted_attention`.

    Returns:
        `(T, T)`, ≥ 0. The row of `[CLS]` explains a classifier that reads `[CLS]`; its own column there is 1
        or more and says nothing. Args, Raises: as `gradient_weighted_attention`.
    """
    weighted = gradient_weighted_attention(model, tokens, target).clamp(min=0).mean(dim=1)
    relevance = torch.eye(weighted.shape[-1], dtype=weighted.dtype, device=weighted.device)
    for layer in weighted:
        relevance = relevance + layer @ relevance
    return relevance


def one_head(model: nn.Module, tokens: Mapping[str, Tensor] | Tensor, layer: int, head: int) -> OneHead:
    """Compute one attention head from the model's weights (Vaswani et al. 2017, eq. 1).

    Args:
        model: BERT-like model of transformers.
        tokens: one tokenized text without padding.
        layer, head: counted from 0.

    Returns:
        Every step: q = h W_qᵀ + b_q (k and v alike), scores = q kᵀ/√d, attention = softmax of each row,
        output = attention v. `output` is this head's share of what the layer's output matrix then mixes.

    Raises: as `attention_maps`, and ValueError for a layer or head out of range, or for padding.
    """
    block = _self_attention(model, layer)
    _check_head(block, head)
    inputs = check_tokens(model, tokens)
    if "attention_mask" in inputs and not inputs["attention_mask"].all():
        raise ValueError("the text is padded or masked: tokenize it alone, without padding")
    with evaluation(model), torch.no_grad():
        states = model(**inputs, output_hidden_states=True).hidden_states[layer][0]
        rows = slice(head * block.attention_head_size, (head + 1) * block.attention_head_size)
        query, key, value = (
            states @ linear.weight[rows].T + linear.bias[rows]
            for linear in (block.query, block.key, block.value)
        )
        scores = query @ key.T / block.attention_head_size**0.5
        attention = scores.softmax(dim=1)
        return OneHead(query, key, value, scores, attention, attention @ value)


@contextmanager
def change_attention(model: nn.Module, change: Callable[[int, Tensor], Tensor]) -> Iterator[nn.Module]:
    """Replace the attention of every layer inside the `with` block, to see whether the prediction cares.

    Args:
        model: BERT-like model of transformers with eager attention.
        change: function of the layer's number and its attention `(N, heads, T, T)` that returns the
            attention to use, of the same shape. It must not change its argument in place.

    Later layers see the changed states. The model is as before after the block, also after an error.

    Raises:
        ValueError: the model is not BERT-like or returns no attentions, or `change` returns another shape.
    """

    def hook(number: int, block: nn.Module, args: tuple, kwargs: dict, outputs: tuple) -> tuple:
        attention = outputs[1]
        if attention is None:
            raise ValueError(_NO_ATTENTIONS)
        changed = change(number, attention)
        if changed.shape != attention.shape:
            raise ValueError(
                f"change must return attention of the shape {tuple(attention.shape)}, "
                f"not {tuple(changed.shape)}"
            )
        states = args[0] if args else kwargs["hidden_states"]
        values = block.value(states).unflatten(-1, (block.num_attention_heads, -1)).transpose(1, 2)
        return (changed @ values).transpose(1, 2).flatten(2), changed

    with ExitStack() as stack:
        for number, block in enumerate(_self_attentions(model)):
            handle = block.register_forward_hook(
                lambda *call, number=number: hook(number, *call), with_kwargs=True, prepend=True
            )
            stack.callback(handle.remove)
        yield model


@contextmanager
def mask_heads(model: nn.Module, heads: Iterable[tuple[int, int]]) -> Iterator[nn.Module]:
    """Silence the heads inside the `with` block: what they put out becomes zero (Michel et al. 2019).

    Args:
        model: BERT-like model of transformers.
        heads: pairs (layer, head), counted from 0.

    The model is as before after the block, also after an error.

    Raises:
        ValueError: a layer or head that is no whole number or out of range, or the model is not BERT-like.
    """
    silent: dict[int, set[int]] = {}
    for layer, head in heads:
        _check_head(_self_attention(model, layer), head)
        silent.setdefault(layer, set()).add(head)

    def hook(block: nn.Module, args: tuple, outputs: tuple, chosen: list[int]) -> tuple:
        keep = torch.ones(block.num_attention_heads, dtype=outputs[0].dtype, device=outputs[0].device)
        keep[chosen] = 0
        return outputs[0] * keep.repeat_interleave(block.attention_head_size), *outputs[1:]

    with ExitStack() as stack:
        for layer, chosen in silent.items():
            block = _self_attention(model, layer)
            handle = block.register_forward_hook(lambda *call, chosen=chosen: hook(*call, sorted(chosen)))
            stack.callback(handle.remove)
        yield model


@dataclass(frozen=True, eq=False)
class ClassAttention:
    """What `[CLS]` looks at in the last layer of a BERT classifier, and the answer that follows from it.

    `attention` is `(N, heads, T)`, `values` `(N, heads, T, d)`, `states` (what enters the layer) `(N, T, D)`,
    `is_token` `(N, T)` False at padding, `answer` a function of attention like it that returns `(N, classes)`
    logits.
    """

    attention: Tensor
    values: Tensor
    states: Tensor
    is_token: Tensor
    answer: Callable[[Tensor], Tensor]


def class_attention(model: nn.Module, tokens: Mapping[str, Tensor]) -> ClassAttention:
    """Cut a BERT classifier open at the attention of `[CLS]` in its last layer.

    Everything below that layer is computed once. `answer(attention)` computes the rest, with gradients: the
    classifier reads only `[CLS]`, so nothing else of the last layer matters.

    Args:
        model: BERT classifier of transformers (`BertForSequenceClassification`), loaded with eager attention.
        tokens: one text or a padded batch, as the tokenizer returns them.

    Raises:
        ValueError: the model is no BERT classifier, or returns no attentions; from `answer`, attention of
            another shape.
        TypeError: `tokens` is no mapping of tensors.
    """
    if not isinstance(tokens, Mapping) or not isinstance(tokens.get("input_ids"), Tensor):
        raise TypeError('tokens must be what tokenizer(texts, padding=True, return_tensors="pt") returns')
    bert = getattr(model, "bert", None)
    if bert is None or getattr(bert, "pooler", None) is None or not hasattr(model, "classifier"):
        raise ValueError("the model is not a BERT classifier: load the text lab's sentiment model, for one")
    layer = bert.encoder.layer[-1]
    block = layer.attention.self
    with evaluation(model), torch.no_grad():
        outputs = model(**tokens, output_attentions=True, output_hidden_states=True)
        attention = _attentions(outputs)[-1][:, :, 0].clone()
        states = outputs.hidden_states[-2].clone()
        values = block.value(states).unflatten(-1, (block.num_attention_heads, -1)).transpose(1, 2).clone()
    mask = tokens.get("attention_mask")
    is_token = torch.ones(states.shape[:2], device=states.device) if mask is None else mask

    shape = tuple(attention.shape)

    def answer(attention: Tensor) -> Tensor:
        if tuple(attention.shape) != shape:  # einsum would spread a dimension of 1 without a word
            raise ValueError(f"attention must have the shape {shape}, not {tuple(attention.shape)}")
        mixed = torch.einsum("nht,nhtd->nhd", attention, values).flatten(1)
        with evaluation(model):
            looked = layer.attention.output(mixed, states[:, 0])
            thought = layer.output(layer.intermediate(looked), looked)
            return model.classifier(torch.tanh(bert.pooler.dense(thought)))

    return ClassAttention(attention, values, states, is_token.bool(), answer)


def adversarial_attention(
    model: nn.Module,
    tokens: Mapping[str, Tensor],
    *,
    n_steps: int = 60,
    strictness: float = 20.0,
    random_state: int = 0,
) -> Tensor:
    """Attention of `[CLS]` in the last layer that differs as much as it can and leaves the answer as it is.

    In the spirit of Jain & Wallace (2019), section 4.2.2: for each text alone, gradient descent on the
    attention itself, here on strictness × (change of the probabilities)² − total variation distance.

    Args:
        model, tokens: as for `class_attention`.
        n_steps: of Adam with the learning rate 0.3.
        strictness: how much a changed answer counts against a changed attention.
        random_state: of the noise that the search starts from.

    Returns:
        `(N, heads, T)`, rows sum to one.

    Raises: as `class_attention`, and ValueError if `n_steps` is no whole number ≥ 1 or `strictness` not above
    0.
    """
    check_count(n_steps, "n_steps")
    check_positive(strictness, "strictness", "nothing would keep the answers as they are")
    cut = class_attention(model, tokens)
    with torch.no_grad():
        before = cut.answer(cut.attention).softmax(dim=1)
    generator = torch.Generator().manual_seed(random_state)
    noise = torch.randn(cut.attention.shape, generator=generator).to(cut.attention)
    padding = ~cut.is_token[:, None]

    with gradients_on():
        scores = (cut.attention.clamp(min=1e-9).log() + 0.5 * noise).requires_grad_()
        optimizer = torch.optim.Adam([scores], lr=0.3)
        for _ in range(n_steps):
            attention = scores.masked_fill(padding, -torch.inf).softmax(dim=-1)
            moved = (cut.answer(attention).softmax(dim=1) - before).pow(2).sum(dim=1) / 2
            distance = total_variation(attention, cut.attention).mean(dim=1)
            (scores.grad,) = torch.autograd.grad((strictness * moved - distance).sum(), scores)
            optimizer.step()
    return scores.detach().masked_fill(padding, -torch.inf).softmax(dim=-1)


def total_variation(attention: Tensor, other: Tensor) -> Tensor:
    """Half the sum of absolute differences over the last dimension: 0 if equal, 1 if disjoint.

    Raises:
        ValueError: the shapes differ.
    """
    if attention.shape != other.shape:
        raise ValueError(f"the shapes differ: {tuple(attention.shape)} and {tuple(other.shape)}")
    return (attention - other).abs().sum(dim=-1) / 2


def check_tokens(model: nn.Module, tokens: Mapping[str, Tensor] | Tensor) -> dict[str, Tensor]:
    """Return the model's arguments for one text, copied to the model's device.

    Raises:
        TypeError: `tokens` is neither a mapping with `input_ids` nor a tensor of integers.
        ValueError: more than one text, an empty one, or more tokens than the model takes.
    """
    if isinstance(tokens, Tensor):
        tokens = {"input_ids": tokens if tokens.ndim == 2 else tokens[None]}
    if not isinstance(tokens, Mapping) or not isinstance(tokens.get("input_ids"), Tensor):
        raise TypeError(
            'tokens must be what tokenizer(text, return_tensors="pt") returns, or a tensor of ids'
        )
    ids = tokens["input_ids"]
    if ids.is_floating_point() or ids.dtype == torch.bool:
        raise TypeError(f"token ids must be integers, not {ids.dtype}")
    if ids.ndim != 2 or ids.shape[0] != 1 or ids.shape[1] == 0:
        raise ValueError(
            f"tokens must be one text, (1, T), not the shape {tuple(ids.shape)}: pass one text at a time"
        )
    limit = getattr(getattr(model, "config", None), "max_position_embeddings", None)
    if limit is not None and ids.shape[1] > limit:
        raise ValueError(
            f"the text has {ids.shape[1]} tokens, but the model takes at most {limit}: shorten it"
        )
    device = next(model.parameters()).device
    names = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
    with torch.inference_mode(False):
        return {
            name: tokens[name].detach().clone().to(device) for name in names if tokens.get(name) is not None
        }


HALVES = (
    "model: it has an encoder and a decoder (BART, T5 and the like), each with states and attentions of its "
    "own: pass one half, model.get_encoder() for the text that is read"
)
_NO_ATTENTIONS = (
    'the model returns no attentions: load it with from_pretrained(…, attn_implementation="eager")'
)


def _attentions(outputs: object) -> tuple[Tensor, ...]:
    if getattr(outputs, "encoder_last_hidden_state", None) is not None:
        raise ValueError(HALVES)
    attentions = getattr(outputs, "attentions", None)
    if not attentions or any(attention is None for attention in attentions):
        raise ValueError(_NO_ATTENTIONS)
    return tuple(attentions)


def _self_attentions(model: nn.Module) -> list[nn.Module]:
    """The self-attention modules, shallow to deep, known by their query, key and value matrices."""
    found = [m for m in model.modules() if all(hasattr(m, name) for name in ("query", "key", "value"))]
    if not found or not all(hasattr(m, "num_attention_heads") for m in found):
        raise ValueError("the model is not BERT-like: its layers have no query, key and value matrices")
    n_layers = getattr(getattr(model, "config", None), "num_hidden_layers", len(found))
    if len(found) < n_layers:
        raise ValueError(
            f"model: its {n_layers} layers share {len(found)} set of weights (as in ALBERT), so one layer "
            "cannot be changed alone: take a model with weights of its own in each layer, such as BERT"
        )
    return found


def _self_attention(model: nn.Module, layer: int) -> nn.Module:
    blocks = _self_attentions(model)
    layer = check_count(layer, "layer", at_least=0)
    if layer >= len(blocks):
        raise ValueError(f"layer {layer} is out of range: the model has 0 … {len(blocks) - 1}")
    return blocks[layer]


def _check_head(block: nn.Module, head: int) -> None:
    if check_count(head, "head", at_least=0) >= block.num_attention_heads:
        raise ValueError(f"head {head} is out of range: the layer has 0 … {block.num_attention_heads - 1}")


def _with_residual(attentions: Tensor | Sequence[Tensor]) -> Tensor:
    """Average the heads, mix in the identity half and half, normalise the rows: `(layers, T, T)`."""
    if not isinstance(attentions, Tensor):
        if not len(attentions):
            raise ValueError("there are no attentions: " + _NO_ATTENTIONS)
        if not all(isinstance(a, Tensor) for a in attentions):
            raise TypeError("attentions must be a float tensor (layers, heads, T, T), or a list of tensors")
        attentions = torch.stack([a[0] if a.ndim == 4 and len(a) == 1 else a for a in attentions])
    if attentions.ndim != 4 or attentions.shape[2] != attentions.shape[3] or attentions.numel() == 0:
        raise ValueError(
            f"attentions must have the shape (layers, heads, T, T), not {tuple(attentions.shape)}"
        )
    if not attentions.is_floating_point():
        raise TypeError(f"attentions must be a float tensor, not {attentions.dtype}")
    if not attentions.isfinite().all() or (attentions < 0).any():
        raise ValueError("attentions must be finite and not negative: pass probabilities, not scores")
    sums = attentions.detach().double().sum(dim=-1)
    if (sums - 1).abs().max() > (0.02 if attentions.dtype in HALF_PRECISION else 1e-3):
        wrong = sums.flatten()[(sums - 1).abs().argmax()].item()
        raise ValueError(
            f"each row of attentions must sum to 1, and one sums to {wrong:.3g}: pass them as the model "
            "gives them, rows look at columns; of weighted or cut maps divide each row by its sum first"
        )
    mean = attentions.detach().mean(dim=1)
    mixed = 0.5 * mean + 0.5 * torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device)
    return mixed / mixed.sum(dim=-1, keepdim=True)
