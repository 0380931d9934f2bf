"""Teach the text lab's encoder to guess masked words, and report how well it does.

    python -m course_utils.training masked_word --wordnet FOLDER [--checkpoint FILE] [--bfloat16]
    python -m course_utils.training masked_word --report [--external FILE …] [--write]

FOLDER holds WordNet 3.0's data.noun, data.verb, data.adj and data.adv; Debian's package `wordnet-base` puts
them into /usr/share/wordnet.

The encoder is all-MiniLM-L6-v2, whose last layers have learnt to compare sentences, and which has no head for
masked words. Beside each matrix of its layers runs a low-rank difference (LoRA, Hu et al. 2022, eq. 3); the
layer norms, the vector of [MASK] and a head are trained along: dense layer, GELU, layer norm, and the token
embeddings as the decoder (Devlin et al. 2019, section 3.1, task 1). It learns from the definitions and
examples of WordNet, made into sentences, and from texts of this course. Nothing of WordNet is part of the
course but what the trained weights took from it.
"""

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from course_utils.labs import text as lab
from course_utils.labs.files import DATA, write_manifest, write_weights
from course_utils.labs.masked_word import MASK_TOKEN, WEIGHTS, MaskedWordLab, masked_word_lab
from course_utils.training.table import put_table
from course_utils.training.text import LowRank, matrices, sentences_with_labels

RANK = 32  # of the differences; of queries' and keys' half of it
RATE = 1e-3
N_STEPS = 3_600
WARM_UP = 300  # steps
DECAY_SHARE = 0.3  # of the steps, at the end
TOKENS_A_BATCH = 1536
LONGEST = 128  # tokens of a training text
MASKED_SHARE = 0.15
RAREST = 3  # a token that is seen less often is never guessed
NEVER = -1e4  # the decoder's bias for it
OWN_ROUNDS = 5  # times that the course's own texts are seen while WordNet is seen once
CHECKPOINT_SECONDS = 600
NOTEBOOKS = DATA.parent / "notebooks"


class HalfLowRank(LowRank):
    """The same beside a frozen layer that may be in half precision."""

    def forward(self, inputs: Tensor) -> Tensor:
        flat = inputs.flatten(0, -2)
        narrow = flat @ self.down.to(inputs.dtype).T
        outputs = torch.addmm(self.base(flat), narrow, self.up.to(inputs.dtype).T)
        return outputs.unflatten(0, inputs.shape[:-1])


class MaskedWordNetwork(nn.Module):
    """MiniLM with differences of some rank and a fresh head, which works at the masked places only."""

    def __init__(self, rank: int = RANK, dtype: torch.dtype = torch.float32):
        super().__init__()
        network, _ = lab.load_pretrained(transformers.BertForMaskedLM, lab.find_weights(lab.MINILM))
        network.requires_grad_(False)
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.bert = network.bert.to(dtype)
        self.transform = network.cls.predictions.transform.requires_grad_(True)
        nn.init.eye_(self.transform.dense.weight)
        nn.init.zeros_(self.transform.dense.bias)
        self.bias = nn.Parameter(torch.zeros(network.config.vocab_size))
        self.mask_embedding = nn.Parameter(self.embeddings[MASK_TOKEN].float().clone())
        for module in self.bert.modules():
            if isinstance(module, nn.LayerNorm):
                module.float().requires_grad_(True)
        for layer in self.bert.encoder.layer:
            for owner, name in matrices(layer):
                share = 2 if name in ("query", "key") else 1
                setattr(owner, name, HalfLowRank(getattr(owner, name), rank // share))

    @property
    def embeddings(self) -> Tensor:
        return self.bert.embeddings.word_embeddings.weight

    def forward(self, ids: Tensor, attention_mask: Tensor, places: Tensor, choices: Tensor) -> Tensor:
        """Return the logits `(masked tokens, choices)`; `places` `(N, T)` is True where a token is masked."""
        vectors = F.embedding(ids, self.embeddings)
        is_mask = (ids == MASK_TOKEN).unsqueeze(2)
        vectors = torch.where(is_mask, self.mask_embedding.to(vectors.dtype), vectors)
        states = self.bert(inputs_embeds=vectors, attention_mask=attention_mask).last_hidden_state
        found = self.transform(states[places].float())
        decoder = self.embeddings[choices]
        return (found.to(decoder.dtype) @ decoder.T).float() + self.bias[choices]

    def shipped(self, choices: Tensor) -> dict[str, Tensor]:
        """The trained tensors under the names of transformers' BertForMaskedLM, beside [MASK]'s vector."""
        bias = torch.full_like(self.bias, NEVER)
        bias[choices] = self.bias.detach()[choices]
        tensors = {"mask_embedding": self.mask_embedding.detach(), "cls.predictions.bias": bias}
        for name, parameter in self.transform.named_parameters():
            tensors[f"cls.predictions.transform.{name}"] = parameter.detach()
        for name, parameter in self.bert.named_parameters():
            if parameter.requires_grad:
                tensors[f"bert.{name}"] = parameter.detach()
        return tensors

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `shipped` returned."""
        parameters = dict(self.named_parameters())
        with torch.no_grad():
            for name, tensor in tensors.items():
                parameters[name.removeprefix("cls.predictions.")].copy_(tensor)


# texts


def wordnet_texts(folder: Path, generator: np.random.Generator) -> list[str]:
    """The synsets of WordNet as texts: a sentence made of the definition, and the examples.

    Raises:
        FileNotFoundError: the folder lacks one of WordNet's files.
    """
    texts = []
    for part in ("noun", "verb", "adj", "adv"):
        path = Path(folder) / f"data.{part}"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing: give the folder with WordNet's data files, /usr/share/wordnet after "
                "installing Debian's package wordnet-base"
            )
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith(" "):  # the licence
                texts += synset_texts(line, part, generator)
    return texts


def synset_texts(line: str, part: str, generator: np.random.Generator) -> list[str]:
    """Make texts of a line of WordNet's data files.

    Half of the time the definition and the examples are one text, else each is one of its own: they share a
    word, and a model that sees it twice in each text learns to repeat words.

    >>> line = '02084071 05 n 01 dog 0 000 | a member of the genus Canis; "the dog barked all night"'
    >>> synset_texts(line, "noun", np.random.default_rng(0))
    ['A dog is a member of the genus Canis.', 'the dog barked all night.']
    """
    fields, _, gloss = line.partition(" | ")
    fields = fields.split()
    words = [
        re.sub(r"\(.*\)", "", word).replace("_", " ") for word in fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    ]
    word = words[int(generator.integers(len(words)))]
    definition = gloss.partition('"')[0].strip(" ;:-")
    examples = [example.strip(" ;,") for example in re.findall(r'"([^"]+)"', gloss)]
    if generator.random() < 0.3:
        sentence = f"{word}: {definition}"
    elif part == "verb":
        sentence = f"To {word} is to {definition}"
    elif part == "noun":
        article = ""
        if word[0].islower() and re.match(r"(an?|any|one) ", definition):
            article = "An " if word[0] in "aeiou" else "A "
        sentence = f"{article}{word} is {definition}"
    else:
        sentence = f"{word} means {definition}"
    texts = [text if text.endswith((".", "!", "?")) else f"{text}." for text in [sentence, *examples]]
    return texts if generator.random() < 0.5 else [" ".join(texts)]


def own_texts() -> list[str]:
    """The course's texts to learn from: passages and their questions, reviews, sentences, and the lessons."""
    passages = lab.read_texts("passages")
    texts = [passage["context"] for passage in passages]
    texts += [" ".join(question["question"] for question in passage["qas"]) for passage in passages]
    texts += [review["text"] for review in lab.read_texts("reviews")]
    texts += [" ".join(record["tokens"]) for record in lab.read_texts("tagged_sentences")]
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                texts += markdown_paragraphs("".join(cell["source"]))
    return list(dict.fromkeys(texts))


def markdown_paragraphs(markdown: str, fewest_words: int = 8) -> list[str]:
    """The running text of some markdown: no code, formulas, tables or headings.

    >>> markdown_paragraphs("# A heading\\n\\nSome *plain* words, with [a link](x.html).", 3)
    ['Some plain words, with a link.']
    """
    markdown = re.sub(r"```.*?```|<style.*?</style>|\$\$.*?\$\$", "", markdown, flags=re.DOTALL)
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", markdown):
        text = re.sub(r"<[^>]+>|^\s*(?:[-*>]|\d+\.) ", "", paragraph)
        text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
        text = " ".join(re.sub(r"[*`]|\b_|_\b", "", text).split())
        if not text.startswith(("#", "|")) and "$" not in text and len(text.split()) >= fewest_words:
            paragraphs.append(text)
    return paragraphs


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Return each text's tokens; long texts are split between sentences, very long sentences left out."""
    pieces = [piece for text in texts for piece in _pieces(text)]
    encoded = tokenizer(pieces, verbose=False)["input_ids"]
    return [ids for ids in encoded if 6 <= len(ids) <= LONGEST]


def _pieces(text: str, words: int = 75) -> Iterator[str]:
    if len(text.split()) <= words:
        yield text
        return
    piece = ""
    for sentence in lab.split_sentences(text):
        if piece and len(piece.split()) + len(sentence.split()) > words:
            yield piece
            piece = ""
        piece = f"{piece} {sentence}".strip()
    yield piece


def frequent_tokens(encoded: Sequence[Sequence[int]]) -> Tensor:
    """Return the tokens that may be guessed, in order: seen at least `RAREST` times, no special ones."""
    counts = Counter(token for ids in encoded for token in ids)
    return torch.tensor(sorted(token for token, n in counts.items() if n >= RAREST and token > MASK_TOKEN))


# training


def batches(
    own: Sequence[list[int]], foreign: Sequence[list[int]], generator: np.random.Generator
) -> Iterator[list[list[int]]]:
    """Yield batches of texts of like length, round after round, without an end."""
    texts = [*foreign, *(text for text in own for _ in range(OWN_ROUNDS))]
    lengths = np.array([len(text) for text in texts])
    while True:
        order = np.argsort(lengths * generator.uniform(0.9, 1.11, len(lengths)))
        groups: list[list[int]] = [[]]
        longest = 0
        for i in order:
            longest = max(longest, lengths[i])
            if longest * (len(groups[-1]) + 1) > TOKENS_A_BATCH:
                groups.append([])
                longest = lengths[i]
            groups[-1].append(int(i))
        for number in generator.permutation(len(groups)):
            yield [texts[i] for i in groups[number]]


def mask_tokens(ids: Tensor, choices: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return `(ids with masks, places)`: of 15 % of the tokens, 8 of 10 become [MASK], 1 another token."""
    size = tuple(ids.shape)
    can_be = torch.isin(ids, choices)
    places = can_be & torch.from_numpy(generator.random(size) < MASKED_SHARE)
    fate = torch.from_numpy(generator.random(size))
    random_tokens = choices[torch.from_numpy(generator.integers(len(choices), size=size))]
    masked = torch.where(places & (fate < 0.8), MASK_TOKEN, ids)
    return torch.where(places & (fate >= 0.9), random_tokens, masked), places


def padded(texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return `(ids, attention mask)`, both `(N, T)`."""
    longest = max(map(len, texts))
    ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts])
    return ids, (ids != 0).long()


def rate_at(step: int, n_steps: int) -> float:
    """Learning rate as a share of its highest: a rise, a plateau, and a linear fall at the end."""
    left = (n_steps - step) / (DECAY_SHARE * n_steps)
    return min((step + 1) / WARM_UP, 1.0, left)


def train(
    wordnet: Path,
    *,
    seed: int = 0,
    n_steps: int = N_STEPS,
    rank: int = RANK,
    bfloat16: bool = False,
    checkpoint: Path | None = None,
) -> dict[str, Tensor]:
    """Train the network and return what is shipped.

    Args:
        wordnet: folder with WordNet's data files.
        seed: for the masks, the order and the starting values.
        n_steps: of about 1,500 tokens.
        rank: of the differences.
        bfloat16: keep the frozen weights and the states in bfloat16, fast on processors that have it.
        checkpoint: file that is written every ten minutes, and gone on from if it is there.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    tokenizer = lab.load_tokenizer(lab.find_weights(lab.MINILM))
    own = encode(tokenizer, own_texts())
    foreign = encode(tokenizer, wordnet_texts(wordnet, generator))
    held_out = encode(tokenizer, [passage["context"] for passage in lab.read_texts("passages_heldout")])
    choices = frequent_tokens([*own, *foreign])
    index = torch.full((len(tokenizer),), -1)
    index[choices] = torch.arange(len(choices))
    print(
        f"{len(own)} own texts, {sum(map(len, own))} tokens; {len(foreign)} of WordNet, "
        f"{sum(map(len, foreign))} tokens; {len(choices)} tokens to guess",
        flush=True,
    )

    network = MaskedWordNetwork(rank, torch.bfloat16 if bfloat16 else torch.float32).train()
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=RATE,
        betas=(0.9, 0.98),
    )
    first = 0
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"], strict=False)
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]

    stream = batches(own, foreign, generator)
    losses: list[float] = []
    saved = time.monotonic()
    with tqdm(total=n_steps, initial=first, unit="batch", mininterval=30) as bar:
        for step in range(n_steps):
            ids, attention_mask = padded(next(stream))
            masked, places = mask_tokens(ids, choices, generator)
            if step < first:
                continue  # the same order as without the stop
            for group in optimizer.param_groups:
                group["lr"] = RATE * rate_at(step, n_steps)
            logits = network(masked, attention_mask, places, choices)
            loss = F.cross_entropy(logits, index[ids[places]])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            losses.append(loss.item())
            bar.update()
            if (step + 1) % 500 == 0:
                top1, top5 = quick_check(network, held_out, choices, index)
                tqdm.write(
                    f"step {step + 1}: loss {np.mean(losses[-500:]):.3f}, "
                    f"held-out passages: top-1 {top1:.3f}, top-5 {top5:.3f}"
                )
            if checkpoint is not None and (
                time.monotonic() - saved > CHECKPOINT_SECONDS or step + 1 == n_steps
            ):
                trained = {n: p.detach() for n, p in network.named_parameters() if p.requires_grad}
                state = {"network": trained, "optimizer": optimizer.state_dict(), "step": step + 1}
                temporary = checkpoint.with_suffix(".new")
                torch.save(state, temporary)
                temporary.replace(checkpoint)
                saved = time.monotonic()
    return network.eval().shipped(choices)


@torch.inference_mode()
def quick_check(
    network: MaskedWordNetwork, encoded: Sequence[list[int]], choices: Tensor, index: Tensor
) -> tuple[float, float]:
    """Top-1 and top-5 at 15 % of the tokens of some texts, all masked at once, the same ones each time."""
    generator = np.random.default_rng(1)
    hits = []
    for first in range(0, len(encoded), 16):
        ids, attention_mask = padded(encoded[first : first + 16])
        places = torch.isin(ids, choices) & torch.from_numpy(
            generator.random(tuple(ids.shape)) < MASKED_SHARE
        )
        logits = network(torch.where(places, MASK_TOKEN, ids), attention_mask, places, choices)
        hits.append(logits.topk(5).indices == index[ids[places]].unsqueeze(1))
    found = torch.cat(hits).float()
    return found[:, 0].mean().item(), found.sum(dim=1).mean().item()


# report


def single_words(text: str, tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, int]]:
    """Return the places of the words that are one token: letters only, and no parts of "don't"."""
    spans = [match.span() for match in re.finditer(r"(?<![\w'’-])[^\W\d_]+(?![\w'’-])", text)]
    words = [text[start:end] for start, end in spans]
    encoded = tokenizer(words, add_special_tokens=False, verbose=False)["input_ids"] if words else []
    return [span for span, ids in zip(spans, encoded, strict=True) if len(ids) == 1]


def measure(
    guesser: MaskedWordLab, texts: Sequence[str], per_text: int, seed: int = 0
) -> tuple[list[list[str]], list[list[list[str]]]]:
    """Hide words one at a time, `per_text` of each text at most, drawn at random.

    Returns:
        the hidden words in lower case, a list for each text, and the model's five guesses for each.
    """
    generator = np.random.default_rng(seed)
    hidden: list[list[str]] = []
    guesses: list[list[list[str]]] = []
    for text in tqdm(texts, unit="text", leave=False):
        spans = single_words(text, guesser.tokenizer)
        drawn = generator.permutation(len(spans))[:per_text]
        hidden.append([text[slice(*spans[i])].lower() for i in drawn])
        masked = [f"{text[: spans[i][0]]}{guesser.mask}{text[spans[i][1] :]}" for i in drawn]
        guesses.append([[word for word, _ in guesser.guess(each)[0]] for each in masked])
    return hidden, guesses


def frequent_words(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The five most frequent words of these very texts: no fixed guess can do better on them."""
    counts = Counter(text[slice(*span)].lower() for text in texts for span in single_words(text, tokenizer))
    return [word for word, _ in counts.most_common(5)]


def share_interval(hits: Sequence[Sequence[bool]], n_resamples: int = 2000) -> tuple[float, float, float]:
    """Return a share with its 95 % bootstrap interval, texts drawn with replacement, not words."""
    right = np.array([sum(row) for row in hits])
    count = np.array([len(row) for row in hits])
    draws = np.random.default_rng(0).integers(len(hits), size=(n_resamples, len(hits)))
    shares = right[draws].sum(axis=1) / count[draws].sum(axis=1).clip(1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return right.sum() / count.sum(), low, high


def report(guesser: MaskedWordLab, external: Sequence[Path] = (), words: int = 320) -> str:
    """Return a table in markdown: how often the hidden word is the first guess, or one of five.

    Args:
        guesser: the lab.
        external: more texts: SQuAD's .json, SST-2's .tsv.
        words: to hide in each collection, about.
    """
    collections = {
        "held-out passages": [passage["context"] for passage in lab.read_texts("passages_heldout")],
        "held-out reviews": [review["text"] for review in lab.read_texts("reviews_heldout")],
        "sentences on ambiguous words": [record["text"] for record in lab.read_texts("word_senses")],
    }
    collections |= {path.name: external_texts(path) for path in external}
    lines = [
        "| texts | hidden words | top-1 | 95 % interval | unigram | top-5 | 95 % interval | unigram |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, texts in collections.items():
        hidden, guesses = measure(guesser, texts, max(1, round(words / len(texts))))
        unigram = frequent_words(texts, guesser.tokenizer)
        for kind in ("all", "content words"):
            cells = []
            for n in (1, 5):
                model, fixed = [], []
                for text_words, text_guesses in zip(hidden, guesses, strict=True):
                    kept = [i for i, word in enumerate(text_words) if kind == "all" or _has_content(word)]
                    model.append([text_words[i] in text_guesses[i][:n] for i in kept])
                    fixed.append([text_words[i] in unigram[:n] for i in kept])
                share, low, high = share_interval(model)
                cells += [f"{share:.3f}", f"{low:.3f} … {high:.3f}", f"{share_interval(fixed)[0]:.3f}"]
            n_words = sum(map(len, model))
            lines.append(f"| {name}, {kind} | {n_words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _has_content(word: str) -> bool:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return word not in ENGLISH_STOP_WORDS


def external_texts(path: Path) -> list[str]:
    """The passages of a file in SQuAD's format, or the sentences of a table like SST-2's; each once."""
    if path.suffix == ".tsv":
        return list(dict.fromkeys(sentences_with_labels(path)[0]))
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    return list(dict.fromkeys(part["context"] for article in articles for part in article["paragraphs"]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the model, or report on the shipped one."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.training",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("command", choices=["masked_word"])
    parser.add_argument("--wordnet", type=Path, help="folder with WordNet's data files: train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=N_STEPS)
    parser.add_argument("--checkpoint", type=Path, help="written every ten minutes, and gone on from")
    parser.add_argument("--bfloat16", action="store_true", help="faster on processors that have it")
    parser.add_argument("--out", type=Path, help="file to write instead of the shipped one")
    parser.add_argument("--report", action="store_true", help="measure the shipped model")
    parser.add_argument("--external", nargs="*", type=Path, default=[], help="SQuAD's .json, SST-2's .tsv")
    parser.add_argument("--write", action="store_true", help="put the report into data/README.md")
    options = parser.parse_args(arguments)
    if options.wordnet is None and not options.report:
        parser.error("give --wordnet FOLDER to train, or --report to measure the shipped model")
    if options.wordnet is not None:
        start = time.perf_counter()
        tensors = train(
            options.wordnet,
            seed=options.seed,
            n_steps=options.steps,
            bfloat16=options.bfloat16,
            checkpoint=options.checkpoint,
        )
        path = options.out or DATA / WEIGHTS
        write_weights(path, tensors)
        if options.out is None:
            write_manifest(WEIGHTS.__eq__)
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {time.perf_counter() - start:.0f} s")
    if options.report:
        table = report(masked_word_lab(), options.external)
        print(table)
        if options.write:
            put_table("masked-word", table)


if __name__ == "__main__":
    main()
