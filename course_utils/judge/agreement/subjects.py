"""The small random networks and inputs that the agreement page explains, all in double precision."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn


def small_network(seed: int = 0, scale: float = 30.0) -> nn.Sequential:
    """Two convolutions, global average pooling, one linear layer (times `scale`)."""
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


def pictures(n: int = 3, side: int = 16, seed: int = 1) -> Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def asked(scale: float = 30.0) -> tuple[nn.Sequential, Tensor, Tensor]:
    """A network, three pictures, and the class that each of them is asked for."""
    return small_network(scale=scale), pictures(), torch.tensor([0, 1, 2])


def table_model() -> SimpleNamespace:
    """A table (60, 5), answers, a background of 20 rows, and a model as a function and as a network."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(60, 5))
    weights = torch.tensor(rng.normal(size=(5, 5)))

    def model(rows: np.ndarray) -> np.ndarray:
        return np.tanh(rows @ weights.numpy()).sum(axis=1) + rows[:, 0] * rows[:, 1]

    class Network(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(x @ weights).sum(dim=1) + x[:, 0] * x[:, 1]

    return SimpleNamespace(
        table=table,
        answers=table[:, 0] * table[:, 1] + table[:, 2],
        background=table[:20],
        model=model,
        network=Network(),
        on_off=lambda masks: model(masks * table[0]),
        row=torch.tensor(table[:1]),
        zero=torch.zeros(1, 5, dtype=torch.float64),
    )


def small_encoder() -> tuple[nn.Module, Tensor]:
    """A random BERT of 2 layers with 4 heads, and 9 tokens (1, T)."""
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


def encoder_outputs():
    """What the encoder gives: `.attentions` and `.last_hidden_state`."""
    model, tokens = small_encoder()
    with torch.no_grad():
        return model(tokens, output_attentions=True)
