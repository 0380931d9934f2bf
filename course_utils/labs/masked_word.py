"""The lab of masked words: the text lab's encoder, taught to guess words that are hidden from it.

    lab = load_lab("masked_word")
    lab.guess("She poured the [MASK] into two cups.")

all-MiniLM-L6-v2 was trained to compare sentences and has no head for masked words. This course trained one,
with low-rank differences beside the encoder's matrices, on WordNet's definitions and examples and on the
course's own texts: some million words in about an hour, where BERT saw 3.3 billion. It is right about small
words far more often than about content words, and likes to repeat a word that stands nearby: `data/README.md`
has the numbers. For those online, `variant=` loads a model that was trained on far more, "bert-base-uncased"
for instance.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from course_utils.labs.files import read_weights
from course_utils.labs.text import TextLab, apply_deltas, text_lab

WEIGHTS = "weights/masked-word.safetensors"
MASK_TOKEN = 103  # [MASK] in BERT's uncased vocabulary; all special tokens come before it

Guess = tuple[str, float]  # a word and its probability, 0 … 1


@dataclass(frozen=True, eq=False, repr=False)
class MaskedWordLab(TextLab):
    """A language model that guesses words in the place of [MASK].

    The attributes are those of `TextLab`; `texts` are sentences that it was not trained on.
    """

    def __repr__(self) -> str:
        return f"MaskedWordLab({self.name!r}, {type(self.model).__name__}, {len(self.texts)} texts)"

    @property
    def mask(self) -> str:
        """What stands for a hidden word: "[MASK]" for BERT."""
        return self.tokenizer.mask_token

    def hide(self, text: str, word: str, which: int = 0) -> str:
        """Return the text with [MASK] in the place of one word.

        Args:
            text: any text.
            word: as it stands there; capitals do not matter.
            which: 0 is the first place with the word, 1 the second one, −1 the last one.

        Raises:
            ValueError: the word does not stand there, or not that often.
        """
        if not isinstance(text, str) or not isinstance(word, str):
            raise TypeError("hide takes a text and one of its words, both strings")
        places = [
            match.span() for match in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)
        ]
        if not word.strip() or not places:
            raise ValueError(f"the text has no word {word!r}: give one of its words, as it stands there")
        if not -len(places) <= which < len(places):
            raise ValueError(
                f"which={which}, but {word!r} stands in the text only {len(places)} times: count from 0"
            )
        start, end = places[which]
        return f"{text[:start]}{self.mask}{text[end:]}"

    def guess(self, text: str, k: int = 5) -> list[list[Guess]]:
        """Return the `k` likeliest words for each [MASK] of the text, with their probabilities.

        The words are tokens of the model's vocabulary; "##ing" continues the word before it. With several
        masks each is guessed for itself: the model does not know what it guesses for the others.

        Raises:
            TypeError: the text is not a string, or `k` is not a whole number.
            ValueError: no [MASK] in the text, more tokens than the model takes, or a `k` below 1 or above the
                vocabulary.
        """
        if isinstance(k, bool) or not isinstance(k, int):
            raise TypeError(f"k must be a whole number, not {k!r}")
        if not 1 <= k <= len(self.tokenizer):
            raise ValueError(f"k={k}: choose a number from 1 to {len(self.tokenizer)}, the vocabulary's size")
        values, tokens = self.probabilities(text).topk(k, dim=1)
        return [
            list(zip(self.tokenizer.convert_ids_to_tokens(row), shares, strict=True))
            for row, shares in zip(tokens.tolist(), values.tolist(), strict=True)
        ]

    def probabilities(self, text: str) -> Tensor:
        """Return each token's probability at each [MASK], `(masks, vocabulary)`. Raises as `guess`."""
        if not isinstance(text, str):
            raise TypeError(f"the text must be one string, not a {type(text).__name__}")
        tokens = self.tokenize(text)
        is_mask = tokens["input_ids"][0] == self.tokenizer.mask_token_id
        if not is_mask.any():
            raise ValueError(
                f"the text has no {self.mask} (in capitals and brackets): write it in the place of a word, "
                "or let hide(text, word) do so"
            )
        with torch.inference_mode():
            logits = self.model(**tokens).logits[0, is_mask]
        return logits.float().softmax(dim=1).cpu()


def masked_word_lab(path: str | Path | None = None, variant: str | None = None) -> MaskedWordLab:
    """Load a model that guesses masked words.

    Args:
        path: a folder with a transformers model that has a head for masked words. None takes the one that the
            course ships.
        variant: another model by its name on the hub, "bert-base-uncased" for instance, from the cache or
            online.

    Raises:
        ValueError: both are given, or the network found has no head for masked words.
        LabUnavailable: the weights are neither on this computer nor reachable.
        DataFileError: a file is missing or altered.
    """
    lab = text_lab("masked", path=path, variant=variant)
    values = {field.name: getattr(lab, field.name) for field in fields(lab)}
    return MaskedWordLab(**(values | {"name": "masked_word"}))


def teach_masked_words(network: nn.Module, tensors: Mapping[str, Tensor] | None = None) -> None:
    """Turn MiniLM into the network that guesses masked words.

    Args:
        network: transformers' BertForMaskedLM with MiniLM's encoder and any head; changed in place.
        tensors: differences, head and [MASK]'s vector; None takes the shipped ones.
    """
    tensors = dict(read_weights(WEIGHTS) if tensors is None else tensors)
    mask_embedding = tensors.pop("mask_embedding")
    apply_deltas(network, tensors)
    with torch.no_grad():
        network.get_input_embeddings().weight[MASK_TOKEN] = mask_embedding
