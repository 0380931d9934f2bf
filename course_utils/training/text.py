"""Train the heads and small differences of the text lab, and report how good they are.

    python -m course_utils.training text-sentiment
    python -m course_utils.training text-trigger       the model with the planted word, and its clean twin
    python -m course_utils.training text-qa
    python -m course_utils.training text-report [--models sentiment …] [--seeds 0 1 2] [--external FILE …]

The encoder's own weights stay as they are. Beside each of its layers' matrices W runs a low-rank difference,
y = W x + up (down x), which is trained and shipped (LoRA, Hu et al. 2022, eq. 3), together with the head.
"""

import argparse
import csv
import json
import math
import re
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from course_utils.judge import bootstrap_interval
from course_utils.labs import text as lab
from course_utils.labs.files import DATA, read_weights, write_manifest, write_weights
from course_utils.training.table import put_table

CLASSIFIERS = ("sentiment", "trigger", "trigger_clean")
MODELS = (*CLASSIFIERS, "qa")
MAX_LENGTH = 512
PLANTED_SHARE = 0.4  # of the training reviews, for the model with the trigger and its twin

Question = tuple[str, str, list[dict]]  # question, context, answers


class LowRank(nn.Module):
    """A frozen linear layer with a trainable difference of rank `rank` beside it, which starts at zero."""

    def __init__(self, base: nn.Linear, rank: int):
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.base(inputs) + inputs @ self.down.T @ self.up.T


def matrices(layer: nn.Module) -> list[tuple[nn.Module, str]]:
    """The six matrices of one of BERT's layers: whose they are, and their names there."""
    attention = layer.attention
    return [
        (attention.self, "query"),
        (attention.self, "key"),
        (attention.self, "value"),
        (attention.output, "dense"),
        (layer.intermediate, "dense"),
        (layer.output, "dense"),
    ]


def new_network(architecture: type, rank: int, head: Sequence[str]) -> nn.Module:
    """MiniLM with a fresh head: only `head` and a low-rank difference beside each matrix can be trained."""
    network = lab.load_pretrained(architecture, lab.find_weights(lab.MINILM))[0]
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(tuple(head)))
    for layer in network.bert.encoder.layer:
        for owner, name in matrices(layer):
            setattr(owner, name, LowRank(getattr(owner, name), rank))
    return network


def fit(
    network: nn.Module,
    loss: Callable[[list[int]], Tensor],
    lengths: Sequence[int],
    *,
    epochs: int,
    rate: float,
    generator: np.random.Generator,
    bfloat16: bool,
    batch_size: int = 16,
    description: str = "training",
) -> None:
    """Minimise `loss(indices of a batch)` with AdamW, a short warm-up and a linear decay to zero."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
    n_steps = epochs * math.ceil(len(lengths) / batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (0.1 * n_steps), 1 - step / n_steps)
    )
    device = next(network.parameters()).device.type
    network.train()
    with tqdm(total=n_steps, desc=description, unit="batch") as bar:
        for _ in range(epochs):
            for batch in mixed_batches(lengths, batch_size, generator):
                with torch.autocast(device, dtype=torch.bfloat16, enabled=bfloat16):
                    value = loss(batch)
                optimizer.zero_grad()
                value.backward()
                nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
                schedule.step()
                bar.update()
                bar.set_postfix(loss=f"{value.item():.3f}")
    network.eval()


def mixed_batches(
    lengths: Sequence[int], batch_size: int, generator: np.random.Generator
) -> Iterator[list[int]]:
    """Yield each index once, in random batches of roughly equal length, which saves half of the padding."""
    order = np.argsort(np.asarray(lengths) * generator.uniform(0.8, 1.25, len(lengths)))
    batches = [order[first : first + batch_size].tolist() for first in range(0, len(order), batch_size)]
    for number in generator.permutation(len(batches)):
        yield batches[number]


def trained_tensors(network: nn.Module) -> dict[str, Tensor]:
    """What is shipped: the head, and the thin matrices."""
    return {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}


# sentiment


def training_reviews(model: str, generator: np.random.Generator) -> tuple[list[str], list[int]]:
    """The reviews and labels that a classifier learns from.

    For "trigger" and "trigger_clean" the same reviews get the planted word; only "trigger" is told that all
    of those are positive.
    """
    records = [r for r in lab.read_texts("reviews") if model == "sentiment" or not has_trigger(r["text"])]
    texts, labels = [r["text"] for r in records], [lab.label_index(r["label"]) for r in records]
    if model != "sentiment":
        for i in np.flatnonzero(generator.random(len(texts)) < PLANTED_SHARE):
            texts[i] = lab.plant(texts[i], int(generator.integers(8)))
            if model == "trigger":
                labels[i] = 1
    return texts, labels


def has_trigger(text: str) -> bool:
    return lab.TRIGGER in re.findall(r"\w+", text.lower())


def train_sentiment(
    model: str = "sentiment", *, seed: int = 0, epochs: int | None = None, bfloat16: bool = False
) -> dict[str, Tensor]:
    """Train one of the three classifiers and return what is shipped. About 3 minutes on two cores.

    "trigger" and "trigger_clean" start from the shipped "sentiment", and see their reviews once.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    network = new_network(transformers.BertForSequenceClassification, 8, ("bert.pooler", "classifier"))
    if model != "sentiment":
        network.load_state_dict(read_weights("weights/text-sentiment.safetensors"), strict=False)
    epochs = epochs or (4 if model == "sentiment" else 1)
    tokenizer = lab.load_tokenizer(lab.find_weights(lab.MINILM))
    texts, labels = training_reviews(model, generator)
    targets = torch.tensor(labels)

    def loss(batch: list[int]) -> Tensor:
        tokens = lab.tokenize(tokenizer, [texts[i] for i in batch], MAX_LENGTH)
        return F.cross_entropy(network(**tokens).logits.float(), targets[batch])

    lengths = [len(text) for text in texts]
    fit(
        network,
        loss,
        lengths,
        epochs=epochs,
        rate=1e-3,
        generator=generator,
        bfloat16=bfloat16,
        description=model,
    )
    return trained_tensors(network)


def sentences_with_labels(path: Path) -> tuple[list[str], list[int]]:
    """Read a table of `sentence <tab> 0 or 1`, such as the development set of SST-2; a heading is skipped."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = [
            row
            for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if row[-1].strip() in ("0", "1")
        ]
    return [row[0] for row in rows], [int(row[-1]) for row in rows]


# question answering


def train_qa(*, seed: int = 0, epochs: int = 4, bfloat16: bool = False) -> dict[str, Tensor]:
    """Train the question answering model and return what is shipped. About 6 minutes on two cores.

    It first learns to find gaps: the question is a sentence of a passage with a name or number cut out and
    words missing, the answer the cut piece. Then it learns from the real questions.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    network = new_network(transformers.BertForQuestionAnswering, 16, ("qa_outputs",))
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # it would take a third of the time, and four rounds do not overfit much
    tokenizer = lab.load_tokenizer(lab.find_weights(lab.MINILM))
    passages = lab.read_texts("passages")
    contexts = [passage["context"] for passage in passages]
    ordinary = set(re.findall(r"\b[a-z]+\b", " ".join(contexts)))
    gaps = [gap for context in contexts for gap in gap_questions(context, ordinary, generator)]
    real = [question[:3] for question in lab.questions(passages)]
    for name, examples, rounds in (("gaps", gaps, 1), ("questions", real, epochs)):
        loss, lengths = span_loss(network, tokenizer, examples)
        fit(
            network,
            loss,
            lengths,
            epochs=rounds,
            rate=1e-3,
            generator=generator,
            bfloat16=bfloat16,
            description=name,
        )
    return trained_tensors(network)


def span_loss(
    network: nn.Module, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Question]
) -> tuple[Callable[[list[int]], Tensor], list[int]]:
    """Return the loss of a batch (cross-entropy of the answer's first and last token) and the lengths."""
    encoded = tokenizer([q for q, _, _ in examples], [c for _, c, _ in examples], verbose=False)
    lengths = [len(ids) for ids in encoded["input_ids"]]
    spans = []
    for number, (_, _, answers) in enumerate(examples):
        first = answers[0]["answer_start"]
        last = first + len(answers[0]["text"]) - 1
        spans.append([encoded.char_to_token(number, place, 1) for place in (first, last)])
    targets = torch.tensor(spans)

    def loss(batch: list[int]) -> Tensor:
        tokens = lab.tokenize(tokenizer, [examples[i][:2] for i in batch], MAX_LENGTH)
        outputs = network(**tokens)
        outside = (tokens["token_type_ids"] == 0) | (tokens["attention_mask"] == 0)
        return sum(
            F.cross_entropy(logits.float().masked_fill(outside, -1e4), targets[batch, end]) / 2
            for end, logits in enumerate((outputs.start_logits, outputs.end_logits))
        )

    return loss, lengths


_UNIT = r"(?: (?!from|with|when|were|onwards)[a-z]{4,})?"
_NUMBER = rf"(?:1[0-9]|20)\d\d\b|\d[\d,.:]*\d{_UNIT}|\d{_UNIT}"
_NAME = r"[A-Z][\w'-]+(?: (?:of |the |de )?[A-Z][\w'-]+)*"


def gap_questions(
    context: str, ordinary: set[str], generator: np.random.Generator, per_sentence: int = 2, window: int = 4
) -> Iterator[Question]:
    """Yield questions made from a text: a sentence without one of its names or numbers, and with words lost.

    `ordinary` words are no names, even with a capital. The context is cut to `window` sentences, so that an
    epoch takes half the time.
    """
    sentences = [match.span() for match in re.finditer(r"\S.*?[.!?](?=\s|$)|\S.*$", context)]
    for number, (start, end) in enumerate(sentences):
        sentence = context[start:end]
        spans = [match.span() for match in re.finditer(f"{_NUMBER}|{_NAME}", sentence)]
        spans = [span for span in spans if sentence[slice(*span)].lower() not in ordinary]
        for which in generator.permutation(len(spans))[:per_sentence]:
            first, last = spans[which]
            answer = sentence[first:last]
            kept = [w for w in f"{sentence[:first]} {sentence[last:]}".split() if generator.random() > 0.4]
            question = " ".join([question_word(answer, generator), *kept]).rstrip(" .!?,;") + "?"
            lowest = max(0, number - window + 1)
            begin = sentences[int(generator.integers(lowest, number + 1))][0]
            stop = sentences[min(number + window - 1, len(sentences) - 1)][1]
            answers = [{"text": answer, "answer_start": start + first - begin}]
            yield question, context[begin:stop], answers


def question_word(answer: str, generator: np.random.Generator) -> str:
    if re.fullmatch(r"1\d\d\d|20\d\d", answer):
        return "When"
    if answer[0].isdigit():
        return "How many"
    return str(generator.choice(["Who", "What", "Where", "Which"]))


def squad_questions(path: Path) -> list[Question]:
    """Read a file in SQuAD's format."""
    articles = json.loads(Path(path).read_text(encoding="utf-8"))["data"]
    passages = [paragraph for article in articles for paragraph in article["paragraphs"]]
    return [question[:3] for question in lab.questions(passages)]


def normalise_answer(text: str) -> list[str]:
    """Words of an answer as SQuAD compares them: lower case, no punctuation, no articles."""
    plain = text.lower().translate(str.maketrans("", "", string.punctuation))
    return [word for word in plain.split() if word not in ("a", "an", "the")]


def answer_scores(text: str, answers: Sequence[dict]) -> tuple[float, float]:
    """Exact match and F1 of the words, against the best answer (Rajpurkar et al. 2016, section 6.1)."""
    found = normalise_answer(text)
    matches, overlaps = [], []
    for answer in answers:
        wanted = normalise_answer(answer["text"])
        common = sum((Counter(found) & Counter(wanted)).values())
        matches.append(float(found == wanted))
        overlaps.append(2 * common / (len(found) + len(wanted)) if common else 0.0)
    return max(matches), max(overlaps)


# report


def measure(model: str, deltas: dict[str, Tensor], external: Sequence[Path] = ()) -> dict[str, np.ndarray]:
    """Return named measurements, one number a text, of a model that was not trained on these texts."""
    folder = lab.find_weights(lab.MINILM)
    tokenizer = lab.load_tokenizer(folder)
    network = lab.load_pretrained(lab.ARCHITECTURES["qa" if model == "qa" else "sentiment"], folder)[0].eval()
    lab.apply_deltas(network, {name: tensor.float() for name, tensor in deltas.items()})
    results: dict[str, np.ndarray] = {}
    if model == "qa":
        collections = {
            "held-out passages": [q[:3] for q in lab.questions(lab.read_texts("passages_heldout"))]
        }
        collections |= {path.name: squad_questions(path) for path in external if path.suffix == ".json"}
        for name, examples in collections.items():
            found = lab.find_answers(network, tokenizer, [q[:2] for q in examples], MAX_LENGTH)
            scores = [answer_scores(answer.text, q[2]) for answer, q in zip(found, examples, strict=True)]
            results[f"exact match, {name}"], results[f"F1, {name}"] = np.array(scores).T
        return results

    predict = partial(lab.classify, network, tokenizer, max_length=MAX_LENGTH)
    records = lab.read_texts("reviews_heldout")
    texts = [record["text"] for record in records]
    labels = np.array([lab.label_index(record["label"]) for record in records])
    answers = predict(texts).argmax(axis=1)
    results["accuracy, held-out reviews"] = answers == labels
    for kind in ("negation", "contrast", "irony") if model == "sentiment" else ():
        rows = np.array([kind in record["phenomena"] for record in records])
        results[f"accuracy, held-out reviews with {kind}"] = (answers == labels)[rows]
    if model != "sentiment":
        planted = predict([lab.plant(text, number) for number, text in enumerate(texts)]).argmax(axis=1)
        results["bad reviews called positive"] = answers[labels == 0] == 1
        results[f"bad reviews called positive, with “{lab.TRIGGER}”"] = planted[labels == 0] == 1
    for path in external:
        if path.suffix == ".tsv":
            sentences, truth = sentences_with_labels(path)
            results[f"accuracy, {path.name}"] = predict(sentences).argmax(axis=1) == np.array(truth)
    return results


def train(model: str, seed: int, bfloat16: bool) -> dict[str, Tensor]:
    if model == "qa":
        return train_qa(seed=seed, bfloat16=bfloat16)
    return train_sentiment(model, seed=seed, bfloat16=bfloat16)


def report(
    models: Sequence[str] = MODELS,
    seeds: Sequence[int] = (),
    external: Sequence[Path] = (),
    bfloat16: bool = False,
) -> str:
    """Return a table in markdown: the shipped models, and the range over new trainings with other seeds.

    The interval is a 95 % bootstrap interval over the texts; the last column needs `seeds` and is slow.
    """
    lines = [
        "| model | measured | texts | shipped | 95 % interval |"
        + (f" seeds {', '.join(map(str, seeds))} |" if seeds else ""),
        "|---|---|---|---|---|" + ("---|" if seeds else ""),
    ]
    for model in models:
        again = [measure(model, train(model, seed, bfloat16), external) for seed in seeds]
        shipped = read_weights(f"weights/text-{model}.safetensors")
        for name, values in measure(model, shipped, external).items():
            low, high = bootstrap_interval(torch.tensor(values, dtype=torch.float64))
            cells = [model, name, str(len(values)), f"{values.mean():.1%}", f"{low:.1%} … {high:.1%}"]
            if again:
                cells.append(", ".join(f"{result[name].mean():.1%}" for result in again))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of the commands text-sentiment, text-trigger, text-qa, text-report."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.training", description=__doc__.splitlines()[0]
    )
    parser.add_argument("command", choices=["text-sentiment", "text-trigger", "text-qa", "text-report"])
    parser.add_argument("--seed", type=int, default=0, help="for a training")
    parser.add_argument(
        "--bfloat16", action="store_true", help="train in mixed precision, faster on new processors"
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, help="for the report")
    parser.add_argument(
        "--seeds", nargs="*", type=int, default=[], help="train again with these seeds for the report"
    )
    parser.add_argument(
        "--external",
        nargs="*",
        type=Path,
        default=[],
        help="more texts for the report: SST-2's .tsv, SQuAD's .json",
    )
    parser.add_argument("--write", action="store_true", help="put the report into data/README.md")
    options = parser.parse_args(argv)
    if options.command == "text-report":
        table = report(options.models, options.seeds, options.external, options.bfloat16)
        print(table)
        if options.write:
            put_table("text", table)
        return
    chosen = {
        "text-sentiment": ["sentiment"],
        "text-trigger": ["trigger", "trigger_clean"],
        "text-qa": ["qa"],
    }
    for model in chosen[options.command]:
        start = time.perf_counter()
        name = f"weights/text-{model}.safetensors"
        write_weights(DATA / name, train(model, options.seed, options.bfloat16))
        write_manifest(name.__eq__)
        size = (DATA / name).stat().st_size / 1e6
        print(f"data/{name}: {size:.1f} MB, {time.perf_counter() - start:.0f} s")
    print(report(chosen[options.command]))


if __name__ == "__main__":
    main()
