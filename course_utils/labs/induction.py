"""The lab of the taken-apart transformer: two tiny language models that continue a repeated pattern.

    lab = load_lab("induction")
    lab.complete("PLANETPLAN")

Each model has two layers of one attention head, and nothing else: no layer norm, no feed-forward part, no
biases. So each logit is an exact sum of the token's own part and of what the two heads write. One model was
trained on patterns of every length from 4 to 20; the other one saw only patterns of 16. The alphabet is
A … Z, and a text begins with the token "·". `data/README.md` says how good the models are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.labs.files import read_weights
from course_utils.labs.lab import choose

WEIGHTS = "weights/induction.safetensors"
START = "·"
ALPHABET = START + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # a token's number is its place here
LONGEST = 49  # tokens of a text, the start among them
SHORTEST_PATTERN, LONGEST_PATTERN = 4, 20
FIXED_PATTERN = 16  # the only pattern length that the second model was trained on
WIDTH, HEAD_WIDTH = 24, 12
MODELS = ("any_length", "one_length")
CURVES = ("step", "loss", "accuracy", "previous", "induction")  # the columns of `birth`


class Head(nn.Module):
    """One causal attention head without biases: what it writes into the stream, `(N, T, d)` to `(N, T, d)`.

    The positions are added for queries and keys only, so that values, and with them all that a head writes,
    carry nothing of the position itself (Press et al. 2021, section 5.1).
    """

    def __init__(self, width: int, head_width: int):
        super().__init__()
        for name in ("W_Q", "W_K", "W_V"):
            setattr(self, name, nn.Parameter(torch.randn(width, head_width) / width**0.5))
        self.W_O = nn.Parameter(torch.randn(head_width, width) / head_width**0.5)

    def steps(self, stream: Tensor, positions: Tensor) -> dict[str, Tensor]:
        """Every step: Q, K, V, mixed `(N, T, d_h)`; scores, weights `(N, T, T)`; written `(N, T, d)`."""
        placed = stream + positions
        Q, K, V = placed @ self.W_Q, placed @ self.W_K, stream @ self.W_V
        ahead = torch.ones(Q.shape[1], Q.shape[1], dtype=torch.bool, device=Q.device).triu(1)
        scores = (Q @ K.transpose(1, 2) / Q.shape[2] ** 0.5).masked_fill(ahead, -torch.inf)
        weights = scores.softmax(dim=2)
        mixed = weights @ V
        return {
            "Q": Q,
            "K": K,
            "V": V,
            "scores": scores,
            "weights": weights,
            "mixed": mixed,
            "written": mixed @ self.W_O,
        }

    def forward(self, stream: Tensor, positions: Tensor) -> Tensor:
        return self.steps(stream, positions)["written"]


class AttentionOnly(nn.Module):
    """Token numbers `(N, T)` to the logits of the next token `(N, T, vocabulary)`: an exact sum of parts."""

    def __init__(self, vocabulary: int, longest: int, width: int, head_width: int, n_heads: int = 2):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(longest, width) * 0.5)
        self.heads = nn.ModuleList(Head(width, head_width) for _ in range(n_heads))
        self.unembed = nn.Linear(width, vocabulary, bias=False)
        nn.init.normal_(self.embed.weight, std=0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        stream = self.embed(tokens)
        positions = self.positions[: tokens.shape[1]]
        for head in self.heads:
            stream = stream + head(stream, positions)
        return self.unembed(stream)

    def steps(self, tokens: Tensor) -> list[dict[str, Tensor]]:
        """Each head's steps as in `Head.steps`, with the stream that it reads under "stream"."""
        stream, found = self.embed(tokens), []
        positions = self.positions[: tokens.shape[1]]
        for head in self.heads:
            found.append({"stream": stream} | head.steps(stream, positions))
            stream = stream + found[-1]["written"]
        return found

    def parts(self, tokens: Tensor) -> dict[str, Tensor]:
        """What is added up in the stream, `(N, T, d)` each: "token", "head 0", "head 1"."""
        steps = self.steps(tokens)
        written = {f"head {i}": step["written"] for i, step in enumerate(steps)}
        return {"token": steps[0]["stream"]} | written


@dataclass(frozen=True, eq=False)
class InductionLab:
    """A tiny language model, texts for it, and what is known about both.

    Attributes:
        name: "induction".
        model: `AttentionOnly` in eval mode: tokens `(N, T)` to logits `(N, T, 27)`.
        variant: "any_length" or "one_length", what the model was trained on.
        alphabet: a token's number is its place here; 0 is the start of a text.
        birth: what was measured during the training of three seeds, `(3, moments, 5)`, columns as in
            `curves`; the first seed is the shipped model.
        curves: the names of these columns.
    """

    model: AttentionOnly
    variant: str
    birth: np.ndarray
    name: str = "induction"
    alphabet: str = ALPHABET
    curves: tuple[str, ...] = field(default=CURVES)

    def __repr__(self) -> str:
        n = sum(parameter.numel() for parameter in self.model.parameters())
        return f"InductionLab({self.variant!r}, {n:,} weights)"

    def tokens(self, text: str) -> Tensor:
        """A text of letters as token numbers `(1, T)`, the start in front; small letters count as capitals.

        Raises:
            TypeError: not a string.
            ValueError: no letter, too many, or something that is not one of A … Z.
        """
        if not isinstance(text, str):
            raise TypeError(f"the text must be one string of letters, not a {type(text).__name__}")
        text = text.removeprefix(START)
        strange = next((letter for letter in text if letter.upper() not in self.alphabet[1:]), None)
        if strange is not None:
            raise ValueError(f"the text has {strange!r}: the models only know the letters A to Z")
        if not 1 <= len(text) < LONGEST:
            raise ValueError(f"the text has {len(text)} letters: give at least 1 and at most {LONGEST - 1}")
        return torch.tensor([[0, *map(self.alphabet.index, text.upper())]])

    def text(self, tokens: Tensor | Sequence[int]) -> str:
        """Token numbers `(T,)` as letters."""
        return "".join(self.alphabet[int(token)] for token in tokens)

    def sample(
        self, n: int = 100, length: int = FIXED_PATTERN, *, n_tokens: int | None = None, seed: int = 0
    ) -> Tensor:
        """Draw texts that repeat a pattern of `length` different letters, `(n, n_tokens)` token numbers.

        Args:
            n: how many.
            length: of the pattern, 1 to 26.
            n_tokens: of a text, with the start in front; None: the start and the pattern twice.
            seed: of the letters.

        Raises:
            ValueError: a number that is not whole or out of range, or a text that is too long for the models.
        """
        letters = len(self.alphabet) - 1
        n_tokens = 2 * length + 1 if n_tokens is None and isinstance(length, (int, np.integer)) else n_tokens
        for value, name, high in (
            (n, "n", 10**6),
            (length, "length", letters),
            (n_tokens, "n_tokens (the start and the pattern twice, if you gave none)", LONGEST),
        ):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 1 <= value <= high:
                raise ValueError(f"{name} must be a whole number from 1 to {high}, not {value!r}")
        return patterns(n, length, np.random.default_rng([seed, length]), n_tokens)

    def complete(self, text: str, n: int = 1) -> str:
        """The `n` letters that the model writes after the text, always the likeliest. Raises as `tokens`."""
        tokens = self.tokens(text)
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"n must be a whole number of 1 or more, not {n!r}")
        for _ in range(n):
            if tokens.shape[1] > LONGEST:
                raise ValueError(f"the model reads at most {LONGEST} tokens: give a shorter text")
            with torch.no_grad():
                tokens = torch.cat([tokens, self.model(tokens)[:, -1].argmax(dim=1, keepdim=True)], dim=1)
        return self.text(tokens[0, -n:])


def patterns(n: int, length: int, rng: np.random.Generator, longest: int = LONGEST) -> Tensor:
    """Texts `(n, longest)`: the start, then a pattern of `length` different letters again and again."""
    letters = rng.random((n, len(ALPHABET) - 1)).argsort(axis=1)[:, :length] + 1
    repeated = np.tile(letters, (1, -(-longest // length)))[:, : longest - 1]
    return torch.from_numpy(np.concatenate([np.zeros((n, 1), repeated.dtype), repeated], axis=1))


def accuracy(model: nn.Module, tokens: Tensor, length: int) -> float:
    """Share of right next letters, counted from the last letter of the first copy on.

    From there on the pattern begins again. (At that last letter itself the text does not yet say so.)
    """
    with torch.no_grad():
        right = model(tokens)[:, :-1].argmax(dim=2) == tokens[:, 1:]
    return right[:, length:].float().mean().item()


def new_model() -> AttentionOnly:
    """An untrained model of the lab's size."""
    return AttentionOnly(len(ALPHABET), LONGEST, WIDTH, HEAD_WIDTH)


def induction_lab(model: str = "any_length") -> InductionLab:
    """Load one of the two models: "any_length" or "one_length". Raises as `load_lab`."""
    choose("induction", "model", model, MODELS)
    stored = read_weights(WEIGHTS)
    network = new_model()
    network.load_state_dict(
        {key.removeprefix(f"{model}."): value for key, value in stored.items() if key.startswith(f"{model}.")}
    )
    return InductionLab(network.eval(), model, stored[f"birth_{model}"].numpy())
