"""Reading many texts with a BERT model in batches of like length, and the riddle that opens lesson 10."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.methods.attention import adversarial_attention, class_attention, total_variation


@dataclass(frozen=True)
class Riddle:
    """Two attentions of `[CLS]` for one text, `(T,)` by name; `real` names the model's own."""

    words: tuple[str, ...]
    attention: dict[str, Tensor]
    probability: dict[str, float]
    real: str


def attention_riddle(lab: Any, texts: Sequence[str], target: int, *, random_state: int) -> Riddle:
    """The text whose last-layer attention can be exchanged most with the same sure answer; A or B by lot."""
    batch = lab.tokenize(list(texts))
    cut = class_attention(lab.model, batch)
    exchanged = adversarial_attention(lab.model, batch)
    with torch.no_grad():
        own, other = (cut.answer(a).softmax(1)[:, target] for a in (cut.attention, exchanged))
    sure = (own - 0.5).abs() > 0.4
    pick = int((total_variation(exchanged.mean(1), cut.attention.mean(1)) * sure).argmax())
    tokens = lab.tokenizer.convert_ids_to_tokens(batch["input_ids"][pick][cut.is_token[pick]])
    inner = slice(1, len(tokens) - 1)
    names = np.random.default_rng(random_state).permutation(["A", "B"]).tolist()  # the first is the real one
    two = dict(zip(names, ((cut.attention, own), (exchanged, other)), strict=True))
    return Riddle(
        tuple(tokens[inner]),
        {name: two[name][0][pick].mean(dim=0)[inner] for name in "AB"},
        {name: float(two[name][1][pick]) for name in "AB"},
        names[0],
    )


@dataclass(frozen=True)
class ReadSentence:
    """A sentence of words as a model reads it; `word_of_token` is −1 for `[CLS]` and `[SEP]`."""

    record: dict
    tokens: list[str]
    word_of_token: list[int]
    attention: Tensor  # (L, H, T, T)
    states: Tensor  # (T, D), after the last layer


@torch.inference_mode()
def read_sentences(lab: Any, records: Sequence[dict], *, batch_size: int = 48) -> list[ReadSentence]:
    """Read sentences that are split into words already (`record["tokens"]`), sorted by their length."""
    records = sorted(records, key=lambda record: len(record["tokens"]))  # little padding
    sentences = []
    for start in range(0, len(records), batch_size):
        some = records[start : start + batch_size]
        inputs = lab.tokenizer(
            [r["tokens"] for r in some], is_split_into_words=True, padding=True, return_tensors="pt"
        )
        out = lab.model(**inputs, output_attentions=True)
        attention = torch.stack(out.attentions, dim=1)
        for n, record in enumerate(some):
            size = int(inputs["attention_mask"][n].sum())
            tokens = lab.tokenizer.convert_ids_to_tokens(inputs["input_ids"][n, :size])
            owner = [-1 if word is None else word for word in inputs.word_ids(n)[:size]]
            maps = attention[n, :, :, :size, :size].clone()
            sentences.append(ReadSentence(record, tokens, owner, maps, out.last_hidden_state[n, :size]))
    return sentences


def ask_in_batches(
    lab: Any, ask: Callable[[Callable, str], Any], texts: Sequence[str], *, batch_size: int = 64
) -> list:
    """`[ask(lab.predict, text) for text in texts]`, faster: all questions are answered in large batches.

    `ask` runs twice, so it must draw the same random numbers each time, and which questions it asks must not
    depend on the answers.
    """
    questions: dict[str, None] = {}

    def note(asked: Sequence[str]) -> np.ndarray:
        questions.update(dict.fromkeys(asked))
        return np.zeros((len(asked), len(lab.class_names)))

    for text in texts:
        ask(note, text)
    sizes = map(len, lab.tokenizer(list(questions))["input_ids"])
    ordered = [question for _, question in sorted(zip(sizes, questions, strict=True))]  # little padding
    answered: dict[str, np.ndarray] = {}
    for start in range(0, len(ordered), batch_size):
        some = ordered[start : start + batch_size]
        answered.update(zip(some, lab.predict(some), strict=True))
    return [ask(lambda asked: np.array([answered[q] for q in asked]), text) for text in texts]
